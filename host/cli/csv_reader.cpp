// Finds the requested columns in the header, turns their fields into numbers, and words what is
// said about rows and fields that could be wrong.
#include "csv_reader.hpp"

#include "failure.hpp"
#include "file_kind.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18;
// These bounds hold for what is kept of a header, in case the file is no table.
constexpr std::size_t most_fields = std::size_t{1} << 20;
constexpr std::size_t most_header_bytes = std::size_t{1} << 24;
constexpr std::size_t most_leading_blanks = std::size_t{1} << 20;
constexpr double unparsable_part = 0.02;  // a larger part of the rows is worth a warning
constexpr char byte_order_mark[] = "\xEF\xBB\xBF";

/// A field that is no number is tried in these formats. The likelier ones come first.
const std::array<number_format, column_census::num_guesses> guesses = {{{'.', ","},
                                                                        {',', ""},
                                                                        {',', "."},
                                                                        {'.', " "},
                                                                        {'.', "'"},
                                                                        {',', " "},
                                                                        {'.', "\xC2\xA0"},
                                                                        {',', "\xC2\xA0"}}};

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

std::string_view trimmed(std::string_view field) {
  const std::size_t first = field.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return field.substr(first, field.find_last_not_of(" \t\r\n") - first + 1);
}

/// A column number, or 0 if the text is none.
std::size_t column_number(const std::string& column) {
  if (column.empty() || column.size() > 9 ||
      column.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoul(column);
}

/// The beginning of a text, cut between characters of UTF-8.
std::string start_of(std::string_view field) {
  constexpr std::size_t longest = 40;
  if (field.size() <= longest) return std::string(field);
  std::size_t size = longest;
  for (int k = 0; k < 3; ++k) {
    if ((static_cast<unsigned char>(field[size]) & 0xC0) != 0x80) break;
    --size;
  }
  return std::string(field.substr(0, size)) + "...";
}

std::string in_quotes(std::string_view field) { return text("'", start_of(field), "'"); }

std::string delimiter_in_words(char c) { return c == '\t' ? "tab" : text("'", c, "'"); }

/// The options of a format.
std::string options_of(const number_format& format) {
  std::string words;
  if (format.decimal != '.') words += text("--decimal '", format.decimal, "'");
  if (!format.thousands.empty())
    words += text(words.empty() ? "" : " ", "--thousands '", format.thousands, "'");
  return words;
}

}  // namespace

void csv_block::clear() {
  for (auto& column : columns) column.clear();
  missing.clear();
  unparsable.clear();
  lines.clear();
}

csv_reader::csv_reader(input_file& input, const csv_options& options,
                       std::vector<column_request> requests)
    : csv_reader(input, options, std::move(requests), nullptr) {}

csv_reader::csv_reader(input_file& input, const csv_options& options, const column_chooser& choose)
    : csv_reader(input, options, {}, &choose) {}

csv_reader::csv_reader(input_file& input, const csv_options& options,
                       std::vector<column_request> requests, const column_chooser* choose)
    : input_(input),
      options_(options),
      choose_(choose),
      tokenizer_(*this, options_.delimiter, options_.comment, options_.strict, most_fields),
      buffer_(buffer_size),
      lines_to_skip_(options_.skip_lines) {
  set_requests(choose != nullptr && !options_.header ? (*choose)(*this) : std::move(requests));
  tokenizer_.skip_lines(options_.skip_lines);
  if (!options_.header) {
    std::vector<std::size_t> found;
    found.reserve(requests_.size());
    // A text that is no number is refused when the first row is known: it is wanted by nobody.
    for (const column_request& request : requests_)
      found.push_back(column_number(request.column) - std::size_t{1});
    want(found, most_fields);
  }
  out_ = &pending_;
  while (!resolved_ && feed()) {
  }
  if (!resolved_ && lines_to_skip_ > 0) {
    fail(input_.name(), ": --skip-lines ", options_.skip_lines, ": the file has only ",
         options_.skip_lines - lines_to_skip_, " lines");
  }
  if (!resolved_ && options_.header) {
    fail(input_.name(),
         ": the file is empty: it has no header line (--no-header: the first line is data)");
  }
  for (std::size_t k = 0; k < names_.size(); ++k) {
    if (names_[k].empty()) names_[k] = text("column ", requests_[k].column);
  }
}

