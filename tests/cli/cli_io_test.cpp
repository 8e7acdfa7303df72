// The readers, writers and the sampling of the command line, below its arguments.
#include "host/cli/csv_reader.hpp"
#include "host/cli/csv_tokenizer.hpp"
#include "host/cli/descriptor.hpp"
#include "host/cli/edge_table.hpp"
#include "host/cli/failure.hpp"
#include "host/cli/holdout.hpp"
#include "host/cli/npy_file.hpp"
#include "host/cli/number.hpp"
#include "host/cli/output_file.hpp"
#include "host/cli/output_place.hpp"
#include "host/cli/row_source.hpp"
#include "host/cli/row_triage.hpp"
#include "host/cli/shown.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/table_sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <locale>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {
bool no_nameless_files = false;      // as on NFS
const char* foreign_link = nullptr;  // refused as fs.protected_symlinks does

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}
}  // namespace

// The executable's definitions come before the C library's.
extern "C" __attribute__((visibility("default"))) int open(const char* path, int flags, ...) {
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
  va_end(arguments);
  const bool follows = (flags & O_NOFOLLOW) == 0;
  if (follows && foreign_link != nullptr && std::strcmp(path, foreign_link) == 0) {
    errno = EACCES;
    return -1;
  }
  return real(path, flags, mode);
}
extern "C" __attribute__((visibility("default"))) int openat(int folder, const char* path,
                                                             int flags, ...) {
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  va_list arguments;
  va_start(arguments, flags);
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const int mode = makes ? va_arg(arguments, int) : 0;
  va_end(arguments);
  if (no_nameless_files && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return real(folder, path, flags, mode);
}

namespace zcmoe::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

class folder {
 public:
  folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zcmoe-cli-io-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  std::size_t num_files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "(no failure)";
}

// ------------------------------------------------------------------- numbers

struct number_case {
  const char* field;
  field_kind kind;
  double value;
};

TEST(number_test, reads_fields) {
  const number_case cases[] = {
      {"1", field_kind::number, 1},
      {" +1.5 ", field_kind::number, 1.5},
      {"\t-2e3", field_kind::number, -2000},
      {"1.", field_kind::number, 1},
      {".5", field_kind::number, 0.5},
      {"5e-324", field_kind::number, 5e-324},
      {"1e-400", field_kind::number, 0},
      {"-1e-400", field_kind::number, -0.0},
      {"1.7976931348623157e308", field_kind::number, std::numeric_limits<double>::max()},
      {"0.1000000000000000055511151231257827", field_kind::number, 0.1},
      {"inf", field_kind::number, infinity},
      {"-Infinity", field_kind::number, -infinity},
      {"", field_kind::missing, nan_value},
      {"   ", field_kind::missing, nan_value},
      {"NA", field_kind::missing, nan_value},
      {"n/a", field_kind::missing, nan_value},
      {"NaN", field_kind::missing, nan_value},
      {"-nan", field_kind::missing, nan_value},
      {"NULL", field_kind::missing, nan_value},
      {"None", field_kind::missing, nan_value},
      {"1e400", field_kind::number, infinity},
      {"-1e999", field_kind::number, -infinity},
      {"1,5", field_kind::unparsable, nan_value},
      {"0x10", field_kind::unparsable, nan_value},
      {"1 2", field_kind::unparsable, nan_value},
      {"+-1", field_kind::unparsable, nan_value},
      {"+", field_kind::unparsable, nan_value},
      {"-", field_kind::unparsable, nan_value},
      {"12:30", field_kind::unparsable, nan_value},
      {"1e", field_kind::unparsable, nan_value},
  };
  for (const number_case& c : cases) {
    double value = 7;
    EXPECT_EQ(parse_number(c.field, value), c.kind) << "'" << c.field << "'";
    if (std::isnan(c.value)) {
      EXPECT_TRUE(std::isnan(value)) << "'" << c.field << "'";
    } else {
      EXPECT_EQ(value, c.value) << "'" << c.field << "'";
      EXPECT_EQ(std::signbit(value), std::signbit(c.value)) << "'" << c.field << "'";
    }
  }
}

TEST(number_test, reads_other_formats) {
  const number_format german{',', "."};
  const number_format english{'.', ","};
  const number_format french{',', "\u202F"};
  const struct {
    const number_format& format;
    const char* field;
    double value;  // NaN: no number
  } cases[] = {
      {german, "0,5", 0.5},
      {german, " -1.234.567,25 ", -1234567.25},
      {german, "+1,5e3", 1500},
      {german, "1,5E-400", 0},
      {german, ",5", 0.5},
      {german, "1.5", nan_value},
      {german, "1.2345", nan_value},
      {german, "1.234.5", nan_value},
      {german, "1,2,3", nan_value},
      {german, "1,234.567", nan_value},
      {german, "-inf", -infinity},
      {english, "1,008", 1008},
      {english, "12,34,567.5", 1234567.5},
      {english, "1,0", nan_value},
      {english, "1,0000", nan_value},
      {english, "1,0,000", nan_value},
      {english, "1234,567", nan_value},
      {english, ",123", nan_value},
      {english, "1,234,", nan_value},
      {english, "1.234,567", nan_value},
      {english, "0.5", 0.5},
      {english, "1,234e2", 123400},
      {french, "1\u202F234,5", 1234.5},
      {french, "1 234,5", nan_value},
  };
  for (const auto& c : cases) {
    double value = 7;
    const field_kind kind = parse_number(c.field, value, c.format);
    EXPECT_EQ(kind, std::isnan(c.value) ? field_kind::unparsable : field_kind::number) << c.field;
    if (std::isnan(c.value)) {
      EXPECT_TRUE(std::isnan(value)) << c.field;
    } else {
      EXPECT_EQ(value, c.value) << c.field;
    }
  }
  double value;
  EXPECT_EQ(parse_number("NA", value, german), field_kind::missing);
  EXPECT_EQ(parse_number("  ", value, german), field_kind::missing);
}

TEST(number_test, writes_digits_that_read_back) {
  for (const double value : {0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789.0, infinity}) {
    for (const bool shortest : {true, false}) {
      std::string digits;
      shortest ? append_shortest(digits, value) : append_17_digits(digits, value);
      double read = 0;
      ASSERT_EQ(parse_number(digits, read), field_kind::number) << digits;
      EXPECT_EQ(std::memcmp(&read, &value, sizeof value), 0) << digits;
    }
  }
  std::string digits;
  append_shortest(digits, 0.1);
  append_shortest(digits, 0.1f);
  append_shortest(digits, -nan_value);
  EXPECT_EQ(digits, "0.10.1nan");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(123456), "123,456");
}

// ----------------------------------------------------------------------- CSV

struct table {
  std::vector<std::vector<double>> columns;
  std::string first_unparsable;
  std::vector<std::string> names;
};

table read_csv(const std::string& content, const std::vector<std::string>& columns,
               csv_options options = {}, std::int64_t block_rows = 1 << 17) {
  const folder files;
  input_file input(files.write("data.csv", content));
  std::vector<column_request> requests;
  for (const std::string& column : columns) requests.push_back({"--x", column});
  csv_reader reader(input, options, requests);
  table result;
  result.columns.resize(columns.size());
  csv_block block;
  for (reader.read(block, block_rows); block.rows() > 0; reader.read(block, block_rows)) {
    for (std::size_t k = 0; k < columns.size(); ++k) {
      result.columns[k].insert(result.columns[k].end(), block.columns[k].begin(),
                               block.columns[k].end());
    }
  }
  for (std::size_t k = 0; k < columns.size(); ++k) result.names.push_back(reader.column_name(k));
  result.first_unparsable = reader.first_unparsable();
  return result;
}

std::string csv_message(const std::string& content, const std::vector<std::string>& columns,
                        csv_options options = {}) {
  return message_of([&] { read_csv(content, columns, options); });
}

/// What a tokenizer says, as text.
class written_events final : public csv_events {
 public:
  struct ended {};
  void field(std::size_t k, std::string_view content) override {
    said += text("[", k, ":", content, "]");
  }
  void row(const csv_row_end& row) override {
    said +=
        text("row ", row.fields, " line ", row.line, row.fields > 0 && row.last_empty ? " e" : "",
             row.spans_lines ? text(" s", row.delimiters_a_line) : "", "\n");
  }
  void fault(quote_fault fault, std::int64_t line, std::size_t column, std::string_view) override {
    said += text("fault ", static_cast<int>(fault), " line ", line, " column ", column);
    throw ended();
  }
  void field_too_long(std::int64_t line, std::size_t column) override {
    said += text("long ", line, " ", column);
    throw ended();
  }
  void row_too_wide(std::int64_t line) override {
    said += text("wide ", line);
    throw ended();
  }
  std::string said;
};

struct dialect {
  char comment = '\0';
  bool strict = false;
  std::optional<std::vector<std::size_t>> wanted;
};

