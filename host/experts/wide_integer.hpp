// Floats as scaled integers, and integers wider than a machine word; host and device.
//
// A finite float is mantissa * 2^shift in units of the smallest subnormal of its format, so
// products of floats are integers, and a quotient of such integers can be rounded to a double once.
// Numbers are words or digits of 32 bits, lowest first. Data flow: float -> scaled_natural -> (a
// sum of them, exact_sum.hpp) -> wide_integer -> rounded quotient. Source: schoolbook
// multiplication and division (Knuth 1997, 4.3.1).
#pragma once

#include <zcmoe/model_view.hpp>

#include <cstdint>
#include <cstring>

namespace zcmoe::detail {

__extension__ typedef unsigned __int128 uint128;

template <class T>
struct float_format;
template <>
struct float_format<float> {
  using bits = std::uint32_t;
  static constexpr int mantissa_bits = 24;
  static constexpr int fraction_bits = 23;
  static constexpr int unit = 149;  // value = mantissa * 2^(shift - unit)
  static constexpr int max_shift = 253;
  static constexpr int words = 1;  // 32-bit words that a mantissa takes
};
template <>
struct float_format<double> {
  using bits = std::uint64_t;
  static constexpr int mantissa_bits = 53;
  static constexpr int fraction_bits = 52;
  static constexpr int unit = 1074;
  static constexpr int max_shift = 2045;
  static constexpr int words = 2;
};

/// The magnitude mantissa * 2^shift and a sign. The mantissa is in 32-bit words, lowest first.
template <int Words>
struct scaled_natural {
  std::uint32_t word[Words];
  int shift;
  bool negative;
};

/// A finite float as an integer in units of its format's smallest subnormal. Example: 1.0f has the
/// mantissa 2^23 and the shift 126, and 2^23 * 2^(126 - 149) = 1.
template <class T>
ZCMOE_HOST_DEVICE inline scaled_natural<float_format<T>::words> decompose(T value) {
  using format = float_format<T>;
  typename format::bits bits;
  memcpy(&bits, &value, sizeof bits);
  const auto one = static_cast<typename format::bits>(1);
  const auto fraction = bits & ((one << format::fraction_bits) - 1);
  const int exponent = static_cast<int>((bits << 1) >> (format::fraction_bits + 1));
  const std::uint64_t mantissa =
      exponent == 0 ? fraction : fraction | (one << format::fraction_bits);
  scaled_natural<format::words> result;
  result.word[0] = static_cast<std::uint32_t>(mantissa);
  if constexpr (format::words == 2) result.word[1] = static_cast<std::uint32_t>(mantissa >> 32);
  result.shift = exponent == 0 ? 0 : exponent - 1;
  result.negative = (bits >> (sizeof(bits) * 8 - 1)) != 0;
  return result;
}

template <int A, int B>
ZCMOE_HOST_DEVICE inline scaled_natural<A + B> multiply(const scaled_natural<A>& a,
                                                        const scaled_natural<B>& b) {
  scaled_natural<A + B> product{};
  for (int i = 0; i < A; ++i) {
    std::uint64_t carry = 0;
    for (int j = 0; j < B; ++j) {
      carry += static_cast<std::uint64_t>(a.word[i]) * b.word[j] + product.word[i + j];
      product.word[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    product.word[i + B] = static_cast<std::uint32_t>(carry);
  }
  product.shift = a.shift + b.shift;
  product.negative = a.negative != b.negative;
  return product;
}

/// A wide integer: a sign and 32-bit digits, lowest first. Only digits [low, high) may differ from
/// 0; the others are not even written.
template <int Digits>
struct wide_integer {
  std::uint32_t digit[Digits];
  int low;
  int high;
  bool negative;

  ZCMOE_HOST_DEVICE bool is_zero() const { return low >= high; }
  ZCMOE_HOST_DEVICE std::uint32_t at(int k) const { return k >= low && k < high ? digit[k] : 0; }
  ZCMOE_HOST_DEVICE void trim() {
    while (high > low && digit[high - 1] == 0) --high;
    while (low < high && digit[low] == 0) ++low;
  }
};

ZCMOE_HOST_DEVICE inline wide_integer<2> wide_of(std::int64_t value) {  // value >= 0
  wide_integer<2> result;
  result.digit[0] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value));
  result.digit[1] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
  result.low = 0;
  result.high = 2;
  result.negative = false;
  result.trim();
  return result;
}

template <int A, int B, int C>
ZCMOE_HOST_DEVICE inline void multiply(const wide_integer<A>& a, const wide_integer<B>& b,
                                       wide_integer<C>& product) {
  static_assert(C >= A + B, "the product would not fit");
  product.negative = a.negative != b.negative;
  product.low = a.low + b.low;
  product.high = a.high + b.high;
  if (a.is_zero() || b.is_zero()) {
    product.high = product.low;
    return;
  }
  for (int k = product.low; k < product.high; ++k) product.digit[k] = 0;
  for (int i = a.low; i < a.high; ++i) {
    std::uint64_t carry = 0;
    for (int j = b.low; j < b.high; ++j) {
      carry += static_cast<std::uint64_t>(a.digit[i]) * b.digit[j] + product.digit[i + j];
      product.digit[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    product.digit[i + b.high] = static_cast<std::uint32_t>(carry);
  }
  product.trim();
}

/// Subtracts b from a, for a >= b >= 0.
template <int A, int B>
ZCMOE_HOST_DEVICE inline void subtract(wide_integer<A>& a, const wide_integer<B>& b) {
  if (b.is_zero()) return;
  for (int k = b.low; k < a.low; ++k) a.digit[k] = 0;
  if (b.low < a.low) a.low = b.low;
  std::int64_t borrow = 0;
  for (int k = b.low; k < a.high; ++k) {
    const std::int64_t value =
        static_cast<std::int64_t>(a.digit[k]) - static_cast<std::int64_t>(b.at(k)) + borrow;
    a.digit[k] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value));
    borrow = value < 0 ? -1 : 0;
  }
  a.trim();
}

template <int A, int B>
wide_integer<A + B> product(const wide_integer<A>& a, const wide_integer<B>& b) {
  wide_integer<A + B> result;
  multiply(a, b, result);
  return result;
}

/// -1, 0 or 1 if |a| is less than, equal to or greater than |b|.
template <int A, int B>
int compare(const wide_integer<A>& a, const wide_integer<B>& b) {
  const int high = a.high > b.high ? a.high : b.high;
  const int low = a.low < b.low ? a.low : b.low;
  for (int k = high - 1; k >= low; --k) {
    if (a.at(k) != b.at(k)) return a.at(k) < b.at(k) ? -1 : 1;
  }
  return 0;
}

/// The number of digits of a difference, or of a sum where signs differ.
constexpr int digits_of_difference(int a, int b) { return (a > b ? a : b) + 1; }

/// a - b, of any signs.
template <int A, int B>
wide_integer<digits_of_difference(A, B)> difference(const wide_integer<A>& a,
                                                    const wide_integer<B>& b) {
  const bool adds = a.negative != b.negative;
  const bool swaps = !adds && compare(a, b) < 0;
  wide_integer<digits_of_difference(A, B)> result;
  result.negative = swaps ? !a.negative : a.negative;
  result.low = a.low < b.low ? a.low : b.low;
  result.high = (a.high > b.high ? a.high : b.high) + 1;
  std::int64_t carry = 0;
  for (int k = result.low; k < result.high; ++k) {
    const std::int64_t own = swaps ? b.at(k) : a.at(k);
    const std::int64_t other = swaps ? a.at(k) : b.at(k);
    const std::int64_t value = own + (adds ? other : -other) + carry;
    result.digit[k] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value));
    carry = value >> 32;
  }
  result.trim();
  return result;
}