void csv_reader::set_requests(std::vector<column_request> requests) {
  requests_ = std::move(requests);
  if (requests_.size() > max_columns)
    fail(requests_.size(), " columns asked for; the limit is ", max_columns);
  names_.resize(requests_.size());
  values_.resize(requests_.size());
  census_.resize(requests_.size());
  found_.resize(requests_.size());
  pending_.columns.resize(requests_.size());
}

/// Wants the column of each request; none of those without a number.
void csv_reader::want(const std::vector<std::size_t>& found, std::size_t max_fields) {
  constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  columns_ = found;
  std::sort(columns_.begin(), columns_.end());
  columns_.erase(std::unique(columns_.begin(), columns_.end()), columns_.end());
  if (!columns_.empty() && columns_.back() == none) columns_.pop_back();
  requests_of_.assign(columns_.size(), {});
  for (std::size_t k = 0; k < found.size(); ++k) {
    if (found[k] == none) continue;
    const auto slot = std::lower_bound(columns_.begin(), columns_.end(), found[k]);
    requests_of_[static_cast<std::size_t>(slot - columns_.begin())].push_back(k);
  }
  tokenizer_.want(columns_, max_fields);
}

void csv_reader::read(csv_block& block, std::int64_t rows) {
  block.clear();
  block.columns.resize(requests_.size());
  if (pending_.rows() > 0) std::swap(block, pending_);
  out_ = &block;
  while (block.rows() < rows && feed()) {
  }
}

/// Parses one buffer of input; false at the end.
bool csv_reader::feed() {
  if (finished_) return false;
  std::size_t size = input_.read(buffer_.data(), buffer_.size());
  const char* data = buffer_.data();
  if (!started_) start(size, data);
  if (size == 0) {
    finished_ = true;
    tokenizer_.finish();
    return false;
  }
  const char* const end = data + size;
  data = skip(data, end);
  piece_ = {data, static_cast<std::size_t>(end - data)};
  if (!resolved_) {
    const std::string_view line = piece_.substr(0, std::min(piece_.find('\n'), piece_.size()));
    refuse_null_byte(line, input_.name(), tokenizer_.line());
  }
  tokenizer_.parse(piece_.data(), piece_.size());
  return true;
}

/// Leaves the byte order mark out; a pipe may hand over the first bytes one by one.
void csv_reader::start(std::size_t& size, const char*& data) {
  started_ = true;
  const std::string_view mark = byte_order_mark;
  const auto have = [&] { return std::string_view(buffer_.data(), size); };
  while (size > 0 && size < mark.size() && have() == mark.substr(0, size)) {
    const std::size_t more = input_.read(buffer_.data() + size, buffer_.size() - size);
    if (more == 0) break;
    size += more;
  }
  if (have().substr(0, mark.size()) != mark) return;
  data += mark.size();
  size -= mark.size();
  if (size > 0) return;
  size = input_.read(buffer_.data(), buffer_.size());
  data = buffer_.data();
}

/// Leaves out as many lines as --skip-lines says, and returns where the rest begins.
const char* csv_reader::skip(const char* data, const char* end) {
  while ((lines_to_skip_ > 0 || after_cr_) && data < end) {
    if (after_cr_) {
      after_cr_ = false;
      if (*data == '\n') ++data;
      continue;
    }
    data = std::find_if(data, end, is_line_end);
    if (data == end) break;
    after_cr_ = *data++ == '\r';
    --lines_to_skip_;
  }
  return data;
}

