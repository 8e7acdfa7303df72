// Byte planes: ranks and predictions of 64 inputs at a time from tables that stay in AVX-512
// registers. The code is in intrinsics because Highway has no look-up of bytes in two registers
// (VBMI).
#include "host/cpu/byte_planes.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define ZCMOE_VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

namespace zcmoe::detail {
namespace {

constexpr int fetched_ahead = 1024;  // inputs; the hardware's prefetchers stop at every page

/// A table of Size bytes in registers, looked up by 64 indices at once. `upper` is the mask of bit
/// 7 of each index, which chooses between the halves of 128 bytes.
template <int Size>
struct byte_table {
  __m512i part[Size / 64];

  ZCMOE_VBMI explicit byte_table(const std::uint8_t* bytes) {
    for (std::size_t k = 0; k < Size / 64; ++k) part[k] = _mm512_load_si512(bytes + 64 * k);
  }
  ZCMOE_VBMI __m512i at(__m512i index, __mmask64 upper) const {
    if constexpr (Size == 64) {
      return _mm512_permutexvar_epi8(index, part[0]);
    } else if constexpr (Size == 128) {
      return _mm512_permutex2var_epi8(part[0], index, part[1]);
    } else {
      return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(part[0], index, part[1]),
                                    _mm512_permutex2var_epi8(part[2], index, part[3]));
    }
  }
};

/// Joins 4 planes of 64 bytes to 64 words of 4 bytes, in the order in which packing 4-byte lanes to
/// bytes twice had put the inputs; so the words come out in the order of the inputs.
struct words {
  __m512i part[4];
  ZCMOE_VBMI words(__m512i byte0, __m512i byte1, __m512i byte2, __m512i byte3) {
    const __m512i low01 = _mm512_unpacklo_epi8(byte0, byte1);
    const __m512i high01 = _mm512_unpackhi_epi8(byte0, byte1);
    const __m512i low23 = _mm512_unpacklo_epi8(byte2, byte3);
    const __m512i high23 = _mm512_unpackhi_epi8(byte2, byte3);
    part[0] = _mm512_unpacklo_epi16(low01, low23);
    part[1] = _mm512_unpackhi_epi16(low01, low23);
    part[2] = _mm512_unpacklo_epi16(high01, high23);
    part[3] = _mm512_unpackhi_epi16(high01, high23);
  }
};

/// The tables of one call, for 64, 128 or 256 ranks with four buckets each.
template <int Ranks>
struct plane_tables {
  static constexpr int num_buckets = 4 * Ranks;
  const byte_planes& planes;
  byte_table<Ranks> threshold[4];
  __m512 hi;
  __m512 scale;
  __m512 offset;

  ZCMOE_VBMI explicit plane_tables(const byte_planes& given)
      : planes(given),
        threshold{byte_table<Ranks>(given.threshold[0]), byte_table<Ranks>(given.threshold[1]),
                  byte_table<Ranks>(given.threshold[2]), byte_table<Ranks>(given.threshold[3])},
        hi(_mm512_set1_ps(given.hi)),
        scale(_mm512_set1_ps(given.scale)),
        offset(_mm512_set1_ps(given.offset)) {}

  ZCMOE_VBMI __m512i looked_up(int first, __m512i index) const {
    return _mm512_permutex2var_epi8(_mm512_load_si512(planes.bucket + first), index,
                                    _mm512_load_si512(planes.bucket + first + 64));
  }

