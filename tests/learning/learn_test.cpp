// Learning of several inputs through the public interface: the same model however the rows come,
// kinds and sizes that are asked for, and rows, columns and targets of every sort.
#include "tests/support.hpp"

#include <zcmoe/points.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace zcmoe::test {
namespace {

struct table {
  std::vector<std::vector<double>> x;
  std::vector<double> y;

  std::size_t rows() const { return y.size(); }
  points columns() const {
    points made;
    for (const std::vector<double>& column : x) made.add(column);
    return made;
  }
};

double truth(double a, double b, double c) {
  return 3.0 * a + std::sin(6.0 * b) + (a > 0.5 && c > 0.3 ? 2.0 : 0.0);
}

table sample(std::size_t n, unsigned seed, double noise) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  std::normal_distribution<double> normal;
  table made;
  made.x.resize(4);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::vector<double>& column : made.x) column.push_back(uniform(random));
    made.y.push_back(truth(made.x[0][i], made.x[1][i], made.x[2][i]) + noise * normal(random));
  }
  return made;
}

context cpu(std::int32_t threads = 0) {
  zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = threads;
  return context(options);
}

zcmoe_learn_options of_kind(std::int32_t partition, std::int64_t segments = 0) {
  zcmoe_learn_options options = learn_options();
  options.partition = partition;
  options.num_segments = segments;
  options.axis_segments = 40;  // smoothing takes longer the more there are, whatever the rows
  return options;
}
zcmoe_learn_options automatic() { return of_kind(ZCMOE_PARTITION_AUTO); }

double error_on(const model& learned, const table& rows) {
  const std::vector<double> answers = predict_points_sync(learned, rows.columns());
  double sum = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    sum += (answers[i] - rows.y[i]) * (answers[i] - rows.y[i]);
  return sum / static_cast<double>(rows.rows());
}

TEST(learn, any_order_of_rows_and_threads_give_the_same_bytes) {
  const table rows = sample(2500, 1, 0.5);
  std::vector<std::size_t> order(rows.rows());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  table shuffled = rows;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t k = 0; k < rows.x.size(); ++k) shuffled.x[k][i] = rows.x[k][order[i]];
    shuffled.y[i] = rows.y[order[i]];
  }
  for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const std::vector<unsigned char> bytes =
        learn(cpu(1), rows.columns(), rows.y, of_kind(kind)).table.serialize();
    for (const std::int32_t threads : {2, 7}) {
      EXPECT_EQ(learn(cpu(threads), rows.columns(), rows.y, of_kind(kind)).table.serialize(), bytes)
          << kind << ", " << threads << " threads";
      EXPECT_EQ(
          learn(cpu(threads), shuffled.columns(), shuffled.y, of_kind(kind)).table.serialize(),
          bytes)
          << kind << ", shuffled";
    }
  }
}

/// Rows of unequal noise, and as weights their precisions.
struct weighted_table {
  table rows;
  std::vector<double> weights;
};
weighted_table unequal(std::size_t n, unsigned seed) {
  weighted_table made{sample(n, seed, 0.0), {}};
  std::mt19937 random(seed + 1);
  std::normal_distribution<double> normal;
  for (double& y : made.rows.y) {
    const bool noisy = random() % 4 > 0;
    y += (noisy ? 4.0 : 0.2) * normal(random);
    made.weights.push_back(noisy ? 0.0625 : 25.0);
  }
  return made;
}

learned learn_weighted(const context& engine, const weighted_table& from, std::int32_t kind) {
  return learn(engine, from.rows.columns(), array(from.rows.y.data()), array(from.weights.data()),
               of_kind(kind));
}

TEST(learn, weights_say_what_rows_count_for) {
  const weighted_table given = unequal(6000, 31);
  const table truth_of = sample(4000, 33, 0.0);
  for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const learned made = learn_weighted(cpu(), given, kind);
    const model without = learn(cpu(), given.rows.columns(), given.rows.y, of_kind(kind)).table;
    // Of a grid the cells are most of the error.
    const double share = kind == ZCMOE_PARTITION_GRID ? 0.8 : 0.4;
    EXPECT_LT(error_on(made.table, truth_of), share * error_on(without, truth_of)) << kind;
    // A quarter of the rows has all but 1/134 of the weight: errors are theirs.
    double least = infinity;
    for (const zcmoe_learn_candidate& c : made.report.candidates)
      least = std::fmin(least, c.held_out_error);
    EXPECT_LT(least, 0.6) << kind;
  }
}

TEST(learn, weighted_rows_in_any_order_and_unit_give_the_same_bytes) {
  weighted_table given = unequal(2500, 35);
  std::mt19937 random(36);
  for (double& w : given.weights) w *= 1.0 + 0.001 * static_cast<double>(random() % 1000);
  given.weights[7] = 0.0;
  given.weights[8] = 1e-300;  // all but nothing, but a row
  std::vector<std::size_t> order(given.weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  weighted_table shuffled;
  shuffled.rows.x.resize(given.rows.x.size());
  for (const std::size_t i : order) {
    if (given.weights[i] == 0.0) continue;
    for (std::size_t k = 0; k < shuffled.rows.x.size(); ++k)
      shuffled.rows.x[k].push_back(given.rows.x[k][i]);
    shuffled.rows.y.push_back(given.rows.y[i]);
    shuffled.weights.push_back(1024.0 * given.weights[i]);
  }
  for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const learned made = learn_weighted(cpu(1), given, kind);
    EXPECT_EQ(made.report.zero_weights, 1);
    EXPECT_EQ(made.report.rows_used, 2499);
    EXPECT_EQ(learn_weighted(cpu(7), shuffled, kind).table.serialize(), made.table.serialize())
        << kind;
  }
}

