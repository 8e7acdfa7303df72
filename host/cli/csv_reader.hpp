// Columns of numbers from a CSV file, a block of rows at a time: input_file -> libcsv ->
// parse_number -> columns.
//
// RFC 4180 as people write it: quoted fields with line breaks and doubled quotes, LF, CRLF or CR, a
// UTF-8 byte order mark, blanks around fields. Blank lines are not rows, but for a table of one
// column, where an empty line is a missing value. Every other line is a row, whatever its fields
// say, so that answers stay aligned with the rows of the file.
#pragma once

#include "input_file.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

struct csv_parser;

namespace zcmoe::cli {

struct csv_options {
  char delimiter = ',';
  bool header = true;
  bool strict =
      false;  // fail on the first unparsable field and on rows with too few or too many fields
};

/// A column asked for: the option that names it (for error texts) and its name or 1-based number.
struct column_request {
  std::string option;
  std::string column;
};

constexpr int max_columns = 4;

struct csv_block {
  std::array<std::vector<double>, max_columns>
      columns;                            // in the order of the requests; NaN where missing
  std::vector<unsigned char> missing;     // a row: bit k, column k has no value
  std::vector<unsigned char> unparsable;  // a row: bit k, column k is not a number

  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(missing.size()); }
  void clear();
};

class csv_reader {
 public:
  /// Reads the header (or, without one, the number of fields of the first row) at once, and fails
  /// if a requested column does not exist or its name occurs twice. At most max_columns requests.
  csv_reader(input_file& input, const csv_options& options, std::vector<column_request> requests);
  ~csv_reader();
  csv_reader(const csv_reader&) = delete;
  csv_reader& operator=(const csv_reader&) = delete;

  /// Replaces block by the next rows: about `rows` of them, none at the end of the file.
  void read(csv_block& block, std::int64_t rows);

  /// Name of requested column k: from the header, or "column 3".
  const std::string& column_name(std::size_t k) const { return names_[k]; }

  /// The first unparsable field so far, e.g. "line 17, column 'distance': '12:30'"; empty if none.
  const std::string& first_unparsable() const noexcept { return first_unparsable_; }

 private:
  static void take_field(void* data, std::size_t size, void* self);
  static void take_row(int terminator, void* self);
  void field(const char* data, std::size_t size);
  void line_end(int terminator);
  void blank_row();
  void row();
  void resolve_columns();
  std::size_t find_column(const column_request& request) const;
  bool feed();
  void feed_line(const char* data, std::size_t size);
  void finish();

  input_file& input_;
  csv_options options_;
  std::vector<column_request> requests_;
  std::vector<std::string> names_;
  std::unique_ptr<csv_parser> parser_;
  std::exception_ptr error_;  // thrown in a callback; libcsv is C, so it must not pass through
  std::vector<char> buffer_;
  bool finished_ = false;

  std::int64_t line_ = 1;      // of the byte being parsed
  std::int64_t row_line_ = 1;  // on which the current row began
  bool row_open_ = false;
  int last_terminator_ = 0;          // of the line before
  std::int64_t leading_blanks_ = 0;  // blank lines before the first row, without a header

  bool resolved_ = false;
  std::vector<std::string> first_row_;
  std::size_t num_fields_ = 0;                // of the first row
  std::vector<unsigned char> slots_;          // field number -> bit set of requests
  std::size_t field_number_ = 0;              // in the current row
  std::array<double, max_columns> values_{};  // of the current row
  unsigned char seen_ = 0;
  unsigned char missing_ = 0;
  unsigned char unparsable_ = 0;
  csv_block pending_;  // rows of the buffer in which the header ended
  csv_block* out_ = nullptr;
  std::string first_unparsable_;
};

}  // namespace zcmoe::cli
