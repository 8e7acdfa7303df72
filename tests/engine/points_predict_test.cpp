// Prediction from several inputs on both engines, bit for bit: models of every kind of bank and
// head, from files written here, against the definitions of codes and scores (model_view.hpp,
// banks.hpp); columns of every type and stride, all outputs, reports.
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include "host/array.hpp"

#include <zcmoe/model_view.hpp>
#include <zcmoe/points.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <set>

namespace zcmoe::test {
namespace {

using detail::any_array;
using detail::axis_offsets;
using detail::bank;
using detail::bank_tables;
using detail::input_axis;
using random_bits = std::mt19937_64;

std::int64_t whole(random_bits& random, std::int64_t least, std::int64_t greatest) {
  return std::uniform_int_distribution<std::int64_t>(least, greatest)(random);
}
double real(random_bits& random, double from, double to) {
  return std::uniform_real_distribution<double>(from, to)(random);
}

// ------------------------------------------------------------------- models

/// What is random of an axis lies in these limits; policies of -1 are random too.
struct axis_kind {
  std::int64_t most_segments = 12;
  std::int32_t nan_policy = -1;
  std::int32_t range_policy = -1;
};

input_axis random_axis(random_bits& random, std::int32_t input, const axis_kind& kind) {
  input_axis axis{};
  axis.input = input;
  std::set<double> edges;
  const std::int64_t m = whole(random, 1, kind.most_segments);
  // Some are whole numbers, which inputs of every type meet.
  while (static_cast<std::int64_t>(edges.size()) <= m) {
    edges.insert(whole(random, 0, 2) == 0 ? static_cast<double>(whole(random, 0, 120))
                                          : real(random, 0.0, 120.0));
  }
  axis.edges.assign(edges.begin(), edges.end());
  axis.closed_side = whole(random, 0, 1) == 0 ? ZCMOE_CLOSED_LEFT : ZCMOE_CLOSED_RIGHT;
  axis.include_outer_edge = static_cast<std::int32_t>(whole(random, 0, 1));
  const std::int32_t nan_policies[] = {ZCMOE_NAN_PROPAGATE, ZCMOE_NAN_SEGMENT};
  const std::int32_t range_policies[] = {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_SEGMENTS};
  axis.nan_policy = kind.nan_policy >= 0 ? kind.nan_policy : nan_policies[whole(random, 0, 1)];
  axis.range_policy =
      kind.range_policy >= 0 ? kind.range_policy : range_policies[whole(random, 0, 2)];
  return axis;
}

std::int32_t random_constant(random_bits& random) {
  return static_cast<std::int32_t>(whole(random, INT32_MIN, INT32_MAX) >> whole(random, 0, 24));
}

/// A table of these axes, each with at most so many offsets of its own; parts may be below 0.
bank random_table(random_bits& random, const std::vector<input_axis>& axes,
                  const std::vector<std::int32_t>& of, std::int64_t most) {
  bank made;
  std::int64_t cells = 1;
  std::int32_t shift = 0;
  for (const std::int32_t a : of) {
    const std::int64_t slots = axes[static_cast<std::size_t>(a)].num_slots();
    const std::int64_t own = std::min(slots, most);
    const auto move = static_cast<std::int32_t>(whole(random, -5, 5));
    shift += move;
    axis_offsets offsets{a, {}};
    for (std::int64_t c = 0; c < slots; ++c) {
      offsets.offsets.push_back(static_cast<std::int32_t>(whole(random, 0, own - 1) * cells) +
                                move);
    }
    made.axes.push_back(offsets);
    cells *= own;
  }
  for (std::int32_t& offset : made.axes.front().offsets) offset -= shift;
  for (std::int64_t c = 0; c < cells; ++c) made.constants.push_back(random_constant(random));
  return made;
}

/// A tree of so many nodes, some deep; of `sums` oblique sums, no more than nodes; these ask axes
/// alone if that is 0.
bank random_tree(random_bits& random, const std::vector<input_axis>& axes, std::int64_t num_nodes,
                 std::int64_t sums) {
  bank made;
  sums = std::min(sums, num_nodes);
  const auto num_axes = static_cast<std::int64_t>(axes.size());
  for (std::int64_t s = 0; s < sums; ++s) {
    std::vector<axis_offsets> sum;
    for (std::int32_t a = 0; a < num_axes; ++a) {
      if (!sum.empty() && whole(random, 0, 2) == 0) continue;
      axis_offsets offsets{a, {}};
      for (std::int64_t c = 0; c < axes[static_cast<std::size_t>(a)].num_slots(); ++c)
        offsets.offsets.push_back(static_cast<std::int32_t>(whole(random, -1000, 1000)));
      sum.push_back(offsets);
    }
    made.oblique.push_back(sum);
  }
  // Where the next node hangs: a random place among those that are still leaves.
  made.nodes.resize(1);
  std::vector<std::pair<std::size_t, bool>> open{{0, false}, {0, true}};
  while (static_cast<std::int64_t>(made.nodes.size()) < num_nodes) {
    const auto k =
        static_cast<std::size_t>(whole(random, 0, static_cast<std::int64_t>(open.size()) - 1));
    const auto [parent, right] = open[k];
    const std::size_t child = made.nodes.size();
    made.nodes.emplace_back();
    (right ? made.nodes[parent].right : made.nodes[parent].left) = static_cast<std::int32_t>(child);
    open[k] = {child, false};
    open.emplace_back(child, true);
  }
  std::int32_t leaf = 0;
  for (const auto& [parent, right] : open)
    (right ? made.nodes[parent].right : made.nodes[parent].left) = ~leaf++;
  for (zcmoe_tree_node& node : made.nodes) {
    node.feature = static_cast<std::int32_t>(whole(random, 0, num_axes + sums - 1));
    node.threshold = static_cast<std::int32_t>(
        node.feature < num_axes
            ? whole(random, -1, axes[static_cast<std::size_t>(node.feature)].num_slots())
            : whole(random, -1500, 1500));
  }
  for (std::int32_t k = 0; k < leaf; ++k) made.constants.push_back(random_constant(random));
  return made;
}

std::vector<std::int32_t> first_axes(std::size_t count) {
  std::vector<std::int32_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Banks by letter: t an axis table, p a pair grid, g a product grid, e one whose
/// offsets grow evenly, r a tree, o an oblique tree.
void add_banks(random_bits& random, const std::string& letters, bank_tables& tables) {
  const std::vector<input_axis>& axes = tables.axes;
  const auto last = static_cast<std::int32_t>(axes.size()) - 1;
  for (const char letter : letters) {
    if (letter == 't') {
      const auto a = static_cast<std::int32_t>(whole(random, 0, last));
      tables.banks.push_back(random_table(random, axes, {a}, 256));
    } else if (letter == 'p') {
      const auto a = static_cast<std::int32_t>(whole(random, 0, last - 1));
      const auto b = static_cast<std::int32_t>(whole(random, a + 1, last));
      tables.banks.push_back(random_table(random, axes, {a, b}, 16));
    } else if (letter == 'e') {
      bank grid;
      std::int32_t cells = 1;
      for (std::int32_t a = 0; a <= last; ++a) {
        const auto m = static_cast<std::int32_t>(axes[static_cast<std::size_t>(a)].num_segments());
        axis_offsets offsets{a, {}};
        for (std::int32_t c = 0; c < m + 3; ++c) offsets.offsets.push_back(c < m ? c * cells : 0);
        grid.axes.push_back(offsets);
        cells *= m;
      }
      for (std::int32_t c = 0; c < cells; ++c) grid.constants.push_back(random_constant(random));
      tables.banks.push_back(grid);
    } else if (letter == 'g') {
      tables.banks.push_back(
          random_table(random, axes, first_axes(std::min<std::size_t>(axes.size(), 5)), 6));
    } else {
      tables.banks.push_back(random_tree(random, axes, whole(random, 1, 300),
                                         letter == 'o' ? whole(random, 1, 20) : 0));
    }
  }
}

void add_segments(random_bits& random, std::int64_t m, detail::head& head) {
  for (std::int64_t i = 0; i < m; ++i) {
    head.constants.push_back(whole(random, 0, 9) == 0 ? not_a_number : real(random, -9.0, 9.0));
    head.counts.push_back(whole(random, 0, 5));
    const bool spread = head.counts.back() >= 2;
    head.variances.push_back(spread ? real(random, 0.0, 2.0) : not_a_number);
    head.standard_errors.push_back(spread ? real(random, 0.0, 1.0) : not_a_number);
  }
}

struct model_kind {
  std::string banks;
  std::int64_t num_segments = 0;  // 0: answers are sums; -1: of the one bank, without thresholds
  std::int32_t num_inputs = 4;
  axis_kind axes{};
  std::int64_t base = 0;
  std::int32_t exponent = 0;
};

points_file random_file(random_bits& random, const model_kind& kind) {
  points_file file;
  bank_tables& tables = file.tables;
  tables.num_inputs = kind.num_inputs;
  for (std::int32_t j = 0; j < kind.num_inputs; ++j) {
    if (kind.num_inputs > 3 && kind.num_inputs < 10 && j == 1) continue;  // looked at by no axis
    tables.axes.push_back(random_axis(random, j, kind.axes));
    if (kind.num_inputs == 4 && j == 2) tables.axes.push_back(random_axis(random, j, kind.axes));
  }
  add_banks(random, kind.banks, tables);
  detail::head& head = tables.head;
  file.partition = kind.num_segments != 0 ? "score" : "tables";
  file.num_rows = 1'000'000'000;
  if (kind.num_segments < 0) {
    std::vector<std::int32_t>& constants = tables.banks.front().constants;
    std::iota(constants.begin(), constants.end(), 0);
    std::shuffle(constants.begin(), constants.end(), random);
    add_segments(random, static_cast<std::int64_t>(constants.size()), head);
    file.partition = "grid";
  } else if (kind.num_segments > 0) {
    std::set<std::int64_t> thresholds;
    // Of many, some lie at the ends of what scores may be, and beyond.
    std::int64_t least = 0, greatest = 0;
    for (const bank& b : tables.banks) {
      least += *std::min_element(b.constants.begin(), b.constants.end());
      greatest += *std::max_element(b.constants.begin(), b.constants.end());
    }
    if (kind.num_segments > 6) thresholds = {least - 9, least, greatest, greatest + 1};
    while (static_cast<std::int64_t>(thresholds.size()) < kind.num_segments - 1) {
      std::int64_t score = 0;
      for (const bank& b : tables.banks) {
        score += b.constants[static_cast<std::size_t>(
            whole(random, 0, static_cast<std::int64_t>(b.constants.size()) - 1))];
      }
      thresholds.insert(score + whole(random, -1, 1));
    }
    head.thresholds.assign(thresholds.begin(), thresholds.end());
    add_segments(random, kind.num_segments, head);
  } else {
    head.base = kind.base;
    head.exponent = kind.exponent;
  }
  return file;
}

struct scoped_points_model {
  zcmoe_model* handle = nullptr;
  scoped_points_model(const context& engine, const points_file& file) {
    const std::string bytes = written(parts_of(file));
    EXPECT_EQ(zcmoe_model_deserialize(engine.get(), bytes.data(), bytes.size(), &handle), ZCMOE_OK)
        << zcmoe_last_error();
  }
  scoped_points_model(const scoped_points_model&) = delete;
  scoped_points_model& operator=(const scoped_points_model&) = delete;
  ~scoped_points_model() { zcmoe_model_destroy(handle); }
};

// ------------------------------------------------------------------ columns

constexpr zcmoe_dtype all_dtypes[] = {ZCMOE_F32, ZCMOE_F64, ZCMOE_F16, ZCMOE_BF16,
                                      ZCMOE_I8,  ZCMOE_U8,  ZCMOE_I16, ZCMOE_U16,
                                      ZCMOE_I32, ZCMOE_U32, ZCMOE_I64, ZCMOE_U64};

/// The bits of the float nearest towards zero of a 16-bit type.
std::uint16_t narrow_bits(double value, zcmoe_dtype dtype) {
  const auto single = static_cast<float>(value);
  std::uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  if (dtype == ZCMOE_BF16) {
    return static_cast<std::uint16_t>((bits >> 16) | (value != value ? 1u : 0u));
  }
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::int32_t exponent = static_cast<std::int32_t>(bits >> 23 & 255u) - 127 + 15;
  const std::uint32_t fraction = bits >> 13 & 1023u;
  if (value != value) return 0x7e00u;
  if (exponent >= 31) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (exponent <= 0) return static_cast<std::uint16_t>(sign | 3u);  // some subnormal
  return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(exponent) << 10 | fraction);
}

/// A column of n numbers of a type, `stride` apart, on the host and on an engine.
class column {
 public:
  column(random_bits& random, zcmoe_engine engine, const input_axis* axis, zcmoe_dtype dtype,
         std::int64_t stride, std::int64_t n)
      : dtype_(dtype), stride_(stride), size_(detail::size_of(dtype)) {
    const std::int64_t span = std::max<std::int64_t>(n, 1) * std::abs(stride);
    bytes_.resize(static_cast<std::size_t>(span * size_));
    first_ = stride < 0 ? span - 1 : 0;
    for (std::int64_t i = 0; i < n; ++i) {
      write(bytes_.data() + (first_ + i * stride) * size_, random_input(random, axis));
    }
    copy_ = std::make_unique<engine_array<unsigned char>>(engine, bytes_);
  }
  zcmoe_array there() const { return {copy_->data() + first_ * size_, dtype_, stride_}; }
  zcmoe_array here() const { return {bytes_.data() + first_ * size_, dtype_, stride_}; }