/// Pieces: the length of each in turn, over and over.
std::string tokenized(const std::string& content, const dialect& how,
                      const std::vector<std::size_t>& pieces) {
  written_events events;
  csv_tokenizer tokenizer(events, ',', how.comment, how.strict, csv_tokenizer::all_columns);
  if (how.wanted.has_value()) tokenizer.want(*how.wanted, csv_tokenizer::all_columns);
  try {
    std::size_t begin = 0;
    for (std::size_t k = 0; begin < content.size(); ++k) {
      // A copy of its own, so that a sanitizer sees what is read beyond it.
      const std::string piece = content.substr(begin, pieces[k % pieces.size()]);
      const std::vector<char> bytes(piece.begin(), piece.end());
      tokenizer.parse(bytes.data(), bytes.size());
      begin += bytes.size();
    }
    tokenizer.finish();
  } catch (const written_events::ended&) {
  }
  return events.said;
}

/// How many commas every line has; -1 if they differ.
std::int64_t same_delimiters(const std::string& lines) {
  std::set<std::int64_t> counts;
  std::int64_t count = 0;
  for (std::size_t i = 0; i <= lines.size(); ++i) {
    const char c = i < lines.size() ? lines[i] : '\n';
    if (c == ',') ++count;
    if (c != '\n' && c != '\r') continue;
    if (c == '\r' && i + 1 < lines.size() && lines[i + 1] == '\n') ++i;
    counts.insert(std::exchange(count, 0));
  }
  return counts.size() == 1 ? *counts.begin() : -1;
}

/// The same by the letter of RFC 4180, a byte at a time.
std::string read_by_bytes(const std::string& content, const dialect& how) {
  std::string said;
  std::size_t i = 0;
  std::int64_t line = 1;
  const auto at = [&](std::size_t k) { return k < content.size() ? content[k] : '\n'; };
  const auto blank = [&](std::size_t k) { return at(k) == ' ' || at(k) == '\t'; };
  const auto line_end = [&](std::size_t k) { return at(k) == '\n' || at(k) == '\r'; };
  const auto line_end_size = [&](std::size_t k) -> std::size_t {
    return at(k) == '\r' && k + 1 < content.size() && content[k + 1] == '\n' ? 2 : 1;
  };
  while (i < content.size()) {
    const std::int64_t row_line = line;
    const std::size_t row_begin = i;
    if (how.comment != '\0' && content[i] == how.comment) {
      while (!line_end(i)) ++i;
      i += line_end_size(i);
      ++line;
      continue;
    }
    std::string fields;
    bool spans = false;
    bool empty = true;
    bool quotes = false;
    std::size_t column = 0;
    for (;; ++column) {
      std::string value;
      std::size_t k = i;
      while (blank(k)) ++k;
      quotes = at(k) == '"';
      if (quotes) {
        const std::int64_t quote_line = line;
        for (++k;; ++k) {
          if (k >= content.size())
            return said + fields + text("fault 2 line ", quote_line, " column ", column);
          if (content[k] == '"') {
            if (at(k + 1) != '"') break;
            ++k;
          }
          if (line_end(k)) {
            spans = true;
            if (content[k] != '\r' || line_end_size(k) == 1) ++line;
          }
          value += content[k];
        }
        for (++k; blank(k);) ++k;
        if (at(k) != ',' && !line_end(k))
          return said + fields + text("fault 0 line ", quote_line, " column ", column);
        empty = value.empty();
      } else {
        empty = true;
        for (k = i; at(k) != ',' && !line_end(k); ++k) {
          if (at(k) == '"' && how.strict)
            return said + fields + text("fault 1 line ", line, " column ", column);
          empty = empty && blank(k);
          value += content[k];
        }
      }
      const std::vector<std::size_t>* const wanted =
          how.wanted.has_value() ? &*how.wanted : nullptr;
      const bool no_row = column == 0 && !quotes && empty && line_end(k);
      if (!no_row && wanted == nullptr) fields += text("[", column, ":", value, "]");
      if (!no_row && wanted != nullptr) {
        const auto place = std::find(wanted->begin(), wanted->end(), column);
        if (place != wanted->end()) fields += text("[", place - wanted->begin(), ":", value, "]");
      }
      i = k;
      if (line_end(k)) break;
      ++i;
    }
    const bool no_row = column == 0 && !quotes && empty;
    said += fields +
            text("row ", no_row ? 0 : column + 1, " line ", row_line, !no_row && empty ? " e" : "",
                 spans ? text(" s", same_delimiters(content.substr(row_begin, i - row_begin))) : "",
                 "\n");
    i += line_end_size(i);
    ++line;
  }
  return said;
}

TEST(tokenizer_test, marks_are_the_same_on_every_processor) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    char bytes[64];
    for (char& c : bytes)
      c = round % 2 == 0 ? static_cast<char>(random()) : ",\"\n\r#\x0b\x8a\xac"[random() % 8];
    for (const char delimiter : {',', ';', '\t', '\xAC'}) {
      byte_marks expected{};
      for (int i = 0; i < 64; ++i) {
        const std::uint64_t bit = std::uint64_t{1} << i;
        if (bytes[i] == delimiter) expected.delimiters |= bit;
        if (bytes[i] == '"') expected.quotes |= bit;
        if (bytes[i] == '\n' || bytes[i] == '\r') expected.line_ends |= bit;
      }
      for (const byte_marks& seen :
           {marks_of(bytes, delimiter), portable_marks_of(bytes, delimiter)}) {
        EXPECT_EQ(seen.delimiters, expected.delimiters);
        EXPECT_EQ(seen.quotes, expected.quotes);
        EXPECT_EQ(seen.line_ends, expected.line_ends);
      }
    }
  }
}

TEST(tokenizer_test, agrees_with_a_reader_of_single_bytes) {
  std::mt19937 random(7);
  const std::string alphabets[] = {"a,\n", "ab,,\"\n ", "\"\"\",\r\n", "a,\"\r\n #\t",
                                   "aaaaaaaa,\"\n"};
  for (int round = 0; round < 40000; ++round) {
    const std::string& alphabet = alphabets[random() % 5];
    std::string content;
    for (std::size_t size = random() % (round % 10 == 0 ? 400 : 40); content.size() < size;)
      content += alphabet[random() % alphabet.size()];
    dialect how;
    if (random() % 2 == 0) how.comment = '#';
    how.strict = random() % 4 == 0;
    if (random() % 2 == 0) {
      how.wanted.emplace();
      for (std::size_t column = 0; column < 5; ++column) {
        if (random() % 2 == 0) how.wanted->push_back(column);
      }
    }
    const std::vector<std::size_t> pieces{1 + random() % 100, 1 + random() % 3, 1 + random() % 70};
    ASSERT_EQ(tokenized(content, how, pieces), read_by_bytes(content, how)) << content;
  }
}

TEST(tokenizer_test, pieces_do_not_matter) {
  const std::string content =
      "\"a \"\"b\"\"\" ,\"\r\n\",plain \"text\",\r\n#no row, \"\r  \"\" ,\"\"\"\"\r\r\nlast";
  for (const bool unwanted : {false, true}) {
    dialect how{'#', false, {}};
    if (unwanted) how.wanted = std::vector<std::size_t>{1};
    const std::string whole = tokenized(content, how, {content.size()});
    EXPECT_EQ(whole, read_by_bytes(content, how));
    for (std::size_t first = 1; first <= content.size(); ++first) {
      for (std::size_t second = 1; first + second <= content.size(); ++second)
        ASSERT_EQ(tokenized(content, how, {first, second, content.size()}), whole);
    }
  }
}

TEST(csv_test, finds_columns_by_name_and_number) {
  const table result = read_csv("a,b,c\n1,2,3\n4,5,6\n", {"c", "1", "c"});
  EXPECT_THAT(result.columns[0], ElementsAre(3, 6));
  EXPECT_THAT(result.columns[1], ElementsAre(1, 4));
  EXPECT_THAT(result.columns[2], ElementsAre(3, 6));
  EXPECT_THAT(result.names, ElementsAre("c", "a", "c"));
  // A header text that looks like a number is a name first.
  EXPECT_THAT(read_csv("2,1\n10,20\n", {"1"}).columns[0], ElementsAre(20));
}

TEST(csv_test, refuses_columns_that_are_not_there) {
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"c"}), HasSubstr("--x 'c': "));
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"c"}), HasSubstr("it has a, b"));
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"3"}), HasSubstr("has 2 columns"));
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"0"}), HasSubstr("no such column"));
  EXPECT_THAT(csv_message("a,b,a\n1,2,3\n", {"a"}), HasSubstr("columns 1 and 3"));
  EXPECT_THAT(csv_message("1,2\n", {"a"}, csv_options{',', false, false}),
              HasSubstr("by its number, 1 to 2"));
}

