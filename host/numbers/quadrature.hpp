// Integrals by adaptive quadrature: panels are halved, the worst first, until each is good.
//
// `halved_until_good` is that loop, for any kind of panel: the integrals below, the compander's
// table of an integral that it inverts, and the scan of a function that a table is compiled for.
// `integrals_over` is the integral itself: Gauss-Kronrod (7, 15), vector valued where several
// integrands share their evaluations; algebraic zeros and kinks cost a number of halvings, not
// accuracy. The points are Boost's; its own adaptive integrals know one integrand and a fixed
// depth. Source: Davis & Rabinowitz 1984, ch. 6.
#pragma once

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <queue>
#include <vector>

namespace zcmoe::detail {

/// Gauss-Kronrod (7, 15) points on [-1, 1], ascending: the odd ones are the Gauss points.
struct kronrod_rule {
  static constexpr std::size_t size = 15;
  static constexpr std::size_t gauss_size = 7;
  std::array<double, size> node{};
  std::array<double, size> weight{};
  std::array<double, gauss_size> gauss_node{};
  std::array<double, gauss_size> gauss_weight{};

  kronrod_rule() {
    using kronrod = boost::math::quadrature::gauss_kronrod<double, size>;
    using gauss = boost::math::quadrature::gauss<double, gauss_size>;
    unfold(kronrod::abscissa(), node, -1.0);
    unfold(kronrod::weights(), weight, 1.0);
    unfold(gauss::abscissa(), gauss_node, -1.0);
    unfold(gauss::weights(), gauss_weight, 1.0);
  }

  static const kronrod_rule& instance() {
    static const kronrod_rule rule;
    return rule;
  }

 private:
  /// Boost gives the points from 0 up; those below 0 are the same times `sign`.
  template <class Half, std::size_t N>
  static void unfold(const Half& half, std::array<double, N>& whole, double sign) {
    for (std::size_t k = 0; k <= N / 2; ++k) {
      whole[N / 2 - k] = sign * half[k];
      whole[N / 2 + k] = half[k];
    }
  }
};

/// Halves panels, the worst first, until every panel is good, has no double between its ends, or
/// `most` panels there are. In ascending order.
///
/// A panel has `left`, `right` and `middle()`. better(a, b): b is to be halved before a.
/// good(panel): it stays as it is, asked once for each panel, when it is the worst. halves(panel,
/// middle): its two parts.
template <class Panel, class Better, class Good, class Halves>
std::vector<Panel> halved_until_good(std::vector<Panel> first, std::size_t most,
                                     const Better& better, const Good& good, const Halves& halves) {
  std::priority_queue<Panel, std::vector<Panel>, Better> open(better, std::move(first));
  std::vector<Panel> kept;
  kept.reserve(open.size());
  while (!open.empty()) {
    const Panel worst = open.top();
    open.pop();
    const double middle = worst.middle();
    const bool full = open.size() + kept.size() + 1 >= most;
    if (good(worst) || full || middle <= worst.left || middle >= worst.right) {
      kept.push_back(worst);
      continue;
    }
    for (const Panel& half : halves(worst, middle)) open.push(half);
  }
  std::sort(kept.begin(), kept.end(),
            [](const Panel& a, const Panel& b) { return a.left < b.left; });
  return kept;
}

struct quadrature_tuning {
  static constexpr int max_depth = 200;
  static constexpr std::size_t max_halvings = 32768;
  static constexpr double panel_tolerance = 1e-15;   // of the integral of the absolute value
  static constexpr double failure_tolerance = 1e-9;  // of the same, summed over the panels
  static constexpr double noise =
      1e-7;  // relative errors below it that halving leaves are rounding
};

/// K integrals at once over one panel, and what each may be off by.
template <std::size_t K>
struct integral_panel {
  using values = std::array<double, K>;

  double left;
  double right;
  int depth;
  bool noise;  // what its error says is rounding of the integrand
  values integral;
  values absolute;  // of the absolute value of each integrand
  values error;

  double middle() const { return 0.5 * left + 0.5 * right; }