TEST(learn, equal_weights_are_none) {
  weighted_table given{sample(1500, 37, 0.5), std::vector<double>(1500, 2.5)};
  for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const model without = learn(cpu(), given.rows.columns(), given.rows.y, of_kind(kind)).table;
    EXPECT_EQ(learn_weighted(cpu(), given, kind).table.serialize(), without.serialize()) << kind;
  }
  // But as precisions they say how large the noise of a row of weight 1 is.
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TREE, 9);
  const auto noise = [&] {
    return points_info(learn(cpu(), given.rows.columns(), array(given.rows.y.data()),
                             array(given.weights.data()), options)
                           .table)
        .noise_variance;
  };
  const double sampling = noise();
  options.weights_kind = ZCMOE_WEIGHTS_PRECISION;
  EXPECT_DOUBLE_EQ(noise(), 2.5 * sampling);
}

/// Equal rows are independent of each other, as rows are: held-out ones are no contents that
/// learning has not seen.
TEST(learn, many_rows_of_few_contents) {
  std::mt19937 random(8);
  std::normal_distribution<double> normal;
  table rows;
  rows.x.resize(2);
  for (int content = 0; content < 60; ++content) {
    const double y = normal(random);
    const int tens = content / 10;
    for (int copy = 0; copy < 40; ++copy) {
      rows.x[0].push_back(content % 10);
      rows.x[1].push_back(tens);
      rows.y.push_back(y);
    }
  }
  table reversed = rows;
  for (std::vector<double>& column : reversed.x) std::reverse(column.begin(), column.end());
  std::reverse(reversed.y.begin(), reversed.y.end());
  for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const model made = learn(cpu(), rows.columns(), rows.y, of_kind(kind)).table;
    EXPECT_LT(error_on(made, rows), 1e-3) << kind;
    EXPECT_EQ(learn(cpu(), reversed.columns(), reversed.y, of_kind(kind)).table.serialize(),
              made.serialize())
        << kind;
  }
}

TEST(learn, views_of_every_layout_give_the_same_bytes) {
  const table rows = sample(3000, 2, 0.5);
  const std::vector<unsigned char> bytes =
      learn(cpu(), rows.columns(), rows.y, automatic()).table.serialize();
  std::vector<double> by_rows;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    for (const std::vector<double>& column : rows.x) by_rows.push_back(column[i]);
  }
  const points view = points::row_major(by_rows.data(), static_cast<std::int64_t>(rows.rows()), 4);
  EXPECT_EQ(learn(cpu(), view, rows.y, automatic()).table.serialize(), bytes);
}

TEST(learn, every_kind_learns_and_the_best_is_chosen) {
  const table rows = sample(20000, 3, 0.3);
  const table fresh = sample(20000, 4, 0.0);
  std::vector<double> error(ZCMOE_NUM_PARTITIONS + 1);
  for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(kind));
    const zcmoe_learn_candidate& own = made.report.candidates[kind - 1];
    EXPECT_EQ(own.partition, kind);
    EXPECT_EQ(own.chosen, 1);
    EXPECT_GT(own.bytes, 0);
    EXPECT_EQ(own.num_segments == 0, kind == ZCMOE_PARTITION_TABLES);
    error[static_cast<std::size_t>(kind)] = error_on(made.table, fresh);
    // What was held out says what fresh rows say, whose noise is 0.09.
    EXPECT_NEAR(own.held_out_error, error[static_cast<std::size_t>(kind)] + 0.09, 0.01) << kind;
    for (const zcmoe_learn_candidate& other : made.report.candidates) {
      if (other.partition != kind) {
        EXPECT_TRUE(std::isnan(other.held_out_error));
      }
    }
  }
  const double variance = 1.9;  // of the truth, roughly
  EXPECT_LT(error[ZCMOE_PARTITION_TABLES], 0.008 * variance);
  EXPECT_LT(error[ZCMOE_PARTITION_SCORE], 0.01 * variance);
  EXPECT_LT(error[ZCMOE_PARTITION_TREE], 0.03 * variance);
  EXPECT_LT(error[ZCMOE_PARTITION_GRID], 0.03 * variance);
  EXPECT_LT(error[ZCMOE_PARTITION_OBLIQUE], 0.03 * variance);
  const learned best = learn(cpu(), rows.columns(), rows.y, automatic());
  double least = infinity;
  for (const zcmoe_learn_candidate& c : best.report.candidates)
    least = std::min(least, c.held_out_error);
  for (const zcmoe_learn_candidate& c : best.report.candidates)
    EXPECT_EQ(c.chosen == 1, c.held_out_error == least);
  EXPECT_EQ(best.report.rows, 20000);
  EXPECT_EQ(best.report.rows_used, 20000);
  EXPECT_NEAR(static_cast<double>(best.report.rows_held_out), 4000.0, 400.0);
}

