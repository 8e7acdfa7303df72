// Rows of several inputs on the CPU, a block at a time: axis by axis inputs -> codes of one byte,
// by the loops and tables of one input; bank by bank codes -> cells -> scores; then answers. A
// block's codes and scores stay in the first-level cache.
#include "host/cpu/points.hpp"

#include "host/cpu/bank_kernels.hpp"
#include "host/cpu/byte_planes.hpp"
#include "host/cpu/code_trees.hpp"
#include "host/cpu/rows.hpp"
#include "host/cpu/score_table.hpp"
#include "host/routing/answers.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>

namespace zcmoe::detail {
namespace {

// Of a block, on the stack, of which a call may take 64 KiB in all.
constexpr std::size_t code_bytes = std::size_t{1} << 15;
constexpr int group = 64;        // rows that some loops take at once
constexpr int least_block = 32;  // rows where axes are very many: groups reach into the next axis
static_assert(code_bytes / ZCMOE_MAX_INPUTS >= least_block && batch % group == 0);

/// Rows of a block.
std::int64_t block_of(std::size_t num_axes) {
  if (num_axes == 0) return batch;
  const auto most = static_cast<std::int64_t>(code_bytes / num_axes);
  return most < group ? least_block : std::min<std::int64_t>(batch, most / group * group);
}

/// Bytes below this many, as tables of bank_kernels.hpp hold them.
int room_of(std::int64_t count) { return count <= 64 ? 64 : count <= 128 ? 128 : 256; }

/// Of at most 256 constants, without the least of them.
constant_table table_of_constants(std::int32_t axis, const std::vector<std::int32_t>& constants,
                                  std::int32_t least) {
  constant_table made{};
  made.axis = axis;
  made.room = room_of(static_cast<std::int64_t>(constants.size()));
  made.num_planes = 2;
  for (std::size_t c = 0; c < constants.size(); ++c) {
    const std::uint32_t more =
        static_cast<std::uint32_t>(constants[c]) - static_cast<std::uint32_t>(least);
    made.more[c] = more;
    for (int p = 0; p < 4; ++p) {
      made.planes[p].of[c] = static_cast<std::uint8_t>(more >> (8 * p));
      if (made.planes[p].of[c] != 0) made.num_planes = std::max(made.num_planes, p + 1);
    }
  }
  return made;
}

code_cells table_of_cells(const bank& b) {
  code_cells made;
  made.num_cells = static_cast<std::int64_t>(b.constants.size());
  for (const axis_offsets& given : b.axes) {
    code_cells::axis a{};
    a.number = given.axis;
    a.room = room_of(static_cast<std::int64_t>(given.offsets.size()));
    for (std::size_t c = 0; c < given.offsets.size(); ++c) {
      // Parts of a cell may be negative, and their sum is not: it is right modulo 2^32, and in the
      // bytes that a cell takes.
      a.offsets[c] = static_cast<std::uint32_t>(given.offsets[c]);
      a.low.of[c] = static_cast<std::uint8_t>(a.offsets[c]);
      a.high.of[c] = static_cast<std::uint8_t>(a.offsets[c] >> 8);
    }
    made.axes.push_back(a);
  }
  return made;
}

constexpr std::int64_t byte_cells = 256;
constexpr std::int64_t word_cells = std::int64_t{1} << 16;

/// A table of several axes.
struct cell_bank {
  constant_table of_bytes;              // where there are at most 256 cells, else
  std::vector<std::int32_t> constants;  // these
  code_cells cells;
};

class cpu_evaluator final : public evaluator {
 public:
  cpu_evaluator(const bank_tables& given, const cpu_target& target)
      : num_axes(static_cast<int>(given.axes.size())),
        block(block_of(given.axes.size())),
        banks(bank_kernels_of(target)),
        answers(given.head) {
    routers.reserve(given.axes.size());
    unanswered.reserve(given.axes.size());
    for (const input_axis& a : given.axes) {
      routers.push_back(std::make_unique<cpu_router>(view_of(a), slot_constants{}, target));
      std::array<std::uint8_t, 3> refused{};
      for (int k = 0; k < 3; ++k)
        refused[static_cast<std::size_t>(k)] = is_answered(a, a.num_segments() + k) ? 0 : 1;
      unanswered.push_back(refused);
    }
    start = answers.has_segments() ? 0 : answers.base;
    std::int64_t least = start, greatest = start;
    for (const bank& b : given.banks) {
      const auto [low, high] = std::minmax_element(b.constants.begin(), b.constants.end());
      least += *low;
      greatest += *high;
      add(b, *low);
    }
    std::stable_sort(
        codes.begin(), codes.end(),
        [](const constant_table& a, const constant_table& b) { return a.axis < b.axis; });
    tables_end.reserve(given.axes.size());
    for (std::int32_t a = 0; a < num_axes; ++a) {
      tables_end.push_back(static_cast<std::size_t>(
          std::find_if(codes.begin(), codes.end(),
                       [a](const constant_table& table) { return table.axis > a; }) -
          codes.begin()));
    }
    narrow = least >= std::numeric_limits<std::int32_t>::min() &&
             greatest <= std::numeric_limits<std::int32_t>::max();
    constexpr std::int64_t exact = std::int64_t{1} << 53;
    // No sum is rounded then, and no product is a subnormal number: see answer_of().
    const std::int32_t exponent = answers.exponent;
    exact_scale = least > -exact && greatest < exact && exponent >= -1021 && exponent <= 1023
                      ? std::ldexp(1.0, exponent)
                      : 0.0;
    // The float nearest to a sum is scaled exactly then.
    float_scale = narrow && exponent >= -126 && exponent <= 96 ? std::ldexp(1.0f, exponent) : 0.0f;
    if (!answers.has_segments()) return;
    const auto floats = [](const std::vector<double>& from) {
      return std::vector<float>(from.begin(), from.end());
    };
    constants_f32 = floats(answers.constants);
    variances_f32 = floats(answers.variances);
    errors_f32 = floats(answers.standard_errors);
    routes_scores = !answers.thresholds.empty();
    if (routes_scores) {
      segments = score_table(answers.thresholds, least, greatest);
    } else if (given.banks.size() == 1 && cells.size() == 1 &&
               cells[0].cells.num_cells <= word_cells) {
      for (const std::int32_t segment : given.banks[0].constants) {
        const double value = answers.constants[static_cast<std::size_t>(segment)];
        values_of_cells.push_back(value);
        values_of_cells_f32.push_back(static_cast<float>(value));
      }
      segments_of_cells = given.banks[0].constants;
    }
  }

