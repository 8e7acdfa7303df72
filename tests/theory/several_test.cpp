// Theory in several dimensions: the two-dimensional reference cases, closed forms, and integrals by
// grids of points.
#include <zcmoe/theory.hpp>

#include "tests/support.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::test {
namespace {

const double pi = std::acos(-1.0);

struct known_field {
  nlohmann::json numbers;
  theory::field f;
};

double truncated_normal(double x, double mean, double deviation) {
  const auto below = [&](double v) { return std::erf((v - mean) / (deviation * std::sqrt(2.0))); };
  return std::exp(-0.5 * std::pow((x - mean) / deviation, 2)) * 2 /
         (deviation * std::sqrt(2 * pi) * (below(1) - below(0)));
}

std::vector<known_field> reference_fields() {
  std::ifstream file(std::string(ZCMOE_TEST_DATA) + "/reference_cases.json");
  const auto all = nlohmann::json::parse(file);
  std::vector<known_field> fields;
  for (const auto& numbers : all.at("cases_2d")) {
    theory::field f;
    const auto id = numbers.at("id").get<std::string>();
    if (id == "s8-linear-uniform") {
      f.regression = [](const double* x) { return 2 * x[0] + 0.5 * x[1]; };
      f.gradient = [](const double*, double* g) {
        g[0] = 2;
        g[1] = 0.5;
      };
    } else if (id == "s9-sincos-uniform") {
      f.regression = [](const double* x) { return std::sin(2 * pi * x[0]) * std::cos(pi * x[1]); };
      f.gradient = [](const double* x, double* g) {
        g[0] = 2 * pi * std::cos(2 * pi * x[0]) * std::cos(pi * x[1]);
        g[1] = -pi * std::sin(2 * pi * x[0]) * std::sin(pi * x[1]);
      };
    } else if (id == "s10-bump-product") {
      f.density = [](const double* x) {
        return truncated_normal(x[0], 0.5, 0.2) * truncated_normal(x[1], 0.6, 0.25);
      };
      f.regression = [](const double* x) {
        return std::exp(-8 * (std::pow(x[0] - 0.4, 2) + std::pow(x[1] - 0.6, 2)));
      };
      f.gradient = [b = f.regression](const double* x, double* g) {
        g[0] = -16 * (x[0] - 0.4) * b(x);
        g[1] = -16 * (x[1] - 0.6) * b(x);
      };
    } else {
      throw std::runtime_error("unknown case " + id);
    }
    fields.push_back({numbers, f});
  }
  if (fields.size() != 3) throw std::runtime_error("expected three cases");
  return fields;
}

/// Boxes of a product grid.
std::vector<double> grid(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> boxes;
  for (std::size_t i = 0; i + 1 < a.size(); ++i) {
    for (std::size_t j = 0; j + 1 < b.size(); ++j)
      boxes.insert(boxes.end(), {a[i], b[j], a[i + 1], b[j + 1]});
  }
  return boxes;
}

#define EXPECT_REL(value, expected, tolerance) EXPECT_NEAR((value) / (expected), 1, tolerance)

TEST(several_inputs, coefficients_of_the_reference_cases) {
  for (const auto& [numbers, f] : reference_fields()) {
    SCOPED_TRACE(numbers.at("id").get<std::string>());
    const auto number = [&, &n = numbers](const char* key) { return n.at(key).get<double>(); };
    const std::vector<double> s = f.axis_coefficients(ZCMOE_THEORY_UNIFORM);
    const std::vector<double> c = f.axis_coefficients(ZCMOE_THEORY_OPTIMAL);
    EXPECT_REL(s[0], number("S1"), 1e-9);
    EXPECT_REL(s[1], number("S2"), 1e-9);
    EXPECT_REL(c[0], number("C1_axis_compander"), 1e-9);
    EXPECT_REL(c[1], number("C2_axis_compander"), 1e-9);
    const double isotropic = f.cells_coefficient(ZCMOE_CELLS_ISOTROPIC);
    EXPECT_REL(isotropic, number("coef_isotropic_square_optimal"), 1e-9);
    EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_BOXES), number("coef_axis_box_optimal"), 1e-9);
    const theory::aspect uniform(s, 1);
    const theory::aspect compander(c, 1);
    EXPECT_REL(uniform.counts[0] / uniform.counts[1], number("best_aspect_uniform_m1_over_m2"),
               1e-9);
    EXPECT_REL(compander.counts[0] / compander.counts[1],
               number("best_aspect_compander_m1_over_m2"), 1e-9);
    EXPECT_REL(uniform.error, number("coef_uniform_best_aspect_times_m"), 1e-9);
    EXPECT_REL(compander.error, number("coef_compander_best_aspect_times_m"), 1e-9);
    EXPECT_REL((s[0] + s[1]) / 12, number("coef_uniform_square_times_m"), 1e-9);
    EXPECT_REL((s[0] + s[1]) / 6, number("coef_bound_uniform_square_times_m"), 1e-9);
  }
}

