// Where the inputs of a column are cut.
#pragma once

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// The edges of at most max_segments segments of a column, closed on the left; the outer ones are
/// the least and the greatest value. At most max_segments distinct values get a segment each. Of
/// more, half of the cuts lie at equal mass and half with the density that suits a smooth function,
/// p^(1/3) for values of density p: cuts at equal mass alone starve the tails. Equal values are
/// never split. Empty where all values are equal: the column is no axis.
/// @param values  finite, in any order, on which nothing depends
std::vector<double> axis_edges(std::vector<double> values, std::int64_t max_segments);

/// Cuts a sequence of weights into at most max_pieces pieces, the heaviest as light as can be;
/// what pieces are left are spent on halving the heaviest. Returns the start of each piece.
std::vector<std::int64_t> even_pieces(const std::vector<double>& weights, std::int64_t max_pieces);

}  // namespace zcmoe::detail
