// Smooth tables of one and of two axes from the sums of rows by cell: penalised least squares,
// (N + lambda D'D) t = s. How smooth a table is to be is decided by cross-validation: the parts of
// the rows are held out in turn. So nothing is supposed of the noise, which may differ from cell to
// cell and have heavy tails. All work is done in a fixed order.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Rows and sums of what they leave by cell, of each part: [parts * cells].
struct cell_sums {
  std::int64_t cells = 0;
  std::vector<double> counts;
  std::vector<double> sums;

  /// Of all parts, or all but one.
  cell_sums total(int without = -1) const;
  int num_parts() const {
    return cells == 0 ? 0 : static_cast<int>(counts.size()) / static_cast<int>(cells);
  }
};

/// How a table of one axis is made smooth.
struct axis_smoothing {
  /// Of the differences that are penalised; 0: the values themselves; -1: no table.
  int order = -1;
  double lambda = 0.0;
  /// Of a table that may jump: the share of each difference in the penalty, else empty.
  std::vector<double> shares;
  /// What the table takes off the sum of squares of rows that it has not seen.
  double gain = 0.0;
};

/// The first `ordered` cells lie along the axis, the others stand alone: `ridge` rows without
/// anything left are added to each of these.
/// Only tables are chosen whose gain is beyond what noise of this variance does by chance.
axis_smoothing choose_smoothing(const cell_sums& sums, std::int64_t ordered, double ridge,
                                double noise);
std::vector<double> smooth_table(const std::vector<double>& counts, const std::vector<double>& sums,
                                 std::int64_t ordered, double ridge, const axis_smoothing& how);

/// The cells of a grid: a row of the first axis after the other, of which the first `ordered` of
/// each axis lie along it.
struct grid_cells {
  std::int64_t sizes[2];
  std::int64_t ordered[2];

  std::int64_t count() const { return sizes[0] * sizes[1]; }
};

struct grid_smoothing {
  int order = 0;  // 1 or 2; 0: no grid
  double lambda[2] = {0.0, 0.0};
  double gain = 0.0;
};

/// The best of few choices, or of many. Only grids are chosen whose gain is beyond what noise of
/// this variance does by chance.
grid_smoothing choose_smoothing(const cell_sums& sums, const grid_cells& cells, double noise,
                                bool thorough);
/// The best of choices near one.
grid_smoothing improved(const grid_smoothing& how, const cell_sums& sums, const grid_cells& cells);
std::vector<double> smooth_grid(const std::vector<double>& counts, const std::vector<double>& sums,
                                const grid_cells& cells, const grid_smoothing& how);
/// The same smoothness for a grid whose axes have this many times as many segments.
grid_smoothing refined(grid_smoothing how, double times_first, double times_second);

}  // namespace zcmoe::detail
