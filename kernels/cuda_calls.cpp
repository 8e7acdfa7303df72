// Fills in the table of runtime calls (cuda_calls.hpp). Compiled without the C++ half of the
// runtime's headers, whose overloads would make the addresses of some functions ambiguous.
#include "cuda_calls.hpp"

namespace zcmoe::detail {

cuda_calls cuda_runtime() {
  cuda_calls calls{};
  calls.get_device_count = &cudaGetDeviceCount;
  calls.get_device = &cudaGetDevice;
  calls.set_device = &cudaSetDevice;
  calls.get_device_properties = &cudaGetDeviceProperties;
  calls.device_get_attribute = &cudaDeviceGetAttribute;
  calls.func_set_attribute = &cudaFuncSetAttribute;
  calls.pool_create = &cudaMemPoolCreate;
  calls.pool_set_attribute = &cudaMemPoolSetAttribute;
  calls.pool_destroy = &cudaMemPoolDestroy;
  calls.malloc_async = &cudaMallocFromPoolAsync;
  calls.free_async = &cudaFreeAsync;
  calls.malloc_host = &cudaMallocHost;
  calls.free_host = &cudaFreeHost;
  calls.memcpy_async = &cudaMemcpyAsync;
  calls.pointer_get_attributes = &cudaPointerGetAttributes;
  calls.memset_async = &cudaMemsetAsync;
  calls.launch_kernel = &cudaLaunchKernel;
  calls.begin_sort = [](cudaStream_t) { return cudaSuccess; };
  calls.event_create = &cudaEventCreateWithFlags;
  calls.event_destroy = &cudaEventDestroy;
  calls.event_record = &cudaEventRecord;
  calls.event_synchronize = &cudaEventSynchronize;
  calls.stream_synchronize = &cudaStreamSynchronize;
  return calls;
}

cuda_calls& cuda() {
  static cuda_calls in_use = cuda_runtime();
  return in_use;
}

}  // namespace zcmoe::detail
