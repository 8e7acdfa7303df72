// Last step of a fit that sorts: sorted rows -> exact sums of their slots. Every sum is an integer
// (host/experts/exact_sum.hpp), so any order of additions gives the same bits, and as many blocks
// share a large segment as its rows fill. Here too is what acts on whole states: carrying their
// digits and merging them.
//
// A block takes a tile of a fixed number of sorted rows, and each of its threads a few of them,
// run by run; a run is rows of one slot. The thread keeps, in registers, the digits near the terms
// it meets. They go to the state by 64-bit atomic additions when the run ends or a term lies
// outside of them. If all lanes of a warp end in one slot, the warp adds up its lanes first.
#include "cuda_check.hpp"
#include "launchers.hpp"
#include "row_tally.cuh"
#include "stored_key.cuh"

#include <climits>
#include <type_traits>

namespace zcmoe::detail {
namespace {

/// Where the digits of one slot lie in the state: plane p at first[p * num_slots].
struct slot_planes {
  std::int64_t* first;  // the slot's entry in plane 0
  std::int64_t num_slots;
  __device__ void add(int plane, std::int64_t value) const {
    add_to(first + plane * num_slots, value);
  }
  /// Makes an extreme at least `value`, which is positive.
  __device__ void raise(int plane, std::int64_t value) const {
    atomicMax(reinterpret_cast<unsigned long long*>(first + plane * num_slots),
              static_cast<unsigned long long>(value));
  }
};

// ----------------------------------------------------- sums in registers

/// A thread's part of one sum: the digits around its latest terms, which have Words words of 32
/// bits. A term touches Words + 1 planes; one more on either side lets terms of similar size stay
/// inside. Example: terms of one word, shifts near 70. A term of shift 70 touches the planes 2 and
/// 3 of its sum, so digits 0 .. 3 stand for the planes 1 .. 4, and shifts 32 .. 127 stay inside.
/// Digits are indexed by constants only, so they are kept in registers.
template <int Words>
struct sum_window {
  static constexpr int pieces = Words + 1;
  static constexpr int size = pieces + 2;
  static constexpr int nowhere = INT_MIN / 2;

  std::int64_t digit[size];
  int base;  // plane of digit[0]. It may be the plane before the sum's first: such a digit stays 0

  __device__ void clear() {
#pragma unroll
    for (int j = 0; j < size; ++j) digit[j] = 0;
    base = nowhere;
  }

  /// Adds a term of the sum whose lowest plane is `first`. If it lies outside, the digits held so
  /// far are added to `slot` first.
  __device__ void add(const scaled_natural<Words>& term, int first, const slot_planes& slot) {
    const int plane = first + (term.shift >> 5);
    int offset = plane - base;
    if (static_cast<unsigned>(offset) > 2) {
      flush(slot);
      base = plane - 1;
      offset = 1;
    }
    std::int64_t piece[pieces];
    deposit(term, -(term.shift >> 5), [&](int k, std::int64_t value) { piece[k] = value; });
#pragma unroll
    for (int j = 0; j < size; ++j) {
      const std::int64_t at_0 = j < pieces ? piece[j < pieces ? j : 0] : 0;
      const std::int64_t at_1 =
          j >= 1 && j - 1 < pieces ? piece[j >= 1 && j - 1 < pieces ? j - 1 : 0] : 0;
      const std::int64_t at_2 = j >= 2 ? piece[j >= 2 ? j - 2 : 0] : 0;
      digit[j] += offset == 0 ? at_0 : offset == 1 ? at_1 : at_2;
    }
  }

  /// Adds the digits to the slot and leaves them zero.
  __device__ void flush(const slot_planes& slot) {
#pragma unroll
    for (int j = 0; j < size; ++j) {
      if (digit[j] != 0) slot.add(base + j, digit[j]);
      digit[j] = 0;
    }
    base = nowhere;
  }

  /// The same for the 32 windows of a warp, all of one slot: lanes with the same base are added up
  /// and make one atomic addition per digit together. Every lane of the warp calls it. A turn of
  /// the loop takes the lowest lane that still waits, and all lanes that share its base.
  __device__ void flush_warp(const slot_planes& slot) {
    const unsigned lane = threadIdx.x % 32;
    for (unsigned waiting = __ballot_sync(all_lanes, base != nowhere); waiting != 0;) {
      const int leader = __ffs(static_cast<int>(waiting)) - 1;
      const int common = __shfl_sync(all_lanes, base, leader);
      const bool same = base == common;
#pragma unroll
      for (int j = 0; j < size; ++j) {
        long long sum = same ? digit[j] : 0;
#pragma unroll
        for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(all_lanes, sum, step);
        if (lane == static_cast<unsigned>(leader) && sum != 0) slot.add(common + j, sum);
      }
      waiting &= ~__ballot_sync(all_lanes, same);
    }
  }
};

/// All sums of a thread's run of rows; rows_seen is the number of rows, which goes to the count
/// plane.
template <class T, bool Weighted>
struct run_sums;

template <class T>
struct run_sums<T, false> {
  using planes = sum_planes<T, false>;
  static constexpr int words = float_format<T>::words;
  int rows_seen;
  sum_window<words> y;
  sum_window<2 * words> yy;

