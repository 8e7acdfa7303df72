// What learning adds: E[1/N] and the estimation error (5.1) of every empty policy, for segments
// whose probabilities, means and variances are known. include/zcmoe/theory.h documents the
// functions.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>

namespace zcmoe::detail {

double mean_reciprocal(std::int64_t n, double probability);
/// Arrays of num_segments numbers; edges may be null unless the policy is ZCMOE_EMPTY_NEAREST.
zcmoe_theory_estimation_result estimation_of(std::int64_t n, const double* edges,
                                             const double* probabilities, const double* means,
                                             const double* variances, std::int64_t num_segments,
                                             const zcmoe_model_options& options,
                                             double* segment_errors);

}  // namespace zcmoe::detail
