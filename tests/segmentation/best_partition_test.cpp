// The best partitions into intervals, against every partition there is, against each other, and
// against programmes that presume monotone cuts; and where a cut belongs among rows.
#include "host/segmentation/best_partition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace zcmoe::detail {
namespace {

using testing::ElementsAre;

weighted_sequence sequence(std::vector<double> values) {
  weighted_sequence s;
  s.values = std::move(values);
  s.weights.assign(s.values.size(), 1.0);
  return s;
}

long double cost_of(const weighted_sequence& s, std::size_t begin, std::size_t end) {
  long double weight = 0;
  long double sum = 0;
  long double total = 0;
  for (const double w : s.weights) total += w;
  long double at = 0;
  for (std::size_t i = begin; i < end; ++i) {
    weight += s.weights[i];
    sum += static_cast<long double>(s.weights[i]) * s.values[i];
    if (!s.positions.empty()) at += static_cast<long double>(s.weights[i]) * s.positions[i];
  }
  long double slope = 0;
  if (!s.positions.empty()) {
    long double spread = 0;
    long double product = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const long double x = s.positions[i] - at / weight;
      spread += s.weights[i] * x * x;
      product += s.weights[i] * x * (s.values[i] - sum / weight);
    }
    if (spread > 0) slope = product / spread;
  }
  long double cost = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const long double along = s.positions.empty() ? 0 : slope * (s.positions[i] - at / weight);
    const long double off = s.values[i] - sum / weight - along;
    cost += s.weights[i] * off * off;
  }
  const long double part = weight / total;
  const long double flat = s.evenness * part * part * part;
  return cost + (s.positions.empty() ? flat : flat * part * part);
}

long double cost_of(const weighted_sequence& s, const std::vector<std::size_t>& cuts) {
  long double cost = 0;
  for (std::size_t k = 0; k + 1 < cuts.size(); ++k) cost += cost_of(s, cuts[k], cuts[k + 1]);
  return cost;
}

/// [m - 1] is the least cost of m intervals, over all 2^(n - 1) partitions.
std::vector<long double> least_of_all(const weighted_sequence& s) {
  const std::size_t n = s.size();
  std::vector<long double> least(n, std::numeric_limits<long double>::infinity());
  for (std::size_t set = 0; set < std::size_t{1} << (n - 1); ++set) {
    std::vector<std::size_t> cuts{0};
    for (std::size_t i = 1; i < n; ++i)
      if ((set >> (i - 1) & 1) != 0) cuts.push_back(i);
    cuts.push_back(n);
    least[cuts.size() - 2] = std::min(least[cuts.size() - 2], cost_of(s, cuts));
  }
  return least;
}

weighted_sequence random_sequence(std::mt19937_64& random, std::size_t n) {
  weighted_sequence s;
  const int kind = static_cast<int>(random() % 5);
  std::normal_distribution<double> normal;
  double walk = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<double>(i);
    walk += normal(random);
    const double few = static_cast<double>(random() % 3);
    const double values[] = {normal(random), walk, few, std::sin(at), 1e6 + 1e-3 * walk};
    s.values.push_back(values[kind]);
    s.weights.push_back(random() % 2 == 0 ? 1.0 : 0.1 + static_cast<double>(random() % 50));
  }
  s.evenness = random() % 2 == 0 ? 0.0 : 0.5;
  const bool lines = random() % 2 == 0;
  double place = 0.0;
  for (std::size_t i = 0; lines && i < n; ++i)
    s.positions.push_back(place += 0.1 + static_cast<double>(random() % 10));
  return s;
}

