// The C functions of theory.h about several inputs: they check the arguments and call host/theory.
// Short formulas are computed here.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/options.hpp"
#include "host/theory/geometry.hpp"
#include "host/theory/several.hpp"

#include <zcmoe/theory.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using namespace zcmoe::detail;

constexpr std::int64_t most_shaped_inputs = 64;
constexpr std::int64_t most_axes = 1024;
constexpr std::int64_t most_tree_boxes = std::int64_t{1} << 20;
static_assert(ZCMOE_THEORY_MAX_INPUTS == max_dimensions);

enum class needs { gradient, regression, both };

theory_field read(const zcmoe_theory_field* given, needs what) {
  check_pointer(given, "field");
  const auto f = read_options(given, zcmoe_theory_field ZCMOE_THEORY_FIELD_INIT, "field");
  check_size(f.num_inputs, "field->num_inputs", 1, ZCMOE_THEORY_MAX_INPUTS);
  check_pointer(f.lo, "field->lo");
  check_pointer(f.hi, "field->hi");
  if (what != needs::gradient) check_pointer(f.regression, "field->regression");
  if (what != needs::regression) check_pointer(f.gradient, "field->gradient");
  theory_field field;
  field.range.dimensions = static_cast<std::size_t>(f.num_inputs);
  for (std::size_t j = 0; j < field.range.dimensions; ++j) {
    const auto bounds = text("field->lo[", j, "]=", f.lo[j], ", field->hi[", j, "]=", f.hi[j]);
    ZCMOE_EXPECTS(std::isfinite(f.lo[j]) && std::isfinite(f.hi[j]) && f.lo[j] < f.hi[j] &&
                      std::isfinite(f.hi[j] - f.lo[j]),
                  bounds, "; expected finite numbers, lo below hi, and a finite difference");
    field.range.lo[j] = f.lo[j];
    field.range.hi[j] = f.hi[j];
  }
  void* const user = f.user;
  if (f.density != nullptr)
    field.density = [call = f.density, user](const double* x) { return call(user, x); };
  if (f.regression != nullptr)
    field.regression = [call = f.regression, user](const double* x) { return call(user, x); };
  if (f.gradient != nullptr)
    field.gradient = [call = f.gradient, user](const double* x, double* g) { call(user, x, g); };
  return field;
}

std::vector<double> read_coefficients(const double* coefficients, std::int64_t num_inputs) {
  check_size(num_inputs, "num_inputs", 1, most_axes);
  check_pointer(coefficients, "coefficients");
  for (std::int64_t j = 0; j < num_inputs; ++j)
    check_amount(coefficients[j], text("coefficients[", j, "]").c_str());
  return {coefficients, coefficients + num_inputs};
}

std::vector<box> read_boxes(const theory_field& field, const double* given, std::int64_t count) {
  check_size(count, "num_boxes", 1, ZCMOE_MAX_SEGMENTS);
  check_pointer(given, "boxes");
  const std::size_t d = field.range.dimensions;
  std::vector<box> boxes(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    boxes[i].dimensions = d;
    for (std::size_t j = 0; j < d; ++j) {
      const double lo = given[2 * i * d + j];
      const double hi = given[(2 * i + 1) * d + j];
      ZCMOE_EXPECTS(lo < hi && lo >= field.range.lo[j] && hi <= field.range.hi[j], "box ", i,
                    " reaches from ", lo, " to ", hi, " along axis ", j, "; expected a part of [",
                    field.range.lo[j], ", ", field.range.hi[j], "]");
      boxes[i].lo[j] = lo;
      boxes[i].hi[j] = hi;
    }
  }
  return boxes;
}

void give(const std::vector<double>& from, double* to) {
  if (to != nullptr) std::copy(from.begin(), from.end(), to);
}

}  // namespace

