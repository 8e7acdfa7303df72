// Tables of all axes, fitted together.
#pragma once

#include "host/learning/pair_counts.hpp"
#include "host/learning/row_sums.hpp"
#include "host/learning/smoother.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What is left of the targets, by a model that grows: in units of y.
struct leftover {
  const coded_rows& rows;
  std::vector<std::int64_t> values;

  /// The sum of squares; exact, rounded once.
  double squares(const run_parts& run) const;
};

/// Constants of a table from values in units of y.
std::vector<std::int32_t> rounded_constants(const std::vector<double>& values, std::int32_t shift);

class axis_tables {
 public:
  axis_tables(const coded_rows& rows, const run_parts& run);

  /// Fits the tables anew to what is left and to what they take now, and takes that off.
  /// @param choose  whether to choose again how smooth they are
  void fit(leftover& left, bool choose, const run_parts& run);

  const std::vector<std::int32_t>& constants(int axis) const {
    return axes_[static_cast<std::size_t>(axis)].constants;
  }
  /// Whether the table says anything.
  bool is_used(int axis) const;
  /// The axes that pairs are made of, increasing.
  std::vector<int> chief_axes() const;
  /// Rows by code.
  const std::vector<double>& counts(int axis) const {
    return axes_[static_cast<std::size_t>(axis)].counts;
  }

 private:
  struct table {
    cell_map map;
    std::int64_t ordered;
    cell_sums by_part;           // counts; sums of what is left and what the table takes
    std::vector<double> counts;  // of all parts
    axis_smoothing how;
    std::vector<std::int32_t> constants;
  };

  void choose(leftover& left, const run_parts& run);
  std::vector<double> center(const table& t, std::vector<double> values) const;
  void take(leftover& left, const std::vector<int>& which,
            const std::vector<std::vector<double>>& values, const run_parts& run);

  const coded_rows& rows_;
  std::vector<table> axes_;
  pair_counts pairs_;
  double ridge_ = 1.0;
};

}  // namespace zcmoe::detail
