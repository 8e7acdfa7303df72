// Which number of segments to take: from the statistics of nested tables of one sample to m, its
// interval, and the errors to expect. include/zcmoe/theory.h documents the result.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What a recommendation needs of one table.
struct risk_level {
  std::int64_t num_segments;
  double cells;          // with rows
  double within;         // NaN: no segment has two rows
  double leave_one_out;  // NaN: one row in all
};
/// Levels with num_segments rising. rows: of the tables, fit_rows: of the model that is to be
/// fitted, both effective numbers.
zcmoe_theory_recommendation recommend(const std::vector<risk_level>& levels, double rows,
                                      double fit_rows);
zcmoe_theory_recommendation recommend(const zcmoe_theory_table* tables, std::int64_t num_tables,
                                      const zcmoe_model_options& options);

}  // namespace zcmoe::detail
