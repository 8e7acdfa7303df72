// The C functions of models of several inputs: what they tell of a model, which functions refuse
// which kind of model, and columns of every kind.
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/plan.h>
#include <zcmoe/points.hpp>

#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

namespace zcmoe::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

scoped_model made(const points_file& file) {
  const std::string bytes = written(parts_of(file));
  scoped_model model;
  EXPECT_EQ(zcmoe_model_deserialize(cpu_context(), bytes.data(), bytes.size(), &model.handle),
            ZCMOE_OK)
      << zcmoe_last_error();
  return model;
}

scoped_model one_input(const char* name) {
  static const double edges[] = {0, 1, 2};
  static const double constants[] = {10, 20};
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.feature_name = name;
  options.target_name = "target";
  scoped_model model;
  EXPECT_EQ(zcmoe_model_create(cpu_context(), edges, constants, 2, &options, &model.handle),
            ZCMOE_OK);
  return model;
}

zcmoe_points_info info_of(const scoped_model& model) {
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  EXPECT_EQ(zcmoe_model_get_points_info(model.handle, &info), ZCMOE_OK) << zcmoe_last_error();
  return info;
}

template <class T>
std::vector<T> listed(const T* numbers, std::int64_t count) {
  return std::vector<T>(numbers, numbers + count);
}

// --------------------------------------------------------------------- tell

