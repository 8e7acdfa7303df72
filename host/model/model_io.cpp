// Models and fit states as containers: policies become metadata, tables and exact sums become
// arrays. The files say "boundaries" for edges and "values" for constants. Every rule of
// docs/model-file.md is checked here or in a constructor before an object exists; safetensors.cpp
// checks the rules of the container itself.
#include "host/model/model_io.hpp"

#include "host/model/container.hpp"
#include "host/model/file.hpp"
#include "host/model/fit_state.hpp"
#include "host/model/lines.hpp"
#include "host/model/points_io.hpp"
#include "host/routing/slots.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

// ---------------------------------------------------- metadata: text forms

const choices closed_sides = {{ZCMOE_CLOSED_LEFT, "left"}, {ZCMOE_CLOSED_RIGHT, "right"}};
const choices yes_or_no = {{0, "false"}, {1, "true"}};
const choices nan_policies = {
    {ZCMOE_NAN_PROPAGATE, "propagate"}, {ZCMOE_NAN_SEGMENT, "segment"}, {ZCMOE_NAN_VALUE, "value"}};
const choices range_policies = {{ZCMOE_RANGE_CLAMP, "clamp"},
                                {ZCMOE_RANGE_NAN, "nan"},
                                {ZCMOE_RANGE_VALUE, "value"},
                                {ZCMOE_RANGE_SEGMENTS, "segments"}};
const choices empty_policies = {{ZCMOE_EMPTY_NEAREST, "nearest"},
                                {ZCMOE_EMPTY_NAN, "nan"},
                                {ZCMOE_EMPTY_GLOBAL_MEAN, "global_mean"},
                                {ZCMOE_EMPTY_VALUE, "value"},
                                {ZCMOE_EMPTY_PARENT, "parent"}};
const choices empty_segment_policies = {{ZCMOE_EMPTY_NAN, "nan"},
                                        {ZCMOE_EMPTY_GLOBAL_MEAN, "global_mean"},
                                        {ZCMOE_EMPTY_VALUE, "value"},
                                        {ZCMOE_EMPTY_KEEP, "keep"}};
const choices constants_kinds = {{ZCMOE_CONSTANTS_MEAN, "mean"},
                                 {ZCMOE_CONSTANTS_SMOOTH, "smooth"}};
const choices experts_kinds = {{ZCMOE_EXPERTS_CONSTANT, "constant"},
                               {ZCMOE_EXPERTS_LINEAR, "linear"},
                               {ZCMOE_EXPERTS_INTERPOLATE, "interpolate"}};
const choices weights_kinds = {{ZCMOE_WEIGHTS_SAMPLING, "sampling"},
                               {ZCMOE_WEIGHTS_PRECISION, "precision"}};
const choices row_policies = {{ZCMOE_ROWS_SKIP, "skip"}, {ZCMOE_ROWS_ERROR, "error"}};
const choices determinism_levels = {{ZCMOE_DETERMINISM_FAST, "fast"},
                                    {ZCMOE_DETERMINISM_RUN_TO_RUN, "run_to_run"},
                                    {ZCMOE_DETERMINISM_REPRODUCIBLE, "reproducible"}};
const choices target_dtypes = {{ZCMOE_F32, "F32"}, {ZCMOE_F64, "F64"}};
const choices model_target_dtypes = {{0, "none"}, {ZCMOE_F32, "F32"}, {ZCMOE_F64, "F64"}};

bool is_smooth(const model_policies& policies) {
  return policies.options.constants == ZCMOE_CONSTANTS_SMOOTH;
}

bool has_lines(const model_policies& policies) {
  return policies.options.experts != ZCMOE_EXPERTS_CONSTANT;
}

bool names_precisions(const model_policies& policies) {
  return policies.options.weights_kind != ZCMOE_WEIGHTS_SAMPLING;
}

void write_policies(const model_policies& policies, metadata_list& metadata) {
  const zcmoe_model_options& options = policies.options;
  metadata.emplace_back("closed_side", name_in(closed_sides, options.closed_side));
  metadata.emplace_back("include_outer_edge", name_in(yes_or_no, options.include_outer_edge));
  metadata.emplace_back("nan_policy", name_in(nan_policies, options.nan_policy));
  metadata.emplace_back("nan_value", text_of(options.nan_value));
  metadata.emplace_back("range_policy", name_in(range_policies, options.range_policy));
  metadata.emplace_back("range_value", text_of(options.range_value));
  metadata.emplace_back("empty_policy", name_in(empty_policies, options.empty_policy));
  metadata.emplace_back("empty_value", text_of(options.empty_value));
  metadata.emplace_back("shrinkage", text_of(options.shrinkage));
  if (is_smooth(policies))
    metadata.emplace_back("constants", name_in(constants_kinds, options.constants));
  if (has_lines(policies))
    metadata.emplace_back("experts", name_in(experts_kinds, options.experts));
  if (names_precisions(policies))
    metadata.emplace_back("weights_kind", name_in(weights_kinds, options.weights_kind));
  if (policies.has_feature_name) metadata.emplace_back("feature_name", policies.feature_name);
  if (policies.has_target_name) metadata.emplace_back("target_name", policies.target_name);
}

