// High-rate formulas for known p and b: the coefficients, also for experts that are lines, the next
// order, the price of a density that is not the optimal one, and the best density for noise that
// varies. Each is an integral over
// [lo, hi] by host/numbers/quadrature.hpp, which is adaptive because (p b'^2)^(1/3) has algebraic
// zeros and kinks. Formulas and sources: include/zcmoe/theory.h.
#include "host/theory/high_rate.hpp"

#include "host/error.hpp"
#include "host/numbers/quadrature.hpp"
#include "host/segmentation/compander.hpp"
#include "host/segmentation/uniform.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct high_rate_tuning {
  static constexpr int first_panels = 64;  // with which an integral over the range begins
};

template <std::size_t K, class Function>
std::array<double, K> integrals(const theory_problem& problem, const Function& f,
                                const char* what) {
  return integrals_over<K>(
      f, first_ends(problem, problem.lo, problem.hi, high_rate_tuning::first_panels), what);
}

template <class Function>
double integral(const theory_problem& problem, const Function& f, const char* what) {
  return integrals<1>(
      problem, [&](double x) { return std::array<double, 1>{f(x)}; }, what)[0];
}

/// (p |b'|^r)^(1/(r+1)), one factor at a time, so that no power of b' overflows.
double energy_root(double p, double slope, double power) {
  if (power == 2.0) {
    const double b = std::cbrt(slope);
    return std::cbrt(p) * b * b;
  }
  return std::pow(p, 1.0 / (power + 1.0)) * std::pow(std::abs(slope), power / (power + 1.0));
}

double mass_of(const theory_problem& problem) {
  const double mass = integral(
      problem, [&](double x) { return density_at(problem, x); }, "the density");
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density returned 0 everywhere in [lo, hi]");
  return mass;
}

double lambda_mass(const theory_problem& problem) {
  const double mass = integral(
      problem, [&](double x) { return lambda_at(problem, x); }, "the point density");
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "point_density returned 0 everywhere in [lo, hi]");
  return mass;
}

/// What makes a segment err: many short segments of lambda per unit length have the error integral
/// of p (at / lambda)^power. For constants, `at` is |b'|.
struct roughness {
  real_function at;
  double power;
  const char* name;
};

roughness slope_roughness(const theory_problem& problem, double power) {
  return {[&](double x) { return std::abs(slope_at(problem, x)); }, power, "|b'|"};
}

double root_mass(const theory_problem& problem, const roughness& rough) {
  return integral(
      problem,
      [&](double x) { return energy_root(density_at(problem, x), rough.at(x), rough.power); },
      "(p |b'|^r)^(1/(r+1))");
}

double root_mass(const theory_problem& problem, double power) {
  return root_mass(problem, slope_roughness(problem, power));
}

/// lambda, whose integral over [lo, hi] is 1.
real_function normalised_lambda(const theory_problem& problem,
                                zcmoe_theory_segmentation segmentation, const roughness& rough) {
  if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
    const double mass = lambda_mass(problem);
    return [&problem, mass](double x) { return lambda_at(problem, x) / mass; };
  }
  const double best = segmentation == ZCMOE_THEORY_OPTIMAL ? root_mass(problem, rough) : 0.0;
  if (best > 0) {
    return [&problem, rough, best](double x) {
      return energy_root(density_at(problem, x), rough.at(x), rough.power) / best;
    };
  }
  // Where nothing errs any segments are optimal; the builders cut uniformly then.
  const double width = problem.hi - problem.lo;
  return [width](double) { return 1.0 / width; };
}

/// The integral of p (roughness / lambda)^power, p and lambda normalised.
double coefficient_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                      const roughness& rough) {
  const double power = rough.power;
  const double mass = mass_of(problem);
  if (segmentation == ZCMOE_THEORY_OPTIMAL) {
    return std::pow(root_mass(problem, rough), power + 1.0) / mass;
  }
  const real_function lambda_at_input = normalised_lambda(problem, segmentation, rough);
  const double sum = integral(
      problem,
      [&](double x) {
        const double p = density_at(problem, x);
        const double b = rough.at(x);
        if (p == 0 || b == 0) return 0.0;
        const double lambda = lambda_at_input(x);
        if (lambda == 0) {
          fail(ZCMOE_ERR_NUMERIC, "point_density returned 0 at x=", x, ", where density=", p,
               " and ", rough.name, "=", b, ": the error is infinite");
        }
        const double share = b / lambda;
        return p * (power == 2.0 ? share * share : std::pow(share, power));
      },
      "p |b'|^r / lambda^r");
  return sum / mass;
}

}  // namespace

