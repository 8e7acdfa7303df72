// Trees on codes for blocks of rows on the CPU.
#include "host/cpu/code_trees.hpp"

#include "host/cpu/rows.hpp"

#include <algorithm>

namespace zcmoe::detail {
namespace {

constexpr int rows_at_a_time = 16;  // that go down a tree together
constexpr int levels_at_a_time = 2;

/// words[k] &= what the codes of Count axes leave possible.
template <int Count>
void intersect(const std::array<std::uint64_t, 256>* possible, const std::int32_t* axes,
               const std::uint8_t* codes, std::int64_t stride, int count, std::uint64_t* words) {
  const std::uint8_t* code[Count];
  const std::uint64_t* table[Count];
  for (int a = 0; a < Count; ++a) {
    code[a] = codes + axes[a] * stride;
    table[a] = possible[a].data();
  }
  for (int k = 0; k < count; ++k) {
    std::uint64_t word = words[k];
    for (int a = 0; a < Count; ++a) word &= table[a][code[a][k]];
    words[k] = word;
  }
}

}  // namespace

cut_tree::cut_tree(const bank& tree, std::int64_t stride) {
  const auto place_of = [](std::int32_t number) { return static_cast<std::size_t>(number); };
  const tree_top top = top_of(tree, max_parts);
  const std::vector<std::int32_t>& parts = top.parts;
  // The parts that each node of the top leads to.
  std::vector<std::uint64_t> below(tree.nodes.size(), 0);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (parts[p] >= 0) below[place_of(parts[p])] = std::uint64_t{1} << p;
  }
  const auto parts_of = [&](std::int32_t child) {
    if (child >= 0) return below[place_of(child)];
    return std::uint64_t{1} << (std::find(parts.begin(), parts.end(), child) - parts.begin());
  };
  for (std::size_t i = top.nodes.size(); i-- > 0;) {
    const zcmoe_tree_node& cut = tree.nodes[place_of(top.nodes[i])];
    below[place_of(top.nodes[i])] = parts_of(cut.left) | parts_of(cut.right);
    const auto found = std::find(axes_.begin(), axes_.end(), cut.feature);
    const auto a = static_cast<std::size_t>(found - axes_.begin());
    if (found == axes_.end()) {
      axes_.push_back(cut.feature);
      possible_.emplace_back();
      possible_.back().fill(~std::uint64_t{0});
    }
    for (std::int32_t code = 0; code < 256; ++code) {
      possible_[a][static_cast<std::size_t>(code)] &=
          ~parts_of(code >= cut.threshold ? cut.left : cut.right);
    }
  }

  // What is left of the tree, level by level.
  std::vector<std::int32_t> given;  // the node or leaf of the tree that each node here is
  std::vector<int> depth;
  const auto add = [&](std::int32_t child, int at) {
    given.push_back(child);
    depth.push_back(at);
    nodes_.push_back({0, 256, static_cast<std::int32_t>(nodes_.size())});
    const std::int32_t leaf = ~child;
    constants_.push_back(child < 0 ? tree.constants[place_of(leaf)] : 0);
  };
  for (const std::int32_t part : parts) add(part, 0);
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] < 0) continue;
    const zcmoe_tree_node& from = tree.nodes[place_of(given[i])];
    // Codes are 0 to 255: a threshold above sends all of them to the left.
    nodes_[i] = {static_cast<std::uint16_t>(from.feature * stride),
                 static_cast<std::uint16_t>(std::clamp(from.threshold, 0, 256)),
                 static_cast<std::int32_t>(nodes_.size())};
    const int next = depth[i] + 1;
    depth_ = std::max(depth_, next);
    for (const std::int32_t child : {from.left, from.right}) add(child, next);
  }
}

void cut_tree::find_parts(const std::uint8_t* codes, std::int64_t stride, int count,
                          std::uint64_t* parts) const {
  std::fill_n(parts, count, ~std::uint64_t{0});
  const std::size_t num_axes = axes_.size();
  std::size_t a = 0;
  for (; num_axes - a >= 4; a += 4)
    intersect<4>(&possible_[a], &axes_[a], codes, stride, count, parts);
  if (num_axes - a >= 2) {
    intersect<2>(&possible_[a], &axes_[a], codes, stride, count, parts);
    a += 2;
  }
  if (num_axes - a == 1) intersect<1>(&possible_[a], &axes_[a], codes, stride, count, parts);
}

