// The theory's functions against exact numbers, closed forms, brute force and simulation.
// Simulations have fixed seeds and tolerances of 5 of their own standard errors, and where a
// formula could be wrong by a factor (m + 1) / m the tolerance is asserted to be smaller than that.
#include <zcmoe/theory.hpp>

#include "tests/reference_cases.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/special_functions/expint.hpp>
#include <boost/math/special_functions/gamma.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace zcmoe_test {
namespace {

namespace theory = zcmoe::theory;

const double pi = std::acos(-1.0);

theory::problem problem_of(const reference_case& c) {
  theory::problem f;
  f.density = c.density;
  f.regression = c.regression;
  f.slope = c.slope;
  f.breaks = c.kinks;
  return f;
}

/// b on [0, 1] with p = 1.
theory::problem uniform_problem(theory::function regression, theory::function slope,
                                theory::function curvature = {}) {
  theory::problem f;
  f.density = [](double) { return 1.0; };
  f.density_slope = [](double) { return 0.0; };
  f.regression = std::move(regression);
  f.slope = std::move(slope);
  f.curvature = std::move(curvature);
  return f;
}

theory::problem sine_problem(double noise) {
  auto f = uniform_problem([](double x) { return std::sin(2 * pi * x); },
                           [](double x) { return 2 * pi * std::cos(2 * pi * x); });
  f.noise = noise;
  return f;
}

theory::problem square_problem() {
  return uniform_problem([](double x) { return x * x; }, [](double x) { return 2 * x; },
                         [](double) { return 2.0; });
}

std::vector<double> edges_of(const theory::problem& f, const std::string& segmentation,
                             std::int64_t m) {
  return segmentation == "uniform" ? zcmoe::uniform_edges(f.lo, f.hi, m)
                                   : zcmoe::optimal_edges(f.density, f.slope, f.lo, f.hi, m);
}

void expect_ratio(double value, double expected, double tolerance) {
  EXPECT_NEAR(value / expected, 1.0, tolerance) << value << " instead of " << expected;
}

template <class Body>
std::string message_of(zcmoe_status status, const Body& body) {
  try {
    body();
  } catch (const zcmoe::error& e) {
    EXPECT_EQ(e.status(), status) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing thrown";
  return "";
}

// ------------------------------------------------------------ reference cases

class theory_reference_test : public testing::TestWithParam<std::size_t> {
 protected:
  reference_case c_ = reference_cases()[GetParam()];
  theory::problem f_ = problem_of(c_);
};

TEST_P(theory_reference_test, coefficients) {
  expect_ratio(f_.coefficient(ZCMOE_THEORY_UNIFORM), number(c_.numbers.at("coef_uniform")), 1e-12);
  expect_ratio(f_.coefficient(ZCMOE_THEORY_OPTIMAL), number(c_.numbers.at("coef_optimal")), 1e-12);
}

TEST_P(theory_reference_test, a_point_density_that_is_given_answers_as_the_known_ones) {
  f_.point_density = [](double) { return 7.0; };
  expect_ratio(f_.coefficient(ZCMOE_THEORY_POINT_DENSITY), number(c_.numbers.at("coef_uniform")),
               1e-12);
  f_.point_density = [this](double x) {
    return std::cbrt(c_.density(x) * c_.slope(x) * c_.slope(x));
  };
  expect_ratio(f_.coefficient(ZCMOE_THEORY_POINT_DENSITY), number(c_.numbers.at("coef_optimal")),
               1e-11);
}

TEST_P(theory_reference_test, next_order) {
  // Central differences of eighth order are good to about 1e-11: enough for a comparison at 1e-9.
  const auto derivative = [](const std::function<double(double)>& f) {
    return [f](double x) {
      const double h = 2e-3;
      const auto d = [&](double k) { return f(x + k * h) - f(x - k * h); };
      return (d(1) * 4 / 5 - d(2) / 5 + d(3) * 4 / 105 - d(4) / 280) / h;
    };
  };
  f_.curvature = derivative(c_.slope);
  f_.density_slope = derivative(c_.density);
  if (!c_.kinks.empty()) return;             // the formula asks for smooth functions
  if (!c_.numbers.contains("c4_uniform")) {  // p ~ x at 0
    EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { f_.next_order(ZCMOE_THEORY_UNIFORM); }),
                testing::HasSubstr("diverges"));
    return;
  }
  const double expected = number(c_.numbers.at("c4_uniform"));
  EXPECT_NEAR(f_.next_order(ZCMOE_THEORY_UNIFORM), expected, 1e-9 * (1 + std::abs(expected)));
}

TEST_P(theory_reference_test, cells_of_8_segments) {
  const auto& cells = c_.numbers.at("cells_m8").at("uniform");
  const auto table = f_.approximation(edges_of(f_, "uniform", 8));
  for (std::size_t i = 0; i < 8; ++i) {
    expect_ratio(table.probabilities[i], number(cells.at("P").at(i)), 1e-12);
    const double mean = number(cells.at("c").at(i));
    EXPECT_NEAR(table.means[i], mean, 1e-13 * (1 + std::abs(mean)));
    const double sse = number(cells.at("sse").at(i));
    const double rounding = 4e-16 * (1 + std::abs(mean)) * std::sqrt(sse);
    EXPECT_NEAR(table.errors[i], sse, 1e-9 * sse + rounding + 1e-30) << i;
    EXPECT_NEAR(table.variances[i] * table.probabilities[i], table.errors[i],
                1e-13 * table.errors[i] + 1e-30);
  }
}

TEST_P(theory_reference_test, exact_errors) {
  int checked = 0;
  for (const auto& exact : c_.numbers.at("exact")) {
    const auto m = exact.at("m").get<std::int64_t>();
    const auto edges = edges_of(f_, exact.at("segmentation").get<std::string>(), m);
    SCOPED_TRACE(exact.at("segmentation").get<std::string>() + " " + std::to_string(m));
    const auto table = f_.approximation(edges);
    expect_ratio(table.totals.error, number(exact.at("error")), 1e-11);
    const double midpoint = number(exact.at("midpoint_constants_error"));
    expect_ratio(f_.approximation(edges, ZCMOE_CONSTANT_MIDPOINT).totals.error, midpoint, 1e-11);
    const auto constants =
        zcmoe::optimal_constants(f_.density, f_.regression, edges, ZCMOE_CONSTANT_MIDPOINT);
    expect_ratio(f_.approximation(edges, constants).totals.error, midpoint, 1e-11);
    // Law of total variance.
    double between = 0.0;
    for (std::size_t i = 0; i < table.means.size(); ++i) {
      const double d = table.means[i] - table.totals.mean;
      between += table.probabilities[i] * d * d;
    }
    expect_ratio(between + table.totals.error, table.totals.variance, 1e-12);
    ++checked;
  }
  EXPECT_EQ(checked, 12);
}

TEST_P(theory_reference_test, breakdown) {
  const std::map<std::string, std::pair<int, int>> expected{
      {"s1", {1, 1}},   {"s2", {3, 5}},   {"s3", {6, 23}}, {"s4", {9, 15}},
      {"s5", {18, 19}}, {"s6", {14, 32}}, {"s7", {6, 68}}};
  const auto& row = expected.at(c_.id.substr(0, 2));
  EXPECT_EQ(f_.breakdown(ZCMOE_THEORY_UNIFORM), row.first);
  EXPECT_EQ(f_.breakdown(ZCMOE_THEORY_OPTIMAL), row.second);
}