extern "C" {

zcmoe_status zcmoe_theory_moment(zcmoe_cell_shape shape, int64_t num_inputs, double* moment) {
  return guard("zcmoe_theory_moment", [&] {
    check_size(num_inputs, "num_inputs", 1, most_shaped_inputs);
    check_pointer(moment, "moment");
    const double m = cell_moment(shape, num_inputs);
    ZCMOE_EXPECTS(m == m, "shape=", shape, " is no shape of cells in num_inputs=", num_inputs,
                  " dimensions");
    *moment = m;
  });
}

zcmoe_status zcmoe_theory_cells_error(int64_t num_inputs, int64_t num_cells,
                                      const double* densities, const double* gradients,
                                      const double* moments, double* error, double* bound) {
  return guard("zcmoe_theory_cells_error", [&] {
    check_size(num_inputs, "num_inputs", 1, most_shaped_inputs);
    check_size(num_cells, "num_cells", 1, ZCMOE_MAX_SEGMENTS);
    check_pointer(densities, "densities");
    check_pointer(gradients, "gradients");
    check_pointer(moments, "moments");
    check_pointer(error, "error");
    check_alignment(bound, "bound");
    double exact = 0.0;
    double most = 0.0;
    for (std::int64_t i = 0; i < num_cells; ++i) {
      check_amount(densities[i], text("densities[", i, "]").c_str());
      const double* g = gradients + i * num_inputs;
      const double* t = moments + i * num_inputs * num_inputs;
      double form = 0.0;
      double squares = 0.0;
      double trace = 0.0;
      for (std::int64_t j = 0; j < num_inputs; ++j) {
        check_finite(g[j], text("gradients[", i * num_inputs + j, "]").c_str());
        squares += g[j] * g[j];
        trace += t[j * num_inputs + j];
        for (std::int64_t k = 0; k < num_inputs; ++k) {
          const std::int64_t at = j * num_inputs + k;
          check_finite(t[at], text("moments[", i * num_inputs * num_inputs + at, "]").c_str());
          form += g[j] * t[at] * g[k];
        }
      }
      exact += densities[i] * form;
      most += densities[i] * squares * trace;
    }
    *error = exact;
    if (bound != nullptr) *bound = most;
  });
}

zcmoe_status zcmoe_theory_axis_coefficients(const zcmoe_theory_field* field,
                                            zcmoe_theory_segmentation segmentation,
                                            double* coefficients) {
  return guard("zcmoe_theory_axis_coefficients", [&] {
    const theory_field f = read(field, needs::gradient);
    ZCMOE_EXPECTS(segmentation == ZCMOE_THEORY_UNIFORM || segmentation == ZCMOE_THEORY_OPTIMAL,
                  "segmentation=", segmentation,
                  "; expected ZCMOE_THEORY_UNIFORM (0) or ZCMOE_THEORY_OPTIMAL (1)");
    check_pointer(coefficients, "coefficients");
    give(axis_coefficients(f, segmentation == ZCMOE_THEORY_OPTIMAL), coefficients);
  });
}

zcmoe_status zcmoe_theory_aspect(const double* coefficients, int64_t num_inputs, double num_cells,
                                 double* counts, double* error) {
  return guard("zcmoe_theory_aspect", [&] {
    const std::vector<double> c = read_coefficients(coefficients, num_inputs);
    ZCMOE_EXPECTS(num_cells >= 1 && std::isfinite(num_cells), "num_cells=", num_cells,
                  "; expected a finite number of at least 1");
    check_alignment(counts, "counts");
    check_alignment(error, "error");
    double logs = 0.0;
    double d = 0.0;
    for (const double v : c) {
      if (!(v > 0)) continue;
      logs += std::log(v);
      d += 1;
    }
    // The error of each axis is c_j / m_j^2 = (prod c)^(1/d) m^(-2/d).
    const double each = d > 0 ? std::exp((logs - 2 * std::log(num_cells)) / d) : 0.0;
    for (std::size_t j = 0; counts != nullptr && j < c.size(); ++j)
      counts[j] = c[j] > 0 ? std::sqrt(c[j] / each) : 1.0;
    if (error != nullptr) *error = d * each / 12;
  });
}

zcmoe_status zcmoe_theory_allocate(const double* coefficients, int64_t num_inputs,
                                   int64_t num_cells, int64_t* counts) {
  return guard("zcmoe_theory_allocate", [&] {
    const std::vector<double> c = read_coefficients(coefficients, num_inputs);
    check_size(num_cells, "num_cells", 1, ZCMOE_MAX_SEGMENTS);
    check_pointer(counts, "counts");
    const std::vector<std::int64_t> found = allocated(c, num_cells);
    std::copy(found.begin(), found.end(), counts);
  });
}

zcmoe_status zcmoe_theory_axis_edges(const zcmoe_theory_field* field, int64_t axis,
                                     int64_t num_segments, double uniform_mixture, double* edges,
                                     int64_t* num_built) {
  return guard("zcmoe_theory_axis_edges", [&] {
    const theory_field f = read(field, needs::gradient);
    check_size(axis, "axis", 0, static_cast<std::int64_t>(f.range.dimensions) - 1);
    check_num_segments(num_segments);
    check_share(uniform_mixture, "uniform_mixture");
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(axis_edges(f, static_cast<std::size_t>(axis), num_segments, uniform_mixture), edges,
               num_built);
  });
}

zcmoe_status zcmoe_theory_cells_coefficient(const zcmoe_theory_field* field,
                                            zcmoe_theory_cell_family family, double* coefficient) {
  return guard("zcmoe_theory_cells_coefficient", [&] {
    ZCMOE_EXPECTS(family >= ZCMOE_CELLS_ISOTROPIC && family <= ZCMOE_CELLS_LEVEL_SETS,
                  "family=", family, " is not a ZCMOE_CELLS_ family (0 to 2)");
    const bool levels = family == ZCMOE_CELLS_LEVEL_SETS;
    const theory_field f = read(field, levels ? needs::regression : needs::gradient);
    check_pointer(coefficient, "coefficient");
    *coefficient =
        levels ? level_set_coefficient(f) : limit_coefficient(f, family == ZCMOE_CELLS_BOXES);
  });
}

zcmoe_status zcmoe_theory_rotated_cell(int64_t num_inputs, double slope, double curvature,
                                       double volume, double* length, double* variance) {
  return guard("zcmoe_theory_rotated_cell", [&] {
    check_size(num_inputs, "num_inputs", 2, most_shaped_inputs);
    check_amount(slope, "slope");
    check_positive(curvature, "curvature");
    check_positive(volume, "volume");
    check_alignment(length, "length");
    check_alignment(variance, "variance");
    const auto d = static_cast<double>(num_inputs);
    if (length != nullptr) *length = std::pow(std::sqrt(30.0) * volume / curvature, 1 / (d + 1));
    if (variance != nullptr) {
      *variance = slope * slope * (d + 1) / 24 * std::pow(30.0, -(d - 1) / (d + 1)) *
                  std::pow(curvature, 2 * (d - 1) / (d + 1)) * std::pow(volume, 4 / (d + 1));
    }
  });
}

zcmoe_status zcmoe_theory_box_errors(const zcmoe_theory_field* field, const double* boxes,
                                     int64_t num_boxes, const double* constants,
                                     double* probabilities, double* means, double* errors,
                                     double* error) {
  return guard("zcmoe_theory_box_errors", [&] {
    const theory_field f = read(field, needs::regression);
    const std::vector<box> cells = read_boxes(f, boxes, num_boxes);
    check_alignment(constants, "constants");
    check_alignment(probabilities, "probabilities");
    check_alignment(means, "means");
    check_alignment(errors, "errors");
    check_alignment(error, "error");
    for (std::int64_t i = 0; constants != nullptr && i < num_boxes; ++i)
      check_finite(constants[i], text("constants[", i, "]").c_str());
    const box_errors found = errors_of_boxes(f, cells, constants);
    give(found.probabilities, probabilities);
    give(found.means, means);
    give(found.errors, errors);
    if (error != nullptr) *error = found.error;
  });
}

zcmoe_status zcmoe_theory_halving_tree(const zcmoe_theory_field* field, int64_t num_boxes,
                                       double* boxes, int64_t* num_built) {
  return guard("zcmoe_theory_halving_tree", [&] {
    const theory_field f = read(field, needs::both);
    check_size(num_boxes, "num_boxes", 1, most_tree_boxes);
    check_pointer(boxes, "boxes");
    check_pointer(num_built, "num_built");
    const std::vector<box> found = halving_tree(f, num_boxes);
    const std::size_t d = f.range.dimensions;
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::copy_n(found[i].lo.begin(), d, boxes + 2 * i * d);
      std::copy_n(found[i].hi.begin(), d, boxes + (2 * i + 1) * d);
    }
    *num_built = static_cast<std::int64_t>(found.size());
  });
}

}  // extern "C"
