// A row can be skipped for several reasons: the first in the order below is the one counted.
#include "row_triage.hpp"

#include "failure.hpp"
#include "number.hpp"

#include <cmath>
#include <numeric>

namespace zcmoe::cli {

const std::array<fate_text, num_row_fates> fate_texts = {{{nullptr, nullptr},
                                                          {"not a number", "unparsable"},
                                                          {"missing weight", "missing_weight"},
                                                          {"missing target", "missing_target"},
                                                          {"infinite target", "infinite_target"},
                                                          {"weight 0", "zero_weight"},
                                                          {"missing input", "missing_input"},
                                                          {"out of range", "out_of_range"}}};

std::int64_t row_tally::rows_skipped() const {
  return std::accumulate(fates.begin() + row_used + 1, fates.end(), std::int64_t{0});
}

std::string row_tally::read_in_words(const row_source& rows) const {
  const std::string first_unparsable = rows.first_unparsable();
  const std::string hint = rows.number_hint();
  std::string words = text(grouped(rows_read), " rows read");
  for (std::size_t fate = row_used + 1; fate < num_row_fates; ++fate) {
    if (fates[fate] == 0) continue;
    words += text(", ", grouped(fates[fate]), " ", fate_texts[fate].words);
    if (fate == row_unparsable && !first_unparsable.empty())
      words += text(" (first: ", first_unparsable, ")");
  }
  if (rows_held_out > 0) words += text(", ", grouped(rows_held_out), " held out");
  if (!hint.empty()) words += text("; ", hint);
  return words;
}

std::string row_tally::skipped_in_words() const {
  std::string words = grouped(rows_skipped());
  const char* separator = ": ";
  for (std::size_t fate = row_used + 1; fate < num_row_fates; ++fate) {
    if (fates[fate] == 0) continue;
    words += text(separator, fate_texts[fate].words, " ", grouped(fates[fate]));
    separator = ", ";
  }
  return words;
}

const std::vector<row_fate>& row_triage::classify(const row_block& block) {
  fates_.resize(static_cast<std::size_t>(block.rows));
  const zcmoe_array& x = block.columns[column_x];
  if (x.dtype == ZCMOE_F32) {
    classify_inputs(block, static_cast<const float*>(x.data));
  } else if (x.dtype == ZCMOE_F64) {
    classify_inputs(block, static_cast<const double*>(x.data));
  } else {
    widened_.resize(fates_.size());
    for (std::int64_t i = 0; i < block.rows; ++i)
      widened_[static_cast<std::size_t>(i)] = element(x, i);
    classify_inputs(block, widened_.data());
  }
  return fates_;
}

template <class X>
void row_triage::classify_inputs(const row_block& block, const X* x) {
  const zcmoe_array& y = block.columns[column_y];
  if (!rules_.needs_target) {
    classify_typed<X, double>(block, x, nullptr);
  } else if (y.dtype == ZCMOE_F32) {
    classify_typed(block, x, static_cast<const float*>(y.data));
  } else {
    classify_typed(block, x, static_cast<const double*>(y.data));
  }
}

template <class X, class Y>
void row_triage::classify_typed(const row_block& block, const X* x, const Y* y) {
  for (std::int64_t i = 0; i < block.rows; ++i) {
    fates_[static_cast<std::size_t>(i)] = fate_of(block, i, static_cast<double>(x[i]),
                                                  y != nullptr ? static_cast<double>(y[i]) : 0.0);
  }
}

row_fate row_triage::fate_of(const row_block& block, std::int64_t i, double x, double y) const {
  if (block.unparsable != nullptr && block.unparsable[i] != 0) return row_unparsable;
  const row_fate weight = weight_fate(block, i);
  if (weight == row_missing_weight) return weight;
  if (!std::isfinite(y)) {
    if (rules_.error_on_nonfinite_target) {
      fail(block.place(i, column_y), ": the target is ", std::isnan(y) ? "missing" : "infinite",
           " (--nonfinite-targets error)");
    }
    return std::isnan(y) ? row_missing_target : row_infinite_target;
  }
  if (weight == row_zero_weight) return weight;
  if (std::isnan(x)) {
    if (rules_.nan_segment) return row_used;
    if (rules_.error_on_nan_input) {
      fail(block.place(i, column_x), ": the input is missing (--nan-inputs error)");
    }
    return row_missing_input;
  }
  if (!rules_.limited) return row_used;
  return rules_.view.is_below(x) || rules_.view.is_above(x) ? row_out_of_range : row_used;
}

row_fate row_triage::weight_fate(const row_block& block, std::int64_t i) const {
  if (block.columns[column_weights].data == nullptr) return row_used;
  if (block.missing != nullptr && (block.missing[i] >> column_weights & 1) != 0)
    return row_missing_weight;
  const double weight = element(block.columns[column_weights], i);
  if (!(weight >= 0) || std::isinf(weight)) {
    fail(block.place(i, column_weights), ": the weight is ", weight,
         "; weights are finite and not negative");
  }
  return weight == 0 ? row_zero_weight : row_used;
}

}  // namespace zcmoe::cli
