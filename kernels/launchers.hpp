// Every launch of the CUDA engine, with the shapes of launches and of the workspace, and their
// tuning numbers, as constexpr functions. Nothing here needs a CUDA header, so the shapes are
// tested on the CPU (tests/kernels/launch_shape_test.cpp). A launcher works on the current device,
// enqueues kernels on the stream without waiting, and throws status_error. Measurements:
// kernels/README.md.
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

/// Blocks of a launch whose threads stride over n items: one block per tile of so many items, at
/// most `most` blocks.
constexpr int blocks_striding(std::int64_t n, std::int64_t tile, int most) {
  const std::int64_t tiles = ceil_div(n, tile);
  return static_cast<int>(tiles < most ? tiles : most);
}

/// Blocks of a launch in which each block takes one tile. Callers keep n / tile below 2^31.
constexpr int blocks_covering(std::int64_t n, std::int64_t tile) {
  return static_cast<int>(ceil_div(n, tile));
}

/// What CUDA says of a device; the backend reads it once.
struct device_limits {
  int num_sms;
  int threads_per_sm;
  std::size_t shared_per_sm;     // bytes of shared memory of a multiprocessor (SM)
  std::size_t shared_per_block;  // bytes that one block may have of it
};

struct launch_shape {
  int threads;  // per block
  int blocks;
};

/// Prediction from contiguous float32 or float64 inputs: a grid of blocks that stay for the whole
/// launch (persistent), so that each copies the tables to shared memory only once.
struct stream_tuning {
  static constexpr int most_threads = 1024;
  static constexpr int loads = 2;                       // loads of 16 bytes in flight per thread
  static constexpr std::size_t reserved_shared = 1024;  // bytes of each block that CUDA takes
  static constexpr std::size_t own_shared = 256;        // bytes of the kernel beside the tables
  // Every block copies (stages) the tables. If all blocks together stage more than one byte per
  // inputs_per_staged bytes of x, the number of blocks per multiprocessor is lowered, as far as
  // that leaves most_threads threads. The whole grid never stages more than about staged_per_input
  // bytes per byte of x: beyond that, there are fewer blocks than multiprocessors.
  // Example: tables of 32 KiB on 132 multiprocessors. Two blocks each stage 8.25 MiB in all, which
  // is an eighth of 17.3 million float32 inputs; with fewer inputs, a multiprocessor gets one
  // block.
  static constexpr std::int64_t inputs_per_staged = 8;
  static constexpr std::int64_t staged_per_input = 4;
};

/// Threads per block and blocks of a streaming launch: as many blocks as the device holds at a
/// time, with the block size that gives it the most threads. There are fewer blocks if there are
/// fewer tiles than that, or if staging the tables would cost more than reading x (stream_tuning).
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
  const std::int64_t tiles = ceil_div(n, tile) + 1;  // one more, as x may begin within a vector
  const std::int64_t staging =
      n / (staged / (stream_tuning::staged_per_input * input_size) + 1) + 1;
  std::int64_t blocks = static_cast<std::int64_t>(best.blocks) * device.num_sms;
  blocks = tiles < blocks ? tiles : blocks;
  best.blocks = static_cast<int>(staging < blocks ? staging : blocks);
  return best;
}

/// Prediction from arrays of any other type or stride: the tables are read through the caches.
struct gather_tuning {
  static constexpr int threads = 256;
  static constexpr int per_thread = 4;  // inputs a thread loads before it routes the first
  // About eight times the blocks that the largest card holds at a time; these stride over the rest.
  static constexpr int most_blocks = 8192;
};
constexpr int gather_blocks(std::int64_t n) {
  return blocks_striding(n, gather_tuning::threads * gather_tuning::per_thread,
                         gather_tuning::most_blocks);
}