/// The leading 128 bits of a wide integer, which is (high 2^64 + low) 2^exponent where bit 127 is
/// set. `inexact` says that bits below them were cut off and are not all 0. Example: 1 has high =
/// 2^63, low = 0 and exponent = -127.
struct leading_bits {
  std::uint64_t high;
  std::uint64_t low;
  int exponent;
  bool inexact;
};

template <int Digits>
ZCMOE_HOST_DEVICE inline leading_bits leading(const wide_integer<Digits>& a) {  // a != 0
  std::uint32_t word[5];
  for (int k = 0; k < 5; ++k) word[k] = a.at(a.high - 1 - k);
  int zeros = 0;
  while ((word[0] >> (31 - zeros)) == 0) ++zeros;
  for (int k = 0; k < 4; ++k) {
    const std::uint64_t pair = (static_cast<std::uint64_t>(word[k]) << 32) | word[k + 1];
    word[k] = static_cast<std::uint32_t>((pair << zeros) >> 32);
  }
  leading_bits result;
  result.high = (static_cast<std::uint64_t>(word[0]) << 32) | word[1];
  result.low = (static_cast<std::uint64_t>(word[2]) << 32) | word[3];
  result.exponent = 32 * (a.high - 4) - zeros;
  result.inexact = (word[4] << zeros) != 0;
  for (int k = a.high - 6; k >= a.low; --k) result.inexact = result.inexact || a.digit[k] != 0;
  return result;
}

