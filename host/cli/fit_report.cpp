// The figures are told in the order in which the steps of a fit come to know them.
#include "fit_report.hpp"

#include "failure.hpp"
#include "json_summary.hpp"
#include "number.hpp"
#include "plan_report.hpp"
#include "say.hpp"

#include <cmath>

namespace zcmoe::cli {
namespace {

std::string segmentation_in_words(const segmentation_choice& segmentation) {
  if (!segmentation.edges_file.empty()) return text("edges of ", segmentation.edges_file);
  return word_of(segmentation_words, segmentation.kind);
}

std::string range_policy_in_words(std::int32_t policy) {
  switch (policy) {
    case ZCMOE_RANGE_CLAMP: return "clamped";
    case ZCMOE_RANGE_SEGMENTS: return "in segments of their own";
    default: return "skipped";
  }
}

/// A kind that was not taken, before its error.
const char* kind_in_words(const fit_summary::kind_error& kind) {
  switch (kind.experts) {
    case ZCMOE_EXPERTS_LINEAR: return "lines ";
    case ZCMOE_EXPERTS_INTERPOLATE: return "shared values ";
    default: return kind.constants == ZCMOE_CONSTANTS_SMOOTH ? "smooth ones " : "means ";
  }
}

}  // namespace

double rows_per_second(std::int64_t rows, double seconds) {
  return seconds > 0 ? static_cast<double>(rows) / seconds : 0.0;
}

void say_step(const char* name, double seconds, std::int64_t rows) {
  std::string value = fixed(seconds, 10, 4) + " s";
  if (rows > 0 && seconds > 0)
    value += " " + fixed(rows_per_second(rows, seconds) / 1e6, 10, 3) + " M rows/s";
  say(name, value);
}

void say_rows_read(const row_tally& tally, const row_source& rows) {
  say("rows read", grouped(tally.rows_read));
  say("rows skipped", tally.skipped_in_words());
  if (!rows.first_unparsable().empty())
    say("not a number", text("first: ", rows.first_unparsable()));
}

void say_holdout(const holdout_error& error, const std::string& of_line,
                 std::int64_t not_predicted) {
  say("held-out RMSE", text("on ", grouped(error.rows()), " rows"));
  say("  this model", readable(error.model()));
  say("  straight line", readable(error.line()) + of_line);
  say("  best constant", readable(error.constant()));
  if (not_predicted > 0) say("  not predicted", text(grouped(not_predicted), " rows"));
}

json_object holdout_as_json(double fraction, std::uint64_t seed, const holdout_error& error,
                            std::int64_t not_predicted) {
  json_object json;
  json.set("fraction", fraction);
  json.set("seed", seed);
  json.set("rows", error.rows());
  json.set("rows_not_predicted", not_predicted);
  json.set("rmse", error.model());
  json.set("rmse_line", error.line());
  json.set("rmse_constant", error.constant());
  return json;
}

void fit_report::say_all() const {
  say("engine", engine.name);
  say_rows();
  say_segments();
  say_errors();
  say_times();
  say("model", arguments.output == "-" ? "standard output" : arguments.output);
}

void fit_report::say_rows() const {
  say_rows_read(summary.tally, rows);
  say("rows fitted", grouped(model.num_rows));
  const zcmoe_report& report = summary.report;
  if (report.below_range > 0 || report.above_range > 0) {
    say("out of range",
        text(grouped(report.below_range), " below, ", grouped(report.above_range),
             " above: ", range_policy_in_words(arguments.model.options.range_policy)));
  }
  if (report.nan_inputs > 0)
    say("missing input", text(grouped(report.nan_inputs), " in a segment of their own"));
}

void fit_report::say_segments() const {
  const segmentation_choice& segmentation = arguments.segmentation;
  const edge_table& edges = summary.edges;
  const bool planned = edges.plan.has_value();
  if (planned) {
    const zcmoe_plan_candidate& chosen = edges.plan->candidates[segmentation.kind];
    say("segments chosen", recommendation_in_words(chosen));
    if (model.options.constants == ZCMOE_CONSTANTS_SMOOTH)
      say("",
          text(grouped(edges.asked), " for smooth constants, whose error hardly grows with them"));
    if (model.options.experts != ZCMOE_EXPERTS_CONSTANT)
      say("", text(grouped(edges.asked), " for lines, by their leave-one-out error"));
    for (const std::string& warning : warnings_in_words(chosen)) say("", warning);
  }
  const bool fewer = segmentation.needs_data() && model.num_segments < edges.asked;
  const std::string of_asked =
      fewer ? text(" of ", grouped(edges.asked), planned ? " chosen" : " asked for") : "";
  say("segments", text(grouped(model.num_segments), of_asked, " (",
                       segmentation_in_words(segmentation), "), ", grouped(model.num_empty),
                       " empty, inputs ", readable_range(edges.edges.front(), edges.edges.back())));
  if (edges.rows_sampled < edges.rows && edges.rows_sampled > 0) {
    say("", text("cuts chosen from a sample of ", grouped(edges.rows_sampled), " of ",
                 grouped(edges.rows), " rows"));
  }
}

void fit_report::say_errors() const {
  const bool lines = model.options.experts != ZCMOE_EXPERTS_CONSTANT;
  const bool smooth = model.options.constants == ZCMOE_CONSTANTS_SMOOTH;
  std::string kind = lines    ? experts_in_words(model.options.experts)
                     : smooth ? "smooth: a fit to the means of all segments"
                              : "means of their rows";
  std::string others;
  for (const fit_summary::kind_error& other : summary.compared) {
    const bool chosen = other.experts == model.options.experts &&
                        (lines || other.constants == model.options.constants);
    if (chosen) {
      kind += "; leave-one-out error " + readable(other.error);
    } else {
      others += text(others.empty() ? ", of " : ", ", kind_in_words(other), readable(other.error));
    }
  }
  if (lines || smooth || !summary.compared.empty())
    say(lines ? "experts" : "constants", kind + others);
  say("noise estimate",
      text(readable(std::sqrt(model.noise_variance)), " (standard deviation within segments",
           precision_in_words(model), ")"));
  if (summary.judged) say_holdout(summary.error, "", summary.not_predicted);
}

void fit_report::say_times() const {
  // A mapped file is read from the disk by the steps that touch it, so reading has no rate of its
  // own.
  const bool mapped = rows.rows() >= 0;
  const std::int64_t read = summary.tally.rows_read;
  say_step("read", summary.reading.seconds(), mapped ? 0 : read * rows.times_read());
  say_step("segment", summary.segmenting.seconds(), summary.edges.rows > 0 ? read : 0);
  say_step("fit", summary.fitting.seconds(), model.num_rows);
  if (summary.judged)
    say_step("predict", summary.predicting.seconds(), summary.error.rows() + summary.not_predicted);
  say_step("total", summary.total.seconds(), read);
}

std::string fit_report::as_json() const {
  const segmentation_choice& segmentation = arguments.segmentation;
  const edge_table& edges = summary.edges;
  const bool given = !segmentation.edges_file.empty();
  json_object json = json_of_engine(engine);
  json.set("inputs", arguments.table.inputs);
  json.set("format", rows.format());
  add_tally(json, summary.tally, rows.first_unparsable());
  json.set("rows_fitted", model.num_rows);
  json.set("rows_held_out", summary.tally.rows_held_out);
  // The next three counts are of rows that are not held out.
  json.set("range_policy", word_of(range_policy_words, arguments.model.options.range_policy));
  json.set("below_range", summary.report.below_range);
  json.set("above_range", summary.report.above_range);
  json.set("nan_inputs", summary.report.nan_inputs);
  json.set("target_dtype", model.target_dtype == ZCMOE_F32 ? "f32" : "f64");
  json.set("weighted", model.weighted != 0);
  json.set("weights_kind", word_of(weights_words, model.options.weights_kind));
  json.set("segmentation", given ? "edges" : word_of(segmentation_words, segmentation.kind));
  json.set("segments_asked", given ? edges.segments() : edges.asked);
  if (edges.plan.has_value())
    json.set("plan", zcmoe::cli::as_json(edges.plan->candidates[segmentation.kind]));
  json.set("segments", model.num_segments);
  json.set("empty_segments", model.num_empty);
  json.set("range", std::vector<double>{edges.edges.front(), edges.edges.back()});
  json.set("rows_sampled", edges.rows_sampled);
  if (!summary.compared.empty()) {
    json_object errors;
    for (const fit_summary::kind_error& kind : summary.compared) {
      errors.set(kind.experts == ZCMOE_EXPERTS_CONSTANT ? word_of(constants_words, kind.constants)
                                                        : word_of(experts_words, kind.experts),
                 kind.error);
    }
    json.set("leave_one_out", errors);
  }
  json.set("experts", word_of(experts_words, model.options.experts));
  json.set("constants_kind", word_of(constants_words, model.options.constants));
  json.set("mean", model.mean);
  json.set("noise_standard_deviation", std::sqrt(model.noise_variance));
  if (summary.judged) {
    json_object judged =
        holdout_as_json(arguments.holdout, arguments.seed, summary.error, summary.not_predicted);
    judged.set("line_slope", summary.line.slope());
    judged.set("line_intercept", summary.line.intercept());
    judged.set("constant", summary.line.mean_y());
    json.set("holdout", judged);
  }
  const auto seconds = [](const stopwatch& watch) { return watch.seconds(); };
  json.set("seconds", json_object()
                          .set("read", seconds(summary.reading))
                          .set("segment", seconds(summary.segmenting))
                          .set("fit", seconds(summary.fitting))
                          .set("predict", seconds(summary.predicting))
                          .set("total", seconds(summary.total)));
  const std::int64_t read = summary.tally.rows_read;
  const std::int64_t predicted = summary.error.rows() + summary.not_predicted;
  json.set(
      "rows_per_second",
      json_object()
          .set("read", rows_per_second(read * rows.times_read(), seconds(summary.reading)))
          .set("segment", rows_per_second(edges.rows > 0 ? read : 0, seconds(summary.segmenting)))
          .set("fit", rows_per_second(model.num_rows, seconds(summary.fitting)))
          .set("predict", rows_per_second(predicted, seconds(summary.predicting)))
          .set("total", rows_per_second(read, seconds(summary.total))));
  json.set("bytes_read", summary.bytes_read);
  json.set("model", arguments.output);
  return json.text();
}

}  // namespace zcmoe::cli
