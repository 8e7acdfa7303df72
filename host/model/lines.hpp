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

/// The frames of all slots: of the segments, then of the slots beside them, where t is 0.
std::vector<line_frame> line_frames_of(const std::vector<double>& edges);

/// The line of a slot that answers with a constant.
zcmoe_line level_line(double value);

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
