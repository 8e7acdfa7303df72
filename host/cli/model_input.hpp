// Model files that a command reads.
#pragma once

#include "row_source.hpp"

#include <zcmoe/points.h>
#include <zcmoe/zcmoe.hpp>

#include <optional>
#include <string>

namespace zcmoe::cli {

/// Loads a model. The error for a file that is none says what it looks like. "-" is a usage error.
model load_model(const context& engine, const std::string& path);

/// What a model of several inputs is made of; nothing for a model of one input of zcmoe.h.
std::optional<zcmoe_points_info> points_info_of(const model& model);

/// The name that a model keeps of a column; empty if it keeps none.
inline std::string stored_name(const char* name) { return name == nullptr ? "" : name; }

/// Says so if a column is read that is not the one that the model was learned from.
void compare_names(const zcmoe_model_info& learned, const column_role& role,
                   const std::string& read);

}  // namespace zcmoe::cli
