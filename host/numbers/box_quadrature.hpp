// Integrals over boxes of several dimensions by adaptive quadrature: as quadrature.hpp does for
// one, with products of its rules (7, 15). A box is halved along the axis whose rule of 7 points
// differs most from that of 15, so that kinks along an axis cost halvings of that axis alone. A box
// of d dimensions takes 15^d evaluations. Source: Davis & Rabinowitz 1984, ch. 5.
#pragma once

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/numbers/quadrature.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <queue>
#include <vector>

namespace zcmoe::detail {

/// The most dimensions that integrals are computed in.
constexpr std::size_t max_dimensions = 6;

using point_of_box = std::array<double, max_dimensions>;

/// A product of intervals; only the first `dimensions` of each array count.
struct box {
  point_of_box lo{};
  point_of_box hi{};
  std::size_t dimensions = 0;

  double volume() const {
    double v = 1.0;
    for (std::size_t j = 0; j < dimensions; ++j) v *= hi[j] - lo[j];
    return v;
  }
};

struct box_quadrature_tuning {
  // A box is good if its error is at most this part of the integral of the absolute value over all.
  static constexpr double box_tolerance = 1e-14;
  // The integral fails if the errors of all boxes add up to more than this part of it.
  static constexpr double failure_tolerance = 1e-8;
  static constexpr std::size_t max_evaluations = std::size_t{1} << 26;
};

/// K integrals over one box.
template <std::size_t K>
struct integral_box : box {
  std::array<double, K> integral{};
  std::array<double, K> absolute{};
  double error = 0.0;  // of the worst integral, as part of its scale
  std::size_t worst_axis = 0;

  /// Evaluates f, and keeps how much each axis' rule of 7 points differs from that of 15.
  template <class Function>
  void measure(const Function& f) {
    const kronrod_rule& rule = kronrod_rule::instance();
    std::array<std::size_t, max_dimensions> at{};
    // [j]: with the rule of 7 points along axis j
    std::array<std::array<double, K>, max_dimensions> coarse{};
    integral.fill(0.0);
    absolute.fill(0.0);
    point_of_box x{};
    for (;;) {
      double weight = 1.0;
      for (std::size_t j = 0; j < dimensions; ++j) {
        const double s = rule.node[at[j]];
        x[j] = std::min(std::max(lo[j] * (0.5 - 0.5 * s) + hi[j] * (0.5 + 0.5 * s), lo[j]), hi[j]);
        weight *= rule.weight[at[j]];
      }
      const std::array<double, K> v = f(x);
      for (std::size_t k = 0; k < K; ++k) {
        integral[k] += weight * v[k];
        absolute[k] += weight * std::abs(v[k]);
        for (std::size_t j = 0; j < dimensions; ++j) {
          if (at[j] % 2 == 1)
            coarse[j][k] += weight / rule.weight[at[j]] * rule.gauss_weight[at[j] / 2] * v[k];
        }
      }
      std::size_t axis = 0;
      while (axis < dimensions && ++at[axis] == kronrod_rule::size) at[axis++] = 0;
      if (axis == dimensions) break;
    }
    double half = 1.0;
    for (std::size_t j = 0; j < dimensions; ++j) half *= 0.5 * hi[j] - 0.5 * lo[j];
    for (std::size_t k = 0; k < K; ++k) {
      for (std::size_t j = 0; j < dimensions; ++j)
        differences[j][k] = half * std::abs(integral[k] - coarse[j][k]);
      integral[k] *= half;
      absolute[k] *= half;
    }
  }

  /// Tells the error, and along which axis it is, as part of `scale`, the integrals of absolute
  /// values over all boxes.
  void judge(const std::array<double, K>& scale) {
    error = 0.0;
    for (std::size_t j = 0; j < dimensions; ++j) {
      for (std::size_t k = 0; k < K; ++k) {
        const double part = scale[k] > 0 ? differences[j][k] / scale[k] : 0.0;
        if (!(part <= error)) {
          error = part;
          worst_axis = j;
        }
      }
    }
  }

  std::array<std::array<double, K>, max_dimensions> differences{};
};

/// Integrals of f, a function from point_of_box to std::array<double, K>, over a box. Throws
/// NUMERIC, naming `what`, where one of them diverges or does not converge.
template <std::size_t K, class Function>
std::array<double, K> integrals_over_box(const Function& f, const box& over, const char* what) {
  using tuning = box_quadrature_tuning;
  const auto worse = [](const integral_box<K>& a, const integral_box<K>& b) {
    return a.error < b.error;
  };
  std::priority_queue<integral_box<K>, std::vector<integral_box<K>>, decltype(worse)> open(worse);
  integral_box<K> whole;
  static_cast<box&>(whole) = over;
  whole.measure(f);
  std::array<double, K> scale = whole.absolute;
  whole.judge(scale);
  open.push(whole);
  std::size_t each = 1;
  for (std::size_t j = 0; j < over.dimensions; ++j) each *= kronrod_rule::size;
  std::size_t evaluations = each;
  std::vector<integral_box<K>> kept;
  while (!open.empty()) {
    integral_box<K> worst = open.top();
    open.pop();
    const std::size_t axis = worst.worst_axis;
    const double middle = 0.5 * worst.lo[axis] + 0.5 * worst.hi[axis];
    const bool smallest = middle <= worst.lo[axis] || middle >= worst.hi[axis];
    if (worst.error <= tuning::box_tolerance || smallest ||
        evaluations + 2 * each > tuning::max_evaluations) {
      kept.push_back(worst);
      continue;
    }
    integral_box<K> left = worst;
    integral_box<K> right = worst;
    left.hi[axis] = right.lo[axis] = middle;
    for (integral_box<K>* half : {&left, &right}) {
      half->measure(f);
      half->judge(scale);
      open.push(*half);
    }
    evaluations += 2 * each;
    for (std::size_t k = 0; k < K; ++k) {
      scale[k] = std::max(scale[k] + left.absolute[k] + right.absolute[k] - worst.absolute[k],
                          0.5 * scale[k]);
    }
  }
  std::array<double_double, K> sum{};
  double error = 0.0;
  for (const integral_box<K>& b : kept) {
    for (std::size_t k = 0; k < K; ++k) sum[k] = sum[k] + b.integral[k];
    if (!(b.error <= tuning::box_tolerance)) error += b.error;
  }
  std::array<double, K> result{};
  for (std::size_t k = 0; k < K; ++k) {
    result[k] = sum[k].high;
    if (!std::isfinite(result[k]) || !(error <= tuning::failure_tolerance)) {
      fail(ZCMOE_ERR_NUMERIC, "the integral of ", what, " diverges or does not converge: estimate ",
           result[k], ", relative error ", error, " after ", evaluations, " evaluations, limit ",
           tuning::failure_tolerance);
    }
  }
  return result;
}

}  // namespace zcmoe::detail
