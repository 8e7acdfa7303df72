// The two kinds of table behind row_source, and the decision which one the arguments mean.
#include "row_source.hpp"

#include "failure.hpp"
#include "npy_file.hpp"
#include "number.hpp"
#include "say.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <utility>

namespace zcmoe::cli {
namespace {

// Blocks are large enough to hide the cost of a call, and small beside the memory of any machine.
constexpr std::int64_t csv_block_rows = std::int64_t{1} << 17;
constexpr std::int64_t csv_block_numbers = std::int64_t{1} << 19;  // of tables of many columns
constexpr std::int64_t npy_block_rows = std::int64_t{1} << 20;

class csv_rows final : public row_source {
 public:
  csv_rows(input_file input, const std::string& path, const csv_options& options,
           const std::vector<column_role>& roles)
      : row_source({path}),
        input_(std::move(input)),
        options_(options),
        slot_of_role_(roles.size(), -1) {
    for (std::size_t role = 0; role < roles.size(); ++role) {
      if (roles[role].value.empty()) continue;
      slot_of_role_[role] = static_cast<int>(requests_.size());
      requests_.push_back({roles[role].option, roles[role].value});
    }
  }

  csv_rows(input_file input, const std::string& path, const csv_options& options,
           const column_chooser& choose)
      : row_source({path}), input_(std::move(input)), options_(options) {
    reader_.emplace(input_, options_, choose);
    ++times_read_;
    for (std::size_t k = 0; k < reader_->num_columns(); ++k) {
      slot_of_role_.push_back(static_cast<int>(k));
      requests_.push_back({text("column ", reader_->column_index(k) + 1), reader_->column_name(k),
                           reader_->column_index(k) + 1});
    }
    refuse_repeats();
  }

  bool next(row_block& block) override {
    const csv_block* rows;
    if (replay_ && next_kept_ < kept_.size()) {
      rows = &kept_[next_kept_++];
    } else {
      if (replay_) return false;
      rows = &read();
    }
    block = row_block{};
    block.first_row = next_row_;
    block.rows = rows->rows();
    next_row_ += block.rows;
    block.columns.assign(slot_of_role_.size(), zcmoe_array{});
    for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
      if (slot_of_role_[role] < 0) continue;
      block.columns[role] = {rows->columns[slot(role)].data(), ZCMOE_F64, 1};
    }
    block.missing = rows->missing.data();
    block.unparsable = rows->unparsable.data();
    block.lines = rows->lines.data();
    block.source = this;
    return block.rows > 0;
  }

  void make_rewindable(std::int64_t kept_rows) override {
    kept_rows_ = kept_rows;
    rewindable_ = true;
    // Only the end of the input tells whether all rows can be kept; until then it must be possible
    // to read them again.
    input_.make_rewindable();
  }

  void rewind() override {
    next_row_ = 0;
    next_kept_ = 0;
    replay_ = whole_kept_;
    if (replay_) return;
    kept_.clear();
    rewindable_ = false;  // the table has more rows than are kept
    input_.rewind();
    reader_.reset();
  }

  std::int64_t times_read() const override { return times_read_; }

  bool has(std::size_t role) const override { return slot_of_role_[role] >= 0; }
  std::size_t num_columns() const override { return slot_of_role_.size(); }
  zcmoe_dtype dtype(std::size_t) const override { return ZCMOE_F64; }
  std::string column_name(std::size_t role) override {
    return has(role) ? open_reader().column_name(slot(role)) : std::string();
  }
  const char* format() const override { return "csv"; }
  std::string place(const std::string& row, std::size_t role) const override {
    return text(input_.name(), ", ", row, ", ", reader_->column_in_words(slot(role)));
  }
  std::string first_unparsable() const override {
    return reader_.has_value() ? reader_->first_unparsable() : std::string();
  }
  std::string number_hint() const override {
    return reader_.has_value() ? reader_->number_hint() : std::string();
  }
  std::vector<std::string> warnings() const override {
    return reader_.has_value() ? reader_->warnings() : std::vector<std::string>();
  }
  double done() const override {
    if (replay_)
      return static_cast<double>(next_kept_) /
             static_cast<double>(std::max<std::size_t>(kept_.size(), 1));
    return input_.size() > 0
               ? static_cast<double>(input_.position()) / static_cast<double>(input_.size())
               : -1.0;
  }
  std::int64_t rows() const override { return -1; }
  std::int64_t bytes() const override { return input_.position(); }

 private:
  csv_reader& open_reader() {
    if (!reader_.has_value()) {
      reader_.emplace(input_, options_, requests_);
      ++times_read_;
    }
    return *reader_;
  }

