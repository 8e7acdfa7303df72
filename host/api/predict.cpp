// The C functions that predict: they check every array and hand a job to the engine. The checks
// allocate nothing, since zcmoe_predict must not.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>

namespace {

using namespace zcmoe::detail;

struct checked_output {
  const char* name;
  const zcmoe_output* output;
};

void check_predict(const zcmoe_array& x, std::int64_t n, const zcmoe_predict_outputs& outputs) {
  check_input("x", x, n);
  const checked_output all[] = {{"outputs->values", &outputs.values},
                                {"outputs->segments", &outputs.segments},
                                {"outputs->standard_errors", &outputs.standard_errors},
                                {"outputs->variances", &outputs.variances},
                                {"outputs->counts", &outputs.counts}};
  const auto check = [&](int which, zcmoe_dtype first, zcmoe_dtype second, const char* allowed) {
    check_output(all[which].name, *all[which].output, n, first, second, allowed);
  };
  check(0, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check(1, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
  check(2, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check(3, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check(4, ZCMOE_I64, ZCMOE_I64, "I64");
  check_alignment(outputs.report, "outputs->report");

  const named_array input = named("x", x.data, x.dtype, x.stride, n);
  array_list<6> written;
  if (outputs.report != nullptr) {
    const auto address = reinterpret_cast<std::uintptr_t>(outputs.report);
    written.add({"outputs->report", {address, address + sizeof(zcmoe_report)}, 0, 0});
  }
  for (const checked_output& checked : all) {
    const zcmoe_output& output = *checked.output;
    if (output.data == nullptr) continue;
    written.add(named(checked.name, output.data, output.dtype, output.stride, n));
  }
  for (const named_array& a : written) {
    const bool in_place = a.span.first == input.span.first && a.size == input.size &&
                          a.step == input.step && a.span.last == input.span.last;
    ZCMOE_EXPECTS(in_place || !overlap(a, input), a.name,
                  " overlaps x: only the same data, element size and stride may be shared");
    for (const named_array* b = &a + 1; b != written.end(); ++b) {
      ZCMOE_EXPECTS(!overlap(a, *b), a.name, " overlaps ", b->name);
    }
  }
}

/// Checks the arguments and calls predict(engine, job) with what they ask for, unless there are no
/// rows.
template <class Predict>
zcmoe_status checked(const char* function, const zcmoe_model* model, const zcmoe_array& x,
                     std::int64_t n, const zcmoe_predict_outputs* outputs, const Predict& predict) {
  return guard(function, [&] {
    check_handle(model, "model");
    check_num_rows(n);
    check_pointer(outputs, "outputs");
    const auto wanted =
        read_options(outputs, zcmoe_predict_outputs ZCMOE_PREDICT_OUTPUTS_INIT, "outputs");
    if (n == 0) return;
    check_predict(x, n, wanted);
    predict(model->model->engine(), model->model->job(x, n, wanted));
  });
}

}  // namespace

extern "C" zcmoe_status zcmoe_predict(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                      const zcmoe_predict_outputs* outputs, zcmoe_stream stream) {
  return checked(
      "zcmoe_predict", model, x, n, outputs,
      [stream](const backend& engine, const predict_job& job) { engine.predict(job, stream); });
}

extern "C" zcmoe_status zcmoe_predict_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                           const zcmoe_predict_outputs* outputs,
                                           zcmoe_stream stream) {
  return checked("zcmoe_predict_sync", model, x, n, outputs,
                 [stream](const backend& engine, const predict_job& job) {
                   engine.predict_sync(job, stream);
                 });
}
