// The leave-one-out error of experts that are lines, for a table of edges and rows in order of x:
// each row answered by the lines that the others give. Sources: Allen 1974 (PRESS).
#pragma once

#include "host/planning/plan_rows.hpp"
#include "host/segmentation/edges.hpp"

#include <cstdint>

namespace zcmoe::detail {

/// Mean squared errors, in squares of the rows' unit.
struct line_errors {
  double linear;
  double interpolate;
};

/// At least two rows, all of them within the edges. O(rows + segments).
line_errors leave_one_out_of_lines(const part& rows, const edge_table& edges,
                                   std::int32_t closed_side);

}  // namespace zcmoe::detail
