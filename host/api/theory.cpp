// The C functions of theory.h: they check the arguments and call host/theory. Short formulas are
// computed here.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/options.hpp"
#include "host/theory/cells.hpp"
#include "host/theory/estimation.hpp"
#include "host/theory/high_rate.hpp"
#include "host/theory/recommendation.hpp"
#include "host/theory/statistics.hpp"
#include "host/numbers/interpolant.hpp"

#include <zcmoe/theory.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using namespace zcmoe::detail;

void check_power(double power) {
  ZCMOE_EXPECTS(power > 0 && power <= 64, "power=", power, "; expected more than 0, at most 64");
}

void check_segmentation(zcmoe_theory_segmentation segmentation) {
  ZCMOE_EXPECTS(segmentation >= ZCMOE_THEORY_UNIFORM && segmentation <= ZCMOE_THEORY_POINT_DENSITY,
                "segmentation=", segmentation, " is not a ZCMOE_THEORY_ segmentation (0 to 2)");
}

void check_law(const zcmoe_theory_law* law, const char* name) {
  check_pointer(law, name);
  check_amount(law->approximation, text(name, "->approximation").c_str());
  ZCMOE_EXPECTS(law->order > 0 && law->order <= 64, name, "->order=", law->order,
                "; expected more than 0, at most 64");
}

/// The m that minimises A m^-order + B m / n, and the minimum.
void optimum_of(double approximation, double order, double variance, double n, double* num_segments,
                double* excess) {
  const double m = std::pow(order * approximation * n / variance, 1.0 / (order + 1.0));
  if (num_segments != nullptr) *num_segments = m;
  if (excess != nullptr) *excess = (1.0 + 1.0 / order) * variance * (m / n);
}

theory_problem read(const zcmoe_theory_problem* given) {
  check_pointer(given, "problem");
  const auto p = read_options(given, zcmoe_theory_problem ZCMOE_THEORY_PROBLEM_INIT, "problem");
  check_finite(p.lo, "problem->lo");
  check_finite(p.hi, "problem->hi");
  ZCMOE_EXPECTS(p.lo < p.hi, "problem->lo=", p.lo, " is not less than problem->hi=", p.hi);
  ZCMOE_EXPECTS(std::isfinite(p.hi - p.lo), "problem->hi - problem->lo overflows: lo=", p.lo,
                ", hi=", p.hi);
  check_amount(p.noise, "problem->noise");
  check_pointer(p.density, "problem->density");
  ZCMOE_EXPECTS(p.num_breaks >= 0, "problem->num_breaks=", p.num_breaks, "; expected >= 0");
  theory_problem problem{bound(p.density, p.user),
                         bound(p.regression, p.user),
                         bound(p.slope, p.user),
                         bound(p.curvature, p.user),
                         bound(p.density_slope, p.user),
                         bound(p.noise_variance, p.user),
                         bound(p.point_density, p.user),
                         bound(p.point_density_slope, p.user),
                         p.noise,
                         p.lo,
                         p.hi,
                         {}};
  if (p.num_breaks > 0) check_pointer(p.breaks, "problem->breaks");
  for (std::int64_t i = 0; i < p.num_breaks; ++i) {
    ZCMOE_EXPECTS(p.breaks[i] > p.lo && p.breaks[i] < p.hi, "problem->breaks[", i,
                  "]=", p.breaks[i], " is not between lo=", p.lo, " and hi=", p.hi);
    ZCMOE_EXPECTS(i == 0 || p.breaks[i - 1] < p.breaks[i], "problem->breaks[", i, "]=", p.breaks[i],
                  " is not greater than problem->breaks[", i - 1, "]=", p.breaks[i - 1]);
    problem.breaks.push_back(p.breaks[i]);
  }
  return problem;
}

void check_function(const real_function& f, const char* name) {
  ZCMOE_EXPECTS(f != nullptr, name, " is null");
}

/// Checks that the functions which the edges of a segmentation derive from are given.
void check_edge_functions(const theory_problem& problem, zcmoe_theory_segmentation segmentation) {
  check_segmentation(segmentation);
  if (segmentation == ZCMOE_THEORY_OPTIMAL) check_function(problem.slope, "problem->slope");
  if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
    check_function(problem.point_density, "problem->point_density");
  }
}

