// What learning adds: E[1/N], the estimation error (5.1) of every empty policy, and the statistics
// of fitted tables from which a number of segments is chosen. Arrays in, numbers out. Sources:
// theory.h.
#include "host/theory/high_rate.hpp"

#include "host/numbers/double_double.hpp"
#include "host/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct learning_tuning {
  static constexpr double series_from = 200;  // n P from which the factorial series is exact
  static constexpr double lattice_from =
      200;                             // standard deviation of N from which sums are thinned
  static constexpr double reach = 50;  // probabilities e^-50 of the largest are left out
  static constexpr double high_rate_gap = 0.047;  // of rho / 4, for a gap of 5 %
  static constexpr double informative = 0.15;     // standard error of rho / 4
  static constexpr std::int64_t least_segments = 6;
  static constexpr double drift = 0.25;        // of A in an octave of m, relative
  static constexpr double harmful_gap = 0.25;  // of rho / 4: A^(1/3) and m are off by a tenth
  static constexpr double clear = 3.0;         // standard errors
  static constexpr int rounds = 20;            // of the local fit, which settles within a few
};

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// log(1 - P), and what it is multiplied by n for: (1 - P)^n. Sums of probabilities may pass 1 by
/// rounding.
double log_empty(std::int64_t n, double probability) {
  return probability >= 1.0 ? -infinity : static_cast<double>(n) * std::log1p(-probability);
}

/// k! relative to Stirling's formula, as a logarithm; k > 1000.
double stirling_error(double k) {
  const double r = 1.0 / k;
  return r * (1.0 / 12 - r * r * (1.0 / 360 - r * r / 1260));
}

/// (1 + t) log(1 + t) - t without cancellation; |t| < 0.1.
double deviance(double t) {
  double sum = 0.0;
  double power = t;
  for (int j = 2; j <= 18; ++j) {
    power *= j == 2 ? t : -t;
    sum += power / (j * (j - 1.0));
  }
  return sum;
}