TEST(points_test, what_a_sum_is_made_of) {
  const scoped_model model = made(sample_tables());
  const zcmoe_points_info info = info_of(model);
  EXPECT_EQ(info.num_inputs, 3);
  EXPECT_EQ(info.num_axes, 2);
  EXPECT_EQ(info.num_banks, 4);
  EXPECT_EQ(info.num_segments, 0);
  // 18 constants, 5 + 10 + 10 + 5 offsets of 4 bytes, 5 nodes of 16, 6 edges of 8.
  EXPECT_EQ(info.bytes, 4 * (18 + 30) + 16 * 5 + 8 * 6);
  EXPECT_EQ(info.num_rows, 1000);
  EXPECT_EQ(info.noise_variance, 0.1);
  EXPECT_EQ(info.partition, ZCMOE_PARTITION_TABLES);
  EXPECT_EQ(info.base, -12345678901);
  EXPECT_EQ(info.exponent, -20);
  ASSERT_NE(info.input_names, nullptr);
  EXPECT_STREQ(info.input_names[0], "distance");
  EXPECT_STREQ(info.input_names[1], "");
  EXPECT_STREQ(info.target_name, "delay");
  EXPECT_EQ(info.constants, nullptr);
  EXPECT_EQ(info.counts, nullptr);
  EXPECT_EQ(info.variances, nullptr);
  EXPECT_EQ(info.standard_errors, nullptr);

  zcmoe_axis_info axis = ZCMOE_AXIS_INFO_INIT;
  ASSERT_EQ(zcmoe_model_get_axis(model.handle, 0, &axis), ZCMOE_OK);
  EXPECT_EQ(axis.input, 0);
  EXPECT_THAT(listed(axis.edges, axis.num_segments + 1), ElementsAre(0, 1, 2.5));
  EXPECT_EQ(axis.closed_side, ZCMOE_CLOSED_RIGHT);
  EXPECT_EQ(axis.include_outer_edge, 1);
  EXPECT_EQ(axis.nan_policy, ZCMOE_NAN_SEGMENT);
  EXPECT_EQ(axis.range_policy, ZCMOE_RANGE_SEGMENTS);
  ASSERT_EQ(zcmoe_model_get_axis(model.handle, 1, &axis), ZCMOE_OK);
  EXPECT_EQ(axis.input, 2);

  zcmoe_bank_info bank = ZCMOE_BANK_INFO_INIT;
  ASSERT_EQ(zcmoe_model_get_bank(model.handle, 1, &bank), ZCMOE_OK);
  EXPECT_THAT(listed(bank.constants, bank.num_cells), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  ASSERT_EQ(bank.num_axes, 2);
  EXPECT_EQ(bank.axes[1].axis, 1);
  EXPECT_THAT(listed(bank.axes[1].offsets, 5), ElementsAre(-2, 0, -1, 0, 1));
  EXPECT_EQ(bank.num_nodes, 0);
  EXPECT_EQ(bank.nodes, nullptr);
  ASSERT_EQ(zcmoe_model_get_bank(model.handle, 2, &bank), ZCMOE_OK);
  EXPECT_EQ(bank.num_axes, 0);
  EXPECT_EQ(bank.axes, nullptr);
  ASSERT_EQ(bank.num_nodes, 3);
  EXPECT_EQ(bank.nodes[1].left, -3);
  EXPECT_EQ(bank.nodes[1].right, 2);

  const std::int64_t number = 1;
  const std::int64_t* thresholds = &number;
  std::int64_t count = 7;
  ASSERT_EQ(zcmoe_model_get_thresholds(model.handle, &thresholds, &count), ZCMOE_OK);
  EXPECT_EQ(thresholds, nullptr);
  EXPECT_EQ(count, 0);
}

TEST(points_test, what_segments_are_made_of) {
  const scoped_model model = made(sample_score());
  const zcmoe_points_info info = info_of(model);
  ASSERT_EQ(info.num_segments, 4);
  EXPECT_EQ(info.partition, ZCMOE_PARTITION_SCORE);
  EXPECT_EQ(info.base, 0);
  EXPECT_EQ(info.exponent, 0);
  EXPECT_EQ(info.target_name, nullptr);
  EXPECT_TRUE(std::isnan(info.noise_variance));
  EXPECT_THAT(listed(info.counts, 4), ElementsAre(3, 0, 7, 1));
  EXPECT_THAT(listed(info.constants, 4), ElementsAre(1.5, testing::IsNan(), -2.0, 0.25));
  EXPECT_EQ(info.variances[0], 0.5);
  EXPECT_EQ(info.standard_errors[0], 0.25);
  const std::int64_t* thresholds = nullptr;
  std::int64_t count = 0;
  ASSERT_EQ(zcmoe_model_get_thresholds(model.handle, &thresholds, &count), ZCMOE_OK);
  EXPECT_THAT(listed(thresholds, count), ElementsAre(-5, 0, 1000));
  EXPECT_EQ(info_of(made(sample_tree())).input_names, nullptr);
}

TEST(points_test, what_a_model_of_one_input_is_made_of) {
  const scoped_model model = one_input("x");
  const zcmoe_points_info info = info_of(model);
  EXPECT_EQ(info.num_inputs, 1);
  EXPECT_EQ(info.num_axes, 0);
  EXPECT_EQ(info.num_banks, 0);
  EXPECT_EQ(info.num_segments, 2);
  EXPECT_EQ(info.bytes, 8 * (3 + 5));
  EXPECT_EQ(info.partition, 0);
  ASSERT_NE(info.input_names, nullptr);
  EXPECT_STREQ(info.input_names[0], "x");
  EXPECT_STREQ(info.target_name, "target");
  EXPECT_THAT(listed(info.constants, 2), ElementsAre(10, 20));
  EXPECT_THAT(listed(info.counts, 2), ElementsAre(0, 0));
  EXPECT_EQ(info_of(one_input(nullptr)).input_names, nullptr);
  const std::int64_t* thresholds = info.counts;
  std::int64_t count = 7;
  ASSERT_EQ(zcmoe_model_get_thresholds(model.handle, &thresholds, &count), ZCMOE_OK);
  EXPECT_EQ(thresholds, nullptr);
  EXPECT_EQ(count, 0);
}

TEST(points_test, structs_of_other_versions) {
  const scoped_model model = made(sample_score());
  zcmoe_points_info info{};
  info.struct_size = offsetof(zcmoe_points_info, num_axes);
  ASSERT_EQ(zcmoe_model_get_points_info(model.handle, &info), ZCMOE_OK);
  EXPECT_EQ(info.num_inputs, 3);
  EXPECT_EQ(info.num_axes, 0);
}

// ------------------------------------------------------- which kind of model

TEST(points_test, functions_of_one_input_refuse_several) {
  const scoped_model model = made(sample_score());
  const double x = 0.5;
  double room[8];
  std::int64_t numbers[8];
  std::size_t size = 0;
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  zcmoe_group_outputs grouped = ZCMOE_GROUP_OUTPUTS_INIT;
  zcmoe_model_info info{};
  info.struct_size = sizeof info;
  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  zcmoe_model_diagnosis diagnosis{};
  diagnosis.struct_size = sizeof diagnosis;
  zcmoe_model* other = nullptr;
  grouped.offsets = {numbers, ZCMOE_I64, 1};
  const zcmoe_array one = {&x, ZCMOE_F64, 1};
  const zcmoe_model* const m = model.handle;
  const std::map<std::string, std::function<zcmoe_status()>> calls = {
      {"zcmoe_predict", [&] { return zcmoe_predict(m, one, 1, &outputs, nullptr); }},
      {"zcmoe_predict_sync", [&] { return zcmoe_predict_sync(m, one, 1, &outputs, nullptr); }},
      {"zcmoe_group", [&] { return zcmoe_group(m, one, 1, &grouped, nullptr, 0, nullptr); }},
      {"zcmoe_group_sync", [&] { return zcmoe_group_sync(m, one, 1, &grouped, nullptr); }},
      {"zcmoe_group_workspace", [&] { return zcmoe_group_workspace(m, 1, &size); }},
      {"zcmoe_model_get_info", [&] { return zcmoe_model_get_info(m, &info); }},
      {"zcmoe_model_get_view", [&] { return zcmoe_model_get_view(m, &view); }},
      {"zcmoe_model_interpolate", [&] { return zcmoe_model_interpolate(m, &other); }},
      {"zcmoe_model_diagnose", [&] { return zcmoe_model_diagnose(m, nullptr, &diagnosis); }},
      {"zcmoe_model_intervals", [&] { return zcmoe_model_intervals(m, 0.9, room, room + 4); }}};
  for (const auto& [name, call] : calls) {
    EXPECT_EQ(call(), ZCMOE_ERR_INVALID_ARGUMENT) << name;
    EXPECT_EQ(zcmoe_last_error(), name + ": model has 3 inputs: zcmoe_predict_points() takes them");
  }
  EXPECT_EQ(other, nullptr);
}

TEST(points_test, one_column_is_predicted_as_zcmoe_predict_does) {
  const scoped_model model = one_input(nullptr);
  const std::vector<float> x = {-1, 0, 0.5, 1, 3, NAN};
  std::vector<double> values[2] = {std::vector<double>(6), std::vector<double>(6)};
  std::vector<std::int32_t> segments(6);
  const zcmoe_array column = {x.data(), ZCMOE_F32, 1};
  zcmoe_points points = ZCMOE_POINTS_INIT;
  points.num_inputs = 1;
  points.columns = &column;
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values[0].data(), ZCMOE_F64, 1};
  ASSERT_EQ(zcmoe_predict(model.handle, column, 6, &outputs, nullptr), ZCMOE_OK);
  outputs.values.data = values[1].data();
  outputs.segments = {segments.data(), ZCMOE_I32, 1};
  for (const auto predict : {zcmoe_predict_points, zcmoe_predict_points_sync}) {
    values[1].assign(6, -1);
    ASSERT_EQ(predict(model.handle, &points, 6, &outputs, nullptr), ZCMOE_OK);
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_THAT(values[1][i], testing::NanSensitiveDoubleEq(values[0][i]));
    EXPECT_THAT(segments, ElementsAre(0, 0, 0, 1, 1, -1));
  }
}

