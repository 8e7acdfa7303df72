// The fit without a sort, for float32 targets without weights: (x, y)[n] -> exact sums of the
// slots, in one pass that reads each row once and writes nothing a row.
//
// A block keeps the sums of every slot in shared memory, for targets inside a window of the number
// line (window_sums.hpp): eight words a slot, in 1, 2 or 4 columns. The lanes of a warp add the
// words of their rows in different orders, lane by lane: at any step the eight lanes groups are at
// eight different words, and lanes of a group in different columns. With four columns a slot's
// record is 32 words, one a bank: whatever the slots of the 32 rows are, one of 32 or one each, an
// addition is a single wavefront. With two columns it is at most two, with one at most four.
//
// The window is where most of a block's first targets lie, and is looked at again at times. A
// target outside goes to the state at once, by atomic additions of its digits. Sums are integers:
// window, columns, blocks and their order cannot show in a result.
#include "cuda_check.hpp"
#include "launchers.hpp"
#include "row_tally.cuh"
#include "window_sums.hpp"

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

/// The inputs of which judge_row has nothing to say, in the type they are compared in.
template <class Input>
struct usual_inputs {
  Input first;
  Input last;

  __device__ explicit usual_inputs(const model_view& view) {
    // The least and the greatest double inside the range, then rounded inwards.
    double least = view.edges[0];
    double greatest = view.edges[view.num_segments];
    if (view.is_below(least)) least = nextafter(least, static_cast<double>(INFINITY));
    if (view.is_above(greatest)) greatest = nextafter(greatest, -static_cast<double>(INFINITY));
    if constexpr (sizeof(Input) == sizeof(float)) {
      first = __double2float_ru(least);
      last = __double2float_rd(greatest);
    } else {
      first = least;
      last = greatest;
    }
  }
  __device__ bool holds(Input x) const { return x >= first && x <= last; }  // false for NaN
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

/// Where a lane's additions go: word k of column c of a slot lies at slot * words * columns + k *
/// columns + c. Lane l begins with word first_word = l / columns % words and goes on with
/// first_word ^ 1, ^ 2, ...: what `order` swaps its words for.
struct lane_order {
  int column_bits;
  std::uint32_t first;    // bytes
  std::uint32_t step[8];  // bytes; to be exclusive-ored
  bool swap[3];

