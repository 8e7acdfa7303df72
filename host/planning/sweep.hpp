// Tables from a scan, by a sweep from the left that takes each segment as far right as a bound on
// its own error allows. MAX: bound = tolerance, a provably smallest table. RMS: any bound;
// smallest_rms.hpp looks for the best one.
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

/// Bounds and errors that differ by less than this share are equal.
constexpr double bound_precision = 1e-12;

/// Smallest and largest value.
struct value_range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  double middle() const { return 0.5 * low + 0.5 * high; }
  /// The largest distance of a value from the middle, which is the best constant: half the range,
  /// and what rounding the middle adds.
  double error() const { return std::max(high - middle(), middle() - low); }
};

struct compiled_table {
  std::vector<double> edges;
  std::vector<double> constants;
  std::vector<centred_moments> cells;  // RMS: what the segments hold
  double error = 0.0;                  // as the sweep sees it
  bool complete = false;
};

/// The table whose segments reach as far right as fits(range of their values) holds, to the last
/// double. Where segments are closed on the right an edge is the last point that fits, since it
/// belongs to the segment on its left; else it is the first that does not.
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
    // A point lo or hi that needs a segment of its own gets it, one double beyond the range.
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

/// Walks panels and parts of them from the left; cuts where a segment's spread passes a bound.
class rms_sweep {
 public:
  rms_sweep(const compiled_function& from, const scan& seen, const compile_job& job)
      : from_(from), panels_(seen.panels), job_(job) {}

  /// complete is false if `most` segments do not reach the end. error: integral of
  /// p (f - constant)^2, over the segments made.
  compiled_table with_bound(double bound, std::int64_t most) const;

  /// The whole error of m segments of equal width.
  double of_uniform(std::int64_t m) const;

 private:
  void close(compiled_table& t, const centred_moments& segment, double_double& error,
             double edge) const;

  /// Where the spread of what has been gathered and [left, x) reaches the bound, for a segment that
  /// begins at start; behind start by a double at least.
  double cut_between(const centred_moments& gathered, double left, double right,
                     double right_scatter, double bound, double start) const;

  const compiled_function& from_;
  const std::vector<scanned_panel>& panels_;
  const compile_job& job_;
};

/// The tolerance is out of reach of max_segments (NUMERIC).
[[noreturn]] void fail_too_many(const compile_job& job);

}  // namespace zcmoe::detail
