#include "host/learning/learn.hpp"

#include "host/learning/axes.hpp"
#include "host/learning/cost.hpp"
#include "host/learning/grid.hpp"
#include "host/learning/link_score.hpp"
#include "host/learning/oblique.hpp"
#include "host/learning/segments.hpp"
#include "host/learning/table_sum.hpp"
#include "host/learning/trees.hpp"
#include "host/learning/usable_rows.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <numeric>

namespace zcmoe::detail {
namespace {

constexpr int judging_part = 0;
constexpr std::int64_t cuts_of_axis = ZCMOE_MAX_AXIS_SEGMENTS - 1;
constexpr std::int64_t least_judges = 20;  // fewer rows held out say nothing of kinds
constexpr int most_trees = 4;
constexpr int most_grid_axes = 6;  // of grids that are tried unasked
constexpr std::int64_t most_grid_cells = 1 << 20;
constexpr std::int64_t most_leaves = 1 << 16;
// A node of an oblique tree has sums over axes of its own.
constexpr std::int64_t most_oblique_leaves = 1 << 12;

const double not_tried = std::numeric_limits<double>::quiet_NaN();

/// The most segments of an axis that are tried when there is a budget, beside those that are asked
/// for: those of a quarter of the bytes and of the time, and fewer.
constexpr std::int64_t narrower_axes[] = {125, 61, 29, 13};

/// What judging finds of a kind.
struct sizes {
  std::int64_t axis_segments = 0;
  bool limited = false;  // a budget leaves room for a part only
  tree_plan trees;
  std::int64_t score_segments = 0;  // 0: not judged
  bool links = false;               // the score is that of a link
  std::int64_t grid_cells = 0;
  tree_options single_tree{1};
};

class learner {
 public:
  learner(backend& engine, backend& host, const zcmoe_points& x, const zcmoe_array& y,
          const zcmoe_array& weights, std::int64_t n, const zcmoe_learn_options& options,
          zcmoe_learn_report& report)
      : engine_(engine),
        x_(x),
        columns_(engine, x, n),
        y_(y),
        weights_(weights),
        n_(n),
        options_(options),
        report_(report) {
    constexpr double all = std::numeric_limits<double>::infinity();
    budget_.ns = options.budget_ns > 0.0 ? options.budget_ns : all;
    budget_.bytes =
        options.budget_bytes > 0 ? options.budget_bytes : std::numeric_limits<std::int64_t>::max();
    run_ = [this, run = parts_on(host)](std::int64_t parts,
                                        const std::function<void(std::int64_t)>& body) {
      go_on();
      run(parts, body);
    };
    now_.axis_segments = ZCMOE_MAX_FINE_SEGMENTS;
    read();
  }

  points_data learn() {
    for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind)
      candidate(kind) = {kind, 0, not_tried, 0, 0, 0, 0.0};
    judge();
    const std::int32_t kind = chosen();
    candidate(kind).chosen = 1;
    reach(0.7, 0.95);
    points_data learned = finished_within_budget(kind);
    describe(kind, learned.tables.axes, learned.tables.banks, learned.tables.head.num_segments(),
             !learned.tables.head.thresholds.empty());
    done_ = 1.0;
    report_progress();
    return learned;
  }

 private:
  zcmoe_learn_candidate& candidate(std::int32_t kind) {
    return report_.candidates[kind - ZCMOE_PARTITION_TABLES];
  }
  /// Whoever asks for a number of segments asks for a kind that has some. Oblique trees take longer
  /// to learn and to answer than what they are mostly beaten by.
  bool wanted(std::int32_t kind) const {
    if (options_.partition != ZCMOE_PARTITION_AUTO) return options_.partition == kind;
    if (kind == ZCMOE_PARTITION_OBLIQUE) return false;
    return options_.num_segments == 0 || kind != ZCMOE_PARTITION_TABLES;
  }

  /// Asked before every pass. How many passes there will be is not known: each takes a part of what
  /// is left until the next milestone.
  void go_on() {
    constexpr double part = 0.03;
    done_ += part * (until_ - done_);
    report_progress();
  }
  void reach(double done, double next) {
    done_ = done;
    until_ = next;
  }
  void report_progress() const {
    if (options_.progress != nullptr && options_.progress(options_.user, done_) != 0)
      fail(ZCMOE_ERR_CANCELLED, "options->progress said to stop");
  }

  // ------------------------------------------------------------- rows

  /// How the caller wants an input cut.
  zcmoe_axis_options asked(std::int64_t j) const {
    zcmoe_axis_options axis{0, options_.nan_policy, options_.range_policy};
    if (options_.axes != nullptr) axis = options_.axes[j];
    if (axis.axis_segments == 0) axis.axis_segments = options_.axis_segments;
    if (axis.axis_segments == 0) axis.axis_segments = ZCMOE_MAX_AXIS_SEGMENTS;
    return axis;
  }

