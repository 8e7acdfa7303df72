// What one would write without the library: std::upper_bound, a look-up, sums in double. It is
// timed beside the engines, whose predictions are compared with it so that nobody times wrong ones.
#pragma once

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace zcmoe::bench {

template <class T>
std::size_t segment_by_upper_bound(const std::vector<double>& edges, T x) {
  const auto inner = edges.begin() + 1;
  return static_cast<std::size_t>(std::upper_bound(inner, edges.end() - 1, static_cast<double>(x)) -
                                  inner);
}

struct plain_sums {
  double count = 0;  // or the sum of weights
  double y = 0;
  double yy = 0;
};

template <class T>
void add_plainly(const std::vector<double>& edges, const T* x, const T* y, std::int64_t n,
                 std::vector<plain_sums>& sums) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto target = static_cast<double>(y[i]);
    plain_sums& at = sums[segment_by_upper_bound(edges, x[i])];
    at.count += 1;
    at.y += target;
    at.yy += target * target;
  }
}

template <class T>
void add_weighted(const std::vector<double>& edges, const T* x, const T* y, const T* weights,
                  std::int64_t n, std::vector<plain_sums>& sums) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto weight = static_cast<double>(weights[i]);
    plain_sums& at = sums[segment_by_upper_bound(edges, x[i])];
    at.count += weight;
    at.y += weight * static_cast<double>(y[i]);
  }
}

/// A constant for each segment that no neighbour shares, exact in float32.
inline std::vector<double> constants_of(std::int64_t num_segments) {
  std::vector<double> constants(static_cast<std::size_t>(num_segments));
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<double>(i) - 0.25;
  return constants;
}

/// What the segments of a benchmark answer with.
enum class experts { constants, lines };

/// A line for each segment, from edge to edge, that begins at the segment's constant: level where
/// experts are constants.
inline std::vector<zcmoe_line> lines_of(const std::vector<double>& edges, experts kind) {
  const std::vector<double> constants = constants_of(static_cast<std::int64_t>(edges.size()) - 1);
  std::vector<zcmoe_line> lines(constants.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double slope = kind == experts::lines ? static_cast<double>(i % 7) - 3 : 0;
    lines[i] = {edges[i], edges[i + 1], constants[i], slope};
  }
  return lines;
}

/// Throws at the first of n predictions that is not what the line of its input's segment gives.
template <class T>
void check_answers(const std::vector<double>& edges, const std::vector<zcmoe_line>& lines,
                   const T* x, const T* answers, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const zcmoe_line& line = lines[segment_by_upper_bound(edges, x[i])];
    const double place = std::clamp(static_cast<double>(x[i]), line.from, line.to);
    if (answers[i] != static_cast<T>(std::fma(line.slope, place - line.from, line.value))) {
      throw std::runtime_error("row " + std::to_string(i) + " has a wrong answer");
    }
  }
}

/// Throws at the first segment whose count, or sum of weights, or mean is not that of the plain
/// sums.
inline void check_means(const zcmoe_model_info& fitted, const std::vector<plain_sums>& sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const bool same =
        fitted.weights[i] == sums[i].count &&
        (sums[i].count == 0 || std::abs(fitted.constants[i] - sums[i].y / sums[i].count) < 1e-9);
    if (!same) throw std::runtime_error("segment " + std::to_string(i) + " has a wrong mean");
  }
}

/// Throws at the first segment of three rows or more whose line has not the slope of least squares,
/// by sums about the means.
template <class T>
void check_slopes(const zcmoe_model_info& fitted, const std::vector<double>& edges, const T* x,
                  const T* y, std::int64_t n) {
  struct moments {
    double count = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  };
  std::vector<moments> segments(edges.size() - 1);
  for (std::int64_t i = 0; i < n; ++i) {
    moments& at = segments[segment_by_upper_bound(edges, x[i])];
    at.count += 1;
    at.x += static_cast<double>(x[i]);
    at.y += static_cast<double>(y[i]);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    moments& at = segments[segment_by_upper_bound(edges, x[i])];
    const double dx = static_cast<double>(x[i]) - at.x / at.count;
    const double dy = static_cast<double>(y[i]) - at.y / at.count;
    at.xx += dx * dx;
    at.xy += dx * dy;
    at.yy += dy * dy;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const moments& at = segments[i];
    if (at.count < 3 || at.xx == 0) continue;
    // The steepest slope that these rows could have had is the measure of what is small.
    const double close = 1e-6 * std::sqrt(at.yy / at.xx);
    if (!(std::abs(fitted.lines[i].slope - at.xy / at.xx) <= close))
      throw std::runtime_error("segment " + std::to_string(i) + " has a wrong slope");
  }
}

/// So many rows are checked: enough to reach every branch, too few to matter beside the timing.
constexpr std::int64_t rows_to_check = 1 << 16;

}  // namespace zcmoe::bench
