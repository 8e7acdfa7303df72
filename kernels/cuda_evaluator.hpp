// What the CUDA engine prepares once for a model of several inputs: the routing tables of its axes,
// its banks and its head, in one block of device memory. Data flow: bank_tables -> image on the
// host -> device memory -> points_view, which kernels take.
#pragma once

#include "bucket_table.hpp"
#include "host/engine/backend.hpp"
#include "host/routing/slots.hpp"
#include "staged_points.hpp"

#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// An axis: how its input is cut, in either type, and which slots have an answer.
struct axis_view {
  bucket_table_view<float> narrow;
  bucket_table_view<double> wide;
  double pivot;  // of 64-bit integers: see double_on_same_side
  slot_roles roles;
};

/// What one axis adds, by its code.
struct offsets_view {
  const std::int32_t* offsets;
  std::int32_t axis;
};

/// A sum of offsets, modulo 2^32: the whole of it fits 32 bits, its parts may not.
struct sum_view {
  const offsets_view* axes;
  std::int32_t num_axes;
};

/// A bank: its cell is a sum or, of a tree, the leaf that is reached.
struct bank_view {
  sum_view cell;
  const std::int32_t* constants;  // by cell; null: the sum is the constant, as of axis tables
  const zcmoe_tree_node* nodes;   // null unless it is a tree
  const sum_view* oblique;        // of a tree: feature num_axes + k
};

/// What becomes of a score.
struct head_view {
  std::int64_t base;
  std::int32_t exponent;
  bool has_segments;
  std::int64_t num_thresholds;
  const std::int64_t* thresholds;
  const std::int64_t* counts;
  // By segment, in double and in float.
  const double* constants;
  const double* variances;
  const double* standard_errors;
  const float* constants_f32;
  const float* variances_f32;
  const float* standard_errors_f32;
};

/// A model of several inputs; a kernel takes it by value.
struct points_view {
  const axis_view* axes;
  const bank_view* banks;
  std::int32_t num_axes;
  std::int32_t num_banks;
  head_view head;
};

class cuda_evaluator final : public evaluator {
 public:
  /// Returns when the tables are in the engine's memory. shared_bytes is the most shared memory
  /// that a block of the device may have.
  cuda_evaluator(backend& engine, const bank_tables& tables, std::size_t shared_bytes,
                 zcmoe_stream stream);
  ~cuda_evaluator() override;
  std::size_t bytes() const override { return bytes_; }

  const points_view& view() const { return view_; }
  /// What blocks stage, if the model has it; else null.
  const staged_view* staged() const { return has_staged_ ? &staged_ : nullptr; }

 private:
  backend& engine_;  // outlives this: whoever owns an evaluator owns its engine too
  std::size_t bytes_;
  void* data_;
  points_view view_;
  bool has_staged_;
  staged_view staged_{};
};

/// The evaluator of a job of this engine, as the class that it is.
inline const cuda_evaluator& tables_of(const evaluator& tables) {
  return static_cast<const cuda_evaluator&>(tables);
}

}  // namespace zcmoe::detail
