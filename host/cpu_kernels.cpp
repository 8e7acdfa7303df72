// The CPU engine's loops over inputs, compiled once per instruction set by Google Highway: first
// the buckets of a block of inputs, then the cells of those buckets, fetched whole and transposed.
// No hardware gather: it takes a cycle and more a lane.
#include "cpu_routes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu_kernels.cpp"
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#define HWY_IS_DEBUG_BUILD 0  // its assertions call a library that is not linked
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace zcmoe::detail {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

constexpr std::size_t block = 256;  // inputs whose buckets are known before the first cell is read
// Inputs are fetched so far ahead: between reads of cells, hardware does not see that they are a
// stream.
constexpr std::size_t fetched_ahead = 1024;

template <class D>
using int32s = hn::Rebind<std::int32_t, D>;  // as many lanes as D

// -------------------------------------------------------------------- roots

/// A root's tables where vectors can load them.
template <class T>
struct root_tables {
  explicit root_tables(const root<T>& map)
      : grid_origin(map.grid_origin), grid_scale(map.grid_scale) {
    std::copy(std::begin(map.knot), std::end(map.knot), knot);
    knot[0] = -std::numeric_limits<T>::infinity();
    std::copy(std::begin(map.origin), std::end(map.origin), origin);
    std::copy(std::begin(map.scale), std::end(map.scale), scale);
    std::copy(std::begin(map.last), std::end(map.last), last);
    std::copy(std::begin(map.first), std::end(map.first), first);
  }
  T grid_origin;
  T grid_scale;
  alignas(64) T knot[root<T>::max_pieces];
  alignas(64) T origin[root<T>::max_grid];
  alignas(64) T scale[root<T>::max_grid];
  alignas(64) T last[root<T>::max_grid];
  alignas(64) hwy::MakeSigned<T> first[root<T>::max_grid];
};

/// Lane by lane table[index], 0 <= index < Size.
template <int Size, class D, class I>
HWY_INLINE hn::Vec<D> entries(D d, const hn::TFromD<D>* table, I index) {
  constexpr std::size_t lanes = hn::MaxLanes(D{});
  if constexpr (lanes * sizeof(hn::TFromD<D>) * 4 >= 128 && lanes >= 8) {
    using DI = hn::RebindToSigned<D>;
    const DI di;
    using integer = hn::TFromD<DI>;
    const auto within =
        hn::IndicesFromVec(d, hn::And(index, hn::Set(di, static_cast<integer>(lanes - 1))));
    auto found = hn::TableLookupLanes(hn::Load(d, table), within);
    for (std::size_t k = lanes; k < Size; k += lanes) {
      const auto here = hn::Gt(index, hn::Set(di, static_cast<integer>(k - 1)));
      found = hn::IfThenElse(hn::RebindMask(d, here),
                             hn::TableLookupLanes(hn::Load(d, table + k), within), found);
    }
    return found;
  } else {
    return hn::GatherIndex(d, table, index);
  }
}

/// max(place, 0), NaN: 0. The order of operands matters.
template <class D, class V>
HWY_INLINE V not_negative(D d, V place) {
#if !HWY_ARCH_X86
  return hn::IfThenElseZero(hn::Gt(place, hn::Zero(d)), place);
#else
  return hn::Max(place, hn::Zero(d));
#endif
}

template <class D, class V>
HWY_INLINE hn::Vec<int32s<D>> truncated(D, V place) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return hn::ConvertTo(int32s<D>(), place);
  } else {
    return hn::DemoteTo(int32s<D>(), place);
  }
}

