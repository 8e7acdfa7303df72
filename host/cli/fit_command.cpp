// zcmoe fit: pass 1 over the rows places the cuts (if data is needed for that), pass 2 fits, pass 3
// judges the fit by the rows held out. Every pass streams, so memory does not grow with the table.
// A table whose rows all fit into the sample for the cuts is read once and kept for the other
// passes.
#include "arguments.hpp"
#include "commands.hpp"
#include "edge_table.hpp"
#include "failure.hpp"
#include "fit_report.hpp"
#include "holdout.hpp"
#include "learn_command.hpp"
#include "model_output.hpp"
#include "number.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "progress.hpp"
#include "row_source.hpp"
#include "row_triage.hpp"
#include "say.hpp"

#include <zcmoe/zcmoe.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

const choices target_dtype_words = {
    {"auto", target_dtype_auto}, {"f32", ZCMOE_F32}, {"f64", ZCMOE_F64}};
const choices rows_words = {{"skip", ZCMOE_ROWS_SKIP}, {"error", ZCMOE_ROWS_ERROR}};
const choices determinism_words = {{"fast", ZCMOE_DETERMINISM_FAST},
                                   {"run-to-run", ZCMOE_DETERMINISM_RUN_TO_RUN},
                                   {"reproducible", ZCMOE_DETERMINISM_REPRODUCIBLE}};

/// Chosen rows of a block, copied together; the columns keep their types.
class gathered_rows {
 public:
  void gather(const row_block& block, const std::vector<std::int64_t>& chosen) {
    rows_ = static_cast<std::int64_t>(chosen.size());
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      const zcmoe_array& from = block.columns[k];
      columns_[k] = from;
      if (from.data == nullptr) continue;
      storage_[k].resize(chosen.size());
      columns_[k].data = storage_[k].data();
      auto* const to = reinterpret_cast<unsigned char*>(storage_[k].data());
      switch (element_size(from.dtype)) {
        case 1: copy(static_cast<const std::uint8_t*>(from.data), chosen, to); break;
        case 2: copy(static_cast<const std::uint16_t*>(from.data), chosen, to); break;
        case 4: copy(static_cast<const std::uint32_t*>(from.data), chosen, to); break;
        default: copy(static_cast<const std::uint64_t*>(from.data), chosen, to);
      }
    }
  }

  std::int64_t rows() const noexcept { return rows_; }
  const zcmoe_array& column(std::size_t k) const { return columns_[k]; }

 private:
  template <class T>
  static void copy(const T* from, const std::vector<std::int64_t>& chosen, unsigned char* to) {
    for (const std::int64_t row : chosen) {
      std::memcpy(to, from + row, sizeof(T));
      to += sizeof(T);
    }
  }

  std::int64_t rows_ = 0;
  std::array<zcmoe_array, 3> columns_{};
  std::array<std::vector<double>, 3> storage_;
};

class fit_run {
  struct candidate {
    candidate_table table;
    fit learned;
  };

 public:
  explicit fit_run(const fit_arguments& arguments)
      : arguments_(arguments),
        context_(arguments.engine.options()),
        rows_(open_rows(arguments.table, arguments.roles)),
        split_(arguments.holdout, arguments.seed),
        show_progress_(!arguments.talk.quiet) {}

  void run() {
    {
      stopwatch::scope timed(summary_.total);
      check_weights_kind(arguments_.model.options.weights_kind, *rows_);
      check_places();
      if (split_.active() || arguments_.segmentation.needs_data())
        rows_->make_rewindable(arguments_.segmentation.sample_rows);
      feature_name_ = name_or(arguments_.model.feature_name, column_x);
      target_name_ = name_or(arguments_.model.target_name, column_y);
      place_cuts();
      learn();
      if (split_.active()) judge();
      save_model(*model_, arguments_.output);
    }
    print_warnings(*rows_);
    const fit_report report{arguments_, summary_, *rows_, context_.info(), model_->info()};
    if (arguments_.talk.json) {
      write_to_stdout(report.as_json());
    } else if (!arguments_.talk.quiet) {
      report.say_all();
    }
  }

