// Edges learned from rows: what they are worth on settings with a known answer, and what they are
// at the ends of everything: ties, neighbouring doubles, huge and tiny numbers, more segments than
// inputs.
#include "host/segmentation/learned.hpp"

#include "host/error.hpp"

#include <zcmoe/zcmoe.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <set>

namespace zcmoe::detail {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using reals = std::vector<double>;
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double largest = std::numeric_limits<double>::max();

zcmoe_array array(const reals& v) { return {v.empty() ? nullptr : v.data(), ZCMOE_F64, 1}; }

reals learned(const reals& x, const reals& y, std::int64_t m, const reals& w = {}) {
  return learned_edges(array(x), array(y), array(w), static_cast<std::int64_t>(x.size()), m);
}

struct rows_of_relation {
  reals x;
  reals y;
};

using quantile_function = std::function<double(double)>;

rows_of_relation sample(
    std::size_t n, unsigned seed, double noise, const std::function<double(double)>& value,
    const quantile_function& quantile = [](double u) { return u; }) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  rows_of_relation rows;
  for (std::size_t i = 0; i < n; ++i) {
    rows.x.push_back(quantile((static_cast<double>(random() >> 11) + 0.5) * 0x1p-53));
    rows.y.push_back(value(rows.x.back()) + noise * normal(random));
  }
  return rows;
}

std::size_t segment_of(const reals& edges, double x) {
  return static_cast<std::size_t>(std::upper_bound(edges.begin() + 1, edges.end() - 1, x) -
                                  edges.begin() - 1);
}

/// Mean squared error, against the relation, of the means of the rows in each segment.
double excess(
    const rows_of_relation& rows, const reals& edges, const std::function<double(double)>& value,
    const quantile_function& quantile = [](double u) { return u; }) {
  reals sums(edges.size() - 1), counts(edges.size() - 1);
  for (std::size_t i = 0; i < rows.x.size(); ++i) {
    sums[segment_of(edges, rows.x[i])] += rows.y[i];
    counts[segment_of(edges, rows.x[i])] += 1;
  }
  constexpr int points = 20000;
  double error = 0.0;
  for (int i = 0; i < points; ++i) {
    const double x = quantile((i + 0.5) / points);
    const std::size_t s = segment_of(edges, x);
    error += std::pow(sums[s] / counts[s] - value(x), 2) / points;
  }
  return error;
}

/// The root of the mean squared error of the best m constants on these rows, one by one: dynamic
/// programming over distinct inputs.
double best_rms(const rows_of_relation& rows, std::size_t m) {
  std::vector<std::pair<double, double>> sorted;
  for (std::size_t i = 0; i < rows.x.size(); ++i) sorted.emplace_back(rows.x[i], rows.y[i]);
  std::sort(sorted.begin(), sorted.end());
  reals count{0}, sum{0};
  double squares = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i == 0 || sorted[i].first != sorted[i - 1].first) {
      count.push_back(count.back());
      sum.push_back(sum.back());
    }
    count.back() += 1;
    sum.back() += sorted[i].second;
    squares += sorted[i].second * sorted[i].second;
  }
  const std::size_t k = count.size() - 1;
  reals best(k + 1, inf);
  best[0] = 0.0;
  for (std::size_t layer = 0; layer < m; ++layer) {
    reals next(k + 1, inf);
    for (std::size_t j = 1; j <= k; ++j)
      for (std::size_t i = 0; i < j; ++i)
        next[j] = std::min(next[j], best[i] - std::pow(sum[j] - sum[i], 2) / (count[j] - count[i]));
    best = next;
  }
  return std::sqrt((best[k] + squares) / static_cast<double>(rows.x.size()));
}

double rms(const rows_of_relation& rows, const reals& edges) {
  reals sums(edges.size() - 1), counts(edges.size() - 1);
  for (std::size_t i = 0; i < rows.x.size(); ++i) {
    sums[segment_of(edges, rows.x[i])] += rows.y[i];
    counts[segment_of(edges, rows.x[i])] += 1;
  }
  double squares = 0.0;
  for (std::size_t i = 0; i < rows.x.size(); ++i) {
    const std::size_t s = segment_of(edges, rows.x[i]);
    squares += std::pow(rows.y[i] - sums[s] / counts[s], 2);
  }
  return std::sqrt(squares / static_cast<double>(rows.x.size()));
}

