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
// The window is where most of a sample of the chunk's targets lie, and is chosen anew when a block
// has met many targets outside it. A target outside adds its digits to a small table in shared
// memory that holds the whole number line for a few slots, or, where its place in the table is
// taken by another slot, to the state. Sums are integers: window, columns, table, blocks and their
// order cannot show in a result.
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

/// The row that thread t samples of the rows [first, last): the rows are cut into as many stretches
/// of equal length as there are samples, and a stretch is entered at a place that looks random, so
/// that rows which repeat themselves are not always met at the same phase. Two blocks that sample
/// the same rows read the same addresses.
__device__ std::int64_t sampled_row(unsigned t, std::int64_t first, std::int64_t last) {
  const std::uint32_t phase = t * 0x9e3779b1u >> 16;
  const auto place = static_cast<std::int64_t>(t << 16 | phase);  // of 2^24
  return first + (place * (last - first) >> 24);
}

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
  /// thread calls it, with bins that are clear; they are clear again afterwards.
  __device__ int choose(bool counts, int shift, int base) {
    if (counts) atomicAdd(&bin[shift], 1u);
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
  /// The same for a sample of the rows [first, last). Rows that judge_row leaves out do not count.
  template <class Rows, class Input>
  __device__ int choose(const row_rules& rules, const bucket_table_view<Input>& routes,
                        const Rows& rows, std::int64_t first, std::int64_t last, int base) {
    bool counts = false;
    int shift = 0;
    if (threadIdx.x < sample) {
      const std::int64_t row = sampled_row(threadIdx.x, first, last);
      const input_place place =
          place_of(static_cast<Input>(rows.x[row]), routes.range_begin, routes.range_end);
      const auto y = static_cast<float>(rows.y[row]);
      const target_bits target = split_target(y);
      shift = target.shift;
      counts =
          target.mantissa != 0 && judge_row(rules, place, static_cast<double>(y), 1.0, 0).slot >= 0;
    }
    return choose(counts, shift, base);
  }
};
static_assert(window_choice::sample == 256, "sampled_row counts on it");
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

// ------------------------------------------- targets outside the window

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

/// A target outside the window, straight to the state.
__device__ void add_outside(const target_bits& target, std::int64_t* own, std::int64_t num_slots) {
  using at = sum_planes<float, false>;
  const std::uint64_t square = static_cast<std::uint64_t>(target.mantissa) * target.mantissa;
  add_number(target.mantissa, target.shift, target.negative, at::y, own, num_slots);
  add_number(square, 2 * target.shift, false, at::yy, own, num_slots);
}

/// Sums of targets outside the window for a few slots at a time, in shared memory. An entry covers
/// the whole number line in digits of 16 bits, one 32-bit word each: 18 words for y, 36 for y^2,
/// and the rank it belongs to. A rank has one place, rank modulo the number of entries, and the
/// first that comes keeps it until the table is emptied. A table begins with few entries, which is
/// enough for the few targets outside of most data, or with none where the ranks are many, and
/// grows when a block meets many.
///
/// Example: y = -3 * 2^20 in units of the state. Its shift is 20 and its lowest digit number 1: the
/// digits of 3 * 2^(20 - 16) = 48 are 48, 0, 0, so 48 is taken from word 1. y^2 = 9 * 2^40 has the
/// lowest digit number 2: 9 * 2^(40 - 32) = 2304 is added to word 18 + 2.
class outside_table {
 public:
  static constexpr int y_digits = 18;
  static constexpr int yy_digits = 36;
  static constexpr int owner = y_digits + yy_digits;  // rank + 1; 0: no one's
  static constexpr int words = outside_tuning::words;
  static_assert(owner + 1 == words, "the launcher reserves as many");
  static_assert((window_sums::most_base + window_sums::extra_bits) / 16 + 3 <= y_digits &&
                    (window_sums::most_base + window_sums::extra_bits) / 8 + 4 <= yy_digits,
                "the largest target's digits are inside");

