// Chooses the number of segments m from tables of one sample that nest, called levels. Where the
// high-rate form V_m = sigma^2 + A / m^2 holds for the variance V within segments, A and sigma^2
// are fitted to the levels and give m; elsewhere the level with the least leave-one-out error does.
// Formulas and sources: include/zcmoe/theory.h.
#include "host/theory/recommendation.hpp"

#include "host/error.hpp"
#include "host/theory/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct recommendation_tuning {
  // A is expected to change by this share of itself where m doubles.
  static constexpr double drift = 0.25;
  // Where rho / 4 is surely further than this from 1, A^(1/3), and with it m, is off by about a
  // tenth, and the form is not used.
  static constexpr double harmful_gap = 0.25;
  // A level counts as clearly better than the m of the fit if its leave-one-out error is lower by
  // this many standard errors.
  static constexpr double clear = 3.0;
  // The local fit is repeated at most this often. It settles within a few rounds.
  static constexpr int rounds = 20;
};

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Runs the ratio test at every m for which there are levels of m, 2m and 4m segments, and keeps
/// the finest result that is informative. Where none is, the coarsest is kept; where no levels
/// nest, the verdict is UNINFORMATIVE and the ratio NaN.
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
    if (m < least_segments || static_cast<double>(m) > rows / 32) continue;
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

/// Estimates sigma^2, and A for about m segments. Each pair of levels of k and 2k segments gives
/// one estimate of A, 4/3 k^2 (V_k - V_2k). Its weight is the reciprocal of its squared error,
/// which has two parts: noise, and the drift of A over the octaves between the pair and m.
/// num_levels is 0 where there is no such pair.
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
    // The levels of a plan form two chains, 1, 2, 4, ... and 3, 6, 12, ..., which see the same
    // noise. So the variance counts twice: each chain adds but half of what independent levels
    // would.
    const double noise = 2.0 * square * square *
                         difference_variance(k, 2.0 * k, before.approximation, before.noise, rows);
    const double octaves = std::log2(k * std::sqrt(2.0) / m);
    const double drift =
        recommendation_tuning::drift * std::max(before.approximation, 0.0) * octaves;
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

/// Repeats the local fit at the number of segments that the last one calls best, until that number
/// changes by less than 1 %.
zcmoe_theory_fit settled_fit(const std::vector<risk_level>& levels, double rows,
                             const risk_level& start) {
  auto m = static_cast<double>(start.num_segments);
  zcmoe_theory_fit fit{};
  fit.noise = start.within;
  fit.approximation = fit.noise * m * m * m / (2.0 * rows);  // the A for which m is the best number
  for (int i = 0; i < recommendation_tuning::rounds; ++i) {
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

/// The level with the least leave-one-out error. A finer level must be better by more than rounding
/// to be taken.
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
  // Only segments with rows learn. Their share is taken from the nearest level.
  const risk_level& near = level_near(levels, k);
  const double cells = k * (near.cells / static_cast<double>(near.num_segments));
  r.estimation = fit.noise * cells / fit_rows;
  r.excess = r.approximation + r.estimation;
  const double excess_error =
      std::hypot(error / (k * k), 1.96 * fit.noise_error * cells / fit_rows);
  r.excess_lower = std::max(0.0, r.excess - excess_error);
  r.excess_upper = r.excess + excess_error;
}

/// Whether the leave-one-out error at the m of the fit exceeds that of the best level by more than
/// noise explains. The variance of the difference is that of difference_variance, where
/// A (1/m^2 - 1/k^2) is the difference of the V of both levels.
bool clearly_worse(const std::vector<risk_level>& levels, std::size_t best,
                   const zcmoe_theory_fit& fit, double rows) {
  const double m = std::cbrt(2.0 * std::max(0.0, fit.approximation) * rows / fit.noise);
  const risk_level& a = level_near(levels, std::max(1.0, m));
  const risk_level& b = levels[best];
  const double variance =
      2.0 * fit.noise * fit.noise * std::abs(a.cells - b.cells) / (rows * rows) +
      4.0 * fit.noise * std::abs(a.within - b.within) / rows;
  return a.leave_one_out - b.leave_one_out > recommendation_tuning::clear * std::sqrt(variance);
}

/// Recommends the best level. The interval holds every level whose leave-one-out error is within
/// one standard deviation of the best, which for tables of m and k segments is about
/// sigma^2 sqrt(2 |m - k|) / n.
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
  // These are the errors of the level itself. By the high-rate form, `growth` times the rows have
  // growth^(1/3) times the segments and growth^(1/3) / growth times the errors.
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
  const bool form_fails =
      r.test.verdict == ZCMOE_THEORY_FAILS &&
      away > recommendation_tuning::harmful_gap + 2.0 * r.test.standard_error / 4.0;
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
