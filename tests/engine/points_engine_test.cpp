// Models of several inputs on both engines, bit for bit what host/routing/banks.hpp and
// model_view.hpp define: random axes, banks and heads, every type and stride of columns.
#include "host/array.hpp"
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/model_view.hpp>
#include <zcmoe/points.h>

#include <algorithm>
#include <numeric>

namespace zcmoe::test {
namespace {

using detail::bank;
using detail::bank_tables;
using detail::input_axis;

class random_model {
 public:
  explicit random_model(unsigned seed) : random_(seed) {}

  points_file make(int num_inputs, int num_axes, bool segments) {
    points_file file;
    file.tables.num_inputs = num_inputs;
    std::vector<std::int32_t> inputs(static_cast<std::size_t>(num_inputs));
    std::iota(inputs.begin(), inputs.end(), 0);
    std::shuffle(inputs.begin(), inputs.end(), random_);
    inputs.resize(static_cast<std::size_t>(num_axes));
    std::sort(inputs.begin(), inputs.end());
    for (const std::int32_t input : inputs) file.tables.axes.push_back(axis_of(input));
    for (int b = below(5) + 1; b > 0; --b) file.tables.banks.push_back(bank_of(file.tables.axes));
    detail::head& head = file.tables.head;
    if (!segments) {
      file.partition = "tables";
      head.base = static_cast<std::int64_t>(below(1 << 30)) - (1 << 29);
      head.exponent = below(40) - 20;
      return file;
    }
    file.partition = "score";
    for (int t = below(300); t > 0; --t)
      head.thresholds.push_back(static_cast<std::int64_t>(below(4001)) - 2000);
    std::sort(head.thresholds.begin(), head.thresholds.end());
    head.thresholds.erase(std::unique(head.thresholds.begin(), head.thresholds.end()),
                          head.thresholds.end());
    if (head.thresholds.empty()) head.thresholds.push_back(0);
    for (std::size_t s = 0; s <= head.thresholds.size(); ++s) {
      head.constants.push_back(below(10) == 0 ? not_a_number : below(100000) * 0.37);
      head.counts.push_back(below(1000) + 2);
      file.num_rows += head.counts.back();
      head.variances.push_back(below(1000) * 0.01);
      head.standard_errors.push_back(below(1000) * 0.001);
    }
    return file;
  }

  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

 private:
  input_axis axis_of(std::int32_t input) {
    const int m = below(3) == 0 ? below(253) + 1 : below(20) + 1;
    std::vector<double> edges(static_cast<std::size_t>(m) + 1);
    double at = -0.37 * m;
    for (double& edge : edges) {
      edge = at;
      at += below(4) == 0 ? 0x1p-40 : 0.25 * (1 + below(6));
    }
    const int ranges[] = {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_SEGMENTS};
    return {input,
            std::move(edges),
            below(2),
            below(2),
            below(2) == 0 ? ZCMOE_NAN_PROPAGATE : ZCMOE_NAN_SEGMENT,
            ranges[below(3)]};
  }

  detail::axis_offsets offsets_of(const std::vector<input_axis>& axes, int axis, int limit) {
    detail::axis_offsets made{axis, {}};
    const auto slots = static_cast<std::size_t>(axes[static_cast<std::size_t>(axis)].num_slots());
    for (std::size_t s = 0; s < slots; ++s) made.offsets.push_back(below(limit));
    return made;
  }

  bank bank_of(const std::vector<input_axis>& axes) {
    const int num_axes = static_cast<int>(axes.size());
    bank made;
    const int kind = below(4);
    std::size_t cells = 1;
    if (kind < 2) {
      for (int k = kind == 0 ? 1 : below(num_axes) + 1; k > 0; --k) {
        const int limit = below(16) + 1;
        const int axis = kind == 0 || k == 1 ? below(num_axes) : k - 1;
        if (std::any_of(made.axes.begin(), made.axes.end(),
                        [&](const auto& a) { return a.axis == axis; }))
          continue;
        made.axes.push_back(offsets_of(axes, axis, limit));
        cells += static_cast<std::size_t>(limit - 1);
      }
      std::sort(made.axes.begin(), made.axes.end(),
                [](const auto& a, const auto& b) { return a.axis < b.axis; });
    } else {
      if (kind == 3) {
        for (int k = below(3) + 1; k > 0; --k) {
          made.oblique.emplace_back();
          for (int axis = 0; axis < num_axes; ++axis)
            made.oblique.back().push_back(offsets_of(axes, axis, 1000));
        }
      }
      grow(made, num_axes, below(60) + static_cast<int>(made.oblique.size()), axes);
      cells = made.nodes.size() + 1;
    }
    for (std::size_t c = 0; c < cells; ++c) made.constants.push_back(below(2001) - 1000);
    return made;
  }

