// Edges of a point density: a_i = G^-1(i/m), G the normalised integral of lambda (theory:
// compander).
//
// The range is cut into panels on which lambda is a Legendre series of degree 14 to working
// accuracy: 256 to start with, cut at the zeros of lambda and at the ends of its plateaus, then
// halved where the series still has a tail. The prefix sums of the panels' integrals are G at the
// panel ends; inside a panel G is the integral of the series, which a bracketed root finder inverts
// without calling the user's function again.
//
// Coordinates are u = x / 2^e with 2^e about max(|lo|, |hi|): exact, and no difference of two u
// overflows.
//
// Sources: Panter & Dite 1951; Dar 2025, theorem 3; adaptive Gauss quadrature, Davis & Rabinowitz
// 1984, ch. 6.
#include "host/segmentation/compander.hpp"

#include "host/error.hpp"
#include "host/numbers/compensated_sum.hpp"
#include "host/numbers/interpolant.hpp"
#include "host/numbers/quadrature.hpp"
#include "host/segmentation/uniform.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/tools/toms748_solve.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

struct compander_tuning {
  static constexpr std::int64_t first_panels = 256;
  static constexpr std::int64_t max_panels = 32768;
  static constexpr double panel_tolerance =
      2e-17;  // of the whole integral: the table of G is good to about 1e-16
  static constexpr double failure_tolerance =
      1e-6;  // of the whole integral: beyond it there is no answer
  static constexpr double snap_tolerance =
      4 * eps;  // of the whole integral: G equal to G at a mark, but for rounding
  static constexpr double noise =
      1e-8;  // relative tails below it that halving does not shrink are noise
  static constexpr int max_minima =
      1024;  // minima of a sampled lambda that are looked at as possible zeros
};

/// x = u * unit, exactly.
struct axis {
  axis(double lo_x, double hi_x)
      : unit(std::ldexp(1.0, std::ilogb(std::max(std::abs(lo_x), std::abs(hi_x))))),
        lo(lo_x / unit),
        hi(hi_x / unit) {}
  double unit;
  double lo;
  double hi;
};

constexpr int num_nodes = 15;
using node_values = std::array<double, num_nodes>;

/// Gauss points on [-1, 1], ascending, and the matrix that takes values there to Legendre
/// coefficients.
struct legendre_rule {
  node_values node;
  std::array<node_values, num_nodes> analysis;

  static const legendre_rule& instance() {
    static const legendre_rule rule;
    return rule;
  }

  legendre_rule() {
    using gauss = boost::math::quadrature::gauss<double, num_nodes>;
    const auto& half = gauss::abscissa();  // the non-negative half, from 0 up
    const auto& half_weight = gauss::weights();
    for (int j = 0; j < num_nodes; ++j) {
      const int from_centre = j - num_nodes / 2;
      const auto k = static_cast<std::size_t>(std::abs(from_centre));
      const auto column = static_cast<std::size_t>(j);
      node[column] = from_centre < 0 ? -half[k] : half[k];
      double previous = 0.0;
      double legendre = 1.0;
      for (std::size_t degree = 0; degree < num_nodes; ++degree) {
        const auto d = static_cast<double>(degree);
        analysis[degree][column] = (d + 0.5) * half_weight[k] * legendre;
        const double next = ((2 * d + 1) * node[column] * legendre - d * previous) / (d + 1);
        previous = legendre;
        legendre = next;
      }
    }
  }
};

/// Legendre coefficients of half * lambda over [left, right] mapped to [-1, 1].
struct expansion {
  node_values coefficient;

  /// Integral of lambda from the left end to s in [-1, 1]; exactly 0 at -1.
  double integral_to(double s) const {
    // The integral of P_k from -1 is (P_{k+1} - P_{k-1}) / (2 k + 1).
    double before = 1.0;
    double current = s;
    double sum = coefficient[0] * (s + 1.0);
    for (std::size_t k = 1; k < num_nodes; ++k) {
      const auto d = static_cast<double>(k);
      const double next = ((2 * d + 1) * s * current - d * before) / (d + 1);
      sum += coefficient[k] * (next - before) / (2 * d + 1);
      before = current;
      current = next;
    }
    return sum;
  }
};

