// A fit: edges, policies and the exact sums so far, in the memory of its engine. Rows go in, a
// model comes out. Of several inputs a model's segments take the place of edges.
#pragma once

#include "host/engine/backend.hpp"
#include "host/model/fit_state.hpp"
#include "host/model/model.hpp"
#include "host/model/points_model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

/// The segments that rows of several inputs are summed in.
struct fit_segments {
  points_data model;  // which has segments
  zcmoe_points_fit_options options;
};

/// What such a fit does with rows: those without a segment are left out.
model_policies fit_policies_of(const zcmoe_points_fit_options& options);

class fit {
 public:
  fit(std::shared_ptr<backend> engine, std::vector<double> edges, model_policies policies,
      const zcmoe_fit_options& options);
  fit(std::shared_ptr<backend> engine, fit_segments segments, const zcmoe_fit_options& options);

  /// Of several inputs: the model whose segments these are, its constants being their numbers; null
  /// of one input.
  const points_model* numbers() const { return numbers_.get(); }
  /// Of several inputs: what the segments have predicted before.
  const std::vector<double>& kept_constants() const { return kept_constants_; }
  const zcmoe_points_fit_options& segment_options() const { return segment_options_; }

  const state_layout& layout() const { return layout_; }
  /// Of one input.
  const std::vector<double>& edges() const { return edges_; }
  const model_policies& policies() const { return policies_; }
  const zcmoe_fit_options& options() const { return options_; }

  backend& engine() const { return *engine_; }
  /// Rows of one input, to be added.
  points rows(const zcmoe_array& x, std::int64_t n) const { return {any(x, pivot_), n}; }
  std::size_t workspace(std::int64_t n) const {
    return engine_->fit_workspace(layout_, numbers_ != nullptr, n);
  }
  /// Adds rows that are in the engine's memory. The caller has checked the arguments, except the
  /// number of rows. Where `workspace` is null the engine's allocator provides it.
  void add(const points& rows, const zcmoe_array& y, const zcmoe_array& weights, void* workspace,
           std::size_t workspace_bytes, zcmoe_stream stream);
  /// The same for rows in host memory.
  void add_sync(const points& rows, const zcmoe_array& y, const zcmoe_array& weights,
                zcmoe_stream stream);
  /// Adds the sums of `source`. Throws INCOMPATIBLE unless its segments, types and policies are
  /// equal.
  void merge(const fit& source, zcmoe_stream stream);
  /// Replaces the sums by others of the same layout, which the caller has checked.
  void restore(const host_state& from);
  zcmoe_report report(zcmoe_stream stream) const;
  /// The model of a fit of one input, and of several.
  std::unique_ptr<model> finish(zcmoe_stream stream) const;
  std::unique_ptr<points_model> finish_points(zcmoe_stream stream) const;

  /// The sums so far: layout().bytes() bytes in the engine's memory.
  const std::int64_t* state() const { return static_cast<const std::int64_t*>(state_.data()); }

 private:
  std::int64_t* state() { return static_cast<std::int64_t*>(state_.data()); }
  void make_state();
  void make_routes(const std::vector<double>& edges);
  row_rules rules() const;
  fit_job job(const points& rows, const zcmoe_array& y, const zcmoe_array& weights);
  /// Throws DATA if rows were refused.
  std::vector<slot_summary> summaries(zcmoe_stream stream) const;
  void check_mergeable(const fit& source) const;
  /// Reads the counters at the head of the state; waits for the stream.
  void read_counters(std::int64_t (&counters)[num_row_counters], zcmoe_stream stream) const;

  std::shared_ptr<backend> engine_;
  std::vector<double> edges_;
  std::unique_ptr<const points_model> numbers_;
  std::vector<double> kept_constants_;
  zcmoe_points_fit_options segment_options_ = ZCMOE_POINTS_FIT_OPTIONS_INIT;
  model_policies policies_;
  zcmoe_fit_options options_;
  state_layout layout_;
  std::unique_ptr<const router> routes_;
  engine_buffer state_;
  engine_buffer first_bad_;
  engine_buffer frames_;  // line_frame by slot; empty unless the layout has lines
  double pivot_ = 0;      // of one input, for 64-bit integers: see double_on_same_side
  /// The rows that the state counts, as far as this object added them. Unlike the engine's own
  /// counter it can be read without waiting.
  std::int64_t rows_added_ = 0;
};

}  // namespace zcmoe::detail
