// The C functions that make edges and known constants: they check the arguments and call
// host/segmentation.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/options.hpp"
#include "host/segmentation/compander.hpp"
#include "host/segmentation/learned.hpp"
#include "host/segmentation/optimal_constants.hpp"
#include "host/segmentation/plug_in.hpp"
#include "host/segmentation/quantile.hpp"
#include "host/segmentation/uniform.hpp"

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

using namespace zcmoe::detail;

zcmoe_density_options read(const zcmoe_density_options* given) {
  const auto options =
      read_options(given, zcmoe_density_options ZCMOE_DENSITY_OPTIONS_INIT, "options");
  check_share(options.uniform_mixture, "options->uniform_mixture");
  check_amount(options.floor, "options->floor");
  return options;
}

void check_grid(const double* grid, std::int64_t num_grid) {
  ZCMOE_EXPECTS(num_grid >= 2, "num_grid=", num_grid, "; expected at least 2");
  check_pointer(grid, "grid");
  for (std::int64_t i = 0; i < num_grid; ++i) {
    ZCMOE_EXPECTS(std::isfinite(grid[i]), "grid[", i, "]=", grid[i], " is not finite");
    ZCMOE_EXPECTS(i == 0 || grid[i - 1] < grid[i], "grid[", i, "]=", grid[i],
                  " is not greater than grid[", i - 1, "]=", grid[i - 1]);
  }
}

void check_column(const double* column, std::int64_t num_grid, const char* name,
                  bool may_be_negative) {
  check_pointer(column, name);
  for (std::int64_t i = 0; i < num_grid; ++i) {
    ZCMOE_EXPECTS(std::isfinite(column[i]), name, "[", i, "]=", column[i], " is not finite");
    ZCMOE_EXPECTS(may_be_negative || column[i] >= 0, name, "[", i, "]=", column[i],
                  "; expected a number >= 0");
  }
}

void check_samples(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                   std::int64_t n, std::int64_t num_segments) {
  check_num_rows(n);
  check_input("x", x, n);
  check_values("y", y, n);
  if (weights.data != nullptr) check_values("weights", weights, n);
  check_num_segments(num_segments);
}

/// Checks the arguments and builds edges from samples.
zcmoe_status learned(const char* function, decltype(learned_edges)* build, const zcmoe_array& x,
                     const zcmoe_array& y, const zcmoe_array& weights, std::int64_t n,
                     std::int64_t num_segments, double* edges, std::int64_t* num_built) {
  return guard(function, [&] {
    check_samples(x, y, weights, n, num_segments);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(build(x, y, weights, n, num_segments), edges, num_built);
  });
}

}  // namespace

