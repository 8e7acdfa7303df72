// Axis tables and pair grids: truths that are found again, whole numbers that depend on no order,
// and rows that break nothing.
#include "host/learning/table_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

namespace zcmoe::detail {
namespace {

const run_parts one_thread = [](std::int64_t parts, const std::function<void(std::int64_t)>& body) {
  for (std::int64_t part = 0; part < parts; ++part) body(part);
};
const run_parts backwards = [](std::int64_t parts, const std::function<void(std::int64_t)>& body) {
  for (std::int64_t part = parts; part-- > 0;) body(part);
};
const run_parts three_threads = [](std::int64_t parts,
                                   const std::function<void(std::int64_t)>& body) {
  std::vector<std::thread> threads;
  for (std::int64_t k = 0; k < 3; ++k) {
    threads.emplace_back([&, k] {
      for (std::int64_t part = k; part < parts; part += 3) body(part);
    });
  }
  for (std::thread& thread : threads) thread.join();
};

using function = std::function<double(const double* x)>;

/// Inputs are uniform on [0, 1), cut into segments of equal width.
struct sample {
  std::int64_t n;
  int d;
  int segments;
  std::vector<double> x;  // [d * n]
  std::vector<double> y;

  sample(std::int64_t rows, int inputs, int num_segments, unsigned seed, const function& truth,
         double noise)
      : n(rows), d(inputs), segments(num_segments) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    x.resize(static_cast<std::size_t>(n * d));
    for (double& value : x) value = static_cast<double>(random() >> 11) * 0x1p-53;
    std::vector<double> row(static_cast<std::size_t>(d));
    for (std::int64_t i = 0; i < n; ++i) {
      for (int a = 0; a < d; ++a) row[static_cast<std::size_t>(a)] = input(a, i);
      y.push_back(truth(row.data()) + noise * normal(random));
    }
  }
  double& input(int a, std::int64_t i) { return x[static_cast<std::size_t>(a * n + i)]; }

  coded_rows rows() const {
    std::vector<std::uint8_t> codes;
    std::vector<std::uint64_t> hashes(static_cast<std::size_t>(n), 0);
    for (const double value : x)
      codes.push_back(static_cast<std::uint8_t>(value * static_cast<double>(segments)));
    for (int a = 0; a < d; ++a)
      hash_inputs(x.data() + static_cast<std::int64_t>(a) * n, n, hashes.data());
    const std::vector<std::int32_t> slots(static_cast<std::size_t>(d), segments + 3);
    return rows_of(y.data(), {}, n, slots, codes, hashes);
  }
};

/// Rows of the same codes in another order.
coded_rows reordered(const coded_rows& rows, unsigned seed) {
  const auto n = static_cast<std::size_t>(rows.n);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  coded_rows moved = rows;
  for (std::size_t i = 0; i < n; ++i) {
    moved.y[i] = rows.y[order[i]];
    moved.part[i] = rows.part[order[i]];
    for (std::size_t a = 0; a < rows.num_slots.size(); ++a)
      moved.codes[a * n + i] = rows.codes[a * n + order[i]];
  }
  return moved;
}

void expect_equal(const table_sum& one, const table_sum& other) {
  EXPECT_EQ(one.base, other.base);
  ASSERT_EQ(one.banks.size(), other.banks.size());
  for (std::size_t k = 0; k < one.banks.size(); ++k) {
    EXPECT_EQ(one.banks[k].constants, other.banks[k].constants);
    ASSERT_EQ(one.banks[k].axes.size(), other.banks[k].axes.size());
    for (std::size_t a = 0; a < one.banks[k].axes.size(); ++a) {
      EXPECT_EQ(one.banks[k].axes[a].axis, other.banks[k].axes[a].axis);
      EXPECT_EQ(one.banks[k].axes[a].offsets, other.banks[k].axes[a].offsets);
    }
  }
}

/// The mean squared distance of answers from a truth, at the rows.
double error_of(const table_sum& sum, const coded_rows& rows, sample& s, const function& truth) {
  const std::vector<std::int64_t> scores = scores_of(sum.banks, rows, one_thread);
  std::vector<double> row(static_cast<std::size_t>(s.d));
  double error = 0.0;
  for (std::int64_t i = 0; i < s.n; ++i) {
    for (int a = 0; a < s.d; ++a) row[static_cast<std::size_t>(a)] = s.input(a, i);
    const auto score = static_cast<double>(sum.base + scores[static_cast<std::size_t>(i)]);
    const double answer = std::ldexp(score, rows.exponent + rows.constant_shift);
    error += std::pow(answer - truth(row.data()), 2) / static_cast<double>(s.n);
  }
  return error;
}

const bank* table_of(const table_sum& sum, std::int32_t axis) {
  for (const bank& b : sum.banks) {
    if (b.axes.size() == 1 && b.axes[0].axis == axis) return &b;
  }
  return nullptr;
}

int num_grids(const table_sum& sum) {
  return static_cast<int>(std::count_if(sum.banks.begin(), sum.banks.end(),
                                        [](const bank& b) { return b.axes.size() == 2; }));
}

const function additive = [](const double* x) {
  return std::sin(6.0 * x[0]) + 2.0 * x[1] * x[1] + (x[2] > 0.5 ? 1.0 : 0.0);
};

TEST(tables, an_additive_truth_is_found) {
  sample s(20000, 5, 100, 1, additive, 0.5);
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 5, one_thread);
  // The noise over some 60 free numbers of 20,000 rows is 8e-4; means of codes would have 7e-3.
  EXPECT_LT(error_of(sum, rows, s, additive), 2e-3);
  for (std::int32_t a = 0; a < 3; ++a) EXPECT_NE(table_of(sum, a), nullptr) << a;
  // Tables are centred.
  for (std::int32_t a = 0; a < 3; ++a) {
    double mean = 0.0;
    for (std::int64_t i = 0; i < rows.n; ++i)
      mean += table_of(sum, a)->constants[rows.codes_of(a)[i]] / static_cast<double>(rows.n);
    EXPECT_NEAR(mean, 0.0, 1.0);
  }
}

