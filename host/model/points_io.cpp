// A model of several inputs as a few long arrays: what its axes, banks, sums and trees have one
// after the other, with a table of numbers for each that says how much is whose. The constructor of
// points_model checks what the numbers mean; here is checked that they are there.
#include "host/model/points_io.hpp"

#include "host/model/model.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

const choices partitions = {{ZCMOE_PARTITION_TABLES, "tables"},
                            {ZCMOE_PARTITION_SCORE, "score"},
                            {ZCMOE_PARTITION_TREE, "tree"},
                            {ZCMOE_PARTITION_GRID, "grid"},
                            {ZCMOE_PARTITION_OBLIQUE, "oblique"}};

// Columns of the tables of axes and banks; a node has those of zcmoe_tree_node.
constexpr std::size_t axis_columns = 6;
constexpr std::size_t bank_columns = 4;
constexpr std::size_t node_columns = 4;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

/// A table with the rows of all, [rows, columns].
template <class T>
struct flat_table {
  const char* name;
  std::size_t columns;
  std::vector<T> numbers;

  tensor_view view() const {
    const auto width = static_cast<std::int64_t>(columns);
    const std::int64_t rows = static_cast<std::int64_t>(numbers.size()) / width;
    std::vector<std::int64_t> shape = {rows};
    if (columns > 1) shape.push_back(width);
    return {name, dtype_of<T>(), std::move(shape), numbers.data()};
  }
};

/// All arrays of a file but those of the head.
struct flat_tables {
  flat_table<double> boundaries{"boundaries", 1, {}};
  flat_table<std::int32_t> axes{"axes", axis_columns, {}};
  flat_table<std::int32_t> banks{"banks", bank_columns, {}};
  flat_table<std::int32_t> oblique{"oblique", 1, {}};  // addends of each sum
  flat_table<std::int32_t> addends{"addends", 1, {}};  // axes
  flat_table<std::int32_t> offsets{"offsets", 1, {}};
  flat_table<std::int32_t> nodes{"nodes", node_columns, {}};
  flat_table<std::int32_t> constants{"constants", 1, {}};
};

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::int32_t small(std::size_t count) { return static_cast<std::int32_t>(count); }

flat_tables flattened(const bank_tables& tables) {
  flat_tables flat;
  for (const input_axis& axis : tables.axes) {
    append(flat.axes.numbers, {axis.input, small(axis.edges.size() - 1), axis.closed_side,
                               axis.include_outer_edge, axis.nan_policy, axis.range_policy});
    append(flat.boundaries.numbers, axis.edges);
  }
  const auto add_sum = [&flat](const std::vector<axis_offsets>& sum) {
    for (const axis_offsets& a : sum) {
      flat.addends.numbers.push_back(a.axis);
      append(flat.offsets.numbers, a.offsets);
    }
  };
  for (const bank& b : tables.banks) {
    append(flat.banks.numbers, {small(b.constants.size()), small(b.axes.size()),
                                small(b.nodes.size()), small(b.oblique.size())});
    add_sum(b.axes);
    for (const std::vector<axis_offsets>& sum : b.oblique) {
      flat.oblique.numbers.push_back(small(sum.size()));
      add_sum(sum);
    }
    for (const zcmoe_tree_node& node : b.nodes) {
      append(flat.nodes.numbers, {node.feature, node.threshold, node.left, node.right});
    }
    append(flat.constants.numbers, b.constants);
  }
  return flat;
}

/// Reads a table whose number of rows is free, and hands its numbers out one after the other.
template <class T>
class flat_reader {
 public:
  flat_reader(opened_container& container, const flat_table<T>& table) : name_(table.name) {
    const tensor_entry& entry = container.get(table.name, dtype_of<T>(), table.columns > 1 ? 2 : 1);
    if (table.columns > 1 && entry.shape[1] != table.columns) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name_, " has ", entry.shape[1], " columns, expected ",
           table.columns);
    }
    rows_ = static_cast<std::size_t>(entry.shape[0]);
    numbers_ = container.read<T>(entry);
  }

  std::size_t rows() const { return rows_; }
  /// The next `count` numbers, of which there must be so many.
  const T* next(std::int64_t count) {
    const auto left = static_cast<std::int64_t>(numbers_.size() - at_);
    if (count < 0 || count > left) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name_, ": ", count, " numbers are asked for where ", left,
           " are left");
    }
    const T* const first = numbers_.data() + at_;
    at_ += static_cast<std::size_t>(count);
    return first;
  }
  std::vector<T> next_as_vector(std::int64_t count) {
    const T* const first = next(count);
    return std::vector<T>(first, first + count);
  }
  void refuse_rest() const {
    if (at_ != numbers_.size()) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name_, ": nothing asks for the last ",
           numbers_.size() - at_, " numbers");
    }
  }

 private:
  const char* name_;
  std::vector<T> numbers_;
  std::size_t rows_ = 0;
  std::size_t at_ = 0;
};

