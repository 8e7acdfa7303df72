// Benchmarks of the CUDA engine: data are in device memory, times come from device events, and a
// copy in device memory is timed beside. This is the only file of the benchmark that calls the CUDA
// runtime.
#include "alternatives.hpp"
#include "benchmarks.hpp"
#include "points_models.hpp"
#include "reporters.hpp"
#include "workload.hpp"

#include <zcmoe/zcmoe.hpp>

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <type_traits>

namespace zcmoe::bench {
namespace {

void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that the next call does not report it again
  throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}
#define CHECK_CUDA(call) check_cuda(call, #call)

template <class T>
class device_array {
 public:
  explicit device_array(std::int64_t n) : bytes_(static_cast<std::size_t>(n) * sizeof(T)) {
    CHECK_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), std::max<std::size_t>(bytes_, 1)));
  }
  explicit device_array(const aligned_array<T>& host) : device_array(host.size()) {
    CHECK_CUDA(cudaMemcpy(data_, host.data(), bytes_, cudaMemcpyHostToDevice));
  }
  device_array(const device_array&) = delete;
  device_array& operator=(const device_array&) = delete;
  ~device_array() { cudaFree(data_); }
  T* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  T* data_ = nullptr;
  std::size_t bytes_;
};

/// A stream and two events that tell how many seconds the device spends between them.
class device_clock {
 public:
  device_clock() {
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreate(&start_));
    CHECK_CUDA(cudaEventCreate(&stop_));
  }
  device_clock(const device_clock&) = delete;
  device_clock& operator=(const device_clock&) = delete;
  ~device_clock() {
    cudaEventDestroy(stop_);
    cudaEventDestroy(start_);
    cudaStreamDestroy(stream_);
  }
  cudaStream_t stream() const { return stream_; }
  template <class Body>
  double seconds_of(const Body& body) const {
    CHECK_CUDA(cudaEventRecord(start_, stream_));
    body();
    CHECK_CUDA(cudaEventRecord(stop_, stream_));
    CHECK_CUDA(cudaEventSynchronize(stop_));
    float milliseconds = 0;
    CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start_, stop_));
    return static_cast<double>(milliseconds) * 1e-3;
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr;
  cudaEvent_t stop_ = nullptr;
};

/// Does what measure() does. On an emulated device the work is done once and no time is told.
template <class Operation, class Limit>
void measure_device(benchmark::State& state, const amount& work, bool emulated,
                    const Operation& operation, const Limit& limit) {
  if (!emulated) {
    measure(state, work, operation, limit);
    return;
  }
  for (auto _ : state) {
    operation();
    state.SetIterationTime(0);
  }
  state.SetLabel(no_times);
}

template <class T>
struct predict_data {
  predict_data(experts given, distribution of, std::int64_t num_segments, std::int64_t num_rows)
      : kind(given),
        rows(num_rows),
        edges(edges_of(of, num_segments)),
        x(inputs_of<T>(of, edges, rows)),
        answers(rows),
        copy(rows),
        owner(ZCMOE_ENGINE_CUDA),
        tables(table_of(owner, edges, kind)) {}

  void check_some_answers() const {
    const auto n = static_cast<std::size_t>(std::min(rows, rows_to_check));
    std::vector<T> some_x(n);
    std::vector<T> some_answers(n);
    CHECK_CUDA(cudaStreamSynchronize(clock.stream()));
    CHECK_CUDA(cudaMemcpy(some_x.data(), x.data(), n * sizeof(T), cudaMemcpyDeviceToHost));
    CHECK_CUDA(
        cudaMemcpy(some_answers.data(), answers.data(), n * sizeof(T), cudaMemcpyDeviceToHost));
    check_answers(edges, lines_of(edges, kind), some_x.data(), some_answers.data(),
                  static_cast<std::int64_t>(n));
  }

