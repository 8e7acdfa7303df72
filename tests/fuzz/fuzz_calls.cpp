// Fuzz target: a byte string is read as a sequence of calls on a few handles, and after each call
// the library is held against a naive shadow: integer sums of integer targets, a scan over the
// edges. Wrong arguments are among the calls, with the status that they must get.
//   libFuzzer:  clang++ -fsanitize=fuzzer,address,undefined ... fuzz_calls.cpp, then a.out
//   corpus/calls elsewhere:  linked with fuzz_driver.cpp, see there
#include "tests/model/container_bytes.hpp"

#include <zcmoe/model_view.hpp>
#include <zcmoe/zcmoe.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace zcmoe::test {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "finding: %s; last error: %s\n", what, zcmoe_last_error());
  std::abort();
}

void expect_ok(zcmoe_status status, const char* what) { expect(status == ZCMOE_OK, what); }

/// The call is refused with this status, and its text names the function.
void expect_refused(zcmoe_status status, zcmoe_status expected, const char* function) {
  expect(status == expected, function);
  expect(std::string(zcmoe_last_error()).find(function) != std::string::npos,
         "an error text without the function's name");
}

bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

/// The bytes that decide; zeros after their end.
class decisions {
 public:
  decisions(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}
  bool is_done() const { return next_ == end_; }
  int byte() { return next_ == end_ ? 0 : *next_++; }
  int below(int limit) { return byte() % limit; }
  bool one_in(int chance) { return below(chance) == chance - 1; }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

// ------------------------------------------------------------------ arrays

int size_of(zcmoe_dtype dtype) {
  switch (dtype) {
    case ZCMOE_F64:
    case ZCMOE_I64: return 8;
    case ZCMOE_F32:
    case ZCMOE_I32:
    case ZCMOE_U32: return 4;
    case ZCMOE_I8:
    case ZCMOE_U8: return 1;
    default: return 2;
  }
}

bool is_float(zcmoe_dtype dtype) { return dtype >= ZCMOE_F32 && dtype <= ZCMOE_BF16; }
bool is_unsigned(zcmoe_dtype dtype) {
  return dtype == ZCMOE_U8 || dtype == ZCMOE_U16 || dtype == ZCMOE_U32;
}

/// Bits of a small multiple of 1/8, NaN or an infinity; all of them exact in every float type.
std::uint64_t bits_of(double value, zcmoe_dtype dtype) {
  if (dtype == ZCMOE_F64) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
  if (!is_float(dtype)) return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  const auto narrow = static_cast<float>(value);
  std::uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof bits);
  if (dtype == ZCMOE_F32) return bits;
  if (dtype == ZCMOE_BF16) return bits >> 16;
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  if (std::isnan(value)) return 0x7e00u;
  if (std::isinf(value)) return sign | 0x7c00u;
  if (value == 0) return sign;
  return sign | (((bits >> 23 & 0xffu) - 112u) << 10) | (bits >> 13 & 0x3ffu);
}

/// n values laid out with a stride, in memory of exactly their size, so that ASan sees a step
/// outside.
class column {
 public:
  column(const std::vector<double>& values, zcmoe_dtype dtype, std::int64_t stride)
      : column(values.size(), dtype, stride) {
    for (std::size_t i = values.size(); i-- > 0;) {  // stride 0: the first value is what stays
      const std::uint64_t bits = bits_of(values[i], dtype);
      std::memcpy(at(i), &bits, width());
    }
  }
  column(std::size_t n, zcmoe_dtype dtype, std::int64_t stride) : dtype_(dtype), stride_(stride) {
    const std::size_t steps = n == 0 ? 0 : (n - 1) * static_cast<std::size_t>(std::abs(stride)) + 1;
    memory_.reset(new std::uint64_t[(steps * width() + 7) / 8 + 1]());
    first_ = reinterpret_cast<char*>(memory_.get());
    if (stride < 0 && n > 0) first_ += (steps - 1) * width();
  }
  zcmoe_array array() const { return {first_, dtype_, stride_}; }
  zcmoe_output output() { return {first_, dtype_, stride_}; }
  template <class T>
  T get(std::size_t i) const {
    T value;
    std::memcpy(&value, at(i), sizeof value);
    return value;
  }
  double real(std::size_t i) const {
    return dtype_ == ZCMOE_F32 ? static_cast<double>(get<float>(i)) : get<double>(i);
  }
  std::int64_t integer(std::size_t i) const {
    return dtype_ == ZCMOE_I32 ? get<std::int32_t>(i) : get<std::int64_t>(i);
  }

 private:
  std::size_t width() const { return static_cast<std::size_t>(size_of(dtype_)); }
  char* at(std::size_t i) const {
    return first_ + static_cast<std::int64_t>(i) * stride_ * size_of(dtype_);
  }
  zcmoe_dtype dtype_;
  std::int64_t stride_;
  std::unique_ptr<std::uint64_t[]> memory_;
  char* first_ = nullptr;
};

constexpr zcmoe_array none = {nullptr, 0, 1};
constexpr std::int64_t input_strides[] = {1, 1, 2, 3, -1, -2, 0};
constexpr std::int64_t output_strides[] = {1, 1, 2, -1, -3};

// ------------------------------------------------------------------ shadow

struct policies {
  int side = 0, outer = 1, nan = 0, range = 0, empty = 0;
  int constants = ZCMOE_CONSTANTS_MEAN;  // of fits alone: known constants are not smooth
  int experts = ZCMOE_EXPERTS_CONSTANT;
  int weights_kind = ZCMOE_WEIGHTS_SAMPLING;
  bool operator==(const policies& o) const {
    return side == o.side && outer == o.outer && nan == o.nan && range == o.range &&
           empty == o.empty && constants == o.constants && experts == o.experts &&
           weights_kind == o.weights_kind;
  }
  zcmoe_model_options options() const {
    zcmoe_model_options made = ZCMOE_MODEL_OPTIONS_INIT;
    made.closed_side = side;
    made.include_outer_edge = outer;
    made.nan_policy = nan;
    made.range_policy = range;
    made.empty_policy = empty;
    made.constants = constants;
    made.experts = experts;
    made.weights_kind = weights_kind;
    made.nan_value = -77.0;
    made.range_value = 88.5;
    made.empty_value = 99.25;
    return made;
  }
};

