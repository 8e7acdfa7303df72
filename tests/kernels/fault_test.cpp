// Tests in which calls of the CUDA runtime fail or are recorded, by other pointers in the table
// that all of them go through (kernels/cuda_calls.hpp). Each function of the C interface that
// reaches the device is called again and again, and the k-th call of the runtime fails, for every
// k: the status is right, the bytes of a fit stay as they were, nothing leaks, and a retry gives
// the bytes of the CPU engine. Other tests hold which calls the hot paths make, on which stream,
// how many bytes are copied back, and what a child sees after fork().
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include "kernels/cuda_calls.hpp"

#include <zcmoe/points.hpp>

#include <cuda_runtime_api.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <set>

namespace zcmoe::test {
namespace {

using detail::cuda_calls;

/// One call of the runtime.
struct recorded_call {
  std::string name;
  cudaStream_t stream;
  std::size_t bytes;  // that a copy to the host has; else 0
};

/// What the replaced table has recorded, and which call it is to fail.
struct recorder {
  cuda_calls real = detail::cuda_runtime();
  std::vector<recorded_call> calls;
  std::map<std::string, long> alive;  // how many there are of what a call makes, by the call's name
  long budget = -1;                   // calls before the one that fails; -1 if none is to fail
  std::string struck;                 // name of the call that failed

  /// Whether this call, which can fail, is the one to fail.
  bool fails(const std::string& name) {
    if (budget < 0) return false;
    if (budget-- > 0) return false;
    struck = name;
    return true;
  }
};
recorder* recording = nullptr;

/// Functions to put into the table, for one signature of a call.
template <class Signature>
struct counted;
template <class... Arguments>
struct counted<cudaError_t (*)(Arguments...)> {
  /// Records the call, then does what the runtime does or, if it is this call's turn, fails with
  /// `error`. With cudaSuccess as `error` the call never fails.
  template <cudaError_t (*cuda_calls::*call)(Arguments...), cudaError_t error>
  static cudaError_t run(Arguments... arguments) {
    recorder& own = *recording;
    const std::string name = names().at(id<call>());
    recorded_call entry{name, nullptr, 0};
    note(entry, arguments...);
    own.calls.push_back(entry);
    if (error != cudaSuccess && own.fails(name)) return error;
    const cudaError_t result = (own.real.*call)(arguments...);
    static const std::map<std::string, std::string> undo{{"free_async", "malloc_async"},
                                                         {"free_host", "malloc_host"},
                                                         {"event_destroy", "event_create"},
                                                         {"pool_destroy", "pool_create"}};
    if (result == cudaSuccess) {
      ++own.alive[name];
      if (undo.count(name) != 0) --own.alive[undo.at(name)];
    }
    return result;
  }
  /// An address that stands for the member `call`.
  template <cudaError_t (*cuda_calls::*call)(Arguments...)>
  static const void* id() {
    static const char here = 0;
    return &here;
  }
  static std::map<const void*, std::string>& names() {
    static std::map<const void*, std::string> all;
    return all;
  }

