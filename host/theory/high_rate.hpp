// High rate means many short segments. For known p and b these functions give the error then: the
// coefficient of m^-r, that of other kinds of experts, the next order, the price of a density that
// is not the optimal one, the best density where the noise varies, and the edges that belong to
// these densities. include/zcmoe/theory.h documents them one by one.
#pragma once

#include "host/segmentation/edges.hpp"
#include "host/theory/problem.hpp"

#include <zcmoe/theory.h>

#include <cstdint>

namespace zcmoe::detail {

double coefficient_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                      double power);
double high_rate_error(double coefficient, double power, double num_segments);
zcmoe_theory_law law_of(const theory_problem& problem, std::int32_t experts,
                        zcmoe_theory_segmentation segmentation);
double next_order_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation);
double zero_gap(double density_order, double regression_order);

double robustness_ratio(const theory_problem& problem);
double robustness_second_order(const theory_problem& problem);

edge_table theory_edges(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                        std::int64_t num_segments);
void noise_adaptive(const theory_problem& problem, double n, double* num_segments, double* excess);
edge_table noise_adaptive_edges(const theory_problem& problem, std::int64_t num_segments);

}  // namespace zcmoe::detail
