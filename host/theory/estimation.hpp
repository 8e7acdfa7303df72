// What learning from n samples adds to the error of a table: E[1/N; N > 0], and the estimation
// error (formula 5.1 of include/zcmoe/theory.h, which documents the functions) under each policy
// for empty segments. Probabilities, means and variances of the segments are known here.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>

namespace zcmoe::detail {

double mean_reciprocal(std::int64_t n, double probability);
/// Each array has num_segments numbers, `edges` one more. `edges` may be null unless the policy is
/// ZCMOE_EMPTY_NEAREST, and segment_errors if it is not wanted.
zcmoe_theory_estimation_result estimation_of(std::int64_t n, const double* edges,
                                             const double* probabilities, const double* means,
                                             const double* variances, std::int64_t num_segments,
                                             const zcmoe_model_options& options,
                                             double* segment_errors);

}  // namespace zcmoe::detail
