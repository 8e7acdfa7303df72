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

zcmoe_model_options answering_with(std::int32_t experts) {
  zcmoe_model_options answers = model_options();
  answers.experts = experts;
  return answers;
}

constexpr std::int32_t every_kind[] = {ZCMOE_EXPERTS_CONSTANT, ZCMOE_EXPERTS_LINEAR,
                                       ZCMOE_EXPERTS_INTERPOLATE};
constexpr std::int32_t kinds_of_lines[] = {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE};

class compile_test : public testing::Test {
 protected:
  zcmoe_compile_result compiled_as(zcmoe_compile_error error, const real_function& f, double lo,
                                   double hi, double tolerance) {
    return compile(cpu_, f, lo, hi, tolerance, options_of(error)).result;
  }
  zcmoe_compile_result lines_as(zcmoe_compile_error error, std::int32_t experts,
                                const real_function& f, double lo, double hi, double tolerance) {
    return compile(cpu_, f, lo, hi, tolerance, options_of(error), answering_with(experts)).result;
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

/// The least rms of 1, 2, ..., `most` intervals of so many bins, by dynamic programming over every
/// partition; [0] is infinite.
template <class Cost>
std::vector<double> least_rms(std::size_t bins, std::size_t most, const Cost& cost) {
  std::vector<double> best(bins + 1, infinity);
  best[0] = 0;
  std::vector<double> rms{infinity};
  for (std::size_t m = 1; m <= most; ++m) {
    std::vector<double> next(bins + 1, infinity);
    for (std::size_t b = 1; b <= bins; ++b) {
      for (std::size_t a = 0; a < b; ++a) next[b] = std::min(next[b], best[a] + cost(a, b));
    }
    best = next;
    rms.push_back(std::sqrt(std::max(0.0, best[bins])));
  }
  return rms;
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
    const std::vector<double> error = least_rms(bins, 32, cost);
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

/// Least largest distance of a line from points, over slopes between which it is convex.
double least_distance(const std::vector<double>& x, const std::vector<double>& v, std::size_t first,
                      std::size_t end) {
  const auto distance = [&](double slope) {
    double low = infinity;
    double high = -infinity;
    for (std::size_t i = first; i < end; ++i) {
      low = std::min(low, v[i] - slope * x[i]);
      high = std::max(high, v[i] - slope * x[i]);
    }
    return (high - low) / 2;
  };
  if (end - first < 3) return 0;
  double left = -1e4;
  double right = 1e4;
  for (int step = 0; step < 90; ++step) {
    const double third = (right - left) / 3;
    const bool lower = distance(left + third) < distance(right - third);
    (lower ? right : left) += lower ? -third : third;
  }
  return distance((left + right) / 2);
}

TEST_F(compile_test, lines_need_as_few_segments_as_any_partition) {
  constexpr std::size_t points = 501;
  for (const known_function& k : known_functions()) {
    std::vector<double> x(points);
    std::vector<double> v(points);
    for (std::size_t i = 0; i < points; ++i) {
      x[i] = k.lo + (k.hi - k.lo) * static_cast<double>(i) / (points - 1);
      v[i] = k.f(x[i]);
    }
    for (const double tolerance : {0.13, 0.021, 0.0047}) {
      // A segment that begins further left ends no further right: taking each as far as it goes is
      // best. Here that is found by trying every end.
      std::int64_t fewest = 0;
      for (std::size_t first = 0; first < points; ++fewest) {
        std::size_t end = first + 1;
        while (end < points && least_distance(x, v, first, end + 1) <= tolerance) ++end;
        first = end;
      }
      const auto lines =
          lines_as(ZCMOE_COMPILE_MAX, ZCMOE_EXPERTS_LINEAR, k.f, k.lo, k.hi, tolerance);
      const auto shared =
          lines_as(ZCMOE_COMPILE_MAX, ZCMOE_EXPERTS_INTERPOLATE, k.f, k.lo, k.hi, tolerance);
      SCOPED_TRACE(testing::Message() << k.name << " " << tolerance);
      // Points of a grid are fewer demands than the whole range.
      EXPECT_GE(lines.num_segments, fewest);
      EXPECT_LE(lines.num_segments, fewest + 1);
      EXPECT_LE(lines.least_segments, lines.num_segments);
      EXPECT_GE(lines.least_segments, fewest);
      EXPECT_EQ(shared.least_segments, lines.least_segments);
      EXPECT_GE(shared.num_segments, lines.num_segments);
      EXPECT_LE(shared.num_segments, lines.num_segments + 1);  // one bend, or two short ones
    }
  }
}

TEST_F(compile_test, rms_of_lines_comes_close_to_the_best_partition) {
  // Best partitions of 300 bins for every m, from sums in long double.
  constexpr std::size_t bins = 300;
  constexpr std::size_t inside = 32;
  for (const known_function& k : known_functions()) {
    struct sums {
      long double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    };
    std::vector<sums> up_to(bins + 1);
    for (std::size_t i = 0; i < bins * inside; ++i) {
      const double at = (static_cast<double>(i) + 0.5) / (bins * inside);
      const long double x = at;
      const long double y = k.f(k.lo + (k.hi - k.lo) * at);
      constexpr long double w = 1.0L / (bins * inside);
      sums& s = up_to[i / inside + 1];
      s = {s.x + w * x, s.y + w * y, s.xx + w * x * x, s.xy + w * x * y, s.yy + w * y * y};
    }
    for (std::size_t i = 0; i < bins; ++i) {
      const sums& a = up_to[i];
      sums& b = up_to[i + 1];
      b = {a.x + b.x, a.y + b.y, a.xx + b.xx, a.xy + b.xy, a.yy + b.yy};
    }
    const auto cost = [&](std::size_t a, std::size_t b) {
      const sums& from = up_to[a];
      const sums& to = up_to[b];
      const long double w = static_cast<long double>(b - a) / bins;
      const long double x = to.x - from.x;
      const long double y = to.y - from.y;
      const long double xx = to.xx - from.xx - x * x / w;
      const long double xy = to.xy - from.xy - x * y / w;
      const long double yy = to.yy - from.yy - y * y / w;
      return std::max(0.0, static_cast<double>(yy - xy * xy / xx));
    };
    const std::vector<double> error = least_rms(bins, 16, cost);
    for (const double tolerance : {0.05, 0.006, 0.0021}) {
      const auto fewest =
          std::find_if(error.begin(), error.end(), [&](double e) { return e <= tolerance; }) -
          error.begin();
      if (static_cast<std::size_t>(fewest) == error.size()) continue;
      SCOPED_TRACE(testing::Message() << k.name << " " << tolerance);
      const auto lines =
          lines_as(ZCMOE_COMPILE_RMS, ZCMOE_EXPERTS_LINEAR, k.f, k.lo, k.hi, tolerance);
      // Cuts at the ends of bins make the best partition slightly worse than free ones.
      // Cuts at the ends of bins make the best partition slightly worse than free ones; no bin ends
      // where the saw jumps.
      EXPECT_GE(lines.num_segments, k.name == std::string("saw") ? 7 : fewest - 1);
      EXPECT_LE(lines.num_segments, fewest);
      EXPECT_LE(lines.least_segments, fewest);
      const auto shared =
          lines_as(ZCMOE_COMPILE_RMS, ZCMOE_EXPERTS_INTERPOLATE, k.f, k.lo, k.hi, tolerance);
      EXPECT_GE(shared.num_segments, lines.num_segments);
      // A jump takes a segment more, and the saw has six.
      EXPECT_LE(shared.num_segments, lines.num_segments + (k.name == std::string("saw") ? 7 : 2));
    }
  }
}

TEST_F(compile_test, lines_on_a_parabola_have_closed_forms) {
  const auto square = [](double x) { return x * x; };
  for (const std::int64_t m : {1, 2, 7, 60}) {
    SCOPED_TRACE(m);
    const double n = static_cast<double>(m);
    const double rms = 1 / (std::sqrt(180.0) * n * n);
    const auto found =
        lines_as(ZCMOE_COMPILE_RMS, ZCMOE_EXPERTS_LINEAR, square, 0, 1, rms * (1 + 1e-7));
    EXPECT_EQ(found.num_segments, m);
    EXPECT_EQ(found.uniform_segments, m);
    EXPECT_NEAR(found.error / rms, 1, 1e-6);
    EXPECT_EQ(lines_as(ZCMOE_COMPILE_RMS, ZCMOE_EXPERTS_LINEAR, square, 0, 1, rms * (1 - 1e-7))
                  .num_segments,
              m + 1);
    // Lines of one's own and shared ones alike are 1 / (8 m^2) above, below and above the square.
    // Chords of equal widths are 1 / (4 m^2) above it.
    const double most = 1 / (8 * n * n);
    for (const std::int32_t experts : kinds_of_lines) {
      const auto greedy = lines_as(ZCMOE_COMPILE_MAX, experts, square, 0, 1, most * 1.009);
      EXPECT_EQ(greedy.num_segments, m);
      EXPECT_EQ(greedy.least_segments, m);
      EXPECT_LE(greedy.error, most * 1.009);
      EXPECT_GE(greedy.error, most * (1 - 1e-9));
      const std::int64_t chords = static_cast<std::int64_t>(std::ceil(n * std::sqrt(2 / 1.009)));
      EXPECT_NEAR(static_cast<double>(greedy.uniform_segments),
                  static_cast<double>(experts == ZCMOE_EXPERTS_LINEAR ? m : chords), 1e-9 * n);
      EXPECT_EQ(lines_as(ZCMOE_COMPILE_MAX, experts, square, 0, 1, most * 0.999).num_segments,
                m + 1);
    }
  }
}

TEST_F(compile_test, lines_follow_the_law_of_high_rate) {
  // Lines take (integral of (p f''^2)^(1/5))^(5/4) / (720^(1/4) rms^(1/2)) segments, and integral
  // of |f''|^(1/2) / (4 max^(1/2)): Simpson's rule gives the integrals of the sine.
  double fifth = 0;
  double half = 0;
  constexpr int panels = 100000;
  for (int i = 0; i <= panels; ++i) {
    const double weight = (i % panels == 0 ? 1 : i % 2 == 1 ? 4 : 2) * 2 * pi / panels / 3;
    const double bend = std::abs(std::sin(2 * pi * i / panels));
    fifth += weight * std::pow(bend * bend / (2 * pi), 0.2);
    half += weight * std::sqrt(bend);
  }
  const auto sine = [](double x) { return std::sin(x); };
  for (const std::int32_t experts : kinds_of_lines) {
    const auto rms = lines_as(ZCMOE_COMPILE_RMS, experts, sine, 0, 2 * pi, 1e-6);
    const double expected = std::pow(fifth, 1.25) / std::pow(720.0, 0.25) / 1e-3;
    EXPECT_NEAR(static_cast<double>(rms.num_segments) / expected, 1, 0.005) << experts;
    EXPECT_LT(rms.gap, 1e-3);  // 15 inputs in each of 3,073 parts or more
    EXPECT_GT(rms.gap, 1e-5);
    EXPECT_LT(rms.num_segments, 1000);  // constants would take more than a million
    const auto largest = lines_as(ZCMOE_COMPILE_MAX, experts, sine, 0, 2 * pi, 1e-6);
    EXPECT_NEAR(static_cast<double>(largest.num_segments) / (half / 4e-3), 1, 0.006) << experts;
    EXPECT_LT(largest.gap, 1e-4);
    EXPECT_GT(largest.gap, 0);
  }
}

TEST_F(compile_test, shared_values_are_continuous_but_at_jumps) {
  const auto f = [](double x) { return std::sin(9 * x) + (x < 0.3 ? 0 : 2); };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    zcmoe_compile_options options = options_of(error);
    options.max_segments = 1 << 12;  // no equal widths have a cut at the jump
    for (const auto side : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
      zcmoe_model_options answers = answering_with(ZCMOE_EXPERTS_INTERPOLATE);
      answers.closed_side = side;
      const compiled made = compile(cpu_, f, 0, 1, 1e-3, options, answers);
      const zcmoe_model_info info = made.table.info();
      EXPECT_EQ(info.options.experts, ZCMOE_EXPERTS_INTERPOLATE);
      int breaks = 0;
      for (std::int64_t i = 1; i < info.num_segments; ++i) {
        const zcmoe_line& left = info.lines[i - 1];
        const double end = left.value + left.slope * (left.to - left.from);
        if (std::abs(end - info.lines[i].value) > 1e-9) ++breaks;
      }
      EXPECT_LE(breaks, 1) << error << side;
      const auto y = made.table.predict_sync(std::vector<double>{std::nextafter(0.3, 0.0), 0.3});
      EXPECT_NEAR(y[1] - y[0], 2, 0.01) << error << side;
      EXPECT_GE(made.result.num_segments, made.result.least_segments);
    }
  }
}

TEST_F(compile_test, kinds_that_are_compared_are_those_that_are_made) {
  const auto f = [](double x) { return std::exp(-3 * x) * std::sin(9 * x); };
  for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    zcmoe_compile_options options = options_of(error);
    options.compared_segments = 1000;
    for (const std::int32_t experts : every_kind) {
      const auto found = compile(cpu_, f, 0, 1, 0.004, options, answering_with(experts)).result;
      const std::int64_t counts[] = {found.constant_segments, found.linear_segments,
                                     found.interpolate_segments};
      for (const std::int32_t other : every_kind) {
        EXPECT_EQ(counts[other], lines_as(error, other, f, 0, 1, 0.004).num_segments)
            << error << experts << other;
      }
    }
    options.compared_segments = 100;  // constants take more
    EXPECT_EQ(compile(cpu_, f, 0, 1, 0.004, options, answering_with(ZCMOE_EXPERTS_LINEAR))
                  .result.constant_segments,
              0);
    EXPECT_EQ(compiled_as(error, f, 0, 1, 0.004).linear_segments, 0);  // not asked for
  }
}

TEST_F(compile_test, poles_and_endless_oscillations) {
  using testing::HasSubstr;
  const auto pole = [](double power) {
    return [=](double x) { return std::pow(std::abs(x), -power); };
  };
  const auto options_for = [](zcmoe_compile_error error) {
    zcmoe_compile_options options = options_of(error);
    options.max_segments = 1 << 16;  // equal widths would take millions
    return options;
  };
  for (const std::int32_t experts : every_kind) {
    SCOPED_TRACE(experts);
    const auto error_of = [&](zcmoe_compile_error error, const real_function& f, double lo,
                              double hi) {
      return compile(cpu_, f, lo, hi, 0.05, options_for(error), answering_with(experts))
          .result.error;
    };
    // f^2 = x^(-1/2) has an integral. At 0 the function is infinite, at one input.
    const compiled root = compile(cpu_, pole(0.25), 0, 1, 0.01, options_for(ZCMOE_COMPILE_RMS),
                                  answering_with(experts));
    // In x = u^4 the mean squared error has no pole.
    std::vector<double> x;
    std::vector<double> weight;
    constexpr int points = 200000;
    for (int i = 0; i < points; ++i) {
      const double u = (i + 0.5) / points;
      x.push_back(u * u * u * u);
      weight.push_back(4 * u * u * u / points);
    }
    const auto y = root.table.predict_sync(x);
    double squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      squares += weight[i] * std::pow(y[i] - std::pow(x[i], -0.25), 2);
    EXPECT_NEAR(std::sqrt(squares) / root.result.error, 1, 1e-3);
    EXPECT_LE(root.result.error, 0.01);
    // The pole may lie inside, and the function may swing without end or be undefined at a point.
    EXPECT_LE(error_of(ZCMOE_COMPILE_RMS, pole(0.25), -0.3, 0.7), 0.05);
    const auto swing = [](double at) { return at * std::sin(1 / at); };
    for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
      EXPECT_LE(error_of(error, swing, -0.5, 1), 0.05);
      EXPECT_LE(error_of(
                    error, [](double at) { return std::sin(at) / at; }, -1, 1),
                0.05);
    }
  }
  for (const double power : {0.5, 0.7, 1.0}) {
    for (const double lo : {0.0, -0.3}) {
      const std::string said = refusal(pole(power), 0.01, ZCMOE_COMPILE_RMS, lo, lo + 1);
      EXPECT_THAT(said, HasSubstr("and grows there like distance^-"));
      EXPECT_THAT(said, HasSubstr("no table has a finite rms error"));
    }
  }
  EXPECT_THAT(refusal(pole(0.25), 0.1, ZCMOE_COMPILE_MAX), HasSubstr("returned inf at x=0"));
  // Where there are few inputs the square has an integral again: p f^2 = 1.
  const auto few = [](double x) { return x; };
  EXPECT_LE(compile_for_density(cpu_, pole(0.5), few, 0, 1, 0.01).result.error, 0.01);
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
  for (const std::int32_t experts : every_kind) {
    for (const known_function& k : known_functions()) {
      for (const double tolerance : {0.1, 3e-3, 2e-4}) {
        for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
          const compiled made =
              compile(cpu_, k.f, k.lo, k.hi, tolerance, options_of(error), answering_with(experts));
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
            EXPECT_GE(largest, made.result.error * (1 - 1e-4)) << k.name << " " << experts;
          } else {
            EXPECT_NEAR(std::sqrt(static_cast<double>(squares)), made.result.error,
                        2e-3 * made.result.error + 1e-3 * tolerance)
                << k.name << " " << experts;
          }
        }
      }
    }
  }
}

