// Edges from samples alone, by an estimate of the optimal point density, and the merging of
// segments that hold too few rows. include/zcmoe/zcmoe.h documents the former as
// zcmoe_segment_optimal_from_data.
#pragma once

#include "host/segmentation/edges.hpp"

#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

edge_table plug_in_edges(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                         std::int64_t n, std::int64_t num_segments,
                         const zcmoe_plug_in_options& options);
/// The cuts that stay when every segment is to hold min_count rows. below[i] is the number of rows
/// below cut i, the outer cuts included. Short segments are joined from left to right; rows before
/// a segment that is full by itself are given to the neighbour with fewer rows.
std::vector<std::size_t> cuts_kept(const std::vector<std::int64_t>& below, double min_count);

}  // namespace zcmoe::detail
