// zcmoe inspect: what a model file holds, for people, as JSON, or as a CSV table of its segments.
#include "arguments.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "inspect_points.hpp"
#include "json_object.hpp"
#include "model_input.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "points_insight.hpp"
#include "points_risk.hpp"
#include "say.hpp"

#include <zcmoe/plan.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::cli {
namespace {

constexpr std::int64_t max_lines_shown = 24;
constexpr std::size_t max_worst_shown = 5;

struct inspect_arguments {
  std::string model;
  seen_choice seen;
  std::string first_input;  // the first --x
  double confidence = 0.95;
  bool json = false;
  bool csv = false;
};

/// What is shown: the model, and what it says of itself.
struct inspected {
  std::string path;
  zcmoe_model_info info;
  double confidence;
  intervals means;
  std::optional<diagnosis> errors;  // none where no segment has two rows

  inspected(const inspect_arguments& arguments, const model& model)
      : path(arguments.model),
        info(model.info()),
        confidence(arguments.confidence),
        means(intervals_of(model, arguments.confidence)) {
    try {
      errors = diagnose(model);
    } catch (const error& e) {
      if (e.status() != ZCMOE_ERR_DATA) throw;
    }
  }

  /// What a segment adds to the approximation error and the estimation error. A segment of one row
  /// has no variance and so no known estimation error: it counts by its approximation error.
  double excess(std::size_t segment) const {
    const double approximation = errors->approximation[segment];
    const double estimation = errors->estimation[segment];
    return (std::isnan(approximation) ? 0.0 : approximation) +
           (std::isnan(estimation) ? 0.0 : estimation);
  }
  /// The segments that add most, the worst first.
  std::vector<std::size_t> worst() const {
    std::vector<std::size_t> order(errors->approximation.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t shown = std::min(max_worst_shown, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown),
                      order.end(), [&](std::size_t a, std::size_t b) {
                        return excess(a) != excess(b) ? excess(a) > excess(b) : a < b;
                      });
    order.resize(shown);
    return order;
  }
};

template <class T>
std::vector<T> values_of(const T* data, std::int64_t size) {
  return std::vector<T>(data, data + size);
}

std::string target_dtype_of(const zcmoe_model_info& info) {
  if (info.target_dtype == ZCMOE_F32) return "f32";
  if (info.target_dtype == ZCMOE_F64) return "f64";
  return "none";
}

json_object diagnosis_as_json(const inspected& seen) {
  const zcmoe_model_diagnosis& d = seen.errors->totals;
  json_object json;
  json.set("risk", d.risk);
  json.set("risk_standard_error", d.risk_error);
  json.set("noise", d.noise);
  json.set("approximation", d.approximation);
  json.set("approximation_standard_error", d.approximation_error);
  json.set("estimation", d.estimation);
  json.set("leave_one_out", d.leave_one_out);
  json.set("equal_error", d.equal_error);
  json.set("best_segments", d.best_segments);
  json.set("singletons", d.num_singletons);
  json.set("starved_segments", d.num_starved);
  json.set("worst_segments", seen.worst());
  json.set("segment_approximation", seen.errors->approximation);
  json.set("segment_estimation", seen.errors->estimation);
  return json;
}

/// The parts of a line, for columns and lists.
constexpr std::pair<const char*, double zcmoe_line::*> parts_of_lines[] = {
    {"from", &zcmoe_line::from},
    {"to", &zcmoe_line::to},
    {"value", &zcmoe_line::value},
    {"slope", &zcmoe_line::slope}};

std::vector<double> values_of_lines(const zcmoe_model_info& info, double zcmoe_line::*part) {
  std::vector<double> values;
  for (std::int64_t slot = 0; slot < info.num_slots; ++slot)
    values.push_back(info.lines[slot].*part);
  return values;
}

std::string as_json(const inspected& seen) {
  const zcmoe_model_info& info = seen.info;
  const zcmoe_model_options& options = info.options;
  json_object json;
  json.set("file", seen.path);
  json.set("segments", info.num_segments);
  json.set("empty_segments", info.num_empty);
  json.set("rows", info.num_rows);
  json.set("routing_bytes", info.routing_bytes);
  json.set("range", std::vector<double>{info.edges[0], info.edges[info.num_segments]});
  json.set("mean", info.mean);
  json.set("noise_variance", info.noise_variance);
  json.set("feature_name", options.feature_name);
  json.set("target_name", options.target_name);
  json.set("target_dtype", target_dtype_of(info));
  json.set("weighted", info.weighted != 0);
  json.set("weights_kind", word_of(weights_words, options.weights_kind));
  json.set("closed_side", word_of(closed_side_words, options.closed_side));
  json.set("include_outer_edge", options.include_outer_edge != 0);
  json.set("nan_policy", word_of(nan_policy_words, options.nan_policy));
  json.set("nan_value", options.nan_value);
  json.set("range_policy", word_of(range_policy_words, options.range_policy));
  json.set("range_value", options.range_value);
  json.set("empty_policy", word_of(empty_policy_words, options.empty_policy));
  json.set("empty_value", options.empty_value);
  json.set("shrinkage", options.shrinkage);
  json.set("constants_kind", word_of(constants_words, options.constants));
  json.set("experts", word_of(experts_words, options.experts));
  json.set("edges", values_of(info.edges, info.num_segments + 1));
  // The segments, then those of NaN, underflow and overflow inputs. NaN is null in JSON.
  json.set("constants", values_of(info.constants, info.num_slots));
  if (info.means != nullptr) json.set("means", values_of(info.means, info.num_slots));
  if (info.lines != nullptr) {
    for (const auto& [name, part] : parts_of_lines)
      json.set(text("line_", name), values_of_lines(info, part));
  }
  json.set("counts", values_of(info.counts, info.num_slots));
  json.set("weights", values_of(info.weights, info.num_slots));
  json.set("variances", values_of(info.variances, info.num_slots));
  json.set("standard_errors", values_of(info.standard_errors, info.num_slots));
  json.set("confidence", seen.confidence);
  json.set("means_lower", seen.means.lower);
  json.set("means_upper", seen.means.upper);
  if (seen.errors.has_value()) {
    json.set("diagnosis", diagnosis_as_json(seen));
  } else {
    json.set("diagnosis", nullptr);
  }
  return json.text();
}

/// Whether a slot is used: those behind the segments (NaN, below, above) only if a policy says so.
bool slot_in_use(const zcmoe_model_info& info, std::int64_t slot) {
  if (slot < info.num_segments) return true;
  return slot == info.num_segments ? info.options.nan_policy == ZCMOE_NAN_SEGMENT
                                   : info.options.range_policy == ZCMOE_RANGE_SEGMENTS;
}

void write_csv(output_file& output, const inspected& seen) {
  const zcmoe_model_info& info = seen.info;
  output.write(
      "segment,lower,upper,constant,count,weight,variance,standard_error,mean_lower,mean_upper,"
      "approximation,estimation");
  // Smooth constants stand beside the means of the rows, lines beside their values there.
  if (info.means != nullptr) output.write(",mean");
  for (const auto& [name, part] : parts_of_lines) {
    if (info.lines != nullptr) output.write(text(",line_", name));
  }
  output.write("\n");
  std::string line;
  for (std::int64_t slot = 0; slot < info.num_slots; ++slot) {
    if (!slot_in_use(info, slot)) continue;
    line = std::to_string(slot) + ",";
    if (slot < info.num_segments) {
      append_shortest(line, info.edges[slot]);
      line += ',';
      append_shortest(line, info.edges[slot + 1]);
    } else if (slot == info.num_segments) {
      line += "nan,nan";
    } else {
      const bool below = slot == info.num_segments + 1;
      line += below ? "-inf," : "";
      append_shortest(line, info.edges[below ? 0 : info.num_segments]);
      line += below ? "" : ",inf";
    }
    line += ',';
    append_shortest(line, info.constants[slot]);
    line += "," + std::to_string(info.counts[slot]);
    for (const double* column : {info.weights, info.variances, info.standard_errors,
                                 seen.means.lower.data(), seen.means.upper.data()}) {
      line += ',';
      append_shortest(line, column[slot]);
    }
    // The slots for NaN and for inputs out of range have no share of the errors along the line.
    for (const auto column : {&diagnosis::approximation, &diagnosis::estimation}) {
      line += ',';
      const bool known = seen.errors.has_value() && slot < info.num_segments;
      append_shortest(line, known ? ((*seen.errors).*column)[static_cast<std::size_t>(slot)]
                                  : std::numeric_limits<double>::quiet_NaN());
    }
    if (info.means != nullptr) {
      line += ',';
      append_shortest(line, info.means[slot]);
    }
    for (const auto& [name, part] : parts_of_lines) {
      if (info.lines == nullptr) break;
      line += ',';
      append_shortest(line, info.lines[slot].*part);
    }
    line += '\n';
    output.write(line);
  }
}

std::string padded(const std::string& value, std::size_t width) {
  return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
}

void add_diagnosis(text_page& page, const inspected& seen) {
  if (!seen.errors.has_value()) {
    page.add("expected error", "unknown: no segment has two rows");
    return;
  }
  const zcmoe_model_diagnosis& d = seen.errors->totals;
  const auto part = [&](double value) {
    return text(readable(value),
                d.risk > 0 ? text(" (", readable(100 * value / d.risk), " %)") : "");
  };
  page.add("expected error",
           text(readable(d.risk), " +- ", readable(d.risk_error), " squared, RMSE ",
                readable(std::sqrt(d.risk)), " on new rows like those fitted",
                seen.info.weighted != 0 ? ", by weight" : ""));
  if (std::isnan(d.approximation)) {
    page.add("  noise and width", text(part(d.risk - d.estimation),
                                       ": the target jumps, at edges or inside of segments; "
                                       "the two cannot be told apart"));
  } else {
    page.add("  noise", part(d.noise));
    page.add("  segments' width",
             text(part(d.approximation), ", +- ", readable(d.approximation_error),
                  ": falls with more segments"));
  }
  page.add("  few rows", text(part(d.estimation), ": falls with more rows"));
  page.add("leave-one-out", std::isnan(d.leave_one_out) ? "not known" : readable(d.leave_one_out));
  if (!std::isnan(d.equal_error)) {
    page.add("equal errors",
             text(readable(d.equal_error),
                  " of the width's part would be left if cuts made it equal everywhere"));
  }
  if (!std::isnan(d.best_segments)) {
    page.add("balance",
             text(d.best_segments < 1.5 ? "one segment"
                                        : text("about ", readable(std::round(d.best_segments)),
                                               " segments cut in these proportions"),
                  " would do best with these rows"));
  }
  if (d.num_starved > 0) {
    page.add("starved", text(grouped(d.num_starved), " segments have fewer than 5 rows, ",
                             grouped(d.num_singletons), " of them one"));
  }
  page.add("");
  page.add(" worst segments     from          to       count       width    few rows");
  for (const std::size_t i : seen.worst()) {
    const double lower = seen.info.edges[i];
    const double upper = seen.info.edges[i + 1];
    page.add(padded(std::to_string(i), 8) + padded(readable_within(lower, lower, upper), 15) +
             padded(readable_within(upper, lower, upper), 12) +
             padded(std::to_string(seen.info.counts[i]), 12) +
             padded(std::isnan(seen.errors->approximation[i])
                        ? "-"
                        : readable(seen.errors->approximation[i]),
                    12) +
             padded(readable(seen.errors->estimation[i]), 12));
  }
}

std::string as_text(const inspected& seen) {
  text_page page;
  const zcmoe_model_info& info = seen.info;
  const zcmoe_model_options& options = info.options;
  const auto with_value = [](const std::string& word, double value) {
    return word == "value" ? text(word, " ", readable(value)) : word;
  };
  page.add("file", seen.path);
  page.add("segments", text(grouped(info.num_segments), ", ", grouped(info.num_empty), " empty"));
  page.add("range", readable_range(info.edges[0], info.edges[info.num_segments]));
  if (options.feature_name != nullptr) page.add("input", options.feature_name);
  if (options.target_name != nullptr) page.add("target", options.target_name);
  page.add("rows", grouped(info.num_rows));
  page.add("routing tables", text(grouped(info.routing_bytes), " bytes"));
  page.add("target type", text(target_dtype_of(info), info.weighted != 0 ? ", weighted" : ""));
  if (info.weighted != 0) {
    page.add("weights", has_precisions(info)
                            ? "precision: the variance of a row is inverse to its weight"
                            : "sampling: how much a row counts for; all are equally noisy");
  }
  page.add("mean of targets", readable(info.mean));
  page.add("noise estimate",
           text(readable(std::sqrt(info.noise_variance)), " (standard deviation within segments",
                precision_in_words(info), ")"));
  page.add("closed side",
           text(word_of(closed_side_words, options.closed_side),
                options.include_outer_edge != 0 ? ", outer edge included" : ", outer edge open"));
  page.add("missing input",
           with_value(word_of(nan_policy_words, options.nan_policy), options.nan_value));
  page.add("out of range",
           with_value(word_of(range_policy_words, options.range_policy), options.range_value));
  page.add("empty segments",
           with_value(word_of(empty_policy_words, options.empty_policy), options.empty_value));
  if (options.shrinkage > 0) page.add("shrinkage", readable(options.shrinkage));
  if (options.constants == ZCMOE_CONSTANTS_SMOOTH)
    page.add("constants", "smooth: a fit to the means of all segments");
  if (info.lines != nullptr) page.add("experts", experts_in_words(options.experts));

  add_diagnosis(page, seen);

  page.add("");
  page.add(text(" segment        from          to       count    constant  std. error     ",
                readable(100 * seen.confidence), " % interval of the mean",
                info.lines != nullptr ? "       slope" : ""));
  const bool all = info.num_segments <= max_lines_shown;
  for (std::int64_t slot = 0; slot < info.num_slots; ++slot) {
    if (!slot_in_use(info, slot)) continue;
    if (!all && slot == max_lines_shown / 2) {
      page.add(text("     ... ", grouped(info.num_segments - max_lines_shown),
                    " more; --csv shows all"));
      slot = info.num_segments - max_lines_shown / 2;
    }
    std::string row = padded(std::to_string(slot), 8);
    if (slot < info.num_segments) {
      const double from = info.edges[slot];
      const double to = info.edges[slot + 1];
      row +=
          padded(readable_within(from, from, to), 12) + padded(readable_within(to, from, to), 12);
    } else {
      const char* const names[] = {"missing", "below", "above"};
      row += padded(names[slot - info.num_segments], 24);
    }
    const double lower = seen.means.lower[static_cast<std::size_t>(slot)];
    const double upper = seen.means.upper[static_cast<std::size_t>(slot)];
    row += padded(std::to_string(info.counts[slot]), 12) +
           padded(readable_within(info.constants[slot], lower, upper), 12) +
           padded(readable(info.standard_errors[slot]), 12) +
           padded(readable_within(lower, lower, upper), 12) +
           padded(readable_within(upper, lower, upper), 12);
    if (info.lines != nullptr) row += padded(readable(info.lines[slot].slope), 12);
    page.add(row);
  }
  return page.text();
}

void inspect_several(const inspect_arguments& arguments, const model& model,
                     const zcmoe_points_info& info) {
  const inspected_points seen(arguments.model, model, info);
  if (arguments.csv) {
    write_to_stdout(seen.as_csv());
    return;
  }
  const std::optional<risk_curve> risk = risk_of(model, seen);
  std::optional<points_insight> insight;
  if (!arguments.seen.table.inputs.empty()) {
    const auto rows = open_seen(arguments.seen, info);
    check_outputs({{"standard output", "-"}}, rows->files());
    insight.emplace(model, seen, read_seen(arguments.seen, *rows, model, true));
  }
  const points_insight* const told = insight.has_value() ? &*insight : nullptr;
  write_to_stdout(arguments.json ? seen.as_json(told, risk) : seen.as_text(told, risk));
}

}  // namespace

