// Exact sums at the speed of integers: while targets fit a window of exponents, their sums by slot
// are a few machine words; `flush` adds them to the digits of a fit state. A target that the window
// cannot hold exactly goes to the state itself, so windows decide speed, never a result.
#pragma once

#include "moments.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

/// Targets as integers, y = fixed * 2^-shift with |fixed| < limit.
template <class T>
struct target_window {
  static constexpr int fixed_bits = sizeof(T) == 4 ? 38 : 60;
  static constexpr std::int64_t limit = std::int64_t{1} << fixed_bits;
  int shift = 0;
  double scale = 0.0;  // 2^shift; 0: no window, nothing fits

  /// Room for twice the largest of the finite targets given; none where its scale is no double.
  static target_window around(double largest) {
    int exponent = 0;
    std::frexp(largest, &exponent);  // largest < 2^exponent
    target_window window;
    window.shift = largest > 0 ? std::min(fixed_bits - 1 - exponent, float_format<T>::unit) : 0;
    window.scale = std::abs(window.shift) <= 1000 ? std::ldexp(1.0, window.shift) : 0.0;
    return window;
  }
  /// True, and the integer, if the window holds y exactly; false for NaN.
  bool holds(double y, std::int64_t& fixed) const {
    const double scaled = y * scale;
    if (!(std::abs(scaled) < static_cast<double>(limit)) || scale == 0.0) return false;
    fixed = static_cast<std::int64_t>(scaled);
    return static_cast<double>(fixed) == scaled && (fixed != 0 || y == 0.0);  // no underflow
  }
};

/// Sums of one slot in a window, of fewer than max_rows rows. Nothing carries from word to word, so
/// that one vector of words is added for a row: stores, not sums, set the pace. fixed = upper 2^23
/// + lower, 0 <= lower < 2^23.
template <class T>
struct window_sums;

template <>
struct alignas(32) window_sums<float> {
  static constexpr std::int64_t max_rows = std::int64_t{1} << 17;
  static constexpr int split = 23;
  static constexpr int count_shift = 47;  // upper^2 <= 2^30
  std::int64_t y;
  std::uint64_t upper2_and_count;
  std::int64_t mixed;    // 2 upper lower
  std::uint64_t lower2;  // lower^2 < 2^46

  void add(std::int64_t fixed) {
    const std::int64_t lower = fixed & ((std::int64_t{1} << split) - 1);
    const std::int64_t upper = (fixed - lower) / (std::int64_t{1} << split);
    y += fixed;
    upper2_and_count +=
        static_cast<std::uint64_t>(upper * upper) + (std::uint64_t{1} << count_shift);
    mixed += 2 * upper * lower;
    lower2 += static_cast<std::uint64_t>(lower * lower);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(upper2_and_count >> count_shift); }
  scaled_natural<4> sum_y(int shift) const {
    const std::uint64_t size = static_cast<std::uint64_t>(y < 0 ? -y : y);
    return {{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size >> 32), 0, 0},
            float_format<float>::unit - shift,
            y < 0};
  }
  scaled_natural<6> sum_yy(int shift) const {
    const std::uint64_t upper2 = upper2_and_count & ((std::uint64_t{1} << count_shift) - 1);
    const uint128 yy = (static_cast<uint128>(upper2) << (2 * split)) +
                       static_cast<uint128>(static_cast<int128>(mixed) * (1 << split)) + lower2;
    scaled_natural<6> sum{{}, 2 * (float_format<float>::unit - shift), false};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(yy >> (32 * k));
    return sum;
  }
};

template <>
struct window_sums<double> {
  static constexpr std::int64_t max_rows = std::int64_t{1} << 22;
  static constexpr int count_shift = 32;  // fixed^2 < 2^120, their sum < 2^142
  std::uint64_t y_low;
  std::int64_t y_high;
  std::uint64_t yy_low;
  std::uint64_t yy_middle;
  std::uint64_t yy_high;

