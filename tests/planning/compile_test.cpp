// Tables of known functions: closed forms, an independent dynamic program for the fewest segments,
// errors measured anew from the answers, and everything a function can do wrong.
#include <zcmoe/compile.hpp>
#include <zcmoe/theory.hpp>

#include "tests/support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace zcmoe::test {
namespace {

using real_function = std::function<double(double)>;
const double pi = std::acos(-1.0);

struct known_function {
  const char* name;
  real_function f;
  double lo;
  double hi;
};

std::vector<known_function> known_functions() {
  return {
      {"square", [](double x) { return x * x; }, 0, 1},
      {"sine", [](double x) { return std::sin(2 * pi * x); }, 0.05, 1},
      {"damped", [](double x) { return std::exp(-3 * x) * std::sin(9 * x); }, 0, 1},
      {"kink", [](double x) { return std::abs(x - 0.3); }, -1, 1},
      {"cubic", [](double x) { return 4 * x * x * x - 3 * x; }, -1.1, 1},
      {"root", [](double x) { return std::sqrt(x); }, 0, 1},
      {"saw", [](double x) { return 7 * x - std::floor(7 * x); }, 0, 0.97},
      {"logistic", [](double x) { return 1 / (1 + std::exp(-40 * (x - 0.4))); }, 0, 1},
  };
}

zcmoe_compile_options options_of(zcmoe_compile_error error) {
  zcmoe_compile_options options = compile_options();
  options.error = error;
  return options;
}

class compile_test : public testing::Test {
 protected:
  zcmoe_compile_result compiled_as(zcmoe_compile_error error, const real_function& f, double lo,
                                   double hi, double tolerance) {
    return compile(cpu_, f, lo, hi, tolerance, options_of(error)).result;
  }
  std::string refusal(const real_function& f, double tolerance, zcmoe_compile_error error,
                      double lo = 0, double hi = 1) {
    std::string said;
    EXPECT_EQ(status_of([&] { compiled_as(error, f, lo, hi, tolerance); }, &said),
              ZCMOE_ERR_NUMERIC);
    return said;
  }
  context cpu_{ZCMOE_ENGINE_CPU};
};

/// Fewest intervals of a grid in each of which cost(first, last) <= 0, by dynamic programming over
/// every partition.
template <class Fits>
std::int64_t fewest_intervals(std::size_t points, const Fits& fits) {
  std::vector<std::int64_t> fewest(points + 1, std::int64_t{1} << 40);
  fewest[0] = 0;
  for (std::size_t end = 1; end <= points; ++end) {
    for (std::size_t first = end; first-- > 0;) {
      if (!fits(first, end)) break;  // a longer interval fits no better
      fewest[end] = std::min(fewest[end], fewest[first] + 1);
    }
  }
  return fewest[points];
}

TEST_F(compile_test, maximum_needs_as_few_segments_as_any_partition) {
  constexpr std::size_t points = 20001;
  for (const known_function& k : known_functions()) {
    std::vector<double> v(points);
    for (std::size_t i = 0; i < points; ++i)
      v[i] = k.f(k.lo + (k.hi - k.lo) * static_cast<double>(i) / (points - 1));
    for (const double tolerance : {0.41, 0.131, 0.047}) {
      double low = 0;
      double high = 0;
      const auto fits = [&](std::size_t first, std::size_t end) {
        if (first + 1 == end) low = high = v[first];
        low = std::min(low, v[first]);
        high = std::max(high, v[first]);
        return high - low <= 2 * tolerance;
      };
      const auto found = compiled_as(ZCMOE_COMPILE_MAX, k.f, k.lo, k.hi, tolerance);
      EXPECT_EQ(found.num_segments, fewest_intervals(points, fits)) << k.name << " " << tolerance;
      EXPECT_EQ(found.least_segments, found.num_segments) << k.name << " " << tolerance;
    }
  }
}

TEST_F(compile_test, rms_comes_close_to_the_best_partition) {
  // Best partitions of 600 bins for every m, from moments in long double.
  constexpr std::size_t bins = 600;
  constexpr std::size_t inside = 16;
  for (const known_function& k : known_functions()) {
    std::vector<long double> first(bins + 1), second(bins + 1);
    for (std::size_t i = 0; i < bins * inside; ++i) {
      const double at = (static_cast<double>(i) + 0.5) / (bins * inside);
      const long double y = k.f(k.lo + (k.hi - k.lo) * at);
      first[i / inside + 1] += y / (bins * inside);
      second[i / inside + 1] += y * y / (bins * inside);
    }
    for (std::size_t i = 0; i < bins; ++i) {
      first[i + 1] += first[i];
      second[i + 1] += second[i];
    }
    const auto cost = [&](std::size_t a, std::size_t b) {
      const long double mass = static_cast<long double>(b - a) / bins;
      const long double sum = first[b] - first[a];
      return static_cast<double>(second[b] - second[a] - sum * sum / mass);
    };
    std::vector<double> best(bins + 1, infinity);
    best[0] = 0;
    std::vector<double> error{infinity};
    for (std::size_t m = 1; m <= 32; ++m) {
      std::vector<double> next(bins + 1, infinity);
      for (std::size_t b = 1; b <= bins; ++b) {
        for (std::size_t a = 0; a < b; ++a) next[b] = std::min(next[b], best[a] + cost(a, b));
      }
      best = next;
      error.push_back(std::sqrt(std::max(0.0, best[bins])));
    }
    for (const double tolerance : {0.11, 0.031, 0.017}) {
      const auto fewest =
          std::find_if(error.begin(), error.end(), [&](double e) { return e <= tolerance; }) -
          error.begin();
      if (static_cast<std::size_t>(fewest) == error.size()) continue;
      const auto found = compiled_as(ZCMOE_COMPILE_RMS, k.f, k.lo, k.hi, tolerance);
      // Cuts at the ends of bins make the best partition slightly worse than free ones.
      EXPECT_GE(found.num_segments, fewest - 1) << k.name << " " << tolerance;
      EXPECT_LE(found.num_segments, fewest) << k.name << " " << tolerance;
      EXPECT_LE(found.least_segments, fewest) << k.name << " " << tolerance;
    }
  }
}

TEST_F(compile_test, straight_lines_have_closed_forms) {
  const auto line = [](double x) { return 3 * x - 1; };
  for (const std::int64_t m : {1, 2, 3, 10, 99, 1000, 20000}) {
    // rms 3 / (sqrt(12) m), maximum 3 / (2 m).
    const double rms = 3 / (std::sqrt(12.0) * static_cast<double>(m));
    const auto found = compiled_as(ZCMOE_COMPILE_RMS, line, 0, 1, rms * (1 + 1e-9));
    EXPECT_EQ(found.num_segments, m);
    EXPECT_EQ(found.uniform_segments, m);
    EXPECT_NEAR(found.error / rms, 1, 2e-9);
    EXPECT_EQ(compiled_as(ZCMOE_COMPILE_RMS, line, 0, 1, rms * (1 - 1e-9)).num_segments, m + 1);
    const double most = 1.5 / static_cast<double>(m);
    const auto greedy = compiled_as(ZCMOE_COMPILE_MAX, line, 0, 1, most * (1 + 1e-9));
    EXPECT_EQ(greedy.num_segments, m);
    EXPECT_EQ(greedy.uniform_segments, m);
    EXPECT_EQ(compiled_as(ZCMOE_COMPILE_MAX, line, 0, 1, most * (1 - 1e-9)).num_segments, m + 1);
  }
}

TEST_F(compile_test, equal_widths_of_a_parabola_have_a_closed_form) {
  const auto square = [](double x) { return x * x; };
  for (const std::int64_t m : {3, 40, 500, 3000}) {
    const auto n = static_cast<double>(m);
    const double rms = std::sqrt(1 / (9 * n * n) - 1 / (45 * n * n * n * n));
    const auto found = compiled_as(ZCMOE_COMPILE_RMS, square, 0, 1, rms * (1 + 1e-9));
    EXPECT_EQ(found.uniform_segments, m);
    EXPECT_NEAR(found.uniform_error / rms, 1, 1e-9);
    // The steepest segment, the last one: (1 - (1 - 1/m)^2) / 2.
    const double most = (1 - (1 - 1 / n) * (1 - 1 / n)) / 2;
    const auto greedy = compiled_as(ZCMOE_COMPILE_MAX, square, 0, 1, most * (1 + 1e-9));
    EXPECT_EQ(greedy.uniform_segments, m);
    EXPECT_NEAR(greedy.uniform_error / most, 1, 1e-9);
  }
}

TEST_F(compile_test, high_rate_number_of_segments_under_a_density) {
  theory::problem known;
  known.density = [](double x) { return std::exp(-0.5 * std::pow((x - 0.5) / 0.2, 2)); };
  known.regression = [](double x) { return 1 / (1 + std::exp(-40 * (x - 0.4))); };
  known.slope = [&](double x) {
    const double b = known.regression(x);
    return 40 * b * (1 - b);
  };
  const double optimal = std::sqrt(known.coefficient(ZCMOE_THEORY_OPTIMAL) / 12);
  const double uniform = std::sqrt(known.coefficient(ZCMOE_THEORY_UNIFORM) / 12);
  for (const double tolerance : {1e-3, 1e-4, 1e-5}) {
    const auto found =
        compile_for_density(cpu_, known.regression, known.density, 0, 1, tolerance).result;
    EXPECT_NEAR(static_cast<double>(found.num_segments) * tolerance / optimal, 1, 10 * tolerance);
    EXPECT_NEAR(static_cast<double>(found.uniform_segments) * tolerance / uniform, 1,
                20 * tolerance);
  }
}

TEST_F(compile_test, reported_errors_are_those_of_the_answers) {
  for (const known_function& k : known_functions()) {
    for (const double tolerance : {0.1, 3e-3, 2e-4}) {
      for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
        const compiled made = compile(cpu_, k.f, k.lo, k.hi, tolerance, options_of(error));
        ASSERT_LE(made.result.error, tolerance);
        const zcmoe_model_info info = made.table.info();
        ASSERT_EQ(info.num_segments, made.result.num_segments);
        EXPECT_EQ(info.edges[0], k.lo);
        EXPECT_EQ(info.edges[info.num_segments], k.hi);
        std::vector<double> x;
        constexpr int points = 400000;
        for (int i = 0; i < points; ++i)
          x.push_back(k.lo + (k.hi - k.lo) * (static_cast<double>(i) + 0.5) / points);
        for (std::int64_t i = 0; i <= info.num_segments; ++i) {
          for (const double beside : {-infinity, info.edges[i], infinity}) {
            const double at = std::nextafter(info.edges[i], beside);
            if (at >= k.lo && at <= k.hi) x.push_back(at);
          }
        }
        const std::vector<double> y = made.table.predict_sync(x);
        double largest = 0;
        long double squares = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double off = std::abs(y[i] - k.f(x[i]));
          largest = std::max(largest, off);
          if (i < points) squares += static_cast<long double>(off) * off / points;
        }
        if (error == ZCMOE_COMPILE_MAX) {
          EXPECT_LE(largest, made.result.error) << k.name;
          EXPECT_GE(largest, made.result.error * (1 - 1e-4)) << k.name;
        } else {
          EXPECT_NEAR(std::sqrt(static_cast<double>(squares)) / made.result.error, 1, 2e-3)
              << k.name;
        }
      }
    }
  }
}

