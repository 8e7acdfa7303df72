// Rows go block by block into a learner, which keeps a bounded sample of them; those of NPY files
// are learned from where they are mapped, if they are no more than the sample. A second pass judges
// by the rows held out. So memory does not grow with the table.
#include "learn_command.hpp"

#include "failure.hpp"
#include "json_object.hpp"
#include "kept_column.hpp"
#include "learn_report.hpp"
#include "model_input.hpp"
#include "model_output.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "plane_fit.hpp"
#include "points_source.hpp"
#include "say.hpp"

#include <zcmoe/points.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

constexpr std::int64_t most_segments = std::int64_t{1} << 20;  // of zcmoe_learn_options
constexpr std::int64_t most_sample_rows = std::int64_t{1} << 31;
constexpr std::int64_t rows_of_text_kept = std::int64_t{1} << 21;  // for the second pass

/// Options of one input, which say nothing of several.
constexpr const char* options_of_one[] = {
    "--segmentation", "--edges",        "--range",       "--uniform-mixture", "--floor",
    "--min-count",    "--pilot-bins",   "--closed-side", "--open-outer-edge", "--nan-value",
    "--range-value",  "--empty-policy", "--empty-value", "--shrinkage",       "--feature-name",
    "--constants",    "--experts",      "--target-dtype"};
constexpr const char* options_of_several[] = {"--partition", "--axis-segments", "--budget-ns",
                                              "--budget-bytes", "--axis"};

/// Reads NAME=KEY:VALUE,KEY:VALUE. Names may hold anything: the last = ends them.
std::string read_axis(const std::string& given, std::vector<axis_choice>& axes) {
  const std::size_t equals = given.rfind('=');
  if (equals == std::string::npos || equals == 0) return "expected NAME=KEY:VALUE,...";
  axis_choice axis;
  axis.name = given.substr(0, equals);
  for (std::size_t at = equals + 1; at <= given.size();) {
    const std::size_t end = std::min(given.find(',', at), given.size());
    const std::string word = given.substr(at, end - at);
    at = end + 1;
    const std::size_t colon = word.find(':');
    const std::string key = word.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : word.substr(colon + 1);
    const auto policy = [&](const choices& words,
                            std::int32_t left_out) -> std::optional<std::int32_t> {
      for (const auto& [name, number] : words) {
        if (name == value && number != left_out) return number;
      }
      return std::nullopt;
    };
    if (key == "segments") {
      double count = 0.0;
      if (parse_number(value, count) != field_kind::number || count != std::floor(count) ||
          count < 2 || count > static_cast<double>(ZCMOE_MAX_AXIS_SEGMENTS))
        return text(word, ": expected segments:2 to segments:", ZCMOE_MAX_AXIS_SEGMENTS);
      axis.segments = static_cast<std::int64_t>(count);
    } else if (key == "nan") {
      axis.nan_policy = policy(nan_policy_words, ZCMOE_NAN_VALUE);
      if (!axis.nan_policy) return word + ": expected nan:propagate or nan:segment";
    } else if (key == "range") {
      axis.range_policy = policy(range_policy_words, ZCMOE_RANGE_VALUE);
      if (!axis.range_policy) return word + ": expected range:clamp, range:nan or range:segments";
    } else {
      return text("'", word, "': expected segments:N, nan:... or range:...");
    }
  }
  axes.push_back(std::move(axis));
  return {};
}

int keep_going(void* bar, double done) {
  static_cast<progress*>(bar)->update(done);
  return 0;
}

/// As many as take 1 GiB, but no more than 2^22.
std::int64_t default_sample_rows(std::size_t num_inputs) {
  const auto numbers = static_cast<std::int64_t>(num_inputs) + 1;
  return std::min((std::int64_t{1} << 27) / numbers, std::int64_t{1} << 22);
}

