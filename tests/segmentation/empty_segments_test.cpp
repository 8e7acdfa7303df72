// What a segment without rows predicts, against scans written out here.
#include "host/segmentation/empty_segments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace zcmoe::detail {
namespace {

struct random_table {
  std::vector<double> edges{0.0};
  std::vector<std::int64_t> counts;
  std::vector<double> weights;
  std::vector<double> means;

  random_table(std::mt19937_64& random, std::size_t m) {
    for (std::size_t i = 0; i < m; ++i) {
      edges.push_back(edges.back() + static_cast<double>(1 + random() % 3));
      counts.push_back(random() % 3 == 0 ? static_cast<std::int64_t>(random() % 4) : 0);
      weights.push_back(static_cast<double>(counts.back() * static_cast<std::int64_t>(i % 5 + 1)));
      means.push_back(static_cast<double>(random() % 1000));
    }
  }
  segment_rows rows() const {
    return {edges.data(), counts.data(), weights.data(), means.data(), counts.size()};
  }
};

zcmoe_model_options with(std::int32_t policy) {
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.empty_policy = policy;
  options.empty_value = -7.0;
  return options;
}

double naive_nearest(const random_table& t, std::size_t i) {
  const double centre = (t.edges[i] + t.edges[i + 1]) / 2;
  double least = std::numeric_limits<double>::infinity();
  double answer = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t j = 0; j < t.counts.size(); ++j) {
    if (j == i || t.counts[j] == 0) continue;
    const double distance = j < i ? centre - t.edges[j + 1] : t.edges[j] - centre;
    // Of the segments on the left the last is the nearest. One on the right must be nearer than it.
    if (distance < least || (j < i && distance <= least)) {
      least = distance;
      answer = t.means[j];
    }
  }
  return answer;
}

double naive_parent(const random_table& t, std::size_t i) {
  const std::size_t m = t.counts.size();
  for (std::size_t size = 2;; size *= 2) {
    double weight = 0.0;
    double moment = 0.0;
    for (std::size_t j = i / size * size; j < std::min(m, i / size * size + size); ++j) {
      if (j == i || t.counts[j] == 0) continue;
      weight += t.weights[j];
      moment += t.weights[j] * t.means[j];
    }
    if (weight > 0 || size >= m) return moment / weight;
  }
}

void expect_same(double a, double b) {
  if (std::isnan(b)) {
    EXPECT_TRUE(std::isnan(a)) << a;
  } else {
    EXPECT_NEAR(a, b, 1e-12 * std::abs(b));
  }
}

TEST(empty_segments, are_answered_as_the_policies_say) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    const random_table t(random, 1 + random() % 40);
    empty_segment_constants nearest(t.rows(), with(ZCMOE_EMPTY_NEAREST));
    empty_segment_constants parent(t.rows(), with(ZCMOE_EMPTY_PARENT));
    empty_segment_constants mean(t.rows(), with(ZCMOE_EMPTY_GLOBAL_MEAN));
    empty_segment_constants value(t.rows(), with(ZCMOE_EMPTY_VALUE));
    empty_segment_constants nan(t.rows(), with(ZCMOE_EMPTY_NAN));
    for (std::size_t i = 0; i < t.counts.size(); ++i) {
      if (t.counts[i] > 1) continue;  // a single row is left out
      expect_same(nearest.of(i, 5.0), naive_nearest(t, i));
      expect_same(parent.of(i, 5.0), naive_parent(t, i));
      EXPECT_EQ(mean.of(i, 5.0), 5.0);
      EXPECT_EQ(value.of(i, 5.0), -7.0);
      EXPECT_TRUE(std::isnan(nan.of(i, 5.0)));
    }
  }
}

TEST(empty_segments, ask_the_blocks_beside_theirs) {
  using testing::ElementsAre;
  using testing::Pair;
  std::vector<std::pair<std::size_t, std::size_t>> asked;
  stand_ins::block_by_block(5, 7, [&](std::size_t level, std::size_t block) {
    asked.emplace_back(block << level, std::min<std::size_t>(7, (block + 1) << level));
    return true;
  });
  EXPECT_THAT(asked, ElementsAre(Pair(4, 5), Pair(6, 7), Pair(0, 4)));
}

TEST(empty_segments, of_a_large_table_are_filled_without_a_scan_each) {
  // One row in a million segments: a scan of the block for each of them would take 10^12 steps.
  constexpr std::size_t m = std::size_t{1} << 20;
  std::vector<double> edges(m + 1);
  for (std::size_t i = 0; i <= m; ++i) edges[i] = static_cast<double>(i);
  std::vector<std::int64_t> counts(m, 0);
  std::vector<double> means(m, std::numeric_limits<double>::quiet_NaN());
  counts[m / 3] = 1;
  means[m / 3] = 4.0;
  for (const std::int32_t policy : {ZCMOE_EMPTY_NEAREST, ZCMOE_EMPTY_PARENT}) {
    empty_segment_constants filled({edges.data(), counts.data(), nullptr, means.data(), m},
                                   with(policy));
    for (std::size_t i = 0; i < m; ++i) {
      if (counts[i] == 0) {
        ASSERT_EQ(filled.of(i, 0.0), 4.0);
      }
    }
  }
}

}  // namespace
}  // namespace zcmoe::detail
