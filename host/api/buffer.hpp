// What is handed out into a caller's memory: bytes of models and fits, and edges.
#pragma once

#include "host/error.hpp"
#include "host/segmentation/edges.hpp"

#include <algorithm>
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

/// num_built: null where the caller knows it.
inline void give_edges(const edge_table& table, double* edges, std::int64_t* num_built) {
  std::copy(table.begin(), table.end(), edges);
  if (num_built != nullptr) *num_built = static_cast<std::int64_t>(table.size()) - 1;
}

}  // namespace zcmoe::detail
