// The promise no rival makes: the same samples give the same state bytes and the same predictions,
// for any engine, number of threads, chunking, order of rows and merge tree. 1,000 random
// combinations against one plain pass.
#include "tests/support.hpp"

#include <zcmoe/plan.hpp>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace zcmoe::test {
namespace {

struct sample {
  std::vector<double> edges;
  std::vector<double> x, y, w;  // w empty: not weighted
  zcmoe_dtype dtype;            // of targets and weights
  std::int32_t experts;
};

double random_target(std::mt19937_64& random, int kind, bool narrow) {
  std::normal_distribution<double> normal;
  switch (kind) {
    case 0: return normal(random);
    case 1: return 1e15 + normal(random);  // offset far above the spread
    case 2: {                              // any finite number
      for (;;) {
        const std::uint64_t bits = random();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        if (narrow) {
          const auto low = static_cast<std::uint32_t>(bits);
          float single;
          std::memcpy(&single, &low, sizeof single);
          value = static_cast<double>(single);
        }
        if (std::isfinite(value)) return value;
      }
    }
    default: {
      const double odd[] = {not_a_number, infinity, -infinity, 0.0, -0.0, 1.0};
      return odd[random() % 6];
    }
  }
}

sample random_sample(std::mt19937_64& random) {
  sample s;
  const std::size_t m = 1 + random() % (random() % 4 == 0 ? 600 : 20);
  const std::size_t n = random() % 400;
  s.dtype = random() % 2 == 0 ? ZCMOE_F32 : ZCMOE_F64;
  s.experts = random() % 2 == 0 ? ZCMOE_EXPERTS_CONSTANT : static_cast<int>(1 + random() % 2);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<double> edges;
  while (edges.size() < m + 1) edges.push_back(unit(random));
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  if (edges.size() < 2) edges = {0, 1};
  s.edges = edges;
  const bool weighted = random() % 3 == 0;
  const int kind = static_cast<int>(random() % 4);
  for (std::size_t i = 0; i < n; ++i) {
    const auto round = [&](double v) {
      return s.dtype == ZCMOE_F32 ? static_cast<double>(static_cast<float>(v)) : v;
    };
    s.x.push_back(random() % 50 == 0  ? not_a_number
                  : random() % 5 == 0 ? edges[random() % edges.size()]
                                      : unit(random) * 1.2 - 0.1);
    s.y.push_back(
        round(random_target(random, random() % 10 == 0 ? 3 : kind, s.dtype == ZCMOE_F32)));
    if (weighted) s.w.push_back(random() % 10 == 0 ? 0.0 : round(std::exp(6 * unit(random) - 3)));
  }
  return s;
}

/// Rows of a sample in the element type of its targets.
struct rows {
  std::vector<double> x;
  std::vector<double> y64, w64;
  std::vector<float> y32, w32;

