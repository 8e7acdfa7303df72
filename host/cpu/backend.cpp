// The CPU engine: routing by cpu_kernels, what becomes of a row by the functions it shares with the
// GPU (judge_row, add_sample, summarize), shared out to threads by TBB. Sums are integers, so
// neither the number of threads nor their order shows in a result.
#include "host/array.hpp"
#include "host/engine/backend.hpp"
#include "host/cpu/group.hpp"
#include "host/cpu/rows.hpp"
#include "host/cpu/window_sums.hpp"

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t rows_per_task = 1 << 16;  // below this a thread costs more than it brings
constexpr std::size_t alignment = 256;
constexpr std::size_t private_bytes = std::size_t{1} << 30;  // bound on the extra tables of one add

// ----------------------------------------------------------------- predict

struct predict_counts {
  std::int64_t used = 0;
  std::int64_t nan_inputs = 0;
  std::int64_t below = 0;
  std::int64_t above = 0;

  predict_counts operator+(const predict_counts& other) const {
    return {used + other.used, nan_inputs + other.nan_inputs, below + other.below,
            above + other.above};
  }
};

template <class Element>
void store(const gather& output, const model_view& view, std::int64_t first, int count,
           const std::uint32_t* slots) {
  auto* const out = static_cast<Element*>(output.out) + first * output.stride;
  const auto* const table = static_cast<const Element*>(output.table);
  for (int k = 0; k < count; ++k) {
    out[k * output.stride] =
        table != nullptr ? table[slots[k]] : static_cast<Element>(view.segment_of_slot(slots[k]));
  }
}

template <class T>
predict_counts predict_rows(const route_kernels& kernels, const predict_job& job,
                            std::int64_t first, std::int64_t last) {
  const route_table<T>& table = table_of<T>(job.routes);
  const any_array x = any(job.x);
  predict_counts counts;
  routed_rows<T> rows;
  for (std::int64_t i = first; i < last; i += batch) {
    const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
    rows.load(x, i, count);
    rows.route(kernels, table, count);
    // Counted first: answers may overwrite the inputs.
    for (int k = 0; job.report != nullptr && k < count; ++k) {
      const double input = static_cast<double>(rows.inputs[k]);
      counts.nan_inputs += input != input ? 1 : 0;
      counts.below += job.view.is_below(input) ? 1 : 0;
      counts.above += job.view.is_above(input) ? 1 : 0;
      counts.used += rows.slots[k] < job.view.num_segments ? 1 : 0;
    }
    for (int g = 0; g < job.num_gathers; ++g) {
      job.gathers[g].element_size == 8
          ? store<std::int64_t>(job.gathers[g], job.view, i, count, rows.slots)
          : store<std::int32_t>(job.gathers[g], job.view, i, count, rows.slots);
    }
  }
  return counts;
}

