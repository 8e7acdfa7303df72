// Trees of cuts on codes: grown leaf by leaf to the cut that lessens squared error most, then
// pruned. Source: Breiman, Friedman, Olshen & Stone 1984 (cost-complexity pruning); Agarwal et al.
// 2022 (hierarchical shrinkage).
#pragma once

#include "host/learning/coded_rows.hpp"
#include "host/learning/cost.hpp"
#include "host/learning/oblique.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

struct tree_options {
  std::int64_t max_leaves;  // at least 1
  /// The tree is grown to so many leaves before those that are worth least are pruned: a cut that
  /// helps little may be followed by one that helps much. At least max_leaves are.
  std::int64_t grown_leaves = 0;
  /// A branch must lessen the sum of squares by more than this many times the variance of the noise
  /// for each leaf that it adds; the variance is estimated from the rows of the leaves.
  double penalty = 0.0;
  /// Leaf constants are this share of the mean of their rows.
  double step = 1.0;
  /// Each cut's part in a constant is weighed as if so many more rows, without its effect, had been
  /// seen where it cuts: rows / (rows + shrinkage).
  double shrinkage = 0.0;
  /// No leaf has fewer rows; where rows have weights, less than the weight of so many.
  std::int64_t min_rows = 20;
  /// Of oblique trees, whose nodes may compare a sum over axes; null: one code each.
  const axis_places* places = nullptr;
};

/// Grows a tree on targets (residuals), [n], in units of y, from the rows that are chosen;
/// total_weight * max |target| < 2^63. Its constants are in units of constants; constant_shift >=
/// 0. Nodes and leaves are in the order of a walk, left before right. A tree of one leaf has no
/// nodes: it is a table without axes, of one constant.
/// @param room  which the tree fits in, losing the cuts that are worth least
bank learn_tree(const coded_rows& rows, row_choice train, const std::vector<std::int64_t>& targets,
                const tree_options& options, const run_parts& run, const model_room& room = {});

/// The options of a tree that stands alone, of at most max_leaves leaves: those with the least
/// error on the part that is held out (train.held_out >= 0).
/// @param places  as in tree_options
tree_options judge_tree(const coded_rows& rows, row_choice train, std::int64_t max_leaves,
                        const std::vector<std::int64_t>& targets, const run_parts& run,
                        const model_room& room = {}, const axis_places* places = nullptr);

/// How trees that follow each other are to be grown.
struct tree_plan {
  std::vector<tree_options> trees;
  /// As they were judged.
  std::vector<bank> banks;
};

/// Up to max_trees trees, one after the other on what the others leave; all but the last answer for
/// a part of it alone. How many trees there are, their leaves and their shrinkage are those with
/// the least error on the part that is held out (train.held_out >= 0).
/// @param residuals  what is left of the targets of all rows, before and after
/// @param room       of which each of max_trees trees has a share
tree_plan judge_trees(const coded_rows& rows, row_choice train, int max_trees,
                      std::vector<std::int64_t>& residuals, const run_parts& run,
                      const model_room& room = {});

/// The trees of a plan, from the rows that are chosen.
/// @param residuals  as in judge_trees()
/// @param room       of which each has a share
std::vector<bank> learn_trees(const coded_rows& rows, row_choice train, const tree_plan& plan,
                              std::vector<std::int64_t>& residuals, const run_parts& run,
                              model_room room = {});

/// A tree whose leaves are segments: the constant of a leaf is its number.
bank numbered(bank tree);

}  // namespace zcmoe::detail
