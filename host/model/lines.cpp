// Sums of segments -> lines. Positions (line.hpp) become shares of a segment's width: u = 0 at its
// lower edge, 1 at its upper one.
#include "host/model/lines.hpp"

#include "host/routing/slots.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace zcmoe::detail {
namespace {

/// The middle of a segment, without overflow.
double middle_of(double a, double b) { return a / 2 + b / 2; }

/// Whether a line can be computed with: none of what it brings overflows.
bool is_sound(const zcmoe_line& line) {
  return std::isfinite(line.to - line.from) && std::isfinite(line.slope) &&
         std::isfinite(line.value) && std::isfinite(value_of(line, line.to));
}

/// The line through (x0, y0) and (x1, y1) in the range [from, to].
zcmoe_line line_through(double x0, double y0, double x1, double y1, double from, double to) {
  zcmoe_line line{from, to, y0, (y1 - y0) / (x1 - x0)};
  if (from != x0) line.value = std::fma(line.slope, from - x0, y0);
  return line;
}

/// Targets from `origin`, in units of 2^exponent.
width_moments moments_of(double a, double b, const slot_summary& summary, const line_summary& line,
                         double origin, int exponent) {
  if (summary.count == 0) return {};
  const line_frame frame = line_frame_of(a, b);
  const double half_width = b / 2 - a / 2;
  const double unit = 1.0 / frame.scale / half_width / 2;  // one unit of t as a share of the width
  const double at_centre = (frame.centre - a) / half_width / 2;
  return {summary.weight,
          summary.effective_count,
          std::clamp(at_centre + line.mean_position * unit, 0.0, 1.0),
          line.position_variance * unit * unit,
          std::ldexp(summary.mean - origin, -exponent),
          std::ldexp(line.covariance, -exponent) * unit,
          std::ldexp(line.target_variance, -2 * exponent)};
}

/// Mean squared distance of a segment's targets from the line with these values at its edges.
double distance_from(const width_moments& rows, double first, double last) {
  const double rise = last - first;
  const double at_mean = rows.y - (first + rise * rows.u);
  return std::max(0.0, rows.yy - 2 * rise * rows.uy + rise * rise * rows.uu + at_mean * at_mean);
}

learned_lines level_everywhere(std::size_t m) {
  learned_lines result;
  result.lines.assign(m, level_line(quiet_nan()));
  result.values.assign(m, quiet_nan());
  result.variances.assign(m, quiet_nan());
  result.standard_errors.assign(m, quiet_nan());
  return result;
}

}  // namespace

node_system::node_system(std::size_t num_nodes)
    : diagonal_(num_nodes, 0.0), beside_(num_nodes, 0.0), right_side_(num_nodes, 0.0) {}

void node_system::add(std::size_t i, const width_moments& rows) {
  const double w = rows.weight;
  diagonal_[i] += w * ((1 - rows.u) * (1 - rows.u) + rows.uu);
  diagonal_[i + 1] += w * (rows.u * rows.u + rows.uu);
  beside_[i] += w * (rows.u * (1 - rows.u) - rows.uu);
  right_side_[i] += w * ((1 - rows.u) * rows.y - rows.uy);
  right_side_[i + 1] += w * (rows.u * rows.y + rows.uy);
}

void node_system::hold(std::size_t i, double strength) {
  diagonal_[i] += strength;
  diagonal_[i + 1] += strength;
  beside_[i] -= strength;
}

void node_system::solve() {
  const std::size_t n = diagonal_.size();
  factor_.assign(n, 0.0);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    factor_[i] = beside_[i] / diagonal_[i];
    diagonal_[i + 1] -= factor_[i] * beside_[i];
    right_side_[i + 1] -= factor_[i] * right_side_[i];
  }
  inverse_.assign(n, 0.0);
  inverse_[n - 1] = 1.0 / diagonal_[n - 1];
  right_side_[n - 1] /= diagonal_[n - 1];
  for (std::size_t i = n - 1; i-- > 0;) {
    right_side_[i] = right_side_[i] / diagonal_[i] - factor_[i] * right_side_[i + 1];
    inverse_[i] = 1.0 / diagonal_[i] + factor_[i] * factor_[i] * inverse_[i + 1];
  }
}

