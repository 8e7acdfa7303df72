// Model files of several inputs: they are what docs/model-file.md says, they come back as the same
// bytes, and nothing else is let in. Models are made of bytes that the test writes by itself.
#include "tests/model/points_bytes.hpp"

#include <zcmoe/points.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>

namespace zcmoe::test {
namespace {

using testing::HasSubstr;

const double nan = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();

zcmoe_status load_bytes(const std::string& bytes, scoped_model& model) {
  return zcmoe_model_deserialize(cpu_context(), bytes.data(), bytes.size(), &model.handle);
}

scoped_model made(const points_file& file) {
  scoped_model model;
  EXPECT_EQ(load_bytes(written(parts_of(file)), model), ZCMOE_OK) << zcmoe_last_error();
  return model;
}

std::string bytes_of(const scoped_model& model) {
  std::size_t size = 0;
  EXPECT_EQ(zcmoe_model_serialize(model.handle, nullptr, 0, &size), ZCMOE_OK);
  std::string bytes(size, '\0');
  EXPECT_EQ(zcmoe_model_serialize(model.handle, &bytes[0], size, &size), ZCMOE_OK);
  return bytes;
}

// ------------------------------------------------------------ what is written

TEST(points_io_test, a_file_comes_back_as_the_same_bytes) {
  for (const points_file& file : sample_points()) {
    const std::string bytes = written(parts_of(file));
    EXPECT_EQ(bytes_of(made(file)), bytes) << file.partition;
  }
}

TEST(points_io_test, a_file_on_disk_is_what_is_in_memory) {
  const std::filesystem::path folder = testing::TempDir();
  const std::string path = (folder / "zcmoe-points-io.safetensors").string();
  for (const points_file& file : sample_points()) {
    ASSERT_EQ(zcmoe_model_save(made(file).handle, path.c_str()), ZCMOE_OK) << zcmoe_last_error();
    scoped_model loaded;
    ASSERT_EQ(zcmoe_model_load(cpu_context(), path.c_str(), &loaded.handle), ZCMOE_OK)
        << zcmoe_last_error();
    EXPECT_EQ(bytes_of(loaded), written(parts_of(file)));
  }
  std::filesystem::remove(path);
}

TEST(points_io_test, what_means_the_same_is_written_alike) {
  points_file file = sample_score();
  const std::string bytes = written(parts_of(file));
  file.tables.axes[0].edges[0] = -0.0;
  file.tables.head.constants[1] = -nan;
  EXPECT_NE(written(parts_of(file)), bytes);
  EXPECT_EQ(bytes_of(made(file)), bytes);
}

TEST(points_io_test, names_may_be_long) {
  points_file file = sample_constant();
  file.tables.num_inputs = ZCMOE_MAX_INPUTS;
  file.input_names.assign(static_cast<std::size_t>(ZCMOE_MAX_INPUTS), std::string(1024, 'x'));
  EXPECT_EQ(bytes_of(made(file)), written(parts_of(file)));
}

// ------------------------------------------------------------------ predict

/// The code of an input, by a search that shares nothing with the library's.
std::int64_t code_of(const detail::input_axis& axis, double x) {
  const std::int64_t m = axis.num_segments();
  const bool left = axis.closed_side == ZCMOE_CLOSED_LEFT;
  const bool outer = axis.include_outer_edge != 0;
  const double first = axis.edges.front();
  const double last = axis.edges.back();
  if (std::isnan(x)) return m;
  const bool below = left ? x < first : (outer ? x < first : x <= first);
  const bool above = left ? (outer ? x > last : x >= last) : x > last;
  if (axis.range_policy != ZCMOE_RANGE_CLAMP && below) return m + 1;
  if (axis.range_policy != ZCMOE_RANGE_CLAMP && above) return m + 2;
  std::int64_t code = 0;
  for (std::int64_t i = 1; i < m; ++i) {
    const double edge = axis.edges[static_cast<std::size_t>(i)];
    code += left ? edge <= x : edge < x;
  }
  return code;
}

struct answer {
  bool there;
  double value;
  std::int64_t segment;
};

answer answer_of(const detail::bank_tables& tables, const std::vector<double>& x) {
  std::vector<std::uint8_t> codes;
  bool there = true;
  for (const detail::input_axis& axis : tables.axes) {
    const std::int64_t code = code_of(axis, x[static_cast<std::size_t>(axis.input)]);
    there = there && detail::is_answered(axis, code);
    codes.push_back(static_cast<std::uint8_t>(code));
  }
  if (!there) return {false, nan, -1};
  const std::int64_t score = detail::score_of(tables, codes.data());
  const detail::head& h = tables.head;
  if (!h.has_segments()) {
    return {true, std::ldexp(static_cast<double>(h.base + score), h.exponent), 0};
  }
  std::int64_t segment = h.thresholds.empty() ? score : 0;
  for (const std::int64_t threshold : h.thresholds) segment += threshold <= score;
  return {true, h.constants[static_cast<std::size_t>(segment)], segment};
}

const std::vector<double> interesting = {-1.0, 0.0,  0.5, 1.0,       2.5,
                                         3.0,  -7.0, nan, -infinity, infinity};

TEST(points_io_test, a_loaded_model_predicts_what_its_file_says) {
  for (const points_file& file : sample_points()) {
    const scoped_model model = made(file);
    const auto d = static_cast<std::size_t>(file.tables.num_inputs);
    const bool segments = file.tables.head.has_segments();
    std::vector<std::vector<double>> rows;
    for (const double a : interesting) {
      for (const double b : interesting)
        rows.push_back(d == 1 ? std::vector{a} : std::vector{a, nan, b});
    }
    const auto n = static_cast<std::int64_t>(rows.size());
    std::vector<double> values(rows.size());
    std::vector<std::int64_t> found(rows.size());
    std::vector<double> table(rows.size() * d);
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy(rows[i].begin(), rows[i].end(), table.begin() + static_cast<std::ptrdiff_t>(i * d));
    std::vector<zcmoe_array> columns;
    for (std::size_t j = 0; j < d; ++j)
      columns.push_back({table.data() + j, ZCMOE_F64, static_cast<std::int64_t>(d)});
    if (d > 1) columns[1] = {nullptr, 0, 0};  // nothing looks at it
    zcmoe_points x = ZCMOE_POINTS_INIT;
    x.num_inputs = static_cast<std::int64_t>(d);
    x.columns = columns.data();
    zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
    outputs.values = {values.data(), ZCMOE_F64, 1};
    if (segments) outputs.segments = {found.data(), ZCMOE_I64, 1};
    zcmoe_report report{};
    outputs.report = &report;
    ASSERT_EQ(zcmoe_predict_points_sync(model.handle, &x, n, &outputs, nullptr), ZCMOE_OK)
        << zcmoe_last_error();
    std::int64_t answered = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const answer expected = answer_of(file.tables, rows[i]);
      answered += expected.there;
      EXPECT_THAT(values[i], testing::NanSensitiveDoubleEq(expected.value))
          << file.partition << " row " << i;
      if (segments) {
        EXPECT_EQ(found[i], expected.segment) << file.partition << " row " << i;
      }
    }
    EXPECT_EQ(report.rows, n);
    EXPECT_EQ(report.rows_used, answered);
    std::fill(values.begin(), values.end(), 0.0);
    ASSERT_EQ(zcmoe_predict_points(model.handle, &x, n, &outputs, nullptr), ZCMOE_OK);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_THAT(values[i], testing::NanSensitiveDoubleEq(answer_of(file.tables, rows[i]).value));
    }
  }
}

