// The CPU engine's loops that add targets to the sums of their slots, compiled once per instruction
// set by Google Highway.
#include "host/cpu/sum_kernels.hpp"

#include "host/cpu/line_words.hpp"
#include "host/cpu/weighted_sums.hpp"
#include "host/cpu/anchored_sums.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sum_kernels.cpp"
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

/// Adds one row to its slot, or notes its number as that of a misfit.
template <class T>
inline void add_target(const window_rows<plain_rows<T>>& rows, std::size_t k,
                       std::uint32_t* misfits, std::size_t& found) {
  const auto target = static_cast<double>(rows.targets[k]);
  if (rows.window.holds(target)) {
    const std::size_t copy = k & ((std::size_t{1} << rows.copies_shift) - 1);
    rows.sums[(std::size_t{rows.slots[k]} << rows.copies_shift) + copy].add(target, rows.window);
  } else if (rows.slots[k] != rows.ignored_slot) {
    misfits[found++] = static_cast<std::uint32_t>(k);
  }
}
template <class T>
std::size_t add_one_by_one(const window_rows<plain_rows<T>>& rows, std::uint32_t* misfits) {
  std::size_t found = 0;
  for (std::size_t k = 0; k < rows.n; ++k) add_target(rows, k, misfits, found);
  return found;
}

template <class T>
bool add_run_one_by_one(const T* y, std::size_t n, const target_window<T>& window,
                        anchored_sums<T>& sums) {
  for (std::size_t k = 0; k < n; ++k) {
    if (!window.holds(static_cast<double>(y[k]))) return false;
  }
  for (std::size_t k = 0; k < n; ++k) sums.add(static_cast<double>(y[k]), window);
  return true;
}

#if HWY_TARGET != HWY_SCALAR

// Targets are prefetched so many ahead. The hardware's own prefetcher stops at every page, and does
// not recognise the stream of targets between the scattered additions to slots.
constexpr std::size_t fetched_ahead = 1024;

/// Splits a vector of targets into the words that anchored_sums adds for each of them, and says
/// which of them the window holds.
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
    // The square of a float is exact in double, so it does not matter whether an instruction set
    // multiplies and adds at once.
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
      square_anchor_[k] = hn::Set(D(), anchored_sums<double>::square_anchor(k));
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
    // The square is the rounded product plus the rest that rounding left, below 2^-53 of it.
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

/// For tables of at most Most segments, whose words stay in registers until the last row: each lane
/// sums the rows that pass through it. The sums over all rows are kept too, and the last segment's
/// sums are these less the sums of the other segments, which spares it a comparison.
template <int Most>
HWY_NOINLINE std::size_t add_to_registers(const window_rows<plain_rows<float>>& rows,
                                          std::uint32_t* misfits) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr int words = 3;  // rows are counted apart
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
    anchored_sums<float>& own = rows.sums[s << rows.copies_shift];
    own.y += sum(0);
    own.high += sum(1);
    own.low += sum(2);
    own.count += counts[s];
  }
  return found;
}

/// Transposes four words of as many rows as a vector has lanes: afterwards row[k] holds the four
/// words of row k, and, in vectors of eight lanes, those of row k + 4 in its upper half. Of four
/// lanes at least.
template <class DI, class V = hn::Vec<DI>>
HWY_INLINE void transpose(DI di, const V* word, V (&row)[4]) {
  const hn::Repartition<std::int32_t, DI> d32;
  const auto odd_blocks = hn::Ne(hn::And(hn::Iota(d32, 0), hn::Set(d32, 4)), hn::Zero(d32));
  // Blocks of two words of one row: of the even rows, then of the odd ones.
  const auto head_even = hn::InterleaveLower(di, word[0], word[1]);
  const auto head_odd = hn::InterleaveUpper(di, word[0], word[1]);
  const auto tail_even = hn::InterleaveLower(di, word[2], word[3]);
  const auto tail_odd = hn::InterleaveUpper(di, word[2], word[3]);
  // Puts the first two and the last two words of a row side by side. It does so in lanes of 32
  // bits, as SwapAdjacentBlocks does, so that compilers make one instruction of the two steps.
  const auto joined = [&](auto even, auto odd) HWY_ATTR {
    return hn::BitCast(di,
                       hn::IfThenElse(odd_blocks, hn::BitCast(d32, odd), hn::BitCast(d32, even)));
  };
  row[0] = joined(head_even, hn::SwapAdjacentBlocks(tail_even));
  row[1] = joined(head_odd, hn::SwapAdjacentBlocks(tail_odd));
  row[2] = joined(hn::SwapAdjacentBlocks(head_even), tail_even);
  row[3] = joined(hn::SwapAdjacentBlocks(head_odd), tail_odd);
}