  /// The rank at the right end of each input's bucket.
  ZCMOE_VBMI __m512i bucket_ranks(const __m512 (&x)[4]) const {
    __m512i bucket[4];
    for (std::size_t k = 0; k < 4; ++k) {
      const __m512 within = _mm512_min_ps(x[k], hi);  // a NaN becomes hi
      bucket[k] = _mm512_cvtps_epi32(_mm512_fmadd_ps(within, scale, offset));
    }
    // Packing saturates: a negative bucket becomes 0 when bytes are made of words, since bytes are
    // unsigned; from 4-byte lanes to words it stays negative.
    const __m512i words0 = _mm512_packs_epi32(bucket[0], bucket[1]);
    const __m512i words1 = _mm512_packs_epi32(bucket[2], bucket[3]);
    if constexpr (num_buckets == 256) {
      const __m512i index = _mm512_packus_epi16(words0, words1);
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), looked_up(0, index),
                                    looked_up(128, index));
    } else {
      const __m512i low_bits = _mm512_set1_epi16(255);
      const __m512i place0 = _mm512_max_epi16(words0, _mm512_setzero_si512());
      const __m512i place1 = _mm512_max_epi16(words1, _mm512_setzero_si512());
      const __m512i index = _mm512_packus_epi16(_mm512_and_si512(place0, low_bits),
                                                _mm512_and_si512(place1, low_bits));
      const __m512i high =
          _mm512_packus_epi16(_mm512_srli_epi16(place0, 8), _mm512_srli_epi16(place1, 8));
      const __mmask64 bit7 = _mm512_movepi8_mask(index);
      const __mmask64 bit8 = _mm512_test_epi8_mask(high, _mm512_set1_epi8(1));
      const __m512i quarter0 =
          _mm512_mask_blend_epi8(bit7, looked_up(0, index), looked_up(128, index));
      const __m512i quarter1 =
          _mm512_mask_blend_epi8(bit7, looked_up(256, index), looked_up(384, index));
      const __m512i half0 = _mm512_mask_blend_epi8(bit8, quarter0, quarter1);
      if constexpr (num_buckets == 512) return half0;
      const __mmask64 bit9 = _mm512_test_epi8_mask(high, _mm512_set1_epi8(2));
      const __m512i quarter2 =
          _mm512_mask_blend_epi8(bit7, looked_up(512, index), looked_up(640, index));
      const __m512i quarter3 =
          _mm512_mask_blend_epi8(bit7, looked_up(768, index), looked_up(896, index));
      return _mm512_mask_blend_epi8(bit9, half0, _mm512_mask_blend_epi8(bit8, quarter2, quarter3));
    }
  }

  ZCMOE_VBMI __m512i ranks(const __m512 (&x)[4]) const {
    const __m512i rank = bucket_ranks(x);
    const __mmask64 upper = _mm512_movepi8_mask(rank);
    const words own(threshold[0].at(rank, upper), threshold[1].at(rank, upper),
                    threshold[2].at(rank, upper), threshold[3].at(rank, upper));
    // The sign of x - threshold says which is larger, since the difference of unequal floats is
    // never 0 (subnormal numbers are kept).
    __m512i sign[4];
    for (std::size_t k = 0; k < 4; ++k)
      sign[k] = _mm512_castps_si512(_mm512_sub_ps(x[k], _mm512_castsi512_ps(own.part[k])));
    const __mmask64 below = _mm512_movepi8_mask(_mm512_packs_epi16(
        _mm512_packs_epi32(sign[0], sign[1]), _mm512_packs_epi32(sign[2], sign[3])));
    return _mm512_mask_sub_epi8(rank, below, rank, _mm512_set1_epi8(1));
  }
};

/// Far: inputs are fetched to the second-level cache. Of several columns in turn more would have to
/// wait in the first level than it holds, and on Zen 4 that way takes half of the bandwidth.
template <bool Far = false>
ZCMOE_VBMI inline void load(const float* x, __m512 (&inputs)[4]) {
  for (std::size_t k = 0; k < 4; ++k) {
    _mm_prefetch(reinterpret_cast<const char*>(x + 16 * k + fetched_ahead),
                 Far ? _MM_HINT_T1 : _MM_HINT_T0);
    inputs[k] = _mm512_loadu_ps(x + 16 * k);
  }
}
ZCMOE_VBMI inline bool any_input_is_nan(const __m512 (&x)[4]) {
  return (_mm512_cmp_ps_mask(x[0], x[1], _CMP_UNORD_Q) |
          _mm512_cmp_ps_mask(x[2], x[3], _CMP_UNORD_Q)) != 0;
}

/// Bytes that two packings have put out of order come into order: a transposition of 4 x 4 groups
/// of four.
ZCMOE_VBMI inline __m512i in_order(__m512i packed) {
  const __m512i from = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(from, packed);
}

/// What codes ask for beside inputs in the range.
struct code_marks {
  __m512i end;  // the number of segments in each byte
  std::uint8_t nan_slot;
  __mmask64 beside = 0;  // not 0 if a code is none of a segment

  ZCMOE_VBMI code_marks(const route_table<float>& table, std::uint8_t segments)
      : end(_mm512_set1_epi8(static_cast<char>(segments))),
        nan_slot(static_cast<std::uint8_t>(table.slot_of(table.nan_rank()))) {}

