// The edges of a table as an engine compares with them: from the policies and float64 edges of a
// model to thresholds in the type of the inputs, and the slot of each rank.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The edges as an engine compares with them, in the type of its inputs: rank(x) = number of
/// thresholds <= x, whatever the closed side, whether ranges are clamped or not. T float or double;
/// every narrower input widens to float exactly. Strictly increasing: edges that no T can tell
/// apart share a threshold, hence the list of slots.
template <class T>
struct threshold_list {
  std::vector<T> thresholds;
  std::vector<std::int32_t> slot_of_rank;  // [thresholds.size() + 1]
  std::int32_t nan_slot;
  bool slots_are_ranks;  // slot_of_rank[r] == r
  T from;                // x is in range if from <= x
  T before;              // and not before <= x
};

/// Of a table whose edges are in host memory; num_segments <= 2^30. O(m).
template <class T>
threshold_list<T> thresholds_of(const model_view& view);

}  // namespace zcmoe::detail