TEST_P(theory_reference_test, another_range_and_scale_of_p_change_nothing) {
  theory::problem g = f_;
  g.lo = -3;
  g.hi = 17;
  const auto to_unit = [](double x) { return (x + 3) / 20; };
  g.density = [this, to_unit](double x) { return 40 * c_.density(to_unit(x)); };
  g.regression = [this, to_unit](double x) { return c_.regression(to_unit(x)); };
  g.slope = [this, to_unit](double x) { return c_.slope(to_unit(x)) / 20; };
  g.breaks.clear();
  for (const double b : c_.kinks) g.breaks.push_back(b * 20 - 3);
  for (const auto s : {ZCMOE_THEORY_UNIFORM, ZCMOE_THEORY_OPTIMAL}) {
    expect_ratio(g.coefficient(s), f_.coefficient(s), 1e-12);
    for (const double power : {1.0, 3.0}) {
      expect_ratio(g.coefficient(s, power), f_.coefficient(s, power), 1e-11);
    }
  }
  expect_ratio(g.approximation(edges_of(g, "uniform", 9)).totals.error,
               f_.approximation(edges_of(f_, "uniform", 9)).totals.error, 1e-11);
}

std::string case_name(const testing::TestParamInfo<std::size_t>& parameter) {
  std::string name = reference_cases()[parameter.param].id;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(cases, theory_reference_test, testing::Range<std::size_t>(0, 7),
                         case_name);

// ------------------------------------------------------------------ high rate

TEST(theory_closed_forms, powers) {
  for (const double k : {0.75, 1.0, 2.0, 3.0, 5.5}) {
    const auto f = uniform_problem([k](double x) { return std::pow(x, k); },
                                   [k](double x) { return k * std::pow(x, k - 1); });
    expect_ratio(f.coefficient(ZCMOE_THEORY_UNIFORM), k * k / (2 * k - 1), k < 1 ? 1e-7 : 1e-12);
    expect_ratio(f.coefficient(ZCMOE_THEORY_OPTIMAL), k * k * std::pow(3 / (2 * k + 1), 3), 1e-12);
  }
  const auto f = square_problem();
  for (const std::int64_t m : {1, 2, 3, 10, 1000}) {
    const auto size = static_cast<double>(m);
    expect_ratio(f.approximation(zcmoe::uniform_edges(0, 1, m)).totals.error,
                 1 / (9 * size * size) - 1 / (45 * std::pow(size, 4)), 1e-12);
  }
}

TEST(theory_closed_forms, sines_and_exponentials) {
  for (const int k : {1, 3}) {
    const double w = 2 * pi * k;
    const auto f = uniform_problem([w](double x) { return std::sin(w * x); },
                                   [w](double x) { return w * std::cos(w * x); });
    expect_ratio(f.coefficient(ZCMOE_THEORY_UNIFORM), w * w / 2, 1e-12);
    const double root =
        boost::math::tgamma(5.0 / 6) / (std::sqrt(pi) * boost::math::tgamma(4.0 / 3));
    expect_ratio(f.coefficient(ZCMOE_THEORY_OPTIMAL), w * w * root * root * root, 1e-12);
  }
  for (const double a : {0.5, 2.0, 6.0}) {
    const auto f = uniform_problem([a](double x) { return std::exp(a * x); },
                                   [a](double x) { return a * std::exp(a * x); });
    expect_ratio(f.coefficient(ZCMOE_THEORY_UNIFORM), a / 2 * std::expm1(2 * a), 1e-12);
    expect_ratio(f.coefficient(ZCMOE_THEORY_OPTIMAL),
                 27 / (8 * a) * std::pow(std::expm1(2 * a / 3), 3), 1e-12);
  }
}

TEST(theory_closed_forms, jump) {
  const double x0 = 0.37;
  auto f =
      uniform_problem([x0](double x) { return x < x0 ? 1.0 : 3.0; }, [](double) { return 0.0; });
  for (const bool told : {true, false}) {
    f.breaks = told ? std::vector<double>{x0} : std::vector<double>{};
    for (const std::int64_t m : {1, 7, 64}) {
      const double place = static_cast<double>(m) * x0;
      const double theta = place - std::floor(place);
      expect_ratio(f.approximation(zcmoe::uniform_edges(0, 1, m)).totals.error,
                   4 * theta * (1 - theta) / static_cast<double>(m), 1e-10);
    }
  }
}

TEST(theory_high_rate, error_of_a_coefficient) {
  expect_ratio(theory::error_of(0.864, 16), 0.864 / (12 * 256), 1e-15);
  expect_ratio(theory::error_of(2.0, 8, 1.0), 2.0 / (4 * 8), 1e-15);
  expect_ratio(theory::error_of(2.0, 8, 4.0), 2.0 / (5 * 16 * 4096.0), 1e-15);
}

TEST(theory_high_rate, other_losses) {
  const auto f = uniform_problem([](double x) { return std::exp(2 * x); },
                                 [](double x) { return 2 * std::exp(2 * x); });
  using gauss = boost::math::quadrature::gauss<double, 20>;
  for (const double r : {1.0, 3.0, 4.0}) {
    const double c = 2 * r / (r + 1);  // lambda* ~ exp(c x)
    const double power_sum = std::pow(2.0, r / (r + 1)) * std::expm1(c) / c;
    expect_ratio(f.coefficient(ZCMOE_THEORY_OPTIMAL, r), std::pow(power_sum, r + 1), 1e-12);
    const int m = 128;
    double error = 0.0;
    for (int i = 0; i < m; ++i) {
      const double left = std::log1p(i * std::expm1(c) / m) / c;
      const double right = std::log1p((i + 1) * std::expm1(c) / m) / c;
      const double constant = std::exp(left + right);  // b at the centre
      const auto loss = [&](double x) { return std::pow(std::abs(std::exp(2 * x) - constant), r); };
      const double middle = 0.5 * (left + right);  // the loss has a kink there
      error += gauss::integrate(loss, left, middle) + gauss::integrate(loss, middle, right);
    }
    expect_ratio(error, theory::error_of(f.coefficient(ZCMOE_THEORY_OPTIMAL, r), m, r), 1e-3);
  }
}

TEST(theory_high_rate, next_order_of_a_square_and_of_an_exponential) {
  EXPECT_NEAR(square_problem().next_order(ZCMOE_THEORY_UNIFORM), -1.0 / 45, 1e-15);
  auto f = uniform_problem([](double x) { return std::exp(2 * x); },
                           [](double x) { return 2 * std::exp(2 * x); },
                           [](double x) { return 4 * std::exp(2 * x); });
  const double c4 = f.next_order(ZCMOE_THEORY_OPTIMAL);
  EXPECT_NEAR(c4, 0.157695, 5e-7);
  const double coefficient = f.coefficient(ZCMOE_THEORY_OPTIMAL);
  const auto excess = [&](std::int64_t m) {
    const double error = f.approximation(edges_of(f, "optimal", m)).totals.error;
    return (error - theory::error_of(coefficient, m)) * std::pow(static_cast<double>(m), 4);
  };
  EXPECT_NEAR(excess(32), 0.157632, 5e-6);
  EXPECT_NEAR((4 * excess(32) - excess(16)) / 3, c4, 1e-5);

  f.point_density = [](double x) { return 3 * std::exp(4.0 / 3 * x); };
  f.point_density_slope = [](double x) { return 4 * std::exp(4.0 / 3 * x); };
  expect_ratio(f.next_order(ZCMOE_THEORY_POINT_DENSITY), c4, 1e-11);
  f.point_density = [](double) { return 2.0; };
  f.point_density_slope = [](double) { return 0.0; };
  expect_ratio(f.next_order(ZCMOE_THEORY_POINT_DENSITY), f.next_order(ZCMOE_THEORY_UNIFORM), 1e-12);
}

TEST(theory_high_rate, next_order_that_does_not_exist_is_refused) {
  const auto zero =
      message_of(ZCMOE_ERR_NUMERIC, [] { square_problem().next_order(ZCMOE_THEORY_OPTIMAL); });
  EXPECT_THAT(zero, testing::HasSubstr("point density is 0 at x=0"));
  auto tail = square_problem();
  tail.density = [](double x) { return 2 * x; };  // p'^2 / p = 2 / x
  tail.density_slope = [](double) { return 2.0; };
  tail.slope = [](double) { return 1.0; };
  tail.curvature = [](double) { return 0.0; };
  EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { tail.next_order(ZCMOE_THEORY_UNIFORM); }),
              testing::HasSubstr("diverges"));
}

