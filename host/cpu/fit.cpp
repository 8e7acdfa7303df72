// Fitting on the CPU: batches of rows -> slots -> sums. Most rows are ordinary, and their targets
// are added to a few machine words of their slot (anchored_sums.hpp); every other row goes one by
// one through the functions that the GPU shares (judge_row, add_sample). Sums are integers, so
// neither the number of threads nor their order shows in a result.
#include "host/cpu/fit.hpp"

#include "host/array.hpp"
#include "host/cpu/fit_rows.hpp"
#include "host/cpu/line_words.hpp"
#include "host/cpu/partitioned_rows.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

/// body(first, last) for ranges that make up all slots.
template <class Body>
void for_each_slot_range(std::int64_t num_slots, workers& crew, const Body& body) {
  constexpr std::int64_t slots_per_part = 1024;
  crew.run((num_slots + slots_per_part - 1) / slots_per_part, [&](std::int64_t part) {
    body(part * slots_per_part, std::min(num_slots, (part + 1) * slots_per_part));
  });
}

template <class Body>
void for_each_slot(const state_layout& layout, workers& crew, const Body& body) {
  for_each_slot_range(layout.num_slots(), crew, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t slot = first; slot < last; ++slot) body(slot);
  });
}

/// Makes the digits of every sum canonical.
void carry_state(const state_layout& layout, std::int64_t* state, workers& crew) {
  std::int64_t* const planes = state + num_row_counters;
  for_each_slot_range(layout.num_slots(), crew, [&](std::int64_t begin, std::int64_t end) {
    for_each_sum(layout, [&](const char*, int first, int digits) {
      for (std::int64_t slot = begin; slot < end; ++slot) {
        carry_sum(planes, layout.num_slots(), slot, first, digits);
      }
    });
  });
  state[counter_pending] = 0;
}

void add_digits(std::int64_t* to, const std::int64_t* from, std::int64_t size, workers& crew) {
  crew.run((size + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    const std::int64_t last = std::min(size, (part + 1) * rows_per_part);
    for (std::int64_t i = part * rows_per_part; i < last; ++i) {
      if (from[i] != 0) to[i] += from[i];  // untouched pages of `to` stay untouched
    }
  });
}

/// The extremes of both states: the greater ones.
void raise_extremes(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
                    workers& crew) {
  if (!layout.lines) return;
  const std::int64_t first = num_row_counters + layout.num_sum_planes() * layout.num_slots();
  for_each_slot_range(num_extremes * layout.num_slots(), crew,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = first + begin; i < first + end; ++i) {
                          if (from[i] > to[i]) to[i] = from[i];
                        }
                      });
}

/// Moves the digits of the planes used from a thread's own state to that of the fit.
void move_planes(const state_layout& layout, std::int64_t* to, std::int64_t* from, bool* used,
                 workers& crew) {
  const std::int64_t size = layout.num_slots();
  raise_extremes(layout, to, from, crew);
  for (int plane = 0; plane < layout.num_sum_planes(); ++plane) {
    if (!used[plane]) continue;
    const std::int64_t first = num_row_counters + plane * size;
    add_digits(to + first, from + first, size, crew);
    std::fill_n(from + first, size, 0);
    used[plane] = false;
  }
}

template <class State, bool Weighted, class X>
void add_rows(const route_kernels& kernels, const fit_job& job, std::int64_t first,
              std::int64_t last, const state_digits& digits, fit_counts& counts) {
  const any_array y = any(job.y);
  const any_array w = any(job.weights);
  routed_rows<X> rows(kernels, router_of<X>(job));
  for (std::int64_t i = first; i < last; i += batch_of<X>) {
    const int count = static_cast<int>(std::min<std::int64_t>(batch_of<X>, last - i));
    rows.load(job.rows, i, count);
    rows.route(count);
    for (int k = 0; k < count; ++k) {
      add_row<State, Weighted>(job, rows.place(k), static_cast<double>(rows.inputs[k]), y[i + k],
                               Weighted ? w[i + k] : 1.0, rows.slots[k], digits, counts);
    }
  }
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
      slot = table.slot_of(rank);
      from = rank > 0 ? std::max(table.thresholds[rank - 1], table.from) : table.from;
      before = rank < table.thresholds.size() ? std::min(table.thresholds[rank], table.before)
                                              : table.before;
    }
    return num_leading_within(kernels, inputs, count, from, before);
  }
};