TEST(csv_test, understands_what_people_write) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_THAT(read_csv(mark + "x\r\n1\r\n2\r\n", {"x"}).columns[0], ElementsAre(1, 2));
  EXPECT_THAT(read_csv(mark + "\"x\"\n1\n", {"x"}).columns[0], ElementsAre(1));
  EXPECT_THAT(read_csv("x\n1\n2", {"x"}).columns[0], ElementsAre(1, 2))
      << "no line break at the end";
  EXPECT_THAT(read_csv("x\r1\r2\r", {"x"}).columns[0], ElementsAre(1, 2)) << "CR alone";
  EXPECT_THAT(read_csv("t,x\n\"two\nlines, \"\"quoted\"\"\",1\n\"\",\"2\"\n", {"x"}).columns[0],
              ElementsAre(1, 2));
  EXPECT_THAT(read_csv("\"a \"\"b\"\"\",x\n1,2\n", {"a \"b\""}).columns[0], ElementsAre(1));
  EXPECT_THAT(read_csv("x ; y\n 1 ; +2 \n", {"y"}, csv_options{';', true, false}).columns[0],
              ElementsAre(2));
  EXPECT_THAT(read_csv("x\ty\n1\t2\n", {"y"}, csv_options{'\t', true, false}).columns[0],
              ElementsAre(2));
  EXPECT_THAT(read_csv("1,2\n3,4\n", {"2"}, csv_options{',', false, false}).columns[0],
              ElementsAre(2, 4));
  EXPECT_THAT(read_csv("x,y\n\n1,1\n\n  \n2,2\r\n\r\n", {"x"}).columns[0], ElementsAre(1, 2))
      << "blank lines are no rows";
}

TEST(csv_test, an_empty_line_of_one_column_is_a_missing_value) {
  const auto rows = [](const std::string& content, csv_options options = {}) {
    const table whole = read_csv(content, {"1"}, options);
    std::string seen;
    for (const double value : whole.columns[0]) seen += std::isnan(value) ? "-" : text(value);
    return seen;
  };
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto lines = [&](std::string content) {
      std::string result;
      for (const char c : content) result += c == '/' ? end : std::string(1, c);
      return result;
    };
    EXPECT_EQ(rows(lines("x/1//2/")), "1-2");
    EXPECT_EQ(rows(lines("x///1/ \t/2//")), "--1-2-");
    EXPECT_EQ(rows(lines("//x/1//2")), "1-2") << "blank lines before the header are none";
    EXPECT_EQ(rows(lines("\"x\"/\"1\"//\"\"/2/")), "1--2");
    EXPECT_EQ(rows(lines("//1//2/"), csv_options{',', false, false}), "--1-2");
    EXPECT_EQ(rows(lines("//1,5//2,6/"), csv_options{',', false, false}), "12");
    EXPECT_EQ(rows(lines("x//1/"), csv_options{',', true, true}), "-1") << "no fault to --strict";
  }
  // Across the reader's buffers.
  std::string content = "x\n";
  for (int i = 0; i < 300000; ++i) content += "\r\n";
  EXPECT_EQ(rows(content), std::string(300000, '-'));
}

TEST(csv_test, quoted_fields_are_cut_between_characters) {
  const std::string field = std::string(39, 'a') + "\xC3\xA4" + std::string(10, 'b');
  EXPECT_THAT(read_csv("x\n" + field + "\n", {"x"}).first_unparsable,
              HasSubstr("'" + std::string(39, 'a') + "...'"));
}

TEST(csv_test, keeps_every_row_and_says_what_is_wrong) {
  const std::string content = "x,y\n1,2\n,3\nNA,4\n\"line\nbreak\",\n12:30,5\n6\nabc,7,\n8,10\n";
  const table result = read_csv(content, {"x", "y"});
  ASSERT_EQ(result.columns[0].size(), 8u);
  EXPECT_THAT(result.columns[0],
              ElementsAre(1, testing::IsNan(), testing::IsNan(), testing::IsNan(), testing::IsNan(),
                          6, testing::IsNan(), 8));
  EXPECT_THAT(result.columns[1],
              ElementsAre(2, 3, 4, testing::IsNan(), 5, testing::IsNan(), 7, 10));
  EXPECT_EQ(result.first_unparsable, "line 5, column 'x': 'line\nbreak'");

  const folder files;
  input_file input(files.write("data.csv", content));
  csv_reader reader(input, {}, {{"--x", "x"}, {"--y", "y"}});
  csv_block block;
  reader.read(block, 100);
  EXPECT_THAT(block.missing, ElementsAre(0, 1, 1, 2, 0, 2, 0, 0));
  EXPECT_THAT(block.unparsable, ElementsAre(0, 0, 0, 1, 1, 0, 1, 0));
}

TEST(csv_test, strict_fails_at_the_first_bad_row) {
  const csv_options strict{',', true, true};
  EXPECT_THAT(csv_message("x,y\n1,2\n\n,3\nabc,4\n", {"x"}, strict),
              HasSubstr("line 5, column 'x': 'abc' is not a number"));
  EXPECT_THAT(csv_message("x,y\n1,2\n1\n", {"x"}, strict),
              HasSubstr("line 3: the row has 1 fields, the header has 2"));
  EXPECT_THAT(csv_message("x,y\n1,2,3\n", {"x"}, strict),
              HasSubstr("line 2: the row has 3 fields"));
  EXPECT_THAT(csv_message("x,y\n1,2,\n", {"x"}, strict), HasSubstr("line 2: the row has 3 fields"));
  EXPECT_THAT(
      csv_message("t,x\n5\" pipe,2\n", {"x"}, strict),
      HasSubstr("line 2, column 't': a quote inside a field that is not quoted: '5\" pipe'"));
  EXPECT_EQ(csv_message("x,y\n1,2\n,\n", {"x"}, strict), "(no failure)")
      << "a missing field is data";
}

TEST(csv_test, refuses_what_is_no_table) {
  EXPECT_THAT(csv_message("", {"x"}), HasSubstr("the file is empty"));
  EXPECT_THAT(csv_message("\xEF\xBB\xBF", {"x"}), HasSubstr("the file is empty"));
  EXPECT_THAT(csv_message("x\n1\n\"2\n3\n", {"x"}),
              HasSubstr("line 3, column 'x': a quoted field is not closed"));
  EXPECT_THAT(csv_message("x\n\"" + std::string(3 << 20, '1'), {"x"}),
              HasSubstr("line 2, column 'x': a field is longer than"));
  EXPECT_THAT(csv_message("x\n\"" + std::string(3 << 20, '1') + "\"\n", {"x"}),
              HasSubstr("line 2, column 'x': a field is longer than"));
  EXPECT_THAT(csv_message(std::string("x\0y,z\n1,2\n", 10), {"z"}),
              HasSubstr("line 1: a null byte"));
  EXPECT_THAT(csv_message(std::string("x\0,\0y\0\n\0", 8), {"x"}), HasSubstr("UTF-16LE"));
  EXPECT_THAT(csv_message(std::string("\0x\0,\0y\0\n", 8), {"x"}), HasSubstr("UTF-16BE"));
  EXPECT_TRUE(read_csv("", {"1"}, csv_options{',', false, false}).columns[0].empty());
  EXPECT_TRUE(read_csv("x\n", {"x"}).columns[0].empty());
  EXPECT_TRUE(read_csv("x", {"x"}).columns[0].empty());
}

TEST(csv_test, malformed_quotes_are_errors_in_every_column) {
  const std::string rows = "item,size\nbolt,1\n\"2\" pipe,2\nbolt,3\n\"a, b\",4\n";
  for (const char* column : {"item", "size"}) {
    EXPECT_THAT(csv_message(rows, {column}),
                HasSubstr("line 3, column 'item': text behind the closing quote of the field that "
                          "begins '\"2\" pipe,2'"));
  }
  EXPECT_THAT(csv_message("item,size\n\"2 pipe,2\nbolt,3\n\"a, b\",4\n", {"size"}),
              HasSubstr("line 2, column 'item': text behind the closing quote on line 4"));
  EXPECT_THAT(csv_message("item,size\n\"2 pipe,2\nbolt,3\n", {"size"}),
              HasSubstr("line 2, column 'item': a quoted field is not closed"));
  EXPECT_THAT(csv_message("item,size\nbolt,\"2\"x\n", {"item"}), HasSubstr("column 'size': text"));
  EXPECT_THAT(csv_message("\"item\"s,size\n", {"size"}), HasSubstr("line 1, column 1: text"));
  EXPECT_THAT(
      csv_message("id,item,size\n1,\"2 pipe,2\nbolt\"\n3,bolt,4\n", {"id"}),
      HasSubstr("line 2: the row has 2 fields, the header has 3, and a quoted field in it goes "
                "on to line 3"));
  EXPECT_THAT(read_csv("item,size\n5\" pipe,2\n6\"\",3\n", {"size"}).columns[0], ElementsAre(2, 3))
      << "quotes inside text are text";
  EXPECT_THAT(read_csv("item,size\n \"a,\"\"\nb\" ,2\n", {"size"}).columns[0], ElementsAre(2));
}

