// The number of segments of a table that has so many slots. zcmoe/model_view.hpp numbers the slots:
// those of segments, and three for inputs that no segment takes. Host and device, for any integer
// type.
#pragma once

#include <zcmoe/model_view.hpp>

namespace zcmoe::detail {

template <class Integer>
ZCMOE_HOST_DEVICE constexpr Integer num_segments_of(Integer num_slots) {
  return num_slots - num_slots_of(Integer{0});
}

}  // namespace zcmoe::detail
