// Experiment on product grids of two inputs: the error against m beside the high-rate value and the
// bound, and the U-shape of the risk at fixed n.
#include "laboratory.hpp"

#include <algorithm>
#include <array>

namespace experiments {
namespace {

const double pi = std::acos(-1.0);

/// A known relation of two inputs on the unit square.
struct plane_setting {
  std::string id;
  std::uint32_t number;  // seeds its random numbers
  theory::field field;
  std::function<std::array<double, 2>(generator&)> draw;
};

std::array<double, 2> uniform_point(generator& random) {
  const double first = random.uniform();
  return {first, random.uniform()};
}

/// The reference cases of two dimensions.
std::vector<plane_setting> plane_settings() {
  std::vector<plane_setting> all(3);
  all[0].id = "s8";
  all[0].field.regression = [](const double* x) { return 2 * x[0] + x[1] / 2; };
  all[0].field.gradient = [](const double*, double* g) {
    g[0] = 2;
    g[1] = 0.5;
  };
  all[1].id = "s9";
  all[1].field.regression = [](const double* x) {
    return std::sin(2 * pi * x[0]) * std::cos(pi * x[1]);
  };
  all[1].field.gradient = [](const double* x, double* g) {
    g[0] = 2 * pi * std::cos(2 * pi * x[0]) * std::cos(pi * x[1]);
    g[1] = -pi * std::sin(2 * pi * x[0]) * std::sin(pi * x[1]);
  };
  all[2].id = "s10";
  const auto bump = [](const double* x) {
    return std::exp(-8 * ((x[0] - 0.4) * (x[0] - 0.4) + (x[1] - 0.6) * (x[1] - 0.6)));
  };
  all[2].field.regression = bump;
  all[2].field.gradient = [=](const double* x, double* g) {
    g[0] = -16 * (x[0] - 0.4) * bump(x);
    g[1] = -16 * (x[1] - 0.6) * bump(x);
  };
  // Normal inputs cut to the square.
  static constexpr double mean[2] = {0.5, 0.6};
  static constexpr double deviation[2] = {0.2, 0.25};
  double mass = 1.0;
  for (int j = 0; j < 2; ++j) {
    const double root = std::sqrt(2.0) * deviation[j];
    mass *= deviation[j] * std::sqrt(pi / 2) *
            (std::erf((1 - mean[j]) / root) + std::erf(mean[j] / root));
  }
  all[2].field.density = [mass](const double* x) {
    const double a = (x[0] - mean[0]) / deviation[0];
    const double b = (x[1] - mean[1]) / deviation[1];
    return std::exp(-0.5 * (a * a + b * b)) / mass;
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].number = static_cast<std::uint32_t>(8 + i);
    all[i].draw = uniform_point;
  }
  all[2].draw = [](generator& random) {
    std::array<double, 2> x{};
    for (std::size_t j = 0; j < 2; ++j) {
      do {
        x[j] = mean[j] + deviation[j] * random.normal();
      } while (x[j] <= 0 || x[j] >= 1);
    }
    return x;
  };
  return all;
}

/// A grid of k x k equal cells. The engines see the number of the cell as an input, with a segment
/// for each.
struct square_grid {
  std::int64_t side;  // k
  std::vector<double> edges;
  theory::cells exact;  // of its cells
  double high_rate;     // (7.2)
  double bound;         // (7.1)

