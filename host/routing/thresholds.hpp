// What an engine compares inputs with: the float64 edges and the policies of a model go in,
// thresholds in the type of the inputs and the slot of each rank come out.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The edges in T, the type that inputs are compared in: float, to which every narrower type widens
/// exactly, or double. The rank of an input is the number of thresholds <= x, whatever the closed
/// side and the range policy, and slot_of_rank leads from it to a slot. Thresholds increase
/// strictly. Edges that no T tells apart share one, so that a rank may skip slots: between the
/// float64 edges 1 + 2^-40 and 1 + 2^-39 lies no float, and the slot of that segment has no rank.
template <class T>
struct threshold_list {
  std::vector<T> thresholds;
  std::vector<std::int32_t> slot_of_rank;  // [thresholds.size() + 1]
  std::int32_t nan_slot;
  bool slots_are_ranks;  // whether slot_of_rank[r] == r for every r
  T from;                // the least x in the range
  T before;              // the least x above the range
};

/// The thresholds of a table whose edges are in host memory; num_segments <= 2^30. Cost O(m).
template <class T>
threshold_list<T> thresholds_of(const model_view& view);

}  // namespace zcmoe::detail
