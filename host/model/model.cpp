// Makes models: summaries of a fit, or known constants, become the constants of all slots, and
// these become tables in the memory of an engine.
#include "host/model/model.hpp"

#include "host/array.hpp"
#include "host/experts/wide_integer.hpp"
#include "host/model/lines.hpp"
#include "host/numbers/compensated_sum.hpp"
#include "host/routing/slots.hpp"
#include "host/segmentation/edges.hpp"
#include "host/segmentation/empty_segments.hpp"
#include "host/segmentation/smooth_constants.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace zcmoe::detail {
namespace {

/// What is known of the rows of the first `count` slots, with what is predicted for their mean.
segment_rows rows_of(const model_data& data, std::size_t count) {
  return {data.edges.data(), data.counts.data(), data.weights.data(), data.constants.data(), count};
}

/// The noise in the means of the segments, for smooth constants. Precisions: of a row of the mean
/// weight of all, so that a segment of heavy rows holds more of such rows than it has rows.
std::vector<segment_noise> noise_of(const model_data& data, bool precisions,
                                    const std::vector<slot_summary>& summaries) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  std::vector<segment_noise> noise(m);
  compensated_sum weight;
  compensated_sum rows;
  for (std::size_t i = 0; i < m; ++i) {
    const double effective = std::max(1.0, summaries[i].effective_count);
    noise[i] = {data.variances[i], effective, effective - 1};
    weight.add(data.weights[i]);
    rows.add(static_cast<double>(data.counts[i]));
  }
  const double mean_weight = weight.value() / rows.value();
  if (!precisions || !std::isfinite(mean_weight)) return noise;
  constexpr double least = 1e-12;  // so that its reciprocal does not overflow
  for (std::size_t i = 0; i < m; ++i) {
    noise[i].variance /= mean_weight;
    noise[i].effective_rows = std::max(least, data.weights[i] / mean_weight);
  }
  return noise;
}

/// Keeps the means of the rows aside and makes the constants of the segments smooth. The other
/// slots have no neighbours to share with.
void make_smooth(model_data& data, const std::vector<segment_noise>& noise) {
  data.means = data.constants;
  const smooth_constants smooth = smooth_constants_of(rows_of(data, noise.size()), noise.data());
  std::copy(smooth.values.begin(), smooth.values.end(), data.constants.begin());
  std::copy(smooth.standard_errors.begin(), smooth.standard_errors.end(),
            data.standard_errors.begin());
}

/// Sets the constants of the slots of NaN, of inputs below and of inputs above the range. A slot
/// that the policies use for rows of its own keeps what it learned. If it has learned from no row,
/// it takes `constant_of_empty`; but where the policy goes by place, the slots below and above the
/// range take the constant of the first and of the last segment, their only neighbours.
void set_outer_slots(model_data& data, const zcmoe_model_options& options,
                     std::int32_t empty_policy, double constant_of_empty) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  const bool by_place = empty_policy == ZCMOE_EMPTY_NEAREST || empty_policy == ZCMOE_EMPTY_PARENT;
  const auto set = [&](std::size_t slot, bool own, double constant, double fallback) {
    if (!own) {
      data.constants[slot] = constant;
    } else if (data.counts[slot] == 0) {
      data.constants[slot] = fallback;
    }
  };
  set(nan_slot_of(m), options.nan_policy == ZCMOE_NAN_SEGMENT,
      options.nan_policy == ZCMOE_NAN_VALUE ? options.nan_value : quiet_nan(), constant_of_empty);
  const bool own = options.range_policy == ZCMOE_RANGE_SEGMENTS;
  const bool clamp = options.range_policy == ZCMOE_RANGE_CLAMP;
  const double outside =
      options.range_policy == ZCMOE_RANGE_VALUE ? options.range_value : quiet_nan();
  const double first = data.constants[0];
  const double last = data.constants[m - 1];
  set(below_slot_of(m), own, clamp ? first : outside, by_place ? first : constant_of_empty);
  set(above_slot_of(m), own, clamp ? last : outside, by_place ? last : constant_of_empty);
}

