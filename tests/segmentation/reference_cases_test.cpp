// Every one-dimensional reference case: edges, constants and errors of the tables the library
// builds, measured with a quadrature that shares nothing with the library's.
#include "tests/reference_cases.hpp"

#include <zcmoe/zcmoe.h>

#include <boost/math/quadrature/gauss.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace zcmoe_test {
namespace {

double density_of(void* user, double x) { return static_cast<reference_case*>(user)->density(x); }
double slope_of(void* user, double x) { return static_cast<reference_case*>(user)->slope(x); }
double regression_of(void* user, double x) {
  return static_cast<reference_case*>(user)->regression(x);
}

/// Gauss-Legendre on pieces of [a, b] no wider than 1/128, cut at kinks.
template <class Function>
double integral(const reference_case& c, double a, double b, const Function& f) {
  using gauss = boost::math::quadrature::gauss<double, 20>;
  std::vector<double> ends{a};
  for (const double kink : c.kinks) {
    if (kink > a && kink < b) ends.push_back(kink);
  }
  ends.push_back(b);
  double sum = 0.0;
  for (std::size_t k = 0; k + 1 < ends.size(); ++k) {
    const double width = ends[k + 1] - ends[k];
    const int pieces = static_cast<int>(std::ceil(128 * width));
    for (int i = 0; i < pieces; ++i) {
      sum += gauss::integrate(f, ends[k] + width * i / pieces, ends[k] + width * (i + 1) / pieces);
    }
  }
  return sum;
}

class reference_test : public testing::TestWithParam<std::size_t> {
 protected:
  reference_case c_ = reference_cases()[GetParam()];

  std::vector<double> edges(const std::string& segmentation, std::int64_t m) {
    std::vector<double> e(static_cast<std::size_t>(m) + 1);
    if (segmentation == "uniform") {
      EXPECT_EQ(zcmoe_segment_uniform(0, 1, m, e.data()), ZCMOE_OK) << zcmoe_last_error();
      return e;
    }
    std::int64_t built = 0;
    EXPECT_EQ(zcmoe_segment_optimal(density_of, slope_of, &c_, 0, 1, m, nullptr, e.data(), &built),
              ZCMOE_OK)
        << zcmoe_last_error();
    EXPECT_EQ(built, m);
    EXPECT_EQ(zcmoe_segment_check(e.data(), built), ZCMOE_OK) << zcmoe_last_error();
    return e;
  }

  std::vector<double> constants(const std::vector<double>& e, zcmoe_constant_rule rule) {
    std::vector<double> result(e.size() - 1);
    EXPECT_EQ(
        zcmoe_optimal_constants(density_of, regression_of, &c_, e.data(),
                                static_cast<std::int64_t>(result.size()), rule, result.data()),
        ZCMOE_OK)
        << zcmoe_last_error();
    return result;
  }

