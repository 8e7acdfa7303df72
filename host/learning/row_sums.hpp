// Passes over rows: whole numbers, so that chunks and threads do not show.
#pragma once

#include "host/learning/coded_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// What a table of one axis or a grid of two adds, in units of y: the value of the cell
/// first[code of axes[0]] + second[code of axes[1]].
struct cell_map {
  int axes[2] = {-1, -1};  // -1: none
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  std::int64_t cells = 0;

  std::size_t cell(const coded_rows& rows, std::size_t i) const {
    const auto n = static_cast<std::size_t>(rows.n);
    std::int32_t at = first[rows.codes[static_cast<std::size_t>(axes[0]) * n + i]];
    if (axes[1] >= 0) at += second[rows.codes[static_cast<std::size_t>(axes[1]) * n + i]];
    return static_cast<std::size_t>(at);
  }
};

/// Sums of weight times `values`, [n], or of weights where it is null, by part and cell: [parts *
/// cells]. Chunks of rows are shared out.
std::vector<std::int64_t> sums_by_cell(const coded_rows& rows, const cell_map& map,
                                       const std::int64_t* values, const run_parts& run);
/// The same on the caller's thread.
std::vector<std::int64_t> sums_by_cell(const coded_rows& rows, const cell_map& map,
                                       const std::int64_t* values);

/// values[i] -= amounts[map][cell of row i], for every map.
void subtract(const coded_rows& rows, const std::vector<cell_map>& maps,
              const std::vector<std::vector<std::int64_t>>& amounts,
              std::vector<std::int64_t>& values, const run_parts& run);

/// Chunks of rows that are shared out: a function of n alone.
struct row_chunks {
  std::int64_t n;
  std::int64_t count;

  explicit row_chunks(std::int64_t num_rows);
  std::int64_t begin(std::int64_t chunk) const { return chunk * size(); }
  std::int64_t end(std::int64_t chunk) const { return chunk + 1 == count ? n : begin(chunk + 1); }
  std::int64_t size() const { return count == 0 ? 0 : n / count; }
};

}  // namespace zcmoe::detail
