// The CPU engine's loops from inputs to predictions and slots, compiled once per instruction set by
// Google Highway. A block of inputs passes twice: first their buckets are computed, then the cells
// of those buckets are loaded, each by a load of its own, and transposed into vectors. The gather
// instruction is not used: it takes more than a cycle per lane.
#include "host/cpu/route_kernels.hpp"

#include "host/cpu/byte_planes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/route_kernels.cpp"
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

#if HWY_TARGET != HWY_SCALAR

constexpr std::size_t block = 256;  // inputs whose buckets are known before the first cell is read
// Inputs are prefetched so many ahead. The hardware's own prefetcher stops at every page, and does
// not recognise the stream of inputs between the scattered reads of cells.
constexpr std::size_t fetched_ahead = 1024;

// -------------------------------------------------------------------- roots

/// table[index] in each lane, for 0 <= index < Size.
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

/// x limited to [lo, hi]; a NaN becomes lo.
template <class D, class V>
HWY_INLINE V limited(D d, const root<hn::TFromD<D>>& map, V x) {
#if HWY_ARCH_X86
  return hn::Min(hn::Max(x, hn::Set(d, map.lo)),
                 hn::Set(d, map.hi));  // of NaN and a number, x86 takes the second operand
#else
  const auto lo = hn::Set(d, map.lo);
  return hn::Min(hn::IfThenElse(hn::Gt(x, lo), x, lo), hn::Set(d, map.hi));
#endif
}

/// The integer nearest to each place, in the low bits of integers as wide as T; root<T>::magic is
/// the anchor that rounds to it.
template <class D, class V>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> nearest_bits(D d, V place) {
  using T = hn::TFromD<D>;
  const hn::RebindToSigned<D> di;
  constexpr hwy::MakeSigned<T> mantissa = (hwy::MakeSigned<T>{1} << (sizeof(T) == 4 ? 23 : 52)) - 1;
  const auto shifted = hn::BitCast(di, hn::Add(place, hn::Set(d, root<T>::magic)));
  return hn::And(shifted, hn::Set(di, mantissa));
}

/// The buckets that root<T>::bucket_of gives, by the same roundings.
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

/// Writes the byte offsets of the cells of `count` inputs; count is a multiple of the lanes.
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

/// Loads vectors whose blocks of 128 bits lie apart in memory: block b at the address of(b).
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

/// Loads as many cells as D has lanes, each together with the cell before it, and transposes them:
/// a vector of thresholds, one of values, one of the values before. An offset leads to the cell
/// before, since bucket b has the cell b + 1.
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

/// Does the same for cells of ranks, which need no cell before.
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

/// Whether some input is NaN or falls into a bucket of two or more thresholds, whose cell has NaN
/// for its threshold. Both show as a comparison that is false either way: neither threshold <= x
/// nor x < threshold.
template <class D, class V, class M>
HWY_INLINE bool any_special(D d, V threshold, V x, M reached) {
  return !hn::AllTrue(d, hn::Or(reached, hn::Gt(threshold, x)));
}

/// Turns the cells of a vector of inputs into predictions and writes these.
template <class T, bool Streams>
struct write_predictions {
  using tag = hn::ScalableTag<T>;
  const route_table<T>& table;
  const T* x;
  T* y;
  const char* cells;
  block_loader<tag> load;

  HWY_INLINE write_predictions(const route_table<T>& from, const T* inputs, T* predictions)
      : table(from),
        x(inputs),
        y(predictions),
        cells(reinterpret_cast<const char*>(from.value_cells.data())) {}
  HWY_INLINE void operator()(std::size_t i, const std::uint32_t* offsets) const {
    const tag d;
    const auto input = hn::LoadU(d, x + i);
    const auto cell = value_fields_of(load, cells, offsets);
    const auto reached = hn::Le(cell.threshold, input);
    const auto prediction = hn::IfThenElse(reached, cell.right, cell.left);
    if (HWY_UNLIKELY(any_special(d, cell.threshold, input, reached))) {
      T inputs[hn::MaxLanes(d)];
      hn::StoreU(input, d, inputs);
      for (std::size_t k = 0; k < hn::MaxLanes(d); ++k)
        y[i + k] = table.values[table.rank_of(inputs[k])];
    } else if constexpr (Streams) {
      hn::Stream(prediction, d, y + i);
    } else {
      hn::StoreU(prediction, d, y + i);
    }
  }
};

