// Centred moments of the rows in each segment of a level of a plan. Such a segment is called a cell
// here, because segments of a coarser level are cells of a finer one joined, and so are not cut
// anew. Merging also puts two parts of the rows together.
#pragma once

#include "host/numbers/centred_moments.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

/// The moments of the rows in each cell, in the order of cells. w is the weight of a row.
struct cell_moments {
  std::vector<std::int64_t> counts;
  std::vector<double> weights;   // sum w
  std::vector<double> squares;   // sum w^2
  std::vector<double> means;     // 0 where the cell has no row
  std::vector<double> scatters;  // sum w (y - mean)^2

  cell_moments() = default;
  explicit cell_moments(std::size_t cells)
      : counts(cells), weights(cells), squares(cells), means(cells), scatters(cells) {}

  std::size_t size() const { return counts.size(); }
  centred_moments at(std::size_t i) const { return {weights[i], means[i], scatters[i]}; }
  void set(std::size_t i, const centred_moments& m) {
    weights[i] = m.weight;
    means[i] = m.mean;
    scatters[i] = m.scatter;
  }
  /// The variance of y among the rows of cell i; NaN where there are fewer than two.
  double variance(std::size_t i) const {
    const double freedom = weights[i] - squares[i] / weights[i];
    return counts[i] > 1 && freedom > 0 ? scatters[i] / freedom
                                        : std::numeric_limits<double>::quiet_NaN();
  }
};

/// The cells of a level whose cell c joins the fine cells cuts[c] .. cuts[c + 1] - 1. The first cut
/// is 0, the last the number of fine cells.
cell_moments joined(const cell_moments& fine, const std::vector<std::size_t>& cuts);
/// The same cells with the rows of a and of b.
cell_moments together(const cell_moments& a, const cell_moments& b);

}  // namespace zcmoe::detail
