// The arguments that several subcommands share, bound to plain structs: table, engine,
// segmentation, model policies.
#pragma once

#include "failure.hpp"
#include "parser.hpp"
#include "row_source.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {

using choices = std::vector<std::pair<std::string, std::int32_t>>;

/// An option whose value is one of a few words.
option add_choice(parser& command, const std::string& name, std::int32_t& target, choices words,
                  const std::string& help);

/// The word that stands for a value. Summaries use it.
std::string word_of(const choices& words, std::int32_t value);

/// Whether the summary is JSON on standard output, and whether there is one at all.
struct talk_choice {
  bool json = false;
  bool quiet = false;
};
void add_talk_options(parser& command, talk_choice& talk, const std::string& json_help);

/// -o, --output; an empty name is refused.
option add_output_option(parser& command, std::string& path, const std::string& help);

/// Positional inputs and the options of the CSV reader.
void add_table_options(parser& command, table_choice& table, bool required);
void add_csv_options(parser& command, table_choice& table);
/// What is read as a number, and what is refused; for the footers of --help.
extern const char csv_help[];
/// --x, --y and --weights: roles column_x, column_y, column_weights. A second --x goes to inputs,
/// with the first; where there are none it is refused.
void add_column_options(parser& command, std::vector<column_role>& roles,
                        std::vector<std::string>* inputs = nullptr);
/// --x alone. The words say what it is.
option add_input_option(parser& command, std::string& x, std::vector<std::string>* inputs,
                        const std::string& words);
/// --weights-kind, and a usage error where it speaks of weights that rows lack.
void add_weights_kind(parser& command, std::int32_t& kind);
void check_weights_kind(std::int32_t kind, const row_source& rows);

struct engine_choice {
  std::string device = "auto";
  std::int32_t threads = 0;
  /// Fails with a usage error on a device that is not auto, cpu, cuda or cuda:N.
  zcmoe_context_options options() const;
};
void add_engine_options(parser& command, engine_choice& engine);

/// The two ends of --range LO:HI. A text of another form is a usage error.
std::pair<double, double> range_of(const std::string& range_text);

/// In the order of ZCMOE_PLAN_UNIFORM and so on.
enum segmentation_kind : std::int32_t {
  segmentation_uniform,
  segmentation_quantile,
  segmentation_optimal,
  segmentation_compander
};
extern const choices segmentation_words;

struct segmentation_choice {
  std::int32_t kind = segmentation_optimal;
  std::string segments_text = "64";
  std::int64_t segments = 64;  // set by check()
  bool automatic = false;      // set by check(): a plan chooses how many
  std::string range_text;
  std::optional<std::pair<double, double>> range;  // set by check()
  std::string edges_file;
  std::optional<double> uniform_mixture;
  std::optional<double> floor;
  std::optional<double> min_count;
  std::optional<std::int64_t> pilot_bins;
  std::int64_t sample_rows = std::int64_t{1} << 21;

  /// Reads the number of segments and the range. A text that is neither is a usage error.
  void check();
  /// Fails with a usage error if an option that places a compander's cuts is given for others.
  void refuse_options_of_companders() const;
  /// Whether the cuts depend on the rows. To be asked after check().
  bool needs_data() const;
  zcmoe_plug_in_options plug_in() const;
  zcmoe_density_options density() const;
};
/// Adds the number and kind of segments, and all that add_placement_options adds.
void add_segmentation_options(parser& command, segmentation_choice& segmentation);
/// Adds the options that cuts of every number and kind depend on.
void add_placement_options(parser& command, segmentation_choice& segmentation);

extern const choices closed_side_words;
extern const choices nan_policy_words;
extern const choices range_policy_words;
extern const choices empty_policy_words;
extern const choices constants_words;
extern const choices weights_words;
/// Whether the weights of a model say how precise its rows are.
bool has_precisions(const zcmoe_model_info& info);
/// Which rows have the standard deviation within segments; nothing if all have.
const char* precision_in_words(const zcmoe_model_info& info);
extern const choices experts_words;
/// Of experts that are lines.
const char* experts_in_words(std::int32_t experts);
/// Of `zcmoe fit` alone: the kind with the least leave-one-out error.
constexpr std::int32_t constants_auto = -1;
constexpr std::int32_t experts_auto = -1;

/// zcmoe_model_options with the texts it points to.
struct model_choice {
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  std::string feature_name;
  std::string target_name;
};
void add_model_options(parser& command, model_choice& model);

}  // namespace zcmoe::cli