/// Turns them into ranks and writes these.
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
  const Use use = given;  // a local copy, so that no store of a prediction can seem to change it
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
  // Cells beyond the nearer caches are prefetched a block before they are used.
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

/// Passes all inputs, by the kind of root; n > 0 is a multiple of the lanes.
template <class T, class Use>
HWY_NOINLINE void route(const route_table<T>& table, const T* x, std::size_t n, const Use& use) {
  switch (table.map.kind) {
    case root_kind::grid: over_blocks<root_kind::grid>(table, x, n, use); break;
    case root_kind::pieces: over_blocks<root_kind::pieces>(table, x, n, use); break;
    default: over_blocks<root_kind::uniform>(table, x, n, use);
  }
}

/// How many inputs, from the first on, are left to the byte planes.
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
      route(table, x + done, whole - done, write_predictions<T, true>(table, x + done, y + done));
    } else {
      route(table, x + done, whole - done, write_predictions<T, false>(table, x + done, y + done));
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

#if HWY_NATIVE_FMA

/// Four numbers a row, of as many rows as a vector has lanes, become four vectors. Rows come in
/// vectors of whole lines: in vectors of eight lanes that of row k + 4 stands behind that of row k.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void columns_of_rows(D d, const V (&row)[4], V (&column)[4]) {
  const auto first_even = hn::InterleaveLower(d, row[0], row[1]);
  const auto first_odd = hn::InterleaveUpper(d, row[0], row[1]);
  const auto last_even = hn::InterleaveLower(d, row[2], row[3]);
  const auto last_odd = hn::InterleaveUpper(d, row[2], row[3]);
  column[0] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(last_even), first_even);
  column[1] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(last_odd), first_odd);
  column[2] = hn::OddEvenBlocks(last_even, hn::SwapAdjacentBlocks(first_even));
  column[3] = hn::OddEvenBlocks(last_odd, hn::SwapAdjacentBlocks(first_odd));
}

/// The lines of as many rows as a vector has lanes, in columns: from, to, value, slope.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void load_lines(D d, const zcmoe_line* lines, const std::uint32_t* slots,
                           V (&column)[4]) {
  constexpr std::size_t lanes = hn::MaxLanes(D());
  const auto at = [&](std::size_t k) { return reinterpret_cast<const double*>(lines + slots[k]); };
  if constexpr (lanes == 2) {
    for (int half = 0; half < 2; ++half) {
      const auto a = hn::LoadU(d, at(0) + 2 * half);
      const auto b = hn::LoadU(d, at(1) + 2 * half);
      column[2 * half] = hn::InterleaveLower(d, a, b);
      column[2 * half + 1] = hn::InterleaveUpper(d, a, b);
    }
  } else {
    V row[4];
    for (std::size_t k = 0; k < 4; ++k) {
      if constexpr (lanes == 8) {
        const hn::Half<D> half;
        row[k] = hn::Combine(d, hn::LoadU(half, at(k + 4)), hn::LoadU(half, at(k)));
      } else {
        row[k] = hn::LoadU(d, at(k));
      }
    }
    columns_of_rows(d, row, column);
  }
}

/// The columns of at most 16 lines in registers, where vectors have eight lanes.
class held_lines {
 public:
  using D = hn::ScalableTag<double>;
  static constexpr std::size_t most = 16;