TEST(tables, pairs_are_found_and_no_others) {
  const function truth = [](const double* x) {
    return 3.0 * std::sin(3.0 * x[0] * x[3]) + 2.0 * (x[1] - 0.5) * (x[2] - 0.5);
  };
  sample s(30000, 6, 128, 2, truth, 0.3);
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 6, one_thread);
  std::vector<std::pair<int, int>> pairs;
  for (const bank& b : sum.banks) {
    if (b.axes.size() == 2) pairs.emplace_back(b.axes[0].axis, b.axes[1].axis);
  }
  EXPECT_EQ(pairs, (std::vector<std::pair<int, int>>{{0, 3}, {1, 2}}));
  EXPECT_LT(error_of(sum, rows, s, truth), 2e-3);
  EXPECT_EQ(num_grids(learn_tables(rows, {}, 1, one_thread)), 1);
  EXPECT_EQ(num_grids(learn_tables(rows, {}, 0, one_thread)), 0);
}

TEST(tables, order_threads_and_copies_do_not_show) {
  const function truth = [](const double* x) { return x[0] * x[1] + std::sqrt(x[2]); };
  sample s(90000, 4, 60, 3, truth, 0.2);
  const coded_rows rows = s.rows();
  for (const row_choice train : {row_choice{}, row_choice{2, false}, row_choice{2, true}}) {
    const table_sum sum = learn_tables(rows, train, 4, one_thread);
    EXPECT_GE(num_grids(sum), 1);
    expect_equal(learn_tables(rows, train, 4, three_threads), sum);
    expect_equal(learn_tables(rows, train, 4, backwards), sum);
    expect_equal(learn_tables(reordered(rows, 7), train, 4, backwards), sum);
  }
}

