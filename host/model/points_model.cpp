// Checks what a model of several inputs is made of, and makes it and its jobs.
#include "host/model/points_model.hpp"

#include "host/array.hpp"
#include "host/model/model.hpp"
#include "host/segmentation/edges.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

/// What a whole number may be, both ends included.
struct whole_range {
  std::int64_t least;
  std::int64_t greatest;
};

whole_range plus(whole_range a, whole_range b) {
  return {a.least + b.least, a.greatest + b.greatest};
}

/// A name like banks[3].axes, put together only for a message.
struct bank_part {
  std::size_t bank;
  const char* part;
};
std::ostream& operator<<(std::ostream& out, const bank_part& p) {
  return out << "banks[" << p.bank << "]." << p.part;
}

void check_number(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
  ZCMOE_EXPECTS(value >= least && value <= most, name, "=", value, " is not in ", least, "..",
                most);
}

void check_axes(std::vector<input_axis>& axes, std::int32_t num_inputs) {
  check_number("num_axes", static_cast<std::int64_t>(axes.size()), 0, ZCMOE_MAX_INPUTS);
  std::int32_t previous = 0;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    input_axis& axis = axes[a];
    const auto refuse = [a](const char* field, std::int64_t value, const char* why) {
      fail(ZCMOE_ERR_INVALID_ARGUMENT, "axes[", a, "].", field, "=", value, why);
    };
    if (axis.input < previous) refuse("input", axis.input, " does not follow those before it");
    if (axis.input >= num_inputs) refuse("input", axis.input, " is no input of the model");
    previous = axis.input;
    const std::int64_t m = axis.num_segments();
    ZCMOE_EXPECTS(m >= 1 && m <= ZCMOE_MAX_AXIS_SEGMENTS, "axes[", a, "] has ", axis.edges.size(),
                  " edges, expected 2..", ZCMOE_MAX_AXIS_SEGMENTS + 1);
    for (std::size_t i = 0; i < axis.edges.size(); ++i) {
      ZCMOE_EXPECTS(std::isfinite(axis.edges[i]), "axes[", a, "].edges[", i, "]=", axis.edges[i],
                    " is not finite");
      ZCMOE_EXPECTS(i == 0 || axis.edges[i - 1] < axis.edges[i], "axes[", a, "].edges[", i,
                    "]=", axis.edges[i], " is not greater than edges[", i - 1,
                    "]=", axis.edges[i - 1]);
      // -0.0 becomes 0.0, so that equal tables make equal files.
      axis.edges[i] += 0.0;
    }
    if (axis.closed_side != ZCMOE_CLOSED_LEFT && axis.closed_side != ZCMOE_CLOSED_RIGHT)
      refuse("closed_side", axis.closed_side, " is none");
    if (axis.include_outer_edge != 0 && axis.include_outer_edge != 1)
      refuse("include_outer_edge", axis.include_outer_edge, " is not 0 or 1");
    if (axis.nan_policy != ZCMOE_NAN_PROPAGATE && axis.nan_policy != ZCMOE_NAN_SEGMENT)
      refuse("nan_policy", axis.nan_policy, " is none of a model of several inputs");
    if (axis.range_policy != ZCMOE_RANGE_CLAMP && axis.range_policy != ZCMOE_RANGE_NAN &&
        axis.range_policy != ZCMOE_RANGE_SEGMENTS)
      refuse("range_policy", axis.range_policy, " is none of a model of several inputs");
  }
}

