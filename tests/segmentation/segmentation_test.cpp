// Edge builders through the C interface: closed forms, properties, degenerate inputs, and every
// refusal with its text. The tables of the reference cases are in reference_cases_test.cpp.
#include <zcmoe/zcmoe.h>

#include <boost/math/quadrature/gauss.hpp>
#include <boost/multiprecision/cpp_int.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double largest = std::numeric_limits<double>::max();
const double pi = std::acos(-1.0);

using function = std::function<double(double)>;

struct known {
  function density;
  function slope;
  function regression;
};

double density_of(void* user, double x) { return static_cast<known*>(user)->density(x); }
double slope_of(void* user, double x) { return static_cast<known*>(user)->slope(x); }
double regression_of(void* user, double x) { return static_cast<known*>(user)->regression(x); }
double call(void* user, double x) { return (*static_cast<function*>(user))(x); }

double one(double) { return 1.0; }

struct table {
  zcmoe_status status;
  std::vector<double> edges;
  std::string error;
};

/// Runs a builder and returns what it wrote; checks that it wrote nothing else.
template <class Build>
table built(std::int64_t num_segments, const Build& build) {
  constexpr double untouched = -12345.678;
  table t{ZCMOE_OK, std::vector<double>(static_cast<std::size_t>(num_segments) + 1, untouched), ""};
  std::int64_t num_built = -1;
  t.status = build(t.edges.data(), &num_built);
  if (t.status != ZCMOE_OK) {
    t.error = zcmoe_last_error();
    for (const double e : t.edges) EXPECT_EQ(e, untouched);
    t.edges.clear();
    return t;
  }
  EXPECT_GE(num_built, 1);
  EXPECT_LE(num_built, num_segments);
  for (auto i = static_cast<std::size_t>(num_built) + 1; i < t.edges.size(); ++i)
    EXPECT_EQ(t.edges[i], untouched);
  t.edges.resize(static_cast<std::size_t>(num_built) + 1);
  EXPECT_EQ(zcmoe_segment_check(t.edges.data(), num_built), ZCMOE_OK) << zcmoe_last_error();
  return t;
}

table uniform(double lo, double hi, std::int64_t m) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    *num_built = m;
    return zcmoe_segment_uniform(lo, hi, m, edges);
  });
}

table optimal(known& k, double lo, double hi, std::int64_t m,
              const zcmoe_density_options* options = nullptr) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_optimal(density_of, slope_of, &k, lo, hi, m, options, edges, num_built);
  });
}

table density(function f, double lo, double hi, std::int64_t m,
              const zcmoe_density_options* options = nullptr) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_density(call, &f, lo, hi, m, options, edges, num_built);
  });
}

zcmoe_array array(const std::vector<double>& v) { return {v.data(), ZCMOE_F64, 1}; }
const zcmoe_array no_weights = {nullptr, ZCMOE_F64, 1};

table quantile(const std::vector<double>& x, std::int64_t m, const std::vector<double>& w = {}) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_quantile(array(x), w.empty() ? no_weights : array(w),
                                  static_cast<std::int64_t>(x.size()), m, edges, num_built);
  });
}

table from_data(const std::vector<double>& x, const std::vector<double>& y, std::int64_t m,
                const zcmoe_plug_in_options* options = nullptr, const std::vector<double>& w = {}) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_compander_from_data(array(x), array(y), w.empty() ? no_weights : array(w),
                                             static_cast<std::int64_t>(x.size()), m, options, edges,
                                             num_built);
  });
}

std::vector<double> constants(known& k, const std::vector<double>& edges,
                              zcmoe_constant_rule rule) {
  std::vector<double> c(edges.size() - 1);
  EXPECT_EQ(zcmoe_optimal_constants(density_of, regression_of, &k, edges.data(),
                                    static_cast<std::int64_t>(c.size()), rule, c.data()),
            ZCMOE_OK)
      << zcmoe_last_error();
  return c;
}

/// The inverse of a distribution function at i/m.
std::vector<double> at_shares(std::int64_t m, const function& inverse) {
  std::vector<double> v;
  for (std::int64_t i = 0; i <= m; ++i)
    v.push_back(inverse(static_cast<double>(i) / static_cast<double>(m)));
  return v;
}

/// Every segment carries the same integral of lambda (smooth on each of 64 pieces of a segment).
void expect_equal_mass(const std::vector<double>& edges, const function& lambda) {
  using gauss = boost::math::quadrature::gauss<double, 20>;
  std::vector<double> mass;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    double sum = 0.0;
    const double step = (edges[i + 1] - edges[i]) / 64;
    for (int k = 0; k < 64; ++k) {
      sum += gauss::integrate(lambda, edges[i] + k * step, edges[i] + (k + 1) * step);
    }
    mass.push_back(sum);
  }
  const double mean =
      std::accumulate(mass.begin(), mass.end(), 0.0) / static_cast<double>(mass.size());
  for (const double v : mass) EXPECT_NEAR(v / mean, 1.0, 1e-9);
}

// ------------------------------------------------------------------ uniform

TEST(uniform, edges_are_i_over_m) {
  for (const std::int64_t m : {1, 2, 7, 22, 1000}) {
    const auto e = uniform(0, 1, m).edges;
    for (std::size_t i = 0; i < e.size(); ++i)
      EXPECT_EQ(e[i], static_cast<double>(i) / static_cast<double>(m));
  }
}

/// A double as a whole number of 2^-1074.
boost::multiprecision::cpp_int exact(double v) {
  int exponent = 0;
  const double fraction = std::frexp(v, &exponent);
  const boost::multiprecision::cpp_int digits = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  const int shift = exponent - 53 + 1074;
  if (shift < 0)
    return digits / (boost::multiprecision::cpp_int(1) << static_cast<unsigned>(-shift));
  return digits << static_cast<unsigned>(shift);
}

TEST(uniform, edges_are_correctly_rounded) {
  std::mt19937_64 bits(7);
  const auto real = [&](int spread) {
    const double fraction = std::ldexp(static_cast<double>(bits() >> 11), -53) + 1;
    const int exponent = static_cast<int>(bits() % static_cast<unsigned>(2 * spread)) - spread;
    return std::ldexp(bits() % 2 != 0 ? fraction : -fraction, exponent);
  };
  std::vector<std::pair<double, double>> ranges = {{-largest, largest},    {0, largest},
                                                   {-1, 1 + 0x1p-50},      {1e15, 1e15 + 100},
                                                   {0, 0x1p-1030},         {-0x1p-1060, 0x1p-1055},
                                                   {1e-300, 1e300},        {-1e300, 1},
                                                   {-5e-324, 1},           {0.1, 0.3},
                                                   {1, 9007199254740993.0}};
  for (int i = 0; i < 200; ++i) {
    const int spread = i % 2 == 0 ? 5 : 1000;
    const double a = real(spread);
    const double b = real(spread);
    if (a != b) ranges.emplace_back(std::min(a, b), std::max(a, b));
  }
  for (const auto& [lo, hi] : ranges) {
    const std::int64_t m = 1 + static_cast<std::int64_t>(bits() % 12);
    const auto t = uniform(lo, hi, m);
    ASSERT_EQ(t.status, ZCMOE_OK) << t.error;
    EXPECT_EQ(t.edges.front(), lo);
    EXPECT_EQ(t.edges.back(), hi);
    for (std::int64_t i = 1; i < m; ++i) {
      const double edge = t.edges[static_cast<std::size_t>(i)];
      const boost::multiprecision::cpp_int numerator = exact(lo) * (m - i) + exact(hi) * i;
      const auto distance = [&](double v) -> boost::multiprecision::cpp_int {
        return abs(numerator - exact(v) * m);
      };
      EXPECT_TRUE(distance(edge) <= distance(std::nextafter(edge, hi)))
          << lo << " " << hi << " " << m << " " << i;
      EXPECT_TRUE(distance(edge) <= distance(std::nextafter(edge, lo)))
          << lo << " " << hi << " " << m << " " << i;
    }
  }
}

