// A real function that the user gave: a density, a regression, a slope. Every call of it goes
// through `checked_value`, which refuses what the builders and the theory cannot compute with.
#pragma once

#include <functional>

namespace zcmoe::detail {

using real_function = std::function<double(double)>;

/// The value of the user's function at x. Throws NUMERIC if it is not finite, or if it is negative
/// where that has no meaning.
double checked_value(const real_function& f, double x, const char* name, bool may_be_negative);

}  // namespace zcmoe::detail
