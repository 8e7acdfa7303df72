// The figures are told in the order in which learning comes to know them.
#include "learn_report.hpp"

#include "failure.hpp"
#include "json_summary.hpp"
#include "number.hpp"
#include "points_source.hpp"
#include "say.hpp"

#include <cmath>

namespace zcmoe::cli {

const choices partition_words = {
    {"auto", ZCMOE_PARTITION_AUTO},   {"tables", ZCMOE_PARTITION_TABLES},
    {"score", ZCMOE_PARTITION_SCORE}, {"tree", ZCMOE_PARTITION_TREE},
    {"grid", ZCMOE_PARTITION_GRID},   {"oblique", ZCMOE_PARTITION_OBLIQUE}};

namespace {

std::string right(const std::string& value, std::size_t width) {
  return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
}

/// Whether a candidate was judged, or is the model.
bool is_known(const zcmoe_learn_candidate& candidate) {
  return candidate.chosen != 0 || !std::isnan(candidate.held_out_error);
}

}  // namespace

double unexplained(const zcmoe_learn_report& report, const zcmoe_learn_candidate& candidate) {
  return candidate.held_out_error / report.held_out_variance;
}

void learn_report::say_all() const {
  say("engine", engine.name);
  say_rows();
  say_candidates();
  say_errors();
  say_times();
  say("model", arguments.output == "-" ? "standard output" : arguments.output);
}

bool learn_report::is_sample() const { return model.num_rows < summary.report.rows_used; }

void learn_report::say_rows() const {
  say_rows_read(summary.tally, rows);
  say("rows learned",
      text(grouped(model.num_rows),
           is_sample() ? text(", a sample of ", grouped(summary.report.rows_used)) : ""));
  const std::string names = list_in_words(summary.input_names);
  say("inputs", text(model.num_inputs, names.empty() ? "" : ": ", names));
  if (!summary.target_name.empty()) say("target", summary.target_name);
}

void learn_report::say_candidates() const {
  say("kinds of model", summary.report.rows_held_out == 0
                            ? "not judged: too few rows to hold some out"
                            : text("judged by ", grouped(summary.report.rows_held_out),
                                   " of these rows, then learned from all"));
  say("", right("held-out RMS", 14) + right("1 - R^2", 11) + right("look-ups", 10) +
              right("segments", 10) + right("ns a row", 10) + right("bytes", 12));
  for (const zcmoe_learn_candidate& candidate : summary.report.candidates) {
    if (!is_known(candidate)) continue;
    const bool judged = !std::isnan(candidate.held_out_error);
    const double left = unexplained(summary.report, candidate);
    say("  " + word_of(partition_words, candidate.partition),
        right(judged ? readable(std::sqrt(candidate.held_out_error)) : "-", 14) +
            right(std::isfinite(left) ? readable(left) : "-", 11) +
            right(grouped(candidate.num_banks), 10) +
            right(candidate.num_segments > 0 ? grouped(candidate.num_segments) : "-", 10) +
            right(fixed(candidate.ns, 0, 1), 10) + right(grouped(candidate.bytes), 12) +
            (candidate.chosen != 0 ? "  chosen" : ""));
  }
}

void learn_report::say_errors() const {
  say("noise estimate", text(readable(std::sqrt(model.noise_variance)),
                             " (root mean square distance of the rows from their answers)"));
  if (!summary.judged) return;
  const std::string from = summary.plane_rows < summary.report.rows_used
                               ? text(", from ", grouped(summary.plane_rows), " rows")
                               : "";
  say_holdout(summary.error, text(" (least squares in all inputs", from, ")"),
              summary.not_predicted);
}

void learn_report::say_times() const {
  const std::int64_t read = summary.tally.rows_read;
  const bool mapped = rows.rows() >= 0;
  say_step("read", summary.reading.seconds(), mapped ? 0 : read * rows.times_read());
  say_step("learn", summary.learning.seconds(), model.num_rows);
  if (summary.judged)
    say_step("predict", summary.predicting.seconds(), summary.error.rows() + summary.not_predicted);
  say_step("total", summary.total.seconds(), read);
}

std::vector<json_object> learn_report::candidates_as_json() const {
  std::vector<json_object> all;
  for (const zcmoe_learn_candidate& candidate : summary.report.candidates) {
    if (!is_known(candidate)) continue;
    json_object json;
    json.set("partition", word_of(partition_words, candidate.partition));
    json.set("chosen", candidate.chosen != 0);
    json.set("held_out_rms", std::sqrt(candidate.held_out_error));
    json.set("unexplained", unexplained(summary.report, candidate));
    json.set("look_ups", candidate.num_banks);
    json.set("segments", candidate.num_segments);
    json.set("ns_estimate", candidate.ns);
    json.set("bytes", candidate.bytes);
    all.push_back(std::move(json));
  }
  return all;
}

std::string learn_report::as_json() const {
  json_object json = json_of_engine(engine);
  json.set("inputs", arguments.table.inputs);
  json.set("format", rows.format());
  add_tally(json, summary.tally, rows.first_unparsable());
  json.set("rows_fitted", model.num_rows);
  json.set("rows_sampled_from", summary.report.rows_used);
  json.set("rows_held_out", summary.tally.rows_held_out);
  json.set("num_inputs", model.num_inputs);
  if (summary.input_names.empty()) {
    json.set("input_names", nullptr);
  } else {
    json.set("input_names", summary.input_names);
  }
  json.set_null_if_empty("target_name", summary.target_name);
  json.set("nan_policy", word_of(nan_policy_words, arguments.model.options.nan_policy));
  json.set("range_policy", word_of(range_policy_words, arguments.model.options.range_policy));
  json.set("weighted", summary.weighted);
  json.set("weights_kind", word_of(weights_words, arguments.model.options.weights_kind));
  json.set("partition_asked", word_of(partition_words, arguments.several.partition));
  if (arguments.several.budget_ns) json.set("budget_ns", *arguments.several.budget_ns);
  if (arguments.several.budget_bytes) json.set("budget_bytes", *arguments.several.budget_bytes);
  json.set("partition", word_of(partition_words, model.partition));
  json.set("look_ups", model.num_banks);
  json.set("segments", model.num_segments);
  json.set("bytes", model.bytes);
  json.set("rows_judging_kinds", summary.report.rows_held_out);
  json.set("candidates", candidates_as_json());
  json.set("noise_standard_deviation", std::sqrt(model.noise_variance));
  if (summary.judged) {
    json.set("holdout", holdout_as_json(arguments.holdout, arguments.seed, summary.error,
                                        summary.not_predicted));
  }
  const std::int64_t read = summary.tally.rows_read;
  const std::int64_t predicted = summary.error.rows() + summary.not_predicted;
  json.set("seconds", json_object()
                          .set("read", summary.reading.seconds())
                          .set("learn", summary.learning.seconds())
                          .set("predict", summary.predicting.seconds())
                          .set("total", summary.total.seconds()));
  json.set("rows_per_second",
           json_object()
               .set("read", rows_per_second(read * rows.times_read(), summary.reading.seconds()))
               .set("learn", rows_per_second(model.num_rows, summary.learning.seconds()))
               .set("predict", rows_per_second(predicted, summary.predicting.seconds()))
               .set("total", rows_per_second(read, summary.total.seconds())));
  json.set("bytes_read", summary.bytes_read);
  json.set("model", arguments.output);
  return json.text();
}

}  // namespace zcmoe::cli