void csv_reader::field(std::size_t k, std::string_view content) {
  if (!resolved_ && options_.header) {
    header_.emplace_back(trimmed(content));
    header_bytes_ += content.size();
    if (header_bytes_ > most_header_bytes) {
      fail(input_.name(), ", line ", tokenizer_.row_line(), ": the header is longer than ",
           most_header_bytes, " bytes; is this a CSV file?");
    }
    return;
  }
  double value;
  const field_kind kind = parse_number(content, value, options_.numbers);
  num_seen_ = k + 1;
  for (const std::size_t request : requests_of_[k]) {
    values_[request] = value;
    if (kind == field_kind::number) continue;
    if (kind == field_kind::missing) {
      missing_ |= column_bit(request);
    } else {
      unparsable_ |= column_bit(request);
      note_unparsable(request, trimmed(content));
    }
  }
}

void csv_reader::note_unparsable(std::size_t k, std::string_view content) {
  column_census& census = census_[k];
  const std::string& name = names_[k].empty() ? text("column ", requests_[k].column) : names_[k];
  if (options_.strict) {
    fail(input_.name(), ", line ", tokenizer_.row_line(), ", column ", in_quotes(name), ": ",
         in_quotes(content), " is not a number");
  }
  if (first_unparsable_.empty()) {
    first_unparsable_ = text("line ", tokenizer_.row_line(), ", column ", in_quotes(name), ": ",
                             in_quotes(content));
  }
  if (++census.unparsable == 1)
    census.first = text("line ", tokenizer_.row_line(), ": ", in_quotes(content));
  constexpr std::size_t longest_number = 40;
  if (content.size() > longest_number) return;
  for (std::size_t i = 0; i < guesses.size(); ++i) {
    double value;
    if (parse_number(content, value, guesses[i]) != field_kind::number) continue;
    column_census::guess& guess = census.guesses[i];
    ++guess.fields;
    guess.least = std::min(guess.least, value);
    guess.greatest = std::max(guess.greatest, value);
  }
}

void csv_reader::row(const csv_row_end& row) {
  if (row.fields == 0) {
    if (resolved_) {
      if (num_fields_ == 1) push_blank_row(row.line);
    } else if (!options_.header) {
      leading_blanks_.push_back(row.line);
      if (leading_blanks_.size() > most_leading_blanks)
        fail(input_.name(), ": more than ", most_leading_blanks,
             " empty lines before the first row");
    }
    return;
  }
  if (!resolved_) {
    first_row(row);
    if (options_.header) return;
  } else {
    check_fields(row);
    if (num_fields_ > 1 && row.delimiters_a_line == static_cast<std::int64_t>(num_fields_) - 1 &&
        ++swallowing_rows_ == 1) {
      first_swallowing_row_ = text("lines ", row.line, " to ", tokenizer_.line() - 1);
    }
  }
  push_row(row.line);
}

void csv_reader::first_row(const csv_row_end& row) {
  num_fields_ = row.fields;
  if (num_fields_ > most_fields) row_too_wide(row.line);
  resolve_columns();
  if (num_fields_ == 1) {
    for (const std::int64_t line : leading_blanks_) push_blank_row(line);
  }
}

void csv_reader::check_fields(const csv_row_end& row) {
  if (row.fields == num_fields_) return;
  // A delimiter may stand behind the last field of every row: it adds an empty field, no column.
  const bool trailing = row.fields == num_fields_ + 1 && row.last_empty;
  const bool trailing_in_header =
      row.fields + 1 == num_fields_ && !header_.empty() && header_.back().empty();
  if (!options_.strict && (trailing || trailing_in_header)) return;
  const char* const first = options_.header ? "the header" : "the first row";
  if (options_.strict || row.fields > num_fields_) {
    fail(input_.name(), ", line ", row.line, ": the row has ", row.fields, " fields, ", first,
         " has ", num_fields_, wide_row_hint(row.fields));
  }
  if (row.spans_lines) {
    fail(input_.name(), ", line ", row.line, ": the row has ", row.fields, " fields, ", first,
         " has ", num_fields_, ", and a quoted field in it goes on to line ", tokenizer_.line() - 1,
         "; is a quote left open?");
  }
  if (++short_rows_ == 1)
    first_short_row_ = text("line ", row.line, " has ", row.fields, " of ", num_fields_);
}

