// Exact sums of one segment and the constant they give; host and device, shared by both engines.
//
// A finite float is mantissa * 2^shift in units of its format's smallest subnormal, so a sum of
// floats is one wide integer. It is kept in digits of 32 bits, each in an int64 of its own: a term
// adds its pieces to two to six digits, nothing carries, and integer addition does not care for
// order. 2^30 terms fit before the digits must be made canonical (carry). Sums reach the whole
// range of the format, with 64 bits of headroom: no window, nothing is lost. Merging two states is
// the addition of two int64 arrays.
//
// Planes of a state: count | sum y, sum y^2        or, weighted,
//                    count | sum w, sum w^2, sum wy, sum wy^2      each sum_format::digits planes,
//                    low digit first.
// Method: long accumulator (Kulisch 1971); constants are least squares (Dar 2025), rounded once.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace zcmoe::detail {

__extension__ typedef unsigned __int128 uint128;

// ---------------------------------------------------------------- formats

template <class T>
struct float_format;
template <>
struct float_format<float> {
  using bits = std::uint32_t;
  static constexpr int mantissa_bits = 24;
  static constexpr int fraction_bits = 23;
  static constexpr int unit = 149;  // value = mantissa * 2^(shift - unit)
  static constexpr int max_shift = 253;
  static constexpr int words = 1;  // 32-bit words of a mantissa
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

constexpr int headroom_bits = 64;  // 2^63 terms and the sign

/// Digits of a sum of products of `factors` floats.
template <class T>
ZCMOE_HOST_DEVICE constexpr int digits_of(int factors) {
  return (factors * (float_format<T>::mantissa_bits + float_format<T>::max_shift) + headroom_bits +
          31) /
         32;
}

/// Where the sums of a state lie, in planes.
template <class T, bool Weighted>
struct sum_planes;
template <class T>
struct sum_planes<T, false> {
  static constexpr int count = 0;
  static constexpr int y = 1;
  static constexpr int yy = y + digits_of<T>(1);
  static constexpr int end = yy + digits_of<T>(2);
};
template <class T>
struct sum_planes<T, true> {
  static constexpr int count = 0;
  static constexpr int w = 1;
  static constexpr int ww = w + digits_of<T>(1);
  static constexpr int wy = ww + digits_of<T>(2);
  static constexpr int wyy = wy + digits_of<T>(2);
  static constexpr int end = wyy + digits_of<T>(3);
};

/// Terms a digit holds before it must be made canonical: 2^30 * 2^32 < 2^62.
constexpr std::int64_t max_pending_rows = std::int64_t{1} << 30;

// ------------------------------------------------------------ accumulation

/// mantissa * 2^shift, in 32-bit words.
template <int Words>
struct scaled_natural {
  std::uint32_t word[Words];
  int shift;
  bool negative;
};

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

/// Adds a term to the sum whose lowest plane is `first`: calls add(plane, signed piece) once a
/// digit it touches.
template <int Words, class Add>
ZCMOE_HOST_DEVICE inline void deposit(const scaled_natural<Words>& term, int first, Add&& add) {
  const int offset = term.shift & 31;
  int plane = first + (term.shift >> 5);
  std::uint64_t pair = 0;  // word k above word k-1
  for (int k = 0; k <= Words; ++k, ++plane) {
    pair = (pair >> 32) | (k < Words ? static_cast<std::uint64_t>(term.word[k]) << 32 : 0);
    const auto piece = static_cast<std::int64_t>((pair << offset) >> 32);
    add(plane, term.negative ? -piece : piece);
  }
}

/// Adds one sample (y, w finite, w > 0; w ignored unless Weighted) to the planes of its slot.
template <class T, bool Weighted, class Add>
ZCMOE_HOST_DEVICE inline void add_sample(T y, T w, Add&& add) {
  using planes = sum_planes<T, Weighted>;
  const auto target = decompose(y);
  add(planes::count, std::int64_t{1});
  if constexpr (Weighted) {
    const auto weight = decompose(w);
    const auto weighted_target = multiply(weight, target);
    deposit(weight, planes::w, add);
    deposit(multiply(weight, weight), planes::ww, add);
    deposit(weighted_target, planes::wy, add);
    deposit(multiply(weighted_target, target), planes::wyy, add);
  } else {
    deposit(target, planes::y, add);
    deposit(multiply(target, target), planes::yy, add);
  }
}

/// Carries one digit: leaves the balanced low part in [-2^31, 2^31) and returns what goes to the
/// next digit. Digits so carried from the lowest up are canonical: equal sums have equal digits,
/// small ones of either sign few.
ZCMOE_HOST_DEVICE inline std::int64_t carry_digit(std::int64_t& digit, std::int64_t carry) {
  const std::int64_t value = digit + carry;
  digit = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
  return (value - digit) / (std::int64_t{1} << 32);
}

/// Calls body(first plane, digits) for each sum of a state, in plane order.
template <class T, bool Weighted, class Body>
ZCMOE_HOST_DEVICE inline void for_each_sum(Body&& body) {
  using planes = sum_planes<T, Weighted>;
  if constexpr (Weighted) {
    body(planes::w, digits_of<T>(1));
    body(planes::ww, digits_of<T>(2));
    body(planes::wy, digits_of<T>(2));
    body(planes::wyy, digits_of<T>(3));
  } else {
    body(planes::y, digits_of<T>(1));
    body(planes::yy, digits_of<T>(2));
  }
}

/// Makes every sum of a slot canonical; a sum's top digit takes what is left. Writes only what
/// changes.
template <class T, bool Weighted>
ZCMOE_HOST_DEVICE inline void carry_slot(std::int64_t* planes, std::int64_t num_slots,
                                         std::int64_t slot) {
  for_each_sum<T, Weighted>([planes, num_slots, slot](int first, int digits) {
    std::int64_t carry = 0;
    for (int k = 0; k < digits; ++k) {
      std::int64_t& stored = planes[(first + k) * num_slots + slot];
      std::int64_t digit = stored;
      if (k + 1 < digits) {
        carry = carry_digit(digit, carry);
      } else {
        digit += carry;
      }
      if (digit != stored) stored = digit;
    }
  });
}

// --------------------------------------------------------------- constants

/// A wide integer: sign and 32-bit digits, of which only [low, high) may differ from zero.
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

/// Reads the sum in planes [first, first + Digits) of a slot, canonical or not.
template <int Digits>
ZCMOE_HOST_DEVICE inline void read_sum(const std::int64_t* slot_planes, std::int64_t plane_stride,
                                       int first, wide_integer<Digits>& sum) {
  // Two passes over the digits: the first finds the sign, the second carries +-digits into [0,
  // 2^32).
  std::int64_t carry = 0;
  for (int k = 0; k < Digits; ++k) {
    const std::int64_t value = slot_planes[(first + k) * plane_stride] + carry;
    carry = value >> 32;  // floor; what remains at the end is the sign of the sum
  }
  sum.negative = carry < 0;
  carry = 0;
  for (int k = 0; k < Digits; ++k) {
    const std::int64_t digit = slot_planes[(first + k) * plane_stride];
    const std::int64_t value = (sum.negative ? -digit : digit) + carry;
    sum.digit[k] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value));
    carry = value >> 32;
  }
  sum.low = 0;
  sum.high = Digits;
  sum.trim();
}

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

