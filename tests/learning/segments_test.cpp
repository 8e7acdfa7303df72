// Scores cut into segments, and what the segments say.
#include "host/learning/segments.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

namespace zcmoe::detail {
namespace {

using scores = std::vector<std::int64_t>;

coded_rows rows_with(std::vector<std::int64_t> y) {
  coded_rows rows;
  rows.n = static_cast<std::int64_t>(y.size());
  rows.part.assign(y.size(), 1);
  rows.y = std::move(y);
  return rows;
}

std::vector<std::int64_t> counts_of(const scores& thresholds, const scores& of) {
  std::vector<std::int64_t> counts(thresholds.size() + 1, 0);
  for (const std::int64_t s : of)
    ++counts[static_cast<std::size_t>(std::upper_bound(thresholds.begin(), thresholds.end(), s) -
                                      thresholds.begin())];
  return counts;
}

TEST(score_order, increase_and_leave_no_segment_without_rows) {
  std::mt19937_64 random(1);
  std::normal_distribution<> normal;
  for (const double spread : {1.0, 20.0, 3e3, 1e9, 1e17}) {
    scores of;
    for (int i = 0; i < 5000; ++i) {
      const double z = normal(random);
      of.push_back(std::llround(spread * z * z * z * (i % 7 == 0 ? 1 : 0.01)));
    }
    const coded_rows rows = rows_with(of);
    for (const std::int64_t m : {1, 2, 3, 10, 256, 1024, 100000}) {
      const scores thresholds = score_order(of, rows, {}).thresholds(m);
      const std::int64_t distinct =
          static_cast<std::int64_t>(std::set<std::int64_t>(of.begin(), of.end()).size());
      EXPECT_EQ(static_cast<std::int64_t>(thresholds.size()), std::min(m, distinct) - 1);
      for (std::size_t t = 1; t < thresholds.size(); ++t)
        ASSERT_LT(thresholds[t - 1], thresholds[t]);
      for (const std::int64_t count : counts_of(thresholds, of)) ASSERT_GT(count, 0);
      scores reversed(of.rbegin(), of.rend());
      EXPECT_EQ(score_order(reversed, rows, {}).thresholds(m), thresholds);
    }
  }
}

TEST(score_order, follow_the_cube_root_of_the_density) {
  // A hundred thousand scores, 8/9 of them on a ninth of the width, eight times as dense there per
  // row and 64 times per width: 64^(1/3) = 4 times as many cuts per width.
  scores of;
  for (std::int64_t i = 0; i < 88888; ++i) of.push_back(i * 100000 / 88888);
  for (std::int64_t i = 0; i < 11111; ++i) of.push_back(100000 + i * 800000 / 11111);
  const scores thresholds = score_order(of, rows_with(of), {}).thresholds(121);
  ASSERT_GE(thresholds.size(), 100u);
  const auto dense = static_cast<double>(
      std::lower_bound(thresholds.begin(), thresholds.end(), 100000) - thresholds.begin());
  // 1/3 of the cuts but for those that are spread evenly, 8/9 of which lie there.
  EXPECT_NEAR(dense / 120.0, 0.9 / 3.0 + 0.1 * 8.0 / 9.0, 0.02);
}

TEST(score_order, few_scores_have_a_segment_each) {
  scores of;
  for (int i = 0; i < 1000; ++i) of.push_back(i % 10 == 0 ? -5000 : i % 3 == 0 ? 2 : 3);
  const coded_rows rows = rows_with(of);
  EXPECT_EQ(score_order(of, rows, {}).thresholds(64), (scores{-2499, 3}));
  EXPECT_EQ(score_order(of, rows, {}).thresholds(3), (scores{-2499, 3}));
  EXPECT_EQ(score_order(of, rows, {}).thresholds(2).size(), 1u);
  EXPECT_TRUE(score_order(of, rows, {}).thresholds(1).empty());
  EXPECT_TRUE(score_order(scores(50, 7), rows_with(scores(50, 7)), {}).thresholds(64).empty());
  EXPECT_TRUE(score_order({}, rows_with({}), {}).thresholds(64).empty());
  EXPECT_TRUE(score_order({1}, rows_with({1}), {}).thresholds(64).empty());
}

TEST(score_order, look_at_the_chosen_rows_alone) {
  const scores of = {0, 10, 20, 1000, 2000};
  coded_rows rows = rows_with(of);
  rows.part = {1, 1, 1, 4, 4};
  EXPECT_EQ(score_order(of, rows, {4, false}).thresholds(64), (scores{5, 15}));
  EXPECT_EQ(score_order(of, rows, {4, true}).thresholds(64), (scores{1500}));
}

TEST(segments_of, says_what_the_rows_say) {
  const scores of = {-7, 100, 100, 101, 250, 300, 301};
  coded_rows rows = rows_with({-3, 10, 20, 40, 5, 5, 5});
  rows.exponent = -2;
  const head made = segments_of({100, 200}, 3, of, rows, false);
  EXPECT_EQ(made.thresholds, (scores{100, 200}));
  EXPECT_EQ(made.counts, (scores{1, 3, 3}));
  EXPECT_EQ(made.constants[0], -0.75);
  EXPECT_EQ(made.constants[1], 0.25 * (70.0 / 3.0));
  EXPECT_EQ(made.constants[2], 1.25);
  EXPECT_TRUE(std::isnan(made.variances[0]));
  EXPECT_TRUE(std::isnan(made.standard_errors[0]));
  // (3 * 2100 - 70^2) / (3 * 2), in squared quarters
  EXPECT_DOUBLE_EQ(made.variances[1], 1400.0 / 6.0 / 16.0);
  EXPECT_DOUBLE_EQ(made.standard_errors[1], std::sqrt(1400.0 / 18.0 / 16.0));
  EXPECT_EQ(made.variances[2], 0.0);
  EXPECT_EQ(made.standard_errors[2], 0.0);
}

TEST(segments_of, segments_without_rows_take_the_nearest_constant) {
  const coded_rows rows = rows_with({8, 8, 2});
  const head made = segments_of({}, 9, {2, 2, 6}, rows, false);
  EXPECT_EQ(made.constants, (std::vector<double>{8, 8, 8, 8, 8, 2, 2, 2, 2}));
  EXPECT_EQ(made.counts, (scores{0, 0, 2, 0, 0, 0, 1, 0, 0}));
  EXPECT_TRUE(std::isnan(made.variances[0]));
  const head none = segments_of({}, 2, {}, rows_with({}), false);
  EXPECT_TRUE(std::isnan(none.constants[0]));
  const head one = segments_of({}, 1, {55, -9, 2}, rows, false);
  EXPECT_EQ(one.constants, std::vector<double>{6});
}

TEST(score_order, takes_rows_of_weight_w_for_w_rows) {
  std::mt19937 random(3);
  std::lognormal_distribution<> spread(0.0, 3.0);
  coded_rows weighted;
  scores of;
  scores of_each;
  std::vector<std::uint32_t> weights;
  for (int i = 0; i < 500; ++i) {
    of.push_back(static_cast<std::int64_t>(1e6 * spread(random)));
    weights.push_back(1 + static_cast<std::uint32_t>(random() % 40));
    of_each.insert(of_each.end(), weights.back(), of.back());
  }
  weighted = rows_with(of);
  weighted.set_weights(weights);
  const coded_rows repeated = rows_with(of_each);
  for (const std::int64_t m : {2, 7, 64, 400}) {
    EXPECT_EQ(score_order(of, weighted, {}).thresholds(m),
              score_order(of_each, repeated, {}).thresholds(m))
        << m;
  }
}

TEST(segments_of, weighs_rows) {
  coded_rows rows = rows_with({10, 20, 40, 7});
  rows.set_weights({1, 2, 5, 3});
  // Mean 250 / 8, sum w (y - mean)^2 = 1087.5; W = 8, W2 = 30.
  const head sampling = segments_of({}, 2, {0, 0, 0, 1}, rows, false);
  EXPECT_EQ(sampling.counts, (scores{3, 1}));
  EXPECT_EQ(sampling.constants, (std::vector<double>{31.25, 7}));
  EXPECT_DOUBLE_EQ(sampling.variances[0], 1087.5 / (8.0 - 30.0 / 8.0));
  EXPECT_DOUBLE_EQ(sampling.standard_errors[0], std::sqrt(sampling.variances[0] * 30.0 / 64.0));
  EXPECT_TRUE(std::isnan(sampling.variances[1]));
  rows.weight_unit = 0.5;
  const head precise = segments_of({}, 2, {0, 0, 0, 1}, rows, true);
  EXPECT_EQ(precise.constants, sampling.constants);
  EXPECT_DOUBLE_EQ(precise.variances[0], 0.5 * 1087.5 / 2.0);
  EXPECT_DOUBLE_EQ(precise.standard_errors[0], std::sqrt(precise.variances[0] / 4.0));
}

TEST(segments_of, squares_of_large_targets_are_exact) {
  const std::int64_t big = (std::int64_t{1} << 61) - 1;
  const head made = segments_of({}, 1, {0, 0}, rows_with({big, big - 2}), false);
  EXPECT_EQ(made.variances[0], 2.0);
}

}  // namespace
}  // namespace zcmoe::detail
