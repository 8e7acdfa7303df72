// Look-ups by code. With AVX-512 VBMI 64 rows at a time look bytes up in tables that stay in
// registers: differences of constants are bytes in planes, which are then joined to words. The code
// is in intrinsics because Highway has no look-up of bytes in two registers.
#include "host/cpu/bank_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>

namespace zcmoe::detail {
namespace {

// ------------------------------------------------------------- any processor

/// Adds what Count tables say, so that a score is loaded and stored once for all of them.
template <int Count, class Score>
void add_some(const constant_table* tables, const std::uint8_t* codes, std::int64_t stride,
              int count, Score* scores) {
  const std::uint8_t* code[Count];
  const std::uint32_t* more[Count];
  for (int t = 0; t < Count; ++t) {
    code[t] = codes + tables[t].axis * stride;
    more[t] = tables[t].more;
  }
  for (int k = 0; k < count; ++k) {
    auto sum = static_cast<std::uint64_t>(scores[k]);
    for (int t = 0; t < Count; ++t) sum += more[t][code[t][k]];
    scores[k] = static_cast<Score>(sum);
  }
}

template <class Score>
void add(const constant_table* tables, std::size_t num_tables, const std::uint8_t* codes,
         std::int64_t stride, int count, Score* scores) {
  for (; num_tables >= 4; num_tables -= 4, tables += 4)
    add_some<4>(tables, codes, stride, count, scores);
  for (; num_tables > 0; --num_tables, ++tables) add_some<1>(tables, codes, stride, count, scores);
}

template <class Cell>
void cells(const code_cells& table, const std::uint8_t* codes, std::int64_t stride, int count,
           Cell* found) {
  bool first = true;
  for (const code_cells::axis& a : table.axes) {
    const std::uint8_t* const code = codes + a.number * stride;
    if (first) {
      for (int k = 0; k < count; ++k) found[k] = static_cast<Cell>(a.offsets[code[k]]);
    } else {
      for (int k = 0; k < count; ++k) found[k] = static_cast<Cell>(found[k] + a.offsets[code[k]]);
    }
    first = false;
  }
}

constexpr bank_kernels plain = {add<std::int32_t>, add<std::int64_t>, cells<std::uint8_t>,
                                cells<std::uint16_t>, nullptr};

#if defined(__x86_64__)

// ------------------------------------------------------------- AVX-512 VBMI

#define ZCMOE_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

/// A map of Room bytes in registers.
template <int Room>
struct held_map {
  __m512i part[Room / 64];

  ZCMOE_VBMI explicit held_map(const byte_map& map) {
    for (std::size_t k = 0; k < Room / 64; ++k) part[k] = _mm512_load_si512(map.of + 64 * k);
  }
  /// `upper` is bit 7 of each index.
  ZCMOE_VBMI __m512i at(__m512i index, __mmask64 upper) const {
    if constexpr (Room == 64) {
      return _mm512_permutexvar_epi8(index, part[0]);
    } else if constexpr (Room == 128) {
      return _mm512_permutex2var_epi8(part[0], index, part[1]);
    } else {
      return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(part[0], index, part[1]),
                                    _mm512_permutex2var_epi8(part[2], index, part[3]));
    }
  }
};

/// Transposes 4 x 4 groups of 4 bytes. Interleaving bytes to words and these to numbers of 4 bytes,
/// in each 128 bits alone, then puts rows in their order.
ZCMOE_VBMI inline __m512i transposed(__m512i bytes) {
  const __m512i from = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(from, bytes);
}

template <int Room, int Planes>
struct held_constants {
  held_map<Room> plane0;
  held_map<Room> plane1;
  held_map<Room> plane2;
  held_map<Room> plane3;

  ZCMOE_VBMI explicit held_constants(const constant_table& table)
      : plane0(table.planes[0]),
        plane1(table.planes[1]),
        plane2(table.planes[Planes > 2 ? 2 : 0]),
        plane3(table.planes[Planes > 3 ? 3 : 0]) {}

