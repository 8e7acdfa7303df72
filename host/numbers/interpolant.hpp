// A function known at points only, interpolated.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

class curve {
 public:
  /// Throws INVALID_ARGUMENT, naming the first bad index.
  curve(const double* grid, const double* values, std::int64_t num_grid);
  ~curve();
  curve(const curve&) = delete;
  curve& operator=(const curve&) = delete;

  double value(double x) const;
  double slope(double x) const;

 private:
  struct cubic;
  std::size_t line_of(double u) const;

  double unit_;                // x = u unit: no difference of two u overflows
  std::vector<double> u_;      // grid
  std::vector<double> value_;  // scaled by 2^-exponent_
  int exponent_;
  std::unique_ptr<cubic> cubic_;  // null: straight lines
};

}  // namespace zcmoe::detail
