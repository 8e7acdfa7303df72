/// @file
/// C++17 over theory.h: a problem made of callables, results by value, exceptions. Header-only;
/// carries no ABI. theory.h documents each call. Where the C function returns another status than
/// ZCMOE_OK, the function here throws zcmoe::error.
///
/// @code
///   zcmoe::theory::problem f;                       // x in [0, 1], no noise
///   f.density = [](double) { return 1.0; };
///   f.regression = [](double x) { return x * x; };
///   f.slope = [](double x) { return 2 * x; };
///   double optimal = f.coefficient(ZCMOE_THEORY_OPTIMAL);             // 0.864
///   auto best = zcmoe::theory::optimum(optimal / 12, 0.01, 1e5);      // m and excess risk
/// @endcode
#pragma once

#include <zcmoe/theory.h>
#include <zcmoe/zcmoe.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

/// theory.h in C++.
namespace zcmoe::theory {

/// A function of the input.
using function = std::function<double(double)>;

/// A function known at points only, and its slope: zcmoe_theory_curve_create(). Copies share it.
///
/// @code
///   zcmoe::theory::curve b(grid, values);
///   problem.regression = b;
///   problem.slope = b.slope();
///   problem.breaks = b.breaks();
/// @endcode
class curve {
 public:
  /// Interpolates points. It also throws error if the two differ in length.
  /// @param grid    inputs, two or more, strictly increasing
  /// @param values  of the function there
  curve(std::vector<double> grid, const std::vector<double>& values) : grid_(std::move(grid)) {
    if (grid_.size() != values.size()) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "grid and values differ in length");
    }
    zcmoe_theory_curve* handle = nullptr;
    check(zcmoe_theory_curve_create(grid_.data(), values.data(),
                                    static_cast<std::int64_t>(grid_.size()), &handle));
    handle_.reset(handle, [](zcmoe_theory_curve* own) { zcmoe_theory_curve_destroy(own); });
  }
  /// @param x  the input
  /// @return the curve's value; constant beyond the ends
  double operator()(double x) const { return zcmoe_theory_curve_value(handle_.get(), x); }
  /// @return the curve's slope as a function, which shares the curve
  function slope() const {
    return [handle = handle_](double x) { return zcmoe_theory_curve_slope(handle.get(), x); };
  }
  /// @return the inner points of the grid, where the slope has kinks
  std::vector<double> breaks() const { return {grid_.begin() + 1, grid_.end() - 1}; }

 private:
  std::vector<double> grid_;
  std::shared_ptr<zcmoe_theory_curve> handle_;
};

/// zcmoe_theory_cells and zcmoe_theory_totals of a table; one entry a segment.
struct cells {
  std::vector<double> probabilities;  ///< P_i
  std::vector<double> means;          ///< c_i
  std::vector<double> variances;      ///< v_i
  std::vector<double> errors;         ///< the segment's part of E_app
  zcmoe_theory_totals totals{};       ///< of the whole table
};

/// A number of segments and the excess risk there.
struct segments_and_excess {
  double num_segments = 0.0;  ///< a real number
  double excess = 0.0;        ///< in (unit of y)^2
};

/// zcmoe_theory_problem with callables; empty ones are not given. What a callable throws is thrown
/// again behind the call.
class problem {
 public:
  function density;              ///< p >= 0, of any scale; always needed
  function regression;           ///< b
  function slope;                ///< b'
  function curvature;            ///< b''
  function density_slope;        ///< p', of the scale of p
  function noise_variance;       ///< sigma^2(x) >= 0; empty: noise everywhere
  function point_density;        ///< lambda >= 0, of any scale
  function point_density_slope;  ///< lambda', of the scale of lambda
  double noise = 0.0;            ///< sigma^2
  double lo = 0.0;               ///< lower end of the range
  double hi = 1.0;               ///< upper end of the range
  std::vector<double> breaks;    ///< inner points where a function jumps or has a kink, increasing

