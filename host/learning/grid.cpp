#include "host/learning/grid.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace zcmoe::detail {
namespace {

using wide = unsigned __int128;

/// The codes of an axis before those of NaN and of inputs outside its range.
int num_ordered(const coded_rows& rows, int axis) {
  return static_cast<int>(num_segments_of(rows.num_slots[static_cast<std::size_t>(axis)]));
}

/// The codes around one, over which the slope there is taken: as far as one of 16 bins of a pair
/// grid, whose steps say nothing of slopes by themselves.
struct span {
  int first;
  int last;
};
span span_of(int code, int ordered) {
  const int size = std::max(1, (ordered + 8) / 16);
  const int first = std::clamp(code - size / 2, 0, std::max(0, ordered - 1 - size));
  return {first, std::min(first + size, ordered - 1)};
}

/// The radix of each axis of a grid: one more than its greatest digit.
struct grid_shape {
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> sizes;
  std::int64_t cells = 1;
};

grid_shape shape_of(const bank& grid) {
  grid_shape shape;
  const std::size_t num_axes = grid.axes.size();
  shape.strides.resize(num_axes);
  shape.sizes.resize(num_axes);
  for (std::size_t k = 0; k < num_axes; ++k) {
    const std::vector<std::int32_t>& offsets = grid.axes[k].offsets;
    const std::int64_t last = *std::max_element(offsets.begin(), offsets.end());
    shape.strides[k] = shape.cells;
    shape.sizes[k] = last / shape.cells + 1;
    shape.cells *= shape.sizes[k];
  }
  return shape;
}

/// For every cell the sum of a quantity over the cells at exactly this distance, from those at
/// smaller ones: axis by axis, the cells at distance r are those at r - |k| in the plane k steps
/// along.
class distance_sums {
 public:
  distance_sums(const grid_shape& shape, const std::vector<std::int64_t>& quantity)
      : shape_(shape), by_axes_(shape.sizes.size() + 1) {
    by_axes_[0].push_back(quantity);
  }

  /// The sums at distance r; to be asked for r = 0, 1, 2, ...
  const std::vector<std::int64_t>& at(std::int64_t r) {
    if (r > 0) by_axes_[0].emplace_back();  // a cell alone has nothing at a distance
    for (std::size_t k = 0; k < shape_.sizes.size(); ++k) {
      std::vector<std::int64_t> sums(static_cast<std::size_t>(shape_.cells), 0);
      const std::int64_t stride = shape_.strides[k];
      for (std::int64_t step = -r; step <= r; ++step) {
        const std::vector<std::int64_t>& from =
            by_axes_[k][static_cast<std::size_t>(r - std::abs(step))];
        if (from.empty()) continue;
        for (std::int64_t cell = 0; cell < shape_.cells; ++cell) {
          const std::int64_t digit = cell / stride % shape_.sizes[k] + step;
          if (digit < 0 || digit >= shape_.sizes[k]) continue;
          sums[static_cast<std::size_t>(cell)] +=
              from[static_cast<std::size_t>(cell + step * stride)];
        }
      }
      by_axes_[k + 1].push_back(std::move(sums));
    }
    return by_axes_.back().back();
  }

 private:
  const grid_shape& shape_;
  std::vector<std::vector<std::vector<std::int64_t>>> by_axes_;  // [axes done][distance][cell]
};

}  // namespace