class learn_run {
 public:
  /// @param sample_rows  the most rows to learn from; 0: the default
  learn_run(const fit_arguments& arguments, std::int64_t sample_rows)
      : arguments_(arguments),
        context_(arguments.engine.options()),
        rows_(open_points(arguments.table, choice_of(arguments))),
        weighted_(has_weights(arguments)),
        num_inputs_(rows_->num_columns() - (weighted_ ? 2 : 1)),
        sample_rows_(sample_rows > 0 ? sample_rows : default_sample_rows(num_inputs_)),
        split_(arguments.holdout, arguments.seed),
        show_progress_(!arguments.talk.quiet),
        chosen_(rows_->num_columns()),
        plane_(num_inputs_) {
    summary_.weighted = weighted_;
    if (!weighted_ && arguments.model.options.weights_kind == ZCMOE_WEIGHTS_PRECISION)
      fail_usage("--weights-kind precision: the rows have no weights");
  }

  void run() {
    {
      stopwatch::scope timed(summary_.total);
      check_places();
      find_names();
      find_axes();
      if (split_.active()) rows_->make_rewindable(rows_of_text_kept);
      read();
      learn();
      if (split_.active()) judge();
      save_model(*model_, arguments_.output);
    }
    print_warnings(*rows_);
    const learn_report report{arguments_, summary_, *rows_, context_.info(), *info_};
    if (arguments_.talk.json) {
      write_to_stdout(report.as_json());
    } else if (!arguments_.talk.quiet) {
      report.say_all();
    }
  }

 private:
  static points_choice choice_of(const fit_arguments& arguments) {
    points_choice choice;
    // One --x and --x-all-but contradict each other, and NPY files need neither.
    choice.inputs = arguments.several.inputs;
    choice.all_but = arguments.several.all_but;
    choice.target = arguments.roles[column_y].value;
    choice.weights = arguments.roles[column_weights].value;
    choice.wants_target = true;
    return choice;
  }
  /// Behind an NPY file of all inputs and that of the target there may be one of weights.
  static bool has_weights(const fit_arguments& arguments) {
    if (!arguments.roles[column_weights].value.empty()) return true;
    return arguments.roles[column_y].value.empty() && arguments.table.inputs.size() == 3 &&
           is_npy_of_columns(arguments.table);
  }

  void check_places() const {
    std::vector<named_output> outputs{{"--output", arguments_.output}};
    if (arguments_.talk.json) outputs.push_back({"--json", "-"});
    check_outputs(outputs, rows_->files());
  }

  /// The names to keep in the model: of all inputs, or of none. Columns of a file without a header
  /// have none.
  void find_names() {
    const std::size_t target = num_inputs_;
    const bool header = arguments_.table.csv.header;
    for (std::size_t k = 0; k <= target; ++k) {
      const std::string name = header ? rows_->column_name(k) : std::string();
      if (name.empty()) continue;
      if (const char* const fault = fault_of_name(name)) {
        if (!arguments_.talk.quiet) {
          say(text("the header of column ", name, " is ", fault, ": the model keeps no name",
                   k == target ? " for it" : "s of its inputs"));
        }
        continue;
      }
      if (k == target) {
        summary_.target_name = name;
      } else {
        summary_.input_names.push_back(name);
      }
    }
    if (summary_.input_names.size() < num_inputs_) summary_.input_names.clear();
    if (!arguments_.model.target_name.empty()) summary_.target_name = arguments_.model.target_name;
  }

  /// What is asked for each input.
  void find_axes() {
    const zcmoe_model_options& all = arguments_.model.options;
    axes_.assign(num_inputs_, {0, all.nan_policy, all.range_policy});
    for (const axis_choice& asked : arguments_.several.axes) {
      std::vector<std::string> names;
      std::size_t found = num_inputs_;
      for (std::size_t k = 0; k < num_inputs_; ++k) {
        // Columns without names are counted from 1.
        names.push_back(rows_->column_name(k));
        if (names.back().empty()) names.back() = std::to_string(k + 1);
        if (names.back() == asked.name) found = k;
      }
      if (found == num_inputs_) {
        fail_usage("--axis ", asked.name, ": no such input; there are ", list_in_words(names));
      }
      zcmoe_axis_options& axis = axes_[found];
      if (asked.segments) axis.axis_segments = *asked.segments;
      if (asked.nan_policy) axis.nan_policy = *asked.nan_policy;
      if (asked.range_policy) axis.range_policy = *asked.range_policy;
    }
  }

