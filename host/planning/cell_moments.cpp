// Merges the moments of cells: see cell_moments.hpp.
#include "host/planning/cell_moments.hpp"

namespace zcmoe::detail {
namespace {

void merge_into(cell_moments& m, std::size_t i, const cell_moments& other, std::size_t k) {
  m.counts[i] += other.counts[k];
  m.squares[i] += other.squares[k];
  m.set(i, merged(m.at(i), other.at(k)));
}

}  // namespace

cell_moments joined(const cell_moments& fine, const std::vector<std::size_t>& cuts) {
  cell_moments m(cuts.size() - 1);
  for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
    for (std::size_t i = cuts[c]; i < cuts[c + 1]; ++i) merge_into(m, c, fine, i);
  }
  return m;
}

cell_moments together(const cell_moments& a, const cell_moments& b) {
  cell_moments m = a;
  for (std::size_t i = 0; i < m.size(); ++i) merge_into(m, i, b, i);
  return m;
}

}  // namespace zcmoe::detail
