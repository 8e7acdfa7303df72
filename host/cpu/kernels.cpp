// The CPU engine's loops over inputs, compiled once per instruction set by Google Highway: first
// the buckets of a block of inputs, then the cells of those buckets, fetched whole and transposed.
// No hardware gather: it takes a cycle and more a lane.
#include "host/cpu/route_table.hpp"
#include "host/cpu/window_sums.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/kernels.cpp"
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#define HWY_IS_DEBUG_BUILD 0  // its assertions call a library that is not linked
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace zcmoe::detail {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Adds one row, or notes it as a misfit.
template <class T>
inline void add_target(const window_rows<T>& rows, std::size_t k, std::uint32_t* misfits,
                       std::size_t& found) {
  const auto target = static_cast<double>(rows.targets[k]);
  if (rows.window.holds(target)) {
    const std::size_t copy = k & ((std::size_t{1} << rows.copies_shift) - 1);
    rows.sums[(std::size_t{rows.slots[k]} << rows.copies_shift) + copy].add(target, rows.window);
  } else if (rows.slots[k] != rows.ignored_slot) {
    misfits[found++] = static_cast<std::uint32_t>(k);
  }
}
template <class T>
std::size_t add_one_by_one(const window_rows<T>& rows, std::uint32_t* misfits) {
  std::size_t found = 0;
  for (std::size_t k = 0; k < rows.n; ++k) add_target(rows, k, misfits, found);
  return found;
}

template <class T>
bool add_run_one_by_one(const T* y, std::size_t n, const target_window<T>& window,
                        window_sums<T>& sums) {
  for (std::size_t k = 0; k < n; ++k) {
    if (!window.holds(static_cast<double>(y[k]))) return false;
  }
  for (std::size_t k = 0; k < n; ++k) sums.add(static_cast<double>(y[k]), window);
  return true;
}

#if HWY_TARGET != HWY_SCALAR

constexpr std::size_t block = 256;  // inputs whose buckets are known before the first cell is read
// What is read in order is fetched so far ahead: hardware stops at every page, and between reads of
// cells does not see that there is a stream.
constexpr std::size_t fetched_ahead = 1024;

// -------------------------------------------------------------------- roots

/// Lane by lane table[index], 0 <= index < Size.
template <int Size, class D, class I>
HWY_INLINE hn::Vec<D> entries(D d, const hn::TFromD<D>* table, I index) {
  constexpr int lanes = static_cast<int>(hn::MaxLanes(D{}));
  if constexpr (lanes >= Size) {
    return hn::TableLookupLanes(hn::Load(d, table), hn::IndicesFromVec(d, index));
  } else if constexpr (lanes >= 8) {
    const hn::RebindToSigned<D> di;
    using integer = hn::TFromD<decltype(di)>;
    const auto within =
        hn::IndicesFromVec(d, hn::And(index, hn::Set(di, static_cast<integer>(lanes - 1))));
    auto found = hn::TableLookupLanes(hn::Load(d, table), within);
    for (int k = lanes; k < Size; k += lanes) {
      const auto here = hn::Gt(index, hn::Set(di, static_cast<integer>(k - 1)));
      found = hn::IfThenElse(hn::RebindMask(d, here),
                             hn::TableLookupLanes(hn::Load(d, table + k), within), found);
    }
    return found;
  } else {
    return hn::GatherIndex(d, table, index);
  }
}

/// x limited to [lo, hi]; NaN: lo.
template <class D, class V>
HWY_INLINE V limited(D d, const root<hn::TFromD<D>>& map, V x) {
#if HWY_ARCH_X86
  return hn::Min(hn::Max(x, hn::Set(d, map.lo)),
                 hn::Set(d, map.hi));  // the operands' order matters
#else
  const auto lo = hn::Set(d, map.lo);
  return hn::Min(hn::IfThenElse(hn::Gt(x, lo), x, lo), hn::Set(d, map.hi));
#endif
}

/// nearest(), in the low bits of integers as wide as T.
template <class D, class V>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> nearest_bits(D d, V place) {
  using T = hn::TFromD<D>;
  const hn::RebindToSigned<D> di;
  constexpr hwy::MakeSigned<T> mantissa = (hwy::MakeSigned<T>{1} << (sizeof(T) == 4 ? 23 : 52)) - 1;
  const auto shifted = hn::BitCast(di, hn::Add(place, hn::Set(d, root<T>::magic)));
  return hn::And(shifted, hn::Set(di, mantissa));
}

/// root<T>::bucket_of, bit for bit.
template <root_kind Kind, class D, class V>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> buckets_of(D d, const root<hn::TFromD<D>>& map, V input) {
  using T = hn::TFromD<D>;
  const auto x = limited(d, map, input);
  if constexpr (Kind == root_kind::uniform) {
    return nearest_bits(d,
                        hn::Mul(hn::Sub(x, hn::Set(d, map.origin[0])), hn::Set(d, map.scale[0])));
  } else {
    const hn::RebindToSigned<D> di;
    constexpr int size = Kind == root_kind::grid ? root<T>::max_grid : root<T>::max_pieces;
    auto piece = hn::Zero(di);
    if constexpr (Kind == root_kind::grid) {
      piece = nearest_bits(d, hn::Mul(hn::Sub(x, hn::Set(d, map.lo)), hn::Set(d, map.grid_scale)));
    } else {
      for (int step = root<T>::max_pieces / 2; step > 0; step /= 2) {
        const auto next = hn::Add(piece, hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(step)));
        const auto reached = hn::Le(entries<size>(d, map.knot, next), x);
        piece = hn::IfThenElse(hn::RebindMask(di, reached), next, piece);
      }
    }
    const auto place = hn::Mul(hn::Sub(x, entries<size>(d, map.origin, piece)),
                               entries<size>(d, map.scale, piece));
    // first holds integers: looked up as bits.
    const auto first =
        hn::BitCast(di, entries<size>(d, reinterpret_cast<const T*>(map.first), piece));
    return hn::Add(nearest_bits(d, place), first);
  }
}

