// The edges of a fit or of `zcmoe segment`: from a file, from a range, or from the rows of a table.
#pragma once

#include "arguments.hpp"
#include "holdout.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"

#include <zcmoe/plan.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// A table that another kind of constants or experts asks for.
struct candidate_table {
  std::vector<double> edges;
  std::int64_t asked = 0;  // segments wanted
  std::int32_t constants = ZCMOE_CONSTANTS_MEAN;
  std::int32_t experts = ZCMOE_EXPERTS_CONSTANT;
};

struct edge_table {
  std::vector<double> edges;
  std::int64_t rows = 0;          // usable rows seen; 0 if no data was needed
  std::int64_t rows_sampled = 0;  // rows of these in the sample; 0 if only their range was needed
  row_tally tally;                // of all rows
  std::int64_t rows_outside = 0;  // used rows whose input is infinite or outside --range
  std::optional<zcmoe_plan_result> plan;  // where the number of segments was not given
  std::int64_t asked = 0;                 // segments wanted; ties and doubles may leave fewer
  /// Tables for further kinds of constants and experts, where these are candidates.
  std::vector<candidate_table> others;

  std::int64_t segments() const noexcept { return static_cast<std::int64_t>(edges.size()) - 1; }
};

/// Edges written one a line, as `zcmoe segment` prints them; blank lines and lines that begin with
/// # are left out.
edge_table edges_from_file(const std::string& path);

/// Why the rows of rows_outside were left out.
const char* outside_words(const segmentation_choice& segmentation);

edge_table edges_from_range(const segmentation_choice& segmentation);

/// What a plan depends on, apart from the rows.
struct planner {
  const context& engine;
  zcmoe_model_options model = model_options();
  zcmoe_plan_options options = plan_options();  // holdout, max_segments; fit_rows 0: all rows
  bool smooth_too = false;  // tables for smooth constants, and for lines, are wanted too
  bool lines_too = false;
};

/// One pass over the training rows. Roles: x, y (unless the kind needs none), weights. The planner
/// is asked if the number of segments is not given.
edge_table edges_from_rows(const segmentation_choice& segmentation, row_source& rows,
                           bool needs_target, const row_split& split, const planner& planner,
                           bool show_progress, stopwatch& reading, stopwatch& segmenting);

/// Makes one pass over the rows and returns the plan, without edges.
edge_table plan_from_rows(const segmentation_choice& segmentation, row_source& rows,
                          const planner& planner, bool show_progress, stopwatch& reading,
                          stopwatch& planning);

}  // namespace zcmoe::cli
