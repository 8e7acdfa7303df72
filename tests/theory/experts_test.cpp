// The theory of experts that are more than one constant, and of cuts learned from noisy rows:
// against closed forms, against the errors of models that the engine fits, and against simulations
// with fixed seeds. What is simulated may be off by 4 of its own standard errors and by what the
// header says a law leaves out.
#include <zcmoe/theory.hpp>

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/special_functions/hypergeometric_1F1.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace zcmoe_test {
namespace {

namespace theory = zcmoe::theory;

const double pi = std::acos(-1.0);
constexpr std::int32_t means = ZCMOE_THEORY_INTERPOLATED_MEANS;
constexpr std::int32_t edge_values = ZCMOE_THEORY_EDGE_VALUES;
constexpr std::int32_t constants = ZCMOE_EXPERTS_CONSTANT;
constexpr std::int32_t linear = ZCMOE_EXPERTS_LINEAR;
constexpr std::int32_t interpolate = ZCMOE_EXPERTS_INTERPOLATE;
constexpr std::int32_t all_kinds[] = {ZCMOE_EXPERTS_CONSTANT, ZCMOE_EXPERTS_LINEAR,
                                      ZCMOE_EXPERTS_INTERPOLATE, ZCMOE_THEORY_INTERPOLATED_MEANS,
                                      ZCMOE_THEORY_EDGE_VALUES};

void expect_ratio(double value, double expected, double tolerance) {
  EXPECT_NEAR(value / expected, 1.0, tolerance) << value << " instead of " << expected;
}

/// b = sin(2 pi k x), p = 1.
theory::problem sine(double k = 1) {
  const double w = 2 * pi * k;
  theory::problem f;
  f.density = [](double) { return 1.0; };
  f.density_slope = [](double) { return 0.0; };
  f.regression = [w](double x) { return std::sin(w * x); };
  f.slope = [w](double x) { return w * std::cos(w * x); };
  f.curvature = [w](double x) { return -w * w * std::sin(w * x); };
  return f;
}

/// b = exp(a x), p = exp(c x), of any scale.
theory::problem exponential(double a, double c) {
  theory::problem f;
  f.density = [c](double x) { return 3 * std::exp(c * x); };
  f.density_slope = [c](double x) { return 3 * c * std::exp(c * x); };
  f.regression = [a](double x) { return std::exp(a * x); };
  f.slope = [a](double x) { return a * std::exp(a * x); };
  f.curvature = [a](double x) { return a * a * std::exp(a * x); };
  return f;
}

/// The integral of exp(a x) over [0, 1].
double mean_exp(double a) { return a == 0 ? 1.0 : std::expm1(a) / a; }

// ------------------------------------------------------------------ closed forms

TEST(expert_law, of_a_sine) {
  const auto f = sine();
  const double u = 2 * pi * pi;          // the integral of b'^2
  const double q = 8 * std::pow(pi, 4);  // of b''^2
  const auto a = [&](std::int32_t kind) { return f.expert_law(kind, 0).approximation; };
  expect_ratio(a(constants), u / 12, 1e-12);
  expect_ratio(a(linear), q / 720, 1e-12);
  expect_ratio(a(interpolate), q / 720, 1e-12);
  expect_ratio(a(edge_values), q / 120, 1e-12);
  expect_ratio(a(means), q * 49 / 2880, 1e-12);

  // The integral of |sin|^(2/5) over its period.
  const double root = std::tgamma(0.7) / (std::sqrt(pi) * std::tgamma(1.2));
  const double best = std::pow(2 * pi, 4) * std::pow(root, 5);
  const auto optimal = [&](std::int32_t kind) {
    return f.expert_law(kind, ZCMOE_THEORY_OPTIMAL).approximation;
  };
  expect_ratio(optimal(linear), best / 720, 1e-12);
  expect_ratio(optimal(interpolate), best / 720, 1e-12);
  expect_ratio(optimal(edge_values), best / 120, 1e-12);
  expect_ratio(optimal(means), best * 49 / 2880, 1e-12);
}

TEST(expert_law, of_an_exponential_under_a_beta_density) {
  using boost::math::beta;
  using boost::math::hypergeometric_1F1;
  for (const double a : {0.5, 3.0}) {
    auto f = exponential(a, 0);
    f.density = [](double x) { return 30 * x * std::pow(1 - x, 4); };
    const double q = std::pow(a, 4) * hypergeometric_1F1(2.0, 7.0, 2 * a);
    const double root = beta(1.2, 1.8) * hypergeometric_1F1(1.2, 3.0, 2 * a / 5);
    const double best = 30 * std::pow(a, 4) * std::pow(root, 5);
    expect_ratio(f.expert_law(linear, ZCMOE_THEORY_UNIFORM).approximation, q / 720, 1e-12);
    expect_ratio(f.expert_law(interpolate, ZCMOE_THEORY_OPTIMAL).approximation, best / 720, 1e-12);
  }
}

TEST(expert_law, of_means_that_are_interpolated_under_a_density_that_varies) {
  for (const double a : {0.7, -2.0}) {
    for (const double c : {0.0, 1.0, -3.0}) {
      SCOPED_TRACE("a " + std::to_string(a) + " c " + std::to_string(c));
      const auto f = exponential(a, c);
      const double k = a * a / 24 + a * c / 12;  // of b, as everything here
      const double share = std::pow(a, 4) / 120 + a * a * k / 6 + k * k;
      const auto law = f.expert_law(means, ZCMOE_THEORY_UNIFORM);
      expect_ratio(law.approximation, share * mean_exp(2 * a + c) / mean_exp(c), 1e-12);
      expect_ratio(law.ends, a * a * (1 + std::exp(2 * a + c)) / (24 * mean_exp(c)), 1e-12);
      const auto best = f.expert_law(means, ZCMOE_THEORY_OPTIMAL);
      const double root = mean_exp((2 * a + c) / 5);
      expect_ratio(best.approximation, share * std::pow(root, 5) / mean_exp(c), 1e-12);
      // lambda* is exp((2 a + c) x / 5) / root.
      expect_ratio(
          best.ends,
          a * a / 24 / mean_exp(c) * std::pow(root, 3) * (1 + std::exp((2 * a + c) * (1 - 0.6))),
          1e-12);
    }
  }
}

TEST(expert_law, a_point_density_that_is_given_answers_as_the_known_ones) {
  auto f = exponential(1.5, -1);
  f.noise_variance = [](double x) { return 0.01 + 0.2 * x; };
  for (const std::int32_t kind : all_kinds) {
    const double power = kind == constants ? 3 : 5;
    for (const bool optimal : {false, true}) {
      f.point_density = [=](double x) {
        return 7 * (optimal ? std::exp((2 * 1.5 - 1) * x / power) : 1.0);
      };
      const auto known = f.expert_law(kind, optimal ? ZCMOE_THEORY_OPTIMAL : ZCMOE_THEORY_UNIFORM);
      const auto given = f.expert_law(kind, ZCMOE_THEORY_POINT_DENSITY);
      expect_ratio(given.approximation, known.approximation, 1e-12);
      EXPECT_NEAR(given.estimation, known.estimation, 1e-12);
      EXPECT_NEAR(given.ends, known.ends, 1e-12 * known.ends);
    }
  }
}

TEST(expert_law, another_range_and_scale_of_p_change_nothing) {
  const auto f = exponential(1.5, -1);
  theory::problem g;
  g.lo = -3;
  g.hi = 17;
  const auto to_unit = [](double x) { return (x + 3) / 20; };
  g.density = [=](double x) { return 40 * f.density(to_unit(x)); };
  g.density_slope = [=](double x) { return 2 * f.density_slope(to_unit(x)); };
  g.slope = [=](double x) { return f.slope(to_unit(x)) / 20; };
  g.curvature = [=](double x) { return f.curvature(to_unit(x)) / 400; };
  for (const std::int32_t kind : all_kinds) {
    for (const auto segmentation : {ZCMOE_THEORY_UNIFORM, ZCMOE_THEORY_OPTIMAL}) {
      const auto expected = f.expert_law(kind, segmentation);
      const auto law = g.expert_law(kind, segmentation);
      expect_ratio(law.approximation, expected.approximation, 1e-12);
      EXPECT_NEAR(law.ends, expected.ends, 1e-12 * expected.ends);
    }
  }
}

TEST(expert_law, estimation_is_the_noise_of_the_parameters_of_a_segment) {
  const std::pair<std::int32_t, double> parameters[] = {
      {constants, 1}, {linear, 2}, {interpolate, 1}, {means, 2.0 / 3}, {edge_values, 0}};
  auto f = exponential(1.5, 0);
  f.noise = 0.09;
  for (const auto& [kind, count] : parameters) {
    const auto law = f.expert_law(kind, ZCMOE_THEORY_OPTIMAL);
    EXPECT_NEAR(law.estimation, count * 0.09, 1e-15);
    EXPECT_EQ(law.order, kind == constants ? 2 : 4);
    EXPECT_EQ(law.values, kind == linear ? 2 : 1);
    EXPECT_EQ(law.ends > 0, kind == means);
  }
  // lambda* is exp(s x) of mean 1, which has its centre at 1 / (1 - exp(-s)) - 1 / s.
  f.noise_variance = [](double x) { return 0.01 + 0.2 * x; };
  for (const auto& [kind, count] : parameters) {
    const double s = 2 * 1.5 / (kind == constants ? 3 : 5);
    const double centre = -1 / std::expm1(-s) - 1 / s;
    EXPECT_NEAR(f.expert_law(kind, ZCMOE_THEORY_OPTIMAL).estimation, count * (0.01 + 0.2 * centre),
                1e-12);
    EXPECT_NEAR(f.expert_law(kind, ZCMOE_THEORY_UNIFORM).estimation, count * 0.11, 1e-12);
  }
}

TEST(expert_law, where_lines_are_exact_or_lambda_ends_at_zero) {
  auto f = sine();
  // b'' and k are 0 at both ends, b' is not: the outer segments of lambda* are too wide for m^-3.
  EXPECT_EQ(f.expert_law(means, ZCMOE_THEORY_OPTIMAL).ends,
            std::numeric_limits<double>::infinity());
  f.slope = [](double) { return 2.0; };
  f.curvature = [](double) { return 0.0; };
  f.noise_variance = [](double x) { return x; };
  for (const auto segmentation : {ZCMOE_THEORY_UNIFORM, ZCMOE_THEORY_OPTIMAL}) {
    const auto law = f.expert_law(linear, segmentation);
    EXPECT_EQ(law.approximation, 0.0);
    EXPECT_NEAR(law.estimation, 2 * 0.5, 1e-12);
  }
}

// ------------------------------------------------------- what the engine reaches

struct sample {
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> weights;  // of sum 1
};

/// The model of a kind that interpolates or fits; EDGE_VALUES are not learned.
zcmoe::model fitted(const sample& s, const std::vector<double>& edges, std::int32_t kind) {
  static const zcmoe::context cpu(ZCMOE_ENGINE_CPU);
  auto options = zcmoe::model_options();
  if (kind != means) options.experts = kind;
  auto how = zcmoe::fit_options();
  how.weighted = 1;
  zcmoe::fit fit(cpu, edges, options, how);
  fit.add_sync(s.x, s.y, s.weights);
  return kind == means ? fit.finish().interpolated() : fit.finish();
}

/// What lines between the values of b at the edges answer.
std::vector<double> between_edge_values(const std::vector<double>& inputs,
                                        const std::vector<double>& edges,
                                        const theory::function& b) {
  std::vector<double> answers;
  for (const double at : inputs) {
    auto right = std::upper_bound(edges.begin() + 1, edges.end() - 1, at);
    const double from = *(right - 1);
    const double t = (at - from) / (*right - from);
    answers.push_back((1 - t) * b(from) + t * b(*right));
  }
  return answers;
}

/// The weighted mean of (answer - target)^2.
double mean_square(const std::vector<double>& answers, const std::vector<double>& targets,
                   const std::vector<double>& weights) {
  double sum = 0.0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const double d = answers[i] - targets[i];
    sum += weights[i] * d * d;
  }
  return sum;
}

/// In each segment as many inputs at equal distances, b there, and the mass of p around them.
sample noise_free(const theory::problem& f, const std::vector<double>& edges, int per_segment) {
  sample s;
  double mass = 0.0;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const double width = (edges[i + 1] - edges[i]) / per_segment;
    for (int k = 0; k < per_segment; ++k) {
      s.x.push_back(edges[i] + (k + 0.5) * width);
      s.y.push_back(f.regression(s.x.back()));
      s.weights.push_back(f.density(s.x.back()) * width);
      mass += s.weights.back();
    }
  }
  for (double& weight : s.weights) weight /= mass;
  return s;
}

