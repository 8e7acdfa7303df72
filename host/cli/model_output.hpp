// Where a command that makes a model puts it.
#pragma once

#include <zcmoe/zcmoe.hpp>

#include <string>

namespace zcmoe::cli {

/// Saves to a file, or copies to a stream or a device ("-" is standard output).
void save_model(const model& model, const std::string& path);

}  // namespace zcmoe::cli
