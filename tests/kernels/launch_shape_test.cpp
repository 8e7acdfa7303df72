// Tests of the shapes of the CUDA engine's launches and of its workspace (kernels/launchers.hpp).
// They are numbers, so the tests need neither a device nor a CUDA compiler.
#include "kernels/launchers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t two_31 = std::int64_t{1} << 31;

/// Numbers of items: 0, 1, around one tile and two, around 2^31 and far beyond.
std::vector<std::int64_t> sizes_around(std::int64_t tile) {
  return {0,
          1,
          tile - 1,
          tile,
          tile + 1,
          2 * tile - 1,
          2 * tile + 1,
          two_31 - 1,
          two_31,
          two_31 + 7,
          two_31 * 2 + 11,
          two_31 * 1000};
}

TEST(launch_shape, ceil_div_does_not_overflow) {
  EXPECT_EQ(ceil_div(0, 8), 0);
  EXPECT_EQ(ceil_div(1, 8), 1);
  EXPECT_EQ(ceil_div(8, 8), 1);
  EXPECT_EQ(ceil_div(9, 8), 2);
  EXPECT_EQ(ceil_div(INT64_MAX, 2), INT64_MAX / 2 + 1);
}

TEST(launch_shape, striding_launches_start_one_block_a_tile_up_to_their_limit) {
  struct shape {
    int (*blocks)(std::int64_t);
    std::int64_t tile;
    std::int64_t most;
  };
  const shape shapes[] = {
      {[](std::int64_t n) { return gather_blocks(n); },
       gather_tuning::threads * gather_tuning::per_thread, gather_tuning::most_blocks},
      {[](std::int64_t n) { return points_blocks(n, 64); }, 64, points_tuning::most_blocks},
      {[](std::int64_t n) { return learn_blocks(n, 3); }, learn_tuning::rows_of_block,
       learn_tuning::most_blocks / 3},
      {[](std::int64_t n) { return learn_blocks(n, 5000); }, learn_tuning::rows_of_block, 1},
      {[](std::int64_t n) { return route_blocks(n); }, route_tuning::threads,
       route_tuning::most_blocks}};
  for (const shape& s : shapes) {
    for (const std::int64_t n : sizes_around(s.tile)) {
      const std::int64_t blocks = s.blocks(n);
      EXPECT_LE(blocks, s.most) << n;
      EXPECT_TRUE(blocks == s.most || (blocks * s.tile >= n && (blocks - 1) * s.tile < n)) << n;
    }
    EXPECT_EQ(s.blocks(0), 0);
    EXPECT_EQ(s.blocks(INT64_MAX), s.most);
  }
}

TEST(launch_shape, covering_launches_give_every_item_a_thread) {
  const std::int64_t reduce_tile = reduce_tuning::threads * reduce_tuning::per_thread;
  for (const std::int64_t n :
       {std::int64_t{1}, reduce_tile - 1, reduce_tile, reduce_tile + 1, max_chunk_rows}) {
    const std::int64_t blocks = reduce_blocks(n);
    EXPECT_GE(blocks * reduce_tile, n);
    EXPECT_LT((blocks - 1) * reduce_tile, n);
  }
  for (const std::int64_t slots : {std::int64_t{4}, std::int64_t{255}, std::int64_t{256},
                                   std::int64_t{257}, std::int64_t{ZCMOE_MAX_SEGMENTS} + 3}) {
    EXPECT_GE(std::int64_t{slot_blocks(slots)} * slot_tuning::threads, slots);
    EXPECT_LT((std::int64_t{slot_blocks(slots)} - 1) * slot_tuning::threads, slots);
    EXPECT_GE(std::int64_t{summarize_blocks(slots)} * summarize_tuning::threads, slots);
  }
}

/// Cards of compute capability 7.5, 8.0, 8.6, 9.0 and 12.0: multiprocessors, threads and shared
/// memory of each, shared memory of a block.
constexpr device_limits cards[] = {{40, 1024, 64 << 10, 64 << 10},
                                   {108, 2048, 164 << 10, 163 << 10},
                                   {84, 1536, 100 << 10, 99 << 10},
                                   {132, 2048, 228 << 10, 227 << 10},
                                   {170, 1536, 100 << 10, 99 << 10}};

TEST(launch_shape, streams_fill_a_card_and_fit_its_shared_memory) {
  for (const device_limits& card : cards) {
    for (std::size_t shared = 512; shared + 256 <= card.shared_per_block; shared += 1000) {
      const launch_shape shape = stream_shape(card, shared, std::int64_t{1} << 40, 4);
      ASSERT_GT(shape.blocks, 0);
      ASSERT_EQ(shape.blocks % card.num_sms, 0);
      const int a_sm = shape.blocks / card.num_sms;
      EXPECT_LE(a_sm * shape.threads, card.threads_per_sm);
      EXPECT_LE(static_cast<std::size_t>(a_sm) * (shared + 1024), card.shared_per_sm);
      // Each multiprocessor has 32 KiB of loads in flight, however large the table is.
      EXPECT_GE(a_sm * shape.threads * 16 * stream_tuning::loads, 32 << 10) << shared;
    }
  }
}

