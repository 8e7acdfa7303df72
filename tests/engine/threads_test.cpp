// One model, many threads: predictions agree, and nothing races (run under ThreadSanitizer too).
#include "tests/support.hpp"

#include <algorithm>
#include <thread>

namespace zcmoe::test {
namespace {

/// 64 threads answer with one model, over and over; returns whether all agreed with one thread.
bool share_a_model(int num_threads) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = num_threads;
  const context cpu(options);
  fit fit(cpu, uniform_edges(0, 1, 500));
  std::vector<double> x(70000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 9973) / 9973.0;
  fit.add_sync(x, x);
  const model model = fit.finish();
  const auto expected = model.predict_sync(x);
  std::vector<int> agrees(64);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < agrees.size(); ++t) {
    threads.emplace_back([&, t] {
      bool same = true;
      for (int repeat = 0; repeat < 5; ++repeat) same = same && model.predict_sync(x) == expected;
      agrees[t] = same ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::count(agrees.begin(), agrees.end(), 1) == 64;
}

TEST(threads_test, sixty_four_threads_share_a_model) { EXPECT_TRUE(share_a_model(0)); }

TEST(threads_test, sixty_four_threads_share_a_model_of_one_worker) {
  EXPECT_TRUE(share_a_model(1));
}

TEST(threads_test, the_library_says_nothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  EXPECT_TRUE(share_a_model(64));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(threads_test, every_thread_has_its_own_last_error) {
  zcmoe_model* none = nullptr;
  EXPECT_EQ(zcmoe_model_save(none, "x"), ZCMOE_ERR_INVALID_ARGUMENT);
  const std::string mine = zcmoe_last_error();
  std::thread([] {
    EXPECT_STREQ(zcmoe_last_error(), "");
    double edges[2];
    EXPECT_EQ(zcmoe_segment_uniform(1, 0, 1, edges), ZCMOE_ERR_INVALID_ARGUMENT);
  }).join();
  EXPECT_EQ(zcmoe_last_error(), mine);
}

TEST(threads_test, a_thousand_repeats_give_the_same_bits) {
  const context cpu(ZCMOE_ENGINE_CPU);
  std::vector<double> x(80000);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<double>((i * 7919) % 80000) / 80000.0;
  std::vector<unsigned char> first;
  const int repeats = std::getenv("ZCMOE_QUICK_TESTS") != nullptr ? 50 : 1000;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    fit fit(cpu, uniform_edges(0, 1, 16));
    fit.add_sync(x, x);
    const auto bytes = fit.serialize();
    if (first.empty()) first = bytes;
    ASSERT_EQ(bytes, first) << repeat;
  }
}

}  // namespace
}  // namespace zcmoe::test