  std::size_t bytes() const override {
    std::size_t sum = codes.size() * sizeof(constant_table) + segments.bytes();
    for (const auto& r : routers) sum += r->bytes();
    for (const cell_bank& t : cells)
      sum += sizeof t + t.cells.axes.size() * sizeof(code_cells::axis) + t.constants.size() * 4;
    for (const cut_tree& t : cut_trees) sum += t.bytes();
    for (const sum_tree& t : sum_trees) sum += t.bytes();
    return sum + static_cast<std::size_t>(answers.num_segments()) * 44 +
           values_of_cells.size() * 16;
  }

  const int num_axes;
  const std::int64_t block;  // rows at a time
  const bank_kernels& banks;
  std::vector<std::unique_ptr<cpu_router>> routers;
  std::vector<std::array<std::uint8_t, 3>> unanswered;  // of the slots beside the segments
  std::vector<constant_table> codes;                    // axis tables, by axis
  std::vector<std::size_t> tables_end;                  // of each axis among them
  std::vector<cell_bank> cells;
  std::vector<cut_tree> cut_trees;
  std::vector<sum_tree> sum_trees;
  const head answers;
  /// What scores start from: the base of sums, and the least constants of tables that hold the
  /// rest.
  std::int64_t start;
  bool narrow;         // scores, and sums with their base, are int32
  double exact_scale;  // 0: sums go through answer_of()
  float float_scale;   // 0: through double
  bool routes_scores = false;
  score_table segments;
  std::vector<float> constants_f32;
  std::vector<float> variances_f32;
  std::vector<float> errors_f32;
  /// Of the only bank, where its constants are segments; else empty.
  std::vector<double> values_of_cells;
  std::vector<float> values_of_cells_f32;
  std::vector<std::int32_t> segments_of_cells;

