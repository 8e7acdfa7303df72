// Estimates, from a fitted model alone, its expected risk and the parts of it, and confidence
// intervals of its constants. Counts, means and variances of segments go in, numbers come out. P_i
// is the share of the weight in segment i, N_i its rows, s_i^2 their variance, V = sum P_i s_i^2,
// and b the regression.
//
// clang-format off
//   constants of the neighbours of segment i -> rise of b across it, less what noise adds to its square
//   -> E_app = sum P_i rise^2 / 12;  sigma^2 = V - E_app;  E_est = sum P_i s_i^2 / (N_i - 1)
// clang-format on
//
// Where experts are lines, in place of constants and rises there are slopes of lines and bends, of
// which E_app is sum P_i bend^2 / 720 (width_law), and s_i^2 is the variance about the line.
//
// A share in new rows is not that in the rows learned from, on average over samples P_i / N_i is
// 1 / (N_i - 1) of what it seems. E_app holds where b is smooth; width_is_refuted looks for that.
#include "host/planning/diagnosis.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/theory/statistics.hpp"

#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace zcmoe::detail {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t full = 5;  // a segment with fewer rows is called starved

/// The constants of the slots that have rows and their standard errors, as they were before
/// shrinkage: means, unless they are smooth. Variances are of a row of the mean weight of its slot,
/// so that in terms of them precisions are as rows without weights: the squared standard error of
/// a mean is variance / N.
/// A shrunk constant is c = (W mean + kappa g) / (W + kappa), so the mean is c + (c - g) kappa / W.
/// g is empty_value under the policy VALUE, else the mean of all targets: the sum of W mean over
/// all slots is g times the sum of W, which in terms of the constants reads
/// sum c (W + kappa) = g sum (W + kappa).
struct unshrunk {
  std::vector<double> means;
  std::vector<double> errors;
  std::vector<double> variances;
  double kappa;
  double g = 0.0;

  explicit unshrunk(const model& fitted)
      : means(fitted.data().constants),
        errors(fitted.data().standard_errors),
        variances(fitted.data().variances) {
    const model_data& data = fitted.data();
    for (std::size_t i = 0; has_precisions(fitted.policies(), data.weighted) && i < means.size();
         ++i)
      variances[i] *= static_cast<double>(data.counts[i]) / data.weights[i];
    const zcmoe_model_options options = fitted.policies().as_options();
    kappa = options.shrinkage;
    if (!(kappa > 0)) return;
    g = options.empty_value;
    if (options.empty_policy != ZCMOE_EMPTY_VALUE) {
      double_double top;
      double_double bottom;
      for (std::size_t i = 0; i < means.size(); ++i) {
        if (data.counts[i] == 0) continue;
        top = top + means[i] * (data.weights[i] + kappa);
        bottom = bottom + (data.weights[i] + kappa);
      }
      g = top.high / bottom.high;
    }
    for (std::size_t i = 0; i < means.size(); ++i) {
      if (data.counts[i] == 0) continue;
      means[i] += (means[i] - g) * (kappa / data.weights[i]);
      errors[i] *= 1.0 + kappa / data.weights[i];
    }
  }

  /// The expected squared error of constant i: noise, and the bias towards g where there is
  /// shrinkage. The bias is estimated from the squared distance of the mean from g, less its noise.
  double constant_error(std::size_t i, double weight) const {
    const double v = errors[i] * errors[i];
    if (!(kappa > 0)) return v;
    const double share = weight / (weight + kappa);
    const double away = (means[i] - g) * (means[i] - g) - v;
    return share * share * v + (1.0 - share) * (1.0 - share) * std::max(0.0, away);
  }

  /// The same on new rows, whose share of the segment is another one than that of the rows learned
  /// from. Smooth constants are not means of the rows of their segment, and are told by all.
  double error_on_new_rows(const model_data& data, std::size_t i) const {
    const double error = constant_error(i, data.weights[i]);
    if (!data.means.empty()) return error;
    const auto count = static_cast<double>(data.counts[i]);
    if (!data.lines.empty()) {
      const double parameters = variances[i] > 0 ? error * count / variances[i] : 0.0;
      return error * (count / std::max(1.0, count - parameters));
    }
    const double effective =
        data.weighted && errors[i] > 0 ? variances[i] / (errors[i] * errors[i]) : count;
    const double rows = std::max(2.0, effective);
    return error * (rows / (rows - 1.0));
  }
};

