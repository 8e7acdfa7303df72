#include "host/learning/link_score.hpp"

#include "host/learning/row_sums.hpp"
#include "host/learning/segments.hpp"
#include "host/learning/smoother.hpp"
#include "host/routing/slots.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

// Slopes of h are whole numbers of 2^-12 of the steepest.
constexpr int slope_bits = 12;
// Where h is level a table would not be held by anything: it stays as if h had so small a slope.
constexpr double least_slope = 0.02;
constexpr std::int64_t fine_bins = 1 << 14;  // of equal width, joined to
constexpr std::int64_t most_knots = 200;     // of equally many rows, of at least
constexpr std::int64_t rows_of_knot = 20;
constexpr int sums_first = 3;  // sweeps while h is the identity
constexpr int most_sweeps = 60;
constexpr int choosing_sweeps = 3;  // after which the smoothness of tables and of h is kept
// A sweep that takes off less of the squares is the last but two.
constexpr double least_progress = 1e-3;
constexpr double ridge_rows = 1.0;
// Tables are kept in units in which all jumps of one are less in all, and sums fit easily.
constexpr double greatest_jumps = 1 << 29;

/// The cuts of a column: a code for all of its axes.
struct column_codes {
  std::size_t first_axis;
  std::size_t num_axes;
  std::int32_t segments;  // slots are these, NaN, below and above
  std::vector<std::uint16_t> codes;
  std::vector<double> counts;  // weight of rows
  std::vector<double> table;
  axis_smoothing how;
};

column_codes codes_of(const coded_rows& rows, std::size_t first, std::size_t end) {
  column_codes made{first, end - first, 1, {}, {}, {}, {}};
  const auto segments_of = [&](std::size_t a) {
    return static_cast<std::int32_t>(num_segments_of(rows.num_slots[a]));
  };
  for (std::size_t a = first; a < end; ++a) made.segments += segments_of(a) - 1;
  made.codes.resize(static_cast<std::size_t>(rows.n));
  for (std::size_t a = first; a < end; ++a) {
    const std::uint8_t* codes = rows.codes_of(static_cast<int>(a));
    const std::int32_t own = segments_of(a);
    for (std::size_t i = 0; i < made.codes.size(); ++i) {
      // All axes of a column agree where an input is in no segment.
      const std::int32_t code =
          codes[i] < own ? made.codes[i] + codes[i] : made.segments + (codes[i] - own);
      made.codes[i] = static_cast<std::uint16_t>(code);
    }
  }
  const auto slots = static_cast<std::size_t>(made.segments) + 3;
  made.counts.assign(slots, 0.0);
  made.table.assign(slots, 0.0);
  return made;
}

/// h: a line between knots, level beyond them.
struct link_function {
  std::vector<double> at;
  std::vector<double> values;
  std::vector<std::int64_t> slopes;  // of the lines, in units of `unit`
  double unit = 1.0;

  std::size_t line_of(double s) const {
    const auto above = std::upper_bound(at.begin() + 1, at.end() - 1, s);
    return static_cast<std::size_t>(above - at.begin()) - 1;
  }
  double value(std::size_t line, double s) const {
    const double share = (s - at[line]) / (at[line + 1] - at[line]);
    return values[line] + std::clamp(share, 0.0, 1.0) * (values[line + 1] - values[line]);
  }
};

class link_fit {
 public:
  link_fit(const coded_rows& rows, const std::vector<std::int32_t>& columns, row_choice train,
           const run_parts& run)
      : rows_(rows), train_(train), run_(run) {
    for (std::size_t first = 0; first < columns.size();) {
      std::size_t end = first;
      while (end < columns.size() && columns[end] == columns[first]) ++end;
      columns_.push_back(codes_of(rows, first, end));
      first = end;
    }
    scores_.assign(static_cast<std::size_t>(rows.n), 0);
    // What is left of a target is taken in units of constants, and bounded so that sums of its
    // products with slopes do not overflow.
    most_left_ =
        ((std::int64_t{1} << 62) / std::max<std::int64_t>(rows.total_weight(), 1)) >> slope_bits;
    for (column_codes& c : columns_) {
      for (std::size_t i = 0; i < c.codes.size(); ++i)
        c.counts[c.codes[i]] += takes(i) ? static_cast<double>(rows.weight(i)) : 0.0;
    }
  }