TEST(learn, numbers_of_segments_are_kept) {
  const table rows = sample(4000, 5, 0.3);
  for (const std::int64_t m : {1, 2, 7, 64, 500}) {
    for (const std::int32_t kind : {ZCMOE_PARTITION_SCORE, ZCMOE_PARTITION_TREE,
                                    ZCMOE_PARTITION_GRID, ZCMOE_PARTITION_OBLIQUE}) {
      const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(kind, m));
      zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
      ASSERT_EQ(zcmoe_model_get_points_info(made.table.get(), &info), ZCMOE_OK);
      EXPECT_EQ(info.partition, kind);
      EXPECT_LE(info.num_segments, m) << kind;
      EXPECT_GE(info.num_segments,
                kind == ZCMOE_PARTITION_SCORE ? m : std::min<std::int64_t>(m, 3) / 2)
          << kind;
      EXPECT_EQ(std::accumulate(info.counts, info.counts + info.num_segments, std::int64_t{0}),
                4000);
    }
  }
}

/// A function of two inputs at places of a lattice that does not repeat.
table without_noise(std::size_t n, double (*of)(double, double)) {
  table made;
  made.x.resize(2);
  for (std::size_t i = 1; i <= n; ++i) {
    const auto k = static_cast<double>(i);
    made.x[0].push_back(std::fmod(k * 0.7548776662466927, 1.0));
    made.x[1].push_back(std::fmod(k * 0.5698402909980532, 1.0));
    made.y.push_back(of(made.x[0].back(), made.x[1].back()));
  }
  return made;
}

/// Level sets cannot do better, whatever the score: (integral of the cube root of the density of
/// y)^3 / (12 m^2), from ranks.
double limit_of_level_sets(std::vector<double> y, double m) {
  std::sort(y.begin(), y.end());
  const std::size_t steps = 200;
  const std::size_t step = y.size() / steps;
  double integral = 0.0;
  for (std::size_t i = 0; i + 1 < steps; ++i)
    integral += std::cbrt(std::pow(y[(i + 1) * step] - y[i * step], 2.0) / steps);
  return std::pow(integral, 3.0) / (12.0 * m * m);
}

TEST(learn, oblique_trees_follow_the_slope) {
  const auto bump = [](double a, double b) {
    return std::exp(-8.0 * ((a - 0.4) * (a - 0.4) + (b - 0.6) * (b - 0.6)));
  };
  const auto saddle = [](double a, double b) {
    return std::sin(6.2832 * a) * std::cos(3.1416 * b);
  };
  struct known {
    double (*of)(double, double);
    double share;  // of a tree's error
  };
  for (const known& f : {known{bump, 0.6}, known{saddle, 0.95}}) {
    const table rows = without_noise(50000, f.of);
    zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TREE, 256);
    options.axis_segments = 0;
    const double error = error_on(learn(cpu(), rows.columns(), rows.y, options).table, rows);
    options.partition = ZCMOE_PARTITION_OBLIQUE;
    EXPECT_LT(error_on(learn(cpu(), rows.columns(), rows.y, options).table, rows), f.share * error);
  }
}

TEST(learn, oblique_trees_with_many_cuts_are_as_good_as_level_sets_of_ridges) {
  const table rows =
      without_noise(60000, [](double a, double b) { return std::tanh(2.0 * (a + b) - 2.0); });
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_OBLIQUE, 128);
  options.axis_segments = 1009;
  const model fine = learn(cpu(), rows.columns(), rows.y, options).table;
  const double limit = limit_of_level_sets(rows.y, 128);
  EXPECT_LT(error_on(fine, rows), 1.4 * limit);
  EXPECT_GT(error_on(fine, rows), 0.8 * limit);
  options.axis_segments = 100;
  EXPECT_GT(error_on(learn(cpu(), rows.columns(), rows.y, options).table, rows), 1.6 * limit);

  // Four axes look at each input, and every cut is on one of them.
  ASSERT_EQ(points_info(fine).num_axes, 8);
  std::vector<double> cuts;
  for (std::int64_t a = 0; a < 8; ++a) {
    const zcmoe_axis_info axis = axis_info(fine, a);
    EXPECT_EQ(axis.input, a / 4);
    if (a < 4) cuts.insert(cuts.end(), axis.edges + 1, axis.edges + axis.num_segments);
  }
  std::sort(cuts.begin(), cuts.end());
  EXPECT_EQ(std::unique(cuts.begin(), cuts.end()) - cuts.begin(), 1008);

  // What is told of the tree leads to the segments that are predicted.
  const zcmoe_bank_info tree = bank_info(fine, 0);
  ASSERT_GT(tree.num_sums, 0);
  const table few = without_noise(50, [](double, double) { return 0.0; });
  const points columns = few.columns();
  std::vector<std::int32_t> segments(few.rows());
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.segments = output(segments.data());
  zcmoe_report report{};
  outputs.report = &report;
  predict_points_sync(fine, columns, outputs);
  for (std::size_t i = 0; i < few.rows(); ++i) {
    const auto code = [&](std::int64_t a) {
      const zcmoe_axis_info axis = axis_info(fine, a);
      return std::upper_bound(axis.edges + 1, axis.edges + axis.num_segments,
                              few.x[static_cast<std::size_t>(axis.input)][i]) -
             (axis.edges + 1);
    };
    std::int32_t at = 0;
    while (at >= 0) {
      const zcmoe_tree_node& node = tree.nodes[at];
      std::int64_t feature = 0;
      if (node.feature < 8) {
        feature = code(node.feature);
      } else {
        const zcmoe_axis_sum& sum = tree.sums[node.feature - 8];
        for (std::int64_t k = 0; k < sum.num_axes; ++k)
          feature += sum.axes[k].offsets[code(sum.axes[k].axis)];
      }
      at = feature >= node.threshold ? node.right : node.left;
    }
    EXPECT_EQ(tree.constants[~at], segments[i]);
  }

  // A row is counted once, however many axes look at the input.
  const std::vector<double> odd = {not_a_number, 0.5, 2.0};
  points odd_rows;
  odd_rows.add(odd);
  odd_rows.add(odd);
  std::vector<double> answers(3);
  outputs = predict_outputs();
  outputs.values = output(answers.data());
  report = {};
  outputs.report = &report;
  predict_points_sync(fine, odd_rows, outputs);
  EXPECT_EQ(report.nan_inputs, 1);
  EXPECT_EQ(report.above_range, 1);
  EXPECT_EQ(report.rows_used, 2);
}

