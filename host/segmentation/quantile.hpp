// Edges of segments of equal mass: each holds the same number of rows, or the same sum of weights.
// include/zcmoe/zcmoe.h documents the function as zcmoe_segment_quantile.
#pragma once

#include "host/segmentation/edges.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>

namespace zcmoe::detail {

/// Rows whose x is not finite or whose weight is 0 are left out; throws DATA if none is left. There
/// are fewer than num_segments segments where inputs are tied.
edge_table quantile_edges(const zcmoe_array& x, const zcmoe_array& weights, std::int64_t n,
                          std::int64_t num_segments);

}  // namespace zcmoe::detail