// ------------------------------------------------------------ damaged files

/// What a file that is accepted must do: predict within its segments, and come back as it is.
void use(const scoped_model& model, const std::string& what) {
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  ASSERT_EQ(zcmoe_model_get_points_info(model.handle, &info), ZCMOE_OK) << what;
  const auto n = static_cast<std::int64_t>(interesting.size());
  const std::vector<zcmoe_array> columns(static_cast<std::size_t>(info.num_inputs),
                                         {interesting.data(), ZCMOE_F64, 1});
  std::vector<double> values(interesting.size());
  std::vector<std::int64_t> segments(interesting.size());
  zcmoe_points x = ZCMOE_POINTS_INIT;
  x.num_inputs = info.num_inputs;
  x.columns = columns.data();
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F64, 1};
  if (info.num_segments > 0) outputs.segments = {segments.data(), ZCMOE_I64, 1};
  ASSERT_EQ(zcmoe_predict_points_sync(model.handle, &x, n, &outputs, nullptr), ZCMOE_OK) << what;
  for (const std::int64_t segment : segments) {
    ASSERT_TRUE(info.num_segments == 0 || (segment >= -1 && segment < info.num_segments)) << what;
  }
  const std::string bytes = bytes_of(model);
  scoped_model again;
  ASSERT_EQ(load_bytes(bytes, again), ZCMOE_OK) << what << ": " << zcmoe_last_error();
  ASSERT_EQ(bytes_of(again), bytes) << what;
}

