// The edges of a fit or of `zcmoe segment`: from a file, from a range, or from the rows of a table.
#pragma once

#include "arguments.hpp"
#include "holdout.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace zcmoe::cli {

struct edge_table {
  std::vector<double> edges;
  std::int64_t rows = 0;          // usable rows seen; 0 if no data was needed
  std::int64_t rows_sampled = 0;  // of these, looked at; 0 if only their range was
  row_tally tally;                // of all rows
  std::int64_t rows_outside = 0;  // of its used rows: input outside --range, or infinite

  std::int64_t segments() const noexcept { return static_cast<std::int64_t>(edges.size()) - 1; }
};

/// Edges written one a line, as `zcmoe segment` prints them; blank lines and lines that begin with
/// # are left out.
edge_table edges_from_file(const std::string& path);

/// What is the matter with rows_outside.
const char* outside_words(const segmentation_choice& segmentation);

edge_table edges_from_range(const segmentation_choice& segmentation);

/// One pass over the training rows. Roles: x, y (unless the kind needs none), weights.
edge_table edges_from_rows(const segmentation_choice& segmentation, row_source& rows,
                           bool needs_target, const row_split& split, bool show_progress,
                           stopwatch& reading, stopwatch& segmenting);

}  // namespace zcmoe::cli
