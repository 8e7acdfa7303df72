// First step of a fit that sorts: (x, y, w)[n] -> key (its slot) and payload of each row, row
// counters, first refused row. judge_row decides what becomes of a row, as on the CPU. The routing
// table is read through the caches, since it is often too large for a block's shared memory.
// Counters are added up per warp and per block, then in the chunk's counters by atomic additions.
#include "cuda_check.hpp"
#include "cuda_router.hpp"
#include "launchers.hpp"
#include "row_tally.cuh"
#include "stored_key.cuh"

#include <type_traits>

namespace zcmoe::detail {
namespace {

/// Writes key and payload of each row. Where the payload is a float or double, it is the target, or
/// NaN if the row is left out. Where it is a uint32 (sorts_numbers), it is the row's number within
/// the chunk, or absent_row. w has no data in fits without weights.
template <class Input, class Payload>
__global__ __launch_bounds__(route_tuning::threads) void route_kernel(
    const __grid_constant__ row_rules rules,
    const __grid_constant__ bucket_table_view<routed_as<Input>> routes, Input x, any_array y,
    any_array w, std::int64_t n, void* keys, int key_size, Payload* payload, std::int64_t* counters,
    std::int64_t* first_bad) {
  using T = routed_as<Input>;
  constexpr bool is_number = std::is_same_v<Payload, std::uint32_t>;
  const unsigned lane = threadIdx.x % 32;
  const plain_image<T> image(routes);
  // A chunk has at most 2^26 rows, so 32 bits hold what a thread, warp or block counts.
  std::uint32_t total = 0;
  std::int64_t refused_row = no_row;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * route_tuning::threads;
  for (std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * route_tuning::threads; tile < n;
       tile += stride) {
    const std::int64_t i = tile + threadIdx.x;
    std::uint32_t row_counters = 0;
    if (i < n) {
      const T input[1] = {static_cast<T>(x[i])};
      const double target = y[i];
      std::uint32_t rank[1];
      ranks_of(routes, image, input, rank);
      const input_place place = place_of(input[0], routes.range_begin, routes.range_end);
      const row_verdict verdict =
          judge_row(rules, place, target, is_number && w.data != nullptr ? w[i] : 1.0,
                    routes.slot_of(rank[0]));
      row_counters = verdict.counters;
      // A row that is left out gets key 0: a key of its own could cost the sort one bit more.
      const bool present = verdict.slot >= 0;
      store_key(keys, key_size, i, present ? static_cast<std::uint32_t>(verdict.slot) : 0);
      if constexpr (is_number) {
        payload[i] = present ? static_cast<std::uint32_t>(i) : absent_row;
      } else {
        payload[i] = present ? static_cast<Payload>(target) : static_cast<Payload>(NAN);
      }
      if (verdict.refused && refused_row == no_row)
        refused_row = i;  // the first, as rows of a thread ascend
    }
    total += tally(row_counters, lane);
  }
  add_row_counts(total, refused_row, n, counters, first_bad);
}

template <class Payload>
void launch_route_as(const fit_job& chunk, const row_keys& keys, const keyed_rows& rows,
                     chunk_counts& counts, zcmoe_stream stream) {
  with_typed(chunk.rows.x, [&](auto input) {
    launch(&route_kernel<decltype(input), Payload>, route_blocks(chunk.rows.n),
           route_tuning::threads, 0, stream, chunk.rules,
           routes_of(*chunk.routes).table<routed_as<decltype(input)>>(), input, any(chunk.y),
           any(chunk.weights), chunk.rows.n, rows.keys, keys.size,
           static_cast<Payload*>(rows.payload), counts.counter, &counts.first_bad);
  });
}

}  // namespace

void launch_route(const fit_job& chunk, const row_keys& keys, const keyed_rows& rows,
                  chunk_counts& counts, zcmoe_stream stream) {
  if (chunk.rows.n == 0) return;
  if (sorts_numbers(chunk.layout)) {
    launch_route_as<std::uint32_t>(chunk, keys, rows, counts, stream);
  } else if (chunk.layout.target_dtype == ZCMOE_F32) {
    launch_route_as<float>(chunk, keys, rows, counts, stream);
  } else {
    launch_route_as<double>(chunk, keys, rows, counts, stream);
  }
}

}  // namespace zcmoe::detail