zcmoe_model_options read(const zcmoe_model_options* given) {
  const auto options = read_options(given, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "options");
  ZCMOE_EXPECTS(
      options.empty_policy >= ZCMOE_EMPTY_NEAREST && options.empty_policy <= ZCMOE_EMPTY_PARENT,
      "options->empty_policy=", options.empty_policy, " is not in 0..", ZCMOE_EMPTY_PARENT);
  check_amount(options.shrinkage, "options->shrinkage");
  if (options.empty_policy == ZCMOE_EMPTY_VALUE) {
    check_finite(options.empty_value, "options->empty_value");
  }
  return options;
}

zcmoe_model_options read_policies(const zcmoe_model_options* given) {
  const auto options = read(given);
  ZCMOE_EXPECTS(options.empty_policy != ZCMOE_EMPTY_NAN || options.shrinkage > 0,
                "options->empty_policy=ZCMOE_EMPTY_NAN (1) has no squared error");
  return options;
}

void check_table(const zcmoe_theory_table& table, const char* name) {
  check_num_segments(table.num_segments);
  check_pointer(table.counts, text(name, "counts").c_str());
  check_pointer(table.means, text(name, "means").c_str());
  check_pointer(table.variances, text(name, "variances").c_str());
  check_alignment(table.edges, text(name, "edges").c_str());
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < table.num_segments; ++i) {
    const std::int64_t count = table.counts[i];
    ZCMOE_EXPECTS(count >= 0, name, "counts[", i, "]=", count, "; expected >= 0");
    ZCMOE_EXPECTS(total <= std::numeric_limits<std::int64_t>::max() - count, name, "counts[", i,
                  "]=", count, ": the sum of counts overflows");
    total += count;
    ZCMOE_EXPECTS(count == 0 || std::isfinite(table.means[i]), name, "means[", i,
                  "]=", table.means[i], " is not finite");
    ZCMOE_EXPECTS(count < 2 || (table.variances[i] >= 0 && std::isfinite(table.variances[i])), name,
                  "variances[", i, "]=", table.variances[i], "; expected a finite number >= 0");
  }
  if (table.edges != nullptr) check_edges(table.edges, table.num_segments);
}

}  // namespace

struct zcmoe_theory_curve {
  zcmoe::detail::curve through;
};

extern "C" zcmoe_status zcmoe_theory_curve_create(const double* grid, const double* values,
                                                  std::int64_t num_grid,
                                                  zcmoe_theory_curve** curve) {
  return guard("zcmoe_theory_curve_create", [&] {
    check_pointer(curve, "curve");
    *curve = nullptr;
    check_pointer(grid, "grid");
    check_pointer(values, "values");
    *curve = new zcmoe_theory_curve{{grid, values, num_grid}};
  });
}

extern "C" double zcmoe_theory_curve_value(void* curve, double x) {
  if (curve == nullptr) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<const zcmoe_theory_curve*>(curve)->through.value(x);
}

extern "C" double zcmoe_theory_curve_slope(void* curve, double x) {
  if (curve == nullptr) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<const zcmoe_theory_curve*>(curve)->through.slope(x);
}

extern "C" zcmoe_status zcmoe_theory_curve_destroy(zcmoe_theory_curve* curve) {
  return guard("zcmoe_theory_curve_destroy", [&] { delete curve; });
}

