// Everything is told by the model's own answers: to the rows as they are, with one input taken from
// another row, with one input set to each segment in turn. So it holds for every kind of model.
#include "points_insight.hpp"

#include "failure.hpp"
#include "model_input.hpp"
#include "number.hpp"
#include "plane_fit.hpp"
#include "points_source.hpp"
#include "progress.hpp"
#include "row_triage.hpp"
#include "table_sample.hpp"

#include <zcmoe/model_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t most_numbers = std::int64_t{1} << 25;  // of a sample: 256 MiB
constexpr std::int64_t num_made_rows = 4096;
constexpr std::int64_t answers_of_shares = 1 << 23;  // all of them
constexpr std::size_t inputs_in_pairs = 12;          // the first few, all of whose pairs are judged
constexpr std::int64_t rows_of_a_pair = 1 << 14;     // that judge it
constexpr std::size_t most_effects = 12;             // inputs
constexpr std::int64_t answers_of_effects = 1 << 22;  // all of them
constexpr std::size_t most_pair_effects = 3;
constexpr double least_pair_share = 1e-3;
constexpr std::int64_t runs_of_a_pair = 24;
constexpr std::int64_t rows_of_a_pair_effect = 256;
constexpr std::int64_t runs_of_regions = 8;
constexpr std::size_t regions_shown = 6;
constexpr std::size_t shares_shown = 16;

/// A number that looks random (splitmix64, Steele, Lea & Flood 2014).
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

/// Another row for each, the same in every run (Fisher & Yates 1938).
std::vector<std::size_t> shuffled(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[mixed(i) % i]);
  return order;
}

/// The axis as a model of one input, which knows slots.
model_view view_of(const zcmoe_axis_info& axis) {
  model_view view{};
  view.num_segments = axis.num_segments;
  view.edges = axis.edges;
  view.closed_side = axis.closed_side;
  view.include_outer_edge = axis.include_outer_edge;
  view.nan_policy = axis.nan_policy;
  view.range_policy = axis.range_policy;
  return view;
}

/// An input that has a slot: of a segment the edge that belongs to it.
double input_in(const zcmoe_axis_info& axis, std::int64_t slot) {
  const std::int64_t m = axis.num_segments;
  if (slot < m) return axis.edges[axis.closed_side == ZCMOE_CLOSED_LEFT ? slot : slot + 1];
  if (slot == nan_slot_of(m)) return not_known;
  const double infinite = std::numeric_limits<double>::infinity();
  return slot == below_slot_of(m) ? -infinite : infinite;
}

std::vector<zcmoe_array> views(const std::vector<std::vector<double>>& columns) {
  std::vector<zcmoe_array> all;
  all.reserve(columns.size());
  for (const auto& column : columns) all.push_back(array(column.data()));
  return all;
}

void answer(const model& model, const std::vector<zcmoe_array>& columns, std::vector<double>& to) {
  zcmoe_points points = ZCMOE_POINTS_INIT;
  points.num_inputs = static_cast<std::int64_t>(columns.size());
  points.columns = columns.data();
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(to.data());
  check(zcmoe_predict_points_sync(model.get(), &points, static_cast<std::int64_t>(to.size()),
                                  &outputs, nullptr));
}

/// Mean and sum of squared distances from it, of what is a number.
struct moments {
  double count = 0;
  double mean = 0;
  double squares = 0;
  void add(double value) {
    if (std::isnan(value)) return;
    const double from_mean = value - mean;
    mean += from_mean / ++count;
    squares += from_mean * (value - mean);
  }
  double variance() const { return count > 0 ? squares / count : not_known; }
};

/// Every so many rows of a sample.
struct sparse_rows {
  std::int64_t step;
  std::int64_t rows;
  sparse_rows(std::int64_t all, std::int64_t most)
      : step(std::max<std::int64_t>((all + most - 1) / most, 1)), rows((all + step - 1) / step) {}
  std::vector<zcmoe_array> of(std::vector<zcmoe_array> columns) const {
    for (zcmoe_array& column : columns) column.stride = step;
    return columns;
  }
};

