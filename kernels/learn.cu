// Passes over rows of which tables of several inputs are learned (host/engine/row_passes.hpp):
// codes, parts and what is left of targets -> counts and sums by cell, which come back, and what is
// left then, which stays. Everything is a sum of whole numbers, so no order of rows shows.
#include "cuda_check.hpp"
#include "launchers.hpp"

namespace zcmoe::detail {
namespace {

__device__ std::int32_t cell_of_row(const row_cells& table, std::int64_t i) {
  const std::int32_t cell = __ldg(table.offsets[0] + table.codes[0][i]);
  return table.codes[1] == nullptr ? cell : cell + __ldg(table.offsets[1] + table.codes[1][i]);
}

/// Adds to a sum of 64 bits in two words of shared memory, which has no addition of 64 bits of its
/// own. Additions that come in between change nothing: one carry is passed on for each 2^32.
__device__ void add_to_words(std::uint32_t* low, std::uint32_t* high, unsigned long long value) {
  const auto low_digit = static_cast<std::uint32_t>(value);
  const std::uint32_t before = atomicAdd(low, low_digit);
  const std::uint32_t carry = before + low_digit < before ? 1 : 0;
  const std::uint32_t high_digit = static_cast<std::uint32_t>(value >> 32) + carry;
  if (high_digit != 0) atomicAdd(high, high_digit);
}

/// Blocks take the tables in turn, so that those which run together look at the same rows. The
/// cells of a table lie in shared memory, if they fit, and are added to the sums at the end. Sum is
/// of 32 or 64 bits; the sums of values are in two's complement.
template <class Sum>
__global__ __launch_bounds__(learn_tuning::threads) void sum_cells_kernel(
    cell_sums_work<Sum> work) {
  extern __shared__ std::uint32_t words[];
  const auto num_tables = static_cast<unsigned>(work.num_tables);
  const row_cells table = work.tables[blockIdx.x % num_tables];
  const std::int32_t cells = table.cells * (work.part == nullptr ? 1 : num_row_parts);
  Sum* const sums = work.sums + table.first;
  const bool staged = cells <= work.staged_cells;
  std::uint32_t* const low = words;
  std::uint32_t* const high = work.left == nullptr ? nullptr : words + work.staged_cells;
  for (std::int32_t c = threadIdx.x; staged && c < cells; c += blockDim.x) {
    low[c] = 0;
    if (high != nullptr) high[c] = 0;
  }
  __syncthreads();
  const std::int64_t step = std::int64_t{gridDim.x / num_tables} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x / num_tables} * blockDim.x + threadIdx.x;
       i < work.n; i += step) {
    std::int32_t cell = cell_of_row(table, i);
    if (work.part != nullptr) cell += work.part[i] * table.cells;
    const std::uint32_t weight = work.weights == nullptr ? 1 : work.weights[i];
    const unsigned long long value =
        weight * (work.left == nullptr ? 1 : static_cast<unsigned long long>(work.left[i]));
    if (!staged) {
      atomicAdd(sums + cell, static_cast<Sum>(value));
    } else if (high == nullptr) {
      atomicAdd(low + cell, weight);
    } else {
      add_to_words(low + cell, high + cell, value);
    }
  }
  __syncthreads();
  for (std::int32_t c = threadIdx.x; staged && c < cells; c += blockDim.x) {
    unsigned long long value = low[c];
    if (high != nullptr) value += static_cast<unsigned long long>(high[c]) << 32;
    if (value != 0) atomicAdd(sums + c, static_cast<Sum>(value));
  }
}

__global__ __launch_bounds__(learn_tuning::threads) void subtract_cells_kernel(
    subtract_cells_work work) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < work.n;
       i += step) {
    std::int64_t left = work.left[i] - work.base;
    for (int k = 0; k < work.num_tables; ++k) {
      const row_cells& table = work.tables[k];
      left -= work.amounts[table.first + cell_of_row(table, i)];
    }
    work.left[i] = left;
  }
}

/// The sum, and the four digits of 32 bits of the sum of squares: a thread's sum of squares is
/// below 2^128, and sums of digits of all threads below 2^64.
__global__ __launch_bounds__(learn_tuning::threads) void total_left_kernel(
    const std::int64_t* left, const std::uint32_t* weights, std::int64_t n,
    unsigned long long* totals) {
  __shared__ unsigned long long of_block[num_left_totals];
  if (threadIdx.x < num_left_totals) of_block[threadIdx.x] = 0;
  __syncthreads();
  unsigned long long sum = 0, low = 0, high = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    const std::int64_t value = left[i];
    const auto size = static_cast<unsigned long long>(value < 0 ? -value : value);
    const std::uint32_t weight = weights == nullptr ? 1 : weights[i];
    const unsigned long long square = size * size;
    const unsigned long long weighed = weight * square;
    sum += weight * static_cast<unsigned long long>(value);
    low += weighed;
    high += weight * __umul64hi(size, size) + __umul64hi(weight, square) + (low < weighed ? 1 : 0);
  }
  atomicAdd(&of_block[0], sum);
  atomicAdd(&of_block[1], low & 0xffffffffu);
  atomicAdd(&of_block[2], low >> 32);
  atomicAdd(&of_block[3], high & 0xffffffffu);
  atomicAdd(&of_block[4], high >> 32);
  __syncthreads();
  if (threadIdx.x < num_left_totals) atomicAdd(totals + threadIdx.x, of_block[threadIdx.x]);
}

__global__ __launch_bounds__(learn_tuning::threads) void widen_kernel(any_array from,
                                                                      std::int64_t n, double* to) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step)
    to[i] = from[i];
}

}  // namespace

template <class Sum>
void launch_sum_cells(const cell_sums_work<Sum>& work, zcmoe_stream stream) {
  if (work.n == 0 || work.num_tables == 0) return;
  const std::size_t words =
      static_cast<std::size_t>(work.staged_cells) * (work.left == nullptr ? 1 : 2);
  launch(&sum_cells_kernel<Sum>, learn_blocks(work.n, work.num_tables) * work.num_tables,
         learn_tuning::threads, words * sizeof(std::uint32_t), stream, work);
}
template void launch_sum_cells(const cell_sums_work<std::uint32_t>&, zcmoe_stream);
template void launch_sum_cells(const cell_sums_work<unsigned long long>&, zcmoe_stream);

void launch_subtract_cells(const subtract_cells_work& work, zcmoe_stream stream) {
  if (work.n == 0) return;
  launch(&subtract_cells_kernel, learn_blocks(work.n, 1), learn_tuning::threads, 0, stream, work);
}

void launch_widen(const any_array& from, std::int64_t n, double* to, zcmoe_stream stream) {
  if (n == 0) return;
  launch(&widen_kernel, learn_blocks(n, 1), learn_tuning::threads, 0, stream, from, n, to);
}

void launch_total_left(const std::int64_t* left, const std::uint32_t* weights, std::int64_t n,
                       unsigned long long* totals, zcmoe_stream stream) {
  if (n == 0) return;
  launch(&total_left_kernel, learn_blocks(n, 1), learn_tuning::threads, 0, stream, left, weights, n,
         totals);
}

}  // namespace zcmoe::detail
