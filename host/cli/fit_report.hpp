// What `zcmoe fit` was asked to do, what it did, and how that is told: as text on standard error or
// as JSON.
#pragma once

#include "arguments.hpp"
#include "edge_table.hpp"
#include "holdout.hpp"
#include "json_object.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"

#include <zcmoe/points.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::cli {

constexpr std::int32_t target_dtype_auto = 0;

/// --axis: what is asked for one of several inputs.
struct axis_choice {
  std::string name;
  std::optional<std::int64_t> segments;
  std::optional<std::int32_t> nan_policy;
  std::optional<std::int32_t> range_policy;
};

/// What is asked for where there are several inputs.
struct learn_choice {
  std::vector<std::string> inputs;   // --x, all that were given
  std::vector<std::string> all_but;  // --x-all-but
  std::int32_t partition = ZCMOE_PARTITION_AUTO;
  std::int64_t axis_segments = 0;  // 0: chosen
  std::optional<double> budget_ns;
  std::optional<std::int64_t> budget_bytes;
  std::vector<axis_choice> axes;
};

struct fit_arguments {
  table_choice table;
  std::vector<column_role> roles{{"--x", "", true}, {"--y", "", true}, {"--weights", "", false}};
  engine_choice engine;
  segmentation_choice segmentation;
  model_choice model;
  zcmoe_fit_options fit = ZCMOE_FIT_OPTIONS_INIT;
  std::int32_t target_dtype = target_dtype_auto;
  double holdout = 0;
  std::uint64_t seed = 0;
  std::string output;
  talk_choice talk;
  learn_choice several;
};

/// Rows per second; 0 if no time has passed.
double rows_per_second(std::int64_t rows, double seconds);
/// A line of the summary: how long a step took, and its rows per second if it has rows.
void say_step(const char* name, double seconds, std::int64_t rows);
/// Lines of the summary: rows read and skipped.
void say_rows_read(const row_tally& tally, const row_source& rows);
/// Lines of the summary: the errors on the rows held out; `of_line` says more of the straight line.
void say_holdout(const holdout_error& error, const std::string& of_line,
                 std::int64_t not_predicted);
/// Part of a JSON summary: the errors on the rows held out.
json_object holdout_as_json(double fraction, std::uint64_t seed, const holdout_error& error,
                            std::int64_t not_predicted);

/// What happened to the rows, and how long it took.
struct fit_summary {
  row_tally tally;
  zcmoe_report report{};  // the library's count of what the model's policies touched
  std::int64_t bytes_read = 0;
  edge_table edges;
  struct kind_error {
    std::int32_t constants;
    std::int32_t experts;
    double error;
  };
  /// Leave-one-out errors of all kinds of constants and experts that were candidates, if several.
  std::vector<kind_error> compared;
  line_fit line;
  bool judged = false;  // by rows held out
  holdout_error error;
  std::int64_t not_predicted = 0;  // held-out rows for which the model predicts NaN
  stopwatch reading;
  stopwatch segmenting;
  stopwatch fitting;
  stopwatch predicting;
  stopwatch total;
};

struct fit_report {
  const fit_arguments& arguments;
  const fit_summary& summary;
  const row_source& rows;
  zcmoe_context_info engine;
  zcmoe_model_info model;

  /// On standard error, a line for each figure.
  void say_all() const;
  std::string as_json() const;

 private:
  void say_rows() const;
  void say_segments() const;
  void say_errors() const;
  void say_times() const;
};

}  // namespace zcmoe::cli
