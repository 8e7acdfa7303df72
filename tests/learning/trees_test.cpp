// Trees on codes: what they find, and that nothing but the rows decides.
#include "host/learning/trees.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
run_parts threads(std::int64_t num_threads) {
  return [num_threads](std::int64_t parts, const std::function<void(std::int64_t)>& body) {
    std::vector<std::thread> running;
    for (std::int64_t t = 0; t < num_threads; ++t) {
      running.emplace_back([&, t] {
        for (std::int64_t part = t; part < parts; part += num_threads) body(part);
      });
    }
    for (std::thread& t : running) t.join();
  };
}

using target_of = std::function<std::int64_t(const std::vector<int>& codes)>;

/// Rows on axes of as many segments as are given, uniform.
coded_rows rows_on(const std::vector<int>& segments, std::int64_t n, const target_of& target,
                   unsigned seed) {
  std::mt19937 random(seed);
  coded_rows rows;
  rows.n = n;
  rows.constant_shift = 4;
  for (const int m : segments) rows.num_slots.push_back(m + 3);
  rows.codes.resize(segments.size() * static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<int> codes;
    for (std::size_t a = 0; a < segments.size(); ++a) {
      codes.push_back(static_cast<int>(random() % static_cast<unsigned>(segments[a])));
      rows.codes[a * static_cast<std::size_t>(n) + static_cast<std::size_t>(i)] =
          static_cast<std::uint8_t>(codes.back());
    }
    rows.y.push_back(target(codes));
    rows.part.push_back(static_cast<std::uint8_t>(random() % 5));
  }
  return rows;
}

coded_rows shuffled(const coded_rows& rows, unsigned seed) {
  std::vector<std::size_t> order(static_cast<std::size_t>(rows.n));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  coded_rows to = rows;
  for (std::size_t i = 0; i < order.size(); ++i) {
    to.y[i] = rows.y[order[i]];
    to.part[i] = rows.part[order[i]];
    for (std::size_t a = 0; a < rows.num_slots.size(); ++a)
      to.codes[a * order.size() + i] = rows.codes[a * order.size() + order[i]];
  }
  return to;
}

std::vector<input_axis> axes_of(const coded_rows& rows) {
  std::vector<input_axis> axes;
  for (int a = 0; a < rows.num_axes(); ++a) {
    axes.push_back({a, {}, ZCMOE_CLOSED_LEFT, 1, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP});
    axes.back().edges.resize(static_cast<std::size_t>(rows.num_slots[static_cast<std::size_t>(a)]) -
                             2);
    std::iota(axes.back().edges.begin(), axes.back().edges.end(), 0.0);
  }
  return axes;
}

std::int32_t answer(const bank& tree, const coded_rows& rows, std::int64_t i) {
  std::vector<std::uint8_t> codes;
  for (int a = 0; a < rows.num_axes(); ++a) codes.push_back(rows.codes_of(a)[i]);
  return tree.constants[static_cast<std::size_t>(cell_of(tree, codes.data(), rows.num_axes()))];
}

bool same(const bank& a, const bank& b) {
  const auto equal = [](const zcmoe_tree_node& p, const zcmoe_tree_node& q) {
    return p.feature == q.feature && p.threshold == q.threshold && p.left == q.left &&
           p.right == q.right;
  };
  return a.constants == b.constants &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), b.nodes.end(), equal);
}

