#include "host/learning/oblique.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

// Targets have 32 bits and weights 31 in all: n sum y x - sum y sum x stays within 128.
constexpr int place_bits = 19;
// Offsets of all axes together stay within 32 bits, and rounding moves a sum by little.
constexpr double greatest_sum = 1 << 29;
// Columns along which a slope rises by less than this share of its rise are no part of it.
constexpr double least_share = 1e-3;
// A column that the others tell but for this share has no slope of its own.
constexpr double least_own = 1e-9;

double quotient(__int128 scaled, std::int64_t n) {
  return static_cast<double>(scaled) / static_cast<double>(n);
}

}  // namespace

axis_places places_of(const std::vector<input_axis>& axes) {
  axis_places made;
  for (std::size_t first = 0; first < axes.size();) {
    std::size_t end = first;
    std::vector<double> cuts;  // of all axes of the column
    while (end < axes.size() && axes[end].input == axes[first].input) {
      cuts.insert(cuts.end(), axes[end].edges.begin() + 1, axes[end].edges.end() - 1);
      ++end;
    }
    std::sort(cuts.begin(), cuts.end());
    // In halves, so that no range overflows.
    const double low = 0.5 * axes[first].edges.front();
    const double range = 0.5 * axes[first].edges.back() - low;
    const auto place = [&](double half_a, double half_b) {
      const double share =
          range > 0.0 ? (0.5 * (half_a - low) + 0.5 * (half_b - low)) / range : 0.0;
      return static_cast<std::int32_t>(std::nearbyint(std::ldexp(share, place_bits)));
    };
    // The middle of the segment that begins with each cut; what lies before the first is 0.
    std::vector<std::int32_t> middle(1, 0);
    const auto edge = [&](std::size_t i) {
      return i == 0                ? low
             : i - 1 < cuts.size() ? 0.5 * cuts[i - 1]
                                   : 0.5 * axes[first].edges.back();
    };
    middle[0] = place(edge(0), edge(1));
    for (std::size_t i = 1; i <= cuts.size(); ++i) middle.push_back(place(edge(i), edge(i + 1)));
    for (std::size_t a = first; a < end; ++a) {
      const input_axis& axis = axes[a];
      const std::int64_t m = axis.num_segments();
      std::vector<std::int32_t> places(static_cast<std::size_t>(axis.num_slots()), 0);
      places[0] = a == first ? middle[0] : 0;
      for (std::size_t c = 1; c < static_cast<std::size_t>(m); ++c) {
        const auto i = static_cast<std::size_t>(
            std::lower_bound(cuts.begin(), cuts.end(), axis.edges[c]) - cuts.begin());
        places[c] = places[c - 1] + (middle[i + 1] - middle[i]);
      }
      const auto last = static_cast<std::size_t>(m);
      places[last] = a == first ? 1 << (place_bits - 1) : 0;
      places[last + 1] = places[0];
      places[last + 2] = places[last - 1];
      made.column.push_back(made.num_columns);
      made.places.push_back(std::move(places));
    }
    ++made.num_columns;
    first = end;
  }
  return made;
}

plane_sums::plane_sums(std::size_t num_columns)
    : x_(num_columns, 0), xy_(num_columns, 0), xx_(num_columns * (num_columns + 1) / 2, 0) {}

void plane_sums::add(const std::int32_t* places, std::int32_t target, std::int64_t weight) {
  const std::int64_t y = target;
  count_ += weight;
  y_ += weight * y;
  yy_ += static_cast<__int128>(weight) * y * y;
  __int128* xx = xx_.data();
  for (std::size_t a = 0; a < x_.size(); ++a) {
    const std::int64_t x = weight * places[a];  // weight < 2^32, places < 2^20
    x_[a] += x;
    xy_[a] += static_cast<__int128>(x) * y;
    for (std::size_t b = 0; b <= a; ++b) *xx++ += static_cast<__int128>(x) * places[b];
  }
}

plane_sums& plane_sums::operator+=(const plane_sums& more) {
  count_ += more.count_;
  y_ += more.y_;
  yy_ += more.yy_;
  for (std::size_t a = 0; a < x_.size(); ++a) {
    x_[a] += more.x_[a];
    xy_[a] += more.xy_[a];
  }
  for (std::size_t k = 0; k < xx_.size(); ++k) xx_[k] += more.xx_[k];
  return *this;
}