 private:
  /// Finds the stream, and the bytes of a copy to the host, among the arguments of a call.
  static void note(recorded_call&) {}
  template <class First, class... Rest>
  static void note(recorded_call& entry, First first, Rest... rest) {
    if constexpr (std::is_same_v<First, cudaStream_t>) entry.stream = first;
    if constexpr (sizeof...(Rest) == 2 && std::is_same_v<First, std::size_t>) {
      note_copy(entry, first, rest...);
    }
    note(entry, rest...);
  }
  template <class Kind>
  static void note_copy(recorded_call& entry, std::size_t bytes, Kind kind, cudaStream_t) {
    if constexpr (std::is_same_v<Kind, cudaMemcpyKind>) {
      if (kind == cudaMemcpyDeviceToHost) entry.bytes = bytes;
    }
  }
};

/// Replaces the table's pointers for as long as it lives.
class recorded_runtime : public recorder {
 public:
  recorded_runtime() {
    recording = this;
    cuda_calls& use = detail::cuda();
#define ZCMOE_COUNT(call, error)                                              \
  counted<decltype(cuda_calls::call)>::names()                                \
      [counted<decltype(cuda_calls::call)>::id<&cuda_calls::call>()] = #call; \
  use.call = &counted<decltype(cuda_calls::call)>::run<&cuda_calls::call, error>
    ZCMOE_COUNT(get_device_count, cudaErrorUnknown);
    ZCMOE_COUNT(get_device, cudaSuccess);
    ZCMOE_COUNT(set_device, cudaSuccess);
    ZCMOE_COUNT(get_device_properties, cudaErrorUnknown);
    ZCMOE_COUNT(device_get_attribute, cudaErrorUnknown);
    ZCMOE_COUNT(func_set_attribute, cudaErrorUnknown);
    ZCMOE_COUNT(pool_create, cudaErrorUnknown);
    ZCMOE_COUNT(pool_set_attribute, cudaErrorUnknown);
    ZCMOE_COUNT(pool_destroy, cudaSuccess);
    ZCMOE_COUNT(malloc_async, cudaErrorMemoryAllocation);
    ZCMOE_COUNT(free_async, cudaSuccess);
    ZCMOE_COUNT(malloc_host, cudaErrorMemoryAllocation);
    ZCMOE_COUNT(free_host, cudaSuccess);
    ZCMOE_COUNT(memcpy_async, cudaErrorInvalidValue);
    ZCMOE_COUNT(pointer_get_attributes, cudaErrorUnknown);
    ZCMOE_COUNT(memset_async, cudaErrorInvalidValue);
    ZCMOE_COUNT(launch_kernel, cudaErrorLaunchOutOfResources);
    ZCMOE_COUNT(begin_sort, cudaErrorLaunchOutOfResources);
    ZCMOE_COUNT(event_create, cudaErrorUnknown);
    ZCMOE_COUNT(event_destroy, cudaSuccess);
    ZCMOE_COUNT(event_record, cudaErrorInvalidResourceHandle);
    ZCMOE_COUNT(event_synchronize, cudaErrorUnknown);
    ZCMOE_COUNT(stream_synchronize, cudaSuccess);
#undef ZCMOE_COUNT
  }
  ~recorded_runtime() {
    detail::cuda() = real;
    recording = nullptr;
  }
  recorded_runtime(const recorded_runtime&) = delete;
  recorded_runtime& operator=(const recorded_runtime&) = delete;

  /// How many allocations of either kind, events and pools there are.
  std::map<std::string, long> live() const {
    std::map<std::string, long> result;
    for (const char* maker : {"malloc_async", "malloc_host", "event_create", "pool_create"}) {
      const auto at = alive.find(maker);
      result[maker] = at == alive.end() ? 0 : at->second;
    }
    return result;
  }
  /// The calls that a step makes.
  template <class Step>
  std::vector<recorded_call> calls_of(const Step& step) {
    calls.clear();
    step();
    return calls;
  }
};

class fault_test : public testing::Test {
 protected:
  void SetUp() override {
    if (!try_context(ZCMOE_ENGINE_CUDA)) GTEST_SKIP() << "no cuda device";
  }
  void TearDown() override { cudaDeviceSynchronize(); }
};

/// Rows of random numbers with NaN inputs and infinite targets among them.
struct rows {
  std::vector<float> x;
  std::vector<float> y;
  std::vector<float> w;

