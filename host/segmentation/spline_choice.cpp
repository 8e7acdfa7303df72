// Carries out spline_choice.hpp.
#include "host/segmentation/spline_choice.hpp"

#include "host/numbers/uniform_spline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

struct choice_tuning {
  // The number of intervals grows by this factor: the risk is flat around its least value.
  static constexpr double growth = 1.15;
  // exp(-risk / (4 scale)) below this part of the largest is left out of the average.
  static constexpr double smallest_share = 1e-3;
  static constexpr double temperature = 4;
  // The six families of splines (two degrees, three coordinates) count as one together, since on
  // even inputs they hold the same fits: a flat piece stays flat.
  static constexpr double spline_prior = 1.0 / 6;
};

weighted_points points_of(const binned_means& means, std::size_t begin, std::size_t end,
                          std::size_t coordinate) {
  return {means.coordinates[coordinate].data() + begin, means.values.data() + begin,
          means.weights.data() + begin, end - begin};
}

double prior_of(const spline_candidate& c) {
  return c.degree > 0 ? choice_tuning::spline_prior : 1.0;
}

double weighted_mean(const binned_means& means, std::size_t begin, std::size_t end,
                     double& weight) {
  double mean = 0.0;
  weight = 0.0;
  for (std::size_t k = begin; k < end; ++k) {
    weight += means.weights[k];
    mean += (means.values[k] - mean) * (means.weights[k] / weight);
  }
  return mean;
}

}  // namespace

template <class Visit>
double spline_chooser::fit(std::size_t begin, std::size_t end, const spline_candidate& c,
                           const Visit& visit) const {
  if (c.degree == spline_candidate::each_bin) {
    for (std::size_t k = begin; k < end; ++k) visit(k, means_.values[k]);
    return static_cast<double>(end - begin);
  }
  if (c.degree == spline_candidate::constant) {
    double weight = 0.0;
    const double mean = weighted_mean(means_, begin, end, weight);
    for (std::size_t k = begin; k < end; ++k) visit(k, mean);
    return 1.0;
  }
  const weighted_points points = points_of(means_, begin, end, c.coordinate);
  const uniform_spline spline(points, c.degree, c.intervals);
  for (std::size_t k = begin; k < end; ++k) visit(k, spline.value(points.at[k - begin]));
  return spline.parameters();
}

void spline_chooser::assess(std::size_t begin, std::size_t end, spline_candidate& c) const {
  c.squares = 0.0;
  c.parameters = fit(begin, end, c, [&](std::size_t k, double value) {
    const double off = means_.values[k] - value;
    c.squares += means_.weights[k] * off * off;
  });
}

double spline_chooser::risk_when_chosen(const spline_candidate& c) const {
  return risk(c) - choice_tuning::temperature * scale * std::log(prior_of(c));
}

std::vector<spline_candidate> spline_chooser::candidates(std::size_t begin, std::size_t end) const {
  const std::size_t size = end - begin;
  double rows = 0.0;
  for (std::size_t k = begin; k < end; ++k) rows += means_.rows[k];
  const double near = -choice_tuning::temperature * scale * std::log(choice_tuning::smallest_share);
  std::vector<spline_candidate> all;
  double least = std::numeric_limits<double>::infinity();
  const auto take = [&](int degree, std::size_t intervals, std::size_t coordinate) {
    spline_candidate c{degree, intervals, coordinate, 0.0, 0.0};
    assess(begin, end, c);
    if (degree != spline_candidate::constant && charge * c.parameters >= rows) return false;
    least = std::min(least, risk(c));
    all.push_back(c);
    // The price alone of a candidate with more knots is beyond what counts from here on.
    return 2 * charge * scale * c.parameters <= least + near;
  };
  take(spline_candidate::constant, 1, 0);
  if (constants_only) return all;
  take(spline_candidate::each_bin, 1, 0);
  for (const int degree : {1, 3}) {
    for (std::size_t coordinate = 0; coordinate < binned_means::num_coordinates; ++coordinate) {
      std::size_t intervals = 1;
      while (intervals + static_cast<std::size_t>(degree) <= size &&
             take(degree, intervals, coordinate)) {
        const double more = std::floor(static_cast<double>(intervals) * choice_tuning::growth);
        intervals = std::max(intervals + 1, static_cast<std::size_t>(more));
      }
    }
  }
  all.erase(
      std::remove_if(all.begin(), all.end(), [&](const auto& c) { return risk(c) > least + near; }),
      all.end());
  return all;
}

spline_candidate spline_chooser::best(std::size_t begin, std::size_t end) const {
  const std::vector<spline_candidate> all = candidates(begin, end);
  return *std::min_element(all.begin(), all.end(),
                           [&](const auto& a, const auto& b) { return risk(a) < risk(b); });
}

std::vector<double> spline_chooser::shares_of(const std::vector<spline_candidate>& all) const {
  double least = std::numeric_limits<double>::infinity();
  for (const spline_candidate& c : all) least = std::min(least, risk(c));
  std::vector<double> shares;
  shares.reserve(all.size());
  for (const spline_candidate& c : all) {
    shares.push_back(prior_of(c) *
                     std::exp((least - risk(c)) / (choice_tuning::temperature * scale)));
  }
  return shares;
}

double spline_chooser::average(std::size_t begin, std::size_t end,
                               std::vector<double>& values) const {
  const std::vector<spline_candidate> all = candidates(begin, end);
  const std::vector<double> shares = shares_of(all);
  std::fill(values.begin() + static_cast<std::ptrdiff_t>(begin),
            values.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
  double total = 0.0;
  double parameters = 0.0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    total += shares[i];
    const double part = shares[i] / total;
    parameters += (all[i].parameters - parameters) * part;
    // A running mean: where all candidates agree, rounding moves no value.
    fit(begin, end, all[i],
        [&](std::size_t k, double value) { values[k] += (value - values[k]) * part; });
  }
  return parameters;
}

void spline_chooser::average_errors(std::size_t begin, std::size_t end,
                                    const std::vector<double>& values,
                                    std::vector<double>& errors) const {
  const std::vector<spline_candidate> all = candidates(begin, end);
  const std::vector<double> shares = shares_of(all);
  double total = 0.0;
  for (const double share : shares) total += share;
  std::fill(errors.begin() + static_cast<std::ptrdiff_t>(begin),
            errors.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<double> own = variances(begin, end, all[i]);
    fit(begin, end, all[i], [&](std::size_t k, double value) {
      const double off = value - values[k];
      errors[k] += shares[i] / total * std::sqrt(scale * own[k - begin] + off * off);
    });
  }
}

std::vector<double> spline_chooser::variances(std::size_t begin, std::size_t end,
                                              const spline_candidate& c) const {
  if (c.degree == spline_candidate::each_bin) {
    std::vector<double> found;
    for (std::size_t k = begin; k < end; ++k) found.push_back(1 / means_.weights[k]);
    return found;
  }
  if (c.degree == spline_candidate::constant) {
    double weight = 0.0;
    weighted_mean(means_, begin, end, weight);
    return std::vector<double>(end - begin, 1 / weight);
  }
  const weighted_points points = points_of(means_, begin, end, c.coordinate);
  return uniform_spline(points, c.degree, c.intervals).variances(points.at, points.size);
}

}  // namespace zcmoe::detail
