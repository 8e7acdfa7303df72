// The host form of a fit state: exact sums out of an engine's memory in canonical digits, which is
// what is serialised, and back again.
#pragma once

#include "host/engine/backend.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// A state on the host in canonical form: what is serialised. Planes that are zero at both ends of
/// a sum are left out.
struct host_state {
  struct sum {
    int first;                         // first kept plane, counted from the sum's lowest
    std::vector<std::int64_t> planes;  // [kept planes][num_slots]
  };
  std::vector<std::int64_t> counters;  // [num_row_counters], pending 0
  std::vector<std::int64_t> counts;    // [num_slots]
  std::vector<sum> sums;               // in plane order: y, yy or w, ww, wy, wyy
};

/// Name, first plane and number of planes of each sum of a layout, in plane order.
struct sum_extent {
  const char* name;
  int first;
  int digits;
};
std::vector<sum_extent> sum_extents(const state_layout& layout);

/// `state`: layout.bytes() in the engine's memory.
host_state download(const backend& engine, const state_layout& layout, const std::int64_t* state,
                    zcmoe_stream stream);
/// Replaces the sums; sizes must fit the layout (checked by the caller that parsed them).
void upload(backend& engine, const state_layout& layout, const host_state& from,
            std::int64_t* state, zcmoe_stream stream);

}  // namespace zcmoe::detail
