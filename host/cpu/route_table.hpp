// Routing tables of the CPU engine and the kernels that read them. A root maps an input to a cell
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
  std::vector<std::int32_t> slots;  // by rank; the last is that of NaN
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

/// What a kernel costs decides the root; see kernels().
struct route_costs {
  root_costs f32;
  root_costs f64;
};

template <class T>
struct target_window;
template <class T>
struct window_sums;

/// Rows to add, of slots that the caller has found; see window_sums.hpp.
template <class T>
struct window_rows {
  const T* targets;
  const std::uint32_t* slots;
  std::size_t n;
  const target_window<T>& window;
  std::uint32_t ignored_slot;
  std::uint32_t num_segments;
  window_sums<T>* sums;
  int copies_shift;  // row k is added to copy k % 2^copies_shift
};
constexpr std::size_t max_run_rows = 512;

/// The loops over inputs, one set per instruction set. n >= 0 of any size; y may be x itself.
/// stream: y goes past the caches; it lies on a cache line.
struct route_kernels {
  const char* name;
  route_costs costs;
  bool byte_planes;  // tables that fit get them, and the f32 kernels use them
  void (*values_f32)(const route_table<float>&, const float* x, float* y, std::size_t n,
                     bool stream);
  void (*values_f64)(const route_table<double>&, const double* x, double* y, std::size_t n,
                     bool stream);
  void (*ranks_f32)(const route_table<float>&, const float* x, std::uint32_t* ranks, std::size_t n);
  void (*ranks_f64)(const route_table<double>&, const double* x, std::uint32_t* ranks,
                    std::size_t n);
  /// How many inputs, before the first for which not, have from <= x < before.
  std::size_t (*leading_within_f32)(const float* x, std::size_t n, float from, float before);
  std::size_t (*leading_within_f64)(const double* x, std::size_t n, double from, double before);
  /// Adds rows to their slots, but those that the window does not hold, whose numbers it writes to
  /// misfits[n] if their slot is not ignored_slot. Answers how many.
  std::size_t (*add_f32)(const window_rows<float>& rows, std::uint32_t* misfits);
  std::size_t (*add_f64)(const window_rows<double>& rows, std::uint32_t* misfits);
  /// Adds n <= max_run_rows targets to sums, or none of them and answers false if the window may
  /// not hold one.
  bool (*add_run_f32)(const float* y, std::size_t n, const target_window<float>& window,
                      window_sums<float>& sums);
  bool (*add_run_f64)(const double* y, std::size_t n, const target_window<double>& window,
                      window_sums<double>& sums);
};

/// Instruction sets of this build that this machine has, the best first; never empty.
std::vector<const route_kernels*> available_kernels();
/// The best, or the one that the environment variable ZCMOE_CPU_TARGET names; throws
/// INVALID_ARGUMENT if it names none of those.
const route_kernels& chosen_kernels();

/// byte_planes.cpp: from byte planes; n a multiple of 64. Only where have_byte_planes().
bool have_byte_planes();
void planes_values(const route_table<float>& table, const float* x, float* y, std::size_t n,
                   bool stream);
void planes_ranks(const route_table<float>& table, const float* x, std::uint32_t* ranks,
                  std::size_t n);

/// Both tables of a model or fit.
class cpu_router final : public router {
 public:
  cpu_router(const model_view& host, const route_kernels& kernels);
  std::size_t bytes() const override { return f32.bytes() + f64.bytes(); }
  route_table<float> f32;
  route_table<double> f64;
};

}  // namespace zcmoe::detail