TEST(tables, rows_held_out_are_not_seen) {
  sample s(5000, 3, 20, 4, additive, 0.2);
  coded_rows rows = s.rows();
  const row_choice train{3, false};
  const table_sum sum = learn_tables(rows, train, 3, one_thread);
  coded_rows spoilt = rows;
  coded_rows without = rows;
  std::size_t kept = 0;
  const auto n = static_cast<std::size_t>(rows.n);
  for (std::size_t i = 0; i < n; ++i) {
    if (!train.takes(rows.part[i])) {
      spoilt.y[i] = -5 * spoilt.y[i];
      spoilt.codes[i] = 0;
    } else {
      without.y[kept] = rows.y[i];
      without.part[kept++] = rows.part[i];
    }
  }
  expect_equal(learn_tables(spoilt, train, 3, one_thread), sum);
  without.n = static_cast<std::int64_t>(kept);
  without.y.resize(kept);
  without.part.resize(kept);
  without.codes.clear();
  for (int a = 0; a < rows.num_axes(); ++a) {
    for (std::size_t i = 0; i < n; ++i) {
      if (train.takes(rows.part[i])) without.codes.push_back(rows.codes_of(a)[i]);
    }
  }
  expect_equal(learn_tables(without, {}, 3, one_thread), sum);
}

TEST(tables, residuals_are_what_is_left) {
  const function truth = [](const double* x) { return x[0] * x[1] + x[2]; };
  sample s(40000, 3, 50, 5, truth, 0.1);
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 3, one_thread);
  const std::vector<std::int64_t> left = residuals_of(sum, rows, three_threads);
  std::uint8_t codes[3];
  for (std::int64_t i = 0; i < rows.n; i += 97) {
    for (int a = 0; a < 3; ++a) codes[a] = rows.codes_of(a)[i];
    std::int64_t score = sum.base;
    for (const bank& b : sum.banks)
      score += b.constants[static_cast<std::size_t>(cell_of(b, codes, 3))];
    EXPECT_EQ(
        left[static_cast<std::size_t>(i)],
        rows.y[static_cast<std::size_t>(i)] - score * (std::int64_t{1} << rows.constant_shift));
  }
  const double mean =
      static_cast<double>(std::accumulate(left.begin(), left.end(), std::int64_t{0})) /
      static_cast<double>(rows.n);
  EXPECT_LE(std::abs(mean), std::ldexp(1.0, rows.constant_shift));
}

TEST(tables, scores_of_trees_and_grids_of_many_axes) {
  sample s(3000, 3, 10, 6, additive, 0.0);
  const coded_rows rows = s.rows();
  bank product;
  for (std::int32_t a = 0; a < 3; ++a) {
    product.axes.push_back({a, {}});
    for (std::int32_t c = 0; c < 13; ++c)
      product.axes.back().offsets.push_back(c / 5 * (a == 0 ? 1 : a == 1 ? 3 : 9));
  }
  for (std::int32_t c = 0; c < 27; ++c) product.constants.push_back(c * c);
  bank tree;
  tree.nodes = {{1, 4, 1, -1}, {2, 7, -2, -3}};
  tree.constants = {100, -20, 3};
  const std::vector<std::int64_t> scores = scores_of({product, tree}, rows, three_threads);
  std::uint8_t codes[3];
  for (std::int64_t i = 0; i < rows.n; ++i) {
    for (int a = 0; a < 3; ++a) codes[a] = rows.codes_of(a)[i];
    EXPECT_EQ(scores[static_cast<std::size_t>(i)],
              product.constants[static_cast<std::size_t>(cell_of(product, codes, 3))] +
                  tree.constants[static_cast<std::size_t>(cell_of(tree, codes, 3))]);
  }
}

TEST(tables, a_missing_input_has_a_value_of_its_own) {
  const function truth = [](const double* x) { return 4.0 * x[0]; };
  sample s(5000, 2, 50, 7, truth, 0.1);
  for (std::int64_t i = 0; i < s.n; i += 10) s.y[static_cast<std::size_t>(i)] = 9.0;
  coded_rows rows = s.rows();
  for (std::size_t i = 0; i < static_cast<std::size_t>(s.n); i += 10) rows.codes[i] = 50;  // NaN
  const table_sum sum = learn_tables(rows, {}, 2, one_thread);
  const bank* table = table_of(sum, 0);
  ASSERT_NE(table, nullptr);
  const auto answer = [&](std::size_t code) {
    return std::ldexp(static_cast<double>(sum.base + table->constants[code]),
                      rows.exponent + rows.constant_shift);
  };
  EXPECT_NEAR(answer(50), 9.0, 0.2);
  EXPECT_NEAR(answer(49), 3.96, 0.2);
  EXPECT_NEAR(answer(0), 0.04, 0.2);
}

