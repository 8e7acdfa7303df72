// Exact sums of weighted rows at the speed of integers, as anchored_sums.hpp has them for rows
// without weights: of w, w^2, w y and w y^2, in digits of 36 bits, one digit a machine word.
//
//   word  0                      float32: 1 2   3 4   5 6 7     float64: 1  2 .. 5  6 .. 9  10 ..
//   15
//         count, top digit of w           w^2   w y   w y^2              w  w^2     w y     w y^2
//
// A product of doubles is a rounded double and what the rounding left over, which is a double too
// (multiplied and added at once). Both are integers in units of the window, and come apart into
// digits as a target does: adding 1.5 2^52 times the unit of a digit rounds to that unit, what is
// left goes on to the next digit. sum_kernels.cpp does that for a vector of rows at a time.
// Source: error-free transformations (Ogita, Rump, Oishi 2005).
#pragma once

#include "host/cpu/anchored_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// A sum of products: so many digits, from as many parts (doubles that add up to the product), each
/// with its highest digit.
template <int Digits, int Parts>
struct digit_plan {
  static constexpr int digits = Digits;
  static constexpr int parts = Parts;
  int first[Parts];

  /// How many anchors a row leaves in the word of a digit; the last one takes all parts at once.
  constexpr int anchors(int digit) const {
    if (digit == 0) return 1;
    int count = 0;
    for (int part = 0; part < Parts; ++part) count += first[part] >= digit ? 1 : 0;
    return count;
  }
};

/// Numbers of type T have one digit or two. Of a product of numbers of 53 bits each rounding leaves
/// less than 2^-53 of what was rounded, hence where parts begin.
template <class T>
struct weighted_plan;
template <>
struct weighted_plan<float> {
  static constexpr int number_digits = 1;
  static constexpr digit_plan<2, 1> square{{1}};   // w^2 and w y: 48 bits, exact
  static constexpr digit_plan<3, 2> cube{{2, 1}};  // w y^2 = p + e
};
template <>
struct weighted_plan<double> {
  static constexpr int number_digits = 2;
  static constexpr digit_plan<4, 2> square{{3, 2}};      // p + e
  static constexpr digit_plan<6, 4> cube{{5, 4, 4, 2}};  // (p + e) y
};

/// Weights and targets that are multiples of a unit each, targets below 2^(36 digits) of theirs in
/// size, weights below 2^(top_bits + 36 (digits - 1)).
template <class T>
struct weighted_window {
  static constexpr int digit_bits = 36;
  static constexpr int digits = weighted_plan<T>::number_digits;

  int top_bits = digit_bits;
  int weight_shift = 0;  // a weight's unit is 2^-weight_shift
  int target_shift = 0;
  double weight_limit = 0.0;  // 0: no window, nothing fits
  double target_limit = 0.0;
  double weight_anchor[digits] = {};  // by digit, the lowest first; so are the others
  double target_anchor[digits] = {};
  double ww_anchor[2 * digits] = {};
  double wy_anchor[2 * digits] = {};
  double wyy_anchor[3 * digits] = {};

  /// Bit of word 0 from which on rows are counted. Below it is room for the top digits of as many
  /// weights as can be counted above it.
  int count_shift() const { return top_bits + (64 - top_bits) / 2; }
};

/// The words of one slot. Nothing carries from word to word, and anchors are subtracted at the end.
template <class T>
struct alignas(64) weighted_sums {
  static constexpr int num_words = weighted_plan<T>::number_digits * 8;
  std::uint64_t word[num_words];

  std::int64_t num_rows(const weighted_window<T>& window) const {
    return static_cast<std::int64_t>(word[0] >> window.count_shift());
  }
  void add(const weighted_sums& other) {
    for (int k = 0; k < num_words; ++k) word[k] += other.word[k];
  }
};

/// What slot_sums must know of rows with weights: their window and the words of a slot.
template <class T>
struct weighted_rows {
  using number = T;
  using window = weighted_window<T>;
  using sums = weighted_sums<T>;
  static constexpr bool weighted = true;

