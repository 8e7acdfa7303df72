#include "host/learning/cost.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

// ns a row on one thread of an AMD EPYC of the fourth generation (AVX-512; 1 MiB of second-level
// cache), medians of models of their kind beside each other. Other processors differ, mostly by a
// factor: a budget is a ratio, no promise.
constexpr double answers_ns = 0.25;
constexpr double uneven_axis_ns = 0.9;   // with edges close beside each other
constexpr double table_ns = 0.08;        // of one axis
constexpr double offset_ns = 0.04;       // a code's part of a cell
constexpr double small_grid_ns = 0.06;   // at most 256 cells, which lie in registers
constexpr double top_ns = 0.75;          // the top of a tree, its first 64 parts,
constexpr double top_of_axis_ns = 0.35;  // and for each of its axes
constexpr std::size_t most_parts = 64;
constexpr std::int64_t most_direct_cells = std::int64_t{1} << 16;
constexpr double walk_ns = 0.4;    // a tree that has more, and for each level
constexpr double term_ns = 1.0;    // of a sum that nodes compare
constexpr int rows_together = 16;  // that go down a tree until the last has arrived

/// A table of what grows with a size, [log2 of size, ns], between whose rows lines lead.
struct step {
  double log2;
  double ns;
};
template <std::size_t size>
double along(const step (&steps)[size], std::int64_t count) {
  // Between powers of two a line instead of the logarithm: every processor rounds it alike.
  const int power = std::ilogb(static_cast<double>(count));
  const double at = power + std::ldexp(static_cast<double>(count), -power) - 1.0;
  std::size_t k = 1;
  while (k + 1 < size && steps[k].log2 < at) ++k;
  const double share = (at - steps[k - 1].log2) / (steps[k].log2 - steps[k - 1].log2);
  return steps[k - 1].ns + std::clamp(share, 0.0, 1.0) * (steps[k].ns - steps[k - 1].ns);
}

constexpr step axis_slots[] = {{6, 0.2}, {7, 0.26}, {8, 0.36}};
constexpr step grid_cells[] = {{8, 0.6}, {16, 0.7}, {20, 1.8}, {26, 8.0}};
constexpr step level_leaves[] = {{6, 0.92}, {13, 0.95}, {16, 1.4}, {22, 4.0}};
constexpr step threshold_segments[] = {{4, 1.9}, {10, 2.3}, {14, 3.1}, {20, 19.0}};
constexpr step segment_constants[] = {{6, 0.0}, {13, 0.1}, {16, 0.4}, {20, 1.5}};

/// Whether edges are so far apart that each has one of equally wide buckets to itself, four for
/// each of 64, 128 or 256 slots: then codes are found in registers (host/cpu/route_table.cpp).
bool are_even(const input_axis& a) {
  const std::int64_t slots = a.num_slots() <= 64 ? 64 : a.num_slots() <= 128 ? 128 : 256;
  const double first = a.edges[0];
  // In halves, so that no range overflows.
  const double range = 0.5 * a.edges.back() - 0.5 * first;
  double before = -1.0;
  for (std::size_t k = 1; k + 1 < a.edges.size(); ++k) {
    const double bucket =
        std::floor((0.5 * a.edges[k] - 0.5 * first) / range * static_cast<double>(4 * slots - 1));
    if (bucket <= before) return false;
    before = bucket;
  }
  return true;
}

/// The axes that a bank names, increasing.
std::vector<std::int32_t> axes_of(const bank& b, std::size_t num_axes) {
  std::vector<std::int32_t> named;
  for (const axis_offsets& a : b.axes) named.push_back(a.axis);
  for (const std::vector<axis_offsets>& sum : b.oblique) {
    for (const axis_offsets& a : sum) named.push_back(a.axis);
  }
  for (const zcmoe_tree_node& node : b.nodes) {
    if (static_cast<std::size_t>(node.feature) < num_axes) named.push_back(node.feature);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

std::int64_t bytes_of(const std::vector<axis_offsets>& axes) {
  std::size_t offsets = 0;
  for (const axis_offsets& a : axes) offsets += a.offsets.size();
  return static_cast<std::int64_t>(offsets * sizeof(std::int32_t));
}

/// Levels that rows walk in a tree whose top is cut into parts that are found at once, the largest
/// first (host/cpu/code_trees.hpp): the mean depth within its part of the deepest of the leaves
/// that rows reach which go down together, as if each leaf had equally many rows.
double levels_walked(const bank& tree) {
  const auto place_of = [](std::int32_t number) { return static_cast<std::size_t>(number); };
  const std::vector<std::int32_t> parts = top_of(tree, most_parts).parts;
  if (std::all_of(parts.begin(), parts.end(), [](std::int32_t part) { return part < 0; }))
    return 0.0;
  std::vector<std::int64_t> leaves_at;
  const auto add_leaf = [&](std::size_t depth) {
    if (leaves_at.size() <= depth) leaves_at.resize(depth + 1, 0);
    ++leaves_at[depth];
  };
  std::vector<std::size_t> depth(tree.nodes.size(), std::numeric_limits<std::size_t>::max());
  for (const std::int32_t part : parts) {
    if (part < 0) {
      add_leaf(0);
    } else {
      depth[place_of(part)] = 0;
    }
  }
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    if (depth[i] == std::numeric_limits<std::size_t>::max()) continue;  // of the top
    for (const std::int32_t child : {tree.nodes[i].left, tree.nodes[i].right}) {
      if (child < 0) {
        add_leaf(depth[i] + 1);
      } else {
        depth[place_of(child)] = depth[i] + 1;
      }
    }
  }
  // The sum over k of P(one is deeper than k).
  double levels = 0.0;
  std::int64_t reached = 0;
  for (const std::int64_t at : leaves_at) {
    reached += at;
    double share = static_cast<double>(reached) / static_cast<double>(tree.constants.size());
    for (int rows = 1; rows < rows_together; rows *= 2) share *= share;
    levels += 1.0 - share;
  }
  return levels;
}

model_cost cost_of_tree(const bank& b, std::size_t num_axes) {
  model_cost cost;
  cost.bytes = static_cast<std::int64_t>(b.nodes.size() * sizeof(zcmoe_tree_node) +
                                         b.constants.size() * sizeof(std::int32_t));
  std::size_t terms = 0;
  for (const std::vector<axis_offsets>& sum : b.oblique) {
    terms += sum.size();
    cost.bytes += bytes_of(sum);
  }
  const double levels = levels_walked(b);
  const auto leaves = static_cast<std::int64_t>(b.constants.size());
  cost.ns = top_ns + top_of_axis_ns * static_cast<double>(axes_of(b, num_axes).size());
  if (levels > 0.0) cost.ns += walk_ns + levels * along(level_leaves, leaves);
  if (terms > 0) {
    // Sums are walked from the root on.
    const double mean = static_cast<double>(terms) / static_cast<double>(b.oblique.size());
    cost.ns += (levels + std::ilogb(static_cast<double>(leaves))) * term_ns * mean;
  }
  return cost;
}

}  // namespace