TEST_F(compile_test, a_smaller_tolerance_never_takes_fewer_segments) {
  for (const known_function& k : known_functions()) {
    for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
      std::int64_t before = 1;
      for (double tolerance = 0.5; tolerance > 1e-3; tolerance *= 0.71) {
        const auto found = compiled_as(error, k.f, k.lo, k.hi, tolerance);
        EXPECT_GE(found.num_segments, before) << k.name << " " << tolerance;
        EXPECT_LE(found.least_segments, found.num_segments);
        before = found.num_segments;
      }
    }
  }
}

TEST_F(compile_test, constants_and_jumps) {
  const auto step = [](double x) { return x < 0.3 ? -1.0 : 4.0; };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    const auto flat = compiled_as(
        error, [](double) { return 7.5; }, -3, 5, 1e-12);
    EXPECT_EQ(flat.num_segments, 1);
    EXPECT_EQ(flat.uniform_segments, 1);
    EXPECT_EQ(flat.error, 0);
    for (const double tolerance : {0.7, 1e-3, 1e-9, 1e-14}) {
      const compiled made = compile(cpu_, step, 0, 1, tolerance, options_of(error));
      ASSERT_EQ(made.result.num_segments, 2) << tolerance;
      EXPECT_EQ(made.result.least_segments, 2);
      EXPECT_LE(made.result.error, tolerance);
      if (tolerance < 0.1) {
        const zcmoe_model_info info = made.table.info();
        EXPECT_EQ(info.edges[1], 0.3);
        EXPECT_EQ(info.constants[0], -1);
        EXPECT_EQ(info.constants[1], 4);
        EXPECT_EQ(made.result.error, 0);
        EXPECT_EQ(made.result.uniform_segments, 10);
      }
    }
  }
}