  HWY_INLINE held_lines(const zcmoe_line* lines, std::size_t num_lines) {
    double column[4][most] = {};
    for (std::size_t i = 0; i < num_lines; ++i) {
      const double parts[4] = {lines[i].from, lines[i].to, lines[i].value, lines[i].slope};
      for (int c = 0; c < 4; ++c) column[c][i] = parts[c];
    }
    for (int c = 0; c < 4; ++c) {
      low_[c] = hn::LoadU(D(), column[c]);
      high_[c] = hn::LoadU(D(), column[c] + most / 2);
    }
  }
  HWY_INLINE void look_up(const std::uint32_t* slots, hn::Vec<D> (&column)[4]) const {
    const hn::RebindToSigned<D> di;
    const hn::Rebind<std::int32_t, D> narrow;
    const auto slot =
        hn::PromoteTo(di, hn::LoadU(narrow, reinterpret_cast<const std::int32_t*>(slots)));
    const auto upper = hn::RebindMask(D(), hn::Gt(slot, hn::Set(di, 7)));
    const auto within = hn::IndicesFromVec(D(), hn::And(slot, hn::Set(di, 7)));
    for (int c = 0; c < 4; ++c) {
      column[c] = hn::IfThenElse(upper, hn::TableLookupLanes(high_[c], within),
                                 hn::TableLookupLanes(low_[c], within));
    }
  }

 private:
  hn::Vec<D> low_[4];
  hn::Vec<D> high_[4];
};

/// lookup(slots, column) gives the lines of as many rows as a vector has lanes.
template <class T, class LookUp>
HWY_NOINLINE void line_values_by(const zcmoe_line* lines, const std::uint32_t* slots, const T* x,
                                 T* y, std::size_t n, const LookUp& look_up) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  const hn::Rebind<T, decltype(d)> own;
  hn::Vec<decltype(d)> column[4];
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    look_up(slots + i, column);
    hn::Vec<decltype(d)> input;
    if constexpr (sizeof(T) == 4) {
      input = hn::PromoteTo(d, hn::LoadU(own, x + i));
    } else {
      input = hn::LoadU(own, x + i);
    }
    const auto below_end = hn::IfThenElse(hn::Lt(input, column[1]), input, column[1]);
    const auto inside = hn::IfThenElse(hn::Gt(input, column[0]), below_end, column[0]);
    // Of all numbers only a line's value may be NaN, and an operation hands that on as it is.
    const auto answer = hn::MulAdd(column[3], hn::Sub(inside, column[0]), column[2]);
    if constexpr (sizeof(T) == 4) {
      hn::StoreU(hn::DemoteTo(own, answer), own, y + i);
    } else {
      hn::StoreU(answer, own, y + i);
    }
  }
  for (; i < n; ++i) y[i] = static_cast<T>(value_of(lines[slots[i]], static_cast<double>(x[i])));
}

template <class T>
void line_values(const zcmoe_line* lines, std::size_t num_lines, const std::uint32_t* slots,
                 const T* x, T* y, std::size_t n) {
  using D = hn::ScalableTag<double>;
  if constexpr (hn::MaxLanes(D()) == 8) {
    if (num_lines <= held_lines::most) {
      const held_lines held(lines, num_lines);
      line_values_by(lines, slots, x, y, n,
                     [&](const std::uint32_t* of, hn::Vec<D>(&column)[4])
                         HWY_ATTR { held.look_up(of, column); });
      return;
    }
  }
  line_values_by(lines, slots, x, y, n,
                 [&](const std::uint32_t* of, hn::Vec<D>(&column)[4])
                     HWY_ATTR { load_lines(D(), lines, of, column); });
}

#endif

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

#endif

#if HWY_TARGET == HWY_SCALAR || !HWY_NATIVE_FMA  // no vectors that multiply and add at once

template <class T>
void line_values(const zcmoe_line* lines, std::size_t, const std::uint32_t* slots, const T* x, T* y,
                 std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    y[i] = static_cast<T>(value_of(lines[slots[i]], static_cast<double>(x[i])));
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

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
const route_kernels& route_kernels_of<HWY_TARGET>() {
  namespace own = HWY_NAMESPACE;
  static constexpr route_kernels set = {own::costs,
                                        own::values<float>,
                                        own::values<double>,
                                        own::ranks<float>,
                                        own::ranks<double>,
                                        own::leading_within<float>,
                                        own::leading_within<double>,
                                        own::line_values<float>,
                                        own::line_values<double>};
  return set;
}

}  // namespace zcmoe::detail
HWY_AFTER_NAMESPACE();
