// The C functions of fits: they add rows, merge and serialise states, and make models. Each checks
// its arguments and makes one call of host/model.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/api/point_rows.hpp"
#include "host/model/model_io.hpp"

#include <zcmoe/points.h>
#include <zcmoe/zcmoe.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using namespace zcmoe::detail;

void check_targets(const zcmoe::detail::fit& fit, const zcmoe_array& y, const zcmoe_array& weights,
                   std::int64_t n) {
  const zcmoe_dtype target_dtype = fit.layout().target_dtype;
  check_target("y", y, n, target_dtype);
  if (fit.layout().weighted) {
    check_target("weights", weights, n, target_dtype);
  } else {
    ZCMOE_EXPECTS(weights.data == nullptr,
                  "weights.data is given, but the fit was created with weighted = 0");
  }
}

std::int64_t num_inputs_of(const zcmoe::detail::fit& fit) {
  return fit.numbers() != nullptr ? fit.numbers()->tables().num_inputs : 1;
}

/// Rows of one input, once all arguments are checked, to body(fit, rows), unless there are none.
template <class Body>
void with_rows(const zcmoe_fit* handle, const zcmoe_array& x, const zcmoe_array& y,
               const zcmoe_array& weights, std::int64_t n, const Body& body) {
  check_handle(handle, "fit");
  zcmoe::detail::fit& fit = *handle->fit;
  ZCMOE_EXPECTS(fit.numbers() == nullptr, "fit has ", num_inputs_of(fit),
                " inputs: zcmoe_fit_add_points() takes them");
  check_num_rows(n);
  if (n == 0) return;
  check_input("x", x, n);
  check_targets(fit, y, weights, n);
  body(fit, fit.rows(x, n));
}

/// The same of several inputs.
template <class Body>
void with_rows(const zcmoe_fit* handle, const zcmoe_points* given, const zcmoe_array& y,
               const zcmoe_array& weights, std::int64_t n, const Body& body) {
  check_handle(handle, "fit");
  zcmoe::detail::fit& fit = *handle->fit;
  const zcmoe_points x = read_points_of(given);
  check_num_rows(n);
  check_num_inputs(x, num_inputs_of(fit), "fit");
  if (n == 0) return;
  check_columns(x, n, fit.numbers(), [](const column_name&, const zcmoe_array&) {});
  check_targets(fit, y, weights, n);
  if (fit.numbers() == nullptr) {
    body(fit, fit.rows(x.columns[0], n));
  } else {
    const points_batch batch(*fit.numbers(), x, n);
    body(fit, batch.rows());
  }
}

}  // namespace

extern "C" zcmoe_status zcmoe_fit_create(zcmoe_context* context, const double* edges,
                                         int64_t num_segments,
                                         const zcmoe_model_options* model_options,
                                         const zcmoe_fit_options* fit_options, zcmoe_fit** fit) {
  return guard("zcmoe_fit_create", [&] {
    check_handle(context, "context");
    check_pointer(fit, "fit");
    check_pointer(edges, "edges");
    check_num_segments(num_segments);
    model_policies policies(
        read_options(model_options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "model_options"));
    const auto options =
        read_options(fit_options, zcmoe_fit_options ZCMOE_FIT_OPTIONS_INIT, "fit_options");
    auto made = std::make_unique<zcmoe_fit>();
    made->fit = std::make_unique<zcmoe::detail::fit>(
        context->engine, std::vector<double>(edges, edges + num_segments + 1), std::move(policies),
        options);
    *fit = made.release();
  });
}

extern "C" zcmoe_status zcmoe_fit_destroy(zcmoe_fit* fit) {
  return guard("zcmoe_fit_destroy", [&] { delete fit; });
}

extern "C" zcmoe_status zcmoe_fit_workspace(const zcmoe_fit* fit, int64_t n, size_t* bytes) {
  return guard("zcmoe_fit_workspace", [&] {
    check_handle(fit, "fit");
    check_pointer(bytes, "bytes");
    check_num_rows(n);
    *bytes = fit->fit->workspace(n);
  });
}

