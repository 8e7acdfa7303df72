// Models of several inputs on the CPU: random ones of every kind, read from columns of every type
// and stride, give the bits of the definition (host/routing/banks.hpp) on any instruction set and
// number of threads.
#include "host/cpu/dispatch.hpp"
#include "host/engine/backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace zcmoe::detail {
namespace {

class dice {
 public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  bool coin() { return below(2) == 0; }
  template <class T, std::size_t Size>
  T of(const T (&list)[Size]) {
    return list[below(static_cast<std::int64_t>(Size))];
  }
  double real() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  std::int32_t any_int() { return static_cast<std::int32_t>(engine_()); }

 private:
  std::mt19937_64 engine_;
};

// ---------------------------------------------------------------------------- models

input_axis random_axis(dice& d, std::int32_t input) {
  constexpr std::int64_t sizes[] = {1,  2,  3,   5,   16,  29,  60,  61,
                                    62, 64, 100, 125, 128, 200, 252, 253};
  const std::int64_t m = d.of(sizes);
  input_axis a{};
  a.input = input;
  a.closed_side = d.coin() ? ZCMOE_CLOSED_LEFT : ZCMOE_CLOSED_RIGHT;
  a.include_outer_edge = d.coin() ? 1 : 0;
  a.nan_policy = d.coin() ? ZCMOE_NAN_PROPAGATE : ZCMOE_NAN_SEGMENT;
  constexpr std::int32_t ranges[] = {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN, ZCMOE_RANGE_SEGMENTS};
  a.range_policy = d.of(ranges);
  const std::int64_t kind = d.below(4);
  double at = kind == 0 ? -static_cast<double>(d.below(100)) : (d.real() - 0.5) * 100;
  for (std::int64_t i = 0; i <= m; ++i) {
    a.edges.push_back(at);
    if (kind == 0) at += 1.0;                                                   // whole numbers
    if (kind == 1) at += 0.25;                                                  // evenly
    if (kind == 2) at += 0.01 + d.real();                                       // about evenly
    if (kind == 3) at += 1e-3 * std::exp(8 * d.real()) + std::fabs(at) * 1e-9;  // not at all
  }
  return a;
}

axis_offsets random_offsets(dice& d, const bank_tables& tables, std::int32_t axis,
                            std::int64_t last) {
  axis_offsets made{axis, {}};
  for (std::int64_t c = 0; c < tables.axes[static_cast<std::size_t>(axis)].num_slots(); ++c)
    made.offsets.push_back(static_cast<std::int32_t>(d.between(0, last)));
  return made;
}

/// Distinct axes, `count` of them, in ascending order.
std::vector<std::int32_t> some_axes(dice& d, const bank_tables& tables, std::int64_t count) {
  std::vector<std::int32_t> all(tables.axes.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    std::swap(
        all[i],
        all[i + static_cast<std::size_t>(d.below(static_cast<std::int64_t>(all.size() - i)))]);
  }
  all.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, tables.axes.size())));
  std::sort(all.begin(), all.end());
  return all;
}

/// A table of some axes: axis a has parts[a] parts, and cells are numbered as those of a box.
bank random_table(dice& d, const bank_tables& tables, const std::vector<std::int32_t>& axes,
                  const std::vector<std::int64_t>& parts) {
  bank made;
  std::int64_t cells = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    axis_offsets a = random_offsets(d, tables, axes[i], parts[i] - 1);
    for (std::int32_t& o : a.offsets) o *= static_cast<std::int32_t>(cells);
    made.axes.push_back(std::move(a));
    cells *= parts[i];
  }
  made.constants.resize(static_cast<std::size_t>(cells));
  return made;
}