  void add(std::int64_t fixed) {
    const uint128 y = ((static_cast<uint128>(y_high) << 64) | y_low) +
                      static_cast<uint128>(static_cast<int128>(fixed));
    y_low = static_cast<std::uint64_t>(y);
    y_high = static_cast<std::int64_t>(y >> 64);
    const uint128 square = static_cast<uint128>(static_cast<int128>(fixed) * fixed);
    const uint128 before = (static_cast<uint128>(yy_middle) << 64) | yy_low;
    const uint128 yy = before + square;
    yy_low = static_cast<std::uint64_t>(yy);
    yy_middle = static_cast<std::uint64_t>(yy >> 64);
    yy_high += (std::uint64_t{1} << count_shift) + (yy < before ? 1 : 0);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(yy_high >> count_shift); }
  scaled_natural<4> sum_y(int shift) const {
    const bool negative = y_high < 0;
    const uint128 y = (static_cast<uint128>(y_high) << 64) | y_low;
    const uint128 size = negative ? -y : y;
    scaled_natural<4> sum{{}, float_format<double>::unit - shift, negative};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(size >> (32 * k));
    return sum;
  }
  scaled_natural<6> sum_yy(int shift) const {
    return {{static_cast<std::uint32_t>(yy_low), static_cast<std::uint32_t>(yy_low >> 32),
             static_cast<std::uint32_t>(yy_middle), static_cast<std::uint32_t>(yy_middle >> 32),
             static_cast<std::uint32_t>(yy_high), 0},
            2 * (float_format<double>::unit - shift),
            false};
  }
};

/// The words of every slot, several copies of each where slots are few: rows in turn use different
/// ones, so that a slot that most rows fall into does not wait for itself. One slot more than the
/// state has takes what must not count.
template <class T>
class slot_sums {
 public:
  static int copies_for(std::int64_t num_slots) {
    return num_slots <= 72 ? 8 : num_slots <= 140 ? 4 : num_slots <= 520 ? 2 : 1;
  }
  static std::size_t bytes(std::int64_t num_slots) {
    return static_cast<std::size_t>(num_slots + 1) *
           static_cast<std::size_t>(copies_for(num_slots)) * sizeof(window_sums<T>);
  }

  /// `memory` has bytes(num_slots) zero bytes; `planes` are a state's.
  slot_sums(void* memory, std::int64_t num_slots, std::int64_t* planes)
      : sums_(static_cast<window_sums<T>*>(memory)),
        num_slots_(num_slots),
        copies_(copies_for(num_slots)),
        planes_(planes) {}

  target_window<T> window;

  std::uint32_t ignored_slot() const { return static_cast<std::uint32_t>(num_slots_); }
  /// The copies for rows k, k + 1, ..., over and over.
  template <std::size_t Count>
  void get_copies(window_sums<T>* (&copy)[Count]) {
    for (std::size_t k = 0; k < Count; ++k)
      copy[k] = sums_ + static_cast<std::int64_t>(k) % copies_ * (num_slots_ + 1);
  }
  /// Makes room for `rows` more in every slot.
  void reserve(std::int64_t rows) {
    if (rows_ + rows > window_sums<T>::max_rows / 2) {
      // Every slot has less than half of what it can hold before these rows and the ones to come.
      flush(window_sums<T>::max_rows / 2 - 1);
      rows_ = 0;
    }
    rows_ += rows;
  }
  void set_window(const target_window<T>& next) {
    flush(0);
    window = next;
  }
  /// Adds the sums of slots with more than `most` rows to the state and clears them. A slot adds at
  /// most as many pieces as it has rows.
  void flush(std::int64_t most) {
    using at_plane = sum_planes<T, false>;
    for (int copy = 0; copy < copies_; ++copy) {
      window_sums<T>* const sums = sums_ + copy * (num_slots_ + 1);
      sums[num_slots_] = {};
      for (std::int64_t slot = 0; slot < num_slots_; ++slot) {
        window_sums<T>& own = sums[slot];
        const std::int64_t count = own.count();
        if (count <= most) continue;
        std::int64_t* const digits = planes_ + slot;
        const auto add = [&](int plane, std::int64_t piece) {
          if (piece != 0) digits[plane * num_slots_] += piece;
        };
        add(at_plane::count, count);
        deposit(own.sum_y(window.shift), at_plane::y, add);
        deposit(own.sum_yy(window.shift), at_plane::yy, add);
        own = {};
      }
    }
  }

 private:
  window_sums<T>* sums_;
  std::int64_t num_slots_;
  int copies_;
  std::int64_t* planes_;
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::detail
