// The instruction sets of the CPU engine: each that this machine has is forced by ZCMOE_CPU_TARGET,
// is the one that runs, and gives the bits of the naive scan and of every other.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <algorithm>
#include <cfenv>
#include <cstdlib>
#include <map>
#include <numeric>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace zcmoe::test {
namespace {

/// ZCMOE_CPU_TARGET as long as it lives.
class forced_target {
 public:
  explicit forced_target(const std::string& name) {
    const char* const before = std::getenv(variable);
    had_ = before != nullptr;
    if (had_) before_ = before;
    setenv(variable, name.c_str(), 1);
  }
  ~forced_target() { had_ ? setenv(variable, before_.c_str(), 1) : unsetenv(variable); }
  forced_target(const forced_target&) = delete;
  forced_target& operator=(const forced_target&) = delete;

 private:
  static constexpr const char* variable = "ZCMOE_CPU_TARGET";
  bool had_ = false;
  std::string before_;
};

context cpu_context() {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = 1;
  return context(options);
}

/// What this machine must offer, by its own word.
std::vector<std::string> expected_targets() {
#if defined(__x86_64__)
  std::vector<std::string> names;
  const bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512vbmi")) names.push_back("avx512vbmi");
  if (avx512) names.push_back("avx512");
  if (__builtin_cpu_supports("avx2")) names.push_back("avx2");
  if (__builtin_cpu_supports("sse4.2")) names.push_back("sse4");
  if (__builtin_cpu_supports("ssse3")) names.push_back("ssse3");
  names.push_back("portable");
  return names;
#elif defined(__aarch64__)
  return {"neon"};
#else
  return {"portable"};
#endif
}

TEST(cpu_targets_test, each_runs_when_it_is_forced) {
  for (const std::string& name : expected_targets()) {
    const forced_target forced(name);
    EXPECT_EQ(std::string(cpu_context().info().name), "cpu, 1 thread, " + name);
  }
}

TEST(cpu_targets_test, the_best_runs_unless_another_is_forced) {
  const forced_target none("");
  EXPECT_EQ(std::string(cpu_context().info().name), "cpu, 1 thread, " + expected_targets().front());
}

TEST(cpu_targets_test, an_unknown_one_is_an_error_that_names_the_known) {
  const forced_target forced("avx9000");
  std::string text;
  EXPECT_EQ(status_of([] { cpu_context(); }, &text), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("ZCMOE_CPU_TARGET=avx9000"));
  for (const std::string& name : expected_targets()) EXPECT_THAT(text, testing::HasSubstr(name));
}

/// Edges for every path: planes of 64, 128 and 256 ranks, cells near and far, each root, crowds.
std::vector<std::vector<double>> edges_of_every_kind() {
  std::vector<std::vector<double>> all;
  for (const std::int64_t m : {1, 2, 3, 40, 64, 65, 128, 200, 256, 257, 1000, 5000, 70000})
    all.push_back(uniform_edges(-1, 3, m));
  for (const int m : {50, 300, 20000}) {  // widths that grow: grid
    std::vector<double> edges;
    for (int i = 0; i <= m; ++i) edges.push_back(std::expm1(3.0 * i / m) - 1);
    all.push_back(edges);
  }
  for (const int m : {60, 700, 9000}) {  // over 40 binades: pieces, and crowds
    std::vector<double> edges;
    for (int i = 0; i <= m; ++i) edges.push_back(std::exp2(40.0 * i / m - 38));
    all.push_back(edges);
  }
  std::vector<double> crowd = {-1e30};  // one giant, and edges one double apart
  for (int i = 0; i < 500; ++i) crowd.push_back(i == 0 ? 1.0 : std::nextafter(crowd.back(), 2.0));
  crowd.push_back(3.0);
  all.push_back(crowd);
  constexpr double most = std::numeric_limits<double>::max();
  all.push_back({-most, -1.0, 0.0, 2.5, most});
  return all;
}

template <class T>
std::vector<T> inputs_around(const std::vector<double>& edges, std::size_t n) {
  std::mt19937_64 random(n);
  std::vector<T> x(n);
  for (T& value : x) {
    const double edge = edges[random() % edges.size()];
    const double other = edges[random() % edges.size()];
    switch (random() % 8) {
      case 0: value = static_cast<T>(edge); break;
      case 1: value = std::nextafter(static_cast<T>(edge), static_cast<T>(infinity)); break;
      case 2: value = std::nextafter(static_cast<T>(edge), static_cast<T>(-infinity)); break;
      default: {
        const double u = static_cast<double>(random() >> 11) * 0x1p-53;
        value = static_cast<T>(edge * u + other * (1 - u));
      }
    }
  }
  x[n / 2] = static_cast<T>(not_a_number);
  x[n / 3] = static_cast<T>(infinity);
  x[n / 5] = static_cast<T>(-infinity);
  x[n / 7] = T{-0.0};
  return x;
}

template <class T>
void expect_same_predictions() {
  for (const std::vector<double>& edges : edges_of_every_kind()) {
    const std::size_t n = 1000 + edges.size() % 64;
    const std::vector<T> x = inputs_around<T>(edges, n);
    std::vector<double> constants(edges.size() - 1);
    for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i) + 0.5;
    std::vector<T> expected(n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto rank =
          std::upper_bound(edges.begin() + 1, edges.end() - 1, static_cast<double>(x[i])) -
          (edges.begin() + 1);
      expected[i] = static_cast<T>(constants[static_cast<std::size_t>(rank)]);
      if (x[i] != x[i]) expected[i] = static_cast<T>(-7);
    }
    zcmoe_model_options options = model_options();
    options.nan_policy = ZCMOE_NAN_VALUE;
    options.nan_value = -7;
    for (const std::string& name : expected_targets()) {
      SCOPED_TRACE(name + ", m = " + std::to_string(constants.size()));
      const forced_target forced(name);
      const context cpu = cpu_context();
      const model model(cpu, edges, constants, options);
      // Every length up to some vectors, every alignment, in place too.
      for (std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16},
                                std::size_t{63}, std::size_t{64}, std::size_t{200}, n - 3}) {
        for (std::size_t from = 0; from < 4; ++from) {
          const std::size_t rows = std::min(count, n - from);
          std::vector<T> y(rows + 2, T{-1});
          zcmoe_predict_outputs outputs = predict_outputs();
          outputs.values = output(y.data() + 1);
          model.predict_sync(array(x.data() + from), static_cast<std::int64_t>(rows), outputs);
          ASSERT_EQ(y.front(), T{-1});
          ASSERT_EQ(y.back(), T{-1});
          ASSERT_TRUE(std::equal(y.begin() + 1, y.end() - 1, expected.begin() + from));
        }
      }
      std::vector<T> in_place = x;
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(in_place.data());
      model.predict_sync(array(in_place.data()), static_cast<std::int64_t>(n), outputs);
      ASSERT_EQ(in_place, expected);
    }
  }
}