  explicit rows(std::int64_t n) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> spread(-0.2f, 1.2f);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < n; ++i) {
      x.push_back(i % 50 == 0 ? std::numeric_limits<float>::quiet_NaN() : spread(random));
      y.push_back(i % 70 == 0 ? std::numeric_limits<float>::infinity() : normal(random));
      w.push_back(std::abs(normal(random)));
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(x.size()); }
};

/// Runs `step` again and again, with its k-th call failing for k = 0, 1, ..., until no call is left
/// to fail. Returns how many failed. unchanged(k) checks what must be as before.
template <class Step, class Unchanged>
int fail_each(recorded_runtime& runtime, const Step& step, const Unchanged& unchanged) {
  for (int k = 0;; ++k) {
    const auto before = runtime.live();
    runtime.struck.clear();
    runtime.budget = k;
    const zcmoe_status status = step();
    runtime.budget = -1;
    if (runtime.struck.empty()) {
      EXPECT_EQ(status, ZCMOE_OK) << zcmoe_last_error();
      return k;
    }
    const bool allocates = runtime.struck == "malloc_async" || runtime.struck == "malloc_host";
    EXPECT_EQ(status, allocates ? ZCMOE_ERR_OUT_OF_MEMORY : ZCMOE_ERR_DEVICE)
        << runtime.struck << ", call " << k << ": " << zcmoe_last_error();
    EXPECT_EQ(runtime.live(), before) << runtime.struck << ", call " << k;
    if (runtime.struck == "launch_kernel") {
      EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr(", from a kernel's launch at "));
      EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr(".cu:"));
    }
    unchanged(k);
    if (testing::Test::HasFailure() || k > 1000) {
      ADD_FAILURE() << "at " << runtime.struck << ", call " << k;
      return k;
    }
  }
}

struct fit_kind {
  const char* name;
  zcmoe_dtype target_dtype;
  bool weighted;
  std::int64_t num_segments;
};

