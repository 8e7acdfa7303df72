// Exact errors of a table of segments for known functions. Adaptive quadrature gives the integrals
// of p, p d, p d^2 and p sigma^2 over each segment, where d = b - c is the distance of the
// regression from a constant c near its mean there; the probability, mean, variance and error of
// the segment follow from them. Formulas and sources: include/zcmoe/theory.h.
#include "host/theory/cells.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/numbers/quadrature.hpp"
#include "host/segmentation/edges.hpp"
#include "host/theory/high_rate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct cells_tuning {
  // Quadrature cuts a segment as wide as the whole range into this many panels first, and a
  // narrower one into its share of them.
  static constexpr int panels_of_a_range = 16;
  // Where the squared mean of d exceeds this part of the mean of d^2, their difference has lost
  // digits, and the integrals are taken again with c at the mean.
  static constexpr double max_cancellation = 0.1;
};

constexpr double eps = std::numeric_limits<double>::epsilon();

}  // namespace

cell_table cells_of(const theory_problem& problem, const double* edges, std::int64_t num_segments,
                    zcmoe_constant_rule rule, const double* constants) {
  const auto m = static_cast<std::size_t>(num_segments);
  cell_table table;
  table.probabilities.resize(m);
  table.means.resize(m);
  table.variances.resize(m);
  table.errors.resize(m);
  std::vector<double> within(m);
  double_double mass;
  double_double noise;
  for (std::size_t i = 0; i < m; ++i) {
    const double left = edges[i];
    const double right = edges[i + 1];
    const double base =
        checked_value(problem.regression, 0.5 * left + 0.5 * right, "regression", true);
    const auto ends = first_ends(problem, left, right, cells_tuning::panels_of_a_range);
    const auto about = [&](double centre) {
      return integrals_over<4>(
          [&](double x) {
            const double p = density_at(problem, x);
            const double d = checked_value(problem.regression, x, "regression", true) - centre;
            return std::array<double, 4>{p, p * d, p * d * d,
                                         problem.noise_variance ? p * noise_at(problem, x) : 0.0};
          },
          ends, "p (b - c)^2 over a segment", 4 * eps * std::abs(centre));
    };
    auto v = about(base);
    if (!(v[0] > 0)) {
      table.means[i] = base;
      continue;
    }
    double shift = v[1] / v[0];
    double centre = base;
    if (v[1] * shift > cells_tuning::max_cancellation * v[2]) {
      centre = base + shift;
      v = about(centre);
      shift = v[1] / v[0];
    }
    const double sse = std::max(0.0, v[2] - v[1] * shift);
    table.probabilities[i] = v[0];
    table.means[i] = centre + shift;
    within[i] = sse;
    double away = 0.0;  // the constant minus the mean of b in the segment
    if (constants != nullptr) {
      away = (constants[i] - centre) - shift;
    } else if (rule == ZCMOE_CONSTANT_MIDPOINT) {
      away = (base - centre) - shift;
    }
    table.errors[i] = sse + v[0] * (away * away);
    const double here = problem.noise_variance ? v[3] : problem.noise * v[0];
    table.variances[i] = (here + sse) / v[0];
    mass = mass + (v[0]);
    noise = noise + (here);
  }
  const double whole = mass.high;
  if (!(whole > 0)) fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in the table");
  double_double error;
  double_double mean;
  double_double spread;
  for (std::size_t i = 0; i < m; ++i) {
    table.probabilities[i] /= whole;
    table.errors[i] /= whole;
    error = error + (table.errors[i]);
    mean = mean + (table.probabilities[i] * table.means[i]);
  }
  for (std::size_t i = 0; i < m; ++i) {
    const double d = table.means[i] - mean.high;
    spread = spread + (table.probabilities[i] * d * d + within[i] / whole);
  }
  table.totals = {error.high, mean.high, spread.high, noise.high / whole};
  return table;
}

std::int64_t breakdown_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                          double tolerance, std::int64_t max_segments) {
  const double coefficient = coefficient_of(problem, segmentation, 2.0);
  if (!(coefficient > 0)) return 1;  // b is constant where p > 0, so no m has an error
  std::int64_t violation = 0;
  for (std::int64_t m = 1; m <= 4 * (violation + 1) + 32; ++m) {
    const edge_table edges = theory_edges(problem, segmentation, m);
    const cell_table cells =
        cells_of(problem, edges.data(), static_cast<std::int64_t>(edges.size()) - 1,
                 ZCMOE_CONSTANT_MEAN, nullptr);
    const double predicted = high_rate_error(coefficient, 2.0, static_cast<double>(m));
    // A gap within rounding of the tolerance counts as above it, so that every machine finds the
    // same m.
    const double gap = cells.totals.error / predicted - 1.0;
    if (!(std::abs(gap) < tolerance * (1.0 - 1e-9))) violation = m;
    if (violation >= max_segments) return 0;
  }
  return violation + 1;
}

}  // namespace zcmoe::detail