 private:
  void add(const bank& b, std::int32_t least) {
    if (!b.oblique.empty()) {
      sum_trees.emplace_back(b, num_axes, block);
    } else if (b.is_tree()) {
      cut_trees.emplace_back(b, block);
    } else if (b.axes.size() == 1) {
      std::vector<std::int32_t> by_code;
      by_code.reserve(b.axes[0].offsets.size());
      for (const std::int32_t cell : b.axes[0].offsets)
        by_code.push_back(b.constants[static_cast<std::size_t>(cell)]);
      codes.push_back(table_of_constants(b.axes[0].axis, by_code, least));
      start += least;
    } else {
      cell_bank made{{}, {}, table_of_cells(b)};
      if (made.cells.num_cells <= byte_cells) {
        made.of_bytes = table_of_constants(0, b.constants, least);
        start += least;
      } else {
        made.constants = b.constants;
      }
      cells.push_back(std::move(made));
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
  alignas(64) std::uint8_t codes[code_bytes + group];  // [axes][block]
  std::uint8_t marks[batch];
  bool all_answered;
  bool streams;  // answers go past the caches
};

/// Writes the codes of rows that are loaded. Returns whether one is not that of a segment.
template <class T>
bool codes_of(routed_rows<T>& rows, int count, std::uint32_t num_segments, std::uint8_t* codes) {
  if constexpr (sizeof(T) == 4) {
    if (rows.table.planes != nullptr) {
      const int whole = count / group * group;
      bool beside = planes_codes(rows.table, rows.inputs, codes, static_cast<std::size_t>(whole),
                                 static_cast<std::uint8_t>(num_segments));
      for (int k = whole; k < count; ++k) {
        const std::uint32_t slot = rows.table.slot_of(rows.table.rank_of(rows.inputs[k]));
        codes[k] = static_cast<std::uint8_t>(slot);
        beside = beside || slot >= num_segments;
      }
      return beside;
    }
  }
  rows.slots[0] = 0;  // for the compiler, which does not see that there is a row
  rows.route(count);
  std::uint32_t greatest = 0;
  for (int k = 0; k < count; ++k) {
    codes[k] = static_cast<std::uint8_t>(rows.slots[k]);
    greatest = std::max(greatest, rows.slots[k]);
  }
  return greatest >= num_segments;
}

template <class T>
bool all_within(const route_kernels& kernels, const routed_rows<T>& rows, int count) {
  const auto n = static_cast<std::size_t>(count);
  if constexpr (sizeof(T) == 4) {
    return kernels.leading_within_f32(rows.inputs, n, rows.table.from, rows.table.before) == n;
  } else {
    return kernels.leading_within_f64(rows.inputs, n, rows.table.from, rows.table.before) == n;
  }
}

/// marks: null where only codes are wanted.
template <class T>
void code_axis(const route_kernels& kernels, const cpu_evaluator& tables, int a,
               const any_array& column, std::int64_t first, int count, bool places,
               std::uint8_t* codes, coded_block* marked) {
  const cpu_router& routes = *tables.routers[static_cast<std::size_t>(a)];
  routed_rows<T> rows(kernels, routes);
  rows.copied[0] = 0;
  rows.load({column, first + count}, first, count);
  const auto m = static_cast<std::uint32_t>(routes.roles().num_segments);
  const bool beside = codes_of(rows, count, m, codes);
  if (marked == nullptr) return;
  if (beside) {
    const std::array<std::uint8_t, 3>& refused = tables.unanswered[static_cast<std::size_t>(a)];
    for (int k = 0; k < count; ++k) {
      if (codes[k] < m || refused[codes[k] - m] == 0) continue;
      marked->marks[k] |= saw_unanswered;
      marked->all_answered = false;
    }
  }
  if (!places || all_within(kernels, rows, count)) return;
  for (int k = 0; k < count; ++k) {
    const input_place place = rows.place(k);
    if (place == input_place::not_a_number) marked->marks[k] |= saw_nan;
    if (place == input_place::below_range) marked->marks[k] |= saw_below;
    if (place == input_place::above_range) marked->marks[k] |= saw_above;
  }
}

/// Scores are sums modulo 2^32 or 2^64 until the last bank is added; then they are right.
template <class Score>
void add_to(Score& score, std::int32_t constant) {
  score = static_cast<Score>(static_cast<std::uint64_t>(score) +
                             static_cast<std::uint64_t>(std::int64_t{constant}));
}

template <class Score>
void add_tables(const bank_kernels& banks, const constant_table* added, std::size_t num_tables,
                const std::uint8_t* codes, std::int64_t stride, int count, Score* scores) {
  if constexpr (sizeof(Score) == 4) {
    banks.add_i32(added, num_tables, codes, stride, count, scores);
  } else {
    banks.add_i64(added, num_tables, codes, stride, count, scores);
  }
}

template <class Score>
void add_cells(const cpu_evaluator& tables, const cell_bank& bank, const coded_block& coded,
               int count, Score* scores) {
  const code_cells& table = bank.cells;
  const std::int32_t* const constants = bank.constants.data();
  if (table.num_cells <= byte_cells) {
    alignas(64) std::uint8_t cells[batch];
    tables.banks.cells_u8(table, coded.codes, tables.block, count, cells);
    add_tables(tables.banks, &bank.of_bytes, 1, cells, 0, count, scores);
  } else if (table.num_cells <= word_cells) {
    alignas(64) std::uint16_t cells[batch];
    tables.banks.cells_u16(table, coded.codes, tables.block, count, cells);
    for (int k = 0; k < count; ++k) add_to(scores[k], constants[cells[k]]);
  } else {
    std::uint32_t cells[batch];
    std::fill_n(cells, count, 0u);
    for (const code_cells::axis& a : table.axes) {
      const std::uint8_t* const codes = coded.codes + a.number * tables.block;
      for (int k = 0; k < count; ++k) cells[k] += a.offsets[codes[k]];
    }
    for (int k = 0; k < count; ++k) add_to(scores[k], constants[cells[k]]);
  }
}

template <class Tree, class Score>
void add_trees(const std::vector<Tree>& trees, const cpu_evaluator& tables,
               const coded_block& coded, int count, Score* scores) {
  for (const Tree& tree : trees) {
    std::int32_t constants[batch];
    tree.look_up(coded.codes, tables.block, count, constants);
    for (int k = 0; k < count; ++k) add_to(scores[k], constants[k]);
  }
}

/// Asks for a line of each column beyond those that the loops fetch themselves. It mostly begins a
/// page whose address must be looked up, and those of all columns are looked up at once: in turn,
/// as the loops come to them, they took a quarter of the time on Zen 4 in a virtual machine.
void find_pages(const points_job& job, int num_axes, std::int64_t first) {
  constexpr std::int64_t rows_ahead = 2048;
  if (first + rows_ahead >= job.n) return;
  for (int a = 0; a < num_axes; ++a) {
    const any_array& column = job.columns[a];
    __builtin_prefetch(static_cast<const char*>(column.data) +
                           (first + rows_ahead) * column.stride * size_of(column.dtype),
                       0, 2);
  }
}

/// Calls after(axis) when the codes of an axis are there: work on them in turn leaves memory time
/// to bring the inputs of the next axes.
template <class After>
void code_block(const points_job& job, const route_kernels& kernels, const cpu_evaluator& tables,
                std::int64_t first, int count, coded_block& coded, const After& after) {
  const any_array* const columns = job.columns;
  const bool places = job.report != nullptr;
  std::fill_n(coded.marks, count, std::uint8_t{0});
  coded.all_answered = true;
  find_pages(job, tables.num_axes, first);
  const int whole = (count + group - 1) / group * group;
  for (int a = 0; a < tables.num_axes; ++a) {
    std::uint8_t* const codes = coded.codes + a * tables.block;
    if (routes_as_float(columns[a].dtype)) {
      code_axis<float>(kernels, tables, a, columns[a], first, count, places, codes, &coded);
    } else {
      code_axis<double>(kernels, tables, a, columns[a], first, count, places, codes, &coded);
    }
    std::fill(codes + count, codes + whole, std::uint8_t{0});
    after(a);
  }
}

/// Codes and scores of a block.
template <class Score>
void score_block(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                 std::int64_t first, int count, coded_block& coded, Score* scores) {
  const int whole = (count + group - 1) / group * group;
  std::fill_n(scores, whole, static_cast<Score>(tables.start));
  constexpr std::size_t enough = 4;  // that share loads and stores of scores
  std::size_t added = 0;
  code_block(job, kernels, tables, first, count, coded, [&](int a) {
    const std::size_t ready = tables.tables_end[static_cast<std::size_t>(a)];
    if (ready - added < enough && a + 1 < tables.num_axes) return;
    add_tables(tables.banks, tables.codes.data() + added, ready - added, coded.codes, tables.block,
               count, scores);
    added = ready;
  });
  for (const cell_bank& bank : tables.cells) add_cells(tables, bank, coded, count, scores);
  add_trees(tables.cut_trees, tables, coded, count, scores);
  add_trees(tables.sum_trees, tables, coded, count, scores);
}

/// Writes elements past the caches, where the processor can; `to` lies on 16 bytes, and so does
/// what follows a multiple of 16 bytes.
template <class Element>
void stream_out(const Element* from, int count, Element* to) {
  int done = 0;
#if defined(__x86_64__)
  constexpr int per_vector = 16 / static_cast<int>(sizeof(Element));
  for (; done + per_vector <= count; done += per_vector) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + done),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(from + done)));
  }
#endif
  std::copy(from + done, from + count, to + done);
}

