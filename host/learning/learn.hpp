// From rows to a model of several inputs: which kind, how large, and the model itself.
#pragma once

#include "host/learning/row_sample.hpp"
#include "host/model/points_model.hpp"

#include <zcmoe/points.h>

#include <cstdint>

namespace zcmoe::detail {

/// What zcmoe_learn_sync() learns from n rows in the memory of the host or of the engine, without
/// names; weights with null data are none. The caller has checked the arguments; options has no
/// nulls for defaults. Fills the report, but for its struct_size. Codes, and the passes of which
/// tables are learned, are made by `engine`, the rest by the threads of `host`, which is the same
/// if it is that of the host.
points_data learn(backend& engine, backend& host, const zcmoe_points& x, const zcmoe_array& y,
                  const zcmoe_array& weights, std::int64_t n, const zcmoe_learn_options& options,
                  zcmoe_learn_report& report);

/// Likewise from the rows of a sample, whatever options.sample_rows says.
points_data learn(backend& engine, backend& host, row_sample& sample,
                  const zcmoe_learn_options& options, zcmoe_learn_report& report);

}  // namespace zcmoe::detail