  /// Computes the coefficient of the error at high rate: zcmoe_theory_coefficient().
  /// @param segmentation  where the segments are
  /// @param power         r of the loss |y - b|^r
  /// @return the coefficient, in (unit of y)^r
  double coefficient(zcmoe_theory_segmentation segmentation, double power = 2.0) const {
    double value = 0.0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_coefficient(p, segmentation, power, &value);
    });
    return value;
  }
  /// Computes the coefficient of m^-4: zcmoe_theory_next_order().
  /// @param segmentation  where the segments are
  /// @return c4
  double next_order(zcmoe_theory_segmentation segmentation) const {
    double value = 0.0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_next_order(p, segmentation, &value);
    });
    return value;
  }
  /// Finds the m from which the high-rate form holds: zcmoe_theory_breakdown().
  /// @param segmentation  where the segments are
  /// @param tolerance     of the relative gap, between 0 and 1
  /// @param max_segments  the largest m looked for, at most 65,536
  /// @return m, or 0 if it is larger
  std::int64_t breakdown(zcmoe_theory_segmentation segmentation, double tolerance = 0.05,
                         std::int64_t max_segments = 4096) const {
    std::int64_t value = 0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_breakdown(p, segmentation, tolerance, max_segments, &value);
    });
    return value;
  }
  /// Computes what point_density costs beside the optimal one: zcmoe_theory_robustness().
  /// @return the ratio of the errors at equal m
  double robustness() const {
    double value = 0.0;
    call(
        [&](const zcmoe_theory_problem* p) { return zcmoe_theory_robustness(p, &value, nullptr); });
    return value;
  }
  /// Computes the expansion of that ratio.
  /// @return the ratio to second order; infinity where it does not exist
  double robustness_second_order() const {
    double value = 0.0;
    call(
        [&](const zcmoe_theory_problem* p) { return zcmoe_theory_robustness(p, nullptr, &value); });
    return value;
  }
  /// Computes the exact error of a table: zcmoe_theory_approximation().
  /// @param edges  inside [lo, hi], strictly increasing, two or more
  /// @param rule   what the constants are
  /// @return numbers of each segment and of the table
  cells approximation(const std::vector<double>& edges,
                      zcmoe_constant_rule rule = ZCMOE_CONSTANT_MEAN) const {
    return cells_of(edges, rule, nullptr);
  }
  /// Computes the exact error of a table with constants of its own. It also throws error if the
  /// lengths do not fit.
  /// @param edges      inside [lo, hi], strictly increasing, one more than constants
  /// @param constants  one a segment
  /// @return numbers of each segment and of the table
  cells approximation(const std::vector<double>& edges,
                      const std::vector<double>& constants) const {
    if (edges.size() != constants.size() + 1) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "edges must have one entry more than constants");
    }
    return cells_of(edges, ZCMOE_CONSTANT_MEAN, constants.data());
  }
  /// Computes the exact expected risk of tables of several sizes: zcmoe_theory_risk_curve().
  /// @param segmentation  where the segments are
  /// @param n             samples learned from
  /// @param num_segments  the sizes
  /// @param options       policies of empty segments
  /// @return one point a size
  std::vector<zcmoe_theory_risk_point> risk_curve(
      zcmoe_theory_segmentation segmentation, std::int64_t n,
      const std::vector<std::int64_t>& num_segments,
      const zcmoe_model_options& options = model_options()) const {
    std::vector<zcmoe_theory_risk_point> points(num_segments.size());
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_risk_curve(p, segmentation, n, &options, num_segments.data(),
                                     static_cast<std::int64_t>(points.size()), points.data());
    });
    return points;
  }
  /// Computes the errors of a kind of experts: zcmoe_theory_expert_law().
  /// @param experts       ZCMOE_EXPERTS_CONSTANT, LINEAR, INTERPOLATE, or
  ///   ZCMOE_THEORY_INTERPOLATED_MEANS, EDGE_VALUES
  /// @param segmentation  where the segments are
  /// @return the law
  zcmoe_theory_law expert_law(std::int32_t experts, zcmoe_theory_segmentation segmentation) const {
    zcmoe_theory_law law{};
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_expert_law(p, experts, segmentation, &law);
    });
    return law;
  }
  /// Computes the best m where the noise varies: zcmoe_theory_noise_adaptive().
  /// @param n  samples learned from
  /// @return m and the excess risk
  segments_and_excess noise_adaptive(std::int64_t n) const {
    segments_and_excess value;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_noise_adaptive(p, n, &value.num_segments, &value.excess);
    });
    return value;
  }
  /// Builds the table for noise that varies: zcmoe_theory_noise_adaptive_edges().
  /// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
  /// @return one edge more than there are segments, of which there are at most m
  std::vector<double> noise_adaptive_edges(std::int64_t num_segments) const {
    return zcmoe::detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
      call([&](const zcmoe_theory_problem* p) {
        return zcmoe_theory_noise_adaptive_edges(p, num_segments, edges, built);
      });
      return ZCMOE_OK;
    });
  }

 private:
  struct calls {
    const problem& given;
    std::exception_ptr thrown = nullptr;

    template <function problem::*Member>
    static double ask(void* user, double x) noexcept {
      auto* self = static_cast<calls*>(user);
      // After an exception any valid answer will do: the call's result is not used.
      if (self->thrown) return 1.0;
      try {
        return (self->given.*Member)(x);
      } catch (...) {
        self->thrown = std::current_exception();
        return 1.0;
      }
    }
    template <function problem::*Member>
    zcmoe_function bound() const {
      return given.*Member ? &ask<Member> : nullptr;
    }
  };

  template <class Body>
  void call(const Body& body) const {
    calls c{*this};
    zcmoe_theory_problem p = ZCMOE_THEORY_PROBLEM_INIT;
    p.density = c.bound<&problem::density>();
    p.regression = c.bound<&problem::regression>();
    p.slope = c.bound<&problem::slope>();
    p.curvature = c.bound<&problem::curvature>();
    p.density_slope = c.bound<&problem::density_slope>();
    p.noise_variance = c.bound<&problem::noise_variance>();
    p.point_density = c.bound<&problem::point_density>();
    p.point_density_slope = c.bound<&problem::point_density_slope>();
    p.user = &c;
    p.noise = noise;
    p.lo = lo;
    p.hi = hi;
    p.breaks = breaks.data();
    p.num_breaks = static_cast<std::int64_t>(breaks.size());
    const zcmoe_status status = body(&p);
    if (c.thrown) std::rethrow_exception(c.thrown);
    check(status);
  }

  cells cells_of(const std::vector<double>& edges, zcmoe_constant_rule rule,
                 const double* constants) const {
    const std::size_t m = edges.size() < 2 ? 0 : edges.size() - 1;
    cells table;
    for (auto* column : {&table.probabilities, &table.means, &table.variances, &table.errors}) {
      column->resize(m);
    }
    const zcmoe_theory_cells out{table.probabilities.data(), table.means.data(),
                                 table.variances.data(), table.errors.data()};
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_approximation(p, edges.data(), static_cast<std::int64_t>(m), rule,
                                        constants, &out, &table.totals);
    });
    return table;
  }
};