/// E f(N), N ~ Binomial(n, P), f smooth above small N. Weights are relative to the mode and divided
/// by their sum, so that no factorial is needed. Wide distributions are summed over a lattice of an
/// eighth of their standard deviation: the trapezium rule of a bell curve, exact to rounding; their
/// weights are the saddle-point form of the binomial (Loader 2000).
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
  if (deviation < learning_tuning::lattice_from) {
    constexpr double least = 1e-30;
    const auto add = [&](double k, double weight) {
      sum = sum + weight * f(k);
      weights = weights + weight;
    };
    double weight = 1.0;
    // The first few always: for n P below 1e-30 the answer hangs on them.
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
  if (size * probability < learning_tuning::series_from) {
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

/// Mean and variance of y over a set of segments, and its probability.
struct group {
  double probability = 0.0;
  double mean = 0.0;
  double variance = 0.0;

  void merge(const group& other) {
    const double whole = probability + other.probability;
    if (!(other.probability > 0)) return;
    const double d = other.mean - mean;
    const double share = other.probability / whole;
    variance += share * (other.variance - variance) + share * (1.0 - share) * d * d;
    mean += share * d;
    probability = whole;
  }
};

struct estimation {
  std::int64_t n;
  const double* edges;
  const double* probabilities;
  const double* means;
  const double* variances;
  std::size_t m;
  zcmoe_model_options options;

  group segment(std::size_t i) const { return {probabilities[i], means[i], variances[i]}; }

  /// E[(answer - c)^2; the answer is the mean of the samples in `source`, and the segments of
  /// probability `empty` hold none]: N of the source is Binomial(n, P / (1 - empty)) then.
  double answer_of(const group& source, double empty, double c) const {
    const double room = 1.0 - empty;
    if (!(source.probability > 0) || !(room > 0)) return 0.0;
    const double d = source.mean - c;
    const double odds = source.probability / (room - source.probability);
    if (odds >= 0 && static_cast<double>(n) * odds < 0.5) {
      // Few terms are needed, none of them relative to another's rounding.
      double some = 0.0;
      double reciprocal = 0.0;
      double term = static_cast<double>(n) * odds;
      for (double k = 1.0; term > 1e-18 * some; ++k) {
        some += term;
        reciprocal += term / k;
        term *= (static_cast<double>(n) - k) / (k + 1.0) * odds;
      }
      return std::exp(log_empty(n, empty + source.probability)) *
             (source.variance * reciprocal + some * d * d);
    }
    const double share = std::min(1.0, source.probability / room);
    const double some = -std::expm1(log_empty(n, share));
    return std::exp(log_empty(n, empty)) *
           (source.variance * mean_reciprocal(n, share) + some * d * d);
  }

  /// E[(mean of the nearest segment with samples - c_i)^2; N_i = 0].
  double nearest(std::size_t i) const {
    const double first = log_empty(n, probabilities[i]);
    const double centre = edges[i] / 2 + edges[i + 1] / 2;
    std::size_t left = i;  // the next on the left is left - 1
    std::size_t right = i + 1;
    double empty = probabilities[i];
    double_double sum;
    while (left > 0 || right < m) {
      // The comparison that the fit makes: halves, and the left one if equal.
      bool go_left = left > 0;
      if (left > 0 && right < m) {
        go_left = centre / 2 - edges[left] / 2 <= edges[right] / 2 - centre / 2;
      }
      const std::size_t j = go_left ? --left : right++;
      if (log_empty(n, empty) < first - learning_tuning::reach) break;
      sum = sum + answer_of(segment(j), empty, means[i]);
      empty += probabilities[j];
    }
    return sum.high;
  }

  /// E[(mean of the block - c_i)^2; N_i = 0] over blocks of 2, 4, 8 ... segments. groups[level][k]
  /// is segment block k of 2^level.
  double parent(std::size_t i, const std::vector<std::vector<group>>& groups) const {
    double empty = probabilities[i];
    double sum = 0.0;
    for (std::size_t level = 0; level + 1 < groups.size(); ++level) {
      const std::size_t block = i >> level;
      const std::size_t sibling = block ^ 1;
      if (sibling >= groups[level].size()) continue;
      // The block's own half is empty, so its mean is the sibling's.
      sum += answer_of(groups[level][sibling], empty, means[i]);
      empty = groups[level + 1][block >> 1].probability;
    }
    return sum;
  }

  std::vector<std::vector<group>> blocks() const {
    std::vector<std::vector<group>> groups(1);
    for (std::size_t i = 0; i < m; ++i) groups[0].push_back(segment(i));
    while (groups.back().size() > 1) {
      const std::vector<group>& fine = groups.back();
      std::vector<group> coarse((fine.size() + 1) / 2);
      for (std::size_t k = 0; k < fine.size(); ++k) coarse[k / 2].merge(fine[k]);
      groups.push_back(std::move(coarse));
    }
    return groups;
  }
};

}  // namespace

zcmoe_theory_estimation_result estimation_of(std::int64_t n, const double* edges,
                                             const double* probabilities, const double* means,
                                             const double* variances, std::int64_t num_segments,
                                             const zcmoe_model_options& options,
                                             double* segment_errors) {
  const auto m = static_cast<std::size_t>(num_segments);
  const estimation e{n, edges, probabilities, means, variances, m, options};
  const auto size = static_cast<double>(n);
  const double kappa = options.shrinkage;
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  group all;
  for (std::size_t i = 0; i < m; ++i) all.merge(e.segment(i));
  std::vector<std::vector<group>> groups;
  if (!(kappa > 0) && options.empty_policy == ZCMOE_EMPTY_PARENT) groups = e.blocks();

  double_double variance;
  double_double fallback;
  double_double empty_share;
  double_double leading;
  for (std::size_t i = 0; i < m; ++i) {
    const double p = probabilities[i];
    const double c = means[i];
    const double v = variances[i];
    const double empty = std::exp(log_empty(n, p));
    // Of the rows outside segment i, measured from the mean of all.
    const double others = 1.0 - p;
    const double d = c - all.mean;
    const double others_mean = others > 0 ? -p * d / others : 0.0;
    const double others_variance =
        others > 0
            ? std::max(0.0, (all.variance - p * (v + d * d)) / others - others_mean * others_mean)
            : 0.0;
    const double to_value = options.empty_value - c;
    const double to_others = others_mean - d;
    double learned = 0.0;  // E[(constant - c)^2; N > 0]
    double missing = 0.0;  // E[(constant - c)^2; N = 0]
    if (kappa > 0) {
      const auto squared = [&](double k) {
        const double bottom = (k + kappa) * (k + kappa);
        if (fixed) return (k * v + kappa * kappa * to_value * to_value) / bottom;
        // g holds the segment's own k samples too: their share of the answer is k (1 + kappa / n).
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
        case ZCMOE_EMPTY_PARENT: missing = e.parent(i, groups); break;
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

// ----------------------------------------------------------------- from data

double answer_without(const zcmoe_theory_table& table, std::size_t i, double total_mean,
                      std::int64_t n, const zcmoe_model_options& options) {
  const auto m = static_cast<std::size_t>(table.num_segments);
  if (options.empty_policy == ZCMOE_EMPTY_VALUE) return options.empty_value;
  if (options.empty_policy == ZCMOE_EMPTY_GLOBAL_MEAN) {
    return total_mean + (total_mean - table.means[i]) / static_cast<double>(n - 1);
  }
  if (options.empty_policy == ZCMOE_EMPTY_PARENT) {
    for (std::size_t size = 2;; size *= 2) {
      const std::size_t first = i / size * size;
      group block;
      for (std::size_t k = first; k < std::min(first + size, m); ++k) {
        if (k != i && table.counts[k] > 0) {
          block.merge({static_cast<double>(table.counts[k]), table.means[k], 0.0});
        }
      }
      if (block.probability > 0 || size >= m) return block.mean;
    }
  }
  ZCMOE_EXPECTS(options.empty_policy != ZCMOE_EMPTY_NAN,
                "options->empty_policy=ZCMOE_EMPTY_NAN has no leave-one-out error: segment ", i,
                " has one row");
  ZCMOE_EXPECTS(table.edges != nullptr, "table->edges is null, but segment ", i,
                " has one row and the policy is ZCMOE_EMPTY_NEAREST");
  const double centre = table.edges[i] / 2 + table.edges[i + 1] / 2;
  std::size_t left = i;
  while (left > 0 && table.counts[left - 1] == 0) --left;
  std::size_t right = i + 1;
  while (right < m && table.counts[right] == 0) ++right;
  const bool go_left = left > 0 && (right == m || centre / 2 - table.edges[left] / 2 <=
                                                      table.edges[right] / 2 - centre / 2);
  return table.means[go_left ? left - 1 : right];
}

namespace {

/// Variance of V_m - V_k for nested tables, m < k.
double difference_variance(double m, double k, double approximation, double noise, double n) {
  const double a = std::max(0.0, approximation);
  return 4.0 * noise * a * (1.0 / (m * m) - 1.0 / (k * k)) / n +
         2.0 * noise * noise * (k - m) / (n * n);
}

/// Variance of sum w_i V_i over nested tables: that of a common part and of the differences.
double combination_variance(const std::vector<double>& m, const std::vector<double>& w,
                            const zcmoe_theory_fit& fit, double n) {
  const double noise = std::max(0.0, fit.noise);
  double total = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    total += w[i];
    const double a = std::max(0.0, fit.approximation) / (m[i] * m[i]);
    sum += w[i] * (2.0 * noise * noise + 4.0 * noise * a) / n;
  }
  sum *= total;
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = i + 1; j < m.size(); ++j) {
      sum -= w[i] * w[j] * difference_variance(m[i], m[j], fit.approximation, noise, n);
    }
  }
  return std::max(0.0, sum);
}

/// The answer that zcmoe_theory_statistics::leave_one_out measures, over one table with counts >=
/// 0.
double leave_one_out(const zcmoe_theory_table& table, const zcmoe_model_options& options,
                     double total_mean, std::int64_t n) {
  const double kappa = options.shrinkage;
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  const auto rows = static_cast<double>(n);
  double_double sum;
  for (std::size_t i = 0; i < static_cast<std::size_t>(table.num_segments); ++i) {
    if (table.counts[i] == 0) continue;
    const auto count = static_cast<double>(table.counts[i]);
    const double sse = table.counts[i] > 1 ? (count - 1.0) * table.variances[i] : 0.0;
    if (kappa > 0) {
      // y - answer = (N e + k (e + mean - g)) / (N - 1 + k), e the residual; leaving y out of g
      // multiplies its distance to g by n / (n - 1).
      const double pull = fixed ? kappa : kappa * (rows / (rows - 1.0));
      const double d = table.means[i] - (fixed ? options.empty_value : total_mean);
      const double bottom = count - 1.0 + kappa;
      const double top = (count + pull) * (count + pull) * sse + pull * pull * count * d * d;
      sum = sum + top / (bottom * bottom);
    } else if (table.counts[i] > 1) {
      const double factor = count / (count - 1.0);
      sum = sum + factor * factor * sse;
    } else {
      const double d = table.means[i] - answer_without(table, i, total_mean, n, options);
      sum = sum + d * d;
    }
  }
  return sum.high / rows;
}

}  // namespace

zcmoe_theory_statistics statistics_of(const zcmoe_theory_table& table,
                                      const zcmoe_model_options& options, double noise) {
  zcmoe_theory_statistics s{};
  double_double rss;
  double_double within;
  double_double spread;
  double_double mean;
  double covered = 0.0;
  const auto m = static_cast<std::size_t>(table.num_segments);
  for (std::size_t i = 0; i < m; ++i) s.num_rows += table.counts[i];
  if (s.num_rows == 0) fail(ZCMOE_ERR_DATA, "the table has no rows: every count is 0");
  const auto n = static_cast<double>(s.num_rows);
  for (std::size_t i = 0; i < m; ++i) {
    if (table.counts[i] == 0) continue;
    const auto count = static_cast<double>(table.counts[i]);
    ++s.num_nonempty;
    mean = mean + table.means[i] * (count / n);
    if (table.counts[i] == 1) {
      ++s.num_singletons;
      continue;
    }
    rss = rss + (count - 1.0) * table.variances[i];
    within = within + count * table.variances[i];
    spread = spread + table.variances[i];
    covered += count;
  }
  const auto nonempty = static_cast<double>(s.num_nonempty);
  s.rss = rss.high;
  s.within = covered > 0 ? within.high / covered : not_a_number;
  s.risk = s.within + spread.high / n;
  s.leave_one_out =
      s.num_rows > 1 ? leave_one_out(table, options, mean.high, s.num_rows) : not_a_number;
  const double free = n - nonempty;
  s.gcv = free > 0 ? n * s.rss / (free * free) : infinity;
  s.mallows = s.rss / n + 2.0 * noise * nonempty / n;
  return s;
}

double rice(const double* targets, std::int64_t n) {
  double mean = 0.0;
  for (std::int64_t i = 1; i < n; ++i) {
    // Running mean, not a sum: nothing to lose at large n.
    const double d = targets[i] - targets[i - 1];
    mean += (d * d - mean) / static_cast<double>(i);
  }
  return mean / 2.0;
}

zcmoe_theory_fit richardson(std::int64_t m, double within_m, double within_2m, std::int64_t n) {
  const auto cells = static_cast<double>(m);
  const double square = cells * cells * 4.0 / 3.0;
  zcmoe_theory_fit fit{};
  fit.approximation = square * (within_m - within_2m);
  fit.noise = (4.0 * within_2m - within_m) / 3.0;
  fit.num_levels = 2;
  const std::vector<double> levels{cells, 2.0 * cells};
  const auto rows = static_cast<double>(n);
  fit.approximation_error = std::sqrt(combination_variance(levels, {square, -square}, fit, rows));
  fit.noise_error = std::sqrt(combination_variance(levels, {-1.0 / 3.0, 4.0 / 3.0}, fit, rows));
  return fit;
}

zcmoe_theory_fit parametric_fit(const std::vector<std::int64_t>& num_segments,
                                const std::vector<double>& within, std::int64_t n) {
  std::vector<double> m;
  std::vector<double> v;
  for (std::size_t i = 0; i < num_segments.size(); ++i) {
    if (num_segments[i] < learning_tuning::least_segments || num_segments[i] > n / 8) continue;
    m.push_back(static_cast<double>(num_segments[i]));
    v.push_back(within[i]);
  }
  const auto levels = static_cast<double>(m.size());
  double mean_z = 0.0;
  double mean_v = 0.0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    mean_z += 1.0 / (m[i] * m[i]) / levels;
    mean_v += v[i] / levels;
  }
  double zz = 0.0;
  for (const double k : m) zz += (1.0 / (k * k) - mean_z) * (1.0 / (k * k) - mean_z);
  if (m.size() < 2 ||
      *std::min_element(m.begin(), m.end()) == *std::max_element(m.begin(), m.end())) {
    fail(ZCMOE_ERR_DATA, "fewer than two distinct numbers of segments are in ",
         learning_tuning::least_segments, "..n/8=", n / 8);
  }
  std::vector<double> slope_weight;
  std::vector<double> level_weight;
  zcmoe_theory_fit fit{};
  slope_weight.reserve(m.size());
  for (const double k : m) slope_weight.push_back((1.0 / (k * k) - mean_z) / zz);
  for (std::size_t i = 0; i < m.size(); ++i) {
    level_weight.push_back(1.0 / levels - mean_z * slope_weight[i]);
    fit.approximation += slope_weight[i] * (v[i] - mean_v);
  }
  fit.noise = mean_v - fit.approximation * mean_z;
  fit.num_levels = static_cast<std::int64_t>(m.size());
  // Ascending, as the variance of differences wants it.
  std::vector<std::size_t> order(m.size());
  for (std::size_t i = 0; i < m.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return m[a] < m[b]; });
  std::vector<double> sorted_m, sorted_slope, sorted_level;
  for (const std::size_t i : order) {
    sorted_m.push_back(m[i]);
    sorted_slope.push_back(slope_weight[i]);
    sorted_level.push_back(level_weight[i]);
  }
  const auto rows = static_cast<double>(n);
  fit.approximation_error = std::sqrt(combination_variance(sorted_m, sorted_slope, fit, rows));
  fit.noise_error = std::sqrt(combination_variance(sorted_m, sorted_level, fit, rows));
  return fit;
}

