#include "host/learning/trees.hpp"

#include "host/model/points_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t rows_per_part = 1 << 13;
constexpr std::int64_t most_parts_of_rows = 64;
// Less work than this many sums is not worth the threads.
constexpr std::int64_t least_shared_work = 1 << 16;
// Sums of so many axes stay in the first level of caches, and so do the codes of a row.
constexpr std::size_t axes_together = 16;
constexpr std::int64_t most_sums_of_parts = 1 << 22;
// The sums of a node with fewer rows are made again when its children need them.
constexpr std::int64_t least_rows_kept = 512;
constexpr std::size_t most_bytes_kept = std::size_t{1} << 28;
// Of sums that oblique trees compare; and their places, of which the sums of bins are made.
constexpr std::size_t most_sum_columns = 12;
constexpr std::int64_t bins_along = 1024;
// Noise that planes follow by chance, in variances for each of their numbers.
constexpr double chance_of_planes = 3.0;

// Of trees that are judged. Trees of 4,096 leaves still lie in the second level of caches.
constexpr std::int64_t most_leaves = 4096;
constexpr std::int64_t least_rows = 20;
constexpr std::int64_t least_rows_alone = 5;
// Where targets have next to no noise, leaves of fewer rows err far less. Little less is chance.
constexpr std::int64_t fewest_rows_alone = 2;
constexpr double far_less = 0.95;
// The part of what it explains that a tree leaves to those that follow it: they correct it.
constexpr double step_if_followed = 0.6;
const std::vector<double> tried_shrinkages = {0.0, 3.0, 10.0, 30.0, 100.0, 300.0};
// Leaves that lessen what remains of the squared error by less in all are not worth having.
constexpr double tolerance = 0.001;

/// A row that a tree grows from: its number among these and its target, less the mean of all,
/// scaled to 32 bits so that sums of 2^31 of them fit in 64.
struct tree_row {
  std::uint32_t row;
  std::int32_t target;
};

/// By weight: `count` of it, and the sum of targets times it.
struct row_sums {
  std::int64_t sum = 0;
  std::int64_t count = 0;
};

double mean_of(const row_sums& s) {
  return static_cast<double>(s.sum) / static_cast<double>(s.count);
}

/// What the squared error loses when rows get their mean instead of 0.
double explained_by(const row_sums& s) {
  return static_cast<double>(s.sum) * static_cast<double>(s.sum) / static_cast<double>(s.count);
}

struct code_cut {
  double gain = 0.0;
  std::int32_t axis = -1;  // -1: no cut helps
  std::int32_t threshold = 0;
};

struct tree_branch {
  row_sums rows;
  std::size_t first = 0;  // its rows are tree_rows first to last - 1
  std::size_t last = 0;
  code_cut cut;  // the best, whether it is made or not
  /// Of cuts along a sum that is made when the node is split: its step along each column, else
  /// empty.
  std::vector<double> slope;
  /// That of this cut, or of the last above it, that goes across the slope of a plane.
  std::vector<double> across;
  double urgency = 0.0;    // the greatest is split next
  std::int32_t left = -1;  // -1: a leaf
  std::int32_t right = -1;
  std::int32_t parent = -1;
  std::vector<row_sums> by_code;  // of every axis; empty: not kept
};

/// A tree with all the cuts that were worth trying, and an order among them: any first few of these
/// cuts are a tree, too. Node 0 is the root, and nodes follow their parents.
struct grown_tree {
  std::vector<tree_branch> nodes;
  std::int64_t num_rows = 0;
  std::vector<std::vector<axis_offsets>> sums;  // whose cuts have axes from num_axes on
  std::vector<std::int32_t> cuts;               // nodes with children
  std::vector<double> strengths;                // what each cut gains a leaf, falling
  double squares = 0.0;                         // about the mean of all
  std::int64_t centre = 0;                      // targets are (tree_row::target * 2^shift) + centre
  int shift = 0;
};

/// num_parts calls of body, on the threads if they have enough to do.
void share_out(const run_parts& run, std::int64_t num_parts, std::int64_t work,
               const std::function<void(std::int64_t)>& body) {
  if (num_parts > 1 && work >= least_shared_work) return run(num_parts, body);
  for (std::int64_t part = 0; part < num_parts; ++part) body(part);
}

std::int64_t parts_of(std::int64_t n, std::int64_t most = most_parts_of_rows) {
  return std::clamp<std::int64_t>(n / rows_per_part, 1, std::max<std::int64_t>(most, 1));
}

class tree_grower {
 public:
  tree_grower(const coded_rows& rows, row_choice train, const std::vector<std::int64_t>& targets,
              const run_parts& run, const axis_places* places)
      : rows_(rows), run_(run), places_(places) {
    slot_begin_.push_back(0);
    for (const std::int32_t slots : rows.num_slots)
      slot_begin_.push_back(slot_begin_.back() + static_cast<std::size_t>(slots));
    take(train, targets);
  }

  grown_tree grow(std::int64_t max_leaves, std::int64_t min_rows) {
    least_weight_ = rows_.weight_of_rows(std::max<std::int64_t>(min_rows, 1));
    tree_.nodes.resize(1);
    tree_branch& root = tree_.nodes[0];
    root.last = tree_rows_.size();
    unsigned __int128 squares = 0;
    for (const tree_row& r : tree_rows_) {
      const std::int64_t t = r.target;
      const std::int64_t weight = weight_of(r);
      root.rows.sum += weight * t;
      root.rows.count += weight;
      squares += static_cast<unsigned __int128>(t * t) * static_cast<std::uint64_t>(weight);
    }
    tree_.num_rows = static_cast<std::int64_t>(tree_rows_.size());
    tree_.squares = static_cast<double>(squares);
    if (!tree_rows_.empty()) tree_.squares -= explained_by(root.rows);
    if (places_ != nullptr) max_leaves = std::min(max_leaves, choose_columns());

    if (may_split(0)) look_for_cuts(0, -1, {});
    const auto less = [this](std::int32_t a, std::int32_t b) {
      const double urgency_a = node(a).urgency;
      const double urgency_b = node(b).urgency;
      return urgency_a != urgency_b ? urgency_a < urgency_b : a > b;
    };
    std::priority_queue<std::int32_t, std::vector<std::int32_t>, decltype(less)> waiting(less);
    const auto wait = [&](std::int32_t k) {
      if (node(k).cut.axis >= 0) waiting.push(k);
    };
    wait(0);
    for (std::int64_t leaves = 1; leaves < max_leaves && !waiting.empty(); ++leaves) {
      const std::int32_t k = waiting.top();
      waiting.pop();
      split(k);
      wait(node(k).left);
      wait(node(k).right);
    }
    order_cuts();
    return std::move(tree_);
  }

