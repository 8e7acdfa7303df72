// The subcommands: each adds its options to the parser and returns what runs it.
#pragma once

#include "parser.hpp"

#include <functional>

namespace zcmoe::cli {

using command_body = std::function<void()>;

command_body add_fit_command(parser& command);
command_body add_predict_command(parser& command);
command_body add_plan_command(parser& command);
command_body add_compile_command(parser& command);
command_body add_plot_command(parser& command);
command_body add_segment_command(parser& command);
command_body add_inspect_command(parser& command);

}  // namespace zcmoe::cli