/// Gives slots without a line of their own a level one, at their constants; and segments without
/// rows that have a line the constant that it gives in their middle.
void complete_lines(model_data& data) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  for (std::size_t i = 0; i < data.lines.size(); ++i) {
    if (i >= m || std::isnan(data.lines[i].value)) {
      data.lines[i] = level_line(data.constants[i]);
    } else if (data.counts[i] == 0) {
      data.constants[i] = value_of(data.lines[i], data.edges[i] / 2 + data.edges[i + 1] / 2);
    }
  }
}

/// Sets the constants of segments without rows and of the slots outside the segments, and draws
/// those with rows to the mean of all where the options say so.
void fill_empty_segments(model_data& data, const zcmoe_model_options& options) {
  const auto m = static_cast<std::size_t>(data.num_segments());
  const std::size_t slots = data.constants.size();
  segment_rows all = rows_of(data, slots);
  if (!data.means.empty()) all.means = data.means.data();
  const double global_mean = mean_of_rows(all, 0, slots);
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  const double target = fixed ? options.empty_value : global_mean;
  zcmoe_model_options filling = options;
  // Shrinkage draws a segment to the target, and a segment without rows all the way.
  if (options.shrinkage > 0.0 && !fixed) filling.empty_policy = ZCMOE_EMPTY_GLOBAL_MEAN;
  empty_segment_constants filled(rows_of(data, m), filling);
  for (std::size_t i = 0; i < m; ++i) {
    if (data.counts[i] == 0) data.constants[i] = filled.of(i, global_mean);
  }
  for (std::size_t i = 0; options.shrinkage > 0.0 && i < slots; ++i) {
    if (data.counts[i] == 0) continue;
    const double share =
        std::isinf(data.weights[i]) ? 1.0 : data.weights[i] / (data.weights[i] + options.shrinkage);
    data.constants[i] = data.constants[i] * share + target * (1.0 - share);
    data.standard_errors[i] *= share;
  }
  set_outer_slots(data, options, filling.empty_policy,
                  filling.empty_policy == ZCMOE_EMPTY_NAN ? quiet_nan() : target);
}

/// A model of constants without rows.
model_data known_constants(const double* edges, const double* constants, std::int64_t num_segments,
                           const model_policies& policies) {
  const auto m = static_cast<std::size_t>(num_segments);
  const std::size_t slots = num_slots_of(m);
  model_data data;
  data.edges.assign(edges, edges + m + 1);
  data.constants.assign(constants, constants + m);
  data.constants.resize(slots, quiet_nan());
  data.counts.assign(slots, 0);
  data.weights.assign(slots, 0.0);
  data.variances.assign(slots, quiet_nan());
  data.standard_errors.assign(slots, quiet_nan());
  const zcmoe_model_options& options = policies.options;
  set_outer_slots(data, options, options.empty_policy,
                  options.empty_policy == ZCMOE_EMPTY_VALUE ? options.empty_value : quiet_nan());
  return data;
}

void check_line(const zcmoe_line& line, std::size_t i) {
  // A difference is finite only if both of its terms are, and so is a sum.
  const bool good =
      std::isfinite(line.to - line.from) && line.from <= line.to && std::isfinite(line.slope);
  ZCMOE_EXPECTS(good, "lines[", i, "] from=", line.from, " to=", line.to, " slope=", line.slope,
                " are not finite, or from is greater than to");
  ZCMOE_EXPECTS(!std::isinf(value_of(line, line.to)), "lines[", i, "] value=", line.value,
                " is infinite, or leads to infinity at to=", line.to);
}

void check_policy(const char* name, std::int32_t value, std::int32_t last) {
  ZCMOE_EXPECTS(value >= 0 && value <= last, "model_options->", name, "=", value, " is not in 0..",
                last);
}

bool is_utf8(const std::string& bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : (lead & 0xf0) == 0xe0       ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(bytes[i + k]) & 0xc0) != 0x80) return false;
    }
    if (length >= 3) {  // refuses overlong forms, surrogates and what lies beyond U+10FFFF
      const auto second = static_cast<unsigned char>(bytes[i + 1]);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
          (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90)) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

}  // namespace

