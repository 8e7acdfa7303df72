// Exact sums at the speed of integers: while targets lie in a window of the number line, their sums
// by slot are a few machine words (slot_sums.hpp keeps those of all slots). A target that the
// window cannot hold exactly goes to the state itself, so windows decide speed, never a result.
#pragma once

#include "host/experts/exact_sum.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace zcmoe::detail {

__extension__ typedef __int128 int128;

/// A window holds the targets that are whole multiples of its unit and smaller than 2^bits units.
///
/// A double splits into integers by adding an *anchor*. The anchor of a unit u is 1.5 * 2^52 * u.
/// Doubles between 2^52 u and 2^53 u are spaced u apart, so the sum y + anchor is y rounded to a
/// multiple of u, and the low 51 bits of its representation are that multiple as an integer. The
/// rest, y - ((y + anchor) - anchor), is exact, and is split by the anchor of a smaller unit next.
///
///   u = 1, anchor = 1.5 * 2^52 = 0x4338000000000000 as bits
///   y = 5.25:  y + anchor = 0x4338000000000005 as bits: the integer is 5; the rest is 0.25
///   y = -3:    y + anchor = 0x4337fffffffffffd as bits: minus the anchor's bits, the integer is -3
///
/// So a target and its square come apart into integers of few bits, and sums of targets are sums of
/// integers: adding the representations of n sums y + anchor gives n times the anchor's bits plus
/// the sum of the integers, modulo 2^64.
template <class T>
struct target_window;

template <>
struct target_window<float> {
  static constexpr int most_bits = 44;
  static constexpr int least_bits = 38;
  int bits = most_bits;
  int shift = 0;
  double unit = 0.0;   // 2^-shift
  double limit = 0.0;  // 2^bits units; 0 says that there is no window, and nothing fits
  double y_anchor = 0.0;
  double high_anchor = 0.0;
  double low_anchor = 0.0;

  /// The window for targets below 2^(exponent + 1).
  static target_window around(int exponent, int bits) {
    target_window window;
    window.bits = bits;
    window.shift = std::min(bits - 1 - exponent, float_format<float>::unit);
    window.unit = std::ldexp(1.0, -window.shift);
    window.limit = std::ldexp(window.unit, bits);
    window.y_anchor = std::ldexp(1.5, 52 - window.shift);
    window.high_anchor = std::ldexp(1.5, 52 + bits - 2 * window.shift);
    window.low_anchor = std::ldexp(1.5, 52 - 2 * window.shift);
    return window;
  }
  /// False for NaN.
  bool holds(double y) const { return std::abs(y) < limit && (y + y_anchor) - y_anchor == y; }
};

/// For targets of 53 bits: a target is high * 2^36 + low units, and its square is split into four
/// digits of 36 bits each.
template <>
struct target_window<double> {
  static constexpr int digit_bits = 36;
  static constexpr int most_bits = 2 * digit_bits;
  static constexpr int least_bits = most_bits;
  int shift = 0;
  double limit = 0.0;  // 2^bits units; 0: no window, nothing fits
  double scale = 0.0;  // 2^shift
  double high_anchor = 0.0;
  double low_anchor = 0.0;

  /// The window for targets below 2^(exponent + 1); no window where one of the window's numbers
  /// would be too large or too small for a double.
  static target_window around(int exponent, int bits) {
    target_window window;
    window.shift = bits - 1 - exponent;
    if (window.shift < -900 || window.shift > 1000) return window;
    window.limit = std::ldexp(1.0, bits - window.shift);
    window.scale = std::ldexp(1.0, window.shift);
    window.high_anchor = std::ldexp(1.5, 52 + digit_bits - window.shift);
    window.low_anchor = std::ldexp(1.5, 52 - window.shift);
    return window;
  }
  /// False for NaN.
  bool holds(double y) const {
    const double low = y - ((y + high_anchor) - high_anchor);
    return std::abs(y) < limit && (low + low_anchor) - low_anchor == low;
  }
};