// ------------------------------------------------------------------ predict

TEST(points_test, rows_columns_and_no_rows) {
  const scoped_model model = made(sample_score());
  // Three rows of three columns, row-major and column-major, of two types.
  const double rows[] = {0.5, 9, 0.25, 2.0, 9, -0.5, 1.0, 9, 0.0};
  const float first[] = {0.5f, 2.0f, 1.0f};
  const double last[] = {0.0, -0.5, 0.25};  // backwards
  const zcmoe_array row_major[] = {
      {rows, ZCMOE_F64, 3}, {rows + 1, ZCMOE_F64, 3}, {rows + 2, ZCMOE_F64, 3}};
  const zcmoe_array mixed[] = {{first, ZCMOE_F32, 1}, {nullptr, 0, 0}, {last + 2, ZCMOE_F64, -1}};
  std::vector<double> values[2];
  for (int k = 0; k < 2; ++k) {
    values[k].assign(3, -1);
    zcmoe_points x = ZCMOE_POINTS_INIT;
    x.num_inputs = 3;
    x.columns = k == 0 ? row_major : mixed;
    zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
    outputs.values = {values[k].data(), ZCMOE_F64, 1};
    ASSERT_EQ(zcmoe_predict_points(model.handle, &x, 3, &outputs, nullptr), ZCMOE_OK)
        << zcmoe_last_error();
    x.columns = nullptr;
    EXPECT_EQ(zcmoe_predict_points(model.handle, &x, 0, &outputs, nullptr), ZCMOE_OK);
  }
  EXPECT_EQ(values[0], values[1]);
}

TEST(points_test, integers_that_no_double_holds) {
  // An axis that ends at 2^53, which is included: 2^53 + 1 lies above it.
  points_file file;
  file.partition = "tables";
  file.tables.num_inputs = 2;
  file.tables.axes = {{0, {0.0, 0x1p53}, ZCMOE_CLOSED_LEFT, 1, 0, ZCMOE_RANGE_SEGMENTS},
                      {1, {-0x1p53, 0.0}, ZCMOE_CLOSED_RIGHT, 1, 0, ZCMOE_RANGE_SEGMENTS}};
  detail::bank grid;
  grid.axes = {{0, {0, 0, 1, 2}}, {1, {0, 0, 3, 6}}};
  grid.constants = {0, 1, 2, 10, 11, 12, 20, 21, 22};
  file.tables.banks = {grid};
  const scoped_model model = made(file);
  constexpr std::int64_t end = std::int64_t{1} << 53;
  const std::vector<std::int64_t> a = {end, end + 1, end - 1};
  const std::vector<std::int64_t> b = {-end - 1, -end, 1};
  const zcmoe_array columns[] = {{a.data(), ZCMOE_I64, 1}, {b.data(), ZCMOE_I64, 1}};
  zcmoe_points x = ZCMOE_POINTS_INIT;
  x.num_inputs = 2;
  x.columns = columns;
  std::vector<double> values(3);
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F64, 1};
  ASSERT_EQ(zcmoe_predict_points(model.handle, &x, 3, &outputs, nullptr), ZCMOE_OK);
  EXPECT_THAT(values, ElementsAre(10, 2, 20));
}

