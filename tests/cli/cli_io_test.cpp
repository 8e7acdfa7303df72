// The readers, writers and the sampling of the command line, below its arguments.
#include "host/cli/csv_reader.hpp"
#include "host/cli/descriptor.hpp"
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
#include <set>
#include <string>
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
      {"1e400", field_kind::unparsable, nan_value},
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
  EXPECT_THAT(csv_message("1,2\n", {"a"}, {',', false, false}), HasSubstr("by its number, 1 to 2"));
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
  EXPECT_THAT(read_csv("x ; y\n 1 ; +2 \n", {"y"}, {';', true, false}).columns[0], ElementsAre(2));
  EXPECT_THAT(read_csv("x\ty\n1\t2\n", {"y"}, {'\t', true, false}).columns[0], ElementsAre(2));
  EXPECT_THAT(read_csv("1,2\n3,4\n", {"2"}, {',', false, false}).columns[0], ElementsAre(2, 4));
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
    EXPECT_EQ(rows(lines("//1//2/"), {',', false, false}), "--1-2");
    EXPECT_EQ(rows(lines("//1,5//2,6/"), {',', false, false}), "12");
    EXPECT_EQ(rows(lines("x//1/"), {',', true, true}), "-1") << "no fault to --strict";
  }
  // Across the reader's buffers.
  std::string content = "x\n";
  for (int i = 0; i < 300000; ++i) content += "\r\n";
  EXPECT_EQ(rows(content), std::string(300000, '-'));
}

TEST(csv_test, shown_fields_are_cut_between_characters) {
  const std::string field = std::string(39, 'a') + "\xC3\xA4" + std::string(10, 'b');
  EXPECT_THAT(read_csv("x\n" + field + "\n", {"x"}).first_unparsable,
              HasSubstr("'" + std::string(39, 'a') + "...'"));
}

TEST(csv_test, keeps_every_row_and_says_what_is_wrong) {
  const std::string content = "x,y\n1,2\n,3\nNA,4\n\"line\nbreak\",\n12:30,5\n6\nabc,7,8,9\n8,10\n";
  const table result = read_csv(content, {"x", "y"});
  ASSERT_EQ(result.columns[0].size(), 8u);
  EXPECT_THAT(result.columns[0],
              ElementsAre(1, testing::IsNan(), testing::IsNan(), testing::IsNan(), testing::IsNan(),
                          6, testing::IsNan(), 8));
  EXPECT_THAT(result.columns[1],
              ElementsAre(2, 3, 4, testing::IsNan(), 5, testing::IsNan(), 7, 10));
  EXPECT_EQ(result.first_unparsable, "line 5, column 'x': 'line break'");

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
              HasSubstr("line 3: the row has 1 fields, the first row has 2"));
  EXPECT_THAT(csv_message("x,y\n1,2,3\n", {"x"}, strict),
              HasSubstr("line 2: the row has 3 fields"));
  EXPECT_EQ(csv_message("x,y\n1,2\n,\n", {"x"}, strict), "(no failure)")
      << "a missing field is data";
}

TEST(csv_test, refuses_what_is_no_table) {
  EXPECT_THAT(csv_message("", {"x"}), HasSubstr("the file is empty"));
  EXPECT_THAT(csv_message("\xEF\xBB\xBF", {"x"}), HasSubstr("the file is empty"));
  EXPECT_THAT(csv_message(std::string("\xFF\xFEx\0", 4), {"x"}), HasSubstr("UTF-16"));
  EXPECT_THAT(csv_message("x\n1\n\"2\n3\n", {"x"}),
              HasSubstr("line 3: a quoted field is not closed"));
  EXPECT_THAT(csv_message("x\n\"" + std::string(3 << 20, '1'), {"x"}),
              HasSubstr("line 2: a field is longer than"));
  EXPECT_TRUE(read_csv("", {"1"}, {',', false, false}).columns[0].empty());
  EXPECT_TRUE(read_csv("x\n", {"x"}).columns[0].empty());
  EXPECT_TRUE(read_csv("x", {"x"}).columns[0].empty());
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