TEST_F(fault_test, every_failing_call_of_a_fit_leaves_it_as_it_was) {
  const rows data(3000);
  const rows many(200000);
  const auto on_device = [](const std::vector<float>& values) {
    return engine_array<float>(ZCMOE_ENGINE_CUDA, values);
  };
  for (const fit_kind& kind : {fit_kind{"without a sort", ZCMOE_F32, false, 100},
                               fit_kind{"with a sort", ZCMOE_F64, false, 300},
                               fit_kind{"weighted", ZCMOE_F32, true, 100}}) {
    SCOPED_TRACE(kind.name);
    const std::vector<double> edges = uniform_edges(0, 1, kind.num_segments);
    zcmoe_fit_options how = fit_options();
    how.target_dtype = kind.target_dtype;
    how.weighted = kind.weighted ? 1 : 0;
    const context cpu(ZCMOE_ENGINE_CPU);
    fit expected(cpu, edges, model_options(), how);
    const auto weights_of = [&](const float* w) { return kind.weighted ? array(w) : no_array(); };
    const auto expect_more = [&](const rows& more) {
      expected.add_sync(array(more.x.data()), array(more.y.data()), weights_of(more.w.data()),
                        more.size(), nullptr);
    };
    const auto x = on_device(data.x), y = on_device(data.y), w = on_device(data.w);
    const auto many_x = on_device(many.x), many_y = on_device(many.y), many_w = on_device(many.w);

    recorded_runtime runtime;
    {
      zcmoe_context_options options = context_options();
      options.engine = ZCMOE_ENGINE_CUDA;
      zcmoe_context* own = nullptr;
      EXPECT_GT(fail_each(
                    runtime, [&] { return zcmoe_context_create(&options, &own); }, [](int) {}),
                3);
      zcmoe_fit* state = nullptr;
      const auto create = [&] {
        return zcmoe_fit_create(own, edges.data(), kind.num_segments, nullptr, &how, &state);
      };
      fail_each(runtime, create, [](int) {});
      const auto bytes_of = [](const zcmoe_fit* of) {
        std::size_t size = 0;
        check(zcmoe_fit_serialize(of, nullptr, 0, &size, nullptr));
        std::vector<unsigned char> bytes(size);
        check(zcmoe_fit_serialize(of, bytes.data(), size, &size, nullptr));
        return bytes;
      };
      const auto step = [&](const char* name, const std::function<zcmoe_status()>& call) {
        SCOPED_TRACE(name);
        const auto before = bytes_of(state);
        const int failures =
            fail_each(runtime, call, [&](int) { EXPECT_EQ(bytes_of(state), before); });
        EXPECT_GT(failures, 0);
        EXPECT_EQ(bytes_of(state), expected.serialize());
      };
      expect_more(data);
      step("add", [&] {
        return zcmoe_fit_add(state, array(x.data()), array(y.data()), weights_of(w.data()),
                             data.size(), nullptr, 0, nullptr);
      });
      std::size_t least = 0;
      check(zcmoe_fit_workspace(state, 65536, &least));
      const engine_array<unsigned char> workspace(ZCMOE_ENGINE_CUDA,
                                                  std::vector<unsigned char>(least));
      expect_more(many);
      step("add in chunks", [&] {
        return zcmoe_fit_add(state, array(many_x.data()), array(many_y.data()),
                             weights_of(many_w.data()), many.size(), workspace.data(), least,
                             nullptr);
      });
      expect_more(data);
      step("add_sync", [&] {
        return zcmoe_fit_add_sync(state, array(data.x.data()), array(data.y.data()),
                                  weights_of(data.w.data()), data.size(), nullptr);
      });
      zcmoe_fit* other = nullptr;
      check(zcmoe_fit_create(own, edges.data(), kind.num_segments, nullptr, &how, &other));
      check(zcmoe_fit_add_sync(other, array(many.x.data()), array(many.y.data()),
                               weights_of(many.w.data()), many.size(), nullptr));
      expect_more(many);
      step("merge", [&] { return zcmoe_fit_merge(state, other, nullptr); });
      zcmoe_fit_destroy(other);
      std::size_t size = 0;
      std::vector<unsigned char> bytes(bytes_of(state).size());
      step("serialize",
           [&] { return zcmoe_fit_serialize(state, bytes.data(), bytes.size(), &size, nullptr); });
      zcmoe_fit* copy = nullptr;
      step("deserialize",
           [&] { return zcmoe_fit_deserialize(own, bytes.data(), bytes.size(), &copy); });
      EXPECT_EQ(bytes_of(copy), bytes);
      zcmoe_fit_destroy(copy);
      zcmoe_report report = {};
      step("get_report", [&] { return zcmoe_fit_get_report(state, &report, nullptr); });
      zcmoe_model* fitted = nullptr;
      step("finish", [&] { return zcmoe_fit_finish(state, &fitted, nullptr); });
      zcmoe_model_destroy(fitted);
      zcmoe_fit_destroy(state);
      zcmoe_context_destroy(own);
    }
    cudaDeviceSynchronize();
    for (const auto& [what, count] : runtime.live()) EXPECT_EQ(count, 0) << what;
  }
}

TEST_F(fault_test, an_add_of_more_host_rows_than_are_staged_is_added_as_a_whole) {
  const rows data((std::int64_t{1} << 20) + 1000);
  const std::vector<double> edges = uniform_edges(0, 1, 8);
  zcmoe_fit_options how = fit_options();
  how.target_dtype = ZCMOE_F32;
  how.nan_inputs = ZCMOE_ROWS_ERROR;
  const context cpu(ZCMOE_ENGINE_CPU);
  recorded_runtime runtime;
  const context cuda(ZCMOE_ENGINE_CUDA);
  fit state(cuda, edges, model_options(), how);
  state.add_sync(std::vector<float>{0.5f, 0.25f}, std::vector<float>{1, 2});
  const auto before = state.serialize();
  const auto step = [&] {
    return zcmoe_fit_add_sync(state.get(), array(data.x.data()), array(data.y.data()), no_array(),
                              data.size(), nullptr);
  };
  EXPECT_GT(fail_each(runtime, step, [&](int) { EXPECT_EQ(state.serialize(), before); }), 10);
  const zcmoe_report report = state.report();
  EXPECT_EQ(report.rows, data.size() + 2);
  EXPECT_EQ(report.first_bad_row, 2) << "row 0 of the second add has a NaN input";
}