void cut_tree::look_up(const std::uint8_t* codes, std::int64_t stride, int count,
                       std::int32_t* constants) const {
  std::uint64_t parts[batch + rows_at_a_time];
  parts[0] = 1;  // for the analyser, which does not see that there is a row
  find_parts(codes, stride, count, parts);
  if (depth_ == 0) {
    for (int k = 0; k < count; ++k)
      constants[k] = constants_[static_cast<std::size_t>(__builtin_ctzll(parts[k]))];
    return;
  }
  std::fill_n(parts + count, rows_at_a_time, std::uint64_t{1});
  const node* const nodes = nodes_.data();
  for (int first = 0; first < count; first += rows_at_a_time) {
    const std::uint8_t* const own = codes + first;
    std::int32_t at[rows_at_a_time];
    for (int k = 0; k < rows_at_a_time; ++k) at[k] = __builtin_ctzll(parts[first + k]);
    std::int32_t moved = 1;  // not 0 if a row may not have arrived
    for (int level = 0; level < depth_ && moved != 0; level += levels_at_a_time) {
      std::int32_t before[rows_at_a_time];
      std::copy_n(at, rows_at_a_time, before);
      for (int l = std::min(levels_at_a_time, depth_ - level); l > 0; --l) {
        for (int k = 0; k < rows_at_a_time; ++k) {
          const node next = nodes[at[k]];
          at[k] = next.left + (own[next.place + k] >= next.threshold ? 1 : 0);
        }
      }
      moved = 0;
      for (int k = 0; k < rows_at_a_time; ++k) moved |= at[k] ^ before[k];
    }
    const int rows = std::min(rows_at_a_time, count - first);
    for (int k = 0; k < rows; ++k)
      constants[first + k] = constants_[static_cast<std::size_t>(at[k])];
  }
}

std::size_t cut_tree::bytes() const {
  return axes_.size() * (sizeof(axes_[0]) + sizeof(possible_[0])) +
         nodes_.size() * (sizeof(node) + sizeof(std::int32_t));
}

sum_tree::sum_tree(const bank& tree, std::int32_t num_axes, std::int64_t stride)
    : constants_(tree.constants) {
  const auto add_term = [&](std::int32_t axis) {
    terms_.push_back(
        {static_cast<std::int32_t>(axis * stride), static_cast<std::int32_t>(offsets_.size())});
  };
  // First the axes themselves, each a sum of one term, then the sums.
  for (std::int32_t a = 0; a < num_axes; ++a)
    terms_.push_back({static_cast<std::int32_t>(a * stride), 0});
  for (std::int32_t code = 0; code < 256; ++code) offsets_.push_back(code);
  std::vector<std::int32_t> begins;
  begins.reserve(tree.oblique.size() + 1);
  for (const std::vector<axis_offsets>& sum : tree.oblique) {
    begins.push_back(static_cast<std::int32_t>(terms_.size()));
    for (const axis_offsets& a : sum) {
      add_term(a.axis);
      offsets_.insert(offsets_.end(), a.offsets.begin(), a.offsets.end());
      offsets_.resize(offsets_.size() + 256 - a.offsets.size());
    }
  }
  begins.push_back(static_cast<std::int32_t>(terms_.size()));
  nodes_.reserve(tree.nodes.size());
  for (const zcmoe_tree_node& from : tree.nodes) {
    const bool plain = from.feature < num_axes;
    const auto k = static_cast<std::size_t>(plain ? 0 : from.feature - num_axes);
    nodes_.push_back({plain ? from.feature : begins[k], plain ? from.feature + 1 : begins[k + 1],
                      from.threshold, from.left, from.right});
  }
}

void sum_tree::look_up(const std::uint8_t* codes, std::int64_t, int count,
                       std::int32_t* constants) const {
  for (int k = 0; k < count; ++k) {
    std::int32_t at = 0;
    do {
      const node& own = nodes_[static_cast<std::size_t>(at)];
      std::int64_t sum = 0;
      for (std::int32_t t = own.first; t < own.last; ++t) {
        const term& one = terms_[static_cast<std::size_t>(t)];
        const std::int32_t place = one.offsets + codes[one.place + k];
        sum += offsets_[static_cast<std::size_t>(place)];
      }
      at = sum >= own.threshold ? own.right : own.left;
    } while (at >= 0);
    const std::int32_t leaf = ~at;
    constants[k] = constants_[static_cast<std::size_t>(leaf)];
  }
}

std::size_t sum_tree::bytes() const {
  return nodes_.size() * sizeof(node) + terms_.size() * sizeof(term) +
         (offsets_.size() + constants_.size()) * sizeof(std::int32_t);
}

}  // namespace zcmoe::detail
