#include "host/learning/row_sums.hpp"

#include <algorithm>

namespace zcmoe::detail {
namespace {

/// body(cell of the row, row) for rows of a chunk.
template <class Body>
void for_each_cell(const coded_rows& rows, const cell_map& map, std::int64_t begin,
                   std::int64_t end, const Body& body) {
  if (map.axes[0] < 0) return;
  const std::uint8_t* a = rows.codes_of(map.axes[0]);
  const std::int32_t* first = map.first.data();
  if (map.axes[1] < 0) {
    for (std::int64_t i = begin; i < end; ++i) body(first[a[i]], i);
    return;
  }
  const std::uint8_t* b = rows.codes_of(map.axes[1]);
  const std::int32_t* second = map.second.data();
  for (std::int64_t i = begin; i < end; ++i) body(first[a[i]] + second[b[i]], i);
}

void add_chunk(const coded_rows& rows, const cell_map& map, const std::int64_t* values,
               std::int64_t begin, std::int64_t end, std::vector<std::int64_t>& sums) {
  const std::uint8_t* part = rows.part.data();
  std::int64_t* to = sums.data();
  if (rows.weights.empty()) {
    for_each_cell(rows, map, begin, end, [&](std::int32_t cell, std::int64_t i) {
      to[part[i] * map.cells + cell] += values == nullptr ? 1 : values[i];
    });
  } else {
    const std::uint32_t* weights = rows.weights.data();
    for_each_cell(rows, map, begin, end, [&](std::int32_t cell, std::int64_t i) {
      to[part[i] * map.cells + cell] += weights[i] * (values == nullptr ? 1 : values[i]);
    });
  }
}

}  // namespace

row_chunks::row_chunks(std::int64_t num_rows)
    : n(num_rows), count(num_rows == 0 ? 0 : std::clamp<std::int64_t>(num_rows >> 15, 1, 64)) {}

std::vector<std::int64_t> sums_by_cell(const coded_rows& rows, const cell_map& map,
                                       const std::int64_t* values) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(coded_rows::num_parts * map.cells), 0);
  add_chunk(rows, map, values, 0, rows.n, sums);
  return sums;
}

std::vector<std::int64_t> sums_by_cell(const coded_rows& rows, const cell_map& map,
                                       const std::int64_t* values, const run_parts& run) {
  const row_chunks chunks(rows.n);
  std::vector<std::vector<std::int64_t>> of_chunk(static_cast<std::size_t>(chunks.count));
  const auto size = static_cast<std::size_t>(coded_rows::num_parts * map.cells);
  run(chunks.count, [&](std::int64_t chunk) {
    std::vector<std::int64_t>& sums = of_chunk[static_cast<std::size_t>(chunk)];
    sums.resize(size, 0);
    add_chunk(rows, map, values, chunks.begin(chunk), chunks.end(chunk), sums);
  });
  std::vector<std::int64_t> total(size, 0);
  for (const std::vector<std::int64_t>& sums : of_chunk) {
    for (std::size_t c = 0; c < size; ++c) total[c] += sums[c];
  }
  return total;
}

void subtract(const coded_rows& rows, const std::vector<cell_map>& maps,
              const std::vector<std::vector<std::int64_t>>& amounts,
              std::vector<std::int64_t>& values, const run_parts& run) {
  const row_chunks chunks(rows.n);
  run(chunks.count, [&](std::int64_t chunk) {
    constexpr std::int64_t block = 4096;  // of values that stay in the cache
    for (std::int64_t begin = chunks.begin(chunk); begin < chunks.end(chunk); begin += block) {
      const std::int64_t end = std::min(begin + block, chunks.end(chunk));
      for (std::size_t k = 0; k < maps.size(); ++k) {
        const std::int64_t* amount = amounts[k].data();
        for_each_cell(rows, maps[k], begin, end, [&](std::int32_t cell, std::int64_t i) {
          values[static_cast<std::size_t>(i)] -= amount[cell];
        });
      }
    }
  });
}

}  // namespace zcmoe::detail
