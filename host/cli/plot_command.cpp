// zcmoe plot: checks the model, samples the table, and hands both to plot.py, which draws with
// matplotlib. Python is looked for when the command runs; nothing else needs it.
#include "arguments.hpp"
#include "commands.hpp"
#include "descriptor.hpp"
#include "failure.hpp"
#include "input_file.hpp"
#include "model_input.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "points_insight.hpp"
#include "points_risk.hpp"
#include "points_source.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"
#include "say.hpp"
#include "table_sample.hpp"

#include <zcmoe/plan.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

constexpr int exit_missing_package =
    3;  // with which plot.py ends if numpy or matplotlib is missing
constexpr std::int64_t most_tried = 6144;  // segments at most in the curve of risks

struct plot_arguments {
  std::string model;
  table_choice table;
  std::vector<column_role> roles{{"--x", "", true}, {"--y", "", true}, {"--weights", "", false}};
  std::vector<std::string> inputs;  // --x, all that were given
  std::int64_t sample_rows = std::int64_t{1} << 20;
  std::string output = "plot.svg";
  bool quiet = false;
};

/// plot.py, beside the program as it is installed or as it is built.
std::string script_path() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) fail("plot: cannot tell where zcmoe is installed: ", error.message());
  for (const char* place : {"../share/zcmoe/plot.py", "share/zcmoe/plot.py"}) {
    const auto path = (program.parent_path() / place).lexically_normal();
    if (std::filesystem::exists(path, error)) return path.string();
  }
  fail("plot: share/zcmoe/plot.py is not there; it is installed with zcmoe (",
       program.parent_path().string(), "/../share)");
}

std::string python() {
  const char* const chosen = std::getenv("ZCMOE_PYTHON");
  return chosen != nullptr && *chosen != '\0' ? chosen : "python3";
}

[[noreturn]] void fail_without_python(const std::string& reason) {
  fail("plot: ", reason,
       "; install matplotlib with `apt install python3-matplotlib` or `python3 -m pip install "
       "matplotlib`, or name another Python in ZCMOE_PYTHON");
}

/// What plot.py reads: a file with the sampled columns, one after the other, and then the risks of
/// other numbers of segments.
struct sampled_table {
  owned_descriptor file;
  std::size_t columns = 0;
  std::int64_t rows = 0;
  std::int64_t rows_in_all = 0;
  std::string x_name;
  std::string y_name;
};

void write_numbers(const owned_descriptor& file, const std::vector<double>& numbers) {
  write_all(file.get(), reinterpret_cast<const char*>(numbers.data()),
            numbers.size() * sizeof(double), "temporary file");
}

/// The leave-one-out error of optimal cuts of the model's range by number of segments, as pairs of
/// numbers; none where fewer than four rows lie in the range.
void write_risks(const owned_descriptor& file, const context& engine, const table_sample& sample,
                 bool weighted, const zcmoe_model_info& info) {
  const double lo = info.edges[0];
  const double hi = info.edges[info.num_segments];
  std::int64_t inside = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(sample.rows()); ++i) {
    const double x = sample.column(column_x)[i];
    const bool counts = !weighted || sample.column(column_weights)[i] > 0;
    inside += counts && x >= lo && x <= hi ? 1 : 0;
  }
  if (inside < 4) return;
  zcmoe_plan_options options = plan_options();
  options.lo = lo;
  options.hi = hi;
  options.holdout = 0.0;
  options.max_segments = most_tried;
  options.lines = 0;
  const auto column = [&](std::size_t k) { return array(sample.column(k).data()); };
  const zcmoe_plan_result plan =
      make_plan(engine, column(column_x), column(column_y),
                weighted ? column(column_weights) : no_array(), sample.rows(), options);
  const zcmoe_plan_candidate& c = plan.candidates[ZCMOE_PLAN_OPTIMAL];
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < c.num_levels; ++i) {
    numbers.push_back(static_cast<double>(c.levels[i].num_built));
    numbers.push_back(c.levels[i].leave_one_out);
  }
  write_numbers(file, numbers);
}