/// Byte offsets of the cells of `count` inputs, a multiple of the lanes.
template <root_kind Kind, class T>
HWY_INLINE void find_cells(const root<T>& map, const T* x, std::size_t count,
                           std::uint32_t* offsets) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  for (std::size_t i = 0; i < count; i += lanes) {
    hwy::Prefetch(x + i + fetched_ahead);
    constexpr int shift = sizeof(T) == 4 ? 3 : 4;
    static_assert(sizeof(value_cell<T>) == std::size_t{1} << shift, "a power of two");
    static_assert(sizeof(rank_cell<T>) == std::size_t{1} << shift, "the same for both");
    const auto found = hn::ShiftLeft<shift>(buckets_of<Kind>(d, map, hn::LoadU(d, x + i)));
    if constexpr (sizeof(T) == 4) {
      hn::Store(found, di, reinterpret_cast<std::int32_t*>(offsets + i));
    } else {
      const hn::Rebind<std::uint32_t, decltype(d)> narrow;
      hn::Store(hn::TruncateTo(narrow, hn::BitCast(hn::RebindToUnsigned<decltype(d)>(), found)),
                narrow, offsets + i);
    }
  }
}

// -------------------------------------------------------------------- cells

/// Vectors of what stands at some addresses: blocks of 128 bits, block b from the address of(b).
template <class D>
class block_loader {
 public:
  HWY_INLINE block_loader()
      : below1(hn::FirstN(D{}, per_block)),
        below2(hn::FirstN(D{}, 2 * per_block)),
        below3(hn::FirstN(D{}, 3 * per_block)) {}
  template <class Of>
  HWY_INLINE hn::Vec<D> operator()(const Of& of) const {
    const D d;
    if constexpr (bytes == 16) {
      return hn::LoadU(d, of(0));
    } else if constexpr (bytes == 32) {
      const hn::Half<D> half;
      return hn::Combine(d, hn::LoadU(half, of(1)), hn::LoadU(half, of(0)));
    } else {
      // Loads that fill one block and keep the others, where compilers see it.
      auto all = hn::LoadDup128(d, of(3));
      all = hn::IfThenElse(below3, hn::LoadDup128(d, of(2)), all);
      all = hn::IfThenElse(below2, hn::LoadDup128(d, of(1)), all);
      return hn::IfThenElse(below1, hn::LoadDup128(d, of(0)), all);
    }
  }

 private:
  static constexpr std::size_t bytes = hn::MaxLanes(D{}) * sizeof(hn::TFromD<D>);
  static constexpr std::size_t per_block = 16 / sizeof(hn::TFromD<D>);
  hn::Mask<D> below1;
  hn::Mask<D> below2;
  hn::Mask<D> below3;
};

template <class D>
struct value_fields {
  hn::Vec<D> threshold;
  hn::Vec<D> left;
  hn::Vec<D> right;
};
template <class D>
struct rank_fields {
  hn::Vec<D> threshold;
  hn::Vec<D> rank;  // bits
};

/// As many cells as D has lanes, at offsets from the first, each with the one before it (which is
/// that of the bucket before: offsets count from there), transposed.
template <class D>
HWY_INLINE value_fields<D> value_fields_of(const block_loader<D>& load, const char* cells,
                                           const std::uint32_t* offsets) {
  using T = hn::TFromD<D>;
  const D d;
  const auto row = [&](std::size_t q, int first) HWY_ATTR {
    constexpr std::size_t per_block = 16 / sizeof(T);
    return load([&](std::size_t b) HWY_ATTR {
      return reinterpret_cast<const T*>(cells + offsets[per_block * b + q]) + first;
    });
  };
  if constexpr (sizeof(T) == 4) {
    const hn::RepartitionToWide<D> wide;
    const auto r0 = row(0, 0);
    const auto r1 = row(1, 0);
    const auto r2 = row(2, 0);
    const auto r3 = row(3, 0);
    const auto before01 = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1));
    const auto before23 = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3));
    const auto own01 = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1));
    const auto own23 = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
    return {hn::BitCast(d, hn::InterleaveLower(wide, own01, own23)),
            hn::BitCast(d, hn::InterleaveUpper(wide, before01, before23)),
            hn::BitCast(d, hn::InterleaveUpper(wide, own01, own23))};
  } else {
    const auto before0 = row(0, 0);
    const auto before1 = row(1, 0);
    const auto own0 = row(0, 2);
    const auto own1 = row(1, 2);
    return {hn::InterleaveLower(d, own0, own1), hn::InterleaveUpper(d, before0, before1),
            hn::InterleaveUpper(d, own0, own1)};
  }
}

