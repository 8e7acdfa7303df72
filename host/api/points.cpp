// The C functions of several inputs: they learn models, predict with them, and tell what they hold.
// The checks of a prediction allocate nothing; the list of its columns does beyond 128 axes.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/learning/learn.hpp"

#include <zcmoe/points.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

namespace {

using namespace zcmoe::detail;

/// The struct of the columns, which are not looked at yet.
zcmoe_points read_points_of(const zcmoe_points* x) {
  check_pointer(x, "x");
  return read_options(x, zcmoe_points ZCMOE_POINTS_INIT, "x");
}

// ------------------------------------------------------------------ predict

std::int64_t num_inputs_of(const zcmoe_model& model) {
  return model.points != nullptr ? model.points->tables().num_inputs : 1;
}

/// An array of a call that may not lie where an output does.
void check_apart(const array_list<6>& written, const column_name& name, const zcmoe_array& column,
                 std::int64_t n) {
  const named_array read = {nullptr, span_of(name, column.data, column.dtype, column.stride, n),
                            n <= 1 ? 0 : column.stride * size_of(column.dtype),
                            size_of(column.dtype)};
  for (const named_array& a : written) {
    ZCMOE_EXPECTS(!overlap(a, read), a.name, " overlaps ", name);
  }
}

void refuse_output(const char* name, const zcmoe_output& output) {
  ZCMOE_EXPECTS(output.data == nullptr, name,
                ".data is given, but the model's answers are sums: it gives values alone");
}

void check_predict_points(const zcmoe_model& model, const zcmoe_points& x, std::int64_t n,
                          const zcmoe_predict_outputs& outputs) {
  check_pointer(x.columns, "x->columns");
  const points_model* const several = model.points.get();
  if (several != nullptr && !several->has_segments()) {
    refuse_output("outputs->segments", outputs.segments);
    refuse_output("outputs->standard_errors", outputs.standard_errors);
    refuse_output("outputs->variances", outputs.variances);
    refuse_output("outputs->counts", outputs.counts);
  }
  const array_list<6> written = checked_outputs(outputs, n);
  for (std::int64_t j = 0; j < x.num_inputs; ++j) {
    const zcmoe_array& column = x.columns[j];
    const bool needed = several == nullptr || several->has_axis(j);
    if (column.data == nullptr && !needed) continue;
    check_input(column_name{j}, column, n);
    check_apart(written, column_name{j}, column, n);
  }
}

/// Checks the arguments and makes the one call of the engine that they ask for, unless there are no
/// rows.
template <class PredictTable, class PredictPoints>
zcmoe_status predicted(const char* function, const zcmoe_model* model, const zcmoe_points* x,
                       std::int64_t n, const zcmoe_predict_outputs* outputs,
                       const PredictTable& predict_table, const PredictPoints& predict_points) {
  return guard(function, [&] {
    check_handle(model, "model");
    const zcmoe_points rows = read_points_of(x);
    check_num_rows(n);
    check_pointer(outputs, "outputs");
    const auto wanted =
        read_options(outputs, zcmoe_predict_outputs ZCMOE_PREDICT_OUTPUTS_INIT, "outputs");
    ZCMOE_EXPECTS(rows.num_inputs == num_inputs_of(*model), "x->num_inputs=", rows.num_inputs,
                  ", but the model has ", num_inputs_of(*model));
    if (n == 0) return;
    check_predict_points(*model, rows, n, wanted);
    if (model->points == nullptr) {
      const zcmoe::detail::model& table = *model->model;
      predict_table(table.engine(), table.job(rows.columns[0], n, wanted));
    } else {
      const points_batch batch(*model->points, rows, n, wanted);
      predict_points(model->points->engine(), batch.job());
    }
  });
}

// -------------------------------------------------------------------- learn

zcmoe_learn_options read_learn_options(const zcmoe_learn_options* given) {
  const auto options = read_options(given, zcmoe_learn_options ZCMOE_LEARN_OPTIONS_INIT, "options");
  const auto is_one_of = [](const char* name, std::int32_t value, auto... allowed) {
    ZCMOE_EXPECTS(((value == allowed) || ...), "options->", name, "=", value,
                  " is none of a model of several inputs");
  };
  check_size(options.partition, "options->partition", ZCMOE_PARTITION_AUTO, ZCMOE_NUM_PARTITIONS);
  is_one_of("nan_policy", options.nan_policy, ZCMOE_NAN_PROPAGATE, ZCMOE_NAN_SEGMENT);
  is_one_of("range_policy", options.range_policy, ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN,
            ZCMOE_RANGE_SEGMENTS);
  check_size(options.reserved, "options->reserved", 0, 0);
  constexpr std::int64_t most_segments = std::int64_t{1} << 20;
  check_size(options.num_segments, "options->num_segments", 0, most_segments);
  if (options.axis_segments != 0)
    check_size(options.axis_segments, "options->axis_segments", 2, ZCMOE_MAX_AXIS_SEGMENTS);
  check_alignment(options.input_names, "options->input_names");
  check_finite(options.budget_ns, "options->budget_ns");
  ZCMOE_EXPECTS(options.budget_ns >= 0.0, "options->budget_ns=", options.budget_ns, " is negative");
  check_size(options.budget_bytes, "options->budget_bytes", 0,
             std::numeric_limits<std::int64_t>::max());
  return options;
}

/// Copies of the names, made before the work, for they may be wrong.
points_data named_data(const zcmoe_learn_options& options, std::int64_t num_inputs) {
  points_data named;
  for (std::int64_t j = 0; options.input_names != nullptr && j < num_inputs; ++j) {
    const std::string field = text("options->input_names[", j, "]");
    ZCMOE_EXPECTS(options.input_names[j] != nullptr, field, " is null");
    named.input_names.push_back(checked_name(field, options.input_names[j]));
  }
  named.target_name = checked_name("options->target_name", options.target_name);
  named.has_target_name = options.target_name != nullptr;
  return named;
}

// --------------------------------------------------------------------- tell

/// The model of several inputs that a handle is, for what only such a model has.
const points_model& points_of(const zcmoe_model* model) {
  check_handle(model, "model");
  ZCMOE_EXPECTS(model->points != nullptr,
                "model has 1 input, whose cuts zcmoe_model_get_info() tells");
  return *model->points;
}

void check_index(const char* name, std::int64_t value, std::size_t count) {
  ZCMOE_EXPECTS(value >= 0 && value < static_cast<std::int64_t>(count), name, "=", value,
                "; the model has ", count);
}

void describe_table(const zcmoe_model& handle, zcmoe_points_info& info) {
  const zcmoe::detail::model& table = *handle.model;
  zcmoe_model_info known{};
  table.get_info(known);
  info.num_inputs = 1;
  info.num_segments = known.num_segments;
  info.bytes = static_cast<std::int64_t>(
      (table.data().edges.size() + table.data().constants.size()) * sizeof(double) +
      table.data().lines.size() * sizeof(zcmoe_line));
  info.num_rows = known.num_rows;
  info.noise_variance = known.noise_variance;
  info.input_names = handle.input_name == nullptr ? nullptr : &handle.input_name;
  info.target_name = known.options.target_name;
  info.constants = known.constants;
  info.counts = known.counts;
  info.variances = known.variances;
  info.standard_errors = known.standard_errors;
}

}  // namespace