policies draw_policies(decisions& next) {
  policies p;
  p.side = next.below(2);
  p.outer = next.below(2);
  p.nan = next.below(3);
  p.range = next.below(4);
  p.empty = next.below(5);
  return p;
}

std::vector<double> draw_edges(decisions& next) {
  std::vector<double> edges{(next.below(64) - 40) / 8.0};
  for (int m = 1 + next.below(9); m > 0; --m) {
    edges.push_back(edges.back() + (1 + next.below(24)) / 8.0);
  }
  return edges;
}

bool is_below(const std::vector<double>& edges, const policies& p, double x) {
  return x < edges.front() || (x == edges.front() && p.side == 1 && p.outer == 0);
}
bool is_above(const std::vector<double>& edges, const policies& p, double x) {
  return x > edges.back() || (x == edges.back() && p.side == 0 && p.outer == 0);
}

/// Slot of x, -1 for none, by a scan over the edges.
int slot_of(const std::vector<double>& edges, const policies& p, double x) {
  const int m = static_cast<int>(edges.size()) - 1;
  if (std::isnan(x)) return p.nan == ZCMOE_NAN_SEGMENT ? m : -1;
  const bool below = is_below(edges, p, x);
  if (below || is_above(edges, p, x)) {
    if (p.range == ZCMOE_RANGE_CLAMP) return below ? 0 : m - 1;
    return p.range == ZCMOE_RANGE_SEGMENTS ? m + (below ? 1 : 2) : -1;
  }
  int segment = 0;
  for (int k = 1; k < m; ++k) {
    const double edge = edges[static_cast<std::size_t>(k)];
    if (p.side == 0 ? edge <= x : edge < x) segment = k;
  }
  return segment;
}

/// Inputs are counted in eighths, which they all are multiples of, and where they are clamped to.
struct slot_sums {
  std::int64_t count = 0, w = 0, ww = 0, wy = 0, wyy = 0;
  std::int64_t wx = 0, wxx = 0, wxy = 0;
  std::int64_t least_x = std::numeric_limits<std::int64_t>::max();
  std::int64_t greatest_x = std::numeric_limits<std::int64_t>::min();

  void add(const slot_sums& o) {
    count += o.count;
    w += o.w;
    ww += o.ww;
    wy += o.wy;
    wyy += o.wyy;
    wx += o.wx;
    wxx += o.wxx;
    wxy += o.wxy;
    least_x = std::min(least_x, o.least_x);
    greatest_x = std::max(greatest_x, o.greatest_x);
  }
};

struct shadow_fit {
  zcmoe_fit* handle = nullptr;
  std::vector<double> edges;
  policies model;
  zcmoe_dtype target_dtype = ZCMOE_F64;
  int weighted = 0, nan_error = 0, target_error = 0;
  std::vector<slot_sums> sums;
  zcmoe_report report{};
};

struct shadow_model {
  zcmoe_model* handle = nullptr;
  std::vector<double> edges;
  policies model;
};

struct rows {
  std::vector<double> x, y, w;
};

double draw_input(decisions& next, zcmoe_dtype dtype) {
  const int drawn = next.byte();
  if (is_float(dtype)) {
    if (drawn == 255) return not_a_number;
    if (drawn == 254) return infinity;
    if (drawn == 253) return -infinity;
    return (drawn - 126) / 8.0;
  }
  return is_unsigned(dtype) ? drawn % 32 : drawn % 32 - 16;
}

/// Integers in -100..100, seldom something that is none.
double draw_target(decisions& next) {
  const int drawn = next.byte();
  if (drawn == 255) return not_a_number;
  if (drawn == 254) return infinity;
  return drawn % 201 - 100;
}

double draw_weight(decisions& next) {
  const int drawn = next.byte();
  return drawn == 255 ? -1.0 : drawn == 254 ? not_a_number : drawn % 8;
}

/// With stride 0 every row is the first one.
void spread_first(std::vector<double>& values, std::int64_t stride) {
  if (stride == 0) std::fill(values.begin(), values.end(), values.empty() ? 0.0 : values[0]);
}

/// What the rows do to a fit; false: the call must be refused with ZCMOE_ERR_DATA and change
/// nothing.
bool add_rows(shadow_fit& fit, const rows& given) {
  shadow_fit after = fit;
  for (std::size_t i = 0; i < given.x.size(); ++i) {
    const double x = given.x[i];
    const double y = given.y[i];
    const double w = fit.weighted != 0 ? given.w[i] : 1.0;
    zcmoe_report& report = after.report;
    ++report.rows;
    if (!(w >= 0 && w < infinity)) return false;
    if (w == 0) {
      ++report.zero_weights;
      continue;
    }
    const int slot = slot_of(fit.edges, fit.model, x);
    if (std::isnan(x)) {
      ++report.nan_inputs;
      if (slot < 0 && fit.nan_error != 0) return false;
    } else {
      report.below_range += is_below(fit.edges, fit.model, x) ? 1 : 0;
      report.above_range += is_above(fit.edges, fit.model, x) ? 1 : 0;
    }
    if (!std::isfinite(y)) {
      ++(std::isnan(y) ? report.nan_targets : report.infinite_targets);
      if (fit.target_error != 0) return false;
      continue;
    }
    if (slot < 0) continue;
    ++report.rows_used;
    const auto weight = static_cast<std::int64_t>(w);
    const auto target = static_cast<std::int64_t>(y);
    const bool inside = static_cast<std::size_t>(slot) + 1 < fit.edges.size();
    const double place = inside ? std::clamp(x, fit.edges.front(), fit.edges.back()) : 0.0;
    const auto eighths = static_cast<std::int64_t>(8 * place);
    after.sums[static_cast<std::size_t>(slot)].add(
        {1, weight, weight * weight, weight * target, weight * target * target, weight * eighths,
         weight * eighths * eighths, weight * eighths * target, eighths, eighths});
  }
  fit = after;
  return true;
}