  ZCMOE_VBMI void write(const __m512 (&inputs)[4], __m512i code, std::uint8_t* codes) {
    beside |= _mm512_cmpge_epu8_mask(code, end);
    _mm512_storeu_si512(codes, code);
    if (__builtin_expect(any_input_is_nan(inputs), 0)) {
      for (std::size_t k = 0; k < 4; ++k) {
        const __mmask16 nan = _mm512_cmp_ps_mask(inputs[k], inputs[k], _CMP_UNORD_Q);
        _mm_mask_storeu_epi8(codes + 16 * k, nan, _mm_set1_epi8(static_cast<char>(nan_slot)));
      }
      beside |= _mm512_cmpge_epu8_mask(_mm512_loadu_si512(codes), end);
    }
  }
};

/// The slots of ranks: other numbers where there are slots beside the segments.
struct rank_slots {
  alignas(64) std::uint8_t of[256] = {};
  explicit rank_slots(const route_table<float>& table) {
    for (std::size_t r = 0; r < table.slots.size(); ++r)
      of[r] = static_cast<std::uint8_t>(table.slots[r]);
  }
};

template <int Ranks, bool Mapped>
ZCMOE_VBMI bool write_codes(const route_table<float>& table, const float* x, std::uint8_t* codes,
                            std::size_t n, std::uint8_t segments) {
  const plane_tables<Ranks> tables(*table.planes);
  const rank_slots slots(table);
  const byte_table<256> slot_of(slots.of);
  code_marks marks(table, segments);
  for (std::size_t i = 0; i < n; i += 64) {
    __m512 inputs[4];
    load<true>(x + i, inputs);
    __m512i code = in_order(tables.ranks(inputs));
    if constexpr (Mapped) code = slot_of.at(code, _mm512_movepi8_mask(code));
    marks.write(inputs, code, codes + i);
  }
  return marks.beside != 0;
}

/// Few thresholds are compared with each input.
constexpr std::size_t few = 4;

template <std::size_t Count, bool Mapped>
ZCMOE_VBMI bool write_few(const route_table<float>& table, const float* x, std::uint8_t* codes,
                          std::size_t n, std::uint8_t segments) {
  __m512 threshold[Count];
  for (std::size_t t = 0; t < Count; ++t) threshold[t] = _mm512_set1_ps(table.thresholds[t]);
  const rank_slots slots(table);
  const __m512i slot_of = _mm512_load_si512(slots.of);
  code_marks marks(table, segments);
  const __m512i one = _mm512_set1_epi32(1);
  for (std::size_t i = 0; i < n; i += 64) {
    __m512 inputs[4];
    load<true>(x + i, inputs);
    __m512i rank[4];
    for (std::size_t k = 0; k < 4; ++k) {
      rank[k] =
          _mm512_maskz_mov_epi32(_mm512_cmp_ps_mask(inputs[k], threshold[0], _CMP_GE_OQ), one);
      for (std::size_t t = 1; t < Count; ++t) {
        const __mmask16 reached = _mm512_cmp_ps_mask(inputs[k], threshold[t], _CMP_GE_OQ);
        rank[k] = _mm512_mask_add_epi32(rank[k], reached, rank[k], one);
      }
    }
    __m512i code = in_order(_mm512_packus_epi16(_mm512_packs_epi32(rank[0], rank[1]),
                                                _mm512_packs_epi32(rank[2], rank[3])));
    if constexpr (Mapped) code = _mm512_permutexvar_epi8(code, slot_of);
    marks.write(inputs, code, codes + i);
  }
  return marks.beside != 0;
}

template <bool Mapped>
bool write_codes_of(const route_table<float>& table, const float* x, std::uint8_t* codes,
                    std::size_t n, std::uint8_t segments) {
  switch (table.thresholds.size()) {
    case 1: return write_few<1, Mapped>(table, x, codes, n, segments);
    case 2: return write_few<2, Mapped>(table, x, codes, n, segments);
    case 3: return write_few<3, Mapped>(table, x, codes, n, segments);
    case few: return write_few<few, Mapped>(table, x, codes, n, segments);
    default: break;
  }
  switch (table.planes->num_ranks) {
    case 64: return write_codes<64, Mapped>(table, x, codes, n, segments);
    case 128: return write_codes<128, Mapped>(table, x, codes, n, segments);
    default: return write_codes<256, Mapped>(table, x, codes, n, segments);
  }
}

