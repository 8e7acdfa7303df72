// What the CUDA engine prepares once for a table of edges: two routing tables (bucket_table.hpp) in
// device memory, one for float32 inputs and one for all others, which are widened to float64. Data
// flow: edges and constants -> build_bucket_table on the host -> device memory -> views that
// kernels take.
#pragma once

#include "bucket_table.hpp"
#include "host/array.hpp"
#include "host/engine/backend.hpp"

#include <type_traits>

namespace zcmoe::detail {

class cuda_router final : public router {
 public:
  /// Returns when the tables are in the engine's memory. shared_bytes is the most shared memory
  /// that a block of the device may have.
  cuda_router(backend& engine, const model_view& table, const slot_constants& constants,
              std::size_t shared_bytes, zcmoe_stream stream);
  ~cuda_router() override;
  std::size_t bytes() const override { return bytes_; }

  /// The table for inputs of T: float for float32 inputs, double for any.
  template <class T>
  const bucket_table_view<T>& table() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return narrow_;
    } else {
      return wide_;
    }
  }

 private:
  backend& engine_;  // outlives this: whoever owns a router owns its engine too
  std::size_t bytes_;
  void* data_;
  bucket_table_view<float> narrow_;
  bucket_table_view<double> wide_;
};

/// The router of a job of this engine, as the class that it is.
inline const cuda_router& routes_of(const router& routes) {
  return static_cast<const cuda_router&>(routes);
}

/// The type in which inputs of a typed_array or any_array are routed: every other type widens to
/// float64.
template <class Input>
using routed_as = std::conditional_t<std::is_same_v<Input, typed_array<float>>, float, double>;

}  // namespace zcmoe::detail