/// Answers alone, in the inputs' own type, both contiguous: straight from cells.
template <class T>
bool answers_only(const predict_job& job) {
  const gather& output = job.gathers[0];
  return job.num_gathers == 1 && job.report == nullptr && job.x.stride == 1 && output.stride == 1 &&
         job.x.dtype == (sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64) &&
         output.element_size == static_cast<int>(sizeof(T)) &&
         output.table == (sizeof(T) == 4 ? static_cast<const void*>(job.view.constants_f32)
                                         : static_cast<const void*>(job.view.constants));
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
void write_answers(const route_kernels& kernels, const predict_job& job, std::int64_t first,
                   std::int64_t last) {
  const route_table<T>& table = table_of<T>(job.routes);
  const T* x = static_cast<const T*>(job.x.data) + first;
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
                      static_cast<std::size_t>(job.n) > last_cache_bytes() / 2 / sizeof(T) &&
                      reinterpret_cast<std::uintptr_t>(y) % sizeof(T) == 0;
  if (stream) {
    const std::size_t past_line = reinterpret_cast<std::uintptr_t>(y) % 64 / sizeof(T);
    write(std::min(n, past_line == 0 ? 0 : 64 / sizeof(T) - past_line), false);
  }
  write(n, stream);
}

// --------------------------------------------------------------------- fit

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
  const any_array x = any(job.x);
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
  ordinary_rows(const route_kernels& kernels, const fit_job& job, std::int64_t* planes,
                fit_counts& counts, slot_sums<T>& sums)
      : kernels_(kernels),
        job_(job),
        table_(table_of<X>(job.routes)),
        x_(any(job.x)),
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
        const int length = run_.leading(kernels_, table_, rows_.inputs, left);
        if (length >= least_run && add_run(length)) {
          count = length;
          continue;
        }
        // A few rows before a run are routed without it.
        if (length < least_run && left - length >= least_run &&
            run_.leading(kernels_, table_, rows_.inputs + length, left - length) >= least_run) {
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
      added = kernels_.add_run_f32(targets_, n, sums_.window(), sums_.at(run_.slot));
    } else {
      added = kernels_.add_run_f64(targets_, n, sums_.window(), sums_.at(run_.slot));
    }
    if (added) count_used(count);
    return added;
  }

  /// The next rows; answers how many had targets that the window did not hold.
  int add_routed(int count) {
    rows_.route(kernels_, table_, count);
    looks_sorted_ = rows_.slots[std::max(0, count - 8)] == rows_.slots[count - 1];
    std::uint32_t exceptions[batch];
    std::uint32_t outside[batch];  // slots of exceptions by their inputs
    std::size_t num_outside = 0;
    if (leading_within(kernels_, rows_.inputs, count, table_.from, table_.before) < count) {
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
    const window_rows<T> rows{targets_,
                              rows_.slots,
                              static_cast<std::size_t>(count),
                              sums_.window(),
                              sums_.ignored_slot(),
                              sums_.ignored_slot() - 3,  // slots but those of NaN and out of range
                              sums_.data(),
                              sums_.copies_shift()};
    if constexpr (sizeof(T) == 4) {
      return kernels_.add_f32(rows, misfits);
    } else {
      return kernels_.add_f64(rows, misfits);
    }
  }

  void count_used(std::int64_t rows) {
    counts_.counter[counter_rows] += rows;
    counts_.counter[counter_rows_used] += rows;
  }

  const route_kernels& kernels_;
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

class cpu_backend final : public backend, public std::enable_shared_from_this<cpu_backend> {
 public:
  explicit cpu_backend(const zcmoe_context_options& options)
      : alloc_(options.alloc),
        free_(options.free),
        user_(options.user),
        num_parts_(options.num_threads != 0 ? options.num_threads
                                            : tbb::info::default_concurrency()),
        num_threads_(std::min(num_parts_, tbb::info::default_concurrency())),
        kernels_(chosen_kernels()),
        arena_(num_threads_) {}

  zcmoe_engine engine() const override { return ZCMOE_ENGINE_CPU; }

  void describe(zcmoe_context_info& info) const override {
    info.engine = ZCMOE_ENGINE_CPU;
    info.device = -1;
    info.num_threads = num_threads_;
    std::snprintf(info.name, sizeof info.name, "cpu, %d thread%s, %s", num_threads_,
                  num_threads_ == 1 ? "" : "s", kernels_.name);
  }

  void* allocate_zeroed(std::size_t bytes, zcmoe_stream) override {
    void* pointer = nullptr;
    if (alloc_ != nullptr) {
      pointer = alloc_(user_, bytes, alignment, nullptr);
      if (reinterpret_cast<std::uintptr_t>(pointer) % alignment != 0) {
        free_(user_, pointer, bytes, alignment, nullptr);
        fail(ZCMOE_ERR_INVALID_ARGUMENT, "options->alloc answered ", pointer,
             ", which is not aligned to ", alignment, " bytes");
      }
      if (pointer != nullptr) std::memset(pointer, 0, bytes);
    } else {
      // calloc leaves large blocks to the kernel's zero pages: planes that no value reaches never
      // become resident. The block's own address is kept below the aligned one.
      void* block = std::calloc(bytes + 2 * alignment, 1);
      if (block != nullptr) {
        std::size_t space = bytes + alignment;
        pointer = static_cast<char*>(block) + alignment;
        pointer = std::align(alignment, bytes, pointer, space);
        std::memcpy(static_cast<char*>(pointer) - sizeof block, &block, sizeof block);
      }
    }
    if (pointer == nullptr) fail(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory: ", bytes, " bytes");
    return pointer;
  }

  void deallocate(void* pointer, std::size_t bytes, zcmoe_stream) noexcept override {
    if (free_ != nullptr) {
      free_(user_, pointer, bytes, alignment, nullptr);
      return;
    }
    void* block = nullptr;
    std::memcpy(&block, static_cast<char*>(pointer) - sizeof block, sizeof block);
    std::free(block);
  }

  void upload(void* to, const void* from, std::size_t bytes, zcmoe_stream) override {
    std::memcpy(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes, zcmoe_stream) const override {
    std::memcpy(to, from, bytes);
  }

  std::unique_ptr<const router> make_router(const model_view& host, zcmoe_stream) override {
    const default_arithmetic scope;
    return std::make_unique<cpu_router>(host, kernels_);
  }

  void predict(const predict_job& job, zcmoe_stream) const override {
    if (routes_as_float(job.x.dtype)) {
      predict_as<float>(job);
    } else {
      predict_as<double>(job);
    }
  }

  void predict_sync(const predict_job& job, zcmoe_stream stream) const override {
    predict(job, stream);
  }

  std::size_t group_workspace(std::int64_t, std::int64_t) const override { return 0; }
  void group(const group_job& job, zcmoe_stream) override {
    group_on_cpu(job, shared_from_this(), kernels_, arena_, num_parts_);
  }
  void group_sync(const group_job& job, zcmoe_stream stream) override { group(job, stream); }

  std::size_t fit_workspace(const state_layout&, std::int64_t) const override { return 0; }

  void accumulate(const fit_job& job, zcmoe_stream) override {
    const any_array x = any(job.x);
    const any_array y = any(job.y);
    const any_array w = any(job.weights);
    if (job.layout.weighted || job.rules.refuse_nan_inputs || job.rules.refuse_nonfinite_targets) {
      const std::int64_t refused = first_refused(job, x, y, w);
      if (refused != job.n) {
        fail(ZCMOE_ERR_DATA, "row ", refused, " is refused: x[", refused, "]=", x[refused], ", y[",
             refused, "]=", y[refused],
             job.layout.weighted ? text(", weights[", refused, "]=", w[refused]) : std::string());
      }
    }
    with_layout(job.layout, [&](auto target, auto weighted) {
      using target_type = decltype(target);
      constexpr bool is_weighted = decltype(weighted)::value;
      routes_as_float(job.x.dtype) ? accumulate_typed<target_type, is_weighted, float>(job)
                                   : accumulate_typed<target_type, is_weighted, double>(job);
    });
  }

  void accumulate_sync(const fit_job& job, zcmoe_stream stream) override {
    accumulate(job, stream);
  }

  void merge(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
             zcmoe_stream) override {
    if (to[counter_pending] + from[counter_pending] > max_pending_rows) carry_state(layout, to);
    add_state(layout, to, from);
    carry_state(layout, to);
  }

  void summarize(const state_layout& layout, const std::int64_t* state, slot_summary* summaries,
                 zcmoe_stream) override {
    with_layout(layout, [&](auto target, auto weighted) {
      arena_.execute([&] {
        tbb::parallel_for(std::int64_t{0}, layout.num_slots(), [&](std::int64_t slot) {
          summaries[slot] = detail::summarize<decltype(target), decltype(weighted)::value>(
              state + num_row_counters, layout.num_slots(), slot);
        });
      });
    });
  }

 private:
  template <class T>
  void predict_as(const predict_job& job) const {
    const auto over = [&](std::int64_t first, std::int64_t last) {
      const default_arithmetic scope;
      if (!answers_only<T>(job)) return predict_rows<T>(kernels_, job, first, last);
      write_answers<T>(kernels_, job, first, last);
      return predict_counts{};
    };
    predict_counts counts;
    if (job.n <= 2 * rows_per_task || num_threads_ == 1) {
      counts = over(0, job.n);
    } else {
      arena_.execute([&] {
        counts = tbb::parallel_reduce(
            tbb::blocked_range<std::int64_t>(0, job.n, rows_per_task), predict_counts{},
            [&](const tbb::blocked_range<std::int64_t>& rows, const predict_counts& sum) {
              return sum + over(rows.begin(), rows.end());
            },
            [](const predict_counts& a, const predict_counts& b) { return a + b; });
      });
    }
    if (job.report != nullptr) {
      job.report->rows += job.n;
      job.report->rows_used += counts.used;
      job.report->nan_inputs += counts.nan_inputs;
      job.report->below_range += counts.below;
      job.report->above_range += counts.above;
    }
  }

  template <class T, bool Weighted, class X>
  void accumulate_typed(const fit_job& job) {
    // Every thread sums into a state of its own, thread 0 into the fit's; all memory is there
    // before the first row, so nothing can fail half-way.
    const std::size_t state_bytes = job.layout.bytes();
    // A further state costs its bytes and a pass over them: worth it only where its rows outweigh
    // that.
    const std::int64_t least_rows =
        std::max(rows_per_task, static_cast<std::int64_t>(state_bytes / sizeof(std::int64_t) / 8));
    std::int64_t threads = std::min<std::int64_t>(num_parts_, job.n / least_rows);
    threads = std::min(threads, static_cast<std::int64_t>(1 + private_bytes / state_bytes));
    threads = std::max<std::int64_t>(threads, 1);
    std::vector<engine_buffer> own;
    std::vector<fit_counts> counts(static_cast<std::size_t>(threads));
    own.reserve(static_cast<std::size_t>(threads));
    for (std::int64_t t = 1; t < threads; ++t)
      own.emplace_back(shared_from_this(), state_bytes, nullptr);
    // Sums in windows, where enough rows share the pass over all slots that ends them.
    const std::int64_t num_slots = job.layout.num_slots();
    const bool windows = !Weighted && job.n / threads >= num_slots;
    std::vector<engine_buffer> window_memory;
    if (windows) {
      window_memory.reserve(static_cast<std::size_t>(threads));
      for (std::int64_t t = 0; t < threads; ++t)
        window_memory.emplace_back(shared_from_this(), slot_sums<T>::bytes(num_slots), nullptr);
    }
    const auto state_of = [&](std::int64_t t) {
      return t == 0 ? job.state
                    : static_cast<std::int64_t*>(own[static_cast<std::size_t>(t - 1)].data());
    };

    constexpr std::int64_t rows_per_round = max_pending_rows / 2;
    for (std::int64_t begin = 0; begin < job.n; begin += rows_per_round) {
      const std::int64_t rows = std::min(rows_per_round, job.n - begin);
      if (job.state[counter_pending] + rows > max_pending_rows) {
        carry_state(job.layout, job.state);
      }
      const auto work = [&](std::int64_t t) {
        const default_arithmetic scope;
        const std::int64_t first = begin + rows / threads * t + std::min(t, rows % threads);
        const std::int64_t last =
            begin + rows / threads * (t + 1) + std::min(t + 1, rows % threads);
        std::int64_t* const planes = state_of(t) + num_row_counters;
        fit_counts& own_counts = counts[static_cast<std::size_t>(t)];
        if constexpr (!Weighted) {
          if (windows) {
            slot_sums<T> sums(window_memory[static_cast<std::size_t>(t)].data(), num_slots, planes);
            ordinary_rows<T, X>(kernels_, job, planes, own_counts, sums).add(first, last);
            return;
          }
        }
        add_rows<T, Weighted, X>(kernels_, job, first, last, planes, own_counts);
      };
      if (threads == 1) {
        work(0);
      } else {
        arena_.execute([&] { tbb::parallel_for(std::int64_t{0}, threads, work); });
      }
      job.state[counter_pending] += rows;
      if (begin + rows <
          job.n) {  // more than one round: keep the private digits far from overflow as well
        for (std::int64_t t = 1; t < threads; ++t) carry_state(job.layout, state_of(t));
      }
    }
    for (std::int64_t t = 1; t < threads; ++t) add_state(job.layout, job.state, state_of(t));
    for (const fit_counts& part : counts) {
      for (int c = 0; c < num_row_counters; ++c) job.state[c] += part.counter[c];
    }
  }

  /// The first row that an error policy refuses, or n.
  std::int64_t first_refused(const fit_job& job, const any_array& x, const any_array& y,
                             const any_array& w) const {
    const auto first_of = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const double weight = job.layout.weighted ? w[i] : 1.0;
        if (judge_row(job.rules, x[i], y[i], weight, 0).refused) return i;
      }
      return job.n;
    };
    if (job.n <= rows_per_task) return first_of(0, job.n);
    return arena_.execute([&] {
      return tbb::parallel_reduce(
          tbb::blocked_range<std::int64_t>(0, job.n, rows_per_task), job.n,
          [&](const tbb::blocked_range<std::int64_t>& rows, std::int64_t best) {
            return best < rows.begin() ? best : std::min(best, first_of(rows.begin(), rows.end()));
          },
          [](std::int64_t a, std::int64_t b) { return std::min(a, b); });
    });
  }

  /// Makes the digits of every sum canonical.
  void carry_state(const state_layout& layout, std::int64_t* state) const {
    with_layout(layout, [&](auto target, auto weighted) {
      arena_.execute([&] {
        tbb::parallel_for(std::int64_t{0}, layout.num_slots(), [&](std::int64_t slot) {
          carry_slot<decltype(target), decltype(weighted)::value>(state + num_row_counters,
                                                                  layout.num_slots(), slot);
        });
      });
    });
    state[counter_pending] = 0;
  }

  void add_state(const state_layout& layout, std::int64_t* to, const std::int64_t* from) const {
    const auto size = static_cast<std::int64_t>(layout.bytes() / sizeof(std::int64_t));
    const auto add = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        if (from[i] != 0) to[i] += from[i];  // untouched pages of `to` stay untouched
      }
    };
    if (size <= rows_per_task) {
      add(0, size);
      return;
    }
    arena_.execute([&] {
      tbb::parallel_for(
          tbb::blocked_range<std::int64_t>(0, size, rows_per_task),
          [&](const tbb::blocked_range<std::int64_t>& range) { add(range.begin(), range.end()); });
    });
  }

  zcmoe_alloc_fn alloc_;
  zcmoe_free_fn free_;
  void* user_;
  int num_parts_;    // states that rows are summed into: as many as threads were asked for
  int num_threads_;  // no more than there are cores: TBB would complain on stderr
  const route_kernels& kernels_;
  mutable tbb::task_arena arena_;
};

}  // namespace

std::shared_ptr<backend> make_cpu_backend(const zcmoe_context_options& options) {
  return std::make_shared<cpu_backend>(options);
}

}  // namespace zcmoe::detail
