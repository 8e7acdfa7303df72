// The fit without a sort, for float32 targets without weights: (x, y)[n] -> exact sums of the
// slots, in one pass that reads each row once and writes nothing a row.
//
// A block keeps the sums of every slot in shared memory, by rank (bucket_table.hpp), for targets
// inside a window of the number line (window_sums.hpp): eight words a slot, in 1, 2 or 4 columns.
// The lanes of a warp add the words of their rows in different orders, lane by lane: at any step
// the eight lanes groups are at eight different words, and lanes of a group in different columns.
// With four columns a slot's record is 32 words, one a bank: whatever the slots of the 32 rows are,
// one of 32 or one each, an addition is a single wavefront. With two columns it is at most two,
// with one at most four.
//
// The window is where most of a block's first targets lie, and is looked at again at times. A
// target outside goes to the state at once, by atomic additions of its digits. Sums are integers:
// window, columns, blocks and their order cannot show in a result.
#include "cuda_check.hpp"
#include "cuda_router.hpp"
#include "launchers.hpp"
#include "route_table.cuh"
#include "row_tally.cuh"
#include "window_sums.hpp"

#include <type_traits>

namespace zcmoe::detail {
namespace {

constexpr int threads = accumulate_tuning::threads;
constexpr int per_thread = accumulate_tuning::per_thread;
constexpr std::int64_t tile_rows = std::int64_t{threads} * per_thread;

// ------------------------------------------------------------------- rows

/// float32 side by side, 16-byte aligned: a thread reads four neighbours at once.
struct packed_rows {
  using input = float;
  const float* x;
  const float* y;

  __device__ static std::int64_t row(std::int64_t tile, int k) {
    return tile + static_cast<std::int64_t>(threadIdx.x) * per_thread + k;
  }
  __device__ void load(std::int64_t tile, std::int64_t n, float (&inputs)[per_thread],
                       float (&targets)[per_thread]) const {
    static_assert(per_thread == 4, "a float4 a thread");
    const std::int64_t first = row(tile, 0);
    if (first + per_thread <= n) {
      const float4 four_x = __ldcs(reinterpret_cast<const float4*>(x + first));
      const float4 four_y = __ldcs(reinterpret_cast<const float4*>(y + first));
      inputs[0] = four_x.x, inputs[1] = four_x.y, inputs[2] = four_x.z, inputs[3] = four_x.w;
      targets[0] = four_y.x, targets[1] = four_y.y, targets[2] = four_y.z, targets[3] = four_y.w;
    } else {
#pragma unroll
      for (int k = 0; k < per_thread; ++k) {
        inputs[k] = first + k < n ? x[first + k] : 0.0f;
        targets[k] = first + k < n ? y[first + k] : 0.0f;
      }
    }
  }
};

/// Rows of any type and stride; neighbouring threads read neighbouring rows.
struct loose_rows {
  using input = double;
  any_array x;
  any_array y;

  __device__ static std::int64_t row(std::int64_t tile, int k) {
    return tile + static_cast<std::int64_t>(k) * threads + threadIdx.x;
  }
  __device__ void load(std::int64_t tile, std::int64_t n, double (&inputs)[per_thread],
                       float (&targets)[per_thread]) const {
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      const std::int64_t i = row(tile, k);
      inputs[k] = i < n ? x[i] : 0.0;
      targets[k] = i < n ? static_cast<float>(y[i]) : 0.0f;
    }
  }
};

__device__ bool is_finite(float y) { return (__float_as_uint(y) & 0x7f800000u) != 0x7f800000u; }

// ------------------------------------------------------------- the window

/// Shifts of a sample of targets, and the base that most of them lie above.
struct window_choice {
  static constexpr int sample = 256;  // one row of each of as many threads
  static constexpr int num_bins = window_sums::most_base + window_sums::num_shifts + 1;
  static constexpr int none = -1000;  // base of no window: every target but zero lies outside

  std::uint32_t bin[num_bins];
  std::uint32_t best;  // targets inside * 256 + 255 - base: of equally good ones the lowest

