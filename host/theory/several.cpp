// Integrals over p, b and its gradient in several dimensions: see several.hpp.
#include "host/theory/several.hpp"

#include "host/error.hpp"
#include "host/segmentation/compander.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <string>
#include <utility>

namespace zcmoe::detail {
namespace {

/// A point in words.
std::string listed(const point_of_box& x, std::size_t dimensions) {
  std::string words = "(";
  for (std::size_t j = 0; j < dimensions; ++j) words += text(j > 0 ? ", " : "", x[j]);
  return words + ")";
}

/// All of the range but one axis, along which the box holds one point.
box across(const box& range, std::size_t axis) {
  box rest;
  rest.dimensions = range.dimensions - 1;
  for (std::size_t j = 0; j < rest.dimensions; ++j) {
    const std::size_t from = j < axis ? j : j + 1;
    rest.lo[j] = range.lo[from];
    rest.hi[j] = range.hi[from];
  }
  return rest;
}

/// q_j(x_j), the integral of p (d_j b)^2 over the other inputs.
double marginal_energy(const theory_field& field, std::size_t axis, double at) {
  const auto energy = [&](const point_of_box& x) {
    const double slope = field.gradient_at(x)[axis];
    return field.density_at(x) * slope * slope;
  };
  if (field.range.dimensions == 1) return energy({at});
  const auto of_rest = [&](const point_of_box& rest) -> std::array<double, 1> {
    point_of_box x{};
    for (std::size_t j = 0; j + 1 < field.range.dimensions; ++j) x[j < axis ? j : j + 1] = rest[j];
    x[axis] = at;
    return {energy(x)};
  };
  return integrals_over_box<1>(of_rest, across(field.range, axis), "p (d_j b)^2")[0];
}

double mass_of(const theory_field& field) {
  const auto density = [&](const point_of_box& x) -> std::array<double, 1> {
    return {field.density_at(x)};
  };
  const double mass = integrals_over_box<1>(density, field.range, "p")[0];
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in the range");
  return mass;
}

/// (integral of q^(1/3))^3 over an axis, on panels of which the zeros of q are ends.
double compander_coefficient(const theory_field& field, std::size_t axis) {
  std::vector<double> ends;
  constexpr int first_panels = 64;
  const double lo = field.range.lo[axis];
  const double hi = field.range.hi[axis];
  for (int i = 0; i <= first_panels; ++i) {
    const double t = static_cast<double>(i) / first_panels;
    ends.push_back(lo * (1 - t) + hi * t);
  }
  const auto root = [&](double x) -> std::array<double, 1> {
    return {std::cbrt(marginal_energy(field, axis, x))};
  };
  const double integral = integrals_over<1>(root, ends, "q_j^(1/3)")[0];
  return integral * integral * integral;
}

}  // namespace

double theory_field::density_at(const point_of_box& x) const {
  if (!density) return 1.0;
  const double p = density(x.data());
  if (!(p >= 0) || !std::isfinite(p)) {
    fail(ZCMOE_ERR_NUMERIC, "density returned ", p, " at x=", listed(x, range.dimensions),
         "; expected a finite number >= 0");
  }
  return p;
}

double theory_field::regression_at(const point_of_box& x) const {
  const double b = regression(x.data());
  if (!std::isfinite(b)) {
    fail(ZCMOE_ERR_NUMERIC, "regression returned ", b, " at x=", listed(x, range.dimensions),
         "; expected a finite number");
  }
  return b;
}

point_of_box theory_field::gradient_at(const point_of_box& x) const {
  point_of_box g{};
  gradient(x.data(), g.data());
  for (std::size_t j = 0; j < range.dimensions; ++j) {
    if (!std::isfinite(g[j])) {
      fail(ZCMOE_ERR_NUMERIC, "gradient[", j, "] returned ", g[j],
           " at x=", listed(x, range.dimensions), "; expected a finite number");
    }
  }
  return g;
}

std::vector<double> axis_coefficients(const theory_field& field, bool companders) {
  const double mass = mass_of(field);
  std::vector<double> coefficients;
  for (std::size_t axis = 0; axis < field.range.dimensions; ++axis) {
    if (companders) {
      coefficients.push_back(compander_coefficient(field, axis) / mass);
      continue;
    }
    const auto energy = [&](const point_of_box& x) -> std::array<double, 1> {
      const double slope = field.gradient_at(x)[axis];
      return {field.density_at(x) * slope * slope};
    };
    const double width = field.range.hi[axis] - field.range.lo[axis];
    const double sum = integrals_over_box<1>(energy, field.range, "p (d_j b)^2")[0];
    coefficients.push_back(sum / mass * width * width);
  }
  return coefficients;
}

double limit_coefficient(const theory_field& field, bool boxes) {
  const auto d = static_cast<double>(field.range.dimensions);
  const double power = d / (d + 2);
  const auto demand = [&](const point_of_box& x) -> std::array<double, 1> {
    const point_of_box g = field.gradient_at(x);
    double squares = 0.0;
    double product = 1.0;
    for (std::size_t j = 0; j < field.range.dimensions; ++j) {
      squares += g[j] * g[j];
      product *= std::pow(std::abs(g[j]), 2 / d);
    }
    return {std::pow(field.density_at(x) * (boxes ? product : squares), power)};
  };
  const double integral =
      integrals_over_box<1>(demand, field.range, "the density of optimal cells")[0];
  return std::pow(integral, 1 / power) / mass_of(field);
}

edge_table axis_edges(const theory_field& field, std::size_t axis, std::int64_t num_segments,
                      double uniform_mixture) {
  return density_edges([&](double x) { return std::cbrt(marginal_energy(field, axis, x)); },
                       field.range.lo[axis], field.range.hi[axis], num_segments, uniform_mixture);
}

box_errors errors_of_boxes(const theory_field& field, const std::vector<box>& boxes,
                           const double* constants) {
  box_errors result;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    point_of_box centre{};
    for (std::size_t j = 0; j < boxes[i].dimensions; ++j)
      centre[j] = 0.5 * boxes[i].lo[j] + 0.5 * boxes[i].hi[j];
    const double base = field.regression_at(centre);
    const auto first = integrals_over_box<2>(
        [&](const point_of_box& x) -> std::array<double, 2> {
          const double p = field.density_at(x);
          return {p, p * (field.regression_at(x) - base)};
        },
        boxes[i], "p b");
    const double mean = first[0] > 0 ? base + first[1] / first[0] : base;
    const double constant = constants != nullptr ? constants[i] : mean;
    const auto square = integrals_over_box<1>(
        [&](const point_of_box& x) -> std::array<double, 1> {
          const double off = field.regression_at(x) - constant;
          return {field.density_at(x) * off * off};
        },
        boxes[i], "p (b - c)^2");
    result.probabilities.push_back(first[0]);
    result.means.push_back(mean);
    result.errors.push_back(square[0]);
    result.probability += first[0];
    result.error += square[0];
  }
  if (!(result.probability > 0))
    fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in the boxes");
  for (double& p : result.probabilities) p /= result.probability;
  for (double& e : result.errors) e /= result.probability;
  result.error /= result.probability;
  return result;
}

