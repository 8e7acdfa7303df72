#include "host/learning/coded_rows.hpp"

#include "host/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace zcmoe::detail {
namespace {

std::uint64_t mixed(std::uint64_t hash, double value) {
  value = canonical(value);
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return XXH3_64bits_withSeed(&bits, sizeof bits, hash);
}

/// Targets as multiples of 2^exponent.
void round_targets(const double* y, std::int32_t exponent, std::vector<std::int64_t>& rounded) {
  for (std::size_t i = 0; i < rounded.size(); ++i)
    rounded[i] = static_cast<std::int64_t>(std::nearbyint(std::ldexp(y[i], -exponent)));
}

/// The standard deviation, from exact sums, so that it does not depend on their order.
double deviation_of(const coded_rows& rows) {
  std::int64_t sum = 0;
  unsigned __int128 squares = 0;
  for (std::size_t i = 0; i < rows.y.size(); ++i) {
    const std::int64_t value = rows.y[i];
    sum += rows.weight(i) * value;
    const auto size = static_cast<unsigned __int128>(std::abs(value));
    squares += size * size * static_cast<std::uint64_t>(rows.weight(i));
  }
  // n sum y^2 - (sum y)^2 = n sum (y - c)^2 - (sum (y - c))^2: about c near the mean no digits go.
  const std::int64_t n = rows.total_weight();
  const std::int64_t center = sum / n;
  const auto c = static_cast<__int128>(center);
  const __int128 about = static_cast<__int128>(squares) - 2 * c * sum + c * c * n;
  const double rest = static_cast<double>(sum - center * n) / static_cast<double>(n);
  const double variance = static_cast<double>(about) / static_cast<double>(n) - rest * rest;
  return std::sqrt(std::max(variance, 0.0));
}

/// Whole numbers in proportion to weights, and the weight of a unit. None: all are equal. A
/// function of which weights there are, not of their order.
std::pair<std::vector<std::uint32_t>, double> whole_weights(const std::vector<double>& weights) {
  constexpr std::int64_t most_in_all = most_total_weight / 2;  // the rest is for roundings
  std::pair<std::vector<std::uint32_t>, double> made{{}, 1.0};
  if (weights.empty()) return made;
  const auto n = static_cast<std::int64_t>(weights.size());
  if (n > most_in_all)
    fail(ZCMOE_ERR_INVALID_ARGUMENT, "weights are learned from with ", most_in_all,
         " rows at most, not with ", n);
  const auto [least, most] = std::minmax_element(weights.begin(), weights.end());
  if (*least == *most) {
    made.second = *most;
    return made;
  }
  // The sum, exact to 2^-61 of what it could be.
  const int fine = 61 - std::ilogb(*most) - std::ilogb(static_cast<double>(n));
  std::int64_t sum = 0;
  bool whole = true;
  for (const double w : weights) {
    sum += static_cast<std::int64_t>(std::ldexp(w, fine - 1));
    whole = whole && w == std::floor(w);
  }
  const double in_all = std::ldexp(static_cast<double>(sum), 1 - fine);
  whole = whole && in_all <= static_cast<double>(most_in_all);
  const int scale =
      whole ? 0 : std::ilogb(static_cast<double>(most_in_all)) - 1 - std::ilogb(in_all);
  made.second = std::ldexp(1.0, -scale);
  made.first.reserve(weights.size());
  for (const double w : weights) {
    made.first.push_back(
        static_cast<std::uint32_t>(std::max(std::nearbyint(std::ldexp(w, scale)), 1.0)));
  }
  return made;
}

/// The parts of rows by their hashes. Equal rows are told apart by counting them, in whatever
/// order: many rows with few contents, of categories, say, are parted as rows that differ are.
void share_out_parts(coded_rows& rows, const double* y, const std::vector<std::uint64_t>& hashes) {
  struct hashed_row {
    std::uint64_t hash;
    std::uint32_t row;
  };
  std::vector<hashed_row> sorted(hashes.size());
  for (std::size_t i = 0; i < sorted.size(); ++i)
    sorted[i] = {hashes[i], static_cast<std::uint32_t>(i)};
  std::sort(sorted.begin(), sorted.end(),
            [](const hashed_row& a, const hashed_row& b) { return a.hash < b.hash; });
  const auto are_equal = [&](std::uint32_t a, std::uint32_t b) {
    for (int axis = 0; axis < rows.num_axes(); ++axis) {
      if (rows.codes_of(axis)[a] != rows.codes_of(axis)[b]) return false;
    }
    return y[a] == y[b] && rows.weight(a) == rows.weight(b);
  };
  rows.part.resize(sorted.size());
  for (std::size_t first = 0, last = 0; first < sorted.size(); first = last) {
    bool equal = true;  // else they have one hash by chance, and their order must not matter
    for (last = first; last < sorted.size() && sorted[last].hash == sorted[first].hash; ++last)
      equal = equal && are_equal(sorted[first].row, sorted[last].row);
    for (std::size_t k = first; k < last; ++k) {
      const std::uint64_t number = equal ? k - first : 0;
      const std::uint64_t hash = number == 0
                                     ? sorted[k].hash
                                     : XXH3_64bits_withSeed(&number, sizeof number, sorted[k].hash);
      rows.part[sorted[k].row] =
          static_cast<std::uint8_t>(hash % std::uint64_t{coded_rows::num_parts});
    }
  }
}

}  // namespace

