// Benchmarks on the CPU: the engine on one thread (cpu1) and on all (cpu), the memory limit (copy,
// read, and for several inputs reading all and copying one), threads that share nothing (apart) and
// what one would write without the library: std (upper_bound and a look-up) and plain (upper_bound
// and sums in double). Latency is the time of one predict call of few rows.
#include "alternatives.hpp"
#include "benchmarks.hpp"
#include "memory_limits.hpp"
#include "points_models.hpp"
#include "workload.hpp"

#include <zcmoe/zcmoe.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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
  predict_data(int threads, experts given, distribution of, std::int64_t num_segments,
               std::int64_t rows)
      : kind(given),
        edges(edges_of(of, num_segments)),
        narrow(narrow_constants(num_segments)),
        x(inputs_of<T>(of, edges, rows)),
        answers(rows),
        copy(rows),
        owner(context_of(threads)),
        tables(table_of(owner, edges, kind)) {}

  static std::vector<T> narrow_constants(std::int64_t num_segments) {
    const std::vector<double> constants = constants_of(num_segments);
    return {constants.begin(), constants.end()};
  }
  void predict_with_library() const {
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(answers.data());
    tables.predict(array(x.data()), x.size(), outputs, nullptr);
  }
  void predict_with_std() const {
    for (std::int64_t i = 0; i < x.size(); ++i)
      answers.data()[i] = narrow[segment_by_upper_bound(edges, x.data()[i])];
  }

  experts kind;
  std::vector<double> edges;
  std::vector<T> narrow;  // what one would look up without the library
  aligned_array<T> x;
  aligned_array<T> answers;
  aligned_array<T> copy;
  context owner;
  model tables;
};

template <class T>
void run_predict(benchmark::State& state, const std::string& name, bool with_library, int threads,
                 experts kind, distribution of, std::int64_t num_segments, std::int64_t rows) {
  auto& data = data_for<predict_data<T>>(name, [&] {
    return std::make_shared<predict_data<T>>(threads, kind, of, num_segments, rows);
  });
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
  check_answers(data.edges, lines_of(data.edges, kind), data.x.data(), data.answers.data(),
                std::min(rows, rows_to_check));
}

// ---------------------------------------------------------- several inputs

struct points_data {
  points_data(int threads, sized_shape given, int num_inputs, std::int64_t rows)
      : plain(model_of(given, num_inputs)),
        answers(rows),
        copy(rows),
        owner(context_of(threads)),
        tables(model::deserialize(owner, bytes_of(plain))) {
    for (int j = 0; j < num_inputs; ++j) {
      columns.emplace_back(rows);
      float* const column = columns.back().data();
      fill_rows(rows, [=](std::int64_t i) { column[i] = point_of(i, j); });
      x.add(array(column), rows);
    }
  }

  plain_points plain;
  std::vector<aligned_array<float>> columns;
  points x;
  aligned_array<float> answers;
  aligned_array<float> copy;
  context owner;
  model tables;
};

void run_points(benchmark::State& state, const std::string& name, int threads, sized_shape given,
                int num_inputs, std::int64_t rows) {
  auto& data = data_for<points_data>(
      name, [&] { return std::make_shared<points_data>(threads, given, num_inputs, rows); });
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(data.answers.data());
  const zcmoe_points x = data.x.view();
  const auto bytes = rows * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t moved = (num_inputs + 1) * bytes;
  measure(
      state, {rows, moved, moved, threads},
      [&] {
        return seconds_of(
            [&] { check(zcmoe_predict_points(data.tables.get(), &x, rows, &outputs, nullptr)); });
      },
      // One column after the other, as fast as memory can: what it takes to read all at once is the
      // engine's affair.
      [&] {
        const auto size = static_cast<std::size_t>(bytes);
        return seconds_of([&] {
          for (std::size_t j = 1; j < data.columns.size(); ++j)
            benchmark::DoNotOptimize(streaming_read(data.columns[j].data(), size, threads));
          streaming_copy(data.copy.data(), data.columns[0].data(), size, threads);
        });
      });
  check_points(data.plain, data.answers.data(), std::min(rows, rows_to_check));
}

// ----------------------------------------------------------------- latency

/// The calls go through so many rows in turn: more than a branch predictor learns, few enough for
/// the first-level cache.
constexpr std::int64_t rows_in_turn = 4096;

