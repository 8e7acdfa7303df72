// Estimation errors of learned constants: expectations over the number of samples in a segment,
// which is binomial, one segment at a time. Arrays of probabilities, means and variances go in,
// numbers come out. E[X; A] is the mean of X taken as 0 outside the event A; P is the probability
// of a segment, c its mean. Formulas and sources: include/zcmoe/theory.h.
#include "host/theory/estimation.hpp"

#include "host/numbers/centred_moments.hpp"
#include "host/numbers/double_double.hpp"
#include "host/segmentation/empty_segments.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

struct estimation_tuning {
  // From this n P on, E[1/N; N > 0] is a factorial series, whose remainder is below e^-200.
  static constexpr double series_from = 200;
  // From this standard deviation of N on, only some of the terms of a binomial mean are summed.
  static constexpr double lattice_from = 200;
  // Stand-ins of an empty segment are left out once their probability is e^-50 of the first one's.
  static constexpr double reach = 50;
};

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The logarithm of (1 - P)^n, the probability that none of n samples lies in a segment. A sum of
/// probabilities that rounding has taken above 1 counts as 1.
double log_empty(std::int64_t n, double probability) {
  return probability >= 1.0 ? -infinity : static_cast<double>(n) * std::log1p(-probability);
}

/// log(k!) minus Stirling's formula (k + 1/2) log k - k + log(2 pi) / 2, by its asymptotic series
/// 1/(12 k) - 1/(360 k^3) + 1/(1260 k^5). The next term is below 1e-24 for k > 1000.
double stirling_error(double k) {
  const double r = 1.0 / k;
  return r * (1.0 / 12 - r * r * (1.0 / 360 - r * r / 1260));
}

/// (1 + t) log(1 + t) - t for |t| < 0.1, by its Taylor series t^2/2 - t^3/6 + t^4/12 - ..., since
/// the difference would cancel for small t.
double deviance(double t) {
  double sum = 0.0;
  double power = t;
  for (int j = 2; j <= 18; ++j) {
    power *= j == 2 ? t : -t;
    sum += power / (j * (j - 1.0));
  }
  return sum;
}

/// The mean of f(N) for N ~ Binomial(n, P), where f is smooth but for small N. Weights are relative
/// to that of the mode, and the sum is divided by theirs, so that no factorial is needed.
///
/// Where the standard deviation of N is large, only values of N an eighth of it apart are summed:
/// this is the trapezium rule, which is exact to rounding for a bell curve of that width. The
/// weight of k is then the saddle-point form of the binomial probability (Loader 2000) without its
/// constant factor. With D = deviance, s = stirling_error, k = n P (1 + up) and
/// n - k = n (1 - P) (1 + down) it is
///   exp(-n P D(up) - n (1 - P) D(down) - s(k) - s(n - k)) / sqrt((1 + up) (1 + down)).
template <class Function>
double binomial_mean(std::int64_t n, double probability, const Function& f) {
  const auto size = static_cast<double>(n);
  if (probability <= 0) return f(0.0);
  if (probability >= 1) return f(size);
  const double rest = 1.0 - probability;
  const double mean = size * probability;
  const double deviation = std::sqrt(mean * rest);
  const double mode = std::min(size, std::floor((size + 1.0) * probability));
  double_double sum;
  double_double weights;
  if (deviation < estimation_tuning::lattice_from) {
    constexpr double least = 1e-30;
    const auto add = [&](double k, double weight) {
      sum = sum + weight * f(k);
      weights = weights + weight;
    };
    double weight = 1.0;
    // Three terms from the mode upwards are always added: where n P is below 1e-30, their weights
    // fall below `least` at once, but they are all there is to the sum.
    for (double k = mode; k <= size && (weight > least || k < mode + 3); ++k) {
      add(k, weight);
      weight *= (size - k) / (k + 1.0) * (probability / rest);
    }
    weight = 1.0;
    for (double k = mode; k > 0;) {
      weight *= k / (size - k + 1.0) * (rest / probability);
      --k;
      if (!(weight > least)) break;
      add(k, weight);
    }
  } else {
    const double step = std::floor(deviation / 8.0);
    for (int i = -100; i <= 100; ++i) {
      const double k = mode + i * step;
      if (k < 1 || k > size - 1) continue;
      const double up = (k - mean) / mean;
      const double down = -(k - mean) / (size * rest);
      const double exponent = -mean * deviance(up) - size * rest * deviance(down) -
                              stirling_error(k) - stirling_error(size - k);
      const double weight = std::exp(exponent) / std::sqrt((1.0 + up) * (1.0 + down));
      sum = sum + weight * f(k);
      weights = weights + weight;
    }
  }
  return sum.high / weights.high;
}

}  // namespace