TEST(csv_test, rows_wider_than_the_header_are_errors) {
  EXPECT_THAT(
      csv_message("x,y\n1,2\n\"1\",0,5\n", {"x"}),
      AllOf(HasSubstr("line 3: the row has 3 fields, the header has 2"), HasSubstr("row names")));
  EXPECT_THAT(csv_message("x,y\n0,5,1,5\n", {"y"}), HasSubstr("decimal commas?"));
  EXPECT_THAT(csv_message("x,y\n1,2,,\n", {"x"}), HasSubstr("has 4 fields"));
  EXPECT_THAT(csv_message("x,y\n1,2,\"z\"\n", {"x"}), HasSubstr("has 3 fields"));
  EXPECT_THAT(csv_message("x,y\n1,2" + std::string(400000, ',') + "\n", {"x"}),
              HasSubstr("line 2: the row has"));
  EXPECT_THAT(csv_message("x\n\"" + std::string(1 << 19, 'a') + "\"", {"1"}),
              HasSubstr("(no failure)"));
  EXPECT_THAT(csv_message("x\n1,\"" + std::string((1 << 18) - 6, 'a') + "\"\n", {"x"}),
              HasSubstr("has 2 fields"))
      << "the extra field ends with a buffer";
  EXPECT_THAT(csv_message("1,2\n1,2,3\n", {"1"}, csv_options{',', false, false}),
              HasSubstr("line 2: the row has 3 fields, the first row has 2"));
  EXPECT_THAT(csv_message("a;b\n1,5;2,5\n", {"1"}), HasSubstr("--delimiter ';'?"));
  EXPECT_THAT(read_csv("x,y\n1,2,\n3,4, \n5,6,\"\"\n7,8\n", {"x"}).columns[0],
              ElementsAre(1, 3, 5, 7))
      << "a delimiter behind every row";
  const folder files;
  const auto warnings_of = [&](const std::string& content) {
    input_file input(files.write("data.csv", content));
    csv_reader reader(input, {}, {{"--x", "1"}});
    csv_block block;
    do reader.read(block, 100);
    while (block.rows() > 0);
    std::string all;
    for (const std::string& warning : reader.warnings()) all += warning + "\n";
    return all;
  };
  EXPECT_EQ(
      warnings_of("x,y,z\n1,2,3\n4,5\n6,7\n"),
      "2 rows have fewer fields than the header (first: line 3 has 2 of 3): what is not there is "
      "missing\n");
  EXPECT_EQ(warnings_of("x,y,\n1,2\n4,5\n"), "") << "a delimiter behind the header";
}

TEST(csv_test, limits_hold_for_what_is_read) {
  const std::string longest(3 << 20, 'a');
  EXPECT_THAT(read_csv("t,x\n\"" + longest + "\",1\n" + longest + ",2\n", {"x"}).columns[0],
              ElementsAre(1, 2));
  EXPECT_THAT(csv_message(std::string(3 << 20, ',') + "\n1\n", {"x"}),
              HasSubstr("line 1: more than 1048576 columns"));
  EXPECT_THAT(
      csv_message(std::string(3 << 20, ',') + "\n1\n", {"1"}, csv_options{',', false, false}),
      HasSubstr("line 1: more than 1048576 columns"));
  std::string header;
  for (int i = 0; i < 100; ++i) header += std::string(200000, 'h') + ",";
  EXPECT_THAT(csv_message(header + "\n", {"x"}), HasSubstr("line 1: the header is longer than"));
  EXPECT_THAT(
      csv_message(std::string(3 << 20, '\n') + "1\n", {"1"}, csv_options{',', false, false}),
      HasSubstr("empty lines before the first row"));
}

TEST(csv_test, lines_before_and_between_the_rows) {
  csv_options options;
  options.comment = '#';
  EXPECT_THAT(read_csv("# a \"\n#\nx\n1\n#2\n\n3 #\n# 4", {"x"}, options).columns[0],
              ElementsAre(1, testing::IsNan(), testing::IsNan()))
      << "a line that begins with it, no more";
  options = {};
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    options.skip_lines = 2;
    const std::string content =
        "set \"2\" x,1,2,3" + end + end + "x,y" + end + "1,2" + end + "a,4" + end;
    const table result = read_csv(content, {"y"}, options);
    EXPECT_THAT(result.columns[0], ElementsAre(2, 4));
    EXPECT_THAT(read_csv(content, {"x"}, options).first_unparsable,
                HasSubstr("line 5, column 'x'"));
    options.skip_lines = 6;
    EXPECT_THAT(csv_message(content, {"x"}, options),
                HasSubstr("--skip-lines 6: the file has only 5 lines"));
  }
  EXPECT_THAT(csv_message("# a\nx\n1\n", {"x"}), HasSubstr("--comment '#'"));
  EXPECT_THAT(csv_message("device,7\n\nx,y\n1,2\n", {"y"}),
              HasSubstr("line 3 has it: --skip-lines 2?"));
}

TEST(csv_test, says_which_delimiter) {
  EXPECT_THAT(csv_message("a;b\n1;2\n", {"a"}),
              HasSubstr("the header has ';' but no ','; --delimiter ';'?"));
  EXPECT_THAT(csv_message("a\tb\n1\t2\n", {"2"}),
              HasSubstr("the header has tab but no ','; --delimiter tab?"));
  EXPECT_THAT(csv_message("a|b\n1|2\n", {"b"}), HasSubstr("--delimiter '|'?"));
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"b"}, csv_options{';', true, false}),
              HasSubstr("--delimiter ','?"));
  EXPECT_THAT(csv_message("1;2\n", {"2"}, csv_options{',', false, false}),
              HasSubstr("the first line has ';' but no ','"));
  EXPECT_THAT(csv_message("a,b\n1,2\n", {"c"}), testing::Not(HasSubstr("--delimiter")));
}

TEST(csv_test, says_what_was_lost) {
  const folder files;
  const auto warnings_of = [&](const std::string& content, const csv_options& options,
                               std::vector<column_request> requests) {
    input_file input(files.write("data.csv", content));
    csv_reader reader(input, options, std::move(requests));
    csv_block block;
    do reader.read(block, 1000);
    while (block.rows() > 0);
    std::string all;
    for (const std::string& warning : reader.warnings()) all += warning + "\n";
    return all;
  };
  std::string prices = "pop,price\n";
  for (int i = 0; i < 99; ++i) prices += "5,7\n";
  EXPECT_EQ(warnings_of(prices + "\"1,008\",2\n", {}, {{"--x", "pop"}}), "") << "one in a hundred";
  EXPECT_EQ(
      warnings_of(prices + "\"1,008\",2\n\"2,016\",2\n\"3,024.5\",2\n", {}, {{"--x", "pop"}}),
      "3 of 102 fields of column 'pop' are not a number (first: line 101: '1,008'); --thousands "
      "',' reads 3 of them, column 'pop' from 1008 to 3024.5\n");
  csv_options semicolon;
  semicolon.delimiter = ';';
  EXPECT_EQ(
      warnings_of("size,item\n1,a\n2,\"2\n3,b\n4,6\"\n5,c\n", {}, {{"--x", "size"}}),
      "1 row has a quoted field that holds line breaks, and each of its lines looks like a row "
      "(first: lines 3 to 5); is a quote left open?\n");
  EXPECT_EQ(warnings_of("size,item,n\n1,\"a,\nb\",3\n", {}, {{"--x", "size"}}), "");
  EXPECT_THAT(warnings_of("a;b\n4,991;1\n5,162;2\n", semicolon, {{"--x", "a"}}),
              HasSubstr("--decimal ',' reads 2 of them, column 'a' from 4.991 to 5.162"));
  EXPECT_THAT(warnings_of("a;b\n1.234,5;1\n,5;2\n", semicolon, {{"--x", "a"}}),
              HasSubstr("--decimal ',' --thousands '.' reads 2"));
  EXPECT_EQ(warnings_of("a\nNA\n\n,\n", {}, {{"--x", "a"}}), "") << "missing is not unparsable";
  const std::string numbers = "0.0,4.9\n1,2\n";
  EXPECT_THAT(
      warnings_of(numbers, {}, {{"--x", "2"}}),
      HasSubstr("line 1 is taken for the header, but looks like data: 0.0, 4.9; --no-header"));
  EXPECT_EQ(warnings_of(numbers, {}, {{"--x", "4.9"}}), "") << "asked for by name";
  EXPECT_EQ(warnings_of(numbers, csv_options{',', false, false}, {{"--x", "2"}}), "");
}

// --------------------------------------------------------- what is no text