/// What the width of segments costs: an error of rise^2 / 12 and 1 / m^2 for constants, bend^2 /
/// 720 and 1 / m^4 for lines, where the rise is that of b across a segment, and the bend what its
/// slope rises by times the width. Source: Dar 2025; theory.h.
struct width_law {
  double divisor;
  double power;  // of 1 / m
};
width_law law_of(const model_data& data) {
  return data.lines.empty() ? width_law{12.0, 2.0} : width_law{720.0, 4.0};
}

/// What the expected squared error of smooth constants on new rows has above v, the variance within
/// segments: the error of the rows learned from, and twice the variance of what they are predicted
/// with. It holds what the fit misses of b, and segments of one row. May be negative; 0 for
/// weighted rows, of which the variance of a mean is not known. Source: Mallows 1973.
double smooth_error(const model_data& data, double v) {
  if (data.weighted) return 0.0;
  double_double rows;
  double_double error;
  for (std::size_t i = 0; i < static_cast<std::size_t>(data.num_segments()); ++i) {
    if (data.counts[i] == 0) continue;
    const auto count = static_cast<double>(data.counts[i]);
    rows = rows + count;
    const double off = data.means[i] - data.constants[i];
    const double e = data.standard_errors[i];
    const double scatter = count > 1 ? (count - 1.0) * data.variances[i] : 0.0;
    error = error + (scatter + count * (off * off + 2.0 * e * e));
  }
  return error.high / rows.high - v;
}

/// A segment with rows. Errors and variances are in squared units of y; where experts are lines,
/// mean and error are of the slope times the width.
struct learned_segment {
  std::size_t index;
  double centre;
  double width;
  double share;  // its share of the weight, P_i
  double mean;
  double variance;  // NaN if it has one row
  double error;     // squared standard error of the mean; for one row the variance of all
  /// The mean weight of its rows over that of all, where weights are precisions; else 1. Noise is
  /// as many times less than that of all, but the width of a segment adds to it what it does.
  double precision;
};

/// The segments with rows. `total` is the sum of weights, `v` the variance that is taken where a
/// segment has one row.
std::vector<learned_segment> learned_segments(const model_data& data, const unshrunk& learned,
                                              double total, double v, double mean_precision) {
  std::vector<learned_segment> segments;
  for (std::size_t i = 0; i < static_cast<std::size_t>(data.num_segments()); ++i) {
    if (data.counts[i] == 0) continue;
    const double se = learned.errors[i];
    const double precision =
        mean_precision > 0 ? data.weights[i] / static_cast<double>(data.counts[i]) / mean_precision
                           : 1.0;
    segments.push_back({i, data.edges[i] / 2 + data.edges[i + 1] / 2,
                        data.edges[i + 1] - data.edges[i], data.weights[i] / total,
                        learned.means[i], learned.variances[i],
                        data.counts[i] > 1 ? se * se : v / precision, precision});
    if (data.lines.empty()) continue;
    // A slope times the width has 12 times the variance of a mean where inputs are spread evenly,
    // and of the two parameters of a line the mean has half of the squared error.
    learned_segment& own = segments.back();
    own.mean = data.lines[i].slope * own.width;
    own.error *= 6.0;
  }
  return segments;
}

