// Copies fit states between an engine and the host: see fit_state.hpp. Planes are read one at a
// time, so that no more than two of them are in host memory beside those that are kept.
#include "host/model/fit_state.hpp"

#include "host/experts/exact_sum.hpp"

#include <cstddef>
#include <utility>

namespace zcmoe::detail {

std::vector<sum_extent> sum_extents(const state_layout& layout) {
  std::vector<sum_extent> extents;
  for_each_sum(layout, [&](const char* name, int first, int digits) {
    extents.push_back({name, first, digits});
  });
  return extents;
}

host_state download(const backend& engine, const state_layout& layout, const std::int64_t* state,
                    zcmoe_stream stream) {
  const auto slots = static_cast<std::size_t>(layout.num_slots());
  host_state result;
  result.counters.resize(num_row_counters);
  engine.download(result.counters.data(), state, num_row_counters * sizeof(std::int64_t), stream);
  result.counters[counter_pending] = 0;
  result.counters[counter_chunk_begin] = 0;
  const auto read_plane = [&](int plane, std::vector<std::int64_t>& values) {
    values.resize(slots);
    engine.download(values.data(),
                    state + num_row_counters + static_cast<std::size_t>(plane) * slots,
                    slots * sizeof(std::int64_t), stream);
  };
  read_plane(0, result.counts);
  std::vector<std::int64_t> plane;
  std::vector<std::int64_t> carries;
  for (const sum_extent& extent : sum_extents(layout)) {
    host_state::sum sum{0, {}};
    carries.assign(slots, 0);
    // The number of int64s in the planes up to the last one that is not all zero.
    std::size_t kept = 0;
    for (int k = 0; k < extent.digits; ++k) {
      read_plane(extent.first + k, plane);
      bool zero = true;
      for (std::size_t slot = 0; slot < slots; ++slot) {
        if (k + 1 < extent.digits) {
          carries[slot] = carry_digit(plane[slot], carries[slot]);
        } else {
          plane[slot] += carries[slot];
        }
        zero = zero && plane[slot] == 0;
      }
      if (zero && sum.planes.empty()) {
        sum.first = k + 1;
        continue;
      }
      sum.planes.insert(sum.planes.end(), plane.begin(), plane.end());
      if (!zero) kept = sum.planes.size();
    }
    sum.planes.resize(kept);
    if (kept == 0) sum.first = 0;
    result.sums.push_back(std::move(sum));
  }
  if (layout.lines) {
    read_plane(layout.num_planes() - 2, result.lowest);
    read_plane(layout.num_planes() - 1, result.highest);
  }
  return result;
}

void upload(backend& engine, const state_layout& layout, const host_state& from,
            std::int64_t* state, zcmoe_stream stream) {
  const auto slots = static_cast<std::size_t>(layout.num_slots());
  engine.upload(state, from.counters.data(), num_row_counters * sizeof(std::int64_t), stream);
  engine.upload(state + num_row_counters, from.counts.data(), slots * sizeof(std::int64_t), stream);
  const std::vector<sum_extent> extents = sum_extents(layout);
  for (std::size_t s = 0; s < extents.size(); ++s) {
    const host_state::sum& sum = from.sums[s];
    if (sum.planes.empty()) continue;
    const auto plane =
        static_cast<std::size_t>(extents[s].first) + static_cast<std::size_t>(sum.first);
    engine.upload(state + num_row_counters + plane * slots, sum.planes.data(),
                  sum.planes.size() * sizeof(std::int64_t), stream);
  }
  const auto write_extremes = [&](int plane, const std::vector<std::int64_t>& values) {
    engine.upload(state + num_row_counters + static_cast<std::size_t>(plane) * slots, values.data(),
                  slots * sizeof(std::int64_t), stream);
  };
  if (layout.lines) {
    write_extremes(layout.num_planes() - 2, from.lowest);
    write_extremes(layout.num_planes() - 1, from.highest);
  }
}

}  // namespace zcmoe::detail
