// Sorting of a chunk's rows by key: CUB radix sort over no more bits than the keys have. Three key
// types and two payload sizes make six sorts. The order of equal keys does not matter: the sums are
// exact.
#include "cuda_check.hpp"
#include "launchers.hpp"

#include <cub/device/device_radix_sort.cuh>

namespace zcmoe::detail {
namespace {

/// Size query (scratch null) and run share this one path. Answers the buffer with the result: 0
/// or 1.
template <class Key, class Payload>
int sort_pairs(void* scratch, std::size_t& scratch_bytes, const keyed_rows& rows,
               const keyed_rows& spare, std::int64_t num_rows, int bits, zcmoe_stream stream) {
  cub::DoubleBuffer<Key> keys(static_cast<Key*>(rows.keys), static_cast<Key*>(spare.keys));
  cub::DoubleBuffer<Payload> payload(static_cast<Payload*>(rows.payload),
                                     static_cast<Payload*>(spare.payload));
  ZCMOE_CUDA_TRY(cub::DeviceRadixSort::SortPairs(scratch, scratch_bytes, keys, payload,
                                                 static_cast<int>(num_rows), 0, bits, stream));
  return keys.selector;
}

template <class Body>
auto with_types(int key_size, int payload_bytes, Body&& body) {
  const auto with_payload = [&](auto key) {
    return payload_bytes == 4 ? body(key, std::uint32_t{}) : body(key, std::uint64_t{});
  };
  if (key_size == 1) return with_payload(std::uint8_t{});
  if (key_size == 2) return with_payload(std::uint16_t{});
  return with_payload(std::uint32_t{});
}

}  // namespace

std::size_t sort_scratch_bytes(int key_size, int payload_bytes, std::int64_t num_rows) {
  std::size_t bytes = 0;
  with_types(key_size, payload_bytes, [&](auto key, auto payload) {
    return sort_pairs<decltype(key), decltype(payload)>(nullptr, bytes, {}, {}, num_rows,
                                                        key_size * 8, nullptr);
  });
  return bytes;
}

keyed_rows launch_sort(const row_keys& keys, int payload_bytes, const keyed_rows& rows,
                       const keyed_rows& spare, std::int64_t num_rows, void* scratch,
                       std::size_t scratch_bytes, zcmoe_stream stream) {
  if (keys.bits == 0 || num_rows == 0) return rows;
  const int selector = with_types(keys.size, payload_bytes, [&](auto key, auto payload) {
    return sort_pairs<decltype(key), decltype(payload)>(scratch, scratch_bytes, rows, spare,
                                                        num_rows, keys.bits, stream);
  });
  return selector == 0 ? rows : spare;
}

}  // namespace zcmoe::detail
