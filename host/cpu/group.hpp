// Grouping on the CPU: see group.cpp.
#pragma once

#include "host/cpu/route_kernels.hpp"
#include "host/cpu/workers.hpp"
#include "host/engine/backend.hpp"

namespace zcmoe::detail {

/// Does a job in at most `num_parts` parts; temporary memory comes from the engine, all of it
/// before the first output is written.
void group_on_cpu(const group_job& job, const std::shared_ptr<backend>& engine,
                  const route_kernels& kernels, workers& crew, int num_parts);

}  // namespace zcmoe::detail