/// Errors of fits without noise, as a share of the law: at 64 and at 128 segments, and the limit of
/// a share that is 1 + O(1/m).
struct shares {
  double at_64;
  double at_128;
  double limit() const { return 2 * at_128 - at_64; }
};

/// lambda is exp(s x).
shares shares_of(const theory::problem& f, std::int32_t kind, double s) {
  auto g = f;
  g.point_density = [s](double x) { return std::exp(s * x); };
  const double a = g.expert_law(kind, ZCMOE_THEORY_POINT_DENSITY).approximation;
  const auto share = [&](std::int64_t m) {
    const auto edges = zcmoe::density_edges(g.point_density, 0, 1, m);
    const sample rows = noise_free(f, edges, 512);
    const auto answers = kind == edge_values ? between_edge_values(rows.x, edges, f.regression)
                                             : fitted(rows, edges, kind).predict_sync(rows.x);
    return mean_square(answers, rows.y, rows.weights) * std::pow(static_cast<double>(m), 4) / a;
  };
  return {share(64), share(128)};
}

TEST(expert_errors, of_fits_tend_to_the_law) {
  for (const std::int32_t kind : {linear, interpolate, means, edge_values}) {
    // Uniform, under a density that varies, and segments that vary too.
    const std::pair<double, double> settings[] = {{0, 0}, {3, 0}, {1, -0.8}};
    for (const auto& [c, s] : settings) {
      SCOPED_TRACE("kind " + std::to_string(kind) + " c " + std::to_string(c));
      const auto found = shares_of(exponential(1.5, c), kind, s);
      EXPECT_NEAR(found.at_128, 1, 0.1);
      EXPECT_LT(std::abs(found.at_128 - 1), std::abs(found.at_64 - 1) + 1e-4);
      EXPECT_NEAR(found.limit(), 1, 0.005);
    }
    const auto found = shares_of(sine(), kind, 0);  // b'' is 0 at the ends
    SCOPED_TRACE("kind " + std::to_string(kind) + " of a sine");
    EXPECT_NEAR(found.at_128, 1, 0.005);
  }
}

