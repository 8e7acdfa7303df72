// A fit: edges, policies and the exact sums so far, in the memory of its engine.
#pragma once

#include "host/engine/backend.hpp"
#include "host/model/model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

/// A state on the host in canonical form: what is serialised. Planes that are zero at both ends of
/// a sum are left out.
struct host_state {
  struct sum {
    int first;                         // first kept plane, counted from the sum's lowest
    std::vector<std::int64_t> planes;  // [kept planes][num_slots]
  };
  std::vector<std::int64_t> counters;  // [num_row_counters], pending 0
  std::vector<std::int64_t> counts;    // [num_slots]
  std::vector<sum> sums;               // in plane order: y, yy or w, ww, wy, wyy
};

/// Name, first plane and number of planes of each sum of a layout, in plane order.
struct sum_extent {
  const char* name;
  int first;
  int digits;
};
std::vector<sum_extent> sum_extents(const state_layout& layout);

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

  host_state download(zcmoe_stream stream) const;
  /// Replaces the sums; sizes must fit the layout (checked by the caller that parsed them).
  void upload(const host_state& state, zcmoe_stream stream);

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