extern "C" {

// ------------------------------------------------------------------ high rate

zcmoe_status zcmoe_theory_coefficient(const zcmoe_theory_problem* problem,
                                      zcmoe_theory_segmentation segmentation, double power,
                                      double* coefficient) {
  return guard("zcmoe_theory_coefficient", [&] {
    const theory_problem p = read(problem);
    check_edge_functions(p, segmentation);
    check_function(p.slope, "problem->slope");
    check_power(power);
    check_pointer(coefficient, "coefficient");
    *coefficient = coefficient_of(p, segmentation, power);
  });
}

zcmoe_status zcmoe_theory_error(double coefficient, double power, int64_t num_segments,
                                double* error) {
  return guard("zcmoe_theory_error", [&] {
    check_amount(coefficient, "coefficient");
    check_power(power);
    check_num_segments(num_segments);
    check_pointer(error, "error");
    *error = high_rate_error(coefficient, power, static_cast<double>(num_segments));
  });
}

zcmoe_status zcmoe_theory_next_order(const zcmoe_theory_problem* problem,
                                     zcmoe_theory_segmentation segmentation, double* c4) {
  return guard("zcmoe_theory_next_order", [&] {
    const theory_problem p = read(problem);
    check_edge_functions(p, segmentation);
    check_function(p.slope, "problem->slope");
    check_function(p.curvature, "problem->curvature");
    check_function(p.density_slope, "problem->density_slope");
    if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
      check_function(p.point_density_slope, "problem->point_density_slope");
    }
    check_pointer(c4, "c4");
    *c4 = next_order_of(p, segmentation);
  });
}

zcmoe_status zcmoe_theory_zero_gap(double density_order, double regression_order, double* kappa) {
  return guard("zcmoe_theory_zero_gap", [&] {
    ZCMOE_EXPECTS(density_order >= 0 && density_order <= 64, "density_order=", density_order,
                  "; expected 0 to 64");
    ZCMOE_EXPECTS(regression_order > 0 && regression_order <= 64,
                  "regression_order=", regression_order, "; expected more than 0, at most 64");
    check_pointer(kappa, "kappa");
    *kappa = zero_gap(density_order, regression_order);
  });
}

zcmoe_status zcmoe_theory_breakdown(const zcmoe_theory_problem* problem,
                                    zcmoe_theory_segmentation segmentation, double tolerance,
                                    int64_t max_segments, int64_t* num_segments) {
  return guard("zcmoe_theory_breakdown", [&] {
    const theory_problem p = read(problem);
    check_edge_functions(p, segmentation);
    check_function(p.slope, "problem->slope");
    check_function(p.regression, "problem->regression");
    check_fraction(tolerance, "tolerance");
    ZCMOE_EXPECTS(max_segments >= 1 && max_segments <= 65536, "max_segments=", max_segments,
                  "; expected 1 to 65536");
    check_pointer(num_segments, "num_segments");
    *num_segments = breakdown_of(p, segmentation, tolerance, max_segments);
  });
}

zcmoe_status zcmoe_theory_breakdown_estimate(double coefficient, double c4, double kappa,
                                             double tolerance, double* num_segments) {
  return guard("zcmoe_theory_breakdown_estimate", [&] {
    check_positive(coefficient, "coefficient");
    check_finite(c4, "c4");
    check_finite(kappa, "kappa");
    check_fraction(tolerance, "tolerance");
    check_pointer(num_segments, "num_segments");
    const double m = kappa != 0 ? std::abs(kappa) / tolerance
                                : std::sqrt(12.0 * std::abs(c4) / (tolerance * coefficient));
    *num_segments = std::max(1.0, m);
  });
}

zcmoe_status zcmoe_theory_robustness(const zcmoe_theory_problem* problem, double* ratio,
                                     double* second_order) {
  return guard("zcmoe_theory_robustness", [&] {
    const theory_problem p = read(problem);
    check_function(p.slope, "problem->slope");
    check_function(p.point_density, "problem->point_density");
    check_alignment(ratio, "ratio");
    check_alignment(second_order, "second_order");
    const double first = ratio != nullptr ? robustness_ratio(p) : 0.0;
    const double second = second_order != nullptr ? robustness_second_order(p) : 0.0;
    if (ratio != nullptr) *ratio = first;
    if (second_order != nullptr) *second_order = second;
  });
}

// --------------------------------------------------------------- exact errors