/// Neighbouring segments as runs of about equally many rows: the first segment of each, and m.
std::vector<std::int64_t> runs_of(const std::vector<std::int64_t>& counts, std::int64_t segments,
                                  std::int64_t most) {
  const std::int64_t all =
      std::accumulate(counts.begin(), counts.begin() + segments, std::int64_t{0});
  std::vector<std::int64_t> first{0};
  std::int64_t so_far = 0;
  for (std::int64_t k = 0; k + 1 < segments; ++k) {
    so_far += all > 0 ? counts[static_cast<std::size_t>(k)] : 1;
    const double share =
        static_cast<double>(so_far) / static_cast<double>(all > 0 ? all : segments);
    if (share * static_cast<double>(most) >= static_cast<double>(first.size()))
      first.push_back(k + 1);
  }
  first.push_back(segments);
  return first;
}

/// The rows' answers with inputs changed, and what follows from them.
class onlooker {
 public:
  onlooker(const model& model, const inspected_points& of, const seen_rows& rows)
      : model_(model), of_(of), rows_(rows), columns_(views(rows.columns)) {
    const auto other = shuffled(rows.answers.size());
    others_.reserve(of.axes.size());
    for (const zcmoe_axis_info& axis : of.axes) {
      const auto& column = rows.columns[static_cast<std::size_t>(axis.input)];
      std::vector<double> moved(column.size());
      for (std::size_t i = 0; i < column.size(); ++i) moved[i] = column[other[i]];
      others_.push_back(std::move(moved));
    }
  }

