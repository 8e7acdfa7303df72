// Edges of segments of equal width between two numbers, each correctly rounded.
#pragma once

#include "host/segmentation/edges.hpp"

#include <cstdint>

namespace zcmoe::detail {

/// The num_segments + 1 edges. Throws INVALID_ARGUMENT where two neighbours would be the same
/// double.
edge_table uniform_edges(double lo, double hi, std::int64_t num_segments);
/// The same without repeated edges: there are fewer segments where neighbours are the same double.
edge_table distinct_uniform_edges(double lo, double hi, std::int64_t num_segments);

}  // namespace zcmoe::detail
