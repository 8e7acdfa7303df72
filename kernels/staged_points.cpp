// Builds what blocks stage of a model of several inputs (staged_points.hpp). Compiled by the host
// compiler.
#include "staged_points.hpp"

#include "block_image.hpp"
#include "host/routing/answers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace zcmoe::detail {
namespace {

int bits_below(std::uint64_t count) {
  int bits = 0;
  while ((std::uint64_t{1} << bits) < count) ++bits;
  return bits;
}

/// A tree in an order of levels, in which the children of a node lie side by side. Codes are 0 to
/// 255: where a threshold lets all of them go the same way, the node is left out.
class flat_tree {
 public:
  explicit flat_tree(const bank& tree) : from(tree) {
    const auto past_empty_choices = [&](std::int32_t child) {
      while (child >= 0) {
        const zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(child)];
        if (node.threshold > 0 && node.threshold < max_axis_slots) break;
        child = node.threshold > 0 ? node.left : node.right;
      }
      return child;
    };
    const std::size_t most = 2 * tree.nodes.size() + 1;
    given_.reserve(most);
    nodes_.reserve(most);
    given_.push_back(past_empty_choices(0));
    for (std::size_t i = 0; i < given_.size(); ++i) {
      if (given_[i] < 0) {
        nodes_.push_back({0, max_axis_slots, static_cast<std::int32_t>(i)});
        continue;
      }
      const zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(given_[i])];
      nodes_.push_back({node.feature, node.threshold, static_cast<std::int32_t>(given_.size())});
      for (const std::int32_t child : {node.left, node.right})
        given_.push_back(past_empty_choices(child));
    }
  }

  /// The nodes as kernels read them; see staged_tree.
  std::vector<std::uint32_t> nodes() const {
    std::vector<std::uint32_t> packed;
    packed.reserve(nodes_.size());
    for (const flat_node& node : nodes_) {
      packed.push_back(static_cast<std::uint32_t>(node.axis) << 24 |
                       static_cast<std::uint32_t>(node.threshold - 1) << 16 |
                       static_cast<std::uint32_t>(node.left));
    }
    return packed;
  }
  /// What leaves have, by node.
  std::vector<std::uint32_t> by_node(const std::vector<std::uint32_t>& by_leaf) const {
    std::vector<std::uint32_t> found;
    found.reserve(given_.size());
    for (const std::int32_t g : given_) {
      const std::int32_t leaf = ~g;
      found.push_back(g < 0 ? by_leaf[static_cast<std::size_t>(leaf)] : 0);
    }
    return found;
  }

  /// The grid of the tree's cuts, whose constants are those of leaves, if it has few cells.
  std::optional<bank> whole_grid(const std::vector<input_axis>& axes) const {
    bank grid;
    if (!cut(axes, true, grid)) return std::nullopt;
    for (std::int32_t& c : grid.constants) {
      const std::int32_t leaf = ~given_[static_cast<std::size_t>(c)];
      c = from.constants[static_cast<std::size_t>(leaf)];
    }
    return grid;
  }
  /// The grid of cuts of the first nodes. Its constants are nodes: those to which all rows of a
  /// cell come.
  bank first_grid(const std::vector<input_axis>& axes) const {
    bank grid;
    (void)cut(axes, false, grid);
    return grid;
  }

  const bank& from;

 private:
  struct flat_node {
    std::int32_t axis;
    std::int64_t threshold;
    std::int32_t left;
  };

  /// Makes a grid of the cuts of the first nodes; returns false where it must have all but has not.
  bool cut(const std::vector<input_axis>& axes, bool all, bank& grid) const {
    constexpr std::int64_t most = staged_tree::most_cells;
    std::vector<std::vector<std::int64_t>> cuts(axes.size());
    const auto cells_with = [&](std::size_t more) {
      std::int64_t cells = 1;
      for (std::size_t a = 0; a < cuts.size() && cells <= most; ++a)
        cells *= static_cast<std::int64_t>(cuts[a].size()) + (a == more ? 2 : 1);
      return cells;
    };
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const flat_node& node = nodes_[i];
      const auto a = static_cast<std::size_t>(node.axis);
      if (given_[i] < 0 || node.threshold >= axes[a].num_slots()) continue;
      if (std::find(cuts[a].begin(), cuts[a].end(), node.threshold) != cuts[a].end()) continue;
      if (cells_with(a) <= most) {
        cuts[a].push_back(node.threshold);
      } else if (all) {
        return false;
      }
    }
    std::int64_t cells = 1;
    std::vector<std::size_t> cut_axes;
    for (std::size_t a = 0; a < axes.size(); ++a) {
      std::vector<std::int64_t>& own = cuts[a];
      if (own.empty()) continue;
      std::sort(own.begin(), own.end());
      axis_offsets offsets{static_cast<std::int32_t>(a), {}};
      offsets.offsets.reserve(static_cast<std::size_t>(axes[a].num_slots()));
      for (std::int64_t c = 0; c < axes[a].num_slots(); ++c) {
        const auto part = std::upper_bound(own.begin(), own.end(), c) - own.begin();
        offsets.offsets.push_back(static_cast<std::int32_t>(part * cells));
      }
      grid.axes.push_back(std::move(offsets));
      cut_axes.push_back(a);
      cells *= static_cast<std::int64_t>(own.size()) + 1;
    }
    std::vector<code_range> box(axes.size());
    for (std::size_t a = 0; a < axes.size(); ++a) box[a] = {0, axes[a].num_slots() - 1};
    grid.constants.reserve(static_cast<std::size_t>(cells));
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      std::int64_t rest = cell;
      for (const std::size_t a : cut_axes) {
        const auto parts = static_cast<std::int64_t>(cuts[a].size()) + 1;
        const auto part = static_cast<std::size_t>(rest % parts);
        rest /= parts;
        box[a] = {part == 0 ? 0 : cuts[a][part - 1],
                  part < cuts[a].size() ? cuts[a][part] - 1 : axes[a].num_slots() - 1};
      }
      grid.constants.push_back(node_of(box));
    }
    return true;
  }
  struct code_range {
    std::int64_t first, last;
  };
  /// The last node to which all codes of a box come.
  std::int32_t node_of(const std::vector<code_range>& box) const {
    std::size_t at = 0;
    while (given_[at] >= 0) {
      const flat_node& node = nodes_[at];
      const code_range& codes = box[static_cast<std::size_t>(node.axis)];
      if (codes.first < node.threshold && node.threshold <= codes.last) break;
      at = static_cast<std::size_t>(node.left) + (codes.first >= node.threshold ? 1u : 0u);
    }
    return static_cast<std::int32_t>(at);
  }

  std::vector<std::int32_t> given_;  // the node or leaf of the tree that each node here is
  std::vector<flat_node> nodes_;
};