/// Why a row may have more fields than the header.
std::string csv_reader::wide_row_hint(std::size_t fields) const {
  if (fields <= num_fields_) return {};
  const std::string other = other_delimiter();
  if (!other.empty()) return "; " + other;
  if (options_.delimiter == ',' && fields == 2 * num_fields_)
    return "; decimal commas? They need another delimiter between fields, then --decimal ','";
  if (options_.header && fields == num_fields_ + 1)
    return "; row names without a header? R writes one with col.names = NA, or leaves them out "
           "with "
           "row.names = FALSE";
  return "; is there a delimiter inside a field that is not quoted?";
}

void csv_reader::push_row(std::int64_t line) {
  for (; num_seen_ < columns_.size(); ++num_seen_) {  // the row ended before this column
    for (const std::size_t request : requests_of_[num_seen_]) {
      values_[request] = std::numeric_limits<double>::quiet_NaN();
      missing_ |= column_bit(request);
    }
  }
  for (std::size_t k = 0; k < values_.size(); ++k) out_->columns[k].push_back(values_[k]);
  out_->missing.push_back(std::exchange(missing_, static_cast<unsigned char>(0)));
  out_->unparsable.push_back(std::exchange(unparsable_, static_cast<unsigned char>(0)));
  out_->lines.push_back(line);
  num_seen_ = 0;
  ++rows_;
}

void csv_reader::push_blank_row(std::int64_t line) {
  unsigned char all = 0;
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    out_->columns[k].push_back(std::numeric_limits<double>::quiet_NaN());
    all |= column_bit(k);
  }
  out_->missing.push_back(all);
  out_->unparsable.push_back(0);
  out_->lines.push_back(line);
  ++rows_;
}

void csv_reader::resolve_columns() {
  if (choose_ != nullptr && options_.header) set_requests((*choose_)(*this));
  for (std::size_t k = 0; k < requests_.size(); ++k) found_[k] = find_column(requests_[k]);
  bool numbers = false;
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    if (!options_.header) continue;
    names_[k] = header_[found_[k]];
    double value;
    numbers = numbers || (names_[k] != requests_[k].column &&
                          parse_number(names_[k], value, options_.numbers) == field_kind::number);
    if (names_[k].empty()) names_[k] = text("column ", found_[k] + 1);
  }
  if (numbers) {
    header_warning_ = text(input_.name(), ", line ", tokenizer_.row_line(),
                           " is taken for the header, but looks like data: ");
    for (std::size_t i = 0; i < std::min<std::size_t>(header_.size(), 5); ++i)
      header_warning_ += text(i > 0 ? ", " : "", start_of(header_[i]));
    header_warning_ += text(header_.size() > 5 ? ", ..." : "", "; --no-header if it is");
  }
  want(found_, num_fields_ + 1);
  resolved_ = true;
}

std::size_t csv_reader::find_column(const column_request& request) const {
  if (request.number > 0) return request.number - 1;
  const auto first = std::find(header_.begin(), header_.end(), request.column);
  if (first != header_.end()) {
    const auto second = std::find(first + 1, header_.end(), request.column);
    if (second != header_.end()) {
      fail(request.option, " '", request.column, "': columns ", first - header_.begin() + 1,
           " and ", second - header_.begin() + 1, " of ", input_.name(),
           " both have this name; give the number");
    }
    return static_cast<std::size_t>(first - header_.begin());
  }
  const std::size_t number = column_number(request.column);
  if (number >= 1 && number <= num_fields_) return number - 1;
  fail_column(request);
}

