// Carries out pilot.hpp.
#include "host/segmentation/pilot.hpp"

#include "host/segmentation/spline_choice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

struct pilot_tuning {
  // A piece of the discontinuous fit costs so many squared standard errors, a little more than the
  // largest that K places of pure noise are expected to reach, 2 ln K. So does a jump beyond what a
  // spline leaves over.
  static double piece_price(std::size_t num_bins) {
    return 2 + 2.5 * std::log(static_cast<double>(num_bins) + 1);
  }
  // Lines that meet within this many standard errors make no jump.
  static constexpr double smallest_jump = 3.5;
  // The noise is taken to be at least this part of the spread of y, in squares, or this many
  // roundings of its largest mean: what is below that is interpolated.
  static constexpr double smallest_noise = 1e-20;
  static constexpr double roundings = 8;
  // A jump beside a piece of N rows costs 1 + 8 / N times that, since few rows of a noise with
  // heavy tails are less like a normal deviate.
  static constexpr double few_rows = 8;
  // Where fits with jumps are compared as a whole, each place takes as many effective parameters,
  // which is about what cuts learned from the same rows cost. Measured on thirteen settings of 200
  // and 1,000 rows: from 5 to 6.5 the excess risk is within a twentieth of the better fit's.
  static constexpr double place_parameters = 6;
  static constexpr double straddling_weight = 1e-6;
  static constexpr std::size_t longest_step = 4;  // bins
  // Rounds in which the scale of the risk settles, and the part to which it does.
  static constexpr int rounds = 6;
  static constexpr double settled = 0.05;
  static constexpr double smallest_scale = 1e-4;
};

/// Weighted squares about the best line through the items i to j, or about their mean, for starts i
/// that are asked for.
class interval_lines {
 public:
  interval_lines(const binned_means& means, bool level)
      : at_(means.coordinates[1]), means_(means), level_(level), sums_(means.size()) {}

  void extend(const std::vector<std::size_t>& starts, std::size_t j) {
    for (const std::size_t i : starts) sums_[i].add(at_[j], means_.values[j], means_.weights[j]);
  }
  double of(std::size_t i) const { return level_ ? sums_[i].value_value : sums_[i].squares_left(); }

  /// Welford's update of means and centred sums of two variables.
  struct line_sums {
    double weight = 0.0;
    double mean_at = 0.0;
    double mean_value = 0.0;
    double at_at = 0.0;
    double at_value = 0.0;
    double value_value = 0.0;

    void add(double at, double value, double w) {
      const double before = weight;
      weight += w;
      const double share = w / weight;
      const double off_at = at - mean_at;
      const double off_value = value - mean_value;
      mean_at += off_at * share;
      mean_value += off_value * share;
      at_at += off_at * off_at * (before * share);
      at_value += off_at * off_value * (before * share);
      value_value += off_value * off_value * (before * share);
    }
    double slope() const { return at_at > 0 ? at_value / at_at : 0.0; }
    double squares_left() const { return std::max(0.0, value_value - at_value * slope()); }
    double value(double at) const { return mean_value + slope() * (at - mean_at); }
    double variance(double at) const {
      return 1 / weight + (at_at > 0 ? (at - mean_at) * (at - mean_at) / at_at : 0.0);
    }
  };

 private:
  const std::vector<double>& at_;
  const binned_means& means_;
  bool level_;
  std::vector<line_sums> sums_;
};

interval_lines::line_sums line_through(const binned_means& means, std::size_t begin,
                                       std::size_t end) {
  interval_lines::line_sums sums;
  for (std::size_t k = begin; k < end; ++k)
    sums.add(means.coordinates[1][k], means.values[k], means.weights[k]);
  return sums;
}

