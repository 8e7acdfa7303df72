// Fits of so many slots that their words outgrow a core's cache, of rows in no order: rows are
// sorted by range of slots first, then each range is summed by one thread, in its cache. One table
// of words does for all threads.
//
// Rows come in rounds of two passes. The first takes chunks: it finds the partition (range of
// slots) of each of a chunk's rows in a small routing table, and copies inputs, targets and weights
// to the chunk's part of the buffers, one partition after the other. The second takes partitions:
// of every chunk, the rows that are the partition's are routed and added, in the partition's piece
// of the routing table and of the words.
// A slot belongs to one partition, and a pass ends before the next begins; so only the exceptions
// of the first pass meet at digits of the state.
#pragma once

#include "host/cpu/fit_rows.hpp"
#include "host/cpu/workers.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace zcmoe::detail {

/// Rows whose inputs, targets and weights, read once and written once, stay in a second-level
/// cache.
constexpr std::int64_t rows_per_chunk = 1 << 15;

/// Into how many partitions slots are shared out, and the memory that takes.
struct partition_plan {
  int slots_shift = 0;  // a partition has 2^slots_shift slots
  std::int64_t partitions = 0;
  std::size_t words_bytes = 0;  // of one partition
  std::int64_t chunks = 0;      // of one round
  std::int64_t threads = 0;

  std::int64_t slots() const { return std::int64_t{1} << slots_shift; }
};

/// Whether words of so many slots cost more than sorting rows first: if the words and the routing
/// table of one thread outgrow its caches far, or the words of all threads those of the machine. On
/// 16 cores with 2 MiB of second-level cache each, 65,536 segments, whose words take 32 MiB in all,
/// are added up faster by threads with words of their own; 2^20 segments twice as fast the other
/// way.
inline bool partitions_pay(std::int64_t num_segments, std::int64_t num_rows,
                           std::size_t words_bytes, int num_parts) {
  constexpr std::size_t core_bytes = std::size_t{1} << 20;
  constexpr std::size_t shared_bytes = std::size_t{128} << 20;
  constexpr std::int64_t many_segments = std::int64_t{1} << 18;
  constexpr std::int64_t rows_per_segment = 12;  // else new memory costs more than the rows
  return num_rows >= std::max(4 * rows_per_chunk, rows_per_segment * num_segments) &&
         words_bytes > core_bytes && words_bytes <= private_bytes &&
         (words_bytes * static_cast<std::size_t>(num_parts) > shared_bytes ||
          num_segments >= many_segments);
}

/// No partitions where they do not pay or do not fit.
template <class Rows, class State, class X>
partition_plan partition_plan_of(std::int64_t num_slots, std::int64_t num_rows, int num_parts) {
  using words = slot_sums<Rows, State>;
  const std::int64_t num_segments = num_segments_of(num_slots);
  constexpr std::size_t partition_bytes = std::size_t{1} << 18;  // leaves room for the rows
  constexpr std::int64_t least_slots = 64;
  constexpr std::int64_t most_partitions =
      256;  // places that a chunk's rows are written to in turn
  constexpr std::int64_t partitions_per_thread = 4;  // so that none waits for the last one
  constexpr std::int64_t rows_per_slot = 4;  // in a round, which reads the words of all slots once
  constexpr std::int64_t chunks_per_thread = 4;
  partition_plan plan;
  if (!partitions_pay(num_segments, num_rows, words::bytes(num_slots), num_parts)) return plan;
  const std::int64_t chunks = (num_rows + rows_per_chunk - 1) / rows_per_chunk;
  plan.threads = std::min<std::int64_t>(num_parts, chunks);
  const auto partitions = [&] { return (num_segments + plan.slots() - 1) >> plan.slots_shift; };
  while (partitions() > most_partitions || words::bytes(2 * plan.slots()) <= partition_bytes)
    ++plan.slots_shift;
  while (plan.slots() > least_slots &&
         2 * partitions() <= std::min(most_partitions, partitions_per_thread * plan.threads)) {
    --plan.slots_shift;
  }
  const auto num_partitions = static_cast<std::size_t>(partitions());
  plan.words_bytes = words::bytes(plan.slots());
  constexpr std::size_t row_bytes =
      sizeof(X) + sizeof(typename Rows::number) * (Rows::weighted ? 2 : 1);
  constexpr std::size_t chunk_bytes = rows_per_chunk * row_bytes;
  const std::size_t fixed_bytes =
      num_partitions * plan.words_bytes +
      static_cast<std::size_t>(plan.threads * rows_per_chunk) * sizeof(std::uint16_t);
  const auto wanted =
      std::max(rows_per_slot * num_slots / rows_per_chunk + 1, chunks_per_thread * plan.threads);
  if (fixed_bytes > private_bytes) return plan;
  const auto room = static_cast<std::int64_t>(
      (private_bytes - fixed_bytes) / (chunk_bytes + (num_partitions + 2) * sizeof(std::int32_t)));
  plan.chunks = std::min({wanted, chunks, room});
  if (plan.chunks >= std::min(chunks, plan.threads)) plan.partitions = partitions();
  return plan;
}