TEST(cpu_targets_test, all_predict_alike_float32) { expect_same_predictions<float>(); }
TEST(cpu_targets_test, all_predict_alike_float64) { expect_same_predictions<double>(); }

/// Lines fitted and read on every target: the state's bytes and the answers, against those of the
/// target without vectors. Targets of every size among them, which words do not hold, ties, NaN,
/// and inputs outside the range.
template <class T>
void expect_same_lines() {
  for (const std::int64_t m : {1, 3, 100, 3000}) {
    const std::size_t n = 20000;
    const auto edges = uniform_edges(-1, 3, m);
    std::mt19937_64 random(static_cast<std::uint64_t>(m));
    std::vector<T> x(n), y(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-53 * 5 - 1.5);
      if (i % 11 == 0) x[i] = i > 0 ? x[i - 1] : T{0};
      y[i] = static_cast<T>(std::sin(3 * static_cast<double>(x[i])) +
                            static_cast<double>(random() % 1000));
      if (i % 97 == 0)
        y[i] = static_cast<T>(std::ldexp(y[i], static_cast<int>(random() % 200) - 100));
    }
    x[n / 2] = static_cast<T>(not_a_number);
    x[n / 3] = static_cast<T>(infinity);
    y[n / 4] = static_cast<T>(not_a_number);
    std::vector<unsigned char> state;
    std::vector<T> answers;
    std::vector<std::string> names = expected_targets();
    std::reverse(names.begin(), names.end());  // that without vectors first
    for (const std::string& name : names) {
      SCOPED_TRACE(name + ", m = " + std::to_string(m));
      const forced_target forced(name);
      zcmoe_model_options options = model_options();
      options.experts = ZCMOE_EXPERTS_LINEAR;
      const context cpu = cpu_context();
      fit lines(cpu, edges, options);
      lines.add_sync(x, y);
      const model fitted = lines.finish();
      std::vector<T> found(n);
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(found.data());
      fitted.predict_sync(array(x.data()), static_cast<std::int64_t>(n), outputs);
      if (state.empty()) {
        state = lines.serialize();
        answers = found;
      }
      ASSERT_EQ(lines.serialize(), state);
      ASSERT_TRUE(same_bits(found, answers));
    }
  }
}

