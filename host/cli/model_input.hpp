// Model files that a command reads.
#pragma once

#include "row_source.hpp"

#include <zcmoe/zcmoe.hpp>

#include <string>

namespace zcmoe::cli {

/// Loads a model; what is no model file is named for what it looks like. "-" is a usage error.
model load_model(const context& engine, const std::string& path);

/// What a model keeps of a column's name; empty if nothing.
inline std::string stored_name(const char* name) { return name == nullptr ? "" : name; }

/// Says so if a column is read that is not the one that the model was learned from.
void compare_names(const zcmoe_model_info& learned, const column_role& role,
                   const std::string& read);

}  // namespace zcmoe::cli
