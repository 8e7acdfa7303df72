// Benchmarks on the CPU: the engine on one thread (cpu1) and on all (cpu), the memory limit (copy,
// read) and what one would write without the library: std (upper_bound and a look-up) and plain
// (upper_bound and sums in double). Latency is the time of one predict call of few rows.
#include "alternatives.hpp"
#include "benchmarks.hpp"
#include "memory_limits.hpp"
#include "workload.hpp"

#include <zcmoe/zcmoe.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <type_traits>

namespace zcmoe::bench {
namespace {

template <class Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

context context_of(int threads) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = threads;
  return context(options);
}

// ----------------------------------------------------------------- predict

template <class T>
struct predict_data {
  predict_data(int threads, distribution of, std::int64_t num_segments, std::int64_t rows)
      : edges(edges_of(of, num_segments)),
        constants(constants_of(num_segments)),
        narrow(constants.begin(), constants.end()),
        x(inputs_of<T>(of, edges, rows)),
        answers(rows),
        copy(rows),
        owner(context_of(threads)),
        tables(owner, edges, constants) {}

  void predict_with_library() const {
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(answers.data());
    tables.predict(array(x.data()), x.size(), outputs, nullptr);
  }
  void predict_with_std() const {
    for (std::int64_t i = 0; i < x.size(); ++i)
      answers.data()[i] = narrow[segment_by_upper_bound(edges, x.data()[i])];
  }

  std::vector<double> edges;
  std::vector<double> constants;
  std::vector<T> narrow;
  aligned_array<T> x;
  aligned_array<T> answers;
  aligned_array<T> copy;
  context owner;
  model tables;
};

template <class T>
void run_predict(benchmark::State& state, const std::string& name, bool with_library, int threads,
                 distribution of, std::int64_t num_segments, std::int64_t rows) {
  auto& data = data_for<predict_data<T>>(
      name, [&] { return std::make_shared<predict_data<T>>(threads, of, num_segments, rows); });
  const auto bytes = rows * static_cast<std::int64_t>(sizeof(T));
  measure(
      state, {rows, 2 * bytes, 2 * bytes, threads},
      [&] {
        return seconds_of(
            [&] { with_library ? data.predict_with_library() : data.predict_with_std(); });
      },
      [&] {
        return seconds_of([&] {
          streaming_copy(data.copy.data(), data.x.data(), static_cast<std::size_t>(bytes), threads);
        });
      });
  check_answers(data.edges, data.constants, data.x.data(), data.answers.data(),
                std::min(rows, rows_to_check));
}

// ----------------------------------------------------------------- latency

/// The calls go through so many rows in turn: more than a branch predictor learns, few enough for
/// the first-level cache.
constexpr std::int64_t rows_in_turn = 4096;

void run_latency(benchmark::State& state, const std::string& name, int threads,
                 std::int64_t num_segments, std::int64_t rows_a_call) {
  auto& data = data_for<predict_data<float>>(name, [&] {
    return std::make_shared<predict_data<float>>(threads, distribution::random, num_segments,
                                                 rows_in_turn);
  });
  zcmoe_predict_outputs outputs = predict_outputs();
  const auto call = [&](std::int64_t first) {
    outputs.values = output(data.answers.data() + first);
    data.tables.predict(array(data.x.data() + first), rows_a_call, outputs, nullptr);
  };
  for (std::int64_t first = 0; first < rows_in_turn; first += rows_a_call) call(first);
  check_answers(data.edges, data.constants, data.x.data(), data.answers.data(), rows_in_turn);
  std::int64_t first = 0;
  for (auto _ : state) {
    call(first);
    first = (first + rows_a_call) % rows_in_turn;
  }
  state.SetItemsProcessed(state.iterations() * rows_a_call);
  state.counters["threads"] = threads;
}

// --------------------------------------------------------------------- fit

template <class T>
struct fit_data {
  fit_data(int threads, distribution of, std::int64_t num_segments, std::int64_t rows)
      : edges(edges_of(of, num_segments)),
        x(inputs_of<T>(of, edges, rows)),
        y(targets_of(x)),
        owner(context_of(threads)),
        router(owner, edges, constants_of(num_segments)),
        plain(static_cast<std::size_t>(num_segments)),
        exact(checked_fit()) {}