TEST(theory_breakdown, gap_of_zeros) {
  EXPECT_NEAR(theory::zero_gap(0, 1.5), 0.1483251293, 1e-8);
  EXPECT_NEAR(theory::zero_gap(0, 2), 0.2500186811, 1e-8);
  EXPECT_NEAR(theory::zero_gap(0, 2.5), 0.3242425716, 1e-8);
  EXPECT_NEAR(theory::zero_gap(0, 4), 0.4614963175, 1e-8);
  EXPECT_NEAR(theory::zero_gap(0, 1), 0.0, 1e-12);  // b' does not vanish
  // s3 has four sides of zeros of order 2; s4 ends where p ~ x and where p ~ (1 - x)^4.
  const auto gap = [](const reference_case& c, std::int64_t m) {
    const auto f = problem_of(c);
    return static_cast<double>(m) * (f.approximation(edges_of(f, "optimal", m)).totals.error /
                                         theory::error_of(f.coefficient(ZCMOE_THEORY_OPTIMAL), m) -
                                     1);
  };
  EXPECT_NEAR(gap(reference_cases()[2], 1024), 4 * theory::zero_gap(0, 2), 0.01);
  EXPECT_NEAR(gap(reference_cases()[3], 1024), theory::zero_gap(1, 1) + theory::zero_gap(4, 1),
              0.02);
}

TEST(theory_breakdown, estimates) {
  double m = 0.0;
  ASSERT_EQ(zcmoe_theory_breakdown_estimate(0.864, 0, theory::zero_gap(0, 2), 0.05, &m), ZCMOE_OK);
  EXPECT_NEAR(m, 5, 0.01);  // s2, optimal: 5
  ASSERT_EQ(zcmoe_theory_breakdown_estimate(14.32, 0, 4 * theory::zero_gap(0, 2), 0.05, &m),
            ZCMOE_OK);
  EXPECT_NEAR(m, 20, 0.01);  // s3, optimal: 23
  ASSERT_EQ(zcmoe_theory_breakdown_estimate(4.0 / 3, -1.0 / 45, 0, 0.05, &m), ZCMOE_OK);
  EXPECT_NEAR(m, 2, 1e-12);  // s2, uniform: |gap(2)| is 5 % exactly
  ASSERT_EQ(zcmoe_theory_breakdown_estimate(1, 0, 0, 0.05, &m), ZCMOE_OK);
  EXPECT_EQ(m, 1);
}

TEST(theory_breakdown, a_jump_never_reaches_the_high_rate) {
  auto f =
      uniform_problem([](double x) { return x < 0.37 ? x : 1 + x; }, [](double) { return 1.0; });
  f.breaks = {0.37};
  EXPECT_EQ(f.breakdown(ZCMOE_THEORY_UNIFORM, 0.05, 64), 0);
}

TEST(theory_robustness, sinusoidal_errors_and_mixtures) {
  auto f = uniform_problem([](double x) { return x; }, [](double) { return 1.0; });
  for (const double a : {0.1, 0.2, 0.4}) {
    f.point_density = [a](double x) { return 5 * (1 + a * std::sin(2 * pi * x)); };
    expect_ratio(f.robustness(), std::pow(1 - a * a, -1.5), 1e-12);
    expect_ratio(f.robustness_second_order(), 1 + 1.5 * a * a, 1e-12);
  }
  auto g = sine_problem(0);
  g.point_density = [](double x) { return std::pow(std::abs(std::cos(2 * pi * x)), 2.0 / 3); };
  expect_ratio(g.robustness(), 1, 1e-11);
  const double mass = std::cbrt(g.coefficient(ZCMOE_THEORY_OPTIMAL) / (4 * pi * pi));
  g.point_density = [mass](double x) {
    return 0.9 * std::pow(std::abs(std::cos(2 * pi * x)), 2.0 / 3) / mass + 0.1;
  };
  EXPECT_GT(g.robustness(), 1);
  EXPECT_LT(g.robustness(), 1 / (0.9 * 0.9));
}

TEST(theory_approximation, an_offset_of_b_costs_no_digits) {
  const auto error = [](double offset) {
    const auto f = uniform_problem([offset](double x) { return offset + std::sin(3 * x); },
                                   [](double x) { return 3 * std::cos(3 * x); });
    return f.approximation(zcmoe::uniform_edges(0, 1, 16384)).totals.error;
  };
  expect_ratio(error(10), error(0), 1e-9);  // prefix sums would leave 8e-4
}

TEST(theory_approximation, gaps_plateaus_and_noise) {
  theory::problem f;
  f.density = [](double x) { return x < 0.5 ? 2.0 : 0.0; };
  f.regression = [](double x) { return x < 0.25 ? 4 * x : 1.0; };
  f.noise_variance = [](double x) { return x; };
  f.breaks = {0.25, 0.5};
  const auto t = f.approximation({0, 0.25, 0.5, 0.75, 1});
  EXPECT_THAT(t.probabilities, testing::ElementsAre(0.5, 0.5, 0, 0));
  EXPECT_NEAR(t.means[0], 0.5, 1e-15);
  EXPECT_EQ(t.means[1], 1.0);
  EXPECT_EQ(t.means[3], 1.0);  // b at the centre
  EXPECT_NEAR(t.variances[0], 1.0 / 12 + 0.125, 1e-14);
  EXPECT_NEAR(t.variances[1], 0.375, 1e-14);
  EXPECT_EQ(t.variances[2], 0.0);
  EXPECT_NEAR(t.totals.noise, 0.25, 1e-14);
  EXPECT_NEAR(t.totals.error, 1.0 / 24, 1e-15);
  EXPECT_NEAR(f.approximation({0, 0.25, 0.5, 0.75, 1}, {0.5, 3, 9, 9}).totals.error,
              1.0 / 24 + 0.5 * 4, 1e-13);
}

// ---------------------------------------------------------------- E[1/N; N > 0]

TEST(theory_mean_reciprocal, against_40_digits) {
  struct {
    std::int64_t n;
    double probability;
    double value;
  } const expected[] = {{1, 0.5, 0.5},
                        {7, 0.3, 0.511458207857142865},
                        {100, 0.05, 0.253621159219617444},
                        {1000, 0.9, 0.00111123471900814842},
                        {5, 0.999999, 0.200000250000333341},
                        {60, 1e-09, 5.99999973450000665e-8},
                        {100000, 1e-07, 0.00992530543028466675},
                        {1000000000000, 4e-12, 0.323589067272432123},
                        {1000000000000, 1e-10, 0.0101020625277380441},
                        {1000000000000, 1.9e-10, 0.00529115501702866755},
                        {1000000000000, 2.1e-10, 0.00478479960360027302},
                        {1000000000000, 1e-09, 0.00100100200602311765},
                        {4000, 0.0499, 0.00503410431195679471},
                        {4000, 0.0501, 0.00501390632210362917},
                        {300, 0.7, 0.00476874995228459242},
                        {1000000, 0.25, 4.00001200008400088e-6},
                        {1000000000000, 0.5, 2.000000000002e-12},
                        {1000000000, 0.999, 1.001001001002003e-9},
                        {123456789, 3e-300, 3.7037036700000003e-292}};
  for (const auto& e : expected) {
    SCOPED_TRACE(std::to_string(e.n) + " " + std::to_string(e.probability));
    expect_ratio(theory::mean_reciprocal(e.n, e.probability), e.value, 2e-13);
  }
  EXPECT_EQ(theory::mean_reciprocal(0, 0.5), 0);
  EXPECT_EQ(theory::mean_reciprocal(9, 0), 0);
  EXPECT_EQ(theory::mean_reciprocal(10, 1), 0.1);
}

