// Carries out smooth_constants.hpp: each segment with rows is a bin of the pilot.
#include "host/segmentation/smooth_constants.hpp"

#include "host/segmentation/pilot.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

constexpr double largest_double = std::numeric_limits<double>::max();

/// The variance of the rows of a segment: 0 if it has one row, the largest double if it overflowed.
double spread_of(const segment_noise& noise) {
  return std::isnan(noise.variance) ? 0.0 : std::min(noise.variance, largest_double);
}

/// The powers of two that bring inputs, targets and weights near 1, so that no square overflows.
struct segment_units {
  int x = 0;
  int y = 0;
  double weight = 0.0;  // the largest; infinite where a sum of weights has overflowed

  segment_units(const segment_rows& rows, const segment_noise* noise) {
    const auto exponent = [](double largest) { return largest > 0 ? std::ilogb(largest) : 0; };
    double largest = 0.0;
    for (std::size_t i = 0; i < rows.num_segments; ++i) {
      if (rows.counts[i] == 0) continue;
      weight = std::max(weight, rows.weights[i]);
      largest = std::max({largest, std::abs(rows.means[i]), std::sqrt(spread_of(noise[i]))});
    }
    y = exponent(largest);
    x = exponent(std::max(std::abs(rows.edges[0]), std::abs(rows.edges[rows.num_segments])));
  }
};

/// Segment i as a bin. The state does not tell the mean input, so the centre stands for it. Where a
/// sum of weights has overflowed, each row counts as 1.
binned_rows bin_of(const segment_rows& rows, const segment_noise& noise, const segment_units& units,
                   std::size_t i) {
  binned_rows bin{};
  bin.lowest = std::ldexp(rows.edges[i], -units.x);
  bin.highest = std::ldexp(rows.edges[i + 1], -units.x);
  bin.mean_x = bin.lowest / 2 + bin.highest / 2;
  bin.mean_y = std::ldexp(rows.means[i], -units.y);
  bin.weight = std::isinf(units.weight) ? static_cast<double>(rows.counts[i])
                                        : rows.weights[i] / units.weight;
  bin.weight = std::max(bin.weight, std::numeric_limits<double>::min());
  bin.effective_rows = noise.effective_rows;
  bin.freedom = noise.freedom;
  const double variance = std::ldexp(spread_of(noise), -2 * units.y);
  bin.scatter = variance * bin.weight * (noise.freedom / noise.effective_rows);
  return bin;
}

}  // namespace

smooth_constants smooth_constants_of(const segment_rows& rows, const segment_noise* noise) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  smooth_constants smooth;
  smooth.values.assign(rows.num_segments, nan);
  smooth.standard_errors.assign(rows.num_segments, nan);
  const segment_units units(rows, noise);
  std::vector<std::size_t> segments;  // with rows
  std::vector<binned_rows> bins;
  std::int64_t num_rows = 0;
  double lowest = largest_double;
  double highest = -largest_double;
  for (std::size_t i = 0; i < rows.num_segments; ++i) {
    if (rows.counts[i] == 0) continue;
    segments.push_back(i);
    bins.push_back(bin_of(rows, noise[i], units, i));
    num_rows += rows.counts[i];
    lowest = std::min(lowest, rows.means[i]);
    highest = std::max(highest, rows.means[i]);
  }
  if (segments.empty()) return smooth;
  const regression_pilot pilot = fit_pilot(bins, pilot_pieces::splines);
  for (std::size_t k = 0; k < bins.size(); ++k) {
    const std::size_t i = segments[k];
    const bool own = pilot.straddling[k];
    const double error = own ? std::sqrt(variance_inside(bins[k]).squares / bins[k].effective_rows /
                                         std::max(1.0, noise[i].freedom))
                             : pilot.standard_errors[k];
    // A spline may reach beyond the means that it fits, up to infinity where these are near it.
    const double value = own ? rows.means[i] : std::ldexp(pilot.values[k], units.y);
    smooth.values[i] = std::min(std::max(value, lowest), highest);
    if (num_rows > 1) smooth.standard_errors[i] = std::ldexp(error, units.y);
  }
  return smooth;
}

}  // namespace zcmoe::detail