double coefficient_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                      double power) {
  return coefficient_of(problem, segmentation, slope_roughness(problem, power));
}

double high_rate_error(double coefficient, double power, double num_segments) {
  return coefficient / ((power + 1.0) * std::pow(2.0 * num_segments, power));
}

double next_order_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation) {
  const double mass = mass_of(problem);
  double scale = problem.hi - problem.lo;
  if (segmentation == ZCMOE_THEORY_OPTIMAL) scale = root_mass(problem, 2.0);
  if (segmentation == ZCMOE_THEORY_POINT_DENSITY) scale = lambda_mass(problem);
  if (!(scale > 0)) fail(ZCMOE_ERR_NUMERIC, "the point density is 0 everywhere");

  // p, p', b' and b'' as functions of s = G(x), the share of the segments that lie left of x: in s
  // all segments are equally wide. Since ds = lambda dx, a derivative by s is one by x divided by
  // lambda. For example, the density of s is q = p / lambda, and
  // q' = (p' - p lambda' / lambda) / lambda^2.
  struct transformed {
    double lambda;  // ds/dx
    double p;
    double p1;
    double b1;
    double b2;
  };
  const auto at = [&](double x) {
    const double p = density_at(problem, x) / mass;
    const double p1 = density_slope_at(problem, x) / mass;
    const double b1 = slope_at(problem, x);
    const double b2 = curvature_at(problem, x);
    double lambda = 1.0;
    double relative = 0.0;  // lambda' / lambda
    if (segmentation == ZCMOE_THEORY_OPTIMAL) {
      lambda = energy_root(p * mass, b1, 2.0);
      if (lambda > 0) relative = (p1 / p + 2.0 * (b2 / b1)) / 3.0;
    } else if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
      lambda = lambda_at(problem, x);
      const double slope =
          checked_value(problem.point_density_slope, x, "point_density_slope", true);
      if (lambda > 0) relative = slope / lambda;
    }
    if (!(lambda > 0)) {
      fail(ZCMOE_ERR_NUMERIC, "the point density is 0 at x=", x,
           ": the term of order m^-4 does not exist");
    }
    lambda /= scale;
    return transformed{lambda, p / lambda, (p1 - p * relative) / (lambda * lambda), b1 / lambda,
                       (b2 - b1 * relative) / (lambda * lambda)};
  };
  const auto end = [&](double x) {
    const transformed t = at(x);
    const double v = t.p1 * t.b1 * t.b1 - t.p * t.b1 * t.b2;
    if (!std::isfinite(v)) {
      fail(ZCMOE_ERR_NUMERIC, "the term of order m^-4 is not finite at the end x=", x);
    }
    return v;
  };
  const double ends = end(problem.hi) - end(problem.lo);
  const double inside = integral(
      problem,
      [&](double x) {
        const transformed t = at(x);
        const double steep = t.p1 * t.b1;
        const double tilt = steep == 0 ? 0.0 : steep * (steep / t.p);
        return t.lambda * (t.p * t.b2 * t.b2 / 360.0 + t.p1 * t.b1 * t.b2 / 90.0 + tilt / 144.0);
      },
      "the term of order m^-4");
  return ends / 360.0 - inside;
}