zcmoe_status zcmoe_theory_approximation(const zcmoe_theory_problem* problem, const double* edges,
                                        int64_t num_segments, zcmoe_constant_rule rule,
                                        const double* constants, const zcmoe_theory_cells* cells,
                                        zcmoe_theory_totals* totals) {
  return guard("zcmoe_theory_approximation", [&] {
    const theory_problem p = read(problem);
    check_function(p.regression, "problem->regression");
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    check_edges(edges, num_segments);
    ZCMOE_EXPECTS(edges[0] >= p.lo, "edges[0]=", edges[0], " is less than problem->lo=", p.lo);
    ZCMOE_EXPECTS(edges[num_segments] <= p.hi, "edges[", num_segments, "]=", edges[num_segments],
                  " is greater than problem->hi=", p.hi);
    ZCMOE_EXPECTS(rule == ZCMOE_CONSTANT_MEAN || rule == ZCMOE_CONSTANT_MIDPOINT, "rule=", rule,
                  "; expected ZCMOE_CONSTANT_MEAN (0) or ZCMOE_CONSTANT_MIDPOINT (1)");
    check_alignment(constants, "constants");
    check_alignment(totals, "totals");
    check_alignment(cells, "cells");
    if (cells != nullptr) {
      check_alignment(cells->probabilities, "cells->probabilities");
      check_alignment(cells->means, "cells->means");
      check_alignment(cells->variances, "cells->variances");
      check_alignment(cells->errors, "cells->errors");
    }
    if (constants != nullptr) {
      ZCMOE_EXPECTS(rule == ZCMOE_CONSTANT_MEAN,
                    "constants and rule=ZCMOE_CONSTANT_MIDPOINT exclude each other");
      for (std::int64_t i = 0; i < num_segments; ++i) {
        ZCMOE_EXPECTS(std::isfinite(constants[i]), "constants[", i, "]=", constants[i],
                      " is not finite");
      }
    }
    const cell_table table = cells_of(p, edges, num_segments, rule, constants);
    const auto copy = [](const std::vector<double>& from, double* to) {
      if (to != nullptr) std::copy(from.begin(), from.end(), to);
    };
    if (cells != nullptr) {
      copy(table.probabilities, cells->probabilities);
      copy(table.means, cells->means);
      copy(table.variances, cells->variances);
      copy(table.errors, cells->errors);
    }
    if (totals != nullptr) *totals = table.totals;
  });
}

// -------------------------------------------------- learning the constants

zcmoe_status zcmoe_theory_mean_reciprocal(int64_t n, double probability, double* value) {
  return guard("zcmoe_theory_mean_reciprocal", [&] {
    ZCMOE_EXPECTS(n >= 0, "n=", n, "; expected n >= 0");
    ZCMOE_EXPECTS(probability >= 0 && probability <= 1, "probability=", probability,
                  "; expected 0 to 1");
    check_pointer(value, "value");
    *value = mean_reciprocal(n, probability);
  });
}

zcmoe_status zcmoe_theory_estimation(int64_t n, const double* edges, const double* probabilities,
                                     const double* means, const double* variances,
                                     int64_t num_segments, const zcmoe_model_options* options,
                                     double* segment_errors,
                                     zcmoe_theory_estimation_result* result) {
  return guard("zcmoe_theory_estimation", [&] {
    check_num_rows(n, 1);
    check_num_segments(num_segments);
    const zcmoe_model_options chosen = read_policies(options);
    const bool by_distance = chosen.empty_policy == ZCMOE_EMPTY_NEAREST && !(chosen.shrinkage > 0);
    ZCMOE_EXPECTS(edges != nullptr || !by_distance,
                  "edges is null, but ZCMOE_EMPTY_NEAREST needs distances");
    check_alignment(edges, "edges");
    if (edges != nullptr) check_edges(edges, num_segments);
    check_pointer(probabilities, "probabilities");
    check_pointer(means, "means");
    check_pointer(variances, "variances");
    check_alignment(segment_errors, "segment_errors");
    check_pointer(result, "result");
    double sum = 0.0;
    for (std::int64_t i = 0; i < num_segments; ++i) {
      ZCMOE_EXPECTS(probabilities[i] >= 0 && probabilities[i] <= 1, "probabilities[", i,
                    "]=", probabilities[i], "; expected 0 to 1");
      ZCMOE_EXPECTS(std::isfinite(means[i]), "means[", i, "]=", means[i], " is not finite");
      ZCMOE_EXPECTS(variances[i] >= 0 && std::isfinite(variances[i]), "variances[", i,
                    "]=", variances[i], "; expected a finite number >= 0");
      sum += probabilities[i];
    }
    ZCMOE_EXPECTS(std::abs(sum - 1.0) <= 1e-6, "probabilities sum to ", sum, "; expected 1");
    *result = estimation_of(n, edges, probabilities, means, variances, num_segments, chosen,
                            segment_errors);
  });
}