model_policies read_policies(metadata_reader& metadata) {
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.closed_side = metadata.get("closed_side", closed_sides);
  options.include_outer_edge = metadata.get("include_outer_edge", yes_or_no);
  options.nan_policy = metadata.get("nan_policy", nan_policies);
  options.nan_value = metadata.get_number("nan_value");
  options.range_policy = metadata.get("range_policy", range_policies);
  options.range_value = metadata.get_number("range_value");
  options.empty_policy = metadata.get("empty_policy", empty_policies);
  options.empty_value = metadata.get_number("empty_value");
  options.shrinkage = metadata.get_number("shrinkage");
  // Version 1.0 knew means alone, and files of means are written as it did.
  if (metadata.find("constants") != nullptr) {
    options.constants = metadata.get("constants", constants_kinds);
    if (options.constants == ZCMOE_CONSTANTS_MEAN)
      fail(ZCMOE_ERR_FORMAT, "metadata constants=mean is to be left out");
  }
  // Likewise for experts, up to version 1.1.
  if (metadata.find("experts") != nullptr) {
    options.experts = metadata.get("experts", experts_kinds);
    if (options.experts == ZCMOE_EXPERTS_CONSTANT)
      fail(ZCMOE_ERR_FORMAT, "metadata experts=constant is to be left out");
  }
  // And for kinds of weights, up to version 1.2.
  if (metadata.find("weights_kind") != nullptr) {
    options.weights_kind = metadata.get("weights_kind", weights_kinds);
    if (options.weights_kind == ZCMOE_WEIGHTS_SAMPLING)
      fail(ZCMOE_ERR_FORMAT, "metadata weights_kind=sampling is to be left out");
  }
  const std::string* const feature = metadata.find("feature_name");
  const std::string* const target = metadata.find("target_name");
  options.feature_name = feature == nullptr ? nullptr : feature->c_str();
  options.target_name = target == nullptr ? nullptr : target->c_str();
  return model_policies(options);
}

// ------------------------------------------------------- containers of ours

/// The first minor version that has all of what a file holds, so that earlier readers can read it.
int minor_of(const model_policies& policies) {
  return names_precisions(policies) ? 3 : has_lines(policies) ? 2 : is_smooth(policies) ? 1 : 0;
}

std::string format_version(const model_policies& policies) {
  return text(table_major, ".", minor_of(policies));
}

/// A container of a table of one input: a model or a fit state.
class opened_table : public opened_container {
 public:
  using opened_container::opened_container;

  /// The lines of all slots, one row of four numbers each.
  std::vector<zcmoe_line> read_lines(std::size_t slots) {
    const tensor_entry& entry = get("lines", "F64", 2);
    if (entry.shape[0] != slots || entry.shape[1] != 4) {
      fail(ZCMOE_ERR_FORMAT, "tensor lines has shape [", entry.shape[0], ", ", entry.shape[1],
           "], expected [", slots, ", 4]");
    }
    const std::vector<double> numbers = read<double>(entry);
    std::vector<zcmoe_line> lines(slots);
    for (std::size_t i = 0; i < slots; ++i) {
      const double* const own = numbers.data() + 4 * i;
      lines[i] = {own[0], own[1], own[2], own[3]};
    }
    return lines;
  }
  /// The edges, which must be finite and strictly increasing and at least two. This is the only
  /// array whose length is free: all others follow from it.
  std::vector<double> read_boundaries() {
    const tensor_entry& entry = get("boundaries", "F64", 1);
    const std::uint64_t count = entry.shape[0];
    constexpr auto limit = static_cast<std::uint64_t>(ZCMOE_MAX_SEGMENTS) + 1;
    if (count < 2 || count > limit) {
      fail(ZCMOE_ERR_FORMAT, "tensor boundaries has ", count, " entries, not 2..", limit);
    }
    std::vector<double> edges = read<double>(entry);
    for (std::size_t i = 0; i < edges.size(); ++i) {
      if (!std::isfinite(edges[i]))
        fail(ZCMOE_ERR_FORMAT, "boundaries[", i, "]=", edges[i], " is not finite");
      if (i > 0 && !(edges[i] > edges[i - 1])) {
        fail(ZCMOE_ERR_FORMAT, "boundaries[", i, "]=", edges[i], " is not greater than boundaries[",
             i - 1, "]=", edges[i - 1]);
      }
    }
    return edges;
  }

  /// Refuses a version of this library's that is not the one it would write.
  void check_version(const model_policies& policies) const {
    if (is_later() || minor() == minor_of(policies)) return;
    fail(ZCMOE_ERR_FORMAT, "metadata format_version=", table_major, ".", minor(),
         ", but what it holds is of version ", format_version(policies));
  }
};

// ------------------------------------------------------------------ models

