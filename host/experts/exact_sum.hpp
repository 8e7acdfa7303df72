// Exact sums of one segment; host and device, shared by both engines.
//
// A sum of floats is one wide integer. It is kept in digits of 32 bits, each in an int64 of its
// own: a term adds its pieces to two to six digits, nothing carries, and integer addition does not
// depend on the order. 2^30 terms fit before the digits must be made canonical (carry). The digits
// cover the whole range of the format and 64 bits above it, so no term is too small or too large to
// be counted. Merging two states is the addition of two int64 arrays.
//
// A digit plane is the array of one digit of one sum, with one int64 per slot. The planes of a
// state are the count, then for each sum of kept_sums its digit planes, the lowest digit first.
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

/// One sum that a state keeps of each slot: over the slot's rows, of w^weights y^targets.
struct kept_sum {
  const char* name;  // in files
  int weights;
  int targets;
};

/// The sums from which constant experts are made (constant.hpp). This list alone says what a state
/// keeps: planes, carrying, merging and files follow it.
template <bool Weighted>
struct kept_sums;
template <>
struct kept_sums<false> {
  static constexpr int count = 2;
  static constexpr kept_sum list[count] = {{"y", 0, 1}, {"yy", 0, 2}};
};
template <>
struct kept_sums<true> {
  static constexpr int count = 4;
  static constexpr kept_sum list[count] = {{"w", 1, 0}, {"ww", 2, 0}, {"wy", 1, 1}, {"wyy", 1, 2}};
};

/// Digits of sum number `index` of the list.
template <class T, bool Weighted>
constexpr int digits_of_sum(int index) {
  const kept_sum& sum = kept_sums<Weighted>::list[index];
  return digits_of<T>(sum.weights + sum.targets);
}
/// Its first plane; of the list's end: the number of planes.
template <class T, bool Weighted>
constexpr int first_plane_of(int index) {
  int plane = 1;
  for (int k = 0; k < index; ++k) plane += digits_of_sum<T, Weighted>(k);
  return plane;
}
/// The first plane of the sum of w^weights y^targets, which must be on the list.
template <class T, bool Weighted>
constexpr int plane_of_power(int weights, int targets) {
  int index = 0;
  while (kept_sums<Weighted>::list[index].weights != weights ||
         kept_sums<Weighted>::list[index].targets != targets) {
    ++index;
  }
  return first_plane_of<T, Weighted>(index);
}

/// The plane where each sum of a state begins, and the number of all planes.
template <class T, bool Weighted>
struct sum_planes;
template <class T>
struct sum_planes<T, false> {
  static constexpr int count = 0;
  static constexpr int y = plane_of_power<T, false>(0, 1);
  static constexpr int yy = plane_of_power<T, false>(0, 2);
  static constexpr int end = first_plane_of<T, false>(kept_sums<false>::count);
};
template <class T>
struct sum_planes<T, true> {
  static constexpr int count = 0;
  static constexpr int w = plane_of_power<T, true>(1, 0);
  static constexpr int ww = plane_of_power<T, true>(2, 0);
  static constexpr int wy = plane_of_power<T, true>(1, 1);
  static constexpr int wyy = plane_of_power<T, true>(1, 2);
  static constexpr int end = first_plane_of<T, true>(kept_sums<true>::count);
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

/// Calls body(first plane, digits) for each sum of a state, from number Index on, in plane order.
template <class T, bool Weighted, int Index = 0, class Body>
void for_each_sum(const Body& body) {
  if constexpr (Index < kept_sums<Weighted>::count) {
    constexpr int first = first_plane_of<T, Weighted>(Index);
    constexpr int digits = digits_of_sum<T, Weighted>(Index);
    body(first, digits);
    for_each_sum<T, Weighted, Index + 1>(body);
  }
}

/// Makes a sum of a slot canonical. Its top digit takes the last carry whole. Only digits that
/// change are written.
inline void carry_sum(std::int64_t* planes, std::int64_t num_slots, std::int64_t slot, int first,
                      int digits) {
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
