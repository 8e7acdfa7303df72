// Tests of what only a device can show: a model inside a user's kernel, streams, graph capture, the
// current device, the caller's allocator and the engine's own pool, and how a failing kernel is
// reported. Results are compared bit for bit with those of the CPU engine.
#include "tests/support.hpp"

#include <zcmoe/model_view.hpp>

#include <cuda_runtime.h>

#include <functional>
#include <map>
#include <thread>

namespace zcmoe::test {
namespace {

void cuda_check(cudaError_t result) {
  if (result != cudaSuccess) throw std::runtime_error(cudaGetErrorString(result));
}

/// A stream that does not wait for the default stream, so that a test notices work on a wrong
/// stream.
class test_stream {
 public:
  test_stream() { cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~test_stream() { cudaStreamDestroy(stream_); }
  test_stream(const test_stream&) = delete;
  test_stream& operator=(const test_stream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void wait() const { cuda_check(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A graph of what the stream is given between construction and instantiate().
class captured_graph {
 public:
  explicit captured_graph(cudaStream_t stream) : stream_(stream) {
    cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  }
  ~captured_graph() {
    if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }
  captured_graph(const captured_graph&) = delete;
  captured_graph& operator=(const captured_graph&) = delete;

  void instantiate() {
    cuda_check(cudaStreamEndCapture(stream_, &graph_));
    cuda_check(cudaGraphInstantiateWithFlags(&executable_, graph_, 0));
    // All that the graph reads has been allocated and filled by now. A race checker that does not
    // follow a host's wait into a captured graph may report otherwise; the report is then its own
    // limit.
    cuda_check(cudaDeviceSynchronize());
  }
  void replay() { cuda_check(cudaGraphLaunch(executable_, stream_)); }

 private:
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

/// Rows whose inputs lie in [0, 1], on an edge and outside, with NaN and infinities among them, and
/// whose targets have many sizes, with zeros and NaN among them.
struct samples {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> w;

  explicit samples(std::int64_t n, unsigned seed = 1) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> spread(-0.2, 1.2);
    std::normal_distribution<double> normal;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto kind = random() % 50;
      x.push_back(kind == 0   ? not_a_number
                  : kind == 1 ? infinity
                  : kind == 2 ? 0.25
                              : spread(random));
      y.push_back(kind == 3   ? 0.0
                  : kind == 4 ? not_a_number
                              : std::ldexp(normal(random), static_cast<int>(kind)));
      w.push_back(kind == 5 ? 0.0 : std::abs(normal(random)));
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(x.size()); }
};

zcmoe_model_options segments_of_their_own() {
  zcmoe_model_options options = model_options();
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  options.range_policy = ZCMOE_RANGE_SEGMENTS;
  return options;
}

zcmoe_fit_options weighted_fit() {
  zcmoe_fit_options options = fit_options();
  options.weighted = 1;
  return options;
}

/// The serialised state of a CPU fit to which the samples were added `times` times.
std::vector<unsigned char> cpu_bytes(const std::vector<double>& edges, const samples& data,
                                     int times) {
  fit reference(context(ZCMOE_ENGINE_CPU), edges, segments_of_their_own(), weighted_fit());
  for (int k = 0; k < times; ++k) reference.add_sync(data.x, data.y, data.w);
  return reference.serialize();
}

class device_test : public testing::Test {
 protected:
  void SetUp() override {
    context_ = try_context(ZCMOE_ENGINE_CUDA);
    if (!context_) GTEST_SKIP() << "no cuda device";
  }
  /// Memory is freed in the order of streams: without this wait, a leak checker could take what is
  /// still to be freed for a leak.
  void TearDown() override {
    if (context_) cuda_check(cudaDeviceSynchronize());
  }
  const context& cuda() const { return *context_; }
  template <class T>
  static engine_array<T> on_device(const std::vector<T>& values) {
    return engine_array<T>(ZCMOE_ENGINE_CUDA, values);
  }

 private:
  std::unique_ptr<context> context_;
};

// --------------------------------------------------------- a user's kernel

__global__ void users_kernel(model_view view, const double* x, std::int64_t n, double* values,
                             std::int64_t* segments) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  values[i] = view.value_at(x[i]);
  segments[i] = view.segment_of(x[i]);
}

TEST_F(device_test, model_view_answers_in_a_users_kernel_as_predict_does) {
  const samples data(5000);
  const auto n = data.size();
  for (const bool own_segments : {false, true}) {
    const auto options = own_segments ? segments_of_their_own() : model_options();
    const std::vector<double> edges = uniform_edges(0, 1, 37);
    fit device_fit(cuda(), edges, options);
    device_fit.add_sync(data.x, data.y);
    const model device_model = device_fit.finish();
    fit cpu_fit(context(ZCMOE_ENGINE_CPU), edges, options);
    cpu_fit.add_sync(data.x, data.y);
    const model cpu_model = cpu_fit.finish();

    const auto x = on_device(data.x);
    const auto values = on_device(std::vector<double>(data.x.size()));
    const auto segments = on_device(std::vector<std::int64_t>(data.x.size()));
    users_kernel<<<static_cast<unsigned>((n + 127) / 128), 128>>>(
        model_view{device_model.view()}, x.data(), n, values.data(), segments.data());
    cuda_check(cudaGetLastError());
    std::vector<double> cpu_values(data.x.size());
    std::vector<std::int64_t> cpu_segments(data.x.size());
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(cpu_values.data());
    outputs.segments = output(cpu_segments.data());
    cpu_model.predict_sync(array(data.x.data()), n, outputs);
    EXPECT_TRUE(same_bits(values.host(), cpu_values));
    EXPECT_TRUE(same_bits(segments.host(), cpu_segments));
  }
}

// ----------------------------------------------------------------- streams

TEST_F(device_test, fits_on_several_streams_do_not_mix) {
  const std::vector<double> edges = uniform_edges(0, 1, 100);
  constexpr int num_streams = 3;
  std::vector<std::unique_ptr<test_stream>> streams;
  std::vector<fit> fits;
  std::vector<samples> data;
  std::vector<std::unique_ptr<engine_array<double>>> arrays;
  for (int s = 0; s < num_streams; ++s) {
    streams.push_back(std::make_unique<test_stream>());
    fits.emplace_back(cuda(), edges, segments_of_their_own(), weighted_fit());
    data.emplace_back(3000 + 100 * s, static_cast<unsigned>(s));
    for (const auto* column : {&data.back().x, &data.back().y, &data.back().w}) {
      arrays.push_back(std::make_unique<engine_array<double>>(ZCMOE_ENGINE_CUDA, *column));
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t s = 0; s < num_streams; ++s) {
      fits[s].add(array(arrays[3 * s]->data()), array(arrays[3 * s + 1]->data()),
                  array(arrays[3 * s + 2]->data()), data[s].size(), nullptr, 0, *streams[s]);
    }
  }
  for (std::size_t s = 0; s < num_streams; ++s) {
    EXPECT_EQ(fits[s].serialize(*streams[s]), cpu_bytes(edges, data[s], 2));
  }
}

TEST_F(device_test, threads_share_a_model_on_streams_of_their_own) {
  const samples data(2000);
  fit device_fit(cuda(), uniform_edges(0, 1, 50));
  device_fit.add_sync(data.x, data.y);
  const model shared = device_fit.finish();
  const std::vector<double> expected = shared.predict_sync(data.x);
  const auto x = on_device(data.x);
  std::vector<int> right(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      const test_stream stream;
      const auto out = on_device(std::vector<double>(data.x.size()));
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(out.data());
      for (int k = 0; k < 5; ++k) shared.predict(array(x.data()), data.size(), outputs, stream);
      stream.wait();
      right[t] = same_bits(out.host(), expected) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(right, testing::Each(1));
}

// ------------------------------------------------------------------ graphs

TEST_F(device_test, a_thousand_replays_of_predict_and_fit_add_give_the_cpu_engines_bits) {
  const int replays = std::getenv("ZCMOE_QUICK_TESTS") != nullptr ? 50 : 1000;
  const samples data(3000);
  const std::vector<double> edges = uniform_edges(0, 1, 64);
  const auto model_of = [&](const context& owner) {
    fit of_data(owner, edges, segments_of_their_own());
    of_data.add_sync(data.x, data.y);
    return of_data.finish();
  };
  const model captured = model_of(cuda());
  const auto x = on_device(data.x);
  const auto y = on_device(data.y);
  const auto w = on_device(data.w);
  const auto out = on_device(std::vector<double>(data.x.size()));
  const auto report =
      on_device(std::vector<std::int64_t>(sizeof(zcmoe_report) / sizeof(std::int64_t)));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(out.data());
  outputs.report = reinterpret_cast<zcmoe_report*>(report.data());
  fit device_fit(cuda(), edges, segments_of_their_own(), weighted_fit());
  const std::size_t bytes = device_fit.workspace(data.size());
  const auto workspace = on_device(std::vector<unsigned char>(bytes));
  const test_stream stream;
  captured_graph graph(stream);
  captured.predict(array(x.data()), data.size(), outputs, stream);
  device_fit.add(array(x.data()), array(y.data()), array(w.data()), data.size(), workspace.data(),
                 bytes, stream);
  graph.instantiate();

  for (int k = 1; k < replays; ++k) graph.replay();
  stream.wait();
  // The last replay reads other inputs from the same memory.
  const samples other(3000, 2);
  engine_upload(ZCMOE_ENGINE_CUDA, x.data(), other.x.data(), other.x.size() * sizeof(double));
  graph.replay();
  stream.wait();

  const context cpu(ZCMOE_ENGINE_CPU);
  EXPECT_TRUE(same_bits(out.host(), model_of(cpu).predict_sync(other.x)));
  EXPECT_EQ(report.host()[0], replays * data.size());
  fit cpu_fit(cpu, edges, segments_of_their_own(), weighted_fit());
  for (int k = 1; k < replays; ++k) cpu_fit.add_sync(data.x, data.y, data.w);
  cpu_fit.add_sync(other.x, data.y, data.w);
  EXPECT_EQ(device_fit.serialize(stream), cpu_fit.serialize());
  EXPECT_EQ(device_fit.report(stream).rows, replays * data.size());
}

/// Captures and replays a fit of targets of T without weights, whose sort has these as its payload.
template <class T>
void capture_sort(const context& cuda, const samples& data, std::int64_t num_segments) {
  const std::vector<double> edges = uniform_edges(0, 1, num_segments);
  const std::vector<T> targets(data.y.begin(), data.y.end());
  zcmoe_fit_options options = fit_options();
  options.target_dtype = dtype_of<T>();
  fit device_fit(cuda, edges, segments_of_their_own(), options);
  const engine_array<double> x(ZCMOE_ENGINE_CUDA, data.x);
  const engine_array<T> y(ZCMOE_ENGINE_CUDA, targets);
  const std::size_t bytes = device_fit.workspace(data.size());
  const engine_array<unsigned char> workspace(ZCMOE_ENGINE_CUDA, std::vector<unsigned char>(bytes));
  const test_stream stream;
  captured_graph graph(stream);
  device_fit.add(array(x.data()), array(y.data()), no_array(), data.size(), workspace.data(), bytes,
                 stream);
  graph.instantiate();
  for (int k = 0; k < 2; ++k) graph.replay();
  fit cpu_fit(context(ZCMOE_ENGINE_CPU), edges, segments_of_their_own(), options);
  for (int k = 0; k < 2; ++k) cpu_fit.add_sync(data.x, targets);
  EXPECT_TRUE(same_bits(device_fit.serialize(stream), cpu_fit.serialize()))
      << num_segments << " segments, targets of " << sizeof(T) << " bytes";
}

TEST_F(device_test, every_sort_is_captured_and_replayed) {
  // CUB promises nothing about capture, so each of the six sorts is captured: keys of 1, 2 and 4
  // bytes, payloads of 4 and 8 bytes. Float targets of few segments are added up without a sort;
  // the test below, whose weighted rows have payloads of 4 bytes, captures those sorts with keys of
  // 1 and 2 bytes.
  const samples data(2000);
  for (const std::int64_t num_segments : {200, 300, 65537}) {
    capture_sort<float>(cuda(), data, num_segments);
    capture_sort<double>(cuda(), data, num_segments);
  }
}

TEST_F(device_test, fit_add_is_captured_and_replayed) {
  // 250,000 rows in a workspace for 65,536 make several chunks. With weights, the sort moves row
  // numbers, through which rows are fetched.
  for (const std::int64_t num_segments : {1, 200, 300}) {
    const std::vector<double> edges = uniform_edges(0, 1, num_segments);
    const samples data(250000);
    const auto x = on_device(data.x);
    const auto y = on_device(data.y);
    const auto w = on_device(data.w);
    fit device_fit(cuda(), edges, segments_of_their_own(), weighted_fit());
    const std::size_t bytes = device_fit.workspace(65536);
    ASSERT_LT(bytes, device_fit.workspace(data.size()));
    const auto workspace = on_device(std::vector<unsigned char>(bytes));
    const test_stream stream;
    captured_graph graph(stream);
    device_fit.add(array(x.data()), array(y.data()), array(w.data()), data.size(), workspace.data(),
                   bytes, stream);
    graph.instantiate();
    for (int k = 0; k < 3; ++k) graph.replay();
    EXPECT_EQ(device_fit.serialize(stream), cpu_bytes(edges, data, 3))
        << num_segments << " segments";
    EXPECT_EQ(device_fit.report(stream).rows, 3 * data.size());
  }
}

/// The rows are so many that a block looks at its window more than once (with many segments there
/// are few blocks). The targets fit no window for long, so that the window moves and the table of
/// targets outside fills.
TEST_F(device_test, a_fit_without_a_sort_takes_targets_of_any_scale_in_any_order) {
  const bool quick = std::getenv("ZCMOE_QUICK_TESTS") != nullptr;
  const std::int64_t n = quick ? 400000 : 600000;
  for (const std::int64_t num_segments : {4000, 900}) {
    if (quick && num_segments != 4000) continue;
    const std::vector<double> edges = uniform_edges(0, 1, num_segments);
    std::mt19937_64 random(3);
    std::uniform_real_distribution<float> unit(0, 1);
    std::vector<float> sorted_x, x, drifting, wide, alternating, largest;
    for (std::int64_t i = 0; i < n; ++i) {
      const float place = (static_cast<float>(i) + unit(random)) / static_cast<float>(n);
      const float sign = random() % 2 == 0 ? 1.0f : -1.0f;
      sorted_x.push_back(place);
      x.push_back(unit(random));
      drifting.push_back(sign * std::exp2(250 * place - 130) * (1 + unit(random)));
      wide.push_back(sign * std::exp2(270 * unit(random) - 145));
      alternating.push_back(sign * (i % 2 == 0 ? 1 + unit(random) : 1e-30f));
      largest.push_back(i % 3 == 0 ? sign : -3.4e38f);
    }
    zcmoe_fit_options how = fit_options();
    how.target_dtype = ZCMOE_F32;
    const context host(ZCMOE_ENGINE_CPU);
    for (const auto* inputs : {&sorted_x, &x}) {
      for (const auto* targets : {&drifting, &wide, &alternating, &largest}) {
        fit device_fit(cuda(), edges, model_options(), how);
        fit host_fit(host, edges, model_options(), how);
        const auto device_x = on_device(*inputs);
        const auto device_y = on_device(*targets);
        device_fit.add(array(device_x.data()), array(device_y.data()), no_array(), n, nullptr, 0,
                       nullptr);
        host_fit.add_sync(*inputs, *targets);
        EXPECT_EQ(device_fit.serialize(), host_fit.serialize())
            << num_segments << " segments, " << (inputs == &x ? "random" : "sorted") << ", "
            << (targets == &drifting  ? "drifting"
                : targets == &wide    ? "wide"
                : targets == &largest ? "largest"
                                      : "alternating");
      }
    }
  }
}

TEST_F(device_test, a_fit_without_a_sort_is_captured_and_replayed) {
  const samples data(70000);
  const std::vector<double> edges = uniform_edges(0, 1, 200);
  const std::vector<float> narrow_y(data.y.begin(), data.y.end());
  zcmoe_fit_options how = fit_options();
  how.target_dtype = ZCMOE_F32;
  const context host(ZCMOE_ENGINE_CPU);
  fit host_fit(host, edges, segments_of_their_own(), how);
  for (int k = 0; k < 3; ++k) host_fit.add_sync(data.x, narrow_y);
  const auto x = on_device(data.x);
  const auto y = on_device(narrow_y);
  fit device_fit(cuda(), edges, segments_of_their_own(), how);
  ASSERT_EQ(device_fit.workspace(data.size()), 0u);
  const test_stream stream;
  captured_graph graph(stream);
  device_fit.add(array(x.data()), array(y.data()), no_array(), data.size(), nullptr, 0, stream);
  graph.instantiate();
  for (int k = 0; k < 3; ++k) graph.replay();
  EXPECT_EQ(device_fit.serialize(stream), host_fit.serialize());
}

TEST_F(device_test, group_is_captured_and_replayed) {
  const samples data(70000);
  fit device_fit(cuda(), uniform_edges(0, 1, 300), segments_of_their_own());
  const model grouped = device_fit.finish();
  const auto x = on_device(data.x);
  const auto rows = on_device(std::vector<std::int64_t>(data.x.size()));
  zcmoe_group_outputs outputs = group_outputs();
  outputs.rows = output(rows.data());
  const std::size_t bytes = grouped.group_workspace(65536);  // two chunks
  const auto workspace = on_device(std::vector<unsigned char>(bytes));
  const test_stream stream;
  captured_graph graph(stream);
  grouped.group(array(x.data()), data.size(), outputs, workspace.data(), bytes, stream);
  graph.instantiate();
  graph.replay();
  const samples other(70000, 2);  // uploaded over x: a replay reads what is there when it runs
  stream.wait();
  EXPECT_EQ(rows.host(), grouped.group_sync(data.x).rows);
  engine_upload(ZCMOE_ENGINE_CUDA, x.data(), other.x.data(), other.x.size() * sizeof(double));
  graph.replay();
  stream.wait();
  EXPECT_EQ(rows.host(), grouped.group_sync(other.x).rows);
}

// ------------------------------------------------------ device, allocators

TEST_F(device_test, every_device_works_and_the_current_one_stays) {
  int num_devices = 0;
  cuda_check(cudaGetDeviceCount(&num_devices));
  const samples data(1000);
  const std::vector<double> edges = uniform_edges(0, 1, 10);
  const auto expected = cpu_bytes(edges, data, 1);
  for (int current = 0; current < num_devices; ++current) {
    for (int device = 0; device < num_devices; ++device) {
      cuda_check(cudaSetDevice(current));
      const auto expect_unchanged = [&] {
        int now = -1;
        cuda_check(cudaGetDevice(&now));
        EXPECT_EQ(now, current) << "context on device " << device;
      };
      {
        zcmoe_context_options options = context_options();
        options.engine = ZCMOE_ENGINE_CUDA;
        options.device = device;
        const context there(options);
        expect_unchanged();
        EXPECT_EQ(there.info().device, device);
        fit device_fit(there, edges, segments_of_their_own(), weighted_fit());
        expect_unchanged();
        device_fit.add_sync(data.x, data.y, data.w);
        expect_unchanged();
        EXPECT_EQ(device_fit.serialize(), expected);
        expect_unchanged();
        const model fitted = device_fit.finish();
        expect_unchanged();
        EXPECT_EQ(fitted.predict_sync(data.x).size(), data.x.size());
        expect_unchanged();
      }
      expect_unchanged();
    }
  }
  for (int device = num_devices - 1; device >= 0; --device) {
    cuda_check(cudaSetDevice(device));
    cuda_check(cudaDeviceSynchronize());
  }
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CUDA;
  options.device = num_devices;
  std::string text;
  EXPECT_EQ(status_of([&] { const context none(options); }, &text), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("device=" + std::to_string(num_devices)));
}

/// A caller's allocator that records what is alive and on which streams memory was requested. After
/// `budget` requests it fails; it never does if budget is -1.
struct ledger {
  std::map<void*, std::size_t> alive;
  std::map<zcmoe_stream, int> requests;
  long budget = -1;

  static void* alloc(void* user, std::size_t bytes, std::size_t align, zcmoe_stream stream) {
    auto& self = *static_cast<ledger*>(user);
    EXPECT_GT(bytes, 0u);
    EXPECT_LE(align, 256u);
    if (self.budget == 0) return nullptr;
    if (self.budget > 0) --self.budget;
    void* pointer = nullptr;
    if (cudaMallocAsync(&pointer, bytes, stream) != cudaSuccess) return nullptr;
    self.alive[pointer] = bytes;
    ++self.requests[stream];
    return pointer;
  }
  static void free(void* user, void* pointer, std::size_t bytes, std::size_t, zcmoe_stream stream) {
    auto& self = *static_cast<ledger*>(user);
    EXPECT_EQ(self.alive.count(pointer), 1u);
    EXPECT_EQ(self.alive[pointer], bytes);
    self.alive.erase(pointer);
    EXPECT_EQ(cudaFreeAsync(pointer, stream), cudaSuccess);
  }
  zcmoe_context_options options() {
    zcmoe_context_options result = context_options();
    result.engine = ZCMOE_ENGINE_CUDA;
    result.alloc = &ledger::alloc;
    result.free = &ledger::free;
    result.user = this;
    return result;
  }
};

TEST_F(device_test, the_callers_allocator_is_asked_on_the_callers_stream) {
  ledger memory;
  {
    const test_stream stream;
    const context own(memory.options());
    EXPECT_TRUE(memory.requests.empty()) << "a context takes no memory up front";
    const samples data(3000);
    fit device_fit(own, uniform_edges(0, 1, 8));
    memory.requests.clear();
    const std::size_t with_fit = memory.alive.size();
    device_fit.add_sync(array(data.x.data()), array(data.y.data()), no_array(), data.size(),
                        stream);
    EXPECT_EQ(memory.requests.size(), 1u);
    EXPECT_GT(memory.requests[stream], 0);
    const auto x = on_device(data.x);
    const auto y = on_device(data.y);
    memory.requests.clear();
    device_fit.add(array(x.data()), array(y.data()), no_array(), data.size(), nullptr, 0, stream);
    EXPECT_EQ(memory.requests.size(), 1u);
    EXPECT_GT(memory.requests[stream], 0);
    EXPECT_EQ(memory.alive.size(), with_fit);

    const std::size_t bytes = device_fit.workspace(data.size());
    const auto workspace = on_device(std::vector<unsigned char>(bytes));
    memory.requests.clear();
    device_fit.add(array(x.data()), array(y.data()), no_array(), data.size(), workspace.data(),
                   bytes, stream);
    EXPECT_TRUE(memory.requests.empty()) << "with a workspace nothing is allocated";
    const model fitted = device_fit.finish(stream);
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(y.data());
    memory.requests.clear();
    fitted.predict(array(x.data()), data.size(), outputs, stream);
    EXPECT_TRUE(memory.requests.empty()) << "predict allocates nothing";
    stream.wait();
  }
  EXPECT_TRUE(memory.alive.empty());
}

TEST_F(device_test, failing_allocations_leave_the_fit_as_it_was) {
  ledger memory;
  {
    const context own(memory.options());
    const std::vector<double> edges = uniform_edges(0, 1, 8);
    const samples data(3000);
    const auto x = on_device(data.x);
    const auto y = on_device(data.y);
    const auto w = on_device(data.w);
    std::unique_ptr<fit> device_fit;
    std::vector<unsigned char> before;
    std::unique_ptr<model> fitted;
    std::vector<double> answers(data.x.size());
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(answers.data());
    const std::function<void()> steps[] = {
        [&] {
          device_fit = std::make_unique<fit>(own, edges, segments_of_their_own(), weighted_fit());
        },
        [&] {
          device_fit->add(array(x.data()), array(y.data()), array(w.data()), data.size(), nullptr,
                          0, nullptr);
        },
        [&] { device_fit->add_sync(data.x, data.y, data.w); },
        [&] { fitted = std::make_unique<model>(device_fit->finish()); },
        [&] { fitted->predict_sync(array(data.x.data()), data.size(), outputs); }};
    for (const auto& step : steps) {
      if (device_fit) before = device_fit->serialize();
      const std::size_t alive = memory.alive.size();
      int failures = 0;
      for (;; ++failures) {
        memory.budget = failures;
        const zcmoe_status status = status_of(step);
        memory.budget = -1;
        if (status == ZCMOE_OK) break;
        ASSERT_EQ(status, ZCMOE_ERR_OUT_OF_MEMORY);
        EXPECT_EQ(memory.alive.size(), alive);
        if (!before.empty()) EXPECT_EQ(device_fit->serialize(), before);
        ASSERT_LT(failures, 100);
      }
      EXPECT_GT(failures, 0) << "every step allocates";
    }
    EXPECT_EQ(device_fit->serialize(), cpu_bytes(edges, data, 2));
  }
  EXPECT_TRUE(memory.alive.empty());
}

TEST_F(device_test, the_default_pool_is_left_alone) {
  int device = 0;
  cuda_check(cudaGetDevice(&device));
  cudaMemPool_t pool = nullptr;
  cuda_check(cudaDeviceGetDefaultMemPool(&pool, device));
  const auto used = [&] {
    std::uint64_t bytes = 0;
    cuda_check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &bytes));
    return bytes;
  };
  const std::uint64_t before = used();
  const samples data(3000);
  fit device_fit(cuda(), uniform_edges(0, 1, 8));
  EXPECT_EQ(used(), before);
  device_fit.add_sync(data.x, data.y);
  const model fitted = device_fit.finish();
  EXPECT_EQ(used(), before);
}

// ------------------------------------------------------------------ errors

/// A kernel that reads an invalid address makes CUDA unusable for the whole process, so the test
/// runs in a process of its own.
TEST_F(device_test, a_failing_kernel_is_a_status_with_a_text) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const context own(ZCMOE_ENGINE_CUDA);
        fit device_fit(own, {0, 1, 2});
        const auto* nowhere = reinterpret_cast<const double*>(std::uintptr_t{256});
        std::string text;
        const zcmoe_status status = status_of(
            [&] {
              device_fit.add(array(nowhere), array(nowhere), no_array(), 1000, nullptr, 0, nullptr);
              device_fit.report();
            },
            &text);
        std::fprintf(stderr, "%s: %s\n", zcmoe_status_string(status), text.c_str());
        std::_Exit(0);
      },
      [](int) { return true; }, "ZCMOE_ERR_DEVICE: .*cudaErrorIllegalAddress");
}

}  // namespace
}  // namespace zcmoe::test
