// Sorts, scales and splits the rows of a plan: see plan_rows.hpp. A hash of their positions alone
// decides which rows are held out and how rows of equal inputs are shuffled.
#include "host/planning/plan_rows.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// 64 pseudo-random bits that depend on a position alone.
std::uint64_t hash_of(std::size_t position) { return XXH3_64bits(&position, sizeof position); }

}  // namespace

plan_rows read_rows(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                    std::int64_t n, std::int32_t weights_kind, const zcmoe_plan_options& options) {
  const bool limited = options.lo < options.hi;
  samples read = read_samples(x, y, weights, n, limited ? options.lo : -infinity,
                              limited ? options.hi : infinity);
  std::vector<sample>& rows = read.rows;
  plan_rows r;
  r.weighted = weights.data != nullptr;
  r.precisions = r.weighted && weights_kind == ZCMOE_WEIGHTS_PRECISION;
  r.target_exponent = read.target_exponent;
  r.weight_exponent = read.weight_exponent;
  // Rows of equal inputs are shuffled, because they are sorted by their targets: differences of
  // neighbouring targets would be too small for an estimate of the noise (rice). Each row but the
  // first swaps places with itself or an earlier one (Fisher-Yates).
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && rows[end].x == rows[begin].x) ++end;
    ++r.distinct;
    for (std::size_t left = end - begin; left > 1; --left) {
      std::swap(rows[begin + left - 1], rows[begin + hash_of(begin + left) % left]);
    }
  }
  r.lo = limited ? options.lo : rows.front().x;
  r.hi = limited ? options.hi : rows.back().x;

  const double share = options.holdout * 0x1p64;
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const sample& row = rows[i];
    sum += row.weight;
    squares += row.weight * row.weight;
    r.all.add(row, r.weighted);
    // ~i makes these bits independent of those of the shuffle.
    const bool kept_out = static_cast<double>(hash_of(~i)) < share;
    (kept_out ? r.held_out : r.learned).add(row, r.weighted);
  }
  const bool count_alike = !r.weighted || r.precisions;
  r.effective = count_alike ? static_cast<double>(rows.size()) : sum * sum / squares;
  if (r.learned.x.empty() || r.held_out.x.empty()) {
    r.learned = r.all;
    r.held_out = {};
  }
  return r;
}

}  // namespace zcmoe::detail
