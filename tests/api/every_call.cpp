// The table of every_call.hpp.
#include "every_call.hpp"

#include "tests/model/points_bytes.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

namespace zcmoe::test {
namespace {

constexpr std::int64_t num_rows = 140000;  // more than one thread's share
constexpr std::int64_t few_rows = 300;     // of calls that fit many tables
constexpr std::int64_t fewer_rows = 40;    // of learning, which makes many allocations
constexpr std::int64_t num_segments = 100;
constexpr std::int64_t num_slots = num_segments + 3;
constexpr std::int64_t few_segments = 12;  // of smooth constants, which take many small allocations

void expect_ok(zcmoe_status status) { EXPECT_EQ(status, ZCMOE_OK) << zcmoe_last_error(); }

double one(void*, double) { return 1.0; }
double square(void*, double x) { return x * x; }
double twice(void*, double x) { return 2.0 * x; }

template <class T>
constexpr bool is_handle = std::is_same_v<T, zcmoe_context> || std::is_same_v<T, zcmoe_model> ||
                           std::is_same_v<T, zcmoe_fit> || std::is_same_v<T, zcmoe_learner> ||
                           std::is_same_v<T, zcmoe_theory_curve> || std::is_same_v<T, CUstream_st>;

/// Moves a pointer to something with an alignment off it; false: this argument is none.
template <class T>
bool move_off(T& argument) {
  alignas(64) static char room[1 << 15] = {};
  if constexpr (std::is_same_v<T, zcmoe_array>) {
    if (argument.data == nullptr) return false;
    argument.data = room + 1;
    return true;
  } else if constexpr (std::is_pointer_v<T>) {
    using pointee = std::remove_cv_t<std::remove_pointer_t<T>>;
    if constexpr (std::is_void_v<pointee> || std::is_function_v<pointee> || is_handle<pointee> ||
                  std::is_same_v<pointee, char>) {
      return false;
    } else {
      static_assert(sizeof(pointee) < sizeof room);
      if (argument != nullptr) std::memcpy(room + 1, argument, sizeof(pointee));
      argument = reinterpret_cast<T>(room + 1);
      return true;
    }
  } else {
    return false;
  }
}

template <class... A>
using callee = zcmoe_status (*)(A...);

template <class... A, std::size_t... I>
std::vector<zcmoe_status> all_moved(callee<A...> function, const std::tuple<A...>& arguments,
                                    std::index_sequence<I...>) {
  std::vector<zcmoe_status> statuses;
  const auto try_one = [&](auto index) {
    std::tuple<A...> moved = arguments;
    if (move_off(std::get<decltype(index)::value>(moved))) {
      statuses.push_back(std::apply(function, moved));
      EXPECT_NE(std::string(zcmoe_last_error()).find("is not aligned"), std::string::npos)
          << zcmoe_last_error();
    }
  };
  (try_one(std::integral_constant<std::size_t, I>()), ...);
  return statuses;
}

const auto nothing = [] {};

template <class... A>
public_call entry(const char* name, callee<A...> function, std::common_type_t<A>... arguments) {
  const std::tuple<A...> all(arguments...);
  return {name,
          nothing,
          [function, all] { return std::apply(function, all); },
          nothing,
          [function] { return function(A{}...); },
          [function, all] { return all_moved(function, all, std::index_sequence_for<A...>()); }};
}

/// A function that answers something else than a status and cannot fail.
public_call answering(const char* name, std::function<bool()> run) {
  const auto as_status = [run = std::move(run)] { return run() ? ZCMOE_OK : ZCMOE_ERR_INTERNAL; };
  return {name, nothing, as_status, nothing, as_status, [] { return std::vector<zcmoe_status>(); }};
}

/// A file of this process alone: tests that use the table may run beside each other.
std::string temporary_path(const char* name) {
  return testing::TempDir() + "zcmoe-every-call-" + std::to_string(::getpid()) + "-" + name +
         ".safetensors";
}

}  // namespace

struct every_call::arguments {
  std::vector<double> x, y, w, edges, few_edges, constants, out, cells, built;
  std::vector<std::int64_t> counts, rows, offsets, built_numbers;
  std::vector<unsigned char> state, smooth_state, lines_state, model_bytes, smooth_bytes,
      lines_bytes, points_state, learner_state, buffer;
  std::string points_bytes = written(parts_of(sample_score()));
  std::vector<zcmoe_line> lines;
  std::string saved = temporary_path("saved");
  std::string loaded = temporary_path("loaded");
  std::string loaded_points = temporary_path("points");

