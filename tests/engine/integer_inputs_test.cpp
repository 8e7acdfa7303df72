// 64-bit integers as inputs: compared with float64 edges as the integers they are, on both engines,
// by predict, fit and group. long double holds both sides exactly, so a naive comparison is right.
#include "tests/support.hpp"

#include <limits>
#include <type_traits>

namespace zcmoe::test {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64, "holds every int64 and uint64");

struct policy {
  int closed;
  int outer;
  int range;
};

std::vector<policy> policies() {
  std::vector<policy> all;
  for (const int closed : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
    for (const int outer : {0, 1}) {
      for (const int range :
           {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_VALUE, ZCMOE_RANGE_SEGMENTS}) {
        all.push_back({closed, outer, range});
      }
    }
  }
  return all;
}

struct placed {
  std::int64_t slot;
  bool below;
  bool above;
};

/// By the definition of segments, edge after edge.
placed naive_place(const std::vector<double>& edges, const policy& p, long double x) {
  const auto m = static_cast<std::int64_t>(edges.size()) - 1;
  const bool left = p.closed == ZCMOE_CLOSED_LEFT;
  placed result{};
  result.below = left || p.outer != 0 ? x < edges.front() : x <= edges.front();
  result.above = !left || p.outer != 0 ? x > edges.back() : x >= edges.back();
  for (std::int64_t i = 1; i < m; ++i) {
    const long double edge = edges[static_cast<std::size_t>(i)];
    if (left ? edge <= x : edge < x) result.slot = i;
  }
  if (p.range != ZCMOE_RANGE_CLAMP) {
    if (result.below) result.slot = m + 1;
    if (result.above) result.slot = m + 2;
  }
  return result;
}

class integer_inputs_test : public engine_test {
 protected:
  template <class Integer>
  void expect_exact(const std::vector<double>& edges, const std::vector<Integer>& x) {
    const auto n = static_cast<std::int64_t>(x.size());
    const auto m = static_cast<std::int64_t>(edges.size()) - 1;
    const auto engine_x = on_engine(x);
    const auto engine_y = on_engine(std::vector<float>(x.size(), 1.0f));
    for (const policy& p : policies()) {
      SCOPED_TRACE(testing::Message() << "closed " << p.closed << " outer " << p.outer << " range "
                                      << p.range << " first edge " << edges[0]);
      zcmoe_model_options options = model_options();
      options.closed_side = p.closed;
      options.include_outer_edge = p.outer;
      options.range_policy = p.range;
      options.range_value = -7;
      std::vector<placed> expected;
      zcmoe_report counted{};
      std::vector<std::int64_t> counts(static_cast<std::size_t>(m) + 3);
      for (const Integer v : x) {
        expected.push_back(naive_place(edges, p, static_cast<long double>(v)));
        counted.below_range += expected.back().below ? 1 : 0;
        counted.above_range += expected.back().above ? 1 : 0;
        ++counts[static_cast<std::size_t>(expected.back().slot)];
      }

      std::vector<double> constants;
      for (std::int64_t i = 0; i < m; ++i) constants.push_back(static_cast<double>(i));
      const model table(ctx(), edges, constants, options);
      const auto segments = on_engine(std::vector<std::int64_t>(x.size()));
      const auto report = on_engine(std::vector<zcmoe_report>(1));
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.segments = output(segments.data());
      outputs.report = report.data();
      table.predict(array(engine_x.data()), n, outputs, nullptr);
      const auto found = segments.host();
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool own = expected[i].slot < m || p.range == ZCMOE_RANGE_SEGMENTS;
        ASSERT_EQ(found[i], own ? expected[i].slot : -1) << "x=" << x[i];
      }
      EXPECT_EQ(report.host()[0].below_range, counted.below_range);
      EXPECT_EQ(report.host()[0].above_range, counted.above_range);

      const auto grouping = table.group_sync(x);
      for (std::size_t s = 0; s + 1 < grouping.offsets.size(); ++s) {
        ASSERT_EQ(grouping.offsets[s + 1] - grouping.offsets[s], counts[s]) << "slot " << s;
      }

      zcmoe_fit_options floats = fit_options();
      floats.target_dtype = ZCMOE_F32;
      fit state(ctx(), edges, options, floats);
      state.add(array(engine_x.data()), array(engine_y.data()), no_array(), n, nullptr, 0, nullptr);
      EXPECT_EQ(state.report().below_range, counted.below_range);
      EXPECT_EQ(state.report().above_range, counted.above_range);
      const model learned = state.finish();
      for (std::int64_t s = 0; s < m + 3; ++s) {
        const bool used = s < m || (p.range == ZCMOE_RANGE_SEGMENTS && s > m);
        ASSERT_EQ(learned.info().counts[s], used ? counts[static_cast<std::size_t>(s)] : 0)
            << "slot " << s;
      }
    }
  }

  /// Integers about `centre`, all within the doubles around it, and tables of doubles there.
  template <class Integer>
  void around(double centre) {
    // Doubles on either side; on a card, which may be an emulated one, fewer tables of them.
    const int reach = engine() == ZCMOE_ENGINE_CPU ? 3 : 1;
    const long double lowest = std::numeric_limits<Integer>::min();
    const long double highest = std::numeric_limits<Integer>::max();
    std::vector<double> near{centre};
    for (int k = 0; k < reach; ++k) {
      near.insert(near.begin(), std::nextafter(near.front(), -infinity));
      near.push_back(std::nextafter(near.back(), infinity));
    }
    std::vector<Integer> x;
    for (std::size_t i = 0; i < near.size(); ++i) {
      // The doubles' own places, the integers beside them, and some between.
      const long double gap = i + 1 < near.size()
                                  ? static_cast<long double>(near[i + 1]) - near[i]
                                  : 2.0L * (static_cast<long double>(near[i]) - near[i - 1]);
      for (const long double step : {-1.0L, 0.0L, 1.0L, gap / 4, gap / 2, gap / 2 + 1, gap - 1}) {
        const long double v = std::floor(near[i] + step);
        if (v >= lowest && v <= highest) x.push_back(static_cast<Integer>(v));
      }
    }
    x.push_back(std::numeric_limits<Integer>::min());
    x.push_back(std::numeric_limits<Integer>::max());
    x.push_back(Integer{0});
    // Under a tool that slows every launch the largest table alone is tried.
    const bool one_table =
        engine() != ZCMOE_ENGINE_CPU && std::getenv("ZCMOE_QUICK_TESTS") != nullptr;
    for (std::size_t a = 0; !one_table && a < near.size(); ++a) {
      for (std::size_t b = a + 1; b < near.size(); ++b) {
        expect_exact<Integer>({near[a], near[b]}, x);
        if (b + 1 < near.size()) expect_exact<Integer>({near[a], near[b], near[b + 1]}, x);
      }
    }
    expect_exact<Integer>(near, x);
  }
};

