// Strided arrays of any dtype, read on host and device. Each element becomes a double: exactly, or
// for a 64-bit integer that no double holds, on the same side of every edge.
#pragma once

#include <zcmoe/model_view.hpp>
#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <cstring>
#include <limits>

namespace zcmoe::detail {

constexpr std::int64_t size_of(zcmoe_dtype dtype) {
  switch (dtype) {
    case ZCMOE_I8:
    case ZCMOE_U8: return 1;
    case ZCMOE_F16:
    case ZCMOE_BF16:
    case ZCMOE_I16:
    case ZCMOE_U16: return 2;
    case ZCMOE_F32:
    case ZCMOE_I32:
    case ZCMOE_U32: return 4;
    case ZCMOE_F64:
    case ZCMOE_I64:
    case ZCMOE_U64: return 8;
    default: return 0;
  }
}

constexpr const char* name_of(zcmoe_dtype dtype) {
  switch (dtype) {
    case ZCMOE_F32: return "F32";
    case ZCMOE_F64: return "F64";
    case ZCMOE_F16: return "F16";
    case ZCMOE_BF16: return "BF16";
    case ZCMOE_I8: return "I8";
    case ZCMOE_U8: return "U8";
    case ZCMOE_I16: return "I16";
    case ZCMOE_U16: return "U16";
    case ZCMOE_I32: return "I32";
    case ZCMOE_U32: return "U32";
    case ZCMOE_I64: return "I64";
    case ZCMOE_U64: return "U64";
    default: return "unknown";
  }
}

ZCMOE_HOST_DEVICE inline double double_of_f16(std::uint16_t bits) {
  const std::uint64_t sign = static_cast<std::uint64_t>(bits >> 15) << 63;
  const unsigned exponent = (bits >> 10) & 31u;
  const std::uint64_t fraction = bits & 1023u;
  if (exponent == 0) {  // zero or a subnormal: fraction * 2^-24, which is exact in double
    const double magnitude = static_cast<double>(fraction) * 0x1p-24;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint64_t wide_exponent = exponent == 31 ? 2047u : exponent + 1008u;
  const std::uint64_t wide = sign | (wide_exponent << 52) | (fraction << 42);
  double value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

ZCMOE_HOST_DEVICE inline double double_of_bf16(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return static_cast<double>(value);
}

/// Whether there are values of this type that double does not hold exactly.
constexpr bool is_wide_integer(zcmoe_dtype dtype) {
  return dtype == ZCMOE_I64 || dtype == ZCMOE_U64;
}

/// The double next above (step 1) or below (step -1) a finite value that is not 0. The bits of
/// doubles of one sign, read as an integer, are in the order of their magnitudes. Example: 1.0 has
/// the bits 0x3FF0000000000000, and the double above it 0x3FF0000000000001.
ZCMOE_HOST_DEVICE inline double neighbour_of(double value, int step) {
  std::int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits += value > 0 ? step : -step;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// A 64-bit integer as a double that lies on the same side of every edge of a table as it does.
///
/// Let v be the integer. Unless a double equals it, let d < v < u be the two doubles around it. No
/// double lies between d and u, so no edge e does, and v compares with e as one of them:
///
///   e <= v, v < e, v >= e   as   e <= d, d < e, d >= e        (d decides)
///   e < v,  v > e, v <= e   as   e < u,  u > e, u <= e        (u decides)
///
/// The search of a left-closed table with the edges a_0 < ... < a_m compares inner edges by e <= v
/// and the start by v < a_0, where d decides. It compares the end by v >= a_m, where d decides, or,
/// if a_m is included, by v > a_m, where u does; d gives another result than u there only if d =
/// a_m. Where d >= a_m, u gives the right result in each comparison: v is above the range, beyond
/// every inner edge, and not below a_0. So v becomes u if d >= a_m, else d.
///
/// The search of a right-closed table compares inner edges by e < v and the end by v > a_m, where u
/// decides. It compares the start by v <= a_0, where u decides, or, if a_0 is included, by v < a_0,
/// where d does; u gives another result than d there only if u = a_0. Where u <= a_0, which is d <
/// a_0, d gives the right result in each comparison: v is below the range, before every inner edge,
/// and not above a_m. So v becomes d if d < a_0, else u.
///
/// Both rules are one: u if d >= pivot, else d, where the pivot is a_m of a left-closed table and
/// a_0 of a right-closed one. Example: with the edges 0 and 2^53, left-closed, 2^53 included, v =
/// 2^53 + 1 lies outside. d = 2^53 would lie in the range, u = 2^53 + 2 does not. A pivot of
/// +infinity makes it d always.
template <class Integer>
ZCMOE_HOST_DEVICE double double_on_same_side(Integer value, double pivot) {
  // One more than the largest value: 2^63 or 2^64.
  constexpr double end = static_cast<Integer>(-1) < 0 ? 0x1p63 : 0x1p64;
  const double near = static_cast<double>(value);  // d or u, as the rounding mode decides
  const bool above = near >= end || static_cast<Integer>(near) > value;
  if (!above && static_cast<Integer>(near) == value) return near;
  const double below_value = above ? neighbour_of(near, -1) : near;
  const double above_value = above ? near : neighbour_of(near, 1);
  return below_value >= pivot ? above_value : below_value;
}

/// The pivot of double_on_same_side for a table: the edge at which 64-bit integers change from the
/// double below to the one above them. The edges are in memory that the caller can read.
inline double pivot_of(const double* edges, std::int64_t num_segments, std::int32_t closed_side) {
  return closed_side == ZCMOE_CLOSED_LEFT ? edges[num_segments] : edges[0];
}

/// Reads an array that is known to be of type T; for the fast paths of both engines.
template <class T>
struct typed_array {
  const T* data;
  std::int64_t stride;
  ZCMOE_HOST_DEVICE double operator[](std::int64_t i) const {
    return static_cast<double>(data[i * stride]);
  }
};

/// Reads an array whose type is known at run time only. Elements become doubles exactly, except
/// that 64-bit integers become doubles on the same side of every edge of the table to which the
/// pivot belongs.
struct any_array : zcmoe_array {
  double pivot;

  ZCMOE_HOST_DEVICE double operator[](std::int64_t i) const {
    const std::int64_t k = i * stride;
    switch (dtype) {
      case ZCMOE_F32: return static_cast<double>(static_cast<const float*>(data)[k]);
      case ZCMOE_F64: return static_cast<const double*>(data)[k];
      case ZCMOE_F16: return double_of_f16(static_cast<const std::uint16_t*>(data)[k]);
      case ZCMOE_BF16: return double_of_bf16(static_cast<const std::uint16_t*>(data)[k]);
      case ZCMOE_I8: return static_cast<const std::int8_t*>(data)[k];
      case ZCMOE_U8: return static_cast<const std::uint8_t*>(data)[k];
      case ZCMOE_I16: return static_cast<const std::int16_t*>(data)[k];
      case ZCMOE_U16: return static_cast<const std::uint16_t*>(data)[k];
      case ZCMOE_I32: return static_cast<const std::int32_t*>(data)[k];
      case ZCMOE_U32: return static_cast<const std::uint32_t*>(data)[k];
      case ZCMOE_I64: return double_on_same_side(static_cast<const std::int64_t*>(data)[k], pivot);
      case ZCMOE_U64: return double_on_same_side(static_cast<const std::uint64_t*>(data)[k], pivot);
      default: return 0.0;
    }
  }
};

/// Without a table 64-bit integers become the largest doubles that are not above them.
inline any_array any(const zcmoe_array& a, double pivot = std::numeric_limits<double>::infinity()) {
  return {a, pivot};
}

/// Calls body with the array as a typed_array where that is worth code of its own, else as
/// any_array.
template <class Body>
void with_typed(const any_array& a, Body&& body) {
  switch (a.dtype) {
    case ZCMOE_F32: body(typed_array<float>{static_cast<const float*>(a.data), a.stride}); break;
    case ZCMOE_F64: body(typed_array<double>{static_cast<const double*>(a.data), a.stride}); break;
    default: body(a);
  }
}

}  // namespace zcmoe::detail