sampled_table sampled(const plot_arguments& arguments, const context& engine,
                      const zcmoe_model_info& info, row_source& rows) {
  sampled_table result;
  const bool weighted = rows.has(column_weights);
  result.columns = weighted ? 3 : 2;
  table_sample sample(arguments.sample_rows, result.columns);
  row_triage triage{triage_rules{}};
  row_tally tally;
  row_block block;
  double row[3];
  progress bar("sample", !arguments.quiet);
  while (rows.next(block)) {
    const std::vector<row_fate>& fates = triage.classify(block);
    tally.rows_read = block.first_row + block.rows;
    for (std::int64_t i = 0; i < block.rows; ++i) {
      const row_fate fate = fates[static_cast<std::size_t>(i)];
      ++tally.fates[fate];
      if (fate != row_used) continue;
      for (std::size_t k = 0; k < result.columns; ++k) row[k] = element(block.columns[k], i);
      sample.offer(row);
    }
    bar.update(rows.done(), block.first_row + block.rows);
  }
  if (sample.rows() == 0) {
    fail("no usable row to draw: ", tally.read_in_words(rows));
  }
  print_warnings(rows);
  result.rows_in_all = sample.rows_offered();
  result.x_name = rows.column_name(column_x);
  result.y_name = rows.column_name(column_y);
  if (arguments.table.csv.header) {
    compare_names(info, arguments.roles[column_x], result.x_name);
    compare_names(info, arguments.roles[column_y], result.y_name);
  }
  result.file = owned_descriptor(open_unlinked_file());
  result.rows = sample.rows();
  for (std::size_t k = 0; k < result.columns; ++k) write_numbers(result.file, sample.column(k));
  write_risks(result.file, engine, sample, weighted, info);
  if (::lseek(result.file.get(), 0, SEEK_SET) < 0) fail_errno("temporary file");
  return result;
}

struct finished {
  int status = -1;  // exit status; -1: ended by a signal
  std::string said;
};

/// Runs a program with standard input from a descriptor, or empty, and standard output to one; what
/// it says on standard error is returned. Fails if it cannot be started.
finished run(const std::vector<std::string>& words, int input, int output) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  const owned_descriptor from(ends[0]);
  owned_descriptor to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input >= 0) {
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int refused =
      ::posix_spawnp(&child, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (refused != 0)
    fail_without_python(text("cannot run ", words[0], " (", std::strerror(refused), ")"));
  to.close();
  finished result;
  char buffer[4096];
  while (const std::size_t got = read_some(from.get(), buffer, sizeof buffer, words[0]))
    result.said.append(buffer, got);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail_errno(words[0]);
  }
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  return result;
}

std::string last_line(std::string said) {
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  return said.substr(said.rfind('\n') + 1);
}

void copy_to(const std::string& path, const owned_descriptor& picture) {
  output_file output(path);
  std::vector<char> buffer(std::size_t{1} << 18);
  if (::lseek(picture.get(), 0, SEEK_SET) < 0) fail_errno("temporary file");
  while (const std::size_t got =
             read_some(picture.get(), buffer.data(), buffer.size(), "temporary file"))
    output.write(buffer.data(), got);
  output.commit();
}

/// Has plot.py draw what it is given, and writes the picture.
void draw(const plot_arguments& arguments, std::vector<std::string> words,
          const owned_descriptor& numbers) {
  words.insert(words.begin(), {python(), script_path()});
  const owned_descriptor picture(open_unlinked_file());
  const finished done = run(words, numbers.get(), picture.get());
  if (done.status == exit_missing_package) fail_without_python(last_line(done.said));
  if (done.status != 0) {
    fail("plot: ", python(),
         done.status < 0 ? " was ended by a signal: " : " failed: ", last_line(done.said));
  }
  copy_to(arguments.output, picture);
  if (arguments.quiet) return;
  if (!done.said.empty()) say(last_line(done.said));
  say("plot", arguments.output);
}

/// A model of several inputs: plot.py draws what `zcmoe inspect` tells.
void plot_several(const plot_arguments& arguments, const std::string& kind, const model& model,
                  const zcmoe_points_info& info) {
  if (!arguments.roles[column_weights].value.empty()) {
    fail_usage("--weights: not for models of several inputs yet (", arguments.model, " has ",
               info.num_inputs, ")");
  }
  const inspected_points of(arguments.model, model, info);
  seen_choice choice;
  choice.table = arguments.table;
  choice.inputs = arguments.inputs;
  choice.target = arguments.roles[column_y].value;
  choice.sample_rows = arguments.sample_rows;
  std::vector<std::string> inputs{arguments.model};
  std::unique_ptr<row_source> rows;
  if (!choice.table.inputs.empty()) {
    rows = open_seen(choice, info);
    inputs.insert(inputs.end(), rows->files().begin(), rows->files().end());
  }
  check_outputs({{"--output", arguments.output}}, inputs);
  const seen_rows seen =
      rows != nullptr ? read_seen(choice, *rows, model, !arguments.quiet) : made_rows(model, of);
  const points_insight insight(model, of, seen);
  const owned_descriptor told(open_unlinked_file());
  if (!seen.made()) {
    write_numbers(told, seen.answers);
    write_numbers(told, seen.targets);
  }
  const std::string text = of.as_json(&insight, risk_of(model, of));
  write_all(told.get(), text.data(), text.size(), "temporary file");
  if (::lseek(told.get(), 0, SEEK_SET) < 0) fail_errno("temporary file");
  draw(arguments,
       {kind.substr(1), std::to_string(seen.targets.size()),
        seen.target_name.empty() ? stored_name(info.target_name) : seen.target_name},
       told);
}