TEST_F(fault_test, every_failing_call_of_a_model_of_several_inputs) {
  const rows data(3000);
  const engine_array<float> x(ZCMOE_ENGINE_CUDA, data.x);
  const engine_array<float> values(ZCMOE_ENGINE_CUDA, std::vector<float>(data.x.size()));
  recorded_runtime runtime;
  // One has tables that blocks stage, the other a tree.
  for (const points_file& file : {sample_grid(), sample_tables()}) {
    const context cuda(ZCMOE_ENGINE_CUDA);
    const auto run = [&](const char* name, const std::function<zcmoe_status()>& call) {
      SCOPED_TRACE(name);
      EXPECT_GT(fail_each(runtime, call, [](int) {}), 0);
    };
    const std::string bytes = written(parts_of(file));
    zcmoe_model* made = nullptr;
    run("deserialize",
        [&] { return zcmoe_model_deserialize(cuda.get(), bytes.data(), bytes.size(), &made); });
    points there, here;
    for (int j = 0; j < file.tables.num_inputs; ++j) {
      there.add(array(x.data()), data.size());
      here.add(array(data.x.data()), data.size());
    }
    zcmoe_points rows_of = there.view();
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(values.data());
    const auto predict = [&] {
      return zcmoe_predict_points(made, &rows_of, data.size(), &outputs, nullptr);
    };
    run("predict_points", predict);
    // One launch, and nothing else that could wait or allocate.
    std::vector<std::string> names;
    for (const recorded_call& call : runtime.calls_of([&] { EXPECT_EQ(predict(), ZCMOE_OK); })) {
      if (call.name != "get_device") names.push_back(call.name);
    }
    EXPECT_EQ(names, std::vector<std::string>{"launch_kernel"});
    std::vector<float> answers(data.x.size());
    rows_of = here.view();
    outputs.values = output(answers.data());
    run("predict_points_sync",
        [&] { return zcmoe_predict_points_sync(made, &rows_of, data.size(), &outputs, nullptr); });
    EXPECT_EQ(std::memcmp(answers.data(), values.host().data(), answers.size() * sizeof(float)), 0);
    zcmoe_model_destroy(made);
  }
  cudaDeviceSynchronize();
  for (const auto& [what, count] : runtime.live()) EXPECT_EQ(count, 0) << what;
}

/// Of rows that are too few to judge on: passes over rows are then made once.
TEST_F(fault_test, every_failing_call_of_learning) {
  const rows data(15);
  const std::vector<float> target(data.w.begin(), data.w.end());
  const engine_array<float> own_input(ZCMOE_ENGINE_CUDA, data.w);
  const engine_array<float> own_target(ZCMOE_ENGINE_CUDA, target);
  zcmoe_learn_options how = learn_options();
  how.partition = ZCMOE_PARTITION_TABLES;
  how.axis_segments = 4;
  how.nan_policy = ZCMOE_NAN_SEGMENT;
  points here, there;
  there.add(array(own_input.data()), data.size()).add(data.x);
  here.add(data.w).add(data.x);
  const auto expected = learn(context(ZCMOE_ENGINE_CPU), here, target, how).table.serialize();
  recorded_runtime runtime;
  {
    const context cuda(ZCMOE_ENGINE_CUDA);
    const zcmoe_points given = there.view();
    zcmoe_model* made = nullptr;
    const auto step = [&] {
      return zcmoe_learn_sync(cuda.get(), &given, array(own_target.data()), no_array(), data.size(),
                              &how, nullptr, &made);
    };
    EXPECT_GT(fail_each(runtime, step, [&](int) { EXPECT_EQ(made, nullptr); }), 50);
    EXPECT_EQ(model(made).serialize(), expected);
  }
  cudaDeviceSynchronize();
  for (const auto& [what, count] : runtime.live()) EXPECT_EQ(count, 0) << what;
}

