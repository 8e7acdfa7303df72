// The CUDA engine's routing table. Data flow: x -> place in 0..1 -> position, a whole number of at
// most 23 bits -> bucket -> rank, the number of thresholds <= x -> slot. Tables are built on the
// host (bucket_table.cpp); the functions that decide a rank are here, and give the same bits on
// host and device. Source of the idea, and of "root", this code's name for the monotone map that is
// the first stage: host/routing/monotone_root.hpp.
//
// 1. Position. place = x * scale + offset is one fused multiply-add, limited to 0..1 (a NaN becomes
//    0). Then 2^23 + 1 + place * range is rounded to a float. Between 2^23 and 2^24 floats are the
//    whole numbers, so the bits of this float are position_bits + position:
//      place = 0.5, range = 30: the float is 2^23 + 16, its bits are 0x4b000010: position 16.
//    Both steps are monotone in x, and the scales and offsets of neighbouring pieces are chosen
//    such that the map stays monotone where the piece changes. For float64 inputs the first step is
//    done in float64.
// 2. Bucket. A bucket is 2^f neighbouring positions, f = fraction_bits. The lower f bits of a
//    position are its fraction within the bucket.
// 3. Rank. A bucket has a word of 32 bits. Let `begin` be the number of thresholds in the buckets
//    before it. The word is, modulo 2^32,
//      (begin << (f + 1) | rest) - 2 * (the float's bits at the bucket's first position)
//    so that adding 2 * bits, one instruction, gives
//      sum = (begin << (f + 1) | rest) + 2 * fraction
//    which carries into the bits of the rank exactly where the bucket's threshold is passed. The
//    rest depends on the thresholds in the bucket:
//      none         rest = 1: 1 + 2 * fraction < 2^(f + 1) never carries.
//      one          rest = 2^(f + 1) - 2 t, where t is the threshold's fraction. An input at
//                   fraction t leaves zeros below the rank (a tie), and is then compared with the
//                   threshold itself. If no T below the threshold shares its position, rest is
//                   larger by one: every input at that position has passed the threshold.
//      two or more  rest has the highest bit set (needs_search), and so has the sum: the rank is
//                   found by a search among the thresholds.
//
//    Example: f = 2, begin = 5, and one threshold at fraction t = 2, so rest = 8 - 4 = 4.
//      fraction of x   sum                           rank   bits below the rank
//      1               (5 << 3 | 4) + 2 = 5 << 3 | 6   5    6: decided
//      2               (5 << 3 | 4) + 4 = 6 << 3 | 0   6    0: a tie; 5 if x is below the threshold
//      3               (5 << 3 | 4) + 6 = 6 << 3 | 2   6    2: decided
//    If this is bucket 3, its first position is 12 and its bits are 0x4b00000c. The word is
//    44 - 2 * 0x4b00000c = 0x6a000014 modulo 2^32, and the sum for fraction 1 is
//    0x6a000014 + 2 * 0x4b00000d = 46 modulo 2^32, which is 5 << 3 | 6.
//
// A table that is too large for shared memory has cells in place of words: a cell holds the
// bucket's threshold, the rank of the inputs below it, and the constants on both sides of it.
#pragma once

#include "host/routing/monotone_root.hpp"
#include "host/routing/thresholds.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace zcmoe::detail {

constexpr std::uint32_t position_bits = 0x4b000000u;  // the bits of 2^23 as a float
constexpr int position_width = 23;
constexpr std::uint32_t needs_search = 0x80000000u;

/// The parameters of the map from an input to its bucket; a kernel takes them by value.
template <class T>
struct bucket_map {
  static constexpr int num_knots = 7;  // knots 2, 4 .. 14 of the root; see piece_among_knots
  root_kind kind;
  std::int32_t fraction_bits;
  std::uint32_t num_buckets;
  std::uint32_t num_thresholds;
  std::uint32_t first_word;      // position_bits >> fraction_bits
  std::uint32_t undecided_mask;  // the bits of a sum below its rank, and needs_search
  float range;  // number of positions - 2: positions are 1 .. number of positions - 1, so that even
                // the ends lie in buckets that exist
  T scale;   // uniform root: scale of the only piece; grid root: scale from x to the grid's cells
  T offset;  // goes with scale
  T knot[num_knots];
};