void write_model(const model& model, const byte_sink& sink) {
  const model_data& data = model.data();
  metadata_list metadata = {
      {"format", model_format},
      {"format_version", format_version(model.policies())},
      {"library_version", zcmoe_version()},
      {"target_dtype", name_in(model_target_dtypes, static_cast<std::int32_t>(data.target_dtype))},
      {"weighted", name_in(yes_or_no, data.weighted ? 1 : 0)}};
  write_policies(model.policies(), metadata);
  const std::int64_t slots = num_slots_of(data.num_segments());
  std::vector<tensor_view> tensors = {
      {"boundaries", "F64", {data.num_segments() + 1}, data.edges.data()},
      {"values", "F64", {slots}, data.constants.data()},
      {"counts", "I64", {slots}, data.counts.data()},
      {"weights", "F64", {slots}, data.weights.data()},
      {"variance", "F64", {slots}, data.variances.data()},
      {"standard_error", "F64", {slots}, data.standard_errors.data()}};
  if (!data.means.empty()) tensors.push_back({"means", "F64", {slots}, data.means.data()});
  static_assert(sizeof(zcmoe_line) == 4 * sizeof(double), "a line is a row of the tensor");
  if (!data.lines.empty()) tensors.push_back({"lines", "F64", {slots, 4}, data.lines.data()});
  write_safetensors(metadata, tensors, sink);
}

bool is_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Checks that lines, if there are any, agree with the other arrays. Where there are no rows, the
/// constant is what the line gives; where there are some, it is what it gives at their mean input,
/// which the file does not say, and the line ends with the segment.
void check_lines(const model_data& data) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  for (std::size_t i = 0; i < data.lines.size(); ++i) {
    const zcmoe_line& line = data.lines[i];
    const double constant = data.constants[i];
    if (i >= m) {
      if (!is_same(line.value, constant))
        fail(ZCMOE_ERR_FORMAT, "lines[", i, "] is not level at values[", i, "]=", constant);
      continue;
    }
    const double first = data.edges[i];
    const double last = data.edges[i + 1];
    if (data.counts[i] == 0 && !is_same(value_of(line, first / 2 + last / 2), constant)) {
      fail(ZCMOE_ERR_FORMAT, "values[", i, "]=", constant, ", but lines[", i,
           "] gives something else in the middle of its segment");
    }
    if (std::isnan(line.value) != std::isnan(constant)) {
      fail(ZCMOE_ERR_FORMAT, "lines[", i, "] has value=", line.value, ", but values[", i,
           "]=", constant);
    }
    const bool ends_outside = line.from < first || line.to > last;
    if (data.counts[i] > 0 && line.slope != 0.0 && ends_outside) {
      fail(ZCMOE_ERR_FORMAT, "lines[", i, "] from=", line.from, " to=", line.to,
           " is a line of rows, but not within its segment from ", first, " to ", last);
    }
  }
}

/// Checks that the arrays agree with each other. The constructor of model checks each by itself.
void check_model(const model_data& data, const zcmoe_model_options& options) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  if (data.target_dtype == 0 && data.weighted) {
    fail(ZCMOE_ERR_FORMAT,
         "metadata weighted=true, but target_dtype=none: a model without samples");
  }
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < num_slots_of(m); ++i) {
    const std::int64_t count = data.counts[i];
    const double weight = data.weights[i];
    if (count < 0) fail(ZCMOE_ERR_FORMAT, "counts[", i, "]=", count, " is negative");
    if (__builtin_add_overflow(rows, count, &rows))
      fail(ZCMOE_ERR_FORMAT, "the sum of counts exceeds 2^63 - 1");
    if (count > 0 && data.target_dtype == 0) {
      fail(ZCMOE_ERR_FORMAT, "counts[", i, "]=", count,
           ", but target_dtype=none: a model without samples");
    }
    const bool used = i < m || (i == nan_slot_of(m) ? options.nan_policy == ZCMOE_NAN_SEGMENT
                                                    : options.range_policy == ZCMOE_RANGE_SEGMENTS);
    if (count > 0 && !used) {
      fail(ZCMOE_ERR_FORMAT, "counts[", i, "]=", count,
           " of a segment that the policies do not use");
    }
    const bool weight_fits =
        count == 0 || !data.weighted ? weight == static_cast<double>(count) : weight > 0.0;
    if (!weight_fits)
      fail(ZCMOE_ERR_FORMAT, "weights[", i, "]=", weight, " does not fit counts[", i, "]=", count);
    if (std::isnan(data.variances[i]) != (count < 2)) {
      fail(ZCMOE_ERR_FORMAT, "variance[", i, "]=", data.variances[i], " does not fit counts[", i,
           "]=", count);
    }
    // The error of a smooth constant is that of the fit, which a segment of one row has too.
    const std::int64_t least = options.constants == ZCMOE_CONSTANTS_SMOOTH ? 1 : 2;
    if (count < least && !std::isnan(data.standard_errors[i])) {
      fail(ZCMOE_ERR_FORMAT, "standard_error[", i, "]=", data.standard_errors[i],
           " does not fit counts[", i, "]=", count);
    }
  }
  check_lines(data);
  // What is predicted outside the segments is set by the policies, not by data.
  const auto check_constant = [&](std::size_t slot, const char* policy, double expected) {
    const double value = data.constants[slot];
    if (!is_same(value, expected)) {
      fail(ZCMOE_ERR_FORMAT, "values[", slot, "]=", value, ", but ", policy, " says ", expected);
    }
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (options.nan_policy == ZCMOE_NAN_PROPAGATE) check_constant(nan_slot_of(m), "nan_policy", nan);
  if (options.nan_policy == ZCMOE_NAN_VALUE)
    check_constant(nan_slot_of(m), "nan_value", options.nan_value);
  for (const std::size_t slot : {below_slot_of(m), above_slot_of(m)}) {
    if (options.range_policy == ZCMOE_RANGE_NAN) check_constant(slot, "range_policy", nan);
    if (options.range_policy == ZCMOE_RANGE_VALUE)
      check_constant(slot, "range_value", options.range_value);
  }
}

