// The plan of zcmoe/plan.h: the answers at the edges, the numbers against independent ones, and the
// number of segments recommended against the best one, on average over simulated samples.
// ZCMOE_LONG_TESTS=1 simulates more settings and samples.
#include "reference_cases.hpp"
#include "support.hpp"

#include <zcmoe/plan.hpp>
#include <zcmoe/theory.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace zcmoe::test {
namespace {

using function = std::function<double(double)>;
constexpr double pi = 3.14159265358979323846;

struct sample {
  std::vector<double> x;
  std::vector<double> y;
};

/// What y is made of: density, regression function and noise on [0, 1].
struct setting {
  std::string name;
  function density;
  function regression;
  function deviation;
  std::vector<double> breaks;

  sample draw(std::size_t n, std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> uniform;
    std::normal_distribution<double> normal;
    double top = 0.0;
    for (int i = 0; i <= 1000; ++i) top = std::max(top, 1.01 * density(i / 1000.0));
    sample s;
    while (s.x.size() < n) {
      const double x = uniform(random);
      if (uniform(random) * top > density(x)) continue;
      s.x.push_back(x);
      s.y.push_back(regression(x) + deviation(x) * normal(random));
    }
    return s;
  }
};

setting plain(const char* name, function regression, double noise) {
  return {
      name, [](double) { return 1.0; }, std::move(regression), [=](double) { return noise; }, {}};
}

std::vector<double> edges_of(int segmentation, const sample& s, std::int64_t m) {
  if (segmentation == ZCMOE_PLAN_QUANTILE) return quantile_edges(s.x, m);
  if (segmentation == ZCMOE_PLAN_OPTIMAL) return optimal_edges_from_data(s.x, s.y, m);
  const auto [lo, hi] = std::minmax_element(s.x.begin(), s.x.end());
  return uniform_edges(*lo, *hi, m);
}

/// The excess risk of the model fitted to this sample: the integral of p (b - answer)^2, exact.
double excess_of(const context& cpu, const setting& f, const sample& s, int segmentation,
                 std::int64_t m) {
  std::vector<double> edges = edges_of(segmentation, s, m);
  fit state(cpu, edges);
  state.add_sync(s.x, s.y);
  const model fitted = state.finish();
  const zcmoe_model_info info = fitted.info();
  const std::vector<double> constants(info.constants, info.constants + info.num_segments);
  edges.front() = 0.0;  // inputs beyond the data are clamped
  edges.back() = 1.0;
  theory::problem exact;
  exact.density = f.density;
  exact.regression = f.regression;
  exact.breaks = f.breaks;
  return exact.approximation(edges, constants).totals.error;
}

bool long_tests() { return std::getenv("ZCMOE_LONG_TESTS") != nullptr; }

/// The reference cases, and settings that no file knows.
std::vector<setting> settings() {
  std::vector<setting> all;
  const std::map<std::string, double> noise{{"s1", 0.1}, {"s2", 0.1}, {"s3", 0.3}, {"s4", 1.0},
                                            {"s5", 0.1}, {"s6", 0.3}, {"s7", 0.1}};
  for (const auto& c : zcmoe_test::reference_cases()) {
    const double deviation = noise.at(c.id.substr(0, 2));
    all.push_back({c.id, c.density, c.regression, [=](double) { return deviation; }, c.kinks});
  }
  all.push_back(plain(
      "8 periods", [](double x) { return std::sin(16 * pi * x); }, 0.5));
  all.push_back(plain(
      "32 periods", [](double x) { return std::sin(64 * pi * x); }, 0.2));
  all.push_back(plain(
      "square root", [](double x) { return std::sqrt(x); }, 0.1));
  all.push_back(plain(
      "loud line", [](double x) { return x; }, 1.0));
  setting growing = plain(
      "growing noise", [](double x) { return std::sin(2 * pi * x); }, 0.0);
  growing.deviation = [](double x) { return 0.1 + 0.6 * x; };
  all.push_back(growing);
  setting tail = plain(
      "thin tail", [](double x) { return 5 * x * x; }, 0.3);
  tail.density = [](double x) { return std::exp(-8 * x); };
  all.push_back(tail);
  return all;
}

// ------------------------------------------------------------------ on average

/// Mean excess risk at the m recommended over that at the best fixed m, and the excess predicted
/// over that realised.
struct average {
  double ratio;
  double predicted;
  double covered;  // share of samples whose excess interval holds the mean excess
};

average average_of(const context& cpu, const setting& f, int segmentation, std::size_t n, int runs,
                   std::uint64_t seed) {
  std::map<std::int64_t, double> fixed;  // total excess at each m
  std::vector<zcmoe_plan_candidate> plans;
  std::vector<sample> samples;
  double recommended = 0.0;
  double predicted = 0.0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t most = 1;
  for (int run = 0; run < runs; ++run) {
    samples.push_back(f.draw(n, seed + static_cast<std::uint64_t>(run)));
    const zcmoe_plan_result plan = make_plan(cpu, samples.back().x, samples.back().y);
    plans.push_back(plan.candidates[segmentation]);
    const std::int64_t m = plans.back().num_segments;
    least = std::min(least, m);
    most = std::max(most, m);
    recommended += excess_of(cpu, f, samples.back(), segmentation, m);
    predicted += plans.back().excess;
  }
  // A grid of ratio 2^(1/4) around what was recommended; the best m may not lie at its ends.
  const auto total_at = [&](std::int64_t m) {
    double& total = fixed[m];
    if (total == 0) {
      for (const sample& s : samples) total += excess_of(cpu, f, s, segmentation, m);
    }
    return total;
  };
  double best = std::numeric_limits<double>::infinity();
  const double step = std::pow(2.0, 0.25);
  double from = std::max(1.0, static_cast<double>(least) / 2);
  double to = static_cast<double>(most) * 2;
  for (double m = from; m <= to; m *= step) best = std::min(best, total_at(std::llround(m)));
  for (; from > 1 && total_at(std::llround(from)) < 1.3 * best; from /= step) {
    best = std::min(best, total_at(std::llround(from)));
  }
  for (; total_at(std::llround(to)) < 1.2 * best; to *= step) {
    best = std::min(best, total_at(std::llround(to)));
  }
  int covered = 0;
  for (const auto& c : plans) {
    covered += c.excess_lower <= recommended / runs && recommended / runs <= c.excess_upper ? 1 : 0;
  }
  return {recommended / best, predicted / recommended, static_cast<double>(covered) / runs};
}

TEST(plan_on_average, is_within_a_fifth_of_the_best) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const int runs = long_tests() ? 20 : 6;
  std::vector<std::size_t> sizes{10000};
  if (long_tests()) sizes.push_back(40000);
  const char* const names[] = {"uniform", "quantile", "optimal"};
  double worst = 0.0;
  for (const std::size_t n : sizes) {
    for (const setting& f : settings()) {
      for (int s = 0; s < ZCMOE_PLAN_SEGMENTATIONS; ++s) {
        const average a = average_of(cpu, f, s, n, runs, 7000);
        std::printf("%-22s %-8s n=%zu  excess / best %.3f  predicted / realised %.2f\n",
                    f.name.c_str(), names[s], n, a.ratio, a.predicted);
        EXPECT_LT(a.ratio, 1.2) << f.name << ", " << names[s] << ", n=" << n;
        worst = std::max(worst, a.ratio);
      }
    }
  }
  std::printf("worst %.3f\n", worst);
}