zcmoe_theory_ratio ratio_test(std::int64_t m, double within_m, double within_2m, double within_4m,
                              std::int64_t n) {
  zcmoe_theory_ratio r{};
  const double coarse = within_m - within_2m;
  const double fine = within_2m - within_4m;
  r.ratio = coarse / fine;
  r.gap = (r.ratio / 4.0 - 1.0) * 16.0 / 15.0;
  r.standard_error = infinity;
  r.verdict = ZCMOE_THEORY_UNINFORMATIVE;
  if (!(coarse > 0) || !(fine > 0)) return r;
  const auto cells = static_cast<double>(m);
  const auto rows = static_cast<double>(n);
  const double approximation = cells * cells * 4.0 / 3.0 * coarse;
  const double noise = std::max(0.0, (4.0 * within_4m - within_2m) / 3.0);
  const double coarse_variance =
      difference_variance(cells, 2.0 * cells, approximation, noise, rows);
  const double fine_variance =
      difference_variance(2.0 * cells, 4.0 * cells, approximation, noise, rows);
  const double relative =
      std::sqrt(coarse_variance / (coarse * coarse) + fine_variance / (fine * fine));
  r.standard_error = r.ratio * relative;
  // At high rate rho / 4 is 1, so the relative error is that of rho / 4.
  if (!(relative <= learning_tuning::informative)) return r;
  const double away = std::abs(r.ratio / 4.0 - 1.0);
  r.verdict = away <= learning_tuning::high_rate_gap + 2.0 * r.standard_error / 4.0
                  ? ZCMOE_THEORY_HOLDS
                  : ZCMOE_THEORY_FAILS;
  return r;
}

