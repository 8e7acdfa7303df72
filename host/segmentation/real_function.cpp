// Calls a user's function and checks the value that it returns: see real_function.hpp.
#include "host/segmentation/real_function.hpp"

#include "host/error.hpp"

#include <cmath>

namespace zcmoe::detail {

double checked_value(const real_function& f, double x, const char* name, bool may_be_negative) {
  if (std::isnan(x)) {
    fail(ZCMOE_ERR_NUMERIC, name, " would be asked at x=", x,
         ": its values are too large to be computed with");
  }
  const double v = f(x);
  if (!std::isfinite(v)) {
    fail(ZCMOE_ERR_NUMERIC, name, " returned ", v, " at x=", x, "; expected a finite number");
  }
  if (v < 0 && !may_be_negative) {
    fail(ZCMOE_ERR_NUMERIC, name, " returned ", v, " at x=", x, "; expected a number >= 0");
  }
  return v;
}

}  // namespace zcmoe::detail
