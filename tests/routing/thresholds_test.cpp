// Thresholds and roots (host/routing/): rank equals the slot of a naive scan, buckets are
// monotone, and the choice of a root follows its cost model.
#include "host/routing/monotone_root.hpp"
#include "host/routing/slots.hpp"
#include "host/routing/thresholds.hpp"
#include "tests/routing/hostile_edges.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace zcmoe::detail;
using namespace zcmoe::test;

TEST(thresholds_test, slots_beside_the_segments_are_those_that_a_view_answers) {
  for (const std::int64_t m : {1, 2, 7}) {
    std::vector<double> edges;
    for (std::int64_t i = 0; i <= m; ++i) edges.push_back(static_cast<double>(i));
    const zcmoe::model_view view = view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_SEGMENTS);
    EXPECT_EQ(view.slot_of(std::numeric_limits<double>::quiet_NaN()), m);
    EXPECT_EQ(view.slot_of(-0.5), m + 1);
    EXPECT_EQ(view.slot_of(static_cast<double>(m) + 0.5), m + 2);
    EXPECT_EQ(zcmoe::num_slots_of(m), m + 3);
    EXPECT_EQ(num_segments_of(m + 3), m);
  }
}

template <class T>
void expect_exact(const std::vector<double>& edges, const std::string& kind,
                  std::mt19937_64& random) {
  const std::vector<T> inputs = inputs_for<T>(edges, random);
  for (const int side : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
    for (const int outer : {0, 1}) {
      for (const int policy : {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_SEGMENTS}) {
        const zcmoe::model_view view = view_of(edges, side, outer, policy);
        const threshold_list<T> list = thresholds_of<T>(view);
        ASSERT_TRUE(std::is_sorted(list.thresholds.begin(), list.thresholds.end()));
        for (const T x : inputs) {
          const auto rank = static_cast<std::size_t>(
              std::upper_bound(list.thresholds.begin(), list.thresholds.end(), x) -
              list.thresholds.begin());
          ASSERT_EQ(list.slot_of_rank[rank], view.slot_of(static_cast<double>(x)))
              << kind << " m=" << view.num_segments << " x=" << x << " side=" << side
              << " outer=" << outer << " policy=" << policy;
        }
        for (const root_kind form : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
          const auto m = static_cast<std::int64_t>(list.thresholds.size());
          for (const std::int64_t buckets : {std::int64_t{1}, m, 4 * m}) {
            const root<T> made = make_root(form, list.thresholds, buckets);
            ASSERT_LE(made.num_buckets, std::max<std::int64_t>(buckets, 1) + 32);
            const auto bucket_of = [&](T x) { return made.bucket_of(x); };
            const auto starts = bucket_starts(list.thresholds, made.num_buckets, bucket_of);
            for (const T x : inputs) {
              const std::int64_t bucket = made.bucket_of(x);
              ASSERT_GE(bucket, 0)
                  << kind << " m=" << m << " x=" << x << " form=" << static_cast<int>(form);
              ASSERT_LT(bucket, made.num_buckets);
              const std::size_t begin = starts[static_cast<std::size_t>(bucket)];
              const std::size_t end = starts[static_cast<std::size_t>(bucket) + 1];
              if (begin > 0) {
                ASSERT_LE(list.thresholds[begin - 1], x) << kind;
              }
              if (end < list.thresholds.size()) {
                ASSERT_GT(list.thresholds[end], x) << kind;
              }
            }
          }
        }
      }
    }
  }
}

TEST(thresholds_test, AnyRootIsExactForAnyEdges) {
  std::mt19937_64 random(7);
  for (const std::string& kind : kinds) {
    for (const std::int64_t m : {1, 2, 3, 17, 64, 1000}) {
      const std::vector<double> edges = edges_of(kind, m, random);
      expect_exact<float>(edges, kind, random);
      expect_exact<double>(edges, kind, random);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(thresholds_test, EdgesThatFloatCannotTellApartShareAThreshold) {
  std::mt19937_64 random(1);
  const std::vector<double> edges = edges_of("one ulp apart", 1000, random);
  const zcmoe::model_view view = view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP);
  const threshold_list<float> list = thresholds_of<float>(view);
  EXPECT_LE(list.thresholds.size(), 2u);
  EXPECT_EQ(list.slot_of_rank.back(), 999);
  EXPECT_FALSE(list.slots_are_ranks);
}

/// Costs like those of the CPU engine: a crowded bucket is dear.
constexpr root_costs costs{{0.2, 0.3, 0.5}, 8.0, 1.0, std::size_t{1} << 20, 16};

double cost_of(const root<float>& made, const std::vector<float>& thresholds) {
  const auto starts =
      bucket_starts(thresholds, made.num_buckets, [&](float x) { return made.bucket_of(x); });
  double crowded = 0;
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    if (starts[b + 1] - starts[b] < 2) continue;
    crowded += starts[b + 1] - starts[b];
    const double quarter = 0.25 * static_cast<double>(thresholds.size());
    crowded += (b == 0 ? quarter : 0.0) + (b + 2 == starts.size() ? quarter : 0.0);
  }
  const double bytes = static_cast<double>(made.num_buckets) * 16;
  return costs.root[static_cast<int>(made.kind)] +
         costs.crowded * crowded / static_cast<double>(thresholds.size()) +
         costs.uncached * std::min(1.0, bytes / (1 << 20));
}

TEST(thresholds_test, TheChosenRootIsTheCheapestOfItsCandidates) {
  std::mt19937_64 random(3);
  for (const std::string& kind : kinds) {
    const std::vector<double> edges = edges_of(kind, 1024, random);
    const auto thresholds =
        thresholds_of<float>(view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP)).thresholds;
    if (thresholds.empty()) continue;
    const root<float> chosen = choose_root(thresholds, costs, std::int64_t{1} << 26);
    const auto m = static_cast<std::int64_t>(thresholds.size());
    EXPECT_LE(chosen.num_buckets, 8 * m + 32) << kind;
    for (const root_kind form : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
      EXPECT_LE(cost_of(chosen, thresholds), cost_of(make_root(form, thresholds, m), thresholds))
          << kind;
    }
  }
}

TEST(thresholds_test, KindsFitTheirEdges) {
  std::mt19937_64 random(3);
  const auto kind_for = [&](const std::string& kind) {
    const std::vector<double> edges = edges_of(kind, 1024, random);
    return choose_root(thresholds_of<float>(view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP))
                           .thresholds,
                       costs, std::int64_t{1} << 26)
        .kind;
  };
  EXPECT_EQ(kind_for("uniform"), root_kind::uniform);
  EXPECT_EQ(kind_for("one giant"), root_kind::uniform);  // the giant's edge is no interior one
  EXPECT_EQ(kind_for("geometric"), root_kind::pieces);
}

}  // namespace