/// Models of several inputs, columns of any type and stride: one row a thread at a time, its codes
/// in shared memory.
struct points_tuning {
  static constexpr int most_threads = 256;
  static constexpr int most_code_bytes = 1 << 15;  // of a block
  // As of gather_tuning: these stride over the rest.
  static constexpr int most_blocks = 8192;
  static constexpr int few_columns = 32;  // of a launch that has small parameters
};
/// The same where blocks stage the tables: as of stream_tuning, but a thread takes one vector of a
/// column at a time, in more registers.
struct stream_points_tuning {
  static constexpr int most_threads = 1024;
  static constexpr int least_threads = 256;
  /// Rows of a thread at a time: as many as 64 registers hold.
  static constexpr int few_packs = 1;
  static constexpr int per_thread_of_few = 8;
  static constexpr int per_thread_of_many = 4;
  // Bytes of a block's shared memory that the codes of an axis take at least, where models are
  // coded (staged_points.hpp).
  static constexpr std::size_t code_bytes(int per_thread) {
    return std::size_t{least_threads} * static_cast<std::size_t>(per_thread);
  }
};
/// A thread takes thread_bytes of shared memory beside the tables.
constexpr launch_shape stream_points_shape(const device_limits& device, std::size_t shared_bytes,
                                           std::size_t thread_bytes, std::int64_t n, int num_axes,
                                           int per_thread) {
  device_limits room = device;
  room.threads_per_sm = device.threads_per_sm < stream_points_tuning::most_threads
                            ? device.threads_per_sm
                            : stream_points_tuning::most_threads;
  // Stands for blocks of most_threads at first; where these have no room, blocks are halved.
  int threads = stream_points_tuning::most_threads;
  while (threads > stream_points_tuning::least_threads &&
         shared_bytes + thread_bytes * static_cast<std::size_t>(threads) >
             device.shared_per_block) {
    threads /= 2;
  }
  launch_shape shape =
      stream_shape(room, shared_bytes + thread_bytes * static_cast<std::size_t>(threads), n,
                   std::int64_t{4} * num_axes);
  if (shape.threads > threads) shape.threads = threads;
  const std::int64_t tile = std::int64_t{shape.threads} * per_thread;
  const std::int64_t tiles =
      ceil_div(n, tile) + 1;  // one more, as columns may begin within a vector
  shape.blocks = static_cast<int>(tiles < shape.blocks ? tiles : shape.blocks);
  return shape;
}

/// Threads of a block: fewer where there are so many axes that codes would not fit.
constexpr int points_threads(int num_axes) {
  int threads = points_tuning::most_threads;
  while (threads > 32 && threads * num_axes > points_tuning::most_code_bytes) threads /= 2;
  return threads;
}
constexpr int points_blocks(std::int64_t n, int threads) {
  return blocks_striding(n, threads, points_tuning::most_blocks);
}

/// Passes over rows of which tables are learned (learn.cu).
struct learn_tuning {
  static constexpr int threads = 256;
  /// Rows of a block, at least: it ends with an addition for every cell that it has met.
  static constexpr std::int64_t rows_of_block = 1 << 13;
  static constexpr int most_blocks = 4096;  // of a launch, unless there are more tables
  /// Of a block's cells, and little enough that any device has it and that four blocks of the
  /// smallest shared memory run together.
  static constexpr std::size_t most_shared = std::size_t{48} << 10;
  // Of a launch: their sums are so many bytes, but for those of a single table.
  static constexpr std::size_t most_bytes = std::size_t{1} << 26;
  static constexpr std::size_t most_tables = 4096;
};
/// Blocks of each of so many tables.
constexpr int learn_blocks(std::int64_t n, int num_tables) {
  const int most = learn_tuning::most_blocks / num_tables;
  return blocks_striding(n, learn_tuning::rows_of_block, most > 1 ? most : 1);
}

/// Kernels that route rows to keys, and the one that places rows of a group.
struct route_tuning {
  // A thread has one row in flight and 32 registers, with which a multiprocessor runs all its
  // threads.
  static constexpr int threads = 256;
  // A limit, because each block of a fit ends with up to a dozen atomic additions to the counters.
  static constexpr int most_blocks = 2048;
};
constexpr int route_blocks(std::int64_t n) {
  return blocks_striding(n, route_tuning::threads, route_tuning::most_blocks);
}

