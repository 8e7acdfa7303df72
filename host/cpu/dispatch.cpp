// Highway compiles the loops for every target of the build; its own choice among them would need
// its library at run time, so the machine is asked here.
#include "host/cpu/dispatch.hpp"

#include "host/cpu/byte_planes.hpp"
#include "host/error.hpp"

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#include <hwy/detect_targets.h>

#if HWY_ARCH_ARM
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <cstdlib>
#include <cstring>
#include <string>

namespace zcmoe::detail {
namespace {

template <std::int64_t Target>
cpu_target target_of(const char* name, plane_use planes = plane_use::never) {
  return {name, planes, &route_kernels_of<Target>(), &sum_kernels_of<Target>()};
}

std::vector<cpu_target> find_targets() {
  std::vector<cpu_target> found;
#if HWY_ARCH_X86
  __builtin_cpu_init();
#if HWY_TARGETS & HWY_AVX3
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("fma")) {
    if (have_byte_planes()) found.push_back(target_of<HWY_AVX3>("avx512vbmi", plane_use::always));
    found.push_back(target_of<HWY_AVX3>("avx512"));
  }
#endif
#if HWY_TARGETS & HWY_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("fma")) {
    found.push_back(target_of<HWY_AVX2>("avx2"));
  }
#endif
#if HWY_TARGETS & HWY_SSE4
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
    found.push_back(target_of<HWY_SSE4>("sse4"));
#endif
#if HWY_TARGETS & HWY_SSSE3
  if (__builtin_cpu_supports("ssse3")) found.push_back(target_of<HWY_SSSE3>("ssse3"));
#endif
#elif HWY_ARCH_ARM && (HWY_TARGETS & HWY_NEON)
  // Highway compiles NEON together with the cryptographic instructions.
  if ((getauxval(AT_HWCAP) & HWCAP_AES) != 0) found.push_back(target_of<HWY_NEON>("neon"));
#endif
#if HWY_TARGETS & HWY_SCALAR
  found.push_back(target_of<HWY_SCALAR>("portable"));
#endif
  return found;
}

}  // namespace

const std::vector<cpu_target>& available_targets() {
  static const std::vector<cpu_target> targets = find_targets();
  return targets;
}

cpu_target chosen_target() {
  const char* const wanted = std::getenv("ZCMOE_CPU_TARGET");
  if (wanted == nullptr || *wanted == '\0') {
    cpu_target best = available_targets().front();
    if (best.planes == plane_use::always) best.planes = plane_use::where_faster;
    return best;
  }
  std::string names;
  for (const cpu_target& target : available_targets()) {
    if (std::strcmp(target.name, wanted) == 0) return target;
    names += (names.empty() ? "" : ", ") + std::string(target.name);
  }
  fail(ZCMOE_ERR_INVALID_ARGUMENT, "ZCMOE_CPU_TARGET=", wanted,
       " is none of what this machine has: ", names);
}

}  // namespace zcmoe::detail
