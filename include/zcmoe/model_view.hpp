// zcmoe::model_view: a small copyable view of a model for any host or device code, such as a kernel
// of your own. Its slots_of() defines which segment an input belongs to. The engines do not call
// it: they find segments faster, by routing tables built from the same edges and policies, and are
// tested to give the same segment for every input.
//
// clang-format off
//   zcmoe_model_view tables = ZCMOE_MODEL_VIEW_INIT;
//   zcmoe_model_get_view(model, &tables);                // once, on the host
//   my_kernel<<<...>>>(zcmoe::model_view{tables}, ...);  // in the kernel: y = view.value_at(x)
// clang-format on
//
// Compiles with any C++17 compiler, with or without nvcc. The view does not own its tables: keep
// the model alive.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstdint>

#if defined(__CUDACC__)
#define ZCMOE_HOST_DEVICE __host__ __device__
#else
#define ZCMOE_HOST_DEVICE
#endif

namespace zcmoe {

// The slots of a table: those of its segments, 0 .. num_segments - 1, then three for inputs that no
// segment takes. What has one entry a slot is sized and addressed with these.

template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_slots_of(Integer num_segments) {
  return num_segments + 3;
}
/// Of NaN inputs.
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer nan_slot_of(Integer num_segments) {
  return num_segments;
}
/// Of inputs below the range, where the policy sets these aside.
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer below_slot_of(Integer num_segments) {
  return num_segments + 1;
}
/// Of inputs above the range, likewise.
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer above_slot_of(Integer num_segments) {
  return num_segments + 2;
}

struct model_view : zcmoe_model_view {
  /// Slots of Count inputs: the segments that take them, or the slots of NaN and, where the range
  /// policy sets these aside, of inputs below and above the range. Segment i is [a_i, a_{i+1})
  /// (left-closed) or (a_i, a_{i+1}]. -0.0 equals 0.0; infinities are ordinary. Exact: x is
  /// compared with float64 edges. Cost: log2 m steps, the same for every input, so that the
  /// searches of a batch overlap.
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

  ZCMOE_HOST_DEVICE std::int64_t slot_of(double x) const {
    const double input[1] = {x};
    std::int64_t slot[1];
    slots_of(input, slot);
    return slot[0];
  }

  /// Segment number as zcmoe_predict reports it: -1 where no segment answers.
  ZCMOE_HOST_DEVICE std::int64_t segment_of(double x) const { return segment_of_slot(slot_of(x)); }

  ZCMOE_HOST_DEVICE std::int64_t segment_of_slot(std::int64_t slot) const {
    if (slot < num_segments) return slot;
    const bool own = slot == nan_slot_of(num_segments) ? nan_policy == ZCMOE_NAN_SEGMENT
                                                       : range_policy == ZCMOE_RANGE_SEGMENTS;
    return own ? slot : -1;
  }

  /// The model's answer.
  ZCMOE_HOST_DEVICE double value_at(double x) const { return constants[slot_of(x)]; }

  /// Below or above the range, whatever the policy; false for NaN.
  ZCMOE_HOST_DEVICE bool is_below(double x) const {
    const double first = edges[0];
    return closed_side == ZCMOE_CLOSED_LEFT || include_outer_edge != 0 ? x < first : x <= first;
  }
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
