// Every launch of the CUDA engine, and the shapes of launches and workspace as constexpr functions.
// No CUDA header: the shapes are tested on the CPU. Launchers run on the current device, only
// enqueue, and throw status_error.
#pragma once

#include "host/array.hpp"
#include "host/engine/backend.hpp"

#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

// ------------------------------------------------------------------ shapes

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

/// Blocks of a launch whose threads stride over the items: one per tile, at most `most`.
constexpr int blocks_striding(std::int64_t n, std::int64_t tile, int most) {
  const std::int64_t tiles = ceil_div(n, tile);
  return static_cast<int>(tiles < most ? tiles : most);
}

/// Blocks of a launch with a fixed tile of items each. Callers keep n / tile below 2^31.
constexpr int blocks_covering(std::int64_t n, std::int64_t tile) {
  return static_cast<int>(ceil_div(n, tile));
}

/// Of a device, asked once.
struct device_limits {
  int num_sms;
  int threads_per_sm;
  std::size_t shared_per_sm;
  std::size_t shared_per_block;  // what a block may ask for
};

struct launch_shape {
  int threads;
  int blocks;
};

/// Prediction from contiguous float32 or float64 inputs: a persistent grid, tables in shared
/// memory.
struct stream_tuning {
  static constexpr int most_threads = 1024;
  static constexpr int loads = 2;                       // of 16 bytes, a thread has in flight
  static constexpr std::size_t reserved_shared = 1024;  // by the system, of each block
  static constexpr std::size_t own_shared = 256;        // of the kernel, beside the tables
  // Bytes staged per byte of x: beyond an eighth one block a multiprocessor does, beyond four
  // fewer.
  static constexpr std::int64_t inputs_per_staged = 8;
  static constexpr std::int64_t staged_per_input = 4;
};

/// The blocks that a device holds at a time, in the block size that gives it the most threads;
/// fewer where there are fewer tiles, or where staging the tables would cost more than reading x.
constexpr launch_shape stream_shape(const device_limits& device, std::size_t shared_bytes,
                                    std::int64_t n, std::int64_t input_size) {
  launch_shape best{0, 0};
  for (int threads = stream_tuning::most_threads; threads >= 256; threads /= 2) {
    const auto fit = static_cast<std::int64_t>(device.shared_per_sm /
                                               (shared_bytes + stream_tuning::reserved_shared));
    const std::int64_t by_shared = fit > 1 ? fit : 1;
    const std::int64_t by_threads = device.threads_per_sm / threads;
    const auto a_sm = static_cast<int>(by_shared < by_threads ? by_shared : by_threads);
    if (a_sm * threads > best.blocks * best.threads) best = {threads, a_sm};
  }
  const auto staged = static_cast<std::int64_t>(shared_bytes);
  while ((best.blocks - 1) * best.threads >= stream_tuning::most_threads &&
         staged * best.blocks * device.num_sms >
             n / stream_tuning::inputs_per_staged * input_size) {
    --best.blocks;
  }
  const std::int64_t tile = std::int64_t{16} * best.threads * stream_tuning::loads / input_size;
  const std::int64_t tiles = ceil_div(n, tile) + 1;  // x may begin within a vector
  const std::int64_t staging =
      n / (staged / (stream_tuning::staged_per_input * input_size) + 1) + 1;
  std::int64_t blocks = static_cast<std::int64_t>(best.blocks) * device.num_sms;
  blocks = tiles < blocks ? tiles : blocks;
  best.blocks = static_cast<int>(staging < blocks ? staging : blocks);
  return best;
}

/// Prediction from anything else: tables read through the caches.
struct gather_tuning {
  static constexpr int threads = 256;
  static constexpr int per_thread = 4;  // inputs a thread loads before it routes the first
  static constexpr int most_blocks =
      8192;  // some eight waves of the largest card; the rest strides
};
constexpr int gather_blocks(std::int64_t n) {
  return blocks_striding(n, gather_tuning::threads * gather_tuning::per_thread,
                         gather_tuning::most_blocks);
}

struct route_tuning {
  static constexpr int threads = 256;       // a row each: 32 registers, so that a processor is full
  static constexpr int most_blocks = 2048;  // each block ends with a dozen atomic additions
};
constexpr int route_blocks(std::int64_t n) {
  return blocks_striding(n, route_tuning::threads, route_tuning::most_blocks);
}

