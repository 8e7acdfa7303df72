// The words for what a plan says, and the keys of its JSON.
#include "plan_report.hpp"

#include "failure.hpp"
#include "json_summary.hpp"
#include "number.hpp"

#include <cmath>
#include <limits>

namespace zcmoe::cli {
namespace {

struct warning_text {
  std::int64_t bit;
  const char* key;
  const char* words;
};
const warning_text warning_texts[] = {
    {ZCMOE_PLAN_FEW_ROWS, "few_rows",
     "too few rows for the fitted form: the number with the least leave-one-out error"},
    {ZCMOE_PLAN_NOT_HIGH_RATE, "not_high_rate",
     "the error does not fall as 1/m^2 here: predictions for other numbers of segments are rough"},
    {ZCMOE_PLAN_JUMPS, "jumps",
     "the error falls as 1/m: the target jumps, or has features shorter than a segment"},
    {ZCMOE_PLAN_STARVED, "starved",
     "more than one segment in ten holds fewer than 5 rows: try another segmentation or --range"},
    {ZCMOE_PLAN_AT_LIMIT, "at_limit",
     "the best number is at the limit (--max-segments, or one row a segment)"},
    {ZCMOE_PLAN_HOLDOUT_DISAGREES, "holdout_disagrees",
     "the held-out error differs from the one predicted by more than 3 standard errors"},
    {ZCMOE_PLAN_NO_SIGNAL, "no_signal",
     "the input says nothing of the target as far as can be seen"},
    {ZCMOE_PLAN_CONSTANT, "constant",
     "all inputs are equal, or all targets: one segment says it all"},
    {ZCMOE_PLAN_TIED, "tied",
     "the inputs have fewer distinct values than segments of this kind would take"},
};

std::string method_of(const zcmoe_plan_candidate& candidate) {
  if (candidate.method == ZCMOE_PLAN_PILOT) return "pilot";
  return candidate.method == ZCMOE_THEORY_PARAMETRIC ? "parametric" : "leave-one-out";
}

const char* verdict_of(const zcmoe_theory_ratio& test) {
  if (test.verdict == ZCMOE_THEORY_HOLDS) return "holds";
  return test.verdict == ZCMOE_THEORY_FAILS ? "fails" : "uninformative";
}

}  // namespace

std::string kind_of(const zcmoe_plan_candidate& c) {
  return word_of(segmentation_words, static_cast<std::int32_t>(c.segmentation));
}

std::string recommendation_in_words(const zcmoe_plan_candidate& c) {
  const char* const how = c.method == ZCMOE_PLAN_PILOT
                              ? "least on a spline estimate of the relation"
                          : c.method == ZCMOE_THEORY_PARAMETRIC ? "fitted A/m^2 + sigma^2 m/n"
                                                                : "least leave-one-out error";
  std::string words = grouped(c.num_segments);
  if (c.upper - c.lower >= 1) {
    words +=
        text(c.method == ZCMOE_THEORY_PARAMETRIC ? ", best between " : ", about as good between ",
             grouped(std::llround(c.lower)), " and ", grouped(std::llround(c.upper)));
  }
  return text(words, "; excess risk ", readable(c.excess), " expected (", how, ")");
}

std::vector<std::string> warnings_in_words(const zcmoe_plan_candidate& c) {
  std::vector<std::string> words;
  for (const warning_text& w : warning_texts) {
    if ((c.warnings & w.bit) != 0) words.push_back(text("warning: ", w.words));
  }
  if ((c.warnings & ZCMOE_PLAN_TIED) != 0) {
    words.back() += text(": ", grouped(c.num_nonempty), " hold rows");
  }
  return words;
}

std::vector<best_of_experts> best_of_each_kind(const zcmoe_plan_result& plan) {
  std::vector<best_of_experts> kinds;
  const auto add = [&](std::int32_t experts, std::int64_t best, double zcmoe_plan_level::*error) {
    const zcmoe_plan_candidate& c = plan.candidates[best];
    best_of_experts kind{experts, &c, 0, std::numeric_limits<double>::quiet_NaN()};
    for (std::int64_t i = 0; i < c.num_levels; ++i) {
      if (c.levels[i].*error >= kind.error || std::isnan(c.levels[i].*error)) continue;
      kind.error = c.levels[i].*error;
      kind.num_segments = c.levels[i].num_segments;
    }
    if (kind.num_segments > 0) kinds.push_back(kind);
  };
  add(ZCMOE_EXPERTS_CONSTANT, plan.best, &zcmoe_plan_level::leave_one_out);
  add(ZCMOE_EXPERTS_LINEAR, plan.best_linear, &zcmoe_plan_level::linear_leave_one_out);
  add(ZCMOE_EXPERTS_INTERPOLATE, plan.best_interpolate,
      &zcmoe_plan_level::interpolate_leave_one_out);
  return kinds;
}

json_object as_json(const zcmoe_plan_candidate& c) {
  json_object json;
  json.set("segmentation", kind_of(c));
  json.set("segments", c.num_segments);
  json.set("segments_with_rows", c.num_nonempty);
  json.set("segments_interval", std::vector<double>{c.lower, c.upper});
  json.set("method", method_of(c));
  json.set("excess_risk", c.excess);
  json.set("excess_risk_interval", std::vector<double>{c.excess_lower, c.excess_upper});
  json.set("risk", c.risk);
  json.set("approximation", c.approximation);
  json.set("estimation", c.estimation);
  json.set("a", c.fit.approximation);
  json.set("a_standard_error", c.fit.approximation_error);
  json.set("noise_variance", c.fit.noise);
  json.set("noise_variance_standard_error", c.fit.noise_error);
  json.set("ratio_test", json_object()
                             .set("segments", c.tested_segments)
                             .set("ratio", c.test.ratio)
                             .set("standard_error", c.test.standard_error)
                             .set("verdict", verdict_of(c.test)));
  json.set("leave_one_out_segments", c.leave_one_out_segments);
  json.set("linear_segments", c.linear_segments);
  json.set("interpolate_segments", c.interpolate_segments);
  json.set("holdout", json_object()
                          .set("segments", c.holdout_segments)
                          .set("checked_segments", c.checked_segments)
                          .set("risk", c.holdout_risk)
                          .set("expected", c.holdout_expected)
                          .set("standard_error", c.holdout_error));
  std::vector<std::string> warnings;
  for (const warning_text& w : warning_texts) {
    if ((c.warnings & w.bit) != 0) warnings.emplace_back(w.key);
  }
  json.set("warnings", warnings);
  std::vector<json_object> levels(static_cast<std::size_t>(c.num_levels));
  for (std::int64_t i = 0; i < c.num_levels; ++i) {
    const zcmoe_plan_level& l = c.levels[i];
    levels[static_cast<std::size_t>(i)]
        .set("segments", l.num_segments)
        .set("built", l.num_built)
        .set("nonempty", l.num_nonempty)
        .set("starved", l.num_starved)
        .set("within", l.within)
        .set("risk", l.risk)
        .set("leave_one_out", l.leave_one_out)
        .set("linear_leave_one_out", l.linear_leave_one_out)
        .set("interpolate_leave_one_out", l.interpolate_leave_one_out)
        .set("holdout", l.holdout);
  }
  json.set("levels", levels);
  return json;
}

std::string plan_as_json(const std::vector<std::string>& inputs, const zcmoe_context_info& engine,
                         const edge_table& table, const row_source& rows, double seconds) {
  const zcmoe_plan_result& plan = *table.plan;
  const zcmoe_plan_candidate& best = plan.candidates[plan.best];
  json_object json = json_of_engine(engine);
  json.set("inputs", inputs);
  json.set("format", rows.format());
  add_tally(json, table.tally, rows.first_unparsable());
  json.set("rows_outside", table.rows_outside);
  json.set("rows", table.rows);
  json.set("rows_sampled", table.rows_sampled);
  json.set("effective_rows", plan.effective_rows);
  json.set("distinct_inputs", plan.distinct_inputs);
  json.set("planned_rows", plan.fit_rows);
  json.set("range", std::vector<double>{plan.lo, plan.hi});
  json.set("noise_variance", plan.noise);
  json.set("noise_variance_standard_error", plan.noise_error);
  json.set("noise_variance_of_neighbours", plan.rice);
  json.set("segmentation", kind_of(best));
  json.set("segments", best.num_segments);
  const std::vector<best_of_experts> best_kinds = best_of_each_kind(plan);
  std::vector<json_object> kinds(best_kinds.size());
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    kinds[k]
        .set("experts", word_of(experts_words, best_kinds[k].experts))
        .set("segmentation", kind_of(*best_kinds[k].candidate))
        .set("segments", best_kinds[k].num_segments)
        .set("leave_one_out", best_kinds[k].error);
  }
  json.set("experts", kinds);
  std::vector<json_object> candidates;
  for (const zcmoe_plan_candidate& c : plan.candidates) candidates.push_back(as_json(c));
  json.set("candidates", candidates);
  json.set("seconds", seconds);
  return json.text();
}

}  // namespace zcmoe::cli
