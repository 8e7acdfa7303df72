// Experts that are lines, on both engines: against least squares in long double, of each segment
// and of all values at the edges at once; what becomes of rows that give no line; policies,
// predictions of every type, files.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <zcmoe/model_view.hpp>

#include <algorithm>
#include <numeric>

namespace zcmoe::test {
namespace {

zcmoe_model_options with_experts(std::int32_t experts) {
  zcmoe_model_options options = model_options();
  options.experts = experts;
  return options;
}

struct rows {
  std::vector<double> x, y, w;
};

/// Rows that lie in [0, 1), more of them near 0, about a curve, with weights.
rows curved(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  std::normal_distribution<double> normal;
  rows r;
  for (std::size_t i = 0; i < n; ++i) {
    r.x.push_back(unit(random) * unit(random));
    r.y.push_back(1000 + std::sin(7 * r.x[i]) + 0.1 * normal(random));
    r.w.push_back(std::exp(normal(random)));
  }
  return r;
}

constexpr std::int32_t no_weights = -1;
constexpr std::int32_t kinds_of_weights[] = {no_weights, ZCMOE_WEIGHTS_SAMPLING,
                                             ZCMOE_WEIGHTS_PRECISION};

class lines_test : public engine_test {
 protected:
  model fitted(const std::vector<double>& edges, const rows& r, const zcmoe_model_options& options,
               bool weighted = false) const {
    zcmoe_fit_options how = fit_options();
    how.weighted = weighted ? 1 : 0;
    fit fit(ctx(), edges, options, how);
    fit.add_sync(array(r.x.data()), array(r.y.data()), weighted ? array(r.w.data()) : no_array(),
                 static_cast<std::int64_t>(r.x.size()));
    return fit.finish();
  }
};

TEST_P(lines_test, linear_experts_are_least_squares_lines) {
  const std::vector<double> edges = {0.0, 0.05, 0.2, 0.21, 0.6, 1.0};
  const std::size_t m = edges.size() - 1;
  const rows r = curved(4000, 1);
  for (const std::int32_t kind : kinds_of_weights) {
    const bool weighted = kind != no_weights;
    zcmoe_model_options options = with_experts(ZCMOE_EXPERTS_LINEAR);
    if (weighted) options.weights_kind = kind;
    const bool precise = options.weights_kind == ZCMOE_WEIGHTS_PRECISION;
    const model linear = fitted(edges, r, options, weighted);
    const zcmoe_model_info info = linear.info();
    ASSERT_NE(info.lines, nullptr);
    EXPECT_EQ(info.options.experts, ZCMOE_EXPERTS_LINEAR);
    for (std::size_t i = 0; i < m; ++i) {
      SCOPED_TRACE("segment " + std::to_string(i) + " weights " + std::to_string(kind));
      long double w = 0, ww = 0, x = 0, y = 0, xx = 0, xy = 0, residual = 0;
      double least = infinity, greatest = -infinity;
      const auto each = [&](const auto& body) {
        for (std::size_t k = 0; k < r.x.size(); ++k) {
          if (naive::segment(edges, r.x[k]) == i)
            body(static_cast<long double>(r.x[k]), static_cast<long double>(r.y[k]),
                 weighted ? static_cast<long double>(r.w[k]) : 1.0L);
        }
      };
      each([&](long double xk, long double yk, long double wk) {
        w += wk;
        ww += wk * wk;
        x += wk * xk;
        y += wk * yk;
        least = std::min(least, static_cast<double>(xk));
        greatest = std::max(greatest, static_cast<double>(xk));
      });
      x /= w;
      y /= w;
      each([&](long double xk, long double yk, long double wk) {
        xx += wk * (xk - x) * (xk - x);
        xy += wk * (xk - x) * (yk - y);
      });
      const long double slope = xy / xx;
      each([&](long double xk, long double yk, long double wk) {
        const long double off = yk - y - slope * (xk - x);
        residual += wk * off * off;
      });
      const auto count = static_cast<long double>(info.counts[i]);
      const long double effective = w * w / ww;
      // The variance of a line's values, over the samples, is 2 variance / divisor.
      const auto variance = static_cast<double>(
          precise ? residual / (count - 2) : residual / w * effective / (effective - 2));
      const auto divisor = static_cast<double>(precise ? w : effective);
      const zcmoe_line& line = info.lines[i];
      const double width = edges[i + 1] - edges[i];
      // Inputs are taken to within 2^-31 of the segment's width.
      EXPECT_NEAR(line.slope, static_cast<double>(slope), 1e-9 * std::abs(line.slope));
      EXPECT_NEAR(line.from, least, 1e-9 * width);
      EXPECT_NEAR(line.to, greatest, 1e-9 * width);
      EXPECT_NEAR(line.value, static_cast<double>(y + slope * (least - x)), 1e-9);
      EXPECT_NEAR(info.constants[i], static_cast<double>(y), 1e-12 * 1000);
      EXPECT_NEAR(info.variances[i], variance, 1e-8 * variance);
      EXPECT_NEAR(info.standard_errors[i], std::sqrt(variance * 2 / divisor),
                  1e-8 * info.standard_errors[i]);
    }
  }
}

/// Values at the edges by least squares: normal equations in long double, solved by elimination.
std::vector<long double> node_values(const std::vector<double>& edges, const rows& r,
                                     bool weighted) {
  const std::size_t n = edges.size();
  std::vector<std::vector<long double>> a(n, std::vector<long double>(n + 1, 0));
  for (std::size_t k = 0; k < r.x.size(); ++k) {
    const std::size_t i = naive::segment(edges, r.x[k]);
    const long double u = (static_cast<long double>(r.x[k]) - edges[i]) /
                          (static_cast<long double>(edges[i + 1]) - edges[i]);
    const long double w = weighted ? r.w[k] : 1.0L;
    const long double share[2] = {1 - u, u};
    for (std::size_t p = 0; p < 2; ++p) {
      for (std::size_t q = 0; q < 2; ++q) a[i + p][i + q] += w * share[p] * share[q];
      a[i + p][n] += w * share[p] * r.y[k];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const long double factor = a[j][i] / a[i][i];
      for (std::size_t k = i; k <= n; ++k) a[j][k] -= factor * a[i][k];
    }
  }
  std::vector<long double> value(n);
  for (std::size_t i = n; i-- > 0;) {
    value[i] = a[i][n];
    for (std::size_t k = i + 1; k < n; ++k) value[i] -= a[i][k] * value[k];
    value[i] /= a[i][i];
  }
  return value;
}

TEST_P(lines_test, interpolating_experts_share_values_of_least_squares) {
  const std::vector<double> edges = {0.0, 0.05, 0.2, 0.3, 0.6, 1.0};
  const std::size_t m = edges.size() - 1;
  const rows r = curved(4000, 2);
  for (const std::int32_t kind : kinds_of_weights) {
    const bool weighted = kind != no_weights;
    zcmoe_model_options options = with_experts(ZCMOE_EXPERTS_INTERPOLATE);
    if (weighted) options.weights_kind = kind;
    const model shared = fitted(edges, r, options, weighted);
    const zcmoe_model_info info = shared.info();
    const std::vector<long double> nodes = node_values(edges, r, weighted);
    for (std::size_t i = 0; i < m; ++i) {
      const zcmoe_line& line = info.lines[i];
      EXPECT_EQ(line.from, edges[i]);
      EXPECT_EQ(line.to, edges[i + 1]);
      EXPECT_NEAR(line.value, static_cast<double>(nodes[i]), 1e-8) << i;
      EXPECT_NEAR(value_of(line, edges[i + 1]), static_cast<double>(nodes[i + 1]), 1e-8) << i;
    }
    // The parameters that segments take add up to those of the model.
    double parameters = 0;
    if (kind == ZCMOE_WEIGHTS_SAMPLING) continue;
    for (std::size_t i = 0; i < m; ++i) {
      const double own =
          info.standard_errors[i] * info.standard_errors[i] / info.variances[i] * info.weights[i];
      parameters += own;
      long double squares = 0;
      for (std::size_t k = 0; k < r.x.size(); ++k) {
        if (naive::segment(edges, r.x[k]) != i) continue;
        const long double off = r.y[k] - static_cast<long double>(value_of(info.lines[i], r.x[k]));
        squares += (weighted ? r.w[k] : 1.0) * off * off;
      }
      const auto variance =
          static_cast<double>(squares) / (static_cast<double>(info.counts[i]) - own);
      EXPECT_NEAR(info.variances[i], variance, 1e-7 * variance) << i;
    }
    EXPECT_NEAR(parameters, static_cast<double>(m) + 1, 1e-5);
  }
}

TEST_P(lines_test, error_falls_with_the_fourth_power_of_the_segments) {
  // y = sin 2 pi x without noise: 1/720 m^4 times the integral of the second derivative squared,
  // for lines of their own and for shared values; 49/2880 for constants read by interpolation
  // (theory, section 9.2).
  const std::size_t n = 200000;
  rows r;
  for (std::size_t i = 0; i < n; ++i) {
    r.x.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(n));
    r.y.push_back(std::sin(2 * M_PI * r.x[i]));
  }
  const auto error_of = [&](const model& of) {
    const std::vector<double> found = of.predict_sync(r.x);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += (found[i] - r.y[i]) * (found[i] - r.y[i]);
    return sum / static_cast<double>(n);
  };
  const double m = 64;
  const auto edges = uniform_edges(0, 1, static_cast<std::int64_t>(m));
  const double unit = std::pow(2 * M_PI, 4) / 2 / std::pow(m, 4);
  const double linear = error_of(fitted(edges, r, with_experts(ZCMOE_EXPERTS_LINEAR)));
  const double shared = error_of(fitted(edges, r, with_experts(ZCMOE_EXPERTS_INTERPOLATE)));
  const double read = error_of(fitted(edges, r, model_options()).interpolated());
  EXPECT_NEAR(linear / unit * 720, 1, 0.01);
  EXPECT_NEAR(shared / unit * 720, 1, 0.05);
  EXPECT_NEAR(read / unit * 2880 / 49, 1, 0.1);
}

TEST_P(lines_test, rows_that_give_no_line_give_a_constant) {
  const auto linear = [&](const rows& r) {
    return fitted({0, 1, 2, 3, 4}, r, with_experts(ZCMOE_EXPERTS_LINEAR));
  };
  // Two rows; three at one input; three so close that positions cannot part them; none.
  const model few = linear(
      {{0.1, 0.9, 1.5, 1.5, 1.5, 2.5, 2.5 + 1e-13, 2.5 + 2e-13}, {1, 3, 5, 6, 10, 1, 2, 30}, {}});
  const std::vector<double> answers =
      few.predict_sync(std::vector<double>{0.1, 0.9, 1.2, 2.9, 3.5});
  EXPECT_EQ(answers, (std::vector<double>{2, 2, 7, 11, 11}));
  EXPECT_EQ(few.info().variances[0], 2.0);
  // A line is level beyond its first and its last row.
  const model line = linear({{0.25, 0.5, 0.75}, {1, 2, 3}, {}});
  EXPECT_EQ(line.predict_sync(std::vector<double>{-infinity, 0.0, 0.25, 0.5, 0.75, 0.9}),
            (std::vector<double>{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(line.info().variances[0], 0.0);
  // NaN and no rows at all.
  const model none = linear({});
  EXPECT_TRUE(std::isnan(none.predict_sync(std::vector<double>{0.5})[0]));
}

TEST_P(lines_test, shared_values_go_straight_through_segments_without_rows) {
  const rows r{{0.1, 0.9, 4.1, 4.9}, {1, 1.8, 5, 5.8}, {}};
  const std::vector<double> edges = {0, 1, 2, 3, 4, 5};
  const std::vector<double> x = {0.5, 1.5, 2.0, 2.5, 3.75, 4.5};
  const model straight = fitted(edges, r, with_experts(ZCMOE_EXPERTS_INTERPOLATE));
  const std::vector<double> found = straight.predict_sync(x);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(found[i], 0.9 + x[i], 1e-6) << i;
  // Continuous.
  for (std::size_t i = 0; i + 2 < edges.size(); ++i) {
    EXPECT_NEAR(value_of(straight.info().lines[i], edges[i + 1]),
                straight.info().lines[i + 1].value, 1e-12);
  }
  zcmoe_model_options told = with_experts(ZCMOE_EXPERTS_INTERPOLATE);
  told.empty_policy = ZCMOE_EMPTY_VALUE;
  told.empty_value = -7;
  EXPECT_EQ(fitted(edges, r, told).predict_sync(std::vector<double>{1.5, 2.5, 3.5}),
            (std::vector<double>{-7, -7, -7}));
}

TEST_P(lines_test, every_output_type_and_place_agrees_with_the_view) {
  const rows r = curved(3000, 3);
  for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE}) {
    for (const std::int64_t m :
         {std::int64_t{1}, std::int64_t{7}, std::int64_t{700}, std::int64_t{20000}}) {
      zcmoe_model_options options = with_experts(experts);
      options.range_policy = m == 7 ? ZCMOE_RANGE_VALUE : ZCMOE_RANGE_CLAMP;
      options.range_value = -1;
      options.nan_policy = m == 7 ? ZCMOE_NAN_VALUE : ZCMOE_NAN_PROPAGATE;
      options.nan_value = 5;
      const model model = fitted(uniform_edges(0, 1, m), r, options);
      model_view view{};
      const context cpu(ZCMOE_ENGINE_CPU);
      const zcmoe::model copy = zcmoe::model::deserialize(cpu, model.serialize());
      static_cast<zcmoe_model_view&>(view) = copy.view();
      std::mt19937_64 random(4);
      std::vector<double> x = {not_a_number, infinity, -infinity, -0.0, 0.0, 1.0, -1e-300, 1.5};
      while (x.size() < 5003)
        x.push_back(static_cast<double>(random() >> 11) * 0x1p-53 * 1.1 - 0.05);
      std::vector<float> narrow(x.begin(), x.end());
      std::vector<double> expected, of_narrow;
      for (std::size_t i = 0; i < x.size(); ++i) {
        expected.push_back(view.value_at(x[i]));
        of_narrow.push_back(view.value_at(static_cast<double>(narrow[i])));
      }
      const auto as_float = [](const std::vector<double>& values) {
        return std::vector<float>(values.begin(), values.end());
      };
      SCOPED_TRACE(std::to_string(m) + " segments, experts " + std::to_string(experts));
      ASSERT_TRUE(same_bits(model.predict_sync(x), expected));
      ASSERT_TRUE(same_bits(model.predict_sync(narrow), as_float(of_narrow)));
      // In place, with segments, with a stride, and a report.
      const auto n = static_cast<std::int64_t>(x.size());
      const auto in_place = on_engine(narrow);
      const auto segments = on_engine(std::vector<std::int32_t>(x.size(), -5));
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(in_place.data());
      outputs.segments = output(segments.data());
      model.predict(array(in_place.data()), n, outputs, nullptr);
      ASSERT_TRUE(same_bits(in_place.host(), as_float(of_narrow)));
      ASSERT_EQ(segments.host()[7], m == 7 ? -1 : static_cast<std::int32_t>(m - 1));
      const auto strided = on_engine(std::vector<double>(2 * x.size(), 9.0));
      const auto wide_x = on_engine(x);
      outputs = predict_outputs();
      outputs.values = output(strided.data(), 2);
      model.predict(array(wide_x.data()), n, outputs, nullptr);
      const std::vector<double> every_other = strided.host();
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(
            same_bits(std::vector<double>{every_other[2 * i]}, std::vector<double>{expected[i]}));
        ASSERT_EQ(every_other[2 * i + 1], 9.0);
      }
    }
  }
}

TEST_P(lines_test, extremes_of_range_and_target_do_not_overflow) {
  const double huge = std::numeric_limits<double>::max();
  const std::vector<double> x = {-huge, -huge / 2, 0, huge / 2, huge};
  for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE}) {
    const auto options = with_experts(experts);
    const model wide = fitted({-huge, 0, huge}, {x, {1, 2, 3, 4, 5}, {}}, options);
    for (const double value : wide.predict_sync(x)) EXPECT_TRUE(value >= 1 && value <= 5) << value;
    const model tall = fitted({0, 1}, {{0, 0.5, 1}, {-huge, huge, huge}, {}}, options);
    for (const double value : tall.predict_sync(std::vector<double>{0, 0.5, 1}))
      EXPECT_TRUE(std::isfinite(value)) << value;
    const double tiny = std::numeric_limits<double>::denorm_min();
    const model thin =
        fitted({0, tiny, 2 * tiny}, {{0, 0, tiny, tiny, tiny}, {1, 1, 2, 2, 2}, {}}, options);
    EXPECT_NEAR(thin.predict_sync(std::vector<double>{tiny})[0], 2, 1e-3);
    // Rows about an edge, whose line overflows before it comes to the other ones.
    const model steep =
        fitted({0, 1, 2}, {{0.9, 0.9, 0.9, 1.1}, {-8e307, -8e307, -8e307, 8e307}, {}}, options);
    for (const double value : steep.predict_sync(std::vector<double>{0, 0.9, 1.1, 2}))
      EXPECT_TRUE(std::isfinite(value)) << value;
    EXPECT_EQ(model::deserialize(ctx(), steep.serialize()).serialize(), steep.serialize());
  }
}

