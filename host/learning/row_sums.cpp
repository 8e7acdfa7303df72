#include "host/learning/row_sums.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace zcmoe::detail {
namespace {

/// body(cell of the row, row) for rows of a chunk.
template <class Body>
void for_each_cell(const pass_rows& rows, const cell_map& map, std::int64_t begin, std::int64_t end,
                   const Body& body) {
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

class host_row_passes final : public row_passes {
 public:
  host_row_passes(const pass_rows& rows, const run_parts& run)
      : rows_(rows), run_(run), left_(rows.y, rows.y + rows.n) {}

  void count(const map_list& maps, const visit_sums& visit) override {
    const std::uint32_t* weights = rows_.weights;
    if (weights == nullptr) {
      add_up(maps, visit, [](std::int64_t) { return std::int64_t{1}; });
    } else {
      add_up(maps, visit, [weights](std::int64_t i) { return std::int64_t{weights[i]}; });
    }
  }
  void sum(const map_list& maps, const visit_sums& visit) override {
    const std::int64_t* left = left_.data();
    const std::uint32_t* weights = rows_.weights;
    if (weights == nullptr) {
      add_up(maps, visit, [left](std::int64_t i) { return left[i]; });
    } else {
      add_up(maps, visit, [=](std::int64_t i) { return weights[i] * left[i]; });
    }
  }

  void count_pairs(const std::vector<axis_pair>& pairs, const visit_counts& visit) override {
    run_(static_cast<std::int64_t>(pairs.size()), [&](std::int64_t part) {
      const axis_pair& pair = pairs[static_cast<std::size_t>(part)];
      const std::uint8_t* first = rows_.codes_of(pair.axes[0]);
      const std::uint8_t* second = rows_.codes_of(pair.axes[1]);
      const auto columns = static_cast<std::size_t>(pair.slots[1]);
      std::vector<std::uint32_t> counts(pair.cells(), 0);
      const std::uint32_t* weights = rows_.weights;
      if (weights == nullptr) {
        for (std::int64_t i = 0; i < rows_.n; ++i) ++counts[first[i] * columns + second[i]];
      } else {
        for (std::int64_t i = 0; i < rows_.n; ++i)
          counts[first[i] * columns + second[i]] += weights[i];
      }
      visit(static_cast<std::size_t>(part), std::move(counts));
    });
  }

  void subtract(std::int64_t base, const map_list& maps,
                const std::vector<std::vector<std::int64_t>>& amounts) override {
    const row_chunks chunks(rows_.n);
    run_(chunks.count, [&](std::int64_t chunk) {
      constexpr std::int64_t block = 4096;  // of values that stay in the cache
      std::int64_t* left = left_.data();
      for (std::int64_t begin = chunks.begin(chunk); begin < chunks.end(chunk); begin += block) {
        const std::int64_t end = std::min(begin + block, chunks.end(chunk));
        for (std::int64_t i = begin; base != 0 && i < end; ++i) left[i] -= base;
        for (std::size_t k = 0; k < maps.size(); ++k) {
          const std::int64_t* amount = amounts[k].data();
          for_each_cell(rows_, *maps[k], begin, end,
                        [&](std::int32_t cell, std::int64_t i) { left[i] -= amount[cell]; });
        }
      }
    });
  }

  sums_of_left totals() override {
    const row_chunks chunks(rows_.n);
    std::vector<sums_of_left> of_chunk(static_cast<std::size_t>(chunks.count), sums_of_left{0, 0});
    run_(chunks.count, [&](std::int64_t chunk) {
      sums_of_left total{0, 0};
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
        const std::int64_t value = left_[static_cast<std::size_t>(i)];
        const auto size = static_cast<unsigned __int128>(std::abs(value));
        const std::uint32_t weight = rows_.weights == nullptr ? 1 : rows_.weights[i];
        total.sum += weight * value;
        total.squares += size * size * weight;
      }
      of_chunk[static_cast<std::size_t>(chunk)] = total;
    });
    sums_of_left total{0, 0};
    for (const sums_of_left& sums : of_chunk) {
      total.sum += sums.sum;
      total.squares += sums.squares;
    }
    return total;
  }

 private:
  template <class Value>
  void add_chunk(const cell_map& map, std::int64_t begin, std::int64_t end, const Value& value,
                 std::vector<std::int64_t>& sums) const {
    const std::uint8_t* part = rows_.part;
    const std::int64_t cells = map.cells;
    std::int64_t* to = sums.data();
    for_each_cell(rows_, map, begin, end, [=](std::int32_t cell, std::int64_t i) {
      to[part[i] * cells + cell] += value(i);
    });
  }

  /// Of many maps each is a part; of one chunks of rows are.
  template <class Value>
  void add_up(const map_list& maps, const visit_sums& visit, const Value& value) {
    const auto zeros = [](const cell_map& map) {
      return std::vector<std::int64_t>(static_cast<std::size_t>(num_row_parts * map.cells), 0);
    };
    if (maps.size() != 1) {
      run_(static_cast<std::int64_t>(maps.size()), [&](std::int64_t part) {
        const cell_map& map = *maps[static_cast<std::size_t>(part)];
        std::vector<std::int64_t> sums = zeros(map);
        add_chunk(map, 0, rows_.n, value, sums);
        visit(static_cast<std::size_t>(part), sums);
      });
      return;
    }
    const cell_map& map = *maps[0];
    const row_chunks chunks(rows_.n);
    std::vector<std::vector<std::int64_t>> of_chunk(static_cast<std::size_t>(chunks.count));
    run_(chunks.count, [&](std::int64_t chunk) {
      std::vector<std::int64_t>& sums = of_chunk[static_cast<std::size_t>(chunk)];
      sums = zeros(map);
      add_chunk(map, chunks.begin(chunk), chunks.end(chunk), value, sums);
    });
    std::vector<std::int64_t> total = zeros(map);
    for (const std::vector<std::int64_t>& sums : of_chunk) {
      for (std::size_t c = 0; c < total.size(); ++c) total[c] += sums[c];
    }
    visit(0, total);
  }

  const pass_rows rows_;
  const run_parts& run_;
  std::vector<std::int64_t> left_;
};

}  // namespace

std::unique_ptr<row_passes> make_host_passes(const pass_rows& rows, const run_parts& run) {
  return std::make_unique<host_row_passes>(rows, run);
}

row_chunks::row_chunks(std::int64_t num_rows)
    : n(num_rows), count(num_rows == 0 ? 0 : std::clamp<std::int64_t>(num_rows >> 15, 1, 64)) {}

}  // namespace zcmoe::detail