  void read() {
    const auto [used, hashes, counts] =
        find_usable(columns_, y_, weights_, n_, nan_codes_of(options_, x_.num_inputs), run_);
    counts.check_used();
    counts.tell(report_);
    report_.rows_kept = report_.rows_used;
    report_.sample_share = 1.0;
    cut_axes(used);
    reach(0.1, 0.35);
    std::vector<std::uint8_t> codes = encode(used);
    std::vector<double> targets;
    std::vector<std::uint64_t> kept;
    targets.reserve(static_cast<std::size_t>(report_.rows_used));
    kept.reserve(static_cast<std::size_t>(report_.rows_used));
    std::vector<double> weights;
    const bool weighted = weights_.data != nullptr;
    if (weighted) weights.reserve(static_cast<std::size_t>(report_.rows_used));
    const any_array from = any(y_);
    const any_array weighing = any(weights_);
    for (std::int64_t i = 0; i < n_; ++i) {
      if (used[static_cast<std::size_t>(i)] == 0) continue;
      targets.push_back(from[i]);
      if (weighted) weights.push_back(weighing[i]);
      kept.push_back(hashes[static_cast<std::size_t>(i)]);
    }
    std::vector<std::int32_t> num_slots;
    num_slots.reserve(axes_.size());
    for (const input_axis& a : axes_) num_slots.push_back(static_cast<std::int32_t>(a.num_slots()));
    rows_ = rows_of(targets.data(), weights, report_.rows_used, std::move(num_slots),
                    std::move(codes), std::move(kept));
    coarse_rows_ = {};
    if (options_.partition != ZCMOE_PARTITION_SCORE ||
        places_.num_columns == static_cast<std::int32_t>(axes_.size()))
      return;
    coarse_rows_ = rows_;
    for (std::size_t a = 1; a < axes_.size(); ++a) {
      if (places_.column[a] != places_.column[a - 1]) continue;
      const auto first = coarse_rows_.codes.begin() + static_cast<std::ptrdiff_t>(a) * rows_.n;
      std::fill(first, first + rows_.n, std::uint8_t{0});
    }
  }

  /// For tables and trees, to which several axes of one input would be inputs of their own, each
  /// telling what the others do: only the first of these has codes.
  const coded_rows& coarse_rows() const { return coarse_rows_.n > 0 ? coarse_rows_ : rows_; }

  void cut_axes(const std::vector<std::uint8_t>& used) {
    axes_.clear();
    std::vector<double> values;
    for (std::int64_t j = 0; j < x_.num_inputs; ++j) {
      go_on();
      values.clear();
      const any_array from = columns_.read(j);
      const zcmoe_axis_options cuts_asked = asked(j);
      bool missing = false;
      for (std::int64_t i = 0; i < n_; ++i) {
        if (used[static_cast<std::size_t>(i)] == 0) continue;
        const double value = from[i];
        missing = missing || std::isnan(value);
        if (std::isfinite(value)) values.push_back(value);
      }
      std::vector<double> cuts =
          axis_edges(values, std::min({cuts_asked.axis_segments, now_.axis_segments,
                                       ZCMOE_MAX_INPUTS / x_.num_inputs * cuts_of_axis + 1}));
      // One value tells nothing by itself, but where others are missing.
      if (cuts.empty() && missing && !values.empty())
        cuts = {values[0], std::nextafter(values[0], std::numeric_limits<double>::infinity())};
      if (cuts.empty() || !std::isfinite(cuts.back())) continue;
      // Cuts are dealt out to as many axes as it takes: the sum of their codes counts all of them.
      const std::size_t num_cuts = cuts.size() - 2;
      const std::size_t num_axes = std::max<std::size_t>(
          1, (num_cuts + cuts_of_axis - 1) / static_cast<std::size_t>(cuts_of_axis));
      for (std::size_t a = 0; a < num_axes; ++a) {
        std::vector<double> edges(1, cuts.front());
        for (std::size_t c = a; c < num_cuts; c += num_axes) edges.push_back(cuts[c + 1]);
        edges.push_back(cuts.back());
        axes_.push_back({static_cast<std::int32_t>(j), std::move(edges), ZCMOE_CLOSED_LEFT, 1,
                         cuts_asked.nan_policy, cuts_asked.range_policy});
      }
    }
    places_ = places_of(axes_);
  }

  /// The codes of the rows that are used, axis by axis.
  std::vector<std::uint8_t> encode(const std::vector<std::uint8_t>& used) {
    const auto n = static_cast<std::size_t>(n_);
    std::vector<std::uint8_t> codes(axes_.size() * n);
    if (axes_.empty()) return codes;
    bank_tables cuts;
    cuts.num_inputs = static_cast<std::int32_t>(x_.num_inputs);
    cuts.axes = axes_;
    const auto tables = engine_.make_evaluator(cuts, nullptr);
    std::vector<any_array> columns;
    columns.reserve(axes_.size());
    for (const input_axis& a : axes_) {
      columns.push_back(
          any(x_.columns[a.input], pivot_of(a.edges.data(), a.num_segments(), a.closed_side)));
    }
    go_on();
    engine_.encode_sync({tables.get(), columns.data(), n_, codes.data(), n_}, nullptr);
    if (report_.rows_used == n_) return codes;
    std::size_t to = 0;
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      for (std::size_t i = 0; i < n; ++i) {
        if (used[i] != 0) codes[to++] = codes[a * n + i];
      }
    }
    codes.resize(to);
    codes.shrink_to_fit();
    return codes;
  }

  table_sum tables_from(row_choice train, const model_room& room = {}) const {
    return learn_tables(coarse_rows(), train, max_pairs(), run_, room,
                        [this](const pass_rows& rows, const run_parts& run) {
                          auto own = engine_.make_row_passes(rows, run);
                          return own != nullptr ? std::move(own) : make_host_passes(rows, run);
                        });
  }

  // --------------------------------------------------------- judging

  row_choice training() const { return {judging_part, false}; }

