// What the files of the benchmark share: sizes, names, and the one way to time an operation beside
// its memory limit.
#pragma once

#include "alternatives.hpp"

#include <zcmoe/zcmoe.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::bench {

struct settings {
  /// Rows of the CPU benchmarks, far more than any last-level cache holds.
  std::int64_t rows = std::int64_t{1} << 24;
  /// Rows of the CUDA benchmarks, fewer where the device's memory does not hold them.
  std::int64_t cuda_rows = std::int64_t{1} << 28;
  /// Whether the device is emulated, so that its times have no meaning.
  bool emulated_device = false;
};

constexpr std::int64_t all_num_segments[] = {8, 64, 256, 1024, 4096, 65536, 1048576, 16777216};

/// Whether a fit of this size is measured. 2^24 segments take 4 GiB of exact sums of float32
/// targets; for float64 targets they would take 25 GiB.
constexpr bool is_measured_fit(zcmoe_dtype target_dtype, std::int64_t num_segments) {
  return target_dtype == ZCMOE_F32 || num_segments < 16777216;
}

inline std::string op_of(const char* op, experts kind) {
  return std::string(op) + (kind == experts::lines ? "-lines" : "");
}

/// The options of a fit or a model with these experts.
inline zcmoe_model_options model_options_of(experts kind) {
  zcmoe_model_options options = model_options();
  options.experts = kind == experts::lines ? ZCMOE_EXPERTS_LINEAR : ZCMOE_EXPERTS_CONSTANT;
  return options;
}

/// The model that predictions are timed with.
inline model table_of(const context& owner, const std::vector<double>& edges, experts kind) {
  return kind == experts::lines
             ? model::of_lines(owner, edges, lines_of(edges, kind), model_options_of(kind))
             : model(owner, edges, constants_of(static_cast<std::int64_t>(edges.size()) - 1));
}

/// The name of a benchmark, engine/op/type/distribution/m:M; with several inputs /d:D follows.
inline std::string name_of(const char* engine, const std::string& op, const char* type,
                           const char* distribution, std::int64_t num_segments) {
  return std::string(engine) + '/' + op + '/' + type + '/' + distribution +
         "/m:" + std::to_string(num_segments);
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Whether experts are measured with so many segments: lines are for fewer than constants are.
constexpr bool is_measured_kind(experts kind, std::int64_t num_segments) {
  return kind == experts::constants || num_segments <= 65536;
}

/// The data of the last benchmark. Its repetitions find them again; the next benchmark replaces
/// them.
struct data_of_benchmark {
  std::string name;
  std::shared_ptr<void> data;
};
inline data_of_benchmark current;

template <class Data, class Make>
Data& data_for(const std::string& name, const Make& make) {
  if (current.name != name) {
    current = {};  // the old data are freed before new ones are made
    current.data = make();
    current.name = name;
  }
  return *static_cast<Data*>(current.data.get());
}

struct amount {
  std::int64_t rows;
  std::int64_t bytes;        // the bytes that the operation must move
  std::int64_t limit_bytes;  // the bytes that the limit moves
  int threads;               // 0 if not on the CPU
};

/// Times `operation`, and `limit` right after each run of it, so that both meet the same state of
/// the machine. Each returns its seconds. percent_of_copy is the ratio of their bytes per second,
/// by the medians of this call.
template <class Operation, class Limit>
void measure(benchmark::State& state, const amount& work, const Operation& operation,
             const Limit& limit) {
  std::vector<double> own;
  std::vector<double> copies;
  operation();  // the first run meets page faults and wakes the threads, so it is not timed
  limit();
  for (auto _ : state) {
    own.push_back(operation());
    state.SetIterationTime(own.back());
    copies.push_back(limit());
  }
  const double own_rate = static_cast<double>(work.bytes) / median(own);
  const double limit_rate = static_cast<double>(work.limit_bytes) / median(copies);
  state.SetItemsProcessed(state.iterations() * work.rows);
  state.SetBytesProcessed(state.iterations() * work.bytes);
  state.counters["percent_of_copy"] = 100 * own_rate / limit_rate;
  if (work.threads > 0) state.counters["threads"] = work.threads;
}

void register_cpu_benchmarks(const settings& given);
/// Whether there is a CUDA device, and how many rows it is measured with. Where there is none,
/// register_cuda_benchmarks registers nothing; it is compiled only with CUDA.
struct cuda_presence {
  bool present = false;
  std::string text;  // name of the card, or why there is none
  std::int64_t rows = 0;
};
cuda_presence register_cuda_benchmarks(const settings& given);

}  // namespace zcmoe::bench