  // ---- reading

  void read() {
    if (!split_.active() && rows_->rows() <= sample_rows_ && rows_->whole(block_)) {
      num_rows_ = summary_.tally.rows_read = block_.rows;
      in_place_ = true;
      if (refuses_rows() || weighted_) classify();
    } else {
      read_blocks();
    }
    summary_.bytes_read = rows_->bytes();
  }

  void read_blocks() {
    learner_.emplace(context_, static_cast<std::int64_t>(num_inputs_), options());
    has_number_.assign(rows_->num_columns(), false);
    progress bar("read", show_progress_);
    while (next(block_)) {
      classify();
      std::vector<std::int64_t> train;
      for (std::int64_t i = 0; i < block_.rows; ++i) {
        const row_fate fate = fates_[static_cast<std::size_t>(i)];
        ++summary_.tally.fates[fate];
        if (fate != row_used) continue;
        if (split_.held_out(block_.first_row + i)) {
          ++summary_.tally.rows_held_out;
        } else {
          train.push_back(i);
        }
      }
      summary_.tally.rows_read += block_.rows;
      num_rows_ += static_cast<std::int64_t>(train.size());
      add(train);
      bar.update(rows_->done(), summary_.tally.rows_read);
    }
    fail_without_numbers();
  }

  /// Hands rows of the block to the learner, and to the plane where both are to be judged.
  void add(const std::vector<std::int64_t>& train) {
    const std::vector<zcmoe_array> columns = gather(train);
    const zcmoe_points points = points_of(columns);
    const auto rows = static_cast<std::int64_t>(train.size());
    stopwatch::scope timed(summary_.learning);
    const zcmoe_array weights = weights_of(columns);
    check(zcmoe_learner_add_sync(learner_->get(), &points, columns[num_inputs_], weights, rows));
    if (split_.active()) plane_.add(inputs_of(columns), columns[num_inputs_], weights, rows);
  }

  zcmoe_array weights_of(const std::vector<zcmoe_array>& columns) const {
    return weighted_ ? columns[num_inputs_ + 1] : no_array();
  }
  std::vector<zcmoe_array> inputs_of(const std::vector<zcmoe_array>& columns) const {
    return {columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(num_inputs_)};
  }

  /// Copies rows of the block, column by column.
  std::vector<zcmoe_array> gather(const std::vector<std::int64_t>& rows) {
    std::vector<zcmoe_array> columns;
    columns.reserve(chosen_.size());
    for (std::size_t k = 0; k < chosen_.size(); ++k) {
      chosen_[k].clear();
      chosen_[k].add(block_.columns[k], rows);
      columns.push_back(chosen_[k].view());
    }
    return columns;
  }

  bool next(row_block& block) {
    stopwatch::scope timed(summary_.reading);
    return rows_->next(block);
  }

  bool refuses_rows() const {
    return arguments_.fit.nan_inputs == ZCMOE_ROWS_ERROR ||
           arguments_.fit.nonfinite_targets == ZCMOE_ROWS_ERROR;
  }

  /// Fails for the first row of the block that the arguments refuse.
  void refuse_rows() const {
    for (std::int64_t i = 0; i < block_.rows; ++i) {
      const row_fate fate = fates_[static_cast<std::size_t>(i)];
      const bool missing = fate == row_missing_target;
      if ((missing || fate == row_infinite_target) &&
          arguments_.fit.nonfinite_targets == ZCMOE_ROWS_ERROR) {
        fail(block_.place(i, num_inputs_), ": the target is ", missing ? "missing" : "infinite",
             " (--nonfinite-targets error)");
      }
      if (fate != row_missing_input || arguments_.fit.nan_inputs != ZCMOE_ROWS_ERROR) continue;
      std::size_t k = 0;
      while (!std::isnan(strided_element(block_.columns[k], i))) ++k;
      fail(block_.place(i, k), ": the input is missing (--nan-inputs error)");
    }
  }