double six_levels(double x) {
  return x < 7 ? 3.0 : x < 22 ? 8.5 : x < 25 ? 4.0 : x < 41 ? 12.0 : x < 53 ? 16.0 : 10.0;
}

// ---------------------------------------------------------------- what they are worth

TEST(learned, six_levels_are_cut_at_their_jumps) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    const rows_of_relation rows =
        sample(1500, seed, 0.5, six_levels, [](double u) { return std::floor(60 * u); });
    for (const std::size_t m : {6, 8, 12, 16, 32}) {
      const reals edges = learned(rows.x, rows.y, static_cast<std::int64_t>(m));
      ASSERT_EQ(edges.size(), m + 1);
      EXPECT_LE(rms(rows, edges), 1.03 * best_rms(rows, m)) << m;
    }
    EXPECT_THAT(learned(rows.x, rows.y, 6), ElementsAre(0, 6.5, 21.5, 24.5, 40.5, 52.5, 59));
  }
}

// Bins of 98 rows: the cuts must be moved inside them.
TEST(learned, jumps_inside_bins_are_cut_where_the_rows_change) {
  const auto value = [](double x) { return x < 0.3 ? 0.0 : x < 0.7123 ? 2.0 : 1.0; };
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const rows_of_relation rows = sample(200000, seed, 0.2, value);
    const reals edges = learned(rows.x, rows.y, 3);
    ASSERT_EQ(edges.size(), 4u);
    EXPECT_NEAR(edges[1], 0.3, 2e-5);
    EXPECT_NEAR(edges[2], 0.7123, 2e-5);
    // Among many segments too, whether they are searched for or follow a density.
    for (const std::int64_t m : {200, 3000}) {
      const reals many = learned(rows.x, rows.y, m);
      ASSERT_EQ(many.size(), static_cast<std::size_t>(m) + 1);
      for (const double place : {0.3, 0.7123}) {
        const auto nearest = std::min_element(many.begin(), many.end(), [&](double a, double b) {
          return std::abs(a - place) < std::abs(b - place);
        });
        EXPECT_NEAR(*nearest, place, 2e-5) << m;
      }
    }
  }
}

/// The excess risk of lines of their own on these edges, by the engine.
double excess_of_lines(const rows_of_relation& rows, const reals& edges,
                       const std::function<double(double)>& value) {
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.experts = ZCMOE_EXPERTS_LINEAR;
  const zcmoe::context cpu(ZCMOE_ENGINE_CPU);
  zcmoe::fit state(cpu, edges, options);
  state.add_sync(rows.x, rows.y);
  std::vector<double> grid;
  for (int i = 0; i < 20000; ++i) grid.push_back((i + 0.5) / 20000);
  const std::vector<double> found = state.finish().predict_sync(grid);
  double error = 0.0;
  for (std::size_t i = 0; i < grid.size(); ++i)
    error += std::pow(found[i] - value(grid[i]), 2) / static_cast<double>(grid.size());
  return error;
}

TEST(learned, cuts_for_lines_go_where_the_relation_bends_and_jumps) {
  // High rate: (integral of |b''|^(2/5))^5 / (720 m^4), and two parameters a segment.
  const auto value = [](double x) { return 0.7 * std::sin(6.283185307 * x); };
  const std::size_t n = 50000;
  const rows_of_relation rows = sample(n, 3, 0.1, value);
  double integral = 0.0;
  for (int i = 0; i < 100000; ++i) {
    integral += std::pow(std::abs(0.7 * 39.4784176 * std::sin(6.283185307 * (i + 0.5) / 1e5)), 0.4);
  }
  for (const double m : {8.0, 16.0}) {
    const double expected = std::pow(integral / 1e5, 5) / (720 * std::pow(m, 4)) +
                            2 * 0.01 * m / static_cast<double>(n);
    const auto segments = static_cast<std::int64_t>(m);
    const double error =
        excess_of_lines(rows, zcmoe::line_edges_from_data(rows.x, rows.y, segments), value);
    EXPECT_LE(error, 1.35 * expected) << m;
    EXPECT_GE(error, 0.5 * expected) << m;
    // Cuts for constants are wide where the relation bends most.
    EXPECT_GT(excess_of_lines(rows, learned(rows.x, rows.y, segments), value), 1.2 * error) << m;
  }
  const auto steps = [](double x) { return (x < 0.4 ? 0.0 : 1.0) + x; };
  const rows_of_relation jump = sample(n, 4, 0.1, steps);
  const reals two = zcmoe::line_edges_from_data(jump.x, jump.y, 2);
  ASSERT_EQ(two.size(), 3u);
  EXPECT_NEAR(two[1], 0.4, 1e-4);
  // Any number of segments, of distinct inputs at most, of exact size.
  for (const std::int64_t m : {1, 3, 300, 5000})
    EXPECT_EQ(zcmoe::line_edges_from_data(rows.x, rows.y, m).size(),
              static_cast<std::size_t>(m) + 1);
  EXPECT_EQ(zcmoe::line_edges_from_data(reals{1, 2, 2, 3}, reals{5, 6, 7, 8}, 9).size(), 4u);
  EXPECT_EQ(zcmoe::line_edges_from_data(reals{4, 4}, reals{1, 2}, 3).size(), 2u);
}

