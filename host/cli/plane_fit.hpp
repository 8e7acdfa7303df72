// Least squares in all inputs, the plain model that one of several inputs must beat.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::cli {

/// The plane of least squares through rows: the mean, and a slope for each input. Inputs that are
/// constant, or sums of others, get the slope 0.
class plane_fit {
 public:
  explicit plane_fit(std::size_t num_inputs);

  /// Adds a block of rows, with weights above 0 if there are any. Those that have an input which is
  /// not finite are left out. Of many rows
  /// with many inputs ever fewer are taken, and count for those between, so that the plane costs no
  /// more than learning. y holds finite numbers.
  void add(const std::vector<zcmoe_array>& inputs, const zcmoe_array& y, const zcmoe_array& weights,
           std::int64_t rows);
  /// Makes the plane of all rows so far.
  void solve();

  double mean_y() const noexcept { return mean_y_; }
  /// Rows that it was made from.
  std::int64_t rows() const noexcept { return rows_; }
  /// At a row with finite inputs, once it is solved.
  double at(const double* inputs) const noexcept;

 private:
  std::int64_t most_rows_;  // that are taken at one step
  std::int64_t step_ = 1;   // one row of so many is taken
  std::int64_t skip_ = 0;   // rows before the next that is taken
  std::int64_t taken_ = 0;  // at this step
  std::int64_t rows_ = 0;
  double weight_ = 0;  // that those taken count for
  double mean_y_ = 0;
  std::vector<double> moments_;  // about the means
  std::vector<double> means_;
  std::vector<double> slopes_;
};

/// Copies row i of columns; false if one of them is not finite.
bool finite_row(const std::vector<zcmoe_array>& columns, std::int64_t i, double* row);

}  // namespace zcmoe::cli
