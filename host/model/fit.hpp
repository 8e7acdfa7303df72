// A fit: edges, policies and the exact sums so far, in the memory of its engine.
#pragma once

#include "host/engine/backend.hpp"
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
  /// What the engine is to do to add n rows; arguments checked by the caller, no workspace set.
  fit_job job(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
              std::int64_t n);
  void merge(const fit& source, zcmoe_stream stream);
  zcmoe_report report(zcmoe_stream stream) const;
  std::unique_ptr<model> finish(zcmoe_stream stream) const;

  /// The sums so far, layout().bytes() in the engine's memory.
  const std::int64_t* state() const { return static_cast<const std::int64_t*>(state_.data()); }
  std::int64_t* state() { return static_cast<std::int64_t*>(state_.data()); }

 private:
  row_rules rules() const;

  std::shared_ptr<backend> engine_;
  std::vector<double> edges_;
  model_policies policies_;
  zcmoe_fit_options options_;
  state_layout layout_;
  engine_buffer engine_edges_;
  std::unique_ptr<const router> routes_;
  engine_buffer state_;
  engine_buffer first_bad_;
};

}  // namespace zcmoe::detail