TEST(file_kind_test, known_beginnings_are_named) {
  using namespace std::string_literals;
  const std::pair<std::string, const char*> cases[] = {
      {"\x1F\x8B\x08\0\0"s, "gzip data, not CSV text: gunzip -c "},
      {"BZh91AY"s, "bzip2 data, not CSV text: bunzip2 -c "},
      {"\xFD"s + "7zXZ\0\0"s, "xz data"},
      {"\x28\xB5\x2F\xFD\x24"s, "zstd data"},
      {"\x04\x22\x4D\x18\x64"s, "lz4 data"},
      {"PK\x03\x04"s + std::string(26, '\0') + "data.csvPK",
       "a zip archive, not CSV text: unzip -p "},
      {"PK\x03\x04"s + std::string(26, '\0') + "x.npy", "an NPZ archive"},
      {"PK\x03\x04"s + std::string(26, '\0') + "[Content_Types].xml", "an Excel workbook"},
      {"PAR1\x15\x04", "a Parquet file"},
      {"ARROW1\0\0"s, "an Arrow (Feather) file"},
      {"FEA1", "a Feather file"},
      {"\x89HDF\r\n\x1A\n", "an HDF5 file"},
      {"\xD0\xCF\x11\xE0\xA1\xB1", "an Excel (.xls)"},
      {"SQLite format 3\0"s, "an SQLite database"},
      {"%PDF-1.7\n", "a PDF file"},
      {"\xFF\xFEx\0"s, "UTF-16 text"},
      {"\xFF\xFE\0\0x\0\0\0"s, "UTF-32 text"},
      {"\x30\x01\0\0\0\0\0\0{\"__metadata__\":{"s, "a model file (safetensors)"},
  };
  const folder files;
  for (const auto& [content, words] : cases) {
    const std::string path = files.write("t.csv", content);
    table_choice choice;
    choice.inputs = {path};
    EXPECT_THAT(message_of([&] {
                  open_rows(choice, {{"--x", "1", true}});
                }),
                AllOf(HasSubstr(path + ": this is "), HasSubstr(words)));
    EXPECT_THAT(message_of([&] { edges_from_file(path); }), HasSubstr(words));
    // A pipe that hands over one byte at a time.
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    std::thread writer([&, bytes = content] {
      for (const char c : bytes) {
        if (::write(ends[1], &c, 1) != 1) break;
      }
      ::close(ends[1]);
    });
    const std::string pipe = text("/dev/fd/", ends[0]);
    choice.inputs = {pipe};
    EXPECT_THAT(message_of([&] { open_rows(choice, {{"--x", "1", true}}); }), HasSubstr(words));
    writer.join();
    ::close(ends[0]);
  }
}

TEST(edge_file_test, is_read_as_tables_are) {
  const folder files;
  const auto edges = [&](const std::string& content) {
    return edges_from_file(files.write("edges", content)).edges;
  };
  EXPECT_THAT(edges("\xEF\xBB\xBF"
                    "0\r\n1\r\n2\r\n"),
              ElementsAre(0, 1, 2));
  EXPECT_THAT(edges("\xEF\xBB\xBF# saved\n0\n \n  # two\n1e0"), ElementsAre(0, 1));
  EXPECT_THAT(edges("0\r1\r\r2"), ElementsAre(0, 1, 2));
  const auto says = [&](const std::string& content) { return message_of([&] { edges(content); }); };
  EXPECT_THAT(says("0\r\n\r\nx\x1b\r\n"), HasSubstr("line 3: 'x\\x1b' is not a number"));
  for (const char* infinite : {"-inf\n0\n1\n", "1e400\n", "0\n1\nInfinity\n"})
    EXPECT_THAT(says(infinite), AllOf(HasSubstr("is not finite; leave it out"),
                                      HasSubstr("--range-policy segments")));
  EXPECT_THAT(says(std::string("0\0\n\0", 4)), HasSubstr("UTF-16LE"));
}

TEST(row_source_test, a_table_that_is_kept_is_read_once) {
  const folder files;
  for (const std::int64_t kept_rows : {0, 2, 3, 100}) {
    table_choice choice;
    choice.inputs = {files.write("data.csv", "w,x,y\n7,1,\n7,a,5\n\n7,3,6\n")};
    const auto rows =
        open_rows(choice, {{"--x", "x", true}, {"--y", "", false}, {"--weights", "y", false}});
    rows->make_rewindable(kept_rows);
    const auto pass = [&] {
      std::string seen;
      row_block block;
      while (rows->next(block)) {
        for (std::int64_t i = 0; i < block.rows; ++i) {
          seen += text(block.first_row + i, ":", element(block.columns[0], i), ",",
                       element(block.columns[2], i), " ", int{block.missing[i]}, " ",
                       int{block.unparsable[i]}, " ", block.place(i, 2), "\n");
        }
      }
      return seen;
    };
    const std::string first = pass();
    EXPECT_THAT(first, AllOf(HasSubstr("0:1,nan 4 0 "), HasSubstr("1:nan,5 0 1 "),
                             HasSubstr("2:3,6 0 0 "), HasSubstr("data.csv, line 5, column 'y'")));
    // What is written over the file shows whether it is read again.
    files.write("data.csv", "w,x,y\n7,8,9\n");
    for (int again = 0; again < 2; ++again) {
      rows->rewind();
      const std::string second = pass();
      if (kept_rows >= 3) {
        EXPECT_EQ(second, first);
      } else {
        EXPECT_THAT(second, HasSubstr("0:8,9 "));
      }
    }
    EXPECT_EQ(rows->times_read(), kept_rows >= 3 ? 1 : 3);
    EXPECT_EQ(rows->first_unparsable().empty(), kept_rows < 3);
  }
}

TEST(csv_test, blocks_do_not_change_the_rows) {
  std::string content = "a,x\n";
  const int rows = 100000;  // several buffers long, with lines that straddle them
  for (int i = 0; i < rows; ++i)
    content += "\"text, " + std::to_string(i % 7) + "\n\"," + std::to_string(i) + "\n";
  for (const std::int64_t block_rows : {1, 1000, 1 << 20}) {
    const table result = read_csv(content, {"x"}, {}, block_rows);
    ASSERT_EQ(result.columns[0].size(), static_cast<std::size_t>(rows));
    for (int i = 0; i < rows; ++i) ASSERT_EQ(result.columns[0][static_cast<std::size_t>(i)], i);
  }
}

TEST(csv_test, every_truncation_ends) {
  const std::string content = "\xEF\xBB\xBF\"a\",x\r\n\"q\"\"\r\n\",1.5\r\n,\r\n";
  for (std::size_t size = 0; size <= content.size(); ++size) {
    csv_message(content.substr(0, size), {"2"});  // whatever it says, it neither crashes nor hangs
  }
}

// ----------------------------------------------------------------------- NPY

std::string npy(const std::string& header, const std::string& data, int major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8 & 255);
  if (major > 1) {
    bytes += static_cast<char>(header.size() >> 16 & 255);
    bytes += static_cast<char>(header.size() >> 24 & 255);
  }
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::vector<double> read_npy(const std::string& content) {
  const folder files;
  table_choice choice;
  choice.inputs = {files.write("x.npy", content)};
  const auto rows = open_rows(choice, {{"--x", "", true}});
  std::vector<double> values;
  row_block block;
  while (rows->next(block)) {
    for (std::int64_t i = 0; i < block.rows; ++i) values.push_back(element(block.columns[0], i));
  }
  return values;
}

std::string npy_message(const std::string& content) {
  return message_of([&] { read_npy(content); });
}

TEST(npy_test, reads_what_numpy_writes) {
  const std::vector<double> wide{1.5, -2, 1e300};
  const std::vector<float> narrow{1.5f, -2, 3};
  for (const int major : {1, 2, 3}) {
    EXPECT_EQ(read_npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n",
                           bytes_of(wide), major)),
              wide);
    EXPECT_THAT(read_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n",
                             bytes_of(narrow), major)),
                ElementsAre(1.5, -2, 3));
  }
  EXPECT_EQ(
      read_npy(npy("{\"shape\":(3,1),\"fortran_order\":True,\"descr\":\"<f8\"}", bytes_of(wide))),
      wide);
  EXPECT_EQ(read_npy(make_npy_header(ZCMOE_F64, 3) + bytes_of(wide)), wide);
  EXPECT_TRUE(read_npy(make_npy_header(ZCMOE_F64, 0)).empty());
  EXPECT_EQ(make_npy_header(ZCMOE_F32, std::numeric_limits<std::int64_t>::max()).size(),
            npy_header_size);
}

template <class T>
std::vector<double> read_as(const char* descr, const std::vector<T>& values) {
  return read_npy(npy("{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (" +
                          std::to_string(values.size()) + ",), }\n",
                      bytes_of(values)));
}

TEST(npy_test, reads_every_type_exactly) {
  EXPECT_THAT(read_as<std::int8_t>("|i1", {-128, 127}), ElementsAre(-128, 127));
  EXPECT_THAT(read_as<std::uint8_t>("|u1", {0, 255}), ElementsAre(0, 255));
  EXPECT_THAT(read_as<std::uint8_t>("|b1", {0, 1}), ElementsAre(0, 1));
  EXPECT_THAT(read_as<std::int16_t>("<i2", {-32768, 32767}), ElementsAre(-32768, 32767));
  EXPECT_THAT(read_as<std::uint16_t>("<u2", {0, 65535}), ElementsAre(0, 65535));
  EXPECT_THAT(read_as<std::int32_t>("<i4", {-2147483647 - 1, 2147483647}),
              ElementsAre(-2147483648.0, 2147483647));
  EXPECT_THAT(read_as<std::uint32_t>("<u4", {0, 4294967295u}), ElementsAre(0, 4294967295.0));
  EXPECT_THAT(read_as<std::int64_t>("<i8", {-(std::int64_t{1} << 53), 5}), ElementsAre(-0x1p53, 5));
  EXPECT_THAT(read_as<std::uint64_t>("<u8", {0, std::uint64_t{1} << 63}), ElementsAre(0, 0x1p63));
  // 1, -2, the greatest, the least above 0, the least normal, infinity.
  EXPECT_THAT(read_as<std::uint16_t>("<f2", {0x3C00, 0xC000, 0x7BFF, 1, 0x0400, 0xFC00}),
              ElementsAre(1, -2, 65504, 0x1p-24, 0x1p-14, -infinity));
  EXPECT_TRUE(std::isnan(read_as<std::uint16_t>("<f2", {0x7E00})[0]));
}