struct expanded_panel {
  double left;
  double right;
  double integral;
  double error;  // tail of the series: bounds the error of the integral, and of G inside the panel
  bool noise;    // halving has not shrunk the tail: it is rounding of lambda

  double middle() const { return left + 0.5 * (right - left); }
};

/// The integral of |shape|, tabulated. The sign of shape only helps to find zeros: where it
/// changes, lambda has one.
class compander {
 public:
  /// breaks: ascending, at least two: ends of the range and points where shape may not be smooth.
  compander(real_function shape, const std::vector<double>& breaks, double tolerance,
            bool find_zeros)
      : shape_(std::move(shape)), tolerance_(tolerance) {
    const auto num_breaks = static_cast<std::int64_t>(breaks.size()) - 1;
    const std::int64_t cuts = (compander_tuning::first_panels + num_breaks - 1) / num_breaks;
    std::vector<double> ends{breaks.front()};
    for (std::size_t i = 0; i + 1 < breaks.size(); ++i) {
      for (std::int64_t k = 1; k <= cuts; ++k) {
        const double t = static_cast<double>(k) / static_cast<double>(cuts);
        const double end = k == cuts ? breaks[i + 1] : breaks[i] + (breaks[i + 1] - breaks[i]) * t;
        if (end > ends.back() && end <= breaks[i + 1]) ends.push_back(end);
      }
    }
    // Open ends: a density may be infinite at the ends of its range.
    first_inside_ = std::nextafter(ends.front(), ends.back());
    last_inside_ = std::nextafter(ends.back(), ends.front());
    std::vector<expanded_panel> panels;
    panels.reserve(ends.size());
    if (find_zeros) {
      std::vector<node_values> values(ends.size() - 1);
      for (std::size_t i = 0; i + 1 < ends.size(); ++i) values[i] = sample(ends[i], ends[i + 1]);
      locate_marks(ends, values);
      auto mark = marks_.begin();
      for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
        double left = ends[i];
        for (; mark != marks_.end() && *mark < ends[i + 1]; ++mark) {
          if (*mark == left) continue;
          panels.push_back(measure(left, *mark, sample(left, *mark)));
          left = *mark;
        }
        panels.push_back(
            measure(left, ends[i + 1], left == ends[i] ? values[i] : sample(left, ends[i + 1])));
      }
    } else {
      for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
        panels.push_back(measure(ends[i], ends[i + 1], sample(ends[i], ends[i + 1])));
      }
    }
    refine(std::move(panels));
  }

  double total() const { return prefix_.back(); }

  /// Edges in u. lambda is mixed with eta times the uniform density of the same integral.
  template <class Emit>
  void invert(std::int64_t num_segments, double eta, Emit&& emit) const {
    const double lo = panels_.front().left;
    const double background = eta * total() / (panels_.back().right - lo);
    const auto cumulative = [&](std::size_t k) {
      return (1.0 - eta) * prefix_[k] + background * (end_of(k) - lo);
    };
    const double whole = cumulative(panels_.size());
    const double snap = compander_tuning::snap_tolerance * whole;
    std::size_t k = 0;
    std::size_t expanded = panels_.size();
    std::size_t mark = 0;
    expansion series{};
    for (std::int64_t i = 1; i < num_segments; ++i) {
      const double target = static_cast<double>(i) / static_cast<double>(num_segments) * whole;
      // A zero of lambda magnifies an error of G, a plateau turns it into the plateau's width: at
      // these marked points equality is decided with the tolerance to which G is known, and the
      // leftmost point wins, as G^-1 wants it.
      while (mark < marks_.size() && cumulative(mark_panel_[mark]) < target - snap) ++mark;
      if (mark < marks_.size() && cumulative(mark_panel_[mark]) <= target + snap) {
        emit(marks_[mark]);
        continue;
      }
      while (k + 1 < panels_.size() && cumulative(k + 1) < target) ++k;
      const expanded_panel& p = panels_[k];
      if (expanded != k) {
        series = expand(p.left, p.right, sample(p.left, p.right));
        for (double& c : series.coefficient) c *= 1.0 - eta;
        series.coefficient[0] += background * 0.5 * (p.right - p.left);
        expanded = k;
      }
      emit(solve(p, series, target - cumulative(k)));
    }
  }

 private:
  double end_of(std::size_t k) const {
    return k < panels_.size() ? panels_[k].left : panels_.back().right;
  }

  double lambda(double u) const { return std::abs(shape_(u)); }

  double node_of(double left, double right, std::size_t j) const {
    const double u =
        0.5 * (left + right) + 0.5 * (right - left) * legendre_rule::instance().node[j];
    const double inside = std::min(std::max(u, first_inside_), last_inside_);
    return std::min(std::max(inside, left), right);
  }

  node_values sample(double left, double right) const {
    node_values value;
    for (std::size_t j = 0; j < num_nodes; ++j) value[j] = shape_(node_of(left, right, j));
    return value;
  }

  static expansion expand(double left, double right, const node_values& value) {
    expansion series{};
    const double half = 0.5 * (right - left);
    for (std::size_t degree = 0; degree < num_nodes; ++degree) {
      double sum = 0.0;
      for (std::size_t j = 0; j < num_nodes; ++j)
        sum += legendre_rule::instance().analysis[degree][j] * std::abs(value[j]);
      series.coefficient[degree] = half * sum;
    }
    return series;
  }

  static expanded_panel measure(double left, double right, const node_values& value) {
    const expansion series = expand(left, right, value);
    const auto& c = series.coefficient;
    expanded_panel p{left, right, 2.0 * c[0], 0.0, false};
    for (std::size_t k = num_nodes - 3; k < num_nodes; ++k) p.error += std::abs(c[k]);
    if (!(p.integral <= std::numeric_limits<double>::max())) {
      fail(ZCMOE_ERR_NUMERIC, "the integral of the point density overflows");
    }
    return p;
  }

  /// Points where lambda is zero or a plateau of zeros begins or ends, found between the nodes of
  /// the first panels.
  void locate_marks(const std::vector<double>& ends, const std::vector<node_values>& values) {
    std::vector<double> at;
    std::vector<double> value;
    at.reserve(values.size() * num_nodes);
    value.reserve(at.capacity());
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = 0; j < num_nodes; ++j) {
        const double u = node_of(ends[i], ends[i + 1], j);
        if (!at.empty() && u <= at.back()) continue;
        at.push_back(u);
        value.push_back(values[i][j]);
      }
    }
    for (std::size_t j = 0; j + 1 < at.size(); ++j) {
      if (sign(value[j]) != sign(value[j + 1]))
        marks_.push_back(sign_change(at[j], value[j], at[j + 1], value[j + 1]));
    }
    std::vector<double> minima;
    int looked_at = 0;
    for (std::size_t j = 1; j + 1 < at.size() && looked_at < compander_tuning::max_minima; ++j) {
      const double here = std::abs(value[j]);
      const bool same_sign =
          sign(value[j - 1]) == sign(value[j]) && sign(value[j]) == sign(value[j + 1]);
      if (same_sign && here < std::abs(value[j - 1]) && here <= std::abs(value[j + 1])) {
        ++looked_at;
        touching_zero(at[j - 1], at[j + 1], here, minima);
      }
    }
    marks_.insert(marks_.end(), minima.begin(), minima.end());
    std::sort(marks_.begin(), marks_.end());
    marks_.erase(std::unique(marks_.begin(), marks_.end()), marks_.end());
    const auto outside = [&](double u) { return u <= ends.front() || u >= ends.back(); };
    marks_.erase(std::remove_if(marks_.begin(), marks_.end(), outside), marks_.end());
  }

  static int sign(double v) { return v > 0 ? 1 : v < 0 ? -1 : 0; }

  /// Bisection down to neighbouring doubles. Of a zero between values of both signs the better end
  /// is taken; of a plateau the end that still belongs to it.
  double sign_change(double left, double left_value, double right, double right_value) const {
    const int left_sign = sign(left_value);
    for (;;) {
      const double middle = left + 0.5 * (right - left);
      if (middle <= left || middle >= right) break;
      const double v = shape_(middle);
      if (sign(v) == left_sign) {
        left = middle;
        left_value = v;
      } else {
        right = middle;
        right_value = v;
      }
    }
    return std::abs(left_value) < std::abs(right_value) ? left : right;
  }

  /// A minimum without change of sign (a density that touches zero): golden section, given up as
  /// soon as the minimum is seen to be an ordinary one. Works on cusps; needs no flatness.
  void touching_zero(double left, double right, double reference,
                     std::vector<double>& found) const {
    const double ratio = 0.5 * (std::sqrt(5.0) - 1.0);
    double inner_left = right - ratio * (right - left);
    double inner_right = left + ratio * (right - left);
    double value_left = lambda(inner_left);
    double value_right = lambda(inner_right);
    for (int step = 0; step < 120; ++step) {
      if (step == 16 && std::min(value_left, value_right) > 0.25 * reference) return;
      if (value_left <= value_right) {
        right = inner_right;
        inner_right = inner_left;
        value_right = value_left;
        inner_left = right - ratio * (right - left);
        value_left = lambda(inner_left);
      } else {
        left = inner_left;
        inner_left = inner_right;
        value_left = value_right;
        inner_right = left + ratio * (right - left);
        value_right = lambda(inner_right);
      }
      if (!(left < inner_left && inner_left < inner_right && inner_right < right)) break;
    }
    const double best = std::min(value_left, value_right);
    if (best <= 1e-4 * reference)
      found.push_back(value_left <= value_right ? inner_left : inner_right);
  }

  /// The panels that G is tabulated at, from those of the first cut.
  void refine(std::vector<expanded_panel> first) {
    double whole = 0.0;
    for (const expanded_panel& p : first) whole += p.integral;
    const std::size_t most =
        1 + std::max<std::size_t>(compander_tuning::max_panels, 4 * first.size());
    panels_ = halved_until_good(
        std::move(first), most,
        [](const expanded_panel& a, const expanded_panel& b) {
          return a.error != b.error ? a.error < b.error : a.left < b.left;
        },
        [&](const expanded_panel& p) {
          return p.noise || p.error <= tolerance_ * whole || p.error <= 2 * eps * p.integral;
        },
        [&](const expanded_panel& p, double middle) {
          std::array<expanded_panel, 2> halves{measure(p.left, middle, sample(p.left, middle)),
                                               measure(middle, p.right, sample(middle, p.right))};
          const double error = halves[0].error + halves[1].error;
          // Halving shrinks the tail of anything but a jump or rounding noise of the function, and
          // jumps are not small.
          halves[0].noise = halves[1].noise =
              error > 0.5 * p.error && p.error < compander_tuning::noise * p.integral;
          whole += halves[0].integral + halves[1].integral - p.integral;
          return halves;
        });
    tabulate();
  }

  void tabulate() {
    compensated_sum sum;
    double error = 0.0;
    prefix_.reserve(panels_.size() + 1);
    prefix_.push_back(0.0);
    for (const expanded_panel& p : panels_) {
      sum.add(p.integral);
      error += p.error;
      prefix_.push_back(std::max(prefix_.back(), sum.value()));
    }
    if (!(prefix_.back() <= std::numeric_limits<double>::max())) {
      fail(ZCMOE_ERR_NUMERIC, "the integral of the point density overflows");
    }
    if (error > compander_tuning::failure_tolerance * prefix_.back()) {
      fail(ZCMOE_ERR_NUMERIC,
           "the integral of the point density does not converge: estimated relative error ",
           error / prefix_.back(), " after ", panels_.size(), " panels, limit ",
           compander_tuning::failure_tolerance);
    }
    for (const double mark : marks_) {
      const auto p = std::lower_bound(panels_.begin(), panels_.end(), mark,
                                      [](const expanded_panel& a, double u) { return a.left < u; });
      mark_panel_.push_back(static_cast<std::size_t>(p - panels_.begin()));
    }
  }

  static double solve(const expanded_panel& p, const expansion& series, double rest) {
    const double at_right = series.integral_to(1.0) - rest;
    if (at_right <= 0) return p.right;
    if (rest <= 0) return p.left;
    std::uintmax_t steps = 100;
    const auto root = boost::math::tools::toms748_solve(
        [&](double s) { return series.integral_to(s) - rest; }, -1.0, 1.0, -rest, at_right,
        boost::math::tools::eps_tolerance<double>(53), steps);
    const double s = 0.5 * (root.first + root.second);
    // Measured from the nearer end, so that an edge beside the end of a panel keeps its digits.
    const double half = 0.5 * (p.right - p.left);
    const double u = s < 0 ? p.left + half * (s + 1.0) : p.right - half * (1.0 - s);
    return std::min(std::max(u, p.left), p.right);
  }

  real_function shape_;
  double tolerance_;
  double first_inside_ = 0.0;
  double last_inside_ = 0.0;
  std::vector<expanded_panel> panels_;
  std::vector<double>
      prefix_;  // G at the left end of panel k; one more for the right end of the range
  std::vector<double> marks_;            // ascending
  std::vector<std::size_t> mark_panel_;  // the panel that begins at the mark
};

