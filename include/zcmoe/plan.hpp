/// @file
/// C++17 over plan.h: results by value, exceptions. Header-only; carries no ABI. plan.h documents
/// each call. Where the C function returns another status than ZCMOE_OK, the function here throws
/// zcmoe::error.
///
/// @code
///   zcmoe::context context;
///   zcmoe_plan_result plan = zcmoe::make_plan(context, x, y);
///   std::int64_t m = plan.candidates[ZCMOE_PLAN_OPTIMAL].num_segments;
///   auto edges = zcmoe::optimal_edges_from_data(x, y, m);
///   ...
///   double expected = zcmoe::diagnose(model).totals.risk;
/// @endcode
#pragma once

#include <zcmoe/plan.h>
#include <zcmoe/zcmoe.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe {

/// Options to change some of.
/// @return all defaults
inline zcmoe_plan_options plan_options() { return ZCMOE_PLAN_OPTIONS_INIT; }

/// Plans how many segments to take, from samples in host memory: zcmoe_plan().
/// @param context  whose engine fits
/// @param x        inputs, [n]
/// @param y        targets, [n]
/// @param weights  [n]; may be no_array()
/// @param n        number of rows
/// @param options  how the plan is made
/// @param model    policies of the models to come
/// @return what is recommended for each segmentation
inline zcmoe_plan_result make_plan(const context& context, zcmoe_array x, zcmoe_array y,
                                   zcmoe_array weights, std::int64_t n,
                                   const zcmoe_plan_options& options = plan_options(),
                                   const zcmoe_model_options& model = model_options()) {
  zcmoe_plan_result result{};
  result.struct_size = sizeof result;
  check(zcmoe_plan(context.get(), x, y, weights, n, &model, &options, &result));
  return result;
}
/// Plans from samples without weights. It also throws error if x and y differ in length.
/// @param context  whose engine fits
/// @param x        inputs
/// @param y        targets
/// @param options  how the plan is made
/// @param model    policies of the models to come
/// @return what is recommended for each segmentation
template <class X, class Y>
zcmoe_plan_result make_plan(const context& context, const std::vector<X>& x,
                            const std::vector<Y>& y,
                            const zcmoe_plan_options& options = plan_options(),
                            const zcmoe_model_options& model = model_options()) {
  if (x.size() != y.size()) throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  return make_plan(context, array(x.data()), array(y.data()), no_array(),
                   static_cast<std::int64_t>(x.size()), options, model);
}

/// zcmoe_model_diagnosis with the share of each segment.
struct diagnosis {
  zcmoe_model_diagnosis totals{};     ///< of the whole model
  std::vector<double> approximation;  ///< share of E_app, [num_segments]
  std::vector<double> estimation;     ///< share of E_est, [num_segments]
};
/// Computes the expected risk of a fitted model: zcmoe_model_diagnose().
/// @param fitted  the model
/// @return the risk and its parts
inline diagnosis diagnose(const model& fitted) {
  diagnosis d;
  const auto segments = static_cast<std::size_t>(fitted.info().num_segments);
  d.approximation.resize(segments);
  d.estimation.resize(segments);
  d.totals.struct_size = sizeof d.totals;
  const zcmoe_diagnosis_segments out{d.approximation.data(), d.estimation.data()};
  check(zcmoe_model_diagnose(fitted.get(), &out, &d.totals));
  return d;
}

/// Confidence intervals of the segments' true means, by slot.
struct intervals {
  std::vector<double> lower;  ///< [num_slots]; NaN with fewer than two rows
  std::vector<double> upper;  ///< likewise
};
/// Computes confidence intervals of the segments' true means: zcmoe_model_intervals().
/// @param fitted      the model
/// @param confidence  between 0 and 1, exclusive
/// @return one interval a slot
inline intervals intervals_of(const model& fitted, double confidence = 0.95) {
  intervals i;
  const auto slots = static_cast<std::size_t>(fitted.info().num_slots);
  i.lower.resize(slots);
  i.upper.resize(slots);
  check(zcmoe_model_intervals(fitted.get(), confidence, i.lower.data(), i.upper.data()));
  return i;
}

}  // namespace zcmoe
