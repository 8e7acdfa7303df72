// One pass finds the exact range and a bounded sample; the library places the cuts, and says how
// many where that is asked for.
#include "edge_table.hpp"

#include "file_kind.hpp"
#include "input_file.hpp"
#include "number.hpp"
#include "row_triage.hpp"
#include "table_sample.hpp"

#include <zcmoe/zcmoe.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr std::size_t max_edge_line = 4096;

/// A table of one segment for the only input, v: between v and a neighbouring double.
std::vector<double> edges_around(double v) {
  const double above = std::nextafter(v, std::numeric_limits<double>::infinity());
  if (std::isfinite(above)) return {v, above};
  return {std::nextafter(v, 0.0), v};
}

void take_line(edge_table& table, const std::string& name, std::string_view line,
               std::int64_t number) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (number == 1 && line.substr(0, byte_order_mark.size()) == byte_order_mark)
    line.remove_prefix(byte_order_mark.size());
  if (number == 1) refuse_null_byte(line, name, number);
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || line[start] == '#') return;
  double edge;
  if (parse_number(line, edge) != field_kind::number) {
    fail(name, ", line ", number, ": '", line.substr(0, 40),
         "' is not a number; an edge file has one edge a line, with a decimal point");
  }
  if (std::isinf(edge)) {
    fail(name, ", line ", number, ": '", line.substr(0, 40),
         "' is not finite; leave it out: --range-policy segments gives the inputs below and above "
         "the edges segments of their own");
  }
  table.edges.push_back(edge);
}

/// Whether a plan takes the relation to be constant on each of its segments, though these could be
/// finer: then there is nothing that smooth constants could share.
bool is_levels(const zcmoe_plan_candidate& c, const zcmoe_plan_result& plan) {
  return c.approximation == 0 && c.num_segments < plan.distinct_inputs;
}

/// The number of segments of smooth constants where a plan has chosen a number for means: three
/// times as many, since the error of the fit hardly grows with them, and that of their width falls
/// to a ninth.
std::int64_t finer(const zcmoe_plan_candidate& c, const zcmoe_plan_result& plan) {
  if (is_levels(c, plan)) return c.num_segments;
  return std::min({3 * c.num_segments, std::max(c.num_segments, plan.distinct_inputs),
                   std::int64_t{ZCMOE_MAX_SMOOTH_SEGMENTS}});
}

/// Smooth constants of so many segments are fitted in two seconds, and the time grows with the
/// square. A longer wait is for those who ask for it.
constexpr std::int64_t most_compared = 6144;

class range_and_sample {
 public:
  range_and_sample(const segmentation_choice& segmentation, bool sampled, bool has_target,
                   bool weighted)
      : segmentation_(segmentation),
        sampled_(sampled),
        has_target_(has_target),
        weighted_(weighted),
        sample_(segmentation.sample_rows, 1u + (has_target ? 1u : 0u) + (weighted ? 1u : 0u)) {}

  void add(const row_block& block, const std::vector<row_fate>& fates, const row_split& split) {
    const double lo = segmentation_.range.has_value() ? segmentation_.range->first
                                                      : -std::numeric_limits<double>::max();
    const double hi = segmentation_.range.has_value() ? segmentation_.range->second
                                                      : std::numeric_limits<double>::max();
    double row[3];
    tally_.rows_read = block.first_row + block.rows;
    for (std::int64_t i = 0; i < block.rows; ++i) {
      const row_fate fate = fates[static_cast<std::size_t>(i)];
      ++tally_.fates[fate];
      if (fate != row_used) continue;
      if (split.held_out(block.first_row + i)) {
        ++tally_.rows_held_out;
        continue;
      }
      std::size_t k = 0;
      row[k++] = element(block.columns[column_x], i);
      if (!(row[0] >= lo && row[0] <= hi)) {  // also leaves out infinities
        ++rows_outside_;
        continue;
      }
      ++rows_;
      min_ = std::min(min_, row[0]);
      max_ = std::max(max_, row[0]);
      if (!sampled_) continue;
      if (has_target_) row[k++] = element(block.columns[column_y], i);
      if (weighted_) row[k++] = element(block.columns[column_weights], i);
      sample_.offer(row);
    }
  }

  /// The counts of what was seen, in a table without edges.
  edge_table seen() const {
    edge_table table;
    table.rows = rows_;
    table.tally = tally_;
    table.rows_outside = rows_outside_;
    if (sampled_) table.rows_sampled = sample_.rows();
    return table;
  }

