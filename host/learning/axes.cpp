#include "host/learning/axes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace zcmoe::detail {
namespace {

/// Distinct values, ascending, and how often each occurs.
struct tally {
  std::vector<double> values;
  std::vector<double> counts;
};

tally tally_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  tally seen;
  for (const double value : values) {
    if (seen.values.empty() || seen.values.back() != value) {
      seen.values.push_back(value + 0.0);  // -0.0 is 0.0
      seen.counts.push_back(0.0);
    }
    seen.counts.back() += 1.0;
  }
  return seen;
}

/// In (low, high], in their middle if a double lies there.
double cut_between(double low, double high) {
  const double middle = 0.5 * low + 0.5 * high;
  return low < middle && middle < high ? middle : high;
}

/// What each value adds to the number of cuts: the mean of its share of the rows and of its share
/// of the integral of p^(1/3).
std::vector<double> cut_weights(const tally& seen, std::int64_t max_segments) {
  const std::size_t size = seen.values.size();
  double rows = 0.0;
  for (const double count : seen.counts) rows += count;
  // Half of the distance between the neighbours, and that in terms of the range, cannot overflow.
  const double range = 0.5 * seen.values.back() - 0.5 * seen.values.front();
  const int scale = range > 0.0 ? -std::ilogb(range) : 0;
  const auto width = [&](std::size_t i) {
    const double low = seen.values[i == 0 ? 0 : i - 1];
    const double high = seen.values[i + 1 == size ? i : i + 1];
    return std::ldexp(0.5 * high - 0.5 * low, scale);
  };
  // The density is that of blocks of equal mass: the gap between two values says little of it.
  const double block_mass = rows / static_cast<double>(2 * max_segments);
  std::vector<double> weights(size, 0.0);
  double integral = 0.0;
  for (std::size_t first = 0; first < size;) {
    double mass = 0.0;
    double across = 0.0;
    std::size_t last = first;
    while (last < size && (last == first || mass + 0.5 * seen.counts[last] <= block_mass)) {
      mass += seen.counts[last];
      across += width(last);
      ++last;
    }
    const double weight = std::cbrt(mass * across * across);  // (mass / across)^(1/3) across
    for (std::size_t i = first; i < last; ++i) weights[i] = weight * seen.counts[i] / mass;
    integral += weight;
    first = last;
  }
  for (std::size_t i = 0; i < size; ++i) {
    const double smooth = integral > 0.0 ? weights[i] / integral : 0.0;
    weights[i] = 0.5 * smooth + 0.5 * seen.counts[i] / rows;
  }
  return weights;
}

}  // namespace

std::vector<std::int64_t> even_pieces(const std::vector<double>& weights, std::int64_t max_pieces) {
  const auto size = static_cast<std::int64_t>(weights.size());
  std::vector<double> below(1, 0.0);
  below.reserve(weights.size() + 1);
  for (const double weight : weights) below.push_back(below.back() + weight);
  const auto sum = [&](std::int64_t first, std::int64_t last) {
    return below[static_cast<std::size_t>(last)] - below[static_cast<std::size_t>(first)];
  };
  /// The end of the longest piece from `first` that weighs no more than `most`, or one weight.
  const auto end_of = [&](std::int64_t first, double most) {
    const auto at = std::upper_bound(below.begin() + first + 1, below.end(),
                                     below[static_cast<std::size_t>(first)] + most);
    return std::max(first + 1, static_cast<std::int64_t>(at - below.begin()) - 1);
  };
  // Weights that are heavier than `most` stand alone whatever it is, so that it may fall below
  // them.
  const auto starts_for = [&](double most) {
    std::vector<std::int64_t> starts;
    for (std::int64_t first = 0; first < size; first = end_of(first, most)) {
      starts.push_back(first);
      if (static_cast<std::int64_t>(starts.size()) > max_pieces) break;
    }
    return starts;
  };
  if (size == 0) return {};
  double low = 0.0;
  double high = below.back();
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    const bool few = static_cast<std::int64_t>(starts_for(middle).size()) <= max_pieces;
    (few ? high : low) = middle;
  }
  std::vector<std::int64_t> starts = starts_for(high);
  // Heaviest first; of equal ones the first.
  using piece = std::pair<double, std::int64_t>;  // weight, -start
  std::vector<std::int64_t> ends(weights.size(), 0);
  std::priority_queue<piece> heaviest;
  const auto add = [&](std::int64_t first, std::int64_t last) {
    ends[static_cast<std::size_t>(first)] = last;
    if (last - first > 1) heaviest.emplace(sum(first, last), -first);
  };
  for (std::size_t k = 0; k < starts.size(); ++k)
    add(starts[k], k + 1 < starts.size() ? starts[k + 1] : size);
  while (static_cast<std::int64_t>(starts.size()) < max_pieces && !heaviest.empty()) {
    const std::int64_t first = -heaviest.top().second;
    const std::int64_t last = ends[static_cast<std::size_t>(first)];
    heaviest.pop();
    std::int64_t middle = first + 1;
    while (middle + 1 < last && std::abs(sum(first, middle + 1) - sum(middle + 1, last)) <
                                    std::abs(sum(first, middle) - sum(middle, last))) {
      ++middle;
    }
    starts.push_back(middle);
    add(first, middle);
    add(middle, last);
  }
  std::sort(starts.begin(), starts.end());
  return starts;
}

std::vector<double> axis_edges(std::vector<double> values, std::int64_t max_segments) {
  const tally seen = tally_of(std::move(values));
  const std::size_t size = seen.values.size();
  if (size < 2 || max_segments < 2) return {};
  std::vector<std::int64_t> starts;
  if (static_cast<std::int64_t>(size) <= max_segments) {
    for (std::size_t i = 0; i < size; ++i) starts.push_back(static_cast<std::int64_t>(i));
  } else {
    starts = even_pieces(cut_weights(seen, max_segments), max_segments);
  }
  std::vector<double> edges(1, seen.values.front());
  for (std::size_t k = 1; k < starts.size(); ++k) {
    const auto at = static_cast<std::size_t>(starts[k]);
    edges.push_back(cut_between(seen.values[at - 1], seen.values[at]));
  }
  // No double lies between the two greatest values: the upper edge makes room for a segment.
  double last = seen.values.back();
  if (edges.back() == last) last = std::nextafter(last, std::numeric_limits<double>::infinity());
  if (std::isfinite(last)) edges.push_back(last);
  return edges.size() > 2 ? edges : std::vector<double>();
}

}  // namespace zcmoe::detail
