// Searches for the smallest table by sweeps with different bounds, then by partitions of a fine
// table: see smallest_rms.hpp.
#include "host/planning/smallest_rms.hpp"

#include "host/segmentation/best_partition.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

struct smallest_rms_tuning {
  // The search for a bound ends after this many sweeps.
  static constexpr int max_sweeps = 200;
  // There is no table where a bound with too large an error and one with too many segments are
  // within this factor of each other.
  static constexpr double given_up = 1 + 1e-6;
  // Tables of more segments are not made more equal, which would gain about 1/m of the error.
  static constexpr std::size_t most_equalised = 4096;
  // Tables of more segments are not partitioned anew, since equal errors are all but optimal there.
  static constexpr std::size_t most_partitioned = 256;
  // Partitions choose from about this many cuts, and at least from `each` a segment.
  static constexpr std::int64_t candidates = 768;
  static constexpr std::int64_t each = 8;
  // No bound is tried that is a smaller part of the whole error.
  static constexpr double least_bound = 1e-18;
};

/// The table with the largest bound on the error of a segment whose whole error is at most `limit`,
/// and that bound. A larger bound makes fewer segments. The table is not complete if it would need
/// more than `most`.
std::pair<compiled_table, double> largest_bound(const rms_sweep& sweep, double limit,
                                                std::int64_t most) {
  constexpr double close = 1 + bound_precision;
  // No segment of a table that meets the limit has a larger error than the limit, so this bound is
  // large enough to start from.
  double bad_bound = limit;
  compiled_table bad = sweep.with_bound(bad_bound, most);
  if (!bad.complete || bad.error <= limit) return {bad, bad_bound};
  double good_bound = 0.0;
  compiled_table good;
  double overflow = 0.0;  // the largest bound known to need too many segments
  for (int k = 0; k < smallest_rms_tuning::max_sweeps; ++k) {
    double next = 0.0;
    if (good.complete) {
      if (good.num_segments() == bad.num_segments() || bad.error <= limit * close ||
          bad_bound <= good_bound * close) {
        break;
      }
      // The error is close to a power of the bound, which two sweeps determine. Every second guess
      // is a little larger, so that guesses fall on both sides of the limit.
      const double slope = std::log(bad.error / good.error) / std::log(bad_bound / good_bound);
      next = good_bound * std::pow(limit / good.error, 1 / slope);
      if (k % 2 == 0) next *= 1 + 0.5 / static_cast<double>(good.num_segments());
    } else {
      // The error of constants falls like m^-2 and the bound like m^-3, that of lines like m^-4 and
      // m^-5, so the bound goes like a power of the error. Two percent less brings the error below
      // the limit.
      const double power = sweep.order() / (sweep.order() - 1.0);
      next = bad_bound * std::pow(limit / bad.error, power) * 0.98;
    }
    const double lowest = std::max(good_bound, overflow);
    if (!(next > lowest && next < bad_bound) || k % 8 == 7)
      next = lowest > 0 ? std::sqrt(lowest) * std::sqrt(bad_bound) : bad_bound / 64;
    if (!(next > lowest && next < bad_bound)) break;
    compiled_table t = sweep.with_bound(next, most);
    if (t.error > limit) {
      // A smaller bound needs more segments than there may be, and a larger one has a larger error.
      if (!t.complete) return {t, next};
      bad = std::move(t);
      bad_bound = next;
    } else if (t.complete) {
      good = std::move(t);
      good_bound = next;
    } else {
      overflow = next;
    }
    if (!good.complete && bad_bound <= overflow * smallest_rms_tuning::given_up) break;
  }
  return {good, good_bound};
}

