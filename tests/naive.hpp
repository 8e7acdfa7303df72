// The reference that both engines are held against: a scan over all edges and long double sums,
// written to be obviously right. It includes nothing of the library and shares no code with it.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace naive {

enum class side { left_closed, right_closed };

/// Segment of x by counting the interior edges left of it; clamps; x must not be NaN.
inline std::size_t segment(const std::vector<double>& edges, double x,
                           side closed = side::left_closed) {
  std::size_t count = 0;
  for (std::size_t k = 1; k + 1 < edges.size(); ++k) {
    const bool left_of_x = closed == side::left_closed ? edges[k] <= x : edges[k] < x;
    if (left_of_x) ++count;
  }
  return count;
}

struct moments {
  std::size_t count = 0;
  long double weight = 0;
  long double mean = 0;
  long double variance = NAN;  // sum w (y - mean)^2 / (W - W2 / W)
  long double standard_error = NAN;
};

/// Two passes over the rows of one segment.
inline moments of(const std::vector<double>& y, const std::vector<double>& w) {
  moments result;
  long double squares_of_weights = 0;
  long double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    ++result.count;
    result.weight += w[i];
    squares_of_weights += static_cast<long double>(w[i]) * w[i];
    sum += static_cast<long double>(w[i]) * y[i];
  }
  if (result.count == 0) {
    result.mean = NAN;
    return result;
  }
  result.mean = sum / result.weight;
  if (result.count < 2) return result;
  long double spread = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    spread += w[i] * (y[i] - result.mean) * (y[i] - result.mean);
  result.variance = spread / (result.weight - squares_of_weights / result.weight);
  result.standard_error = std::sqrt(result.variance * squares_of_weights) / result.weight;
  return result;
}

/// Moments of every segment; rows with NaN x, non-finite y or weight 0 are left out.
inline std::vector<moments> fit(const std::vector<double>& edges, const std::vector<double>& x,
                                const std::vector<double>& y, const std::vector<double>& w = {},
                                side closed = side::left_closed) {
  const std::size_t m = edges.size() - 1;
  std::vector<std::vector<double>> targets(m);
  std::vector<std::vector<double>> weights(m);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double weight = w.empty() ? 1.0 : w[i];
    if (std::isnan(x[i]) || !std::isfinite(y[i]) || weight == 0) continue;
    const std::size_t s = segment(edges, x[i], closed);
    targets[s].push_back(y[i]);
    weights[s].push_back(weight);
  }
  std::vector<moments> result(m);
  for (std::size_t s = 0; s < m; ++s) result[s] = of(targets[s], weights[s]);
  return result;
}

}  // namespace naive
