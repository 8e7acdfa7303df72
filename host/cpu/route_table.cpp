// Building the CPU engine's routing tables.
#include "host/cpu/route_table.hpp"

#include "host/cpu/dispatch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

/// Tables beyond this many segments get at most two buckets a segment: with one, too many hold
/// several thresholds (2^22 segments: 50 ns an input against 8), more are only more memory.
constexpr std::int64_t many_thresholds = std::int64_t{1} << 20;
constexpr std::int64_t max_cells = std::int64_t{1} << 26;  // their byte offsets fit 32 bits
// From here on fetching cells a block ahead of their use pays; measured, between 1 and 20 MB.
constexpr std::size_t near_bytes = std::size_t{1} << 22;

template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class T>
constexpr T no_threshold = -std::numeric_limits<T>::infinity();

template <class T>
void fill_cells(route_table<T>& table) {
  using integer = typename rank_cell<T>::integer;
  constexpr T several = std::numeric_limits<T>::quiet_NaN();
  const auto buckets = static_cast<std::size_t>(table.map.num_buckets);
  const auto starts = bucket_starts(table.thresholds, table.map.num_buckets,
                                    [&](T x) { return table.map.bucket_of(x); });
  table.rank_cells = line_array<rank_cell<T>>(buckets + 1);
  table.rank_cells[buckets] = {several, static_cast<integer>(table.thresholds.size())};
  if (!table.values.empty()) {
    table.value_cells = line_array<value_cell<T>>(buckets + 1);
    table.value_cells[0] = {several, table.values[0]};
  }
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t begin = starts[b];
    const std::size_t count = starts[b + 1] - begin;
    const T threshold = count == 0   ? no_threshold<T>
                        : count == 1 ? table.thresholds[begin]
                                     : several;
    // Every input but NaN reaches -infinity: the rank before, plus one.
    table.rank_cells[b] = {threshold, static_cast<integer>(begin) - (count == 0 ? 1 : 0)};
    if (!table.values.empty()) {
      table.value_cells[b + 1] = {threshold, table.values[starts[b + 1]]};
    }
  }
}

template <class T>
void choose_map(route_table<T>& table, const root_costs& costs) {
  const auto count = static_cast<std::int64_t>(table.thresholds.size());
  const std::int64_t most = count > many_thresholds ? std::min(2 * count, max_cells)
                                                    : 8 * std::max<std::int64_t>(count, 8);
  table.map = choose_root(table.thresholds, costs, most);
}

template <class T>
route_table<T> make_route_table(const model_view& edges, const T* constants,
                                const root_costs& costs) {
  threshold_list<T> list = thresholds_of<T>(edges);
  route_table<T> table;
  table.thresholds = std::move(list.thresholds);
  table.slots = std::move(list.slot_of_rank);
  table.slots.push_back(list.nan_slot);
  table.slots_are_ranks = list.slots_are_ranks;
  table.from = list.from;
  table.before = list.before;
  choose_map(table, costs);
  if (constants != nullptr) {
    table.values.resize(table.slots.size());
    for (std::size_t r = 0; r < table.slots.size(); ++r)
      table.values[r] = constants[table.slots[r]];
  }
  if (table.slots_are_ranks) table.slots = {};  // not looked at: NaN's rank is its slot too
  fill_cells(table);
  table.far_cells = table.rank_cells.bytes() > near_bytes;
  return table;
}

/// Planes hold one threshold a bucket, 4 buckets a rank. Null where that is not enough.
std::unique_ptr<byte_planes> planes_of(const route_table<float>& table) {
  const std::vector<float>& thresholds = table.thresholds;
  const std::size_t ranks = thresholds.size() + 1;
  if (thresholds.empty() || ranks > 256 || !std::isfinite(thresholds.back())) return nullptr;
  auto planes = std::make_unique<byte_planes>();
  planes->num_ranks = ranks <= 64 ? 64 : ranks <= 128 ? 128 : 256;
  const int last = 4 * planes->num_ranks - 1;
  const double width = static_cast<double>(thresholds.back()) - thresholds.front();
  planes->hi = thresholds.back();
  const auto bucket_of = [&](float x) {
    const float place = std::fma(std::min(x, planes->hi), planes->scale, planes->offset);
    return static_cast<int>(std::max(0.0f, std::nearbyint(place)));
  };
  // Rounding must not carry the last threshold beyond the last bucket.
  for (int buckets = last; buckets >= last - 1; --buckets) {
    planes->scale = width > 0 ? static_cast<float>(buckets / width) : 0.0f;
    planes->offset = -thresholds.front() * planes->scale;
    if (!std::isfinite(planes->scale) || !std::isfinite(planes->offset)) return nullptr;
    if (bucket_of(planes->hi) <= last) break;
    if (buckets < last) return nullptr;
  }
  const auto starts = bucket_starts(thresholds, last + 1, bucket_of);
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    if (starts[b + 1] - starts[b] > 1) return nullptr;
    planes->bucket[b] = static_cast<std::uint8_t>(starts[b + 1]);
  }
  const auto put = [](std::uint8_t(&plane)[4][256], std::size_t rank, std::uint32_t bits) {
    for (std::size_t k = 0; k < 4; ++k) plane[k][rank] = static_cast<std::uint8_t>(bits >> (8 * k));
  };
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    // An input is below its threshold if the sign of the difference says so: against a positive NaN
    // it never does, and -0.0 is not below 0.0 if the threshold is written -0.0.
    float threshold = std::numeric_limits<float>::quiet_NaN();
    if (rank > 0) threshold = thresholds[rank - 1] == 0.0f ? -0.0f : thresholds[rank - 1];
    put(planes->threshold, rank, bits_as<std::uint32_t>(threshold));
    if (!table.values.empty()) put(planes->value, rank, bits_as<std::uint32_t>(table.values[rank]));
  }
  return planes;
}

