#include "host/learning/axis_tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace zcmoe::detail {
namespace {

constexpr int most_chief_axes = 48;
constexpr int most_sweeps = 60;

}  // namespace

std::vector<std::int32_t> rounded_constants(const std::vector<double>& values, std::int32_t shift) {
  constexpr double least = std::numeric_limits<std::int32_t>::min();
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  std::vector<std::int32_t> constants;
  constants.reserve(values.size());
  for (const double value : values) {
    const double scaled = std::nearbyint(std::ldexp(value, -shift));
    constants.push_back(static_cast<std::int32_t>(std::clamp(scaled, least, most)));
  }
  return constants;
}

axis_tables::axis_tables(const coded_rows& rows, model_room& room, row_passes& left)
    : rows_(rows),
      room_(room),
      axes_(static_cast<std::size_t>(rows.num_axes())),
      ridge_(rows.weight_of_row) {
  row_passes::map_list maps;
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    table& t = axes_[a];
    const std::int32_t slots = rows.num_slots[a];
    t.map.axes[0] = static_cast<int>(a);
    t.map.first.resize(static_cast<std::size_t>(slots));
    std::iota(t.map.first.begin(), t.map.first.end(), 0);
    t.map.cells = slots;
    t.ordered = num_segments_of(slots);
    t.by_part.cells = slots;
    t.constants.assign(static_cast<std::size_t>(slots), 0);
    maps.push_back(&t.map);
  }
  left.count(maps, [&](std::size_t a, const std::vector<std::int64_t>& counts) {
    table& t = axes_[a];
    t.by_part.counts.assign(counts.begin(), counts.end());
    t.by_part.sums.assign(counts.size(), 0.0);
    t.counts = t.by_part.total().counts;
  });
}

bank axis_tables::bank_of(int axis) const {
  bank b;
  b.axes.push_back({axis, std::vector<std::int32_t>(constants(axis).size())});
  std::iota(b.axes[0].offsets.begin(), b.axes[0].offsets.end(), 0);
  b.constants = constants(axis);
  return b;
}

bool axis_tables::is_used(int axis) const {
  const std::vector<std::int32_t>& c = constants(axis);
  return std::any_of(c.begin(), c.end(), [](std::int32_t value) { return value != 0; });
}

std::vector<int> axis_tables::chief_axes() const {
  std::vector<int> axes;
  for (std::size_t j = 0; j < pairs_.num_axes(); ++j) axes.push_back(pairs_.axis(j));
  return axes;
}

/// For good: also of what may be worth something when the others have taken their share.
void axis_tables::leave_out_what_does_not_fit() {
  for (const int a : by_gain()) {
    table& t = axes_[static_cast<std::size_t>(a)];
    const bank b = bank_of(a);
    t.fits = t.how.gain > 0.0 && room_.takes(room_.cost_of(b));
    if (t.fits) room_.spend(b);
  }
}

/// The greatest gain first, of equal ones the first axis.
std::vector<int> axis_tables::by_gain() const {
  std::vector<int> order(axes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return axes_[static_cast<std::size_t>(a)].how.gain >
           axes_[static_cast<std::size_t>(b)].how.gain;
  });
  return order;
}

std::vector<double> axis_tables::center(const table& t, std::vector<double> values) const {
  double sum = 0.0;
  double rows = 0.0;
  for (std::size_t c = 0; c < values.size(); ++c) {
    sum += t.counts[c] * values[c];
    rows += t.counts[c];
  }
  const double mean = rows > 0.0 ? sum / rows : 0.0;
  for (double& value : values) value -= mean;
  return values;
}

void axis_tables::take_back(table& t, const std::vector<std::int64_t>& sums) const {
  for (std::size_t at = 0; at < sums.size(); ++at) {
    const auto code = at % static_cast<std::size_t>(t.map.cells);
    t.by_part.sums[at] = static_cast<double>(sums[at]) +
                         t.by_part.counts[at] * std::ldexp(t.constants[code], rows_.constant_shift);
  }
}

void axis_tables::choose(row_passes& left) {
  const double noise = rows_.noise_of(left.squares());
  std::vector<table*> fitting;
  row_passes::map_list maps;
  for (table& t : axes_) {
    if (!t.fits) continue;
    fitting.push_back(&t);
    maps.push_back(&t.map);
  }
  left.sum(maps, [&](std::size_t k, const std::vector<std::int64_t>& sums) {
    table& t = *fitting[k];
    take_back(t, sums);
    t.how = choose_smoothing(t.by_part, t.ordered, ridge_, noise);
  });
}

void axis_tables::take(row_passes& left, const std::vector<int>& which,
                       const std::vector<std::vector<double>>& values) {
  row_passes::map_list maps;
  std::vector<std::vector<std::int64_t>> amounts;
  for (std::size_t k = 0; k < which.size(); ++k) {
    table& t = axes_[static_cast<std::size_t>(which[k])];
    const std::vector<std::int32_t> constants = rounded_constants(values[k], rows_.constant_shift);
    if (constants == t.constants) continue;
    maps.push_back(&t.map);
    amounts.emplace_back();
    for (std::size_t c = 0; c < constants.size(); ++c) {
      amounts.back().push_back((std::int64_t{constants[c]} - t.constants[c]) *
                               (std::int64_t{1} << rows_.constant_shift));
    }
    t.constants = constants;
  }
  if (!maps.empty()) left.subtract(0, maps, amounts);
}