void check_report(const shadow_fit& fit) {
  zcmoe_report found{};
  expect_ok(zcmoe_fit_get_report(fit.handle, &found, nullptr), "the report of a fit");
  const zcmoe_report& wanted = fit.report;
  expect(found.rows == wanted.rows && found.rows_used == wanted.rows_used &&
             found.nan_inputs == wanted.nan_inputs && found.below_range == wanted.below_range &&
             found.above_range == wanted.above_range && found.nan_targets == wanted.nan_targets &&
             found.infinite_targets == wanted.infinite_targets &&
             found.zero_weights == wanted.zero_weights && found.bad_weights == 0,
         "a report that is not the shadow's");
}

bool is_near(double found, long double wanted, long double relative) {
  return std::abs(static_cast<long double>(found) - wanted) <=
         relative * std::abs(wanted) + std::numeric_limits<double>::denorm_min();
}

zcmoe_model_info info_of(const zcmoe_model* model) {
  zcmoe_model_info info{};
  info.struct_size = sizeof info;
  expect_ok(zcmoe_model_get_info(model, &info), "the info of a model");
  return info;
}

/// Smooth constants of segments with rows are finite and within the means. NaN and inputs outside
/// the range keep means.
void check_smooth(const shadow_fit& fit, const zcmoe_model_info& info) {
  double lowest = infinity;
  double highest = -infinity;
  std::int64_t num_rows = 0;
  const auto m = fit.sums.size() - 3;
  for (std::size_t i = 0; i < m; ++i) {
    if (fit.sums[i].count == 0) continue;
    lowest = std::min(lowest, info.means[i]);
    highest = std::max(highest, info.means[i]);
    num_rows += fit.sums[i].count;
  }
  for (std::size_t i = 0; i < fit.sums.size(); ++i) {
    if (fit.sums[i].count == 0) {
      expect(std::isnan(info.means[i]), "the mean of no sample");
      expect(std::isnan(info.standard_errors[i]), "the standard error of no sample");
    } else if (i >= m) {
      expect(info.constants[i] == info.means[i], "a smooth constant without neighbours");
    } else {
      expect(info.constants[i] >= lowest && info.constants[i] <= highest,
             "a smooth constant beyond the means");
      const double error = info.standard_errors[i];
      expect(num_rows < 2 ? std::isnan(error) : error >= 0 && error < infinity,
             "the standard error of a smooth constant");
    }
  }
}

bool is_level_at(const zcmoe_line& line, double value) {
  return line.from == 0 && line.to == 0 && line.slope == 0 && same(line.value, value);
}

bool is_about(double found, long double wanted, long double scale) {
  return std::abs(static_cast<long double>(found) - wanted) <= 1e-11L * scale;
}

/// Lines of their own: least squares in integers, or none.
void check_linear(const slot_sums& s, bool precise, const zcmoe_model_info& info, std::size_t i) {
  const zcmoe_line& line = info.lines[i];
  const std::int64_t of_x = s.w * s.wxx - s.wx * s.wx;
  const std::int64_t of_both = s.w * s.wxy - s.wx * s.wy;
  const bool has_line = s.count >= 3 && (precise || s.w * s.w > 2 * s.ww) && of_both != 0;
  if (!has_line) return expect(is_level_at(line, info.constants[i]), "a line of too few rows");
  expect(line.from == static_cast<double>(s.least_x) / 8 &&
             line.to == static_cast<double>(s.greatest_x) / 8,
         "the ends of a line");
  const long double slope = static_cast<long double>(of_both) / of_x;  // per eighth
  const long double mean = static_cast<long double>(s.wy) / s.w;
  const long double mean_x = static_cast<long double>(s.wx) / s.w;
  expect(is_about(line.slope, 8 * slope, 8 * std::abs(slope)), "the slope of a line");
  expect(is_about(line.value, mean + slope * (s.least_x - mean_x), 100 + 500 * std::abs(slope)),
         "the beginning of a line");
  const long double of_y =
      static_cast<long double>(s.w) * s.wyy - static_cast<long double>(s.wy) * s.wy;
  const long double residual = (of_y - slope * of_both) / s.w / s.w;
  const long double rows = static_cast<long double>(s.w) * s.w / s.ww;
  const auto count = static_cast<long double>(s.count);
  const long double more = precise ? s.w / (count - 2) : rows / (rows - 2);
  expect(is_about(info.variances[i], residual * more, 1e4L * more), "the variance about a line");
}

/// The weighted squares of a segment's targets about a line.
long double squares_about(const slot_sums& s, const zcmoe_line& line) {
  const long double slope = static_cast<long double>(line.slope) / 8;  // per eighth
  const long double at_0 = line.value - static_cast<long double>(line.slope) * line.from;
  return s.wyy - 2 * at_0 * s.wy - 2 * slope * s.wxy + at_0 * at_0 * s.w + 2 * at_0 * slope * s.wx +
         slope * slope * s.wxx;
}

/// Lines that share values at the edges are one continuous line, which is nearer to the rows than
/// any straight one is.
void check_interpolating(const shadow_fit& fit, const zcmoe_model_info& info) {
  const std::size_t m = fit.edges.size() - 1;
  slot_sums all;
  for (std::size_t i = 0; i < m; ++i) all.add(fit.sums[i]);
  const bool told = fit.model.empty == ZCMOE_EMPTY_NAN || fit.model.empty == ZCMOE_EMPTY_VALUE;
  const auto is_shared = [&](std::size_t i) {
    return all.count > 0 && !(told && fit.sums[i].count == 0);
  };
  long double squares = 0;
  long double largest = 100;
  for (std::size_t i = 0; i < m; ++i) {
    const zcmoe_line& line = info.lines[i];
    if (!is_shared(i)) {
      expect(is_level_at(line, info.constants[i]), "a line of no rows");
      continue;
    }
    const double last = value_of(line, fit.edges[i + 1]);
    expect(line.from == fit.edges[i] && line.to == fit.edges[i + 1], "the ends of a shared line");
    expect(std::isfinite(line.value) && std::isfinite(last), "a value that is shared");
    expect(info.constants[i] >= std::min(line.value, last) - 1e-6 &&
               info.constants[i] <= std::max(line.value, last) + 1e-6,
           "a constant that is not on its line");
    largest = std::max({largest, std::abs(static_cast<long double>(line.value)),
                        std::abs(static_cast<long double>(last))});
    if (i + 1 < m && is_shared(i + 1))
      expect(is_about(info.lines[i + 1].value, last, largest), "lines that do not meet");
    if (fit.sums[i].count > 0) squares += squares_about(fit.sums[i], line);
  }
  if (all.count == 0) return;
  const auto w = static_cast<long double>(all.w);
  const long double of_x = w * all.wxx - static_cast<long double>(all.wx) * all.wx;
  const long double of_both = w * all.wxy - static_cast<long double>(all.wx) * all.wy;
  const long double of_y = w * all.wyy - static_cast<long double>(all.wy) * all.wy;
  const long double slope = of_x > 0 ? of_both / of_x : 0;
  largest += 8 * std::abs(slope) * (fit.edges.back() - fit.edges.front());
  expect(squares <= (of_y - slope * of_both) / w + 1e-9L * w * largest * largest,
         "lines worse than one line");
}