  /// Tries the wanted kinds on the rows that are not held out, and writes their errors on those
  /// that are.
  void judge() {
    std::int64_t sum = 0;
    std::int64_t trained = 0;
    std::int64_t trained_weight = 0;
    for (std::size_t i = 0; i < rows_.y.size(); ++i) {
      if (rows_.part[i] == judging_part) {
        ++report_.rows_held_out;
        held_out_weight_ += rows_.weight(i);
      } else {
        sum += rows_.weight(i) * rows_.y[i];
        trained_weight += rows_.weight(i);
        ++trained;
      }
    }
    if (report_.rows_held_out < least_judges || trained < least_judges) {
      report_.rows_held_out = 0;
      report_.held_out_variance = not_tried;
      return;
    }
    const std::int64_t mean = sum / trained_weight;
    report_.held_out_variance = held_out_error([&](std::size_t i) { return rows_.y[i] - mean; });

    judge_kinds([this](std::int32_t kind) { return wanted(kind); });
    if (has_budget()) meet_budget();
  }

  template <class Tried>
  void judge_kinds(const Tried& tried) {
    const bool tables = tried(ZCMOE_PARTITION_TABLES);
    const bool score = tried(ZCMOE_PARTITION_SCORE);
    const bool grid = tried(ZCMOE_PARTITION_GRID);
    table_sum pilot;
    if (grid || (!now_.limited && (tables || score))) pilot = tables_from(training());
    reach(0.35, 0.65);
    if (grid) judge_grids(pilot);
    if (now_.limited) {
      for (const std::int32_t kind : {ZCMOE_PARTITION_TABLES, ZCMOE_PARTITION_SCORE}) {
        if (!tried(kind)) continue;
        const model_room room = room_for(kind);
        judge_sums(kind == ZCMOE_PARTITION_TABLES, kind == ZCMOE_PARTITION_SCORE,
                   tables_from(training(), room), room);
      }
    } else if (tables || score) {
      judge_sums(tables, score, std::move(pilot), {});
    }
    if (score && options_.partition == ZCMOE_PARTITION_SCORE) judge_link();
    reach(0.65, 0.7);
    for (const std::int32_t kind : {ZCMOE_PARTITION_TREE, ZCMOE_PARTITION_OBLIQUE}) {
      if (tried(kind)) judge_single_tree(kind);
    }
  }

  void judge_sums(bool tables, bool score, table_sum sum, model_room room) {
    for (const bank& b : sum.banks) room.spend(b);
    const std::vector<std::int64_t> rest = residuals_of(sum, rows_, run_);
    std::vector<std::int64_t> least_left;
    double least = not_tried;
    // Where there is not room for many large trees few of them may do better.
    for (int most = most_trees; most >= 1; most /= 2) {
      std::vector<std::int64_t> left = rest;
      tree_plan plan = judge_trees(coarse_rows(), training(), most, left, run_, room);
      const double error = held_out_error([&](std::size_t i) { return left[i]; });
      if (!(error >= least)) {
        least = error;
        least_left = std::move(left);
        now_.trees = std::move(plan);
      }
      if (!room.is_limited()) break;
    }
    sum.banks.insert(sum.banks.end(), now_.trees.banks.begin(), now_.trees.banks.end());
    if (tables) try_kind(ZCMOE_PARTITION_TABLES, least, sum.banks, 0, false);
    if (score) judge_scores(least_left, sum.banks);
  }

  // ---------------------------------------------------------- the budget

  bool has_budget() const { return options_.budget_ns > 0.0 || options_.budget_bytes > 0; }
  bool fits(const model_cost& cost) const {
    return cost.ns <= budget_.ns && cost.bytes <= budget_.bytes;
  }
  bool fits(const zcmoe_learn_candidate& tried) const {
    return fits(model_cost{tried.ns, tried.bytes});
  }

  /// For the banks of a model of this kind. Those of all rows may be a little larger than those
  /// that were judged.
  model_room room_for(std::int32_t kind) const {
    if (!now_.limited) return {};
    model_cost most = budget_;
    if (!is_judged_) most = {0.97 * most.ns, most.bytes - most.bytes / 32};
    if (kind == ZCMOE_PARTITION_SCORE) {
      const model_cost of_head = cost_of_segments(least_score_segments(), true);
      most.ns -= of_head.ns;
      most.bytes -= of_head.bytes;
    }
    return model_room(most, axes_, is_tree(kind));
  }

  void describe(std::int32_t kind, const std::vector<input_axis>& axes,
                const std::vector<bank>& banks, std::int64_t num_segments, bool by_thresholds) {
    zcmoe_learn_candidate& of_kind = candidate(kind);
    const model_cost cost = cost_of(axes, banks, num_segments, by_thresholds);
    of_kind.num_banks = static_cast<std::int64_t>(banks.size());
    of_kind.num_segments = num_segments;
    of_kind.bytes = cost.bytes;
    of_kind.ns = cost.ns;
  }

  /// Takes a model of the rows that train as the best of its kind if it errs less than those before
  /// and, where room is limited, fits.
  void try_kind(std::int32_t kind, double error, const std::vector<bank>& banks,
                std::int64_t num_segments, bool by_thresholds) {
    zcmoe_learn_candidate& best = candidate(kind);
    if (now_.limited) {
      const bool looks = std::any_of(banks.begin(), banks.end(),
                                     [](const bank& b) { return !b.axes.empty() || b.is_tree(); });
      if (!looks || !fits(cost_of(axes_, banks, num_segments, by_thresholds))) return;
    }
    if (error >= best.held_out_error) return;
    best.held_out_error = error;
    describe(kind, axes_, banks, num_segments, by_thresholds);
    found_[kind - ZCMOE_PARTITION_TABLES] = now_;
  }