std::string checked_name(const std::string& field, const char* name) {
  if (name == nullptr) return {};
  std::string copy(name);
  ZCMOE_EXPECTS(copy.size() <= max_name_bytes, field, " has ", copy.size(), " bytes, more than ",
                max_name_bytes);
  ZCMOE_EXPECTS(is_utf8(copy), field, " is not UTF-8");
  return copy;
}

model_policies::model_policies(const zcmoe_model_options& given)
    : options(given),
      feature_name(checked_name("model_options->feature_name", given.feature_name)),
      target_name(checked_name("model_options->target_name", given.target_name)),
      has_feature_name(given.feature_name != nullptr),
      has_target_name(given.target_name != nullptr) {
  options.feature_name = nullptr;
  options.target_name = nullptr;
  check_policy("closed_side", options.closed_side, ZCMOE_CLOSED_RIGHT);
  check_policy("include_outer_edge", options.include_outer_edge, 1);
  check_policy("nan_policy", options.nan_policy, ZCMOE_NAN_VALUE);
  check_policy("range_policy", options.range_policy, ZCMOE_RANGE_SEGMENTS);
  check_policy("empty_policy", options.empty_policy, ZCMOE_EMPTY_PARENT);
  check_policy("constants", options.constants, ZCMOE_CONSTANTS_SMOOTH);
  check_policy("experts", options.experts, ZCMOE_EXPERTS_INTERPOLATE);
  check_policy("weights_kind", options.weights_kind, ZCMOE_WEIGHTS_PRECISION);
  ZCMOE_EXPECTS(options.experts == ZCMOE_EXPERTS_CONSTANT ||
                    (options.constants == ZCMOE_CONSTANTS_MEAN && options.shrinkage == 0.0),
                "model_options->experts=", options.experts,
                " are lines, which neither constants=ZCMOE_CONSTANTS_SMOOTH (1) nor shrinkage is "
                "for");
  ZCMOE_EXPECTS(options.shrinkage >= 0.0 && std::isfinite(options.shrinkage),
                "model_options->shrinkage=", options.shrinkage, " is not a finite number >= 0");
  ZCMOE_EXPECTS(options.shrinkage == 0.0 || options.constants == ZCMOE_CONSTANTS_MEAN,
                "model_options->shrinkage=", options.shrinkage,
                " draws means to one value, but constants=ZCMOE_CONSTANTS_SMOOTH (1) are no means");
  ZCMOE_EXPECTS(!std::isinf(options.empty_value),
                "model_options->empty_value=", options.empty_value, " is infinite");
}

zcmoe_model_options model_policies::as_options() const {
  zcmoe_model_options result = options;
  result.feature_name = has_feature_name ? feature_name.c_str() : nullptr;
  result.target_name = has_target_name ? target_name.c_str() : nullptr;
  return result;
}

model_data model_data_of(const std::vector<double>& edges, const model_policies& policies,
                         const std::vector<slot_summary>& summaries, zcmoe_dtype target_dtype,
                         bool weighted) {
  const std::size_t slots = summaries.size();
  model_data data;
  data.edges = edges;
  data.target_dtype = target_dtype;
  data.weighted = weighted;
  data.constants.resize(slots);
  data.counts.resize(slots);
  data.weights.resize(slots);
  data.variances.resize(slots);
  data.standard_errors.resize(slots);
  for (std::size_t i = 0; i < slots; ++i) {
    data.constants[i] = summaries[i].mean;
    data.counts[i] = summaries[i].count;
    data.weights[i] = summaries[i].weight;
    data.variances[i] = summaries[i].variance;
    data.standard_errors[i] = summaries[i].standard_error;
  }
  if (policies.options.constants == ZCMOE_CONSTANTS_SMOOTH)
    make_smooth(data, noise_of(data, has_precisions(policies, weighted), summaries));
  fill_empty_segments(data, policies.options);
  return data;
}

