// From rows of several inputs to a model of them.
#pragma once

#include "host/model/points_model.hpp"

#include <zcmoe/points.h>

#include <cstdint>

namespace zcmoe::detail {

/// What zcmoe_learn_sync() learns from n rows in host memory, without names. The caller has checked
/// the arguments; options has no nulls for defaults. Fills the report, but for its struct_size.
points_data learn(backend& engine, const zcmoe_points& x, const zcmoe_array& y, std::int64_t n,
                  const zcmoe_learn_options& options, zcmoe_learn_report& report);

}  // namespace zcmoe::detail
