// Rows of several inputs on the CPU, a block at a time: axis by axis inputs -> codes of one byte,
// by the loops and tables of one input; bank by bank codes -> cells -> scores; then answers. A
// block's codes and scores stay in the first-level cache.
#include "host/cpu/points.hpp"

#include "host/cpu/rows.hpp"
#include "host/routing/answers.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

// Of a block, on the stack, of which a call may take 64 KiB in all.
constexpr std::size_t code_bytes = std::size_t{1} << 15;
static_assert(code_bytes / ZCMOE_MAX_INPUTS >= 32);
constexpr int rows_together = 16;  // that go down a tree
constexpr int levels_at_a_time = 4;

/// An axis table: the constant of each code.
struct code_table {
  std::int32_t axis;
  std::array<std::int32_t, max_axis_slots> constants;
};

/// Any other table: the parts of the cell number that codes give, an axis after the other.
struct cell_table {
  std::vector<std::int32_t> axes;
  std::vector<std::int32_t> offsets;  // [axes][max_axis_slots]
  std::vector<std::int32_t> constants;
};

/// A tree of cuts of axes. The two children of a node lie side by side. Leaves lead to themselves,
/// so that rows that go down together need not ask whether they have arrived.
struct level_tree {
  struct node {
    std::uint16_t codes;      // where the codes of the axis begin in a block
    std::uint16_t threshold;  // a code; of leaves one that no code reaches
    std::int32_t left;        // the right child follows it; of leaves: itself
  };
  std::vector<node> nodes;
  std::vector<std::int32_t> constants;  // by node; of leaves
};

level_tree levels_of(const bank& tree, int block) {
  level_tree made;
  const auto add = [&](std::int32_t child) {
    const auto itself = static_cast<std::int32_t>(made.nodes.size());
    const bool leaf = child < 0;
    made.nodes.push_back({0, 256, itself});
    made.constants.push_back(leaf ? tree.constants[static_cast<std::size_t>(~child)] : 0);
  };
  std::vector<std::int32_t> given{0};  // the node or leaf of the tree that each node here is
  add(0);
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] < 0) continue;
    const zcmoe_tree_node& node = tree.nodes[static_cast<std::size_t>(given[i])];
    // Codes are 0 to 255: a threshold above sends all of them to the left.
    made.nodes[i] = {static_cast<std::uint16_t>(node.feature * block),
                     static_cast<std::uint16_t>(std::clamp(node.threshold, 0, 256)),
                     static_cast<std::int32_t>(given.size())};
    for (const std::int32_t child : {node.left, node.right}) {
      given.push_back(child);
      add(child);
    }
  }
  return made;
}

class cpu_evaluator final : public evaluator {
 public:
  cpu_evaluator(const bank_tables& given, const cpu_target& target)
      : num_axes(static_cast<int>(given.axes.size())),
        block(static_cast<int>(
            std::min<std::size_t>(batch, num_axes == 0 ? batch : code_bytes / given.axes.size()))),
        answers(given.head) {
    routers.reserve(given.axes.size());
    for (const input_axis& a : given.axes) {
      model_view view{};
      view.edges = a.edges.data();
      view.num_segments = a.num_segments();
      view.closed_side = a.closed_side;
      view.include_outer_edge = a.include_outer_edge;
      view.nan_policy = a.nan_policy;
      view.range_policy = a.range_policy;
      routers.push_back(std::make_unique<cpu_router>(view, slot_constants{}, target));
      std::array<std::uint8_t, 3> refused{};
      for (int k = 0; k < 3; ++k)
        refused[static_cast<std::size_t>(k)] = is_answered(a, a.num_segments() + k) ? 0 : 1;
      unanswered.push_back(refused);
    }
    std::int64_t least = answers.base, greatest = answers.base;
    for (const bank& b : given.banks) {
      const auto [low, high] = std::minmax_element(b.constants.begin(), b.constants.end());
      least += *low;
      greatest += *high;
      add(b);
    }
    constexpr std::int64_t exact = std::int64_t{1} << 53;
    // No sum is rounded then, and no product is a subnormal number: see answer_of().
    exact_scale =
        least > -exact && greatest < exact && answers.exponent >= -1021 && answers.exponent <= 1023
            ? std::ldexp(1.0, answers.exponent)
            : 0.0;
    if (answers.has_segments()) {
      constants_f32.assign(answers.constants.begin(), answers.constants.end());
      variances_f32.assign(answers.variances.begin(), answers.variances.end());
      errors_f32.assign(answers.standard_errors.begin(), answers.standard_errors.end());
    }
  }

