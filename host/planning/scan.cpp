// Scans a function: panels are halved until the values of f on each are enough, and extrema are
// found between values. See scan.hpp.
#include "host/planning/scan.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/numbers/quadrature.hpp"
#include "host/segmentation/uniform.hpp"

#include <zcmoe/model_view.hpp>

#include <boost/math/tools/minima.hpp>

#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

struct scan_tuning {
  // So many panels may be added to those of the first cut.
  static constexpr std::size_t max_panels = std::size_t{1} << 18;
  // A panel is resolved if 7 values of f tell the other 8 to within this part of the tolerance.
  static constexpr double resolution = 1e-3;
  // A panel is not halved if what it misses is below this part of the whole error.
  static constexpr double negligible = 1e-10;
  // The density is resolved if it is told to within this part of its largest value on the panel.
  static constexpr double density_resolution = 1e-4;
};

/// The points of a panel at which f is compared with its interpolant: the Kronrod points that are
/// no Gauss points, and both ends, without which a jump beside an end would not be seen.
constexpr std::size_t num_compared = kronrod_rule::size - kronrod_rule::gauss_size + 2;

/// The matrix that turns the values of a polynomial at the 7 Gauss points into its values at the
/// points compared. Entry (i, j) is the Lagrange polynomial of Gauss point j at point i, the
/// product of (x_i - g_k) / (g_j - g_k) over k != j.
using gauss_interpolation = std::array<std::array<double, kronrod_rule::gauss_size>, num_compared>;

gauss_interpolation make_interpolation() {
  const kronrod_rule& rule = kronrod_rule::instance();
  gauss_interpolation interpolation{};
  for (std::size_t i = 0; i < num_compared; ++i) {
    const double at = i == 0 ? -1.0 : i + 1 == num_compared ? 1.0 : rule.node[2 * (i - 1)];
    for (std::size_t j = 0; j < kronrod_rule::gauss_size; ++j) {
      double product = 1.0;
      for (std::size_t k = 0; k < kronrod_rule::gauss_size; ++k) {
        if (k == j) continue;
        product *= (at - rule.gauss_node[k]) / (rule.gauss_node[j] - rule.gauss_node[k]);
      }
      interpolation[i][j] = product;
    }
  }
  return interpolation;
}

/// A panel, and how well its values tell f and the density between them.
struct judged_panel : scanned_panel {
  bool resolved;
  double missed;          // largest distance of f from its interpolant, in units of 2^unit_exponent
  double density_missed;  // mass that the interpolant of the density may miss

  double middle() const { return 0.5 * left + 0.5 * right; }
  /// Whether no double lies between its ends.
  bool is_smallest() const { return middle() <= left || middle() >= right; }
};

/// Evaluates f and p at the points of a panel. Appends the values of f to `knots` unless it is
/// null.
judged_panel measured(const compiled_function& from, const compile_job& job, double left,
                      double right, profile* knots) {
  static const gauss_interpolation interpolation = make_interpolation();
  const kronrod_rule& rule = kronrod_rule::instance();
  std::array<double, kronrod_rule::size> value{};
  std::array<double, kronrod_rule::size> density{};
  double largest = 0.0;
  double densest = 0.0;
  for (std::size_t j = 0; j < value.size(); ++j) {
    const double x = from.point(left, right, rule.node[j]);
    value[j] = from.f(x);
    density[j] = from.p(x);
    largest = std::max(largest, std::abs(value[j]));
    densest = std::max(densest, density[j]);
    if (knots != nullptr) knots->push_back({x, value[j]});
  }
  const double base = value[kronrod_rule::size / 2];
  double missed = 0.0;
  double density_missed = 0.0;
  for (std::size_t i = 0; i < num_compared; ++i) {
    const bool is_end = i == 0 || i + 1 == num_compared;
    const double end = i == 0 ? left : right;
    // At the ends of the range f and p may be infinite.
    if (is_end && (end == job.lo || end == job.hi)) continue;
    double f = 0.0;
    double p = 0.0;
    for (std::size_t j = 0; j < kronrod_rule::gauss_size; ++j) {
      f += interpolation[i][j] * from.in_units(value[2 * j + 1] - base);
      p += interpolation[i][j] * density[2 * j + 1];
    }
    const double seen = is_end ? from.f(end) : value[2 * (i - 1)];
    missed = std::max(missed, std::abs(f - from.in_units(seen - base)));
    if (!is_end) density_missed = std::max(density_missed, std::abs(p - density[2 * (i - 1)]));
  }
  // as much may be rounding of f
  missed = std::max(0.0, missed - from.in_units(64 * eps * largest));
  const line_moments content = from.integrate(left, right, rule.node, rule.weight, value, density);
  const bool resolved = missed <= scan_tuning::resolution * from.tolerance_in_units() &&
                        density_missed <= scan_tuning::density_resolution * densest &&
                        std::isfinite(content.about_mean());
  const double width = (right - left) / (job.hi - job.lo);
  return {{left, right, content, false}, resolved, missed, density_missed * width};
}

