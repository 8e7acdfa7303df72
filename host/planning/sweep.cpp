// Sweeps from the left that cut where the error of a segment reaches a bound: see sweep.hpp.
#include "host/planning/sweep.hpp"

#include <boost/math/tools/toms748_solve.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A cut is precise enough where the root of its segment's error, of the order of the sweep,
/// differs from that of the bound by at most this share.
constexpr double cut_precision = 1e-9;

}  // namespace

compiled_table rms_sweep::with_bound(double bound, std::int64_t most) const {
  std::vector<double> edges{job_.lo};
  std::vector<line_moments> cells;
  double_double error;
  line_moments segment;
  const auto close = [&](double edge) {
    cells.push_back(segment);
    edges.push_back(edge);
    error = error + spread(segment);
    segment = {};
  };
  const auto full = [&](double reached) {
    return static_cast<std::int64_t>(cells.size()) >= most && reached < job_.hi;
  };
  const auto incomplete = [&] {
    compiled_table t;
    t.edges = edges;
    t.error = error.high;
    return t;
  };
  // The width of the last segment tells how far away the next cut may be.
  double width = infinity;
  for (const scanned_panel& whole : panels_) {
    if (experts_ == ZCMOE_EXPERTS_INTERPOLATE && whole.jump) {
      if (edges.back() < whole.left) close(whole.left);
      segment = whole.content;
      close(whole.right);
      if (full(whole.right)) return incomplete();
      continue;
    }
    double left = whole.left;
    while (left < whole.right) {
      const double reach = left + 2 * width < whole.right ? left + 2 * width : whole.right;
      const bool all = left == whole.left && reach == whole.right;
      const line_moments longer =
          from_.joined(segment, all ? whole.content : from_.part(left, reach));
      if (spread(longer) <= bound) {
        segment = longer;
        left = reach;
        width *= 2;
        continue;
      }
      const double start = edges.back();
      const double cut = cut_between(segment, left, reach, spread(longer), bound, start);
      segment = from_.joined(segment, from_.part(left, cut));
      close(cut);
      if (full(cut)) return incomplete();
      width = cut - start;
      left = cut;
    }
  }
  if (edges.back() < job_.hi) close(job_.hi);
  return of(std::move(edges), std::move(cells));
}

double rms_sweep::of_uniform(std::int64_t m) const {
  std::vector<double> edges{job_.lo};
  std::vector<line_moments> cells;
  std::size_t k = 0;
  double left = job_.lo;
  const auto count = static_cast<double>(m);
  for (std::int64_t i = 1; i <= m; ++i) {
    const double t = static_cast<double>(i) / count;
    const double right = i == m ? job_.hi : job_.lo * (1.0 - t) + job_.hi * t;
    line_moments segment;
    while (left < right) {
      while (panels_[k].right <= left) ++k;
      const double end = std::min(right, panels_[k].right);
      const bool whole = left == panels_[k].left && end == panels_[k].right;
      segment = from_.joined(segment, whole ? panels_[k].content : from_.part(left, end));
      left = end;
    }
    if (right <= edges.back()) continue;  // narrower than doubles get
    edges.push_back(right);
    cells.push_back(segment);
  }
  return of(std::move(edges), std::move(cells)).error;
}

zcmoe_line rms_sweep::expert_of(const line_moments& cell, double left, double right) const {
  zcmoe_line expert{left, right, 0.0, 0.0};
  if (!(cell.weight > 0)) {
    expert.value = from_.f(0.5 * left + 0.5 * right);
  } else if (!has_lines()) {
    expert.value = cell.mean;
  } else {
    expert.value = cell.mean + from_.from_units(cell.slope * (from_.place(left) - cell.place));
    expert.slope = from_.from_units(cell.slope) / from_.width();
  }
  return expert;
}

compiled_table rms_sweep::of(std::vector<double> edges, std::vector<line_moments> cells) const {
  compiled_table t;
  t.edges = std::move(edges);
  t.cells = std::move(cells);
  t.complete = true;
  if (experts_ == ZCMOE_EXPERTS_INTERPOLATE) {
    share_values(t);
    return t;
  }
  double_double error;
  for (std::size_t i = 0; i < t.cells.size(); ++i) {
    t.experts.push_back(expert_of(t.cells[i], t.edges[i], t.edges[i + 1]));
    error = error + spread(t.cells[i]);
  }
  t.error = error.high;
  return t;
}

