// Builds what blocks stage of a model of several inputs (staged_points.hpp). Compiled by the host
// compiler.
#include "staged_points.hpp"

#include "block_image.hpp"
#include "host/routing/answers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

int bits_below(std::uint64_t count) {
  int bits = 0;
  while ((std::uint64_t{1} << bits) < count) ++bits;
  return bits;
}

/// Adds up what a model needs, in the order of the image: first what is staged.
class staged_builder {
 public:
  staged_builder(const bank_tables& tables, const std::vector<bucket_table<float>>& axes,
                 std::size_t shared_bytes, staged_view& view)
      : tables_(tables), axes_(axes), room_(shared_bytes), view_(view) {}

  bool build() {
    view_ = {};
    if (axes_.empty() || axes_.size() > staged_view::most_axes) return false;
    for (const bucket_table<float>& axis : axes_) {
      if (axis.words.empty()) return false;
    }
    std::size_t cells = 0;
    for (const bank& b : tables_.banks) {
      if (b.is_tree()) return false;
      cells += b.constants.size();
    }
    if (cells > most_cells) return false;
    view_.num_axes = static_cast<std::int32_t>(axes_.size());
    if (!sort_banks() || !choose_head()) return false;
    place_axes();
    place_head();
    return place_banks();
  }
  const std::vector<unsigned char>& bytes() const { return image_.bytes(); }

 private:
  static constexpr std::size_t most_cells = std::size_t{1} << 28;  // byte offsets have 32 bits
  static constexpr std::int64_t most_score = std::numeric_limits<std::uint32_t>::max();

  /// A bank, and where its cell number lies.
  struct packed {
    const bank* from;
    int bits;
    int pack;
    int shift;
    std::int64_t least;
  };

  /// Axis tables, and the packs of the others; `least_` and `range_` of their sum.
  bool sort_banks() {
    constants_.resize(axes_.size());
    for (std::size_t a = 0; a < axes_.size(); ++a)
      constants_[a].assign(static_cast<std::size_t>(tables_.axes[a].num_slots()), 0);
    const bool alone = tables_.banks.size() == 1;
    for (const bank& b : tables_.banks) {
      if (b.axes.size() == 1 && !alone) {
        const axis_offsets& from = b.axes.front();
        std::vector<std::int64_t>& to = constants_[static_cast<std::size_t>(from.axis)];
        for (std::size_t c = 0; c < to.size(); ++c)
          to[c] += b.constants[static_cast<std::size_t>(from.offsets[c])];
        continue;
      }
      packed_.push_back({&b, std::max(bits_below(b.constants.size()), 1), 0, 0, 0});
    }
    // Widest first, each into the first pack with room.
    std::stable_sort(packed_.begin(), packed_.end(),
                     [](const packed& x, const packed& y) { return x.bits > y.bits; });
    std::vector<int> taken;
    for (packed& b : packed_) {
      std::size_t p = 0;
      while (p < taken.size() && taken[p] + b.bits > 32) ++p;
      if (p == taken.size()) taken.push_back(0);
      b.pack = static_cast<int>(p);
      b.shift = taken[p];
      taken[p] += b.bits;
    }
    std::stable_sort(packed_.begin(), packed_.end(),
                     [](const packed& x, const packed& y) { return x.pack < y.pack; });
    if (taken.size() > staged_axis::most_packs || packed_.size() > staged_view::most_banks)
      return false;
    view_.num_packs = static_cast<std::int32_t>(taken.size());
    for (std::vector<std::int64_t>& axis : constants_) {
      const std::int64_t low = *std::min_element(axis.begin(), axis.end());
      least_ += low;
      range_ += *std::max_element(axis.begin(), axis.end()) - low;
      for (std::int64_t& c : axis) c -= low;
    }
    for (packed& b : packed_) {
      const std::vector<std::int32_t>& constants = b.from->constants;
      b.least = *std::min_element(constants.begin(), constants.end());
      least_ += b.least;
      range_ += *std::max_element(constants.begin(), constants.end()) - b.least;
    }
    return true;
  }
  bool choose_head() {
    const head& h = tables_.head;
    if (tables_.banks.size() == 1) {
      view_.head = staged_head::values;
      return true;
    }
    if (range_ > most_score) return false;
    if (h.has_segments()) {
      view_.head = staged_head::score;
      return !h.thresholds.empty();
    }
    // Then scores are rounded once, and what they are scaled by is a normal number, as the answer.
    if (h.exponent < -126 || h.exponent > 127) return false;
    const std::int64_t base = h.base + least_;
    const bool narrow = base >= std::numeric_limits<std::int32_t>::min() &&
                        base + range_ <= std::numeric_limits<std::int32_t>::max();
    view_.head = narrow ? staged_head::narrow_sum : staged_head::sum;
    view_.base = base;
    view_.scale = std::ldexp(1.0f, h.exponent);
    return true;
  }

