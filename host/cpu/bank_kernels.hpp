// The CPU engine's loops over codes of blocks of rows: codes -> cells, and bytes -> constants,
// which are added to scores. One set for any processor, one that keeps tables in AVX-512 registers.
#pragma once

#include "host/cpu/dispatch.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// A byte of each byte.
struct alignas(64) byte_map {
  std::uint8_t of[256];
};

/// What a bank adds for a byte, a code or a cell, beyond the least of its constants.
struct constant_table {
  std::int32_t axis;  // whose code it is; unused of cells
  int room;           // 64, 128 or 256: bytes are below it
  int num_planes;     // bytes that differences take, 2 to 4
  byte_map planes[4];
  std::uint32_t more[256];
};

/// Cells by the codes of some axes.
struct code_cells {
  struct axis {
    std::int32_t number;
    int room;  // 64, 128 or 256: codes are below it
    std::uint32_t offsets[256];
    byte_map low;   // the offsets' lowest byte
    byte_map high;  // the next one
  };
  std::vector<axis> axes;
  std::int64_t num_cells;
};

/// Codes are [axes][stride]. `count` rows are written; up to the next multiple of 64 more may be
/// read and written, so that arrays have room for them.
struct bank_kernels {
  void (*add_i32)(const constant_table* tables, std::size_t num_tables, const std::uint8_t* codes,
                  std::int64_t stride, int count, std::int32_t* scores);
  void (*add_i64)(const constant_table* tables, std::size_t num_tables, const std::uint8_t* codes,
                  std::int64_t stride, int count, std::int64_t* scores);
  /// Of at most 256 and of at most 65,536 cells.
  void (*cells_u8)(const code_cells& table, const std::uint8_t* codes, std::int64_t stride,
                   int count, std::uint8_t* cells);
  void (*cells_u16)(const code_cells& table, const std::uint8_t* codes, std::int64_t stride,
                    int count, std::uint16_t* cells);
  /// Writes the floats nearest to scores times scale; `streams`: past the caches, to a line. Null
  /// where there is no faster way than a plain loop.
  void (*scaled_f32)(const std::int32_t* scores, int count, float scale, float* values,
                     bool streams);
};

const bank_kernels& bank_kernels_of(const cpu_target& target);

}  // namespace zcmoe::detail
