// Models of several inputs of known shapes, as bytes of docs/model-file.md: benchmarks time shapes,
// which learning would not hit. They are made of numbers that depend on nothing but the shape.
#pragma once

#include "workload.hpp"

#include <zcmoe/zcmoe.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <zcmoe/points.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <queue>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace zcmoe::bench {

/// The shapes, and what their size is: cells, segments an axis, segments of the score, leaves.
enum class shape { grid, sum, score, pairs, tree };

constexpr const char* name_of(shape of) {
  switch (of) {
    case shape::grid: return "predict-grid";
    case shape::sum: return "predict-sum";
    case shape::score: return "predict-score";
    case shape::pairs: return "predict-r0";
    default: return "predict-tree";
  }
}

struct sized_shape {
  shape of;
  std::int64_t size;
};
constexpr sized_shape all_shapes[] = {
    {shape::grid, 1024}, {shape::grid, 65536}, {shape::sum, 64},
    {shape::sum, 253},   {shape::score, 1024}, {shape::pairs, 253},
    {shape::tree, 64},   {shape::tree, 1024},  {shape::tree, 65536}};
constexpr int all_num_inputs[] = {2, 4, 8, 16};

/// Whether the shape exists: two axes of 253 segments have no 65,536 cells or leaves.
constexpr bool is_measured(sized_shape given, int num_inputs) {
  return num_inputs > 2 || given.size < 65536;
}

/// One look-up. Offsets have an entry for each segment of an axis.
struct plain_bank {
  std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> offsets;
  std::vector<zcmoe_tree_node> nodes;
  std::vector<std::int32_t> constants;
};

struct plain_points {
  std::string partition;
  std::vector<std::vector<double>> edges;  // of each input
  std::vector<plain_bank> banks;
  std::int64_t num_segments = 0;         // 0: answers are sums, in units of 2^sum_exponent
  std::vector<std::int64_t> thresholds;  // of the score
};
constexpr int sum_exponent = -20;

/// The constant of a segment of the head.
inline double head_constant(std::int64_t segment) { return static_cast<double>(segment) - 0.25; }

/// A whole number of at most 2^20 either way.
inline std::int32_t whole(std::uint64_t number) {
  return static_cast<std::int32_t>(scramble(number) >> 43) - (1 << 20);
}

inline std::vector<std::int32_t> whole_numbers(std::int64_t count, std::uint64_t purpose) {
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = whole((purpose << 32) + i);
  return numbers;
}

/// 0, step, 2 step, ..., each of them for `run` codes.
inline std::vector<std::int32_t> steps(std::int64_t count, std::int64_t run, std::int32_t step) {
  std::vector<std::int32_t> made(static_cast<std::size_t>(count));
  for (std::size_t c = 0; c < made.size(); ++c)
    made[c] = static_cast<std::int32_t>(static_cast<std::int64_t>(c) / run) * step;
  return made;
}