 private:
  void check_places() const {
    std::vector<named_output> outputs{{"--output", arguments_.output}};
    if (arguments_.talk.json) outputs.push_back({"--json", "-"});
    std::vector<std::string> inputs = rows_->files();
    if (!arguments_.segmentation.edges_file.empty())
      inputs.push_back(arguments_.segmentation.edges_file);
    check_outputs(outputs, inputs);
  }

  /// Whether several kinds of constants or experts can be candidates: where the number of learned
  /// segments is chosen, and the leave-one-out errors of all are known.
  bool can_compare() const {
    const segmentation_choice& segmentation = arguments_.segmentation;
    return segmentation.automatic && segmentation.edges_file.empty() &&
           segmentation.kind == segmentation_optimal && !rows_->has(column_weights) &&
           !(arguments_.model.options.shrinkage > 0);
  }
  bool smooth_too() const {
    return can_compare() && arguments_.model.options.constants == constants_auto &&
           (arguments_.model.options.experts == ZCMOE_EXPERTS_CONSTANT ||
            arguments_.model.options.experts == experts_auto);
  }
  bool lines_too() const {
    return can_compare() && arguments_.model.options.experts == experts_auto &&
           arguments_.model.options.constants != ZCMOE_CONSTANTS_SMOOTH;
  }

  /// The options of the first candidate, or of the only one.
  zcmoe_model_options first_model() const {
    zcmoe_model_options model = arguments_.model.options;
    if (model.constants == constants_auto) model.constants = ZCMOE_CONSTANTS_MEAN;
    if (model.experts == experts_auto) model.experts = ZCMOE_EXPERTS_CONSTANT;
    return model;
  }

  void place_cuts() {
    const segmentation_choice& segmentation = arguments_.segmentation;
    if (!segmentation.edges_file.empty()) {
      summary_.edges = edges_from_file(segmentation.edges_file);
    } else if (!arguments_.segmentation.needs_data()) {
      summary_.edges = edges_from_range(segmentation);
    } else {
      summary_.edges =
          edges_from_rows(segmentation, *rows_, true, split_,
                          {context_, first_model(), plan_options(), smooth_too(), lines_too()},
                          show_progress_, summary_.reading, summary_.segmenting);
      rows_->rewind();
    }
    if (arguments_.model.options.constants == ZCMOE_CONSTANTS_SMOOTH &&
        summary_.edges.segments() > ZCMOE_MAX_SMOOTH_SEGMENTS) {
      fail("--constants smooth takes at most ", grouped(ZCMOE_MAX_SMOOTH_SEGMENTS),
           " segments, and there are ", grouped(summary_.edges.segments()));
    }
  }

  void learn() {
    make_options();
    const zcmoe_model_options first = first_model();
    make_fit({summary_.edges.edges, summary_.edges.asked, first.constants, first.experts});
    for (candidate_table& other : summary_.edges.others) make_fit(std::move(other));
    summary_.edges.others.clear();
    progress bar("fit", show_progress_);
    row_triage triage(rules());
    row_block block;
    while (next(block)) {
      const std::vector<row_fate>& fates = triage.classify(block);
      choose_training_rows(block, fates);
      {
        stopwatch::scope timed(summary_.fitting);
        add(block);
      }
      if (split_.active()) add_to_line(block, fates);
      bar.update(rows_->done(), block.first_row + block.rows);
      summary_.tally.rows_read = block.first_row + block.rows;
    }
    summary_.bytes_read = rows_->bytes();
    stopwatch::scope timed(summary_.fitting);
    model_.emplace(candidates_.front().learned.finish());
    if (model_->info().num_rows == 0) {
      fail("no usable row to learn from: ", summary_.tally.read_in_words(*rows_));
    }
    if (candidates_.size() > 1) choose_kind();
    summary_.report = candidates_.front().learned.report();
  }

