// zcmoe predict: reads rows and writes their predictions, one block at a time, in the same order.
#include "arguments.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "json_summary.hpp"
#include "model_input.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
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
    if (arguments_.experts == ZCMOE_EXPERTS_INTERPOLATE &&
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
    open_table(model.info());
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

  void open_table(const zcmoe_model_info& learned) {
    column_role& x = arguments_.roles[0];
    x.stored = stored_name(learned.options.feature_name);
    rows_ = open_rows(arguments_.table, arguments_.roles);
    x_name_ = arguments_.table.csv.header ? rows_->column_name(0) : "";
    std::vector<std::string> inputs = rows_->files();
    inputs.push_back(arguments_.model);
    std::vector<named_output> outputs{{"--output", arguments_.output}};
    if (arguments_.talk.json) outputs.push_back({"--json", "-"});
    check_outputs(outputs, inputs);
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
      model.predict_sync(block.columns[0], block.rows, outputs);
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
    json.set_null_if_empty("input_name", x_name_);
    json.set_null_if_empty("model_input_name", arguments_.roles[0].stored);
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
  command
      .add_option(
          "--x", arguments->roles[0].value,
          "CSV: input column, header text or number (that which the model was learned from)")
      .type_name("COLUMN");
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
    const char* const column = arguments->segments                 ? "--segments-column"
                               : arguments->standard_errors        ? "--standard-error"
                               : arguments->confidence.has_value() ? "--interval"
                                                                   : nullptr;
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