double mean_reciprocal(std::int64_t n, double probability) {
  const auto size = static_cast<double>(n);
  if (n == 0 || probability <= 0) return 0.0;
  if (probability >= 1) return 1.0 / size;
  if (size * probability < estimation_tuning::series_from) {
    return binomial_mean(n, probability, [](double k) { return k > 0 ? 1.0 / k : 0.0; });
  }
  double sum = 0.0;
  double term = 1.0 / ((size + 1.0) * probability);
  for (double k = 1.0; term > 1e-18 * sum; ++k) {
    sum += term;
    term *= k / ((size + k + 1.0) * probability);
  }
  return sum;
}

namespace {

struct estimation {
  std::int64_t n;
  const double* edges;
  const double* probabilities;
  const double* means;
  const double* variances;
  std::size_t m;
  stand_ins others;

  /// The moments of y in segment i. Their weight is the probability of the segment.
  centred_moments segment(std::size_t i) const {
    return {probabilities[i], means[i], probabilities[i] * variances[i]};
  }

  /// E[(prediction - c)^2; A], where A is the event that the segments of joint probability `empty`
  /// hold no sample while those of `source` hold some, and the prediction is the mean of these.
  /// Given that the former are empty, each of the n samples lies in `source` with probability
  /// P / (1 - empty), so that the number of those is Binomial(n, P / (1 - empty)).
  double answer_of(const centred_moments& source, double empty, double c) const {
    const double room = 1.0 - empty;
    if (!(source.weight > 0) || !(room > 0)) return 0.0;
    const double d = source.mean - c;
    const double variance = source.scatter / source.weight;
    const double odds = source.weight / (room - source.weight);
    if (odds >= 0 && static_cast<double>(n) * odds < 0.5) {
      // So few samples are expected in `source` that the binomial sums converge within a few terms.
      // They are sums of C(n, k) odds^k over k >= 1 and of the same terms divided by k, times the
      // probability (1 - empty - P)^n that no sample lies in either place.
      double some = 0.0;
      double reciprocal = 0.0;
      double term = static_cast<double>(n) * odds;
      for (double k = 1.0; term > 1e-18 * some; ++k) {
        some += term;
        reciprocal += term / k;
        term *= (static_cast<double>(n) - k) / (k + 1.0) * odds;
      }
      return std::exp(log_empty(n, empty + source.weight)) * (variance * reciprocal + some * d * d);
    }
    const double share = std::min(1.0, source.weight / room);
    const double some = -std::expm1(log_empty(n, share));
    return std::exp(log_empty(n, empty)) * (variance * mean_reciprocal(n, share) + some * d * d);
  }

  /// E[(mean of the nearest segment that has samples - c_i)^2; N_i = 0].
  double nearest(std::size_t i) const {
    const double first = log_empty(n, probabilities[i]);
    double empty = probabilities[i];
    double_double sum;
    others.nearest_first(i, [&](std::size_t j) {
      if (log_empty(n, empty) < first - estimation_tuning::reach) return false;
      sum = sum + answer_of(segment(j), empty, means[i]);
      empty += probabilities[j];
      return true;
    });
    return sum.high;
  }

  /// E[(mean of the smallest block around segment i that has samples - c_i)^2; N_i = 0], where
  /// blocks are those of 2, 4, 8, ... segments. blocks[level][k] has the moments of block k of
  /// 2^level segments.
  double parent(std::size_t i, const std::vector<std::vector<centred_moments>>& blocks) const {
    double sum = 0.0;
    stand_ins::block_by_block(i, m, [&](std::size_t level, std::size_t beside) {
      // The half of the block around segment i is empty here, so the mean of the block is that of
      // its other half.
      const double empty = blocks[level][beside ^ 1].weight;
      sum += answer_of(blocks[level][beside], empty, means[i]);
      return true;
    });
    return sum;
  }