  /// Takes the model with the least leave-one-out error. Errors of the same rows share their noise,
  /// so they can be compared.
  void choose_kind() {
    const auto error_of = [](const model& fitted) {
      const zcmoe_model_info info = fitted.info();
      const bool known = std::any_of(info.counts, info.counts + info.num_segments,
                                     [](std::int64_t count) { return count > 1; });
      return known ? diagnose(fitted).totals.leave_one_out
                   : std::numeric_limits<double>::quiet_NaN();
    };
    double least = 0;
    for (const candidate& c : candidates_) {
      const bool first = summary_.compared.empty();
      model made = first ? std::move(*model_) : c.learned.finish();
      const double error = error_of(made);
      if (first || error < least) {
        model_.emplace(std::move(made));
        least = error;
        summary_.edges.edges = c.table.edges;
        summary_.edges.asked = c.table.asked;
      }
      summary_.compared.push_back({c.table.constants, c.table.experts, error});
    }
  }

  void make_fit(candidate_table table) {
    zcmoe_model_options model = arguments_.model.options;
    model.constants = table.constants;
    model.experts = table.experts;
    model.feature_name = feature_name_.empty() ? nullptr : feature_name_.c_str();
    model.target_name = target_name_.empty() ? nullptr : target_name_.c_str();
    fit learned(context_, table.edges, model, options_);
    candidates_.push_back({std::move(table), std::move(learned)});
  }

  void make_options() {
    options_ = arguments_.fit;
    options_.weighted = rows_->has(column_weights) ? 1 : 0;
    options_.target_dtype = arguments_.target_dtype;
    if (arguments_.target_dtype == target_dtype_auto) {
      const bool narrow = rows_->dtype(column_x) == ZCMOE_F32 &&
                          rows_->dtype(column_y) == ZCMOE_F32 &&
                          (options_.weighted == 0 || rows_->dtype(column_weights) == ZCMOE_F32);
      options_.target_dtype = narrow ? ZCMOE_F32 : ZCMOE_F64;
    }
  }

  /// The name to keep in the model. A header that cannot be a name is said, and no name is kept.
  std::string name_or(const std::string& given, column_number column) const {
    if (!given.empty()) return given;
    std::string name = rows_->column_name(column);
    const char* const fault = fault_of_name(name);
    if (fault == nullptr) return name;
    if (!arguments_.talk.quiet) {
      say(text("the header of ", arguments_.roles[column].option, " ",
               arguments_.roles[column].value, " is ", fault, ": the model keeps no name for it"));
    }
    return {};
  }

  triage_rules rules() const {
    const zcmoe_model_options& model = arguments_.model.options;
    triage_rules rules;
    rules.error_on_nan_input = arguments_.fit.nan_inputs == ZCMOE_ROWS_ERROR;
    rules.error_on_nonfinite_target = arguments_.fit.nonfinite_targets == ZCMOE_ROWS_ERROR;
    rules.nan_segment = model.nan_policy == ZCMOE_NAN_SEGMENT;
    rules.limited =
        model.range_policy == ZCMOE_RANGE_NAN || model.range_policy == ZCMOE_RANGE_VALUE;
    rules.view.edges = summary_.edges.edges.data();
    rules.view.num_segments = summary_.edges.segments();
    rules.view.closed_side = model.closed_side;
    rules.view.include_outer_edge = model.include_outer_edge;
    return rules;
  }

  bool next(row_block& block) {
    stopwatch::scope timed(summary_.reading);
    return rows_->next(block);
  }

  void choose_training_rows(const row_block& block, const std::vector<row_fate>& fates) {
    chosen_.clear();
    for (std::int64_t i = 0; i < block.rows; ++i) {
      const row_fate fate = fates[static_cast<std::size_t>(i)];
      ++summary_.tally.fates[fate];
      // The library skips rows out of range itself, and counts them below and above.
      if (fate != row_used && fate != row_out_of_range) continue;
      if (split_.held_out(block.first_row + i)) {
        if (fate == row_used) ++summary_.tally.rows_held_out;
      } else {
        chosen_.push_back(i);
      }
    }
  }