  rows(const sample& s, const std::vector<std::size_t>& order, std::size_t first,
       std::size_t last) {
    for (std::size_t k = first; k < last; ++k) {
      const std::size_t i = order[k];
      x.push_back(s.x[i]);
      if (s.dtype == ZCMOE_F32) {
        y32.push_back(static_cast<float>(s.y[i]));
        if (!s.w.empty()) w32.push_back(static_cast<float>(s.w[i]));
      } else {
        y64.push_back(s.y[i]);
        if (!s.w.empty()) w64.push_back(s.w[i]);
      }
    }
  }
};

fit new_fit(const context& context, const sample& s) {
  zcmoe_fit_options how = fit_options();
  how.target_dtype = s.dtype;
  how.weighted = s.w.empty() ? 0 : 1;
  zcmoe_model_options model = model_options();
  model.experts = s.experts;
  return fit(context, s.edges, model, how);
}

void add_rows(fit& fit, zcmoe_engine engine, const sample& s, const rows& r, bool host_memory) {
  const auto n = static_cast<std::int64_t>(r.x.size());
  const bool narrow = s.dtype == ZCMOE_F32;
  if (host_memory) {
    fit.add_sync(array(r.x.data()), narrow ? array(r.y32.data()) : array(r.y64.data()),
                 s.w.empty() ? no_array()
                 : narrow    ? array(r.w32.data())
                             : array(r.w64.data()),
                 n);
    return;
  }
  const engine_array<double> x(engine, r.x), y64(engine, r.y64), w64(engine, r.w64);
  const engine_array<float> y32(engine, r.y32), w32(engine, r.w32);
  fit.add(array(x.data()), narrow ? array(y32.data()) : array(y64.data()),
          s.w.empty() ? no_array()
          : narrow    ? array(w32.data())
                      : array(w64.data()),
          n, nullptr, 0, nullptr);
  fit.report();
}

class reproducibility_test : public engine_test {
 protected:
  int combinations() const { return std::getenv("ZCMOE_QUICK_TESTS") != nullptr ? 60 : 1000; }
};

TEST_P(reproducibility_test, same_bits_for_order_chunks_threads_and_merge_tree) {
  const context plain(ZCMOE_ENGINE_CPU);
  std::vector<context> contexts;
  if (engine() == ZCMOE_ENGINE_CPU) {
    for (int threads : {1, 2, 3, 7, 16}) {
      zcmoe_context_options options = context_options();
      options.engine = ZCMOE_ENGINE_CPU;
      options.num_threads = threads;
      contexts.emplace_back(options);
    }
  } else {
    contexts.emplace_back(ZCMOE_ENGINE_CUDA);
  }
  std::mt19937_64 random(20260101);
  for (int round = 0; round < combinations(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const sample s = random_sample(random);
    std::vector<std::size_t> order(s.x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    fit reference = new_fit(plain, s);
    add_rows(reference, ZCMOE_ENGINE_CPU, s, rows(s, order, 0, order.size()), false);
    const auto expected = reference.serialize();
    const auto expected_values = reference.finish().predict_sync(s.x);

    // Shuffle, cut into chunks, put the chunks into several states, merge these along a random
    // tree.
    std::shuffle(order.begin(), order.end(), random);
    std::vector<fit> states;
    const std::size_t num_states = 1 + random() % 4;
    for (std::size_t i = 0; i < num_states; ++i)
      states.push_back(new_fit(contexts[random() % contexts.size()], s));
    for (std::size_t begin = 0; begin < order.size();) {
      const std::size_t end = std::min(order.size(), begin + 1 + random() % 150);
      add_rows(states[random() % states.size()], engine(), s, rows(s, order, begin, end),
               random() % 2 == 0);
      begin = end;
    }
    while (states.size() > 1) {
      const std::size_t from = random() % states.size();
      std::size_t to = random() % states.size();
      if (to == from) to = (to + 1) % states.size();
      states[to].merge(states[from]);
      states.erase(states.begin() + static_cast<std::ptrdiff_t>(from));
    }
    ASSERT_EQ(states[0].serialize(), expected);
    ASSERT_TRUE(same_bits(states[0].finish().predict_sync(s.x), expected_values));
    // The bytes carry the whole state into the other engine.
    ASSERT_TRUE(same_bits(fit::deserialize(plain, states[0].serialize()).finish().predict_sync(s.x),
                          expected_values));
  }
}

/// Sets an environment variable for as long as it lives.
class environment {
 public:
  environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~environment() { unsetenv(name_); }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  const char* name_;
};

TEST_P(reproducibility_test, same_bits_on_every_path_of_the_cuda_engine) {
  // The sort-free path keeps sums inside a window that the first targets of a block choose: targets
  // that stay inside, that drift out of it, that never fit one, and what no sum takes.
  if (engine() != ZCMOE_ENGINE_CUDA) return;
  const context plain(ZCMOE_ENGINE_CPU);
  std::mt19937_64 random(42);
  std::normal_distribution<double> normal;
  const auto target = [&](int kind, std::size_t i, std::size_t n) -> float {
    switch (kind) {
      case 0: return static_cast<float>(normal(random));
      case 1: return static_cast<float>(std::exp(5 * normal(random)));
      case 2: return static_cast<float>(random_target(random, 2, true));  // any finite number
      case 3: return static_cast<float>(normal(random)) * 0x1p-140f;      // subnormals
      case 4: return random() % 2 == 0 ? 3.4e38f : -3.4e38f;
      case 5: return random() % 3 == 0 ? 1.5f : 0.0f;
      case 6: return static_cast<float>(std::ldexp(normal(random), static_cast<int>(60 * i / n)));
      default: return static_cast<float>(random_target(random, 3, true));
    }
  };
  const int rounds = std::getenv("ZCMOE_QUICK_TESTS") != nullptr ? 8 : 40;
  for (int round = 0; round < rounds; ++round) {
    const int kind = round % 8;
    const std::int64_t m = round % 5 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % 1200);
    const std::size_t n = round % 4 == 3 ? 90000 : random() % 20000;
    const int skew = static_cast<int>(random() % 3);  // of rows in one segment: few, 90 %, all
    std::vector<float> x(n), y(n);
    for (std::size_t i = 0; i < n; ++i) {
      const bool in_one = skew == 2 || (skew == 1 && random() % 10 != 0);
      x[i] = in_one ? 0.3f : static_cast<float>(random() >> 40) * 0x1p-23f - 0.5f;
      if (random() % 1000 == 0) x[i] = std::nanf("");
      y[i] = target(kind, i, n);
    }
    const auto edges = uniform_edges(0, 1, m);
    zcmoe_model_options policies = model_options();
    policies.nan_policy = round % 3 == 0 ? ZCMOE_NAN_SEGMENT : ZCMOE_NAN_PROPAGATE;
    policies.range_policy = round % 4;
    zcmoe_fit_options how = fit_options();
    how.target_dtype = ZCMOE_F32;
    fit reference(plain, edges, policies, how);
    reference.add_sync(x, y);
    const auto expected = reference.serialize();
    const auto device_x = on_engine(x);
    const auto device_y = on_engine(y);
    // In two calls, of which the second begins at any alignment.
    const auto first = static_cast<std::int64_t>(std::min(n / 2 + random() % 3, n));
    const auto rest = static_cast<std::int64_t>(n) - first;
    for (const char* path : {"sort", "1", "2", "4"}) {
      SCOPED_TRACE("round " + std::to_string(round) + ", path " + path);
      const environment forced("ZCMOE_CUDA_FIT", path);
      const context device(ZCMOE_ENGINE_CUDA);
      fit fitted(device, edges, policies, how);
      fitted.add(array(device_x.data()), array(device_y.data()), no_array(), first, nullptr, 0,
                 nullptr);
      fitted.add(array(device_x.data() + first), array(device_y.data() + first), no_array(), rest,
                 nullptr, 0, nullptr);
      ASSERT_EQ(fitted.serialize(), expected);  // the row counters are part of the state
    }
  }
}

TEST_P(reproducibility_test, words_of_the_sort_free_path_are_emptied_before_they_overflow) {
  // So many segments that a block keeps one column of sums each and few blocks start: a block meets
  // more rows than a word takes, all in one segment, all with the greatest digits.
  if (engine() != ZCMOE_ENGINE_CUDA) return;
  const std::size_t n = 800000;
  const std::vector<float> x(n, 0.5f);
  const std::vector<float> y(n, -std::numeric_limits<float>::max());
  std::vector<unsigned char> expected;
  for (const zcmoe_engine each : {ZCMOE_ENGINE_CPU, ZCMOE_ENGINE_CUDA}) {
    zcmoe_fit_options how = fit_options();
    how.target_dtype = ZCMOE_F32;
    fit fit(context(each), uniform_edges(0, 1, 6900), model_options(), how);
    const auto there_x = engine_array<float>(each, x);
    const auto there_y = engine_array<float>(each, y);
    fit.add(array(there_x.data()), array(there_y.data()), no_array(), static_cast<std::int64_t>(n),
            nullptr, 0, nullptr);
    if (expected.empty()) expected = fit.serialize();
    EXPECT_EQ(fit.serialize(), expected);
  }
}

TEST_P(reproducibility_test, many_rows_on_many_threads) {
  // Large enough that the CPU engine really shares the rows out; with targets of every size among
  // them, which no window of machine words holds, so that a thread's own state is used too.
  std::mt19937_64 random(7);
  const std::size_t n = engine() == ZCMOE_ENGINE_CPU ? 1000000 : 60000;
  const auto edges = uniform_edges(0, 1, 100);
  std::vector<float> x(n), y(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = static_cast<float>(random() >> 40) * 0x1p-24f;
    y[i] = std::sin(9 * x[i]) + x[i] * 1e-3f;
    if (i % 7 == 0) y[i] = std::ldexp(y[i], static_cast<int>(random() % 200) - 100);
  }
  for (const std::int32_t experts : {ZCMOE_EXPERTS_CONSTANT, ZCMOE_EXPERTS_LINEAR}) {
    std::vector<unsigned char> expected;
    for (const int threads : {1, 2, 3, 5, 8, 16}) {
      zcmoe_context_options options = context_options();
      options.engine = threads == 1 ? ZCMOE_ENGINE_CPU : engine();
      options.num_threads = threads;
      const context context(options);
      zcmoe_fit_options how = fit_options();
      how.target_dtype = ZCMOE_F32;
      zcmoe_model_options model = model_options();
      model.experts = experts;
      fit fit(context, edges, model, how);
      fit.add_sync(x, y);
      if (expected.empty()) expected = fit.serialize();
      EXPECT_EQ(fit.serialize(), expected) << threads;
    }
  }
}

TEST_P(reproducibility_test, plans_are_the_same_for_every_engine) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  std::vector<double> x(3000), y(3000), w(3000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<double>(random() >> 50) / 8192;  // with ties
    y[i] = std::sin(9 * x[i]) + 0.3 * normal(random);
    w[i] = 1.0 + static_cast<double>(random() % 3);
  }
  const context plain(ZCMOE_ENGINE_CPU);
  zcmoe_plan_options options = plan_options();
  options.max_segments = 96;
  for (const bool weighted : {false, true}) {
    const zcmoe_array weights = weighted ? array(w.data()) : no_array();
    const auto rows = static_cast<std::int64_t>(x.size());
    const auto expected =
        make_plan(plain, array(x.data()), array(y.data()), weights, rows, options);
    const auto plan = make_plan(ctx(), array(x.data()), array(y.data()), weights, rows, options);
    EXPECT_EQ(std::memcmp(&plan, &expected, sizeof plan), 0);
  }
}

ZCMOE_INSTANTIATE_ENGINES(reproducibility_test);

/// Sizes of the blocks that a context asks for; it gets so many.
struct block_sizes {
  std::vector<std::size_t> asked;
  std::size_t granted = std::numeric_limits<std::size_t>::max();

