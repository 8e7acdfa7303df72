// Every float32 as an input, on one hard table for each closed side, outer edge and range policy.
// The reference counts edges as the floats go by in order, so it shares neither the library's
// search nor its comparisons.
//   exhaustive_f32 [--every K] [--threads T]     every K-th block of 65 536 neighbours; K = 1: all
#include "tests/naive.hpp"
#include "tests/release/options.hpp"

#include <zcmoe/zcmoe.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace zcmoe::test {
namespace {

constexpr std::int64_t block = 65536;
constexpr std::int64_t num_blocks = (std::int64_t{1} << 32) / block;

float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The k-th float32 in ascending order: negative NaNs, -infinity ... -0, 0 ... infinity, NaNs.
float in_order(std::uint64_t k) {
  const auto place = static_cast<std::uint32_t>(k);
  return float_of(place < 0x80000000u ? ~place : place & 0x7fffffffu);
}

/// Edges that meet floats, lie between two of them, are subnormal, one ulp apart or huge.
std::vector<double> hard_edges() {
  std::vector<double> edges{-3.0e38,
                            -1.0e20,
                            -0.1,
                            -0x1p-149,
                            0.0,
                            0x1p-1074,
                            0x1p-150,
                            0x1p-149,
                            0x1p-126,
                            0.1,
                            0.3,
                            65504.0,
                            3.3895313892515355e38,
                            3.4e38};
  for (int k = 0; k < 40; ++k) edges.push_back(1.0 + k * 0x1p-24);  // every second is a float32
  for (int k = 1; k <= 200; ++k) edges.push_back(2.0 + std::sqrt(static_cast<double>(k)));
  for (int k = -30; k <= 30; ++k) edges.push_back(std::ldexp(-1.1, 2 * k));
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

struct policy {
  bool right_closed;
  bool outer_edge;
  std::int32_t range;
};

/// Segments and values that one block of floats in order must get.
class reference {
 public:
  reference(const std::vector<double>& edges, const policy& chosen)
      : edges_(edges), policy_(chosen) {}

  std::int32_t segment(double x) {
    const auto m = static_cast<std::int32_t>(edges_.size()) - 1;
    if (x != x) return -1;
    const double lo = edges_.front();
    const double hi = edges_.back();
    const bool below = x < lo || (x == lo && policy_.right_closed && !policy_.outer_edge);
    const bool above = x > hi || (x == hi && !policy_.right_closed && !policy_.outer_edge);
    if ((below || above) && policy_.range != ZCMOE_RANGE_CLAMP) {
      return policy_.range != ZCMOE_RANGE_SEGMENTS ? -1 : below ? m + 1 : m + 2;
    }
    if (at_ < 0) {
      at_ = static_cast<std::int64_t>(naive::segment(
          edges_, x, policy_.right_closed ? naive::side::right_closed : naive::side::left_closed));
    }
    while (at_ + 1 < m && reached(edges_[static_cast<std::size_t>(at_) + 1], x)) ++at_;
    return static_cast<std::int32_t>(at_);
  }

 private:
  bool reached(double edge, double x) const { return policy_.right_closed ? edge < x : edge <= x; }
  const std::vector<double>& edges_;
  policy policy_;
  std::int64_t at_ = -1;
};

void check_block(const model& answers, const std::vector<double>& edges, const policy& chosen,
                 std::int64_t first_block, std::vector<float>& x, std::vector<float>& values,
                 std::vector<std::int32_t>& segments) {
  const auto first = static_cast<std::uint64_t>(first_block) * static_cast<std::uint64_t>(block);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = in_order(first + i);
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F32, 1};
  outputs.segments = {segments.data(), ZCMOE_I32, 1};
  expect(zcmoe_predict_sync(answers.get(), {x.data(), ZCMOE_F32, 1}, block, &outputs, nullptr) ==
             ZCMOE_OK,
         zcmoe_last_error());
  reference wanted(edges, chosen);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::int32_t segment = wanted.segment(static_cast<double>(x[i]));
    const float out = chosen.range == ZCMOE_RANGE_VALUE && x[i] == x[i]
                          ? -5.5f
                          : std::numeric_limits<float>::quiet_NaN();
    const bool own = segment >= static_cast<std::int32_t>(edges.size()) - 1;
    const float value = segment < 0 ? out : own ? 7.0f : static_cast<float>(segment) + 0.5f;
    const bool same = values[i] == value || (values[i] != values[i] && value != value);
    if (segments[i] == segment && same) continue;
    std::uint32_t bits;
    std::memcpy(&bits, &x[i], sizeof bits);
    expect(false, "x bits " + std::to_string(bits) + ": segment " + std::to_string(segments[i]) +
                      ", expected " + std::to_string(segment) + "; value " +
                      std::to_string(values[i]) + ", expected " + std::to_string(value) +
                      "; right " + std::to_string(chosen.right_closed) + ", outer " +
                      std::to_string(chosen.outer_edge) + ", range " +
                      std::to_string(chosen.range));
  }
}

/// All chosen blocks under one policy, shared out to threads that use one model.
void check_policy(const policy& chosen, std::int64_t every, int num_threads) {
  zcmoe_context_options of_context = context_options();
  of_context.engine = ZCMOE_ENGINE_CPU;
  of_context.num_threads = 1;
  const context cpu(of_context);
  const std::vector<double> edges = hard_edges();
  std::vector<double> constants(edges.size() - 1);
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i) + 0.5;
  zcmoe_model_options options = model_options();
  options.closed_side = chosen.right_closed ? ZCMOE_CLOSED_RIGHT : ZCMOE_CLOSED_LEFT;
  options.include_outer_edge = chosen.outer_edge ? 1 : 0;
  options.range_policy = chosen.range;
  options.range_value = -5.5;
  options.empty_policy = ZCMOE_EMPTY_VALUE;
  options.empty_value = 7.0;
  const model answers(cpu, edges, constants, options);
  std::atomic<std::int64_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < num_threads; ++t) {
    threads.emplace_back([&] {
      std::vector<float> x(block);
      std::vector<float> values(block);
      std::vector<std::int32_t> segments(block);
      for (std::int64_t k; (k = every * next.fetch_add(1)) < num_blocks;) {
        check_block(answers, edges, chosen, k, x, values, segments);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zcmoe::test

int main(int argc, char** argv) {
  using namespace zcmoe::test;
  const std::int64_t every = std::max(1LL, number_of(argc, argv, "every", 1));
  const auto cores = static_cast<long long>(std::max(1u, std::thread::hardware_concurrency()));
  const auto num_threads = static_cast<int>(number_of(argc, argv, "threads", cores));
  int tables = 0;
  for (const bool right : {false, true}) {
    for (const std::int32_t range :
         {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_VALUE, ZCMOE_RANGE_SEGMENTS}) {
      // The outer edge makes a difference only where the range ends.
      check_policy({right, (tables & 1) != 0, range}, every, num_threads);
      ++tables;
    }
  }
  const std::int64_t blocks = (num_blocks + every - 1) / every;
  std::printf("%lld float32 inputs under %d policies: no difference\n",
              static_cast<long long>(blocks * block), tables);
  return 0;
}