model_cost cost_of_answers() { return {answers_ns, 0}; }

model_cost cost_of_axis(const input_axis& a) {
  return {are_even(a) ? along(axis_slots, a.num_slots()) : uneven_axis_ns,
          static_cast<std::int64_t>(a.edges.size() * sizeof(double))};
}

model_cost cost_of_bank(const bank& b, std::size_t num_axes) {
  if (b.is_tree()) return cost_of_tree(b, num_axes);
  const auto cells = static_cast<std::int64_t>(b.constants.size());
  model_cost cost;
  cost.bytes = bytes_of(b.axes) + cells * static_cast<std::int64_t>(sizeof(std::int32_t));
  if (b.axes.size() == 1) {
    cost.ns = table_ns;
  } else if (!b.axes.empty()) {
    cost.ns = offset_ns * static_cast<double>(b.axes.size()) +
              (cells <= 256 ? small_grid_ns : along(grid_cells, cells));
  }
  return cost;
}

model_cost cost_of_segments(std::int64_t num_segments, bool by_thresholds) {
  if (num_segments == 0) return {};
  const std::int64_t numbers = num_segments + (by_thresholds ? num_segments - 1 : 0);
  return {along(by_thresholds ? threshold_segments : segment_constants, num_segments),
          numbers * static_cast<std::int64_t>(sizeof(double))};
}

model_cost cost_of(const std::vector<input_axis>& axes, const std::vector<bank>& banks,
                   std::int64_t num_segments, bool by_thresholds) {
  model_cost cost = cost_of_answers();
  std::vector<bool> named(axes.size(), false);
  for (const bank& b : banks) {
    cost += cost_of_bank(b, axes.size());
    for (const std::int32_t a : axes_of(b, axes.size())) named[static_cast<std::size_t>(a)] = true;
  }
  // The constants of segments that are cells stand in the place of their numbers.
  if (num_segments > 256 && num_segments <= most_direct_cells && !by_thresholds &&
      banks.size() == 1 && banks[0].axes.size() > 1)
    cost.ns -= along(grid_cells, num_segments);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (named[a]) cost += cost_of_axis(axes[a]);
  }
  cost += cost_of_segments(num_segments, by_thresholds);
  return cost;
}

// ----------------------------------------------------------------------- room

model_room::model_room(const model_cost& most, const std::vector<input_axis>& axes,
                       bool leaves_are_segments)
    : is_limited_(true), leaves_are_segments_(leaves_are_segments), most_(most) {
  // What is spent bit by bit is rounded often.
  most_.ns = most_.ns * (1.0 - 1e-12) - cost_of_answers().ns;
  axes_.reserve(axes.size());
  for (const input_axis& a : axes) axes_.push_back(detail::cost_of_axis(a));
}

model_cost model_room::cost_of(const bank& b) const {
  if (!is_limited_) return {};
  model_cost cost = cost_of_bank(b, axes_.size());
  for (const std::int32_t a : axes_of(b, axes_.size())) cost += axes_[static_cast<std::size_t>(a)];
  return cost;
}

void model_room::spend(const bank& b) {
  if (!is_limited_) return;
  const model_cost cost = cost_of(b);
  most_.ns -= cost.ns;
  most_.bytes -= cost.bytes;
  for (const std::int32_t a : axes_of(b, axes_.size())) axes_[static_cast<std::size_t>(a)] = {};
}

model_room model_room::share(int num_banks) const {
  model_room shared = *this;
  shared.most_.ns /= num_banks;
  shared.most_.bytes /= num_banks;
  return shared;
}

}  // namespace zcmoe::detail
