// libcsv is fed line by line, so that every row knows the line it began on; only requested fields
// are looked at.
#include "csv_reader.hpp"

#include "failure.hpp"
#include "number.hpp"

#include <csv.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18;
// A quote that is never closed would make one field of the rest of the file.
constexpr std::size_t max_field = std::size_t{1} << 20;

bool is_blank_line(const char* data, std::size_t size) {
  return std::all_of(data, data + size,
                     [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
}

std::string shortened(std::string_view field) {
  std::string shown;
  std::size_t size = std::min<std::size_t>(field.size(), 40);
  // Not in the middle of a UTF-8 character.
  for (int k = 0; k < 3 && size < field.size(); ++k) {
    if ((static_cast<unsigned char>(field[size]) & 0xC0) != 0x80) break;
    --size;
  }
  for (const char c : field.substr(0, size)) shown += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  if (size < field.size()) shown += "...";
  return shown;
}

/// A column number, or 0 if the text is none.
std::size_t column_number(const std::string& column) {
  if (column.empty() || column.size() > 9 ||
      column.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoul(column);
}

}  // namespace

void csv_block::clear() {
  for (auto& column : columns) column.clear();
  missing.clear();
  unparsable.clear();
}

csv_reader::csv_reader(input_file& input, const csv_options& options,
                       std::vector<column_request> requests)
    : input_(input),
      options_(options),
      requests_(std::move(requests)),
      names_(requests_.size()),
      parser_(std::make_unique<csv_parser>()),
      buffer_(buffer_size) {
  if (requests_.size() > max_columns)
    fail(requests_.size(), " columns asked for; the limit is ", max_columns);
  // Blank lines are reported too: in a table of one column they are rows.
  if (csv_init(parser_.get(), CSV_REPALL_NL) != 0) fail(input_.name(), ": out of memory");
  csv_set_delim(parser_.get(), static_cast<unsigned char>(options_.delimiter));
  out_ = &pending_;
  try {
    while (!resolved_ && feed()) {
    }
    if (!resolved_ && options_.header) {
      fail(input_.name(),
           ": the file is empty: it has no header line (--no-header: the first line is data)");
    }
  } catch (...) {
    csv_free(parser_.get());
    throw;
  }
  for (std::size_t k = 0; k < names_.size(); ++k) {
    if (names_[k].empty()) names_[k] = text("column ", requests_[k].column);
  }
}

csv_reader::~csv_reader() { csv_free(parser_.get()); }

void csv_reader::read(csv_block& block, std::int64_t rows) {
  block.clear();
  if (pending_.rows() > 0) std::swap(block, pending_);
  out_ = &block;
  while (block.rows() < rows && feed()) {
  }
}

/// Parses one buffer of input; false at the end.
bool csv_reader::feed() {
  if (finished_) return false;
  const bool at_start = input_.position() == 0;
  std::size_t size = input_.read(buffer_.data(), buffer_.size());
  const char* data = buffer_.data();
  if (at_start) {
    // A pipe may hand over the first bytes one by one.
    while (size > 0 && size < 3) {
      const std::size_t more = input_.read(buffer_.data() + size, buffer_.size() - size);
      if (more == 0) break;
      size += more;
    }
    const std::string_view start(data, size);
    if (start.substr(0, 3) == "\xEF\xBB\xBF") {
      data += 3;
      size -= 3;
    } else if (start.substr(0, 2) == "\xFF\xFE" || start.substr(0, 2) == "\xFE\xFF") {
      fail(input_.name(), ": the file is UTF-16; save it as UTF-8");
    }
    if (size == 0 && !start.empty()) return feed();
  }
  if (size == 0) {
    finish();
    return false;
  }
  const char* const end = data + size;
  while (data < end) {
    const void* const newline = std::memchr(data, '\n', static_cast<std::size_t>(end - data));
    const char* const stop = newline != nullptr ? static_cast<const char*>(newline) + 1 : end;
    feed_line(data, static_cast<std::size_t>(stop - data));
    if (newline != nullptr) ++line_;
    data = stop;
  }
  return true;
}

void csv_reader::feed_line(const char* data, std::size_t size) {
  if (!row_open_ && !is_blank_line(data, size)) {
    row_open_ = true;
    row_line_ = line_;
  }
  if (csv_parse(parser_.get(), data, size, take_field, take_row, this) != size) {
    if (error_ == nullptr)
      fail(input_.name(), ", line ", row_line_, ": ", csv_strerror(csv_error(parser_.get())));
  }
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  if (csv_get_buffer_size(parser_.get()) > max_field) {
    fail(input_.name(), ", line ", row_line_, ": a field is longer than ", max_field,
         " bytes; is a quote left open, or is this not a CSV file?");
  }
}

void csv_reader::finish() {
  finished_ = true;
  // Only now: while parsing, strict would also refuse a lone quote inside an unquoted field.
  csv_set_opts(parser_.get(), CSV_STRICT | CSV_STRICT_FINI);
  const int status = csv_fini(parser_.get(), take_field, take_row, this);
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  if (status != 0)
    fail(input_.name(), ", line ", row_line_,
         ": a quoted field is not closed at the end of the file");
}

void csv_reader::take_field(void* data, std::size_t size, void* self) {
  auto& reader = *static_cast<csv_reader*>(self);
  if (reader.error_ != nullptr) return;
  try {
    reader.field(data != nullptr ? static_cast<const char*>(data) : "", size);
  } catch (...) {
    reader.error_ = std::current_exception();
  }
}

void csv_reader::take_row(int terminator, void* self) {
  auto& reader = *static_cast<csv_reader*>(self);
  if (reader.error_ != nullptr) return;
  try {
    reader.line_end(terminator);
  } catch (...) {
    reader.error_ = std::current_exception();
  }
}

void csv_reader::field(const char* data, std::size_t size) {
  const std::size_t number = field_number_++;
  if (!resolved_) {
    first_row_.emplace_back(data, size);
    return;
  }
  const unsigned slots = number < slots_.size() ? slots_[number] : 0u;
  if (slots == 0) return;
  double value;
  const field_kind kind = parse_number({data, size}, value);
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    const auto bit = static_cast<unsigned char>(1u << k);
    if ((slots & bit) == 0) continue;
    values_[k] = value;
    seen_ |= bit;
    if (kind == field_kind::missing) missing_ |= bit;
    if (kind != field_kind::unparsable) continue;
    unparsable_ |= bit;
    if (options_.strict || first_unparsable_.empty()) {
      const std::string where = text("line ", row_line_, ", column '", shortened(names_[k]), "': '",
                                     shortened({data, size}), "'");
      if (options_.strict) fail(input_.name(), ", ", where, " is not a number");
      first_unparsable_ = where;
    }
  }
}

/// A row ends, or a line without one: then no field was seen.
void csv_reader::line_end(int terminator) {
  const bool blank = field_number_ == 0;
  const bool second_of_crlf = blank && terminator == '\n' && last_terminator_ == '\r';
  last_terminator_ = second_of_crlf ? 0 : terminator;
  if (!blank) {
    row();
  } else if (second_of_crlf) {
    return;
  } else if (resolved_) {
    if (num_fields_ == 1) blank_row();
  } else if (!options_.header) {
    ++leading_blanks_;
  }
}

void csv_reader::blank_row() {
  field_number_ = 1;
  row();
}

void csv_reader::row() {
  row_open_ = false;
  const std::size_t num_fields = std::exchange(field_number_, 0);
  if (!resolved_) {
    resolve_columns();
    // Without a header the row just read is data: go through its fields once more.
    if (!options_.header) {
      for (; num_fields_ == 1 && leading_blanks_ > 0; --leading_blanks_) blank_row();
      field_number_ = 0;
      for (const std::string& value : std::exchange(first_row_, {}))
        field(value.data(), value.size());
      row();
    }
    first_row_.clear();
    return;
  }
  if (options_.strict && num_fields != num_fields_) {
    fail(input_.name(), ", line ", row_line_, ": the row has ", num_fields,
         " fields, the first row has ", num_fields_);
  }
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    const auto bit = static_cast<unsigned char>(1u << k);
    if ((seen_ & bit) == 0) {  // the row ended before this column
      values_[k] = std::numeric_limits<double>::quiet_NaN();
      missing_ |= bit;
    }
    out_->columns[k].push_back(values_[k]);
  }
  out_->missing.push_back(std::exchange(missing_, static_cast<unsigned char>(0)));
  out_->unparsable.push_back(std::exchange(unparsable_, static_cast<unsigned char>(0)));
  seen_ = 0;
}

