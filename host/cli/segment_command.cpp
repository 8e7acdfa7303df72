// zcmoe segment: prints where the cuts go, one edge per line. They come from a range, from data, or
// from a table of density and slope.
#include "arguments.hpp"
#include "commands.hpp"
#include "edge_table.hpp"
#include "failure.hpp"
#include "json_summary.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"
#include "say.hpp"

#include <zcmoe/zcmoe.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

struct segment_arguments {
  table_choice table;
  std::string x;
  std::string y;
  std::string weights;
  std::string density;
  std::string slope;
  std::string point_density;
  std::int32_t experts = ZCMOE_EXPERTS_CONSTANT;
  std::int32_t weights_kind = ZCMOE_WEIGHTS_SAMPLING;
  segmentation_choice segmentation;
  std::string output = "-";
  talk_choice talk;

  bool from_table() const { return !density.empty() || !slope.empty() || !point_density.empty(); }
};

void check_arguments(segment_arguments& arguments) {
  segmentation_choice& segmentation = arguments.segmentation;
  segmentation.check();
  if (segmentation.automatic && (arguments.from_table() || arguments.table.inputs.empty())) {
    fail_usage("--segments auto: a number of segments is chosen from data only");
  }
  if (arguments.from_table()) {
    if (arguments.point_density.empty() && (arguments.density.empty() || arguments.slope.empty())) {
      fail_usage("--density and --slope go together; --point-density stands alone");
    }
    if (!arguments.point_density.empty() &&
        (!arguments.density.empty() || !arguments.slope.empty())) {
      fail_usage(
          "--point-density says where the cuts lie; --density and --slope are not used with it");
    }
    if (segmentation.kind != segmentation_optimal && segmentation.kind != segmentation_compander) {
      fail_usage("--segmentation ", word_of(segmentation_words, segmentation.kind),
                 ": a table of densities goes with optimal or compander, which are the same there");
    }
    if (segmentation.range.has_value())
      fail_usage("--range: a table of densities brings its own range");
    if (!arguments.y.empty() || !arguments.weights.empty()) {
      fail_usage("--y and --weights: a table of densities has neither");
    }
    return;
  }
  segmentation.refuse_options_of_companders();
  if (arguments.experts != ZCMOE_EXPERTS_CONSTANT && segmentation.kind != segmentation_optimal &&
      !segmentation.automatic) {
    fail_usage("--experts: of ", word_of(segmentation_words, segmentation.kind),
               " cuts only the number depends on it, and --segments gives that");
  }
  if (!arguments.table.inputs.empty()) return;
  if (segmentation.kind != segmentation_uniform || !segmentation.range.has_value()) {
    fail_usage("no input: without one, only --segmentation uniform with --range LO:HI is possible");
  }
}

/// Reads a grid and its densities. Every row must be complete: a row left out would leave a gap in
/// the grid, across which the density would be interpolated without a word.
edge_table edges_from_density_table(const segment_arguments& arguments) {
  const bool point = !arguments.point_density.empty();
  std::vector<column_role> roles{{"--x", arguments.x, true}};
  if (point) {
    roles.push_back({"--point-density", arguments.point_density, true});
  } else {
    roles.push_back({"--density", arguments.density, true});
    roles.push_back({"--slope", arguments.slope, true});
  }
  table_choice choice = arguments.table;
  choice.csv.strict = true;
  const auto rows = open_rows(choice, roles);
  check_outputs({{"--output", arguments.output}}, rows->files());
  std::vector<std::vector<double>> columns(roles.size());
  row_block block;
  while (rows->next(block)) {
    for (std::size_t k = 0; k < columns.size(); ++k) {
      for (std::int64_t i = 0; i < block.rows; ++i) {
        if (block.missing != nullptr && (block.missing[i] >> k & 1) != 0) {
          fail(block.place(i, k), ": no value (", roles[k].option, ")");
        }
        columns[k].push_back(element(block.columns[k], i));
      }
    }
  }
  print_warnings(*rows);
  const segmentation_choice& segmentation = arguments.segmentation;
  const zcmoe_density_options options = segmentation.density();
  const auto grid_size = static_cast<std::int64_t>(columns[0].size());
  edge_table table;
  table.asked = segmentation.segments;
  table.edges.resize(static_cast<std::size_t>(segmentation.segments) + 1);
  std::int64_t built = 0;
  if (point) {
    check(zcmoe_segment_density_table(columns[0].data(), columns[1].data(), grid_size,
                                      segmentation.segments, &options, table.edges.data(), &built));
  } else {
    check(zcmoe_segment_optimal_table(columns[0].data(), columns[1].data(), columns[2].data(),
                                      grid_size, segmentation.segments, &options,
                                      table.edges.data(), &built));
  }
  table.edges.resize(static_cast<std::size_t>(built) + 1);
  return table;
}

/// A table of edges and what is to be said about its rows.
struct cut {
  edge_table table;
  std::string first_unparsable;
};