/// The squared rise of b (or bend, where experts are lines) across segment k, less what noise adds
/// to it on average, and the variance of that estimate. The slope comes from the segments on both
/// sides, or at an end from one of them and segment k. If r is the rise and s the variance of its
/// noise, the variance of r^2 is 4 r^2 s + 2 s^2. The errors of smooth constants are all but the
/// same on both sides: next to nothing of them is in the rise, and s is an upper limit.
struct squared_rise {
  double value;
  double variance;
};
squared_rise rise_of(const std::vector<learned_segment>& segments, std::size_t k, bool smooth,
                     bool lines) {
  const learned_segment& left = segments[k > 0 ? k - 1 : k];
  const learned_segment& right = segments[k + 1 < segments.size() ? k + 1 : k];
  const double run = right.centre - left.centre;
  if (!(run > 0)) return {0.0, 0.0};
  const double part = segments[k].width / run;
  // Means are compared as they are; slopes over the width of segment k, whatever their own.
  const auto over_width = [&](const learned_segment& s) {
    return lines ? segments[k].width / s.width : 1.0;
  };
  const double rise = (right.mean * over_width(right) - left.mean * over_width(left)) * part;
  const double noise = (left.error * over_width(left) * over_width(left) +
                        right.error * over_width(right) * over_width(right)) *
                       part * part;
  const double value = rise * rise - (smooth ? 0.0 : noise);
  return {value, 4.0 * std::max(0.0, value) * noise + 2.0 * noise * noise};
}

/// A segment against the mean of its two neighbours.
struct contrast {
  double weight;          // of the rows behind it
  double share;           // of the segment, P_i, or of its rows where weights are precisions
  double width;           // of rise^2 / 12
  double width_noise;     // its variance
  double variance;        // of s^2
  double variance_noise;  // its variance, for normal noise
};

std::vector<contrast> contrasts_of(const std::vector<learned_segment>& segments,
                                   const std::vector<squared_rise>& rises, const model_data& data) {
  const double divisor = law_of(data).divisor;
  std::vector<contrast> found;
  for (std::size_t k = 1; k + 1 < segments.size(); ++k) {
    contrast c{};
    bool known = true;
    double inverse = 0.0;
    for (const std::size_t j : {k - 1, k, k + 1}) {
      const double sign = j == k ? 1.0 : -0.5;
      // Of a row of the mean weight of all, so that noise is the same in all three.
      const double scale = segments[j].precision;
      const double s2 = segments[j].variance * scale;
      const auto freedom = static_cast<double>(data.counts[segments[j].index] - 1);
      known = known && freedom > 0;
      inverse += sign * sign / freedom;
      c.width += sign * scale * rises[j].value / divisor;
      c.width_noise += sign * sign * scale * scale * rises[j].variance / (divisor * divisor);
      c.variance += sign * s2;
      c.variance_noise += sign * sign * 2.0 * s2 * s2 / freedom;
    }
    c.weight = 1.0 / inverse;
    c.share = segments[k].share / segments[k].precision;
    if (known) found.push_back(c);
  }
  return found;
}

/// The squared standard error of V = sum P_i s_i^2 that the variances of neighbouring segments
/// tell, whatever the tails of the noise: a contrast of three variances has 3/2 of the variance of
/// one. What segments at the ends add is taken as that of the others; 0 where nothing is known.
double squared_error_seen(const std::vector<contrast>& contrasts,
                          const std::vector<learned_segment>& segments) {
  double all = 0.0;
  for (const learned_segment& s : segments) all += s.share / s.precision * (s.share / s.precision);
  double known = 0.0;
  double seen = 0.0;
  for (const contrast& c : contrasts) {
    known += c.share * c.share;
    seen += c.share * c.share * c.variance * c.variance / 1.5;
  }
  return known > 0 ? seen * (all / known) : 0.0;
}