/// Loads what has right checksums: it is refused as no model, or works. Answers whether it was
/// refused.
bool is_refused(const std::string& bytes, const std::string& what) {
  scoped_model model;
  const zcmoe_status status = load_bytes(bytes, model);
  EXPECT_TRUE(status == ZCMOE_OK || status == ZCMOE_ERR_FORMAT)
      << what << ": " << zcmoe_status_string(status) << ", " << zcmoe_last_error();
  if (status != ZCMOE_OK) {
    EXPECT_EQ(model.handle, nullptr) << what;
    return true;
  }
  use(model, what);
  return false;
}

/// Engines prepare the constants of all cells.
TEST(points_io_test, cells_that_no_code_leads_to_keep_the_rules_too) {
  points_file grid = sample_grid();
  grid.tables.banks[0].constants.push_back(3);
  EXPECT_FALSE(is_refused(written(parts_of(grid)), "one more cell of a segment"));
  grid.tables.banks[0].constants.back() = -1000000000;
  EXPECT_TRUE(is_refused(written(parts_of(grid)), "one more cell of no segment"));
  points_file sum = sample_tables();
  detail::bank constant;
  constant.axes = {{0, {0, 0, 0, 0, 0}}};
  constant.constants = {0};
  sum.tables.banks = {constant};
  sum.tables.head.base = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(is_refused(written(parts_of(sum)), "the greatest base"));
  sum.tables.banks[0].constants.push_back(1);
  EXPECT_TRUE(is_refused(written(parts_of(sum)), "one more cell, which the base cannot bear"));
}

TEST(points_io_test, sums_of_very_many_offsets_are_refused) {
  points_file file = sample_constant();
  const auto d = static_cast<std::int32_t>(ZCMOE_MAX_INPUTS);
  file.tables.num_inputs = d;
  detail::bank all;
  for (std::int32_t j = 0; j < d; ++j) {
    file.tables.axes.push_back(
        {j, {0.0, 1.0}, ZCMOE_CLOSED_LEFT, 1, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_CLAMP});
    all.axes.push_back({j, {0, 0, 0, 0}});
  }
  all.constants = {1};
  file.tables.banks.assign(256, all);
  EXPECT_FALSE(is_refused(written(parts_of(file)), "2^18 offsets of axes"));
  file.tables.banks.push_back(all);
  EXPECT_TRUE(is_refused(written(parts_of(file)), "more"));
}

TEST(points_io_test, every_flipped_bit_and_every_length_is_refused) {
  for (const points_file& file : {sample_tables(), sample_tree()}) {
    const std::string bytes = written(parts_of(file));
    const auto refused = [](const std::string& damaged) {
      scoped_model model;
      const zcmoe_status status = load_bytes(damaged, model);
      return model.handle == nullptr &&
             (status == ZCMOE_ERR_FORMAT || status == ZCMOE_ERR_CHECKSUM ||
              status == ZCMOE_ERR_VERSION);
    };
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_TRUE(refused(bytes.substr(0, length))) << "cut to " << length << " bytes";
    }
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] =
          static_cast<char>(static_cast<unsigned char>(damaged[bit / 8]) ^ (1u << (bit % 8)));
      ASSERT_TRUE(refused(damaged)) << "bit " << bit % 8 << " of byte " << bit / 8;
    }
    ASSERT_TRUE(refused(bytes + '\0'));
    ASSERT_TRUE(refused(bytes + bytes));
  }
}

