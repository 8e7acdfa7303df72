// What a model of several inputs costs: nanoseconds a row and bytes, by what it is made of. The
// time is a formula fitted to measurements (bench/README.md, "What a look-up costs") and never a
// measurement of its own: models that are chosen by it do not depend on the machine.
#pragma once

#include "host/routing/banks.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

struct model_cost {
  double ns = 0.0;         // a row of float32 columns, on one thread
  std::int64_t bytes = 0;  // of constants, offsets, nodes and edges

  model_cost& operator+=(const model_cost& more) {
    ns += more.ns;
    bytes += more.bytes;
    return *this;
  }
};

/// What every model costs: its answers are written.
model_cost cost_of_answers();
/// Of an input that is cut: its edges, and the codes of a row.
model_cost cost_of_axis(const input_axis& a);
/// Of a look-up, its axes being cut already, of which there are num_axes.
model_cost cost_of_bank(const bank& b, std::size_t num_axes);
/// Of a head with segments, which go by thresholds, or whose numbers are the scores.
model_cost cost_of_segments(std::int64_t num_segments, bool by_thresholds);
/// All of it; axes that no bank names cost nothing.
model_cost cost_of(const std::vector<input_axis>& axes, const std::vector<bank>& banks,
                   std::int64_t num_segments, bool by_thresholds);

/// What a model that is learned may still cost: all that fits when there is no budget.
class model_room {
 public:
  model_room() = default;
  /// For banks on these axes. Where leaves are segments each has a constant of its own.
  model_room(const model_cost& most, const std::vector<input_axis>& axes,
             bool leaves_are_segments = false);

  bool is_limited() const { return is_limited_; }
  bool leaves_are_segments() const { return leaves_are_segments_; }
  bool takes(const model_cost& cost) const {
    return !is_limited_ || (cost.ns <= most_.ns && cost.bytes <= most_.bytes);
  }
  /// Of a bank and of those of its axes that no bank named before; nothing where there is no limit.
  model_cost cost_of(const bank& b) const;
  void spend(const bank& b);
  /// An equal share for each of some banks.
  model_room share(int num_banks) const;

 private:
  bool is_limited_ = false;
  bool leaves_are_segments_ = false;
  model_cost most_;
  std::vector<model_cost> axes_;
};

}  // namespace zcmoe::detail