void run_latency(benchmark::State& state, const std::string& name, int threads,
                 std::int64_t num_segments, std::int64_t rows_a_call) {
  auto& data = data_for<predict_data<float>>(name, [&] {
    return std::make_shared<predict_data<float>>(threads, experts::constants, distribution::random,
                                                 num_segments, rows_in_turn);
  });
  zcmoe_predict_outputs outputs = predict_outputs();
  const auto call = [&](std::int64_t first) {
    outputs.values = output(data.answers.data() + first);
    data.tables.predict(array(data.x.data() + first), rows_a_call, outputs, nullptr);
  };
  for (std::int64_t first = 0; first < rows_in_turn; first += rows_a_call) call(first);
  check_answers(data.edges, lines_of(data.edges, data.kind), data.x.data(), data.answers.data(),
                rows_in_turn);
  std::int64_t first = 0;
  for (auto _ : state) {
    call(first);
    first = (first + rows_a_call) % rows_in_turn;
  }
  state.SetItemsProcessed(state.iterations() * rows_a_call);
  state.counters["threads"] = threads;
}

// --------------------------------------------------------------------- fit

/// What a fit is made of. Apart from each other, `num_states` contexts with a state each take equal
/// shares of the rows at the same time.
struct fit_setting {
  int threads = 1;  // of each context
  int num_states = 1;
  zcmoe_dtype target_dtype = ZCMOE_F64;
  bool weighted = false;
  experts kind = experts::constants;
};

template <class T>
struct fit_data {
  fit_data(const fit_setting& given, distribution of, std::int64_t num_segments, std::int64_t rows)
      : setting(given),
        edges(edges_of(of, num_segments)),
        x(inputs_of<T>(of, edges, rows)),
        y(targets_of(x)),
        weights(given.weighted ? weights_of<T>(rows) : aligned_array<T>()),
        owner(context_of(given.threads)),
        router(owner, edges, constants_of(num_segments)),
        plain(static_cast<std::size_t>(num_segments)) {
    check_fit();
    for (int s = 0; s < setting.num_states; ++s) {
      owners.push_back(context_of(setting.threads));
      exact.emplace_back(owners.back(), edges, model_options_of(setting.kind), options());
    }
  }