  experts kind;
  std::int64_t rows;
  std::vector<double> edges;
  device_array<T> x;
  device_array<T> answers;
  device_array<T> copy;
  context owner;
  model tables;
  device_clock clock;
};

template <class T>
void run_predict(benchmark::State& state, const std::string& name, experts kind, distribution of,
                 std::int64_t num_segments, std::int64_t rows, bool emulated) {
  auto& data = data_for<predict_data<T>>(
      name, [&] { return std::make_shared<predict_data<T>>(kind, of, num_segments, rows); });
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(data.answers.data());
  const auto bytes = static_cast<std::int64_t>(2 * data.x.bytes());
  measure_device(
      state, {rows, bytes, bytes, 0}, emulated,
      [&] {
        return data.clock.seconds_of(
            [&] { data.tables.predict(array(data.x.data()), rows, outputs, data.clock.stream()); });
      },
      [&] {
        return data.clock.seconds_of([&] {
          CHECK_CUDA(cudaMemcpyAsync(data.copy.data(), data.x.data(), data.x.bytes(),
                                     cudaMemcpyDeviceToDevice, data.clock.stream()));
        });
      });
  data.check_some_answers();
}

struct points_data {
  points_data(sized_shape given, int num_inputs, std::int64_t num_rows)
      : plain(model_of(given, num_inputs)),
        answers(num_rows),
        copy(num_rows),
        owner(ZCMOE_ENGINE_CUDA),
        tables(model::deserialize(owner, bytes_of(plain))) {
    aligned_array<float> column(num_rows);
    for (int j = 0; j < num_inputs; ++j) {
      fill_rows(num_rows, [&](std::int64_t i) { column.data()[i] = point_of(i, j); });
      columns.push_back(std::make_unique<device_array<float>>(column));
      x.add(array(columns.back()->data()), num_rows);
    }
    CHECK_CUDA(cudaDeviceSynchronize());  // the clock's stream does not wait for the default one
  }

  void check_some_answers() const {
    const std::int64_t n = std::min(x.num_rows(), rows_to_check);
    std::vector<float> some(static_cast<std::size_t>(n));
    CHECK_CUDA(cudaStreamSynchronize(clock.stream()));
    CHECK_CUDA(cudaMemcpy(some.data(), answers.data(), some.size() * sizeof(float),
                          cudaMemcpyDeviceToHost));
    check_points(plain, some.data(), n);
  }

  plain_points plain;
  std::vector<std::unique_ptr<device_array<float>>> columns;
  points x;
  device_array<float> answers;
  device_array<float> copy;
  context owner;
  model tables;
  device_clock clock;
};

/// The limit is a copy of one column: bytes a second count, and reading several columns moves as
/// many of them as reading one.
void run_points(benchmark::State& state, const std::string& name, sized_shape given, int num_inputs,
                std::int64_t rows, bool emulated) {
  auto& data = data_for<points_data>(
      name, [&] { return std::make_shared<points_data>(given, num_inputs, rows); });
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(data.answers.data());
  const zcmoe_points x = data.x.view();
  const auto bytes = static_cast<std::int64_t>(data.answers.bytes());
  measure_device(
      state, {rows, (num_inputs + 1) * bytes, 2 * bytes, 0}, emulated,
      [&] {
        return data.clock.seconds_of([&] {
          check(zcmoe_predict_points(data.tables.get(), &x, rows, &outputs, data.clock.stream()));
        });
      },
      [&] {
        return data.clock.seconds_of([&] {
          CHECK_CUDA(cudaMemcpyAsync(data.copy.data(), data.columns[0]->data(), data.copy.bytes(),
                                     cudaMemcpyDeviceToDevice, data.clock.stream()));
        });
      });
  data.check_some_answers();
}

