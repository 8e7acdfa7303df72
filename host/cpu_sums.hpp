// Exact sums at the speed of integers: while targets fit a window of exponents, their sums by slot
// are a few machine words; `flush` adds them to the digits of a fit state. A target that the window
// cannot hold exactly goes to the state itself, so windows decide speed, never a result.
#pragma once

#include "moments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace zcmoe::detail {

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

/// Targets that are fewer than 2^bits units in size. Adding 1.5 2^52 of some unit to a double puts
/// it, rounded to that unit, into its low bits as an integer; so for y in units, for y^2 in 2^bits
/// squared units, and for what that rounding left over in squared units, which is exact again: y^2
/// has at most 48 bits.
template <class T>
struct target_window;

template <>
struct target_window<float> {
  static constexpr int most_bits = 44;
  static constexpr int least_bits = 38;
  int bits = most_bits;
  int shift = 0;
  double unit = 0.0;   // 2^-shift
  double limit = 0.0;  // 2^bits units; 0: no window, nothing fits
  double y_anchor = 0.0;
  double high_anchor = 0.0;
  double low_anchor = 0.0;

  /// Room for targets below 2^(exponent + 1).
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

template <>
struct target_window<double> {
  static constexpr int most_bits = 60;
  static constexpr int least_bits = 60;
  int shift = 0;
  double scale = 0.0;  // 2^shift; 0: no window, nothing fits

  /// None where its scale is no double.
  static target_window around(int exponent, int bits) {
    target_window window;
    window.shift = std::min(bits - 1 - exponent, float_format<double>::unit);
    window.scale = std::abs(window.shift) <= 1000 ? std::ldexp(1.0, window.shift) : 0.0;
    return window;
  }
  /// False for what underflows as well.
  bool holds(double y) const {
    const double scaled = y * scale;
    return std::abs(scaled) < 0x1p60 && scale != 0.0 &&
           static_cast<double>(static_cast<std::int64_t>(scaled)) == scaled &&
           (scaled != 0 || y == 0.0);
  }
};

/// Sums of one slot in a window, of fewer than max_rows rows. Nothing carries from word to word, so
/// that one vector of words is added for a row: stores, not sums, set the pace.
template <class T>
struct window_sums;

/// Words modulo 2^64, each with as many anchors as there are rows.
template <>
struct alignas(32) window_sums<float> {
  std::uint64_t y;
  std::uint64_t high;  // of y^2, units of 2^bits squared units: below 2^bits a row
  std::uint64_t low;   // at most 2^(bits - 1) a row, of either sign
  std::uint64_t count;

  static constexpr std::int64_t max_rows(int bits) { return std::int64_t{1} << (62 - bits); }
  static std::uint64_t bits_of(double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
  void add(double target, const target_window<float>& window) {
    const double anchored = target * target + window.high_anchor;
    y += bits_of(target + window.y_anchor);
    high += bits_of(anchored);
    low += bits_of((target * target - (anchored - window.high_anchor)) + window.low_anchor);
    ++count;
  }
  void add(const window_sums& other) {
    y += other.y;
    high += other.high;
    low += other.low;
    count += other.count;
  }
  std::int64_t num_rows() const { return static_cast<std::int64_t>(count); }
  scaled_natural<4> sum_y(const target_window<float>& window) const {
    const auto sum = static_cast<std::int64_t>(y - count * bits_of(window.y_anchor));
    const std::uint64_t size = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
    return {{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(size >> 32), 0, 0},
            float_format<float>::unit - window.shift,
            sum < 0};
  }
  scaled_natural<6> sum_yy(const target_window<float>& window) const {
    const auto rest = static_cast<std::int64_t>(low - count * bits_of(window.low_anchor));
    const uint128 yy =
        (static_cast<uint128>(high - count * bits_of(window.high_anchor)) << window.bits) +
        static_cast<uint128>(static_cast<int128>(rest));
    scaled_natural<6> sum{{}, 2 * (float_format<float>::unit - window.shift), false};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(yy >> (32 * k));
    return sum;
  }
};

template <>
struct window_sums<double> {
  static constexpr int count_shift = 32;  // fixed^2 < 2^120, their sum < 2^142
  std::uint64_t y_low;
  std::int64_t y_high;
  std::uint64_t yy_low;
  std::uint64_t yy_middle;
  std::uint64_t yy_high;

  static constexpr std::int64_t max_rows(int) { return std::int64_t{1} << 22; }
  void add(double target, const target_window<double>& window) {
    const auto fixed = static_cast<std::int64_t>(target * window.scale);
    add(static_cast<uint128>(static_cast<int128>(fixed)),
        static_cast<uint128>(static_cast<int128>(fixed) * fixed), std::uint64_t{1} << count_shift);
  }
  void add(const window_sums& other) { add(other.y(), other.low_yy(), other.yy_high); }
  std::int64_t num_rows() const { return static_cast<std::int64_t>(yy_high >> count_shift); }
  scaled_natural<4> sum_y(const target_window<double>& window) const {
    const bool negative = y_high < 0;
    const uint128 size = negative ? -y() : y();
    scaled_natural<4> sum{{}, float_format<double>::unit - window.shift, negative};
    for (int k = 0; k < 4; ++k) sum.word[k] = static_cast<std::uint32_t>(size >> (32 * k));
    return sum;
  }
  scaled_natural<6> sum_yy(const target_window<double>& window) const {
    return {{static_cast<std::uint32_t>(yy_low), static_cast<std::uint32_t>(yy_low >> 32),
             static_cast<std::uint32_t>(yy_middle), static_cast<std::uint32_t>(yy_middle >> 32),
             static_cast<std::uint32_t>(yy_high), 0},
            2 * (float_format<double>::unit - window.shift),
            false};
  }

