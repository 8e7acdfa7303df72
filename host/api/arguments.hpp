// The checks of arguments that functions of the C interface share: of pointers, numbers and arrays.
// Each throws INVALID_ARGUMENT with the name, the value and the limit of the argument.
#pragma once

#include "host/array.hpp"
#include "host/error.hpp"
#include "host/segmentation/real_function.hpp"

#include <zcmoe/zcmoe.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <type_traits>

namespace zcmoe::detail {

// ---------------------------------------------------------------- pointers

/// The pointer may be null; otherwise it must be aligned to the type that it points to.
template <class T>
void check_alignment(T* pointer, const char* name) {
  if constexpr (!std::is_function_v<T> && !std::is_void_v<T>) {
    ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(pointer) % alignof(T) == 0, name, "=",
                  static_cast<const void*>(pointer), " is not aligned to ", alignof(T), " bytes");
  }
}

template <class T>
void check_pointer(T* pointer, const char* name) {
  ZCMOE_EXPECTS(pointer != nullptr, name, " is null");
  check_alignment(pointer, name);
}

/// Only the library knows what a handle points to, so all that can be told from outside is whether
/// it is null.
template <class Handle>
void check_handle(const Handle* handle, const char* name) {
  ZCMOE_EXPECTS(handle != nullptr, name, " is null");
}

inline void check_path(const char* path) {
  ZCMOE_EXPECTS(path != nullptr && *path != '\0', "path is null or empty");
}

inline void check_workspace(const void* workspace) {
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0, "workspace=", workspace,
                " is not aligned to 256 bytes");
}

// ----------------------------------------------------------------- numbers

inline void check_num_segments(std::int64_t num_segments) {
  ZCMOE_EXPECTS(num_segments >= 1 && num_segments <= ZCMOE_MAX_SEGMENTS,
                "num_segments=", num_segments, "; expected 1 to ", ZCMOE_MAX_SEGMENTS);
}

/// The number of rows is limited so that neither their bytes nor sums of their numbers overflow.
inline void check_num_rows(std::int64_t n, std::int64_t least = 0) {
  constexpr std::int64_t most = (std::int64_t{1} << 57) - 1;
  ZCMOE_EXPECTS(n >= least, "n=", n, "; expected n >= ", least);
  ZCMOE_EXPECTS(n <= most, "n=", n, "; expected at most ", most);
}

/// A size that decides how long a call takes or how much memory it needs.
inline void check_size(std::int64_t value, const char* name, std::int64_t least,
                       std::int64_t most) {
  ZCMOE_EXPECTS(value >= least && value <= most, name, "=", value, "; expected ", least, " to ",
                most);
}

inline void check_finite(double value, const char* name) {
  ZCMOE_EXPECTS(std::isfinite(value), name, "=", value, " is not finite");
}

inline void check_range(double lo, double hi) {
  check_finite(lo, "lo");
  check_finite(hi, "hi");
  ZCMOE_EXPECTS(lo < hi, "lo=", lo, " is not less than hi=", hi);
}

/// A share lies between 0 and 1, both included.
inline void check_share(double value, const char* name) {
  ZCMOE_EXPECTS(value >= 0 && value <= 1, name, "=", value, "; expected 0 to 1");
}

/// A fraction lies strictly between 0 and 1.
inline void check_fraction(double value, const char* name) {
  ZCMOE_EXPECTS(value > 0 && value < 1, name, "=", value, "; expected more than 0, less than 1");
}

inline void check_amount(double value, const char* name) {
  ZCMOE_EXPECTS(value >= 0 && std::isfinite(value), name, "=", value,
                "; expected a finite number >= 0");
}

inline void check_positive(double value, const char* name) {
  ZCMOE_EXPECTS(value > 0 && std::isfinite(value), name, "=", value,
                "; expected a finite number > 0");
}

// ------------------------------------------------------------------ arrays

/// The addresses of the bytes that an array spans, [first, last).
struct byte_span {
  std::uintptr_t first;
  std::uintptr_t last;
};

/// The name of a column of several inputs, put together only for a message: checks allocate
/// nothing.
struct column_name {
  std::int64_t column;
};
inline std::ostream& operator<<(std::ostream& out, const column_name& name) {
  return out << "x->columns[" << name.column << "]";
}

/// The bytes that n elements span. Throws where they do not fit into the address space.
template <class Name>
byte_span span_of(const Name& name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                  std::int64_t n) {
  const std::int64_t size = size_of(dtype);
  constexpr std::int64_t limit = std::numeric_limits<std::int64_t>::max() / 2;
  ZCMOE_EXPECTS(size > 0, name, ".dtype=", dtype, " is not a ZCMOE_ dtype");
  ZCMOE_EXPECTS(stride >= -limit / size && stride <= limit / size, name, ".stride=", stride,
                " spans more than ", limit, " bytes");
  const std::int64_t distance = stride < 0 ? -stride : stride;
  ZCMOE_EXPECTS(n <= 1 || distance <= limit / size / (n - 1), name, ".stride=", stride,
                " with n=", n, " spans more than ", limit, " bytes");
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const auto reach = static_cast<std::uintptr_t>(n < 1 ? 0 : (n - 1) * distance * size);
  const auto own = static_cast<std::uintptr_t>(size);
  return stride < 0 ? byte_span{address - reach, address + own}
                    : byte_span{address, address + reach + own};
}

/// An array of n elements of a known type: it must be given, aligned, and within the address space.
template <class Name>
void check_data(const Name& name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                std::int64_t n) {
  const std::int64_t size = size_of(dtype);
  ZCMOE_EXPECTS(data != nullptr || n == 0, name, ".data is null but n=", n);
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(size) == 0,
                name, ".data=", data, " is not aligned to its ", size, "-byte type");
  span_of(name, data, dtype, stride, n);
}