/// Cuts of volume: the largest leaf is cut, on an axis and at a place that chance takes, until
/// there are so many. Trees that are learned are uneven too.
inline plain_bank uneven_tree(int num_inputs, std::int64_t codes, std::int64_t num_leaves) {
  struct leaf {
    double volume;
    std::int32_t number;
    std::int32_t parent;  // the node that leads here, by its right branch or not; -1: none
    bool right;
    std::vector<std::pair<std::int32_t, std::int32_t>> codes;  // of each axis from, to
    bool operator<(const leaf& other) const {
      return volume != other.volume ? volume < other.volume : number > other.number;
    }
  };
  plain_bank tree;
  std::priority_queue<leaf> leaves;
  leaves.push({1.0, 0, -1, false,
               std::vector<std::pair<std::int32_t, std::int32_t>>(
                   static_cast<std::size_t>(num_inputs), {0, static_cast<std::int32_t>(codes)})});
  for (std::uint64_t draw = 0; static_cast<std::int64_t>(leaves.size()) < num_leaves;) {
    leaf low = leaves.top();
    leaves.pop();
    std::size_t axis;
    std::int32_t width;
    do {
      axis = scramble(draw++) % static_cast<std::uint64_t>(num_inputs);
      width = low.codes[axis].second - low.codes[axis].first;
    } while (width < 2);
    const auto reach = static_cast<std::uint64_t>(width + 1) / 2;
    const std::int32_t into =
        std::max(1, width / 4) + static_cast<std::int32_t>(scramble(draw++) % reach);
    const std::int32_t cut = low.codes[axis].first + std::min(into, width - 1);

    const auto node = static_cast<std::int32_t>(tree.nodes.size());
    const auto fresh = static_cast<std::int32_t>(leaves.size() + 1);
    tree.nodes.push_back({static_cast<std::int32_t>(axis), cut, ~low.number, ~fresh});
    if (low.parent >= 0) {
      zcmoe_tree_node& above = tree.nodes[static_cast<std::size_t>(low.parent)];
      (low.right ? above.right : above.left) = node;
    }
    leaf high = low;
    high.number = fresh;
    low.parent = high.parent = node;
    low.right = false;
    high.right = true;
    low.codes[axis].second = high.codes[axis].first = cut;
    const double share = static_cast<double>(cut - (high.codes[axis].second - width)) / width;
    high.volume = low.volume * (1 - share);
    low.volume *= share;
    leaves.push(std::move(low));
    leaves.push(std::move(high));
  }
  return tree;
}

/// The segments of each axis.
inline std::vector<std::int64_t> axis_segments(sized_shape given, int num_inputs) {
  const auto d = static_cast<std::size_t>(num_inputs);
  if (given.of == shape::score) return std::vector<std::int64_t>(d, 64);
  if (given.of == shape::tree) return std::vector<std::int64_t>(d, ZCMOE_MAX_AXIS_SEGMENTS);
  if (given.of != shape::grid) return std::vector<std::int64_t>(d, given.size);
  // Factors of two go round the axes. Axes beyond the last factor have one segment, and of their
  // inputs nothing matters but whether they are NaN.
  std::vector<std::int64_t> made(d, 1);
  std::size_t axis = 0;
  for (std::int64_t cells = given.size; cells > 1; cells /= 2) {
    made[axis] *= 2;
    axis = (axis + 1) % d;
  }
  return made;
}

inline plain_points model_of(sized_shape given, int num_inputs) {
  plain_points made;
  const std::vector<std::int64_t> segments = axis_segments(given, num_inputs);
  for (const std::int64_t m : segments) made.edges.push_back(edges_of(distribution::random, m));
  if (given.of == shape::grid) {
    plain_bank all;
    std::int32_t stride = 1;
    for (std::int32_t j = 0; j < num_inputs; ++j) {
      const std::int64_t m = segments[static_cast<std::size_t>(j)];
      all.offsets.emplace_back(j, steps(m, 1, stride));
      stride *= static_cast<std::int32_t>(m);
    }
    made.banks = {std::move(all)};
  } else if (given.of == shape::tree) {
    made.banks = {uneven_tree(num_inputs, segments[0], given.size)};
  } else {
    for (std::int32_t j = 0; j < num_inputs; ++j) {
      const std::int64_t m = segments[static_cast<std::size_t>(j)];
      made.banks.push_back(
          {{{j, steps(m, 1, 1)}}, {}, whole_numbers(m, static_cast<std::uint64_t>(j))});
    }
  }
  if (given.of == shape::pairs) {
    const int count = num_inputs == 2 ? 1 : num_inputs;
    for (std::int32_t j = 0; j < count; ++j) {
      const std::int32_t a = std::min(j, (j + 1) % num_inputs);
      const std::int32_t b = std::max(j, (j + 1) % num_inputs);
      const std::int64_t run = (given.size + 15) / 16;  // 16 cells an axis
      made.banks.push_back({{{a, steps(given.size, run, 16)}, {b, steps(given.size, run, 1)}},
                            {},
                            whole_numbers(256, static_cast<std::uint64_t>(num_inputs + j))});
    }
  }
  if (given.of == shape::sum || given.of == shape::pairs) {
    made.partition = "tables";
    return made;
  }
  made.num_segments = given.size;
  made.partition = given.of == shape::grid ? "grid" : given.of == shape::tree ? "tree" : "score";
  if (given.of != shape::score) {
    made.banks[0].constants.resize(static_cast<std::size_t>(given.size));
    std::iota(made.banks[0].constants.begin(), made.banks[0].constants.end(), 0);
    return made;
  }
  const std::int64_t reach = std::int64_t{num_inputs} << 20;
  for (std::int64_t k = 1; k < given.size; ++k)
    made.thresholds.push_back(2 * reach * k / given.size - reach);
  return made;
}