edge_table edges_of(const compander* g, const axis& x, double lo, double hi,
                    std::int64_t num_segments, double eta) {
  if (g == nullptr || !(g->total() > 0) || eta >= 1.0)
    return distinct_uniform_edges(lo, hi, num_segments);
  edge_table edges;
  edges.reserve(static_cast<std::size_t>(num_segments) + 1);
  edges.push_back(lo + 0.0);
  g->invert(num_segments, eta, [&](double u) {
    const double edge = u * x.unit + 0.0;
    if (edge > edges.back() && edge < hi) edges.push_back(edge);
  });
  edges.push_back(hi + 0.0);
  return edges;
}

/// A product of powers of doubles as fraction * 2^exponent: no overflow however large the factors.
struct scaled {
  double fraction;
  int exponent;
};

scaled split(double v) {
  scaled s{};
  s.fraction = std::frexp(v, &s.exponent);
  return s;
}

scaled product(double p, double b) {  // p * b^2
  const scaled sp = split(p);
  const scaled sb = split(b);
  return {sp.fraction * sb.fraction * sb.fraction, sp.exponent + 2 * sb.exponent};
}

/// The largest exponent of f at the centres of the first panels: what to divide by before cube
/// roots and sums.
template <class Function>
int largest_exponent(const Function& f, const std::vector<double>& breaks) {
  const auto num_breaks = static_cast<std::int64_t>(breaks.size()) - 1;
  const std::int64_t cuts = (compander_tuning::first_panels + num_breaks - 1) / num_breaks;
  int largest = std::numeric_limits<int>::min();
  for (std::size_t i = 0; i + 1 < breaks.size(); ++i) {
    for (std::int64_t k = 0; k < cuts; ++k) {
      const double t = (static_cast<double>(k) + 0.5) / static_cast<double>(cuts);
      const scaled s = f(breaks[i] + (breaks[i + 1] - breaks[i]) * t);
      if (s.fraction != 0) largest = std::max(largest, s.exponent);
    }
  }
  return largest == std::numeric_limits<int>::min() ? 0 : largest;
}