TEST(several_inputs, grids_of_the_reference_cases) {
  for (const auto& [numbers, f] : reference_fields()) {
    SCOPED_TRACE(numbers.at("id").get<std::string>());
    for (int axis = 0; axis < 2; ++axis) {
      const auto expected = numbers.at(axis == 0 ? "axis1_boundaries_m8" : "axis2_boundaries_m8");
      const std::vector<double> edges = f.axis_edges(axis, 8);
      ASSERT_EQ(edges.size(), 9U);
      for (std::size_t i = 0; i < 9; ++i)
        EXPECT_NEAR(edges[i], expected[i].get<double>(), 1e-9) << axis << " " << i;
    }
    std::map<std::pair<int, std::int64_t>, std::vector<double>> companded;
    for (const auto& exact : numbers.at("exact")) {
      const auto m1 = exact.at("m1").get<std::int64_t>();
      const auto m2 = exact.at("m2").get<std::int64_t>();
      const bool companders = exact.at("segmentation") == "axis_companders";
      if (companders && (m1 > 16 || m2 > 16)) continue;  // the same code, for longer
      const auto edges = [&, &known = f](int axis, std::int64_t m) {
        if (!companders) return uniform_edges(0, 1, m);
        std::vector<double>& own = companded[{axis, m}];
        if (own.empty()) own = known.axis_edges(axis, m);
        return own;
      };
      EXPECT_REL(f.box_errors(grid(edges(0, m1), edges(1, m2))).error,
                 exact.at("error").get<double>(), 1e-9)
          << m1 << " " << m2 << " " << companders;
    }
  }
}

TEST(several_inputs, the_bound_is_d_times_the_error_of_cubes) {
  // T of a square of side h is h^4 / 12 times the identity.
  const double h = 1.0 / 8;
  std::vector<double> densities(64, 1.0);
  std::vector<double> gradients;
  std::vector<double> moments;
  for (int i = 0; i < 64; ++i) {
    gradients.insert(gradients.end(), {2, 0.5});
    const double t = std::pow(h, 4) / 12;
    moments.insert(moments.end(), {t, 0, 0, t});
  }
  double error = 0;
  double bound = 0;
  ASSERT_EQ(zcmoe_theory_cells_error(2, 64, densities.data(), gradients.data(), moments.data(),
                                     &error, &bound),
            ZCMOE_OK);
  EXPECT_REL(64 * error, 0.35416666666666667, 1e-12);
  EXPECT_REL(64 * bound, 0.70833333333333333, 1e-12);
  // A cell that is long where b does not change: the bound cannot tell.
  const double along[] = {0, 1};
  const double across[] = {1e-6, 0, 0, 1};
  ASSERT_EQ(zcmoe_theory_cells_error(2, 1, densities.data(), along, across, &error, &bound),
            ZCMOE_OK);
  EXPECT_EQ(error, 1);
  const double off[] = {1, 0};
  ASSERT_EQ(zcmoe_theory_cells_error(2, 1, densities.data(), off, across, &error, &bound),
            ZCMOE_OK);
  EXPECT_EQ(error, 1e-6);
  EXPECT_REL(bound, 1 + 1e-6, 1e-12);
  gradients[5] = not_a_number;
  EXPECT_EQ(zcmoe_theory_cells_error(2, 64, densities.data(), gradients.data(), moments.data(),
                                     &error, nullptr),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("gradients[5]"));
}