/// The kernel that adds up sorted rows.
struct reduce_tuning {
  // A thread holds up to 28 digits of 64 bits, so registers and not threads limit how many blocks a
  // multiprocessor holds.
  static constexpr int threads = 128;
  static constexpr int per_thread = 16;  // sorted rows per thread
};
constexpr int reduce_blocks(std::int64_t n) {
  return blocks_covering(n, reduce_tuning::threads * reduce_tuning::per_thread);
}

/// Kernels with one thread per slot: carrying, merging, segment ends, offsets of a group.
struct slot_tuning {
  static constexpr int threads = 256;
};
constexpr int slot_blocks(std::int64_t num_slots) {
  return blocks_covering(num_slots, slot_tuning::threads);
}

/// The kernel that makes a summary of each slot, in local memory.
struct summarize_tuning {
  // Few, so that a few slots are spread over many multiprocessors.
  static constexpr int threads = 64;
};
constexpr int summarize_blocks(std::int64_t num_slots) {
  return blocks_covering(num_slots, summarize_tuning::threads);
}

// --------------------------------------------------------------- row keys

/// The keys that rows are sorted by: slot numbers below `count`, in the narrowest type. `bits` is
/// the number of low bits that the sort looks at.
struct row_keys {
  std::int64_t count;
  int size;  // bytes: 1, 2 or 4
  int bits;
};

/// Keys for `count` slots. Example: 300 slots take 9 bits, in 2 bytes.
constexpr row_keys keys_for(std::int64_t count) {
  row_keys keys{count, count <= 256 ? 1 : count <= 65536 ? 2 : 4, 0};
  while ((std::int64_t{1} << keys.bits) < count) ++keys.bits;
  return keys;
}

/// Keys for the slots that rows can have. The three slots beside the segments count only if a
/// policy sends rows there.
constexpr row_keys keys_for(const slot_roles& roles) {
  const bool beside =
      roles.nan_policy == ZCMOE_NAN_SEGMENT || roles.range_policy == ZCMOE_RANGE_SEGMENTS;
  return keys_for(std::int64_t{beside ? num_slots_of(roles.num_segments) : roles.num_segments});
}

/// Whether a row's payload, which the sort moves together with its key, is the row's number,
/// through which its input, target and weight are fetched after the sort: in fits with weights or
/// lines. In others it is the target itself.
constexpr bool sorts_numbers(const state_layout& layout) { return layout.weighted || layout.lines; }
/// Bytes of a payload.
constexpr int payload_size(const state_layout& layout) {
  return sorts_numbers(layout) ? 4 : static_cast<int>(size_of(layout.target_dtype));
}

/// Payload of a row that a fit which sorts numbers leaves out.
constexpr std::uint32_t absent_row = 0xffffffffu;

// ------------------------------------------------------- the fit's two paths

/// The sort-free fit (accumulate.cu) keeps sums of every slot in the shared memory of each block:
/// `count` records, each of 32 bytes in 1 << column_bits copies, the columns. The more columns, the
/// fewer lanes of a warp meet in one bank.
struct window_records {
  std::int64_t count;
  int column_bits;

  constexpr std::size_t bytes() const {
    return static_cast<std::size_t>(count) * 32 << column_bits;
  }
};

/// The kernel of the sort-free fit.
struct accumulate_tuning {
  static constexpr int threads = 1024;  // of 64 registers: one block fills a multiprocessor
  static constexpr int per_thread = 4;  // rows in flight per thread, 32 KiB per multiprocessor
  static constexpr int most_column_bits = 2;
  static constexpr std::size_t own_bytes = 2048;  // of a block's shared memory, beside the tables
};