/// Solves for the values at the edges with the least squared error: of values v and w at the ends
/// of a segment, the error is its residual + weight (line at its place - mean)^2 + extent (slope of
/// the line - slope)^2, so that the equations are tridiagonal.
void rms_sweep::share_values(compiled_table& t) const {
  struct row {
    double before = 0.0;  // the coefficient of the value before
    double own = 0.0;
    double right = 0.0;
  };
  const std::size_t m = t.cells.size();
  const double base = t.cells[0].weight > 0 ? t.cells[0].mean : from_.f(job_.lo);
  const auto share = [&](std::size_t i) {  // where the place of segment i lies between its ends
    const double left = from_.place(t.edges[i]);
    return (t.cells[i].place - left) / (from_.place(t.edges[i + 1]) - left);
  };
  const auto width = [&](std::size_t i) {
    return from_.place(t.edges[i + 1]) - from_.place(t.edges[i]);
  };
  std::vector<row> rows(m + 1);
  for (std::size_t i = 0; i < m; ++i) {
    const line_moments& c = t.cells[i];
    if (!(c.weight > 0)) continue;
    const double s = share(i);
    const double turn = c.extent / (width(i) * width(i));
    const double mean = from_.in_units(c.mean - base);
    const double rise = c.slope * width(i);
    rows[i].own += c.weight * (1 - s) * (1 - s) + turn;
    rows[i].right += c.weight * (1 - s) * mean - turn * rise;
    rows[i + 1].before += c.weight * s * (1 - s) - turn;
    rows[i + 1].own += c.weight * s * s + turn;
    rows[i + 1].right += c.weight * s * mean + turn * rise;
  }
  for (std::size_t i = 1; i <= m; ++i) {
    if (!(rows[i - 1].own > 0)) continue;
    const double factor = rows[i].before / rows[i - 1].own;
    rows[i].own -= factor * rows[i].before;
    rows[i].right -= factor * rows[i - 1].right;
  }
  std::vector<double> value(m + 1);  // in units, from `base`
  for (std::size_t i = m + 1; i-- > 0;) {
    const double after = i < m ? rows[i + 1].before * value[i + 1] : 0.0;
    // A value that no input bears on is that of f.
    value[i] = rows[i].own > 0 ? (rows[i].right - after) / rows[i].own
                               : from_.in_units(from_.f(t.edges[i]) - base);
  }
  double_double error;
  for (std::size_t i = 0; i < m; ++i) {
    const line_moments& c = t.cells[i];
    const double rise = value[i + 1] - value[i];
    const double left = base + from_.from_units(value[i]);
    const double slope = from_.from_units(rise) / (t.edges[i + 1] - t.edges[i]);
    t.experts.push_back({t.edges[i], t.edges[i + 1], left, slope});
    if (!std::isfinite(slope)) {  // between neighbouring doubles there is but one input
      t.experts.back().slope = 0.0;
      if (job_.closed_right) t.experts.back().value = base + from_.from_units(value[i + 1]);
    }
    if (!(c.weight > 0)) continue;
    const double off = value[i] + share(i) * rise - from_.in_units(c.mean - base);
    const double turned = rise / width(i) - c.slope;
    const double own = c.residual + c.weight * off * off + c.extent * turned * turned;
    error = error + (own == own ? own : infinity);
  }
  t.error = error.high;
}

double rms_sweep::cut_between(const line_moments& gathered, double left, double right,
                              double right_spread, double bound, double start) const {
  // The spread of a segment is nearly proportional to a power of its width, so the root finder
  // works on roots, which are nearly linear in the cut.
  const auto excess = [&](double spread) {
    // This number stands for a spread that overflows, so that the root finder gets numbers.
    constexpr double most = 1e9;
    const double part = spread / bound;
    const double root = (has_lines() ? std::pow(part, 1.0 / order()) : std::cbrt(part)) - 1.0;
    const double e = root < most ? root : most;
    return std::abs(e) < cut_precision ? 0.0 : e;
  };
  const double at_left = excess(spread(gathered));
  const double at_right = excess(right_spread);
  double cut = right;
  if (at_left >= 0) {
    cut = left;
  } else if (at_right > 0) {
    std::uintmax_t steps = 100;
    const auto root = boost::math::tools::toms748_solve(
        [&](double x) { return excess(spread(from_.joined(gathered, from_.part(left, x)))); }, left,
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