TEST_F(compile_test, a_jump_at_an_end_of_the_range) {
  // Only the input hi, or lo, has the other value. It needs a segment of its own, which only the
  // largest error notices.
  const auto last = [](double x) { return x >= 1 ? 5.0 : 0.0; };
  const auto first = [](double x) { return x <= 0 ? 5.0 : 0.0; };
  for (const auto side : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
    zcmoe_model_options answers = model_options();
    answers.closed_side = side;
    for (const real_function& f : {real_function(last), real_function(first)}) {
      const compiled made = compile(cpu_, f, 0, 1, 0.1, options_of(ZCMOE_COMPILE_MAX), answers);
      EXPECT_EQ(made.result.num_segments, 2);
      const auto y =
          made.table.predict_sync(std::vector<double>{0, 5e-324, 0.5, 0x1.fffffffffffffp-1, 1});
      EXPECT_EQ(y[0], f(0));
      EXPECT_EQ(y[1], 0);
      EXPECT_EQ(y[2], 0);
      EXPECT_EQ(y[3], 0);
      EXPECT_EQ(y[4], f(1));
      EXPECT_EQ(compiled_as(ZCMOE_COMPILE_RMS, f, 0, 1, 0.1).num_segments, 1);
    }
  }
}

TEST_F(compile_test, the_closed_side_is_kept) {
  zcmoe_model_options answers = model_options();
  answers.closed_side = ZCMOE_CLOSED_RIGHT;
  const auto f = [](double x) { return x <= 0.5 ? 1.0 : 2.0; };
  const compiled made = compile(cpu_, f, 0, 1, 0.25, options_of(ZCMOE_COMPILE_MAX), answers);
  ASSERT_EQ(made.result.num_segments, 2);
  EXPECT_EQ(made.table.info().edges[1], 0.5);
  EXPECT_EQ(made.table.info().options.closed_side, ZCMOE_CLOSED_RIGHT);
  answers.include_outer_edge = 0;
  answers.range_policy = ZCMOE_RANGE_NAN;
  const auto g = [](double x) { return 3 * x; };
  EXPECT_EQ(
      compile(cpu_, g, 0, 1, 0.26, options_of(ZCMOE_COMPILE_MAX), answers).result.num_segments, 6);
}