/// Whether rows come in no order, over many slots, and most are ordinary: looks at some of them.
/// Else they are in few of the slots' words at a time, or not for words at all.
template <class Rows, class X>
bool comes_scattered(const fit_job& job, const cpu_target& target, const partition_plan& plan) {
  constexpr int looks = 32;
  constexpr int rows_per_look = 64;
  constexpr std::uint32_t near = 16;
  const default_arithmetic scope;
  fit_rows<Rows, X> rows(*target.routes, job);
  std::vector<int> in_partition(static_cast<std::size_t>(plan.partitions));
  int neighbours = 0;
  int exceptions = 0;
  for (int look = 0; look < looks; ++look) {
    rows.load((job.rows.n - rows_per_look) / looks * look, rows_per_look);
    rows.route(rows_per_look);
    for (int k = 0; k < rows_per_look; ++k) {
      const std::uint32_t slot = rows.slots[k];
      ++in_partition[std::min<std::size_t>(slot >> plan.slots_shift, in_partition.size() - 1)];
      if (k > 0 && slot + near - rows.slots[k - 1] <= 2 * near) ++neighbours;
    }
    rows.take_exceptions(rows_per_look, 0, [&](int, std::uint32_t) { ++exceptions; });
  }
  constexpr int looked_at = looks * rows_per_look;
  return neighbours < looked_at / 2 && exceptions < looked_at / 8 &&
         *std::max_element(in_partition.begin(), in_partition.end()) < looked_at / 2;
}

/// The thresholds between the partitions of inputs in range; fewer than partitions - 1 where inputs
/// of this type cannot fall into each.
template <class X>
std::vector<X> thresholds_between(const route_table<X>& table, const partition_plan& plan) {
  const auto first = table.thresholds.begin();
  auto rank = std::upper_bound(first, table.thresholds.end(), table.from) - first;
  const auto end = std::lower_bound(first, table.thresholds.end(), table.before) - first;
  std::vector<X> between;
  for (std::int64_t p = 1; p < plan.partitions; ++p) {
    const auto first_slot = static_cast<std::uint32_t>(p << plan.slots_shift);
    const auto before = rank;
    // Of inputs in range, slots increase with ranks.
    for (auto steps = end + 1 - rank; steps > 0;) {
      const auto half = steps / 2;
      if (table.slot_of(static_cast<std::uint32_t>(rank + half)) < first_slot) {
        rank += half + 1;
        steps -= half + 1;
      } else {
        steps = half;
      }
    }
    if (rank == before || rank > end) break;
    between.push_back(table.thresholds[static_cast<std::size_t>(rank - 1)]);
  }
  return between;
}

template <class Rows, class State, class X>
class partitioned_rows {
  using T = typename Rows::number;