  std::size_t bytes() const override {
    std::size_t sum = codes.size() * sizeof(code_table);
    for (const auto& r : routers) sum += r->bytes();
    for (const cell_table& t : cells)
      sum += (t.offsets.size() + t.constants.size()) * sizeof(std::int32_t);
    for (const level_tree& t : trees)
      sum += t.nodes.size() * (sizeof(level_tree::node) + sizeof(std::int32_t));
    return sum + static_cast<std::size_t>(answers.num_segments()) * 44;
  }

  const int num_axes;
  const int block;  // rows at a time
  std::vector<std::unique_ptr<cpu_router>> routers;
  std::vector<std::array<std::uint8_t, 3>> unanswered;  // of the slots beside the segments
  std::vector<code_table> codes;
  std::vector<cell_table> cells;
  std::vector<level_tree> trees;
  std::vector<bank> oblique_trees;
  const head answers;
  double exact_scale;  // 0: sums go through answer_of()
  std::vector<float> constants_f32;
  std::vector<float> variances_f32;
  std::vector<float> errors_f32;

 private:
  void add(const bank& b) {
    if (!b.oblique.empty()) {
      oblique_trees.push_back(b);
    } else if (b.is_tree()) {
      trees.push_back(levels_of(b, block));
    } else if (b.axes.size() == 1) {
      code_table table{b.axes[0].axis, {}};
      for (std::size_t c = 0; c < b.axes[0].offsets.size(); ++c)
        table.constants[c] = b.constants[static_cast<std::size_t>(b.axes[0].offsets[c])];
      codes.push_back(table);
    } else {
      cell_table table;
      for (const axis_offsets& a : b.axes) {
        table.axes.push_back(a.axis);
        table.offsets.insert(table.offsets.end(), a.offsets.begin(), a.offsets.end());
        table.offsets.resize(table.axes.size() * max_axis_slots);
      }
      table.constants = b.constants;
      cells.push_back(std::move(table));
    }
  }
};

/// What a report says of rows, added up by all threads.
struct point_counts {
  std::atomic<std::int64_t> used{0};
  std::atomic<std::int64_t> nan_inputs{0};
  std::atomic<std::int64_t> below{0};
  std::atomic<std::int64_t> above{0};
};

enum : std::uint8_t { saw_nan = 1, saw_below = 2, saw_above = 4, saw_unanswered = 8 };

/// The codes of a block of rows, and what is to be said of the rows.
struct coded_block {
  alignas(64) std::uint8_t codes[code_bytes];  // [axes][block]
  std::uint8_t marks[batch];
};