axis_slopes slopes_of(const std::vector<bank>& pilot, const coded_rows& rows, row_choice train,
                      const run_parts& run) {
  const auto num_axes = static_cast<std::size_t>(rows.num_axes());
  axis_slopes slopes;
  std::vector<std::vector<wide>> squares(num_axes);
  for (std::size_t a = 0; a < num_axes; ++a) {
    const auto slots = static_cast<std::size_t>(rows.num_slots[a]);
    squares[a].resize(slots, 0);
    slopes.counts.emplace_back(slots, 0);
    slopes.squares.emplace_back(slots, 0.0);
  }
  // The other banks do not change along an axis. Those that do may look at other axes too.
  std::vector<std::vector<const bank*>> changing(num_axes);
  std::vector<std::vector<std::int32_t>> looked_at(num_axes);
  for (const bank& b : pilot) {
    std::vector<std::int32_t> named;
    named.reserve(b.axes.size() + b.nodes.size());
    for (const axis_offsets& along : b.axes) named.push_back(along.axis);
    for (const zcmoe_tree_node& node : b.nodes) named.push_back(node.feature);
    for (const std::int32_t a : named) {
      std::vector<const bank*>& of_axis = changing[static_cast<std::size_t>(a)];
      if (of_axis.empty() || of_axis.back() != &b) of_axis.push_back(&b);
      std::vector<std::int32_t>& axes = looked_at[static_cast<std::size_t>(a)];
      axes.insert(axes.end(), named.begin(), named.end());
    }
  }
  for (std::size_t a = 0; a < num_axes; ++a) {
    std::vector<std::int32_t>& axes = looked_at[a];
    axes.push_back(static_cast<std::int32_t>(a));
    std::sort(axes.begin(), axes.end());
    axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  }
  // Parts are axes: each has sums of its own.
  run(static_cast<std::int64_t>(num_axes), [&](std::int64_t part) {
    const auto a = static_cast<std::size_t>(part);
    const auto of_axes = static_cast<std::int32_t>(num_axes);
    const int ordered = num_ordered(rows, static_cast<int>(a));
    std::uint8_t codes[ZCMOE_MAX_INPUTS];
    for (std::int64_t i = 0; i < rows.n; ++i) {
      if (!train.takes(rows.part[static_cast<std::size_t>(i)])) continue;
      for (const std::int32_t k : looked_at[a]) codes[k] = rows.codes_of(k)[i];
      const int code = codes[a];
      const std::int64_t weight = rows.weight(static_cast<std::size_t>(i));
      slopes.counts[a][static_cast<std::size_t>(code)] += weight;
      const span around = span_of(code, ordered);
      if (around.last == around.first) continue;
      std::int64_t change = 0;
      for (const bank* b : changing[a]) {
        codes[a] = static_cast<std::uint8_t>(around.last);
        change += b->constants[static_cast<std::size_t>(cell_of(*b, codes, of_axes))];
        codes[a] = static_cast<std::uint8_t>(around.first);
        change -= b->constants[static_cast<std::size_t>(cell_of(*b, codes, of_axes))];
      }
      const auto size = static_cast<wide>(std::abs(change));
      squares[a][static_cast<std::size_t>(code)] += size * size * static_cast<wide>(weight);
    }
  });
  for (std::size_t a = 0; a < num_axes; ++a) {
    const int ordered = num_ordered(rows, static_cast<int>(a));
    for (int c = 0; c < ordered; ++c) {
      const span around = span_of(c, ordered);
      const double steps = std::max(1, around.last - around.first);
      slopes.squares[a][static_cast<std::size_t>(c)] =
          static_cast<double>(squares[a][static_cast<std::size_t>(c)]) / (steps * steps);
    }
  }
  return slopes;
}

