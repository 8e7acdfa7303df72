// A bounded sample of rows that depends on nothing but which rows there were: not on their order,
// on chunks, or on how samples were merged.
//
// Equal rows are kept once and counted. Each has a hash of its inputs and its target, and those
// with the least hashes are kept, as many as the limit allows. No row is dropped that would be one
// of them in the end, so that the counts of those that are kept are complete. Sources: Bar-Yossef
// et al. 2002 (the k least values); Cohen & Kaplan 2007 (what such samples say of all rows).
#pragma once

#include "host/learning/usable_rows.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::detail {

constexpr std::int64_t most_sample_rows = std::int64_t{1} << 31;
/// As many rows as take 1 GiB, but at most 2^22.
constexpr std::int64_t default_sample_rows(std::int64_t num_inputs) {
  const std::int64_t fit = (std::int64_t{1} << 27) / (num_inputs + 1);
  return fit < std::int64_t{1} << 22 ? fit : std::int64_t{1} << 22;
}

/// n rows of `width` numbers: inputs, the target, and the weight where rows have one. They may lie
/// in `own`, or elsewhere.
struct sampled_rows {
  const double* numbers;
  std::int64_t width;
  std::int64_t n;
  std::vector<double> own;
};

/// What a sample is in a file: the distinct rows in their order, by hash and then by their bits.
struct sample_parts {
  std::vector<double> inputs;        // [rows, num_inputs]
  std::vector<double> targets;       // [rows]
  std::vector<double> weights;       // [rows], or none
  std::vector<std::int64_t> counts;  // [rows], how often each occurred
};

class row_sample {
 public:
  /// @param nan_codes    [num_inputs], 1: NaN is an input as others are
  /// @param sample_rows  the limit, 1 to most_sample_rows
  /// @param weighted     whether rows have weights
  row_sample(std::vector<std::uint8_t> nan_codes, std::int64_t sample_rows, bool weighted);

  std::int64_t num_inputs() const { return static_cast<std::int64_t>(nan_codes_.size()); }
  bool weighted() const { return width_ > num_inputs() + 1; }
  const std::vector<std::uint8_t>& nan_codes() const { return nan_codes_; }
  std::int64_t limit() const { return limit_; }
  const row_counts& counts() const { return counts_; }
  /// The share of the distinct rows that was kept: 1, or an estimate.
  double share();

  /// Adds n rows in host memory, with weights if there are such. If it throws nothing was added.
  /// `engine` is of the host.
  void add(backend& engine, const zcmoe_points& x, const zcmoe_array& y, const zcmoe_array& weights,
           std::int64_t n, std::int64_t first_row = 0);
  /// Adds the rows of another sample of equal num_inputs, nan_codes, limit and weighted. If it
  /// throws nothing was added.
  void merge(const row_sample& from);

  /// The rows to learn from, at most `limit`. If equal rows make more, each is repeated in
  /// proportion, the rest going to the largest remainders, then to the first in their order.
  /// Valid until the sample changes.
  sampled_rows rows();

  sample_parts parts();
  /// Replaces what there is; throws FORMAT if no rows give such parts.
  void restore(const row_counts& counts, const sample_parts& parts);

 private:
  using row_number = std::uint32_t;  // more than room_for_all() of them fit
  static constexpr row_number no_row = ~row_number{0};

  const double* row(std::size_t i) const {
    return numbers_.data() + i * static_cast<std::size_t>(width_);
  }
  std::size_t bytes_of_row() const { return static_cast<std::size_t>(width_) * sizeof(double); }
  /// Rows beyond the limit are dropped when some have come together.
  std::int64_t room_for_all() const { return limit_ + limit_ / 8 + 64; }
  void check_sum(const row_counts& more) const;
  void reserve(std::int64_t more);
  void insert(std::uint64_t hash, const double* numbers, std::int64_t count);
  void drop_rows();
  void fill_table();
  bool is_before(std::size_t a, std::size_t b) const;
  std::vector<row_number> in_order() const;
  std::int64_t repeated_rows() const;

  std::vector<std::uint8_t> nan_codes_;
  std::int64_t width_;  // numbers of a row
  std::int64_t limit_;
  row_counts counts_;                            // of all rows that there were
  std::uint64_t most_hash_ = ~std::uint64_t{0};  // rows of greater ones are not kept
  std::int64_t capacity_ = 0;                    // rows that there is room for below
  std::vector<double> numbers_;                  // [rows, width_], canonical
  std::vector<std::uint64_t> hashes_;            // [rows]
  std::vector<std::int64_t> repeated_;           // [rows]
  std::vector<row_number> table_;       // open addressing by hash; its size is a power of two
  std::vector<std::uint64_t> scratch_;  // what drop_rows() needs, which may not allocate
};

}  // namespace zcmoe::detail
