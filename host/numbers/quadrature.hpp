// Integrals by adaptive quadrature: the range is cut into panels, and panels are halved, the worst
// first, until each is good. Source: Davis & Rabinowitz 1984, ch. 6.
//
// `halved_until_good` is that loop for any kind of panel: those of the integrals below, those on
// which the compander tabulates an integral in order to invert it, and those on which a function is
// scanned before a table is compiled for it. `integrals_over` is the integral, by the Gauss-Kronrod
// rule (7, 15), of several integrands at once that share their evaluations. Algebraic zeros and
// kinks cost halvings, not accuracy. The points come from Boost, whose own adaptive integrals take
// one integrand and have a fixed depth.
#pragma once

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <queue>
#include <vector>

namespace zcmoe::detail {

/// The 15 points of the Gauss-Kronrod rule (7, 15) on [-1, 1] in ascending order. Those with odd
/// indices are the 7 points of the Gauss rule, whose integral is compared with that of all 15.
struct kronrod_rule {
  static constexpr std::size_t size = 15;
  static constexpr std::size_t gauss_size = 7;
  std::array<double, size> node{};
  std::array<double, size> weight{};
  std::array<double, gauss_size> gauss_node{};
  std::array<double, gauss_size> gauss_weight{};

  static const kronrod_rule& instance();

 private:
  kronrod_rule();
};

/// Halves panels, the worst first, until every panel is good, or has no double between its ends, or
/// there are `most` panels. Returns them in ascending order.
///
/// A panel has the members `left`, `right` and `middle()`. better(a, b) says whether b is to be
/// halved before a. good(panel) says whether the panel stays as it is; each panel is asked once,
/// when it is the worst. halves(panel, middle) returns its two parts.
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
  // A panel that comes from this many halvings is not halved again.
  static constexpr int max_depth = 200;
  static constexpr std::size_t max_halvings = 32768;
  // A panel is good if its error is at most this part of the integral of the absolute value over
  // the whole range.
  static constexpr double panel_tolerance = 1e-15;
  // The integral fails if the errors of all panels add up to more than this part of it.
  static constexpr double failure_tolerance = 1e-9;
  // An error that halving does not shrink is rounding of the integrand if it is below this part of
  // the panel's integral of the absolute value.
  static constexpr double noise = 1e-7;
};

/// K integrals over one panel, and an estimate of the error of each: the difference between its
/// Gauss and Kronrod integrals.
template <std::size_t K>
struct integral_panel {
  using values = std::array<double, K>;

  double left;
  double right;
  int depth;
  bool noise;  // its error is rounding of the integrand
  values integral;
  values absolute;  // integrals of the absolute values
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
      // Points are measured from the nearer end: beside an end at 0, where f may be singular,
      // centre + half node would lose their digits.
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
/// ends.back()], which is cut into panels at every end. Throws NUMERIC, naming `what`, where one of
/// them diverges or has an error above 1e-9 of the integral of its absolute value.
///
/// `rounding` is for integrands of the form g, g d and g d^2, in this order, whose difference d has
/// an error of about `rounding`: no panel is halved to resolve that. 0 says that the integrands
/// have no such form.
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
  // Halving a panel shrinks its error unless f has a jump or is noisy from rounding, and a jump has
  // a large error. So a small error that does not shrink is noise.
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
