// Linked in place of kernels/ when there is no CUDA compiler: the same two functions, which say so.
#include "host/engine/backend.hpp"

namespace zcmoe::detail {

std::shared_ptr<backend> make_cuda_backend(const zcmoe_context_options&) {
  fail(ZCMOE_ERR_NO_DEVICE, "this build has no CUDA");
}

std::string cuda_build_info() { return "without CUDA"; }

}  // namespace zcmoe::detail
