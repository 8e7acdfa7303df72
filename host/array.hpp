// Strided arrays of any dtype, read on host and device: each element widens to double exactly.
#pragma once

#include <zcmoe/model_view.hpp>
#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <cstring>

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
    case ZCMOE_I64: return 8;
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

/// Element i of an array known to be of type T; the fast paths of both engines.
template <class T>
struct typed_array {
  const T* data;
  std::int64_t stride;
  ZCMOE_HOST_DEVICE double operator[](std::int64_t i) const {
    return static_cast<double>(data[i * stride]);
  }
};

/// Element i of an array whose type is known at run time only.
struct any_array {
  const void* data;
  std::int64_t stride;
  zcmoe_dtype dtype;

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
      default: return 0.0;
    }
  }
};

inline any_array any(const zcmoe_array& a) { return {a.data, a.stride, a.dtype}; }

/// Calls body with the array as its own type where that is worth a kernel of its own, else as
/// any_array.
template <class Body>
void with_typed(const zcmoe_array& a, Body&& body) {
  switch (a.dtype) {
    case ZCMOE_F32: body(typed_array<float>{static_cast<const float*>(a.data), a.stride}); break;
    case ZCMOE_F64: body(typed_array<double>{static_cast<const double*>(a.data), a.stride}); break;
    default: body(any(a));
  }
}

}  // namespace zcmoe::detail