 private:
  tree_branch& node(std::int32_t k) { return tree_.nodes[static_cast<std::size_t>(k)]; }
  std::int64_t weight_of(const tree_row& r) const {
    return weights_.empty() ? 1 : std::int64_t{weights_[r.row]};
  }
  static std::int64_t num_rows_of(const tree_branch& b) {
    return static_cast<std::int64_t>(b.last - b.first);
  }

  void take(row_choice train, const std::vector<std::int64_t>& targets) {
    std::vector<std::uint32_t> chosen;
    chosen.reserve(static_cast<std::size_t>(rows_.n));
    __int128 sum = 0;
    std::int64_t weight = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows_.n); ++i) {
      if (!train.takes(rows_.part[i])) continue;
      chosen.push_back(static_cast<std::uint32_t>(i));
      sum += static_cast<__int128>(rows_.weight(i)) * targets[i];
      weight += rows_.weight(i);
    }
    if (weight == 0) return;
    if (!rows_.weights.empty()) {
      weights_.reserve(chosen.size());
      for (const std::uint32_t i : chosen) weights_.push_back(rows_.weights[i]);
    }
    tree_.centre = static_cast<std::int64_t>(sum / weight);
    const auto off = [&](std::size_t i) { return targets[i] - tree_.centre; };
    std::int64_t farthest = 0;
    for (const std::uint32_t i : chosen) farthest = std::max(farthest, std::abs(off(i)));
    while ((farthest >> tree_.shift) >= (std::int64_t{1} << 31) - 1) ++tree_.shift;
    const std::int64_t half = tree_.shift > 0 ? std::int64_t{1} << (tree_.shift - 1) : 0;
    tree_rows_.resize(chosen.size());
    moved_.resize(chosen.size());
    codes_.resize(chosen.size() * num_axes());
    share_out(run_, parts_of(static_cast<std::int64_t>(chosen.size())),
              static_cast<std::int64_t>(codes_.size()), [&](std::int64_t part) {
                const auto parts =
                    static_cast<std::size_t>(parts_of(static_cast<std::int64_t>(chosen.size())));
                const auto p = static_cast<std::size_t>(part);
                const std::size_t last = chosen.size() * (p + 1) / parts;
                for (std::size_t i = chosen.size() * p / parts; i < last; ++i) {
                  tree_rows_[i] = {
                      static_cast<std::uint32_t>(i),
                      static_cast<std::int32_t>((off(chosen[i]) + half) >> tree_.shift)};
                  for (std::size_t a = 0; a < num_axes(); ++a)
                    codes_[i * num_axes() + a] = rows_.codes_of(static_cast<int>(a))[chosen[i]];
                }
              });
  }

  std::size_t num_axes() const { return rows_.num_slots.size(); }

  bool may_split(std::int32_t k) { return node(k).rows.count >= 2 * least_weight_; }

  /// Adds rows to the sums of the axes `axis` to `end` - 1.
  void add_rows(std::size_t axis, std::size_t end, std::size_t first, std::size_t last,
                row_sums* sums) const {
    weights_.empty() ? add_rows_of<false>(axis, end, first, last, sums)
                     : add_rows_of<true>(axis, end, first, last, sums);
  }
  template <bool weighted>
  void add_rows_of(std::size_t axis, std::size_t end, std::size_t first, std::size_t last,
                   row_sums* sums) const {
    constexpr std::size_t ahead = 16;
    const std::uint8_t* codes = codes_.data();
    for (std::size_t i = first; i < last; ++i) {
      if (i + ahead < last)
        __builtin_prefetch(codes + std::size_t{tree_rows_[i + ahead].row} * num_axes() + axis);
      const std::uint8_t* of_row = codes + std::size_t{tree_rows_[i].row} * num_axes();
      const std::int64_t weight = weighted ? std::int64_t{weights_[tree_rows_[i].row]} : 1;
      const std::int64_t target = weight * tree_rows_[i].target;
      for (std::size_t a = axis; a < end; ++a) {
        row_sums& of = sums[slot_begin_[a] + of_row[a]];
        of.sum += target;
        of.count += weight;
      }
    }
  }

  /// Finds the best cut of a node from sums over its rows; and that of its sibling, if there is
  /// one, from the sums of their parent less these.
  void look_for_cuts(std::int32_t k, std::int32_t sibling, std::vector<row_sums> of_parent) {
    const std::size_t slots = slot_begin_.back();
    const std::size_t first = node(k).first;
    const std::size_t n = node(k).last - first;
    const auto parts = static_cast<std::size_t>(parts_of(
        static_cast<std::int64_t>(n),
        std::min(most_parts_of_rows, most_sums_of_parts / static_cast<std::int64_t>(slots + 1))));
    const std::size_t blocks = (num_axes() + axes_together - 1) / axes_together;
    std::vector<row_sums> sums(parts * slots);
    share_out(run_, static_cast<std::int64_t>(parts * blocks),
              static_cast<std::int64_t>(n * num_axes()), [&](std::int64_t task) {
                const std::size_t part = static_cast<std::size_t>(task) / blocks;
                const std::size_t axis = static_cast<std::size_t>(task) % blocks * axes_together;
                add_rows(axis, std::min(axis + axes_together, num_axes()), first + n * part / parts,
                         first + n * (part + 1) / parts, sums.data() + part * slots);
              });
    std::vector<code_cut> cuts(num_axes());
    std::vector<code_cut> sibling_cuts(num_axes());
    share_out(run_, static_cast<std::int64_t>(num_axes()),
              static_cast<std::int64_t>((parts + 4) * slots), [&](std::int64_t task) {
                const auto axis = static_cast<std::size_t>(task);
                row_sums* own = sums.data() + slot_begin_[axis];
                const std::size_t of_axis = slot_begin_[axis + 1] - slot_begin_[axis];
                for (std::size_t part = 1; part < parts; ++part) {
                  const row_sums* other = own + part * slots;
                  for (std::size_t c = 0; c < of_axis; ++c) {
                    own[c].sum += other[c].sum;
                    own[c].count += other[c].count;
                  }
                }
                cuts[axis] = best_cut(k, axis, own);
                if (sibling < 0) return;
                row_sums* rest = of_parent.data() + slot_begin_[axis];
                for (std::size_t c = 0; c < of_axis; ++c) {
                  rest[c].sum -= own[c].sum;
                  rest[c].count -= own[c].count;
                }
                sibling_cuts[axis] = best_cut(sibling, axis, rest);
              });
    sums.resize(slots);
    sums.shrink_to_fit();
    finish(k, cuts, std::move(sums));
    if (sibling >= 0) finish(sibling, sibling_cuts, std::move(of_parent));
  }

  code_cut best_cut(std::int32_t k, std::size_t axis, const row_sums* by_code) {
    return best_cut(k, axis, by_code, slot_begin_[axis + 1] - slot_begin_[axis]);
  }
  code_cut best_cut(std::int32_t k, std::size_t axis, const row_sums* by_code, std::size_t size) {
    if (!may_split(k)) return {};
    // Sums are below 2^31 times the weight of rows.
    if (node(k).rows.count < 1 << 16) return best_cut_in<std::int64_t>(k, axis, by_code, size);
    return best_cut_in<__int128>(k, axis, by_code, size);
  }

  /// Wide holds the weight of rows times a sum.
  template <class Wide>
  code_cut best_cut_in(std::int32_t k, std::size_t axis, const row_sums* by_code,
                       std::size_t size) {
    code_cut best;
    const row_sums all = node(k).rows;
    const auto slots = static_cast<std::int32_t>(size);
    row_sums left;
    std::int32_t last_seen = 0;  // the greatest code to the left that has rows
    for (std::int32_t code = 0; code < slots; ++code) {
      const row_sums& of = by_code[code];
      if (of.count == 0) continue;
      const std::int64_t right = all.count - left.count;
      if (right < least_weight_) break;
      if (left.count >= least_weight_) {
        // left^2 / n_left + right^2 / n_right - all^2 / n = (n left - n_left all)^2 / (n n_left
        // n_right), whose difference is exact: equal means gain nothing, equal cuts the same.
        const Wide apart =
            static_cast<Wide>(left.sum) * all.count - static_cast<Wide>(all.sum) * left.count;
        const auto d = static_cast<double>(apart);
        const double gain = d * d / (static_cast<double>(left.count) * static_cast<double>(right));
        // In the middle of codes without rows.
        if (gain > best.gain)
          best = {gain, static_cast<std::int32_t>(axis), last_seen + (code - last_seen + 1) / 2};
      }
      left.sum += of.sum;
      left.count += of.count;
      last_seen = code;
    }
    best.gain /= static_cast<double>(all.count);
    return best;
  }

  void finish(std::int32_t k, const std::vector<code_cut>& cuts, std::vector<row_sums> sums) {
    tree_branch& to = node(k);
    for (const code_cut& c : cuts) {
      if (c.gain > to.cut.gain) to.cut = c;
    }
    to.urgency = to.cut.gain;
    if (places_ != nullptr) {
      if (to.parent >= 0) to.across = node(to.parent).across;
      look_along_planes(k);
    }
    if (to.cut.axis < 0 || num_rows_of(to) < least_rows_kept) return;
    const std::size_t bytes = sums.size() * sizeof(row_sums);
    if (bytes_kept_ + bytes > most_bytes_kept) return;
    bytes_kept_ += bytes;
    to.by_code = std::move(sums);
  }

  void split(std::int32_t k) {
    const auto left = static_cast<std::int32_t>(tree_.nodes.size());
    const std::int32_t right = left + 1;
    tree_.nodes.resize(tree_.nodes.size() + 2);
    tree_branch& of = node(k);
    if (!of.slope.empty()) {
      of.cut.axis = static_cast<std::int32_t>(num_axes() + tree_.sums.size());
      tree_.sums.push_back(offsets_along(of.slope, columns_, *places_));
      of.slope = {};
    }
    of.left = left;
    of.right = right;
    const std::size_t middle = part_rows(of);
    node(left).parent = node(right).parent = k;
    node(left).first = of.first;
    node(left).last = node(right).first = middle;
    node(right).last = of.last;
    row_sums& sums = node(left).rows;
    for (std::size_t i = of.first; i < middle; ++i) {
      const std::int64_t weight = weight_of(tree_rows_[i]);
      sums.sum += weight * tree_rows_[i].target;
      sums.count += weight;
    }
    node(right).rows = {of.rows.sum - sums.sum, of.rows.count - sums.count};

    std::vector<row_sums> kept;
    kept.swap(of.by_code);
    bytes_kept_ -= kept.size() * sizeof(row_sums);
    const bool left_is_less = num_rows_of(node(left)) <= num_rows_of(node(right));
    const std::int32_t less = left_is_less ? left : right;
    const std::int32_t more = left_is_less ? right : left;
    if (!may_split(more)) return;
    if (!kept.empty()) return look_for_cuts(less, more, std::move(kept));
    look_for_cuts(more, -1, {});
    if (may_split(less)) look_for_cuts(less, -1, {});
  }

  // ---------------------------------------------------------------- sums of axes

  /// Chooses the columns that sums are made of, those that explain most by themselves, and writes
  /// down where rows lie along them. Returns the most leaves that a tree of such sums may have.
  std::int64_t choose_columns() {
    const std::size_t slots = slot_begin_.back();
    std::vector<row_sums> sums(slots);
    add_rows(0, num_axes(), 0, tree_rows_.size(), sums.data());
    std::vector<double> explained(static_cast<std::size_t>(places_->num_columns), 0.0);
    for (std::size_t a = 0; a < num_axes(); ++a) {
      double by_axis = 0.0;
      for (std::size_t c = slot_begin_[a]; c < slot_begin_[a + 1]; ++c)
        by_axis += sums[c].count > 0 ? explained_by(sums[c]) : 0.0;
      double& most = explained[static_cast<std::size_t>(places_->column[a])];
      most = std::max(most, by_axis);
    }
    columns_.resize(explained.size());
    std::iota(columns_.begin(), columns_.end(), 0);
    std::stable_sort(columns_.begin(), columns_.end(), [&](std::int32_t a, std::int32_t b) {
      return explained[static_cast<std::size_t>(a)] > explained[static_cast<std::size_t>(b)];
    });
    columns_.resize(std::min(columns_.size(), most_sum_columns));
    std::sort(columns_.begin(), columns_.end());
    const std::size_t d = columns_.size();
    row_places_.assign(tree_rows_.size() * d, 0);
    std::int64_t addends = 1;
    for (std::size_t a = 0; a < num_axes(); ++a) {
      const auto found = std::find(columns_.begin(), columns_.end(), places_->column[a]);
      if (found == columns_.end()) continue;
      ++addends;
      std::int32_t* to = row_places_.data() + (found - columns_.begin());
      const std::int32_t* places = places_->places[a].data();
      for (std::size_t i = 0; i < tree_rows_.size(); ++i)
        to[i * d] += places[codes_[i * num_axes() + a]];
    }
    return max_addends / addends;
  }

  std::int32_t feature_of(const tree_row& row, std::int32_t feature) const {
    const std::uint8_t* codes = codes_.data() + std::size_t{row.row} * num_axes();
    const auto axis = static_cast<std::size_t>(feature);
    if (axis < num_axes()) return codes[axis];
    return added(tree_.sums[axis - num_axes()], row);
  }
  std::int32_t added(const std::vector<axis_offsets>& sum, const tree_row& row) const {
    const std::uint8_t* codes = codes_.data() + std::size_t{row.row} * num_axes();
    std::int32_t total = 0;
    for (const axis_offsets& a : sum) total += a.offsets[codes[static_cast<std::size_t>(a.axis)]];
    return total;
  }

  /// body(part, first row, last row) for the rows of a node; part < the number returned.
  template <class Body>
  void for_parts_of(const tree_branch& of, std::int64_t work_of_row, const Body& body) const {
    const std::size_t n = of.last - of.first;
    const auto parts = static_cast<std::size_t>(parts_of(static_cast<std::int64_t>(n)));
    share_out(run_, static_cast<std::int64_t>(parts), static_cast<std::int64_t>(n) * work_of_row,
              [&](std::int64_t part) {
                const auto p = static_cast<std::size_t>(part);
                body(p, of.first + n * p / parts, of.first + n * (p + 1) / parts);
              });
  }

  const std::int32_t* places_of_row(std::size_t i) const {
    return row_places_.data() + std::size_t{tree_rows_[i].row} * columns_.size();
  }

  plane_sums plane_of(const tree_branch& of) const {
    std::vector<plane_sums> parts(static_cast<std::size_t>(parts_of(num_rows_of(of))),
                                  plane_sums(columns_.size()));
    for_parts_of(of, 64, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i)
        parts[part].add(places_of_row(i), tree_rows_[i].target, weight_of(tree_rows_[i]));
    });
    for (std::size_t part = 1; part < parts.size(); ++part) parts[0] += parts[part];
    return std::move(parts[0]);
  }

  /// Cuts across the slope of the node, or that of the last cut above it that was made so, where
  /// this gains more than any cut of an axis. Where more is left beside the plane than such a cut
  /// gains, the node is bent: it is halved where two planes leave least, so that its halves have
  /// slopes of their own. Otherwise trees stall where a cut gains nothing by itself (saddles,
  /// hills).
  void look_along_planes(std::int32_t k) {
    tree_branch& of = node(k);
    const std::size_t d = columns_.size();
    if (!may_split(k) || d == 0 || num_rows_of(of) < static_cast<std::int64_t>(2 * (d + 1))) return;
    const plane_sums all = plane_of(of);
    const plane_sums::plane plane = all.fitted();
    std::vector<std::vector<double>> slopes = {plane.slope};
    const std::int32_t parent = of.parent;
    if (parent >= 0 && !node(parent).across.empty()) slopes.push_back(node(parent).across);
    for (const std::vector<double>& slope : slopes) look_across(k, slope);
    if (plane.left <= of.urgency) return;
    for (std::size_t c = 0; c < d; ++c) {
      slopes.emplace_back(d, 0.0);
      slopes.back()[c] = 1.0;
    }
    for (const std::vector<double>& slope : slopes) look_for_bend(k, slope, all, plane.left);
  }

  /// What a sum along a slope is for the rows of a node. Empty: the slope is level.
  std::vector<std::int32_t> sums_along(const tree_branch& of, const std::vector<double>& slope) {
    const std::vector<axis_offsets> sum = offsets_along(slope, columns_, *places_);
    if (sum.empty()) return {};
    std::vector<std::int32_t> along(of.last - of.first);
    for_parts_of(of, static_cast<std::int64_t>(sum.size()),
                 [&](std::size_t, std::size_t first, std::size_t last) {
                   for (std::size_t i = first; i < last; ++i)
                     along[i - of.first] = added(sum, tree_rows_[i]);
                 });
    return along;
  }

  void look_across(std::int32_t k, const std::vector<double>& slope) {
    tree_branch& of = node(k);
    const std::vector<std::int32_t> along = sums_along(of, slope);
    if (along.empty()) return;
    const auto [least, most] = std::minmax_element(along.begin(), along.end());
    const std::int64_t bins = std::min(bins_along, static_cast<std::int64_t>(along.size()));
    const std::int64_t start = *least;
    const std::int64_t width = (*most - start) / bins + 1;
    std::vector<row_sums> by_bin(static_cast<std::size_t>(bins));
    for (std::size_t i = 0; i < along.size(); ++i) {
      row_sums& bin = by_bin[static_cast<std::size_t>((along[i] - start) / width)];
      const tree_row& row = tree_rows_[of.first + i];
      bin.sum += weight_of(row) * row.target;
      bin.count += weight_of(row);
    }
    const code_cut cut = best_cut(k, num_axes(), by_bin.data(), by_bin.size());
    if (!(cut.gain > of.cut.gain)) return;
    of.cut = {cut.gain, static_cast<std::int32_t>(num_axes()),
              static_cast<std::int32_t>(start + cut.threshold * width)};
    of.urgency = cut.gain;
    of.slope = of.across = slope;
  }

  void look_for_bend(std::int32_t k, const std::vector<double>& slope, const plane_sums& all,
                     double left_by_one) {
    tree_branch& of = node(k);
    const std::vector<std::int32_t> along = sums_along(of, slope);
    if (along.empty()) return;
    const std::int64_t sum = std::accumulate(along.begin(), along.end(), std::int64_t{0});
    const std::int64_t middle = sum / num_rows_of(of);
    std::vector<plane_sums> parts(static_cast<std::size_t>(parts_of(num_rows_of(of))),
                                  plane_sums(columns_.size()));
    for_parts_of(of, 64, [&](std::size_t part, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        if (along[i - of.first] >= middle) continue;
        parts[part].add(places_of_row(i), tree_rows_[i].target, weight_of(tree_rows_[i]));
      }
    });
    for (std::size_t part = 1; part < parts.size(); ++part) parts[0] += parts[part];
    const plane_sums& left = parts[0];
    const plane_sums right = all - left;
    if (left.count() < least_weight_ || right.count() < least_weight_) return;
    const auto numbers = static_cast<double>(columns_.size() + 1);
    const double noise = left_by_one / (static_cast<double>(num_rows_of(of)) - numbers) /
                         rows_.weight_of_row * rows_.weight_of_noise;
    const double gain =
        left_by_one - left.fitted().left - right.fitted().left - chance_of_planes * numbers * noise;
    if (!(gain > of.urgency)) return;
    const double apart =
        mean_of({left.sum(), left.count()}) - mean_of({right.sum(), right.count()});
    of.cut = {apart * apart * static_cast<double>(left.count()) *
                  static_cast<double>(right.count()) / static_cast<double>(of.rows.count),
              static_cast<std::int32_t>(num_axes()), static_cast<std::int32_t>(middle)};
    of.urgency = gain;
    of.slope = slope;
    of.across = of.parent >= 0 ? node(of.parent).across : std::vector<double>();
  }

  /// Brings the rows of the left side to the front; returns where the others begin.
  std::size_t part_rows(const tree_branch& of) {
    const std::int32_t threshold = of.cut.threshold;
    const std::size_t n = of.last - of.first;
    const std::int64_t parts = parts_of(static_cast<std::int64_t>(n));
    std::vector<std::size_t> lefts(static_cast<std::size_t>(parts) + 1, 0);
    const auto bound = [&](std::int64_t part) {
      return of.first + n * static_cast<std::size_t>(part) / static_cast<std::size_t>(parts);
    };
    // Within its own part each thread puts left rows first and right rows last, in reverse ...
    share_out(run_, parts, static_cast<std::int64_t>(n), [&](std::int64_t part) {
      std::size_t to_left = bound(part);
      std::size_t to_right = bound(part + 1);
      for (std::size_t i = bound(part); i < bound(part + 1); ++i) {
        const tree_row r = tree_rows_[i];
        const bool goes_right = feature_of(r, of.cut.axis) >= threshold;
        moved_[to_left] = r;
        moved_[to_right - 1] = r;
        to_left += goes_right ? 0 : 1;
        to_right -= goes_right ? 1 : 0;
      }
      lefts[static_cast<std::size_t>(part) + 1] = to_left - bound(part);
    });
    for (std::size_t p = 0; p < static_cast<std::size_t>(parts); ++p) lefts[p + 1] += lefts[p];
    const std::size_t middle = of.first + lefts.back();
    // ... then the parts are joined.
    share_out(run_, parts, static_cast<std::int64_t>(n), [&](std::int64_t part) {
      const auto p = static_cast<std::size_t>(part);
      const std::size_t own_lefts = lefts[p + 1] - lefts[p];
      const auto from = moved_.begin() + static_cast<std::ptrdiff_t>(bound(part));
      const auto split_at = from + static_cast<std::ptrdiff_t>(own_lefts);
      const auto to = moved_.begin() + static_cast<std::ptrdiff_t>(bound(part + 1));
      std::copy(from, split_at,
                tree_rows_.begin() + static_cast<std::ptrdiff_t>(of.first + lefts[p]));
      std::reverse_copy(split_at, to,
                        tree_rows_.begin() + static_cast<std::ptrdiff_t>(middle + bound(part) -
                                                                         of.first - lefts[p]));
    });
    return middle;
  }

  /// The strength of a cut is the penalty a leaf at which pruning takes it away: at any penalty the
  /// cuts that are stronger make the best subtree. Weakest links first.
  void order_cuts() {
    const std::size_t n = tree_.nodes.size();
    std::vector<double> gain(n, 0.0);       // of the cuts that are left below and at a node
    std::vector<std::int64_t> count(n, 0);  // of those cuts
    std::vector<double> strength(n, -1.0);  // -1: not taken away yet
    for (std::size_t k = n; k-- > 0;) {
      const tree_branch& b = tree_.nodes[k];
      if (b.left < 0) continue;
      const auto l = static_cast<std::size_t>(b.left);
      const auto r = static_cast<std::size_t>(b.right);
      gain[k] = b.cut.gain + gain[l] + gain[r];
      count[k] = 1 + count[l] + count[r];
      tree_.cuts.push_back(static_cast<std::int32_t>(k));
    }
    using link = std::pair<double, std::int32_t>;
    std::priority_queue<link, std::vector<link>, std::greater<>> links;
    const auto push = [&](std::int32_t k) {
      const auto at = static_cast<std::size_t>(k);
      links.emplace(gain[at] / static_cast<double>(count[at]), k);
    };
    for (const std::int32_t k : tree_.cuts) push(k);
    double floor = 0.0;
    std::vector<std::int32_t> below;
    while (!links.empty()) {
      const link weakest = links.top();
      links.pop();
      const auto k = static_cast<std::size_t>(weakest.second);
      if (strength[k] >= 0.0 || weakest.first != gain[k] / static_cast<double>(count[k])) continue;
      floor = std::max(floor, weakest.first);
      const double lost = gain[k];
      const std::int64_t lost_cuts = count[k];
      below.assign(1, weakest.second);
      while (!below.empty()) {
        const std::int32_t b = below.back();
        below.pop_back();
        if (node(b).left < 0 || strength[static_cast<std::size_t>(b)] >= 0.0) continue;
        strength[static_cast<std::size_t>(b)] = floor;
        below.push_back(node(b).left);
        below.push_back(node(b).right);
      }
      gain[k] = 0.0;
      count[k] = 0;
      for (std::int32_t up = node(weakest.second).parent; up >= 0; up = node(up).parent) {
        gain[static_cast<std::size_t>(up)] -= lost;
        count[static_cast<std::size_t>(up)] -= lost_cuts;
        push(up);
      }
    }
    std::sort(tree_.cuts.begin(), tree_.cuts.end(), [&](std::int32_t a, std::int32_t b) {
      const double strength_a = strength[static_cast<std::size_t>(a)];
      const double strength_b = strength[static_cast<std::size_t>(b)];
      return strength_a != strength_b ? strength_a > strength_b : a < b;
    });
    tree_.strengths.reserve(tree_.cuts.size());
    for (const std::int32_t k : tree_.cuts)
      tree_.strengths.push_back(strength[static_cast<std::size_t>(k)]);
  }

  const coded_rows& rows_;
  const run_parts& run_;
  std::int64_t least_weight_ = 1;        // of leaves
  std::vector<std::size_t> slot_begin_;  // of each axis among the sums of a node
  std::vector<std::uint8_t> codes_;      // of the rows of the tree, together for each row
  std::vector<std::uint32_t> weights_;   // of these rows; empty: 1 each
  std::vector<tree_row> tree_rows_;      // those of a node are together
  std::vector<tree_row> moved_;
  std::size_t bytes_kept_ = 0;
  const axis_places* places_;             // null: no sums
  std::vector<std::int32_t> columns_;     // that sums are made of
  std::vector<std::int32_t> row_places_;  // along these, together for each row of codes_
  grown_tree tree_;
};