plane_sums plane_sums::operator-(const plane_sums& less) const {
  plane_sums rest = *this;
  rest.count_ -= less.count_;
  rest.y_ -= less.y_;
  rest.yy_ -= less.yy_;
  for (std::size_t a = 0; a < x_.size(); ++a) {
    rest.x_[a] -= less.x_[a];
    rest.xy_[a] -= less.xy_[a];
  }
  for (std::size_t k = 0; k < xx_.size(); ++k) rest.xx_[k] -= less.xx_[k];
  return rest;
}

plane_sums::plane plane_sums::fitted() const {
  const std::size_t d = x_.size();
  plane made;
  made.slope.assign(d, 0.0);
  if (count_ == 0) return made;
  // About the means, exact before they are rounded once; then solved in a fixed order, the columns
  // that those before them tell being left out.
  std::vector<double> factor(d * d, 0.0);
  std::vector<double> right(d);
  std::vector<char> used(d, 0);
  std::size_t at = 0;
  const __int128 n = count_;
  for (std::size_t a = 0; a < d; ++a) {
    right[a] = quotient(n * xy_[a] - static_cast<__int128>(y_) * x_[a], count_);
    for (std::size_t b = 0; b <= a; ++b, ++at)
      factor[a * d + b] = quotient(n * xx_[at] - static_cast<__int128>(x_[a]) * x_[b], count_);
  }
  for (std::size_t a = 0; a < d; ++a) {
    double own = factor[a * d + a];
    const double all = own;
    for (std::size_t b = 0; b < a; ++b) {
      if (used[b] == 0) continue;
      double value = factor[a * d + b];
      for (std::size_t c = 0; c < b; ++c) {
        if (used[c] != 0) value -= factor[a * d + c] * factor[b * d + c];
      }
      value /= factor[b * d + b];
      factor[a * d + b] = value;
      own -= value * value;
    }
    if (!(own > least_own * all)) continue;
    used[a] = 1;
    factor[a * d + a] = std::sqrt(own);
    for (std::size_t c = 0; c < a; ++c) {
      if (used[c] != 0) right[a] -= factor[a * d + c] * right[c];
    }
    right[a] /= factor[a * d + a];
    made.explained += right[a] * right[a];
  }
  for (std::size_t a = d; a-- > 0;) {
    if (used[a] == 0) continue;
    double value = right[a];
    for (std::size_t c = a + 1; c < d; ++c) {
      if (used[c] != 0) value -= factor[c * d + a] * made.slope[c];
    }
    made.slope[a] = value / factor[a * d + a];
  }
  const double squares = quotient(n * yy_ - static_cast<__int128>(y_) * y_, count_);
  made.left = std::max(squares - made.explained, 0.0);
  return made;
}

std::vector<axis_offsets> offsets_along(const std::vector<double>& slope,
                                        const std::vector<std::int32_t>& columns,
                                        const axis_places& places) {
  double steepest = 0.0;
  for (const double s : slope) steepest = std::max(steepest, std::abs(s));
  if (!(steepest > 0.0) || !std::isfinite(steepest)) return {};
  double rise = 0.0;
  for (const double s : slope) {
    if (std::abs(s) >= least_share * steepest) rise += std::abs(s / steepest);
  }
  const double unit = greatest_sum / std::ldexp(rise * steepest, place_bits);
  std::vector<axis_offsets> sum;
  for (std::size_t a = 0; a < places.column.size(); ++a) {
    const auto found = std::find(columns.begin(), columns.end(), places.column[a]);
    if (found == columns.end()) continue;
    const double s = slope[static_cast<std::size_t>(found - columns.begin())];
    if (std::abs(s) < least_share * steepest) continue;
    axis_offsets along{static_cast<std::int32_t>(a), {}};
    along.offsets.reserve(places.places[a].size());
    for (const std::int32_t p : places.places[a])
      along.offsets.push_back(static_cast<std::int32_t>(std::nearbyint(unit * s * p)));
    sum.push_back(std::move(along));
  }
  return sum;
}

}  // namespace zcmoe::detail