inline std::uint64_t word_of(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// The sums of one slot, of fewer than max_rows rows whose targets a window holds. No word carries
/// into another, so that a row is added by one vector addition and one store; the store sets the
/// pace.
template <class T>
struct anchored_sums;

/// A word is a sum modulo 2^64 of representations y + anchor (see target_window): it holds the sum
/// of the integers and, for every row, once the bits of the anchor, which are subtracted at the
/// end.
template <>
struct alignas(32) anchored_sums<float> {
  std::uint64_t y;
  std::uint64_t
      high;  // the upper part of y^2, in units of 2^bits squared units: below 2^bits per row
  std::uint64_t low;  // the rest of y^2, of either sign, at most 2^(bits - 1) squared units per row
  std::uint64_t count;

  static constexpr std::int64_t max_rows(int bits) { return std::int64_t{1} << (62 - bits); }
  void add(double target, const target_window<float>& window) {
    const double anchored = target * target + window.high_anchor;
    y += word_of(target + window.y_anchor);
    high += word_of(anchored);
    low += word_of((target * target - (anchored - window.high_anchor)) + window.low_anchor);
    ++count;
  }
  void add(const anchored_sums& other) {
    y += other.y;
    high += other.high;
    low += other.low;
    count += other.count;
  }
  std::int64_t num_rows(const target_window<float>&) const {
    return static_cast<std::int64_t>(count);
  }
  /// The sum as an integer in units of 2^-unit; sum_yy is in units of 2^-(2 unit).
  scaled_natural<4> sum_y(const target_window<float>& window, int unit) const {
    const auto sum = static_cast<std::int64_t>(y - count * word_of(window.y_anchor));
    const std::uint64_t size = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
    return {{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size >> 32), 0, 0},
            unit - window.shift,
            sum < 0};
  }
  scaled_natural<6> sum_yy(const target_window<float>& window, int unit) const {
    const auto rest = static_cast<std::int64_t>(low - count * word_of(window.low_anchor));
    const uint128 yy =
        (static_cast<uint128>(high - count * word_of(window.high_anchor)) << window.bits) +
        static_cast<uint128>(static_cast<int128>(rest));
    scaled_natural<6> sum{{}, 2 * (unit - window.shift), false};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(yy >> (32 * k));
    return sum;
  }
};

template <>
struct alignas(64) anchored_sums<double> {
  std::uint64_t y_high;
  std::uint64_t y_low;
  std::uint64_t
      square[4];  // digits of y^2, the highest first, of either sign, at most 2^37 per row
  std::uint64_t count;
  std::uint64_t unused;

  using window_type = target_window<double>;
  /// The anchor of digit k. A square is a rounded product and the rest that rounding left. Only the
  /// product reaches the highest digit; the middle digits take both, with an anchor each; and the
  /// lowest takes the sum of what is left of the two.
  static double square_anchor(int k) {
    return std::ldexp(1.5, 52 + (3 - k) * window_type::digit_bits);
  }
  static constexpr std::uint64_t anchors_of_square[4] = {1, 2, 2, 1};

