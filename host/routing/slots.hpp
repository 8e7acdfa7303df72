// What the slots of a table stand for, without its edges; the slots themselves are numbered in
// zcmoe/model_view.hpp. Host and device.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cstdint>

namespace zcmoe::detail {

/// The way back from the number of slots to that of segments.
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_segments_of(Integer num_slots) {
  return num_slots - num_slots_of(Integer{0});
}

/// The segments of a table, and what becomes of inputs that no segment takes. All that the rest of
/// an engine knows of where inputs go: jobs, outputs and row rules ask this, and never for edges.
struct slot_roles {
  std::int32_t num_segments;
  std::int32_t nan_policy;
  std::int32_t range_policy;

  std::int64_t num_slots() const { return num_slots_of(std::int64_t{num_segments}); }
  /// Segment number as zcmoe_predict reports it: -1 where no segment answers.
  ZCMOE_HOST_DEVICE std::int32_t segment_of(std::int32_t slot) const {
    if (slot < num_segments) return slot;
    const bool is_segment = slot == nan_slot_of(num_segments)
                                ? nan_policy == ZCMOE_NAN_SEGMENT
                                : range_policy == ZCMOE_RANGE_SEGMENTS;
    return is_segment ? slot : -1;
  }
};

inline slot_roles roles_of(const model_view& view) {
  return {static_cast<std::int32_t>(view.num_segments), view.nan_policy, view.range_policy};
}

}  // namespace zcmoe::detail