/// The finished model against the sums: counts, weights, means, variances, empty segments.
void check_model(const shadow_fit& fit, const zcmoe_model* model) {
  const zcmoe_model_info info = info_of(model);
  const bool smooth = fit.model.constants == ZCMOE_CONSTANTS_SMOOTH;
  expect((info.means != nullptr) == smooth, "the means of a model");
  if (smooth) check_smooth(fit, info);
  const bool shares = fit.model.experts == ZCMOE_EXPERTS_INTERPOLATE;
  expect((info.lines != nullptr) == (fit.model.experts != ZCMOE_EXPERTS_CONSTANT),
         "the lines of a model");
  if (shares) check_interpolating(fit, info);
  const double* const means = smooth ? info.means : info.constants;
  expect(info.num_slots == static_cast<std::int64_t>(fit.sums.size()), "a model of another size");
  slot_sums all;
  for (const slot_sums& s : fit.sums) {
    all.add(s);
  }
  expect(info.num_rows == all.count, "num_rows");
  for (std::size_t i = 0; i < fit.sums.size(); ++i) {
    const slot_sums& s = fit.sums[i];
    const bool inside = i + 3 < fit.sums.size();
    expect(info.counts[i] == s.count, "counts");
    expect(info.weights[i] == static_cast<double>(s.w), "weights");
    if (info.lines != nullptr && !inside)
      expect(is_level_at(info.lines[i], info.constants[i]), "a line beside the segments");
    if (s.count == 0) {
      expect(std::isnan(info.variances[i]), "the variance of no sample");
      if (!inside) continue;
      if (fit.model.experts == ZCMOE_EXPERTS_LINEAR)
        expect(is_level_at(info.lines[i], info.constants[i]), "a line of no rows");
      const double answer = info.constants[i];
      if (fit.model.empty == ZCMOE_EMPTY_NAN) expect(std::isnan(answer), "EMPTY_NAN");
      if (fit.model.empty == ZCMOE_EMPTY_VALUE) expect(answer == 99.25, "EMPTY_VALUE");
      if (fit.model.empty == ZCMOE_EMPTY_GLOBAL_MEAN && all.count > 0 && !shares) {
        // Combined from the means of slots, none above 100: the error is relative to them.
        const long double mean = static_cast<long double>(all.wy) / all.w;
        expect(std::abs(answer - mean) <= 1e-13L, "GLOBAL_MEAN");
      }
      continue;
    }
    if (s.count < 2) expect(std::isnan(info.variances[i]), "the variance of one sample");
    if (shares && inside) {
      expect(s.count < 2 || info.variances[i] >= 0, "a variance about shared lines");
      continue;
    }
    const long double mean = static_cast<long double>(s.wy) / s.w;
    expect(is_near(means[i], mean, 0x1.1p-53L), "a mean");
    const bool has_line = info.lines != nullptr && inside;
    const bool precise = fit.weighted != 0 && fit.model.weights_kind == ZCMOE_WEIGHTS_PRECISION;
    if (has_line) check_linear(s, precise, info, i);
    if (s.count < 2 || (has_line && info.lines[i].slope != 0)) continue;
    const long double total = s.w;
    const long double spread = static_cast<long double>(s.wyy) - total * mean * mean;
    const long double freedom =
        precise ? static_cast<long double>(s.count - 1) : total - s.ww / total;
    const long double variance = spread / freedom;
    const long double rounding = 1e-16L * s.wyy / freedom;
    expect(std::abs(info.variances[i] - variance) <= 1e-14L * std::abs(variance) + rounding,
           "a variance");
    if (smooth || has_line) continue;
    const long double rows = precise ? total : total * total / s.ww;
    expect(is_near(info.standard_errors[i], std::sqrt(info.variances[i] / rows), 0x1p-50L),
           "a standard error");
  }
}

// ------------------------------------------------------------------- calls

