// Carries out line_levels.hpp. The rows of a segment are consecutive.
#include "host/planning/line_levels.hpp"

#include "host/model/lines.hpp"
#include "host/numbers/double_double.hpp"

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace zcmoe::detail {
namespace {

/// Moments of a segment's rows: what is left of them without a row is known at once.
struct row_moments {
  double count = 0.0;
  double weight = 0.0;
  double x = 0.0;  // means
  double y = 0.0;
  double xx = 0.0;  // sums of w times products of distances from the means
  double xy = 0.0;

  void add(double at, double target, double w) {
    ++count;
    weight += w;
    const double dx = at - x;
    const double dy = target - y;
    const double share = w / weight;
    x += dx * share;
    y += dy * share;
    const double both = w * (1 - share);
    xx += dx * dx * both;
    xy += dx * dy * both;
  }
  row_moments without(double at, double target, double w) const {
    row_moments rest = *this;
    --rest.count;
    rest.weight -= w;
    const double dx = at - x;
    const double dy = target - y;
    const double share = w / rest.weight;
    rest.x -= dx * share;
    rest.y -= dy * share;
    const double both = w * (1 + share);
    rest.xx = std::max(0.0, xx - dx * dx * both);
    rest.xy -= dx * dy * both;
    return rest;
  }
  /// Whether inputs lie so far apart that there is a line, in a segment of this width: as
  /// least_position_variance says.
  bool has_line(double width) const { return count >= 3 && xx > width * width * 0x1p-44 * weight; }
  /// What the line answers; the mean where there is none.
  double at(double input, double width) const {
    return has_line(width) ? y + xy / xx * (input - x) : y;
  }
};

class segment_rows_in_order {
 public:
  segment_rows_in_order(const part& rows, const edge_table& edges, std::int32_t closed_side)
      : rows_(rows), edges_(edges) {
    const std::size_t m = edges.size() - 1;
    std::size_t row = 0;
    const std::size_t n = rows.x.size();
    begin_.push_back(0);
    for (std::size_t i = 0; i < m; ++i) {
      const double end = edges[i + 1];
      row_moments own;
      while (row < n && (i + 1 == m || rows.x[row] < end ||
                         (closed_side == ZCMOE_CLOSED_RIGHT && rows.x[row] == end))) {
        own.add(rows.x[row], rows.y[row], weight(row));
        ++row;
      }
      moments_.push_back(own);
      begin_.push_back(row);
      total_ = total_ + own.weight;
    }
  }

  double linear() const {
    double_double sum;
    for (std::size_t i = 0; i < moments_.size(); ++i) sum = sum + squares_about_line(i);
    return sum.high / total_.high;
  }

  double interpolate() const {
    const std::size_t m = moments_.size();
    node_system nodes(m + 1);
    for (std::size_t i = 0; i < m; ++i) {
      const row_moments& own = moments_[i];
      const double width = edges_[i + 1] - edges_[i];
      width_moments all;
      if (own.count > 0) {
        all.weight = own.weight / total_.high;
        all.u = share(i, own.x);
        all.y = own.y;
        all.uu = own.xx / own.weight / (width * width);
        all.uy = own.xy / own.weight / width;
        nodes.add(i, all);
      }
      nodes.hold(i, spring_of(edges_, i));
    }
    nodes.solve();
    double_double sum;
    for (std::size_t i = 0; i < m; ++i) {
      const double first = nodes.value(i);
      const double rise = nodes.value(i + 1) - first;
      double squares = 0.0;
      for (std::size_t r = begin_[i]; r < begin_[i + 1]; ++r) {
        width_moments one;
        one.weight = weight(r) / total_.high;
        one.u = share(i, rows_.x[r]);
        // Where a row alone tells a value the answer without it is unknown: it is as far as this.
        const double left = std::max(0.02, 1.0 - nodes.parameters(i, one));
        const double error = (rows_.y[r] - (first + rise * one.u)) / left;
        squares += weight(r) * error * error;
      }
      sum = sum + squares;
    }
    return sum.high / total_.high;
  }

 private:
  double weight(std::size_t r) const { return rows_.weights.empty() ? 1.0 : rows_.weights[r]; }
  double share(std::size_t i, double x) const {
    return std::clamp((x - edges_[i]) / (edges_[i + 1] - edges_[i]), 0.0, 1.0);
  }
  /// The sum of w (y - answer of the others)^2 over the rows of segment i.
  double squares_about_line(std::size_t i) const {
    const row_moments& own = moments_[i];
    const double width = edges_[i + 1] - edges_[i];
    const bool has_line = own.has_line(width);
    const double slope = has_line ? own.xy / own.xx : 0.0;
    double squares = 0.0;
    for (std::size_t r = begin_[i]; r < begin_[i + 1]; ++r) {
      const double w = weight(r);
      const double dx = rows_.x[r] - own.x;
      // A row inside that takes no more than half of the spread leaves a line behind, which is as
      // much further from it as its leverage says.
      const bool is_inside = r > begin_[i] && r + 1 < begin_[i + 1];
      double error;
      if (is_inside && own.count > 8 && has_line && 8 * w < own.weight &&
          4 * w * dx * dx < own.xx) {
        const double leverage = w / own.weight + w * dx * dx / own.xx;
        error = (rows_.y[r] - own.y - slope * dx) / (1.0 - leverage);
      } else {
        error = rows_.y[r] - answer_without(i, r);
      }
      squares += w * error * error;
    }
    return squares;
  }
  /// What the other rows of segment i answer to row r; what its neighbours do where there are none.
  double answer_without(std::size_t i, std::size_t r) const {
    const row_moments& own = moments_[i];
    if (own.count == 1) return mean_beside(i);
    // Without the row the line ends at the next one.
    double input = rows_.x[r];
    if (r == begin_[i]) input = rows_.x[r + 1];
    if (r + 1 == begin_[i + 1]) input = rows_.x[r - 1];
    return own.without(rows_.x[r], rows_.y[r], weight(r)).at(input, edges_[i + 1] - edges_[i]);
  }
  /// The mean of the nearest segment with rows on either side; 0 without any.
  double mean_beside(std::size_t i) const {
    const double x = moments_[i].x;
    double answer = 0.0;
    double nearest = HUGE_VAL;
    if (begin_[i] > 0) {
      const std::size_t r = begin_[i] - 1;
      nearest = x - rows_.x[r];
      answer = moments_[segment_of_row(r)].y;
    }
    if (begin_[i + 1] < rows_.x.size()) {
      const std::size_t r = begin_[i + 1];
      if (rows_.x[r] - x < nearest) answer = moments_[segment_of_row(r)].y;
    }
    return answer;
  }
  std::size_t segment_of_row(std::size_t r) const {
    return static_cast<std::size_t>(std::upper_bound(begin_.begin(), begin_.end(), r) -
                                    begin_.begin()) -
           1;
  }

  const part& rows_;
  const edge_table& edges_;
  std::vector<std::size_t> begin_;  // the first row of each segment, and their number
  std::vector<row_moments> moments_;
  double_double total_;
};

}  // namespace

line_errors leave_one_out_of_lines(const part& rows, const edge_table& edges,
                                   std::int32_t closed_side) {
  const segment_rows_in_order segments(rows, edges, closed_side);
  return {segments.linear(), segments.interpolate()};
}

}  // namespace zcmoe::detail
