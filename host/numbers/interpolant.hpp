// A function that is known at points only, interpolated: by monotone cubics through four points or
// more, by straight lines through two or three. Inside, inputs are divided by a power of two near
// the largest, u = x / unit, and so are values. Both divisions are exact unless they underflow, and
// then no difference or product overflows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

class curve {
 public:
  /// Throws INVALID_ARGUMENT, naming the first bad index. Of points that are closer than `closest`
  /// in u, or that are the same double in u, the first is kept; only the last point of the grid is
  /// always kept.
  curve(const double* grid, const double* values, std::int64_t num_grid, double closest = 0.0);
  ~curve();
  curve(const curve&) = delete;
  curve& operator=(const curve&) = delete;

  /// Outside the grid the value is that at the nearer end, and the slope is 0. Both are NaN at NaN.
  double value(double x) const;
  double slope(double x) const;

  /// The points kept, in u.
  const std::vector<double>& knots() const { return u_; }
  /// The value at u, divided by the power of two 2^exponent_.
  double scaled_value(double u) const;

 private:
  struct cubic;
  std::size_t line_of(double u) const;

  double unit_;
  std::vector<double> u_;      // the points kept, divided by unit_
  std::vector<double> value_;  // the values there, divided by 2^exponent_
  int exponent_;
  std::unique_ptr<cubic> cubic_;  // null where straight lines join the points
};

}  // namespace zcmoe::detail