TEST(theory_mean_reciprocal, against_the_recurrence) {
  for (const double p : {1e-4, 0.01, 0.05, 0.3, 0.5, 0.97}) {
    const long double q = 1 - static_cast<long double>(p);
    long double h = 0;
    long double power = 1;
    for (std::int64_t n = 1; n <= 6000; ++n) {
      power *= q;
      h = q * h + (1 - power) / static_cast<long double>(n);
      if (n < 20 || n % 97 == 0) {
        expect_ratio(theory::mean_reciprocal(n, p), static_cast<double>(h), 1e-12);
      }
    }
  }
}

TEST(theory_mean_reciprocal, poisson_limit_and_largest_factor) {
  double largest = 0.0;
  double at = 0.0;
  for (double nu = 0.01; nu < 100; nu *= 1.003) {
    const double h = theory::mean_reciprocal(1000000000000, nu * 1e-12);
    const double limit =
        std::exp(-nu) * (boost::math::expint(nu) - std::log(nu) - 0.57721566490153286061);
    expect_ratio(h, limit, nu < 0.1 ? 1e-10 : 1e-11);
    if (nu * h > largest) {
      largest = nu * h;
      at = nu;
    }
  }
  EXPECT_NEAR(largest, 1.2953, 1e-4);
  EXPECT_NEAR(at, 4.17, 0.02);
  for (const std::int64_t n : {1, 3, 10, 50, 1000}) {
    for (double p = 0.01; p < 1; p += 0.01) {
      EXPECT_LE(static_cast<double>(n) * p * theory::mean_reciprocal(n, p), 1.2953);
    }
  }
}

TEST(theory_mean_reciprocal, size_of_the_textbook_approximation_errors) {
  const auto error = [](double np, std::int64_t n) {
    const double p = np / static_cast<double>(n);
    const double q = 1 - p;
    const double approximate = 1 / np * (1 + q / np + q * (1 + q) / (np * np));
    return std::abs(approximate / theory::mean_reciprocal(n, p) - 1);
  };
  EXPECT_NEAR(error(5, 100), 0.003, 0.0005);
  EXPECT_NEAR(error(30, 3000), 0.0002, 0.0001);
}

// ----------------------------------------------------------- estimation error

theory::problem beta_problem() {
  auto f = sine_problem(0.09);
  f.density = [](double x) { return 30 * x * std::pow(1 - x, 4); };
  return f;
}

TEST(theory_estimation, published_numbers) {
  const auto edges = zcmoe::uniform_edges(0, 1, 12);
  const auto cells = beta_problem().approximation(edges);
  auto options = zcmoe::model_options();
  options.empty_policy = ZCMOE_EMPTY_VALUE;
  const auto fixed = theory::estimation(60, edges, cells, options);
  EXPECT_NEAR(fixed.error, 0.02697, 5e-6);
  EXPECT_NEAR(fixed.leading, 0.0198, 5e-5);
  options.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  EXPECT_NEAR(theory::estimation(60, edges, cells, options).error, 0.04892, 5e-6);
  const auto twenty = zcmoe::uniform_edges(0, 1, 20);
  const auto nearest = theory::estimation(60, twenty, sine_problem(0.04).approximation(twenty));
  EXPECT_NEAR(nearest.error, 0.02123, 4e-5);  // simulated value and its standard error
}

struct setting {
  const char* name;
  std::int32_t policy;
  double value;
  double shrinkage;
  std::vector<double> edges;
  std::int64_t n;
};

class theory_estimation_test : public testing::TestWithParam<setting> {};

TEST_P(theory_estimation_test, is_what_fits_do_on_average) {
  const setting& s = GetParam();
  const auto f = beta_problem();
  const auto cells = f.approximation(s.edges);
  auto options = zcmoe::model_options();
  options.empty_policy = s.policy;
  options.empty_value = s.value;
  options.shrinkage = s.shrinkage;
  std::vector<double> expected_segments;
  const auto expected = theory::estimation(s.n, s.edges, cells, options, &expected_segments);

  const zcmoe::context cpu(ZCMOE_ENGINE_CPU);
  const std::size_t m = cells.means.size();
  const auto n = static_cast<std::size_t>(s.n);
  std::mt19937_64 random(20251 + static_cast<std::uint64_t>(s.policy));
  std::normal_distribution<double> normal(0, 0.3);
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto runs = static_cast<int>(720000 / s.n);
  double sum = 0.0;
  double squares = 0.0;
  std::vector<double> x(n);
  std::vector<double> y(n);
  std::vector<double> segment_sum(m, 0.0);
  std::vector<double> segment_squares(m, 0.0);
  for (int run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < n; ++i) {
      double u[6];  // the second smallest of six is Beta(2, 5)
      for (double& v : u) v = uniform(random);
      std::nth_element(u, u + 1, u + 6);
      x[i] = u[1];
      y[i] = f.regression(x[i]) + normal(random);
    }
    zcmoe::fit fit(cpu, s.edges, options);
    fit.add_sync(x, y);
    const zcmoe::model model = fit.finish();
    const double* constants = model.info().constants;
    double error = 0.0;
    for (std::size_t i = 0; i < m; ++i) {
      const double d = constants[i] - cells.means[i];
      error += cells.probabilities[i] * d * d;
      segment_sum[i] += d * d;
      segment_squares[i] += d * d * d * d;
    }
    sum += error;
    squares += error * error;
  }
  const double mean = sum / runs;
  const double standard_error = std::sqrt((squares / runs - mean * mean) / runs);
  EXPECT_NEAR(mean, expected.error, 5 * standard_error) << standard_error;
  // The tolerance is small enough to tell m / n from (m + 1) / n.
  EXPECT_LT(5 * standard_error, expected.variance / static_cast<double>(m));
  for (std::size_t i = 0; i < m; ++i) {
    const double average = segment_sum[i] / runs;
    const double error = std::sqrt((segment_squares[i] / runs - average * average) / runs);
    EXPECT_NEAR(average, expected_segments[i], 5 * error) << "segment " << i;
  }
}

const std::vector<double> twelve = zcmoe::uniform_edges(0, 1, 12);
const std::vector<double> uneven{0, 0.03, 0.09, 0.11, 0.3, 0.36, 0.4, 0.62, 0.7, 0.96, 1};

INSTANTIATE_TEST_SUITE_P(
    policies, theory_estimation_test,
    testing::Values(setting{"value", ZCMOE_EMPTY_VALUE, 0.25, 0, twelve, 60},
                    setting{"global_mean", ZCMOE_EMPTY_GLOBAL_MEAN, 0, 0, twelve, 60},
                    setting{"global_mean_few", ZCMOE_EMPTY_GLOBAL_MEAN, 0, 0, uneven, 5},
                    setting{"nearest", ZCMOE_EMPTY_NEAREST, 0, 0, twelve, 60},
                    setting{"nearest_few", ZCMOE_EMPTY_NEAREST, 0, 0, uneven, 7},
                    setting{"parent", ZCMOE_EMPTY_PARENT, 0, 0, twelve, 60},
                    setting{"parent_few", ZCMOE_EMPTY_PARENT, 0, 0, uneven, 6},
                    setting{"shrinkage_to_value", ZCMOE_EMPTY_VALUE, 0.25, 1.5, twelve, 60},
                    setting{"shrinkage_to_mean", ZCMOE_EMPTY_NEAREST, 0, 1.5, twelve, 40}),
    [](const testing::TestParamInfo<setting>& parameter) { return parameter.param.name; });

