// The host form of a fit state: exact sums are copied out of an engine's memory and carried into
// canonical digits, which is what is serialised, and copied back.
#pragma once

#include "host/engine/backend.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// A state in host memory, in canonical form. Planes that are all zero are left out at both ends of
/// a sum.
struct host_state {
  struct sum {
    int first;                         // the first plane kept, counted from the lowest of the sum
    std::vector<std::int64_t> planes;  // [kept planes][num_slots]
  };
  std::vector<std::int64_t> counters;  // [num_row_counters]; counter_pending is 0
  std::vector<std::int64_t> counts;    // [num_slots]
  std::vector<sum> sums;  // in plane order: y, yy, or with weights w, ww, wy, wyy; then of lines
  std::vector<std::int64_t> lowest;   // [num_slots] of a state with lines: its extremes (line.hpp)
  std::vector<std::int64_t> highest;  // likewise
};

/// The name, the first plane and the number of planes of a sum.
struct sum_extent {
  const char* name;
  int first;
  int digits;
};
std::vector<sum_extent> sum_extents(const state_layout& layout);

/// Copies a state of layout.bytes() bytes from the engine's memory.
host_state download(const backend& engine, const state_layout& layout, const std::int64_t* state,
                    zcmoe_stream stream);
/// Replaces the sums of a state in the engine's memory. The caller has checked that the sizes fit
/// the layout.
void upload(backend& engine, const state_layout& layout, const host_state& from,
            std::int64_t* state, zcmoe_stream stream);

}  // namespace zcmoe::detail