/// Sorts the points by input and keeps one of those with the same input.
void put_in_order(profile& knots) {
  std::sort(knots.begin(), knots.end(),
            [](const profile_point& a, const profile_point& b) { return a.x < b.x; });
  knots.erase(
      std::unique(knots.begin(), knots.end(),
                  [](const profile_point& a, const profile_point& b) { return a.x == b.x; }),
      knots.end());
}

/// Halves panels, the widest first, until each is resolved, negligible, or as small as doubles get.
std::vector<judged_panel> judged_panels(const compiled_function& from, const compile_job& job,
                                        const edge_table& ends, profile* knots) {
  std::vector<judged_panel> first;
  double mass = 0.0;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    first.push_back(measured(from, job, ends[i], ends[i + 1], knots));
    mass += first.back().content.weight;
  }
  if (!std::isfinite(mass)) fail(ZCMOE_ERR_NUMERIC, "the integral of the density overflows");
  const double tolerance = from.tolerance_in_units();
  const double whole = tolerance * tolerance * mass;
  const std::size_t most = first.size() + scan_tuning::max_panels;
  return halved_until_good(
      std::move(first), most,
      [](const judged_panel& a, const judged_panel& b) {
        const double of_a = a.right - a.left;
        const double of_b = b.right - b.left;
        return of_a != of_b ? of_a < of_b : a.left > b.left;
      },
      [&](const judged_panel& p) {
        // No panel is negligible for the largest error, since every extremum matters to it.
        const bool negligible =
            knots == nullptr &&
            p.missed * p.missed * p.content.weight <= scan_tuning::negligible * whole &&
            p.density_missed <= scan_tuning::negligible * mass;
        return p.resolved || negligible;
      },
      [&](const judged_panel& p, double middle) {
        return std::array<judged_panel, 2>{measured(from, job, p.left, middle, knots),
                                           measured(from, job, middle, p.right, knots)};
      });
}

}  // namespace

void compiled_function::fail_too_large() const {
  fail(ZCMOE_ERR_NUMERIC, "function returned ", largest_.value, " at x=", largest_.x,
       ": values too far apart to be computed with at tolerance=", job_.tolerance);
}

double compiled_function::beside(double x, double value) const {
  const bool rms = job_.options.error == ZCMOE_COMPILE_RMS;
  if (rms && std::isinf(value)) refuse_divergence(x, value);
  if (rms || std::isnan(value)) {
    const double step = std::ldexp(width_, -point_halvings);
    for (const double end : {job_.hi, job_.lo}) {
      const double next = std::nextafter(x, end);
      const double far = inside(end > x ? x + step : x - step);
      const double at = std::abs(far - x) > std::abs(next - x) ? far : next;
      const double other = at != x ? job_.function(at) : value;
      if (std::isfinite(other)) return other;
    }
  }
  fail(ZCMOE_ERR_NUMERIC, "function returned ", std::isnan(value) ? std::abs(value) : value,
       " at x=", x, "; expected a finite number");
}

void compiled_function::refuse_divergence() const { refuse_divergence(largest_.x, largest_.value); }