class session {
 public:
  session() { replace_context(0, 1); }
  ~session() {
    for (zcmoe_context* context : contexts_) zcmoe_context_destroy(context);
    for (shadow_model& model : models_) zcmoe_model_destroy(model.handle);
    for (shadow_fit& fit : fits_) zcmoe_fit_destroy(fit.handle);
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// A fit and a model to begin with.
  void begin(decisions& next) {
    create_fit(next);
    create_model(next);
  }

  void call(decisions& next) {
    const int drawn = next.byte();
    const bool with_lines = drawn / 14 % 2 == 1;
    switch (drawn % 14) {
      case 0: return create_fit(next);
      case 1:
      case 2:
      case 3: return add(next);
      case 4: return merge(next);
      case 5: return finish(next);
      case 6: return copy_state(next);
      case 7:
      case 8: return predict(next);
      case 9: return group(next);
      case 10: return with_lines ? interpolate(next) : save_and_load(next);
      case 11: return with_lines ? create_lines(next) : create_model(next);
      case 12: return misuse(next);
      default: return destroy(next);
    }
  }

 private:
  // Handles may be destroyed in any order: what a context made outlives it.
  void replace_context(std::size_t place, int num_threads) {
    expect_ok(zcmoe_context_destroy(contexts_[place]), "destroying a context");
    zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
    options.engine = ZCMOE_ENGINE_CPU;
    options.num_threads = num_threads;
    contexts_[place] = nullptr;
    expect_ok(zcmoe_context_create(&options, &contexts_[place]), "creating a context");
  }
  zcmoe_context* context(decisions& next) {
    zcmoe_context* const drawn = contexts_[static_cast<std::size_t>(next.below(2))];
    return drawn != nullptr ? drawn : contexts_[0];
  }
  /// The one drawn, or the first where there is none.
  template <class Shadow>
  static Shadow& used(std::array<Shadow, 4>& all, decisions& next) {
    Shadow& drawn = all[static_cast<std::size_t>(next.below(4))];
    return drawn.handle != nullptr ? drawn : all[0];
  }
  shadow_fit& used_fit(decisions& next) { return used(fits_, next); }
  shadow_model& used_model(decisions& next) { return used(models_, next); }
  shadow_fit& any_fit(decisions& next) { return fits_[static_cast<std::size_t>(next.below(4))]; }
  shadow_model& any_model(decisions& next) {
    return models_[static_cast<std::size_t>(next.below(4))];
  }
  void take(shadow_model& place, zcmoe_model* handle, const std::vector<double>& edges,
            const policies& model) {
    zcmoe_model_destroy(place.handle);
    place = {handle, edges, model};
  }

  void create_fit(decisions& next) {
    shadow_fit& place = any_fit(next);
    shadow_fit made;
    const int kind = next.byte();
    made.edges = draw_edges(next);
    made.model = draw_policies(next);
    made.weighted = kind & 1;
    made.target_dtype = (kind & 2) != 0 ? ZCMOE_F32 : ZCMOE_F64;
    made.nan_error = (kind & 12) == 12 ? 1 : 0;
    made.target_error = (kind & 48) == 48 ? 1 : 0;
    made.model.weights_kind = (kind & 48) == 16 ? ZCMOE_WEIGHTS_PRECISION : ZCMOE_WEIGHTS_SAMPLING;
    if ((kind & 12) == 4) made.model.experts = ZCMOE_EXPERTS_LINEAR;
    if ((kind & 12) == 8) made.model.experts = ZCMOE_EXPERTS_INTERPOLATE;
    if ((kind & 128) != 0 && made.model.experts == ZCMOE_EXPERTS_CONSTANT)
      made.model.constants = ZCMOE_CONSTANTS_SMOOTH;
    made.sums.resize(made.edges.size() + 2);
    zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
    options.target_dtype = made.target_dtype;
    options.weighted = made.weighted;
    options.nan_inputs = made.nan_error;
    options.nonfinite_targets = made.target_error;
    const zcmoe_model_options model = made.model.options();
    // Often the twin of another fit, so that there is something to merge.
    const shadow_fit& twin = used_fit(next);
    if (twin.handle != nullptr && (kind & 64) != 0) return clone_empty(place, twin, next);
    expect_ok(zcmoe_fit_create(context(next), made.edges.data(),
                               static_cast<std::int64_t>(made.edges.size()) - 1, &model, &options,
                               &made.handle),
              "creating a fit");
    zcmoe_fit_destroy(place.handle);
    place = std::move(made);
    check_report(place);
  }

  void clone_empty(shadow_fit& place, const shadow_fit& twin, decisions& next) {
    shadow_fit made = twin;
    made.handle = nullptr;
    made.report = {};
    std::fill(made.sums.begin(), made.sums.end(), slot_sums{});
    zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
    options.target_dtype = made.target_dtype;
    options.weighted = made.weighted;
    options.nan_inputs = made.nan_error;
    options.nonfinite_targets = made.target_error;
    const zcmoe_model_options model = made.model.options();
    expect_ok(zcmoe_fit_create(context(next), made.edges.data(),
                               static_cast<std::int64_t>(made.edges.size()) - 1, &model, &options,
                               &made.handle),
              "creating a twin");
    zcmoe_fit_destroy(place.handle);
    place = std::move(made);
  }

  void add(decisions& next) {
    shadow_fit& fit = used_fit(next);
    if (fit.handle == nullptr) return;
    const auto x_dtype = static_cast<zcmoe_dtype>(1 + next.below(10));
    const zcmoe_dtype target_dtypes[] = {ZCMOE_F32, ZCMOE_F16, ZCMOE_BF16, ZCMOE_F64};
    const int kinds = fit.target_dtype == ZCMOE_F64 ? 4 : 3;
    const zcmoe_dtype y_dtype = target_dtypes[next.below(kinds)];
    const zcmoe_dtype w_dtype = target_dtypes[next.below(kinds)];
    const std::int64_t x_stride = input_strides[next.below(7)];
    const std::int64_t y_stride = input_strides[next.below(7)];
    const std::int64_t w_stride = input_strides[next.below(7)];
    const auto n = static_cast<std::size_t>(next.below(48));
    rows given;
    for (std::size_t i = 0; i < n; ++i) {
      given.x.push_back(draw_input(next, x_dtype));
      given.y.push_back(draw_target(next));
      if (fit.weighted != 0) given.w.push_back(draw_weight(next));
    }
    spread_first(given.x, x_stride);
    spread_first(given.y, y_stride);
    spread_first(given.w, w_stride);
    const column x(given.x, x_dtype, x_stride);
    const column y(given.y, y_dtype, y_stride);
    const column w(given.w, w_dtype, w_stride);
    const zcmoe_array weights = fit.weighted != 0 ? w.array() : none;
    const auto count = static_cast<std::int64_t>(n);
    const zcmoe_status status =
        n % 2 == 0
            ? zcmoe_fit_add(fit.handle, x.array(), y.array(), weights, count, nullptr, 0, nullptr)
            : zcmoe_fit_add_sync(fit.handle, x.array(), y.array(), weights, count, nullptr);
    if (add_rows(fit, given)) {
      expect_ok(status, "adding rows");
    } else {
      expect_refused(status, ZCMOE_ERR_DATA, "zcmoe_fit_add");
    }
    check_report(fit);
  }

  void merge(decisions& next) {
    shadow_fit& fit = used_fit(next);
    const shadow_fit& source = used_fit(next);
    if (fit.handle == nullptr || source.handle == nullptr) return;
    if (fit.report.rows > (std::int64_t{1} << 30) || source.report.rows > (std::int64_t{1} << 30)) {
      return;  // the shadow's integers would overflow
    }
    const zcmoe_status status = zcmoe_fit_merge(fit.handle, source.handle, nullptr);
    const bool fits_together =
        fit.edges == source.edges && fit.model == source.model &&
        fit.target_dtype == source.target_dtype && fit.weighted == source.weighted &&
        fit.nan_error == source.nan_error && fit.target_error == source.target_error;
    if (!fits_together) {
      expect_refused(status, ZCMOE_ERR_INCOMPATIBLE, "zcmoe_fit_merge");
    } else {
      expect_ok(status, "merging");
      const shadow_fit added = source;
      for (std::size_t i = 0; i < fit.sums.size(); ++i) fit.sums[i].add(added.sums[i]);
      fit.report.rows += added.report.rows;
      fit.report.rows_used += added.report.rows_used;
      fit.report.nan_inputs += added.report.nan_inputs;
      fit.report.below_range += added.report.below_range;
      fit.report.above_range += added.report.above_range;
      fit.report.nan_targets += added.report.nan_targets;
      fit.report.infinite_targets += added.report.infinite_targets;
      fit.report.zero_weights += added.report.zero_weights;
    }
    check_report(fit);
    check_report(source);
  }

  void finish(decisions& next) {
    const shadow_fit& fit = used_fit(next);
    shadow_model& place = any_model(next);
    if (fit.handle == nullptr) return;
    zcmoe_model* made = nullptr;
    expect_ok(zcmoe_fit_finish(fit.handle, &made, nullptr), "finishing a fit");
    check_model(fit, made);
    take(place, made, fit.edges, fit.model);
    check_report(fit);
  }

  void copy_state(decisions& next) {
    const shadow_fit& fit = used_fit(next);
    shadow_fit& place = any_fit(next);
    if (fit.handle == nullptr) return;
    const std::string bytes = bytes_of(fit.handle);
    std::string room(bytes.size(), '\0');
    std::size_t size = 0;
    expect_refused(zcmoe_fit_serialize(fit.handle, &room[0], bytes.size() - 1, &size, nullptr),
                   ZCMOE_ERR_WORKSPACE, "zcmoe_fit_serialize");
    expect(size == bytes.size(), "the size of a state");
    shadow_fit copy = fit;
    copy.handle = nullptr;
    if (next.one_in(4)) {  // a changed byte is always found
      std::string damaged = bytes;
      char& byte = damaged[static_cast<std::size_t>(next.byte()) * 7 % damaged.size()];
      byte = static_cast<char>(byte ^ (1 + next.below(255)));
      const zcmoe_status status =
          zcmoe_fit_deserialize(context(next), damaged.data(), damaged.size(), &copy.handle);
      expect(
          status == ZCMOE_ERR_FORMAT || status == ZCMOE_ERR_CHECKSUM || status == ZCMOE_ERR_VERSION,
          "a damaged state");
      return expect(copy.handle == nullptr, "a handle from a damaged state");
    }
    expect_ok(zcmoe_fit_deserialize(context(next), bytes.data(), bytes.size(), &copy.handle),
              "reading a state");
    expect(bytes_of(copy.handle) == bytes, "a state changes when written and read");
    zcmoe_fit_destroy(place.handle);
    place = std::move(copy);
    check_report(place);
  }

  void create_model(decisions& next) {
    shadow_model& place = any_model(next);
    const std::vector<double> edges = draw_edges(next);
    const policies model = draw_policies(next);
    std::vector<double> constants(edges.size() - 1);
    for (double& constant : constants) constant = next.below(250) == 0 ? not_a_number : next.byte();
    const zcmoe_model_options options = model.options();
    zcmoe_model* made = nullptr;
    expect_ok(zcmoe_model_create(context(next), edges.data(), constants.data(),
                                 static_cast<std::int64_t>(constants.size()), &options, &made),
              "creating a model");
    const zcmoe_model_info info = info_of(made);
    for (std::size_t i = 0; i < constants.size(); ++i) {
      expect(same(info.constants[i], constants[i]), "a constant given");
    }
    take(place, made, edges, model);
  }

  void create_lines(decisions& next) {
    shadow_model& place = any_model(next);
    const std::vector<double> edges = draw_edges(next);
    policies model = draw_policies(next);
    model.experts = 1 + next.below(2);
    std::vector<zcmoe_line> lines(edges.size() - 1);
    for (zcmoe_line& line : lines) {
      line.from = (next.byte() - 126) / 8.0;
      line.to = line.from + next.below(64) / 8.0;
      line.value = next.below(250) == 0 ? not_a_number : next.byte() - 128;
      line.slope = (next.byte() - 128) / 16.0;
    }
    const zcmoe_model_options options = model.options();
    zcmoe_model* made = nullptr;
    expect_ok(zcmoe_model_create_lines(context(next), edges.data(), lines.data(),
                                       static_cast<std::int64_t>(lines.size()), &options, &made),
              "creating a model of lines");
    const zcmoe_model_info info = info_of(made);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      expect(is_same_line(info.lines[i], lines[i]), "a line given");
      expect(same(info.constants[i], value_of(lines[i], (edges[i] + edges[i + 1]) / 2)),
             "the constant of a line");
    }
    take(place, made, edges, model);
  }

