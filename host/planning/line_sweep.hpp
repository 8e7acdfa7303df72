// The smallest table of lines for the largest error, from values of f that are so dense that the
// chord of two neighbours tells f between them. A sweep from the left takes each segment as far
// right as one line stays within the tolerance of every value: lines of their own by the convex
// hulls of the values, so that no table of lines has fewer segments; continuous lines by the slopes
// that the value at the left end leaves open. Sources: O'Rourke 1981 for both; a line that
// minimizes the largest distance is parallel to an edge of a hull.
#pragma once

#include "host/planning/sweep.hpp"

namespace zcmoe::detail {

/// Chords between the values of a dense profile miss f by at most this part of the tolerance.
constexpr double chord_share = 1.0 / 128;

/// Inserts values of f into a sorted profile until chords tell f between them. `most` bounds the
/// number of segments that a table may have; where it cannot do with so many, the profile ends
/// early, and false is returned.
bool make_dense(const compiled_function& from, const compile_job& job, std::int64_t most,
                profile& knots);

/// The table whose lines are within `aim` of all values. It is not complete if `most` segments do
/// not reach the right end. A continuous table breaks where f jumps by more than 2 aim between
/// neighbouring doubles.
compiled_table sweep_lines(const compiled_function& from, const profile& dense,
                           const compile_job& job, std::int64_t most, double aim, bool continuous);

/// The largest distance of f from the lines of m segments of equal width: each the best line of its
/// own or, if continuous, the chord between values of f at its ends.
double uniform_lines_error(const compiled_function& from, const profile& dense,
                           const compile_job& job, std::int64_t m, bool continuous);

}  // namespace zcmoe::detail