TEST_P(lines_test, rows_outside_the_range_count_at_its_ends) {
  // All rows lie on y = x, those outside where they are clamped to: at 0 and 2.
  const rows r{
      {-7, -infinity, 0.25, 0.5, 0.75, 1.25, 1.5, 1.75, 2.5, 90, infinity, std::nextafter(2.0, 3)},
      {0, 0, 0.25, 0.5, 0.75, 1.25, 1.5, 1.75, 2, 2, 2, 2},
      {}};
  const std::vector<double> x = {-9, 0, 0.25, 1, 1.75, 2, 9};
  for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE}) {
    const std::vector<double> found = fitted({0, 1, 2}, r, with_experts(experts)).predict_sync(x);
    const double right = experts == ZCMOE_EXPERTS_LINEAR ? 1.25 : 1.0;  // level up to its first row
    const std::vector<double> expected = {0, 0, 0.25, right, 1.75, 2, 2};
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-9) << x[i];
  }
}

TEST_P(lines_test, interpolated_reads_constants_between_centres) {
  const model steps(ctx(), {0, 1, 2, 4}, {10, 20, 50});
  const model read = steps.interpolated();
  EXPECT_EQ(read.info().num_segments, 2);
  EXPECT_EQ(read.info().options.experts, ZCMOE_EXPERTS_INTERPOLATE);
  // Centres 0.5, 1.5 and 3; the outer lines go on to the ends, and level beyond them.
  EXPECT_EQ(read.predict_sync(std::vector<double>{-9, 0, 0.5, 1, 1.5, 2.25, 3, 4, 9}),
            (std::vector<double>{5, 5, 10, 15, 20, 35, 50, 70, 70}));
  EXPECT_EQ(model(ctx(), {0, 1}, {3}).interpolated().predict_sync(std::vector<double>{0, 1}),
            (std::vector<double>{3, 3}));
  EXPECT_EQ(status_of([&] { (void)read.interpolated(); }), ZCMOE_ERR_INVALID_ARGUMENT);
  // What lies outside the range is answered as before.
  zcmoe_model_options options = model_options();
  options.range_policy = ZCMOE_RANGE_VALUE;
  options.range_value = infinity;
  options.nan_policy = ZCMOE_NAN_VALUE;
  options.nan_value = -1;
  const model outside = model(ctx(), {0, 1, 2}, {1, 2}, options).interpolated();
  EXPECT_EQ(outside.predict_sync(std::vector<double>{-1, 1, 3, not_a_number}),
            (std::vector<double>{infinity, 1.5, infinity, -1}));
  // Segments as narrow as doubles are: centres may be one number.
  const double up = std::nextafter(1.0, 2.0);
  const model narrow = model(ctx(), {1.0, up, std::nextafter(up, 2.0)}, {1, 2}).interpolated();
  EXPECT_GE(narrow.info().num_segments, 1);
}