  square_grid(const plane_setting& given, std::int64_t k, double noise) : side(k) {
    const auto m = static_cast<std::size_t>(k * k);
    const double h = 1.0 / static_cast<double>(k);
    std::vector<double> boxes, densities, gradients, moments;
    for (std::int64_t a = 0; a < k; ++a) {
      for (std::int64_t b = 0; b < k; ++b) {
        const double lo[2] = {static_cast<double>(a) * h, static_cast<double>(b) * h};
        const double hi[2] = {static_cast<double>(a + 1) * h, static_cast<double>(b + 1) * h};
        const double centre[2] = {lo[0] + h / 2, lo[1] + h / 2};
        boxes.insert(boxes.end(), {lo[0], lo[1], std::min(hi[0], 1.0), std::min(hi[1], 1.0)});
        densities.push_back(given.field.density ? given.field.density(centre) : 1.0);
        gradients.resize(gradients.size() + 2);
        given.field.gradient(centre, &gradients[gradients.size() - 2]);
        moments.insert(moments.end(), {h * h * h * h / 12, 0.0, 0.0, h * h * h * h / 12});
      }
    }
    for (std::size_t i = 0; i <= m; ++i) edges.push_back(static_cast<double>(i) - 0.5);
    const theory::boxes_and_errors found = given.field.box_errors(boxes);
    exact.probabilities = found.probabilities;
    exact.means = found.means;
    exact.totals.error = found.error;
    for (std::size_t i = 0; i < m; ++i)
      exact.variances.push_back(noise + found.errors[i] / found.probabilities[i]);
    zcmoe::check(zcmoe_theory_cells_error(2, k * k, densities.data(), gradients.data(),
                                          moments.data(), &high_rate, &bound));
  }
  double cell_of(const std::array<double, 2>& x) const {
    const auto k = static_cast<double>(side);
    return std::floor(x[0] * k) * k + std::floor(x[1] * k);
  }
};

struct plane_rows {
  std::vector<std::array<double, 2>> x;
  std::vector<double> b;
  std::vector<double> noise;

