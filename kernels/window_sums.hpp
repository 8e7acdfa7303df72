// Sums of float32 targets inside a window of the number line, as eight 32-bit words that plain
// 32-bit additions fill: what a block of the sort-free fit keeps in shared memory. Host and device.
//
// A window of base b holds |y| as a natural number below 2^32 in units of the state's 2^b, so y
// with shifts (moments.hpp) b .. b + 8 and zero, nothing rounded. y travels as two digits of 16
// bits with y's sign, y^2 < 2^64 as four without. A word therefore takes most_rows rows:
// 2^15 * (2^16 - 1) < 2^31, and twice that where it has no sign.
#pragma once

#include "host/moments.hpp"

#include <cstdint>

namespace zcmoe::detail {

struct window_sums {
  static constexpr int words = 8;
  static constexpr int extra_bits = 8;  // 32 bits less the mantissa's 24
  static constexpr int num_shifts = extra_bits + 1;
  static constexpr int most_base = float_format<float>::max_shift - extra_bits;
  static constexpr std::int64_t most_rows = std::int64_t{1} << 15;  // a word takes
  /// Words: the count, one unused, the digits of y, of y^2. Pairs (2k, 2k + 1) form one number.
  static constexpr int count = 0;
  static constexpr int y = 2;
  static constexpr int yy = 4;
};

/// A target as bits: |y| * 2^149 = mantissa * 2^shift.
struct target_bits {
  std::uint32_t mantissa;
  int shift;
  std::int32_t sign;  // 1 or -1
};

ZCMOE_HOST_DEVICE inline target_bits split_target(float y) {
  const auto term = decompose(y);
  return {term.word[0], term.shift, term.negative ? -1 : 1};
}

ZCMOE_HOST_DEVICE inline bool is_inside(const target_bits& target, int base) {
  return static_cast<unsigned>(target.shift - base) <= window_sums::extra_bits ||
         target.mantissa == 0;
}

/// The words that a row inside the window of this base adds.
ZCMOE_HOST_DEVICE inline void window_words(const target_bits& target, int base,
                                           std::uint32_t (&word)[window_sums::words]) {
  const std::uint32_t magnitude =
      target.mantissa == 0 ? 0 : target.mantissa << (target.shift - base);
  const std::uint64_t square = static_cast<std::uint64_t>(magnitude) * magnitude;
  const auto low = static_cast<std::uint32_t>(square);
  const auto high = static_cast<std::uint32_t>(square >> 32);
  const auto sign = static_cast<std::uint32_t>(target.sign);
  word[0] = 1;
  word[1] = 0;
  word[2] = (magnitude & 0xffffu) * sign;
  word[3] = (magnitude >> 16) * sign;
  word[4] = low & 0xffffu;
  word[5] = low >> 16;
  word[6] = high & 0xffffu;
  word[7] = high >> 16;
}

/// Word k of a sum as a number: those of y carry a sign.
ZCMOE_HOST_DEVICE inline std::int64_t window_value(int k, std::uint32_t word) {
  return k / 2 == window_sums::y / 2 ? static_cast<std::int64_t>(static_cast<std::int32_t>(word))
                                     : static_cast<std::int64_t>(word);
}

/// What a sum over rows adds to the state, said by word k of a pair that makes the number low +
/// high * 2^16: the even word tells the state's lower digit of it, the odd one what lies above.
/// Plane below 0: nothing. A plane of y^2 gets the upper part of one pair and the lower one of the
/// next, together below 1.5 * 2^32 a row; all other planes less than 2^32 a row: max_pending_rows
/// of them stay below 2^63.
struct window_deposit {
  int plane;
  std::int64_t value;
};

ZCMOE_HOST_DEVICE inline window_deposit deposit_of(int k, std::int64_t pair, int base) {
  using planes = sum_planes<float, false>;
  if (k < window_sums::y) return {k == window_sums::count ? planes::count : -1, pair};
  const bool squares = k >= window_sums::yy;
  const int shift = squares ? 2 * base + (k >= window_sums::yy + 2 ? 32 : 0) : base;
  const int offset = shift & 31;
  const int plane = (squares ? planes::yy : planes::y) + (shift >> 5);
  if (k % 2 != 0) return {plane + 1, (pair >> (31 - offset)) >> 1};  // the sign goes with this part
  return {plane, static_cast<std::int64_t>(
                     static_cast<std::uint32_t>(static_cast<std::uint64_t>(pair) << offset))};
}

}  // namespace zcmoe::detail