/// Adds up what a model needs, in the order of the image: first what is staged.
class staged_builder {
 public:
  staged_builder(const bank_tables& tables, const std::vector<bucket_table<float>>& axes,
                 std::size_t shared_bytes, std::size_t code_bytes, staged_model& model)
      : tables_(tables),
        axes_(axes),
        room_(shared_bytes),
        code_bytes_(code_bytes),
        model_(model),
        view_(model.view) {}

  bool build() {
    model_ = {};
    if (axes_.empty() || axes_.size() > staged_model::most_axes) return false;
    for (const bucket_table<float>& axis : axes_) {
      if (axis.words.empty()) return false;
    }
    std::size_t cells = 0;
    for (const bank& b : tables_.banks) {
      if (!b.oblique.empty()) return false;
      if (b.is_tree() &&
          std::max(2 * b.nodes.size() + 1, b.constants.size()) > staged_tree::most_nodes) {
        return false;
      }
      cells += b.constants.size();
    }
    if (cells > most_cells) return false;
    view_.num_axes = static_cast<std::int32_t>(axes_.size());
    model_.axes.resize(axes_.size());
    sort_banks();
    if (!choose_head()) return false;
    if (view_.is_coded) {
      const std::size_t taken = code_bytes_ * axes_.size();
      if (taken > room_) return false;
      room_ -= taken;
    }
    place_axes();
    place_head();
    place_trees();
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
    int tree;  // whose first grid it is; -1: it is a bank
  };
  struct grown {
    flat_tree flat;
    std::int64_t least;
    std::uint32_t place;  // staged_tree
  };