  /// Nodes in the order of a walk, with leaves numbered as they are met.
  void grow(bank& tree, int num_axes, int num_nodes, const std::vector<input_axis>& axes) {
    struct open_child {
      int node;
      bool right;
    };
    std::vector<open_child> open;
    int leaves = 0;
    const auto add_node = [&] {
      const int feature = below(num_axes + static_cast<int>(tree.oblique.size()));
      const int limit =
          feature < num_axes
              ? static_cast<int>(axes[static_cast<std::size_t>(feature)].num_slots()) + 1
              : 1000 * num_axes;
      tree.nodes.push_back({feature, below(limit), 0, 0});
      const int node = static_cast<int>(tree.nodes.size()) - 1;
      open.push_back({node, false});
      open.push_back({node, true});
    };
    add_node();
    while (!open.empty()) {
      const std::size_t k = static_cast<std::size_t>(below(static_cast<int>(open.size())));
      const open_child child = open[k];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(k));
      std::int32_t to;
      if (static_cast<int>(tree.nodes.size()) < num_nodes) {
        to = static_cast<std::int32_t>(tree.nodes.size());
        add_node();
      } else {
        to = ~leaves++;
      }
      zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(child.node)];
      (child.right ? node.right : node.left) = to;
    }
  }

  std::mt19937 random_;
};

/// A column of some type and stride, in memory of the engine, and its numbers as doubles.
struct test_column {
  std::vector<std::uint64_t> bytes;  // aligned to every type
  zcmoe_array array;                 // of host memory
  std::vector<double> values;        // as the axis sees them
};

const zcmoe_dtype dtypes[] = {ZCMOE_F32, ZCMOE_F64, ZCMOE_F16, ZCMOE_BF16, ZCMOE_I8,  ZCMOE_U8,
                              ZCMOE_I16, ZCMOE_U16, ZCMOE_I32, ZCMOE_U32,  ZCMOE_I64, ZCMOE_U64};

test_column column_of(random_model& random, const input_axis& axis, std::int64_t n,
                      zcmoe_dtype dtype, std::int64_t stride) {
  test_column made;
  const std::int64_t size = detail::size_of(dtype);
  const std::int64_t room =
      std::max<std::int64_t>(n, 1) * std::max<std::int64_t>(std::abs(stride), 1);
  made.bytes.resize(static_cast<std::size_t>(room * size / 8 + 2));
  auto* const first = reinterpret_cast<unsigned char*>(made.bytes.data());
  made.array = {first + (stride < 0 ? (n - 1) * -stride * size : 0), dtype, stride};
  if (n == 0) made.array.data = first;
  const auto put = [&](std::int64_t i, double value, std::uint16_t narrow) {
    unsigned char* const at = first + (stride < 0 ? (n - 1 - i) * -stride : i * stride) * size;
    const auto store = [&](auto number) { std::memcpy(at, &number, sizeof number); };
    switch (dtype) {
      case ZCMOE_F32: return store(static_cast<float>(value));
      case ZCMOE_F64: return store(value);
      case ZCMOE_F16:
      case ZCMOE_BF16: return store(narrow);
      case ZCMOE_I8: return store(static_cast<std::int8_t>(narrow));
      case ZCMOE_U8: return store(static_cast<std::uint8_t>(narrow % 64));
      case ZCMOE_I16: return store(static_cast<std::int16_t>(narrow % 101 - 50));
      case ZCMOE_U16: return store(static_cast<std::uint16_t>(narrow % 64));
      case ZCMOE_I32: return store(static_cast<std::int32_t>(narrow % 101) - 50);
      case ZCMOE_U32: return store(static_cast<std::uint32_t>(narrow % 64));
      case ZCMOE_I64: return store(static_cast<std::int64_t>(narrow % 101) - 50);
      default: return store(static_cast<std::uint64_t>(narrow % 64));
    }
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const int kind = random.below(12);
    const double edge =
        axis.edges[static_cast<std::size_t>(random.below(static_cast<int>(axis.edges.size())))];
    const double value = kind == 0   ? not_a_number
                         : kind == 1 ? (random.below(2) == 0 ? infinity : -infinity)
                         : kind < 6  ? edge
                         : kind == 6 ? std::nextafter(edge, infinity)
                         : kind == 7 ? std::nextafter(edge, -infinity)
                                     : edge + 0.1 * random.below(10);
    put(i, value, static_cast<std::uint16_t>(random.below(1 << 16)));
  }
  const detail::any_array read = detail::any(
      made.array, detail::pivot_of(axis.edges.data(), axis.num_segments(), axis.closed_side));
  for (std::int64_t i = 0; i < n; ++i) made.values.push_back(read[i]);
  return made;
}