/// The same for cells of ranks, without those before.
template <class D>
HWY_INLINE rank_fields<D> rank_fields_of(const block_loader<D>& load, const char* cells,
                                         const std::uint32_t* offsets) {
  using T = hn::TFromD<D>;
  const D d;
  const auto row = [&](std::size_t q) HWY_ATTR {
    constexpr std::size_t per_block = 16 / sizeof(T);
    return load([&](std::size_t b) HWY_ATTR {
      return reinterpret_cast<const T*>(cells + offsets[per_block * b + q]);
    });
  };
  if constexpr (sizeof(T) == 4) {
    const hn::RepartitionToWide<D> wide;
    const auto r01 = hn::BitCast(wide, hn::InterleaveLower(d, row(0), row(1)));
    const auto r23 = hn::BitCast(wide, hn::InterleaveLower(d, row(2), row(3)));
    return {hn::BitCast(d, hn::InterleaveLower(wide, r01, r23)),
            hn::BitCast(d, hn::InterleaveUpper(wide, r01, r23))};
  } else {
    const auto r0 = row(0);
    const auto r1 = row(1);
    return {hn::InterleaveLower(d, r0, r1), hn::InterleaveUpper(d, r0, r1)};
  }
}

/// Whether some input is NaN, or its cell has two or more thresholds: then neither is the threshold
/// reached nor is it not.
template <class D, class V, class M>
HWY_INLINE bool any_special(D d, V threshold, V x, M reached) {
  return !hn::AllTrue(d, hn::Or(reached, hn::Gt(threshold, x)));
}

/// What is done with the cells of a vector of inputs: answers.
template <class T, bool Streams>
struct write_answers {
  using tag = hn::ScalableTag<T>;
  const route_table<T>& table;
  const T* x;
  T* y;
  const char* cells;
  block_loader<tag> load;

  HWY_INLINE write_answers(const route_table<T>& from, const T* inputs, T* answers)
      : table(from),
        x(inputs),
        y(answers),
        cells(reinterpret_cast<const char*>(from.value_cells.data())) {}
  HWY_INLINE void operator()(std::size_t i, const std::uint32_t* offsets) const {
    const tag d;
    const auto input = hn::LoadU(d, x + i);
    const auto cell = value_fields_of(load, cells, offsets);
    const auto reached = hn::Le(cell.threshold, input);
    const auto answer = hn::IfThenElse(reached, cell.right, cell.left);
    if (HWY_UNLIKELY(any_special(d, cell.threshold, input, reached))) {
      T inputs[hn::MaxLanes(d)];
      hn::StoreU(input, d, inputs);
      for (std::size_t k = 0; k < hn::MaxLanes(d); ++k)
        y[i + k] = table.values[table.rank_of(inputs[k])];
    } else if constexpr (Streams) {
      hn::Stream(answer, d, y + i);
    } else {
      hn::StoreU(answer, d, y + i);
    }
  }
};

/// Ranks.
template <class T>
struct write_ranks {
  using tag = hn::ScalableTag<T>;
  const route_table<T>& table;
  const T* x;
  std::uint32_t* ranks;
  const char* cells;
  block_loader<tag> load;

  HWY_INLINE write_ranks(const route_table<T>& from, const T* inputs, std::uint32_t* found)
      : table(from),
        x(inputs),
        ranks(found),
        cells(reinterpret_cast<const char*>(from.rank_cells.data())) {}
  HWY_INLINE void operator()(std::size_t i, const std::uint32_t* offsets) const {
    const tag d;
    const hn::RebindToSigned<tag> di;
    const auto input = hn::LoadU(d, x + i);
    const auto cell = rank_fields_of(load, cells, offsets);
    const auto reached = hn::Le(cell.threshold, input);
    const auto rank = hn::Sub(hn::BitCast(di, cell.rank),
                              hn::VecFromMask(di, hn::RebindMask(di, reached)));  // -1 or 0
    if (HWY_UNLIKELY(any_special(d, cell.threshold, input, reached))) {
      for (std::size_t k = 0; k < hn::MaxLanes(d); ++k) ranks[i + k] = table.rank_of(x[i + k]);
    } else if constexpr (sizeof(T) == 4) {
      hn::StoreU(rank, di, reinterpret_cast<std::int32_t*>(ranks + i));
    } else {
      const hn::Rebind<std::uint32_t, tag> narrow;
      const auto bits = hn::BitCast(hn::RebindToUnsigned<tag>(), rank);
      hn::StoreU(hn::TruncateTo(narrow, bits), narrow, ranks + i);
    }
  }
};

template <root_kind Kind, bool Far, class T, class Use>
HWY_INLINE void over_blocks(const route_table<T>& table, const T* x, std::size_t n,
                            const Use& given) {
  const Use use = given;  // a copy that no store can change
  constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  const root<T>& map = table.map;
  alignas(64) std::uint32_t offsets[Far ? 2 : 1][block];
  const auto find = [&](std::size_t i, std::uint32_t* found) HWY_ATTR {
    const std::size_t count = std::min(block, n - i);
    find_cells<Kind>(map, x + i, count, found);
    if constexpr (Far) {
      for (std::size_t k = 0; k < count; ++k) hwy::Prefetch(use.cells + found[k]);
    }
  };
  // Far cells are asked for a block ahead of their use.
  if constexpr (Far) find(0, offsets[0]);
  for (std::size_t i = 0, turn = 0; i < n; i += block) {
    const std::size_t next = Far ? turn ^ 1 : 0;
    if constexpr (Far) {
      if (i + block < n) find(i + block, offsets[next]);
    } else {
      find(i, offsets[turn]);
    }
    const std::size_t count = std::min(block, n - i);
    for (std::size_t k = 0; k < count; k += lanes) use(i + k, offsets[turn] + k);
    turn = next;
  }
}

