/// @file
/// zcmoe::model_view: a small copyable view of a model for any host or device code, such as a
/// kernel of your own. slot_of() defines which segment an input belongs to: the engines route by
/// tables that tests compare with it.
///
/// @code
///   zcmoe_model_view tables = ZCMOE_MODEL_VIEW_INIT;
///   zcmoe_model_get_view(model, &tables);                // once, on the host
///   my_kernel<<<...>>>(zcmoe::model_view{tables}, ...);  // in the kernel: y = view.value_at(x)
/// @endcode
///
/// Compiles with any C++17 compiler, with or without nvcc. The view does not own its tables: keep
/// the model alive. Nothing here allocates, waits or throws.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cmath>
#include <cstdint>

/// Marks functions for the host and, under nvcc, for the device.
#if defined(__CUDACC__)
#define ZCMOE_HOST_DEVICE __host__ __device__
#else
#define ZCMOE_HOST_DEVICE
#endif

namespace zcmoe {

/// @name Slots
/// The slots of a table: those of its segments, 0 .. num_segments - 1, then three for inputs that
/// no segment takes. What has one entry a slot is sized and addressed with these.
/// @{

/// How many slots a table has.
/// @param num_segments  m
/// @return m + 3
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_slots_of(Integer num_segments) {
  return num_segments + 3;
}
/// The slot of NaN inputs.
/// @param num_segments  m
/// @return m
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer nan_slot_of(Integer num_segments) {
  return num_segments;
}
/// The slot of inputs below the range, where the policy sets these aside.
/// @param num_segments  m
/// @return m + 1
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer below_slot_of(Integer num_segments) {
  return num_segments + 1;
}
/// The slot of inputs above the range, likewise.
/// @param num_segments  m
/// @return m + 2
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer above_slot_of(Integer num_segments) {
  return num_segments + 2;
}

/// @}

/// What a line answers.
/// @param line  of the slot of the input
/// @param x     the input; NaN is taken as line.from
/// @return value + slope * (x - from), x drawn to [from, to] first; rounded as zcmoe_line says
ZCMOE_HOST_DEVICE inline double value_of(const zcmoe_line& line, double x) {
  const double inside = x > line.from ? (x < line.to ? x : line.to) : line.from;
  const double value = fma(line.slope, inside - line.from, line.value);
  return value == value ? value : line.value;  // the NaN of the model, not that of the processor
}

/// A zcmoe_model_view that routes and predicts.
struct model_view : zcmoe_model_view {
  /// Finds the slots of Count inputs: the segments that take them, or the slots of NaN and, where
  /// the range policy sets these aside, of inputs below and above the range.
  ///
  /// Segment i is [a_i, a_{i+1}) (left-closed) or (a_i, a_{i+1}]. -0.0 equals 0.0; infinities are
  /// ordinary. Exact: x is compared with float64 edges. Cost: log2 m steps, the same for every
  /// input, so that the searches of a batch overlap.
  /// @param[in]  x      inputs
  /// @param[out] slots  0 to m + 2
  template <int Count>
  ZCMOE_HOST_DEVICE void slots_of(const double (&x)[Count], std::int64_t (&slots)[Count]) const {
    for (int k = 0; k < Count; ++k) slots[k] = 0;  // interior edges known to lie left of x
    if (closed_side == ZCMOE_CLOSED_LEFT) {
      search([](double edge, double input) { return edge <= input; }, x, slots);
    } else {
      search([](double edge, double input) { return edge < input; }, x, slots);
    }
    for (int k = 0; k < Count; ++k) {
      const double input = x[k];
      if (input != input) {
        slots[k] = nan_slot_of(num_segments);
      } else if (range_policy != ZCMOE_RANGE_CLAMP) {
        if (is_below(input)) slots[k] = below_slot_of(num_segments);
        if (is_above(input)) slots[k] = above_slot_of(num_segments);
      }
    }
  }

  /// Finds the slot of one input.
  /// @param x  the input
  /// @return as slots_of()
  ZCMOE_HOST_DEVICE std::int64_t slot_of(double x) const {
    const double input[1] = {x};
    std::int64_t slot[1];
    slots_of(input, slot);
    return slot[0];
  }

  /// Finds the segment of one input, numbered as zcmoe_predict() does.
  /// @param x  the input
  /// @return 0 to m - 1; m to m + 2 for segments of their own; -1 where there is no segment
  ZCMOE_HOST_DEVICE std::int64_t segment_of(double x) const { return segment_of_slot(slot_of(x)); }

  /// Numbers the segment of a slot as zcmoe_predict() does.
  /// @param slot  0 to m + 2
  /// @return the slot, or -1 where it is no segment
  ZCMOE_HOST_DEVICE std::int64_t segment_of_slot(std::int64_t slot) const {
    if (slot < num_segments) return slot;
    const bool own = slot == nan_slot_of(num_segments) ? nan_policy == ZCMOE_NAN_SEGMENT
                                                       : range_policy == ZCMOE_RANGE_SEGMENTS;
    return own ? slot : -1;
  }

  /// Predicts for one input.
  /// @param x  the input
  /// @return the constant of its slot, or what the slot's line gives
  ZCMOE_HOST_DEVICE double value_at(double x) const {
    const std::int64_t slot = slot_of(x);
    return lines != nullptr ? value_of(lines[slot], x) : constants[slot];
  }

  /// Whether an input lies below the range, whatever the policy.
  /// @param x  the input
  /// @return false for NaN
  ZCMOE_HOST_DEVICE bool is_below(double x) const {
    const double first = edges[0];
    return closed_side == ZCMOE_CLOSED_LEFT || include_outer_edge != 0 ? x < first : x <= first;
  }
  /// Whether an input lies above the range, whatever the policy.
  /// @param x  the input
  /// @return false for NaN
  ZCMOE_HOST_DEVICE bool is_above(double x) const {
    const double last = edges[num_segments];
    return closed_side == ZCMOE_CLOSED_RIGHT || include_outer_edge != 0 ? x > last : x >= last;
  }

 private:
  /// Adds to each slot the number of interior edges left of its input. Halves the edges left; when
  /// their number is even, one that is known to lie right of x may be looked at again, which lets
  /// the number of steps depend on m alone.
  template <int Count, class IsLeft>
  ZCMOE_HOST_DEVICE void search(IsLeft is_left, const double (&x)[Count],
                                std::int64_t (&slots)[Count]) const {
    for (std::int64_t left = num_segments - 1; left > 0;) {
      const std::int64_t half = (left + 1) / 2;
      for (int k = 0; k < Count; ++k) {
        slots[k] += is_left(edges[slots[k] + half], x[k]) ? half : 0;
      }
      left -= half;
    }
  }
};

}  // namespace zcmoe
