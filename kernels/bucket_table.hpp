// The CUDA engine's routing table: x -> position in a fixed point of 23 bits -> bucket -> rank, the
// number of thresholds <= x. Built on the host (bucket_table.cpp); what decides a rank is here, for
// host and device, and evaluates the same bits on both. Source of the idea:
// host/routing/monotone_root.hpp.
//
// Position: place = x * scale + offset, one fused multiply-add limited to 0..1 (NaN: 0), then
// 2^23 + 1 + place * range, rounded to a float whose bits are position_bits + position. Both steps
// are monotone, and scale and offset of neighbouring pieces are chosen so that the whole is.
// float64 takes the first step in float64. A bucket is 2^fraction_bits positions. Its word, modulo
// 2^32, is
//   rank << (f + 1) | rest  minus  2 * (the float's bits at the bucket's first position)
// so that word + 2 * bits = rank << (f + 1) | rest + 2 * fraction carries into the rank exactly
// where the bucket's threshold is passed:
//   no threshold   rest = 1
//   one, at t      rest = 2^(f + 1) - 2 t: x at t itself leaves zeros, which asks for a comparison;
//                  + 1 where no T below the threshold shares its position: then t is always passed
//   two or more    the sum's highest bit, which asks for a search
// Tables too large for shared memory have cells instead: threshold, rank and both answers.
#pragma once

#include "host/routing/monotone_root.hpp"
#include "host/routing/thresholds.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace zcmoe::detail {

constexpr std::uint32_t position_bits = 0x4b000000u;  // of 2^23
constexpr int position_width = 23;
constexpr std::uint32_t needs_search = 0x80000000u;

/// What a kernel takes by value to find a bucket.
template <class T>
struct bucket_map {
  static constexpr int num_knots = 7;  // every second one: three steps of the search for a piece
  root_kind kind;
  std::int32_t fraction_bits;
  std::uint32_t num_buckets;
  std::uint32_t num_thresholds;
  std::uint32_t first_word;  // position_bits >> fraction_bits
  std::uint32_t asks;        // of a sum: bits that are all clear, or the highest set, see above
  float range;               // number of positions - 2: the ends lie within the outermost buckets
  T scale;                   // uniform: of the only piece; grid: of the cells
  T offset;
  T knot[num_knots];
};

/// Scale and offset of each piece, and the knots that bucket_map lacks: the head of a table's
/// image.
template <class T>
struct piece_lines {
  T scale[root<T>::max_grid];
  T offset[root<T>::max_grid];
  T knot[root<T>::max_pieces / 2];
};

/// A bucket of a large table, read by one access: within one 32-byte sector.
template <class T>
struct alignas(4 * sizeof(T)) bucket_cell {
  T threshold;         // NaN: none
  std::uint32_t rank;  // of what lies left of it; needs_search: two or more thresholds from here on
  T left;              // constant left of the threshold, in T; 0 for a fit
  T right;
};

/// A table in memory that both host and device code reads by pointers; passed to kernels by value.
template <class T>
struct bucket_table_view {
  bucket_map<T> map;
  const piece_lines<T>* lines;
  const std::uint32_t* words;   // [num_buckets + 1] right behind lines, or null
  const bucket_cell<T>* cells;  // [num_buckets + 1], or null
  const T* thresholds;          // [num_thresholds]
  const std::int32_t* slots;    // [num_thresholds + 2], of rank; null: the rank itself
  T range_begin;                // the range, whatever the policies: see place_of
  T range_end;

  /// Bytes to stage where lines and words are wanted in faster memory; a multiple of 16, and there.
  ZCMOE_HOST_DEVICE std::uint32_t image_bytes() const {
    const std::uint32_t num_words = words != nullptr ? map.num_buckets + 1 : 0;
    return (static_cast<std::uint32_t>(sizeof(piece_lines<T>)) + 4 * num_words + 15) / 16 * 16;
  }
  /// Ranks are 0 .. num_ranks - 1; the last one is that of NaN.
  ZCMOE_HOST_DEVICE std::uint32_t num_ranks() const { return map.num_thresholds + 2; }
  ZCMOE_HOST_DEVICE std::int32_t slot_of(std::uint32_t rank) const {
    return slots != nullptr ? slots[rank] : static_cast<std::int32_t>(rank);
  }
};

/// Lines and words where they are; kernels have a twin in shared memory (route_table.cuh).
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
  /// Word of a bucket, given the position's bits without their fraction.
  ZCMOE_HOST_DEVICE std::uint32_t word(std::uint32_t bits) const { return words[bits - first]; }
};

// ------------------------------------------------------------- arithmetic

ZCMOE_HOST_DEVICE inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// a * b + c, rounded once, limited to 0..1; NaN: 0.
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

/// Cell of the grid: trunc(place * 32), limited to 31; place in 0..1.
ZCMOE_HOST_DEVICE inline std::uint32_t grid_cell(float place) {
  constexpr float below_32 = 0x1.fffffep4f;
#if defined(__CUDA_ARCH__)
  return bits_of(__fmaf_rz(place, below_32, 0x1p23f)) - position_bits;
#else
  return static_cast<std::uint32_t>(static_cast<double>(place) * static_cast<double>(below_32));
#endif
}

