// Sweeps from the left that cut where the error of a segment reaches a bound: see sweep.hpp.
#include "host/planning/sweep.hpp"

#include "host/error.hpp"

#include <boost/math/tools/toms748_solve.hpp>

#include <cstddef>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A cut is precise enough where the cube root of its segment's error differs from that of the
/// bound by at most this share.
constexpr double cut_precision = 1e-9;

}  // namespace

void fail_too_many(const compile_job& job) {
  fail(ZCMOE_ERR_NUMERIC, "tolerance=", job.tolerance,
       " needs more than max_segments=", job.options.max_segments,
       " segments: too small for this function, or below the rounding of its values");
}

compiled_table rms_sweep::with_bound(double bound, std::int64_t most) const {
  compiled_table t;
  t.edges.push_back(job_.lo);
  double_double error;
  centred_moments segment;
  // The width of the last segment tells how far away the next cut may be.
  double width = infinity;
  for (const scanned_panel& whole : panels_) {
    double left = whole.left;
    while (left < whole.right) {
      const double reach = left + 2 * width < whole.right ? left + 2 * width : whole.right;
      const bool all = left == whole.left && reach == whole.right;
      const centred_moments longer =
          from_.joined(segment, all ? whole.content : from_.part(left, reach));
      if (longer.scatter <= bound) {
        segment = longer;
        left = reach;
        width *= 2;
        continue;
      }
      const double cut = cut_between(segment, left, reach, longer.scatter, bound, t.edges.back());
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
    centred_moments segment;
    while (left < right) {
      while (panels_[k].right <= left) ++k;
      const double end = std::min(right, panels_[k].right);
      const bool whole = left == panels_[k].left && end == panels_[k].right;
      segment = from_.joined(segment, whole ? panels_[k].content : from_.part(left, end));
      left = end;
    }
    error = error + segment.scatter;
  }
  return error.high;
}

void rms_sweep::close(compiled_table& t, const centred_moments& segment, double_double& error,
                      double edge) const {
  const double centre = 0.5 * t.edges.back() + 0.5 * edge;
  t.constants.push_back(segment.weight > 0 ? segment.mean : from_.f(centre));
  t.edges.push_back(edge);
  t.cells.push_back(segment);
  error = error + segment.scatter;
}

double rms_sweep::cut_between(const centred_moments& gathered, double left, double right,
                              double right_scatter, double bound, double start) const {
  // The spread of a segment is nearly proportional to the cube of its width, so the root finder
  // works on cube roots, which are nearly linear in the cut.
  const auto excess = [&](double spread) {
    // This number stands for a spread that overflows, so that the root finder gets numbers.
    constexpr double most = 1e9;
    const double cube_root = std::cbrt(spread / bound) - 1.0;
    const double e = cube_root < most ? cube_root : most;
    return std::abs(e) < cut_precision ? 0.0 : e;
  };
  const double at_left = excess(gathered.scatter);
  const double at_right = excess(right_scatter);
  double cut = right;
  if (at_left >= 0) {
    cut = left;
  } else if (at_right > 0) {
    std::uintmax_t steps = 100;
    const auto root = boost::math::tools::toms748_solve(
        [&](double x) { return excess(from_.joined(gathered, from_.part(left, x)).scatter); }, left,
        right, at_left, at_right,
        [&](double a, double b) {
          return b - a <= cut_precision * (b - start) || 0.5 * a + 0.5 * b <= a ||
                 0.5 * a + 0.5 * b >= b;
        },
        steps);
    cut = root.first;
  }
  return std::max(cut, std::nextafter(start, right));
}

}  // namespace zcmoe::detail
