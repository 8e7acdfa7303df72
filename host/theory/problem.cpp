// Calls a problem's functions with a check of each value, and cuts a range into the panels that
// quadrature begins with: see problem.hpp.
#include "host/theory/problem.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {

double density_at(const theory_problem& problem, double x) {
  return checked_value(problem.density, x, "density", false);
}
double slope_at(const theory_problem& problem, double x) {
  return checked_value(problem.slope, x, "slope", true);
}
double curvature_at(const theory_problem& problem, double x) {
  return checked_value(problem.curvature, x, "curvature", true);
}
double density_slope_at(const theory_problem& problem, double x) {
  return checked_value(problem.density_slope, x, "density_slope", true);
}
double lambda_at(const theory_problem& problem, double x) {
  return checked_value(problem.point_density, x, "point_density", false);
}
double noise_at(const theory_problem& problem, double x) {
  return problem.noise_variance ? checked_value(problem.noise_variance, x, "noise_variance", false)
                                : problem.noise;
}

std::vector<double> first_ends(const theory_problem& problem, double left, double right,
                               int panels_of_range) {
  std::vector<double> ends{left};
  const auto fill = [&](double to) {
    const double from = ends.back();
    const double share = (0.5 * to - 0.5 * from) / (0.5 * problem.hi - 0.5 * problem.lo);
    // A share that is a whole number but for rounding adds no panel.
    const int parts =
        std::max(1, static_cast<int>(std::ceil(share * panels_of_range * (1 - 1e-9))));
    for (int i = 1; i < parts; ++i) {
      const double t = static_cast<double>(i) / parts;
      const double end = from * (1.0 - t) + to * t;
      if (end > ends.back() && end < to) ends.push_back(end);
    }
    ends.push_back(to);
  };
  const auto first = std::upper_bound(problem.breaks.begin(), problem.breaks.end(), left);
  for (auto b = first; b != problem.breaks.end() && *b < right; ++b) fill(*b);
  fill(right);
  return ends;
}

}  // namespace zcmoe::detail
