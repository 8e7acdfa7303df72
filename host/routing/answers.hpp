// What a head of sums answers, the same bits on every engine. Host and device.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cmath>
#include <cstdint>

namespace zcmoe::detail {

/// An integer as a double that rounds to float as the integer itself does: bits that are left out
/// leave a one in the last place (rounding to odd).
ZCMOE_HOST_DEVICE inline double odd_double_of(std::uint64_t size) {
  if (size >> 53 == 0) return static_cast<double>(size);
  const std::uint64_t kept = size >> 11;
  const std::uint64_t rest = size & 2047u;
  return static_cast<double>(kept | (rest != 0 ? 1u : 0u)) * 2048.0;
}

/// sum * 2^exponent, rounded once to the nearest T, ties to even; infinite where T ends.
template <class T>
ZCMOE_HOST_DEVICE T answer_of(std::int64_t sum, std::int32_t exponent) {
  const bool negative = sum < 0;
  const std::uint64_t size = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(sum)
                                      : static_cast<std::uint64_t>(sum);
  double result;
  if (sizeof(T) == 4) {
    result = ldexp(odd_double_of(size), exponent);
  } else if (size >> 53 == 0 || exponent >= -1074 ||
             (exponent >= -1084 && size >> (-1074 - exponent) >> 53 != 0)) {
    // Exact, or a normal number that the conversion rounds.
    result = ldexp(static_cast<double>(size), exponent);
  } else if (exponent < -1074 - 63) {
    result = 0.0;
  } else {
    // Perhaps a subnormal number: a whole multiple of the least one, rounded here.
    const int dropped = -1074 - exponent;
    const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
    const std::uint64_t rest = size & (2 * half - 1);
    std::uint64_t kept = size >> dropped;
    if (rest > half || (rest == half && (kept & 1u) != 0)) ++kept;
    result = ldexp(static_cast<double>(kept), -1074);
  }
  return static_cast<T>(negative ? -result : result);
}

}  // namespace zcmoe::detail