TEST(expert_errors, of_means_that_are_constant_in_the_outer_halves) {
  const auto f = exponential(1.5, 1);
  const auto law = f.expert_law(means, ZCMOE_THEORY_UNIFORM);
  const auto added = [&](std::int64_t m) {
    const auto edges = zcmoe::uniform_edges(0, 1, m);
    const sample rows = noise_free(f, edges, 512);
    const auto model = fitted(rows, edges, means);
    const double half = 0.5 / static_cast<double>(m);
    std::vector<double> inside = rows.x;
    for (double& x : inside) x = std::min(std::max(x, half), 1 - half);
    return (mean_square(model.predict_sync(inside), rows.y, rows.weights) -
            mean_square(model.predict_sync(rows.x), rows.y, rows.weights)) *
           std::pow(static_cast<double>(m), 3);
  };
  expect_ratio(2 * added(128) - added(64), law.ends, 0.005);
}

/// The mean of a simulated number and its standard error.
struct estimate {
  double sum = 0.0;
  double squares = 0.0;
  int count = 0;

  void add(double value) {
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return sum / count; }
  double error() const {
    return std::sqrt(std::max(0.0, squares / count - mean() * mean()) / count);
  }
};

TEST(expert_errors, parameters_of_fits) {
  // A fit is linear in its targets: the sum of squares of what it makes of each unit target is the
  // number of rows times the estimation error of noise of variance 1.
  const std::int64_t m = 16;
  const auto edges = zcmoe::uniform_edges(0, 1, m);
  auto f = sine();
  f.noise = 1;
  sample s = noise_free(f, edges, 32);
  for (const std::int32_t kind : {constants, linear, interpolate, means}) {
    SCOPED_TRACE("kind " + std::to_string(kind));
    double sum = 0.0;
    for (std::size_t i = 0; i < s.y.size(); ++i) {
      std::fill(s.y.begin(), s.y.end(), 0.0);
      s.y[i] = 1;
      for (const double value : fitted(s, edges, kind).predict_sync(s.x)) sum += value * value;
    }
    // Splines have one value more than segments. Between the m centres lie m - 1 gaps of 2/3 each;
    // the two halves at the ends, where means are extrapolated, count 5/6 each.
    const double more = kind == interpolate || kind == means ? 1 : 0;
    const double law = f.expert_law(kind, ZCMOE_THEORY_UNIFORM).estimation;
    EXPECT_NEAR(sum, law * static_cast<double>(m) + more, kind == means ? 0.01 : 1e-6);
  }
}