template <class T>
struct fit_data {
  fit_data(experts given, const std::vector<double>& edges, const aligned_array<T>& host_x,
           const aligned_array<T>& host_y)
      : kind(given),
        x(host_x),
        y(host_y),
        copy(host_x.size()),
        owner(ZCMOE_ENGINE_CUDA),
        exact(checked_fit(edges, host_x, host_y)),
        workspace(static_cast<std::int64_t>(exact.workspace(host_x.size()))) {
    CHECK_CUDA(cudaDeviceSynchronize());  // the clock's stream does not wait for the default one
  }

  /// Makes an empty fit, after another one has given the same means of some rows as sums on the
  /// host. There is one at a time, since the state of many segments is large.
  fit checked_fit(const std::vector<double>& edges, const aligned_array<T>& host_x,
                  const aligned_array<T>& host_y) const {
    const std::int64_t rows = std::min(host_x.size(), rows_to_check);
    {
      fit some(owner, edges, model_options_of(kind), options());
      some.add(array(x.data()), array(y.data()), no_array(), rows, nullptr, 0, nullptr);
      std::vector<plain_sums> sums(edges.size() - 1);
      add_plainly(edges, host_x.data(), host_y.data(), rows, sums);
      const model result = some.finish();
      check_means(result.info(), sums);
      if (kind == experts::lines)
        check_slopes(result.info(), edges, host_x.data(), host_y.data(), rows);
    }
    return fit(owner, edges, model_options_of(kind), options());
  }
  static zcmoe_fit_options options() {
    zcmoe_fit_options options = fit_options();
    options.target_dtype = dtype_of<T>();
    return options;
  }

  experts kind;
  device_array<T> x;
  device_array<T> y;
  device_array<T> copy;
  context owner;
  fit exact;
  device_array<unsigned char> workspace;
  device_clock clock;
};

/// The limit of a fit is the same copy: reading x and writing as much moves the bytes that reading
/// x and y moves.
template <class T>
void run_fit(benchmark::State& state, const std::string& name, experts kind, distribution of,
             std::int64_t num_segments, std::int64_t rows, bool emulated) {
  auto& data = data_for<fit_data<T>>(name, [&] {
    const std::vector<double> edges = edges_of(of, num_segments);
    const aligned_array<T> x = inputs_of<T>(of, edges, rows);
    return std::make_shared<fit_data<T>>(kind, edges, x, targets_of(x));
  });
  const auto bytes = static_cast<std::int64_t>(2 * data.x.bytes());
  measure_device(
      state, {rows, bytes, bytes, 0}, emulated,
      [&] {
        return data.clock.seconds_of([&] {
          data.exact.add(array(data.x.data()), array(data.y.data()), no_array(), rows,
                         data.workspace.data(), data.workspace.bytes(), data.clock.stream());
        });
      },
      [&] {
        return data.clock.seconds_of([&] {
          CHECK_CUDA(cudaMemcpyAsync(data.copy.data(), data.x.data(), data.x.bytes(),
                                     cudaMemcpyDeviceToDevice, data.clock.stream()));
        });
      });
}

template <class T>
struct copy_data {
  explicit copy_data(std::int64_t rows) : from(rows), to(rows) {
    CHECK_CUDA(cudaMemset(from.data(), 0, from.bytes()));
  }
  device_array<T> from;
  device_array<T> to;
  device_clock clock;
};

template <class T>
void run_copy(benchmark::State& state, const std::string& name, std::int64_t rows, bool emulated) {
  auto& data = data_for<copy_data<T>>(name, [&] { return std::make_shared<copy_data<T>>(rows); });
  const auto bytes = static_cast<std::int64_t>(2 * data.from.bytes());
  const auto copy = [&] {
    return data.clock.seconds_of([&] {
      CHECK_CUDA(cudaMemcpyAsync(data.to.data(), data.from.data(), data.from.bytes(),
                                 cudaMemcpyDeviceToDevice, data.clock.stream()));
    });
  };
  measure_device(state, {rows, bytes, bytes, 0}, emulated, copy, copy);
}

