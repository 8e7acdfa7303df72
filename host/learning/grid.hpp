// Product grids: every axis cut by its own compander, cells numbered in mixed radix.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// How much a sum of banks changes along the axes, by axis and code: sums over the chosen rows of
/// that code of the squared difference that one code makes, in units of constants, and their
/// number. Exact whole numbers, rounded to double once.
struct axis_slopes {
  std::vector<std::vector<double>> squares;       // [axes][slots]
  std::vector<std::vector<std::int64_t>> counts;  // [axes][slots]
};
axis_slopes slopes_of(const std::vector<bank>& pilot, const coded_rows& rows, row_choice train,
                      const run_parts& run);

/// A grid of at most num_cells cells, the constant of a cell its number. Axis j gets m_j segments,
/// about in proportion to the square root of C_j = (sum of (p b_j'^2)^(1/3))^3, cut where that
/// density says: the error of axis j is C_j / (12 m_j^2) (theory.h, 7.2 with companders). The codes
/// of NaN and of inputs outside the range have segments of their own where rows have them.
bank grid_of(const axis_slopes& slopes, const coded_rows& rows, std::int64_t num_cells);

/// Gives each cell without rows the mean of all cells with rows at the least distance, the sum of
/// the differences of their numbers along the axes (L1). Sums are in units of y.
void fill_empty_cells(const bank& grid, const std::vector<std::int64_t>& counts,
                      const std::vector<std::int64_t>& sums, const coded_rows& rows,
                      std::vector<double>& means);

}  // namespace zcmoe::detail
