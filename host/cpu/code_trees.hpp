// Trees on codes, in the forms in which the CPU engine looks blocks of rows up.
#pragma once

#include "host/routing/banks.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// A tree of cuts of axes. Its top is cut into at most 64 parts, subtrees or leaves, which are
/// found without walking: each code of an axis leaves some parts possible, bits of a word, and what
/// is possible on all axes is the part. After QuickScorer (Lucchese et al. 2015). Rows then go down
/// their parts together.
///
/// The parts are halved largest first. Learned trees split off a few rows at a time and are far
/// from balanced; this takes such chains at once: of trees of thousands of leaves that are 17 to 50
/// deep in the mean, 8 to 9 levels are left.
class cut_tree {
 public:
  cut_tree(const bank& tree, std::int64_t stride);
  /// codes: [axes][stride], stride as given before; writes the constants of `count` rows. Codes of
  /// up to 15 rows more are read.
  void look_up(const std::uint8_t* codes, std::int64_t stride, int count,
               std::int32_t* constants) const;
  std::size_t bytes() const;

 private:
  static constexpr int max_parts = 64;
  struct node {
    std::uint16_t place;      // of the axis among codes
    std::uint16_t threshold;  // a code; of leaves one that no code reaches
    std::int32_t left;        // the right child follows it; of leaves: itself
  };

  void find_parts(const std::uint8_t* codes, std::int64_t stride, int count,
                  std::uint64_t* parts) const;

  std::vector<std::int32_t> axes_;  // that cut the top
  std::vector<std::array<std::uint64_t, 256>> possible_;
  std::vector<node> nodes_;              // those of the parts first, then children side by side
  std::vector<std::int32_t> constants_;  // by node; of leaves
  int depth_ = 0;                        // of the deepest part
};

/// A tree whose nodes compare sums of the offsets of several axes.
class sum_tree {
 public:
  sum_tree(const bank& tree, std::int32_t num_axes, std::int64_t stride);
  void look_up(const std::uint8_t* codes, std::int64_t stride, int count,
               std::int32_t* constants) const;
  std::size_t bytes() const;

 private:
  struct node {
    std::int32_t first;  // of the terms of its sum
    std::int32_t last;
    std::int64_t threshold;
    std::int32_t left;  // negative: ~leaf
    std::int32_t right;
  };
  struct term {
    std::int32_t place;    // of the axis among codes
    std::int32_t offsets;  // where they begin
  };
  std::vector<node> nodes_;
  std::vector<term> terms_;
  std::vector<std::int32_t> offsets_;
  std::vector<std::int32_t> constants_;
};

}  // namespace zcmoe::detail