template <class T>
void code_axis(const route_kernels& kernels, const cpu_evaluator& tables, int a,
               const any_array& column, std::int64_t first, int count, bool places,
               std::uint8_t* codes, std::uint8_t* marks) {
  const cpu_router& routes = *tables.routers[static_cast<std::size_t>(a)];
  routed_rows<T> rows(kernels, routes);
  rows.slots[0] = 0;  // for the compiler, which does not see that there is a row
  rows.copied[0] = 0;
  rows.load({column, first + count}, first, count);
  rows.route(count);
  const auto m = static_cast<std::uint32_t>(routes.roles().num_segments);
  std::uint32_t beside = 0;
  for (int k = 0; k < count; ++k) {
    codes[k] = static_cast<std::uint8_t>(rows.slots[k]);
    beside |= rows.slots[k] >= m ? 1u : 0u;
  }
  if (marks == nullptr) return;
  if (beside != 0) {
    const std::array<std::uint8_t, 3>& refused = tables.unanswered[static_cast<std::size_t>(a)];
    for (int k = 0; k < count; ++k) {
      if (rows.slots[k] >= m && refused[rows.slots[k] - m] != 0) marks[k] |= saw_unanswered;
    }
  }
  if (!places) return;
  for (int k = 0; k < count; ++k) {
    const input_place place = rows.place(k);
    if (place == input_place::not_a_number) marks[k] |= saw_nan;
    if (place == input_place::below_range) marks[k] |= saw_below;
    if (place == input_place::above_range) marks[k] |= saw_above;
  }
}

void code_block(const route_kernels& kernels, const cpu_evaluator& tables, const any_array* columns,
                std::int64_t first, int count, bool places, coded_block& coded) {
  std::fill_n(coded.marks, count, std::uint8_t{0});
  for (int a = 0; a < tables.num_axes; ++a) {
    std::uint8_t* const codes = coded.codes + a * tables.block;
    if (routes_as_float(columns[a].dtype)) {
      code_axis<float>(kernels, tables, a, columns[a], first, count, places, codes, coded.marks);
    } else {
      code_axis<double>(kernels, tables, a, columns[a], first, count, places, codes, coded.marks);
    }
  }
}

/// Rows first .. first + Rows - 1 go down a tree together.
template <int Rows>
void descend(const level_tree& tree, const std::uint8_t* codes, std::int64_t* scores) {
  const level_tree::node* const nodes = tree.nodes.data();
  std::int32_t at[Rows] = {};
  const auto next = [&](int k) {
    const level_tree::node node = nodes[at[k]];
    return node.left + (codes[node.codes + k] >= node.threshold ? 1 : 0);
  };
  std::int32_t moved;  // whether a row has not arrived
  do {
    for (int level = 1; level < levels_at_a_time; ++level) {
      for (int k = 0; k < Rows; ++k) at[k] = next(k);
    }
    moved = 0;
    for (int k = 0; k < Rows; ++k) {
      const std::int32_t to = next(k);
      moved |= to ^ at[k];
      at[k] = to;
    }
  } while (moved != 0);
  for (int k = 0; k < Rows; ++k) scores[k] += tree.constants[static_cast<std::size_t>(at[k])];
}

void add_tree(const level_tree& tree, const coded_block& coded, int count, std::int64_t* scores) {
  int k = 0;
  for (; k + rows_together <= count; k += rows_together)
    descend<rows_together>(tree, coded.codes + k, scores + k);
  for (; k < count; ++k) descend<1>(tree, coded.codes + k, scores + k);
}

void score_block(const cpu_evaluator& tables, const coded_block& coded, int count,
                 std::int64_t* scores) {
  std::fill_n(scores, count, std::int64_t{0});
  for (const code_table& table : tables.codes) {
    const std::uint8_t* const codes = coded.codes + table.axis * tables.block;
    for (int k = 0; k < count; ++k) scores[k] += table.constants[codes[k]];
  }
  for (const cell_table& table : tables.cells) {
    std::int32_t cells[batch];
    std::fill_n(cells, count, 0);
    for (std::size_t a = 0; a < table.axes.size(); ++a) {
      const std::uint8_t* const codes = coded.codes + table.axes[a] * tables.block;
      const std::int32_t* const offsets = table.offsets.data() + a * max_axis_slots;
      for (int k = 0; k < count; ++k) cells[k] += offsets[codes[k]];
    }
    const std::int32_t* const constants = table.constants.data();
    for (int k = 0; k < count; ++k) scores[k] += constants[cells[k]];
  }
  for (const level_tree& tree : tables.trees) add_tree(tree, coded, count, scores);
  for (const bank& tree : tables.oblique_trees) {
    for (int k = 0; k < count; ++k) {
      std::uint8_t codes[ZCMOE_MAX_INPUTS];
      for (int a = 0; a < tables.num_axes; ++a) codes[a] = coded.codes[a * tables.block + k];
      scores[k] += tree.constants[static_cast<std::size_t>(cell_of(tree, codes, tables.num_axes))];
    }
  }
}