TEST(points_test, very_many_columns) {
  points_file file;
  file.partition = "tables";
  file.tables.num_inputs = static_cast<std::int32_t>(ZCMOE_MAX_INPUTS);
  detail::bank table;
  for (std::int32_t j = 0; j < file.tables.num_inputs; ++j) {
    file.tables.axes.push_back({j, {0.0, 1.0, 2.0}, ZCMOE_CLOSED_LEFT, 1, 0, 0});
    table.axes.push_back({j, {0, 1, 0, 0, 0}});
  }
  for (std::int32_t c = 0; c <= file.tables.num_inputs; ++c) table.constants.push_back(c);
  file.tables.banks = {table};
  const scoped_model model = made(file);
  const double numbers[] = {0.5, 1.5};
  std::vector<zcmoe_array> columns;
  for (std::int32_t j = 0; j < file.tables.num_inputs; ++j)
    columns.push_back({numbers + j % 2, ZCMOE_F64, 0});
  zcmoe_points x = ZCMOE_POINTS_INIT;
  x.num_inputs = file.tables.num_inputs;
  x.columns = columns.data();
  double value[3] = {};
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {value, ZCMOE_F64, 1};
  ASSERT_EQ(zcmoe_predict_points(model.handle, &x, 3, &outputs, nullptr), ZCMOE_OK)
      << zcmoe_last_error();
  EXPECT_THAT(value, ElementsAre(512, 512, 512));
}

// ---------------------------------------------------------------------- C++

TEST(points_test, in_cpp) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const std::vector<float> a = {1, 2, 3, 4};
  const std::vector<double> b = {4, 3, 2, 1};
  const std::vector<double> y = {2, 4, 6, 8};
  points x;
  x.add(a).add(b);
  EXPECT_EQ(x.num_rows(), 4);
  EXPECT_EQ(x.num_inputs(), 2);
  EXPECT_EQ(status_of([&] { x.add(std::vector<double>{1}); }), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] { learn(cpu, x, std::vector<double>{1}); }), ZCMOE_ERR_INVALID_ARGUMENT);
  double last = -1;
  const learned made = learn(cpu, x, array(y.data()), learn_options(), [&last](double done) {
    EXPECT_GE(done, last);
    last = done;
    return true;
  });
  EXPECT_GE(last, 0);
  EXPECT_EQ(made.report.rows, 4);
  EXPECT_EQ(made.report.rows_used, 4);
  EXPECT_EQ(points_info(made.table).num_inputs, 2);
  EXPECT_EQ(predict_points_sync(made.table, x).size(), 4u);
  EXPECT_EQ(predict_points_sync(learn(cpu, x, y).table, x), predict_points_sync(made.table, x));

  EXPECT_EQ(status_of([&] {
              learn(cpu, x, array(y.data()), learn_options(), [](double) { return false; });
            }),
            ZCMOE_ERR_CANCELLED);
  EXPECT_THROW(learn(cpu, x, array(y.data()), learn_options(),
                     [](double) -> bool { throw std::out_of_range("mine"); }),
               std::out_of_range);
}

TEST(points_test, what_a_model_is_made_of_in_cpp) {
  scoped_model handle = made(sample_score());
  const model table(std::exchange(handle.handle, nullptr));
  EXPECT_EQ(points_info(table).num_segments, 4);
  EXPECT_EQ(axis_info(table, 1).input, 2);
  EXPECT_EQ(bank_info(table, 2).num_nodes, 3);
  EXPECT_THAT(score_thresholds(table), ElementsAre(-5, 0, 1000));
  EXPECT_EQ(status_of([&] { axis_info(table, 2); }), ZCMOE_ERR_INVALID_ARGUMENT);
  const std::vector<float> rows = {0.5f, 9, 0.25f, 2, 9, -0.5f};
  const points x = points::row_major(rows.data(), 2, 3);
  EXPECT_EQ(x.num_rows(), 2);
  const std::vector<double> values = predict_points_sync(table, x);
  std::vector<float> narrow(2);
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(narrow.data());
  predict_points(table, x, outputs);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_THAT(narrow[i], testing::NanSensitiveFloatEq(static_cast<float>(values[i])));
}

}  // namespace
}  // namespace zcmoe::test