/// The table of targets outside the window, which a block keeps beside its records (accumulate.cu).
/// It has 1 << bits entries, and may grow into the room that the records leave.
struct outside_tuning {
  static constexpr int words = 55;  // of 4 bytes, per entry
  static constexpr int least_bits = 4;
  static constexpr int most_bits = 9;
  static constexpr int most_ranks_at_start = 1024;  // with more, it starts without entries
  // A table may have one word for each so many rows of its block, since every word must be cleared.
  static constexpr std::int64_t rows_a_word = 8;
  // Every tiles_between_looks tiles a block looks whether more than most_threads of its 1,024
  // threads have met a target outside. Example: if one of 500 targets is outside, a thread that has
  // added 4 rows of each of 4 tiles has met one with probability 16 / 500, so about 32 threads
  // have: no change.
  static constexpr int tiles_between_looks = 4;
  static constexpr int most_threads = 64;

  /// Bytes of a table of 1 << bits entries.
  static constexpr std::size_t bytes(int bits) { return std::size_t{4} * words << bits; }
};
// A word of the table holds, in 32 bits with a sign, a sum of digits below 2^16 of either sign, so
// at most 2^15 rows may go to it between two emptyings. The table is emptied at a look that finds
// many threads with a target outside, and together with the records, which are full after at most
// 16 looks. The worst case is 16 looks that each find just most_threads threads, all of whose rows
// were outside, and then tiles all of whose rows are: (16 * 64 + 1,024) threads * 4 rows * 4 tiles
// = 2^15.
static_assert((accumulate_tuning::threads + 16 * outside_tuning::most_threads) *
                      accumulate_tuning::per_thread * outside_tuning::tiles_between_looks <=
                  1 << 15,
              "a word of the table takes the rows between two emptyings");
static_assert(outside_tuning::bytes(outside_tuning::least_bits) % 16 == 0,
              "the image of the routing table, which comes behind it, is aligned");

/// A model of the time that both paths of a fit take, in clocks of one multiprocessor. Three
/// resources work at the same time, and the slowest sets the time per 32 rows: memory
/// (bytes_a_clock), shared memory (one wavefront per clock) and instructions (`issue` per clock).
/// Each launch adds `launch` clocks. The constants are those of an H100: 3.35 TB/s over 132
/// multiprocessors at 1.755 GHz are 14.5 bytes per clock. The counts for 32 rows are counted, not
/// timed (tests/kernels/counting_test.py).
/// Example: one-byte keys. A sort moves 28 bytes per row,
/// 32 * 28 / 14.5 = 62 clocks per 32 rows, and takes (270 + 150) / 4 = 105 clocks of instructions:
/// instructions are the limit. Without a sort, with four columns: 17.7 clocks of memory, 6 + 8 = 14
/// wavefronts, 115 / 4 = 28.75 clocks of instructions.
struct fit_costs {
  static constexpr double bytes_a_clock = 14.5;
  static constexpr double issue = 4;
  static constexpr double launch = 5000;

  /// Bytes that a row moves if rows are sorted. x and y, 4 bytes each, are read; key and target
  /// written; keys read to count their digits; key and target read and written in each pass; the
  /// target read.
  static constexpr double bytes_sorted(const row_keys& keys) {
    const double pair = keys.size + 4.0;
    return 8 + pair + keys.size + passes(keys) * 2 * pair + 4;
  }
  /// Clocks of a fit with a sort. Its launches are carrying, the chunk's begin, routing, the sort
  /// (two and one per pass), segment ends and the sums.
  static constexpr double sorted(std::int64_t num_rows, const row_keys& keys, int num_sms) {
    const double memory = 32 * bytes_sorted(keys) / bytes_a_clock;
    const double instructions = (270 + 150 * passes(keys)) / issue;
    return (7 + passes(keys)) * launch + rounds(num_rows, num_sms) * larger(memory, instructions);
  }