template <>
struct input_run<std::int32_t> {
  std::uint32_t slot = 0;

  int leading(const route_kernels&, const segment_range&, const std::int32_t* segments, int count) {
    if (segments[0] < 0) return 0;
    slot = static_cast<std::uint32_t>(segments[0]);
    const auto other = [segments](std::int32_t segment) { return segment != segments[0]; };
    return static_cast<int>(std::find_if(segments, segments + count, other) - segments);
  }
};

/// Rows most of which are ordinary: in range, no NaN, no weight of 0, targets and weights in a
/// window. These are added without a look at what becomes of each; those of one segment, as sorted
/// inputs bring them, without being routed if they have no weights.
template <class Rows, class State, class X>
class ordinary_rows {
  using T = typename Rows::number;

 public:
  /// lines: null unless the state has them.
  ordinary_rows(const cpu_target& target, const fit_job& job, const state_digits& digits,
                fit_counts& counts, slot_sums<Rows, State>& sums, line_table<T, State>* lines)
      : routes_(*target.routes),
        loops_(*target.sums),
        job_(job),
        digits_(digits),
        counts_(counts),
        sums_(sums),
        lines_(lines),
        rows_(routes_, job) {}

  void add(std::int64_t first, std::int64_t last) {
    // A new window costs a pass over all slots: so many rows first.
    const std::int64_t rows_per_window =
        std::max<std::int64_t>(1 << 16, 4 * job_.layout.num_slots());
    std::int64_t window_until = first;
    choose_window(first, last);
    for (std::int64_t i = first; i < last; i += batch_of<X>) {
      const int count = static_cast<int>(std::min<std::int64_t>(batch_of<X>, last - i));
      rows_.load(i, count);
      if (add_batch(count) > batch_of<X> / 16 && i >= window_until) {
        choose_window(i, last);  // perhaps another one holds more of them
        window_until = i + rows_per_window;
      }
    }
  }

 private:
  static constexpr int least_run = 64;  // rows that are not sooner routed than looked at
  static_assert(batch <= max_run_rows, "a batch may be one run");

  // Apart from the loop, whose rows may take most of a small stack while they are loaded.
  [[gnu::noinline]] void choose_window(std::int64_t first, std::int64_t last) {
    T targets[most_looked_at];
    T weights[most_looked_at];
    const std::int64_t rows = last - first;
    const auto looked_at = static_cast<int>(
        std::min<std::int64_t>(rows, std::clamp<std::int64_t>(rows / 16, 16, most_looked_at)));
    for (int k = 0; k < looked_at; ++k) {
      const std::int64_t row = first + rows / looked_at * k;
      targets[k] = rows_.target_of_row(row);
      if constexpr (Rows::weighted) weights[k] = rows_.weight_of_row(row);
    }
    if constexpr (!Rows::weighted) {
      if (lines_ != nullptr) lines_->flush(0, sums_.window());
    }
    sums_.set_window(targets, weights, looked_at);
    if constexpr (!Rows::weighted) {
      if (lines_ != nullptr && !takes_products(sums_.window())) sums_.close_window();
    }
  }

