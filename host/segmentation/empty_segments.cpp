// Carries out the policies for segments without rows: see empty_segments.hpp.
#include "host/segmentation/empty_segments.hpp"

#include "host/numbers/compensated_sum.hpp"

#include <cmath>
#include <limits>

namespace zcmoe::detail {

double mean_of_rows(const segment_rows& rows, std::size_t first, std::size_t last) {
  const auto given = [&](std::size_t i) {
    return rows.weights == nullptr ? static_cast<double>(rows.counts[i]) : rows.weights[i];
  };
  double largest = 0.0;
  for (std::size_t i = first; i < last; ++i) largest = std::max(largest, given(i));
  const auto weight_of = [&](std::size_t i) {
    return std::isinf(largest) ? static_cast<double>(rows.counts[i]) : given(i) / largest;
  };
  compensated_sum weight;
  bool any = false;
  for (std::size_t i = first; i < last; ++i) {
    if (rows.counts[i] == 0) continue;
    any = true;
    weight.add(weight_of(i));
  }
  if (!any) return std::numeric_limits<double>::quiet_NaN();
  compensated_sum mean;
  for (std::size_t i = first; i < last; ++i) {
    if (rows.counts[i] != 0) mean.add(rows.means[i] * (weight_of(i) / weight.value()));
  }
  return mean.value();
}

empty_segment_constants::empty_segment_constants(const segment_rows& rows,
                                                 const zcmoe_model_options& options)
    : rows_(rows),
      policy_(options.empty_policy),
      value_(options.empty_value),
      with_rows_(rows.edges, rows.num_segments, [&](std::size_t i) { return rows.counts[i] > 0; }) {
}

double empty_segment_constants::of(std::size_t i, double mean_of_others) {
  double constant = std::numeric_limits<double>::quiet_NaN();
  switch (policy_) {
    case ZCMOE_EMPTY_VALUE: return value_;
    case ZCMOE_EMPTY_GLOBAL_MEAN: return mean_of_others;
    case ZCMOE_EMPTY_NEAREST:
      with_rows_.nearest_first(i, [&](std::size_t j) {
        constant = rows_.means[j];
        return false;
      });
      return constant;
    case ZCMOE_EMPTY_PARENT:
      // The smallest block around i that has rows has all of them in its other half, `block`.
      stand_ins::block_by_block(i, rows_.num_segments, [&](std::size_t level, std::size_t block) {
        const std::size_t first = block << level;
        const std::size_t last = std::min((block + 1) << level, rows_.num_segments);
        if (!with_rows_.any_in(first, last)) return true;
        if (first != block_first_ || last != block_last_) {
          block_first_ = first;
          block_last_ = last;
          block_mean_ = mean_of_rows(rows_, first, last);
        }
        constant = block_mean_;
        return false;
      });
      return constant;
    default: return constant;
  }
}

}  // namespace zcmoe::detail
