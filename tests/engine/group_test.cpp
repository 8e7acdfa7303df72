// Grouping against a stable sort of row numbers by a naive slot, on both engines: every size of
// element, strides, policies, chunks, and inputs that no segment answers.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <algorithm>
#include <numeric>

namespace zcmoe::test {
namespace {

class group_test : public engine_test {};

model model_of(const context& context, const std::vector<double>& edges,
               std::int32_t range_policy = ZCMOE_RANGE_CLAMP,
               std::int32_t nan_policy = ZCMOE_NAN_PROPAGATE) {
  zcmoe_model_options options = model_options();
  options.range_policy = range_policy;
  options.nan_policy = nan_policy;
  return model(context, edges, std::vector<double>(edges.size() - 1, 1.0), options);
}

std::size_t naive_slot(const std::vector<double>& edges, double x, bool clamp) {
  const std::size_t m = edges.size() - 1;
  if (std::isnan(x)) return m;
  if (!clamp && x < edges.front()) return m + 1;
  if (!clamp && x > edges.back()) return m + 2;
  return naive::segment(edges, x);
}

struct expectation {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> rows;
};

expectation expected_of(const std::vector<std::size_t>& slots, std::size_t num_slots) {
  expectation e{std::vector<std::int64_t>(num_slots + 1, 0),
                std::vector<std::int64_t>(slots.size())};
  std::iota(e.rows.begin(), e.rows.end(), std::int64_t{0});
  std::stable_sort(e.rows.begin(), e.rows.end(), [&](std::int64_t a, std::int64_t b) {
    return slots[static_cast<std::size_t>(a)] < slots[static_cast<std::size_t>(b)];
  });
  for (const std::size_t slot : slots) ++e.offsets[slot + 1];
  std::partial_sum(e.offsets.begin(), e.offsets.end(), e.offsets.begin());
  return e;
}

std::vector<double> inputs(std::size_t n, std::mt19937_64& random) {
  std::uniform_real_distribution<double> wide(-0.2, 1.2);
  std::vector<double> x(n);
  for (double& value : x) value = random() % 20 == 0 ? not_a_number : wide(random);
  return x;
}

TEST_P(group_test, rows_and_offsets_are_those_of_a_stable_sort) {
  std::mt19937_64 random(3);
  // Key types change at 254 and 65,534 segments; tasks and tiles at some ten thousand rows.
  for (const std::int64_t m : {1, 7, 253, 254, 66000}) {
    const auto edges = uniform_edges(0, 1, m);
    const auto num_slots = static_cast<std::size_t>(m) + 3;
    for (const std::size_t n : {0, 1, 2, 1000, 70001}) {
      if (m > 1000 && n > 1000) continue;  // the naive scan
      for (const std::int32_t range_policy : {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN}) {
        SCOPED_TRACE(testing::Message() << "m " << m << ", n " << n << ", policy " << range_policy);
        const model grouped = model_of(ctx(), edges, range_policy,
                                       n % 2 == 0 ? ZCMOE_NAN_SEGMENT : ZCMOE_NAN_PROPAGATE);
        const auto x = inputs(n, random);
        std::vector<std::size_t> slots;
        for (const double value : x)
          slots.push_back(naive_slot(edges, value, range_policy == ZCMOE_RANGE_CLAMP));
        const expectation expected = expected_of(slots, num_slots);
        const auto got = grouped.group_sync(x);
        ASSERT_EQ(got.offsets, expected.offsets);
        ASSERT_EQ(got.rows, expected.rows);

        const auto engine_x = on_engine(x);
        const auto offsets = on_engine(std::vector<std::int64_t>(num_slots + 1, -1));
        const auto rows = on_engine(std::vector<std::int32_t>(n, -1));
        zcmoe_group_outputs outputs = group_outputs();
        outputs.offsets = output(offsets.data());
        outputs.rows = output(rows.data());
        grouped.group(array(engine_x.data()), static_cast<std::int64_t>(n), outputs, nullptr, 0,
                      nullptr);
        ASSERT_EQ(offsets.host(), expected.offsets);
        const auto narrow = rows.host();
        ASSERT_EQ(std::vector<std::int64_t>(narrow.begin(), narrow.end()), expected.rows);
      }
    }
  }
}

TEST_P(group_test, columns_of_every_size_follow_their_rows) {
  std::mt19937_64 random(4);
  const std::size_t n = 30000;
  const auto edges = uniform_edges(0, 1, 50);
  const model grouped = model_of(ctx(), edges, ZCMOE_RANGE_SEGMENTS);
  std::vector<float> x(n);
  std::vector<std::size_t> slots;
  for (float& value : x) {
    value = static_cast<float>(random() % 1400) * 0x1p-10f - 0.2f;
    slots.push_back(naive_slot(edges, static_cast<double>(value), false));
  }
  const expectation expected = expected_of(slots, 53);
  std::vector<std::int8_t> bytes(n);
  std::vector<std::uint16_t> halves(n);
  std::vector<double> wide(3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    bytes[i] = static_cast<std::int8_t>(random());
    halves[i] = static_cast<std::uint16_t>(random());
  }
  for (double& value : wide) value = static_cast<double>(random() >> 12);
  const auto count = static_cast<std::int64_t>(n);

  const auto run = [&](bool host) {
    const engine_array<float> engine_x(engine(), x);
    const engine_array<std::int8_t> engine_bytes(engine(), bytes);
    const engine_array<std::uint16_t> engine_halves(engine(), halves);
    const engine_array<double> engine_wide(engine(), wide);
    std::vector<std::int8_t> bytes_to(n);
    std::vector<std::uint16_t> halves_to(2 * n, 7);
    std::vector<float> x_to(n);
    std::vector<double> wide_to(n);
    std::vector<std::int64_t> rows(n);
    std::vector<std::int64_t> offsets(2 * 54, -5);
    const engine_array<std::int8_t> engine_bytes_to(engine(), bytes_to);
    const engine_array<std::uint16_t> engine_halves_to(engine(), halves_to);
    const engine_array<float> engine_x_to(engine(), x_to);
    const engine_array<double> engine_wide_to(engine(), wide_to);
    const engine_array<std::int64_t> engine_rows(engine(), rows);
    const engine_array<std::int64_t> engine_offsets(engine(), offsets);
    const auto pick = [host](auto& here, const auto& there) {
      return host ? here.data() : there.data();
    };
    // Strides: every third double from the last on, halves spread out, rows and x backwards.
    const zcmoe_group_column columns[] = {
        {array(pick(bytes, engine_bytes)), output(pick(bytes_to, engine_bytes_to))},
        {{pick(halves, engine_halves), ZCMOE_BF16, 1},
         {pick(halves_to, engine_halves_to), ZCMOE_BF16, 2}},
        {array(pick(x, engine_x)), output(pick(x_to, engine_x_to))},
        {{pick(wide, engine_wide) + 3 * (n - 1), ZCMOE_F64, -3},
         output(pick(wide_to, engine_wide_to))},
    };
    zcmoe_group_outputs outputs = group_outputs();
    outputs.offsets = output(pick(offsets, engine_offsets), 2);
    outputs.rows = output(pick(rows, engine_rows) + (n - 1), -1);
    outputs.num_columns = 4;
    outputs.columns = columns;
    if (host) {
      grouped.group_sync(array(x.data()), count, outputs);
    } else {
      grouped.group(array(engine_x.data()), count, outputs, nullptr, 0, nullptr);
      bytes_to = engine_bytes_to.host();
      halves_to = engine_halves_to.host();
      x_to = engine_x_to.host();
      wide_to = engine_wide_to.host();
      rows = engine_rows.host();
      offsets = engine_offsets.host();
    }
    for (std::size_t s = 0; s < 54; ++s) {
      ASSERT_EQ(offsets[2 * s], expected.offsets[s]) << s;
      ASSERT_EQ(offsets[2 * s + 1], -5);
    }
    for (std::size_t k = 0; k < n; ++k) {
      const auto row = static_cast<std::size_t>(expected.rows[k]);
      ASSERT_EQ(rows[n - 1 - k], expected.rows[k]) << k;
      ASSERT_EQ(bytes_to[k], bytes[row]) << k;
      ASSERT_EQ(halves_to[2 * k], halves[row]) << k;
      ASSERT_EQ(halves_to[2 * k + 1], 7) << k;
      ASSERT_EQ(x_to[k], x[row]) << k;
      ASSERT_EQ(wide_to[k], wide[3 * (n - 1 - row)]) << k;
    }
  };
  run(true);
  run(false);
}

TEST_P(group_test, chunks_of_a_small_workspace_change_nothing) {
  std::mt19937_64 random(5);
  const std::size_t n = 150000;  // three chunks of 65,536 rows
  const auto count = static_cast<std::int64_t>(n);
  for (const std::int64_t m : {3, 300}) {
    const auto edges = uniform_edges(0, 1, m);
    const model grouped = model_of(ctx(), edges, ZCMOE_RANGE_VALUE);
    const auto x = inputs(n, random);
    const auto expected = grouped.group_sync(x);
    const std::size_t least = grouped.group_workspace(65536);
    EXPECT_EQ(grouped.group_workspace(0), 0u);
    EXPECT_LE(least, grouped.group_workspace(count));
    EXPECT_EQ(grouped.group_workspace(std::int64_t{1} << 40),
              grouped.group_workspace(std::int64_t{1} << 26));
    const auto engine_x = on_engine(x);
    const auto rows = on_engine(std::vector<std::int64_t>(n));
    const auto offsets = on_engine(std::vector<std::int64_t>(static_cast<std::size_t>(m) + 4));
    const auto moved = on_engine(std::vector<double>(n));
    const zcmoe_group_column column{array(engine_x.data()), output(moved.data())};
    zcmoe_group_outputs outputs = group_outputs();
    outputs.offsets = output(offsets.data());
    outputs.rows = output(rows.data());
    outputs.num_columns = 1;
    outputs.columns = &column;
    const auto workspace = on_engine(std::vector<unsigned char>(std::max<std::size_t>(least, 1)));
    grouped.group(array(engine_x.data()), count, outputs, least == 0 ? nullptr : workspace.data(),
                  least, nullptr);
    EXPECT_EQ(offsets.host(), expected.offsets);
    EXPECT_EQ(rows.host(), expected.rows);
    const auto moved_x = moved.host();
    for (std::size_t k = 0; k < n; ++k) {
      const double from = x[static_cast<std::size_t>(expected.rows[k])];
      ASSERT_TRUE(moved_x[k] == from || (std::isnan(moved_x[k]) && std::isnan(from))) << k;
    }
    if (least == 0) continue;
    std::string text;
    EXPECT_EQ(status_of(
                  [&] {
                    grouped.group(array(engine_x.data()), count, outputs, workspace.data(),
                                  least - 1, nullptr);
                  },
                  &text),
              ZCMOE_ERR_WORKSPACE);
    EXPECT_THAT(text, testing::HasSubstr("workspace_bytes="));
  }
}

TEST_P(group_test, threads_and_skew_change_nothing) {
  const std::size_t n = 400000;
  const auto edges = uniform_edges(0, 1, 20);
  std::mt19937_64 random(6);
  std::vector<double> x(n);
  for (double& value : x)
    value = random() % 10 == 0 ? static_cast<double>(random() >> 11) * 0x1p-53 : 0.31;
  std::vector<std::size_t> slots;
  for (const double value : x) slots.push_back(naive_slot(edges, value, true));
  const expectation expected = expected_of(slots, 23);
  for (const int threads : {1, 3, 8}) {
    zcmoe_context_options options = context_options();
    options.engine = engine();
    options.num_threads = threads;
    const context many(options);
    const auto got = model_of(many, edges).group_sync(x);
    EXPECT_EQ(got.offsets, expected.offsets) << threads;
    EXPECT_EQ(got.rows, expected.rows) << threads;
  }
}

ZCMOE_INSTANTIATE_ENGINES(group_test);

}  // namespace
}  // namespace zcmoe::test
