// What the benchmark's files share: sizes, names, and one way to time an operation beside its
// memory limit.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::bench {

struct settings {
  /// Of the CPU benchmarks: far beyond any last-level cache.
  std::int64_t rows = std::int64_t{1} << 24;
  /// Of the CUDA benchmarks: an upper bound, memory may allow less.
  std::int64_t cuda_rows = std::int64_t{1} << 28;
  /// The device is no card: its times mean nothing.
  bool emulated_device = false;
};

constexpr std::int64_t all_num_segments[] = {8, 64, 256, 1024, 4096, 65536, 1048576, 16777216};

/// A fit of 2^24 segments holds 4 GiB of exact sums of float32 targets; of float64 it would be 25.
template <class T>
constexpr bool is_measured(bool predicts, std::int64_t num_segments) {
  return predicts || sizeof(T) == 4 || num_segments < 16777216;
}

/// engine/op/type/distribution/m:M
inline std::string name_of(const char* engine, const char* op, const char* type,
                           const char* distribution, std::int64_t num_segments) {
  return std::string(engine) + '/' + op + '/' + type + '/' + distribution +
         "/m:" + std::to_string(num_segments);
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Data of one benchmark at a time: repetitions find theirs again, the next benchmark replaces it.
struct data_of_benchmark {
  std::string name;
  std::shared_ptr<void> data;
};
inline data_of_benchmark current;

template <class Data, class Make>
Data& data_for(const std::string& name, const Make& make) {
  if (current.name != name) {
    current = {};  // the old data goes before the new comes
    current.data = make();
    current.name = name;
  }
  return *static_cast<Data*>(current.data.get());
}

struct amount {
  std::int64_t rows;
  std::int64_t bytes;        // that the operation must move
  std::int64_t limit_bytes;  // that the limit moves in its own time
  int threads;               // 0: not on the CPU
};

/// Times `operation` and right after each run of it `limit`, so that both meet the same machine;
/// each answers its seconds. percent_of_copy compares bytes a second, medians of this call.
template <class Operation, class Limit>
void measure(benchmark::State& state, const amount& work, const Operation& operation,
             const Limit& limit) {
  std::vector<double> own;
  std::vector<double> copies;
  operation();  // warm-up: page faults, clock, thread pool
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
/// Compiled only with CUDA. Registers nothing, and says why, where no device answers.
struct cuda_presence {
  bool present = false;
  std::string text;  // the card's name, or why there is none
  std::int64_t rows = 0;
};
cuda_presence register_cuda_benchmarks(const settings& given);

}  // namespace zcmoe::bench
