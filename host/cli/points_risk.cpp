// Segments are joined as the kind of model has them: neighbours of a score two by two, cells of a
// grid along the axis that is cut most, leaves of a tree from the branch that is missed least on.
// The rows are not needed: counts, means and variances of joined segments follow from their own.
#include "points_risk.hpp"

#include "number.hpp"

#include <zcmoe/theory.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <queue>
#include <string>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

/// Rows of a segment: how many, their mean, and their squared distances from it.
struct cell {
  std::int64_t count = 0;
  double mean = 0;
  double squares = 0;

  /// What squared distances grow by if the two are one (Chan, Golub & LeVeque 1983).
  double loss(const cell& other) const {
    if (count == 0 || other.count == 0) return 0;
    const double n = static_cast<double>(count);
    const double m = static_cast<double>(other.count);
    return (mean - other.mean) * (mean - other.mean) * (n * m / (n + m));
  }
  void join(const cell& other) {
    squares += other.squares + loss(other);
    count += other.count;
    if (other.count > 0) {
      mean += (other.mean - mean) * (static_cast<double>(other.count) / static_cast<double>(count));
    }
  }
};
using cells = std::vector<cell>;

cells cells_of(const zcmoe_points_info& info) {
  cells all(static_cast<std::size_t>(info.num_segments));
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (info.counts[k] == 0) continue;
    const double squares = info.variances[k] * static_cast<double>(info.counts[k] - 1);
    all[k] = {info.counts[k], info.constants[k], info.counts[k] > 1 ? squares : 0.0};
  }
  return all;
}

/// The same cells joined in ever greater number: m of them, about m/2, m/4, ..., 1.
std::vector<cells> neighbours_joined(cells all) {
  std::vector<cells> levels{all};
  while (all.size() > 1) {
    for (std::size_t k = 0; k < all.size(); k += 2) {
      cell joined = all[k];
      if (k + 1 < all.size()) joined.join(all[k + 1]);
      all[k / 2] = joined;
    }
    all.resize((all.size() + 1) / 2);
    levels.push_back(all);
  }
  return levels;
}

std::vector<cells> leaves_joined(const cells& segments, const zcmoe_bank_info& tree) {
  const auto num_nodes = static_cast<std::size_t>(tree.num_nodes);
  std::vector<cell> below(num_nodes);  // of each branch, all its rows
  std::vector<std::size_t> parent(num_nodes, num_nodes);
  std::vector<int> branches(num_nodes);  // of its two ways, those that are branches
  std::vector<char> is_leaf(num_nodes);
  const auto leaf = [&](std::int32_t way) {
    return segments[static_cast<std::size_t>(tree.constants[~way])];
  };
  const auto cell_at = [&](std::int32_t way) {
    return way < 0 ? leaf(way) : below[static_cast<std::size_t>(way)];
  };
  // A branch comes after that which leads to it.
  using candidate = std::pair<double, std::size_t>;
  std::priority_queue<candidate, std::vector<candidate>, std::greater<>> least;
  const auto offer = [&](std::size_t k) {
    if (branches[k] == 0)
      least.emplace(cell_at(tree.nodes[k].left).loss(cell_at(tree.nodes[k].right)), k);
  };
  for (std::size_t k = num_nodes; k-- > 0;) {
    below[k] = cell_at(tree.nodes[k].left);
    below[k].join(cell_at(tree.nodes[k].right));
    for (const std::int32_t way : {tree.nodes[k].left, tree.nodes[k].right}) {
      if (way < 0) continue;
      parent[static_cast<std::size_t>(way)] = k;
      ++branches[k];
    }
    offer(k);
  }
  const auto leaves = [&] {
    cells all;
    std::vector<std::int32_t> ways{0};
    while (!ways.empty()) {
      const std::int32_t way = ways.back();
      ways.pop_back();
      if (way < 0 || is_leaf[static_cast<std::size_t>(way)] != 0) {
        all.push_back(cell_at(way));
      } else {
        const zcmoe_tree_node& node = tree.nodes[way];
        ways.push_back(node.right);
        ways.push_back(node.left);
      }
    }
    return all;
  };
  std::vector<cells> levels{leaves()};
  std::size_t left = num_nodes + 1;
  while (!least.empty()) {
    const std::size_t k = least.top().second;
    least.pop();
    is_leaf[k] = 1;
    --left;
    if (parent[k] < num_nodes && --branches[parent[k]] == 0) offer(parent[k]);
    if (left <= (levels.back().size() + 1) / 2) levels.push_back(leaves());
  }
  return levels;
}

