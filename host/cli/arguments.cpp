// Names, defaults and help of the shared options.
#include "arguments.hpp"

#include "number.hpp"
#include "row_triage.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace zcmoe::cli {

namespace {
constexpr std::int32_t max_threads = 4096;  // of zcmoe_context_create
}

const choices segmentation_words = {{"uniform", segmentation_uniform},
                                    {"quantile", segmentation_quantile},
                                    {"optimal", segmentation_optimal},
                                    {"compander", segmentation_compander}};
const choices closed_side_words = {{"left", ZCMOE_CLOSED_LEFT}, {"right", ZCMOE_CLOSED_RIGHT}};
const choices nan_policy_words = {
    {"propagate", ZCMOE_NAN_PROPAGATE}, {"segment", ZCMOE_NAN_SEGMENT}, {"value", ZCMOE_NAN_VALUE}};
const choices range_policy_words = {{"clamp", ZCMOE_RANGE_CLAMP},
                                    {"nan", ZCMOE_RANGE_NAN},
                                    {"value", ZCMOE_RANGE_VALUE},
                                    {"segments", ZCMOE_RANGE_SEGMENTS}};
const choices empty_policy_words = {{"nearest", ZCMOE_EMPTY_NEAREST},
                                    {"nan", ZCMOE_EMPTY_NAN},
                                    {"mean", ZCMOE_EMPTY_GLOBAL_MEAN},
                                    {"value", ZCMOE_EMPTY_VALUE},
                                    {"parent", ZCMOE_EMPTY_PARENT}};
const choices constants_words = {{"mean", ZCMOE_CONSTANTS_MEAN},
                                 {"smooth", ZCMOE_CONSTANTS_SMOOTH}};
const choices experts_words = {{"constant", ZCMOE_EXPERTS_CONSTANT},
                               {"linear", ZCMOE_EXPERTS_LINEAR},
                               {"interpolate", ZCMOE_EXPERTS_INTERPOLATE}};
const choices weights_words = {{"sampling", ZCMOE_WEIGHTS_SAMPLING},
                               {"precision", ZCMOE_WEIGHTS_PRECISION}};
bool has_precisions(const zcmoe_model_info& info) {
  return info.weighted != 0 && info.options.weights_kind == ZCMOE_WEIGHTS_PRECISION;
}
const char* precision_in_words(const zcmoe_model_info& info) {
  return has_precisions(info) ? ", of a row of weight 1" : "";
}
const char* experts_in_words(std::int32_t experts) {
  return experts == ZCMOE_EXPERTS_LINEAR
             ? "a least-squares line of each segment's rows"
             : "lines between values that segments share at their edges";
}

option add_choice(parser& command, const std::string& name, std::int32_t& target, choices words,
                  const std::string& help) {
  std::string list;
  for (const auto& [word, value] : words) list += text(list.empty() ? "" : "|", word);
  const std::string preset = word_of(words, target);
  return command
      .add_option_function(
          name,
          [&target, words = std::move(words), list](const std::string& given) {
            for (const auto& [word, value] : words) {
              if (word != given) continue;
              target = value;
              return std::string();
            }
            return "'" + given + "' is none of " + list;
          },
          help)
      .type_name(list)
      .default_str(preset);
}

std::string word_of(const choices& words, std::int32_t value) {
  for (const auto& [word, number] : words) {
    if (number == value) return word;
  }
  return text(value);
}

void add_talk_options(parser& command, talk_choice& talk, const std::string& json_help) {
  command.add_flag("--json", talk.json, json_help);
  command.add_flag("-q,--quiet", talk.quiet, "no summary and no progress bar on standard error")
      .excludes("--json");
}

void add_table_options(parser& command, table_choice& table, bool required) {
  option inputs = command.add_option("input", table.inputs,
                                     "one CSV file, or one NPY file per column; - is "
                                     "standard input. Empty lines of a CSV file are "
                                     "no rows, but missing values if it has one column only");
  inputs.type_name("FILE");
  if (required) inputs.required();
  add_csv_options(command, table);
}