zcmoe_status zcmoe_theory_risk_curve(const zcmoe_theory_problem* problem,
                                     zcmoe_theory_segmentation segmentation, int64_t n,
                                     const zcmoe_model_options* options,
                                     const int64_t* num_segments, int64_t num_points,
                                     zcmoe_theory_risk_point* points) {
  return guard("zcmoe_theory_risk_curve", [&] {
    const theory_problem p = read(problem);
    check_edge_functions(p, segmentation);
    check_function(p.regression, "problem->regression");
    check_num_rows(n, 1);
    const zcmoe_model_options chosen = read_policies(options);
    ZCMOE_EXPECTS(num_points >= 0, "num_points=", num_points, "; expected >= 0");
    if (num_points == 0) return;
    check_pointer(num_segments, "num_segments");
    check_pointer(points, "points");
    for (std::int64_t k = 0; k < num_points; ++k) {
      ZCMOE_EXPECTS(num_segments[k] >= 1 && num_segments[k] <= ZCMOE_MAX_SEGMENTS, "num_segments[",
                    k, "]=", num_segments[k], "; expected 1 to ", ZCMOE_MAX_SEGMENTS);
    }
    for (std::int64_t k = 0; k < num_points; ++k) {
      const edge_table edges = theory_edges(p, segmentation, num_segments[k]);
      const auto built = static_cast<std::int64_t>(edges.size()) - 1;
      const cell_table cells = cells_of(p, edges.data(), built, ZCMOE_CONSTANT_MEAN, nullptr);
      const auto learned =
          estimation_of(n, edges.data(), cells.probabilities.data(), cells.means.data(),
                        cells.variances.data(), built, chosen, nullptr);
      const double noise = cells.totals.noise;
      const double approximation = cells.totals.error;
      points[k] = {num_segments[k],    built,         noise,
                   approximation,      learned.error, noise + approximation + learned.error,
                   learned.empty_share};
    }
  });
}

zcmoe_status zcmoe_theory_bounded_tail(int64_t n, int64_t num_segments, double min_probability,
                                       double max_abs_target, double delta, double* bound,
                                       double* samples_needed) {
  return guard("zcmoe_theory_bounded_tail", [&] {
    check_num_rows(n, 1);
    check_num_segments(num_segments);
    const auto m = static_cast<double>(num_segments);
    ZCMOE_EXPECTS(min_probability > 0 && min_probability <= (1.0 + 1e-12) / m,
                  "min_probability=", min_probability,
                  "; expected more than 0, at most 1/m=", 1.0 / m);
    check_amount(max_abs_target, "max_abs_target");
    check_fraction(delta, "delta");
    check_alignment(bound, "bound");
    check_alignment(samples_needed, "samples_needed");
    const auto rows = static_cast<double>(n);
    const double needed = 8.0 * std::log(2.0 * m / delta) / min_probability;
    if (samples_needed != nullptr) *samples_needed = needed;
    if (bound != nullptr) {
      *bound = rows >= needed
                   ? 4.0 * max_abs_target * max_abs_target * (m / rows) * std::log(4.0 * m / delta)
                   : std::numeric_limits<double>::infinity();
    }
  });
}

