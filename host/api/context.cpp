// The C functions of contexts: they choose the engine of a context and describe it.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/engine/backend.hpp"

#include <zcmoe/zcmoe.h>

#include <memory>

namespace {

using namespace zcmoe::detail;

constexpr std::int64_t most_threads = 4096;

std::shared_ptr<backend> make_engine(const zcmoe_context_options& options) {
  if (options.engine == ZCMOE_ENGINE_CPU) return make_cpu_backend(options);
  if (options.engine == ZCMOE_ENGINE_CUDA) return make_cuda_backend(options);
  try {
    return make_cuda_backend(options);
  } catch (const status_error& error) {
    if (error.status() != ZCMOE_ERR_NO_DEVICE) throw;
  }
  return make_cpu_backend(options);
}

}  // namespace

extern "C" zcmoe_status zcmoe_context_create(const zcmoe_context_options* options,
                                             zcmoe_context** context) {
  return guard("zcmoe_context_create", [&] {
    check_pointer(context, "context");
    const auto given =
        read_options(options, zcmoe_context_options ZCMOE_CONTEXT_OPTIONS_INIT, "options");
    ZCMOE_EXPECTS(given.engine >= ZCMOE_ENGINE_AUTO && given.engine <= ZCMOE_ENGINE_CUDA,
                  "options->engine=", given.engine, " is not a ZCMOE_ENGINE_ value");
    ZCMOE_EXPECTS(given.device >= 0, "options->device=", given.device, " is negative");
    ZCMOE_EXPECTS(given.num_threads >= 0 && given.num_threads <= most_threads,
                  "options->num_threads=", given.num_threads, " is not in 0..", most_threads);
    ZCMOE_EXPECTS(given.reserved == 0, "options->reserved=", given.reserved, " is not 0");
    ZCMOE_EXPECTS((given.alloc == nullptr) == (given.free == nullptr),
                  "options->alloc and options->free must both be given or both be null");
    ZCMOE_EXPECTS(given.pool_release_threshold >= 0,
                  "options->pool_release_threshold=", given.pool_release_threshold, " is negative");
    *context = new zcmoe_context{make_engine(given)};
  });
}

extern "C" zcmoe_status zcmoe_context_destroy(zcmoe_context* context) {
  return guard("zcmoe_context_destroy", [&] { delete context; });
}

extern "C" zcmoe_status zcmoe_context_get_info(const zcmoe_context* context,
                                               zcmoe_context_info* info) {
  return guard("zcmoe_context_get_info", [&] {
    check_handle(context, "context");
    zcmoe_context_info found = ZCMOE_CONTEXT_INFO_INIT;
    context->engine->describe(found);
    write_info(info, found, "info");
  });
}
