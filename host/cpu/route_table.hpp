// Routing tables of the CPU engine. The root, the first stage, maps an input to a bucket, and each
// bucket has a cell of 8 bytes (float64 inputs: 16). The cell holds the one threshold that lies in
// the bucket, and the prediction of inputs from that threshold on; the prediction of inputs below
// it stands in the cell before. So an input takes one load and one comparison, however many
// segments there are.
//
//   Segments A = [0, 0.5), B = [0.5, 2.5), C = [2.5, 3] and buckets [0, 1), [1, 2), [2, 3]:
//     cell      before    0          1          2
//     holds     A         0.5, B     none, B    2.5, C
//   x = 0.2 lies in bucket 0, below 0.5: the prediction is that of the cell before, A.
//   x = 2.2 lies in bucket 2, below 2.5: the prediction is that of cell 1, B.
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

/// A cell of predictions. `threshold` is the one threshold in the bucket. A bucket without a
/// threshold has -infinity there, so that every input reaches it and gets `value`. A bucket with
/// two or more has NaN there, which no input reaches and none is below; the loops see that and ask
/// rank_of().
///
/// The prediction of an input x is `value` if threshold <= x, else the value of the cell before.
/// Bucket 0 has a cell before it too.
template <class T>
struct alignas(2 * sizeof(T)) value_cell {
  T threshold;
  T value;  // the prediction of inputs at the right end of the bucket
};
/// A cell of ranks: an input's rank, the number of thresholds that it reaches, is `rank` plus one
/// if threshold <= x. One cell follows the last bucket, with the number of all thresholds as its
/// rank.
template <class T>
struct alignas(2 * sizeof(T)) rank_cell {
  using integer = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  T threshold;
  integer rank;  // how many thresholds an input below this one reaches
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

/// Tables of bytes for at most 256 ranks and 1,024 buckets, small enough to stay in registers,
/// where 64 inputs at a time are looked up in them. An input x lies in bucket nearest(min(x, hi) *
/// scale + offset), where the product and sum are rounded once and a negative bucket is bucket 0.
/// bucket[b] is the rank of inputs at the right end of bucket b; an input below that rank's
/// threshold has the rank before. A threshold or a prediction of rank r is four bytes, the lowest
/// first, one in each plane: threshold[0][r] ... threshold[3][r].
struct byte_planes {
  alignas(64) std::uint8_t bucket[1024];
  alignas(64) std::uint8_t threshold[4][256];
  alignas(64) std::uint8_t value[4][256];
  float hi;
  float scale;
  float offset;
  int num_ranks;  // room for so many: 64, 128 or 256; there are four times as many buckets
};

template <class T>
struct route_table {
  root<T> map;
  line_array<value_cell<T>> value_cells;  // bucket b has the one at b + 1; empty for a fit
  line_array<rank_cell<T>> rank_cells;
  std::vector<T> thresholds;
  /// Of each rank; the last one is the slot of NaN. Empty where ranks are the slots.
  std::vector<std::int32_t> slots;
  std::vector<T> values;  // the prediction of each rank, NaN last; empty for a fit
  bool slots_are_ranks;
  T from;  // an input is in range if from <= x < before
  T before;
  bool far_cells;                       // so many that they are fetched ahead
  std::unique_ptr<byte_planes> planes;  // null: cells only

  std::uint32_t nan_rank() const { return static_cast<std::uint32_t>(thresholds.size()) + 1; }
  /// The rank of one input, exactly: what the loops do for a vector of inputs at once.
  std::uint32_t rank_of(T x) const;
  std::uint32_t slot_of(std::uint32_t rank) const {
    return slots_are_ranks ? rank : static_cast<std::uint32_t>(slots[rank]);
  }
  std::size_t bytes() const;
};

/// The table that finds ranks alone, among thresholds that increase strictly.
template <class T>
route_table<T> rank_table_of(std::vector<T> thresholds, const root_costs& costs);

/// What the loops of an instruction set cost, which decides the kind of root.
struct route_costs {
  root_costs f32;
  root_costs f64;
};

struct cpu_target;

/// Both tables of a model or fit.
class cpu_router final : public router {
 public:
  /// Edges and constants in host memory; see backend::make_router.
  cpu_router(const model_view& table, const slot_constants& constants, const cpu_target& target);
  std::size_t bytes() const override { return f32.bytes() + f64.bytes(); }
  route_table<float> f32;
  route_table<double> f64;
};

}  // namespace zcmoe::detail