void plot(plot_arguments arguments) {
  const std::string kind = std::filesystem::path(arguments.output).extension().string();
  if (kind != ".svg" && kind != ".png" && kind != ".pdf")
    fail_usage("--output ", arguments.output, ": the name does not end in .svg, .png or .pdf");
  const context cpu(ZCMOE_ENGINE_CPU);
  const model model =
      load_model(cpu, arguments.model);  // checks the file, which plot.py then trusts
  if (const auto several = points_info_of(model)) {
    plot_several(arguments, kind, model, *several);
    return;
  }
  if (arguments.inputs.size() > 1) {
    fail_usage("--x is given ", arguments.inputs.size(), " times (",
               list_in_words(arguments.inputs), "), and ", arguments.model,
               " is a model of one input");
  }
  const zcmoe_model_info info = model.info();
  std::vector<std::string> inputs{arguments.model};
  std::unique_ptr<row_source> rows;
  if (!arguments.table.inputs.empty()) {
    // The columns the model was learned from, unless others are named.
    arguments.roles[column_x].stored = stored_name(info.options.feature_name);
    arguments.roles[column_y].stored = stored_name(info.options.target_name);
    rows = open_rows(arguments.table, arguments.roles);
    inputs.insert(inputs.end(), rows->files().begin(), rows->files().end());
  }
  check_outputs({{"--output", arguments.output}}, inputs);
  sampled_table samples;
  if (rows != nullptr) samples = sampled(arguments, cpu, info, *rows);
  draw(arguments,
       {arguments.model, kind.substr(1), std::to_string(samples.columns),
        std::to_string(samples.rows), std::to_string(samples.rows_in_all), samples.x_name,
        samples.y_name},
       samples.file);
}

}  // namespace

command_body add_plot_command(parser& command) {
  auto arguments = std::make_shared<plot_arguments>();
  command.add_option("model", arguments->model, "model file").type_name("MODEL").required();
  command
      .add_option("--data", arguments->table.inputs,
                  "rows to draw: one CSV file, or one NPY file per column; - is standard input")
      .type_name("FILE");
  add_csv_options(command, arguments->table);
  add_input_option(command, arguments->roles[column_x].value, &arguments->inputs,
                   "input column (that which the model was learned from); of several inputs one "
                   "each, in the model's order");
  command
      .add_option("--y", arguments->roles[column_y].value,
                  "target column (that which the model was learned from)")
      .type_name("COLUMN");
  command.add_option("--weights", arguments->roles[column_weights].value, "column of row weights")
      .type_name("COLUMN");
  command
      .add_option("--sample-rows", arguments->sample_rows,
                  "draw an evenly spread sample if there are more rows")
      .check_range(std::int64_t{2}, std::int64_t{1} << 26)
      .type_name("N")
      .capture_default_str();
  add_output_option(command, arguments->output, "picture to write: .svg, .png or .pdf")
      .capture_default_str();
  command.add_flag("-q,--quiet", arguments->quiet,
                   "no summary and no progress bar on standard error");
  command.footer(
      "Draws the segments over the data, residuals, counts, and the error for other numbers of "
      "segments: each row answered by the others (leave-one-out), with its least at m*.\n"
      "Of several inputs: how much each and each pair matters, what each adds to the answers, "
      "pairs "
      "as heat maps, and where the model errs.\n"
      "Needs Python 3 with matplotlib 3.6 or later; ZCMOE_PYTHON names the interpreter "
      "(python3).\n"
      "Examples:\n"
      "  zcmoe plot model.safetensors --data data.csv --output plot.svg\n"
      "  zcmoe plot model.safetensors --data x.npy y.npy --output plot.png\n"
      "  zcmoe plot model.safetensors\n" +
      std::string(csv_help));
  return [arguments] {
    if (arguments->table.inputs.empty()) {
      for (const column_role& role : arguments->roles) {
        if (!role.value.empty()) fail_usage(role.option, ": there is no --data");
      }
    }
    plot(*arguments);
  };
}

}  // namespace zcmoe::cli
