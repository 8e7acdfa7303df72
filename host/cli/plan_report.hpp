// A plan for people and for programs: what `zcmoe plan` and `zcmoe fit --segments auto` say of it.
#pragma once

#include "edge_table.hpp"
#include "json_object.hpp"
#include "row_source.hpp"

#include <zcmoe/plan.h>

#include <string>
#include <vector>

namespace zcmoe::cli {

/// The word for the segmentation of a candidate.
std::string kind_of(const zcmoe_plan_candidate& candidate);

/// "60, excess risk 0.0009 expected; 53 to 65 are as good (fitted A/m^2 + sigma^2 m/n)"
std::string recommendation_in_words(const zcmoe_plan_candidate& candidate);

/// One sentence for each ZCMOE_PLAN_ bit that is set.
std::vector<std::string> warnings_in_words(const zcmoe_plan_candidate& candidate);

/// The table of one kind of experts with the least leave-one-out error, of all segmentations.
struct best_of_experts {
  std::int32_t experts;
  const zcmoe_plan_candidate* candidate;
  std::int64_t num_segments;
  double error;
};
/// Of each kind whose errors are known.
std::vector<best_of_experts> best_of_each_kind(const zcmoe_plan_result& plan);

json_object as_json(const zcmoe_plan_candidate& candidate);

/// The summary of `zcmoe plan` for the table of these inputs.
std::string plan_as_json(const std::vector<std::string>& inputs, const zcmoe_context_info& engine,
                         const edge_table& table, const row_source& rows, double seconds);

}  // namespace zcmoe::cli
