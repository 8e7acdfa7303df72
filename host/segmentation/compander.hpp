// Edges of a point density lambda: a_i = G^-1(i/m), where G is the normalised integral of lambda,
// called a compander in quantization theory. Either lambda is given itself, or a density p and a
// slope b' of which it is (p b'^2)^(1/3); each may be a function or a table, which is interpolated.
// include/zcmoe/zcmoe.h documents the functions as zcmoe_segment_density and zcmoe_segment_optimal.
#pragma once

#include "host/segmentation/edges.hpp"
#include "host/segmentation/real_function.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>

namespace zcmoe::detail {

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

}  // namespace zcmoe::detail
