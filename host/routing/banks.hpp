// A model of several inputs, as engines see it. Axes cut each input once, exactly as a table of one
// input does: from then on an input is a code, the number of its slot. Banks turn codes into whole
// numbers by look-ups, and a head turns their sum into the answer. So nothing but the comparisons
// of axes touches floating point, and every engine gives the same bits.
#pragma once

#include "host/routing/slots.hpp"

#include <zcmoe/points.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The most slots of an axis, so that a code is one byte: segments, NaN, below and above.
constexpr std::int64_t max_axis_slots = 256;

/// The cuts of one input. A code is a slot of num_slots_of(m), as slot_of() of model_view.hpp finds
/// it. Of an input whose slot is no segment (NaN that is propagated, an input outside a range that
/// says so) the row has no answer.
struct input_axis {
  std::int32_t input;         // which column
  std::vector<double> edges;  // [m + 1], finite, strictly increasing
  std::int32_t closed_side;
  std::int32_t include_outer_edge;
  std::int32_t nan_policy;    // ZCMOE_NAN_PROPAGATE or _SEGMENT
  std::int32_t range_policy;  // ZCMOE_RANGE_CLAMP, _NAN or _SEGMENTS

  std::int64_t num_segments() const { return static_cast<std::int64_t>(edges.size()) - 1; }
  std::int64_t num_slots() const { return num_slots_of(num_segments()); }
};

/// What one axis adds to a whole number, by its code.
struct axis_offsets {
  std::int32_t axis;
  std::vector<std::int32_t> offsets;  // [num_slots of the axis]
};

/// One look-up: codes -> a cell -> its constant.
struct bank {
  /// Of a table: its cell is the sum of these, at least 0 and below the number of constants,
  /// whatever the codes. An axis table has one axis, a pair grid two, a product grid all.
  std::vector<axis_offsets> axes;
  /// Of a tree, else empty: node 0 is the root, and the cell is the leaf that is reached.
  /// The feature of a node is the code of an axis, or, from num_axes on, a sum of oblique.
  std::vector<zcmoe_tree_node> nodes;
  /// Of an oblique tree: feature num_axes + k is the sum of oblique[k].
  std::vector<std::vector<axis_offsets>> oblique;
  std::vector<std::int32_t> constants;  // [cells]

  bool is_tree() const { return !nodes.empty(); }
};

/// What the sum of the banks' constants becomes, the int64 score.
struct head {
  /// Of answers that are sums, k experts being active, one a bank: (base + score) * 2^exponent,
  /// rounded once. Unused where there are segments.
  std::int64_t base = 0;
  std::int32_t exponent = 0;
  /// Of answers that are constants of segments, one expert being active; else all of these are
  /// empty. The segment is the number of thresholds <= score; without thresholds the score itself.
  std::vector<std::int64_t> thresholds;  // strictly increasing, [m - 1]
  std::vector<double> constants;         // [m], NaN allowed
  std::vector<std::int64_t> counts;      // [m], rows
  std::vector<double> variances;         // [m]
  std::vector<double> standard_errors;   // [m]

  bool has_segments() const { return !constants.empty(); }
  std::int64_t num_segments() const { return static_cast<std::int64_t>(constants.size()); }
};

/// Axes, banks and head. The constructor of a model checks what is said above.
struct bank_tables {
  std::int32_t num_inputs;  // columns that a row has; those that no axis names are not looked at
  std::vector<input_axis> axes;  // of inputs that do not decrease, at most ZCMOE_MAX_INPUTS axes
  std::vector<bank> banks;
  detail::head head;
};

/// The table by which an axis finds slots: without constants; its edges are those of the axis.
inline model_view view_of(const input_axis& a) {
  model_view view{};
  view.edges = a.edges.data();
  view.num_segments = a.num_segments();
  view.closed_side = a.closed_side;
  view.include_outer_edge = a.include_outer_edge;
  view.nan_policy = a.nan_policy;
  view.range_policy = a.range_policy;
  return view;
}

/// Whether an input of this slot lets the row be answered.
inline bool is_answered(const input_axis& a, std::int64_t slot) {
  const std::int64_t m = a.num_segments();
  return slot < m || (slot == nan_slot_of(m) ? a.nan_policy == ZCMOE_NAN_SEGMENT
                                             : a.range_policy == ZCMOE_RANGE_SEGMENTS);
}

/// The first cuts of a tree, those of its largest parts, by leaves.
struct tree_top {
  std::vector<std::int32_t> nodes;  // that are cut, each after its parent
  std::vector<std::int32_t> parts;  // what is left: nodes whose subtrees are whole, and ~leaves
};

/// Halves the largest part, of equal ones the first, as long as there are fewer than max_parts and
/// one is no leaf.
inline tree_top top_of(const bank& tree, std::size_t max_parts) {
  const auto place_of = [](std::int32_t node) { return static_cast<std::size_t>(node); };
  // A node's children stand behind it.
  std::vector<std::int64_t> leaves(tree.nodes.size(), 0);
  const auto leaves_of = [&](std::int32_t child) {
    return child < 0 ? 1 : leaves[place_of(child)];
  };
  for (std::size_t i = tree.nodes.size(); i-- > 0;)
    leaves[i] = leaves_of(tree.nodes[i].left) + leaves_of(tree.nodes[i].right);
  tree_top top{{}, {0}};
  while (top.parts.size() < max_parts) {
    const auto largest = std::max_element(
        top.parts.begin(), top.parts.end(),
        [&](std::int32_t a, std::int32_t b) { return leaves_of(a) < leaves_of(b); });
    if (*largest < 0) break;
    const zcmoe_tree_node& halved = tree.nodes[place_of(*largest)];
    top.nodes.push_back(*largest);
    *largest = halved.left;
    top.parts.push_back(halved.right);
  }
  return top;
}

/// The cell of a bank for the codes of a row, [num_axes]. The definition: engines do the same by
/// tables of their own.
inline std::int64_t cell_of(const bank& b, const std::uint8_t* codes, std::int32_t num_axes) {
  const auto sum = [&](const std::vector<axis_offsets>& axes) {
    std::int64_t total = 0;
    for (const axis_offsets& a : axes) total += a.offsets[codes[a.axis]];
    return total;
  };
  if (!b.is_tree()) return sum(b.axes);
  std::int32_t at = 0;
  do {
    const zcmoe_tree_node& node = b.nodes[static_cast<std::size_t>(at)];
    const std::int64_t feature =
        node.feature < num_axes ? codes[node.feature]
                                : sum(b.oblique[static_cast<std::size_t>(node.feature - num_axes)]);
    at = feature >= node.threshold ? node.right : node.left;
  } while (at >= 0);
  return ~at;
}

/// The score of a row: the sum of the constants of its cells.
inline std::int64_t score_of(const bank_tables& tables, const std::uint8_t* codes) {
  const auto num_axes = static_cast<std::int32_t>(tables.axes.size());
  std::int64_t score = 0;
  for (const bank& b : tables.banks) {
    score += b.constants[static_cast<std::size_t>(cell_of(b, codes, num_axes))];
  }
  return score;
}

}  // namespace zcmoe::detail