/// Adds the words of as many rows as a vector has lanes to the rows' slots in memory; word[w] holds
/// word w of all rows. They are transposed, so that the words of a row are added by as few vectors
/// as hold them. first_copy is where copy 0 of slot 0 begins, for the first of these rows. The
/// words from FirstExtreme on are not added: the greater one stays.
template <int CopiesShift, int FirstExtreme = 1 << 30, int Words, class DI>
HWY_INLINE void add_words(DI di, const hn::Vec<DI> (&word)[Words], const std::uint32_t* slots,
                          char* first_copy) {
  constexpr std::size_t lanes = hn::MaxLanes(DI{});
  constexpr std::size_t copies = std::size_t{1} << CopiesShift;
  constexpr std::size_t slot_bytes = Words * sizeof(std::uint64_t);
  const auto add = [&](std::size_t k, auto own_words, int at) HWY_ATTR {
    const hn::DFromV<decltype(own_words)> dw;
    std::int64_t* const own =
        reinterpret_cast<std::int64_t*>(first_copy + std::size_t{slots[k]} * copies * slot_bytes +
                                        k % copies * slot_bytes) +
        at;
    const auto before = hn::Load(dw, own);
    auto after = hn::Add(before, own_words);
    if constexpr (FirstExtreme < Words) {
      if (at + static_cast<int>(hn::Lanes(dw)) > FirstExtreme) {
        const auto is_extreme = hn::Gt(hn::Iota(dw, at), hn::Set(dw, FirstExtreme - 1));
        after = hn::IfThenElse(is_extreme, hn::Max(before, own_words), after);
      }
    }
    hn::Store(after, dw, own);
  };
  if constexpr (lanes == 2) {
    for (int first = 0; first < Words; first += 2) {
      add(0, hn::InterleaveLower(di, word[first], word[first + 1]), first);
      add(1, hn::InterleaveUpper(di, word[first], word[first + 1]), first);
    }
  } else if constexpr (lanes == 8 && Words % 8 == 0) {
    hn::Vec<DI> low[4];
    hn::Vec<DI> high[4];
    for (int first = 0; first < Words; first += 8) {
      transpose(di, word + first, low);
      transpose(di, word + first + 4, high);
      for (std::size_t k = 0; k < 4; ++k) {
        add(k, hn::ConcatLowerLower(di, high[k], low[k]), first);
        add(k + 4, hn::ConcatUpperUpper(di, high[k], low[k]), first);
      }
    }
  } else {
    hn::Vec<DI> row[4];
    for (int first = 0; first < Words; first += 4) {
      transpose(di, word + first, row);
      for (std::size_t k = 0; k < 4; ++k) {
        if constexpr (lanes == 8) {
          const hn::Half<DI> half;
          add(k, hn::LowerHalf(half, row[k]), first);
          add(k + 4, hn::UpperHalf(half, row[k]), first);
        } else {
          add(k, row[k], first);
        }
      }
    }
  }
}

template <int CopiesShift, class T>
HWY_NOINLINE std::size_t add_to_slots(const window_rows<plain_rows<T>>& rows,
                                      std::uint32_t* misfits) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr std::size_t copies = std::size_t{1} << CopiesShift;
  const hn::RebindToSigned<decltype(d)> di;
  const target_splitter<decltype(d), T> splitter(rows.window);
  // Local copies, so that the stores below cannot seem to change them.
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
    char* const turn = lanes < copies ? base + i % copies * sizeof(anchored_sums<T>) : base;
    add_words<CopiesShift>(di, parts.word, slots + i, turn);
  }
  for (; i < n; ++i) add_target(rows, i, misfits, found);
  return found;
}

