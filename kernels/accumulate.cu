// The fit without a sort, for float32 targets without weights: (x, y)[n] -> exact sums of the
// slots, in one pass that reads each row once and writes nothing per row.
//
// A block keeps, in shared memory, a record of sums for every rank (bucket_table.hpp). A record
// takes targets inside a window of the number line and has eight words (window_sums.hpp), in 1, 2
// or 4 copies called columns. The 32 lanes of a warp form four groups of eight. Lanes add the eight
// words of their rows in different orders, so that at every step the lanes of a group are at eight
// different words, and the groups are spread over the columns. With four columns a record is 32
// words, one in each bank of shared memory: whatever ranks the 32 rows have, all the same or all
// different, an addition is a single wavefront. With two columns it is at most two wavefronts, with
// one at most four.
//
// The window is the one that takes most of a sample of the chunk's targets, and is chosen anew when
// a block has met many targets outside it. A target outside adds its digits to a small table in
// shared memory, whose entries hold the whole number line for a few ranks; if its entry belongs to
// another rank, it adds them to the state. Sums are integers, so no choice of window, columns,
// table or blocks and no order of additions can show in a result. Layout of the words, and
// measurements: kernels/README.md.
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

/// Rows whose x and y are contiguous float32, aligned to 16 bytes: a thread reads four neighbouring
/// rows by one load of each.
struct packed_rows {
  using input = float;
  const float* x;
  const float* y;