  template <class Function>
  static integral_panel measure(const Function& f, double left, double right, int depth) {
    const kronrod_rule& rule = kronrod_rule::instance();
    constexpr std::size_t centre = kronrod_rule::size / 2;
    const double half = 0.5 * right - 0.5 * left;
    integral_panel p{left, right, depth, false, {}, {}, {}};
    values gauss{};
    const auto add = [&](std::size_t point, double x) {
      const values v = f(std::min(std::max(x, left), right));
      for (std::size_t k = 0; k < K; ++k) {
        p.integral[k] += rule.weight[point] * v[k];
        p.absolute[k] += rule.weight[point] * std::abs(v[k]);
        if (point % 2 == 1) gauss[k] += rule.gauss_weight[point / 2] * v[k];
      }
    };
    add(centre, 0.5 * left + 0.5 * right);
    for (std::size_t j = 1; j <= centre; ++j) {
      // Measured from the nearer end, so that a node beside a singular end keeps its digits.
      const double from_end = half * (1.0 - rule.node[centre + j]);
      add(centre - j, left + from_end);
      add(centre + j, right - from_end);
    }
    for (std::size_t k = 0; k < K; ++k) {
      p.error[k] = half * std::abs(p.integral[k] - gauss[k]);
      p.integral[k] *= half;
      p.absolute[k] *= half;
    }
    return p;
  }
};

/// Integrals of f, a function from double to std::array<double, K>, over [ends.front(),
/// ends.back()], cut at every end. Throws NUMERIC, naming `what`, where one of them diverges or is
/// off by more than 1e-9 of the integral of its absolute value.
///
/// rounding: if not 0, integrands 1 and 2 are the first times d and d^2 of a difference d that is
/// known to no better than this; nothing is halved to resolve that.
template <std::size_t K, class Function>
std::array<double, K> integrals_over(const Function& f, const std::vector<double>& ends,
                                     const char* what, double rounding = 0.0) {
  using panel = integral_panel<K>;
  using tuning = quadrature_tuning;
  std::array<double, K> scale{};
  std::vector<panel> first;
  first.reserve(ends.size() - 1);
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    first.push_back(panel::measure(f, ends[i], ends[i + 1], 0));
    for (std::size_t k = 0; k < K; ++k) scale[k] += first.back().absolute[k];
  }
  const auto resolved = [&](const panel& p, std::size_t k) {
    double limit = tuning::panel_tolerance * scale[k];
    if (k == 1 || k == 2) limit += rounding * p.absolute[k - 1];
    return p.error[k] <= limit;
  };
  const auto all_resolved = [&](const panel& p) {
    for (std::size_t k = 0; k < K; ++k) {
      if (!resolved(p, k)) return false;
    }
    return true;
  };
  // Halving shrinks the error of anything but rounding noise of the function and jumps, and jumps
  // are not small.
  const auto noisy = [&](const panel& p, const panel& a, const panel& b) {
    for (std::size_t k = 0; k < K; ++k) {
      if (resolved(p, k)) continue;
      if (a.error[k] + b.error[k] <= 0.5 * p.error[k]) return false;
      if (!(p.error[k] < tuning::noise * p.absolute[k])) return false;
    }
    return true;
  };
  const auto badness = [&](const panel& p) {
    double largest = 0.0;
    for (std::size_t k = 0; k < K; ++k) {
      if (scale[k] > 0) largest = std::max(largest, p.error[k] / scale[k]);
    }
    return largest;
  };
  const std::size_t most = first.size() + tuning::max_halvings;
  const std::vector<panel> panels = halved_until_good(
      std::move(first), most,
      [&](const panel& a, const panel& b) {
        const double of_a = badness(a);
        const double of_b = badness(b);
        return of_a != of_b ? of_a < of_b : a.left > b.left;
      },
      [&](const panel& p) { return p.noise || p.depth == tuning::max_depth || all_resolved(p); },
      [&](const panel& p, double middle) {
        std::array<panel, 2> halves{panel::measure(f, p.left, middle, p.depth + 1),
                                    panel::measure(f, middle, p.right, p.depth + 1)};
        halves[0].noise = halves[1].noise = noisy(p, halves[0], halves[1]);
        return halves;
      });

  std::array<double_double, K> sum{};
  std::array<double, K> absolute{};
  std::array<double, K> error{};
  for (const panel& p : panels) {
    const bool counts = !p.noise && !all_resolved(p);
    for (std::size_t k = 0; k < K; ++k) {
      sum[k] = sum[k] + p.integral[k];
      absolute[k] += p.absolute[k];
      if (counts) error[k] += p.error[k];
    }
  }
  std::array<double, K> result{};
  for (std::size_t k = 0; k < K; ++k) {
    result[k] = sum[k].high;
    if (!std::isfinite(result[k]) || error[k] > tuning::failure_tolerance * absolute[k]) {
      fail(ZCMOE_ERR_NUMERIC, "the integral of ", what, " diverges or does not converge: estimate ",
           result[k], ", error ", error[k], " after ", panels.size() + 1 - ends.size(),
           " halvings, limit ", tuning::failure_tolerance, " of the integral");
    }
  }
  return result;
}

}  // namespace zcmoe::detail
