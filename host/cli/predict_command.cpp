// zcmoe predict: reads rows and writes their predictions, one block at a time, in the same order.
#include "arguments.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "json_summary.hpp"
#include "model_input.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "points_source.hpp"
#include "prediction_writer.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "say.hpp"

#include <zcmoe/plan.hpp>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

enum output_format : std::int32_t { format_auto, format_csv, format_npy };
const choices format_words = {{"auto", format_auto}, {"csv", format_csv}, {"npy", format_npy}};
constexpr std::int32_t experts_as_fitted = -1;
const choices reading_words = {{"as-fitted", experts_as_fitted},
                               {"interpolate", ZCMOE_EXPERTS_INTERPOLATE}};
const choices dtype_words = {{"f4", ZCMOE_F32}, {"f8", ZCMOE_F64}};

struct predict_arguments {
  std::string model;
  table_choice table;
  std::vector<column_role> roles{{"--x", "", true}};
  std::vector<std::string> columns;  // --x, all that were given
  engine_choice engine;
  std::string output = "-";
  std::int32_t format = format_auto;
  std::int32_t dtype = ZCMOE_F64;
  std::int32_t experts = experts_as_fitted;
  bool segments = false;
  bool standard_errors = false;
  std::optional<double> confidence;
  bool no_output_header = false;
  talk_choice talk;

  /// The first option that asks for a column of what a row's segment says; null if none does.
  const char* asks_for_segments() const {
    if (segments) return "--segments-column";
    if (standard_errors) return "--standard-error";
    return confidence.has_value() ? "--interval" : nullptr;
  }

  bool npy() const {
    if (format != format_auto) return format == format_npy;
    return output.size() > 4 && output.compare(output.size() - 4, 4, ".npy") == 0;
  }
};

std::unique_ptr<prediction_writer> make_writer(const predict_arguments& arguments,
                                               const row_source& rows) {
  writer_options options;
  options.dtype = arguments.dtype;
  options.segments = arguments.segments;
  options.standard_errors = arguments.standard_errors;
  options.intervals = arguments.confidence.has_value();
  options.header = !arguments.no_output_header;
  return arguments.npy() ? make_npy_writer(arguments.output, options, rows.rows())
                         : make_csv_writer(arguments.output, options);
}

/// Looks up the interval of the segment that each row fell into; NaN where a row fell into none.
void look_up(const intervals& means, prediction_block& predictions) {
  predictions.lower.resize(predictions.segments.size());
  predictions.upper.resize(predictions.segments.size());
  for (std::size_t i = 0; i < predictions.segments.size(); ++i) {
    const std::int64_t segment = predictions.segments[i];
    const auto slot = static_cast<std::size_t>(segment);
    predictions.lower[i] =
        segment < 0 ? std::numeric_limits<double>::quiet_NaN() : means.lower[slot];
    predictions.upper[i] =
        segment < 0 ? std::numeric_limits<double>::quiet_NaN() : means.upper[slot];
  }
}

class predict_run {
 public:
  explicit predict_run(predict_arguments arguments)
      : arguments_(std::move(arguments)), engine_(arguments_.engine.options()) {
    report_.first_bad_row = -1;
  }

  void run() {
    {
      stopwatch::scope timed(total_);
      predict();
    }
    print_warnings(*rows_);
    if (arguments_.talk.json) {
      write_to_stdout(summary_as_json().text());
    } else if (!arguments_.talk.quiet) {
      say(summary_in_words());
    }
  }

 private:
  void predict() {
    model model = load_model(engine_, arguments_.model);
    several_ = points_info_of(model);
    if (several_.has_value()) {
      check_several();
      open_points_table();
    } else {
      check_one();
    }
    if (!several_.has_value() && arguments_.experts == ZCMOE_EXPERTS_INTERPOLATE &&
        model.info().options.experts != ZCMOE_EXPERTS_INTERPOLATE) {
      if (model.info().options.experts != ZCMOE_EXPERTS_CONSTANT) {
        fail(arguments_.model,
             ": --experts interpolate reads constants, and this model's segments "
             "have lines");
      }
      model = model.interpolated();
    }
    intervals means;
    if (arguments_.confidence.has_value()) means = intervals_of(model, *arguments_.confidence);
    if (!several_.has_value()) open_table(model.info());
    const auto writer = make_writer(arguments_, *rows_);
    progress bar("predict", !arguments_.talk.quiet);
    prediction_block predictions;
    row_block block;
    while (next(block)) {
      predict_block(model, means, block, predictions);
      {
        stopwatch::scope timed(writing_);
        writer->write(predictions);
      }
      num_rows_ = block.first_row + block.rows;
      bar.update(rows_->done(), num_rows_);
    }
    fail_without_numbers();
    stopwatch::scope timed(writing_);
    writer->commit();
  }

  void check_one() const {
    const std::vector<std::string>& given = arguments_.columns;
    if (given.size() > 1) {
      fail_usage("--x is given ", given.size(), " times (", list_in_words(given), "), and ",
                 arguments_.model, " is a model of one input");
    }
  }