std::unique_ptr<model> read_table(std::shared_ptr<backend> engine, opened_table& container) {
  return built_from_file([&] {
    model_data data;
    container.metadata().get("library_version");  // for people to read, so any text is right
    data.target_dtype = container.metadata().get("target_dtype", model_target_dtypes);
    data.weighted = container.metadata().get("weighted", yes_or_no) != 0;
    model_policies policies = read_policies(container.metadata());
    container.check_version(policies);
    data.edges = container.read_boundaries();
    const std::size_t slots = num_slots_of(data.edges.size() - 1);
    data.constants = container.read<double>("values", slots);
    data.counts = container.read<std::int64_t>("counts", slots);
    data.weights = container.read<double>("weights", slots);
    data.variances = container.read<double>("variance", slots);
    data.standard_errors = container.read<double>("standard_error", slots);
    if (is_smooth(policies)) data.means = container.read<double>("means", slots);
    if (has_lines(policies)) data.lines = container.read_lines(slots);
    container.refuse_unknown();
    check_model(data, policies.options);
    return std::make_unique<model>(std::move(engine), std::move(data), std::move(policies),
                                   nullptr);
  });
}

/// A model of either kind: the major version says which.
any_model read_model(std::shared_ptr<backend> engine, byte_source source) {
  opened_table container(std::move(source), model_format, points_major);
  if (container.major() == table_major) return {read_table(std::move(engine), container), nullptr};
  return {nullptr, read_points(std::move(engine), container)};
}

// -------------------------------------------------------------- fit states

/// The key of the metadata that says which plane of a sum is the first in its array.
std::string first_plane_key(const sum_extent& extent) { return text(extent.name, "_first_plane"); }

/// Checks the counters of rows. A row is counted once for each reason that applies to it, so
/// counters of reasons that exclude each other cannot add up to more than the rows. Counts of
/// segments must add up to the rows used.
void check_counters(const host_state& state, const model_policies& policies,
                    const zcmoe_fit_options& options) {
  const std::vector<std::int64_t>& counters = state.counters;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const std::int64_t limit = i == counter_rows     ? max_state_rows
                               : i < counter_pending ? counters[counter_rows]
                                                     : 0;
    if (counters[i] < 0 || counters[i] > limit) {
      fail(ZCMOE_ERR_FORMAT, "counters[", i, "]=", counters[i], " is not in 0..", limit);
    }
  }
  const auto check_apart = [&](const std::vector<row_counter>& reasons) {
    std::int64_t left = counters[counter_rows];
    for (const row_counter reason : reasons) {
      if (counters[reason] > left) {
        fail(ZCMOE_ERR_FORMAT, "counters[", static_cast<int>(reason), "]=", counters[reason],
             " exceeds the ", left, " rows that other counters leave");
      }
      left -= counters[reason];
    }
  };
  const bool own_nan = policies.options.nan_policy == ZCMOE_NAN_SEGMENT;
  const bool own_range = policies.options.range_policy == ZCMOE_RANGE_SEGMENTS;
  const bool range_used = own_range || policies.options.range_policy == ZCMOE_RANGE_CLAMP;
  check_apart({counter_zero_weights, counter_bad_weights, counter_nan_inputs, counter_below_range,
               counter_above_range});
  check_apart({counter_zero_weights, counter_bad_weights, counter_nan_targets,
               counter_infinite_targets, counter_rows_used});
  check_apart({counter_zero_weights, counter_refused, counter_rows_used});
  if (!own_nan)
    check_apart({counter_zero_weights, counter_bad_weights, counter_nan_inputs, counter_rows_used});
  if (!range_used)
    check_apart({counter_bad_weights, counter_below_range, counter_above_range, counter_rows_used});
  if (counters[counter_refused] < counters[counter_bad_weights]) {
    fail(ZCMOE_ERR_FORMAT, "counters[", static_cast<int>(counter_refused),
         "]=", counters[counter_refused], " is less than the ", counters[counter_bad_weights],
         " rows with bad weights");
  }
  if (options.weighted == 0 &&
      (counters[counter_zero_weights] != 0 || counters[counter_bad_weights] != 0)) {
    fail(ZCMOE_ERR_FORMAT, "counters of weights are not 0 in a fit without weights");
  }

  const std::size_t m = num_segments_of(state.counts.size());
  const std::int64_t outer[] = {own_nan ? counters[counter_nan_inputs] : 0,
                                own_range ? counters[counter_below_range] : 0,
                                own_range ? counters[counter_above_range] : 0};
  std::int64_t left = counters[counter_rows_used];
  for (std::size_t slot = 0; slot < state.counts.size(); ++slot) {
    const std::int64_t limit = slot < m ? left : std::min(left, outer[slot - m]);
    if (state.counts[slot] < 0 || state.counts[slot] > limit) {
      fail(ZCMOE_ERR_FORMAT, "counts[", slot, "]=", state.counts[slot], " is not in 0..", limit);
    }
    left -= state.counts[slot];
  }
  if (left != 0) {
    fail(ZCMOE_ERR_FORMAT, "counts add up to ", counters[counter_rows_used] - left, ", counters[",
         static_cast<int>(counter_rows_used), "]=", counters[counter_rows_used]);
  }
}

