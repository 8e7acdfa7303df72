// The constants of known functions p and b: over each segment the integrals of p and of p (b -
// base) are taken, where base is b at its middle, and the constant is base plus their ratio.
// Source: the least-squares constant is the mean of b under p.
#include "host/segmentation/optimal_constants.hpp"

#include "host/numbers/quadrature.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

/// A density and a regression over one segment, as functions of s in [-1, 1] instead of x, so that
/// no width overflows and no weight underflows.
class segment_of_functions {
 public:
  segment_of_functions(const real_function& density, const real_function& regression, double left,
                       double right)
      : density_(density), regression_(regression), left_(left), right_(right) {}

  double density(double s) const { return checked_value(density_, x_at(s), "density", false); }
  double regression(double s) const {
    return checked_value(regression_, x_at(s), "regression", true);
  }

  /// The mean of the regression under the density; where the density is 0, the regression at the
  /// middle.
  double mean() const {
    // p and b are divided by powers of two that keep both near 1, found from their values at the
    // points of one panel.
    const double base = regression(0.0);
    double largest_density = 0.0;
    double largest_value = std::abs(base);
    for (const double s : kronrod_rule::instance().node) {
      largest_density = std::max(largest_density, density(s));
      largest_value = std::max(largest_value, std::abs(regression(s)));
    }
    const int density_exponent = largest_density > 0 ? std::ilogb(largest_density) : 0;
    const int value_exponent = largest_value > 0 ? std::ilogb(largest_value) + 1 : 0;
    const double scaled_base = std::ldexp(base, -value_exponent);
    const auto [mass, moment] = integrals_over<2>(
        [&](double s) {
          const double p = std::ldexp(density(s), -density_exponent);
          const double change = std::ldexp(regression(s), -value_exponent) - scaled_base;
          return std::array<double, 2>{p, p * change};
        },
        {-1.0, 1.0}, "the density, or of density times regression, over a segment",
        4 * std::numeric_limits<double>::epsilon() * std::abs(scaled_base));
    return mass > 0 ? std::ldexp(scaled_base + moment / mass, value_exponent) : base;
  }

 private:
  double x_at(double s) const {
    return std::min(std::max(left_ * (0.5 - 0.5 * s) + right_ * (0.5 + 0.5 * s), left_), right_);
  }

  const real_function& density_;
  const real_function& regression_;
  double left_;
  double right_;
};

}  // namespace

std::vector<double> optimal_constants(const real_function& density, const real_function& regression,
                                      const double* edges, std::int64_t num_segments,
                                      zcmoe_constant_rule constant) {
  std::vector<double> constants;
  constants.reserve(static_cast<std::size_t>(num_segments));
  for (std::int64_t i = 0; i < num_segments; ++i) {
    const segment_of_functions segment(density, regression, edges[i], edges[i + 1]);
    constants.push_back(constant == ZCMOE_CONSTANT_MIDPOINT ? segment.regression(0.0)
                                                            : segment.mean());
  }
  return constants;
}

}  // namespace zcmoe::detail