double level_set_coefficient(const theory_field& field) {
  // Values of b at the points of a Kronecker sequence, which fill the range evenly without two that
  // share a coordinate: its steps are powers of 1/g, g^(d+1) = g + 1 (Roberts 2018). Each has the
  // weight of p there.
  const std::size_t d = field.range.dimensions;
  constexpr std::size_t points = std::size_t{1} << 22;
  double g = 2.0;
  for (int i = 0; i < 60; ++i) g = std::pow(1 + g, 1 / static_cast<double>(d + 1));
  point_of_box step{};
  for (std::size_t j = 0; j < d; ++j) step[j] = std::pow(1 / g, static_cast<double>(j + 1));
  std::vector<std::pair<double, double>> values;
  values.reserve(points);
  double mass = 0.0;
  for (std::size_t i = 1; i <= points; ++i) {
    point_of_box x{};
    for (std::size_t j = 0; j < d; ++j) {
      double t = step[j] * static_cast<double>(i);
      t -= std::floor(t);
      x[j] = field.range.lo[j] * (1 - t) + field.range.hi[j] * t;
    }
    values.emplace_back(field.regression_at(x), field.density_at(x));
    mass += values.back().second;
  }
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in the range");
  std::sort(values.begin(), values.end());
  // Of bins of equal mass w, each with the density w / width, the integral is the sum of
  // w^(1/3) width^(2/3).
  constexpr double bins = 2048;
  double sum = 0.0;
  double below = 0.0;
  double left = values.front().first;
  double next = mass / bins;
  double inside = 0.0;
  for (const auto& [value, weight] : values) {
    below += weight;
    inside += weight;
    if (below < next) continue;
    sum += std::cbrt(inside / mass) * std::pow(std::max(value - left, 0.0), 2.0 / 3.0);
    left = value;
    inside = 0.0;
    while (next <= below) next += mass / bins;
  }
  sum += std::cbrt(inside / mass) * std::pow(std::max(values.back().first - left, 0.0), 2.0 / 3.0);
  return sum * sum * sum;
}

