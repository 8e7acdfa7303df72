// Closed forms about the shapes of cells in several dimensions: normalised moments, the allocation
// of a grid's cells to its axes, rotated cells. include/zcmoe/theory.h documents the functions.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The normalised second moment a dimension of a shape, NaN where it does not exist in d
/// dimensions.
double cell_moment(zcmoe_cell_shape shape, std::int64_t d);

/// Numbers of segments of the axes whose product is at most m, by marginal analysis of the error
/// sum of coefficient / counts^2.
std::vector<std::int64_t> allocated(const std::vector<double>& coefficients, std::int64_t m);

}  // namespace zcmoe::detail