  static bool is_same_line(const zcmoe_line& a, const zcmoe_line& b) {
    return a.from == b.from && a.to == b.to && same(a.value, b.value) && a.slope == b.slope;
  }

  void interpolate(decisions& next) {
    const shadow_model& model = used_model(next);
    shadow_model& place = any_model(next);
    if (model.handle == nullptr) return;
    zcmoe_model* made = nullptr;
    const zcmoe_status status = zcmoe_model_interpolate(model.handle, &made);
    if (model.model.experts != ZCMOE_EXPERTS_CONSTANT) {
      expect_refused(status, ZCMOE_ERR_INVALID_ARGUMENT, "zcmoe_model_interpolate");
      return expect(made == nullptr, "a handle from a refused call");
    }
    expect_ok(status, "interpolating");
    const zcmoe_model_info from = info_of(model.handle);
    const zcmoe_model_info info = info_of(made);
    const std::size_t m = model.edges.size() - 1;
    const std::vector<double> edges(info.edges, info.edges + info.num_segments + 1);
    expect(edges.size() == std::max<std::size_t>(m, 2), "the segments of an interpolating model");
    expect(edges.front() == model.edges.front() && edges.back() == model.edges.back(),
           "the range of an interpolating model");
    for (std::size_t i = 0; i < m; ++i) {
      // A centre begins a line, or is within the outermost ones.
      const double centre = (model.edges[i] + model.edges[i + 1]) / 2;
      const std::size_t segment = i == 0 ? 0 : std::min(i, edges.size() - 2);
      const double found = value_of(info.lines[segment], centre);
      if (std::isnan(found)) continue;  // a neighbour is NaN
      expect(is_about(found, from.constants[i], 1000), "a value at a centre");
    }
    policies kept = model.model;
    kept.constants = ZCMOE_CONSTANTS_MEAN;
    kept.experts = ZCMOE_EXPERTS_INTERPOLATE;
    take(place, made, edges, kept);
  }

