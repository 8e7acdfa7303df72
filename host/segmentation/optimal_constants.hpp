// The constants of given segments for a known density p and regression b: the mean of b under p in
// each segment, or b at its middle.
#pragma once

#include "host/segmentation/real_function.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

std::vector<double> optimal_constants(const real_function& density, const real_function& regression,
                                      const double* edges, std::int64_t num_segments,
                                      zcmoe_constant_rule rule);

}  // namespace zcmoe::detail
