// Experiment on what is learned from rows of several inputs: the kinds of models against each other
// over n. scripts/bench-several measures the same functions with other libraries.
#include "laboratory.hpp"

#include <zcmoe/points.hpp>

#include <algorithm>
#include <iterator>
#include <map>

namespace experiments {
namespace {

const double pi = std::acos(-1.0);

/// A known function of inputs that are uniform on [0, 1), and its variance.
struct cube_setting {
  const char* name;
  std::int64_t num_inputs;
  double (*regression)(const double* x);
};

// As in bench/peers/several_inputs.py. Friedman 1991 has five inputs that matter and five that do
// not.
constexpr cube_setting cube_settings[] = {
    {"Friedman", 10,
     [](const double* x) {
       return 10 * std::sin(pi * x[0] * x[1]) + 20 * (x[2] - 0.5) * (x[2] - 0.5) + 10 * x[3] +
              5 * x[4];
     }},
    {"3 inputs", 3, [](const double* x) { return std::sin(pi * (x[0] + x[1] * x[2])); }},
    {"sin · cos", 2,
     [](const double* x) { return std::sin(2 * pi * x[0]) * std::cos(2 * pi * x[1]); }},
    {"diagonal step", 2, [](const double* x) { return (x[0] + x[1] > 1 ? 1.0 : 0.0) + x[0]; }},
};

struct kind {
  const char* name;
  std::int32_t partition;
};
// The first chooses among the others.
constexpr kind model_kinds[] = {{"auto", ZCMOE_PARTITION_AUTO},
                                {"tables", ZCMOE_PARTITION_TABLES},
                                {"score", ZCMOE_PARTITION_SCORE},
                                {"tree", ZCMOE_PARTITION_TREE},
                                {"grid", ZCMOE_PARTITION_GRID}};

struct cube_rows {
  std::vector<std::vector<double>> columns;
  std::vector<double> b;

  cube_rows(const cube_setting& given, std::int64_t n, generator& random)
      : columns(static_cast<std::size_t>(given.num_inputs)) {
    std::vector<double> point(columns.size());
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < point.size(); ++j) {
        point[j] = random.uniform();
        columns[j].push_back(point[j]);
      }
      b.push_back(given.regression(point.data()));
    }
  }
  zcmoe::points view() const {
    zcmoe::points x;
    for (const std::vector<double>& column : columns) x.add(column);
    return x;
  }
};

double variance_of(const std::vector<double>& values) {
  const mean_of all(values);
  const auto n = static_cast<double>(values.size());
  return all.standard_error() * all.standard_error() * n;
}

/// Noise of this share of the variance of the function.
constexpr double noise_share = 0.43;

/// The errors of a kind on one function, a repetition each, for each n.
using errors_by_rows = std::map<std::int64_t, std::map<std::string, std::vector<double>>>;

errors_by_rows errors_of(const laboratory& lab, const cube_setting& given, std::uint32_t number,
                         const std::vector<std::int64_t>& sizes, std::int64_t repetitions,
                         bool all_kinds) {
  generator fresh{12, number};
  const cube_rows test(given, std::int64_t{1} << 16, fresh);
  const double variance = variance_of(test.b);
  errors_by_rows found;
  for (const std::int64_t n : sizes) {
    for (std::int64_t r = 0; r < repetitions; ++r) {
      generator random{13, number, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(r)};
      const cube_rows rows(given, n, random);
      std::vector<double> y(rows.b);
      for (double& target : y) target += std::sqrt(noise_share * variance) * random.normal();
      for (const kind& each : model_kinds) {
        if (!all_kinds && each.partition != ZCMOE_PARTITION_TABLES &&
            each.partition != ZCMOE_PARTITION_TREE)
          continue;
        zcmoe_learn_options options = zcmoe::learn_options();
        options.partition = each.partition;
        const zcmoe::learned made = zcmoe::learn(lab.machine.context(), rows.view(), y, options);
        const std::vector<double> answers = zcmoe::predict_points_sync(made.table, test.view());
        double error = 0.0;
        for (std::size_t i = 0; i < answers.size(); ++i)
          error += (answers[i] - test.b[i]) * (answers[i] - test.b[i]);
        found[n][each.name].push_back(error / static_cast<double>(answers.size()) / variance);
      }
    }
  }
  return found;
}

}  // namespace

void learned_models(const laboratory& lab) {
  // Learning is the slow part, so that a short run has two functions, two kinds and one n.
  const bool is_short = lab.effort < 4;
  const std::vector<std::int64_t> sizes =
      is_short ? std::vector<std::int64_t>{1000}
               : std::vector<std::int64_t>{1000, 3000, 10000, 30000, 100000};
  const std::int64_t repetitions = std::max<std::int64_t>(2, lab.effort);
  table errors({"function", "n", "kind", "measured", "standard_error"});
  std::uint32_t number = 0;
  for (const cube_setting& given : cube_settings) {
    ++number;
    const std::string name = given.name;
    if (is_short && name != "Friedman" && name != "sin · cos") continue;
    errors_by_rows found = errors_of(lab, given, number, sizes, repetitions, !is_short);
    for (auto& [n, kinds] : found) {
      for (const kind& each : model_kinds) {
        if (kinds.find(each.name) == kinds.end()) continue;
        const mean_of error(kinds[each.name]);
        errors.add({name, static_cast<double>(n), each.name, error.mean(), error.standard_error()});
      }
    }
    std::string short_name = name;
    for (const char* blank : {" · ", " "}) {
      const std::size_t at = short_name.find(blank);
      if (at != std::string::npos) short_name.replace(at, std::string(blank).size(), "_");
    }
    for (auto& [n, kinds] : found) {
      const std::string at = short_name + ".n" + std::to_string(n);
      // The step along a diagonal is no sum of functions of few inputs, and three inputs are more
      // than a pair: there trees may do as well.
      if (name == "Friedman" || name == "sin · cos") {
        const ratio gain = ratio_of(kinds["tables"], kinds["tree"]);
        lab.findings.expect("E12.tables_over_tree." + at, gain.value, gain.standard_error, 0.2, 0.3,
                            {{"no gain", 1}});
      }
      if (is_short || n < 10000) continue;
      const auto mean = [&](const kind& each) { return mean_of(kinds[each.name]).mean(); };
      const auto less = [&](const kind& a, const kind& b) { return mean(a) < mean(b); };
      const auto [best, worst] =
          std::minmax_element(std::begin(model_kinds) + 1, std::end(model_kinds), less);
      const ratio chosen = ratio_of(kinds["auto"], kinds[best->name]);
      lab.findings.expect("E12.auto." + at, chosen.value, chosen.standard_error, 1, 0.25,
                          {{"the worst kind", mean(*worst) / mean(*best)}});
      const ratio score = ratio_of(kinds["score"], kinds["tables"]);
      lab.findings.note("E12.score_over_tables." + at, score.value);
    }
    if (is_short) continue;
    for (const kind& each : model_kinds) {
      const mean_of few(found[sizes.front()][each.name]);
      const mean_of many(found[sizes.back()][each.name]);
      lab.findings.expect(
          std::string("E12.falls.") + short_name + "." + each.name, many.mean() / few.mean(),
          std::hypot(many.standard_error(), few.standard_error() * many.mean() / few.mean()) /
              few.mean(),
          0.2, 0.3, {{"no gain", 1}});
    }
  }
  lab.findings.write("learned_models", errors);
}

}  // namespace experiments
