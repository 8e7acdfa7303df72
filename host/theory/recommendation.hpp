// Recommends a number of segments m: statistics of nested tables of one sample go in, m, its
// interval and the errors to expect come out. include/zcmoe/theory.h documents the result.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What a recommendation needs of one table. Errors are in squared units of y.
struct risk_level {
  std::int64_t num_segments;
  double cells;          // segments with rows
  double within;         // V; NaN if no segment has two rows
  double leave_one_out;  // NaN if there is but one row
};
/// Recommends from levels in ascending order of num_segments. `rows` is the number of rows of the
/// tables, fit_rows that of the model to be fitted; for weighted rows both are effective numbers,
/// (sum w)^2 / sum w^2.
zcmoe_theory_recommendation recommend(const std::vector<risk_level>& levels, double rows,
                                      double fit_rows);
zcmoe_theory_recommendation recommend(const zcmoe_theory_table* tables, std::int64_t num_tables,
                                      const zcmoe_model_options& options);

}  // namespace zcmoe::detail