struct reduce_tuning {
  static constexpr int threads =
      128;  // up to 28 sums of 64 bits a thread: registers, not threads, set occupancy
  static constexpr int per_thread =
      16;  // sorted rows; segments shorter than this stay within a thread
};
constexpr int reduce_blocks(std::int64_t n) {
  return blocks_covering(n, reduce_tuning::threads * reduce_tuning::per_thread);
}

/// Kernels with one thread per slot: carry, merge, segment ends.
struct slot_tuning {
  static constexpr int threads = 256;
};
constexpr int slot_blocks(std::int64_t num_slots) {
  return blocks_covering(num_slots, slot_tuning::threads);
}

struct summarize_tuning {
  static constexpr int threads =
      64;  // works in local memory; small blocks spread few slots over the card
};
constexpr int summarize_blocks(std::int64_t num_slots) {
  return blocks_covering(num_slots, summarize_tuning::threads);
}

// --------------------------------------------------------------- row keys

/// What rows are sorted by: slot numbers below `count`, in the narrowest type and with no more bits
/// than needed.
struct row_keys {
  std::int64_t count;
  int size;  // bytes: 1, 2 or 4
  int bits;
};

constexpr row_keys keys_for(std::int64_t count) {
  row_keys keys{count, count <= 256 ? 1 : count <= 65536 ? 2 : 4, 0};
  while ((std::int64_t{1} << keys.bits) < count) ++keys.bits;
  return keys;
}

/// The three slots beside the segments take part only where a policy fills them.
constexpr row_keys keys_for(const slot_roles& roles) {
  const bool beside =
      roles.nan_policy == ZCMOE_NAN_SEGMENT || roles.range_policy == ZCMOE_RANGE_SEGMENTS;
  return keys_for(std::int64_t{beside ? num_slots_of(roles.num_segments) : roles.num_segments});
}

/// Bytes of what is sorted beside a key: the target itself, or with weights the row's number,
/// through which target and weight are fetched later.
constexpr int payload_size(const state_layout& layout) {
  return layout.weighted ? 4 : static_cast<int>(size_of(layout.target_dtype));
}

constexpr std::uint32_t absent_row = 0xffffffffu;

// ------------------------------------------------------- the fit's two paths

/// The sort-free fit keeps every slot's sums in the shared memory of each block: `count` records of
/// 32 bytes in 1 << column_bits columns. More columns, fewer lanes of a warp that meet in a bank.
struct window_records {
  std::int64_t count;
  int column_bits;

  constexpr std::size_t bytes() const {
    return static_cast<std::size_t>(count) * 32 << column_bits;
  }
};

struct accumulate_tuning {
  static constexpr int threads = 1024;  // 64 registers each: one block fills a processor
  static constexpr int per_thread = 4;  // rows: 32 KiB in flight a processor
  static constexpr int most_column_bits = 2;
  static constexpr std::size_t own_bytes = 2048;  // shared memory of a block besides its records
};

/// Sums of targets outside the window, kept by a block beside its records: see accumulate.cu. A
/// table may grow into the room that the records leave, as far as its block's rows pay for it.
struct outside_tuning {
  static constexpr int words = 55;  // of 4 bytes, an entry
  static constexpr int least_bits = 4;
  static constexpr int most_bits = 9;
  static constexpr int most_ranks_at_start = 1024;
  static constexpr std::int64_t rows_a_word = 8;  // of the block, for each word to be cleared
  // Every so many tiles a block looks whether more than so many of its threads have met a target
  // outside. Few do where one of 500 targets is outside: 16 rows a thread, 32 threads.
  static constexpr int tiles_between_looks = 4;
  static constexpr int most_threads = 64;

  static constexpr std::size_t bytes(int bits) { return std::size_t{4} * words << bits; }
};
// A digit of the table has 16 bits and a sign, and its word 32: below 2^15 rows between two
// emptyings. The table is emptied at a look that finds many outside, and with the records; before
// that, of 16 looks the last may have missed all rows of its tiles and the others few.
static_assert((accumulate_tuning::threads + 16 * outside_tuning::most_threads) *
                      accumulate_tuning::per_thread * outside_tuning::tiles_between_looks <=
                  1 << 15,
              "a word of the table takes the rows");
static_assert(outside_tuning::bytes(outside_tuning::least_bits) % 16 == 0,
              "the routing table's image behind it is aligned");

