// Columns of numbers from a CSV file, a block of rows at a time: input_file -> csv_tokenizer ->
// parse_number -> columns.
//
// RFC 4180 as people write it: quoted fields with line breaks and doubled quotes, LF, CRLF or CR, a
// UTF-8 byte order mark, blanks around fields. Blank lines are not rows, but for a table of one
// column, where an empty line is a missing value. Every other line is a row, whatever its numbers
// say, so that answers stay aligned with the rows of the file; what makes it doubtful where a row
// or a field ends (malformed quotes, more fields than the header) is an error.
#pragma once

#include "csv_tokenizer.hpp"
#include "input_file.hpp"
#include "number.hpp"

#include <zcmoe/points.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace zcmoe::cli {

struct csv_options {
  char delimiter = ',';
  bool header = true;
  /// Fail on the first unparsable field, on rows with too few fields, and on quotes inside fields
  /// that are not quoted.
  bool strict = false;
  number_format numbers{};
  char comment = '\0';          // a line that begins with it is no row; 0: no line is a comment
  std::int64_t skip_lines = 0;  // before the header
};

/// A column asked for: the option that names it (for error texts) and its name or 1-based number.
struct column_request {
  std::string option;
  std::string column;
  std::size_t number = 0;  // 1-based, of a column that is known already; 0: column says which
};

/// As many as a table of several inputs asks for: the inputs, the target, weights.
constexpr std::size_t max_columns = static_cast<std::size_t>(ZCMOE_MAX_INPUTS) + 2;

/// What a row says of its columns is one byte, whatever their number: bit k of column k, and the
/// last bit of all columns from the eighth on together. Who needs to know which column it was has
/// few columns; who has many asks whether it was any.
constexpr unsigned char column_bit(std::size_t k) noexcept {
  return static_cast<unsigned char>(1u << std::min<std::size_t>(k, 7));
}

struct csv_block {
  std::vector<std::vector<double>> columns;  // in the order of the requests; NaN where missing
  std::vector<unsigned char> missing;        // of each row: column_bit(k) if column k has no value
  std::vector<unsigned char> unparsable;     // of each row: likewise if column k is not a number
  std::vector<std::int64_t> lines;           // of each row: the line of the file on which it begins

  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(missing.size()); }
  void clear();
};

/// The fields of one requested column that are not numbers.
struct column_census {
  struct guess {  // the fields that would be numbers in another format
    std::int64_t fields = 0;
    double least = std::numeric_limits<double>::infinity();
    double greatest = -std::numeric_limits<double>::infinity();
  };
  static constexpr std::size_t num_guesses = 8;

  std::int64_t unparsable = 0;
  std::string first;  // of them, e.g. "line 17: '12:30'"
  std::array<guess, num_guesses> guesses{};
};

class csv_reader;
/// Chooses columns when the header of the reader is known.
using column_chooser = std::function<std::vector<column_request>(const csv_reader& reader)>;

class csv_reader final : private csv_events {
 public:
  /// Reads the header (or, without one, the number of fields of the first row) at once, and fails
  /// if a requested column does not exist or its name occurs twice. At most max_columns requests.
  csv_reader(input_file& input, const csv_options& options, std::vector<column_request> requests);
  /// The same for columns that are chosen by the header; without one, the chooser is asked at once.
  csv_reader(input_file& input, const csv_options& options, const column_chooser& choose);
  ~csv_reader() override = default;
  csv_reader(const csv_reader&) = delete;
  csv_reader& operator=(const csv_reader&) = delete;

  /// Replaces block by the next rows: about `rows` of them, none at the end of the file.
  void read(csv_block& block, std::int64_t rows);

  /// The names of all columns; none without a header.
  const std::vector<std::string>& header() const noexcept { return header_; }
  /// Field number of a column of the header, from 0: of its name, else its 1-based number. Fails if
  /// there is none, or if its name occurs twice.
  std::size_t find_column(const column_request& request) const;

  /// Name of requested column k: from the header, or "column 3".
  const std::string& column_name(std::size_t k) const { return names_[k]; }
  /// Which column of the file it is, from 0.
  std::size_t column_index(std::size_t k) const { return found_[k]; }
  /// How many columns were asked for.
  std::size_t num_columns() const noexcept { return requests_.size(); }
  /// For error texts: "column 'w'".
  std::string column_in_words(std::size_t k) const;

  /// The first unparsable field so far, e.g. "line 17, column 'distance': '12:30'"; empty if none.
  const std::string& first_unparsable() const noexcept { return first_unparsable_; }

  /// How fields that are no numbers so far could be read: "decimal commas? ..."; empty if unknown.
  std::string number_hint() const;
  /// What was odd about the rows so far, one sentence each.
  std::vector<std::string> warnings() const;

 private:
  // csv_events
  void field(std::size_t k, std::string_view content) override;
  void row(const csv_row_end& row) override;
  void fault(quote_fault fault, std::int64_t line, std::size_t column,
             std::string_view start) override;
  void field_too_long(std::int64_t line, std::size_t column) override;
  void row_too_wide(std::int64_t line) override;

  csv_reader(input_file& input, const csv_options& options, std::vector<column_request> requests,
             const column_chooser* choose);
  bool feed();
  void start(std::size_t& size, const char*& data);
  const char* skip(const char* data, const char* end);
  void note_unparsable(std::size_t k, std::string_view content);
  void first_row(const csv_row_end& row);
  void check_fields(const csv_row_end& row);
  void push_row(std::int64_t line);
  void push_blank_row(std::int64_t line);
  void resolve_columns();
  void set_requests(std::vector<column_request> requests);
  void want(const std::vector<std::size_t>& found, std::size_t max_fields);
  std::string place(std::int64_t line, std::size_t column) const;
  std::string other_delimiter() const;
  std::string wide_row_hint(std::size_t fields) const;
  std::string later_header(const std::string& column) const;
  [[noreturn]] void fail_column(const column_request& request) const;

  input_file& input_;
  csv_options options_;
  std::vector<column_request> requests_;
  const column_chooser* choose_;  // until the header is read
  std::vector<std::string> names_;
  csv_tokenizer tokenizer_;
  std::vector<char> buffer_;
  bool started_ = false;
  bool finished_ = false;
  std::int64_t lines_to_skip_;
  bool after_cr_ = false;   // among the lines skipped
  std::string_view piece_;  // of the buffer, being parsed

  bool resolved_ = false;
  std::vector<std::string> header_;
  std::size_t header_bytes_ = 0;
  std::size_t num_fields_ = 0;                         // of the first row
  std::vector<std::size_t> found_;                     // column of each request
  std::vector<std::size_t> columns_;                   // wanted, ascending
  std::vector<std::vector<std::size_t>> requests_of_;  // wanted column -> requests
  std::vector<std::int64_t> leading_blanks_;  // blank lines before the first row, without a header
  std::string header_warning_;
  std::vector<double> values_;  // of the current row, by request
  std::size_t num_seen_ = 0;    // wanted columns of the current row that were seen
  unsigned char missing_ = 0;
  unsigned char unparsable_ = 0;
  csv_block pending_;  // rows of the buffer in which the header ended
  csv_block* out_ = nullptr;
  std::string first_unparsable_;
  std::vector<column_census> census_;  // by request
  std::int64_t rows_ = 0;
  std::int64_t swallowing_rows_ = 0;
  std::string first_swallowing_row_;
  std::int64_t short_rows_ = 0;
  std::string first_short_row_;
};

}  // namespace zcmoe::cli
