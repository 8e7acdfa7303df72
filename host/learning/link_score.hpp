// A score for targets that are a function of a sum: y = h(sum of t_j(x_j)). Such functions (ridges,
// hills, products) have the level sets of the sum, which tables of single inputs find without any
// pair of them. Tables and h are fitted in turn by Gauss-Newton steps, from sums of whole numbers.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

class link_score {
 public:
  /// Learns from the rows that are chosen.
  /// @param columns  which column each axis looks at, not decreasing: where several look at one the
  ///   cuts of all count, which are dealt out in turn (zcmoe_learn_options::axis_segments)
  link_score(const coded_rows& rows, const std::vector<std::int32_t>& columns, row_choice train,
             const run_parts& run);

  /// Tables of single axes: the score is their sum. None: nothing was found beyond chance.
  const std::vector<bank>& banks() const { return banks_; }
  /// Of every row.
  const std::vector<std::int64_t>& scores() const { return scores_; }
  /// Thresholds of scores for so many segments, dense where the chosen rows are and h is steep; as
  /// score_order::thresholds().
  std::vector<std::int64_t> thresholds(std::int64_t num_segments) const;

 private:
  std::vector<bank> banks_;
  std::vector<std::int64_t> scores_;
  std::vector<std::int64_t>
      risen_;  // how far h has gone up and down on the way to each row's score
  std::vector<std::uint8_t> part_;
  std::vector<std::uint32_t> weights_;
  row_choice train_;
};

}  // namespace zcmoe::detail
