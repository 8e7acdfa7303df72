// Two passes, over means and over moments about them, and a Cholesky decomposition of the
// correlations, which leaves out what earlier inputs explain.
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

plane_fit::plane_fit(const std::vector<zcmoe_array>& inputs, const zcmoe_array& y,
                     std::int64_t rows)
    : means_(inputs.size()), slopes_(inputs.size()) {
  const std::size_t d = inputs.size();
  const auto products = static_cast<std::int64_t>((d + 1) * (d + 1));
  const std::int64_t step = std::max<std::int64_t>(rows / (most_products / products), 1);
  std::vector<double> row(d + 1);
  const auto for_each_row = [&](const auto& use) {
    for (std::int64_t i = 0; i < rows; i += step) {
      if (!finite_row(inputs, i, row.data())) continue;
      row[d] = strided_element(y, i);
      use();
    }
  };
  for_each_row([&] {
    ++rows_;
    for (std::size_t j = 0; j < d; ++j)
      means_[j] += (row[j] - means_[j]) / static_cast<double>(rows_);
    mean_y_ += (row[d] - mean_y_) / static_cast<double>(rows_);
  });
  // Row j of the lower triangle holds the products with inputs 0 to j, the last row those with y.
  std::vector<double> moments((d + 1) * (d + 1));
  for_each_row([&] {
    for (std::size_t j = 0; j < d; ++j) row[j] -= means_[j];
    row[d] -= mean_y_;
    for (std::size_t j = 0; j <= d; ++j) {
      double* const products_of = &moments[j * (d + 1)];
      for (std::size_t k = 0; k <= j; ++k) products_of[k] += row[j] * row[k];
    }
  });
  solve(moments);
}

void plane_fit::solve(const std::vector<double>& moments) {
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
