// From rows to a model of several inputs: which kind, how large, and the model itself.
#pragma once

#include "host/engine/backend.hpp"

#include <zcmoe/points.h>

#include <cstdint>

namespace zcmoe::detail {

struct learned_model {
  bank_tables tables;
  std::int32_t partition;
  std::int64_t num_rows;
  double noise_variance;  // mean squared distance of the rows' targets from the answers
};

/// What zcmoe_learn_sync() promises; the caller has checked the arguments. Passes over rows run on
/// the threads of `engine`, which is that of the host.
learned_model learn(const backend& engine, const zcmoe_points& x, const zcmoe_array& y,
                    std::int64_t n, const zcmoe_learn_options& options, zcmoe_learn_report& report);

}  // namespace zcmoe::detail