TEST(learn, scores_of_known_functions_are_as_good_as_their_level_sets) {
  double (*const functions[])(double, double) = {
      [](double a, double b) { return 1.0 / (1.0 + std::exp(4.0 - 4.0 * (a + b))); },
      [](double a, double b) {
        return std::exp(-8.0 * ((a - 0.4) * (a - 0.4) + (b - 0.6) * (b - 0.6)));
      }};
  for (double (*of)(double, double) : functions) {
    const table rows = without_noise(20000, of);
    table fresh = rows;
    for (std::size_t i = 0; i < fresh.rows(); ++i) {
      for (std::vector<double>& column : fresh.x)
        column[i] = std::fmod(column[i] + 0.31234567, 1.0);
      fresh.y[i] = of(fresh.x[0][i], fresh.x[1][i]);
    }
    zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_SCORE, 64);
    options.axis_segments = 600;
    const model made = learn(cpu(), rows.columns(), rows.y, options).table;
    EXPECT_EQ(points_info(made).num_segments, 64);
    EXPECT_EQ(points_info(made).num_banks, 6);
    EXPECT_LT(error_on(made, fresh), 1.1 * limit_of_level_sets(fresh.y, 64));
  }
}

TEST(learn, fine_cuts_are_for_scores_and_oblique_trees) {
  const table rows = without_noise(40, [](double a, double) { return a; });
  zcmoe_learn_options options = learn_options();
  for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    options.partition = kind;
    const bool is_fine = kind == ZCMOE_PARTITION_SCORE || kind == ZCMOE_PARTITION_OBLIQUE;
    options.axis_segments = is_fine ? ZCMOE_MAX_FINE_SEGMENTS : ZCMOE_MAX_AXIS_SEGMENTS;
    learn(cpu(), rows.columns(), rows.y, options);
    ++options.axis_segments;
    try {
      learn(cpu(), rows.columns(), rows.y, options);
      ADD_FAILURE() << kind;
    } catch (const error& refused) {
      EXPECT_EQ(refused.status(), ZCMOE_ERR_INVALID_ARGUMENT);
    }
  }
}

TEST(learn, who_asks_for_segments_gets_some) {
  // Ten rows are too few to judge by, and to find anything beyond chance in: one segment will do.
  for (const std::size_t n : {10, 3000}) {
    const table rows = sample(n, 20, 0.3);
    const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(ZCMOE_PARTITION_AUTO, 5));
    EXPECT_TRUE(std::isnan(made.report.candidates[ZCMOE_PARTITION_TABLES - 1].held_out_error));
    zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
    ASSERT_EQ(zcmoe_model_get_points_info(made.table.get(), &info), ZCMOE_OK);
    EXPECT_NE(info.partition, ZCMOE_PARTITION_TABLES);
    EXPECT_GE(info.num_segments, n < 100 ? 1 : 4);
    EXPECT_LE(info.num_segments, 5);
  }
}

/// Constants of segments are the means of their rows, variances and standard errors theirs.
TEST(learn, constants_are_exact_means) {
  const table rows = sample(3000, 6, 0.3);
  for (const std::int32_t kind :
       {ZCMOE_PARTITION_SCORE, ZCMOE_PARTITION_TREE, ZCMOE_PARTITION_GRID}) {
    const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(kind, 30));
    zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
    ASSERT_EQ(zcmoe_model_get_points_info(made.table.get(), &info), ZCMOE_OK);
    std::vector<std::int64_t> segments(rows.rows());
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.segments = output(segments.data());
    const points columns = rows.columns();
    const zcmoe_points view = columns.view();
    ASSERT_EQ(zcmoe_predict_points_sync(made.table.get(), &view, 3000, &outputs, nullptr),
              ZCMOE_OK);
    std::vector<long double> sums(static_cast<std::size_t>(info.num_segments));
    std::vector<std::int64_t> counts(sums.size());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      sums[static_cast<std::size_t>(segments[i])] += rows.y[i];
      ++counts[static_cast<std::size_t>(segments[i])];
    }
    for (std::size_t s = 0; s < sums.size(); ++s) {
      EXPECT_EQ(info.counts[s], counts[s]);
      if (counts[s] == 0 || kind == ZCMOE_PARTITION_TREE) continue;  // whose means are shrunk
      EXPECT_NEAR(info.constants[s], static_cast<double>(sums[s] / counts[s]), 1e-10) << kind;
    }
  }
}

TEST(learn, few_rows_and_equal_ones) {
  for (const std::size_t n : {1, 2, 3, 10, 60}) {
    table rows = sample(n, 8, 0.1);
    for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
      const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(kind));
      for (const double answer : predict_points_sync(made.table, rows.columns()))
        EXPECT_TRUE(std::isfinite(answer)) << n << " rows, kind " << kind;
      if (n == 1) {
        EXPECT_NEAR(predict_points_sync(made.table, rows.columns())[0], rows.y[0], 1e-5);
      }
    }
    std::fill(rows.y.begin(), rows.y.end(), -2.5);
    for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
      const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(kind));
      for (const double answer : predict_points_sync(made.table, rows.columns()))
        EXPECT_EQ(answer, -2.5) << n << " rows, kind " << kind;
    }
    for (std::vector<double>& column : rows.x) std::fill(column.begin(), column.end(), 7.0);
    EXPECT_EQ(predict_points_sync(learn(cpu(), rows.columns(), rows.y, automatic()).table,
                                  rows.columns())[0],
              -2.5);
  }
}

