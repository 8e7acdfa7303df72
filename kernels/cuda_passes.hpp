// Passes over rows of which tables of several inputs are learned, on the device: rows -> device
// memory, where they and what is left of their targets stay; tables of a pass -> a block of device
// memory -> kernels (learn.cu) -> counts and sums, which come back.
#pragma once

#include "device_buffer.hpp"
#include "host/engine/backend.hpp"

#include <memory>

namespace zcmoe::detail {

/// `device` is that of the engine. What visits do is shared out by `run`.
std::unique_ptr<row_passes> make_cuda_passes(backend& engine, const owned_device& device,
                                             const pass_rows& rows, const run_parts& run);

}  // namespace zcmoe::detail