TEST(launch_shape, codes_of_a_block_fit) {
  EXPECT_EQ(points_threads(0), points_tuning::most_threads);
  for (int num_axes = 1; num_axes <= ZCMOE_MAX_INPUTS; ++num_axes) {
    const int threads = points_threads(num_axes);
    EXPECT_GE(threads, 32);
    EXPECT_EQ(threads % 32, 0);
    // With what the kernel has beside them, within what every block may have.
    EXPECT_LE(threads * num_axes + 256, 48 << 10);
  }
}

TEST(launch_shape, streams_of_several_columns) {
  for (const device_limits& card : cards) {
    for (const std::size_t shared : {std::size_t{16}, std::size_t{20000}, std::size_t{45000}}) {
      for (const int per_thread : {4, 8}) {
        for (const std::size_t thread_bytes : {std::size_t{0}, std::size_t{16}, std::size_t{60}}) {
          for (const std::int64_t n :
               {std::int64_t{1}, std::int64_t{1000}, std::int64_t{1} << 31}) {
            const launch_shape shape =
                stream_points_shape(card, shared, thread_bytes, n, 4, per_thread);
            ASSERT_GE(shape.blocks, 1) << n;
            EXPECT_LE(shape.threads, 1024);
            EXPECT_EQ(shape.threads % 32, 0);
            const std::int64_t tile = std::int64_t{shape.threads} * per_thread;
            EXPECT_LE((shape.blocks - 2) * tile, n);
            // 64 registers a thread.
            EXPECT_LE(ceil_div(shape.blocks, card.num_sms) * shape.threads, 1024);
            EXPECT_LE(shared + thread_bytes * static_cast<std::size_t>(shape.threads),
                      card.shared_per_block);
          }
        }
      }
    }
  }
}

TEST(launch_shape, streams_start_no_more_blocks_than_they_have_work_for) {
  const device_limits& card = cards[3];
  for (const std::size_t shared :
       {std::size_t{512}, std::size_t{8} << 10, std::size_t{200} << 10}) {
    std::int64_t last = 0;
    for (std::int64_t n = 1; n < std::int64_t{1} << 50; n += n / 3 + 1) {
      const launch_shape shape = stream_shape(card, shared, n, 4);
      ASSERT_GE(shape.blocks, 1) << n;
      ASSERT_GE(shape.blocks, last) << n;
      last = shape.blocks;
      const std::int64_t tile = std::int64_t{shape.threads} * 4 * stream_tuning::loads;
      EXPECT_LE((shape.blocks - 2) * tile, n);
      EXPECT_LE(static_cast<std::int64_t>(shared) * (shape.blocks - 1),
                n * 4 * stream_tuning::staged_per_input);
    }
    EXPECT_EQ(last % card.num_sms, 0);
  }
}

TEST(launch_shape, blocks_are_whole_warps) {
  for (const int threads : {gather_tuning::threads, route_tuning::threads, reduce_tuning::threads,
                            slot_tuning::threads, summarize_tuning::threads}) {
    EXPECT_EQ(threads % 32, 0);
    EXPECT_LE(threads, 1024);
  }
  EXPECT_GE(slot_tuning::threads, num_row_counters)
      << "merge adds the counters with the first block";
}

TEST(launch_shape, keys_take_the_narrowest_type_and_no_more_bits_than_needed) {
  struct expected {
    std::int64_t count;
    int size;
    int bits;
  };
  for (const expected& e : {expected{1, 1, 0},
                            {2, 1, 1},
                            {3, 1, 2},
                            {255, 1, 8},
                            {256, 1, 8},
                            {257, 2, 9},
                            {65535, 2, 16},
                            {65536, 2, 16},
                            {65537, 4, 17},
                            {ZCMOE_MAX_SEGMENTS, 4, 30},
                            {ZCMOE_MAX_SEGMENTS + 3, 4, 31}}) {
    const row_keys keys = keys_for(e.count);
    EXPECT_EQ(keys.size, e.size) << e.count;
    EXPECT_EQ(keys.bits, e.bits) << e.count;
  }
  EXPECT_EQ(keys_for({256, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP}).count, 256);
  EXPECT_EQ(keys_for({256, ZCMOE_NAN_VALUE, ZCMOE_RANGE_VALUE}).count, 256);
  EXPECT_EQ(keys_for({256, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_CLAMP}).count, 259);
  EXPECT_EQ(keys_for({256, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_SEGMENTS}).count, 259);
}