  /// Axis tables, trees, and the packs of the others; `least_` and `range_` of their sum.
  void sort_banks() {
    constants_.resize(axes_.size());
    for (std::size_t a = 0; a < axes_.size(); ++a)
      constants_[a].assign(static_cast<std::size_t>(tables_.axes[a].num_slots()), 0);
    const bool alone = tables_.banks.size() == 1;
    grids_.reserve(tables_.banks.size());
    for (const bank& given : tables_.banks) {
      int tree = -1;
      if (given.is_tree()) {
        flat_tree flat(given);
        std::optional<bank> grid = flat.whole_grid(tables_.axes);
        if (!grid) {
          grid = flat.first_grid(tables_.axes);
          tree = static_cast<int>(trees_.size());
          trees_.push_back({std::move(flat), 0, 0});
        }
        grids_.push_back(std::move(*grid));
      }
      const bank& b = given.is_tree() ? grids_.back() : given;
      if (b.axes.size() == 1 && !alone && tree < 0) {
        const axis_offsets& from = b.axes.front();
        std::vector<std::int64_t>& to = constants_[static_cast<std::size_t>(from.axis)];
        for (std::size_t c = 0; c < to.size(); ++c)
          to[c] += b.constants[static_cast<std::size_t>(from.offsets[c])];
        continue;
      }
      packed_.push_back({&b, std::max(bits_below(b.constants.size()), 1), 0, 0, 0, tree});
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
    view_.num_packs = static_cast<std::int32_t>(taken.size());
    view_.is_coded = !trees_.empty() || axes_.size() > staged_model::few_axes ||
                     taken.size() > staged_axis::most_packs ||
                     packed_.size() > staged_model::most_banks;
    for (std::vector<std::int64_t>& axis : constants_) {
      const std::int64_t low = *std::min_element(axis.begin(), axis.end());
      least_ += low;
      range_ += *std::max_element(axis.begin(), axis.end()) - low;
      for (std::int64_t& c : axis) c -= low;
    }
    for (packed& b : packed_) b.least = b.tree < 0 ? least_of(*b.from) : 0;
    for (grown& t : trees_) t.least = least_of(t.flat.from);
  }
  /// The least constant of a bank, which is counted in `least_` and `range_`.
  std::int64_t least_of(const bank& b) {
    const auto [least, greatest] = std::minmax_element(b.constants.begin(), b.constants.end());
    least_ += *least;
    range_ += std::int64_t{*greatest} - *least;
    return *least;
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
  static bool is_nothing(const std::vector<std::uint32_t>& added) {
    return std::all_of(added.begin(), added.end(), [](std::uint32_t v) { return v == 0; });
  }
  /// What `by_code` says of codes, by rank.
  template <class ByCode>
  std::vector<std::uint32_t> by_rank(std::size_t a, const ByCode& by_code) const {
    const bucket_table<float>& axis = axes_[a];
    std::vector<std::uint32_t> table;
    const std::size_t num_ranks = axis.thresholds.size() + 2;
    table.reserve(num_ranks);
    for (std::size_t r = 0; r < num_ranks; ++r) {
      table.push_back(by_code(axis.slots.empty() ? r : static_cast<std::size_t>(axis.slots[r])));
    }
    return table;
  }
  /// The part of an axis that adds these by rank. What NaN adds does not matter if it is refused,
  /// as long as it leads to some cell: its rank is then drawn to the one before.
  staged_part part_of(const std::vector<std::uint32_t>& added, std::uint32_t last_rank) {
    const std::uint32_t step = added[1] - added[0];
    bool even = true;
    for (std::uint32_t r = 1; r <= last_rank; ++r) even = even && added[r] - added[r - 1] == step;
    if (is_nothing(added)) return {no_table, 0, 0};
    if (even && step != 0) return {no_table, added[0], step};
    return {placed(added), 0, 0};
  }
  /// What an axis adds to a pack, by code.
  std::vector<std::uint32_t> parts_of(std::size_t a, int pack) const {
    std::vector<std::uint32_t> parts(static_cast<std::size_t>(tables_.axes[a].num_slots()), 0);
    for (const packed& b : packed_) {
      if (b.pack != pack) continue;
      for (const axis_offsets& o : b.from->axes) {
        if (static_cast<std::size_t>(o.axis) != a) continue;
        for (std::size_t c = 0; c < parts.size(); ++c)
          parts[c] += static_cast<std::uint32_t>(o.offsets[c]) << b.shift;
      }
    }
    return parts;
  }
  void place_axes() {
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      staged_axis& to = model_.axes[a];
      const bucket_table<float>& axis = axes_[a];
      const input_axis& from = tables_.axes[a];
      to.refuses_nan = from.nan_policy != ZCMOE_NAN_SEGMENT;
      to.refuses_outside = from.range_policy == ZCMOE_RANGE_NAN;
      to.last_rank =
          static_cast<std::uint32_t>(axis.thresholds.size()) + (to.refuses_nan ? 0u : 1u);
      to.image = static_cast<std::uint32_t>(image_.add(&axis.lines, 1, 16));
      image_.append(axis.words.data(), axis.words.size());
      const std::vector<std::int64_t>& own = constants_[a];
      to.constants = no_table;
      if (std::any_of(own.begin(), own.end(), [](std::int64_t c) { return c != 0; })) {
        to.constants =
            placed(by_rank(a, [&](std::size_t c) { return static_cast<std::uint32_t>(own[c]); }));
      }
      to.codes = no_table;
      if (view_.is_coded && !axis.slots.empty())
        to.codes = placed(by_rank(a, [](std::size_t c) { return static_cast<std::uint32_t>(c); }));
      for (int p = 0; p < staged_axis::most_packs; ++p) {
        if (view_.is_coded) {
          to.parts[p] = {no_table, 0, 0};
          continue;
        }
        const std::vector<std::uint32_t> parts = parts_of(a, p);
        to.parts[p] = part_of(by_rank(a, [&](std::size_t c) { return parts[c]; }), to.last_rank);
      }
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
      } else if (static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(least_) <=
                 static_cast<std::uint64_t>(range_)) {
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

  void place_trees() {
    for (grown& t : trees_) {
      const std::vector<staged_tree> tree{
          {placed(t.flat.nodes()), placed(t.flat.by_node(held(t.flat.from, t.least)))}};
      t.place = placed(tree);
    }
  }

  /// What the cells of a bank lead to.
  std::vector<std::uint32_t> held(const bank& b, std::int64_t least) const {
    std::vector<std::uint32_t> by_cell;
    by_cell.reserve(b.constants.size());
    for (const std::int32_t c : b.constants) {
      by_cell.push_back(view_.head == staged_head::values ? bits_of(value_of_score(c))
                                                          : static_cast<std::uint32_t>(c - least));
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

  std::ptrdiff_t first_bank(int pack) const {
    return std::count_if(packed_.begin(), packed_.end(),
                         [&](const packed& b) { return b.pack < pack; });
  }
  /// Lists of packs and their parts, and room for that of banks, whose place is returned.
  std::uint32_t place_packs() {
    const std::uint32_t list = placed(model_.banks);
    std::vector<staged_pack> packs;
    packs.reserve(static_cast<std::size_t>(view_.num_packs));
    for (int p = 0; p < view_.num_packs; ++p) {
      std::vector<coded_part> parts;
      for (std::size_t a = 0; a < axes_.size(); ++a) {
        const std::vector<std::uint32_t> offsets = parts_of(a, p);
        if (!is_nothing(offsets)) parts.push_back({static_cast<std::uint32_t>(a), placed(offsets)});
      }
      const auto begin = static_cast<std::uint32_t>(first_bank(p));
      packs.push_back({placed(parts), static_cast<std::uint32_t>(parts.size()),
                       list + begin * static_cast<std::uint32_t>(sizeof(staged_bank)),
                       static_cast<std::uint32_t>(first_bank(p + 1)) - begin});
    }
    view_.packs = placed(packs);
    return list;
  }

  /// Tables of cells: staged while there is room, small ones first.
  bool place_banks() {
    std::vector<std::size_t> order(packed_.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return packed_[x].from->constants.size() < packed_[y].from->constants.size();
    });
    // Where the banks' lists will lie; their entries are filled in when tables have their places.
    model_.banks.resize(packed_.size());
    for (std::size_t p = 0; p <= staged_axis::most_packs; ++p)
      model_.bank_begin[p] = static_cast<std::int32_t>(first_bank(static_cast<int>(p)));
    const std::uint32_t list = view_.is_coded ? place_packs() : 0;
    image_.pad();
    std::size_t staged = image_.bytes().size();
    if (staged > room_) return false;
    for (const std::size_t k : order) {
      const packed& b = packed_[k];
      staged_bank& to = model_.banks[k];
      const std::vector<std::int32_t>& nodes = b.from->constants;
      const std::uint32_t at = b.tree < 0
                                   ? placed(held(*b.from, b.least))
                                   : placed(std::vector<std::uint32_t>(nodes.begin(), nodes.end()));
      image_.pad();
      if (image_.bytes().size() <= room_) staged = image_.bytes().size();
      to.shift = static_cast<std::uint32_t>(b.shift);
      to.mask = static_cast<std::uint32_t>((std::uint64_t{1} << b.bits) - 1);
      to.constants = at;
      to.tree = b.tree < 0 ? no_table : trees_[static_cast<std::size_t>(b.tree)].place;
    }
    if (view_.is_coded) image_.replace(list, model_.banks.data(), model_.banks.size());
    view_.staged_bytes = static_cast<std::uint32_t>(staged);
    view_.thresholds = placed(thresholds_);
    view_.num_thresholds = static_cast<std::uint32_t>(thresholds_.size());
    return true;
  }

  const bank_tables& tables_;
  const std::vector<bucket_table<float>>& axes_;
  std::size_t room_;
  const std::size_t code_bytes_;
  staged_model& model_;
  staged_view& view_;
  block_image image_;
  std::vector<std::vector<std::int64_t>> constants_;  // of axis tables, by axis and code
  std::vector<packed> packed_;
  std::vector<grown> trees_;
  std::vector<bank> grids_;  // of trees
  std::vector<std::uint32_t> thresholds_;
  std::int64_t least_ = 0;
  std::int64_t range_ = 0;
};

}  // namespace

bool build_staged_points(const bank_tables& tables, const std::vector<bucket_table<float>>& axes,
                         std::size_t shared_bytes, std::size_t code_bytes, staged_model& model,
                         std::vector<unsigned char>& image) {
  staged_builder builder(tables, axes, shared_bytes, code_bytes, model);
  if (!builder.build()) return false;
  image = builder.bytes();
  return true;
}

}  // namespace zcmoe::detail
