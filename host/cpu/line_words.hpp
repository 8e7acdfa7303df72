// The further sums of experts that are lines (host/experts/line.hpp) in machine words: a second
// table beside that of slot_sums.hpp, to which the same rows are added, batch by batch. Windows are
// those of anchored_sums.hpp; rows whose targets these do not hold go to the state itself.
#pragma once

#include "host/cpu/anchored_sums.hpp"
#include "host/cpu/slot_sums.hpp"
#include "host/experts/line.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// The words of one slot. A position t is a whole number of at most 2^31. Its square is split at
/// bit 40. Its product with a target is split into digits of 36 bits, in units of the window, each
/// with the bits of its anchors (target_window). The last two words are the extremes of the state's
/// planes, which are raised and not added up.
struct alignas(64) line_words {
  static constexpr int num_words = 8;
  static constexpr int first_extreme = 6;
  static constexpr int square_split = 40;
  static constexpr int count_shift = 42;
  static constexpr int digit_bits = 36;
  /// Rows that the words of a slot have room for: the upper part of a square is below 2^23, and
  /// this many of them stay below the count.
  static constexpr std::int64_t max_rows = std::int64_t{1} << 19;

  std::uint64_t t;
  std::uint64_t square_high;  // the sum of t^2 >> 40, and the number of rows from bit 42 on
  std::uint64_t square_low;
  std::uint64_t product[3];  // the lowest digit first
  std::int64_t lowest;
  std::int64_t highest;

  std::int64_t num_rows() const { return static_cast<std::int64_t>(square_high >> count_shift); }
  void add(const line_words& other) {
    t += other.t;
    square_high += other.square_high;
    square_low += other.square_low;
    for (int k = 0; k < 3; ++k) product[k] += other.product[k];
    lowest = std::max(lowest, other.lowest);
    highest = std::max(highest, other.highest);
  }
};

/// The anchors of a product's digits, and how many of each a row adds: of a float target, which is
/// one number, one for each of two digits; of a double, which is a high and a low part, two for the
/// middle digit.
template <class T>
struct product_anchors {
  static constexpr std::uint64_t of_a_row[3] = {1, sizeof(T) == 4 ? 1 : 2, sizeof(T) == 4 ? 0 : 1};
  double digit[3];

  explicit product_anchors(const target_window<T>& window) {
    for (int k = 0; k < 3; ++k)
      digit[k] = std::ldexp(1.5, 52 + k * line_words::digit_bits - window.shift);
  }
};

/// Whether products with targets of the window can be added up so. The others are of targets near
/// the largest double.
template <class T>
bool takes_products(const target_window<T>& window) {
  return window.limit > 0 && window.shift > -850;
}

/// The words of all slots, in several copies where these are few, as slot_sums has them, whose own
/// need the rest of the first-level cache.
template <class T, class State>
class line_table {
 public:
  static int copies_shift_for(std::int64_t num_slots) {
    int shift = 0;
    while (shift < 3 && static_cast<std::size_t>(num_slots + 1) * sizeof(line_words)
                                << (shift + 1) <=
                            most_copied) {
      ++shift;
    }
    return shift;
  }
  static std::size_t bytes(std::int64_t num_slots) {
    return (static_cast<std::size_t>(num_slots + 1) << copies_shift_for(num_slots)) *
           sizeof(line_words);
  }

  /// `memory` has bytes(num_slots) zero bytes.
  line_table(void* memory, std::int64_t num_slots, const state_digits& digits)
      : words_(static_cast<line_words*>(memory)),
        num_slots_(num_slots),
        copies_shift_(copies_shift_for(num_slots)),
        digits_(digits) {}

  line_words* data() { return words_; }
  int copies_shift() const { return copies_shift_; }
  /// Makes room for `rows` more in every slot; their targets are in `window`, as those so far are.
  void reserve(std::int64_t rows, const target_window<T>& window) {
    const std::int64_t half = line_words::max_rows / 2;
    if (rows_ + rows > half) {
      flush(half - 1, window);
      rows_ = 0;
    }
    rows_ += rows;
  }
  /// Adds the sums of slots with more than `most` rows to the state and clears them.
  void flush(std::int64_t most, const target_window<T>& window) {
    flush_slots(0, num_slots_, most, window, digits_);
    std::fill_n(words_ + (num_slots_ << copies_shift_), std::size_t{1} << copies_shift_,
                line_words{});
  }
  void flush_slots(std::int64_t first, std::int64_t last, std::int64_t most,
                   const target_window<T>& window, const state_digits& digits) {
    const std::int64_t copies = std::int64_t{1} << copies_shift_;
    for (std::int64_t slot = first; slot < last; ++slot) {
      line_words* const own = words_ + slot * copies;
      std::int64_t count = 0;
      for (std::int64_t c = 0; c < copies; ++c) count += own[c].num_rows();
      if (count <= most) continue;
      line_words sum{};
      for (std::int64_t c = 0; c < copies; ++c) sum.add(own[c]);
      std::fill_n(own, copies, line_words{});
      deposit_words(sum, window, slot, digits);
    }
  }

 private:
  static constexpr std::size_t most_copied = 12 << 10;  // bytes that copies may fill

  static void deposit_words(const line_words& of, const target_window<T>& window, std::int64_t slot,
                            const state_digits& digits) {
    using planes = line_planes<State, false>;
    const auto rows = static_cast<std::uint64_t>(of.num_rows());
    const auto add = [&](int plane, std::int64_t piece) {
      if (piece != 0) digits.add(plane, slot, piece);
    };
    const auto add_number = [&](int128 number, int shift, int plane) {
      const auto size = static_cast<uint128>(number < 0 ? -number : number);
      scaled_natural<4> term{{}, shift, number < 0};
      for (int k = 0; k < 4; ++k) term.word[k] = static_cast<std::uint32_t>(size >> (32 * k));
      deposit(term, plane, add);
    };
    add_number(static_cast<std::int64_t>(of.t), 0, planes::t);
    const std::uint64_t high = of.square_high & ((std::uint64_t{1} << line_words::count_shift) - 1);
    const uint128 square = (static_cast<uint128>(high) << line_words::square_split) + of.square_low;
    add_number(static_cast<int128>(square), 0, planes::tt);
    const product_anchors<T> anchors(window);
    int128 product = 0;
    for (int k = 2; k >= 0; --k) {
      const std::uint64_t all_anchors =
          rows * product_anchors<T>::of_a_row[k] * word_of(anchors.digit[k]);
      const auto digit = static_cast<std::int64_t>(of.product[k] - all_anchors);
      product = product * (int128{1} << line_words::digit_bits) + digit;
    }
    add_number(product, float_format<State>::unit - window.shift, planes::ty);
    digits.raise(planes::lowest, slot, of.lowest);
    digits.raise(planes::highest, slot, of.highest);
  }

  line_words* words_;
  std::int64_t num_slots_;
  int copies_shift_;
  state_digits digits_;
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::detail