double zero_gap(double density_order, double regression_order) {
  const double j = density_order;
  const double k = regression_order;
  // In these units segment i reaches from (i - 1)^q to i^q: the compander is x = u^q for u in [0,
  // m], with p = x^j and b = x^k. Every segment has the high-rate error coefficient / 12.
  const double q = 3.0 / (j + 2.0 * k + 1.0);
  const double coefficient = k * k * q * q * q;
  theory_problem problem{};
  problem.lo = 0.0;
  // By how much the exact error of segment i exceeds the high-rate one, relative to the latter.
  const auto relative_gap = [&](std::int64_t i) {
    const double left = std::pow(static_cast<double>(i - 1), q);
    const double right = std::pow(static_cast<double>(i), q);
    double variance = 0.0;
    if (i == 1) {
      // The moments of powers over [0, 1] have a closed form, and x^(j + k) may be singular at 0,
      // which quadrature would have to resolve.
      variance = 1.0 / (j + 2 * k + 1) - (j + 1) / ((j + k + 1) * (j + k + 1));
    } else {
      problem.hi = right;
      problem.lo = left;
      const double centre = 0.5 * (left + right);
      const double base = std::pow(centre, k);
      const auto v = integrals<3>(
          problem,
          [&](double x) {
            const double p = std::pow(x / centre, j);
            const double d = std::pow(x, k) - base;
            return std::array<double, 3>{p, p * d, p * d * d};
          },
          "a power");
      variance = (v[2] - v[1] * v[1] / v[0]) * std::pow(centre, j);
    }
    return 12.0 * variance / coefficient - 1.0;
  };
  // The terms fall like i^-2, so a sum of N of them differs from the limit by a power series in
  // 1/N. The sums of 4, 8, ..., 128 terms are extrapolated to 1/N = 0 (Richardson).
  constexpr int levels = 6;
  std::array<double, levels> sum{};
  double partial = 0.0;
  std::int64_t i = 1;
  for (int level = 0; level < levels; ++level) {
    for (; i <= (std::int64_t{4} << level); ++i) partial += relative_gap(i);
    sum[static_cast<std::size_t>(level)] = partial;
  }
  for (int order = 1; order < levels; ++order) {
    const double factor = std::ldexp(1.0, order);
    for (int level = levels - 1; level >= order; --level) {
      const auto l = static_cast<std::size_t>(level);
      sum[l] = (factor * sum[l] - sum[l - 1]) / (factor - 1.0);
    }
  }
  return sum[levels - 1];
}

double robustness_ratio(const theory_problem& problem) {
  return coefficient_of(problem, ZCMOE_THEORY_POINT_DENSITY, 2.0) /
         coefficient_of(problem, ZCMOE_THEORY_OPTIMAL, 2.0);
}

double robustness_second_order(const theory_problem& problem) {
  const double best = root_mass(problem, 2.0);
  const double mass = lambda_mass(problem);
  bool infinite = false;
  // The integrand is lambda* e^2 with e = lambda / lambda* - 1.
  const double sum = integral(
      problem,
      [&](double x) {
        const double optimal =
            energy_root(density_at(problem, x), slope_at(problem, x), 2.0) / best;
        const double lambda = lambda_at(problem, x) / mass;
        if (optimal == 0) {
          infinite = infinite || lambda > 0;
          return 0.0;
        }
        const double change = lambda - optimal;
        return change * (change / optimal);
      },
      "(lambda - lambda*)^2 / lambda*");
  return infinite ? std::numeric_limits<double>::infinity() : 1.0 + 3.0 * sum;
}

edge_table theory_edges(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                        std::int64_t num_segments) {
  if (segmentation == ZCMOE_THEORY_UNIFORM) {
    return distinct_uniform_edges(problem.lo, problem.hi, num_segments);
  }
  if (segmentation == ZCMOE_THEORY_OPTIMAL) {
    return optimal_edges(problem.density, problem.slope, problem.lo, problem.hi, num_segments,
                         zcmoe_density_options ZCMOE_DENSITY_OPTIONS_INIT);
  }
  return density_edges(problem.point_density, problem.lo, problem.hi, num_segments, 0.0);
}

// ---------------------------------------------------------------- kinds of experts

