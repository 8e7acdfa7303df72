// From rows to a model of several inputs: which kind, how large, and the model itself.
#pragma once

#include "host/learning/row_sample.hpp"
#include "host/model/points_model.hpp"

#include <zcmoe/points.h>

#include <cstdint>

namespace zcmoe::detail {

/// What zcmoe_learn_sync() learns from n rows in host memory, without names; weights with null data
/// are none. The caller has checked
/// the arguments; options has no nulls for defaults. Fills the report, but for its struct_size.
/// Passes over the rows run on the threads of `engine` if it is that of the host, else on those of
/// one made for them.
points_data learn(backend& engine, const zcmoe_points& x, const zcmoe_array& y,
                  const zcmoe_array& weights, std::int64_t n, const zcmoe_learn_options& options,
                  zcmoe_learn_report& report);

/// Likewise from the rows of a sample, whatever options.sample_rows says.
points_data learn(backend& engine, row_sample& sample, const zcmoe_learn_options& options,
                  zcmoe_learn_report& report);

}  // namespace zcmoe::detail
