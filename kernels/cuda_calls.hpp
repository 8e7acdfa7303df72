// A table of function pointers through which every call of the CUDA runtime goes that can fail,
// wait or give work to a stream, so that a test can count, record or fail it
// (tests/kernels/fault_test.cpp). Kernels are launched by launch() in cuda_check.hpp.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace zcmoe::detail {

/// Each member is called as the function of the runtime that cuda_runtime() puts there.
struct cuda_calls {
  cudaError_t (*get_device_count)(int*);
  cudaError_t (*get_device)(int*);
  cudaError_t (*set_device)(int);
  cudaError_t (*get_device_properties)(cudaDeviceProp*, int);
  cudaError_t (*device_get_attribute)(int*, cudaDeviceAttr, int);
  cudaError_t (*func_set_attribute)(const void*, cudaFuncAttribute, int);
  cudaError_t (*pool_create)(cudaMemPool_t*, const cudaMemPoolProps*);
  cudaError_t (*pool_set_attribute)(cudaMemPool_t, cudaMemPoolAttr, void*);
  cudaError_t (*pool_destroy)(cudaMemPool_t);

  cudaError_t (*malloc_async)(void**, std::size_t, cudaMemPool_t, cudaStream_t);
  cudaError_t (*free_async)(void*, cudaStream_t);
  cudaError_t (*malloc_host)(void**, std::size_t);
  cudaError_t (*free_host)(void*);

  cudaError_t (*memcpy_async)(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t);
  cudaError_t (*pointer_get_attributes)(cudaPointerAttributes*, const void*);
  cudaError_t (*memset_async)(void*, int, std::size_t, cudaStream_t);
  cudaError_t (*launch_kernel)(const void*, dim3, dim3, void**, std::size_t, cudaStream_t);
  /// Called before CUB launches the kernels of a sort, which it does by calls of its own: a test
  /// lets the sort fail here.
  cudaError_t (*begin_sort)(cudaStream_t);

  cudaError_t (*event_create)(cudaEvent_t*, unsigned);
  cudaError_t (*event_destroy)(cudaEvent_t);
  cudaError_t (*event_record)(cudaEvent_t, cudaStream_t);
  cudaError_t (*event_synchronize)(cudaEvent_t);
  cudaError_t (*stream_synchronize)(cudaStream_t);
};

/// The runtime's own functions.
cuda_calls cuda_runtime();
/// The table in use. Only tests change it, while no other thread calls the library.
cuda_calls& cuda();

}  // namespace zcmoe::detail
