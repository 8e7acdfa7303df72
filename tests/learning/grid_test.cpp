// Product grids: where their cuts go, and what cells without rows predict.
#include "host/learning/grid.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>

namespace zcmoe::detail {
namespace {

const run_parts one_thread = [](std::int64_t parts, const std::function<void(std::int64_t)>& body) {
  for (std::int64_t part = 0; part < parts; ++part) body(part);
};

/// Rows on d axes of `segments` codes each, uniform, without targets.
coded_rows uniform_rows(std::int64_t n, int d, int segments, unsigned seed) {
  std::mt19937 random(seed);
  coded_rows rows;
  rows.n = n;
  rows.num_slots.assign(static_cast<std::size_t>(d), segments + 3);
  for (std::int64_t i = 0; i < n * d; ++i)
    rows.codes.push_back(static_cast<std::uint8_t>(random() % static_cast<unsigned>(segments)));
  rows.y.assign(static_cast<std::size_t>(n), 0);
  rows.part.assign(static_cast<std::size_t>(n), 1);
  return rows;
}

bank axis_table(std::int32_t axis, int segments, const std::function<std::int32_t(int)>& value) {
  bank table;
  table.axes.push_back({axis, {}});
  for (int c = 0; c < segments + 3; ++c) {
    table.axes[0].offsets.push_back(c);
    table.constants.push_back(c < segments ? value(c) : 0);
  }
  return table;
}

std::int64_t digits_of(const axis_offsets& along) {
  std::vector<std::int32_t> seen = along.offsets;
  std::sort(seen.begin(), seen.end());
  return std::unique(seen.begin(), seen.end()) - seen.begin();
}

TEST(grid, segments_follow_the_root_of_the_cost_of_each_axis) {
  // Linear along both, eight times as steep along the first: C_1 / C_2 = 64, m_1 / m_2 = 8.
  const coded_rows rows = uniform_rows(40000, 3, 128, 1);
  const std::vector<bank> pilot = {axis_table(0, 128, [](int c) { return 8000 * c; }),
                                   axis_table(1, 128, [](int c) { return 1000 * c; }),
                                   axis_table(2, 128, [](int) { return 5; })};
  const bank grid = grid_of(slopes_of(pilot, rows, {}, one_thread), rows, 128);
  ASSERT_EQ(grid.axes.size(), 2u);  // the third does not matter
  EXPECT_EQ(grid.axes[0].axis, 0);
  EXPECT_EQ(grid.axes[1].axis, 1);
  EXPECT_LE(grid.constants.size(), 128u);
  EXPECT_GE(grid.constants.size(), 100u);
  const auto first = static_cast<double>(digits_of(grid.axes[0]));
  const auto second = static_cast<double>(digits_of(grid.axes[1]));
  EXPECT_NEAR(first / second, 8.0, 2.5);
}

TEST(grid, cuts_lie_where_the_pilot_is_steep) {
  const coded_rows rows = uniform_rows(20000, 1, 100, 2);
  // Eight times as steep in the upper half: (8^2)^(1/3) = 4 times the cuts.
  const std::vector<bank> pilot = {
      axis_table(0, 100, [](int c) { return c < 50 ? 100 * c : 5000 + 800 * (c - 50); })};
  const bank grid = grid_of(slopes_of(pilot, rows, {}, one_thread), rows, 20);
  ASSERT_EQ(grid.axes.size(), 1u);
  const std::vector<std::int32_t>& digits = grid.axes[0].offsets;
  EXPECT_NEAR(digits[49], 4, 1);
  EXPECT_EQ(digits[99], 19);
}

TEST(grid, a_missing_input_has_a_segment_of_its_own_where_rows_have_it) {
  coded_rows rows = uniform_rows(5000, 2, 50, 3);
  rows.codes[7] = 50;  // the code of NaN on the first axis
  const std::vector<bank> pilot = {axis_table(0, 50, [](int c) { return 100 * c; }),
                                   axis_table(1, 50, [](int c) { return 100 * c; })};
  const bank grid = grid_of(slopes_of(pilot, rows, {}, one_thread), rows, 64);
  const std::vector<std::int32_t>& first = grid.axes[0].offsets;
  EXPECT_EQ(std::count(first.begin(), first.end(), first[50]), 1);
  EXPECT_EQ(first[51], 0);
  for (std::size_t c = 0; c < 53; ++c) {
    for (std::size_t other = 0; other < 53; ++other) {
      const std::int64_t cell = first[c] + grid.axes[1].offsets[other];
      ASSERT_LT(cell, static_cast<std::int64_t>(grid.constants.size()));
    }
  }
}

TEST(grid, cells_without_rows_take_the_mean_at_the_least_distance) {
  std::mt19937 random(4);
  const int sizes[] = {5, 4, 3};
  bank grid;
  std::int32_t stride = 1;
  for (std::int32_t a = 0; a < 3; ++a) {
    grid.axes.push_back({a, {}});
    for (std::int32_t digit = 0; digit < sizes[a]; ++digit)
      grid.axes[static_cast<std::size_t>(a)].offsets.push_back(digit * stride);
    stride *= sizes[a];
  }
  const std::size_t cells = 60;
  grid.constants.resize(cells);
  coded_rows rows;
  rows.exponent = -3;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<std::int64_t> counts(cells, 0), sums(cells, 0);
    std::vector<double> means(cells, 0.0);
    for (std::size_t cell = 0; cell < cells; ++cell) {
      if (random() % 100 >= static_cast<unsigned>(2 + trial)) continue;
      counts[cell] = 1 + random() % 5;
      sums[cell] = static_cast<std::int64_t>(random() % 1000) - 500;
      means[cell] = 0.125 * static_cast<double>(sums[cell]) / static_cast<double>(counts[cell]);
    }
    std::vector<double> filled = means;
    fill_empty_cells(grid, counts, sums, rows, filled);
    const auto at = [&](std::size_t cell, int axis) {
      const int below = axis == 0 ? 1 : axis == 1 ? 5 : 20;
      return static_cast<int>(cell) / below % sizes[axis];
    };
    for (std::size_t cell = 0; cell < cells; ++cell) {
      int least = 1000;
      std::int64_t count = 0, sum = 0;
      for (std::size_t other = 0; other < cells; ++other) {
        if (counts[other] == 0) continue;
        int distance = 0;
        for (int axis = 0; axis < 3; ++axis) distance += std::abs(at(cell, axis) - at(other, axis));
        if (distance > least) continue;
        if (distance < least) count = sum = 0;
        least = distance;
        count += counts[other];
        sum += sums[other];
      }
      const double expected =
          count == 0 ? 0.0 : 0.125 * (static_cast<double>(sum) / static_cast<double>(count));
      EXPECT_EQ(filled[cell], expected) << cell;
    }
  }
}

TEST(grid, missing_inputs_of_many_axes_stay_within_the_cells) {
  coded_rows rows = uniform_rows(2000, 40, 8, 6);
  for (std::size_t a = 0; a < 40; ++a) {
    for (std::size_t i = 0; i <= a; ++i) rows.codes[a * 2000 + i] = 8;  // NaN, the most on the last
  }
  const std::vector<bank> pilot = {axis_table(0, 8, [](int c) { return 100 * c; })};
  for (const std::int64_t cells : {1, 2, 5, 64, 1000}) {
    const bank grid = grid_of(slopes_of(pilot, rows, {}, one_thread), rows, cells);
    EXPECT_LE(static_cast<std::int64_t>(grid.constants.size()), cells);
    if (cells >= 2) {
      EXPECT_EQ(grid.axes.back().axis, 39);
      EXPECT_NE(grid.axes.back().offsets[8], grid.axes.back().offsets[7]);
    }
  }
}

TEST(grid, a_flat_pilot_gives_one_cell) {
  const coded_rows rows = uniform_rows(100, 2, 10, 5);
  const bank grid = grid_of(slopes_of({}, rows, {}, one_thread), rows, 64);
  EXPECT_TRUE(grid.axes.empty());
  EXPECT_EQ(grid.constants.size(), 1u);
}

}  // namespace
}  // namespace zcmoe::detail