/// Scale and offset of each piece of the root, and its knots 1, 3 .. 15, which bucket_map lacks.
/// These are the head of a table's image, the block of memory that kernels copy to shared memory.
template <class T>
struct piece_lines {
  T scale[root<T>::max_grid];
  T offset[root<T>::max_grid];
  T knot[root<T>::max_pieces / 2];
};

/// A bucket of a table too large for shared memory. Its alignment keeps it within one 32-byte
/// sector of device memory, so that an input costs one access.
template <class T>
struct alignas(4 * sizeof(T)) bucket_cell {
  T threshold;         // NaN unless the bucket has exactly one
  std::uint32_t rank;  // rank of inputs below the threshold; needs_search is set if there are two
                       // or more thresholds in the bucket
  T left;   // constant of inputs below the threshold, rounded to T; 0 in the table of a fit
  T right;  // constant of inputs from the threshold on
};

/// Pointers to a table in host memory (tests) or in device memory; passed to kernels by value.
template <class T>
struct bucket_table_view {
  bucket_map<T> map;
  const piece_lines<T>* lines;
  const std::uint32_t* words;   // [num_buckets + 1] right behind `lines`, or null
  const bucket_cell<T>* cells;  // [num_buckets + 1], or null
  const T* thresholds;          // [num_thresholds]
  const std::int32_t* slots;    // slot of each rank, [num_thresholds + 2]; null: a rank is its slot
  T range_begin;                // the range is range_begin <= x < range_end, whatever the policies
  T range_end;                  // (place_of in host/engine/fit_row.hpp)

  /// Bytes of the image: the lines, the words, and padding to a multiple of 16 that belongs to the
  /// table's memory too, so that kernels can copy whole words of 16 bytes.
  ZCMOE_HOST_DEVICE std::uint32_t image_bytes() const {
    const std::uint32_t num_words = words != nullptr ? map.num_buckets + 1 : 0;
    return (static_cast<std::uint32_t>(sizeof(piece_lines<T>)) + 4 * num_words + 15) / 16 * 16;
  }
  /// Ranks are 0 .. num_ranks() - 1; the last of them is the rank of NaN.
  ZCMOE_HOST_DEVICE std::uint32_t num_ranks() const { return map.num_thresholds + 2; }
  ZCMOE_HOST_DEVICE std::int32_t slot_of(std::uint32_t rank) const {
    return slots != nullptr ? slots[rank] : static_cast<std::int32_t>(rank);
  }
};

/// Reads a table's lines and words where the table's pointers say. shared_image in route_table.cuh
/// has the same functions and reads a copy in shared memory.
template <class T>
struct plain_image {
  const piece_lines<T>* lines;
  const std::uint32_t* words;
  std::uint32_t first;

  explicit ZCMOE_HOST_DEVICE plain_image(const bucket_table_view<T>& table)
      : lines(table.lines), words(table.words), first(table.map.first_word) {}
  ZCMOE_HOST_DEVICE T scale(std::uint32_t piece) const { return lines->scale[piece]; }
  ZCMOE_HOST_DEVICE T offset(std::uint32_t piece) const { return lines->offset[piece]; }
  ZCMOE_HOST_DEVICE T knot(std::uint32_t pair) const { return lines->knot[pair]; }
  /// Word of a bucket; `bits` are those of a position in it, shifted right by fraction_bits.
  ZCMOE_HOST_DEVICE std::uint32_t word(std::uint32_t bits) const { return words[bits - first]; }
};

// ------------------------------------------------------------- arithmetic

ZCMOE_HOST_DEVICE inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// a * b + c rounded once, then limited to 0..1; 0 if the sum is NaN.
ZCMOE_HOST_DEVICE inline float saturated_fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  float limited;
  asm("fma.rn.sat.f32 %0, %1, %2, %3;" : "=f"(limited) : "f"(a), "f"(b), "f"(c));
  return limited;
#else
  const float sum = std::fma(a, b, c);
  return sum > 0.0f ? (sum < 1.0f ? sum : 1.0f) : 0.0f;