/// Any function of u that cannot be negative, as a compander of its own.
edge_table point_density_edges(const real_function& lambda, const axis& x,
                               const std::vector<double>& breaks, double lo, double hi,
                               std::int64_t num_segments, double eta) {
  const int exponent = largest_exponent([&](double u) { return split(lambda(u)); }, breaks);
  const compander g([&](double u) { return std::ldexp(lambda(u), -exponent); }, breaks,
                    compander_tuning::panel_tolerance, true);
  return edges_of(&g, x, lo, hi, num_segments, eta);
}

/// lambda = (p b'^2 + delta * mean(p b'^2))^(1/3), p and b' functions of u.
edge_table slope_edges(const real_function& density, const real_function& slope, const axis& x,
                       const std::vector<double>& breaks, double lo, double hi,
                       std::int64_t num_segments, const zcmoe_density_options& options) {
  const int exponent =
      largest_exponent([&](double u) { return product(density(u), slope(u)); }, breaks);
  const auto energy = [&](double u, double b) {
    const scaled f = product(density(u), b);
    return f.fraction == 0 ? 0.0 : std::ldexp(f.fraction, f.exponent - exponent);
  };
  double floor = 0.0;
  if (options.floor > 0) {
    const compander f([&](double u) { return energy(u, slope(u)); }, breaks, 1e-13, false);
    floor = options.floor * (f.total() / (x.hi - x.lo));
    if (!(floor > 0)) return distinct_uniform_edges(lo, hi, num_segments);
  }
  const compander g(
      [&](double u) {
        const double b = slope(u);
        return std::copysign(std::cbrt(energy(u, b) + floor), b);
      },
      breaks, compander_tuning::panel_tolerance, true);
  return edges_of(&g, x, lo, hi, num_segments, options.uniform_mixture);
}