// ------------------------------------------------------------------- bytes

/// Arrays and metadata of a model file, and its bytes with their checksums.
class model_bytes {
 public:
  void say(const std::string& key, const std::string& value) {
    metadata_ += ",\"" + key + "\":\"" + value + '"';
  }
  template <class T>
  void add(const std::string& name, const std::vector<T>& numbers, std::size_t columns = 1) {
    const char* const dtype = std::is_same_v<T, double>         ? "F64"
                              : std::is_same_v<T, std::int64_t> ? "I64"
                                                                : "I32";
    const std::size_t from = data_.size();
    data_.resize(from + numbers.size() * sizeof(T));
    if (!numbers.empty()) std::memcpy(&data_[from], numbers.data(), data_.size() - from);
    const std::string rows = std::to_string(numbers.size() / columns);
    arrays_ += ",\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":[)" + rows +
               (columns > 1 ? ',' + std::to_string(columns) : "") + R"(],"data_offsets":[)" +
               std::to_string(from) + ',' + std::to_string(data_.size()) + "]}";
  }
  std::vector<unsigned char> written() const {
    const std::string before = R"({"__metadata__":{"header_xxh3_128":")";
    std::string header = before + std::string(32, '0') + R"(","data_xxh3_128":")" +
                         checksum(data_) + '"' + metadata_ + '}' + arrays_ + '}';
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = header.size();
    std::string all(sizeof length, '\0');
    std::memcpy(&all[0], &length, sizeof length);
    all += header;
    all.replace(sizeof length + before.size(), 32, checksum(all));
    all += data_;
    return {all.begin(), all.end()};
  }

 private:
  static std::string checksum(const std::string& bytes) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
    std::string digits;
    for (const unsigned char byte : canonical.digest) {
      for (const int digit : {byte / 16, byte % 16}) digits += "0123456789abcdef"[digit];
    }
    return digits;
  }
  std::string metadata_, arrays_, data_;
};