  static double random_input(random_bits& random, const input_axis* axis) {
    switch (whole(random, 0, 20)) {
      case 0: return not_a_number;
      case 1: return whole(random, 0, 1) == 0 ? infinity : -infinity;
      case 2: return real(random, -300.0, 0.0);
      case 3: return real(random, 120.0, 70000.0);
      case 4: return whole(random, 0, 1) == 0 ? -0.0 : 0.0;
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
        if (axis != nullptr) {
          const double edge = axis->edges[static_cast<std::size_t>(
              whole(random, 0, static_cast<std::int64_t>(axis->edges.size()) - 1))];
          const std::int64_t side = whole(random, -1, 1);
          if (side == 0) return edge;
          if (whole(random, 0, 1) == 0)
            return std::nextafter(edge, static_cast<double>(side) * infinity);
          return static_cast<double>(
              std::nextafterf(static_cast<float>(edge), static_cast<float>(side) * HUGE_VALF));
        }
        return 1.0;
      default: return real(random, -5.0, 125.0);
    }
  }

 private:
  template <class T>
  static void write_as(unsigned char* to, double value) {
    T out;
    if constexpr (std::is_floating_point_v<T>) {
      out = static_cast<T>(value);
    } else {
      const double least = static_cast<double>(std::numeric_limits<T>::min());
      const double most = std::ldexp(1.0, std::numeric_limits<T>::digits);
      out = value != value || value <= least ? std::numeric_limits<T>::min()
            : value >= most                  ? std::numeric_limits<T>::max()
                                             : static_cast<T>(value);
    }
    std::memcpy(to, &out, sizeof out);
  }
  void write(unsigned char* to, double value) const {
    switch (dtype_) {
      case ZCMOE_F32: return write_as<float>(to, value);
      case ZCMOE_F64: return write_as<double>(to, value);
      case ZCMOE_I8: return write_as<std::int8_t>(to, value);
      case ZCMOE_U8: return write_as<std::uint8_t>(to, value);
      case ZCMOE_I16: return write_as<std::int16_t>(to, value);
      case ZCMOE_U16: return write_as<std::uint16_t>(to, value);
      case ZCMOE_I32: return write_as<std::int32_t>(to, value);
      case ZCMOE_U32: return write_as<std::uint32_t>(to, value);
      case ZCMOE_I64: return write_as<std::int64_t>(to, value);
      case ZCMOE_U64: return write_as<std::uint64_t>(to, value);
      default: {
        const std::uint16_t bits = narrow_bits(value, dtype_);
        std::memcpy(to, &bits, sizeof bits);
      }
    }
  }