#endif
}
ZCMOE_HOST_DEVICE inline float saturated_fma(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  float limited;
  asm("cvt.rn.sat.f32.f64 %0, %1;" : "=f"(limited) : "d"(__fma_rn(a, b, c)));
  return limited;
#else
  const double sum = std::fma(a, b, c);
  return static_cast<float>(sum > 0.0 ? (sum < 1.0 ? sum : 1.0) : 0.0);
#endif
}

/// The grid cell, 0 .. 31, of a place in 0..1: the whole part of place * below_32, where below_32
/// is the greatest float below 32, so that place 1 falls into cell 31. The device adds 2^23 and
/// rounds towards zero, which leaves the whole part in the low bits: 0.7 * 31.999998 = 22.399998,
/// plus 2^23 has the bits 0x4b000016, and 0x16 is 22.
ZCMOE_HOST_DEVICE inline std::uint32_t grid_cell(float place) {
  constexpr float below_32 = 0x1.fffffep4f;
#if defined(__CUDA_ARCH__)
  return bits_of(__fmaf_rz(place, below_32, 0x1p23f)) - position_bits;
#else
  return static_cast<std::uint32_t>(static_cast<double>(place) * static_cast<double>(below_32));
#endif
}

/// position_bits + position of a place in 0..1; step 1 of the example at the top of this file.
ZCMOE_HOST_DEVICE inline std::uint32_t bits_of_place(float place, float range) {
  constexpr float first = 0x1.000002p23f;
#if defined(__CUDA_ARCH__)
  std::uint32_t bits;
  asm("fma.rn.f32 %0, %1, %2, %3;" : "=r"(bits) : "f"(place), "f"(range), "f"(first));
  return bits;
#else
  return bits_of(std::fma(place, range, first));
#endif
}

/// 2 * a + b modulo 2^32, as one instruction.
ZCMOE_HOST_DEVICE inline std::uint32_t twice_plus(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
  std::uint32_t sum;
  asm("mad.lo.u32 %0, %1, 2, %2;" : "=r"(sum) : "r"(a), "r"(b));
  return sum;
#else
  return 2 * a + b;
#endif
}

// --------------------------------------------------------------- decisions

/// The piece of x: the number of knots <= x among knots 1 .. 15, by a binary search of four steps.
/// Three steps read the even knots, which kernels have as parameters; the last reads an odd one
/// from the image. Example: x lies between knots 5 and 6. It is below knot 8, not below 4, below 6:
/// pair 2, that is piece 4 or 5. It is not below knot 5: piece 5.
template <class T, class Image>
ZCMOE_HOST_DEVICE std::uint32_t piece_among_knots(const bucket_map<T>& map, const Image& image,
                                                  T x) {
  const bool upper = map.knot[3] <= x;
  const bool third = (upper ? map.knot[5] : map.knot[1]) <= x;
  const T even = upper ? (third ? map.knot[6] : map.knot[4]) : (third ? map.knot[2] : map.knot[0]);
  const std::uint32_t pair = (upper ? 4u : 0u) + (third ? 2u : 0u) + (even <= x ? 1u : 0u);
  return 2 * pair + (image.knot(pair) <= x ? 1u : 0u);
}

template <class T, class Image>
ZCMOE_HOST_DEVICE std::uint32_t piece_of(const bucket_map<T>& map, const Image& image, T x) {
  return map.kind == root_kind::grid ? grid_cell(saturated_fma(x, map.scale, map.offset))
                                     : piece_among_knots(map, image, x);
}

/// position_bits + position of each input of a batch. The kind of root is tested once, since all
/// inputs share the table.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void positions_of(const bucket_map<T>& map, const Image& image,
                                    const T (&x)[Count], std::uint32_t (&bits)[Count]) {
  if (map.kind == root_kind::uniform) {
    for (int k = 0; k < Count; ++k) {
      bits[k] = bits_of_place(saturated_fma(x[k], map.scale, map.offset), map.range);
    }
  } else if (map.kind == root_kind::grid) {
    for (int k = 0; k < Count; ++k) {
      const std::uint32_t piece = grid_cell(saturated_fma(x[k], map.scale, map.offset));
      bits[k] =
          bits_of_place(saturated_fma(x[k], image.scale(piece), image.offset(piece)), map.range);
    }
  } else {
    for (int k = 0; k < Count; ++k) {
      const std::uint32_t piece = piece_among_knots(map, image, x[k]);
      bits[k] =
          bits_of_place(saturated_fma(x[k], image.scale(piece), image.offset(piece)), map.range);
    }
  }
}