  zcmoe_context_options context_options = ZCMOE_CONTEXT_OPTIONS_INIT;
  zcmoe_context_info context_info = ZCMOE_CONTEXT_INFO_INIT;
  zcmoe_density_options density_options = ZCMOE_DENSITY_OPTIONS_INIT;
  zcmoe_plug_in_options plug_in_options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  zcmoe_model_options model_options = ZCMOE_MODEL_OPTIONS_INIT;
  zcmoe_model_options mean_of_all = ZCMOE_MODEL_OPTIONS_INIT;
  zcmoe_model_options smooth_options = ZCMOE_MODEL_OPTIONS_INIT;
  zcmoe_model_options line_options = ZCMOE_MODEL_OPTIONS_INIT;
  zcmoe_fit_options fit_options = ZCMOE_FIT_OPTIONS_INIT;
  zcmoe_model_info model_info{};
  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  zcmoe_predict_outputs predicted = ZCMOE_PREDICT_OUTPUTS_INIT;
  zcmoe_group_column column{};
  zcmoe_group_outputs grouped = ZCMOE_GROUP_OUTPUTS_INIT;
  zcmoe_report report{};
  zcmoe_plan_options plan_options = ZCMOE_PLAN_OPTIONS_INIT;
  zcmoe_plan_result planned{};
  zcmoe_diagnosis_segments diagnosis_segments = ZCMOE_DIAGNOSIS_SEGMENTS_INIT;
  zcmoe_model_diagnosis diagnosis{};
  zcmoe_compile_options compile_options = ZCMOE_COMPILE_OPTIONS_INIT;
  zcmoe_compile_result compiled = ZCMOE_COMPILE_RESULT_INIT;
  zcmoe_array columns[3]{};
  const char* names[3] = {"a", "b", "c"};
  zcmoe_points points_x = ZCMOE_POINTS_INIT;
  zcmoe_points one_column = ZCMOE_POINTS_INIT;
  zcmoe_learn_options learn_options = ZCMOE_LEARN_OPTIONS_INIT;
  zcmoe_learn_report learn_report{};
  zcmoe_points_info points_info = ZCMOE_POINTS_INFO_INIT;
  zcmoe_grid_axis grid_axes[2] = {ZCMOE_GRID_AXIS_INIT, ZCMOE_GRID_AXIS_INIT};
  zcmoe_grid grid = ZCMOE_GRID_INIT;
  zcmoe_points_fit_options points_fit_options = ZCMOE_POINTS_FIT_OPTIONS_INIT;
  zcmoe_fit_options points_rows = ZCMOE_FIT_OPTIONS_INIT;
  zcmoe_axis_info axis_info = ZCMOE_AXIS_INFO_INIT;
  zcmoe_bank_info bank_info = ZCMOE_BANK_INFO_INIT;
  const std::int64_t* thresholds = nullptr;
  zcmoe_theory_problem problem = ZCMOE_THEORY_PROBLEM_INIT;
  zcmoe_theory_cells theory_cells = ZCMOE_THEORY_CELLS_INIT;
  zcmoe_theory_totals totals{};
  zcmoe_theory_estimation_result estimation{};
  zcmoe_theory_law law{};
  zcmoe_theory_law constant_law{1.0, 2.0, 0.1, 1.0, 0.0};
  zcmoe_theory_law line_law{1.0, 4.0, 0.2, 2.0, 0.0};
  std::vector<zcmoe_theory_risk_point> points;
  zcmoe_theory_field field = ZCMOE_THEORY_FIELD_INIT;
  double corners[4] = {0, 0, 1, 1};  // lo and hi of the field's range, which is one box
  zcmoe_theory_table tables[3]{};
  zcmoe_theory_statistics statistics{};
  zcmoe_theory_fit fitted{};
  zcmoe_theory_ratio ratio{};
  zcmoe_theory_recommendation recommendation{};
  std::vector<std::int64_t> table_counts[3];  // the same rows in ever more segments
  double number = 0;
  double second_number = 0;
  std::int64_t integer = 0;
  std::size_t size = 0;

  zcmoe_context* context = nullptr;
  zcmoe_fit* fit = nullptr;
  zcmoe_fit* weighted = nullptr;
  zcmoe_fit* other = nullptr;
  zcmoe_fit* smooth = nullptr;
  zcmoe_fit* with_lines = nullptr;
  zcmoe_fit* points_fit = nullptr;
  zcmoe_learner* learner = nullptr;
  zcmoe_learner* other_learner = nullptr;
  zcmoe_model* model = nullptr;
  zcmoe_model* smooth_model = nullptr;
  zcmoe_model* lines_model = nullptr;
  zcmoe_model* points_model = nullptr;
  zcmoe_theory_curve* curve = nullptr;
  zcmoe_context* new_context = nullptr;
  zcmoe_fit* new_fit = nullptr;
  zcmoe_learner* new_learner = nullptr;
  zcmoe_model* new_model = nullptr;
  zcmoe_theory_curve* new_curve = nullptr;