extern "C" zcmoe_status zcmoe_learn_sync(zcmoe_context* context, const zcmoe_points* x,
                                         zcmoe_array y, int64_t n,
                                         const zcmoe_learn_options* options,
                                         zcmoe_learn_report* report, zcmoe_model** model) {
  return guard("zcmoe_learn_sync", [&] {
    check_handle(context, "context");
    const zcmoe_points rows = read_points_of(x);
    check_size(rows.num_inputs, "x->num_inputs", 1, ZCMOE_MAX_INPUTS);
    check_pointer(rows.columns, "x->columns");
    constexpr std::int64_t most_rows = std::int64_t{1} << 31;
    check_size(n, "n", 1, most_rows);
    for (std::int64_t j = 0; j < rows.num_inputs; ++j) {
      check_input(column_name{j}, rows.columns[j], n);
    }
    check_values("y", y, n);
    const zcmoe_learn_options chosen = read_learn_options(options);
    points_data named = named_data(chosen, rows.num_inputs);
    if (report != nullptr) checked_struct_size(report, "report");
    check_pointer(model, "model");

    zcmoe_learn_report found{};
    points_data learned = learn(*context->engine, rows, y, n, chosen, found);
    learned.input_names = std::move(named.input_names);
    learned.target_name = std::move(named.target_name);
    learned.has_target_name = named.has_target_name;
    auto made = std::make_unique<points_model>(context->engine, std::move(learned), nullptr);
    if (report != nullptr) write_info(report, found, "report");
    hand_out(std::move(made), model);
  });
}