TEST(cpu_targets_test, all_fit_and_read_lines_alike_float32) { expect_same_lines<float>(); }
TEST(cpu_targets_test, all_fit_and_read_lines_alike_float64) { expect_same_lines<double>(); }

/// One giant segment and m - 1 tiny ones, most of which no float can tell apart; or widths of every
/// binade. ZCMOE_LONG_TESTS=1: up to 2^24 segments.
TEST(cpu_targets_test, very_many_segments) {
  const bool longer = std::getenv("ZCMOE_LONG_TESTS") != nullptr;
  for (const std::int64_t m : {std::int64_t{1000000}, std::int64_t{1} << 24}) {
    if (m > 1000000 && !longer) break;
    std::vector<double> tiny = {-1e6};
    std::vector<double> geometric;
    for (std::int64_t i = 0; i <= m; ++i) {
      if (i > 0) tiny.push_back(1 + static_cast<double>(i) * 0x1p-40);
      geometric.push_back(std::exp2(60.0 * static_cast<double>(i) / static_cast<double>(m) - 30));
    }
    for (const std::vector<double>& edges : {tiny, geometric, uniform_edges(0, 1, m)}) {
      std::vector<double> constants(edges.size() - 1);
      for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i);
      const context cpu = cpu_context();
      const model model(cpu, edges, constants);
      EXPECT_LE(model.info().routing_bytes, 400 * m);
      const auto x = inputs_around<double>(edges, 50000);
      const std::vector<float> narrow(x.begin(), x.end());
      const auto answers = model.predict_sync(x);
      const auto narrow_answers = model.predict_sync(narrow);
      const auto expected = [&](double input) {
        return static_cast<double>(std::upper_bound(edges.begin() + 1, edges.end() - 1, input) -
                                   (edges.begin() + 1));
      };
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] != x[i]) continue;
        ASSERT_EQ(answers[i], expected(x[i])) << x[i];
        ASSERT_EQ(narrow_answers[i], static_cast<float>(expected(narrow[i]))) << narrow[i];
      }
    }
  }
}

TEST(cpu_targets_test, answers_past_the_caches_are_the_same) {
  const std::size_t n = (std::size_t{5} << 20) + 13;  // more than half of a large last cache
  const auto edges = uniform_edges(0, 1, 1000);
  std::vector<double> constants(1000);
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i);
  std::vector<float> x(n);
  std::mt19937 random(5);
  for (float& value : x) value = static_cast<float>(random() >> 8) * 0x1p-24f;
  for (const std::string& name : expected_targets()) {
    SCOPED_TRACE(name);
    const forced_target forced(name);
    const context cpu = cpu_context();
    const model model(cpu, edges, constants, model_options());
    std::vector<float> y(n + 3, -1.0f);
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(y.data() + 1);
    model.predict_sync(array(x.data()), static_cast<std::int64_t>(n), outputs);
    ASSERT_EQ(y.front(), -1.0f);
    ASSERT_EQ(y[n + 1], -1.0f);
    for (std::size_t i = 0; i < n; i += 97) {
      const auto rank =
          std::upper_bound(edges.begin() + 1, edges.end() - 1, static_cast<double>(x[i])) -
          (edges.begin() + 1);
      ASSERT_EQ(y[i + 1], static_cast<float>(rank)) << i;
    }
  }
}

