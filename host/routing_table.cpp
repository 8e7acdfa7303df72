// Thresholds and roots: see routing_table.hpp.
#include "routing_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

/// The smallest T that is >= value (strictly: > value); +infinity where there is none.
template <class T>
T at_least(double value, bool strictly) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T nearest = static_cast<T>(value);
  const double back = static_cast<double>(nearest);
  if (back > value || (back == value && !strictly)) return nearest;
  return std::nextafter(nearest, infinity);
}

}  // namespace

template <class T>
threshold_list<T> thresholds_of(const model_view& view) {
  const std::int64_t m = view.num_segments;
  const bool left_closed = view.closed_side == ZCMOE_CLOSED_LEFT;
  const bool outer = view.include_outer_edge != 0;
  const bool has_outer_slots = view.range_policy != ZCMOE_RANGE_CLAMP;
  threshold_list<T> list;
  list.nan_slot = static_cast<std::int32_t>(m);
  list.thresholds.reserve(static_cast<std::size_t>(m) + 1);
  list.slot_of_rank.reserve(static_cast<std::size_t>(m) + 2);
  list.slot_of_rank.push_back(has_outer_slots ? static_cast<std::int32_t>(m + 1) : 0);
  const auto add = [&](T threshold, std::int64_t slot) {
    if (!list.thresholds.empty() && list.thresholds.back() == threshold) {
      list.slot_of_rank.back() = static_cast<std::int32_t>(slot);
    } else {
      list.thresholds.push_back(threshold);
      list.slot_of_rank.push_back(static_cast<std::int32_t>(slot));
    }
  };
  // As is_below and is_above: not below is x >= a_0 or x > a_0, above x >= a_m or x > a_m.
  if (has_outer_slots) add(at_least<T>(view.edges[0], !(left_closed || outer)), 0);
  for (std::int64_t i = 1; i < m; ++i) add(at_least<T>(view.edges[i], !left_closed), i);
  if (has_outer_slots) add(at_least<T>(view.edges[m], !left_closed || outer), m + 2);
  list.slots_are_ranks = true;
  for (std::size_t r = 0; r < list.slot_of_rank.size(); ++r) {
    list.slots_are_ranks =
        list.slots_are_ranks && list.slot_of_rank[r] == static_cast<std::int32_t>(r);
  }
  return list;
}

template <class T>
int root<T>::piece_of(T x) const {
  if (kind == root_kind::uniform) return 0;
  if (kind == root_kind::grid) {
    T cell = (x - grid_origin) * grid_scale;
    cell = cell > T{0} ? cell : T{0};  // NaN: 0
    cell = cell < T{max_grid - 1} ? cell : T{max_grid - 1};
    return static_cast<int>(cell);
  }
  int piece = 0;
  for (int k = 1; k < max_pieces; ++k) piece += knot[k] <= x ? 1 : 0;
  return piece;
}

template <class T>
std::int64_t root<T>::bucket_of(T x) const {
  const int piece = piece_of(x);
  T place = (x - origin[piece]) * scale[piece];
  place = place > T{0} ? place : T{0};  // NaN: 0
  place = place < last[piece] ? place : last[piece];
  return first[piece] + static_cast<std::int64_t>(place);
}

namespace {

/// Scale that spreads [lo, hi] over `buckets`; finite and positive whatever the range.
template <class T>
T scale_of(T lo, T hi, std::int64_t buckets) {
  const double width = static_cast<double>(hi) / 2 - static_cast<double>(lo) / 2;  // no overflow
  const double scale = static_cast<double>(buckets) / 2 / width;
  constexpr double most = static_cast<double>(std::numeric_limits<T>::max());
  constexpr double least = static_cast<double>(std::numeric_limits<T>::min());
  return static_cast<T>(std::min(std::max(scale == scale ? scale : most, least), most));
}

/// Linear map number `piece` of [lo, hi] onto buckets [first, first + buckets).
template <class T>
void set_piece(root<T>& made, int piece, T lo, T hi, std::int64_t first, std::int64_t buckets) {
  const auto at = static_cast<std::size_t>(piece);
  made.origin[at] = lo;
  // hi starts the last bucket, so that equal steps get a bucket each.
  made.scale[at] = scale_of(lo, hi, std::max<std::int64_t>(buckets - 1, 1));
  for (int k = 0; k < 8 && (hi - lo) * made.scale[at] < static_cast<T>(buckets - 1); ++k)
    made.scale[at] = std::nextafter(made.scale[at], std::numeric_limits<T>::max());
  made.last[at] = static_cast<T>(buckets - 1);
  // Rounding up would give the last bucket to the next piece.
  while (static_cast<std::int64_t>(made.last[at]) > buckets - 1)
    made.last[at] = std::nextafter(made.last[at], T{0});
  made.first[at] = static_cast<std::int32_t>(first);
}

template <class T>
root<T> empty_root(root_kind kind) {
  root<T> made{};
  made.kind = kind;
  std::fill(std::begin(made.knot), std::end(made.knot), std::numeric_limits<T>::quiet_NaN());
  std::fill(std::begin(made.scale), std::end(made.scale), T{1});
  return made;
}

/// First and last finite threshold; infinite ones need no room of their own.
template <class T>
std::size_t num_finite(const std::vector<T>& thresholds) {
  std::size_t count = thresholds.size();
  while (count > 0 && !std::isfinite(thresholds[count - 1])) --count;
  return count;
}

/// Number of buckets of a piece with `own` of `all` thresholds.
std::int64_t share_of(std::int64_t buckets, std::size_t own, std::size_t all) {
  const double share = static_cast<double>(buckets) * static_cast<double>(own) /
                       static_cast<double>(std::max<std::size_t>(all, 1));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(share));
}