constexpr device_limits device_with(std::size_t shared_bytes) {
  return {132, 2048, shared_bytes + 1024, shared_bytes};
}
constexpr std::size_t h100_shared = 227 << 10;

TEST(launch_shape, sums_stay_in_shared_memory_while_they_fit_and_pay) {
  const auto sort_free = [](std::int64_t num_segments, zcmoe_dtype dtype, bool weighted,
                            std::size_t shared_bytes) {
    return is_sort_free({num_segments, dtype, weighted}, device_with(shared_bytes));
  };
  constexpr std::size_t small_card = 64 << 10;
  for (const std::int64_t m : {1, 2, 64, 256, 512, 4096, 7000}) {
    EXPECT_TRUE(sort_free(m, ZCMOE_F32, false, h100_shared)) << m;
    EXPECT_FALSE(sort_free(m, ZCMOE_F64, false, h100_shared)) << m;
    EXPECT_FALSE(sort_free(m, ZCMOE_F32, true, h100_shared)) << m;
  }
  EXPECT_FALSE(sort_free(7300, ZCMOE_F32, false, h100_shared));
  EXPECT_FALSE(sort_free(ZCMOE_MAX_SEGMENTS, ZCMOE_F32, false, h100_shared));
  EXPECT_TRUE(sort_free(1850, ZCMOE_F32, false, small_card));
  EXPECT_FALSE(sort_free(1950, ZCMOE_F32, false, small_card));
  EXPECT_FALSE(sort_free(8, ZCMOE_F32, false, 0));
}

TEST(launch_shape, columns_are_as_many_as_fit_beside_the_routing_table) {
  for (const std::size_t shared : {std::size_t{64} << 10, h100_shared}) {
    for (std::int64_t records = 3;
         is_sort_free({records - 3, ZCMOE_F32, false}, device_with(shared)); records += 7) {
      for (const std::size_t words : {2, 8}) {  // of the image, per record
        const std::size_t image = 320 + 4 * words * static_cast<std::size_t>(records);
        int last = 0;
        for (const int most : {0, 1, 2}) {
          const accumulate_shape shape = accumulate_shape_for(records, image, std::int64_t{1} << 24,
                                                              device_with(shared), most);
          EXPECT_LE(shape.shared_bytes + accumulate_tuning::own_bytes, shared);
          EXPECT_EQ(shape.shared_bytes,
                    (static_cast<std::size_t>(records) * 32 << shape.column_bits) +
                        (shape.staged ? image : 0) + outside_tuning::bytes(shape.outside_bits));
          EXPECT_LE(shape.column_bits, most);
          EXPECT_GE(shape.column_bits, last);
          last = shape.column_bits;
        }
      }
    }
  }
  const auto columns = [](std::int64_t records) {
    return 1 << accumulate_shape_for(records, static_cast<std::size_t>(320 + 16 * records), 1 << 24,
                                     device_with(h100_shared), 2)
                    .column_bits;
  };
  EXPECT_EQ(columns(515), 4);
  EXPECT_EQ(columns(1500), 4);
  EXPECT_EQ(columns(2500), 2);
  EXPECT_EQ(columns(4099), 1);
  EXPECT_FALSE(accumulate_shape_for(7000, 60000, 1 << 24, device_with(h100_shared), 2).staged);
}

TEST(launch_shape, the_cost_model_counts_bytes_wavefronts_and_instructions) {
  EXPECT_DOUBLE_EQ(fit_costs::bytes_sorted(keys_for(256)), 8 + 20);
  EXPECT_DOUBLE_EQ(fit_costs::bytes_sorted(keys_for(65536)), 8 + 36);
  EXPECT_DOUBLE_EQ(fit_costs::bytes_sorted(keys_for(std::int64_t{1} << 24)), 8 + 64);
  // With four or two columns the instructions are the limit, with one column the banks are.
  const auto per_32_rows = [](int column_bits) {
    const window_records records{100, column_bits};
    return (fit_costs::sort_free(3200000, records, 1) - fit_costs::sort_free(0, records, 1)) / 1e5;
  };
  EXPECT_NEAR(per_32_rows(2), 28.75, 1e-9);
  EXPECT_NEAR(per_32_rows(1), 28.75, 1e-9);
  EXPECT_NEAR(per_32_rows(0), 38, 1e-9);
  const auto sorted_32_rows = [](std::int64_t num_keys) {
    const row_keys keys = keys_for(num_keys);
    return (fit_costs::sorted(3200000, keys, 1) - fit_costs::sorted(0, keys, 1)) / 1e5;
  };
  EXPECT_NEAR(sorted_32_rows(256), 105, 1e-9);
  EXPECT_NEAR(sorted_32_rows(65536), 142.5, 1e-9);
  EXPECT_LT(fit_costs::sort_free(0, {1, 2}, 132), fit_costs::sorted(0, keys_for(1), 132));
}