/// What the sum of the offsets of some axes may be, whatever the codes. At most ZCMOE_MAX_INPUTS
/// numbers of 32 bits are added, so nothing overflows.
whole_range check_sum(const bank_part& name, const std::vector<axis_offsets>& sum,
                      const std::vector<input_axis>& axes) {
  ZCMOE_EXPECTS(!sum.empty(), name, " is empty");
  whole_range total{0, 0};
  std::int64_t previous = -1;
  for (std::size_t k = 0; k < sum.size(); ++k) {
    const axis_offsets& a = sum[k];
    ZCMOE_EXPECTS(a.axis > previous && a.axis < static_cast<std::int64_t>(axes.size()), name, "[",
                  k, "].axis=", a.axis, " is not in ", previous + 1, "..",
                  static_cast<std::int64_t>(axes.size()) - 1);
    previous = a.axis;
    const std::int64_t slots = axes[static_cast<std::size_t>(a.axis)].num_slots();
    ZCMOE_EXPECTS(static_cast<std::int64_t>(a.offsets.size()) == slots, name, "[", k, "] has ",
                  a.offsets.size(), " offsets, its axis has ", slots, " slots");
    const auto [least, greatest] = std::minmax_element(a.offsets.begin(), a.offsets.end());
    total = plus(total, {*least, *greatest});
  }
  return total;
}

/// A tree is one if every node but the root, and every leaf, is led to once, and by a node before
/// it: then the way down from the root ends, and every cell can be reached.
void check_tree(std::size_t b, const bank& tree, const std::vector<input_axis>& axes) {
  const auto num_nodes = static_cast<std::int64_t>(tree.nodes.size());
  const auto num_cells = static_cast<std::int64_t>(tree.constants.size());
  const auto num_features = static_cast<std::int64_t>(axes.size() + tree.oblique.size());
  ZCMOE_EXPECTS(tree.axes.empty(), bank_part{b, "axes"}, " are given, but it is a tree");
  ZCMOE_EXPECTS(num_nodes <= max_tree_nodes, bank_part{b, "nodes"}, ": ", num_nodes,
                " are more than ", max_tree_nodes);
  ZCMOE_EXPECTS(num_cells == num_nodes + 1, bank_part{b, "constants"}, " has ", num_cells,
                " entries, but a tree of ", num_nodes, " nodes has ", num_nodes + 1, " leaves");
  ZCMOE_EXPECTS(tree.oblique.size() <= tree.nodes.size(), bank_part{b, "oblique"}, ": ",
                tree.oblique.size(), " sums are more than its ", num_nodes, " nodes");
  for (const std::vector<axis_offsets>& sum : tree.oblique) {
    const whole_range range = check_sum({b, "oblique"}, sum, axes);
    ZCMOE_EXPECTS(range.least >= std::numeric_limits<std::int32_t>::min() &&
                      range.greatest <= std::numeric_limits<std::int32_t>::max(),
                  bank_part{b, "oblique"}, ": a sum may be ", range.least, " to ", range.greatest,
                  ", which 32 bits do not hold");
  }
  std::vector<char> seen_node(tree.nodes.size(), 0);
  std::vector<char> seen_leaf(tree.constants.size(), 0);
  for (std::int64_t i = 0; i < num_nodes; ++i) {
    const zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(i)];
    ZCMOE_EXPECTS(node.feature >= 0 && node.feature < num_features, bank_part{b, "nodes"}, "[", i,
                  "].feature=", node.feature, " is not in 0..", num_features - 1);
    for (const std::int32_t child : {node.left, node.right}) {
      const bool is_node = child >= 0;
      const std::int64_t at = is_node ? child : ~static_cast<std::int64_t>(child);
      ZCMOE_EXPECTS(!is_node || (at > i && at < num_nodes), bank_part{b, "nodes"}, "[", i,
                    "] leads to node ", at, ", which is not in ", i + 1, "..", num_nodes - 1);
      ZCMOE_EXPECTS(is_node || at < num_cells, bank_part{b, "nodes"}, "[", i, "] leads to leaf ",
                    at, ", which is not in 0..", num_cells - 1);
      char& seen = (is_node ? seen_node : seen_leaf)[static_cast<std::size_t>(at)];
      ZCMOE_EXPECTS(seen == 0, bank_part{b, "nodes"}, "[", i, "] leads to ",
                    is_node ? "node " : "leaf ", at, ", to which another way leads");
      seen = 1;
    }
  }
}

