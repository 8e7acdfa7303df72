// Tables of a model of several inputs as blocks keep them in shared memory, for columns of float32.
// Data flow: bank_tables -> one image, whose first bytes every block stages -> look-ups by rank
// alone. What an axis adds is folded by rank, so that no code is formed:
//
// - Axis tables of one axis are one table: rank -> what they add to the score.
// - Cell numbers of other banks are formed side by side in words of 32 bits, the packs. A bank of
//   256 cells takes 8 bits of a pack. An axis has one table a pack: rank -> the offsets of all the
//   banks in it, each at its bits. Words are added modulo 2^32; parts may be below 0, but each cell
//   number fits its bits, so the sum of the axes has all cell numbers side by side.
//
// Constants are taken relative to the least of their bank, so that scores are whole numbers from 0
// on, which fit 32 bits. If only one bank is there, its cells lead to answers at once.
#pragma once

#include "bucket_table.hpp"
#include "host/routing/banks.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Byte offset of a table that is not there.
constexpr std::uint32_t no_table = 0xffffffffu;

/// An axis. Here and below tables are byte offsets in the image.
struct staged_axis {
  static constexpr int most_packs = 4;

  bucket_table_view<float> routes;  // its pointers are for ties and crowded buckets
  std::uint32_t image;              // its lines and words
  std::uint32_t constants;          // by rank; no_table if there are no tables of this axis alone
  std::uint32_t parts[most_packs];  // by rank, of each pack; likewise
  bool refuses_nan;                 // whether a row with such an input has no answer
  bool refuses_outside;
};

/// A bank that is in a pack. Constants beyond the bytes that are staged are read from device
/// memory.
struct staged_bank {
  std::uint32_t constants;  // by cell
  std::uint32_t shift;      // of its cell number in the pack
  std::uint32_t mask;       // of as many bits as cell numbers take
};

/// What becomes of scores: sums are scaled; scores are routed to the values of segments; of a
/// single bank, constants are the values themselves.
enum class staged_head : std::int32_t { sum, narrow_sum, score, values };

/// A kernel takes it by value.
struct staged_view {
  static constexpr int most_axes = 16;
  static constexpr int most_banks = 32;

  staged_axis axes[most_axes];
  staged_bank banks[most_banks];  // those of pack p: [bank_begin[p], bank_begin[p + 1])
  std::int32_t bank_begin[staged_axis::most_packs + 1];
  std::int32_t num_axes;
  std::int32_t num_packs;
  staged_head head;
  // Of sums, (base + score) * scale.
  std::int64_t base;
  float scale;
  // Of scores, which are drawn to [least, greatest] and counted from least on: the bucket of a
  // score is score >> shift. Words, one a bucket, are as those of bucket_table.hpp: what is added
  // to a score carries into the bits of the segment where the bucket's threshold is passed.
  std::uint32_t least;
  std::uint32_t greatest;
  std::uint32_t shift;
  std::uint32_t words;
  std::uint32_t values;      // by segment, float
  std::uint32_t thresholds;  // not staged: for crowded buckets
  std::uint32_t num_thresholds;
  // The image in device memory, and how much of it is staged: whole words of 16 bytes.
  const unsigned char* image;
  std::uint32_t staged_bytes;
};

/// Builds the image of a model, if it is one of tables that fit: no trees, few axes, scores of 32
/// bits. `axes` are the axes' routing tables.
/// @param[out] view   all but what points to device memory: the image and the routing tables
/// @param[out] image  the bytes
/// @return whether there is one
bool build_staged_points(const bank_tables& tables, const std::vector<bucket_table<float>>& axes,
                         std::size_t shared_bytes, staged_view& view,
                         std::vector<unsigned char>& image);

}  // namespace zcmoe::detail
