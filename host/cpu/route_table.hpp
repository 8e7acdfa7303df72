// Routing tables of the CPU engine. A root maps an input to a cell
// of 8 bytes (float64: 16), which holds the threshold that falls into it and what holds from there
// on; what holds before it stands in the cell before. One load and one comparison an input,
// whatever the number of segments.
#pragma once

#include "host/engine/backend.hpp"
#include "host/routing/monotone_root.hpp"
#include "host/routing/thresholds.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace zcmoe::detail {

/// The threshold of a bucket. None: -infinity, which every input reaches. Two or more: NaN, which
/// none reaches; then only rank_of() knows.
///
/// Values, of models: answer = threshold <= x ? value : value of the cell before, which exists for
/// bucket 0 as well.
template <class T>
struct alignas(2 * sizeof(T)) value_cell {
  T threshold;
  T value;  // at the right end of the bucket
};
/// Ranks: rank(x) = rank + (threshold <= x). One cell more than buckets, with the number of
/// thresholds.
template <class T>
struct alignas(2 * sizeof(T)) rank_cell {
  using integer = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  T threshold;
  integer rank;  // of inputs below the threshold
};

/// An array on cache lines of its own.
template <class T>
class line_array {
 public:
  line_array() = default;
  explicit line_array(std::size_t size)
      : size_(size), data_(static_cast<T*>(::operator new(size * sizeof(T), line))) {}
  T* data() const { return data_.get(); }
  T& operator[](std::size_t i) const { return data_.get()[i]; }
  std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  static constexpr std::align_val_t line{64};
  struct release {
    void operator()(T* pointer) const { ::operator delete(pointer, line); }
  };
  std::size_t size_ = 0;
  std::unique_ptr<T, release> data_;
};

/// Byte planes for at most 256 ranks and 1,024 buckets: what 64 inputs at a time look up in
/// registers. Bucket of x: nearest(min(x, hi) scale + offset), rounded once before, not below 0.
/// bucket[b] is the rank at the right end of bucket b; an input below that rank's threshold has the
/// rank before. Little-endian bytes of thresholds and answers, by rank.
struct byte_planes {
  alignas(64) std::uint8_t bucket[1024];
  alignas(64) std::uint8_t threshold[4][256];
  alignas(64) std::uint8_t value[4][256];
  float hi;
  float scale;
  float offset;
  int num_ranks;  // at most 64, 128 or 256, with four times as many buckets
};

template <class T>
struct route_table {
  root<T> map;
  line_array<value_cell<T>> value_cells;  // of bucket b at b + 1; empty for a fit
  line_array<rank_cell<T>> rank_cells;
  std::vector<T> thresholds;
  std::vector<std::int32_t> slots;  // by rank; the last is that of NaN; empty if they are ranks
  std::vector<T> values;            // by rank, the same; empty for a fit
  bool slots_are_ranks;
  T from;                               // x is in range if from <= x
  T before;                             // and not before <= x
  bool far_cells;                       // so many that they are fetched ahead
  std::unique_ptr<byte_planes> planes;  // null: cells only

  std::uint32_t nan_rank() const { return static_cast<std::uint32_t>(thresholds.size()) + 1; }
  /// Exact; what vectors do for 16 inputs and more, done for one.
  std::uint32_t rank_of(T x) const;
  std::size_t bytes() const;
};

/// What a kernel costs decides the root.
struct route_costs {
  root_costs f32;
  root_costs f64;
};

struct cpu_target;

/// Both tables of a model or fit.
class cpu_router final : public router {
 public:
  cpu_router(const model_view& host, const cpu_target& target);
  std::size_t bytes() const override { return f32.bytes() + f64.bytes(); }
  route_table<float> f32;
  route_table<double> f64;
};

}  // namespace zcmoe::detail
