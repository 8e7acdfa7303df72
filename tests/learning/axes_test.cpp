// Where inputs are cut: ties, tails, few values, and that nothing depends on order.
#include "host/learning/axes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace zcmoe::detail {
namespace {

/// Rows of each segment, closed on the left.
std::vector<std::int64_t> counts_of(const std::vector<double>& edges,
                                    const std::vector<double>& values) {
  std::vector<std::int64_t> counts(edges.size() - 1, 0);
  for (const double value : values) {
    const auto above = std::upper_bound(edges.begin() + 1, edges.end() - 1, value);
    ++counts[static_cast<std::size_t>(above - edges.begin() - 1)];
  }
  return counts;
}

void expect_sound(const std::vector<double>& edges, std::vector<double> values, std::size_t most) {
  ASSERT_GE(edges.size(), 2u);
  EXPECT_LE(edges.size(), most + 1);
  for (std::size_t k = 1; k < edges.size(); ++k) EXPECT_LT(edges[k - 1], edges[k]);
  EXPECT_EQ(edges.front(), *std::min_element(values.begin(), values.end()));
  for (const std::int64_t count : counts_of(edges, values)) EXPECT_GT(count, 0);
  std::shuffle(values.begin(), values.end(), std::mt19937(5));
  EXPECT_EQ(axis_edges(values, static_cast<std::int64_t>(most)), edges);
}

TEST(axes, few_values_have_a_segment_each) {
  const std::vector<double> values = {3.0, -1.0, 3.0, 7.0, -1.0, 3.0};
  EXPECT_EQ(axis_edges(values, 253), (std::vector<double>{-1.0, 1.0, 5.0, 7.0}));
  EXPECT_EQ(axis_edges(values, 3), (std::vector<double>{-1.0, 1.0, 5.0, 7.0}));
  EXPECT_EQ(axis_edges(values, 2).size(), 3u);
}

TEST(axes, columns_of_one_value_are_no_axes) {
  EXPECT_TRUE(axis_edges({}, 253).empty());
  EXPECT_TRUE(axis_edges({4.0}, 253).empty());
  EXPECT_TRUE(axis_edges({4.0, 4.0, 4.0}, 253).empty());
  EXPECT_TRUE(axis_edges({0.0, -0.0}, 253).empty());
  EXPECT_TRUE(axis_edges({1.0, 2.0}, 1).empty());
}

TEST(axes, neighbouring_doubles_are_parted) {
  const double next = std::nextafter(1.0, 2.0);
  const std::vector<double> edges = axis_edges({1.0, next}, 253);
  ASSERT_EQ(edges.size(), 3u);
  EXPECT_EQ(counts_of(edges, {1.0, next}), (std::vector<std::int64_t>{1, 1}));
  expect_sound(edges, {1.0, next}, 253);
  const double most = std::numeric_limits<double>::max();
  expect_sound(axis_edges({-most, 0.0, most}, 253), {-most, 0.0, most}, 253);
  expect_sound(axis_edges({0.0, 5e-324, 1e-323}, 253), {0.0, 5e-324, 1e-323}, 253);
  // No room above the greatest double: one segment less, or none.
  EXPECT_TRUE(axis_edges({std::nextafter(most, 0.0), most}, 253).empty());
  EXPECT_EQ(axis_edges({0.0, std::nextafter(most, 0.0), most}, 253).size(), 3u);
}

TEST(axes, uniform_values_are_cut_evenly) {
  std::vector<double> values(20000);
  std::iota(values.begin(), values.end(), 0.0);
  const std::vector<double> edges = axis_edges(values, 100);
  ASSERT_EQ(edges.size(), 101u);
  for (const std::int64_t count : counts_of(edges, values)) EXPECT_NEAR(double(count), 200.0, 60.0);
}

TEST(axes, a_value_of_half_the_rows_costs_no_cuts) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> values;
  for (int i = 0; i < 20000; ++i) values.push_back(i % 2 == 0 ? 0.25 : uniform(random));
  const std::vector<double> edges = axis_edges(values, 64);
  expect_sound(edges, values, 64);
  EXPECT_EQ(edges.size(), 65u);
  const std::vector<std::int64_t> counts = counts_of(edges, values);
  EXPECT_EQ(std::count_if(counts.begin(), counts.end(), [](std::int64_t c) { return c > 500; }), 1);
}

TEST(axes, tails_get_cuts) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  std::vector<double> lognormal, cauchy;
  for (int i = 0; i < 50000; ++i) {
    lognormal.push_back(std::exp(1.5 * normal(random)));
    cauchy.push_back(normal(random) / normal(random));
  }
  for (const std::vector<double>& values : {lognormal, cauchy}) {
    const std::vector<double> edges = axis_edges(values, 200);
    expect_sound(edges, values, 200);
    EXPECT_EQ(edges.size(), 201u);
    const std::vector<std::int64_t> counts = counts_of(edges, values);
    // Cuts at equal mass would leave 250 rows in the outer segment; half of the cuts being at equal
    // mass, no segment has much more than twice that.
    EXPECT_LT(counts.back(), 60);
    EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 600);
  }
}

TEST(axes, values_at_the_ends_of_the_range_of_doubles) {
  std::vector<double> values;
  for (int i = -500; i <= 500; ++i)
    values.push_back(std::ldexp(i < 0 ? -1.0 : 1.0, 2 * std::abs(i)));
  expect_sound(axis_edges(values, 100), values, 100);
  for (double& value : values) value = std::ldexp(value, -1074 - 990);
  expect_sound(axis_edges(values, 100), values, 100);
}

TEST(axes, pieces_are_as_even_as_can_be) {
  EXPECT_EQ(even_pieces({1, 1, 1, 1, 1, 1}, 3), (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(even_pieces({9, 1, 1, 1, 1}, 3), (std::vector<std::int64_t>{0, 1, 3}));
  EXPECT_EQ(even_pieces({1, 1, 9, 1, 1}, 3), (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_EQ(even_pieces({1, 2}, 5), (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(even_pieces({}, 5).empty());
  EXPECT_EQ(even_pieces({0, 0, 0}, 2).size(), 2u);
}

}  // namespace
}  // namespace zcmoe::detail
