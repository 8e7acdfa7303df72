// Grouping on the CPU is a stable counting sort of rows by slot. Rows are cut into parts, one per
// thread. The first pass finds the slot of each row and counts each part's rows in each slot. From
// the counts follows where each part's rows of each slot begin: slot by slot, the parts in order.
// The second pass takes each part's rows, in order, to their places; so the number of parts does
// not show in the result.
#include "host/cpu/group.hpp"

#include "host/cpu/rows.hpp"

#include <algorithm>
#include <cstring>

namespace zcmoe::detail {
namespace {

template <class T, class Router>
void count_rows(const group_job& job, const route_kernels& kernels, const Router& routes,
                std::int64_t first, std::int64_t last, std::int32_t* slot_of_row,
                std::int64_t* counts) {
  const default_arithmetic scope;
  routed_rows<T> rows(kernels, routes);
  for (std::int64_t i = first; i < last; i += batch_of<T>) {
    const int count = static_cast<int>(std::min<std::int64_t>(batch_of<T>, last - i));
    rows.load(job.rows, i, count);
    rows.route(count);
    for (int k = 0; k < count; ++k) {
      slot_of_row[i + k] = static_cast<std::int32_t>(rows.slots[k]);
      ++counts[rows.slots[k]];
    }
  }
}

template <class Element>
void move_rows(const group_column& column, std::int64_t first, std::int64_t last,
               const std::int64_t* place) {
  const auto* const from = static_cast<const Element*>(column.from);
  auto* const to = static_cast<Element*>(column.to);
  for (std::int64_t i = first; i < last; ++i) {
    to[place[i - first] * column.to_stride] = from[i * column.from_stride];
  }
}

/// Takes rows [first, last) to their places; next[slot] is where the slot's next row goes.
void place_rows(const group_job& job, std::int64_t first, std::int64_t last,
                const std::int32_t* slot_of_row, std::int64_t* next) {
  constexpr std::int64_t block = 1024;  // rows whose places are kept while each column is moved
  std::int64_t place[block];
  for (std::int64_t begin = first; begin < last; begin += block) {
    const std::int64_t end = std::min(begin + block, last);
    for (std::int64_t i = begin; i < end; ++i) place[i - begin] = next[slot_of_row[i]]++;
    if (job.row_numbers.data != nullptr) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at = place[i - begin] * job.row_numbers.stride;
        if (job.row_numbers.dtype == ZCMOE_I64) {
          static_cast<std::int64_t*>(job.row_numbers.data)[at] = i;
        } else {
          static_cast<std::int32_t*>(job.row_numbers.data)[at] = static_cast<std::int32_t>(i);
        }
      }
    }
    for (int c = 0; c < job.num_columns; ++c) {
      const group_column& column = job.columns[c];
      switch (column.element_size) {
        case 1: move_rows<std::uint8_t>(column, begin, end, place); break;
        case 2: move_rows<std::uint16_t>(column, begin, end, place); break;
        case 4: move_rows<std::uint32_t>(column, begin, end, place); break;
        default: move_rows<std::uint64_t>(column, begin, end, place);
      }
    }
  }
}

}  // namespace

void group_on_cpu(const group_job& job, const std::shared_ptr<backend>& engine,
                  const route_kernels& kernels, workers& crew, int num_parts) {
  const std::int64_t num_slots = job.num_slots;
  const std::int64_t n = job.rows.n;
  const std::size_t count_bytes = static_cast<std::size_t>(num_slots) * sizeof(std::int64_t);
  // A further part costs its counts and a pass over them, which only many rows outweigh.
  std::int64_t parts = std::min<std::int64_t>(num_parts, n / std::max(rows_per_part, num_slots));
  parts = std::min(parts, static_cast<std::int64_t>(1 + private_bytes / count_bytes));
  parts = std::max<std::int64_t>(parts, 1);
  const engine_buffer counts(engine, count_bytes * static_cast<std::size_t>(parts), nullptr);
  const engine_buffer slots(
      engine, std::max<std::size_t>(static_cast<std::size_t>(n), 1) * sizeof(std::int32_t),
      nullptr);
  auto* const slot_of_row = static_cast<std::int32_t*>(slots.data());
  const auto counts_of = [&](std::int64_t part) {
    return static_cast<std::int64_t*>(counts.data()) + part * num_slots;
  };
  const auto begin_of = [&](std::int64_t part) {
    return n / parts * part + std::min(part, n % parts);
  };

  crew.run(parts, [&](std::int64_t part) {
    const auto count = [&](auto input, const auto& routes) {
      count_rows<decltype(input)>(job, kernels, routes, begin_of(part), begin_of(part + 1),
                                  slot_of_row, counts_of(part));
    };
    if (job.rows.tables != nullptr) {
      count(std::int32_t{}, num_segments_of(num_slots));
    } else if (routes_as_float(job.rows.x.dtype)) {
      count(float{}, *job.routes);
    } else {
      count(double{}, *job.routes);
    }
  });
  std::int64_t total = 0;
  auto* const offsets = static_cast<std::int64_t*>(job.offsets.data);
  for (std::int64_t slot = 0; slot < num_slots; ++slot) {
    if (offsets != nullptr) offsets[slot * job.offsets.stride] = total;
    for (std::int64_t part = 0; part < parts; ++part) {
      std::int64_t& entry = counts_of(part)[slot];
      const std::int64_t rows = entry;
      entry = total;
      total += rows;
    }
  }
  if (offsets != nullptr) offsets[num_slots * job.offsets.stride] = total;
  if (job.row_numbers.data == nullptr && job.num_columns == 0) return;
  crew.run(parts, [&](std::int64_t part) {
    place_rows(job, begin_of(part), begin_of(part + 1), slot_of_row, counts_of(part));
  });
}

}  // namespace zcmoe::detail