TEST(npy_test, counts_integers_that_no_double_is) {
  const std::int64_t two_53 = std::int64_t{1} << 53;
  testing::internal::CaptureStderr();
  read_as<std::int64_t>("<i8", {two_53, two_53 + 1, -two_53 - 1, two_53 + 2,
                                std::numeric_limits<std::int64_t>::max()});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("x.npy: integers beyond 2^53, rounded to the nearest float64: 3\n"));
  testing::internal::CaptureStderr();
  read_as<std::uint64_t>("<u8",
                         {std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr(": integers beyond 2^53, rounded to the nearest float64: 1\n"));
  testing::internal::CaptureStderr();
  read_as<std::int64_t>("<i8", {two_53, -two_53});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(npy_test, a_file_changed_while_it_is_read_is_a_failure) {
  const folder files;
  for (const bool shorter : {true, false}) {
    table_choice choice;
    // The cut lies in the last page: what is gone reads as zeros there.
    const std::string content = make_npy_header(ZCMOE_F64, 100) + std::string(800, 'x');
    choice.inputs = {files.write("x.npy", content)};
    const auto rows = open_rows(choice, {{"--x", "", true}});
    row_block block;
    ASSERT_TRUE(rows->next(block));
    if (shorter) {
      std::filesystem::resize_file(choice.inputs[0], content.size() - 80);
    } else {
      std::filesystem::last_write_time(choice.inputs[0], {});
    }
    EXPECT_THAT(message_of([&] { rows->next(block); }),
                HasSubstr(shorter ? "x.npy: the file became shorter while it was read"
                                  : "x.npy: the file was changed while it was read"));
  }
}

TEST(npy_test, reads_data_at_odd_offsets) {
  const std::vector<double> values{1, 2, 3};
  for (std::size_t blanks = 0; blanks < 8; ++blanks) {
    const std::string header =
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }" + std::string(blanks, ' ');
    EXPECT_EQ(read_npy(npy(header, bytes_of(values))), values);
  }
}

TEST(npy_test, refuses_hostile_headers) {
  const auto header = [](const std::string& descr, const std::string& order,
                         const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  };
  const std::string data(24, '\0');
  const std::pair<std::string, const char*> cases[] = {
      {npy(header("'>f8'", "False", "(3,)"), data), "big-endian"},
      {npy(header("'|O'", "False", "(3,)"), data), "Python objects"},
      {npy(header("'>i2'", "False", "(3,)"), data), "big-endian; convert with x.astype('<i2')"},
      {npy(header("'>u8'", "False", "(3,)"), data), "big-endian; convert with x.astype('<u8')"},
      {npy(header("'<c16'", "False", "(3,)"), data), "complex numbers; save x.real"},
      {npy(header("'<M8[s]'", "False", "(3,)"), data), "dates; convert with x.astype('<i8')"},
      {npy(header("'<U3'", "False", "(2,)"), data), "holds text"},
      {npy(header("'<f16'", "False", "(2,)"), data), "convert with x.astype('<f8')"},
      {npy(header("'<V2'", "False", "(2,)"), data), "neither a float of 2, 4 or 8 bytes"},
      {npy(header("'f8'", "False", "(3,)"), data), "neither a float of 2, 4 or 8 bytes"},
      {npy(header("''", "False", "(3,)"), data), "neither a float of 2, 4 or 8 bytes"},
      {npy(header("'<f8'", "False", "(1, 3)"), data), "(n, 1); save x.ravel()"},
      {npy(header("'<f8'", "False", "(1, 3, 1)"), data), "(n, 1); save x.ravel()"},
      {npy(header("'<f8'", "False", "(3, 2)"), data), "save x[:, k] as its own array"},
      {npy(header("[('a', '<f8')]", "False", "(3,)"), data), "structured"},
      {npy(header("'<f8'", "True", "(1, 3)"), data),
       "shape (1, 3) in Fortran order is not one column"},
      {npy(header("'<f8'", "False", "(3, 2)"), data), "shape (3, 2) is not one column"},
      {npy(header("'<f8'", "False", "()"), data), "shape () is not one column"},
      {npy(header("'<f8'", "False", "(-3,)"), data), "a length expected"},
      {npy(header("'<f8'", "False", "(9223372036854775808,)"), data), "exceeds 64 bits"},
      {npy(header("'<f8'", "False", "(9223372036854775807,)"), data), "larger than any file"},
      {npy(header("'<f8'", "False", "(1152921504606846976, 1)"), data), "larger than any file"},
      {npy(header("'<f8'", "False", "(4,)"), data),
       "4 rows of 8 bytes need 32 bytes of data, the file has 24"},
      {npy(header("'<f8'", "False", "(2,)"), data), "the file has 24"},
      {npy(header("'<f8'", "0", "(3,)"), data), "neither True nor False"},
      {npy(header("'<f8", "False", "(3,)"), data), "'"},
      {npy("{'descr': '<f8', 'shape': (3,)}", data), "'fortran_order' is missing"},
      {npy("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", data),
       "occurs twice"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1}", data), "unknown key"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} x", data), "text after"},
      {npy("{'descr': '\x01', 'fortran_order': False, 'shape': (3,)}", data), "no printable ASCII"},
      {npy(std::string("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\0", 56), data),
       "text after"},
      {npy("", data), "'{' expected"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + std::string(100, '1'), data),
       "64 bits"},
      {npy("{}", data, 4), "format version 4.0"},
      {npy("{}", data, 0), "format version 0.0"},
      {std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12) + data, "the limit is"},
      {std::string("\x93NUMPY\x01\0\xff\xff", 10) + data, "but the file has only 24"},
      {std::string("\x93NUMPY"), "ends after 6 bytes"},
      {"x,y\n1,2\n", "not an NPY file"},
      {"", "not an NPY file"},
  };
  for (const auto& [content, expected] : cases)
    EXPECT_THAT(npy_message(content), HasSubstr(expected));
}

TEST(npy_test, every_truncation_is_refused) {
  const std::string whole = make_npy_header(ZCMOE_F32, 5) + std::string(20, 'x');
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(npy_message(whole.substr(0, size)), "(no failure)") << size;
  }
  EXPECT_EQ(npy_message(whole), "(no failure)");
  EXPECT_NE(npy_message(whole + "x"), "(no failure)");
}

TEST(npy_test, every_flipped_bit_ends) {
  const std::string whole = make_npy_header(ZCMOE_F64, 2) + std::string(16, '\0');
  for (std::size_t bit = 0; bit < npy_header_size * 8; ++bit) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    npy_message(changed);  // refused or read, but neither crashes nor reads beyond the file
  }
}

TEST(npy_test, files_must_fit_each_other) {
  const folder files;
  const std::vector<column_role> roles{
      {"--x", "", true}, {"--y", "", true}, {"--weights", "", false}};
  const std::string two =
      files.write("two.npy", make_npy_header(ZCMOE_F64, 2) + std::string(16, '\0'));
  const std::string three =
      files.write("three.npy", make_npy_header(ZCMOE_F64, 3) + std::string(24, '\0'));
  const std::string csv = files.write("data.csv", "x\n1\n");
  const auto open = [&](std::vector<std::string> inputs, std::vector<column_role> given) {
    table_choice choice;
    choice.inputs = std::move(inputs);
    return message_of([&] { open_rows(choice, given); });
  };
  EXPECT_THAT(open({two, three}, roles), HasSubstr("has 3 rows"));
  EXPECT_THAT(open({two}, roles), HasSubstr("--y is missing"));
  EXPECT_THAT(open({two, two, two, two}, roles), HasSubstr("at most 3"));
  EXPECT_THAT(open({two, csv}, roles), HasSubstr("not an NPY file"));
  EXPECT_THAT(open({csv, two}, roles), HasSubstr("comes alone"));
  EXPECT_THAT(open({csv}, roles), HasSubstr("--x is missing"));
  EXPECT_THAT(open({two, two}, {{"--x", "a", true}, {"--y", "", true}}),
              HasSubstr("already given"));
  EXPECT_EQ(open({two}, {{"--x", "", true}, {"--y", two, true}}), "(no failure)");
  EXPECT_THAT(open({files.path("none")}, roles), HasSubstr("No such file"));
  EXPECT_THAT(open({files.path("")}, roles), HasSubstr("Is a directory"));
}

// -------------------------------------------------------------------- output

TEST(output_test, appears_only_when_complete) {
  const folder files;
  const std::string path = files.write("out", "old");
  {
    output_file output(path);
    output.write("new");
    EXPECT_EQ(content_of(path), "old");
  }
  EXPECT_EQ(content_of(path), "old");
  EXPECT_EQ(files.num_files(), 1u) << "the temporary file is gone";
  {
    output_file output(path);
    output.write("n__");
    output.write(std::string(1 << 20, '.'));
    output.rewrite_start("new");
    output.write("end");
    output.commit();
  }
  const std::string content = content_of(path);
  EXPECT_EQ(content.size(), (1u << 20) + 6);
  EXPECT_EQ(content.substr(0, 4), "new.");
  EXPECT_EQ(content.substr(content.size() - 4), ".end");
  EXPECT_EQ(files.num_files(), 1u);
}