  /// Half of the mean squared change if the input is that of another row.
  double one_input(std::size_t axis) const {
    const auto axes = static_cast<std::int64_t>(of_.axes.size());
    const sparse_rows some(rows_.rows(), answers_of_shares / axes);
    auto columns = columns_;
    columns[input_of(axis)] = array(others_[axis].data());
    std::vector<double> moved(static_cast<std::size_t>(some.rows));
    answer(model_, some.of(std::move(columns)), moved);
    moments all;
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const double change = moved[i] - rows_.answers[i * static_cast<std::size_t>(some.step)];
      all.add(change * change / 2);
    }
    return all.mean;
  }

  /// A quarter of the mean squared difference between both changes together and each by itself.
  double two_inputs(std::size_t a, std::size_t b) const {
    const sparse_rows some(rows_.rows(), rows_of_a_pair);
    std::vector<double> changed[3];
    for (int way = 0; way < 3; ++way) {
      auto columns = columns_;
      if (way != 1) columns[input_of(a)] = array(others_[a].data());
      if (way != 0) columns[input_of(b)] = array(others_[b].data());
      changed[way].resize(static_cast<std::size_t>(some.rows));
      answer(model_, some.of(std::move(columns)), changed[way]);
    }
    moments all;
    for (std::size_t i = 0; i < changed[0].size(); ++i) {
      const double as_it_is = rows_.answers[i * static_cast<std::size_t>(some.step)];
      const double together = as_it_is - changed[0][i] - changed[1][i] + changed[2][i];
      all.add(together * together / 4);
    }
    return all.mean;
  }

  effect effect_of(std::size_t axis, std::int64_t most_rows) const {
    const zcmoe_axis_info& info = of_.axes[axis];
    const auto slots = static_cast<std::size_t>(info.num_segments + 3);
    const std::vector<double> nothing(slots, not_known);
    effect made{axis, nothing, nothing, nothing, std::vector<std::int64_t>(slots), nothing};
    const std::vector<moments> residuals = residuals_of(axis);
    for (std::size_t k = 0; k < slots; ++k) {
      made.counts[k] = static_cast<std::int64_t>(residuals[k].count);
      const double n = residuals[k].count;
      if (!rows_.made() && n > 1)
        made.standard_errors[k] = std::sqrt(residuals[k].variance() / (n - 1));
    }
    const sparse_rows some(rows_.rows(), most_rows);
    const auto n = static_cast<std::size_t>(some.rows);
    const model_view view = view_of(info);
    std::vector<std::vector<double>> answers(slots);
    std::vector<moments> own(n);  // of each row, its answers over the segments that rows have
    moments centre;
    for (std::size_t k = 0; k < slots; ++k) {
      const auto slot = static_cast<std::int64_t>(k);
      if (view.segment_of_slot(slot) < 0) continue;
      auto columns = some.of(columns_);
      const double input = input_in(info, slot);
      columns[input_of(axis)] = array(&input, 0);
      answers[k].resize(n);
      answer(model_, columns, answers[k]);
      moments all;
      for (const double value : answers[k]) all.add(value);
      made.parts[k] = all.count > 0 ? all.mean : not_known;
    }
    double weight = 0;
    double mean = 0;
    std::vector<double> mean_of_row(n);
    for (std::size_t k = 0; k < slots; ++k) {
      const auto count = static_cast<double>(made.counts[k]);
      if (count == 0 || std::isnan(made.parts[k])) continue;
      weight += count;
      mean += (made.parts[k] - mean) * count / weight;
      for (std::size_t i = 0; i < n; ++i)
        mean_of_row[i] += (answers[k][i] - mean_of_row[i]) * count / weight;
    }
    for (std::size_t k = 0; k < slots; ++k) {
      if (std::isnan(made.parts[k])) continue;
      made.parts[k] -= mean;
      std::vector<double>& adds = answers[k];
      for (std::size_t i = 0; i < n; ++i) adds[i] -= mean_of_row[i];
      adds.erase(std::remove_if(adds.begin(), adds.end(), [](double a) { return std::isnan(a); }),
                 adds.end());
      if (adds.empty()) continue;
      std::sort(adds.begin(), adds.end());
      made.lower[k] = adds[adds.size() / 10];
      made.upper[k] = adds[adds.size() - 1 - adds.size() / 10];
    }
    return made;
  }

  pair_effect pair_effect_of(const effect& a, const effect& b) const {
    pair_effect made{{a.axis, b.axis}, {}, {}};
    std::vector<double> inputs[2];
    std::vector<double> weights[2];
    for (int side = 0; side < 2; ++side) {
      const effect& one = side == 0 ? a : b;
      const zcmoe_axis_info& info = of_.axes[one.axis];
      const auto first = runs_of(one.counts, info.num_segments, runs_of_a_pair);
      for (std::size_t k = 0; k + 1 < first.size(); ++k) {
        made.edges[side].push_back(info.edges[first[k]]);
        inputs[side].push_back(input_in(info, (first[k] + first[k + 1] - 1) / 2));
        weights[side].push_back(static_cast<double>(std::accumulate(
            one.counts.begin() + first[k], one.counts.begin() + first[k + 1], std::int64_t{0})));
      }
      made.edges[side].push_back(info.edges[info.num_segments]);
    }
    const sparse_rows some(rows_.rows(), rows_of_a_pair_effect);
    std::vector<double> answers(static_cast<std::size_t>(some.rows));
    auto columns = some.of(columns_);
    for (const double& x : inputs[0]) {
      columns[input_of(a.axis)] = array(&x, 0);
      for (const double& y : inputs[1]) {
        columns[input_of(b.axis)] = array(&y, 0);
        answer(model_, columns, answers);
        moments all;
        for (const double value : answers) all.add(value);
        made.parts.push_back(all.count > 0 ? all.mean : not_known);
      }
    }
    centre(made.parts, weights);
    return made;
  }

  /// Target less answer, by slot; of made rows their number alone.
  std::vector<moments> residuals_of(std::size_t axis) const {
    const zcmoe_axis_info& info = of_.axes[axis];
    const model_view view = view_of(info);
    const std::vector<double>& column = rows_.columns[input_of(axis)];
    std::vector<moments> all(static_cast<std::size_t>(info.num_segments + 3));
    for (std::size_t i = 0; i < column.size(); ++i) {
      const auto slot = static_cast<std::size_t>(view.slot_of(column[i]));
      all[slot].add(rows_.made() ? 0.0 : rows_.targets[i] - rows_.answers[i]);
    }
    return all;
  }

 private:
  std::size_t input_of(std::size_t axis) const {
    return static_cast<std::size_t>(of_.axes[axis].input);
  }

  /// Takes from a table what its rows and its columns add by themselves.
  static void centre(std::vector<double>& parts, const std::vector<double> (&weights)[2]) {
    const std::size_t rows = weights[0].size();
    const std::size_t columns = weights[1].size();
    const auto take = [&](std::size_t lines, std::size_t length, std::size_t between,
                          std::size_t along, const std::vector<double>& weight) {
      for (std::size_t k = 0; k < lines; ++k) {
        double all = 0;
        double mean = 0;
        for (std::size_t i = 0; i < length; ++i) {
          if (weight[i] == 0) continue;
          all += weight[i];
          mean += (parts[k * between + i * along] - mean) * weight[i] / all;
        }
        for (std::size_t i = 0; i < length; ++i) parts[k * between + i * along] -= mean;
      }
    };
    take(rows, columns, columns, 1, weights[1]);
    take(columns, rows, 1, columns, weights[0]);
  }

  const model& model_;
  const inspected_points& of_;
  const seen_rows& rows_;
  std::vector<zcmoe_array> columns_;
  std::vector<std::vector<double>> others_;  // by axis: the input of another row
};

