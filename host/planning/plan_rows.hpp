// The rows that a plan works on: a caller's arrays go in, sorted and scaled columns come out, with
// a part of the rows held out. The order of the caller's rows does not matter.
#pragma once
#include "host/segmentation/samples.hpp"

#include <zcmoe/plan.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Columns of one part of the rows, in order of x.
struct part {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> weights;  // empty if rows have no weights

  std::int64_t size() const { return static_cast<std::int64_t>(x.size()); }
  zcmoe_array column(const std::vector<double>& values) const {
    return {values.empty() ? nullptr : values.data(), ZCMOE_F64, 1};
  }
  void add(const sample& row, bool weighted) {
    x.push_back(row.x);
    y.push_back(row.y);
    if (weighted) weights.push_back(row.weight);
  }
};

/// The rows a plan works on. Targets and weights are divided by 2^target_exponent and
/// 2^weight_exponent, so that squares and sums stay finite.
struct plan_rows {
  bool weighted = false;
  int target_exponent = 0;
  int weight_exponent = 0;
  double lo = 0.0;
  double hi = 0.0;
  bool precisions = false;    // weights say how precise rows are
  double effective = 0.0;     // rows that a mean of all is worth: of precisions their number
  std::int64_t distinct = 0;  // number of distinct inputs
  part all;
  part learned;
  part held_out;
  double scale_back(double squared) const { return std::ldexp(squared, 2 * target_exponent); }
  /// Whether all inputs are equal, so that they tell nothing about y, or all targets are, so that
  /// there is nothing to tell.
  bool constant() const {
    return all.x.front() == all.x.back() ||
           std::all_of(all.y.begin(), all.y.end(), [&](double v) { return v == all.y.front(); });
  }
};

plan_rows read_rows(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                    std::int64_t n, std::int32_t weights_kind, const zcmoe_plan_options& options);

}  // namespace zcmoe::detail