/// A tree is walked from the root once to each node and leaf, nodes lying after their parents.
void expect_whole(const bank& tree, const coded_rows& rows) {
  if (tree.nodes.empty()) {
    EXPECT_EQ(tree.constants.size(), 1u);
    return;
  }
  EXPECT_EQ(tree.constants.size(), tree.nodes.size() + 1);
  std::vector<int> nodes(tree.nodes.size(), 0);
  std::vector<int> leaves(tree.constants.size(), 0);
  nodes[0] = 1;
  for (std::size_t k = 0; k < tree.nodes.size(); ++k) {
    const zcmoe_tree_node& node = tree.nodes[k];
    ASSERT_GE(node.feature, 0);
    ASSERT_LT(node.feature, rows.num_axes());
    ASSERT_GT(node.threshold, 0);
    ASSERT_LT(node.threshold, rows.num_slots[static_cast<std::size_t>(node.feature)]);
    for (const std::int32_t child : {node.left, node.right}) {
      if (child < 0) {
        ++leaves.at(static_cast<std::size_t>(~child));
      } else {
        ASSERT_GT(static_cast<std::size_t>(child), k);
        ++nodes.at(static_cast<std::size_t>(child));
      }
    }
  }
  for (const int times : nodes) EXPECT_EQ(times, 1);
  for (const int times : leaves) EXPECT_EQ(times, 1);
}

tree_options exact(std::int64_t max_leaves) {
  tree_options options{max_leaves};
  options.min_rows = 1;
  return options;
}

TEST(trees, a_known_tree_is_recovered) {
  const auto known = [](const std::vector<int>& c) {
    if (c[1] < 40) return c[0] < 10 ? 16000 : -32000;
    return c[2] < 99 ? 48000 : c[0] < 70 ? 8000 : 80000;
  };
  const coded_rows rows = rows_on({100, 100, 120}, 20000, known, 1);
  const bank tree = learn_tree(rows, {}, rows.y, exact(100), one_thread);
  expect_whole(tree, rows);
  EXPECT_EQ(tree.constants, (std::vector<std::int32_t>{1000, -2000, 3000, 500, 5000}));
  for (std::int64_t i = 0; i < rows.n; ++i)
    ASSERT_EQ(answer(tree, rows, i) * 16, rows.y[static_cast<std::size_t>(i)]);
}

TEST(trees, noise_is_not_cut_where_a_leaf_has_its_price) {
  std::mt19937 random(2);
  std::normal_distribution<> normal(0.0, 1e6);
  const auto noisy = [&](const std::vector<int>& c) {
    return std::llround(normal(random)) + (c[0] < 30 ? 0 : 3000000);
  };
  const coded_rows rows = rows_on({64, 64}, 20000, noisy, 3);
  tree_options options{1000};
  options.penalty = 20.0;
  const bank tree = learn_tree(rows, {}, rows.y, options, one_thread);
  ASSERT_EQ(tree.nodes.size(), 1u);
  EXPECT_EQ(tree.nodes[0].feature, 0);
  EXPECT_EQ(tree.nodes[0].threshold, 30);
  options.penalty = 0.0;
  EXPECT_GT(learn_tree(rows, {}, rows.y, options, one_thread).constants.size(), 100u);
}

TEST(trees, pruning_keeps_a_cut_that_helps_by_those_below_it) {
  // Neither axis says anything alone.
  const auto parity = [](const std::vector<int>& c) {
    return (c[0] < 8) == (c[1] < 8) ? 100000 : -100000;
  };
  std::mt19937 random(4);
  const auto noisy = [&](const std::vector<int>& c) {
    return parity(c) + static_cast<int>(random() % 20001) - 10000;
  };
  const coded_rows rows = rows_on({16, 16}, 20000, noisy, 5);
  tree_options options{64};
  options.penalty = 15.0;
  const bank tree = learn_tree(rows, {}, rows.y, options, one_thread);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < rows.n; ++i)
    wrong += std::abs(answer(tree, rows, i) * 16 - rows.y[static_cast<std::size_t>(i)]) > 20000;
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(tree.constants.size(), 8u);
}