  /// Clocks of a fit without a sort. Its launches are carrying, the chunk's begin and the sums. 32
  /// rows take eight additions of a warp, each of which takes as many wavefronts as lanes may meet
  /// in one bank: 4 with one column, 1 with four. A block empties every record once.
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
  /// How many times 32 rows a multiprocessor takes.
  static constexpr double rounds(std::int64_t num_rows, int num_sms) {
    return static_cast<double>(num_rows) / 32 / num_sms;
  }
  static constexpr double larger(double a, double b) { return a > b ? a : b; }
};

/// Whether rows are added up without a sort. They are if targets are float32 without weights and
/// lines, one column of records fits a block's shared memory, and that costs less than a sort.
/// (Sums of other targets take so many words that few slots would fit.) The answer does not depend
/// on the number of rows: a few rows cost little beside the launches on either path, and a sort has
/// more launches.
constexpr bool is_sort_free(const state_layout& layout, const device_limits& device) {
  if (sorts_numbers(layout) || layout.target_dtype != ZCMOE_F32) return false;
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

/// Blocks of the sort-free fit: at most one per multiprocessor, and fewer if their ends would cost
/// more than they save. With B blocks, adding n rows takes about n / (2 B) clocks, half a clock per
/// row, and the B blocks end with up to 7 atomic additions per slot each, of which the card does
/// some 64 per clock: about B * slots / 8 clocks. The sum of both is least at B = sqrt(4 n /
/// slots).
/// Example: n = 2^20 rows and 7,000 slots: sqrt(599) = 24.5, so 25 blocks.
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
  int outside_bits;  // the table of targets outside has 1 << outside_bits entries
  bool staged;       // the routing table's image is in shared memory, behind that table
  std::size_t shared_bytes;
};

/// Shape of a sort-free launch: as many columns as fit beside the routing table's image, at most
/// 1 << most_column_bits. The image has precedence over columns, because 32 lanes that read it
/// through the caches may need 32 sectors; it stays in device memory only if not even one column
/// fits beside it. The table of targets outside gets what is left.
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

/// The most rows of a chunk that is sorted: row numbers within it fit 32 bits.
constexpr std::int64_t max_chunk_rows = std::int64_t{1} << 26;
/// The most rows of a chunk without a sort: as many as the digits take between two carries.
constexpr std::int64_t max_direct_rows = max_pending_rows;
/// A workspace for a chunk of so many rows (and a spare state) is enough for any number of rows.
constexpr std::int64_t min_chunk_rows = std::int64_t{1} << 16;

/// Byte offsets, in the workspace, of the arrays that the sort of one chunk needs. Keys and payload
/// have two arrays each, since every pass of the sort reads one and writes the other.
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

/// The row counters of one chunk and the number of its first refused row. launch_route writes them,
/// launch_reduce adds them to the state together with the sums.
struct chunk_counts {
  std::int64_t counter[num_row_counters];
  std::int64_t first_bad;
};

/// Workspace of a fit that sorts, for one chunk: the regions of the sort, then a chunk_counts.
struct fit_regions {
  chunk_regions sort;
  std::size_t counts;
  std::size_t total;
};

constexpr fit_regions fit_regions_for(std::int64_t num_rows, const row_keys& keys,
                                      int payload_bytes, std::size_t sort_bytes) {
  const chunk_regions sort = regions_for(num_rows, keys, payload_bytes, sort_bytes);
  static_assert(sizeof(chunk_counts) <= 256, "it fits the 256 bytes that are added for it");
  return {sort, sort.total, sort.total + 256};
}

/// Bytes of a spare state: if the rows of one call take more than one chunk, the chunks are added
/// to a second state in the workspace, which is merged into the fit's when all of them are in it.
/// The last 256 bytes are for the number of its first refused row.
inline std::size_t spare_state_bytes(const state_layout& layout) {
  return (layout.bytes() + 255) / 256 * 256 + 256;
}

/// Workspace of group, for one chunk: the regions of the sort, then begin[num_slots + 1]
/// (group.cu).
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