  /// One fate per row of the block, the first in this order: not a number, missing weight or one of
  /// 0, missing or infinite target, missing input. Fails for a weight that is none.
  void classify() {
    judge_rows();
    if (refuses_rows()) refuse_rows();
  }

  void judge_rows() {
    has_number_.resize(block_.columns.size(), false);
    const auto size = static_cast<std::size_t>(block_.rows);
    fates_.assign(size, row_used);
    for (std::size_t k = 0; k <= num_inputs_; ++k) {
      const zcmoe_array& column = block_.columns[k];
      const bool target = k == num_inputs_;
      const bool nan_code = !target && axes_[k].nan_policy == ZCMOE_NAN_SEGMENT;
      bool number = has_number_[k];
      for (std::size_t i = 0; i < size; ++i) {
        const double value = strided_element(column, static_cast<std::int64_t>(i));
        number = number || !std::isnan(value);
        if (target && !std::isfinite(value))
          fates_[i] = std::isnan(value) ? row_missing_target : row_infinite_target;
        if (!target && !nan_code && std::isnan(value)) fates_[i] = row_missing_input;
      }
      has_number_[k] = number;
    }
    if (weighted_) judge_weights();
    if (block_.unparsable == nullptr) return;
    for (std::size_t i = 0; i < size; ++i) {
      if (block_.unparsable[i] != 0) fates_[i] = row_unparsable;
    }
  }

  void judge_weights() {
    const std::size_t column = num_inputs_ + 1;
    for (std::int64_t i = 0; i < block_.rows; ++i) {
      row_fate& fate = fates_[static_cast<std::size_t>(i)];
      const double weight = strided_element(block_.columns[column], i);
      has_number_[column] = has_number_[column] || !std::isnan(weight);
      if (weight == 0.0) {
        fate = row_zero_weight;
      } else if (std::isnan(weight) && block_.missing != nullptr) {  // text: no value, or no number
        fate = row_missing_weight;
      } else if (!(weight > 0.0) || std::isinf(weight)) {
        fail(block_.place(i, column), ": the weight is ", weight,
             "; weights are finite and not negative");
      }
    }
  }

  /// A column of text is the likeliest reason why there is no row to learn from.
  void fail_without_numbers() const {
    if (summary_.tally.rows_read == 0) return;
    for (std::size_t k = 0; k < has_number_.size(); ++k) {
      if (has_number_[k]) continue;
      const std::string name = rows_->column_name(k);
      if (name.empty()) fail(rows_->place("every row", k), ": no number, nothing but NaN");
      const std::string hint = rows_->number_hint();
      if (k == num_inputs_) {
        fail("column '", name, "' holds no numbers: it cannot be the target (--y)",
             hint.empty() ? "" : "; ", hint);
      }
      fail("column '", name, "' holds no numbers: ",
           arguments_.several.all_but.empty() ? "leave out its --x"
                                              : text("leave it out with --x-all-but ", name),
           " or give codes", hint.empty() ? "" : "; ", hint);
    }
  }

  // ---- learning

  /// Without names.
  zcmoe_learn_options options() const {
    zcmoe_learn_options options = ZCMOE_LEARN_OPTIONS_INIT;
    options.partition = arguments_.several.partition;
    options.nan_policy = arguments_.model.options.nan_policy;
    options.range_policy = arguments_.model.options.range_policy;
    options.num_segments = arguments_.segmentation.automatic ? 0 : arguments_.segmentation.segments;
    options.axis_segments = arguments_.several.axis_segments;
    options.budget_ns = arguments_.several.budget_ns.value_or(0.0);
    options.budget_bytes = arguments_.several.budget_bytes.value_or(0);
    options.axes = axes_.data();
    options.sample_rows = sample_rows_;
    options.weighted = weighted_ ? 1 : 0;
    options.weights_kind = arguments_.model.options.weights_kind;
    return options;
  }

