// Searches for the smallest table by sweeps with different bounds, then by partitions of a fine
// table: see smallest_rms.hpp.
#include "host/planning/smallest_rms.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct smallest_rms_tuning {
  // The search for a bound ends after this many sweeps.
  static constexpr int max_sweeps = 200;
  // There is no table where a bound with too large an error and one with too many segments are
  // within this factor of each other.
  static constexpr double given_up = 1 + 1e-6;
  // Tables of more segments are not made more equal, which would gain about 1/m of the error.
  static constexpr std::size_t most_equalised = 4096;
  // Tables of more segments are not partitioned anew, since equal errors are all but optimal there.
  static constexpr std::size_t most_partitioned = 64;
  // Partitions choose from about this many cuts.
  static constexpr std::int64_t candidates = 768;
  // No bound is tried that is a smaller part of the whole error.
  static constexpr double least_bound = 1e-18;
};

/// The table with the largest bound on the error of a segment whose whole error is at most `limit`,
/// and that bound. A larger bound makes fewer segments.
std::pair<compiled_table, double> largest_bound(const rms_sweep& sweep, const compile_job& job,
                                                double limit) {
  const std::int64_t most = job.options.max_segments;
  constexpr double close = 1 + bound_precision;
  // No segment of a table that meets the limit has a larger error than the limit, so this bound is
  // large enough to start from.
  double bad_bound = limit;
  compiled_table bad = sweep.with_bound(bad_bound, most);
  if (!bad.complete) fail_too_many(job);
  if (bad.error <= limit) return {bad, bad_bound};
  double good_bound = 0.0;
  compiled_table good;
  double overflow = 0.0;  // the largest bound known to need too many segments
  for (int k = 0; k < smallest_rms_tuning::max_sweeps; ++k) {
    double next = 0.0;
    if (good.complete) {
      if (good.constants.size() == bad.constants.size() || bad.error <= limit * close ||
          bad_bound <= good_bound * close) {
        break;
      }
      // The error is close to a power of the bound, which two sweeps determine. Every second guess
      // is a little larger, so that guesses fall on both sides of the limit.
      const double slope = std::log(bad.error / good.error) / std::log(bad_bound / good_bound);
      next = good_bound * std::pow(limit / good.error, 1 / slope);
      if (k % 2 == 0) next *= 1 + 0.5 / static_cast<double>(good.constants.size());
    } else {
      // The error falls like m^-2 and the bound like m^-3, so the bound goes like error^1.5. Two
      // percent less brings the error below the limit.
      next = bad_bound * std::pow(limit / bad.error, 1.5) * 0.98;
    }
    const double lowest = std::max(good_bound, overflow);
    if (!(next > lowest && next < bad_bound) || k % 8 == 7)
      next = lowest > 0 ? std::sqrt(lowest) * std::sqrt(bad_bound) : bad_bound / 64;
    if (!(next > lowest && next < bad_bound)) break;
    compiled_table t = sweep.with_bound(next, most);
    if (t.error > limit) {
      // A smaller bound needs more segments than there may be, and a larger one has a larger error.
      if (!t.complete) fail_too_many(job);
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
  if (!good.complete) fail_too_many(job);
  return {good, good_bound};
}

/// The table of the least bound that needs no more segments than `best`: its errors are more equal,
/// and so their sum is smaller.
compiled_table equalised(const rms_sweep& sweep, compiled_table best, double high, double limit) {
  const auto m = static_cast<std::int64_t>(best.constants.size());
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

/// The table of fewest segments, at most `most`, that meets the limit, among those whose cuts are
/// cuts of a fine table, and of these the one with the least error. Dynamic programming goes
/// through every partition. The table is not complete if there is none.
compiled_table best_partition(const compiled_function& from, const compiled_table& fine,
                              double limit, std::size_t most) {
  const std::size_t n = fine.cells.size();
  // error[j] is the least error of the first j fine segments joined into m, first[m][j] the fine
  // segment with which the last of these m begins, and cost[j (n + 1) + i] the error of the fine
  // segments i .. j - 1 joined into one.
  std::vector<double> error(n + 1, infinity);
  error[0] = 0.0;
  std::vector<std::vector<std::size_t>> first{{}};
  std::vector<double> cost((n + 1) * (n + 1));
  for (std::size_t i = 0; i < n; ++i) {
    centred_moments segment;
    for (std::size_t j = i; j < n; ++j) {
      segment = from.joined(segment, fine.cells[j]);
      cost[(j + 1) * (n + 1) + i] = segment.scatter;
    }
  }
  compiled_table t;
  while (first.size() <= most && !(error[n] <= limit)) {
    std::vector<double> next(n + 1, infinity);
    std::vector<std::size_t> begins(n + 1, 0);
    for (std::size_t j = 1; j <= n; ++j) {
      const double* const to_j = &cost[j * (n + 1)];
      for (std::size_t i = 0; i < j; ++i) {
        const double e = error[i] + to_j[i];
        if (e < next[j]) {
          next[j] = e;
          begins[j] = i;
        }
      }
    }
    error = std::move(next);
    first.push_back(std::move(begins));
  }
  if (!(error[n] <= limit)) return t;
  t.edges.push_back(fine.edges[n]);
  for (std::size_t m = first.size() - 1, j = n; m > 0; --m) {
    const std::size_t i = first[m][j];
    centred_moments segment;
    for (std::size_t k = i; k < j; ++k) segment = from.joined(segment, fine.cells[k]);
    t.constants.push_back(segment.weight > 0 ? segment.mean : fine.constants[i]);
    t.edges.push_back(fine.edges[i]);
    j = i;
  }
  std::reverse(t.constants.begin(), t.constants.end());
  std::reverse(t.edges.begin(), t.edges.end());
  t.error = error[n];
  t.complete = true;
  return t;
}

}  // namespace

compiled_table smallest_rms(const compiled_function& from, const rms_sweep& sweep,
                            const compile_job& job, double limit) {
  auto [best, bound] = largest_bound(sweep, job, limit);
  const std::size_t m = best.constants.size();
  if (m == 1 || m > smallest_rms_tuning::most_equalised) return best;
  best = equalised(sweep, std::move(best), bound, limit);
  if (m > smallest_rms_tuning::most_partitioned) return best;
  // A table with `fineness` times the segments has a bound that is smaller by its cube.
  const double fineness =
      static_cast<double>(smallest_rms_tuning::candidates) / static_cast<double>(m);
  const compiled_table fine = sweep.with_bound(bound / (fineness * fineness * fineness),
                                               4 * smallest_rms_tuning::candidates);
  if (!fine.complete) return best;
  compiled_table t = best_partition(from, fine, limit, m);
  return t.complete && (t.constants.size() < m || t.error < best.error) ? t : best;
}

}  // namespace zcmoe::detail
