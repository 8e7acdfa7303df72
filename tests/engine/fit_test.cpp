// Fit on both engines: counts and exact means against naive sums, policies, reports, merging,
// misuse.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <numeric>

namespace zcmoe::test {
namespace {

class fit_test : public engine_test {
 protected:
  /// Adds host rows through the engine's own memory in one call.
  template <class X, class Y>
  void add(fit& fit, const std::vector<X>& x, const std::vector<Y>& y,
           const std::vector<Y>& w = {}) const {
    const auto engine_x = on_engine(x);
    const auto engine_y = on_engine(y);
    const auto engine_w = on_engine(w);
    fit.add(array(engine_x.data()), array(engine_y.data()),
            w.empty() ? no_array() : array(engine_w.data()), static_cast<std::int64_t>(x.size()),
            nullptr, 0, nullptr);
    fit.report();  // the arrays go away: wait
  }
  template <class X, class Y>
  model fitted(const std::vector<double>& edges, const std::vector<X>& x, const std::vector<Y>& y,
               const zcmoe_model_options& options = model_options(),
               const std::vector<Y>& w = {}) const {
    zcmoe_fit_options how = fit_options();
    how.weighted = w.empty() ? 0 : 1;
    fit fit(ctx(), edges, options, how);
    add(fit, x, y, w);
    return fit.finish();
  }
};

std::vector<double> equal_edges(std::size_t m) {
  return uniform_edges(0.0, 1.0, static_cast<std::int64_t>(m));
}

template <class T>
std::vector<T> uniform_sample(std::size_t n, double lo, double hi, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> distribution(lo, hi);
  std::vector<T> sample(n);
  for (T& value : sample) value = static_cast<T>(distribution(random));
  return sample;
}

std::vector<double> wide(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// The naive sums are long double: their error is below count * 2^-63 * max|y| per sum; tenfold
/// that is allowed.
void expect_close(const model& model, const std::vector<naive::moments>& expected, double largest) {
  const zcmoe_model_info info = model.info();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE("segment " + std::to_string(i));
    EXPECT_EQ(info.counts[i], static_cast<std::int64_t>(expected[i].count));
    const double slack = 10.0 * static_cast<double>(expected[i].count + 1) * 0x1p-63 * largest;
    if (expected[i].count == 0) continue;
    EXPECT_NEAR(info.constants[i], static_cast<double>(expected[i].mean),
                slack + std::abs(info.constants[i]) * 0x1p-52);
    EXPECT_NEAR(info.weights[i], static_cast<double>(expected[i].weight),
                info.weights[i] * 0x1p-52);
    if (expected[i].count < 2) {
      EXPECT_TRUE(std::isnan(info.variances[i]));
      EXPECT_TRUE(std::isnan(info.standard_errors[i]));
      continue;
    }
    const auto variance = static_cast<double>(expected[i].variance);
    EXPECT_NEAR(info.variances[i], variance, variance * 1e-14 + slack * largest);
    EXPECT_NEAR(info.standard_errors[i], static_cast<double>(expected[i].standard_error),
                info.standard_errors[i] * 1e-13 + 1e-300);
  }
}

TEST_P(fit_test, integer_targets_give_exact_means_for_many_shapes) {
  for (const std::size_t m : {1, 2, 3, 200, 256, 257, 1000}) {
    for (const std::size_t n : {1, 31, 32, 33, 255, 257, 1000, 20000}) {
      SCOPED_TRACE("m=" + std::to_string(m) + " n=" + std::to_string(n));
      const auto edges = equal_edges(m);
      const auto x = uniform_sample<double>(n, -0.1, 1.1, m * 1000 + n);
      std::vector<double> y(n);
      for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<double>(i % 17) - 8;
      const model model = fitted(edges, x, y);
      const zcmoe_model_info info = model.info();
      const auto expected = naive::fit(edges, x, y);
      for (std::size_t s = 0; s < m; ++s) {
        ASSERT_EQ(info.counts[s], static_cast<std::int64_t>(expected[s].count));
        if (expected[s].count > 0) {
          ASSERT_EQ(info.constants[s], static_cast<double>(expected[s].mean));
        }
      }
    }
  }
}

TEST_P(fit_test, real_targets_in_both_precisions) {
  const std::size_t n = 30000;
  const auto edges = equal_edges(64);
  const auto x64 = uniform_sample<double>(n, 0, 1, 1);
  const auto y64 = uniform_sample<double>(n, -3, 5, 2);
  expect_close(fitted(edges, x64, y64), naive::fit(edges, x64, y64), 5);
  const auto x32 = uniform_sample<float>(n, 0, 1, 3);
  const auto y32 = uniform_sample<float>(n, -3, 5, 4);
  const auto expected = naive::fit(edges, wide(x32), wide(y32));
  expect_close(fitted(edges, x32, y32), expected, 5);
  zcmoe_fit_options narrow = fit_options();
  narrow.target_dtype = ZCMOE_F32;
  fit fit(ctx(), edges, model_options(), narrow);
  add(fit, x32, y32);
  const model small = fit.finish();
  expect_close(small, expected, 5);
  // The two state formats hold the same exact sums, so the same constants.
  const zcmoe_model_info a = small.info();
  const model large = fitted(edges, x32, y32);
  const zcmoe_model_info b = large.info();
  for (std::int64_t i = 0; i < a.num_segments; ++i) {
    EXPECT_EQ(a.constants[i], b.constants[i]);
    EXPECT_EQ(a.variances[i], b.variances[i]);
  }
}

TEST_P(fit_test, weights) {
  const std::size_t n = 20000;
  const auto edges = equal_edges(50);
  const auto x = uniform_sample<double>(n, 0, 1, 5);
  const auto y = uniform_sample<double>(n, -3, 5, 6);
  auto w = uniform_sample<double>(n, 0, 2, 7);
  for (std::size_t i = 0; i < n; i += 5) w[i] = 0;
  expect_close(fitted(edges, x, y, model_options(), w), naive::fit(edges, x, y, w), 10);
  // Weight 2 moves the mean like a row given twice; scaling all weights changes nothing but the
  // weights.
  const model twice = fitted<double, double>({0, 1}, {.5, .5}, {1, 4}, model_options(), {2, 1});
  EXPECT_EQ(twice.info().constants[0], 2.0);
  std::vector<double> scaled = w;
  for (double& weight : scaled) weight *= 0x1p-40;
  const model a = fitted(edges, x, y, model_options(), w);
  const model b = fitted(edges, x, y, model_options(), scaled);
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(a.info().constants[i], b.info().constants[i]);
    EXPECT_EQ(a.info().variances[i], b.info().variances[i]);
    EXPECT_EQ(a.info().weights[i] * 0x1p-40, b.info().weights[i]);
  }
}

zcmoe_model_options with_precisions() {
  zcmoe_model_options options = model_options();
  options.weights_kind = ZCMOE_WEIGHTS_PRECISION;
  return options;
}

TEST_P(fit_test, precisions_tell_the_variance_of_a_row_of_weight_1) {
  const std::size_t n = 5000;
  const auto edges = equal_edges(40);
  const auto x = uniform_sample<double>(n, 0, 1, 8);
  const auto y = uniform_sample<double>(n, 997, 1003, 9);
  auto w = uniform_sample<double>(n, 0, 1, 10);
  for (double& weight : w) weight = std::exp(8 * weight - 4);
  for (std::size_t i = 0; i < n; i += 7) w[i] = 0;
  const model sampled = fitted(edges, x, y, model_options(), w);
  const model precise = fitted(edges, x, y, with_precisions(), w);
  const zcmoe_model_info a = sampled.info();
  const zcmoe_model_info b = precise.info();
  EXPECT_EQ(a.options.weights_kind, ZCMOE_WEIGHTS_SAMPLING);
  EXPECT_EQ(b.options.weights_kind, ZCMOE_WEIGHTS_PRECISION);
  double squares = 0;
  double freedom = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    long double weight = 0, mean = 0, scatter = 0;
    std::int64_t rows = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (w[k] == 0 || naive::segment(edges, x[k]) != i) continue;
      ++rows;
      weight += w[k];
      mean += static_cast<long double>(w[k]) * y[k];
    }
    mean /= weight;
    for (std::size_t k = 0; k < n; ++k) {
      if (w[k] == 0 || naive::segment(edges, x[k]) != i) continue;
      scatter += w[k] * (y[k] - mean) * (y[k] - mean);
    }
    const auto variance = static_cast<double>(scatter / static_cast<long double>(rows - 1));
    EXPECT_EQ(b.constants[i], a.constants[i]);
    EXPECT_EQ(b.weights[i], a.weights[i]);
    EXPECT_NEAR(b.variances[i], variance, 1e-13 * variance) << i;
    EXPECT_DOUBLE_EQ(b.standard_errors[i], std::sqrt(b.variances[i] / b.weights[i])) << i;
    EXPECT_GT(a.standard_errors[i], 1.1 * b.standard_errors[i]) << i;  // heavy rows count for more
    squares += static_cast<double>(rows - 1) * variance;
    freedom += static_cast<double>(rows - 1);
  }
  EXPECT_NEAR(b.noise_variance, squares / freedom, 1e-13 * b.noise_variance);
  // Shrinkage draws means by their weights, whatever these say.
  zcmoe_model_options shrinking = with_precisions();
  shrinking.shrinkage = 3;
  const model shrunk = fitted(edges, x, y, shrinking, w);
  EXPECT_DOUBLE_EQ(shrunk.info().standard_errors[5],
                   b.standard_errors[5] * (b.weights[5] / (b.weights[5] + 3)));
  // Predictions, files and states.
  std::vector<double> errors(1);
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.standard_errors = {errors.data(), ZCMOE_F64, 1};
  const std::vector<double> at{0.5};
  precise.predict_sync(array(at.data()), 1, outputs);
  EXPECT_EQ(errors[0], b.standard_errors[20]);
  EXPECT_EQ(model::deserialize(ctx(), precise.serialize()).serialize(), precise.serialize());
  zcmoe_fit_options how = fit_options();
  how.weighted = 1;
  fit whole(ctx(), edges, with_precisions(), how);
  add(whole, x, y, w);
  EXPECT_EQ(fit::deserialize(ctx(), whole.serialize()).finish().serialize(), precise.serialize());
  std::string text;
  EXPECT_EQ(status_of([&] { whole.merge(fit(ctx(), edges, model_options(), how)); }, &text),
            ZCMOE_ERR_INCOMPATIBLE);
  EXPECT_THAT(text, testing::HasSubstr("weights_kind"));
  // Weights of 1 and no weights are one kind.
  const model ones = fitted(edges, x, y, with_precisions(), std::vector<double>(n, 1.0));
  const model none = fitted(edges, x, y, with_precisions());
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_DOUBLE_EQ(ones.info().variances[i], none.info().variances[i]);
    EXPECT_DOUBLE_EQ(ones.info().standard_errors[i], none.info().standard_errors[i]);
  }
}