/// What each node predicts, in units of targets: each cut's effect is shrunk.
std::vector<double> values_of(const grown_tree& tree, double shrinkage, const coded_rows& rows) {
  std::vector<double> values(tree.nodes.size(), 0.0);
  if (tree.nodes[0].rows.count == 0) return values;
  const double unit = std::ldexp(1.0, tree.shift);
  values[0] = static_cast<double>(tree.centre) + unit * mean_of(tree.nodes[0].rows);
  for (std::size_t k = 0; k < tree.nodes.size(); ++k) {
    const tree_branch& b = tree.nodes[k];
    if (b.left < 0) continue;
    const auto n = static_cast<double>(b.rows.count);
    const double share = unit * (n / (n + shrinkage * rows.weight_of_row));
    for (const std::int32_t child : {b.left, b.right}) {
      const auto at = static_cast<std::size_t>(child);
      values[at] = values[k] + share * (mean_of(tree.nodes[at].rows) - mean_of(b.rows));
    }
  }
  return values;
}

std::int32_t constant_of(double value, const coded_rows& rows) {
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(
      std::llround(std::clamp(std::ldexp(value, -rows.constant_shift), -most, most)));
}

/// The tree with the first num_cuts cuts.
bank bank_of(const grown_tree& tree, std::size_t num_cuts, const std::vector<double>& values,
             double step, const coded_rows& rows) {
  std::vector<bool> is_cut(tree.nodes.size(), false);
  for (std::size_t i = 0; i < num_cuts; ++i) is_cut[static_cast<std::size_t>(tree.cuts[i])] = true;
  bank made;
  made.nodes.reserve(num_cuts);
  made.constants.reserve(num_cuts + 1);
  // Each entry is a node of the tree and where its number goes: side 0 or 1 of a node of the bank.
  struct place {
    std::int32_t node;
    std::int32_t above;
    bool right;
  };
  std::vector<place> ahead = {{0, -1, false}};
  while (!ahead.empty()) {
    const place at = ahead.back();
    ahead.pop_back();
    const auto k = static_cast<std::size_t>(at.node);
    std::int32_t number = 0;
    if (is_cut[k]) {
      const tree_branch& b = tree.nodes[k];
      number = static_cast<std::int32_t>(made.nodes.size());
      std::int32_t feature = b.cut.axis;
      if (feature >= rows.num_axes()) {
        const auto sum = static_cast<std::size_t>(feature - rows.num_axes());
        feature = static_cast<std::int32_t>(rows.num_axes() + made.oblique.size());
        made.oblique.push_back(tree.sums[sum]);
      }
      made.nodes.push_back({feature, b.cut.threshold, 0, 0});
      ahead.push_back({b.right, number, true});
      ahead.push_back({b.left, number, false});
    } else {
      number = ~static_cast<std::int32_t>(made.constants.size());
      made.constants.push_back(constant_of(step * values[k], rows));
    }
    if (at.above < 0) continue;
    zcmoe_tree_node& above = made.nodes[static_cast<std::size_t>(at.above)];
    (at.right ? above.right : above.left) = number;
  }
  return made;
}