struct fit_kind {
  zcmoe_dtype state;
  bool weighted;
};

/// Rows of type T in every state that holds them, with weights and without.
template <class T>
std::vector<fit_kind> kinds_of_fits() {
  std::vector<fit_kind> kinds;
  for (const bool weighted : {false, true}) {
    if (sizeof(T) == 4) kinds.push_back({ZCMOE_F32, weighted});
    kinds.push_back({ZCMOE_F64, weighted});
  }
  return kinds;
}

zcmoe_fit_options options_of(const fit_kind& kind) {
  zcmoe_fit_options options = fit_options();
  options.target_dtype = kind.state;
  options.weighted = kind.weighted ? 1 : 0;
  return options;
}

template <class T>
void expect_same_fits(const fit_kind& kind) {
  std::mt19937_64 random(11);
  for (const std::int64_t m : {1, 2, 3, 4, 7, 8, 9, 100, 300, 2000}) {
    const auto edges = uniform_edges(0, 1, m);
    const std::size_t n = 20000;
    std::vector<float> x(n);
    std::vector<T> y(n);
    std::vector<T> w(n);
    for (std::size_t i = 0; i < n; ++i) {
      w[i] = static_cast<T>(random() >> 11) * T(0x1p-53);
      if (i % 5 == 0) w[i] *= T(0x1p-6);
      if (i % 883 == 0) w[i] *= T(0x1p30);
      if (i % 13 == 0) w[i] = 0;
      x[i] = static_cast<float>(random() >> 40) * 0x1p-24f * (m == 7 ? 1.2f : 1.0f);
      y[i] = std::sin(T{9} * static_cast<T>(x[i])) + static_cast<T>(random() >> 40) * T(0x1p-30);
      if (i % 997 == 0) y[i] *= T(0x1p-30);                    // below the window
      if (i % 1009 == 0) y[i] *= T(0x1p40);                    // above it
      if (i % 1511 == 0) y[i] = static_cast<T>(std::nan(""));  // left out
      if (i % 1777 == 0 && m != 300) x[i] = std::nanf("");     // left out
      if (i > n / 2) y[i] *= T(0x1p20);                        // another window
    }
    if (m == 300) std::sort(x.begin(), x.end());
    std::map<std::string, std::vector<unsigned char>> states;
    for (const std::string& name : expected_targets()) {
      const forced_target forced(name);
      const context cpu = cpu_context();
      for (const std::size_t chunk : {n, std::size_t{37}}) {  // 37: too few rows for a window
        zcmoe_model_options policies = model_options();
        policies.range_policy = m == 7 ? ZCMOE_RANGE_SEGMENTS : ZCMOE_RANGE_CLAMP;
        fit fit(cpu, edges, policies, options_of(kind));
        for (std::size_t i = 0; i < n; i += chunk) {
          const std::size_t rows = std::min(chunk, n - i);
          fit.add_sync(array(x.data() + i), array(y.data() + i),
                       kind.weighted ? array(w.data() + i) : no_array(),
                       static_cast<std::int64_t>(rows));
        }
        states[name + (chunk == n ? "" : " in chunks")] = fit.serialize();
      }
    }
    for (const auto& [name, state] : states)
      EXPECT_TRUE(state == states.begin()->second) << name << ", m = " << m;
  }
}

TEST(cpu_targets_test, all_fit_alike_float32) {
  for (const fit_kind& kind : kinds_of_fits<float>()) expect_same_fits<float>(kind);
}
TEST(cpu_targets_test, all_fit_alike_float64) {
  for (const fit_kind& kind : kinds_of_fits<double>()) expect_same_fits<double>(kind);
}

