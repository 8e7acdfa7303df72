// Checks edges that come from outside, and makes the edges of a segment for a single value: see
// edges.hpp.
#include "host/segmentation/edges.hpp"

#include "host/error.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {

void check_edges(const double* edges, std::int64_t num_segments) {
  for (std::int64_t i = 0; i <= num_segments; ++i) {
    ZCMOE_EXPECTS(std::isfinite(edges[i]), "edges[", i, "]=", edges[i], " is not finite");
    ZCMOE_EXPECTS(i == 0 || edges[i - 1] < edges[i], "edges[", i, "]=", edges[i],
                  " is not greater than edges[", i - 1, "]=", edges[i - 1]);
  }
}

edge_table single_value_edges(double value) {
  constexpr double largest = std::numeric_limits<double>::max();
  if (value == largest) return {std::nextafter(value, 0.0), value};
  return {value, std::nextafter(value, largest)};
}

}  // namespace zcmoe::detail