/// How many cuts gain more than penalty * noise, which is estimated from the leaves that they make.
std::size_t cuts_worth(const grown_tree& tree, double penalty, const coded_rows& rows) {
  if (penalty <= 0.0) return tree.cuts.size();
  const auto n = static_cast<double>(tree.num_rows);
  const double by_chance = penalty * (rows.weight_of_noise / rows.weight_of_row);
  double squares = tree.squares;
  for (const std::int32_t k : tree.cuts)
    squares -= tree.nodes[static_cast<std::size_t>(k)].cut.gain;
  std::size_t num_cuts = tree.cuts.size();
  while (num_cuts > 0) {
    const double freedom = n - static_cast<double>(num_cuts) - 1.0;
    if (freedom > 0.0 && tree.strengths[num_cuts - 1] > by_chance * (squares / freedom)) break;
    --num_cuts;
    squares += tree.nodes[static_cast<std::size_t>(tree.cuts[num_cuts])].cut.gain;
  }
  return num_cuts;
}

/// The numbers of cuts, up to all, whose trees fit; in steps where there are many. A tree without
/// cuts is a number, and fits.
std::vector<std::size_t> which_fit(const grown_tree& tree, std::size_t most, const coded_rows& rows,
                                   const model_room& room) {
  std::vector<std::size_t> fit(1, 0);
  const std::vector<double> values(tree.nodes.size(), 0.0);
  for (std::size_t k = 1; k <= most && room.is_limited();
       k = k == most ? most + 1 : std::min(most, k + 1 + k / 16)) {
    model_cost cost = room.cost_of(bank_of(tree, k, values, 1.0, rows));
    if (room.leaves_are_segments())
      cost += cost_of_segments(static_cast<std::int64_t>(k) + 1, false);
    if (room.takes(cost)) fit.push_back(k);
  }
  for (std::size_t k = 1; k <= most && !room.is_limited(); ++k) fit.push_back(k);
  return fit;
}

