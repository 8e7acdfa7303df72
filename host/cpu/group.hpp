// Grouping on the CPU: see group.cpp.
#pragma once

#include "host/engine/backend.hpp"
#include "host/cpu/route_table.hpp"

#include <tbb/task_arena.h>

namespace zcmoe::detail {

/// Does a job on the threads of an arena, shared out in at most `num_parts`; temporary memory from
/// the engine, all of it before the first output is written.
void group_on_cpu(const group_job& job, const std::shared_ptr<backend>& engine,
                  const route_kernels& kernels, tbb::task_arena& arena, int num_parts);

}  // namespace zcmoe::detail