/// What the definition says of a row.
struct expected_row {
  bool answered = true;
  bool nan = false, below = false, above = false;
  std::int64_t score = 0;
};

expected_row row_of(const bank_tables& tables, const std::vector<test_column>& columns,
                    std::int64_t i) {
  expected_row row;
  std::vector<std::uint8_t> codes;
  for (const input_axis& a : tables.axes) {
    model_view view{};
    view.edges = a.edges.data();
    view.num_segments = a.num_segments();
    view.closed_side = a.closed_side;
    view.include_outer_edge = a.include_outer_edge;
    view.nan_policy = a.nan_policy;
    view.range_policy = a.range_policy;
    const double x = columns[static_cast<std::size_t>(a.input)].values[static_cast<std::size_t>(i)];
    const std::int64_t slot = view.slot_of(x);
    row.answered = row.answered && is_answered(a, slot);
    row.nan = row.nan || std::isnan(x);
    row.below = row.below || view.is_below(x);
    row.above = row.above || view.is_above(x);
    codes.push_back(static_cast<std::uint8_t>(slot));
  }
  row.score = score_of(tables, codes.data());
  return row;
}

class points_engine_test : public engine_test {
 protected:
  zcmoe_model* load(const points_file& file) {
    const std::string bytes = written(parts_of(file));
    zcmoe_model* model = nullptr;
    EXPECT_EQ(zcmoe_model_deserialize(ctx().get(), bytes.data(), bytes.size(), &model), ZCMOE_OK)
        << zcmoe_last_error();
    return model;
  }