  __device__ lane_order(int bits, unsigned lane) : column_bits(bits) {
    const unsigned column = lane & ((1u << bits) - 1);
    const unsigned word = lane >> bits & 7u;
    first = (word << bits | column) * 4;
#pragma unroll
    for (unsigned j = 0; j < 8; ++j) step[j] = (j << bits) * 4;
#pragma unroll
    for (int b = 0; b < 3; ++b) swap[b] = (word >> b & 1u) != 0;
  }
  /// words[j] becomes the word that the lane adds at step j.
  __device__ void arrange(std::uint32_t (&words)[window_sums::words]) const {
#pragma unroll
    for (int b = 0; b < 3; ++b) {
#pragma unroll
      for (int i = 0; i < window_sums::words; ++i) {
        const int other = i ^ (1 << b);
        if (other < i) continue;
        const std::uint32_t low = words[i];
        words[i] = swap[b] ? words[other] : low;
        words[other] = swap[b] ? low : words[other];
      }
    }
  }
};

/// Adds a block's records to the state and leaves them zero. A warp takes 32 words, so the columns
/// of a word, and the words of a pair, are neighbours.
__device__ void flush_records(std::uint32_t* records, int column_bits, std::int64_t num_records,
                              int base, std::int64_t* planes, std::int64_t num_slots) {
  const auto num_words = static_cast<std::uint32_t>(num_records * window_sums::words)
                         << column_bits;
  for (std::uint32_t first = threadIdx.x / 32 * 32; first < num_words; first += threads) {
    const std::uint32_t at = first + threadIdx.x % 32;
    const std::uint32_t word = at < num_words ? records[at] : 0;
    if (!__any_sync(all_lanes, word != 0)) continue;
    if (word != 0) records[at] = 0;
    const int k = static_cast<int>(at >> column_bits & 7u);
    long long value = window_value(k, word);
    for (int columns = 1; columns < 1 << column_bits; columns *= 2)
      value += __shfl_xor_sync(all_lanes, value, columns);
    const long long partner = __shfl_xor_sync(all_lanes, value, 1 << column_bits);
    const long long pair = k % 2 == 0 ? value + partner * 65536 : partner + value * 65536;
    const window_deposit deposit = deposit_of(k, pair, base);
    const bool first_column = (at & ((1u << column_bits) - 1)) == 0;
    if (first_column && at < num_words && deposit.plane >= 0 && deposit.value != 0) {
      const std::int64_t slot = at >> (column_bits + 3);
      add_to(planes + deposit.plane * num_slots + slot, deposit.value);
    }
  }
}

/// A number of at most 64 bits, times 2^shift, goes to the state in digits of 32 bits.
__device__ void add_number(std::uint64_t number, int shift, int sign, int first, std::int64_t* own,
                           std::int64_t num_slots) {
  const int offset = shift & 31;
  std::int64_t* const digit = own + (first + (shift >> 5)) * num_slots;
  const std::uint64_t low = number << offset;
  const std::uint64_t high = (number >> (63 - offset)) >> 1;
  const std::uint64_t piece[3] = {low & 0xffffffffu, low >> 32, high};
#pragma unroll
  for (int k = 0; k < 3; ++k) {
    if (piece[k] != 0) add_to(digit + k * num_slots, sign * static_cast<std::int64_t>(piece[k]));
  }
}

/// A target outside the window.
__device__ void add_outside(const target_bits& target, std::int64_t* own, std::int64_t num_slots) {
  using at = sum_planes<float, false>;
  const std::uint64_t square = static_cast<std::uint64_t>(target.mantissa) * target.mantissa;
  add_number(target.mantissa, target.shift, target.sign, at::y, own, num_slots);
  add_number(square, 2 * target.shift, 1, at::yy, own, num_slots);
}

// ----------------------------------------------------------------- kernel

template <class Rows>
__global__ __launch_bounds__(threads) void accumulate_kernel(
    row_rules rules, Rows rows, std::int64_t n, std::int64_t num_records, int column_bits,
    std::int64_t* state, std::int64_t num_slots, std::int64_t* first_bad) {
  extern __shared__ std::uint32_t records[];
  __shared__ window_choice choice;
  const auto num_words = static_cast<std::uint32_t>(num_records * window_sums::words)
                         << column_bits;
  for (std::uint32_t at = threadIdx.x; at < num_words; at += threads) records[at] = 0;
  choice.clear();
  __syncthreads();

  const unsigned lane = threadIdx.x % 32;
  const lane_order order(column_bits, lane);
  const usual_inputs<typename Rows::input> usual(rules.view);
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
  typename Rows::input next_x[per_thread];
  float next_y[per_thread];
  rows.load(tile, n, next_x, next_y);
  for (; tile < n; tile += stride) {
    typename Rows::input x[per_thread];
    float y[per_thread];
#pragma unroll
    for (int k = 0; k < per_thread; ++k) x[k] = next_x[k], y[k] = next_y[k];
    if (tile + stride < n) rows.load(tile + stride, n, next_x, next_y);

    // Slots, -1 where the row is left out.
    double inputs[per_thread];
    std::int64_t found[per_thread];
#pragma unroll
    for (int k = 0; k < per_thread; ++k) inputs[k] = static_cast<double>(x[k]);
    rules.view.slots_of(inputs, found);
    int slot[per_thread];
    bool all_usual = true;
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      slot[k] = static_cast<int>(found[k]);
      all_usual = all_usual && usual.holds(x[k]) && is_finite(y[k]) && rows.row(tile, k) < n;
    }
    if (__all_sync(all_lanes, all_usual)) {
      total += lane == counter_rows_used ? 32 * per_thread : 0;
    } else {
#pragma unroll
      for (int k = 0; k < per_thread; ++k) {
        row_verdict verdict{-1, 0, false};
        if (rows.row(tile, k) < n)
          verdict = judge_row(rules, inputs[k], static_cast<double>(y[k]), 1.0, slot[k]);
        slot[k] = static_cast<int>(verdict.slot);
        total += tally(verdict.counters, lane);
        if (verdict.refused && refused_row == no_row)
          refused_row = rows.row(tile, k);  // rows of a thread ascend
      }
    }

    if (tiles_to_choice == 0) {
      const target_bits first = split_target(y[0]);
      const int better = choice.choose(slot[0] >= 0 && first.mantissa != 0, first.shift, base);
      if (better != base && base != window_choice::none) {
        flush_records(records, column_bits, num_records, base, planes, num_slots);
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
      flush_records(records, column_bits, num_records, base, planes, num_slots);
      __syncthreads();
      tiles_left = tiles_a_word;
    }
    --tiles_left;

#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      if (slot[k] < 0) continue;
      target_bits target = split_target(y[k]);
      if (!is_inside(target, base)) {
        add_outside(target, planes + slot[k], num_slots);
        target.mantissa = 0;  // the row still counts
      }
      std::uint32_t word[window_sums::words];
      window_words(target, base, word);
      order.arrange(word);
      const std::uint32_t record =
          (static_cast<std::uint32_t>(slot[k]) << (column_bits + 5)) | order.first;
#pragma unroll
      for (int j = 0; j < window_sums::words; ++j) {
        atomicAdd(reinterpret_cast<std::uint32_t*>(reinterpret_cast<char*>(records) +
                                                   (record ^ order.step[j])),
                  word[j]);
      }
    }
  }
  __syncthreads();
  flush_records(records, column_bits, num_records, base, planes, num_slots);
  book_rows(total, refused_row, state, first_bad);
}

bool is_packed(const zcmoe_array& array) {
  return array.dtype == ZCMOE_F32 && array.stride == 1 &&
         reinterpret_cast<std::uintptr_t>(array.data) % sizeof(float4) == 0;
}

}  // namespace

void prepare_accumulate(const device_limits& device) {
  const std::size_t shared_bytes = device.shared_per_block - accumulate_tuning::own_bytes;
  const auto allow = [shared_bytes](const void* kernel) {
    ZCMOE_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(shared_bytes)));
  };
  allow(reinterpret_cast<const void*>(&accumulate_kernel<packed_rows>));
  allow(reinterpret_cast<const void*>(&accumulate_kernel<loose_rows>));
}

void launch_accumulate(const fit_job& chunk, const window_records& records, int num_blocks,
                       zcmoe_stream stream) {
  if (chunk.n == 0) return;
  const auto launch = [&](auto rows) {
    accumulate_kernel<<<num_blocks, threads, records.bytes(), stream>>>(
        chunk.rules, rows, chunk.n, records.count, records.column_bits, chunk.state,
        chunk.layout.num_slots(), chunk.first_bad);
    ZCMOE_CUDA_TRY(cudaGetLastError());
  };
  if (is_packed(chunk.x) && is_packed(chunk.y)) {
    launch(packed_rows{static_cast<const float*>(chunk.x.data),
                       static_cast<const float*>(chunk.y.data)});
  } else {
    launch(loose_rows{any(chunk.x), any(chunk.y)});
  }
}

}  // namespace zcmoe::detail