zcmoe_status zcmoe_theory_gaussian_tail(const double* probabilities, const double* variances,
                                        const int64_t* counts, int64_t num_segments, double delta,
                                        double* bound) {
  return guard("zcmoe_theory_gaussian_tail", [&] {
    check_num_segments(num_segments);
    check_pointer(probabilities, "probabilities");
    check_pointer(variances, "variances");
    check_pointer(counts, "counts");
    check_fraction(delta, "delta");
    check_pointer(bound, "bound");
    double sum = 0.0;
    double squares = 0.0;
    double largest = 0.0;
    for (std::int64_t i = 0; i < num_segments; ++i) {
      ZCMOE_EXPECTS(probabilities[i] >= 0 && probabilities[i] <= 1, "probabilities[", i,
                    "]=", probabilities[i], "; expected 0 to 1");
      ZCMOE_EXPECTS(variances[i] >= 0 && std::isfinite(variances[i]), "variances[", i,
                    "]=", variances[i], "; expected a finite number >= 0");
      const double spread = probabilities[i] * variances[i];
      ZCMOE_EXPECTS(counts[i] >= (spread > 0 ? 1 : 0), "counts[", i, "]=", counts[i],
                    "; expected >= ", spread > 0 ? 1 : 0);
      if (!(spread > 0)) continue;
      const double w = spread / static_cast<double>(counts[i]);
      sum += w;
      squares += w * w;
      largest = std::max(largest, w);
    }
    const double t = -std::log(delta);
    *bound = sum + 2.0 * std::sqrt(t * squares) + 2.0 * t * largest;
  });
}

// ------------------------------------------------------------- choosing m

zcmoe_status zcmoe_theory_optimum(double approximation, double variance, double n,
                                  int32_t dimension, double* num_segments, double* excess) {
  return guard("zcmoe_theory_optimum", [&] {
    check_amount(approximation, "approximation");
    check_positive(variance, "variance");
    check_positive(n, "n");
    ZCMOE_EXPECTS(dimension >= 1, "dimension=", dimension, "; expected >= 1");
    check_alignment(num_segments, "num_segments");
    check_alignment(excess, "excess");
    optimum_of(approximation, 2.0 / dimension, variance, n, num_segments, excess);
  });
}

zcmoe_status zcmoe_theory_flatness(double ratio, int32_t dimension, double* factor) {
  return guard("zcmoe_theory_flatness", [&] {
    check_positive(ratio, "ratio");
    ZCMOE_EXPECTS(dimension >= 1, "dimension=", dimension, "; expected >= 1");
    check_pointer(factor, "factor");
    const double half = dimension / 2.0;
    *factor = (half * std::pow(ratio, -1.0 / half) + ratio) / (half + 1.0);
  });
}

zcmoe_status zcmoe_theory_noise_adaptive(const zcmoe_theory_problem* problem, int64_t n,
                                         double* num_segments, double* excess) {
  return guard("zcmoe_theory_noise_adaptive", [&] {
    const theory_problem p = read(problem);
    check_function(p.slope, "problem->slope");
    check_num_rows(n, 1);
    check_alignment(num_segments, "num_segments");
    check_alignment(excess, "excess");
    double m = 0.0;
    double risk = 0.0;
    noise_adaptive(p, static_cast<double>(n), &m, &risk);
    if (num_segments != nullptr) *num_segments = m;
    if (excess != nullptr) *excess = risk;
  });
}

zcmoe_status zcmoe_theory_noise_adaptive_edges(const zcmoe_theory_problem* problem,
                                               int64_t num_segments, double* edges,
                                               int64_t* num_built) {
  return guard("zcmoe_theory_noise_adaptive_edges", [&] {
    const theory_problem p = read(problem);
    check_function(p.slope, "problem->slope");
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(noise_adaptive_edges(p, num_segments), edges, num_built);
  });
}

// ------------------------------------------------------- kinds of experts

