// Tables of edges: m + 1 strictly increasing finite float64 numbers, made by the edge builders of
// this room (zcmoe.h documents them one by one) or given from outside and checked here. Builders
// run on the host in one thread, so the bits are the same everywhere.
#pragma once

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

using edge_table = std::vector<double>;

/// Finite and strictly increasing, at least two; the error names the first bad index as `edges[i]`.
void check_edges(const double* edges, std::int64_t num_segments);

/// One segment that holds `value` alone: [value, next double above), or the segment below the
/// largest double.
edge_table single_value_edges(double value);

}  // namespace zcmoe::detail