TEST(theory_estimation, many_samples_reach_the_leading_term) {
  const auto edges = zcmoe::uniform_edges(0, 1, 12);
  const auto cells = sine_problem(0.09).approximation(edges);
  auto options = zcmoe::model_options();
  for (const std::int32_t policy :
       {ZCMOE_EMPTY_NEAREST, ZCMOE_EMPTY_GLOBAL_MEAN, ZCMOE_EMPTY_VALUE, ZCMOE_EMPTY_PARENT}) {
    options.empty_policy = policy;
    const auto r = theory::estimation(1000000000, edges, cells, options);
    expect_ratio(r.error, r.leading, 1e-7);
    EXPECT_EQ(r.fallback, 0.0);
  }
  // For many samples shrinkage adds its squared bias, and the thinned sum agrees with the direct
  // one.
  options.empty_policy = ZCMOE_EMPTY_VALUE;
  options.shrinkage = 1e-9;
  for (const std::int64_t n : {500000, 600000, 2000000, 100000000}) {
    const double plain = theory::estimation(n, edges, cells).error;
    expect_ratio(theory::estimation(n, edges, cells, options).error, plain, 1e-11);
  }
}

TEST(theory_estimation, risk_curve_adds_up_and_is_least_near_the_optimum) {
  const auto f = sine_problem(0.09);
  std::vector<std::int64_t> m;
  for (std::int64_t k = 1; k <= 200; ++k) m.push_back(k);
  for (const auto segmentation : {ZCMOE_THEORY_UNIFORM, ZCMOE_THEORY_OPTIMAL}) {
    const auto curve = f.risk_curve(segmentation, 10000, m);
    const auto best = std::min_element(
        curve.begin(), curve.end(), [](const auto& a, const auto& b) { return a.risk < b.risk; });
    const auto predicted = theory::optimum(f.coefficient(segmentation) / 12, f.noise, 10000);
    EXPECT_NEAR(static_cast<double>(best->num_segments), predicted.num_segments, 4);
    EXPECT_NEAR((best->risk - f.noise) / predicted.excess, 1.0, 0.05);
    for (const auto& point : curve) {
      expect_ratio(point.noise + point.approximation + point.estimation, point.risk, 1e-15);
    }
    const auto edges =
        edges_of(f, segmentation == ZCMOE_THEORY_UNIFORM ? "uniform" : "optimal", 50);
    const auto cells = f.approximation(edges);
    expect_ratio(curve[49].approximation, cells.totals.error, 1e-14);
    expect_ratio(curve[49].estimation, theory::estimation(10000, edges, cells).error, 1e-14);
  }
}

TEST(theory_tails, bounds) {
  const std::vector<double> shares(50, 0.02);
  const std::vector<double> variances(50, 1.0);
  const std::vector<std::int64_t> counts(50, 20);
  double bound = 0.0;
  ASSERT_EQ(
      zcmoe_theory_gaussian_tail(shares.data(), variances.data(), counts.data(), 50, 0.01, &bound),
      ZCMOE_OK);
  EXPECT_NEAR(bound / (50.0 / 1000), 1.79, 0.005);
  // The 99 % quantile of the weighted chi-square is below it, about 1.53.
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> sums(20000);
  for (double& s : sums) {
    for (int i = 0; i < 50; ++i) {
      const double z = normal(random);
      s += z * z / 50;
    }
  }
  std::nth_element(sums.begin(), sums.begin() + 19800, sums.end());
  EXPECT_NEAR(sums[19800], 1.53, 0.03);

  double needed = 0.0;
  ASSERT_EQ(zcmoe_theory_bounded_tail(100000, 10, 0.05, 2, 0.1, &bound, &needed), ZCMOE_OK);
  expect_ratio(needed, 8 * std::log(200.0) / 0.05, 1e-14);
  expect_ratio(bound, 16 * 10 / 100000.0 * std::log(400.0), 1e-14);
  ASSERT_EQ(zcmoe_theory_bounded_tail(800, 10, 0.05, 2, 0.1, &bound, nullptr), ZCMOE_OK);
  EXPECT_EQ(bound, std::numeric_limits<double>::infinity());
}

// ------------------------------------------------------------------ choosing m

TEST(theory_optimum, minimum_and_flatness) {
  const auto best = theory::optimum(0.5, 0.09, 1e5);
  expect_ratio(best.num_segments, std::cbrt(2 * 0.5 * 1e5 / 0.09), 1e-14);
  expect_ratio(best.excess,
               3 / std::pow(2, 2.0 / 3) * std::cbrt(0.5) * std::pow(0.09 / 1e5, 2.0 / 3), 1e-14);
  const auto excess = [](double m, double d) { return 0.5 * std::pow(m, -2 / d) + 0.09 * m / 1e5; };
  for (const std::int32_t d : {1, 2, 3, 5}) {
    const auto o = theory::optimum(0.5, 0.09, 1e5, d);
    expect_ratio(o.excess, excess(o.num_segments, d), 1e-13);
    for (const double r : {0.5, 0.7, 1.3, 2.0}) {
      expect_ratio(theory::flatness(r, d), excess(r * o.num_segments, d) / o.excess, 1e-13);
    }
  }
  const std::pair<double, double> table[] = {
      {0.5, 1.67}, {0.7, 1.15}, {1.3, 1.06}, {1.5, 1.15}, {2, 1.42}};
  for (const auto& row : table) EXPECT_NEAR(theory::flatness(row.first), row.second, 0.005);
  // A better density divides m and excess by (U / O)^(1/3).
  const auto worse = theory::optimum(4, 1, 1e6);
  const auto better = theory::optimum(0.5, 1, 1e6);
  expect_ratio(better.excess / worse.excess, 0.5, 1e-14);
  expect_ratio(better.num_segments / worse.num_segments, 0.5, 1e-14);
}

TEST(theory_optimum, density_that_follows_the_noise) {
  auto f = sine_problem(0.09);
  const auto plain = theory::optimum(f.coefficient(ZCMOE_THEORY_OPTIMAL) / 12, 0.09, 20000);
  const auto same = f.noise_adaptive(20000);
  expect_ratio(same.num_segments, plain.num_segments, 1e-12);
  expect_ratio(same.excess, plain.excess, 1e-12);

  f.noise_variance = [](double x) { return 0.01 + 0.2 * x; };
  const std::int64_t n = 200000;
  const auto adaptive = f.noise_adaptive(n);
  // By definition: the integral of p b'^2 / (12 L^2) + sigma^2 L / n at L = Lambda*.
  using gauss = boost::math::quadrature::gauss<double, 20>;
  const auto rate = [&](double x) {
    return std::cbrt(static_cast<double>(n) * f.slope(x) * f.slope(x) / (6 * f.noise_variance(x)));
  };
  const auto cost = [&](double x) {
    return f.slope(x) * f.slope(x) / (12 * rate(x) * rate(x)) +
           f.noise_variance(x) * rate(x) / static_cast<double>(n);
  };
  double excess = 0.0;
  for (const double left : {0.0, 0.25, 0.5, 0.75}) {  // b' vanishes at 1/4 and 3/4
    for (int i = 0; i < 64; ++i) {
      excess += gauss::integrate(cost, left + i / 256.0, left + (i + 1) / 256.0);
    }
  }
  expect_ratio(adaptive.excess, excess, 1e-5);

  // The exact risk of both tables at that m: following the noise is better, by about the promise.
  const auto m = static_cast<std::int64_t>(std::lround(adaptive.num_segments));
  const auto exact = [&](const std::vector<double>& edges) {
    const auto cells = f.approximation(edges);
    return cells.totals.error + theory::estimation(n, edges, cells).error;
  };
  const auto edges = f.noise_adaptive_edges(m);
  EXPECT_EQ(edges.size(), static_cast<std::size_t>(m) + 1);
  EXPECT_NEAR(exact(edges) / adaptive.excess, 1.0, 0.03);
  EXPECT_LT(exact(edges), exact(edges_of(f, "optimal", m)));
}

