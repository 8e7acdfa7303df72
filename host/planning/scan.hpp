// Scans a function before a table is compiled for it: the function goes in, panels with their
// integrals or a profile of its values come out. The range is halved into panels until 7 values of
// f on each tell its other values; for the largest error every extremum between values is looked
// for too. Integrals for the mean squared error are moments of panels (line_moments.hpp), which are
// merged without a difference of large sums; their unit is the power of two at the tolerance, so
// that no square overflows. Source: Gauss-Kronrod rules, Davis & Rabinowitz 1984.
#pragma once

#include "host/numbers/line_moments.hpp"
#include "host/numbers/quadrature.hpp"
#include "host/planning/compile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// An input and the value of f there.
struct profile_point {
  double x;
  double value;
};

/// f and p for the scan and the sweeps, which evaluate them only within [lo, hi]. In the moments of
/// a piece of the range, places are counted from lo and lengths in widths of the range; slopes are
/// in units of 2^unit_exponent, and residuals in squared units.
class compiled_function {
 public:
  explicit compiled_function(const compile_job& job)
      : job_(job),
        unit_exponent_(std::ilogb(job.tolerance)),
        width_(job.hi - job.lo),
        first_inside_(std::nextafter(job.lo, job.hi)),
        last_inside_(std::nextafter(job.hi, job.lo)) {}

  /// The value of f at x. Where f is not defined (NaN) at x alone, it is that beside x, at the next
  /// double or 2^-point_halvings of the range away; so it is, for the mean squared error, where f
  /// is infinite and its square has an integral. Throws NUMERIC where there is no such value.
  double f(double x) const {
    ++evaluations_;
    const double at = inside(x);
    double value = job_.function(at);
    if (!std::isfinite(value)) value = beside(at, value);
    if (!(std::abs(value) <= std::abs(largest_.value))) largest_ = {at, value};
    return value;
  }
  double p(double x) const {
    return job_.density ? checked_value(job_.density, inside(x), "density", false) : 1.0;
  }
  /// Throws NUMERIC, naming the largest value seen, where differences or squares of values
  /// overflow.
  [[noreturn]] void fail_too_large() const;
  /// Throws NUMERIC where p f^2 has no integral beside the input with the largest value seen: where
  /// f, times the root of p, grows like the root of 1/distance or faster between two distances.
  void refuse_divergence() const;
  /// A difference of values of f in units of 2^unit_exponent, the power of two at the tolerance.
  double in_units(double difference) const { return std::ldexp(difference, -unit_exponent_); }
  /// Where x is, counted from lo, in widths of the range.
  double place(double x) const { return (x - job_.lo) / width_; }
  /// The width of the range.
  double width() const { return width_; }
  double from_units(double value) const { return std::ldexp(value, unit_exponent_); }
  /// x, or the end of the range that it passed by rounding. Throws NUMERIC where x is NaN, which
  /// comes of values of f that overflowed.
  double inside(double x) const {
    if (std::isnan(x)) fail_too_large();
    return std::min(std::max(x, job_.lo), job_.hi);
  }
  double tolerance_in_units() const { return in_units(job_.tolerance); }
  std::int64_t evaluations() const { return evaluations_; }

  /// The point of [left, right] at s in [-1, 1]. It is never an end of the range, where f or p may
  /// be infinite, unless the panel has no other point.
  double point(double left, double right, double s) const {
    const double x = left * (0.5 - 0.5 * s) + right * (0.5 + 0.5 * s);
    const double inside = std::min(std::max(x, first_inside_), last_inside_);
    return std::min(std::max(inside, left), right);
  }

  /// The moments of a panel, from the values of f and of the density at the nodes of a rule.
  template <std::size_t N>
  line_moments integrate(double left, double right, const std::array<double, N>& node,
                         const std::array<double, N>& weight, const std::array<double, N>& value,
                         const std::array<double, N>& density) const {
    const double half = 0.5 * right / width_ - 0.5 * left / width_;
    const double base = value[N / 2];
    line_moments m;
    double first = 0.0;
    double first_place = 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      const double mass = weight[j] * density[j];
      m.weight += mass;
      first += mass * in_units(value[j] - base);
      first_place += mass * half * node[j];
    }
    if (!(m.weight > 0)) return {};
    const double shift = first / m.weight;
    const double place_shift = first_place / m.weight;
    double cross = 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      const double mass = weight[j] * density[j];
      const double away = half * node[j] - place_shift;
      m.extent += mass * away * away;
      cross += mass * away * (in_units(value[j] - base) - shift);
    }
    if (m.extent > 0) m.slope = cross / m.extent;
    for (std::size_t j = 0; j < N; ++j) {
      const double d = in_units(value[j] - base) - shift - m.slope * (half * node[j] - place_shift);
      m.residual += weight[j] * density[j] * d * d;
    }
    m.place = place(0.5 * left + 0.5 * right) + place_shift;
    m.mean = base + std::ldexp(shift, unit_exponent_);
    m.weight *= half;
    m.extent *= half;
    m.residual *= half;
    return m;
  }

  /// The moments of a part of a panel, from seven new values of f, which are enough because the
  /// panel is resolved.
  line_moments part(double left, double right) const {
    const kronrod_rule& rule = kronrod_rule::instance();
    std::array<double, kronrod_rule::gauss_size> value{};
    std::array<double, kronrod_rule::gauss_size> density{};
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double x = point(left, right, rule.gauss_node[j]);
      value[j] = f(x);
      density[j] = p(x);
    }
    return integrate(left, right, rule.gauss_node, rule.gauss_weight, value, density);
  }

  line_moments joined(const line_moments& a, const line_moments& b) const {
    return merged(a, b, unit_exponent_);
  }

 private:
  static constexpr int point_halvings = 60;

  double beside(double x, double value) const;
  void refuse_divergence(double x, double value) const;

  const compile_job& job_;
  int unit_exponent_;
  double width_;
  double first_inside_;
  double last_inside_;
  mutable std::int64_t evaluations_ = 0;
  mutable profile_point largest_{0.0, 0.0};
};

struct scanned_panel {
  double left;
  double right;
  line_moments content;
  bool jump;  // f jumps inside it, and on neither side of it; only for the mean squared error
};

/// Values of f in ascending order of inputs. As far as the scan has seen, f is monotone between
/// neighbours.
using profile = std::vector<profile_point>;

struct scan {
  std::vector<scanned_panel> panels;  // in ascending order
  double mass = 0.0;
  profile knots;  // only for the largest error
};

/// Finds the extrema of f - line between the values of a sorted profile of f and inserts the values
/// of f there.
void insert_extrema(const compiled_function& from, const zcmoe_line& line, profile& knots);

/// Scans the function: cuts the range into equal parts and at the inputs `added`, and halves these
/// panels, the widest first, until each is resolved, negligible, or as small as doubles get.
scan scanned(const compiled_function& from, const compile_job& job, std::int64_t parts,
             const std::vector<double>& added);

}  // namespace zcmoe::detail