option add_input_option(parser& command, std::string& x, std::vector<std::string>* inputs,
                        const std::string& words) {
  return command
      .add_repeatable(
          "--x",
          [&x, inputs](const std::string& given) {
            if (inputs != nullptr) inputs->push_back(given);
            if (inputs == nullptr && !x.empty()) {
              return text("given twice, as '", x, "' and '", given,
                          "': this command is not for models of several inputs yet");
            }
            if (x.empty()) x = given;
            return std::string();
          },
          words)
      .type_name("COLUMN");
}

void add_column_options(parser& command, std::vector<column_role>& roles,
                        std::vector<std::string>* inputs) {
  add_input_option(command, roles[column_x].value, inputs,
                   text("input column: header text or number",
                        inputs != nullptr ? "; given several times, as many inputs" : ""));
  command.add_option("--y", roles[column_y].value, "target column").type_name("COLUMN");
  command
      .add_option("--weights", roles[column_weights].value, "column of row weights (finite, >= 0)")
      .type_name("COLUMN");
}

void add_weights_kind(parser& command, std::int32_t& kind) {
  add_choice(command, "--weights-kind", kind, weights_words,
             "what weights say, for standard errors and noise: how much a row counts for, all rows "
             "being equally noisy, or how precise it is, with the variance s^2 / weight");
}

void check_weights_kind(std::int32_t kind, const row_source& rows) {
  if (kind == ZCMOE_WEIGHTS_PRECISION && !rows.has(column_weights))
    fail_usage("--weights-kind precision: the rows have no weights");
}

namespace {

/// Whether the text is one character of UTF-8.
bool is_one_character(const std::string& given) {
  if (given.empty() || given.size() > 4) return false;
  return std::all_of(given.begin() + 1, given.end(), [](char c) { return (c & 0xC0) == 0x80; });
}

/// An option whose value is one byte, none of `refused`.
option add_character(parser& command, const std::string& name, char& target,
                     std::string_view refused, const std::string& help) {
  return command
      .add_option_function(
          name,
          [&target, refused](const std::string& given) {
            const std::string value = given == "\\t" || given == "tab" ? "\t" : given;
            if (value.size() != 1 || value == "\"" || value == "\n" || value == "\r") {
              return "'" + given + "' is not one character (or tab)";
            }
            if (refused.find(value[0]) != std::string_view::npos) {
              return "'" + given + "' is part of numbers";
            }
            target = value[0];
            return std::string();
          },
          help)
      .type_name("CHAR");
}

}  // namespace

const char csv_help[] =
    "CSV: numbers beyond the range of a double are infinite (1e400) or 0 (1e-400). Malformed "
    "quotes "
    "and rows with more\n"
    "fields than the header are errors; shorter rows miss values. - can read what another program "
    "unpacks:\n"
    "gunzip -c data.csv.gz | zcmoe ... -";

void add_csv_options(parser& command, table_choice& table) {
  csv_options& csv = table.csv;
  add_character(command, "--delimiter", csv.delimiter, "",
                "CSV: what separates fields; tab for tabulators")
      .default_str(",");
  add_character(command, "--decimal", csv.numbers.decimal, "0123456789+-eE \t",
                "CSV: the decimal mark of numbers")
      .default_str(".");
  command
      .add_option_function(
          "--thousands",
          [&csv](const std::string& given) {
            if (!is_one_character(given) ||
                std::string_view("0123456789+-eE\"\n\r").find(given[0]) != std::string_view::npos) {
              return "'" + given + "' is not one character that can separate digits";
            }
            csv.numbers.thousands = given;
            return std::string();
          },
          "CSV: what separates groups of digits in numbers, e.g. , in 1,234,567 (nothing)")
      .type_name("CHAR");
  add_character(command, "--comment", csv.comment, "0123456789+-.",
                "CSV: lines that begin with it are no rows (none)");
  command
      .add_option("--skip-lines", csv.skip_lines, "CSV: leave out so many lines before the header")
      .type_name("N")
      .check_range(std::int64_t{0}, std::int64_t{1} << 53)
      .default_str("0");
  command.add_flag_callback(
      "--no-header", [&csv] { csv.header = false; },
      "CSV: the first line is data; columns are given by number");
  command.add_flag("--strict", csv.strict,
                   "CSV: fail on a field that is not a number, on rows with too few fields, and on "
                   "quotes in fields that are not quoted");
}

