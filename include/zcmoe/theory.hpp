// C++17 over theory.h: a problem made of callables, results by value, exceptions. Header-only;
// carries no ABI. theory.h documents each call.
//
//   zcmoe::theory::problem f;                       // x in [0, 1], no noise
//   f.density = [](double) { return 1.0; };
//   f.regression = [](double x) { return x * x; };
//   f.slope = [](double x) { return 2 * x; };
//   double optimal = f.coefficient(ZCMOE_THEORY_OPTIMAL);             // 0.864
//   auto best = zcmoe::theory::optimum(optimal / 12, 0.01, 1e5);      // m and excess risk
#pragma once

#include <zcmoe/theory.h>
#include <zcmoe/zcmoe.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace zcmoe::theory {

using function = std::function<double(double)>;

/// A function known at points only, and its slope: zcmoe_theory_curve_create. Copies share it.
///
///   zcmoe::theory::curve b(grid, values);
///   problem.regression = b;
///   problem.slope = b.slope();
///   problem.breaks = b.breaks();
class curve {
 public:
  curve(std::vector<double> grid, const std::vector<double>& values) : grid_(std::move(grid)) {
    if (grid_.size() != values.size()) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "grid and values differ in length");
    }
    zcmoe_theory_curve* handle = nullptr;
    check(zcmoe_theory_curve_create(grid_.data(), values.data(),
                                    static_cast<std::int64_t>(grid_.size()), &handle));
    handle_.reset(handle, [](zcmoe_theory_curve* own) { zcmoe_theory_curve_destroy(own); });
  }
  double operator()(double x) const { return zcmoe_theory_curve_value(handle_.get(), x); }
  function slope() const {
    return [handle = handle_](double x) { return zcmoe_theory_curve_slope(handle.get(), x); };
  }
  /// The inner points of the grid, where the slope has kinks.
  std::vector<double> breaks() const { return {grid_.begin() + 1, grid_.end() - 1}; }

 private:
  std::vector<double> grid_;
  std::shared_ptr<zcmoe_theory_curve> handle_;
};

/// zcmoe_theory_cells and zcmoe_theory_totals of a table.
struct cells {
  std::vector<double> probabilities;
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<double> errors;
  zcmoe_theory_totals totals{};
};

struct segments_and_excess {
  double num_segments = 0.0;
  double excess = 0.0;
};

/// zcmoe_theory_problem with callables; empty ones are not given. What a callable throws is thrown
/// again behind the call.
class problem {
 public:
  function density;
  function regression;
  function slope;
  function curvature;
  function density_slope;
  function noise_variance;
  function point_density;
  function point_density_slope;
  double noise = 0.0;
  double lo = 0.0;
  double hi = 1.0;
  std::vector<double> breaks;

  double coefficient(zcmoe_theory_segmentation segmentation, double power = 2.0) const {
    double value = 0.0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_coefficient(p, segmentation, power, &value);
    });
    return value;
  }
  double next_order(zcmoe_theory_segmentation segmentation) const {
    double value = 0.0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_next_order(p, segmentation, &value);
    });
    return value;
  }
  std::int64_t breakdown(zcmoe_theory_segmentation segmentation, double tolerance = 0.05,
                         std::int64_t max_segments = 4096) const {
    std::int64_t value = 0;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_breakdown(p, segmentation, tolerance, max_segments, &value);
    });
    return value;
  }
  double robustness() const {
    double value = 0.0;
    call(
        [&](const zcmoe_theory_problem* p) { return zcmoe_theory_robustness(p, &value, nullptr); });
    return value;
  }
  double robustness_second_order() const {
    double value = 0.0;
    call(
        [&](const zcmoe_theory_problem* p) { return zcmoe_theory_robustness(p, nullptr, &value); });
    return value;
  }
  cells approximation(const std::vector<double>& edges,
                      zcmoe_constant_rule rule = ZCMOE_CONSTANT_MEAN) const {
    return cells_of(edges, rule, nullptr);
  }
  cells approximation(const std::vector<double>& edges,
                      const std::vector<double>& constants) const {
    if (edges.size() != constants.size() + 1) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "edges must have one entry more than constants");
    }
    return cells_of(edges, ZCMOE_CONSTANT_MEAN, constants.data());
  }
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
  segments_and_excess noise_adaptive(std::int64_t n) const {
    segments_and_excess value;
    call([&](const zcmoe_theory_problem* p) {
      return zcmoe_theory_noise_adaptive(p, n, &value.num_segments, &value.excess);
    });
    return value;
  }
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

inline double error_of(double coefficient, std::int64_t num_segments, double power = 2.0) {
  double value = 0.0;
  check(zcmoe_theory_error(coefficient, power, num_segments, &value));
  return value;
}
inline double zero_gap(double density_order, double regression_order) {
  double value = 0.0;
  check(zcmoe_theory_zero_gap(density_order, regression_order, &value));
  return value;
}
inline double mean_reciprocal(std::int64_t n, double probability) {
  double value = 0.0;
  check(zcmoe_theory_mean_reciprocal(n, probability, &value));
  return value;
}
inline segments_and_excess optimum(double approximation, double variance, double n,
                                   std::int32_t dimension = 1) {
  segments_and_excess value;
  check(zcmoe_theory_optimum(approximation, variance, n, dimension, &value.num_segments,
                             &value.excess));
  return value;
}
inline double flatness(double ratio, std::int32_t dimension = 1) {
  double value = 0.0;
  check(zcmoe_theory_flatness(ratio, dimension, &value));
  return value;
}

/// Estimation error of n samples on cells as problem::approximation gives them. segment_errors, if
/// not null, receives one number a segment.
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

/// A fitted model as a table for the functions below; points into the model.
inline zcmoe_theory_table table_of(const model& fitted) {
  const zcmoe_model_info info = fitted.info();
  return {info.counts, info.constants, info.variances, info.edges, info.num_segments};
}
inline zcmoe_theory_statistics statistics(const zcmoe_theory_table& table, double noise = 0.0,
                                          const zcmoe_model_options& options = model_options()) {
  zcmoe_theory_statistics result{};
  check(zcmoe_theory_table_statistics(&table, &options, noise, &result));
  return result;
}
inline double rice(const std::vector<double>& targets) {
  double value = 0.0;
  check(zcmoe_theory_rice(targets.data(), static_cast<std::int64_t>(targets.size()), &value));
  return value;
}
inline zcmoe_theory_fit richardson(std::int64_t m, double within_m, double within_2m,
                                   std::int64_t n) {
  zcmoe_theory_fit fit{};
  check(zcmoe_theory_richardson(m, within_m, within_2m, n, &fit));
  return fit;
}
inline zcmoe_theory_ratio ratio_test(std::int64_t m, double within_m, double within_2m,
                                     double within_4m, std::int64_t n) {
  zcmoe_theory_ratio ratio{};
  check(zcmoe_theory_ratio_test(m, within_m, within_2m, within_4m, n, &ratio));
  return ratio;
}
inline zcmoe_theory_recommendation recommend(const std::vector<zcmoe_theory_table>& tables,
                                             const zcmoe_model_options& options = model_options()) {
  zcmoe_theory_recommendation result{};
  check(zcmoe_theory_recommend(tables.data(), static_cast<std::int64_t>(tables.size()), &options,
                               &result));
  return result;
}

}  // namespace zcmoe::theory