TEST(several_inputs, moments_of_shapes) {
  // By sums over points of a square around the shape, the centre being its mean.
  const auto summed = [](const auto& inside) {
    constexpr int side = 1500;
    double count = 0, x = 0, y = 0, squares = 0;
    for (int i = 0; i < side; ++i) {
      for (int j = 0; j < side; ++j) {
        const double u = 2.2 * (i + 0.5) / side - 1.1;
        const double v = 2.2 * (j + 0.5) / side - 1.1;
        if (!inside(u, v)) continue;
        count += 1;
        x += u;
        y += v;
        squares += u * u + v * v;
      }
    }
    const double area = count * std::pow(2.2 / side, 2);
    const double spread = squares / count - std::pow(x / count, 2) - std::pow(y / count, 2);
    return spread / (2 * area);
  };
  const double root3 = std::sqrt(3.0);
  EXPECT_REL(theory::moment(ZCMOE_CELL_HEXAGON, 2), summed([&](double u, double v) {
               return std::abs(v) <= root3 / 2 && std::abs(u) * root3 + std::abs(v) <= root3;
             }),
             2e-3);
  EXPECT_REL(theory::moment(ZCMOE_CELL_TRIANGLE, 2),
             summed([&](double u, double v) { return v >= -0.5 && std::abs(u) * root3 + v <= 1; }),
             2e-3);
  EXPECT_REL(theory::moment(ZCMOE_CELL_BALL, 2),
             summed([](double u, double v) { return u * u + v * v <= 1; }), 2e-3);
  // Published numbers, to their digits.
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_TRUNCATED_OCTAHEDRON, 3), 0.078543, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_D4, 4), 0.076603, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_E8, 8), 0.071682, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_BALL, 3), 0.076967, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_BALL, 4), 0.075026, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_LIMIT, 2), 0.058550, 5e-7);
  EXPECT_NEAR(theory::moment(ZCMOE_CELL_BALL, 1), 1.0 / 12, 1e-15);  // an interval
  for (std::int64_t d = 1; d <= 64; ++d) {
    EXPECT_EQ(theory::moment(ZCMOE_CELL_CUBE, d), 1.0 / 12);
    EXPECT_LE(theory::moment(ZCMOE_CELL_BALL, d), 1.0 / 12 + 1e-15);
    EXPECT_GT(theory::moment(ZCMOE_CELL_BALL, d), theory::moment(ZCMOE_CELL_LIMIT, d));
  }
  EXPECT_EQ(status_of([] { theory::moment(ZCMOE_CELL_HEXAGON, 3); }), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([] { theory::moment(99, 3); }), ZCMOE_ERR_INVALID_ARGUMENT);
}

TEST(several_inputs, allocation_is_near_the_best_of_all) {
  const auto error = [](const std::vector<double>& c, const std::vector<std::int64_t>& m) {
    double sum = 0;
    for (std::size_t j = 0; j < c.size(); ++j) sum += c[j] / static_cast<double>(m[j] * m[j]);
    return sum;
  };
  const std::vector<std::vector<double>> cases = {
      {4, 0.25, 1}, {1, 1, 1}, {100, 1, 0}, {2, 3, 5}, {1e-3, 7, 7}};
  for (const auto& c : cases) {
    for (const std::int64_t m : {1, 2, 7, 64, 500, 1024}) {
      const auto counts = theory::allocate(c, m);
      std::int64_t product = 1;
      for (const std::int64_t v : counts) product *= v;
      EXPECT_LE(product, m);
      double best = infinity;
      for (std::int64_t i = 1; i <= m; ++i) {
        for (std::int64_t j = 1; i * j <= m; ++j)
          best = std::min(best, error(c, {i, j, m / (i * j)}));
      }
      // Real numbers bound it from below; a whole segment of one axis is what may be missing.
      EXPECT_GE(best, 12 * theory::aspect(c, static_cast<double>(m)).error * (1 - 1e-12));
      EXPECT_LE(error(c, counts), 1.35 * best) << m;
    }
  }
  EXPECT_EQ(theory::allocate({4, 0.25}, 64), (std::vector<std::int64_t>{16, 4}));
  EXPECT_EQ(theory::allocate({0, 3, 0}, 50), (std::vector<std::int64_t>{1, 50, 1}));
  EXPECT_EQ(theory::allocate({0, 0}, 50), (std::vector<std::int64_t>{1, 1}));
  EXPECT_EQ(theory::aspect({0, 0}, 50).error, 0);
}