option add_output_option(parser& command, std::string& path, const std::string& help) {
  return command.add_option("-o,--output", path, help)
      .type_name("FILE")
      .check([](const std::string& given) {
        return std::string(given.empty() ? "an empty name" : "");
      });
}

zcmoe_context_options engine_choice::options() const {
  zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
  options.num_threads = threads;
  if (device == "auto") return options;
  if (device == "cpu") {
    options.engine = ZCMOE_ENGINE_CPU;
    return options;
  }
  options.engine = ZCMOE_ENGINE_CUDA;
  if (device == "cuda") return options;
  if (device.compare(0, 5, "cuda:") == 0) {
    const char* const end = device.data() + device.size();
    const auto [stop, error] = std::from_chars(device.data() + 5, end, options.device);
    if (error == std::errc() && stop == end && options.device >= 0) return options;
  }
  fail_usage("--device ", device, ": not auto, cpu, cuda or cuda:N (N = 0, 1, ...)");
}

void add_engine_options(parser& command, engine_choice& engine) {
  command.add_option("--device", engine.device, "engine: auto takes a CUDA device if there is one")
      .type_name("auto|cpu|cuda:N")
      .capture_default_str();
  command
      .add_option("--threads", engine.threads,
                  "CPU engine: worker threads, 0 = all cores; never changes a result")
      .check_range(std::int64_t{0}, max_threads)
      .type_name("N")
      .capture_default_str();
}

std::pair<double, double> range_of(const std::string& range_text) {
  const std::size_t colon = range_text.find(':');
  double lo = 0;
  double hi = 0;
  if (colon == std::string::npos ||
      parse_number(std::string_view(range_text).substr(0, colon), lo) != field_kind::number ||
      parse_number(std::string_view(range_text).substr(colon + 1), hi) != field_kind::number) {
    fail_usage("--range ", range_text, ": not two numbers LO:HI");
  }
  if (!std::isfinite(lo) || !std::isfinite(hi) || !(lo < hi)) {
    fail_usage("--range ", range_text, ": LO must be less than HI, both finite");
  }
  return {lo, hi};
}

void segmentation_choice::check() {
  automatic = segments_text == "auto";
  if (!automatic) {
    const char* const end = segments_text.data() + segments_text.size();
    const auto [rest, error] = std::from_chars(segments_text.data(), end, segments);
    if (rest != end || error == std::errc::invalid_argument) {
      fail_usage("--segments ", segments_text, ": neither a number nor auto");
    }
    if (error != std::errc() || segments < 1 || segments > ZCMOE_MAX_SEGMENTS) {
      fail_usage("--segments ", segments_text, ": not between 1 and ", ZCMOE_MAX_SEGMENTS);
    }
  }
  if (!range_text.empty()) range = range_of(range_text);
}

void segmentation_choice::refuse_options_of_companders() const {
  if (kind == segmentation_compander) return;
  const auto refuse = [&](bool given, const char* option) {
    if (given) {
      fail_usage(option, ": goes with --segmentation compander, not with ",
                 word_of(segmentation_words, kind));
    }
  };
  refuse(uniform_mixture.has_value(), "--uniform-mixture");
  refuse(floor.has_value(), "--floor");
  refuse(min_count.has_value(), "--min-count");
  refuse(pilot_bins.has_value(), "--pilot-bins");
}

bool segmentation_choice::needs_data() const {
  if (!edges_file.empty()) return false;
  return automatic || kind != segmentation_uniform || !range.has_value();
}

zcmoe_plug_in_options segmentation_choice::plug_in() const {
  zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
  options.uniform_mixture = uniform_mixture.value_or(options.uniform_mixture);
  options.floor = floor.value_or(options.floor);
  options.min_count = min_count.value_or(options.min_count);
  options.pilot_bins = pilot_bins.value_or(options.pilot_bins);
  return options;
}

zcmoe_density_options segmentation_choice::density() const {
  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.uniform_mixture = uniform_mixture.value_or(options.uniform_mixture);
  options.floor = floor.value_or(options.floor);
  return options;
}