TEST(learn, fewer_rows_than_columns_duplicates_and_sums_of_columns) {
  table rows = sample(25, 9, 0.1);
  for (int k = 0; k < 60; ++k) rows.x.push_back(rows.x[static_cast<std::size_t>(k % 3)]);
  table wide = sample(2000, 10, 0.1);
  wide.x.push_back(wide.x[0]);
  wide.x.push_back(wide.x[0]);
  for (std::size_t i = 0; i < wide.rows(); ++i) wide.x[5][i] += wide.x[1][i];
  for (const table& given : {rows, wide}) {
    const learned made = learn(cpu(), given.columns(), given.y, automatic());
    for (const double answer : predict_points_sync(made.table, given.columns()))
      ASSERT_TRUE(std::isfinite(answer));
  }
  EXPECT_LT(error_on(learn(cpu(), wide.columns(), wide.y, automatic()).table, wide), 0.03);
}

const zcmoe_learn_candidate& chosen(const learned& made) {
  return *std::find_if(std::begin(made.report.candidates), std::end(made.report.candidates),
                       [](const zcmoe_learn_candidate& c) { return c.chosen == 1; });
}

TEST(learn, budgets_are_met_by_every_kind) {
  const table rows = sample(1500, 21, 0.3);
  for (std::int32_t kind = ZCMOE_PARTITION_AUTO; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    zcmoe_learn_options options = of_kind(kind);
    options.axis_segments = 16;
    const learned free = learn(cpu(), rows.columns(), rows.y, options);
    const zcmoe_learn_candidate whole = chosen(free);
    for (const zcmoe_learn_candidate& c : free.report.candidates)
      EXPECT_EQ(c.ns > 0.0 && c.bytes > 0, !std::isnan(c.held_out_error)) << kind;
    options.budget_ns = 3.0 * whole.ns;
    options.budget_bytes = 3 * whole.bytes;
    EXPECT_EQ(learn(cpu(), rows.columns(), rows.y, options).table.serialize(),
              free.table.serialize())
        << kind << ": a budget that does not bind changes nothing";
    for (const auto& [ns, bytes] : {std::pair<double, std::int64_t>{0.8 * whole.ns, 0},
                                    {0.0, whole.bytes / 3},
                                    {2.8, 1500}}) {
      options.budget_ns = ns;
      options.budget_bytes = bytes;
      const learned made = learn(cpu(), rows.columns(), rows.y, options);
      EXPECT_GT(chosen(made).num_banks, 0);
      for (const zcmoe_learn_candidate& c : made.report.candidates) {
        if (std::isnan(c.held_out_error)) continue;
        EXPECT_LE(c.ns, ns > 0.0 ? ns : infinity) << kind << ", " << c.partition;
        EXPECT_LE(c.bytes, bytes > 0 ? bytes : whole.bytes * 9) << kind << ", " << c.partition;
        EXPECT_LT(c.held_out_error, made.report.held_out_variance) << kind << ", " << c.partition;
      }
    }
  }
}

TEST(learn, large_trees_are_known_to_take_longer) {
  const table rows = sample(6000, 25, 0.0);
  const auto ns = [&](std::int64_t leaves) {
    return chosen(learn(cpu(), rows.columns(), rows.y, of_kind(ZCMOE_PARTITION_TREE, leaves))).ns;
  };
  // 64 parts are found at once. Below them 512 leaves are three levels at least and a few more
  // where trees are not even; from the root they are nine and more.
  const double levels = (ns(512) - ns(64)) / 0.95;
  EXPECT_GT(levels, 3.0);
  EXPECT_LT(levels, 8.0);
}

TEST(learn, models_within_a_budget_are_the_same_on_any_threads) {
  const table rows = sample(1500, 22, 0.3);
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_AUTO);
  options.axis_segments = 20;
  options.budget_ns = 2.0;
  const std::vector<unsigned char> bytes =
      learn(cpu(1), rows.columns(), rows.y, options).table.serialize();
  EXPECT_EQ(learn(cpu(3), rows.columns(), rows.y, options).table.serialize(), bytes);
}

TEST(learn, what_no_model_meets_is_refused) {
  const table rows = sample(500, 23, 0.3);
  const table few = sample(30, 24, 0.0);  // nothing is judged
  for (const table* given : {&rows, &few}) {
    zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TREE, 8);
    options.budget_ns = 0.5;
    std::string said;
    EXPECT_EQ(status_of([&] { learn(cpu(), given->columns(), given->y, options); }, &said),
              ZCMOE_ERR_INVALID_ARGUMENT);
    EXPECT_NE(said.find("options->budget_ns=0.5"), std::string::npos) << said;
    EXPECT_NE(said.find("the least that looks at an input takes"), std::string::npos) << said;
    options.budget_ns = 3.0;
    EXPECT_LE(chosen(learn(cpu(), given->columns(), given->y, options)).ns, 3.0);
  }
}