/// The child of a grown tree's leaf that a row reaches.
std::size_t leaf_of(const grown_tree& tree, const coded_rows& rows, std::int64_t i) {
  std::int32_t at = 0;
  for (;;) {
    const tree_branch& b = tree.nodes[static_cast<std::size_t>(at)];
    if (b.left < 0) return static_cast<std::size_t>(at);
    std::int32_t feature = 0;
    if (b.cut.axis < rows.num_axes()) {
      feature = rows.codes_of(b.cut.axis)[i];
    } else {
      for (const axis_offsets& a :
           tree.sums[static_cast<std::size_t>(b.cut.axis - rows.num_axes())])
        feature += a.offsets[rows.codes_of(a.axis)[i]];
    }
    at = feature >= b.cut.threshold ? b.right : b.left;
  }
}

/// Adds `times` the answers of a tree to the residuals of all rows.
void add(std::int64_t times, const bank& tree, const coded_rows& rows,
         std::vector<std::int64_t>& residuals, const run_parts& run) {
  const std::int64_t unit = times * (std::int64_t{1} << rows.constant_shift);
  const std::int64_t parts = (rows.n + rows_per_part - 1) / rows_per_part;
  run(parts, [&](std::int64_t part) {
    const std::int64_t last = std::min(rows.n, (part + 1) * rows_per_part);
    for (std::int64_t i = part * rows_per_part; i < last; ++i) {
      std::int32_t at = tree.is_tree() ? 0 : ~0;
      while (at >= 0) {
        const zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(at)];
        at = rows.codes_of(node.feature)[i] >= node.threshold ? node.right : node.left;
      }
      const std::int32_t leaf = ~at;
      residuals[static_cast<std::size_t>(i)] +=
          unit * tree.constants[static_cast<std::size_t>(leaf)];
    }
  });
}