/// A jump inside a bin, or next to noisy ones, may show as a short steep piece between two others.
/// Such a piece, one of at most `longest_step` bins with a mean between its neighbours, becomes a
/// single cut where its bins fit the lines to both sides best.
std::vector<std::size_t> without_steps(const binned_means& means,
                                       const std::vector<std::size_t>& cuts, bool level) {
  const std::vector<double>& at = means.coordinates[1];
  std::vector<std::size_t> kept{0};
  for (std::size_t i = 1; i + 1 < cuts.size(); ++i) {
    const std::size_t begin = cuts[i];
    const std::size_t end = cuts[i + 1];
    if (i + 2 == cuts.size() || end - begin > pilot_tuning::longest_step) {
      kept.push_back(begin);
      continue;
    }
    interval_lines::line_sums left = line_through(means, kept.back(), begin);
    interval_lines::line_sums right = line_through(means, end, cuts[i + 2]);
    const interval_lines::line_sums own = line_through(means, begin, end);
    if (level) left.at_value = right.at_value = 0.0;
    const double from = left.value(own.mean_at);
    const double to = right.value(own.mean_at);
    if ((own.mean_value > from) != (own.mean_value < to)) {
      kept.push_back(begin);
      continue;
    }
    double change = 0.0;
    double least = 0.0;
    std::size_t best = begin;
    for (std::size_t k = begin; k < end; ++k) {
      const double off_left = means.values[k] - left.value(at[k]);
      const double off_right = means.values[k] - right.value(at[k]);
      change += means.weights[k] * (off_left * off_left - off_right * off_right);
      if (change < least) {
        least = change;
        best = k + 1;
      }
    }
    kept.push_back(best);
    ++i;  // the cut behind the piece goes with it
  }
  kept.push_back(cuts.back());
  return kept;
}

/// Cuts of the best discontinuous piecewise linear fit, 0 and K included, at which the lines to
/// both sides do not meet. A smooth relation has none of these: the best lines through it miss it
/// by the same at the end of one piece and at the start of the next.
std::vector<std::size_t> possible_jumps(const binned_means& means) {
  const std::vector<double>& at = means.coordinates[1];
  interval_lines lines(means, false);
  const std::vector<std::size_t> cuts = without_steps(
      means, penalised_cuts(means.size(), pilot_tuning::piece_price(means.size()), lines), false);
  std::vector<std::size_t> kept{0};
  for (std::size_t i = 1; i + 1 < cuts.size(); ++i) {
    const interval_lines::line_sums left = line_through(means, cuts[i - 1], cuts[i]);
    const interval_lines::line_sums right = line_through(means, cuts[i], cuts[i + 1]);
    const double here = 0.5 * (at[cuts[i] - 1] + at[cuts[i]]);
    const double jump = right.value(here) - left.value(here);
    const double variance = right.variance(here) + left.variance(here);
    const double limit = pilot_tuning::smallest_jump * pilot_tuning::smallest_jump;
    if (jump * jump > limit * variance) kept.push_back(cuts[i]);
  }
  kept.push_back(means.size());
  return kept;
}

/// Takes away cuts, the least useful first, as long as one spline over both pieces has a risk that
/// is worse by less than the price of a jump. The risks of pieces that stay are kept, so a cut
/// taken away costs the splines of the two or three pieces around it. Returns the risk of all, with
/// the price of the jumps that stay.
double drop_needless(std::vector<std::size_t>& cuts, const spline_chooser& chooser,
                     const std::vector<binned_rows>& bins) {
  const double base = chooser.scale * pilot_tuning::piece_price(bins.size());
  std::vector<double> rows;  // of each piece
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    rows.push_back(0.0);
    for (std::size_t k = cuts[i]; k < cuts[i + 1]; ++k) rows.back() += bins[k].effective_rows;
  }
  const auto risk_of = [&](std::size_t first, std::size_t last) {
    return chooser.risk(chooser.best(cuts[first], cuts[last]));
  };
  std::vector<double> own;
  std::vector<double> joined;  // [i] is the risk of pieces i and i + 1 as one
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) own.push_back(risk_of(i, i + 1));
  for (std::size_t i = 0; i + 2 < cuts.size(); ++i) joined.push_back(risk_of(i, i + 2));
  const auto price_of = [&](std::size_t i) {  // of the jump behind piece i
    return base * (1 + pilot_tuning::few_rows / std::min(rows[i], rows[i + 1]));
  };
  while (!joined.empty()) {
    std::size_t at = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < joined.size(); ++i) {
      const double gain = joined[i] - own[i] - own[i + 1] - price_of(i);
      if (gain < least) {
        least = gain;
        at = i;
      }
    }
    if (!(least <= 0)) break;
    const auto place = static_cast<std::ptrdiff_t>(at);
    cuts.erase(cuts.begin() + place + 1);
    rows[at] += rows[at + 1];
    rows.erase(rows.begin() + place + 1);
    own[at] = joined[at];
    own.erase(own.begin() + place + 1);
    joined.erase(joined.begin() + place);
    if (at > 0) joined[at - 1] = risk_of(at - 1, at + 1);
    if (at < joined.size()) joined[at] = risk_of(at, at + 2);
  }
  double risk =
      2 * chooser.scale * pilot_tuning::place_parameters * static_cast<double>(joined.size());
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
    risk += chooser.risk_when_chosen(chooser.best(cuts[i], cuts[i + 1]));
  return risk;
}

