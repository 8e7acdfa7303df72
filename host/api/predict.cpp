// The C functions that predict: they check every array and hand a job to the engine. The checks
// allocate nothing, since zcmoe_predict must not.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>

namespace {

using namespace zcmoe::detail;

void check_predict(const zcmoe_array& x, std::int64_t n, const zcmoe_predict_outputs& outputs) {
  check_input("x", x, n);
  const named_array input = named("x", x.data, x.dtype, x.stride, n);
  for (const named_array& a : checked_outputs(outputs, n)) {
    const bool in_place = a.span.first == input.span.first && a.size == input.size &&
                          a.step == input.step && a.span.last == input.span.last;
    ZCMOE_EXPECTS(in_place || !overlap(a, input), a.name,
                  " overlaps x: only the same data, element size and stride may be shared");
  }
}

/// Checks the arguments and calls predict(engine, job) with what they ask for, unless there are no
/// rows.
template <class Predict>
zcmoe_status checked(const char* function, const zcmoe_model* model, const zcmoe_array& x,
                     std::int64_t n, const zcmoe_predict_outputs* outputs, const Predict& predict) {
  return guard(function, [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_num_rows(n);
    check_pointer(outputs, "outputs");
    const auto wanted =
        read_options(outputs, zcmoe_predict_outputs ZCMOE_PREDICT_OUTPUTS_INIT, "outputs");
    if (n == 0) return;
    check_predict(x, n, wanted);
    predict(from.engine(), from.job(x, n, wanted));
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
