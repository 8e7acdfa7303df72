// What is learned first: a sum of look-ups, in whole numbers.
#pragma once

#include "host/learning/coded_rows.hpp"
#include "host/learning/cost.hpp"
#include "host/learning/row_sums.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The answer for a row is (base + the sum of the banks' constants), in units of constants of the
/// rows: 2^(exponent + constant_shift).
struct table_sum {
  std::int64_t base = 0;
  std::vector<bank> banks;
};

/// Learns axis tables and pair grids from the rows that are chosen: smoothed tables of all axes,
/// fitted together to the counts of pairs of codes, then grids of two axes that the residual asks
/// for.
/// @param max_pairs  the most pair grids
/// @param room       which they fit in, the tables that gain most and then the grids
/// @param make       the passes over the rows; the rest is done on the threads of `run`
table_sum learn_tables(const coded_rows& rows, row_choice train, int max_pairs,
                       const run_parts& run, const model_room& room = {},
                       const make_row_passes& make = make_host_passes);

/// The scores of rows, without the base: scores[i] of row i, for every row.
std::vector<std::int64_t> scores_of(const std::vector<bank>& banks, const coded_rows& rows,
                                    const run_parts& run);

/// What is left of the targets: y - (base + score) 2^constant_shift, in units of y.
std::vector<std::int64_t> residuals_of(const table_sum& sum, const coded_rows& rows,
                                       const run_parts& run);

}  // namespace zcmoe::detail
