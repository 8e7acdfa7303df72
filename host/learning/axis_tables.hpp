// Tables of all axes, fitted together.
#pragma once

#include "host/engine/row_passes.hpp"
#include "host/learning/cost.hpp"
#include "host/learning/pair_counts.hpp"
#include "host/learning/smoother.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Constants of a table from values in units of y.
std::vector<std::int32_t> rounded_constants(const std::vector<double>& values, std::int32_t shift);

class axis_tables {
 public:
  /// @param room  what the tables cost is taken from it; where not all fit, those that gain most do
  /// @param left  passes over these rows, and what the model so far leaves of them
  axis_tables(const coded_rows& rows, model_room& room, row_passes& left);

  /// Fits the tables anew to what is left and to what they take now, and takes that off.
  /// @param choose  whether to choose again how smooth they are
  void fit(row_passes& left, bool choose, const run_parts& run);

  const std::vector<std::int32_t>& constants(int axis) const {
    return axes_[static_cast<std::size_t>(axis)].constants;
  }
  bank bank_of(int axis) const;
  /// Whether the table says anything.
  bool is_used(int axis) const;
  /// The axes that pairs are made of, increasing.
  std::vector<int> chief_axes() const;
  /// Weight of rows by code.
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
    bool fits = true;
  };

  void leave_out_what_does_not_fit();
  std::vector<int> by_gain() const;
  void choose(row_passes& left);
  std::vector<double> center(const table& t, std::vector<double> values) const;
  void take(row_passes& left, const std::vector<int>& which,
            const std::vector<std::vector<double>>& values);
  /// Writes down what the table takes and what is left, from the sums of what is left.
  void take_back(table& t, const std::vector<std::int64_t>& sums) const;

  const coded_rows& rows_;
  model_room& room_;
  std::vector<table> axes_;
  pair_counts pairs_;
  double ridge_;
};

}  // namespace zcmoe::detail
