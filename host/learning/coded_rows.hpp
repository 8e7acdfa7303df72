// Rows as learning sees them: a code of one byte for each axis, and the target as a whole number.
// All that is learned from them are sums of whole numbers, so that it does not depend on the order
// of the rows, on threads, or on chunks.
#pragma once

#include "host/engine/row_passes.hpp"
#include "host/routing/banks.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

/// Weights add up to no more than this, so that sums of targets of 32 bits fit in 64.
constexpr std::int64_t most_total_weight = std::int64_t{1} << 31;

/// n rows of num_axes codes.
struct coded_rows {
  std::int64_t n = 0;
  std::vector<std::int32_t> num_slots;  // of each axis
  /// codes[a * n + i]: the code of axis a in row i.
  std::vector<std::uint8_t> codes;
  /// What each row counts for, at least 1; empty: 1 each.
  std::vector<std::uint32_t> weights;
  std::int64_t sum_of_weights = 0;  // where there are any
  /// The weight that was given in place of 1.
  double weight_unit = 1.0;
  /// That of a row in the mean. What is asked of numbers of rows is asked of so much weight a row.
  double weight_of_row = 1.0;
  /// sum w^2 / sum w: sums over rows of weight W have W times this times the variance of a row.
  double weight_of_noise = 1.0;
  /// Targets, in units of 2^exponent: total_weight() * max |y| < 2^62, so that sums over rows do
  /// not overflow.
  std::vector<std::int64_t> y;
  std::int32_t exponent = 0;
  /// The unit of constants of banks is 2^(exponent + constant_shift): some 2^-20 of the standard
  /// deviation of y. A constant times 2^constant_shift is in units of y.
  std::int32_t constant_shift = 0;
  /// The part of each row, 0 to num_parts - 1, by a hash of its inputs and target and of how many
  /// equal rows have been counted before it: which rows are in a part does not depend on the order
  /// of rows.
  std::vector<std::uint8_t> part;
  static constexpr int num_parts = num_row_parts;

  int num_axes() const { return static_cast<int>(num_slots.size()); }
  std::int64_t weight(std::size_t i) const { return weights.empty() ? 1 : weights[i]; }
  std::int64_t total_weight() const { return weights.empty() ? n : sum_of_weights; }
  /// So many rows of the mean weight, at least 1.
  std::int64_t weight_of_rows(std::int64_t count) const;
  /// Takes n weights, each at least 1; none: 1 each.
  void set_weights(std::vector<std::uint32_t> given);
  const std::uint8_t* codes_of(int a) const {
    return codes.data() + static_cast<std::size_t>(a) * static_cast<std::size_t>(n);
  }
  /// As passes take them; valid as long as these are.
  pass_rows for_passes() const {
    return {
        n,       num_axes(), codes.data(), part.data(), weights.empty() ? nullptr : weights.data(),
        y.data()};
  }
  /// What squares of sums over rows are by chance, for each unit of their weight, where the sum of
  /// weight times squares is this.
  double noise_of(double squares) const {
    return squares / static_cast<double>(total_weight()) * weight_of_noise;
  }
};

/// Of doubles that are equal, and of NaN, one stands for all: 0.0 for -0.0.
inline double canonical(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value + 0.0;
}

/// Adds the inputs of rows to their hashes, [n], which are 0 at first: once for every input, in
/// their order. -0.0 counts as 0.0, and every NaN as one.
void hash_inputs(const double* inputs, std::int64_t n, std::uint64_t* hashes);

/// Rows from targets, [n], which are finite, from weights, [n], finite and above 0, or none, and
/// from the codes and hashes of their inputs. Units are chosen from all targets: the least in which
/// sums do not overflow, but some 2^-40 of their standard deviation is fine enough. Weights become
/// whole numbers: themselves, if they are such and their sum is at most 2^30; else they are rounded
/// to multiples of the power of two of which there are between 2^29 and 2^30 in all, but none to 0.
coded_rows rows_of(const double* y, const std::vector<double>& weights, std::int64_t n,
                   std::vector<std::int32_t> num_slots, std::vector<std::uint8_t> codes,
                   std::vector<std::uint64_t> hashes);

/// Which rows a pass looks at: those of all parts, or all but one part, or that part alone.
struct row_choice {
  int held_out = -1;      // the part; -1: none, every row is taken
  bool the_part = false;  // the rows of the part, not the others

  bool takes(std::uint8_t part) const { return held_out < 0 || (part == held_out) == the_part; }
};

}  // namespace zcmoe::detail