  void learn() {
    if (num_rows_ == 0) fail_without_rows();
    zcmoe_learn_options options = this->options();
    std::vector<const char*> names;
    names.reserve(num_inputs_);
    for (const std::string& name : summary_.input_names) names.push_back(name.c_str());
    if (!names.empty()) options.input_names = names.data();
    if (!summary_.target_name.empty()) options.target_name = summary_.target_name.c_str();
    progress bar("learn", show_progress_);
    options.progress = keep_going;
    options.user = &bar;
    summary_.report.struct_size = sizeof summary_.report;
    zcmoe_model* made = nullptr;
    {
      stopwatch::scope timed(summary_.learning);
      const zcmoe_status status =
          in_place_ ? learn_in_place(options, &made)
                    : zcmoe_learner_finish(learner_->get(), &options, &summary_.report, &made);
      if (status == ZCMOE_ERR_DATA && in_place_) fail_without_rows_in_place();
      if (status == ZCMOE_ERR_INVALID_ARGUMENT)
        throw error(status, in_options(zcmoe_last_error()).c_str());
      check(status);
    }
    model_.emplace(made);
    learner_.reset();
    rows_->check_unchanged();
    if (in_place_) count_fates();
    info_ = points_info_of(*model_);
  }

  /// What the library says of a budget, in the words of the command line.
  static std::string in_options(std::string said) {
    const std::pair<const char*, const char*> words[] = {
        {"options->budget_ns=", "--budget-ns "}, {"options->budget_bytes=", "--budget-bytes "}};
    for (const auto& [field, option] : words) {
      const std::size_t at = said.find(field);
      if (at != std::string::npos) said.replace(at, std::strlen(field), option);
    }
    return said;
  }

  zcmoe_status learn_in_place(zcmoe_learn_options options, zcmoe_model** made) {
    const zcmoe_points points = points_of(block_.columns);
    options.sample_rows = 0;  // there are no more: they need not be copied
    return zcmoe_learn_sync(context_.get(), &points, block_.columns[num_inputs_],
                            weights_of(block_.columns), num_rows_, &options, &summary_.report,
                            made);
  }

  /// Rows in place are classified by the library.
  void count_fates() {
    auto& fates = summary_.tally.fates;
    fates[row_missing_input] = summary_.report.nan_inputs;
    fates[row_missing_target] = summary_.report.nan_targets;
    fates[row_infinite_target] = summary_.report.infinite_targets;
    fates[row_zero_weight] = summary_.report.zero_weights;
    fates[row_used] = summary_.report.rows_used;
  }

  /// The library refuses rows without saying what became of each.
  [[noreturn]] void fail_without_rows_in_place() {
    has_number_.assign(block_.columns.size(), false);
    classify();
    for (const row_fate fate : fates_) ++summary_.tally.fates[fate];
    fail_without_rows();
  }

  [[noreturn]] void fail_without_rows() const {
    fail("no usable row to learn from: ", summary_.tally.read_in_words(*rows_));
  }

  zcmoe_points points_of(const std::vector<zcmoe_array>& columns) const {
    zcmoe_points points = ZCMOE_POINTS_INIT;
    points.num_inputs = static_cast<std::int64_t>(num_inputs_);
    points.columns = columns.data();
    return points;
  }

  // ---- judging