  /// The next block of the file; none at its end. The blocks of a table that is kept lie in kept_.
  const csv_block& read() {
    const auto columns = static_cast<std::int64_t>(std::max<std::size_t>(requests_.size(), 1));
    open_reader().read(rows_, std::min(csv_block_rows, csv_block_numbers / columns));
    renumber(rows_.missing);
    renumber(rows_.unparsable);
    if (!rewindable_) return rows_;
    if (rows_.rows() == 0) {
      whole_kept_ = true;
    } else if (next_row_ + rows_.rows() <= kept_rows_) {
      kept_.push_back(std::move(rows_));
      rows_ = csv_block();
      return kept_.back();
    } else {
      rewindable_ = false;
      kept_.clear();
    }
    return rows_;
  }

  std::size_t slot(std::size_t role) const { return static_cast<std::size_t>(slot_of_role_[role]); }

  void refuse_repeats() const {
    std::vector<std::size_t> order(requests_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto number = [&](std::size_t k) { return requests_[k].number; };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return number(a) < number(b); });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (number(order[i]) != number(order[i - 1])) continue;
      fail(input_.name(), ": ", reader_->column_in_words(order[i]),
           " is asked for twice: an input is another column than the target and other inputs");
    }
  }

  /// The reader sets column_bit(k) for request k, callers ask for that of role k. They differ only
  /// if a role before was left out.
  void renumber(std::vector<unsigned char>& flags) const {
    bool same = true;
    for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
      same = same && (slot_of_role_[role] < 0 || slot(role) == role);
    }
    if (same) return;
    for (unsigned char& row : flags) {
      unsigned char renumbered = 0;
      for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
        if (slot_of_role_[role] >= 0 && (row & column_bit(slot(role))) != 0)
          renumbered |= column_bit(role);
      }
      row = renumbered;
    }
  }

  input_file input_;
  csv_options options_;
  std::vector<int> slot_of_role_;  // -1: not asked for
  std::vector<column_request> requests_;
  std::optional<csv_reader> reader_;
  csv_block rows_;
  std::int64_t next_row_ = 0;
  std::int64_t times_read_ = 0;
  bool rewindable_ = false;     // blocks are being kept
  std::int64_t kept_rows_ = 0;  // at most
  std::deque<csv_block> kept_;
  bool whole_kept_ = false;  // kept_ holds all rows of the table
  bool replay_ = false;      // this pass takes its rows from kept_
  std::size_t next_kept_ = 0;
};

class npy_rows final : public row_source {
 public:
  npy_rows(std::vector<npy_column> columns, std::vector<std::string> paths)
      : row_source(std::move(paths)),
        columns_(std::move(columns)),
        copies_(columns_.size()),
        rounded_(columns_.size()) {
    for (const npy_column& column : columns_) {
      if (column.file != nullptr && (files_.empty() || files_.back() != column.file))
        files_.push_back(column.file);
    }
    const npy_file& first = *files_.front();
    for (const auto& file : files_) {
      if (file->rows() != first.rows()) {
        fail(file->name(), " has ", file->rows(), " rows, but ", first.name(), " has ",
             first.rows());
      }
    }
    num_rows_ = first.rows();
  }

  bool next(row_block& block) override {
    check_unchanged();  // the caller is done with the rows given
    for (const auto& file : files_) {
      if (given_ < next_row_) file->drop(given_, next_row_);
    }
    given_ = next_row_;
    block = row_block{};
    block.first_row = next_row_;
    block.rows = std::min(npy_block_rows, num_rows_ - next_row_);
    block.source = this;
    block.columns.assign(columns_.size(), zcmoe_array{});
    for (std::size_t role = 0; role < columns_.size(); ++role) {
      if (has(role)) block.columns[role] = column(role, block.rows);
    }
    next_row_ += block.rows;
    if (block.rows == 0) say_what_was_rounded();
    return block.rows > 0;
  }

  bool whole(row_block& block) override {
    block = row_block{};
    block.rows = num_rows_;
    block.source = this;
    block.columns.assign(columns_.size(), zcmoe_array{});
    for (std::size_t role = 0; role < columns_.size(); ++role) {
      if (!has(role)) continue;
      const npy_file& file = *columns_[role].file;
      if (!file.aligned() || widens(role)) return false;
      block.columns[role] = {file.row(0, columns_[role].column), file.dtype(), file.stride()};
    }
    given_ = next_row_ = num_rows_;
    return true;
  }

  void check_unchanged() const override {
    for (const auto& file : files_) file->check_unchanged();
  }