  template <class Element>
  std::uint32_t placed(const std::vector<Element>& elements) {
    return static_cast<std::uint32_t>(image_.add(elements.data(), elements.size(), 16));
  }
  /// A table by rank of what `by_code` says of codes.
  template <class ByCode>
  std::uint32_t by_rank(std::size_t a, const ByCode& by_code) {
    const bucket_table<float>& axis = axes_[a];
    std::vector<std::uint32_t> table;
    const std::size_t num_ranks = axis.thresholds.size() + 2;
    table.reserve(num_ranks);
    for (std::size_t r = 0; r < num_ranks; ++r) {
      table.push_back(by_code(axis.slots.empty() ? r : static_cast<std::size_t>(axis.slots[r])));
    }
    return placed(table);
  }
  void place_axes() {
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      staged_axis& to = view_.axes[a];
      const bucket_table<float>& axis = axes_[a];
      to.image = static_cast<std::uint32_t>(image_.add(&axis.lines, 1, 16));
      image_.append(axis.words.data(), axis.words.size());
      const std::vector<std::int64_t>& own = constants_[a];
      to.constants = no_table;
      if (std::any_of(own.begin(), own.end(), [](std::int64_t c) { return c != 0; })) {
        to.constants =
            by_rank(a, [&](std::size_t c) { return static_cast<std::uint32_t>(own[c]); });
      }
      for (int p = 0; p < staged_axis::most_packs; ++p) {
        to.parts[p] = no_table;
        std::vector<std::uint32_t> parts(own.size(), 0);
        for (const packed& b : packed_) {
          if (b.pack != p) continue;
          for (const axis_offsets& o : b.from->axes) {
            if (static_cast<std::size_t>(o.axis) != a) continue;
            for (std::size_t c = 0; c < parts.size(); ++c)
              parts[c] += static_cast<std::uint32_t>(o.offsets[c]) << b.shift;
          }
        }
        if (std::any_of(parts.begin(), parts.end(), [](std::uint32_t v) { return v != 0; }))
          to.parts[p] = by_rank(a, [&](std::size_t c) { return parts[c]; });
      }
      const input_axis& from = tables_.axes[a];
      to.refuses_nan = from.nan_policy != ZCMOE_NAN_SEGMENT;
      to.refuses_outside = from.range_policy == ZCMOE_RANGE_NAN;
    }
  }

  /// The words that route scores; see staged_view.
  void place_head() {
    if (view_.head != staged_head::score) return;
    const head& h = tables_.head;
    // Thresholds that every score passes, or none, are left out.
    std::vector<std::uint32_t> thresholds;
    std::size_t passed = 0;
    for (const std::int64_t t : h.thresholds) {
      if (t <= least_) {
        ++passed;
      } else if (t - least_ <= range_) {
        thresholds.push_back(static_cast<std::uint32_t>(t - least_));
      }
    }
    // From the place before the first threshold to the last.
    view_.least = thresholds.empty() ? 0 : thresholds.front() - 1;
    view_.greatest = thresholds.empty() ? 0 : thresholds.back();
    for (std::uint32_t& t : thresholds) t -= view_.least;
    const std::uint32_t span = view_.greatest - view_.least;
    const int bits = bits_below(std::uint64_t{span} + 1);
    const int rank_bits = bits_below(thresholds.size() + 1);
    // As few buckets as have one threshold each, or where there are none so, few thresholds that
    // share theirs: 2 to 16 buckets a threshold.
    int shift = 0;
    std::size_t fewest = thresholds.size() + 1;
    for (int more = 1; more <= 4; ++more) {
      const int tried = std::max(bits - rank_bits - more, 0);
      std::size_t crowded = 0;
      for (std::size_t i = 1; i < thresholds.size(); ++i)
        crowded += thresholds[i] >> tried == thresholds[i - 1] >> tried ? 1 : 0;
      if (crowded < fewest) {
        fewest = crowded;
        shift = tried;
      }
    }
    std::vector<std::uint32_t> words;
    const std::uint32_t num_buckets = (span >> shift) + 1;
    words.reserve(num_buckets);
    std::size_t next = 0;
    for (std::uint32_t b = 0; b < num_buckets; ++b) {
      const auto begin = static_cast<std::uint32_t>(next);
      while (next < thresholds.size() && thresholds[next] >> shift == b) ++next;
      std::uint32_t word = (begin << shift) - (b << shift);
      const std::size_t count = next - begin;
      if (count == 1) word += (1u << shift) - (thresholds[begin] - (b << shift));
      if (count > 1) word += needs_search;
      words.push_back(word);
    }
    view_.shift = static_cast<std::uint32_t>(shift);
    view_.words = placed(words);
    std::vector<float> values;
    values.reserve(thresholds.size() + 1);
    for (std::size_t s = passed; s <= passed + thresholds.size(); ++s)
      values.push_back(static_cast<float>(h.constants[s]));
    view_.values = placed(values);
    thresholds_ = std::move(thresholds);
  }

  /// What the cells of a bank lead to.
  std::vector<std::uint32_t> held(const packed& b) const {
    std::vector<std::uint32_t> by_cell;
    by_cell.reserve(b.from->constants.size());
    for (const std::int32_t c : b.from->constants) {
      by_cell.push_back(view_.head == staged_head::values
                            ? bits_of(value_of_score(c))
                            : static_cast<std::uint32_t>(c - b.least));
    }
    return by_cell;
  }
  float value_of_score(std::int64_t score) const {
    const head& h = tables_.head;
    if (!h.has_segments()) return answer_of<float>(h.base + score, h.exponent);
    const auto passed = std::upper_bound(h.thresholds.begin(), h.thresholds.end(), score);
    const std::int64_t segment = h.thresholds.empty() ? score : passed - h.thresholds.begin();
    return static_cast<float>(h.constants[static_cast<std::size_t>(segment)]);
  }

  /// Tables of cells: staged while there is room, small ones first.
  bool place_banks() {
    std::vector<std::size_t> order(packed_.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return packed_[x].from->constants.size() < packed_[y].from->constants.size();
    });
    image_.pad();
    std::size_t staged = image_.bytes().size();
    if (staged > room_) return false;
    for (std::size_t p = 0; p <= staged_axis::most_packs; ++p) {
      view_.bank_begin[p] = static_cast<std::int32_t>(
          std::count_if(packed_.begin(), packed_.end(),
                        [&](const packed& b) { return b.pack < static_cast<int>(p); }));
    }
    for (const std::size_t k : order) {
      const packed& b = packed_[k];
      staged_bank& to = view_.banks[k];
      const std::uint32_t at = placed(held(b));
      image_.pad();
      if (image_.bytes().size() <= room_) staged = image_.bytes().size();
      to.shift = static_cast<std::uint32_t>(b.shift);
      to.mask = static_cast<std::uint32_t>((std::uint64_t{1} << b.bits) - 1);
      to.constants = at;
    }
    view_.staged_bytes = static_cast<std::uint32_t>(staged);
    view_.thresholds = placed(thresholds_);
    view_.num_thresholds = static_cast<std::uint32_t>(thresholds_.size());
    return true;
  }

  const bank_tables& tables_;
  const std::vector<bucket_table<float>>& axes_;
  const std::size_t room_;
  staged_view& view_;
  block_image image_;
  std::vector<std::vector<std::int64_t>> constants_;  // of axis tables, by axis and code
  std::vector<packed> packed_;
  std::vector<std::uint32_t> thresholds_;
  std::int64_t least_ = 0;
  std::int64_t range_ = 0;
};

}  // namespace

bool build_staged_points(const bank_tables& tables, const std::vector<bucket_table<float>>& axes,
                         std::size_t shared_bytes, staged_view& view,
                         std::vector<unsigned char>& image) {
  staged_builder builder(tables, axes, shared_bytes, view);
  if (!builder.build()) return false;
  image = builder.bytes();
  return true;
}

}  // namespace zcmoe::detail
