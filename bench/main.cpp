// zcmoe-bench: registers the benchmarks, writes into the context from which machine and build the
// numbers are, and runs Google Benchmark. Only an engine that says it is CUDA gets benchmarks named
// cuda/.
#include "benchmarks.hpp"
#include "memory_limits.hpp"
#include "reporters.hpp"

#include <zcmoe/zcmoe.hpp>

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

using zcmoe::bench::settings;

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos &&
        colon + 2 <= line.size()) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

bool announced_emulated() {
  const char* const value = std::getenv("ZCMOE_EMULATED_DEVICE");
  return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
}

void add_context(const settings& given, const zcmoe::bench::cuda_presence& cuda) {
  zcmoe_context_options options = zcmoe::context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  const zcmoe_context_info cpu = zcmoe::context(options).info();
  benchmark::AddCustomContext("zcmoe", zcmoe_build_info());
  benchmark::AddCustomContext("engines", cuda.present ? "cpu, cuda" : "cpu");
  benchmark::AddCustomContext("cpu_model", cpu_model());
  benchmark::AddCustomContext("cpu_engine", cpu.name);
  benchmark::AddCustomContext("cpu_rows", std::to_string(given.rows));
  benchmark::AddCustomContext("copy_stores", zcmoe::bench::store_kind());
  if (cuda.present) {
    benchmark::AddCustomContext("cuda_device", cuda.text);
    benchmark::AddCustomContext("cuda_rows", std::to_string(cuda.rows));
    if (given.emulated_device) benchmark::AddCustomContext("emulated", "true");
  } else {
    benchmark::AddCustomContext("no_cuda", cuda.text);
  }
}

/// Takes ten samples of at least 50 ms or one run each, unless the caller says otherwise; later
/// arguments win.
std::vector<std::string> benchmark_arguments(const char* program,
                                             const std::vector<std::string>& given) {
  std::vector<std::string> all = {program, "--benchmark_repetitions=10",
                                  "--benchmark_min_time=0.05",
                                  "--benchmark_display_aggregates_only=true"};
  all.insert(all.end(), given.begin(), given.end());
  return all;
}

struct output_settings {
  std::string format = "console";
  std::string file;
  std::string filter = ".";
  bool list = false;
};

/// Runs or lists the benchmarks that the filter lets through, and returns their number.
std::size_t run_benchmarks(const output_settings& output) {
  using namespace zcmoe::bench;
  json_reporter json;
  plain_names<benchmark::ConsoleReporter> console(benchmark::ConsoleReporter::OO_Tabular);
  benchmark::BenchmarkReporter& display =
      output.format == "json" ? static_cast<benchmark::BenchmarkReporter&>(json) : console;
  if (output.list) {
    std::stringstream names;
    display.SetOutputStream(&names);
    const std::size_t count = benchmark::RunSpecifiedBenchmarks(&display, filter_of(output.filter));
    for (std::string name; std::getline(names, name);) std::cout << without_suffix(name) << '\n';
    return count;
  }
  json_reporter file;
  return benchmark::RunSpecifiedBenchmarks(&display, output.file.empty() ? nullptr : &file,
                                           filter_of(output.filter));
}

int run(int argc, char** argv) {
  settings given;
  output_settings output;
  given.emulated_device = announced_emulated();
  CLI::App app{
      "Throughput of zcmoe beside the memory limit and std::upper_bound. Benchmarks are named "
      "engine/op/type/distribution/m:M, those of several inputs with /d:D behind, latencies with "
      "/n:N. Other options that begin with --benchmark_ are Google Benchmark's."};
  app.allow_extras();
  app.footer(
      "Examples:\n"
      "  zcmoe-bench --benchmark_filter=predict/f32/random --benchmark_out=numbers.json\n"
      "  zcmoe-bench --n=1048576 --benchmark_filter='^(cpu|copy)/'\n"
      "  zcmoe-bench --benchmark_list_tests=true");
  const auto rows = CLI::Range(std::int64_t{1}, std::int64_t{1} << 34);
  app.add_option("--n", given.rows,
                 "rows of the CPU benchmarks; below a few million the caches help")
      ->check(rows)
      ->capture_default_str();
  app.add_option("--cuda-n", given.cuda_rows,
                 "rows of the CUDA benchmarks, as far as device memory allows")
      ->check(rows)
      ->capture_default_str();
  app.add_option("--benchmark_filter", output.filter, "regular expression of the names to run");
  app.add_option("--benchmark_format", output.format, "what standard output gets")
      ->check(CLI::IsMember({"console", "json"}))
      ->capture_default_str();
  app.add_option("--benchmark_out", output.file, "a JSON file of every sample");
  app.add_option("--benchmark_list_tests", output.list, "true: print the names and stop");
  app.set_version_flag("--version", zcmoe_build_info());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }

  std::vector<std::string> arguments = benchmark_arguments(argv[0], app.remaining());
  if (output.list) arguments.push_back("--benchmark_list_tests=true");
  if (!output.file.empty()) arguments.push_back("--benchmark_out=" + output.file);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;

  zcmoe::bench::register_cpu_benchmarks(given);
  zcmoe::bench::cuda_presence cuda;
#ifdef ZCMOE_HAS_CUDA
  cuda = zcmoe::bench::register_cuda_benchmarks(given);
#else
  cuda.text = "built without CUDA";
#endif
  add_context(given, cuda);
  if (run_benchmarks(output) == 0) {
    std::cerr << "zcmoe-bench: no benchmark matches the filter"
              << (cuda.present ? "" : "; there are no cuda/ benchmarks: " + cuda.text) << '\n';
    return 1;
  }
  zcmoe::bench::current = {};  // device memory is freed before the CUDA runtime unloads
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "zcmoe-bench: " << failure.what() << '\n';
    return 1;
  }
}
