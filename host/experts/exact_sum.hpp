// Exact sums of one segment; host and device, shared by both engines.
//
// A sum of floats is one wide integer. It is kept in digits of 32 bits, each in an int64 of its
// own: a term adds its pieces to two to six digits, nothing carries, and integer addition does not
// depend on the order. 2^30 terms fit before the digits must be made canonical (carry). The digits
// cover the whole range of the format and 64 bits above it, so no term is too small or too large to
// be counted. Merging two states is the addition of two int64 arrays.
//
// A digit plane is the array of one digit of one sum, with one int64 per slot. The planes of a
// state, in order, where each sum has digits_of planes, lowest digit first:
//   count | sum y, sum y^2                          without weights
//   count | sum w, sum w^2, sum wy, sum wy^2        with weights
// Method: long accumulator (Kulisch 1971).
#pragma once

#include "host/experts/wide_integer.hpp"

#include <cstdint>

namespace zcmoe::detail {

constexpr int headroom_bits = 64;  // room for 2^63 terms and the sign

/// The number of digits of a sum whose terms are products of `factors` floats.
template <class T>
ZCMOE_HOST_DEVICE constexpr int digits_of(int factors) {
  return (factors * (float_format<T>::mantissa_bits + float_format<T>::max_shift) + headroom_bits +
          31) /
         32;
}

/// The plane where each sum of a state begins, and the number of all planes.
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

/// A digit holds this many terms before it must be made canonical: a piece is below 2^32, so their
/// sum stays below 2^62.
constexpr std::int64_t max_pending_rows = std::int64_t{1} << 30;

/// Adds a term to the sum whose lowest plane is `first`: calls add(plane, signed piece) for each
/// digit that the term touches. Example: the word 0xF0000001 with shift 36 begins at bit 4 of digit
/// 1, so digit 1 gets the piece 0x10 and digit 2 the piece 0xF.
template <int Words, class Add>
ZCMOE_HOST_DEVICE inline void deposit(const scaled_natural<Words>& term, int first, Add&& add) {
  const int offset = term.shift & 31;
  int plane = first + (term.shift >> 5);
  std::uint64_t pair = 0;  // word k in the upper half, word k - 1 in the lower
  for (int k = 0; k <= Words; ++k, ++plane) {
    pair = (pair >> 32) | (k < Words ? static_cast<std::uint64_t>(term.word[k]) << 32 : 0);
    const auto piece = static_cast<std::int64_t>((pair << offset) >> 32);
    add(plane, term.negative ? -piece : piece);
  }
}

/// Adds one sample to the planes of its slot. y and w are finite, w > 0; w is not read unless
/// Weighted.
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

/// Carries one digit: leaves the part of it in [-2^31, 2^31) and returns what goes to the next
/// digit. Example: 2^31 leaves -2^31 and carries 1. Digits carried so from the lowest up are
/// canonical: equal sums have equal digits, and a small sum of either sign has zeros above its
/// first digits, where digits in [0, 2^32) would make -1 a row of 0xFFFFFFFF.
ZCMOE_HOST_DEVICE inline std::int64_t carry_digit(std::int64_t& digit, std::int64_t carry) {
  const std::int64_t value = digit + carry;
  digit = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
  return (value - digit) / (std::int64_t{1} << 32);
}

/// Calls body(first plane, number of digits) for each sum of a state, in plane order.
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

/// Makes every sum of a slot canonical. The top digit of a sum takes the last carry whole. Only
/// digits that change are written.
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

/// Reads the sum in planes [first, first + Digits) of a slot, whether it is canonical or not.
template <int Digits>
ZCMOE_HOST_DEVICE inline void read_sum(const std::int64_t* slot_planes, std::int64_t plane_stride,
                                       int first, wide_integer<Digits>& sum) {
  // The first pass over the digits finds the sign of the sum. The second carries the digits,
  // negated if the sum is negative, into [0, 2^32).
  std::int64_t carry = 0;
  for (int k = 0; k < Digits; ++k) {
    const std::int64_t value = slot_planes[(first + k) * plane_stride] + carry;
    carry = value >> 32;  // rounds down, so that the last carry has the sign of the sum
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

}  // namespace zcmoe::detail
