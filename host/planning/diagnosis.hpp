// Estimates what to expect of a fitted model from the model alone: its risk and the parts of it,
// and confidence intervals of its constants. include/zcmoe/plan.h documents the functions.
#pragma once

#include "host/model/model.hpp"

#include <zcmoe/plan.h>

namespace zcmoe::detail {

/// The arrays of `segments` have num_segments numbers each, or are null.
zcmoe_model_diagnosis diagnosis_of(const model& fitted, const zcmoe_diagnosis_segments& segments);
/// `lower` and `upper` have num_slots numbers each.
void intervals_of(const model& fitted, double confidence, double* lower, double* upper);

}  // namespace zcmoe::detail
