// Predict on both engines: every output equals, bit for bit, a look-up at the segment found by a
// naive scan.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <zcmoe/model_view.hpp>

#include <algorithm>
#include <set>

namespace zcmoe::test {
namespace {

/// Strictly increasing edges of several kinds: the shapes that break shortcuts.
std::vector<double> edges_of(const std::string& kind, std::size_t m, std::mt19937_64& random) {
  std::set<double> edges;
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  if (kind == "uniform") {
    for (std::size_t i = 0; i <= m; ++i)
      edges.insert(static_cast<double>(i) / static_cast<double>(m));
  } else if (kind == "random") {
    while (edges.size() < m + 1) edges.insert(unit(random) * 8.0 - 4.0);
  } else if (kind == "clustered") {
    edges.insert(0.0);
    edges.insert(1.0);
    while (edges.size() < m + 1) edges.insert(0.25 + 1e-9 * unit(random));
  } else if (kind == "one ulp") {
    double edge = 1.0 - 1e-13;
    while (edges.size() < m + 1) edges.insert(edge = std::nextafter(edge, 2.0));
  } else if (kind == "subnormal") {
    double edge = -static_cast<double>(m / 2) * 4.9406564584124654e-324;
    while (edges.size() < m + 1) {
      edges.insert(edge);
      edge += 4.9406564584124654e-324;
    }
  } else if (kind == "geometric") {
    while (edges.size() < m + 1)
      edges.insert(std::ldexp(1.0 + unit(random), static_cast<int>(edges.size() % 120) - 60));
  } else if (kind == "huge") {
    while (edges.size() < m + 1) edges.insert((unit(random) - 0.5) * 1.7e308);
  }
  return {edges.begin(), edges.end()};
}

const char* const edge_kinds[] = {"uniform",   "random",    "clustered", "one ulp",
                                  "subnormal", "geometric", "huge"};

/// Inputs on, just beside and between the edges, and every special value.
std::vector<double> inputs_for(const std::vector<double>& edges, std::size_t n,
                               std::mt19937_64& random) {
  std::vector<double> x{0.0,
                        -0.0,
                        infinity,
                        -infinity,
                        not_a_number,
                        4.9e-324,
                        -4.9e-324,
                        1e308,
                        -1e308,
                        std::numeric_limits<double>::max(),
                        std::numeric_limits<double>::lowest()};
  std::uniform_int_distribution<std::size_t> pick(0, edges.size() - 1);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  while (x.size() < n) {
    const double edge = edges[pick(random)];
    switch (x.size() % 4) {
      case 0: x.push_back(edge); break;
      case 1: x.push_back(std::nextafter(edge, infinity)); break;
      case 2: x.push_back(std::nextafter(edge, -infinity)); break;
      default: {
        const double other = edges[pick(random)];
        x.push_back(edge * unit(random) + other * (1 - unit(random)));
      }
    }
  }
  x.resize(n);
  return x;
}

std::vector<double> constants_for(std::size_t m, std::mt19937_64& random) {
  std::vector<double> constants(m);
  std::normal_distribution<double> normal;
  for (double& c : constants) c = normal(random);
  return constants;
}

class predict_test : public engine_test {
 protected:
  /// Values of n host inputs through the engine's own memory.
  template <class X, class Out>
  std::vector<Out> predict(const model& model, const std::vector<X>& x) const {
    const auto input = on_engine(x);
    const auto output = on_engine(std::vector<Out>(x.size()));
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = zcmoe::output(output.data());
    model.predict(array(input.data()), static_cast<std::int64_t>(x.size()), outputs, nullptr);
    return output.host();
  }
  template <class X>
  std::vector<std::int64_t> segments(const model& model, const std::vector<X>& x) const {
    const auto input = on_engine(x);
    const auto output = on_engine(std::vector<std::int64_t>(x.size()));
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.segments = zcmoe::output(output.data());
    model.predict(array(input.data()), static_cast<std::int64_t>(x.size()), outputs, nullptr);
    return output.host();
  }
};

TEST_P(predict_test, engine_is_the_one_asked_for) {
  EXPECT_EQ(ctx().info().engine, engine());
  EXPECT_EQ(ctx().info().device >= 0, engine() == ZCMOE_ENGINE_CUDA);
}

TEST_P(predict_test, equals_naive_scan_for_every_kind_of_edges) {
  std::mt19937_64 random(1);
  for (const char* kind : edge_kinds) {
    for (const std::size_t m : {1, 2, 3, 7, 64, 257, 1000}) {
      SCOPED_TRACE(std::string(kind) + " m=" + std::to_string(m));
      const auto edges = edges_of(kind, m, random);
      const auto constants = constants_for(m, random);
      const auto x = inputs_for(edges, 2000, random);
      const model model(ctx(), edges, constants);
      std::vector<double> expected;
      std::vector<std::int64_t> expected_segments;
      for (const double value : x) {
        if (std::isnan(value)) {
          expected.push_back(not_a_number);
          expected_segments.push_back(-1);
        } else {
          const std::size_t segment = naive::segment(edges, value);
          expected.push_back(constants[segment]);
          expected_segments.push_back(static_cast<std::int64_t>(segment));
        }
      }
      EXPECT_TRUE(same_bits(predict<double, double>(model, x), expected));
      EXPECT_EQ(segments(model, x), expected_segments);
    }
  }
}

TEST_P(predict_test, float_inputs_are_compared_exactly_with_double_edges) {
  // Edges that no float32 can hold, half an ulp around floats: rounding an edge would move the
  // answer.
  std::mt19937_64 random(2);
  std::uniform_real_distribution<float> unit(0.0f, 1.0f);
  std::set<double> edges;
  std::vector<float> x;
  while (edges.size() < 301) {
    const float f = unit(random);
    x.push_back(f);
    x.push_back(std::nextafter(f, 2.0f));
    x.push_back(std::nextafter(f, -1.0f));
    edges.insert(std::nextafter(static_cast<double>(f), edges.size() % 2 == 0 ? 2.0 : -1.0));
  }
  for (const float special : {0.0f, -0.0f, 1e-45f, -1e-45f, INFINITY, -INFINITY, NAN})
    x.push_back(special);
  const std::vector<double> table(edges.begin(), edges.end());
  const auto constants = constants_for(table.size() - 1, random);
  const model model(ctx(), table, constants);
  std::vector<float> expected;
  std::vector<double> expected_wide;
  for (const float value : x) {
    expected_wide.push_back(std::isnan(value) ? not_a_number
                                              : constants[naive::segment(table, value)]);
    expected.push_back(static_cast<float>(expected_wide.back()));
  }
  EXPECT_TRUE(same_bits(predict<float, float>(model, x), expected));
  EXPECT_TRUE(same_bits(predict<float, double>(model, x), expected_wide));
}

TEST_P(predict_test, every_input_type_widens_exactly) {
  const std::vector<double> edges{-1e6, -100.5, -3, 0, 2.5, 77, 1e4, 3e9};
  const std::vector<double> constants{1, 2, 3, 4, 5, 6, 7};
  const model model(ctx(), edges, constants);
  const auto expect = [&](auto sample, zcmoe_dtype dtype, const std::vector<double>& wide) {
    const auto input = on_engine(sample);
    const auto output = on_engine(std::vector<double>(sample.size()));
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = zcmoe::output(output.data());
    model.predict({input.data(), dtype, 1}, static_cast<std::int64_t>(sample.size()), outputs,
                  nullptr);
    std::vector<double> expected;
    for (const double x : wide)
      expected.push_back(std::isnan(x) ? x : constants[naive::segment(edges, x)]);
    EXPECT_TRUE(same_bits(output.host(), expected)) << "dtype " << dtype;
  };
  expect(std::vector<std::int8_t>{-128, -3, -4, 0, 2, 3, 127}, ZCMOE_I8,
         {-128, -3, -4, 0, 2, 3, 127});
  expect(std::vector<std::uint8_t>{0, 2, 3, 77, 255}, ZCMOE_U8, {0, 2, 3, 77, 255});
  expect(std::vector<std::int16_t>{-32768, -101, 32767}, ZCMOE_I16, {-32768, -101, 32767});
  expect(std::vector<std::uint16_t>{0, 10000, 65535}, ZCMOE_U16, {0, 10000, 65535});
  expect(std::vector<std::int32_t>{INT32_MIN, -1, INT32_MAX}, ZCMOE_I32,
         {-2147483648.0, -1, 2147483647.0});
  expect(std::vector<std::uint32_t>{0, 3000000000u, UINT32_MAX}, ZCMOE_U32, {0, 3e9, 4294967295.0});
}

/// A half or bfloat by its definition, not by shifting bits.
double value_of(unsigned bits, int exponent_bits, int fraction_bits) {
  const unsigned fraction = bits & ((1u << fraction_bits) - 1);
  const int exponent = static_cast<int>((bits >> fraction_bits) & ((1u << exponent_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = (bits >> (exponent_bits + fraction_bits)) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) return fraction == 0 ? sign * infinity : not_a_number;
  const double mantissa = static_cast<double>(fraction) / (1 << fraction_bits);
  return sign * (exponent == 0 ? std::ldexp(mantissa, 1 - bias)
                               : std::ldexp(1 + mantissa, exponent - bias));
}

TEST_P(predict_test, every_half_and_bfloat_under_every_policy) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const auto input = on_engine(all);
  const auto output = on_engine(std::vector<double>(all.size()));
  const std::vector<std::vector<double>> tables{
      {0, 1}, {-65504, -1, -6e-8, 0, 6e-8, 1e-3, 1, 65504}, {-1e38, -1e-40, 0, 9.2e-41, 0.1, 1e38}};
  for (const auto& edges : tables) {
    std::vector<double> constants;
    for (std::size_t i = 0; i + 1 < edges.size(); ++i)
      constants.push_back(static_cast<double>(i) + 0.5);
    for (int closed = 0; closed < 2; ++closed) {
      for (int range = ZCMOE_RANGE_CLAMP; range <= ZCMOE_RANGE_VALUE; ++range) {
        zcmoe_model_options options = model_options();
        options.closed_side = closed;
        options.range_policy = range;
        options.range_value = -7;
        options.nan_policy = ZCMOE_NAN_VALUE;
        options.nan_value = -9;
        const model model(ctx(), edges, constants, options);
        for (const zcmoe_dtype dtype : {ZCMOE_F16, ZCMOE_BF16}) {
          zcmoe_predict_outputs outputs = predict_outputs();
          outputs.values = zcmoe::output(output.data());
          model.predict({input.data(), dtype, 1}, 65536, outputs, nullptr);
          const auto values = output.host();
          for (unsigned bits = 0; bits < 65536; ++bits) {
            const double x = dtype == ZCMOE_F16 ? value_of(bits, 5, 10) : value_of(bits, 8, 7);
            double expected;
            if (std::isnan(x)) {
              expected = -9;
            } else if (range != ZCMOE_RANGE_CLAMP && (x < edges.front() || x > edges.back())) {
              expected = range == ZCMOE_RANGE_NAN ? not_a_number : -7;
            } else {
              const auto side = closed == 0 ? naive::side::left_closed : naive::side::right_closed;
              expected = constants[naive::segment(edges, x, side)];
            }
            ASSERT_EQ(std::isnan(values[bits]), std::isnan(expected)) << bits;
            if (!std::isnan(expected)) {
              ASSERT_EQ(values[bits], expected) << bits << " x=" << x;
            }
          }
        }
      }
    }
  }
}

TEST_P(predict_test, closed_side_and_outer_edge) {
  const std::vector<double> edges{0, 1, 2};
  const std::vector<double> x{0, 1, 2, -0.5, 2.5};
  struct {
    int closed, outer;
    std::vector<std::int64_t> expected;
  } const cases[] = {
      {ZCMOE_CLOSED_LEFT, 1, {0, 1, 1, 3, 4}},  // own segments: m + 1 below, m + 2 above
      {ZCMOE_CLOSED_LEFT, 0, {0, 1, 4, 3, 4}},
      {ZCMOE_CLOSED_RIGHT, 1, {0, 0, 1, 3, 4}},
      {ZCMOE_CLOSED_RIGHT, 0, {3, 0, 1, 3, 4}}};
  for (const auto& c : cases) {
    zcmoe_model_options options = model_options();
    options.closed_side = c.closed;
    options.include_outer_edge = c.outer;
    options.range_policy = ZCMOE_RANGE_SEGMENTS;
    EXPECT_EQ(segments(model(ctx(), edges, {10, 20}, options), x), c.expected)
        << c.closed << c.outer;
  }
}

TEST_P(predict_test, nan_and_range_policies) {
  const std::vector<double> edges{0, 1, 2};
  const std::vector<double> x{not_a_number, -1, 3, -infinity, infinity, 0.5};
  zcmoe_model_options options = model_options();
  auto values = predict<double, double>(model(ctx(), edges, {10, 20}, options), x);
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ((std::vector<double>{values.begin() + 1, values.end()}),
            (std::vector<double>{10, 20, 10, 20, 10}));

  options.nan_policy = ZCMOE_NAN_VALUE;
  options.nan_value = -1;
  options.range_policy = ZCMOE_RANGE_VALUE;
  options.range_value = -2;
  EXPECT_EQ((predict<double, double>(model(ctx(), edges, {10, 20}, options), x)),
            (std::vector<double>{-1, -2, -2, -2, -2, 10}));
  options.range_policy = ZCMOE_RANGE_NAN;
  values = predict<double, double>(model(ctx(), edges, {10, 20}, options), x);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_TRUE(std::isnan(values[i]));
  EXPECT_EQ(segments(model(ctx(), edges, {10, 20}, options), x),
            (std::vector<std::int64_t>{-1, -1, -1, -1, -1, 0}));
}

TEST_P(predict_test, strides_offsets_and_in_place) {
  std::mt19937_64 random(3);
  const auto edges = edges_of("random", 50, random);
  const auto constants = constants_for(50, random);
  const model model(ctx(), edges, constants);
  std::vector<float> x(4000);
  for (float& value : x)
    value = static_cast<float>(std::uniform_real_distribution<double>(-4, 4)(random));
  const auto expected_at = [&](std::size_t i) {
    return static_cast<float>(constants[naive::segment(edges, x[i])]);
  };
  const auto input = on_engine(x);
  for (const std::int64_t stride : {1, 2, 3, -1, 0}) {
    for (const std::int64_t out_stride : {1, 2, -3}) {
      for (std::int64_t offset = 0; offset < 16; ++offset) {
        const std::int64_t n = 333;
        const std::int64_t start = stride < 0 ? n + offset : offset;
        const auto output = on_engine(std::vector<float>(1200, -5.0f));
        const std::int64_t out_start = out_stride < 0 ? 1100 : offset;
        zcmoe_predict_outputs outputs = predict_outputs();
        outputs.values = zcmoe::output(output.data() + out_start, out_stride);
        model.predict(array(input.data() + start, stride), n, outputs, nullptr);
        std::vector<float> expected(1200, -5.0f);
        for (std::int64_t i = 0; i < n; ++i) {
          expected[static_cast<std::size_t>(out_start + i * out_stride)] =
              expected_at(static_cast<std::size_t>(start + i * stride));
        }
        ASSERT_TRUE(same_bits(output.host(), expected))
            << stride << ' ' << out_stride << ' ' << offset;
      }
    }
  }
  const auto in_place = on_engine(x);
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = zcmoe::output(in_place.data());
  model.predict(array(in_place.data()), static_cast<std::int64_t>(x.size()), outputs, nullptr);
  std::vector<float> expected(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) expected[i] = expected_at(i);
  EXPECT_TRUE(same_bits(in_place.host(), expected));
}

TEST_P(predict_test, every_output_and_the_report) {
  const std::vector<double> edges{0, 1, 2, 3};
  fit fit(ctx(), edges);
  fit.add_sync(std::vector<double>{0.5, 0.6, 1.5, 2.5, 2.6, 2.7},
               std::vector<double>{1, 3, 5, 7, 8, 12});
  const model model = fit.finish();
  const std::vector<double> x{0.1, 1.1, 2.1, not_a_number, -1, 9};
  const auto n = static_cast<std::int64_t>(x.size());
  const auto input = on_engine(x);
  const auto values = on_engine(std::vector<float>(x.size()));
  const auto ids = on_engine(std::vector<std::int32_t>(x.size()));
  const auto errors = on_engine(std::vector<double>(x.size()));
  const auto variances = on_engine(std::vector<float>(x.size()));
  const auto counts = on_engine(std::vector<std::int64_t>(x.size()));
  const auto report = on_engine(std::vector<zcmoe_report>(1));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(values.data());
  outputs.segments = output(ids.data());
  outputs.standard_errors = output(errors.data());
  outputs.variances = output(variances.data());
  outputs.counts = output(counts.data());
  outputs.report = report.data();
  model.predict(array(input.data()), n, outputs, nullptr);
  model.predict(array(input.data()), n, outputs, nullptr);  // counts are added to
  EXPECT_THAT(values.host(), testing::ElementsAre(2, 5, 9, testing::IsNan(), 2, 9));
  EXPECT_THAT(ids.host(), testing::ElementsAre(0, 1, 2, -1, 0, 2));
  EXPECT_THAT(errors.host(),
              testing::ElementsAre(1, testing::IsNan(), testing::DoubleEq(std::sqrt(7.0 / 3)),
                                   testing::IsNan(), 1, testing::DoubleEq(std::sqrt(7.0 / 3))));
  EXPECT_THAT(variances.host(),
              testing::ElementsAre(2, testing::IsNan(), 7, testing::IsNan(), 2, 7));
  EXPECT_THAT(counts.host(), testing::ElementsAre(2, 1, 3, 0, 2, 3));
  const zcmoe_report seen = report.host()[0];
  EXPECT_EQ(seen.rows, 2 * n);
  EXPECT_EQ(seen.rows_used, 10);
  EXPECT_EQ(seen.nan_inputs, 2);
  EXPECT_EQ(seen.below_range, 2);
  EXPECT_EQ(seen.above_range, 2);
}

TEST_P(predict_test, sizes_around_tiles) {
  std::mt19937_64 random(4);
  const auto edges = edges_of("random", 300, random);
  const auto constants = constants_for(300, random);
  const model model(ctx(), edges, constants);
  for (const std::size_t n : {0, 1, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 4097, 70001}) {
    const auto x = inputs_for(edges, n, random);
    std::vector<double> expected;
    for (const double value : x) {
      expected.push_back(std::isnan(value) ? not_a_number
                                           : constants[naive::segment(edges, value)]);
    }
    EXPECT_TRUE(same_bits(predict<double, double>(model, x), expected)) << n;
  }
}

/// Slot of a left-closed table with its outer edge, by a search of its own.
std::size_t slot_of(const std::vector<double>& edges, double x, bool beside) {
  const std::size_t m = edges.size() - 1;
  if (std::isnan(x)) return m;
  if (beside && x < edges.front()) return m + 1;
  if (beside && x > edges.back()) return m + 2;
  const auto above = std::upper_bound(edges.begin() + 1, edges.end() - 1, x);
  return static_cast<std::size_t>(above - edges.begin()) - 1;
}

/// Contiguous inputs in all alignments, enough of them that engines stream them: every output, the
/// report, and `out` in place of x.
template <class X>
void expect_streams(const context& ctx, zcmoe_engine engine, const std::vector<double>& edges,
                    const std::vector<double>& sample, std::size_t n, bool beside) {
  const std::size_t m = edges.size() - 1;
  zcmoe_model_options options = model_options();
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  options.range_policy = beside ? ZCMOE_RANGE_SEGMENTS : ZCMOE_RANGE_CLAMP;
  std::vector<double> constants(m);
  for (std::size_t i = 0; i < m; ++i) constants[i] = static_cast<double>(i) + 0.25;
  const model model(ctx, edges, constants, options);
  const zcmoe_model_info info = model.info();

  std::vector<X> x(n + 4);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<X>(sample[i * 7919 % sample.size()]);
  const engine_array<X> input(engine, x);
  for (std::size_t offset = 0; offset < 4; ++offset) {
    const engine_array<X> values(engine, std::vector<X>(n + 8, X{-1}));
    const engine_array<std::int32_t> narrow(engine, std::vector<std::int32_t>(n + 8, -7));
    const engine_array<double> errors(engine, std::vector<double>(n + 8, -1.0));
    const engine_array<float> variances(engine, std::vector<float>(n + 8, -1.0f));
    const engine_array<std::int64_t> counts(engine, std::vector<std::int64_t>(n + 8, -1));
    const engine_array<zcmoe_report> report(engine, std::vector<zcmoe_report>(1));
    zcmoe_predict_outputs outputs = predict_outputs();
    const std::size_t out_offset = offset == 3 ? 1 : offset;  // 3: x and out differ in alignment
    outputs.values = output(values.data() + out_offset);
    outputs.segments = output(narrow.data() + out_offset);
    outputs.standard_errors = output(errors.data() + offset);
    outputs.variances = output(variances.data() + offset);
    outputs.counts = output(counts.data() + offset);
    outputs.report = report.data();
    model.predict(array(input.data() + offset), static_cast<std::int64_t>(n), outputs, nullptr);
    std::vector<X> expected(n + 8, X{-1});
    std::vector<std::int32_t> expected_segments(n + 8, -7);
    zcmoe_report seen{};
    for (std::size_t i = 0; i < n; ++i) {
      const auto input_i = static_cast<double>(x[offset + i]);
      const std::size_t slot = slot_of(edges, input_i, beside);
      expected[out_offset + i] = static_cast<X>(info.constants[slot]);
      expected_segments[out_offset + i] = static_cast<std::int32_t>(slot);
      ++seen.rows;
      seen.rows_used += slot < m ? 1 : 0;
      seen.nan_inputs += std::isnan(input_i) ? 1 : 0;
      seen.below_range += input_i < edges.front() ? 1 : 0;
      seen.above_range += input_i > edges.back() ? 1 : 0;
    }
    SCOPED_TRACE("m=" + std::to_string(m) + " n=" + std::to_string(n) +
                 " offset=" + std::to_string(offset));
    ASSERT_TRUE(same_bits(values.host(), expected));
    ASSERT_EQ(narrow.host(), expected_segments);
    ASSERT_EQ(std::memcmp(report.host().data(), &seen, sizeof seen), 0);
    const auto all_errors = errors.host();
    const auto all_counts = counts.host();
    for (std::size_t i = 0; i < n + 8; ++i) {
      const bool inside = i >= offset && i < offset + n;
      ASSERT_EQ(std::isnan(all_errors[i]), inside) << i;
      ASSERT_EQ(all_counts[i], inside ? 0 : -1) << i;
    }
    // The answers in place of the inputs, alone: the usual call.
    outputs = predict_outputs();
    outputs.values = output(input.data() + offset);
    model.predict(array(input.data() + offset), static_cast<std::int64_t>(n), outputs, nullptr);
    std::vector<X> in_place = x;
    std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>(out_offset), n,
                in_place.begin() + static_cast<std::ptrdiff_t>(offset));
    ASSERT_TRUE(same_bits(input.host(), in_place));
    engine_upload(engine, input.data(), x.data(), x.size() * sizeof(X));
  }
}

TEST_P(predict_test, streams_in_any_alignment) {
  std::mt19937_64 random(8);
  const bool quick = std::getenv("ZCMOE_QUICK_TESTS") != nullptr;
  for (const char* kind : edge_kinds) {
    if (quick && kind != edge_kinds[1]) continue;  // random edges have crowded buckets
    for (const std::size_t m : {3, 300, 70000}) {
      const auto edges = edges_of(kind, m, random);
      const auto sample = inputs_for(edges, 3001, random);
      const std::size_t n = m == 70000 ? 9001 : 20011;
      for (const bool beside : {false, true}) {
        SCOPED_TRACE(kind);
        expect_streams<float>(ctx(), engine(), edges, sample, n, beside);
        expect_streams<double>(ctx(), engine(), edges, sample, n, beside);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(predict_test, host_memory_on_either_engine) {
  std::mt19937_64 random(5);
  const auto edges = edges_of("random", 20, random);
  const auto constants = constants_for(20, random);
  const model model(ctx(), edges, constants);
  const auto x = inputs_for(edges, 5000, random);
  std::vector<double> values(15000, 1.0);
  std::vector<std::int64_t> ids(5000);
  zcmoe_report report{};
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(values.data(), 3);
  outputs.segments = output(ids.data());
  outputs.report = &report;
  model.predict_sync(array(x.data()), 5000, outputs);
  EXPECT_EQ(report.rows, 5000);
  EXPECT_EQ(report.nan_inputs, 1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(values[3 * i + 1], 1.0);
    if (std::isnan(x[i])) continue;
    const std::size_t segment = naive::segment(edges, x[i]);
    ASSERT_EQ(values[3 * i], constants[segment]);
    ASSERT_EQ(ids[i], static_cast<std::int64_t>(segment));
  }
}

TEST_P(predict_test, more_than_2_to_the_31_inputs) {
  // A broadcast input of one byte and a report: no memory, all indices. Emulated devices would take
  // hours.
  if (engine() == ZCMOE_ENGINE_CUDA && std::getenv("ZCMOE_LONG_TESTS") == nullptr) return;
  const std::vector<std::uint8_t> one{1};
  const auto input = on_engine(one);
  const auto report = on_engine(std::vector<zcmoe_report>(1));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.report = report.data();
  const std::int64_t n = (std::int64_t{1} << 31) + 7;
  model(ctx(), {0, 1, 2}, {0, 1}).predict({input.data(), ZCMOE_U8, 0}, n, outputs, nullptr);
  EXPECT_EQ(report.host()[0].rows_used, n);
}

TEST_P(predict_test, wrong_arguments_are_named) {
  const model model(ctx(), {0, 1, 2}, {0, 1});
  const auto buffer = on_engine(std::vector<double>(64));
  zcmoe_predict_outputs outputs = predict_outputs();
  const auto call = [&](zcmoe_array x, std::int64_t n) {
    std::string text;
    EXPECT_EQ(status_of([&] { model.predict(x, n, outputs, nullptr); }, &text),
              ZCMOE_ERR_INVALID_ARGUMENT);
    return text;
  };
  using testing::HasSubstr;
  EXPECT_THAT(call(array(buffer.data()), -1), HasSubstr("n=-1"));
  EXPECT_THAT(call({nullptr, ZCMOE_F64, 1}, 1), HasSubstr("x.data is null"));
  EXPECT_THAT(call({buffer.data(), 13, 1}, 1), HasSubstr("x.dtype=13"));
  EXPECT_THAT(call({buffer.data(), 99, 1}, 1), HasSubstr("x.dtype=99"));
  EXPECT_THAT(call({reinterpret_cast<char*>(buffer.data()) + 4, ZCMOE_F64, 1}, 1),
              HasSubstr("is not aligned to its 8-byte type"));
  EXPECT_THAT(call(array(buffer.data(), INT64_MAX), 3), HasSubstr("x.stride=9223372036854775807"));
  EXPECT_THAT(call(array(buffer.data(), INT64_MIN), 3), HasSubstr("x.stride=-9223372036854775808"));
  outputs.values = {buffer.data() + 1, ZCMOE_F64, 1};
  EXPECT_THAT(call(array(buffer.data()), 8), HasSubstr("outputs->values overlaps x"));
  outputs.values = {buffer.data(), ZCMOE_F64, 2};
  EXPECT_THAT(call(array(buffer.data()), 8), HasSubstr("outputs->values overlaps x"));
  outputs.values = {buffer.data() + 32, ZCMOE_F64, 0};
  EXPECT_THAT(call(array(buffer.data()), 8), HasSubstr("outputs->values.stride=0"));
  outputs.values = {buffer.data() + 32, ZCMOE_I64, 1};
  EXPECT_THAT(call(array(buffer.data()), 8),
              HasSubstr("outputs->values.dtype=11 is not F32 or F64"));
  outputs.values = {buffer.data() + 32, ZCMOE_F64, 1};
  outputs.counts = {buffer.data() + 36, ZCMOE_I64, 1};
  EXPECT_THAT(call(array(buffer.data()), 8), HasSubstr("outputs->values overlaps outputs->counts"));
  outputs.report = reinterpret_cast<zcmoe_report*>(buffer.data());
  outputs.counts = ZCMOE_OUTPUT_NONE;
  outputs.values = {buffer.data() + 4, ZCMOE_F64, 1};
  EXPECT_THAT(call(array(buffer.data() + 32), 8),
              HasSubstr("outputs->report overlaps outputs->values"));
  outputs.values = ZCMOE_OUTPUT_NONE;
  EXPECT_THAT(call(array(buffer.data()), 8), HasSubstr("outputs->report overlaps x"));
  outputs.report = nullptr;
  // Columns of one table interleave without overlapping.
  outputs.counts = {nullptr, 0, 1};
  outputs.values = {buffer.data() + 1, ZCMOE_F64, 2};
  EXPECT_EQ(status_of([&] { model.predict(array(buffer.data(), 2), 8, outputs, nullptr); }),
            ZCMOE_OK);
}

ZCMOE_INSTANTIATE_ENGINES(predict_test);

TEST(model_view_test, agrees_with_predict_on_the_host) {
  std::mt19937_64 random(6);
  const context cpu(ZCMOE_ENGINE_CPU);
  const auto edges = edges_of("clustered", 100, random);
  const auto constants = constants_for(100, random);
  const model model(cpu, edges, constants);
  const model_view view{model.view()};
  for (const double x : inputs_for(edges, 3000, random)) {
    if (std::isnan(x)) {
      EXPECT_EQ(view.segment_of(x), -1);
      EXPECT_TRUE(std::isnan(view.value_at(x)));
      continue;
    }
    EXPECT_EQ(view.segment_of(x), static_cast<std::int64_t>(naive::segment(edges, x)));
    EXPECT_EQ(view.value_at(x), constants[naive::segment(edges, x)]);
  }
}

}  // namespace
}  // namespace zcmoe::test