  static zcmoe_fit_options options() {
    zcmoe_fit_options options = fit_options();
    options.target_dtype = dtype_of<T>();
    return options;
  }
  /// Adds to one state again and again, as a user with many chunks does. The sums grow, the work
  /// does not.
  void fit_with_library() {
    exact.add(array(x.data()), array(y.data()), no_array(), x.size(), nullptr, 0, nullptr);
  }
  void fit_with_doubles(std::int64_t rows) { add_plainly(edges, x.data(), y.data(), rows, plain); }
  /// Takes the segments from the library, some thousand rows at a time, and sums in double.
  void fit_with_routed_doubles() {
    constexpr std::int64_t block = 2048;
    std::int32_t segments[block];
    for (std::int64_t first = 0; first < x.size(); first += block) {
      const std::int64_t rows = std::min(block, x.size() - first);
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.segments = output(segments);
      router.predict(array(x.data() + first), rows, outputs, nullptr);
      for (std::int64_t i = 0; i < rows; ++i) {
        const auto target = static_cast<double>(y.data()[first + i]);
        plain_sums& at = plain[static_cast<std::size_t>(segments[i])];
        at.count += 1;
        at.y += target;
        at.yy += target * target;
      }
    }
  }
  /// Makes an empty fit, after another one has given the same means of some rows as plain sums.
  /// There is one at a time, since the state of many segments is large.
  fit checked_fit() {
    const std::int64_t rows = std::min(x.size(), rows_to_check);
    {
      fit some(owner, edges, model_options(), options());
      some.add(array(x.data()), array(y.data()), no_array(), rows, nullptr, 0, nullptr);
      fit_with_doubles(rows);
      const model result = some.finish();
      check_means(result.info(), plain);
    }
    std::fill(plain.begin(), plain.end(), plain_sums{});
    return fit(owner, edges, model_options(), options());
  }

