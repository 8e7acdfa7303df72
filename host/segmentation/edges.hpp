// Tables of edges: m + 1 strictly increasing finite float64 numbers, made by the edge builders of
// this room (zcmoe.h documents them one by one) or given from outside and checked here. Builders
// run on the host in one thread, so the bits are the same everywhere.
#pragma once

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

using edge_table = std::vector<double>;

/// Throws INVALID_ARGUMENT unless the num_segments + 1 edges are finite and strictly increasing.
/// The error names the first bad index as `edges[i]`.
void check_edges(const double* edges, std::int64_t num_segments);

/// The edges of one segment that holds `value` alone, [value, next double above). At the largest
/// double, which has none above it, the segment ends there instead.
edge_table single_value_edges(double value);

}  // namespace zcmoe::detail
