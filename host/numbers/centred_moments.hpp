// Weight, mean and centred second moment of some rows or of a piece of a density, and their
// merging: no difference of large sums, so nothing is lost at a large common offset. Source: Chan,
// Golub & LeVeque 1983.
#pragma once

#include <cmath>

namespace zcmoe::detail {

struct centred_moments {
  double weight = 0.0;   // sum of w
  double mean = 0.0;     // 0 where the weight is 0
  double scatter = 0.0;  // sum of w (y - mean)^2
};

/// The moments of a and b together. Scatters are counted in units of 4^exponent: a difference of
/// means is divided by 2^exponent before it is squared, so that no square overflows.
inline centred_moments merged(const centred_moments& a, const centred_moments& b,
                              int exponent = 0) {
  if (!(b.weight > 0)) return a;
  if (!(a.weight > 0)) return b;
  const double weight = a.weight + b.weight;
  const double difference = b.mean - a.mean;
  const double scaled = std::ldexp(difference, -exponent);
  const double share = b.weight / weight;
  return {weight, a.mean + difference * share,
          a.scatter + b.scatter + scaled * scaled * a.weight * share};
}

}  // namespace zcmoe::detail