template <class T>
std::size_t add_targets(const window_rows<plain_rows<T>>& rows, std::uint32_t* misfits) {
  switch (rows.copies_shift) {
    case 0: return add_to_slots<0>(rows, misfits);
    case 1: return add_to_slots<1>(rows, misfits);
    case 2: return add_to_slots<2>(rows, misfits);
    default: return add_to_slots<3>(rows, misfits);
  }
}

std::size_t add_f32(const window_rows<plain_rows<float>>& rows, std::uint32_t* misfits) {
  // Measured with routing, ns per row: 0.55 for 2 segments and 0.68 for 4, where slots in memory
  // take 0.72; for 8 segments registers would take 0.94.
  if constexpr (hn::MaxLanes(hn::ScalableTag<double>()) == 8) {
    if (rows.num_segments <= 2) return add_to_registers<2>(rows, misfits);
    if (rows.num_segments <= 4) return add_to_registers<4>(rows, misfits);
  }
  return add_targets(rows, misfits);
}

std::size_t add_f64(const window_rows<plain_rows<double>>& rows, std::uint32_t* misfits) {
#if HWY_NATIVE_FMA
  return add_targets(rows, misfits);
#else  // without multiplying and adding at once, vectors have no exact product
  return add_one_by_one(rows, misfits);
#endif
}

#if HWY_NATIVE_FMA

/// Splits a vector of weighted rows into the words that weighted_sums adds for each of them, and
/// says which of them the window holds.
template <class D, class T>
class weighted_splitter {
 public:
  using DI = hn::RebindToSigned<D>;
  using V = hn::Vec<D>;
  struct parts {
    hn::Vec<DI> word[weighted_sums<T>::num_words];
    hn::Mask<D> fits;
    HWY_INLINE parts() {}  // spelled out: an implicit one is compiled for no instruction set
  };

  HWY_INLINE explicit weighted_splitter(const weighted_window<T>& window)
      : window_(window), one_(hn::Set(DI(), std::int64_t{1} << window.count_shift())) {}

  HWY_INLINE parts at(const T* targets, const T* weights) const {
    using plan = weighted_plan<T>;
    const V y = load(targets);
    const V w = load(weights);
    parts made;
    made.fits = hn::And(
        hn::And(multiples(y, window_.target_anchor),
                hn::Lt(hn::Abs(y), hn::Set(D(), window_.target_limit))),
        hn::And(multiples(w, window_.weight_anchor),
                hn::And(hn::Lt(w, hn::Set(D(), window_.weight_limit)), hn::Ge(w, hn::Zero(D())))));
    hn::Vec<DI>* word = made.word;
    // The top digit of w without its anchor, which would fill the place of the count.
    const auto top_anchor = hn::Set(D(), window_.weight_anchor[weighted_window<T>::digits - 1]);
    const auto top = hn::Add(w, top_anchor);
    *word++ = hn::Add(hn::Sub(bits(top), bits(top_anchor)), one_);
    if constexpr (weighted_window<T>::digits == 2) {
      const auto rest = hn::Sub(w, hn::Sub(top, top_anchor));
      *word++ = bits(hn::Add(rest, hn::Set(D(), window_.weight_anchor[0])));
      const V ww = hn::Mul(w, w);
      const V wy = hn::Mul(w, y);
      const V wy_rest = hn::MulSub(w, y, wy);
      word = take_digits(plan::square, {ww, hn::MulSub(w, w, ww)}, window_.ww_anchor, word);
      word = take_digits(plan::square, {wy, wy_rest}, window_.wy_anchor, word);
      const V p = hn::Mul(wy, y);
      const V q = hn::Mul(wy_rest, y);
      take_digits(plan::cube, {p, hn::MulSub(wy, y, p), q, hn::MulSub(wy_rest, y, q)},
                  window_.wyy_anchor, word);
    } else {
      const V wy = hn::Mul(w, y);
      word = take_digits(plan::square, {hn::Mul(w, w)}, window_.ww_anchor, word);
      word = take_digits(plan::square, {wy}, window_.wy_anchor, word);
      const V p = hn::Mul(wy, y);
      take_digits(plan::cube, {p, hn::MulSub(wy, y, p)}, window_.wyy_anchor, word);
    }
    return made;
  }