/// Bits of the position of a place in 0..1.
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

/// 2 * a + b, modulo 2^32.
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

/// Number of knots <= x, by four steps of a search: the last knots lie in the image.
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

/// Bits of the positions of a batch; the kind of root is the same for all.
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

/// Thresholds [begin, end) among which x's rank lies; maybe one more than need be.
struct rank_range {
  std::uint32_t begin;
  std::uint32_t end;
};

/// Of a crowded bucket.
template <class T, class Image>
ZCMOE_HOST_DEVICE rank_range candidates(const bucket_table_view<T>& table, const Image& image,
                                        std::uint32_t bits) {
  const bucket_map<T>& map = table.map;
  const std::uint32_t bucket = (bits - position_bits) >> map.fraction_bits;
  if (table.cells != nullptr) {
    return {table.cells[bucket].rank & ~needs_search, table.cells[bucket + 1].rank & ~needs_search};
  }
  // A lone threshold at a bucket's first position has carried already: one rank too high.
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

/// True if one of the batch is NaN; two at a time.
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

/// Searches for the few of a batch that ask for it (bit k of `open`), one at a time so that the
/// search is compiled once and nothing is indexed by a number known at run time only. Ranks go to
/// the bits from `shift` on.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void search_open(const bucket_table_view<T>& table, const Image& image,
                                   std::uint32_t open, const T (&x)[Count], int shift,
                                   std::uint32_t (&ranks)[Count]) {
  while (open != 0) {
    const std::uint32_t lowest = open & (~open + 1);
    open ^= lowest;
    T input = x[0];
    for (int k = 1; k < Count; ++k) input = lowest == 1u << k ? x[k] : input;
    const std::uint32_t rank = searched_rank(table, image, input) << shift;
    for (int k = 0; k < Count; ++k) ranks[k] = lowest == 1u << k ? rank : ranks[k];
  }
}

/// Ranks of a batch, of a table with words.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void ranks_by_words(const bucket_table_view<T>& table, const Image& image,
                                      const T (&x)[Count], std::uint32_t (&ranks)[Count]) {
  const bucket_map<T>& map = table.map;
  const int shift = map.fraction_bits + 1;
  // Of a sum: 0 if x shares the threshold's position, < 0 if its bucket is crowded.
  const auto rest = [&](std::uint32_t sum) { return static_cast<std::int32_t>(sum & map.asks); };
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
      std::uint32_t open = 0;
      for (int k = 0; k < Count; ++k) open |= rest(sums[k]) < 0 ? 1u << k : 0u;
      search_open(table, image, open, x, shift, sums);
    }
  }
  if (any_nan(x)) {
    const std::uint32_t nan = (map.num_thresholds + 1) << shift;
    for (int k = 0; k < Count; ++k) sums[k] = x[k] != x[k] ? nan : sums[k];
  }
  for (int k = 0; k < Count; ++k) ranks[k] = sums[k] >> shift;
}

/// Ranks and answers of a batch, of a table with cells. An answer that had to be searched for is
/// looked up by the caller: bit k of the result.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE std::uint32_t ranks_by_cells(const bucket_table_view<T>& table,
                                               const Image& image, const T (&x)[Count],
                                               std::uint32_t (&ranks)[Count], T (&answers)[Count]) {
  std::uint32_t bits[Count];
  positions_of(table.map, image, x, bits);
  std::uint32_t open = 0;
  for (int k = 0; k < Count; ++k) {
    const bucket_cell<T> cell = table.cells[(bits[k] - position_bits) >> table.map.fraction_bits];
    const bool right = cell.threshold <= x[k];
    ranks[k] = cell.rank + (right ? 1u : 0u);
    answers[k] = right ? cell.right : cell.left;
    open |= cell.rank >= needs_search ? 1u << k : 0u;
  }
  if (open != 0) search_open(table, image, open, x, 0, ranks);
  if (any_nan(x)) {
    for (int k = 0; k < Count; ++k) {
      if (x[k] == x[k]) continue;
      ranks[k] = table.map.num_thresholds + 1;
      open |= 1u << k;
    }
  }
  return open;
}

/// Ranks of a batch, of either table.
template <class T, int Count, class Image>
ZCMOE_HOST_DEVICE void ranks_of(const bucket_table_view<T>& table, const Image& image,
                                const T (&x)[Count], std::uint32_t (&ranks)[Count]) {
  if (table.cells == nullptr) {
    ranks_by_words(table, image, x, ranks);
  } else {
    T answers[Count];
    (void)ranks_by_cells(table, image, x, ranks, answers);
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
  std::vector<std::int32_t> slots;  // [num_thresholds + 2], or empty: the ranks themselves
  T range_begin;
  T range_end;
};

/// Of a table's edges and policies, and of the constants of its slots, which cells hold (null:
/// none); all in host memory. Words if they and a table of answers in T fit shared_bytes of shared
/// memory, else cells. `kind` null: chosen by cost. O(m).
template <class T>
bucket_table<T> build_bucket_table(const model_view& edges, const T* constants,
                                   std::size_t shared_bytes, const root_kind* kind = nullptr);

}  // namespace zcmoe::detail
