// Tables from a scan, by a sweep from the left that takes each segment as far right as a bound on
// its own error allows. For the largest error the bound is the tolerance, and the table of
// constants is provably the smallest (of lines: line_sweep.hpp). For the mean squared error any
// bound makes a table, of constants or of lines; smallest_rms.hpp looks for the best one.
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
  std::vector<zcmoe_line> experts;  // constants are level lines
  // the moments of f in each segment; only for the mean squared error
  std::vector<line_moments> cells;
  double error = 0.0;  // computed from what the scan found
  bool complete = false;

  std::int64_t num_segments() const { return static_cast<std::int64_t>(edges.size()) - 1; }
};

/// The table whose segments reach as far right as fits(range of their values) holds, to the last
/// double. It is not complete if `most` segments do not reach the right end. Where segments are
/// closed on the right, an edge is the last input that fits, since it belongs to the segment on its
/// left; otherwise it is the first that does not fit.
template <class Fits>
compiled_table sweep_maximum(const compiled_function& from, const profile& knots,
                             const compile_job& job, std::int64_t most, const Fits& fits) {
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
    t.experts.push_back({0, 0, range.middle(), 0});
    t.error = std::max(t.error, range.error());
    if (static_cast<std::int64_t>(t.experts.size()) >= most) return t;
    // Where lo or hi needs a segment of its own, that segment ends one double outside the range.
    if (job.closed_right && reached == job.lo)
      t.edges[0] = std::nextafter(job.lo, -std::numeric_limits<double>::infinity());
    t.edges.push_back(job.closed_right ? reached : bad);
    range = {};
    range.add(bad_value);
    reached = bad;
  }
  t.experts.push_back({0, 0, range.middle(), 0});
  t.error = std::max(t.error, range.error());
  t.edges.push_back(t.edges.back() == job.hi
                        ? std::nextafter(job.hi, std::numeric_limits<double>::infinity())
                        : job.hi);
  for (std::size_t i = 0; i < t.experts.size(); ++i) {
    t.experts[i].from = t.edges[i];
    t.experts[i].to = t.edges[i + 1];
  }
  t.complete = true;
  return t;
}

/// Makes tables of one kind of experts for the mean squared error: walks panels and parts of them
/// from the left, and cuts where the spread of a segment, its integral of p (f - expert)^2, reaches
/// a bound. The experts are means, least-squares lines, or continuous lines: those have the values
/// of least squares at the edges, all solved for at once, and cross a jump in a segment of its own.
class rms_sweep {
 public:
  rms_sweep(const compiled_function& from, const scan& seen, const compile_job& job,
            std::int32_t experts)
      : from_(from), panels_(seen.panels), job_(job), experts_(experts) {}

  /// The table of a bound. It is not complete if `most` segments do not reach the right end. Its
  /// error is the integral of p (f - expert)^2 over the segments made.
  compiled_table with_bound(double bound, std::int64_t most) const;

  /// The error of m segments of equal width, integrated over the range.
  double of_uniform(std::int64_t m) const;

  /// The table of these edges, from the moments of f between them.
  compiled_table of(std::vector<double> edges, std::vector<line_moments> cells) const;

  /// The spread of a segment falls like this power of its width where f is smooth.
  int order() const { return experts_ == ZCMOE_EXPERTS_CONSTANT ? 3 : 5; }
  bool has_lines() const { return experts_ != ZCMOE_EXPERTS_CONSTANT; }

 private:
  double spread(const line_moments& m) const {
    return has_lines() ? m.about_line() : m.about_mean();
  }
  zcmoe_line expert_of(const line_moments& cell, double left, double right) const;
  void share_values(compiled_table& t) const;

  /// The cut at which the spread of a segment that begins at `start` reaches the bound. `gathered`
  /// has its moments up to `left`; the cut lies in [left, right], and at least one double beyond
  /// `start`.
  double cut_between(const line_moments& gathered, double left, double right, double right_spread,
                     double bound, double start) const;

  const compiled_function& from_;
  const std::vector<scanned_panel>& panels_;
  const compile_job& job_;
  std::int32_t experts_;
};

}  // namespace zcmoe::detail
