// The C functions of plan.h: arguments checked here, work done in plan.cpp and diagnosis.cpp.
#include "host/array.hpp"
#include "host/api/array_check.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/planning/diagnosis.hpp"
#include "host/planning/plan.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using namespace zcmoe::detail;

zcmoe_plan_options read(const zcmoe_plan_options* given) {
  const auto options = read_options(given, zcmoe_plan_options ZCMOE_PLAN_OPTIONS_INIT, "options");
  ZCMOE_EXPECTS(options.fit_rows >= 0, "options->fit_rows=", options.fit_rows, "; expected >= 0");
  ZCMOE_EXPECTS(options.max_segments >= 1 && options.max_segments <= ZCMOE_PLAN_MAX_SEGMENTS,
                "options->max_segments=", options.max_segments, "; expected 1 to ",
                ZCMOE_PLAN_MAX_SEGMENTS);
  ZCMOE_EXPECTS(options.holdout >= 0 && options.holdout <= 0.5,
                "options->holdout=", options.holdout, "; expected 0 to 0.5");
  ZCMOE_EXPECTS(std::isfinite(options.lo), "options->lo=", options.lo, " is not finite");
  ZCMOE_EXPECTS(std::isfinite(options.hi), "options->hi=", options.hi, " is not finite");
  ZCMOE_EXPECTS(options.lo <= options.hi, "options->lo=", options.lo,
                " is greater than options->hi=", options.hi);
  ZCMOE_EXPECTS(options.uniform_mixture >= 0 && options.uniform_mixture <= 1,
                "options->uniform_mixture=", options.uniform_mixture, "; expected 0 to 1");
  ZCMOE_EXPECTS(options.floor >= 0 && std::isfinite(options.floor),
                "options->floor=", options.floor, "; expected a finite number >= 0");
  ZCMOE_EXPECTS(options.min_count >= 0 && std::isfinite(options.min_count),
                "options->min_count=", options.min_count, "; expected a finite number >= 0");
  ZCMOE_EXPECTS(options.pilot_bins >= 0, "options->pilot_bins=", options.pilot_bins,
                "; expected >= 0");
  return options;
}

}  // namespace

extern "C" zcmoe_status zcmoe_plan(zcmoe_context* context, zcmoe_array x, zcmoe_array y,
                                   zcmoe_array weights, int64_t n,
                                   const zcmoe_model_options* model_options,
                                   const zcmoe_plan_options* options, zcmoe_plan_result* result) {
  return guard("zcmoe_plan", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    ZCMOE_EXPECTS(n >= 0, "n=", n, "; expected n >= 0");
    check_input(x, "x", n);
    check_input(y, "y", n);
    if (weights.data != nullptr) check_input(weights, "weights", n);
    const auto model =
        read_options(model_options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "model_options");
    const model_policies policies(model);  // checks them
    const zcmoe_plan_options chosen = read(options);
    ZCMOE_EXPECTS(result != nullptr, "result is null");
    write_info(result, plan_of(context->engine, x, y, weights, n, model, chosen), "result");
  });
}

extern "C" zcmoe_status zcmoe_model_diagnose(const zcmoe_model* model,
                                             const zcmoe_diagnosis_segments* segments,
                                             zcmoe_model_diagnosis* diagnosis) {
  return guard("zcmoe_model_diagnose", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(diagnosis != nullptr, "diagnosis is null");
    const zcmoe_diagnosis_segments none = ZCMOE_DIAGNOSIS_SEGMENTS_INIT;
    write_info(diagnosis, diagnosis_of(*model->model, segments == nullptr ? none : *segments),
               "diagnosis");
  });
}

extern "C" zcmoe_status zcmoe_model_intervals(const zcmoe_model* model, double confidence,
                                              double* lower, double* upper) {
  return guard("zcmoe_model_intervals", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(confidence > 0 && confidence < 1, "confidence=", confidence,
                  "; expected more than 0, less than 1");
    ZCMOE_EXPECTS(lower != nullptr, "lower is null");
    ZCMOE_EXPECTS(upper != nullptr, "upper is null");
    intervals_of(*model->model, confidence, lower, upper);
  });
}