std::vector<box> halving_tree(const theory_field& field, std::int64_t num_boxes) {
  struct leaf {
    box cell;
    double error;
    std::size_t axis;
  };
  const std::size_t d = field.range.dimensions;
  const auto measured = [&](const box& cell) {
    leaf made{cell, 0.0, 0};
    point_of_box centre{};
    for (std::size_t j = 0; j < d; ++j) centre[j] = 0.5 * cell.lo[j] + 0.5 * cell.hi[j];
    const double base = field.regression_at(centre);
    const auto sums = integrals_over_box<3>(
        [&](const point_of_box& x) -> std::array<double, 3> {
          const double p = field.density_at(x);
          const double off = field.regression_at(x) - base;
          return {p, p * off, p * off * off};
        },
        cell, "p b^2");
    if (sums[0] > 0) made.error = std::max(0.0, sums[2] - sums[1] * sums[1] / sums[0]);
    double most = -1.0;
    for (std::size_t j = 0; j < d; ++j) {
      const double energy = integrals_over_box<1>(
          [&](const point_of_box& x) -> std::array<double, 1> {
            const double slope = field.gradient_at(x)[j];
            return {field.density_at(x) * slope * slope};
          },
          cell, "p (d_j b)^2")[0];
      const double width = cell.hi[j] - cell.lo[j];
      if (energy * width * width > most) {
        most = energy * width * width;
        made.axis = j;
      }
    }
    return made;
  };
  const auto better = [](const leaf& a, const leaf& b) { return a.error < b.error; };
  std::priority_queue<leaf, std::vector<leaf>, decltype(better)> leaves(better);
  leaves.push(measured(field.range));
  while (static_cast<std::int64_t>(leaves.size()) < num_boxes) {
    const leaf worst = leaves.top();
    const double middle = 0.5 * worst.cell.lo[worst.axis] + 0.5 * worst.cell.hi[worst.axis];
    if (middle <= worst.cell.lo[worst.axis] || middle >= worst.cell.hi[worst.axis]) break;
    leaves.pop();
    box left = worst.cell;
    box right = worst.cell;
    left.hi[worst.axis] = right.lo[worst.axis] = middle;
    leaves.push(measured(left));
    leaves.push(measured(right));
  }
  std::vector<box> cells;
  for (; !leaves.empty(); leaves.pop()) cells.push_back(leaves.top().cell);
  return cells;
}

}  // namespace zcmoe::detail
