// Least squares in all inputs, the plain model that one of several inputs must beat.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <vector>

namespace zcmoe::cli {

/// The plane of least squares through rows: the mean, and a slope for each input. Inputs that are
/// constant, or sums of others, get the slope 0.
class plane_fit {
 public:
  /// Rows that have an input which is not finite are left out. Of many rows with many inputs every
  /// so many is taken, so that the plane costs no more than learning. y holds finite numbers.
  plane_fit(const std::vector<zcmoe_array>& inputs, const zcmoe_array& y, std::int64_t rows);

  double mean_y() const noexcept { return mean_y_; }
  /// Rows that it was made from.
  std::int64_t rows() const noexcept { return rows_; }
  /// At a row with finite inputs.
  double at(const double* inputs) const noexcept;

 private:
  void solve(const std::vector<double>& moments);

  std::int64_t rows_ = 0;
  double mean_y_ = 0;
  std::vector<double> means_;
  std::vector<double> slopes_;
};

/// Copies row i of columns; false if one of them is not finite.
bool finite_row(const std::vector<zcmoe_array>& columns, std::int64_t i, double* row);

}  // namespace zcmoe::cli