namespace {

/// A kind of experts: its error is `constant` times the integral of p (roughness / lambda)^power.
struct expert_kind {
  roughness rough;
  double constant;
  double parameters;  // a segment; it is by these that noise becomes error
  double values;      // stored a segment
};

/// The error of interpolated means is the integral of p q / lambda^4. The line between exact values
/// at the centres would give b''^2 / 120; the mean of a segment differs from the value at its
/// centre by k times its width squared.
double means_error(const theory_problem& problem, double x) {
  const double p = density_at(problem, x);
  if (p == 0) return 0.0;
  const double b2 = curvature_at(problem, x);
  const double k = b2 / 24.0 + density_slope_at(problem, x) / p * (slope_at(problem, x) / 12.0);
  return b2 * b2 / 120.0 + b2 * k / 6.0 + k * k;
}

expert_kind kind_of(const theory_problem& problem, std::int32_t experts) {
  const roughness bend{[&](double x) { return std::sqrt(std::abs(curvature_at(problem, x))); }, 4.0,
                       "|b''|^(1/2)"};
  const roughness means{[&](double x) { return std::sqrt(std::sqrt(means_error(problem, x))); },
                        4.0, "q^(1/4)"};
  switch (experts) {
    case ZCMOE_EXPERTS_LINEAR: return {bend, 1.0 / 720.0, 2.0, 2.0};
    case ZCMOE_EXPERTS_INTERPOLATE: return {bend, 1.0 / 720.0, 1.0, 1.0};
    case ZCMOE_THEORY_EDGE_VALUES: return {bend, 1.0 / 120.0, 0.0, 1.0};
    case ZCMOE_THEORY_INTERPOLATED_MEANS: return {means, 1.0, 2.0 / 3.0, 1.0};
    default: return {slope_roughness(problem, 2.0), 1.0 / 12.0, 1.0, 1.0};
  }
}

}  // namespace

zcmoe_theory_law law_of(const theory_problem& problem, std::int32_t experts,
                        zcmoe_theory_segmentation segmentation) {
  const expert_kind kind = kind_of(problem, experts);
  const real_function lambda = normalised_lambda(problem, segmentation, kind.rough);
  zcmoe_theory_law law{};
  law.approximation = kind.constant * coefficient_of(problem, segmentation, kind.rough);
  law.order = kind.rough.power;
  law.values = kind.values;
  const double noise =
      problem.noise_variance
          ? integral(
                problem, [&](double x) { return noise_at(problem, x) * lambda(x); },
                "sigma^2 lambda")
          : problem.noise;
  law.estimation = kind.parameters * noise;
  if (experts == ZCMOE_THEORY_INTERPOLATED_MEANS) {
    const double mass = mass_of(problem);
    for (const double end : {problem.lo, problem.hi}) {
      const double slope = slope_at(problem, end);
      const double energy = density_at(problem, end) / mass * slope * slope;
      if (energy > 0) law.ends += energy / (24.0 * std::pow(lambda(end), 3.0));
    }
  }
  return law;
}

// -------------------------------------------------------------- noise that varies

namespace {

/// (p b'^2 / sigma^2)^(1/3) at x. p need not integrate to 1.
double adaptive_root(const theory_problem& problem, double x) {
  const double energy = energy_root(density_at(problem, x), slope_at(problem, x), 2.0);
  if (energy == 0) return 0.0;
  const double noise = noise_at(problem, x);
  if (!(noise > 0)) {
    fail(ZCMOE_ERR_NUMERIC, "the noise variance is 0 at x=", x,
         ", where p b'^2 is not: no finite number of segments is best");
  }
  return energy / std::cbrt(noise);
}

}  // namespace

void noise_adaptive(const theory_problem& problem, double n, double* num_segments, double* excess) {
  const double mass = mass_of(problem);
  const auto sums = integrals<2>(
      problem,
      [&](double x) {
        const double root = adaptive_root(problem, x);
        return std::array<double, 2>{root, root == 0 ? 0.0 : root * noise_at(problem, x)};
      },
      "(p b'^2 / sigma^2)^(1/3)");
  const double scale = std::cbrt(n / (6.0 * mass));
  *num_segments = scale * sums[0];
  *excess = 1.5 / n * scale * sums[1];
}

edge_table noise_adaptive_edges(const theory_problem& problem, std::int64_t num_segments) {
  // A density that is 0 everywhere is refused here: density_edges would cut uniformly, as it does
  // for a constant regression.
  mass_of(problem);
  return density_edges([&](double x) { return adaptive_root(problem, x); }, problem.lo, problem.hi,
                       num_segments, 0.0);
}

}  // namespace zcmoe::detail
