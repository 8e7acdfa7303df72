// Keys of rows, as the sort reads them: unsigned integers of 1, 2 or 4 bytes, the narrowest that
// hold every slot number (keys_for in launchers.hpp). `size` is that number of bytes, the same for
// every thread of a launch, so the branches on it do not diverge.
#pragma once

#include <cstdint>

namespace zcmoe::detail {

/// Stores the key of row i.
__device__ inline void store_key(void* keys, int size, std::int64_t i, std::uint32_t key) {
  if (size == 1) {
    static_cast<std::uint8_t*>(keys)[i] = static_cast<std::uint8_t>(key);
  } else if (size == 2) {
    static_cast<std::uint16_t*>(keys)[i] = static_cast<std::uint16_t>(key);
  } else {
    static_cast<std::uint32_t*>(keys)[i] = key;
  }
}

/// The key of row i.
__device__ inline std::int64_t load_key(const void* keys, int size, std::int64_t i) {
  if (size == 1) return static_cast<const std::uint8_t*>(keys)[i];
  if (size == 2) return static_cast<const std::uint16_t*>(keys)[i];
  return static_cast<const std::uint32_t*>(keys)[i];
}

}  // namespace zcmoe::detail