cut edges_from_data(const segment_arguments& arguments) {
  const segmentation_choice& segmentation = arguments.segmentation;
  const bool needs_target = segmentation.kind == segmentation_optimal ||
                            segmentation.kind == segmentation_compander || segmentation.automatic;
  const std::vector<column_role> roles{{"--x", arguments.x, true},
                                       {"--y", arguments.y, needs_target},
                                       {"--weights", arguments.weights, false}};
  const auto rows = open_rows(arguments.table, roles);
  check_weights_kind(arguments.weights_kind, *rows);
  check_outputs({{"--output", arguments.output}}, rows->files());
  stopwatch reading;
  stopwatch segmenting;
  const context engine(ZCMOE_ENGINE_CPU);
  zcmoe_model_options model = model_options();
  model.experts = arguments.experts;
  model.weights_kind = arguments.weights_kind;
  edge_table table = edges_from_rows(segmentation, *rows, needs_target, row_split(),
                                     {engine, model}, !arguments.talk.quiet, reading, segmenting);
  print_warnings(*rows);
  return {std::move(table), rows->first_unparsable()};
}

void say_what_was_left_out(const segment_arguments& arguments, const cut& made) {
  const edge_table& table = made.table;
  if (table.tally.rows_skipped() > 0) say("rows skipped " + table.tally.skipped_in_words());
  if (!made.first_unparsable.empty()) say("not a number, first: " + made.first_unparsable);
  if (table.rows_outside > 0) {
    say(text("rows left out ", grouped(table.rows_outside), ": ",
             outside_words(arguments.segmentation)));
  }
  if (table.segments() < table.asked) {
    say(text(grouped(table.segments()), " segments instead of ", grouped(table.asked),
             ": equal or adjacent edges were joined"));
  }
}

void segment(const segment_arguments& arguments) {
  cut made;
  if (arguments.from_table()) {
    made.table = edges_from_density_table(arguments);
  } else if (arguments.table.inputs.empty()) {
    check_outputs({{"--output", arguments.output}});
    made.table = edges_from_range(arguments.segmentation);
  } else {
    made = edges_from_data(arguments);
  }
  const edge_table& table = made.table;

  output_file output(arguments.output);
  if (arguments.talk.json) {
    json_object json;
    json.set("version", zcmoe_version());
    json.set("segmentation", arguments.point_density.empty()
                                 ? word_of(segmentation_words, arguments.segmentation.kind)
                                 : "point-density");
    json.set("segments_asked", table.asked);
    json.set("segments", table.segments());
    json.set("rows", table.rows);
    json.set("rows_sampled", table.rows_sampled);
    add_tally(json, table.tally, made.first_unparsable);
    json.set("rows_outside", table.rows_outside);
    json.set("edges", table.edges);
    output.write(json.text());
  } else {
    std::string line;
    for (const double edge : table.edges) {
      line.clear();
      append_17_digits(line, edge);
      line += '\n';
      output.write(line);
    }
  }
  output.commit();
  if (!arguments.talk.quiet && !arguments.talk.json) say_what_was_left_out(arguments, made);
}

}  // namespace

command_body add_segment_command(parser& command) {
  auto arguments = std::make_shared<segment_arguments>();
  add_table_options(command, arguments->table, false);
  add_input_option(command, arguments->x, nullptr, "input column, or the column of the grid");
  command.add_option("--y", arguments->y, "from data: target column, for optimal and compander")
      .type_name("COLUMN");
  command.add_option("--weights", arguments->weights, "from data: column of row weights")
      .type_name("COLUMN");
  add_weights_kind(command, arguments->weights_kind);
  command.add_option("--density", arguments->density, "from a table: column of the input density p")
      .type_name("COLUMN");
  command
      .add_option("--slope", arguments->slope,
                  "from a table: column of the slope of the regression function")
      .type_name("COLUMN");
  command
      .add_option("--point-density", arguments->point_density,
                  "from a table: column of the density of the cuts itself")
      .type_name("COLUMN");
  add_segmentation_options(command, arguments->segmentation);
  add_choice(command, "--experts", arguments->experts, experts_words,
             "from data: what the segments are for; lines want cuts where the target bends");
  add_output_option(command, arguments->output, "file to write; - is standard output")
      .capture_default_str();
  add_talk_options(command, arguments->talk, "a JSON object instead of one edge a line");
  command.footer(
      "Prints the edges a_0 < a_1 < ... < a_m, one a line, with 17 digits: `zcmoe fit --edges` "
      "reads them back exactly.\n"
      "Examples:\n"
      "  zcmoe segment --segmentation uniform --range 0:1 --segments 8\n"
      "  zcmoe segment data.csv --x distance --segmentation quantile --segments 10\n"
      "  zcmoe segment data.csv --x distance --y air_time --segmentation optimal --segments 64\n"
      "  zcmoe segment data.csv --x distance --y air_time --experts linear --segments auto\n"
      "  zcmoe segment table.csv --x x --density p --slope dbeta --segmentation optimal --segments "
      "8\n"
      "  zcmoe segment table.csv --x x --point-density lambda --segments 8\n"
      "The optimal cuts are those of least error of a smooth estimate with jumps; those of a "
      "table, "
      "and of compander, follow\n(p slope^2)^(1/3): many where inputs are frequent and the target "
      "changes fast.\n" +
      std::string(csv_help));
  return [arguments] {
    check_arguments(*arguments);
    segment(*arguments);
  };
}

}  // namespace zcmoe::cli