/// predict.cu: lets the kernels of launch_predict use the current device's shared memory. Called
/// once per device, before the first launch.
void prepare_predict(const device_limits& device);
/// Predicts job.rows.n >= 0 inputs. All pointers of the job are in device memory.
void launch_predict(const predict_job& job, const device_limits& device, zcmoe_stream stream);

/// points.cu: predicts job.n >= 0 rows of several inputs. All pointers of the job but that to the
/// columns themselves are in device memory.
void launch_points(const points_job& job, const device_limits& device, zcmoe_stream stream);
/// stream_points.cu: the same, and returns true, where only float32 values of contiguous float32
/// columns are wanted and blocks can stage the model's tables.
bool launch_stream_points(const points_job& job, const device_limits& device, zcmoe_stream stream);
/// Lets the kernels of launch_stream_points use the current device's shared memory. Called once per
/// device, before the first launch.
void prepare_points(const device_limits& device);
/// points.cu: writes the codes of job.n >= 0 rows. Columns and codes are in device memory.
void launch_encode(const codes_job& job, zcmoe_stream stream);

/// A table of one axis or two, as a pass sees it: the cell of row i is
/// offsets[0][codes[0][i]] + offsets[1][codes[1][i]].
struct row_cells {
  const std::uint8_t* codes[2];  // [rows]; the second may be null
  union {
    const std::int32_t* offsets[2];
    std::size_t offsets_at[2];  // until the address of the block that they lie in is known
  };
  std::int64_t first;  // its first sum or amount among those of all tables
  std::int32_t cells;
};

/// Sums of weights of rows or of weight times what is left of them, by cell of each table. All in
/// device memory.
template <class Sum>
struct cell_sums_work {
  const row_cells* tables;
  std::int32_t num_tables;
  std::int32_t staged_cells;  // tables with so many sums or fewer have them in shared memory
  std::int64_t n;
  const std::uint8_t* part;      // sums are by part too; null: not
  const std::uint32_t* weights;  // null: all 1
  const std::int64_t* left;      // null: weights are added up
  Sum* sums;                     // [parts * cells] of each table, to be added to
};
struct subtract_cells_work {
  const row_cells* tables;
  std::int32_t num_tables;
  std::int64_t n;
  std::int64_t base;            // taken off every row, and of each table
  const std::int64_t* amounts;  // what its cell has
  std::int64_t* left;
};
/// learn.cu: Sum is std::uint32_t or, in two's complement, unsigned long long.
template <class Sum>
void launch_sum_cells(const cell_sums_work<Sum>& work, zcmoe_stream stream);
void launch_subtract_cells(const subtract_cells_work& work, zcmoe_stream stream);
/// Writes n elements as doubles.
void launch_widen(const any_array& from, std::int64_t n, double* to, zcmoe_stream stream);
/// Adds to totals[num_left_totals]: the sum of weight times what is left, modulo 2^64, and sums of
/// the digits of 32 bits of weight times its squares, lowest first.
constexpr int num_left_totals = 5;
void launch_total_left(const std::int64_t* left, const std::uint32_t* weights, std::int64_t n,
                       unsigned long long* totals, zcmoe_stream stream);

/// Keys and payloads of a chunk's rows, before or after sorting.
struct keyed_rows {
  void* keys;
  void* payload;
};

// A chunk of a fit is added by several launches. Only the last of them, launch_accumulate or
// launch_reduce, changes the sums and counts that the state stands for, so if an earlier launch
// fails, the fit is as it was.

/// reduce.cu: precedes the other launches of a chunk. Carries all digits if num_rows more rows
/// might overflow one; whether they might is read on the device, so that every replay of a captured
/// graph decides for itself. Notes the number of the chunk's first row. Clears `counts` unless it
/// is null.
void launch_begin_chunk(const state_layout& layout, std::int64_t* state, std::int64_t num_rows,
                        chunk_counts* counts, zcmoe_stream stream);