/// Cuts of the best fit of constants, 0 and K included, at the price of a jump and of a constant.
std::vector<std::size_t> possible_steps(const binned_means& means, double scale) {
  interval_lines levels(means, true);
  const double price =
      scale * (pilot_tuning::piece_price(means.size()) + 2 * spline_chooser::charge);
  return without_steps(means, penalised_cuts(means.size(), price, levels), true);
}

/// Bins as the splines see them: means less `centre`, their weights, and places in [0, 1] that are
/// even in x, even in mass, and half of each.
binned_means means_of(const std::vector<binned_rows>& bins, const std::vector<double>& level,
                      const std::vector<bool>& straddling, double centre,
                      double smallest_variance) {
  binned_means means;
  double total = 0.0;
  for (const binned_rows& b : bins) total += b.weight;
  const double first = bins.front().mean_x / 2;
  const double span = bins.back().mean_x / 2 - first;
  double below = 0.0;
  for (std::size_t k = 0; k < bins.size(); ++k) {
    const double variance = trusted_variance(bins, k, std::max(level[k], smallest_variance));
    means.values.push_back(bins[k].mean_y - centre);
    // Rows of both sides of a jump tell of neither side, so they all but lose their weight.
    const double part = straddling[k] ? pilot_tuning::straddling_weight : 1.0;
    means.rows.push_back(bins[k].effective_rows);
    means.weights.push_back(part * bins[k].effective_rows / variance);
    const double in_x = span > 0 ? (bins[k].mean_x / 2 - first) / span : 0.0;
    const double in_mass = (below + bins[k].weight / 2) / total;
    below += bins[k].weight;
    means.coordinates[0].push_back(in_x);
    means.coordinates[1].push_back(in_mass);
    means.coordinates[2].push_back(0.5 * (in_x + in_mass));
  }
  return means;
}

/// Fits each piece between cuts. Returns the effective parameters of each.
std::vector<double> fit_pieces(const std::vector<std::size_t>& cuts, const spline_chooser& chooser,
                               std::vector<double>& values) {
  std::vector<double> parameters;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
    parameters.push_back(chooser.average(cuts[i], cuts[i + 1], values));
  return parameters;
}

/// What the squares that the fit leaves over are per degree of freedom, where the weights promise
/// 1, with parameters charged as generalised cross-validation charges them. Rows inside bins count
/// with the squares that the weights promise.
double scale_left(const std::vector<binned_rows>& bins, const binned_means& means,
                  const std::vector<double>& values, double parameters) {
  double squares = 0.0;
  double rows = 0.0;
  for (std::size_t k = 0; k < bins.size(); ++k) {
    const double off = means.values[k] - values[k];
    const variance_share own = variance_inside(bins[k]);
    squares += means.weights[k] * (off * off + own.squares / bins[k].effective_rows);
    rows += bins[k].effective_rows;
  }
  const double freedom = rows - spline_chooser::charge * parameters;
  return freedom > 0 ? std::max(squares / freedom, pilot_tuning::smallest_scale) : 1.0;
}

struct fitted_pieces {
  std::vector<std::size_t> cuts;
  std::vector<double> values;
  std::vector<double> parameters;  // of each piece
};

fitted_pieces fit_around_jumps(const std::vector<binned_rows>& bins, const binned_means& means,
                               spline_chooser& chooser, pilot_pieces allowed) {
  fitted_pieces fit;
  fit.values.assign(bins.size(), 0.0);
  const std::vector<std::size_t> possible = possible_jumps(means);
  for (int round = 0; round < pilot_tuning::rounds; ++round) {
    fit.cuts = possible;
    chooser.constants_only = false;
    const double risk = drop_needless(fit.cuts, chooser, bins);
    if (allowed == pilot_pieces::constants_or_splines) {
      std::vector<std::size_t> steps = possible_steps(means, chooser.scale);
      chooser.constants_only = true;
      chooser.constants_only = drop_needless(steps, chooser, bins) <= risk;
      if (chooser.constants_only) fit.cuts = std::move(steps);
    }
    fit.parameters = fit_pieces(fit.cuts, chooser, fit.values);
    double parameters = 0.0;
    for (const double p : fit.parameters) parameters += p;
    const double scale = scale_left(bins, means, fit.values, parameters);
    if (std::abs(scale - chooser.scale) <= pilot_tuning::settled * chooser.scale) break;
    chooser.scale = scale;
  }
  return fit;
}