/// Checks the planes of a sum. Digits must be canonical, so that equal sums are equal bytes, and no
/// plane may be there that could have been left out.
void check_planes(const sum_extent& extent, const host_state::sum& sum, std::size_t slots) {
  constexpr std::int64_t half = std::int64_t{1} << 31;
  const std::size_t kept = sum.planes.size() / slots;
  for (std::size_t k = 0; k < kept; ++k) {
    // The top digit is what no higher digit could take. check_slot limits the sum itself; this
    // limit only keeps it from overflowing.
    const bool top = sum.first + static_cast<int>(k) + 1 == extent.digits;
    const std::int64_t limit = top ? 2 * half : half;
    const std::int64_t* const plane = sum.planes.data() + k * slots;
    bool zero = true;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      if (plane[slot] < -limit || plane[slot] >= limit) {
        fail(ZCMOE_ERR_FORMAT, extent.name, "[", k, ", ", slot, "]=", plane[slot], " is not in ",
             -limit, "..", limit - 1);
      }
      zero = zero && plane[slot] == 0;
    }
    if (zero && (k == 0 || k + 1 == kept)) {
      fail(ZCMOE_ERR_FORMAT, extent.name, "[", k, "] is zero and should have been left out");
    }
  }
}

/// The largest finite T, in units of the sums.
template <class T>
wide_integer<digits_of<T>(1)> largest() {
  std::int64_t planes[digits_of<T>(1)] = {};
  deposit(decompose(std::numeric_limits<T>::max()), 0,
          [&](int plane, std::int64_t piece) { planes[plane] += piece; });
  wide_integer<digits_of<T>(1)> result;
  read_sum(planes, 1, 0, result);
  return result;
}

/// Checks that some samples could give the sums of a slot. summarize() relies on it: with a divisor
/// of 0 or a difference below 0 its arithmetic would not end, or would end in nonsense. Sums within
/// these limits stay within them when they are merged. `planes` are the slot's own, one after the
/// other.
template <class T, bool Weighted>
void check_slot(const std::int64_t* planes, std::size_t slot) {
  using at = sum_planes<T, Weighted>;
  const auto refuse = [slot](const char* why) {
    fail(ZCMOE_ERR_FORMAT, "sums of slot ", slot, ": ", why);
  };
  const std::int64_t count = planes[at::count];
  if (count == 0) {
    const bool zero =
        std::all_of(planes, planes + at::end, [](std::int64_t digit) { return digit == 0; });
    if (!zero) refuse("not zero, but the count is");
    return;
  }
  static const auto max = largest<T>();
  static const auto max_squared = product(max, max);
  // The limits of S = sum wy and Q = sum wy^2 for the total weight W, with and without weights: |S|
  // <= W max, Q <= W max^2, and S^2 <= W Q (Cauchy-Schwarz), which are equal for a single sample.
  const auto check_targets = [&](const auto& weight, const auto& sum, const auto& squares) {
    if (compare(sum, product(weight, max)) > 0)
      refuse("the sum of targets is greater than any targets give");
    if (squares.negative) refuse("the sum of squares is negative");
    if (compare(squares, product(weight, max_squared)) > 0)
      refuse("the sum of squares is greater than any targets give");
    const int order = compare(product(sum, sum), product(weight, squares));
    if (order > 0) refuse("the sum of squares is less than the sum of targets allows");
    if (count == 1 && order != 0) refuse("one sample, but sum and sum of squares differ");
  };
  const auto samples = wide_of(count);
  if constexpr (Weighted) {
    wide_integer<digits_of<T>(1)> w;
    wide_integer<digits_of<T>(2)> ww;
    wide_integer<digits_of<T>(2)> wy;
    wide_integer<digits_of<T>(3)> wyy;
    read_sum(planes, 1, at::w, w);
    read_sum(planes, 1, at::ww, ww);
    read_sum(planes, 1, at::wy, wy);
    read_sum(planes, 1, at::wyy, wyy);
    if (w.is_zero() || w.negative) refuse("the sum of weights is not positive");
    if (compare(w, product(samples, max)) > 0)
      refuse("the sum of weights is greater than any weights give");
    if (ww.is_zero() || ww.negative) refuse("the sum of squared weights is not positive");
    const auto square = product(w, w);
    const int order = compare(ww, square);  // sum w^2 < (sum w)^2 for two or more weights
    if (count == 1 ? order != 0 : order >= 0)
      refuse("the sum of squared weights does not fit the sum of weights");
    if (compare(square, product(samples, ww)) > 0)
      refuse("the sum of squared weights is too small");
    check_targets(w, wy, wyy);
  } else {
    wide_integer<digits_of<T>(1)> y;
    wide_integer<digits_of<T>(2)> yy;
    read_sum(planes, 1, at::y, y);
    read_sum(planes, 1, at::yy, yy);
    check_targets(samples, y, yy);
  }
}