/// route.cu: judges the rows of a chunk, writes the key and the payload of each, and counts them in
/// `counts`. A row that is left out gets key 0 and a payload that marks it (NaN, absent_row).
void launch_route(const fit_job& chunk, const row_keys& keys, const keyed_rows& rows,
                  chunk_counts& counts, zcmoe_stream stream);

/// accumulate.cu: adds the rows of a chunk to the sums of their slots and to the row counters,
/// without keys, sort or workspace, for layouts that are sort-free (is_sort_free). Uses at most
/// 1 << most_column_bits columns.
void launch_accumulate(const fit_job& chunk, const device_limits& device, int most_column_bits,
                       zcmoe_stream stream);
/// Lets the kernels of launch_accumulate use the current device's shared memory. Called once per
/// device, before the first launch.
void prepare_accumulate(const device_limits& device);

/// sort.cu: bytes of scratch that a sort takes, whatever the number of bits of its keys.
std::size_t sort_scratch_bytes(int key_size, int payload_bytes, std::int64_t num_rows);
/// Sorts rows by key, stably, with `spare` as a second buffer. Returns `rows` or `spare`, whichever
/// holds the result.
keyed_rows launch_sort(const row_keys& keys, int payload_bytes, const keyed_rows& rows,
                       const keyed_rows& spare, std::int64_t num_rows, void* scratch,
                       std::size_t scratch_bytes, zcmoe_stream stream);

/// reduce.cu: sets ends[slot] to the number of sorted rows with a key <= slot.
void launch_segment_ends(const row_keys& keys, const void* sorted_keys, std::int64_t num_rows,
                         std::uint32_t* ends, zcmoe_stream stream);
/// Adds the sorted rows of a chunk to the sums of their slots, and the counts of launch_route to
/// the state's counters.
void launch_reduce(const fit_job& chunk, const row_keys& keys, const keyed_rows& sorted,
                   const std::uint32_t* ends, const chunk_counts& counts, zcmoe_stream stream);

/// A state, and where the number of its first refused row is kept; first_bad is null if it is not
/// kept.
struct state_place {
  std::int64_t* state;
  std::int64_t* first_bad;
};
/// A first_bad of at least no_row_yet means that no row was refused. A spare state's is set by a
/// memset, so all its bytes are no_row_byte: 0x7f7f7f7f7f7f7f7f, which is more than 2^62.
constexpr std::int64_t no_row_yet = std::int64_t{1} << 62;
constexpr int no_row_byte = 0x7f;

/// Adds state `from` to state `to`, in one launch, and leaves the digits of `to` canonical. The
/// rows of `from` are numbered after those of `to`.
void launch_merge(const state_layout& layout, const state_place& to, const state_place& from,
                  zcmoe_stream stream);

/// group.cu: writes the key of each of the chunk's rows and its number within the chunk.
void launch_slot_keys(const group_job& chunk, const row_keys& keys, const keyed_rows& rows,
                      zcmoe_stream stream);
/// Adds ends[slot] to begin[slot + 1]. After the last chunk, begin says where each slot begins.
void launch_add_offsets(const std::uint32_t* ends, std::int64_t num_slots, std::int64_t* begin,
                        zcmoe_stream stream);
/// Writes the job's offsets: those in begin or, if it is null, zeros.
void launch_write_offsets(const group_job& job, const std::int64_t* begin, zcmoe_stream stream);
/// Writes the n sorted rows of the chunk that begins at row `first` to their places, and moves
/// begin behind them.
void launch_place_rows(const group_job& job, const row_keys& keys, const keyed_rows& sorted,
                       const std::uint32_t* ends, std::int64_t first, std::int64_t n,
                       std::int64_t* begin, zcmoe_stream stream);

/// constants.cu: writes summaries[num_slots], in device memory.
void launch_summarize(const state_layout& layout, const std::int64_t* state,
                      slot_summary* summaries, zcmoe_stream stream);

}  // namespace zcmoe::detail
