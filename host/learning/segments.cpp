#include "host/learning/segments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

// The density of scores is that of this many groups of equally many rows.
constexpr std::size_t most_groups = 4096;
// So many of the segments are spread evenly over the rows, wherever these are.
constexpr double even_share = 0.1;

/// The least whole number that is more than a and at least halfway to b, for a < b.
std::int64_t between(std::int64_t a, std::int64_t b) {
  const auto apart = static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
  return a + static_cast<std::int64_t>(apart / 2 + apart % 2);
}

/// b - a for a <= b.
double distance(std::int64_t a, std::int64_t b) {
  return static_cast<double>(static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a));
}

}  // namespace

score_order::score_order(const std::vector<std::int64_t>& scores, const coded_rows& rows,
                         row_choice train) {
  sorted_.reserve(scores.size());
  if (rows.weights.empty()) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (train.takes(rows.part[i])) sorted_.push_back(scores[i]);
    }
    std::sort(sorted_.begin(), sorted_.end());
    return;
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> weighted;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (train.takes(rows.part[i])) weighted.emplace_back(scores[i], rows.weight(i));
  }
  std::sort(weighted.begin(), weighted.end());
  weights_.reserve(weighted.size());
  std::int64_t before = 0;
  for (const auto& [score, weight] : weighted) {
    sorted_.push_back(score);
    weights_.push_back(before += weight);
  }
}

std::vector<std::int64_t> score_order::thresholds(std::int64_t num_segments) const {
  std::vector<std::int64_t> distinct = sorted_;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  // Rows of weight w are w rows.
  const std::size_t n =
      weights_.empty() ? sorted_.size() : static_cast<std::size_t>(weights_.back());
  const auto score_of = [this](std::size_t row) {
    if (weights_.empty()) return sorted_[row];
    const auto at =
        std::upper_bound(weights_.begin(), weights_.end(), static_cast<std::int64_t>(row));
    return sorted_[static_cast<std::size_t>(at - weights_.begin())];
  };
  if (num_segments < 2 || distinct.size() < 2) return {};
  const std::size_t most =
      std::min(static_cast<std::size_t>(num_segments), distinct.size()) - 1;  // thresholds

  const std::size_t groups = std::min(most_groups, n - 1);
  std::vector<std::int64_t> bounds(groups + 1);
  std::vector<double> density(groups + 1, 0.0);  // its integral up to each bound
  for (std::size_t k = 0; k <= groups; ++k) bounds[k] = score_of((n - 1) * k / groups);
  for (std::size_t k = 0; k < groups; ++k) {
    const double width = distance(bounds[k], bounds[k + 1]);
    density[k + 1] = density[k] + std::cbrt(width * width);
  }
  const double whole = density[groups];
  for (std::size_t k = 0; k <= groups; ++k) {
    density[k] = (1.0 - even_share) * (density[k] / whole) +
                 even_share * (static_cast<double>(k) / static_cast<double>(groups));
  }
  // Each threshold comes with the first score that reaches it, so that no segment stays empty.
  std::vector<std::int64_t> cuts(most);
  std::vector<std::size_t> reached_by(most);
  std::size_t group = 0;
  for (std::size_t s = 0; s < most; ++s) {
    const double target = static_cast<double>(s + 1) / static_cast<double>(most + 1);
    while (group + 1 < groups && density[group + 1] < target) ++group;
    const double width = distance(bounds[group], bounds[group + 1]);
    const double share = (target - density[group]) / (density[group + 1] - density[group]);
    const double offset = std::clamp(std::ceil(share * width), 0.0, width);
    cuts[s] = static_cast<std::int64_t>(static_cast<std::uint64_t>(bounds[group]) +
                                        static_cast<std::uint64_t>(offset));
    reached_by[s] = static_cast<std::size_t>(
        std::lower_bound(distinct.begin(), distinct.end(), cuts[s]) - distinct.begin());
  }
  // Of those between the same two scores all but one give way to their neighbours.
  std::vector<std::size_t> kept = reached_by;
  for (std::size_t s = 0; s < most; ++s) kept[s] = std::max(kept[s], s > 0 ? kept[s - 1] + 1 : 1);
  for (std::size_t s = most; s-- > 0;)
    kept[s] = std::min(kept[s], s + 1 < most ? kept[s + 1] - 1 : distinct.size() - 1);
  for (std::size_t s = 0; s < most; ++s) {
    const bool alone = most + 1 < distinct.size() &&
                       (s == 0 || reached_by[s - 1] != reached_by[s]) &&
                       (s + 1 == most || reached_by[s + 1] != reached_by[s]);
    if (!alone || kept[s] != reached_by[s])
      cuts[s] = between(distinct[kept[s] - 1], distinct[kept[s]]);
  }
  return cuts;
}