 private:
  uint128 y() const { return (static_cast<uint128>(y_high) << 64) | y_low; }
  uint128 low_yy() const { return (static_cast<uint128>(yy_middle) << 64) | yy_low; }
  void add(uint128 more_y, uint128 more_yy, std::uint64_t more_high) {
    const uint128 sum = y() + more_y;
    y_low = static_cast<std::uint64_t>(sum);
    y_high = static_cast<std::int64_t>(sum >> 64);
    const uint128 yy = low_yy() + more_yy;
    yy_low = static_cast<std::uint64_t>(yy);
    yy_middle = static_cast<std::uint64_t>(yy >> 64);
    yy_high += more_high + (yy < more_yy ? 1 : 0);
  }
};

/// The words of every slot, several copies of each, side by side, where slots are few: rows in turn
/// use different ones, so that a slot that most rows fall into does not wait for itself. One slot
/// more than the state has takes what must not count.
template <class T>
class slot_sums {
 public:
  static int copies_shift_for(std::int64_t num_slots) {
    return num_slots <= 72 ? 3 : num_slots <= 264 ? 2 : num_slots <= 520 ? 1 : 0;
  }
  static std::size_t bytes(std::int64_t num_slots) {
    return (static_cast<std::size_t>(num_slots + 1) << copies_shift_for(num_slots)) *
           sizeof(window_sums<T>);
  }
  /// Targets of many bits fill their words soon; every time, all slots are looked through. So that
  /// this is at most one slot for four rows.
  static int window_bits_for(std::int64_t num_slots) {
    int bits = target_window<T>::most_bits;
    while (bits > target_window<T>::least_bits &&
           window_sums<T>::max_rows(bits) / 2 < 4 * num_slots) {
      --bits;
    }
    return bits;
  }

  /// `memory` has bytes(num_slots) zero bytes; `planes` are a state's.
  slot_sums(void* memory, std::int64_t num_slots, std::int64_t* planes)
      : sums_(static_cast<window_sums<T>*>(memory)),
        num_slots_(num_slots),
        copies_shift_(copies_shift_for(num_slots)),
        bits_(window_bits_for(num_slots)),
        planes_(planes) {}

  const target_window<T>& window() const { return window_; }
  std::uint32_t ignored_slot() const { return static_cast<std::uint32_t>(num_slots_); }
  int copies_shift() const { return copies_shift_; }
  /// Copy 0 of slot 0.
  window_sums<T>* data() { return sums_; }
  /// A copy for row k of a batch.
  window_sums<T>& at(std::uint32_t slot, std::uint32_t k) {
    return sums_[(std::size_t{slot} << copies_shift_) + (k & ((1u << copies_shift_) - 1))];
  }
  /// Makes room for `rows` more in every slot.
  void reserve(std::int64_t rows) {
    const std::int64_t half = window_sums<T>::max_rows(bits_) / 2;
    if (rows_ + rows > half) {
      flush(half - 1);  // every slot keeps less than half of what it can hold, these rows the rest
      rows_ = 0;
    }
    rows_ += rows;
  }
  /// Another window: one that holds most of the targets given, or is thought to, which may be any.
  void set_window(const T* targets, int count) {
    std::array<int, most_looked_at> exponent;
    int known = 0;
    for (int k = 0; k < count; ++k) {
      if (targets[k] != 0 && std::isfinite(targets[k])) std::frexp(targets[k], &exponent[known++]);
    }
    flush(0);
    window_ = target_window<T>::around(0, bits_);
    if (known == 0) return;
    // The span of binades, as wide as a window holds with all bits of its targets, with the most.
    const int span = bits_ - 1 - float_format<T>::mantissa_bits;
    std::sort(exponent.begin(), exponent.begin() + known);
    int most = 0;
    for (int first = 0, end = 0; end < known; ++end) {
      while (exponent[end] - exponent[first] > span) ++first;
      if (end - first + 1 < most) continue;
      most = end - first + 1;
      window_ = target_window<T>::around(exponent[end], bits_);
    }
  }
  static constexpr int most_looked_at = 256;

  /// Adds the sums of slots with more than `most` rows to the state and clears them. A slot adds at
  /// most as many pieces as it has rows.
  void flush(std::int64_t most) {
    using at_plane = sum_planes<T, false>;
    const std::int64_t copies = std::int64_t{1} << copies_shift_;
    for (std::int64_t slot = 0; slot < num_slots_; ++slot) {
      window_sums<T>* const own = sums_ + slot * copies;
      std::int64_t count = 0;
      for (std::int64_t c = 0; c < copies; ++c) count += own[c].num_rows();
      if (count <= most) continue;
      window_sums<T> sum{};
      for (std::int64_t c = 0; c < copies; ++c) sum.add(own[c]);
      std::fill_n(own, copies, window_sums<T>{});
      std::int64_t* const digits = planes_ + slot;
      const auto add = [&](int plane, std::int64_t piece) {
        if (piece != 0) digits[plane * num_slots_] += piece;
      };
      add(at_plane::count, count);
      deposit(sum.sum_y(window_), at_plane::y, add);
      deposit(sum.sum_yy(window_), at_plane::yy, add);
    }
    std::fill_n(sums_ + num_slots_ * copies, copies, window_sums<T>{});
  }

 private:
  window_sums<T>* sums_;
  std::int64_t num_slots_;
  int copies_shift_;
  int bits_;
  target_window<T> window_;
  std::int64_t* planes_;
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::detail
