// The C functions that group rows by segment: they check every array and hand a job to the engine.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/api/point_rows.hpp"

#include <zcmoe/points.h>
#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace zcmoe::detail;

constexpr int most_arrays = 3 + 2 * static_cast<int>(ZCMOE_GROUP_MAX_COLUMNS);

/// Reads and checks the outputs of a grouping. No array may overlap another, since rows are moved.
/// over_inputs(visit) checks the inputs and calls visit(name, array) for each.
template <class OverInputs>
zcmoe_group_outputs read_group(std::int64_t n, std::int64_t num_slots,
                               const zcmoe_group_outputs* outputs, const OverInputs& over_inputs) {
  check_pointer(outputs, "outputs");
  const auto wanted =
      read_options(outputs, zcmoe_group_outputs ZCMOE_GROUP_OUTPUTS_INIT, "outputs");
  ZCMOE_EXPECTS(wanted.num_columns >= 0 && wanted.num_columns <= ZCMOE_GROUP_MAX_COLUMNS,
                "outputs->num_columns=", wanted.num_columns, " is not in 0..",
                ZCMOE_GROUP_MAX_COLUMNS);
  if (wanted.num_columns > 0) check_pointer(wanted.columns, "outputs->columns");
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
    names.push_back(text("outputs->columns[", c, "].from"));
    names.push_back(text("outputs->columns[", c, "].to"));
  }
  array_list<most_arrays> read;
  array_list<most_arrays> written;
  const auto reads = [&](const char* name, const zcmoe_array& a) {
    read.add(named(name, a.data, a.dtype, a.stride, n));
  };
  const auto writes = [&](const char* name, const zcmoe_output& a, std::int64_t length) {
    if (a.data != nullptr) written.add(named(name, a.data, a.dtype, a.stride, length));
  };
  check_output("outputs->offsets", wanted.offsets, num_slots + 1, ZCMOE_I64, ZCMOE_I64, "I64");
  writes("outputs->offsets", wanted.offsets, num_slots + 1);
  if (n > 0) {
    over_inputs([](const auto&, const zcmoe_array&) {});
    check_output("outputs->rows", wanted.rows, n, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
    ZCMOE_EXPECTS(wanted.rows.data == nullptr || wanted.rows.dtype == ZCMOE_I64 ||
                      n <= std::numeric_limits<std::int32_t>::max(),
                  "outputs->rows.dtype is I32, but n=", n, " has row numbers above 2^31 - 1");
    writes("outputs->rows", wanted.rows, n);
    for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
      const zcmoe_group_column& column = wanted.columns[c];
      const char* const from = names[static_cast<std::size_t>(2 * c)].c_str();
      const char* const to = names[static_cast<std::size_t>(2 * c + 1)].c_str();
      ZCMOE_EXPECTS(size_of(column.from.dtype) > 0, from, ".dtype=", column.from.dtype,
                    " is not a ZCMOE_ dtype");
      check_data(from, column.from.data, column.from.dtype, column.from.stride, n);
      ZCMOE_EXPECTS(column.to.data != nullptr, to, ".data is null");
      check_output(to, column.to, n, column.from.dtype, column.from.dtype,
                   "the dtype of its source");
      reads(from, column.from);
      writes(to, column.to, n);
    }
  }
  if (n > 0) {
    over_inputs(
        [&](const auto& name, const zcmoe_array& input) { check_apart(written, name, input, n); });
  }
  for (const named_array& a : written) {
    for (const named_array& input : read) {
      ZCMOE_EXPECTS(!overlap(a, input), a.name, " overlaps ", input.name);
    }
    for (const named_array* b = &a + 1; b != written.end(); ++b) {
      ZCMOE_EXPECTS(!overlap(a, *b), a.name, " overlaps ", b->name);
    }
  }
  return wanted;
}

/// The job of grouping rows of one input, once all arguments are checked, to body(engine, job).
template <class Body>
void with_job(const zcmoe::detail::model& from, const zcmoe_array& x, std::int64_t n,
              const zcmoe_group_outputs* outputs, const Body& body) {
  check_num_rows(n);
  const auto wanted =
      read_group(n, zcmoe::num_slots_of(from.view().num_segments), outputs, [&](const auto& visit) {
        check_input("x", x, n);
        visit("x", x);
      });
  body(from.engine(), from.job(x, n, wanted));
}