TEST(expert_errors, estimation_by_simulation) {
  // Rows at equal distances, pure noise of a variance that rises, segments that narrow; a table of
  // m segments has at most one parameter more than the law says.
  const std::int64_t m = 64;
  const std::int64_t n = 2048;
  auto f = exponential(0.5, 0);
  f.noise_variance = [](double x) { return 0.01 + 0.2 * x; };
  f.point_density = [](double x) { return std::exp(x); };
  const auto edges = zcmoe::density_edges(f.point_density, 0, 1, m);
  sample s = noise_free(f, zcmoe::uniform_edges(0, 1, n), 1);
  const std::vector<double> zeros(s.x.size(), 0.0);
  for (const std::int32_t kind : {constants, linear, interpolate, means}) {
    SCOPED_TRACE("kind " + std::to_string(kind));
    std::mt19937_64 random(17);
    std::normal_distribution<double> normal;
    estimate found;
    for (int repetition = 0; repetition < 400; ++repetition) {
      for (std::size_t i = 0; i < s.y.size(); ++i) {
        s.y[i] = std::sqrt(f.noise_variance(s.x[i])) * normal(random);
      }
      found.add(mean_square(fitted(s, edges, kind).predict_sync(s.x), zeros, s.weights));
    }
    const auto rows = static_cast<double>(n);
    const double expected =
        f.expert_law(kind, ZCMOE_THEORY_POINT_DENSITY).estimation * static_cast<double>(m) / rows;
    const double one_more = f.noise_variance(1) / rows;
    EXPECT_NEAR(found.mean(), expected, 4 * found.error() + one_more);
    EXPECT_LT(4 * found.error() + one_more, 0.1 * expected);
  }
}