namespace {

/// The ratio test at the finest levels that can tell; uninformative if none can.
void test_levels(const std::vector<risk_level>& levels, double rows,
                 zcmoe_theory_recommendation& r) {
  const auto within_at = [&](std::int64_t wanted) {
    for (const risk_level& l : levels) {
      if (l.num_segments == wanted) return l.within;
    }
    return not_a_number;
  };
  r.test.ratio = r.test.gap = not_a_number;
  r.test.standard_error = infinity;
  r.test.verdict = ZCMOE_THEORY_UNINFORMATIVE;
  for (const risk_level& level : levels) {
    const std::int64_t m = level.num_segments;
    if (m < learning_tuning::least_segments || static_cast<double>(m) > rows / 32) continue;
    const double second = within_at(2 * m);
    const double third = within_at(4 * m);
    if (!std::isfinite(second) || !std::isfinite(third)) continue;
    const zcmoe_theory_ratio test =
        ratio_test(m, level.within, second, third, static_cast<std::int64_t>(rows));
    if (test.verdict == ZCMOE_THEORY_UNINFORMATIVE && r.tested_segments != 0) continue;
    r.test = test;
    r.tested_segments = m;
  }
}

/// A at the scale of m segments, and sigma^2: each pair of nested levels gives 4/3 k^2 (V_k -
/// V_2k), weighted by its noise and by its distance from m on the scale of octaves, across which A
/// drifts. num_levels 0: no pair of levels.
zcmoe_theory_fit local_fit(const std::vector<risk_level>& levels, double rows, double m,
                           zcmoe_theory_fit before) {
  zcmoe_theory_fit fit{};
  double weights = 0.0;
  double sum = 0.0;
  for (const risk_level& level : levels) {
    const auto k = static_cast<double>(level.num_segments);
    if (2.0 * k > rows / 4.0) break;
    const auto finer = std::find_if(levels.begin(), levels.end(), [&](const risk_level& l) {
      return l.num_segments == 2 * level.num_segments;
    });
    if (finer == levels.end() || !std::isfinite(level.within) || !std::isfinite(finer->within)) {
      continue;
    }
    const double square = 4.0 / 3.0 * k * k;
    const double a = square * (level.within - finer->within);
    // Every second level belongs to the other chain of m, 2m, 4m, ..., and sees the same noise.
    const double noise = 2.0 * square * square *
                         difference_variance(k, 2.0 * k, before.approximation, before.noise, rows);
    const double octaves = std::log2(k * std::sqrt(2.0) / m);
    const double drift = learning_tuning::drift * std::max(before.approximation, 0.0) * octaves;
    const double weight = 1.0 / (noise + drift * drift + 1e-300);
    sum += weight * a;
    weights += weight;
    ++fit.num_levels;
  }
  if (fit.num_levels == 0) return fit;
  fit.approximation = sum / weights;
  fit.approximation_error = 1.0 / std::sqrt(weights);
  for (const risk_level& level : levels) {
    const auto k = static_cast<double>(level.num_segments);
    if (k > rows / 8.0 || !std::isfinite(level.within)) continue;
    fit.noise = std::max(0.0, level.within - std::max(0.0, fit.approximation) / (k * k));
    fit.noise_error = std::sqrt(2.0 * fit.noise * fit.noise / (rows - k));
  }
  return fit;
}

/// The local fit about the number of segments that it leads to itself.
zcmoe_theory_fit settled_fit(const std::vector<risk_level>& levels, double rows,
                             const risk_level& start) {
  auto m = static_cast<double>(start.num_segments);
  zcmoe_theory_fit fit{};
  fit.noise = start.within;
  fit.approximation = fit.noise * m * m * m / (2.0 * rows);  // were m the best
  for (int i = 0; i < learning_tuning::rounds; ++i) {
    fit = local_fit(levels, rows, m, fit);
    if (fit.num_levels < 2 || !(fit.noise > 0)) break;
    const double next =
        std::max(1.0, std::cbrt(2.0 * std::max(0.0, fit.approximation) * rows / fit.noise));
    const bool settled = std::abs(next - m) < 0.01 * m;
    m = next;
    if (settled) break;
  }
  return fit;
}

/// The level with the least leave-one-out error; rounding alone makes no level better.
std::size_t least_leave_one_out(const std::vector<risk_level>& levels) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < levels.size(); ++i) {
    if (levels[i].leave_one_out < levels[best].leave_one_out * (1.0 - 1e-12)) best = i;
  }
  return best;
}

