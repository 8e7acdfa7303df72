// Known p and b: high-rate coefficients, the next order, exact errors, break-down, noise-adaptive
// density. Every integral is adaptive Gauss-Kronrod (7, 15) by halving, vector valued where several
// integrands share their evaluations; algebraic zeros and kinks of (p b'^2)^(1/3) cost a number of
// halvings, not accuracy. Sources: theory.h.
#include "host/theory/high_rate.hpp"

#include "host/numbers/double_double.hpp"
#include "host/error.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct theory_tuning {
  static constexpr int first_panels = 64;  // of the whole range
  static constexpr int panels_of_a_range =
      16;  // a segment that is the whole range begins with these
  static constexpr int max_depth = 200;
  static constexpr int max_halvings = 32768;
  static constexpr double panel_tolerance = 1e-15;   // of the integral of the absolute value
  static constexpr double failure_tolerance = 1e-9;  // of the same, summed over the panels
  static constexpr double noise =
      1e-7;  // relative errors below it that halving leaves are rounding
  static constexpr double max_cancellation =
      0.1;  // of the second moment, before it is centred anew
};

constexpr double eps = std::numeric_limits<double>::epsilon();

/// K integrals at once over panels, halved until each is good.
template <std::size_t K>
class integrator {
 public:
  using values = std::array<double, K>;

  /// Integrals of f over [ends.front(), ends.back()], cut at every end. what: for the error.
  /// rounding: if not 0, integrands 1 and 2 are the first times d and d^2 of a difference d that is
  /// known to no better than this; nothing is halved to resolve that.
  template <class Function>
  static values over(const Function& f, const std::vector<double>& ends, const char* what,
                     double rounding = 0.0) {
    integrator whole(what, rounding);
    std::vector<panel> panels;
    panels.reserve(ends.size() - 1);
    for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
      panels.push_back(measure(f, ends[i], ends[i + 1]));
      for (std::size_t k = 0; k < K; ++k) whole.scale_[k] += panels.back().absolute[k];
    }
    for (const panel& p : panels) whole.add(f, p, 0);
    return whole.result();
  }

 private:
  struct panel {
    double left;
    double right;
    values integral;
    values absolute;
    values error;
  };

  integrator(const char* what, double rounding) : what_(what), rounding_(rounding) {}

  template <class Function>
  static panel measure(const Function& f, double left, double right) {
    using kronrod = boost::math::quadrature::gauss_kronrod<double, 15>;
    const auto& node =
        kronrod::abscissa();  // the non-negative half; the even ones are Gauss points
    const auto& weight = kronrod::weights();
    const auto& gauss_weight = boost::math::quadrature::gauss<double, 7>::weights();
    const double half = 0.5 * right - 0.5 * left;
    panel p{left, right, {}, {}, {}};
    values gauss{};
    for (std::size_t j = 0; j < node.size(); ++j) {
      for (int side = j == 0 ? 1 : -1; side <= 1; side += 2) {
        // Measured from the nearer end, so that a node beside a singular end keeps its digits.
        const double from_end = half * (1.0 - node[j]);
        const double x = j == 0     ? 0.5 * left + 0.5 * right
                         : side < 0 ? left + from_end
                                    : right - from_end;
        const values v = f(std::min(std::max(x, left), right));
        for (std::size_t k = 0; k < K; ++k) {
          p.integral[k] += weight[j] * v[k];
          p.absolute[k] += weight[j] * std::abs(v[k]);
          if (j % 2 == 0) gauss[k] += gauss_weight[j / 2] * v[k];
        }
      }
    }
    for (std::size_t k = 0; k < K; ++k) {
      p.error[k] = half * std::abs(p.integral[k] - gauss[k]);
      p.integral[k] *= half;
      p.absolute[k] *= half;
    }
    return p;
  }

  void keep(const panel& p, bool count_error) {
    for (std::size_t k = 0; k < K; ++k) {
      sum_[k] = sum_[k] + p.integral[k];
      absolute_[k] += p.absolute[k];
      if (count_error) error_[k] += p.error[k];
    }
  }

  bool good(const panel& p, std::size_t k) const {
    double limit = theory_tuning::panel_tolerance * scale_[k];
    if (k == 1 || k == 2) limit += rounding_ * p.absolute[k - 1];
    return p.error[k] <= limit;
  }
  bool good(const panel& p) const {
    for (std::size_t k = 0; k < K; ++k) {
      if (!good(p, k)) return false;
    }
    return true;
  }

  /// Halving shrinks the error of anything but rounding noise of the function and jumps, and jumps
  /// are not small.
  bool noisy(const panel& p, const panel& a, const panel& b) const {
    for (std::size_t k = 0; k < K; ++k) {
      if (good(p, k)) continue;
      if (a.error[k] + b.error[k] <= 0.5 * p.error[k]) return false;
      if (!(p.error[k] < theory_tuning::noise * p.absolute[k])) return false;
    }
    return true;
  }

  template <class Function>
  void add(const Function& f, const panel& p, int depth) {
    if (good(p)) return keep(p, false);
    const double middle = 0.5 * p.left + 0.5 * p.right;
    if (depth == theory_tuning::max_depth || halvings_ == theory_tuning::max_halvings ||
        middle <= p.left || middle >= p.right) {
      return keep(p, true);
    }
    ++halvings_;
    const panel a = measure(f, p.left, middle);
    const panel b = measure(f, middle, p.right);
    if (noisy(p, a, b)) {
      keep(a, false);
      keep(b, false);
      return;
    }
    add(f, a, depth + 1);
    add(f, b, depth + 1);
  }

  values result() const {
    values r{};
    for (std::size_t k = 0; k < K; ++k) {
      r[k] = sum_[k].high;
      if (!std::isfinite(r[k]) || error_[k] > theory_tuning::failure_tolerance * absolute_[k]) {
        fail(ZCMOE_ERR_NUMERIC, "the integral of ", what_,
             " diverges or does not converge: estimate ", r[k], ", error ", error_[k], " after ",
             halvings_, " halvings, limit ", theory_tuning::failure_tolerance, " of the integral");
      }
    }
    return r;
  }

  const char* what_;
  double rounding_;
  values scale_{};
  std::array<double_double, K> sum_{};  // twice double's precision
  values absolute_{};
  values error_{};
  int halvings_ = 0;
};

