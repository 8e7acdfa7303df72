// What the rules at the top of zcmoe.h say of every function: null and misaligned pointers, the
// stack that a call needs, fork; and sizes of structs.
#include "tests/api/every_call.hpp"
#include "tests/support.hpp"

#include <zcmoe/compile.hpp>
#include <zcmoe/plan.hpp>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <thread>

namespace zcmoe::test {
namespace {

TEST(contract_test, the_table_has_every_function) {
  every_call all(1);
  std::vector<std::string> names;
  for (const public_call& call : all.calls()) names.push_back(call.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(names, declared_functions(ZCMOE_INCLUDE));
}

TEST(contract_test, every_function_takes_its_arguments) {
  every_call all(2);
  for (const public_call& call : all.calls()) {
    call.prepare();
    EXPECT_EQ(call.run(), ZCMOE_OK) << call.name << ": " << zcmoe_last_error();
    call.clean();
  }
}

TEST(contract_test, nothing_but_zeros_is_refused) {
  every_call all(1);
  for (const public_call& call : all.calls()) {
    const bool never_fails = call.name.find("_destroy") != std::string::npos ||
                             call.name == "zcmoe_version" || call.name == "zcmoe_build_info" ||
                             call.name == "zcmoe_status_string" || call.name == "zcmoe_last_error";
    const zcmoe_status status = call.zeros();
    EXPECT_EQ(status, never_fails ? ZCMOE_OK : ZCMOE_ERR_INVALID_ARGUMENT) << call.name;
    if (!never_fails && call.name.find("curve_") == std::string::npos) {
      EXPECT_EQ(std::string(zcmoe_last_error()).rfind(call.name + ": ", 0), 0u) << call.name;
    }
  }
}

TEST(contract_test, a_misaligned_pointer_is_refused) {
  every_call all(1);
  std::size_t pointers = 0;
  for (const public_call& call : all.calls()) {
    SCOPED_TRACE(call.name);
    for (const zcmoe_status status : call.misaligned()) {
      EXPECT_EQ(status, ZCMOE_ERR_INVALID_ARGUMENT);
      ++pointers;
    }
  }
  EXPECT_GE(pointers, 130u);
}

// ------------------------------------------------------------------- stack

constexpr std::size_t promised_stack = std::size_t{64} << 10;

/// The bytes of stack that a thread touches for itself and for the call.
std::size_t stack_touched_by(const std::function<void()>& body) {
  constexpr std::size_t size = std::size_t{1} << 20;
  constexpr unsigned char paint = 0xa5;
  void* const stack =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(stack, MAP_FAILED);
  std::memset(stack, paint, size);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT_EQ(pthread_attr_setstack(&attributes, stack, size), 0);
  pthread_t thread;
  const auto start = [](void* given) -> void* {
    (*static_cast<const std::function<void()>*>(given))();
    return nullptr;
  };
  EXPECT_EQ(pthread_create(&thread, &attributes, start, const_cast<std::function<void()>*>(&body)),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  const auto* const bytes = static_cast<const unsigned char*>(stack);
  std::size_t untouched = 0;
  while (untouched < size && bytes[untouched] == paint) ++untouched;
  munmap(stack, size);
  return size - untouched;
}

/// The bytes of stack that the call takes. A thread's own needs, of which the storage that
/// libraries have for each thread is most, are not the call's.
std::size_t stack_used_by(const std::function<void()>& body) {
  static const std::size_t idle = stack_touched_by([] {});
  const std::size_t touched = stack_touched_by(body);
  return touched > idle ? touched - idle : 0;
}

TEST(contract_test, every_function_does_with_64_kilobytes_of_stack) {
#if ZCMOE_SANITIZED || !defined(__OPTIMIZE__)
  GTEST_SKIP() << "stacks of sanitizers and of unoptimised code are larger";
#endif
  for (const int threads : {1, 2}) {
    every_call all(threads);
    std::size_t most = 0;
    std::string of;
    for (const public_call& call : all.calls()) {
      call.prepare();
      const std::size_t used = stack_used_by([&] { call.run(); });
      call.clean();
      EXPECT_LE(used, promised_stack) << call.name;
      if (used > most) {
        most = used;
        of = call.name;
      }
    }
    std::printf("%d thread(s): at most %zu bytes of stack, %s\n", threads, most, of.c_str());
  }
}

double jumps(void*, double x) { return std::fmod(x * 1000.0, 1.0) < 0.5 ? 1.0 : 3.0; }
double spikes(void*, double x) { return 1.0 / std::sqrt(std::abs(x - 0.3) + 1e-300); }

TEST(contract_test, hard_functions_need_no_deeper_stack) {
#if ZCMOE_SANITIZED || !defined(__OPTIMIZE__)
  GTEST_SKIP() << "stacks of sanitizers and of unoptimised code are larger";
#endif
  const context cpu(ZCMOE_ENGINE_CPU);
  std::vector<double> edges(65);
  std::vector<double> constants(64);
  std::int64_t built = 0;
  const std::vector<double> whole{0, 0.25, 1};
  for (const zcmoe_function f : {jumps, spikes}) {
    zcmoe_theory_problem problem = ZCMOE_THEORY_PROBLEM_INIT;
    problem.density = problem.regression = problem.slope = problem.curvature =
        problem.density_slope = f;
    const std::function<void()> calls[] = {
        [&] { zcmoe_segment_optimal(f, f, nullptr, 0, 1, 64, nullptr, edges.data(), &built); },
        [&] {
          zcmoe_optimal_constants(f, f, nullptr, whole.data(), 2, ZCMOE_CONSTANT_MEAN,
                                  constants.data());
        },
        [&] {
          double coefficient = 0;
          zcmoe_theory_coefficient(&problem, ZCMOE_THEORY_OPTIMAL, 2, &coefficient);
        },
        [&] {
          zcmoe_theory_totals totals{};
          zcmoe_theory_approximation(&problem, whole.data(), 2, ZCMOE_CONSTANT_MEAN, nullptr,
                                     nullptr, &totals);
        },
        [&] {
          zcmoe_compile_options options = ZCMOE_COMPILE_OPTIONS_INIT;
          options.max_segments = 64;
          zcmoe_model* made = nullptr;
          zcmoe_compile(cpu.get(), f, nullptr, nullptr, 0, 1, 0.1, &options, nullptr, &made,
                        nullptr);
          zcmoe_model_destroy(made);
        }};
    for (const auto& call : calls) EXPECT_LE(stack_used_by(call), promised_stack);
  }
}

// ------------------------------------------------------------------- memory

/// Bytes alive and at the most, of memory that is not resident until it is written.
struct counting_memory {
  std::size_t alive = 0;
  std::size_t most = 0;
  static void* take(void* user, std::size_t bytes, std::size_t, zcmoe_stream) {
    auto& self = *static_cast<counting_memory*>(user);
    void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return nullptr;
    self.alive += bytes;
    self.most = std::max(self.most, self.alive);
    return at;
  }
  static void give(void* user, void* at, std::size_t bytes, std::size_t, zcmoe_stream) {
    static_cast<counting_memory*>(user)->alive -= bytes;
    munmap(at, bytes);
  }
};

TEST(contract_test, add_and_group_take_a_gibibyte_at_the_most) {
  counting_memory memory;
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = 4096;
  options.alloc = counting_memory::take;
  options.free = counting_memory::give;
  options.user = &memory;
  const context cpu(options);
  const float x = 0.5f;
  for (const std::int64_t m : {1000, 65536}) {
    for (const zcmoe_dtype target : {ZCMOE_F32, ZCMOE_F64}) {
      zcmoe_fit_options types = fit_options();
      types.target_dtype = target;
      zcmoe::fit state(cpu, uniform_edges(0, 1, m), model_options(), types);
      const std::size_t before = memory.alive;
      memory.most = before;
      // One row many times: enough for as many threads as memory allows.
      const std::int64_t n = m == 1000 ? 40000000 : 20000000;
      state.add(array(&x, 0), array(&x, 0), no_array(), n, nullptr, 0, nullptr);
      EXPECT_LE(memory.most - before, std::size_t{1} << 30) << "m=" << m << " type " << target;
      EXPECT_EQ(memory.alive, before);
      EXPECT_EQ(state.report().rows_used, n);
    }
  }
}

TEST(contract_test, routing_tables_take_no_more_than_the_header_says) {
  const context cpu(ZCMOE_ENGINE_CPU);
  constexpr std::int64_t large = std::int64_t{1} << 20;
  for (const std::int64_t m : {std::int64_t{1}, std::int64_t{2}, std::int64_t{7}, std::int64_t{64},
                               std::int64_t{300}, std::int64_t{5000}, large, large + 1}) {
    for (const int range : {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_SEGMENTS}) {
      for (const double power : {1.0, 3.0}) {
        std::vector<double> edges;
        for (std::int64_t i = 0; i <= m; ++i)
          edges.push_back(std::pow(static_cast<double>(i) / static_cast<double>(m), power) +
                          1e-9 * static_cast<double>(i));
        zcmoe_model_options policies = model_options();
        policies.range_policy = range;
        const model table(cpu, edges, std::vector<double>(static_cast<std::size_t>(m), 1.0),
                          policies);
        EXPECT_LE(table.info().routing_bytes, (m <= large ? 416 : 128) * m + 8192)
            << "m=" << m << " range " << range << " power " << power;
      }
    }
  }
}

// -------------------------------------------------------------------- fork

TEST(contract_test, a_forked_child_goes_on_while_another_thread_predicts) {
  if (ZCMOE_SANITIZED) GTEST_SKIP() << "a sanitizer's allocator does not survive fork()";
  const context cpu = [] {
    zcmoe_context_options options = context_options();
    options.engine = ZCMOE_ENGINE_CPU;
    options.num_threads = 2;
    return context(options);
  }();
  const std::int64_t n = 1 << 19;
  std::vector<double> x(n);
  for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = static_cast<double>(i) / n;
  const std::vector<double> edges = uniform_edges(0, 1, 1000);
  std::vector<double> constants(1000);
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i);
  const model shared(cpu, edges, constants);
  const std::vector<double> expected = shared.predict_sync(x);
  fit inherited(cpu, edges);
  inherited.add_sync(x, x);
  const auto twice_added = [&] {
    fit other(cpu, edges);
    other.add_sync(x, x);
    other.add_sync(x, x);
    return other.serialize();
  }();

  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int t = 0; t < 2; ++t) {
    busy.emplace_back([&] {
      while (!stop) shared.predict_sync(x);
    });
  }
  for (int round = 0; round < 12; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      // What was inherited: answers as before, learns on.
      if (!same_bits(shared.predict_sync(x), expected)) _exit(1);
      inherited.add_sync(x, x);
      if (inherited.serialize() != twice_added) _exit(2);
      // A context of the child's own has threads of its own.
      zcmoe_context_options options = context_options();
      options.engine = ZCMOE_ENGINE_CPU;
      options.num_threads = 2;
      const context own(options);
      if (!same_bits(model(own, edges, constants).predict_sync(x), expected)) _exit(3);
      fit fresh(own, edges);
      fresh.add_sync(x, x);
      fresh.add_sync(x, x);
      if (fresh.serialize() != twice_added) _exit(4);
      _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

// ------------------------------------------------------------- struct sizes

TEST(contract_test, insane_struct_sizes_are_refused_before_more_is_read) {
  // Behind the struct lies a page that must not be touched.
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  char* const pages = static_cast<char*>(
      mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(static_cast<void*>(pages), MAP_FAILED);
  ASSERT_EQ(mprotect(pages + page, page, PROT_NONE), 0);
  const context cpu(ZCMOE_ENGINE_CPU);
  const model known(cpu, {0, 1}, {7});
  const auto at_the_end = [&](auto value) {
    char* const at = pages + page - sizeof value;
    std::memcpy(at, &value, sizeof value);
    return reinterpret_cast<decltype(value)*>(at);
  };
  for (const std::size_t size :
       {ZCMOE_MAX_STRUCT_SIZE + 1, std::size_t{1} << 20, std::size_t{1} << 32, std::size_t{1} << 40,
        SIZE_MAX / 2 + 1, SIZE_MAX - 7, SIZE_MAX}) {
    const auto expect_refused = [&](zcmoe_status status) {
      EXPECT_EQ(status, ZCMOE_ERR_INVALID_ARGUMENT) << size;
      EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("struct_size=" + std::to_string(size)));
    };
    auto options = context_options();
    options.struct_size = size;
    zcmoe_context* context = nullptr;
    expect_refused(zcmoe_context_create(at_the_end(options), &context));
    auto info = known.info();
    info.struct_size = size;
    expect_refused(zcmoe_model_get_info(known.get(), at_the_end(info)));
    auto view = known.view();
    view.struct_size = size;
    expect_refused(zcmoe_model_get_view(known.get(), at_the_end(view)));
    auto outputs = predict_outputs();
    outputs.struct_size = size;
    const double x = 0.5;
    expect_refused(zcmoe_predict(known.get(), array(&x), 1, at_the_end(outputs), nullptr));
    auto policies = model_options();
    policies.struct_size = size;
    const double edges[] = {0, 1};
    zcmoe_model* made = nullptr;
    expect_refused(zcmoe_model_create(cpu.get(), edges, &x, 1, at_the_end(policies), &made));
    zcmoe_plan_result planned{};
    (void)planned;
    auto density = zcmoe_density_options ZCMOE_DENSITY_OPTIONS_INIT;
    density.struct_size = size;
    double out[2];
    std::int64_t built = 0;
    expect_refused(
        zcmoe_segment_density_table(edges, edges, 2, 1, at_the_end(density), out, &built));
  }
  munmap(pages, 2 * page);
}

TEST(contract_test, a_struct_size_within_a_field_is_refused) {
  // Half a pointer would be looked through.
  const context cpu(ZCMOE_ENGINE_CPU);
  const double edges[] = {0, 1};
  for (std::size_t size = 0; size <= sizeof(zcmoe_model_options) + 8; ++size) {
    struct {
      zcmoe_model_options known = model_options();
      std::int64_t later = 0;
    } policies;
    policies.known.struct_size = size;
    policies.known.feature_name = "a";
    policies.known.target_name = "b";
    zcmoe_model* made = nullptr;
    const bool whole = size >= 8 && (size % 8 == 0 || size > sizeof(zcmoe_model_options));
    EXPECT_EQ(zcmoe_model_create(cpu.get(), edges, edges, 1, &policies.known, &made),
              whole ? ZCMOE_OK : ZCMOE_ERR_INVALID_ARGUMENT)
        << size;
    zcmoe_model_destroy(made);
  }
}

TEST(contract_test, a_shorter_view_is_filled_as_far_as_it_goes) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const model known(cpu, {0, 1, 2}, {7, 8});
  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  view.struct_size = offsetof(zcmoe_model_view, num_segments);
  view.num_segments = -1;
  ASSERT_EQ(zcmoe_model_get_view(known.get(), &view), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(view.struct_size, offsetof(zcmoe_model_view, num_segments));
  EXPECT_EQ(view.constants[1], 8);
  EXPECT_EQ(view.num_segments, -1);
}

TEST(contract_test, models_go_to_memory_and_back_in_cpp_too) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const model first(cpu, uniform_edges(0, 20000, 20000), std::vector<double>(20000, 8.0));
  const model second = model::deserialize(cpu, first.serialize());
  EXPECT_EQ(second.serialize(), first.serialize());
  EXPECT_EQ(second.predict_sync(std::vector<double>{1.5}), std::vector<double>{8});
}

// -------------------------------------------------------------------- sizes

TEST(contract_test, sizes_that_decide_how_long_a_call_takes_have_a_limit) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const std::vector<double> x{1, 2, 3, 4};
  double edges[3];
  std::int64_t built = 0;
  for (const std::int64_t bins :
       {ZCMOE_MAX_PILOT_BINS + 1, std::int64_t{1000000000000}, INT64_MAX, std::int64_t{-1}}) {
    zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
    options.pilot_bins = bins;
    EXPECT_EQ(zcmoe_segment_compander_from_data(array(x.data()), array(x.data()), no_array(), 4, 2,
                                                &options, edges, &built),
              ZCMOE_ERR_INVALID_ARGUMENT);
    EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("pilot_bins=" + std::to_string(bins)));
    zcmoe_plan_options plan = ZCMOE_PLAN_OPTIONS_INIT;
    plan.pilot_bins = bins;
    zcmoe_plan_result result{};
    result.struct_size = sizeof result;
    EXPECT_EQ(zcmoe_plan(cpu.get(), array(x.data()), array(x.data()), no_array(), 4, nullptr, &plan,
                         &result),
              ZCMOE_ERR_INVALID_ARGUMENT);
  }
  // The largest one ends.
  zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.pilot_bins = ZCMOE_MAX_PILOT_BINS;
  EXPECT_EQ(zcmoe_segment_compander_from_data(array(x.data()), array(x.data()), no_array(), 4, 2,
                                              &options, edges, &built),
            ZCMOE_OK)
      << zcmoe_last_error();
}

}  // namespace
}  // namespace zcmoe::test