/// Squares over repetitions, one a segment, of ten rows of the weights 2^-4 .. 2^5.
struct squares_seen {
  double of_constants = 0;  // whose expectation is 0
  double of_standard_errors = 0;
};

TEST_P(fit_test, standard_errors_are_those_of_the_kind_of_weights) {
  constexpr std::size_t repetitions = 2000;
  constexpr std::size_t rows = 10;
  double total = 0, squared = 0;
  std::vector<double> weights;
  for (std::size_t i = 0; i < rows; ++i) {
    weights.push_back(std::ldexp(1.0, static_cast<int>(i) - 4));
    total += weights[i];
    squared += weights[i] * weights[i];
  }
  const double effective = total * total / squared;  // 3.0
  const auto simulated = [&](std::int32_t noise_of, std::int32_t said) {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal;
    std::vector<double> x, y, w;
    for (std::size_t k = 0; k < repetitions * rows; ++k) {
      x.push_back(static_cast<double>(k / rows) + 0.5);
      w.push_back(weights[k % rows]);
      y.push_back(normal(random) / (noise_of == ZCMOE_WEIGHTS_PRECISION ? std::sqrt(w[k]) : 1.0));
    }
    zcmoe_model_options options = model_options();
    options.weights_kind = said;
    const model model = fitted(uniform_edges(0, repetitions, repetitions), x, y, options, w);
    const zcmoe_model_info info = model.info();
    squares_seen seen;
    for (std::size_t i = 0; i < repetitions; ++i) {
      seen.of_constants += info.constants[i] * info.constants[i] / repetitions;
      seen.of_standard_errors += info.standard_errors[i] * info.standard_errors[i] / repetitions;
    }
    return seen;
  };
  // Four standard errors of what squares of normal deviates, and what is within segments, show.
  const double of_constants = 4 * std::sqrt(2.0 / repetitions);
  const double of_errors = 4 * std::sqrt(2.0 / (effective - 1) / repetitions);
  const double factor = (rows - 1) / (effective - 1);  // 4.5: its root is 2.1
  const auto check = [&](std::int32_t noise_of, std::int32_t said, double variance, double ratio) {
    const squares_seen seen = simulated(noise_of, said);
    EXPECT_NEAR(seen.of_constants / variance, 1.0, of_constants) << noise_of << said;
    EXPECT_NEAR(seen.of_standard_errors / variance / ratio, 1.0, of_errors) << noise_of << said;
  };
  check(ZCMOE_WEIGHTS_PRECISION, ZCMOE_WEIGHTS_PRECISION, 1 / total, 1.0);
  check(ZCMOE_WEIGHTS_SAMPLING, ZCMOE_WEIGHTS_SAMPLING, 1 / effective, 1.0);
  check(ZCMOE_WEIGHTS_PRECISION, ZCMOE_WEIGHTS_SAMPLING, 1 / total, factor);
  check(ZCMOE_WEIGHTS_SAMPLING, ZCMOE_WEIGHTS_PRECISION, 1 / effective, 1 / factor);
}