TEST(uniform, ties_go_to_even) {
  // Doubles above 2^53 are the even integers. The centre 2^53 + 3 of 2^53 and 2^53 + 6 is a tie
  // between + 2 and + 4, and + 4 has the even significand.
  EXPECT_EQ(uniform(0x1p53, 0x1p53 + 6, 2).edges[1], 0x1p53 + 4);
  EXPECT_EQ(uniform(0x1p53, 0x1p53 + 10, 2).edges[1], 0x1p53 + 4);
  EXPECT_EQ(uniform(0, 15e-324, 2).edges[1], 10e-324);
}

TEST(uniform, refuses_what_does_not_fit) {
  const double above = std::nextafter(1.0, 2.0);
  EXPECT_THAT(uniform(1, above, 1).edges, ElementsAre(1, above));
  const auto t = uniform(1, above, 2);
  EXPECT_EQ(t.status, ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(
      t.error,
      HasSubstr("zcmoe_segment_uniform: num_segments=2 segments do not fit between lo=1 and hi="));
}

TEST(uniform, refuses_bad_arguments) {
  EXPECT_THAT(uniform(1, 1, 2).error, HasSubstr("lo=1 is not less than hi=1"));
  EXPECT_THAT(uniform(nan_value, 1, 2).error, HasSubstr("lo=nan is not finite"));
  EXPECT_THAT(uniform(0, inf, 2).error, HasSubstr("hi=inf is not finite"));
  double e[2];
  EXPECT_EQ(zcmoe_segment_uniform(0, 1, 0, e), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("num_segments=0; expected 1 to 1073741824"));
  EXPECT_EQ(zcmoe_segment_uniform(0, 1, ZCMOE_MAX_SEGMENTS + 1, e), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_segment_uniform(0, 1, 1, nullptr), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("edges is null"));
}

// -------------------------------------------------------------------- check

TEST(check, accepts_and_names_the_first_bad_edge) {
  const std::vector<double> good = {-largest, -0.0, 5e-324, 1, largest};
  EXPECT_EQ(zcmoe_segment_check(good.data(), 4), ZCMOE_OK);
  const std::vector<double> repeated = {0, 1, 1, 0};
  EXPECT_EQ(zcmoe_segment_check(repeated.data(), 3), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(),
              HasSubstr("zcmoe_segment_check: edges[2]=1 is not greater than edges[1]=1"));
  const std::vector<double> zeros = {-0.0, 0.0};
  EXPECT_EQ(zcmoe_segment_check(zeros.data(), 1), ZCMOE_ERR_INVALID_ARGUMENT);
  const std::vector<double> infinite = {0, 1, inf};
  EXPECT_EQ(zcmoe_segment_check(infinite.data(), 2), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("edges[2]=inf is not finite"));
  const std::vector<double> not_a_number = {nan_value, 1};
  EXPECT_EQ(zcmoe_segment_check(not_a_number.data(), 1), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_segment_check(good.data(), 0), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_segment_check(nullptr, 1), ZCMOE_ERR_INVALID_ARGUMENT);
}

// ----------------------------------------------------------------- quantile

TEST(quantile, distinct_values_are_shared_out_equally) {
  EXPECT_THAT(quantile({4, 1, 3, 2}, 2).edges, ElementsAre(1, 3, 4));
  EXPECT_THAT(quantile({1, 2, 3, 4}, 4).edges, ElementsAre(1, 2, 3, 4, std::nextafter(4.0, inf)));
  EXPECT_THAT(quantile({1, 2, 3}, 2).edges, ElementsAre(1, 2, 3));  // equally near: the lower one
  EXPECT_THAT(quantile({1, 2, 3}, 1).edges, ElementsAre(1, 3));
  std::vector<double> many(1000);
  std::iota(many.begin(), many.end(), 0.0);
  const auto e = quantile(many, 8).edges;
  ASSERT_EQ(e.size(), 9u);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(e[i], 125.0 * static_cast<double>(i));
  EXPECT_EQ(e[8], 999);
}

TEST(quantile, ties_cut_where_the_mass_is_nearest) {
  EXPECT_THAT(quantile({0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 2).edges, ElementsAre(0, 1, 4));
  EXPECT_THAT(quantile({0, 1, 2, 3, 4, 4, 4, 4, 4, 4}, 2).edges,
              ElementsAre(0, 4, std::nextafter(4.0, inf)));
  EXPECT_THAT(quantile({0, 5, 5, 5, 5, 5, 5, 5, 5, 9}, 10).edges,
              ElementsAre(0, 5, 9, std::nextafter(9.0, inf)));
}

TEST(quantile, degenerate_inputs) {
  EXPECT_THAT(quantile({3, 3, 3}, 4).edges, ElementsAre(3, std::nextafter(3.0, inf)));
  EXPECT_THAT(quantile({-0.0, 0.0}, 2).edges, ElementsAre(0, 5e-324));
  EXPECT_THAT(quantile({largest}, 1).edges, ElementsAre(std::nextafter(largest, 0.0), largest));
  EXPECT_THAT(quantile({0, largest, largest, largest}, 2).edges, ElementsAre(0, largest));
  EXPECT_THAT(quantile({nan_value, 1, inf, 2, -inf}, 1).edges, ElementsAre(1, 2));
  const auto none = quantile({nan_value, inf}, 1);
  EXPECT_EQ(none.status, ZCMOE_ERR_DATA);
  EXPECT_THAT(none.error, HasSubstr("x has no finite input of positive weight among n=2 rows"));
  EXPECT_EQ(quantile({}, 1).status, ZCMOE_ERR_DATA);
}

TEST(quantile, weights) {
  EXPECT_THAT(quantile({1, 2, 3, 4}, 2, {3, 1, 1, 1}).edges, ElementsAre(1, 2, 4));
  EXPECT_THAT(quantile({1, 2, 3, 4}, 2, {0, 1, 1, 0}).edges,
              ElementsAre(2, 3, std::nextafter(3.0, inf)));
  EXPECT_THAT(quantile({1, 2, 3, 4}, 2, {1e308, 1e308, 1e308, 1e308}).edges, ElementsAre(1, 3, 4));
  EXPECT_THAT(quantile({1, 2, 3, 4}, 2, {5e-324, 5e-324, 5e-324, 5e-324}).edges,
              ElementsAre(1, 3, 4));
  const auto negative = quantile({1, 2}, 1, {1, -1});
  EXPECT_EQ(negative.status, ZCMOE_ERR_DATA);
  EXPECT_THAT(negative.error, HasSubstr("weights[1]=-1; expected a finite number >= 0"));
  EXPECT_EQ(quantile({1, 2}, 1, {nan_value, 1}).status, ZCMOE_ERR_DATA);
  EXPECT_EQ(quantile({1, 2}, 1, {inf, 1}).status, ZCMOE_ERR_DATA);
  EXPECT_EQ(quantile({1, 2}, 1, {0, 0}).status, ZCMOE_ERR_DATA);
}

/// The definition itself: for each i the cut (below some value) whose mass on its left is nearest
/// to i/m.
std::vector<double> nearest_cuts(std::vector<double> x, std::int64_t m) {
  std::sort(x.begin(), x.end());
  std::vector<double> e{x.front()};
  const auto n = static_cast<std::int64_t>(x.size());
  const double end = std::nextafter(x.back(), inf);
  for (std::int64_t i = 1; i < m; ++i) {
    double best = x.front();
    std::int64_t best_distance = std::numeric_limits<std::int64_t>::max();
    for (std::int64_t k = 0; k <= n; ++k) {
      if (k > 0 && k < n && x[static_cast<std::size_t>(k)] == x[static_cast<std::size_t>(k) - 1])
        continue;
      const std::int64_t distance = std::abs(k * m - i * n);
      if (distance < best_distance) {
        best_distance = distance;
        best = k < n ? x[static_cast<std::size_t>(k)] : end;
      }
    }
    if (best > e.back() && best < end) e.push_back(best);
  }
  e.push_back(e.back() == x.back() ? end : x.back());
  return e;
}

TEST(quantile, agrees_with_the_definition_and_ignores_order) {
  std::mt19937_64 bits(11);
  for (int round = 0; round < 300; ++round) {
    const auto n = static_cast<std::size_t>(1 + bits() % 40);
    const std::uint64_t values = 2 + bits() % 30;
    std::vector<double> x(n);
    for (double& v : x) v = static_cast<double>(bits() % values);
    x.push_back(static_cast<double>(values));  // two distinct values at least
    const auto m = static_cast<std::int64_t>(1 + bits() % 20);
    const auto e = quantile(x, m).edges;
    EXPECT_EQ(e, nearest_cuts(x, m));
    const std::vector<double> ones(x.size(), 1.0);
    EXPECT_EQ(quantile(x, m, ones).edges, e);

    std::vector<double> w(x.size());
    for (double& v : w)
      v = std::ldexp(static_cast<double>(bits() >> 11), -40 - static_cast<int>(bits() % 20));
    const auto weighted = quantile(x, m, w).edges;
    std::vector<std::size_t> order(x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), bits);
    std::vector<double> x2, w2;
    for (const std::size_t i : order) {
      x2.push_back(x[i]);
      w2.push_back(w[i]);
    }
    EXPECT_EQ(quantile(x2, m, w2).edges, weighted);
  }
}

TEST(quantile, reads_any_type_and_stride) {
  const std::int8_t bytes[] = {4, -1, 3, 99, 2, 99};
  double e[3];
  std::int64_t num_built = 0;
  ASSERT_EQ(zcmoe_segment_quantile({bytes + 4, ZCMOE_I8, -2}, no_weights, 3, 1, e, &num_built),
            ZCMOE_OK);
  EXPECT_EQ(e[0], 2);
  EXPECT_EQ(e[1], 4);
  const std::uint16_t halves[] = {0x3c00, 0x4000, 0x4200, 0x4400};  // 1, 2, 3, 4 in binary16
  ASSERT_EQ(zcmoe_segment_quantile({halves, ZCMOE_F16, 1}, no_weights, 4, 2, e, &num_built),
            ZCMOE_OK);
  EXPECT_THAT(e, ElementsAre(1, 3, 4));
  const float single = 0.1f;
  ASSERT_EQ(zcmoe_segment_quantile({&single, ZCMOE_F32, 0}, no_weights, 1000, 2, e, &num_built),
            ZCMOE_OK);
  EXPECT_EQ(num_built, 1);
  EXPECT_EQ(e[0], static_cast<double>(0.1f));
}

TEST(quantile, refuses_bad_arguments) {
  const std::vector<double> x = {1, 2};
  double e[3];
  std::int64_t num_built = 0;
  const auto status = [&](zcmoe_array a, std::int64_t n) {
    return zcmoe_segment_quantile(a, no_weights, n, 2, e, &num_built);
  };
  EXPECT_EQ(status(array(x), -1), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("n=-1; expected n >= 0"));
  EXPECT_EQ(status({nullptr, ZCMOE_F64, 1}, 2), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("x.data is null but n=2"));
  EXPECT_EQ(status({x.data(), 77, 1}, 2), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("x.dtype=77"));
  EXPECT_EQ(status({reinterpret_cast<const char*>(x.data()) + 1, ZCMOE_F64, 1}, 1),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("is not aligned to its 8-byte type"));
  EXPECT_EQ(status({x.data(), ZCMOE_F64, std::int64_t{1} << 61}, 5), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("x.stride="));
  EXPECT_EQ(zcmoe_segment_quantile(array(x), no_weights, 2, 2, nullptr, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_segment_quantile(array(x), no_weights, 2, 2, e, nullptr),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("num_built is null"));
}

// ------------------------------------------------------- optimal, closed forms

TEST(optimal, powers) {
  for (const double k : {1.0, 1.5, 2.0, 3.0, 4.0}) {
    SCOPED_TRACE(k);
    known f{one, [k](double x) { return k * std::pow(x, k - 1); }, {}};
    const auto expected = at_shares(10, [k](double u) { return std::pow(u, 3 / (2 * k + 1)); });
    EXPECT_THAT(optimal(f, 0, 1, 10).edges, Pointwise(DoubleNear(1e-13), expected));
  }
}

TEST(optimal, exponential) {
  for (const double a : {-30.0, -1.0, 0.01, 2.0, 50.0}) {
    SCOPED_TRACE(a);
    known f{one, [a](double x) { return a * std::exp(a * x); }, {}};
    const auto expected = at_shares(
        16, [a](double u) { return 3 / (2 * a) * std::log1p(u * std::expm1(2 * a / 3)); });
    // At u near 1 and a << 0 the closed form itself loses digits.
    EXPECT_THAT(optimal(f, 0, 1, 16).edges,
                Pointwise(DoubleNear(a < -10 ? 1e-8 : 1e-13), expected));
  }
}

TEST(optimal, errors_of_linear_and_square) {
  // E = 1 / (12 m^2) for beta = x; uniform cells of x^2 give 1 / (9 m^2) - 1 / (45 m^4).
  const auto error = [](known& f, const std::vector<double>& e) {
    using gauss = boost::math::quadrature::gauss<double, 10>;
    const auto c = constants(f, e, ZCMOE_CONSTANT_MEAN);
    double sum = 0.0;
    for (std::size_t i = 0; i < c.size(); ++i) {
      const auto squared = [&](double x) { return std::pow(f.regression(x) - c[i], 2); };
      sum += gauss::integrate(squared, e[i], e[i + 1]);
    }
    return sum;
  };
  known line{one, one, [](double x) { return x; }};
  known square{one, [](double x) { return 2 * x; }, [](double x) { return x * x; }};
  for (const std::int64_t m : {1, 3, 10, 100}) {
    const auto r = 1 / static_cast<double>(m * m);
    EXPECT_NEAR(error(line, optimal(line, 0, 1, m).edges) / (r / 12), 1, 1e-10);
    EXPECT_NEAR(error(square, uniform(0, 1, m).edges) / (r / 9 - r * r / 45), 1, 1e-10);
  }
}

TEST(optimal, sine_has_edges_on_its_extrema) {
  known f{one, [](double x) { return std::cos(2 * pi * x); }, {}};
  for (const std::int64_t m : {4, 12, 400}) {
    const auto e = optimal(f, 0, 1, m).edges;
    ASSERT_EQ(e.size(), static_cast<std::size_t>(m) + 1);
    const auto quarter = static_cast<std::size_t>(m) / 4;
    EXPECT_EQ(e[quarter], 0.25);
    EXPECT_NEAR(e[2 * quarter], 0.5, 1e-15);
    EXPECT_EQ(e[3 * quarter], 0.75);
  }
}

TEST(optimal, plateaus_and_gaps_have_no_edges_inside) {
  // A target that falls on the plateau of G takes its left end.
  known plateau{one, [](double x) { return x < 0.25 ? 1.0 : x > 0.75 ? -1.0 : 0.0; }, {}};
  EXPECT_THAT(optimal(plateau, 0, 1, 4).edges,
              Pointwise(DoubleNear(1e-15), {0.0, 0.125, 0.25, 0.875, 1.0}));
  known gap{[](double x) { return x <= 0.31 || x >= 0.69 ? 2.0 : 0.0; }, one, {}};
  EXPECT_THAT(optimal(gap, 0, 1, 2).edges, Pointwise(DoubleNear(1e-15), {0.0, 0.31, 1.0}));
  known soft{one, [](double x) { return x < 0.4 ? 0.4 - x : x > 0.6 ? x - 0.6 : 0.0; }, {}};
  EXPECT_THAT(optimal(soft, 0, 1, 2).edges, Pointwise(DoubleNear(1e-15), {0.0, 0.4, 1.0}));
  known outer{one, [](double x) { return x < 0.5 ? 0.0 : 1.0; }, {}};
  EXPECT_THAT(optimal(outer, 0, 1, 2).edges, Pointwise(DoubleNear(1e-15), {0.0, 0.75, 1.0}));
}

TEST(optimal, zero_everywhere_is_uniform) {
  known flat{one, [](double) { return 0.0; }, {}};
  EXPECT_EQ(optimal(flat, -1, 3, 7).edges, uniform(-1, 3, 7).edges);
  known nobody{[](double) { return 0.0; }, one, {}};
  EXPECT_EQ(optimal(nobody, -1, 3, 7).edges, uniform(-1, 3, 7).edges);
  zcmoe_density_options floor = ZCMOE_DENSITY_OPTIONS_INIT;
  floor.floor = 0.1;
  EXPECT_EQ(optimal(flat, -1, 3, 7, &floor).edges, uniform(-1, 3, 7).edges);
}

TEST(optimal, scales_of_x_p_and_slope_do_not_matter) {
  known unit{one, [](double x) { return 2 * x; }, {}};
  const auto expected = optimal(unit, 0, 1, 9).edges;
  for (const double scale : {5e-324 * 0x1p60, 1e-300, 1e-3, 1e300, largest}) {
    SCOPED_TRACE(scale);
    known f{[=](double) { return 1e300; }, [=](double x) { return 1e300 * (x / scale); }, {}};
    auto e = optimal(f, 0, scale, 9).edges;
    for (double& v : e) v /= scale;
    EXPECT_THAT(e, Pointwise(DoubleNear(1e-14), expected));
    known tiny{[=](double) { return 1e-300; }, [=](double x) { return 1e-300 * (x / scale); }, {}};
    e = optimal(tiny, 0, scale, 9).edges;
    for (double& v : e) v /= scale;
    EXPECT_THAT(e, Pointwise(DoubleNear(1e-14), expected));
  }
  known wide{one, [](double x) { return x / largest; }, {}};
  const auto e = optimal(wide, -largest, largest, 4).edges;
  ASSERT_EQ(e.size(), 5u);
  EXPECT_NEAR(e[1] / largest, -std::pow(0.5, 0.6), 1e-14);
  EXPECT_NEAR(e[2] / largest, 0, 1e-15);
  EXPECT_NEAR(e[3] / largest, std::pow(0.5, 0.6), 1e-14);
}

TEST(optimal, affine_maps_of_x) {
  const auto slope = [](double x) { return std::exp(-20 * (x - 0.3) * (x - 0.3)) * (x - 0.6); };
  known f{[](double x) { return 1 + x; }, slope, {}};
  const auto e = optimal(f, 0, 1, 33).edges;
  known g{
      [](double x) { return 1 + (x + 5) / 8; }, [=](double x) { return slope((x + 5) / 8); }, {}};
  auto mapped = optimal(g, -5, 3, 33).edges;
  for (double& v : mapped) v = (v + 5) / 8;
  EXPECT_THAT(mapped, Pointwise(DoubleNear(1e-14), e));
  known reversed{[](double x) { return 2 - x; }, [=](double x) { return slope(1 - x); }, {}};
  auto back = optimal(reversed, 0, 1, 33).edges;
  std::reverse(back.begin(), back.end());
  for (double& v : back) v = 1 - v;
  EXPECT_THAT(back, Pointwise(DoubleNear(1e-14), e));
}

TEST(optimal, grids_are_nested) {
  known f{[](double x) { return std::exp(-x); }, [](double x) { return std::sin(9 * x); }, {}};
  const auto coarse = optimal(f, -1, 2, 60).edges;
  for (const std::int64_t factor : {2, 3, 7}) {
    const auto fine = optimal(f, -1, 2, 60 * factor).edges;
    for (std::size_t i = 0; i < coarse.size(); ++i) {
      EXPECT_NEAR(fine[i * static_cast<std::size_t>(factor)], coarse[i], 1e-12);
    }
  }
}

TEST(optimal, regularisation) {
  known f{[](double x) { return 1 + x; }, [](double x) { return 10 * std::exp(-10 * x); }, {}};
  const auto energy = [&](double x) { return f.density(x) * f.slope(x) * f.slope(x); };
  using gauss = boost::math::quadrature::gauss<double, 30>;
  const auto lambda = [&](double x) { return std::cbrt(energy(x)); };
  const double total = gauss::integrate(lambda, 0.0, 1.0);
  const double mean = gauss::integrate(energy, 0.0, 1.0);
  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.uniform_mixture = 0.3;
  const auto mixed = optimal(f, 0, 1, 20, &options).edges;
  expect_equal_mass(mixed, [&](double x) { return 0.7 * lambda(x) / total + 0.3; });
  for (std::size_t i = 1; i < mixed.size(); ++i) EXPECT_LE(mixed[i] - mixed[i - 1], 1 / (0.3 * 20));
  options.floor = 0.05;
  options.uniform_mixture = 0;
  expect_equal_mass(optimal(f, 0, 1, 20, &options).edges,
                    [&](double x) { return std::cbrt(energy(x) + 0.05 * mean); });
  options.uniform_mixture = 1;
  EXPECT_EQ(optimal(f, 0, 1, 20, &options).edges, uniform(0, 1, 20).edges);
}

TEST(optimal, many_segments_stay_increasing) {
  known f{one, [](double x) { return std::pow(x - 0.5, 7); }, {}};
  const auto e = optimal(f, 0, 1, 200000).edges;
  EXPECT_GE(e.size(), 200000u);
  EXPECT_EQ(e.front(), 0);
  EXPECT_EQ(e.back(), 1);
}

TEST(optimal, a_uniform_answer_collapses_too) {
  known flat{one, [](double) { return 0.0; }, {}};
  EXPECT_EQ(optimal(flat, 1, 1 + 4 * 0x1p-52, 100).edges.size(), 5u);
}

TEST(optimal, edges_that_collapse_are_removed) {
  known f{one, one, {}};
  const double hi = 1 + 4 * 0x1p-52;
  const auto e = optimal(f, 1, hi, 100).edges;
  EXPECT_EQ(e.size(), 5u);
  EXPECT_EQ(optimal(f, 0, 15e-324, 100).edges.size(), 4u);
}

TEST(optimal, refuses_what_the_functions_answer) {
  known f{[](double x) { return x > 0.5 ? nan_value : 1; }, one, {}};
  const auto t = optimal(f, 0, 1, 4);
  EXPECT_EQ(t.status, ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(t.error, HasSubstr("zcmoe_segment_optimal: density returned nan at x=0.5"));
  f = {[](double x) { return x > 0.5 ? -1 : 1; }, one, {}};
  EXPECT_THAT(optimal(f, 0, 1, 4).error, HasSubstr("density returned -1 at x=0.5"));
  f = {one, [](double) { return inf; }, {}};
  const auto infinite = optimal(f, 0, 1, 4);
  EXPECT_EQ(infinite.status, ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(infinite.error, HasSubstr("slope returned inf"));
}

TEST(optimal, calls_only_inside_the_range) {
  double lowest = inf;
  double highest = -inf;
  long calls = 0;
  const auto seen = [&](double x) {
    lowest = std::min(lowest, x);
    highest = std::max(highest, x);
    ++calls;
    return 1 + std::sin(40 * x);
  };
  known f{seen, [](double x) { return std::cos(x); }, {}};
  EXPECT_EQ(optimal(f, -0.1, 0.7, 1000).edges.size(), 1001u);
  EXPECT_GE(lowest, -0.1);
  EXPECT_LE(highest, 0.7);
  EXPECT_LE(calls, 60000);
}

TEST(optimal, refuses_bad_arguments) {
  known f{one, one, {}};
  double e[3];
  std::int64_t num_built = 0;
  EXPECT_EQ(zcmoe_segment_optimal(nullptr, slope_of, &f, 0, 1, 2, nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("density is null"));
  EXPECT_EQ(zcmoe_segment_optimal(density_of, nullptr, &f, 0, 1, 2, nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(optimal(f, 1, 0, 2).status, ZCMOE_ERR_INVALID_ARGUMENT);
  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.uniform_mixture = 1.5;
  EXPECT_THAT(optimal(f, 0, 1, 2, &options).error,
              HasSubstr("options->uniform_mixture=1.5; expected 0 to 1"));
  options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.floor = nan_value;
  EXPECT_THAT(optimal(f, 0, 1, 2, &options).error, HasSubstr("options->floor=nan"));
  options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.struct_size = 3;
  EXPECT_THAT(optimal(f, 0, 1, 2, &options).error, HasSubstr("options->struct_size=3"));
}

// ------------------------------------------------------------------ density

TEST(density, closed_forms) {
  EXPECT_THAT(density([](double x) { return x; }, 0, 1, 16).edges,
              Pointwise(DoubleNear(1e-14), at_shares(16, [](double u) { return std::sqrt(u); })));
  EXPECT_THAT(density([](double x) { return 1 / std::sqrt(x); }, 0, 1, 16).edges,
              Pointwise(DoubleNear(1e-13), at_shares(16, [](double u) { return u * u; })));
  EXPECT_THAT(
      density([](double x) { return 1 / std::sqrt(1 - x); }, 0, 1, 16).edges,
      Pointwise(DoubleNear(1e-8), at_shares(16, [](double u) { return 1 - (1 - u) * (1 - u); })));
  EXPECT_THAT(density([](double x) { return x < 1.0 / 3 ? 1 : 2; }, 0, 1, 5).edges,
              Pointwise(DoubleNear(1e-14), {0.0, 1.0 / 3, 0.5, 2.0 / 3, 5.0 / 6, 1.0}));
  EXPECT_THAT(
      density([](double x) { return std::pow(std::abs(x - 0.3), 2.0 / 3); }, 0, 0.6, 2).edges,
      Pointwise(DoubleNear(1e-14), {0.0, 0.3, 0.6}));
}

TEST(density, narrow_peak) {
  const auto peak = [](double x) { return std::exp(-0.5 * std::pow((x - 0.5123) / 1e-4, 2)); };
  const auto e = density(peak, 0, 1, 4).edges;
  const double quartile = 0.67448975019608171e-4;
  EXPECT_THAT(
      e, Pointwise(DoubleNear(1e-14), {0.0, 0.5123 - quartile, 0.5123, 0.5123 + quartile, 1.0}));
}

TEST(density, only_the_mixture_of_the_options_is_used) {
  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.floor = 3;
  options.uniform_mixture = 0.25;
  const auto lambda = [](double x) { return 3 * x * x; };
  expect_equal_mass(density(lambda, 0, 1, 12, &options).edges,
                    [&](double x) { return 0.75 * lambda(x) + 0.25; });
}

TEST(density, that_cannot_be_integrated_is_refused) {
  const auto t = density([](double x) { return 1 + 0.5 * std::sin(1e7 * x); }, 0, 1, 4);
  EXPECT_EQ(t.status, ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(t.error, HasSubstr("does not converge"));
  EXPECT_EQ(density([](double x) { return 1 / x; }, 0, 1, 4).status, ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(density([](double) { return -1; }, 0, 1, 4).error,
              HasSubstr("point_density returned -1 at x="));
  EXPECT_EQ(zcmoe_segment_density(nullptr, nullptr, 0, 1, 1, nullptr, nullptr, nullptr),
            ZCMOE_ERR_INVALID_ARGUMENT);
}

// ------------------------------------------------------------------- tables

table density_table(const std::vector<double>& grid, const std::vector<double>& lambda,
                    std::int64_t m) {
  return built(m, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_density_table(grid.data(), lambda.data(),
                                       static_cast<std::int64_t>(grid.size()), m, nullptr, edges,
                                       num_built);
  });
}

TEST(tables, straight_lines_are_reproduced) {
  const auto expected = at_shares(8, [](double u) { return std::sqrt(u); });
  for (const std::size_t n : {2u, 3u, 4u, 5u, 1000u}) {
    SCOPED_TRACE(n);
    std::vector<double> grid(n);
    for (std::size_t i = 0; i < n; ++i)
      grid[i] = std::pow(static_cast<double>(i) / static_cast<double>(n - 1), 1.3);
    EXPECT_THAT(density_table(grid, grid, 8).edges, Pointwise(DoubleNear(1e-14), expected));
  }
}

TEST(tables, optimal_from_constant_density_and_linear_slope) {
  const std::vector<double> grid = {-1e300, 0, 0.5e300, 1e300};
  const std::vector<double> p(4, 1e-200);
  const std::vector<double> slope = {-1e200, 0, 0.5e200, 1e200};
  const auto t = built(4, [&](double* edges, std::int64_t* num_built) {
    return zcmoe_segment_optimal_table(grid.data(), p.data(), slope.data(), 4, 4, nullptr, edges,
                                       num_built);
  });
  ASSERT_EQ(t.edges.size(), 5u) << t.error;
  EXPECT_EQ(t.edges[0], -1e300);
  EXPECT_NEAR(t.edges[1] / 1e300, -std::pow(0.5, 0.6), 1e-13);
  EXPECT_NEAR(t.edges[2], 0, 1e285);
  EXPECT_NEAR(t.edges[3] / 1e300, std::pow(0.5, 0.6), 1e-13);
}

TEST(tables, grids_over_all_magnitudes) {
  const std::vector<double> grid = {-5e-324, 0, 5e-324, 1e-300, 1e-150, 1, 1e300, 1e308};
  EXPECT_THAT(density_table(grid, std::vector<double>(8, 2.0), 4).edges,
              Pointwise(DoubleNear(1e293), {-5e-324, 0.25e308, 0.5e308, 0.75e308, 1e308}));
  EXPECT_EQ(density_table(grid, {1, 5, 0, largest, 5e-324, 0, 3, 1}, 4).status, ZCMOE_OK)
      << zcmoe_last_error();
}

TEST(tables, gaps_and_zero_tables) {
  EXPECT_THAT(density_table({0, 1, 2, 3, 4, 5}, {0, 0, 0, 0, 0, 0}, 5).edges,
              ElementsAre(0, 1, 2, 3, 4, 5));
  const auto e = density_table({0, 1, 2, 3, 4, 5}, {1, 1, 0, 0, 1, 1}, 2).edges;
  EXPECT_THAT(e, Pointwise(DoubleNear(1e-15), {0.0, 2.0, 5.0}));
}

TEST(tables, refuse_bad_arguments) {
  EXPECT_THAT(density_table({0, 1, 1}, {1, 1, 1}, 2).error,
              HasSubstr("grid[2]=1 is not greater than grid[1]=1"));
  EXPECT_THAT(density_table({0, inf}, {1, 1}, 2).error, HasSubstr("grid[1]=inf is not finite"));
  EXPECT_THAT(density_table({0, 1}, {1, -1}, 2).error,
              HasSubstr("point_density[1]=-1; expected a number >= 0"));
  EXPECT_THAT(density_table({0}, {1}, 2).error, HasSubstr("num_grid=1; expected at least 2"));
  const double grid[] = {0, 1};
  const double bad[] = {0, nan_value};
  double e[2];
  std::int64_t num_built = 0;
  EXPECT_EQ(zcmoe_segment_optimal_table(grid, grid, bad, 2, 1, nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("slope[1]=nan is not finite"));
  EXPECT_EQ(zcmoe_segment_optimal_table(grid, nullptr, grid, 2, 1, nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_segment_optimal_table(nullptr, grid, grid, 2, 1, nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
}

// ---------------------------------------------------------------- constants

TEST(constants, means_and_midpoints) {
  known f{[](double x) { return 3 * x * x; }, {}, [](double x) { return x; }};
  const std::vector<double> e = {0, 0.5, 1};
  // The mean of x under 3 x^2 on [a, b]: 3/4 (b^4 - a^4) / (b^3 - a^3).
  EXPECT_THAT(constants(f, e, ZCMOE_CONSTANT_MEAN),
              ElementsAre(DoubleNear(0.375, 1e-15), DoubleNear(45.0 / 56, 1e-15)));
  EXPECT_THAT(constants(f, e, ZCMOE_CONSTANT_MIDPOINT), ElementsAre(0.25, 0.75));
}

TEST(constants, jumps_offsets_gaps_and_scales) {
  known jump{one, {}, [](double x) { return x < 1.0 / 3 ? 1e9 : 1e9 + 6; }};
  EXPECT_NEAR(constants(jump, {0, 1}, ZCMOE_CONSTANT_MEAN)[0], 1e9 + 4, 3e-7);
  known gap{[](double x) { return x < 0.5 ? 1.0 : 0.0; }, {}, [](double x) { return 2 * x; }};
  EXPECT_THAT(constants(gap, {0, 0.5, 1}, ZCMOE_CONSTANT_MEAN),
              ElementsAre(DoubleNear(0.5, 1e-15), 1.5));
  known huge{[](double) { return 1e308; }, {}, [](double x) { return x; }};
  EXPECT_THAT(constants(huge, {-largest, largest}, ZCMOE_CONSTANT_MEAN),
              ElementsAre(DoubleNear(0, 1e293)));
  known tiny{[](double) { return 5e-324; }, {}, [](double x) { return x; }};
  EXPECT_NEAR(constants(tiny, {0, 1e-300}, ZCMOE_CONSTANT_MEAN)[0] / 5e-301, 1, 1e-14);
  // The function changes in a narrow part of a wide segment, which a rule of fixed points would
  // miss.
  known logistic{one, {}, [](double x) { return 1 / (1 + std::exp(-400 * (x - 0.4))); }};
  EXPECT_NEAR(constants(logistic, {0, 1}, ZCMOE_CONSTANT_MEAN)[0], 0.6, 1e-14);
}

TEST(constants, refusals) {
  known f{one, {}, [](double) { return nan_value; }};
  const double e[] = {0, 1, 2};
  double c[2];
  const auto status = [&](const double* edges, zcmoe_constant_rule rule, double* out) {
    return zcmoe_optimal_constants(density_of, regression_of, &f, edges, 2, rule, out);
  };
  EXPECT_EQ(status(e, ZCMOE_CONSTANT_MEAN, c), ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(zcmoe_last_error(),
              HasSubstr("zcmoe_optimal_constants: regression returned nan at x=0.5"));
  EXPECT_EQ(status(e, 7, c), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("rule=7"));
  // No number of panels resolves this function.
  known rough{one, {}, [](double x) { return std::sin(1e12 * x) > 0 ? 1.0 : 0.0; }};
  EXPECT_EQ(zcmoe_optimal_constants(density_of, regression_of, &rough, e, 2, 0, c),
            ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("does not converge"));
  EXPECT_EQ(status(nullptr, 0, c), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(status(e, 0, nullptr), ZCMOE_ERR_INVALID_ARGUMENT);
  const double bad[] = {0, 0, 1};
  EXPECT_EQ(status(bad, 0, c), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_optimal_constants(nullptr, regression_of, &f, e, 2, 0, c),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(zcmoe_optimal_constants(density_of, nullptr, &f, e, 2, 0, c),
            ZCMOE_ERR_INVALID_ARGUMENT);
  known negative{[](double) { return -1.0; }, {}, one};
  EXPECT_EQ(zcmoe_optimal_constants(density_of, regression_of, &negative, e, 2, 0, c),
            ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("density returned -1"));
}

// ------------------------------------------------------------------ plug-in

/// Inputs, regression and its slope of an experiment with noise 0.3; p is needed for the exact
/// risk.
struct experiment {
  known truth;
  std::function<double(std::mt19937_64&)> draw;
};

double normal(std::mt19937_64& bits) { return std::normal_distribution<double>()(bits); }

experiment beta_inputs() {
  const auto draw = [](std::mt19937_64& bits) {
    const double a = std::gamma_distribution<double>(2, 1)(bits);
    const double b = std::gamma_distribution<double>(5, 1)(bits);
    return a / (a + b);
  };
  return {{[](double x) { return 30 * x * std::pow(1 - x, 4); },
           [](double x) { return 0.6 * std::exp(3 * x); },
           [](double x) { return 0.2 * std::exp(3 * x); }},
          draw};
}

experiment sine() {
  return {{one, [](double x) { return 4 * pi * std::cos(4 * pi * x); },
           [](double x) { return std::sin(4 * pi * x); }},
          [](std::mt19937_64& bits) { return std::uniform_real_distribution<double>()(bits); }};
}

experiment steep_logistic() {
  const double mass = 0.2 * std::sqrt(2 * pi) * std::erf(2.5 / std::sqrt(2.0));
  const auto draw = [](std::mt19937_64& bits) {
    for (;;) {
      const double x = 0.5 + 0.2 * normal(bits);
      if (x >= 0 && x < 1) return x;
    }
  };
  return {{[mass](double x) { return std::exp(-0.5 * std::pow((x - 0.5) / 0.2, 2)) / mass; },
           [](double x) {
             const double e = std::exp(-std::abs(40 * (x - 0.4)));
             return 40 * e / ((1 + e) * (1 + e));
           },
           [](double x) { return 1 / (1 + std::exp(-40 * (x - 0.4))); }},
          draw};
}

struct data {
  std::vector<double> x;
  std::vector<double> y;
};

data draw(const experiment& e, std::size_t n, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  data d;
  for (std::size_t i = 0; i < n; ++i) {
    d.x.push_back(e.draw(bits));
    d.y.push_back(e.truth.regression(d.x.back()) + 0.3 * normal(bits));
  }
  return d;
}

/// Integral of p (beta - fitted constant)^2 over [0, 1].
double excess(const experiment& e, const std::vector<double>& edges, const data& d) {
  const std::size_t m = edges.size() - 1;
  std::vector<double> sum(m), count(m);
  const auto segment = [&](double x) {
    return static_cast<std::size_t>(std::upper_bound(edges.begin() + 1, edges.end() - 1, x) -
                                    edges.begin() - 1);
  };
  for (std::size_t i = 0; i < d.x.size(); ++i) {
    sum[segment(d.x[i])] += d.y[i];
    count[segment(d.x[i])] += 1;
  }
  for (std::size_t k = 0; k < m; ++k)
    sum[k] = count[k] > 0 ? sum[k] / count[k] : k > 0 ? sum[k - 1] : 0.0;
  constexpr int points = 5000;
  double risk = 0.0;
  for (int i = 0; i < points; ++i) {
    const double x = (i + 0.5) / points;
    risk += e.truth.density(x) * std::pow(e.truth.regression(x) - sum[segment(x)], 2) / points;
  }
  return risk;
}

/// Mean excess with the best number of segments, over repetitions.
template <class Edges>
double best_excess(const experiment& e, std::size_t n, const std::vector<std::int64_t>& candidates,
                   const Edges& edges) {
  constexpr int repetitions = 20;
  std::vector<double> mean(candidates.size());
  for (int r = 0; r < repetitions; ++r) {
    const data d = draw(e, n, 100 + static_cast<std::uint64_t>(r));
    for (std::size_t j = 0; j < candidates.size(); ++j)
      mean[j] += excess(e, edges(d, candidates[j]), d) / repetitions;
  }
  return *std::min_element(mean.begin(), mean.end());
}

TEST(compander_from_data, risk_is_near_that_of_the_true_density) {
  // Known values of this ratio (30 repetitions, standard error up to 10 %): 1.23, 1.16, 1.79 at n =
  // 1000. Allowed: three standard errors above.
  const std::vector<std::int64_t> candidates = {6, 8, 12, 17, 24, 34, 48, 68};
  struct row {
    experiment e;
    double ratio;
  };
  for (auto& [e, ratio] :
       {row{beta_inputs(), 1.23}, row{sine(), 1.16}, row{steep_logistic(), 1.79}}) {
    known truth = e.truth;
    const double known_density = best_excess(e, 1000, candidates, [&](const data&, std::int64_t m) {
      return optimal(truth, 0, 1, m).edges;
    });
    const double plug_in = best_excess(e, 1000, candidates, [&](const data& d, std::int64_t m) {
      return from_data(d.x, d.y, m).edges;
    });
    EXPECT_LE(plug_in / known_density, 1.3 * ratio);
    EXPECT_GE(plug_in / known_density, 0.9);
  }
}

TEST(compander_from_data, beats_uniform_on_a_steep_slope) {
  // Known ratio of uniform to plug-in: 3.76 / 1.65 at n = 10^4.
  const std::vector<std::int64_t> candidates = {12, 17, 24, 34, 48, 68, 96};
  const experiment e = steep_logistic();
  const double plain = best_excess(
      e, 10000, candidates, [](const data&, std::int64_t m) { return uniform(0, 1, m).edges; });
  const double plug_in = best_excess(e, 10000, candidates, [](const data& d, std::int64_t m) {
    return from_data(d.x, d.y, m).edges;
  });
  EXPECT_LE(plug_in, plain / 1.6);
}

/// Mean excess of 64 segments over eight samples of 4,000 rows: input(u) is the input below which
/// the share u of all inputs lies.
template <class Input, class Regression, class Edges>
double excess_of_quantiles(const Input& input, const Regression& regression, const Edges& edges) {
  std::mt19937_64 bits(8);
  double mean = 0.0;
  for (int repetition = 0; repetition < 8; ++repetition) {
    data d;
    for (int i = 0; i < 4000; ++i) {
      d.x.push_back(input((static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53));
      d.y.push_back(regression(d.x.back()) + 0.2 * normal(bits));
    }
    const std::vector<double> table = edges(d);
    const auto segment = [&](double x) {
      return static_cast<std::size_t>(std::upper_bound(table.begin() + 1, table.end() - 1, x) -
                                      table.begin() - 1);
    };
    std::vector<double> sum(table.size() - 1), count(table.size() - 1);
    for (std::size_t i = 0; i < d.x.size(); ++i) {
      sum[segment(d.x[i])] += d.y[i];
      count[segment(d.x[i])] += 1;
    }
    constexpr int points = 20000;
    for (int i = 0; i < points; ++i) {
      const double x = input((i + 0.5) / points);
      const std::size_t k = segment(x);
      const double constant = count[k] > 0 ? sum[k] / count[k] : 0.0;
      mean += std::pow(regression(x) - constant, 2) / points / 8;
    }
  }
  return mean;
}

TEST(compander_from_data, heavy_tails_do_not_draw_the_segments) {
  const auto plug_in = [](const data& d) { return from_data(d.x, d.y, 64).edges; };
  const auto equal_mass = [](const data& d) { return quantile(d.x, 64).edges; };
  // Over x, 99 of 100 segments lay where a tenth of these inputs are.
  const auto cauchy = [](double u) { return std::tan(pi * (u - 0.5)); };
  const auto arc = [](double x) { return std::atan(x) + std::sin(2 * x) / (1 + x * x / 8); };
  EXPECT_LE(excess_of_quantiles(cauchy, arc, plug_in),
            1.1 * excess_of_quantiles(cauchy, arc, equal_mass));
  const auto lognormal = [](double u) { return std::pow(u / (1 - u), 1.5); };
  const auto wave = [](double x) { return std::sin(2 * std::log(x)); };
  EXPECT_LE(excess_of_quantiles(lognormal, wave, plug_in),
            1.1 * excess_of_quantiles(lognormal, wave, equal_mass));
  // A thin tail with a steep piece, where equal masses have few segments.
  const auto logistic = [](double u) { return std::log(u / (1 - u)); };
  const auto late = [](double x) { return 1.5 * std::exp(-std::pow((x - 4) / 0.15, 2)); };
  EXPECT_LE(excess_of_quantiles(logistic, late, plug_in),
            0.6 * excess_of_quantiles(logistic, late, equal_mass));
  // One row in 200 lies where all of the rise is: most segments go there over x, few over shares.
  const auto few = [](double u) { return u < 0.995 ? u / 0.995 : 1 + (u - 0.995) / 0.005; };
  const auto ramp = [](double x) { return 20 * std::max(0.0, x - 1); };
  EXPECT_LE(excess_of_quantiles(few, ramp, plug_in), 0.08);  // over shares 0.14
}

TEST(compander_from_data, does_not_depend_on_the_order_of_rows) {
  data d = draw(beta_inputs(), 3000, 5);
  std::vector<double> w(d.x.size());
  std::mt19937_64 bits(3);
  for (double& v : w) v = static_cast<double>(bits() % 1000) / 7;
  for (std::size_t i = 0; i < d.x.size(); i += 3) d.x[i] = std::round(d.x[i] * 50) / 50;  // ties
  d.y[17] = nan_value;
  d.y[18] = inf;
  d.x[19] = nan_value;
  const auto plain = from_data(d.x, d.y, 40).edges;
  const auto weighted = from_data(d.x, d.y, 40, nullptr, w).edges;
  EXPECT_NE(plain, weighted);
  for (int round = 0; round < 5; ++round) {
    std::vector<std::size_t> order(d.x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), bits);
    data s;
    std::vector<double> v;
    for (const std::size_t i : order) {
      s.x.push_back(d.x[i]);
      s.y.push_back(d.y[i]);
      v.push_back(w[i]);
    }
    EXPECT_EQ(from_data(s.x, s.y, 40).edges, plain);
    EXPECT_EQ(from_data(s.x, s.y, 40, nullptr, v).edges, weighted);
  }
}

std::vector<std::int64_t> counts(const std::vector<double>& x, const std::vector<double>& edges) {
  std::vector<std::int64_t> n(edges.size() - 1);
  for (const double v : x) {
    ++n[static_cast<std::size_t>(std::upper_bound(edges.begin() + 1, edges.end() - 1, v) -
                                 edges.begin() - 1)];
  }
  return n;
}

TEST(compander_from_data, no_segment_is_starved) {
  std::mt19937_64 bits(21);
  for (int round = 0; round < 200; ++round) {
    const auto n = static_cast<std::size_t>(1 + bits() % 400);
    data d = draw(round % 2 == 0 ? beta_inputs() : steep_logistic(), n, bits());
    if (round % 3 == 0) {
      for (double& v : d.x) v = std::round(v * 8);
    }
    zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
    options.min_count = static_cast<double>(1 + bits() % 20);
    const auto m = static_cast<std::int64_t>(1 + bits() % 100);
    const auto t = from_data(d.x, d.y, m, &options);
    ASSERT_EQ(t.status, ZCMOE_OK) << t.error;
    EXPECT_EQ(t.edges.front(), *std::min_element(d.x.begin(), d.x.end()));
    if (t.edges.size() == 2) continue;
    for (const std::int64_t count : counts(d.x, t.edges))
      EXPECT_GE(static_cast<double>(count), options.min_count);
  }
}

TEST(compander_from_data, degenerate_inputs) {
  EXPECT_THAT(from_data({3}, {1}, 5).edges, ElementsAre(3, std::nextafter(3.0, inf)));
  EXPECT_THAT(from_data({3, 3, 3}, {1, 2, 3}, 5).edges, ElementsAre(3, std::nextafter(3.0, inf)));
  EXPECT_THAT(from_data({1, 2}, {1, 2}, 5).edges, ElementsAre(1, 2));
  EXPECT_THAT(from_data({largest, -largest}, {largest, -largest}, 5).edges,
              ElementsAre(-largest, largest));
  zcmoe_plug_in_options none = ZCMOE_PLUG_IN_OPTIONS_INIT;
  none.min_count = 0;
  const double next = std::nextafter(1.0, 2.0);
  EXPECT_THAT(from_data({1, 1, next, next}, {0, 0, 1, 1}, 2, &none).edges,
              ElementsAre(1, next, std::nextafter(next, 2.0)));
  std::vector<double> x(100);
  std::iota(x.begin(), x.end(), 0.0);
  const auto flat = from_data(x, std::vector<double>(100, 7.0), 11, &none).edges;
  EXPECT_THAT(flat, Pointwise(DoubleNear(1e-12), uniform(0, 99, 11).edges));
  EXPECT_EQ(from_data(x, x, 33, &none).edges.size(), 34u);
  std::vector<double> huge = x;
  for (double& v : huge) v *= 1e306;
  const auto scaled = from_data(huge, huge, 33, &none).edges;
  const auto unscaled = from_data(x, x, 33, &none).edges;
  ASSERT_EQ(scaled.size(), unscaled.size());
  for (std::size_t i = 0; i < scaled.size(); ++i)
    EXPECT_NEAR(scaled[i] / 1e306, unscaled[i], 1e-11);
  // A quarter of the rows at one value; rows without weight or with a non-finite value do not
  // count.
  std::vector<double> tied = x;
  for (std::size_t i = 0; i < 25; ++i) tied[4 * i] = 50;
  EXPECT_EQ(from_data(tied, x, 8).status, ZCMOE_OK);
  const auto empty = from_data({nan_value, 1, 2}, {1, inf, 1}, 2, nullptr, {1, 1, 0});
  EXPECT_EQ(empty.status, ZCMOE_ERR_DATA);
  EXPECT_THAT(empty.error,
              HasSubstr("no row with finite x and y and positive weight among n=3 rows"));
  EXPECT_EQ(from_data({}, {}, 2).status, ZCMOE_ERR_DATA);
}

TEST(compander_from_data, large_common_offset_of_y_does_not_matter) {
  const data d = draw(sine(), 2000, 9);
  std::vector<double> shifted = d.y;
  for (double& v : shifted) v += 1e6;
  EXPECT_THAT(from_data(d.x, shifted, 20).edges,
              Pointwise(DoubleNear(1e-6), from_data(d.x, d.y, 20).edges));
}

TEST(compander_from_data, a_step_draws_the_edges) {
  data d = draw(sine(), 20000, 1);
  for (std::size_t i = 0; i < d.x.size(); ++i) d.y[i] = d.x[i] < 0.7 ? 0.0 : 1.0;
  const auto e = from_data(d.x, d.y, 40).edges;
  const auto near =
      std::count_if(e.begin(), e.end(), [](double v) { return std::abs(v - 0.7) < 0.1; });
  EXPECT_GE(near, 16);  // uniform edges would have 8 there
}

TEST(compander_from_data, refuses_bad_arguments) {
  const std::vector<double> x = {1, 2};
  zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.uniform_mixture = -0.5;
  EXPECT_THAT(from_data(x, x, 2, &options).error,
              HasSubstr("options->uniform_mixture=-0.5; expected 0 to 1"));
  options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.floor = inf;
  EXPECT_THAT(from_data(x, x, 2, &options).error, HasSubstr("options->floor=inf"));
  options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.min_count = -1;
  EXPECT_THAT(from_data(x, x, 2, &options).error, HasSubstr("options->min_count=-1"));
  options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.pilot_bins = -1;
  EXPECT_THAT(from_data(x, x, 2, &options).error, HasSubstr("options->pilot_bins=-1"));
  EXPECT_THAT(from_data(x, x, 2, nullptr, {1, -2}).error, HasSubstr("weights[1]=-2"));
  double e[3];
  std::int64_t num_built = 0;
  EXPECT_EQ(zcmoe_segment_compander_from_data(array(x), {nullptr, ZCMOE_F64, 1}, no_weights, 2, 2,
                                              nullptr, e, &num_built),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("y.data is null"));
}

}  // namespace
