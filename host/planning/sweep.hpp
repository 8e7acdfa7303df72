// Tables from a scan, by a sweep from the left that takes each segment as far right as a bound on
// its own error allows. For the largest error the bound is the tolerance, and the table is provably
// the smallest. For the mean squared error any bound makes a table; smallest_rms.hpp looks for the
// best one.
#pragma once

#include "host/numbers/double_double.hpp"
#include "host/planning/scan.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

/// Bounds and errors that differ by less than this share count as equal.
constexpr double bound_precision = 1e-12;

/// The smallest and the largest of some values.
struct value_range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  double middle() const { return 0.5 * low + 0.5 * high; }
  /// The largest distance of a value from the middle, which is the best constant. It is half the
  /// range, plus what rounding the middle adds.
  double error() const { return std::max(high - middle(), middle() - low); }
};

struct compiled_table {
  std::vector<double> edges;
  std::vector<double> constants;
  // the moments of f in each segment; only for the mean squared error
  std::vector<centred_moments> cells;
  double error = 0.0;  // computed from what the scan found
  bool complete = false;
};

/// The table whose segments reach as far right as fits(range of their values) holds, to the last
/// double. Where segments are closed on the right, an edge is the last input that fits, since it
/// belongs to the segment on its left; otherwise it is the first that does not fit.
template <class Fits>
compiled_table sweep_maximum(const compiled_function& from, const profile& knots,
                             const compile_job& job, const Fits& fits) {
  compiled_table t;
  t.edges.push_back(job.lo);
  value_range range;
  range.add(knots[0].value);
  double reached = knots[0].x;
  for (std::size_t i = 1; i < knots.size();) {
    value_range longer = range;
    longer.add(knots[i].value);
    if (fits(longer)) {
      range = longer;
      reached = knots[i++].x;
      continue;
    }
    double bad = knots[i].x;
    double bad_value = knots[i].value;
    for (;;) {
      const double middle = 0.5 * reached + 0.5 * bad;
      if (middle <= reached || middle >= bad) break;
      const double v = from.f(middle);
      longer = range;
      longer.add(v);
      if (fits(longer)) {
        range = longer;
        reached = middle;
      } else {
        bad = middle;
        bad_value = v;
      }
    }
    t.constants.push_back(range.middle());
    t.error = std::max(t.error, range.error());
    if (static_cast<std::int64_t>(t.constants.size()) >= job.options.max_segments) return t;
    // Where lo or hi needs a segment of its own, that segment ends one double outside the range.
    if (job.closed_right && reached == job.lo)
      t.edges[0] = std::nextafter(job.lo, -std::numeric_limits<double>::infinity());
    t.edges.push_back(job.closed_right ? reached : bad);
    range = {};
    range.add(bad_value);
    reached = bad;
  }
  t.constants.push_back(range.middle());
  t.error = std::max(t.error, range.error());
  t.edges.push_back(t.edges.back() == job.hi
                        ? std::nextafter(job.hi, std::numeric_limits<double>::infinity())
                        : job.hi);
  t.complete = true;
  return t;
}

/// Makes tables for the mean squared error: walks panels and parts of them from the left, and cuts
/// where the spread of a segment, its integral of p (f - mean)^2, reaches a bound.
class rms_sweep {
 public:
  rms_sweep(const compiled_function& from, const scan& seen, const compile_job& job)
      : from_(from), panels_(seen.panels), job_(job) {}

  /// The table of a bound. It is not complete if `most` segments do not reach the right end. Its
  /// error is the integral of p (f - constant)^2 over the segments made.
  compiled_table with_bound(double bound, std::int64_t most) const;

  /// The error of m segments of equal width, integrated over the range.
  double of_uniform(std::int64_t m) const;

 private:
  void close(compiled_table& t, const centred_moments& segment, double_double& error,
             double edge) const;

  /// The cut at which the spread of a segment that begins at `start` reaches the bound. `gathered`
  /// has its moments up to `left`; the cut lies in [left, right], and at least one double beyond
  /// `start`.
  double cut_between(const centred_moments& gathered, double left, double right,
                     double right_scatter, double bound, double start) const;

  const compiled_function& from_;
  const std::vector<scanned_panel>& panels_;
  const compile_job& job_;
};

/// Throws NUMERIC: max_segments segments do not meet the tolerance.
[[noreturn]] void fail_too_many(const compile_job& job);

}  // namespace zcmoe::detail