/// A cell's number is the sum of what each axis adds, which says where on the axis it lies.
std::vector<cells> grid_joined(const cells& segments, const zcmoe_bank_info& grid,
                               const std::vector<zcmoe_axis_info>& axes) {
  struct side {
    std::int64_t step;  // between neighbours
    std::int64_t parts;
    int halvings = 0;
  };
  std::vector<side> sides;
  for (std::int64_t k = 0; k < grid.num_axes; ++k) {
    const zcmoe_axis_offsets& axis = grid.axes[k];
    const std::int64_t codes = axes[static_cast<std::size_t>(axis.axis)].num_segments;
    std::vector<std::int32_t> offsets(axis.offsets, axis.offsets + codes);
    std::sort(offsets.begin(), offsets.end());
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
    if (offsets.size() < 2) continue;
    sides.push_back({offsets[1] - offsets[0], static_cast<std::int64_t>(offsets.size())});
  }
  // The last axis has the step 1, and each step leads over all cells of the axes behind.
  std::sort(sides.begin(), sides.end(),
            [](const side& a, const side& b) { return a.step > b.step; });
  std::vector<cells> levels{segments};
  const auto halved = [](const side& one) {
    return (one.parts + (std::int64_t{1} << one.halvings) - 1) >> one.halvings;
  };
  for (;;) {
    const auto most =
        std::max_element(sides.begin(), sides.end(),
                         [&](const side& a, const side& b) { return halved(a) < halved(b); });
    if (most == sides.end() || halved(*most) < 2) return levels;
    ++most->halvings;
    std::map<std::vector<std::int64_t>, cell> joined;
    for (std::size_t k = 0; k < segments.size(); ++k) {
      auto rest = static_cast<std::int64_t>(k);
      std::vector<std::int64_t> place;
      place.reserve(sides.size());
      for (const side& one : sides) {
        place.push_back((rest / one.step) >> one.halvings);
        rest %= one.step;
      }
      joined[place].join(segments[k]);
    }
    cells level;
    level.reserve(joined.size());
    for (const auto& [place, one] : joined) level.push_back(one);
    levels.push_back(std::move(level));
  }
}

/// A table as the theory's functions take it.
struct table_of_cells {
  std::vector<std::int64_t> counts;
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<double> places{0.0};  // a row alone in its segment is predicted by the next one

  explicit table_of_cells(const cells& all) {
    for (const cell& one : all) {
      places.push_back(places.back() + 1);
      counts.push_back(one.count);
      means.push_back(one.mean);
      variances.push_back(one.count > 1 ? one.squares / static_cast<double>(one.count - 1) : 0.0);
    }
  }
  zcmoe_theory_table view() const {
    return {counts.data(), means.data(), variances.data(), places.data(),
            static_cast<std::int64_t>(counts.size())};
  }
};

std::optional<risk_curve> curve_of(const std::vector<table_of_cells>& tables, std::int64_t rows) {
  risk_curve risk;
  risk.rows = rows;
  for (const table_of_cells& table : tables) {
    const zcmoe_theory_table view = table.view();
    zcmoe_theory_statistics statistics;
    check(zcmoe_theory_table_statistics(&view, nullptr, 0.0, &statistics));
    if (std::isnan(statistics.within) || std::isnan(statistics.leave_one_out)) continue;
    risk.levels.push_back({view.num_segments, statistics.within, statistics.leave_one_out});
  }
  if (risk.levels.empty()) return std::nullopt;
  return risk;
}

/// A and sigma^2 by halving: the two finest levels differ by what A / m^power does between them.
void estimate(risk_curve& risk, std::int32_t dimension) {
  risk.power = 2.0 / dimension;
  const risk_level& fine = risk.levels.back();
  const auto best = std::min_element(
      risk.levels.begin(), risk.levels.end(),
      [](const risk_level& a, const risk_level& b) { return a.leave_one_out < b.leave_one_out; });
  risk.best_segments = static_cast<double>(best->num_segments);
  risk.best_risk = best->leave_one_out;
  risk.noise = fine.within;
  risk.approximation = not_known;
  if (risk.levels.size() < 2) return;
  const risk_level& coarse = risk.levels[risk.levels.size() - 2];
  const auto fall = [&](std::int64_t m) { return std::pow(static_cast<double>(m), -risk.power); };
  const double a =
      (coarse.within - fine.within) / (fall(coarse.num_segments) - fall(fine.num_segments));
  const double noise = fine.within - a * fall(fine.num_segments);
  if (!(a > 0 && noise > 0 && std::isfinite(a))) return;
  risk.approximation = a;
  risk.noise = noise;
  // Where fewer segments err less the optimum is among them, and is known without a form.
  if (&*best != &fine) return;
  double m = 0;
  double excess = 0;
  check(zcmoe_theory_optimum(a, noise, static_cast<double>(risk.rows), dimension, &m, &excess));
  if (m > risk.best_segments) {
    risk.best_segments = m;
    risk.best_risk = noise + excess;
  }
}

}  // namespace