  __device__ static std::int64_t row(std::int64_t tile, int k) {
    return tile + static_cast<std::int64_t>(threadIdx.x) * per_thread + k;
  }
  __device__ void load(std::int64_t tile, std::int64_t n, float (&inputs)[per_thread],
                       float (&targets)[per_thread]) const {
    static_assert(per_thread == 4, "a thread's rows are one float4");
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

/// The row that thread t, 0 .. 255, samples of the rows [first, last). These are cut into 256
/// stretches of equal length; thread t takes one row of stretch t, at a phase that looks random, so
/// that rows with a period are not all met at the same point of it. The phase is the upper half of
/// t * 0x9e3779b1, multiplicative hashing by 2^32 over the golden ratio (Knuth 1998, 6.4). It
/// depends on t alone: all blocks that sample the same rows read the same addresses.
/// Example: t = 2 has the phase 0x3c6e and the place 0x023c6e, which is 2.24 stretches.
__device__ std::int64_t sampled_row(unsigned t, std::int64_t first, std::int64_t last) {
  const std::uint32_t phase = t * 0x9e3779b1u >> 16;
  const auto place = static_cast<std::int64_t>(t << 16 | phase);  // in units of 2^-24 of the rows
  return first + (place * (last - first) >> 24);
}

/// Chooses a window: counts the shifts of a sample of targets in bins, one bin per shift, and takes
/// the base whose window, num_shifts neighbouring bins, holds most of them.
struct window_choice {
  static constexpr int sample = 256;  // rows; as many threads read one each
  static constexpr int num_bins = window_sums::most_base + window_sums::num_shifts + 1;
  static constexpr int none = -1000;  // the base before a choice: every target but zero is outside

  std::uint32_t bin[num_bins];
  // The maximum over all bases of targets inside << 8 | 255 - base, so that one atomic maximum
  // finds the base with most targets, and of several such bases the lowest. Example: base 120 with
  // 200 targets inside gives 200 << 8 | 135, which beats base 121 with 200 by one.
  std::uint32_t best;

  __device__ void clear() {
    for (int k = static_cast<int>(threadIdx.x); k < num_bins; k += threads) bin[k] = 0;
    if (threadIdx.x == 0) best = 0;
  }
  /// Targets of the sample that the window of this base takes.
  __device__ std::uint32_t inside(int base) const {
    std::uint32_t sum = 0;
#pragma unroll
    for (int j = 0; j < window_sums::num_shifts; ++j) sum += bin[base + j];
    return sum;
  }
  /// Returns the base to use: `base`, the one in use, unless the best one takes more of the sample
  /// by an eighth of it. `counts` says whether the calling thread has a target for the sample,
  /// `shift` is that target's. Every thread of the block calls it, with bins that are clear; it
  /// leaves them so.
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
  /// The same, with a sample of the rows [first, last). Targets of rows that judge_row leaves out,
  /// and zeros, which fit every window, are not in the sample.
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
static_assert(window_choice::sample == 256, "sampled_row has 8 bits for the thread");
static_assert(window_sums::most_base <= 255, "a base fits the low byte of `best`");
static_assert(window_choice::sample <= threads && window_sums::most_base < threads,
              "a block has a thread for each row of the sample and for each base");

// ---------------------------------------------------------- shared records

/// The order in which a lane adds the eight words of a row. Word k of column c of a rank lies at
/// index (rank * columns + c) * 8 + k. At step j, lane l adds word (l % 8) ^ j to column l / 8 %
/// columns.
///
/// Example, step 1: lanes 0 .. 7 are at the words 1, 0, 3, 2, 5, 4, 7, 6. With four columns, lanes
/// 8 .. 15 are at the same words of the next column, and so on: 32 lanes, 32 words, 32 banks. Only
/// lanes that differ by a multiple of eight are ever at the same word number, and with four columns
/// these add to different columns.
///
/// Words come in pairs of two halves (window_sums.hpp), and word (l % 8) ^ j is half (l ^ j) & 1 of
/// pair (l ^ j) >> 1 & 3. So bit 0 of the lane says which half the even steps take, and bits 1 and
/// 2 say which pairs to swap: bit 1 swaps 0 with 1 and 2 with 3, bit 2 swaps 0 with 2 and 1 with 3.
/// That is done by selections, since a register cannot be indexed.
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
    // Makes the values opaque to the compiler, which would otherwise compute them again for every
    // row.
    asm volatile(""
                 : "+r"(record_bytes_), "+r"(first_), "+r"(even_), "+r"(odd_), "+r"(near_),
                   "+r"(far_));
  }

  /// Adds the digits of one row of the calling lane to the record of its rank.
  __device__ void add(std::uint32_t rank, const std::uint32_t (&pair)[window_sums::pairs]) const {
    const bool swap_near = near_ != 0;
    const bool swap_far = far_ != 0;
    const std::uint32_t near[4] = {swap_near ? pair[1] : pair[0], swap_near ? pair[0] : pair[1],
                                   swap_near ? pair[3] : pair[2], swap_near ? pair[2] : pair[3]};
    // Columns are 32 bytes long and aligned to as much, so the address of a lane's word at step j
    // is that of step 0 with j * 4 XORed into its lowest five bits.
    const std::uint32_t first = rank * record_bytes_ + first_;
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
  // Selectors of __byte_perm(pair, 0, s), whose hexadecimal digits name the bytes of the result: 0
  // .. 3 are those of the pair, 4 is a zero. 0x4410 gives the pair's lower half, 0x4432 its upper
  // half.
  static constexpr std::uint32_t low = 0x4410;
  static constexpr std::uint32_t high = 0x4432;
  std::uint32_t record_bytes_;
  std::uint32_t first_;  // address of the word of step 0, for this lane and rank 0
  std::uint32_t even_;   // selector of the half that even steps take
  std::uint32_t odd_;    // selector of the half that odd steps take
  std::uint32_t near_;   // if not 0, pairs 0 and 1 are swapped, and 2 and 3
  std::uint32_t far_;    // if not 0, pairs 0 and 2 are swapped, and 1 and 3
};

/// Adds a block's records to the state and leaves them zero. A warp takes 32 neighbouring words,
/// that is 4, 2 or 1 whole records of 1, 2 or 4 columns, so it finds in its own lanes all columns
/// of a word (lanes that differ by 8 or 16), the other word of its pair (lane ^ 1) and the
/// negatives (lane 1 of each eight).
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

/// Adds or subtracts number * 2^shift, number below 2^64, to the digits of 32 bits of a sum whose
/// lowest plane is `first`. `own` points to the slot's entry in plane 0.
/// Example: number = 0x300000000 and shift = 36, which is one digit and 4 bits. The number shifted
/// by 4 bits has the digits 0 and 0x30, so plane first + 2 gets 0x30 and the others nothing.
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

/// Adds a target outside the window, and its square, to the state itself.
__device__ void add_outside(const target_bits& target, std::int64_t* own, std::int64_t num_slots) {
  using at = sum_planes<float, false>;
  const std::uint64_t square = static_cast<std::uint64_t>(target.mantissa) * target.mantissa;
  add_number(target.mantissa, target.shift, target.negative, at::y, own, num_slots);
  add_number(square, 2 * target.shift, false, at::yy, own, num_slots);
}

/// A table in shared memory of the sums of targets outside the window, for a few ranks at a time.
/// An entry covers the whole number line in digits of 16 bits, each in a 32-bit word: 18 words for
/// y, 36 for y^2, and one for the rank that the entry belongs to. A rank can have one entry only,
/// number rank modulo the number of entries; the first rank that comes keeps it until the table is
/// emptied. A table begins with 16 entries, which is enough for the few targets outside in most
/// data, or with none if there are more than 1,024 ranks. It grows when a block meets many targets
/// outside.
///
/// Example: y = -3 * 2^40 in units of the state, 2^-149. As a float it has the mantissa 0xc00000
/// and the shift 18, so its lowest digit is number 18 / 16 = 1, and 0xc00000 * 2^(18 - 16) =
/// 0x3000000 has the digits 0, 0x300 and 0: 0x300 is subtracted from word 2. y^2 = 9 * 2^80 has the
/// shift 36, so it begins at digit number 2, with the digits 0, 0, 0 and 9: 9 is added to word 18
/// + 5.
class outside_table {
 public:
  static constexpr int y_digits = 18;
  static constexpr int yy_digits = 36;
  static constexpr int owner = y_digits + yy_digits;  // this word is rank + 1, or 0 if unowned
  static constexpr int words = outside_tuning::words;
  static_assert(owner + 1 == words, "launchers.hpp reserves room for so many words");
  static_assert((window_sums::most_base + window_sums::extra_bits) / 16 + 3 <= y_digits &&
                    (window_sums::most_base + window_sums::extra_bits) / 8 + 4 <= yy_digits,
                "the digits of the largest target and of its square are inside an entry");

  /// `entries` has room for 1 << most_bits entries; its first num_words() words must be zero before
  /// the first use.
  __device__ outside_table(std::uint32_t* entries, int most_bits, std::uint32_t num_ranks)
      : entries_(entries),
        size_(num_ranks <= outside_tuning::most_ranks_at_start ? 1u << outside_tuning::least_bits
                                                               : 0),
        most_bits_(most_bits) {}
  __device__ std::uint32_t num_words() const { return words * size_; }

  /// Adds a target and its square to the rank's entry. Returns false, having added nothing, if
  /// there is no entry or it belongs to another rank.
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

  /// Makes the table as large as it may be. Every thread of the block calls it, after flush() and a
  /// barrier.
  __device__ void grow() {
    const std::uint32_t end = static_cast<std::uint32_t>(words) << most_bits_;
    for (std::uint32_t at = num_words() + threadIdx.x; at < end; at += threads) entries_[at] = 0;
    size_ = 1u << most_bits_;
  }

  /// Adds the table to the state and leaves it empty. Every thread of the block calls it; the
  /// caller places a barrier before and after.
  template <class T>
  __device__ void flush(const bucket_table_view<T>& routes, std::int64_t* planes,
                        std::int64_t num_slots) const {
    using at = sum_planes<float, false>;
    constexpr std::uint32_t pairs =
        (y_digits + yy_digits) / 2;  // two digits of 16 bits make one of 32
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
  /// Adds or subtracts the digits of 16 bits of a number, the lowest of them to *first.
  template <int Digits>
  __device__ static void add_digits(std::uint32_t* first, std::uint64_t number, bool negative) {
#pragma unroll
    for (int k = 0; k < Digits; ++k) {
      const auto digit = static_cast<std::uint32_t>(number >> 16 * k) & 0xffffu;
      if (digit != 0) atomicAdd(first + k, negative ? 0 - digit : digit);
    }
  }
  /// The sum of digits that a word holds: digits of negative targets were added modulo 2^32.
  __device__ static std::int64_t as_signed(std::uint32_t word) {
    return static_cast<std::int32_t>(word);
  }

  std::uint32_t* entries_;
  std::uint32_t size_;  // number of entries in use: a power of two, or 0
  int most_bits_;       // base-2 logarithm of the most entries there is room for
};

// ----------------------------------------------------------------- kernel

constexpr std::uint32_t left_out = 0xffffffffu;  // stands for the rank of a row that is left out

/// What a thread knows of the rows that it and its warp have met.
struct thread_counts {
  std::uint32_t total = 0;            // of row counter number `lane`, over the warp's rows
  std::int64_t refused_row = no_row;  // the first that judge_row refused of the thread's own
};

/// Sets the rank of rows that judge_row leaves out to left_out, and counts all rows. If every row
/// of the warp lies in the range and has a finite target, judge_row has nothing to say of them and
/// is not called. Every lane of the warp calls it.
template <class Rows, class Input>
__device__ void judge_rows(const row_rules& rules, const bucket_table_view<Input>& routes,
                           const Rows& rows, std::int64_t tile, std::int64_t n,
                           const Input (&x)[per_thread], const float (&y)[per_thread],
                           std::uint32_t (&rank)[per_thread], thread_counts& counts) {
  const unsigned lane = threadIdx.x % 32;
  bool all_usual =
      tile + tile_rows <= n;  // not true of a partial tile, whose rows beyond n do not count
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
      counts.refused_row = rows.row(tile, k);  // the first, as rows of a thread ascend
  }
}

/// The sums of a block: records of the targets inside its window, and the table of those outside.
/// Every thread of the block calls its functions.
template <class Input>
struct block_sums {
  const bucket_table_view<Input>& routes;
  std::uint32_t* records;
  int column_bits;
  outside_table table;
  std::int64_t* planes;
  std::int64_t num_slots;
  int base = window_choice::none;
  int tiles_left = tiles_a_word();  // that can be added before a word might overflow

  /// Tiles that a word of a record can take. A column gets the rows of its lanes, one in
  /// 1 << column_bits of all.
  __device__ int tiles_a_word() const {
    return static_cast<int>((window_sums::most_rows << column_bits) / tile_rows);
  }
  /// Adds everything to the state and leaves the sums zero. The caller places a barrier before and
  /// after.
  __device__ void flush() {
    flush_records(records, column_bits, routes, base, planes, num_slots);
    table.flush(routes, planes, num_slots);
    tiles_left = tiles_a_word();
  }
  /// Called when many targets were outside: moves the window to where it suits a sample of the rows
  /// [first, last), and leaves the table empty and as large as it may be.
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
  /// Empties the sums if one more tile might overflow a word.
  __device__ void make_room_for_tile() {
    if (tiles_left == 0) {
      __syncthreads();
      flush();
      __syncthreads();
    }
    --tiles_left;
  }
  /// Adds the thread's rows. `outside` becomes 1 if a target was outside the window.
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
        target.mantissa = 0;  // so that the record counts the row and adds no more
      }
      std::uint32_t pair[window_sums::pairs];
      window_pairs(target, base, pair);
      order.add(rank[k], pair);
    }
  }
};

/// Where the rows end, from `tile` on, that all blocks together add before their next look: the
/// window is chosen for these and not for all of [tile, n). It matters where targets drift, as
/// those of sorted rows do.
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
  // Blocks with more than one tile each all sample the same 256 rows of the whole chunk: the first
  // block to read them brings them into the second-level cache. A block with a single tile samples
  // that tile.
  const std::int64_t tile_end = tile + tile_rows < n ? tile + tile_rows : n;
  sums.base = stride < n ? choice.choose(rules, routes, rows, 0, n, window_choice::none)
                         : choice.choose(rules, routes, rows, tile, tile_end, window_choice::none);
  int tiles_to_look = outside_tuning::tiles_between_looks;
  int outside = 0;  // 1 if this thread has met a target outside since the last look
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
  add_row_counts(counts.total, counts.refused_row, n, state, first_bad);
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