const risk_level& level_near(const std::vector<risk_level>& levels, double m) {
  const auto apart = [&](const risk_level& l) {
    return std::abs(std::log(static_cast<double>(l.num_segments) / m));
  };
  return *std::min_element(levels.begin(), levels.end(),
                           [&](const auto& a, const auto& b) { return apart(a) < apart(b); });
}

void recommend_by_form(const std::vector<risk_level>& levels, const zcmoe_theory_fit& fit,
                       double fit_rows, zcmoe_theory_recommendation& r) {
  const auto best_m = [&](double approximation) {
    const double k = std::cbrt(2.0 * std::max(0.0, approximation) * fit_rows / fit.noise);
    return std::min(
        {std::max(1.0, k), std::max(1.0, fit_rows), static_cast<double>(ZCMOE_MAX_SEGMENTS)});
  };
  const double error = 1.96 * fit.approximation_error;
  r.method = ZCMOE_THEORY_PARAMETRIC;
  r.num_segments = std::llround(best_m(fit.approximation));
  r.lower = best_m(fit.approximation - error);
  r.upper = best_m(fit.approximation + error);
  const auto k = static_cast<double>(r.num_segments);
  r.approximation = std::max(0.0, fit.approximation) / (k * k);
  // Cells without rows learn nothing.
  const risk_level& near = level_near(levels, k);
  const double cells = k * (near.cells / static_cast<double>(near.num_segments));
  r.estimation = fit.noise * cells / fit_rows;
  r.excess = r.approximation + r.estimation;
  const double excess_error =
      std::hypot(error / (k * k), 1.96 * fit.noise_error * cells / fit_rows);
  r.excess_lower = std::max(0.0, r.excess - excess_error);
  r.excess_upper = r.excess + excess_error;
}