/// Puts axes and banks together again.
class table_builder {
 public:
  explicit table_builder(opened_container& container)
      : boundaries_(container, names_.boundaries),
        axes_(container, names_.axes),
        banks_(container, names_.banks),
        oblique_(container, names_.oblique),
        addends_(container, names_.addends),
        offsets_(container, names_.offsets),
        nodes_(container, names_.nodes),
        constants_(container, names_.constants) {}

  void build(bank_tables& tables) {
    check_rows("axes", axes_.rows(), ZCMOE_MAX_INPUTS);
    check_rows("banks", banks_.rows(), max_banks);
    tables.axes.reserve(axes_.rows());
    for (std::size_t a = 0; a < axes_.rows(); ++a) {
      const std::int32_t* const own = axes_.next(axis_columns);
      tables.axes.push_back({own[0], boundaries_.next_as_vector(std::int64_t{own[1]} + 1), own[2],
                             own[3], own[4], own[5]});
    }
    tables.banks.reserve(banks_.rows());
    for (std::size_t b = 0; b < banks_.rows(); ++b) {
      const std::int32_t* const own = banks_.next(bank_columns);
      bank made;
      made.axes = next_sum(tables, own[1]);
      made.nodes = next_nodes(own[2]);
      const std::int32_t* const lengths = oblique_.next(own[3]);
      made.oblique.reserve(static_cast<std::size_t>(own[3]));
      for (std::int32_t k = 0; k < own[3]; ++k) {
        made.oblique.push_back(next_sum(tables, lengths[k]));
      }
      made.constants = constants_.next_as_vector(own[0]);
      tables.banks.push_back(std::move(made));
    }
    boundaries_.refuse_rest();
    for (const flat_reader<std::int32_t>* reader :
         {&oblique_, &addends_, &offsets_, &nodes_, &constants_}) {
      reader->refuse_rest();
    }
  }

 private:
  static void check_rows(const char* name, std::size_t rows, std::int64_t most) {
    if (rows > static_cast<std::size_t>(most))
      fail(ZCMOE_ERR_FORMAT, "tensor ", name, " has ", rows, " rows, more than ", most);
  }

  std::vector<axis_offsets> next_sum(const bank_tables& tables, std::int32_t length) {
    const std::int32_t* const axes = addends_.next(length);
    std::vector<axis_offsets> sum;
    sum.reserve(static_cast<std::size_t>(length));
    for (std::int32_t k = 0; k < length; ++k) {
      if (axes[k] < 0 || static_cast<std::size_t>(axes[k]) >= tables.axes.size()) {
        fail(ZCMOE_ERR_FORMAT, "addends: there is no axis ", axes[k]);
      }
      const input_axis& axis = tables.axes[static_cast<std::size_t>(axes[k])];
      sum.push_back({axes[k], offsets_.next_as_vector(axis.num_slots())});
    }
    return sum;
  }

  std::vector<zcmoe_tree_node> next_nodes(std::int32_t count) {
    constexpr auto columns = static_cast<std::int64_t>(node_columns);
    const std::int32_t* const numbers = nodes_.next(count * columns);
    std::vector<zcmoe_tree_node> nodes;
    nodes.reserve(static_cast<std::size_t>(count));
    for (const std::int32_t* at = numbers; at < numbers + count * columns; at += columns) {
      nodes.push_back({at[0], at[1], at[2], at[3]});
    }
    return nodes;
  }

  const flat_tables names_{};
  flat_reader<double> boundaries_;
  flat_reader<std::int32_t> axes_;
  flat_reader<std::int32_t> banks_;
  flat_reader<std::int32_t> oblique_;
  flat_reader<std::int32_t> addends_;
  flat_reader<std::int32_t> offsets_;
  flat_reader<std::int32_t> nodes_;
  flat_reader<std::int32_t> constants_;
};

/// Constants of segments, and where they begin.
head read_segments(opened_container& container) {
  head h;
  const tensor_entry& entry = container.get("values", "F64", 1);
  const auto m = static_cast<std::size_t>(entry.shape[0]);
  if (m == 0) fail(ZCMOE_ERR_FORMAT, "tensor values is empty");
  h.constants = container.read<double>(entry);
  if (container.find("thresholds", "I64") != nullptr) {
    if (m == 1) fail(ZCMOE_ERR_FORMAT, "tensor thresholds is to be left out: it is empty");
    h.thresholds = container.read<std::int64_t>("thresholds", m - 1);
  }
  return h;
}

/// The names, each with a NUL behind it.
std::vector<std::uint8_t> joined(const std::vector<std::string>& names) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& name : names) {
    bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.push_back(0);
  }
  return bytes;
}

std::vector<std::string> read_names(opened_container& container) {
  std::vector<std::string> names;
  if (container.find("input_names", "U8") == nullptr) return names;
  const tensor_entry& entry = container.get("input_names", "U8", 1);
  constexpr auto limit = static_cast<std::uint64_t>(ZCMOE_MAX_INPUTS) * (max_name_bytes + 1);
  if (entry.shape[0] > limit) {
    fail(ZCMOE_ERR_FORMAT, "tensor input_names has ", entry.shape[0], " bytes, more than ", limit);
  }
  std::string name;
  for (const std::uint8_t byte : container.read<std::uint8_t>(entry)) {
    if (byte != 0) {
      name += static_cast<char>(byte);
    } else {
      names.push_back(std::exchange(name, {}));
    }
  }
  if (!name.empty() || names.empty())
    fail(ZCMOE_ERR_FORMAT, "tensor input_names does not end with a NUL");
  return names;
}

}  // namespace