/// How the model and a straight line err on the rows.
void judge(points_insight& insight, const seen_rows& rows) {
  moments targets;
  moments residuals;
  for (std::size_t i = 0; i < rows.targets.size(); ++i) {
    targets.add(rows.targets[i]);
    residuals.add(rows.targets[i] - rows.answers[i]);
  }
  insight.target_variance = targets.variance();
  insight.bias = residuals.mean;
  insight.rmse = std::sqrt(residuals.variance() + residuals.mean * residuals.mean);
  const std::vector<zcmoe_array> columns = views(rows.columns);
  plane_fit plane(columns.size());
  plane.add(columns, array(rows.targets.data()), no_array(), rows.rows());
  plane.solve();
  moments errors;
  moments finite;
  std::vector<double> row(columns.size());
  for (std::int64_t i = 0; i < rows.rows(); ++i) {
    if (!finite_row(columns, i, row.data())) continue;
    const double y = rows.targets[static_cast<std::size_t>(i)];
    finite.add(y);
    const double error = y - plane.at(row.data());
    errors.add(error * error);
  }
  insight.line_rows = static_cast<std::int64_t>(errors.count);
  insight.line_rmse = errors.count > 0 ? std::sqrt(errors.mean) : not_known;
  insight.line_r_squared = 1 - errors.mean / finite.variance();
}

std::string right(const std::string& value, std::size_t width) {
  return value.size() < width ? std::string(width - value.size(), ' ') + value : " " + value;
}
std::string left(const std::string& value, std::size_t width) {
  return value.size() < width ? value + std::string(width - value.size(), ' ') : value + " ";
}
std::string percent(double share) {
  return std::isfinite(share) ? fixed(100 * share, 1, 1) + " %" : "-";
}

}  // namespace

std::unique_ptr<row_source> open_seen(const seen_choice& choice, const zcmoe_points_info& info) {
  points_choice columns;
  columns.inputs = choice.inputs;
  columns.num_inputs = info.num_inputs;
  columns.wants_target = true;
  columns.target = choice.target;
  const bool named = choice.table.csv.header && info.target_name != nullptr;
  if (columns.target.empty() && named && !is_npy_of_columns(choice.table))
    columns.target = info.target_name;
  for (std::int64_t k = 0; info.input_names != nullptr && k < info.num_inputs; ++k)
    columns.stored.emplace_back(info.input_names[k]);
  return open_points(choice.table, columns);
}