  /// The tables, by column, and by slot.
  std::vector<std::vector<double>> fitted() {
    std::vector<std::vector<double>> best(columns_.size());
    double least = std::numeric_limits<double>::infinity();
    int idle = 0;
    start();
    for (int sweep = 0; sweep < most_sweeps && idle < 2; ++sweep) {
      const bool choose = sweep < sums_first + choosing_sweeps;
      for (column_codes& c : columns_) improve(c, choose);
      if (sweep + 1 >= sums_first && !link(choose)) break;
      const double squares = left_squares();
      if (sweep >= sums_first) idle = squares > (1.0 - least_progress) * least ? idle + 1 : 0;
      if (squares >= least) continue;
      least = squares;
      for (std::size_t j = 0; j < columns_.size(); ++j) best[j] = columns_[j].table;
    }
    return best;
  }

  /// The whole numbers of tables, within greatest_jumps; all 0 where a table has no jumps.
  std::vector<std::vector<std::int64_t>> whole(const std::vector<std::vector<double>>& tables) {
    double most = 0.0;
    for (std::size_t j = 0; j < tables.size(); ++j) {
      const std::vector<double>& t = tables[j];
      double jumps = 0.0;
      for (std::size_t c = 1; c < t.size(); ++c) jumps += std::abs(t[c] - t[c - 1]);
      most = std::max(most, jumps + (t.empty() ? 0.0 : std::abs(t[0])));
    }
    std::vector<std::vector<std::int64_t>> made(tables.size());
    for (std::size_t j = 0; j < tables.size(); ++j) {
      for (const double value : tables[j])
        made[j].push_back(most > 0.0 ? std::llround(value / most * greatest_jumps) : 0);
    }
    return made;
  }