 public:
  /// between: thresholds_between(), all of them.
  partitioned_rows(const fit_job& job, const cpu_target& target, const partition_plan& plan,
                   std::vector<X> between, workers& crew, const std::shared_ptr<backend>& engine)
      : job_(job),
        target_(target),
        plan_(plan),
        table_(table_of<X>(*job.routes)),
        partition_table_(rank_table_of(std::move(between), costs_of(*target.routes))),
        crew_(crew),
        engine_(engine) {
    memory_.reserve(6);
    const std::int64_t rows = plan.chunks * rows_per_chunk;
    inputs_ = take<X>(rows);
    targets_ = take<T>(rows);
    if constexpr (Rows::weighted) weights_ = take<T>(rows);
    routed_ = take<std::uint16_t>(plan.threads * rows_per_chunk);
    starts_ = take<std::int32_t>(plan.chunks * num_starts());
    char* const words = take<char>(plan.partitions * static_cast<std::int64_t>(plan.words_bytes));
    counts_.resize(static_cast<std::size_t>(plan.threads));
    partitions_.resize(static_cast<std::size_t>(plan.partitions));
    sums_.reserve(partitions_.size());
    for (std::int64_t p = 0; p < plan.partitions; ++p) {
      const std::int64_t first = p << plan.slots_shift;
      partition& own = partitions_[static_cast<std::size_t>(p)];
      own.digits = {job.state + num_row_counters + first, job.layout.num_slots(), false,
                    own.counts.planes_used};
      sums_.emplace_back(words + p * static_cast<std::int64_t>(plan.words_bytes), plan.slots(),
                         own.digits);
    }
  }

  /// Adds rows to words and digits.
  void add(std::int64_t first, std::int64_t last) {
    const std::int64_t rows_per_round = plan_.chunks * rows_per_chunk;
    for (std::int64_t begin = first; begin < last; begin += rows_per_round) {
      add_round(begin, std::min(last, begin + rows_per_round));
    }
  }
  /// Adds all words to digits.
  void flush() {
    crew_.run(plan_.partitions, [&](std::int64_t p) {
      const auto own = static_cast<std::size_t>(p);
      sums_[own].flush(0, partitions_[own].digits);
    });
  }
  void add_counts_to(std::int64_t* counters) const {
    for (int c = 0; c < num_row_counters; ++c) {
      for (const fit_counts& part : counts_) counters[c] += part.counter[c];
      for (const partition& part : partitions_) counters[c] += part.counts.counter[c];
    }
  }

 private:
  struct partition {
    state_digits digits{};
    fit_counts counts;
    bool wants_window = true;
  };

  static const root_costs& costs_of(const route_kernels& kernels) {
    if constexpr (sizeof(X) == 4)
      return kernels.costs.f32;
    else
      return kernels.costs.f64;
  }
  template <class Value>
  Value* take(std::int64_t count) {
    memory_.emplace_back(engine_, static_cast<std::size_t>(count) * sizeof(Value), nullptr);
    return static_cast<Value*>(memory_.back().data());
  }
  /// The first row of each partition, of the exceptions after them, and the end.
  std::int64_t num_starts() const { return plan_.partitions + 2; }

  void add_round(std::int64_t first, std::int64_t last) {
    const std::int64_t chunks = (last - first + rows_per_chunk - 1) / rows_per_chunk;
    std::atomic<std::int64_t> next{0};
    crew_.run(std::min(plan_.threads, chunks), [&](std::int64_t t) {
      const default_arithmetic scope;
      fit_rows<Rows, X> rows(*target_.routes, job_);
      for (std::int64_t chunk = next++; chunk < chunks; chunk = next++) {
        const std::int64_t from = first + chunk * rows_per_chunk;
        place(rows, chunk, from, std::min(last, from + rows_per_chunk), t);
      }
    });
    crew_.run(plan_.partitions, [&](std::int64_t p) {
      const default_arithmetic scope;
      sum(p, chunks);
    });
  }