/// root<T>::bucket_of, bit for bit.
template <root_kind Kind, class D, class V>
HWY_INLINE hn::Vec<int32s<D>> buckets_of(D d, const root_tables<hn::TFromD<D>>& map, V x) {
  using T = hn::TFromD<D>;
  if constexpr (Kind == root_kind::uniform) {
    const auto place = hn::Mul(hn::Sub(x, hn::Set(d, map.origin[0])), hn::Set(d, map.scale[0]));
    return truncated(d, hn::Min(not_negative(d, place), hn::Set(d, map.last[0])));
  } else {
    using DI = hn::RebindToSigned<D>;
    const DI di;
    auto piece = hn::Zero(di);
    constexpr int size = Kind == root_kind::grid ? root<T>::max_grid : root<T>::max_pieces;
    if constexpr (Kind == root_kind::grid) {
      const auto cell =
          hn::Mul(hn::Sub(x, hn::Set(d, map.grid_origin)), hn::Set(d, map.grid_scale));
      const auto limited =
          hn::Min(not_negative(d, cell), hn::Set(d, static_cast<T>(root<T>::max_grid - 1)));
      if constexpr (sizeof(T) == 4) {
        piece = hn::ConvertTo(di, limited);
      } else {
        piece = hn::PromoteTo(di, hn::DemoteTo(int32s<D>(), limited));
      }
    } else {
      for (int step = root<T>::max_pieces / 2; step > 0; step /= 2) {
        const auto next = hn::Add(piece, hn::Set(di, static_cast<hn::TFromD<DI>>(step)));
        const auto reached = hn::Le(entries<size>(d, map.knot, next), x);
        piece = hn::IfThenElse(hn::RebindMask(di, reached), next, piece);
      }
    }
    const auto place = hn::Mul(hn::Sub(x, entries<size>(d, map.origin, piece)),
                               entries<size>(d, map.scale, piece));
    const auto limited = hn::Min(not_negative(d, place), entries<size>(d, map.last, piece));
    // first holds integers: looked up as bits.
    const auto first =
        hn::BitCast(di, entries<size>(d, reinterpret_cast<const T*>(map.first), piece));
    if constexpr (sizeof(T) == 4) {
      return hn::Add(truncated(d, limited), first);
    } else {
      const hn::Rebind<std::uint32_t, D> narrow;
      const auto bits = hn::BitCast(hn::RebindToUnsigned<D>(), first);
      return hn::Add(truncated(d, limited), hn::BitCast(int32s<D>(), hn::TruncateTo(narrow, bits)));
    }
  }
}

/// Buckets of `count` inputs, a multiple of the lanes.
template <root_kind Kind, class T>
HWY_INLINE void find_buckets(const root_tables<T>& map, const T* x, std::size_t count,
                             std::uint32_t* buckets) {
  const hn::ScalableTag<T> d;
  const int32s<decltype(d)> di;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  for (std::size_t i = 0; i < count; i += lanes) {
    hwy::Prefetch(x + i + fetched_ahead);
    hn::Store(buckets_of<Kind>(d, map, hn::LoadU(d, x + i)), di,
              reinterpret_cast<std::int32_t*>(buckets + i));
  }
}

// -------------------------------------------------------------------- cells

/// One vector of cells' fields: blocks of 128 bits, block b from field address of(b).
template <class D, class Of>
HWY_INLINE hn::Vec<D> blocks(D d, const Of& of) {
  constexpr std::size_t bytes = hn::MaxLanes(D{}) * sizeof(hn::TFromD<D>);
  if constexpr (bytes == 16) {
    return hn::Load(d, of(0));
  } else if constexpr (bytes == 32) {
    const hn::Half<D> half;
    return hn::Combine(d, hn::Load(half, of(1)), hn::Load(half, of(0)));
  } else {
    // A load that fills one block and keeps the others, where compilers see it.
    constexpr std::size_t per_block = 16 / sizeof(hn::TFromD<D>);
    const auto below = [&](std::size_t b) HWY_ATTR { return hn::FirstN(d, b * per_block); };
    auto all = hn::LoadDup128(d, of(3));
    all = hn::IfThenElse(below(3), hn::LoadDup128(d, of(2)), all);
    all = hn::IfThenElse(below(2), hn::LoadDup128(d, of(1)), all);
    return hn::IfThenElse(below(1), hn::LoadDup128(d, of(0)), all);
  }
}