TEST(output_test, keeps_links_and_permissions) {
  const folder files;
  const std::string path = files.write("out", "old");
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink(path, files.path("link"));
  output_file output(files.path("link"));
  output.write("new");
  output.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(files.path("link")));
  EXPECT_EQ(content_of(path), "new");
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(output_test, follows_links_to_what_is_not_there_yet) {
  const folder files;
  std::filesystem::create_symlink("second", files.path("first"));
  std::filesystem::create_symlink("there", files.path("second"));
  std::filesystem::create_symlink("none/there", files.path("astray"));
  std::filesystem::create_symlink("loop", files.path("loop"));
  check_outputs({{"--output", files.path("first")}});
  output_file output(files.path("first"));
  output.write("new");
  output.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(files.path("first")));
  EXPECT_TRUE(std::filesystem::is_symlink(files.path("second")));
  EXPECT_EQ(content_of(files.path("there")), "new");
  EXPECT_FALSE(std::filesystem::is_symlink(files.path("there")));
  EXPECT_THAT(message_of([&] { output_file(files.path("astray")); }), HasSubstr("No such file"));
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path("astray")}});
              }),
              HasSubstr("No such file"));
  EXPECT_THAT(message_of([&] { output_file(files.path("loop")); }), HasSubstr("symbolic links"));
}

TEST(output_test, has_no_name_until_it_is_whole) {
  const folder files;
  output_file output(files.path("out"));
  output.write(std::string(1 << 20, '.'));
  EXPECT_EQ(files.num_files(), 0u) << "on a file system with files without a name";
  output.commit();
  EXPECT_EQ(files.num_files(), 1u);
  output_file moved(files.path("out"));
  moved.write("new");
  std::filesystem::rename(files.path("out"), files.path("elsewhere"));
  moved.commit();
  EXPECT_EQ(content_of(files.path("out")), "new");
  EXPECT_EQ(content_of(files.path("elsewhere")).size(), 1u << 20);
}

TEST(output_test, has_a_secret_name_where_files_need_one) {
  const folder files;
  files.write("out", "old");
  no_nameless_files = true;
  {
    output_file output(files.path("out"));
    EXPECT_EQ(files.num_files(), 2u);
    EXPECT_EQ(content_of(files.path("out")), "old");
  }
  EXPECT_EQ(files.num_files(), 1u);
  {
    output_file output(files.path("out"));
    remove_unfinished_output();  // as a signal does
    EXPECT_EQ(files.num_files(), 1u);
  }
  output_file output(files.path("out"));
  no_nameless_files = false;
  output.write("new");
  output.commit();
  EXPECT_EQ(content_of(files.path("out")), "new");
  EXPECT_EQ(files.num_files(), 1u);
}

TEST(output_test, goes_where_the_folder_went) {
  const folder files;
  std::filesystem::create_directory(files.path("in"));
  std::filesystem::create_directory(files.path("other"));
  std::filesystem::create_symlink("in/out", files.path("link"));
  output_file output(files.path("link"));
  output.write("new");
  std::filesystem::rename(files.path("in"), files.path("moved"));
  std::filesystem::rename(files.path("other"), files.path("in"));
  std::filesystem::remove(files.path("link"));
  std::filesystem::create_symlink("in/victim", files.path("link"));
  output.commit();
  EXPECT_EQ(content_of(files.path("moved/out")), "new");
  EXPECT_TRUE(std::filesystem::is_empty(files.path("in")));
}

TEST(output_test, an_open_descriptor_is_written_where_it_stands) {
  const folder files;
  const std::string path = files.write("all", "first ");
  const owned_descriptor stream(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  for (const std::string name : {"/dev/fd/", "/proc/self/fd/"}) {
    const std::string given = name + std::to_string(stream.get());
    EXPECT_FALSE(output_place(given).is_file());
    output_file output(given);
    output.write("more ");
    output.commit();
  }
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(stream.get()), files.path("link"));
  {
    output_file output(files.path("link"));
    output.write("end");
    output.commit();
  }
  EXPECT_EQ(content_of(path), "first more more end");
  EXPECT_EQ(files.num_files(), 2u);
}

TEST(input_test, a_pipe_is_copied_while_it_is_read) {
  const std::string content = "BZ,1\n2,3\n";  // the start is looked at: BZh would be bzip2
  for (const std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{4}, content.size()}) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::write(ends[1], content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
    ::close(ends[1]);
    input_file input("/dev/fd/" + std::to_string(ends[0]));
    ::close(ends[0]);
    input.refuse_binary();
    input.make_rewindable();
    EXPECT_EQ(input.size(), -1);
    std::string read(64, '\0');
    EXPECT_LE(input.read(read.data(), first), first);
    for (int pass = 0; pass < 2; ++pass) {
      input.rewind();
      EXPECT_EQ(input.size(), static_cast<std::int64_t>(content.size()));
      std::size_t size = 0;
      while (const std::size_t got = input.read(read.data() + size, 64 - size)) size += got;
      EXPECT_EQ(read.substr(0, size), content) << first;
    }
  }
}

TEST(output_test, is_never_an_input_or_another_output) {
  const folder files;
  const std::string input = files.write("in.csv", "x");
  std::filesystem::create_symlink("in.csv", files.path("link"));
  std::filesystem::create_hard_link(input, files.path("hard"));
  std::filesystem::create_symlink(".", files.path("here"));
  const auto said = [&](const std::string& output, const std::string& read) {
    return message_of([&] { check_outputs({{"--output", output}}, {"none", read}); });
  };
  EXPECT_EQ(said(input, input), "--output " + input + " is the input");
  for (const char* other : {"link", "hard", "here/in.csv", "here/link"}) {
    const std::string path = files.path(other);
    EXPECT_EQ(said(path, input), "--output " + path + " is the input " + input);
    EXPECT_EQ(said(input, path), "--output " + input + " is the input " + path);
  }
  EXPECT_EQ(said(files.path("new"), input), "(no failure)");
  EXPECT_EQ(said("/dev/null", "/dev/null"), "(no failure)") << "nothing is lost there";
  const auto both = [&](const std::string& a, const std::string& b) {
    return message_of([&] { check_outputs({{"--output", a}, {"--json", b}}); });
  };
  EXPECT_THAT(both("-", "-"), HasSubstr("are the same file"));
  EXPECT_THAT(both(input, files.path("link")), HasSubstr("are the same file"));
  EXPECT_EQ(both("/dev/null", files.path("new")), "(no failure)");
}

TEST(output_test, follows_only_links_that_the_system_follows) {
  const folder files;
  files.write("victim", "precious");
  std::filesystem::create_symlink("victim", files.path("link"));
  const std::string link = files.path("link");
  foreign_link = link.c_str();
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", link}});
              }),
              HasSubstr("link: Permission denied"));
  EXPECT_THAT(message_of([&] { output_file output(link); }), HasSubstr("link: Permission denied"));
  foreign_link = nullptr;
  EXPECT_EQ(content_of(files.path("victim")), "precious");
}

TEST(output_test, takes_the_longest_names) {
  const folder files;
  for (const std::size_t size : {240u, 255u}) {
    const std::string path = files.path(std::string(size, 'n'));
    check_outputs({{"--output", path}});
    output_file output(path);
    output.write("new");
    output.commit();
    EXPECT_EQ(content_of(path), "new");
  }
  EXPECT_EQ(files.num_files(), 2u);
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path(std::string(256, 'n'))}});
              }),
              HasSubstr("name too long"));
}

TEST(output_test, can_be_checked_beforehand) {
  const folder files;
  check_outputs({{"--output", "-"}});
  check_outputs({{"--output", "/dev/null"}});
  check_outputs({{"--output", files.path("new")}});
  check_outputs({{"--output", files.write("old", "old")}});
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path("none/new")}});
              }),
              HasSubstr("No such file"));
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path("old/new")}});
              }),
              HasSubstr("Not a directory"));
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path("")}});
              }),
              HasSubstr("Is a directory"));
  EXPECT_EQ(files.num_files(), 1u);
  if (::geteuid() == 0) return;  // may write anywhere
  ASSERT_EQ(::chmod(files.path("").c_str(), 0500), 0);
  EXPECT_THAT(message_of([&] {
                check_outputs({{"--output", files.path("new")}});
              }),
              HasSubstr("Permission denied"));
  ASSERT_EQ(::chmod(files.path("").c_str(), 0700), 0);
}