  /// Returns how many rows had numbers that the window did not hold.
  [[gnu::noinline]] int add_batch(int left) {
    int misfits = 0;
    for (int count = 0; left > 0; rows_.pass(count), left -= count) {
      count = left;
      if constexpr (!Rows::weighted) {
        if (lines_ == nullptr && looks_sorted_ && left >= least_run) {
          const int length = run_.leading(routes_, rows_.table, rows_.inputs, left);
          if (length >= least_run && add_run(length)) {
            count = length;
            continue;
          }
          // A few rows before a run are routed without it.
          if (length < least_run && left - length >= least_run &&
              run_.leading(routes_, rows_.table, rows_.inputs + length, left - length) >=
                  least_run) {
            count = length;
          }
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
      added = loops_.add_run_f32(rows_.targets, n, sums_.window(), sums_.at(run_.slot));
    } else {
      added = loops_.add_run_f64(rows_.targets, n, sums_.window(), sums_.at(run_.slot));
    }
    if (added) counts_.count_used(count);
    return added;
  }

  /// Adds the next rows; returns how many had numbers that the window did not hold.
  int add_routed(int count) {
    rows_.route(count);
    looks_sorted_ = rows_.slots[std::max(0, count - 8)] == rows_.slots[count - 1];
    std::uint32_t exceptions[batch];
    std::uint32_t outside[batch];  // slots of the first exceptions, those by input or weight
    std::size_t num_outside = 0;
    rows_.take_exceptions(count, sums_.ignored_slot(), [&](int k, std::uint32_t slot) {
      outside[num_outside] = slot;
      exceptions[num_outside++] = static_cast<std::uint32_t>(k);
    });
    const std::size_t misfits = add_in_window(count, exceptions + num_outside);
    const std::size_t num_exceptions = num_outside + misfits;
    counts_.count_used(count - static_cast<std::int64_t>(num_exceptions));
    for (std::size_t e = 0; e < num_exceptions; ++e) {
      const int k = static_cast<int>(exceptions[e]);
      add_row<State, Rows::weighted>(job_, rows_.place(k), static_cast<double>(rows_.inputs[k]),
                                     static_cast<double>(rows_.targets[k]), rows_.weight_of(k),
                                     e < num_outside ? outside[e] : rows_.slots[k], digits_,
                                     counts_);
      rows_.slots[k] = sums_.ignored_slot();
    }
    if constexpr (!Rows::weighted) {
      if (lines_ != nullptr) add_positions(count);
    }
    return static_cast<int>(misfits);
  }

  /// Adds what the positions of rows bring whose targets are in words, unless their slot is to be
  /// ignored.
  void add_positions(int count) {
    double inputs[batch];
    for (int k = 0; k < count; ++k) inputs[k] = static_cast<double>(rows_.inputs[k]);
    lines_->reserve(count, sums_.window());
    const position_rows<T> rows{rows_.targets,
                                inputs,
                                job_.frames,
                                rows_.slots,
                                static_cast<std::size_t>(count),
                                sums_.window(),
                                sums_.ignored_slot(),
                                lines_->data(),
                                lines_->copies_shift()};
    if constexpr (sizeof(T) == 4) {
      loops_.add_positions_f32(rows);
    } else {
      loops_.add_positions_f64(rows);
    }
  }

  /// Adds routed rows to their slots; numbers of those whose targets or weights the window does not
  /// hold, and whose slot is not to be ignored, go to misfits.
  std::size_t add_in_window(int count, std::uint32_t* misfits) {
    sums_.reserve(count);
    const window_rows<Rows> rows{rows_.targets,
                                 rows_.weights,
                                 rows_.slots,
                                 static_cast<std::size_t>(count),
                                 sums_.window(),
                                 sums_.ignored_slot(),
                                 num_segments_of(sums_.ignored_slot()),
                                 sums_.data(),
                                 sums_.copies_shift()};
    return loop_of<Rows>(loops_)(rows, misfits);
  }

  const route_kernels& routes_;
  const sum_kernels& loops_;
  const fit_job& job_;
  const state_digits digits_;
  fit_counts& counts_;
  slot_sums<Rows, State>& sums_;
  line_table<T, State>* const lines_;
  fit_rows<Rows, X> rows_;
  input_run<X> run_;
  bool looks_sorted_ = true;
};

/// How the rows of a call are shared out, and what memory that takes.
struct fit_shares {
  std::int64_t threads;
  bool windows;  // sums in machine words; not worth it for few rows
  bool
      private_states;  // threads but the first have a state of their own for what words do not hold
};

/// window_bytes: of one thread's words; 0 where there are none for such rows.
fit_shares shares_of(const fit_job& job, int num_parts, std::size_t window_bytes) {
  const std::int64_t num_slots = job.layout.num_slots();
  const auto state_bytes = static_cast<std::int64_t>(job.layout.bytes());
  fit_shares shares{};
  // A further thread costs a pass over the words of all slots at least.
  const std::int64_t least_rows = std::max(rows_per_part, 4 * num_slots);
  shares.threads = std::clamp<std::int64_t>(job.rows.n / least_rows, 1, num_parts);
  shares.windows =
      window_bytes > 0 && window_bytes <= private_bytes && job.rows.n / shares.threads >= num_slots;
  // A further state costs a pass over it, and pays where many rows are not for words. Else threads
  // add to the one state atomically: slots are many then, and they seldom meet.
  const auto fits = [&](std::int64_t threads, std::int64_t bytes) {
    return threads * bytes <= static_cast<std::int64_t>(private_bytes);
  };
  const std::int64_t own_bytes = shares.windows ? static_cast<std::int64_t>(window_bytes) : 0;
  shares.private_states = shares.threads > 1 && job.rows.n / shares.threads >= state_bytes / 64 &&
                          fits(shares.threads, own_bytes + state_bytes);
  while (shares.threads > 1 && !fits(shares.threads, own_bytes)) --shares.threads;
  return shares;
}

/// Carries the digits of the state if they have no room for as many more rows.
void make_room(const fit_job& job, std::int64_t rows, workers& crew) {
  if (job.state[counter_pending] + rows > max_pending_rows) {
    carry_state(job.layout, job.state, crew);
  }
}

constexpr std::int64_t rows_per_round = max_pending_rows / 2;

/// False, having done nothing, where partitions do not pay.
template <class Rows, class State, class X>
bool add_partitioned(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                     const std::shared_ptr<backend>& engine) {
  const partition_plan plan =
      partition_plan_of<Rows, State, X>(job.layout.num_slots(), job.rows.n, num_parts);
  if (plan.partitions <= 1 || !comes_scattered<Rows, X>(job, target, plan)) return false;
  std::vector<X> between = thresholds_between(table_of<X>(*job.routes), plan);
  if (static_cast<std::int64_t>(between.size()) + 1 < plan.partitions) return false;
  partitioned_rows<Rows, State, X> partitions(job, target, plan, std::move(between), crew, engine);
  for (std::int64_t begin = 0; begin < job.rows.n; begin += rows_per_round) {
    const std::int64_t rows = std::min(rows_per_round, job.rows.n - begin);
    make_room(job, rows, crew);
    partitions.add(begin, begin + rows);
    partitions.flush();
    job.state[counter_pending] += rows;
  }
  partitions.add_counts_to(job.state);
  return true;
}

/// Rows: plain_rows or weighted_rows of floats or doubles, as targets and weights are in memory;
/// State: of the state's sums; X: of routing, or of the numbers of segments of several inputs.
template <class Rows, class State, class X>
void accumulate_typed(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                      const std::shared_ptr<backend>& engine) {
  const std::int64_t num_slots = job.layout.num_slots();
  using lines_of_slots = line_table<typename Rows::number, State>;
  const bool with_lines = job.layout.lines;
  const bool has_loop =
      loop_of<Rows>(*target.sums) != nullptr && (!with_lines || has_line_loop<Rows>(*target.sums));
  const std::size_t sum_bytes = slot_sums<Rows, State>::bytes(num_slots);
  const std::size_t line_bytes = with_lines ? lines_of_slots::bytes(num_slots) : 0;
  if constexpr (std::is_floating_point_v<X>) {
    if (has_loop && !with_lines &&
        add_partitioned<Rows, State, X>(job, target, crew, num_parts, engine))
      return;
  }
  const fit_shares shares = shares_of(job, num_parts, has_loop ? sum_bytes + line_bytes : 0);
  const std::int64_t threads = shares.threads;
  const bool windows = shares.windows;
  const bool private_states = shares.private_states;
  // All memory is there before the first row, so nothing can fail half-way.
  const auto num_threads = static_cast<std::size_t>(threads);
  std::vector<engine_buffer> memory;
  memory.reserve(3 * num_threads);
  std::vector<fit_counts> counts(num_threads);
  std::vector<state_digits> digits;
  digits.reserve(num_threads);
  for (std::size_t t = 0; t < num_threads; ++t) {
    std::int64_t* state = job.state;
    if (private_states && t > 0) {
      memory.emplace_back(engine, job.layout.bytes(), nullptr);
      state = static_cast<std::int64_t*>(memory.back().data());
    }
    digits.push_back({state + num_row_counters, num_slots, threads > 1 && !private_states,
                      counts[t].planes_used});
  }
  std::vector<slot_sums<Rows, State>> sums;
  sums.reserve(num_threads);
  std::vector<lines_of_slots> lines;
  lines.reserve(num_threads);
  for (std::size_t t = 0; windows && t < num_threads; ++t) {
    memory.emplace_back(engine, sum_bytes, nullptr);
    sums.emplace_back(memory.back().data(), num_slots, digits[t]);
    if (!with_lines) continue;
    memory.emplace_back(engine, line_bytes, nullptr);
    lines.emplace_back(memory.back().data(), num_slots, digits[t]);
  }

  for (std::int64_t begin = 0; begin < job.rows.n; begin += rows_per_round) {
    const std::int64_t rows = std::min(rows_per_round, job.rows.n - begin);
    make_room(job, rows, crew);
    crew.run(threads, [&](std::int64_t t) {
      const default_arithmetic scope;
      const std::int64_t first = begin + rows / threads * t + std::min(t, rows % threads);
      const std::int64_t last = begin + rows / threads * (t + 1) + std::min(t + 1, rows % threads);
      const auto own = static_cast<std::size_t>(t);
      if (windows) {
        ordinary_rows<Rows, State, X>(target, job, digits[own], counts[own], sums[own],
                                      with_lines ? &lines[own] : nullptr)
            .add(first, last);
      } else {
        add_rows<State, Rows::weighted, X>(*target.routes, job, first, last, digits[own],
                                           counts[own]);
      }
    });
    // A slot's words of all threads go to the state by one of them.
    for_each_slot_range(num_slots, crew, [&](std::int64_t first, std::int64_t last) {
      bool used[most_planes];
      const state_digits whole{job.state + num_row_counters, num_slots, false, used};
      for (std::size_t t = 0; t < sums.size(); ++t) {
        if constexpr (!Rows::weighted) {
          if (with_lines) lines[t].flush_slots(first, last, 0, sums[t].window(), whole);
        }
        sums[t].flush_slots(first, last, 0, whole);
      }
    });
    job.state[counter_pending] += rows;
    for (std::size_t t = 1; private_states && t < num_threads; ++t) {
      move_planes(job.layout, job.state, digits[t].planes - num_row_counters, counts[t].planes_used,
                  crew);
    }
  }
  for (const fit_counts& part : counts) {
    for (int c = 0; c < num_row_counters; ++c) job.state[c] += part.counter[c];
  }
}

/// The first row that an error policy refuses, or n.
std::int64_t first_refused(const fit_job& job, const any_array& y, const any_array& w,
                           const route_kernels& routes, workers& crew) {
  std::atomic<std::int64_t> found{job.rows.n};
  /// Looks at rows until one is refused; place(k) tells of row i + k.
  const auto refuses = [&](std::int64_t i, int count, const auto& place) {
    for (const std::int64_t first = i; i < std::min(first + count, found.load()); ++i) {
      const double weight = job.layout.weighted ? w[i] : 1.0;
      const input_place at = place(static_cast<int>(i - first));
      if (!judge_row(job.rules, at, y[i], weight, 0).refused) continue;
      for (std::int64_t best = found; i < best && !found.compare_exchange_weak(best, i);) {
      }
      return true;
    }
    return false;
  };
  crew.run((job.rows.n + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    const default_arithmetic scope;
    const std::int64_t last = std::min(job.rows.n, (part + 1) * rows_per_part);
    std::int64_t i = part * rows_per_part;
    if (job.rows.tables == nullptr) {
      const any_array x = job.rows.x;
      const route_table<double>& table = table_of<double>(*job.routes);
      refuses(i, static_cast<int>(last - i),
              [&](int k) { return place_of(x[i + k], table.from, table.before); });
      return;
    }
    routed_rows<std::int32_t> rows(routes, job.layout.num_segments);
    for (int count = 0; i < std::min(last, found.load()); i += count) {
      count = static_cast<int>(std::min<std::int64_t>(batch_of<std::int32_t>, last - i));
      rows.load(job.rows, i, count);
      if (refuses(i, count, [&](int k) { return rows.place(k); })) return;
    }
  });
  return found;
}

/// Whether all weights are finite and none is negative; false where that takes a closer look.
template <class T>
bool all_weights_good(const fit_job& job, const route_kernels& routes, workers& crew) {
  if (job.weights.dtype != (sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64) || job.weights.stride != 1) {
    return false;
  }
  const T* const weights = static_cast<const T*>(job.weights.data);
  std::atomic<bool> good{true};
  crew.run((job.rows.n + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    const std::int64_t first = part * rows_per_part;
    const auto count = static_cast<int>(std::min(job.rows.n - first, rows_per_part));
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (num_leading_within(routes, weights + first, count, T{0}, infinity) < count) good = false;
  });
  return good;
}

/// Throws DATA for the first row that an error policy refuses, or whose weight is no weight.
void check_refused_rows(const fit_job& job, const route_kernels& routes, workers& crew) {
  const bool policies = job.rules.refuse_nan_inputs || job.rules.refuse_nonfinite_targets;
  if (!policies && (!job.layout.weighted || all_weights_good<float>(job, routes, crew) ||
                    all_weights_good<double>(job, routes, crew))) {
    return;
  }
  const any_array y = any(job.y);
  const any_array w = any(job.weights);
  const std::int64_t row = first_refused(job, y, w, routes, crew);
  if (row == job.rows.n) return;
  std::string input;
  if (job.rows.tables == nullptr) {
    const any_array x = job.rows.x;
    input = text("x[", row, "]=", x[row]);
  } else {
    std::int32_t segment = 0;
    find_segments(job.rows, routes, row, 1, &segment);
    input = segment < 0 ? "x has no segment" : text("x has segment ", segment);
  }
  fail(ZCMOE_ERR_DATA, "row ", row, " is refused: ", input, ", y[", row, "]=", y[row],
       job.layout.weighted ? text(", weights[", row, "]=", w[row]) : std::string());
}

}  // namespace

void accumulate_on_cpu(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                       const std::shared_ptr<backend>& engine) {
  check_refused_rows(job, *target.routes, crew);
  with_layout(job.layout, [&](auto number, auto weighted) {
    using state_type = decltype(number);
    const auto accumulate_as = [&](auto in_memory) {
      using type = decltype(in_memory);
      using rows =
          std::conditional_t<decltype(weighted)::value, weighted_rows<type>, plain_rows<type>>;
      const auto accumulate =
          job.rows.tables != nullptr          ? accumulate_typed<rows, state_type, std::int32_t>
          : routes_as_float(job.rows.x.dtype) ? accumulate_typed<rows, state_type, float>
                                              : accumulate_typed<rows, state_type, double>;
      accumulate(job, target, crew, num_parts, engine);
    };
    if constexpr (std::is_same_v<state_type, double>) {
      const bool wide_weights = job.layout.weighted && job.weights.dtype == ZCMOE_F64;
      if (job.y.dtype == ZCMOE_F64 || wide_weights) return accumulate_as(double{});
    }
    accumulate_as(float{});
  });
}

void merge_on_cpu(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
                  workers& crew) {
  if (to[counter_pending] + from[counter_pending] > max_pending_rows) {
    carry_state(layout, to, crew);
  }
  add_digits(to, from, num_row_counters + layout.num_sum_planes() * layout.num_slots(), crew);
  raise_extremes(layout, to, from, crew);
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

void summarize_lines_on_cpu(const state_layout& layout, const std::int64_t* state,
                            line_summary* summaries, workers& crew) {
  with_layout(layout, [&](auto target, auto weighted) {
    for_each_slot(layout, crew, [&](std::int64_t slot) {
      summaries[slot] = summarize_line<decltype(target), decltype(weighted)::value>(
          state + num_row_counters, layout.num_slots(), slot);
    });
  });
}

}  // namespace zcmoe::detail