zcmoe_status zcmoe_theory_expert_law(const zcmoe_theory_problem* problem, int32_t experts,
                                     zcmoe_theory_segmentation segmentation,
                                     zcmoe_theory_law* law) {
  return guard("zcmoe_theory_expert_law", [&] {
    const theory_problem p = read(problem);
    const bool means = experts == ZCMOE_THEORY_INTERPOLATED_MEANS;
    ZCMOE_EXPECTS((experts >= ZCMOE_EXPERTS_CONSTANT && experts <= ZCMOE_EXPERTS_INTERPOLATE) ||
                      means || experts == ZCMOE_THEORY_EDGE_VALUES,
                  "experts=", experts,
                  "; expected ZCMOE_EXPERTS_CONSTANT (0), ZCMOE_EXPERTS_LINEAR (1), "
                  "ZCMOE_EXPERTS_INTERPOLATE (2), ZCMOE_THEORY_INTERPOLATED_MEANS (64) or "
                  "ZCMOE_THEORY_EDGE_VALUES (65)");
    const bool constant = experts == ZCMOE_EXPERTS_CONSTANT;
    if (constant || means) check_function(p.slope, "problem->slope");
    if (!constant) check_function(p.curvature, "problem->curvature");
    if (means) check_function(p.density_slope, "problem->density_slope");
    check_segmentation(segmentation);
    if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
      check_function(p.point_density, "problem->point_density");
    }
    check_pointer(law, "law");
    *law = law_of(p, experts, segmentation);
  });
}

zcmoe_status zcmoe_theory_law_optimum(const zcmoe_theory_law* law, double n, double* num_segments,
                                      double* excess) {
  return guard("zcmoe_theory_law_optimum", [&] {
    check_law(law, "law");
    check_positive(law->estimation, "law->estimation");
    check_positive(n, "n");
    check_alignment(num_segments, "num_segments");
    check_alignment(excess, "excess");
    optimum_of(law->approximation, law->order, law->estimation, n, num_segments, excess);
  });
}

zcmoe_status zcmoe_theory_break_even(const zcmoe_theory_law* law, const zcmoe_theory_law* other,
                                     double* num_values) {
  return guard("zcmoe_theory_break_even", [&] {
    check_law(law, "law");
    check_positive(law->values, "law->values");
    check_law(other, "other");
    check_positive(other->values, "other->values");
    check_pointer(num_values, "num_values");
    ZCMOE_EXPECTS(law->order != other->order, "law->order=", law->order,
                  " is that of other: at every number of values one of the two is better");
    const bool above = law->order > other->order;
    const zcmoe_theory_law& high = above ? *law : *other;
    const zcmoe_theory_law& low = above ? *other : *law;
    check_positive(low.approximation, above ? "other->approximation" : "law->approximation");
    // A table of M values has M / values segments.
    const double power = 1.0 / (high.order - low.order);
    *num_values = std::pow(high.approximation / low.approximation, power) *
                  std::pow(high.values, high.order * power) /
                  std::pow(low.values, low.order * power);
  });
}

zcmoe_status zcmoe_theory_learned_cuts(int64_t num_segments, int64_t num_places, double noise,
                                       double* parameters, double* penalty) {
  return guard("zcmoe_theory_learned_cuts", [&] {
    check_num_segments(num_segments);
    ZCMOE_EXPECTS(num_places >= num_segments, "num_places=", num_places,
                  " is less than num_segments=", num_segments);
    check_amount(noise, "noise");
    check_alignment(parameters, "parameters");
    check_alignment(penalty, "penalty");
    const auto m = static_cast<double>(num_segments);
    const double places = std::log(static_cast<double>(num_places) / m);
    if (parameters != nullptr) *parameters = 1.0 + 4.0 / 3.0 * (1.0 - 1.0 / m) * places;
    if (penalty != nullptr) *penalty = noise * m * (2.0 * places + 5.0);
  });
}

// -------------------------------------------------------- from data alone

zcmoe_status zcmoe_theory_table_statistics(const zcmoe_theory_table* table,
                                           const zcmoe_model_options* options, double noise,
                                           zcmoe_theory_statistics* statistics) {
  return guard("zcmoe_theory_table_statistics", [&] {
    check_pointer(table, "table");
    check_table(*table, "table->");
    const zcmoe_model_options chosen = read(options);
    check_amount(noise, "noise");
    check_pointer(statistics, "statistics");
    *statistics = statistics_of(*table, chosen, noise);
  });
}

