// The way back from the number of a table's slots to that of its segments; the slots themselves are
// numbered in zcmoe/model_view.hpp. Host and device, of any integer type.
#pragma once

#include <zcmoe/model_view.hpp>

namespace zcmoe::detail {

template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_segments_of(Integer num_slots) {
  return num_slots - num_slots_of(Integer{0});
}

}  // namespace zcmoe::detail
