// A fit: edges, policies and the exact sums so far, in the memory of its engine. Rows go in, a
// model comes out.
#pragma once

#include "host/engine/backend.hpp"
#include "host/model/fit_state.hpp"
#include "host/model/model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

class fit {
 public:
  fit(std::shared_ptr<backend> engine, std::vector<double> edges, model_policies policies,
      const zcmoe_fit_options& options);

  const state_layout& layout() const { return layout_; }
  const std::vector<double>& edges() const { return edges_; }
  const model_policies& policies() const { return policies_; }
  const zcmoe_fit_options& options() const { return options_; }

  backend& engine() const { return *engine_; }
  /// Adds n rows that are in the engine's memory. The caller has checked the arguments, except the
  /// number of rows. Where `workspace` is null the engine's allocator provides it.
  void add(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights, std::int64_t n,
           void* workspace, std::size_t workspace_bytes, zcmoe_stream stream);
  /// The same for rows in host memory.
  void add_sync(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                std::int64_t n, zcmoe_stream stream);
  /// Adds the sums of `source`. Throws INCOMPATIBLE unless its edges, types and policies are equal.
  void merge(const fit& source, zcmoe_stream stream);
  /// Replaces the sums by others of the same layout, which the caller has checked.
  void restore(const host_state& from);
  zcmoe_report report(zcmoe_stream stream) const;
  std::unique_ptr<model> finish(zcmoe_stream stream) const;

  /// The sums so far: layout().bytes() bytes in the engine's memory.
  const std::int64_t* state() const { return static_cast<const std::int64_t*>(state_.data()); }

 private:
  std::int64_t* state() { return static_cast<std::int64_t*>(state_.data()); }
  row_rules rules() const;
  fit_job job(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
              std::int64_t n);
  void check_mergeable(const fit& source) const;
  /// Reads the counters at the head of the state; waits for the stream.
  void read_counters(std::int64_t (&counters)[num_row_counters], zcmoe_stream stream) const;

  std::shared_ptr<backend> engine_;
  std::vector<double> edges_;
  model_policies policies_;
  zcmoe_fit_options options_;
  state_layout layout_;
  std::unique_ptr<const router> routes_;
  engine_buffer state_;
  engine_buffer first_bad_;
  engine_buffer frames_;  // line_frame by slot; empty unless the layout has lines
  double pivot_;          // for 64-bit integers: see double_on_same_side
  /// The rows that the state counts, as far as this object added them. Unlike the engine's own
  /// counter it can be read without waiting.
  std::int64_t rows_added_ = 0;
};

}  // namespace zcmoe::detail