wide_integer<2> signed_wide_of(std::int64_t value) {
  wide_integer<2> result = wide_of(value < 0 ? -value : value);
  result.negative = value < 0;
  return result;
}

template <int Digits>
bool is_below_zero(const wide_integer<Digits>& value) {
  return value.negative && !value.is_zero();
}

/// Checks the further sums of a slot with lines, as check_slot does: W, S = sum w y, Q = sum w y^2,
/// P = sum w t, R = sum w t^2 and C = sum w t y of positions t from low to high. The sum of
/// w (t - low)(high - t) is not negative, W R = P^2 where all positions are one and W R > P^2
/// elsewhere, and Gram's matrix of 1, t and y has no negative determinant: (W Q - S^2)(W R - P^2)
/// >= (W C - P S)^2.
template <class T, bool Weighted>
void check_line_slot(const std::int64_t* planes, std::size_t slot, const line_frame& frame) {
  using base = sum_planes<T, Weighted>;
  using at = line_planes<T, Weighted>;
  const auto refuse = [slot](const char* why) {
    fail(ZCMOE_ERR_FORMAT, "sums of slot ", slot, ": ", why);
  };
  const std::int64_t count = planes[base::count];
  if (count == 0) {
    const bool zero = std::all_of(planes + at::t, planes + at::end,
                                  [](std::int64_t digit) { return digit == 0; });
    if (!zero) refuse("positions are there, but no row is");
    return;
  }
  const auto first = static_cast<std::int64_t>(frame.first);
  const auto last = static_cast<std::int64_t>(frame.last);
  const auto check_extreme = [&](const char* name, std::int64_t found, std::int64_t least,
                                 std::int64_t greatest) {
    if (found < least || found > greatest)
      fail(ZCMOE_ERR_FORMAT, name, "[", slot, "]=", found, " is not in ", least, "..", greatest);
  };
  check_extreme("lowest", planes[at::lowest], low_extreme_of(last), low_extreme_of(first));
  check_extreme("highest", planes[at::highest], high_extreme_of(first), high_extreme_of(last));
  const std::int64_t low = low_extreme_of(planes[at::lowest]);
  const std::int64_t high = planes[at::highest] - high_extreme_of(0);
  if (low > high) refuse("the lowest position is above the highest");
  if (count == 1 && low != high) refuse("one row, but two positions");
  wide_integer<digits_of_line_sum<T, Weighted>(0)> t;
  wide_integer<digits_of_line_sum<T, Weighted>(1)> tt;
  wide_integer<digits_of_line_sum<T, Weighted>(2)> ty;
  read_sum(planes, 1, at::t, t);
  read_sum(planes, 1, at::tt, tt);
  read_sum(planes, 1, at::ty, ty);
  const auto check = [&](const auto& weight, const auto& y, const auto& yy) {
    const auto between =
        difference(difference(product(t, signed_wide_of(low + high)),
                              product(weight, product(signed_wide_of(low), signed_wide_of(high)))),
                   tt);
    if (is_below_zero(between))
      refuse("the sums of positions are not of rows between the lowest and the highest");
    const auto of_t = difference(product(weight, tt), product(t, t));
    if (is_below_zero(of_t))
      refuse("the sum of squared positions is less than the sum of positions allows");
    if (of_t.is_zero() && low != high) refuse("two positions, but their sums are of one");
    const auto of_y = difference(product(weight, yy), product(y, y));
    const auto of_both = difference(product(weight, ty), product(t, y));
    if (compare(product(of_both, of_both), product(of_y, of_t)) > 0)
      refuse("the sum of position times target does not fit the others");
  };
  if constexpr (Weighted) {
    wide_integer<digits_of<T>(1)> w;
    wide_integer<digits_of<T>(2)> wy;
    wide_integer<digits_of<T>(3)> wyy;
    read_sum(planes, 1, base::w, w);
    read_sum(planes, 1, base::wy, wy);
    read_sum(planes, 1, base::wyy, wyy);
    check(w, wy, wyy);
  } else {
    wide_integer<digits_of<T>(1)> y;
    wide_integer<digits_of<T>(2)> yy;
    read_sum(planes, 1, base::y, y);
    read_sum(planes, 1, base::yy, yy);
    check(wide_of(count), y, yy);
  }
}

