// Recommends how many segments to take, from samples alone.
//
// clang-format off
//   rows sorted -> part held out -> for each segmentation: fine edges from the rows learned from
//   -> the engine fits both parts on the fine edges -> the cells of all levels are fine ones joined
//   -> V_m, leave-one-out and held-out error of each level -> a number of segments (recommendation.hpp)
// clang-format on
//
// A level is the table of one number of segments, and a cell is one of its segments. The finest
// level has 3 2^k segments, so that the levels of 1, 2, 3, 4, 6, 8, 12, ... segments all nest in
// it. Learned cuts of one number of segments are not among those of another, so there the fine
// edges are those of all levels together. V_m is the variance within the segments of level m. Every
// sum runs over sorted rows or over cells in order, so the order of the caller's rows does not
// matter.
#include "host/planning/plan.hpp"

#include "host/array.hpp"
#include "host/model/fit.hpp"
#include "host/model/model.hpp"
#include "host/numbers/double_double.hpp"
#include "host/planning/cell_moments.hpp"
#include "host/planning/line_levels.hpp"
#include "host/planning/plan_rows.hpp"
#include "host/routing/slots.hpp"
#include "host/segmentation/edges.hpp"
#include "host/segmentation/empty_segments.hpp"
#include "host/segmentation/learned.hpp"
#include "host/segmentation/plug_in.hpp"
#include "host/segmentation/quantile.hpp"
#include "host/segmentation/uniform.hpp"
#include "host/theory/recommendation.hpp"
#include "host/theory/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

struct plan_tuning {
  // A segment with fewer rows is called starved.
  static constexpr double full = 5;
  // A warning says so where more than this share of the segments is starved.
  static constexpr double starved_share = 0.1;
  // The held-out error disagrees with the expected one if it differs by more standard errors than
  // this.
  static constexpr double disagreement = 3;
};

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// ------------------------------------------------------------------- cells

/// The moments of the cells of a fitted state. Sums of squared weights are taken from the rows,
/// which no state keeps.
cell_moments moments_of(const fit& state, const part& rows) {
  const std::unique_ptr<model> fitted = state.finish(nullptr);
  const model_data& data = fitted->data();
  const auto cells = static_cast<std::size_t>(data.num_segments());
  cell_moments m;
  m.counts.assign(data.counts.begin(), data.counts.begin() + data.num_segments());
  m.weights.assign(data.weights.begin(), data.weights.begin() + data.num_segments());
  m.squares = m.weights;
  m.means.assign(cells, 0.0);
  m.scatters.assign(cells, 0.0);
  std::size_t row = 0;  // rows are in the order of their cells
  for (std::size_t i = 0; i < cells; ++i) {
    if (m.counts[i] == 0) continue;
    m.means[i] = data.constants[i];
    if (!rows.weights.empty()) {
      m.squares[i] = 0.0;
      for (std::int64_t k = 0; k < m.counts[i]; ++k, ++row) {
        m.squares[i] += rows.weights[row] * rows.weights[row];
      }
    }
    if (m.counts[i] > 1) {
      m.scatters[i] = data.variances[i] * std::max(0.0, m.weights[i] - m.squares[i] / m.weights[i]);
    }
  }
  return m;
}

/// Lets the rows of each cell count alike, as precisions do: (sum w)^2 / sum w^2 is their number.
void count_alike(cell_moments& m) {
  for (std::size_t i = 0; i < m.size(); ++i) {
    if (m.counts[i] > 0)
      m.squares[i] = m.weights[i] * m.weights[i] / static_cast<double>(m.counts[i]);
  }
}

/// The variance of a row of the mean weight, from neighbouring rows: rice() for precisions, of
/// which a difference has the variance s^2 (1 / w + 1 / w').
double rice_of_precisions(const part& rows) {
  double_double squares;
  double_double weight;
  weight = weight + rows.weights.front();
  for (std::size_t i = 1; i < rows.y.size(); ++i) {
    const double d = rows.y[i] - rows.y[i - 1];
    const double w = rows.weights[i];
    const double before = rows.weights[i - 1];
    squares = squares + d * d * (w * (before / (w + before)));
    weight = weight + w;
  }
  const auto n = static_cast<double>(rows.size());
  return squares.high / (n - 1.0) * (n / weight.high);
}