/// The segments of a model of one input or of several that has some.
std::int64_t num_slots_of_points(const zcmoe_model* model) {
  check_handle(model, "model");
  if (model->points == nullptr) return zcmoe::num_slots_of(model->model->view().num_segments);
  ZCMOE_EXPECTS(model->points->has_segments(),
                "the model's answers are sums: it has no segments to group by");
  return zcmoe::num_slots_of(model->points->tables().head.num_segments());
}

/// The same of rows of a model of one input or of several.
template <class Body>
void with_job(const zcmoe_model* model, const zcmoe_points* given, std::int64_t n,
              const zcmoe_group_outputs* outputs, const Body& body) {
  const std::int64_t num_slots = num_slots_of_points(model);
  const zcmoe_points x = read_points_of(given);
  check_num_rows(n);
  check_num_inputs(x, num_inputs_of(*model), "model");
  const auto wanted = read_group(n, num_slots, outputs, [&](const auto& visit) {
    check_columns(x, n, model->points.get(), visit);
  });
  if (model->points == nullptr) {
    const zcmoe_array column = n == 0 ? zcmoe_array{nullptr, ZCMOE_F64, 1} : x.columns[0];
    body(model->model->engine(), model->model->job(column, n, wanted));
    return;
  }
  zcmoe_points rows = x;
  const std::vector<zcmoe_array> none(n == 0 ? static_cast<std::size_t>(x.num_inputs) : 0,
                                      zcmoe_array{nullptr, ZCMOE_F64, 1});
  if (n == 0) rows.columns = none.data();
  const points_batch batch(*model->points, rows, n);
  group_job job{};
  job.num_slots = num_slots;
  job.rows = batch.rows();
  add_outputs(wanted, job);
  body(model->points->engine(), job);
}

}  // namespace

extern "C" zcmoe_status zcmoe_group(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                    const zcmoe_group_outputs* outputs, void* workspace,
                                    size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_group", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_workspace(workspace);
    with_job(from, x, n, outputs, [&](backend& engine, group_job job) {
      job.workspace = workspace;
      job.workspace_bytes = workspace_bytes;
      engine.group(job, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_group_points(const zcmoe_model* model, const zcmoe_points* x,
                                           int64_t n, const zcmoe_group_outputs* outputs,
                                           void* workspace, size_t workspace_bytes,
                                           zcmoe_stream stream) {
  return guard("zcmoe_group_points", [&] {
    check_workspace(workspace);
    with_job(model, x, n, outputs, [&](backend& engine, group_job job) {
      job.workspace = workspace;
      job.workspace_bytes = workspace_bytes;
      engine.group(job, stream);
    });
  });
}

extern "C" zcmoe_status zcmoe_group_points_sync(const zcmoe_model* model, const zcmoe_points* x,
                                                int64_t n, const zcmoe_group_outputs* outputs,
                                                zcmoe_stream stream) {
  return guard("zcmoe_group_points_sync", [&] {
    with_job(model, x, n, outputs,
             [&](backend& engine, const group_job& job) { engine.group_sync(job, stream); });
  });
}

extern "C" zcmoe_status zcmoe_group_points_workspace(const zcmoe_model* model, int64_t n,
                                                     size_t* bytes) {
  return guard("zcmoe_group_points_workspace", [&] {
    const std::int64_t num_slots = num_slots_of_points(model);
    check_pointer(bytes, "bytes");
    check_num_rows(n);
    const backend& engine =
        model->points != nullptr ? model->points->engine() : model->model->engine();
    *bytes = engine.group_workspace(num_slots, n);
  });
}

extern "C" zcmoe_status zcmoe_group_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                         const zcmoe_group_outputs* outputs, zcmoe_stream stream) {
  return guard("zcmoe_group_sync", [&] {
    with_job(table_of(model), x, n, outputs,
             [&](backend& engine, const group_job& job) { engine.group_sync(job, stream); });
  });
}

extern "C" zcmoe_status zcmoe_group_workspace(const zcmoe_model* model, int64_t n, size_t* bytes) {
  return guard("zcmoe_group_workspace", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_pointer(bytes, "bytes");
    check_num_rows(n);
    *bytes = from.engine().group_workspace(zcmoe::num_slots_of(from.view().num_segments), n);
  });
}
