// A low-noise estimate of the regression from bins of rows, for cuts that follow the relation and
// not its noise: least-squares splines between jumps. A cut that is chosen on raw rows chases
// noise, since at the best number of segments the step between neighbouring constants is but 1.7
// standard deviations of their difference; on the pilot there is next to none.
//
// clang-format off
//   bins -> level of the noise along x -> weights of the bins' means
//        -> cuts of the best discontinuous piecewise linear fit, less those at which both sides agree
//        -> less those without which one spline serves both sides as well
//        -> between the cuts that stay: averaged splines (spline_choice.hpp)
//        -> or, if these do as well, constants between the cuts of the best fit of constants
// clang-format on
#pragma once

#include "host/segmentation/best_partition.hpp"
#include "host/segmentation/noise_level.hpp"

#include <cstddef>
#include <vector>

namespace zcmoe::detail {

/// A jump of the regression before bin `bin`, or inside bin `bin - 1` or `bin` where that holds
/// rows of both sides.
struct pilot_jump {
  std::size_t bin;
  double size;            // the value to the right less that to the left
  double standard_error;  // of the size, as if the place were known
};

struct regression_pilot {
  std::vector<double> values;           // at the mean x of each bin
  std::vector<double> standard_errors;  // of the values
  std::vector<bool> straddling;         // [bin]: whether it holds rows of both sides of a jump
  std::vector<double> variances;        // of y about the regression around each bin
  double noise = 0.0;                   // the variance of y about the regression, over all rows
  double parameters = 0.0;              // effective parameters of the fit
  std::vector<pilot_jump> jumps;        // ascending

  /// What a segment with a mean of its own costs, in units of sum w (value - mean)^2: the penalty
  /// that makes penalised_partition minimise the expected error of learned constants.
  double segment_price = 0.0;
};

/// What may lie between jumps: constants everywhere where these do as well, or splines that need
/// not be flat.
enum class pilot_pieces { constants_or_splines, splines };

/// Fits the pilot. Needs at least one bin. K bins take O(K^2) for the search of jumps, and O(K) for
/// each of a few hundred splines.
regression_pilot fit_pilot(const std::vector<binned_rows>& bins,
                           pilot_pieces allowed = pilot_pieces::constants_or_splines);

/// The pilot's values with the bins' weights, in the form that partitions are made from.
weighted_sequence weighted_values(const std::vector<binned_rows>& bins,
                                  const regression_pilot& pilot);

}  // namespace zcmoe::detail
