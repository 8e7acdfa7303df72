// The choice in a group of 2^j rows is a walk down a binary tree, one hashed turn a level, so that
// halving the sample keeps exactly the rows that the coarser sample would have chosen from the
// start.
#include "table_sample.hpp"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace zcmoe::cli {
namespace {

/// Which half of group `group` of 2^(level + 1) rows is kept: 0 or 1.
std::int64_t turn(int level, std::int64_t group) {
  return static_cast<std::int64_t>(
      XXH3_64bits_withSeed(&group, sizeof group, static_cast<XXH64_hash_t>(level)) >> 63);
}

}  // namespace

// The limit is even, so that the sample consists of whole pairs when it is halved.
table_sample::table_sample(std::int64_t max_rows, std::size_t num_columns)
    : max_rows_(std::max<std::int64_t>((max_rows + 1) / 2 * 2, 2)), columns_(num_columns) {}

void table_sample::take(const double* row) {
  for (std::size_t k = 0; k < columns_.size(); ++k) columns_[k].push_back(row[k]);
  ++rows_;
  if (rows_ == max_rows_) halve();
  chosen_ = rows_;
  for (int level = level_ - 1; level >= 0; --level) chosen_ = 2 * chosen_ + turn(level, chosen_);
}

/// Keeps one row of each pair of neighbours, the one that turn() chooses.
void table_sample::halve() {
  rows_ /= 2;
  for (std::int64_t group = 0; group < rows_; ++group) {
    const auto from = static_cast<std::size_t>(2 * group + turn(level_, group));
    for (auto& column : columns_) column[static_cast<std::size_t>(group)] = column[from];
  }
  for (auto& column : columns_) column.resize(static_cast<std::size_t>(rows_));
  ++level_;
}

}  // namespace zcmoe::cli