/// The sums of targets of other rows by the node of a tree that they reach.
std::vector<row_sums> held_out_sums(const grown_tree& tree, const coded_rows& rows,
                                    row_choice judges, const std::vector<std::int64_t>& targets,
                                    const run_parts& run) {
  const auto nodes = static_cast<std::int64_t>(tree.nodes.size());
  const std::int64_t parts =
      parts_of(rows.n, std::clamp<std::int64_t>(most_sums_of_parts / nodes, 1, most_parts_of_rows));
  std::vector<std::vector<row_sums>> of_parts(static_cast<std::size_t>(parts));
  run(parts, [&](std::int64_t part) {
    std::vector<row_sums>& sums = of_parts[static_cast<std::size_t>(part)];
    sums.resize(tree.nodes.size());
    const std::int64_t last =
        rows.n / parts * (part + 1) + (part + 1 == parts ? rows.n % parts : 0);
    for (std::int64_t i = rows.n / parts * part; i < last; ++i) {
      if (!judges.takes(rows.part[static_cast<std::size_t>(i)])) continue;
      row_sums& of = sums[leaf_of(tree, rows, i)];
      const std::int64_t weight = rows.weight(static_cast<std::size_t>(i));
      of.sum += weight * targets[static_cast<std::size_t>(i)];
      of.count += weight;
    }
  });
  std::vector<row_sums> sums(tree.nodes.size());
  for (std::size_t k = sums.size(); k-- > 0;) {
    for (const std::vector<row_sums>& of_part : of_parts) {
      sums[k].sum += of_part[k].sum;
      sums[k].count += of_part[k].count;
    }
    const std::int32_t parent = tree.nodes[k].parent;
    if (parent < 0) continue;
    sums[static_cast<std::size_t>(parent)].sum += sums[k].sum;
    sums[static_cast<std::size_t>(parent)].count += sums[k].count;
  }
  return sums;
}