/// Targets (and weights) as small and as large as there are, and of any number of bits, against
/// rows added one at a time, which no window takes part in.
template <class T>
void expect_fits_of_any_size(const fit_kind& kind) {
  std::mt19937_64 random(17);
  const auto edges = uniform_edges(0, 1, 5);
  const std::size_t n = 400;
  const zcmoe_fit_options how = options_of(kind);
  const int least = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  for (int exponent = least; exponent < std::numeric_limits<T>::max_exponent;
       exponent += sizeof(T) == 4 ? 9 : 37) {
    for (const int spread : {0, 5, 18, 40}) {  // binades below the largest
      std::vector<T> x(n);
      std::vector<T> y(n);
      std::vector<T> w(n);
      for (std::size_t i = 0; i < n; ++i) {
        // Weights go the other way: from the largest to the least.
        w[i] = std::ldexp(static_cast<T>(static_cast<double>(random()) * 0x1p-65 + 0.5),
                          least + std::numeric_limits<T>::max_exponent - exponent -
                              (spread > 0 ? static_cast<int>(random() % spread) : 0));
        x[i] = static_cast<T>(static_cast<double>(i) / n);  // runs of 80
        const auto fraction = static_cast<T>(static_cast<double>(random()) * 0x1p-65 + 0.5);
        const int lower = spread > 0 ? static_cast<int>(random() % spread) : 0;
        y[i] = std::ldexp(random() % 2 == 0 ? fraction : -fraction, exponent + 1 - lower);
        if (random() % 16 == 0) y[i] = T{0};
      }
      std::vector<std::size_t> order(n);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::shuffle(order.begin(), order.end(), random);
      std::vector<T> other_x(n);
      std::vector<T> other_y(n);
      std::vector<T> other_w(n);
      for (std::size_t i = 0; i < n; ++i) {
        other_x[i] = x[order[i]];
        other_y[i] = y[order[i]];
        other_w[i] = w[order[i]];
      }
      const auto weights = [&](const std::vector<T>& of, std::size_t from) {
        return kind.weighted ? array(of.data() + from) : no_array();
      };
      for (const std::string& name : expected_targets()) {
        const forced_target forced(name);
        const context cpu = cpu_context();
        fit expected(cpu, edges, model_options(), how);
        for (std::size_t i = 0; i < n; ++i)
          expected.add_sync(array(x.data() + i), array(y.data() + i), weights(w, i), 1);
        fit in_order(cpu, edges, model_options(), how);
        in_order.add_sync(array(x.data()), array(y.data()), weights(w, 0), n);
        fit mixed(cpu, edges, model_options(), how);
        mixed.add_sync(array(other_x.data()), array(other_y.data()), weights(other_w, 0), n);
        EXPECT_TRUE(in_order.serialize() == expected.serialize())
            << name << ", 2^" << exponent << ", " << spread;
        EXPECT_TRUE(mixed.serialize() == expected.serialize())
            << name << ", 2^" << exponent << ", " << spread;
      }
    }
  }
}

TEST(cpu_targets_test, targets_of_any_size_float32) {
  for (const fit_kind& kind : kinds_of_fits<float>()) expect_fits_of_any_size<float>(kind);
}
TEST(cpu_targets_test, targets_of_any_size_float64) {
  for (const fit_kind& kind : kinds_of_fits<double>()) expect_fits_of_any_size<double>(kind);
}