extern "C" zcmoe_status zcmoe_fit_add(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                      zcmoe_array weights, int64_t n, void* workspace,
                                      size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_fit_add", [&] {
    check_workspace(workspace);
    with_rows(fit, x, y, weights, n, [&](class fit& to, const zcmoe::detail::points& rows) {
      to.add(rows, y, weights, workspace, workspace_bytes, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_fit_add_sync(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                           zcmoe_array weights, int64_t n, zcmoe_stream stream) {
  return guard("zcmoe_fit_add_sync", [&] {
    with_rows(fit, x, y, weights, n, [&](class fit& to, const zcmoe::detail::points& rows) {
      to.add_sync(rows, y, weights, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_fit_create_points(zcmoe_context* context,
                                                const zcmoe_model* partition,
                                                const zcmoe_points_fit_options* options,
                                                const zcmoe_fit_options* fit_options,
                                                zcmoe_fit** fit) {
  return guard("zcmoe_fit_create_points", [&] {
    check_handle(context, "context");
    check_handle(partition, "partition");
    check_pointer(fit, "fit");
    ZCMOE_EXPECTS(partition->points != nullptr,
                  "partition has 1 input: zcmoe_fit_create() takes its edges");
    const auto own =
        read_options(options, zcmoe_points_fit_options ZCMOE_POINTS_FIT_OPTIONS_INIT, "options");
    ZCMOE_EXPECTS(
        own.empty_policy == ZCMOE_EMPTY_KEEP || own.empty_policy == ZCMOE_EMPTY_NAN ||
            own.empty_policy == ZCMOE_EMPTY_GLOBAL_MEAN || own.empty_policy == ZCMOE_EMPTY_VALUE,
        "options->empty_policy=", own.empty_policy, " is none of a fit of several inputs");
    check_size(own.weights_kind, "options->weights_kind", ZCMOE_WEIGHTS_SAMPLING,
               ZCMOE_WEIGHTS_PRECISION);
    ZCMOE_EXPECTS(!std::isinf(own.empty_value), "options->empty_value=", own.empty_value,
                  " is infinite");
    const auto rows =
        read_options(fit_options, zcmoe_fit_options ZCMOE_FIT_OPTIONS_INIT, "fit_options");
    auto made = std::make_unique<zcmoe_fit>();
    made->fit = std::make_unique<zcmoe::detail::fit>(
        context->engine, fit_segments{partition->points->data(), own}, rows);
    *fit = made.release();
  });
}

extern "C" zcmoe_status zcmoe_fit_add_points(zcmoe_fit* fit, const zcmoe_points* x, zcmoe_array y,
                                             zcmoe_array weights, int64_t n, void* workspace,
                                             size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_fit_add_points", [&] {
    check_workspace(workspace);
    with_rows(fit, x, y, weights, n, [&](class fit& to, const zcmoe::detail::points& rows) {
      to.add(rows, y, weights, workspace, workspace_bytes, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_fit_add_points_sync(zcmoe_fit* fit, const zcmoe_points* x,
                                                  zcmoe_array y, zcmoe_array weights, int64_t n,
                                                  zcmoe_stream stream) {
  return guard("zcmoe_fit_add_points_sync", [&] {
    with_rows(fit, x, y, weights, n, [&](class fit& to, const zcmoe::detail::points& rows) {
      to.add_sync(rows, y, weights, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_fit_merge(zcmoe_fit* fit, const zcmoe_fit* source,
                                        zcmoe_stream stream) {
  return guard("zcmoe_fit_merge", [&] {
    check_handle(fit, "fit");
    check_handle(source, "source");
    fit->fit->merge(*source->fit, stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_get_report(const zcmoe_fit* fit, zcmoe_report* report,
                                             zcmoe_stream stream) {
  return guard("zcmoe_fit_get_report", [&] {
    check_handle(fit, "fit");
    check_pointer(report, "report");
    *report = fit->fit->report(stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_finish(const zcmoe_fit* fit, zcmoe_model** model,
                                         zcmoe_stream stream) {
  return guard("zcmoe_fit_finish", [&] {
    check_handle(fit, "fit");
    check_pointer(model, "model");
    if (fit->fit->numbers() != nullptr) {
      hand_out(fit->fit->finish_points(stream), model);
    } else {
      hand_out(fit->fit->finish(stream), model);
    }
  });
}

extern "C" zcmoe_status zcmoe_fit_serialize(const zcmoe_fit* fit, void* buffer, size_t capacity,
                                            size_t* bytes, zcmoe_stream stream) {
  return guard("zcmoe_fit_serialize", [&] {
    check_handle(fit, "fit");
    check_pointer(bytes, "bytes");
    give_bytes(serialize_fit(*fit->fit, stream), "state", buffer, capacity, bytes);
  });
}

extern "C" zcmoe_status zcmoe_fit_deserialize(zcmoe_context* context, const void* buffer,
                                              size_t bytes, zcmoe_fit** fit) {
  return guard("zcmoe_fit_deserialize", [&] {
    check_handle(context, "context");
    check_pointer(buffer, "buffer");
    check_pointer(fit, "fit");
    auto made = std::make_unique<zcmoe_fit>();
    made->fit = deserialize_fit(context->engine, buffer, bytes);
    *fit = made.release();
  });
}