  /// Predicts on the engine, by the call that takes its memory or the one that takes the host's.
  void expect_exact(const points_file& file, std::int64_t n, random_model& random, bool sync,
                    bool plain) {
    zcmoe_model* const model = load(file);
    ASSERT_NE(model, nullptr);
    const bank_tables& tables = file.tables;
    std::vector<test_column> columns(static_cast<std::size_t>(tables.num_inputs));
    std::vector<zcmoe_array> arrays(columns.size(), zcmoe_array{nullptr, ZCMOE_F64, 1});
    std::vector<std::unique_ptr<engine_array<std::uint64_t>>> kept;
    for (const input_axis& a : tables.axes) {
      const zcmoe_dtype dtype = plain ? zcmoe_dtype{ZCMOE_F32} : dtypes[random.below(12)];
      const std::int64_t strides[] = {1, 1, 3, -2, 0};
      const std::int64_t stride = plain ? 1 : strides[random.below(5)];
      test_column& column = columns[static_cast<std::size_t>(a.input)];
      column = column_of(random, a, n, dtype, stride);
      zcmoe_array& array = arrays[static_cast<std::size_t>(a.input)];
      array = column.array;
      if (sync) continue;
      kept.push_back(std::make_unique<engine_array<std::uint64_t>>(engine(), column.bytes));
      const auto offset = static_cast<const unsigned char*>(column.array.data) -
                          reinterpret_cast<const unsigned char*>(column.bytes.data());
      array.data = reinterpret_cast<const unsigned char*>(kept.back()->data()) + offset;
    }
    const zcmoe_points points{sizeof points, tables.num_inputs, arrays.data()};
    const bool segments = tables.head.has_segments();
    const auto size = static_cast<std::size_t>(n);
    const bool narrow = plain || random.below(2) == 0;
    std::vector<float> f32(size, -1), errors(size, -1);
    std::vector<double> f64(size, -1), variances(size, -1);
    std::vector<std::int32_t> ids(size, -9);
    std::vector<std::int64_t> counts(size, -9);
    std::vector<zcmoe_report> report(1);
    const auto run = [&](auto&& where) {
      zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
      outputs.values =
          narrow ? zcmoe_output{where(f32), ZCMOE_F32, 1} : zcmoe_output{where(f64), ZCMOE_F64, 1};
      if (segments && !plain) {
        outputs.segments = {where(ids), ZCMOE_I32, 1};
        outputs.standard_errors = {where(errors), ZCMOE_F32, 1};
        outputs.variances = {where(variances), ZCMOE_F64, 1};
        outputs.counts = {where(counts), ZCMOE_I64, 1};
      }
      if (!plain) outputs.report = static_cast<zcmoe_report*>(where(report));
      ASSERT_EQ(sync ? zcmoe_predict_points_sync(model, &points, n, &outputs, nullptr)
                     : zcmoe_predict_points(model, &points, n, &outputs, nullptr),
                ZCMOE_OK)
          << zcmoe_last_error();
    };
    if (sync) {
      run([](auto& values) -> void* { return values.data(); });
    } else {
      engine_array<float> on_f32(engine(), f32), on_errors(engine(), errors);
      engine_array<double> on_f64(engine(), f64), on_variances(engine(), variances);
      engine_array<std::int32_t> on_ids(engine(), ids);
      engine_array<std::int64_t> on_counts(engine(), counts);
      engine_array<zcmoe_report> on_report(engine(), report);
      run([&](auto& values) -> void* {
        const void* const of = &values;
        if (of == &f32) return on_f32.data();
        if (of == &f64) return on_f64.data();
        if (of == &errors) return on_errors.data();
        if (of == &variances) return on_variances.data();
        if (of == &ids) return on_ids.data();
        if (of == &counts) return on_counts.data();
        return on_report.data();
      });
      f32 = on_f32.host();
      f64 = on_f64.host();
      errors = on_errors.host();
      variances = on_variances.host();
      ids = on_ids.host();
      counts = on_counts.host();
      report = on_report.host();
    }
    zcmoe_model_destroy(model);

    zcmoe_report expected_report{};
    expected_report.rows = n;
    for (std::int64_t i = 0; i < n; ++i) {
      const expected_row row = row_of(tables, columns, i);
      expected_report.rows_used += row.answered ? 1 : 0;
      expected_report.nan_inputs += row.nan ? 1 : 0;
      expected_report.below_range += row.below ? 1 : 0;
      expected_report.above_range += row.above ? 1 : 0;
      const detail::head& head = tables.head;
      const auto k = static_cast<std::size_t>(i);
      double value = not_a_number;
      std::int64_t segment = -1;
      if (row.answered && !segments) {
        value = std::ldexp(static_cast<double>(head.base + row.score), head.exponent);
      } else if (row.answered) {
        segment = std::upper_bound(head.thresholds.begin(), head.thresholds.end(), row.score) -
                  head.thresholds.begin();
        value = head.constants[static_cast<std::size_t>(segment)];
      }
      const auto same = [](double a, double b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      };
      if (narrow) {
        ASSERT_TRUE(same(f32[k], static_cast<float>(value))) << i << ": " << f32[k] << " " << value;
      } else {
        ASSERT_TRUE(same(f64[k], value)) << i << ": " << f64[k] << " " << value;
      }
      if (!segments || plain) continue;
      ASSERT_EQ(ids[k], segment) << i;
      const auto of = [&](const std::vector<double>& table) {
        return segment < 0 ? not_a_number : table[static_cast<std::size_t>(segment)];
      };
      ASSERT_TRUE(same(errors[k], static_cast<float>(of(head.standard_errors)))) << i;
      ASSERT_TRUE(same(variances[k], of(head.variances))) << i;
      ASSERT_EQ(counts[k], segment < 0 ? 0 : head.counts[static_cast<std::size_t>(segment)]) << i;
    }
    if (plain) return;
    EXPECT_EQ(report[0].rows, expected_report.rows);
    EXPECT_EQ(report[0].rows_used, expected_report.rows_used);
    EXPECT_EQ(report[0].nan_inputs, expected_report.nan_inputs);
    EXPECT_EQ(report[0].below_range, expected_report.below_range);
    EXPECT_EQ(report[0].above_range, expected_report.above_range);
  }
};

