// Fitting on the CPU: batches of rows -> slots -> sums. Most rows are ordinary, and their targets
// are added to a few machine words of their slot (window_sums.hpp); every other row goes one by one
// through the functions that the GPU shares (judge_row, add_sample). Sums are integers, so neither
// the number of threads nor their order shows in a result.
#include "host/cpu/fit.hpp"

#include "host/array.hpp"
#include "host/cpu/rows.hpp"
#include "host/cpu/window_sums.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

namespace zcmoe::detail {
namespace {

template <class Body>
void for_each_slot(const state_layout& layout, workers& crew, const Body& body) {
  constexpr std::int64_t slots_per_part = 256;
  const std::int64_t num_slots = layout.num_slots();
  crew.run((num_slots + slots_per_part - 1) / slots_per_part, [&](std::int64_t part) {
    const std::int64_t last = std::min(num_slots, (part + 1) * slots_per_part);
    for (std::int64_t slot = part * slots_per_part; slot < last; ++slot) body(slot);
  });
}

/// Makes the digits of every sum canonical.
void carry_state(const state_layout& layout, std::int64_t* state, workers& crew) {
  with_layout(layout, [&](auto target, auto weighted) {
    for_each_slot(layout, crew, [&](std::int64_t slot) {
      carry_slot<decltype(target), decltype(weighted)::value>(state + num_row_counters,
                                                              layout.num_slots(), slot);
    });
  });
  state[counter_pending] = 0;
}

void add_state(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
               workers& crew) {
  const auto size = static_cast<std::int64_t>(layout.bytes() / sizeof(std::int64_t));
  crew.run((size + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    const std::int64_t last = std::min(size, (part + 1) * rows_per_part);
    for (std::int64_t i = part * rows_per_part; i < last; ++i) {
      if (from[i] != 0) to[i] += from[i];  // untouched pages of `to` stay untouched
    }
  });
}

/// What one range of rows leaves behind besides its sums.
struct fit_counts {
  std::int64_t counter[num_row_counters] = {};
};

/// One row by the book: what becomes of it, its counters, its place in the sums.
template <class T, bool Weighted>
void add_row(const fit_job& job, double x, double y, double w, std::int64_t slot,
             std::int64_t* planes, fit_counts& counts) {
  const row_verdict verdict = judge_row(job.rules, x, y, w, slot);
  for (std::uint32_t bits = verdict.counters; bits != 0; bits &= bits - 1)
    ++counts.counter[__builtin_ctz(bits)];
  if (verdict.slot < 0) return;
  const std::int64_t num_slots = job.layout.num_slots();
  std::int64_t* const own = planes + verdict.slot;
  add_sample<T, Weighted>(
      static_cast<T>(y), static_cast<T>(w),
      [own, num_slots](int plane, std::int64_t piece) { own[plane * num_slots] += piece; });
}

template <class T, bool Weighted, class X>
void add_rows(const route_kernels& kernels, const fit_job& job, std::int64_t first,
              std::int64_t last, std::int64_t* planes, fit_counts& counts) {
  const route_table<X>& table = table_of<X>(job.routes);
  const any_array x = job.x;
  const any_array y = any(job.y);
  const any_array w = any(job.weights);
  routed_rows<X> rows;
  for (std::int64_t i = first; i < last; i += batch) {
    const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
    rows.load(x, i, count);
    rows.route(kernels, table, count);
    for (int k = 0; k < count; ++k) {
      add_row<T, Weighted>(job, static_cast<double>(rows.inputs[k]), y[i + k],
                           Weighted ? w[i + k] : 1.0, rows.slots[k], planes, counts);
    }
  }
}

int leading_within(const route_kernels& kernels, const float* x, int count, float from,
                   float before) {
  return static_cast<int>(
      kernels.leading_within_f32(x, static_cast<std::size_t>(count), from, before));
}
int leading_within(const route_kernels& kernels, const double* x, int count, double from,
                   double before) {
  return static_cast<int>(
      kernels.leading_within_f64(x, static_cast<std::size_t>(count), from, before));
}

/// Inputs of one segment, one after the other: what sorted rows bring.
template <class X>
struct input_run {
  std::uint32_t slot = 0;
  X from{};
  X before{};  // from == before: none yet

