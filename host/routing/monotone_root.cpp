// Makes the first stage of a routing table: thresholds go in, the cheapest of three kinds of
// monotone maps comes out; see monotone_root.hpp.
#include "host/routing/monotone_root.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>

namespace zcmoe::detail {
namespace {

template <class T>
std::int64_t nearest(T place) {
  const T shifted = place + root<T>::magic;
  return static_cast<std::int64_t>(shifted - root<T>::magic);
}

}  // namespace

template <class T>
int root<T>::piece_of(T limited_x) const {
  if (kind == root_kind::uniform) return 0;
  if (kind == root_kind::grid) return static_cast<int>(nearest((limited_x - lo) * grid_scale));
  int piece = 0;
  for (int k = 1; k < max_pieces; ++k) piece += knot[k] <= limited_x ? 1 : 0;
  return piece;
}

template <class T>
std::int64_t root<T>::place_of(int piece, T limited_x) const {
  return nearest((limited_x - origin[piece]) * scale[piece]);
}

namespace {

/// A piece has at most this many buckets, so that `nearest` still tells neighbouring ones apart.
template <class T>
constexpr std::int64_t max_piece_buckets = std::int64_t{1} << (sizeof(T) == 4 ? 22 : 30);

/// The scale that takes lo to place 0 and hi to place `last`. It is rounded down until hi is not
/// taken beyond `last`.
template <class T>
T scale_of(T lo, T hi, std::int64_t last) {
  if (last == 0 || !(lo < hi)) return T{0};
  constexpr double most = static_cast<double>(std::numeric_limits<T>::max());
  const double width = static_cast<double>(hi) - static_cast<double>(lo);
  T scale = static_cast<T>(std::min(static_cast<double>(last) / width, most));
  while (nearest((hi - lo) * scale) > last) scale = std::nextafter(scale, T{0});
  return scale;
}

/// Sets piece number `piece`, which maps inputs in [lo, hi] onto buckets [first, first + buckets).
template <class T>
void set_piece(root<T>& made, int piece, T lo, T hi, std::int64_t first, std::int64_t buckets) {
  const auto at = static_cast<std::size_t>(piece);
  made.origin[at] = lo;
  made.scale[at] = scale_of(lo, hi, buckets - 1);
  made.first[at] = static_cast<typename root<T>::integer>(first);
}

/// The thresholds [begin, end) that the map spreads over its buckets: those that are finite and so
/// near to each other that their distance is finite too. The others fall into the outermost
/// buckets.
template <class T>
struct spread {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};
template <class T>
spread<T> spread_of(const std::vector<T>& thresholds) {
  const T limit = std::numeric_limits<T>::max() / 4;
  spread<T> range{0, thresholds.size()};
  while (range.end > 0 && !(thresholds[range.end - 1] <= limit)) --range.end;
  while (range.begin < range.end && !(thresholds[range.begin] >= -limit)) ++range.begin;
  return range;
}

template <class T>
root<T> root_over(root_kind kind, const std::vector<T>& thresholds, const spread<T>& range) {
  root<T> made{};
  made.kind = kind;
  made.lo = range.size() > 0 ? thresholds[range.begin] : T{0};
  made.hi = range.size() > 0 ? thresholds[range.end - 1] : T{0};
  std::fill(std::begin(made.knot), std::end(made.knot), std::numeric_limits<T>::quiet_NaN());
  made.knot[0] = -std::numeric_limits<T>::infinity();
  return made;
}

/// The number of buckets of a piece that holds `own` of `all` thresholds.
template <class T>
std::int64_t share_of(std::int64_t buckets, std::size_t own, std::size_t all) {
  const double share = static_cast<double>(buckets) * static_cast<double>(own) /
                       static_cast<double>(std::max<std::size_t>(all, 1));
  return std::min(std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share))),
                  max_piece_buckets<T>);
}

