// Merging of cells: see cell_moments.hpp.
#include "host/planning/cell_moments.hpp"

#include "host/numbers/double_double.hpp"

namespace zcmoe::detail {

cell_moments joined(const cell_moments& fine, const std::vector<std::size_t>& cuts) {
  cell_moments m;
  for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
    std::int64_t count = 0;
    double_double weight;
    double_double squares;
    for (std::size_t i = cuts[c]; i < cuts[c + 1]; ++i) {
      count += fine.counts[i];
      weight = weight + fine.weights[i];
      squares = squares + fine.squares[i];
    }
    double mean = 0.0;
    double_double scatter;
    if (count > 0) {
      std::size_t first = cuts[c];
      while (fine.counts[first] == 0) ++first;
      const double origin = fine.means[first];
      double_double moment;
      for (std::size_t i = first; i < cuts[c + 1]; ++i) {
        if (fine.counts[i] > 0) moment = moment + fine.weights[i] * (fine.means[i] - origin);
      }
      mean = origin + moment.high / weight.high;
      for (std::size_t i = first; i < cuts[c + 1]; ++i) {
        if (fine.counts[i] == 0) continue;
        const double d = fine.means[i] - mean;
        scatter = scatter + fine.scatters[i] + fine.weights[i] * d * d;
      }
    }
    m.counts.push_back(count);
    m.weights.push_back(weight.high);
    m.squares.push_back(squares.high);
    m.means.push_back(mean);
    m.scatters.push_back(scatter.high);
  }
  return m;
}

cell_moments together(const cell_moments& a, const cell_moments& b) {
  cell_moments m = a;
  for (std::size_t i = 0; i < m.size(); ++i) {
    if (b.counts[i] == 0) continue;
    const double whole = a.weights[i] + b.weights[i];
    const double d = b.means[i] - a.means[i];
    m.counts[i] += b.counts[i];
    m.weights[i] = whole;
    m.squares[i] += b.squares[i];
    m.means[i] = a.counts[i] == 0 ? b.means[i] : a.means[i] + d * (b.weights[i] / whole);
    m.scatters[i] += b.scatters[i];
    if (a.counts[i] > 0) m.scatters[i] += d * d * (a.weights[i] / whole * b.weights[i]);
  }
  return m;
}

}  // namespace zcmoe::detail
