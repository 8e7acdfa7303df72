// The edges of a table as an engine compares with them: from the policies and float64 edges of a
// model to thresholds in the type of the inputs, and the slot of each rank.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The edges as an engine compares with them, in T, the type of its inputs: float, to which every
/// narrower type widens exactly, or double. The rank of an input is the number of thresholds <= x,
/// whatever the closed side and the range policy, and slot_of_rank leads from it to a slot.
/// Thresholds increase strictly. Edges that no T tells apart share one, so that a rank may skip
/// slots: between the float64 edges 1 + 2^-40 and 1 + 2^-39 lies no float, and the slot of that
/// segment has no rank.
template <class T>
struct threshold_list {
  std::vector<T> thresholds;
  std::vector<std::int32_t> slot_of_rank;  // [thresholds.size() + 1]
  std::int32_t nan_slot;
  bool slots_are_ranks;  // slot_of_rank[r] == r
  T from;                // the least x in the range
  T before;              // the least x above the range
};

/// Of a table whose edges are in host memory; num_segments <= 2^30. O(m).
template <class T>
threshold_list<T> thresholds_of(const model_view& view);

}  // namespace zcmoe::detail
