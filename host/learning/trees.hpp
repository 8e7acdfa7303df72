// Trees of cuts on codes.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

struct tree_options {
  std::int64_t max_leaves;  // at least 1
  /// A split must lessen the sum of squares by more than this many times the variance of the noise,
  /// which is estimated from the rows of the leaves.
  double penalty;
  /// Leaf constants are this share of the mean residual of their rows.
  double step = 1.0;
};

/// Grows a tree on targets (residuals), [n], in units of y, from the rows that are chosen. Its
/// constants are in units of constants. A tree that no split would help has one leaf and no bank.
bank learn_tree(const coded_rows& rows, row_choice train, const std::vector<std::int64_t>& targets,
                const tree_options& options, const run_parts& run);

/// Up to max_trees trees, one after the other on what the others leave; how many leaves each has,
/// and whether there is another, is decided on the held-out part if there is one (train.held_out).
/// `residuals` is what is left of all rows before, and after.
std::vector<bank> learn_trees(const coded_rows& rows, row_choice train, int max_trees,
                              std::vector<std::int64_t>& residuals, const run_parts& run);

}  // namespace zcmoe::detail
