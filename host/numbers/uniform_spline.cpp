// Carries out uniform_spline.hpp: the normal matrix is gathered in its lower band and factorised in
// place as L D L'.
#include "host/numbers/uniform_spline.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

// A pivot below this part of its diagonal entry is rounding error: the points leave that
// combination of coefficients open.
constexpr double smallest_pivot = 1e-10;

}  // namespace

uniform_spline::uniform_spline(const weighted_points& points, int degree, std::size_t intervals)
    : degree_(static_cast<std::size_t>(degree)), intervals_(intervals), origin_(points.at[0]) {
  const double width = points.at[points.size - 1] - origin_;
  per_unit_ = width > 0 ? static_cast<double>(intervals) / width : 0.0;
  const std::size_t size = intervals + degree_;
  factor_.assign(size * band, 0.0);
  coefficients_.assign(size, 0.0);
  basis b{};
  for (std::size_t p = 0; p < points.size; ++p) {
    const std::size_t first = basis_at(points.at[p], b);
    for (std::size_t i = 0; i <= degree_; ++i) {
      const double weighted = points.weights[p] * b[i];
      coefficients_[first + i] += weighted * points.values[p];
      for (std::size_t k = 0; k <= i; ++k) factor_[(first + i) * band + k] += weighted * b[i - k];
    }
  }
  factorise();
  solve(coefficients_);
}

std::size_t uniform_spline::basis_at(double at, basis& values) const {
  const double place = (at - origin_) * per_unit_;
  const double last = static_cast<double>(intervals_) - 1;
  const double interval = std::min(std::max(std::floor(place), 0.0), last);
  const double t = place - interval;
  const double r = 1 - t;
  if (degree_ == 1) {
    values = {r, t, 0, 0};
  } else {
    values = {r * r * r / 6, (3 * t * t * t - 6 * t * t + 4) / 6,
              (3 * r * r * r - 6 * r * r + 4) / 6, t * t * t / 6};
  }
  return static_cast<std::size_t>(interval);
}

void uniform_spline::factorise() {
  for (std::size_t i = 0; i < coefficients_.size(); ++i) {
    double* const row = &factor_[i * band];
    const std::size_t reach = std::min(i, degree_);
    for (std::size_t k = reach; k > 0; --k) {
      const double* const above = &factor_[(i - k) * band];
      for (std::size_t l = k + 1; l <= reach; ++l)
        row[k] -= row[l] * above[l - k] * factor_[(i - l) * band];
      row[k] = above[0] > 0 ? row[k] / above[0] : 0.0;
    }
    double pivot = row[0];
    for (std::size_t k = 1; k <= reach; ++k) pivot -= row[k] * row[k] * factor_[(i - k) * band];
    const bool determined = pivot > smallest_pivot * row[0];
    row[0] = determined ? pivot : 0.0;
    parameters_ += determined ? 1 : 0;
  }
}

void uniform_spline::solve(std::vector<double>& right_side) const {
  const std::size_t size = right_side.size();
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t k = 1; k <= std::min(i, degree_); ++k)
      right_side[i] -= factor_[i * band + k] * right_side[i - k];
  }
  for (std::size_t i = 0; i < size; ++i) {
    const double pivot = factor_[i * band];
    right_side[i] = pivot > 0 ? right_side[i] / pivot : 0.0;
  }
  for (std::size_t i = size; i-- > 0;) {
    for (std::size_t k = 1; k <= degree_ && i + k < size; ++k)
      right_side[i] -= factor_[(i + k) * band + k] * right_side[i + k];
  }
}

double uniform_spline::value(double at) const {
  basis b{};
  const std::size_t first = basis_at(at, b);
  double sum = 0.0;
  for (std::size_t i = 0; i <= degree_; ++i) sum += b[i] * coefficients_[first + i];
  return sum;
}

/// The inverse S of L D L' obeys S = D^-1 L^-1 + (I - L') S. On and above the diagonal D^-1 L^-1 is
/// D^-1 alone, so a row follows from the rows below it: S[i][j] = -sum_k L[i + k][i] S[i + k][j]
/// for j > i, and 1 / D[i] more for j = i. Both indices on the right are within the band of each
/// other.
std::vector<double> uniform_spline::inverse_band() const {
  const std::size_t size = coefficients_.size();
  std::vector<double> inverse(size * band, 0.0);
  for (std::size_t i = size; i-- > 0;) {
    const std::size_t reach = std::min(degree_, size - 1 - i);
    for (std::size_t j = reach + 1; j-- > 0;) {
      const double pivot = factor_[i * band];
      double sum = j == 0 && pivot > 0 ? 1 / pivot : 0.0;
      for (std::size_t k = 1; k <= reach; ++k) {
        const std::size_t row = i + std::min(j, k);
        const std::size_t across = std::max(j, k) - std::min(j, k);
        sum -= factor_[(i + k) * band + k] * inverse[row * band + across];
      }
      inverse[i * band + j] = sum;
    }
  }
  return inverse;
}

std::vector<double> uniform_spline::variances(const double* at, std::size_t size) const {
  const std::vector<double> inverse = inverse_band();
  std::vector<double> found;
  found.reserve(size);
  basis b{};
  for (std::size_t p = 0; p < size; ++p) {
    const std::size_t first = basis_at(at[p], b);
    double sum = 0.0;
    for (std::size_t i = 0; i <= degree_; ++i) {
      sum += b[i] * b[i] * inverse[(first + i) * band];
      for (std::size_t k = 1; i + k <= degree_; ++k)
        sum += 2 * b[i] * b[i + k] * inverse[(first + i) * band + k];
    }
    found.push_back(std::max(0.0, sum));
  }
  return found;
}

}  // namespace zcmoe::detail