/// a -= b for a >= b >= 0.
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

/// The leading 128 bits: magnitude (high:low) * 2^exponent, bit 127 set; inexact if lower bits were
/// cut off.
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

/// One NaN for both engines: hardware NaNs differ in sign and payload.
ZCMOE_HOST_DEVICE inline double quiet_nan() { return double_of_bits(0x7ff8000000000000u); }

/// numerator / denominator * 2^exponent, rounded once to nearest even; subnormal results and
/// overflow included. Exact if the denominator is (without weights it always is); else the cut bits
/// cost less than 2^-126 relative.
ZCMOE_HOST_DEVICE inline double rounded_quotient(const leading_bits& numerator,
                                                 const leading_bits& denominator, int exponent,
                                                 bool negative) {
  // 64 significant bits of the quotient, and whether anything follows.
  std::uint64_t quotient = 0;
  int scale = numerator.exponent - denominator.exponent + exponent + 1;
  bool sticky;
#if !defined(__CUDA_ARCH__)
  if (denominator.low == 0) {  // one division in hardware
    const bool larger = numerator.high >= denominator.high;
    const uint128 dividend =
        ((static_cast<uint128>(numerator.high) << 64) | numerator.low) >> (larger ? 1 : 0);
    quotient = static_cast<std::uint64_t>(dividend / denominator.high);
    sticky = dividend % denominator.high != 0 || (larger && (numerator.low & 1) != 0);
    scale -= larger ? 64 : 65;
  } else
#endif
  {
    // Long division: quotient bits 2^0, 2^-1, ...
    std::uint64_t high = numerator.high;
    std::uint64_t low = numerator.low;
    bool overflow = false;  // bit 128 of the remainder
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
  // The value is (quotient + fraction) * 2^scale, bit 63 of quotient set. Keep 53 bits, fewer if
  // subnormal.
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
  const int biased =
      leading_exponent < -1022 ? 0 : leading_exponent + 1022;  // the mantissa's own bit adds 1
  std::uint64_t bits = (static_cast<std::uint64_t>(biased) << 52) + mantissa;
  if (leading_exponent > 1023 || bits >= 0x7ff0000000000000u) bits = 0x7ff0000000000000u;
  return double_of_bits(bits | (negative ? std::uint64_t{1} << 63 : 0));
}

template <int A, int B>
ZCMOE_HOST_DEVICE inline double quotient_of(const wide_integer<A>& a, const wide_integer<B>& b,
                                            int exponent) {
  if (a.is_zero()) return 0.0;
  return rounded_quotient(leading(a), leading(b), exponent, a.negative != b.negative);
}

/// What a slot's samples say. count 0: all NaN but weight 0.
struct slot_summary {
  std::int64_t count;
  double weight;
  double mean;
  double variance;        // NaN below two samples
  double standard_error;  // of the mean; NaN below two samples
};

/// The constant of a slot and its spread from the exact sums: every figure is rounded once (the
/// standard error, computed from rounded figures, three times). With W = sum w, S = sum wy, Q = sum
/// wy^2, W2 = sum w^2: mean S / W; variance (W Q - S^2) / (W^2 - W2); standard error sqrt(variance
/// W2 / W^2). Weights 1: the usual ones.
template <class T, bool Weighted>
ZCMOE_HOST_DEVICE inline slot_summary summarize(const std::int64_t* planes, std::int64_t num_slots,
                                                std::int64_t slot) {
  using at = sum_planes<T, Weighted>;
  constexpr int unit = float_format<T>::unit;
  const std::int64_t* own = planes + slot;
  slot_summary result;
  result.count = own[at::count * num_slots];
  result.weight = static_cast<double>(result.count);
  result.mean = quiet_nan();
  result.variance = quiet_nan();
  result.standard_error = quiet_nan();
  if (result.count <= 0) return result;

  if constexpr (Weighted) {
    constexpr int w_digits = digits_of<T>(1);
    constexpr int wy_digits = digits_of<T>(2);
    constexpr int wyy_digits = digits_of<T>(3);
    wide_integer<w_digits> w;
    wide_integer<wy_digits> wy;
    read_sum(own, num_slots, at::w, w);
    read_sum(own, num_slots, at::wy, wy);
    result.weight = quotient_of(w, wide_of(1), -unit);
    result.mean = quotient_of(wy, w, -unit);
    if (result.count < 2) return result;
    wide_integer<2 * wy_digits> spread;  // W Q - S^2
    {
      wide_integer<wyy_digits> wyy;
      wide_integer<2 * wy_digits> square;
      read_sum(own, num_slots, at::wyy, wyy);
      static_assert(2 * wy_digits >= w_digits + wyy_digits, "W Q must fit beside S^2");
      multiply(w, wyy, spread);
      multiply(wy, wy, square);
      subtract(spread, square);
    }
    wide_integer<wy_digits> ww;
    wide_integer<2 * w_digits> freedom;  // W^2, then W^2 - W2
    read_sum(own, num_slots, at::ww, ww);
    multiply(w, w, freedom);
    const double effective_count = quotient_of(freedom, ww, 0);
    subtract(freedom, ww);
    result.variance = quotient_of(spread, freedom, -2 * unit);
    result.standard_error = sqrt(result.variance / effective_count);
  } else {
    constexpr int y_digits = digits_of<T>(1);
    constexpr int yy_digits = digits_of<T>(2);
    const auto count = wide_of(result.count);
    wide_integer<y_digits> y;
    read_sum(own, num_slots, at::y, y);
    result.mean = quotient_of(y, count, -unit);
    if (result.count < 2) return result;
    wide_integer<yy_digits> yy;
    wide_integer<yy_digits + 2> spread;  // n Q - S^2
    wide_integer<2 * y_digits> square;
    read_sum(own, num_slots, at::yy, yy);
    multiply(count, yy, spread);
    multiply(y, y, square);
    subtract(spread, square);
    wide_integer<4> freedom;
    multiply(count, wide_of(result.count - 1), freedom);
    result.variance = quotient_of(spread, freedom, -2 * unit);
    result.standard_error = sqrt(result.variance / static_cast<double>(result.count));
  }
  return result;
}

}  // namespace zcmoe::detail