  /// By the rows that both the model and the straight line can predict.
  void judge() {
    summary_.judged = true;
    plane_.solve();
    summary_.plane_rows = plane_.rows();
    rows_->rewind();
    progress bar("judge", show_progress_);
    while (next(block_)) {
      classify();
      std::vector<std::int64_t> test;
      for (std::int64_t i = 0; i < block_.rows; ++i) {
        if (fates_[static_cast<std::size_t>(i)] == row_used &&
            split_.held_out(block_.first_row + i)) {
          test.push_back(i);
        }
      }
      judge_by(gather(test), static_cast<std::int64_t>(test.size()));
      bar.update(rows_->done(), block_.first_row + block_.rows);
    }
  }

  void judge_by(const std::vector<zcmoe_array>& columns, std::int64_t rows) {
    std::vector<double> predictions(static_cast<std::size_t>(rows));
    const zcmoe_points points = points_of(columns);
    {
      stopwatch::scope timed(summary_.predicting);
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(predictions.data());
      check(zcmoe_predict_points_sync(model_->get(), &points, rows, &outputs, nullptr));
    }
    const std::vector<zcmoe_array> inputs = inputs_of(columns);
    std::vector<double> row(num_inputs_);
    for (std::int64_t i = 0; i < rows; ++i) {
      if (!finite_row(inputs, i, row.data())) continue;
      const double prediction = predictions[static_cast<std::size_t>(i)];
      if (std::isnan(prediction)) {
        ++summary_.not_predicted;
        continue;
      }
      const double weight = weighted_ ? element(columns[num_inputs_ + 1], i) : 1.0;
      summary_.error.add(element(columns[num_inputs_], i), weight, prediction,
                         plane_.at(row.data()), plane_.mean_y());
    }
  }

  const fit_arguments& arguments_;
  context context_;
  std::unique_ptr<row_source> rows_;
  bool weighted_;
  std::size_t num_inputs_;
  std::int64_t sample_rows_;
  row_split split_;
  bool show_progress_;
  row_block block_;
  std::vector<zcmoe_axis_options> axes_;  // of each input
  std::vector<row_fate> fates_;
  std::vector<bool> has_number_;     // of each column
  std::vector<kept_column> chosen_;  // rows of the block
  std::optional<learner> learner_;
  plane_fit plane_;
  std::int64_t num_rows_ = 0;  // to learn from
  bool in_place_ = false;      // the block is of mapped files, all of them
  std::optional<model> model_;
  std::optional<zcmoe_points_info> info_;
  learn_summary summary_;
};

}  // namespace

const char* fault_of_name(const std::string& name) {
  constexpr std::size_t longest = 1024;  // of zcmoe_model_options
  if (name.size() > longest) return "longer than 1024 bytes";
  if (name.find('\0') != std::string::npos) return "cut by a null byte";
  return is_utf8(name) ? nullptr : "not UTF-8";
}

void add_learn_options(parser& command, learn_choice& choice) {
  command
      .add_repeatable(
          "--x-all-but",
          [&choice](const std::string& given) {
            choice.all_but.push_back(given);
            return std::string();
          },
          "several inputs: all columns of the CSV header but this one and the target; given "
          "several "
          "times, but these. Without --y the only one given is the target")
      .type_name("COLUMN");
  const std::string group = "Several inputs";
  add_choice(command, "--partition", choice.partition, partition_words,
             "the kind of model: a sum of tables of one and two inputs (and a few trees); the same "
             "sum as a score whose levels are the segments; a tree; a product grid; an oblique "
             "tree, whose cuts may run across several inputs. auto takes the one with the least "
             "error on rows held out, the last left out")
      .group(group);
  command
      .add_option("--axis-segments", choice.axis_segments,
                  "the most segments that an input is cut into (253; with --partition score or "
                  "oblique up to "
                  "4,033, and the cost of another input for every 252)")
      .type_name("N")
      .check_range(std::int64_t{2}, std::int64_t{ZCMOE_MAX_FINE_SEGMENTS})
      .group(group);
  command
      .add_repeatable(
          "--axis", [&choice](const std::string& given) { return read_axis(given, choice.axes); },
          "of one input, in place of what is said of all: its column and the most segments, what "
          "is "
          "done with missing values and with those outside the range, as in "
          "age=segments:20,nan:segment,range:nan")
      .type_name("NAME=KEY:VALUE,...")
      .group(group);
  command
      .add_option("--budget-ns", choice.budget_ns,
                  "the most that a row may take, by the estimate that the table of kinds shows: "
                  "nanoseconds on one thread of the machine that it was made for")
      .type_name("NS")
      .check_range(0.001, 1e9)
      .group(group);
  command.add_option("--budget-bytes", choice.budget_bytes, "the most bytes of the model's tables")
      .type_name("N")
      .check_range(std::int64_t{1}, std::int64_t{1} << 53)
      .group(group);
}