// ------------------------------------------------------------- the best m, and the best kind

TEST(expert_choice, best_number_of_segments) {
  auto f = sine(2);
  f.noise = 0.09;
  const double n = 20000;
  const auto of_lines = f.expert_law(linear, ZCMOE_THEORY_UNIFORM);
  const auto best = theory::optimum(of_lines, n);
  expect_ratio(best.num_segments, std::pow(2 * of_lines.approximation * n / 0.09, 0.2), 1e-13);
  expect_ratio(best.excess, 2.5 * 0.09 * best.num_segments / n, 1e-13);
  const auto spline = f.expert_law(interpolate, ZCMOE_THEORY_UNIFORM);
  const auto best_spline = theory::optimum(spline, n);
  expect_ratio(best_spline.num_segments, std::pow(4 * spline.approximation * n / 0.09, 0.2), 1e-13);
  expect_ratio(best_spline.excess, 1.25 * 0.09 * best_spline.num_segments / n, 1e-13);
  expect_ratio(best_spline.excess / best.excess, std::pow(2, -0.8), 1e-13);
  for (const std::int32_t kind : all_kinds) {
    if (kind == edge_values) continue;  // nothing is learned
    const auto law = f.expert_law(kind, ZCMOE_THEORY_UNIFORM);
    const auto excess = [&](double m) {
      return law.approximation / std::pow(m, law.order) + law.estimation * m / n;
    };
    const auto o = theory::optimum(law, n);
    expect_ratio(o.excess, excess(o.num_segments), 1e-13);
    for (const double r : {0.8, 0.99, 1.01, 1.25}) EXPECT_GT(excess(r * o.num_segments), o.excess);
  }
  const auto plain = f.expert_law(constants, ZCMOE_THEORY_UNIFORM);
  const auto same = theory::optimum(plain.approximation, 0.09, n);
  expect_ratio(theory::optimum(plain, n).num_segments, same.num_segments, 1e-14);
}

