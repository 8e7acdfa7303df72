// A model says what its look-ups hold; what each of them contributes follows from that.
#include "inspect_points.hpp"

#include "arguments.hpp"
#include "failure.hpp"
#include "json_object.hpp"
#include "learn_report.hpp"
#include "number.hpp"
#include "points_insight.hpp"
#include "points_risk.hpp"
#include "points_source.hpp"
#include "say.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace zcmoe::cli {
namespace {

constexpr std::size_t most_lines = 24;

/// Least, greatest and variance of what is counted.
class spread {
 public:
  void add(std::int32_t constant) {
    const double value = constant;
    least_ = std::min(least_, value);
    greatest_ = std::max(greatest_, value);
    const double from_mean = value - mean_;
    mean_ += from_mean / ++count_;
    squares_ += from_mean * (value - mean_);
  }
  double range() const noexcept { return count_ > 0 ? greatest_ - least_ : 0.0; }
  double variance() const noexcept { return count_ > 0 ? squares_ / count_ : 0.0; }

 private:
  double least_ = std::numeric_limits<double>::infinity();
  double greatest_ = -std::numeric_limits<double>::infinity();
  double mean_ = 0;
  double squares_ = 0;
  double count_ = 0;
};

/// Codes of real segments.
std::int64_t codes_of(const std::vector<zcmoe_axis_info>& axes, std::int64_t axis) {
  return axes[static_cast<std::size_t>(axis)].num_segments;
}

/// Over the codes of real segments for tables of one and two axes, else over the cells.
spread spread_of(const zcmoe_bank_info& bank, const std::vector<zcmoe_axis_info>& axes) {
  spread all;
  const auto codes = [&](std::size_t k) { return codes_of(axes, bank.axes[k].axis); };
  if (bank.num_nodes == 0 && bank.num_axes == 1) {
    for (std::int64_t a = 0; a < codes(0); ++a) all.add(bank.constants[bank.axes[0].offsets[a]]);
  } else if (bank.num_nodes == 0 && bank.num_axes == 2) {
    for (std::int64_t a = 0; a < codes(0); ++a) {
      for (std::int64_t b = 0; b < codes(1); ++b)
        all.add(bank.constants[bank.axes[0].offsets[a] + bank.axes[1].offsets[b]]);
    }
  } else {
    for (std::int64_t cell = 0; cell < bank.num_cells; ++cell) all.add(bank.constants[cell]);
  }
  return all;
}

const char* kind_of(const zcmoe_bank_info& bank) {
  if (bank.num_nodes > 0) return bank.num_sums > 0 ? "oblique tree" : "tree";
  return bank.num_axes <= 1 ? "table" : bank.num_axes == 2 ? "pair" : "grid";
}

contribution contribution_of(const zcmoe_bank_info& bank, const std::vector<zcmoe_axis_info>& axes,
                             double unit) {
  contribution found{{}, kind_of(bank), bank.num_cells, 0, 0};
  std::vector<std::int64_t> used;
  for (std::int64_t k = 0; k < bank.num_axes; ++k) used.push_back(bank.axes[k].axis);
  for (std::int64_t k = 0; k < bank.num_nodes; ++k) used.push_back(bank.nodes[k].feature);
  for (std::int64_t s = 0; s < bank.num_sums; ++s) {
    for (std::int64_t k = 0; k < bank.sums[s].num_axes; ++k)
      used.push_back(bank.sums[s].axes[k].axis);
  }
  found.inputs.reserve(used.size());
  for (const std::int64_t axis : used) {
    const auto k = static_cast<std::size_t>(axis);
    if (k < axes.size()) found.inputs.push_back(axes[k].input);
  }
  std::sort(found.inputs.begin(), found.inputs.end());
  found.inputs.erase(std::unique(found.inputs.begin(), found.inputs.end()), found.inputs.end());
  const spread all = spread_of(bank, axes);
  found.range = all.range() * unit;
  found.variance = all.variance() * unit * unit;
  return found;
}

void count_uses(const zcmoe_bank_info& bank, const std::vector<zcmoe_axis_info>& axes,
                std::vector<std::int64_t>& uses) {
  for (std::int64_t k = 0; k < bank.num_nodes; ++k) {
    const auto axis = static_cast<std::size_t>(bank.nodes[k].feature);
    if (axis < uses.size()) {
      ++uses[axis];
      continue;
    }
    const zcmoe_axis_sum& sum = bank.sums[axis - uses.size()];
    for (std::int64_t a = 0; a < sum.num_axes; ++a)
      ++uses[static_cast<std::size_t>(sum.axes[a].axis)];
  }
  if (bank.num_nodes > 0) return;
  for (std::int64_t k = 0; k < bank.num_axes; ++k) {
    const zcmoe_axis_offsets& axis = bank.axes[k];
    auto& parts = uses[static_cast<std::size_t>(axis.axis)];
    std::vector<std::int32_t> offsets(axis.offsets, axis.offsets + codes_of(axes, axis.axis));
    std::sort(offsets.begin(), offsets.end());
    parts = std::unique(offsets.begin(), offsets.end()) - offsets.begin();
  }
}

std::string left(const std::string& value, std::size_t width) {
  return value.size() < width ? value + std::string(width - value.size(), ' ') : value + " ";
}

std::string right(const std::string& value, std::size_t width) {
  return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
}

const char* kind_in_words(std::int32_t partition) {
  switch (partition) {
    case ZCMOE_PARTITION_TABLES: return "sum of tables: one expert a look-up answers";
    case ZCMOE_PARTITION_SCORE:
      return "levels of a score, which is a sum of tables: one expert answers";
    case ZCMOE_PARTITION_TREE: return "leaves of a tree: one expert answers";
    case ZCMOE_PARTITION_OBLIQUE: return "leaves of an oblique tree: one expert answers";
    default: return "cells of a product grid: one expert answers";
  }
}

template <class T>
std::vector<T> values_of(const T* data, std::int64_t size) {
  return std::vector<T>(data, data + size);
}

/// How many look-ups there are of each kind.
std::string kinds_in_words(const std::vector<contribution>& banks) {
  std::string words;
  for (const char* const kind : {"table", "pair", "grid", "tree", "oblique tree"}) {
    const auto number = std::count_if(banks.begin(), banks.end(), [&](const contribution& bank) {
      return std::string(kind) == bank.kind;
    });
    if (number > 0)
      words += text(words.empty() ? "" : ", ", number, " ", kind, number == 1 ? "" : "s");
  }
  return words;
}

}  // namespace