void csv_reader::fail_column(const column_request& request) const {
  const std::size_t number = column_number(request.column);
  const std::string other = other_delimiter();
  const std::string hint = other.empty() ? later_header(request.column) : "; " + other;
  if (number > num_fields_)
    fail(request.option, " ", number, ": ", input_.name(), " has ", num_fields_,
         num_fields_ == 1 ? " column" : " columns", hint);
  if (!options_.header) {
    fail(request.option, " '", request.column,
         "': without a header a column is given by its number, 1 to ", num_fields_, hint);
  }
  std::string columns;
  for (std::size_t i = 0; i < std::min<std::size_t>(header_.size(), 20); ++i)
    columns += text(i > 0 ? ", " : "", start_of(header_[i]));
  if (header_.size() > 20) columns += ", ...";
  fail(request.option, " '", request.column, "': ", input_.name(), " has no such column; it has ",
       columns, hint);
}

/// Asks for another delimiter if the first line speaks for it.
std::string csv_reader::other_delimiter() const {
  const std::string_view line =
      options_.header ? std::string_view() : piece_.substr(0, piece_.find_first_of("\r\n"));
  std::ptrdiff_t most = 0;
  char found = '\0';
  for (const char c : {',', ';', '\t', '|'}) {
    if (c == options_.delimiter) continue;
    std::ptrdiff_t times = std::count(line.begin(), line.end(), c);
    for (const std::string& name : header_) times += std::count(name.begin(), name.end(), c);
    if (times <= most) continue;
    most = times;
    found = c;
  }
  const auto own = static_cast<std::ptrdiff_t>(num_fields_) - 1;
  if (most == 0 || most < own) return {};
  const std::string option = found == '\t' ? "tab" : text("'", found, "'");
  return text(options_.header ? "the header" : "the first line", " has ", delimiter_in_words(found),
              own == 0 ? " but no " : " more often than ", delimiter_in_words(options_.delimiter),
              "; --delimiter ", option, "?");
}

/// Asks for --skip-lines or --comment if a line below the one taken for the header has the name.
std::string csv_reader::later_header(const std::string& column) const {
  if (!header_.empty() && !header_[0].empty() && header_[0][0] == '#')
    return "; --comment '#' leaves lines out that begin with #";
  std::int64_t line_number = options_.skip_lines;
  std::string_view rest = piece_.substr(0, std::size_t{1} << 14);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end);
    rest.remove_prefix(std::min<std::size_t>(rest.substr(0, 2) == "\r\n" ? 2 : 1, rest.size()));
    ++line_number;
    while (!line.empty()) {
      const std::size_t stop = std::min(line.find(options_.delimiter), line.size());
      std::string_view name = trimmed(line.substr(0, stop));
      if (name.size() > 1 && name.front() == '"' && name.back() == '"')
        name = name.substr(1, name.size() - 2);
      if (name == column) {
        return text("; line ", line_number, " has it: --skip-lines ", line_number - 1, "?");
      }
      line.remove_prefix(std::min(stop + 1, line.size()));
    }
  }
  return {};
}

std::string csv_reader::column_in_words(std::size_t k) const {
  return text("column ", in_quotes(names_[k]));
}

/// "data.csv, line 17, column 'x'"
std::string csv_reader::place(std::int64_t line, std::size_t column) const {
  const bool named = resolved_ && column < header_.size() && !header_[column].empty();
  return text(input_.name(), ", line ", line, ", column ",
              named ? in_quotes(header_[column]) : std::to_string(column + 1));
}