  /// Room for 1 << most_bits entries, of which the first num_words() are zero.
  __device__ outside_table(std::uint32_t* entries, int most_bits, std::uint32_t num_ranks)
      : entries_(entries),
        size_(num_ranks <= outside_tuning::most_ranks_at_start ? 1u << outside_tuning::least_bits
                                                               : 0),
        most_bits_(most_bits) {}
  __device__ std::uint32_t num_words() const { return words * size_; }

  /// False if the rank's place belongs to another.
  __device__ bool add(std::uint32_t rank, const target_bits& target) const {
    if (size_ == 0) return false;
    std::uint32_t* const entry = entries_ + (rank & (size_ - 1)) * words;
    const std::uint32_t holder = atomicCAS(entry + owner, 0u, rank + 1);
    if (holder != 0 && holder != rank + 1) return false;
    const std::uint64_t magnitude = target.mantissa;
    add_digits<3>(entry + (target.shift >> 4), magnitude << (target.shift & 15), target.negative);
    add_digits<4>(entry + y_digits + (target.shift >> 3),
                  magnitude * magnitude << (2 * target.shift & 15), false);
    return true;
  }

  /// After flush() and a barrier.
  __device__ void grow() {
    const std::uint32_t end = static_cast<std::uint32_t>(words) << most_bits_;
    for (std::uint32_t at = num_words() + threadIdx.x; at < end; at += threads) entries_[at] = 0;
    size_ = 1u << most_bits_;
  }

  /// Adds the table to the state and leaves it empty. Every thread of the block calls it between
  /// two barriers of its own.
  template <class T>
  __device__ void flush(const bucket_table_view<T>& routes, std::int64_t* planes,
                        std::int64_t num_slots) const {
    using at = sum_planes<float, false>;
    constexpr std::uint32_t pairs = (y_digits + yy_digits) / 2;  // two digits make one of a plane
    for (std::uint32_t i = threadIdx.x; i < pairs * size_; i += threads) {
      std::uint32_t* const entry = entries_ + i / pairs * words;
      if (entry[owner] == 0) continue;
      const int pair = static_cast<int>(i % pairs);
      const std::int64_t value =
          as_signed(entry[2 * pair]) + as_signed(entry[2 * pair + 1]) * 65536;
      entry[2 * pair] = 0;
      entry[2 * pair + 1] = 0;
      if (value == 0) continue;
      const int plane = pair < y_digits / 2 ? at::y + pair : at::yy + pair - y_digits / 2;
      add_to(planes + plane * num_slots + routes.slot_of(entry[owner] - 1), value);
    }
    __syncthreads();
    for (std::uint32_t e = threadIdx.x; e < size_; e += threads) {
      entries_[e * words + owner] = 0;
    }
  }

 private:
  template <int Digits>
  __device__ static void add_digits(std::uint32_t* first, std::uint64_t number, bool negative) {
#pragma unroll
    for (int k = 0; k < Digits; ++k) {
      const auto digit = static_cast<std::uint32_t>(number >> 16 * k) & 0xffffu;
      if (digit != 0) atomicAdd(first + k, negative ? 0 - digit : digit);
    }
  }
  __device__ static std::int64_t as_signed(std::uint32_t word) {
    return static_cast<std::int32_t>(word);
  }

  std::uint32_t* entries_;
  std::uint32_t size_;  // entries in use: a power of two, or 0
  int most_bits_;
};

// ----------------------------------------------------------------- kernel

constexpr std::uint32_t left_out = 0xffffffffu;  // the rank of a row that is

/// What a thread counts of its rows.
struct thread_counts {
  std::uint32_t total = 0;  // of counter `lane`, over the warp's rows
  std::int64_t refused_row = no_row;
};