  void check_several() const {
    if (arguments_.experts != experts_as_fitted) {
      fail("--experts interpolate: ", arguments_.model, " is a model of several inputs (",
           several_->num_inputs, "), which has no line to interpolate on");
    }
    if (arguments_.confidence.has_value()) {
      fail("--interval: not for models of several inputs yet (", arguments_.model, " has ",
           several_->num_inputs, ")");
    }
    const char* const column = arguments_.asks_for_segments();
    if (column != nullptr && several_->num_segments == 0) {
      fail(column, ": ", arguments_.model, " answers with sums of ", several_->num_banks,
           " constants, and has no segments; --partition score, tree or grid learns some");
    }
  }

  void open_points_table() {
    points_choice choice;
    choice.inputs = arguments_.columns;
    choice.num_inputs = several_->num_inputs;
    for (std::int64_t k = 0; several_->input_names != nullptr && k < several_->num_inputs; ++k)
      choice.stored.emplace_back(several_->input_names[k]);
    rows_ = open_points(arguments_.table, choice);
    check_places();
    if (!arguments_.table.csv.header) return;
    for (std::size_t k = 0; k < rows_->num_columns(); ++k) {
      names_.push_back(rows_->column_name(k));
      if (choice.stored.empty() || names_[k].empty() || names_[k] == choice.stored[k]) continue;
      say(text("warning: --x number ", k + 1, " is '", names_[k],
               "', but the model was learned from '", choice.stored[k], "'"));
    }
    if (names_.empty() || names_[0].empty()) names_.clear();
  }

  void check_places() const {
    std::vector<std::string> inputs = rows_->files();
    inputs.push_back(arguments_.model);
    std::vector<named_output> outputs{{"--output", arguments_.output}};
    if (arguments_.talk.json) outputs.push_back({"--json", "-"});
    check_outputs(outputs, inputs);
  }

  void open_table(const zcmoe_model_info& learned) {
    column_role& x = arguments_.roles[0];
    x.stored = stored_name(learned.options.feature_name);
    rows_ = open_rows(arguments_.table, arguments_.roles);
    x_name_ = arguments_.table.csv.header ? rows_->column_name(0) : "";
    check_places();
    compare_names(learned, x, x_name_);
  }

  bool next(row_block& block) {
    stopwatch::scope timed(reading_);
    return rows_->next(block);
  }

  void predict_block(const model& model, const intervals& means, const row_block& block,
                     prediction_block& predictions) {
    const auto size = static_cast<std::size_t>(block.rows);
    const bool intervals = arguments_.confidence.has_value();
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.report = &report_;
    if (arguments_.dtype == ZCMOE_F32) {
      predictions.values_f32.resize(size);
      outputs.values = output(predictions.values_f32.data());
    } else {
      predictions.values_f64.resize(size);
      outputs.values = output(predictions.values_f64.data());
    }
    if (arguments_.segments || intervals) {
      predictions.segments.resize(size);
      outputs.segments = output(predictions.segments.data());
    }
    if (arguments_.standard_errors) {
      predictions.standard_errors.resize(size);
      outputs.standard_errors = output(predictions.standard_errors.data());
    }
    predictions.rows = block.rows;
    {
      stopwatch::scope timed(predicting_);
      if (several_.has_value()) {
        zcmoe_points points = ZCMOE_POINTS_INIT;
        points.num_inputs = several_->num_inputs;
        points.columns = block.columns.data();
        check(zcmoe_predict_points_sync(model.get(), &points, block.rows, &outputs, nullptr));
      } else {
        model.predict_sync(block.columns[0], block.rows, outputs);
      }
      if (intervals) look_up(means, predictions);
    }
    if (block.unparsable != nullptr) {
      for (std::size_t i = 0; i < size; ++i) unparsable_ += block.unparsable[i] != 0 ? 1 : 0;
    }
  }

  /// A table without a single number is the wrong table, or is read in the wrong way.
  void fail_without_numbers() const {
    if (unparsable_ == 0 || report_.nan_inputs < num_rows_) return;
    const std::string hint = rows_->number_hint();
    fail(arguments_.table.inputs[0], ": no input is a number (first: ", rows_->first_unparsable(),
         ")", hint.empty() ? "" : "; ", hint);
  }

  double rows_per_second() const {
    return total_.seconds() > 0 ? static_cast<double>(num_rows_) / total_.seconds() : 0.0;
  }

  json_object summary_as_json() const {
    const zcmoe_context_info info = engine_.info();
    json_object json = json_of_engine(info);
    json.set("model", arguments_.model);
    json.set("inputs", arguments_.table.inputs);
    json.set("format", rows_->format());
    if (several_.has_value()) {
      json.set("num_inputs", several_->num_inputs);
      json.set("input_names", names_);
    } else {
      json.set_null_if_empty("input_name", x_name_);
      json.set_null_if_empty("model_input_name", arguments_.roles[0].stored);
    }
    json.set("output", arguments_.output);
    json.set("rows", num_rows_);
    json.set("missing_inputs", report_.nan_inputs);
    json.set("unparsable_inputs", unparsable_);
    json.set("first_unparsable", rows_->first_unparsable());
    json.set("below_range", report_.below_range);
    json.set("above_range", report_.above_range);
    json.set("seconds", json_object()
                            .set("read", reading_.seconds())
                            .set("predict", predicting_.seconds())
                            .set("write", writing_.seconds())
                            .set("total", total_.seconds()));
    json.set("rows_per_second", rows_per_second());
    return json;
  }

