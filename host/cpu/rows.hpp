// The joint of the CPU engine: a batch of rows -> their slots (routed_rows). Predict, fit and group
// each begin with it, and know of inputs nothing else but where they lie (input_place). Fast paths
// for one input that need more ask its routing table. Rows of several inputs are numbers of
// segments here, as points.hpp finds them.
#pragma once

#include "host/array.hpp"
#include "host/cpu/points.hpp"
#include "host/cpu/route_kernels.hpp"
#include "host/cpu/route_table.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

#include <cstdint>
#include <type_traits>

namespace zcmoe::detail {

/// While it lives, this thread computes as routing tables are built: it rounds to nearest, keeps
/// subnormal numbers and traps nothing, whatever the caller has set.
class default_arithmetic {
 public:
#if defined(__x86_64__)
  default_arithmetic() : saved_(_mm_getcsr()) { _mm_setcsr((saved_ & 0x3fu) | 0x1f80u); }
  ~default_arithmetic() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  default_arithmetic() { std::feholdexcept(&saved_), std::fesetenv(FE_DFL_ENV); }
  ~default_arithmetic() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_;
#endif
 public:
  default_arithmetic(const default_arithmetic&) = delete;
  default_arithmetic& operator=(const default_arithmetic&) = delete;
};

constexpr int batch = 512;  // rows that are routed at a time where not only predictions are wanted
/// Of several inputs these are fewer: what finds their segments takes most of a small stack.
template <class X>
constexpr int batch_of = std::is_floating_point_v<X> ? batch : batch / 2;
/// Rows that a thread takes at a time; below this it costs more than it brings.
constexpr std::int64_t rows_per_part = 1 << 16;
constexpr std::size_t private_bytes = std::size_t{1}
                                      << 30;  // bound on the further tables of one call

/// Whether inputs of this type are compared as float, which holds each of them exactly; else they
/// are compared as double.
constexpr bool routes_as_float(zcmoe_dtype dtype) {
  return dtype != ZCMOE_F64 && size_of(dtype) <= (dtype == ZCMOE_F32 ? 4 : 2);
}

template <class T>
const route_table<T>& table_of(const router& routes) {
  const auto& tables = static_cast<const cpu_router&>(routes);
  if constexpr (sizeof(T) == 4) {
    return tables.f32;
  } else {
    return tables.f64;
  }
}

/// At most `batch` rows: their inputs as T, and their slots.
template <class T>
struct routed_rows {
  const route_kernels& kernels;
  const route_table<T>& table;
  const T* inputs = nullptr;  // `copied`, or the caller's array where that is of type T already
  T copied[batch];
  std::uint32_t slots[batch];

  routed_rows(const route_kernels& of_target, const router& routes)
      : kernels(of_target), table(table_of<T>(routes)) {}

  void load(const points& rows, std::int64_t first, int count) {
    constexpr zcmoe_dtype own = sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64;
    const any_array x = rows.x;
    inputs = copied;
    if (x.dtype == own && x.stride == 1) {
      inputs = static_cast<const T*>(x.data) + first;
    } else if (x.dtype == own) {
      for (int k = 0; k < count; ++k)
        copied[k] = static_cast<const T*>(x.data)[(first + k) * x.stride];
    } else {
      for (int k = 0; k < count; ++k) copied[k] = static_cast<T>(x[first + k]);
    }
  }
  /// Finds the slots of the first `count` inputs.
  void route(int count) {
    find_ranks(table, count);
    if (!table.slots_are_ranks) {
      for (int k = 0; k < count; ++k) slots[k] = static_cast<std::uint32_t>(table.slots[slots[k]]);
    }
  }
  /// Leaves their ranks among the thresholds of any table in `slots`.
  void find_ranks(const route_table<T>& among, int count) {
    if constexpr (sizeof(T) == 4) {
      kernels.ranks_f32(among, inputs, slots, static_cast<std::size_t>(count));
    } else {
      kernels.ranks_f64(among, inputs, slots, static_cast<std::size_t>(count));
    }
  }
  input_place place(int k) const { return place_of(inputs[k], table.from, table.before); }
};

/// The segments that there are, in the place of a routing table.
struct segment_range {
  std::int32_t from;
  std::int32_t before;
};

/// Rows of several inputs: their inputs are the numbers of their segments, -1 where there is none.
template <>
struct routed_rows<std::int32_t> {
  const route_kernels& kernels;
  const segment_range table;
  const std::int32_t* inputs = copied;
  std::int32_t copied[batch_of<std::int32_t>];
  std::uint32_t slots[batch_of<std::int32_t>];

  routed_rows(const route_kernels& of_target, std::int64_t num_segments)
      : kernels(of_target), table{0, static_cast<std::int32_t>(num_segments)} {}

  void load(const points& rows, std::int64_t first, int count) {
    inputs = copied;
    find_segments(rows, kernels, first, count, copied);
  }
  void route(int count) {
    for (int k = 0; k < count; ++k)
      slots[k] = static_cast<std::uint32_t>(inputs[k] < 0 ? table.before : inputs[k]);
  }
  input_place place(int k) const {
    return inputs[k] < 0 ? input_place::not_a_number : input_place::in_range;
  }
};

}  // namespace zcmoe::detail
