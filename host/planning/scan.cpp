// The scan of a function: see scan.hpp.
#include "host/planning/scan.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/segmentation/uniform.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/tools/minima.hpp>

#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

struct scan_tuning {
  static constexpr std::size_t max_panels = std::size_t{1} << 18;  // beside those of the first cut
  static constexpr double resolution = 1e-3;   // of the tolerance: what 7 values may miss f by
  static constexpr double negligible = 1e-10;  // of the whole error: panels not worth halving
  static constexpr double density_resolution = 1e-4;  // of the panel's largest density
};

/// Boost gives the non-negative half, from 0 up.
template <class Half, std::size_t N>
void unfold(const Half& half, const Half& half_weight, std::array<double, N>& node,
            std::array<double, N>& weight) {
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t k = i < N / 2 ? N / 2 - i : i - N / 2;
    node[i] = i < N / 2 ? -half[k] : half[k];
    weight[i] = half_weight[k];
  }
}

}  // namespace

kronrod_rule::kronrod_rule() {
  using kronrod = boost::math::quadrature::gauss_kronrod<double, size>;
  using gauss = boost::math::quadrature::gauss<double, gauss_size>;
  unfold(kronrod::abscissa(), kronrod::weights(), node, weight);
  unfold(gauss::abscissa(), gauss::weights(), gauss_node, gauss_weight);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < gauss_size; ++j) {
      double product = 1.0;  // Lagrange
      for (std::size_t k = 0; k < gauss_size; ++k) {
        if (k != j) product *= (node[i] - gauss_node[k]) / (gauss_node[j] - gauss_node[k]);
      }
      interpolation[i][j] = product;
    }
  }
}

const kronrod_rule& rule() {
  static const kronrod_rule r;
  return r;
}

void source::fail_too_large() const {
  fail(ZCMOE_ERR_NUMERIC, "function answered ", largest_.value, " at x=", largest_.x,
       ": values too far apart to be computed with at tolerance=", job_.tolerance);
}

void insert_extrema(const source& from, profile& knots) {
  const auto noise = [](double a, double b) {
    return std::abs(a - b) <= 8 * eps * std::max(std::abs(a), std::abs(b));
  };
  profile found;
  for (std::size_t i = 1; i + 1 < knots.size(); ++i) {
    std::size_t next = i + 1;
    if (knots[next].value == knots[i].value && next + 1 < knots.size()) ++next;
    const double before = knots[i - 1].value;
    const double here = knots[i].value;
    const double after = knots[next].value;
    const bool top = here > before && here > after;
    const bool bottom = here < before && here < after;
    if (!(top || bottom) || (noise(here, before) && noise(here, after))) continue;
    // Minima are looked for; parabolas through the largest doubles would overflow.
    const bool huge = std::max({std::abs(before), std::abs(here), std::abs(after)}) > 0x1p1000;
    const double sign = (top ? -1.0 : 1.0) * (huge ? 0x1p-24 : 1.0);
    // Boost's precision has an absolute part: places count from the bracket's left end.
    const double left = knots[i - 1].x;
    const double width = knots[next].x - left;
    const auto best = boost::math::tools::brent_find_minima(
        [&](double t) { return sign * from.f(left + width * t); }, 0.0, 1.0,
        std::numeric_limits<double>::digits / 2);
    found.push_back({from.inside(left + width * best.first), best.second / sign});
  }
  knots.insert(knots.end(), found.begin(), found.end());
  std::sort(knots.begin(), knots.end(), [](const knot& a, const knot& b) { return a.x < b.x; });
  knots.erase(std::unique(knots.begin(), knots.end(),
                          [](const knot& a, const knot& b) { return a.x == b.x; }),
              knots.end());
}