TEST_F(compile_test, units_do_not_matter) {
  const auto f = [](double x) { return std::exp(-3 * x) * std::sin(9 * x); };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    const auto expected = compiled_as(error, f, 0, 1, 0x1p-9);
    for (const int y_exponent : {-500, 0, 500}) {
      for (const int x_exponent : {-300, 0, 300}) {
        const auto g = [&](double x) {
          return std::ldexp(f(std::ldexp(x, -x_exponent)), y_exponent);
        };
        const auto found =
            compiled_as(error, g, 0, std::ldexp(1.0, x_exponent), std::ldexp(0x1p-9, y_exponent));
        EXPECT_EQ(found.num_segments, expected.num_segments) << x_exponent << " " << y_exponent;
        EXPECT_EQ(found.uniform_segments, expected.uniform_segments);
        EXPECT_NEAR(std::ldexp(found.error, -y_exponent) / expected.error, 1, 1e-9);
      }
    }
    const auto raised = compiled_as(
        error, [&](double x) { return 1e9 + f(x); }, 0, 1, 0x1p-9);
    EXPECT_NEAR(static_cast<double>(raised.num_segments),
                static_cast<double>(expected.num_segments), 1);
  }
  const auto density = [](double x) { return 1 + x; };
  const auto p = compile_for_density(cpu_, f, density, 0, 1, 1e-3).result;
  for (const double scale : {1e-200, 1e200}) {
    const auto q = compile_for_density(
                       cpu_, f, [&](double x) { return scale * density(x); }, 0, 1, 1e-3)
                       .result;
    EXPECT_EQ(q.num_segments, p.num_segments);
  }
}