  /// Judges kinds that do not fit anew, smaller: first with all segments of the axes, then with
  /// fewer as long as the axes are a fair part of the budget.
  void meet_budget() {
    bool misses[ZCMOE_NUM_PARTITIONS + 1] = {};
    bool any = false;
    for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
      zcmoe_learn_candidate& tried = candidate(kind);
      misses[kind] = wanted(kind) && !std::isnan(tried.held_out_error) && !fits(tried);
      any = any || misses[kind];
      if (misses[kind]) tried = {kind, 0, not_tried, 0, 0, 0, 0.0};
    }
    if (!any) return;
    const auto again = [&] {
      now_.limited = true;
      judge_kinds([&](std::int32_t kind) { return misses[kind]; });
    };
    again();
    for (const std::int64_t segments : narrower_axes) {
      model_cost of_axes;
      std::int64_t widest = 0;
      for (const input_axis& a : axes_) {
        of_axes += cost_of_axis(a);
        widest = std::max(widest, a.num_segments());
      }
      if (segments >= widest) continue;
      if (of_axes.ns <= 0.25 * budget_.ns && of_axes.bytes <= budget_.bytes / 4) break;
      now_.axis_segments = segments;
      read();
      again();
    }
  }

  [[noreturn]] void fail_within_budget() const {
    // The least that looks at an input: one of them, cut once.
    model_cost least{std::numeric_limits<double>::infinity(),
                     std::numeric_limits<std::int64_t>::max()};
    const std::int32_t kind = options_.partition;
    const bool segments = kind > ZCMOE_PARTITION_TABLES || options_.num_segments > 0;
    for (const input_axis& a : axes_) {
      const input_axis cut{a.input,      {0.0, 1.0, 2.0}, a.closed_side, a.include_outer_edge,
                           a.nan_policy, a.range_policy};
      bank table;
      table.axes.push_back(
          {0, std::vector<std::int32_t>(static_cast<std::size_t>(cut.num_slots()))});
      table.constants.resize(2);
      const model_cost cost =
          cost_of({cut}, {table}, segments ? 2 : 0, kind == ZCMOE_PARTITION_SCORE);
      least.ns = std::min(least.ns, cost.ns);
      least.bytes = std::min(least.bytes, cost.bytes);
    }
    if (axes_.empty()) least = cost_of_answers();
    fail(ZCMOE_ERR_INVALID_ARGUMENT,
         "no model that was tried is within options->budget_ns=", options_.budget_ns,
         " and options->budget_bytes=", options_.budget_bytes,
         " (0: no limit): the least that looks at an input takes ", std::setprecision(3), least.ns,
         " ns a row and ", least.bytes, " bytes");
  }

  /// Of the sizes that did best.
  points_data finished_within_budget(std::int32_t kind) {
    const bool judged = report_.rows_held_out > 0;
    is_judged_ = true;
    if (judged && !std::isnan(candidate(kind).held_out_error)) {
      const std::int64_t segments = now_.axis_segments;
      now_ = found_[kind - ZCMOE_PARTITION_TABLES];
      if (now_.axis_segments != segments) read();
    } else if (judged && now_.limited) {
      fail_within_budget();
    }
    points_data learned = finished(kind);
    if (!has_budget() || fits(cost_of(learned.tables))) return learned;
    // All rows make another model than those that train, which may be a little larger.
    const bool looks = !learned.tables.banks.empty();
    now_.limited = true;
    learned = finished(kind);
    if ((looks && learned.tables.banks.empty()) || !fits(cost_of(learned.tables)))
      fail_within_budget();
    return learned;
  }

  static model_cost cost_of(const bank_tables& tables) {
    return detail::cost_of(tables.axes, tables.banks, tables.head.num_segments(),
                           !tables.head.thresholds.empty());
  }
  static model_cost cost_of(const std::vector<input_axis>& axes, const std::vector<bank>& banks,
                            std::int64_t num_segments, bool by_thresholds) {
    return detail::cost_of(axes, banks, num_segments, by_thresholds);
  }

  std::int64_t trained_rows() const { return report_.rows_kept - report_.rows_held_out; }

  /// The mean targets of segments in units of y, from the rows that train; by the segment of each
  /// row, which is a number below num_segments. Those of no row are marked in `weights`.
  struct segment_sums {
    std::vector<std::int64_t> weights;
    std::vector<std::int64_t> sums;
  };
  template <class Segment>
  segment_sums sums_by(const Segment& segment_of, std::int64_t num_segments,
                       row_choice choice) const {
    segment_sums by;
    by.weights.resize(static_cast<std::size_t>(num_segments));
    by.sums.resize(static_cast<std::size_t>(num_segments));
    for (std::size_t i = 0; i < rows_.part.size(); ++i) {
      if (!choice.takes(rows_.part[i])) continue;
      const auto segment = static_cast<std::size_t>(segment_of(i));
      by.weights[segment] += rows_.weight(i);
      by.sums[segment] += rows_.weight(i) * rows_.y[i];
    }
    return by;
  }

  /// Of segments whose constants are given in the units of the caller's targets.
  template <class Segment>
  double error_of_constants(const Segment& segment_of, const std::vector<double>& constants) const {
    std::vector<std::int64_t> whole;
    whole.reserve(constants.size());
    for (const double c : constants) whole.push_back(std::llround(std::ldexp(c, -rows_.exponent)));
    return held_out_error(
        [&](std::size_t i) { return rows_.y[i] - whole[static_cast<std::size_t>(segment_of(i))]; });
  }

  /// Of segments of scores, those without training rows taking the constant of the nearest.
  template <class Segment>
  double error_of_segments(const Segment& segment_of, std::int64_t num_segments) const {
    const segment_sums by = sums_by(segment_of, num_segments, training());
    std::vector<double> means(by.weights.size(), not_tried);
    double last = 0.0;
    for (std::size_t s = 0; s < means.size(); ++s) {
      if (by.weights[s] > 0)
        last = std::ldexp(static_cast<double>(by.sums[s]) / static_cast<double>(by.weights[s]),
                          rows_.exponent);
      means[s] = last;
    }
    return error_of_constants(segment_of, means);
  }

  static std::size_t segment_in(const std::vector<std::int64_t>& thresholds, std::int64_t score) {
    return static_cast<std::size_t>(std::upper_bound(thresholds.begin(), thresholds.end(), score) -
                                    thresholds.begin());
  }

  void judge_scores(const std::vector<std::int64_t>& left, const std::vector<bank>& banks) {
    std::vector<std::int64_t> scores(rows_.y.size());
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = (rows_.y[i] - left[i]) >> rows_.constant_shift;
    const score_order order(scores, rows_, training());
    judge_thresholds(scores, order, banks);
  }

  /// The score of a link is taken only where it errs less by more than chance makes of as many
  /// rows: it has more to go wrong than a sum.
  void judge_link() {
    const link_score link(rows_, places_.column, training(), run_);
    zcmoe_learn_candidate& best = candidate(ZCMOE_PARTITION_SCORE);
    const double of_sums = best.held_out_error;
    const double bar =
        of_sums * (1.0 - 1.0 / std::sqrt(static_cast<double>(report_.rows_held_out)));
    best.held_out_error = bar;
    now_.links = true;
    judge_thresholds(link.scores(), link, link.banks());
    now_.links = false;
    if (best.held_out_error == bar) best.held_out_error = of_sums;
  }

  /// Of scores with an order that gives the thresholds of any number of segments.
  template <class Order>
  void judge_thresholds(const std::vector<std::int64_t>& scores, const Order& order,
                        const std::vector<bank>& banks) {
    const auto attempt = [&](std::int64_t m) {
      const std::vector<std::int64_t> thresholds = order.thresholds(m);
      const auto segments = static_cast<std::int64_t>(thresholds.size()) + 1;
      now_.score_segments = m;
      try_kind(ZCMOE_PARTITION_SCORE,
               error_of_segments([&](std::size_t i) { return segment_in(thresholds, scores[i]); },
                                 segments),
               banks, segments, true);
    };
    if (options_.num_segments > 0) return attempt(options_.num_segments);
    for (std::int64_t m = least_score_segments(); m <= 1024; m *= 2) {
      if (m == least_score_segments() || m <= trained_rows() / 8) attempt(m);
    }
  }
  std::int64_t least_score_segments() const {
    return options_.num_segments > 0 ? options_.num_segments : 64;
  }

  void judge_grids(const table_sum& pilot) {
    if (options_.partition == ZCMOE_PARTITION_AUTO && rows_.num_axes() > most_grid_axes) return;
    const axis_slopes slopes = slopes_of(pilot.banks, rows_, training(), run_);
    const auto attempt = [&](std::int64_t m) {  // whether rows reach a fair part of the cells
      const bank grid = fitting_grid(slopes, m);
      const std::vector<std::int64_t> cells = scores_of({grid}, rows_, run_);
      const auto cell_of_row = [&](std::size_t i) { return cells[i]; };
      const segment_sums by =
          sums_by(cell_of_row, static_cast<std::int64_t>(grid.constants.size()), training());
      const double error = error_of_constants(cell_of_row, means_of_cells(grid, by));
      now_.grid_cells = m;
      try_kind(ZCMOE_PARTITION_GRID, error, {grid},
               static_cast<std::int64_t>(grid.constants.size()), false);
      const auto empty = std::count(by.weights.begin(), by.weights.end(), std::int64_t{0});
      return static_cast<std::int64_t>(by.weights.size()) >= 8 * empty / 7;
    };
    if (options_.num_segments > 0) {
      attempt(options_.num_segments);
      return;
    }
    // Where most cells have no rows, more of them say nothing more.
    const std::int64_t few = now_.limited ? 2 : 16;
    for (std::int64_t m = few; m <= most_grid_cells && (m <= 16 || m <= trained_rows() / 2);
         m *= m < 16 ? 2 : 4) {
      if (!attempt(m)) break;
    }
  }

  /// Of at most so many cells, and fewer where there is no room for them.
  bank fitting_grid(const axis_slopes& slopes, std::int64_t num_cells) const {
    for (;; num_cells = num_cells / 4 * 3 + num_cells % 4 / 2) {
      bank grid = grid_of(slopes, rows_, num_cells);
      const auto cells = static_cast<std::int64_t>(grid.constants.size());
      if (!now_.limited || num_cells < 2 || fits(cost_of(axes_, {grid}, cells, false))) return grid;
    }
  }

  /// A tree whose leaves are segments, and their constants: the tree's own, which are shrunk means.
  struct tree_of_segments {
    bank leaves;
    std::vector<double> constants;
  };
  tree_of_segments tree_from(std::int32_t kind, row_choice train) const {
    const centred_targets targets = centred();
    bank tree = learn_tree(rows_, train, targets.y, now_.single_tree, run_, room_for(kind));
    tree_of_segments made;
    made.constants.reserve(tree.constants.size());
    for (const std::int32_t c : tree.constants) {
      const std::int64_t value =
          targets.centre + std::int64_t{c} * (std::int64_t{1} << rows_.constant_shift);
      made.constants.push_back(std::ldexp(static_cast<double>(value), rows_.exponent));
    }
    made.leaves = numbered(std::move(tree));
    return made;
  }

  /// A tree's constants are small numbers of units of the deviation of y, of which its mean may be
  /// many.
  struct centred_targets {
    std::int64_t centre;
    std::vector<std::int64_t> y;
  };
  centred_targets centred() const {
    centred_targets targets{0, rows_.y};
    for (std::size_t i = 0; i < targets.y.size(); ++i)
      targets.centre += rows_.weight(i) * targets.y[i];
    targets.centre /= rows_.total_weight();
    for (std::int64_t& y : targets.y) y -= targets.centre;
    return targets;
  }

  static bool is_tree(std::int32_t kind) {
    return kind == ZCMOE_PARTITION_TREE || kind == ZCMOE_PARTITION_OBLIQUE;
  }
  const axis_places* places_for(std::int32_t kind) const {
    return kind == ZCMOE_PARTITION_OBLIQUE ? &places_ : nullptr;
  }

  void judge_single_tree(std::int32_t kind) {
    now_.single_tree = judge_tree(rows_, training(), most_tree_leaves(kind), centred().y, run_,
                                  room_for(kind), places_for(kind));
    if (options_.num_segments > 0) now_.single_tree.max_leaves = options_.num_segments;
    const tree_of_segments tree = tree_from(kind, training());
    const std::vector<std::int64_t> leaf = scores_of({tree.leaves}, rows_, run_);
    try_kind(kind, error_of_constants([&](std::size_t i) { return leaf[i]; }, tree.constants),
             {tree.leaves}, static_cast<std::int64_t>(tree.constants.size()), false);
  }
  std::int64_t most_tree_leaves(std::int32_t kind) const {
    if (options_.num_segments > 0) return options_.num_segments;
    return kind == ZCMOE_PARTITION_OBLIQUE ? most_oblique_leaves : most_leaves;
  }

  std::vector<double> means_of_cells(const bank& grid, const segment_sums& by) const {
    std::vector<double> means(by.weights.size(), 0.0);
    for (std::size_t cell = 0; cell < means.size(); ++cell) {
      if (by.weights[cell] > 0)
        means[cell] =
            std::ldexp(static_cast<double>(by.sums[cell]) / static_cast<double>(by.weights[cell]),
                       rows_.exponent);
    }
    fill_empty_cells(grid, by.weights, by.sums, rows_, means);
    return means;
  }

  /// The wanted kind with the least error; the first of them where nothing could be judged.
  std::int32_t chosen() {
    std::int32_t best = 0;
    for (std::int32_t kind = ZCMOE_PARTITION_TABLES; kind <= ZCMOE_NUM_PARTITIONS; ++kind) {
      if (!wanted(kind)) continue;
      if (best == 0 || candidate(kind).held_out_error < candidate(best).held_out_error ||
          (std::isnan(candidate(best).held_out_error) &&
           !std::isnan(candidate(kind).held_out_error)))
        best = kind;
    }
    return best;
  }

  // ---------------------------------------------------------- the model

  /// Learns the kind from all rows.
  points_data finished(std::int32_t kind) {
    table_sum sum;
    head answers;
    std::vector<std::int64_t> scores;
    if (is_tree(kind)) {
      answers = finish_tree(kind, sum, scores);
    } else if (kind == ZCMOE_PARTITION_GRID) {
      answers = finish_grid(sum, scores);
    } else {
      answers = finish_sum(kind, sum, scores);
    }
    points_data learned;
    learned.partition = kind;
    learned.num_rows = rows_.n;
    learned.noise_variance = distance_of(sum, answers, scores);
    learned.tables = without_idle_axes(std::move(sum.banks), std::move(answers));
    return learned;
  }

  head finish_tree(std::int32_t kind, table_sum& sum, std::vector<std::int64_t>& scores) {
    now_.single_tree.places = places_for(kind);
    if (report_.rows_held_out == 0) {  // nothing was judged
      now_.single_tree.max_leaves = most_tree_leaves(kind);
      now_.single_tree.penalty = options_.num_segments > 0 ? 0.0 : 4.0;
      now_.single_tree.min_rows = 5;
    }
    tree_of_segments tree = tree_from(kind, {});
    const auto leaves = static_cast<std::int64_t>(tree.constants.size());
    sum.banks = {std::move(tree.leaves)};
    leave_out_numbers(sum);
    scores = scores_of(sum.banks, rows_, run_);
    head answers = segments_of({}, leaves, scores, rows_, are_precisions());
    if (now_.single_tree.shrinkage > 0.0) answers.constants = std::move(tree.constants);
    return answers;
  }

  head finish_grid(table_sum& sum, std::vector<std::int64_t>& scores) {
    const table_sum pilot = tables_from({});
    const bank grid = fitting_grid(slopes_of(pilot.banks, rows_, {}, run_),
                                   now_.grid_cells > 0 ? now_.grid_cells : default_segments());
    sum.banks = {grid};
    leave_out_numbers(sum);
    scores = scores_of(sum.banks, rows_, run_);
    const auto cells = static_cast<std::int64_t>(grid.constants.size());
    head answers = segments_of({}, cells, scores, rows_, are_precisions());
    const segment_sums by = sums_by([&](std::size_t i) { return scores[i]; }, cells, {});
    fill_empty_cells(grid, by.weights, by.sums, rows_, answers.constants);
    return answers;
  }

  head finish_sum(std::int32_t kind, table_sum& sum, std::vector<std::int64_t>& scores) {
    if (now_.links) {
      const link_score link(rows_, places_.column, {}, run_);
      sum.banks = link.banks();
      scores = link.scores();
      return head_of_scores(link, sum, scores);
    }
    model_room room = room_for(kind);
    sum = tables_from({}, room);
    for (const bank& b : sum.banks) room.spend(b);
    std::vector<std::int64_t> left = residuals_of(sum, rows_, run_);
    for (bank& tree : learn_trees(coarse_rows(), {}, now_.trees, left, run_, room))
      sum.banks.push_back(std::move(tree));
    leave_out_numbers(sum);
    head answers;
    if (kind == ZCMOE_PARTITION_TABLES) {
      answers.base = sum.base;
      answers.exponent = rows_.exponent + rows_.constant_shift;
      return answers;
    }
    scores = scores_of(sum.banks, rows_, run_);
    return head_of_scores(score_order(scores, rows_, {}), sum, scores);
  }

  template <class Order>
  head head_of_scores(const Order& order, table_sum& sum, std::vector<std::int64_t>& scores) const {
    std::vector<std::int64_t> thresholds =
        order.thresholds(now_.score_segments > 0 ? now_.score_segments : default_segments());
    const auto m = static_cast<std::int64_t>(thresholds.size()) + 1;
    if (m == 1) {  // whose score has to be 0
      sum.banks.clear();
      std::fill(scores.begin(), scores.end(), 0);
    }
    return segments_of(std::move(thresholds), m, scores, rows_, are_precisions());
  }

  /// A bank of one cell is no look-up but a number that every row gets: a part of the base.
  static void leave_out_numbers(table_sum& sum) {
    const auto is_number = [](const bank& b) { return b.axes.empty() && !b.is_tree(); };
    for (const bank& b : sum.banks) sum.base += is_number(b) ? b.constants[0] : 0;
    sum.banks.erase(std::remove_if(sum.banks.begin(), sum.banks.end(), is_number), sum.banks.end());
  }

  std::int64_t default_segments() const {
    if (options_.num_segments > 0) return options_.num_segments;
    return std::clamp<std::int64_t>(rows_.n / 16, 1, 256);
  }

  /// The mean squared distance of the targets from the answers.
  double distance_of(const table_sum& sum, const head& answers,
                     const std::vector<std::int64_t>& scores) {
    unsigned __int128 total = 0;
    const auto add = [&](std::size_t i, std::int64_t d) {
      const auto size = static_cast<unsigned __int128>(d < 0 ? -static_cast<__int128>(d) : d);
      total += size * size * static_cast<std::uint64_t>(rows_.weight(i));
    };
    if (!answers.has_segments()) {
      const std::vector<std::int64_t> left = residuals_of(sum, rows_, run_);
      for (std::size_t i = 0; i < left.size(); ++i) add(i, left[i]);
    } else {
      std::vector<std::int64_t> whole;
      whole.reserve(answers.constants.size());
      for (const double c : answers.constants)
        whole.push_back(std::llround(std::ldexp(c, -rows_.exponent)));
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::size_t segment = answers.thresholds.empty()
                                        ? static_cast<std::size_t>(scores[i])
                                        : segment_in(answers.thresholds, scores[i]);
        add(i, rows_.y[i] - whole[segment]);
      }
    }
    // Of precisions that of a row of weight 1.
    const double weight = are_precisions() ? static_cast<double>(rows_.n) / rows_.weight_unit
                                           : static_cast<double>(rows_.total_weight());
    return std::ldexp(static_cast<double>(total) / weight, 2 * rows_.exponent);
  }

  /// The model of these banks, with the axes that they name alone.
  bank_tables without_idle_axes(std::vector<bank> banks, head answers) const {
    std::vector<std::int32_t> number(axes_.size(), -1);
    const auto all_axes = static_cast<std::int32_t>(axes_.size());
    const auto each_axis = [&](const auto& visit) {
      for (bank& b : banks) {
        for (axis_offsets& a : b.axes) visit(a.axis);
        for (zcmoe_tree_node& node : b.nodes) {
          if (node.feature < all_axes) visit(node.feature);
        }
        for (std::vector<axis_offsets>& sum : b.oblique) {
          for (axis_offsets& a : sum) visit(a.axis);
        }
      }
    };
    each_axis([&](std::int32_t& a) { number[static_cast<std::size_t>(a)] = 0; });
    bank_tables tables;
    tables.num_inputs = static_cast<std::int32_t>(x_.num_inputs);
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      if (number[a] < 0) continue;
      number[a] = static_cast<std::int32_t>(tables.axes.size());
      tables.axes.push_back(axes_[a]);
    }
    each_axis([&](std::int32_t& a) { a = number[static_cast<std::size_t>(a)]; });
    // The numbers of sums follow those of the axes.
    const auto fewer = all_axes - static_cast<std::int32_t>(tables.axes.size());
    for (bank& b : banks) {
      for (zcmoe_tree_node& node : b.nodes) node.feature -= node.feature >= all_axes ? fewer : 0;
    }
    tables.banks = std::move(banks);
    tables.head = std::move(answers);
    return tables;
  }

  bool are_precisions() const { return options_.weights_kind == ZCMOE_WEIGHTS_PRECISION; }
  int max_pairs() const { return std::max(rows_.num_axes(), 1); }

  /// The mean square over the rows held out, in the units of the caller's targets.
  template <class Distance>
  double held_out_error(const Distance& distance) const {
    unsigned __int128 sum = 0;
    for (std::size_t i = 0; i < rows_.part.size(); ++i) {
      if (rows_.part[i] != judging_part) continue;
      const std::int64_t d = distance(i);
      const auto size = static_cast<unsigned __int128>(d < 0 ? -static_cast<__int128>(d) : d);
      sum += size * size * static_cast<std::uint64_t>(rows_.weight(i));
    }
    return std::ldexp(static_cast<double>(sum) / static_cast<double>(held_out_weight_),
                      2 * rows_.exponent);
  }

  backend& engine_;
  const zcmoe_points& x_;
  host_columns columns_;
  const zcmoe_array& y_;
  const zcmoe_array& weights_;
  const std::int64_t n_;
  const zcmoe_learn_options& options_;
  zcmoe_learn_report& report_;
  run_parts run_;
  double done_ = 0.0;   // told to progress
  double until_ = 0.1;  // which done_ does not reach before the next milestone
  std::vector<input_axis> axes_;
  axis_places places_;
  coded_rows rows_;
  coded_rows coarse_rows_;  // none: all inputs have one axis
  std::int64_t held_out_weight_ = 0;
  model_cost budget_;
  bool is_judged_ = false;
  sizes now_;
  sizes found_[ZCMOE_NUM_PARTITIONS];
};

