// Sums of float32 targets inside a window of the number line, as eight words that 32-bit additions
// fill: what a block of the sort-free fit keeps in shared memory. Host and device.
//
// A window of base b holds |y| as a natural number below 2^32 in units of the state's 2^b, so y
// with shifts (exact_sum.hpp) b .. b + 8 and zero, nothing rounded. A row brings eight digits of 16
// bits, in four pairs of 32: 1 and whether y is negative; y modulo 2^32; y^2. A word sums one digit
// without sign, so it takes most_rows rows: 2^16 * (2^16 - 1) < 2^32.
#pragma once

#include "host/experts/exact_sum.hpp"

#include <cstdint>

namespace zcmoe::detail {

struct window_sums {
  static constexpr int words = 8;
  static constexpr int pairs = words / 2;
  static constexpr int extra_bits = 8;  // 32 bits less the mantissa's 24
  static constexpr int num_shifts = extra_bits + 1;
  static constexpr int most_base = float_format<float>::max_shift - extra_bits;
  static constexpr std::int64_t most_rows = std::int64_t{1} << 16;  // a word takes
  static constexpr int negatives = 1;                               // the word that counts them
};

/// A target as bits: |y| * 2^149 = mantissa * 2^shift.
struct target_bits {
  std::uint32_t mantissa;
  int shift;
  bool negative;
};

ZCMOE_HOST_DEVICE inline target_bits split_target(float y) {
  const auto term = decompose(y);
  return {term.word[0], term.shift, term.negative};
}

ZCMOE_HOST_DEVICE inline bool is_inside(const target_bits& target, int base) {
  return static_cast<unsigned>(target.shift - base) <= window_sums::extra_bits ||
         target.mantissa == 0;
}

/// The digits that a row inside the window of this base brings: digit k is half k % 2 of pair[k /
/// 2].
ZCMOE_HOST_DEVICE inline void window_pairs(const target_bits& target, int base,
                                           std::uint32_t (&pair)[window_sums::pairs]) {
  const std::uint32_t magnitude = target.mantissa << ((target.shift - base) & 31);
  const std::uint64_t square = static_cast<std::uint64_t>(magnitude) * magnitude;
  const bool below = target.negative && magnitude != 0;
  pair[0] = below ? 0x10001u : 1u;
  pair[1] = below ? 0u - magnitude : magnitude;
  pair[2] = static_cast<std::uint32_t>(square);
  pair[3] = static_cast<std::uint32_t>(square >> 32);
}

/// The number that the summed words 2p and 2p + 1 stand for; `negatives`: the word of that name.
ZCMOE_HOST_DEVICE inline std::int64_t window_number(int p, std::int64_t low, std::int64_t high,
                                                    std::int64_t negatives) {
  if (p == 0) return low;
  const std::int64_t sum = low + high * 65536;
  return p == 1 ? sum - negatives * (std::int64_t{1} << 32) : sum;
}

/// What a sum over rows adds to the state, said by word k of the pair that stands for `number`: the
/// even word tells the state's lower digit of it, the odd one what lies above. Plane below 0:
/// nothing. A plane of y^2 gets the upper part of one pair and the lower one of the next, together
/// below 1.5 * 2^32 a row; all other planes less than 2^32 a row: max_pending_rows of them stay
/// below 2^63.
struct window_deposit {
  int plane;
  std::int64_t value;
};

ZCMOE_HOST_DEVICE inline window_deposit deposit_of(int k, std::int64_t number, int base) {
  using planes = sum_planes<float, false>;
  const int p = k / 2;
  if (p == 0) return {k == 0 ? planes::count : -1, number};
  const int shift = p == 1 ? base : 2 * base + (p == 3 ? 32 : 0);
  const int offset = shift & 31;
  const int plane = (p == 1 ? planes::y : planes::yy) + (shift >> 5);
  if (k % 2 != 0)
    return {plane + 1, (number >> (31 - offset)) >> 1};  // the sign goes with this part
  return {plane, static_cast<std::int64_t>(
                     static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) << offset))};
}

}  // namespace zcmoe::detail