TEST(learn, missing_inputs_are_left_out_or_a_code) {
  table rows = sample(8000, 11, 0.1);
  std::mt19937 random(12);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    if (random() % 4 != 0) continue;
    rows.x[0][i] = not_a_number;
    rows.y[i] += 10.0;
  }
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TABLES);
  const learned without = learn(cpu(), rows.columns(), rows.y, options);
  const auto missing =
      std::count_if(rows.x[0].begin(), rows.x[0].end(), [](double v) { return std::isnan(v); });
  EXPECT_EQ(without.report.nan_inputs, missing);
  EXPECT_EQ(without.report.rows_used, 8000 - missing);
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  const learned with = learn(cpu(), rows.columns(), rows.y, options);
  EXPECT_EQ(with.report.nan_inputs, 0);
  EXPECT_EQ(with.report.rows_used, 8000);
  const std::vector<double> none = predict_points_sync(without.table, rows.columns());
  const std::vector<double> all = predict_points_sync(with.table, rows.columns());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    EXPECT_EQ(std::isnan(none[i]), std::isnan(rows.x[0][i]));
    if (std::isnan(rows.x[0][i])) {
      EXPECT_NEAR(all[i], rows.y[i], 4.0);
    }
  }
}

TEST(learn, missing_inputs_have_a_code_on_each_of_several_axes) {
  table rows = without_noise(20000, [](double a, double b) { return std::exp(a + 2.0 * b); });
  for (std::size_t i = 0; i < rows.rows(); i += 5) {
    rows.x[0][i] = not_a_number;
    rows.y[i] = std::exp(1.2 + 2.0 * rows.x[1][i]);
  }
  for (const std::int32_t kind : {ZCMOE_PARTITION_SCORE, ZCMOE_PARTITION_OBLIQUE}) {
    zcmoe_learn_options options = of_kind(kind, 200);
    options.nan_policy = ZCMOE_NAN_SEGMENT;
    options.axis_segments = 300;
    const model made = learn(cpu(), rows.columns(), rows.y, options).table;
    EXPECT_EQ(points_info(made).num_axes, 4) << kind;
    EXPECT_LT(error_on(made, rows), kind == ZCMOE_PARTITION_SCORE ? 0.002 : 0.1) << kind;
  }
}

TEST(learn, every_input_may_be_cut_in_its_own_way) {
  table rows = sample(3000, 25, 0.1);
  for (std::size_t i = 0; i < 100; ++i) {
    rows.x[0][i] = not_a_number;
    rows.x[1][2 * i] = not_a_number;
  }
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TABLES);
  options.range_policy = ZCMOE_RANGE_NAN;  // each input says its own
  const zcmoe_axis_options axes[] = {{8, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_CLAMP},
                                     {0, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_SEGMENTS},
                                     {60, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_NAN},
                                     {3, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP}};
  options.axes = axes;
  const learned made = learn(cpu(), rows.columns(), rows.y, options);
  EXPECT_EQ(made.report.nan_inputs, 100);
  const std::int64_t segments[] = {8, 40, 60, 3};
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  ASSERT_EQ(zcmoe_model_get_points_info(made.table.get(), &info), ZCMOE_OK);
  ASSERT_GE(info.num_axes, 3);
  for (std::int64_t a = 0; a < info.num_axes; ++a) {
    zcmoe_axis_info axis = ZCMOE_AXIS_INFO_INIT;
    ASSERT_EQ(zcmoe_model_get_axis(made.table.get(), a, &axis), ZCMOE_OK);
    EXPECT_EQ(axis.num_segments, segments[axis.input]);
    EXPECT_EQ(axis.nan_policy, axes[axis.input].nan_policy);
    EXPECT_EQ(axis.range_policy, axes[axis.input].range_policy);
  }
  // Inputs that are all alike are what is said of all.
  zcmoe_learn_options alike = of_kind(ZCMOE_PARTITION_TREE);
  const std::vector<unsigned char> bytes =
      learn(cpu(), rows.columns(), rows.y, alike).table.serialize();
  const std::vector<zcmoe_axis_options> same(4, {40, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP});
  alike.axes = same.data();
  alike.axis_segments = 0;
  EXPECT_EQ(learn(cpu(), rows.columns(), rows.y, alike).table.serialize(), bytes);
}

TEST(learn, targets_that_are_no_numbers_are_counted) {
  table rows = sample(1000, 13, 0.1);
  rows.y[3] = not_a_number;
  rows.y[4] = infinity;
  rows.y[5] = -infinity;
  const learned made = learn(cpu(), rows.columns(), rows.y, automatic());
  EXPECT_EQ(made.report.nan_targets, 1);
  EXPECT_EQ(made.report.infinite_targets, 2);
  EXPECT_EQ(made.report.rows_used, 997);
  std::fill(rows.y.begin(), rows.y.end(), not_a_number);
  std::string said;
  EXPECT_EQ(status_of([&] { learn(cpu(), rows.columns(), rows.y, automatic()); }, &said),
            ZCMOE_ERR_DATA);
  EXPECT_NE(said.find("1000"), std::string::npos) << said;
}

TEST(learn, targets_of_any_size) {
  const table rows = sample(3000, 14, 0.1);
  const double least = error_on(learn(cpu(), rows.columns(), rows.y, automatic()).table, rows);
  for (const int scale : {-1040, -300, 40, 900}) {
    table scaled = rows;
    for (double& y : scaled.y) y = std::ldexp(y, scale);
    const learned made = learn(cpu(), scaled.columns(), scaled.y, automatic());
    const std::vector<double> answers = predict_points_sync(made.table, scaled.columns());
    double sum = 0;
    for (std::size_t i = 0; i < rows.rows(); ++i)
      sum += std::pow(std::ldexp(answers[i], -scale) - rows.y[i], 2.0);
    EXPECT_LT(sum / 3000.0, 1.5 * least + 1e-6) << scale;
  }
}