  /// How many rows a slot's words have room for, given the bits of a weight's top digit.
  static constexpr std::int64_t max_rows(int top_bits) {
    return std::int64_t{1} << (64 - top_bits) / 2;
  }
  /// The bits of a weight's top digit. Whenever words may be full, all slots are looked through.
  /// Fewer bits make that rarer: at most one slot for 32 rows, unless weights of one window would
  /// span fewer than four binades.
  static int bits_for(std::int64_t num_slots) {
    int bits = window::digit_bits;
    while (bits > 28 && max_rows(bits) / 2 < 32 * num_slots) bits -= 2;
    return bits;
  }
  static window window_for(const T* targets, const T* weights, int count, int top_bits) {
    constexpr int rest = (window::digits - 1) * window::digit_bits;
    constexpr int mantissa = float_format<T>::mantissa_bits;
    window made;
    made.top_bits = top_bits;
    const int weight_bits = rest + top_bits;
    const int target_bits = rest + window::digit_bits;
    made.weight_shift = weight_bits - 1 - best_exponent(weights, count, weight_bits - 1 - mantissa);
    made.target_shift = target_bits - 1 - best_exponent(targets, count, target_bits - 1 - mantissa);
    made.weight_shift = std::min(made.weight_shift, float_format<T>::unit);
    made.target_shift = std::min(made.target_shift, float_format<T>::unit);
    // Of doubles, all that is added must be doubles too, and rounding leave no subnormal rest.
    const auto extreme = [](int shift) { return sizeof(T) == 8 && std::abs(shift) > 250; };
    if (extreme(made.weight_shift) || extreme(made.target_shift)) return made;
    made.weight_limit = std::ldexp(1.0, weight_bits - made.weight_shift);
    made.target_limit = std::ldexp(1.0, target_bits - made.target_shift);
    const auto set = [](auto& anchors, int shift) {
      int bits = 52 - shift;
      for (double& anchor : anchors) {
        anchor = std::ldexp(1.5, bits);
        bits += window::digit_bits;
      }
    };
    set(made.weight_anchor, made.weight_shift);
    set(made.target_anchor, made.target_shift);
    set(made.ww_anchor, 2 * made.weight_shift);
    set(made.wy_anchor, made.weight_shift + made.target_shift);
    set(made.wyy_anchor, made.weight_shift + 2 * made.target_shift);
    return made;
  }
  /// Adds the words of a slot to the digits of a state, by add(plane, piece).
  template <class State, class Add>
  static void deposit_sums(const sums& of, const window& from, const Add& add) {
    using planes = sum_planes<State, true>;
    constexpr int unit = float_format<State>::unit;
    constexpr int digits = window::digits;
    const std::int64_t count = of.num_rows(from);
    add(planes::count, count);
    const std::uint64_t* word = of.word;
    const auto deposit_digit = [&](std::uint64_t bits, int shift, int plane) {
      const auto value = static_cast<std::int64_t>(bits);
      const auto size = static_cast<std::uint64_t>(value < 0 ? -value : value);
      deposit(scaled_natural<2>{{static_cast<std::uint32_t>(size),
                                 static_cast<std::uint32_t>(size >> 32)},
                                shift,
                                value < 0},
              plane, add);
    };
    const auto rows = static_cast<std::uint64_t>(count);
    const std::uint64_t top = *word++ & ((std::uint64_t{1} << from.count_shift()) - 1);
    deposit_digit(top, unit - from.weight_shift + (digits - 1) * window::digit_bits, planes::w);
    if (digits == 2) {
      deposit_digit(*word++ - rows * word_of(from.weight_anchor[0]), unit - from.weight_shift,
                    planes::w);
    }
    const auto deposit_all = [&](const auto& plan, const double* anchors, int shift, int plane) {
      for (int digit = plan.digits - 1; digit >= 0; --digit) {
        const std::uint64_t all_anchors =
            rows * static_cast<std::uint64_t>(plan.anchors(digit)) * word_of(anchors[digit]);
        deposit_digit(*word++ - all_anchors, shift + digit * window::digit_bits, plane);
      }
    };
    using plan = weighted_plan<T>;
    deposit_all(plan::square, from.ww_anchor, 2 * (unit - from.weight_shift), planes::ww);
    deposit_all(plan::square, from.wy_anchor, 2 * unit - from.weight_shift - from.target_shift,
                planes::wy);
    deposit_all(plan::cube, from.wyy_anchor, 3 * unit - from.weight_shift - 2 * from.target_shift,
                planes::wyy);
  }
};

}  // namespace zcmoe::detail
