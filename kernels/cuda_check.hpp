// Turns CUDA errors into exceptions: a status_error whose status is out of memory, no device or
// device error, and whose text has the error's name and number, the call, file and line. launch()
// starts a kernel through the table of runtime calls (cuda_calls.hpp).
#pragma once

#include "cuda_calls.hpp"
#include "host/error.hpp"

#include <cstring>
#include <string_view>
#include <tuple>
#include <utility>

namespace zcmoe::detail {

/// The status that stands for a CUDA error.
inline zcmoe_status status_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return ZCMOE_ERR_OUT_OF_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
    case cudaErrorInitializationError:
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorInvalidDeviceFunction:  // no code for this card in the binary
    case cudaErrorNoKernelImageForDevice: return ZCMOE_ERR_NO_DEVICE;
    default: return ZCMOE_ERR_DEVICE;
  }
}

/// Throws the status_error of a failed call. It clears the runtime's last error first, so that the
/// caller's next check does not see it again.
[[noreturn]] inline void fail_cuda(cudaError_t error, const char* call, const char* file,
                                   int line) {
  (void)cudaGetLastError();
  const char* slash = std::strrchr(file, '/');
  // The text names the call `cuda().memcpy_async(to, ...)` as memcpy_async.
  std::string_view name(call);
  constexpr std::string_view table = "cuda().";
  if (name.substr(0, table.size()) == table) name.remove_prefix(table.size());
  name = name.substr(0, name.find('('));
  fail(status_of(error), cudaGetErrorName(error), " (", static_cast<int>(error),
       "): ", cudaGetErrorString(error), ", from ", name, " at ",
       slash != nullptr ? slash + 1 : file, ":", line);
}

}  // namespace zcmoe::detail

/// Makes a call of the runtime and throws status_error if it fails.
#define ZCMOE_CUDA_TRY(call)                                              \
  do {                                                                    \
    const cudaError_t zcmoe_error = (call);                               \
    if (zcmoe_error != cudaSuccess)                                       \
      ::zcmoe::detail::fail_cuda(zcmoe_error, #call, __FILE__, __LINE__); \
  } while (false)

namespace zcmoe::detail {

/// A stream, and the place in the source where it is passed to launch(), for the text of an error.
struct launch_place {
  cudaStream_t stream;
  const char* file;
  int line;
  launch_place(cudaStream_t given, const char* in = __builtin_FILE(), int at = __builtin_LINE())
      : stream(given), file(in), line(at) {}
};

/// Launches kernel<<<blocks, threads, shared_bytes, stream>>>(arguments...). Throws status_error if
/// the launch fails. Arguments are converted to the kernel's parameter types.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), int blocks, int threads, std::size_t shared_bytes,
            const launch_place& on, Arguments&&... arguments) {
  std::tuple<Parameters...> values(static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {&value...};
        const cudaError_t error = cuda().launch_kernel(
            reinterpret_cast<const void*>(kernel), dim3(static_cast<unsigned>(blocks)),
            dim3(static_cast<unsigned>(threads)), pointers, shared_bytes, on.stream);
        if (error != cudaSuccess) fail_cuda(error, "a kernel's launch", on.file, on.line);
      },
      values);
}

}  // namespace zcmoe::detail