model_data model_data_of(const std::vector<double>& edges, const model_policies& policies,
                         const std::vector<slot_summary>& summaries,
                         const std::vector<line_summary>& lines, zcmoe_dtype target_dtype,
                         bool weighted) {
  std::vector<slot_summary> at_lines = summaries;
  const learned_lines learned =
      policies.options.experts == ZCMOE_EXPERTS_LINEAR
          ? linear_experts(edges, summaries, lines)
          : interpolating_experts(edges, summaries, lines, policies.options.empty_policy);
  const bool precisions = has_precisions(policies, weighted);
  for (std::size_t i = 0; i < learned.lines.size(); ++i) {
    if (std::isnan(learned.values[i])) continue;
    at_lines[i].mean = learned.values[i];
    at_lines[i].variance = learned.variances[i];
    at_lines[i].standard_error = learned.standard_errors[i];
    // Lines know the variance of a row of the segment's mean weight, which may be infinite.
    if (precisions && learned.variances[i] > 0.0) {
      at_lines[i].variance *= summaries[i].weight / static_cast<double>(summaries[i].count);
    }
  }
  model_data data = model_data_of(edges, policies, at_lines, target_dtype, weighted);
  data.lines = learned.lines;
  data.lines.resize(data.constants.size());
  complete_lines(data);
  return data;
}

model_data model_data_of(const double* edges, const zcmoe_line* lines, std::int64_t num_segments,
                         const model_policies& policies) {
  ZCMOE_EXPECTS(policies.options.experts != ZCMOE_EXPERTS_CONSTANT,
                "options->experts=ZCMOE_EXPERTS_CONSTANT (0), but lines are given");
  std::vector<double> middles(static_cast<std::size_t>(num_segments));
  for (std::size_t i = 0; i < middles.size(); ++i) {
    check_line(lines[i], i);
    middles[i] = value_of(lines[i], edges[i] / 2 + edges[i + 1] / 2);
  }
  model_data data = known_constants(edges, middles.data(), num_segments, policies);
  data.lines.assign(lines, lines + num_segments);
  data.lines.resize(data.constants.size());
  for (std::size_t i = middles.size(); i < data.lines.size(); ++i) {
    data.lines[i] = level_line(data.constants[i]);
  }
  return data;
}

model_data model_data_of(const double* edges, const double* constants, std::int64_t num_segments,
                         const model_policies& policies) {
  ZCMOE_EXPECTS(policies.options.experts == ZCMOE_EXPERTS_CONSTANT,
                "model_options->experts=", policies.options.experts,
                " are lines, but constants are given: zcmoe_model_create_lines() takes lines");
  ZCMOE_EXPECTS(
      policies.options.constants == ZCMOE_CONSTANTS_MEAN,
      "model_options->constants=ZCMOE_CONSTANTS_SMOOTH (1) is for fits, not for constants "
      "that are given");
  return known_constants(edges, constants, num_segments, policies);
}