TEST(expert_choice, excess_risk_at_the_best_number_by_simulation) {
  auto f = sine(2);
  f.noise = 0.09;
  const std::int64_t n = 20000;
  sample s = noise_free(f, zcmoe::uniform_edges(0, 1, n), 1);
  const std::vector<double> truth = s.y;
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(0, 0.3);
  for (const std::int32_t kind : {linear, interpolate, means}) {
    SCOPED_TRACE("kind " + std::to_string(kind));
    const auto law = f.expert_law(kind, ZCMOE_THEORY_UNIFORM);
    const auto best = theory::optimum(law, static_cast<double>(n));
    std::vector<estimate> found(3);
    const double factors[] = {1.0, 0.5, 2.0};
    for (int repetition = 0; repetition < 60; ++repetition) {
      for (std::size_t i = 0; i < s.y.size(); ++i) s.y[i] = truth[i] + normal(random);
      for (std::size_t i = 0; i < 3; ++i) {
        const auto m = std::lround(factors[i] * best.num_segments);
        const auto edges = zcmoe::uniform_edges(0, 1, m);
        found[i].add(mean_square(fitted(s, edges, kind).predict_sync(s.x), truth, s.weights));
      }
    }
    // Of about 25 segments the next order of the error and the one parameter more count.
    EXPECT_NEAR(found[0].mean(), best.excess, 4 * found[0].error() + 0.05 * best.excess);
    EXPECT_GT(found[1].mean(), 1.2 * found[0].mean());
    EXPECT_GT(found[2].mean(), 1.2 * found[0].mean());
  }
}

TEST(expert_choice, values_from_which_lines_win) {
  for (const double k : {1.0, 5.0}) {
    const auto f = sine(k);
    const double u = 2 * std::pow(pi * k, 2);
    const double q = 8 * std::pow(pi * k, 4);
    const auto law = [&](std::int32_t kind) { return f.expert_law(kind, ZCMOE_THEORY_UNIFORM); };
    const auto plain = law(constants);
    const auto lines = law(linear);
    const auto spline = law(interpolate);
    expect_ratio(theory::break_even(plain, lines), std::sqrt(4 * q / (15 * u)), 1e-12);
    expect_ratio(theory::break_even(lines, plain), std::sqrt(4 * q / (15 * u)), 1e-12);
    expect_ratio(theory::break_even(spline, plain), std::sqrt(q / (60 * u)), 1e-12);
    expect_ratio(theory::break_even(plain, law(means)), std::sqrt(49 * 12 * q / (2880 * u)), 1e-12);
    // At M values both errors are the same; with more, lines have the smaller one.
    const double values = theory::break_even(plain, lines);
    const auto error = [&](const zcmoe_theory_law& of, double stored) {
      return of.approximation / std::pow(stored / of.values, of.order);
    };
    expect_ratio(error(lines, values), error(plain, values), 1e-12);
    EXPECT_LT(error(lines, 1.01 * values), error(plain, 1.01 * values));
  }
  const zcmoe_theory_law exact{0.0, 4.0, 0.1, 2.0, 0.0};
  const zcmoe_theory_law plain{1.0, 2.0, 0.1, 1.0, 0.0};
  EXPECT_EQ(theory::break_even(exact, plain), 0.0);
}