  void predict(decisions& next) {
    const shadow_model& model = used_model(next);
    if (model.handle == nullptr) return;
    const auto x_dtype = static_cast<zcmoe_dtype>(1 + next.below(10));
    const std::int64_t x_stride = input_strides[next.below(7)];
    const std::int64_t stride = output_strides[next.below(5)];
    const int kind = next.byte();
    const auto n = static_cast<std::size_t>(next.below(80));
    std::vector<double> inputs;
    for (std::size_t i = 0; i < n; ++i) inputs.push_back(draw_input(next, x_dtype));
    spread_first(inputs, x_stride);
    const column x(inputs, x_dtype, x_stride);
    column values(n, (kind & 1) != 0 ? ZCMOE_F32 : ZCMOE_F64, stride);
    column segments(n, (kind & 2) != 0 ? ZCMOE_I32 : ZCMOE_I64, stride);
    column counts(n, ZCMOE_I64, 1);
    zcmoe_report report{};
    zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
    if ((kind & 12) != 12) outputs.values = values.output();
    if ((kind & 48) != 48) outputs.segments = segments.output();
    if ((kind & 64) != 0) outputs.counts = counts.output();
    if ((kind & 128) != 0) outputs.report = &report;
    const auto count = static_cast<std::int64_t>(n);
    expect_ok((kind & 4) != 0
                  ? zcmoe_predict(model.handle, x.array(), count, &outputs, nullptr)
                  : zcmoe_predict_sync(model.handle, x.array(), count, &outputs, nullptr),
              "predicting");
    const zcmoe_model_info info = info_of(model.handle);
    zcmoe_model_view tables = ZCMOE_MODEL_VIEW_INIT;
    expect_ok(zcmoe_model_get_view(model.handle, &tables), "the view of a model");
    model_view view{};
    static_cast<zcmoe_model_view&>(view) = tables;
    zcmoe_report wanted{};
    for (std::size_t i = 0; i < n; ++i) {
      const int slot = slot_of(model.edges, model.model, inputs[i]);
      ++wanted.rows;
      if (std::isnan(inputs[i])) {
        ++wanted.nan_inputs;
      } else {
        wanted.below_range += is_below(model.edges, model.model, inputs[i]) ? 1 : 0;
        wanted.above_range += is_above(model.edges, model.model, inputs[i]) ? 1 : 0;
      }
      double value = not_a_number;
      if (slot >= 0) {
        value =
            info.lines != nullptr ? value_of(info.lines[slot], inputs[i]) : info.constants[slot];
      } else if (std::isnan(inputs[i])) {
        if (model.model.nan == ZCMOE_NAN_VALUE) value = -77.0;
      } else if (model.model.range == ZCMOE_RANGE_VALUE) {
        value = 88.5;
      }
      expect(same(view.value_at(inputs[i]), value), "the view's answer");
      if ((kind & 1) != 0) value = static_cast<double>(static_cast<float>(value));
      if ((kind & 12) != 12) expect(same(values.real(i), value), "a predicted value");
      if ((kind & 48) != 48) expect(segments.integer(i) == slot, "a predicted segment");
      if ((kind & 64) != 0 && slot >= 0) {
        expect(counts.integer(i) == info.counts[slot], "a predicted count");
      }
    }
    if ((kind & 128) != 0 && n > 0) {
      expect(report.rows == wanted.rows && report.nan_inputs == wanted.nan_inputs &&
                 report.below_range == wanted.below_range &&
                 report.above_range == wanted.above_range,
             "the report of a prediction");
    }
  }

  void group(decisions& next) {
    const shadow_model& model = used_model(next);
    if (model.handle == nullptr) return;
    const auto x_dtype = static_cast<zcmoe_dtype>(1 + next.below(10));
    const std::int64_t x_stride = input_strides[next.below(7)];
    const auto n = static_cast<std::size_t>(next.below(64));
    std::vector<double> inputs;
    std::vector<double> carried;
    for (std::size_t i = 0; i < n; ++i) {
      inputs.push_back(draw_input(next, x_dtype));
      carried.push_back(static_cast<double>(i));
    }
    spread_first(inputs, x_stride);
    const std::size_t num_slots = model.edges.size() + 2;
    const column x(inputs, x_dtype, x_stride);
    const column from(carried, ZCMOE_F32, 1);
    column to(n, ZCMOE_F32, output_strides[next.below(5)]);
    column offsets(num_slots + 1, ZCMOE_I64, output_strides[next.below(5)]);
    column order(n, next.one_in(2) ? zcmoe_dtype{ZCMOE_I32} : zcmoe_dtype{ZCMOE_I64},
                 output_strides[next.below(5)]);
    const zcmoe_group_column columns[] = {{from.array(), to.output()}};
    zcmoe_group_outputs outputs = ZCMOE_GROUP_OUTPUTS_INIT;
    outputs.offsets = offsets.output();
    outputs.rows = order.output();
    outputs.num_columns = n == 0 ? 0 : 1;
    outputs.columns = columns;
    expect_ok(
        zcmoe_group_sync(model.handle, x.array(), static_cast<std::int64_t>(n), &outputs, nullptr),
        "grouping");
    // NaN, below and above have slots of their own here, whatever the policies say.
    policies apart = model.model;
    apart.nan = ZCMOE_NAN_SEGMENT;
    if (apart.range != ZCMOE_RANGE_CLAMP) apart.range = ZCMOE_RANGE_SEGMENTS;
    std::vector<int> slots(n);
    std::vector<std::size_t> wanted(n);
    for (std::size_t i = 0; i < n; ++i) slots[i] = slot_of(model.edges, apart, inputs[i]);
    std::iota(wanted.begin(), wanted.end(), std::size_t{0});
    std::stable_sort(wanted.begin(), wanted.end(),
                     [&](std::size_t a, std::size_t b) { return slots[a] < slots[b]; });
    for (std::size_t k = 0; k < n; ++k) {
      expect(order.integer(k) == static_cast<std::int64_t>(wanted[k]), "the order of a group");
      expect(to.real(k) == static_cast<double>(wanted[k]), "a column of a group");
    }
    for (std::size_t s = 0; s <= num_slots; ++s) {
      const auto before = std::count_if(slots.begin(), slots.end(),
                                        [&](int slot) { return slot < static_cast<int>(s); });
      expect(offsets.integer(s) == before, "an offset of a group");
    }
  }

