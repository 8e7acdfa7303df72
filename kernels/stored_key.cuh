// Keys of rows, stored in the narrow type in use: 1, 2 or 4 bytes. The branch is the same for every
// thread of a launch.
#pragma once

#include <cstdint>

namespace zcmoe::detail {

__device__ inline void store_key(void* keys, int size, std::int64_t i, std::uint32_t key) {
  if (size == 1) {
    static_cast<std::uint8_t*>(keys)[i] = static_cast<std::uint8_t>(key);
  } else if (size == 2) {
    static_cast<std::uint16_t*>(keys)[i] = static_cast<std::uint16_t>(key);
  } else {
    static_cast<std::uint32_t*>(keys)[i] = key;
  }
}

__device__ inline std::int64_t load_key(const void* keys, int size, std::int64_t i) {
  if (size == 1) return static_cast<const std::uint8_t*>(keys)[i];
  if (size == 2) return static_cast<const std::uint16_t*>(keys)[i];
  return static_cast<const std::uint32_t*>(keys)[i];
}

}  // namespace zcmoe::detail
