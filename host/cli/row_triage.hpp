// What becomes of each row of a fit: used, or skipped for one reason. The rules are those of
// zcmoe_fit_add; deciding them here too gives every row exactly one reason, for training and
// held-out rows alike, and error texts that name the row of the table.
#pragma once

#include "row_source.hpp"

#include <zcmoe/model_view.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// Roles of the columns of fit and of segment (from data).
enum column_number : std::size_t { column_x = 0, column_y = 1, column_weights = 2 };

enum row_fate : unsigned char {
  row_used,
  row_unparsable,
  row_missing_weight,
  row_missing_target,
  row_infinite_target,
  row_zero_weight,
  row_missing_input,
  row_out_of_range,
  num_row_fates
};

/// In words, and as a key of the JSON summary; null for row_used.
struct fate_text {
  const char* words;
  const char* key;
};
extern const std::array<fate_text, num_row_fates> fate_texts;

struct triage_rules {
  bool needs_target = true;  // rows without a target are skipped
  bool error_on_nan_input = false;
  bool error_on_nonfinite_target = false;
  bool nan_segment = false;  // rows with a missing input are used
  bool limited = false;      // rows outside the range of the view are skipped
  model_view view{};         // edges and closed side
};

/// What became of the rows of one pass.
struct row_tally {
  std::int64_t rows_read = 0;
  std::int64_t rows_held_out = 0;
  std::array<std::int64_t, num_row_fates> fates{};

  std::int64_t rows_skipped() const;
  /// "7 rows read, 2 not a number (first: line 3, column 'x': 'abc'), 5 held out", and how the
  /// table could be read if that is known.
  std::string read_in_words(const row_source& rows) const;
  /// "7: not a number 2, missing input 5"
  std::string skipped_in_words() const;
};

class row_triage {
 public:
  explicit row_triage(const triage_rules& rules) : rules_(rules) {}

  /// One fate per row of the block. Fails on a weight that is negative, infinite or (NPY) NaN, and
  /// as the rules say.
  const std::vector<row_fate>& classify(const row_block& block);

 private:
  template <class X, class Y>
  void classify_typed(const row_block& block, const X* x, const Y* y);
  template <class X>
  void classify_inputs(const row_block& block, const X* x);
  row_fate fate_of(const row_block& block, std::int64_t i, double x, double y) const;
  row_fate weight_fate(const row_block& block, std::int64_t i) const;

  triage_rules rules_;
  std::vector<row_fate> fates_;
  std::vector<double> widened_;  // inputs that are no floats
};

}  // namespace zcmoe::cli