/// Whether the variances within segments contradict the widths that rises tell. s_i^2 is sigma^2
/// and rise^2 / 12: where noise changes slowly, contrasts of the one are those of the other. Their
/// regression through the origin has the slope 1 where b is smooth, and 0 where it jumps at edges;
/// where it jumps inside of segments, variances differ by far more than noise explains, and widths
/// do not tell why. The noise of the rises is taken out of the squares of widths; where it is most
/// of them, nothing can be said.
bool width_is_refuted(const std::vector<contrast>& contrasts) {
  constexpr double harmful = 0.5;   // the split is off by half
  constexpr double clear = 4.0;     // standard errors
  constexpr double by_noise = 9.0;  // squared contrasts of variances over their expectation
  double top = 0.0;
  double squares = 0.0;
  double noise = 0.0;
  for (const contrast& c : contrasts) {
    top += c.weight * c.width * c.variance;
    squares += c.weight * c.width * c.width;
    noise += c.weight * c.width_noise;
  }
  const double bottom = squares - noise;
  if (!(bottom > squares / 2.0)) return false;
  const double slope = top / bottom;
  double seen = 0.0;
  double expected = 0.0;
  double told = 0.0;
  double left = 0.0;
  double excess = 0.0;
  for (const contrast& c : contrasts) {
    const double rest = c.variance - slope * c.width;
    const double scale = c.weight * c.weight * c.width * c.width;
    seen += scale * rest * rest;
    expected += scale * c.variance_noise;
    const double off = c.variance - c.width;
    told += c.weight * c.variance * c.variance;
    left += c.weight * off * off;
    excess += c.weight * c.variance_noise;
  }
  // Contrasts that share segments are correlated: the variance counts twice.
  const double error = std::sqrt(2.0 * std::max(seen, expected)) / bottom;
  const bool another_slope = std::abs(slope - 1.0) > std::max(harmful, clear * error);
  const bool unexplained = told > by_noise * excess && left > harmful * told;
  return another_slope || unexplained;
}

/// The share of the sum of errors e that would remain if cuts were moved until all errors are
/// equal: (sum e^(1/3))^3 / (m^2 sum e), of lines (sum e^(1/5))^5 / (m^4 sum e). Errors are
/// smoothed with the weights 1, 2, 3, 2, 1 first, since the root of a noisy number is biased.
double equal_error_of(const std::vector<double>& errors, const width_law& law) {
  constexpr double weights[] = {3, 2, 1};
  const auto m = static_cast<std::ptrdiff_t>(errors.size());
  double_double sum;
  double_double roots;
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    double top = 0.0;
    double bottom = 0.0;
    for (std::ptrdiff_t d = -2; d <= 2; ++d) {
      if (i + d < 0 || i + d >= m) continue;
      top += weights[std::abs(d)] * errors[static_cast<std::size_t>(i + d)];
      bottom += weights[std::abs(d)];
    }
    const double e = std::max(0.0, top / bottom);
    sum = sum + e;
    roots = roots + std::pow(e, 1.0 / (law.power + 1.0));
  }
  if (!(sum.high > 0)) return not_a_number;
  const double mean_root = roots.high / static_cast<double>(m);
  return std::pow(mean_root, law.power + 1.0) / (sum.high / static_cast<double>(m));
}

/// The leave-one-out error of smooth constants, from one fit. A least-squares fit that gives a row
/// the value c and moves by h where the row moves by 1 predicts the row without it at the distance
/// (y - c) / (1 - h), and h is the variance of c over that of a row. The standard errors hold the
/// choice of knots too, so h is rather too large. Source: Allen 1974 (PRESS).
double smooth_leave_one_out_of(const model_data& data, double noise) {
  double_double sum;
  double_double rows;
  for (std::size_t i = 0; i < static_cast<std::size_t>(data.num_segments()); ++i) {
    if (data.counts[i] == 0) continue;
    const auto count = static_cast<double>(data.counts[i]);
    const double off = data.means[i] - data.constants[i];
    const double e = data.standard_errors[i];
    // All rows of a segment move its constant alike, and together by 1 at most.
    constexpr double most = 0.5;  // a single row in a segment of its own
    const double h = std::min({noise > 0 && e >= 0 ? e * e / noise : most, 1.0 / count, most});
    const double scatter = count > 1 ? (count - 1.0) * data.variances[i] : 0.0;
    sum = sum + (scatter + count * off * off) / ((1.0 - h) * (1.0 - h));
    rows = rows + count;
  }
  return sum.high / rows.high;
}