template <class D>
struct cell_fields {
  hn::Vec<D> threshold;
  hn::Vec<D> left;
  hn::Vec<D> right;
  hn::Vec<D> rank;  // bits
};

/// The cells of as many buckets as d has lanes, transposed.
template <class D>
HWY_INLINE cell_fields<D> fields_of(D d, const route_cell<hn::TFromD<D>>* cells,
                                    const std::uint32_t* buckets) {
  using T = hn::TFromD<D>;
  const auto field = [&](std::size_t lane, int first) HWY_ATTR {
    return reinterpret_cast<const T*>(cells + buckets[lane]) + first;
  };
  if constexpr (sizeof(T) == 4) {
    const hn::RepartitionToWide<D> wide;
    const auto row = [&](std::size_t q) HWY_ATTR {
      return blocks(d, [&](std::size_t b) HWY_ATTR { return field(4 * b + q, 0); });
    };
    const auto r0 = row(0);
    const auto r1 = row(1);
    const auto r2 = row(2);
    const auto r3 = row(3);
    const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1));
    const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3));
    const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1));
    const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
    return {hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)),
            hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)),
            hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)),
            hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23))};
  } else {
    const auto row = [&](std::size_t q, int first) HWY_ATTR {
      return blocks(d, [&](std::size_t b) HWY_ATTR { return field(2 * b + q, first); });
    };
    const auto head0 = row(0, 0);
    const auto head1 = row(1, 0);
    const auto tail0 = row(0, 2);
    const auto tail1 = row(1, 2);
    return {hn::InterleaveLower(d, head0, head1), hn::InterleaveUpper(d, head0, head1),
            hn::InterleaveLower(d, tail0, tail1), hn::InterleaveUpper(d, tail0, tail1)};
  }
}

/// Some input is NaN, or its cell has two or more thresholds: their sum is NaN then (and for
/// opposite infinities, for which the slow way is as right).
template <class V>
HWY_INLINE bool any_special(V threshold, V x) {
  const hn::DFromV<V> d;
  return !hn::AllFalse(d, hn::IsNaN(hn::Add(threshold, x)));
}

/// What is done with the cells of a block: answers.
template <class T>
struct answer_cells {
  const route_table<T>& table;
  const T* x;
  T* y;
  bool stream;

  HWY_INLINE void operator()(std::size_t i, const std::uint32_t* buckets) const {
    const hn::ScalableTag<T> d;
    const auto input = hn::LoadU(d, x + i);
    const auto cell = fields_of(d, table.cells.data(), buckets);
    const auto answer = hn::IfThenElse(hn::Le(cell.threshold, input), cell.right, cell.left);
    if (HWY_UNLIKELY(any_special(cell.threshold, input))) {
      T inputs[hn::MaxLanes(d)];
      hn::StoreU(input, d, inputs);
      for (std::size_t k = 0; k < hn::MaxLanes(d); ++k)
        y[i + k] = table.values[table.rank_of(inputs[k])];
    } else if (stream) {
      hn::Stream(answer, d, y + i);
    } else {
      hn::StoreU(answer, d, y + i);
    }
  }
};

/// Ranks.
template <class T>
struct rank_cells {
  const route_table<T>& table;
  const T* x;
  std::uint32_t* ranks;

  HWY_INLINE void operator()(std::size_t i, const std::uint32_t* buckets) const {
    const hn::ScalableTag<T> d;
    const hn::RebindToSigned<decltype(d)> di;
    const auto input = hn::LoadU(d, x + i);
    const auto cell = fields_of(d, table.cells.data(), buckets);
    const auto reached =
        hn::VecFromMask(di, hn::RebindMask(di, hn::Le(cell.threshold, input)));  // -1 or 0
    const auto rank = hn::Sub(hn::BitCast(di, cell.rank), reached);
    if (HWY_UNLIKELY(any_special(cell.threshold, input))) {
      for (std::size_t k = 0; k < hn::MaxLanes(d); ++k) ranks[i + k] = table.rank_of(x[i + k]);
    } else {
      if constexpr (sizeof(T) == 4) {
        hn::StoreU(rank, di, reinterpret_cast<std::int32_t*>(ranks + i));
      } else {
        const hn::Rebind<std::uint32_t, decltype(d)> narrow;
        const auto bits = hn::BitCast(hn::RebindToUnsigned<decltype(d)>(), rank);
        hn::StoreU(hn::TruncateTo(narrow, bits), narrow, ranks + i);
      }
    }
  }
};