double node_system::parameters(std::size_t i, const width_moments& rows) const {
  const double across = -factor_[i] * inverse_[i + 1];
  return rows.weight * (((1 - rows.u) * (1 - rows.u) + rows.uu) * inverse_[i] +
                        2 * (rows.u * (1 - rows.u) - rows.uu) * across +
                        (rows.u * rows.u + rows.uu) * inverse_[i + 1]);
}

double spring_of(const std::vector<double>& edges, std::size_t i) {
  const auto m = static_cast<double>(edges.size() - 1);
  constexpr double strength = 1e-11;
  const double range = edges.back() / 2 - edges.front() / 2;
  return std::min(1.0, strength / m * (range / (edges[i + 1] / 2 - edges[i] / 2)));
}

std::vector<line_frame> line_frames_of(const std::vector<double>& edges) {
  std::vector<line_frame> frames(num_slots_of(edges.size() - 1) + 1,
                                 line_frame{0.0, 0.0, 0.0, 0.0});
  for (std::size_t i = 0; i + 1 < edges.size(); ++i)
    frames[i] = line_frame_of(edges[i], edges[i + 1]);
  return frames;
}

zcmoe_line level_line(double value) { return {0.0, 0.0, value, 0.0}; }

learned_lines linear_experts(const std::vector<double>& edges,
                             const std::vector<slot_summary>& summaries,
                             const std::vector<line_summary>& lines) {
  const std::size_t m = edges.size() - 1;
  learned_lines result = level_everywhere(m);
  for (std::size_t i = 0; i < m; ++i) {
    const line_summary& of = lines[i];
    const double rows = summaries[i].effective_count;
    constexpr double parameters = 2.0;
    if (summaries[i].count < 3 || !(rows > parameters) || std::isnan(of.slope)) continue;
    const line_frame frame = line_frame_of(edges[i], edges[i + 1]);
    const auto x_of = [&](std::int64_t t) {
      const double x = frame.centre + static_cast<double>(t) / frame.scale;
      return std::clamp(x, edges[i], edges[i + 1]);
    };
    const zcmoe_line line{
        x_of(of.lowest), x_of(of.highest),
        std::fma(of.slope, static_cast<double>(of.lowest) - of.mean_position, summaries[i].mean),
        of.slope * frame.scale};
    if (line.slope == 0.0 || !is_sound(line)) continue;
    result.lines[i] = line;
    result.values[i] = summaries[i].mean;
    result.variances[i] = of.residual * (rows / (rows - parameters));
    result.standard_errors[i] = std::sqrt(result.variances[i] * (parameters / rows));
  }
  return result;
}