  __device__ void clear() {
    for (int k = static_cast<int>(threadIdx.x); k < num_bins; k += threads) bin[k] = 0;
    if (threadIdx.x == 0) best = 0;
  }
  __device__ std::uint32_t inside(int base) const {
    std::uint32_t sum = 0;
#pragma unroll
    for (int j = 0; j < window_sums::num_shifts; ++j) sum += bin[base + j];
    return sum;
  }
  /// The better base; the one in use unless another holds an eighth of the sample more. Every
  /// thread calls it; the bins are clear again afterwards.
  __device__ int choose(bool counts, int shift, int base) {
    if (counts && threadIdx.x < sample) atomicAdd(&bin[shift], 1u);
    __syncthreads();
    if (threadIdx.x <= window_sums::most_base) {
      atomicMax(&best, inside(static_cast<int>(threadIdx.x)) << 8 | (255 - threadIdx.x));
    }
    __syncthreads();
    const std::uint32_t most = best >> 8;
    const int candidate = 255 - static_cast<int>(best & 255u);
    const bool better = base == none ? most > 0 : most > inside(base) + sample / 8;
    __syncthreads();
    clear();
    __syncthreads();
    return better ? candidate : base;
  }
};
static_assert(window_sums::most_base <= 255, "a base fits the low byte of `best`");
static_assert(window_choice::sample <= threads && window_sums::most_base < threads,
              "one thread each");

// ---------------------------------------------------------- shared records

/// Which word a lane adds at which step. Word k of column c of a rank lies at (rank * columns + c)
/// * words + k. Lane l adds to column l / 8 % columns, word l % 8 ^ j at step j: additions of one
/// warp and step meet at no word but for the same column, of which eight lanes at most share.
class lane_order {
 public:
  __device__ lane_order(const std::uint32_t* records, int column_bits, unsigned lane)
      : record_bytes_(32u << column_bits),
        first_(shared_address(records) + (lane >> 3 & ((1u << column_bits) - 1)) * 32 +
               lane % 8 * 4),
        even_(lane % 2 == 0 ? low : high),
        odd_(lane % 2 == 0 ? high : low),
        near_(lane & 2),
        far_(lane & 4) {
    // The compiler would work these out anew for every row.
    asm volatile(""
                 : "+r"(record_bytes_), "+r"(first_), "+r"(even_), "+r"(odd_), "+r"(near_),
                   "+r"(far_));
  }

  /// Adds a row's digits.
  __device__ void add(std::uint32_t rank, const std::uint32_t (&pair)[window_sums::pairs]) const {
    const bool swap_near = near_ != 0;
    const bool swap_far = far_ != 0;
    const std::uint32_t near[4] = {swap_near ? pair[1] : pair[0], swap_near ? pair[0] : pair[1],
                                   swap_near ? pair[3] : pair[2], swap_near ? pair[2] : pair[3]};
    const std::uint32_t first = rank * record_bytes_ + first_;  // word 0's address ends in 5 zeros
#pragma unroll
    for (int p = 0; p < window_sums::pairs; ++p) {
      const std::uint32_t digits = swap_far ? near[p ^ 2] : near[p];
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const std::uint32_t digit = __byte_perm(digits, 0, h == 0 ? even_ : odd_);
        asm volatile("red.shared.add.u32 [%0], %1;" ::"r"(first ^ ((2 * p + h) * 4u)), "r"(digit)
                     : "memory");
      }
    }
  }

 private:
  static constexpr std::uint32_t low = 0x4410;  // for __byte_perm: a pair's lower half
  static constexpr std::uint32_t high = 0x4432;
  std::uint32_t record_bytes_;
  std::uint32_t first_;  // of rank 0: address of the word of step 0
  std::uint32_t even_;   // the half of a pair that even steps take
  std::uint32_t odd_;
  std::uint32_t near_;  // not 0: pairs 0 and 1, 2 and 3 are swapped
  std::uint32_t far_;   // not 0: pairs 0 and 2, 1 and 3
};