void compiled_function::refuse_divergence(double x, double value) const {
  constexpr int far = 24;  // distances of 2^-24 and 2^-40 of the range
  constexpr int near = 40;
  constexpr double slack = 1e-3;
  for (const double sign : {1.0, -1.0}) {
    const auto size_at = [&](int halvings) {
      const double at = x + sign * std::ldexp(width_, -halvings);
      if (!(at >= job_.lo && at <= job_.hi)) return 0.0;
      return std::abs(job_.function(at)) * std::sqrt(p(at));
    };
    const double growth = std::log2(size_at(near) / size_at(far)) / (near - far);
    if (growth >= 0.5 - slack && std::isfinite(growth)) {
      fail(ZCMOE_ERR_NUMERIC, "function returned ", value, " at x=", x,
           ", and grows there like distance^-", std::round(100 * growth) / 100,
           ": the integral of its square diverges, so no table has a finite rms error");
    }
  }
}

void insert_extrema(const compiled_function& from, const zcmoe_line& line, profile& knots) {
  const auto noise = [](double difference, double value) {
    return std::abs(difference) <= 8 * eps * std::abs(value);
  };
  profile found;
  for (std::size_t i = 1; i + 1 < knots.size(); ++i) {
    std::size_t next = i + 1;
    if (knots[next].value == knots[i].value && next + 1 < knots.size()) ++next;
    const auto above = [&](const profile_point& k) { return k.value - value_of(line, k.x); };
    const double before = above(knots[i - 1]);
    const double here = above(knots[i]);
    const double after = above(knots[next]);
    const bool top = here > before && here > after;
    const bool bottom = here < before && here < after;
    if (!(top || bottom)) continue;
    if (noise(here - before, knots[i - 1].value) && noise(here - after, knots[next].value))
      continue;
    // Boost looks for minima, so a maximum changes sign. It fits parabolas, which would overflow at
    // the largest doubles, so such values are scaled down.
    const bool huge = std::max({std::abs(before), std::abs(here), std::abs(after)}) > 0x1p1000;
    const double sign = (top ? -1.0 : 1.0) * (huge ? 0x1p-24 : 1.0);
    // Boost's precision has an absolute part, so places are counted from the left end of the
    // bracket, in units of its width.
    const double left = knots[i - 1].x;
    const double width = knots[next].x - left;
    const auto best = boost::math::tools::brent_find_minima(
        [&](double t) {
          const double x = left + width * t;
          return sign * (from.f(x) - value_of(line, x));
        },
        0.0, 1.0, std::numeric_limits<double>::digits / 2);
    const double x = from.inside(left + width * best.first);
    found.push_back({x, from.f(x)});
  }
  knots.insert(knots.end(), found.begin(), found.end());
  put_in_order(knots);
}

scan scanned(const compiled_function& from, const compile_job& job, std::int64_t parts,
             const std::vector<double>& added) {
  const bool maximum = job.options.error == ZCMOE_COMPILE_MAX;
  edge_table ends = distinct_uniform_edges(job.lo, job.hi, parts);
  ends.insert(ends.end(), added.begin(), added.end());
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());

  scan result;
  double_double mass;
  const std::vector<judged_panel> panels =
      judged_panels(from, job, ends, maximum ? &result.knots : nullptr);
  // The points of panels lie inside the range: at an end f may be infinite, and its square without
  // an integral.
  for (const double end : {job.lo, job.hi}) from.f(end);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const judged_panel& p = panels[i];
    result.panels.push_back(p);
    const bool alone =
        (i == 0 || panels[i - 1].resolved) && (i + 1 == panels.size() || panels[i + 1].resolved);
    if (!maximum && alone && !p.resolved) {
      result.panels.back().jump =
          std::abs(from.in_units(from.f(p.right) - from.f(p.left))) > from.tolerance_in_units();
    }
    // A smallest panel holds no input but `left`. Where f jumps, its content is f(left), without a
    // spread.
    if (p.is_smallest() && !maximum && p.left > job.lo)
      result.panels.back().content = {
          p.content.weight, p.content.place, from.f(p.left), 0.0, 0.0, 0.0};
    mass = mass + p.content.weight;
  }
  result.mass = mass.high;
  if (!(result.mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in [lo, hi]");
  if (maximum) {
    for (const scanned_panel& p : result.panels) result.knots.push_back({p.left, from.f(p.left)});
    result.knots.push_back({job.hi, from.f(job.hi)});
    put_in_order(result.knots);
    insert_extrema(from, {job.lo, job.hi, 0.0, 0.0}, result.knots);
  }
  return result;
}

}  // namespace zcmoe::detail
