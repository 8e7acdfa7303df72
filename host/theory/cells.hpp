// Exact errors: what each segment of a given table holds and misses, for known p and b, and from
// which m on the high-rate formulas hold. include/zcmoe/theory.h documents the functions.
#pragma once

#include "host/theory/problem.hpp"

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What is known of each segment of a table, and of the whole.
struct cell_table {
  std::vector<double> probabilities;
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<double> errors;
  zcmoe_theory_totals totals;
};

/// Constants: given if not null, else by rule.
cell_table cells_of(const theory_problem& problem, const double* edges, std::int64_t num_segments,
                    zcmoe_constant_rule rule, const double* constants);

std::int64_t breakdown_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                          double tolerance, std::int64_t max_segments);

}  // namespace zcmoe::detail
