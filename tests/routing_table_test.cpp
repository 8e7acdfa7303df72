// Thresholds and roots (host/routing_table.hpp): rank equals the slot of a naive scan, buckets are
// monotone, and the choice of a root follows its cost model.
#include "host/routing_table.hpp"
#include "tests/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace zcmoe::detail;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Edges that are hard on a bucketed search.
std::vector<double> edges_of(const std::string& kind, std::int64_t m, std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  std::vector<double> edges;
  const auto count = static_cast<std::size_t>(m) + 1;
  for (std::size_t i = 0; edges.size() < count; ++i) {
    const double u = static_cast<double>(i) / static_cast<double>(m);
    if (kind == "uniform") {
      edges.push_back(u);
    } else if (kind == "random") {
      edges.push_back(unit(random));
    } else if (kind == "one ulp apart") {
      edges.push_back(i == 0 ? 1.0 : std::nextafter(edges.back(), infinity));
    } else if (kind == "one float apart") {
      edges.push_back(i == 0 ? 1.0 : std::nextafterf(static_cast<float>(edges.back()), 2.0f));
    } else if (kind == "geometric") {
      edges.push_back(std::exp2(60.0 * u - 30.0));
    } else if (kind == "huge offset") {
      edges.push_back(1e15 + 8.0 * static_cast<double>(i));
    } else if (kind == "one giant") {
      edges.push_back(i == 0 ? -1e30 : 1e-9 * static_cast<double>(i));
    } else if (kind == "clustered") {
      edges.push_back(i == 0 ? 0.0 : i + 1 == count ? 1.0 : 0.5 + 1e-3 * u);
    } else if (kind == "float limits") {
      const double most = static_cast<double>(std::numeric_limits<float>::max());
      edges.push_back(u < 0.5 ? -most * (1.0 + (0.5 - u)) : most * (0.5 + u));
    } else if (kind == "double limits") {
      const double most = std::numeric_limits<double>::max();
      edges.push_back(u < 0.5 ? -most * (1.0 - u) : most * (0.5 + u / 2));
    } else {  // beyond float
      edges.push_back(-1e300 + 2e300 * u);
    }
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  if (edges.size() == 1) edges.push_back(edges[0] + 1.0);
  return edges;
}

const std::vector<std::string> kinds = {
    "uniform",   "random",    "one ulp apart", "one float apart", "geometric",    "huge offset",
    "one giant", "clustered", "float limits",  "beyond float",    "double limits"};

template <class T>
std::vector<T> inputs_for(const std::vector<double>& edges, std::mt19937_64& random) {
  std::vector<T> inputs = {T{0},
                           -T{0},
                           std::numeric_limits<T>::infinity(),
                           -std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::max(),
                           std::numeric_limits<T>::lowest(),
                           std::numeric_limits<T>::denorm_min()};
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int k = 0; k < 400; ++k) {
    const double edge = edges[random() % edges.size()];
    const T near = static_cast<T>(edge);
    inputs.push_back(near);
    inputs.push_back(std::nextafter(near, std::numeric_limits<T>::infinity()));
    inputs.push_back(std::nextafter(near, -std::numeric_limits<T>::infinity()));
    const double u = unit(random);
    inputs.push_back(static_cast<T>(edges.front() * u + edges.back() * (1 - u)));
  }
  return inputs;
}

zcmoe::model_view view_of(const std::vector<double>& edges, int closed_side, int outer,
                          int range_policy) {
  zcmoe::model_view view{};
  view.edges = edges.data();
  view.num_segments = static_cast<std::int64_t>(edges.size()) - 1;
  view.closed_side = closed_side;
  view.include_outer_edge = outer;
  view.range_policy = range_policy;
  return view;
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

TEST(RoutingTable, AnyRootIsExactForAnyEdges) {
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

TEST(RoutingTable, EdgesThatFloatCannotTellApartShareAThreshold) {
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

TEST(RoutingTable, TheChosenRootIsTheCheapestOfItsCandidates) {
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

TEST(RoutingTable, KindsFitTheirEdges) {
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