  /// The scores of all rows by these tables, and how far h goes up and down until each.
  void tell(const std::vector<std::vector<std::int64_t>>& tables, std::vector<std::int64_t>& scores,
            std::vector<std::int64_t>& risen) {
    std::fill(scores_.begin(), scores_.end(), 0);
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      for (std::size_t i = 0; i < scores_.size(); ++i)
        scores_[i] += tables[j][columns_[j].codes[i]];
    }
    risen.assign(scores_.size(), 0);
    if (link(true)) {
      std::vector<double> total(h_.at.size(), 0.0);
      for (std::size_t k = 1; k < total.size(); ++k)
        total[k] = total[k - 1] + std::abs(h_.values[k] - h_.values[k - 1]);
      link_function along = h_;
      along.values = total;
      const double scale = total.back() > 0.0 ? std::ldexp(1.0, 50) / total.back() : 0.0;
      for (std::size_t i = 0; i < scores_.size(); ++i) {
        const auto s = static_cast<double>(scores_[i]);
        risen[i] = std::llround(scale * along.value(along.line_of(s), s));
      }
    }
    scores = scores_;
  }

 private:
  bool takes(std::size_t i) const { return train_.takes(rows_.part[i]); }
  double unit() const { return std::ldexp(1.0, rows_.constant_shift); }
  double ridge() const { return ridge_rows * rows_.weight_of_row; }

  /// h is the identity about the mean.
  void start() {
    __int128 sum = 0;
    std::int64_t count = 0;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!takes(i)) continue;
      sum += static_cast<__int128>(rows_.weight(i)) * rows_.y[i];
      count += rows_.weight(i);
    }
    const double mean =
        count > 0 ? static_cast<double>(sum) / static_cast<double>(count) / unit() : 0;
    constexpr double far = 1e15;
    h_.at = {-far, far};
    h_.values = {mean - far, mean + far};
    h_.slopes = {std::int64_t{1} << slope_bits};
    h_.unit = std::ldexp(1.0, -slope_bits);
  }

  /// What h leaves of a target, in units of constants.
  std::int64_t left(std::size_t i, std::size_t line) const {
    const double value = h_.value(line, static_cast<double>(scores_[i]));
    const double rest = static_cast<double>(rows_.y[i]) / unit() - value;
    const auto most = static_cast<double>(most_left_);
    return static_cast<std::int64_t>(std::nearbyint(std::clamp(rest, -most, most)));
  }

  /// One Gauss-Newton step of one table: least squares of what h leaves over its slope, weighed by
  /// the square of it.
  void improve(column_codes& c, bool choose) {
    const std::size_t slots = c.table.size();
    const std::size_t cells = static_cast<std::size_t>(coded_rows::num_parts) * slots;
    struct weighed {
      std::int64_t weight = 0;
      std::int64_t sum = 0;
    };
    const row_chunks chunks(rows_.n);
    std::vector<std::vector<weighed>> of_chunk(static_cast<std::size_t>(chunks.count));
    run_(chunks.count, [&](std::int64_t chunk) {
      std::vector<weighed>& sums = of_chunk[static_cast<std::size_t>(chunk)];
      sums.resize(cells);
      for (auto i = static_cast<std::size_t>(chunks.begin(chunk));
           i < static_cast<std::size_t>(chunks.end(chunk)); ++i) {
        if (!takes(i)) continue;
        const std::size_t line = h_.line_of(static_cast<double>(scores_[i]));
        const std::int64_t slope = h_.slopes[line];
        weighed& to = sums[rows_.part[i] * slots + c.codes[i]];
        const std::int64_t weight = rows_.weight(i) * slope;
        to.weight += weight * slope;
        to.sum += weight * left(i, line);
      }
    });
    cell_sums sums;
    sums.cells = static_cast<std::int64_t>(slots);
    sums.counts.assign(cells, 0.0);
    sums.sums.assign(cells, 0.0);
    const double held = least_slope * least_slope;
    for (std::size_t k = 0; k < cells; ++k) {
      weighed total;
      for (const std::vector<weighed>& chunk : of_chunk) {
        total.weight += chunk[k].weight;
        total.sum += chunk[k].sum;
      }
      // In units of the steepest slope.
      const std::size_t slot = k % slots;
      const double steepest = h_.unit * std::ldexp(1.0, slope_bits);
      const double weight = std::ldexp(static_cast<double>(total.weight), -2 * slope_bits);
      sums.counts[k] = weight;
      sums.sums[k] = std::ldexp(static_cast<double>(total.sum), -slope_bits) / steepest +
                     weight * c.table[slot];
    }
    // Rows hold a table a little to what it is.
    const double share = held / static_cast<double>(coded_rows::num_parts);
    for (std::size_t k = 0; k < cells; ++k) {
      const std::size_t slot = k % slots;
      sums.counts[k] += share * c.counts[slot];
      sums.sums[k] += share * c.counts[slot] * c.table[slot];
    }
    const double steepest = h_.unit * std::ldexp(1.0, slope_bits);
    if (choose) c.how = choose_smoothing(sums, c.segments, ridge(), noise_ / (steepest * steepest));
    const cell_sums all = sums.total();
    std::vector<double> table = smooth_table(all.counts, all.sums, c.segments, ridge(), c.how);
    double mean = 0.0, rows = 0.0;
    for (std::size_t s = 0; s < slots; ++s) {
      mean += c.counts[s] * table[s];
      rows += c.counts[s];
    }
    for (double& value : table) value -= rows > 0.0 ? mean / rows : 0.0;
    // A step that is too long for h's lines to hold is halved by the sweeps after it, since h
    // follows; whole numbers say what rows have got.
    std::vector<std::int64_t> change(slots);
    for (std::size_t s = 0; s < slots; ++s)
      change[s] = std::llround(table[s]) - std::llround(c.table[s]);
    c.table = std::move(table);
    run_(chunks.count, [&](std::int64_t chunk) {
      for (auto i = static_cast<std::size_t>(chunks.begin(chunk));
           i < static_cast<std::size_t>(chunks.end(chunk)); ++i)
        scores_[i] += change[c.codes[i]];
    });
  }

  /// Fits h to the scores; returns whether there is one.
  bool link(bool choose) {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t most = std::numeric_limits<std::int64_t>::min();
    std::int64_t count = 0;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!takes(i)) continue;
      least = std::min(least, scores_[i]);
      most = std::max(most, scores_[i]);
      count += rows_.weight(i);
    }
    const std::int64_t knot = rows_.weight_of_rows(rows_of_knot);
    if (count == 0 || least == most) return false;
    struct bin {
      std::int64_t count = 0;  // weight of rows
      __int128 scores = 0;
      std::array<std::int64_t, coded_rows::num_parts> counts{};
      std::array<std::int64_t, coded_rows::num_parts> sums{};
    };
    const std::int64_t width = (most - least) / fine_bins + 1;
    std::vector<bin> bins(static_cast<std::size_t>((most - least) / width) + 1);
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!takes(i)) continue;
      bin& b = bins[static_cast<std::size_t>((scores_[i] - least) / width)];
      const std::int64_t weight = rows_.weight(i);
      b.count += weight;
      b.scores += static_cast<__int128>(weight) * (scores_[i] - least);
      b.counts[rows_.part[i]] += weight;
      b.sums[rows_.part[i]] += weight * rows_.y[i];
    }
    // Joined, half of the knots at equal numbers of rows, and half at equal distances.
    const std::int64_t knots = std::clamp<std::int64_t>(count / knot, 2, most_knots);
    std::vector<bin> joined(1);
    double filled = 0.0;
    for (const bin& b : bins) {
      const double share = 0.5 * static_cast<double>(b.count) / static_cast<double>(count) +
                           0.5 / static_cast<double>(bins.size());
      if (joined.back().count >= knot && filled >= 1.0 / static_cast<double>(knots)) {
        joined.emplace_back();
        filled = 0.0;
      }
      filled += share;
      bin& to = joined.back();
      to.count += b.count;
      to.scores += b.scores;
      for (std::size_t p = 0; p < b.counts.size(); ++p) {
        to.counts[p] += b.counts[p];
        to.sums[p] += b.sums[p];
      }
    }
    if (joined.size() > 2 && joined.back().count < knot) joined.pop_back();
    if (joined.size() < 2) return false;
    cell_sums sums;
    sums.cells = static_cast<std::int64_t>(joined.size());
    for (std::size_t p = 0; p < bin{}.counts.size(); ++p) {
      for (const bin& b : joined) {
        sums.counts.push_back(static_cast<double>(b.counts[p]));
        sums.sums.push_back(static_cast<double>(b.sums[p]) / unit());
      }
    }
    const cell_sums all = sums.total();
    if (choose || sums.cells != static_cast<std::int64_t>(h_.at.size()))
      h_how_ = choose_smoothing(sums, sums.cells, ridge(), noise_);
    if (h_how_.order < 0) return false;
    link_function h;
    h.values = smooth_table(all.counts, all.sums, sums.cells, ridge(), h_how_);
    double steepest = 0.0;
    for (const bin& b : joined)
      h.at.push_back(static_cast<double>(least) +
                     static_cast<double>(b.scores) / static_cast<double>(b.count));
    for (std::size_t k = 0; k + 1 < h.at.size(); ++k)
      steepest =
          std::max(steepest, std::abs((h.values[k + 1] - h.values[k]) / (h.at[k + 1] - h.at[k])));
    if (!(steepest > 0.0) || !std::isfinite(steepest)) return false;
    h.unit = std::ldexp(steepest, -slope_bits);
    for (std::size_t k = 0; k + 1 < h.at.size(); ++k)
      h.slopes.push_back(
          std::llround((h.values[k + 1] - h.values[k]) / (h.at[k + 1] - h.at[k]) / h.unit));
    h_ = std::move(h);
    return true;
  }

  /// By h, of the chosen rows; and the noise, from their mean.
  double left_squares() {
    const row_chunks chunks(rows_.n);
    std::vector<unsigned __int128> of_chunk(static_cast<std::size_t>(chunks.count), 0);
    std::vector<std::int64_t> counts(of_chunk.size(), 0);
    run_(chunks.count, [&](std::int64_t chunk) {
      for (auto i = static_cast<std::size_t>(chunks.begin(chunk));
           i < static_cast<std::size_t>(chunks.end(chunk)); ++i) {
        if (!takes(i)) continue;
        const std::int64_t rest = left(i, h_.line_of(static_cast<double>(scores_[i])));
        const auto size = static_cast<unsigned __int128>(std::abs(rest));
        const std::int64_t weight = rows_.weight(i);
        of_chunk[static_cast<std::size_t>(chunk)] +=
            size * size * static_cast<std::uint64_t>(weight);
        counts[static_cast<std::size_t>(chunk)] += weight;
      }
    });
    unsigned __int128 total = 0;
    std::int64_t count = 0;
    for (std::size_t k = 0; k < of_chunk.size(); ++k) {
      total += of_chunk[k];
      count += counts[k];
    }
    noise_ = count > 0 ? static_cast<double>(total) / static_cast<double>(count) : 0.0;
    noise_ *= rows_.weight_of_noise;
    return static_cast<double>(total);
  }

  const coded_rows& rows_;
  const row_choice train_;
  const run_parts& run_;
  std::vector<column_codes> columns_;
  std::vector<std::int64_t> scores_;  // in units of constants
  std::int64_t most_left_;
  link_function h_;
  axis_smoothing h_how_;
  double noise_ = 0.0;

 public:
  const std::vector<column_codes>& columns() const { return columns_; }
};

