// Edges from samples alone: the compander of an estimated density.
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
/// The cuts that stay when every segment shall hold min_count rows; below[i] = rows below cut i,
/// the outer cuts included. Short segments are joined from left to right, and what stays short
/// before a full segment goes to the neighbour with fewer rows.
std::vector<std::size_t> cuts_kept(const std::vector<std::int64_t>& below, double min_count);

}  // namespace zcmoe::detail
