#include "host/learning/table_sum.hpp"

#include "host/learning/axis_tables.hpp"
#include "host/learning/pair_grids.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

/// A hash of what learning sees of a row, for parts where the rows' own do not part them.
std::uint8_t part_of(const coded_rows& rows, std::int64_t i) {
  std::uint64_t hash = 0;
  const auto mix = [&hash](std::uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29;
  };
  for (int a = 0; a < rows.num_axes(); ++a) mix(rows.codes_of(a)[i]);
  mix(static_cast<std::uint64_t>(rows.y[static_cast<std::size_t>(i)]));
  mix(0);
  return static_cast<std::uint8_t>((hash >> 32) % std::uint64_t{coded_rows::num_parts});
}

/// The chosen rows alone, of at least two parts if they are of different kinds.
coded_rows chosen_rows(const coded_rows& rows, row_choice train) {
  coded_rows chosen;
  chosen.num_slots = rows.num_slots;
  chosen.exponent = rows.exponent;
  chosen.constant_shift = rows.constant_shift;
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < rows.n; ++i) {
    if (train.takes(rows.part[static_cast<std::size_t>(i)])) numbers.push_back(i);
  }
  chosen.n = static_cast<std::int64_t>(numbers.size());
  chosen.codes.reserve(static_cast<std::size_t>(rows.num_axes()) * numbers.size());
  for (int a = 0; a < rows.num_axes(); ++a) {
    const std::uint8_t* codes = rows.codes_of(a);
    for (const std::int64_t i : numbers) chosen.codes.push_back(codes[i]);
  }
  chosen.y.reserve(numbers.size());
  chosen.part.reserve(numbers.size());
  for (const std::int64_t i : numbers) {
    chosen.y.push_back(rows.y[static_cast<std::size_t>(i)]);
    chosen.part.push_back(rows.part[static_cast<std::size_t>(i)]);
  }
  std::vector<std::uint32_t> weights;
  if (!rows.weights.empty()) {
    weights.reserve(numbers.size());
    for (const std::int64_t i : numbers)
      weights.push_back(rows.weights[static_cast<std::size_t>(i)]);
  }
  chosen.set_weights(std::move(weights));
  const bool one_part = std::all_of(chosen.part.begin(), chosen.part.end(),
                                    [&](std::uint8_t p) { return p == chosen.part.front(); });
  for (std::int64_t i = 0; one_part && i < chosen.n; ++i)
    chosen.part[static_cast<std::size_t>(i)] = part_of(chosen, i);
  return chosen;
}

/// The mean of targets or of what is left of them, in units of constants.
std::int64_t mean_of(std::int64_t sum, const coded_rows& rows) {
  if (rows.n == 0) return 0;
  const double mean = static_cast<double>(sum) / static_cast<double>(rows.total_weight());
  return static_cast<std::int64_t>(std::nearbyint(std::ldexp(mean, -rows.constant_shift)));
}

/// Cycles in which all tables and grids are fitted anew to what the others leave.
constexpr int num_cycles = 2;

table_sum learn_from(const coded_rows& rows, int max_pairs, const run_parts& run, model_room room,
                     const make_row_passes& make) {
  const std::int64_t unit = std::int64_t{1} << rows.constant_shift;
  table_sum sum;
  const std::unique_ptr<row_passes> left = make(rows.for_passes(), run);
  const auto take_mean = [&] {
    const std::int64_t mean = mean_of(left->totals().sum, rows);
    sum.base += mean;
    return mean * unit;
  };
  left->subtract(take_mean(), {}, {});
  axis_tables tables(rows, room, *left);
  // How smooth a table is to be shows when the others have taken their share.
  for (int round = 0; round < 3; ++round) tables.fit(*left, true, run);
  if (max_pairs > 0) {
    pair_grids grids(rows, tables, room);
    grids.grow(*left, max_pairs, run);
    const std::vector<bank> found = grids.banks();
    for (int cycle = 0; cycle < num_cycles && !found.empty(); ++cycle) {
      tables.fit(*left, true, run);
      grids.fit(*left, cycle == 0);
    }
    sum.banks = grids.banks();
  }
  take_mean();
  std::vector<bank> axes;
  for (int a = 0; a < rows.num_axes(); ++a) {
    if (!tables.is_used(a)) continue;
    axes.push_back(tables.bank_of(a));
  }
  sum.banks.insert(sum.banks.begin(), axes.begin(), axes.end());
  return sum;
}

}  // namespace

table_sum learn_tables(const coded_rows& rows, row_choice train, int max_pairs,
                       const run_parts& run, const model_room& room, const make_row_passes& make) {
  const bool one_part = std::all_of(rows.part.begin(), rows.part.end(),
                                    [&](std::uint8_t p) { return p == rows.part.front(); });
  if (train.held_out < 0 && !one_part) return learn_from(rows, max_pairs, run, room, make);
  return learn_from(chosen_rows(rows, train), max_pairs, run, room, make);
}

std::vector<std::int64_t> scores_of(const std::vector<bank>& banks, const coded_rows& rows,
                                    const run_parts& run) {
  std::vector<std::int64_t> scores(static_cast<std::size_t>(rows.n), 0);
  const row_chunks chunks(rows.n);
  const auto num_axes = static_cast<std::int32_t>(rows.num_axes());
  run(chunks.count, [&](std::int64_t chunk) {
    constexpr std::int64_t block = 2048;  // of cells that stay in the cache
    std::int64_t cells[block];
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(num_axes));
    const std::int64_t end = chunks.end(chunk);
    for (std::int64_t first = chunks.begin(chunk); first < end; first += block) {
      const std::int64_t count = std::min(block, end - first);
      std::int64_t* to = scores.data() + first;
      for (const bank& b : banks) {
        if (b.is_tree()) {
          for (std::int64_t i = 0; i < count; ++i) {
            for (std::int32_t a = 0; a < num_axes; ++a)
              codes[static_cast<std::size_t>(a)] = rows.codes_of(a)[first + i];
            cells[i] = cell_of(b, codes.data(), num_axes);
          }
        } else {
          std::fill(cells, cells + count, 0);
          for (const axis_offsets& along : b.axes) {
            const std::uint8_t* from = rows.codes_of(along.axis) + first;
            const std::int32_t* offsets = along.offsets.data();
            for (std::int64_t i = 0; i < count; ++i) cells[i] += offsets[from[i]];
          }
        }
        const std::int32_t* constants = b.constants.data();
        for (std::int64_t i = 0; i < count; ++i) to[i] += constants[cells[i]];
      }
    }
  });
  return scores;
}

std::vector<std::int64_t> residuals_of(const table_sum& sum, const coded_rows& rows,
                                       const run_parts& run) {
  std::vector<std::int64_t> left = scores_of(sum.banks, rows, run);
  const std::int64_t unit = std::int64_t{1} << rows.constant_shift;
  // Of rows that were not learned from little is known, but sums over all must not overflow.
  const std::int64_t most = (std::int64_t{1} << 62) / std::max<std::int64_t>(rows.n, 1);
  const row_chunks chunks(rows.n);
  run(chunks.count, [&](std::int64_t chunk) {
    for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
      std::int64_t& value = left[static_cast<std::size_t>(i)];
      value =
          std::clamp(rows.y[static_cast<std::size_t>(i)] - (sum.base + value) * unit, -most, most);
    }
  });
  return left;
}

}  // namespace zcmoe::detail