/// The least error of m constants for the relation itself, without noise.
double best_of_truth(const std::function<double(double)>& value, std::size_t m) {
  weighted_sequence truth;
  constexpr int points = 2000;
  for (int i = 0; i < points; ++i) {
    truth.values.push_back(value((i + 0.5) / points));
    truth.weights.push_back(1.0 / points);
  }
  return partition_curve(truth, m).errors()[m - 1];
}

TEST(learned, errors_are_near_those_of_the_best_cuts_of_the_relation) {
  const auto value = [](double x) { return 0.7 * std::sin(6.283185307 * x); };
  const std::size_t n = 50000;
  const rows_of_relation rows = sample(n, 3, 0.1, value);
  for (const std::size_t m : {4, 16, 64, 250}) {
    const double estimation = 0.01 * static_cast<double>(m) / static_cast<double>(n);
    const double error = excess(rows, learned(rows.x, rows.y, static_cast<std::int64_t>(m)), value);
    EXPECT_LE(error, 1.05 * (best_of_truth(value, m) + estimation)) << m;
  }
  // Beyond the exact search the high-rate value: (integral of |b'|^(2/3))^3 / (12 m^2).
  double integral = 0.0;
  for (int i = 0; i < 100000; ++i)
    integral += std::cbrt(std::pow(0.7 * 6.283185307 * std::cos(6.283185307 * (i + 0.5) / 1e5), 2));
  for (const double m : {300.0, 1000.0, 4000.0}) {
    const rows_of_relation quiet = sample(n, 4, 1e-4, value);
    // Segments of k rows vary in width as these do: the mean of (width)^3 is (1 + 1/k)(1 + 2/k)
    // times that of equal ones. Their means vary by another 1/k.
    const double k = static_cast<double>(n) / m;
    const double expected = std::pow(integral / 1e5, 3) / (12 * m * m) * (1 + 4 / k) +
                            1e-8 * m / static_cast<double>(n);
    const double error =
        excess(quiet, learned(quiet.x, quiet.y, static_cast<std::int64_t>(m)), value);
    EXPECT_LE(error, 1.05 * expected) << m;
    EXPECT_GE(error, 0.95 * expected) << m;
  }
}

TEST(learned, heavy_tails_of_inputs_and_targets_do_no_harm) {
  const auto cauchy = [](double u) { return std::tan(std::acos(-1.0) * (u - 0.5)); };
  const auto value = [](double x) { return std::tanh(x); };
  double tails = 0.0;
  double outliers = 0.0;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    rows_of_relation rows = sample(4000, seed, 0.3, value, cauchy);
    tails += excess(rows, learned(rows.x, rows.y, 24), value, cauchy) / 3;
    // An outlier enters the mean of its segment, but does not draw the cuts.
    const reals before = learned(rows.x, rows.y, 24);
    for (int i = 0; i < 4; ++i) rows.y[static_cast<std::size_t>(i)] += 100;
    reals mended = rows.y;
    for (int i = 0; i < 4; ++i) mended[static_cast<std::size_t>(i)] -= 100;
    const reals after = learned(rows.x, rows.y, 24);
    outliers += excess({rows.x, mended}, after, value, cauchy) / 3;
  }
  EXPECT_LE(tails, 0.0032);  // 24 means of 4000 rows at noise 0.09 have .00054
  EXPECT_LE(outliers, 1.5 * tails);
}