/// The sum of the squares of the targets of other rows.
double held_out_squares(const coded_rows& rows, row_choice judges,
                        const std::vector<std::int64_t>& targets) {
  unsigned __int128 squares = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!judges.takes(rows.part[i])) continue;
    const auto size = static_cast<unsigned __int128>(std::abs(targets[i]));
    squares += size * size * static_cast<std::uint64_t>(rows.weight(i));
  }
  return static_cast<double>(squares);
}

/// A tree grown from some rows and tried on others.
class judged_tree {
 public:
  judged_tree(const coded_rows& rows, row_choice train, std::int64_t max_leaves,
              std::int64_t min_rows, const std::vector<std::int64_t>& targets, const run_parts& run,
              const model_room& room, const axis_places* places = nullptr)
      : rows_(rows),
        tree_(tree_grower(rows, train, targets, run, places).grow(max_leaves, min_rows)) {
    tried_.grown_leaves = max_leaves;
    tried_.min_rows = min_rows;
    tried_.places = places;
    const row_choice judges = {train.held_out, !train.the_part};
    held_out_ = held_out_sums(tree_, rows, judges, targets, run);
    squares_ = held_out_squares(rows, judges, targets);
    fit_ = which_fit(tree_, tree_.cuts.size(), rows, room);
  }