  template <class Body>
  __device__ void each(Body&& body) {
    body(y);
    body(yy);
  }
  __device__ void add(T target, T, const slot_planes& slot) {
    ++rows_seen;
    // A zero adds nothing, and would move the windows to the lowest digits.
    if (target == 0) return;
    const auto term = decompose(target);
    y.add(term, planes::y, slot);
    yy.add(multiply(term, term), planes::yy, slot);
  }
};

template <class T>
struct run_sums<T, true> {
  using planes = sum_planes<T, true>;
  static constexpr int words = float_format<T>::words;
  int rows_seen;
  sum_window<words> w;
  sum_window<2 * words> ww;
  sum_window<2 * words> wy;
  sum_window<3 * words> wyy;

  template <class Body>
  __device__ void each(Body&& body) {
    body(w);
    body(ww);
    body(wy);
    body(wyy);
  }
  __device__ void add(T target, T weight, const slot_planes& slot) {
    ++rows_seen;
    const auto weight_term = decompose(weight);
    w.add(weight_term, planes::w, slot);
    ww.add(multiply(weight_term, weight_term), planes::ww, slot);
    if (target == 0) return;
    const auto target_term = decompose(target);
    const auto product = multiply(weight_term, target_term);
    wy.add(product, planes::wy, slot);
    wyy.add(multiply(product, target_term), planes::wyy, slot);
  }
};

/// The sums of a run of rows with lines: those of constants, and of their positions. Extremes are
/// raised in the state when the run ends.
template <class T, bool Weighted>
struct run_line_sums : run_sums<T, Weighted> {
  using base = run_sums<T, Weighted>;
  using at = line_planes<T, Weighted>;
  static constexpr int words = float_format<T>::words;
  static constexpr int weight_words = Weighted ? words : 0;
  sum_window<1 + weight_words> t;
  sum_window<2 + weight_words> tt;
  sum_window<1 + weight_words + words> ty;
  std::int64_t lowest;  // as line_planes has them; 0: no row
  std::int64_t highest;

