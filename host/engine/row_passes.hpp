// The passes over rows from which tables of several inputs are learned. An engine makes them where
// its memory is; what comes back are counts and sums of whole numbers, so that engines, chunks and
// threads do not show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace zcmoe::detail {

/// body(part) once for every part in [0, num_parts), shared out among threads; returns when all are
/// done, and throws then what a body has thrown.
using run_parts =
    std::function<void(std::int64_t num_parts, const std::function<void(std::int64_t part)>& body)>;

/// Rows are parted by a hash, so that models of some parts can be judged on another.
constexpr int num_row_parts = 5;

/// n rows, in host memory, where they stay while passes are made over them; n < 2^32.
struct pass_rows {
  std::int64_t n;
  int num_axes;
  const std::uint8_t* codes;  // codes[a * n + i]: the code of axis a in row i
  const std::uint8_t* part;   // [n], below num_row_parts
  /// [n], what each counts for, 2^31 in all at most; null: 1 each.
  const std::uint32_t* weights;
  const std::int64_t* y;  // [n], targets; sums of weight times |y| are below 2^62

  const std::uint8_t* codes_of(int a) const { return codes + a * n; }
};

/// The cells of a table of one axis or a grid of two: row i has the cell
/// first[code of axes[0]] + second[code of axes[1]].
struct cell_map {
  int axes[2] = {-1, -1};  // the second may be -1: none
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  std::int64_t cells = 0;
};

/// Two axes, and how many codes the second has.
struct axis_pair {
  int axes[2];
  std::int32_t slots[2];

  std::size_t cells() const {
    return static_cast<std::size_t>(slots[0]) * static_cast<std::size_t>(slots[1]);
  }
};

/// Passes over rows and over what a model that grows leaves of their targets: at first all of them.
class row_passes {
 public:
  using map_list = std::vector<const cell_map*>;
  using visit_sums = std::function<void(std::size_t map, const std::vector<std::int64_t>& sums)>;
  using visit_counts = std::function<void(std::size_t pair, std::vector<std::uint32_t> counts)>;
  struct sums_of_left {
    std::int64_t sum;
    unsigned __int128 squares;
  };

  row_passes() = default;
  row_passes(const row_passes&) = delete;
  row_passes& operator=(const row_passes&) = delete;
  virtual ~row_passes() = default;

  /// visit(map, the weight of its rows by part and cell, [num_row_parts * cells]) once for every
  /// map; visits are shared out among threads.
  virtual void count(const map_list& maps, const visit_sums& visit) = 0;
  /// The same for the sums of weight times what is left.
  virtual void sum(const map_list& maps, const visit_sums& visit) = 0;
  /// visit(pair, the weight of its rows by both codes, [slots[0] * slots[1]]), likewise.
  virtual void count_pairs(const std::vector<axis_pair>& pairs, const visit_counts& visit) = 0;
  /// Takes base and, for every map, amounts[map][cell of the row] off what is left.
  virtual void subtract(std::int64_t base, const map_list& maps,
                        const std::vector<std::vector<std::int64_t>>& amounts) = 0;
  /// Of weight times what is left, and times its square; exact.
  virtual sums_of_left totals() = 0;

  /// The sum of squares, rounded once.
  double squares() { return static_cast<double>(totals().squares); }
};

}  // namespace zcmoe::detail