/// Adds a block's records to the state and leaves them zero. A warp takes 32 words, so the columns
/// of a word, and the words of a pair, are neighbours.
template <class T>
__device__ void flush_records(std::uint32_t* records, int column_bits,
                              const bucket_table_view<T>& routes, int base, std::int64_t* planes,
                              std::int64_t num_slots) {
  const std::uint32_t num_words = routes.num_ranks() * window_sums::words << column_bits;
  for (std::uint32_t first = threadIdx.x / 32 * 32; first < num_words; first += threads) {
    const std::uint32_t at = first + threadIdx.x % 32;
    const std::uint32_t word = at < num_words ? records[at] : 0;
    if (!__any_sync(all_lanes, word != 0)) continue;
    if (word != 0) records[at] = 0;
    const int k = static_cast<int>(at % window_sums::words);
    long long own = word;
    for (int columns = 0; columns < column_bits; ++columns)
      own += __shfl_xor_sync(all_lanes, own, window_sums::words << columns);
    const long long partner = __shfl_xor_sync(all_lanes, own, 1);
    const long long negatives =
        __shfl_sync(all_lanes, own, window_sums::negatives, window_sums::words);
    const std::int64_t number =
        window_number(k / 2, k % 2 == 0 ? own : partner, k % 2 == 0 ? partner : own, negatives);
    const window_deposit deposit = deposit_of(k, number, base);
    const std::uint32_t column = at / window_sums::words & ((1u << column_bits) - 1);
    if (column == 0 && at < num_words && deposit.plane >= 0 && deposit.value != 0) {
      const std::int64_t slot = routes.slot_of(at / window_sums::words >> column_bits);
      add_to(planes + deposit.plane * num_slots + slot, deposit.value);
    }
  }
}

/// A number of at most 64 bits, times 2^shift, goes to the state in digits of 32 bits.
__device__ void add_number(std::uint64_t number, int shift, bool negative, int first,
                           std::int64_t* own, std::int64_t num_slots) {
  const int offset = shift & 31;
  std::int64_t* const digit = own + (first + (shift >> 5)) * num_slots;
  const std::uint64_t low = number << offset;
  const std::uint64_t high = (number >> (63 - offset)) >> 1;
  const std::uint64_t piece[3] = {low & 0xffffffffu, low >> 32, high};
#pragma unroll
  for (int k = 0; k < 3; ++k) {
    if (piece[k] != 0)
      add_to(digit + k * num_slots, static_cast<std::int64_t>(negative ? 0 - piece[k] : piece[k]));
  }
}

/// A target outside the window.
__device__ void add_outside(const target_bits& target, std::int64_t* own, std::int64_t num_slots) {
  using at = sum_planes<float, false>;
  const std::uint64_t square = static_cast<std::uint64_t>(target.mantissa) * target.mantissa;
  add_number(target.mantissa, target.shift, target.negative, at::y, own, num_slots);
  add_number(square, 2 * target.shift, false, at::yy, own, num_slots);
}

// ----------------------------------------------------------------- kernel

template <class Rows, bool staged>
__global__ __launch_bounds__(threads) void accumulate_kernel(
    const __grid_constant__ row_rules rules,
    const __grid_constant__ bucket_table_view<typename Rows::input> routes, Rows rows,
    std::int64_t n, int column_bits, std::int64_t* state, std::int64_t num_slots,
    std::int64_t* first_bad) {
  using input = typename Rows::input;
  extern __shared__ __align__(128) std::uint32_t records[];
  __shared__ window_choice choice;
  const std::uint32_t num_words = routes.num_ranks() * window_sums::words << column_bits;
  using image_type = std::conditional_t<staged, shared_image<input>, plain_image<input>>;
  const image_type image = [&] {
    if constexpr (staged) {
      return shared_image<input>(routes, records + num_words);
    } else {
      return plain_image<input>(routes);
    }
  }();
  for (std::uint32_t at = threadIdx.x; at < num_words; at += threads) records[at] = 0;
  choice.clear();
  __syncthreads();

  const unsigned lane = threadIdx.x % 32;
  const lane_order order(records, column_bits, lane);
  std::int64_t* const planes = state + num_row_counters;
  std::uint32_t total = 0;
  std::int64_t refused_row = no_row;
  int base = window_choice::none;
  int tiles_to_choice = 0;
  int tiles_between = 4;
  const auto tiles_a_word = static_cast<int>((window_sums::most_rows << column_bits) / tile_rows);
  int tiles_left = tiles_a_word;

  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * tile_rows;
  std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * tile_rows;
  input next_x[per_thread];
  float next_y[per_thread];
  rows.load(tile, n, next_x, next_y);
  for (; tile < n; tile += stride) {
    input x[per_thread];
    float y[per_thread];
#pragma unroll
    for (int k = 0; k < per_thread; ++k) x[k] = next_x[k], y[k] = next_y[k];
    if (tile + stride < n) rows.load(tile + stride, n, next_x, next_y);

    // Ranks, `left_out` where the row is.
    constexpr std::uint32_t left_out = 0xffffffffu;
    std::uint32_t rank[per_thread];
    ranks_of(routes, image, x, rank);
    bool all_usual = tile + tile_rows <= n;  // judge_row has nothing to say of them
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      all_usual =
          all_usual && x[k] >= routes.range_begin && !(x[k] >= routes.range_end) && is_finite(y[k]);
    }
    if (__all_sync(all_lanes, all_usual)) {
      total += lane == counter_rows_used ? 32 * per_thread : 0;
    } else {
#pragma unroll
      for (int k = 0; k < per_thread; ++k) {
        row_verdict verdict{-1, 0, false};
        if (rows.row(tile, k) < n) {
          verdict = judge_row(rules, static_cast<double>(x[k]), static_cast<double>(y[k]), 1.0,
                              routes.slot_of(rank[k]));
        }
        if (verdict.slot < 0) rank[k] = left_out;
        total += tally(verdict.counters, lane);
        if (verdict.refused && refused_row == no_row)
          refused_row = rows.row(tile, k);  // rows of a thread ascend
      }
    }

    if (tiles_to_choice == 0) {
      const target_bits first = split_target(y[0]);
      const int better =
          choice.choose(rank[0] != left_out && first.mantissa != 0, first.shift, base);
      if (better != base && base != window_choice::none) {
        flush_records(records, column_bits, routes, base, planes, num_slots);
        tiles_left = tiles_a_word;
        __syncthreads();
      }
      base = better;
      tiles_to_choice = base == window_choice::none ? 1 : tiles_between;
      tiles_between = tiles_between < 64 ? tiles_between * 4 : tiles_between;
    }
    --tiles_to_choice;
    if (tiles_left == 0) {  // one more tile might overflow a word
      __syncthreads();
      flush_records(records, column_bits, routes, base, planes, num_slots);
      __syncthreads();
      tiles_left = tiles_a_word;
    }
    --tiles_left;

#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      if (rank[k] == left_out) continue;
      target_bits target = split_target(y[k]);
      if (!is_inside(target, base)) {
        add_outside(target, planes + routes.slot_of(rank[k]), num_slots);
        target.mantissa = 0;  // the row still counts
      }
      std::uint32_t pair[window_sums::pairs];
      window_pairs(target, base, pair);
      order.add(rank[k], pair);
    }
  }
  __syncthreads();
  flush_records(records, column_bits, routes, base, planes, num_slots);
  book_rows(total, refused_row, state, first_bad);
}