template <class Run>
void add(const std::string& name, bool emulated, const Run& run) {
  auto* const added =
      benchmark::RegisterBenchmark(name.c_str(), [name, run](benchmark::State& state) {
        try {
          run(state, name);
        } catch (const std::exception& failure) {
          state.SkipWithError(failure.what());
        }
      });
  added->UseManualTime()->Unit(benchmark::kMillisecond);
  if (emulated) added->Iterations(1)->Repetitions(1);
}

template <class T>
void add_kind(experts kind, const std::vector<distribution>& places, std::int64_t rows,
              bool emulated) {
  for (const bool predicts : {true, false}) {
    for (const distribution of : places) {
      if (predicts && of == distribution::hot) continue;
      for (const std::int64_t m : all_num_segments) {
        if (!predicts && !is_measured_fit(dtype_of<T>(), m)) continue;
        if (!is_measured_kind(kind, m)) continue;
        const std::string op = op_of(predicts ? "predict" : "fit", kind);
        add(name_of("cuda", op, type_name<T>(), name_of(of), m), emulated,
            [=](benchmark::State& state, const std::string& name) {
              (predicts ? run_predict<T> : run_fit<T>)(state, name, kind, of, m, rows, emulated);
            });
      }
    }
  }
}

template <class T>
void add_all(std::int64_t rows, bool emulated) {
  add(std::string("cuda/copy/") + type_name<T>(), emulated,
      [=](benchmark::State& state, const std::string& name) {
        run_copy<T>(state, name, rows, emulated);
      });
  add_kind<T>(
      experts::constants,
      {distribution::random, distribution::sorted, distribution::clustered, distribution::hot},
      rows, emulated);
}

void add_points(std::int64_t rows, bool emulated) {
  for (const sized_shape given : all_shapes) {
    for (const int d : all_num_inputs) {
      if (!is_measured(given, d)) continue;
      add(name_of("cuda", name_of(given.of), "f32", "random", given.size) +
              "/d:" + std::to_string(d),
          emulated, [=](benchmark::State& state, const std::string& name) {
            run_points(state, name, given, d, point_rows(rows, d), emulated);
          });
    }
  }
}

/// The part of the free memory that rows do not get: it is for the exact sums of 2^24 segments (4
/// GiB), the sort of 2^26 rows, and tables.
constexpr std::size_t reserved_bytes = std::size_t{8} << 30;

/// As many rows as asked for, or the power of two for which x, y and the copy fit the memory in
/// float64: all but the reserve, or a quarter where that is more.
std::int64_t rows_that_fit(std::int64_t asked) {
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  CHECK_CUDA(cudaMemGetInfo(&free_bytes, &all_bytes));
  const std::size_t for_rows =
      std::max(free_bytes / 4, free_bytes - std::min(free_bytes, reserved_bytes));
  const auto fit = static_cast<std::int64_t>(for_rows / (3 * sizeof(double)));
  if (asked <= fit) return asked;
  std::int64_t rows = 1;
  while (2 * rows <= fit) rows *= 2;
  return rows;
}

}  // namespace

cuda_presence register_cuda_benchmarks(const settings& given) {
  std::string card;
  try {
    const zcmoe_context_info info = context(ZCMOE_ENGINE_CUDA).info();
    if (info.engine != ZCMOE_ENGINE_CUDA) return {false, "the context is not of the CUDA engine"};
    card = info.name;
  } catch (const error& e) {
    if (e.status() != ZCMOE_ERR_NO_DEVICE) throw;
    return {false, e.what()};
  }
  const std::int64_t rows = rows_that_fit(given.cuda_rows);
  add_all<float>(rows, given.emulated_device);
  add_all<double>(rows, given.emulated_device);
  add_kind<float>(experts::lines, {distribution::random}, rows, given.emulated_device);
  add_points(rows, given.emulated_device);
  return {true, card, rows};
}

}  // namespace zcmoe::bench