/// Marks the rows that judge_row leaves out and counts all. Every lane of the warp calls it.
template <class Rows, class Input>
__device__ void judge_rows(const row_rules& rules, const bucket_table_view<Input>& routes,
                           const Rows& rows, std::int64_t tile, std::int64_t n,
                           const Input (&x)[per_thread], const float (&y)[per_thread],
                           std::uint32_t (&rank)[per_thread], thread_counts& counts) {
  const unsigned lane = threadIdx.x % 32;
  bool all_usual = tile + tile_rows <= n;  // judge_row has nothing to say of them
#pragma unroll
  for (int k = 0; k < per_thread; ++k) {
    all_usual =
        all_usual && x[k] >= routes.range_begin && !(x[k] >= routes.range_end) && is_finite(y[k]);
  }
  if (__all_sync(all_lanes, all_usual)) {
    counts.total += lane == counter_rows_used ? 32 * per_thread : 0;
    return;
  }
#pragma unroll
  for (int k = 0; k < per_thread; ++k) {
    row_verdict verdict{-1, 0, false};
    if (rows.row(tile, k) < n) {
      const input_place place = place_of(x[k], routes.range_begin, routes.range_end);
      verdict = judge_row(rules, place, static_cast<double>(y[k]), 1.0, routes.slot_of(rank[k]));
    }
    if (verdict.slot < 0) rank[k] = left_out;
    counts.total += tally(verdict.counters, lane);
    if (verdict.refused && counts.refused_row == no_row)
      counts.refused_row = rows.row(tile, k);  // rows of a thread ascend
  }
}

/// The sums of a block: records of what lies in its window, the table of what does not. Its
/// functions are called by every thread of the block.
template <class Input>
struct block_sums {
  const bucket_table_view<Input>& routes;
  std::uint32_t* records;
  int column_bits;
  outside_table table;
  std::int64_t* planes;
  std::int64_t num_slots;
  int base = window_choice::none;
  int tiles_left = tiles_a_word();  // before a word might overflow

  __device__ int tiles_a_word() const {
    return static_cast<int>((window_sums::most_rows << column_bits) / tile_rows);
  }
  /// Adds everything to the state. A barrier comes before and after.
  __device__ void flush() {
    flush_records(records, column_bits, routes, base, planes, num_slots);
    table.flush(routes, planes, num_slots);
    tiles_left = tiles_a_word();
  }
  /// Where many targets were outside: the window that suits the rows [first, last), and a table
  /// that is empty and as large as it may be.
  template <class Rows>
  __device__ void adapt(window_choice& choice, const row_rules& rules, const Rows& rows,
                        std::int64_t first, std::int64_t last) {
    const int better = choice.choose(rules, routes, rows, first, last, base);
    if (better != base) {
      flush();
      base = better;
    } else {
      table.flush(routes, planes, num_slots);
    }
    __syncthreads();
    table.grow();
    __syncthreads();
  }
  __device__ void make_room_for_tile() {
    if (tiles_left == 0) {
      __syncthreads();
      flush();
      __syncthreads();
    }
    --tiles_left;
  }
  /// Adds the thread's rows; outside becomes 1 if a target was outside the window.
  __device__ void add(const lane_order& order, const std::uint32_t (&rank)[per_thread],
                      const float (&y)[per_thread], int& outside) const {
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      if (rank[k] == left_out) continue;
      target_bits target = split_target(y[k]);
      if (!is_inside(target, base)) {
        outside = 1;
        if (!table.add(rank[k], target))
          add_outside(target, planes + routes.slot_of(rank[k]), num_slots);
        target.mantissa = 0;  // the row still counts
      }
      std::uint32_t pair[window_sums::pairs];
      window_pairs(target, base, pair);
      order.add(rank[k], pair);
    }
  }
};

/// Of the rows [tile, n), those that all blocks meet before their next look: what the window is to
/// hold. Example: sorted rows, whose targets drift.
__device__ std::int64_t end_of_view(std::int64_t tile, std::int64_t stride, std::int64_t n) {
  const std::int64_t end = tile + outside_tuning::tiles_between_looks * stride;
  return end < n ? end : n;
}