void expect_cuts_are_sound(const weighted_sequence& s, const interval_partition& p) {
  ASSERT_EQ(p.cuts.front(), 0u);
  ASSERT_EQ(p.cuts.back(), s.size());
  ASSERT_TRUE(std::is_sorted(p.cuts.begin(), p.cuts.end(), std::less_equal<>()));
  const auto exact = static_cast<double>(cost_of(s, p.cuts));
  // A line is what is left of the scatter, so it is rounded to its digits.
  const double scatter = static_cast<double>(cost_of(s, 0, s.size()));
  const double rounding = s.positions.empty() ? 0.0 : 1e-13 * std::max(1.0, scatter);
  EXPECT_NEAR(p.error, exact, 1e-12 * exact + 1e-18 + rounding);
}

TEST(best_partition, is_the_best_of_all_partitions) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 400; ++round) {
    const weighted_sequence s = random_sequence(random, 1 + random() % 11);
    const std::vector<long double> least = least_of_all(s);
    const partition_curve curve(s, s.size() + 3);
    ASSERT_EQ(curve.errors().size(), s.size());
    for (std::size_t m = 1; m <= s.size(); ++m) {
      const interval_partition p = curve.with(m);
      ASSERT_EQ(p.cuts.size(), m + 1);
      expect_cuts_are_sound(s, p);
      const auto best = static_cast<double>(least[m - 1]);
      ASSERT_NEAR(p.error, best, 1e-11 * static_cast<double>(least[0]) + 1e-18) << "m=" << m;
    }
    const double penalty = 0.01 + static_cast<double>(random() % 1000) / 200;
    const interval_partition p = penalised_partition(s, penalty);
    expect_cuts_are_sound(s, p);
    long double best = std::numeric_limits<long double>::infinity();
    for (std::size_t m = 1; m <= s.size(); ++m)
      best = std::min(best, least[m - 1] + penalty * static_cast<long double>(m));
    const double found = p.error + penalty * static_cast<double>(p.cuts.size() - 1);
    EXPECT_NEAR(found, static_cast<double>(best), 1e-11 * static_cast<double>(best));
  }
}

TEST(best_partition, of_lines_cuts_where_slopes_change) {
  weighted_sequence s = sequence({0, 1, 2, 3, 3, 3, 3, 0, -3, -6});
  for (int i = 0; i < 10; ++i) s.positions.push_back(i);
  const partition_curve curve(s, 3);
  EXPECT_NEAR(curve.errors()[2], 0.0, 1e-12);
  EXPECT_THAT(curve.with(3).cuts,
              testing::AnyOf(ElementsAre(0, 4, 7, 10), ElementsAre(0, 3, 7, 10),
                             ElementsAre(0, 3, 6, 10), ElementsAre(0, 4, 6, 10)));
}

TEST(best_partition, does_not_presume_monotone_cuts) {
  const partition_curve curve(sequence({0, 1, 2, 2, 1}), 2);
  EXPECT_DOUBLE_EQ(curve.errors()[1], 1.0);  // divide and conquer finds 7/6
  EXPECT_THAT(curve.with(2).cuts, ElementsAre(0, 1, 5));
}

/// The recursion without pruning.
std::vector<double> plain_curve(const weighted_sequence& s, std::size_t most) {
  const std::size_t n = s.size();
  std::vector<std::vector<double>> cost(n, std::vector<double>(n + 1));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j <= n; ++j) cost[i][j] = static_cast<double>(cost_of(s, i, j));
  std::vector<double> before = cost[0];
  std::vector<double> errors{before[n]};
  for (std::size_t m = 2; m <= most; ++m) {
    std::vector<double> least(n + 1, std::numeric_limits<double>::infinity());
    for (std::size_t j = m; j <= n; ++j)
      for (std::size_t i = m - 1; i < j; ++i) least[j] = std::min(least[j], before[i] + cost[i][j]);
    errors.push_back(least[n]);
    before = least;
  }
  return errors;
}

