// Makes the smallest table of a known function for a tolerance: the function goes in, a model made
// by the caller's table_maker and a zcmoe_compile_result come out. include/zcmoe/compile.h
// documents both.
#pragma once

#include "host/segmentation/real_function.hpp"

#include <zcmoe/compile.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace zcmoe::detail {

struct compile_job {
  real_function function;
  real_function density;  // empty if uniform
  double lo;
  double hi;
  double tolerance;
  zcmoe_compile_options options;
  bool closed_right;
  std::int32_t experts;  // ZCMOE_EXPERTS_...
  bool outer_edge;       // whether the open end of the range belongs to the table too
};

/// Predicts a batch of inputs with a table.
using table_predictions = std::function<std::vector<double>(const std::vector<double>& inputs)>;
/// Makes a model of edges and experts, which replaces the one made before. Constants are level
/// lines.
using table_maker = std::function<table_predictions(const std::vector<double>& edges,
                                                    const std::vector<zcmoe_line>& experts)>;

/// Makes tables until one meets the tolerance, which is the last one that `make` has made. Throws
/// if none does.
zcmoe_compile_result compile_table(const compile_job& job, const table_maker& make);

}  // namespace zcmoe::detail