template <root_kind Kind, class T, class Use>
HWY_INLINE void over_blocks(const route_table<T>& table, const T* x, std::size_t n,
                            const Use& use) {
  table.far_cells ? over_blocks<Kind, true>(table, x, n, use)
                  : over_blocks<Kind, false>(table, x, n, use);
}

/// n > 0, a multiple of the lanes.
template <class T, class Use>
HWY_NOINLINE void route(const route_table<T>& table, const T* x, std::size_t n, const Use& use) {
  switch (table.map.kind) {
    case root_kind::grid: over_blocks<root_kind::grid>(table, x, n, use); break;
    case root_kind::pieces: over_blocks<root_kind::pieces>(table, x, n, use); break;
    default: over_blocks<root_kind::uniform>(table, x, n, use);
  }
}

/// Inputs that the byte planes take, from the first on.
template <class T>
std::size_t for_planes(const route_table<T>& table, std::size_t n) {
  return table.planes != nullptr ? n / 64 * 64 : 0;
}

template <class T>
void values(const route_table<T>& table, const T* x, T* y, std::size_t n, bool stream) {
  const std::size_t whole =
      n / hn::MaxLanes(hn::ScalableTag<T>()) * hn::MaxLanes(hn::ScalableTag<T>());
  const std::size_t done = for_planes(table, n);
  if constexpr (sizeof(T) == 4) {
    if (done > 0) planes_values(table, x, y, done, stream);
  }
  if (whole > done) {
    if (stream) {
      route(table, x + done, whole - done, write_answers<T, true>(table, x + done, y + done));
    } else {
      route(table, x + done, whole - done, write_answers<T, false>(table, x + done, y + done));
    }
  }
  for (std::size_t i = whole; i < n; ++i) y[i] = table.values[table.rank_of(x[i])];
  if (stream) hwy::FlushStream();
}

template <class T>
void ranks(const route_table<T>& table, const T* x, std::uint32_t* found, std::size_t n) {
  const std::size_t whole =
      n / hn::MaxLanes(hn::ScalableTag<T>()) * hn::MaxLanes(hn::ScalableTag<T>());
  const std::size_t done = for_planes(table, n);
  if constexpr (sizeof(T) == 4) {
    if (done > 0) planes_ranks(table, x, found, done);
  }
  if (whole > done)
    route(table, x + done, whole - done, write_ranks<T>(table, x + done, found + done));
  for (std::size_t i = whole; i < n; ++i) found[i] = table.rank_of(x[i]);
}

// ------------------------------------------------------------------ targets

template <class T>
std::size_t leading_within(const T* x, std::size_t n, T from, T before) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  const auto low = hn::Set(d, from);
  const auto high = hn::Set(d, before);
  std::size_t i = 0;
  constexpr std::size_t step = 4 * lanes;
  for (; i + step <= n; i += step) {
    const auto inside = [&](std::size_t k) HWY_ATTR {
      hwy::Prefetch(x + k + fetched_ahead);
      const auto input = hn::LoadU(d, x + k);
      return hn::And(hn::Le(low, input), hn::Lt(input, high));
    };
    const auto first = hn::And(inside(i), inside(i + lanes));
    const auto second = hn::And(inside(i + 2 * lanes), inside(i + 3 * lanes));
    if (!hn::AllTrue(d, hn::And(first, second))) break;
  }
  while (i < n && from <= x[i] && x[i] < before) ++i;
  return i;
}

/// What window_sums adds of each of some targets, word by word, and which of them the window holds.
template <class D, class T>
class target_splitter;

template <class D>
class target_splitter<D, float> {
 public:
  using DI = hn::RebindToSigned<D>;
  struct parts {
    hn::Vec<DI> word[4];
    hn::Mask<D> fits;
  };

  HWY_INLINE explicit target_splitter(const target_window<float>& window)
      : limit_(hn::Set(D(), window.limit)),
        y_anchor_(hn::Set(D(), window.y_anchor)),
        high_anchor_(hn::Set(D(), window.high_anchor)),
        low_anchor_(hn::Set(D(), window.low_anchor)),
        one_(hn::Set(DI(), 1)) {}
  HWY_INLINE parts at(const float* targets) const {
    const hn::Rebind<float, D> narrow;
    hwy::Prefetch(targets + fetched_ahead);
    const auto value = hn::PromoteTo(D(), hn::LoadU(narrow, targets));
    const auto y = hn::Add(value, y_anchor_);
    // A product of two floats is no rounded double: multiplied and added at once or not is the
    // same.
    const auto high = hn::MulAdd(value, value, high_anchor_);
    const auto rest = hn::MulSub(value, value, hn::Sub(high, high_anchor_));
    return {{hn::BitCast(DI(), y), hn::BitCast(DI(), high),
             hn::BitCast(DI(), hn::Add(rest, low_anchor_)), one_},
            hn::And(hn::Eq(hn::Sub(y, y_anchor_), value), hn::Lt(hn::Abs(value), limit_))};
  }

