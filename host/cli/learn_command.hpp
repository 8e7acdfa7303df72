// zcmoe fit of several inputs.
#pragma once

#include "fit_report.hpp"
#include "parser.hpp"

#include <string>

namespace zcmoe::cli {

/// Adds --x-all-but, --partition, --axis-segments, --axis and budgets.
void add_learn_options(parser& command, learn_choice& choice);

/// By what the arguments ask for several inputs: "--x a, --x b"; empty if for one.
std::string several_in_words(const fit_arguments& arguments);

/// Learns a model of several inputs. Options that are for one input are a usage error, which names
/// them beside `several`.
void learn_several(const parser& command, const fit_arguments& arguments,
                   const std::string& several);

/// Fails with a usage error if an option of several inputs is given for one.
void refuse_options_of_several(const parser& command, const fit_arguments& arguments);

/// Why a text cannot be the name of a column in a model file; null if it can.
const char* fault_of_name(const std::string& name);

}  // namespace zcmoe::cli
