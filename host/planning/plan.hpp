// How many segments to take, from samples alone: include/zcmoe/plan.h documents the result.
#pragma once

#include "host/engine/backend.hpp"

#include <zcmoe/plan.h>

#include <cstdint>
#include <memory>

namespace zcmoe::detail {

/// Arguments checked by the caller. On the heap: a result takes 10 KB, and callers' stacks may be
/// small.
std::unique_ptr<zcmoe_plan_result> plan_of(const std::shared_ptr<backend>& engine,
                                           const zcmoe_array& x, const zcmoe_array& y,
                                           const zcmoe_array& weights, std::int64_t n,
                                           const zcmoe_model_options& model,
                                           const zcmoe_plan_options& options);

}  // namespace zcmoe::detail