/// The cells of one level, with the moments of the rows learned from and of those held out.
struct level_cells {
  std::int64_t num_segments;      // wanted; ties and min_count may leave fewer
  std::vector<std::size_t> cuts;  // indices of fine cells where cells begin, and their number
  cell_moments learned;
  cell_moments held_out;

  level_cells joined_at(const std::vector<std::size_t>& own) const {
    return {num_segments, {}, joined(learned, own), joined(held_out, own)};
  }
};

/// The mean squared error of predicting each row from the others, for weighted rows in the order of
/// their cells. Without a row of weight w the mean of its cell lies w e / (W - w) further from its
/// y, where e = y - mean. Shrinkage draws that mean to g, which is taken without the row too.
double weighted_leave_one_out(const cell_moments& m, const edge_table& edges, const part& rows,
                              const zcmoe_model_options& options) {
  double_double total;
  double_double moment;
  for (std::size_t i = 0; i < m.size(); ++i) {
    total = total + m.weights[i];
    moment = moment + m.weights[i] * m.means[i];
  }
  const double mean = moment.high / total.high;
  empty_segment_constants filled(
      {edges.data(), m.counts.data(), m.weights.data(), m.means.data(), m.size()}, options);
  const bool fixed = options.empty_policy == ZCMOE_EMPTY_VALUE;
  double_double sum;
  std::size_t row = 0;
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::int64_t k = 0; k < m.counts[i]; ++k, ++row) {
      const double w = rows.weights[row];
      const double e = rows.y[row] - m.means[i];
      const double rest = m.counts[i] > 1 ? m.weights[i] - w : 0.0;
      const double others = mean - (rows.y[row] - mean) * w / std::max(total.high - w, 1e-300);
      double error;
      if (options.shrinkage > 0) {
        const double g = fixed ? options.empty_value : others;
        error = e + (w * e - options.shrinkage * (g - m.means[i])) / (rest + options.shrinkage);
      } else if (rest > 0) {
        error = e + w * e / rest;
      } else {
        error = rows.y[row] - filled.of(i, others);
      }
      sum = sum + w * error * error;
    }
  }
  return sum.high / total.high;
}

// ------------------------------------------------------------ one segmentation

/// The levels of one segmentation and what they recommend. The engine fits the fine cells; all
/// levels are made of these.
class segmentation_levels {
 public:
  segmentation_levels(const std::shared_ptr<backend>& engine, const plan_rows& rows,
                      const zcmoe_model_options& model, const zcmoe_plan_options& options,
                      int segmentation)
      : rows_(rows),
        model_(model),
        options_(options),
        policies_(model),
        segmentation_(segmentation) {
    const bool one_value = rows.lo == rows.hi;
    const std::int64_t limit = one_value ? 1 : std::min(options.max_segments, rows.all.size());
    finest_ = limit;
    if (limit >= 3) {
      finest_ = 3;
      while (2 * finest_ <= limit) finest_ *= 2;
    }
    // The least level on which each input has a segment of its own is the last that learned cuts
    // need.
    if (segmentation_ == ZCMOE_PLAN_OPTIMAL) {
      while (finest_ >= 2 && finest_ / 2 >= rows.distinct) finest_ /= 2;
    }
    edges_ = fine_edges();
    level_cells fine{0, {}, fitted(engine, rows.learned), fitted(engine, rows.held_out)};
    fine.cuts.resize(edges_.size());
    std::iota(fine.cuts.begin(), fine.cuts.end(), std::size_t{0});
    middles_.reserve(fine.learned.size());
    double_double below;
    for (const double w : fine.learned.weights) {
      middles_.push_back((below + w / 2).high);
      below = below + w;
    }
    learned_weight_ = below.high;
    // Levels are made from the finest down: level m joins the cells of level 2m where it nests in
    // it, so that all levels together cost a few passes over the fine cells.
    std::vector<level_cells> made;
    const std::vector<std::int64_t> numbers = numbers_of_segments();
    for (auto m = numbers.rbegin(); m != numbers.rend(); ++m) {
      const level_cells* from = &fine;
      for (const level_cells& finer : made) {
        if (segmentation_ != ZCMOE_PLAN_OPTIMAL && finer.num_segments == 2 * *m) from = &finer;
      }
      made.push_back(coarser(*from, *m));
    }
    std::reverse(made.begin(), made.end());
    for (level_cells& cells : made) {
      keep_full_cells(cells);
      levels_.push_back(level_of(cells));
    }
    cells_ = std::move(made);
  }

