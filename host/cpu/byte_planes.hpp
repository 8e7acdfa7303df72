// Prediction from byte planes, with AVX-512 VBMI: see byte_planes.cpp.
#pragma once

#include "host/cpu/route_table.hpp"

#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

/// Whether this build and this machine have the instructions.
bool have_byte_planes();
/// n a multiple of 64. Only where have_byte_planes().
void planes_values(const route_table<float>& table, const float* x, float* y, std::size_t n,
                   bool stream);
void planes_ranks(const route_table<float>& table, const float* x, std::uint32_t* ranks,
                  std::size_t n);
/// The slots of inputs as bytes; all of them must be below 256. Returns whether one of them is not
/// below `segments`.
bool planes_codes(const route_table<float>& table, const float* x, std::uint8_t* codes,
                  std::size_t n, std::uint8_t segments);

}  // namespace zcmoe::detail