void csv_reader::fault(quote_fault fault, std::int64_t line, std::size_t column,
                       std::string_view start) {
  const std::string where = place(line, column);
  if (fault == quote_fault::not_closed)
    fail(where, ": a quoted field is not closed at the end of the file");
  const auto until = [&](std::string_view ends) {
    return in_quotes(start.substr(0, std::min(start.find_first_of(ends), start.size())));
  };
  if (fault == quote_fault::quote_in_text) {
    const char ends[] = {'\r', '\n', options_.delimiter};
    fail(where, ": a quote inside a field that is not quoted: ", until({ends, sizeof ends}));
  }
  const std::string end = line == tokenizer_.line() ? "" : text(" on line ", tokenizer_.line());
  fail(where, ": text behind the closing quote", end, " of the field that begins ", until("\r\n"),
       "; a quote that belongs to the text is written twice, and the field between quotes");
}

void csv_reader::field_too_long(std::int64_t line, std::size_t column) {
  fail(place(line, column), ": a field is longer than ", csv_tokenizer::max_field,
       " bytes; is a quote left open, or is this not a CSV file?");
}

void csv_reader::row_too_wide(std::int64_t line) {
  if (!resolved_) {
    fail(input_.name(), ", line ", line, ": more than ", most_fields,
         " columns; is this a CSV file?");
  }
  fail(input_.name(), ", line ", line, ": the row has more than ", num_fields_, " fields, ",
       options_.header ? "the header" : "the first row", " has ", num_fields_);
}

std::string csv_reader::number_hint() const {
  std::size_t best = 0;
  std::array<column_census::guess, column_census::num_guesses> sums{};
  std::int64_t unparsable = 0;
  for (const column_census& census : census_) {
    unparsable += census.unparsable;
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i].fields += census.guesses[i].fields;
  }
  for (std::size_t i = 1; i < sums.size(); ++i) {
    // '1,234' can be 1234 or 1.234. It is taken for 1.234 where the delimiter is no comma, since
    // such files come from countries with decimal commas.
    const bool tie = i == 1 && options_.delimiter != ',' && sums[1].fields == sums[0].fields;
    if (sums[i].fields > sums[best].fields || tie) best = i;
  }
  if (sums[best].fields == 0 || sums[best].fields * 2 < unparsable) return {};
  std::string words =
      text(options_of(guesses[best]), " reads ", grouped(sums[best].fields), " of them");
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    const column_census::guess& guess = census_[k].guesses[best];
    if (guess.fields == 0) continue;
    words += text(", column ", in_quotes(names_[k]), " from ", readable(guess.least), " to ",
                  readable(guess.greatest));
  }
  return words;
}

std::vector<std::string> csv_reader::warnings() const {
  std::vector<std::string> all;
  if (!header_warning_.empty()) all.push_back(header_warning_);
  if (short_rows_ > 0) {
    all.push_back(text(grouped(short_rows_), short_rows_ == 1 ? " row has" : " rows have",
                       " fewer fields than the ", options_.header ? "header" : "first row",
                       " (first: ", first_short_row_, "): what is not there is missing"));
  }
  if (swallowing_rows_ > 0) {
    all.push_back(text(grouped(swallowing_rows_), swallowing_rows_ == 1 ? " row has" : " rows have",
                       " a quoted field that holds line breaks, and each of its lines looks like a "
                       "row (first: ",
                       first_swallowing_row_, "); is a quote left open?"));
  }
  bool many = false;
  for (std::size_t k = 0; k < requests_.size(); ++k) {
    const column_census& census = census_[k];
    if (static_cast<double>(census.unparsable) <= unparsable_part * static_cast<double>(rows_))
      continue;
    many = true;
    all.push_back(text(grouped(census.unparsable), " of ", grouped(rows_), " fields of column ",
                       in_quotes(names_[k]), census.unparsable == 1 ? " is" : " are",
                       " not a number (first: ", census.first, ")"));
  }
  const std::string hint = number_hint();
  if (many && !hint.empty()) all.back() += "; " + hint;
  return all;
}

}  // namespace zcmoe::cli