  /// Rows that are not learned from are left out here, so that the library never sees a held-out
  /// row.
  void add(const row_block& block) {
    const zcmoe_array* columns = block.columns.data();
    const auto rows = static_cast<std::int64_t>(chosen_.size());
    if (rows < block.rows) {
      gathered_.gather(block, chosen_);
      columns = &gathered_.column(0);
    }
    if (rows == 0) return;
    // --target-dtype f32 asks for sums of float32 even if the columns are doubles.
    const zcmoe_array y = narrowed(columns[column_y], rows, narrow_y_);
    const zcmoe_array weights = options_.weighted != 0
                                    ? narrowed(columns[column_weights], rows, narrow_weights_)
                                    : no_array();
    for (candidate& c : candidates_) c.learned.add_sync(columns[column_x], y, weights, rows);
  }

  zcmoe_array narrowed(const zcmoe_array& column, std::int64_t rows,
                       std::vector<float>& storage) const {
    if (options_.target_dtype != ZCMOE_F32 || column.dtype == ZCMOE_F32) return column;
    storage.resize(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; ++i)
      storage[static_cast<std::size_t>(i)] = static_cast<float>(element(column, i));
    return array(storage.data());
  }

  void add_to_line(const row_block& block, const std::vector<row_fate>& fates) {
    std::vector<double> x;
    std::vector<double> y;
    std::vector<double> weights;
    for (std::int64_t i = 0; i < block.rows; ++i) {
      if (!comparable(block, fates, i) || split_.held_out(block.first_row + i)) continue;
      x.push_back(element(block.columns[column_x], i));
      y.push_back(element(block.columns[column_y], i));
      if (options_.weighted != 0) weights.push_back(element(block.columns[column_weights], i));
    }
    if (!x.empty()) summary_.line.add(x, y, weights);
  }

  /// Whether both the model and the straight line can predict the row.
  static bool comparable(const row_block& block, const std::vector<row_fate>& fates,
                         std::int64_t i) {
    return fates[static_cast<std::size_t>(i)] == row_used &&
           std::isfinite(element(block.columns[column_x], i));
  }

  void judge() {
    summary_.judged = true;
    rows_->rewind();
    progress bar("judge", show_progress_);
    row_triage triage(rules());
    row_block block;
    std::vector<double> predictions;
    while (next(block)) {
      const std::vector<row_fate>& fates = triage.classify(block);
      chosen_.clear();
      for (std::int64_t i = 0; i < block.rows; ++i) {
        if (comparable(block, fates, i) && split_.held_out(block.first_row + i))
          chosen_.push_back(i);
      }
      if (chosen_.empty()) continue;
      gathered_.gather(block, chosen_);
      predictions.resize(chosen_.size());
      {
        stopwatch::scope timed(summary_.predicting);
        zcmoe_predict_outputs outputs = predict_outputs();
        outputs.values = output(predictions.data());
        model_->predict_sync(gathered_.column(column_x), gathered_.rows(), outputs);
      }
      for (std::int64_t i = 0; i < gathered_.rows(); ++i) {
        const double prediction = predictions[static_cast<std::size_t>(i)];
        if (std::isnan(prediction)) {
          ++summary_.not_predicted;
          continue;
        }
        const double weight =
            options_.weighted != 0 ? element(gathered_.column(column_weights), i) : 1.0;
        summary_.error.add(element(gathered_.column(column_y), i), weight, prediction,
                           summary_.line.at(element(gathered_.column(column_x), i)),
                           summary_.line.mean_y());
      }
      bar.update(rows_->done(), block.first_row + block.rows);
    }
  }

