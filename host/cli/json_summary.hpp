// What the JSON summaries of the commands have in common.
#pragma once

#include "json_object.hpp"
#include "row_triage.hpp"

#include <zcmoe/zcmoe.h>

#include <string>

namespace zcmoe::cli {

/// The beginning of every summary of a command that used an engine.
inline json_object json_of_engine(const zcmoe_context_info& info) {
  json_object json;
  json.set("version", zcmoe_version());
  json.set("engine", info.engine == ZCMOE_ENGINE_CUDA ? "cuda" : "cpu");
  json.set("engine_name", info.name);
  return json;
}

inline void add_tally(json_object& json, const row_tally& tally,
                      const std::string& first_unparsable) {
  json_object skipped;
  for (std::size_t fate = row_used + 1; fate < num_row_fates; ++fate)
    skipped.set(fate_texts[fate].key, tally.fates[fate]);
  json.set("rows_read", tally.rows_read);
  json.set("rows_skipped", tally.rows_skipped());
  json.set("skipped", skipped);
  json.set("first_unparsable", first_unparsable);
}

}  // namespace zcmoe::cli
