// What becomes of one row of a fit: it goes to a slot, or is left out for a reason that is counted.
// Both engines call this function, on host and device.
#pragma once

#include <zcmoe/model_view.hpp>

#include <cmath>
#include <cstdint>

namespace zcmoe::detail {

/// Counters at the head of every fit state; int64 each, merged by addition. `pending` and
/// `chunk_begin` are bookkeeping, 0 in a serialised state: rows added since the digits were last
/// canonical, and the number of the first row of the chunk that the CUDA engine adds.
enum row_counter : int {
  counter_rows,
  counter_rows_used,
  counter_nan_inputs,
  counter_below_range,
  counter_above_range,
  counter_nan_targets,
  counter_infinite_targets,
  counter_zero_weights,
  counter_bad_weights,
  counter_refused,
  counter_pending,
  counter_chunk_begin,
  num_row_counters = 16  // room to grow, and a 128-byte head keeps the planes aligned
};

/// Rows that a state may count: far beyond any data, and the sums have room for as many terms of
/// any size. Every other counter, and every count of a segment, is at most the number of rows.
constexpr std::int64_t max_state_rows = ZCMOE_MAX_ROWS;

struct row_rules {
  model_view view;  // of which only edges (in the engine's memory) and policies are read
  bool refuse_nan_inputs;
  bool refuse_nonfinite_targets;
};

struct row_verdict {
  std::int64_t slot;       // -1: the row is left out
  std::uint32_t counters;  // bit c: counter c gains one
  bool refused;
};

/// Judges a row of x, y and w (1 where there are no weights), whose slot slots_of has found.
ZCMOE_HOST_DEVICE inline row_verdict judge_row(const row_rules& rules, double x, double y, double w,
                                               std::int64_t slot) {
  constexpr double infinity = static_cast<double>(INFINITY);
  row_verdict verdict{-1, 1u << counter_rows, false};
  if (!(w >= 0.0 && w < infinity)) {
    verdict.counters |= 1u << counter_bad_weights | 1u << counter_refused;
    verdict.refused = true;
    return verdict;
  }
  if (w == 0.0) {
    verdict.counters |= 1u << counter_zero_weights;
    return verdict;
  }
  const model_view& view = rules.view;
  bool used = true;
  if (x != x) {
    verdict.counters |= 1u << counter_nan_inputs;
    used = view.nan_policy == ZCMOE_NAN_SEGMENT;
    verdict.refused = !used && rules.refuse_nan_inputs;
  } else {
    const bool below = view.is_below(x);
    const bool above = view.is_above(x);
    if (below) verdict.counters |= 1u << counter_below_range;
    if (above) verdict.counters |= 1u << counter_above_range;
    used = !(below || above) || view.range_policy == ZCMOE_RANGE_CLAMP ||
           view.range_policy == ZCMOE_RANGE_SEGMENTS;
  }
  if (!(y > -infinity && y < infinity)) {
    verdict.counters |= 1u << (y != y ? counter_nan_targets : counter_infinite_targets);
    used = false;
    verdict.refused = verdict.refused || rules.refuse_nonfinite_targets;
  }
  if (verdict.refused) verdict.counters |= 1u << counter_refused;
  if (used && !verdict.refused) {
    verdict.counters |= 1u << counter_rows_used;
    verdict.slot = slot;
  }
  return verdict;
}

}  // namespace zcmoe::detail