inspected_points::inspected_points(const std::string& file, const model& model,
                                   const zcmoe_points_info& known)
    : path(file), info(known) {
  axes.reserve(static_cast<std::size_t>(info.num_axes));
  for (std::int64_t k = 0; k < info.num_axes; ++k) {
    zcmoe_axis_info axis = ZCMOE_AXIS_INFO_INIT;
    check(zcmoe_model_get_axis(model.get(), k, &axis));
    axes.push_back(axis);
  }
  // A score has no unit of its own.
  const double unit = info.num_segments == 0 ? std::ldexp(1.0, info.exponent) : 1.0;
  banks.reserve(static_cast<std::size_t>(info.num_banks));
  if (!adds_up()) uses.resize(axes.size());
  for (std::int64_t k = 0; k < info.num_banks; ++k) {
    zcmoe_bank_info bank = ZCMOE_BANK_INFO_INIT;
    check(zcmoe_model_get_bank(model.get(), k, &bank));
    banks.push_back(contribution_of(bank, axes, unit));
    if (!adds_up()) count_uses(bank, axes, uses);
  }
}

bool inspected_points::adds_up() const {
  return info.partition == ZCMOE_PARTITION_TABLES || info.partition == ZCMOE_PARTITION_SCORE;
}

std::string inspected_points::name_of(std::int64_t input) const {
  return info.input_names != nullptr ? info.input_names[input] : text("input ", input + 1);
}

std::string inspected_points::as_text(const points_insight* insight,
                                      const std::optional<risk_curve>& risk) const {
  text_page page;
  add_model(page);
  if (insight != nullptr) insight->add_to(page);
  if (risk.has_value()) add_risk(page, *risk);
  return page.text();
}

void inspected_points::add_model(text_page& page) const {
  page.add("file", path);
  page.add("model", kind_in_words(info.partition));
  std::int64_t looked_at = 0;  // by one axis or several, which follow each other
  for (std::size_t k = 0; k < axes.size(); ++k)
    looked_at += k == 0 || axes[k - 1].input != axes[k].input ? 1 : 0;
  page.add("inputs",
           text(grouped(info.num_inputs), looked_at < info.num_inputs
                                              ? text(", ", grouped(looked_at), " of them looked at")
                                              : ""));
  if (info.target_name != nullptr) page.add("target", info.target_name);
  page.add("rows", grouped(info.num_rows));
  if (info.num_segments > 0) page.add("segments", grouped(info.num_segments));
  page.add("look-ups",
           text(grouped(info.num_banks), banks.empty() ? "" : ": ", kinds_in_words(banks)));
  page.add("size", text(grouped(info.bytes), " bytes"));
  page.add("noise estimate", text(readable(std::sqrt(info.noise_variance)),
                                  " (root mean square distance of the rows from their answers)"));
  page.add("");
  const bool tree = info.partition == ZCMOE_PARTITION_TREE;
  const std::string used_as = uses.empty() ? "" : tree ? "  branches" : "     parts";
  page.add(left(" input", 28) + right("segments", 10) + right("from", 14) + right("to", 14) +
           "   missing    out of range" + used_as);
  for (std::size_t k = 0; k < std::min(axes.size(), most_lines); ++k) {
    const zcmoe_axis_info& axis = axes[k];
    const double lo = axis.edges[0];
    const double hi = axis.edges[axis.num_segments];
    const std::string range_policy = word_of(range_policy_words, axis.range_policy);
    const std::string use = uses.empty() ? "" : right(grouped(uses[k]), 22 - range_policy.size());
    page.add(text(left(" " + name_of(axis.input), 28), right(grouped(axis.num_segments), 10),
                  right(readable_within(lo, lo, hi), 14), right(readable_within(hi, lo, hi), 14),
                  "   ", left(word_of(nan_policy_words, axis.nan_policy), 11), range_policy, use));
  }
  if (axes.size() > most_lines)
    page.add(text("     ... ", grouped(static_cast<long long>(axes.size() - most_lines)),
                  " more; --json shows all"));
  if (!adds_up() || banks.empty()) return;

  const double all =
      std::accumulate(banks.begin(), banks.end(), 0.0,
                      [](double sum, const contribution& bank) { return sum + bank.variance; });
  std::vector<std::size_t> order(banks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return banks[a].variance > banks[b].variance;
  });
  page.add("");
  page.add(left(" look-up", 10) + left("of", 38) + right("cells", 8) +
           right(info.num_segments > 0 ? "range of score" : "range", 16) + right("share", 9));
  for (std::size_t k = 0; k < std::min(order.size(), most_lines); ++k) {
    const contribution& bank = banks[order[k]];
    std::vector<std::string> inputs;
    inputs.reserve(bank.inputs.size());
    for (const std::int64_t input : bank.inputs) inputs.push_back(name_of(input));
    const std::string names = list_in_words(inputs, 4);
    page.add(left(text(" ", bank.kind), 10) + left(names, 38) + right(grouped(bank.cells), 8) +
             right(readable(bank.range), 16) +
             right(all > 0 ? text(fixed(100 * bank.variance / all, 1, 1), " %") : "-", 9));
  }
  if (order.size() > most_lines)
    page.add(text("     ... ", grouped(static_cast<long long>(order.size() - most_lines)),
                  " more; --json shows all"));
  page.add("share: of the sum of the look-ups\' variances, where every code counts alike");
}