/// Ends of the panels to begin with on [left, right]: the breaks inside, and equal parts between.
std::vector<double> first_ends(const theory_problem& problem, double left, double right,
                               int panels_of_range) {
  std::vector<double> ends{left};
  const auto fill = [&](double to) {
    const double from = ends.back();
    const double share = (0.5 * to - 0.5 * from) / (0.5 * problem.hi - 0.5 * problem.lo);
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

template <std::size_t K, class Function>
std::array<double, K> integrals(const theory_problem& problem, const Function& f,
                                const char* what) {
  return integrator<K>::over(
      f, first_ends(problem, problem.lo, problem.hi, theory_tuning::first_panels), what);
}

template <class Function>
double integral(const theory_problem& problem, const Function& f, const char* what) {
  return integrals<1>(
      problem, [&](double x) { return std::array<double, 1>{f(x)}; }, what)[0];
}

double density_at(const theory_problem& problem, double x) {
  return answer(problem.density, x, "density", false);
}
double slope_at(const theory_problem& problem, double x) {
  return answer(problem.slope, x, "slope", true);
}
double lambda_at(const theory_problem& problem, double x) {
  return answer(problem.point_density, x, "point_density", false);
}
double noise_at(const theory_problem& problem, double x) {
  return problem.noise_variance ? answer(problem.noise_variance, x, "noise_variance", false)
                                : problem.noise;
}

/// (p |b'|^r)^(1/(r+1)) by factors: no overflow on the way.
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
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density answered 0 everywhere in [lo, hi]");
  return mass;
}

double lambda_mass(const theory_problem& problem) {
  const double mass = integral(
      problem, [&](double x) { return lambda_at(problem, x); }, "the point density");
  if (!(mass > 0)) fail(ZCMOE_ERR_NUMERIC, "point_density answered 0 everywhere in [lo, hi]");
  return mass;
}

double root_mass(const theory_problem& problem, double power) {
  return integral(
      problem,
      [&](double x) { return energy_root(density_at(problem, x), slope_at(problem, x), power); },
      "(p |b'|^r)^(1/(r+1))");
}

}  // namespace