  template <class Body>
  __device__ void each(Body&& body) {
    base::each(body);
    body(t);
    body(tt);
    body(ty);
  }
  __device__ void add(T target, T weight, std::int64_t position, const slot_planes& slot) {
    base::add(target, weight, slot);
    lowest = max(lowest, low_extreme_of(position));
    highest = max(highest, high_extreme_of(position));
    if (position == 0) return;
    const auto term = natural_of_position(position);
    if constexpr (Weighted) {
      const auto weighted = multiply(decompose(weight), term);
      t.add(weighted, at::t, slot);
      tt.add(multiply(weighted, term), at::tt, slot);
      if (target != 0) ty.add(multiply(weighted, decompose(target)), at::ty, slot);
    } else {
      t.add(term, at::t, slot);
      tt.add(multiply(term, term), at::tt, slot);
      if (target != 0) ty.add(multiply(term, decompose(target)), at::ty, slot);
    }
  }
  __device__ void raise_extremes(const slot_planes& slot) {
    if (lowest == 0) return;
    slot.raise(at::lowest, lowest);
    slot.raise(at::highest, highest);
    lowest = 0;
    highest = 0;
  }
};

template <class Sums>
constexpr bool is_with_lines = false;
template <class T, bool Weighted>
constexpr bool is_with_lines<run_line_sums<T, Weighted>> = true;

/// Adds a run's sums to its slot and leaves them zero.
template <class Sums>
__device__ void flush(Sums& sums, const slot_planes& slot) {
  if (sums.rows_seen == 0) return;
  slot.add(Sums::planes::count, sums.rows_seen);
  sums.rows_seen = 0;
  sums.each([&](auto& window) { window.flush(slot); });
  if constexpr (is_with_lines<Sums>) sums.raise_extremes(slot);
}

// ---------------------------------------------------- segmented reduction

/// The rows of a chunk after the sort.
struct sorted_rows {
  const void* keys;
  int key_size;
  const void* payload;
  const std::uint32_t* ends;  // number of rows with a key up to each slot's
  std::uint32_t count;
};

/// The arrays that a chunk's rows are fetched from, where the sort has moved their numbers.
struct numbered_rows {
  any_array x;  // not read without lines
  any_array y;
  any_array w;  // not read without weights
  const line_frame* frames;
};

/// Adds a sorted row, unless it was left out, to the sums of its slot.
template <class T, bool Weighted, bool Lines, class Sums>
__device__ void add_sorted_row(const sorted_rows& rows, const numbered_rows& from,
                               std::uint32_t row, [[maybe_unused]] std::int64_t slot, Sums& sums,
                               const slot_planes& to) {
  if constexpr (Weighted || Lines) {
    const std::uint32_t number = static_cast<const std::uint32_t*>(rows.payload)[row];
    if (number == absent_row) return;
    const auto target = static_cast<T>(from.y[number]);
    T weight = 1;
    if constexpr (Weighted) weight = static_cast<T>(from.w[number]);
    if constexpr (Lines) {
      sums.add(target, weight, position_of(from.frames[slot], from.x[number]), to);
    } else {
      sums.add(target, weight, to);
    }
  } else {
    const T target = static_cast<const T*>(rows.payload)[row];
    if (target == target) sums.add(target, T{1}, to);
  }
}

/// Adds the counts that route_kernel made of the chunk to the state. One block calls it.
__device__ void add_chunk_counts(const chunk_counts& counts, std::int64_t* state,
                                 std::int64_t* first_bad) {
  const auto c = static_cast<int>(threadIdx.x);
  if (c < counter_chunk_begin) state[c] += counts.counter[c];
  if (c == counter_chunk_begin && counts.first_bad < *first_bad) *first_bad = counts.first_bad;
}

template <class T, bool Weighted, bool Lines>
__global__ __launch_bounds__(reduce_tuning::threads) void reduce_kernel(
    sorted_rows rows, numbered_rows from, const chunk_counts* counts, std::int64_t* state,
    std::int64_t* first_bad, std::int64_t num_slots) {
  std::int64_t* const planes = state + num_row_counters;
  if (blockIdx.x == 0) add_chunk_counts(*counts, state, first_bad);
  const std::int64_t first =
      (static_cast<std::int64_t>(blockIdx.x) * reduce_tuning::threads + threadIdx.x) *
      reduce_tuning::per_thread;
  const std::int64_t last = first + reduce_tuning::per_thread;
  std::uint32_t row = static_cast<std::uint32_t>(first < rows.count ? first : rows.count);
  const std::uint32_t end = static_cast<std::uint32_t>(last < rows.count ? last : rows.count);

  std::conditional_t<Lines, run_line_sums<T, Weighted>, run_sums<T, Weighted>> sums;
  sums.rows_seen = 0;
  if constexpr (Lines) sums.lowest = sums.highest = 0;
  sums.each([](auto& window) { window.clear(); });
  // The rows of most warps belong to one slot or to two neighbouring slots. The keys of the warp's
  // first and last row show that, and then no other key is read.
  const std::uint32_t warp_row = __shfl_sync(all_lanes, row, 0);
  const std::uint32_t warp_end = __shfl_sync(all_lanes, end, 31);
  if (warp_row == warp_end) return;
  const std::int64_t first_slot = load_key(rows.keys, rows.key_size, warp_row);
  const std::int64_t last_slot = load_key(rows.keys, rows.key_size, warp_end - 1);

  std::int64_t slot = 0;
  slot_planes to{planes, num_slots};
  std::uint32_t run_end = row;
#pragma unroll 1
  for (; row < end; ++row) {
    if (row == run_end) {
      flush(sums, to);
      slot = last_slot - first_slot > 1    ? load_key(rows.keys, rows.key_size, row)
             : row < rows.ends[first_slot] ? first_slot
                                           : last_slot;
      run_end = rows.ends[slot];
      to.first = planes + slot;
    }
    add_sorted_row<T, Weighted, Lines>(rows, from, row, slot, sums, to);
  }

  // Each thread still holds the sums of its last run. In a segment much larger than a warp's rows
  // all lanes hold sums of the same slot. These are added up first; otherwise every thread of a
  // giant segment would wait for atomic additions to the same few addresses.
  const unsigned holders = __ballot_sync(all_lanes, sums.rows_seen != 0);
  if (holders == 0) return;
  const int leader = __ffs(static_cast<int>(holders)) - 1;
  const long long leader_slot = __shfl_sync(all_lanes, static_cast<long long>(slot), leader);
  if (__all_sync(all_lanes, sums.rows_seen == 0 || slot == leader_slot)) {
    to.first = planes + leader_slot;
    int rows_seen = sums.rows_seen;
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
      rows_seen += __shfl_xor_sync(all_lanes, rows_seen, step);
    if (threadIdx.x % 32 == static_cast<unsigned>(leader))
      to.add(sum_planes<T, Weighted>::count, rows_seen);
    sums.each([&](auto& window) { window.flush_warp(to); });
    if constexpr (Lines) {
#pragma unroll
      for (int step = 16; step > 0; step /= 2) {
        sums.lowest = max(sums.lowest, __shfl_xor_sync(all_lanes, sums.lowest, step));
        sums.highest = max(sums.highest, __shfl_xor_sync(all_lanes, sums.highest, step));
      }
      if (threadIdx.x % 32 == static_cast<unsigned>(leader)) sums.raise_extremes(to);
    }
  } else {
    flush(sums, to);
  }
}

/// ends[slot] = number of sorted rows whose key is at most `slot`. One thread per slot, by a binary
/// search.
__global__ __launch_bounds__(slot_tuning::threads) void segment_ends_kernel(const void* keys,
                                                                            int key_size,
                                                                            std::uint32_t num_rows,
                                                                            std::int64_t num_keys,
                                                                            std::uint32_t* ends) {
  const std::int64_t slot =
      static_cast<std::int64_t>(blockIdx.x) * slot_tuning::threads + threadIdx.x;
  if (slot >= num_keys) return;
  std::uint32_t low = 0;
  for (std::uint32_t length = num_rows; length > 0;) {
    const std::uint32_t half = length / 2;
    const bool right = load_key(keys, key_size, low + half) <= slot;
    low += right ? half + 1 : 0;
    length = right ? length - half - 1 : half;
  }
  ends[slot] = low;
}

// ------------------------------------------------------------- whole state

/// First plane and number of digits of each sum of a state, as a kernel's parameter.
struct sum_list {
  static constexpr int most = kept_sums<true>::count + line_sums<true>::count;
  int first[most];
  int digits[most];
  int count;
  int first_extreme;  // the plane of the first of num_extremes extremes; 0: there are none
};

sum_list sums_of(const state_layout& layout) {
  sum_list list{};
  for_each_sum(layout, [&list](const char*, int first, int digits) {
    list.first[list.count] = first;
    list.digits[list.count++] = digits;
  });
  if (layout.lines) list.first_extreme = layout.num_sum_planes();
  return list;
}

/// Whether num_rows more rows might overflow a digit that has not been carried.
__device__ bool must_carry(const std::int64_t* counters, std::int64_t num_rows) {
  return counters[counter_pending] + num_rows > max_pending_rows;
}

/// Carries the digits of every sum of a state, if num_rows more rows might overflow one. One thread
/// per slot, since the digits of a sum must be carried one after the other, from the lowest up.
__global__ __launch_bounds__(slot_tuning::threads) void carry_kernel(std::int64_t* state,
                                                                     std::int64_t num_slots,
                                                                     sum_list sums,
                                                                     std::int64_t num_rows) {
  const std::int64_t slot =
      static_cast<std::int64_t>(blockIdx.x) * slot_tuning::threads + threadIdx.x;
  if (slot >= num_slots || !must_carry(state, num_rows)) return;
  std::int64_t* const planes = state + num_row_counters + slot;
#pragma unroll
  for (int s = 0; s < sum_list::most; ++s) {
    if (s >= sums.count) break;
    std::int64_t* digit = planes + sums.first[s] * num_slots;
    std::int64_t carry = 0;
    for (int k = 1; k < sums.digits[s]; ++k, digit += num_slots) carry = carry_digit(*digit, carry);
    *digit += carry;  // the top digit is not carried: it holds the rest of the sum and its sign
  }
}

/// Notes the number of the chunk's first row in the state, and clears `counts` unless it is null,
/// which means that the chunk's rows are counted in the state itself. A launch of its own, after
/// carry_kernel, whose threads all read counter_pending while this one sets it to 0.
__global__ __launch_bounds__(32) void begin_chunk_kernel(std::int64_t* counters,
                                                         std::int64_t num_rows,
                                                         chunk_counts* counts) {
  if (counts != nullptr && threadIdx.x < num_row_counters) counts->counter[threadIdx.x] = 0;
  __syncwarp();
  if (threadIdx.x != 0) return;
  if (must_carry(counters, num_rows)) counters[counter_pending] = 0;
  counters[counter_chunk_begin] = counters[counter_rows];
  if (counts == nullptr) return;
  counts->counter[counter_chunk_begin] = counters[counter_rows];
  counts->first_bad = no_row;
}

/// to += from. One thread per slot; the first threads also add the row counters. Digits of both
/// states are carried before they are added, since the sum of two digits of 2^30 terms each may
/// exceed an int64. The number of the first refused row of `from` is kept unless first_bad is null.
__global__ __launch_bounds__(slot_tuning::threads) void merge_kernel(
    std::int64_t* to, const std::int64_t* from, std::int64_t* first_bad,
    const std::int64_t* from_bad, std::int64_t num_slots, sum_list sums) {
  const std::int64_t slot =
      static_cast<std::int64_t>(blockIdx.x) * slot_tuning::threads + threadIdx.x;
  if (slot == counter_rows && first_bad != nullptr && *from_bad < no_row_yet) {
    const std::int64_t row = to[counter_rows] + *from_bad;
    if (row < *first_bad) *first_bad = row;
  }
  if (slot < counter_pending) to[slot] += from[slot];
  if (slot == counter_pending) to[slot] = 0;
  if (slot >= num_slots) return;
  std::int64_t* const to_planes = to + num_row_counters + slot;
  const std::int64_t* const from_planes = from + num_row_counters + slot;
  to_planes[0] += from_planes[0];  // the count is one int64 and needs no carry
#pragma unroll
  for (int s = 0; s < sum_list::most; ++s) {
    if (s >= sums.count) break;
    std::int64_t at = sums.first[s] * num_slots;
    std::int64_t to_carry = 0;
    std::int64_t from_carry = 0;
    std::int64_t carry = 0;
    for (int k = 1; k < sums.digits[s]; ++k, at += num_slots) {
      std::int64_t a = to_planes[at];
      std::int64_t b = from_planes[at];
      to_carry = carry_digit(a, to_carry);
      from_carry = carry_digit(b, from_carry);
      std::int64_t sum = a + b;
      carry = carry_digit(sum, carry);
      to_planes[at] = sum;
    }
    to_planes[at] += to_carry + from_planes[at] + from_carry + carry;
  }
  for (int k = 0; sums.first_extreme > 0 && k < num_extremes; ++k) {
    const std::int64_t at = (sums.first_extreme + k) * num_slots;
    if (from_planes[at] > to_planes[at]) to_planes[at] = from_planes[at];
  }
}

}  // namespace

void launch_segment_ends(const row_keys& keys, const void* sorted_keys, std::int64_t num_rows,
                         std::uint32_t* ends, zcmoe_stream stream) {
  launch(&segment_ends_kernel, slot_blocks(keys.count), slot_tuning::threads, 0, stream,
         sorted_keys, keys.size, static_cast<std::uint32_t>(num_rows), keys.count, ends);
}

void launch_reduce(const fit_job& chunk, const row_keys& keys, const keyed_rows& sorted,
                   const std::uint32_t* ends, const chunk_counts& counts, zcmoe_stream stream) {
  if (chunk.rows.n == 0) return;
  const sorted_rows rows{sorted.keys, keys.size, sorted.payload, ends,
                         static_cast<std::uint32_t>(chunk.rows.n)};
  const numbered_rows from{chunk.rows.x, any(chunk.y), any(chunk.weights), chunk.frames};
  with_layout(chunk.layout, [&](auto target, auto weighted) {
    using T = decltype(target);
    constexpr bool has_weights = decltype(weighted)::value;
    const auto kernel = chunk.layout.lines ? &reduce_kernel<T, has_weights, true>
                                           : &reduce_kernel<T, has_weights, false>;
    launch(kernel, reduce_blocks(chunk.rows.n), reduce_tuning::threads, 0, stream, rows, from,
           &counts, chunk.state, chunk.first_bad, chunk.layout.num_slots());
  });
}

void launch_begin_chunk(const state_layout& layout, std::int64_t* state, std::int64_t num_rows,
                        chunk_counts* counts, zcmoe_stream stream) {
  launch(&carry_kernel, slot_blocks(layout.num_slots()), slot_tuning::threads, 0, stream, state,
         layout.num_slots(), sums_of(layout), num_rows);
  launch(&begin_chunk_kernel, 1, 32, 0, stream, state, num_rows, counts);
}

void launch_merge(const state_layout& layout, const state_place& to, const state_place& from,
                  zcmoe_stream stream) {
  launch(&merge_kernel, slot_blocks(layout.num_slots()), slot_tuning::threads, 0, stream, to.state,
         from.state, to.first_bad, from.first_bad, layout.num_slots(), sums_of(layout));
}

}  // namespace zcmoe::detail