 private:
  HWY_INLINE static V load(const T* from) {
    if constexpr (sizeof(T) == 4) {
      const hn::Rebind<float, D> narrow;
      return hn::PromoteTo(D(), hn::LoadU(narrow, from));
    } else {
      return hn::LoadU(D(), from);
    }
  }
  HWY_INLINE static hn::Vec<DI> bits(V anchored) { return hn::BitCast(DI(), anchored); }

  /// Which numbers have no bit below the unit.
  template <int Digits>
  HWY_INLINE static hn::Mask<D> multiples(V number, const double (&anchors)[Digits]) {
    for (int digit = Digits - 1; digit > 0; --digit) {
      const auto anchor = hn::Set(D(), anchors[digit]);
      number = hn::Sub(number, hn::Sub(hn::Add(number, anchor), anchor));
    }
    const auto anchor = hn::Set(D(), anchors[0]);
    return hn::Eq(hn::Sub(hn::Add(number, anchor), anchor), number);
  }

  /// The digits of a sum of parts, the highest first; returns where the next word goes.
  template <int Digits, int Parts>
  HWY_INLINE static hn::Vec<DI>* take_digits(const digit_plan<Digits, Parts>& plan,
                                             V (&&part)[Parts], const double (&anchors)[Digits],
                                             hn::Vec<DI>* word) {
    for (int digit = Digits - 1; digit > 0; --digit) {
      const auto anchor = hn::Set(D(), anchors[digit]);
      auto sum = hn::Zero(DI());
      for (int k = 0; k < Parts; ++k) {
        if (plan.first[k] < digit) continue;
        const auto anchored = hn::Add(part[k], anchor);
        sum = hn::Add(sum, bits(anchored));
        part[k] = hn::Sub(part[k], hn::Sub(anchored, anchor));
      }
      *word++ = sum;
    }
    auto rest = part[0];
    for (int k = 1; k < Parts; ++k) rest = hn::Add(rest, part[k]);
    *word++ = bits(hn::Add(rest, hn::Set(D(), anchors[0])));
    return word;
  }

  const weighted_window<T>& window_;
  hn::Vec<DI> one_;
};

/// Adds rows to their slots. Rows that the window does not hold, and lanes beyond the last row,
/// take part as rows of weight 0 in the ignored slot.
template <int CopiesShift, class T>
HWY_NOINLINE std::size_t add_weighted_to_slots(const window_rows<weighted_rows<T>>& rows,
                                               std::uint32_t* misfits) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr std::size_t copies = std::size_t{1} << CopiesShift;
  const hn::RebindToSigned<decltype(d)> di;
  const weighted_window<T> window = rows.window;  // local, so that no store can seem to change it
  const weighted_splitter<decltype(d), T> splitter(window);
  const T* const targets = rows.targets;
  const T* const weights = rows.weights;
  const std::uint32_t* const slots = rows.slots;
  const std::size_t n = rows.n;
  const std::uint32_t ignored_slot = rows.ignored_slot;
  char* const base = reinterpret_cast<char*>(rows.sums);
  std::size_t found = 0;
  for (std::size_t i = 0; i < n; i += lanes) {
    char* const turn = lanes < copies ? base + i % copies * sizeof(weighted_sums<T>) : base;
    if (HWY_LIKELY(i + lanes <= n)) {
      hwy::Prefetch(targets + i + fetched_ahead / (sizeof(T) / 4));
      hwy::Prefetch(weights + i + fetched_ahead / (sizeof(T) / 4));
      const auto parts = splitter.at(targets + i, weights + i);
      if (HWY_LIKELY(hn::AllTrue(d, parts.fits))) {
        add_words<CopiesShift>(di, parts.word, slots + i, turn);
        continue;
      }
    }
    const std::size_t count = std::min(lanes, n - i);
    T own_targets[lanes] = {};
    T own_weights[lanes] = {};
    std::uint32_t own_slots[lanes];
    std::copy_n(targets + i, count, own_targets);
    std::copy_n(weights + i, count, own_weights);
    std::fill_n(own_slots, lanes, ignored_slot);
    std::copy_n(slots + i, count, own_slots);
    std::uint8_t fits[8] = {};  // bit k of the first byte: whether lane k fits
    hn::StoreMaskBits(d, splitter.at(own_targets, own_weights).fits, fits);
    for (std::size_t k = 0; k < count; ++k) {
      if ((fits[0] >> k & 1) != 0) continue;
      if (own_slots[k] != ignored_slot) misfits[found++] = static_cast<std::uint32_t>(i + k);
      own_targets[k] = 0;
      own_weights[k] = 0;
      own_slots[k] = ignored_slot;
    }
    add_words<CopiesShift>(di, splitter.at(own_targets, own_weights).word, own_slots, turn);
  }
  return found;
}

