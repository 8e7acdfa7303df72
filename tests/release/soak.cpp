// Threads that predict with one model, and fit, merge, serialise and group on their own, at random
// and for as long as asked for. The rows are always the same ones, so whatever the chunks, their
// order and the merges, the state must be the same bytes. Memory must not grow.
//   soak [--seconds S] [--threads T]     default 600 s
#include "tests/release/options.hpp"

#include <zcmoe/zcmoe.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

namespace zcmoe::test {
namespace {

using clock_type = std::chrono::steady_clock;
constexpr std::size_t num_rows = 60000;
constexpr std::int64_t num_segments = 300;

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  statm >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

struct world {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> edges = uniform_edges(-3, 3, num_segments);
  const context cpu{ZCMOE_ENGINE_CPU};
  std::vector<unsigned char> state;
  std::vector<double> values;
  std::unique_ptr<const model> shared;
  std::atomic<std::int64_t> calls{0};

  world() {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < num_rows; ++i) {
      x.push_back(normal(random));
      y.push_back(std::ldexp(normal(random), static_cast<int>(random() % 40) - 20));
    }
    fit whole(cpu, edges);
    whole.add_sync(x, y);
    state = whole.serialize();
    shared = std::make_unique<const model>(whole.finish());
    values = shared->predict_sync(x);
  }
};

/// Rows [first, last) of the shared data.
std::vector<double> part(const std::vector<double>& all, std::size_t first, std::size_t last) {
  return {all.begin() + static_cast<std::ptrdiff_t>(first),
          all.begin() + static_cast<std::ptrdiff_t>(last)};
}

void predict_some(world& w, std::mt19937_64& random) {
  const std::size_t first = random() % num_rows;
  const std::size_t last = first + 1 + random() % (num_rows - first);
  expect(w.shared->predict_sync(part(w.x, first, last)) == part(w.values, first, last),
         "a prediction changed");
}

/// The rows in chunks of random sizes over a few fits, one of which went through bytes; merged.
void fit_all(world& w, std::mt19937_64& random, const context& own) {
  std::vector<fit> fits;
  for (std::size_t k = 1 + random() % 3; k > 0; --k) {
    fits.emplace_back(random() % 2 == 0 ? w.cpu : own, w.edges);
  }
  std::vector<std::size_t> cuts{0, num_rows};
  for (std::size_t k = random() % 20; k > 0; --k) cuts.push_back(random() % num_rows);
  std::sort(cuts.begin(), cuts.end());
  std::vector<std::size_t> order(cuts.size() - 1);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  for (const std::size_t k : order) {
    fits[random() % fits.size()].add_sync(part(w.x, cuts[k], cuts[k + 1]),
                                          part(w.y, cuts[k], cuts[k + 1]));
  }
  while (fits.size() > 1) {
    fit last = std::move(fits.back());
    fits.pop_back();
    const auto bytes = last.serialize();
    fits[random() % fits.size()].merge(fit::deserialize(own, bytes));
  }
  expect(fits[0].serialize() == w.state, "a state changed");
  if (random() % 4 == 0) {
    expect(fits[0].finish().predict_sync(w.x) == w.values, "a finished model changed");
  }
}

void group_all(world& w, std::mt19937_64& random) {
  const auto n = static_cast<std::int64_t>(1 + random() % num_rows);
  std::vector<std::int64_t> offsets(num_segments + 4);
  zcmoe_group_outputs outputs = ZCMOE_GROUP_OUTPUTS_INIT;
  outputs.offsets = {offsets.data(), ZCMOE_I64, 1};
  expect(zcmoe_group_sync(w.shared->get(), {w.x.data(), ZCMOE_F64, 1}, n, &outputs, nullptr) ==
             ZCMOE_OK,
         zcmoe_last_error());
  expect(offsets.back() == n && std::is_sorted(offsets.begin(), offsets.end()), "a grouping");
}

void work(world& w, clock_type::time_point end, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = static_cast<std::int32_t>(1 + seed % 3);
  auto own = std::make_unique<context>(options);
  while (clock_type::now() < end) {
    switch (random() % 8) {
      case 0: own = std::make_unique<context>(options); break;
      case 1: group_all(w, random); break;
      case 2:
      case 3: fit_all(w, random, *own); break;
      default: predict_some(w, random); break;
    }
    ++w.calls;
  }
}

}  // namespace
}  // namespace zcmoe::test

int main(int argc, char** argv) {
  using namespace zcmoe::test;
  const auto seconds = static_cast<double>(number_of(argc, argv, "seconds", 600));
  const auto num_threads = static_cast<std::uint64_t>(number_of(argc, argv, "threads", 8));
  world shared;
  const auto begin = clock_type::now();
  const auto after = [&](double share) {
    return begin + std::chrono::duration_cast<clock_type::duration>(
                       std::chrono::duration<double>(share * seconds));
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < num_threads; ++t) {
    threads.emplace_back([&, t] { work(shared, after(1.0), 100 + t); });
  }
  std::this_thread::sleep_until(after(0.5));
  const std::int64_t half_way = resident_bytes();
  for (std::thread& thread : threads) thread.join();
  const std::int64_t grown = resident_bytes() - half_way;
  expect(grown < (std::int64_t{256} << 20),
         "memory grew by " + std::to_string(grown) + " bytes in the second half");
  std::printf(
      "%lld rounds on %llu threads in %.0f s: the same bits; memory %+.1f MiB in the second half\n",
      static_cast<long long>(shared.calls.load()), static_cast<unsigned long long>(num_threads),
      seconds, static_cast<double>(grown) / (1 << 20));
  return 0;
}
