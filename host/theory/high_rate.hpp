// The theory as functions: include/zcmoe/theory.h documents them one by one. theory.cpp knows p and
// b; theory_learning.cpp knows the segments' probabilities, means and variances, or samples alone.
#pragma once

#include "host/segmentation/edges.hpp"

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// zcmoe_theory_problem with checked members; functions that were not given are empty.
struct theory_problem {
  real_function density;
  real_function regression;
  real_function slope;
  real_function curvature;
  real_function density_slope;
  real_function noise_variance;
  real_function point_density;
  real_function point_density_slope;
  double noise;
  double lo;
  double hi;
  std::vector<double> breaks;
};

/// What is known of each segment of a table, and of the whole.
struct cell_table {
  std::vector<double> probabilities;
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<double> errors;
  zcmoe_theory_totals totals;
};

// theory.cpp
double coefficient_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                      double power);
double high_rate_error(double coefficient, double power, double num_segments);
double next_order_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation);
double zero_gap(double density_order, double regression_order);
std::int64_t breakdown_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                          double tolerance, std::int64_t max_segments);
double robustness_ratio(const theory_problem& problem);
double robustness_second_order(const theory_problem& problem);
/// Constants: given if not null, else by rule.
cell_table cells_of(const theory_problem& problem, const double* edges, std::int64_t num_segments,
                    zcmoe_constant_rule rule, const double* constants);
edge_table theory_edges(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                        std::int64_t num_segments);
void noise_adaptive(const theory_problem& problem, double n, double* num_segments, double* excess);
edge_table noise_adaptive_edges(const theory_problem& problem, std::int64_t num_segments);

// theory_learning.cpp
double mean_reciprocal(std::int64_t n, double probability);
/// Arrays of num_segments numbers; edges may be null unless the policy is ZCMOE_EMPTY_NEAREST.
zcmoe_theory_estimation_result estimation_of(std::int64_t n, const double* edges,
                                             const double* probabilities, const double* means,
                                             const double* variances, std::int64_t num_segments,
                                             const zcmoe_model_options& options,
                                             double* segment_errors);
zcmoe_theory_statistics statistics_of(const zcmoe_theory_table& table,
                                      const zcmoe_model_options& options, double noise);
/// The answer of the empty policy in segment i when its only row is left out. total_mean: of all n
/// rows.
double answer_without(const zcmoe_theory_table& table, std::size_t i, double total_mean,
                      std::int64_t n, const zcmoe_model_options& options);
double rice(const double* targets, std::int64_t n);
zcmoe_theory_fit richardson(std::int64_t m, double within_m, double within_2m, std::int64_t n);
zcmoe_theory_fit parametric_fit(const std::vector<std::int64_t>& num_segments,
                                const std::vector<double>& within, std::int64_t n);
zcmoe_theory_ratio ratio_test(std::int64_t m, double within_m, double within_2m, double within_4m,
                              std::int64_t n);
/// What a recommendation needs of one table.
struct risk_level {
  std::int64_t num_segments;
  double cells;          // with rows
  double within;         // NaN: no segment has two rows
  double leave_one_out;  // NaN: one row in all
};
/// Levels with num_segments rising. rows: of the tables, fit_rows: of the model that is to be
/// fitted, both effective numbers.
zcmoe_theory_recommendation recommend(const std::vector<risk_level>& levels, double rows,
                                      double fit_rows);
zcmoe_theory_recommendation recommend(const zcmoe_theory_table* tables, std::int64_t num_tables,
                                      const zcmoe_model_options& options);

}  // namespace zcmoe::detail
