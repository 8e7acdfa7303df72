// Of each block two passes, over means and over moments about them, and a Cholesky decomposition of
// the correlations, which leaves out what earlier inputs explain.
#include "plane_fit.hpp"

#include "dtype.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace zcmoe::cli {
namespace {

constexpr std::int64_t most_products = std::int64_t{1} << 33;  // seconds
constexpr double least_own_part = 1e-9;  // of an input's variance that others do not explain

}  // namespace

bool finite_row(const std::vector<zcmoe_array>& columns, std::int64_t i, double* row) {
  for (std::size_t k = 0; k < columns.size(); ++k) {
    row[k] = strided_element(columns[k], i);
    if (!std::isfinite(row[k])) return false;
  }
  return true;
}

plane_fit::plane_fit(std::size_t num_inputs)
    : most_rows_(most_products / static_cast<std::int64_t>((num_inputs + 1) * (num_inputs + 1))),
      moments_((num_inputs + 1) * (num_inputs + 1)),
      means_(num_inputs),
      slopes_(num_inputs) {}

void plane_fit::add(const std::vector<zcmoe_array>& inputs, const zcmoe_array& y,
                    const zcmoe_array& weights, std::int64_t rows) {
  const std::size_t d = slopes_.size();
  std::vector<double> row(d + 1);
  const auto for_each_row = [&](const auto& use) {
    for (std::int64_t i = skip_; i < rows; i += step_) {
      if (!finite_row(inputs, i, row.data())) continue;
      row[d] = strided_element(y, i);
      use(weights.data != nullptr ? strided_element(weights, i) : 1.0);
    }
  };
  std::int64_t taken = 0;
  double weight = 0;
  std::vector<double> means(d + 1);
  for_each_row([&](double w) {
    ++taken;
    weight += w;
    for (std::size_t j = 0; j <= d; ++j) means[j] += (row[j] - means[j]) * (w / weight);
  });
  const auto step = static_cast<double>(step_);
  for_each_row([&](double w) {
    for (std::size_t j = 0; j <= d; ++j) row[j] -= means[j];
    for (std::size_t j = 0; j <= d; ++j) {
      double* const products_of = &moments_[j * (d + 1)];
      for (std::size_t k = 0; k <= j; ++k) products_of[k] += step * w * row[j] * row[k];
    }
  });
  skip_ = skip_ >= rows ? skip_ - rows : (step_ - (rows - skip_) % step_) % step_;
  if (taken == 0) return;
  // Blocks are merged as variances are (Chan, Golub & LeVeque 1983). Row j of the lower triangle
  // holds the products with inputs 0 to j, the last row those with y.
  const double own = step * weight;
  const double share = own / (weight_ + own);
  const auto mean_of = [&](std::size_t j) -> double& { return j < d ? means_[j] : mean_y_; };
  for (std::size_t j = 0; j <= d; ++j) means[j] -= mean_of(j);  // from here on the shift
  for (std::size_t j = 0; j <= d; ++j) {
    for (std::size_t k = 0; k <= j; ++k)
      moments_[j * (d + 1) + k] += means[j] * means[k] * weight_ * share;
  }
  for (std::size_t j = 0; j <= d; ++j) mean_of(j) += means[j] * share;
  weight_ += own;
  rows_ += taken;
  taken_ += taken;
  if (taken_ < most_rows_) return;
  taken_ = 0;
  step_ *= 2;
}

void plane_fit::solve() {
  const std::vector<double>& moments = moments_;
  const std::size_t d = slopes_.size();
  std::vector<double> scale(d);
  for (std::size_t j = 0; j < d; ++j) scale[j] = std::sqrt(moments[j * (d + 1) + j]);
  std::vector<double> lower(d * d);
  std::vector<double> solution(d);  // of lower z = y, then of its transpose
  std::vector<bool> used(d);
  for (std::size_t j = 0; j < d; ++j) {
    if (!(scale[j] > 0) || !std::isfinite(scale[j])) continue;
    double own = 1;
    double to_y = moments[d * (d + 1) + j] / scale[j];
    for (std::size_t k = 0; k < j; ++k) {
      if (!used[k]) continue;
      double correlation = moments[j * (d + 1) + k] / (scale[j] * scale[k]);
      for (std::size_t l = 0; l < k; ++l) correlation -= lower[j * d + l] * lower[k * d + l];
      const double entry = lower[j * d + k] = correlation / lower[k * d + k];
      own -= entry * entry;
      to_y -= entry * solution[k];
    }
    used[j] = own > least_own_part;
    if (!used[j]) {
      std::fill_n(&lower[j * d], d, 0.0);
      continue;
    }
    lower[j * d + j] = std::sqrt(own);
    solution[j] = to_y / lower[j * d + j];
  }
  for (std::size_t j = d; j-- > 0;) {
    if (!used[j]) continue;
    double rest = solution[j];
    for (std::size_t k = j + 1; k < d; ++k) rest -= lower[k * d + j] * solution[k];
    solution[j] = rest / lower[j * d + j];
  }
  for (std::size_t j = 0; j < d; ++j) slopes_[j] = used[j] ? solution[j] / scale[j] : 0.0;
}

double plane_fit::at(const double* inputs) const noexcept {
  double value = mean_y_;
  for (std::size_t j = 0; j < slopes_.size(); ++j) value += slopes_[j] * (inputs[j] - means_[j]);
  return value;
}

}  // namespace zcmoe::cli
