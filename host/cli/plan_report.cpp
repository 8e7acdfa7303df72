// The words for what a plan says, and the keys of its JSON.
#include "plan_report.hpp"

#include "arguments.hpp"
#include "number.hpp"

#include <cmath>

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
    {ZCMOE_PLAN_TIED, "tied", "the inputs have fewer distinct values than segments recommended"},
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

std::string recommendation_in_words(const zcmoe_plan_candidate& c) {
  const char* const how = c.method == ZCMOE_PLAN_PILOT
                              ? "least on a spline estimate of the relation"
                          : c.method == ZCMOE_THEORY_PARAMETRIC ? "fitted A/m^2 + sigma^2 m/n"
                                                                : "least leave-one-out error";
  return text(grouped(c.num_segments), ", best between ", grouped(std::llround(c.lower)), " and ",
              grouped(std::llround(c.upper)), "; excess risk ", readable(c.excess), " expected (",
              how, ")");
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

nlohmann::ordered_json as_json(const zcmoe_plan_candidate& c) {
  nlohmann::ordered_json json;
  json["segmentation"] = word_of(segmentation_words, static_cast<std::int32_t>(c.segmentation));
  json["segments"] = c.num_segments;
  json["segments_with_rows"] = c.num_nonempty;
  json["segments_interval"] = {c.lower, c.upper};
  json["method"] = method_of(c);
  json["excess_risk"] = c.excess;
  json["excess_risk_interval"] = {c.excess_lower, c.excess_upper};
  json["risk"] = c.risk;
  json["approximation"] = c.approximation;
  json["estimation"] = c.estimation;
  json["a"] = c.fit.approximation;
  json["a_standard_error"] = c.fit.approximation_error;
  json["noise_variance"] = c.fit.noise;
  json["noise_variance_standard_error"] = c.fit.noise_error;
  json["ratio_test"] = {{"segments", c.tested_segments},
                        {"ratio", c.test.ratio},
                        {"standard_error", c.test.standard_error},
                        {"verdict", verdict_of(c.test)}};
  json["leave_one_out_segments"] = c.leave_one_out_segments;
  json["holdout"] = {{"segments", c.holdout_segments},
                     {"checked_segments", c.checked_segments},
                     {"risk", c.holdout_risk},
                     {"expected", c.holdout_expected},
                     {"standard_error", c.holdout_error}};
  json["warnings"] = nlohmann::ordered_json::array();
  for (const warning_text& w : warning_texts) {
    if ((c.warnings & w.bit) != 0) json["warnings"].push_back(w.key);
  }
  json["levels"] = nlohmann::ordered_json::array();
  for (std::int64_t i = 0; i < c.num_levels; ++i) {
    const zcmoe_plan_level& l = c.levels[i];
    json["levels"].push_back({{"segments", l.num_segments},
                              {"built", l.num_built},
                              {"nonempty", l.num_nonempty},
                              {"starved", l.num_starved},
                              {"within", l.within},
                              {"risk", l.risk},
                              {"leave_one_out", l.leave_one_out},
                              {"holdout", l.holdout}});
  }
  return json;
}

}  // namespace zcmoe::cli