/// What the constant of a bank may be: of all cells, of those too that no code leads to, since
/// engines prepare them all.
whole_range check_bank(std::size_t b, const bank& checked, const std::vector<input_axis>& axes) {
  const auto num_cells = static_cast<std::int64_t>(checked.constants.size());
  ZCMOE_EXPECTS(num_cells >= 1 && num_cells <= max_bank_cells, bank_part{b, "constants"}, ": ",
                num_cells, " cells are not in 1..", max_bank_cells);
  if (checked.is_tree()) {
    check_tree(b, checked, axes);
  } else {
    ZCMOE_EXPECTS(checked.oblique.empty(), bank_part{b, "oblique"},
                  " is given, but there are no nodes");
    const whole_range cells = check_sum({b, "axes"}, checked.axes, axes);
    ZCMOE_EXPECTS(cells.least >= 0 && cells.greatest < num_cells, bank_part{b, "axes"},
                  " lead to cells ", cells.least, " to ", cells.greatest, ", but there are ",
                  num_cells);
  }
  const auto [least, greatest] =
      std::minmax_element(checked.constants.begin(), checked.constants.end());
  return {*least, *greatest};
}

/// The head for scores of this range.
void check_head(head& h, whole_range scores) {
  const std::size_t m = h.constants.size();
  ZCMOE_EXPECTS(h.counts.size() == m && h.variances.size() == m && h.standard_errors.size() == m,
                "the arrays of segments have ", m, " constants, ", h.counts.size(), " counts, ",
                h.variances.size(), " variances and ", h.standard_errors.size(),
                " standard errors");
  ZCMOE_EXPECTS(
      h.thresholds.empty() || h.thresholds.size() + 1 == m, "thresholds has ", h.thresholds.size(),
      " entries, expected num_segments - 1 = ", static_cast<std::int64_t>(m) - 1, ", or none");
  if (!h.has_segments()) {
    check_number("exponent", h.exponent, -max_sum_exponent, max_sum_exponent);
    std::int64_t sum = 0;
    ZCMOE_EXPECTS(!__builtin_add_overflow(h.base, scores.least, &sum) &&
                      !__builtin_add_overflow(h.base, scores.greatest, &sum),
                  "base=", h.base, " with scores of ", scores.least, " to ", scores.greatest,
                  " exceeds 64 bits");
    return;
  }
  // Not used: so equal models are equal files.
  h.base = 0;
  h.exponent = 0;
  check_number("num_segments", static_cast<std::int64_t>(m), 1, max_bank_cells);
  for (std::size_t i = 1; i < h.thresholds.size(); ++i) {
    ZCMOE_EXPECTS(h.thresholds[i - 1] < h.thresholds[i], "thresholds[", i, "]=", h.thresholds[i],
                  " is not greater than thresholds[", i - 1, "]=", h.thresholds[i - 1]);
  }
  ZCMOE_EXPECTS(!h.thresholds.empty() ||
                    (scores.least >= 0 && scores.greatest < static_cast<std::int64_t>(m)),
                "without thresholds scores are segments, but they may be ", scores.least, " to ",
                scores.greatest, ", and there are ", m, " segments");
  for (std::size_t i = 0; i < m; ++i) {
    ZCMOE_EXPECTS(!std::isinf(h.constants[i]), "constants[", i, "]=", h.constants[i],
                  " is infinite");
    ZCMOE_EXPECTS(h.counts[i] >= 0, "counts[", i, "]=", h.counts[i], " is negative");
    ZCMOE_EXPECTS(!(h.variances[i] < 0.0), "variances[", i, "]=", h.variances[i], " is negative");
    ZCMOE_EXPECTS(!(h.standard_errors[i] < 0.0), "standard_errors[", i, "]=", h.standard_errors[i],
                  " is negative");
    const bool spread = h.counts[i] >= 2;
    ZCMOE_EXPECTS(std::isnan(h.variances[i]) != spread, "variances[", i, "]=", h.variances[i],
                  " does not fit counts[", i, "]=", h.counts[i]);
    ZCMOE_EXPECTS(spread || std::isnan(h.standard_errors[i]), "standard_errors[", i,
                  "]=", h.standard_errors[i], " does not fit counts[", i, "]=", h.counts[i]);
    // All NaNs become the same one, for every engine and file.
    for (std::vector<double>* column : {&h.constants, &h.variances, &h.standard_errors}) {
      if (std::isnan((*column)[i])) (*column)[i] = quiet_nan();
    }
  }
}

