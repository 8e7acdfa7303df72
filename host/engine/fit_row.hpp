// What becomes of one row of a fit: it goes to a slot, or is left out for a reason that is counted.
// Both engines call judge_row, on host and device, with what their routers say of the row's input.
#pragma once

#include "host/routing/slots.hpp"

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

/// Where an input lies, whatever the policies: what a router knows of it besides its slot.
enum class input_place : std::uint8_t { in_range, below_range, above_range, not_a_number };

/// Of an input of one column whose range is from <= x < before.
template <class T>
ZCMOE_HOST_DEVICE inline input_place place_of(T x, T from, T before) {
  if (x >= before) return input_place::above_range;
  if (x >= from) return input_place::in_range;
  return x < from ? input_place::below_range : input_place::not_a_number;
}

struct row_rules {
  bool use_nan_inputs;      // they have a segment of their own
  bool use_outside_inputs;  // those beside the range: the end segments take them, or their own
  bool refuse_nan_inputs;
  bool refuse_nonfinite_targets;
};

struct row_verdict {
  std::int64_t slot;       // -1: the row is left out
  std::uint32_t counters;  // bit c: counter c gains one
  bool refused;
};

/// Judges a row of which the router has found the input's place and slot; w: 1 where there are no
/// weights.
ZCMOE_HOST_DEVICE inline row_verdict judge_row(const row_rules& rules, input_place place, double y,
                                               double w, std::int64_t slot) {
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
  bool used = true;
  if (place == input_place::not_a_number) {
    verdict.counters |= 1u << counter_nan_inputs;
    used = rules.use_nan_inputs;
    verdict.refused = !used && rules.refuse_nan_inputs;
  } else if (place != input_place::in_range) {
    verdict.counters |=
        1u << (place == input_place::below_range ? counter_below_range : counter_above_range);
    used = rules.use_outside_inputs;
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