TEST(trees, ties_go_to_the_first_axis_and_the_middle_of_codes_without_rows) {
  coded_rows rows = rows_on(
      {50, 50}, 1000, [](const std::vector<int>&) { return 0; }, 6);
  for (std::size_t i = 0; i < 1000; ++i) {
    const bool high = i % 2 == 0;
    rows.codes[i] = rows.codes[1000 + i] = high ? 30 : 20;
    rows.y[i] = high ? 1600 : -1600;
  }
  const bank tree = learn_tree(rows, {}, rows.y, exact(10), one_thread);
  ASSERT_EQ(tree.nodes.size(), 1u);
  EXPECT_EQ(tree.nodes[0].feature, 0);
  EXPECT_EQ(tree.nodes[0].threshold, 25);
  EXPECT_EQ(tree.constants, (std::vector<std::int32_t>{-100, 100}));
}

TEST(trees, leaves_are_as_many_and_as_large_as_asked_for) {
  std::mt19937 random(7);
  const coded_rows rows = rows_on(
      {200, 50, 3}, 5000,
      [&](const std::vector<int>& c) {
        return c[0] * c[1] * 1000 + static_cast<int>(random() % 9999);
      },
      8);
  for (const std::int64_t leaves : {1, 2, 3, 17, 100}) {
    tree_options options{leaves};
    options.min_rows = 13;
    const bank tree = learn_tree(rows, {}, rows.y, options, one_thread);
    expect_whole(tree, rows);
    EXPECT_EQ(static_cast<std::int64_t>(tree.constants.size()), leaves);
    std::vector<std::int64_t> counts(tree.constants.size(), 0);
    const bank leaf_numbers = numbered(tree);
    for (std::int64_t i = 0; i < rows.n; ++i)
      ++counts[static_cast<std::size_t>(answer(leaf_numbers, rows, i))];
    for (const std::int64_t count : counts) EXPECT_GE(count, 13);
  }
}

TEST(trees, constants_are_means_of_the_rows_that_are_chosen) {
  std::mt19937 random(9);
  const coded_rows rows = rows_on(
      {30, 30}, 3000,
      [&](const std::vector<int>& c) {
        return c[0] * 4000 + 1000000 + static_cast<int>(random() % 999);
      },
      10);
  const row_choice train = {2, false};
  const bank tree = learn_tree(rows, train, rows.y, tree_options{20}, one_thread);
  const bank leaves = numbered(tree);
  std::vector<double> sums(tree.constants.size(), 0.0), counts(tree.constants.size(), 0.0);
  for (std::int64_t i = 0; i < rows.n; ++i) {
    if (!train.takes(rows.part[static_cast<std::size_t>(i)])) continue;
    const auto leaf = static_cast<std::size_t>(answer(leaves, rows, i));
    sums[leaf] += static_cast<double>(rows.y[static_cast<std::size_t>(i)]);
    ++counts[leaf];
  }
  tree_options half{20};
  half.step = 0.5;
  const bank halved = learn_tree(rows, train, rows.y, half, one_thread);
  for (std::size_t leaf = 0; leaf < sums.size(); ++leaf) {
    EXPECT_NEAR(tree.constants[leaf], sums[leaf] / counts[leaf] / 16.0, 0.5001);
    EXPECT_NEAR(halved.constants[leaf], sums[leaf] / counts[leaf] / 32.0, 0.5001);
  }
}

TEST(trees, shrinkage_weighs_the_effect_of_each_cut) {
  coded_rows rows = rows_on(
      {10}, 400, [](const std::vector<int>&) { return 0; }, 11);
  for (std::size_t i = 0; i < 400; ++i) {
    rows.codes[i] = static_cast<std::uint8_t>(i % 4);
    rows.y[i] = 16 * std::vector<std::int64_t>{0, 400, 2000, 2000}[i % 4];
  }
  tree_options options = exact(3);
  options.shrinkage = 100.0;
  // The mean is 1100; the root's 400 rows weigh 4/5, the 200 rows below 2/3.
  const bank tree = learn_tree(rows, {}, rows.y, options, one_thread);
  EXPECT_EQ(tree.constants, (std::vector<std::int32_t>{380 - 133, 380 + 133, 1820}));
}