TEST_P(fit_test, precisions_at_the_ends_of_double) {
  const model model = fitted<double, double>({0, 1, 2, 3, 4}, {.5, .5, 1.5, 1.5, 2.5, 3.5, 3.5},
                                             {1, 3, 5, 5, 8, 1, 2}, with_precisions(),
                                             {1.5e308, 1.5e308, 1.5e308, 1.5e308, 1, 1, 1e-300});
  const zcmoe_model_info info = model.info();
  EXPECT_EQ(info.variances[0], infinity);
  EXPECT_DOUBLE_EQ(info.standard_errors[0], 1.0);
  EXPECT_EQ(info.variances[1], 0.0);
  EXPECT_EQ(info.standard_errors[1], 0.0);
  EXPECT_TRUE(std::isnan(info.variances[2]));
  EXPECT_TRUE(std::isnan(info.standard_errors[2]));
  // A row of next to no weight, however far away, tells the variance as any other does.
  EXPECT_DOUBLE_EQ(info.variances[3], 1e-300);
  EXPECT_DOUBLE_EQ(info.standard_errors[3], 1e-150);
  EXPECT_EQ(model::deserialize(ctx(), model.serialize()).serialize(), model.serialize());
}

TEST_P(fit_test, weights_whose_sum_overflows) {
  zcmoe_model_options options = model_options();
  options.shrinkage = 2;
  const model model = fitted<double, double>({0, 1, 2, 3}, {.5, .5, 1.5}, {1, 3, 8}, options,
                                             {1.5e308, 1.5e308, 1});
  const zcmoe_model_info info = model.info();
  EXPECT_EQ(info.weights[0], infinity);  // the sum itself is exact; as a double it is infinite
  EXPECT_EQ(info.constants[0], 2.0);
  EXPECT_EQ(info.constants[2], 4.0);  // the mean of all, rows counted equally
  EXPECT_DOUBLE_EQ(info.constants[1], 16.0 / 3);
}

TEST_P(fit_test, the_last_of_128_bits_breaks_a_tie) {
  // The sum has 128 bits; of its quarter the 54th is 1, and of those after it only the last.
  const std::vector<double> y = {1.0, 0x1p-53, 0x1p-127, 0.0};
  fit above(ctx(), {0, 1});
  add(above, std::vector<double>(4, 0.5), y);
  EXPECT_EQ(above.finish().info().constants[0], (1.0 + 0x1p-52) / 4);
  fit even(ctx(), {0, 1});
  add(even, std::vector<double>(4, 0.5), std::vector<double>{1.0, 0x1p-53, 0.0, 0.0});
  EXPECT_EQ(even.finish().info().constants[0], 0.25);
}