  /// Copies a chunk's rows to its part of the buffers, one partition after the other.
  void place(fit_rows<Rows, X>& rows, std::int64_t chunk, std::int64_t first, std::int64_t last,
             std::int64_t thread) {
    std::uint16_t* const routed = routed_ + thread * rows_per_chunk;
    std::int32_t* const starts = starts_ + chunk * num_starts();
    find_partitions(rows, first, last, counts_[static_cast<std::size_t>(thread)], routed, starts);
    X* const to_inputs = inputs_ + chunk * rows_per_chunk;
    T* const to_targets = targets_ + chunk * rows_per_chunk;
    T* const to_weights = Rows::weighted ? weights_ + chunk * rows_per_chunk : nullptr;
    for (std::int64_t i = first; i < last; i += batch) {
      const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
      const std::uint16_t* const partition_of = routed + (i - first);
      rows.load(i, count);
      for (int k = 0; k < count; ++k) {
        fetch_ahead(rows.targets + k);
        if constexpr (Rows::weighted) fetch_ahead(rows.weights + k);
        // starts[p + 1] is where the next row of p goes, and in the end where p + 1 begins.
        const std::int32_t to = starts[partition_of[k] + 1]++;
        to_inputs[to] = rows.inputs[k];
        to_targets[to] = rows.targets[k];
        if constexpr (Rows::weighted) to_weights[to] = rows.weights[k];
      }
    }
  }

  /// Finds the partitions of a chunk's rows, adds those that are not ordinary, which go behind the
  /// last partition, and leaves in starts[p + 1] where partition p begins.
  void find_partitions(fit_rows<Rows, X>& rows, std::int64_t first, std::int64_t last,
                       fit_counts& counts, std::uint16_t* routed, std::int32_t* starts) {
    const state_digits digits{job_.state + num_row_counters, job_.layout.num_slots(),
                              plan_.threads > 1, counts.planes_used};
    const auto nowhere = static_cast<std::uint32_t>(plan_.partitions);
    std::fill_n(starts, num_starts(), 0);
    for (std::int64_t i = first; i < last; i += batch) {
      const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
      rows.load(i, count);
      rows.find_ranks(partition_table_, count);
      rows.take_exceptions(count, nowhere, [&](int k, std::uint32_t) {
        const std::uint32_t rank = table_.rank_of(rows.inputs[k]);
        add_row<State, Rows::weighted>(job_, rows.place(k), static_cast<double>(rows.inputs[k]),
                                       static_cast<double>(rows.targets[k]), rows.weight_of(k),
                                       table_.slot_of(rank), digits, counts);
      });
      for (int k = 0; k < count; ++k) {
        ++starts[rows.slots[k] + 1];
        routed[i - first + k] = static_cast<std::uint16_t>(rows.slots[k]);
      }
    }
    std::int32_t start = 0;
    for (std::int64_t p = 1; p < num_starts(); ++p) {
      const std::int32_t count = starts[p];
      starts[p] = start;
      start += count;
    }
  }

