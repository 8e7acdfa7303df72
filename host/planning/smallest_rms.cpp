// The search over sweeps and partitions: see smallest_rms.hpp.
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
  static constexpr int max_sweeps = 200;
  static constexpr double given_up = 1 + 1e-6;  // bounds this close, both of no use: no table
  static constexpr std::size_t most_equalised = 4096;  // segments; the gain is a share 1/m
  static constexpr std::size_t most_partitioned = 64;  // segments; beyond, equal errors are best
  static constexpr std::int64_t candidates = 768;      // cuts, about, that partitions choose from
  static constexpr double least_bound = 1e-18;         // of the whole error
};

/// The table with the largest bound whose error is at most `limit`, and that bound.
std::pair<compiled_table, double> largest_bound(const rms_sweep& sweep, const compile_job& job,
                                                double limit) {
  const std::int64_t most = job.options.max_segments;
  constexpr double close = 1 + bound_precision;
  // No segment of a table that meets the limit has a larger error than the limit itself.
  double bad_bound = limit;
  compiled_table bad = sweep.with_bound(bad_bound, most);
  if (!bad.complete) fail_too_many(job);
  if (bad.error <= limit) return {bad, bad_bound};
  double good_bound = 0.0;
  compiled_table good;
  double overflow = 0.0;  // a bound that takes too many segments
  for (int k = 0; k < smallest_rms_tuning::max_sweeps; ++k) {
    double next = 0.0;
    if (good.complete) {
      if (good.constants.size() == bad.constants.size() || bad.error <= limit * close ||
          bad_bound <= good_bound * close) {
        break;
      }
      // The error is close to a power of the bound; aimed at both sides of the limit in turn.
      const double slope = std::log(bad.error / good.error) / std::log(bad_bound / good_bound);
      next = good_bound * std::pow(limit / good.error, 1 / slope);
      if (k % 2 == 0) next *= 1 + 0.5 / static_cast<double>(good.constants.size());
    } else {
      // The error falls like m^-2 and the bound like m^-3, so the bound goes like error^1.5. Two
      // percent less, so as to come out below the limit.
      next = bad_bound * std::pow(limit / bad.error, 1.5) * 0.98;
    }
    const double lowest = std::max(good_bound, overflow);
    if (!(next > lowest && next < bad_bound) || k % 8 == 7)
      next = lowest > 0 ? std::sqrt(lowest) * std::sqrt(bad_bound) : bad_bound / 64;
    if (!(next > lowest && next < bad_bound)) break;
    compiled_table t = sweep.with_bound(next, most);
    if (t.error > limit) {
      // Neither a smaller bound helps, which takes more segments, nor a larger one, whose error is
      // larger.
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

/// The table made more even: the least bound that needs no more segments.
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

/// The best of all tables whose cuts are among those of a fine one, with the fewest segments that
/// meet the limit, at most `most`; by dynamic programming over every partition. Not complete if
/// there is none.
compiled_table best_partition(const compiled_function& from, const compiled_table& fine,
                              double limit, std::size_t most) {
  const std::size_t n = fine.cells.size();
  // error[j]: of the first j cells in m segments; first[m][j]: where the last of these begins.
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
  // Bounds fall like m^-3.
  const double fineness =
      static_cast<double>(smallest_rms_tuning::candidates) / static_cast<double>(m);
  const compiled_table fine = sweep.with_bound(bound / (fineness * fineness * fineness),
                                               4 * smallest_rms_tuning::candidates);
  if (!fine.complete) return best;
  compiled_table t = best_partition(from, fine, limit, m);
  return t.complete && (t.constants.size() < m || t.error < best.error) ? t : best;
}

}  // namespace zcmoe::detail