/// More rows of two segments than the words of a window can hold, in turn and one after the other,
/// against what merged pieces hold. Every target has all its bits, and but for those by which the
/// window is chosen, it just holds them.
template <class T>
void expect_long_fits_to_be_exact(const fit_kind& kind) {
  constexpr std::size_t piece = 2 * 1367;  // rows; all that are looked at are among every 1367th
  constexpr int doublings = 9;
  const std::size_t n = piece << doublings;
  std::vector<T> in_turn(n);
  std::vector<T> sorted(n);
  std::vector<T> y_in_turn(n);
  std::vector<T> y_sorted(n);
  std::vector<T> w(n);
  for (std::size_t i = 0; i < n; ++i) {
    w[i] = std::nextafter(i % 1367 == 0 ? T{1} : T{4}, T{0});
    const T size = std::nextafter(i % 1367 == 0 ? T{2} : T{4}, T{0});
    in_turn[i] = static_cast<T>(i % 2 == 0 ? 0.25 : 0.75);
    y_in_turn[i] = i % 2 == 0 ? size : -size;
    sorted[i] = static_cast<T>(i < n / 2 ? 0.25 : 0.75);
    y_sorted[i] = i < n / 2 ? size : -size;
  }
  for (const std::int64_t m : {2, 4, 100, 600}) {
    const auto edges = uniform_edges(0, 1, m);
    for (const std::string& name : expected_targets()) {
      const forced_target forced(name);
      const context cpu = cpu_context();
      const zcmoe_fit_options how = options_of(kind);
      const auto weights = [&](std::size_t from) {
        return kind.weighted ? array(w.data() + from) : no_array();
      };
      fit expected(cpu, edges, model_options(), how);
      for (std::size_t i = 0; i < piece; ++i) {  // too few rows at a time for a window
        expected.add_sync(array(in_turn.data() + i), array(y_in_turn.data() + i), weights(i), 1);
      }
      for (int k = 0; k < doublings; ++k) {
        expected.merge(fit::deserialize(cpu, expected.serialize()));
      }
      const auto state_of = [&](const std::vector<T>& x, const std::vector<T>& y) {
        fit at_once(cpu, edges, model_options(), how);
        at_once.add_sync(array(x.data()), array(y.data()), weights(0),
                         static_cast<std::int64_t>(n));
        return at_once.serialize();
      };
      EXPECT_TRUE(state_of(in_turn, y_in_turn) == expected.serialize()) << name << ", m = " << m;
      EXPECT_TRUE(state_of(sorted, y_sorted) == expected.serialize()) << name << ", m = " << m;
    }
  }
}

TEST(cpu_targets_test, long_fits_are_exact_float32) {
  for (const fit_kind& kind : kinds_of_fits<float>()) expect_long_fits_to_be_exact<float>(kind);
}
TEST(cpu_targets_test, long_fits_are_exact_float64) {
  for (const fit_kind& kind : kinds_of_fits<double>()) expect_long_fits_to_be_exact<double>(kind);
}

/// More rows of one segment than the words of a window of float64 can hold, all the same number.
TEST(cpu_targets_test, a_run_of_2_to_the_28_rows_is_exact) {
  const double x = 0.25;
  const double y = std::nextafter(4.0, 0.0);
  const context cpu = cpu_context();
  const auto add = [&](fit& to, std::int64_t rows) {
    to.add_sync(array(&x, 0), array(&y, 0), no_array(), rows);
  };
  fit at_once(cpu, {0, 0.5, 1});
  add(at_once, std::int64_t{1} << 28);
  fit doubled(cpu, {0, 0.5, 1});
  add(doubled, 1);  // no window for one row
  for (int k = 0; k < 28; ++k) doubled.merge(fit::deserialize(cpu, doubled.serialize()));
  EXPECT_TRUE(at_once.serialize() == doubled.serialize());
}

TEST(cpu_targets_test, the_callers_arithmetic_does_not_matter) {
  const auto edges = uniform_edges(0, 1, 300);
  std::vector<double> constants(300);
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i);
  std::vector<float> x(4096);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 4096.0f;
  x[0] = std::numeric_limits<float>::denorm_min();
  const context cpu = cpu_context();
  const model model(cpu, {0.0, 1e-45, 0.5, 1.0}, {1, 2, 3}, model_options());
  const zcmoe::model fine(cpu, edges, constants, model_options());
  const auto expected = model.predict_sync(x);
  const auto expected_fine = fine.predict_sync(x);
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(std::fesetround(rounding), 0);
#if defined(__x86_64__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040u);  // subnormals to zero, in and out
#endif
    const auto got = model.predict_sync(x);
    const auto got_fine = fine.predict_sync(x);
#if defined(__x86_64__)
    EXPECT_EQ(_mm_getcsr() & 0x8040u, 0x8040u);  // left as it was
    _mm_setcsr(before);
#endif
    EXPECT_EQ(std::fegetround(), rounding);
    std::fesetround(FE_TONEAREST);
    EXPECT_TRUE(same_bits(got, expected));
    EXPECT_TRUE(same_bits(got_fine, expected_fine));
  }
}

}  // namespace
}  // namespace zcmoe::test