/// A model of both paths in clocks of one processor, counted and not measured, for a card that
/// reads 14.5 bytes of memory, adds to 32 banks and issues four instructions a clock, and starts a
/// launch in `launch` clocks (an H100: 3.35 TB/s over 132 processors at 1.755 GHz). The counts for
/// 32 rows are those of tests/counting_test.py.
struct fit_costs {
  static constexpr double bytes_a_clock = 14.5;
  static constexpr double issue = 4;
  static constexpr double launch = 5000;

  /// Bytes that a row moves when it is sorted: x and y are read, key and target written, keys read
  /// to be counted, both read and written a pass, the target read again.
  static constexpr double bytes_sorted(const row_keys& keys) {
    const double pair = keys.size + 4.0;
    return 8 + pair + keys.size + passes(keys) * 2 * pair + 4;
  }
  /// Carry, route, sort, ends, reduce, count.
  static constexpr double sorted(std::int64_t num_rows, const row_keys& keys, int num_sms) {
    const double memory = 32 * bytes_sorted(keys) / bytes_a_clock;
    const double instructions = (270 + 150 * passes(keys)) / issue;
    return (7 + passes(keys)) * launch + rounds(num_rows, num_sms) * larger(memory, instructions);
  }

  /// Carry, accumulate, count: eight additions a row, each as many wavefronts as lanes may meet in
  /// a bank; a block empties every record once.
  static constexpr double sort_free(std::int64_t num_rows, const window_records& records,
                                    int num_sms) {
    const double memory = 32 * 8 / bytes_a_clock;
    const double wavefronts = 6 + 8.0 * (4 >> records.column_bits);
    const double instructions = 115 / issue;
    const double emptying = static_cast<double>(records.bytes()) / 128 * 10;
    return 3 * launch + emptying +
           rounds(num_rows, num_sms) * larger(memory, larger(wavefronts, instructions));
  }

 private:
  static constexpr double passes(const row_keys& keys) { return (keys.bits + 7) / 8; }
  static constexpr double rounds(std::int64_t num_rows, int num_sms) {
    return static_cast<double>(num_rows) / 32 / num_sms;
  }
  static constexpr double larger(double a, double b) { return a > b ? a : b; }
};

/// Whether rows are summed without a sort: float32 targets without weights only (what a window
/// holds of wider sums would not fit beside many slots), if one column of records fits and is
/// cheaper. Does not depend on the number of rows: where a few rows meet many slots both paths cost
/// little but their launches, and sorting has more of them.
constexpr bool is_sort_free(const state_layout& layout, const device_limits& device) {
  if (layout.weighted || layout.target_dtype != ZCMOE_F32) return false;
  const window_records one_column{layout.num_slots(), 0};
  if (one_column.bytes() + accumulate_tuning::own_bytes +
          outside_tuning::bytes(outside_tuning::least_bits) >
      device.shared_per_block) {
    return false;
  }
  constexpr std::int64_t many_rows = std::int64_t{1} << 24;
  return fit_costs::sort_free(many_rows, one_column, device.num_sms) <=
         fit_costs::sorted(many_rows, keys_for(one_column.count), device.num_sms);
}

/// One block a processor, and no more than pay: a block ends with up to seven atomic additions a
/// slot, some 64 of which the card does a clock, and a row is worth half a clock, so the blocks are
/// best about sqrt(4 n / slots).
constexpr int accumulate_blocks(std::int64_t n, std::int64_t num_records, int num_sms) {
  const std::int64_t tile = accumulate_tuning::threads * accumulate_tuning::per_thread;
  const int most = blocks_striding(n, tile, num_sms);
  int blocks = most < 1 ? most : 1;
  while (blocks < most && std::int64_t{blocks} * blocks < 4 * (n / num_records)) ++blocks;
  return blocks;
}

struct accumulate_shape {
  int blocks;
  int column_bits;
  int outside_bits;  // of the number of entries of the outside table
  bool staged;       // the routing table is in shared memory, behind the records
  std::size_t shared_bytes;
};