/// Scores become segments, -1 where a row has no answer.
void find_segments(const head& answers, const std::uint8_t* marks, int count,
                   std::int64_t* scores) {
  if (!answers.thresholds.empty()) {
    const std::int64_t* const thresholds = answers.thresholds.data();
    const auto size = static_cast<std::int64_t>(answers.thresholds.size());
    std::int64_t found[batch];
    std::fill_n(found, count, std::int64_t{0});
    for (std::int64_t left = size; left > 0;) {
      const std::int64_t half = (left + 1) / 2;
      for (int k = 0; k < count; ++k)
        found[k] += thresholds[found[k] + half - 1] <= scores[k] ? half : 0;
      left -= half;
    }
    std::copy_n(found, count, scores);
  }
  for (int k = 0; k < count; ++k) {
    if ((marks[k] & saw_unanswered) != 0) scores[k] = -1;
  }
}

template <class Element, class Value>
void store(const zcmoe_output& output, std::int64_t first, int count, const Value& value) {
  auto* const out = static_cast<Element*>(output.data) + first * output.stride;
  for (int k = 0; k < count; ++k) out[k * output.stride] = value(k);
}

/// What segments give: table[segment], or `none` where there is no segment.
template <class Element>
void store_of_segments(const zcmoe_output& output, const Element* table, Element none,
                       std::int64_t first, int count, const std::int64_t* segments) {
  store<Element>(output, first, count,
                 [&](int k) { return segments[k] < 0 ? none : table[segments[k]]; });
}

void store_reals(const zcmoe_output& output, const std::vector<double>& f64,
                 const std::vector<float>& f32, std::int64_t first, int count,
                 const std::int64_t* segments) {
  if (output.data == nullptr) return;
  if (output.dtype == ZCMOE_F32) {
    store_of_segments(output, f32.data(), std::numeric_limits<float>::quiet_NaN(), first, count,
                      segments);
  } else {
    store_of_segments(output, f64.data(), std::numeric_limits<double>::quiet_NaN(), first, count,
                      segments);
  }
}

template <class Element>
void store_sums(const cpu_evaluator& tables, const zcmoe_output& output, const std::uint8_t* marks,
                std::int64_t first, int count, const std::int64_t* scores) {
  const std::int64_t base = tables.answers.base;
  const double scale = tables.exact_scale;
  constexpr Element nan = std::numeric_limits<Element>::quiet_NaN();
  if (scale != 0.0) {
    store<Element>(output, first, count, [&](int k) {
      const auto value = static_cast<Element>(static_cast<double>(base + scores[k]) * scale);
      return (marks[k] & saw_unanswered) != 0 ? nan : value;
    });
  } else {
    store<Element>(output, first, count, [&](int k) {
      return (marks[k] & saw_unanswered) != 0
                 ? nan
                 : answer_of<Element>(base + scores[k], tables.answers.exponent);
    });
  }
}