// ------------------------------------------------------------- at the edges

zcmoe_plan_result plan_of(const std::vector<double>& x, const std::vector<double>& y,
                          const zcmoe_plan_options& options = plan_options()) {
  const context cpu(ZCMOE_ENGINE_CPU);
  return make_plan(cpu, x, y, options);
}

TEST(plan_edges, one_and_two_rows) {
  const auto one = plan_of({3.0}, {5.0});
  EXPECT_EQ(one.rows_used, 1);
  EXPECT_TRUE(std::isnan(one.rice));
  for (const auto& c : one.candidates) {
    EXPECT_EQ(c.num_segments, 1);
    EXPECT_EQ(c.num_levels, 1);
    EXPECT_TRUE(std::isnan(c.excess));
    EXPECT_TRUE(std::isnan(c.levels[0].leave_one_out));
  }
  const auto two = plan_of({1.0, 2.0}, {2.0, 3.0});
  EXPECT_EQ(two.rice, 0.5);
  for (const auto& c : two.candidates) {
    EXPECT_EQ(c.num_segments, 1);
    EXPECT_EQ(c.method, ZCMOE_THEORY_LEAVE_ONE_OUT);
    EXPECT_TRUE(c.warnings & ZCMOE_PLAN_FEW_ROWS);
    EXPECT_EQ(c.levels[0].leave_one_out, 1.0);  // each answered by the other
    EXPECT_EQ(c.levels[0].within, 0.5);
  }
}

}  // namespace
}  // namespace zcmoe::test
