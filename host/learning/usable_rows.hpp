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

/// An engine of the host's threads, for rows whose context has none.
std::shared_ptr<backend> make_host_backend();

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

struct usable_rows {
  std::vector<std::uint8_t> used;     // [n], 1: it can be learned from
  std::vector<std::uint64_t> hashes;  // [n], of the inputs: hash_inputs()
  row_counts counts;
};

/// Looks at n rows in host memory. Those with a NaN or infinite target cannot be learned from, nor
/// those with a NaN where NaN has no code, nor those of weight 0. Throws DATA for the first weight
/// that is negative or not finite.
/// @param weights  data null: none
usable_rows find_usable(const zcmoe_points& x, const zcmoe_array& y, const zcmoe_array& weights,
                        std::int64_t n, const std::vector<std::uint8_t>& nan_codes,
                        const run_parts& run);

}  // namespace zcmoe::detail
