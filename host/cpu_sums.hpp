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
  static constexpr int fixed_bits = sizeof(T) == 4 ? 39 : 60;
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

/// Sums of one slot in a window, at most max_rows of them. The count shares a word with the top of
/// the sum of squares.
template <class T>
struct window_sums;

template <>
struct window_sums<float> {
  static constexpr std::int64_t max_rows = std::int64_t{1} << 22;
  static constexpr int count_shift = 40;  // fixed^2 < 2^78, their sum < 2^100
  std::int64_t y;
  std::uint64_t yy_low;
  std::uint64_t yy_high;

  void add(std::int64_t fixed) {
    add(fixed, static_cast<uint128>(static_cast<int128>(fixed) * fixed), 1);
  }
  void add(std::int64_t sum, uint128 squares, std::uint64_t rows) {
    const uint128 yy = ((static_cast<uint128>(yy_high) << 64) | yy_low) + squares;
    y += sum;
    yy_low = static_cast<std::uint64_t>(yy);
    yy_high = static_cast<std::uint64_t>(yy >> 64) + (rows << count_shift);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(yy_high >> count_shift); }
  scaled_natural<4> sum_y(int shift) const {
    const std::uint64_t size = static_cast<std::uint64_t>(y < 0 ? -y : y);
    return {{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size >> 32), 0, 0},
            float_format<float>::unit - shift,
            y < 0};
  }
  scaled_natural<6> sum_yy(int shift) const {
    const std::uint64_t top = yy_high & ((std::uint64_t{1} << count_shift) - 1);
    return {{static_cast<std::uint32_t>(yy_low), static_cast<std::uint32_t>(yy_low >> 32),
             static_cast<std::uint32_t>(top), static_cast<std::uint32_t>(top >> 32), 0, 0},
            2 * (float_format<float>::unit - shift),
            false};
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
/// ones, so that a slot that most rows fall into does not wait for itself.
template <class T>
class slot_sums {
 public:
  static int copies_for(std::int64_t num_slots) {
    return num_slots <= 400 ? 4 : num_slots <= 1100 ? 2 : 1;
  }
  static std::size_t bytes(std::int64_t num_slots) {
    return static_cast<std::size_t>(num_slots) * static_cast<std::size_t>(copies_for(num_slots)) *
           sizeof(window_sums<T>);
  }

  /// `memory` has bytes(num_slots) zero bytes; `planes` are a state's.
  slot_sums(void* memory, std::int64_t num_slots, std::int64_t* planes)
      : sums_(static_cast<window_sums<T>*>(memory)),
        num_slots_(num_slots),
        copy_mask_(copies_for(num_slots) - 1),
        planes_(planes) {}

  target_window<T> window;

  window_sums<T>& at(std::int64_t slot) { return sums_[slot]; }
  void add(const std::uint32_t* slots, const std::int64_t* fixed, int count) {
    window_sums<T>* const copy[4] = {sums_, sums_ + (1 & copy_mask_) * num_slots_,
                                     sums_ + (2 & copy_mask_) * num_slots_,
                                     sums_ + (3 & copy_mask_) * num_slots_};
    int k = 0;
    for (; k + 4 <= count; k += 4) {
      copy[0][slots[k]].add(fixed[k]);
      copy[1][slots[k + 1]].add(fixed[k + 1]);
      copy[2][slots[k + 2]].add(fixed[k + 2]);
      copy[3][slots[k + 3]].add(fixed[k + 3]);
    }
    for (; k < count; ++k) copy[0][slots[k]].add(fixed[k]);
  }
  /// Makes room for `rows` more in every slot.
  void reserve(std::int64_t rows) {
    if (rows_ + rows > window_sums<T>::max_rows) flush();
    rows_ += rows;
  }
  void set_window(const target_window<T>& next) {
    flush();
    window = next;
  }
  /// Adds all sums to the state and clears them. A slot adds at most as many pieces as it has rows.
  void flush() {
    using at_plane = sum_planes<T, false>;
    for (std::int64_t copy = 0; copy <= copy_mask_; ++copy) {
      for (std::int64_t slot = 0; slot < num_slots_; ++slot) {
        window_sums<T>& own = sums_[copy * num_slots_ + slot];
        const std::int64_t count = own.count();
        if (count == 0) continue;
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
    rows_ = 0;
  }

 private:
  window_sums<T>* sums_;
  std::int64_t num_slots_;
  std::int64_t copy_mask_;
  std::int64_t* planes_;
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::detail