TEST(learn, targets_whose_mean_is_many_deviations) {
  const table rows = sample(3000, 9, 0.3);
  table far = rows;
  for (double& y : far.y) y += 1e7;
  for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    const double error = error_on(learn(cpu(), far.columns(), far.y, of_kind(kind)).table, far);
    // Other rows are held out.
    EXPECT_LT(error,
              1.5 * error_on(learn(cpu(), rows.columns(), rows.y, of_kind(kind)).table, rows))
        << kind;
  }
}

TEST(learn, an_outlier_does_not_undo_the_rest) {
  table rows = sample(20000, 15, 0.1);
  const table fresh = sample(5000, 16, 0.0);
  rows.y[77] = 1e4;
  // One row in 20,000 that is 10,000 too high adds 0.5 to the mean of all.
  const learned made = learn(cpu(), rows.columns(), rows.y, of_kind(ZCMOE_PARTITION_TABLES));
  std::vector<double> error;
  const std::vector<double> answers = predict_points_sync(made.table, fresh.columns());
  for (std::size_t i = 0; i < fresh.rows(); ++i) error.push_back(std::abs(answers[i] - fresh.y[i]));
  std::nth_element(error.begin(), error.begin() + 2500, error.end());
  EXPECT_LT(error[2500], 2.0);
}

TEST(learn, infinite_inputs_belong_to_the_outer_segments) {
  table rows = sample(3000, 17, 0.1);
  rows.x[0][0] = infinity;
  rows.x[0][1] = -infinity;
  const learned made = learn(cpu(), rows.columns(), rows.y, automatic());
  EXPECT_EQ(made.report.rows_used, 3000);
  EXPECT_LT(error_on(made.table, rows), 0.1);
}

TEST(learn, integers_as_categories) {
  std::mt19937 random(18);
  table rows;
  rows.x.resize(2);
  for (int i = 0; i < 5000; ++i) {
    const auto code = static_cast<double>(random() % 30);
    rows.x[0].push_back(code);
    rows.x[1].push_back(static_cast<double>(random() % 2));
    rows.y.push_back(std::fmod(code * 7919.0, 30.0));  // no order in the codes
  }
  const learned made = learn(cpu(), rows.columns(), rows.y, automatic());
  EXPECT_LT(error_on(made.table, rows), 0.01);
}

TEST(learn, progress_rises_and_may_stop_it) {
  const table rows = sample(5000, 19, 0.3);
  std::vector<double> seen;
  const points columns = rows.columns();
  learn(cpu(), columns, array(rows.y.data()), automatic(), [&](double done) {
    seen.push_back(done);
    return true;
  });
  ASSERT_GT(seen.size(), 10u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 1.0);
  for (const std::size_t stop :
       {std::size_t{0}, std::size_t{3}, seen.size() / 2, seen.size() - 1}) {
    std::size_t calls = 0;
    EXPECT_EQ(status_of([&] {
                learn(cpu(), columns, array(rows.y.data()), automatic(),
                      [&](double) { return calls++ < stop; });
              }),
              ZCMOE_ERR_CANCELLED);
    EXPECT_EQ(calls, stop + 1);
  }
}

// ------------------------------------------------------------ the CUDA engine

/// Rows of every sort: whole numbers with values that are missing, one value, few and many.
table odd_rows(std::size_t n) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform;
  table made;
  made.x.resize(5);
  for (std::size_t i = 0; i < n; ++i) {
    const double a = uniform(random);
    const double b = uniform(random);
    made.x[0].push_back(i % 9 == 5 ? std::nan("") : a);
    made.x[1].push_back(std::floor(1e12 * b));
    made.x[2].push_back(4.0);
    made.x[3].push_back(std::floor(3.0 * uniform(random)));
    made.x[4].push_back(i % 50 == 7 ? 1e300 * b : b - a);
    made.y.push_back(std::sin(9.0 * a) * std::cos(7.0 * b) + made.x[3][i] + (i % 9 == 5 ? 2.0 : 0));
  }
  if (n > 300) {
    made.y[17] = std::nan("");
    made.y[200] = 1e6;  // sums have digits beyond 32 bits
  }
  return made;
}

std::vector<double> uneven_weights(std::size_t n) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < n; ++i) weights.push_back(i % 40 == 9 ? 0.0 : std::exp2(i % 13));
  return weights;
}

class learn_on_cuda : public testing::Test {
 protected:
  void SetUp() override {
    context_ = try_context(ZCMOE_ENGINE_CUDA);
    if (!context_) GTEST_SKIP() << "no cuda device";
  }
  const context& cuda() const { return *context_; }

 private:
  std::unique_ptr<context> context_;
};

