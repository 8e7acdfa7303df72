// zcmoe::model_view: a small copyable view of a model for any host or device code, such as a kernel
// of your own. segment_of() is the one place that says which segment an input belongs to; both
// engines call it.
//
// clang-format off
//   zcmoe_model_view tables;
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

struct model_view : zcmoe_model_view {
  /// Slot of an input: its segment 0 .. m-1, or m for NaN, m+1 below and m+2 above the range where
  /// the policies set these aside. Segment i is [a_i, a_{i+1}) (left-closed) or (a_i, a_{i+1}].
  /// -0.0 equals 0.0; infinities are ordinary. Exact: x is compared with float64 edges. Cost: log2
  /// m steps.
  ZCMOE_HOST_DEVICE std::int64_t slot_of(double x) const {
    if (x != x) return num_segments;
    if (range_policy != ZCMOE_RANGE_CLAMP) {
      if (is_below(x)) return num_segments + 1;
      if (is_above(x)) return num_segments + 2;
    }
    std::int64_t segment = 0;  // the number of interior edges that lie left of x
    for (std::int64_t length = num_segments - 1; length > 0;) {
      const std::int64_t half = length - length / 2;
      const double edge = edges[segment + half];
      const bool right = closed_side == ZCMOE_CLOSED_LEFT ? edge <= x : edge < x;
      segment += right ? half : 0;
      length = right ? length - half : half - 1;
    }
    return segment;
  }

  /// Segment number as zcmoe_predict reports it: -1 where no segment answers.
  ZCMOE_HOST_DEVICE std::int64_t segment_of(double x) const { return segment_of_slot(slot_of(x)); }

  ZCMOE_HOST_DEVICE std::int64_t segment_of_slot(std::int64_t slot) const {
    if (slot < num_segments) return slot;
    const bool own = slot == num_segments ? nan_policy == ZCMOE_NAN_SEGMENT
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
};

}  // namespace zcmoe