std::optional<risk_curve> risk_of(const model& model, const inspected_points& of) {
  const zcmoe_points_info& info = of.info;
  if (info.num_segments < 1) return std::nullopt;
  const cells segments = cells_of(info);
  std::vector<cells> levels;
  const std::int64_t* thresholds = nullptr;
  std::int64_t num_thresholds = 0;
  check(zcmoe_model_get_thresholds(model.get(), &thresholds, &num_thresholds));
  zcmoe_bank_info bank = ZCMOE_BANK_INFO_INIT;
  const bool one_bank = info.num_banks == 1 && num_thresholds == 0;
  if (one_bank) check(zcmoe_model_get_bank(model.get(), 0, &bank));
  std::int32_t dimension = 1;
  if (one_bank && bank.num_nodes > 0) {
    levels = leaves_joined(segments, bank);
  } else if (one_bank && info.partition == ZCMOE_PARTITION_GRID) {
    levels = grid_joined(segments, bank, of.axes);
  } else {
    levels = neighbours_joined(segments);
  }
  const bool line = !one_bank || info.num_segments == 1;
  if (!line) dimension = std::max<std::int32_t>(static_cast<std::int32_t>(of.axes.size()), 1);
  std::reverse(levels.begin(), levels.end());
  std::vector<table_of_cells> tables;
  std::int64_t rows = 0;
  for (const cell& one : segments) rows += one.count;
  if (rows < 2) return std::nullopt;
  tables.reserve(levels.size());
  for (const cells& level : levels) tables.emplace_back(level);
  std::optional<risk_curve> risk = curve_of(tables, rows);
  if (!risk.has_value()) return risk;
  estimate(*risk, dimension);
  if (!line) return risk;
  // Along a score the form is that of one input, and so is the choice of m.
  std::vector<zcmoe_theory_table> views;
  views.reserve(tables.size());
  for (const table_of_cells& table : tables) views.push_back(table.view());
  zcmoe_theory_recommendation advice;
  if (zcmoe_theory_recommend(views.data(), static_cast<std::int64_t>(views.size()), nullptr,
                             &advice) != ZCMOE_OK)
    return risk;
  risk->best_segments = static_cast<double>(advice.num_segments);
  risk->best_risk = advice.risk;
  risk->noise = advice.fit.noise;
  risk->approximation = advice.fit.approximation;
  return risk;
}

json_object risk_as_json(const risk_curve& risk) {
  std::vector<std::int64_t> segments;
  std::vector<double> within;
  std::vector<double> leave_one_out;
  for (const risk_level& level : risk.levels) {
    segments.push_back(level.num_segments);
    within.push_back(level.within);
    leave_one_out.push_back(level.leave_one_out);
  }
  json_object json;
  json.set("segments", segments);
  json.set("within", within);
  json.set("leave_one_out", leave_one_out);
  json.set("rows", risk.rows);
  json.set("noise", risk.noise);
  json.set("approximation", risk.approximation);
  json.set("power", risk.power);
  json.set("best_segments", risk.best_segments);
  json.set("best_risk", risk.best_risk);
  return json;
}

void add_risk(text_page& page, const risk_curve& risk) {
  page.add("");
  page.add(" segments joined   leave-one-out RMSE   few rows' part");
  const auto right = [](const std::string& value, std::size_t width) {
    return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
  };
  for (const risk_level& level : risk.levels) {
    const double few =
        risk.noise * static_cast<double>(level.num_segments) / static_cast<double>(risk.rows);
    page.add(right(grouped(level.num_segments), 16) +
             right(readable(std::sqrt(level.leave_one_out)), 21) +
             right(level.leave_one_out > 0
                       ? std::string(fixed(100 * few / level.leave_one_out, 1, 2) + " %")
                       : "-",
                   17));
  }
  page.add(
      "the cuts are taken as given: as far as they were learned from the same rows, others err "
      "more");
  page.add("m*", "about " + grouped(std::llround(risk.best_segments)) +
                     " segments would do best with the rows learned from: RMSE " +
                     readable(std::sqrt(risk.best_risk)));
}

}  // namespace zcmoe::cli