bool is_packed(const zcmoe_array& array) {
  return array.dtype == ZCMOE_F32 && array.stride == 1 &&
         reinterpret_cast<std::uintptr_t>(array.data) % sizeof(float4) == 0;
}

}  // namespace

void prepare_accumulate(const device_limits& device) {
  const auto allow = [&device](const void* kernel) {
    ZCMOE_CUDA_TRY(cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
        static_cast<int>(device.shared_per_block - accumulate_tuning::own_bytes)));
  };
  allow(reinterpret_cast<const void*>(&accumulate_kernel<packed_rows, true>));
  allow(reinterpret_cast<const void*>(&accumulate_kernel<packed_rows, false>));
  allow(reinterpret_cast<const void*>(&accumulate_kernel<loose_rows, true>));
  allow(reinterpret_cast<const void*>(&accumulate_kernel<loose_rows, false>));
}

void launch_accumulate(const fit_job& chunk, const device_limits& device, int most_column_bits,
                       zcmoe_stream stream) {
  if (chunk.n == 0) return;
  const auto launch = [&](auto rows) {
    using rows_type = decltype(rows);
    const auto& routes = routes_of(chunk.routes).table<typename rows_type::input>();
    const accumulate_shape shape = accumulate_shape_for(routes.num_ranks(), routes.image_bytes(),
                                                        chunk.n, device, most_column_bits);
    const auto run = [&](auto kernel) {
      kernel<<<shape.blocks, threads, shape.shared_bytes, stream>>>(
          chunk.rules, routes, rows, chunk.n, shape.column_bits, chunk.state,
          chunk.layout.num_slots(), chunk.first_bad);
      ZCMOE_CUDA_TRY(cudaGetLastError());
    };
    shape.staged ? run(&accumulate_kernel<rows_type, true>)
                 : run(&accumulate_kernel<rows_type, false>);
  };
  if (is_packed(chunk.x) && is_packed(chunk.y)) {
    launch(packed_rows{static_cast<const float*>(chunk.x.data),
                       static_cast<const float*>(chunk.y.data)});
  } else {
    launch(loose_rows{chunk.x, any(chunk.y)});
  }
}

}  // namespace zcmoe::detail