seen_rows read_seen(const seen_choice& choice, row_source& rows, const model& model,
                    bool show_progress) {
  const std::size_t columns = rows.num_columns();
  const std::int64_t most = most_numbers / static_cast<std::int64_t>(columns);
  table_sample sample(std::min(choice.sample_rows, most), columns);
  row_tally tally;
  row_block block;
  std::vector<double> row(columns);
  progress bar("sample", show_progress);
  while (rows.next(block)) {
    tally.rows_read = block.first_row + block.rows;
    for (std::int64_t i = 0; i < block.rows; ++i) {
      for (std::size_t k = 0; k < columns; ++k) row[k] = strided_element(block.columns[k], i);
      const double target = row.back();
      const bool unparsable = block.unparsable != nullptr && block.unparsable[i] != 0;
      const row_fate fate = unparsable           ? row_unparsable
                            : std::isnan(target) ? row_missing_target
                            : std::isinf(target) ? row_infinite_target
                                                 : row_used;
      ++tally.fates[fate];
      if (fate == row_used) sample.offer(row.data());
    }
    bar.update(rows.done(), tally.rows_read);
  }
  print_warnings(rows);
  if (sample.rows() == 0) fail("no usable row to look at: ", tally.read_in_words(rows));
  seen_rows seen;
  seen.rows_in_all = sample.rows_offered();
  seen.target_name = choice.table.csv.header ? rows.column_name(columns - 1) : "";
  std::vector<zcmoe_array> inputs;
  for (std::size_t k = 0; k + 1 < columns; ++k) inputs.push_back(array(sample.column(k).data()));
  std::vector<double> answers(static_cast<std::size_t>(sample.rows()));
  answer(model, inputs, answers);
  seen.columns.resize(columns - 1);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (std::isnan(answers[i])) {
      ++seen.unanswered;
      continue;
    }
    seen.answers.push_back(answers[i]);
    seen.targets.push_back(sample.column(columns - 1)[i]);
    for (std::size_t k = 0; k + 1 < columns; ++k) seen.columns[k].push_back(sample.column(k)[i]);
  }
  if (seen.answers.empty())
    fail("no row to look at: the model answers none of ", grouped(seen.unanswered));
  return seen;
}

seen_rows made_rows(const model& model, const inspected_points& of) {
  seen_rows made;
  made.columns.resize(static_cast<std::size_t>(of.info.num_inputs),
                      std::vector<double>(static_cast<std::size_t>(num_made_rows)));
  for (std::size_t a = 0; a < of.axes.size(); ++a) {
    const zcmoe_axis_info& axis = of.axes[a];
    std::vector<double>& column = made.columns[static_cast<std::size_t>(axis.input)];
    for (std::size_t i = 0; i < column.size(); ++i) {
      const std::uint64_t any = mixed(mixed(a) + i) % static_cast<std::uint64_t>(axis.num_segments);
      column[i] = input_in(axis, static_cast<std::int64_t>(any));
    }
  }
  made.answers.resize(static_cast<std::size_t>(num_made_rows));
  answer(model, views(made.columns), made.answers);
  made.rows_in_all = num_made_rows;
  return made;
}

