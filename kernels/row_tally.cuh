// Row counters of a fit on the device. Data flow: the verdict of each row (judge_row) -> totals
// that the lanes of a warp hold -> the block's totals in shared memory -> the counters at the head
// of the state. The atomic addition that all sums use is here too. Verdicts are counted by votes of
// the warp, so that rows of which judge_row finds nothing cost a single vote per warp. Totals have
// 32 bits: a launch has at most 2^30 rows.
#pragma once

#include "host/engine/fit_row.hpp"

#include <cstdint>

namespace zcmoe::detail {

constexpr unsigned all_lanes = 0xffffffffu;
constexpr std::int64_t no_row = INT64_MAX;  // in place of the number of a refused row

/// Adds to a signed number, by the unsigned atomic that CUDA has: modulo 2^64 they are the same.
__device__ inline void add_to(std::int64_t* place, std::int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(place), static_cast<unsigned long long>(value));
}

/// Counts the verdicts of a warp's 32 rows, one per lane: returns, in lane c, how many of them have
/// bit c in row_verdict::counters. Rows themselves (counter_rows) are not counted here, since the
/// number of a launch's rows is known. Every lane of the warp calls it.
///
/// Example: lanes 3 and 7 have NaN inputs and are left out, all others are used. The vote on
/// counter_nan_inputs gives 0b10001000, two bits set, so lane counter_nan_inputs gets 2; lane
/// counter_rows_used gets 30. Had all rows been used, the first vote would have been the only one.
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

/// Adds a block's totals to the counters. The first block also adds the launch's n rows to
/// counter_rows and counter_pending. refused_row is the thread's first refused row within the
/// chunk, or no_row; first_bad becomes the least of them all, counted from the chunk's first row,
/// counters[counter_chunk_begin], on. Every thread of the block calls it.
__device__ inline void add_row_counts(std::uint32_t total, std::int64_t refused_row, std::int64_t n,
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
