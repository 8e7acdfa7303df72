// Experiment on the shapes of segments of two inputs: how the error of a known function falls with
// their number, from squares to level sets.
#include "laboratory.hpp"

#include <zcmoe/points.hpp>

#include <algorithm>
#include <map>

namespace experiments {
namespace {

/// A hill on the unit square.
double hill(double a, double b) {
  return std::exp(-8 * ((a - 0.4) * (a - 0.4) + (b - 0.6) * (b - 0.6)));
}

struct hill_rows {
  std::vector<std::vector<double>> columns{2};
  std::vector<double> b;

  hill_rows(std::int64_t n, generator& random) {
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::vector<double>& column : columns) column.push_back(random.uniform());
      b.push_back(hill(columns[0].back(), columns[1].back()));
    }
  }
  zcmoe::points view() const {
    zcmoe::points x;
    for (const std::vector<double>& column : columns) x.add(column);
    return x;
  }
};

struct shape {
  const char* name;
  std::int32_t partition;  // 0: squares
  double exponent;         // of the error in m: theory.md's (7.2), (7.4) and level sets
  double slack;            // for few segments and for what is learned
};
constexpr shape shapes[] = {{"squares", 0, -1, 0.05},
                            {"companders", ZCMOE_PARTITION_GRID, -1, 0.1},
                            {"tree", ZCMOE_PARTITION_TREE, -1, 0.12},
                            {"oblique tree", ZCMOE_PARTITION_OBLIQUE, -4.0 / 3, 0.15},
                            {"score", ZCMOE_PARTITION_SCORE, -2, 0.1}};

zcmoe::model model_of(const laboratory& lab, const shape& of, const hill_rows& rows,
                      std::int64_t m) {
  const zcmoe::context& context = lab.machine.context();
  if (of.partition == 0) {
    std::vector<double> edges;
    const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(m))));
    for (std::int64_t k = 0; k <= side; ++k)
      edges.push_back(static_cast<double>(k) / static_cast<double>(side));
    const zcmoe::model squares =
        zcmoe::make_grid(context, {zcmoe::grid_axis(edges), zcmoe::grid_axis(edges)});
    zcmoe::fit fit = zcmoe::fit_segments_of(context, squares);
    zcmoe::add_points_sync(fit, rows.view(), rows.b);
    return fit.finish();
  }
  zcmoe_learn_options options = zcmoe::learn_options();
  options.partition = of.partition;
  options.num_segments = m;
  // What cuts of single inputs leave of the function is a floor under what its level sets leave.
  if (of.partition == ZCMOE_PARTITION_SCORE) options.axis_segments = lab.effort < 4 ? 600 : 1500;
  return zcmoe::learn(context, rows.view(), rows.b, options).table;
}

/// (integral of the cube root of the density of the hill's values)^3 / 12, from ranks.
double coefficient_of_level_sets() {
  constexpr int side = 1000;
  constexpr std::size_t steps = 1000;
  std::vector<double> values;
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side; ++j) values.push_back(hill((i + 0.5) / side, (j + 0.5) / side));
  }
  std::sort(values.begin(), values.end());
  double integral = 0.0;
  for (std::size_t k = 0; k < steps; ++k) {
    const double low = values[k * (values.size() - 1) / steps];
    const double high = values[(k + 1) * (values.size() - 1) / steps];
    integral += std::cbrt((high - low) * (high - low) / static_cast<double>(steps));
  }
  return integral * integral * integral / 12;
}

/// The slope of a line through the logarithms, by least squares.
double slope_of(const std::vector<double>& m, const std::vector<double>& errors) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(m.size());
  for (std::size_t k = 0; k < m.size(); ++k) {
    x += std::log(m[k]) / n;
    y += std::log(errors[k]) / n;
  }
  for (std::size_t k = 0; k < m.size(); ++k) {
    xx += (std::log(m[k]) - x) * (std::log(m[k]) - x);
    xy += (std::log(m[k]) - x) * (std::log(errors[k]) - y);
  }
  return xy / xx;
}

}  // namespace

void rates_by_geometry(const laboratory& lab) {
  // A short run has few rows and two numbers of segments, and one of scores, which take longest.
  const bool is_short = lab.effort < 4;
  const auto numbers_of = [&](const shape& each) {
    if (!is_short) return std::vector<double>{16, 64, 256, 1024};
    return each.partition == ZCMOE_PARTITION_SCORE ? std::vector<double>{64}
                                                   : std::vector<double>{16, 64};
  };
  const std::int64_t n = std::int64_t{1} << (is_short ? 14 : 18);
  const std::int64_t repetitions = std::max<std::int64_t>(2, lab.effort / 2);
  const double limit = coefficient_of_level_sets();
  // By shape, then by m, one of each repetition.
  std::map<std::string, std::map<double, std::vector<double>>> errors;
  std::map<std::string, std::vector<double>> slopes;
  for (std::int64_t r = 0; r < repetitions; ++r) {
    generator random{11, static_cast<std::uint32_t>(r)};
    const hill_rows rows(n, random);
    const hill_rows fresh(n, random);
    for (const shape& each : shapes) {
      std::vector<double> found;
      for (const double m : numbers_of(each)) {
        const zcmoe::model made = model_of(lab, each, rows, static_cast<std::int64_t>(m));
        const std::vector<double> answers = zcmoe::predict_points_sync(made, fresh.view());
        double squares = 0.0;
        for (std::size_t i = 0; i < answers.size(); ++i)
          squares += (answers[i] - fresh.b[i]) * (answers[i] - fresh.b[i]);
        found.push_back(squares / static_cast<double>(n));
        errors[each.name][m].push_back(found.back());
      }
      // Beyond, the floor under a score's error shows.
      std::vector<double> fitted = numbers_of(each);
      if (each.partition == ZCMOE_PARTITION_SCORE)
        fitted.erase(std::upper_bound(fitted.begin(), fitted.end(), 256.0), fitted.end());
      if (fitted.size() > 1) slopes[each.name].push_back(slope_of(fitted, found));
    }
  }
  table rates({"shape", "m", "measured", "standard_error", "limit"});
  table exponents({"shape", "expected", "measured", "standard_error"});
  for (const shape& each : shapes) {
    for (const double m : numbers_of(each)) {
      const mean_of error(errors[each.name][m]);
      rates.add({each.name, m, error.mean(), error.standard_error(), limit / (m * m)});
    }
    if (slopes[each.name].empty()) continue;
    const mean_of slope(slopes[each.name]);
    exponents.add({each.name, each.exponent, slope.mean(), slope.standard_error()});
    std::vector<rival> rivals;
    if (each.exponent < -1 && !is_short) rivals.push_back({"the exponent of squares", -1});
    if (each.exponent < -1.5 && !is_short)
      rivals.push_back({"the exponent of oblique cells", -4.0 / 3});
    std::string name = each.name;
    std::replace(name.begin(), name.end(), ' ', '_');
    const double slack = is_short ? each.slack + 0.05 : each.slack;
    lab.findings.expect("E11.exponent." + name, slope.mean(), slope.standard_error(), each.exponent,
                        slack, rivals);
  }
  // 64 segments of a score are nearly as good as level sets.
  std::vector<double> over = errors["score"][64];
  for (double& error : over) error /= limit / (64 * 64);
  const mean_of score(over);
  lab.findings.expect("E11.score_over_level_sets", score.mean(), score.standard_error(), 1.05, 0.05,
                      {{"a tree", mean_of(errors["tree"][64]).mean() / (limit / (64 * 64))}});
  lab.findings.write("geometry", rates);
  lab.findings.write("geometry_exponents", exponents);
}

}  // namespace experiments