 private:
  hn::Vec<D> limit_;
  hn::Vec<D> y_anchor_;
  hn::Vec<D> high_anchor_;
  hn::Vec<D> low_anchor_;
  hn::Vec<DI> one_;
};

#if HWY_NATIVE_FMA
template <class D>
class target_splitter<D, double> {
 public:
  using DI = hn::RebindToSigned<D>;
  struct parts {
    hn::Vec<DI> word[8];
    hn::Mask<D> fits;
  };

  HWY_INLINE explicit target_splitter(const target_window<double>& window)
      : limit_(hn::Set(D(), window.limit)),
        scale_(hn::Set(D(), window.scale)),
        high_anchor_(hn::Set(D(), window.high_anchor)),
        low_anchor_(hn::Set(D(), window.low_anchor)),
        one_(hn::Set(DI(), 1)) {
    for (int k = 0; k < 4; ++k)
      square_anchor_[k] = hn::Set(D(), window_sums<double>::square_anchor(k));
  }
  HWY_INLINE parts at(const double* targets) const {
    hwy::Prefetch(targets + fetched_ahead / 2);
    const auto bits = [](hn::Vec<D> anchored) HWY_ATTR { return hn::BitCast(DI(), anchored); };
    const auto value = hn::LoadU(D(), targets);
    const auto high = hn::Add(value, high_anchor_);
    const auto rest = hn::Sub(value, hn::Sub(high, high_anchor_));
    const auto low = hn::Add(rest, low_anchor_);
    const auto fits =
        hn::And(hn::Eq(hn::Sub(low, low_anchor_), rest), hn::Lt(hn::Abs(value), limit_));
    // The square as a rounded product and what that leaves over, below 2^-53 of it.
    const auto scaled = hn::Mul(value, scale_);
    auto product = hn::Mul(scaled, scaled);
    auto over = hn::MulSub(scaled, scaled, product);
    const auto digit = [&](hn::Vec<D>& number, int k) HWY_ATTR {
      const auto anchored = hn::Add(number, square_anchor_[k]);
      number = hn::Sub(number, hn::Sub(anchored, square_anchor_[k]));
      return bits(anchored);
    };
    const auto square0 = digit(product, 0);
    const auto square1 = hn::Add(digit(product, 1), digit(over, 1));
    const auto square2 = hn::Add(digit(product, 2), digit(over, 2));
    const auto square3 = bits(hn::Add(hn::Add(product, over), square_anchor_[3]));
    return {{bits(high), bits(low), square0, square1, square2, square3, one_, hn::Zero(DI())},
            fits};
  }

 private:
  hn::Vec<D> limit_;
  hn::Vec<D> scale_;
  hn::Vec<D> high_anchor_;
  hn::Vec<D> low_anchor_;
  hn::Vec<D> square_anchor_[4];
  hn::Vec<DI> one_;
};
#endif

/// The sum of all lanes, modulo 2^64.
template <class DI>
HWY_INLINE std::uint64_t wrapped_sum(DI di, hn::Vec<DI> words) {
  std::int64_t lane[hn::MaxLanes(DI{})];
  hn::StoreU(words, di, lane);
  std::uint64_t sum = 0;
  for (const std::int64_t word : lane) sum += static_cast<std::uint64_t>(word);
  return sum;
}

/// For at most Most segments: their words stay in registers, lane by lane, until the last row. The
/// last segment has what is missing of the sum over all.
template <int Most>
HWY_NOINLINE std::size_t add_to_registers(const window_rows<float>& rows, std::uint32_t* misfits) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr int words = 3;  // but counts
  const hn::Rebind<std::uint32_t, decltype(d)> narrow_slots;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const target_splitter<decltype(d), float> splitter(rows.window);
  hn::Vec<decltype(di)> all[words];
  hn::Vec<decltype(di)> sums[Most - 1][words];
  std::size_t counts[Most] = {};
  for (int w = 0; w < words; ++w) {
    all[w] = hn::Zero(di);
    for (auto& own : sums) own[w] = hn::Zero(di);
  }
  const auto end = hn::Set(di, static_cast<std::int64_t>(rows.num_segments));
  const float* const targets = rows.targets;
  const std::uint32_t* const slots = rows.slots;
  const std::size_t n = rows.n;
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto parts = splitter.at(targets + i);
    const auto own = hn::BitCast(di, hn::PromoteTo(du, hn::LoadU(narrow_slots, slots + i)));
    const auto inside = hn::RebindMask(d, hn::Lt(own, end));
    if (HWY_UNLIKELY(!hn::AllTrue(d, hn::And(parts.fits, inside)))) {
      for (std::size_t k = i; k < i + lanes; ++k) add_target(rows, k, misfits, found);
      continue;
    }
    for (int w = 0; w < words; ++w) all[w] = hn::Add(all[w], parts.word[w]);
    counts[Most - 1] += lanes;
    for (int s = 0; s < Most - 1; ++s) {
      const auto mine = hn::Eq(own, hn::Set(di, s));
      for (int w = 0; w < words; ++w)
        sums[s][w] = hn::IfThenElse(mine, hn::Add(sums[s][w], parts.word[w]), sums[s][w]);
      counts[s] += hn::CountTrue(di, mine);
    }
  }
  for (; i < n; ++i) add_target(rows, i, misfits, found);
  for (int s = 0; s < Most - 1; ++s) {
    for (int w = 0; w < words; ++w) all[w] = hn::Sub(all[w], sums[s][w]);
    counts[Most - 1] -= counts[s];
  }
  const int used = std::min(Most, static_cast<int>(rows.num_segments));
  for (int s = 0; s < used; ++s) {
    const auto sum = [&](int word) HWY_ATTR {
      return wrapped_sum(di, s < Most - 1 ? sums[s][word] : all[word]);
    };
    window_sums<float>& own = rows.sums[s << rows.copies_shift];
    own.y += sum(0);
    own.high += sum(1);
    own.low += sum(2);
    own.count += counts[s];
  }
  return found;
}

