// The routing table (bucket_table.hpp) inside kernels. Data flow: the table's image, which is its
// lines and words, in device memory -> shared memory -> look-ups by ranks_of. Use, with `image` at
// least table.image_bytes() long:
//
//   extern __shared__ __align__(16) unsigned char image[];
//   const shared_image<float> staged(table, image);  // before any use of it: __syncthreads()
//   ranks_of(table, staged, x, ranks);               // a batch; slot = table.slot_of(rank)
//
// Where a kernel has no shared memory to spare, it passes plain_image(table) instead, which reads
// the same image in device memory through the caches.
#pragma once

#include "bucket_table.hpp"

namespace zcmoe::detail {

/// Copies the bytes in words of 16; `bytes` and both addresses are multiples of 16. Every thread of
/// the block calls it. The caller waits for the block before it reads.
__device__ inline void stage(void* to, const void* from, std::uint32_t bytes) {
  auto* const out = static_cast<uint4*>(to);
  const auto* const in = static_cast<const uint4*>(from);
  for (std::uint32_t i = threadIdx.x; i * 16 < bytes; i += blockDim.x) out[i] = in[i];
}

/// Loads the element at base + index * (size of the element) in shared memory. Written as PTX,
/// so that the address takes one instruction, a multiply-add.
__device__ inline void load_shared(std::uint32_t& value, std::uint32_t base, std::uint32_t index) {
  asm volatile("{ .reg .u32 at; mad.lo.u32 at, %1, 4, %2; ld.shared.u32 %0, [at]; }"
               : "=r"(value)
               : "r"(index), "r"(base));
}
__device__ inline void load_shared(float& value, std::uint32_t base, std::uint32_t index) {
  asm volatile("{ .reg .u32 at; mad.lo.u32 at, %1, 4, %2; ld.shared.f32 %0, [at]; }"
               : "=f"(value)
               : "r"(index), "r"(base));
}
__device__ inline void load_shared(std::uint64_t& value, std::uint32_t base, std::uint32_t index) {
  asm volatile("{ .reg .u32 at; mad.lo.u32 at, %1, 8, %2; ld.shared.u64 %0, [at]; }"
               : "=l"(value)
               : "r"(index), "r"(base));
}
__device__ inline void load_shared(double& value, std::uint32_t base, std::uint32_t index) {
  asm volatile("{ .reg .u32 at; mad.lo.u32 at, %1, 8, %2; ld.shared.f64 %0, [at]; }"
               : "=d"(value)
               : "r"(index), "r"(base));
}

/// The 32-bit address in shared memory that `pointer` has.
__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

/// The copy of a table's image in shared memory, with the functions of plain_image.
template <class T>
struct shared_image {
  std::uint32_t lines;  // address of the lines in shared memory
  // Address, modulo 2^32, at which the word of bits 0 would lie. The bits that word() is given
  // begin at map.first_word, which is taken from the address once here and so from no input.
  std::uint32_t words;

  /// Copies the table's image to `image`, a place in shared memory. Every thread of the block calls
  /// it, and waits for the block (__syncthreads) before it uses the image.
  __device__ shared_image(const bucket_table_view<T>& table, void* image)
      : shared_image(table, shared_address(image)) {
    stage(image, table.lines, table.image_bytes());
  }
  /// Reads a copy that lies at this address in shared memory already.
  __device__ shared_image(const bucket_table_view<T>& table, std::uint32_t address)
      : lines(address),
        words(lines + static_cast<std::uint32_t>(sizeof(piece_lines<T>)) -
              4 * table.map.first_word) {}
  __device__ T scale(std::uint32_t piece) const { return line(lines, piece); }
  __device__ T offset(std::uint32_t piece) const {
    return line(lines + static_cast<std::uint32_t>(offsetof(piece_lines<T>, offset)), piece);
  }
  __device__ T knot(std::uint32_t pair) const {
    return line(lines + static_cast<std::uint32_t>(offsetof(piece_lines<T>, knot)), pair);
  }
  __device__ std::uint32_t word(std::uint32_t bits) const {
    std::uint32_t value;
    load_shared(value, words, bits);
    return value;
  }

 private:
  static __device__ T line(std::uint32_t base, std::uint32_t index) {
    T value;
    load_shared(value, base, index);
    return value;
  }
};

}  // namespace zcmoe::detail