// ------------------------------------------------------------------ high rate

double coefficient_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                      double power) {
  const double mass = mass_of(problem);
  if (segmentation == ZCMOE_THEORY_OPTIMAL) {
    return std::pow(root_mass(problem, power), power + 1.0) / mass;
  }
  const bool uniform = segmentation == ZCMOE_THEORY_UNIFORM;
  const double scale = uniform ? problem.hi - problem.lo : lambda_mass(problem);
  const double sum = integral(
      problem,
      [&](double x) {
        const double p = density_at(problem, x);
        const double b = std::abs(slope_at(problem, x));
        if (p == 0 || b == 0) return 0.0;
        const double lambda = uniform ? 1.0 : lambda_at(problem, x);
        if (lambda == 0) {
          fail(ZCMOE_ERR_NUMERIC, "point_density answered 0 at x=", x, ", where density=", p,
               " and slope=", b, ": the error is infinite");
        }
        const double share = b * (scale / lambda);
        return p * (power == 2.0 ? share * share : std::pow(share, power));
      },
      "p |b'|^r / lambda^r");
  return sum / mass;
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

  // p, b' and b'' as functions of s = G(x), the coordinate in which the cells are uniform.
  struct transformed {
    double lambda;  // ds/dx
    double p;
    double p1;
    double b1;
    double b2;
  };
  const auto at = [&](double x) {
    const double p = density_at(problem, x) / mass;
    const double p1 = answer(problem.density_slope, x, "density_slope", true) / mass;
    const double b1 = slope_at(problem, x);
    const double b2 = answer(problem.curvature, x, "curvature", true);
    double lambda = 1.0;
    double relative = 0.0;  // lambda' / lambda
    if (segmentation == ZCMOE_THEORY_OPTIMAL) {
      lambda = energy_root(p * mass, b1, 2.0);
      if (lambda > 0) relative = (p1 / p + 2.0 * (b2 / b1)) / 3.0;
    } else if (segmentation == ZCMOE_THEORY_POINT_DENSITY) {
      lambda = lambda_at(problem, x);
      const double slope = answer(problem.point_density_slope, x, "point_density_slope", true);
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
  // Cells in units in which the compander of [0, m] is x = u^q, with p = x^j and b = x^k.
  const double q = 3.0 / (j + 2.0 * k + 1.0);
  const double coefficient = k * k * q * q * q;
  theory_problem problem{};
  problem.lo = 0.0;
  const auto relative_gap = [&](std::int64_t i) {
    const double left = std::pow(static_cast<double>(i - 1), q);
    const double right = std::pow(static_cast<double>(i), q);
    double variance = 0.0;
    if (i == 1) {
      // Moments of powers in closed form: 0^(j + k) may be singular for the quadrature.
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
  // The terms fall like i^-2: partial sums at doubled lengths, extrapolated (Richardson) in 1/N.
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
  // lambda* e^2 = (lambda - lambda*)^2 / lambda*
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

// --------------------------------------------------------------- exact errors

cell_table cells_of(const theory_problem& problem, const double* edges, std::int64_t num_segments,
                    zcmoe_constant_rule rule, const double* constants) {
  const auto m = static_cast<std::size_t>(num_segments);
  cell_table table;
  table.probabilities.resize(m);
  table.means.resize(m);
  table.variances.resize(m);
  table.errors.resize(m);
  std::vector<double> within(m);
  double_double mass;
  double_double noise;
  for (std::size_t i = 0; i < m; ++i) {
    const double left = edges[i];
    const double right = edges[i + 1];
    const double base = answer(problem.regression, 0.5 * left + 0.5 * right, "regression", true);
    const auto ends = first_ends(problem, left, right, theory_tuning::panels_of_a_range);
    const auto about = [&](double centre) {
      return integrator<4>::over(
          [&](double x) {
            const double p = density_at(problem, x);
            const double d = answer(problem.regression, x, "regression", true) - centre;
            return std::array<double, 4>{p, p * d, p * d * d,
                                         problem.noise_variance ? p * noise_at(problem, x) : 0.0};
          },
          ends, "p (b - c)^2 over a segment", 4 * eps * std::abs(centre));
    };
    auto v = about(base);
    if (!(v[0] > 0)) {
      table.means[i] = base;
      continue;
    }
    double shift = v[1] / v[0];
    double centre = base;
    if (v[1] * shift > theory_tuning::max_cancellation * v[2]) {
      centre = base + shift;
      v = about(centre);
      shift = v[1] / v[0];
    }
    const double sse = std::max(0.0, v[2] - v[1] * shift);
    table.probabilities[i] = v[0];
    table.means[i] = centre + shift;
    within[i] = sse;
    double away = 0.0;  // the constant, measured from the conditional mean
    if (constants != nullptr) {
      away = (constants[i] - centre) - shift;
    } else if (rule == ZCMOE_CONSTANT_MIDPOINT) {
      away = (base - centre) - shift;
    }
    table.errors[i] = sse + v[0] * (away * away);
    const double here = problem.noise_variance ? v[3] : problem.noise * v[0];
    table.variances[i] = (here + sse) / v[0];
    mass = mass + (v[0]);
    noise = noise + (here);
  }
  const double whole = mass.high;
  if (!(whole > 0)) fail(ZCMOE_ERR_NUMERIC, "density answered 0 everywhere in the table");
  double_double error;
  double_double mean;
  double_double spread;
  for (std::size_t i = 0; i < m; ++i) {
    table.probabilities[i] /= whole;
    table.errors[i] /= whole;
    error = error + (table.errors[i]);
    mean = mean + (table.probabilities[i] * table.means[i]);
  }
  for (std::size_t i = 0; i < m; ++i) {
    const double d = table.means[i] - mean.high;
    spread = spread + (table.probabilities[i] * d * d + within[i] / whole);
  }
  table.totals = {error.high, mean.high, spread.high, noise.high / whole};
  return table;
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

std::int64_t breakdown_of(const theory_problem& problem, zcmoe_theory_segmentation segmentation,
                          double tolerance, std::int64_t max_segments) {
  const double coefficient = coefficient_of(problem, segmentation, 2.0);
  if (!(coefficient > 0)) return 1;  // b is constant where p > 0: no error at any m
  std::int64_t violation = 0;
  for (std::int64_t m = 1; m <= 4 * (violation + 1) + 32; ++m) {
    const edge_table edges = theory_edges(problem, segmentation, m);
    const cell_table cells =
        cells_of(problem, edges.data(), static_cast<std::int64_t>(edges.size()) - 1,
                 ZCMOE_CONSTANT_MEAN, nullptr);
    const double predicted = high_rate_error(coefficient, 2.0, static_cast<double>(m));
    // A gap that equals the tolerance but for rounding counts as above it, on every machine.
    const double gap = cells.totals.error / predicted - 1.0;
    if (!(std::abs(gap) < tolerance * (1.0 - 1e-9))) violation = m;
    if (violation >= max_segments) return 0;
  }
  return violation + 1;
}

// -------------------------------------------------------------- noise that varies

namespace {

/// (p b'^2 / sigma^2)^(1/3), p of any scale.
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
  return density_edges([&](double x) { return adaptive_root(problem, x); }, problem.lo, problem.hi,
                       num_segments, 0.0);
}

}  // namespace zcmoe::detail
