// Weight, means, least-squares slope and squared distance from that line of a piece of a density,
// and the rule that merges two of them. As in centred_moments.hpp no difference of large sums is
// taken: the squared distance of a steep piece from its line keeps its digits, because every term
// that merging adds is a square. Source: Chan, Golub & LeVeque 1983, for two columns.
//
// Example: on 0 <= t <= 1 with weight 1 the square t^2 has the place 1/2, the mean 1/3, the slope
// 1, the extent 1/12 and the residual 1/180; about its mean the scatter is 4/45 = 1/180 + 1/12.
#pragma once

#include <cmath>
#include <limits>

namespace zcmoe::detail {

struct line_moments {
  double weight = 0.0;    // integral of p
  double place = 0.0;     // mean of t; 0 where the weight is 0, as what follows
  double mean = 0.0;      // mean of y
  double slope = 0.0;     // of the least-squares line of y over t
  double extent = 0.0;    // integral of p (t - place)^2
  double residual = 0.0;  // integral of p (y - mean - slope (t - place))^2

  /// The integral of the squared distance from the line, infinite where it overflows.
  double about_line() const { return number(residual); }
  /// The integral of the squared distance from the mean, infinite where it overflows.
  double about_mean() const {
    const double rise = slope * std::sqrt(extent);
    return number(residual + rise * rise);
  }

 private:
  static double number(double v) { return v == v ? v : std::numeric_limits<double>::infinity(); }
};

/// The moments of a and b together. Slopes are in units of 2^exponent and residuals in units of
/// 4^exponent: the difference of the means is divided by 2^exponent before it is squared.
inline line_moments merged(const line_moments& a, const line_moments& b, int exponent) {
  if (!(b.weight > 0)) return a;
  if (!(a.weight > 0)) return b;
  const auto square = [](double v) { return v * v; };
  line_moments m;
  m.weight = a.weight + b.weight;
  const double share = b.weight / m.weight;
  const double further = b.place - a.place;
  const double difference = b.mean - a.mean;
  const double higher = std::ldexp(difference, -exponent);
  const double between = a.weight * share;
  m.place = a.place + further * share;
  m.mean = a.mean + difference * share;
  m.extent = a.extent + b.extent + between * further * further;
  if (m.extent > 0) {
    m.slope = (a.slope * a.extent + b.slope * b.extent + between * further * higher) / m.extent;
  }
  m.residual = a.residual + b.residual + a.extent * square(a.slope - m.slope) +
               b.extent * square(b.slope - m.slope) + between * square(higher - m.slope * further);
  return m;
}

}  // namespace zcmoe::detail