  const fit_arguments& arguments_;
  context context_;
  std::unique_ptr<row_source> rows_;
  row_split split_;
  bool show_progress_;
  std::string feature_name_;
  std::string target_name_;
  zcmoe_fit_options options_ = ZCMOE_FIT_OPTIONS_INIT;
  std::vector<candidate> candidates_;  // several where kinds of constants or experts are compared
  std::optional<model> model_;
  fit_summary summary_;
  std::vector<std::int64_t> chosen_;
  gathered_rows gathered_;
  std::vector<float> narrow_y_;
  std::vector<float> narrow_weights_;
};

/// Adds the options that say which rows are learned, and how.
void add_fit_options(parser& command, fit_arguments& arguments) {
  const std::string group = "Fit";
  command
      .add_option("--holdout", arguments.holdout,
                  "part of the rows kept out of the fit to judge it by, e.g. 0.2")
      .type_name("PART")
      .group(group)
      .check([](const std::string& given) {
        double value = 0;
        const bool good =
            parse_number(given, value) == field_kind::number && value >= 0 && value < 1;
        return good ? std::string() : "'" + given + "' is not a number from 0 to below 1";
      });
  command.add_option("--seed", arguments.seed, "another seed holds out other rows")
      .type_name("N")
      .capture_default_str()
      .group(group);
  add_choice(
      command, "--target-dtype", arguments.target_dtype, target_dtype_words,
      "exactness kept for targets: auto takes f32 if all columns are f4 (an eighth of the memory)")
      .group(group);
  static const choices words = [] {
    choices all = {{"auto", constants_auto}};
    all.insert(all.end(), constants_words.begin(), constants_words.end());
    return all;
  }();
  arguments.model.options.constants = constants_auto;
  add_choice(command, "--constants", arguments.model.options.constants, words,
             "what segments predict: the mean of their own rows, or a smooth fit to the means of "
             "all, which lets --segments auto take three times as many: for relations that are "
             "smooth between jumps; where there is nothing but jumps means are better. auto takes "
             "the kind with the least leave-one-out error where --segments auto cuts are optimal, "
             "smooth constants take at most 6144 segments, and there are neither weights nor "
             "--shrinkage, else means")
      .group(group);
  static const choices kinds_of_experts = [] {
    choices all = {{"auto", experts_auto}};
    all.insert(all.end(), experts_words.begin(), experts_words.end());
    return all;
  }();
  add_choice(command, "--experts", arguments.model.options.experts, kinds_of_experts,
             "what a segment answers with: its constant, a line of its own, or a line that it "
             "shares values with at its edges, so that answers are continuous; for smooth "
             "relations lines need far fewer segments. auto takes the kind with the least "
             "leave-one-out error, constants of either kind among them, where --constants auto "
             "compares, else constants")
      .group(group);
  add_choice(command, "--nan-inputs", arguments.fit.nan_inputs, rows_words,
             "rows with a missing input")
      .group(group);
  add_choice(command, "--nonfinite-targets", arguments.fit.nonfinite_targets, rows_words,
             "rows whose target is missing or infinite")
      .group(group);
  add_choice(command, "--determinism", arguments.fit.determinism, determinism_words,
             "least determinism needed; every level gives the strongest")
      .group(group);
}

}  // namespace

