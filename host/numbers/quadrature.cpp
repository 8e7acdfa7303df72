// The points of the rule. They are not in the header, because Boost's headers for them are slow to
// read.
#include "host/numbers/quadrature.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>

namespace zcmoe::detail {
namespace {

/// Boost gives the points from 0 upwards and their weights. Below 0 both are the same, the points
/// with the other sign: `sign` is -1 for points and 1 for weights.
template <class Half, std::size_t N>
void unfold(const Half& half, std::array<double, N>& whole, double sign) {
  for (std::size_t k = 0; k <= N / 2; ++k) {
    whole[N / 2 - k] = sign * half[k];
    whole[N / 2 + k] = half[k];
  }
}

}  // namespace

kronrod_rule::kronrod_rule() {
  using kronrod = boost::math::quadrature::gauss_kronrod<double, size>;
  using gauss = boost::math::quadrature::gauss<double, gauss_size>;
  unfold(kronrod::abscissa(), node, -1.0);
  unfold(kronrod::weights(), weight, 1.0);
  unfold(gauss::abscissa(), gauss_node, -1.0);
  unfold(gauss::weights(), gauss_weight, 1.0);
}

const kronrod_rule& kronrod_rule::instance() {
  static const kronrod_rule rule;
  return rule;
}

}  // namespace zcmoe::detail
