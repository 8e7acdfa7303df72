// From scores to segments: one expert is active.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The scores of the rows that are chosen, in order, for thresholds of any number of segments.
class score_order {
 public:
  score_order(const std::vector<std::int64_t>& scores, const coded_rows& rows, row_choice train);

  /// The thresholds of num_segments segments, each with rows: dense in proportion to the
  /// cube root of the density of scores, which is the optimum where the mean target of a score is
  /// the score (theory.h, companders). Strictly increasing. Fewer where scores tie: no more
  /// segments than distinct scores; none for one segment, whose score has to be made 0 (a head
  /// without thresholds takes the score for the segment).
  std::vector<std::int64_t> thresholds(std::int64_t num_segments) const;

 private:
  std::vector<std::int64_t> sorted_;
  std::vector<std::int64_t> weights_;  // of these and of all before; empty: 1 each
};

/// A head of segments for scores: constants are the weighted means of the rows' targets, with
/// counts of rows, variances and standard errors (zcmoe_model_info), in the units of the caller's
/// targets. A segment without rows
/// takes the constant of the nearest one that has some, the lower of two; without any row constants
/// are NaN. Without thresholds the score is the segment, unless there is but one.
/// @param are_precisions  what weights are (ZCMOE_WEIGHTS_PRECISION)
head segments_of(std::vector<std::int64_t> thresholds, std::int64_t num_segments,
                 const std::vector<std::int64_t>& scores, const coded_rows& rows,
                 bool are_precisions);

}  // namespace zcmoe::detail