  static constexpr std::int64_t max_rows(int) { return std::int64_t{1} << 24; }
  void add(double target, const window_type& window) {
    constexpr int bits = window_type::digit_bits;
    const double anchored = target + window.high_anchor;
    const double high = anchored - window.high_anchor;
    const double low = target - high;
    y_high += word_of(anchored);
    y_low += word_of(low + window.low_anchor);
    const auto a = static_cast<std::int64_t>(high * window.scale * 0x1p-36);
    const auto b = static_cast<std::int64_t>(low * window.scale);
    const int128 product[3] = {static_cast<int128>(a) * a, static_cast<int128>(2 * a) * b,
                               static_cast<int128>(b) * b};
    for (int k = 0; k < 3; ++k) {
      square[k] += static_cast<std::uint64_t>(static_cast<std::int64_t>(product[k] >> bits));
      square[k + 1] += static_cast<std::uint64_t>(product[k]) & ((std::uint64_t{1} << bits) - 1);
    }
    for (int k = 0; k < 4; ++k) square[k] += anchors_of_square[k] * word_of(square_anchor(k));
    ++count;
  }
  void add(const anchored_sums& other) {
    y_high += other.y_high;
    y_low += other.y_low;
    for (int k = 0; k < 4; ++k) square[k] += other.square[k];
    count += other.count;
  }
  std::int64_t num_rows(const window_type&) const { return static_cast<std::int64_t>(count); }
  scaled_natural<4> sum_y(const window_type& window, int unit) const {
    const auto high = static_cast<std::int64_t>(y_high - count * word_of(window.high_anchor));
    const auto low = static_cast<std::int64_t>(y_low - count * word_of(window.low_anchor));
    const int128 y = static_cast<int128>(high) * (std::int64_t{1} << window_type::digit_bits) + low;
    const auto size = static_cast<uint128>(y < 0 ? -y : y);
    scaled_natural<4> sum{{}, unit - window.shift, y < 0};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(size >> (32 * k));
    return sum;
  }
  scaled_natural<6> sum_yy(const window_type& window, int unit) const {
    constexpr int bits = window_type::digit_bits;
    uint128 low = 0;  // the lower 128 bits
    std::int64_t carry = 0;
    for (int k = 3; k >= 0; --k) {
      carry += static_cast<std::int64_t>(square[k] -
                                         count * anchors_of_square[k] * word_of(square_anchor(k)));
      const auto digit = static_cast<std::uint64_t>(carry) & ((std::uint64_t{1} << bits) - 1);
      low |= static_cast<uint128>(k > 0 ? digit : static_cast<std::uint64_t>(carry))
             << (3 - k) * bits;
      if (k > 0) carry >>= bits;
    }
    const auto high = static_cast<std::uint64_t>(carry) >> (128 - 3 * bits);
    scaled_natural<6> sum{{}, 2 * (unit - window.shift), false};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(low >> (32 * k));
    for (int k = 0; k < 2; ++k) sum.word[4 + k] = static_cast<std::uint32_t>(high >> (32 * k));
    return sum;
  }
};

constexpr int most_looked_at = 256;  // values from which a window is chosen

/// The exponent (in the sense of frexp) at the upper end of those `span` + 1 neighbouring binades
/// that hold most of the values, of which there are at most most_looked_at. The result is 0 where
/// no value is finite and other than 0.
template <class T>
int best_exponent(const T* values, int count, int span) {
  std::array<int, most_looked_at> exponent;
  int known = 0;
  for (int k = 0; k < count; ++k) {
    if (values[k] != 0 && std::isfinite(values[k])) std::frexp(values[k], &exponent[known++]);
  }
  std::sort(exponent.begin(), exponent.begin() + known);
  int best = 0;
  int most = 0;
  for (int first = 0, end = 0; end < known; ++end) {
    while (exponent[end] - exponent[first] > span) ++first;
    if (end - first + 1 < most) continue;
    most = end - first + 1;
    best = exponent[end];
  }
  return best;
}

/// What slot_sums must know of rows without weights: their window and the words of a slot.
template <class T>
struct plain_rows {
  using number = T;
  using window = target_window<T>;
  using sums = anchored_sums<T>;
  static constexpr bool weighted = false;

  /// How many rows a slot's words have room for, given the bits of a target.
  static constexpr std::int64_t max_rows(int bits) { return sums::max_rows(bits); }
  /// The bits of a target. Targets of many bits fill their words soon, and whenever words may be
  /// full, all slots are looked through. The number chosen makes that at most one slot for 256
  /// rows.
  static int bits_for(std::int64_t num_slots) {
    int bits = window::most_bits;
    while (bits > window::least_bits && max_rows(bits) / 2 < 256 * num_slots) --bits;
    return bits;
  }
  static window window_for(const T* targets, const T*, int count, int bits) {
    const int span = bits - 1 - float_format<T>::mantissa_bits;
    return window::around(best_exponent(targets, count, span), bits);
  }
  /// Adds the words of a slot to the digits of a state, by add(plane, piece).
  template <class State, class Add>
  static void deposit_sums(const sums& of, const window& from, const Add& add) {
    using planes = sum_planes<State, false>;
    constexpr int unit = float_format<State>::unit;
    add(planes::count, of.num_rows(from));
    deposit(of.sum_y(from, unit), planes::y, add);
    deposit(of.sum_yy(from, unit), planes::yy, add);
  }
};

}  // namespace zcmoe::detail
