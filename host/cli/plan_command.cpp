// zcmoe plan: how many segments to take and of which kind, from a table, before anything is fitted.
#include "arguments.hpp"
#include "commands.hpp"
#include "edge_table.hpp"
#include "failure.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "plan_report.hpp"
#include "row_source.hpp"
#include "say.hpp"

#include <zcmoe/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::cli {
namespace {

struct plan_arguments {
  table_choice table;
  std::vector<column_role> roles{{"--x", "", true}, {"--y", "", true}, {"--weights", "", false}};
  engine_choice engine;
  segmentation_choice segmentation;
  zcmoe_model_options model = model_options();
  zcmoe_plan_options options = plan_options();
  std::string output = "-";
  bool csv = false;
  talk_choice talk;
};

std::string padded(const std::string& value, std::size_t width) {
  return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
}

std::string as_text(const edge_table& table, const std::string& first_unparsable, bool precisions) {
  text_page page;
  const zcmoe_plan_result& plan = *table.plan;
  page.add("rows read", grouped(table.tally.rows_read));
  page.add("rows skipped", table.tally.skipped_in_words());
  if (!first_unparsable.empty()) page.add("not a number", text("first: ", first_unparsable));
  page.add("rows used",
           table.rows_sampled < table.rows
               ? text("a sample of ", grouped(table.rows_sampled), " of ", grouped(table.rows))
               : grouped(table.rows));
  if (plan.fit_rows != table.rows) page.add("planned for", text(grouped(plan.fit_rows), " rows"));
  if (plan.distinct_inputs < table.rows_sampled)
    page.add("distinct inputs", grouped(plan.distinct_inputs));
  page.add("range", readable_range(plan.lo, plan.hi));
  page.add("noise", text(readable(std::sqrt(plan.noise)), " (standard deviation",
                         precisions ? " of a row of the mean weight" : "", "); ",
                         readable(std::sqrt(plan.rice)), " from neighbouring rows"));
  const zcmoe_plan_candidate& best = plan.candidates[plan.best];
  page.add("recommended",
           text("--segmentation ", kind_of(best), " --segments ", best.num_segments));

  page.add("");
  page.add(
      " segmentation   segments     best between   excess risk    95 % interval          "
      "leave-one-out  held-out");
  for (const zcmoe_plan_candidate& c : plan.candidates) {
    page.add(
        " " + kind_of(c) + padded(grouped(c.num_segments), 23 - kind_of(c).size()) +
        padded(std::isnan(c.lower)
                   ? "-"
                   : text(grouped(std::llround(c.lower)), " - ", grouped(std::llround(c.upper))),
               17) +
        padded(readable(c.excess), 14) +
        padded(std::isnan(c.excess_lower) ? "-"
                                          : readable_range(c.excess_lower, c.excess_upper, " - "),
               27) +
        padded(grouped(c.leave_one_out_segments), 11) +
        padded(c.holdout_segments > 0 ? grouped(c.holdout_segments) : "none", 10));
  }
  page.add("");
  const std::vector<best_of_experts> kinds = best_of_each_kind(plan);
  if (!kinds.empty()) page.add(" experts        segments     leave-one-out error    segmentation");
  for (const best_of_experts& kind : kinds) {
    const std::string name = word_of(experts_words, kind.experts);
    page.add(" " + name + padded(grouped(kind.num_segments), 23 - name.size()) +
             padded(readable(kind.error), 24) + "    " + kind_of(*kind.candidate));
  }
  if (!kinds.empty()) page.add("");
  for (const zcmoe_plan_candidate& c : plan.candidates) {
    const std::string kind = kind_of(c);
    if (c.method == ZCMOE_THEORY_LEAVE_ONE_OUT) {
      page.add(kind.c_str(), "by the least leave-one-out error");
    }
    if (c.tested_segments > 0 && c.test.verdict != ZCMOE_THEORY_UNINFORMATIVE) {
      page.add(kind.c_str(), text("ratio test at ", grouped(c.tested_segments), " segments: ",
                                  readable(c.test.ratio), " +- ", readable(c.test.standard_error),
                                  " (4 where the error falls as 1/m^2)"));
    }
    if (std::isfinite(c.holdout_risk)) {
      page.add(kind.c_str(), text("held-out error at ", grouped(c.checked_segments), " segments: ",
                                  readable(c.holdout_risk), " +- ", readable(c.holdout_error), ", ",
                                  readable(c.holdout_expected), " expected"));
    }
    for (const std::string& warning : warnings_in_words(c)) page.add(kind.c_str(), warning);
  }
  return page.text();
}

void write_csv(output_file& output, const zcmoe_plan_result& plan) {
  output.write(
      "segmentation,segments,built,nonempty,starved,within,risk,leave_one_out,holdout,"
      "linear_leave_one_out,interpolate_leave_one_out\n");
  for (const zcmoe_plan_candidate& c : plan.candidates) {
    for (std::int64_t i = 0; i < c.num_levels; ++i) {
      const zcmoe_plan_level& l = c.levels[i];
      std::string row = text(kind_of(c), ",", l.num_segments, ",", l.num_built, ",", l.num_nonempty,
                             ",", l.num_starved);
      for (const double v : {l.within, l.risk, l.leave_one_out, l.holdout, l.linear_leave_one_out,
                             l.interpolate_leave_one_out}) {
        row += ',';
        append_shortest(row, v);
      }
      output.write(row + "\n");
    }
  }
}

void plan(const plan_arguments& arguments) {
  const context engine(arguments.engine.options());
  const auto rows = open_rows(arguments.table, arguments.roles);
  check_weights_kind(arguments.model.weights_kind, *rows);
  check_outputs({{"--output", arguments.output}}, rows->files());
  stopwatch reading;
  stopwatch planning;
  const edge_table table =
      plan_from_rows(arguments.segmentation, *rows, {engine, arguments.model, arguments.options},
                     !arguments.talk.quiet, reading, planning);
  print_warnings(*rows);
  output_file output(arguments.output);
  if (arguments.talk.json) {
    output.write(plan_as_json(arguments.table.inputs, engine.info(), table, *rows,
                              reading.seconds() + planning.seconds()));
  } else if (arguments.csv) {
    write_csv(output, *table.plan);
  } else {
    output.write(as_text(table, rows->first_unparsable(),
                         arguments.model.weights_kind == ZCMOE_WEIGHTS_PRECISION));
  }
  output.commit();
}

}  // namespace