TEST(descriptor_test, names_what_failed) {
  EXPECT_THAT(message_of([] { write_all(-1, "x", 1, "the copy"); }),
              HasSubstr("the copy: Bad file"));
  char byte;
  EXPECT_THAT(message_of([&] { read_some(-1, &byte, 1, "the copy"); }),
              HasSubstr("the copy: Bad file"));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  write_all(ends[1], "xy", 2, "pipe");
  EXPECT_EQ(read_some(ends[0], &byte, 1, "pipe"), 1u);
  EXPECT_EQ(byte, 'x');
  EXPECT_EQ(read_some(ends[0], &byte, 1, "pipe"), 1u);
  ::close(ends[1]);
  EXPECT_EQ(read_some(ends[0], &byte, 1, "pipe"), 0u);
  ::close(ends[0]);
}

using signal_death_test = testing::Test;
TEST(signal_death_test, wait_until_the_library_is_done) {
  const auto interrupted = [](bool hold) {
    install_signal_handlers();
    if (hold) {
      const signals_held held;
      ::raise(SIGTERM);
      std::fputs("still here", stderr);
    } else {
      ::raise(SIGTERM);
      std::fputs("still here", stderr);
    }
    ::_exit(0);
  };
  EXPECT_EXIT(interrupted(true), testing::KilledBySignal(SIGTERM), "still here");
  EXPECT_EXIT(interrupted(false), testing::KilledBySignal(SIGTERM), "^$");
}

TEST(failure_test, texts_do_not_depend_on_the_locale) {
  struct grouping final : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new grouping));
  const std::string words = text(1234567, " ", 0.5);
  std::locale::global(before);
  EXPECT_EQ(words, "1234567 0.5");
}

TEST(shown_test, nothing_acts_on_a_terminal) {
  const std::pair<const char*, const char*> cases[] = {
      {"plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \\",
       "plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \\"},
      {"\x1b[2J\a\r\n\t\x7f", "\\x1b[2J\\x07\\x0d\\x0a\\x09\\x7f"},
      {"\xC2\x9B", "\\u009b"},
      {"\xC2\x80\xC2\x9F\xC2\xA0", "\\u0080\\u009f\xC2\xA0"},
      {"\xE2\x80\xAE\xE2\x80\xAA", "\\u202e\\u202a"},
      {"\xE2\x81\xA6\xE2\x81\xA9", "\\u2066\\u2069"},
      {"\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", "\\u200e\\u200f\\u061c"},
      {"\xE2\x80\xA8\xE2\x80\xA9", "\\u2028\\u2029"},
      {"\xE2\x80\x8D", "\xE2\x80\x8D"},  // joins letters in some scripts
      {"\xF3\xA0\x80\x81", "\\U000e0001"},
      {"\x9b\xff", "\\x9b\\xff"},
      {"\xC0\x9B", "\\xc0\\x9b"},  // longer than needed
      {"\xE0\x82\x9B", "\\xe0\\x82\\x9b"},
      {"\xF0\x80\x82\x9B", "\\xf0\\x80\\x82\\x9b"},
      {"\xED\xA0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"\xE2\x82", "\\xe2\\x82"},  // cut short
      {"\xE2\x1b\x80", "\\xe2\\x1b\\x80"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(shown(text), expected);
  EXPECT_EQ(shown(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(number_test, the_ends_of_a_range_differ) {
  EXPECT_EQ(readable_range(0, 10), "0 to 10");
  EXPECT_EQ(readable_range(1732579200, 1732579860), "1732579200 to 1732579860");
  EXPECT_EQ(readable_range(1357020000, 1388440000.25), "1357020000 to 1388440000");
  EXPECT_EQ(readable_range(1e8, 1e8 + 1e-3), "100000000 to 100000000.001");
  EXPECT_EQ(readable_range(0.5, std::nextafter(0.5, 1)), "0.5 to 0.5000000000000001");
  EXPECT_EQ(readable_range(1, std::nextafter(1, 0), " - "), "1 - 0.9999999999999999");
  EXPECT_EQ(readable_range(1e300, 2e300), "1e+300 to 2e+300");
  EXPECT_EQ(readable_range(1.0 / 3, 2.0 / 3), "0.333333 to 0.666667");
  EXPECT_EQ(readable_range(nan_value, 1), "nan to 1");
  EXPECT_EQ(readable_range(-infinity, infinity), "-inf to inf");
  EXPECT_EQ(readable_range(5, 5), "5 to 5");
  EXPECT_EQ(readable_within(1000000.125, 1000000, 1000000.25), "1000000.125");
}

TEST(triage_test, the_range_is_that_of_the_model) {
  const double edges[] = {0, 1, 2};
  const double x[] = {-infinity, -1, -0.0, 0, 1, 2, std::nextafter(2, 3), infinity};
  const double y[8] = {};
  row_block block;
  block.columns.resize(3);
  block.columns[column_x] = {x, ZCMOE_F64, 1};
  block.columns[column_y] = {y, ZCMOE_F64, 1};
  block.rows = 8;
  for (const bool left : {true, false}) {
    for (const bool outer : {true, false}) {
      triage_rules rules;
      rules.limited = true;
      rules.view.edges = edges;
      rules.view.num_segments = 2;
      rules.view.closed_side = left ? ZCMOE_CLOSED_LEFT : ZCMOE_CLOSED_RIGHT;
      rules.view.include_outer_edge = outer ? 1 : 0;
      row_triage triage(rules);
      std::string seen;
      for (const row_fate fate : triage.classify(block)) seen += fate == row_used ? 'u' : '-';
      EXPECT_EQ(seen, outer ? "--uuuu--" : left ? "--uuu---" : "----uu--");
    }
  }
}

TEST(output_test, a_full_disk_is_a_failure) {
  EXPECT_FALSE(output_place("/dev/full").is_file());
  EXPECT_THAT(message_of([] {
                output_file output("/dev/full");
                output.write("x");
                output.commit();
              }),
              HasSubstr("No space left"));
  EXPECT_THAT(message_of([] { output_file output("/no/such/folder/out"); }),
              HasSubstr("No such file"));
}

// ------------------------------------------------------------ sample, hold-out

TEST(sample_test, keeps_all_rows_that_fit) {
  table_sample sample(10, 2);
  for (int i = 0; i < 9; ++i) {
    const double row[] = {static_cast<double>(i), static_cast<double>(-i)};
    sample.offer(row);
  }
  EXPECT_THAT(sample.column(0), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(sample.column(1), ElementsAre(0, -1, -2, -3, -4, -5, -6, -7, -8));
}

TEST(sample_test, spreads_evenly_and_stays_bounded) {
  const std::int64_t limit = 64;
  table_sample sample(limit, 1);
  std::int64_t stride = 1;
  for (std::int64_t n = 1; n <= 100000; ++n) {
    const double row = static_cast<double>(n - 1);
    sample.offer(&row);
    while (n / stride >= limit + 1) stride *= 2;
    ASSERT_LT(sample.rows(), limit);
    ASSERT_EQ(sample.rows(), static_cast<std::int64_t>(sample.column(0).size()));
  }
  EXPECT_EQ(sample.rows_offered(), 100000);
  const std::vector<double>& rows = sample.column(0);
  ASSERT_GE(rows.size(), 31u);
  // One row of every group of 2^j, in order, and not always at the same place.
  const std::int64_t group = 2048;
  std::set<std::int64_t> places;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(static_cast<std::int64_t>(rows[i]) / group, static_cast<std::int64_t>(i));
    places.insert(static_cast<std::int64_t>(rows[i]) % group);
  }
  EXPECT_GT(places.size(), 20u);
}

TEST(split_test, holds_out_the_part_asked_for) {
  const row_split split(0.2, 0);
  const row_split other(0.2, 1);
  int held_out = 0;
  int different = 0;
  for (std::int64_t row = 0; row < 100000; ++row) {
    held_out += split.held_out(row);
    different += split.held_out(row) != other.held_out(row);
    EXPECT_EQ(split.held_out(row), row_split(0.2, 0).held_out(row));
  }
  EXPECT_NEAR(held_out, 20000, 600);
  EXPECT_NEAR(different, 32000, 800);
  EXPECT_FALSE(row_split(0, 0).active());
  EXPECT_FALSE(row_split(0, 0).held_out(3));
}

TEST(line_test, survives_large_offsets_and_chunking) {
  const double offset = 1e12;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> weights;
  for (int i = 0; i < 1000; ++i) {
    x.push_back(offset + i);
    y.push_back(offset - 3.0 * i);
    weights.push_back(1 + i % 3);
  }
  line_fit whole;
  whole.add(x, y, weights);
  line_fit parts;
  for (std::size_t begin = 0; begin < x.size(); begin += 100) {
    const auto part = [&](const std::vector<double>& all) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(begin);
      return std::vector<double>(from, from + 100);
    };
    parts.add(part(x), part(y), part(weights));
  }
  EXPECT_NEAR(whole.slope(), -3, 1e-9);
  EXPECT_NEAR(parts.slope(), -3, 1e-9);
  EXPECT_NEAR(whole.at(offset + 5), offset - 15, 1e-3);
  EXPECT_NEAR(parts.at(offset + 5), offset - 15, 1e-3);

  line_fit flat;
  flat.add({2, 2}, {1, 3}, {});
  EXPECT_EQ(flat.slope(), 0);
  EXPECT_EQ(flat.at(100), 2);
}

}  // namespace
}  // namespace zcmoe::cli
