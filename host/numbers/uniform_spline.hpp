// A least-squares spline of degree 1 or 3 with evenly spaced knots, by the normal equations of
// uniform B-splines, which are banded. Sources: de Boor 1978, A Practical Guide to Splines;
// Hutchinson & de Hoog 1985 for the variances, which need no more of the inverse than its band.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace zcmoe::detail {

/// Points to be fitted: `size` of them, in ascending order of `at`.
struct weighted_points {
  const double* at;
  const double* values;
  const double* weights;  // positive
  std::size_t size;
};

class uniform_spline {
 public:
  /// Fits a spline of `intervals` pieces that span the points. Example: degree 1 and 4 intervals
  /// make a polygon of 5 vertices. Where no points lie, what they leave open is 0.
  uniform_spline(const weighted_points& points, int degree, std::size_t intervals);

  double value(double at) const;
  /// The variances of the values at `size` places where that of each point is 1 / weight.
  std::vector<double> variances(const double* at, std::size_t size) const;
  /// The rank of the fit: intervals + degree, less what the points leave open.
  double parameters() const { return parameters_; }

 private:
  static constexpr std::size_t band = 4;  // entries of a row: the diagonal and up to 3 before it
  using basis = std::array<double, band>;

  /// The values of the B-splines that are not 0 at a point, and the number of the first of them.
  std::size_t basis_at(double at, basis& values) const;
  void factorise();
  void solve(std::vector<double>& right_side) const;
  /// [i * band + k] is row i, column i + k of the inverse of the normal matrix.
  std::vector<double> inverse_band() const;

  std::size_t degree_;
  std::size_t intervals_;
  double origin_;
  double per_unit_;             // intervals per unit of `at`
  std::vector<double> factor_;  // [i * band + k] is row i, column i - k of L; k = 0: of D in L D L'
  std::vector<double> coefficients_;
  double parameters_ = 0.0;
};

}  // namespace zcmoe::detail
