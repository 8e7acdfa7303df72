// A problem that the theory is asked about: known functions on a range, their values refused where
// they make no sense, and the panels that integrals over them begin with.
#pragma once

#include "host/segmentation/real_function.hpp"

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

double density_at(const theory_problem& problem, double x);
double slope_at(const theory_problem& problem, double x);
double curvature_at(const theory_problem& problem, double x);
double density_slope_at(const theory_problem& problem, double x);
double lambda_at(const theory_problem& problem, double x);
double noise_at(const theory_problem& problem, double x);

/// The ends of the panels with which quadrature over [left, right] begins: its breaks, and between
/// them equal parts at most as wide as [lo, hi] / panels_of_range.
std::vector<double> first_ends(const theory_problem& problem, double left, double right,
                               int panels_of_range);

}  // namespace zcmoe::detail