inline std::vector<unsigned char> bytes_of(const plain_points& given) {
  std::vector<double> boundaries;
  std::vector<std::int32_t> axes, banks, addends, offsets, nodes, constants;
  const auto count = [](std::size_t size) { return static_cast<std::int32_t>(size); };
  for (std::size_t j = 0; j < given.edges.size(); ++j) {
    const std::vector<double>& edges = given.edges[j];
    boundaries.insert(boundaries.end(), edges.begin(), edges.end());
    for (const std::int32_t number : {count(j), count(edges.size() - 1), 0, 1, 0, 0})
      axes.push_back(number);
  }
  for (const plain_bank& bank : given.banks) {
    for (const std::size_t number :
         {bank.constants.size(), bank.offsets.size(), bank.nodes.size(), std::size_t{0}})
      banks.push_back(count(number));
    for (const auto& [axis, values] : bank.offsets) {
      addends.push_back(axis);
      offsets.insert(offsets.end(), values.begin(), values.end());
      offsets.insert(offsets.end(), 3, 0);  // of codes for NaN, below and above, which no row has
    }
    for (const zcmoe_tree_node& node : bank.nodes) {
      for (const std::int32_t number : {node.feature, node.threshold, node.left, node.right})
        nodes.push_back(number);
    }
    constants.insert(constants.end(), bank.constants.begin(), bank.constants.end());
  }
  model_bytes file;
  file.say("format", "zcmoe-model");
  file.say("format_version", "2.0");
  file.say("library_version", zcmoe_version());
  file.say("partition", given.partition);
  file.say("num_inputs", std::to_string(given.edges.size()));
  file.say("num_rows", std::to_string(2 * given.num_segments));
  file.say("noise_variance", "1");
  if (given.num_segments == 0) {
    file.say("base", "0");
    file.say("exponent", std::to_string(sum_exponent));
  }
  file.add("boundaries", boundaries);
  if (given.num_segments > 0) {
    const auto m = static_cast<std::size_t>(given.num_segments);
    std::vector<double> values(m);
    for (std::size_t i = 0; i < m; ++i) values[i] = head_constant(static_cast<std::int64_t>(i));
    file.add("values", values);
    file.add("counts", std::vector<std::int64_t>(m, 2));
    file.add("variance", std::vector<double>(m, 1.0));
    file.add("standard_error", std::vector<double>(m, 0.5));
  }
  if (!given.thresholds.empty()) file.add("thresholds", given.thresholds);
  file.add("axes", axes, 6);
  file.add("banks", banks, 4);
  file.add("oblique", std::vector<std::int32_t>());
  file.add("addends", addends);
  file.add("offsets", offsets);
  file.add("nodes", nodes, 4);
  file.add("constants", constants);
  return file.written();
}

// ----------------------------------------------------------------- answers

/// What a row answers, by upper_bound, look-ups and walks.
inline float answer_of(const plain_points& model, const float* row) {
  std::vector<std::size_t> codes(model.edges.size());
  for (std::size_t j = 0; j < codes.size(); ++j) {
    const std::vector<double>& edges = model.edges[j];
    codes[j] = static_cast<std::size_t>(
        std::upper_bound(edges.begin() + 1, edges.end() - 1, static_cast<double>(row[j])) -
        (edges.begin() + 1));
  }
  std::int64_t score = 0;
  for (const plain_bank& bank : model.banks) {
    std::int32_t cell = 0;
    for (const auto& [axis, values] : bank.offsets)
      cell += values[codes[static_cast<std::size_t>(axis)]];
    if (!bank.nodes.empty()) {
      do {
        const zcmoe_tree_node& node = bank.nodes[static_cast<std::size_t>(cell)];
        const auto code = static_cast<std::int32_t>(codes[static_cast<std::size_t>(node.feature)]);
        cell = code >= node.threshold ? node.right : node.left;
      } while (cell >= 0);
      cell = ~cell;
    }
    score += bank.constants[static_cast<std::size_t>(cell)];
  }
  if (model.num_segments == 0) return std::ldexp(static_cast<float>(score), sum_exponent);
  if (!model.thresholds.empty()) {
    score = std::upper_bound(model.thresholds.begin(), model.thresholds.end(), score) -
            model.thresholds.begin();
  }
  return static_cast<float>(head_constant(score));
}

/// Input j of row i, uniform on [0, 1).
inline float point_of(std::int64_t i, int j) {
  return static_cast<float>(
             scramble((static_cast<std::uint64_t>(j) << 40) + static_cast<std::uint64_t>(i)) >>
             40) *
         0x1p-24F;
}

/// Throws at the first of n predictions that is not what the row answers.
inline void check_points(const plain_points& model, const float* answers, std::int64_t n) {
  std::vector<float> row(model.edges.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = point_of(i, static_cast<int>(j));
    if (answers[i] != answer_of(model, row.data()))
      throw std::runtime_error("row " + std::to_string(i) + " has a wrong answer");
  }
}

/// As many rows as there are numbers to read beside those of a model of one input, so that all
/// shapes move alike many bytes.
inline std::int64_t point_rows(std::int64_t rows, int num_inputs) {
  return std::max<std::int64_t>(1, 2 * rows / num_inputs);
}

}  // namespace zcmoe::bench