  void make_rewindable(std::int64_t) override {}
  void rewind() override { given_ = next_row_ = 0; }
  std::int64_t times_read() const override { return 1; }
  bool has(std::size_t role) const override {
    return role < columns_.size() && columns_[role].file != nullptr;
  }
  std::size_t num_columns() const override { return columns_.size(); }
  zcmoe_dtype dtype(std::size_t role) const override {
    return widens(role) ? zcmoe_dtype{ZCMOE_F64} : columns_[role].file->dtype();
  }
  std::string column_name(std::size_t) override { return {}; }
  const char* format() const override { return "npy"; }
  std::string place(const std::string& row, std::size_t role) const override {
    const npy_column& column = columns_[role];
    return column.file->columns() == 1
               ? text(column.file->name(), ", ", row)
               : text(column.file->name(), ", ", row, ", column ", column.column + 1);
  }
  std::string first_unparsable() const override { return {}; }
  std::string number_hint() const override { return {}; }
  std::vector<std::string> warnings() const override { return {}; }
  double done() const override {
    return num_rows_ > 0 ? static_cast<double>(next_row_) / static_cast<double>(num_rows_) : 1.0;
  }
  std::int64_t rows() const override { return num_rows_; }
  std::int64_t bytes() const override {
    std::int64_t row_bytes = 0;
    for (const auto& column : columns_)
      row_bytes += column.file != nullptr ? element_size(column.file->dtype()) : 0;
    return row_bytes * next_row_;
  }

 private:
  /// The library takes inputs of all types but 64-bit integers, and the targets and weights of fits
  /// as floats only. The rest is widened to doubles.
  bool widens(std::size_t role) const {
    const zcmoe_dtype type = columns_[role].file->dtype();
    if (type == ZCMOE_F32 || type == ZCMOE_F64) return false;
    return !columns_[role].any_type || type == ZCMOE_I64 || type == dtype_u64;
  }

  zcmoe_array column(std::size_t role, std::int64_t rows) {
    const npy_file& file = *columns_[role].file;
    zcmoe_array mapped{file.row(next_row_, columns_[role].column), file.dtype(), file.stride()};
    if (!file.aligned() && rows > 0) {
      // Behind a header of odd length no element is aligned, as the library needs it: copy them.
      unaligned_.resize(static_cast<std::size_t>(rows));
      std::vector<double>& copy = widens(role) ? unaligned_ : copies_[role];
      copy.resize(static_cast<std::size_t>(rows));
      copy_bytes(mapped, rows, reinterpret_cast<char*>(copy.data()));
      mapped.data = copy.data();
      mapped.stride = 1;
    }
    return widens(role) ? widened(mapped, rows, role) : mapped;
  }

  static void copy_bytes(const zcmoe_array& from, std::int64_t rows, char* to) {
    const auto size = static_cast<std::size_t>(element_size(from.dtype));
    const char* const data = static_cast<const char*>(from.data);
    if (from.stride == 1) {
      std::memcpy(to, data, static_cast<std::size_t>(rows) * size);
      return;
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      std::memcpy(to + static_cast<std::size_t>(i) * size,
                  data + static_cast<std::size_t>(i * from.stride) * size, size);
    }
  }

  zcmoe_array widened(const zcmoe_array& column, std::int64_t rows, std::size_t role) {
    std::vector<double>& wide = copies_[role];
    wide.resize(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t from = i * column.stride;
      const double value = wide[static_cast<std::size_t>(i)] = element(column, from);
      if (std::abs(value) >= 0x1p53 && !is_exact(column, from, value)) ++rounded_[role];
    }
    return {wide.data(), ZCMOE_F64, 1};
  }

  /// Whether the double is the 64-bit integer that it stands for.
  static bool is_exact(const zcmoe_array& column, std::int64_t i, double value) {
    if (column.dtype == dtype_u64) {
      return value < 0x1p64 &&
             static_cast<std::uint64_t>(value) == static_cast<const std::uint64_t*>(column.data)[i];
    }
    return column.dtype != ZCMOE_I64 ||
           (value < 0x1p63 &&
            static_cast<std::int64_t>(value) == static_cast<const std::int64_t*>(column.data)[i]);
  }

  /// Called at the end of every pass; says it once.
  void say_what_was_rounded() {
    for (std::size_t role = 0; role < columns_.size(); ++role) {
      if (rounded_[role] == 0 || said_) continue;
      say(text(
          columns_[role].file->name(),
          ": integers beyond 2^53, rounded to the nearest float64: ", grouped(rounded_[role])));
    }
    said_ = true;
  }

  std::vector<npy_column> columns_;
  std::vector<std::shared_ptr<const npy_file>> files_;
  std::vector<std::vector<double>> copies_;
  std::vector<double> unaligned_;
  std::vector<std::int64_t> rounded_;
  bool said_ = false;
  std::int64_t num_rows_ = 0;
  std::int64_t given_ = 0;  // first row of the block the caller holds
  std::int64_t next_row_ = 0;
};

bool ends_in_npy(const std::string& path) {
  return path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
}

