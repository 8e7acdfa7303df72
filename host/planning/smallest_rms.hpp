// The smallest table for the root of the mean squared error. A table is made by a sweep with one
// bound for the errors of all segments; sweeps look for the largest bound for which the whole error
// meets the tolerance. For few segments the best partition along the cuts of a fine table is better
// still. Source: equal errors of segments are optimal at high rate, Panter & Dite 1951.
#pragma once

#include "host/planning/sweep.hpp"

namespace zcmoe::detail {

/// The smallest table whose squared error, integrated over the range, is at most `limit`. It is not
/// complete if more than `most` segments would be needed.
compiled_table smallest_rms(const compiled_function& from, const rms_sweep& sweep, double limit,
                            std::int64_t most);

}  // namespace zcmoe::detail