  /// Numbers of 4 bytes of 64 rows.
  ZCMOE_VBMI void look_up(__m512i bytes, __m512i (&more)[4]) const {
    const __m512i index = transposed(bytes);
    const __mmask64 upper = Room == 256 ? _mm512_movepi8_mask(index) : 0;
    const __m512i byte0 = plane0.at(index, upper);
    const __m512i byte1 = plane1.at(index, upper);
    const __m512i low01 = _mm512_unpacklo_epi8(byte0, byte1);
    const __m512i high01 = _mm512_unpackhi_epi8(byte0, byte1);
    __m512i low23 = _mm512_setzero_si512();
    __m512i high23 = low23;
    if constexpr (Planes > 2) {
      const __m512i byte2 = plane2.at(index, upper);
      const __m512i byte3 = Planes > 3 ? plane3.at(index, upper) : _mm512_setzero_si512();
      low23 = _mm512_unpacklo_epi8(byte2, byte3);
      high23 = _mm512_unpackhi_epi8(byte2, byte3);
    }
    more[0] = _mm512_unpacklo_epi16(low01, low23);
    more[1] = _mm512_unpackhi_epi16(low01, low23);
    more[2] = _mm512_unpacklo_epi16(high01, high23);
    more[3] = _mm512_unpackhi_epi16(high01, high23);
  }
};

ZCMOE_VBMI inline void add_to(std::int32_t* scores, __m512i more) {
  _mm512_storeu_si512(scores, _mm512_add_epi32(_mm512_loadu_si512(scores), more));
}
ZCMOE_VBMI inline void add_to(std::int64_t* scores, __m512i more) {
  const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(more));
  const __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(more, 1));
  _mm512_storeu_si512(scores, _mm512_add_epi64(_mm512_loadu_si512(scores), low));
  _mm512_storeu_si512(scores + 8, _mm512_add_epi64(_mm512_loadu_si512(scores + 8), high));
}

template <int Room, int Planes, class Score>
ZCMOE_VBMI void add_table(const constant_table& table, const std::uint8_t* bytes, int count,
                          Score* scores) {
  const held_constants<Room, Planes> held(table);
  for (int k = 0; k < count; k += 64) {
    __m512i more[4];
    held.look_up(_mm512_loadu_si512(bytes + k), more);
    for (int q = 0; q < 4; ++q) add_to(scores + k + 16 * q, more[q]);
  }
}

template <int Room, class Score>
void add_table_of(const constant_table& table, const std::uint8_t* bytes, int count,
                  Score* scores) {
  switch (table.num_planes) {
    case 2: add_table<Room, 2>(table, bytes, count, scores); break;
    case 3: add_table<Room, 3>(table, bytes, count, scores); break;
    default: add_table<Room, 4>(table, bytes, count, scores);
  }
}

/// Several tables of 64 entries: their planes are read again for every 64 rows, and the scores only
/// once, which are four times as long.
template <int Planes>
ZCMOE_VBMI void add_together(const constant_table* tables, std::size_t num_tables,
                             const std::uint8_t* codes, std::int64_t stride, int count,
                             std::int32_t* scores) {
  constexpr std::ptrdiff_t rows = 16;  // of a register
  for (int k = 0; k < count; k += 64) {
    __m512i sums[4];
    for (int q = 0; q < 4; ++q) sums[q] = _mm512_loadu_si512(scores + k + q * rows);
    for (std::size_t t = 0; t < num_tables; ++t) {
      const held_constants<64, Planes> held(tables[t]);
      __m512i more[4];
      held.look_up(_mm512_loadu_si512(codes + tables[t].axis * stride + k), more);
      for (int q = 0; q < 4; ++q) sums[q] = _mm512_add_epi32(sums[q], more[q]);
    }
    for (int q = 0; q < 4; ++q) _mm512_storeu_si512(scores + k + q * rows, sums[q]);
  }
}

template <class Score>
void add_by_planes(const constant_table* tables, std::size_t num_tables, const std::uint8_t* codes,
                   std::int64_t stride, int count, Score* scores) {
  for (std::size_t t = 0; t < num_tables; ++t) {
    if constexpr (sizeof(Score) == 4) {
      std::size_t last = t;
      int planes = 2;
      for (; last < num_tables && tables[last].room == 64; ++last)
        planes = std::max(planes, tables[last].num_planes);
      if (last - t > 1) {
        (planes < 4 ? add_together<3> : add_together<4>)(tables + t, last - t, codes, stride, count,
                                                         scores);
        t = last - 1;
        continue;
      }
    }
    const std::uint8_t* const bytes = codes + tables[t].axis * stride;
    switch (tables[t].room) {
      case 64: add_table_of<64>(tables[t], bytes, count, scores); break;
      case 128: add_table_of<128>(tables[t], bytes, count, scores); break;
      default: add_table_of<256>(tables[t], bytes, count, scores);
    }
  }
}