TEST_P(fit_test, every_exponent_in_one_segment) {
  // From the smallest subnormal to the largest finite double, cancelling to one small number that
  // must survive.
  std::vector<double> y{0x1p-1074};
  for (int e = -1074; e < 1024; ++e) {
    y.push_back(std::ldexp(1.0, e));
    y.push_back(-std::ldexp(1.0, e));
  }
  const std::vector<double> x(y.size(), 0.5);
  const model model = fitted({0, 1}, x, y);
  EXPECT_EQ(model.info().constants[0], 0.0);  // 2^-1074 / 4197 rounds to zero
  std::vector<double> big = y;
  big[0] = static_cast<double>(y.size());
  EXPECT_EQ(fitted({0, 1}, x, big).info().constants[0], 1.0);
}

TEST_P(fit_test, giant_and_empty_segments) {
  const std::size_t n = 50000;
  std::vector<double> edges(5001);
  for (std::size_t i = 0; i < edges.size(); ++i) edges[i] = static_cast<double>(i);
  std::vector<double> x(n, 2500.5);
  std::vector<double> y(n);
  std::iota(y.begin(), y.end(), 0.0);
  x[17] = 0.5;
  x[40000] = 4999.5;
  const model model = fitted(edges, x, y);
  const zcmoe_model_info info = model.info();
  EXPECT_EQ(info.num_empty, 4997);
  EXPECT_EQ(info.counts[2500], static_cast<std::int64_t>(n) - 2);
  EXPECT_EQ(info.constants[0], 17);
  EXPECT_EQ(info.constants[4999], 40000);
  EXPECT_EQ(info.constants[2500], (49999.0 * 50000 / 2 - 17 - 40000) / (50000 - 2));
  EXPECT_EQ(info.constants[1249], 17);                    // nearer to segment 0
  EXPECT_EQ(info.constants[1251], info.constants[2500]);  // nearer to segment 2500
}

TEST_P(fit_test, narrow_and_wide_keys) {
  // One, two and four byte segment ids on the CUDA engine.
  for (const std::size_t m : {255, 256, 257, 65535, 65536, 65537, 70000}) {
    std::vector<double> edges(m + 1);
    for (std::size_t i = 0; i <= m; ++i) edges[i] = static_cast<double>(i);
    std::mt19937_64 random(m);
    std::uniform_int_distribution<std::size_t> pick(0, m - 1);
    std::vector<double> x(5000);
    std::vector<double> y(5000);
    std::vector<std::int64_t> counts(m);
    std::vector<double> sums(m);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t s = i % 3 == 0 ? m - 1 : i % 3 == 1 ? 0 : pick(random);
      x[i] = static_cast<double>(s) + 0.25;
      y[i] = static_cast<double>(i);
      ++counts[s];
      sums[s] += y[i];
    }
    zcmoe_model_options options = model_options();
    options.nan_policy = m % 2 == 0 ? ZCMOE_NAN_SEGMENT : ZCMOE_NAN_PROPAGATE;
    if (m % 2 == 0) x[0] = not_a_number;
    const model model = fitted(edges, x, y, options);
    const zcmoe_model_info info = model.info();
    for (std::size_t s = 0; s < m - 1; ++s) {
      ASSERT_EQ(info.counts[s], counts[s]) << m << ' ' << s;
      if (counts[s] > 0) {
        ASSERT_EQ(info.constants[s], sums[s] / static_cast<double>(counts[s]));
      }
    }
    EXPECT_EQ(info.counts[m], m % 2 == 0 ? 1 : 0);
  }
}

TEST_P(fit_test, row_policies_and_report) {
  const std::vector<double> edges{0, 1, 2};
  const std::vector<double> x{0.5, not_a_number, -1, 3, 0.5, 0.5, 1.5, infinity};
  const std::vector<double> y{1, 2, 4, 8, not_a_number, infinity, -infinity, 16};
  {
    fit fit(ctx(), edges);
    add(fit, x, y);
    const zcmoe_report report = fit.report();
    EXPECT_EQ(report.rows, 8);
    EXPECT_EQ(report.rows_used, 4);
    EXPECT_EQ(report.nan_inputs, 1);
    EXPECT_EQ(report.below_range, 1);
    EXPECT_EQ(report.above_range, 2);
    EXPECT_EQ(report.nan_targets, 1);
    EXPECT_EQ(report.infinite_targets, 2);
    EXPECT_EQ(report.first_bad_row, -1);
    const model model = fit.finish();
    EXPECT_EQ(model.info().constants[0], 2.5);   // 1 and the clamped 4
    EXPECT_EQ(model.info().constants[1], 12.0);  // the clamped 8 and 16
  }
  zcmoe_model_options options = model_options();
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  options.range_policy = ZCMOE_RANGE_SEGMENTS;
  const model own = fitted(edges, x, y, options);
  EXPECT_THAT((std::vector<double>{own.info().constants, own.info().constants + 5}),
              testing::ElementsAre(1, 1, 2, 4, 12));
  EXPECT_THAT((std::vector<std::int64_t>{own.info().counts, own.info().counts + 5}),
              testing::ElementsAre(1, 0, 1, 1, 2));
  options = model_options();
  options.range_policy = ZCMOE_RANGE_VALUE;
  options.range_value = -1;
  const model skipped = fitted(edges, x, y, options);
  EXPECT_THAT((std::vector<double>{skipped.info().constants, skipped.info().constants + 5}),
              testing::ElementsAre(1, 1, testing::IsNan(), -1, -1));
}