TEST_F(compile_test, no_segments_are_spent_where_there_are_no_inputs) {
  const auto steep = [](double x) { return std::abs(x) < 1 ? std::sin(40 * x) : std::sin(40.0); };
  const auto outside = [](double x) { return std::abs(x) < 1 ? 0.0 : 1.0; };
  const auto f = [&](double x) { return steep(x) + 0.1 * x; };
  const compiled made = compile_for_density(cpu_, f, outside, -2, 2, 1e-3);
  const zcmoe_model_info info = made.table.info();
  for (std::int64_t i = 1; i < info.num_segments; ++i)
    EXPECT_GE(std::abs(info.edges[i]), 1 - 1e-12);
  EXPECT_LE(made.result.error, 1e-3);
}

TEST_F(compile_test, narrow_features_are_seen) {
  const double width = 3e-4;  // a third of a part of the scan
  for (const double centre : {0.123456, 0.5, 0.98765}) {
    const auto f = [=](double x) { return std::exp(-std::pow((x - centre) / width, 2)); };
    const auto found = compiled_as(ZCMOE_COMPILE_MAX, f, 0, 1, 0.0101);
    EXPECT_EQ(found.num_segments, 99) << centre;  // up 49.5 ranges of 0.0202, a top, and down
    EXPECT_LE(compiled_as(ZCMOE_COMPILE_RMS, f, 0, 1, 1e-3).num_segments, 25);
  }
}

TEST_F(compile_test, what_cannot_be_done_is_said) {
  using testing::HasSubstr;
  const auto identity = [](double x) { return x; };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    EXPECT_THAT(refusal([](double x) { return std::log(x - 0.5); }, 0.1, error),
                HasSubstr("function returned"));
    EXPECT_THAT(
        refusal([](double x) { return std::abs(x - 0.7) < 0.01 ? not_a_number : 1.0; }, 0.1, error),
        HasSubstr("nan at x=0.6"));
    zcmoe_compile_options options = options_of(error);
    options.max_segments = 5000;
    std::string said;
    for (const real_function& f : {real_function([](double x) { return 1 / (x - 0.3); }),
                                   real_function([](double x) { return 1e9 + std::sin(x); })}) {
      EXPECT_EQ(status_of([&] { compile(cpu_, f, 0, 1, 1e-9, options); }, &said),
                ZCMOE_ERR_NUMERIC);
    }
    EXPECT_THAT(said, HasSubstr("max_segments=5000"));
    EXPECT_THAT(refusal(identity, 1e-9, error), HasSubstr("max_segments=1048576"));
    options.max_segments = 10;
    EXPECT_EQ(status_of([&] { compile(cpu_, identity, 0, 1, 1e-3, options); }, &said),
              ZCMOE_ERR_NUMERIC);
    EXPECT_THAT(said, HasSubstr("more than max_segments=10 segments"));
    options.max_segments = 1;
    EXPECT_EQ(compile(cpu_, identity, 0, 1, 0.5, options).result.num_segments, 1);
  }
  // One segment more than allowed, and exactly as many.
  zcmoe_compile_options options = options_of(ZCMOE_COMPILE_RMS);
  options.max_segments = 100;
  const double exact = 1 / (std::sqrt(12.0) * 100);
  EXPECT_EQ(compile(cpu_, identity, 0, 1, exact * (1 + 1e-6), options).result.num_segments, 100);
  EXPECT_EQ(status_of([&] { compile(cpu_, identity, 0, 1, exact * (1 - 1e-6), options); }),
            ZCMOE_ERR_NUMERIC);
  const auto of_density = [&](const real_function& density) {
    std::string text;
    EXPECT_EQ(status_of([&] { compile_for_density(cpu_, identity, density, 0, 1, 0.1); }, &text),
              ZCMOE_ERR_NUMERIC);
    return text;
  };
  EXPECT_THAT(of_density([](double) { return 0.0; }), HasSubstr("0 everywhere"));
  EXPECT_THAT(of_density([](double x) { return x - 0.5; }), HasSubstr("density returned -"));
  EXPECT_THAT(of_density([](double) { return infinity; }), HasSubstr("density returned inf"));
}