  static void* take(void* user, std::size_t bytes, std::size_t alignment, zcmoe_stream) {
    auto& sizes = *static_cast<block_sizes*>(user);
    if (sizes.asked.size() == sizes.granted) return nullptr;
    sizes.asked.push_back(bytes);
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void give(void*, void* at, std::size_t, std::size_t, zcmoe_stream) { std::free(at); }
};

context context_of_threads(int num_threads, block_sizes& sizes) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = num_threads;
  options.alloc = block_sizes::take;
  options.free = block_sizes::give;
  options.user = &sizes;
  return context(options);
}

/// Rows of every kind, of more segments than a core's cache holds, whose adds are sorted by segment
/// first if they come in no order; against pieces too small for anything but row by row.
template <class T>
void expect_many_segments_alike(zcmoe_dtype target, bool weighted, int range_policy, std::int64_t m,
                                std::int64_t n, int num_threads) {
  std::mt19937_64 random(23);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto rows = static_cast<std::size_t>(n);
  std::vector<T> x(rows);
  std::vector<T> y(rows);
  std::vector<T> w(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    x[i] = static_cast<T>(unit() * 1.01 - 0.005);  // some outside
    y[i] = static_cast<T>(unit() - 0.5);
    w[i] = static_cast<T>(unit() + 0.5);
    if (weighted && i % 5 < 2) x[i] = static_cast<T>(0.3);  // more rows than words have room for
    const auto kind = random() % 400;
    const T odd[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                     -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max(),
                     std::numeric_limits<T>::denorm_min()};
    if (kind < 5) y[i] = odd[kind];
    if (kind == 5) x[i] = odd[0];
    if (kind == 6) w[i] = 0;
    if (kind == 7) w[i] = std::ldexp(T{1}, 100);
    // Those of the second half need other windows.
    if (2 * i > rows) y[i] = std::ldexp(y[i], 60);
  }
  zcmoe_fit_options how = fit_options();
  how.target_dtype = target;
  how.weighted = weighted ? 1 : 0;
  zcmoe_model_options policies = model_options();
  policies.range_policy = range_policy;
  const auto edges = uniform_edges(0, 1, m);
  block_sizes sizes;
  const auto add = [&](fit& to, std::int64_t first, std::int64_t count) {
    to.add_sync(array(x.data() + first), array(y.data() + first),
                weighted ? array(w.data() + first) : no_array(), count);
  };
  const context one = context_of_threads(1, sizes);
  fit expected(one, edges, policies, how);
  for (std::int64_t first = 0; first < n; first += 30000)
    add(expected, first, std::min<std::int64_t>(30000, n - first));

  const context many = context_of_threads(num_threads, sizes);
  fit scattered(many, edges, policies, how);
  const auto empty = scattered.serialize();
  sizes.asked.clear();
  add(scattered, 0, n);
  const auto blocks = sizes.asked;
  EXPECT_TRUE(scattered.serialize() == expected.serialize());
  EXPECT_LE(std::accumulate(blocks.begin(), blocks.end(), std::size_t{0}), std::size_t{1} << 30);

  fit without_memory(many, edges, policies, how);
  for (sizes.granted = 0; sizes.granted < blocks.size(); ++sizes.granted) {
    sizes.asked.clear();
    EXPECT_THROW(add(without_memory, 0, n), error) << sizes.granted;
  }
  sizes.granted = std::numeric_limits<std::size_t>::max();
  EXPECT_TRUE(without_memory.serialize() == empty);

  // Sorted rows take tables of their own for each thread, so the others took another way.
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::isnan(x[b]) ? !std::isnan(x[a]) : x[a] < x[b];
  });
  const auto put_in_order = [&](std::vector<T>& values) {
    std::vector<T> moved(rows);
    for (std::size_t i = 0; i < rows; ++i) moved[i] = values[order[i]];
    values = moved;
  };
  put_in_order(y);
  put_in_order(w);
  put_in_order(x);
  fit sorted(many, edges, policies, how);
  sizes.asked.clear();
  add(sorted, 0, n);
  EXPECT_TRUE(sorted.serialize() == expected.serialize());
  EXPECT_NE(sizes.asked, blocks);
}