  /// How many of the inputs belong to it, in a run that begins with the first if need be.
  int leading(const route_kernels& kernels, const route_table<X>& table, const X* inputs,
              int count) {
    if (!(from <= inputs[0] && inputs[0] < before)) {
      if (!(table.from <= inputs[0] && inputs[0] < table.before)) return 0;
      const std::uint32_t rank = table.rank_of(inputs[0]);
      slot = table.slots_are_ranks ? rank : static_cast<std::uint32_t>(table.slots[rank]);
      from = rank > 0 ? std::max(table.thresholds[rank - 1], table.from) : table.from;
      before = rank < table.thresholds.size() ? std::min(table.thresholds[rank], table.before)
                                              : table.before;
    }
    return leading_within(kernels, inputs, count, from, before);
  }
};

/// Rows without weights, most of which are ordinary: in range, no NaN, their targets in a window.
/// These are added without a look at what becomes of each; those of one segment, as sorted inputs
/// bring them, without being routed.
template <class T, class X>
class ordinary_rows {
 public:
  ordinary_rows(const cpu_target& target, const fit_job& job, std::int64_t* planes,
                fit_counts& counts, slot_sums<T>& sums)
      : routes_(*target.routes),
        loops_(*target.sums),
        job_(job),
        table_(table_of<X>(job.routes)),
        x_(job.x),
        y_(any(job.y)),
        planes_(planes),
        counts_(counts),
        sums_(sums) {}

  void add(std::int64_t first, std::int64_t last) {
    constexpr zcmoe_dtype own_type = sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64;
    const bool targets_in_place = y_.dtype == own_type && y_.stride == 1;
    // A new window costs a pass over all slots: so many rows first.
    const std::int64_t rows_per_window =
        std::max<std::int64_t>(1 << 16, 4 * job_.layout.num_slots());
    std::int64_t window_until = first;
    choose_window(first, last);
    T copied[batch];
    for (std::int64_t i = first; i < last; i += batch) {
      const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
      targets_ = copied;
      if (targets_in_place) {
        targets_ = static_cast<const T*>(y_.data) + i;
      } else {
        for (int k = 0; k < count; ++k) copied[k] = static_cast<T>(y_[i + k]);
      }
      rows_.load(x_, i, count);
      if (add_batch(count) > batch / 16 && i >= window_until) {
        choose_window(i, last);  // perhaps another one holds more of them
        window_until = i + rows_per_window;
      }
    }
    sums_.flush(0);
  }

 private:
  static constexpr int least_run = 64;  // rows that are not sooner routed than looked at
  static_assert(batch <= max_run_rows, "a batch may be one run");

  void choose_window(std::int64_t first, std::int64_t last) {
    T seen[slot_sums<T>::most_looked_at];
    const std::int64_t rows = last - first;
    const auto looked_at = static_cast<int>(std::min<std::int64_t>(
        rows, std::clamp<std::int64_t>(rows / 16, 16, slot_sums<T>::most_looked_at)));
    for (int k = 0; k < looked_at; ++k) seen[k] = static_cast<T>(y_[first + rows / looked_at * k]);
    sums_.set_window(seen, looked_at);
  }

  /// Answers how many rows had targets that the window did not hold.
  int add_batch(int left) {
    int misfits = 0;
    for (int count = 0; left > 0; rows_.inputs += count, targets_ += count, left -= count) {
      count = left;
      if (looks_sorted_ && left >= least_run) {
        const int length = run_.leading(routes_, table_, rows_.inputs, left);
        if (length >= least_run && add_run(length)) {
          count = length;
          continue;
        }
        // A few rows before a run are routed without it.
        if (length < least_run && left - length >= least_run &&
            run_.leading(routes_, table_, rows_.inputs + length, left - length) >= least_run) {
          count = length;
        }
      }
      misfits += add_routed(count);
    }
    return misfits;
  }

  /// The next rows, of one segment; false if the window may not hold all their targets.
  bool add_run(int count) {
    const auto n = static_cast<std::size_t>(count);
    sums_.reserve(count);
    bool added;
    if constexpr (sizeof(T) == 4) {
      added = loops_.add_run_f32(targets_, n, sums_.window(), sums_.at(run_.slot));
    } else {
      added = loops_.add_run_f64(targets_, n, sums_.window(), sums_.at(run_.slot));
    }
    if (added) count_used(count);
    return added;
  }