template <class T>
root<T> uniform_root(const std::vector<T>& thresholds, std::int64_t buckets) {
  root<T> made = root_over(root_kind::uniform, thresholds, spread_of(thresholds));
  made.num_buckets = std::min(buckets, max_piece_buckets<T>);
  set_piece(made, 0, made.lo, made.hi, 0, made.num_buckets);
  return made;
}

template <class T>
root<T> grid_root(const std::vector<T>& thresholds, std::int64_t buckets) {
  const spread<T> range = spread_of(thresholds);
  root<T> made = root_over(root_kind::grid, thresholds, range);
  made.grid_scale = scale_of(made.lo, made.hi, root<T>::max_grid - 1);
  std::int64_t first = 0;
  std::size_t begin = range.begin;
  T cell_lo = made.lo;
  for (int piece = 0; piece < root<T>::max_grid; ++piece) {
    // The last input of the cell: the largest in [cell_lo, hi] that `piece_of` still puts into it.
    // The cell has none where rounding has left it empty.
    ordered<T> inside = ordered_of(cell_lo);
    ordered<T> outside = ordered_of(made.hi);
    T cell_hi = cell_lo;
    if (made.piece_of(made.hi) <= piece) {
      cell_hi = made.hi;
    } else if (made.piece_of(cell_lo) <= piece) {
      // Half the sum of both integers without overflow: the bits that both have, and half of those
      // that one has. Example: 6 and 3 give 2 + 5 / 2 = 4.
      while (inside + 1 < outside) {
        const auto middle = static_cast<ordered<T>>((inside & outside) + ((inside ^ outside) >> 1));
        (made.piece_of(float_of<T>(middle)) <= piece ? inside : outside) = middle;
      }
      cell_hi = float_of<T>(inside);
    }
    std::size_t end = begin;
    while (end < range.end && thresholds[end] <= cell_hi && made.piece_of(cell_lo) <= piece) ++end;
    const std::int64_t own = share_of<T>(buckets, end - begin, range.size());
    set_piece(made, piece, cell_lo, cell_hi, first, own);
    first += own;
    begin = end;
    if (made.piece_of(cell_lo) <= piece && cell_hi < made.hi)
      cell_lo = std::nextafter(cell_hi, made.hi);
  }
  made.num_buckets = first;
  return made;
}

template <class T>
root<T> pieces_root(const std::vector<T>& thresholds, std::int64_t buckets) {
  const spread<T> range = spread_of(thresholds);
  root<T> made = root_over(root_kind::pieces, thresholds, range);
  // The pieces begin with one line from the first to the last threshold. The piece with the largest
  // error in rank is cut where that error is, until all pieces are in use or no error exceeds half
  // a rank.
  struct piece {
    std::size_t begin;  // the thresholds at its two ends
    std::size_t end;
    std::size_t worst;
    double error;
  };
  const auto measured = [&](std::size_t begin, std::size_t end) {
    piece own{begin, end, begin, 0.0};
    const auto lo = static_cast<double>(thresholds[begin]);
    const double width = static_cast<double>(thresholds[end]) - lo;
    const auto ranks = static_cast<double>(end - begin);
    for (std::size_t i = begin + 1; i < end; ++i) {
      const double place = (static_cast<double>(thresholds[i]) - lo) / width * ranks;
      const double error = std::abs(place - static_cast<double>(i - begin));
      if (error > own.error) own = {begin, end, i, error};
    }
    return own;
  };
  std::vector<piece> pieces;
  if (range.size() > 0) pieces.push_back(measured(range.begin, range.end - 1));
  while (!pieces.empty() && pieces.size() < root<T>::max_pieces) {
    const auto worst =
        std::max_element(pieces.begin(), pieces.end(),
                         [](const piece& a, const piece& b) { return a.error < b.error; });
    if (worst->error <= 0.5) break;
    const piece left = measured(worst->begin, worst->worst);
    const piece right = measured(worst->worst, worst->end);
    *worst = left;
    pieces.insert(worst + 1, right);
  }
  std::int64_t first = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    const piece& own = pieces[p];
    const T lo = thresholds[own.begin];
    const bool is_last = p + 1 == pieces.size();
    const T hi = is_last ? made.hi : std::nextafter(thresholds[own.end], lo);
    const std::int64_t room =
        share_of<T>(buckets, own.end - own.begin + (is_last ? 1 : 0), range.size());
    if (p > 0) made.knot[p] = lo;
    set_piece(made, static_cast<int>(p), lo, hi, first, room);
    first += room;
  }
  if (pieces.empty()) set_piece(made, 0, made.lo, made.hi, 0, first = 1);
  made.num_buckets = first;
  return made;
}

}  // namespace