/// Whether leave-one-out tells the m of the fit from the best level, beyond what noise does.
bool clearly_worse(const std::vector<risk_level>& levels, std::size_t best,
                   const zcmoe_theory_fit& fit, double rows) {
  const double m = std::cbrt(2.0 * std::max(0.0, fit.approximation) * rows / fit.noise);
  const risk_level& a = level_near(levels, std::max(1.0, m));
  const risk_level& b = levels[best];
  const double variance =
      2.0 * fit.noise * fit.noise * std::abs(a.cells - b.cells) / (rows * rows) +
      4.0 * fit.noise * std::abs(a.within - b.within) / rows;
  return a.leave_one_out - b.leave_one_out > learning_tuning::clear * std::sqrt(variance);
}

/// Differences of leave-one-out errors between tables of m and k segments have a standard deviation
/// of about sigma^2 sqrt(2 |m - k|) / n.
void recommend_by_leave_one_out(const std::vector<risk_level>& levels, std::size_t best,
                                double noise, double rows, double fit_rows,
                                zcmoe_theory_recommendation& r) {
  const risk_level& level = levels[best];
  const double growth = fit_rows / rows;
  const double wider = std::cbrt(growth);
  const auto m = static_cast<double>(level.num_segments);
  const auto scaled = [&](double k) {
    return std::min(std::max(1.0, k * wider), static_cast<double>(ZCMOE_MAX_SEGMENTS));
  };
  r.method = ZCMOE_THEORY_LEAVE_ONE_OUT;
  r.num_segments = std::llround(scaled(m));
  r.lower = r.upper = scaled(m);
  for (const risk_level& other : levels) {
    const double apart = std::abs(static_cast<double>(other.num_segments) - m);
    if (!(other.leave_one_out - level.leave_one_out <= noise * std::sqrt(2.0 * apart) / rows)) {
      continue;
    }
    r.lower = std::min(r.lower, scaled(static_cast<double>(other.num_segments)));
    r.upper = std::max(r.upper, scaled(static_cast<double>(other.num_segments)));
  }
  // Of the table looked at; one of more rows follows the high-rate form.
  const double shrink = wider / growth;
  const double finest = std::max(rows / 8.0, m);
  double approximation = level.within - noise;
  if (!std::isfinite(approximation)) approximation = level.leave_one_out - noise;
  r.approximation = std::max(0.0, approximation) * shrink;
  r.estimation = noise * level.cells / rows * shrink;
  r.excess = r.approximation + r.estimation;
  const double error =
      1.96 * std::sqrt(difference_variance(m, finest, r.approximation * m * m, noise, rows)) *
      shrink;
  r.excess_lower = std::max(r.estimation, r.excess - error);
  r.excess_upper = r.excess + error;
}

}  // namespace