points_insight::points_insight(const model& model, const inspected_points& looked_at,
                               const seen_rows& seen)
    : of(looked_at),
      rows(seen.rows()),
      rows_in_all(seen.rows_in_all),
      unanswered(seen.unanswered),
      made(seen.made()) {
  moments answers;
  for (const double value : seen.answers) answers.add(value);
  answer_variance = answers.variance();
  if (!made) judge(*this, seen);

  const onlooker looking(model, of, seen);
  const auto share_of = [&](double part) {
    return answer_variance > 0 ? part / answer_variance : 0;
  };
  const auto sort = [](std::vector<shared_variance>& all) {
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.share > b.share; });
  };
  for (std::size_t a = 0; a < of.axes.size(); ++a)
    inputs.push_back({{a, a}, share_of(looking.one_input(a))});
  sort(inputs);
  const std::size_t judged = std::min(inputs.size(), inputs_in_pairs);
  for (std::size_t i = 0; i < judged; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::size_t a = inputs[j].axes[0];
      const std::size_t b = inputs[i].axes[0];
      if (inputs[i].share > 0) pairs.push_back({{a, b}, share_of(looking.two_inputs(a, b))});
    }
  }
  sort(pairs);

  const std::size_t shown = std::min(inputs.size(), most_effects);
  std::int64_t slots = 1;
  for (std::size_t k = 0; k < shown; ++k) slots += of.axes[inputs[k].axes[0]].num_segments;
  const std::int64_t rows_of_effects =
      std::clamp<std::int64_t>(answers_of_effects / slots, 32, 1024);
  for (std::size_t k = 0; k < shown; ++k)
    effects.push_back(looking.effect_of(inputs[k].axes[0], rows_of_effects));
  const auto effect_of = [&](std::size_t axis) -> const effect& {
    return *std::find_if(effects.begin(), effects.end(),
                         [&](const effect& one) { return one.axis == axis; });
  };
  for (std::size_t k = 0; k < std::min(pairs.size(), most_pair_effects); ++k) {
    if (pairs[k].share < least_pair_share) break;
    pair_effects.push_back(
        looking.pair_effect_of(effect_of(pairs[k].axes[0]), effect_of(pairs[k].axes[1])));
  }
  if (made) return;

  const double all_squares = rmse * rmse * static_cast<double>(rows);
  for (const effect& one : effects) {
    const std::vector<moments> residuals = looking.residuals_of(one.axis);
    const std::int64_t m = of.axes[one.axis].num_segments;
    auto first = runs_of(one.counts, m, runs_of_regions);
    for (std::int64_t slot = m; slot < m + 3; ++slot) first.push_back(slot + 1);
    for (std::size_t k = 0; k + 1 < first.size(); ++k) {
      double count = 0;
      double sum = 0;
      double squares = 0;
      for (std::int64_t slot = first[k]; slot < first[k + 1]; ++slot) {
        const moments& of_slot = residuals[static_cast<std::size_t>(slot)];
        count += of_slot.count;
        sum += of_slot.count * of_slot.mean;
        squares += of_slot.squares + of_slot.count * of_slot.mean * of_slot.mean;
      }
      if (count == 0) continue;
      const double excess = all_squares > 0 ? (squares - count * rmse * rmse) / all_squares : 0.0;
      regions.push_back({one.axis, first[k], first[k + 1] - 1, static_cast<std::int64_t>(count),
                         sum / count, std::sqrt(squares / count), excess});
    }
  }
}

json_object points_insight::region_as_json(const region& one) const {
  const zcmoe_axis_info& axis = of.axes[one.axis];
  const std::int64_t m = axis.num_segments;
  const bool between = one.last_slot < m;
  json_object json;
  json.set("input", of.name_of(axis.input));
  json.set("what", one.first_slot < m                   ? "segments"
                   : one.first_slot == nan_slot_of(m)   ? "missing"
                   : one.first_slot == below_slot_of(m) ? "below"
                                                        : "above");
  json.set("from", between ? axis.edges[one.first_slot] : not_known);
  json.set("to", between ? axis.edges[one.last_slot + 1] : not_known);
  json.set("rows", one.rows);
  json.set("bias", one.bias);
  json.set("rmse", one.rmse);
  json.set("excess", one.excess);
  return json;
}

json_object points_insight::as_json() const {
  json_object json;
  json.set("rows", rows);
  json.set("rows_in_all", rows_in_all);
  json.set("unanswered", unanswered);
  json.set("made_rows", made);
  json.set("answer_variance", answer_variance);
  if (!made) {
    json.set("target_variance", target_variance);
    json.set("bias", bias);
    json.set("rmse", rmse);
    json.set("r_squared", r_squared());
    json.set("straight_line", json_object()
                                  .set("rows", line_rows)
                                  .set("rmse", line_rmse)
                                  .set("r_squared", line_r_squared));
  }
  const auto name = [&](std::size_t axis) { return of.name_of(of.axes[axis].input); };
  std::vector<json_object> all;
  for (const shared_variance& one : inputs) {
    json_object share;
    share.set("input", name(one.axes[0]));
    share.set("share", one.share);
    all.push_back(std::move(share));
  }
  json.set("importance", all);
  all.clear();
  for (const shared_variance& one : pairs) {
    json_object share;
    share.set("inputs", std::vector<std::string>{name(one.axes[0]), name(one.axes[1])});
    share.set("share", one.share);
    all.push_back(std::move(share));
  }
  json.set("pairs", all);
  all.clear();
  for (const effect& one : effects) {
    const zcmoe_axis_info& axis = of.axes[one.axis];
    json_object part;
    part.set("input", name(one.axis));
    part.set("edges", std::vector<double>(axis.edges, axis.edges + axis.num_segments + 1));
    part.set("parts", one.parts);
    part.set("lower", one.lower);
    part.set("upper", one.upper);
    part.set("counts", one.counts);
    part.set("standard_errors", one.standard_errors);
    all.push_back(std::move(part));
  }
  json.set("effects", all);
  all.clear();
  for (const pair_effect& one : pair_effects) {
    json_object part;
    part.set("inputs", std::vector<std::string>{name(one.axes[0]), name(one.axes[1])});
    part.set("edges_first", one.edges[0]);
    part.set("edges_second", one.edges[1]);
    part.set("parts", one.parts);
    all.push_back(std::move(part));
  }
  json.set("pair_effects", all);
  all.clear();
  for (const region& one : regions) all.push_back(region_as_json(one));
  json.set("regions", all);
  return json;
}

