// The slots of a table: those of its segments, 0 .. num_segments - 1, then three for inputs that no
// segment takes. model_view::slots_of answers these numbers; everything that has one entry a slot
// is sized and addressed with what is here. Host and device, of any integer type.
#pragma once

#include <zcmoe/model_view.hpp>

namespace zcmoe::detail {

constexpr int num_extra_slots = 3;

template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_slots_of(Integer num_segments) {
  return num_segments + num_extra_slots;
}
template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_segments_of(Integer num_slots) {
  return num_slots - num_extra_slots;
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

}  // namespace zcmoe::detail