void check_tables(bank_tables& tables) {
  check_number("num_inputs", tables.num_inputs, 1, ZCMOE_MAX_INPUTS);
  check_axes(tables.axes, tables.num_inputs);
  check_number("num_banks", static_cast<std::int64_t>(tables.banks.size()), 0, max_banks);
  std::int64_t addends = 0;
  for (const bank& b : tables.banks) {
    addends += static_cast<std::int64_t>(b.axes.size());
    for (const std::vector<axis_offsets>& sum : b.oblique)
      addends += static_cast<std::int64_t>(sum.size());
  }
  ZCMOE_EXPECTS(addends <= max_addends, "the banks add ", addends,
                " offsets of axes, and the limit is ", max_addends);
  // At most max_banks numbers of 32 bits are added, so nothing overflows.
  whole_range scores{0, 0};
  for (std::size_t b = 0; b < tables.banks.size(); ++b) {
    scores = plus(scores, check_bank(b, tables.banks[b], tables.axes));
  }
  check_head(tables.head, scores);
}

void check_data(points_data& data) {
  check_tables(data.tables);
  check_number("partition", data.partition, ZCMOE_PARTITION_TABLES, ZCMOE_NUM_PARTITIONS);
  check_number("num_rows", data.num_rows, 0, std::numeric_limits<std::int64_t>::max());
  std::int64_t rows_left = data.num_rows;
  for (const std::int64_t count : data.tables.head.counts) {
    ZCMOE_EXPECTS(count <= rows_left, "the counts add up to more than num_rows=", data.num_rows);
    rows_left -= count;
  }
  const bool sums = data.partition == ZCMOE_PARTITION_TABLES;
  ZCMOE_EXPECTS(sums != data.tables.head.has_segments(), "partition=", data.partition, " has ",
                sums ? "no segments" : "segments", ", but there are ",
                data.tables.head.num_segments());
  const std::size_t names = data.input_names.size();
  ZCMOE_EXPECTS(names == 0 || names == static_cast<std::size_t>(data.tables.num_inputs),
                "input_names has ", names, " entries, expected ", data.tables.num_inputs,
                " or none");
  for (std::size_t i = 0; i < names; ++i) {
    std::string& name = data.input_names[i];
    name = checked_name(text("input_names[", i, "]"), name.c_str());
  }
  if (!data.has_target_name) data.target_name.clear();
  data.target_name = checked_name("target_name", data.target_name.c_str());
  ZCMOE_EXPECTS(!(data.noise_variance < 0.0), "noise_variance=", data.noise_variance,
                " is negative");
  if (std::isnan(data.noise_variance)) data.noise_variance = quiet_nan();
}

template <class T>
std::int64_t bytes_of(const std::vector<T>& values) {
  return static_cast<std::int64_t>(values.size() * sizeof(T));
}

std::int64_t bytes_of(const bank_tables& tables) {
  std::int64_t bytes = bytes_of(tables.head.thresholds) + bytes_of(tables.head.constants);
  for (const input_axis& axis : tables.axes) bytes += bytes_of(axis.edges);
  const auto add_sum = [&bytes](const std::vector<axis_offsets>& sum) {
    for (const axis_offsets& a : sum) bytes += bytes_of(a.offsets);
  };
  for (const bank& b : tables.banks) {
    bytes += bytes_of(b.constants) + bytes_of(b.nodes);
    add_sum(b.axes);
    for (const std::vector<axis_offsets>& sum : b.oblique) add_sum(sum);
  }
  return bytes;
}