template <class T>
root<T> uniform_root(const std::vector<T>& thresholds, std::size_t count, std::int64_t buckets) {
  root<T> made = empty_root<T>(root_kind::uniform);
  made.num_pieces = 1;
  const T lo = count > 0 ? thresholds[0] : T{0};
  const T hi = count > 0 ? thresholds[count - 1] : T{0};
  set_piece(made, 0, lo, hi, 0, buckets);
  made.num_buckets = buckets;
  return made;
}

template <class T>
root<T> grid_root(const std::vector<T>& thresholds, std::size_t count, std::int64_t buckets) {
  root<T> made = uniform_root(thresholds, count, buckets);
  made.kind = root_kind::grid;
  made.num_pieces = root<T>::max_grid;
  made.grid_origin = made.origin[0];
  made.grid_scale =
      scale_of(made.origin[0], count > 0 ? thresholds[count - 1] : T{0}, root<T>::max_grid);
  std::int64_t first = 0;
  std::size_t begin = 0;
  const double lo = static_cast<double>(made.grid_origin);
  const double width = 1.0 / static_cast<double>(made.grid_scale);
  for (int piece = 0; piece < root<T>::max_grid; ++piece) {
    std::size_t end = begin;
    while (end < count && made.piece_of(thresholds[end]) <= piece) ++end;
    const std::int64_t own = share_of(buckets, end - begin, count);
    // Its thresholds lie in the cell, so mapping the cell itself spreads them as far as it goes.
    const double cell_lo = lo + width * piece;
    set_piece(made, piece, static_cast<T>(cell_lo), static_cast<T>(cell_lo + width), first, own);
    first += own;
    begin = end;
  }
  made.num_buckets = first;
  return made;
}

template <class T>
root<T> pieces_root(const std::vector<T>& thresholds, std::size_t count, std::int64_t buckets) {
  root<T> made = empty_root<T>(root_kind::pieces);
  // Start from one line from the first to the last threshold; cut the piece with the largest error
  // in rank where it is largest, until the pieces are used up or no error exceeds half a rank.
  struct piece {
    std::size_t begin;  // thresholds [begin, end] at its ends
    std::size_t end;
    std::size_t worst;
    double error;
  };
  const auto measured = [&](std::size_t begin, std::size_t end) {
    piece own{begin, end, begin, 0.0};
    if (end <= begin + 1) return own;
    const auto lo = static_cast<double>(thresholds[begin]);
    const double width = static_cast<double>(thresholds[end]) / 2 - lo / 2;
    const auto ranks = static_cast<double>(end - begin);
    for (std::size_t i = begin + 1; i < end; ++i) {
      const double place = (static_cast<double>(thresholds[i]) / 2 - lo / 2) / width * ranks;
      const double error = std::abs(place - static_cast<double>(i - begin));
      if (error > own.error) own = {begin, end, i, error};
    }
    return own;
  };
  std::vector<piece> pieces;
  if (count > 0) pieces.push_back(measured(0, count - 1));
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
  if (pieces.empty()) pieces.push_back({0, 0, 0, 0.0});
  made.num_pieces = static_cast<std::int32_t>(pieces.size());
  std::int64_t first = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    const piece& own = pieces[p];
    const T lo = count > 0 ? thresholds[own.begin] : T{0};
    const T hi = count > 0 ? thresholds[own.end] : T{0};
    const std::int64_t room =
        share_of(buckets, own.end - own.begin, std::max<std::size_t>(count, 2) - 1);
    if (p > 0) made.knot[p] = lo;
    set_piece(made, static_cast<int>(p), lo, hi, first, room);
    first += room;
  }
  made.num_buckets = first;
  return made;
}

}  // namespace

template <class T>
root<T> make_root(root_kind kind, const std::vector<T>& thresholds, std::int64_t buckets) {
  const std::size_t count = num_finite(thresholds);
  buckets = std::max<std::int64_t>(buckets, 1);
  switch (kind) {
    case root_kind::grid: return grid_root(thresholds, count, buckets);
    case root_kind::pieces: return pieces_root(thresholds, count, buckets);
    default: return uniform_root(thresholds, count, buckets);
  }
}

/// See choose_root.
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
      if (cost >= least) break;  // more buckets cost more
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
  template threshold_list<T> thresholds_of<T>(const model_view&);                \
  template struct root<T>;                                                       \
  template root<T> make_root<T>(root_kind, const std::vector<T>&, std::int64_t); \
  template root<T> choose_root<T>(const std::vector<T>&, const root_costs&, std::int64_t);
ZCMOE_INSTANTIATE(float)
ZCMOE_INSTANTIATE(double)
#undef ZCMOE_INSTANTIATE

}  // namespace zcmoe::detail