/// Computes the error that a coefficient means: zcmoe_theory_error().
/// @param coefficient   of problem::coefficient()
/// @param num_segments  m
/// @param power         r of the loss, as given there
/// @return the error
inline double error_of(double coefficient, std::int64_t num_segments, double power = 2.0) {
  double value = 0.0;
  check(zcmoe_theory_error(coefficient, power, num_segments, &value));
  return value;
}
/// Computes what a zero of the optimal density adds: zcmoe_theory_zero_gap().
/// @param density_order     p is of order |x - x0| to this power
/// @param regression_order  b - b(x0) is of order |x - x0| to this power
/// @return kappa
inline double zero_gap(double density_order, double regression_order) {
  double value = 0.0;
  check(zcmoe_theory_zero_gap(density_order, regression_order, &value));
  return value;
}
/// Computes E[1/N; N > 0] of a binomial N: zcmoe_theory_mean_reciprocal().
/// @param n            samples
/// @param probability  of the segment
/// @return h(n, P)
inline double mean_reciprocal(std::int64_t n, double probability) {
  double value = 0.0;
  check(zcmoe_theory_mean_reciprocal(n, probability, &value));
  return value;
}
/// Computes the best m: zcmoe_theory_optimum().
/// @param approximation  A; in one dimension coefficient / 12
/// @param variance       B, about sigma^2
/// @param n              samples learned from
/// @param dimension      of the inputs
/// @return m and the excess risk
inline segments_and_excess optimum(double approximation, double variance, double n,
                                   std::int32_t dimension = 1) {
  segments_and_excess value;
  check(zcmoe_theory_optimum(approximation, variance, n, dimension, &value.num_segments,
                             &value.excess));
  return value;
}
/// Computes the best m of a kind of experts: zcmoe_theory_law_optimum().
/// @param law  of problem::expert_law()
/// @param n    samples learned from
/// @return m and the excess risk
inline segments_and_excess optimum(const zcmoe_theory_law& law, double n) {
  segments_and_excess value;
  check(zcmoe_theory_law_optimum(&law, n, &value.num_segments, &value.excess));
  return value;
}
/// Computes from how many stored values on the kind of the higher order is better:
/// zcmoe_theory_break_even().
/// @param law    of problem::expert_law()
/// @param other  likewise, of another order
/// @return M, a real number
inline double break_even(const zcmoe_theory_law& law, const zcmoe_theory_law& other) {
  double value = 0.0;
  check(zcmoe_theory_break_even(&law, &other, &value));
  return value;
}
/// What learned_cuts() tells.
struct cut_price {
  double parameters = 0.0;  ///< effective parameters a segment
  double penalty = 0.0;     ///< to be added to rss, in (unit of y)^2
};
/// Computes the price of cuts chosen by the rows of the constants: zcmoe_theory_learned_cuts().
/// @param num_segments  m
/// @param num_places    distinct inputs, or the bins between which cuts are chosen
/// @param noise         sigma^2
/// @return the price
inline cut_price learned_cuts(std::int64_t num_segments, std::int64_t num_places, double noise) {
  cut_price value;
  check(zcmoe_theory_learned_cuts(num_segments, num_places, noise, &value.parameters,
                                  &value.penalty));
  return value;
}
/// Computes what a wrong m costs: zcmoe_theory_flatness().
/// @param ratio      m over the best m
/// @param dimension  of the inputs
/// @return by what the excess risk is multiplied
inline double flatness(double ratio, std::int32_t dimension = 1) {
  double value = 0.0;
  check(zcmoe_theory_flatness(ratio, dimension, &value));
  return value;
}

