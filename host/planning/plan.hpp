// How many segments to take, from samples alone, and what a fitted model says of itself:
// include/zcmoe/plan.h. plan.cpp and diagnosis.cpp.
#pragma once

#include "host/engine/backend.hpp"
#include "host/model/model.hpp"

#include <zcmoe/plan.h>

#include <cstdint>
#include <memory>

namespace zcmoe::detail {

/// Arguments checked by the caller.
zcmoe_plan_result plan_of(const std::shared_ptr<backend>& engine, const zcmoe_array& x,
                          const zcmoe_array& y, const zcmoe_array& weights, std::int64_t n,
                          const zcmoe_model_options& model, const zcmoe_plan_options& options);

/// Arrays of num_segments numbers, or null.
zcmoe_model_diagnosis diagnosis_of(const model& fitted, const zcmoe_diagnosis_segments& segments);
/// Arrays of num_slots numbers.
void intervals_of(const model& fitted, double confidence, double* lower, double* upper);

}  // namespace zcmoe::detail