  std::vector<double> edges;
  aligned_array<T> x;
  aligned_array<T> y;
  context owner;
  model router;
  std::vector<plain_sums> plain;
  fit exact;
};

template <class T>
void run_fit(benchmark::State& state, const std::string& name, bool with_library, int threads,
             distribution of, std::int64_t num_segments, std::int64_t rows) {
  const bool routed = name.rfind("double/", 0) == 0;
  auto& data = data_for<fit_data<T>>(
      name, [&] { return std::make_shared<fit_data<T>>(threads, of, num_segments, rows); });
  const auto bytes = rows * static_cast<std::int64_t>(sizeof(T));
  measure(
      state, {rows, 2 * bytes, 2 * bytes, threads},
      [&] {
        return seconds_of([&] {
          with_library ? data.fit_with_library()
          : routed     ? data.fit_with_routed_doubles()
                       : data.fit_with_doubles(rows);
        });
      },
      [&] {
        return seconds_of([&] {
          benchmark::DoNotOptimize(
              streaming_read(data.x.data(), static_cast<std::size_t>(bytes), threads));
          benchmark::DoNotOptimize(
              streaming_read(data.y.data(), static_cast<std::size_t>(bytes), threads));
        });
      });
}

// ------------------------------------------------------------------ limits

template <class T>
struct limit_data {
  explicit limit_data(std::int64_t rows) : x(rows), y(rows) {}
  aligned_array<T> x;
  aligned_array<T> y;
};

template <class T>
void run_limit(benchmark::State& state, const std::string& name, bool copies, int threads,
               std::int64_t rows) {
  auto& data = data_for<limit_data<T>>(name, [&] { return std::make_shared<limit_data<T>>(rows); });
  const auto bytes = rows * static_cast<std::int64_t>(sizeof(T));
  const auto limit = [&] {
    return seconds_of([&] {
      if (copies) {
        streaming_copy(data.y.data(), data.x.data(), static_cast<std::size_t>(bytes), threads);
      } else {
        benchmark::DoNotOptimize(
            streaming_read(data.x.data(), static_cast<std::size_t>(bytes), threads));
        benchmark::DoNotOptimize(
            streaming_read(data.y.data(), static_cast<std::size_t>(bytes), threads));
      }
    });
  };
  measure(state, {rows, 2 * bytes, 2 * bytes, threads}, limit, limit);
}

// ------------------------------------------------------------ registration

/// An exception of a body ends that benchmark, not the others.
template <class Run>
benchmark::internal::Benchmark* register_one(const std::string& name, const Run& run) {
  return benchmark::RegisterBenchmark(name.c_str(), [name, run](benchmark::State& state) {
    try {
      run(state, name);
    } catch (const std::exception& failure) {
      state.SkipWithError(failure.what());
    }
  });
}

/// The time of a benchmark is the wall time that its body measures.
template <class Run>
void add(const std::string& name, const Run& run) {
  register_one(name, run)->UseManualTime()->Unit(benchmark::kMillisecond);
}

/// The time of a latency is the wall time of the whole loop: reading a clock around each call would
/// cost as much as the call.
void add_latency(const char* engine, int threads) {
  for (const std::int64_t m : all_num_segments) {
    for (const std::int64_t n : {1, 32, 1024}) {
      register_one(name_of(engine, "latency", "f32", "random", m) + "/n:" + std::to_string(n),
                   [=](benchmark::State& state, const std::string& name) {
                     run_latency(state, name, threads, m, n);
                   })
          ->UseRealTime();
    }
  }
}

template <class T>
void add_limits(int all_threads, std::int64_t rows) {
  for (const bool copies : {true, false}) {
    const std::string op = copies ? "copy" : "read";
    for (const int threads : {1, all_threads}) {
      add(op + (threads == 1 && all_threads != 1 ? "1/" : "/") + type_name<T>(),
          [=](benchmark::State& state, const std::string& name) {
            run_limit<T>(state, name, copies, threads, rows);
          });
      if (all_threads == 1) break;
    }
  }
}

template <class T>
void add_engine(const char* engine, const char* op, int threads, std::int64_t rows) {
  const bool with_library = std::string(engine).rfind("cpu", 0) == 0;
  const bool predicts = std::string(op) == "predict";
  for (const distribution of :
       {distribution::random, distribution::sorted, distribution::clustered, distribution::hot}) {
    if (predicts && of == distribution::hot)
      continue;  // nothing is learned here: the constant of one segment is one cache line
    for (const std::int64_t m : all_num_segments) {
      if (!is_measured<T>(predicts, m)) continue;
      add(name_of(engine, op, type_name<T>(), name_of(of), m), [=](benchmark::State& state,
                                                                   const std::string& name) {
        (predicts ? run_predict<T> : run_fit<T>)(state, name, with_library, threads, of, m, rows);
      });
    }
  }
}

}  // namespace

void register_cpu_benchmarks(const settings& given) {
  const int all_threads = context_of(0).info().num_threads;
  add_limits<float>(all_threads, given.rows);
  add_limits<double>(all_threads, given.rows);
  for (const char* op : {"predict", "fit"}) {
    add_engine<float>("cpu1", op, 1, given.rows);
    add_engine<double>("cpu1", op, 1, given.rows);
    add_engine<float>("cpu", op, all_threads, given.rows);
    add_engine<double>("cpu", op, all_threads, given.rows);
    const char* const alternative = std::string(op) == "predict" ? "std" : "plain";
    add_engine<float>(alternative, op, 1, given.rows);
    add_engine<double>(alternative, op, 1, given.rows);
    if (std::string(op) == "fit") {
      add_engine<float>("double", op, 1, given.rows);
      add_engine<double>("double", op, 1, given.rows);
    }
  }
  add_latency("cpu1", 1);
  add_latency("cpu", all_threads);
}

}  // namespace zcmoe::bench