learned_lines interpolating_experts(const std::vector<double>& edges,
                                    const std::vector<slot_summary>& summaries,
                                    const std::vector<line_summary>& lines,
                                    std::int32_t empty_policy) {
  const std::size_t m = edges.size() - 1;
  learned_lines result = level_everywhere(m);
  // Targets are measured from the mean of one segment, in units of their own spread, so that none
  // is lost beside a large mean and none overflows.
  const auto first_used = std::find_if(summaries.begin(), summaries.begin() + static_cast<long>(m),
                                       [](const slot_summary& s) { return s.count > 0; });
  if (first_used == summaries.begin() + static_cast<long>(m)) return result;
  const double origin = first_used->mean;
  double spread = 0.0;
  double weight = 0.0;
  for (std::size_t i = 0; i < m; ++i) {
    if (summaries[i].count == 0) continue;
    spread = std::max({spread, std::abs(summaries[i].mean - origin),
                       std::sqrt(std::max(0.0, lines[i].target_variance))});
    weight += summaries[i].weight;
  }
  if (!std::isfinite(spread) || !std::isfinite(weight)) return result;
  int exponent = 0;
  if (spread > 0.0) std::frexp(spread, &exponent);
  std::vector<width_moments> rows(m);
  node_system nodes(m + 1);
  for (std::size_t i = 0; i < m; ++i) {
    rows[i] = moments_of(edges[i], edges[i + 1], summaries[i], lines[i], origin, exponent);
    rows[i].weight /= weight;
    if (summaries[i].count > 0) nodes.add(i, rows[i]);
    nodes.hold(i, spring_of(edges, i));
  }
  nodes.solve();
  const bool told = empty_policy == ZCMOE_EMPTY_NAN || empty_policy == ZCMOE_EMPTY_VALUE;
  const auto target_of = [&](double value) { return std::ldexp(value, exponent) + origin; };
  for (std::size_t i = 0; i < m; ++i) {
    if (summaries[i].count == 0 && told) continue;
    const double first = nodes.value(i);
    const double last = nodes.value(i + 1);
    const zcmoe_line line = line_through(edges[i], target_of(first), edges[i + 1], target_of(last),
                                         edges[i], edges[i + 1]);
    if (!is_sound(line)) continue;
    result.lines[i] = line;
    if (summaries[i].count == 0) continue;
    result.values[i] = target_of(first + (last - first) * rows[i].u);
    if (summaries[i].count < 2) continue;
    const double parameters = std::clamp(nodes.parameters(i, rows[i]), 0.0, rows[i].rows / 2);
    result.variances[i] = std::ldexp(distance_from(rows[i], first, last), 2 * exponent) *
                          (rows[i].rows / (rows[i].rows - parameters));
    result.standard_errors[i] = std::sqrt(result.variances[i] * (parameters / rows[i].rows));
  }
  return result;
}

std::unique_ptr<model> interpolated(const model& of_constants) {
  const model_data& constant = of_constants.data();
  zcmoe_model_options options = of_constants.policies().as_options();
  ZCMOE_EXPECTS(options.experts == ZCMOE_EXPERTS_CONSTANT, "model has experts=", options.experts,
                ", lines already: constants are what can be read by interpolation");
  options.experts = ZCMOE_EXPERTS_INTERPOLATE;
  options.constants = ZCMOE_CONSTANTS_MEAN;
  options.shrinkage = 0.0;
  model_policies policies(options);
  const auto m = static_cast<std::size_t>(constant.num_segments());
  const std::vector<double>& edges = constant.edges;
  // Nodes: the centres, of which two may be one number where segments are as narrow as that.
  std::vector<double> at;
  std::vector<double> value;
  for (std::size_t i = 0; i < m; ++i) {
    const double centre = middle_of(edges[i], edges[i + 1]);
    if (!at.empty() && !(centre > at.back())) continue;
    at.push_back(centre);
    value.push_back(constant.constants[i]);
  }
  std::vector<double> between = {edges[0]};
  std::vector<zcmoe_line> lines;
  for (std::size_t k = 0; k + 1 < at.size(); ++k) {
    const double to = k + 2 < at.size() ? at[k + 1] : edges[m];
    const zcmoe_line line =
        line_through(at[k], value[k], at[k + 1], value[k + 1], between.back(), to);
    lines.push_back(is_sound(line) ? line : level_line(middle_of(value[k], value[k + 1])));
    between.push_back(to);
  }
  if (lines.empty()) {
    lines.push_back(level_line(value[0]));
    between.push_back(edges[m]);
  }
  const std::size_t segments = lines.size();
  model_data result =
      model_data_of(between.data(), lines.data(), static_cast<std::int64_t>(segments), policies);
  for (std::size_t k = 0; k < 3; ++k) {
    const double outside = constant.constants[m + k];
    result.constants[segments + k] = outside;
    result.lines[segments + k] = level_line(outside);
  }
  return std::make_unique<model>(of_constants.shared_engine(), std::move(result),
                                 std::move(policies), nullptr);
}

}  // namespace zcmoe::detail
