// Owners of what the engine takes from CUDA: the current device, the allocator (a pool of the
// engine's own or the caller's functions), device buffers, page-locked staging buffers and events.
// Destructors release what they own, in the order of a stream where it has one, also when an
// exception passes, and never throw.
#pragma once

#include "cuda_check.hpp"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace zcmoe::detail {

constexpr std::size_t device_alignment = 256;

/// A device, and the process that may use it. A child that a process forks cannot use CUDA: a call
/// in it might never return.
struct owned_device {
  int number;
  pid_t process = getpid();

  bool is_usable() const { return getpid() == process; }
};

/// Makes a device current, and the caller's device again at the end. Every function of the backend
/// that reaches the device holds one.
class device_guard {
 public:
  explicit device_guard(const owned_device& owned) {
    if (!owned.is_usable()) {
      fail(ZCMOE_ERR_DEVICE,
           "the process has forked since the context was created; only the process that created it "
           "can use its device");
    }
    const int device = owned.number;
    ZCMOE_CUDA_TRY(cuda().get_device(&previous_));
    if (previous_ == device) return;
    ZCMOE_CUDA_TRY(cuda().set_device(device));
    changed_ = true;
  }
  ~device_guard() {
    if (changed_) (void)cuda().set_device(previous_);
  }
  device_guard(const device_guard&) = delete;
  device_guard& operator=(const device_guard&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

/// Stream-ordered memory of one device, which is current whenever its functions are called.
///
/// An allocation takes effect in the order of the stream that it is made on. What lives longer than
/// a call (a state, routing tables) is filled by upload, which waits for that stream. So the
/// allocation has happened before anything that the host gives to any stream afterwards, and no
/// event is needed.
class device_allocator {
 public:
  device_allocator(const owned_device& owned, const zcmoe_context_options& options)
      : owned_(owned),
        device_(owned.number),
        alloc_(options.alloc),
        free_(options.free),
        user_(options.user) {
    if (alloc_ != nullptr) return;
    int supported = 0;
    ZCMOE_CUDA_TRY(
        cuda().device_get_attribute(&supported, cudaDevAttrMemoryPoolsSupported, device_));
    if (supported == 0) {
      fail(ZCMOE_ERR_NO_DEVICE, "options->device=", device_,
           " has no stream-ordered memory pools; give alloc and free functions");
    }
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = device_;
    ZCMOE_CUDA_TRY(cuda().pool_create(&pool_, &properties));
    auto threshold = static_cast<std::uint64_t>(options.pool_release_threshold);
    const cudaError_t error =
        cuda().pool_set_attribute(pool_, cudaMemPoolAttrReleaseThreshold, &threshold);
    if (error != cudaSuccess) {
      (void)cuda().pool_destroy(pool_);
      fail_cuda(error, "cudaMemPoolSetAttribute", __FILE__, __LINE__);
    }
  }
  ~device_allocator() {
    if (pool_ != nullptr && owned_.is_usable()) (void)cuda().pool_destroy(pool_);
  }
  device_allocator(const device_allocator&) = delete;
  device_allocator& operator=(const device_allocator&) = delete;

  void* allocate(std::size_t bytes, zcmoe_stream stream) const {
    void* pointer = nullptr;
    if (alloc_ == nullptr) {
      const cudaError_t error = cuda().malloc_async(&pointer, at_least_one(bytes), pool_, stream);
      if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        fail(ZCMOE_ERR_OUT_OF_MEMORY, "device ", device_, " has no ", bytes, " bytes left");
      }
      ZCMOE_CUDA_TRY(error);
      return pointer;
    }
    pointer = alloc_(user_, at_least_one(bytes), device_alignment, stream);
    if (pointer == nullptr) {
      fail(ZCMOE_ERR_OUT_OF_MEMORY, "the context's alloc function returned NULL for ", bytes,
           " bytes");
    }
    if (reinterpret_cast<std::uintptr_t>(pointer) % device_alignment != 0) {
      deallocate(pointer, bytes, stream);
      fail(ZCMOE_ERR_INVALID_ARGUMENT, "the context's alloc function returned ", pointer,
           ", not aligned to ", device_alignment);
    }
    return pointer;
  }

  void deallocate(void* pointer, std::size_t bytes, zcmoe_stream stream) const noexcept {
    if (alloc_ != nullptr) {
      free_(user_, pointer, at_least_one(bytes), device_alignment, stream);
    } else {
      (void)cuda().free_async(pointer, stream);
    }
  }

 private:
  static std::size_t at_least_one(std::size_t bytes) { return bytes == 0 ? 1 : bytes; }

  owned_device owned_;
  int device_;
  zcmoe_alloc_fn alloc_;
  zcmoe_free_fn free_;
  void* user_;
  cudaMemPool_t pool_ = nullptr;
};

/// Device memory that one call uses, freed in the order of the call's stream.
class device_buffer {
 public:
  device_buffer(const device_allocator& allocator, std::size_t bytes, zcmoe_stream stream)
      : allocator_(allocator),
        bytes_(bytes),
        stream_(stream),
        data_(allocator.allocate(bytes, stream)) {}
  ~device_buffer() {
    if (data_ != nullptr) allocator_.deallocate(data_, bytes_, stream_);
  }
  device_buffer(const device_buffer&) = delete;
  device_buffer& operator=(const device_buffer&) = delete;