  /// Fills a candidate that is all zeros.
  void fill(zcmoe_plan_candidate& c) const {
    c.segmentation = segmentation_;
    c.num_levels = static_cast<std::int64_t>(levels_.size());
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      c.levels[i] = levels_[i];
      for (double* v : {&c.levels[i].within, &c.levels[i].risk, &c.levels[i].leave_one_out,
                        &c.levels[i].holdout, &c.levels[i].linear_leave_one_out,
                        &c.levels[i].interpolate_leave_one_out}) {
        *v = rows_.scale_back(*v);
      }
    }
    const auto rows = static_cast<double>(rows_.all.size());
    const double growth =
        options_.fit_rows > 0 ? static_cast<double>(options_.fit_rows) / rows : 1.0;
    const double fit_rows = rows_.effective * growth;
    std::vector<risk_level> levels;
    levels.reserve(levels_.size());
    for (const zcmoe_plan_level& l : levels_) {
      levels.push_back(
          {l.num_segments, static_cast<double>(l.num_nonempty), l.within, l.leave_one_out});
    }
    const zcmoe_theory_recommendation r = recommend(levels, rows_.effective, fit_rows);
    c.method = r.method;
    c.test = r.test;
    c.tested_segments = r.tested_segments;
    c.fit = r.fit;
    c.fit.approximation = rows_.scale_back(r.fit.approximation);
    c.fit.approximation_error = rows_.scale_back(r.fit.approximation_error);
    c.fit.noise = rows_.scale_back(r.fit.noise);
    c.fit.noise_error = rows_.scale_back(r.fit.noise_error);
    c.leave_one_out_segments = levels_[static_cast<std::size_t>(r.best_level)].num_segments;
    c.linear_segments = least_level(&zcmoe_plan_level::linear_leave_one_out);
    c.interpolate_segments = least_level(&zcmoe_plan_level::interpolate_leave_one_out);

    const double limit =
        learned_.has_value() ? recommend_learned(c) : recommend_within_limits(c, r, rows * growth);
    c.num_nonempty = level_near(c.num_segments).num_nonempty;