template <int Ranks, bool Stream>
ZCMOE_VBMI void write_values(const route_table<float>& table, const float* x, float* y,
                             std::size_t n) {
  const plane_tables<Ranks> tables(*table.planes);
  const auto& value = table.planes->value;
  const byte_table<Ranks> value0(value[0]);
  const byte_table<Ranks> value1(value[1]);
  const byte_table<Ranks> value2(value[2]);
  const byte_table<Ranks> value3(value[3]);
  const float nan_value = table.values.back();
  for (std::size_t i = 0; i < n; i += 64) {
    __m512 inputs[4];
    load(x + i, inputs);
    const __m512i rank = tables.ranks(inputs);
    const __mmask64 upper = _mm512_movepi8_mask(rank);
    const words prediction(value0.at(rank, upper), value1.at(rank, upper), value2.at(rank, upper),
                           value3.at(rank, upper));
    for (std::size_t k = 0; k < 4; ++k) {
      if constexpr (Stream) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(y + i + 16 * k), prediction.part[k]);
      } else {
        _mm512_storeu_si512(y + i + 16 * k, prediction.part[k]);
      }
    }
    if (__builtin_expect(any_input_is_nan(inputs), 0)) {
      for (std::size_t k = 0; k < 4; ++k) {
        const __mmask16 nan = _mm512_cmp_ps_mask(inputs[k], inputs[k], _CMP_UNORD_Q);
        _mm512_mask_storeu_ps(y + i + 16 * k, nan, _mm512_set1_ps(nan_value));
      }
    }
  }
}

template <int Ranks>
ZCMOE_VBMI void write_ranks(const route_table<float>& table, const float* x, std::uint32_t* ranks,
                            std::size_t n) {
  const plane_tables<Ranks> tables(*table.planes);
  for (std::size_t i = 0; i < n; i += 64) {
    __m512 inputs[4];
    load(x + i, inputs);
    const __m512i rank = tables.ranks(inputs);
    // Two packings have put the bytes out of order; widening them by unpacking undoes that.
    const words wide(rank, _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512());
    for (std::size_t k = 0; k < 4; ++k) _mm512_storeu_si512(ranks + i + 16 * k, wide.part[k]);
    if (__builtin_expect(any_input_is_nan(inputs), 0)) {
      for (std::size_t k = 0; k < 4; ++k) {
        const __mmask16 nan = _mm512_cmp_ps_mask(inputs[k], inputs[k], _CMP_UNORD_Q);
        _mm512_mask_storeu_epi32(ranks + i + 16 * k, nan,
                                 _mm512_set1_epi32(static_cast<int>(table.nan_rank())));
      }
    }
  }
}

template <int Ranks>
void write_values_of(const route_table<float>& table, const float* x, float* y, std::size_t n,
                     bool stream) {
  stream ? write_values<Ranks, true>(table, x, y, n) : write_values<Ranks, false>(table, x, y, n);
}

}  // namespace

bool have_byte_planes() { return __builtin_cpu_supports("avx512vbmi") != 0; }

void planes_values(const route_table<float>& table, const float* x, float* y, std::size_t n,
                   bool stream) {
  switch (table.planes->num_ranks) {
    case 64: write_values_of<64>(table, x, y, n, stream); break;
    case 128: write_values_of<128>(table, x, y, n, stream); break;
    default: write_values_of<256>(table, x, y, n, stream);
  }
}

void planes_ranks(const route_table<float>& table, const float* x, std::uint32_t* ranks,
                  std::size_t n) {
  switch (table.planes->num_ranks) {
    case 64: write_ranks<64>(table, x, ranks, n); break;
    case 128: write_ranks<128>(table, x, ranks, n); break;
    default: write_ranks<256>(table, x, ranks, n);
  }
}

bool planes_codes(const route_table<float>& table, const float* x, std::uint8_t* codes,
                  std::size_t n, std::uint8_t segments) {
  return table.slots_are_ranks ? write_codes_of<false>(table, x, codes, n, segments)
                               : write_codes_of<true>(table, x, codes, n, segments);
}

}  // namespace zcmoe::detail
#else
namespace zcmoe::detail {

bool have_byte_planes() { return false; }
void planes_values(const route_table<float>&, const float*, float*, std::size_t, bool) {}
void planes_ranks(const route_table<float>&, const float*, std::uint32_t*, std::size_t) {}
bool planes_codes(const route_table<float>&, const float*, std::uint8_t*, std::size_t,
                  std::uint8_t) {
  return false;
}

}  // namespace zcmoe::detail
#endif