TEST_F(compile_test, wrong_arguments) {
  using testing::HasSubstr;
  const auto f = [](double x) { return x; };
  const auto refused = [&](double lo, double hi, double tolerance,
                           const zcmoe_compile_options& options = compile_options()) {
    std::string said;
    EXPECT_EQ(status_of([&] { compile(cpu_, f, lo, hi, tolerance, options); }, &said),
              ZCMOE_ERR_INVALID_ARGUMENT);
    return said;
  };
  EXPECT_THAT(refused(0, 1, 0), HasSubstr("tolerance=0;"));
  EXPECT_THAT(refused(0, 1, -1), HasSubstr("tolerance=-1;"));
  EXPECT_THAT(refused(0, 1, not_a_number), HasSubstr("tolerance="));
  EXPECT_THAT(refused(0, 1, infinity), HasSubstr("tolerance=inf"));
  EXPECT_THAT(refused(1, 0, 1), HasSubstr("lo=1 is not less than hi=0"));
  EXPECT_THAT(refused(1, 1, 1), HasSubstr("lo=1"));
  EXPECT_THAT(refused(not_a_number, 1, 1), HasSubstr("lo="));
  EXPECT_THAT(refused(0, infinity, 1), HasSubstr("hi=inf"));
  EXPECT_THAT(refused(-1e308, 1e308, 1), HasSubstr("hi - lo overflows"));
  zcmoe_compile_options options = compile_options();
  options.error = 2;
  EXPECT_THAT(refused(0, 1, 1, options), HasSubstr("options->error=2"));
  options = compile_options();
  options.max_segments = 0;
  EXPECT_THAT(refused(0, 1, 1, options), HasSubstr("options->max_segments=0"));
  options = compile_options();
  options.scan_parts = 15;
  EXPECT_THAT(refused(0, 1, 1, options), HasSubstr("options->scan_parts=15"));
  options = options_of(ZCMOE_COMPILE_MAX);
  EXPECT_EQ(status_of([&] { compile_for_density(cpu_, f, f, 0, 1, 1, options); }),
            ZCMOE_ERR_INVALID_ARGUMENT);

  // Calls the C function itself: with null pointers, without a result, with older and newer
  // structs.
  const zcmoe_function identity = [](void*, double x) { return x; };
  zcmoe_model* model = nullptr;
  const auto call = [&](zcmoe_context* context, zcmoe_function function, zcmoe_model** to,
                        zcmoe_compile_result* result) {
    return zcmoe_compile(context, function, nullptr, nullptr, 0, 1, 0.1, nullptr, nullptr, to,
                         result);
  };
  EXPECT_EQ(call(nullptr, identity, &model, nullptr), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(call(cpu_.get(), nullptr, &model, nullptr), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(call(cpu_.get(), identity, nullptr, nullptr), ZCMOE_ERR_INVALID_ARGUMENT);
  zcmoe_compile_result result{};
  EXPECT_EQ(call(cpu_.get(), identity, &model, &result), ZCMOE_ERR_INVALID_ARGUMENT);
  result.struct_size = 2 * sizeof(std::int64_t);  // ends behind num_segments
  result.error = -1;
  EXPECT_EQ(call(cpu_.get(), identity, &model, &result), ZCMOE_OK);
  EXPECT_EQ(result.num_segments, 3);
  EXPECT_EQ(result.error, -1);
  zcmoe_model_destroy(model);
  EXPECT_EQ(call(cpu_.get(), identity, &model, nullptr), ZCMOE_OK);
  zcmoe_model_destroy(model);
}

TEST_F(compile_test, exceptions_of_the_function_come_back) {
  const auto thrower = [](double x) -> double {
    if (x > 0.6) throw std::out_of_range("beyond 0.6");
    return x;
  };
  const auto one = [](double) { return 1.0; };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX})
    EXPECT_THROW(compile(cpu_, thrower, 0, 1, 1e-3, options_of(error)), std::out_of_range);
  EXPECT_THROW(compile_for_density(cpu_, one, thrower, 0, 1, 1e-3), std::out_of_range);
}

