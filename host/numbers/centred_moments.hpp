// Weight, mean and centred second moment of some rows, or of a piece of a density, and the rule
// that merges two of them. It takes no difference of large sums, so a large common offset costs no
// digits: the rows 1e9 and 1e9 + 2 have the mean 1e9 + 1 and the scatter 2. Source: Chan, Golub &
// LeVeque 1983.
#pragma once

#include <cmath>

namespace zcmoe::detail {

struct centred_moments {
  double weight = 0.0;   // sum of w
  double mean = 0.0;     // 0 where the weight is 0
  double scatter = 0.0;  // sum of w (y - mean)^2
};

/// The moments of a and b together. Scatters are in units of 4^exponent: the difference of the
/// means is divided by 2^exponent before it is squared, so that the square does not overflow.
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