  zcmoe_fit_options options() const {
    zcmoe_fit_options options = fit_options();
    options.target_dtype = setting.target_dtype;
    options.weighted = setting.weighted ? 1 : 0;
    return options;
  }
  void add(fit& to, std::int64_t first, std::int64_t rows) const {
    to.add(array(x.data() + first), array(y.data() + first),
           setting.weighted ? array(weights.data() + first) : no_array(), rows, nullptr, 0,
           nullptr);
  }
  /// Adds to one state again and again, as a user with many chunks does. The sums grow, the work
  /// does not.
  void fit_with_library() {
    const std::int64_t share = x.size() / setting.num_states;
    std::vector<std::thread> others;
    for (int s = 1; s < setting.num_states; ++s) {
      others.emplace_back(
          [this, s, share] { add(exact[static_cast<std::size_t>(s)], s * share, share); });
    }
    add(exact[0], 0, share);
    for (std::thread& other : others) other.join();
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
  /// Throws unless a fit gives the means that plain sums give. Its state goes before the timed one
  /// comes, since that of many segments is large.
  void check_fit() {
    const std::int64_t rows = std::min(x.size(), rows_to_check);
    fit some(owner, edges, model_options_of(setting.kind), options());
    add(some, 0, rows);
    if (setting.weighted) {
      add_weighted(edges, x.data(), y.data(), weights.data(), rows, plain);
    } else {
      fit_with_doubles(rows);
    }
    const model result = some.finish();
    check_means(result.info(), plain);
    if (setting.kind == experts::lines)
      check_slopes(result.info(), edges, x.data(), y.data(), rows);
    std::fill(plain.begin(), plain.end(), plain_sums{});
  }

  fit_setting setting;
  std::vector<double> edges;
  aligned_array<T> x;
  aligned_array<T> y;
  aligned_array<T> weights;  // empty without
  context owner;
  model router;
  std::vector<plain_sums> plain;
  std::vector<context> owners;
  std::vector<fit> exact;
};

template <class T>
void run_fit(benchmark::State& state, const std::string& name, const fit_setting& setting,
             distribution of, std::int64_t num_segments, std::int64_t rows) {
  const std::string engine = name.substr(0, name.find('/'));
  auto& data = data_for<fit_data<T>>(
      name, [&] { return std::make_shared<fit_data<T>>(setting, of, num_segments, rows); });
  const auto bytes = static_cast<std::size_t>(rows) * sizeof(T);
  const std::int64_t moved = (setting.weighted ? 3 : 2) * static_cast<std::int64_t>(bytes);
  const int threads = setting.threads * setting.num_states;
  measure(
      state, {rows, moved, moved, threads},
      [&] {
        return seconds_of([&] {
          engine == "plain"    ? data.fit_with_doubles(rows)
          : engine == "double" ? data.fit_with_routed_doubles()
                               : data.fit_with_library();
        });
      },
      [&] {
        return seconds_of([&] {
          benchmark::DoNotOptimize(streaming_read(data.x.data(), bytes, threads));
          benchmark::DoNotOptimize(streaming_read(data.y.data(), bytes, threads));
          if (setting.weighted)
            benchmark::DoNotOptimize(streaming_read(data.weights.data(), bytes, threads));
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
void add_predict(const char* engine, int threads, experts kind,
                 const std::vector<distribution>& places, std::int64_t rows) {
  const bool with_library = std::string(engine).rfind("cpu", 0) == 0;
  for (const distribution of : places) {
    for (const std::int64_t m : all_num_segments) {
      if (!is_measured_kind(kind, m)) continue;
      add(name_of(engine, op_of("predict", kind), type_name<T>(), name_of(of), m),
          [=](benchmark::State& state, const std::string& name) {
            run_predict<T>(state, name, with_library, threads, kind, of, m, rows);
          });
    }
  }
}

void add_points(const char* engine, int threads, std::int64_t rows) {
  for (const sized_shape given : all_shapes) {
    for (const int d : all_num_inputs) {
      if (!is_measured(given, d)) continue;
      add(name_of(engine, name_of(given.of), "f32", "random", given.size) +
              "/d:" + std::to_string(d),
          [=](benchmark::State& state, const std::string& name) {
            run_points(state, name, threads, given, d, point_rows(rows, d));
          });
    }
  }
}

template <class T>
void add_fit(const char* engine, const char* op, const fit_setting& setting,
             const std::vector<distribution>& places, std::int64_t rows) {
  for (const distribution of : places) {
    for (const std::int64_t m : all_num_segments) {
      if (!is_measured_fit(setting.target_dtype, m) || !is_measured_kind(setting.kind, m)) continue;
      add(name_of(engine, op, type_name<T>(), name_of(of), m),
          [=](benchmark::State& state, const std::string& name) {
            run_fit<T>(state, name, setting, of, m, rows);
          });
    }
  }
}

void add_fits(int all_threads, std::int64_t rows) {
  struct named_engine {
    const char* name;
    int threads;
    int num_states;
  };
  const std::vector<distribution> everywhere = {distribution::random, distribution::sorted,
                                                distribution::clustered, distribution::hot};
  for (const named_engine& each : {named_engine{"cpu1", 1, 1}, named_engine{"cpu", all_threads, 1},
                                   named_engine{"plain", 1, 1}, named_engine{"double", 1, 1}}) {
    add_fit<float>(each.name, "fit", {each.threads, each.num_states, ZCMOE_F32, false}, everywhere,
                   rows);
    add_fit<double>(each.name, "fit", {each.threads, each.num_states, ZCMOE_F64, false}, everywhere,
                    rows);
  }
  add_fit<float>("apart", "fit", {1, all_threads, ZCMOE_F32, false}, {distribution::random}, rows);
  for (const named_engine& each : {named_engine{"cpu1", 1, 1}, named_engine{"cpu", all_threads, 1},
                                   named_engine{"apart", 1, all_threads}}) {
    for (const bool weighted : {false, true}) {
      add_fit<float>(each.name, weighted ? "fit-weighted" : "fit-default",
                     {each.threads, each.num_states, ZCMOE_F64, weighted}, {distribution::random},
                     rows);
    }
  }
  for (const named_engine& each :
       {named_engine{"cpu1", 1, 1}, named_engine{"cpu", all_threads, 1}}) {
    add_fit<float>(each.name, "fit-lines",
                   {each.threads, each.num_states, ZCMOE_F32, false, experts::lines},
                   {distribution::random, distribution::sorted}, rows);
  }
}

}  // namespace

void register_cpu_benchmarks(const settings& given) {
  const int all_threads = context_of(0).info().num_threads;
  add_limits<float>(all_threads, given.rows);
  add_limits<double>(all_threads, given.rows);
  // Without `hot`: nothing is learned here, and the constant of one segment is one cache line.
  const std::vector<distribution> places = {distribution::random, distribution::sorted,
                                            distribution::clustered};
  for (const auto& [engine, threads] :
       {std::pair{"cpu1", 1}, std::pair{"cpu", all_threads}, std::pair{"std", 1}}) {
    add_predict<float>(engine, threads, experts::constants, places, given.rows);
    add_predict<double>(engine, threads, experts::constants, places, given.rows);
    if (std::string(engine) != "std")
      add_predict<float>(engine, threads, experts::lines, {distribution::random}, given.rows);
  }
  add_fits(all_threads, given.rows);
  add_points("cpu1", 1, given.rows);
  add_points("cpu", all_threads, given.rows);
  add_latency("cpu1", 1);
  add_latency("cpu", all_threads);
}

}  // namespace zcmoe::bench