template <root_kind Kind, class T, class Use>
HWY_INLINE void over_blocks(const route_table<T>& table, const T* x, std::size_t n,
                            const Use& use) {
  constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  const root_tables<T> map(table.map);
  alignas(64) std::uint32_t buckets[2][block];
  const auto find = [&](std::size_t i, std::uint32_t* found) HWY_ATTR {
    const std::size_t count = std::min(block, n - i);
    find_buckets<Kind>(map, x + i, count, found);
    if (table.far_cells) {
      for (std::size_t k = 0; k < count; ++k) hwy::Prefetch(table.cells.data() + found[k]);
    }
  };
  if (n == 0) return;
  // Far cells are asked for a block ahead of their use.
  if (table.far_cells) find(0, buckets[0]);
  for (std::size_t i = 0, turn = 0; i < n; i += block, turn ^= 1) {
    if (!table.far_cells) {
      find(i, buckets[turn]);
    } else if (i + block < n) {
      find(i + block, buckets[turn ^ 1]);
    }
    const std::size_t count = std::min(block, n - i);
    for (std::size_t k = 0; k < count; k += lanes) use(i + k, buckets[turn] + k);
  }
}

/// n a multiple of the lanes.
template <class T, class Use>
HWY_INLINE void route(const route_table<T>& table, const T* x, std::size_t n, const Use& use) {
  switch (table.map.kind) {
    case root_kind::grid: over_blocks<root_kind::grid>(table, x, n, use); break;
    case root_kind::pieces: over_blocks<root_kind::pieces>(table, x, n, use); break;
    default: over_blocks<root_kind::uniform>(table, x, n, use);
  }
}

template <class T>
HWY_ATTR void values(const route_table<T>& table, const T* x, T* y, std::size_t n, bool stream) {
  constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  const std::size_t whole = n / lanes * lanes;
  std::size_t done = 0;
  if constexpr (sizeof(T) == 4) {
    if (table.planes != nullptr && n >= 64) {
      done = n / 64 * 64;
      planes_values(table, x, y, done, stream);
    }
  }
  if (whole > done)
    route(table, x + done, whole - done, answer_cells<T>{table, x + done, y + done, stream});
  for (std::size_t i = whole; i < n; ++i) y[i] = table.values[table.rank_of(x[i])];
  if (stream) hwy::FlushStream();
}

template <class T>
HWY_ATTR void ranks(const route_table<T>& table, const T* x, std::uint32_t* found, std::size_t n) {
  constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  const std::size_t whole = n / lanes * lanes;
  std::size_t done = 0;
  if constexpr (sizeof(T) == 4) {
    if (table.planes != nullptr && n >= 64) {
      done = n / 64 * 64;
      planes_ranks(table, x, found, done);
    }
  }
  if (whole > done)
    route(table, x + done, whole - done, rank_cells<T>{table, x + done, found + done});
  for (std::size_t i = whole; i < n; ++i) found[i] = table.rank_of(x[i]);
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
                                sizeof(route_cell<float>),
                                0.07,
                                first_cache},
                               {{0.0, wide ? 0.2 : 1.0, wide ? 0.5 : 2.0},
                                crowded_cost,
                                0.0,
                                1,
                                sizeof(route_cell<double>),
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
  static const route_kernels set = {target_name,    costs,        false,        values<float>,
                                    values<double>, ranks<float>, ranks<double>};
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
