// Grouping: x[n] -> key (its slot) and row number of each row -> sorted by key (sort.cu) -> row
// numbers and columns, gathered to their places. The sort is stable, so the rows of a slot keep
// their order. Rows are taken in chunks of as many as the workspace holds; begin[slot] is the place
// of the slot's next row, and moves on with every chunk.
#include "cuda_check.hpp"
#include "cuda_router.hpp"
#include "launchers.hpp"
#include "stored_key.cuh"

namespace zcmoe::detail {
namespace {

/// Writes the key of each row, its slot, and its number within the chunk.
template <class Input>
__global__ __launch_bounds__(route_tuning::threads) void slot_keys_kernel(
    const __grid_constant__ bucket_table_view<routed_as<Input>> routes, Input x, std::int64_t n,
    void* keys, int key_size, std::uint32_t* rows) {
  using T = routed_as<Input>;
  const plain_image<T> image(routes);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * route_tuning::threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * route_tuning::threads + threadIdx.x;
       i < n; i += stride) {
    const T input[1] = {static_cast<T>(x[i])};
    std::uint32_t rank[1];
    ranks_of(routes, image, input, rank);
    store_key(keys, key_size, i, static_cast<std::uint32_t>(routes.slot_of(rank[0])));
    rows[i] = static_cast<std::uint32_t>(i);
  }
}

/// The same of rows whose segments have been found; those without one have the slot `none`.
__global__ __launch_bounds__(route_tuning::threads) void segment_keys_kernel(
    const std::int32_t* segments, std::int32_t none, std::int64_t n, void* keys, int key_size,
    std::uint32_t* rows) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * route_tuning::threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * route_tuning::threads + threadIdx.x;
       i < n; i += stride) {
    const std::int32_t segment = segments[i];
    store_key(keys, key_size, i, static_cast<std::uint32_t>(segment < 0 ? none : segment));
    rows[i] = static_cast<std::uint32_t>(i);
  }
}

/// Number of the chunk's rows in slots before this one.
__device__ std::int64_t rows_before(const std::uint32_t* ends, std::int64_t slot) {
  return slot == 0 ? 0 : ends[slot - 1];
}

enum class begin_update { offsets, places };

/// Updates begin for one chunk, with one thread per slot. While the chunks are counted (offsets),
/// begin[slot + 1] gains the chunk's rows in all slots up to this one; after the last chunk it is
/// where slot + 1 begins. While they are placed (places), begin[slot] moves behind the chunk's
/// rows. Example: two slots, of which the chunk has 3 and 2 rows, so ends = {3, 5}. offsets adds 3
/// to begin[1] and 5 to begin[2]; places adds 3 to begin[0] and 2 to begin[1].
__global__ __launch_bounds__(slot_tuning::threads) void update_begin_kernel(
    begin_update what, const std::uint32_t* ends, std::int64_t num_slots, std::int64_t* begin) {
  const std::int64_t slot =
      static_cast<std::int64_t>(blockIdx.x) * slot_tuning::threads + threadIdx.x;
  if (slot >= num_slots) return;
  if (what == begin_update::offsets) {
    begin[slot + 1] += ends[slot];
  } else {
    begin[slot] += ends[slot] - rows_before(ends, slot);
  }
}

__global__ __launch_bounds__(slot_tuning::threads) void write_offsets_kernel(
    const std::int64_t* begin, std::int64_t num_offsets, std::int64_t* offsets,
    std::int64_t stride) {
  const std::int64_t k = static_cast<std::int64_t>(blockIdx.x) * slot_tuning::threads + threadIdx.x;
  if (k < num_offsets) offsets[k * stride] = begin != nullptr ? begin[k] : 0;
}

struct column_list {
  group_column item[max_group_columns];
  int count;
};

template <class Element>
__device__ void move_element(const group_column& column, std::int64_t to, std::int64_t from) {
  static_cast<Element*>(column.to)[to * column.to_stride] =
      static_cast<const Element*>(column.from)[from * column.from_stride];
}

