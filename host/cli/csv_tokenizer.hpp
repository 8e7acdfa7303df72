// Where fields and rows of CSV text begin and end: bytes -> fields that are wanted, and row ends.
//
// RFC 4180, with blanks allowed around quoted fields, and LF, CRLF or CR behind rows. Text comes in
// pieces of any size; of a field that nobody wants only the end is looked for. 64 bytes are looked
// at together: a bit for every byte that means something (Langdale & Lemire, "Parsing gigabytes of
// JSON per second", 2019), then a walk over the bits that are set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace zcmoe::cli {

enum class quote_fault {
  text_after_quote,  // a quoted field goes on behind its closing quote
  quote_in_text,     // a quote inside a field that is not quoted; strict only
  not_closed         // the text ends inside a quoted field
};

/// The end of a row.
struct csv_row_end {
  std::size_t fields;  // 0: a blank line
  std::int64_t line;   // on which the row began; the first line of the text is 1
  bool last_empty;     // nothing but blanks in the last field
  bool spans_lines;    // a quoted field holds a line break
  /// Delimiters on each of the lines, in quotes or not, if that is the same number; else -1. Rows
  /// that a stray quote made one field of have as many as other rows.
  std::int64_t delimiters_a_line;
};

/// Receives fields and rows as they are found. An exception ends the parsing for good.
class csv_events {
 public:
  virtual ~csv_events() = default;
  /// A wanted field ends: the k-th of the wanted columns; without quotes around it, doubled quotes
  /// single. The text is valid during the call.
  virtual void field(std::size_t k, std::string_view text) = 0;
  virtual void row(const csv_row_end& row) = 0;
  /// Quoting that is not well formed; must throw. `column` counts from 0, `line` is where the
  /// quoted field began (quote_in_text: where the quote is), `start` is the beginning of the field.
  virtual void fault(quote_fault fault, std::int64_t line, std::size_t column,
                     std::string_view start) = 0;
  /// A wanted field outgrew csv_tokenizer::max_field bytes, or a row its number of fields; must
  /// throw.
  virtual void field_too_long(std::int64_t line, std::size_t column) = 0;
  virtual void row_too_wide(std::int64_t line) = 0;
};

/// A bit for every byte of 64: bit i says whether byte i is one of the kind.
struct byte_marks {
  std::uint64_t delimiters;
  std::uint64_t quotes;
  std::uint64_t line_ends;  // CR and LF
};

/// Uses vector instructions that every processor of the architecture has (x86-64: SSE2).
byte_marks marks_of(const char* bytes, char delimiter) noexcept;
/// Gives the same marks by arithmetic on 64-bit words, on any processor.
byte_marks portable_marks_of(const char* bytes, char delimiter) noexcept;

class csv_tokenizer {
 public:
  static constexpr std::size_t max_field = std::size_t{1} << 20;
  static constexpr std::size_t all_columns = std::numeric_limits<std::size_t>::max();

  /// Lines that begin with `comment` are left out (0: none). Every field is wanted at first, and
  /// rows of more than max_fields fields are refused.
  csv_tokenizer(csv_events& events, char delimiter, char comment, bool strict,
                std::size_t max_fields);

  /// From the next row on: these columns only, in ascending order; rows of more than max_fields
  /// fields are refused.
  void want(std::vector<std::size_t> columns, std::size_t max_fields);
  /// Makes line numbers count lines that were left out before the first piece. To be called before
  /// it.
  void skip_lines(std::int64_t lines) { line_ = row_line_ = lines + 1; }

  void parse(const char* data, std::size_t size);
  void finish();

  /// The line of the byte being looked at, and the line on which its row began.
  std::int64_t line() const noexcept { return line_; }
  std::int64_t row_line() const noexcept { return row_line_; }

 private:
  enum class state : unsigned char {
    fresh,    // blanks at most since the field began
    plain,    // in a field without quotes
    quoted,   // between quotes
    closing,  // behind a quote inside quotes: a second one at once is text, else the field is
              // closed
    closed,   // blanks at most since the closing quote
    comment
  };
  using position = std::ptrdiff_t;  // in the piece being parsed; negative: in an earlier one

  bool wanted() const noexcept {
    return want_all_ || (next_ < columns_.size() && columns_[next_] == field_number_);
  }
  std::string_view between(position begin, position end) const;
  bool blank(position begin, position end) const;
  std::uint64_t skip_unwanted(std::uint64_t delimiters, position base);
  void walk(const byte_marks& marks, position base);
  void take_quote(position p);
  void take_delimiter(position p);
  void take_line_end(position p);
  void settle(position p);
  void end_field(position p);
  void end_row(position p);
  void begin_field(position p);
  void begin_row(position p);
  void carry(position end);
  void end_line_in_row();
  [[noreturn]] void fail_quote(quote_fault fault, std::int64_t line);

  csv_events& events_;
  char delimiter_;
  char comment_;
  bool strict_;
  bool want_all_ = true;
  std::vector<std::size_t> columns_;
  std::size_t max_fields_;

  const char* data_ = nullptr;  // the piece being parsed
  position size_ = 0;           // of the piece
  state state_ = state::fresh;
  bool row_begins_ = true;               // no byte of the row was seen yet
  bool doubled_ = false;                 // the quoted field holds a doubled quote
  bool spans_lines_ = false;             // the row has a quoted field with a line break
  std::size_t field_number_ = 0;         // in the row
  std::size_t next_ = 0;                 // index in columns_ of the next wanted field
  position begin_ = 0;                   // of the field's content
  position close_ = 0;                   // of the last quote inside a quoted field
  position after_cr_ = -1;               // the position at which a LF would be part of a CRLF
  std::string carried_;                  // the beginning of a wanted field, from earlier pieces
  std::size_t line_first_field_ = 0;     // the field in which the line begins
  std::int64_t quoted_delimiters_ = 0;   // in quotes, on the line
  std::int64_t delimiters_a_line_ = -1;  // of the lines of the row so far
  std::int64_t line_ = 1;                // of the byte being looked at
  std::int64_t row_line_ = 1;            // on which the row began
  std::int64_t quote_line_ = 1;          // on which the quoted field began
  std::string unquoted_;
};

}  // namespace zcmoe::cli
