// The last step of a fit: exact sums of each slot -> count, weight, mean, variance, standard error.
// One thread per slot runs summarize() of host/experts/constant.hpp, as the CPU engine does. Its
// wide integers are arrays indexed at run time, so they lie in local memory.
#include "cuda_check.hpp"
#include "launchers.hpp"

namespace zcmoe::detail {
namespace {

template <class T, bool Weighted>
__global__ __launch_bounds__(summarize_tuning::threads) void summarize_kernel(
    const std::int64_t* planes, std::int64_t num_slots, slot_summary* summaries) {
  const std::int64_t slot =
      static_cast<std::int64_t>(blockIdx.x) * summarize_tuning::threads + threadIdx.x;
  if (slot < num_slots) summaries[slot] = summarize<T, Weighted>(planes, num_slots, slot);
}

}  // namespace

void launch_summarize(const state_layout& layout, const std::int64_t* state,
                      slot_summary* summaries, zcmoe_stream stream) {
  with_layout(layout, [&](auto target, auto weighted) {
    launch(&summarize_kernel<decltype(target), decltype(weighted)::value>,
           summarize_blocks(layout.num_slots()), summarize_tuning::threads, 0, stream,
           state + num_row_counters, layout.num_slots(), summaries);
  });
}

}  // namespace zcmoe::detail