void check_sums(const state_layout& layout, const host_state& state,
                const std::vector<double>& edges) {
  const auto slots = static_cast<std::size_t>(layout.num_slots());
  const std::vector<sum_extent> extents = sum_extents(layout);
  std::vector<line_frame> frames;
  if (layout.lines) frames = line_frames_of(edges);
  with_layout(layout, [&](auto target, auto weighted) {
    using T = decltype(target);
    constexpr bool is_weighted = decltype(weighted)::value;
    std::int64_t planes[line_planes<T, is_weighted>::end];
    for (std::size_t slot = 0; slot < slots; ++slot) {
      std::fill(std::begin(planes), std::end(planes), 0);
      planes[0] = state.counts[slot];
      for (std::size_t s = 0; s < extents.size(); ++s) {
        const host_state::sum& sum = state.sums[s];
        for (std::size_t k = 0; k < sum.planes.size() / slots; ++k) {
          planes[static_cast<std::size_t>(extents[s].first + sum.first) + k] =
              sum.planes[k * slots + slot];
        }
      }
      check_slot<T, is_weighted>(planes, slot);
      if (!layout.lines) continue;
      planes[line_planes<T, is_weighted>::lowest] = state.lowest[slot];
      planes[line_planes<T, is_weighted>::highest] = state.highest[slot];
      check_line_slot<T, is_weighted>(planes, slot, frames[slot]);
    }
  });
}

}  // namespace

namespace {

void write_model(const points_model& model, const byte_sink& sink) { write_points(model, sink); }

template <class Model>
void save(const Model& model, const std::string& path) {
  atomic_file file(path);
  write_model(model, [&file](const void* bytes, std::size_t size) { file.write(bytes, size); });
  file.commit();
}

template <class Model>
std::vector<std::uint8_t> serialize(const Model& model) {
  std::vector<std::uint8_t> bytes;
  write_model(model, appending_to(bytes));
  return bytes;
}

}  // namespace

void save_model(const model& model, const std::string& path) { save(model, path); }
void save_model(const points_model& model, const std::string& path) { save(model, path); }

std::vector<std::uint8_t> serialize_model(const model& model) { return serialize(model); }
std::vector<std::uint8_t> serialize_model(const points_model& model) { return serialize(model); }

any_model load_model(std::shared_ptr<backend> engine, const std::string& path) {
  const regular_file file(path);
  try {
    return read_model(std::move(engine),
                      {file.size(), [&file](std::uint64_t offset, void* to, std::size_t bytes) {
                         file.read(offset, to, bytes);
                       }});
  } catch (const status_error& e) {
    const bool of_the_file = e.status() == ZCMOE_ERR_FORMAT || e.status() == ZCMOE_ERR_VERSION ||
                             e.status() == ZCMOE_ERR_CHECKSUM;
    if (of_the_file) fail(e.status(), shown_path(path), ": ", e.what());
    throw;
  }
}

any_model deserialize_model(std::shared_ptr<backend> engine, const void* bytes, std::size_t size) {
  return read_model(std::move(engine), memory_source(bytes, size));
}

std::vector<std::uint8_t> serialize_fit(const fit& fit, zcmoe_stream stream) {
  const host_state state = download(fit.engine(), fit.layout(), fit.state(), stream);
  const zcmoe_fit_options& options = fit.options();
  std::unique_ptr<const partition_arrays> partition;
  if (fit.numbers() != nullptr)
    partition = std::make_unique<partition_arrays>(fit.numbers()->data());
  // There is no library version, so that the same samples give the same bytes, whichever version
  // has counted them.
  metadata_list metadata = {
      {"format", fit_format},
      {"format_version", partition ? text(points_major, ".0") : format_version(fit.policies())},
      {"target_dtype", name_in(target_dtypes, static_cast<std::int32_t>(options.target_dtype))},
      {"weighted", name_in(yes_or_no, options.weighted)},
      {"nan_inputs", name_in(row_policies, options.nan_inputs)},
      {"nonfinite_targets", name_in(row_policies, options.nonfinite_targets)},
      {"determinism", name_in(determinism_levels, options.determinism)}};
  const std::int64_t slots = fit.layout().num_slots();
  std::vector<tensor_view> tensors;
  if (partition) {
    const zcmoe_points_fit_options& own = fit.segment_options();
    metadata.emplace_back("empty_policy", name_in(empty_segment_policies, own.empty_policy));
    metadata.emplace_back("empty_value", text_of(own.empty_value));
    metadata.emplace_back("weights_kind", name_in(weights_kinds, own.weights_kind));
    partition->add_metadata(metadata);
    partition->add_target_name(metadata);
    partition->add_first(tensors);
    tensors.push_back({"values", "F64", {fit.layout().num_segments}, fit.kept_constants().data()});
  } else {
    write_policies(fit.policies(), metadata);
    tensors.push_back({"boundaries", "F64", {fit.layout().num_segments + 1}, fit.edges().data()});
  }
  tensors.push_back({"counters", "I64", {num_row_counters}, state.counters.data()});
  tensors.push_back({"counts", "I64", {slots}, state.counts.data()});
  const std::vector<sum_extent> extents = sum_extents(fit.layout());
  for (std::size_t s = 0; s < extents.size(); ++s) {
    const host_state::sum& sum = state.sums[s];
    if (sum.planes.empty()) continue;
    metadata.emplace_back(first_plane_key(extents[s]), std::to_string(sum.first));
    const std::int64_t kept = static_cast<std::int64_t>(sum.planes.size()) / slots;
    tensors.push_back({extents[s].name, "I64", {kept, slots}, sum.planes.data()});
  }
  if (fit.layout().lines) {
    tensors.push_back({"lowest", "I64", {slots}, state.lowest.data()});
    tensors.push_back({"highest", "I64", {slots}, state.highest.data()});
  }
  if (partition) partition->add_last(tensors);
  std::vector<std::uint8_t> bytes;
  write_safetensors(metadata, tensors, appending_to(bytes));
  return bytes;
}

