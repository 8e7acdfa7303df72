// What both ways of sharing out a fit have in common (ordinary_rows in fit.cpp, partitioned_rows):
// rows in batches with their targets and weights, and what becomes of those that are not ordinary.
#pragma once

#include "host/cpu/dispatch.hpp"
#include "host/cpu/rows.hpp"
#include "host/cpu/slot_sums.hpp"
#include "host/engine/backend.hpp"
#include "host/engine/jobs.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace zcmoe::detail {

/// What a range of rows leaves behind besides its sums.
struct fit_counts {
  std::int64_t counter[num_row_counters] = {};
  bool planes_used[most_planes] = {};  // of the state that its digits are in

  /// Rows that were in range and whose numbers were added.
  void count_used(std::int64_t rows) {
    counter[counter_rows] += rows;
    counter[counter_rows_used] += rows;
  }
};

/// Adds any row: judges it, counts it, and adds what it brings to its slot.
template <class State, bool Weighted>
void add_row(const fit_job& job, input_place place, double x, double y, double w, std::int64_t slot,
             const state_digits& digits, fit_counts& counts) {
  const row_verdict verdict = judge_row(job.rules, place, y, w, slot);
  for (std::uint32_t bits = verdict.counters; bits != 0; bits &= bits - 1)
    ++counts.counter[__builtin_ctz(bits)];
  if (verdict.slot < 0) return;
  add_sample<State, Weighted>(
      static_cast<State>(y), static_cast<State>(w),
      [&](int plane, std::int64_t piece) { digits.add(plane, verdict.slot, piece); });
  if (!job.layout.lines) return;
  add_position<State, Weighted>(
      position_of(job.frames[verdict.slot], x), static_cast<State>(y), static_cast<State>(w),
      [&](int plane, std::int64_t piece) { digits.add(plane, verdict.slot, piece); },
      [&](int plane, std::int64_t value) { digits.raise(plane, verdict.slot, value); });
}

inline int num_leading_within(const route_kernels& kernels, const float* x, int count, float from,
                              float before) {
  return static_cast<int>(
      kernels.leading_within_f32(x, static_cast<std::size_t>(count), from, before));
}
inline int num_leading_within(const route_kernels& kernels, const double* x, int count, double from,
                              double before) {
  return static_cast<int>(
      kernels.leading_within_f64(x, static_cast<std::size_t>(count), from, before));
}

inline int num_leading_within(const route_kernels&, const std::int32_t* segments, int count,
                              std::int32_t from, std::int32_t before) {
  bool all = true;
  for (int k = 0; k < count; ++k) all = all && from <= segments[k] && segments[k] < before;
  if (all) return count;
  return static_cast<int>(
      std::find_if(segments, segments + count,
                   [&](std::int32_t segment) { return segment < from || segment >= before; }) -
      segments);
}

/// What rows of a fit are routed by: routed_rows<X> takes it.
template <class X>
decltype(auto) router_of(const fit_job& job) {
  if constexpr (std::is_same_v<X, std::int32_t>) {
    return (job.layout.num_segments);
  } else {
    return (*job.routes);
  }
}

/// The loop that adds such rows to their slots; null: there is none.
template <class Rows>
auto loop_of(const sum_kernels& loops) {
  constexpr bool narrow = sizeof(typename Rows::number) == 4;
  if constexpr (Rows::weighted) {
    if constexpr (narrow)
      return loops.add_weighted_f32;
    else
      return loops.add_weighted_f64;
  } else {
    if constexpr (narrow)
      return loops.add_f32;
    else
      return loops.add_f64;
  }
}

/// Whether rows with lines can be added in machine words: without weights, where there is a loop.
template <class Rows>
bool has_line_loop(const sum_kernels& loops) {
  return !Rows::weighted &&
         (sizeof(typename Rows::number) == 4 ? loops.add_positions_f32 != nullptr
                                             : loops.add_positions_f64 != nullptr);
}

/// `count` values from row `first` on as T: where they lie, if they are such, else copied.
template <class T>
const T* values_from(const any_array& array, std::int64_t first, int count, T* copied) {
  if (array.dtype == (sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64) && array.stride == 1) {
    return static_cast<const T*>(array.data) + first;
  }
  for (int k = 0; k < count; ++k) copied[k] = static_cast<T>(array[first + k]);
  return copied;
}

/// At most `batch` rows of a fit. Ordinary ones are in range and have weights other than 0.
template <class Rows, class X>
class fit_rows : public routed_rows<X> {
  using T = typename Rows::number;
  using routed_rows<X>::kernels;

 public:
  using routed_rows<X>::table;
  using routed_rows<X>::inputs;
  using routed_rows<X>::slots;
  const T* targets = nullptr;
  const T* weights = nullptr;  // null unless Rows have some

  fit_rows(const route_kernels& of_target, const fit_job& job)
      : routed_rows<X>(of_target, router_of<X>(job)),
        job_(job),
        y_(any(job.y)),
        w_(any(job.weights)) {}

  void load(std::int64_t first, int count) {
    load_numbers(first, count);
    routed_rows<X>::load(job_.rows, first, count);
  }
  /// Targets and weights alone.
  void load_numbers(std::int64_t first, int count) {
    targets = values_from(y_, first, count, copied_targets_);
    if constexpr (Rows::weighted) weights = values_from(w_, first, count, copied_weights_);
  }
  void pass(int count) {
    inputs += count;
    targets += count;
    if constexpr (Rows::weighted) weights += count;
  }

  T target_of_row(std::int64_t row) const { return static_cast<T>(y_[row]); }
  T weight_of_row(std::int64_t row) const { return static_cast<T>(w_[row]); }
  double weight_of([[maybe_unused]] int k) const {
    if constexpr (Rows::weighted) return static_cast<double>(weights[k]);
    return 1.0;
  }

  /// Calls body(k, slot) for each of the first `count` rows that is not ordinary, having replaced
  /// its slot by `ignored`.
  template <class Body>
  void take_exceptions(int count, std::uint32_t ignored, const Body& body) {
    if (num_leading_within(kernels, inputs, count, table.from, table.before) == count &&
        !has_zero_weight(count)) {
      return;
    }
    for (int k = 0; k < count; ++k) {
      if (is_ordinary(k)) continue;
      const std::uint32_t slot = slots[k];
      slots[k] = ignored;
      body(k, slot);
    }
  }

 private:
  bool has_zero_weight([[maybe_unused]] int count) const {
    if constexpr (Rows::weighted) {
      constexpr T least = std::numeric_limits<T>::denorm_min();
      return num_leading_within(kernels, weights, count, least,
                                std::numeric_limits<T>::infinity()) < count;
    }
    return false;
  }
  bool is_ordinary(int k) const {
    const X input = inputs[k];
    return table.from <= input && !(table.before <= input) && weight_of(k) > 0;
  }

  const fit_job& job_;
  const any_array y_;
  const any_array w_;
  T copied_targets_[batch_of<X>];  // where they do not lie in memory as they are needed
  T copied_weights_[batch_of<X>];
};

}  // namespace zcmoe::detail