template <class Rows, bool staged>
__global__ __launch_bounds__(threads) void accumulate_kernel(
    const __grid_constant__ row_rules rules,
    const __grid_constant__ bucket_table_view<typename Rows::input> routes, Rows rows,
    std::int64_t n, int column_bits, int outside_bits, std::int64_t* state, std::int64_t num_slots,
    std::int64_t* first_bad) {
  using input = typename Rows::input;
  extern __shared__ __align__(128) std::uint32_t records[];
  __shared__ window_choice choice;
  const std::uint32_t num_words = routes.num_ranks() * window_sums::words << column_bits;
  using image_type = std::conditional_t<staged, shared_image<input>, plain_image<input>>;
  const image_type image = [&] {
    if constexpr (staged) {
      return shared_image<input>(routes,
                                 records + num_words + (outside_table::words << outside_bits));
    } else {
      return plain_image<input>(routes);
    }
  }();
  block_sums<input> sums{routes,
                         records,
                         column_bits,
                         outside_table(records + num_words, outside_bits, routes.num_ranks()),
                         state + num_row_counters,
                         num_slots};
  for (std::uint32_t at = threadIdx.x; at < num_words + sums.table.num_words(); at += threads)
    records[at] = 0;
  choice.clear();
  __syncthreads();

  const lane_order order(records, column_bits, threadIdx.x % 32);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * tile_rows;
  std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * tile_rows;
  // All blocks sample the same rows, which come from the second-level cache but for one of them; a
  // block with a single tile knows its rows.
  const std::int64_t tile_end = tile + tile_rows < n ? tile + tile_rows : n;
  sums.base = stride < n ? choice.choose(rules, routes, rows, 0, n, window_choice::none)
                         : choice.choose(rules, routes, rows, tile, tile_end, window_choice::none);
  int tiles_to_look = outside_tuning::tiles_between_looks;
  int outside = 0;  // since the last look, of this thread's targets
  thread_counts counts;
  input next_x[per_thread];
  float next_y[per_thread];
  rows.load(tile, n, next_x, next_y);
  for (; tile < n; tile += stride) {
    input x[per_thread];
    float y[per_thread];
#pragma unroll
    for (int k = 0; k < per_thread; ++k) x[k] = next_x[k], y[k] = next_y[k];
    if (tile + stride < n) rows.load(tile + stride, n, next_x, next_y);

    std::uint32_t rank[per_thread];
    ranks_of(routes, image, x, rank);
    judge_rows(rules, routes, rows, tile, n, x, y, rank, counts);

    if (tiles_to_look == 0) {
      tiles_to_look = outside_tuning::tiles_between_looks;
      const bool many = __syncthreads_count(outside) > outside_tuning::most_threads;
      outside = 0;
      if (many) sums.adapt(choice, rules, rows, tile, end_of_view(tile, stride, n));
    }
    --tiles_to_look;
    sums.make_room_for_tile();
    sums.add(order, rank, y, outside);
  }
  __syncthreads();
  sums.flush();
  book_rows(counts.total, counts.refused_row, n, state, first_bad);
}

bool is_packed(const zcmoe_array& array) {
  return array.dtype == ZCMOE_F32 && array.stride == 1 &&
         reinterpret_cast<std::uintptr_t>(array.data) % sizeof(float4) == 0;
}

}  // namespace

void prepare_accumulate(const device_limits& device) {
  const auto allow = [&device](const void* kernel) {
    ZCMOE_CUDA_TRY(cuda().func_set_attribute(
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
  if (chunk.rows.n == 0) return;
  const auto launch_for = [&](auto rows) {
    using rows_type = decltype(rows);
    const auto& routes = routes_of(*chunk.routes).table<typename rows_type::input>();
    const accumulate_shape shape = accumulate_shape_for(routes.num_ranks(), routes.image_bytes(),
                                                        chunk.rows.n, device, most_column_bits);
    const auto run = [&](auto kernel) {
      launch(kernel, shape.blocks, threads, shape.shared_bytes, stream, chunk.rules, routes, rows,
             chunk.rows.n, shape.column_bits, shape.outside_bits, chunk.state,
             chunk.layout.num_slots(), chunk.first_bad);
    };
    shape.staged ? run(&accumulate_kernel<rows_type, true>)
                 : run(&accumulate_kernel<rows_type, false>);
  };
  if (is_packed(chunk.rows.x) && is_packed(chunk.y)) {
    launch_for(packed_rows{static_cast<const float*>(chunk.rows.x.data),
                           static_cast<const float*>(chunk.y.data)});
  } else {
    launch_for(loose_rows{chunk.rows.x, any(chunk.y)});
  }
}

}  // namespace zcmoe::detail
