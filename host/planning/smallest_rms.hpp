// The smallest table for the root of the mean squared error: one bound for all segments, the
// largest for which the whole error meets the tolerance (a search over sweeps); a table of few
// segments is the best partition along the cuts of a fine one. Source: equal segment errors are the
// optimum at high rate, Panter & Dite 1951.
#pragma once

#include "host/planning/sweep.hpp"

namespace zcmoe::detail {

/// The smallest RMS table whose squared error, an integral over the range, is at most `limit`.
compiled_table smallest_rms(const compiled_function& from, const rms_sweep& sweep,
                            const compile_job& job, double limit);

}  // namespace zcmoe::detail