template <class T>
std::size_t add_weighted(const window_rows<weighted_rows<T>>& rows, std::uint32_t* misfits) {
  if (!(rows.window.weight_limit > 0)) {  // there is no window, and rows of weight 0 do not fit it
    std::size_t found = 0;
    for (std::size_t k = 0; k < rows.n; ++k) {
      if (rows.slots[k] != rows.ignored_slot) misfits[found++] = static_cast<std::uint32_t>(k);
    }
    return found;
  }
  switch (rows.copies_shift) {
    case 0: return add_weighted_to_slots<0>(rows, misfits);
    case 1: return add_weighted_to_slots<1>(rows, misfits);
    case 2: return add_weighted_to_slots<2>(rows, misfits);
    default: return add_weighted_to_slots<3>(rows, misfits);
  }
}

#endif

/// Adds a run of targets of one slot. One running sum that begins with the anchor stands in for the
/// high parts of all squares: adding a square to it rounds that square to the unit, and the rest is
/// exact and goes to a second running sum. Whether the window holds all targets is told by the
/// largest and by the least that is not 0, so that some runs are refused whose targets all fit.
bool add_run_f32(const float* y, std::size_t n, const target_window<float>& window,
                 anchored_sums<float>& sums) {
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
  auto least = no_sign;  // of sizes less one, so that 0 wraps to the largest and does not count
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
    float rest[chains * lanes] = {};  // the zeros behind the targets change no sum
    std::memcpy(rest, y + whole, (n - whole) * sizeof(float));
    take(rest);
  }
  const auto as_float = [](std::uint32_t pattern) {
    float value;
    std::memcpy(&value, &pattern, sizeof value);
    return static_cast<double>(value);
  };
  // A target is a multiple of its last bit, which is 2^-23 of its first bit, or the least float
  // where it is subnormal.
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
  sums.y += units_of(sum, window.unit) + n * word_of(window.y_anchor);
  sums.high += units_of(sum_high, high_unit) + n * word_of(window.high_anchor);
  sums.low += units_of(sum_low, square) + n * word_of(window.low_anchor);
  sums.count += n;
  return true;
}