template <class T>
const T* data_or_null(const std::vector<T>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace

points_model::points_model(std::shared_ptr<backend> engine, points_data data, zcmoe_stream stream)
    : engine_(std::move(engine)), data_(std::move(data)) {
  check_data(data_);
  pivots_.reserve(tables().axes.size());
  has_axis_.resize(static_cast<std::size_t>(tables().num_inputs));
  for (const input_axis& axis : tables().axes) {
    pivots_.push_back(pivot_of(axis.edges.data(), axis.num_segments(), axis.closed_side));
    has_axis_[static_cast<std::size_t>(axis.input)] = 1;
  }
  input_names_.reserve(data_.input_names.size());
  for (const std::string& name : data_.input_names) input_names_.push_back(name.c_str());
  told_.resize(tables().banks.size());
  const auto tell = [](const std::vector<axis_offsets>& sum) {
    std::vector<zcmoe_axis_offsets> told;
    told.reserve(sum.size());
    for (const axis_offsets& a : sum) told.push_back({a.axis, a.offsets.data()});
    return told;
  };
  for (std::size_t b = 0; b < told_.size(); ++b) {
    told_[b].axes = tell(tables().banks[b].axes);
    for (const std::vector<axis_offsets>& sum : tables().banks[b].oblique)
      told_[b].addends.push_back(tell(sum));
    for (const std::vector<zcmoe_axis_offsets>& sum : told_[b].addends)
      told_[b].sums.push_back({static_cast<std::int64_t>(sum.size()), data_or_null(sum)});
  }
  prepared_ = engine_->make_evaluator(tables(), stream);
}

void points_model::get_info(zcmoe_points_info& info) const {
  const head& h = tables().head;
  info.num_inputs = tables().num_inputs;
  info.num_axes = static_cast<std::int64_t>(tables().axes.size());
  info.num_banks = static_cast<std::int64_t>(tables().banks.size());
  info.num_segments = h.num_segments();
  info.bytes = bytes_of(tables());
  info.num_rows = data_.num_rows;
  info.noise_variance = data_.noise_variance;
  info.partition = data_.partition;
  info.exponent = h.exponent;
  info.base = h.base;
  info.input_names = data_or_null(input_names_);
  info.target_name = data_.has_target_name ? data_.target_name.c_str() : nullptr;
  info.constants = data_or_null(h.constants);
  info.counts = data_or_null(h.counts);
  info.variances = data_or_null(h.variances);
  info.standard_errors = data_or_null(h.standard_errors);
}

void points_model::get_axis(std::int64_t axis, zcmoe_axis_info& info) const {
  const input_axis& from = tables().axes[static_cast<std::size_t>(axis)];
  info.input = from.input;
  info.num_segments = from.num_segments();
  info.edges = from.edges.data();
  info.closed_side = from.closed_side;
  info.include_outer_edge = from.include_outer_edge;
  info.nan_policy = from.nan_policy;
  info.range_policy = from.range_policy;
}

void points_model::get_bank(std::int64_t bank, zcmoe_bank_info& info) const {
  const auto b = static_cast<std::size_t>(bank);
  const detail::bank& from = tables().banks[b];
  info.num_cells = static_cast<std::int64_t>(from.constants.size());
  info.constants = from.constants.data();
  info.num_axes = static_cast<std::int64_t>(told_[b].axes.size());
  info.axes = data_or_null(told_[b].axes);
  info.num_nodes = static_cast<std::int64_t>(from.nodes.size());
  info.nodes = data_or_null(from.nodes);
  info.num_sums = static_cast<std::int64_t>(told_[b].sums.size());
  info.sums = data_or_null(told_[b].sums);
}

points_batch::points_batch(const points_model& model, const zcmoe_points& x, std::int64_t n,
                           const zcmoe_predict_outputs& outputs)
    : job_{} {
  const std::vector<input_axis>& axes = model.tables().axes;
  any_array* columns = few_;
  if (axes.size() > few_axes) {
    many_.resize(axes.size());
    columns = many_.data();
  }
  for (std::size_t a = 0; a < axes.size(); ++a) {
    columns[a] = any(x.columns[axes[a].input], model.pivots_[a]);
  }
  job_.tables = model.prepared_.get();
  job_.columns = columns;
  job_.n = n;
  job_.values = outputs.values;
  job_.segments = outputs.segments;
  job_.standard_errors = outputs.standard_errors;
  job_.variances = outputs.variances;
  job_.counts = outputs.counts;
  job_.report = outputs.report;
}

}  // namespace zcmoe::detail
