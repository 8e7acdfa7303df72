// Sweeps for the root of the mean squared error, and the search over their bounds: see sweep.hpp.
#include "host/planning/sweep.hpp"

#include "host/error.hpp"

#include <boost/math/tools/toms748_solve.hpp>

#include <cstddef>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct sweep_tuning {
  static constexpr double cut_precision = 1e-9;  // of a segment's bound: where a cut is made
  static constexpr int max_sweeps = 200;
  static constexpr double given_up = 1 + 1e-6;  // bounds this close, both of no use: no table
  static constexpr std::size_t most_equalised = 4096;  // segments; the gain is a share 1/m
  static constexpr std::size_t most_partitioned = 64;  // segments; beyond, equal errors are best
  static constexpr std::int64_t candidates = 768;      // cuts, about, that partitions choose from
  static constexpr double least_bound = 1e-18;         // of the whole error
};

}  // namespace

void fail_too_many(const compile_job& job) {
  fail(ZCMOE_ERR_NUMERIC, "tolerance=", job.tolerance,
       " needs more than max_segments=", job.options.max_segments,
       " segments: too small for this function, or below the rounding of its values");
}

table rms_sweep::with_bound(double bound, std::int64_t most) const {
  table t;
  t.edges.push_back(job_.lo);
  double_double error;
  moments segment;
  double width = infinity;  // of the last segment: where to look for the next cut
  for (const panel& whole : panels_) {
    double left = whole.left;
    while (left < whole.right) {
      const double reach = left + 2 * width < whole.right ? left + 2 * width : whole.right;
      const bool all = left == whole.left && reach == whole.right;
      const moments longer = from_.joined(segment, all ? whole.content : from_.part(left, reach));
      if (longer.spread <= bound) {
        segment = longer;
        left = reach;
        width *= 2;
        continue;
      }
      const double cut = cut_between(segment, left, reach, longer.spread, bound, t.edges.back());
      segment = from_.joined(segment, from_.part(left, cut));
      close(t, segment, error, cut);
      if (static_cast<std::int64_t>(t.constants.size()) >= most && cut < job_.hi) {
        t.error = error.high;
        return t;
      }
      width = cut - t.edges[t.edges.size() - 2];
      segment = {};
      left = cut;
    }
  }
  if (t.edges.back() < job_.hi) close(t, segment, error, job_.hi);
  t.error = error.high;
  t.complete = true;
  return t;
}

double rms_sweep::of_uniform(std::int64_t m) const {
  double_double error;
  std::size_t k = 0;
  double left = job_.lo;
  const auto count = static_cast<double>(m);
  for (std::int64_t i = 1; i <= m; ++i) {
    const double t = static_cast<double>(i) / count;
    const double right = i == m ? job_.hi : job_.lo * (1.0 - t) + job_.hi * t;
    moments segment;
    while (left < right) {
      while (panels_[k].right <= left) ++k;
      const double end = std::min(right, panels_[k].right);
      const bool whole = left == panels_[k].left && end == panels_[k].right;
      segment = from_.joined(segment, whole ? panels_[k].content : from_.part(left, end));
      left = end;
    }
    error = error + segment.spread;
  }
  return error.high;
}

void rms_sweep::close(table& t, const moments& segment, double_double& error, double edge) const {
  const double centre = 0.5 * t.edges.back() + 0.5 * edge;
  t.constants.push_back(segment.mass > 0 ? segment.mean : from_.f(centre));
  t.edges.push_back(edge);
  t.cells.push_back(segment);
  error = error + segment.spread;
}

double rms_sweep::cut_between(const moments& gathered, double left, double right,
                              double right_spread, double bound, double start) const {
  // The cube root of the spread is nearly linear in the segment's width.
  const auto excess = [&](double spread) {
    constexpr double most = 1e9;  // of a spread that overflows, so that roots stay numbers
    const double cube_root = std::cbrt(spread / bound) - 1.0;
    const double e = cube_root < most ? cube_root : most;
    return std::abs(e) < sweep_tuning::cut_precision ? 0.0 : e;
  };
  const double at_left = excess(gathered.spread);
  const double at_right = excess(right_spread);
  double cut = right;
  if (at_left >= 0) {
    cut = left;
  } else if (at_right > 0) {
    std::uintmax_t steps = 100;
    const auto root = boost::math::tools::toms748_solve(
        [&](double x) { return excess(from_.joined(gathered, from_.part(left, x)).spread); }, left,
        right, at_left, at_right,
        [&](double a, double b) {
          return b - a <= sweep_tuning::cut_precision * (b - start) || 0.5 * a + 0.5 * b <= a ||
                 0.5 * a + 0.5 * b >= b;
        },
        steps);
    cut = root.first;
  }
  return std::max(cut, std::nextafter(start, right));
}