TEST_P(integer_inputs_test, signed_about_powers_of_two) {
  for (const double power : {0x1p52, 0x1p53, 0x1p54, 0x1p62, 0x1p63}) {
    around<std::int64_t>(power);
    around<std::int64_t>(-power);
  }
}

TEST_P(integer_inputs_test, unsigned_about_powers_of_two) {
  for (const double power : {0x1p53, 0x1p63, 0x1p64}) around<std::uint64_t>(power);
}

TEST_P(integer_inputs_test, signed_elsewhere) {
  around<std::int64_t>(3.0);
  around<std::int64_t>(0x1.5555555555555p58);
  around<std::int64_t>(-0x1.5555555555555p58);
}

TEST_P(integer_inputs_test, timestamps_in_nanoseconds) {
  // 2024-01-01 in nanoseconds since 1970; doubles lie 256 ns apart there.
  const std::int64_t start = 1704067200000000000;
  std::vector<std::int64_t> x;
  for (std::int64_t i = -600; i <= 600; ++i) x.push_back(start + i);
  const double first = static_cast<double>(start);
  expect_exact<std::int64_t>({first, std::nextafter(first, infinity)}, x);
  expect_exact<std::int64_t>({std::nextafter(first, 0), first, first + 256, first + 512}, x);
}

TEST_P(integer_inputs_test, many_rows_with_a_stride_in_the_inputs_own_memory) {
  const std::int64_t n = 70000;
  std::vector<std::int64_t> x(2 * n);
  for (std::int64_t i = 0; i < n; ++i) {
    x[static_cast<std::size_t>(2 * i)] = (std::int64_t{1} << 53) + i;
  }
  const auto at = on_engine(x);
  const model table(ctx(), {0x1p53, 0x1p53 + 1000, 0x1p53 + 70000}, {1, 2});
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = {at.data(), ZCMOE_F64, 2};
  table.predict({at.data(), ZCMOE_I64, 2}, n, outputs, nullptr);
  const auto bits = at.host();
  for (std::int64_t i = 0; i < n; ++i) {
    double answer;
    std::memcpy(&answer, &bits[static_cast<std::size_t>(2 * i)], sizeof answer);
    ASSERT_EQ(answer, i < 1000 ? 1 : 2) << i;
  }
}

ZCMOE_INSTANTIATE_ENGINES(integer_inputs_test);

// ------------------------------------------------------- edges from integers

TEST(integer_inputs, segmentations_take_the_double_below) {
  std::vector<std::int64_t> x;
  std::vector<double> y;
  for (std::int64_t i = 0; i < 1000; ++i) {
    x.push_back((std::int64_t{1} << 60) + i * 1000 + 1);
    y.push_back(static_cast<double>(i));
  }
  const std::vector<double> edges = quantile_edges(x, 4);
  EXPECT_EQ(edges.size(), 5u);
  EXPECT_EQ(edges[0], 0x1p60);  // the least row is in the range
  EXPECT_NO_THROW(optimal_edges_from_data(x, y, 4));
  std::string text;
  EXPECT_EQ(status_of([&] { optimal_edges_from_data(y, x, 4); }, &text),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("y.dtype=11 (I64) is not a type of targets"));
}

}  // namespace
}  // namespace zcmoe::test
