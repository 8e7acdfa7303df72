// Strided arrays of any dtype, read on host and device: each element widens to double exactly.
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
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in double
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

/// Whether double may not hold a value of this type exactly.
constexpr bool is_wide_integer(zcmoe_dtype dtype) {
  return dtype == ZCMOE_I64 || dtype == ZCMOE_U64;
}

/// The double next above (step 1) or below (step -1) a finite one that is not 0.
ZCMOE_HOST_DEVICE inline double neighbour_of(double value, int step) {
  std::int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits += value > 0 ? step : -step;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// A 64-bit integer as a double that lies on the same side of every edge of a table as it does.
///
/// Let v be the integer and, unless a double holds it, d < v < u the two doubles around it. No
/// double lies between these, so no edge e does, and each question that a search asks of v is
/// answered by one of the two:
///
///   e <= v, v < e, v >= e   are   e <= d, d < e, d >= e        ("asked below")
///   e < v,  v > e, v <= e   are   e < u,  u > e, u <= e        ("asked above")
///
/// Left-closed tables (a_0 <= ... < a_m) ask inner edges e <= v, and v < a_0: below; the end
/// v >= a_m below too, but v > a_m, where a_m is included, above. The two differ for d = a_m alone,
/// and there u answers every question: above the range, beyond every inner edge, not below a_0. For
/// d > a_m both answer alike. So: u if d >= a_m, else d.
/// Right-closed tables ask inner edges e < v, and v > a_m: above; the start v <= a_0 above too, but
/// v < a_0, where a_0 is included, below. These differ for u = a_0 alone, and there d answers every
/// question: below the range, before every inner edge, not above a_m. For u < a_0 both answer
/// alike. So: d if d < a_0 (which is u <= a_0), else u.
///
/// In one line: u if d >= pivot, else d; the pivot is a_m of a left-closed table and a_0 of a
/// right-closed one. Example: edges 0 and 2^53, left-closed, 2^53 included, v = 2^53 + 1: d = 2^53
/// would be in the range, u = 2^53 + 2 is not. A pivot of +infinity makes it d always.
template <class Integer>
ZCMOE_HOST_DEVICE double double_on_same_side(Integer value, double pivot) {
  // One past the largest value: 2^63 or 2^64.
  constexpr double end = static_cast<Integer>(-1) < 0 ? 0x1p63 : 0x1p64;
  const double near = static_cast<double>(value);  // d or u, as the rounding mode says
  const bool above = near >= end || static_cast<Integer>(near) > value;
  if (!above && static_cast<Integer>(near) == value) return near;
  const double below_value = above ? neighbour_of(near, -1) : near;
  const double above_value = above ? near : neighbour_of(near, 1);
  return below_value >= pivot ? above_value : below_value;
}

/// Where 64-bit integers change from the double below to the one above them; edges in memory of the
/// caller's.
inline double pivot_of(const double* edges, std::int64_t num_segments, std::int32_t closed_side) {
  return closed_side == ZCMOE_CLOSED_LEFT ? edges[num_segments] : edges[0];
}

/// Element i of an array known to be of type T; the fast paths of both engines.
template <class T>
struct typed_array {
  const T* data;
  std::int64_t stride;
  ZCMOE_HOST_DEVICE double operator[](std::int64_t i) const {
    return static_cast<double>(data[i * stride]);
  }
};

/// Element i of an array whose type is known at run time only. Exact, but that 64-bit integers
/// become doubles on the same side of every edge of the table that the pivot is of.
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

/// Without a table: 64-bit integers become the largest doubles that are not above them.
inline any_array any(const zcmoe_array& a, double pivot = std::numeric_limits<double>::infinity()) {
  return {a, pivot};
}

/// Calls body with the array as its own type where that is worth a kernel of its own, else as
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
