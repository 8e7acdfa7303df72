// Recommends a segmentation and a number of segments from samples alone: rows go in, a
// zcmoe_plan_result comes out, which include/zcmoe/plan.h documents.
#pragma once

#include "host/engine/backend.hpp"

#include <zcmoe/plan.h>

#include <cstdint>
#include <memory>

namespace zcmoe::detail {

/// The caller has checked the arguments. The result is on the heap because it takes 14 KB, and the
/// stack of a caller's thread may be small.
std::unique_ptr<zcmoe_plan_result> plan_of(const std::shared_ptr<backend>& engine,
                                           const zcmoe_array& x, const zcmoe_array& y,
                                           const zcmoe_array& weights, std::int64_t n,
                                           const zcmoe_model_options& model,
                                           const zcmoe_plan_options& options);

}  // namespace zcmoe::detail