/// Inputs may have any type.
template <class Name>
void check_input(const Name& name, const zcmoe_array& array, std::int64_t n) {
  ZCMOE_EXPECTS(size_of(array.dtype) > 0, name, ".dtype=", array.dtype, " is not a type of inputs");
  check_data(name, array.data, array.dtype, array.stride, n);
}

/// Targets and weights of a plan may have any type whose values double holds exactly.
inline void check_values(const char* name, const zcmoe_array& array, std::int64_t n) {
  ZCMOE_EXPECTS(size_of(array.dtype) > 0 && !is_wide_integer(array.dtype), name,
                ".dtype=", array.dtype, " (", name_of(array.dtype),
                ") is not a type of targets and weights");
  check_data(name, array.data, array.dtype, array.stride, n);
}

/// Targets and weights of a fit must be floats that the fit's target type holds exactly.
inline void check_target(const char* name, const zcmoe_array& array, std::int64_t n,
                         zcmoe_dtype target_dtype) {
  ZCMOE_EXPECTS(array.dtype == ZCMOE_F32 || array.dtype == ZCMOE_F64 || array.dtype == ZCMOE_F16 ||
                    array.dtype == ZCMOE_BF16,
                name, ".dtype=", array.dtype, " is not a float type");
  ZCMOE_EXPECTS(target_dtype == ZCMOE_F64 || array.dtype != ZCMOE_F64, name,
                ".dtype is F64, but the fit's target_dtype is F32");
  check_data(name, array.data, array.dtype, array.stride, n);
}

inline void check_output(const char* name, const zcmoe_output& output, std::int64_t n,
                         zcmoe_dtype first, zcmoe_dtype second, const char* allowed) {
  if (output.data == nullptr) return;
  ZCMOE_EXPECTS(output.dtype == first || output.dtype == second, name, ".dtype=", output.dtype,
                " is not ", allowed);
  ZCMOE_EXPECTS(output.stride != 0 || n <= 1, name, ".stride=0 with n=", n,
                ": every element would be the same");
  check_data(name, output.data, output.dtype, output.stride, n);
}

// ----------------------------------------------------- arrays apart in memory

/// One array of a call.
struct named_array {
  const char* name;
  byte_span span;
  std::int64_t step;  // in bytes, from one element to the next; 0 for a single element
  std::int64_t size;
};

inline named_array named(const char* name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                         std::int64_t n) {
  const std::int64_t size = size_of(dtype);
  return {name, span_of(name, data, dtype, stride, n), n <= 1 ? 0 : stride * size, size};
}

/// Whether two strided arrays share a byte. Two columns of one table, with equal strides and
/// different offsets, do not. Example: with steps of 16 bytes, 8-byte elements that begin at bytes
/// 0 and 8 lie apart, those at 0 and 4 overlap.
inline bool overlap(const named_array& a, const named_array& b) {
  if (a.span.last <= b.span.first || b.span.last <= a.span.first) return false;
  if (a.step == 0 || std::abs(a.step) != std::abs(b.step)) return true;
  const auto step = static_cast<std::uintptr_t>(std::abs(a.step));
  const std::uintptr_t distance = a.span.first <= b.span.first
                                      ? (b.span.first - a.span.first) % step
                                      : (step - (a.span.first - b.span.first) % step) % step;
  const bool apart = distance >= static_cast<std::uintptr_t>(a.size) &&
                     distance + static_cast<std::uintptr_t>(b.size) <= step;
  return !apart;
}

/// A list of at most Capacity arrays that allocates nothing, because the checks of a call must not.
template <int Capacity>
struct array_list {
  named_array entries[Capacity];
  int size = 0;

  void add(const named_array& array) { entries[size++] = array; }
  const named_array* begin() const { return entries; }
  const named_array* end() const { return entries + size; }
};

/// Checks the outputs of a prediction for n rows, n > 0, of which none may overlap another, and
/// lists those that are wanted.
inline array_list<6> checked_outputs(const zcmoe_predict_outputs& outputs, std::int64_t n) {
  array_list<6> written;
  check_alignment(outputs.report, "outputs->report");
  if (outputs.report != nullptr) {
    const auto address = reinterpret_cast<std::uintptr_t>(outputs.report);
    written.add({"outputs->report", {address, address + sizeof(zcmoe_report)}, 0, 0});
  }
  const auto check = [&](const char* name, const zcmoe_output& output, zcmoe_dtype first,
                         zcmoe_dtype second, const char* allowed) {
    check_output(name, output, n, first, second, allowed);
    if (output.data == nullptr) return;
    written.add(named(name, output.data, output.dtype, output.stride, n));
  };
  check("outputs->values", outputs.values, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check("outputs->segments", outputs.segments, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
  check("outputs->standard_errors", outputs.standard_errors, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check("outputs->variances", outputs.variances, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check("outputs->counts", outputs.counts, ZCMOE_I64, ZCMOE_I64, "I64");
  for (const named_array& a : written) {
    for (const named_array* b = &a + 1; b != written.end(); ++b) {
      ZCMOE_EXPECTS(!overlap(a, *b), a.name, " overlaps ", b->name);
    }
  }
  return written;
}

// --------------------------------------------------------------- functions

/// A caller's function with its user pointer; empty if there is none.
inline real_function bound(zcmoe_function function, void* user) {
  if (function == nullptr) return {};
  return [function, user](double x) { return function(user, x); };
}

}  // namespace zcmoe::detail