TEST(launch_shape, the_table_of_targets_outside_takes_what_is_left_and_what_rows_pay_for) {
  const auto bits = [](std::int64_t records, std::int64_t n) {
    return accumulate_shape_for(records, 320, n, device_with(h100_shared), 2).outside_bits;
  };
  EXPECT_EQ(bits(11, std::int64_t{1} << 26), 4) << "an entry a record";
  EXPECT_EQ(bits(67, std::int64_t{1} << 26), 7);
  EXPECT_EQ(bits(515, std::int64_t{1} << 26), 9);
  EXPECT_EQ(bits(515, std::int64_t{1} << 24), 8);
  EXPECT_EQ(bits(515, 100000), 4) << "few rows";
  EXPECT_EQ(bits(1750, std::int64_t{1} << 26), 4) << "little room";
}

TEST(launch_shape, sort_free_blocks_are_one_a_processor_at_most) {
  const std::int64_t tile = accumulate_tuning::threads * accumulate_tuning::per_thread;
  for (const std::int64_t slots : {std::int64_t{1}, std::int64_t{515}, std::int64_t{7000}}) {
    int last = 1;
    for (const std::int64_t n :
         {std::int64_t{1}, tile, tile + 1, 64 * tile, std::int64_t{1} << 24, max_chunk_rows}) {
      const int blocks = accumulate_blocks(n, slots, 132);
      EXPECT_GE(blocks, last);
      EXPECT_LE(blocks, std::max<std::int64_t>(ceil_div(n, tile), 1));
      last = blocks;
    }
    EXPECT_EQ(accumulate_blocks(max_chunk_rows, slots, 132), 132);
  }
  EXPECT_LT(accumulate_blocks(std::int64_t{1} << 20, 7000, 132), 30)
      << "records cost more than rows";
}

TEST(launch_shape, payload_is_the_target_or_with_weights_a_row_number) {
  EXPECT_EQ(payload_size({8, ZCMOE_F32, false}), 4);
  EXPECT_EQ(payload_size({8, ZCMOE_F64, false}), 8);
  EXPECT_EQ(payload_size({8, ZCMOE_F32, true}), 4);
  EXPECT_EQ(payload_size({8, ZCMOE_F64, true}), 4);
  EXPECT_LT(max_chunk_rows, std::int64_t{absent_row})
      << "row numbers of a chunk, and the mark of an absent row";
  EXPECT_LE(max_chunk_rows, max_pending_rows) << "a chunk must fit the digits after a carry";
}

TEST(launch_shape, workspace_regions_are_aligned_apart_and_large_enough) {
  for (const std::int64_t count : {std::int64_t{1}, std::int64_t{300}, std::int64_t{70000}}) {
    for (const std::int64_t rows :
         {std::int64_t{1}, std::int64_t{255}, std::int64_t{65537}, max_chunk_rows}) {
      for (const int payload_bytes : {4, 8}) {
        const row_keys keys = keys_for(count);
        const std::size_t scratch = 12345;
        const chunk_regions r = regions_for(rows, keys, payload_bytes, scratch);
        struct region {
          std::size_t at;
          std::size_t bytes;
        };
        const auto n = static_cast<std::size_t>(rows);
        std::vector<region> all = {
            {r.keys[0], n * static_cast<std::size_t>(keys.size)},
            {r.keys[1], n * static_cast<std::size_t>(keys.size)},
            {r.payload[0], n * static_cast<std::size_t>(payload_bytes)},
            {r.payload[1], n * static_cast<std::size_t>(payload_bytes)},
            {r.segment_ends, static_cast<std::size_t>(count) * sizeof(std::uint32_t)},
            {r.sort_scratch, scratch}};
        std::sort(all.begin(), all.end(),
                  [](const region& a, const region& b) { return a.at < b.at; });
        std::size_t end = 0;
        for (const region& each : all) {
          EXPECT_EQ(each.at % 256, 0u);
          EXPECT_GE(each.at, end);
          end = each.at + each.bytes;
        }
        EXPECT_GE(r.total, end);
        EXPECT_LT(r.total, end + 256);
      }
    }
  }
}

TEST(launch_shape, workspace_grows_with_rows) {
  const row_keys keys = keys_for(1000);
  std::size_t last = 0;
  for (std::int64_t rows = 1; rows <= max_chunk_rows; rows += rows / 3 + 1) {
    const std::size_t total = regions_for(rows, keys, 8, 4096).total;
    EXPECT_GE(total, last);
    last = total;
  }
}

}  // namespace
}  // namespace zcmoe::detail