bank random_tree(dice& d, const bank_tables& tables, std::int64_t leaves, bool oblique) {
  bank made;
  const auto num_axes = static_cast<std::int32_t>(tables.axes.size());
  const std::int64_t sums = oblique ? d.between(1, 3) : 0;
  for (std::int64_t k = 0; k < sums; ++k) {
    std::vector<axis_offsets> sum;
    for (const std::int32_t a : some_axes(d, tables, d.between(1, 4))) {
      sum.push_back(random_offsets(d, tables, a, 1000));
      for (std::int32_t& o : sum.back().offsets) o -= 500;
    }
    made.oblique.push_back(std::move(sum));
  }
  // Grown by turning leaves into nodes; a node stands behind its parent.
  std::vector<std::int32_t*> open;
  made.nodes.reserve(static_cast<std::size_t>(leaves));
  const auto add_node = [&] {
    zcmoe_tree_node node{};
    node.feature = static_cast<std::int32_t>(d.below(num_axes + sums));
    node.threshold = static_cast<std::int32_t>(node.feature < num_axes ? d.between(-1, 257)
                                                                       : d.between(-700, 700));
    made.nodes.push_back(node);
    open.push_back(&made.nodes.back().left);
    open.push_back(&made.nodes.back().right);
  };
  add_node();
  while (static_cast<std::int64_t>(open.size()) < leaves) {
    const bool chain = d.below(3) == 0;
    const auto which =
        chain ? open.size() - 1
              : static_cast<std::size_t>(d.below(static_cast<std::int64_t>(open.size())));
    std::int32_t* const from = open[which];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    *from = static_cast<std::int32_t>(made.nodes.size());
    add_node();
  }
  std::int32_t leaf = 0;
  for (std::int32_t* const from : open) *from = ~leaf++;
  made.constants.resize(open.size());
  return made;
}

void give_constants(dice& d, bank& b, std::int32_t bits) {
  for (std::int32_t& c : b.constants) c = d.any_int() >> (32 - bits);
}

enum class head_kind { sum, score, cells };

bank_tables random_tables(dice& d, std::int64_t num_axes, head_kind kind) {
  bank_tables made{};
  made.num_inputs = static_cast<std::int32_t>(num_axes);
  for (std::int32_t a = 0; a < num_axes; ++a) made.axes.push_back(random_axis(d, a));
  constexpr std::int32_t widths[] = {3, 9, 16, 22, 27, 32};
  const std::int32_t bits = d.of(widths);
  if (kind == head_kind::cells) {
    bank b;
    const std::int64_t form = d.below(3);
    if (form == 0) {
      std::vector<std::int32_t> axes;
      std::vector<std::int64_t> parts;
      std::int64_t cells = 1;
      for (std::int32_t a = 0; a < num_axes; ++a) {
        const std::int64_t p = std::min<std::int64_t>(d.between(1, 40), 100000 / cells);
        axes.push_back(a);
        parts.push_back(p);
        cells *= p;
      }
      b = random_table(d, made, axes, parts);
    } else {
      b = random_tree(d, made, d.between(2, 300), form == 2);
    }
    const bool identity = d.coin();
    const auto m = static_cast<std::int64_t>(b.constants.size());
    for (std::int64_t c = 0; c < m; ++c) {
      b.constants[static_cast<std::size_t>(c)] =
          static_cast<std::int32_t>(identity ? c : d.below(m));
    }
    made.banks.push_back(std::move(b));
    made.head.constants.resize(static_cast<std::size_t>(m));
  } else {
    for (std::int32_t a = 0; a < num_axes; ++a) {
      if (num_axes < 100 && d.below(4) == 0) continue;
      made.banks.push_back(random_table(d, made, {a}, {d.between(1, 256)}));
    }
    const std::int64_t more = d.below(6);
    for (std::int64_t k = 0; k < more; ++k) {
      const std::int64_t form = d.below(5);
      if (form <= 1 && num_axes >= 2) {
        const std::int64_t parts = form == 0 ? 16 : d.between(1, 40);
        made.banks.push_back(random_table(d, made, some_axes(d, made, 2), {parts, 16}));
      } else if (form == 2) {
        const auto axes = some_axes(d, made, d.between(1, 8));
        std::vector<std::int64_t> parts;
        for (std::size_t i = 0; i < axes.size(); ++i) parts.push_back(d.between(1, 6));
        made.banks.push_back(random_table(d, made, axes, parts));
      } else {
        made.banks.push_back(random_tree(d, made, d.between(2, 80), form == 4));
      }
    }
    for (bank& b : made.banks) give_constants(d, b, bits);
  }
  head& h = made.head;
  if (kind == head_kind::sum) {
    const std::int64_t large = d.below(4);
    h.base = large == 0   ? (std::int64_t{1} << 61) + d.below(1000)
             : large == 1 ? -(std::int64_t{1} << d.between(20, 54))
                          : d.between(-1000, 1000);
    constexpr std::int32_t exponents[] = {0,    -3,   -20,   -50,   40,  90,  120,
                                          -130, -150, -1074, -1090, 970, 1100};
    h.exponent = d.of(exponents);
  }
  if (kind == head_kind::score) {
    std::int64_t least = 0, greatest = 0;
    for (const bank& b : made.banks) {
      const auto [low, high] = std::minmax_element(b.constants.begin(), b.constants.end());
      least += *low;
      greatest += *high;
    }
    // Beside the scores too; now and then all of them in one place.
    const std::int64_t wanted = d.between(0, d.below(5) == 0 ? 5000 : 300);
    const std::int64_t margin = (greatest - least) / 8 + 3;
    const bool crowded = d.below(3) == 0;
    for (std::int64_t k = 0; k < wanted; ++k) {
      h.thresholds.push_back(crowded && k % 8 != 0 ? (least + greatest) / 2 + d.between(-200, 200)
                                                   : d.between(least - margin, greatest + margin));
    }
    if (d.below(8) == 0) h.thresholds.push_back(std::numeric_limits<std::int64_t>::min());
    if (d.below(8) == 0) h.thresholds.push_back(std::numeric_limits<std::int64_t>::max());
    if (h.thresholds.empty()) h.thresholds.push_back(least);
    std::sort(h.thresholds.begin(), h.thresholds.end());
    h.thresholds.erase(std::unique(h.thresholds.begin(), h.thresholds.end()), h.thresholds.end());
    h.constants.resize(h.thresholds.size() + 1);
  }
  for (std::size_t s = 0; s < h.constants.size(); ++s) {
    h.constants[s] = d.below(20) == 0 ? std::numeric_limits<double>::quiet_NaN() : d.real() * 9 - 4;
    h.counts.push_back(d.below(1000));
    h.variances.push_back(d.real());
    h.standard_errors.push_back(d.real() * 1e-3);
  }
  return made;
}