template <class T>
root<T> make_root(root_kind kind, const std::vector<T>& thresholds, std::int64_t buckets) {
  buckets = std::max<std::int64_t>(buckets, 1);
  switch (kind) {
    case root_kind::grid: return grid_root(thresholds, buckets);
    case root_kind::pieces: return pieces_root(thresholds, buckets);
    default: return uniform_root(thresholds, buckets);
  }
}

/// The share of inputs in buckets with two or more thresholds, as choose_root counts it.
template <class T>
static double crowded_share(const root<T>& made, const std::vector<T>& thresholds) {
  std::size_t crowded = 0;
  double share = 0.0;
  for (std::size_t begin = 0; begin < thresholds.size();) {
    const std::int64_t bucket = made.bucket_of(thresholds[begin]);
    std::size_t end = begin + 1;
    while (end < thresholds.size() && made.bucket_of(thresholds[end]) == bucket) ++end;
    if (end - begin > 1) {
      crowded += end - begin;
      if (bucket == 0) share += 0.25;
      if (bucket == made.num_buckets - 1) share += 0.25;
    }
    begin = end;
  }
  return share + (crowded == 0
                      ? 0.0
                      : static_cast<double>(crowded) / static_cast<double>(thresholds.size()));
}

template <class T>
root<T> choose_root(const std::vector<T>& thresholds, const root_costs& costs,
                    std::int64_t max_buckets) {
  const auto count = static_cast<std::int64_t>(thresholds.size());
  root<T> best{};
  double least = std::numeric_limits<double>::infinity();
  for (const root_kind kind : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
    double before = std::numeric_limits<double>::infinity();
    for (const double per_threshold : {1.0, 1.25, 1.5, 2.0, 4.0, 7.0}) {
      const auto wanted = static_cast<std::int64_t>(
          per_threshold * static_cast<double>(std::max<std::int64_t>(count, 1)));
      const root<T> made = make_root(kind, thresholds, std::min(wanted, max_buckets));
      const double bytes =
          static_cast<double>(made.num_buckets) * static_cast<double>(costs.bucket_bytes);
      const double doublings = std::log2(bytes / static_cast<double>(costs.near_bytes));
      double cost = costs.root[static_cast<int>(kind)] +
                    costs.uncached * std::min(1.0, bytes / static_cast<double>(costs.cache_bytes)) +
                    costs.per_doubling * std::max(0.0, doublings);
      if (cost >= least) break;  // more buckets would cost still more
      cost += costs.crowded * crowded_share(made, thresholds);
      if (cost < least) {
        least = cost;
        best = made;
      }
      if (cost > before || wanted >= max_buckets) break;
      before = cost;
    }
  }
  return best;
}

#define ZCMOE_INSTANTIATE(T)                                                     \
  template struct root<T>;                                                       \
  template root<T> make_root<T>(root_kind, const std::vector<T>&, std::int64_t); \
  template root<T> choose_root<T>(const std::vector<T>&, const root_costs&, std::int64_t);
ZCMOE_INSTANTIATE(float)
ZCMOE_INSTANTIATE(double)
#undef ZCMOE_INSTANTIATE

}  // namespace zcmoe::detail
