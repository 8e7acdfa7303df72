// zcmoe compile: makes the smallest table of a function that is given as an expression, and says
// how large a table of segments of equal width would be.
#include "arguments.hpp"
#include "commands.hpp"
#include "expression.hpp"
#include "failure.hpp"
#include "json_object.hpp"
#include "model_output.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "progress.hpp"
#include "say.hpp"

#include <zcmoe/compile.hpp>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

const choices value_words = {{"constants", ZCMOE_EXPERTS_CONSTANT},
                             {"lines", ZCMOE_EXPERTS_LINEAR},
                             {"shared values", ZCMOE_EXPERTS_INTERPOLATE}};
const choices error_words = {{"rms", ZCMOE_COMPILE_RMS}, {"max", ZCMOE_COMPILE_MAX}};

struct compile_arguments {
  std::string function;
  std::string density;
  std::string range_text;
  double tolerance = 0;
  std::int32_t error = ZCMOE_COMPILE_RMS;
  std::int32_t experts = ZCMOE_EXPERTS_CONSTANT;
  zcmoe_compile_options options = ZCMOE_COMPILE_OPTIONS_INIT;
  std::string output;
  talk_choice talk;
};

/// Other kinds of experts are counted up to this many segments, which takes less than a second.
constexpr std::int64_t most_compared = 1 << 14;

/// The numbers that say what a table of so many segments answers: constants, lines of two numbers
/// each, or values at edges.
std::int64_t num_values(std::int64_t segments, std::int32_t experts) {
  if (experts == ZCMOE_EXPERTS_CONSTANT) return segments;
  return experts == ZCMOE_EXPERTS_LINEAR ? 2 * segments : segments + 1;
}

/// The size of a table counts its values and its edges, 8 bytes each.
std::int64_t table_bytes(std::int64_t segments, std::int32_t experts) {
  return 8 * (num_values(segments, experts) + segments + 1);
}

struct report {
  const compile_arguments& arguments;
  std::pair<double, double> range;
  zcmoe_compile_result result;
  double seconds;

  void print() const {
    say("function",
        text(arguments.function, ", x from ", readable_range(range.first, range.second)));
    if (!arguments.density.empty()) say("input density", arguments.density);
    say("error", text(word_of(error_words, arguments.error), " ", readable(result.error),
                      ", at most ", readable(arguments.tolerance), " asked for"));
    say("verified", text("at inputs at most ", readable(result.gap),
                         " apart: what the function does between two of them is not seen"));
    const bool proved = result.least_segments == result.num_segments;
    say("segments", text(grouped(result.num_segments), ", ",
                         grouped(table_bytes(result.num_segments, arguments.experts)),
                         " bytes of edges and ", word_of(value_words, arguments.experts),
                         proved ? "; no table of fewer meets the error" : ""));
    say("for this error", text(counted(ZCMOE_EXPERTS_CONSTANT), ", ", counted(ZCMOE_EXPERTS_LINEAR),
                               ", ", counted(ZCMOE_EXPERTS_INTERPOLATE)));
    if (result.uniform_segments == 0) {
      say("equal widths",
          text("more than ", grouped(arguments.options.max_segments), " segments for this error"));
    } else {
      const double ratio =
          static_cast<double>(result.uniform_segments) / static_cast<double>(result.num_segments);
      say("equal widths",
          text(grouped(result.uniform_segments), " segments, ",
               grouped(table_bytes(result.uniform_segments, arguments.experts)), " bytes (",
               grouped(8 * num_values(result.uniform_segments, arguments.experts)),
               " without edges), for the same error: ", readable(ratio), " times as many"));
    }
    say("evaluations", grouped(result.num_evaluations));
    say("total", text(fixed(seconds, 10, 4), " s"));
    if (!arguments.output.empty())
      say("model", arguments.output == "-" ? "standard output" : arguments.output);
  }

  std::int64_t segments_of(std::int32_t experts) const {
    if (experts == ZCMOE_EXPERTS_CONSTANT) return result.constant_segments;
    return experts == ZCMOE_EXPERTS_LINEAR ? result.linear_segments : result.interpolate_segments;
  }
  /// How many values a kind of experts takes for the same error.
  std::string counted(std::int32_t experts) const {
    const std::int64_t segments = segments_of(experts);
    const std::string word = word_of(value_words, experts);
    if (segments == 0) return text("more than ", grouped(most_compared), " ", word);
    if (experts == ZCMOE_EXPERTS_LINEAR) return text(grouped(segments), " ", word, " of 2 values");
    return text(grouped(num_values(segments, experts)), " ", word);
  }

  json_object kinds() const {
    json_object json;
    for (const auto& [word, experts] : experts_words) {
      const std::int64_t segments = segments_of(experts);
      json.set(word, json_object()
                         .set("segments", segments)
                         .set("values", segments == 0 ? 0 : num_values(segments, experts))
                         .set("bytes", segments == 0 ? 0 : table_bytes(segments, experts)));
    }
    return json;
  }