zcmoe_status zcmoe_theory_rice(const double* targets, int64_t n, double* noise) {
  return guard("zcmoe_theory_rice", [&] {
    ZCMOE_EXPECTS(n >= 2, "n=", n, "; expected n >= 2");
    check_pointer(targets, "targets");
    check_pointer(noise, "noise");
    for (std::int64_t i = 0; i < n; ++i) {
      ZCMOE_EXPECTS(std::isfinite(targets[i]), "targets[", i, "]=", targets[i], " is not finite");
    }
    *noise = rice(targets, n);
  });
}

zcmoe_status zcmoe_theory_richardson(int64_t m, double within_m, double within_2m, int64_t n,
                                     zcmoe_theory_fit* fit) {
  return guard("zcmoe_theory_richardson", [&] {
    ZCMOE_EXPECTS(m >= 1 && m <= ZCMOE_MAX_SEGMENTS, "m=", m, "; expected 1 to ",
                  ZCMOE_MAX_SEGMENTS);
    check_amount(within_m, "within_m");
    check_amount(within_2m, "within_2m");
    check_num_rows(n, 1);
    check_pointer(fit, "fit");
    *fit = richardson(m, within_m, within_2m, n);
  });
}

zcmoe_status zcmoe_theory_parametric_fit(const int64_t* num_segments, const double* within,
                                         int64_t num_levels, int64_t n, zcmoe_theory_fit* fit) {
  return guard("zcmoe_theory_parametric_fit", [&] {
    ZCMOE_EXPECTS(num_levels >= 2, "num_levels=", num_levels, "; expected at least 2");
    check_pointer(num_segments, "num_segments");
    check_pointer(within, "within");
    check_num_rows(n, 1);
    check_pointer(fit, "fit");
    for (std::int64_t i = 0; i < num_levels; ++i) {
      ZCMOE_EXPECTS(num_segments[i] >= 1 && num_segments[i] <= ZCMOE_MAX_SEGMENTS, "num_segments[",
                    i, "]=", num_segments[i], "; expected 1 to ", ZCMOE_MAX_SEGMENTS);
      ZCMOE_EXPECTS(within[i] >= 0 && std::isfinite(within[i]), "within[", i, "]=", within[i],
                    "; expected a finite number >= 0");
    }
    *fit =
        parametric_fit({num_segments, num_segments + num_levels}, {within, within + num_levels}, n);
  });
}

zcmoe_status zcmoe_theory_ratio_test(int64_t m, double within_m, double within_2m, double within_4m,
                                     int64_t n, zcmoe_theory_ratio* ratio) {
  return guard("zcmoe_theory_ratio_test", [&] {
    ZCMOE_EXPECTS(m >= 1 && m <= ZCMOE_MAX_SEGMENTS, "m=", m, "; expected 1 to ",
                  ZCMOE_MAX_SEGMENTS);
    check_amount(within_m, "within_m");
    check_amount(within_2m, "within_2m");
    check_amount(within_4m, "within_4m");
    check_num_rows(n, 1);
    check_pointer(ratio, "ratio");
    *ratio = ratio_test(m, within_m, within_2m, within_4m, n);
  });
}

zcmoe_status zcmoe_theory_recommend(const zcmoe_theory_table* tables, int64_t num_tables,
                                    const zcmoe_model_options* options,
                                    zcmoe_theory_recommendation* recommendation) {
  return guard("zcmoe_theory_recommend", [&] {
    ZCMOE_EXPECTS(num_tables >= 1, "num_tables=", num_tables, "; expected at least 1");
    check_pointer(tables, "tables");
    for (std::int64_t i = 0; i < num_tables; ++i) {
      check_table(tables[i], text("tables[", i, "].").c_str());
      ZCMOE_EXPECTS(i == 0 || tables[i - 1].num_segments < tables[i].num_segments, "tables[", i,
                    "].num_segments=", tables[i].num_segments, " is not greater than tables[",
                    i - 1, "].num_segments=", tables[i - 1].num_segments);
    }
    const zcmoe_model_options chosen = read(options);
    check_pointer(recommendation, "recommendation");
    *recommendation = recommend(tables, num_tables, chosen);
  });
}

}  // extern "C"
