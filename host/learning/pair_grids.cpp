#include "host/learning/pair_grids.hpp"

#include "host/learning/axes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace zcmoe::detail {
namespace {

constexpr int scan_level = 0;    // pairs are compared here,
constexpr int choice_level = 1;  // the best ones and their smoothness here
constexpr int tuning_level = 2;  // and that of grids that are finer here
constexpr std::int64_t segments_at[] = {8, 16, 32, 64};
/// How many of the best pairs of a pass are looked at closely, and how many are looked at again in
/// the next pass.
constexpr std::size_t num_finalists = 4;
constexpr std::size_t most_candidates = 80;
/// What each code counts beside its rows where codes are joined, in terms of their mean.
constexpr double code_share = 0.3;
/// A grid is coarser as long as that costs less than this share of the squares that are left.
constexpr double coarse_share = 2e-4;

}  // namespace

pair_grids::pair_grids(const coded_rows& rows, const axis_tables& tables, model_room& room)
    : rows_(rows), room_(room) {
  for (const int a : tables.chief_axes()) {
    const std::vector<double>& counts = tables.counts(a);
    const auto along =
        static_cast<std::size_t>(num_segments_of(rows.num_slots[static_cast<std::size_t>(a)]));
    const bool has_nan = counts[along] > 0.0;
    coarse_axis axis;
    axis.axis = a;
    // Mostly equal mass; but codes are closer in the tails than rows are, for good reasons.
    const auto last = counts.begin() + static_cast<std::int64_t>(along);
    const double rows_along = std::accumulate(counts.begin(), last, 0.0);
    std::vector<double> weights(counts.begin(), last);
    for (double& weight : weights) weight += code_share * rows_along / static_cast<double>(along);
    for (int level = num_levels - 1; level >= 0; --level) {
      // Of the segments of the finer level, or of the codes.
      const std::vector<std::int64_t> starts = even_pieces(weights, segments_at[level]);
      std::vector<std::int32_t> piece_of(weights.size() + 1, 0);
      std::vector<double> joined(starts.size(), 0.0);
      for (std::size_t k = 0; k < starts.size(); ++k) {
        const auto end =
            k + 1 < starts.size() ? static_cast<std::size_t>(starts[k + 1]) : weights.size();
        for (auto at = static_cast<std::size_t>(starts[k]); at < end; ++at) {
          piece_of[at] = static_cast<std::int32_t>(k);
          joined[k] += weights[at];
        }
      }
      const auto pieces = static_cast<std::int64_t>(starts.size());
      axis.ordered[level] = pieces;
      axis.sizes[level] = pieces + (has_nan ? 1 : 0);
      std::vector<std::int32_t>& of_code = axis.of_code[level];
      if (level == num_levels - 1) {
        of_code.assign(piece_of.begin(), piece_of.end() - 1);
        const auto top = static_cast<std::int32_t>(pieces - 1);
        of_code.push_back(has_nan ? top + 1 : top / 2);
        of_code.push_back(0);    // below
        of_code.push_back(top);  // above
      } else {
        if (has_nan) piece_of.back() = static_cast<std::int32_t>(pieces);
        axis.from_finer[level] = piece_of;
        for (const std::int32_t finer : axis.of_code[level + 1])
          of_code.push_back(piece_of[static_cast<std::size_t>(finer)]);
      }
      weights = joined;
    }
    if (axis.sizes[choice_level] > 1) axes_.push_back(std::move(axis));
  }
}

cell_map pair_grids::map_of(const std::size_t* axes, int level) const {
  cell_map map;
  const coarse_axis& a = axes_[axes[0]];
  const coarse_axis& b = axes_[axes[1]];
  map.axes[0] = a.axis;
  map.axes[1] = b.axis;
  map.first = a.of_code[level];
  for (std::int32_t& offset : map.first) offset *= static_cast<std::int32_t>(b.sizes[level]);
  map.second = b.of_code[level];
  map.cells = a.sizes[level] * b.sizes[level];
  return map;
}

grid_cells pair_grids::cells_of(const std::size_t* axes, int level) const {
  const coarse_axis& a = axes_[axes[0]];
  const coarse_axis& b = axes_[axes[1]];
  return {{a.sizes[level], b.sizes[level]}, {a.ordered[level], b.ordered[level]}};
}