  std::string as_json() const {
    json_object json;
    json.set("version", zcmoe_version());
    json.set("function", arguments.function);
    json.set_null_if_empty("density", arguments.density);
    json.set("range", std::vector<double>{range.first, range.second});
    json.set("error_kind", word_of(error_words, arguments.error));
    json.set("tolerance", arguments.tolerance);
    json.set("error", result.error);
    json.set("verified_gap", result.gap);
    json.set("experts", word_of(experts_words, arguments.experts));
    json.set("segments", result.num_segments);
    json.set("least_segments", result.least_segments);
    json.set("bytes", table_bytes(result.num_segments, arguments.experts));
    // 0 segments mean that more than 16,384 would be needed.
    json.set("kinds", kinds());
    // 0 segments mean that even max_segments of equal width miss the tolerance; `error` is theirs.
    json.set("uniform", json_object()
                            .set("segments", result.uniform_segments)
                            .set("error", result.uniform_error)
                            .set("bytes", table_bytes(result.uniform_segments, arguments.experts))
                            .set("bytes_without_edges",
                                 8 * num_values(result.uniform_segments, arguments.experts)));
    json.set("evaluations", result.num_evaluations);
    json.set("seconds", seconds);
    json.set_null_if_empty("model", arguments.output);
    return json.text();
  }
};

void compile_function(const compile_arguments& arguments) {
  const auto range = range_of(arguments.range_text);
  if (!std::isfinite(range.second - range.first))
    fail_usage("--range ", arguments.range_text, ": HI - LO is too large for a double");
  if (!(arguments.tolerance > 0) || !std::isfinite(arguments.tolerance))
    fail_usage("--tolerance ", arguments.tolerance, ": not a finite number above 0");
  if (arguments.options.max_segments < 1 || arguments.options.max_segments > ZCMOE_MAX_SEGMENTS) {
    fail_usage("--max-segments ", arguments.options.max_segments, ": not between 1 and ",
               ZCMOE_MAX_SEGMENTS);
  }
  if (arguments.error == ZCMOE_COMPILE_MAX && !arguments.density.empty())
    fail_usage("--density: the maximum error does not depend on it");
  const expression function("expression", arguments.function);
  std::optional<expression> density;
  if (!arguments.density.empty()) density.emplace("--density", arguments.density);
  std::vector<named_output> outputs;
  if (!arguments.output.empty()) outputs.push_back({"--output", arguments.output});
  if (arguments.talk.json) outputs.push_back({"--json", "-"});
  check_outputs(outputs);

  const context cpu(ZCMOE_ENGINE_CPU);
  zcmoe_compile_options options = arguments.options;
  options.error = arguments.error;
  options.compared_segments = most_compared;
  zcmoe_model_options policies = model_options();
  constexpr std::size_t longest_name = 1024;
  policies.experts = arguments.experts;
  policies.feature_name = "x";
  if (arguments.function.size() <= longest_name) policies.target_name = arguments.function.c_str();
  stopwatch total;
  std::optional<compiled> made;
  {
    const stopwatch::scope timed(total);
    if (density.has_value()) {
      made.emplace(compile_for_density(cpu, function, *density, range.first, range.second,
                                       arguments.tolerance, options, policies));
    } else {
      made.emplace(compile(cpu, function, range.first, range.second, arguments.tolerance, options,
                           policies));
    }
    if (!arguments.output.empty()) save_model(made->table, arguments.output);
  }
  const report said{arguments, range, made->result, total.seconds()};
  if (arguments.talk.json) {
    write_to_stdout(said.as_json());
  } else if (!arguments.talk.quiet) {
    said.print();
  }
}

}  // namespace

command_body add_compile_command(parser& command) {
  auto arguments = std::make_shared<compile_arguments>();
  command.add_option("expression", arguments->function, "function of x")
      .type_name("EXPRESSION")
      .required();
  command.add_option("--range", arguments->range_text, "inputs that the table covers")
      .type_name("LO:HI")
      .required();
  command.add_option("--tolerance", arguments->tolerance, "largest error of the table, above 0")
      .type_name("T")
      .required();
  add_choice(command, "--error", arguments->error, error_words,
             "what the tolerance bounds: the root mean square over the inputs, or the largest "
             "error anywhere");
  add_choice(command, "--experts", arguments->experts, experts_words,
             "what a segment answers with: a constant, a line of its own, or a line between values "
             "that it shares with its neighbours");
  command
      .add_option("--density", arguments->density,
                  "rms: how the inputs are distributed, any scale (evenly)")
      .type_name("EXPRESSION");
  command
      .add_option("--max-segments", arguments->options.max_segments,
                  "fail rather than make a larger table")
      .type_name("M")
      .capture_default_str();
  command
      .add_option("--scan-parts", arguments->options.scan_parts,
                  "parts of the range that are looked at first; more for narrower features")
      .check_range(std::int64_t{16}, std::int64_t{1} << 20)
      .type_name("N")
      .capture_default_str();
  add_output_option(command, arguments->output,
                    "model file to write; - is standard output; without it, only the summary");
  add_talk_options(command, arguments->talk,
                   "summary as JSON on standard output instead of text on standard error");
  command.footer(
      std::string("Examples:\n"
                  "  zcmoe compile 'exp(-3*x)*sin(9*x)' --range 0:1 --tolerance 1e-4 -o "
                  "model.safetensors\n"
                  "  zcmoe compile 'sqrt(x)' --range 0:4 --tolerance 0.01 --error max -o "
                  "model.safetensors\n"
                  "  zcmoe compile 'sin(x)' --range 0:6.3 --tolerance 1e-6 --experts linear -o "
                  "model.safetensors\n"
                  "  zcmoe compile 'tanh(x)' --density 'exp(-x^2/2)' --range -6:6 --tolerance 1e-3 "
                  "-o model.safetensors\n") +
      expression_help);
  return [arguments] {
    if (arguments->talk.json && arguments->output == "-") {
      fail_usage("--json and --output - both want standard output");
    }
    compile_function(*arguments);
  };
}

}  // namespace zcmoe::cli