std::string several_in_words(const fit_arguments& arguments) {
  const learn_choice& choice = arguments.several;
  const auto joined = [](const char* option, const std::vector<std::string>& values) {
    std::vector<std::string> all;
    all.reserve(values.size());
    for (const std::string& value : values) all.push_back(text(option, value));
    return list_in_words(all, 3);
  };
  if (!choice.all_but.empty()) return joined("--x-all-but ", choice.all_but);
  if (choice.inputs.size() > 1) return joined("--x ", choice.inputs);
  if (!choice.inputs.empty()) return {};
  if (is_npy_of_columns(arguments.table)) return arguments.table.inputs[0];
  const bool named = !arguments.roles[column_y].value.empty();
  return named && arguments.table.inputs.size() > 1 ? list_in_words(arguments.table.inputs, 3) : "";
}

void refuse_options_of_several(const parser& command, const fit_arguments& arguments) {
  for (const char* const name : options_of_several) {
    if (!command.given(name)) continue;
    const std::string& x = arguments.roles[column_x].value;
    fail_usage(name, ": goes with several inputs, and ",
               x.empty() ? list_in_words(arguments.table.inputs, 3) : "--x " + x,
               x.empty() ? " give one" : " is one");
  }
}

void learn_several(const parser& command, const fit_arguments& arguments,
                   const std::string& several) {
  for (const char* const name : options_of_one) {
    if (command.given(name))
      fail_usage(name, ": goes with one input, not with several (", several, ")");
  }
  const zcmoe_model_options& options = arguments.model.options;
  if (options.nan_policy == ZCMOE_NAN_VALUE) {
    fail_usage("--nan-policy value: with several inputs (", several,
               ") it is propagate or segment");
  }
  if (options.range_policy == ZCMOE_RANGE_VALUE) {
    fail_usage("--range-policy value: with several inputs (", several,
               ") it is clamp, nan or segments");
  }
  const segmentation_choice& segmentation = arguments.segmentation;
  if (!segmentation.automatic) {
    if (arguments.several.partition == ZCMOE_PARTITION_TABLES) {
      fail_usage("--segments ", segmentation.segments,
                 ": goes with --partition score, tree, grid or oblique; tables adds constants "
                 "up, and has no segments");
    }
    if (segmentation.segments > most_segments) {
      fail_usage("--segments ", segmentation.segments, ": with several inputs (", several,
                 ") not between 1 and ", most_segments);
    }
  }
  if (arguments.several.partition != ZCMOE_PARTITION_SCORE &&
      arguments.several.partition != ZCMOE_PARTITION_OBLIQUE &&
      arguments.several.axis_segments > ZCMOE_MAX_AXIS_SEGMENTS) {
    fail_usage("--axis-segments ", arguments.several.axis_segments, ": more than ",
               ZCMOE_MAX_AXIS_SEGMENTS, " go with --partition score or oblique alone");
  }
  std::int64_t sample_rows = 0;
  if (command.given("--sample-rows")) {
    sample_rows = segmentation.sample_rows;
    if (sample_rows > most_sample_rows) {
      fail_usage("--sample-rows ", sample_rows, ": with several inputs (", several,
                 ") not between 2 and ", most_sample_rows);
    }
  }
  learn_run(arguments, sample_rows).run();
}

}  // namespace zcmoe::cli