TEST_P(points_engine_test, answers_are_those_of_the_definition) {
  random_model random(1);
  for (int trial = 0; trial < 40; ++trial) {
    SCOPED_TRACE(trial);
    const int d = random.below(9) + 1;
    const points_file file = random.make(d, random.below(d) + 1, trial % 2 == 1);
    for (const std::int64_t n : {0, 1, 2, 31, 33, 700})
      expect_exact(file, n, random, trial % 4 < 2, false);
  }
}

TEST_P(points_engine_test, plain_columns_of_float_take_the_fast_way) {
  random_model random(2);
  for (int trial = 0; trial < 16; ++trial) {
    SCOPED_TRACE(trial);
    const int d = random.below(6) + 1;
    const points_file file = random.make(d, d, trial % 2 == 1);
    for (const std::int64_t n : {1, 127, 128, 129, 5000})
      expect_exact(file, n, random, false, true);
  }
}

TEST_P(points_engine_test, many_axes) {
  random_model random(3);
  const points_file sums = random.make(1024, 1000, false);
  expect_exact(sums, 70, random, false, false);
  const points_file score = random.make(300, 300, true);
  expect_exact(score, 70, random, true, false);
}

TEST_P(points_engine_test, more_rows_than_one_share) {
  random_model random(4);
  const points_file file = random.make(3, 2, true);
  expect_exact(file, engine() == ZCMOE_ENGINE_CPU ? 200003 : 20003, random, false, false);
}

TEST_P(points_engine_test, sums_round_once) {
  // A constant model: (base + 0) 2^exponent, where float and double end and where they are sparse.
  for (const std::int64_t base :
       {std::int64_t{1}, std::int64_t{-3}, (std::int64_t{1} << 53) + 1, (std::int64_t{1} << 60) + 1,
        (std::int64_t{1} << 62) - 1, -(std::int64_t{1} << 61) - (std::int64_t{1} << 36) - 1}) {
    for (const std::int32_t exponent :
         {-2000, -1130, -1100, -1076, -1074, -211, -150, -149, -24, 0, 66, 127, 970, 1023, 2000}) {
      points_file file = sample_constant();
      file.tables.head.base = base;
      file.tables.head.exponent = exponent;
      zcmoe_model* const model = load(file);
      ASSERT_NE(model, nullptr);
      const double x = 0;
      const zcmoe_array column{&x, ZCMOE_F64, 1};
      const zcmoe_points points{sizeof points, 1, &column};
      double wide = 0;
      float narrow = 0;
      zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
      outputs.values = {&wide, ZCMOE_F64, 1};
      ASSERT_EQ(zcmoe_predict_points_sync(model, &points, 1, &outputs, nullptr), ZCMOE_OK);
      outputs.values = {&narrow, ZCMOE_F32, 1};
      ASSERT_EQ(zcmoe_predict_points_sync(model, &points, 1, &outputs, nullptr), ZCMOE_OK);
      zcmoe_model_destroy(model);
      // long double holds every int64 and has a wider range of exponents: it rounds once.
      static_assert(std::numeric_limits<long double>::digits >= 64);
      const long double exact = std::ldexp(static_cast<long double>(base), exponent);
      EXPECT_EQ(wide, static_cast<double>(exact)) << base << " " << exponent;
      EXPECT_EQ(narrow, static_cast<float>(exact)) << base << " " << exponent;
    }
  }
}

ZCMOE_INSTANTIATE_ENGINES(points_engine_test);

}  // namespace
}  // namespace zcmoe::test