/// Words of as many rows as there are lanes, transposed to rows of words, four words at a time, and
/// each added to its slot in memory.
template <int CopiesShift, class T>
HWY_NOINLINE std::size_t add_to_slots(const window_rows<T>& rows, std::uint32_t* misfits) {
  using slot = window_sums<T>;
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr std::size_t copies = std::size_t{1} << CopiesShift;
  constexpr int slot_shift = (sizeof(T) == 4 ? 5 : 6) + CopiesShift;
  static_assert(sizeof(slot) * copies == std::size_t{1} << slot_shift, "a slot and its copies");
  const hn::RebindToSigned<decltype(d)> di;
  const target_splitter<decltype(d), T> splitter(rows.window);
  const hn::Repartition<std::int32_t, decltype(d)> d32;
  const auto odd_blocks = hn::Ne(hn::And(hn::Iota(d32, 0), hn::Set(d32, 4)), hn::Zero(d32));
  // What the stores below cannot change.
  const T* const targets = rows.targets;
  const std::uint32_t* const slots = rows.slots;
  const std::size_t n = rows.n;
  char* const base = reinterpret_cast<char*>(rows.sums);
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto parts = splitter.at(targets + i);
    if (HWY_UNLIKELY(!hn::AllTrue(d, parts.fits))) {
      for (std::size_t k = i; k < i + lanes; ++k) add_target(rows, k, misfits, found);
      continue;
    }
    char* const turn = lanes < copies ? base + i % copies * sizeof(slot) : base;
    for (int first = 0; first < static_cast<int>(sizeof(slot) / 8); first += 4) {
      const auto add = [&](std::size_t k, auto own_words, int word) HWY_ATTR {
        const hn::DFromV<decltype(own_words)> dw;
        std::int64_t* const own =
            reinterpret_cast<std::int64_t*>(turn + (std::size_t{slots[i + k]} << slot_shift) +
                                            k % copies * sizeof(slot)) +
            first + word;
        hn::Store(hn::Add(hn::Load(dw, own), own_words), dw, own);
      };
      // Blocks of two words, of even and of odd rows.
      const auto head_even = hn::InterleaveLower(di, parts.word[first], parts.word[first + 1]);
      const auto head_odd = hn::InterleaveUpper(di, parts.word[first], parts.word[first + 1]);
      const auto tail_even = hn::InterleaveLower(di, parts.word[first + 2], parts.word[first + 3]);
      const auto tail_odd = hn::InterleaveUpper(di, parts.word[first + 2], parts.word[first + 3]);
      if constexpr (lanes == 2) {
        add(0, head_even, 0);
        add(0, tail_even, 2);
        add(1, head_odd, 0);
        add(1, tail_odd, 2);
      } else {
        // Head and tail of a row side by side: rows 0 (and 4), 1 (and 5) ... In lanes of 32 bits,
        // as exchanging blocks is, so that compilers make one instruction of both steps.
        const auto joined = [&](auto even, auto odd) HWY_ATTR {
          return hn::BitCast(
              di, hn::IfThenElse(odd_blocks, hn::BitCast(d32, odd), hn::BitCast(d32, even)));
        };
        const auto add_all = [&](std::size_t k, auto own_words) HWY_ATTR {
          if constexpr (lanes == 8) {
            const hn::Half<decltype(di)> half;
            add(k, hn::LowerHalf(half, own_words), 0);
            add(k + 4, hn::UpperHalf(half, own_words), 0);
          } else {
            add(k, own_words, 0);
          }
        };
        add_all(0, joined(head_even, hn::SwapAdjacentBlocks(tail_even)));
        add_all(1, joined(head_odd, hn::SwapAdjacentBlocks(tail_odd)));
        add_all(2, joined(hn::SwapAdjacentBlocks(head_even), tail_even));
        add_all(3, joined(hn::SwapAdjacentBlocks(head_odd), tail_odd));
      }
    }
  }
  for (; i < n; ++i) add_target(rows, i, misfits, found);
  return found;
}

template <class T>
std::size_t add_targets(const window_rows<T>& rows, std::uint32_t* misfits) {
  switch (rows.copies_shift) {
    case 0: return add_to_slots<0>(rows, misfits);
    case 1: return add_to_slots<1>(rows, misfits);
    case 2: return add_to_slots<2>(rows, misfits);
    default: return add_to_slots<3>(rows, misfits);
  }
}

std::size_t add_f32(const window_rows<float>& rows, std::uint32_t* misfits) {
  // Measured, with routing: 0.55 ns a row for 2 segments, 0.68 for 4, against 0.72; but 0.94 for 8.
  if constexpr (hn::MaxLanes(hn::ScalableTag<double>()) == 8) {
    if (rows.num_segments <= 2) return add_to_registers<2>(rows, misfits);
    if (rows.num_segments <= 4) return add_to_registers<4>(rows, misfits);
  }
  return add_targets(rows, misfits);
}

