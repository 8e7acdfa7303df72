// Centred moments of the rows in some cells, and their merging: cells of a coarser level are sums
// of finer ones, and parts of the rows add up. Source: Chan, Golub & LeVeque 1983.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

/// Moments of the rows in each of some cells, in order.
struct cell_moments {
  std::vector<std::int64_t> counts;
  std::vector<double> weights;   // sum w
  std::vector<double> squares;   // sum w^2
  std::vector<double> means;     // 0 where there is no row
  std::vector<double> scatters;  // sum w (y - mean)^2

  std::size_t size() const { return counts.size(); }
  /// Of the rows of cell i; NaN below two rows.
  double variance(std::size_t i) const {
    const double freedom = weights[i] - squares[i] / weights[i];
    return counts[i] > 1 && freedom > 0 ? scatters[i] / freedom
                                        : std::numeric_limits<double>::quiet_NaN();
  }
};

/// Cells joined between cuts (indices of cells; the first is 0, the last their number). Means are
/// taken from the first, scatters in the centred form (Chan, Golub & LeVeque 1983): no loss at a
/// large common offset.
cell_moments joined(const cell_moments& fine, const std::vector<std::size_t>& cuts);
/// The same cells with the rows of both.
cell_moments together(const cell_moments& a, const cell_moments& b);

}  // namespace zcmoe::detail