TEST_F(compile_test, tiny_ranges) {
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    // The ranges are two neighbouring doubles, three of them, and the smallest numbers there are.
    const double next = std::nextafter(1.0, 2.0);
    EXPECT_EQ(compiled_as(
                  error, [](double) { return 2.0; }, 1, next, 1e-3)
                  .num_segments,
              1);
    const auto found = compiled_as(
        error, [](double x) { return x; }, 1, std::nextafter(next, 2.0), 1);
    EXPECT_EQ(found.num_segments, 1);
    EXPECT_LE(compiled_as(
                  error, [](double x) { return x; }, 0, 1e-310, 1e-311)
                  .num_segments,
              5);
  }
}

/// Counts where a function is asked.
struct watched {
  double (*f)(double);
  double lo;
  double hi;
  long outside = 0;

  static double call(void* user, double x) {
    auto& self = *static_cast<watched*>(user);
    if (!(x >= self.lo && x <= self.hi)) ++self.outside;
    return self.f(x);
  }
};

TEST_F(compile_test, functions_of_any_size_are_asked_inside_the_range_only) {
  struct hard {
    const char* name;
    double (*f)(double);
    double lo;
    double hi;
  };
  const hard functions[] = {
      {"pole at lo", [](double x) { return 1 / x; }, 0, 1},
      {"root of a pole", [](double x) { return 1 / std::sqrt(x); }, 0, 1},
      {"jump of 2e308", [](double x) { return x < 0.5 ? -1e308 : 1e308; }, 0, 1},
      {"jump of the largest", [](double x) { return x < 0.5 ? -1.79e308 : 1.79e308; }, 0, 1},
      {"jump of 2e300", [](double x) { return x < 0.5 ? -1e300 : 1e300; }, 0, 1},
      {"jump of 2e160", [](double x) { return x < 0.5 ? -1e160 : 1e160; }, 0, 1},
      {"line to 1e200", [](double x) { return 1e200 * x; }, 0, 1},
      {"line to 1.7e308", [](double x) { return 1.7e308 * (2 * x - 1); }, 0, 1},
      {"steps of 1e300", [](double x) { return std::rint(x * 1e300); }, 0, 1},
      {"sine of 1e154", [](double x) { return 1e154 * std::sin(9 * x); }, 0, 1},
      {"sine of 1.7e308", [](double x) { return 1.7e308 * std::sin(9 * x); }, 0, 1},
      {"comb", [](double x) { return std::fmod(x * 64, 1.0) < 0.5 ? -1.7e308 : 1.7e308; }, 0, 1},
      {"subnormal", [](double x) { return 5e-324 * std::rint(x * 9); }, 0, 1},
      {"narrow range", [](double x) { return (x - 1) * 1e308 / 0x1p-50; }, 1, 1 + 0x1p-50},
      {"range at 1e300", [](double x) { return x; }, 1e300, 1.5e300},
      {"far range", [](double x) { return std::sin(x); }, -8e307, 8e307},
  };
  for (const hard& h : functions) {
    for (const zcmoe_compile_error error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
      for (const double tolerance : {1e-2, 1e152, 1e299}) {
        SCOPED_TRACE(testing::Message() << h.name << " error " << error << " tol " << tolerance);
        watched seen{h.f, h.lo, h.hi};
        zcmoe_compile_options options = options_of(error);
        options.max_segments = 48;
        options.scan_parts = 16;
        zcmoe_model* made = nullptr;
        const zcmoe_status status =
            zcmoe_compile(cpu_.get(), watched::call, nullptr, &seen, h.lo, h.hi, tolerance,
                          &options, nullptr, &made, nullptr);
        EXPECT_TRUE(status == ZCMOE_OK || status == ZCMOE_ERR_NUMERIC)
            << status << " " << zcmoe_last_error();
        EXPECT_EQ(seen.outside, 0);
        zcmoe_model_destroy(made);
      }
    }
  }
}

TEST_F(compile_test, jumps_between_the_largest_doubles_are_found) {
  const auto jump = [](double x) { return x < 0.5 ? -1e308 : 1e308; };
  for (const zcmoe_compile_error error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    EXPECT_EQ(compiled_as(error, jump, 0, 1, 1e299).num_segments, 2) << error;
  }
}

}  // namespace
}  // namespace zcmoe::test