TEST(trees, same_bits_for_any_order_of_rows_parts_and_threads) {
  std::mt19937 random(12);
  const auto noisy = [&](const std::vector<int>& c) {
    return static_cast<std::int64_t>(1e6 * std::sin(c[0] * 0.05) * c[1]) + c[3] * 777777 +
           static_cast<std::int64_t>(random() % 30000000);
  };
  // Enough rows that they, too, are shared out.
  const coded_rows rows = rows_on({128, 100, 253, 2}, 40000, noisy, 13);
  const coded_rows other = shuffled(rows, 14);
  const row_choice train = {0, false};
  std::vector<std::int64_t> left = rows.y;
  const tree_plan plan = judge_trees(rows, train, 2, left, one_thread);
  ASSERT_EQ(plan.trees.size(), 2u);
  std::vector<std::int64_t> expected_left = rows.y;
  const std::vector<bank> expected = learn_trees(rows, {}, plan, expected_left, one_thread);
  for (const run_parts& run : {threads(2), threads(7), backwards}) {
    left = other.y;
    const tree_plan again = judge_trees(other, train, 2, left, run);
    ASSERT_EQ(again.trees.size(), plan.trees.size());
    for (std::size_t t = 0; t < plan.trees.size(); ++t) {
      EXPECT_EQ(again.trees[t].max_leaves, plan.trees[t].max_leaves);
      EXPECT_EQ(again.trees[t].shrinkage, plan.trees[t].shrinkage);
    }
    left = other.y;
    const std::vector<bank> trees = learn_trees(other, {}, again, left, run);
    for (std::size_t t = 0; t < trees.size(); ++t) {
      expect_whole(trees[t], other);
      EXPECT_TRUE(same(trees[t], expected[t])) << t;
    }
    // What is left is what the answers leave.
    for (std::int64_t i = 0; i < other.n; i += 997) {
      std::int64_t sum = 0;
      for (const bank& tree : trees) sum += answer(tree, other, i);
      EXPECT_EQ(left[static_cast<std::size_t>(i)], other.y[static_cast<std::size_t>(i)] - 16 * sum);
    }
  }
}

TEST(trees, more_trees_lessen_the_error_on_other_rows) {
  std::mt19937 random(15);
  std::normal_distribution<> normal(0.0, 3e5);
  const auto truth = [](const std::vector<int>& c) {
    return std::llround(2e4 * c[0] + 1e6 * std::sin(c[1] * 0.1) + 300.0 * c[2] * c[0]);
  };
  const target_of noisy = [&](const std::vector<int>& c) {
    return truth(c) + std::llround(normal(random));
  };
  const coded_rows rows = rows_on({64, 64, 64}, 30000, noisy, 16);
  const coded_rows fresh = rows_on({64, 64, 64}, 10000, truth, 17);
  double last = 1e300;
  for (int num_trees = 0; num_trees <= 3; ++num_trees) {
    std::vector<std::int64_t> left = rows.y;
    const tree_plan plan = judge_trees(rows, {0, false}, num_trees, left, one_thread);
    left = rows.y;
    const std::vector<bank> trees = learn_trees(rows, {}, plan, left, one_thread);
    double error = 0.0;
    for (std::int64_t i = 0; i < fresh.n; ++i) {
      double distance = static_cast<double>(fresh.y[static_cast<std::size_t>(i)]);
      for (const bank& tree : trees) distance -= 16.0 * answer(tree, fresh, i);
      error += distance * distance;
    }
    EXPECT_LT(error, last) << num_trees;
    last = error;
  }
}

