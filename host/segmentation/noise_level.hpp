// How large the noise of targets is along x, from bins of rows alone: rows of one bin differ by
// noise, and so do neighbouring bins from each other, apart from the little that the regression
// changes between them. Source for the latter: Gasser, Sroka & Jennen-Steinmetz 1986.
#pragma once

#include <cstddef>
#include <vector>

namespace zcmoe::detail {

/// Rows whose inputs lie next to each other, as exact sums give them. Bins come in ascending order
/// of x and share no input. Targets are in units in which their squares are ordinary doubles.
struct binned_rows {
  double lowest;   // x
  double highest;  // x
  double mean_x;
  double mean_y;
  double scatter;  // sum w (y - mean)^2
  double weight;   // sum w, positive
  /// The variance of a row over that of mean_y: (sum w)^2 / sum w^2, the number of rows where all
  /// weigh the same; where weights are precisions the weight in units of the mean weight.
  double effective_rows;
  /// Degrees of freedom of scatter: effective_rows - 1, or where weights are precisions the number
  /// of rows less 1.
  double freedom;
};

/// An estimate of a variance: squares / freedom. Shares of several bins may be added.
struct variance_share {
  double squares = 0.0;
  double freedom = 0.0;
};

/// The variance of y that the rows of a bin show by themselves.
variance_share variance_inside(const binned_rows& bin);

/// The mean variance in a window around each bin, as narrow as `freedom` allows.
std::vector<double> windowed_variance(const std::vector<variance_share>& shares, double freedom);

/// Degrees of freedom of a window: enough for a variance to a fifth or so, and a part of all rows
/// that shrinks no further, so that the level follows noise which changes along x.
double variance_window(const std::vector<variance_share>& shares);

/// The level of the noise in each bin: the variance of a row's target about the regression, apart
/// from outliers. Bins say by their own rows what they can; where rows are too few for that,
/// differences of neighbours help.
std::vector<double> noise_levels(const std::vector<binned_rows>& bins);

/// The variance by which bin k's mean is to be trusted, for one row of it: the level, unless the
/// bin shows that it holds an outlier, which must not bend a fit.
double trusted_variance(const std::vector<binned_rows>& bins, std::size_t k, double level);

/// Whether bin k holds rows of both sides of a jump: its rows spread beyond chance, and by about as
/// much as a step from the bin before to the bin after explains. A steep slope spreads them by a
/// twelfth of that.
bool holds_jump(const std::vector<binned_rows>& bins, std::size_t k, double level);

}  // namespace zcmoe::detail