/// Writes the row number and the columns of each sorted row of a chunk, whose first row is number
/// `first`, to its place. If there is only one chunk, the place of sorted row j is j.
__global__ __launch_bounds__(route_tuning::threads) void place_rows_kernel(
    const void* keys, int key_size, const std::uint32_t* sorted_rows, const std::uint32_t* ends,
    const std::int64_t* begin, bool one_chunk, std::int64_t first, std::int64_t n,
    zcmoe_output rows, column_list columns) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * route_tuning::threads;
  for (std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * route_tuning::threads + threadIdx.x;
       j < n; j += stride) {
    const std::int64_t row = first + sorted_rows[j];
    std::int64_t place = j;
    if (!one_chunk) {
      const std::int64_t slot = load_key(keys, key_size, j);
      place = begin[slot] + j - rows_before(ends, slot);
    }
    if (rows.data != nullptr) {
      if (rows.dtype == ZCMOE_I64) {
        static_cast<std::int64_t*>(rows.data)[place * rows.stride] = row;
      } else {
        static_cast<std::int32_t*>(rows.data)[place * rows.stride] = static_cast<std::int32_t>(row);
      }
    }
    for (int c = 0; c < columns.count; ++c) {
      const group_column& column = columns.item[c];
      switch (column.element_size) {
        case 1: move_element<std::uint8_t>(column, place, row); break;
        case 2: move_element<std::uint16_t>(column, place, row); break;
        case 4: move_element<std::uint32_t>(column, place, row); break;
        default: move_element<std::uint64_t>(column, place, row);
      }
    }
  }
}

}  // namespace

void launch_slot_keys(const group_job& chunk, const row_keys& keys, const keyed_rows& rows,
                      zcmoe_stream stream) {
  if (chunk.rows.n == 0) return;
  if (chunk.routes == nullptr) {
    launch(&segment_keys_kernel, route_blocks(chunk.rows.n), route_tuning::threads, 0, stream,
           static_cast<const std::int32_t*>(chunk.rows.x.data),
           static_cast<std::int32_t>(num_segments_of(chunk.num_slots)), chunk.rows.n, rows.keys,
           keys.size, static_cast<std::uint32_t*>(rows.payload));
    return;
  }
  with_typed(chunk.rows.x, [&](auto input) {
    launch(&slot_keys_kernel<decltype(input)>, route_blocks(chunk.rows.n), route_tuning::threads, 0,
           stream, routes_of(*chunk.routes).table<routed_as<decltype(input)>>(), input,
           chunk.rows.n, rows.keys, keys.size, static_cast<std::uint32_t*>(rows.payload));
  });
}

void launch_add_offsets(const std::uint32_t* ends, std::int64_t num_slots, std::int64_t* begin,
                        zcmoe_stream stream) {
  launch(&update_begin_kernel, slot_blocks(num_slots), slot_tuning::threads, 0, stream,
         begin_update::offsets, ends, num_slots, begin);
}

void launch_write_offsets(const group_job& job, const std::int64_t* begin, zcmoe_stream stream) {
  if (job.offsets.data == nullptr) return;
  const std::int64_t num_offsets = job.num_slots + 1;
  launch(&write_offsets_kernel, slot_blocks(num_offsets), slot_tuning::threads, 0, stream, begin,
         num_offsets, static_cast<std::int64_t*>(job.offsets.data), job.offsets.stride);
}

void launch_place_rows(const group_job& job, const row_keys& keys, const keyed_rows& sorted,
                       const std::uint32_t* ends, std::int64_t first, std::int64_t n,
                       std::int64_t* begin, zcmoe_stream stream) {
  if (job.row_numbers.data != nullptr || job.num_columns > 0) {
    column_list columns{};
    columns.count = job.num_columns;
    for (int c = 0; c < job.num_columns; ++c) columns.item[c] = job.columns[c];
    launch(&place_rows_kernel, route_blocks(n), route_tuning::threads, 0, stream, sorted.keys,
           keys.size, static_cast<const std::uint32_t*>(sorted.payload), ends, begin,
           n == job.rows.n, first, n, job.row_numbers, columns);
  }
  if (n == job.rows.n) return;
  launch(&update_begin_kernel, slot_blocks(keys.count), slot_tuning::threads, 0, stream,
         begin_update::places, ends, keys.count, begin);
}

}  // namespace zcmoe::detail
