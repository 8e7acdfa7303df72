// Cuts that rows themselves ask for, for any number of segments: the best partition of a low-noise
// pilot, so that they follow the relation and not the noise.
//
// clang-format off
//   rows sorted by (x, y, weight) -> bins -> pilot and its jumps (pilot.hpp)
//   -> few segments: exact best partition of the pilot's values (best_partition.hpp)
//   -> many segments: the point density of the pilot's values, which is as good there
//   -> cuts at jumps moved to where the rows themselves change -> edges between inputs
// clang-format on
//
// Every sum runs over sorted rows, so the edges do not depend on the order of the caller's rows.
#pragma once

#include "host/segmentation/best_partition.hpp"
#include "host/segmentation/edges.hpp"
#include "host/segmentation/pilot.hpp"
#include "host/segmentation/samples.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace zcmoe::detail {

/// A number of segments and the two parts of its excess risk, in squares of the target's unit.
struct learned_number {
  std::int64_t num_segments;
  double approximation;  // of the pilot by its means over the segments
  double estimation;     // of the means of m segments
  double noise;          // the variance of targets about the pilot
};

class learned_cuts {
 public:
  /// Learns from at least one row, for numbers of segments up to `most`.
  learned_cuts(samples read, std::int64_t most);

  /// The edges of m segments, 1 <= m <= most, or of as many as there are distinct inputs if these
  /// are fewer. Each segment holds rows. The outer edges are the outermost inputs; where the last
  /// input is a segment of its own, the last edge is the next double.
  edge_table edges(std::int64_t num_segments);
  /// The same for segments with lines as experts, whose cuts go where the relation bends.
  edge_table line_edges(std::int64_t num_segments);

  /// The number of segments, at most `limit`, with the least excess risk when `growth` times as
  /// many rows of the kind are fitted: the pilot is taken for the truth. limit <= most. Weights may
  /// say how precise rows are: what segments cost depends on that, where cuts lie does not.
  learned_number best_number(double growth, std::int64_t limit, bool precisions = false);

  std::int64_t num_inputs() const { return static_cast<std::int64_t>(starts_.size()) - 1; }

 private:
  std::size_t num_bins() const { return bins_.size(); }
  double input(std::size_t group) const { return rows_[starts_[group]].x; }
  void make_bins();
  void place_jumps();
  void follow_pilot();
  const partition_curve& curve();
  std::vector<std::size_t> best_cuts(const partition_curve& curve, std::size_t num_segments) const;
  std::vector<std::size_t> dense_cuts(std::size_t num_segments) const;
  edge_table edges_before(const std::vector<std::size_t>& groups) const;
  double approximation(std::size_t num_segments);
  double noise_of_unit_weight() const;

  std::vector<sample> rows_;
  int target_exponent_;
  double total_ = 0.0;                    // sum of weights
  std::vector<std::size_t> starts_;       // the first row of each distinct input, and their number
  std::vector<std::size_t> first_input_;  // of each bin, as an index of starts_, and their number
  std::vector<binned_rows> bins_;
  regression_pilot pilot_;
  std::vector<std::size_t> cut_at_;  // [bin]: the input before which a cut before the bin lies
  std::vector<double> demand_;  // [bin]: its part of the point density's integral, times a constant
  double high_rate_ = 0.0;  // the error of m segments is about high_rate_ / m^2 where m is large
  double evenness_ = 0.0;   // of partitions of the pilot's values
  std::optional<partition_curve> curve_;  // this and the next are made when first asked for
  std::optional<partition_curve> line_curve_;
  std::int64_t most_;
};

/// The edges of exactly num_segments segments, or of fewer where there are fewer distinct inputs.
edge_table learned_edges(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                         std::int64_t n, std::int64_t num_segments);
/// The same for segments with lines.
edge_table learned_line_edges(const zcmoe_array& x, const zcmoe_array& y,
                              const zcmoe_array& weights, std::int64_t n,
                              std::int64_t num_segments);

}  // namespace zcmoe::detail