TEST_P(lines_test, files_and_states_keep_lines) {
  const rows r = curved(500, 5);
  const auto edges = uniform_edges(0, 1, 9);
  for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE}) {
    const model made = fitted(edges, r, with_experts(experts));
    const model read = model::deserialize(ctx(), made.serialize());
    EXPECT_EQ(read.serialize(), made.serialize());
    EXPECT_TRUE(same_bits(read.predict_sync(r.x), made.predict_sync(r.x)));
    // The lines are all that a model of known lines needs.
    const zcmoe_model_info info = made.info();
    const model known = model::of_lines(
        ctx(), edges, std::vector<zcmoe_line>(info.lines, info.lines + 9), with_experts(experts));
    EXPECT_TRUE(same_bits(known.predict_sync(r.x), made.predict_sync(r.x)));
  }
  fit lines(ctx(), edges, with_experts(ZCMOE_EXPERTS_LINEAR));
  fit constants(ctx(), edges);
  EXPECT_EQ(status_of([&] { lines.merge(constants); }), ZCMOE_ERR_INCOMPATIBLE);
  EXPECT_EQ(status_of([&] { constants.merge(lines); }), ZCMOE_ERR_INCOMPATIBLE);
}

TEST_P(lines_test, wrong_lines_and_options_are_refused) {
  const auto made = [&](zcmoe_line line, std::int32_t experts = ZCMOE_EXPERTS_LINEAR) {
    std::string text;
    const zcmoe_status status = status_of(
        [&] {
          (void)model::of_lines(ctx(), {0, 1}, {line}, with_experts(experts));
        },
        &text);
    EXPECT_EQ(status, ZCMOE_ERR_INVALID_ARGUMENT);
    return text;
  };
  EXPECT_THAT(made({1, 0, 0, 1}), testing::HasSubstr("lines[0] from=1 to=0"));
  EXPECT_THAT(made({0, infinity, 0, 1}), testing::HasSubstr("to=inf"));
  EXPECT_THAT(made({0, 1, 0, not_a_number}), testing::HasSubstr("slope=nan"));
  EXPECT_THAT(made({0, 1, infinity, 0}), testing::HasSubstr("value=inf"));
  EXPECT_THAT(made({0, 4, 0, 1e308}), testing::HasSubstr("leads to infinity"));
  EXPECT_THAT(made({0, 1, 0, 1}, ZCMOE_EXPERTS_CONSTANT), testing::HasSubstr("lines are given"));
  zcmoe_model_options options = with_experts(ZCMOE_EXPERTS_LINEAR);
  options.shrinkage = 1;
  EXPECT_EQ(status_of([&] { fit(ctx(), {0, 1}, options); }), ZCMOE_ERR_INVALID_ARGUMENT);
  options = with_experts(3);
  EXPECT_EQ(status_of([&] { fit(ctx(), {0, 1}, options); }), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] {
              model(ctx(), {0, 1}, {1}, with_experts(1));
            }),
            ZCMOE_ERR_INVALID_ARGUMENT);
}

ZCMOE_INSTANTIATE_ENGINES(lines_test);

}  // namespace
}  // namespace zcmoe::test
