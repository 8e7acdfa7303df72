// What a model of several inputs tells by rows: how much each input and pair matters, what each
// adds to the answers, and where the model errs.
// docs/insight.md has the definitions and where they come from.
#pragma once

#include "inspect_points.hpp"
#include "json_object.hpp"
#include "row_source.hpp"
#include "say.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// Which rows a model is looked at with.
struct seen_choice {
  table_choice table;
  std::vector<std::string> inputs;  // --x; none: the names that the model keeps
  std::string target;               // --y; empty: the name that the model keeps
  std::int64_t sample_rows = std::int64_t{1} << 18;
};

/// Rows that the model answers, an even sample of those of a table.
struct seen_rows {
  std::vector<std::vector<double>> columns;  // inputs
  std::vector<double> targets;               // none: the rows are made
  std::vector<double> answers;
  std::string target_name;
  std::int64_t rows_in_all = 0;
  std::int64_t unanswered = 0;  // of the sample, left out

  std::int64_t rows() const { return static_cast<std::int64_t>(answers.size()); }
  bool made() const { return targets.empty(); }
};

std::unique_ptr<row_source> open_seen(const seen_choice& choice, const zcmoe_points_info& info);
/// Fails where no row can be used.
seen_rows read_seen(const seen_choice& choice, row_source& rows, const model& model,
                    bool show_progress);
/// Rows for want of any: every segment of every input is equally frequent, and inputs have nothing
/// to do with each other.
seen_rows made_rows(const model& model, const inspected_points& of);

/// The part of the answers' variance that one input, or what two do together, is behind.
struct shared_variance {
  std::size_t axes[2];  // equal: of one
  double share;
};

/// What an input adds to the answers, on average over the rows' other inputs, by slot of its axis;
/// NaN at slots that it has not.
struct effect {
  std::size_t axis;
  std::vector<double> parts;
  std::vector<double> lower;  // of the tenth of the rows where it adds least
  std::vector<double> upper;
  std::vector<std::int64_t> counts;
  std::vector<double> standard_errors;  // of the mean residual; NaN below two rows
};

/// What two inputs add to the answers beyond what each adds by itself, by runs of segments.
struct pair_effect {
  std::size_t axes[2];
  std::vector<double> edges[2];
  std::vector<double> parts;  // row-major: runs of the first
};

/// Rows whose input lies in a run of segments, or beside them.
struct region {
  std::size_t axis;
  std::int64_t first_slot;
  std::int64_t last_slot;
  std::int64_t rows;
  double bias;  // mean of target less answer
  double rmse;
  double
      excess;  // of its squared error over what its rows would have at the mean, by all rows' sum
};

struct points_insight {
  points_insight(const model& model, const inspected_points& of, const seen_rows& rows);

  json_object as_json() const;
  void add_to(text_page& page) const;

  const inspected_points& of;
  std::int64_t rows;
  std::int64_t rows_in_all;
  std::int64_t unanswered;
  bool made;
  double answer_variance = 0;
  double bias = 0;
  double rmse = 0;
  double target_variance = 0;
  std::int64_t line_rows = 0;  // rows with finite inputs
  double line_rmse = 0;
  double line_r_squared = 0;
  std::vector<shared_variance> inputs;  // the greatest share first
  std::vector<shared_variance> pairs;   // likewise; of the first few inputs
  std::vector<effect> effects;          // in the order of inputs, of the first few
  std::vector<pair_effect> pair_effects;
  std::vector<region> regions;  // of the inputs that have effects

  double r_squared() const { return 1 - rmse * rmse / target_variance; }

 private:
  json_object region_as_json(const region& one) const;
  std::string slots_in_words(const region& one) const;
};

}  // namespace zcmoe::cli