/// The table of the least bound that needs no more segments than `best`: its errors are more equal,
/// and so their sum is smaller.
compiled_table equalised(const rms_sweep& sweep, compiled_table best, double high, double limit) {
  const std::int64_t m = best.num_segments();
  double low = 0.0;
  const double close = 1 + 1e-3 / static_cast<double>(m);
  while (high > limit * smallest_rms_tuning::least_bound && high > low * close) {
    const double next = low > 0 ? std::sqrt(low) * std::sqrt(high) : high / 64;
    if (!(next > low && next < high)) break;
    compiled_table t = sweep.with_bound(next, m);
    if (!t.complete) {
      low = next;
      continue;
    }
    high = next;
    if (t.error < best.error) best = std::move(t);
  }
  return best;
}

/// The table that joins the fine segments cuts[k] .. cuts[k + 1] - 1.
compiled_table joined_table(const compiled_function& from, const rms_sweep& sweep,
                            const compiled_table& fine, const std::vector<std::size_t>& cuts) {
  std::vector<double> edges{fine.edges[0]};
  std::vector<line_moments> cells;
  for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
    line_moments segment;
    for (std::size_t i = cuts[k]; i < cuts[k + 1]; ++i)
      segment = from.joined(segment, fine.cells[i]);
    cells.push_back(segment);
    edges.push_back(fine.edges[cuts[k + 1]]);
  }
  return sweep.of(std::move(edges), std::move(cells));
}

/// The table of fewest segments, at most `most`, that meets the limit, among those whose cuts are
/// cuts of a fine table, and of these the one with the least error. The table is not complete if
/// there is none.
compiled_table best_partition(const compiled_function& from, const rms_sweep& sweep,
                              const compiled_table& fine, double limit, std::size_t most) {
  // A fine segment without weight belongs to the one before it, or to the first that has weight.
  weighted_sequence items;
  std::vector<std::size_t> begins;  // the fine segment with which an item begins
  double inside = 0.0;
  for (std::size_t i = 0; i < fine.cells.size(); ++i) {
    if (!(fine.cells[i].weight > 0)) continue;
    begins.push_back(begins.empty() ? 0 : i);
    items.values.push_back(from.in_units(fine.cells[i].mean - fine.cells[0].mean));
    items.weights.push_back(fine.cells[i].weight);
    if (sweep.has_lines()) items.positions.push_back(fine.cells[i].place);
    inside += sweep.has_lines() ? fine.cells[i].about_line() : fine.cells[i].about_mean();
  }
  begins.push_back(fine.cells.size());
  if (items.size() == 0) return {};
  const partition_curve curve(items, most);
  for (std::size_t m = 1; m <= curve.errors().size(); ++m) {
    if (!(inside + curve.errors()[m - 1] <= limit)) continue;
    std::vector<std::size_t> cuts;
    for (const std::size_t item : curve.with(m).cuts) cuts.push_back(begins[item]);
    compiled_table t = joined_table(from, sweep, fine, cuts);
    if (t.error <= limit) return t;  // for constants it is, but for rounding
  }
  return {};
}

}  // namespace

compiled_table smallest_rms(const compiled_function& from, const rms_sweep& sweep, double limit,
                            std::int64_t most) {
  auto [best, bound] = largest_bound(sweep, limit, most);
  const auto m = static_cast<std::size_t>(best.num_segments());
  if (!best.complete || m == 1 || m > smallest_rms_tuning::most_equalised) return best;
  best = equalised(sweep, std::move(best), bound, limit);
  if (m > smallest_rms_tuning::most_partitioned) return best;
  // A table with `fineness` times the segments has a bound that is smaller by a power of it.
  const std::int64_t candidates = std::max(
      smallest_rms_tuning::candidates, smallest_rms_tuning::each * static_cast<std::int64_t>(m));
  const double fineness = static_cast<double>(candidates) / static_cast<double>(m);
  const compiled_table fine =
      sweep.with_bound(bound / std::pow(fineness, sweep.order()), 4 * candidates);
  if (!fine.complete) return best;
  compiled_table t = best_partition(from, sweep, fine, limit, m);
  return t.complete && (t.num_segments() < best.num_segments() || t.error < best.error) ? t : best;
}

}  // namespace zcmoe::detail