  std::vector<std::vector<centred_moments>> blocks() const {
    std::vector<std::vector<centred_moments>> levels(1);
    for (std::size_t i = 0; i < m; ++i) levels[0].push_back(segment(i));
    while (levels.back().size() > 1) {
      const std::vector<centred_moments>& fine = levels.back();
      std::vector<centred_moments> coarse((fine.size() + 1) / 2);
      for (std::size_t k = 0; k < fine.size(); ++k) coarse[k / 2] = merged(coarse[k / 2], fine[k]);
      levels.push_back(std::move(coarse));
    }
    return levels;
  }
};

}  // namespace

zcmoe_theory_estimation_result estimation_of(std::int64_t n, const double* edges,
                                             const double* probabilities, const double* means,
                                             const double* variances, std::int64_t num_segments,
                                             const zcmoe_model_options& options,
                                             double* segment_errors) {
  const auto m = static_cast<std::size_t>(num_segments);
  const estimation e{
      n, edges, probabilities, means, variances, m, stand_ins(edges, m, [](std::size_t) {
        return true;
      })};
  const auto size = static_cast<double>(n);
  const double kappa = options.shrinkage;
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  centred_moments all;
  for (std::size_t i = 0; i < m; ++i) all = merged(all, e.segment(i));
  const double variance_of_all = all.weight > 0 ? all.scatter / all.weight : 0.0;
  std::vector<std::vector<centred_moments>> blocks;
  if (!(kappa > 0) && options.empty_policy == ZCMOE_EMPTY_PARENT) blocks = e.blocks();

  double_double variance;
  double_double fallback;
  double_double empty_share;
  double_double leading;
  for (std::size_t i = 0; i < m; ++i) {
    const double p = probabilities[i];
    const double c = means[i];
    const double v = variances[i];
    const double empty = std::exp(log_empty(n, p));
    // The probability, the mean (as a distance from the mean of all) and the variance of y outside
    // segment i. The variance follows from
    //   variance_of_all = p (v + d^2) + others (others_variance + others_mean^2).
    const double others = 1.0 - p;
    const double d = c - all.mean;
    const double others_mean = others > 0 ? -p * d / others : 0.0;
    const double others_variance =
        others > 0 ? std::max(0.0, (variance_of_all - p * (v + d * d)) / others -
                                       others_mean * others_mean)
                   : 0.0;
    const double to_value = options.empty_value - c;
    const double to_others = others_mean - d;
    double learned = 0.0;  // E[(constant - c)^2; N > 0]
    double missing = 0.0;  // E[(constant - c)^2; N = 0]
    if (kappa > 0) {
      const auto squared = [&](double k) {
        const double bottom = (k + kappa) * (k + kappa);
        if (fixed) return (k * v + kappa * kappa * to_value * to_value) / bottom;
        // The learned constant is (sum of the k samples + kappa g) / (k + kappa), where g is the
        // mean of all n. These k are part of g too, so each of them counts 1 + kappa / n times, and
        // each of the other n - k counts kappa / n times.
        const double own = 1.0 + kappa / size;
        const double rest = kappa * ((size - k) / size);
        const double spread = (size - k) / size * others_variance / size;
        return (k * v * own * own + kappa * kappa * spread + rest * rest * to_others * to_others) /
               bottom;
      };
      missing = empty * squared(0.0);
      learned = binomial_mean(n, p, [&](double k) { return k > 0 ? squared(k) : 0.0; });
    } else {
      learned = v * mean_reciprocal(n, p);
      switch (options.empty_policy) {
        case ZCMOE_EMPTY_VALUE: missing = empty * to_value * to_value; break;
        case ZCMOE_EMPTY_GLOBAL_MEAN:
          missing = empty * (to_others * to_others + others_variance / size);
          break;
        case ZCMOE_EMPTY_PARENT: missing = e.parent(i, blocks); break;
        default: missing = e.nearest(i); break;
      }
    }
    if (segment_errors != nullptr) segment_errors[i] = learned + missing;
    variance = variance + p * learned;
    fallback = fallback + p * missing;
    empty_share = empty_share + p * empty;
    if (p > 0) leading = leading + v / size;
  }
  return {variance.high + fallback.high, variance.high, fallback.high, empty_share.high,
          leading.high};
}

}  // namespace zcmoe::detail