command_body add_inspect_command(parser& command) {
  auto arguments = std::make_shared<inspect_arguments>();
  command.add_option("model", arguments->model, "model file").type_name("MODEL").required();
  add_table_options(command, arguments->seen.table, false);
  add_input_option(command, arguments->first_input, &arguments->seen.inputs,
                   "input column, one for each input of the model, in its order (those that the "
                   "model was learned from)");
  command
      .add_option("--y", arguments->seen.target,
                  "target column (that which the model was learned from)")
      .type_name("COLUMN");
  command
      .add_option("--sample-rows", arguments->seen.sample_rows,
                  "look at an evenly spread sample if there are more rows")
      .check_range(std::int64_t{2}, std::int64_t{1} << 26)
      .type_name("N")
      .capture_default_str();
  command.add_flag("--json", arguments->json, "everything, as one JSON object");
  command.add_flag("--csv", arguments->csv, "the segments alone, as a CSV table")
      .excludes("--json");
  command
      .add_option("--confidence", arguments->confidence,
                  "level of the intervals of the segments' true means, 0 to 1")
      .type_name("LEVEL")
      .capture_default_str();
  command.footer(
      "Of a model of several inputs rows behind its name tell how much each input and pair matters "
      "and where it errs.\n"
      "The intervals hold the mean of the target over a segment, not its value at one input, and "
      "not single targets.\n"
      "Examples:\n"
      "  zcmoe inspect model.safetensors\n"
      "  zcmoe inspect model.safetensors --csv > segments.csv\n"
      "  zcmoe inspect model.safetensors data.csv                     several inputs\n"
      "  zcmoe inspect model.safetensors --json | jq .noise_variance");
  return [arguments, command] {
    if (!(arguments->confidence > 0 && arguments->confidence < 1))
      fail_usage("--confidence ", readable(arguments->confidence), ": not between 0 and 1");
    for (const char* const option : {"--x", "--y", "--sample-rows"}) {
      if (arguments->seen.table.inputs.empty() && command.given(option))
        fail_usage(option, ": there are no rows (name a table behind the model)");
    }
    if (arguments->csv && !arguments->seen.table.inputs.empty())
      fail_usage("--csv: the segments alone, without ", arguments->seen.table.inputs[0]);
    const context cpu(ZCMOE_ENGINE_CPU);
    const model model = load_model(cpu, arguments->model);
    check_outputs({{"standard output", "-"}}, {arguments->model});
    if (const auto several = points_info_of(model)) {
      if (command.given("--confidence")) {
        fail_usage("--confidence: not for models of several inputs yet (", arguments->model,
                   " has ", several->num_inputs, ")");
      }
      inspect_several(*arguments, model, *several);
      return;
    }
    if (!arguments->seen.table.inputs.empty()) {
      fail_usage(arguments->seen.table.inputs[0], ": ", arguments->model,
                 " is a model of one input, which tells of itself without rows");
    }
    const inspected seen(*arguments, model);
    output_file output("-");
    if (arguments->json) {
      output.write(as_json(seen));
    } else if (arguments->csv) {
      write_csv(output, seen);
    } else {
      output.write(as_text(seen));
    }
    output.commit();
  };
}

}  // namespace zcmoe::cli