head segments_of(std::vector<std::int64_t> thresholds, std::int64_t num_segments,
                 const std::vector<std::int64_t>& scores, const coded_rows& rows,
                 bool are_precisions) {
  const auto m = static_cast<std::size_t>(num_segments);
  head made;
  made.thresholds = std::move(thresholds);
  made.counts.assign(m, 0);
  std::vector<std::int64_t> weights(m, 0);
  std::vector<unsigned __int128> squared_weights(m, 0);
  std::vector<std::int64_t> sums(m, 0);
  std::vector<unsigned __int128> squares(m, 0);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    std::size_t segment = 0;
    if (!made.thresholds.empty()) {
      segment = static_cast<std::size_t>(
          std::upper_bound(made.thresholds.begin(), made.thresholds.end(), scores[i]) -
          made.thresholds.begin());
    } else if (m > 1) {
      segment = static_cast<std::size_t>(scores[i]);
    }
    const std::int64_t y = rows.y[i];
    const auto size = static_cast<unsigned __int128>(y < 0 ? -y : y);
    const std::int64_t weight = rows.weight(i);
    ++made.counts[segment];
    weights[segment] += weight;
    squared_weights[segment] += static_cast<std::uint64_t>(weight * weight);
    sums[segment] += weight * y;
    squares[segment] += size * size * static_cast<std::uint64_t>(weight);
  }

  const double nan = std::numeric_limits<double>::quiet_NaN();
  made.constants.assign(m, nan);
  made.variances.assign(m, nan);
  made.standard_errors.assign(m, nan);
  for (std::size_t s = 0; s < m; ++s) {
    if (made.counts[s] == 0) continue;
    const auto w = static_cast<double>(weights[s]);
    made.constants[s] = std::ldexp(static_cast<double>(sums[s]) / w, rows.exponent);
    if (made.counts[s] < 2) continue;
    // W Q - S^2 is exact: W |y| < 2^62.
    const auto sum = static_cast<unsigned __int128>(sums[s] < 0 ? -sums[s] : sums[s]);
    const unsigned __int128 spread =
        static_cast<unsigned __int128>(weights[s]) * squares[s] - sum * sum;
    const double squared = static_cast<double>(spread) / w;  // sum w (y - mean)^2
    double freedom = 0.0;
    double rows_in_mean = 0.0;  // as many of one variance have a mean of this error
    if (are_precisions) {
      freedom = (static_cast<double>(made.counts[s]) - 1.0) / rows.weight_unit;
      rows_in_mean = w * rows.weight_unit;
    } else {
      const double of_row = static_cast<double>(squared_weights[s]) / w;
      freedom = w - of_row;
      rows_in_mean = w / of_row;
    }
    made.variances[s] = std::ldexp(squared / freedom, 2 * rows.exponent);
    made.standard_errors[s] = std::sqrt(made.variances[s] / rows_in_mean);
  }

  // The nearest with rows below, then, where it is nearer, that above.
  std::size_t from = m;
  std::vector<std::size_t> nearest(m, m);
  for (std::size_t s = 0; s < m; ++s) {
    if (made.counts[s] > 0) from = s;
    nearest[s] = from;
  }
  from = m;
  for (std::size_t s = m; s-- > 0;) {
    if (made.counts[s] > 0) from = s;
    if (from < m && (nearest[s] == m || from - s < s - nearest[s])) nearest[s] = from;
  }
  for (std::size_t s = 0; s < m; ++s) {
    if (nearest[s] < m) made.constants[s] = made.constants[nearest[s]];
  }
  return made;
}

}  // namespace zcmoe::detail
