// Which instruction set the CPU engine uses: chosen once, when an engine is made.
#pragma once

#include "host/cpu/route_kernels.hpp"
#include "host/cpu/sum_kernels.hpp"

#include <vector>

namespace zcmoe::detail {

/// Whether tables that fit get byte planes, which then route float32 inputs.
enum class plane_use { never, where_faster, always };

struct cpu_target {
  const char* name;
  plane_use planes;
  const route_kernels* routes;
  const sum_kernels* sums;
};

/// Instruction sets of this build that this machine has, the best first; never empty.
const std::vector<cpu_target>& available_targets();
/// The best, with byte planes where they are faster; or the one that the environment variable
/// ZCMOE_CPU_TARGET names, with all that belongs to it. Throws INVALID_ARGUMENT if it names none.
cpu_target chosen_target();

}  // namespace zcmoe::detail