  std::string summary_in_words() const {
    std::string said =
        text(grouped(num_rows_), " rows predicted in ", readable(total_.seconds()), " s (",
             readable(rows_per_second() / 1e6), " M rows/s), ", engine_.info().name);
    if (report_.nan_inputs > 0) said += text("; ", grouped(report_.nan_inputs), " missing inputs");
    if (unparsable_ > 0) {
      said += text(", ", grouped(unparsable_),
                   " of them not a number (first: ", rows_->first_unparsable(), ")");
    }
    const std::int64_t outside = report_.below_range + report_.above_range;
    if (outside > 0) said += text("; ", grouped(outside), " inputs out of range");
    return said;
  }

  predict_arguments arguments_;
  context engine_;
  std::unique_ptr<row_source> rows_;
  std::string x_name_;
  std::optional<zcmoe_points_info> several_;  // of a model of several inputs
  std::vector<std::string> names_;            // of the columns read for it
  zcmoe_report report_{};
  std::int64_t num_rows_ = 0;
  std::int64_t unparsable_ = 0;
  stopwatch total_;
  stopwatch reading_;
  stopwatch predicting_;
  stopwatch writing_;
};

}  // namespace

command_body add_predict_command(parser& command) {
  auto arguments = std::make_shared<predict_arguments>();
  command.add_option("model", arguments->model, "model file, as written by `zcmoe fit`")
      .type_name("MODEL")
      .required();
  add_table_options(command, arguments->table, true);
  add_input_option(command, arguments->roles[0].value, &arguments->columns,
                   "CSV: input column, header text or number (that which the model was learned "
                   "from); of several inputs one each, in the model's order");
  add_output_option(command, arguments->output, "file to write; - is standard output")
      .capture_default_str();
  add_choice(command, "--output-format", arguments->format, format_words,
             "auto: NPY if the name ends in .npy, else CSV");
  add_choice(command, "--output-dtype", arguments->dtype, dtype_words,
             "precision of the predictions");
  add_choice(command, "--experts", arguments->experts, reading_words,
             "interpolate: read a model of constants by lines between the centres of its segments; "
             "for smooth relations, of which that is a better estimate");
  command.add_flag(
      "--segments-column", arguments->segments,
      "CSV: add the column segment (0 to m-1; -1 none; m NaN, m+1 below, m+2 above the range)");
  command.add_flag("--standard-error", arguments->standard_errors,
                   "CSV: add the column standard_error");
  command
      .add_option("--interval", arguments->confidence,
                  "CSV: add the columns mean_lower and mean_upper, a confidence interval of the "
                  "target's mean over the segment (not of its value at x)")
      .type_name("LEVEL")
      .check([](const std::string& given) {
        double value = 0;
        const bool good =
            parse_number(given, value) == field_kind::number && value > 0 && value < 1;
        return good ? std::string() : "'" + given + "' is not a level between 0 and 1";
      });
  command.add_flag("--no-output-header", arguments->no_output_header,
                   "CSV: write no line of column names");
  add_engine_options(command, arguments->engine);
  add_talk_options(command, arguments->talk,
                   "summary as JSON on standard output (the predictions then need --output)");
  command.footer(
      "Examples:\n"
      "  zcmoe predict model.safetensors data.csv                          CSV on standard output\n"
      "  zcmoe predict model.safetensors x.npy --output y.npy              NPY in, NPY out\n"
      "  zcmoe predict model.safetensors data.csv --x 2 --segments-column --standard-error -o "
      "predictions.csv\n"
      "  zcmoe predict model.safetensors a.npy b.npy --output y.npy        several inputs: one "
      "file each, or one of shape (n, d)\n"
      "  produce | zcmoe predict model.safetensors - --x 1 --no-header     from standard input\n"
      "Every row of the input gets its row of output: a missing or unreadable input counts as NaN, "
      "for which the\n"
      "model predicts what it was told to when it was fitted (--nan-policy). If no input at all is "
      "a number, "
      "the "
      "command fails.\n" +
      std::string(csv_help));
  return [arguments] {
    if (arguments->talk.json && arguments->output == "-") {
      fail_usage("--json needs --output FILE: predictions and summary both want standard output");
    }
    const char* const column = arguments->asks_for_segments();
    if (arguments->experts == ZCMOE_EXPERTS_INTERPOLATE && column != nullptr) {
      fail_usage(column, " tells of one segment, and --experts interpolate answers from two");
    }
    if (arguments->npy() && column != nullptr) {
      fail_usage(column, " needs CSV output; an NPY file holds the predictions alone");
    }
    predict_run(*arguments).run();
  };
}

}  // namespace zcmoe::cli
