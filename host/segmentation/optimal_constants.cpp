// Constants of known functions: one adaptive quadrature a segment (Gauss-Kronrod, Davis &
// Rabinowitz 1984, ch. 6) of p and p (b - base), base the regression at the middle.
#include "host/segmentation/optimal_constants.hpp"

#include "host/numbers/compensated_sum.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace zcmoe::detail {
namespace {

/// Integrals of p and p (b - base) over one segment by Gauss-Kronrod, halved where 7 and 15 points
/// disagree.
class segment_mean {
 public:
  segment_mean(const real_function& density, const real_function& regression, double left,
               double right)
      : density_(density),
        regression_(regression),
        left_(left),
        right_(right),
        base_(this->regression(0.0)) {}

  double base() const { return base_; }

  double constant() {
    // Powers of two that keep p and b - base near 1; taken from the first points.
    double largest_density = 0.0;
    double largest_change = std::abs(base_);
    using first_points = boost::math::quadrature::gauss<double, 15>;
    const auto& half = first_points::abscissa();  // the non-negative half, from 0 up
    const int last = static_cast<int>(half.size()) - 1;
    for (int k = -last; k <= last; ++k) {
      const double at = half[static_cast<std::size_t>(std::abs(k))];
      const double node = k < 0 ? -at : at;
      largest_density = std::max(largest_density, density(node));
      largest_change = std::max(largest_change, std::abs(regression(node)));
    }
    density_exponent_ = largest_density > 0 ? std::ilogb(largest_density) : 0;
    value_exponent_ = largest_change > 0 ? std::ilogb(largest_change) + 1 : 0;
    scaled_base_ = std::ldexp(base_, -value_exponent_);
    const piece whole = measure(-1.0, 1.0);
    mass_scale_ = whole.mass;
    moment_scale_ = whole.absolute;
    add(whole, -1.0, 1.0, 0);
    const double mass = mass_.value();
    if (!(mass > 0)) return base_;
    return std::ldexp(scaled_base_ + moment_.value() / mass, value_exponent_);
  }

 private:
  struct piece {
    double mass;
    double moment;
    double absolute;  // integral of p |b - base|: what errors of the moment are measured against
    double mass_error;
    double moment_error;
  };

  // s in [-1, 1] across the segment, not x: no width overflows and no weight underflows.
  double x_at(double s) const {
    return std::min(std::max(left_ * (0.5 - 0.5 * s) + right_ * (0.5 + 0.5 * s), left_), right_);
  }
  double density(double s) const { return answer(density_, x_at(s), "density", false); }
  double regression(double s) const { return answer(regression_, x_at(s), "regression", true); }

  piece measure(double from, double to) const {
    using kronrod = boost::math::quadrature::gauss_kronrod<double, 15>;
    const auto& node =
        kronrod::abscissa();  // the non-negative half; the even ones are Gauss points
    const auto& weight = kronrod::weights();
    const auto& gauss_weight = boost::math::quadrature::gauss<double, 7>::weights();
    const double centre = 0.5 * (from + to);
    const double half = 0.5 * (to - from);
    piece r{};
    double gauss_mass = 0.0;
    double gauss_moment = 0.0;
    for (std::size_t k = 0; k < node.size(); ++k) {
      for (int side = k == 0 ? 1 : -1; side <= 1; side += 2) {
        const double s = centre + half * side * node[k];
        const double p = std::ldexp(density(s), -density_exponent_);
        const double change = std::ldexp(regression(s), -value_exponent_) - scaled_base_;
        r.mass += weight[k] * p;
        r.moment += weight[k] * p * change;
        r.absolute += weight[k] * p * std::abs(change);
        if (k % 2 == 0) {
          gauss_mass += gauss_weight[k / 2] * p;
          gauss_moment += gauss_weight[k / 2] * p * change;
        }
      }
    }
    r.mass *= half;
    r.moment *= half;
    r.absolute *= half;
    r.mass_error = std::abs(r.mass - half * gauss_mass);
    r.moment_error = std::abs(r.moment - half * gauss_moment);
    return r;
  }

  void add(const piece& p, double from, double to, int depth) {
    constexpr double tolerance = 1e-14;
    const double middle = 0.5 * (from + to);
    const bool good =
        p.mass_error <= tolerance * mass_scale_ && p.moment_error <= tolerance * moment_scale_;
    if (good || depth == 50 || halvings_ == 4096) {
      mass_.add(p.mass);
      moment_.add(p.moment);
      return;
    }
    ++halvings_;
    const piece a = measure(from, middle);
    const piece b = measure(middle, to);
    add(a, from, middle, depth + 1);
    add(b, middle, to, depth + 1);
  }

  const real_function& density_;
  const real_function& regression_;
  double left_;
  double right_;
  double base_;
  double scaled_base_ = 0.0;
  int density_exponent_ = 0;
  int value_exponent_ = 0;
  int halvings_ = 0;
  double mass_scale_ = 0.0;
  double moment_scale_ = 0.0;
  compensated_sum mass_;
  compensated_sum moment_;
};

}  // namespace

std::vector<double> optimal_constants(const real_function& density, const real_function& regression,
                                      const double* edges, std::int64_t num_segments,
                                      zcmoe_constant_rule constant) {
  std::vector<double> constants;
  constants.reserve(static_cast<std::size_t>(num_segments));
  for (std::int64_t i = 0; i < num_segments; ++i) {
    segment_mean mean(density, regression, edges[i], edges[i + 1]);
    constants.push_back(constant == ZCMOE_CONSTANT_MIDPOINT ? mean.base() : mean.constant());
  }
  return constants;
}

}  // namespace zcmoe::detail
