// Trees on codes, in the forms in which the CPU engine looks blocks of rows up.
#pragma once

#include "host/routing/banks.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// A tree of at most 64 leaves without sums: each code of an axis leaves some leaves possible, bits
/// of a word, and what is possible on all axes is the leaf. After QuickScorer (Lucchese et al.
/// 2015).
class mask_tree {
 public:
  static bool takes(const bank& tree);
  explicit mask_tree(const bank& tree);
  /// codes: [axes][stride]; writes the constants of `count` rows.
  void look_up(const std::uint8_t* codes, std::int64_t stride, int count,
               std::int32_t* constants) const;
  std::size_t bytes() const;

 private:
  std::vector<std::int32_t> axes_;
  std::vector<std::array<std::uint64_t, 256>> possible_;
  std::array<std::int32_t, 64> constants_;
};

/// A tree of cuts of axes. The two children of a node lie side by side. Leaves lead to themselves,
/// so that rows that go down together need not ask whether they have arrived.
class level_tree {
 public:
  level_tree(const bank& tree, std::int64_t stride);
  /// stride: as given before; codes of up to 15 rows more are read.
  void look_up(const std::uint8_t* codes, std::int64_t stride, int count,
               std::int32_t* constants) const;
  std::size_t bytes() const { return nodes_.size() * (sizeof(node) + sizeof(std::int32_t)); }

 private:
  struct node {
    std::uint16_t place;      // of the axis among codes
    std::uint16_t threshold;  // a code; of leaves one that no code reaches
    std::int32_t left;        // the right child follows it; of leaves: itself
  };
  std::vector<node> nodes_;
  std::vector<std::int32_t> constants_;  // by node; of leaves
  int depth_ = 0;
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
