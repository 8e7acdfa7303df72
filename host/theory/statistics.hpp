// What fitted tables tell: V, the variance within their segments; leave-one-out and other estimates
// of the risk; and from nested tables the approximation coefficient A, the noise sigma^2, and
// whether the high-rate form V_m = sigma^2 + A / m^2 holds. include/zcmoe/theory.h documents the
// functions.
#pragma once

#include <zcmoe/theory.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Tables of fewer segments tell nothing about high rate, so fits and tests leave them out.
constexpr std::int64_t least_segments = 6;

zcmoe_theory_statistics statistics_of(const zcmoe_theory_table& table,
                                      const zcmoe_model_options& options, double noise);

double rice(const double* targets, std::int64_t n);
zcmoe_theory_fit richardson(std::int64_t m, double within_m, double within_2m, std::int64_t n);
zcmoe_theory_fit parametric_fit(const std::vector<std::int64_t>& num_segments,
                                const std::vector<double>& within, std::int64_t n);
zcmoe_theory_ratio ratio_test(std::int64_t m, double within_m, double within_2m, double within_4m,
                              std::int64_t n);

/// The variance of V_m - V_k for nested tables of m < k segments and n rows, A = approximation and
/// sigma^2 = noise.
double difference_variance(double m, double k, double approximation, double noise, double n);

}  // namespace zcmoe::detail