command_body add_fit_command(parser& command) {
  auto arguments = std::make_shared<fit_arguments>();
  add_table_options(command, arguments->table, true);
  add_column_options(command, arguments->roles, &arguments->several.inputs);
  add_learn_options(command, arguments->several);
  add_weights_kind(command, arguments->model.options.weights_kind);
  add_output_option(command, arguments->output, "model file to write; - is standard output")
      .required();
  const option edges =
      command.add_option("--edges", arguments->segmentation.edges_file,
                         "cut at these edges, one a line, as `zcmoe segment` prints them");
  arguments->segmentation.segments_text = "auto";
  add_segmentation_options(command, arguments->segmentation);
  edges.type_name("FILE").group("Segmentation");
  for (const char* other : {"--segments", "--segmentation", "--range"}) edges.excludes(other);
  add_model_options(command, arguments->model);

  add_fit_options(command, *arguments);
  add_engine_options(command, arguments->engine);
  add_talk_options(command, arguments->talk,
                   "summary as JSON on standard output instead of text on standard error");
  command.footer(
      "Examples:\n"
      "  zcmoe fit data.csv --x distance --y air_time -o model.safetensors     as many segments as "
      "the data bear\n"
      "  zcmoe fit data.csv --x distance --y air_time --segments 64 --segmentation optimal -o "
      "model.safetensors\n"
      "  zcmoe fit data.csv --x distance --y air_time --constants smooth -o model.safetensors  "
      "segments that share their rows\n"
      "  zcmoe fit data.csv --x distance --y air_time --experts linear -o model.safetensors    "
      "a line a segment\n"
      "  zcmoe fit data.csv --x 3 --y 7 --holdout 0.2 -o model.safetensors     columns by number; "
      "judged on 20 %\n"
      "  zcmoe fit x.npy y.npy --segmentation quantile -o model.safetensors    one NPY file per "
      "column\n"
      "  zcmoe fit x.npy y.npy weights.npy --range 0:10 -o model.safetensors   third file: "
      "weights\n"
      "  zcmoe fit data.csv --x distance --x dep_delay --y arr_delay -o model.safetensors      "
      "several inputs\n"
      "  zcmoe fit data.csv --x-all-but id --y arr_delay --partition tree -o model.safetensors  "
      "all columns but id and the target\n"
      "  zcmoe fit a.npy b.npy --y y.npy -o model.safetensors                  several inputs, one "
      "NPY file each, or one of shape (n, d)\n"
      "  gunzip -c data.csv.gz | zcmoe fit - --x x --y y -o model.safetensors  from standard "
      "input\n"
      "Rows with a missing field (empty, NA, NaN, null) are skipped and counted.\n"
      "NPY files hold floats of 2, 4 or 8 bytes, integers of 1 to 8 or booleans, little-endian, of "
      "shape (n,) or (n, 1); 64-bit\n"
      "integers that no float64 is are rounded to the nearest, and counted on standard error.\n"
      "No command writes over what it reads. A file appears under its name when it is whole; "
      "/dev/stdout, pipes and devices are\n"
      "written where they are.\n" +
      std::string(csv_help));
  return [arguments, command] {
    if (arguments->talk.json && arguments->output == "-") {
      fail_usage("--json and --output - both want standard output");
    }
    arguments->segmentation.check();
    if (const char* const fault = fault_of_name(arguments->model.target_name))
      fail_usage("--target-name: the text is ", fault);
    const std::string several = several_in_words(*arguments);
    if (!several.empty()) {
      learn_several(command, *arguments, several);
      return;
    }
    refuse_options_of_several(command, *arguments);
    arguments->segmentation.refuse_options_of_companders();
    const model_choice& model = arguments->model;
    if (model.options.constants == ZCMOE_CONSTANTS_SMOOTH && model.options.shrinkage > 0) {
      fail_usage(
          "--shrinkage and --constants smooth exclude each other: shrinkage draws means to one "
          "value, and smooth constants are no means");
    }
    const bool lines = model.options.experts == ZCMOE_EXPERTS_LINEAR ||
                       model.options.experts == ZCMOE_EXPERTS_INTERPOLATE;
    if (lines && model.options.shrinkage > 0)
      fail_usage("--shrinkage draws constants to one value, and --experts asks for lines");
    if (lines && model.options.constants == ZCMOE_CONSTANTS_SMOOTH)
      fail_usage("--constants smooth is for --experts constant");
    if (const char* const fault = fault_of_name(model.feature_name))
      fail_usage("--feature-name: the text is ", fault);
    fit_run(*arguments).run();
  };
}

}  // namespace zcmoe::cli