/// The leave-one-out error of lines, from one fit: rows that take k of the parameters of all move
/// their own answers by k / N on average. A row alone in its segment counts as one that its
/// neighbours answer with twice the error of others.
double line_leave_one_out_of(const model_data& data, double noise) {
  double_double sum;
  double_double rows;
  for (std::size_t i = 0; i < static_cast<std::size_t>(data.num_segments()); ++i) {
    if (data.counts[i] == 0) continue;
    const auto count = static_cast<double>(data.counts[i]);
    const double e = data.standard_errors[i];
    const double taken = data.variances[i] > 0 && e >= 0 ? e * e * count / data.variances[i] : 0.0;
    const double left = std::max(count - taken, 0.5 * count);
    sum = sum + (count > 1 ? data.variances[i] * count * count / left : 2.0 * noise);
    rows = rows + count;
  }
  return sum.high / rows.high;
}

double leave_one_out_of(const model_data& data, const std::vector<double>& means,
                        zcmoe_model_options policies) {
  if (policies.empty_policy == ZCMOE_EMPTY_NAN) policies.empty_policy = ZCMOE_EMPTY_NEAREST;
  const zcmoe_theory_table table{data.counts.data(), means.data(), data.variances.data(),
                                 data.edges.data(), data.num_segments()};
  return statistics_of(table, policies, 0.0).leave_one_out;
}

/// Counts segments and their rows. Returns the sum of the weights.
double count_rows(const model_data& data, zcmoe_model_diagnosis& d) {
  d.num_segments = data.num_segments();
  double_double total;
  for (std::size_t i = 0; i < static_cast<std::size_t>(d.num_segments); ++i) {
    d.num_rows += data.counts[i];
    d.num_empty += data.counts[i] == 0 ? 1 : 0;
    d.num_singletons += data.counts[i] == 1 ? 1 : 0;
    d.num_starved += data.counts[i] < full ? 1 : 0;
    total = total + data.weights[i];
  }
  return total.high;
}

}  // namespace

zcmoe_model_diagnosis diagnosis_of(const model& fitted, const zcmoe_diagnosis_segments& wanted) {
  const model_data& data = fitted.data();
  const zcmoe_model_options options = fitted.policies().as_options();
  const auto m = static_cast<std::size_t>(data.num_segments());
  const unshrunk learned(fitted);
  const bool smooth = options.constants == ZCMOE_CONSTANTS_SMOOTH;
  const bool lines = !data.lines.empty();
  const width_law law = law_of(data);

  zcmoe_model_diagnosis d{};
  const double total = count_rows(data, d);
  double_double within;
  double_double covered;
  double_double freedom;
  double_double estimation;
  for (std::size_t i = 0; i < m; ++i) {
    if (!(learned.variances[i] >= 0)) continue;
    const double share = data.weights[i] / total;
    within = within + share * learned.variances[i];
    covered = covered + share;
    estimation = estimation + share * learned.error_on_new_rows(data, i);
    freedom = freedom + static_cast<double>(data.counts[i] - 1);
  }
  if (!(covered.high > 0)) {
    fail(ZCMOE_ERR_DATA, "none of the ", m, " segments has two rows: nothing tells the noise");
  }
  const double v = within.high / covered.high;

  const bool precisions = has_precisions(fitted.policies(), data.weighted);
  const std::vector<learned_segment> segments = learned_segments(
      data, learned, total, v, precisions ? total / static_cast<double>(d.num_rows) : 0.0);
  std::vector<double> errors(segments.size());
  std::vector<squared_rise> rises(segments.size());
  double_double approximation;
  double_double variance;
  if (wanted.approximation != nullptr) std::fill_n(wanted.approximation, m, 0.0);
  if (wanted.estimation != nullptr) std::fill_n(wanted.estimation, m, 0.0);
  for (std::size_t k = 0; k < segments.size(); ++k) {
    const learned_segment& s = segments[k];
    const squared_rise rise = rises[k] = rise_of(segments, k, smooth, lines);
    errors[k] = s.share * rise.value / law.divisor;
    approximation = approximation + errors[k];
    // The rises across segments k and k + 2 share the mean of segment k + 1. So the variance of the
    // sum is taken to be twice that of independent terms.
    variance = variance + 2.0 * s.share * s.share / (law.divisor * law.divisor) * rise.variance;
    if (wanted.approximation != nullptr) {
      const double most = s.variance >= 0 ? s.share * s.variance : errors[k];
      wanted.approximation[s.index] = std::max(0.0, std::min(errors[k], most));
    }
    if (wanted.estimation != nullptr) {
      wanted.estimation[s.index] = data.counts[s.index] > 1
                                       ? s.share * learned.error_on_new_rows(data, s.index)
                                       : not_a_number;
    }
  }
  d.approximation = std::min(v, std::max(0.0, approximation.high));
  d.approximation_error = std::sqrt(variance.high);
  d.noise = v - d.approximation;
  d.estimation = estimation.high / covered.high;
  if (smooth) d.estimation = std::max(d.estimation, smooth_error(data, v));
  d.risk = v + d.estimation;
  const std::vector<contrast> contrasts = contrasts_of(segments, rises, data);
  d.risk_error = std::sqrt(
      std::max(2.0 * v * v / std::max(1.0, freedom.high), squared_error_seen(contrasts, segments)));
  d.equal_error =
      approximation.high > d.approximation_error ? equal_error_of(errors, law) : not_a_number;
  d.best_segments =
      d.estimation > 0 && !smooth
          ? static_cast<double>(m) *
                std::pow(law.power * d.approximation / d.estimation, 1.0 / (law.power + 1.0))
          : not_a_number;
  if (width_is_refuted(contrasts)) {
    d.noise = d.approximation = d.approximation_error = not_a_number;
    d.equal_error = d.best_segments = not_a_number;
    if (wanted.approximation != nullptr) std::fill_n(wanted.approximation, m, not_a_number);
  }
  d.leave_one_out = data.weighted || d.num_rows < 2 ? not_a_number
                    : smooth                        ? smooth_leave_one_out_of(data, v)
                    : lines                         ? line_leave_one_out_of(data, v)
                            : leave_one_out_of(data, learned.means, options);
  return d;
}