TEST_F(fault_test, every_failing_call_of_a_model) {
  const rows data(3000);
  const std::vector<double> edges = uniform_edges(0, 1, 100);
  std::vector<double> constants;
  for (int i = 0; i < 100; ++i) constants.push_back(i + 0.5);
  const engine_array<float> x(ZCMOE_ENGINE_CUDA, data.x);
  const engine_array<float> values(ZCMOE_ENGINE_CUDA, std::vector<float>(data.x.size()));
  const engine_array<std::int64_t> places(ZCMOE_ENGINE_CUDA,
                                          std::vector<std::int64_t>(data.x.size()));
  recorded_runtime runtime;
  {
    const context cuda(ZCMOE_ENGINE_CUDA);
    const auto run = [&](const char* name, const std::function<zcmoe_status()>& call) {
      SCOPED_TRACE(name);
      EXPECT_GT(fail_each(runtime, call, [](int) {}), 0);
    };
    zcmoe_model* made = nullptr;
    run("model_create", [&] {
      return zcmoe_model_create(cuda.get(), edges.data(), constants.data(), 100, nullptr, &made);
    });
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(values.data());
    run("predict",
        [&] { return zcmoe_predict(made, array(x.data()), data.size(), &outputs, nullptr); });
    std::vector<float> answers(data.x.size());
    outputs.values = output(answers.data());
    run("predict_sync", [&] {
      return zcmoe_predict_sync(made, array(data.x.data()), data.size(), &outputs, nullptr);
    });
    EXPECT_EQ(std::memcmp(answers.data(), values.host().data(), answers.size() * sizeof(float)), 0);
    zcmoe_group_outputs groups = group_outputs();
    groups.rows = output(places.data());
    run("group", [&] {
      return zcmoe_group(made, array(x.data()), data.size(), &groups, nullptr, 0, nullptr);
    });
    std::vector<std::int64_t> host_places(data.x.size());
    groups.rows = output(host_places.data());
    run("group_sync", [&] {
      return zcmoe_group_sync(made, array(data.x.data()), data.size(), &groups, nullptr);
    });
    EXPECT_EQ(places.host(), host_places);
    const std::string path = testing::TempDir() + "/zcmoe-fault.safetensors";
    check(zcmoe_model_save(made, path.c_str()));
    zcmoe_model* loaded = nullptr;
    run("model_load", [&] { return zcmoe_model_load(cuda.get(), path.c_str(), &loaded); });
    std::remove(path.c_str());
    zcmoe_model_destroy(loaded);
    zcmoe_model_destroy(made);
  }
  cudaDeviceSynchronize();
  for (const auto& [what, count] : runtime.live()) EXPECT_EQ(count, 0) << what;
}

/// If a wait fails, the device has failed, and the rows given before it may have been added or not.
TEST_F(fault_test, a_failing_wait_is_a_status_and_the_fit_stays_readable) {
  const rows data(3000);
  recorded_runtime runtime;
  const context cuda(ZCMOE_ENGINE_CUDA);
  fit state(cuda, uniform_edges(0, 1, 8));
  const auto before = state.serialize();
  detail::cuda().stream_synchronize = [](cudaStream_t stream) {
    recording->real.stream_synchronize(stream);
    return cudaErrorUnknown;
  };
  const zcmoe_status status = zcmoe_fit_add_sync(
      state.get(), array(data.x.data()), array(data.y.data()), no_array(), data.size(), nullptr);
  detail::cuda().stream_synchronize = recording->real.stream_synchronize;
  EXPECT_EQ(status, ZCMOE_ERR_DEVICE);
  fit all(cuda, uniform_edges(0, 1, 8));
  all.add_sync(data.x, data.y);
  EXPECT_TRUE(state.serialize() == before || state.serialize() == all.serialize());
}