/// A search for a rank starts with this: begin <= rank <= end. There may be one threshold more in
/// it than necessary.
struct rank_range {
  std::uint32_t begin;
  std::uint32_t end;
};

/// The thresholds to search for an input whose bucket is crowded, which means that it holds two or
/// more; `bits` are those of the input's position.
template <class T, class Image>
ZCMOE_HOST_DEVICE rank_range candidates(const bucket_table_view<T>& table, const Image& image,
                                        std::uint32_t bits) {
  const bucket_map<T>& map = table.map;
  const std::uint32_t bucket = (bits - position_bits) >> map.fraction_bits;
  if (table.cells != nullptr) {
    return {table.cells[bucket].rank & ~needs_search, table.cells[bucket + 1].rank & ~needs_search};
  }
  // The sum at a bucket's first position has `begin` as its rank. If the bucket's only threshold
  // lies at this first position, the sum has carried and the rank is one too high, which only adds
  // that threshold to the search.
  const auto rank_at = [&](std::uint32_t b) {
    const std::uint32_t first = position_bits + (b << map.fraction_bits);
    const std::uint32_t sum = twice_plus(first, image.word(first >> map.fraction_bits));
    return (sum & ~needs_search) >> (map.fraction_bits + 1);
  };
  return {rank_at(bucket), rank_at(bucket + 1)};
}

/// The rank of an x in a crowded bucket, by a search among its thresholds.
template <class T, class Image>
ZCMOE_HOST_DEVICE std::uint32_t searched_rank(const bucket_table_view<T>& table, const Image& image,
                                              T x) {
  const T one[1] = {x};
  std::uint32_t bits[1];
  positions_of(table.map, image, one, bits);
  rank_range range = candidates(table, image, bits[0]);
  while (range.begin < range.end) {
    const std::uint32_t middle = range.begin + (range.end - range.begin) / 2;
    if (table.thresholds[middle] <= x) {
      range.begin = middle + 1;
    } else {
      range.end = middle;
    }
  }
  return range.begin;
}

/// True if one of the batch is NaN. Inputs are compared in pairs, which halves the comparisons: a <
/// b and a >= b are both false exactly if a or b is NaN.
template <class T, int Count>
ZCMOE_HOST_DEVICE bool any_nan(const T (&x)[Count]) {
  bool found = false;
  for (int k = 0; k < Count; k += 2) {
    const T a = x[k];
    const T b = x[k + 1 < Count ? k + 1 : k];
    found = found | !((a < b) | (a >= b));
  }
  return found;
}

/// Searches for the ranks of the few inputs of a batch in crowded buckets: x[k] for each bit k set
/// in `crowded`. ranks[k] becomes rank << shift. Inputs are taken one at a time, so that the search
/// is compiled once, and x and ranks are selected by comparison, never indexed by a number that is
/// unknown at compile time: the device would put such an array into local memory.
/// Example: crowded = 0b1010. lowest = crowded & -crowded = 0b0010 selects x[1], then 0b1000
/// selects x[3].
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void search_crowded(const bucket_table_view<T>& table, const Image& image,
                                      std::uint32_t crowded, const T (&x)[Count], int shift,
                                      std::uint32_t (&ranks)[Count]) {
  while (crowded != 0) {
    const std::uint32_t lowest = crowded & (~crowded + 1);
    crowded ^= lowest;
    T input = x[0];
    for (int k = 1; k < Count; ++k) input = lowest == 1u << k ? x[k] : input;
    const std::uint32_t rank = searched_rank(table, image, input) << shift;
    for (int k = 0; k < Count; ++k) ranks[k] = lowest == 1u << k ? rank : ranks[k];
  }
}

