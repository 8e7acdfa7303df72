// Routing in constant time: the first stage of a routing table is a monotone map from inputs to
// buckets, which the code calls its root; each bucket holds few thresholds. Both engines build
// their tables from what is here. Each evaluates the map in its own arithmetic, and sorts the
// thresholds into buckets with that same arithmetic, bit for bit. This makes routing exact: for any
// monotone map the thresholds of lower buckets are <= x, those of higher buckets are > x, and only
// the thresholds in the bucket of x need a comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace zcmoe::detail {

enum class root_kind : std::int32_t { uniform, grid, pieces };

/// A monotone map from inputs to buckets. It consists of at most 32 linear pieces, each of which
/// has a range of buckets of its own. An input is first limited to [lo, hi]; NaN becomes lo.
///
/// The kind says how an input finds its piece. uniform: there is one piece. grid: [lo, hi] is
/// divided into 32 cells, equally wide but for the two at the ends, and the piece is the cell,
/// nearest((x - lo) * grid_scale). pieces: the piece is the number of knots <= x among
/// knot[1 .. 15]; knots that are not used are NaN, which is <= no input. The bucket is then first +
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
  alignas(64) T knot[max_pieces];  // where pieces begin; the first is -infinity
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

/// What a first stage costs an engine per input, all in one unit of the engine's choice.
struct root_costs {
  double root[3];  // of each root_kind
  double crowded;  // for an input whose bucket holds two or more thresholds
  // The cost where the buckets fill the cache. It is in proportion where they fill a part of it.
  double uncached;
  std::size_t cache_bytes;
  std::size_t bucket_bytes;
  // The cost of each doubling of the bytes of all buckets beyond near_bytes.
  double per_doubling = 0.0;
  std::size_t near_bytes = 1;
};

/// The cheapest map of the three kinds with 1 to 7 buckets per threshold and at most max_buckets. A
/// candidate costs
///   costs.root[kind] + costs.crowded * (share of inputs in buckets with two or more thresholds)
///     + costs.uncached * min(1, bytes / cache_bytes)
///     + costs.per_doubling * max(0, log2(bytes / near_bytes)).
/// The share is that of the thresholds in such buckets, as if every segment were equally likely,
/// and a quarter more for each outermost bucket among them, which also takes the inputs beyond all
/// thresholds. O(m + K) per candidate of K buckets.
template <class T>
root<T> choose_root(const std::vector<T>& thresholds, const root_costs& costs,
                    std::int64_t max_buckets);

/// The map of one kind with about `buckets` buckets: a candidate of choose_root. There may be no
/// thresholds.
template <class T>
root<T> make_root(root_kind kind, const std::vector<T>& thresholds, std::int64_t buckets);

/// The integer of a float, and the way back. Integers are in the order of their floats, so that
/// bisecting the integers between two floats takes as many steps as T has bits. A float that is not
/// negative has its own bits; those of a negative one grow with its magnitude, so they are
/// subtracted from the least integer: 0.0f is 0, the least positive float 1, -0.0f is 0 too, the
/// greatest negative float -1.
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

/// For any monotone map bucket_of, starts[b] is the number of thresholds in the buckets before b,
/// [num_buckets + 1]. So bucket b holds the thresholds starts[b] .. starts[b + 1] - 1.
template <class T, class BucketOf>
std::vector<std::uint32_t> bucket_starts(const std::vector<T>& thresholds, std::int64_t num_buckets,
                                         const BucketOf& bucket_of) {
  std::vector<std::uint32_t> starts(static_cast<std::size_t>(num_buckets) + 1, 0);
  for (const T threshold : thresholds) ++starts[static_cast<std::size_t>(bucket_of(threshold)) + 1];
  for (std::size_t b = 1; b < starts.size(); ++b) starts[b] += starts[b - 1];
  return starts;
}

}  // namespace zcmoe::detail
