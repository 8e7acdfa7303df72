// Second step of a fit that sorts, and of group: (key, payload)[n] -> the same, sorted by key.
// CUB's radix sort, over no more bits than the keys have. Three key types and two payload sizes
// make six sorts. The sort is stable, which group needs; a fit does not, because its sums are
// exact.
//
// On cards before the H100, CUB's own choice for keys of one or two bytes is passes of five to
// seven bits, each of which reads the keys twice: keys of 8 bits take two passes. Here
// every card uses the policy that CUB has for the H100: the digits are counted once, then each byte
// is one pass. That policy is chosen by names that CUB does not promise to keep. So they are used
// with the one version of CUB in which they were read; with any other version, rows are sorted by
// CUB's public function and its own choice: the same order, in more passes on some cards.
//
// Source: Adinets and Merrill, Onesweep: a faster least significant digit radix sort for GPUs,
// 2022.
#include "cuda_check.hpp"
#include "launchers.hpp"

#include <cub/device/device_radix_sort.cuh>
#include <cuda/version>

#ifndef ZCMOE_TUNED_SORT
#define ZCMOE_TUNED_SORT (CCCL_MAJOR_VERSION == 3 && CCCL_MINOR_VERSION == 0)
#endif

namespace zcmoe::detail {
namespace {

#if ZCMOE_TUNED_SORT
/// CUB's policy for the H100, for every architecture: one pass per byte of the key.
template <class Key, class Payload>
struct byte_a_pass {
  using tunings = cub::detail::radix::policy_hub<Key, Payload, int>;
  using tuning =
      cub::detail::radix::sm90_small_key_tuning<sizeof(Key), sizeof(Payload), sizeof(int)>;
  struct MaxPolicy : cub::ChainedPolicy<500, MaxPolicy, MaxPolicy>,
                     tunings::template OnesweepSmallKeyTunedPolicy<tuning> {};
};

template <class Key, class Payload>
cudaError_t sort_double_buffers(void* scratch, std::size_t& scratch_bytes,
                                cub::DoubleBuffer<Key>& keys, cub::DoubleBuffer<Payload>& payload,
                                int num_rows, int bits, zcmoe_stream stream) {
  using sort =
      cub::DispatchRadixSort<cub::SortOrder::Ascending, Key, Payload, int,
                             cub::detail::identity_decomposer_t, byte_a_pass<Key, Payload>>;
  return sort::Dispatch(scratch, scratch_bytes, keys, payload, num_rows, 0, bits, true, stream);
}
#else
template <class Key, class Payload>
cudaError_t sort_double_buffers(void* scratch, std::size_t& scratch_bytes,
                                cub::DoubleBuffer<Key>& keys, cub::DoubleBuffer<Payload>& payload,
                                int num_rows, int bits, zcmoe_stream stream) {
  return cub::DeviceRadixSort::SortPairs(scratch, scratch_bytes, keys, payload, num_rows, 0, bits,
                                         stream);
}
#endif

/// If scratch is null, sets scratch_bytes to the scratch that a sort takes. Else it sorts, and
/// returns which buffer has the result: 0 for `rows`, 1 for `spare`.
template <class Key, class Payload>
int sort_pairs(void* scratch, std::size_t& scratch_bytes, const keyed_rows& rows,
               const keyed_rows& spare, std::int64_t num_rows, int bits, zcmoe_stream stream) {
  cub::DoubleBuffer<Key> keys(static_cast<Key*>(rows.keys), static_cast<Key*>(spare.keys));
  cub::DoubleBuffer<Payload> payload(static_cast<Payload*>(rows.payload),
                                     static_cast<Payload*>(spare.payload));
  ZCMOE_CUDA_TRY(sort_double_buffers(scratch, scratch_bytes, keys, payload,
                                     static_cast<int>(num_rows), bits, stream));
  return keys.selector;
}

/// Calls body(Key{}, Payload{}) with unsigned integers of these sizes in bytes.
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
  ZCMOE_CUDA_TRY(cuda().begin_sort(stream));
  const int selector = with_types(keys.size, payload_bytes, [&](auto key, auto payload) {
    return sort_pairs<decltype(key), decltype(payload)>(scratch, scratch_bytes, rows, spare,
                                                        num_rows, keys.bits, stream);
  });
  return selector == 0 ? rows : spare;
}

}  // namespace zcmoe::detail
