// Model files of several inputs, written from axes, banks and a head by code that shares nothing
// with the library's: it also checks what docs/model-file.md says. With it tests make models that
// nobody has learned.
#pragma once

#include "host/routing/banks.hpp"
#include "tests/model/container_bytes.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace zcmoe::test {

/// What a file says beside axes, banks and head.
struct points_file {
  detail::bank_tables tables{};
  std::string partition;
  std::int64_t num_rows = 0;
  double noise_variance = 0;
  std::vector<std::string> input_names;
  std::string target_name;  // empty: none
};

/// One array of a file.
struct file_array {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

struct file_parts {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<file_array> arrays;

  file_array& array(const std::string& name) {
    return *std::find_if(arrays.begin(), arrays.end(),
                         [&](const file_array& a) { return a.name == name; });
  }
};

template <class T>
file_array array_of(const std::string& name, const std::vector<T>& numbers,
                    std::int64_t columns = 1) {
  const char* const dtype = std::is_same_v<T, double>         ? "F64"
                            : std::is_same_v<T, std::int64_t> ? "I64"
                            : std::is_same_v<T, std::int32_t> ? "I32"
                                                              : "U8";
  file_array made{name, dtype, {static_cast<std::int64_t>(numbers.size()) / columns}, {}};
  if (columns > 1) made.shape.push_back(columns);
  made.bytes.resize(numbers.size() * sizeof(T));
  if (!numbers.empty()) std::memcpy(&made.bytes[0], numbers.data(), made.bytes.size());
  return made;
}

inline std::string shortest(double value) {
  char digits[32];
  return std::isnan(value)
             ? "nan"
             : std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

/// The arrays and the metadata in the order of docs/model-file.md.
inline file_parts parts_of(const points_file& file) {
  const detail::head& head = file.tables.head;
  file_parts parts;
  parts.metadata = {{"format", "zcmoe-model"},
                    {"format_version", "2.0"},
                    {"library_version", zcmoe_version()},
                    {"partition", file.partition},
                    {"num_inputs", std::to_string(file.tables.num_inputs)},
                    {"num_rows", std::to_string(file.num_rows)},
                    {"noise_variance", shortest(file.noise_variance)}};
  if (head.constants.empty()) {
    parts.metadata.emplace_back("base", std::to_string(head.base));
    parts.metadata.emplace_back("exponent", std::to_string(head.exponent));
  }
  if (!file.target_name.empty()) parts.metadata.emplace_back("target_name", file.target_name);

  std::vector<double> boundaries;
  std::vector<std::int32_t> axes, banks, oblique, addends, offsets, nodes, constants;
  for (const detail::input_axis& a : file.tables.axes) {
    boundaries.insert(boundaries.end(), a.edges.begin(), a.edges.end());
    for (const std::int32_t number :
         {a.input, static_cast<std::int32_t>(a.edges.size()) - 1, a.closed_side,
          a.include_outer_edge, a.nan_policy, a.range_policy}) {
      axes.push_back(number);
    }
  }
  const auto add = [&](const std::vector<detail::axis_offsets>& sum) {
    for (const detail::axis_offsets& a : sum) {
      addends.push_back(a.axis);
      offsets.insert(offsets.end(), a.offsets.begin(), a.offsets.end());
    }
  };
  for (const detail::bank& b : file.tables.banks) {
    for (const std::size_t count :
         {b.constants.size(), b.axes.size(), b.nodes.size(), b.oblique.size()}) {
      banks.push_back(static_cast<std::int32_t>(count));
    }
    add(b.axes);
    for (const auto& sum : b.oblique) {
      oblique.push_back(static_cast<std::int32_t>(sum.size()));
      add(sum);
    }
    for (const zcmoe_tree_node& node : b.nodes) {
      for (const std::int32_t number : {node.feature, node.threshold, node.left, node.right})
        nodes.push_back(number);
    }
    constants.insert(constants.end(), b.constants.begin(), b.constants.end());
  }
  parts.arrays.push_back(array_of("boundaries", boundaries));
  if (!head.constants.empty()) {
    parts.arrays.push_back(array_of("values", head.constants));
    parts.arrays.push_back(array_of("counts", head.counts));
    parts.arrays.push_back(array_of("variance", head.variances));
    parts.arrays.push_back(array_of("standard_error", head.standard_errors));
  }
  if (!head.thresholds.empty()) parts.arrays.push_back(array_of("thresholds", head.thresholds));
  parts.arrays.push_back(array_of("axes", axes, 6));
  parts.arrays.push_back(array_of("banks", banks, 4));
  parts.arrays.push_back(array_of("oblique", oblique));
  parts.arrays.push_back(array_of("addends", addends));
  parts.arrays.push_back(array_of("offsets", offsets));
  parts.arrays.push_back(array_of("nodes", nodes, 4));
  parts.arrays.push_back(array_of("constants", constants));
  std::vector<std::uint8_t> names;
  for (const std::string& name : file.input_names) {
    names.insert(names.end(), name.begin(), name.end());
    names.push_back(0);
  }
  if (!names.empty()) parts.arrays.push_back(array_of("input_names", names));
  return parts;
}

/// The file, with right checksums. Texts hold no character that JSON escapes.
inline std::string written(const file_parts& parts) {
  const std::string zeros(32, '0');
  std::string header = "{\"__metadata__\":{\"header_xxh3_128\":\"" + zeros +
                       "\",\"data_xxh3_128\":\"" + zeros + "\"";
  for (const auto& [key, value] : parts.metadata) header += ",\"" + key + "\":\"" + value + "\"";
  header += "}";
  std::string data;
  for (const file_array& a : parts.arrays) {
    std::string shape;
    for (const std::int64_t extent : a.shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    header += ",\"" + a.name + "\":{\"dtype\":\"" + a.dtype + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + a.bytes.size()) + "]}";
    data += a.bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return sealed({header, data});
}

// ------------------------------------------------------------------ samples

/// Three columns, of which the first and the last are looked at, by every policy of an axis: codes
/// 0 to 5 of four segments... of the first, 0 to 4 of the last.
inline std::vector<detail::input_axis> sample_axes() {
  return {{0, {0.0, 1.0, 2.5}, ZCMOE_CLOSED_RIGHT, 1, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_SEGMENTS},
          {2, {-1.0, 0.0, 0.5}, ZCMOE_CLOSED_LEFT, 0, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP}};
}

/// A sum of an axis table, a pair grid, a tree and an oblique tree.
inline points_file sample_tables() {
  points_file file;
  file.partition = "tables";
  file.tables.num_inputs = 3;
  file.tables.axes = sample_axes();
  detail::bank table;
  table.axes = {{0, {0, 1, 2, 1, 3}}};
  table.constants = {5, -7, 100, 2147483647};
  detail::bank grid;
  grid.axes = {{0, {2, 3, 2, 4, 5}}, {1, {-2, 0, -1, 0, 1}}};
  grid.constants = {1, 2, 3, 4, 5, 6, 7};
  detail::bank tree;
  tree.nodes = {{0, 2, 1, -1}, {1, 1, -3, 2}, {0, 1, -2, -4}};
  tree.constants = {-2147483647 - 1, 10, 20, 30};
  detail::bank oblique;
  oblique.nodes = {{2, 3, 1, -1}, {3, -1, -2, -3}};
  oblique.oblique = {{{0, {0, 1, 2, 3, 4}}, {1, {3, 2, 1, 0, -1}}}, {{1, {-3, 1, 0, 2, 5}}}};
  oblique.constants = {9, 8, 7};
  file.tables.banks = {table, grid, tree, oblique};
  file.tables.head.base = -12345678901;
  file.tables.head.exponent = -20;
  file.num_rows = 1000;
  file.noise_variance = 0.1;
  file.input_names = {"distance", "",
                      "Stra\xc3\x9f"
                      "e"};
  file.target_name = "delay";
  return file;
}

/// Segments of these constants, one without rows.
inline detail::head sample_head(std::vector<std::int64_t> thresholds) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  detail::head head;
  head.thresholds = std::move(thresholds);
  head.constants = {1.5, none, -2.0, 0.25};
  head.counts = {3, 0, 7, 1};
  head.variances = {0.5, none, 0.0, none};
  head.standard_errors = {0.25, none, 0.0, none};
  return head;
}

inline points_file sample_score() {
  points_file file = sample_tables();
  file.partition = "score";
  file.tables.head = sample_head({-5, 0, 1000});
  file.target_name.clear();
  file.noise_variance = std::numeric_limits<double>::quiet_NaN();
  return file;
}

/// One tree whose leaves are the segments.
inline points_file sample_tree() {
  points_file file = sample_tables();
  file.partition = "tree";
  file.tables.banks = {file.tables.banks[2]};
  file.tables.banks[0].constants = {3, 1, 0, 2};
  file.tables.head = sample_head({});
  file.input_names.clear();
  return file;
}

/// A product grid of 2 x 2 segments; other codes share their cells.
inline points_file sample_grid() {
  points_file file = sample_tree();
  file.partition = "grid";
  detail::bank grid;
  grid.axes = {{0, {0, 2, 0, 0, 2}}, {1, {0, 1, 0, 0, 1}}};
  grid.constants = {0, 1, 2, 3};
  file.tables.banks = {grid};
  return file;
}

/// No axis at all: an answer for every row.
inline points_file sample_constant() {
  points_file file;
  file.partition = "tables";
  file.tables.num_inputs = 1;
  file.tables.head.base = 3;
  file.tables.head.exponent = -1;
  return file;
}

inline std::vector<points_file> sample_points() {
  return {sample_tables(), sample_score(), sample_tree(), sample_grid(), sample_constant()};
}

}  // namespace zcmoe::test