/// Computes the estimation error of constants learned from n samples: zcmoe_theory_estimation(). It
/// also throws error if the lengths do not fit.
/// @param n               samples learned from
/// @param edges           of the table
/// @param table           as problem::approximation() gives it
/// @param options         policies of empty segments
/// @param segment_errors  if not null, receives one number a segment
/// @return the error and its parts
inline zcmoe_theory_estimation_result estimation(
    std::int64_t n, const std::vector<double>& edges, const cells& table,
    const zcmoe_model_options& options = model_options(),
    std::vector<double>* segment_errors = nullptr) {
  const std::size_t m = table.means.size();
  if (edges.size() != m + 1 || table.probabilities.size() != m || table.variances.size() != m) {
    throw error(ZCMOE_ERR_INVALID_ARGUMENT, "edges and cells differ in their numbers of segments");
  }
  if (segment_errors != nullptr) segment_errors->resize(m);
  zcmoe_theory_estimation_result result{};
  check(zcmoe_theory_estimation(n, edges.data(), table.probabilities.data(), table.means.data(),
                                table.variances.data(), static_cast<std::int64_t>(m), &options,
                                segment_errors == nullptr ? nullptr : segment_errors->data(),
                                &result));
  return result;
}

/// Shows a fitted model as a table for the functions below.
/// @param fitted  the model, without weights and shrinkage
/// @return a table that points into the model
inline zcmoe_theory_table table_of(const model& fitted) {
  const zcmoe_model_info info = fitted.info();
  return {info.counts, info.constants, info.variances, info.edges, info.num_segments};
}
/// Computes the statistics by which m is chosen: zcmoe_theory_table_statistics().
/// @param table    the table
/// @param noise    sigma^2, for mallows alone
/// @param options  what predicts a row that is alone in its segment
/// @return the statistics
inline zcmoe_theory_statistics statistics(const zcmoe_theory_table& table, double noise = 0.0,
                                          const zcmoe_model_options& options = model_options()) {
  zcmoe_theory_statistics result{};
  check(zcmoe_theory_table_statistics(&table, &options, noise, &result));
  return result;
}
/// Estimates the noise variance from first differences: zcmoe_theory_rice().
/// @param targets  in order of their inputs, two or more
/// @return sigma^2
inline double rice(const std::vector<double>& targets) {
  double value = 0.0;
  check(zcmoe_theory_rice(targets.data(), static_cast<std::int64_t>(targets.size()), &value));
  return value;
}
/// Estimates A and sigma^2 from two nested tables: zcmoe_theory_richardson().
/// @param m          segments of the coarser one
/// @param within_m   V_m
/// @param within_2m  V_2m
/// @param n          rows
/// @return the estimates
inline zcmoe_theory_fit richardson(std::int64_t m, double within_m, double within_2m,
                                   std::int64_t n) {
  zcmoe_theory_fit fit{};
  check(zcmoe_theory_richardson(m, within_m, within_2m, n, &fit));
  return fit;
}
/// Tests whether the high-rate form may be used at m: zcmoe_theory_ratio_test().
/// @param m          segments of the coarsest of three nested tables
/// @param within_m   V_m
/// @param within_2m  V_2m
/// @param within_4m  V_4m
/// @param n          rows
/// @return the ratio and the verdict
inline zcmoe_theory_ratio ratio_test(std::int64_t m, double within_m, double within_2m,
                                     double within_4m, std::int64_t n) {
  zcmoe_theory_ratio ratio{};
  check(zcmoe_theory_ratio_test(m, within_m, within_2m, within_4m, n, &ratio));
  return ratio;
}
/// Recommends how many segments to take: zcmoe_theory_recommend().
/// @param tables   of one sample, num_segments strictly rising
/// @param options  what predicts a row that is alone in its segment
/// @return m and what it rests on
inline zcmoe_theory_recommendation recommend(const std::vector<zcmoe_theory_table>& tables,
                                             const zcmoe_model_options& options = model_options()) {
  zcmoe_theory_recommendation result{};
  check(zcmoe_theory_recommend(tables.data(), static_cast<std::int64_t>(tables.size()), &options,
                               &result));
  return result;
}