bool streams_to(const void* out, const coded_block& coded) {
  return coded.streams && coded.all_answered && reinterpret_cast<std::uintptr_t>(out) % 64 == 0;
}

/// Where the answers of a block go: value(k) for row first + k, in the type of the output.
template <class Element, class Value>
void store(const zcmoe_output& output, std::int64_t first, int count, const coded_block& coded,
           const Value& value) {
  auto* const out = static_cast<Element*>(output.data) + first * output.stride;
  if (output.stride != 1) {
    for (int k = 0; k < count; ++k) out[k * output.stride] = value(k);
  } else if (streams_to(out, coded)) {
    alignas(64) Element values[batch];
    for (int k = 0; k < count; ++k) values[k] = value(k);
    stream_out(values, count, out);
  } else {
    for (int k = 0; k < count; ++k) out[k] = value(k);
  }
}

/// Puts `none` where a row has no answer.
template <class Element>
void store_none(const zcmoe_output& output, std::int64_t first, int count, const coded_block& coded,
                Element none) {
  if (coded.all_answered) return;
  auto* const out = static_cast<Element*>(output.data) + first * output.stride;
  for (int k = 0; k < count; ++k) {
    if ((coded.marks[k] & saw_unanswered) != 0) out[k * output.stride] = none;
  }
}

