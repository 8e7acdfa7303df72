// Passes over rows on the host's threads: whole numbers, so that chunks and threads do not show.
#pragma once

#include "host/engine/row_passes.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace zcmoe::detail {

/// Makes the passes over some rows, whose work on the host is shared out by `run`; both must
/// outlive what is made.
using make_row_passes =
    std::function<std::unique_ptr<row_passes>(const pass_rows& rows, const run_parts& run)>;

/// On the threads that `run` has.
std::unique_ptr<row_passes> make_host_passes(const pass_rows& rows, const run_parts& run);

/// Chunks of rows that are shared out: a function of n alone.
struct row_chunks {
  std::int64_t n;
  std::int64_t count;

  explicit row_chunks(std::int64_t num_rows);
  std::int64_t begin(std::int64_t chunk) const { return chunk * size(); }
  std::int64_t end(std::int64_t chunk) const { return chunk + 1 == count ? n : begin(chunk + 1); }
  std::int64_t size() const { return count == 0 ? 0 : n / count; }
};

}  // namespace zcmoe::detail
