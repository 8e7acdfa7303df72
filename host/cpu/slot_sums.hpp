// The sums of all slots in machine words, and their way into the digits of a fit state.
#pragma once

#include "host/cpu/weighted_sums.hpp"
#include "host/cpu/anchored_sums.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// The digits of a state's sums, by plane and slot.
struct state_digits {
  std::int64_t* planes;
  std::int64_t num_slots;  // of the state
  bool shared;             // other threads add to the same ones
  bool* used;              // [planes], set by the first addition to each

  void add(int plane, std::int64_t slot, std::int64_t piece) const {
    std::int64_t& digit = planes[plane * num_slots + slot];
    used[plane] = true;
    if (shared) {
      __atomic_fetch_add(&digit, piece, __ATOMIC_RELAXED);
    } else {
      digit += piece;
    }
  }
  /// Makes it at least `value`, in a plane that is no sum.
  void raise(int plane, std::int64_t slot, std::int64_t value) const {
    std::int64_t& extreme = planes[plane * num_slots + slot];
    if (shared) {
      std::int64_t known = __atomic_load_n(&extreme, __ATOMIC_RELAXED);
      while (known < value && !__atomic_compare_exchange_n(&extreme, &known, value, true,
                                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
      }
    } else if (extreme < value) {
      extreme = value;
    }
  }
};

/// The words of every slot, several copies of each, side by side, where slots are few: rows in turn
/// use different ones, so that a slot that most rows fall into does not wait for itself. One slot
/// more than the state has takes what must not count. Rows: plain_rows or weighted_rows; State: the
/// type of the state's sums.
template <class Rows, class State>
class slot_sums {
  using number = typename Rows::number;
  using sums = typename Rows::sums;

 public:
  static int copies_shift_for(std::int64_t num_slots) {
    const auto one = static_cast<std::size_t>(num_slots + 1) * sizeof(sums);
    int shift = 0;
    while (shift < most_copies_shift && (one << (shift + 1)) <= first_cache) ++shift;
    return shift;
  }
  static std::size_t bytes(std::int64_t num_slots) {
    return (static_cast<std::size_t>(num_slots + 1) << copies_shift_for(num_slots)) * sizeof(sums);
  }

  /// Of the first num_slots slots that `digits` has. `memory` has bytes(num_slots) zero bytes. What
  /// words cannot hold any longer goes to `digits`.
  slot_sums(void* memory, std::int64_t num_slots, const state_digits& digits)
      : sums_(static_cast<sums*>(memory)),
        num_slots_(num_slots),
        copies_shift_(copies_shift_for(num_slots_)),
        bits_(Rows::bits_for(num_slots_ << copies_shift_)),
        digits_(digits) {}

  const typename Rows::window& window() const { return window_; }
  std::uint32_t ignored_slot() const { return static_cast<std::uint32_t>(num_slots_); }
  int copies_shift() const { return copies_shift_; }
  /// Copy 0 of slot 0.
  sums* data() { return sums_; }
  sums& at(std::uint32_t slot) { return sums_[std::size_t{slot} << copies_shift_]; }
  /// Makes room for `rows` more in every slot.
  void reserve(std::int64_t rows) {
    const std::int64_t half = Rows::max_rows(bits_) / 2;
    if (rows_ + rows > half) {
      // Every slot keeps less than half of what it can hold; these rows are the other half.
      flush(half - 1, digits_);
      rows_ = 0;
    }
    rows_ += rows;
  }
  /// Another window: one that holds most of the rows given, at most most_looked_at, which may be
  /// any. weights: null unless Rows have some.
  void set_window(const number* targets, const number* weights, int count) {
    flush(0, digits_);
    window_ = Rows::window_for(targets, weights, count, bits_);
  }

  /// No window: it holds no target.
  void close_window() { window_ = {}; }

  /// Adds the sums of slots with more than `most` rows to digits and clears them.
  void flush(std::int64_t most, const state_digits& digits) {
    flush_slots(0, num_slots_, most, digits);
    std::fill_n(sums_ + (num_slots_ << copies_shift_), std::size_t{1} << copies_shift_, sums{});
  }
  /// The same for the slots from first to before last.
  ///
  /// A slot adds at most three pieces to a digit of the state. Over a state's life these are fewer
  /// than its rows, which is what its digits have room for: a call uses words for no fewer rows
  /// than there are slots, of which there are four at least, and flushes all of them once, or more
  /// often by ten thousands of rows.
  void flush_slots(std::int64_t first, std::int64_t last, std::int64_t most,
                   const state_digits& digits) {
    const std::int64_t copies = std::int64_t{1} << copies_shift_;
    for (std::int64_t slot = first; slot < last; ++slot) {
      sums* const own = sums_ + slot * copies;
      std::int64_t count = 0;
      for (std::int64_t c = 0; c < copies; ++c) count += own[c].num_rows(window_);
      if (count <= most) continue;
      sums sum{};
      for (std::int64_t c = 0; c < copies; ++c) sum.add(own[c]);
      std::fill_n(own, copies, sums{});
      Rows::template deposit_sums<State>(sum, window_, [&](int plane, std::int64_t piece) {
        if (piece != 0) digits.add(plane, slot, piece);
      });
    }
  }

 private:
  static constexpr int most_copies_shift = 3;
  static constexpr std::size_t first_cache = 34 << 10;  // what copies may fill of 48 KB; 32 will do

  sums* sums_;
  std::int64_t num_slots_;
  int copies_shift_;
  int bits_;
  typename Rows::window window_;
  state_digits digits_;
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::detail