scan scanned(const source& from, const compile_job& job, std::int64_t parts,
             const std::vector<double>& added) {
  const bool maximum = job.options.error == ZCMOE_COMPILE_MAX;
  edge_table ends = distinct_uniform_edges(job.lo, job.hi, parts);
  ends.insert(ends.end(), added.begin(), added.end());
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());

  scan result;
  const double tolerance = from.tolerance_in_units();
  struct open_panel {
    panel p;
    bool resolved;
    double missed;          // largest miss of f by its interpolant, in units
    double density_missed;  // mass that this may concern
  };
  const auto measure = [&](double left, double right) {
    const kronrod_rule& r = rule();
    std::array<double, kronrod_rule::size> value{};
    std::array<double, kronrod_rule::size> density{};
    double largest = 0.0;
    double densest = 0.0;
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double x = from.point(left, right, r.node[j]);
      value[j] = from.f(x);
      density[j] = from.p(x);
      largest = std::max(largest, std::abs(value[j]));
      densest = std::max(densest, density[j]);
      if (maximum) result.knots.push_back({x, value[j]});
    }
    const double base = value[kronrod_rule::size / 2];
    open_panel o{
        {left, right, from.integrate(left, right, r.weight, value, density)}, false, 0.0, 0.0};
    double density_missed = 0.0;
    for (std::size_t i = 0; i < value.size(); i += 2) {  // the points that are not Gauss points
      double f = 0.0;
      double p = 0.0;
      for (std::size_t j = 0; j < kronrod_rule::gauss_size; ++j) {
        f += r.interpolation[i][j] * from.in_units(value[2 * j + 1] - base);
        p += r.interpolation[i][j] * density[2 * j + 1];
      }
      o.missed = std::max(o.missed, std::abs(f - from.in_units(value[i] - base)));
      density_missed = std::max(density_missed, std::abs(p - density[i]));
    }
    o.missed = std::max(0.0, o.missed - from.in_units(64 * eps * largest));  // rounding of f
    const double width = (right - left) / (job.hi - job.lo);
    o.density_missed = density_missed * width;
    o.resolved = o.missed <= scan_tuning::resolution * tolerance &&
                 density_missed <= scan_tuning::density_resolution * densest &&
                 std::isfinite(o.p.content.spread);
    return o;
  };

  std::vector<open_panel> level;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    level.push_back(measure(ends[i], ends[i + 1]));
    result.mass += level.back().p.content.mass;
  }
  if (!std::isfinite(result.mass)) {
    fail(ZCMOE_ERR_NUMERIC, "the integral of the density overflows");
  }
  const std::size_t budget = level.size() + scan_tuning::max_panels;
  const double whole = tolerance * tolerance * result.mass;
  while (!level.empty()) {
    std::vector<open_panel> next;
    for (const open_panel& o : level) {
      const double middle = 0.5 * o.p.left + 0.5 * o.p.right;
      const bool small = middle <= o.p.left || middle >= o.p.right;
      const bool negligible =
          !maximum && o.missed * o.missed * o.p.content.mass <= scan_tuning::negligible * whole &&
          o.density_missed <= scan_tuning::negligible * result.mass;
      if (o.resolved || small || negligible ||
          result.panels.size() + level.size() + next.size() >= budget) {
        result.panels.push_back(o.p);
        // Of [left, next double) only left exists: a jump leaves nothing inside it.
        if (small && !maximum && o.p.left > job.lo)
          result.panels.back().content = {o.p.content.mass, from.f(o.p.left), 0.0};
        continue;
      }
      next.push_back(measure(o.p.left, middle));
      next.push_back(measure(middle, o.p.right));
    }
    level = std::move(next);
  }
  std::sort(result.panels.begin(), result.panels.end(),
            [](const panel& a, const panel& b) { return a.left < b.left; });
  double_double mass;
  for (const panel& p : result.panels) mass = mass + p.content.mass;
  result.mass = mass.high;
  if (!(result.mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density answered 0 everywhere in [lo, hi]");
  if (maximum) {
    for (const panel& p : result.panels) result.knots.push_back({p.left, from.f(p.left)});
    result.knots.push_back({job.hi, from.f(job.hi)});
    std::sort(result.knots.begin(), result.knots.end(),
              [](const knot& a, const knot& b) { return a.x < b.x; });
    result.knots.erase(std::unique(result.knots.begin(), result.knots.end(),
                                   [](const knot& a, const knot& b) { return a.x == b.x; }),
                       result.knots.end());
    insert_extrema(from, result.knots);
  }
  return result;
}

}  // namespace zcmoe::detail