model::model(std::shared_ptr<backend> engine, model_data data, model_policies policies,
             zcmoe_stream stream)
    : engine_(std::move(engine)), data_(std::move(data)), policies_(std::move(policies)) {
  // Adding 0.0 makes -0.0 into 0.0, so that equal tables make equal files.
  for (double& edge : data_.edges) edge += 0.0;
  const std::int64_t m = data_.num_segments();
  ZCMOE_EXPECTS(m >= 1 && m <= ZCMOE_MAX_SEGMENTS, "num_segments=", m, " is not in 1..",
                ZCMOE_MAX_SEGMENTS);
  check_edges(data_.edges.data(), m);
  const auto slots = static_cast<std::size_t>(num_slots_of(m));
  ZCMOE_EXPECTS(data_.constants.size() == slots && data_.counts.size() == slots &&
                    data_.weights.size() == slots && data_.variances.size() == slots &&
                    data_.standard_errors.size() == slots,
                "the per-segment arrays do not have num_segments + 3 = ", slots, " entries");
  const bool smooth = policies_.options.constants == ZCMOE_CONSTANTS_SMOOTH;
  ZCMOE_EXPECTS(data_.means.size() == (smooth ? slots : 0), "means has ", data_.means.size(),
                " entries, expected ", smooth ? slots : 0);
  const bool has_lines = policies_.options.experts != ZCMOE_EXPERTS_CONSTANT;
  ZCMOE_EXPECTS(data_.lines.size() == (has_lines ? slots : 0), "lines has ", data_.lines.size(),
                " entries, expected ", has_lines ? slots : 0);
  for (std::size_t i = 0; has_lines && i < slots; ++i) {
    zcmoe_line& line = data_.lines[i];
    const bool outside = i >= static_cast<std::size_t>(m);
    // Constants outside the range may be infinite, as a policy's value.
    if (!outside) check_line(line, i);
    ZCMOE_EXPECTS(!outside || (line.slope == 0.0 && line.from == 0.0 && line.to == 0.0), "lines[",
                  i, "] of a slot beside the segments is not level");
    if (std::isnan(line.value)) line.value = quiet_nan();
  }
  for (std::size_t i = 0; i < slots; ++i) {
    ZCMOE_EXPECTS(i >= static_cast<std::size_t>(m) || !std::isinf(data_.constants[i]), "constants[",
                  i, "]=", data_.constants[i], " is infinite");
    ZCMOE_EXPECTS(data_.counts[i] >= 0, "counts[", i, "]=", data_.counts[i], " is negative");
    ZCMOE_EXPECTS(data_.weights[i] >= 0.0, "weights[", i, "]=", data_.weights[i],
                  " is not a number >= 0");
    ZCMOE_EXPECTS(!(data_.variances[i] < 0.0), "variances[", i, "]=", data_.variances[i],
                  " is negative");
    ZCMOE_EXPECTS(!(data_.standard_errors[i] < 0.0), "standard_errors[", i,
                  "]=", data_.standard_errors[i], " is negative");
    ZCMOE_EXPECTS(!smooth || std::isnan(data_.means[i]) == (data_.counts[i] == 0), "means[", i,
                  "]=", data_.means[i], " does not fit counts[", i, "]=", data_.counts[i]);
    ZCMOE_EXPECTS(!smooth || !std::isinf(data_.means[i]), "means[", i, "]=", data_.means[i],
                  " is infinite");
    // All NaNs become the same one, for every engine and file.
    for (std::vector<double>* column :
         {&data_.constants, &data_.means, &data_.variances, &data_.standard_errors}) {
      if (i < column->size() && std::isnan((*column)[i])) (*column)[i] = quiet_nan();
    }
  }

  // All tables are one block in the engine's memory: first the columns of 8-byte numbers, then
  // their float32 copies.
  const auto edges = static_cast<std::size_t>(m) + 1;
  std::vector<unsigned char> image(data_.lines.size() * sizeof(zcmoe_line) +
                                   (edges + 4 * slots) * sizeof(double) +
                                   3 * slots * sizeof(float));
  tables_ = engine_buffer(engine_, image.size(), stream);
  std::size_t offset = 0;
  const auto place = [&](const auto* values, std::size_t count) {
    using value = std::remove_reference_t<decltype(*values)>;
    std::memcpy(image.data() + offset, values, count * sizeof *values);
    auto* const at = reinterpret_cast<value*>(static_cast<unsigned char*>(tables_.data()) + offset);
    offset += count * sizeof *values;
    return at;
  };
  const auto narrow = [](const std::vector<double>& values) {
    return std::vector<float>(values.begin(), values.end());
  };
  // First, where they are aligned to their size.
  if (has_lines) view_.lines = place(data_.lines.data(), slots);
  view_.edges = place(data_.edges.data(), edges);
  view_.constants = place(data_.constants.data(), slots);
  view_.standard_errors = place(data_.standard_errors.data(), slots);
  variances_ = place(data_.variances.data(), slots);
  counts_ = place(data_.counts.data(), slots);
  view_.constants_f32 = place(narrow(data_.constants).data(), slots);
  view_.standard_errors_f32 = place(narrow(data_.standard_errors).data(), slots);
  variances_f32_ = place(narrow(data_.variances).data(), slots);
  engine_->upload(tables_.data(), image.data(), image.size(), stream);
  tables_.outlive_stream();
  view_.struct_size = sizeof(zcmoe_model_view);
  view_.num_segments = m;
  view_.closed_side = policies_.options.closed_side;
  view_.include_outer_edge = policies_.options.include_outer_edge;
  view_.nan_policy = policies_.options.nan_policy;
  view_.range_policy = policies_.options.range_policy;
  pivot_ = pivot_of(data_.edges.data(), m, view_.closed_side);

  model_view table = view_;
  table.edges = data_.edges.data();
  const std::vector<float> constants_f32 = narrow(data_.constants);
  slot_constants held;
  if (!has_lines) held = {data_.constants.data(), constants_f32.data()};
  routes_ = engine_->make_router(table, held, stream);
}