bool add_run_f64(const double* y, std::size_t n, const target_window<double>& window,
                 anchored_sums<double>& sums) {
#if HWY_NATIVE_FMA
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  const hn::RebindToSigned<decltype(d)> di;
  constexpr int words = 7;
  const target_splitter<decltype(d), double> splitter(window);
  hn::Vec<decltype(di)> total[words];
  for (auto& word : total) word = hn::Zero(di);
  auto all = hn::Eq(hn::Zero(d), hn::Zero(d));  // true in each lane
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

#if HWY_NATIVE_FMA

/// The digits of t y, the lowest first, with their anchors. Source: the rest that rounding leaves
/// of a product is a double, which a fused multiply-add finds.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void split_product(D d, V t, V y, const product_anchors<float>& anchors,
                              const target_window<float>&, hn::Vec<hn::RebindToSigned<D>>* digit) {
  const hn::RebindToSigned<D> di;
  const auto low_anchor = hn::Set(d, anchors.digit[0]);
  const auto high_anchor = hn::Set(d, anchors.digit[1]);
  const auto high = hn::MulAdd(t, y, high_anchor);
  const auto low = hn::MulSub(t, y, hn::Sub(high, high_anchor));
  digit[0] = hn::BitCast(di, hn::Add(low, low_anchor));
  digit[1] = hn::BitCast(di, high);
  digit[2] = hn::Zero(di);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE void split_product(D d, V t, V y, const product_anchors<double>& anchors,
                              const target_window<double>& window,
                              hn::Vec<hn::RebindToSigned<D>>* digit) {
  const hn::RebindToSigned<D> di;
  const auto part_anchor = hn::Set(d, window.high_anchor);
  const auto y_high = hn::Sub(hn::Add(y, part_anchor), part_anchor);
  const auto y_low = hn::Sub(y, y_high);
  const auto anchor0 = hn::Set(d, anchors.digit[0]);
  const auto anchor1 = hn::Set(d, anchors.digit[1]);
  const auto anchor2 = hn::Set(d, anchors.digit[2]);
  const auto low = hn::MulAdd(t, y_low, anchor1);
  const auto lowest = hn::MulSub(t, y_low, hn::Sub(low, anchor1));
  const auto high = hn::MulAdd(t, y_high, anchor2);
  const auto middle = hn::MulSub(t, y_high, hn::Sub(high, anchor2));
  digit[0] = hn::BitCast(di, hn::Add(lowest, anchor0));
  digit[1] = hn::Add(hn::BitCast(di, low), hn::BitCast(di, hn::Add(middle, anchor1)));
  digit[2] = hn::BitCast(di, high);
}

/// The frames of as many rows as a vector has lanes. Inputs are in their segments here, so that
/// positions need not be drawn to its ends.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void load_frames(D d, const line_frame* frames, const std::uint32_t* slots, V& centre,
                            V& scale) {
  constexpr std::size_t lanes = hn::MaxLanes(D());
  const hn::FixedTag<double, 2> pair;
  const auto at = [&](std::size_t k) HWY_ATTR {
    return hn::LoadU(pair, reinterpret_cast<const double*>(frames + slots[k]));
  };
  V even;  // of the rows 0, 2, ...
  V odd;
  if constexpr (lanes == 2) {
    even = at(0);
    odd = at(1);
  } else if constexpr (lanes == 4) {
    even = hn::Combine(d, at(2), at(0));
    odd = hn::Combine(d, at(3), at(1));
  } else {
    const hn::Half<D> half;
    even = hn::Combine(d, hn::Combine(half, at(6), at(4)), hn::Combine(half, at(2), at(0)));
    odd = hn::Combine(d, hn::Combine(half, at(7), at(5)), hn::Combine(half, at(3), at(1)));
  }
  centre = hn::InterleaveLower(d, even, odd);
  scale = hn::InterleaveUpper(d, even, odd);
}