  /// The next rows; answers how many had targets that the window did not hold.
  int add_routed(int count) {
    rows_.route(routes_, table_, count);
    looks_sorted_ = rows_.slots[std::max(0, count - 8)] == rows_.slots[count - 1];
    std::uint32_t exceptions[batch];
    std::uint32_t outside[batch];  // slots of exceptions by their inputs
    std::size_t num_outside = 0;
    if (leading_within(routes_, rows_.inputs, count, table_.from, table_.before) < count) {
      for (int k = 0; k < count; ++k) {
        if (table_.from <= rows_.inputs[k] && !(table_.before <= rows_.inputs[k])) continue;
        outside[num_outside] = rows_.slots[k];
        exceptions[num_outside++] = static_cast<std::uint32_t>(k);
        rows_.slots[k] = sums_.ignored_slot();
      }
    }
    const std::size_t misfits = add_in_window(count, exceptions + num_outside);
    const std::size_t num_exceptions = num_outside + misfits;
    count_used(count - static_cast<std::int64_t>(num_exceptions));
    for (std::size_t e = 0; e < num_exceptions; ++e) {
      const std::uint32_t k = exceptions[e];
      add_row<T, false>(job_, static_cast<double>(rows_.inputs[k]),
                        static_cast<double>(targets_[k]), 1.0,
                        e < num_outside ? outside[e] : rows_.slots[k], planes_, counts_);
    }
    return static_cast<int>(misfits);
  }

  /// Adds routed rows to their slots; numbers of those whose targets the window does not hold, and
  /// whose slot is not to be ignored, go to misfits.
  std::size_t add_in_window(int count, std::uint32_t* misfits) {
    sums_.reserve(count);
    const window_rows<T> rows{
        targets_,       rows_.slots,          static_cast<std::size_t>(count),
        sums_.window(), sums_.ignored_slot(), num_segments_of(sums_.ignored_slot()),
        sums_.data(),   sums_.copies_shift()};
    if constexpr (sizeof(T) == 4) {
      return loops_.add_f32(rows, misfits);
    } else {
      return loops_.add_f64(rows, misfits);
    }
  }

  void count_used(std::int64_t rows) {
    counts_.counter[counter_rows] += rows;
    counts_.counter[counter_rows_used] += rows;
  }