    check(c);
    if (rows_.constant()) {
      c.warnings |= ZCMOE_PLAN_CONSTANT;
      return;
    }
    if (r.fit.num_levels < 2) c.warnings |= ZCMOE_PLAN_FEW_ROWS;
    if (r.test.verdict == ZCMOE_THEORY_FAILS) {
      c.warnings |= ZCMOE_PLAN_NOT_HIGH_RATE;
      if (r.test.ratio + 2.0 * r.test.standard_error < 3.0) c.warnings |= ZCMOE_PLAN_JUMPS;
    }
    const bool inputs_bind = !learned_.has_value() && is_tied() && r.num_segments > rows_.distinct;
    if (inputs_bind) c.warnings |= ZCMOE_PLAN_TIED;
    const zcmoe_plan_level& level = level_near(c.num_segments);
    if (static_cast<double>(level.num_starved) >
        plan_tuning::starved_share * static_cast<double>(level.num_built)) {
      c.warnings |= ZCMOE_PLAN_STARVED;
    }
    if (static_cast<double>(c.num_segments) >= limit && !inputs_bind) {
      c.warnings |= ZCMOE_PLAN_AT_LIMIT;
    }
    if (c.num_segments == 1 || r.fit.approximation < 1.96 * r.fit.approximation_error) {
      c.warnings |= ZCMOE_PLAN_NO_SIGNAL;
    }
  }

 private:
  /// The number of segments of the level with the least error of a kind; 0 if no level knows it.
  std::int64_t least_level(double zcmoe_plan_level::*error) const {
    std::int64_t best = 0;
    double least = infinity;
    for (const zcmoe_plan_level& level : levels_) {
      if (!(level.*error < least * (1.0 - 1e-12))) continue;
      least = level.*error;
      best = level.num_segments;
    }
    return best;
  }

  /// 1, 2, 3, 4, 6, 8, 12, ... up to the finest level.
  std::vector<std::int64_t> numbers_of_segments() const {
    std::vector<std::int64_t> numbers;
    for (std::int64_t m = 1; m <= finest_; ++m) {
      const bool power = (m & (m - 1)) == 0;
      const bool thrice = m % 3 == 0 && (m / 3 & (m / 3 - 1)) == 0;
      if (power || thrice) numbers.push_back(m);
    }
    return numbers;
  }

  /// Sets the recommended number of segments and its errors, limited to what the options, the rows
  /// and the doubles in the range allow. Returns that limit.
  double recommend_within_limits(zcmoe_plan_candidate& c, const zcmoe_theory_recommendation& r,
                                 double fit_rows) const {
    const bool tied = is_tied();
    double limit = std::min(static_cast<double>(options_.max_segments), fit_rows);
    if (tied) limit = std::min(limit, static_cast<double>(rows_.distinct));
    if (segmentation_ == ZCMOE_PLAN_UNIFORM && rows_.lo < rows_.hi) {
      const auto wanted =
          static_cast<std::int64_t>(std::min(static_cast<double>(r.num_segments), limit));
      const std::int64_t possible = distinct_widths(wanted);
      if (possible < wanted) limit = static_cast<double>(possible);
    }
    c.num_segments =
        static_cast<std::int64_t>(std::min(static_cast<double>(r.num_segments), limit));
    c.lower = std::min(r.lower, limit);
    c.upper = std::min(r.upper, limit);
    c.approximation = rows_.scale_back(r.approximation);
    c.estimation = rows_.scale_back(r.estimation);
    const double ratio = static_cast<double>(r.num_segments) / limit;
    if (ratio > 1.0) {
      c.approximation *= ratio * ratio;
      c.estimation /= ratio;
    }
    const std::int64_t with_rows = level_near(c.num_segments).num_nonempty;
    const bool parts_all = tied && with_rows >= rows_.distinct;
    if (parts_all) {  // no segment holds two inputs, and each input learns from its own rows
      c.approximation = 0.0;
      c.estimation = c.fit.noise * static_cast<double>(rows_.distinct) /
                     (rows_.effective * fit_rows / static_cast<double>(rows_.all.size()));
    }
    c.excess = c.approximation + c.estimation;
    c.excess_lower = c.excess_upper = not_a_number;
    if (r.method == ZCMOE_THEORY_PARAMETRIC && !parts_all) {
      const double change = ratio > 1.0 ? c.excess / rows_.scale_back(r.excess) : 1.0;
      c.excess_lower = rows_.scale_back(r.excess_lower) * change;
      c.excess_upper = rows_.scale_back(r.excess_upper) * change;
    }
    c.risk = c.fit.noise + c.excess;
    return limit;
  }

  /// Sets the number of segments that the learned cuts ask for, and its errors; no interval of them
  /// is known. Returns the largest number there is.
  double recommend_learned(zcmoe_plan_candidate& c) const {
    c.method = ZCMOE_PLAN_PILOT;
    c.num_segments = learned_->num_segments;
    c.lower = c.upper = c.excess_lower = c.excess_upper = not_a_number;
    c.fit.noise = rows_.scale_back(learned_->noise);
    c.approximation = rows_.scale_back(learned_->approximation);
    c.estimation = rows_.scale_back(learned_->estimation);
    c.excess = c.approximation + c.estimation;
    c.risk = c.fit.noise + c.excess;
    return static_cast<double>(std::min(options_.max_segments, rows_.all.size()));
  }

  /// Whether the errors of m lines are asked for, and there are rows enough for them.
  bool knows_lines(std::int64_t m) const {
    return options_.lines != 0 && 3 * m <= rows_.all.size() && rows_.lo < rows_.hi;
  }

  /// Whether inputs repeat so often that more rows hardly bring new ones.
  bool is_tied() const { return 2 * rows_.distinct <= rows_.all.size(); }

  /// m, or where the range has too few doubles, about as many segments of equal width as it has
  /// room for.
  std::int64_t distinct_widths(std::int64_t m) const {
    const auto fits = [&] {
      const edge_table edges = distinct_uniform_edges(rows_.lo, rows_.hi, m);
      return static_cast<std::int64_t>(edges.size()) == m + 1;
    };
    while (m > 1 && !fits()) m -= 1 + m / 64;
    return m;
  }

  zcmoe_plug_in_options plug_in() const {
    zcmoe_plug_in_options options = ZCMOE_PLUG_IN_OPTIONS_INIT;
    options.uniform_mixture = options_.uniform_mixture;
    options.floor = options_.floor;
    options.min_count = 0;
    options.pilot_bins = options_.pilot_bins;
    return options;
  }

  model_policies fit_policies() const {
    zcmoe_model_options plain = ZCMOE_MODEL_OPTIONS_INIT;
    plain.closed_side = model_.closed_side;
    return model_policies(plain);
  }

  zcmoe_fit_options fit_options() const {
    zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
    options.weighted = rows_.weighted ? 1 : 0;
    return options;
  }

  const zcmoe_plan_level& level_near(std::int64_t m) const {
    return *std::min_element(levels_.begin(), levels_.end(), [&](const auto& a, const auto& b) {
      const auto apart = [&](const zcmoe_plan_level& l) {
        return std::abs(std::log(static_cast<double>(l.num_segments) / static_cast<double>(m)));
      };
      return apart(a) < apart(b);
    });
  }

  /// Checks the recommendation with the rows held out: compares their error with the one that is
  /// expected of tables learned from as many rows as these were.
  void check(zcmoe_plan_candidate& c) const {
    c.holdout_risk = c.holdout_expected = c.holdout_error = not_a_number;
    const zcmoe_plan_level& level = level_near(c.num_segments);
    c.checked_segments = level.num_segments;
    const part& out = rows_.held_out;
    if (out.size() == 0) return;
    const zcmoe_plan_level* least = &levels_.front();
    for (const zcmoe_plan_level& l : levels_) {
      if (l.holdout < least->holdout * (1.0 - 1e-12)) least = &l;
    }
    c.holdout_segments = least->num_segments;

    const level_cells& parts = cells_[static_cast<std::size_t>(&level - levels_.data())];
    const std::vector<double> constants = constants_of(parts.learned, edges_at(parts.cuts));
    const cell_moments& cells = parts.held_out;
    double_double weight;
    double_double squares;
    std::size_t row = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      for (std::int64_t k = 0; k < cells.counts[i]; ++k, ++row) {
        const double w = out.weights.empty() ? 1.0 : out.weights[row];
        const double e = out.y[row] - constants[i];
        const double d = e * e - level.holdout;
        weight = weight + w;
        squares = squares + w * w * d * d;
      }
    }
    c.holdout_risk = rows_.scale_back(level.holdout);
    c.holdout_error = rows_.scale_back(std::sqrt(squares.high) / weight.high);
    const double fewer =
        static_cast<double>(rows_.all.size()) / static_cast<double>(rows_.learned.size());
    c.holdout_expected = rows_.scale_back(level.within + (level.risk - level.within) * fewer);
    if (std::abs(c.holdout_risk - c.holdout_expected) >
        plan_tuning::disagreement * c.holdout_error) {
      c.warnings |= ZCMOE_PLAN_HOLDOUT_DISAGREES;
    }
  }

  edge_table edges_at(const std::vector<std::size_t>& cuts) const {
    edge_table edges;
    for (const std::size_t c : cuts) edges.push_back(edges_[c]);
    return edges;
  }

  /// The edges of the fine cells. Only the rows learned from place them, so that the held-out error
  /// is an honest one.
  edge_table fine_edges() {
    if (rows_.lo == rows_.hi) return single_value_edges(rows_.lo);
    const part& rows = rows_.learned;
    const zcmoe_array x = rows.column(rows.x);
    const zcmoe_array y = rows.column(rows.y);
    const zcmoe_array weights = rows.column(rows.weights);
    edge_table edges;
    switch (segmentation_) {
      case ZCMOE_PLAN_UNIFORM: return distinct_uniform_edges(rows_.lo, rows_.hi, finest_);
      case ZCMOE_PLAN_QUANTILE: edges = quantile_edges(x, weights, rows.size(), finest_); break;
      case ZCMOE_PLAN_COMPANDER:
        edges = plug_in_edges(x, y, weights, rows.size(), finest_, plug_in());
        break;
      default: edges = all_learned_edges(x, y, weights, rows.size());
    }
    edges.front() = std::min(edges.front(), rows_.lo);
    edges.back() = std::max(edges.back(), rows_.hi);
    return edges;
  }

  /// The learned edges of all levels in one table; those of each are kept in learned_edges_.
  edge_table all_learned_edges(const zcmoe_array& x, const zcmoe_array& y,
                               const zcmoe_array& weights, std::int64_t n) {
    const std::int64_t most = std::min(options_.max_segments, rows_.all.size());
    learned_cuts learned(read_samples(x, y, weights, n, rows_.lo, rows_.hi), most);
    if (n == rows_.all.size()) {
      learned_ = number_from(learned, most);
    } else {
      // All rows choose the number of segments, since a fit cuts by all of them.
      const part& all = rows_.all;
      learned_cuts of_all(read_samples(all.column(all.x), all.column(all.y),
                                       all.column(all.weights), all.size(), rows_.lo, rows_.hi),
                          most);
      learned_ = number_from(of_all, most);
    }
    std::set<double> inner;
    double last = rows_.lo;
    for (const std::int64_t m : numbers_of_segments()) {
      learned_edges_[m] = learned.edges(m);
      const edge_table& own = learned_edges_[m];
      inner.insert(own.begin() + 1, own.end() - 1);
      last = std::max(last, own.back());
      if (!knows_lines(m)) continue;
      edge_table& lines = learned_line_edges_[m];
      lines = learned.line_edges(m);
      lines.front() = std::min(lines.front(), rows_.lo);
      lines.back() = std::max(lines.back(), rows_.hi);
    }
    edge_table edges{rows_.lo};
    edges.insert(edges.end(), inner.begin(), inner.end());
    edges.push_back(last);
    return edges;
  }

  /// The best number of segments by cuts that are learned from all rows.
  learned_number number_from(learned_cuts& cuts, std::int64_t most) const {
    const auto all = static_cast<double>(rows_.all.size());
    const double growth =
        options_.fit_rows > 0 ? static_cast<double>(options_.fit_rows) / all : 1.0;
    return cuts.best_number(growth, most, rows_.precisions);
  }

  /// The moments of some rows in the fine cells, fitted by the engine.
  cell_moments fitted(const std::shared_ptr<backend>& engine, const part& rows) const {
    fit state(engine, edges_, fit_policies(), fit_options());
    if (rows.size() > 0) {
      state.add_sync(state.rows(rows.column(rows.x), rows.size()), rows.column(rows.y),
                     rows.column(rows.weights), nullptr);
    }
    return moments_of(state, rows);
  }

  /// The indices of the fine cells where cells of level m begin, and the number of fine cells.
  /// Unless cuts are learned, those of level m are among those of level 2m.
  std::vector<std::size_t> cuts_of(std::int64_t m) const {
    const std::size_t fine = edges_.size() - 1;
    std::vector<std::size_t> cuts{0};
    if (const auto own = learned_edges_.find(m); own != learned_edges_.end()) {
      for (std::size_t i = 1; i + 1 < own->second.size(); ++i) {
        const auto at = std::lower_bound(edges_.begin(), edges_.end(), own->second[i]);
        cuts.push_back(static_cast<std::size_t>(at - edges_.begin()));
      }
      cuts.push_back(fine);
      return cuts;
    }
    for (std::int64_t i = 1; i < m; ++i) {
      std::size_t cut;
      if (segmentation_ == ZCMOE_PLAN_QUANTILE) {
        // Ties may have left fewer fine cells than asked for, so cuts are at equal mass, not at
        // equal numbers of fine cells.
        const double target = learned_weight_ * (static_cast<double>(i) / static_cast<double>(m));
        cut = static_cast<std::size_t>(std::lower_bound(middles_.begin(), middles_.end(), target) -
                                       middles_.begin());
      } else {
        cut = static_cast<std::size_t>((2 * i * static_cast<std::int64_t>(fine) + m) / (2 * m));
      }
      if (cut > cuts.back() && cut < fine) cuts.push_back(cut);
    }
    cuts.push_back(fine);
    return cuts;
  }

  /// Makes level m from a level that has all of its cuts.
  level_cells coarser(const level_cells& from, std::int64_t m) const {
    const std::vector<std::size_t> cuts = cuts_of(m);
    std::vector<std::size_t> own;
    std::size_t at = 0;
    for (const std::size_t cut : cuts) {
      while (from.cuts[at] < cut) ++at;
      own.push_back(at);
    }
    level_cells cells = from.joined_at(own);
    cells.num_segments = m;
    cells.cuts = cuts;
    return cells;
  }

  /// Joins cells of the compander with fewer than min_count rows to their neighbours.
  void keep_full_cells(level_cells& cells) const {
    if (segmentation_ != ZCMOE_PLAN_COMPANDER || !(options_.min_count > 0)) return;
    std::vector<std::int64_t> below{0};
    for (std::size_t i = 0; i < cells.learned.size(); ++i) {
      below.push_back(below.back() + cells.learned.counts[i] + cells.held_out.counts[i]);
    }
    const std::vector<std::size_t> kept = cuts_kept(below, options_.min_count);
    if (kept.size() == below.size()) return;
    std::vector<std::size_t> cuts;
    cuts.reserve(kept.size());
    for (const std::size_t k : kept) cuts.push_back(cells.cuts[k]);
    const std::int64_t m = cells.num_segments;
    cells = cells.joined_at(kept);
    cells.num_segments = m;
    cells.cuts = std::move(cuts);
  }

  zcmoe_plan_level level_of(const level_cells& parts) const {
    cell_moments cells = together(parts.learned, parts.held_out);
    if (rows_.precisions) count_alike(cells);
    const edge_table edges = edges_at(parts.cuts);
    zcmoe_plan_level level{};
    level.num_segments = parts.num_segments;
    level.num_built = static_cast<std::int64_t>(cells.size());
    double_double within;
    double_double estimation;
    double_double covered;
    double_double total;
    std::vector<double> variances(cells.size(), 0.0);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (static_cast<double>(cells.counts[i]) < plan_tuning::full) ++level.num_starved;
      if (cells.counts[i] == 0) continue;
      ++level.num_nonempty;
      total = total + cells.weights[i];
      const double v = cells.variance(i);
      if (!(v >= 0)) continue;
      variances[i] = v;
      within = within + cells.weights[i] * v;
      // The share of a cell in new rows is not that in these, which makes v / N low: N - 1.
      const double of_one = cells.squares[i] / (cells.weights[i] * cells.weights[i]);  // 1 / N
      if (of_one < 1.0) estimation = estimation + cells.weights[i] * v * (of_one / (1.0 - of_one));
      covered = covered + cells.weights[i];
    }
    level.within = covered.high > 0 ? within.high / covered.high : not_a_number;
    level.risk = level.within + estimation.high / total.high;
    if (rows_.all.size() < 2) {
      level.leave_one_out = not_a_number;
    } else if (rows_.weighted) {
      level.leave_one_out = weighted_leave_one_out(cells, edges, rows_.all, model_);
    } else {
      const zcmoe_theory_table table{cells.counts.data(), cells.means.data(), variances.data(),
                                     edges.data(), level.num_built};
      level.leave_one_out = statistics_of(table, model_, 0.0).leave_one_out;
    }
    level.linear_leave_one_out = level.interpolate_leave_one_out = not_a_number;
    if (knows_lines(parts.num_segments)) {
      const bool own_cuts = segmentation_ == ZCMOE_PLAN_OPTIMAL;
      const line_errors errors = leave_one_out_of_lines(
          rows_.all, own_cuts ? learned_line_edges_.at(parts.num_segments) : edges,
          model_.closed_side);
      level.linear_leave_one_out = errors.linear;
      level.interpolate_leave_one_out = errors.interpolate;
    }
    level.holdout = not_a_number;
    if (rows_.held_out.size() > 0) {
      const std::vector<double> constants = constants_of(parts.learned, edges);
      const cell_moments& out = parts.held_out;
      double_double error;
      double_double weight;
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (out.counts[i] == 0) continue;
        const double d = out.means[i] - constants[i];
        error = error + out.scatters[i] + out.weights[i] * d * d;
        weight = weight + out.weights[i];
      }
      level.holdout = error.high / weight.high;
    }
    return level;
  }

  /// The constants that a model with these cells has.
  std::vector<double> constants_of(const cell_moments& cells, const edge_table& edges) const {
    std::vector<slot_summary> summaries(
        num_slots_of(cells.size()),
        slot_summary{0, 0.0, 0.0, not_a_number, not_a_number, not_a_number, not_a_number});
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells.counts[i] == 0) continue;
      // Means need neither the effective count nor the standard error.
      summaries[i] = {cells.counts[i],   cells.weights[i], not_a_number, cells.means[i],
                      cells.variance(i), not_a_number,     not_a_number};
    }
    std::vector<double> constants =
        model_data_of(edges, policies_, summaries, ZCMOE_F64, rows_.weighted).constants;
    constants.resize(cells.size());
    return constants;
  }

  const plan_rows& rows_;
  zcmoe_model_options model_;
  const zcmoe_plan_options& options_;
  model_policies policies_;
  int segmentation_;
  std::int64_t finest_;
  edge_table edges_;
  std::map<std::int64_t, edge_table> learned_edges_;       // by number of segments; OPTIMAL
  std::map<std::int64_t, edge_table> learned_line_edges_;  // likewise, for lines
  std::optional<learned_number> learned_;                  // OPTIMAL, unless there is one input
  // For each fine cell the weight of the rows learned from below it, and half of its own.
  std::vector<double> middles_;
  double learned_weight_ = 0.0;
  std::vector<zcmoe_plan_level> levels_;
  std::vector<level_cells> cells_;  // the cells of each level
};