// --------------------------------------------------------------- from data alone

struct sample {
  std::vector<double> x;
  std::vector<double> y;
};

sample draw(const theory::function& b, double sigma, std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, sigma);
  std::uniform_real_distribution<double> uniform(0, 1);
  sample s{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    s.x[i] = uniform(random);
    s.y[i] = b(s.x[i]) + normal(random);
  }
  return s;
}

/// A fitted table that owns what zcmoe_theory_table points at.
struct fitted {
  zcmoe::model model;
  zcmoe_theory_table table;

  fitted(const sample& s, const std::vector<double>& edges,
         const zcmoe_model_options& options = zcmoe::model_options())
      : model(fit(s, edges, options)), table(theory::table_of(model)) {}

  static zcmoe::model fit(const sample& s, const std::vector<double>& edges,
                          const zcmoe_model_options& options) {
    static const zcmoe::context cpu(ZCMOE_ENGINE_CPU);
    zcmoe::fit fit(cpu, edges, options);
    fit.add_sync(s.x, s.y);
    return fit.finish();
  }
};

TEST(theory_statistics, leave_one_out_is_what_refits_give_for_every_policy) {
  const auto s = draw([](double x) { return std::sin(2 * pi * x); }, 0.3, 40, 11);
  for (const auto& edges : {zcmoe::uniform_edges(0, 1, 24), zcmoe::uniform_edges(0, 1, 5)}) {
    const fitted plain(s, edges);
    int seen = 0;
    for (const double shrinkage : {0.0, 1.5}) {
      for (const std::int32_t policy :
           {ZCMOE_EMPTY_NEAREST, ZCMOE_EMPTY_GLOBAL_MEAN, ZCMOE_EMPTY_VALUE, ZCMOE_EMPTY_PARENT}) {
        auto options = zcmoe::model_options();
        options.empty_policy = policy;
        options.empty_value = 0.3;
        options.shrinkage = shrinkage;
        double sum = 0.0;
        for (std::size_t i = 0; i < s.x.size(); ++i) {
          sample rest = s;
          rest.x.erase(rest.x.begin() + static_cast<std::ptrdiff_t>(i));
          rest.y.erase(rest.y.begin() + static_cast<std::ptrdiff_t>(i));
          const double answer =
              fitted(rest, edges, options).model.predict_sync(std::vector<double>{s.x[i]})[0];
          sum += (s.y[i] - answer) * (s.y[i] - answer);
        }
        const auto statistics = theory::statistics(plain.table, 0.09, options);
        SCOPED_TRACE("policy " + std::to_string(policy) + " shrinkage " +
                     std::to_string(shrinkage));
        expect_ratio(statistics.leave_one_out, sum / 40, 1e-12);
        if (edges.size() == 25) {
          EXPECT_GT(statistics.num_singletons, 3);
        }
        ++seen;
      }
    }
    EXPECT_EQ(seen, 8);
  }
}

TEST(theory_statistics, sums_of_a_table) {
  const std::int64_t counts[] = {2, 0, 1, 4};
  const double means[] = {1, NAN, 5, 2};
  const double variances[] = {0.5, NAN, NAN, 2};
  const zcmoe_theory_table table{counts, means, variances, nullptr, 4};
  auto options = zcmoe::model_options();
  options.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  const auto s = theory::statistics(table, 0.25, options);
  EXPECT_EQ(s.num_rows, 7);
  EXPECT_EQ(s.num_nonempty, 3);
  EXPECT_EQ(s.num_singletons, 1);
  expect_ratio(s.rss, 6.5, 1e-15);
  expect_ratio(s.within, 1.5, 1e-15);
  expect_ratio(s.risk, 1.5 + (0.5 * 2 + 2 * 4.0 / 3) / 7, 1e-15);
  expect_ratio(s.gcv, 7 * 6.5 / 16, 1e-15);
  expect_ratio(s.mallows, 6.5 / 7 + 2 * 0.25 * 3 / 7, 1e-15);
  const double others = 10.0 / 6;
  expect_ratio(s.leave_one_out, (4 * 0.5 + 16.0 / 9 * 6 + (5 - others) * (5 - others)) / 7, 1e-14);
}

TEST(theory_statistics, mean_of_leave_one_out_is_the_exact_risk_with_one_row_less) {
  const auto f = sine_problem(0.09);
  const auto edges = zcmoe::uniform_edges(0, 1, 15);
  const auto cells = f.approximation(edges);
  auto options = zcmoe::model_options();
  options.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  const double expected =
      f.noise + cells.totals.error + theory::estimation(49, edges, cells, options).error;
  double sum = 0.0;
  double squares = 0.0;
  double within = 0.0;
  const int runs = 4000;
  for (int run = 0; run < runs; ++run) {
    const auto s = draw(f.regression, 0.3, 50, 1000 + static_cast<std::uint64_t>(run));
    const auto statistics = theory::statistics(fitted(s, edges).table, 0, options);
    sum += statistics.leave_one_out;
    squares += statistics.leave_one_out * statistics.leave_one_out;
    within += statistics.within;
  }
  const double mean = sum / runs;
  const double standard_error = std::sqrt((squares / runs - mean * mean) / runs);
  EXPECT_NEAR(mean, expected, 5 * standard_error);
  EXPECT_LT(5 * standard_error, 0.05 * expected);
  EXPECT_NEAR(within / runs, f.noise + cells.totals.error, 0.01 * (f.noise + cells.totals.error));
}

TEST(theory_data, rice) {
  EXPECT_DOUBLE_EQ(theory::rice({1, 3, 3, 2}), (4 + 0 + 1) / 6.0);
  auto s = draw([](double) { return 4.0; }, 0.3, 100000, 3);
  EXPECT_NEAR(theory::rice(s.y), 0.09, 5 * 0.09 * std::sqrt(3.0 / 100000));
}

TEST(theory_data, richardson_and_its_standard_error) {
  const auto f = sine_problem(0.09);
  const double truth = f.coefficient(ZCMOE_THEORY_UNIFORM) / 12;
  const int runs = 300;
  const std::int64_t n = 5000;
  const std::int64_t m = 12;
  double sum = 0.0;
  double squares = 0.0;
  double noise_sum = 0.0;
  double noise_squares = 0.0;
  zcmoe_theory_fit last{};
  for (int run = 0; run < runs; ++run) {
    const auto s =
        draw(f.regression, 0.3, static_cast<std::size_t>(n), 50 + static_cast<std::uint64_t>(run));
    double within[2];
    for (int k = 0; k < 2; ++k) {
      within[k] = theory::statistics(fitted(s, zcmoe::uniform_edges(0, 1, m << k)).table).within;
    }
    last = theory::richardson(m, within[0], within[1], n);
    sum += last.approximation;
    squares += last.approximation * last.approximation;
    noise_sum += last.noise;
    noise_squares += last.noise * last.noise;
  }
  const double mean = sum / runs;
  const double deviation = std::sqrt(squares / runs - mean * mean);
  // gap(12) = -0.9 %, which Richardson magnifies by 5/4.
  EXPECT_NEAR(mean / truth, 1.0, 5 * deviation / std::sqrt(runs) / truth + 0.012);
  expect_ratio(last.approximation_error, deviation, 0.2);
  const double noise_mean = noise_sum / runs;
  const double noise_deviation = std::sqrt(noise_squares / runs - noise_mean * noise_mean);
  EXPECT_NEAR(noise_mean, 0.09, 5 * noise_deviation / std::sqrt(runs) + 1e-4);
  expect_ratio(last.noise_error, noise_deviation, 0.25);
}