// ---------------------------------------------------------- several inputs

/// A function of a point, x [d].
using point_function = std::function<double(const double* x)>;
/// Writes the gradient of b at x [d] to gradient [d].
using gradient_function = std::function<void(const double* x, double* gradient)>;

/// What zcmoe_theory_box_errors() tells; one entry a box.
struct boxes_and_errors {
  std::vector<double> probabilities;  ///< of the boxes
  std::vector<double> means;          ///< E[b | box]
  std::vector<double> errors;         ///< the box's part of the error
  double error = 0.0;                 ///< of the table
};

/// Known functions of several inputs on a box: zcmoe_theory_field. What a callable throws is thrown
/// again behind the call.
struct field {
  std::vector<double> lo{0.0, 0.0};  ///< lower ends, [d]
  std::vector<double> hi{1.0, 1.0};  ///< upper ends, [d]
  point_function density;            ///< p, of any scale; empty: uniform
  point_function regression;         ///< b
  gradient_function gradient;        ///< of b

  /// @param segmentation  ZCMOE_THEORY_UNIFORM or ZCMOE_THEORY_OPTIMAL
  /// @return the coefficient of each axis: zcmoe_theory_axis_coefficients()
  std::vector<double> axis_coefficients(zcmoe_theory_segmentation segmentation) const {
    std::vector<double> result(lo.size());
    ask([&](const zcmoe_theory_field* f) {
      return zcmoe_theory_axis_coefficients(f, segmentation, result.data());
    });
    return result;
  }
  /// @param axis             j, from 0
  /// @param num_segments     m_j
  /// @param uniform_mixture  share of the uniform density
  /// @return the compander's edges of the axis: zcmoe_theory_axis_edges()
  std::vector<double> axis_edges(std::int64_t axis, std::int64_t num_segments,
                                 double uniform_mixture = 0.0) const {
    std::vector<double> edges(static_cast<std::size_t>(num_segments) + 1);
    std::int64_t built = 0;
    ask([&](const zcmoe_theory_field* f) {
      return zcmoe_theory_axis_edges(f, axis, num_segments, uniform_mixture, edges.data(), &built);
    });
    edges.resize(static_cast<std::size_t>(built) + 1);
    return edges;
  }
  /// @param family  of cells
  /// @return the coefficient of their least error: zcmoe_theory_cells_coefficient()
  double cells_coefficient(zcmoe_theory_cell_family family) const {
    double result = 0.0;
    ask([&](const zcmoe_theory_field* f) {
      return zcmoe_theory_cells_coefficient(f, family, &result);
    });
    return result;
  }
  /// @param boxes      lo and hi of each, [m 2 d]
  /// @param constants  of the boxes; empty: the means
  /// @return exact errors: zcmoe_theory_box_errors()
  boxes_and_errors box_errors(const std::vector<double>& boxes,
                              const std::vector<double>& constants = {}) const {
    const std::size_t m = boxes.size() / (2 * lo.size());
    if (boxes.size() != 2 * m * lo.size() || (!constants.empty() && constants.size() != m))
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "boxes or constants have a wrong length");
    boxes_and_errors result{std::vector<double>(m), std::vector<double>(m), std::vector<double>(m),
                            0.0};
    ask([&](const zcmoe_theory_field* f) {
      return zcmoe_theory_box_errors(f, boxes.data(), static_cast<std::int64_t>(m),
                                     constants.empty() ? nullptr : constants.data(),
                                     result.probabilities.data(), result.means.data(),
                                     result.errors.data(), &result.error);
    });
    return result;
  }
  /// @param num_boxes  m
  /// @return lo and hi of each box, [m 2 d]: zcmoe_theory_halving_tree()
  std::vector<double> halving_tree(std::int64_t num_boxes) const {
    std::vector<double> boxes(static_cast<std::size_t>(num_boxes) * 2 * lo.size());
    std::int64_t built = 0;
    ask([&](const zcmoe_theory_field* f) {
      return zcmoe_theory_halving_tree(f, num_boxes, boxes.data(), &built);
    });
    boxes.resize(static_cast<std::size_t>(built) * 2 * lo.size());
    return boxes;
  }

 private:
  struct calls {
    const field& functions;
    std::exception_ptr thrown = nullptr;

    template <class Call>
    void guarded(const Call& call) noexcept {
      if (thrown) return;
      try {
        call();
      } catch (...) {
        thrown = std::current_exception();
      }
    }
    static double density(void* user, const double* x) {
      auto& self = *static_cast<calls*>(user);
      double value = 0.0;
      self.guarded([&] { value = self.functions.density(x); });
      return value;
    }
    static double regression(void* user, const double* x) {
      auto& self = *static_cast<calls*>(user);
      double value = 0.0;
      self.guarded([&] { value = self.functions.regression(x); });
      return value;
    }
    static void gradient(void* user, const double* x, double* to) {
      auto& self = *static_cast<calls*>(user);
      for (std::size_t j = 0; j < self.functions.lo.size(); ++j) to[j] = 0.0;
      self.guarded([&] { self.functions.gradient(x, to); });
    }
  };
  template <class Call>
  void ask(const Call& call) const {
    if (lo.size() != hi.size())
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "lo and hi differ in length");
    calls state{*this};
    zcmoe_theory_field f = ZCMOE_THEORY_FIELD_INIT;
    f.num_inputs = static_cast<std::int64_t>(lo.size());
    f.lo = lo.data();
    f.hi = hi.data();
    if (density) f.density = &calls::density;
    if (regression) f.regression = &calls::regression;
    if (gradient) f.gradient = &calls::gradient;
    f.user = &state;
    const zcmoe_status status = call(&f);
    if (state.thrown) std::rethrow_exception(state.thrown);
    check(status);
  }
};