/// As many columns as fit beside the routing table's image, which comes first: read through the
/// caches, 32 lanes may ask for 32 sectors. It stays outside only where not even one column fits
/// beside it. The outside table takes what is left.
constexpr accumulate_shape accumulate_shape_for(std::int64_t num_records, std::size_t image_bytes,
                                                std::int64_t n, const device_limits& device,
                                                int most_column_bits) {
  const int blocks = accumulate_blocks(n, num_records, device.num_sms);
  const std::size_t room = device.shared_per_block - accumulate_tuning::own_bytes;
  const std::size_t least = outside_tuning::bytes(outside_tuning::least_bits);
  int column_bits = most_column_bits;
  while (column_bits > 0 &&
         window_records{num_records, column_bits}.bytes() + least + image_bytes > room) {
    --column_bits;
  }
  const std::size_t records = window_records{num_records, column_bits}.bytes();
  const bool staged = records + least + image_bytes <= room;
  const std::size_t taken = records + (staged ? image_bytes : 0);
  int outside_bits = outside_tuning::least_bits;
  while (
      outside_bits < outside_tuning::most_bits && std::int64_t{1} << outside_bits < num_records &&
      taken + outside_tuning::bytes(outside_bits + 1) <= room &&
      (std::int64_t{outside_tuning::words} << (outside_bits + 1)) * outside_tuning::rows_a_word <=
          n / blocks) {
    ++outside_bits;
  }
  return {blocks, column_bits, outside_bits, staged, taken + outside_tuning::bytes(outside_bits)};
}

// -------------------------------------------------------------- workspace

constexpr std::int64_t max_chunk_rows = std::int64_t{1} << 26;  // so row numbers fit 32 bits
/// Without a sort a chunk has as many rows as the digits take between two carries.
constexpr std::int64_t max_direct_rows = max_pending_rows;
constexpr std::int64_t min_chunk_rows = std::int64_t{1} << 16;

/// Byte offsets of the arrays of one chunk in the workspace.
struct chunk_regions {
  std::size_t keys[2];
  std::size_t payload[2];
  std::size_t segment_ends;
  std::size_t sort_scratch;
  std::size_t total;
};

constexpr chunk_regions regions_for(std::int64_t num_rows, const row_keys& keys, int payload_bytes,
                                    std::size_t sort_bytes) {
  constexpr std::size_t alignment = 256;
  chunk_regions regions{};
  const auto rows = static_cast<std::size_t>(num_rows);
  const std::size_t sizes[6] = {rows * static_cast<std::size_t>(keys.size),
                                rows * static_cast<std::size_t>(keys.size),
                                rows * static_cast<std::size_t>(payload_bytes),
                                rows * static_cast<std::size_t>(payload_bytes),
                                static_cast<std::size_t>(keys.count) * sizeof(std::uint32_t),
                                sort_bytes};
  std::size_t* const at[6] = {&regions.keys[0],    &regions.keys[1],      &regions.payload[0],
                              &regions.payload[1], &regions.segment_ends, &regions.sort_scratch};
  for (int k = 0; k < 6; ++k) {
    *at[k] = regions.total;
    regions.total += (sizes[k] + alignment - 1) / alignment * alignment;
  }
  return regions;
}

/// What route counts of a chunk; the state learns it with the sums.
struct chunk_counts {
  std::int64_t counter[num_row_counters];
  std::int64_t first_bad;
};

/// A chunk of a fit that sorts: the regions of a sort, then chunk_counts.
struct fit_regions {
  chunk_regions sort;
  std::size_t counts;
  std::size_t total;
};

constexpr fit_regions fit_regions_for(std::int64_t num_rows, const row_keys& keys,
                                      int payload_bytes, std::size_t sort_bytes) {
  const chunk_regions sort = regions_for(num_rows, keys, payload_bytes, sort_bytes);
  static_assert(sizeof(chunk_counts) <= 256, "the regions are aligned to as much");
  return {sort, sort.total, sort.total + 256};
}

/// A state beside the fit's own, to which the chunks of an add go if they are more than one: it is
/// merged when all are in it. Behind it its first_bad.
inline std::size_t spare_state_bytes(const state_layout& layout) {
  return (layout.bytes() + 255) / 256 * 256 + 256;
}

/// A chunk of a grouping: the regions of a sort, then begin[num_slots + 1].
struct group_regions {
  chunk_regions sort;
  std::size_t begin;
  std::size_t total;
};

constexpr group_regions group_regions_for(std::int64_t num_rows, const row_keys& keys,
                                          std::size_t sort_bytes) {
  group_regions regions{regions_for(num_rows, keys, sizeof(std::uint32_t), sort_bytes), 0, 0};
  regions.begin = regions.sort.total;
  regions.total =
      regions.begin +
      (static_cast<std::size_t>(keys.count + 1) * sizeof(std::int64_t) + 255) / 256 * 256;
  return regions;
}

// --------------------------------------------------------------- launches