template <int CopiesShift, class T>
HWY_NOINLINE void add_positions_to_slots(const position_rows<T>& rows) {
  const hn::ScalableTag<double> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  constexpr std::size_t copies = std::size_t{1} << CopiesShift;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Repartition<std::uint32_t, decltype(d)> d32;
  const product_anchors<T> anchors(rows.window);
  const auto whole = hn::Set(d, 0x1.8p52);  // an anchor of unit 1: adding it rounds
  const auto whole_bits = hn::BitCast(di, whole);
  const auto extreme = hn::Set(di, low_extreme_of(0));
  const auto one = hn::Set(di, std::int64_t{1} << line_words::count_shift);
  const auto low_bits = hn::Set(du, (std::uint64_t{1} << line_words::square_split) - 1);
  T targets[lanes];
  double inputs[lanes];
  std::uint32_t slots[lanes];
  hn::Vec<decltype(d)> centre;
  hn::Vec<decltype(d)> scale;
  char* const base = reinterpret_cast<char*>(rows.words);
  for (std::size_t i = 0; i < rows.n; i += lanes) {
    const T* y_at = rows.targets + i;
    const double* x_at = rows.inputs + i;
    const std::uint32_t* slot_at = rows.slots + i;
    const std::size_t count = std::min(lanes, rows.n - i);
    if (HWY_UNLIKELY(count < lanes)) {  // the rest goes to the slot that does not count
      for (std::size_t k = 0; k < lanes; ++k) {
        targets[k] = k < count ? y_at[k] : T{0};
        inputs[k] = k < count ? x_at[k] : 0.0;
        slots[k] = k < count ? slot_at[k] : rows.ignored_slot;
      }
      y_at = targets;
      x_at = inputs;
      slot_at = slots;
    }
    hn::Vec<decltype(d)> y;
    if constexpr (sizeof(T) == 4) {
      const hn::Rebind<float, decltype(d)> narrow;
      y = hn::PromoteTo(d, hn::LoadU(narrow, y_at));
    } else {
      y = hn::LoadU(d, y_at);
    }
    load_frames(d, rows.frames, slot_at, centre, scale);
    const auto away = hn::Mul(hn::Sub(hn::LoadU(d, x_at), centre), scale);
    const auto rounded = hn::Add(away, whole);
    const auto t = hn::Sub(rounded, whole);
    const auto position = hn::Sub(hn::BitCast(di, rounded), whole_bits);
    const auto size = hn::BitCast(d32, hn::Abs(position));
    const auto square = hn::MulEven(size, size);
    hn::Vec<decltype(di)> word[line_words::num_words];
    word[0] = position;
    word[1] = hn::Add(hn::BitCast(di, hn::ShiftRight<line_words::square_split>(square)), one);
    word[2] = hn::BitCast(di, hn::And(square, low_bits));
    split_product(d, t, y, anchors, rows.window, word + 3);
    word[6] = hn::Sub(extreme, position);
    word[7] = hn::Add(extreme, position);
    char* const turn = lanes < copies ? base + i % copies * sizeof(line_words) : base;
    add_words<CopiesShift, line_words::first_extreme>(di, word, slot_at, turn);
  }
}

template <class T>
void add_positions(const position_rows<T>& rows) {
  switch (rows.copies_shift) {
    case 0: return add_positions_to_slots<0>(rows);
    case 1: return add_positions_to_slots<1>(rows);
    case 2: return add_positions_to_slots<2>(rows);
    default: return add_positions_to_slots<3>(rows);
  }
}

#endif

#else  // no vectors

std::size_t add_f32(const window_rows<plain_rows<float>>& rows, std::uint32_t* misfits) {
  return add_one_by_one(rows, misfits);
}
std::size_t add_f64(const window_rows<plain_rows<double>>& rows, std::uint32_t* misfits) {
  return add_one_by_one(rows, misfits);
}

bool add_run_f32(const float* y, std::size_t n, const target_window<float>& window,
                 anchored_sums<float>& sums) {
  return add_run_one_by_one(y, n, window, sums);
}
bool add_run_f64(const double* y, std::size_t n, const target_window<double>& window,
                 anchored_sums<double>& sums) {
  return add_run_one_by_one(y, n, window, sums);
}

#endif

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
const sum_kernels& sum_kernels_of<HWY_TARGET>() {
  namespace own = HWY_NAMESPACE;
#if HWY_TARGET != HWY_SCALAR && HWY_NATIVE_FMA
  static constexpr sum_kernels set = {
      own::add_f32,     own::add_f64,     own::add_weighted<float>,  own::add_weighted<double>,
      own::add_run_f32, own::add_run_f64, own::add_positions<float>, own::add_positions<double>};
#else
  static constexpr sum_kernels set = {own::add_f32,     own::add_f64,     nullptr, nullptr,
                                      own::add_run_f32, own::add_run_f64, nullptr, nullptr};
#endif
  return set;
}

}  // namespace zcmoe::detail
HWY_AFTER_NAMESPACE();