TEST(theory_data, parametric_fit_of_exact_numbers) {
  std::vector<std::int64_t> m;
  std::vector<double> within;
  for (std::int64_t k = 1; k <= 4096; k *= 2) {
    m.push_back(k);
    // Levels outside 6 .. n/8 must not count.
    const auto size = static_cast<double>(k);
    within.push_back(k < 6 || k > 1250 ? 77.0 : 0.09 + 1.5 / (size * size));
  }
  zcmoe_theory_fit fit{};
  ASSERT_EQ(zcmoe_theory_parametric_fit(m.data(), within.data(),
                                        static_cast<std::int64_t>(m.size()), 10000, &fit),
            ZCMOE_OK);
  EXPECT_EQ(fit.num_levels, 8);  // 8 .. 1024
  expect_ratio(fit.approximation, 1.5, 1e-11);
  expect_ratio(fit.noise, 0.09, 1e-12);
  ASSERT_EQ(zcmoe_theory_parametric_fit(m.data(), within.data(), 3, 10000, &fit), ZCMOE_ERR_DATA);
}

TEST(theory_data, ratio_test) {
  const auto within = [](const theory::problem& f, std::int64_t m) {
    return f.noise + f.approximation(zcmoe::uniform_edges(0, 1, m)).totals.error;
  };
  const auto test = [&](const theory::problem& f, std::int64_t m, std::int64_t n) {
    return theory::ratio_test(m, within(f, m), within(f, 2 * m), within(f, 4 * m), n);
  };
  const auto smooth = sine_problem(0.01);
  const auto holds = test(smooth, 8, 1000000000);
  EXPECT_EQ(holds.verdict, ZCMOE_THEORY_HOLDS);
  EXPECT_NEAR(holds.gap, -2.03e-2, 1e-3);                              // the exact gap at m = 8
  EXPECT_EQ(test(smooth, 4, 1000000000).verdict, ZCMOE_THEORY_FAILS);  // gap -7.9 %
  EXPECT_EQ(test(smooth, 64, 1000).verdict, ZCMOE_THEORY_UNINFORMATIVE);
  EXPECT_EQ(theory::ratio_test(8, 1, 1, 1, 100).verdict, ZCMOE_THEORY_UNINFORMATIVE);
  // The ratio is 2 for jumps, averaged over the places that they have in their segments.
  auto jump =
      uniform_problem([](double x) { return x < 1.0 / 3 ? 0.0 : 1.0; }, [](double) { return 0.0; });
  jump.breaks = {1.0 / 3};
  const auto fails = test(jump, 8, 1000000000);
  EXPECT_NEAR(fails.ratio, 2, 1e-9);
  EXPECT_EQ(fails.verdict, ZCMOE_THEORY_FAILS);
  // The standard error is about 4 * 5 m sigma / sqrt(A n).
  const auto known = test(sine_problem(0.09), 16, 10000000);
  const double a = smooth.coefficient(ZCMOE_THEORY_UNIFORM) / 12;
  expect_ratio(known.standard_error, 4 * 5 * 16 * 0.3 / std::sqrt(a * 1e7), 0.1);
}

struct plan {
  std::vector<fitted> tables;
  zcmoe_theory_recommendation recommendation;

  plan(const sample& s, std::int64_t finest) {
    std::vector<zcmoe_theory_table> views;
    for (std::int64_t m = 1; m <= finest; m *= 2) {
      tables.emplace_back(s, zcmoe::uniform_edges(0, 1, m));
      views.push_back(tables.back().table);
    }
    recommendation = theory::recommend(views);
  }
};

TEST(theory_data, recommendation_is_near_the_best_table) {
  for (const std::size_t n : {std::size_t{2000}, std::size_t{20000}, std::size_t{100000}}) {
    const auto f = sine_problem(0.09);
    std::vector<std::int64_t> m;
    for (std::int64_t k = 1; k <= 250; ++k) m.push_back(k);
    const auto curve = f.risk_curve(ZCMOE_THEORY_UNIFORM, static_cast<std::int64_t>(n), m);
    double best = 1e9;
    for (const auto& point : curve) best = std::min(best, point.risk - f.noise);
    double excess = 0.0;
    double predicted = 0.0;
    int covered = 0;
    const int runs = 20;
    for (int run = 0; run < runs; ++run) {
      const auto s = draw(f.regression, 0.3, n, 900 + static_cast<std::uint64_t>(run));
      const plan p(s, 512);
      const auto& r = p.recommendation;
      EXPECT_EQ(r.method, ZCMOE_THEORY_PARAMETRIC);
      ASSERT_LE(r.num_segments, 250);
      excess += curve[static_cast<std::size_t>(r.num_segments) - 1].risk - f.noise;
      predicted += r.excess;
      const double truth =
          theory::optimum(f.coefficient(ZCMOE_THEORY_UNIFORM) / 12, 0.09, static_cast<double>(n))
              .num_segments;
      covered += r.lower <= truth && truth <= r.upper;
    }
    EXPECT_LT(excess / runs, 1.2 * best) << n;
    EXPECT_NEAR(predicted / runs / best, 1.0, 0.15) << n;
    EXPECT_GE(covered, 14) << n;  // 19 of 20 expected
  }
}

TEST(theory_data, jumps_are_noticed_and_left_to_leave_one_out) {
  const auto s =
      draw([](double x) { return x < 1.0 / 3 ? 0.0
                                 : x < 0.71  ? 2.0
                                             : 1.0; }, 0.1, 50000, 5);
  const plan p(s, 1024);
  EXPECT_EQ(p.recommendation.test.verdict, ZCMOE_THEORY_FAILS);
  EXPECT_EQ(p.recommendation.method, ZCMOE_THEORY_LEAVE_ONE_OUT);
  EXPECT_GE(p.recommendation.lower, 64);
  EXPECT_LE(p.recommendation.lower, static_cast<double>(p.recommendation.num_segments));
}

TEST(theory_data, a_constant_needs_one_segment_or_few) {
  const auto s = draw([](double) { return 1.0; }, 0.1, 20000, 6);
  const plan p(s, 512);
  EXPECT_LE(p.recommendation.num_segments, 8);
}

// --------------------------------------------------------------------- errors

