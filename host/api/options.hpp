// Reads and writes structs of the C interface that grow from version to version: the struct_size
// that the caller has set says which fields its version has.
#pragma once

#include "host/api/arguments.hpp"
#include "host/error.hpp"

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace zcmoe::detail {

/// The struct_size that the caller has set. No other byte of the struct is read before it is known
/// to be sensible.
template <class Struct>
std::size_t checked_struct_size(const Struct* given, const char* name) {
  check_pointer(given, name);
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  ZCMOE_EXPECTS(size >= sizeof(std::size_t), name, "->struct_size=", size, " is less than ",
                sizeof(std::size_t), "; initialise the struct with its ZCMOE_..._INIT");
  ZCMOE_EXPECTS(size <= ZCMOE_MAX_STRUCT_SIZE, name, "->struct_size=", size, " is more than ",
                ZCMOE_MAX_STRUCT_SIZE, "; initialise the struct with its ZCMOE_..._INIT");
  // The structs of every version end where a field ends, so a size that ends inside one is wrong.
  ZCMOE_EXPECTS(size >= sizeof(Struct) || size % alignof(Struct) == 0, name, "->struct_size=", size,
                " ends within a field; initialise the struct with its ZCMOE_..._INIT");
  return size;
}

/// The caller's options in place of the defaults. Fields that the caller's version lacks keep their
/// defaults; bytes that this version does not know must be 0.
template <class Options>
Options read_options(const Options* given, const Options& defaults, const char* name) {
  Options options = defaults;
  if (given == nullptr) return options;
  const std::size_t size = checked_struct_size(given, name);
  const std::size_t known = std::min(size, sizeof(Options));
  std::memcpy(static_cast<void*>(&options), given, known);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = known; i < size; ++i) {
    ZCMOE_EXPECTS(bytes[i] == 0, name, "->struct_size=", size, " is larger than the ",
                  sizeof(Options), " bytes this version knows, and byte ", i, " is not zero");
  }
  options.struct_size = sizeof(Options);
  return options;
}

/// Fills the caller's struct with the fields that both versions know; it may be of an older or a
/// newer one.
template <class Info>
void write_info(Info* to, const Info& from, const char* name) {
  const std::size_t size = checked_struct_size(to, name);
  std::memcpy(static_cast<void*>(to), &from, std::min(size, sizeof(Info)));
  to->struct_size = size;
}

}  // namespace zcmoe::detail