void axis_tables::fit(row_passes& left, bool choose_again, const run_parts& run) {
  if (axes_.empty() || rows_.n == 0) return;
  if (choose_again) choose(left);
  if (pairs_.num_axes() == 0) {
    // The first time: the axes of the greatest gain are fitted together.
    if (room_.is_limited()) leave_out_what_does_not_fit();
    std::vector<int> order = by_gain();
    order.erase(std::remove_if(order.begin(), order.end(),
                               [&](int a) { return !axes_[static_cast<std::size_t>(a)].fits; }),
                order.end());
    if (order.empty() && room_.is_limited()) return;
    order.resize(std::min<std::size_t>(order.size(), most_chief_axes));
    std::sort(order.begin(), order.end());
    pairs_ = pair_counts(rows_, std::move(order), left);
  }
  const std::size_t d = pairs_.num_axes();
  const double before = left.squares();
  const double noise_before = rows_.noise_of(before);
  // Sums of what is left and what the table takes, before the others change.
  std::vector<std::vector<double>> start(d), old(d), now(d), change(d);
  std::vector<int> which;
  row_passes::map_list maps;
  for (std::size_t j = 0; j < d; ++j) {
    which.push_back(pairs_.axis(j));
    maps.push_back(&axes_[static_cast<std::size_t>(which[j])].map);
  }
  left.sum(maps, [&](std::size_t j, const std::vector<std::int64_t>& sums) {
    const table& t = axes_[static_cast<std::size_t>(which[j])];
    start[j].assign(t.constants.size(), 0.0);
    for (std::size_t at = 0; at < sums.size(); ++at)
      start[j][at % t.constants.size()] += static_cast<double>(sums[at]);
    for (std::size_t c = 0; c < t.constants.size(); ++c) {
      old[j].push_back(std::ldexp(t.constants[c], rows_.constant_shift));
      start[j][c] += t.counts[c] * old[j][c];
    }
    now[j] = old[j];
    change[j].assign(old[j].size(), 0.0);
  });
  std::vector<std::vector<double>> products(d);
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    double moved = 0.0;
    for (std::size_t j = 0; j < d; ++j) {
      const table& t = axes_[static_cast<std::size_t>(which[j])];
      const auto multiply = [&](std::int64_t part) {
        const auto k = static_cast<std::size_t>(part);
        products[k].assign(old[j].size(), 0.0);
        const bool moves = std::any_of(change[k].begin(), change[k].end(),
                                       [](double value) { return value != 0.0; });
        if (k != j && moves) pairs_.sums_of(j, k, change[k], products[k]);
      };
      if (d > 12) {
        run(static_cast<std::int64_t>(d), multiply);
      } else {
        for (std::size_t k = 0; k < d; ++k) multiply(static_cast<std::int64_t>(k));
      }
      std::vector<double> sums = start[j];
      for (std::size_t k = 0; k < d; ++k) {
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] -= products[k][c];
      }
      const std::vector<double> next =
          center(t, smooth_table(t.counts, sums, t.ordered, ridge_, t.how));
      for (std::size_t c = 0; c < next.size(); ++c) {
        const double step = next[c] - now[j][c];
        moved += t.counts[c] * step * step;
        change[j][c] = next[c] - old[j][c];
      }
      now[j] = next;
    }
    if (moved <= 1e-9 * before) break;
  }
  take(left, which, now);
  // The other axes, one after the other.
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    if (d == axes_.size()) break;
    if (std::binary_search(which.begin(), which.end(), static_cast<int>(a))) continue;
    table& t = axes_[a];
    if (!t.fits) continue;
    left.sum({&t.map},
             [&](std::size_t, const std::vector<std::int64_t>& sums) { take_back(t, sums); });
    if (choose_again) t.how = choose_smoothing(t.by_part, t.ordered, ridge_, noise_before);
    take(left, {static_cast<int>(a)},
         {center(t, smooth_table(t.counts, t.by_part.total().sums, t.ordered, ridge_, t.how))});
  }
  // Rows of a code that stands alone count as much as its table explains beside the noise.
  const double noise = left.squares();
  double explained = 0.0;
  for (const table& t : axes_) {
    for (std::size_t c = 0; c < t.constants.size(); ++c) {
      const double value = std::ldexp(t.constants[c], rows_.constant_shift);
      explained += t.counts[c] * value * value;
    }
  }
  const double rows = explained > 0.0 ? std::clamp(noise / explained, 0.01, 100.0) : 1.0;
  ridge_ = rows * rows_.weight_of_row;
}

}  // namespace zcmoe::detail
