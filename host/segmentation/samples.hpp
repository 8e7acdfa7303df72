// Reads the rows that edges or a plan are made from: a caller's arrays in host memory go in, rows
// with finite numbers come out, sorted and scaled.
#pragma once

#include "host/array.hpp"
#include "host/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace zcmoe::detail {

/// Returns the weight. Throws DATA, with the row, if it is negative or not finite.
inline double checked_weight(double weight, std::int64_t row) {
  if (!(weight >= 0) || !std::isfinite(weight)) {
    fail(ZCMOE_ERR_DATA, "weights[", row, "]=", weight, "; expected a finite number >= 0");
  }
  return weight;
}

struct sample {
  double x;
  double y;
  double weight;
  bool operator<(const sample& other) const {
    return std::tie(x, y, weight) < std::tie(other.x, other.y, other.weight);
  }
};

/// Rows whose y and weights are divided by 2^target_exponent and 2^weight_exponent, so that squares
/// and sums stay finite.
struct samples {
  std::vector<sample> rows;
  int target_exponent;
  int weight_exponent;
};

/// The rows with a finite x in [lo, hi], a finite y and a positive weight, in ascending order.
/// Throws DATA if there is none.
inline samples read_samples(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                            std::int64_t n, double lo, double hi) {
  samples read{};
  std::vector<sample>& rows = read.rows;
  rows.reserve(static_cast<std::size_t>(n));
  const any_array input = any(x);
  const any_array target = any(y);
  const any_array weight = any(weights);
  double largest_target = 0.0;
  double largest_weight = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double w = weights.data == nullptr ? 1.0 : checked_weight(weight[i], i);
    const double at = input[i];
    const double value = target[i];
    if (!std::isfinite(at) || !std::isfinite(value) || w == 0 || at < lo || at > hi) continue;
    rows.push_back({at + 0.0, value + 0.0, w});
    largest_target = std::max(largest_target, std::abs(value));
    largest_weight = std::max(largest_weight, w);
  }
  if (rows.empty()) {
    fail(ZCMOE_ERR_DATA, "no row with finite x and y and positive weight",
         std::isfinite(lo) || std::isfinite(hi) ? " in the range" : "", " among n=", n, " rows");
  }
  read.target_exponent = largest_target > 0 ? std::ilogb(largest_target) : 0;
  read.weight_exponent = std::ilogb(largest_weight);
  for (sample& row : rows) {
    row.y = std::ldexp(row.y, -read.target_exponent);
    row.weight = std::ldexp(row.weight, -read.weight_exponent);
  }
  rows.erase(
      std::remove_if(rows.begin(), rows.end(), [](const sample& row) { return row.weight == 0; }),
      rows.end());
  std::sort(rows.begin(), rows.end());
  return read;
}

}  // namespace zcmoe::detail
