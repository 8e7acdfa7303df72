// Constants that share: what the segments of a fine table predict, from one low-noise fit to the
// means of all of them (pilot.hpp) in place of a mean each. The mean of N rows errs by their
// variance / N; a fit of few parameters to the means of m segments errs by about parameters / m of
// that, so m may be large enough for what segments of constant prediction miss not to matter. The
// means come from exact sums, so the constants depend neither on the order of the rows nor on the
// engine.
#pragma once

#include "host/segmentation/empty_segments.hpp"

#include <cstddef>
#include <vector>

namespace zcmoe::detail {

/// [num_segments] each. NaN for segments without rows.
struct smooth_constants {
  std::vector<double> values;           // finite
  std::vector<double> standard_errors;  // of the values; all NaN below two rows in all
};

/// What is known of the noise in the mean of a segment: variance / effective_rows is that of the
/// mean, where `variance` is an estimate of so many degrees of freedom. All segments whose rows are
/// equally noisy have the same variance.
struct segment_noise {
  double variance;        // NaN if it has one row
  double effective_rows;  // (sum w)^2 / sum w^2; of precisions the weight over the mean weight
  double freedom;
};

/// The smooth constants of segments with rows of the given noise, one a segment. A segment that
/// holds rows of both sides of a jump keeps its own mean: that is the best constant there, and no
/// fit to either side is.
smooth_constants smooth_constants_of(const segment_rows& rows, const segment_noise* noise);

}  // namespace zcmoe::detail
