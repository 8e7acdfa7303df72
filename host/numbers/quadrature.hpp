// Integrals by adaptive Gauss-Kronrod (7, 15): panels are halved until each is good, vector valued
// where several integrands share their evaluations; algebraic zeros and kinks cost a number of
// halvings, not accuracy. Source: Davis & Rabinowitz 1984, ch. 6.
#pragma once

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace zcmoe::detail {

struct quadrature_tuning {
  static constexpr int max_depth = 200;
  static constexpr int max_halvings = 32768;
  static constexpr double panel_tolerance = 1e-15;   // of the integral of the absolute value
  static constexpr double failure_tolerance = 1e-9;  // of the same, summed over the panels
  static constexpr double noise =
      1e-7;  // relative errors below it that halving leaves are rounding
};

/// K integrals at once over panels, halved until each is good.
template <std::size_t K>
class integrator {
 public:
  using values = std::array<double, K>;

  /// Integrals of f over [ends.front(), ends.back()], cut at every end. what: for the error.
  /// rounding: if not 0, integrands 1 and 2 are the first times d and d^2 of a difference d that is
  /// known to no better than this; nothing is halved to resolve that.
  template <class Function>
  static values over(const Function& f, const std::vector<double>& ends, const char* what,
                     double rounding = 0.0) {
    integrator whole(what, rounding);
    std::vector<panel> panels;
    panels.reserve(ends.size() - 1);
    for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
      panels.push_back(measure(f, ends[i], ends[i + 1]));
      for (std::size_t k = 0; k < K; ++k) whole.scale_[k] += panels.back().absolute[k];
    }
    for (const panel& p : panels) whole.add(f, p);
    return whole.result();
  }

 private:
  struct panel {
    double left;
    double right;
    values integral;
    values absolute;
    values error;
  };

  integrator(const char* what, double rounding) : what_(what), rounding_(rounding) {}

  template <class Function>
  static panel measure(const Function& f, double left, double right) {
    using kronrod = boost::math::quadrature::gauss_kronrod<double, 15>;
    const auto& node =
        kronrod::abscissa();  // the non-negative half; the even ones are Gauss points
    const auto& weight = kronrod::weights();
    const auto& gauss_weight = boost::math::quadrature::gauss<double, 7>::weights();
    const double half = 0.5 * right - 0.5 * left;
    panel p{left, right, {}, {}, {}};
    values gauss{};
    for (std::size_t j = 0; j < node.size(); ++j) {
      for (int side = j == 0 ? 1 : -1; side <= 1; side += 2) {
        // Measured from the nearer end, so that a node beside a singular end keeps its digits.
        const double from_end = half * (1.0 - node[j]);
        const double x = j == 0     ? 0.5 * left + 0.5 * right
                         : side < 0 ? left + from_end
                                    : right - from_end;
        const values v = f(std::min(std::max(x, left), right));
        for (std::size_t k = 0; k < K; ++k) {
          p.integral[k] += weight[j] * v[k];
          p.absolute[k] += weight[j] * std::abs(v[k]);
          if (j % 2 == 0) gauss[k] += gauss_weight[j / 2] * v[k];
        }
      }
    }
    for (std::size_t k = 0; k < K; ++k) {
      p.error[k] = half * std::abs(p.integral[k] - gauss[k]);
      p.integral[k] *= half;
      p.absolute[k] *= half;
    }
    return p;
  }

  void keep(const panel& p, bool count_error) {
    for (std::size_t k = 0; k < K; ++k) {
      sum_[k] = sum_[k] + p.integral[k];
      absolute_[k] += p.absolute[k];
      if (count_error) error_[k] += p.error[k];
    }
  }

  bool good(const panel& p, std::size_t k) const {
    double limit = quadrature_tuning::panel_tolerance * scale_[k];
    if (k == 1 || k == 2) limit += rounding_ * p.absolute[k - 1];
    return p.error[k] <= limit;
  }
  bool good(const panel& p) const {
    for (std::size_t k = 0; k < K; ++k) {
      if (!good(p, k)) return false;
    }
    return true;
  }

  /// Halving shrinks the error of anything but rounding noise of the function and jumps, and jumps
  /// are not small.
  bool noisy(const panel& p, const panel& a, const panel& b) const {
    for (std::size_t k = 0; k < K; ++k) {
      if (good(p, k)) continue;
      if (a.error[k] + b.error[k] <= 0.5 * p.error[k]) return false;
      if (!(p.error[k] < quadrature_tuning::noise * p.absolute[k])) return false;
    }
    return true;
  }

  /// Panels from left to right; those still to come wait in a list, not on the thread's stack,
  /// which may be small.
  template <class Function>
  void add(const Function& f, const panel& whole) {
    struct waiting {
      panel p;
      int depth;
    };
    std::vector<waiting> list{{whole, 0}};
    while (!list.empty()) {
      const auto [p, depth] = list.back();
      list.pop_back();
      const double middle = 0.5 * p.left + 0.5 * p.right;
      const bool last = depth == quadrature_tuning::max_depth ||
                        halvings_ == quadrature_tuning::max_halvings || middle <= p.left ||
                        middle >= p.right;
      if (good(p) || last) {
        keep(p, !good(p));
        continue;
      }
      ++halvings_;
      const panel a = measure(f, p.left, middle);
      const panel b = measure(f, middle, p.right);
      if (noisy(p, a, b)) {
        keep(a, false);
        keep(b, false);
        continue;
      }
      list.push_back({b, depth + 1});
      list.push_back({a, depth + 1});
    }
  }

  values result() const {
    values r{};
    for (std::size_t k = 0; k < K; ++k) {
      r[k] = sum_[k].high;
      if (!std::isfinite(r[k]) || error_[k] > quadrature_tuning::failure_tolerance * absolute_[k]) {
        fail(ZCMOE_ERR_NUMERIC, "the integral of ", what_,
             " diverges or does not converge: estimate ", r[k], ", error ", error_[k], " after ",
             halvings_, " halvings, limit ", quadrature_tuning::failure_tolerance,
             " of the integral");
      }
    }
    return r;
  }

  const char* what_;
  double rounding_;
  values scale_{};
  std::array<double_double, K> sum_{};  // twice double's precision
  values absolute_{};
  values error_{};
  int halvings_ = 0;
};

}  // namespace zcmoe::detail