  void save_and_load(decisions& next) {
    const shadow_model& model = used_model(next);
    shadow_model& place = any_model(next);
    if (model.handle == nullptr) return;
    static const std::string path = [] {
      const bool shm = ::access("/dev/shm", W_OK) == 0;
      const std::string folder = shm ? "/dev/shm" : std::filesystem::temp_directory_path().string();
      return folder + "/zcmoe-fuzz-calls-" + std::to_string(::getpid());
    }();
    expect_ok(zcmoe_model_save(model.handle, path.c_str()), "saving");
    zcmoe_model* made = nullptr;
    const zcmoe_status status = zcmoe_model_load(context(next), path.c_str(), &made);
    std::filesystem::remove(path);
    expect_ok(status, "loading what was saved");
    const zcmoe_model_info a = info_of(model.handle);
    const zcmoe_model_info b = info_of(made);
    expect(a.num_slots == b.num_slots && a.target_dtype == b.target_dtype &&
               a.options.constants == b.options.constants &&
               a.options.experts == b.options.experts &&
               a.options.weights_kind == b.options.weights_kind &&
               (a.means == nullptr) == (b.means == nullptr) &&
               (a.lines == nullptr) == (b.lines == nullptr),
           "a loaded model");
    for (std::int64_t i = 0; i < a.num_slots; ++i) {
      expect(same(a.constants[i], b.constants[i]) && a.counts[i] == b.counts[i] &&
                 same(a.variances[i], b.variances[i]) &&
                 same(a.standard_errors[i], b.standard_errors[i]) &&
                 (a.means == nullptr || same(a.means[i], b.means[i])) &&
                 (a.lines == nullptr || is_same_line(a.lines[i], b.lines[i])),
             "an array of a loaded model");
    }
    take(place, made, std::vector<double>(model.edges), policies(model.model));
  }

  /// Calls that are wrong in one argument.
  void misuse(decisions& next) {
    const shadow_fit& fit = used_fit(next);
    const shadow_model& model = used_model(next);
    alignas(64) const double zeros[8] = {};
    const zcmoe_array good = {zeros, ZCMOE_F32, 1};
    const zcmoe_status invalid = ZCMOE_ERR_INVALID_ARGUMENT;
    const int fault = next.below(12);
    const auto dtype = static_cast<zcmoe_dtype>(next.byte());
    if (fault < 6 && fit.handle != nullptr) {
      zcmoe_array x = good;
      zcmoe_array y = good;
      zcmoe_array w = fit.weighted != 0 ? good : none;
      std::int64_t n = 2;
      switch (fault) {
        case 0: x.data = reinterpret_cast<const char*>(zeros) + 1 + next.below(3); break;
        case 1: x.dtype = dtype >= 1 && dtype <= ZCMOE_U64 ? zcmoe_dtype{0} : dtype; break;
        case 2: y.dtype = dtype >= 1 && dtype <= 4 ? zcmoe_dtype{ZCMOE_I32} : dtype; break;
        case 3: n = -1 - next.byte(); break;
        case 4: w = fit.weighted != 0 ? none : good; break;
        default: y.data = nullptr; break;
      }
      expect_refused(zcmoe_fit_add_sync(fit.handle, x, y, w, n, nullptr), invalid,
                     "zcmoe_fit_add_sync");
      check_report(fit);
    } else if (fault < 10 && model.handle != nullptr) {
      alignas(64) double room[8] = {};
      zcmoe_array x = good;
      zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
      outputs.values = {room, ZCMOE_F64, 1};
      switch (fault) {
        case 6: outputs.values.stride = 0; break;
        case 7: outputs.values.data = reinterpret_cast<char*>(room) + 1 + next.below(7); break;
        case 8: outputs.values.dtype = dtype == ZCMOE_F32 || dtype == ZCMOE_F64 ? 3 : dtype; break;
        default: x = {reinterpret_cast<const char*>(room) + 4, ZCMOE_F32, 1}; break;  // overlap
      }
      expect_refused(zcmoe_predict_sync(model.handle, x, 2, &outputs, nullptr), invalid,
                     "zcmoe_predict_sync");
    } else {
      zcmoe_fit* none_made = nullptr;
      const double edges[] = {0.0, 1.0, fault == 10 ? 1.0 : not_a_number};
      expect_refused(zcmoe_fit_create(contexts_[0], edges, 2, nullptr, nullptr, &none_made),
                     invalid, "zcmoe_fit_create");
      expect(none_made == nullptr, "a handle from a refused call");
    }
  }

  void destroy(decisions& next) {
    switch (next.below(3)) {
      case 0: {
        shadow_fit& fit = any_fit(next);
        expect_ok(zcmoe_fit_destroy(fit.handle), "destroying a fit");
        fit = {};
        break;
      }
      case 1: take(any_model(next), nullptr, {}, {}); break;
      default: replace_context(static_cast<std::size_t>(next.below(2)), 1 + next.below(3)); break;
    }
  }

  std::array<zcmoe_context*, 2> contexts_{};
  std::array<shadow_fit, 4> fits_;
  std::array<shadow_model, 4> models_;
};

}  // namespace
}  // namespace zcmoe::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zcmoe::test;
  decisions next(data, size);
  session calls;
  calls.begin(next);
  for (int k = 0; k < 200 && !next.is_done(); ++k) calls.call(next);
  return 0;
}