std::string points_insight::slots_in_words(const region& one) const {
  const zcmoe_axis_info& axis = of.axes[one.axis];
  const std::int64_t m = axis.num_segments;
  if (one.first_slot == nan_slot_of(m)) return "missing";
  if (one.first_slot == below_slot_of(m)) return "below the range";
  if (one.first_slot == above_slot_of(m)) return "above the range";
  return readable_range(axis.edges[one.first_slot], axis.edges[one.last_slot + 1]);
}

void points_insight::add_to(text_page& page) const {
  page.add("");
  page.add("rows seen",
           text(grouped(rows + unanswered),
                rows_in_all > rows + unanswered ? text(", a sample of ", grouped(rows_in_all)) : "",
                unanswered > 0 ? text("; ", grouped(unanswered), " without an answer") : ""));
  page.add("RMSE",
           text(readable(rmse), " on these rows, of which the mean error is ", readable(bias)));
  if (target_variance > 0)
    page.add("explained", text(percent(r_squared()), " of the target's variance (R^2)"));
  if (line_rows > 0 && std::isfinite(line_r_squared)) {
    page.add("straight line",
             text("RMSE ", readable(line_rmse), ", ", percent(line_r_squared),
                  " explained: least squares in all inputs on these very rows",
                  line_rows < rows ? text(", the ", grouped(line_rows), " without missing inputs")
                                   : ""));
  }
  page.add("");
  page.add(left(" matters", 60) + right("share", 9));
  const auto name = [&](std::size_t axis) { return of.name_of(of.axes[axis].input); };
  std::vector<std::pair<double, std::string>> lines;
  for (const shared_variance& one : inputs) lines.emplace_back(one.share, name(one.axes[0]));
  for (const shared_variance& one : pairs) {
    if (one.share >= least_pair_share)
      lines.emplace_back(one.share, text(name(one.axes[0]), " with ", name(one.axes[1])));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t k = 0; k < std::min(lines.size(), shares_shown); ++k)
    page.add(left(text(" ", lines[k].second), 60) + right(percent(lines[k].first), 9));
  if (lines.size() > shares_shown)
    page.add(text("     ... ", grouped(static_cast<long long>(lines.size() - shares_shown)),
                  " more; --json shows all"));
  page.add(
      "share: of the answers' variance that goes with an input, alone or with others; of a "
      "pair: with both together");
  std::vector<region> worst = regions;
  std::stable_sort(worst.begin(), worst.end(),
                   [](const region& a, const region& b) { return a.excess > b.excess; });
  if (worst.empty() || !(worst[0].excess > 0)) return;
  page.add("");
  page.add(left(" errs most where", 28) + left("lies in", 28) + right("rows", 10) +
           right("mean error", 13) + right("RMSE", 11));
  for (std::size_t k = 0; k < std::min(worst.size(), regions_shown) && worst[k].excess > 0; ++k) {
    const region& one = worst[k];
    page.add(left(text(" ", name(one.axis)), 28) + left(slots_in_words(one), 28) +
             right(grouped(one.rows), 10) + right(readable(one.bias), 13) +
             right(readable(one.rmse), 11));
  }
}

}  // namespace zcmoe::cli
