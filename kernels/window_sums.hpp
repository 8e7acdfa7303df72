// Sums of float32 targets inside a window of the number line: the eight 32-bit words that a block
// of the sort-free fit (accumulate.cu) keeps of each slot. Data flow: target -> eight digits of 16
// bits
// -> words that add up one digit each -> numbers -> additions to the state's planes. Host and
// device. Method: long accumulator (Kulisch 1971), cut down to a window.
//
// A float32 is y = +-mantissa * 2^shift in units of 2^-149, with a mantissa below 2^24
// (wide_integer.hpp). A window of base b takes targets with shifts b .. b + 8, and zero: in units
// of 2^(b - 149) their magnitude is a whole number below 2^32, and nothing is rounded. A row brings
// eight digits, packed in four pairs of two 16-bit halves:
//   pair 0   1 for the count, and 1 if y is negative
//   pair 1   y modulo 2^32: a negative y is stored as 2^32 - |y|
//   pair 2   the lower 32 bits of y^2
//   pair 3   the upper 32 bits of y^2
// Word 2 p adds up the lower halves of pair p, word 2 p + 1 the upper halves. A digit has no sign
// and is at most 2^16 - 1, so a word takes most_rows = 2^16 rows: 2^16 * (2^16 - 1) < 2^32.
//
// Example: base 126, so that the unit is 2^-23, and two rows with the targets 1.0 and -3.0. Their
// magnitudes are 2^23 = 0x800000 and 3 * 2^23 = 0x1800000.
//   row      pair 0       pair 1       pair 2       pair 3
//    1.0     0x00000001   0x00800000   0x00000000   0x00004000
//   -3.0     0x00010001   0xfe800000   0x00000000   0x00024000
//   words    2, 1         0, 0xff00    0, 0         0x8000, 2
// Pair 1 stands for 0xff00 * 2^16 = 2^32 - 2^24; less one 2^32 for the one negative target this is
// -2^24, which is -2.0. Pair 3 stands for (0x8000 + 2 * 2^16) * 2^32 = 10 * 2^46, which is 10.0.
#pragma once

#include "host/experts/exact_sum.hpp"

#include <cstdint>

namespace zcmoe::detail {

struct window_sums {
  static constexpr int words = 8;
  static constexpr int pairs = words / 2;
  static constexpr int extra_bits = 8;  // of a 32-bit magnitude beyond the mantissa's 24 bits
  static constexpr int num_shifts = extra_bits + 1;
  static constexpr int most_base = float_format<float>::max_shift - extra_bits;
  static constexpr std::int64_t most_rows = std::int64_t{1} << 16;  // that a word can take
  static constexpr int negatives = 1;  // the word that counts the negative targets
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

/// Whether the window of this base takes the target. A shift below the base wraps to a large
/// unsigned number, so one comparison checks both ends.
ZCMOE_HOST_DEVICE inline bool is_inside(const target_bits& target, int base) {
  return static_cast<unsigned>(target.shift - base) <= window_sums::extra_bits ||
         target.mantissa == 0;
}

/// The eight digits that a row brings to the window of this base: digit k is half k % 2, the lower
/// half being 0, of pair[k / 2]. A zero has any shift, hence the "& 31".
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

/// The number, in units of the window, that a sum over rows stands for: `low` and `high` are the
/// summed words 2 p and 2 p + 1, `negatives` the number of negative targets. Each negative target
/// was stored as 2^32 - |y|, so as many 2^32 are taken from pair 1.
ZCMOE_HOST_DEVICE inline std::int64_t window_number(int p, std::int64_t low, std::int64_t high,
                                                    std::int64_t negatives) {
  if (p == 0) return low;
  const std::int64_t sum = low + high * 65536;
  return p == 1 ? sum - negatives * (std::int64_t{1} << 32) : sum;
}

/// What word k of a record adds to the state: `value` to digit plane `plane`, or nothing if the
/// plane is negative. The number of a pair lies across two planes, since its unit is no power of
/// 2^32: the even word gives the lower plane's share, the odd word the rest, with the sign.
/// Example: base 40 puts pair 1 at bit 40, 8 bits above plane y + 1. The number -2 is -512 in the
/// units of that plane: plane y + 1 gets -512 modulo 2^32 = 0xfffffe00, plane y + 2 gets -1.
///
/// Planes do not overflow between two carries: a plane of y^2 gets the upper part of one pair and
/// the lower part of the next, together less than 1.5 * 2^32 per row, and every other plane less
/// than 2^32 per row, so max_pending_rows rows stay below 2^63.
struct window_deposit {
  int plane;
  std::int64_t value;
};

/// The share of word k of the pair that stands for `number`, in a window of this base.
ZCMOE_HOST_DEVICE inline window_deposit deposit_of(int k, std::int64_t number, int base) {
  using planes = sum_planes<float, false>;
  const int p = k / 2;
  if (p == 0) return {k == 0 ? planes::count : -1, number};
  const int shift = p == 1 ? base : 2 * base + (p == 3 ? 32 : 0);
  const int offset = shift & 31;
  const int plane = (p == 1 ? planes::y : planes::yy) + (shift >> 5);
  if (k % 2 != 0)
    return {plane + 1, (number >> (31 - offset)) >> 1};  // number >> 32 - offset, also for offset 0
  return {plane, static_cast<std::int64_t>(
                     static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) << offset))};
}

}  // namespace zcmoe::detail
