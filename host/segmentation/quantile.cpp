// Edges of segments of equal mass: inputs are sorted, and each edge is the input below which the
// sum of weights is nearest to i/m of all. Sums of weights are kept in double-double and added in
// sorted order, so that neither the order of rows nor rounding moves an edge.
#include "host/segmentation/quantile.hpp"

#include "host/array.hpp"
#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/segmentation/samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

/// One finite input with its weight. Rows are sorted by both, so that sums of weights do not depend
/// on the order of the caller's rows.
struct weighted_input {
  double x;
  double weight;
  bool operator<(const weighted_input& other) const {
    return x != other.x ? x < other.x : weight < other.weight;
  }
};

double input_of(double x) { return x; }
double input_of(const weighted_input& r) { return r.x; }
double weight_of(double) { return 1.0; }
double weight_of(const weighted_input& r) { return r.weight; }

template <class Row>
edge_table equal_mass(std::vector<Row>& rows, std::int64_t num_segments) {
  std::sort(rows.begin(), rows.end());
  const double first = input_of(rows.front());
  const double last = input_of(rows.back());
  if (first == last) return single_value_edges(first);

  double_double total;
  for (const Row& r : rows) total = total + weight_of(r);

  edge_table edges{first};
  // The group [begin, end) holds the rows of one value, `left` is the weight of the rows below it,
  // and `through` that including the group.
  std::size_t begin = 0;
  std::size_t end = 0;
  double_double left;
  double_double through;
  const auto next_group = [&] {
    begin = end;
    left = through;
    const double value = input_of(rows[begin]);
    for (; end < rows.size() && input_of(rows[end]) == value; ++end)
      through = through + weight_of(rows[end]);
  };
  next_group();
  const auto m = static_cast<double>(num_segments);
  for (std::int64_t i = 1; i < num_segments; ++i) {
    const double_double target = total * static_cast<double>(i);
    while (end < rows.size() && !(target < through * m)) next_group();
    // Here left <= target/m < through. The cut lies below the group or above it, whichever leaves
    // the mass below it nearer to i/m of all.
    const bool below = !((left + through) * m < target * 2.0);
    double edge = last;
    if (below) {
      edge = input_of(rows[begin]);
    } else if (end < rows.size()) {
      edge = input_of(rows[end]);
    } else {
      break;  // no cut lies above the last value, for this i or a larger one
    }
    if (edge > edges.back()) edges.push_back(edge);
  }
  if (edges.back() < last) {
    edges.push_back(last);
  } else if (last < std::numeric_limits<double>::max()) {
    // A cut lies at the last value, so it has a segment of its own: [last, next double above).
    edges.push_back(std::nextafter(last, std::numeric_limits<double>::infinity()));
  }
  return edges;
}

}  // namespace

edge_table quantile_edges(const zcmoe_array& x, const zcmoe_array& weights, std::int64_t n,
                          std::int64_t num_segments) {
  const auto require_input = [&](std::size_t left) {
    if (left == 0)
      fail(ZCMOE_ERR_DATA, "x has no finite input of positive weight among n=", n, " rows");
  };
  if (weights.data == nullptr) {
    std::vector<double> rows;
    rows.reserve(static_cast<std::size_t>(n));
    with_typed(any(x), [&](const auto& input) {
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = input[i];
        if (std::isfinite(v)) rows.push_back(v + 0.0);  // + 0.0 makes -0.0 the same input as 0.0
      }
    });
    require_input(rows.size());
    return equal_mass(rows, num_segments);
  }
  std::vector<weighted_input> rows;
  rows.reserve(static_cast<std::size_t>(n));
  double largest = 0.0;
  with_typed(any(x), [&](const auto& input) {
    const any_array weight = any(weights);
    for (std::int64_t i = 0; i < n; ++i) {
      const double w = checked_weight(weight[i], i);
      const double v = input[i];
      if (!std::isfinite(v) || w == 0) continue;
      rows.push_back({v + 0.0, w});
      largest = std::max(largest, w);
    }
  });
  require_input(rows.size());
  // Only ratios of weights count. Scaled to the largest, sums of huge weights stay finite and tiny
  // weights are no subnormals.
  const int exponent = std::ilogb(largest);
  if (std::abs(exponent) > 500) {
    for (weighted_input& r : rows) r.weight = std::ldexp(r.weight, -exponent);
  }
  return equal_mass(rows, num_segments);
}

}  // namespace zcmoe::detail
