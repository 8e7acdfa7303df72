// Edge builders: where the cuts go. Each returns m + 1 strictly increasing finite float64 edges;
// host only, one thread, so the same bits everywhere. zcmoe.h documents them one by one.
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace zcmoe::detail {

using edge_table = std::vector<double>;
using real_function = std::function<double(double)>;

/// Finite and strictly increasing, at least two; the error names the first bad index as `edges[i]`.
void check_edges(const double* edges, std::int64_t num_segments);

/// One segment that holds `value` alone: [value, next double above), or the segment below the
/// largest double.
edge_table single_value_edges(double value);

/// The weight itself; throws ZCMOE_ERR_DATA with the row if it is negative or not finite.
double checked_weight(double weight, std::int64_t row);

/// What the user's function answers at x, refused (NUMERIC) if it is no number, or negative where
/// that has no meaning. In compander.cpp.
double answer(const real_function& f, double x, const char* name, bool may_be_negative);

// segmentation.cpp
edge_table uniform_edges(double lo, double hi, std::int64_t num_segments);
edge_table distinct_uniform_edges(double lo, double hi,
                                  std::int64_t num_segments);  // fewer where they collapse
edge_table quantile_edges(const zcmoe_array& x, const zcmoe_array& weights, std::int64_t n,
                          std::int64_t num_segments);

// compander.cpp: edges of a point density, a_i = G^-1(i/m)
edge_table density_edges(const real_function& point_density, double lo, double hi,
                         std::int64_t num_segments, double uniform_mixture);
edge_table optimal_edges(const real_function& density, const real_function& slope, double lo,
                         double hi, std::int64_t num_segments,
                         const zcmoe_density_options& options);
edge_table density_table_edges(const double* grid, const double* point_density,
                               std::int64_t num_grid, std::int64_t num_segments,
                               double uniform_mixture);
edge_table optimal_table_edges(const double* grid, const double* density, const double* slope,
                               std::int64_t num_grid, std::int64_t num_segments,
                               const zcmoe_density_options& options);
std::vector<double> optimal_constants(const real_function& density, const real_function& regression,
                                      const double* edges, std::int64_t num_segments,
                                      zcmoe_constant_rule rule);

// plug_in.cpp: the compander of an estimated density
edge_table plug_in_edges(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                         std::int64_t n, std::int64_t num_segments,
                         const zcmoe_plug_in_options& options);
/// The cuts that stay when every segment shall hold min_count rows; below[i] = rows below cut i,
/// the outer cuts included. Short segments are joined from left to right, and what stays short
/// before a full segment goes to the neighbour with fewer rows.
std::vector<std::size_t> cuts_kept(const std::vector<std::int64_t>& below, double min_count);

}  // namespace zcmoe::detail