  plane_rows(const plane_setting& given, std::int64_t n, bool with_noise, generator& random) {
    for (std::int64_t i = 0; i < n; ++i) {
      x.push_back(given.draw(random));
      b.push_back(given.field.regression(x.back().data()));
      if (with_noise) noise.push_back(random.normal());
    }
  }
  sample on(const square_grid& grid) const {
    sample rows{{}, b, noise};
    for (const auto& point : x) rows.x.push_back(grid.cell_of(point));
    return rows;
  }
};

void error_of_grids(const laboratory& lab) {
  const std::int64_t rows = (std::int64_t{1} << 16) * lab.effort;
  table errors(
      {"setting", "m", "coefficient", "bound", "high_rate", "exact", "measured", "standard_error"});
  for (const plane_setting& given : plane_settings()) {
    generator random{10, given.number};
    const plane_rows test(given, rows, false, random);
    const std::vector<double> axes = given.field.axis_coefficients(ZCMOE_THEORY_UNIFORM);
    const double coefficient = (axes[0] + axes[1]) / 12;
    for (std::int64_t k = 2; k <= 32; k *= 2) {
      const square_grid grid(given, k, 0.0);
      const mean_of measured(
          lab.machine.squared_errors(grid.edges, grid.exact.means, test.on(grid)));
      const auto m = static_cast<double>(k * k);
      errors.add({given.id, m, coefficient, grid.bound, grid.high_rate, grid.exact.totals.error,
                  measured.mean(), measured.standard_error()});
      const std::string name = given.id + ".m" + std::to_string(k * k);
      const double error = grid.exact.totals.error;
      lab.findings.expect("E10.exact." + name, measured.mean() / error,
                          measured.standard_error() / error, 1, 0);
      lab.findings.expect("E10.bound." + name, grid.bound / grid.high_rate, 0, 2, 1e-12,
                          {{"no difference", 1}});
      if (k == 32) {
        lab.findings.expect("E10.factor." + given.id, measured.mean() / grid.high_rate,
                            measured.standard_error() / grid.high_rate, 1, 0.005,
                            {{"the bound", grid.bound / grid.high_rate}});
        lab.findings.expect("E10.coefficient." + given.id, grid.high_rate * m / coefficient, 0, 1,
                            0.005, {{"the bound", grid.bound * m / coefficient}});
      }
    }
  }
  lab.findings.write("grid_errors", errors);
}

void risk_of_grids(const laboratory& lab) {
  const std::int64_t n = 10000;
  const double sigma = 0.3;
  const auto rows = static_cast<double>(n);
  // What empty cells answer must not depend on which cell is next to which.
  zcmoe_model_options options = zcmoe::model_options();
  options.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  table curve(
      {"setting", "m", "exact", "approximation", "estimation", "measured", "standard_error"});
  table best({"setting", "predicted", "exact", "measured", "standard_error"});
  for (const plane_setting& given : plane_settings()) {
    const std::vector<double> axes = given.field.axis_coefficients(ZCMOE_THEORY_UNIFORM);
    const double coefficient = (axes[0] + axes[1]) / 12;
    const double predicted = std::sqrt(coefficient * rows) / sigma;
    std::vector<square_grid> grids;
    std::vector<double> approximation, estimation;
    for (const std::int64_t k : {3, 4, 6, 8, 11, 14, 18, 23, 30, 40}) {
      grids.emplace_back(given, k, sigma * sigma);
      const square_grid& grid = grids.back();
      approximation.push_back(grid.exact.totals.error);
      estimation.push_back(theory::estimation(n, grid.edges, grid.exact, options).error);
    }
    const auto law_of = [&](const auto& excess_at) {
      std::vector<double> u, v, value, scale;
      for (std::size_t k = 0; k < grids.size(); ++k) {
        const auto m = static_cast<double>(grids[k].side * grids[k].side);
        if (m < 64 || m * 10 > rows) continue;
        u.push_back(1 / m);
        v.push_back(m / rows);
        value.push_back(excess_at(k));
        scale.push_back(approximation[k] + estimation[k]);
      }
      return fit_power_law(u, v, value, scale);
    };
    const auto least_of = [&](const power_law& law) {
      return std::sqrt(law.approximation * rows / law.variance);
    };
    std::vector<mean_of> excess(grids.size());
    mean_of number;
    for (std::int64_t r = 0; r < 24 * lab.effort; ++r) {
      generator random{11, given.number, static_cast<std::uint32_t>(r)};
      const plane_rows drawn(given, n, true, random);
      std::vector<double> once;
      for (std::size_t k = 0; k < grids.size(); ++k) {
        const sample cells = drawn.on(grids[k]);
        const learned found =
            lab.machine.learn(grids[k].edges, cells.x, cells.targets(sigma), options);
        once.push_back(excess_of(grids[k].exact, found.constants));
        excess[k].add(once.back());
      }
      number.add(least_of(law_of([&](std::size_t k) { return once[k]; })));
    }
    std::size_t least = 0;
    for (std::size_t k = 0; k < grids.size(); ++k) {
      const double exact = approximation[k] + estimation[k];
      if (exact < approximation[least] + estimation[least]) least = k;
      const std::int64_t m = grids[k].side * grids[k].side;
      curve.add({given.id, static_cast<double>(m), exact, approximation[k], estimation[k],
                 excess[k].mean(), excess[k].standard_error()});
      lab.findings.expect("E10.risk." + given.id + ".m" + std::to_string(m),
                          excess[k].mean() / exact, excess[k].standard_error() / exact, 1, 0);
    }
    const double lawful =
        least_of(law_of([&](std::size_t k) { return approximation[k] + estimation[k]; }));
    best.add({given.id, predicted, static_cast<double>(grids[least].side * grids[least].side),
              number.mean(), number.standard_error()});
    lab.findings.expect("E10.m." + given.id, number.mean() / lawful,
                        number.standard_error() / lawful, 1, 0.005,
                        {{"m* of the bound", std::sqrt(2.0)}});
    // Where inputs thin out, cells of few rows cost more than sigma^2 / n each.
    if (given.field.density) continue;
    lab.findings.expect(
        "E10.formula." + given.id, number.mean() / predicted, number.standard_error() / predicted,
        1, 0.08,
        {{"m* of the bound", std::sqrt(2.0)},
         {"m* of one input", std::cbrt(2 * coefficient * rows / sigma / sigma) / predicted}});
  }
  lab.findings.write("grid_risk", curve);
  lab.findings.write("grid_best", best);
}

}  // namespace

void product_grids(const laboratory& lab) {
  error_of_grids(lab);
  risk_of_grids(lab);
}

}  // namespace experiments