template <class Element, class Index>
void store_of(const zcmoe_output& output, const Element* table, std::int64_t first, int count,
              const coded_block& coded, const Index* indices) {
  store<Element>(output, first, count, coded, [&](int k) { return table[indices[k]]; });
  constexpr bool real = std::is_floating_point_v<Element>;
  store_none(output, first, count, coded,
             real ? std::numeric_limits<Element>::quiet_NaN() : Element{0});
}

template <class Index>
void store_reals(const zcmoe_output& output, const std::vector<double>& f64,
                 const std::vector<float>& f32, std::int64_t first, int count,
                 const coded_block& coded, const Index* indices) {
  if (output.data == nullptr) return;
  if (output.dtype == ZCMOE_F32) {
    store_of(output, f32.data(), first, count, coded, indices);
  } else {
    store_of(output, f64.data(), first, count, coded, indices);
  }
}

template <class Element, class Score>
void store_sums(const cpu_evaluator& tables, const zcmoe_output& output, const coded_block& coded,
                std::int64_t first, int count, const Score* sums) {
  const double scale = tables.exact_scale;
  const float float_scale = tables.float_scale;
  const std::int32_t exponent = tables.answers.exponent;
  const Element none = std::numeric_limits<Element>::quiet_NaN();
  if constexpr (sizeof(Element) == 4 && sizeof(Score) == 4) {
    if (float_scale != 0.0f && output.stride == 1 && tables.banks.scaled_f32 != nullptr) {
      auto* const out = static_cast<Element*>(output.data) + first;
      tables.banks.scaled_f32(sums, count, float_scale, out, streams_to(out, coded));
      return store_none(output, first, count, coded, none);
    }
  }
  if (sizeof(Element) == 4 && sizeof(Score) == 4 && float_scale != 0.0f) {
    store<Element>(output, first, count, coded, [&](int k) {
      return static_cast<Element>(static_cast<float>(sums[k]) * float_scale);
    });
  } else if (scale != 0.0) {
    store<Element>(output, first, count, coded, [&](int k) {
      return static_cast<Element>(static_cast<double>(sums[k]) * scale);
    });
  } else {
    store<Element>(output, first, count, coded,
                   [&](int k) { return answer_of<Element>(sums[k], exponent); });
  }
  store_none(output, first, count, coded, none);
}