namespace {

/// The table with the largest bound whose error is at most `limit`, and that bound.
std::pair<table, double> largest_bound(const rms_sweep& sweep, const compile_job& job,
                                       double limit) {
  const std::int64_t most = job.options.max_segments;
  constexpr double close = 1 + bound_precision;
  // No segment of a table that meets the limit has a larger error than the limit itself.
  double bad_bound = limit;
  table bad = sweep.with_bound(bad_bound, most);
  if (!bad.complete) fail_too_many(job);
  if (bad.error <= limit) return {bad, bad_bound};
  double good_bound = 0.0;
  table good;
  double overflow = 0.0;  // a bound that takes too many segments
  for (int k = 0; k < sweep_tuning::max_sweeps; ++k) {
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
      // Error m^-2, bound m^-3; a little further, so as to come out below the limit.
      next = bad_bound * std::pow(limit / bad.error, 1.5) * 0.98;
    }
    const double lowest = std::max(good_bound, overflow);
    if (!(next > lowest && next < bad_bound) || k % 8 == 7)
      next = lowest > 0 ? std::sqrt(lowest) * std::sqrt(bad_bound) : bad_bound / 64;
    if (!(next > lowest && next < bad_bound)) break;
    table t = sweep.with_bound(next, most);
    if (t.error > limit) {
      // A smaller bound takes more segments still, a larger one has more error still.
      if (!t.complete) fail_too_many(job);
      bad = std::move(t);
      bad_bound = next;
    } else if (t.complete) {
      good = std::move(t);
      good_bound = next;
    } else {
      overflow = next;
    }
    if (!good.complete && bad_bound <= overflow * sweep_tuning::given_up) break;
  }
  if (!good.complete) fail_too_many(job);
  return {good, good_bound};
}

/// The table made more even: the least bound that needs no more segments.
table equalised(const rms_sweep& sweep, table best, double high, double limit) {
  const auto m = static_cast<std::int64_t>(best.constants.size());
  double low = 0.0;
  const double close = 1 + 1e-3 / static_cast<double>(m);
  while (high > limit * sweep_tuning::least_bound && high > low * close) {
    const double next = low > 0 ? std::sqrt(low) * std::sqrt(high) : high / 64;
    if (!(next > low && next < high)) break;
    table t = sweep.with_bound(next, m);
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
table best_partition(const source& from, const table& fine, double limit, std::size_t most) {
  const std::size_t n = fine.cells.size();
  // error[j]: of the first j cells in m segments; first[m][j]: where the last of these begins.
  std::vector<double> error(n + 1, infinity);
  error[0] = 0.0;
  std::vector<std::vector<std::size_t>> first{{}};
  std::vector<double> cost((n + 1) * (n + 1));
  for (std::size_t i = 0; i < n; ++i) {
    moments segment;
    for (std::size_t j = i; j < n; ++j) {
      segment = from.joined(segment, fine.cells[j]);
      cost[(j + 1) * (n + 1) + i] = segment.spread;
    }
  }
  table t;
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
    moments segment;
    for (std::size_t k = i; k < j; ++k) segment = from.joined(segment, fine.cells[k]);
    t.constants.push_back(segment.mass > 0 ? segment.mean : fine.constants[i]);
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

table smallest_rms(const source& from, const rms_sweep& sweep, const compile_job& job,
                   double limit) {
  auto [best, bound] = largest_bound(sweep, job, limit);
  const std::size_t m = best.constants.size();
  if (m == 1 || m > sweep_tuning::most_equalised) return best;
  best = equalised(sweep, std::move(best), bound, limit);
  if (m > sweep_tuning::most_partitioned) return best;
  // Bounds fall like m^-3.
  const double fineness = static_cast<double>(sweep_tuning::candidates) / static_cast<double>(m);
  const table fine =
      sweep.with_bound(bound / (fineness * fineness * fineness), 4 * sweep_tuning::candidates);
  if (!fine.complete) return best;
  table t = best_partition(from, fine, limit, m);
  return t.complete && (t.constants.size() < m || t.error < best.error) ? t : best;
}

}  // namespace zcmoe::detail