extern "C" zcmoe_status zcmoe_predict_points(const zcmoe_model* model, const zcmoe_points* x,
                                             int64_t n, const zcmoe_predict_outputs* outputs,
                                             zcmoe_stream stream) {
  return predicted(
      "zcmoe_predict_points", model, x, n, outputs,
      [stream](const backend& engine, const predict_job& job) { engine.predict(job, stream); },
      [stream](const backend& engine, const points_job& job) {
        engine.predict_points(job, stream);
      });
}

extern "C" zcmoe_status zcmoe_predict_points_sync(const zcmoe_model* model, const zcmoe_points* x,
                                                  int64_t n, const zcmoe_predict_outputs* outputs,
                                                  zcmoe_stream stream) {
  return predicted(
      "zcmoe_predict_points_sync", model, x, n, outputs,
      [stream](const backend& engine, const predict_job& job) { engine.predict_sync(job, stream); },
      [stream](const backend& engine, const points_job& job) {
        engine.predict_points_sync(job, stream);
      });
}

extern "C" zcmoe_status zcmoe_model_get_points_info(const zcmoe_model* model,
                                                    zcmoe_points_info* info) {
  return guard("zcmoe_model_get_points_info", [&] {
    check_handle(model, "model");
    zcmoe_points_info found = ZCMOE_POINTS_INFO_INIT;
    if (model->points != nullptr) {
      model->points->get_info(found);
    } else {
      describe_table(*model, found);
    }
    write_info(info, found, "info");
  });
}

extern "C" zcmoe_status zcmoe_model_get_axis(const zcmoe_model* model, int64_t axis,
                                             zcmoe_axis_info* info) {
  return guard("zcmoe_model_get_axis", [&] {
    const points_model& from = points_of(model);
    check_index("axis", axis, from.tables().axes.size());
    zcmoe_axis_info found = ZCMOE_AXIS_INFO_INIT;
    from.get_axis(axis, found);
    write_info(info, found, "info");
  });
}

extern "C" zcmoe_status zcmoe_model_get_bank(const zcmoe_model* model, int64_t bank,
                                             zcmoe_bank_info* info) {
  return guard("zcmoe_model_get_bank", [&] {
    const points_model& from = points_of(model);
    check_index("bank", bank, from.tables().banks.size());
    zcmoe_bank_info found = ZCMOE_BANK_INFO_INIT;
    from.get_bank(bank, found);
    write_info(info, found, "info");
  });
}

extern "C" zcmoe_status zcmoe_model_get_thresholds(const zcmoe_model* model,
                                                   const int64_t** thresholds,
                                                   int64_t* num_thresholds) {
  return guard("zcmoe_model_get_thresholds", [&] {
    check_handle(model, "model");
    check_pointer(thresholds, "thresholds");
    check_pointer(num_thresholds, "num_thresholds");
    *thresholds = nullptr;
    *num_thresholds = 0;
    if (model->points == nullptr) return;
    const std::vector<std::int64_t>& found = model->points->tables().head.thresholds;
    if (!found.empty()) *thresholds = found.data();
    *num_thresholds = static_cast<std::int64_t>(found.size());
  });
}