  struct verdict {
    tree_options options;
    double gain;  // how much less the squared error is than without a tree
    double left;  // of the squared error
  };
  /// The options of the tree with the least error, one of fewer leaves being preferred where it is
  /// hardly worse. The gain is 0 where no tree helps.
  verdict best(double step, const std::vector<double>& shrinkages) const {
    verdict of_all{tried_, 0.0, squares_};
    of_all.options.max_leaves = 1;
    of_all.options.step = step;
    std::vector<double> gains;
    for (const double shrinkage : shrinkages) {
      gains_of_cuts(values_of(tree_, shrinkage, rows_), step, gains);
      double most = gains[0];
      for (const std::size_t k : fit_) most = std::max(most, gains[k]);
      const double enough = most - tolerance * std::max(squares_ - most, 0.0);
      const std::size_t num_cuts = *std::find_if(fit_.begin(), fit_.end(),
                                                 [&](std::size_t k) { return gains[k] >= enough; });
      if (num_cuts == 0 || gains[num_cuts] <= of_all.gain) continue;
      of_all.options.max_leaves = static_cast<std::int64_t>(num_cuts) + 1;
      of_all.options.shrinkage = shrinkage;
      of_all.gain = gains[num_cuts];
      of_all.left = squares_ - of_all.gain;
    }
    return of_all;
  }

  bank made(const tree_options& options) const {
    return bank_of(tree_, static_cast<std::size_t>(options.max_leaves - 1),
                   values_of(tree_, options.shrinkage, rows_), options.step, rows_);
  }

 private:
  /// The gain of the tree with the first 0, 1, 2, ... cuts.
  void gains_of_cuts(const std::vector<double>& values, double step,
                     std::vector<double>& gains) const {
    const auto gain_of = [&](std::int32_t k) {
      const auto at = static_cast<std::size_t>(k);
      const double value = step * values[at];
      return value * (2.0 * static_cast<double>(held_out_[at].sum) -
                      value * static_cast<double>(held_out_[at].count));
    };
    gains.assign(1, gain_of(0));
    gains.reserve(tree_.cuts.size() + 1);
    for (const std::int32_t k : tree_.cuts) {
      const tree_branch& b = tree_.nodes[static_cast<std::size_t>(k)];
      gains.push_back(gains.back() + (gain_of(b.left) + gain_of(b.right) - gain_of(k)));
    }
  }

  const coded_rows& rows_;
  tree_options tried_{1};
  grown_tree tree_;
  std::vector<row_sums> held_out_;  // by node
  double squares_;
  std::vector<std::size_t> fit_;  // numbers of cuts
};

}  // namespace

bank learn_tree(const coded_rows& rows, row_choice train, const std::vector<std::int64_t>& targets,
                const tree_options& options, const run_parts& run, const model_room& room) {
  const std::int64_t grown = std::max(options.grown_leaves, options.max_leaves);
  const grown_tree tree =
      tree_grower(rows, train, targets, run, options.places).grow(grown, options.min_rows);
  const std::size_t most_cuts = std::min(cuts_worth(tree, options.penalty, rows),
                                         static_cast<std::size_t>(options.max_leaves - 1));
  const std::size_t num_cuts = which_fit(tree, most_cuts, rows, room).back();
  return bank_of(tree, num_cuts, values_of(tree, options.shrinkage, rows), options.step, rows);
}

tree_options judge_tree(const coded_rows& rows, row_choice train, std::int64_t max_leaves,
                        const std::vector<std::int64_t>& targets, const run_parts& run,
                        const model_room& room, const axis_places* places) {
  const auto judged = [&](std::int64_t min_rows) {
    return judged_tree(rows, train, max_leaves, min_rows, targets, run, room, places)
        .best(1.0, tried_shrinkages);
  };
  const judged_tree::verdict usual = judged(least_rows_alone);
  const judged_tree::verdict finest = judged(fewest_rows_alone);
  return finest.left < far_less * usual.left ? finest.options : usual.options;
}

tree_plan judge_trees(const coded_rows& rows, row_choice train, int max_trees,
                      std::vector<std::int64_t>& residuals, const run_parts& run,
                      const model_room& room) {
  tree_plan best;
  tree_plan plan;
  model_room left = room;
  double gain = 0.0;
  double best_gain = 0.0;
  for (int t = 0; t < max_trees; ++t) {
    const judged_tree tree(rows, train, most_leaves, least_rows, residuals, run,
                           left.share(max_trees - t));
    const judged_tree::verdict as_last = tree.best(1.0, tried_shrinkages);
    if (as_last.gain > 0.0 && gain + as_last.gain > best_gain) {
      best_gain = gain + as_last.gain;
      best = plan;
      best.trees.push_back(as_last.options);
      best.banks.push_back(tree.made(as_last.options));
    }
    const judged_tree::verdict followed = tree.best(step_if_followed, tried_shrinkages);
    if (t + 1 == max_trees || followed.gain <= 0.0) break;
    gain += followed.gain;
    plan.trees.push_back(followed.options);
    plan.banks.push_back(tree.made(followed.options));
    left.spend(plan.banks.back());
    add(-1, plan.banks.back(), rows, residuals, run);
  }
  // Back to what the best trees leave.
  while (!plan.trees.empty() && plan.trees.size() >= std::max<std::size_t>(best.trees.size(), 1)) {
    add(1, plan.banks.back(), rows, residuals, run);
    plan.banks.pop_back();
    plan.trees.pop_back();
  }
  if (!best.trees.empty()) add(-1, best.banks.back(), rows, residuals, run);
  return best;
}

std::vector<bank> learn_trees(const coded_rows& rows, row_choice train, const tree_plan& plan,
                              std::vector<std::int64_t>& residuals, const run_parts& run,
                              model_room room) {
  std::vector<bank> trees;
  trees.reserve(plan.trees.size());
  for (const tree_options& options : plan.trees) {
    const auto to_come = static_cast<int>(plan.trees.size() - trees.size());
    trees.push_back(learn_tree(rows, train, residuals, options, run, room.share(to_come)));
    room.spend(trees.back());
    add(-1, trees.back(), rows, residuals, run);
  }
  return trees;
}

bank numbered(bank tree) {
  for (std::size_t leaf = 0; leaf < tree.constants.size(); ++leaf)
    tree.constants[leaf] = static_cast<std::int32_t>(leaf);
  return tree;
}

}  // namespace zcmoe::detail