/// The tables of the axes of a column, which have the jumps at their own cuts.
void deal_out(const column_codes& c, const std::vector<std::int64_t>& table,
              const std::vector<std::int32_t>& num_slots, std::vector<bank>& banks) {
  for (std::size_t a = 0; a < c.num_axes; ++a) {
    const auto slots = static_cast<std::size_t>(num_slots[c.first_axis + a]);
    const std::size_t own = slots - 3;
    bank made;
    made.constants.assign(slots, 0);
    made.axes.push_back({static_cast<std::int32_t>(c.first_axis + a), {}});
    for (std::size_t s = 0; s < slots; ++s)
      made.axes[0].offsets.push_back(static_cast<std::int32_t>(s));
    std::int64_t value = a == 0 ? table[0] : 0;
    made.constants[0] = static_cast<std::int32_t>(value);
    for (std::size_t s = 1; s < own; ++s) {
      const std::size_t cut = a + (s - 1) * c.num_axes;
      value += table[cut + 1] - table[cut];
      made.constants[s] = static_cast<std::int32_t>(value);
    }
    for (std::size_t k = 0; k < 3 && a == 0; ++k)
      made.constants[own + k] =
          static_cast<std::int32_t>(table[static_cast<std::size_t>(c.segments) + k]);
    if (std::any_of(made.constants.begin(), made.constants.end(),
                    [](std::int32_t value_of) { return value_of != 0; }))
      banks.push_back(std::move(made));
  }
}

}  // namespace