/// The segments of rows, those of rows without an answer being any.
template <class Score>
void route_scores(const cpu_evaluator& tables, const Score* scores, int count,
                  std::int32_t* segments) {
  if (tables.routes_scores) {
    tables.segments.route(scores, count, segments);
  } else {
    for (int k = 0; k < count; ++k) segments[k] = static_cast<std::int32_t>(scores[k]);
  }
}

template <class Score>
void store_segments(const points_job& job, const cpu_evaluator& tables, const coded_block& coded,
                    std::int64_t first, int count, const Score* scores) {
  std::int32_t segments[batch];
  route_scores(tables, scores, count, segments);
  const head& answers = tables.answers;
  store_reals(job.values, answers.constants, tables.constants_f32, first, count, coded, segments);
  store_reals(job.variances, answers.variances, tables.variances_f32, first, count, coded,
              segments);
  store_reals(job.standard_errors, answers.standard_errors, tables.errors_f32, first, count, coded,
              segments);
  if (job.counts.data != nullptr)
    store_of(job.counts, answers.counts.data(), first, count, coded, segments);
  if (job.segments.data == nullptr) return;
  if (job.segments.dtype == ZCMOE_I64) {
    store<std::int64_t>(job.segments, first, count, coded, [&](int k) { return segments[k]; });
    store_none(job.segments, first, count, coded, std::int64_t{-1});
  } else {
    store<std::int32_t>(job.segments, first, count, coded, [&](int k) { return segments[k]; });
    store_none(job.segments, first, count, coded, std::int32_t{-1});
  }
}

/// Answers of the only bank, whose cells lead to values without a score.
void answer_cells(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                  std::int64_t first, int count, coded_block& coded) {
  alignas(64) std::uint16_t cells[batch];
  code_block(job, kernels, tables, first, count, coded, [](int) {});
  tables.banks.cells_u16(tables.cells[0].cells, coded.codes, tables.block, count, cells);
  store_reals(job.values, tables.values_of_cells, tables.values_of_cells_f32, first, count, coded,
              cells);
}

template <class Score>
void answer_block(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                  std::int64_t first, int count, coded_block& coded) {
  alignas(64) Score scores[batch];
  score_block(job, tables, kernels, first, count, coded, scores);
  if (tables.answers.has_segments()) {
    store_segments(job, tables, coded, first, count, scores);
  } else if (job.values.data != nullptr && job.values.dtype == ZCMOE_F32) {
    store_sums<float>(tables, job.values, coded, first, count, scores);
  } else if (job.values.data != nullptr) {
    store_sums<double>(tables, job.values, coded, first, count, scores);
  }
}