TEST_P(fit_test, error_policies_and_bad_weights) {
  const std::vector<double> edges{0, 1, 2};
  const auto refused = [&](const zcmoe_fit_options& how, const std::vector<double>& x,
                           const std::vector<double>& y, const std::vector<double>& w,
                           std::int64_t row) {
    fit fit(ctx(), edges, model_options(), how);
    std::string text;
    const zcmoe_status status = status_of(
        [&] {
          add(fit, x, y, w);
          EXPECT_EQ(engine(), ZCMOE_ENGINE_CUDA);  // the CPU engine refuses at once
          EXPECT_EQ(fit.report().first_bad_row, row);
          fit.finish();
        },
        &text);
    EXPECT_EQ(status, ZCMOE_ERR_DATA);
    EXPECT_THAT(text, testing::HasSubstr("row " + std::to_string(row)));
    if (engine() == ZCMOE_ENGINE_CPU) {  // and has added nothing
      EXPECT_EQ(fit.report().rows, 0);
    }
  };
  zcmoe_fit_options how = fit_options();
  how.nan_inputs = ZCMOE_ROWS_ERROR;
  refused(how, {.5, .5, not_a_number, not_a_number}, {1, 2, 3, 4}, {}, 2);
  how = fit_options();
  how.nonfinite_targets = ZCMOE_ROWS_ERROR;
  refused(how, {.5, .5}, {1, -infinity}, {}, 1);
  how = fit_options();
  how.weighted = 1;
  refused(how, {.5, .5}, {1, 2}, {1, -1}, 1);
  refused(how, {.5, .5, .5}, {1, 2, 3}, {1, infinity, not_a_number}, 1);
  refused(how, {.5, .5, .5}, {1, 2, 3}, {not_a_number, 1, 1}, 0);
}

TEST_P(fit_test, empty_segment_policies) {
  const std::vector<double> edges{0, 1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<double> x{1.5, 1.5, 4.5};
  const std::vector<double> y{2, 4, 12};
  const auto constants = [&](std::int32_t policy, double shrinkage = 0) {
    zcmoe_model_options options = model_options();
    options.empty_policy = policy;
    options.empty_value = -1;
    options.shrinkage = shrinkage;
    const model model = fitted(edges, x, y, options);
    EXPECT_EQ(model.info().num_empty, 6);
    return std::vector<double>{model.info().constants, model.info().constants + 8};
  };
  using testing::ElementsAre;
  using testing::IsNan;
  EXPECT_THAT(constants(ZCMOE_EMPTY_NEAREST), ElementsAre(3, 3, 3, 12, 12, 12, 12, 12));
  EXPECT_THAT(constants(ZCMOE_EMPTY_NAN),
              ElementsAre(IsNan(), 3, IsNan(), IsNan(), 12, IsNan(), IsNan(), IsNan()));
  EXPECT_THAT(constants(ZCMOE_EMPTY_GLOBAL_MEAN), ElementsAre(6, 3, 6, 6, 12, 6, 6, 6));
  EXPECT_THAT(constants(ZCMOE_EMPTY_VALUE), ElementsAre(-1, 3, -1, -1, 12, -1, -1, -1));
  // Blocks: 0 with 1; 2, 3 with 0..3; 5 with 4; 6, 7 with 4..7.
  EXPECT_THAT(constants(ZCMOE_EMPTY_PARENT), ElementsAre(3, 3, 3, 3, 12, 12, 12, 12));
  // (2 * 3 + 1 * 6) / 3 and (12 + 6) / 2.
  EXPECT_THAT(constants(ZCMOE_EMPTY_NEAREST, 1),
              ElementsAre(6, testing::DoubleEq(4), 6, 6, 9, 6, 6, 6));
  EXPECT_THAT(constants(ZCMOE_EMPTY_VALUE, 2),
              ElementsAre(-1, 1, -1, -1, testing::DoubleEq(10.0 / 3), -1, -1, -1));
}

/// Rows of a sine with noise, some of them without an input.
struct wave_rows {
  std::vector<double> x = uniform_sample<double>(6000, 0, 1, 1);
  std::vector<double> y;
  std::vector<double> weights = uniform_sample<double>(6000, 0.5, 2, 2);

  wave_rows() {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < x.size(); ++i) {
      y.push_back(std::sin(6 * x[i]) + 0.3 * normal(random));
      if (i % 100 == 7) x[i] = not_a_number;
    }
  }
};

zcmoe_model_options smooth_options() {
  zcmoe_model_options options = model_options();
  options.constants = ZCMOE_CONSTANTS_SMOOTH;
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  return options;
}

