// The CPU engine's loops from inputs to predictions and slots, one set an instruction set.
#pragma once

#include "host/cpu/route_table.hpp"

#include <zcmoe/model_view.hpp>

#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// n >= 0 of any size; y may be x itself. stream: y goes past the caches; it lies on a cache line.
struct route_kernels {
  route_costs costs;
  void (*values_f32)(const route_table<float>&, const float* x, float* y, std::size_t n,
                     bool stream);
  void (*values_f64)(const route_table<double>&, const double* x, double* y, std::size_t n,
                     bool stream);
  void (*ranks_f32)(const route_table<float>&, const float* x, std::uint32_t* ranks, std::size_t n);
  void (*ranks_f64)(const route_table<double>&, const double* x, std::uint32_t* ranks,
                    std::size_t n);
  /// How many inputs, before the first for which not, have from <= x < before.
  std::size_t (*leading_within_f32)(const float* x, std::size_t n, float from, float before);
  std::size_t (*leading_within_f64)(const double* x, std::size_t n, double from, double before);
  /// What the lines of slots answer: y[i] of line slots[i] at x[i] (value_of of model_view.hpp), of
  /// num_lines lines.
  void (*lines_f32)(const zcmoe_line* lines, std::size_t num_lines, const std::uint32_t* slots,
                    const float* x, float* y, std::size_t n);
  void (*lines_f64)(const zcmoe_line* lines, std::size_t num_lines, const std::uint32_t* slots,
                    const double* x, double* y, std::size_t n);
};

/// Those of a Highway target that this build has.
template <std::int64_t Target>
const route_kernels& route_kernels_of();

}  // namespace zcmoe::detail