TEST_F(fault_test, calls_are_on_the_callers_stream_and_hot_ones_only_launch) {
  const rows data(3000);
  const engine_array<float> x(ZCMOE_ENGINE_CUDA, data.x);
  const engine_array<float> y(ZCMOE_ENGINE_CUDA, data.y);
  const engine_array<float> out(ZCMOE_ENGINE_CUDA, data.y);
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  recorded_runtime runtime;
  {
    const context cuda(ZCMOE_ENGINE_CUDA);
    const auto expect_on_stream = [&](const std::vector<recorded_call>& calls) {
      static const std::set<std::string> without_stream{
          "get_device",   "set_device",    "malloc_host",      "free_host",
          "event_create", "event_destroy", "event_synchronize"};
      for (const recorded_call& call : calls) {
        EXPECT_TRUE(call.stream == stream || without_stream.count(call.name) != 0) << call.name;
      }
    };
    const auto expect_hot = [&](const std::vector<recorded_call>& calls) {
      expect_on_stream(calls);
      int launches = 0;
      for (const recorded_call& call : calls) {
        EXPECT_TRUE(call.name == "get_device" || call.name == "launch_kernel" ||
                    call.name == "begin_sort")
            << call.name;
        launches += call.name == "launch_kernel" ? 1 : 0;
      }
      EXPECT_GT(launches, 0);
    };
    for (const zcmoe_dtype dtype : {ZCMOE_F32, ZCMOE_F64}) {
      zcmoe_fit_options how = fit_options();
      how.target_dtype = dtype;
      fit state(cuda, uniform_edges(0, 1, 100), model_options(), how);
      const std::size_t bytes = state.workspace(data.size());
      const engine_array<unsigned char> workspace(ZCMOE_ENGINE_CUDA,
                                                  std::vector<unsigned char>(bytes + 1));
      expect_hot(runtime.calls_of([&] {
        state.add(array(x.data()), array(y.data()), no_array(), data.size(), workspace.data(),
                  bytes, stream);
      }));
      expect_on_stream(runtime.calls_of([&] {
        state.add_sync(array(data.x.data()), array(data.y.data()), no_array(), data.size(), stream);
        state.add(array(x.data()), array(y.data()), no_array(), data.size(), nullptr, 0, stream);
      }));
      std::unique_ptr<model> fitted;
      fitted = std::make_unique<model>(state.finish(stream));
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(out.data());
      expect_hot(runtime.calls_of(
          [&] { fitted->predict(array(x.data()), data.size(), outputs, stream); }));
      std::vector<float> answers(data.x.size());
      std::vector<std::int32_t> segments(data.x.size());
      outputs.values = output(answers.data());
      outputs.segments = output(segments.data());
      const auto calls = runtime.calls_of(
          [&] { fitted->predict_sync(array(data.x.data()), data.size(), outputs, stream); });
      expect_on_stream(calls);
      // Only the bytes of each output are copied back, not the gap behind it that alignment leaves.
      std::vector<std::size_t> copied;
      for (const recorded_call& call : calls)
        if (call.bytes != 0) copied.push_back(call.bytes);
      EXPECT_EQ(copied, (std::vector<std::size_t>{4 * data.x.size(), 4 * data.x.size()}));
      zcmoe_group_outputs groups = group_outputs();
      std::vector<std::int32_t> places(data.x.size());
      groups.rows = output(places.data());
      const auto group_calls = runtime.calls_of([&] {
        check(zcmoe_group_sync(fitted->get(), array(data.x.data()), data.size(), &groups, stream));
      });
      expect_on_stream(group_calls);
      copied.clear();
      for (const recorded_call& call : group_calls)
        if (call.bytes != 0) copied.push_back(call.bytes);
      EXPECT_EQ(copied, (std::vector<std::size_t>{4 * data.x.size()}));
    }
    cudaStreamSynchronize(stream);
  }
  cudaStreamDestroy(stream);
}

// -------------------------------------------------------------------- fork

/// Runs `steps` in a forked child and returns what it returns, which passes as the exit code.
int in_child(const std::function<int()>& steps) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // a child that hangs in CUDA is killed
    _exit(steps());
  }
  int how = 0;
  EXPECT_EQ(waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how)) << "signal " << WTERMSIG(how);
  return WEXITSTATUS(how);
}