  /// lines: whether errors of lines are wanted too.
  zcmoe_plan_result plan(const planner& planner, bool lines) const {
    const zcmoe_plug_in_options plug_in = segmentation_.plug_in();
    const auto [lo, hi] = range();
    zcmoe_plan_options options = planner.options;
    options.lines = lines ? 1 : 0;
    if (options.fit_rows == 0) options.fit_rows = rows_;
    options.lo = lo;
    options.hi = hi;
    options.uniform_mixture = plug_in.uniform_mixture;
    options.floor = plug_in.floor;
    options.min_count = plug_in.min_count;
    options.pilot_bins = plug_in.pilot_bins;
    return make_plan(planner.engine, column(0), column(1), weights(), sample_.rows(), options,
                     planner.model);
  }

  edge_table build(const planner& planner) const {
    edge_table table = seen();
    std::int64_t segments = segmentation_.segments;
    if (segmentation_.automatic) {
      table.plan =
          plan(planner, planner.lines_too || planner.model.experts != ZCMOE_EXPERTS_CONSTANT);
      const zcmoe_plan_candidate& chosen = table.plan->candidates[segmentation_.kind];
      segments = chosen.num_segments;
      if (planner.model.constants == ZCMOE_CONSTANTS_SMOOTH) segments = finer(chosen, *table.plan);
      if (planner.model.experts != ZCMOE_EXPERTS_CONSTANT)
        segments = for_lines(*table.plan, planner.model.experts);
    }
    table.asked = segments;
    const auto [lo, hi] = range();
    if (segmentation_.kind == segmentation_uniform) {
      if (lo == hi) {
        table.edges = edges_around(lo);
      } else {
        table.edges.resize(static_cast<std::size_t>(segments) + 1);
        check(zcmoe_segment_uniform(lo, hi, segments, table.edges.data()));
      }
      return table;
    }
    table.edges = cut_sample(segments, planner.model.experts);
    const auto add_other = [&](std::int64_t asked, std::int32_t constants, std::int32_t experts) {
      table.others.push_back({cut_sample(asked, experts), asked, constants, experts});
    };
    if (planner.smooth_too) {
      const zcmoe_plan_candidate& chosen = table.plan->candidates[segmentation_.kind];
      const std::int64_t asked = finer(chosen, *table.plan);
      if (asked <= most_compared && !is_levels(chosen, *table.plan))
        add_other(asked, ZCMOE_CONSTANTS_SMOOTH, ZCMOE_EXPERTS_CONSTANT);
    }
    if (planner.lines_too) {
      for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE})
        add_other(for_lines(*table.plan, experts), ZCMOE_CONSTANTS_MEAN, experts);
    }
    return table;
  }

  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t rows_outside() const noexcept { return rows_outside_; }
  const row_tally& tally() const noexcept { return tally_; }

 private:
  std::pair<double, double> range() const {
    return segmentation_.range.value_or(std::pair{min_, max_});
  }
  zcmoe_array column(std::size_t k) const { return {sample_.column(k).data(), ZCMOE_F64, 1}; }
  zcmoe_array weights() const { return weighted_ ? column(has_target_ ? 2 : 1) : no_array(); }

  /// The number of segments with the least leave-one-out error of such experts; 1 where the plan
  /// knows none. The best number grows with the fifth root of the rows, of which the plan has seen
  /// a sample.
  std::int64_t for_lines(const zcmoe_plan_result& plan, std::int32_t experts) const {
    const zcmoe_plan_candidate& c = plan.candidates[segmentation_.kind];
    const std::int64_t best =
        experts == ZCMOE_EXPERTS_LINEAR ? c.linear_segments : c.interpolate_segments;
    const double growth = static_cast<double>(plan.fit_rows) / static_cast<double>(plan.rows_used);
    const double wanted = std::round(static_cast<double>(best) * std::pow(growth, 0.2));
    return static_cast<std::int64_t>(
        std::min(std::max(wanted, 1.0), static_cast<double>(ZCMOE_PLAN_MAX_SEGMENTS)));
  }

  /// The edges reach to the outermost rows, which the sample may have missed, or to the range that
  /// was asked for.
  std::vector<double> cut_sample(std::int64_t segments, std::int32_t experts) const {
    std::int64_t built = 0;
    std::vector<double> edges(static_cast<std::size_t>(segments) + 1);
    if (segmentation_.kind == segmentation_quantile) {
      check(zcmoe_segment_quantile(column(0), weights(), sample_.rows(), segments, edges.data(),
                                   &built));
    } else if (segmentation_.kind == segmentation_optimal && experts != ZCMOE_EXPERTS_CONSTANT) {
      check(zcmoe_segment_lines_from_data(column(0), column(1), weights(), sample_.rows(), segments,
                                          edges.data(), &built));
    } else if (segmentation_.kind == segmentation_optimal) {
      check(zcmoe_segment_optimal_from_data(column(0), column(1), weights(), sample_.rows(),
                                            segments, edges.data(), &built));
    } else {
      const zcmoe_plug_in_options options = segmentation_.plug_in();
      check(zcmoe_segment_compander_from_data(column(0), column(1), weights(), sample_.rows(),
                                              segments, &options, edges.data(), &built));
    }
    edges.resize(static_cast<std::size_t>(built) + 1);
    const auto [lo, hi] = range();
    edges.front() = std::min(edges.front(), lo);
    edges.back() = std::max(edges.back(), hi);
    return edges;
  }

  const segmentation_choice& segmentation_;
  bool sampled_;
  bool has_target_;
  bool weighted_;
  table_sample sample_;
  row_tally tally_;
  std::int64_t rows_ = 0;
  std::int64_t rows_outside_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
};

