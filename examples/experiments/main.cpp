// zcmoe-experiments: the theory's experiments with the library's own engines. Writes one CSV file a
// table and figures.json: each figure measured, its standard error, what theory expects, and what
// it must not be taken for. Exit status 1 if one is off. scripts/reproduce draws them.
#include "laboratory.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>

namespace {

zcmoe_context_options engine_of(const std::string& device) {
  zcmoe_context_options options = zcmoe::context_options();
  options.engine = device == "cpu" ? ZCMOE_ENGINE_CPU : ZCMOE_ENGINE_CUDA;
  if (device.size() > 5) options.device = std::stoi(device.substr(5));
  return options;
}

int run(int argc, char** argv) {
  std::string device = "cpu";
  std::string folder;
  int effort = 4;
  CLI::App app{"Runs the experiments of docs/experiments.md."};
  app.add_option("--output", folder, "folder for the CSV files and figures.json")->required();
  app.add_option("--device", device, "cpu or cuda:N")
      ->check([](const std::string& text) {
        const bool known = text == "cpu" || (text.size() == 6 && text.rfind("cuda:", 0) == 0 &&
                                             text[5] >= '0' && text[5] <= '9');
        return known ? std::string() : "not cpu or cuda:N: " + text;
      })
      ->capture_default_str();
  app.add_option("--effort", effort, "repetitions are proportional to it, as is the time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.set_version_flag("--version", zcmoe_build_info());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }

  std::filesystem::create_directories(folder);
  const experiments::engine machine(engine_of(device));
  experiments::report findings(folder);
  const experiments::laboratory lab{machine, findings, effort};
  findings.write("settings", experiments::description_of_settings());
  experiments::optimal_density(lab);
  experiments::error_against_m(lab);
  experiments::break_condition(lab);
  experiments::best_number(lab);
  experiments::estimation_error(lab);
  experiments::optimal_against_uniform(lab);
  experiments::automatic_number(lab);
  experiments::learned_cuts(lab);
  experiments::kinds_of_experts(lab);
  experiments::product_grids(lab);
  experiments::rates_by_geometry(lab);
  experiments::learned_models(lab);
  const int failed = findings.finish(device, effort);
  if (failed > 0) std::fprintf(stderr, "%d figures are off\n", failed);
  return failed > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "zcmoe-experiments: %s\n", e.what());
    return 1;
  }
}
