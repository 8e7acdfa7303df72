// Prediction on the CPU: batches of rows -> slots -> one look-up an output; or, where predictions
// alone are asked for and lie in memory as inputs do, straight from the routing table's cells.
#include "host/cpu/predict.hpp"

#include "host/array.hpp"
#include "host/cpu/rows.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace zcmoe::detail {
namespace {

/// What a report says of rows, added up by all threads.
struct predict_counts {
  std::atomic<std::int64_t> used{0};
  std::atomic<std::int64_t> nan_inputs{0};
  std::atomic<std::int64_t> below{0};
  std::atomic<std::int64_t> above{0};
};

template <class Element>
void store_outputs(const gather& output, const slot_roles& roles, std::int64_t first, int count,
                   const std::uint32_t* slots) {
  auto* const out = static_cast<Element*>(output.out) + first * output.stride;
  const auto* const table = static_cast<const Element*>(output.table);
  for (int k = 0; k < count; ++k) {
    out[k * output.stride] =
        table != nullptr
            ? table[slots[k]]
            : static_cast<Element>(roles.segment_of(static_cast<std::int32_t>(slots[k])));
  }
}

/// What lines answer. Of the outputs this alone reads the inputs, row by row before it writes the
/// row, and comes first: it may overwrite them.
template <class Element, class T>
void store_line_values(const gather& output, std::int64_t first, int count,
                       const std::uint32_t* slots, const T* inputs) {
  auto* const out = static_cast<Element*>(output.out) + first * output.stride;
  for (int k = 0; k < count; ++k) {
    out[k * output.stride] =
        static_cast<Element>(value_of(output.lines[slots[k]], static_cast<double>(inputs[k])));
  }
}

template <class T>
void predict_rows(const route_kernels& kernels, const predict_job& job, std::int64_t first,
                  std::int64_t last, predict_counts& counts) {
  const slot_roles roles = job.routes->roles();
  const auto num_segments = static_cast<std::uint32_t>(roles.num_segments);
  const std::size_t num_lines = num_slots_of(std::size_t{num_segments});
  std::int64_t used = 0, nan_inputs = 0, below = 0, above = 0;
  routed_rows<T> rows(kernels, *job.routes);
  for (std::int64_t i = first; i < last; i += batch) {
    const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
    rows.load(job.rows, i, count);
    rows.route(count);
    // Counted first: predictions may overwrite the inputs.
    for (int k = 0; job.report != nullptr && k < count; ++k) {
      const input_place place = rows.place(k);
      nan_inputs += place == input_place::not_a_number ? 1 : 0;
      below += place == input_place::below_range ? 1 : 0;
      above += place == input_place::above_range ? 1 : 0;
      used += rows.slots[k] < num_segments ? 1 : 0;
    }
    for (int g = 0; g < job.num_gathers; ++g) {
      if (job.gathers[g].lines != nullptr) {
        const gather& output = job.gathers[g];
        if (output.stride == 1 && output.element_size == static_cast<int>(sizeof(T))) {
          T* const out = static_cast<T*>(output.out) + i;
          if constexpr (sizeof(T) == 4) {
            kernels.lines_f32(output.lines, num_lines, rows.slots, rows.inputs, out,
                              static_cast<std::size_t>(count));
          } else {
            kernels.lines_f64(output.lines, num_lines, rows.slots, rows.inputs, out,
                              static_cast<std::size_t>(count));
          }
          continue;
        }
        output.element_size == 8
            ? store_line_values<double>(output, i, count, rows.slots, rows.inputs)
            : store_line_values<float>(output, i, count, rows.slots, rows.inputs);
        continue;
      }
      job.gathers[g].element_size == 8
          ? store_outputs<std::int64_t>(job.gathers[g], roles, i, count, rows.slots)
          : store_outputs<std::int32_t>(job.gathers[g], roles, i, count, rows.slots);
    }
  }
  counts.used += used;
  counts.nan_inputs += nan_inputs;
  counts.below += below;
  counts.above += above;
}

/// Predictions alone, in the inputs' own type, both contiguous: straight from cells.
template <class T>
bool values_only(const predict_job& job) {
  const gather& output = job.gathers[0];
  const any_array& x = job.rows.x;
  return job.num_gathers == 1 && job.report == nullptr && x.stride == 1 && output.stride == 1 &&
         x.dtype == (sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64) && output.held_by_router &&
         output.element_size == static_cast<int>(sizeof(T));
}

/// The share of the last cache that one core can count on. What systems report is the whole of it,
/// virtual machines at times that of all sockets.
std::size_t last_cache_bytes() {
  constexpr std::size_t most = std::size_t{32} << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  static const long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return std::min(static_cast<std::size_t>(size), most);
#endif
  return most;
}

template <class T>
void write_predictions(const route_kernels& kernels, const predict_job& job, std::int64_t first,
                       std::int64_t last) {
  const route_table<T>& table = table_of<T>(*job.routes);
  const T* x = static_cast<const T*>(job.rows.x.data) + first;
  T* y = static_cast<T*>(job.gathers[0].out) + first;
  auto n = static_cast<std::size_t>(last - first);
  const auto write = [&](std::size_t count, bool stream) {
    if constexpr (sizeof(T) == 4) {
      kernels.values_f32(table, x, y, count, stream);
    } else {
      kernels.values_f64(table, x, y, count, stream);
    }
    x += count;
    y += count;
    n -= count;
  };
  // x and y together: what does not fit would be thrown out before it is read again.
  const bool stream = x != y &&
                      static_cast<std::size_t>(job.rows.n) > last_cache_bytes() / 2 / sizeof(T) &&
                      reinterpret_cast<std::uintptr_t>(y) % sizeof(T) == 0;
  if (stream) {
    const std::size_t past_line = reinterpret_cast<std::uintptr_t>(y) % 64 / sizeof(T);
    write(std::min(n, past_line == 0 ? 0 : 64 / sizeof(T) - past_line), false);
  }
  write(n, stream);
}

template <class T>
void predict_as(const predict_job& job, const route_kernels& kernels, workers& crew) {
  predict_counts counts;
  const std::int64_t n = job.rows.n;
  const auto over = [&](std::int64_t first, std::int64_t last) {
    const default_arithmetic scope;
    if (values_only<T>(job)) {
      write_predictions<T>(kernels, job, first, last);
    } else {
      predict_rows<T>(kernels, job, first, last, counts);
    }
  };
  if (n <= 2 * rows_per_part || crew.num_threads() == 1) {
    over(0, n);
  } else {
    crew.run((n + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
      over(part * rows_per_part, std::min(n, (part + 1) * rows_per_part));
    });
  }
  if (job.report != nullptr) {
    job.report->rows += n;
    job.report->rows_used += counts.used;
    job.report->nan_inputs += counts.nan_inputs;
    job.report->below_range += counts.below;
    job.report->above_range += counts.above;
  }
}

}  // namespace

void predict_on_cpu(const predict_job& job, const route_kernels& kernels, workers& crew) {
  if (routes_as_float(job.rows.x.dtype)) {
    predict_as<float>(job, kernels, crew);
  } else {
    predict_as<double>(job, kernels, crew);
  }
}

}  // namespace zcmoe::detail