TEST_P(fit_test, smooth_constants_stand_beside_what_the_rows_say) {
  const wave_rows rows;
  const std::vector<double> edges = equal_edges(60);
  zcmoe_model_options plain = smooth_options();
  plain.constants = ZCMOE_CONSTANTS_MEAN;
  for (const std::vector<double>& weights : {std::vector<double>{}, rows.weights}) {
    const model of_means = fitted(edges, rows.x, rows.y, plain, weights);
    const model smooth = fitted(edges, rows.x, rows.y, smooth_options(), weights);
    const zcmoe_model_info a = of_means.info();
    const zcmoe_model_info b = smooth.info();
    EXPECT_EQ(a.means, nullptr);
    ASSERT_NE(b.means, nullptr);
    double squares[2] = {0.0, 0.0};
    double errors[2] = {0.0, 0.0};
    for (std::size_t i = 0; i < 60; ++i) {
      EXPECT_EQ(b.counts[i], a.counts[i]);
      EXPECT_EQ(b.weights[i], a.weights[i]);
      EXPECT_EQ(b.variances[i], a.variances[i]);
      EXPECT_EQ(b.means[i], a.constants[i]);
      EXPECT_LT(b.standard_errors[i], 1.2 * a.standard_errors[i]);
      errors[0] += a.standard_errors[i];
      errors[1] += b.standard_errors[i];
      const double off = b.constants[i] - std::sin(6 * (edges[i] + edges[i + 1]) / 2);
      EXPECT_LT(std::abs(off), 4.5 * b.standard_errors[i] + 0.01) << i;
      squares[0] += std::pow(off - b.constants[i] + a.constants[i], 2);
      squares[1] += off * off;
    }
    EXPECT_LT(squares[1], 0.4 * squares[0]);
    EXPECT_LT(errors[1], 0.6 * errors[0]);
    // Rows without an input have no neighbours to share with.
    EXPECT_EQ(b.constants[60], a.constants[60]);
    EXPECT_EQ(b.standard_errors[60], a.standard_errors[60]);
    EXPECT_EQ(b.constants[61], b.constants[0]);
    EXPECT_EQ(b.constants[62], b.constants[59]);
    EXPECT_EQ(smooth.predict_sync(std::vector<double>{0.5})[0], b.constants[30]);
    const model again = model::deserialize(ctx(), smooth.serialize());
    EXPECT_EQ(again.serialize(), smooth.serialize());
    EXPECT_EQ(again.info().options.constants, ZCMOE_CONSTANTS_SMOOTH);
    for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(again.info().means[i], b.means[i]);
  }
}

TEST_P(fit_test, smooth_constants_do_not_depend_on_the_order_of_rows_or_merges) {
  const wave_rows rows;
  const std::vector<double> edges = equal_edges(50);
  const std::size_t half = rows.x.size() / 2;
  const auto part = [&](const std::vector<double>& column, std::size_t begin, std::size_t end) {
    return std::vector<double>(column.begin() + static_cast<std::ptrdiff_t>(begin),
                               column.begin() + static_cast<std::ptrdiff_t>(end));
  };
  const auto whole = fitted(edges, rows.x, rows.y, smooth_options()).serialize();
  fit first(ctx(), edges, smooth_options());
  fit second(ctx(), edges, smooth_options());
  add(first, part(rows.x, 0, half), part(rows.y, 0, half));
  add(second, part(rows.x, half, rows.x.size()), part(rows.y, half, rows.x.size()));
  second = fit::deserialize(ctx(), second.serialize());
  second.merge(first);
  EXPECT_EQ(second.finish().serialize(), whole);
  std::vector<double> x(rows.x.rbegin(), rows.x.rend());
  std::vector<double> y(rows.y.rbegin(), rows.y.rend());
  EXPECT_EQ(fitted(edges, x, y, smooth_options()).serialize(), whole);

  zcmoe_model_options plain = smooth_options();
  plain.constants = ZCMOE_CONSTANTS_MEAN;
  fit means(ctx(), edges, plain);
  EXPECT_EQ(status_of([&] { means.merge(first); }), ZCMOE_ERR_INCOMPATIBLE);
}

TEST_P(fit_test, smooth_constants_and_segments_without_rows) {
  const std::vector<double> edges = uniform_edges(0, 10, 10);
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i < 1000; ++i) {
    x.push_back(i % 10 == 3 ? 0.5 : i % 10 + 0.5);
    y.push_back(0.1 * (i % 7));
  }
  zcmoe_model_options options = smooth_options();
  const model nearest = fitted(edges, x, y, options);
  EXPECT_EQ(nearest.info().constants[3], nearest.info().constants[2]);
  EXPECT_TRUE(std::isnan(nearest.info().standard_errors[3]));
  EXPECT_TRUE(std::isnan(nearest.info().means[3]));
  options.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  double mean = 0.0;
  for (const double value : y) mean += value / 1000;
  EXPECT_NEAR(fitted(edges, x, y, options).info().constants[3], mean, 1e-12);
}

TEST_P(fit_test, smooth_constants_have_limits) {
  std::string text;
  const std::vector<double> many = uniform_edges(0, 1, ZCMOE_MAX_SMOOTH_SEGMENTS + 1);
  EXPECT_EQ(status_of([&] { fit(ctx(), many, smooth_options()); }, &text),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("num_segments=16385 is more than 16384"));
  zcmoe_model_options shrunk = smooth_options();
  shrunk.shrinkage = 1;
  EXPECT_EQ(status_of([&] { fit(ctx(), {0, 1}, shrunk); }, &text), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("shrinkage=1"));
}

TEST_P(fit_test, nothing_added) {
  fit fit(ctx(), {0, 1, 2});
  fit.add(array(static_cast<const double*>(nullptr)), array(static_cast<const double*>(nullptr)),
          no_array(), 0, nullptr, 0, nullptr);
  const model model = fit.finish();
  EXPECT_EQ(model.info().num_rows, 0);
  EXPECT_EQ(model.info().num_empty, 2);
  EXPECT_TRUE(std::isnan(model.info().constants[0]));
  EXPECT_TRUE(std::isnan(model.info().mean));
  EXPECT_TRUE(std::isnan(model.predict_sync(std::vector<double>{0.5})[0]));
}