/// The user's function as a function of u.
real_function checked(const real_function& f, const axis& x, const char* name,
                      bool may_be_negative) {
  return [&f, unit = x.unit, name, may_be_negative](double u) {
    return checked_value(f, u * unit, name, may_be_negative);
  };
}

/// Points of a table closer than this, in u, are one: slopes between them would overflow, and no
/// edge can tell them apart.
constexpr double closest_points = 0x1p-300;

/// A table as a function of u, up to a power of two: only ratios matter.
real_function tabulated(const curve& table, bool may_be_negative) {
  return [&table, may_be_negative](double u) {
    const double v = table.scaled_value(u);
    return may_be_negative ? v : std::max(v, 0.0);
  };
}

}  // namespace

edge_table density_edges(const real_function& point_density, double lo, double hi,
                         std::int64_t num_segments, double uniform_mixture) {
  const axis x(lo, hi);
  return point_density_edges(checked(point_density, x, "point_density", false), x, {x.lo, x.hi}, lo,
                             hi, num_segments, uniform_mixture);
}

edge_table optimal_edges(const real_function& density, const real_function& slope, double lo,
                         double hi, std::int64_t num_segments,
                         const zcmoe_density_options& options) {
  const axis x(lo, hi);
  return slope_edges(checked(density, x, "density", false), checked(slope, x, "slope", true), x,
                     {x.lo, x.hi}, lo, hi, num_segments, options);
}

edge_table density_table_edges(const double* grid, const double* point_density,
                               std::int64_t num_grid, std::int64_t num_segments,
                               double uniform_mixture) {
  const double lo = grid[0];
  const double hi = grid[num_grid - 1];
  const curve lambda(grid, point_density, num_grid, closest_points);
  return point_density_edges(tabulated(lambda, false), axis(lo, hi), lambda.knots(), lo, hi,
                             num_segments, uniform_mixture);
}

edge_table optimal_table_edges(const double* grid, const double* density, const double* slope,
                               std::int64_t num_grid, std::int64_t num_segments,
                               const zcmoe_density_options& options) {
  const double lo = grid[0];
  const double hi = grid[num_grid - 1];
  const curve p(grid, density, num_grid, closest_points);
  const curve b(grid, slope, num_grid, closest_points);
  return slope_edges(tabulated(p, false), tabulated(b, true), axis(lo, hi), p.knots(), lo, hi,
                     num_segments, options);
}

}  // namespace zcmoe::detail