/// Computes the normalised moment of a shape: zcmoe_theory_moment().
/// @param shape       of cells
/// @param num_inputs  d
/// @return M
inline double moment(zcmoe_cell_shape shape, std::int64_t num_inputs) {
  double result = 0.0;
  check(zcmoe_theory_moment(shape, num_inputs, &result));
  return result;
}
/// Allocates segments to the axes of a grid: zcmoe_theory_allocate().
/// @param coefficients  of the axes
/// @param num_cells     m
/// @return numbers of segments, of product at most m
inline std::vector<std::int64_t> allocate(const std::vector<double>& coefficients,
                                          std::int64_t num_cells) {
  std::vector<std::int64_t> counts(coefficients.size());
  check(zcmoe_theory_allocate(coefficients.data(), static_cast<std::int64_t>(coefficients.size()),
                              num_cells, counts.data()));
  return counts;
}
/// The best real numbers of segments of the axes of a grid, and the error: zcmoe_theory_aspect().
struct aspect {
  std::vector<double> counts;  ///< m_j
  double error = 0.0;          ///< at high rate

  /// @param coefficients  of the axes
  /// @param num_cells     m
  aspect(const std::vector<double>& coefficients, double num_cells) : counts(coefficients.size()) {
    check(zcmoe_theory_aspect(coefficients.data(), static_cast<std::int64_t>(coefficients.size()),
                              num_cells, counts.data(), &error));
  }
};

}  // namespace zcmoe::theory