void intervals_of(const model& fitted, double confidence, double* lower, double* upper) {
  const model_data& data = fitted.data();
  const unshrunk learned(fitted);
  const bool smooth = !data.means.empty();
  const bool linear = fitted.policies().options.experts == ZCMOE_EXPERTS_LINEAR;
  // The noise in the errors of smooth constants is told by all rows.
  double shared_freedom = 0.0;
  for (std::size_t i = 0; smooth && i < static_cast<std::size_t>(data.num_segments()); ++i)
    shared_freedom += std::max(0.0, static_cast<double>(data.counts[i]) - 1.0);
  double freedom = 0.0;
  double t = not_a_number;
  for (std::size_t i = 0; i < data.constants.size(); ++i) {
    lower[i] = upper[i] = not_a_number;
    double error = learned.errors[i];
    const bool shares = smooth && i < static_cast<std::size_t>(data.num_segments());
    if ((data.counts[i] < 2 && !shares) || !(error >= 0)) continue;
    // The effective number of rows (sum w)^2 / sum w^2 is the variance of the rows over that of the
    // mean.
    const auto rows = static_cast<double>(data.counts[i]);
    const double effective =
        data.weighted && error > 0 ? learned.variances[i] / (error * error) : rows;
    double own = shares ? shared_freedom : std::min(effective, rows) - 1.0;
    if (linear && i < data.lines.size() && data.lines[i].slope != 0.0) {
      // A line takes two parameters, and its error is sqrt(2 variance / N). The mean has one of
      // them.
      const double of_line = error > 0 ? 2.0 * learned.variances[i] / (error * error) : rows;
      error = std::sqrt(learned.variances[i] / of_line);
      own = of_line - 2.0;
    }
    if (!(own > 0)) continue;
    if (own != freedom) {
      freedom = own;
      // A quantile beyond the range of double becomes infinity instead of an error.
      using no_overflow = boost::math::policies::policy<
          boost::math::policies::overflow_error<boost::math::policies::ignore_error>>;
      const boost::math::students_t_distribution<double, no_overflow> student(freedom);
      t = boost::math::quantile(boost::math::complement(student, (1.0 - confidence) / 2.0));
    }
    lower[i] = learned.means[i] - t * error;
    upper[i] = learned.means[i] + t * error;
  }
}

}  // namespace zcmoe::detail
