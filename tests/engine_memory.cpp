// Memory of either engine for tests; without CUDA the CUDA branch is never reached, because no
// context exists.
#include "support.hpp"

#ifdef ZCMOE_HAS_CUDA
#include <cuda_runtime_api.h>
#endif

namespace zcmoe::test {
namespace {
#ifdef ZCMOE_HAS_CUDA
void check_cuda(cudaError_t result) {
  if (result != cudaSuccess) throw std::runtime_error(cudaGetErrorString(result));
}
void* cuda_allocate(std::size_t bytes) {
  void* pointer = nullptr;
  check_cuda(cudaMalloc(&pointer, bytes));
  return pointer;
}
void cuda_free(void* pointer) { cudaFree(pointer); }
/// Frees are ordered on streams: at the end of a program they must have happened, or a leak checker
/// counts them.
class finish_device_work : public testing::Environment {
 public:
  void TearDown() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0)
      check_cuda(cudaDeviceSynchronize());
  }
};
[[maybe_unused]] const testing::Environment* const at_end =
    testing::AddGlobalTestEnvironment(new finish_device_work);

void cuda_copy(void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaDeviceSynchronize());
  check_cuda(cudaMemcpy(to, from, bytes, cudaMemcpyDefault));
}
#else
void* cuda_allocate(std::size_t) { throw std::logic_error("built without CUDA"); }
void cuda_free(void*) {}
void cuda_copy(void*, const void*, std::size_t) { throw std::logic_error("built without CUDA"); }
#endif
}  // namespace

void* engine_allocate(zcmoe_engine engine, std::size_t bytes) {
  return engine == ZCMOE_ENGINE_CPU ? ::operator new(bytes) : cuda_allocate(bytes);
}
void engine_free(zcmoe_engine engine, void* pointer) {
  engine == ZCMOE_ENGINE_CPU ? ::operator delete(pointer) : cuda_free(pointer);
}
void engine_upload(zcmoe_engine engine, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  engine == ZCMOE_ENGINE_CPU ? static_cast<void>(std::memcpy(to, from, bytes))
                             : cuda_copy(to, from, bytes);
}
void engine_download(zcmoe_engine engine, void* to, const void* from, std::size_t bytes) {
  engine_upload(engine, to, from, bytes);
}

}  // namespace zcmoe::test