/// The variance of rows about the fit, around each bin and over all.
void set_noise(const std::vector<binned_rows>& bins, const binned_means& means,
               const fitted_pieces& fit, const std::vector<double>& level,
               regression_pilot& pilot) {
  std::vector<variance_share> shares;
  variance_share all;
  double rows = 0.0;
  double mean_level = 0.0;
  for (std::size_t i = 0; i + 1 < fit.cuts.size(); ++i) {
    double in_piece = 0.0;
    for (std::size_t k = fit.cuts[i]; k < fit.cuts[i + 1]; ++k) in_piece += bins[k].effective_rows;
    for (std::size_t k = fit.cuts[i]; k < fit.cuts[i + 1]; ++k) {
      const double n = bins[k].effective_rows;
      const double off = means.values[k] - fit.values[k];
      const double freedom = n * (1 - fit.parameters[i] / in_piece);
      shares.push_back({variance_inside(bins[k]).squares + n * off * off, freedom});
      all.squares += shares.back().squares;
      all.freedom += freedom;
      rows += n;
      mean_level += (level[k] - mean_level) * (n / rows);
    }
  }
  // Where each row is fitted by itself, neighbours alone tell of noise.
  const bool none_left = !(all.freedom > 0.01 * rows);
  pilot.noise = none_left ? mean_level : all.squares / all.freedom;
  pilot.variances = none_left ? level : windowed_variance(shares, variance_window(shares));
}

}  // namespace

regression_pilot fit_pilot(const std::vector<binned_rows>& bins, pilot_pieces allowed) {
  double weight = 0.0;
  double rows = 0.0;
  double centre = 0.0;
  double largest = 0.0;
  for (const binned_rows& b : bins) {
    weight += b.weight;
    rows += b.effective_rows;
    centre += (b.mean_y - centre) * (b.weight / weight);
    largest = std::max(largest, std::abs(b.mean_y));
  }
  double spread = 0.0;
  for (const binned_rows& b : bins) {
    const double off = b.mean_y - centre;
    spread += (b.scatter + b.weight * off * off) / weight;
  }
  const double rounding =
      pilot_tuning::roundings * std::numeric_limits<double>::epsilon() * largest;
  const double smallest = std::max(pilot_tuning::smallest_noise * spread, rounding * rounding);
  regression_pilot pilot;
  if (!(spread > smallest)) {
    pilot.values.assign(bins.size(), centre);
    pilot.standard_errors.assign(bins.size(), 0.0);
    pilot.straddling.assign(bins.size(), false);
    pilot.variances.assign(bins.size(), 0.0);
    pilot.parameters = 1;
    return pilot;
  }

  const std::vector<double> level = noise_levels(bins);
  for (std::size_t k = 0; k < bins.size(); ++k)
    pilot.straddling.push_back(holds_jump(bins, k, level[k]));
  const binned_means means = means_of(bins, level, pilot.straddling, centre, smallest);
  spline_chooser chooser(means);
  const fitted_pieces fit = fit_around_jumps(bins, means, chooser, allowed);
  for (const double value : fit.values) pilot.values.push_back(value + centre);
  for (const double p : fit.parameters) pilot.parameters += p;
  pilot.standard_errors.resize(bins.size());
  for (std::size_t i = 0; i + 1 < fit.cuts.size(); ++i)
    chooser.average_errors(fit.cuts[i], fit.cuts[i + 1], fit.values, pilot.standard_errors);
  for (std::size_t i = 1; i + 1 < fit.cuts.size(); ++i) {
    const std::size_t bin = fit.cuts[i];
    const auto variances = [&](std::size_t piece) {
      const std::size_t begin = fit.cuts[piece];
      const std::size_t end = fit.cuts[piece + 1];
      return chooser.variances(begin, end, chooser.best(begin, end));
    };
    const double both = variances(i - 1).back() + variances(i).front();
    pilot.jumps.push_back(
        {bin, fit.values[bin] - fit.values[bin - 1], std::sqrt(chooser.scale * both)});
  }
  set_noise(bins, means, fit, level, pilot);
  pilot.segment_price = pilot.noise * (weight / rows);
  return pilot;
}

weighted_sequence weighted_values(const std::vector<binned_rows>& bins,
                                  const regression_pilot& pilot) {
  weighted_sequence sequence;
  sequence.values = pilot.values;
  for (const binned_rows& b : bins) sequence.weights.push_back(b.weight);
  return sequence;
}

}  // namespace zcmoe::detail