TEST_F(fault_test, a_forked_child_is_refused_and_its_parent_goes_on) {
  const rows data(1000);
  const std::vector<double> edges = uniform_edges(0, 1, 8);
  const context cuda(ZCMOE_ENGINE_CUDA);
  auto own_context = std::make_unique<context>(ZCMOE_ENGINE_CUDA);
  auto state = std::make_unique<fit>(cuda, edges);
  state->add_sync(data.x, data.y);
  auto fitted = std::make_unique<model>(state->finish());
  const auto before = state->serialize();
  const int step = in_child([&] {
    std::vector<float> out(data.x.size());
    std::vector<std::int32_t> places(data.x.size());
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(out.data());
    zcmoe_group_outputs groups = group_outputs();
    groups.rows = output(places.data());
    const zcmoe_array x = array(data.x.data());
    const zcmoe_array y = array(data.y.data());
    const std::int64_t n = data.size();
    std::size_t size = before.size();
    std::vector<unsigned char> bytes(size);
    zcmoe_report report = {};
    zcmoe_fit* made_fit = nullptr;
    zcmoe_model* made_model = nullptr;
    const std::vector<double> constants(8, 1.0);
    const zcmoe_points columns = {sizeof columns, 1, &x};
    const std::function<zcmoe_status()> calls[] = {
        [&] {
          return zcmoe_learn_sync(cuda.get(), &columns, y, no_array(), n, nullptr, nullptr,
                                  &made_model);
        },
        [&] { return zcmoe_predict(fitted->get(), x, n, &outputs, nullptr); },
        [&] { return zcmoe_predict_sync(fitted->get(), x, n, &outputs, nullptr); },
        [&] { return zcmoe_group(fitted->get(), x, n, &groups, nullptr, 0, nullptr); },
        [&] { return zcmoe_group_sync(fitted->get(), x, n, &groups, nullptr); },
        [&] { return zcmoe_fit_add(state->get(), x, y, no_array(), n, nullptr, 0, nullptr); },
        [&] { return zcmoe_fit_add_sync(state->get(), x, y, no_array(), n, nullptr); },
        [&] { return zcmoe_fit_merge(state->get(), state->get(), nullptr); },
        [&] { return zcmoe_fit_get_report(state->get(), &report, nullptr); },
        [&] { return zcmoe_fit_finish(state->get(), &made_model, nullptr); },
        [&] { return zcmoe_fit_serialize(state->get(), bytes.data(), size, &size, nullptr); },
        [&] { return zcmoe_fit_deserialize(cuda.get(), before.data(), before.size(), &made_fit); },
        [&] { return zcmoe_fit_create(cuda.get(), edges.data(), 8, nullptr, nullptr, &made_fit); },
        [&] {
          return zcmoe_model_create(cuda.get(), edges.data(), constants.data(), 8, nullptr,
                                    &made_model);
        }};
    int number = 1;
    for (const auto& call : calls) {
      if (call() != ZCMOE_ERR_DEVICE) return number;
      if (std::strstr(zcmoe_last_error(), "forked") == nullptr) return number;
      ++number;
    }
    if (status_of([] { const context second(ZCMOE_ENGINE_CUDA); }) != ZCMOE_ERR_NO_DEVICE) {
      return number;
    }
    recorded_runtime runtime;
    fitted.reset();
    state.reset();
    own_context.reset();
    if (!runtime.calls.empty()) return number + 1;
    // The CPU engine works in the child.
    fit here(context(ZCMOE_ENGINE_CPU), edges);
    here.add_sync(data.x, data.y);
    return here.serialize() == before ? 0 : number + 2;
  });
  EXPECT_EQ(step, 0) << "the number of the call that was not refused";
  state->add_sync(data.x, data.y);
  EXPECT_EQ(state->report().rows, 2 * data.size());
}

}  // namespace
}  // namespace zcmoe::test
