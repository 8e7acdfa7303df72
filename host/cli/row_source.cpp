// The two kinds of table behind row_source, and the decision which one the arguments mean.
#include "row_source.hpp"

#include "failure.hpp"
#include "npy_file.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace zcmoe::cli {
namespace {

// Large enough to hide the cost of a call, small enough to stay far below the memory of any
// machine.
constexpr std::int64_t csv_block_rows = std::int64_t{1} << 17;
constexpr std::int64_t npy_block_rows = std::int64_t{1} << 20;

class csv_rows final : public row_source {
 public:
  csv_rows(input_file input, const csv_options& options, const std::vector<column_role>& roles)
      : input_(std::move(input)), options_(options), slot_of_role_(roles.size(), -1) {
    for (std::size_t role = 0; role < roles.size(); ++role) {
      if (roles[role].value.empty()) continue;
      slot_of_role_[role] = static_cast<int>(requests_.size());
      requests_.push_back({roles[role].option, roles[role].value});
    }
  }

  bool next(row_block& block) override {
    csv_reader& reader = open_reader();
    const std::int64_t first_row = next_row_;
    reader.read(rows_, csv_block_rows);
    next_row_ += rows_.rows();
    block = row_block{};
    block.first_row = first_row;
    block.rows = rows_.rows();
    for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
      if (slot_of_role_[role] < 0) continue;
      block.columns[role] = {rows_.columns[slot(role)].data(), ZCMOE_F64, 1};
    }
    // Flags are kept by request; callers know roles. They differ only if a role was left out.
    renumber(rows_.missing);
    renumber(rows_.unparsable);
    block.missing = rows_.missing.data();
    block.unparsable = rows_.unparsable.data();
    if (first_unparsable_.empty()) first_unparsable_ = reader.first_unparsable();
    return block.rows > 0;
  }

  void make_rewindable() override { input_.spool(); }

  void rewind() override {
    input_.rewind();
    reader_.reset();
    next_row_ = 0;
  }

  bool has(std::size_t role) const override { return slot_of_role_[role] >= 0; }
  zcmoe_dtype dtype(std::size_t) const override { return ZCMOE_F64; }
  std::string column_name(std::size_t role) override {
    return has(role) ? open_reader().column_name(slot(role)) : std::string();
  }
  const char* format() const override { return "csv"; }
  std::string first_unparsable() const override { return first_unparsable_; }
  double done() const override {
    return input_.size() > 0
               ? static_cast<double>(input_.position()) / static_cast<double>(input_.size())
               : -1.0;
  }
  std::int64_t rows() const override { return -1; }
  std::int64_t bytes() const override { return input_.position(); }

 private:
  csv_reader& open_reader() {
    if (!reader_.has_value()) reader_.emplace(input_, options_, requests_);
    return *reader_;
  }

  std::size_t slot(std::size_t role) const { return static_cast<std::size_t>(slot_of_role_[role]); }

  void renumber(std::vector<unsigned char>& flags) const {
    bool same = true;
    for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
      same = same && (slot_of_role_[role] < 0 || slot(role) == role);
    }
    if (same) return;
    for (unsigned char& row : flags) {
      unsigned renumbered = 0;
      for (std::size_t role = 0; role < slot_of_role_.size(); ++role) {
        if (slot_of_role_[role] >= 0 && (row >> slot_of_role_[role] & 1) != 0)
          renumbered |= 1u << role;
      }
      row = static_cast<unsigned char>(renumbered);
    }
  }

  input_file input_;
  csv_options options_;
  std::vector<int> slot_of_role_;  // -1: not asked for
  std::vector<column_request> requests_;
  std::optional<csv_reader> reader_;
  csv_block rows_;
  std::int64_t next_row_ = 0;
  std::string first_unparsable_;
};