TEST_F(compile_test, a_smaller_tolerance_never_takes_fewer_segments) {
  for (const known_function& k : known_functions()) {
    for (const auto error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
      std::int64_t before = 1;
      for (double tolerance = 0.5; tolerance > 1e-3; tolerance *= 0.53) {
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
  options = compile_options();
  options.compared_segments = -1;
  EXPECT_THAT(refused(0, 1, 1, options), HasSubstr("options->compared_segments=-1"));
  std::string of_experts;
  EXPECT_EQ(status_of([&] { lines_as(ZCMOE_COMPILE_RMS, 3, f, 0, 1, 1); }, &of_experts),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(of_experts, HasSubstr("model_options->experts=3"));
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
      {"far range", [](double x) { return std::sin(x / 1e305); }, -8e307, 8e307},
  };
  const std::pair<double, std::int32_t> cases[] = {{1e-2, ZCMOE_EXPERTS_CONSTANT},
                                                   {1e-2, ZCMOE_EXPERTS_LINEAR},
                                                   {1e152, ZCMOE_EXPERTS_INTERPOLATE},
                                                   {1e299, ZCMOE_EXPERTS_CONSTANT}};
  std::size_t turn = 0;
  for (const hard& h : functions) {
    ++turn;
    for (const zcmoe_compile_error error : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
      ++turn;
      for (const auto& [tolerance, experts] : cases) {
        if (++turn % 2 == 0) continue;  // every other one, in both orders
        SCOPED_TRACE(testing::Message() << h.name << " error " << error << " tol " << tolerance
                                        << " experts " << experts);
        const zcmoe_model_options answers = answering_with(experts);
        watched seen{h.f, h.lo, h.hi};
        zcmoe_compile_options options = options_of(error);
        options.max_segments = 48;
        options.scan_parts = 16;
        zcmoe_model* made = nullptr;
        const zcmoe_status status =
            zcmoe_compile(cpu_.get(), watched::call, nullptr, &seen, h.lo, h.hi, tolerance,
                          &options, &answers, &made, nullptr);
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
