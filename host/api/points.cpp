// The C functions of several inputs: they learn and make models, predict with them, and tell what
// they hold.
// The checks of a prediction allocate nothing; the list of its columns does beyond 128 axes.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/api/point_rows.hpp"
#include "host/learning/learn.hpp"
#include "host/learning/sample_io.hpp"

#include <zcmoe/points.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace zcmoe::detail;

// ------------------------------------------------------------------ predict

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
  check_columns(x, n, several, [&](const column_name& name, const zcmoe_array& column) {
    check_apart(written, name, column, n);
  });
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
    check_num_inputs(rows, num_inputs_of(*model), "model");
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

zcmoe_learn_options read_learn_options(const zcmoe_learn_options* given, std::int64_t num_inputs) {
  const auto options = read_options(given, zcmoe_learn_options ZCMOE_LEARN_OPTIONS_INIT, "options");
  const auto is_one_of = [](const std::string& name, std::int32_t value, auto... allowed) {
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
  const bool may_be_fine =
      options.partition == ZCMOE_PARTITION_OBLIQUE || options.partition == ZCMOE_PARTITION_SCORE;
  const std::int64_t most_of_axis = may_be_fine ? ZCMOE_MAX_FINE_SEGMENTS : ZCMOE_MAX_AXIS_SEGMENTS;
  if (options.axis_segments != 0)
    check_size(options.axis_segments, "options->axis_segments", 2, most_of_axis);
  check_alignment(options.input_names, "options->input_names");
  check_alignment(options.axes, "options->axes");
  for (std::int64_t j = 0; options.axes != nullptr && j < num_inputs; ++j) {
    const zcmoe_axis_options& axis = options.axes[j];
    const std::string field = text("axes[", j, "].");
    is_one_of(field + "nan_policy", axis.nan_policy, ZCMOE_NAN_PROPAGATE, ZCMOE_NAN_SEGMENT);
    is_one_of(field + "range_policy", axis.range_policy, ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN,
              ZCMOE_RANGE_SEGMENTS);
    if (axis.axis_segments != 0) {
      check_size(axis.axis_segments, ("options->" + field + "axis_segments").c_str(), 2,
                 most_of_axis);
    }
  }
  check_finite(options.budget_ns, "options->budget_ns");
  ZCMOE_EXPECTS(options.budget_ns >= 0.0, "options->budget_ns=", options.budget_ns, " is negative");
  check_size(options.budget_bytes, "options->budget_bytes", 0,
             std::numeric_limits<std::int64_t>::max());
  check_size(options.sample_rows, "options->sample_rows", 0, most_sample_rows);
  check_size(options.weighted, "options->weighted", 0, 1);
  check_size(options.weights_kind, "options->weights_kind", ZCMOE_WEIGHTS_SAMPLING,
             ZCMOE_WEIGHTS_PRECISION);
  return options;
}

constexpr std::int64_t most_rows = std::int64_t{1} << 31;

/// The rows of a call that learns from n of them.
zcmoe_points read_rows(const zcmoe_points* x, const zcmoe_array& y, const zcmoe_array& weights,
                       std::int64_t n) {
  const zcmoe_points rows = read_points_of(x);
  check_size(rows.num_inputs, "x->num_inputs", 1, ZCMOE_MAX_INPUTS);
  check_pointer(rows.columns, "x->columns");
  check_size(n, "n", 1, most_rows);
  for (std::int64_t j = 0; j < rows.num_inputs; ++j) {
    check_input(column_name{j}, rows.columns[j], n);
  }
  check_values("y", y, n);
  if (weights.data != nullptr) check_values("weights", weights, n);
  return rows;
}

/// An array in device memory must lie in that of the engine.
template <class Name>
void check_device(const backend& engine, const Name& name, const zcmoe_array& array) {
  const std::int32_t device = engine.device_of(array.data);
  if (device < 0) return;
  zcmoe_context_info own{};
  engine.describe(own);
  ZCMOE_EXPECTS(device == own.device, name, ".data=", array.data, " is in the memory of device ",
                device, ", but the context's is ", own.device);
}

/// Copies of the names of a struct, made before the work, for they may be wrong.
template <class Options>
points_data named_data(const char* of, const Options& options, std::int64_t num_inputs) {
  points_data named;
  for (std::int64_t j = 0; options.input_names != nullptr && j < num_inputs; ++j) {
    const std::string field = text(of, "->input_names[", j, "]");
    ZCMOE_EXPECTS(options.input_names[j] != nullptr, field, " is null");
    named.input_names.push_back(checked_name(field, options.input_names[j]));
  }
  named.target_name = checked_name(text(of, "->target_name"), options.target_name);
  named.has_target_name = options.target_name != nullptr;
  return named;
}

/// Makes the model of what `learned` gives, with its names, and fills the report.
template <class Learn>
void hand_out_learned(const std::shared_ptr<backend>& engine, const zcmoe_learn_options& options,
                      std::int64_t num_inputs, zcmoe_learn_report* report, zcmoe_model** model,
                      const Learn& learned) {
  points_data named = named_data("options", options, num_inputs);
  if (report != nullptr) checked_struct_size(report, "report");
  check_pointer(model, "model");
  zcmoe_learn_report found{};
  points_data data = learned(found);
  data.input_names = std::move(named.input_names);
  data.target_name = std::move(named.target_name);
  data.has_target_name = named.has_target_name;
  auto made = std::make_unique<points_model>(engine, std::move(data), nullptr);
  if (report != nullptr) write_info(report, found, "report");
  hand_out(std::move(made), model);
}

// --------------------------------------------------------------------- grid

input_axis axis_of(const zcmoe_grid_axis& given, std::int64_t input) {
  const std::string field = text("grid->axes[", input, "]");
  check_size(given.num_segments, text(field, ".num_segments").c_str(), 1, ZCMOE_MAX_AXIS_SEGMENTS);
  check_pointer(given.edges, text(field, ".edges").c_str());
  return {static_cast<std::int32_t>(input),
          std::vector<double>(given.edges, given.edges + given.num_segments + 1),
          given.closed_side,
          given.include_outer_edge,
          given.nan_policy,
          given.range_policy};
}

/// Places on an axis whose inputs are in a segment or have a code beside them.
std::int64_t places_of(const input_axis& axis) {
  std::int64_t places = 0;
  for (std::int64_t slot = 0; slot < axis.num_slots(); ++slot) places += is_answered(axis, slot);
  return places;
}

/// Refuses what no memory holds, and says what would be smaller.
void check_cells(const std::vector<input_axis>& axes) {
  long double cells = 1;
  for (const input_axis& axis : axes) cells *= static_cast<long double>(places_of(axis));
  if (cells <= static_cast<long double>(ZCMOE_MAX_CELLS)) return;
  constexpr long double model_bytes = 96;  // of a cell, on the host and on the engine
  constexpr long double state_bytes = 256;
  fail(ZCMOE_ERR_INVALID_ARGUMENT, "a grid of ", axes.size(), " axes has ", cells,
       " cells here, which take ", cells * model_bytes / 1e9L, " GB, and ",
       cells * state_bytes / 1e9L, " GB more to be fitted; the limit is ", ZCMOE_MAX_CELLS,
       " cells. Fewer segments an axis help; of many inputs a tree or a sum of tables is smaller "
       "(zcmoe_learn_sync() with ZCMOE_PARTITION_TREE or ZCMOE_PARTITION_TABLES)");
}

/// The place on the last axis runs fastest.
bank bank_of_grid(const std::vector<input_axis>& axes) {
  bank grid;
  std::int64_t stride = 1;
  for (std::size_t a = axes.size(); a-- > 0;) {
    axis_offsets along{static_cast<std::int32_t>(a), {}};
    std::int64_t place = 0;
    for (std::int64_t slot = 0; slot < axes[a].num_slots(); ++slot) {
      const bool own = is_answered(axes[a], slot);
      along.offsets.push_back(static_cast<std::int32_t>((own ? place++ : 0) * stride));
    }
    stride *= place;
    grid.axes.push_back(std::move(along));
  }
  std::reverse(grid.axes.begin(), grid.axes.end());
  grid.constants.resize(static_cast<std::size_t>(stride));
  std::iota(grid.constants.begin(), grid.constants.end(), 0);
  return grid;
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
                                         zcmoe_array y, zcmoe_array weights, int64_t n,
                                         const zcmoe_learn_options* options,
                                         zcmoe_learn_report* report, zcmoe_model** model) {
  return guard("zcmoe_learn_sync", [&] {
    check_handle(context, "context");
    const zcmoe_points rows = read_rows(x, y, weights, n);
    const zcmoe_learn_options chosen = read_learn_options(options, rows.num_inputs);
    for (std::int64_t j = 0; j < rows.num_inputs; ++j)
      check_device(*context->engine, column_name{j}, rows.columns[j]);
    check_device(*context->engine, "y", y);
    if (weights.data != nullptr) check_device(*context->engine, "weights", weights);
    hand_out_learned(context->engine, chosen, rows.num_inputs, report, model,
                     [&](zcmoe_learn_report& found) {
                       return learn(*context->engine, *host_of(context->engine), rows, y, weights,
                                    n, chosen, found);
                     });
  });
}

extern "C" zcmoe_status zcmoe_learner_create(zcmoe_context* context, int64_t num_inputs,
                                             const zcmoe_learn_options* options,
                                             zcmoe_learner** learner) {
  return guard("zcmoe_learner_create", [&] {
    check_handle(context, "context");
    check_size(num_inputs, "num_inputs", 1, ZCMOE_MAX_INPUTS);
    const zcmoe_learn_options chosen = read_learn_options(options, num_inputs);
    check_pointer(learner, "learner");
    const std::int64_t limit =
        chosen.sample_rows > 0 ? chosen.sample_rows : default_sample_rows(num_inputs);
    *learner = std::make_unique<zcmoe_learner>(
                   context->engine,
                   row_sample(nan_codes_of(chosen, num_inputs), limit, chosen.weighted != 0))
                   .release();
  });
}

extern "C" zcmoe_status zcmoe_learner_destroy(zcmoe_learner* learner) {
  return guard("zcmoe_learner_destroy", [&] { delete learner; });
}

extern "C" zcmoe_status zcmoe_learner_add_sync(zcmoe_learner* learner, const zcmoe_points* x,
                                               zcmoe_array y, zcmoe_array weights, int64_t n) {
  return guard("zcmoe_learner_add_sync", [&] {
    check_handle(learner, "learner");
    check_size(n, "n", 0, most_rows);
    if (n == 0) return;
    const zcmoe_points rows = read_rows(x, y, weights, n);
    ZCMOE_EXPECTS((weights.data != nullptr) == learner->sample->weighted(),
                  weights.data != nullptr
                      ? "weights.data is given, but the learner was created with weighted = 0"
                      : "weights.data is null, but the learner was created with weighted = 1");
    ZCMOE_EXPECTS(rows.num_inputs == learner->sample->num_inputs(),
                  "x->num_inputs=", rows.num_inputs, ", but the learner has ",
                  learner->sample->num_inputs());
    learner->sample->add(*learner->host, rows, y, weights, n);
  });
}

extern "C" zcmoe_status zcmoe_learner_merge(zcmoe_learner* learner, const zcmoe_learner* source) {
  return guard("zcmoe_learner_merge", [&] {
    check_handle(learner, "learner");
    check_handle(source, "source");
    ZCMOE_EXPECTS(learner != source, "source is learner, whose rows would count twice");
    row_sample& to = *learner->sample;
    const row_sample& from = *source->sample;
    const auto check_same = [](const std::string& name, std::int64_t own, std::int64_t other) {
      if (own != other)
        fail(ZCMOE_ERR_INCOMPATIBLE, name, "=", own, " of learner, but ", other, " of source");
    };
    check_same("num_inputs", to.num_inputs(), from.num_inputs());
    for (std::int64_t j = 0; j < to.num_inputs(); ++j) {
      check_same(text("nan_policy of input ", j), to.nan_codes()[static_cast<std::size_t>(j)],
                 from.nan_codes()[static_cast<std::size_t>(j)]);
    }
    check_same("sample_rows", to.limit(), from.limit());
    check_same("weighted", to.weighted(), from.weighted());
    to.merge(from);
  });
}

extern "C" zcmoe_status zcmoe_learner_finish(const zcmoe_learner* learner,
                                             const zcmoe_learn_options* options,
                                             zcmoe_learn_report* report, zcmoe_model** model) {
  return guard("zcmoe_learner_finish", [&] {
    check_handle(learner, "learner");
    row_sample& sample = *learner->sample;
    const zcmoe_learn_options chosen = read_learn_options(options, sample.num_inputs());
    const std::vector<std::uint8_t> nan_codes = nan_codes_of(chosen, sample.num_inputs());
    for (std::size_t j = 0; j < nan_codes.size(); ++j) {
      ZCMOE_EXPECTS(nan_codes[j] == sample.nan_codes()[j], "options->nan_policy is ",
                    int{nan_codes[j]}, " of input ", j, ", but the learner has ",
                    int{sample.nan_codes()[j]});
    }
    ZCMOE_EXPECTS(chosen.sample_rows == 0 || chosen.sample_rows == sample.limit(),
                  "options->sample_rows=", chosen.sample_rows, ", but the learner has ",
                  sample.limit());
    hand_out_learned(learner->engine, chosen, sample.num_inputs(), report, model,
                     [&](zcmoe_learn_report& found) {
                       return learn(*learner->engine, *learner->host, sample, chosen, found);
                     });
  });
}

extern "C" zcmoe_status zcmoe_learner_serialize(const zcmoe_learner* learner, void* buffer,
                                                size_t capacity, size_t* bytes) {
  return guard("zcmoe_learner_serialize", [&] {
    check_handle(learner, "learner");
    check_pointer(bytes, "bytes");
    give_bytes(serialize_sample(*learner->sample), "state", buffer, capacity, bytes);
  });
}

extern "C" zcmoe_status zcmoe_learner_deserialize(zcmoe_context* context, const void* buffer,
                                                  size_t bytes, zcmoe_learner** learner) {
  return guard("zcmoe_learner_deserialize", [&] {
    check_handle(context, "context");
    check_pointer(buffer, "buffer");
    check_pointer(learner, "learner");
    *learner = std::make_unique<zcmoe_learner>(context->engine, deserialize_sample(buffer, bytes))
                   .release();
  });
}

extern "C" zcmoe_status zcmoe_model_create_grid(zcmoe_context* context, const zcmoe_grid* grid,
                                                zcmoe_model** model) {
  return guard("zcmoe_model_create_grid", [&] {
    check_handle(context, "context");
    check_pointer(grid, "grid");
    const auto given = read_options(grid, zcmoe_grid ZCMOE_GRID_INIT, "grid");
    check_size(given.num_inputs, "grid->num_inputs", 1, ZCMOE_MAX_INPUTS);
    check_pointer(given.axes, "grid->axes");
    check_alignment(given.constants, "grid->constants");
    check_alignment(given.input_names, "grid->input_names");
    check_pointer(model, "model");
    points_data made = named_data("grid", given, given.num_inputs);
    made.partition = ZCMOE_PARTITION_GRID;
    made.noise_variance = quiet_nan();
    made.tables.num_inputs = static_cast<std::int32_t>(given.num_inputs);
    for (std::int64_t j = 0; j < given.num_inputs; ++j)
      made.tables.axes.push_back(axis_of(given.axes[j], j));
    check_cells(made.tables.axes);
    made.tables.banks.push_back(bank_of_grid(made.tables.axes));
    head& h = made.tables.head;
    const std::size_t cells = made.tables.banks[0].constants.size();
    h.constants.assign(cells, quiet_nan());
    if (given.constants != nullptr) std::copy_n(given.constants, cells, h.constants.begin());
    h.counts.assign(cells, 0);
    h.variances.assign(cells, quiet_nan());
    h.standard_errors.assign(cells, quiet_nan());
    hand_out(std::make_unique<points_model>(context->engine, std::move(made), nullptr), model);
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
