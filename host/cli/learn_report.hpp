// What `zcmoe fit` did with a table of several inputs, as text on standard error or as JSON.
#pragma once

#include "fit_report.hpp"

#include <zcmoe/points.h>

#include <string>
#include <vector>

namespace zcmoe::cli {

extern const choices partition_words;

/// What happened to the rows, and how long it took.
struct learn_summary {
  row_tally tally;
  zcmoe_learn_report report{};
  std::vector<std::string> input_names;  // none: the model keeps none
  std::string target_name;
  bool weighted = false;
  std::int64_t bytes_read = 0;
  bool judged = false;  // by rows held out
  holdout_error error;
  std::int64_t plane_rows = 0;
  std::int64_t not_predicted = 0;
  stopwatch reading;
  stopwatch learning;
  stopwatch predicting;
  stopwatch total;
};

/// The share of the variance of the rows held out that a candidate leaves; NaN if it was not tried.
double unexplained(const zcmoe_learn_report& report, const zcmoe_learn_candidate& candidate);

struct learn_report {
  const fit_arguments& arguments;
  const learn_summary& summary;
  const row_source& rows;
  zcmoe_context_info engine;
  zcmoe_points_info model;

  void say_all() const;
  std::string as_json() const;

 private:
  bool is_sample() const;
  void say_rows() const;
  void say_candidates() const;
  void say_errors() const;
  void say_times() const;
  std::vector<json_object> candidates_as_json() const;
};

}  // namespace zcmoe::cli
