// zcmoe predict: rows in, answers out, one block at a time and in the order of the rows.
#include "arguments.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "json_text.hpp"
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
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::cli {
namespace {

enum output_format : std::int32_t { format_auto, format_csv, format_npy };
const choices format_words = {{"auto", format_auto}, {"csv", format_csv}, {"npy", format_npy}};
const choices dtype_words = {{"f4", ZCMOE_F32}, {"f8", ZCMOE_F64}};

struct predict_arguments {
  std::string model;
  table_choice table;
  std::vector<column_role> roles{{"--x", "", true}};
  engine_choice engine;
  std::string output = "-";
  std::int32_t format = format_auto;
  std::int32_t dtype = ZCMOE_F64;
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

/// The interval of the segment that answered each row; NaN where none did.
void look_up(const intervals& means, answer_block& answers) {
  answers.lower.resize(answers.segments.size());
  answers.upper.resize(answers.segments.size());
  for (std::size_t i = 0; i < answers.segments.size(); ++i) {
    const std::int64_t segment = answers.segments[i];
    const auto slot = static_cast<std::size_t>(segment);
    answers.lower[i] = segment < 0 ? std::numeric_limits<double>::quiet_NaN() : means.lower[slot];
    answers.upper[i] = segment < 0 ? std::numeric_limits<double>::quiet_NaN() : means.upper[slot];
  }
}

void check_places(const predict_arguments& arguments, const row_source& rows) {
  std::vector<std::string> inputs = rows.files();
  inputs.push_back(arguments.model);
  std::vector<named_output> outputs{{"--output", arguments.output}};
  if (arguments.talk.json) outputs.push_back({"--json", "-"});
  check_outputs(outputs, inputs);
}

void predict(predict_arguments arguments) {
  stopwatch total;
  stopwatch reading;
  stopwatch predicting;
  stopwatch writing;
  std::int64_t num_rows = 0;
  std::int64_t unparsable = 0;
  zcmoe_report report{};
  report.first_bad_row = -1;
  std::unique_ptr<row_source> rows;
  std::string x_name;
  const context engine(arguments.engine.options());
  {
    stopwatch::scope all(total);
    const model model = load_model(engine, arguments.model);
    intervals means;
    if (arguments.confidence.has_value()) means = intervals_of(model, *arguments.confidence);
    column_role& x = arguments.roles[0];
    x.stored = stored_name(model.info().options.feature_name);
    rows = open_rows(arguments.table, arguments.roles);
    x_name = arguments.table.csv.header ? rows->column_name(0) : "";
    check_places(arguments, *rows);
    compare_names(model.info(), x, x_name);
    const auto writer = make_writer(arguments, *rows);
    progress bar("predict", !arguments.talk.quiet);
    answer_block answers;
    row_block block;
    for (;;) {
      {
        stopwatch::scope timed(reading);
        if (!rows->next(block)) break;
      }
      const auto size = static_cast<std::size_t>(block.rows);
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.report = &report;
      if (arguments.dtype == ZCMOE_F32) {
        answers.values_f32.resize(size);
        outputs.values = output(answers.values_f32.data());
      } else {
        answers.values_f64.resize(size);
        outputs.values = output(answers.values_f64.data());
      }
      if (arguments.segments || arguments.confidence.has_value()) {
        answers.segments.resize(size);
        outputs.segments = output(answers.segments.data());
      }
      if (arguments.standard_errors) {
        answers.standard_errors.resize(size);
        outputs.standard_errors = output(answers.standard_errors.data());
      }
      answers.rows = block.rows;
      {
        stopwatch::scope timed(predicting);
        model.predict_sync(block.columns[0], block.rows, outputs);
        if (arguments.confidence.has_value()) look_up(means, answers);
      }
      {
        stopwatch::scope timed(writing);
        writer->write(answers);
      }
      if (block.unparsable != nullptr) {
        for (std::size_t i = 0; i < size; ++i) unparsable += block.unparsable[i] != 0 ? 1 : 0;
      }
      num_rows = block.first_row + block.rows;
      bar.update(rows->done(), num_rows);
    }
    if (unparsable > 0 && report.nan_inputs == num_rows) {
      const std::string hint = rows->number_hint();
      fail(arguments.table.inputs[0], ": no input is a number (first: ", rows->first_unparsable(),
           ")", hint.empty() ? "" : "; ", hint);
    }
    stopwatch::scope timed(writing);
    writer->commit();
  }

  print_warnings(*rows);
  const double rows_per_second =
      total.seconds() > 0 ? static_cast<double>(num_rows) / total.seconds() : 0.0;
  if (arguments.talk.json) {
    const zcmoe_context_info info = engine.info();
    nlohmann::ordered_json json;
    json["version"] = zcmoe_version();
    json["engine"] = info.engine == ZCMOE_ENGINE_CUDA ? "cuda" : "cpu";
    json["engine_name"] = info.name;
    json["model"] = arguments.model;
    json["inputs"] = arguments.table.inputs;
    json["format"] = rows->format();
    const auto name_or_null = [](const std::string& name) {
      return name.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(name);
    };
    json["input_name"] = name_or_null(x_name);
    json["model_input_name"] = name_or_null(arguments.roles[0].stored);
    json["output"] = arguments.output;
    json["rows"] = num_rows;
    json["missing_inputs"] = report.nan_inputs;
    json["unparsable_inputs"] = unparsable;
    json["first_unparsable"] = rows->first_unparsable();
    json["below_range"] = report.below_range;
    json["above_range"] = report.above_range;
    json["seconds"] = {{"read", reading.seconds()},
                       {"predict", predicting.seconds()},
                       {"write", writing.seconds()},
                       {"total", total.seconds()}};
    json["rows_per_second"] = rows_per_second;
    write_to_stdout(json_text(json));
  } else if (!arguments.talk.quiet) {
    std::string said =
        text(grouped(num_rows), " rows answered in ", readable(total.seconds()), " s (",
             readable(rows_per_second / 1e6), " M rows/s), ", engine.info().name);
    if (report.nan_inputs > 0) said += text("; ", grouped(report.nan_inputs), " missing inputs");
    if (unparsable > 0) {
      said += text(", ", grouped(unparsable),
                   " of them not a number (first: ", rows->first_unparsable(), ")");
    }
    const std::int64_t outside = report.below_range + report.above_range;
    if (outside > 0) said += text("; ", grouped(outside), " inputs out of range");
    say(said);
  }
}

}  // namespace

command_body add_predict_command(CLI::App& app) {
  auto arguments = std::make_shared<predict_arguments>();
  app.add_option("model", arguments->model, "model file, as written by `zcmoe fit`")
      ->type_name("MODEL")
      ->required();
  add_table_options(app, arguments->table, true);
  app.add_option("--x", arguments->roles[0].value,
                 "CSV: input column, header text or number (that which the model was learned from)")
      ->type_name("COLUMN");
  add_output_option(app, arguments->output, "file to write; - is standard output")
      ->capture_default_str();
  add_choice(app, "--output-format", arguments->format, format_words,
             "auto: NPY if the name ends in .npy, else CSV");
  add_choice(app, "--output-dtype", arguments->dtype, dtype_words, "precision of the predictions");
  app.add_flag(
      "--segments-column", arguments->segments,
      "CSV: add the column segment (0 to m-1; -1 none; m NaN, m+1 below, m+2 above the range)");
  app.add_flag("--standard-error", arguments->standard_errors,
               "CSV: add the column standard_error");
  app.add_option("--interval", arguments->confidence,
                 "CSV: add the columns mean_lower and mean_upper, a confidence interval of the "
                 "target's mean over the segment (not of its value at x)")
      ->type_name("LEVEL")
      ->check(CLI::Validator(
          [](std::string& given) {
            double value = 0;
            const bool good =
                parse_number(given, value) == field_kind::number && value > 0 && value < 1;
            return good ? std::string() : "'" + given + "' is not a level between 0 and 1";
          },
          ""));
  app.add_flag("--no-output-header", arguments->no_output_header,
               "CSV: write no line of column names");
  add_engine_options(app, arguments->engine);
  add_talk_options(app, arguments->talk,
                   "summary as JSON on standard output (the predictions then need --output)");
  app.footer(
      "Examples:\n"
      "  zcmoe predict model.safetensors data.csv                          CSV on standard output\n"
      "  zcmoe predict model.safetensors x.npy --output y.npy              NPY in, NPY out\n"
      "  zcmoe predict model.safetensors data.csv --x 2 --segments-column --standard-error -o "
      "answers.csv\n"
      "  produce | zcmoe predict model.safetensors - --x 1 --no-header     from standard input\n"
      "Every row of the input gets its row of output: a missing or unreadable input counts as NaN, "
      "which the model\n"
      "answers as it was told when it was fitted (--nan-policy). If no input at all is a number, "
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
    if (arguments->npy() && column != nullptr) {
      fail_usage(column, " needs CSV output; an NPY file holds the predictions alone");
    }
    predict(*arguments);
  };
}

}  // namespace zcmoe::cli
