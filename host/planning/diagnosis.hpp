// What a fitted model says of itself: the risk to expect of it and where that comes from, and
// confidence intervals of its constants. include/zcmoe/plan.h documents the functions.
#pragma once

#include "host/model/model.hpp"

#include <zcmoe/plan.h>

namespace zcmoe::detail {

/// Arrays of num_segments numbers, or null.
zcmoe_model_diagnosis diagnosis_of(const model& fitted, const zcmoe_diagnosis_segments& segments);
/// Arrays of num_slots numbers.
void intervals_of(const model& fitted, double confidence, double* lower, double* upper);

}  // namespace zcmoe::detail
