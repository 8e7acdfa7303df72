// Tables of all axes, fitted together.
#pragma once

#include "host/learning/cost.hpp"
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

  /// The sum of weight times squares; exact, rounded once.
  double squares(const run_parts& run) const;
  /// What squares of sums over rows are by chance, for each unit of their weight.
  double noise(const run_parts& run) const {
    return squares(run) / static_cast<double>(rows.total_weight()) * rows.weight_of_noise;
  }
};

/// Constants of a table from values in units of y.
std::vector<std::int32_t> rounded_constants(const std::vector<double>& values, std::int32_t shift);

class axis_tables {
 public:
  /// @param room  what the tables cost is taken from it; where not all fit, those that gain most do
  axis_tables(const coded_rows& rows, model_room& room, const run_parts& run);

  /// Fits the tables anew to what is left and to what they take now, and takes that off.
  /// @param choose  whether to choose again how smooth they are
  void fit(leftover& left, bool choose, const run_parts& run);

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
  void choose(leftover& left, const run_parts& run);
  std::vector<double> center(const table& t, std::vector<double> values) const;
  void take(leftover& left, const std::vector<int>& which,
            const std::vector<std::vector<double>>& values, const run_parts& run);

  const coded_rows& rows_;
  model_room& room_;
  std::vector<table> axes_;
  pair_counts pairs_;
  double ridge_;
};

}  // namespace zcmoe::detail