void predict_rows(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                  std::int64_t first, std::int64_t last, point_counts& counts) {
  coded_block coded;
  std::int64_t scores[batch];
  std::int64_t used = 0, nan_inputs = 0, below = 0, above = 0;
  for (std::int64_t i = first; i < last; i += tables.block) {
    const int count = static_cast<int>(std::min<std::int64_t>(tables.block, last - i));
    code_block(kernels, tables, job.columns, i, count, job.report != nullptr, coded);
    score_block(tables, coded, count, scores);
    for (int k = 0; job.report != nullptr && k < count; ++k) {
      used += (coded.marks[k] & saw_unanswered) == 0 ? 1 : 0;
      nan_inputs += (coded.marks[k] & saw_nan) != 0 ? 1 : 0;
      below += (coded.marks[k] & saw_below) != 0 ? 1 : 0;
      above += (coded.marks[k] & saw_above) != 0 ? 1 : 0;
    }
    const head& answers = tables.answers;
    if (!answers.has_segments()) {
      if (job.values.data == nullptr) continue;
      if (job.values.dtype == ZCMOE_F32) {
        store_sums<float>(tables, job.values, coded.marks, i, count, scores);
      } else {
        store_sums<double>(tables, job.values, coded.marks, i, count, scores);
      }
      continue;
    }
    find_segments(answers, coded.marks, count, scores);
    store_reals(job.values, answers.constants, tables.constants_f32, i, count, scores);
    store_reals(job.variances, answers.variances, tables.variances_f32, i, count, scores);
    store_reals(job.standard_errors, answers.standard_errors, tables.errors_f32, i, count, scores);
    if (job.counts.data != nullptr)
      store_of_segments(job.counts, answers.counts.data(), std::int64_t{0}, i, count, scores);
    if (job.segments.data != nullptr && job.segments.dtype == ZCMOE_I64) {
      store<std::int64_t>(job.segments, i, count, [&](int k) { return scores[k]; });
    } else if (job.segments.data != nullptr) {
      store<std::int32_t>(job.segments, i, count,
                          [&](int k) { return static_cast<std::int32_t>(scores[k]); });
    }
  }
  counts.used += used;
  counts.nan_inputs += nan_inputs;
  counts.below += below;
  counts.above += above;
}

/// over(first, last) for all rows, shared out among threads.
template <class Body>
void over_rows(std::int64_t n, workers& crew, const Body& over) {
  if (n <= 2 * rows_per_part || crew.num_threads() == 1) return over(std::int64_t{0}, n);
  crew.run((n + rows_per_part - 1) / rows_per_part, [&](std::int64_t part) {
    over(part * rows_per_part, std::min(n, (part + 1) * rows_per_part));
  });
}

}  // namespace

std::unique_ptr<const evaluator> make_cpu_evaluator(const bank_tables& tables,
                                                    const cpu_target& target) {
  return std::make_unique<cpu_evaluator>(tables, target);
}

void predict_points_on_cpu(const points_job& job, const route_kernels& kernels, workers& crew) {
  const auto& tables = static_cast<const cpu_evaluator&>(*job.tables);
  point_counts counts;
  over_rows(job.n, crew, [&](std::int64_t first, std::int64_t last) {
    const default_arithmetic scope;
    predict_rows(job, tables, kernels, first, last, counts);
  });
  if (job.report != nullptr) {
    job.report->rows += job.n;
    job.report->rows_used += counts.used;
    job.report->nan_inputs += counts.nan_inputs;
    job.report->below_range += counts.below;
    job.report->above_range += counts.above;
  }
}

void encode_on_cpu(const codes_job& job, const route_kernels& kernels, workers& crew) {
  const auto& tables = static_cast<const cpu_evaluator&>(*job.tables);
  over_rows(job.n, crew, [&](std::int64_t first, std::int64_t last) {
    const default_arithmetic scope;
    for (int a = 0; a < tables.num_axes; ++a) {
      for (std::int64_t i = first; i < last; i += batch) {
        const int count = static_cast<int>(std::min<std::int64_t>(batch, last - i));
        std::uint8_t* const codes = job.codes + a * job.stride + i;
        if (routes_as_float(job.columns[a].dtype)) {
          code_axis<float>(kernels, tables, a, job.columns[a], i, count, false, codes, nullptr);
        } else {
          code_axis<double>(kernels, tables, a, job.columns[a], i, count, false, codes, nullptr);
        }
      }
    }
  });
}

}  // namespace zcmoe::detail