void hash_inputs(const double* inputs, std::int64_t n, std::uint64_t* hashes) {
  for (std::int64_t i = 0; i < n; ++i) hashes[i] = mixed(hashes[i], inputs[i]);
}

std::int64_t coded_rows::weight_of_rows(std::int64_t count) const {
  if (weights.empty()) return count;
  return std::max<std::int64_t>(1, std::llround(weight_of_row * static_cast<double>(count)));
}

void coded_rows::set_weights(std::vector<std::uint32_t> given) {
  weights = std::move(given);
  sum_of_weights = 0;
  weight_of_row = weight_of_noise = 1.0;
  if (weights.empty()) return;
  unsigned __int128 squares = 0;
  for (const std::uint32_t w : weights) {
    sum_of_weights += w;
    squares += static_cast<unsigned __int128>(w) * w;
  }
  weight_of_row = static_cast<double>(sum_of_weights) / static_cast<double>(n);
  weight_of_noise = static_cast<double>(squares) / static_cast<double>(sum_of_weights);
}

coded_rows rows_of(const double* y, const std::vector<double>& weights, std::int64_t n,
                   std::vector<std::int32_t> num_slots, std::vector<std::uint8_t> codes,
                   std::vector<std::uint64_t> hashes) {
  coded_rows rows;
  rows.n = n;
  rows.num_slots = std::move(num_slots);
  rows.codes = std::move(codes);
  const auto size = static_cast<std::size_t>(n);
  auto [whole, unit] = whole_weights(weights);
  for (std::size_t i = 0; i < size; ++i) {
    hashes[i] = mixed(hashes[i], y[i]);
    if (!whole.empty()) hashes[i] = mixed(hashes[i], whole[i]);
  }
  rows.set_weights(std::move(whole));
  rows.weight_unit = unit;
  share_out_parts(rows, y, hashes);
  rows.y.assign(size, 0);
  double most = 0.0;
  for (std::size_t i = 0; i < size; ++i) most = std::max(most, std::abs(y[i]));
  if (most == 0.0) return rows;
  // most < 2^(ilogb + 1), n < 2^(ilogb + 1): sums stay below 2^61, and sums of what models leave,
  // which is no greater in the mean square, have room.
  const int finest =
      std::ilogb(most) + 1 + (std::ilogb(static_cast<double>(rows.total_weight())) + 1) - 61;
  rows.exponent = finest;
  round_targets(y, rows.exponent, rows.y);
  double deviation = deviation_of(rows);
  if (deviation >= 1.0 && std::ilogb(deviation) > 40) {
    rows.exponent = finest + std::ilogb(deviation) - 40;
    round_targets(y, rows.exponent, rows.y);
    deviation = deviation_of(rows);
  }
  rows.constant_shift = deviation >= 1.0 ? std::max(std::ilogb(deviation) - 20, 0) : 0;
  return rows;
}

}  // namespace zcmoe::detail
