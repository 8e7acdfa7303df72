// Which of the rows given can be learned from, and the threads that look at them.
#pragma once

#include "host/engine/backend.hpp"
#include "host/learning/coded_rows.hpp"

#include <zcmoe/points.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace zcmoe::detail {

/// The engine itself if it is that of the host; else one whose threads look at rows beside it.
std::shared_ptr<backend> host_of(const std::shared_ptr<backend>& engine);

/// Runs body on one of the host's threads, as if it were a part of shared work: what it computes is
/// rounded as the passes over rows are. Throws what body throws.
void run_as_part(backend& engine, const std::function<void()>& body);

/// Shares parts out among the threads of an engine, which must outlive it.
run_parts parts_on(backend& engine);

/// What became of rows. Each is counted once: by its weight, then by its target, then by its
/// inputs.
struct row_counts {
  std::int64_t rows = 0;
  std::int64_t nan_inputs = 0;
  std::int64_t nan_targets = 0;
  std::int64_t infinite_targets = 0;
  std::int64_t zero_weights = 0;

  std::int64_t used() const {
    return rows - nan_inputs - nan_targets - infinite_targets - zero_weights;
  }
  row_counts& operator+=(const row_counts& more);
  /// Throws DATA if there is no row to learn from.
  void check_used() const;
  /// Writes them into a report.
  void tell(zcmoe_learn_report& report) const;
};

/// [num_inputs], 1: NaN has a code in this input.
std::vector<std::uint8_t> nan_codes_of(const zcmoe_learn_options& options, std::int64_t num_inputs);

/// Columns of rows as the host reads them: in place where they lie in its memory, else copies, of
/// one column at a time.
class host_columns {
 public:
  /// `engine`, in whose memory the others lie, and x must outlive this. first_row: the number of
  /// the first of these rows among the caller's.
  host_columns(const backend& engine, const zcmoe_points& x, std::int64_t n,
               std::int64_t first_row = 0)
      : engine_(engine), x_(x), n_(n), first_row_(first_row) {}

  std::int64_t count() const { return x_.num_inputs; }
  std::int64_t first_row() const { return first_row_; }
  bool is_in_place(std::int64_t j) const { return engine_.device_of(x_.columns[j].data) < 0; }
  /// Column j; a copy is valid until the next is made.
  any_array read(std::int64_t j);

 private:
  const backend& engine_;
  const zcmoe_points& x_;
  std::int64_t n_;
  std::int64_t first_row_;
  std::vector<double> copy_;
};

struct usable_rows {
  std::vector<std::uint8_t> used;     // [n], 1: it can be learned from
  std::vector<std::uint64_t> hashes;  // [n], of the inputs: hash_inputs()
  row_counts counts;
};

/// Looks at n rows, whose targets and weights are in host memory. Those with a NaN or infinite
/// target cannot be learned from, nor those with a NaN where NaN has no code, nor those of weight
/// 0. Throws DATA for the first weight that is negative or not finite.
/// @param weights  data null: none
usable_rows find_usable(host_columns& x, const zcmoe_array& y, const zcmoe_array& weights,
                        std::int64_t n, const std::vector<std::uint8_t>& nan_codes,
                        const run_parts& run);

}  // namespace zcmoe::detail