// ------------------------------------------------------------------------------ rows

/// Memory for `n` elements of any type at any stride; element 0 may lie in the middle.
struct strided_bytes {
  std::vector<std::uint64_t> words;
  std::int64_t stride = 1;
  std::int64_t size;  // of an element
  char* at0;
  strided_bytes(std::int64_t n, std::int64_t stride_of, std::int64_t element, std::int64_t skew = 0)
      : stride(stride_of), size(element) {
    const std::int64_t span = std::max<std::int64_t>(n - 1, 0) * std::abs(stride);
    words.assign(static_cast<std::size_t>((span + skew + 1) * size / 8 + 2), 0x5555555555555555u);
    at0 = reinterpret_cast<char*>(words.data()) + ((stride < 0 ? span : 0) + skew) * size;
  }
  char* at(std::int64_t i) { return at0 + i * stride * size; }
};

template <class T>
void put_as(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

template <class Integer>
Integer limited(double v) {
  if (!(v > static_cast<double>(std::numeric_limits<Integer>::lowest())))
    return std::numeric_limits<Integer>::lowest();
  if (v >= static_cast<double>(std::numeric_limits<Integer>::max()))
    return std::numeric_limits<Integer>::max();
  return static_cast<Integer>(v);
}

void put(char* to, zcmoe_dtype dtype, double v, dice& d) {
  const auto f = static_cast<float>(v);
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  switch (dtype) {
    case ZCMOE_F32: return put_as(to, f);
    case ZCMOE_F64: return put_as(to, v);
    case ZCMOE_BF16: return put_as(to, static_cast<std::uint16_t>(bits >> 16));
    case ZCMOE_F16:  // any number of about that size, or any at all
      return put_as(to,
                    static_cast<std::uint16_t>(
                        d.below(8) == 0 ? d.below(65536)
                                        : ((bits >> 16) & 0x8000u) |
                                              (0x4000u + static_cast<unsigned>(d.below(0x1c00)))));
    case ZCMOE_I8: return put_as(to, limited<std::int8_t>(v));
    case ZCMOE_U8: return put_as(to, limited<std::uint8_t>(v));
    case ZCMOE_I16: return put_as(to, limited<std::int16_t>(v));
    case ZCMOE_U16: return put_as(to, limited<std::uint16_t>(v));
    case ZCMOE_I32: return put_as(to, limited<std::int32_t>(v));
    case ZCMOE_U32: return put_as(to, limited<std::uint32_t>(v));
    case ZCMOE_I64: return put_as(to, limited<std::int64_t>(v));
    default: return put_as(to, limited<std::uint64_t>(v));
  }
}

constexpr zcmoe_dtype dtypes[] = {ZCMOE_F32, ZCMOE_F64, ZCMOE_F16, ZCMOE_BF16,
                                  ZCMOE_I8,  ZCMOE_U8,  ZCMOE_I16, ZCMOE_U16,
                                  ZCMOE_I32, ZCMOE_U32, ZCMOE_I64, ZCMOE_U64};

struct column_set {
  std::vector<strided_bytes> memory;
  std::vector<any_array> columns;  // by axis
};

/// An input that asks something: near an edge, in the range, beside it, NaN.
double random_input(dice& d, const input_axis& a, bool tame) {
  const double low = a.edges.front(), high = a.edges.back();
  const std::int64_t kind = d.below(tame ? 40 : 12);
  if (kind == 0) {
    const double edge = a.edges[static_cast<std::size_t>(d.below(a.num_segments() + 1))];
    return d.coin() ? edge : std::nextafter(edge, d.coin() ? 1e300 : -1e300);
  }
  if (kind == 1 && !tame) {
    constexpr double special[] = {-0.0,
                                  0.0,
                                  1e300,
                                  -1e300,
                                  5e-324,
                                  std::numeric_limits<double>::infinity(),
                                  -std::numeric_limits<double>::infinity(),
                                  std::numeric_limits<double>::quiet_NaN()};
    return d.of(special);
  }
  if (kind == 2 && !tame) return low + (high - low) * (d.real() * 1.5 - 0.25);
  return low + (high - low) * d.real();
}

column_set random_columns(dice& d, const bank_tables& tables, std::int64_t n, bool tame) {
  column_set made;
  const auto num_axes = static_cast<std::int64_t>(tables.axes.size());
  const bool row_major = d.below(4) == 0;  // of float32
  const bool floats = d.coin();
  made.memory.reserve(static_cast<std::size_t>(num_axes));
  if (row_major) made.memory.emplace_back(n * num_axes, 1, 4);
  for (std::int64_t a = 0; a < num_axes; ++a) {
    const input_axis& axis = tables.axes[static_cast<std::size_t>(a)];
    constexpr std::int64_t strides[] = {1, 1, 1, 2, 3, -1, -2, 0};
    const zcmoe_dtype dtype = row_major || floats ? zcmoe_dtype{ZCMOE_F32} : d.of(dtypes);
    const std::int64_t stride = row_major ? num_axes : d.of(strides);
    if (!row_major) made.memory.emplace_back(n, stride, size_of(dtype), d.below(5));
    strided_bytes& memory = made.memory.back();
    char* const first = row_major ? memory.at(a) : memory.at0;
    for (std::int64_t i = 0; i < (stride == 0 ? std::min<std::int64_t>(n, 1) : n); ++i)
      put(first + i * stride * size_of(dtype), dtype, random_input(d, axis, tame), d);
    zcmoe_array array{};
    array.data = first;
    array.stride = stride;
    array.dtype = dtype;
    made.columns.push_back(
        any(array, pivot_of(axis.edges.data(), axis.num_segments(), axis.closed_side)));
  }
  return made;
}

// --------------------------------------------------------------------------- answers

struct expected_rows {
  std::vector<std::uint8_t> codes;  // [axes][n]
  std::vector<std::uint8_t> answered;
  std::vector<std::int64_t> scores;
  zcmoe_report report{};
};

expected_rows by_definition(const bank_tables& tables, const std::vector<any_array>& columns,
                            std::int64_t n) {
  expected_rows made;
  const std::size_t num_axes = tables.axes.size();
  const auto rows = static_cast<std::size_t>(n);
  made.codes.resize(num_axes * rows);
  made.report.rows = n;
  std::vector<std::uint8_t> own(num_axes);
  for (std::size_t i = 0; i < rows; ++i) {
    bool answered = true, nan = false, below = false, above = false;
    for (std::size_t a = 0; a < num_axes; ++a) {
      const model_view view = view_of(tables.axes[a]);
      const double x = columns[a][static_cast<std::int64_t>(i)];
      const std::int64_t slot = view.slot_of(x);
      own[a] = made.codes[a * rows + i] = static_cast<std::uint8_t>(slot);
      answered = answered && is_answered(tables.axes[a], slot);
      nan = nan || std::isnan(x);
      below = below || view.is_below(x);
      above = above || view.is_above(x);
    }
    made.report.rows_used += answered ? 1 : 0;
    made.report.nan_inputs += nan ? 1 : 0;
    made.report.below_range += below ? 1 : 0;
    made.report.above_range += above ? 1 : 0;
    made.answered.push_back(answered ? 1 : 0);
    made.scores.push_back(score_of(tables, own.data()));
  }
  return made;
}

template <class T>
T expected_sum(const head& h, std::int64_t score) {
  // long double holds the sum exactly, and its exponents reach further.
  static_assert(std::numeric_limits<long double>::digits >= 64, "");
  return static_cast<T>(std::ldexp(static_cast<long double>(h.base + score), h.exponent));
}

/// One output: room, and the comparison.
struct checked_output {
  strided_bytes memory;
  zcmoe_output output{};
  checked_output(std::int64_t n, zcmoe_dtype dtype, std::int64_t stride, std::int64_t skew)
      : memory(n, stride, size_of(dtype), skew) {
    output.data = memory.at0;
    output.stride = stride;
    output.dtype = dtype;
  }
  template <class T>
  bool holds(std::int64_t i, T wanted) {
    T got;
    std::memcpy(&got, memory.at(i), sizeof got);
    if (wanted != wanted) return got != got;
    return std::memcmp(&got, &wanted, sizeof got) == 0;
  }
  bool holds_real(std::int64_t i, double f64, float f32) {
    return output.dtype == ZCMOE_F32 ? holds(i, f32) : holds(i, f64);
  }
};

void check(const std::shared_ptr<backend>& engine, const bank_tables& tables, dice& d,
           std::int64_t n) {
  SCOPED_TRACE(n);
  const auto evaluator = engine->make_evaluator(tables, nullptr);
  EXPECT_GT(evaluator->bytes(), 0u);
  const column_set rows = random_columns(d, tables, n, d.coin());
  const expected_rows expected = by_definition(tables, rows.columns, n);
  const head& h = tables.head;
  constexpr std::int64_t strides[] = {1, 1, 3, -1};
  const auto real = [&] { return d.coin() ? ZCMOE_F32 : ZCMOE_F64; };
  const auto size = [](std::int64_t i) { return static_cast<std::size_t>(i); };

  codes_job encode{};
  encode.tables = evaluator.get();
  encode.columns = rows.columns.data();
  encode.n = n;
  encode.stride = n + 5;
  std::vector<std::uint8_t> codes(tables.axes.size() * size(n + 5), 0xaa);
  encode.codes = codes.data();
  engine->encode_sync(encode, nullptr);
  for (std::size_t a = 0; a < tables.axes.size(); ++a) {
    for (std::int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(codes[a * size(n + 5) + size(i)], expected.codes[a * size(n) + size(i)])
          << "axis " << a << ", row " << i;
    }
    for (std::int64_t i = n; i < n + 5; ++i) ASSERT_EQ(codes[a * size(n + 5) + size(i)], 0xaa);
  }

  for (const bool all : {false, true}) {
    points_job job{};
    job.tables = evaluator.get();
    job.columns = rows.columns.data();
    job.n = n;
    zcmoe_report report{};
    if (all || d.coin()) job.report = &report;
    checked_output values(n, real(), d.of(strides), d.below(9));
    checked_output errors(n, real(), d.of(strides), d.below(9));
    checked_output variances(n, real(), d.of(strides), d.below(9));
    checked_output counts(n, ZCMOE_I64, d.of(strides), d.below(9));
    checked_output segments(n, d.coin() ? ZCMOE_I32 : ZCMOE_I64, d.of(strides), d.below(9));
    job.values = values.output;
    if (all && h.has_segments()) {
      job.standard_errors = errors.output;
      job.variances = variances.output;
      job.counts = counts.output;
      job.segments = segments.output;
    }
    all ? engine->predict_points(job, nullptr) : engine->predict_points_sync(job, nullptr);
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    constexpr float none32 = std::numeric_limits<float>::quiet_NaN();
    for (std::int64_t i = 0; i < n; ++i) {
      const bool answered = expected.answered[size(i)] != 0;
      const std::int64_t score = expected.scores[size(i)];
      if (!h.has_segments()) {
        ASSERT_TRUE(values.holds_real(i, answered ? expected_sum<double>(h, score) : none,
                                      answered ? expected_sum<float>(h, score) : none32))
            << "row " << i << ", score " << score << ", exponent " << h.exponent;
        continue;
      }
      const std::int64_t segment =
          !answered ? -1
          : h.thresholds.empty()
              ? score
              : std::upper_bound(h.thresholds.begin(), h.thresholds.end(), score) -
                    h.thresholds.begin();
      const auto real_of = [&](const std::vector<double>& table) {
        return segment < 0 ? none : table[size(segment)];
      };
      const double value = real_of(h.constants);
      ASSERT_TRUE(values.holds_real(i, value, static_cast<float>(value))) << "row " << i;
      if (!all) continue;
      const double error = real_of(h.standard_errors), variance = real_of(h.variances);
      ASSERT_TRUE(errors.holds_real(i, error, static_cast<float>(error))) << i;
      ASSERT_TRUE(variances.holds_real(i, variance, static_cast<float>(variance))) << i;
      ASSERT_TRUE(counts.holds(i, segment < 0 ? std::int64_t{0} : h.counts[size(segment)])) << i;
      ASSERT_TRUE(segments.output.dtype == ZCMOE_I64
                      ? segments.holds(i, segment)
                      : segments.holds(i, static_cast<std::int32_t>(segment)))
          << i;
    }
    if (job.report != nullptr) {
      EXPECT_EQ(report.rows, expected.report.rows);
      EXPECT_EQ(report.rows_used, expected.report.rows_used);
      EXPECT_EQ(report.nan_inputs, expected.report.nan_inputs);
      EXPECT_EQ(report.below_range, expected.report.below_range);
      EXPECT_EQ(report.above_range, expected.report.above_range);
    }
  }
}

std::shared_ptr<backend> cpu_engine(int num_threads, const char* target) {
  const char* const before = std::getenv("ZCMOE_CPU_TARGET");
  const std::string kept = before != nullptr ? before : "";
  setenv("ZCMOE_CPU_TARGET", target, 1);
  zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = num_threads;
  auto made = make_cpu_backend(options);
  setenv("ZCMOE_CPU_TARGET", kept.c_str(), 1);
  return made;
}

/// What ZCMOE_CPU_TARGET may say here; "" is the choice of the library.
std::vector<std::string> target_names() {
  std::vector<std::string> names{""};
  for (const cpu_target& target : available_targets()) names.emplace_back(target.name);
  return names;
}

class points_on_cpu : public testing::TestWithParam<std::string> {};

void check_many(const std::string& target, head_kind kind, std::uint64_t seed, int models) {
  for (int k = 0; k < models; ++k) {
    SCOPED_TRACE(k);
    dice d(seed + static_cast<std::uint64_t>(k));
    constexpr std::int64_t many[] = {1, 2, 3, 4, 5, 8, 9, 40};
    const bank_tables tables = random_tables(d, d.of(many), kind);
    constexpr std::int64_t sizes[] = {0, 1, 63, 64, 65, 127, 511, 512, 513, 1000, 1500};
    const auto engine = cpu_engine(1, target.c_str());
    for (int turn = 0; turn < 2; ++turn) check(engine, tables, d, d.of(sizes));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST_P(points_on_cpu, sums_are_those_of_the_definition) {
  check_many(GetParam(), head_kind::sum, 1000, 120);
}

TEST_P(points_on_cpu, segments_of_scores_are_those_of_the_definition) {
  check_many(GetParam(), head_kind::score, 2000, 80);
}

TEST_P(points_on_cpu, segments_of_cells_are_those_of_the_definition) {
  check_many(GetParam(), head_kind::cells, 3000, 80);
}

TEST_P(points_on_cpu, the_most_axes_fit) {
  dice d(7);
  check(cpu_engine(1, GetParam().c_str()), random_tables(d, ZCMOE_MAX_INPUTS, head_kind::sum), d,
        300);
}

INSTANTIATE_TEST_SUITE_P(, points_on_cpu, testing::ValuesIn(target_names()), [](const auto& given) {
  return given.param.empty() ? std::string("chosen") : given.param;
});

TEST(points_on_cpu_test, threads_share_rows) {
  for (const int num_threads : {1, 2, 7}) {
    for (const head_kind kind : {head_kind::sum, head_kind::score, head_kind::cells}) {
      dice d(99);
      const bank_tables tables = random_tables(d, 3, kind);
      check(cpu_engine(num_threads, ""), tables, d, 140000);
    }
  }
}

TEST(points_on_cpu_test, rows_beyond_the_caches) {
  for (const head_kind kind : {head_kind::sum, head_kind::score, head_kind::cells}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(seed);
      dice d(500 + seed);
      const bank_tables tables = random_tables(d, kind == head_kind::cells ? 40 : 20, kind);
      check(cpu_engine(seed % 2 == 0 ? 2 : 1, ""), tables, d, seed < 2 ? 210001 : 440000);
    }
  }
}

TEST(points_on_cpu_test, parts_are_shared_out_once_each) {
  const auto engine = cpu_engine(2, "");
  std::vector<int> seen(1000, 0);
  engine->share_out(1000, [&](std::int64_t part) { ++seen[static_cast<std::size_t>(part)]; });
  EXPECT_EQ(seen, std::vector<int>(1000, 1));
  engine->share_out(0, [&](std::int64_t) { FAIL(); });
}

/// The first cuts take what is far from even at once: a chain loses all but the rest of it, and an
/// even tree all of its first levels.
TEST(tree_top, is_cut_where_most_leaves_are) {
  bank chain;
  for (std::int32_t k = 0; k < 200; ++k) chain.nodes.push_back({0, 1, ~k, k < 199 ? k + 1 : ~200});
  const tree_top of_chain = top_of(chain, 64);
  EXPECT_EQ(of_chain.nodes.size(), 63u);
  EXPECT_EQ(of_chain.nodes.back(), 62);
  EXPECT_EQ(of_chain.parts.size(), 64u);
  EXPECT_EQ(of_chain.parts.back(), 63);  // the other parts are leaves
  bank even;
  for (std::int32_t k = 0; k < 127; ++k) {
    const auto child = [](std::int32_t c) { return c < 127 ? c : ~(c - 127); };
    even.nodes.push_back({0, 1, child(2 * k + 1), child(2 * k + 2)});
  }
  const tree_top of_even = top_of(even, 64);
  for (const std::int32_t part : of_even.parts) EXPECT_GE(part, 63);  // nodes of two leaves
  EXPECT_EQ(top_of(even, 1000).parts.size(), 128u);
}

}  // namespace
}  // namespace zcmoe::detail