TEST_P(fit_test, strided_targets_and_inputs) {
  const std::size_t n = 999;
  const auto edges = equal_edges(10);
  const auto x = uniform_sample<float>(4 * n, 0, 1, 8);
  const auto y = uniform_sample<double>(4 * n, 0, 1, 9);
  const auto engine_x = on_engine(x);
  const auto engine_y = on_engine(y);
  for (const std::int64_t x_stride : {1, 2, 3, -1, 0}) {
    for (const std::int64_t y_stride : {1, 3, -2, 0}) {
      const std::size_t x_start = x_stride < 0 ? 2 * n : 5;
      const std::size_t y_start = y_stride < 0 ? 3 * n : 7;
      fit fit(ctx(), edges);
      fit.add(array(engine_x.data() + x_start, x_stride),
              array(engine_y.data() + y_start, y_stride), no_array(), n, nullptr, 0, nullptr);
      std::vector<double> plain_x(n);
      std::vector<double> plain_y(n);
      for (std::size_t i = 0; i < n; ++i) {
        const auto k = static_cast<std::int64_t>(i);
        plain_x[i] = x[static_cast<std::size_t>(static_cast<std::int64_t>(x_start) + k * x_stride)];
        plain_y[i] = y[static_cast<std::size_t>(static_cast<std::int64_t>(y_start) + k * y_stride)];
      }
      const model model = fit.finish();
      expect_close(model, naive::fit(edges, plain_x, plain_y), 1);
    }
  }
}

TEST_P(fit_test, merging_is_exact_and_empty_states_change_nothing) {
  const auto edges = equal_edges(30);
  const auto x = uniform_sample<double>(5000, 0, 1, 10);
  const auto y = uniform_sample<double>(5000, -1e6, 1e6, 11);
  fit whole(ctx(), edges);
  add(whole, x, y);
  const auto bytes = whole.serialize();
  fit left(ctx(), edges);
  fit right(ctx(), edges);
  add(left, std::vector<double>(x.begin(), x.begin() + 1234),
      std::vector<double>(y.begin(), y.begin() + 1234));
  add(right, std::vector<double>(x.begin() + 1234, x.end()),
      std::vector<double>(y.begin() + 1234, y.end()));
  right.merge(left);
  EXPECT_EQ(right.serialize(), bytes);
  right.merge(fit(ctx(), edges));
  EXPECT_EQ(right.serialize(), bytes);
  fit empty(ctx(), edges);
  empty.merge(right);
  EXPECT_EQ(empty.serialize(), bytes);
  EXPECT_EQ(fit::deserialize(ctx(), bytes).serialize(), bytes);
  // A state that came back from bytes goes on like the one it was.
  fit again = fit::deserialize(ctx(), left.serialize());
  add(again, std::vector<double>(x.begin() + 1234, x.end()),
      std::vector<double>(y.begin() + 1234, y.end()));
  EXPECT_EQ(again.serialize(), bytes);
}

TEST_P(fit_test, states_that_cannot_be_merged) {
  fit base(ctx(), {0, 1, 2});
  const auto text_of = [&](const fit& other) {
    std::string text;
    EXPECT_EQ(status_of([&] { base.merge(other); }, &text), ZCMOE_ERR_INCOMPATIBLE);
    return text;
  };
  using testing::HasSubstr;
  EXPECT_THAT(text_of(fit(ctx(), {0, 1})), HasSubstr("source has 1 segments, fit has 2"));
  EXPECT_THAT(text_of(fit(ctx(), {0, 1.5, 2})), HasSubstr("source edges[1]=1.5, fit edges[1]=1"));
  zcmoe_fit_options how = fit_options();
  how.target_dtype = ZCMOE_F32;
  EXPECT_THAT(text_of(fit(ctx(), {0, 1, 2}, model_options(), how)), HasSubstr("target_dtype=F32"));
  how = fit_options();
  how.weighted = 1;
  EXPECT_THAT(text_of(fit(ctx(), {0, 1, 2}, model_options(), how)), HasSubstr("weighted=1"));
  // Whatever decides where a row goes or what is answered must agree, or the order would show.
  const auto with = [&](auto&& change) {
    zcmoe_model_options options = model_options();
    change(options);
    return text_of(fit(ctx(), {0, 1, 2}, options));
  };
  EXPECT_THAT(with([](auto& o) { o.closed_side = ZCMOE_CLOSED_RIGHT; }), HasSubstr("closed_side"));
  EXPECT_THAT(with([](auto& o) { o.empty_policy = ZCMOE_EMPTY_NAN; }), HasSubstr("policy"));
  EXPECT_THAT(with([](auto& o) { o.nan_value = 3; }), HasSubstr("policy"));
  EXPECT_THAT(with([](auto& o) { o.shrinkage = 3; }), HasSubstr("policy"));
  how = fit_options();
  how.nan_inputs = ZCMOE_ROWS_ERROR;
  EXPECT_THAT(text_of(fit(ctx(), {0, 1, 2}, model_options(), how)), HasSubstr("policy"));
  zcmoe_model_options names = model_options();
  names.feature_name = "other";
  EXPECT_EQ(status_of([&] { base.merge(fit(ctx(), {-0.0, 1, 2}, names)); }), ZCMOE_OK);
  EXPECT_EQ(fit(ctx(), {-0.0, 1, 2}).serialize(), fit(ctx(), {0.0, 1, 2}).serialize());
}

