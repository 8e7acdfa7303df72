// A plan for people and for programs: what `zcmoe plan` and `zcmoe fit --segments auto` say of it.
#pragma once

#include <zcmoe/plan.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// "60, excess risk 0.0009 expected; 53 to 65 are as good (fitted A/m^2 + sigma^2 m/n)"
std::string recommendation_in_words(const zcmoe_plan_candidate& candidate);

/// One sentence for each ZCMOE_PLAN_ bit that is set.
std::vector<std::string> warnings_in_words(const zcmoe_plan_candidate& candidate);

nlohmann::ordered_json as_json(const zcmoe_plan_candidate& candidate);

}  // namespace zcmoe::cli