  zcmoe_dtype dtype_;
  std::int64_t stride_;
  std::int64_t size_;
  std::int64_t first_ = 0;
  std::vector<unsigned char> bytes_;
  std::unique_ptr<engine_array<unsigned char>> copy_;
};

// ------------------------------------------------------------------ answers

struct answers {
  std::vector<float> values_f32, errors_f32, variances_f32;
  std::vector<double> values_f64, errors_f64, variances_f64;
  std::vector<std::int32_t> segments_i32;
  std::vector<std::int64_t> segments_i64, counts;
  zcmoe_report report{};

  explicit answers(std::size_t n)
      : values_f32(n),
        errors_f32(n),
        variances_f32(n),
        values_f64(n),
        errors_f64(n),
        variances_f64(n),
        segments_i32(n),
        segments_i64(n),
        counts(n) {}
};

/// By the definitions.
answers defined(const bank_tables& tables, const std::vector<zcmoe_array>& columns,
                std::int64_t n) {
  answers expected(static_cast<std::size_t>(n));
  const detail::head& head = tables.head;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    std::vector<std::uint8_t> codes;
    bool answered = true, nan = false, below = false, above = false;
    for (const input_axis& axis : tables.axes) {
      const model_view view = view_of(axis);
      const any_array inputs =
          detail::any(columns[static_cast<std::size_t>(axis.input)],
                      detail::pivot_of(axis.edges.data(), axis.num_segments(), axis.closed_side));
      const double x = inputs[static_cast<std::int64_t>(i)];
      const std::int64_t slot = view.slot_of(x);
      codes.push_back(static_cast<std::uint8_t>(slot));
      answered = answered && detail::is_answered(axis, slot);
      nan = nan || x != x;
      below = below || view.is_below(x);
      above = above || view.is_above(x);
    }
    expected.report.rows += 1;
    expected.report.rows_used += answered ? 1 : 0;
    expected.report.nan_inputs += nan ? 1 : 0;
    expected.report.below_range += below ? 1 : 0;
    expected.report.above_range += above ? 1 : 0;
    const std::int64_t score = detail::score_of(tables, codes.data());
    std::int64_t segment = -1;
    // A long double holds every sum and every answer here.
    long double value = not_a_number;
    double error = not_a_number, variance = not_a_number;
    std::int64_t count = 0;
    if (answered && !head.has_segments()) {
      value = std::ldexp(static_cast<long double>(head.base + score), head.exponent);
    } else if (answered) {
      segment = head.thresholds.empty()
                    ? score
                    : std::upper_bound(head.thresholds.begin(), head.thresholds.end(), score) -
                          head.thresholds.begin();
      const auto s = static_cast<std::size_t>(segment);
      value = head.constants[s];
      error = head.standard_errors[s];
      variance = head.variances[s];
      count = head.counts[s];
    }
    const bool none = value != value;
    expected.values_f64[i] = none ? not_a_number : static_cast<double>(value);
    expected.values_f32[i] =
        none ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(value);
    expected.errors_f64[i] = error;
    expected.errors_f32[i] = static_cast<float>(error);
    expected.variances_f64[i] = variance;
    expected.variances_f32[i] = static_cast<float>(variance);
    expected.segments_i64[i] = segment;
    expected.segments_i32[i] = static_cast<std::int32_t>(segment);
    expected.counts[i] = count;
  }
  return expected;
}

class points_predict_test : public engine_test {
 protected:
  /// Predicts into two sets of outputs, of either types, in the engine's memory or on the host.
  answers predicted(const zcmoe_model* model, const std::vector<zcmoe_array>& columns,
                    std::int64_t n, bool has_segments, bool sync) const {
    answers got(static_cast<std::size_t>(n));
    zcmoe_points x = ZCMOE_POINTS_INIT;
    x.num_inputs = static_cast<std::int64_t>(columns.size());
    x.columns = columns.data();
    for (const bool wide : {false, true}) {
      zcmoe_predict_outputs outputs = predict_outputs();
      std::vector<std::function<void()>> fetches;
      const auto place = [&](zcmoe_output& output, auto& to) {
        using type = typename std::decay_t<decltype(to)>::value_type;
        if (sync) {
          output = zcmoe::output(to.data());
          return;
        }
        auto there = std::make_shared<engine_array<type>>(engine(), to);
        output = zcmoe::output(there->data());
        fetches.push_back([there, &to] { to = there->host(); });
      };
      if (wide) {
        place(outputs.values, got.values_f64);
      } else {
        place(outputs.values, got.values_f32);
      }
      if (has_segments && wide) {
        place(outputs.standard_errors, got.errors_f64);
        place(outputs.variances, got.variances_f64);
        place(outputs.segments, got.segments_i64);
      } else if (has_segments) {
        place(outputs.standard_errors, got.errors_f32);
        place(outputs.variances, got.variances_f32);
        place(outputs.segments, got.segments_i32);
        place(outputs.counts, got.counts);
      }
      std::vector<zcmoe_report> report{got.report};
      std::shared_ptr<engine_array<zcmoe_report>> report_there;
      if (wide) {
        report_there = std::make_shared<engine_array<zcmoe_report>>(engine(), report);
        outputs.report = sync ? report.data() : report_there->data();
      }
      EXPECT_EQ(sync ? zcmoe_predict_points_sync(model, &x, n, &outputs, nullptr)
                     : zcmoe_predict_points(model, &x, n, &outputs, nullptr),
                ZCMOE_OK)
          << zcmoe_last_error();
      for (const auto& fetch : fetches) fetch();
      if (wide) got.report = sync ? report[0] : report_there->host()[0];
    }
    return got;
  }

