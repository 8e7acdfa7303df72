// Edges of a point density lambda, the number of segments per unit length: a_i = G^-1(i/m), where G
// is the integral of lambda divided by its value at the right end. In quantization theory G is
// called a compander.
//
// The range is cut into panels on which lambda is a Legendre series of degree 14 to working
// accuracy: into 256 at first, then at the zeros of lambda and at the ends of its plateaus of
// zeros, then panels are halved as long as the last coefficients of their series are not small. The
// sums of the panels' integrals from the left are G at the ends of panels. Inside a panel G is the
// integral of the series, which a bracketed root finder inverts without calling the user's function
// again.
//
// Coordinates are u = x / 2^e with 2^e about max(|lo|, |hi|): the division is exact, and no
// difference of two u overflows.
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
  // A panel is good if the tail of its series is at most this part of the whole integral. The table
  // of G is then good to about 1e-16.
  static constexpr double panel_tolerance = 2e-17;
  // No edges are made if the tails of all panels add up to more than this part of the whole
  // integral.
  static constexpr double failure_tolerance = 1e-6;
  // G counts as equal to its value at a mark if they differ by at most this part of the whole
  // integral, since rounding may make that difference.
  static constexpr double snap_tolerance = 4 * eps;
  // A tail that halving does not shrink is rounding noise of lambda if it is below this part of the
  // panel's integral.
  static constexpr double noise = 1e-8;
  // This many minima of a sampled lambda, at most, are examined as possible zeros.
  static constexpr int max_minima = 1024;
};

/// The range in the coordinate u = x / unit, where unit is a power of two, so that the division is
/// exact.
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

/// The Gauss points s_j on [-1, 1] in ascending order, and the matrix that turns values at them
/// into Legendre coefficients: coefficient k is (k + 1/2) times the sum of w_j P_k(s_j) f(s_j). The
/// recurrence is (k + 1) P_{k+1} = (2 k + 1) s P_k - k P_{k-1}.
struct legendre_rule {
  node_values node;
  std::array<node_values, num_nodes> analysis;

  static const legendre_rule& instance() {
    static const legendre_rule rule;
    return rule;
  }

  legendre_rule() {
    using gauss = boost::math::quadrature::gauss<double, num_nodes>;
    const auto& half = gauss::abscissa();  // only those >= 0, in ascending order
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

/// Legendre coefficients of lambda on [left, right], which is mapped to s in [-1, 1], times half
/// the width of that interval: integrals over s are then integrals over u.
struct expansion {
  node_values coefficient;

  /// The integral of lambda from the left end to s in [-1, 1]. At s = -1 it is exactly 0.
  double integral_to(double s) const {
    // The integral of P_k from -1 to s is (P_{k+1}(s) - P_{k-1}(s)) / (2 k + 1).
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
  // The tail of the series: the sum of the absolute values of its last three coefficients. It
  // serves as a bound on the error of the integral, and of G inside the panel.
  double error;
  bool noise;  // the tail is rounding noise of lambda: halving did not shrink it

  double middle() const { return left + 0.5 * (right - left); }
};

/// The integral G of lambda = |shape| as a table that can be inverted. The sign of shape only helps
/// to find zeros: where it changes, lambda has one.
class compander {
 public:
  /// `breaks` are the ends of the range and, between them, points where shape may not be smooth, in
  /// ascending order.
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
    // lambda is not evaluated at the ends of the range, where a density may be infinite, unless the
    // range holds nothing else.
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

  /// Calls emit(u) for each inner edge in ascending order, for the point density (1 - eta) lambda +
  /// eta times the uniform density of the same integral.
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
      // At a zero of lambda G is flat, so a small error of G moves G^-1 far: on a plateau by all of
      // its width. At such marked points G counts as equal to the target if it is equal within the
      // error that G has, and of several such points the leftmost is the edge, as G^-1(t) = inf{u :
      // G(u) >= t} wants it.
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

  /// Collects the marks: points where lambda is zero, or where a plateau of zeros begins or ends.
  /// They are looked for between the sample points of the first panels.
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

  /// Bisects an interval whose ends have values of different sign down to two neighbouring doubles,
  /// and returns the one where |shape| is smaller. At a zero this is the better approximation; at
  /// the end of a plateau of zeros it is the double that still belongs to the plateau.
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

  /// Looks for a zero without a change of sign, at which a density touches 0, between `left` and
  /// `right`, by golden section, which needs no derivative and so works at cusps. An ordinary
  /// minimum is given up after 16 steps if lambda is still above a quarter of `reference`, its
  /// value at the sample point between them.
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

  /// Halves the panels of the first cut until all are good, and tabulates G at their ends.
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
          // Halving a panel shrinks the tail unless lambda has a jump or is noisy from rounding,
          // and a jump has a large tail. So a small tail that does not shrink is noise.
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
    // The edge is measured from the nearer end, so that it keeps its digits beside an end of a
    // panel.
    const double half = 0.5 * (p.right - p.left);
    const double u = s < 0 ? p.left + half * (s + 1.0) : p.right - half * (1.0 - s);
    return std::min(std::max(u, p.left), p.right);
  }

  real_function shape_;
  double tolerance_;
  double first_inside_ = 0.0;
  double last_inside_ = 0.0;
  std::vector<expanded_panel> panels_;
  // The integral of lambda from the left end of the range to that of each panel, and to the right
  // end of the range: G before it is normalised.
  std::vector<double> prefix_;
  std::vector<double> marks_;            // in ascending order
  std::vector<std::size_t> mark_panel_;  // the index of the panel that begins at the mark
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

/// fraction * 2^exponent: products of large and small doubles in this form neither overflow nor
/// underflow.
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

/// The largest exponent that f has at the centres of the first panels. Functions are divided by
/// that power of two, so that their cube roots and sums do not overflow.
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

/// Edges of the point density lambda, a function of u that is nowhere negative.
edge_table point_density_edges(const real_function& lambda, const axis& x,
                               const std::vector<double>& breaks, double lo, double hi,
                               std::int64_t num_segments, double eta) {
  const int exponent = largest_exponent([&](double u) { return split(lambda(u)); }, breaks);
  const compander g([&](double u) { return std::ldexp(lambda(u), -exponent); }, breaks,
                    compander_tuning::panel_tolerance, true);
  return edges_of(&g, x, lo, hi, num_segments, eta);
}

/// Edges of the point density (p b'^2 + delta * mean(p b'^2))^(1/3), where p and b' are functions
/// of u and delta is options.floor.
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

/// Points of a table that are closer than this in u count as one: slopes between them would
/// overflow, and no edge could tell them apart.
constexpr double closest_points = 0x1p-300;

/// A table as a function of u, divided by a power of two, which is allowed because only ratios of
/// densities matter.
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