TEST(trees, a_plan_makes_the_trees_that_were_judged) {
  std::mt19937 random(31);
  const auto noisy = [&](const std::vector<int>& c) {
    return 1000 * c[0] * c[1] + 30000 * c[2] + static_cast<int>(random() % 2000000);
  };
  const coded_rows rows = rows_on({40, 40, 40}, 8000, noisy, 32);
  const row_choice train = {3, false};
  for (int max_trees = 1; max_trees <= 4; ++max_trees) {
    std::vector<std::int64_t> judged = rows.y;
    const tree_plan plan = judge_trees(rows, train, max_trees, judged, one_thread);
    ASSERT_FALSE(plan.trees.empty());
    EXPECT_EQ(plan.trees.back().step, 1.0);
    std::vector<std::int64_t> left = rows.y;
    learn_trees(rows, train, plan, left, one_thread);
    EXPECT_EQ(left, judged) << max_trees;
  }
  // One that stands alone has the leaves that other rows ask for.
  const auto error_of = [&](const tree_options& options) {
    const bank tree = learn_tree(rows, train, rows.y, options, one_thread);
    double error = 0.0;
    for (std::int64_t i = 0; i < rows.n; ++i) {
      if (train.takes(rows.part[static_cast<std::size_t>(i)])) continue;
      const double d =
          static_cast<double>(rows.y[static_cast<std::size_t>(i)]) - 16.0 * answer(tree, rows, i);
      error += d * d;
    }
    return error;
  };
  const tree_options alone = judge_tree(rows, train, 2000, rows.y, one_thread);
  EXPECT_GT(alone.max_leaves, 10);
  EXPECT_LT(alone.max_leaves, 1000);
  for (const std::int64_t leaves : {alone.max_leaves / 3, alone.max_leaves * 3}) {
    tree_options other = alone;
    other.max_leaves = leaves;
    EXPECT_LT(error_of(alone), error_of(other) * 1.0011) << leaves;
  }
}

TEST(trees, no_tree_is_taken_from_noise) {
  std::mt19937 random(18);
  const coded_rows rows = rows_on(
      {64, 64}, 20000,
      [&](const std::vector<int>&) { return static_cast<int>(random() % 2000001) - 1000000; }, 19);
  std::vector<std::int64_t> left = rows.y;
  const tree_plan plan = judge_trees(rows, {0, false}, 4, left, one_thread);
  for (const tree_options& tree : plan.trees) EXPECT_LE(tree.max_leaves, 8);
  std::vector<std::int64_t> same_left = rows.y;
  EXPECT_TRUE(judge_trees(rows, {0, false}, 0, same_left, one_thread).trees.empty());
  EXPECT_EQ(same_left, rows.y);
}

TEST(trees, rows_that_cannot_be_cut_make_one_leaf) {
  const auto one = [](const std::vector<int>&) { return 160; };
  const coded_rows constant = rows_on({9, 9}, 500, one, 20);
  const coded_rows no_axes = rows_on({}, 500, one, 21);
  const coded_rows one_row = rows_on({9, 9}, 1, one, 22);
  coded_rows equal_codes = rows_on(
      {9, 9}, 500, [](const std::vector<int>& c) { return 10 * c[0]; }, 23);
  std::fill(equal_codes.codes.begin(), equal_codes.codes.end(), std::uint8_t{11});
  std::fill(equal_codes.y.begin(), equal_codes.y.begin() + 250, 0);
  std::fill(equal_codes.y.begin() + 250, equal_codes.y.end(), 320);
  for (const coded_rows* rows :
       std::initializer_list<const coded_rows*>{&constant, &no_axes, &one_row, &equal_codes}) {
    const bank tree = learn_tree(*rows, {}, rows->y, exact(100), one_thread);
    EXPECT_FALSE(tree.is_tree());
    EXPECT_EQ(tree.constants, std::vector<std::int32_t>{10});
    EXPECT_EQ(numbered(tree).constants, std::vector<std::int32_t>{0});
  }
  const coded_rows none = rows_on({9, 9}, 0, one, 24);
  EXPECT_EQ(learn_tree(none, {}, none.y, exact(100), one_thread).constants,
            std::vector<std::int32_t>{0});
  for (const coded_rows* rows : {&none, &one_row, &constant, &no_axes}) {
    std::vector<std::int64_t> left = rows->y;
    EXPECT_TRUE(judge_trees(*rows, {0, false}, 4, left, one_thread).trees.empty());
    EXPECT_EQ(left, rows->y);
  }
}