TEST(theory_errors, name_the_argument_and_the_value) {
  using testing::HasSubstr;
  const auto text = [](const std::function<void()>& body) {
    return message_of(ZCMOE_ERR_INVALID_ARGUMENT, body);
  };
  theory::problem f;
  EXPECT_THAT(text([&] { f.coefficient(0); }), HasSubstr("problem->density is null"));
  f = square_problem();
  EXPECT_THAT(text([&] { f.coefficient(7); }), HasSubstr("segmentation=7"));
  EXPECT_THAT(text([&] { f.coefficient(0, -1); }), HasSubstr("power=-1"));
  EXPECT_THAT(text([&] { f.coefficient(2); }), HasSubstr("problem->point_density is null"));
  EXPECT_THAT(text([&] { f.breakdown(0, 1.5); }), HasSubstr("tolerance=1.5"));
  f.breaks = {0.5, 0.5};
  EXPECT_THAT(text([&] { f.coefficient(0); }), HasSubstr("problem->breaks[1]=0.5"));
  f.breaks = {1.5};
  EXPECT_THAT(text([&] { f.coefficient(0); }), HasSubstr("problem->breaks[0]=1.5"));
  f.breaks = {};
  f.hi = -1;
  EXPECT_THAT(text([&] { f.coefficient(0); }), HasSubstr("problem->lo=0 is not less"));
  f.hi = 1;
  EXPECT_THAT(text([&] { f.approximation({0, 0.5, 2}); }), HasSubstr("edges[2]=2"));
  EXPECT_THAT(text([&] { f.approximation({0, 0.5, 0.5}); }), HasSubstr("edges[2]=0.5"));
  f.noise = -1;
  EXPECT_THAT(text([&] { f.coefficient(0); }), HasSubstr("problem->noise=-1"));
  EXPECT_THAT(text([] { theory::mean_reciprocal(-1, 0.5); }), HasSubstr("n=-1"));
  EXPECT_THAT(text([] { theory::mean_reciprocal(1, 1.5); }), HasSubstr("probability=1.5"));
  EXPECT_THAT(text([] { theory::optimum(1, 0, 10); }), HasSubstr("variance=0"));
  EXPECT_THAT(text([] { theory::zero_gap(0, 0); }), HasSubstr("regression_order=0"));

  theory::cells cells{{0.5, 0.4}, {0, 1}, {1, 1}, {}, {}};
  EXPECT_THAT(text([&] { theory::estimation(5, {0, 1, 2}, cells); }), HasSubstr("sum to 0.9"));
  cells.probabilities = {0.5, 0.5};
  auto options = zcmoe::model_options();
  options.empty_policy = ZCMOE_EMPTY_NAN;
  EXPECT_THAT(text([&] {
                theory::estimation(5, {0, 1, 2}, cells, options);
              }),
              HasSubstr("ZCMOE_EMPTY_NAN"));
  EXPECT_THAT(text([&] { theory::estimation(0, {0, 1, 2}, cells); }), HasSubstr("n=0"));
  cells.variances[1] = -1;
  EXPECT_THAT(text([&] { theory::estimation(5, {0, 1, 2}, cells); }), HasSubstr("variances[1]=-1"));
  zcmoe_theory_estimation_result result{};
  EXPECT_EQ(zcmoe_theory_estimation(5, nullptr, cells.probabilities.data(), cells.means.data(),
                                    cells.means.data(), 2, nullptr, nullptr, &result),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("edges is null"));

  const std::int64_t counts[] = {0, -3};
  const double numbers[] = {0, 0};
  EXPECT_THAT(text([&] {
                theory::statistics({counts, numbers, numbers, nullptr, 2});
              }),
              HasSubstr("table->counts[1]=-3"));
  const std::int64_t single[] = {1, 3};
  EXPECT_THAT(text([&] {
                theory::statistics({single, numbers, numbers, nullptr, 2});
              }),
              HasSubstr("table->edges is null, but segment 0"));
  const zcmoe_theory_table twice{single, numbers, numbers, nullptr, 2};
  EXPECT_THAT(text([&] {
                theory::recommend({twice, twice});
              }),
              HasSubstr("tables[1].num_segments=2"));
  const std::int64_t none[] = {0, 0};
  EXPECT_THAT(message_of(ZCMOE_ERR_DATA,
                         [&] {
                           theory::statistics({none, numbers, numbers, nullptr, 2});
                         }),
              HasSubstr("no rows"));
}

TEST(theory_errors, of_callbacks) {
  auto f = square_problem();
  f.density = [](double x) { return x > 0.5 ? -1.0 : 1.0; };
  EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { f.coefficient(0); }),
              testing::HasSubstr("density returned -1"));
  f.density = [](double) { return 0.0; };
  EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { f.coefficient(0); }),
              testing::HasSubstr("0 everywhere"));
  f = square_problem();
  f.point_density = [](double x) { return x < 0.5 ? 1.0 : 0.0; };
  EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { f.coefficient(2); }),
              testing::HasSubstr("error is infinite"));
  f.slope = [](double x) -> double {
    if (x > 0.9) throw std::runtime_error("from the callback");
    return x;
  };
  EXPECT_THROW(f.coefficient(0), std::runtime_error);
  f = square_problem();
  EXPECT_THAT(message_of(ZCMOE_ERR_NUMERIC, [&] { f.noise_adaptive(10); }),
              testing::HasSubstr("noise variance is 0"));
}

// ------------------------------------------------------------------ curves

TEST(theory_curve, stands_for_the_function_it_was_made_from) {
  std::vector<double> grid;
  std::vector<double> values;
  std::vector<double> ones;
  for (int i = 0; i <= 2000; ++i) {
    grid.push_back(i / 2000.0);
    values.push_back(std::exp(2 * grid.back()));
    ones.push_back(1.0);
  }
  const theory::curve b(grid, values);
  const theory::curve p(grid, ones);
  theory::problem f;
  f.density = p;
  f.regression = b;
  f.slope = b.slope();
  f.breaks = b.breaks();
  // Closed forms of b = exp(a x), a = 2: U = a (e^2a - 1) / 2, O = 27 (e^(2a/3) - 1)^3 / (8 a).
  EXPECT_NEAR(f.coefficient(ZCMOE_THEORY_UNIFORM) / (std::exp(4.0) - 1), 1, 1e-6);
  EXPECT_NEAR(f.coefficient(ZCMOE_THEORY_OPTIMAL) / (27.0 / 16 * std::pow(std::expm1(4.0 / 3), 3)),
              1, 1e-6);
  EXPECT_EQ(b(-1), values.front());
  EXPECT_EQ(b(7), values.back());
  EXPECT_EQ(b.slope()(-1), 0.0);
  EXPECT_EQ(b.slope()(1.5), 0.0);
  EXPECT_TRUE(std::isnan(b(std::nan(""))));
}

TEST(theory_curve, keeps_shape_and_scale) {
  // Monotone data stay monotone; lines for two and three points; any magnitude.
  const theory::curve step({0, 1, 2, 3, 4, 5}, {0, 0, 0, 1, 1, 1});
  double before = 0;
  for (int i = 0; i <= 5000; ++i) {
    const double value = step(i / 1000.0);
    EXPECT_GE(value, before - 1e-15);
    EXPECT_LE(value, 1.0 + 1e-15);
    before = value;
  }
  const theory::curve two({1, 3}, {10, 20});
  EXPECT_EQ(two(2), 15.0);
  EXPECT_EQ(two.slope()(1.5), 5.0);
  const theory::curve three({0, 1, 3}, {0, 1, 7});
  EXPECT_EQ(three(0.5), 0.5);
  EXPECT_EQ(three(2), 4.0);
  EXPECT_EQ(three.slope()(2.5), 3.0);
  constexpr double most = std::numeric_limits<double>::max();
  const theory::curve wide({-most, -1, 1, most}, {-most, 0, 0, most});
  EXPECT_EQ(wide(most), most);
  EXPECT_EQ(wide(0), 0.0);
  EXPECT_EQ(theory::curve({0, 0x1p-1074}, {0, 1})(0x1p-1074), 1.0);
  // Points that are the same double in units of the range count as one.
  const theory::curve close({0, 1e-300, 1, 1e300}, {0, 1, 2, 3});
  EXPECT_EQ(close(0), 0.0);
  EXPECT_EQ(close(1e300), 3.0);
  EXPECT_TRUE(std::isfinite(close(0.5)));
}

TEST(theory_curve, names_what_is_wrong) {
  const auto text_of = [](std::vector<double> grid, const std::vector<double>& values) {
    try {
      theory::curve(std::move(grid), values);
    } catch (const zcmoe::error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(text_of({0}, {1}), testing::HasSubstr("num_grid=1"));
  EXPECT_THAT(text_of({0, 1, 1}, {1, 2, 3}), testing::HasSubstr("grid[2]=1 is not greater than"));
  EXPECT_THAT(text_of({0, std::nan("")}, {1, 2}), testing::HasSubstr("grid[1]=nan"));
  EXPECT_THAT(text_of({0, 1}, {1, INFINITY}), testing::HasSubstr("values[1]=inf"));
  EXPECT_THAT(text_of({0, 1}, {1}), testing::HasSubstr("differ in length"));
}

}  // namespace
}  // namespace zcmoe_test