/// Reads the table once, into state.
void read(range_and_sample& state, const segmentation_choice& segmentation, const char* step,
          row_source& rows, bool needs_target, const row_split& split, bool show_progress,
          stopwatch& reading, stopwatch& working) {
  triage_rules rules;
  rules.needs_target = needs_target;
  row_triage triage(rules);
  {
    progress bar(step, show_progress);
    row_block block;
    for (;;) {
      {
        stopwatch::scope timed(reading);
        if (!rows.next(block)) break;
      }
      stopwatch::scope timed(working);
      state.add(block, triage.classify(block), split);
      bar.update(rows.done(), block.first_row + block.rows);
    }
  }
  if (state.rows() == 0) {
    std::string reasons = state.tally().read_in_words(rows);
    if (state.rows_outside() > 0)
      reasons += text(", ", grouped(state.rows_outside()), " ", outside_words(segmentation));
    fail("no usable row to choose the cuts from: ", reasons);
  }
}

}  // namespace

edge_table edges_from_file(const std::string& path) {
  input_file input(path);
  edge_table table;
  std::vector<char> buffer(std::size_t{1} << 16);
  std::string line;
  std::int64_t number = 1;
  char before = '\0';
  input.refuse_binary();
  while (const std::size_t got = input.read(buffer.data(), buffer.size())) {
    for (std::size_t i = 0; i < got; ++i) {
      const bool second_of_crlf = before == '\r' && buffer[i] == '\n';
      before = buffer[i];
      if (second_of_crlf) continue;
      if (before == '\n' || before == '\r') {
        take_line(table, input.name(), line, number++);
        line.clear();
      } else if (line.size() < max_edge_line) {
        line += buffer[i];
      } else {
        fail(input.name(), ", line ", number, ": longer than ", max_edge_line,
             " bytes; not an edge file");
      }
    }
  }
  take_line(table, input.name(), line, number);
  if (table.edges.size() < 2) {
    fail(input.name(), ": ", table.edges.size(), " edges; a table needs at least 2");
  }
  try {
    check(zcmoe_segment_check(table.edges.data(), table.segments()));
  } catch (const error& e) {
    fail(input.name(), ": ", words_of(e));
  }
  return table;
}

const char* outside_words(const segmentation_choice& segmentation) {
  return segmentation.range.has_value() ? "outside --range" : "with an infinite input";
}

edge_table edges_from_range(const segmentation_choice& segmentation) {
  edge_table table;
  table.asked = segmentation.segments;
  table.edges.resize(static_cast<std::size_t>(segmentation.segments) + 1);
  check(zcmoe_segment_uniform(segmentation.range->first, segmentation.range->second,
                              segmentation.segments, table.edges.data()));
  return table;
}

edge_table edges_from_rows(const segmentation_choice& segmentation, row_source& rows,
                           bool needs_target, const row_split& split, const planner& planner,
                           bool show_progress, stopwatch& reading, stopwatch& segmenting) {
  const bool sampled = segmentation.automatic || segmentation.kind != segmentation_uniform;
  range_and_sample state(segmentation, sampled, needs_target, rows.has(column_weights));
  read(state, segmentation, "segment", rows, needs_target, split, show_progress, reading,
       segmenting);
  stopwatch::scope timed(segmenting);
  return state.build(planner);
}

edge_table plan_from_rows(const segmentation_choice& segmentation, row_source& rows,
                          const planner& planner, bool show_progress, stopwatch& reading,
                          stopwatch& planning) {
  range_and_sample state(segmentation, true, true, rows.has(column_weights));
  read(state, segmentation, "plan", rows, true, row_split(), show_progress, reading, planning);
  stopwatch::scope timed(planning);
  edge_table table = state.seen();
  table.plan = state.plan(planner, true);
  return table;
}

}  // namespace zcmoe::cli