/// Tables that lie in shared memory and tables that do not, rows of all blocks and of none.
TEST_F(learn_on_cuda, gives_the_bytes_of_the_host) {
  const auto check = [&](const table& rows, zcmoe_learn_options options, const std::string& what) {
    const learned host = learn(cpu(), rows.columns(), rows.y, options);
    const learned own = learn(cuda(), rows.columns(), rows.y, options);
    EXPECT_EQ(own.table.serialize(), host.table.serialize()) << what;
    EXPECT_EQ(own.report.rows_used, host.report.rows_used) << what;
    EXPECT_EQ(own.report.nan_inputs, host.report.nan_inputs) << what;
    options.sample_rows = static_cast<std::int64_t>(rows.rows());
    learner chunks(cuda(), static_cast<std::int64_t>(rows.x.size()), options);
    chunks.add_sync(rows.columns(), rows.y);
    EXPECT_EQ(chunks.finish(options).table.serialize(), host.table.serialize()) << what;
  };
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_AUTO);
  options.axis_segments = 20;
  for (const std::size_t n : {1, 2, 40}) check(odd_rows(n), options, std::to_string(n) + " rows");
  const table some = sample(1500, 5, 0.2);
  const std::vector<double> weights = uneven_weights(some.rows());
  const auto weighted = [&](const context& on) {
    return learn(on, some.columns(), array(some.y.data()), array(weights.data()), options)
        .table.serialize();
  };
  EXPECT_EQ(weighted(cuda()), weighted(cpu()));
  for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
    options.partition = kind;
    check(some, options, "kind " + std::to_string(kind));
  }
  options.partition = ZCMOE_PARTITION_TABLES;
  table many = sample(20000, 6, 0.2);
  many.x.resize(2);
  check(many, options, "rows of several blocks");
  options = learn_options();
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  options.partition = ZCMOE_PARTITION_TABLES;
  check(odd_rows(2000), options, "odd rows");
  options.partition = ZCMOE_PARTITION_SCORE;
  options.axis_segments = 600;
  check(odd_rows(1200), options, "several axes of an input");
}

/// Columns of any type and stride, some on the device and some not; the targets in between.
TEST_F(learn_on_cuda, takes_rows_in_device_memory) {
  const table rows = odd_rows(1500);
  const std::size_t n = rows.rows();
  const std::vector<float> narrow(rows.x[0].begin(), rows.x[0].end());
  std::vector<std::int64_t> whole;  // the whole numbers of column 1 are every second
  for (const double value : rows.x[1]) {
    whole.push_back((std::int64_t{1} << 53) + static_cast<std::int64_t>(value));
    whole.push_back(-1);
  }
  const std::vector<double> reversed(rows.x[4].rbegin(), rows.x[4].rend());
  const std::vector<float> y(rows.y.begin(), rows.y.end());
  const engine_array<float> own_narrow(ZCMOE_ENGINE_CUDA, narrow);
  const engine_array<std::int64_t> own_whole(ZCMOE_ENGINE_CUDA, whole);
  const engine_array<double> own_three(ZCMOE_ENGINE_CUDA, rows.x[3]);
  const engine_array<double> own_reversed(ZCMOE_ENGINE_CUDA, reversed);
  const engine_array<float> own_y(ZCMOE_ENGINE_CUDA, y);
  const std::vector<double> weights = uneven_weights(n);
  const engine_array<double> own_weights(ZCMOE_ENGINE_CUDA, weights);
  const auto columns = [&](const float* a, const std::int64_t* b, const double* c,
                           const double* d) {
    points made;
    const zcmoe_array all[] = {{a, ZCMOE_F32, 1},
                               {b, ZCMOE_I64, 2},
                               {rows.x[2].data(), ZCMOE_F64, 1},
                               {c, ZCMOE_F64, 1},
                               {d + n - 1, ZCMOE_F64, -1}};
    for (const zcmoe_array& column : all) made.add(column, static_cast<std::int64_t>(n));
    return made;
  };
  const points here = columns(narrow.data(), whole.data(), rows.x[3].data(), reversed.data());
  const points there =
      columns(own_narrow.data(), own_whole.data(), own_three.data(), own_reversed.data());
  const zcmoe_array own_targets{own_y.data(), ZCMOE_F32, 1};
  zcmoe_learn_options options = of_kind(ZCMOE_PARTITION_TABLES);
  for (const std::int32_t policy : {ZCMOE_NAN_PROPAGATE, ZCMOE_NAN_SEGMENT}) {
    options.nan_policy = policy;
    options.sample_rows = policy == ZCMOE_NAN_SEGMENT ? 700 : 0;
    for (const bool weighted : {false, true}) {
      const learned host = learn(cpu(), here, array(y.data()),
                                 weighted ? array(weights.data()) : no_array(), options);
      const learned own = learn(cuda(), there, own_targets,
                                weighted ? array(own_weights.data()) : no_array(), options);
      EXPECT_EQ(own.table.serialize(), host.table.serialize()) << policy << weighted;
      EXPECT_EQ(own.report.nan_inputs, host.report.nan_inputs);
      EXPECT_EQ(own.report.rows_used, host.report.rows_used);
    }
  }
  // Of a device that is not the context's.
  zcmoe_context_options other = ZCMOE_CONTEXT_OPTIONS_INIT;
  other.engine = ZCMOE_ENGINE_CUDA;
  other.device = cuda().info().device + 1;
  std::unique_ptr<context> second;
  if (status_of([&] { second = std::make_unique<context>(other); }) != ZCMOE_OK) return;
  for (const bool by_columns : {true, false}) {
    try {
      learn(*second, by_columns ? there : here, own_targets, options);
      ADD_FAILURE() << "no error";
    } catch (const error& e) {
      EXPECT_EQ(e.status(), ZCMOE_ERR_INVALID_ARGUMENT);
      EXPECT_THAT(e.what(), testing::HasSubstr(by_columns ? "x->columns[0].data=" : "y.data="));
      EXPECT_THAT(e.what(), testing::HasSubstr("memory of device 0, but the context's is 1"));
    }
  }
}

}  // namespace
}  // namespace zcmoe::test