std::unique_ptr<row_source> open_npy(input_file first, const table_choice& table,
                                     const std::vector<column_role>& roles) {
  if (table.inputs.size() > roles.size()) {
    fail_usage(table.inputs.size(), " NPY files given; the command takes at most ", roles.size());
  }
  std::vector<npy_column> columns(roles.size());
  std::vector<std::string> paths = table.inputs;
  columns[0] = {std::make_shared<const npy_file>(std::move(first)), 0, true};
  for (std::size_t role = 0; role < roles.size(); ++role) {
    const bool positional = role < table.inputs.size();
    const std::string& option = roles[role].option;
    if (positional && !roles[role].value.empty()) {
      fail_usage(option, " ", roles[role].value, ": this column is already given by ",
                 table.inputs[role]);
    }
    if (!positional && roles[role].value.empty()) {
      if (roles[role].required) {
        fail_usage(option, " is missing: after ", table.inputs[0],
                   " name the NPY file of this column");
      }
      continue;
    }
    if (role == 0) continue;
    if (!positional) paths.push_back(roles[role].value);
    columns[role].file = std::make_shared<const npy_file>(
        open_further_npy(positional ? table.inputs[role] : roles[role].value, table));
  }
  return open_npy_columns(std::move(columns), std::move(paths));
}

/// Fails with a usage error if one character is given two meanings.
void check_csv_options(const csv_options& csv) {
  const std::string delimiter(1, csv.delimiter);
  const std::string decimal(1, csv.numbers.decimal);
  const std::string comment(1, csv.comment);
  const auto differ = [](const char* one, const std::string& a, const char* other,
                         const std::string& b) {
    if (!a.empty() && a == b) fail_usage(one, " and ", other, " are both '", a, "'");
  };
  differ("--decimal", decimal, "--delimiter", delimiter);
  differ("--decimal", decimal, "--thousands", csv.numbers.thousands);
  differ("--comment", comment, "--delimiter", delimiter);
  differ("--comment", comment, "--decimal", decimal);
}

}  // namespace

std::string row_block::place(std::int64_t i, std::size_t role) const {
  const std::string row =
      lines != nullptr ? text("line ", lines[i]) : text("row ", first_row + i + 1);
  return source != nullptr ? source->place(row, role) : row;
}

void print_warnings(const row_source& rows) {
  for (const std::string& warning : rows.warnings()) say("warning: " + warning);
}

std::unique_ptr<row_source> open_csv_columns(input_file input, const std::string& path,
                                             const csv_options& options,
                                             const column_chooser& choose) {
  return std::make_unique<csv_rows>(std::move(input), path, options, choose);
}

std::unique_ptr<row_source> open_npy_columns(std::vector<npy_column> columns,
                                             std::vector<std::string> paths) {
  return std::make_unique<npy_rows>(std::move(columns), std::move(paths));
}

input_file open_first(const table_choice& table) {
  check_csv_options(table.csv);
  if (table.inputs.empty())
    fail_usage("no input: name a CSV file, NPY files, or - for standard input");
  if (std::count(table.inputs.begin(), table.inputs.end(), "-") > 1) {
    fail_usage("standard input (-) can be read as one input only");
  }
  input_file first(table.inputs[0]);
  if (first.is_npy()) return first;
  first.refuse_binary();
  if (ends_in_npy(table.inputs[0]))
    fail(table.inputs[0], ": not an NPY file: it does not begin with \\x93NUMPY");
  return first;
}

input_file open_further_npy(const std::string& path, const table_choice& table) {
  input_file input(path);
  if (!input.is_npy()) input.refuse_binary();
  if (!input.is_npy()) fail(input.name(), ": not an NPY file, but ", table.inputs[0], " is one");
  return input;
}

void check_comes_alone(const table_choice& table, const input_file& first) {
  if (table.inputs.size() > 1) {
    fail_usage(table.inputs.size(), " inputs given, but ", first.name(),
               " is a CSV file, which comes alone");
  }
}

std::unique_ptr<row_source> open_rows(const table_choice& table,
                                      const std::vector<column_role>& roles) {
  input_file first = open_first(table);
  if (first.is_npy()) return open_npy(std::move(first), table, roles);
  check_comes_alone(table, first);
  std::vector<column_role> columns = roles;
  for (column_role& role : columns) {
    if (role.value.empty() && table.csv.header && !role.stored.empty()) {
      role.value = role.stored;
      role.option += " (not given: the name that the model keeps)";
    }
    if (role.required && role.value.empty()) {
      fail_usage(role.option, " is missing: name the column of ", first.name(),
                 " (its header text or its number)");
    }
  }
  return std::make_unique<csv_rows>(std::move(first), table.inputs[0], table.csv, columns);
}

}  // namespace zcmoe::cli