  double cell_error(double a, double b, double constant) const {
    return integral(c_, a, b, [&](double x) {
      const double d = c_.regression(x) - constant;
      return c_.density(x) * d * d;
    });
  }
};

TEST_P(reference_test, optimal_edges_of_8_segments) {
  const auto expected = c_.texts("boundaries_optimal_m8_text");
  EXPECT_THAT(edges("optimal", 8), testing::Pointwise(testing::DoubleNear(1e-9), expected));
}

TEST_P(reference_test, optimal_edges_of_64_segments) {
  const auto expected = c_.numbers.at("boundaries_optimal_m64").get<std::vector<double>>();
  EXPECT_THAT(edges("optimal", 64), testing::Pointwise(testing::DoubleNear(1e-9), expected));
}

TEST_P(reference_test, cells_of_8_segments) {
  for (const std::string segmentation : {"uniform", "optimal"}) {
    SCOPED_TRACE(segmentation);
    const auto& cells = c_.numbers.at("cells_m8").at(segmentation);
    const auto e = edges(segmentation, 8);
    const auto c = constants(e, ZCMOE_CONSTANT_MEAN);
    for (std::size_t i = 0; i < 8; ++i) {
      const double mass = integral(c_, e[i], e[i + 1], c_.density);
      EXPECT_NEAR(mass, cells.at("P").at(i).get<double>(), 1e-9) << i;
      // The edges of optimal segments may differ by up to 1e-9, and the mass between them with
      // them.
      const double constant = cells.at("c").at(i).get<double>();
      EXPECT_NEAR(c[i], constant,
                  segmentation == "uniform" ? 1e-13 * (1 + std::abs(constant)) : 1e-8)
          << i;
      const double sse = cells.at("sse").at(i).get<double>();
      // Besides 1e-9 the limit allows for the constant and beta, which are rounded to doubles.
      const double rounding = 4e-16 * (1 + std::abs(constant)) * std::sqrt(sse * mass) + 1e-30;
      EXPECT_NEAR(cell_error(e[i], e[i + 1], c[i]), sse,
                  segmentation == "uniform" ? 1e-9 * sse + rounding : 1e-9)
          << i;
    }
  }
}

TEST_P(reference_test, errors_of_the_tables) {
  int checked = 0;
  for (const auto& exact : c_.numbers.at("exact")) {
    const auto segmentation = exact.at("segmentation").get<std::string>();
    const auto m = exact.at("m").get<std::int64_t>();
    SCOPED_TRACE(segmentation + " " + std::to_string(m));
    const auto e = edges(segmentation, m);
    for (const auto rule : {ZCMOE_CONSTANT_MEAN, ZCMOE_CONSTANT_MIDPOINT}) {
      const auto c = constants(e, rule);
      double error = 0.0;
      for (std::size_t i = 0; i < c.size(); ++i) error += cell_error(e[i], e[i + 1], c[i]);
      const double expected =
          exact.at(rule == ZCMOE_CONSTANT_MEAN ? "error" : "midpoint_constants_error")
              .get<double>();
      EXPECT_NEAR(error / expected, 1.0, 1e-9)
          << (rule == ZCMOE_CONSTANT_MEAN ? "mean" : "midpoint");
      ++checked;
    }
  }
  EXPECT_EQ(checked, 24);
}

TEST_P(reference_test, coefficients_by_high_rate_limit) {
  // 12 m^2 E tends to the coefficient; the gap is at most a small multiple of 1/m.
  const auto e = edges("optimal", 4096);
  const auto c = constants(e, ZCMOE_CONSTANT_MEAN);
  double error = 0.0;
  for (std::size_t i = 0; i < c.size(); ++i) error += cell_error(e[i], e[i + 1], c[i]);
  EXPECT_NEAR(12 * 4096.0 * 4096.0 * error / c_.numbers.at("coef_optimal").get<double>(), 1.0,
              10.0 / 4096);
}

TEST_P(reference_test, tables_of_samples_give_nearly_the_same_edges) {
  // Shape-preserving cubics are of second order at extrema of the table: 4001 points leave about
  // 1e-6.
  std::vector<double> grid, density, slope;
  for (int i = 0; i <= 4000; ++i) {
    grid.push_back(i / 4000.0);
    density.push_back(c_.density(grid.back()));
    slope.push_back(c_.slope(grid.back()));
  }
  std::vector<double> e(9);
  std::int64_t built = 0;
  ASSERT_EQ(zcmoe_segment_optimal_table(grid.data(), density.data(), slope.data(), 4001, 8, nullptr,
                                        e.data(), &built),
            ZCMOE_OK)
      << zcmoe_last_error();
  EXPECT_EQ(built, 8);
  EXPECT_THAT(
      e, testing::Pointwise(testing::DoubleNear(1e-5), c_.texts("boundaries_optimal_m8_text")));
}

std::string case_name(const testing::TestParamInfo<std::size_t>& parameter) {
  std::string name = reference_cases()[parameter.param].id;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(cases, reference_test, testing::Range<std::size_t>(0, 7), case_name);

TEST(reference_cases, all_seven_are_there) { EXPECT_EQ(reference_cases().size(), 7u); }

}  // namespace
}  // namespace zcmoe_test