  const route_kernels& routes_;
  const sum_kernels& loops_;
  const fit_job& job_;
  const route_table<X>& table_;
  const any_array x_;
  const any_array y_;
  std::int64_t* planes_;
  fit_counts& counts_;
  slot_sums<T>& sums_;
  routed_rows<X> rows_;
  const T* targets_ = nullptr;
  input_run<X> run_;
  bool looks_sorted_ = true;
};

template <class T, bool Weighted, class X>
void accumulate_typed(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                      const std::shared_ptr<backend>& engine) {
  // Every thread sums into a state of its own, thread 0 into the fit's; all memory is there
  // before the first row, so nothing can fail half-way.
  const std::size_t state_bytes = job.layout.bytes();
  // A further state costs its bytes and a pass over them: worth it only where its rows outweigh
  // that.
  const std::int64_t least_rows =
      std::max(rows_per_part, static_cast<std::int64_t>(state_bytes / sizeof(std::int64_t) / 8));
  std::int64_t threads = std::min<std::int64_t>(num_parts, job.n / least_rows);
  // Sums in windows, where enough rows share the pass over all slots that ends them. What threads
  // take beside the fit's own state, windows included, stays within private_bytes.
  const std::int64_t num_slots = job.layout.num_slots();
  std::size_t window_bytes = Weighted ? 0 : slot_sums<T>::bytes(num_slots);
  if (window_bytes > private_bytes) window_bytes = 0;
  threads = std::min(threads, static_cast<std::int64_t>((private_bytes + state_bytes) /
                                                        (state_bytes + window_bytes)));
  threads = std::max<std::int64_t>(threads, 1);
  const bool windows = window_bytes > 0 && job.n / threads >= num_slots;
  std::vector<engine_buffer> own;
  std::vector<fit_counts> counts(static_cast<std::size_t>(threads));
  own.reserve(static_cast<std::size_t>(threads));
  for (std::int64_t t = 1; t < threads; ++t) own.emplace_back(engine, state_bytes, nullptr);
  std::vector<engine_buffer> window_memory;
  if (windows) {
    window_memory.reserve(static_cast<std::size_t>(threads));
    for (std::int64_t t = 0; t < threads; ++t)
      window_memory.emplace_back(engine, window_bytes, nullptr);
  }
  const auto state_of = [&](std::int64_t t) {
    return t == 0 ? job.state
                  : static_cast<std::int64_t*>(own[static_cast<std::size_t>(t - 1)].data());
  };

  constexpr std::int64_t rows_per_round = max_pending_rows / 2;
  for (std::int64_t begin = 0; begin < job.n; begin += rows_per_round) {
    const std::int64_t rows = std::min(rows_per_round, job.n - begin);
    if (job.state[counter_pending] + rows > max_pending_rows) {
      carry_state(job.layout, job.state, crew);
    }
    const auto work = [&](std::int64_t t) {
      const default_arithmetic scope;
      const std::int64_t first = begin + rows / threads * t + std::min(t, rows % threads);
      const std::int64_t last = begin + rows / threads * (t + 1) + std::min(t + 1, rows % threads);
      std::int64_t* const planes = state_of(t) + num_row_counters;
      fit_counts& own_counts = counts[static_cast<std::size_t>(t)];
      if constexpr (!Weighted) {
        if (windows) {
          slot_sums<T> sums(window_memory[static_cast<std::size_t>(t)].data(), num_slots, planes);
          ordinary_rows<T, X>(target, job, planes, own_counts, sums).add(first, last);
          return;
        }
      }
      add_rows<T, Weighted, X>(*target.routes, job, first, last, planes, own_counts);
    };
    crew.run(threads, work);
    job.state[counter_pending] += rows;
    if (begin + rows <
        job.n) {  // more than one round: keep the private digits far from overflow as well
      for (std::int64_t t = 1; t < threads; ++t) carry_state(job.layout, state_of(t), crew);
    }
  }
  for (std::int64_t t = 1; t < threads; ++t) add_state(job.layout, job.state, state_of(t), crew);
  for (const fit_counts& part : counts) {
    for (int c = 0; c < num_row_counters; ++c) job.state[c] += part.counter[c];
  }
}

/// The first row that an error policy refuses, or n.
std::int64_t first_refused(const fit_job& job, const any_array& x, const any_array& y,
                           const any_array& w, workers& crew) {
  std::atomic<std::int64_t> found{job.n};
  crew.run((job.n + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    const std::int64_t last = std::min(job.n, (part + 1) * rows_per_part);
    for (std::int64_t i = part * rows_per_part; i < std::min(last, found.load()); ++i) {
      const double weight = job.layout.weighted ? w[i] : 1.0;
      if (!judge_row(job.rules, x[i], y[i], weight, 0).refused) continue;
      for (std::int64_t best = found; i < best && !found.compare_exchange_weak(best, i);) {
      }
      return;
    }
  });
  return found;
}

}  // namespace

void accumulate_on_cpu(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                       const std::shared_ptr<backend>& engine) {
  const any_array x = job.x;
  const any_array y = any(job.y);
  const any_array w = any(job.weights);
  if (job.layout.weighted || job.rules.refuse_nan_inputs || job.rules.refuse_nonfinite_targets) {
    const std::int64_t refused = first_refused(job, x, y, w, crew);
    if (refused != job.n) {
      fail(ZCMOE_ERR_DATA, "row ", refused, " is refused: x[", refused, "]=", x[refused], ", y[",
           refused, "]=", y[refused],
           job.layout.weighted ? text(", weights[", refused, "]=", w[refused]) : std::string());
    }
  }
  with_layout(job.layout, [&](auto number, auto weighted) {
    using target_type = decltype(number);
    constexpr bool is_weighted = decltype(weighted)::value;
    const auto accumulate = routes_as_float(job.x.dtype)
                                ? accumulate_typed<target_type, is_weighted, float>
                                : accumulate_typed<target_type, is_weighted, double>;
    accumulate(job, target, crew, num_parts, engine);
  });
}

void merge_on_cpu(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
                  workers& crew) {
  if (to[counter_pending] + from[counter_pending] > max_pending_rows) {
    carry_state(layout, to, crew);
  }
  add_state(layout, to, from, crew);
  carry_state(layout, to, crew);
}

void summarize_on_cpu(const state_layout& layout, const std::int64_t* state,
                      slot_summary* summaries, workers& crew) {
  with_layout(layout, [&](auto target, auto weighted) {
    for_each_slot(layout, crew, [&](std::int64_t slot) {
      summaries[slot] = summarize<decltype(target), decltype(weighted)::value>(
          state + num_row_counters, layout.num_slots(), slot);
    });
  });
}

}  // namespace zcmoe::detail
