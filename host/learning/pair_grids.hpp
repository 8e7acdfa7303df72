// Grids of two axes that what is left of the targets asks for.
#pragma once

#include "host/learning/axis_tables.hpp"
#include "host/learning/smoother.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

class pair_grids {
 public:
  /// Coarse codes of the axes that pairs may be made of.
  /// @param room  what grids cost is taken from it, and none is made that does not fit
  pair_grids(const coded_rows& rows, const axis_tables& tables, model_room& room);

  /// Finds pairs and takes their grids off what is left, the best first, as long as there is one
  /// that helps and there are fewer than max_pairs.
  void grow(row_passes& left, int max_pairs, const run_parts& run);
  /// Fits every grid anew to what is left and to what it takes now.
  /// @param choose  whether to choose again how smooth it is
  void fit(row_passes& left, bool choose);

  std::vector<bank> banks() const;

 private:
  static constexpr int num_levels = 4;  // of 8, 16, 32 and 64 segments an axis at most

  /// The codes of an axis joined to segments of about equal weight: at each level, the number of
  /// the segment of a code, after the segments one for NaN if rows have it.
  struct coarse_axis {
    int axis;
    std::int64_t ordered[num_levels];
    std::int64_t sizes[num_levels];
    std::vector<std::int32_t> of_code[num_levels];
    /// The place at this level of a place at the next finer one.
    std::vector<std::int32_t> from_finer[num_levels - 1];
  };
  struct grid {
    std::size_t axes[2];  // of axes_
    grid_smoothing how;
    int how_level;  // the level that this is said of
    int level;
    std::vector<std::int32_t> constants;
  };
  struct candidate {
    std::size_t axes[2];
    cell_sums by_part;  // at the level of choice
    grid_smoothing how;
  };

  cell_map map_of(const std::size_t* axes, int level) const;
  grid_cells cells_of(const std::size_t* axes, int level) const;
  cell_sums coarser(const cell_sums& sums, const std::size_t* axes, int level) const;
  grid_smoothing at_level(const grid& g, int level) const;
  std::vector<double> values_of(const grid& g, const cell_sums& total, int level) const;
  void take(row_passes& left, grid& g, const std::vector<double>& values) const;
  void place(row_passes& left, grid& g) const;
  cell_sums sums_at(row_passes& left, const grid& g, int level) const;

  bank bank_of(const std::size_t* axes, int level) const;

  const coded_rows& rows_;
  model_room& room_;
  std::vector<coarse_axis> axes_;
  std::vector<grid> grids_;
};

}  // namespace zcmoe::detail
