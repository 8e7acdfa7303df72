// A function known at points only, interpolated: monotone cubics through four points or more,
// straight lines through two or three. Inside, inputs are counted in units of a power of two near
// the largest, u = x / unit, and values in units of a power of two near the largest: both are
// exact, and no difference or product overflows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

class curve {
 public:
  /// Throws INVALID_ARGUMENT, naming the first bad index. Points closer in u than `closest`, or not
  /// told apart by u, are one: the first of them, but the last one of all stays.
  curve(const double* grid, const double* values, std::int64_t num_grid, double closest = 0.0);
  ~curve();
  curve(const curve&) = delete;
  curve& operator=(const curve&) = delete;

  /// Outside the grid the value at its nearer end, and slope 0. NaN for NaN.
  double value(double x) const;
  double slope(double x) const;

  /// The points in use, as u.
  const std::vector<double>& knots() const { return u_; }
  /// The value at u, in the curve's units.
  double scaled_value(double u) const;

 private:
  struct cubic;
  std::size_t line_of(double u) const;

  double unit_;
  std::vector<double> u_;      // grid
  std::vector<double> value_;  // scaled by 2^-exponent_
  int exponent_;
  std::unique_ptr<cubic> cubic_;  // null: straight lines
};

}  // namespace zcmoe::detail