// ------------------------------------------------------------------- learned cuts

/// By how much the best partitions of noise into 1, 2, ... segments lower the sum of squares. The
/// best of every partition: all last cuts are tried.
std::vector<double> reductions(const std::vector<double>& noise, std::size_t most) {
  const std::size_t places = noise.size();
  std::vector<double> sums{0.0};
  for (const double value : noise) sums.push_back(sums.back() + value);
  const auto gain = [&](std::size_t from, std::size_t to) {
    const double d = sums[to] - sums[from];
    return d * d / static_cast<double>(to - from);
  };
  std::vector<double> best(places + 1, 0.0);
  for (std::size_t j = 1; j <= places; ++j) best[j] = gain(0, j);
  std::vector<double> found{best[places]};
  for (std::size_t m = 2; m <= most; ++m) {
    for (std::size_t j = places; j >= m; --j) {
      double largest = 0.0;
      for (std::size_t i = m - 1; i < j; ++i) largest = std::max(largest, best[i] + gain(i, j));
      best[j] = largest;
    }
    found.push_back(best[places]);
  }
  return found;
}

TEST(learned_cuts, price_on_noise_by_simulation) {
  // The numbers that the header lists.
  struct row {
    std::int64_t m;
    double simulated;
    double law;
    double slack;  // of the law, relative
  };
  const row rows[] = {{2, 3.16, 4.68, 0.65},  {3, 5.26, 5.55, 0.13},  {5, 5.73, 5.91, 0.13},
                      {10, 5.64, 5.69, 0.06}, {20, 5.11, 5.08, 0.06}, {50, 4.05, 4.01, 0.06},
                      {100, 3.13, 3.12, 0.06}};
  const double sigma = 0.5;
  std::mt19937_64 random(23);
  std::normal_distribution<double> normal(0, sigma);
  std::vector<estimate> found(100);
  for (int repetition = 0; repetition < 150; ++repetition) {
    std::vector<double> noise(500);
    for (double& value : noise) value = normal(random);
    const auto reduction = reductions(noise, found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i].add(reduction[i] / (sigma * sigma * static_cast<double>(i + 1)));
    }
  }
  for (const row& r : rows) {
    SCOPED_TRACE("m = " + std::to_string(r.m));
    const estimate& of = found[static_cast<std::size_t>(r.m) - 1];
    const double law = theory::learned_cuts(r.m, 500, 1).parameters;
    EXPECT_NEAR(of.mean(), r.simulated, 4 * of.error() + 0.005);
    EXPECT_NEAR(law, r.law, 0.005);
    EXPECT_NEAR(of.mean(), law, 4 * of.error() + r.slack * law);
  }
  EXPECT_NEAR(found[0].mean(), 1, 4 * found[0].error());
}

TEST(learned_cuts, law_and_penalty) {
  for (const std::int64_t m : {1, 2, 7, 1000}) {
    const auto size = static_cast<double>(m);
    const auto price = theory::learned_cuts(m, 2000, 0.09);
    // m constants, and 4/3 ln(K / m) for each of the m - 1 cuts.
    expect_ratio(price.parameters * size, size + (size - 1) * 4 / 3 * std::log(2000 / size), 1e-13);
    expect_ratio(price.penalty, 0.09 * size * (2 * std::log(2000 / size) + 5), 1e-13);
  }
  EXPECT_EQ(theory::learned_cuts(1, 1000, 0).parameters, 1.0);
  EXPECT_EQ(theory::learned_cuts(1000, 1000, 0).parameters, 1.0);
  EXPECT_EQ(theory::learned_cuts(1000, 1000, 2).penalty, 10000.0);
}

}  // namespace
}  // namespace zcmoe_test