std::size_t add_f64(const window_rows<double>& rows, std::uint32_t* misfits) {
#if HWY_NATIVE_FMA
  return add_targets(rows, misfits);
#else  // without it, vectors have no exact product
  return add_one_by_one(rows, misfits);
#endif
}

/// A running sum of squares takes the place of each square's own high part: adding to it rounds to
/// its unit, and what that leaves over is exact. Whether the window holds all targets is told by
/// the largest and the least of them that is not 0, so some that it holds are refused.
bool add_run_f32(const float* y, std::size_t n, const target_window<float>& window,
                 window_sums<float>& sums) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> bits;
  const hn::ScalableTag<double> wide;
  constexpr std::size_t halves = 2;
  constexpr std::size_t chains = (hn::MaxLanes(d) >= 16 ? 2 : 1) * halves;
  constexpr std::size_t lanes = hn::MaxLanes(wide);
  static_assert(max_run_rows <= 128 * chains * lanes && target_window<float>::most_bits <= 44,
                "2^7 squares below 2^(2 bits) leave the anchor's binade as it is");
  const auto high_anchor = hn::Set(wide, window.high_anchor);
  hn::Vec<decltype(wide)> total[chains];
  hn::Vec<decltype(wide)> high[chains];
  hn::Vec<decltype(wide)> low[chains];
  for (std::size_t c = 0; c < chains; ++c) {
    total[c] = low[c] = hn::Zero(wide);
    high[c] = high_anchor;
  }
  const auto no_sign = hn::Set(bits, 0x7fffffffu);
  const auto one = hn::Set(bits, 1u);
  auto largest = hn::Zero(bits);
  auto least = no_sign;  // of size - 1, so that 0 does not count
  const auto take = [&](const float* from) HWY_ATTR {
    for (std::size_t c = 0; c < chains; ++c) {
      if (c % halves == 0) {
        const auto size = hn::And(hn::BitCast(bits, hn::LoadU(d, from + c * lanes)), no_sign);
        largest = hn::Max(largest, size);
        least = hn::Min(least, hn::Sub(size, one));
      }
      const hn::Rebind<float, decltype(wide)> narrow;
      const auto value = hn::PromoteTo(wide, hn::LoadU(narrow, from + c * lanes));
      const auto before = high[c];
      high[c] = hn::MulAdd(value, value, before);
      low[c] = hn::Add(low[c], hn::MulSub(value, value, hn::Sub(high[c], before)));
      total[c] = hn::Add(total[c], value);
    }
  };
  const std::size_t whole = n / (chains * lanes) * (chains * lanes);
  for (std::size_t i = 0; i < whole; i += chains * lanes) {
    for (std::size_t k = 0; k < chains * lanes; k += 16) hwy::Prefetch(y + i + k + fetched_ahead);
    take(y + i);
  }
  if (whole < n) {
    float rest[chains * lanes] = {};  // zeros change no sum
    std::memcpy(rest, y + whole, (n - whole) * sizeof(float));
    take(rest);
  }
  const auto as_float = [](std::uint32_t pattern) {
    float value;
    std::memcpy(&value, &pattern, sizeof value);
    return static_cast<double>(value);
  };
  // A float's last bit is 2^-23 of its first; below the normal ones it is the least float.
  const std::uint32_t least_bits = hn::GetLane(hn::MinOfLanes(bits, least)) + 1;
  if (!(as_float(hn::GetLane(hn::MaxOfLanes(bits, largest))) < window.limit) ||
      !(least_bits > 0x7fffffffu || as_float(least_bits) >= 0x1p23 * window.unit ||
        window.unit <= 0x1p-149)) {
    return false;
  }
  auto sum = total[0];
  auto sum_high = hn::Sub(high[0], high_anchor);
  auto sum_low = low[0];
  for (std::size_t c = 1; c < chains; ++c) {
    sum = hn::Add(sum, total[c]);
    sum_high = hn::Add(sum_high, hn::Sub(high[c], high_anchor));
    sum_low = hn::Add(sum_low, low[c]);
  }
  const auto units_of = [&](hn::Vec<decltype(wide)> parts, double unit) HWY_ATTR {
    return static_cast<std::uint64_t>(
        static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(wide, parts)) / unit));
  };
  const double square = window.unit * window.unit;
  const double high_unit = window.limit * window.unit;
  sums.y += units_of(sum, window.unit) + n * bits_of(window.y_anchor);
  sums.high += units_of(sum_high, high_unit) + n * bits_of(window.high_anchor);
  sums.low += units_of(sum_low, square) + n * bits_of(window.low_anchor);
  sums.count += n;
  return true;
}

bool add_run_f64(const double* y, std::size_t n, const target_window<double>& window,
                 window_sums<double>& sums) {
#if HWY_NATIVE_FMA
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  const hn::RebindToSigned<decltype(d)> di;
  constexpr int words = 7;
  const target_splitter<decltype(d), double> splitter(window);
  hn::Vec<decltype(di)> total[words];
  for (auto& word : total) word = hn::Zero(di);
  auto all = hn::Eq(hn::Zero(d), hn::Zero(d));  // true
  const std::size_t whole = n / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    const auto parts = splitter.at(y + i);
    all = hn::And(all, parts.fits);
    for (int w = 0; w < words; ++w) total[w] = hn::Add(total[w], parts.word[w]);
  }
  if (!hn::AllTrue(d, all) || !add_run_one_by_one(y + whole, n - whole, window, sums)) return false;
  const auto sum = [&](int word) HWY_ATTR { return wrapped_sum(di, total[word]); };
  sums.y_high += sum(0);
  sums.y_low += sum(1);
  for (int k = 0; k < 4; ++k) sums.square[k] += sum(2 + k);
  sums.count += sum(6);
  return true;
