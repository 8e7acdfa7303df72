// The CPU engine against Thrust on the host, an implementation that shares nothing with it:
// upper_bound or lower_bound and gather for a prediction, sort_by_key and reduce_by_key for a fit.
// Random tables of every kind of edge, both closed sides. ZCMOE_THRUST_CASES sets how many.
#include "tests/support.hpp"

#include <thrust/binary_search.h>
#include <thrust/execution_policy.h>
#include <thrust/gather.h>
#include <thrust/iterator/constant_iterator.h>
#include <thrust/reduce.h>
#include <thrust/sort.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace zcmoe::test {
namespace {

int number_of_cases() {
  const char* const given = std::getenv("ZCMOE_THRUST_CASES");
  return given != nullptr ? std::max(1, std::atoi(given)) : 300;
}

/// Spread out, in clusters a few ulps wide, of every exponent, or whole numbers.
std::vector<double> random_edges(std::mt19937_64& random) {
  const std::size_t wanted = 2 + random() % (random() % 4 == 0 ? 3000 : 40);
  const auto kind = random() % 4;
  std::normal_distribution<double> normal;
  std::vector<double> edges;
  double last = normal(random);
  for (std::size_t k = 0; k < wanted; ++k) {
    switch (kind) {
      case 0: last = normal(random); break;
      case 1: last = random() % 20 == 0 ? normal(random) : std::nextafter(last, infinity); break;
      case 2: last = std::ldexp(normal(random), static_cast<int>(random() % 2000) - 1000); break;
      default: last = static_cast<double>(random() % 4001) - 2000.0; break;
    }
    edges.push_back(last);
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  if (edges.size() < 2) edges.push_back(edges[0] + 1.0);
  return edges;
}

/// Edges themselves, their neighbours, and numbers all over the range and beyond it.
template <class T>
std::vector<T> random_inputs(std::mt19937_64& random, const std::vector<double>& edges) {
  std::vector<T> x(1 + random() % 5000);
  for (T& value : x) {
    const double edge = edges[random() % edges.size()];
    const double other = edges[random() % edges.size()];
    double drawn = edge;
    switch (random() % 5) {
      case 0: break;
      case 1: drawn = std::nextafter(edge, -infinity); break;
      case 2: drawn = std::nextafter(edge, infinity); break;
      case 3: drawn = edge + (other - edge) * 0.37; break;
      default: drawn = 3.0 * edge; break;
    }
    value = static_cast<T>(std::clamp(drawn, -1e308, 1e308));
  }
  return x;
}

/// Segments by Thrust; the interior edges as cuts, so that inputs out of range are clamped.
template <class T>
std::vector<std::int64_t> thrust_segments(const std::vector<double>& edges, bool right_closed,
                                          const std::vector<T>& x) {
  const std::vector<double> cuts(edges.begin() + 1, edges.end() - 1);
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<std::int64_t> segments(x.size());
  if (right_closed) {
    thrust::lower_bound(thrust::host, cuts.begin(), cuts.end(), wide.begin(), wide.end(),
                        segments.begin());
  } else {
    thrust::upper_bound(thrust::host, cuts.begin(), cuts.end(), wide.begin(), wide.end(),
                        segments.begin());
  }
  return segments;
}

template <class T>
void expect_same_predictions(const context& cpu, std::mt19937_64& random, bool right_closed) {
  const std::vector<double> edges = random_edges(random);
  std::vector<double> constants(edges.size() - 1);
  std::normal_distribution<double> normal;
  for (double& constant : constants) constant = normal(random);
  zcmoe_model_options options = model_options();
  options.closed_side = right_closed ? ZCMOE_CLOSED_RIGHT : ZCMOE_CLOSED_LEFT;
  const model answers(cpu, edges, constants, options);
  const std::vector<T> x = random_inputs<T>(random, edges);
  std::vector<double> values(x.size());
  std::vector<std::int64_t> segments(x.size());
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F64, 1};
  outputs.segments = {segments.data(), ZCMOE_I64, 1};
  answers.predict_sync(array(x.data()), static_cast<std::int64_t>(x.size()), outputs);

  const std::vector<std::int64_t> wanted = thrust_segments(edges, right_closed, x);
  std::vector<double> gathered(x.size());
  thrust::gather(thrust::host, wanted.begin(), wanted.end(), constants.begin(), gathered.begin());
  ASSERT_EQ(segments, wanted);
  ASSERT_TRUE(same_bits(values, gathered));
}

/// Whole targets, whose sums are exact in any order.
template <class T>
void expect_same_means(const context& cpu, std::mt19937_64& random, bool right_closed) {
  const std::vector<double> edges = random_edges(random);
  const std::vector<T> x = random_inputs<T>(random, edges);
  std::vector<T> y(x.size());
  for (T& target : y) target = static_cast<T>(static_cast<int>(random() % 2001) - 1000);
  zcmoe_model_options options = model_options();
  options.closed_side = right_closed ? ZCMOE_CLOSED_RIGHT : ZCMOE_CLOSED_LEFT;
  options.empty_policy = ZCMOE_EMPTY_NAN;
  fit state(cpu, edges, options);
  state.add_sync(x, y);
  const model learned = state.finish();
  const zcmoe_model_info info = learned.info();

  std::vector<std::int64_t> keys = thrust_segments(edges, right_closed, x);
  std::vector<double> targets(y.begin(), y.end());
  thrust::sort_by_key(thrust::host, keys.begin(), keys.end(), targets.begin());
  std::vector<std::int64_t> found(keys.size());
  std::vector<double> sums(keys.size());
  std::vector<std::int64_t> counts(keys.size());
  thrust::reduce_by_key(thrust::host, keys.begin(), keys.end(), targets.begin(), found.begin(),
                        sums.begin());
  const auto end = thrust::reduce_by_key(thrust::host, keys.begin(), keys.end(),
                                         thrust::constant_iterator<std::int64_t>(1), found.begin(),
                                         counts.begin());
  std::vector<double> wanted(edges.size() - 1, not_a_number);
  std::vector<std::int64_t> wanted_counts(edges.size() - 1, 0);
  for (std::size_t k = 0; k < static_cast<std::size_t>(end.first - found.begin()); ++k) {
    const auto segment = static_cast<std::size_t>(found[k]);
    wanted[segment] = sums[k] / static_cast<double>(counts[k]);
    wanted_counts[segment] = counts[k];
  }
  for (std::size_t s = 0; s < wanted.size(); ++s) {
    ASSERT_EQ(info.counts[s], wanted_counts[s]) << s;
    if (wanted_counts[s] == 0) {
      ASSERT_TRUE(std::isnan(info.constants[s])) << s;
    } else {
      ASSERT_EQ(info.constants[s], wanted[s]) << s;
    }
  }
}

TEST(thrust_differential_test, predictions_and_segments) {
  const context cpu(ZCMOE_ENGINE_CPU);
  std::mt19937_64 random(1);
  for (int k = 0; k < number_of_cases(); ++k) {
    SCOPED_TRACE(k);
    ASSERT_NO_FATAL_FAILURE(expect_same_predictions<float>(cpu, random, k % 2 != 0));
    ASSERT_NO_FATAL_FAILURE(expect_same_predictions<double>(cpu, random, k % 2 != 0));
  }
}

TEST(thrust_differential_test, counts_and_means) {
  const context cpu(ZCMOE_ENGINE_CPU);
  std::mt19937_64 random(2);
  for (int k = 0; k < number_of_cases(); ++k) {
    SCOPED_TRACE(k);
    ASSERT_NO_FATAL_FAILURE(expect_same_means<float>(cpu, random, k % 2 != 0));
    ASSERT_NO_FATAL_FAILURE(expect_same_means<double>(cpu, random, k % 2 != 0));
  }
}

}  // namespace
}  // namespace zcmoe::test