/// Seconds that routing some inputs takes.
double seconds_to_route(const route_table<float>& table, const route_kernels& routes,
                        const std::array<float, 1024>& inputs) {
  std::array<std::uint32_t, 1024> ranks;
  const auto start = std::chrono::steady_clock::now();
  for (int repeat = 0; repeat < 4; ++repeat) {
    routes.ranks_f32(table, inputs.data(), ranks.data(), inputs.size());
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Whether the table's byte planes route faster than its cells on this processor: on some, looking
/// up bytes in many registers takes longer than fetching cells. The clock tells, once a process for
/// planes of one size and cells of one kind of root; some 50 microseconds.
bool planes_are_faster(route_table<float>& table, const route_kernels& routes) {
  enum answer : int { unknown, no, yes };
  static std::atomic<int> answers[3][3];
  const int size = table.planes->num_ranks == 64 ? 0 : table.planes->num_ranks == 128 ? 1 : 2;
  std::atomic<int>& known = answers[size][static_cast<int>(table.map.kind)];
  if (known != unknown) return known == yes;
  std::array<float, 1024> inputs;  // spread over the range, in no order
  const double from = table.thresholds.front();
  const double width = table.thresholds.back() - from;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double place = static_cast<double>(i) * 0.6180339887498949;
    inputs[i] = static_cast<float>(from + width * (place - std::floor(place)));
  }
  double with_planes = std::numeric_limits<double>::infinity();
  double with_cells = with_planes;
  for (int sample = 0; sample < 9; ++sample) {  // in turn; the least is what nothing interrupted
    with_planes = std::min(with_planes, seconds_to_route(table, routes, inputs));
    auto planes = std::exchange(table.planes, nullptr);
    with_cells = std::min(with_cells, seconds_to_route(table, routes, inputs));
    table.planes = std::move(planes);
  }
  known = with_planes < with_cells ? yes : no;
  return known == yes;
}

}  // namespace

template <class T>
std::uint32_t route_table<T>::rank_of(T x) const {
  if (std::isnan(x)) return nan_rank();
  const rank_cell<T>* const cell = rank_cells.data() + map.bucket_of(x);
  const auto rank_before = [](const rank_cell<T>& own) {
    return static_cast<std::ptrdiff_t>(own.rank) + (own.threshold == no_threshold<T> ? 1 : 0);
  };
  if (cell->threshold == cell->threshold) {
    return static_cast<std::uint32_t>(cell->rank + (cell->threshold <= x ? 1 : 0));
  }
  const auto first = thresholds.begin();
  return static_cast<std::uint32_t>(
      std::upper_bound(first + rank_before(cell[0]), first + rank_before(cell[1]), x) - first);
}

template <class T>
route_table<T> rank_table_of(std::vector<T> thresholds, const root_costs& costs) {
  route_table<T> table{};
  table.thresholds = std::move(thresholds);
  table.slots_are_ranks = true;
  table.from = -std::numeric_limits<T>::infinity();
  table.before = std::numeric_limits<T>::infinity();
  choose_map(table, costs);
  fill_cells(table);
  return table;
}

template route_table<float> rank_table_of(std::vector<float>, const root_costs&);
template route_table<double> rank_table_of(std::vector<double>, const root_costs&);

template <class T>
std::size_t route_table<T>::bytes() const {
  return value_cells.bytes() + rank_cells.bytes() + thresholds.size() * sizeof(T) +
         slots.size() * sizeof(std::int32_t) + values.size() * sizeof(T) +
         (planes != nullptr ? sizeof *planes : 0);
}

template struct route_table<float>;
template struct route_table<double>;

cpu_router::cpu_router(const model_view& table, const slot_constants& constants,
                       const cpu_target& target)
    : router(roles_of(table)),
      f32(make_route_table<float>(table, constants.f32, target.routes->costs.f32)),
      f64(make_route_table<double>(table, constants.f64, target.routes->costs.f64)) {
  if (target.planes == plane_use::never) return;
  f32.planes = planes_of(f32);
  if (f32.planes != nullptr && target.planes == plane_use::where_faster &&
      !planes_are_faster(f32, *target.routes)) {
    f32.planes = nullptr;
  }
}

}  // namespace zcmoe::detail
