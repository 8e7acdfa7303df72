// What every array of inputs in host memory must be; for the c_api files.
#pragma once

#include "host/array.hpp"
#include "host/error.hpp"

#include <cstdint>
#include <limits>

namespace zcmoe::detail {

inline void check_input(const zcmoe_array& a, const char* name, std::int64_t n) {
  const std::int64_t size = size_of(a.dtype);
  ZCMOE_EXPECTS(size > 0 && a.dtype != ZCMOE_I64, name, ".dtype=", a.dtype, " (", name_of(a.dtype),
                ") is not a type of inputs");
  ZCMOE_EXPECTS(a.data != nullptr || n == 0, name, ".data is null but n=", n);
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(a.data) % static_cast<std::uintptr_t>(size) == 0,
                name, ".data is not aligned to its ", size, "-byte type");
  const std::int64_t reach = std::numeric_limits<std::int64_t>::max() / size;
  ZCMOE_EXPECTS(n <= 1 || (a.stride <= reach / (n - 1) && a.stride >= -(reach / (n - 1))), name,
                ".stride=", a.stride, " times n=", n, " exceeds the address space");
}

}  // namespace zcmoe::detail