TEST_P(fit_test, wrong_arguments_are_named) {
  using testing::HasSubstr;
  const auto create = [&](const std::vector<double>& edges, auto&& change) {
    zcmoe_model_options options = model_options();
    zcmoe_fit_options how = fit_options();
    change(options, how);
    std::string text;
    EXPECT_EQ(status_of([&] { fit(ctx(), edges, options, how); }, &text),
              ZCMOE_ERR_INVALID_ARGUMENT);
    return text;
  };
  const auto nothing = [](auto&, auto&) {};
  EXPECT_THAT(create({0}, nothing), HasSubstr("num_segments=0"));
  EXPECT_THAT(create({0, 0.5, 0.5}, nothing),
              HasSubstr("edges[2]=0.5 is not greater than edges[1]=0.5"));
  EXPECT_THAT(create({0, infinity}, nothing), HasSubstr("edges[1]=inf"));
  EXPECT_THAT(create({not_a_number, 1}, nothing), HasSubstr("edges[0]=nan"));
  EXPECT_THAT(create({0, 1}, [](auto& o, auto&) { o.nan_policy = 7; }), HasSubstr("nan_policy=7"));
  EXPECT_THAT(create({0, 1}, [](auto& o, auto&) { o.empty_value = -infinity; }),
              HasSubstr("empty_value=-inf"));
  EXPECT_THAT(create({0, 1}, [](auto& o, auto&) { o.shrinkage = -1; }), HasSubstr("shrinkage=-1"));
  EXPECT_THAT(create({0, 1}, [](auto& o, auto&) { o.feature_name = "\xff"; }),
              HasSubstr("feature_name"));
  EXPECT_THAT(create({0, 1}, [](auto&, auto& h) { h.target_dtype = ZCMOE_F16; }),
              HasSubstr("target_dtype=3"));
  EXPECT_THAT(create({0, 1}, [](auto&, auto& h) { h.weighted = 2; }), HasSubstr("weighted=2"));

  zcmoe_fit_options narrow = fit_options();
  narrow.target_dtype = ZCMOE_F32;
  fit fit(ctx(), {0, 1}, model_options(), narrow);
  const auto data = on_engine(std::vector<double>(8));
  const auto add_text = [&](zcmoe_array x, zcmoe_array y, zcmoe_array w, std::int64_t n) {
    std::string text;
    EXPECT_EQ(status_of([&] { fit.add(x, y, w, n, nullptr, 0, nullptr); }, &text),
              ZCMOE_ERR_INVALID_ARGUMENT);
    return text;
  };
  EXPECT_THAT(add_text(array(data.data()), array(data.data()), no_array(), 1),
              HasSubstr("y.dtype is F64"));
  EXPECT_THAT(add_text(array(data.data()), {data.data(), ZCMOE_I8, 1}, no_array(), 1),
              HasSubstr("y.dtype=5"));
  EXPECT_THAT(add_text(array(data.data()), {data.data(), ZCMOE_F32, 1}, array(data.data()), 1),
              HasSubstr("weights.data is given"));
  EXPECT_THAT(add_text(array(data.data()), {nullptr, ZCMOE_F32, 1}, no_array(), 1),
              HasSubstr("y.data is null"));
  EXPECT_THAT(add_text(array(data.data()), {data.data(), ZCMOE_F32, 1}, no_array(), -5),
              HasSubstr("n=-5"));
}

TEST_P(fit_test, workspace_is_monotone_and_checked) {
  fit fit(ctx(), equal_edges(100));
  std::size_t last = 0;
  for (std::int64_t n = 0; n <= (std::int64_t{1} << 40); n = n * 2 + 1) {
    const std::size_t bytes = fit.workspace(n);
    EXPECT_GE(bytes, last);
    last = bytes;
  }
  if (engine() == ZCMOE_ENGINE_CPU) {
    EXPECT_EQ(last, 0u);
    return;
  }
  const auto x = uniform_sample<double>(200000, 0, 1, 12);
  const auto engine_x = on_engine(x);
  const auto workspace = on_engine(std::vector<char>(fit.workspace(65536) + 256));
  auto* const aligned = reinterpret_cast<char*>(
      (reinterpret_cast<std::uintptr_t>(workspace.data()) + 255) / 256 * 256);
  EXPECT_EQ(status_of([&] {
              fit.add(array(engine_x.data()), array(engine_x.data()), no_array(), 200000, aligned,
                      1024, nullptr);
            }),
            ZCMOE_ERR_WORKSPACE);
  EXPECT_EQ(status_of([&] {
              fit.add(array(engine_x.data()), array(engine_x.data()), no_array(), 200000,
                      aligned + 8, 1 << 20, nullptr);
            }),
            ZCMOE_ERR_INVALID_ARGUMENT);
  // A workspace for 65 536 rows does any number, in chunks.
  fit.add(array(engine_x.data()), array(engine_x.data()), no_array(), 200000, aligned,
          fit.workspace(65536), nullptr);
  zcmoe::fit other(ctx(), equal_edges(100));
  add(other, x, x);
  EXPECT_EQ(fit.serialize(), other.serialize());
}

TEST_P(fit_test, more_than_2_to_the_31_rows) {
  // Broadcast inputs: no memory, all counters; in chunks. Minutes, so on request only.
  if (std::getenv("ZCMOE_LONG_TESTS") == nullptr) return;
  fit fit(ctx(), {0, 1, 2});
  const auto one = on_engine(std::vector<float>{1.0f});
  const std::int64_t n = (std::int64_t{1} << 31) + 7;
  fit.add({one.data(), ZCMOE_F32, 0}, {one.data(), ZCMOE_F32, 0}, no_array(), n, nullptr, 0,
          nullptr);
  const model model = fit.finish();
  EXPECT_EQ(model.info().counts[1], n);
  EXPECT_EQ(model.info().constants[1], 1.0);
  EXPECT_EQ(model.info().variances[1], 0.0);
}

ZCMOE_INSTANTIATE_ENGINES(fit_test);

}  // namespace
}  // namespace zcmoe::test
