// Where oblique trees cut: along the slope of a plane fitted to the rows of a node by least
// squares. Cells become long where the target is level and narrow across, so that the error falls
// as m^(-4/(d+1)) in place of m^(-2/d). All that is known of rows are sums of whole numbers.
#pragma once

#include "host/routing/banks.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Where the codes of axes lie along their columns, as whole numbers: the place of a row along a
/// column is the sum of the places of its codes on the axes that look at the column.
struct axis_places {
  std::vector<std::int32_t> column;               // of each axis, counted from 0
  std::vector<std::vector<std::int32_t>> places;  // of each axis, by code
  std::int32_t num_columns = 0;
};
/// Places are below 2^20. Missing values lie in the middle of a column.
axis_places places_of(const std::vector<input_axis>& axes);

/// What is summed up over rows, by weight: of their places along some columns, and of their
/// targets.
class plane_sums {
 public:
  explicit plane_sums(std::size_t num_columns);

  void add(const std::int32_t* places, std::int32_t target, std::int64_t weight);
  plane_sums& operator+=(const plane_sums& more);
  plane_sums operator-(const plane_sums& less) const;

  std::int64_t count() const { return count_; }
  std::int64_t sum() const { return y_; }

  struct plane {
    std::vector<double> slope;  // a step along each column
    double explained = 0.0;     // of the sum of squares about the mean
    double left = 0.0;          // by the plane
  };
  plane fitted() const;

 private:
  std::int64_t count_ = 0;
  std::int64_t y_ = 0;
  __int128 yy_ = 0;
  std::vector<std::int64_t> x_;
  std::vector<__int128> xy_;
  std::vector<__int128> xx_;  // rows of the lower triangle
};

/// The whole numbers that a sum adds along a slope, by axis and code, within 32 bits in all; axes
/// of columns that hardly matter are left out. Empty: the slope is level.
/// @param columns  which column each entry of the slope is of
std::vector<axis_offsets> offsets_along(const std::vector<double>& slope,
                                        const std::vector<std::int32_t>& columns,
                                        const axis_places& places);

}  // namespace zcmoe::detail