  static void expect_same(const answers& got, const answers& expected, bool has_segments) {
    EXPECT_TRUE(same_bits(got.values_f32, expected.values_f32));
    EXPECT_TRUE(same_bits(got.values_f64, expected.values_f64));
    EXPECT_EQ(got.report.rows, expected.report.rows);
    EXPECT_EQ(got.report.rows_used, expected.report.rows_used);
    EXPECT_EQ(got.report.nan_inputs, expected.report.nan_inputs);
    EXPECT_EQ(got.report.below_range, expected.report.below_range);
    EXPECT_EQ(got.report.above_range, expected.report.above_range);
    if (!has_segments) return;
    EXPECT_TRUE(same_bits(got.errors_f32, expected.errors_f32));
    EXPECT_TRUE(same_bits(got.errors_f64, expected.errors_f64));
    EXPECT_TRUE(same_bits(got.variances_f32, expected.variances_f32));
    EXPECT_TRUE(same_bits(got.variances_f64, expected.variances_f64));
    EXPECT_EQ(got.segments_i32, expected.segments_i32);
    EXPECT_EQ(got.segments_i64, expected.segments_i64);
    EXPECT_EQ(got.counts, expected.counts);
  }

  /// Predicts from columns of the type that type_of(j) and stride that stride_of(j) give.
  template <class TypeOf, class StrideOf>
  void check(random_bits& random, const points_file& file, std::int64_t n, const TypeOf& type_of,
             const StrideOf& stride_of) const {
    const scoped_points_model model(ctx(), file);
    ASSERT_NE(model.handle, nullptr);
    std::vector<zcmoe_array> here, there;
    std::vector<std::unique_ptr<column>> columns;
    for (std::int32_t j = 0; j < file.tables.num_inputs; ++j) {
      const auto axis = std::find_if(file.tables.axes.begin(), file.tables.axes.end(),
                                     [&](const input_axis& a) { return a.input == j; });
      columns.push_back(std::make_unique<column>(random, engine(),
                                                 axis == file.tables.axes.end() ? nullptr : &*axis,
                                                 type_of(j), stride_of(j), n));
      here.push_back(columns.back()->here());
      there.push_back(columns.back()->there());
    }
    const bool segments = file.tables.head.has_segments();
    const answers expected = defined(file.tables, here, n);
    {
      SCOPED_TRACE("in the engine's memory");
      expect_same(predicted(model.handle, there, n, segments, false), expected, segments);
    }
    SCOPED_TRACE("in host memory");
    expect_same(predicted(model.handle, here, n, segments, true), expected, segments);
  }
  void check(random_bits& random, const points_file& file, std::int64_t n) const {
    check(
        random, file, n, [&](std::int32_t) { return all_dtypes[whole(random, 0, 11)]; },
        [&](std::int32_t) {
          const std::int64_t strides[] = {1, 1, -1, 2, -3};
          return strides[whole(random, 0, 4)];
        });
  }
};

const model_kind kinds[] = {
    {"t"},
    {"tttt", 0, 4, {}, -123, -7},
    {"tp", 0, 3, {200}, 1, -1080},
    {"ttpp", 64},
    {"g", -1},
    {"g", 30, 2},
    {"r", 0, 1, {253}},
    {"r", -1},
    {"o", 0, 4, {}, 0, 900},
    {"ttpprrgo", 0, 5, {}, INT64_C(1) << 60, -60},
    {"ttpprrgo", 2},
    {"ttpprrgo", 1024, 6, {100}},
};

TEST_P(points_predict_test, every_kind_of_model) {
  for (std::size_t k = 0; k < std::size(kinds); ++k) {
    for (const std::int64_t n : {0, 1, 31, 32, 33, 700}) {
      SCOPED_TRACE("kind " + std::to_string(k) + " n " + std::to_string(n));
      random_bits random(k * 1000 + static_cast<std::size_t>(n));
      check(random, random_file(random, kinds[k]), n);
    }
  }
}

TEST_P(points_predict_test, every_policy_and_type) {
  for (const std::int32_t nan : {ZCMOE_NAN_PROPAGATE, ZCMOE_NAN_SEGMENT}) {
    for (const std::int32_t range : {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_SEGMENTS}) {
      for (const zcmoe_dtype dtype : all_dtypes) {
        SCOPED_TRACE(std::string("nan ") + std::to_string(nan) + " range " + std::to_string(range) +
                     " " + detail::name_of(dtype));
        random_bits random(static_cast<std::uint64_t>(nan * 100 + range * 10) +
                           static_cast<std::uint64_t>(dtype) * 1000);
        const model_kind kind{"tp", dtype % 2 == 0 ? 16 : 0, 2, {20, nan, range}, 5, -3};
        check(
            random, random_file(random, kind), 300, [&](std::int32_t) { return dtype; },
            [](std::int32_t j) { return std::int64_t{1} + j; });
      }
    }
  }
}

TEST_P(points_predict_test, every_row_of_many) {
  random_bits random(5);
  check(random, random_file(random, {"ttppg", 300, 3, {64}}), 100'003);
  check(
      random, random_file(random, {"ttpp", 0, 3, {64}, 7, -9}), 100'003,
      [](std::int32_t) { return ZCMOE_F32; }, [](std::int32_t) { return 1; });
}

TEST_P(points_predict_test, every_number_of_inputs) {
  for (const std::int32_t d : {1, 2, 31, 32, 33, 128, 129, 1024}) {
    SCOPED_TRACE("d " + std::to_string(d));
    random_bits random(static_cast<std::uint64_t>(d));
    check(random, random_file(random, {d == 1 ? "tr" : "ttpr", 0, d, {3}}), 70);
  }
}

/// The samples of files, whose numbers are at the ends of their ranges.
TEST_P(points_predict_test, samples) {
  random_bits random(6);
  for (const points_file& file : sample_points()) check(random, file, 500);
}

TEST_P(points_predict_test, sums_round_once) {
  // A constant model: (base + 0) 2^exponent, where float and double end and where they are sparse.
  for (const std::int64_t base :
       {std::int64_t{1}, std::int64_t{-3}, (std::int64_t{1} << 53) + 1, (std::int64_t{1} << 60) + 1,
        (std::int64_t{1} << 62) - 1, -(std::int64_t{1} << 61) - (std::int64_t{1} << 36) - 1}) {
    for (const std::int32_t exponent :
         {-2000, -1130, -1100, -1076, -1074, -211, -150, -149, -24, 0, 66, 127, 970, 1023, 2000}) {
      points_file file = sample_constant();
      file.tables.head.base = base;
      file.tables.head.exponent = exponent;
      const std::string bytes = written(parts_of(file));
      zcmoe_model* model = nullptr;
      ASSERT_EQ(zcmoe_model_deserialize(ctx().get(), bytes.data(), bytes.size(), &model), ZCMOE_OK);
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

/// Float32 columns and values alone: what is asked for most often, for which engines have code of
/// its own. Columns begin anywhere within 16 bytes; they are mostly contiguous.
TEST_P(points_predict_test, values_of_float_columns) {
  const model_kind some_kinds[] = {
      {"t", 0, 1, {253}},
      {"tttt", 0, 4, {64}, 77, -9},
      {"tttttttt", 0, 3, {64}, -(INT64_C(1) << 50), -126},
      {"tttttttt", 0, 3, {9}, 0, 127},
      {"tttt", 0, 3, {9}, 0, -140},
      {"p", 0, 2, {30}, 3, -1},
      {"ttpp", 0, 3, {64}, 0, -20},
      {"ttppppp", 0, 5, {20}, 0, -20},
      {"ppppppppp", 0, 5, {20}, 0, -20},
      {"ppppppppppppp", 0, 5, {20}, 0, -20},
      {"g", -1, 4, {6}},
      {"g", 30, 5, {6}},
      {"e", -1, 4, {9, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP}},
      {"e", 0, 3, {9, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_CLAMP}},
      {"et", 0, 3, {9, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_NAN}},
      {"ttttpp", 2, 4, {64}},
      {"ttttpp", 1024, 4, {64}},
      {"t", 8, 2, {9}},
      {"tp", 9, 2, {5}},
      {"tt", 3, 16, {64}},
      {"tp", 7, 17, {64}},
      {"r", 0, 3, {64}, 7, -3},
      {"r", -1, 3, {64}},
      {"r", 2, 1, {1}},
      {"rrrr", 0, 4, {64}, 0, -20},
      {"ttttpppprrrr", 0, 4, {64}, 5, -20},
      {"ttttpprr", 1024, 4, {64}},
      {"rr", 0, 4, {250}, 0, -20},
      {"tttttttpppppppppppppppprr", 0, 40, {20}, 0, -24},
      {"pppppppppppppppppppppppppppppppppppp", 0, 9, {20}, 0, -24},
      {"ttppgr", 60, 128, {9}},
      {"ttpr", 0, 130, {9}, 0, -20},
      {"tro", 0, 3, {64}, 0, -20},
  };
  for (std::size_t k = 0; k < std::size(some_kinds); ++k) {
    random_bits random(900 + k);
    points_file file = random_file(random, some_kinds[k]);
    // Scores of every size: in most of the models they take less than 32 bits.
    if (k % 3 != 0) {
      for (bank& b : file.tables.banks) {
        for (std::int32_t& c : b.constants) {
          if (some_kinds[k].num_segments >= 0) c >>= 8;
        }
      }
      for (std::int64_t& t : file.tables.head.thresholds) t >>= 8;
      auto& thresholds = file.tables.head.thresholds;
      const bool distinct =
          std::adjacent_find(thresholds.begin(), thresholds.end()) == thresholds.end();
      for (std::size_t i = 1; i < thresholds.size() && !distinct; ++i)
        thresholds[i] = std::max(thresholds[i], thresholds[i - 1] + 1);
    }
    const scoped_points_model model(ctx(), file);
    ASSERT_NE(model.handle, nullptr);
    for (const std::int64_t n : {0, 1, 3, 4, 5, 31, 32, 33, 1000, 6001, 30003}) {
      SCOPED_TRACE("kind " + std::to_string(k) + " n " + std::to_string(n));
      const bool together = n % 2 == 0;
      std::vector<std::vector<float>> numbers;
      std::vector<std::unique_ptr<engine_array<float>>> arrays;
      std::vector<zcmoe_array> here, there;
      numbers.reserve(static_cast<std::size_t>(file.tables.num_inputs));
      for (std::int32_t j = 0; j < file.tables.num_inputs; ++j) {
        const auto axis = std::find_if(file.tables.axes.begin(), file.tables.axes.end(),
                                       [&](const input_axis& a) { return a.input == j; });
        const std::int64_t skew = together ? n / 2 % 4 : whole(random, 0, 3);
        const std::int64_t stride = n % 4 == 1 ? whole(random, 0, 4) : 1;
        std::vector<float> x(
            static_cast<std::size_t>(n * std::max<std::int64_t>(stride, 1) + skew));
        for (float& value : x) {
          value = static_cast<float>(
              column::random_input(random, axis == file.tables.axes.end() ? nullptr : &*axis));
        }
        numbers.push_back(x);
        arrays.push_back(std::make_unique<engine_array<float>>(engine(), x));
        here.push_back({numbers.back().data() + skew, ZCMOE_F32, stride});
        there.push_back({arrays.back()->data() + skew, ZCMOE_F32, stride});
      }
      const std::int64_t skew = together ? n / 2 % 4 : whole(random, 0, 3);
      std::vector<float> expected(static_cast<std::size_t>(n + skew + 1), 5.0f);
      const engine_array<float> values(engine(), expected);
      zcmoe_points x = ZCMOE_POINTS_INIT;
      x.num_inputs = file.tables.num_inputs;
      x.columns = there.data();
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(values.data() + skew);
      ASSERT_EQ(zcmoe_predict_points(model.handle, &x, n, &outputs, nullptr), ZCMOE_OK)
          << zcmoe_last_error();
      const std::vector<float> answers = defined(file.tables, here, n).values_f32;
      std::copy(answers.begin(), answers.end(), expected.begin() + skew);
      EXPECT_TRUE(same_bits(values.host(), expected));
    }
    // Other types all of whose numbers are floats.
    for (const std::int64_t n : {7, 30007}) {
      SCOPED_TRACE("kind " + std::to_string(k) + " of narrow types, n " + std::to_string(n));
      const zcmoe_dtype narrow[] = {ZCMOE_F32, ZCMOE_F16, ZCMOE_BF16, ZCMOE_I8,
                                    ZCMOE_U8,  ZCMOE_I16, ZCMOE_U16};
      std::vector<std::unique_ptr<column>> columns;
      std::vector<zcmoe_array> here, there;
      for (std::int32_t j = 0; j < file.tables.num_inputs; ++j) {
        const auto axis = std::find_if(file.tables.axes.begin(), file.tables.axes.end(),
                                       [&](const input_axis& a) { return a.input == j; });
        const std::int64_t strides[] = {1, 1, 1, 3, -2};
        columns.push_back(std::make_unique<column>(
            random, engine(), axis == file.tables.axes.end() ? nullptr : &*axis,
            narrow[whole(random, 0, 6)], strides[whole(random, 0, 4)], n));
        here.push_back(columns.back()->here());
        there.push_back(columns.back()->there());
      }
      const engine_array<float> values(engine(), std::vector<float>(static_cast<std::size_t>(n)));
      zcmoe_points x = ZCMOE_POINTS_INIT;
      x.num_inputs = file.tables.num_inputs;
      x.columns = there.data();
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(values.data());
      ASSERT_EQ(zcmoe_predict_points(model.handle, &x, n, &outputs, nullptr), ZCMOE_OK)
          << zcmoe_last_error();
      EXPECT_TRUE(same_bits(values.host(), defined(file.tables, here, n).values_f32));
    }
  }
}

ZCMOE_INSTANTIATE_ENGINES(points_predict_test);

}  // namespace
}  // namespace zcmoe::test