// --------------------------------------------------------------- how many of them

learned_cuts cuts_of(const rows_of_relation& rows) {
  return {read_samples(array(rows.x), array(rows.y), array({}),
                       static_cast<std::int64_t>(rows.x.size()), -inf, inf),
          100000};
}

TEST(learned, the_best_number_is_that_of_the_relation) {
  const auto levels = [](double u) { return std::floor(60 * u); };
  const learned_number quiet = cuts_of(sample(1500, 1, 0, six_levels, levels)).best_number(1, 1500);
  EXPECT_EQ(quiet.num_segments, 6);
  EXPECT_NEAR(quiet.approximation, 0.0, 1e-12);
  EXPECT_NEAR(quiet.noise, 0.0, 1e-12);
  for (unsigned seed = 1; seed <= 4; ++seed) {
    learned_cuts noisy = cuts_of(sample(1500, seed, 0.5, six_levels, levels));
    const learned_number number = noisy.best_number(1, 1500);
    EXPECT_GE(number.num_segments, 6);
    EXPECT_LE(number.num_segments, 12);
    EXPECT_NEAR(number.noise, 0.25, 0.04);
    EXPECT_NEAR(number.estimation, number.noise * static_cast<double>(number.num_segments) / 1500,
                1e-12);
    EXPECT_EQ(noisy.best_number(1, 4).num_segments, 4);
    EXPECT_GT(noisy.best_number(1, 4).approximation, 1.0);
  }
  // A = 1/12 for y = x, so m = (n / (6 noise))^(1/3), twice that for eight times the rows; beyond
  // an eighth of the bins too. Units of the target enter squared.
  for (const double noise : {0.1, 0.001}) {
    learned_cuts line = cuts_of(sample(20000, 7, 8 * noise, [](double x) { return 8 * x; }));
    const double wanted = std::cbrt(20000 / (6 * noise * noise));
    const learned_number number = line.best_number(1, 100000);
    EXPECT_NEAR(static_cast<double>(number.num_segments) / wanted, 1.0, 0.1) << noise;
    EXPECT_NEAR(number.estimation, 64 * noise * noise * wanted / 20000, 0.1 * number.estimation);
    EXPECT_NEAR(number.approximation, number.estimation / 2, 0.15 * number.estimation);
    EXPECT_NEAR(static_cast<double>(line.best_number(8, 100000).num_segments) / wanted, 2.0, 0.2);
  }
  EXPECT_EQ(
      cuts_of(sample(3000, 2, 0.3, [](double) { return 1.0; })).best_number(1, 9).num_segments, 1);
  EXPECT_EQ(cuts_of(sample(3000, 2, 0, [](double) { return 1.0; })).best_number(1, 9).num_segments,
            1);
  // Without noise every row is believed.
  EXPECT_GE(
      cuts_of(sample(9000, 2, 0, [](double x) { return x; })).best_number(1, 9000).num_segments,
      1000);
}

// ------------------------------------------------------------------ invariances