std::string inspected_points::as_json(const points_insight* insight,
                                      const std::optional<risk_curve>& risk) const {
  json_object json;
  json.set("file", path);
  json.set("partition", word_of(partition_words, info.partition));
  json.set("num_inputs", info.num_inputs);
  if (info.input_names != nullptr) {
    json.set("input_names",
             std::vector<std::string>(info.input_names, info.input_names + info.num_inputs));
  } else {
    json.set("input_names", nullptr);
  }
  json.set("target_name", info.target_name);
  json.set("rows", info.num_rows);
  json.set("noise_variance", info.noise_variance);
  json.set("look_ups", info.num_banks);
  json.set("segments", info.num_segments);
  json.set("bytes", info.bytes);
  if (info.num_segments == 0) {
    json.set("exponent", std::int64_t{info.exponent});
    json.set("base", info.base);
  }
  std::vector<json_object> all_axes;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const zcmoe_axis_info& axis = axes[k];
    json_object one;
    one.set("input", axis.input);
    one.set("name", name_of(axis.input));
    one.set("segments", axis.num_segments);
    one.set("closed_side", word_of(closed_side_words, axis.closed_side));
    one.set("include_outer_edge", axis.include_outer_edge != 0);
    one.set("nan_policy", word_of(nan_policy_words, axis.nan_policy));
    one.set("range_policy", word_of(range_policy_words, axis.range_policy));
    if (!uses.empty())
      one.set(info.partition == ZCMOE_PARTITION_TREE ? "branches" : "parts", uses[k]);
    one.set("edges", values_of(axis.edges, axis.num_segments + 1));
    all_axes.push_back(std::move(one));
  }
  json.set("axes", all_axes);
  std::vector<json_object> all_banks;
  for (const contribution& bank : banks) {
    json_object one;
    std::vector<std::string> names;
    names.reserve(bank.inputs.size());
    for (const std::int64_t input : bank.inputs) names.push_back(name_of(input));
    one.set("kind", bank.kind);
    one.set("inputs", names);
    one.set("cells", bank.cells);
    if (adds_up()) {
      one.set("range", bank.range);
      one.set("variance", bank.variance);
    }
    all_banks.push_back(std::move(one));
  }
  json.set("banks", all_banks);
  if (info.num_segments > 0) {
    json.set("constants", values_of(info.constants, info.num_segments));
    json.set("counts", values_of(info.counts, info.num_segments));
    json.set("variances", values_of(info.variances, info.num_segments));
    json.set("standard_errors", values_of(info.standard_errors, info.num_segments));
  }
  if (risk.has_value()) json.set("risk", risk_as_json(*risk));
  if (insight != nullptr) json.set("by_rows", insight->as_json());
  return json.text();
}

std::string inspected_points::as_csv() const {
  if (info.num_segments == 0) {
    fail("--csv: ", path, " answers with sums of ", info.num_banks,
         " constants, and has no segments; --json shows what it has");
  }
  std::string table = "segment,constant,count,variance,standard_error\n";
  for (std::int64_t k = 0; k < info.num_segments; ++k) {
    table += std::to_string(k) + ",";
    append_shortest(table, info.constants[k]);
    table += "," + std::to_string(info.counts[k]);
    for (const double* const column : {info.variances, info.standard_errors}) {
      table += ',';
      append_shortest(table, column[k]);
    }
    table += '\n';
  }
  return table;
}

}  // namespace zcmoe::cli