void csv_reader::resolve_columns() {
  num_fields_ = first_row_.size();
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    const std::size_t column = find_column(requests_[k]);
    if (slots_.size() <= column) slots_.resize(column + 1);
    slots_[column] |= static_cast<unsigned char>(1u << k);
    if (options_.header) names_[k] = first_row_[column];
    if (names_[k].empty()) names_[k] = text("column ", column + 1);
  }
  resolved_ = true;
}

/// Field number of a requested column: its name, else its 1-based number.
std::size_t csv_reader::find_column(const column_request& request) const {
  if (options_.header) {
    const auto first = std::find(first_row_.begin(), first_row_.end(), request.column);
    if (first != first_row_.end()) {
      const auto second = std::find(first + 1, first_row_.end(), request.column);
      if (second != first_row_.end()) {
        fail(request.option, " '", request.column, "': columns ", first - first_row_.begin() + 1,
             " and ", second - first_row_.begin() + 1, " of ", input_.name(),
             " both have this name; give the number");
      }
      return static_cast<std::size_t>(first - first_row_.begin());
    }
  }
  const std::size_t number = column_number(request.column);
  if (number >= 1 && number <= num_fields_) return number - 1;
  if (number > num_fields_) {
    fail(request.option, " ", number, ": ", input_.name(), " has ", num_fields_, " columns");
  }
  if (!options_.header) {
    fail(request.option, " '", request.column,
         "': without a header a column is given by its number, 1 to ", num_fields_);
  }
  std::string columns;
  for (std::size_t i = 0; i < std::min<std::size_t>(first_row_.size(), 20); ++i) {
    columns += text(i > 0 ? ", " : "", shortened(first_row_[i]));
  }
  if (first_row_.size() > 20) columns += ", ...";
  fail(request.option, " '", request.column, "': ", input_.name(), " has no such column; it has ",
       columns);
}

}  // namespace zcmoe::cli
