// The types of number that columns have, one element at a time.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstdint>

namespace zcmoe::cli {

/// Unsigned 64-bit integers, which NPY files may hold and the library does not take.
constexpr zcmoe_dtype dtype_u64 = -1;

constexpr std::int64_t element_size(zcmoe_dtype dtype) {
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
    default: return 8;
  }
}

/// Element i of a column that is neither float32 nor float64.
double widened_element(const zcmoe_array& column, std::int64_t i);

/// Element i of a column; a 64-bit integer beyond 2^53 is rounded to the nearest double.
inline double element(const zcmoe_array& column, std::int64_t i) {
  if (column.dtype == ZCMOE_F64) return static_cast<const double*>(column.data)[i];
  if (column.dtype == ZCMOE_F32)
    return static_cast<double>(static_cast<const float*>(column.data)[i]);
  return widened_element(column, i);
}

/// Element i of a column whose elements need not lie side by side.
inline double strided_element(const zcmoe_array& column, std::int64_t i) {
  return element(column, i * column.stride);
}

}  // namespace zcmoe::cli
