// How often codes of two axes come together, by weight: all that a joint fit of axis tables needs
// of the rows.
#pragma once

#include "host/engine/row_passes.hpp"
#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The counts of a pair most of which are 0: those that are not, by code of the first axis.
struct sparse_counts {
  std::vector<std::uint32_t> first;  // of each code among the others, and their number at the end
  std::vector<std::uint8_t> second;  // the other code
  std::vector<std::uint32_t> counts;
};

/// The counts of all pairs of some axes.
class pair_counts {
 public:
  /// Of no axes.
  pair_counts() = default;
  /// @param axes  of rows, increasing; a pair takes up to 256 KiB
  pair_counts(const coded_rows& rows, std::vector<int> axes, row_passes& passes);

  std::size_t num_axes() const { return axes_.size(); }
  int axis(std::size_t j) const { return axes_[j]; }

  /// out[c] = sum over c' of N_jk[c][c'] table[c']: what a table of axis k sums up to over the rows
  /// of each code of axis j. j != k.
  void sums_of(std::size_t j, std::size_t k, const std::vector<double>& table,
               std::vector<double>& out) const;

 private:
  std::size_t place(std::size_t j, std::size_t k) const { return k * (k - 1) / 2 + j; }

  std::vector<int> axes_;
  std::vector<std::size_t> slots_;
  std::vector<std::vector<std::uint32_t>> counts_;  // of each pair; empty: sparse
  std::vector<sparse_counts> sparse_;               // likewise
};

}  // namespace zcmoe::detail
