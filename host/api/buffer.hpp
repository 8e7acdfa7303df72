// Copies the bytes of a serialised model or fit into a caller's buffer.
#pragma once

#include "host/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace zcmoe::detail {

/// Stores in *bytes how many bytes there are, and copies them if a buffer is given, which must hold
/// all of them.
inline void give_bytes(const std::vector<std::uint8_t>& from, const char* what, void* buffer,
                       std::size_t capacity, std::size_t* bytes) {
  *bytes = from.size();
  if (buffer == nullptr) return;
  if (capacity < from.size()) {
    fail(ZCMOE_ERR_WORKSPACE, "capacity=", capacity, " is less than the ", from.size(),
         " bytes of the ", what);
  }
  std::memcpy(buffer, from.data(), from.size());
}

}  // namespace zcmoe::detail