TEST(learned, neither_the_order_of_rows_nor_units_matter) {
  std::mt19937_64 random(3);
  rows_of_relation rows = sample(30000, 5, 0.2, [](double x) { return x * x + (x > 0.4); });
  reals w(rows.x.size());
  for (double& v : w) v = static_cast<double>(random() % 1000) / 7;
  for (std::size_t i = 0; i < rows.x.size(); i += 3)
    rows.x[i] = std::round(rows.x[i] * 50) / 50;  // ties
  rows.y[17] = nan_value;
  rows.y[18] = inf;
  rows.x[19] = nan_value;
  rows.x[20] = -inf;
  for (const std::int64_t m : {7, 40, 900}) {
    const reals plain = learned(rows.x, rows.y, m);
    const reals weighted = learned(rows.x, rows.y, m, w);
    EXPECT_NE(plain, weighted);
    std::vector<std::size_t> order(rows.x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    reals x, y, v;
    for (const std::size_t i : order) {
      x.push_back(rows.x[i]);
      y.push_back(rows.y[i]);
      v.push_back(w[i]);
    }
    EXPECT_EQ(learned(x, y, m), plain);
    EXPECT_EQ(learned(x, y, m, v), weighted);
    for (double& t : v) t *= 0x1p-900;
    for (double& t : y) t *= 0x1p600;
    EXPECT_EQ(learned(x, y, m, v), weighted);
    for (double& t : y) t = std::ldexp(t, -1200);
    for (double& t : x) t *= 0x1p-1000;
    reals scaled = learned(x, y, m, v);
    for (double& t : scaled) t *= 0x1p1000;
    EXPECT_EQ(scaled, weighted);
  }
}

TEST(learned, a_row_of_weight_two_counts_as_two_rows) {
  std::mt19937_64 random(8);
  const rows_of_relation rows =
      sample(3000, 6, 0.5, six_levels, [](double u) { return std::floor(60 * u); });
  reals w, x, y;
  for (std::size_t i = 0; i < rows.x.size(); ++i) {
    w.push_back(static_cast<double>(random() % 4));
    for (int k = 0; k < static_cast<int>(w.back()); ++k) {
      x.push_back(rows.x[i]);
      y.push_back(rows.y[i]);
    }
  }
  EXPECT_EQ(learned(rows.x, rows.y, 6, w), learned(x, y, 6));
}

TEST(learned, a_row_of_nearly_all_weight_leaves_the_others_their_cuts) {
  rows_of_relation rows = sample(20000, 9, 0.1, [](double x) { return x < 0.5 ? 0.0 : 1.0; });
  reals w(rows.x.size(), 1.0);
  w[7] = 1e15;
  const reals edges = learned(rows.x, rows.y, 8, w);
  ASSERT_EQ(edges.size(), 9u);
  const bool cut =
      std::any_of(edges.begin(), edges.end(), [](double e) { return std::abs(e - 0.5) < 1e-3; });
  EXPECT_TRUE(cut);
}

// ------------------------------------------------------------------ at the ends

TEST(learned, one_input_and_two) {
  EXPECT_THAT(learned({3}, {1}, 5), ElementsAre(3, std::nextafter(3.0, inf)));
  EXPECT_THAT(learned({3, 3, 3}, {1, 2, 3}, 5), ElementsAre(3, std::nextafter(3.0, inf)));
  EXPECT_THAT(learned({largest}, {1}, 1), ElementsAre(std::nextafter(largest, 0.0), largest));
  EXPECT_THAT(learned({1, 2}, {1, 2}, 1), ElementsAre(1, 2));
  EXPECT_THAT(learned({1, 2}, {1, 2}, 2), ElementsAre(1, 1.5, 2));
  EXPECT_THAT(learned({1, 2}, {1, 2}, 5), ElementsAre(1, 1.5, 2));
  EXPECT_THAT(learned({largest, -largest}, {largest, -largest}, 2),
              ElementsAre(-largest, 0, largest));
  for (const reals& w : {reals{1, 1, 0}, reals{0, 0, 0}}) {
    try {
      learned({nan_value, 1, 2}, {1, inf, 1}, 2, w);
      ADD_FAILURE();
    } catch (const std::exception& e) {
      EXPECT_THAT(e.what(), HasSubstr("no row with finite x and y and positive weight among n=3"));
    }
  }
  EXPECT_ANY_THROW(learned({}, {}, 2));
}

TEST(learned, every_input_has_a_segment_where_there_are_no_more) {
  for (const std::size_t distinct : {2, 10, 213, 3000, 5000}) {
    reals x, y;
    for (std::size_t i = 0; i < 3 * distinct; ++i) {
      x.push_back(static_cast<double>(i % distinct));
      y.push_back(std::sin(static_cast<double>(i)));
    }
    for (const std::size_t m : {distinct, distinct + 1, 4 * distinct}) {
      const reals edges = learned(x, y, static_cast<std::int64_t>(m));
      ASSERT_EQ(edges.size(), distinct + 1);
      for (std::size_t k = 1; k < distinct; ++k) ASSERT_EQ(edges[k], static_cast<double>(k) - 0.5);
    }
    const reals fewer = learned(x, y, static_cast<std::int64_t>(distinct - 1));
    EXPECT_EQ(fewer.size(), distinct);
  }
}

TEST(learned, each_segment_holds_rows) {
  std::mt19937_64 random(21);
  for (int round = 0; round < 150; ++round) {
    const std::size_t n = 1 + random() % 600;
    rows_of_relation rows =
        sample(n, static_cast<unsigned>(random()), 0.3, [](double x) { return std::sin(9 * x); });
    if (round % 3 == 0)
      for (double& x : rows.x) x = std::round(std::pow(20 * x, 2) / 9);
    if (round % 5 == 0)
      for (double& y : rows.y) y = std::round(y);
    const std::size_t m = 1 + random() % 300;
    const reals edges = learned(rows.x, rows.y, static_cast<std::int64_t>(m));
    const std::set<double> inputs(rows.x.begin(), rows.x.end());
    ASSERT_EQ(edges.size() - 1, std::min(m, inputs.size()));
    std::set<std::size_t> used;
    for (const double x : inputs) used.insert(segment_of(edges, x));
    ASSERT_EQ(used.size(), edges.size() - 1);
    EXPECT_EQ(edges.front(), *inputs.begin());
    EXPECT_GE(edges.back(), *inputs.rbegin());
  }
}

TEST(learned, neighbouring_doubles_are_parted) {
  reals x, y;
  double v = 9007199254740992.0;
  for (int k = 0; k < 50; ++k) {
    for (int i = 0; i < 20; ++i) {
      x.push_back(v);
      y.push_back(k % 2);
    }
    v = std::nextafter(v, inf);
  }
  EXPECT_EQ(learned(x, y, 50).size(), 51u);
  const reals two = learned({1.0, std::nextafter(1.0, 2.0)}, {0, 1}, 2);
  EXPECT_THAT(two, ElementsAre(1.0, std::nextafter(1.0, 2.0),
                               std::nextafter(std::nextafter(1.0, 2.0), 2.0)));
  // Above the largest double there is no edge.
  EXPECT_EQ(learned({std::nextafter(largest, 0.0), largest}, {0, 1}, 2).size(), 2u);
  // The smallest numbers.
  const double tiny = std::numeric_limits<double>::denorm_min();
  EXPECT_THAT(learned({0, tiny, 2 * tiny}, {0, 9, 0}, 3), ElementsAre(0, tiny, 2 * tiny, 3 * tiny));
  EXPECT_THAT(learned({-tiny, tiny}, {0, 9}, 2), ElementsAre(-tiny, 0, tiny));
}

TEST(learned, equal_targets_are_cut_evenly_in_mass) {
  reals x(1000);
  std::iota(x.begin(), x.end(), 0.0);
  const reals edges = learned(x, reals(1000, 7.0), 10);
  for (std::size_t k = 1; k < 10; ++k)
    EXPECT_NEAR(edges[k], 100 * static_cast<double>(k), 3.0) << k;
  const reals many = learned(x, reals(1000, -1e300), 500);
  ASSERT_EQ(many.size(), 501u);
  for (std::size_t k = 1; k < 500; ++k) EXPECT_NEAR(many[k], 2 * static_cast<double>(k), 3.0) << k;
}

TEST(learned, a_large_common_offset_of_targets_does_not_matter) {
  const rows_of_relation rows = sample(2000, 9, 0.3, [](double x) { return std::sin(9 * x); });
  reals shifted = rows.y;
  for (double& v : shifted) v += 1e6;
  EXPECT_THAT(learned(rows.x, shifted, 20),
              testing::Pointwise(DoubleNear(0.02), learned(rows.x, rows.y, 20)));
}

TEST(learned, inputs_as_far_apart_as_doubles_are) {
  reals x, y;
  for (int k = -900; k <= 900; k += 5) {
    x.push_back(std::ldexp(1.0, k));
    y.push_back(k < 100 ? 0.0 : 1.0);
    x.push_back(-x.back());
    y.push_back(2.0);
  }
  const reals edges = learned(x, y, 3);
  ASSERT_EQ(edges.size(), 4u);
  EXPECT_LT(std::abs(edges[1]), std::ldexp(1.0, -899));
  EXPECT_GT(edges[2], std::ldexp(1.0, 95));
  EXPECT_LT(edges[2], std::ldexp(1.0, 100));
}

}  // namespace
}  // namespace zcmoe::detail