TEST(reproducibility, many_segments_in_any_order_float32) {
  expect_many_segments_alike<float>(ZCMOE_F32, false, ZCMOE_RANGE_SEGMENTS, 70000, 850000, 64);
  expect_many_segments_alike<float>(ZCMOE_F64, false, ZCMOE_RANGE_CLAMP, 70000, 850000, 100);
  expect_many_segments_alike<float>(ZCMOE_F32, true, ZCMOE_RANGE_SEGMENTS, 40000, 800000, 64);
  expect_many_segments_alike<float>(ZCMOE_F64, true, ZCMOE_RANGE_NAN, 40000, 500000, 64);
}
TEST(reproducibility, many_segments_in_any_order_float64) {
  expect_many_segments_alike<double>(ZCMOE_F64, false, ZCMOE_RANGE_SEGMENTS, 40000, 500000, 64);
  expect_many_segments_alike<double>(ZCMOE_F64, true, ZCMOE_RANGE_CLAMP, 40000, 500000, 64);
}
TEST(reproducibility, many_segments_in_any_order_on_few_threads) {
  for (const int threads : {1, 2}) {
    SCOPED_TRACE(threads);
    expect_many_segments_alike<float>(ZCMOE_F32, false, ZCMOE_RANGE_CLAMP, 1 << 18, 12 << 18,
                                      threads);
  }
}

}  // namespace
}  // namespace zcmoe::test