#else
  return add_run_one_by_one(y, n, window, sums);
#endif
}

#else  // no vectors

template <class T>
void values(const route_table<T>& table, const T* x, T* y, std::size_t n, bool) {
  for (std::size_t i = 0; i < n; ++i) y[i] = table.values[table.rank_of(x[i])];
}

template <class T>
void ranks(const route_table<T>& table, const T* x, std::uint32_t* found, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) found[i] = table.rank_of(x[i]);
}

template <class T>
std::size_t leading_within(const T* x, std::size_t n, T from, T before) {
  std::size_t i = 0;
  while (i < n && from <= x[i] && x[i] < before) ++i;
  return i;
}

std::size_t add_f32(const window_rows<float>& rows, std::uint32_t* misfits) {
  return add_one_by_one(rows, misfits);
}
std::size_t add_f64(const window_rows<double>& rows, std::uint32_t* misfits) {
  return add_one_by_one(rows, misfits);
}

bool add_run_f32(const float* y, std::size_t n, const target_window<float>& window,
                 window_sums<float>& sums) {
  return add_run_one_by_one(y, n, window, sums);
}
bool add_run_f64(const double* y, std::size_t n, const target_window<double>& window,
                 window_sums<double>& sums) {
  return add_run_one_by_one(y, n, window, sums);
}

#endif

/// Nanoseconds an input, as measured for bench/README.md. Grid and pieces look up tables of 32 and
/// 16 in registers where those hold enough lanes, else lane by lane.
constexpr bool wide = HWY_TARGET == HWY_AVX3;
constexpr bool has_lookup = wide || HWY_TARGET == HWY_AVX2;
constexpr double crowded_cost = 8.0;
constexpr std::size_t first_cache = std::size_t{1} << 15;
constexpr route_costs costs = {{{0.0,
                                 wide         ? 0.07
                                 : has_lookup ? 0.4
                                              : 1.0,
                                 wide         ? 0.25
                                 : has_lookup ? 0.5
                                              : 2.0},
                                crowded_cost,
                                0.0,
                                1,
                                sizeof(value_cell<float>),
                                0.07,
                                first_cache},
                               {{0.0, wide ? 0.2 : 1.0, wide ? 0.5 : 2.0},
                                crowded_cost,
                                0.0,
                                1,
                                sizeof(value_cell<double>),
                                0.1,
                                first_cache}};

constexpr const char* target_name = HWY_TARGET == HWY_AVX3    ? "avx512"
                                    : HWY_TARGET == HWY_AVX2  ? "avx2"
                                    : HWY_TARGET == HWY_SSE4  ? "sse4"
                                    : HWY_TARGET == HWY_SSSE3 ? "ssse3"
                                    : HWY_TARGET == HWY_NEON  ? "neon"
                                                              : "portable";

}  // namespace

const route_kernels* kernels() {
  static const route_kernels set = {target_name,
                                    costs,
                                    false,
                                    values<float>,
                                    values<double>,
                                    ranks<float>,
                                    ranks<double>,
                                    leading_within<float>,
                                    leading_within<double>,
                                    add_f32,
                                    add_f64,
                                    add_run_f32,
                                    add_run_f64};
  return &set;
}

}  // namespace HWY_NAMESPACE
}  // namespace zcmoe::detail
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#if HWY_ARCH_ARM
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace zcmoe::detail {

std::vector<const route_kernels*> available_kernels() {
  std::vector<const route_kernels*> sets;
#if HWY_ARCH_X86
  __builtin_cpu_init();
#if HWY_TARGETS & HWY_AVX3
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("fma")) {
    if (have_byte_planes()) {
      static const route_kernels with_planes = [] {
        route_kernels set = *N_AVX3::kernels();
        set.name = "avx512vbmi";
        set.byte_planes = true;
        return set;
      }();
      sets.push_back(&with_planes);
    }
    sets.push_back(N_AVX3::kernels());
  }
#endif
#if HWY_TARGETS & HWY_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("fma")) {
    sets.push_back(N_AVX2::kernels());
  }
#endif
#if HWY_TARGETS & HWY_SSE4
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
    sets.push_back(N_SSE4::kernels());
#endif
#if HWY_TARGETS & HWY_SSSE3
  if (__builtin_cpu_supports("ssse3")) sets.push_back(N_SSSE3::kernels());
#endif
#elif HWY_ARCH_ARM && (HWY_TARGETS & HWY_NEON)
  // Highway compiles NEON together with the cryptographic instructions.
  if ((getauxval(AT_HWCAP) & HWCAP_AES) != 0) sets.push_back(N_NEON::kernels());
#endif
#if HWY_TARGETS & HWY_SCALAR
  sets.push_back(N_SCALAR::kernels());
#endif
  return sets;
}

}  // namespace zcmoe::detail
#endif
