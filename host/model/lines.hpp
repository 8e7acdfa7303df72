// Lines as experts: made of what a fit has summed up (line.hpp), or of the constants of another
// model, which are read by interpolation. Sources: least squares on centred sums; splines with
// node values of least squares; frequency polygons (Scott 1985).
#pragma once

#include "host/experts/constant.hpp"
#include "host/experts/line.hpp"
#include "host/model/model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace zcmoe::detail {

/// The frames of all slots: of the segments, then of the slots beside them, where t is 0; and of
/// one slot more, for rows that an engine does not add.
std::vector<line_frame> line_frames_of(const std::vector<double>& edges);

/// The line of a slot that answers with a constant.
zcmoe_line level_line(double value);

/// What the rows of a segment say of a line over its width.
struct width_moments {
  double weight = 0.0;
  double rows = 0.0;  // effective ones
  double u = 0.0;     // mean share of the width
  double uu = 0.0;    // variance of it
  double y = 0.0;     // mean target, from the origin and in the unit that the caller chose
  double uy = 0.0;    // covariance
  double yy = 0.0;    // variance of targets
};

/// The values at the m + 1 edges ("nodes") of a table that are least squares over all its segments:
/// a symmetric tridiagonal system, positive definite. Each segment adds what its rows say of the
/// two nodes at its edges.
class node_system {
 public:
  explicit node_system(std::size_t num_nodes);
  void add(std::size_t i, const width_moments& rows);
  /// Holds the two nodes of a segment together, as a spring does.
  void hold(std::size_t i, double strength);
  /// Solves it, by LDL^T. Afterwards value() and parameters() are known.
  void solve();
  double value(std::size_t i) const { return right_side_[i]; }
  /// How many parameters some rows of segment i take of those that all rows share: the trace of
  /// their part of the hat matrix.
  double parameters(std::size_t i, const width_moments& rows) const;

 private:
  std::vector<double> diagonal_;
  std::vector<double> beside_;  // [i]: between the nodes i and i + 1
  std::vector<double> right_side_;
  std::vector<double> factor_;
  std::vector<double> inverse_;  // its diagonal
};

/// The spring of a segment where all rows together weigh 1: too weak to be seen where rows say
/// anything. Where they do not, springs as stiff as the segments are short leave the nodes on a
/// straight line.
double spring_of(const std::vector<double>& edges, std::size_t i);

/// Lines of the segments, and what they change of a segment's summary; NaN: nothing.
struct learned_lines {
  std::vector<zcmoe_line> lines;
  std::vector<double> values;  // at the mean input of the rows
  std::vector<double> variances;
  std::vector<double> standard_errors;
};

/// The least-squares line of each segment; NaN where rows give none.
learned_lines linear_experts(const std::vector<double>& edges,
                             const std::vector<slot_summary>& summaries,
                             const std::vector<line_summary>& lines);

/// The continuous line through values at the edges that are least squares over all segments: a
/// tridiagonal system. Where segments have no rows, the line between the values on both sides goes
/// straight on; but with an empty_policy that says what they answer, NaN or a value, they are
/// level. NaN where a line overflows.
learned_lines interpolating_experts(const std::vector<double>& edges,
                                    const std::vector<slot_summary>& summaries,
                                    const std::vector<line_summary>& lines,
                                    std::int32_t empty_policy);

/// The model that reads the constants of another by interpolation, on the
/// same engine: see zcmoe_model_interpolate().
std::unique_ptr<model> interpolated(const model& of_constants);

}  // namespace zcmoe::detail