std::unique_ptr<fit> deserialize_fit(std::shared_ptr<backend> engine, const void* bytes,
                                     std::size_t size) {
  opened_table container(memory_source(bytes, size), fit_format, points_major);
  const bool several = container.major() == points_major;
  return built_from_file([&] {
    zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
    options.target_dtype = container.metadata().get("target_dtype", target_dtypes);
    options.weighted = container.metadata().get("weighted", yes_or_no);
    options.nan_inputs = container.metadata().get("nan_inputs", row_policies);
    options.nonfinite_targets = container.metadata().get("nonfinite_targets", row_policies);
    options.determinism = container.metadata().get("determinism", determinism_levels);
    std::vector<double> edges;
    fit_segments segments{{}, ZCMOE_POINTS_FIT_OPTIONS_INIT};
    model_policies policies(ZCMOE_MODEL_OPTIONS_INIT);
    if (several) {
      zcmoe_points_fit_options& own = segments.options;
      own.empty_policy = container.metadata().get("empty_policy", empty_segment_policies);
      own.empty_value = container.metadata().get_number("empty_value");
      own.weights_kind = container.metadata().get("weights_kind", weights_kinds);
      if (std::isinf(own.empty_value)) fail(ZCMOE_ERR_FORMAT, "metadata empty_value is infinite");
      segments.model = read_partition(container);
      if (!segments.model.tables.head.has_segments())
        fail(ZCMOE_ERR_FORMAT, "metadata partition=tables has no segments");
      policies = fit_policies_of(own);
    } else {
      policies = read_policies(container.metadata());
      container.check_version(policies);
      edges = container.read_boundaries();
    }
    const auto num_segments = static_cast<std::int64_t>(
        several ? segments.model.tables.head.constants.size() : edges.size() - 1);
    const state_layout layout{num_segments, options.target_dtype, options.weighted != 0,
                              has_lines(policies)};
    const auto slots = static_cast<std::size_t>(layout.num_slots());
    host_state state;
    state.counters = container.read<std::int64_t>("counters", num_row_counters);
    state.counts = container.read<std::int64_t>("counts", slots);
    check_counters(state, policies, options);
    if (several && (state.counters[counter_below_range] | state.counters[counter_above_range]) != 0)
      fail(ZCMOE_ERR_FORMAT,
           "counters of inputs out of range are not 0 in a fit of several inputs");
    for (const sum_extent& extent : sum_extents(layout)) {
      host_state::sum sum{0, {}};
      if (container.find(extent.name, "I64") != nullptr) {
        const tensor_entry& entry = container.get(extent.name, "I64", 2);
        sum.first = static_cast<int>(container.metadata().get_integer(
            first_plane_key(extent).c_str(), 0, extent.digits - 1));
        const auto planes_left = static_cast<std::uint64_t>(extent.digits - sum.first);
        if (entry.shape[0] < 1 || entry.shape[0] > planes_left || entry.shape[1] != slots) {
          fail(ZCMOE_ERR_FORMAT, "tensor ", extent.name, " has shape [", entry.shape[0], ", ",
               entry.shape[1], "], expected [1..", planes_left, ", ", slots, "]");
        }
        sum.planes = container.read<std::int64_t>(entry);
        check_planes(extent, sum, slots);
      }
      state.sums.push_back(std::move(sum));
    }
    if (layout.lines) {
      state.lowest = container.read<std::int64_t>("lowest", slots);
      state.highest = container.read<std::int64_t>("highest", slots);
    }
    container.refuse_unknown();
    check_sums(layout, state, edges);
    // Only now is memory allocated that is larger than the bytes given.
    auto result = several ? std::make_unique<fit>(std::move(engine), std::move(segments), options)
                          : std::make_unique<fit>(std::move(engine), std::move(edges),
                                                  std::move(policies), options);
    result->restore(state);
    return result;
  });
}

}  // namespace zcmoe::detail