/// Sums at a level from those at the next finer one.
cell_sums pair_grids::coarser(const cell_sums& sums, const std::size_t* axes, int level) const {
  const coarse_axis& a = axes_[axes[0]];
  const coarse_axis& b = axes_[axes[1]];
  cell_sums joined;
  joined.cells = a.sizes[level] * b.sizes[level];
  const int parts = sums.num_parts();
  joined.counts.assign(static_cast<std::size_t>(parts * joined.cells), 0.0);
  joined.sums = joined.counts;
  std::size_t from = 0;
  for (int part = 0; part < parts; ++part) {
    for (std::int64_t i = 0; i < a.sizes[level + 1]; ++i) {
      for (std::int64_t k = 0; k < b.sizes[level + 1]; ++k, ++from) {
        const auto to = static_cast<std::size_t>(part * joined.cells +
                                                 a.from_finer[level][static_cast<std::size_t>(i)] *
                                                     b.sizes[level] +
                                                 b.from_finer[level][static_cast<std::size_t>(k)]);
        joined.counts[to] += sums.counts[from];
        joined.sums[to] += sums.sums[from];
      }
    }
  }
  return joined;
}

grid_smoothing pair_grids::at_level(const grid& g, int level) const {
  double times[2];
  for (int k = 0; k < 2; ++k) {
    const coarse_axis& axis = axes_[g.axes[k]];
    times[k] =
        static_cast<double>(axis.ordered[level]) / static_cast<double>(axis.ordered[g.how_level]);
  }
  return refined(g.how, times[0], times[1]);
}

std::vector<double> pair_grids::values_of(const grid& g, const cell_sums& total, int level) const {
  return smooth_grid(total.counts, total.sums, cells_of(g.axes, level), at_level(g, level));
}

/// Makes the values the grid's, and takes them off what is left, from which the old ones are taken
/// already.
void pair_grids::take(row_passes& left, grid& g, const std::vector<double>& values) const {
  const std::vector<std::int32_t> constants = rounded_constants(values, rows_.constant_shift);
  std::vector<std::int64_t> amounts;
  amounts.reserve(constants.size());
  for (std::size_t c = 0; c < constants.size(); ++c) {
    const std::int64_t before = g.constants.empty() ? 0 : g.constants[c];
    amounts.push_back((constants[c] - before) * (std::int64_t{1} << rows_.constant_shift));
  }
  g.constants = constants;
  const cell_map map = map_of(g.axes, g.level);
  left.subtract(0, {&map}, {amounts});
}

/// Of all rows and what they leave now, by part.
cell_sums pair_grids::sums_at(row_passes& left, const grid& g, int level) const {
  const cell_map map = map_of(g.axes, level);
  cell_sums found;
  found.cells = map.cells;
  left.count({&map}, [&](std::size_t, const std::vector<std::int64_t>& counts) {
    found.counts.assign(counts.begin(), counts.end());
  });
  left.sum({&map}, [&](std::size_t, const std::vector<std::int64_t>& sums) {
    found.sums.assign(sums.begin(), sums.end());
  });
  return found;
}

/// Chooses how fine a new grid is, and takes it off what is left.
void pair_grids::place(row_passes& left, grid& g) const {
  cell_sums levels[num_levels];
  levels[num_levels - 1] = sums_at(left, g, num_levels - 1);
  for (int level = num_levels - 2; level >= choice_level; --level)
    levels[level] = coarser(levels[level + 1], g.axes, level);
  const double squares = left.squares();
  const double noise = rows_.noise_of(squares);
  const double most_loss = std::max(coarse_share * squares, 2.0 * noise);
  g.level = choice_level;
  for (int level = choice_level + 1; level < num_levels; ++level) {
    if (levels[level].cells == levels[g.level].cells) break;
    if (room_.is_limited() && !room_.takes(room_.cost_of(bank_of(g.axes, level)))) break;
    const cell_sums total = levels[level].total();
    std::vector<double> fine = values_of(g, total, level);
    // What the coarser grid loses: the spread of the finer one's values in its cells.
    cell_sums spread;
    spread.cells = total.cells;
    spread.counts = total.counts;
    spread.sums.resize(fine.size());
    double loss = 0.0;
    for (std::size_t c = 0; c < fine.size(); ++c) {
      spread.sums[c] = spread.counts[c] * fine[c];
      loss += spread.sums[c] * fine[c];
    }
    spread = coarser(spread, g.axes, level - 1);
    for (std::size_t c = 0; c < spread.sums.size(); ++c) {
      if (spread.counts[c] > 0.0) loss -= spread.sums[c] * spread.sums[c] / spread.counts[c];
    }
    if (loss <= most_loss) break;
    g.level = level;
    if (level == tuning_level) {
      g.how = improved(at_level(g, level), levels[level], cells_of(g.axes, level));
      g.how_level = level;
    }
  }
  take(left, g, values_of(g, levels[g.level].total(), g.level));
}

