#include "dtype.hpp"

#include <cmath>
#include <limits>

namespace zcmoe::cli {
namespace {

/// The value of an IEEE binary16 number: a sign bit, 5 bits of exponent, 10 of fraction. 0x3C00 has
/// exponent 15 and fraction 0, so it is 1024 2^(15 - 25) = 1.
double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  double size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) {
    size = fraction == 0 ? std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits & 0x8000) != 0 ? -size : size;
}

}  // namespace

double widened_element(const zcmoe_array& column, std::int64_t i) {
  const auto at = [&](auto type) {
    return static_cast<double>(static_cast<const decltype(type)*>(column.data)[i]);
  };
  switch (column.dtype) {
    case ZCMOE_F16: return half_value(static_cast<const std::uint16_t*>(column.data)[i]);
    case ZCMOE_I8: return at(std::int8_t());
    case ZCMOE_U8: return at(std::uint8_t());
    case ZCMOE_I16: return at(std::int16_t());
    case ZCMOE_U16: return at(std::uint16_t());
    case ZCMOE_I32: return at(std::int32_t());
    case ZCMOE_U32: return at(std::uint32_t());
    case ZCMOE_I64: return at(std::int64_t());
    default: return at(std::uint64_t());
  }
}

}  // namespace zcmoe::cli