struct partition_arrays::arrays {
  flat_tables flat;
  std::vector<std::uint8_t> names;
};

partition_arrays::partition_arrays(const points_data& data)
    : data_(data),
      arrays_(std::make_unique<arrays>(arrays{flattened(data.tables), joined(data.input_names)})) {}
partition_arrays::~partition_arrays() = default;

void partition_arrays::add_metadata(metadata_list& metadata) const {
  metadata.emplace_back("partition", name_in(partitions, data_.partition));
  metadata.emplace_back("num_inputs", std::to_string(data_.tables.num_inputs));
}

void partition_arrays::add_target_name(metadata_list& metadata) const {
  if (data_.has_target_name) metadata.emplace_back("target_name", data_.target_name);
}

void partition_arrays::add_first(std::vector<tensor_view>& tensors) const {
  tensors.push_back(arrays_->flat.boundaries.view());
}

void partition_arrays::add_last(std::vector<tensor_view>& tensors) const {
  const std::vector<std::int64_t>& thresholds = data_.tables.head.thresholds;
  const auto count = static_cast<std::int64_t>(thresholds.size());
  if (count > 0) tensors.push_back({"thresholds", "I64", {count}, thresholds.data()});
  const flat_tables& flat = arrays_->flat;
  for (const flat_table<std::int32_t>* table :
       {&flat.axes, &flat.banks, &flat.oblique, &flat.addends, &flat.offsets, &flat.nodes,
        &flat.constants}) {
    tensors.push_back(table->view());
  }
  const std::vector<std::uint8_t>& names = arrays_->names;
  if (!names.empty()) {
    tensors.push_back(
        {"input_names", "U8", {static_cast<std::int64_t>(names.size())}, names.data()});
  }
}

points_data read_partition(opened_container& container) {
  points_data data;
  metadata_reader& metadata = container.metadata();
  data.partition = metadata.get("partition", partitions);
  data.tables.num_inputs =
      static_cast<std::int32_t>(metadata.get_integer("num_inputs", 1, ZCMOE_MAX_INPUTS));
  if (const std::string* const name = metadata.find("target_name")) {
    data.target_name = *name;
    data.has_target_name = true;
  }
  table_builder(container).build(data.tables);
  if (data.partition != ZCMOE_PARTITION_TABLES) data.tables.head = read_segments(container);
  data.input_names = read_names(container);
  return data;
}

void write_points(const points_model& model, const byte_sink& sink) {
  const points_data& data = model.data();
  const head& h = data.tables.head;
  const partition_arrays partition(data);
  metadata_list metadata = {{"format", model_format},
                            {"format_version", text(points_major, ".0")},
                            {"library_version", zcmoe_version()}};
  partition.add_metadata(metadata);
  metadata.emplace_back("num_rows", std::to_string(data.num_rows));
  metadata.emplace_back("noise_variance", text_of(data.noise_variance));
  if (!h.has_segments()) {
    metadata.emplace_back("base", std::to_string(h.base));
    metadata.emplace_back("exponent", std::to_string(h.exponent));
  }
  partition.add_target_name(metadata);
  std::vector<tensor_view> tensors;
  partition.add_first(tensors);
  const std::int64_t m = h.num_segments();
  if (h.has_segments()) {
    tensors.push_back({"values", "F64", {m}, h.constants.data()});
    tensors.push_back({"counts", "I64", {m}, h.counts.data()});
    tensors.push_back({"variance", "F64", {m}, h.variances.data()});
    tensors.push_back({"standard_error", "F64", {m}, h.standard_errors.data()});
  }
  partition.add_last(tensors);
  write_safetensors(metadata, tensors, sink);
}

std::unique_ptr<points_model> read_points(std::shared_ptr<backend> engine,
                                          opened_container& container) {
  return built_from_file([&] {
    metadata_reader& metadata = container.metadata();
    metadata.get("library_version");  // for people to read, so any text is right
    points_data data = read_partition(container);
    data.num_rows = metadata.get_integer("num_rows", 0, largest);
    data.noise_variance = metadata.get_number("noise_variance");
    head& h = data.tables.head;
    if (data.partition == ZCMOE_PARTITION_TABLES) {
      h.base = metadata.get_integer("base", -largest - 1, largest);
      h.exponent = static_cast<std::int32_t>(
          metadata.get_integer("exponent", -max_sum_exponent, max_sum_exponent));
    } else {
      h.counts = container.read<std::int64_t>("counts", h.constants.size());
      h.variances = container.read<double>("variance", h.constants.size());
      h.standard_errors = container.read<double>("standard_error", h.constants.size());
    }
    container.refuse_unknown();
    return std::make_unique<points_model>(std::move(engine), std::move(data), nullptr);
  });
}

}  // namespace zcmoe::detail
