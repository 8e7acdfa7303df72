// Order of the reasons: the first that applies counts.
#include "row_triage.hpp"

#include "failure.hpp"

#include <cmath>

namespace zcmoe::cli {

const std::array<fate_text, num_row_fates> fate_texts = {{{nullptr, nullptr},
                                                          {"not a number", "unparsable"},
                                                          {"missing weight", "missing_weight"},
                                                          {"missing target", "missing_target"},
                                                          {"infinite target", "infinite_target"},
                                                          {"weight 0", "zero_weight"},
                                                          {"missing input", "missing_input"},
                                                          {"out of range", "out_of_range"}}};

const std::vector<row_fate>& row_triage::classify(const row_block& block) {
  fates_.resize(static_cast<std::size_t>(block.rows));
  const zcmoe_array& x = block.columns[column_x];
  if (x.dtype == ZCMOE_F32) {
    classify_inputs(block, static_cast<const float*>(x.data));
  } else {
    classify_inputs(block, static_cast<const double*>(x.data));
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
  const bool weighted = block.columns[column_weights].data != nullptr;
  for (std::int64_t i = 0; i < block.rows; ++i) {
    row_fate fate = row_used;
    if (block.unparsable != nullptr && block.unparsable[i] != 0) {
      fate = row_unparsable;
    } else if (weighted && (fate = weight_fate(block, i)) == row_missing_weight) {
    } else if (y != nullptr && !std::isfinite(y[i])) {
      if (rules_.error_on_nonfinite_target) {
        fail("row ", block.first_row + i + 1, ": the target is ",
             std::isnan(y[i]) ? "missing" : "infinite", " (--nonfinite-targets error)");
      }
      fate = std::isnan(y[i]) ? row_missing_target : row_infinite_target;
    } else if (fate == row_zero_weight) {
    } else if (std::isnan(x[i])) {
      if (!rules_.nan_segment) {
        if (rules_.error_on_nan_input) {
          fail("row ", block.first_row + i + 1, ": the input is missing (--nan-inputs error)");
        }
        fate = row_missing_input;
      }
    } else if (rules_.limited) {
      const auto value = static_cast<double>(x[i]);
      const bool inside = (value > rules_.lo || (value == rules_.lo && rules_.lo_included)) &&
                          (value < rules_.hi || (value == rules_.hi && rules_.hi_included));
      if (!inside) fate = row_out_of_range;
    }
    fates_[static_cast<std::size_t>(i)] = fate;
  }
}

row_fate row_triage::weight_fate(const row_block& block, std::int64_t i) const {
  if (block.missing != nullptr && (block.missing[i] >> column_weights & 1) != 0)
    return row_missing_weight;
  const double weight = element(block.columns[column_weights], i);
  if (!(weight >= 0) || std::isinf(weight)) {
    fail("row ", block.first_row + i + 1, ": the weight is ", weight,
         "; weights are finite and not negative");
  }
  return weight == 0 ? row_zero_weight : row_used;
}

}  // namespace zcmoe::cli