void pair_grids::grow(row_passes& left, int max_pairs, const run_parts& run) {
  std::vector<candidate> candidates;
  for (std::size_t j = 0; j < axes_.size(); ++j) {
    for (std::size_t k = j + 1; k < axes_.size(); ++k) {
      candidates.emplace_back();
      candidates.back().axes[0] = j;
      candidates.back().axes[1] = k;
    }
  }
  while (static_cast<int>(grids_.size()) < max_pairs && !candidates.empty()) {
    const double noise = rows_.noise_of(left.squares());
    std::vector<cell_map> maps;
    maps.reserve(candidates.size());
    row_passes::map_list list;
    for (const candidate& c : candidates) {
      maps.push_back(map_of(c.axes, choice_level));
      list.push_back(&maps.back());
    }
    if (candidates[0].by_part.cells == 0) {  // then none has been counted yet
      left.count(list, [&](std::size_t k, const std::vector<std::int64_t>& counts) {
        candidates[k].by_part.cells = maps[k].cells;
        candidates[k].by_part.counts.assign(counts.begin(), counts.end());
      });
    }
    left.sum(list, [&](std::size_t k, const std::vector<std::int64_t>& sums) {
      candidate& c = candidates[k];
      c.by_part.sums.assign(sums.begin(), sums.end());
      c.how = choose_smoothing(coarser(c.by_part, c.axes, scan_level), cells_of(c.axes, scan_level),
                               noise, false);
    });
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const candidate& a, const candidate& b) { return a.how.gain > b.how.gain; });
    candidates.resize(std::min(candidates.size(), most_candidates));
    const std::size_t finalists = std::min(candidates.size(), num_finalists);
    run(static_cast<std::int64_t>(finalists), [&](std::int64_t part) {
      candidate& c = candidates[static_cast<std::size_t>(part)];
      c.how = choose_smoothing(c.by_part, cells_of(c.axes, choice_level), noise, true);
    });
    std::size_t best = 0;
    for (std::size_t k = 1; k < finalists; ++k) {
      if (candidates[k].how.gain > candidates[best].how.gain) best = k;
    }
    const candidate& c = candidates[best];
    if (c.how.order == 0) break;
    if (room_.takes(room_.cost_of(bank_of(c.axes, choice_level)))) {
      grids_.push_back({{c.axes[0], c.axes[1]}, c.how, choice_level, choice_level, {}});
      place(left, grids_.back());
      room_.spend(bank_of(c.axes, grids_.back().level));
    }
    candidates.erase(candidates.begin() + static_cast<std::int64_t>(best));
  }
}

void pair_grids::fit(row_passes& left, bool choose) {
  for (grid& g : grids_) {
    // Without the grid.
    take(left, g, std::vector<double>(g.constants.size(), 0.0));
    if (choose)
      g.how = improved(g.how, sums_at(left, g, g.how_level), cells_of(g.axes, g.how_level));
    take(left, g, values_of(g, sums_at(left, g, g.level).total(), g.level));
  }
}

std::vector<bank> pair_grids::banks() const {
  std::vector<bank> banks;
  for (const grid& g : grids_) {
    banks.push_back(bank_of(g.axes, g.level));
    banks.back().constants = g.constants;
  }
  return banks;
}

/// A grid whose constants are 0.
bank pair_grids::bank_of(const std::size_t* axes, int level) const {
  const cell_map map = map_of(axes, level);
  bank b;
  b.axes.push_back({map.axes[0], map.first});
  b.axes.push_back({map.axes[1], map.second});
  b.constants.assign(static_cast<std::size_t>(map.cells), 0);
  return b;
}

}  // namespace zcmoe::detail