/// predict.cu: once per device, before the first launch: lets kernels use its shared memory.
void prepare_predict(const device_limits& device);
/// job.rows.n >= 0 inputs; pointers in device memory.
void launch_predict(const predict_job& job, const device_limits& device, zcmoe_stream stream);

/// Keys and payloads of a chunk's rows, before or after sorting.
struct keyed_rows {
  void* keys;
  void* payload;
};

// A chunk of a fit is added by several launches of which the last alone changes what the state
// says: a launch that fails before leaves the fit as it was. That last one is launch_accumulate or
// launch_reduce.

/// reduce.cu: before the other launches of a chunk. Carries all digits if num_rows more terms might
/// not fit, which is read on the device, so that the replay of a captured graph decides anew; notes
/// the number of the chunk's first row; clears `counts` unless it is null.
void launch_begin_chunk(const state_layout& layout, std::int64_t* state, std::int64_t num_rows,
                        chunk_counts* counts, zcmoe_stream stream);

/// route.cu: judges the rows of a chunk, writes key and payload of each and counts them. Rows left
/// out get key 0 and an absent payload.
void launch_route(const fit_job& chunk, const row_keys& keys, const keyed_rows& rows,
                  chunk_counts& counts, zcmoe_stream stream);

/// accumulate.cu: adds the rows of a chunk to the sums of their slots and to the row counters,
/// without keys, sort or workspace; for layouts that are sort-free. A power of two of columns, no
/// more than 1 << most_column_bits.
void launch_accumulate(const fit_job& chunk, const device_limits& device, int most_column_bits,
                       zcmoe_stream stream);
/// Lets the kernels of launch_accumulate take the current device's shared memory; once, before the
/// first launch.
void prepare_accumulate(const device_limits& device);

/// sort.cu: scratch of a sort on any number of bits that the key type has.
std::size_t sort_scratch_bytes(int key_size, int payload_bytes, std::int64_t num_rows);
/// Sorts rows by key; answers which of the two buffers holds the result.
keyed_rows launch_sort(const row_keys& keys, int payload_bytes, const keyed_rows& rows,
                       const keyed_rows& spare, std::int64_t num_rows, void* scratch,
                       std::size_t scratch_bytes, zcmoe_stream stream);

/// reduce.cu: ends[slot] = number of sorted rows with a key <= slot.
void launch_segment_ends(const row_keys& keys, const void* sorted_keys, std::int64_t num_rows,
                         std::uint32_t* ends, zcmoe_stream stream);
/// Adds the sorted rows of a chunk to the sums of their slots, and what launch_route counted.
void launch_reduce(const fit_job& chunk, const row_keys& keys, const keyed_rows& sorted,
                   const std::uint32_t* ends, const chunk_counts& counts, zcmoe_stream stream);

/// A state, and where the number of its first refused row is; null: none is kept.
struct state_place {
  std::int64_t* state;
  std::int64_t* first_bad;
};
/// A first_bad of this size or more stands for none. A spare state has one whose bytes are all
/// no_row_byte.
constexpr std::int64_t no_row_yet = std::int64_t{1} << 62;
constexpr int no_row_byte = 0x7f;

/// to += from, in one launch; leaves `to` canonical. The rows of `from` come after those of `to`.
void launch_merge(const state_layout& layout, const state_place& to, const state_place& from,
                  zcmoe_stream stream);

/// group.cu: key and row number within the chunk of each of the chunk's rows.
void launch_slot_keys(const group_job& chunk, const row_keys& keys, const keyed_rows& rows,
                      zcmoe_stream stream);
/// begin[slot + 1] += ends[slot]: over all chunks, where each slot begins.
void launch_add_offsets(const std::uint32_t* ends, std::int64_t num_slots, std::int64_t* begin,
                        zcmoe_stream stream);
/// The job's offsets; begin null: zeros.
void launch_write_offsets(const group_job& job, const std::int64_t* begin, zcmoe_stream stream);
/// Takes the n sorted rows of the chunk from row `first` on to their places, and moves begin behind
/// them.
void launch_place_rows(const group_job& job, const row_keys& keys, const keyed_rows& sorted,
                       const std::uint32_t* ends, std::int64_t first, std::int64_t n,
                       std::int64_t* begin, zcmoe_stream stream);

/// constants.cu: summaries[num_slots], in device memory.
void launch_summarize(const state_layout& layout, const std::int64_t* state,
                      slot_summary* summaries, zcmoe_stream stream);

}  // namespace zcmoe::detail
