// Prediction: x[n] -> slot by binary search over edges[m + 1] -> up to five gathers from tables by
// slot. The search is model_view::slots_of, the one that the CPU engine and users' kernels run.
#include "cuda_check.hpp"
#include "launchers.hpp"

namespace zcmoe::detail {
namespace {

struct gather_list {
  gather item[max_gathers];
  int count;
};

/// Where a slot's row counts in the report; the order of report_totals.
enum : int { total_rows, total_used, total_nan, total_below, total_above, num_totals };

__device__ void answer(const gather_list& gathers, const model_view& view, std::int64_t i,
                       std::int64_t slot) {
#pragma unroll
  for (int g = 0; g < max_gathers; ++g) {
    if (g >= gathers.count) return;
    const gather& to = gathers.item[g];
    const std::int64_t at = i * to.stride;
    if (to.element_size == 4) {
      static_cast<std::uint32_t*>(to.out)[at] =
          to.table != nullptr
              ? static_cast<const std::uint32_t*>(to.table)[slot]
              : static_cast<std::uint32_t>(static_cast<std::int32_t>(view.segment_of_slot(slot)));
    } else {
      static_cast<std::uint64_t*>(to.out)[at] =
          to.table != nullptr ? static_cast<const std::uint64_t*>(to.table)[slot]
                              : static_cast<std::uint64_t>(view.segment_of_slot(slot));
    }
  }
}

/// Adds the totals of a block's threads to the report: one atomic addition a counter and block.
__device__ void report_totals(const std::uint32_t (&totals)[num_totals], zcmoe_report* report) {
  __shared__ unsigned long long block_totals[num_totals];
  if (threadIdx.x < num_totals) block_totals[threadIdx.x] = 0;
  __syncthreads();
#pragma unroll
  for (int k = 0; k < num_totals; ++k) {
    unsigned long long sum = totals[k];
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0 && sum != 0) atomicAdd(&block_totals[k], sum);
  }
  __syncthreads();
  std::int64_t* const fields[num_totals] = {&report->rows, &report->rows_used, &report->nan_inputs,
                                            &report->below_range, &report->above_range};
#pragma unroll
  for (int k = 0; k < num_totals; ++k) {
    if (threadIdx.x == k && block_totals[k] != 0) {
      atomicAdd(reinterpret_cast<unsigned long long*>(fields[k]), block_totals[k]);
    }
  }
}

template <class Input>
__global__ __launch_bounds__(predict_tuning::threads) void predict_kernel(model_view view, Input x,
                                                                          std::int64_t n,
                                                                          gather_list gathers,
                                                                          zcmoe_report* report) {
  constexpr int threads = predict_tuning::threads;
  constexpr int per_thread = predict_tuning::per_thread;
  // A thread's own rows of one launch stay far below 2^32: n < 2^63 / size, spread over all
  // threads, is bounded by memory, but for inputs of stride 0; those are split by the launcher.
  std::uint32_t totals[num_totals] = {};
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * threads * per_thread;
  for (std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * threads * per_thread; tile < n;
       tile += stride) {
    // All of a thread's inputs are read before its first answer is written, and answers go only to
    // rows it has read: so out may be x itself, and several loads are in flight.
    double input[per_thread];
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      const std::int64_t i = tile + k * threads + threadIdx.x;
      input[k] = i < n ? x[i] : 0.0;
    }
    std::int64_t slots[per_thread];
    view.slots_of(input, slots);
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      const std::int64_t i = tile + k * threads + threadIdx.x;
      if (i >= n) break;
      const std::int64_t slot = slots[k];
      answer(gathers, view, i, slot);
      if (report != nullptr) {
        ++totals[total_rows];
        totals[total_used] += slot < view.num_segments ? 1 : 0;
        totals[total_nan] += input[k] != input[k] ? 1 : 0;
        totals[total_below] += view.is_below(input[k]) ? 1 : 0;
        totals[total_above] += view.is_above(input[k]) ? 1 : 0;
      }
    }
  }
  if (report != nullptr) report_totals(totals, report);
}

}  // namespace

void launch_predict(const predict_job& job, zcmoe_stream stream) {
  if (job.n == 0) return;
  // Counts of a thread are 32 bits wide: 2^40 rows a launch keep them below 2^20.
  constexpr std::int64_t most_rows = std::int64_t{1} << 40;
  for (std::int64_t first = 0; first < job.n; first += most_rows) {
    const std::int64_t n = job.n - first < most_rows ? job.n - first : most_rows;
    gather_list gathers{};
    gathers.count = job.num_gathers;
    for (int g = 0; g < job.num_gathers; ++g) {
      gathers.item[g] = job.gathers[g];
      gathers.item[g].out = static_cast<char*>(gathers.item[g].out) +
                            first * gathers.item[g].stride * gathers.item[g].element_size;
    }
    zcmoe_array x = job.x;
    x.data = static_cast<const char*>(x.data) + first * x.stride * size_of(x.dtype);
    with_typed(x, [&](auto input) {
      predict_kernel<<<predict_blocks(n), predict_tuning::threads, 0, stream>>>(
          job.view, input, n, gathers, job.report);
      ZCMOE_CUDA_TRY(cudaGetLastError());
    });
  }
}

}  // namespace zcmoe::detail