template <class Score>
void find_block(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                std::int64_t first, int count, coded_block& coded, std::int32_t* segments) {
  if (!tables.segments_of_cells.empty()) {
    alignas(64) std::uint16_t cells[batch];
    code_block(job, kernels, tables, first, count, coded, [](int) {});
    tables.banks.cells_u16(tables.cells[0].cells, coded.codes, tables.block, count, cells);
    const std::int32_t* const of_cells = tables.segments_of_cells.data();
    for (int k = 0; k < count; ++k) segments[k] = of_cells[cells[k]];
  } else {
    alignas(64) Score scores[batch];
    score_block(job, tables, kernels, first, count, coded, scores);
    route_scores(tables, scores, count, segments);
  }
  for (int k = 0; !coded.all_answered && k < count; ++k) {
    if ((coded.marks[k] & saw_unanswered) != 0) segments[k] = -1;
  }
}

/// Columns and answers do not fit the caches: what is written there would only throw out what is
/// still to be read, and each line of it would be read from memory first.
bool streams_answers(const points_job& job, const cpu_evaluator& tables) {
  constexpr std::int64_t cache_bytes = std::int64_t{1} << 24;
  std::int64_t row_bytes = 4;
  for (int a = 0; a < tables.num_axes; ++a) row_bytes += size_of(job.columns[a].dtype);
  return job.n > cache_bytes / row_bytes;
}

/// Rows before the first whose value begins a line, at most `count`.
int rows_before_line(const zcmoe_output& output, std::int64_t first, int count) {
  const auto size = static_cast<std::uintptr_t>(size_of(output.dtype));
  if (output.data == nullptr || output.stride != 1) return count;
  const std::uintptr_t past =
      (reinterpret_cast<std::uintptr_t>(output.data) + static_cast<std::uintptr_t>(first) * size) %
      64;
  return past == 0 || past % size != 0 ? count
                                       : std::min(count, static_cast<int>((64 - past) / size));
}

void predict_rows(const points_job& job, const cpu_evaluator& tables, const route_kernels& kernels,
                  std::int64_t first, std::int64_t last, point_counts& counts) {
  coded_block coded;
  coded.streams = streams_answers(job, tables);
  std::int64_t used = 0, nan_inputs = 0, below = 0, above = 0;
  const bool cells_alone = !tables.values_of_cells.empty() && job.values.data != nullptr &&
                           job.variances.data == nullptr && job.standard_errors.data == nullptr &&
                           job.counts.data == nullptr && job.segments.data == nullptr;
  int count = 0;
  for (std::int64_t i = first; i < last; i += count) {
    count = static_cast<int>(std::min<std::int64_t>(tables.block, last - i));
    if (coded.streams && i == first) count = rows_before_line(job.values, i, count);
    if (cells_alone) {
      answer_cells(job, tables, kernels, i, count, coded);
    } else if (tables.narrow) {
      answer_block<std::int32_t>(job, tables, kernels, i, count, coded);
    } else {
      answer_block<std::int64_t>(job, tables, kernels, i, count, coded);
    }
    for (int k = 0; job.report != nullptr && k < count; ++k) {
      used += (coded.marks[k] & saw_unanswered) == 0 ? 1 : 0;
      nan_inputs += (coded.marks[k] & saw_nan) != 0 ? 1 : 0;
      below += (coded.marks[k] & saw_below) != 0 ? 1 : 0;
      above += (coded.marks[k] & saw_above) != 0 ? 1 : 0;
    }
  }
#if defined(__x86_64__)
  if (coded.streams) _mm_sfence();
#endif
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

void find_segments(const points& rows, const route_kernels& kernels, std::int64_t first, int count,
                   std::int32_t* segments) {
  const auto& tables = static_cast<const cpu_evaluator&>(*rows.tables);
  points_job job{};
  job.columns = rows.columns;
  job.n = rows.n;
  coded_block coded;
  int some = 0;
  for (int done = 0; done < count; done += some) {
    some = static_cast<int>(std::min<std::int64_t>(tables.block, count - done));
    const auto find = tables.narrow ? find_block<std::int32_t> : find_block<std::int64_t>;
    find(job, tables, kernels, first + done, some, coded, segments + done);
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
