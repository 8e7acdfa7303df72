// Statistics of fitted tables and their standard errors. Counts, means and variances of segments go
// in, numbers come out. V is the variance within segments, for which V_m = sigma^2 + A / m^2 at
// high rate. Formulas and sources: include/zcmoe/theory.h.
#include "host/theory/statistics.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/segmentation/empty_segments.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {

double difference_variance(double m, double k, double approximation, double noise, double n) {
  const double a = std::max(0.0, approximation);
  return 4.0 * noise * a * (1.0 / (m * m) - 1.0 / (k * k)) / n +
         2.0 * noise * noise * (k - m) / (n * n);
}

namespace {

struct statistics_tuning {
  // The high-rate form holds while rho / 4 differs from 1 by no more than this, which means a gap
  // of 5 %.
  static constexpr double high_rate_gap = 0.047;
  // The test tells something if the standard error of rho / 4 is at most this.
  static constexpr double informative = 0.15;
};

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// The variance of sum w_i V_i over nested tables. With D_ij = Var(V_i - V_j) the covariances are
/// (Var V_i + Var V_j - D_ij) / 2, so it is
///   (sum w_i) (sum w_i Var V_i) - sum over all pairs of w_i w_j D_ij.
/// Var V_i is (2 sigma^4 + 4 sigma^2 A / m_i^2) / n.
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

/// The mean squared error of predicting each row from the others, which theory.h defines as
/// zcmoe_theory_statistics::leave_one_out. Counts must be >= 0.
double leave_one_out(const zcmoe_theory_table& table, const zcmoe_model_options& options,
                     double total_mean, std::int64_t n) {
  const double kappa = options.shrinkage;
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  const auto rows = static_cast<double>(n);
  const auto m = static_cast<std::size_t>(table.num_segments);
  empty_segment_constants filled({table.edges, table.counts, nullptr, table.means, m}, options);
  double_double sum;
  for (std::size_t i = 0; i < m; ++i) {
    if (table.counts[i] == 0) continue;
    const auto count = static_cast<double>(table.counts[i]);
    const double sse = table.counts[i] > 1 ? (count - 1.0) * table.variances[i] : 0.0;
    if (kappa > 0) {
      // Without the row y = mean + e, its segment of N rows predicts
      // (N mean - y + kappa g) / (N - 1 + kappa), which differs from y by
      // (N e + kappa (e + mean - g)) / (N - 1 + kappa). Where g is the mean of all n rows it is
      // taken without y too, which multiplies its distance from y by n / (n - 1).
      const double pull = fixed ? kappa : kappa * (rows / (rows - 1.0));
      const double d = table.means[i] - (fixed ? options.empty_value : total_mean);
      const double bottom = count - 1.0 + kappa;
      const double top = (count + pull) * (count + pull) * sse + pull * pull * count * d * d;
      sum = sum + top / (bottom * bottom);
    } else if (table.counts[i] > 1) {
      const double factor = count / (count - 1.0);
      sum = sum + factor * factor * sse;
    } else {
      ZCMOE_EXPECTS(options.empty_policy != ZCMOE_EMPTY_NAN,
                    "options->empty_policy=ZCMOE_EMPTY_NAN has no leave-one-out error: segment ", i,
                    " has one row");
      ZCMOE_EXPECTS(options.empty_policy != ZCMOE_EMPTY_NEAREST || table.edges != nullptr,
                    "table->edges is null, but segment ", i,
                    " has one row and the policy is ZCMOE_EMPTY_NEAREST");
      const double mean_of_others = total_mean + (total_mean - table.means[i]) / (rows - 1.0);
      const double d = table.means[i] - filled.of(i, mean_of_others);
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
    // The share of a segment in new rows is not that in these, which makes s^2 / N low: N - 1.
    spread = spread + table.variances[i] * (count / (count - 1.0));
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
    // A running mean keeps its digits at large n, where a sum would lose some.
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
    if (num_segments[i] < least_segments || num_segments[i] > n / 8) continue;
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
    fail(ZCMOE_ERR_DATA, "fewer than two distinct numbers of segments are in ", least_segments,
         "..n/8=", n / 8);
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
  // difference_variance wants m < k, so the levels are put in ascending order.
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
  // Where the form holds, rho / 4 is 1, so its standard error is the relative one of rho.
  if (!(relative <= statistics_tuning::informative)) return r;
  const double away = std::abs(r.ratio / 4.0 - 1.0);
  r.verdict = away <= statistics_tuning::high_rate_gap + 2.0 * r.standard_error / 4.0
                  ? ZCMOE_THEORY_HOLDS
                  : ZCMOE_THEORY_FAILS;
  return r;
}

}  // namespace zcmoe::detail