class npy_rows final : public row_source {
 public:
  explicit npy_rows(std::vector<std::optional<npy_file>> files)
      : files_(std::move(files)), copies_(files_.size()) {
    const npy_file& first = *files_.front();
    for (const auto& file : files_) {
      if (file.has_value() && file->rows() != first.rows()) {
        fail(file->name(), " has ", file->rows(), " rows, but ", first.name(), " has ",
             first.rows());
      }
    }
    num_rows_ = first.rows();
  }

  bool next(row_block& block) override {
    for (const auto& file : files_) {
      if (file.has_value() && given_ < next_row_) file->drop(given_, next_row_);
    }
    given_ = next_row_;
    block = row_block{};
    block.first_row = next_row_;
    block.rows = std::min(npy_block_rows, num_rows_ - next_row_);
    for (std::size_t role = 0; role < files_.size(); ++role) {
      if (files_[role].has_value()) block.columns[role] = column(role, block.rows);
    }
    next_row_ += block.rows;
    return block.rows > 0;
  }

  void make_rewindable() override {}
  void rewind() override { given_ = next_row_ = 0; }
  bool has(std::size_t role) const override {
    return role < files_.size() && files_[role].has_value();
  }
  zcmoe_dtype dtype(std::size_t role) const override { return files_[role]->dtype(); }
  std::string column_name(std::size_t) override { return {}; }
  const char* format() const override { return "npy"; }
  std::string first_unparsable() const override { return {}; }
  double done() const override {
    return num_rows_ > 0 ? static_cast<double>(next_row_) / static_cast<double>(num_rows_) : 1.0;
  }
  std::int64_t rows() const override { return num_rows_; }
  std::int64_t bytes() const override {
    std::int64_t row_bytes = 0;
    for (const auto& file : files_) row_bytes += file.has_value() ? element_size(file->dtype()) : 0;
    return row_bytes * next_row_;
  }

 private:
  zcmoe_array column(std::size_t role, std::int64_t rows) {
    const npy_file& file = *files_[role];
    const char* data = file.row(next_row_);
    if (!file.aligned()) {
      // A header of odd length: the library reads only whole, aligned elements.
      std::vector<double>& copy = copies_[role];
      copy.resize(static_cast<std::size_t>(rows));
      if (rows > 0)
        std::memcpy(copy.data(), data, static_cast<std::size_t>(rows * element_size(file.dtype())));
      return {copy.data(), file.dtype(), 1};
    }
    return {data, file.dtype(), 1};
  }

  std::vector<std::optional<npy_file>> files_;
  std::vector<std::vector<double>> copies_;
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
  std::vector<std::optional<npy_file>> files(roles.size());
  files[0].emplace(std::move(first));
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
    input_file input(positional ? table.inputs[role] : roles[role].value);
    if (!input.is_npy()) fail(input.name(), ": not an NPY file, but ", table.inputs[0], " is one");
    files[role].emplace(std::move(input));
  }
  return std::make_unique<npy_rows>(std::move(files));
}

}  // namespace

std::unique_ptr<row_source> open_rows(const table_choice& table,
                                      const std::vector<column_role>& roles) {
  if (table.inputs.empty())
    fail_usage("no input: name a CSV file, NPY files, or - for standard input");
  if (std::count(table.inputs.begin(), table.inputs.end(), "-") > 1) {
    fail_usage("standard input (-) can be read as one input only");
  }
  input_file first(table.inputs[0]);
  if (first.is_npy()) return open_npy(std::move(first), table, roles);
  if (ends_in_npy(table.inputs[0]))
    fail(table.inputs[0], ": not an NPY file: it does not begin with \\x93NUMPY");
  if (table.inputs.size() > 1) {
    fail_usage(table.inputs.size(), " inputs given, but ", first.name(),
               " is a CSV file, which comes alone");
  }
  for (const column_role& role : roles) {
    if (role.required && role.value.empty()) {
      fail_usage(role.option, " is missing: name the column of ", first.name(),
                 " (its header text or its number)");
    }
  }
  return std::make_unique<csv_rows>(std::move(first), table.csv, roles);
}

}  // namespace zcmoe::cli