/// Ranks of a batch by a table with words; step 3 at the top of this file.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void ranks_by_words(const bucket_table_view<T>& table, const Image& image,
                                      const T (&x)[Count], std::uint32_t (&ranks)[Count]) {
  const bucket_map<T>& map = table.map;
  const int shift = map.fraction_bits + 1;
  // What a sum says besides its rank: 0 for a tie, which needs a comparison; below 0 for a crowded
  // bucket; above 0 if the rank is decided. So the least of a batch finds both exceptions at once.
  const auto rest = [&](std::uint32_t sum) {
    return static_cast<std::int32_t>(sum & map.undecided_mask);
  };
  std::uint32_t sums[Count];
  std::int32_t least = 1;
  positions_of(map, image, x, sums);
  for (int k = 0; k < Count; ++k) {
    sums[k] = twice_plus(sums[k], image.word(sums[k] >> map.fraction_bits));
    least = rest(sums[k]) < least ? rest(sums[k]) : least;
  }
  if (least <= 0) {
    for (int k = 0; k < Count; ++k) {
      if (rest(sums[k]) != 0) continue;
      const bool passed = table.thresholds[(sums[k] >> shift) - 1] <= x[k];
      sums[k] -= passed ? 0u : 1u << shift;
    }
    if (least < 0) {
      std::uint32_t crowded = 0;
      for (int k = 0; k < Count; ++k) crowded |= rest(sums[k]) < 0 ? 1u << k : 0u;
      search_crowded(table, image, crowded, x, shift, sums);
    }
  }
  if (any_nan(x)) {
    const std::uint32_t nan = (map.num_thresholds + 1) << shift;
    for (int k = 0; k < Count; ++k) sums[k] = x[k] != x[k] ? nan : sums[k];
  }
  for (int k = 0; k < Count; ++k) ranks[k] = sums[k] >> shift;
}

/// Ranks and constants of a batch by a table with cells. If bit k of the result is set, x[k] is NaN
/// or its bucket is crowded: ranks[k] is right, but the caller must look the constant up by that
/// rank.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE std::uint32_t ranks_by_cells(const bucket_table_view<T>& table,
                                               const Image& image, const T (&x)[Count],
                                               std::uint32_t (&ranks)[Count],
                                               T (&constants)[Count]) {
  std::uint32_t bits[Count];
  positions_of(table.map, image, x, bits);
  std::uint32_t exceptions = 0;
  for (int k = 0; k < Count; ++k) {
    const bucket_cell<T> cell = table.cells[(bits[k] - position_bits) >> table.map.fraction_bits];
    const bool right = cell.threshold <= x[k];
    ranks[k] = cell.rank + (right ? 1u : 0u);
    constants[k] = right ? cell.right : cell.left;
    exceptions |= cell.rank >= needs_search ? 1u << k : 0u;
  }
  if (exceptions != 0) search_crowded(table, image, exceptions, x, 0, ranks);
  if (any_nan(x)) {
    for (int k = 0; k < Count; ++k) {
      if (x[k] == x[k]) continue;
      ranks[k] = table.map.num_thresholds + 1;
      exceptions |= 1u << k;
    }
  }
  return exceptions;
}

/// Ranks of a batch by a table of either kind.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void ranks_of(const bucket_table_view<T>& table, const Image& image,
                                const T (&x)[Count], std::uint32_t (&ranks)[Count]) {
  if (table.cells == nullptr) {
    ranks_by_words(table, image, x, ranks);
  } else {
    T constants[Count];
    (void)ranks_by_cells(table, image, x, ranks, constants);
  }
}

// ---------------------------------------------------------------- building

/// A table in host memory.
template <class T>
struct bucket_table {
  bucket_map<T> map;
  piece_lines<T> lines;
  std::vector<std::uint32_t> words;   // [num_buckets + 1], or empty
  std::vector<bucket_cell<T>> cells;  // [num_buckets + 1], or empty
  std::vector<T> thresholds;
  std::vector<std::int32_t> slots;  // [num_thresholds + 2], by rank; empty: ranks are slots
  T range_begin;
  T range_end;
};

/// Builds the routing table of a model's edges and policies. All arguments are in host memory.
/// `constants` are those of the model's slots, which cells repeat; null: cells hold 0. The table
/// has words if these and one constant per rank fit into shared_bytes of shared memory, else cells.
/// The kind of root is chosen by cost if `kind` is null. Takes O(m) for m segments.
template <class T>
bucket_table<T> build_bucket_table(const model_view& edges, const T* constants,
                                   std::size_t shared_bytes, const root_kind* kind = nullptr);

}  // namespace zcmoe::detail
