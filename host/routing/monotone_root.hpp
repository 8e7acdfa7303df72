// Routing in constant time: a monotone root maps an input to a bucket, a bucket holds few
// thresholds. Both engines build their tables from what is here; each evaluates the root in its own
// arithmetic, and sorts the thresholds into buckets with that same arithmetic, bit for bit. That
// makes it exact: for any monotone map, thresholds of lower buckets are <= x, those of higher
// buckets are > x, and only the thresholds in x's own bucket need a comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace zcmoe::detail {

enum class root_kind : std::int32_t { uniform, grid, pieces };

/// A monotone map from inputs to buckets: at most 32 linear pieces, each onto a range of buckets of
/// its own. An input is first limited to [lo, hi]; NaN becomes lo.
///
/// The kind says how an input finds its piece. uniform: there is one piece. grid: the piece is cell
/// nearest((x - lo) * grid_scale) of 32. pieces: it is the number of knots <= x among knot[1 ..
/// 15]; knots that are not used are NaN, which is <= no input. The bucket is then first +
/// nearest((x - origin) * scale), in T's arithmetic with every operation rounded on its own.
///
/// nearest(t) is (t + magic) - magic. Example for float: magic is 2^23, from which on floats are
/// whole numbers, so 5.7 + 2^23 rounds to 2^23 + 6, and the difference is 6.
///
/// make_root chooses each scale so small that hi itself falls into the piece's last bucket, so no
/// input has to be compared with the number of buckets.
template <class T>
struct root {
  static constexpr int max_grid = 32;
  static constexpr int max_pieces = 16;
  static constexpr T magic = sizeof(T) == 4 ? T{0x1p23} : static_cast<T>(0x1p52);
  using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

  root_kind kind;
  std::int64_t num_buckets;
  T lo;
  T hi;
  T grid_scale;
  // These are aligned so that one load fills a vector register.
  alignas(64) T knot[max_pieces];  // the first is -infinity
  alignas(64) T origin[max_grid];
  alignas(64) T scale[max_grid];  // finite, >= 0
  alignas(64) integer first[max_grid];

  T limited(T x) const {
    x = x > lo ? x : lo;
    return x < hi ? x : hi;
  }
  int piece_of(T limited_x) const;
  std::int64_t place_of(int piece, T limited_x) const;
  std::int64_t bucket_of(T x) const {
    const T within = limited(x);
    const int piece = piece_of(within);
    return first[piece] + place_of(piece, within);
  }
};

/// What a root costs an engine for each input, all in one unit of the engine's choice.
struct root_costs {
  double root[3];   // by root_kind
  double crowded;   // of an input whose bucket holds two or more thresholds
  double uncached;  // of an input when the buckets fill the cache; in proportion below that
  std::size_t cache_bytes;
  std::size_t bucket_bytes;
  double per_doubling = 0.0;  // of an input, each time that the buckets double beyond near_bytes
  std::size_t near_bytes = 1;
};

/// The cheapest of the three kinds with 1 to 7 buckets a threshold, at most max_buckets:
/// costs.root[kind] + costs.crowded * (share of inputs in buckets with two or more thresholds: that
/// of their thresholds, as if every segment were as likely, and a quarter for each outermost
/// bucket, where inputs beyond the thresholds go) + costs.uncached * min(1, bytes / cache_bytes) +
/// costs.per_doubling * log2(bytes / near_bytes), if positive. O(m + K) per candidate.
template <class T>
root<T> choose_root(const std::vector<T>& thresholds, const root_costs& costs,
                    std::int64_t max_buckets);

/// One kind with about `buckets` buckets; what choose_root chooses from. Thresholds may be empty.
template <class T>
root<T> make_root(root_kind kind, const std::vector<T>& thresholds, std::int64_t buckets);

/// The integer of a float, in the order of the floats, and the way back: bisecting the integers
/// between two floats takes as many steps as T has bits. A float that is not negative has its own
/// bits; those of a negative one grow with its magnitude, so they are subtracted from the least
/// integer: 0.0f is 0, the least positive float 1, -0.0f is 0 too, the greatest negative float -1.
template <class T>
using ordered = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
template <class T>
ordered<T> ordered_of(T value) {
  ordered<T> bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits < 0 ? static_cast<ordered<T>>(std::numeric_limits<ordered<T>>::min() - bits) : bits;
}
template <class T>
T float_of(ordered<T> order) {
  const ordered<T> bits =
      order < 0 ? static_cast<ordered<T>>(std::numeric_limits<ordered<T>>::min() - order) : order;
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// starts[b] is the number of thresholds in the buckets before b, [num_buckets + 1], for any
/// monotone map bucket_of. Bucket b holds thresholds starts[b] .. starts[b + 1] - 1.
template <class T, class BucketOf>
std::vector<std::uint32_t> bucket_starts(const std::vector<T>& thresholds, std::int64_t num_buckets,
                                         const BucketOf& bucket_of) {
  std::vector<std::uint32_t> starts(static_cast<std::size_t>(num_buckets) + 1, 0);
  for (const T threshold : thresholds) ++starts[static_cast<std::size_t>(bucket_of(threshold)) + 1];
  for (std::size_t b = 1; b < starts.size(); ++b) starts[b] += starts[b - 1];
  return starts;
}

}  // namespace zcmoe::detail