TEST(trees, a_staircase_may_be_as_deep_as_there_are_codes) {
  // Each code doubles: the best cut takes one code off, again and again.
  const auto doubling = [](const std::vector<int>& c) { return std::int64_t{1} << (c[0] / 9); };
  const coded_rows rows = rows_on({250}, 20000, doubling, 25);
  const bank tree = learn_tree(rows, {}, rows.y, exact(1000), one_thread);
  expect_whole(tree, rows);
  EXPECT_EQ(tree.constants.size(), 28u);
}

TEST(trees, large_targets_do_not_overflow) {
  const std::int64_t n = 1000;
  const std::int64_t most = (std::int64_t{1} << 62) / n - 1;
  coded_rows rows = rows_on(
      {2}, n, [&](const std::vector<int>& c) { return c[0] == 0 ? -most : most; }, 26);
  rows.constant_shift = 30;
  const bank tree = learn_tree(rows, {}, rows.y, exact(2), one_thread);
  ASSERT_EQ(tree.constants.size(), 2u);
  const double expected = std::ldexp(static_cast<double>(most), -30);
  EXPECT_NEAR(static_cast<double>(tree.constants[0]), -std::min(expected, 2147483647.0), 0.5001);
  EXPECT_NEAR(static_cast<double>(tree.constants[1]), std::min(expected, 2147483647.0), 0.5001);
}

TEST(trees, fit_where_there_is_room_for_a_part) {
  std::mt19937 random(3);
  const coded_rows rows = rows_on(
      {20, 30, 40}, 4000,
      [&](const std::vector<int>& c) {
        return std::int64_t{c[0]} * c[1] + (c[2] > 11 ? 300 : 0) + random() % 8;
      },
      30);
  const std::vector<input_axis> axes = axes_of(rows);
  tree_options options{400};
  options.min_rows = 5;
  const bank whole = learn_tree(rows, {}, rows.y, options, one_thread);
  const model_cost of_whole = cost_of(axes, {whole}, 0, false);
  ASSERT_GT(whole.constants.size(), 300u);
  for (const double share : {1.01, 0.7, 0.4, 0.2}) {
    const model_cost most{share * of_whole.ns, 2 * of_whole.bytes};
    const bank tree = learn_tree(rows, {}, rows.y, options, one_thread, model_room(most, axes));
    expect_whole(tree, rows);
    EXPECT_LE(cost_of(axes, {tree}, 0, false).ns, most.ns);
    EXPECT_EQ(same(tree, whole), share > 1.0);
    const model_cost few{of_whole.ns, static_cast<std::int64_t>(share * 0.9 * 9000)};
    const bank small =
        learn_tree(rows, {}, rows.y, options, one_thread, model_room(few, axes, true));
    const model_cost of_small =
        cost_of(axes, {small}, static_cast<std::int64_t>(small.constants.size()), false);
    EXPECT_LE(of_small.bytes, few.bytes);
    EXPECT_GT(of_small.bytes, few.bytes / 2);
  }
  std::vector<std::int64_t> left = rows.y;
  const model_cost most{0.9 * of_whole.ns, of_whole.bytes};
  const tree_plan plan = judge_trees(rows, {0, false}, 3, left, one_thread, model_room(most, axes));
  EXPECT_FALSE(plan.trees.empty());
  EXPECT_LE(cost_of(axes, plan.banks, 0, false).ns, most.ns);
  left = rows.y;
  EXPECT_LE(
      cost_of(axes, learn_trees(rows, {}, plan, left, one_thread, model_room(most, axes)), 0, false)
          .ns,
      most.ns);
}

}  // namespace
}  // namespace zcmoe::detail
