// The command line: parses, runs one subcommand, and turns its outcome into an exit status: 0
// success, 1 failure, 2 usage. Data goes to standard output, everything said to people to standard
// error.
#include "commands.hpp"
#include "failure.hpp"
#include "output_file.hpp"
#include "parser.hpp"
#include "say.hpp"
#include "signals.hpp"

#include <zcmoe/zcmoe.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <new>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int exit_success = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

int report(int status, const std::string& message) {
  zcmoe::cli::say("zcmoe: " + message);
  return status;
}

void prepare_process() {
  // If a standard stream is closed, the first file opened would take its number, and what is meant
  // for the stream would be written into the file.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // Whoever uses the stream must still fail. The stand-in for input cannot be read; that for
    // output, a folder, cannot be written, not even if /dev/stdout is opened anew.
    const int opened = descriptor == STDIN_FILENO ? ::open("/dev/null", O_WRONLY)
                                                  : ::open("/", O_RDONLY | O_DIRECTORY);
    static_cast<void>(opened);
  }
  zcmoe::cli::install_signal_handlers();
}

int run(int argc, char** argv) {
  zcmoe::cli::command_line line(
      "zcmoe",
      "zcmoe: regression by many constant experts.\n"
      "Cuts the input line into segments and predicts one constant in each, the mean of its "
      "targets.\n"
      "Cuts each of several inputs, and answers with sums of constants or with one of them.",
      "Examples:\n"
      "  zcmoe fit data.csv --x distance --y air_time --segments 64 --output model.safetensors\n"
      "  zcmoe predict model.safetensors new.csv --x distance > predictions.csv\n"
      "  zcmoe inspect model.safetensors\n"
      "  zcmoe fit data.csv --x-all-but arr_delay --output several.safetensors\n"
      "  zcmoe plan data.csv --x distance --y air_time\n"
      "  zcmoe segment --segmentation uniform --range 0:1 --segments 8\n"
      "  zcmoe compile 'exp(-3*x)*sin(9*x)' --range 0:1 --tolerance 1e-4 --output "
      "model.safetensors\n"
      "Each subcommand has its own --help.\n"
      "Exit status: 0 success, 1 failure, 2 wrong usage.");
  line.set_version_flag(
      "--version", [] { return std::string(zcmoe_build_info()); },
      "version, compiler and CUDA of this build");

  using zcmoe::cli::command_body;
  using zcmoe::cli::parser;
  std::vector<std::pair<parser, command_body>> commands;
  const auto add = [&](const char* name, const char* description,
                       command_body (*add_options)(parser&)) {
    parser command = line.add_subcommand(name, description);
    commands.emplace_back(command, add_options(command));
  };
  add("fit", "learn a model from a table", zcmoe::cli::add_fit_command);
  add("predict", "predict the targets of the inputs of a table", zcmoe::cli::add_predict_command);
  add("plan", "recommend how many segments to take, from a table", zcmoe::cli::add_plan_command);
  add("segment", "print where the input range would be cut", zcmoe::cli::add_segment_command);
  add("compile", "make the smallest table of a function within an error",
      zcmoe::cli::add_compile_command);
  add("plot", "draw a model over its data", zcmoe::cli::add_plot_command);
  add("inspect", "show what is in a model file", zcmoe::cli::add_inspect_command);

  if (const auto asked_for = line.parse(argc, argv)) {
    zcmoe::cli::write_to_stdout(*asked_for);
    return exit_success;
  }
  for (const auto& [command, body] : commands) {
    if (!command.parsed()) continue;
    body();
    return exit_success;
  }
  return report(
      exit_usage,
      "a subcommand is missing: fit, predict, plan, segment, compile, plot or inspect (see "
      "zcmoe --help)");
}

}  // namespace

int main(int argc, char** argv) {
  prepare_process();
  try {
    return run(argc, argv);
  } catch (const zcmoe::cli::usage_error& e) {
    return report(exit_usage, e.what());
  } catch (const zcmoe::error& e) {
    return report(exit_failure, zcmoe::cli::words_of(e));
  } catch (const std::bad_alloc&) {
    return report(exit_failure, "out of memory");
  } catch (const std::exception& e) {
    return report(exit_failure, e.what());
  }
}