bank grid_of(const axis_slopes& slopes, const coded_rows& rows, std::int64_t num_cells) {
  const auto num_axes = static_cast<std::size_t>(rows.num_axes());
  // By axis: the density of cuts at each step from a code to the next, and its cube.
  std::vector<std::vector<double>> density(num_axes);
  std::vector<double> cost(num_axes, 0.0);
  std::vector<std::int64_t> most(num_axes, 1);   // segments that the axis can have
  std::vector<std::int64_t> apart(num_axes, 0);  // codes beside the axis that have rows
  for (std::size_t a = 0; a < num_axes; ++a) {
    const int ordered = num_ordered(rows, static_cast<int>(a));
    double sum = 0.0;
    for (int c = 0; c < ordered; ++c) {
      density[a].push_back(std::cbrt(slopes.squares[a][static_cast<std::size_t>(c)]));
      sum += density[a].back();
    }
    cost[a] = sum * sum * sum;
    most[a] = sum > 0.0 ? ordered : 1;
    for (std::size_t c = static_cast<std::size_t>(ordered); c < slopes.counts[a].size(); ++c)
      apart[a] += slopes.counts[a][c] > 0 ? 1 : 0;
  }
  // The codes beside the segments share the first segment of an axis where there are too many,
  // those of the fewest rows first.
  const auto cells_of_apart = [&] {
    double cells = 1.0;
    for (const std::int64_t codes : apart) cells *= static_cast<double>(1 + codes);
    return cells;
  };
  const auto rows_apart = [&](std::size_t a) {
    const auto& counts = slopes.counts[a];
    return std::accumulate(counts.begin() + num_ordered(rows, static_cast<int>(a)), counts.end(),
                           std::int64_t{0});
  };
  while (cells_of_apart() > static_cast<double>(num_cells)) {
    std::size_t fewest = num_axes;
    for (std::size_t a = 0; a < num_axes; ++a) {
      if (apart[a] > 0 && (fewest == num_axes || rows_apart(a) < rows_apart(fewest))) fewest = a;
    }
    apart[fewest] = 0;
  }
  // One more segment goes where it lessens the error most for the cells that it makes.
  std::vector<std::int64_t> segments(num_axes, 1);
  const auto cells_with = [&](std::size_t more) {
    double cells = 1.0;
    for (std::size_t a = 0; a < num_axes; ++a)
      cells *= static_cast<double>(segments[a] + apart[a] + (a == more ? 1 : 0));
    return cells;
  };
  for (;;) {
    std::size_t best = num_axes;
    double most_gain = 0.0;
    for (std::size_t a = 0; a < num_axes; ++a) {
      if (segments[a] >= most[a] || cells_with(a) > static_cast<double>(num_cells)) continue;
      const auto m = static_cast<double>(segments[a]);
      const double gain = cost[a] * (1.0 / (m * m) - 1.0 / ((m + 1.0) * (m + 1.0))) /
                          std::log1p(1.0 / (m + static_cast<double>(apart[a])));
      if (gain > most_gain) {
        most_gain = gain;
        best = a;
      }
    }
    if (best == num_axes) break;
    ++segments[best];
  }
  bank grid;
  std::int64_t stride = 1;
  for (std::size_t a = 0; a < num_axes; ++a) {
    if (segments[a] + apart[a] < 2) continue;
    axis_offsets along{static_cast<std::int32_t>(a), {}};
    const double total = std::accumulate(density[a].begin(), density[a].end(), 0.0);
    const int ordered = num_ordered(rows, static_cast<int>(a));
    double below = 0.0;
    std::int64_t digit = 0;
    for (int c = 0; c < ordered; ++c) {
      // A code belongs where its middle lies; a digit that no code takes is passed over.
      if (segments[a] > 1) {
        const double width = density[a][static_cast<std::size_t>(c)];
        const double place = (below + 0.5 * width) / total * static_cast<double>(segments[a]);
        below += width;
        const std::int64_t wanted = std::min(static_cast<std::int64_t>(place), segments[a] - 1);
        if (c > 0 && wanted > digit) ++digit;
      }
      along.offsets.push_back(static_cast<std::int32_t>(digit * stride));
    }
    std::int64_t size = digit + 1;
    for (std::size_t c = static_cast<std::size_t>(ordered); c < slopes.counts[a].size(); ++c) {
      const bool own = apart[a] > 0 && slopes.counts[a][c] > 0;
      along.offsets.push_back(static_cast<std::int32_t>((own ? size++ : 0) * stride));
    }
    stride *= size;
    grid.axes.push_back(std::move(along));
  }
  grid.constants.resize(static_cast<std::size_t>(stride));
  std::iota(grid.constants.begin(), grid.constants.end(), 0);
  return grid;
}

void fill_empty_cells(const bank& grid, const std::vector<std::int64_t>& counts,
                      const std::vector<std::int64_t>& sums, const coded_rows& rows,
                      std::vector<double>& means) {
  const grid_shape shape = shape_of(grid);
  std::int64_t farthest = 0;
  for (const std::int64_t size : shape.sizes) farthest += size - 1;
  std::vector<std::size_t> empty;
  for (std::size_t cell = 0; cell < counts.size(); ++cell) {
    if (counts[cell] == 0) empty.push_back(cell);
  }
  if (empty.empty() || empty.size() == counts.size()) return;
  distance_sums near_counts(shape, counts);
  distance_sums near_sums(shape, sums);
  for (std::int64_t r = 0; r <= farthest && !empty.empty(); ++r) {
    const std::vector<std::int64_t>& count = near_counts.at(r);
    const std::vector<std::int64_t>& sum = near_sums.at(r);
    const auto filled = [&](std::size_t cell) {
      if (count[cell] == 0) return false;
      means[cell] = std::ldexp(static_cast<double>(sum[cell]) / static_cast<double>(count[cell]),
                               rows.exponent);
      return true;
    };
    empty.erase(std::remove_if(empty.begin(), empty.end(), filled), empty.end());
  }
}

}  // namespace zcmoe::detail
