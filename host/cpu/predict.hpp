// Prediction on the CPU: see predict.cpp.
#pragma once

#include "host/cpu/route_kernels.hpp"
#include "host/cpu/workers.hpp"
#include "host/engine/backend.hpp"

namespace zcmoe::detail {

/// Never fails and allocates nothing. Arguments have been checked.
void predict_on_cpu(const predict_job& job, const route_kernels& kernels, workers& crew);

}  // namespace zcmoe::detail