zcmoe_theory_recommendation recommend(const std::vector<risk_level>& levels, double rows,
                                      double fit_rows) {
  zcmoe_theory_recommendation r{};
  const std::size_t best = least_leave_one_out(levels);
  r.best_level = static_cast<std::int64_t>(best);
  test_levels(levels, rows, r);
  r.fit = settled_fit(levels, rows, levels[best]);
  const double away = std::abs(r.test.ratio / 4.0 - 1.0);
  const bool form_fails = r.test.verdict == ZCMOE_THEORY_FAILS &&
                          away > learning_tuning::harmful_gap + 2.0 * r.test.standard_error / 4.0;
  if (r.fit.num_levels >= 2 && r.fit.noise > 0 && !form_fails &&
      !clearly_worse(levels, best, r.fit, rows)) {
    recommend_by_form(levels, r.fit, fit_rows, r);
  } else {
    if (r.fit.num_levels < 2) {
      double noise = infinity;
      for (const risk_level& level : levels) {
        if (static_cast<double>(level.num_segments) > std::max(1.0, rows / 4.0)) break;
        noise = std::fmin(noise, level.within);
      }
      if (!std::isfinite(noise)) noise = levels[best].leave_one_out;
      r.fit = {not_a_number, noise, infinity, infinity, r.fit.num_levels};
    }
    recommend_by_leave_one_out(levels, best, r.fit.noise, rows, fit_rows, r);
  }
  r.risk = r.fit.noise + r.excess;
  return r;
}

zcmoe_theory_recommendation recommend(const zcmoe_theory_table* tables, std::int64_t num_tables,
                                      const zcmoe_model_options& options) {
  std::vector<risk_level> levels;
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < num_tables; ++i) {
    const zcmoe_theory_statistics s = statistics_of(tables[i], options, 0.0);
    if (i > 0 && s.num_rows != n) {
      fail(ZCMOE_ERR_INVALID_ARGUMENT, "tables[", i, "] has ", s.num_rows, " rows, tables[0] has ",
           n);
    }
    n = s.num_rows;
    levels.push_back(
        {tables[i].num_segments, static_cast<double>(s.num_nonempty), s.within, s.leave_one_out});
  }
  if (n < 2) fail(ZCMOE_ERR_DATA, "the tables have ", n, " row; expected at least 2");
  return recommend(levels, static_cast<double>(n), static_cast<double>(n));
}

}  // namespace zcmoe::detail