  explicit arguments(int num_threads);
  ~arguments();
};

every_call::arguments::arguments(int num_threads) {
  for (std::int64_t i = 0; i < num_rows; ++i) {
    const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(num_rows);
    x.push_back(at);
    y.push_back(at * at + static_cast<double>(i * 7919 % 1000) * 1e-3);
    w.push_back(1.0 + static_cast<double>(i % 3));
  }
  edges.resize(num_segments + 1);
  expect_ok(zcmoe_segment_uniform(0, 1, num_segments, edges.data()));
  few_edges.resize(few_segments + 1);
  expect_ok(zcmoe_segment_uniform(0, 1, few_segments, few_edges.data()));
  constants.assign(num_segments, 0.25);
  cells.assign(num_segments, 1.0 / static_cast<double>(num_segments));
  counts.assign(num_segments, 9);
  for (auto* column_of : {&out, &built}) column_of->resize(num_rows);
  rows.resize(num_rows);
  offsets.resize(num_slots + 1);
  built_numbers = {8, 16};
  points.resize(2);
  for (int t = 0; t < 3; ++t) table_counts[t].assign(num_segments, 100 >> t);

  context_options.engine = ZCMOE_ENGINE_CPU;
  context_options.num_threads = num_threads;
  model_options.feature_name = "a";
  model_options.target_name = "b";
  mean_of_all.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  smooth_options.constants = ZCMOE_CONSTANTS_SMOOTH;
  line_options.experts = ZCMOE_EXPERTS_INTERPOLATE;
  lines.assign(few_segments, {0.0, 1.0, 2.0, 3.0});
  fit_options.weighted = 1;
  model_info.struct_size = sizeof model_info;
  planned.struct_size = sizeof planned;
  diagnosis.struct_size = sizeof diagnosis;
  plan_options.max_segments = 192;
  compile_options.scan_parts = 32;
  predicted.values = {out.data(), ZCMOE_F64, 1};
  predicted.segments = {rows.data(), ZCMOE_I64, 1};
  predicted.report = &report;
  column = {{y.data(), ZCMOE_F64, 1}, {out.data(), ZCMOE_F64, 1}};
  grouped.offsets = {offsets.data(), ZCMOE_I64, 1};
  grouped.rows = {rows.data(), ZCMOE_I64, 1};
  grouped.num_columns = 1;
  grouped.columns = &column;
  diagnosis_segments = {built.data(), out.data()};
  for (zcmoe_array& each : columns) each = {x.data(), ZCMOE_F64, 1};
  columns[1] = {y.data(), ZCMOE_F64, 1};
  points_x.num_inputs = 3;
  points_x.columns = columns;
  one_column.num_inputs = 1;
  one_column.columns = columns;
  for (zcmoe_grid_axis& axis : grid_axes) {
    axis.num_segments = few_segments;
    axis.edges = few_edges.data();
  }
  grid.num_inputs = 2;
  grid.axes = grid_axes;
  grid.input_names = names;
  grid.target_name = "y";
  learn_options.input_names = names;
  learn_options.target_name = "y";
  learn_options.axis_segments = 6;  // each costs allocations
  learn_report.struct_size = sizeof learn_report;
  problem.density = problem.curvature = problem.density_slope = problem.point_density =
      problem.point_density_slope = one;
  problem.regression = square;
  problem.slope = twice;
  problem.noise = 0.1;
  theory_cells = {out.data(), built.data(), nullptr, nullptr};
  field.num_inputs = 2;
  field.lo = corners;
  field.hi = corners + 2;
  field.regression = [](void*, const double* point) { return point[0] * point[1]; };
  field.gradient = [](void*, const double* point, double* gradient) {
    gradient[0] = point[1];
    gradient[1] = point[0];
  };
  for (int t = 0; t < 3; ++t) {
    tables[t] = {table_counts[t].data(), constants.data(), cells.data(), nullptr, 8 << t};
  }

  expect_ok(zcmoe_context_create(&context_options, &context));
  expect_ok(zcmoe_fit_create(context, edges.data(), num_segments, nullptr, nullptr, &fit));
  expect_ok(zcmoe_fit_create(context, edges.data(), num_segments, nullptr, nullptr, &other));
  expect_ok(
      zcmoe_fit_create(context, edges.data(), num_segments, nullptr, &fit_options, &weighted));
  expect_ok(
      zcmoe_fit_create(context, few_edges.data(), few_segments, &smooth_options, nullptr, &smooth));
  expect_ok(zcmoe_fit_create(context, few_edges.data(), few_segments, &line_options, nullptr,
                             &with_lines));
  const zcmoe_array none = {nullptr, ZCMOE_F64, 1};
  for (zcmoe_fit* each : {fit, other, smooth, with_lines}) {
    expect_ok(zcmoe_fit_add_sync(each, {x.data(), ZCMOE_F64, 140}, {y.data(), ZCMOE_F64, 140}, none,
                                 few_rows, nullptr));
  }
  expect_ok(zcmoe_fit_finish(fit, &model, nullptr));
  expect_ok(zcmoe_fit_finish(smooth, &smooth_model, nullptr));
  expect_ok(zcmoe_fit_finish(with_lines, &lines_model, nullptr));
  const auto bytes_of = [&](auto&& serialize) {
    std::vector<unsigned char> bytes;
    expect_ok(serialize(nullptr, 0));
    bytes.resize(size);
    expect_ok(serialize(bytes.data(), size));
    return bytes;
  };
  const auto state_of = [&](const zcmoe_fit* of) {
    return bytes_of([&](void* to, std::size_t capacity) {
      return zcmoe_fit_serialize(of, to, capacity, &size, nullptr);
    });
  };
  const auto bytes_of_model = [&](const zcmoe_model* of) {
    return bytes_of([&](void* to, std::size_t capacity) {
      return zcmoe_model_serialize(of, to, capacity, &size);
    });
  };
  for (zcmoe_learner** each : {&learner, &other_learner}) {
    expect_ok(zcmoe_learner_create(context, 3, &learn_options, each));
    expect_ok(zcmoe_learner_add_sync(*each, &points_x, {y.data(), ZCMOE_F64, 1}, none, 5));
  }
  learner_state = bytes_of([&](void* to, std::size_t capacity) {
    return zcmoe_learner_serialize(learner, to, capacity, &size);
  });
  state = state_of(fit);
  smooth_state = state_of(smooth);
  lines_state = state_of(with_lines);
  model_bytes = bytes_of_model(model);
  smooth_bytes = bytes_of_model(smooth_model);
  lines_bytes = bytes_of_model(lines_model);
  buffer.resize(4 * state.size() + model_bytes.size());
  expect_ok(
      zcmoe_model_deserialize(context, points_bytes.data(), points_bytes.size(), &points_model));
  expect_ok(zcmoe_fit_create_points(context, points_model, nullptr, nullptr, &points_fit));
  expect_ok(zcmoe_fit_add_points_sync(points_fit, &points_x, {y.data(), ZCMOE_F64, 1}, none,
                                      few_rows, nullptr));
  points_state = state_of(points_fit);
  expect_ok(zcmoe_model_save(model, loaded.c_str()));
  expect_ok(zcmoe_model_save(points_model, loaded_points.c_str()));
  expect_ok(zcmoe_theory_curve_create(edges.data(), edges.data(), num_segments + 1, &curve));
}

every_call::arguments::~arguments() {
  zcmoe_theory_curve_destroy(curve);
  for (zcmoe_model* each : {model, smooth_model, lines_model, points_model})
    zcmoe_model_destroy(each);
  for (zcmoe_fit* each : {fit, other, weighted, smooth, with_lines, points_fit})
    zcmoe_fit_destroy(each);
  for (zcmoe_learner* each : {learner, other_learner}) zcmoe_learner_destroy(each);
  zcmoe_context_destroy(context);
  std::remove(saved.c_str());
  std::remove(loaded.c_str());
  std::remove(loaded_points.c_str());
}

every_call::every_call(int num_threads) : own_(new arguments(num_threads)) {
  arguments& a = *own_;
  const zcmoe_array x{a.x.data(), ZCMOE_F64, 1};
  const zcmoe_array y{a.y.data(), ZCMOE_F64, 1};
  const zcmoe_array w{a.w.data(), ZCMOE_F64, 1};
  const zcmoe_array none{nullptr, ZCMOE_F64, 1};
  double* const edges = a.edges.data();
  double* const out = a.out.data();
  std::int64_t* const built = &a.integer;
  constexpr std::int64_t m = num_segments;
  const auto add = [&](public_call call) { calls_.push_back(std::move(call)); };
  /// A call that hands a handle out through `to`.
  const auto add_making = [&](public_call call, auto** to, auto destroy) {
    call.clean = [to, destroy] {
      destroy(*to);
      *to = nullptr;
    };
    add(std::move(call));
  };
  /// A call that uses up what `make` makes.
  const auto add_using_up = [&](const char* name, auto destroy, auto** handle, auto make) {
    public_call call = answering(name, [] { return true; });
    call.prepare = [make] { expect_ok(make()); };
    call.run = [destroy, handle] { return destroy(std::exchange(*handle, nullptr)); };
    call.clean = [destroy, handle] { destroy(std::exchange(*handle, nullptr)); };
    add(std::move(call));
  };
#define ZCMOE_CALL(function, ...) entry(#function, function, __VA_ARGS__)

  add(answering("zcmoe_version", [] { return zcmoe_version()[0] != '\0'; }));
  add(answering("zcmoe_build_info", [] { return zcmoe_build_info()[0] != '\0'; }));
  add(answering("zcmoe_status_string", [] { return zcmoe_status_string(0)[0] != '\0'; }));
  add(answering("zcmoe_last_error", [] { return zcmoe_last_error() != nullptr; }));

  add_making(ZCMOE_CALL(zcmoe_context_create, &a.context_options, &a.new_context), &a.new_context,
             zcmoe_context_destroy);
  add_using_up("zcmoe_context_destroy", zcmoe_context_destroy, &a.new_context,
               [&a] { return zcmoe_context_create(&a.context_options, &a.new_context); });
  add(ZCMOE_CALL(zcmoe_context_get_info, a.context, &a.context_info));

  add(ZCMOE_CALL(zcmoe_segment_uniform, 0.0, 1.0, m, out));
  add(ZCMOE_CALL(zcmoe_segment_check, edges, m));
  add(ZCMOE_CALL(zcmoe_segment_quantile, x, w, few_rows, 8, out, built));
  add(ZCMOE_CALL(zcmoe_segment_optimal, one, twice, nullptr, 0.0, 1.0, 8, &a.density_options, out,
                 built));
  add(ZCMOE_CALL(zcmoe_segment_optimal_table, edges, edges, edges, m + 1, 8, &a.density_options,
                 out, built));
  add(ZCMOE_CALL(zcmoe_segment_density, one, nullptr, 0.0, 1.0, 8, &a.density_options, out, built));
  add(ZCMOE_CALL(zcmoe_segment_density_table, edges, edges, m + 1, 8, &a.density_options, out,
                 built));
  add(ZCMOE_CALL(zcmoe_segment_optimal_from_data, x, y, w, few_rows, 8, out, built));
  add(ZCMOE_CALL(zcmoe_segment_lines_from_data, x, y, w, few_rows, 8, out, built));
  add(ZCMOE_CALL(zcmoe_segment_compander_from_data, x, y, w, few_rows, 8, &a.plug_in_options, out,
                 built));
  add(ZCMOE_CALL(zcmoe_optimal_constants, one, square, nullptr, edges, 8, ZCMOE_CONSTANT_MEAN,
                 out));

  add_making(ZCMOE_CALL(zcmoe_model_create, a.context, edges, a.constants.data(), m,
                        &a.model_options, &a.new_model),
             &a.new_model, zcmoe_model_destroy);
  add_making(ZCMOE_CALL(zcmoe_model_create_lines, a.context, a.few_edges.data(), a.lines.data(),
                        few_segments, &a.line_options, &a.new_model),
             &a.new_model, zcmoe_model_destroy);
  add_making(ZCMOE_CALL(zcmoe_model_interpolate, a.model, &a.new_model), &a.new_model,
             zcmoe_model_destroy);
  add_using_up("zcmoe_model_destroy", zcmoe_model_destroy, &a.new_model,
               [&a] { return zcmoe_fit_finish(a.fit, &a.new_model, nullptr); });
  for (const zcmoe_model* of : {a.model, a.points_model})
    add(ZCMOE_CALL(zcmoe_model_save, of, a.saved.c_str()));
  for (const std::string* path : {&a.loaded, &a.loaded_points}) {
    add_making(ZCMOE_CALL(zcmoe_model_load, a.context, path->c_str(), &a.new_model), &a.new_model,
               zcmoe_model_destroy);
  }
  for (const zcmoe_model* of : {a.model, a.smooth_model, a.lines_model, a.points_model})
    add(ZCMOE_CALL(zcmoe_model_serialize, of, a.buffer.data(), a.buffer.size(), &a.size));
  for (const auto* bytes : {&a.model_bytes, &a.smooth_bytes, &a.lines_bytes}) {
    add_making(
        ZCMOE_CALL(zcmoe_model_deserialize, a.context, bytes->data(), bytes->size(), &a.new_model),
        &a.new_model, zcmoe_model_destroy);
  }
  add_making(ZCMOE_CALL(zcmoe_model_deserialize, a.context, a.points_bytes.data(),
                        a.points_bytes.size(), &a.new_model),
             &a.new_model, zcmoe_model_destroy);
  add(ZCMOE_CALL(zcmoe_model_get_info, a.model, &a.model_info));
  add(ZCMOE_CALL(zcmoe_model_get_view, a.model, &a.view));

  add(ZCMOE_CALL(zcmoe_predict, a.model, x, num_rows, &a.predicted, nullptr));
  add(ZCMOE_CALL(zcmoe_predict_sync, a.model, x, num_rows, &a.predicted, nullptr));
  for (const auto predict : {zcmoe_predict_points, zcmoe_predict_points_sync}) {
    const char* const name =
        predict == zcmoe_predict_points ? "zcmoe_predict_points" : "zcmoe_predict_points_sync";
    add(entry(name, predict, a.points_model, &a.points_x, num_rows, &a.predicted, nullptr));
    add(entry(name, predict, a.model, &a.one_column, num_rows, &a.predicted, nullptr));
  }
  add_making(ZCMOE_CALL(zcmoe_learn_sync, a.context, &a.points_x, y, none, fewer_rows,
                        &a.learn_options, &a.learn_report, &a.new_model),
             &a.new_model, zcmoe_model_destroy);
  add_making(ZCMOE_CALL(zcmoe_learner_create, a.context, 3, &a.learn_options, &a.new_learner),
             &a.new_learner, zcmoe_learner_destroy);
  add_using_up("zcmoe_learner_destroy", zcmoe_learner_destroy, &a.new_learner,
               [&a] { return zcmoe_learner_create(a.context, 3, nullptr, &a.new_learner); });
  add(ZCMOE_CALL(zcmoe_learner_add_sync, a.other_learner, &a.points_x, y, none, few_rows));
  add(ZCMOE_CALL(zcmoe_learner_merge, a.other_learner, a.learner));
  add_making(
      ZCMOE_CALL(zcmoe_learner_finish, a.learner, &a.learn_options, &a.learn_report, &a.new_model),
      &a.new_model, zcmoe_model_destroy);
  add(ZCMOE_CALL(zcmoe_learner_serialize, a.learner, a.buffer.data(), a.buffer.size(), &a.size));
  add_making(ZCMOE_CALL(zcmoe_learner_deserialize, a.context, a.learner_state.data(),
                        a.learner_state.size(), &a.new_learner),
             &a.new_learner, zcmoe_learner_destroy);
  for (const zcmoe_model* of : {a.model, a.points_model})
    add(ZCMOE_CALL(zcmoe_model_get_points_info, of, &a.points_info));
  add(ZCMOE_CALL(zcmoe_model_get_axis, a.points_model, 1, &a.axis_info));
  add(ZCMOE_CALL(zcmoe_model_get_bank, a.points_model, 3, &a.bank_info));
  add(ZCMOE_CALL(zcmoe_model_get_thresholds, a.points_model, &a.thresholds, built));
  add_making(ZCMOE_CALL(zcmoe_model_create_grid, a.context, &a.grid, &a.new_model), &a.new_model,
             zcmoe_model_destroy);
  add_making(ZCMOE_CALL(zcmoe_fit_create_points, a.context, a.points_model, &a.points_fit_options,
                        &a.points_rows, &a.new_fit),
             &a.new_fit, zcmoe_fit_destroy);
  add(ZCMOE_CALL(zcmoe_fit_add_points, a.points_fit, &a.points_x, y, none, num_rows, nullptr, 0,
                 nullptr));
  add(ZCMOE_CALL(zcmoe_fit_add_points_sync, a.points_fit, &a.points_x, y, none, num_rows, nullptr));
  add(ZCMOE_CALL(zcmoe_group_points, a.points_model, &a.points_x, num_rows, &a.grouped, nullptr, 0,
                 nullptr));
  add(ZCMOE_CALL(zcmoe_group_points_sync, a.points_model, &a.points_x, num_rows, &a.grouped,
                 nullptr));
  add(ZCMOE_CALL(zcmoe_group_points_workspace, a.points_model, num_rows, &a.size));
  add(ZCMOE_CALL(zcmoe_group, a.model, x, num_rows, &a.grouped, nullptr, 0, nullptr));
  add(ZCMOE_CALL(zcmoe_group_sync, a.model, x, num_rows, &a.grouped, nullptr));
  add(ZCMOE_CALL(zcmoe_group_workspace, a.model, num_rows, &a.size));

  add_making(ZCMOE_CALL(zcmoe_fit_create, a.context, edges, m, &a.model_options, &a.fit_options,
                        &a.new_fit),
             &a.new_fit, zcmoe_fit_destroy);
  add_using_up("zcmoe_fit_destroy", zcmoe_fit_destroy, &a.new_fit, [&a, edges] {
    return zcmoe_fit_create(a.context, edges, m, nullptr, nullptr, &a.new_fit);
  });
  add(ZCMOE_CALL(zcmoe_fit_workspace, a.fit, num_rows, &a.size));
  add(ZCMOE_CALL(zcmoe_fit_add, a.fit, x, y, none, num_rows, nullptr, 0, nullptr));
  add(ZCMOE_CALL(zcmoe_fit_add_sync, a.weighted, x, y, w, num_rows, nullptr));
  add(ZCMOE_CALL(zcmoe_fit_add_sync, a.with_lines, x, y, none, num_rows, nullptr));
  add(ZCMOE_CALL(zcmoe_fit_merge, a.fit, a.other, nullptr));
  add(ZCMOE_CALL(zcmoe_fit_get_report, a.fit, &a.report, nullptr));
  for (const zcmoe_fit* of : {a.fit, a.smooth, a.with_lines, a.points_fit}) {
    add_making(ZCMOE_CALL(zcmoe_fit_finish, of, &a.new_model, nullptr), &a.new_model,
               zcmoe_model_destroy);
  }
  add(ZCMOE_CALL(zcmoe_fit_serialize, a.other, a.buffer.data(), a.buffer.size(), &a.size, nullptr));
  for (const auto* bytes : {&a.state, &a.smooth_state, &a.lines_state, &a.points_state}) {
    add_making(
        ZCMOE_CALL(zcmoe_fit_deserialize, a.context, bytes->data(), bytes->size(), &a.new_fit),
        &a.new_fit, zcmoe_fit_destroy);
  }

  add(ZCMOE_CALL(zcmoe_plan, a.context, x, y, w, few_rows, &a.model_options, &a.plan_options,
                 &a.planned));
  for (const zcmoe_model* of : {a.model, a.smooth_model}) {
    add(ZCMOE_CALL(zcmoe_model_diagnose, of, &a.diagnosis_segments, &a.diagnosis));
    add(ZCMOE_CALL(zcmoe_model_intervals, of, 0.9, out, a.built.data()));
  }
  add_making(ZCMOE_CALL(zcmoe_compile, a.context, square, one, nullptr, 0.0, 1.0, 0.05,
                        &a.compile_options, &a.model_options, &a.new_model, &a.compiled),
             &a.new_model, zcmoe_model_destroy);

  add_making(ZCMOE_CALL(zcmoe_theory_curve_create, edges, edges, m + 1, &a.new_curve), &a.new_curve,
             zcmoe_theory_curve_destroy);
  add_using_up("zcmoe_theory_curve_destroy", zcmoe_theory_curve_destroy, &a.new_curve,
               [&a, edges] { return zcmoe_theory_curve_create(edges, edges, m, &a.new_curve); });
  for (const bool slope : {false, true}) {
    const auto value = slope ? zcmoe_theory_curve_slope : zcmoe_theory_curve_value;
    public_call call = answering(slope ? "zcmoe_theory_curve_slope" : "zcmoe_theory_curve_value",
                                 [&a, value] { return std::isfinite(value(a.curve, 0.5)); });
    call.zeros = [value] {
      return std::isnan(value(nullptr, 0.0)) ? ZCMOE_ERR_INVALID_ARGUMENT : ZCMOE_ERR_INTERNAL;
    };
    add(std::move(call));
  }
  const zcmoe_theory_problem* const problem = &a.problem;
  double* const number = &a.number;
  double* const second = &a.second_number;
  add(ZCMOE_CALL(zcmoe_theory_coefficient, problem, ZCMOE_THEORY_OPTIMAL, 2.0, number));
  add(ZCMOE_CALL(zcmoe_theory_error, 1.0, 2.0, 8, number));
  add(ZCMOE_CALL(zcmoe_theory_next_order, problem, ZCMOE_THEORY_UNIFORM, number));
  add(ZCMOE_CALL(zcmoe_theory_zero_gap, 1.0, 1.0, number));
  add(ZCMOE_CALL(zcmoe_theory_breakdown, problem, ZCMOE_THEORY_UNIFORM, 0.05, 16, built));
  add(ZCMOE_CALL(zcmoe_theory_breakdown_estimate, 1.0, 1.0, 1.0, 0.05, number));
  add(ZCMOE_CALL(zcmoe_theory_robustness, problem, number, second));
  add(ZCMOE_CALL(zcmoe_theory_approximation, problem, edges, m, ZCMOE_CONSTANT_MEAN,
                 a.constants.data(), &a.theory_cells, &a.totals));
  add(ZCMOE_CALL(zcmoe_theory_mean_reciprocal, 100, 0.1, number));
  add(ZCMOE_CALL(zcmoe_theory_estimation, 100, edges, a.cells.data(), a.constants.data(),
                 a.cells.data(), m, &a.mean_of_all, out, &a.estimation));
  add(ZCMOE_CALL(zcmoe_theory_risk_curve, problem, ZCMOE_THEORY_UNIFORM, 100, &a.mean_of_all,
                 a.built_numbers.data(), 2, a.points.data()));
  add(ZCMOE_CALL(zcmoe_theory_bounded_tail, 100, 8, 0.1, 1.0, 0.05, number, second));
  add(ZCMOE_CALL(zcmoe_theory_gaussian_tail, a.cells.data(), a.cells.data(), a.counts.data(), m,
                 0.05, number));
  add(ZCMOE_CALL(zcmoe_theory_optimum, 1.0, 1.0, 100.0, 1, number, second));
  add(ZCMOE_CALL(zcmoe_theory_flatness, 2.0, 1, number));
  add(ZCMOE_CALL(zcmoe_theory_noise_adaptive, problem, 100, number, second));
  add(ZCMOE_CALL(zcmoe_theory_noise_adaptive_edges, problem, 8, out, built));
  add(ZCMOE_CALL(zcmoe_theory_expert_law, problem, ZCMOE_EXPERTS_LINEAR, ZCMOE_THEORY_OPTIMAL,
                 &a.law));
  add(ZCMOE_CALL(zcmoe_theory_expert_law, problem, ZCMOE_THEORY_INTERPOLATED_MEANS,
                 ZCMOE_THEORY_UNIFORM, &a.law));
  add(ZCMOE_CALL(zcmoe_theory_law_optimum, &a.line_law, 100.0, number, second));
  add(ZCMOE_CALL(zcmoe_theory_break_even, &a.line_law, &a.constant_law, number));
  add(ZCMOE_CALL(zcmoe_theory_learned_cuts, 8, 100, 0.1, number, second));
  add(ZCMOE_CALL(zcmoe_theory_moment, ZCMOE_CELL_HEXAGON, 2, number));
  add(ZCMOE_CALL(zcmoe_theory_cells_error, 1, few_segments, a.cells.data(), a.cells.data(),
                 a.cells.data(), number, second));
  add(ZCMOE_CALL(zcmoe_theory_axis_coefficients, &a.field, ZCMOE_THEORY_OPTIMAL, out));
  add(ZCMOE_CALL(zcmoe_theory_aspect, a.cells.data(), 2, 64.0, out, number));
  add(ZCMOE_CALL(zcmoe_theory_allocate, a.cells.data(), 2, 64, a.rows.data()));
  add(ZCMOE_CALL(zcmoe_theory_axis_edges, &a.field, 1, 8, 0.1, out, built));
  add(ZCMOE_CALL(zcmoe_theory_cells_coefficient, &a.field, ZCMOE_CELLS_BOXES, number));
  add(ZCMOE_CALL(zcmoe_theory_rotated_cell, 2, 1.0, 1.0, 0.1, number, second));
  add(ZCMOE_CALL(zcmoe_theory_box_errors, &a.field, a.corners, 1, nullptr, out, nullptr, nullptr,
                 number));
  add(ZCMOE_CALL(zcmoe_theory_halving_tree, &a.field, 4, out, built));
  add(ZCMOE_CALL(zcmoe_theory_table_statistics, &a.tables[0], &a.mean_of_all, 0.1, &a.statistics));
  add(ZCMOE_CALL(zcmoe_theory_rice, a.y.data(), few_rows, number));
  add(ZCMOE_CALL(zcmoe_theory_richardson, 8, 1.0, 0.5, 100, &a.fitted));
  add(ZCMOE_CALL(zcmoe_theory_parametric_fit, a.built_numbers.data(), a.w.data(), 2, 1000,
                 &a.fitted));
  add(ZCMOE_CALL(zcmoe_theory_ratio_test, 8, 1.0, 0.5, 0.4, 1000, &a.ratio));
  add(ZCMOE_CALL(zcmoe_theory_recommend, a.tables, 3, &a.mean_of_all, &a.recommendation));
#undef ZCMOE_CALL
}

every_call::~every_call() { delete own_; }

std::vector<unsigned char> every_call::state() const {
  std::vector<unsigned char> bytes;
  for (const zcmoe_fit* fit : {own_->fit, own_->weighted, own_->smooth, own_->with_lines}) {
    std::size_t size = 0;
    expect_ok(zcmoe_fit_serialize(fit, nullptr, 0, &size, nullptr));
    const std::size_t begin = bytes.size();
    bytes.resize(begin + size);
    expect_ok(zcmoe_fit_serialize(fit, bytes.data() + begin, size, &size, nullptr));
  }
  return bytes;
}

std::vector<std::string> declared_functions(const std::string& include) {
  std::vector<std::string> names;
  for (const char* header : {"zcmoe.h", "plan.h", "compile.h", "theory.h", "points.h"}) {
    std::ifstream file(include + "/zcmoe/" + header);
    EXPECT_TRUE(file) << header;
    std::stringstream all;
    all << file.rdbuf();
    const std::string text = all.str();
    const std::regex declaration(R"(\nZCMOE_API\s[^;(]*\b(zcmoe_\w+)\()");
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) {
      names.push_back((*at)[1]);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace zcmoe::test