/// Rows first to first + n - 1 of an array.
zcmoe_array rows_from(const zcmoe_array& a, std::int64_t first) {
  if (a.data == nullptr) return a;
  const std::int64_t bytes = first * a.stride * size_of(a.dtype);
  return {static_cast<const char*>(a.data) + bytes, a.dtype, a.stride};
}

/// Rows of an array in host memory: copies, where they lie in the engine's.
zcmoe_array in_host_memory(const backend& engine, const zcmoe_array& a, std::int64_t n,
                           std::vector<double>& copy) {
  if (a.data == nullptr || engine.device_of(a.data) < 0) return a;
  copy.resize(static_cast<std::size_t>(n));
  engine.read_sync(any(a), n, copy.data());
  return {copy.data(), ZCMOE_F64, 1};
}

/// Adds rows of any memory to a sample, some at a time: it depends on no chunks.
void add_to(row_sample& sample, const backend& engine, backend& host, const zcmoe_points& x,
            const zcmoe_array& y, const zcmoe_array& weights, std::int64_t n) {
  constexpr std::int64_t most_copied = std::int64_t{1} << 22;  // numbers
  std::vector<zcmoe_array> arrays(x.columns, x.columns + x.num_inputs);
  arrays.push_back(y);
  arrays.push_back(weights);
  const bool all_here = std::all_of(arrays.begin(), arrays.end(), [&](const zcmoe_array& a) {
    return a.data == nullptr || engine.device_of(a.data) < 0;
  });
  const std::int64_t rows =
      all_here ? n : std::max<std::int64_t>(most_copied / (x.num_inputs + 2), 1);
  std::vector<std::vector<double>> copies(arrays.size());
  for (std::int64_t first = 0; first < n; first += rows) {
    const std::int64_t some = std::min(rows, n - first);
    std::vector<zcmoe_array> chunk;
    for (std::size_t k = 0; k < arrays.size(); ++k)
      chunk.push_back(in_host_memory(engine, rows_from(arrays[k], first), some, copies[k]));
    sample.add(host, {sizeof(zcmoe_points), x.num_inputs, chunk.data()}, chunk[chunk.size() - 2],
               chunk.back(), some, first);
  }
}

}  // namespace

