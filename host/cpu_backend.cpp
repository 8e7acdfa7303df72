// The CPU engine: plain loops over the functions it shares with the GPU (slots_of, judge_row,
// add_sample, summarize), shared out to threads by TBB. Sums are integers, so neither the number of
// threads nor their order shows in a result.
#include "array.hpp"
#include "backend.hpp"

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>

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

void store(const gather& output, const model_view& view, std::int64_t i, std::int64_t slot) {
  const std::int64_t k = i * output.stride;
  if (output.element_size == 8) {
    static_cast<std::int64_t*>(output.out)[k] =
        output.table != nullptr ? static_cast<const std::int64_t*>(output.table)[slot]
                                : view.segment_of_slot(slot);
  } else {
    static_cast<std::int32_t*>(output.out)[k] =
        output.table != nullptr ? static_cast<const std::int32_t*>(output.table)[slot]
                                : static_cast<std::int32_t>(view.segment_of_slot(slot));
  }
}

constexpr int batch = 16;  // searches in flight: their cache misses overlap

/// Slots of `count` <= batch inputs from row `first` on; the inputs too, which outputs may
/// overwrite.
template <class Array>
void route_batch(const model_view& view, const Array& x, std::int64_t first, int count,
                 double (&inputs)[batch], std::int64_t (&slots)[batch]) {
  for (int k = 0; k < batch; ++k) inputs[k] = k < count ? x[first + k] : 0.0;
  view.slots_of(inputs, slots);
}

template <class Array>
predict_counts predict_rows(const predict_job& job, const Array& x, std::int64_t first,
                            std::int64_t last) {
  predict_counts counts;
  for (std::int64_t i = first; i < last; i += batch) {
    const int rows = static_cast<int>(std::min<std::int64_t>(batch, last - i));
    double inputs[batch];
    std::int64_t slots[batch];
    route_batch(job.view, x, i, rows, inputs, slots);
    for (int g = 0; g < job.num_gathers; ++g) {
      for (int k = 0; k < rows; ++k) store(job.gathers[g], job.view, i + k, slots[k]);
    }
    if (job.report == nullptr) continue;
    for (int k = 0; k < rows; ++k) {
      counts.nan_inputs += inputs[k] != inputs[k] ? 1 : 0;
      counts.below += job.view.is_below(inputs[k]) ? 1 : 0;
      counts.above += job.view.is_above(inputs[k]) ? 1 : 0;
      counts.used += slots[k] < job.view.num_segments ? 1 : 0;
    }
  }
  return counts;
}

// --------------------------------------------------------------------- fit

/// What one range of rows leaves behind besides its sums.
struct fit_counts {
  std::int64_t counter[num_row_counters] = {};
};

template <class T, bool Weighted, class X>
void add_rows(const fit_job& job, const X& x, const any_array& y, const any_array& w,
              std::int64_t first, std::int64_t last, std::int64_t* planes, fit_counts& counts) {
  const std::int64_t num_slots = job.layout.num_slots();
  for (std::int64_t i = first; i < last; i += batch) {
    const int rows = static_cast<int>(std::min<std::int64_t>(batch, last - i));
    double inputs[batch];
    std::int64_t slots[batch];
    route_batch(job.rules.view, x, i, rows, inputs, slots);
    for (int k = 0; k < rows; ++k) {
      const double target = y[i + k];
      const double weight = Weighted ? w[i + k] : 1.0;
      const row_verdict verdict = judge_row(job.rules, inputs[k], target, weight, slots[k]);
      for (std::uint32_t bits = verdict.counters; bits != 0; bits &= bits - 1)
        ++counts.counter[__builtin_ctz(bits)];
      if (verdict.slot < 0) continue;
      std::int64_t* const own = planes + verdict.slot;
      add_sample<T, Weighted>(
          static_cast<T>(target), static_cast<T>(weight),
          [own, num_slots](int plane, std::int64_t piece) { own[plane * num_slots] += piece; });
    }
  }
}

class cpu_backend final : public backend, public std::enable_shared_from_this<cpu_backend> {
 public:
  explicit cpu_backend(const zcmoe_context_options& options)
      : alloc_(options.alloc),
        free_(options.free),
        user_(options.user),
        num_parts_(options.num_threads != 0 ? options.num_threads
                                            : tbb::info::default_concurrency()),
        num_threads_(std::min(num_parts_, tbb::info::default_concurrency())),
        arena_(num_threads_) {}

  zcmoe_engine engine() const override { return ZCMOE_ENGINE_CPU; }

  void describe(zcmoe_context_info& info) const override {
    info.engine = ZCMOE_ENGINE_CPU;
    info.device = -1;
    info.num_threads = num_threads_;
    std::snprintf(info.name, sizeof info.name, "cpu, %d thread%s", num_threads_,
                  num_threads_ == 1 ? "" : "s");
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

  std::unique_ptr<const router> make_router(const model_view&, zcmoe_stream) override {
    return nullptr;
  }

  void predict(const predict_job& job, zcmoe_stream) const override {
    predict_counts counts;
    with_typed(job.x, [&](const auto& x) {
      if (job.n <= rows_per_task || num_threads_ == 1) {
        counts = predict_rows(job, x, 0, job.n);
        return;
      }
      arena_.execute([&] {
        counts = tbb::parallel_reduce(
            tbb::blocked_range<std::int64_t>(0, job.n, rows_per_task), predict_counts{},
            [&](const tbb::blocked_range<std::int64_t>& rows, const predict_counts& sum) {
              return sum + predict_rows(job, x, rows.begin(), rows.end());
            },
            [](const predict_counts& a, const predict_counts& b) { return a + b; });
      });
    });
    if (job.report != nullptr) {
      job.report->rows += job.n;
      job.report->rows_used += counts.used;
      job.report->nan_inputs += counts.nan_inputs;
      job.report->below_range += counts.below;
      job.report->above_range += counts.above;
    }
  }

  void predict_sync(const predict_job& job, zcmoe_stream stream) const override {
    predict(job, stream);
  }

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
      with_typed(job.x, [&](const auto& typed_x) {
        accumulate_typed<decltype(target), decltype(weighted)::value>(job, typed_x, y, w);
      });
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
  template <class T, bool Weighted, class X>
  void accumulate_typed(const fit_job& job, const X& x, const any_array& y, const any_array& w) {
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
        add_rows<T, Weighted>(job, x, y, w,
                              begin + rows / threads * t + std::min(t, rows % threads),
                              begin + rows / threads * (t + 1) + std::min(t + 1, rows % threads),
                              state_of(t) + num_row_counters, counts[static_cast<std::size_t>(t)]);
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
  mutable tbb::task_arena arena_;
};

}  // namespace

std::shared_ptr<backend> make_cpu_backend(const zcmoe_context_options& options) {
  return std::make_shared<cpu_backend>(options);
}

}  // namespace zcmoe::detail
