// A stand-in: the mean of the targets, whatever the inputs.
#include "host/learning/learn.hpp"

#include <cmath>

namespace zcmoe::detail {

points_data learn(backend&, const zcmoe_points& x, const zcmoe_array& y, std::int64_t n,
                  const zcmoe_learn_options& options, zcmoe_learn_report& report) {
  if (options.progress != nullptr && options.progress(options.user, 0.0) != 0)
    fail(ZCMOE_ERR_CANCELLED, "progress said to stop");
  const any_array targets = any(y);
  double sum = 0;
  std::int64_t used = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(targets[i])) continue;
    sum += targets[i];
    ++used;
  }
  if (used == 0) fail(ZCMOE_ERR_DATA, "none of the ", n, " rows has a finite target");
  report.rows = n;
  report.rows_used = used;
  points_data data;
  data.tables.num_inputs = static_cast<std::int32_t>(x.num_inputs);
  data.tables.head.exponent = -20;
  data.tables.head.base = static_cast<std::int64_t>(sum / static_cast<double>(used) * 0x1p20);
  data.num_rows = used;
  return data;
}

}  // namespace zcmoe::detail