TEST(tables, codes_without_rows_are_interpolated) {
  const function truth = [](const double* x) { return 4.0 * x[0]; };
  sample s(5000, 1, 50, 8, truth, 0.1);
  for (std::int64_t i = 0; i < s.n; ++i) {
    double& x = s.input(0, i);
    if (x < 0.4 || x >= 0.6) continue;
    s.y[static_cast<std::size_t>(i)] += 4.0 * ((x < 0.5 ? 0.39 : 0.61) - x);
    x = x < 0.5 ? 0.39 : 0.61;
  }
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 1, one_thread);
  const bank* table = table_of(sum, 0);
  ASSERT_NE(table, nullptr);
  for (std::size_t code = 20; code < 30; ++code) {
    const double answer = std::ldexp(static_cast<double>(sum.base + table->constants[code]),
                                     rows.exponent + rows.constant_shift);
    EXPECT_NEAR(answer, 0.08 * (static_cast<double>(code) + 0.5), 0.25) << code;
  }
}

TEST(tables, equal_and_collinear_inputs_break_nothing) {
  const function truth = [](const double* x) { return 3.0 * x[0]; };
  sample s(5000, 4, 100, 9, truth, 0.3);
  for (std::int64_t i = 0; i < s.n; ++i) {
    s.input(1, i) = s.input(0, i);
    s.input(2, i) = 0.999 - 0.99 * s.input(0, i);
  }
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 4, one_thread);
  EXPECT_LT(error_of(sum, rows, s, truth), 2e-3);
  expect_equal(learn_tables(reordered(rows, 1), {}, 4, three_threads), sum);
}

TEST(tables, constant_targets_and_few_rows) {
  const function constant = [](const double*) { return -7.25; };
  for (const std::int64_t n : {1, 2, 3, 10, 1000}) {
    sample s(n, 20, 30, 10, constant, 0.0);
    const coded_rows rows = s.rows();
    const table_sum sum = learn_tables(rows, {}, 20, one_thread);
    EXPECT_TRUE(sum.banks.empty());
    EXPECT_EQ(error_of(sum, rows, s, constant), 0.0) << n;
  }
  // Fewer rows than inputs.
  for (const std::int64_t n : {2, 5, 12}) {
    sample s(n, 20, 30, 11, additive, 0.1);
    const coded_rows rows = s.rows();
    const table_sum sum = learn_tables(rows, {}, 20, one_thread);
    for (const std::int64_t value : residuals_of(sum, rows, one_thread))
      EXPECT_LE(std::abs(value), std::int64_t{1} << 61);
  }
  coded_rows none;
  none.num_slots = {13, 13};
  const table_sum sum = learn_tables(none, {}, 2, one_thread);
  EXPECT_EQ(sum.base, 0);
  EXPECT_TRUE(sum.banks.empty());
  sample s(50, 0, 30, 12, constant, 1.0);
  EXPECT_TRUE(learn_tables(s.rows(), {}, 2, one_thread).banks.empty());
}

TEST(tables, codes_that_few_rows_have) {
  // All rows but a few have the same code, at one end of each axis.
  const function truth = [](const double* x) { return x[0] > 0.999 ? 50.0 : x[1]; };
  sample s(4000, 3, 253, 15, truth, 0.1);
  for (double& value : s.x) value = value < 0.995 ? 0.001 : value;
  for (std::int64_t i = 0; i < s.n; ++i) s.y[static_cast<std::size_t>(i)] *= 1e150;
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 3, one_thread);
  double squares = 0.0;
  double rest = 0.0;
  const std::vector<std::int64_t> left = residuals_of(sum, rows, one_thread);
  for (std::size_t i = 0; i < left.size(); ++i) {
    squares += std::pow(static_cast<double>(rows.y[i]), 2);
    rest += std::pow(static_cast<double>(left[i]), 2);
  }
  EXPECT_LT(rest, squares);
}