TEST(best_partition, pruning_changes_no_error_and_penalised_ones_lie_on_the_hull) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 12; ++round) {
    const std::size_t n = 60 + random() % 60;
    const weighted_sequence s = random_sequence(random, n);
    const partition_curve curve(s, 40);
    const std::vector<double> plain = plain_curve(s, 40);
    for (std::size_t m = 1; m <= 40; ++m)
      ASSERT_NEAR(curve.errors()[m - 1], plain[m - 1], 1e-10 * plain[0]) << "m=" << m;
    const partition_curve whole(s, n);
    for (const double part : {0.3, 0.05, 0.01, 0.001}) {
      const double penalty = part * plain[0];
      const interval_partition p = penalised_partition(s, penalty);
      double best = std::numeric_limits<double>::infinity();
      for (std::size_t m = 1; m <= n; ++m)
        best = std::min(best, whole.errors()[m - 1] + penalty * static_cast<double>(m));
      EXPECT_NEAR(p.error + penalty * static_cast<double>(p.cuts.size() - 1), best, 1e-10 * best);
    }
  }
}

TEST(best_partition, a_line_is_cut_evenly) {
  std::vector<double> values;
  for (int i = 0; i < 1024; ++i) values.push_back(i);
  const interval_partition p = partition_curve(sequence(values), 8).with(8);
  EXPECT_THAT(p.cuts, ElementsAre(0, 128, 256, 384, 512, 640, 768, 896, 1024));
}

TEST(best_partition, a_large_offset_costs_no_digits) {
  std::vector<double> values;
  for (int i = 0; i < 4096; ++i) values.push_back(1e9 + (i / 64) % 7);
  EXPECT_EQ(partition_curve(sequence(values), 64).errors()[63], 0.0);
}

TEST(best_partition, evenness_spreads_cuts_that_are_free) {
  weighted_sequence s = sequence(std::vector<double>(12, 5.0));
  s.evenness = 1e-3;
  EXPECT_THAT(partition_curve(s, 4).with(4).cuts, ElementsAre(0, 3, 6, 9, 12));
}

TEST(best_partition, a_single_item_is_one_interval) {
  EXPECT_THAT(penalised_partition(sequence({3}), 1.0).cuts, ElementsAre(0, 1));
  EXPECT_THAT(partition_curve(sequence({3}), 5).with(1).cuts, ElementsAre(0, 1));
}

TEST(placed_cut, is_the_least_squares_split_between_distinct_inputs) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 500; ++round) {
    const std::size_t n = 1 + random() % 20;
    std::vector<double> x;
    std::vector<double> y;
    std::vector<double> w;
    for (std::size_t i = 0; i < n; ++i) {
      x.push_back(static_cast<double>(random() % 12));
      y.push_back(normal(random) + (i > n / 2 ? 1.0 : 0.0));
      w.push_back(0.5 + static_cast<double>(random() % 4));
    }
    std::sort(x.begin(), x.end());
    const std::size_t lo = random() % n;
    const std::size_t hi = lo + random() % (n - lo + 1);
    const double left = normal(random);
    const double right = round % 7 == 0 ? left - 1 : left + 1;
    const auto squares = [&](std::size_t cut) {
      double sum = 0.0;
      for (std::size_t i = lo; i < hi; ++i)
        sum += w[i] * std::pow(y[i] - (i < cut ? left : right), 2);
      return sum;
    };
    const std::size_t cut = placed_cut({x.data(), y.data(), w.data()}, lo, hi, left, right);
    ASSERT_TRUE(cut >= lo && cut <= hi);
    if (cut > lo && cut < hi) {
      ASSERT_NE(x[cut], x[cut - 1]);
    }
    for (std::size_t other = lo; other <= hi; ++other) {
      if (other > lo && other < hi && x[other] == x[other - 1]) continue;
      EXPECT_LE(squares(cut), squares(other) + 1e-9);
    }
  }
}

TEST(placed_cut, equal_means_leave_it_in_the_middle) {
  const double x[] = {1, 2, 3, 4, 5, 6};
  const double y[] = {9, 1, 8, 2, 7, 3};
  EXPECT_EQ(placed_cut({x, y, nullptr}, 0, 6, 4.0, 4.0), 3u);
}

}  // namespace
}  // namespace zcmoe::detail