/// The least error of a kind of a candidate's levels.
double least_error(const zcmoe_plan_candidate& c, double zcmoe_plan_level::*error) {
  double least = infinity;
  for (std::int64_t i = 0; i < c.num_levels; ++i) least = std::fmin(least, c.levels[i].*error);
  return least;
}

}  // namespace

std::unique_ptr<zcmoe_plan_result> plan_of(const std::shared_ptr<backend>& engine,
                                           const zcmoe_array& x, const zcmoe_array& y,
                                           const zcmoe_array& weights, std::int64_t n,
                                           const zcmoe_model_options& model,
                                           const zcmoe_plan_options& options) {
  const plan_rows rows = read_rows(x, y, weights, n, model.weights_kind, options);
  zcmoe_model_options scaled = model;
  scaled.feature_name = scaled.target_name = nullptr;
  scaled.empty_value = std::ldexp(model.empty_value, -rows.target_exponent);
  scaled.shrinkage = std::ldexp(model.shrinkage, -rows.weight_exponent);
  if (scaled.empty_policy == ZCMOE_EMPTY_NAN) scaled.empty_policy = ZCMOE_EMPTY_NEAREST;
  scaled.constants = ZCMOE_CONSTANTS_MEAN;
  auto made = std::make_unique<zcmoe_plan_result>();
  zcmoe_plan_result& result = *made;
  result.rows = n;
  result.rows_used = rows.all.size();
  result.fit_rows = options.fit_rows > 0 ? options.fit_rows : rows.all.size();
  result.effective_rows = rows.effective;
  result.distinct_inputs = rows.distinct;
  result.lo = rows.lo;
  result.hi = rows.hi;
  for (int s = 0; s < ZCMOE_PLAN_SEGMENTATIONS; ++s) {
    zcmoe_plan_candidate& c = result.candidates[s];
    segmentation_levels(engine, rows, scaled, options, s).fill(c);
    result.warnings |= c.warnings;
    // Leave-one-out errors of the same rows share their noise, so they can be compared.
    const auto compare = [&](std::int64_t& best, double zcmoe_plan_level::*error) {
      if (least_error(c, error) < least_error(result.candidates[best], error)) best = s;
    };
    compare(result.best, &zcmoe_plan_level::leave_one_out);
    compare(result.best_linear, &zcmoe_plan_level::linear_leave_one_out);
    compare(result.best_interpolate, &zcmoe_plan_level::interpolate_leave_one_out);
  }
  result.noise = result.candidates[result.best].fit.noise;
  result.noise_error = result.candidates[result.best].fit.noise_error;
  result.rice = rows.all.size() < 2 ? not_a_number
                : rows.precisions   ? rows.scale_back(rice_of_precisions(rows.all))
                                    : rows.scale_back(rice(rows.all.y.data(), rows.all.size()));
  return made;
}

}  // namespace zcmoe::detail
