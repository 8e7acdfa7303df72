// The C function of compile.h: checks the arguments and calls host/planning/compile.cpp. Models are
// made, and predict, through the C interface itself, so that what is verified is what a caller
// gets.
#include "host/api/arguments.hpp"
#include "host/api/options.hpp"
#include "host/model/model.hpp"
#include "host/planning/compile.hpp"

#include <zcmoe/compile.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

namespace {

using namespace zcmoe::detail;

struct model_destroyer {
  void operator()(zcmoe_model* model) const noexcept { zcmoe_model_destroy(model); }
};
using owned_model = std::unique_ptr<zcmoe_model, model_destroyer>;

void check(zcmoe_status status) {
  if (status != ZCMOE_OK) fail(status, std::string(zcmoe_last_error()));
}

zcmoe_compile_options read(const zcmoe_compile_options* given) {
  const auto options =
      read_options(given, zcmoe_compile_options ZCMOE_COMPILE_OPTIONS_INIT, "options");
  ZCMOE_EXPECTS(options.error == ZCMOE_COMPILE_RMS || options.error == ZCMOE_COMPILE_MAX,
                "options->error=", options.error,
                "; expected ZCMOE_COMPILE_RMS (0) or ZCMOE_COMPILE_MAX (1)");
  check_size(options.max_segments, "options->max_segments", 1, ZCMOE_MAX_SEGMENTS);
  check_size(options.scan_parts, "options->scan_parts", 16, std::int64_t{1} << 20);
  check_size(options.compared_segments, "options->compared_segments", 0, ZCMOE_MAX_SEGMENTS);
  return options;
}

zcmoe_model* model_of(zcmoe_context* context, const std::vector<double>& edges,
                      const std::vector<zcmoe_line>& experts, const zcmoe_model_options& policies) {
  const auto num_segments = static_cast<std::int64_t>(experts.size());
  zcmoe_model* made = nullptr;
  if (policies.experts != ZCMOE_EXPERTS_CONSTANT) {
    check(zcmoe_model_create_lines(context, edges.data(), experts.data(), num_segments, &policies,
                                   &made));
    return made;
  }
  std::vector<double> constants;
  constants.reserve(experts.size());
  for (const zcmoe_line& level : experts) constants.push_back(level.value);
  check(
      zcmoe_model_create(context, edges.data(), constants.data(), num_segments, &policies, &made));
  return made;
}

}  // namespace

extern "C" {

zcmoe_status zcmoe_compile(zcmoe_context* context, zcmoe_function function, zcmoe_function density,
                           void* user, double lo, double hi, double tolerance,
                           const zcmoe_compile_options* options,
                           const zcmoe_model_options* model_options, zcmoe_model** model,
                           zcmoe_compile_result* result) {
  return guard("zcmoe_compile", [&] {
    check_handle(context, "context");
    check_pointer(function, "function");
    check_range(lo, hi);
    ZCMOE_EXPECTS(std::isfinite(hi - lo), "hi - lo overflows: lo=", lo, ", hi=", hi);
    check_positive(tolerance, "tolerance");
    const zcmoe_compile_options chosen = read(options);
    ZCMOE_EXPECTS(chosen.error != ZCMOE_COMPILE_MAX || density == nullptr,
                  "density is given, but the maximum error does not depend on it");
    const auto policies =
        read_options(model_options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "model_options");
    const model_policies checked(policies);  // before the work, not behind it
    check_pointer(model, "model");
    if (result != nullptr) checked_struct_size(result, "result");

    compile_job job{};
    job.function = [function, user](double x) { return function(user, x); };
    if (density != nullptr) job.density = [density, user](double x) { return density(user, x); };
    job.lo = lo;
    job.hi = hi;
    job.tolerance = tolerance;
    job.options = chosen;
    job.closed_right = policies.closed_side == ZCMOE_CLOSED_RIGHT;
    job.experts = checked.options.experts;
    job.outer_edge = policies.include_outer_edge != 0;
    owned_model made;
    const zcmoe_compile_result found = compile_table(
        job, [&](const std::vector<double>& edges, const std::vector<zcmoe_line>& experts) {
          made.reset(model_of(context, edges, experts, policies));
          zcmoe_model* handle = made.get();
          return [handle](const std::vector<double>& inputs) {
            std::vector<double> values(inputs.size());
            zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
            outputs.values = {values.data(), ZCMOE_F64, 1};
            check(zcmoe_predict_sync(handle, {inputs.data(), ZCMOE_F64, 1},
                                     static_cast<std::int64_t>(inputs.size()), &outputs, nullptr));
            return values;
          };
        });
    if (result != nullptr) write_info(result, found, "result");
    *model = made.release();
  });
}

}  // extern "C"
