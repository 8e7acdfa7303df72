// Moments of cells and the allocation of a grid: see geometry.hpp.
#include "host/theory/geometry.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {

double cell_moment(zcmoe_cell_shape shape, std::int64_t d) {
  const double pi = std::acos(-1.0);
  const double n = static_cast<double>(d);
  switch (shape) {
    case ZCMOE_CELL_CUBE: return 1.0 / 12;
    case ZCMOE_CELL_BALL: return std::exp(2 / n * std::lgamma(n / 2 + 1)) / ((n + 2) * pi);
    case ZCMOE_CELL_LIMIT: return 1 / (2 * pi * std::exp(1.0));
    case ZCMOE_CELL_HEXAGON:
      if (d == 2) return 5 / (36 * std::sqrt(3.0));
      break;
    case ZCMOE_CELL_TRIANGLE:
      if (d == 2) return 1 / (6 * std::sqrt(3.0));
      break;
    case ZCMOE_CELL_TRUNCATED_OCTAHEDRON:
      if (d == 3) return 19 / (192 * std::cbrt(2.0));
      break;
    case ZCMOE_CELL_D4:
      if (d == 4) return 13 / (120 * std::sqrt(2.0));
      break;
    case ZCMOE_CELL_E8:
      if (d == 8) return 929.0 / 12960;
      break;
    default: break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<std::int64_t> allocated(const std::vector<double>& coefficients, std::int64_t m) {
  std::vector<std::int64_t> counts(coefficients.size(), 1);
  std::int64_t cells = 1;
  for (;;) {
    std::size_t best = counts.size();
    double most = 0.0;
    for (std::size_t j = 0; j < counts.size(); ++j) {
      const double now = static_cast<double>(counts[j]);
      // One segment more multiplies the cells by (now + 1) / now.
      if (cells / counts[j] > m / (counts[j] + 1)) continue;
      const double decrease = coefficients[j] * (1 / (now * now) - 1 / ((now + 1) * (now + 1)));
      const double gain = decrease / std::log1p(1 / now);
      if (gain > most) {
        most = gain;
        best = j;
      }
    }
    if (best == counts.size()) return counts;
    cells = cells / counts[best] * (counts[best] + 1);
    ++counts[best];
  }
}

}  // namespace zcmoe::detail