  /// body(first, before) in the buffers for the rows of a partition, chunk by chunk.
  template <class Body>
  void for_each_piece(std::int64_t p, std::int64_t chunks, const Body& body) const {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int32_t* const start = starts_ + chunk * num_starts() + p;
      if (start[0] < start[1])
        body(chunk * rows_per_chunk + start[0], chunk * rows_per_chunk + start[1]);
    }
  }

  /// Adds the rows of a partition to its words.
  void sum(std::int64_t p, std::int64_t chunks) {
    partition& own = partitions_[static_cast<std::size_t>(p)];
    std::int64_t rows = 0;
    for_each_piece(p, chunks,
                   [&](std::int64_t first, std::int64_t before) { rows += before - first; });
    if (rows == 0) return;
    if (own.wants_window) choose_window(p, chunks, rows);
    routed_rows<X> routed(*target_.routes, *job_.routes);
    std::int64_t misfits = 0;
    for_each_piece(p, chunks, [&](std::int64_t first, std::int64_t before) {
      for (std::int64_t i = first; i < before; i += batch)
        misfits +=
            sum_batch(p, routed, i, static_cast<int>(std::min<std::int64_t>(batch, before - i)));
    });
    own.counts.count_used(rows - misfits);
    own.wants_window = misfits > rows / 16;  // perhaps another one holds more of them
  }

  /// Returns how many rows had numbers that the window did not hold.
  std::int64_t sum_batch(std::int64_t p, routed_rows<X>& routed, std::int64_t first, int count) {
    partition& own = partitions_[static_cast<std::size_t>(p)];
    slot_sums<Rows, State>& sums = sums_[static_cast<std::size_t>(p)];
    routed.inputs = inputs_ + first;
    routed.route(count);
    const auto first_slot = static_cast<std::uint32_t>(p << plan_.slots_shift);
    for (int k = 0; k < count; ++k) routed.slots[k] -= first_slot;
    sums.reserve(count);
    const T* const weights = Rows::weighted ? weights_ + first : nullptr;
    const window_rows<Rows> rows{targets_ + first,    weights,
                                 routed.slots,        static_cast<std::size_t>(count),
                                 sums.window(),       sums.ignored_slot(),
                                 sums.ignored_slot(), sums.data(),
                                 sums.copies_shift()};
    std::uint32_t misfits[batch];
    const std::size_t num_misfits = loop_of<Rows>(*target_.sums)(rows, misfits);
    for (std::size_t e = 0; e < num_misfits; ++e) {
      const std::uint32_t k = misfits[e];
      // Inputs are not at hand any more, nor asked for: rows with lines are not partitioned.
      constexpr double any_input = 0.0;
      add_row<State, Rows::weighted>(job_, input_place::in_range, any_input,
                                     static_cast<double>(rows.targets[k]),
                                     Rows::weighted ? static_cast<double>(weights[k]) : 1.0,
                                     rows.slots[k], own.digits, own.counts);
    }
    return static_cast<std::int64_t>(num_misfits);
  }

  /// The hardware's prefetcher does not recognise a stream between scattered stores.
  template <class Value>
  static void fetch_ahead(const Value* value) {
    __builtin_prefetch(value + 4096 / sizeof(Value));
  }

  /// From numbers all over the partition's rows of this round.
  void choose_window(std::int64_t p, std::int64_t chunks, std::int64_t rows) {
    T targets[most_looked_at];
    T weights[most_looked_at];
    int looked_at = 0;
    const std::int64_t step = (rows + most_looked_at - 1) / most_looked_at;
    std::int64_t skip = 0;  // rows until the next one that is looked at
    for_each_piece(p, chunks, [&](std::int64_t first, std::int64_t before) {
      std::int64_t i = first + skip;
      for (; i < before; i += step, ++looked_at) {
        targets[looked_at] = targets_[i];
        if constexpr (Rows::weighted) weights[looked_at] = weights_[i];
      }
      skip = i - before;
    });
    sums_[static_cast<std::size_t>(p)].set_window(targets, weights, looked_at);
  }

  const fit_job& job_;
  const cpu_target& target_;
  const partition_plan plan_;
  const route_table<X>& table_;
  const route_table<X> partition_table_;  // an input's rank is its partition
  workers& crew_;
  const std::shared_ptr<backend>& engine_;
  std::vector<engine_buffer> memory_;
  std::vector<fit_counts> counts_;  // of the first pass, by thread
  std::vector<partition> partitions_;
  std::vector<slot_sums<Rows, State>> sums_;  // by partition
  X* inputs_ = nullptr;
  T* targets_ = nullptr;
  T* weights_ = nullptr;
  std::uint16_t* routed_ = nullptr;  // partitions of a chunk's rows in their order, by thread
  std::int32_t* starts_ = nullptr;   // by chunk and partition
};

}  // namespace zcmoe::detail