ZCMOE_HOST_DEVICE inline double double_of_bits(std::uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The one NaN that both engines return. NaNs made by hardware differ in sign and payload.
ZCMOE_HOST_DEVICE inline double quiet_nan() { return double_of_bits(0x7ff8000000000000u); }

/// numerator / denominator * 2^exponent, rounded once to nearest even, also where the result is
/// subnormal or overflows. The rounding is the right one if the denominator is exact, as it always
/// is without weights; otherwise its cut bits change the quotient by less than 2^-126 of itself
/// before it is rounded.
ZCMOE_HOST_DEVICE inline double rounded_quotient(const leading_bits& numerator,
                                                 const leading_bits& denominator, int exponent,
                                                 bool negative) {
  // The quotient gets 64 significant bits; `sticky` says whether any bit after them is 1. Example:
  // 1 / 1 gives quotient = 2^63 and scale = -63.
  std::uint64_t quotient = 0;
  int scale = numerator.exponent - denominator.exponent + exponent + 1;
  bool sticky;
#if !defined(__CUDA_ARCH__)
  if (denominator.low == 0) {  // one division by the processor is enough
    const bool larger = numerator.high >= denominator.high;
    const uint128 dividend =
        ((static_cast<uint128>(numerator.high) << 64) | numerator.low) >> (larger ? 1 : 0);
    quotient = static_cast<std::uint64_t>(dividend / denominator.high);
    sticky = dividend % denominator.high != 0 || (larger && (numerator.low & 1) != 0);
    scale -= larger ? 64 : 65;
  } else
#endif
  {
    // Long division finds the bits of the quotient of weight 2^0, 2^-1, ... one by one, until the
    // first 1 is the topmost of 64.
    std::uint64_t high = numerator.high;
    std::uint64_t low = numerator.low;
    bool overflow = false;  // bit 128 of the remainder, which does not fit in high and low
    while (quotient >> 63 == 0) {
      const bool fits = overflow || high > denominator.high ||
                        (high == denominator.high && low >= denominator.low);
      if (fits) {
        high -= denominator.high + (low < denominator.low ? 1 : 0);
        low -= denominator.low;
      }
      quotient = (quotient << 1) | (fits ? 1 : 0);
      --scale;
      overflow = high >> 63 != 0;
      high = (high << 1) | (low >> 63);
      low <<= 1;
    }
    sticky = overflow || high != 0 || low != 0;
  }
  sticky = sticky || numerator.inexact;
  // The value is (quotient + fraction) * 2^scale with bit 63 of quotient set and a fraction below
  // 1. Of its 64 bits 53 are kept, fewer if the result is subnormal.
  const int leading_exponent = scale + 63;
  int dropped = 11;
  if (leading_exponent < -1022) dropped += -1022 - leading_exponent;
  std::uint64_t mantissa = 0;
  if (dropped <= 64) {
    mantissa = dropped == 64 ? 0 : quotient >> dropped;
    const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
    const std::uint64_t rest = quotient & ((half - 1) | half);
    if (rest > half || (rest == half && (sticky || (mantissa & 1) != 0))) ++mantissa;
  }
  // The field of the exponent is one less than it will be: the leading bit of the mantissa, 2^52,
  // adds 1 to it, and one more where rounding up has made the mantissa 2^53.
  const int biased = leading_exponent < -1022 ? 0 : leading_exponent + 1022;
  std::uint64_t bits = (static_cast<std::uint64_t>(biased) << 52) + mantissa;
  if (leading_exponent > 1023 || bits >= 0x7ff0000000000000u) bits = 0x7ff0000000000000u;
  return double_of_bits(bits | (negative ? std::uint64_t{1} << 63 : 0));
}

template <int A, int B>
ZCMOE_HOST_DEVICE inline double quotient_of(const wide_integer<A>& a, const wide_integer<B>& b,
                                            int exponent) {
  if (b.is_zero()) return quiet_nan();  // sums of samples never give 0 here
  if (a.is_zero()) return 0.0;
  return rounded_quotient(leading(a), leading(b), exponent, a.negative != b.negative);
}

}  // namespace zcmoe::detail