TEST(several_inputs, rotated_cells) {
  // d = 2, b = |x|, level surfaces of radius r: the best box around (r, 0), by its exact error.
  theory::field f;
  const double r = 2;
  f.lo = {r - 1, -1};
  f.hi = {r + 1, 1};
  f.regression = [](const double* x) { return std::hypot(x[0], x[1]); };
  const double volume = 1e-3;
  double length = 0;
  double variance = 0;
  ASSERT_EQ(zcmoe_theory_rotated_cell(2, 1, 1 / r, volume, &length, &variance), ZCMOE_OK);
  const auto of_length = [&](double l) {
    const double w = volume / l;
    return f.box_errors({r - w / 2, -l / 2, r + w / 2, l / 2}).error;
  };
  EXPECT_REL(of_length(length), variance, 3e-3);
  EXPECT_LE(of_length(length), of_length(length * 1.05));
  EXPECT_LE(of_length(length), of_length(length / 1.05));
  EXPECT_GE(of_length(std::sqrt(volume)), 5 * variance);
}

TEST(several_inputs, level_sets) {
  theory::field f;
  f.regression = [](const double* x) { return x[0] + x[1]; };
  EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_LEVEL_SETS), 3.375, 2e-3);
  f.density = [](const double* x) { return 3 * x[0] * x[0]; };
  f.regression = [](const double* x) { return x[0] * x[0] * x[0]; };  // uniform on [0, 1]
  EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_LEVEL_SETS), 1, 2e-3);
}

TEST(several_inputs, one_input_is_the_theory_of_one) {
  theory::problem one;
  one.density = [](double x) { return 1 + x; };
  one.regression = [](double x) { return std::sin(5 * x); };
  one.slope = [](double x) { return 5 * std::cos(5 * x); };
  theory::field f;
  f.lo = {0};
  f.hi = {1};
  f.density = [](const double* x) { return 1 + x[0]; };
  f.regression = [](const double* x) { return std::sin(5 * x[0]); };
  f.gradient = [](const double* x, double* g) { g[0] = 5 * std::cos(5 * x[0]); };
  EXPECT_REL(f.axis_coefficients(ZCMOE_THEORY_UNIFORM)[0], one.coefficient(ZCMOE_THEORY_UNIFORM),
             1e-10);
  EXPECT_REL(f.axis_coefficients(ZCMOE_THEORY_OPTIMAL)[0], one.coefficient(ZCMOE_THEORY_OPTIMAL),
             1e-10);
  EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_ISOTROPIC), one.coefficient(ZCMOE_THEORY_OPTIMAL),
             1e-10);
}

TEST(several_inputs, halving_trees) {
  // b = sin 2 pi x cos pi y: greedy gains stall; this rule reaches 0.58, 0.41, 0.36 over m.
  const theory::field f = reference_fields()[1].f;
  const double published[] = {0.58, 0.41, 0.36};
  int k = 0;
  for (const std::int64_t m : {64, 256, 1024}) {
    const auto boxes = f.halving_tree(m);
    ASSERT_EQ(boxes.size(), static_cast<std::size_t>(4 * m));
    const theory::boxes_and_errors found = f.box_errors(boxes);
    EXPECT_NEAR(found.error * static_cast<double>(m), published[k++], 0.0151);
    double area = 0;
    for (std::size_t i = 0; i < boxes.size(); i += 4)
      area += (boxes[i + 2] - boxes[i]) * (boxes[i + 3] - boxes[i + 1]);
    EXPECT_NEAR(area, 1, 1e-12);
  }
}