points_data learn(backend& engine, backend& host, const zcmoe_points& x, const zcmoe_array& y,
                  const zcmoe_array& weights, std::int64_t n, const zcmoe_learn_options& options,
                  zcmoe_learn_report& report) {
  if (options.sample_rows > 0) {
    row_sample sample(nan_codes_of(options, x.num_inputs), options.sample_rows,
                      weights.data != nullptr);
    add_to(sample, engine, host, x, y, weights, n);
    return learn(engine, host, sample, options, report);
  }
  // What this thread does between passes is rounded as the passes are.
  points_data learned;
  run_as_part(host, [&] {
    std::vector<double> copies[2];
    const zcmoe_array targets = in_host_memory(engine, y, n, copies[0]);
    const zcmoe_array weighing = in_host_memory(engine, weights, n, copies[1]);
    learned = learner(engine, host, x, targets, weighing, n, options, report).learn();
  });
  return learned;
}

points_data learn(backend& engine, backend& host, row_sample& sample,
                  const zcmoe_learn_options& options, zcmoe_learn_report& report) {
  sample.counts().check_used();
  const sampled_rows rows = sample.rows();
  std::vector<zcmoe_array> columns;
  columns.reserve(static_cast<std::size_t>(rows.width));
  for (std::int64_t j = 0; j < rows.width; ++j)
    columns.push_back({rows.numbers + j, ZCMOE_F64, rows.width});
  const zcmoe_points x = {sizeof x, sample.num_inputs(), columns.data()};
  const zcmoe_array weights =
      sample.weighted() ? columns.back() : zcmoe_array{nullptr, ZCMOE_F64, 1};
  zcmoe_learn_options of_rows = options;
  of_rows.sample_rows = 0;
  points_data learned =
      learn(engine, host, x, columns[static_cast<std::size_t>(sample.num_inputs())], weights,
            rows.n, of_rows, report);
  sample.counts().tell(report);
  report.sample_share = sample.share();
  return learned;
}

}  // namespace zcmoe::detail
