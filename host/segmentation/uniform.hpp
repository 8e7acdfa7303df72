// Edges of segments of equal width between two numbers, each correctly rounded.
#pragma once

#include "host/segmentation/edges.hpp"

#include <cstdint>

namespace zcmoe::detail {

/// Throws INVALID_ARGUMENT where two neighbours would be the same double.
edge_table uniform_edges(double lo, double hi, std::int64_t num_segments);
/// Fewer segments where edges collapse.
edge_table distinct_uniform_edges(double lo, double hi, std::int64_t num_segments);

}  // namespace zcmoe::detail
