// What the JSON summaries of the commands have in common.
#pragma once

#include "row_triage.hpp"

#include <zcmoe/zcmoe.h>

#include <nlohmann/json.hpp>
#include <string>

namespace zcmoe::cli {

/// Paths and fields of a table need not be UTF-8. A byte that is not is written as U+FFFD, so that
/// the command does not fail when its work is done. All but ASCII is written as \uHHHH, so that a
/// terminal that shows the text acts on none of it.
inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// The beginning of every summary of a command that used an engine.
inline nlohmann::ordered_json json_of_engine(const zcmoe_context_info& info) {
  return {{"version", zcmoe_version()},
          {"engine", info.engine == ZCMOE_ENGINE_CUDA ? "cuda" : "cpu"},
          {"engine_name", info.name}};
}

inline void add_tally(nlohmann::ordered_json& json, const row_tally& tally,
                      const std::string& first_unparsable) {
  json["rows_read"] = tally.rows_read;
  json["rows_skipped"] = tally.rows_skipped();
  for (std::size_t fate = row_used + 1; fate < num_row_fates; ++fate)
    json["skipped"][fate_texts[fate].key] = tally.fates[fate];
  json["first_unparsable"] = first_unparsable;
}

}  // namespace zcmoe::cli
