// Row counters of a fit on the device: verdicts (judge_row) -> totals held by lanes -> the state's
// head, and the atomic addition that all sums use. Counted with votes, so that rows without a
// finding cost one vote a warp. Totals are 32 bits wide: a launch has at most 2^30 rows.
#pragma once

#include "host/engine/fit_row.hpp"

#include <cstdint>

namespace zcmoe::detail {

constexpr unsigned all_lanes = 0xffffffffu;
constexpr std::int64_t no_row = INT64_MAX;

__device__ inline void add_to(std::int64_t* place, std::int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(place), static_cast<unsigned long long>(value));
}

/// Adds a warp's verdicts to lane-held totals: lane c holds counter c.
__device__ inline std::uint32_t tally(std::uint32_t counters, unsigned lane) {
  constexpr std::uint32_t usual = 1u << counter_rows | 1u << counter_rows_used;
  if (__all_sync(all_lanes, counters == usual)) return lane == counter_rows_used ? 32 : 0;
  std::uint32_t gain = 0;
#pragma unroll
  for (int c = counter_rows_used; c <= counter_refused; ++c) {
    const unsigned votes = __ballot_sync(all_lanes, (counters >> c & 1u) != 0);
    gain = lane == static_cast<unsigned>(c) ? static_cast<std::uint32_t>(__popc(votes)) : gain;
  }
  return gain;
}

/// Adds a block's totals to the counters, where one block also books the launch's n rows, and its
/// first refused row, counted from counters[chunk_begin] on, to first_bad. Every thread of the
/// block takes part.
__device__ inline void book_rows(std::uint32_t total, std::int64_t refused_row, std::int64_t n,
                                 std::int64_t* counters, std::int64_t* first_bad) {
  __shared__ std::uint32_t block_totals[num_row_counters];
  if (threadIdx.x < num_row_counters) block_totals[threadIdx.x] = 0;
  __syncthreads();
  if (total != 0) atomicAdd(&block_totals[threadIdx.x % 32], total);
  __syncthreads();
  if (threadIdx.x < num_row_counters && block_totals[threadIdx.x] != 0) {
    add_to(counters + threadIdx.x, block_totals[threadIdx.x]);
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    counters[counter_rows] += n;
    counters[counter_pending] += n;
  }
  if (refused_row != no_row) {
    atomicMin(reinterpret_cast<long long*>(first_bad),
              static_cast<long long>(counters[counter_chunk_begin] + refused_row));
  }
}

}  // namespace zcmoe::detail
