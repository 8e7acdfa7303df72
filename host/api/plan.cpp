// The C functions of plan.h: they check the arguments and call host/planning/plan.cpp and
// host/planning/diagnosis.cpp.
#include "host/api/arguments.hpp"
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
  check_size(options.fit_rows, "options->fit_rows", 0, std::numeric_limits<std::int64_t>::max());
  check_size(options.max_segments, "options->max_segments", 1, ZCMOE_PLAN_MAX_SEGMENTS);
  ZCMOE_EXPECTS(options.lines == 0 || options.lines == 1, "options->lines=", options.lines,
                " is neither 0 nor 1");
  ZCMOE_EXPECTS(options.holdout >= 0 && options.holdout <= 0.5,
                "options->holdout=", options.holdout, "; expected 0 to 0.5");
  check_finite(options.lo, "options->lo");
  check_finite(options.hi, "options->hi");
  ZCMOE_EXPECTS(options.lo <= options.hi, "options->lo=", options.lo,
                " is greater than options->hi=", options.hi);
  check_share(options.uniform_mixture, "options->uniform_mixture");
  check_amount(options.floor, "options->floor");
  check_amount(options.min_count, "options->min_count");
  check_size(options.pilot_bins, "options->pilot_bins", 0, ZCMOE_MAX_PILOT_BINS);
  return options;
}

}  // namespace

extern "C" zcmoe_status zcmoe_plan(zcmoe_context* context, zcmoe_array x, zcmoe_array y,
                                   zcmoe_array weights, int64_t n,
                                   const zcmoe_model_options* model_options,
                                   const zcmoe_plan_options* options, zcmoe_plan_result* result) {
  return guard("zcmoe_plan", [&] {
    check_handle(context, "context");
    check_num_rows(n);
    check_input("x", x, n);
    check_values("y", y, n);
    if (weights.data != nullptr) check_values("weights", weights, n);
    const auto model =
        read_options(model_options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "model_options");
    const model_policies policies(model);  // the constructor checks the options
    const zcmoe_plan_options chosen = read(options);
    checked_struct_size(result, "result");
    const auto planned = plan_of(context->engine, x, y, weights, n, model, chosen);
    write_info(result, *planned, "result");
  });
}

extern "C" zcmoe_status zcmoe_model_diagnose(const zcmoe_model* model,
                                             const zcmoe_diagnosis_segments* segments,
                                             zcmoe_model_diagnosis* diagnosis) {
  return guard("zcmoe_model_diagnose", [&] {
    const zcmoe::detail::model& from = table_of(model);
    zcmoe_diagnosis_segments wanted = ZCMOE_DIAGNOSIS_SEGMENTS_INIT;
    check_alignment(segments, "segments");
    if (segments != nullptr) wanted = *segments;
    check_alignment(wanted.approximation, "segments->approximation");
    check_alignment(wanted.estimation, "segments->estimation");
    checked_struct_size(diagnosis, "diagnosis");
    write_info(diagnosis, diagnosis_of(from, wanted), "diagnosis");
  });
}

extern "C" zcmoe_status zcmoe_model_intervals(const zcmoe_model* model, double confidence,
                                              double* lower, double* upper) {
  return guard("zcmoe_model_intervals", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_fraction(confidence, "confidence");
    check_pointer(lower, "lower");
    check_pointer(upper, "upper");
    intervals_of(from, confidence, lower, upper);
  });
}