TEST(tables, many_axes) {
  // More than are fitted together; the last ones matter.
  const function truth = [](const double* x) { return 2.0 * x[58] + x[59] * x[59]; };
  sample s(3000, 60, 12, 13, truth, 0.2);
  const coded_rows rows = s.rows();
  const table_sum sum = learn_tables(rows, {}, 3, three_threads);
  EXPECT_LT(error_of(sum, rows, s, truth), 8e-3);
  expect_equal(learn_tables(reordered(rows, 1), {}, 3, one_thread), sum);
}

TEST(coded_rows, units_suit_targets_of_any_size) {
  for (const double scale : {1.0, 1e300, 1e-300, 5e-324, 1e-310}) {
    std::vector<double> y;
    for (int i = 0; i < 1000; ++i) y.push_back(scale * ((i * 37) % 11 - 5));
    std::vector<std::uint8_t> codes(1000, 0);
    const coded_rows rows =
        rows_of(y.data(), {}, 1000, {4}, codes, std::vector<std::uint64_t>(1000));
    double most = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double back = std::ldexp(static_cast<double>(rows.y[i]), rows.exponent);
      EXPECT_NEAR(back / scale, y[i] / scale, 1e-11);
      most = std::max(most, std::abs(static_cast<double>(rows.y[i])));
      squares += std::pow(static_cast<double>(rows.y[i]), 2);
    }
    EXPECT_LT(most * 1000.0, 0x1p62);
    const double deviation = std::sqrt(squares / 1000.0);
    EXPECT_NEAR(std::log2(deviation) - rows.constant_shift, 20.5, 1.0);
  }
}

TEST(coded_rows, equal_targets_and_zeros) {
  const std::vector<double> zeros(10, 0.0);
  const coded_rows none =
      rows_of(zeros.data(), {}, 10, {}, {}, std::vector<std::uint64_t>(zeros.size()));
  EXPECT_EQ(none.constant_shift, 0);
  EXPECT_EQ(none.y, std::vector<std::int64_t>(10, 0));
  const std::vector<double> equal(10, 0.1);
  const coded_rows rows =
      rows_of(equal.data(), {}, 10, {}, {}, std::vector<std::uint64_t>(equal.size()));
  EXPECT_EQ(rows.constant_shift, 0);
  for (const std::int64_t y : rows.y)
    EXPECT_EQ(std::ldexp(static_cast<double>(y), rows.exponent), 0.1);
  EXPECT_EQ(rows_of(nullptr, {}, 0, {4}, {}, {}).n, 0);
}

TEST(coded_rows, parts_follow_the_values_of_a_row) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> x = {0.0, -0.0, nan, -nan, 1.0};
  std::vector<std::uint64_t> hashes(5, 0);
  hash_inputs(x.data(), 5, hashes.data());
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[2], hashes[3]);
  EXPECT_NE(hashes[0], hashes[2]);
  EXPECT_NE(hashes[0], hashes[4]);
  // Inputs have places.
  std::vector<std::uint64_t> one(1, 0), other(1, 0);
  hash_inputs(&x[0], 1, one.data());
  hash_inputs(&x[4], 1, one.data());
  hash_inputs(&x[4], 1, other.data());
  hash_inputs(&x[0], 1, other.data());
  EXPECT_NE(one[0], other[0]);
  // Parts are about even, and -0.0 is 0.0 among targets too.
  sample s(10000, 3, 5, 14, additive, 1.0);
  s.y[0] = 0.0;
  std::vector<std::int64_t> counts(coded_rows::num_parts, 0);
  const coded_rows rows = s.rows();
  for (const std::uint8_t part : rows.part) ++counts[part];
  for (const std::int64_t count : counts) EXPECT_NEAR(static_cast<double>(count), 2000.0, 200.0);
  s.y[0] = -0.0;
  EXPECT_EQ(s.rows().part, rows.part);
}

}  // namespace
}  // namespace zcmoe::detail