  void* data() const { return data_; }
  /// Hands the memory to the caller, who frees it.
  void* release() { return std::exchange(data_, nullptr); }

 private:
  const device_allocator& allocator_;
  std::size_t bytes_;
  zcmoe_stream stream_;
  void* data_;
};

/// Page-locked host memory. Copies from and to it run while the host packs the next chunk.
class pinned_buffer {
 public:
  explicit pinned_buffer(std::size_t bytes) {
    const cudaError_t error = cuda().malloc_host(&data_, bytes == 0 ? 1 : bytes);
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      fail(ZCMOE_ERR_OUT_OF_MEMORY, "no ", bytes, " bytes of page-locked host memory left");
    }
    ZCMOE_CUDA_TRY(error);
  }
  ~pinned_buffer() { (void)cuda().free_host(data_); }
  pinned_buffer(const pinned_buffer&) = delete;
  pinned_buffer& operator=(const pinned_buffer&) = delete;

  char* data() const { return static_cast<char*>(data_); }

 private:
  void* data_ = nullptr;
};

/// An event of CUDA, without timing.
class device_event {
 public:
  device_event() { ZCMOE_CUDA_TRY(cuda().event_create(&event_, cudaEventDisableTiming)); }
  ~device_event() { (void)cuda().event_destroy(event_); }
  device_event(const device_event&) = delete;
  device_event& operator=(const device_event&) = delete;

  void record(zcmoe_stream stream) { ZCMOE_CUDA_TRY(cuda().event_record(event_, stream)); }
  void wait() const { ZCMOE_CUDA_TRY(cuda().event_synchronize(event_)); }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Waits for the stream when an exception unwinds, unless finish() has waited before. It is
/// declared after the page-locked buffers that copies may still use, so it waits before these are
/// freed.
class stream_drain {
 public:
  explicit stream_drain(zcmoe_stream stream) : stream_(stream) {}
  ~stream_drain() {
    if (!done_ && cuda().stream_synchronize(stream_) != cudaSuccess) (void)cudaGetLastError();
  }
  stream_drain(const stream_drain&) = delete;
  stream_drain& operator=(const stream_drain&) = delete;

  void finish() {
    done_ = true;
    ZCMOE_CUDA_TRY(cuda().stream_synchronize(stream_));
  }

 private:
  zcmoe_stream stream_;
  bool done_ = false;
};

}  // namespace zcmoe::detail
