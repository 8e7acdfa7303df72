// Which instruction set the CPU engine uses: chosen once, when an engine is made.
#pragma once

#include "host/cpu/route_kernels.hpp"
#include "host/cpu/sum_kernels.hpp"

#include <vector>

namespace zcmoe::detail {

struct cpu_target {
  const char* name;
  bool byte_planes;  // tables that fit get them, and prediction from float32 inputs uses them
  const route_kernels* routes;
  const sum_kernels* sums;
};

/// Instruction sets of this build that this machine has, the best first; never empty.
const std::vector<cpu_target>& available_targets();
/// The best, or the one that the environment variable ZCMOE_CPU_TARGET names; throws
/// INVALID_ARGUMENT if it names none of those.
const cpu_target& chosen_target();

}  // namespace zcmoe::detail
