// The smallest table of a known function: include/zcmoe/compile.h documents it.
#pragma once

#include "host/segmentation/real_function.hpp"

#include <zcmoe/compile.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace zcmoe::detail {

struct compile_job {
  real_function function;
  real_function density;  // empty: uniform
  double lo;
  double hi;
  double tolerance;
  zcmoe_compile_options options;
  bool closed_right;
  bool outer_edge;  // the open end of the range is answered too
};

/// What a table answers to a batch of inputs.
using table_answers = std::function<std::vector<double>(const std::vector<double>& inputs)>;
/// Makes a table of edges and constants, in place of the one before.
using table_maker = std::function<table_answers(const std::vector<double>& edges,
                                                const std::vector<double>& constants)>;

/// Makes tables until one keeps the tolerance; the last one made is it. Else throws.
zcmoe_compile_result compile_table(const compile_job& job, const table_maker& make);

}  // namespace zcmoe::detail
