// From scores to segments: one expert is active.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The thresholds of at most m segments of a score, placed by the one-dimensional optimum for the
/// rows' own scores and targets. Strictly increasing; fewer where scores tie.
std::vector<std::int64_t> score_thresholds(const std::vector<std::int64_t>& scores,
                                           const coded_rows& rows, row_choice train,
                                           std::int64_t num_segments);

/// A head of segments for scores: constants are the means of the rows' targets, with counts,
/// variances and standard errors, in the units of the caller's targets. A segment without rows
/// takes the constant of the nearest one that has some.
head segments_of(std::vector<std::int64_t> thresholds, std::int64_t num_segments,
                 const std::vector<std::int64_t>& scores, const coded_rows& rows);

}  // namespace zcmoe::detail