template <class T>
void try_elements(const file_parts& parts, std::size_t which, const std::vector<T>& hostile) {
  const file_array& array = parts.arrays[which];
  const std::size_t count = array.bytes.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    T old{};
    std::memcpy(&old, array.bytes.data() + i * sizeof(T), sizeof old);
    std::vector<T> tried = hostile;
    if constexpr (std::is_integral_v<T>) {
      for (const int step : {-1, 1}) {
        tried.push_back(static_cast<T>(static_cast<std::uint64_t>(old) +
                                       static_cast<std::uint64_t>(std::int64_t{step})));
      }
      tried.push_back(static_cast<T>(~old));
    }
    for (const T value : tried) {
      file_parts changed = parts;
      std::memcpy(&changed.arrays[which].bytes[i * sizeof(T)], &value, sizeof value);
      is_refused(written(changed), array.name + "[" + std::to_string(i) +
                                       "]=" + std::to_string(static_cast<double>(value)));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(points_io_test, every_number_may_be_hostile) {
  const std::vector<std::int32_t> whole = {
      0, 1, -1, 2, 255, 1 << 20, 1 << 26, (1 << 26) + 1, 1 << 30, 2147483647, -2147483647 - 1};
  const std::vector<std::int64_t> wide = {0, 1, -1, std::numeric_limits<std::int64_t>::max(),
                                          std::numeric_limits<std::int64_t>::min()};
  const std::vector<double> real = {0.0, -1.0, 1e308, infinity, -infinity, nan};
  for (const points_file& file : sample_points()) {
    const file_parts parts = parts_of(file);
    for (std::size_t a = 0; a < parts.arrays.size(); ++a) {
      const std::string& dtype = parts.arrays[a].dtype;
      if (dtype == "I32") try_elements(parts, a, whole);
      if (dtype == "I64") try_elements(parts, a, wide);
      if (dtype == "F64") try_elements(parts, a, real);
      if (dtype == "U8") try_elements<std::uint8_t>(parts, a, {0, 1, 'x', 0x80, 0xc0, 0xff});
    }
  }
}

TEST(points_io_test, every_array_must_be_there_with_its_type_and_shape) {
  for (const points_file& file : sample_points()) {
    const file_parts parts = parts_of(file);
    for (std::size_t a = 0; a < parts.arrays.size(); ++a) {
      const std::string& name = parts.arrays[a].name;
      const auto refused = [&](const std::function<void(file_array&)>& change) {
        file_parts changed = parts;
        change(changed.arrays[a]);
        scoped_model model;
        EXPECT_EQ(load_bytes(written(changed), model), ZCMOE_ERR_FORMAT)
            << name << " of " << file.partition;
        EXPECT_EQ(model.handle, nullptr);
      };
      file_parts without = parts;
      without.arrays.erase(without.arrays.begin() + static_cast<std::ptrdiff_t>(a));
      // Without thresholds scores are segments, without names there are none.
      if (name != "thresholds" && name != "input_names") {
        EXPECT_TRUE(is_refused(written(without), name + " left out")) << name;
      }
      refused([](file_array& array) { array.shape.push_back(1); });
      refused([](file_array& array) { array.shape.insert(array.shape.begin(), 1); });
      refused([](file_array& array) { array.name += "x"; });
      refused([](file_array& array) {
        array.dtype = array.dtype == "F64"   ? "I64"
                      : array.dtype == "I64" ? "F64"
                      : array.dtype == "I32" ? "F32"
                                             : "I8";
      });
      const auto rows = parts.arrays[a].shape[0];
      // One row more, one less, none.
      refused([](file_array& array) {
        const std::size_t row =
            array.shape[0] > 0
                ? array.bytes.size() / static_cast<std::size_t>(array.shape[0])
                : (array.dtype == "F64" ? 8 : 4) *
                      static_cast<std::size_t>(array.shape.size() > 1 ? array.shape[1] : 1);
        array.bytes.append(row, '\0');
        ++array.shape[0];
      });
      if (rows == 0) continue;
      refused([](file_array& array) {
        array.bytes.resize(array.bytes.size() / static_cast<std::size_t>(array.shape[0]) *
                           static_cast<std::size_t>(array.shape[0] - 1));
        --array.shape[0];
      });
      refused([](file_array& array) {
        array.bytes.clear();
        array.shape[0] = 0;
      });
    }
    file_parts more = parts;
    more.arrays.push_back(array_of("more", std::vector<double>{1.0}));
    EXPECT_TRUE(is_refused(written(more), "an unknown array"));
    file_parts key = parts;
    key.metadata.emplace_back("more", "1");
    EXPECT_TRUE(is_refused(written(key), "an unknown key"));
  }
}

// --------------------------------------------------- one fault after the other

struct fault {
  const char* reason;
  std::function<void(points_file&)> change;
};

void expect_refused(const points_file& valid, const std::vector<fault>& faults) {
  for (const fault& f : faults) {
    points_file file = valid;
    f.change(file);
    scoped_model model;
    EXPECT_EQ(load_bytes(written(parts_of(file)), model), ZCMOE_ERR_FORMAT) << f.reason;
    EXPECT_EQ(model.handle, nullptr);
    EXPECT_THAT(zcmoe_last_error(), HasSubstr(f.reason));
  }
}

using file_of = points_file&;
constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();

TEST(points_io_test, faults_of_axes) {
  expect_refused(
      sample_tables(),
      {{"axes[1].input=0 does not follow",
        [](file_of f) {
          f.tables.axes[0].input = 1;
          f.tables.axes[1].input = 0;
        }},
       {"axes[0].input=-1 does not follow", [](file_of f) { f.tables.axes[0].input = -1; }},
       {"axes[1].input=3 is no input", [](file_of f) { f.tables.axes[1].input = 3; }},
       {"axes[0] has 1 edges",
        [](file_of f) {
          f.tables = {1, {{0, {1.0}, 0, 1, 0, 0}}, {}, {}};
          f.input_names.clear();
        }},
       {"axes[1] has 255 edges, expected 2..254",
        [](file_of f) {
          f.tables.axes[1].edges.clear();
          for (int i = 0; i < 255; ++i) f.tables.axes[1].edges.push_back(i);
          for (detail::bank& b : f.tables.banks) {
            for (auto& a : b.axes) {
              if (a.axis == 1) a.offsets.resize(257);
            }
            for (auto& sum : b.oblique) {
              for (auto& a : sum) {
                if (a.axis == 1) a.offsets.resize(257);
              }
            }
          }
        }},
       {"axes[0].edges[1]=nan is not finite", [](file_of f) { f.tables.axes[0].edges[1] = nan; }},
       {"axes[0].edges[1]=0 is not greater", [](file_of f) { f.tables.axes[0].edges[1] = 0; }},
       {"axes[0].closed_side=2", [](file_of f) { f.tables.axes[0].closed_side = 2; }},
       {"include_outer_edge=-1", [](file_of f) { f.tables.axes[1].include_outer_edge = -1; }},
       {"nan_policy=2", [](file_of f) { f.tables.axes[1].nan_policy = ZCMOE_NAN_VALUE; }},
       {"range_policy=2", [](file_of f) { f.tables.axes[1].range_policy = ZCMOE_RANGE_VALUE; }}});
}

TEST(points_io_test, faults_of_tables) {
  expect_refused(
      sample_tables(),
      {{"banks[0].axes is empty", [](file_of f) { f.tables.banks[0].axes.clear(); }},
       {"there is no axis 2", [](file_of f) { f.tables.banks[0].axes[0].axis = 2; }},
       {"there is no axis -1", [](file_of f) { f.tables.banks[0].axes[0].axis = -1; }},
       {"banks[1].axes[1].axis=0 is not in 1..1",
        [](file_of f) { f.tables.banks[1].axes[1].axis = 0; }},
       {"banks[0].axes lead to cells 0 to 4, but there are 4",
        [](file_of f) { f.tables.banks[0].axes[0].offsets[4] = 4; }},
       {"banks[1].axes lead to cells -1 to 6",
        [](file_of f) { f.tables.banks[1].axes[0].offsets[0] = 1; }},
       {"lead to cells 0 to 4294967294",
        [](file_of f) {
          f.tables.banks[1].axes[0].offsets[1] = most;
          f.tables.banks[1].axes[1].offsets[1] = most;
        }},
       {"banks[0].constants: 0 cells", [](file_of f) { f.tables.banks[0].constants.clear(); }},
       {"banks[0].oblique is given",
        [](file_of f) { f.tables.banks[0].oblique = f.tables.banks[3].oblique; }},
       {"has 4097 rows, more than 4096", [](file_of f) {
          while (f.tables.banks.size() <= 4096) f.tables.banks.push_back(f.tables.banks[0]);
        }}});
}

TEST(points_io_test, faults_of_trees) {
  const auto nodes = [](file_of f) -> std::vector<zcmoe_tree_node>& {
    return f.tables.banks[2].nodes;
  };
  expect_refused(
      sample_tables(),
      {{"banks[2].nodes[1] leads to node 1, which is not in 2..2",
        [&](file_of f) { nodes(f)[1].right = 1; }},
       {"banks[2].nodes[2] leads to node 0", [&](file_of f) { nodes(f)[2].left = 0; }},
       {"banks[2].nodes[0] leads to node 3", [&](file_of f) { nodes(f)[0].left = 3; }},
       {"banks[2].nodes[0] leads to node 2147483647", [&](file_of f) { nodes(f)[0].left = most; }},
       {"leads to leaf 4, which is not in 0..3", [&](file_of f) { nodes(f)[0].right = -5; }},
       {"leads to leaf 2147483647", [&](file_of f) { nodes(f)[0].right = -most - 1; }},
       {"leads to leaf 2, to which another way", [&](file_of f) { nodes(f)[0].right = -3; }},
       {"leads to node 2, to which another way", [&](file_of f) { nodes(f)[0].right = 2; }},
       {"nodes[0].feature=2 is not in 0..1", [&](file_of f) { nodes(f)[0].feature = 2; }},
       {"nodes[0].feature=-1", [&](file_of f) { nodes(f)[0].feature = -1; }},
       {"a tree of 3 nodes has 4 leaves",
        [](file_of f) { f.tables.banks[2].constants.push_back(1); }},
       {"banks[2].axes are given",
        [](file_of f) { f.tables.banks[2].axes = f.tables.banks[0].axes; }},
       {"banks[3].nodes[0].feature=4 is not in 0..3",
        [](file_of f) { f.tables.banks[3].nodes[0].feature = 4; }},
       {"banks[3].oblique: 3 sums are more than its 2 nodes",
        [](file_of f) { f.tables.banks[3].oblique.push_back(f.tables.banks[3].oblique[0]); }},
       {"banks[3].oblique is empty", [](file_of f) { f.tables.banks[3].oblique[1].clear(); }},
       {"a sum may be 0 to 2147483650",
        [](file_of f) { f.tables.banks[3].oblique[0][0].offsets[0] = most; }}});
}

TEST(points_io_test, faults_of_answers_that_are_sums) {
  expect_refused(
      sample_tables(),
      {{"exponent=\"2001\" is not an integer in -2000..2000",
        [](file_of f) { f.tables.head.exponent = 2001; }},
       {"exceeds 64 bits",
        [](file_of f) { f.tables.head.base = std::numeric_limits<std::int64_t>::max() - 5; }},
       {"exceeds 64 bits",
        [](file_of f) { f.tables.head.base = std::numeric_limits<std::int64_t>::min() + 5; }},
       {"metadata lacks base", [](file_of f) { f.tables.head = sample_score().tables.head; }},
       {"partition=\"table\" is none of", [](file_of f) { f.partition = "table"; }},
       {"tensor values is missing", [](file_of f) { f.partition = "score"; }},
       {"num_inputs=\"0\"", [](file_of f) { f.tables.num_inputs = 0; }},
       {"num_inputs=\"1025\"", [](file_of f) { f.tables.num_inputs = 1025; }},
       {"input_names has 3 entries, expected 4", [](file_of f) { f.tables.num_inputs = 4; }},
       {"num_rows=\"-1\"", [](file_of f) { f.num_rows = -1; }},
       {"noise_variance=-1 is negative", [](file_of f) { f.noise_variance = -1; }},
       {"input_names[1] is not UTF-8", [](file_of f) { f.input_names[1] = "\xff"; }},
       {"input_names[1] has 1025 bytes",
        [](file_of f) { f.input_names[1] = std::string(1025, 'x'); }},
       {"target_name has 1025 bytes", [](file_of f) { f.target_name = std::string(1025, 'x'); }}});
}

TEST(points_io_test, faults_of_segments) {
  expect_refused(
      sample_score(),
      {{"thresholds[2]=0 is not greater", [](file_of f) { f.tables.head.thresholds[2] = 0; }},
       {"tensor thresholds has 2 entries, expected 3",
        [](file_of f) { f.tables.head.thresholds.pop_back(); }},
       {"without thresholds scores are segments",
        [](file_of f) { f.tables.head.thresholds.clear(); }},
       {"constants[0]=inf is infinite", [](file_of f) { f.tables.head.constants[0] = infinity; }},
       {"counts[3]=-1 is negative", [](file_of f) { f.tables.head.counts[3] = -1; }},
       {"variances[0]=-1 is negative", [](file_of f) { f.tables.head.variances[0] = -1; }},
       {"standard_errors[0]=-1", [](file_of f) { f.tables.head.standard_errors[0] = -1; }},
       {"the counts add up to more than num_rows=10", [](file_of f) { f.num_rows = 10; }},
       {"the counts add up to more than",
        [](file_of f) { f.tables.head.counts[2] = std::numeric_limits<std::int64_t>::max(); }},
       {"variances[3]=1 does not fit counts[3]=1",
        [](file_of f) { f.tables.head.variances[3] = 1; }},
       {"variances[0]=nan does not fit", [](file_of f) { f.tables.head.variances[0] = nan; }},
       {"standard_errors[1]=1 does not fit",
        [](file_of f) { f.tables.head.standard_errors[1] = 1; }},
       {"tensor counts has 3 entries", [](file_of f) { f.tables.head.counts.pop_back(); }},
       {"metadata lacks base", [](file_of f) { f.partition = "tables"; }}});
  expect_refused(sample_grid(),
                 {{"they may be 0 to 4, and there are 4 segments",
                   [](file_of f) { f.tables.banks[0].constants[3] = 4; }},
                  {"they may be -1 to 3", [](file_of f) { f.tables.banks[0].constants[2] = -1; }}});
}

TEST(points_io_test, versions) {
  const auto with_version = [](const char* version) {
    file_parts parts = parts_of(sample_tables());
    parts.metadata[1].second = version;
    return parts;
  };
  scoped_model model;
  EXPECT_EQ(load_bytes(written(with_version("3.0")), model), ZCMOE_ERR_VERSION);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("format version 3.0 is later than 2.0"));
  EXPECT_EQ(load_bytes(written(with_version("1.0")), model), ZCMOE_ERR_FORMAT);
  // A later minor version may say more, which changes nothing of what is known.
  file_parts later = with_version("2.1");
  later.metadata.emplace_back("more", "1");
  later.arrays.push_back(array_of("more", std::vector<double>{1.0}));
  ASSERT_EQ(load_bytes(written(later), model), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(bytes_of(model), written(parts_of(sample_tables())));
  scoped_fit fit;
  EXPECT_EQ(load(written(parts_of(sample_tables())), fit), ZCMOE_ERR_FORMAT);
  EXPECT_THAT(zcmoe_last_error(), HasSubstr("a model, not a fit state"));
}

// -------------------------------------------------------------- stored files

const std::filesystem::path golden_folder = std::filesystem::path(ZCMOE_TEST_DATA) / "models";

/// Format 2.0.
TEST(points_io_test, files_of_earlier_versions_load) {
  for (const points_file& file : sample_points()) {
    if (file.tables.axes.empty()) continue;
    const std::string path =
        (golden_folder / ("points-" + file.partition + "-2.0.safetensors")).string();
    scoped_model model;
    ASSERT_EQ(zcmoe_model_load(cpu_context(), path.c_str(), &model.handle), ZCMOE_OK)
        << zcmoe_last_error();
    EXPECT_EQ(split(bytes_of(model)).data, split(written(parts_of(file))).data);
  }
}

/// Once for each format.
TEST(points_io_test, DISABLED_write_stored_files) {
  for (const points_file& file : sample_points()) {
    if (file.tables.axes.empty()) continue;
    const std::string path =
        (golden_folder / ("points-" + file.partition + "-2.0.safetensors")).string();
    ASSERT_EQ(zcmoe_model_save(made(file).handle, path.c_str()), ZCMOE_OK) << zcmoe_last_error();
  }
}

}  // namespace
}  // namespace zcmoe::test
