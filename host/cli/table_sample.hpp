// A bounded, deterministic sample of a stream of rows, evenly spread over it: of every 2^j
// consecutive rows one is kept, at a place that a hash chooses; j grows when the buffer is full. A
// fixed place would see only one phase of data with a period; one place per group keeps the even
// spread that plain random sampling loses. The sample is the same however the rows come in blocks.
#pragma once

#include <cstdint>
#include <vector>

namespace zcmoe::cli {

class table_sample {
 public:
  /// Keeps at most max_rows rows (made even, at least 2) of num_columns numbers each.
  table_sample(std::int64_t max_rows, std::size_t num_columns);

  /// Offers the next row: num_columns numbers.
  void offer(const double* row) {
    if (next_row_++ != chosen_) return;
    take(row);
  }

  std::int64_t rows_offered() const noexcept { return next_row_; }
  std::int64_t rows() const noexcept { return rows_; }
  const std::vector<double>& column(std::size_t k) const { return columns_[k]; }

 private:
  void take(const double* row);
  void halve();

  std::int64_t max_rows_;
  std::vector<std::vector<double>> columns_;
  int level_ = 0;  // one row in 2^level
  std::int64_t next_row_ = 0;
  std::int64_t chosen_ = 0;  // row to be kept next
  std::int64_t rows_ = 0;
};

}  // namespace zcmoe::cli
