// The subcommands: each adds its options to the parser and returns what runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace zcmoe::cli {

using command_body = std::function<void()>;

command_body add_fit_command(CLI::App& app);
command_body add_predict_command(CLI::App& app);
command_body add_plan_command(CLI::App& app);
command_body add_compile_command(CLI::App& app);
command_body add_plot_command(CLI::App& app);
command_body add_segment_command(CLI::App& app);
command_body add_inspect_command(CLI::App& app);

}  // namespace zcmoe::cli