TEST(several_inputs, three_inputs_and_given_constants) {
  theory::field f;
  f.lo = {0, 0, -1};
  f.hi = {1, 2, 1};
  f.regression = [](const double* x) { return x[0] + 3 * x[1] * x[2]; };
  // Var b on the whole box: 1/12 + 9 E x1^2 E x2^2 = 1/12 + 9 * 4/3 * 1/3.
  const std::vector<double> whole = {0, 0, -1, 1, 2, 1};
  const theory::boxes_and_errors found = f.box_errors(whole);
  EXPECT_REL(found.error, 1.0 / 12 + 4, 1e-12);
  EXPECT_NEAR(found.means[0], 0.5, 1e-12);
  EXPECT_EQ(found.probabilities[0], 1);
  EXPECT_REL(f.box_errors(whole, {1.5}).error, 1.0 / 12 + 5, 1e-12);
  // Of a plane the densities are even: |grad b|^2, and prod |d_j b|^(2/3).
  f.hi = {1, 1, 0};
  f.gradient = [](const double*, double* g) {
    g[0] = 2;
    g[1] = -1;
    g[2] = 3;
  };
  EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_ISOTROPIC), 14, 1e-12);
  EXPECT_REL(f.cells_coefficient(ZCMOE_CELLS_BOXES), std::pow(6.0, 2.0 / 3), 1e-12);
  EXPECT_REL(theory::aspect(f.axis_coefficients(ZCMOE_THEORY_UNIFORM), 1000).error,
             std::pow(36.0, 1.0 / 3) / 400, 1e-12);
}

TEST(several_inputs, refusals) {
  using testing::HasSubstr;
  theory::field f = reference_fields()[0].f;
  const auto refused = [](const auto& call, zcmoe_status status = ZCMOE_ERR_INVALID_ARGUMENT) {
    std::string said;
    EXPECT_EQ(status_of(call, &said), status);
    return said;
  };
  EXPECT_THAT(refused([&] { f.box_errors({0, 0, 1, 1.5}); }), HasSubstr("box 0 reaches from 0 to"));
  EXPECT_THAT(refused([&] { f.box_errors({0, 0, 1, 0}); }), HasSubstr("axis 1"));
  EXPECT_THAT(refused([&] { f.axis_edges(2, 4); }), HasSubstr("axis=2"));
  EXPECT_THAT(refused([&] { f.axis_coefficients(ZCMOE_THEORY_POINT_DENSITY); }),
              HasSubstr("segmentation=2"));
  EXPECT_THAT(refused([&] { f.cells_coefficient(3); }), HasSubstr("family=3"));
  EXPECT_THAT(refused([] { theory::allocate({1, -1}, 4); }), HasSubstr("coefficients[1]=-1"));
  EXPECT_THAT(refused([] { theory::allocate({1, 1}, 0); }), HasSubstr("num_cells=0"));
  EXPECT_THAT(refused([] { theory::aspect({1}, 0.5); }), HasSubstr("num_cells=0.5"));
  theory::field bad = f;
  bad.hi = {1, 0};
  EXPECT_THAT(refused([&] { bad.halving_tree(2); }), HasSubstr("field->lo[1]=0, field->hi[1]=0"));
  bad = f;
  bad.lo.assign(7, 0.0);
  bad.hi.assign(7, 1.0);
  EXPECT_THAT(refused([&] { bad.halving_tree(2); }), HasSubstr("num_inputs=7"));
  bad = f;
  bad.regression = nullptr;
  EXPECT_THAT(refused([&] { bad.halving_tree(2); }), HasSubstr("field->regression is null"));
  bad = f;
  bad.density = [](const double*) { return 0.0; };
  EXPECT_THAT(refused([&] { bad.axis_coefficients(ZCMOE_THEORY_UNIFORM); }, ZCMOE_ERR_NUMERIC),
              HasSubstr("0 everywhere"));
  bad.density = [](const double* x) { return x[0] - 2; };
  EXPECT_THAT(refused(
                  [&] {
                    bad.box_errors({0, 0, 1, 1});
                  },
                  ZCMOE_ERR_NUMERIC),
              HasSubstr("density returned -"));
  bad = f;
  bad.regression = [](const double* x) { return 1 / (x[0] - x[0]); };
  EXPECT_THAT(refused(
                  [&] {
                    bad.box_errors({0, 0, 1, 1});
                  },
                  ZCMOE_ERR_NUMERIC),
              HasSubstr("regression returned inf"));
  bad.regression = [](const double*) -> double { throw std::out_of_range("no"); };
  EXPECT_THROW(bad.box_errors({0, 0, 1, 1}), std::out_of_range);
}

}  // namespace
}  // namespace zcmoe::test