void model::get_info(zcmoe_model_info& info) const {
  const auto m = static_cast<std::size_t>(data_.num_segments());
  info.num_segments = data_.num_segments();
  info.num_slots = num_slots_of(data_.num_segments());
  info.num_empty = 0;
  info.num_rows = 0;
  compensated_sum squares;
  compensated_sum freedom;
  for (std::size_t i = 0; i < num_slots_of(m); ++i) {
    if (i < m && data_.counts[i] == 0) ++info.num_empty;
    info.num_rows += data_.counts[i];
    if (i >= m || data_.counts[i] < 2) continue;
    const auto degrees = static_cast<double>(data_.counts[i] - 1);
    freedom.add(degrees);
    squares.add(degrees * data_.variances[i]);
  }
  info.mean = mean_of_rows(rows_of(data_, num_slots_of(m)), 0, num_slots_of(m));
  info.noise_variance = freedom.value() > 0.0 ? squares.value() / freedom.value() : quiet_nan();
  info.edges = data_.edges.data();
  info.constants = data_.constants.data();
  info.counts = data_.counts.data();
  info.weights = data_.weights.data();
  info.variances = data_.variances.data();
  info.standard_errors = data_.standard_errors.data();
  info.means = data_.means.empty() ? nullptr : data_.means.data();
  info.lines = data_.lines.empty() ? nullptr : data_.lines.data();
  info.options = policies_.as_options();
  info.target_dtype = data_.target_dtype;
  info.weighted = data_.weighted ? 1 : 0;
  info.routing_bytes = static_cast<std::int64_t>(routes_->bytes());
}

predict_job model::job(const zcmoe_array& x, std::int64_t n,
                       const zcmoe_predict_outputs& outputs) const {
  predict_job job{};
  job.routes = routes_.get();
  job.rows = {any(x, pivot_), n};
  job.report = outputs.report;
  const auto add = [&](const zcmoe_output& output, const void* wide, const void* narrow) {
    if (output.data == nullptr) return;
    const int size = static_cast<int>(size_of(output.dtype));
    const bool values = wide == view_.constants;
    job.gathers[job.num_gathers++] = {size == 8 ? wide : narrow,
                                      values ? view_.lines : nullptr,
                                      output.data,
                                      output.stride,
                                      size,
                                      values && view_.lines == nullptr};
  };
  add(outputs.values, view_.constants, view_.constants_f32);
  add(outputs.segments, nullptr, nullptr);
  add(outputs.standard_errors, view_.standard_errors, view_.standard_errors_f32);
  add(outputs.variances, variances_, variances_f32_);
  add(outputs.counts, counts_, nullptr);
  return job;
}

group_job model::job(const zcmoe_array& x, std::int64_t n,
                     const zcmoe_group_outputs& outputs) const {
  group_job job{};
  job.routes = routes_.get();
  job.num_slots = routes_->roles().num_slots();
  job.rows = {any(x, pivot_), n};
  add_outputs(outputs, job);
  return job;
}

void add_outputs(const zcmoe_group_outputs& outputs, group_job& job) {
  job.offsets = outputs.offsets;
  job.row_numbers = outputs.rows;
  for (std::int64_t c = 0; c < outputs.num_columns; ++c) {
    const zcmoe_group_column& column = outputs.columns[c];
    job.columns[job.num_columns++] = {column.from.data, column.from.stride, column.to.data,
                                      column.to.stride, static_cast<int>(size_of(column.to.dtype))};
  }
}

}  // namespace zcmoe::detail