link_score::link_score(const coded_rows& rows, const std::vector<std::int32_t>& columns,
                       row_choice train, const run_parts& run)
    : part_(rows.part), weights_(rows.weights), train_(train) {
  link_fit fit(rows, columns, train, run);
  const std::vector<std::vector<double>> tables = fit.fitted();
  const std::vector<std::vector<std::int64_t>> whole = fit.whole(tables);
  if (whole.empty() || whole[0].empty()) {
    scores_.assign(static_cast<std::size_t>(rows.n), 0);
    risen_ = scores_;
    return;
  }
  fit.tell(whole, scores_, risen_);
  for (std::size_t j = 0; j < whole.size(); ++j)
    deal_out(fit.columns()[j], whole[j], rows.num_slots, banks_);
}

std::vector<std::int64_t> link_score::thresholds(std::int64_t num_segments) const {
  // Where h rises and falls is where scores are to be told apart: what it has risen takes the place
  // of the score, and the thresholds are led back.
  coded_rows parts;
  parts.n = static_cast<std::int64_t>(part_.size());
  parts.part = part_;
  parts.set_weights(weights_);
  const std::vector<std::int64_t> of_risen =
      score_order(risen_, parts, train_).thresholds(num_segments);
  std::vector<std::pair<std::int64_t, std::int64_t>> order;
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    if (train_.takes(part_[i])) order.emplace_back(scores_[i], risen_[i]);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> made;
  for (const std::int64_t threshold : of_risen) {
    const auto at = std::partition_point(order.begin(), order.end(),
                                         [&](const auto& row) { return row.second < threshold; });
    if (at == order.begin() || at == order.end()) continue;
    const std::int64_t below = std::prev(at)->first;
    const std::int64_t cut = below + (at->first - below + 1) / 2;
    if (made.empty() || made.back() < cut) made.push_back(cut);
  }
  return made;
}

}  // namespace zcmoe::detail
