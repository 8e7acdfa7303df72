// The theory in several dimensions for known functions: coefficients of product grids and of the
// limits for compact cells, edges of an axis, exact errors of boxes, and level sets. Closed forms
// about cells are in geometry.hpp. include/zcmoe/theory.h documents the functions.
#pragma once

#include "host/numbers/box_quadrature.hpp"
#include "host/segmentation/edges.hpp"

#include <zcmoe/theory.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace zcmoe::detail {

/// zcmoe_theory_field with checked members.
struct theory_field {
  box range;
  std::function<double(const double*)> density;  // empty: uniform
  std::function<double(const double*)> regression;
  std::function<void(const double*, double*)> gradient;

  double density_at(const point_of_box& x) const;
  double regression_at(const point_of_box& x) const;
  point_of_box gradient_at(const point_of_box& x) const;
};

/// S_j, or for companders C_j, of each axis (7.3).
std::vector<double> axis_coefficients(const theory_field& field, bool companders);

/// (integral of f^(d/(d+2)))^((d+2)/d) with f = p |grad b|^2 for isotropic cells, or
/// p prod_j |d_j b|^(2/d) for boxes.
double limit_coefficient(const theory_field& field, bool boxes);

/// The compander's edges of an axis: point density proportional to q_j^(1/3).
edge_table axis_edges(const theory_field& field, std::size_t axis, std::int64_t num_segments,
                      double uniform_mixture);

/// Probability, mean and error of each box; `constants` null: the means.
struct box_errors {
  std::vector<double> probabilities;
  std::vector<double> means;
  std::vector<double> errors;
  double error = 0.0;
  double probability = 0.0;
};
box_errors errors_of_boxes(const theory_field& field, const std::vector<box>& boxes,
                           const double* constants);

/// (integral of f_Z^(1/3))^3, f_Z the density of Z = b(X), to about 1e-3 of itself.
double level_set_coefficient(const theory_field& field);

/// Boxes by halving, best first: the box with the largest error is cut in its middle, across the
/// axis with the largest h_j^2 * integral of p (d_j b)^2 (7.6).
std::vector<box> halving_tree(const theory_field& field, std::int64_t num_boxes);

}  // namespace zcmoe::detail
