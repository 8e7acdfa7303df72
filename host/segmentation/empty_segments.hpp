// What a segment predicts that has no rows: the policies zcmoe_empty_policy over a table of
// segments. Models fill their empty segments with it, and the theory tells what a policy costs;
// both visit the other segments in the order that is written here. It stands in this room because
// it is about places: edges, neighbours and blocks of segments.
#pragma once

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The segments of a table whose rows may stand in for those of an empty one, and the orders in
/// which the policies visit them.
class stand_ins {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// may(j) says whether segment j may stand in. Only `nearest_first` reads `edges`.
  template <class May>
  stand_ins(const double* edges, std::size_t num_segments, const May& may)
      : edges_(edges), at_or_after_(num_segments + 1), before_(num_segments + 1) {
    at_or_after_[num_segments] = absent;
    for (std::size_t i = num_segments; i-- > 0;) {
      at_or_after_[i] = may(i) ? static_cast<std::int32_t>(i) : at_or_after_[i + 1];
    }
    before_[0] = absent;
    for (std::size_t i = 0; i < num_segments; ++i) {
      before_[i + 1] = may(i) ? static_cast<std::int32_t>(i) : before_[i];
    }
  }

  /// Calls visit(j) for the other segments that may stand in, the nearest to segment i first, until
  /// it returns false. The distance is measured from the centre of i to the nearer edge of j; of
  /// two at the same distance the left one comes first.
  template <class Visit>
  void nearest_first(std::size_t i, const Visit& visit) const {
    const double centre = edges_[i] / 2 + edges_[i + 1] / 2;
    std::size_t left = before(i);
    std::size_t right = at_or_after(i + 1);
    while (left != none || right != none) {
      // Distances are halved, so that none overflows.
      const bool go_left = right == none || (left != none && centre / 2 - edges_[left + 1] / 2 <=
                                                                 edges_[right] / 2 - centre / 2);
      std::size_t& next = go_left ? left : right;
      if (!visit(next)) return;
      next = go_left ? before(left) : at_or_after(right + 1);
    }
  }

  /// Calls visit(level, block), until it returns false, for the blocks of 2^level segments beside
  /// the block of that size around segment i: its neighbour in the pair, the other pair of its
  /// four, the other four of its eight, ... Block k of a level has the segments k 2^level up to (k
  /// + 1) 2^level, the latter not included; blocks that lie behind the last segment are left out.
  /// Example: around segment 5 of 7 come segment 4, segment 6, then segments 0 to 3.
  template <class Visit>
  static void block_by_block(std::size_t i, std::size_t num_segments, const Visit& visit) {
    for (std::size_t level = 0; (std::size_t{1} << level) < num_segments; ++level) {
      const std::size_t beside = (i >> level) ^ 1;
      if (beside << level < num_segments && !visit(level, beside)) return;
    }
  }

  /// Whether one of the segments first .. last - 1 may stand in.
  bool any_in(std::size_t first, std::size_t last) const { return at_or_after(first) < last; }

 private:
  static constexpr std::int32_t absent = -1;

  static std::size_t index_of(std::int32_t i) {
    return i == absent ? none : static_cast<std::size_t>(i);
  }
  std::size_t at_or_after(std::size_t i) const { return index_of(at_or_after_[i]); }
  std::size_t before(std::size_t i) const { return index_of(before_[i]); }

  const double* edges_;
  std::vector<std::int32_t> at_or_after_;  // [i] is the first from i on that may stand in
  std::vector<std::int32_t> before_;       // [i] is the last below i that may stand in
};

/// What is known of the rows of each segment of a table.
struct segment_rows {
  const double* edges;  // null if the policy does not need the nearest segment
  const std::int64_t* counts;
  const double* weights;  // sums of weights; null where every row weighs 1
  const double* means;
  std::size_t num_segments;
};

/// The weighted mean of the rows of segments [first, last); NaN if there are none. Weights are
/// divided by the largest, so that their sum cannot overflow. Where the sum of weights in one
/// segment has overflowed already, each row counts as 1.
double mean_of_rows(const segment_rows& rows, std::size_t first, std::size_t last);

/// What the policy of a table makes a segment predict that has no rows, or whose only row is left
/// out.
class empty_segment_constants {
 public:
  empty_segment_constants(const segment_rows& rows, const zcmoe_model_options& options);

  /// The prediction of segment i from rows of other segments. mean_of_others is the mean of all of
  /// these. NaN where the policy says so or no other segment has rows. Calls in ascending order of
  /// i share the means of blocks.
  double of(std::size_t i, double mean_of_others);

 private:
  segment_rows rows_;
  std::int32_t policy_;
  double value_;
  stand_ins with_rows_;
  std::size_t block_first_ = 0;  // the block whose mean was taken last
  std::size_t block_last_ = 0;
  double block_mean_ = 0.0;
};

}  // namespace zcmoe::detail