extern "C" {

zcmoe_status zcmoe_segment_uniform(double lo, double hi, int64_t num_segments, double* edges) {
  return guard("zcmoe_segment_uniform", [&] {
    check_range(lo, hi);
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    give_edges(uniform_edges(lo, hi, num_segments), edges, nullptr);
  });
}

zcmoe_status zcmoe_segment_check(const double* edges, int64_t num_segments) {
  return guard("zcmoe_segment_check", [&] {
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    check_edges(edges, num_segments);
  });
}

zcmoe_status zcmoe_segment_quantile(zcmoe_array x, zcmoe_array weights, int64_t n,
                                    int64_t num_segments, double* edges, int64_t* num_built) {
  return guard("zcmoe_segment_quantile", [&] {
    check_num_rows(n);
    check_input("x", x, n);
    if (weights.data != nullptr) check_values("weights", weights, n);
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(quantile_edges(x, weights, n, num_segments), edges, num_built);
  });
}

zcmoe_status zcmoe_segment_optimal(zcmoe_function density, zcmoe_function slope, void* user,
                                   double lo, double hi, int64_t num_segments,
                                   const zcmoe_density_options* options, double* edges,
                                   int64_t* num_built) {
  return guard("zcmoe_segment_optimal", [&] {
    check_pointer(density, "density");
    check_pointer(slope, "slope");
    check_range(lo, hi);
    check_num_segments(num_segments);
    const zcmoe_density_options chosen = read(options);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(
        optimal_edges(bound(density, user), bound(slope, user), lo, hi, num_segments, chosen),
        edges, num_built);
  });
}

zcmoe_status zcmoe_segment_optimal_table(const double* grid, const double* density,
                                         const double* slope, int64_t num_grid,
                                         int64_t num_segments, const zcmoe_density_options* options,
                                         double* edges, int64_t* num_built) {
  return guard("zcmoe_segment_optimal_table", [&] {
    check_grid(grid, num_grid);
    check_column(density, num_grid, "density", false);
    check_column(slope, num_grid, "slope", true);
    check_num_segments(num_segments);
    const zcmoe_density_options chosen = read(options);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(optimal_table_edges(grid, density, slope, num_grid, num_segments, chosen), edges,
               num_built);
  });
}

zcmoe_status zcmoe_segment_density(zcmoe_function point_density, void* user, double lo, double hi,
                                   int64_t num_segments, const zcmoe_density_options* options,
                                   double* edges, int64_t* num_built) {
  return guard("zcmoe_segment_density", [&] {
    check_pointer(point_density, "point_density");
    check_range(lo, hi);
    check_num_segments(num_segments);
    const zcmoe_density_options chosen = read(options);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(
        density_edges(bound(point_density, user), lo, hi, num_segments, chosen.uniform_mixture),
        edges, num_built);
  });
}

zcmoe_status zcmoe_segment_density_table(const double* grid, const double* point_density,
                                         int64_t num_grid, int64_t num_segments,
                                         const zcmoe_density_options* options, double* edges,
                                         int64_t* num_built) {
  return guard("zcmoe_segment_density_table", [&] {
    check_grid(grid, num_grid);
    check_column(point_density, num_grid, "point_density", false);
    check_num_segments(num_segments);
    const zcmoe_density_options chosen = read(options);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(
        density_table_edges(grid, point_density, num_grid, num_segments, chosen.uniform_mixture),
        edges, num_built);
  });
}

zcmoe_status zcmoe_segment_optimal_from_data(zcmoe_array x, zcmoe_array y, zcmoe_array weights,
                                             int64_t n, int64_t num_segments, double* edges,
                                             int64_t* num_built) {
  return learned("zcmoe_segment_optimal_from_data", learned_edges, x, y, weights, n, num_segments,
                 edges, num_built);
}

zcmoe_status zcmoe_segment_lines_from_data(zcmoe_array x, zcmoe_array y, zcmoe_array weights,
                                           int64_t n, int64_t num_segments, double* edges,
                                           int64_t* num_built) {
  return learned("zcmoe_segment_lines_from_data", learned_line_edges, x, y, weights, n,
                 num_segments, edges, num_built);
}

zcmoe_status zcmoe_segment_compander_from_data(zcmoe_array x, zcmoe_array y, zcmoe_array weights,
                                               int64_t n, int64_t num_segments,
                                               const zcmoe_plug_in_options* options, double* edges,
                                               int64_t* num_built) {
  return guard("zcmoe_segment_compander_from_data", [&] {
    check_samples(x, y, weights, n, num_segments);
    const auto chosen =
        read_options(options, zcmoe_plug_in_options ZCMOE_PLUG_IN_OPTIONS_INIT, "options");
    check_share(chosen.uniform_mixture, "options->uniform_mixture");
    check_amount(chosen.floor, "options->floor");
    check_amount(chosen.min_count, "options->min_count");
    check_size(chosen.pilot_bins, "options->pilot_bins", 0, ZCMOE_MAX_PILOT_BINS);
    check_pointer(edges, "edges");
    check_pointer(num_built, "num_built");
    give_edges(plug_in_edges(x, y, weights, n, num_segments, chosen), edges, num_built);
  });
}

zcmoe_status zcmoe_optimal_constants(zcmoe_function density, zcmoe_function regression, void* user,
                                     const double* edges, int64_t num_segments,
                                     zcmoe_constant_rule rule, double* constants) {
  return guard("zcmoe_optimal_constants", [&] {
    check_pointer(density, "density");
    check_pointer(regression, "regression");
    check_num_segments(num_segments);
    check_pointer(edges, "edges");
    check_edges(edges, num_segments);
    ZCMOE_EXPECTS(rule == ZCMOE_CONSTANT_MEAN || rule == ZCMOE_CONSTANT_MIDPOINT, "rule=", rule,
                  "; expected ZCMOE_CONSTANT_MEAN (0) or ZCMOE_CONSTANT_MIDPOINT (1)");
    check_pointer(constants, "constants");
    const auto table =
        optimal_constants(bound(density, user), bound(regression, user), edges, num_segments, rule);
    std::copy(table.begin(), table.end(), constants);
  });
}

}  // extern "C"