void add_segmentation_options(parser& command, segmentation_choice& segmentation) {
  const std::string group = "Segmentation";
  command
      .add_option(
          "--segments", segmentation.segments_text,
          "how many segments to cut the range into; auto: as many as `zcmoe plan` recommends")
      .type_name("M|auto")
      .capture_default_str()
      .group(group);
  add_choice(command, "--segmentation", segmentation.kind, segmentation_words,
             "where to cut: equal widths, equal numbers of rows, least error (narrow where the "
             "target changes fast, and at its jumps), or a crude density of such cuts")
      .group(group);
  add_placement_options(command, segmentation);
}

void add_placement_options(parser& command, segmentation_choice& segmentation) {
  const std::string group = "Segmentation";
  command
      .add_option("--range", segmentation.range_text,
                  "cut this range of the input instead of that of the data")
      .type_name("LO:HI")
      .group(group);
  command
      .add_option(
          "--uniform-mixture", segmentation.uniform_mixture,
          "compander: part of the segments spread evenly, 0 to 1 (0.1 from data, 0 for a table)")
      .type_name("ETA")
      .group(group);
  command
      .add_option(
          "--floor", segmentation.floor,
          "compander: least slope assumed, relative to the mean (0.02 from data, 0 for a table)")
      .type_name("DELTA")
      .group(group);
  command
      .add_option("--min-count", segmentation.min_count,
                  "compander, from data: segments expected to hold fewer rows are merged (5)")
      .type_name("N")
      .group(group);
  command
      .add_option("--pilot-bins", segmentation.pilot_bins,
                  "compander, from data: bins of the first estimate (chosen from the number of "
                  "rows)")
      .type_name("N")
      .group(group);
  command
      .add_option(
          "--sample-rows", segmentation.sample_rows,
          "from data: choose the cuts from an evenly spread sample if there are more rows. Several "
          "inputs: learn from a sample if there are more (as many as take 1 GiB, but at "
          "most 4194304)")
      .type_name("N")
      .check_range(std::int64_t{2}, std::int64_t{1} << 32)
      .capture_default_str()
      .group(group);
}

void add_model_options(parser& command, model_choice& model) {
  const std::string group = "What the model predicts";
  zcmoe_model_options& options = model.options;
  add_choice(command, "--closed-side", options.closed_side, closed_side_words,
             "which edge belongs to a segment: left [a, b) or right (a, b]")
      .group(group);
  command
      .add_flag_callback(
          "--open-outer-edge", [&options] { options.include_outer_edge = 0; },
          "leave the open end of the range open: the last edge itself is out of range")
      .group(group);
  add_choice(command, "--nan-policy", options.nan_policy, nan_policy_words,
             "missing input: predict NaN, a constant learned from such rows, or --nan-value")
      .group(group);
  command.add_option("--nan-value", options.nan_value, "the prediction under --nan-policy value")
      .type_name("V")
      .capture_default_str()
      .group(group);
  add_choice(
      command, "--range-policy", options.range_policy, range_policy_words,
      "input outside the range: nearest segment, NaN, --range-value, or two segments of their own")
      .group(group);
  command
      .add_option("--range-value", options.range_value, "the prediction under --range-policy value")
      .type_name("V")
      .capture_default_str()
      .group(group);
  add_choice(command, "--empty-policy", options.empty_policy, empty_policy_words,
             "segment without rows: nearest segment that has some, NaN, mean of all targets, "
             "--empty-value, or the "
             "smallest aligned block of segments that has rows")
      .group(group);
  command
      .add_option("--empty-value", options.empty_value, "the prediction under --empty-policy value")
      .type_name("V")
      .capture_default_str()
      .group(group);
  command
      .add_option("--shrinkage", options.shrinkage,
                  "draw constants of small segments towards the mean, as if KAPPA rows had it")
      .type_name("KAPPA")
      .capture_default_str()
      .group(group);
  command
      .add_option("--feature-name", model.feature_name,
                  "name of the input in the model file (CSV: its column)")
      .type_name("TEXT")
      .group(group);
  command
      .add_option("--target-name", model.target_name,
                  "name of the target in the model file (CSV: its column)")
      .type_name("TEXT")
      .group(group);
}

}  // namespace zcmoe::cli
