// Scans a function before a table is compiled for it: the function goes in, panels with their
// integrals or a profile of its values come out. The range is halved into panels until 7 values of
// f on each tell its other values; for the largest error every extremum between values is looked
// for too. Integrals for the mean squared error are centred moments of panels, which are merged
// without a difference of large sums; their unit is the power of two at the tolerance, so that no
// square overflows. Sources: Chan, Golub & LeVeque 1983; Gauss-Kronrod rules, Davis & Rabinowitz
// 1984.
#pragma once

#include "host/numbers/centred_moments.hpp"
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

/// f and p for the scan and the sweeps, which evaluate them only within [lo, hi]. The moments of a
/// piece of the range are the integral of p, the mean of f under p, and the integral of p (f -
/// mean)^2. Lengths are in widths of the range, and the last integral is in squared units of
/// 2^unit_exponent.
class compiled_function {
 public:
  explicit compiled_function(const compile_job& job)
      : job_(job),
        unit_exponent_(std::ilogb(job.tolerance)),
        width_(job.hi - job.lo),
        first_inside_(std::nextafter(job.lo, job.hi)),
        last_inside_(std::nextafter(job.hi, job.lo)) {}

  double f(double x) const {
    ++evaluations_;
    const double at = inside(x);
    const double value = checked_value(job_.function, at, "function", true);
    if (!(std::abs(value) <= std::abs(largest_.value))) largest_ = {at, value};
    return value;
  }
  double p(double x) const {
    return job_.density ? checked_value(job_.density, inside(x), "density", false) : 1.0;
  }
  /// Throws NUMERIC, naming the largest value seen, where differences or squares of values
  /// overflow.
  [[noreturn]] void fail_too_large() const;
  /// A difference of values of f in units of 2^unit_exponent, the power of two at the tolerance.
  double in_units(double difference) const { return std::ldexp(difference, -unit_exponent_); }
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

  template <std::size_t N>
  centred_moments integrate(double left, double right, const std::array<double, N>& weight,
                            const std::array<double, N>& value,
                            const std::array<double, N>& density) const {
    const double half = 0.5 * right / width_ - 0.5 * left / width_;
    const double base = value[N / 2];
    centred_moments m;
    double first = 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      m.weight += weight[j] * density[j];
      first += weight[j] * density[j] * in_units(value[j] - base);
    }
    const double shift = m.weight > 0 ? first / m.weight : 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      const double d = in_units(value[j] - base) - shift;
      m.scatter += weight[j] * density[j] * d * d;
    }
    m.mean = base + std::ldexp(shift, unit_exponent_);
    m.weight *= half;
    m.scatter *= half;
    return m;
  }

  /// The moments of a part of a panel, from seven new values of f, which are enough because the
  /// panel is resolved.
  centred_moments part(double left, double right) const {
    const kronrod_rule& rule = kronrod_rule::instance();
    std::array<double, kronrod_rule::gauss_size> value{};
    std::array<double, kronrod_rule::gauss_size> density{};
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double x = point(left, right, rule.gauss_node[j]);
      value[j] = f(x);
      density[j] = p(x);
    }
    return integrate(left, right, rule.gauss_weight, value, density);
  }

  centred_moments joined(const centred_moments& a, const centred_moments& b) const {
    return merged(a, b, unit_exponent_);
  }

 private:
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
  centred_moments content;
};

/// Values of f in ascending order of inputs. As far as the scan has seen, f is monotone between
/// neighbours.
using profile = std::vector<profile_point>;

struct scan {
  std::vector<scanned_panel> panels;  // in ascending order
  double mass = 0.0;
  profile knots;  // only for the largest error
};

/// Finds the extrema of f between the values of a sorted profile and inserts them.
void insert_extrema(const compiled_function& from, profile& knots);

/// Scans the function: cuts the range into equal parts and at the inputs `added`, and halves these
/// panels, the widest first, until each is resolved, negligible, or as small as doubles get.
scan scanned(const compiled_function& from, const compile_job& job, std::int64_t parts,
             const std::vector<double>& added);

}  // namespace zcmoe::detail
