// Exact errors for known p and b: the probability, mean, variance and error of each segment of a
// given table, and the number of segments from which on the high-rate formulas hold. "Cell" is the
// word of quantization theory for a segment. include/zcmoe/theory.h documents the functions.
#pragma once

#include "host/theory/problem.hpp"

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What zcmoe_theory_cells says of each segment (one entry per segment in each vector; variances
/// and errors in squared units of y), and the sums over the table.
struct cell_table {
  std::vector<double> probabilities;
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<double> errors;
  zcmoe_theory_totals totals;
};

/// Takes the constants of the table from `constants`, one per segment. Where that is null, `rule`
/// makes them.
cell_table cells_of(const theory_problem& problem, const double* edges, std::int64_t num_segments,
                    zcmoe_constant_rule rule, const double* constants);

std::int64_t breakdown_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                          double tolerance, std::int64_t max_segments);

}  // namespace zcmoe::detail