template <int Room>
ZCMOE_VBMI void add_bytes(const code_cells::axis& a, const std::uint8_t* codes, int count,
                          std::uint8_t* found, bool first) {
  const held_map<Room> held(a.low);
  for (int k = 0; k < count; k += 64) {
    const __m512i code = _mm512_loadu_si512(codes + k);
    const __m512i low = held.at(code, Room == 256 ? _mm512_movepi8_mask(code) : 0);
    _mm512_storeu_si512(found + k,
                        first ? low : _mm512_add_epi8(_mm512_loadu_si512(found + k), low));
  }
}

/// Cells keep the order in which bytes of 128 bits are interleaved with others until all are added:
/// see in_order().
template <int Room>
ZCMOE_VBMI void add_words(const code_cells::axis& a, const std::uint8_t* codes, int count,
                          std::uint16_t* found, bool first) {
  const held_map<Room> held_low(a.low);
  const held_map<Room> held_high(a.high);
  for (int k = 0; k < count; k += 64) {
    const __m512i code = _mm512_loadu_si512(codes + k);
    const __mmask64 upper = Room == 256 ? _mm512_movepi8_mask(code) : 0;
    const __m512i low = held_low.at(code, upper);
    const __m512i high = held_high.at(code, upper);
    __m512i cells0 = _mm512_unpacklo_epi8(low, high);
    __m512i cells1 = _mm512_unpackhi_epi8(low, high);
    if (!first) {
      cells0 = _mm512_add_epi16(_mm512_loadu_si512(found + k), cells0);
      cells1 = _mm512_add_epi16(_mm512_loadu_si512(found + k + 32), cells1);
    }
    _mm512_storeu_si512(found + k, cells0);
    _mm512_storeu_si512(found + k + 32, cells1);
  }
}

void cells_u8_by_planes(const code_cells& table, const std::uint8_t* codes, std::int64_t stride,
                        int count, std::uint8_t* found) {
  bool first = true;
  for (const code_cells::axis& a : table.axes) {
    const std::uint8_t* const code = codes + a.number * stride;
    switch (a.room) {
      case 64: add_bytes<64>(a, code, count, found, first); break;
      case 128: add_bytes<128>(a, code, count, found, first); break;
      default: add_bytes<256>(a, code, count, found, first);
    }
    first = false;
  }
}

ZCMOE_VBMI void in_order(int count, std::uint16_t* found) {
  const __m512i lower = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const __m512i upper = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  for (int k = 0; k < count; k += 64) {
    const __m512i cells0 = _mm512_loadu_si512(found + k);
    const __m512i cells1 = _mm512_loadu_si512(found + k + 32);
    _mm512_storeu_si512(found + k, _mm512_permutex2var_epi64(cells0, lower, cells1));
    _mm512_storeu_si512(found + k + 32, _mm512_permutex2var_epi64(cells0, upper, cells1));
  }
}

void cells_u16_by_planes(const code_cells& table, const std::uint8_t* codes, std::int64_t stride,
                         int count, std::uint16_t* found) {
  bool first = true;
  for (const code_cells::axis& a : table.axes) {
    const std::uint8_t* const code = codes + a.number * stride;
    switch (a.room) {
      case 64: add_words<64>(a, code, count, found, first); break;
      case 128: add_words<128>(a, code, count, found, first); break;
      default: add_words<256>(a, code, count, found, first);
    }
    first = false;
  }
  in_order(count, found);
}

ZCMOE_VBMI inline void write(__m512 some, float* values, bool streams) {
  if (streams) {
    _mm512_stream_ps(values, some);
  } else {
    _mm512_storeu_ps(values, some);
  }
}

ZCMOE_VBMI void scaled_by_planes(const std::int32_t* scores, int count, float scale, float* values,
                                 bool streams) {
  const __m512 factor = _mm512_set1_ps(scale);
  int k = 0;
  for (; k + 16 <= count; k += 16) {
    write(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(scores + k)), factor), values + k,
          streams);
  }
  for (; k < count; ++k) values[k] = static_cast<float>(scores[k]) * scale;
}

constexpr bank_kernels by_planes = {add_by_planes<std::int32_t>, add_by_planes<std::int64_t>,
                                    cells_u8_by_planes, cells_u16_by_planes, scaled_by_planes};

#endif

}  // namespace

const bank_kernels& bank_kernels_of(const cpu_target& target) {
#if defined(__x86_64__)
  if (target.planes != plane_use::never) return by_planes;
#endif
  (void)target;
  return plain;
}

}  // namespace zcmoe::detail