command_body add_plan_command(parser& command) {
  auto arguments = std::make_shared<plan_arguments>();
  add_table_options(command, arguments->table, true);
  add_column_options(command, arguments->roles);
  add_weights_kind(command, arguments->model.weights_kind);
  add_output_option(command, arguments->output, "file to write; - is standard output")
      .capture_default_str();
  add_placement_options(command, arguments->segmentation);
  const std::string group = "Plan";
  command
      .add_option("--rows", arguments->options.fit_rows,
                  "plan for a fit to this many rows of the kind, not to those of the table")
      .type_name("N")
      .check_range(std::int64_t{1}, std::int64_t{1} << 53)
      .group(group);
  command.add_option("--max-segments", arguments->options.max_segments, "most segments to look at")
      .type_name("M")
      .check_range(std::int64_t{1}, ZCMOE_PLAN_MAX_SEGMENTS)
      .capture_default_str()
      .group(group);
  command
      .add_option("--holdout", arguments->options.holdout,
                  "part of the rows kept out to check the plan by, 0 to 0.5")
      .type_name("PART")
      .check_range(0.0, 0.5)
      .capture_default_str()
      .group(group);
  add_engine_options(command, arguments->engine);
  const option csv = command.add_flag(
      "--csv", arguments->csv, "the curve alone, as a CSV table: errors by number of segments");
  add_talk_options(command, arguments->talk, "everything, as one JSON object");
  csv.excludes("--json");
  command.footer(
      "Estimates the noise and the error of piecewise constants from the table alone, and says how "
      "many segments balance them.\n"
      "Examples:\n"
      "  zcmoe plan data.csv --x distance --y air_time\n"
      "  zcmoe plan data.csv --x distance --y air_time --rows 10000000   this table is a sample\n"
      "  zcmoe plan data.csv --x distance --y air_time --csv > curve.csv\n"
      "`zcmoe fit` plans and fits in one go, unless --segments says how many.\n"
      "Excess risk: expected squared error on new rows beyond the noise. Tables of more than "
      "--sample-rows rows are planned\n"
      "from an evenly spread sample.\n" +
      std::string(csv_help));
  return [arguments] {
    arguments->segmentation.check();
    plan(*arguments);
  };
}

}  // namespace zcmoe::cli
