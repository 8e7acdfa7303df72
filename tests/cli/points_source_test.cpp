// Tables of several inputs: which columns are read, their types and places, and the plane that a
// model of them must beat.
#include "host/cli/points_source.hpp"

#include "host/cli/csv_reader.hpp"
#include "host/cli/failure.hpp"
#include "host/cli/kept_column.hpp"
#include "host/cli/npy_file.hpp"
#include "host/cli/plane_fit.hpp"
#include "host/cli/row_source.hpp"

#include <zcmoe/points.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdlib.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

class table_folder {
 public:
  table_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zcmoe-points-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~table_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  table_folder(const table_folder&) = delete;
  table_folder& operator=(const table_folder&) = delete;

  std::string write(const std::string& name, const std::string& content) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::filesystem::path path_;
};

std::string said_by(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "(no failure)";
}

template <class T>
std::string npy_table(const char* descr, const char* shape, const std::vector<T>& values,
                      bool by_column = false, const std::string& blanks = "") {
  std::string header =
      text("{'descr': '", descr, "', 'fortran_order': ", by_column ? "True" : "False",
           ", 'shape': ", shape, "}");
  header.resize(118, ' ');  // data begins at byte 128
  header += blanks;
  std::string bytes("\x93NUMPY\x01\0", 8);
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

/// All columns of a source, read by blocks.
std::vector<std::vector<double>> columns_of(row_source& rows) {
  std::vector<std::vector<double>> columns(rows.num_columns());
  row_block block;
  while (rows.next(block)) {
    for (std::size_t k = 0; k < columns.size(); ++k) {
      for (std::int64_t i = 0; i < block.rows; ++i)
        columns[k].push_back(strided_element(block.columns[k], i));
    }
  }
  return columns;
}

points_choice chosen(std::vector<std::string> inputs, std::string target,
                     std::vector<std::string> all_but = {}) {
  points_choice choice;
  choice.inputs = std::move(inputs);
  choice.all_but = std::move(all_but);
  choice.target = std::move(target);
  choice.wants_target = true;
  return choice;
}

points_choice stored(std::vector<std::string> names, std::vector<std::string> inputs = {}) {
  points_choice choice;
  choice.num_inputs = static_cast<std::int64_t>(names.size());
  choice.stored = std::move(names);
  choice.inputs = std::move(inputs);
  return choice;
}

std::vector<std::vector<double>> csv_columns(const std::string& content,
                                             const points_choice& choice) {
  const table_folder files;
  table_choice table;
  table.inputs = {files.write("data.csv", content)};
  return columns_of(*open_points(table, choice));
}

TEST(points_csv_test, columns_come_in_the_order_asked_for) {
  const std::string content = "a,b,c\n1,2,3\n4,5,6\n";
  EXPECT_THAT(csv_columns(content, chosen({"c", "1"}, "b")),
              ElementsAre(ElementsAre(3, 6), ElementsAre(1, 4), ElementsAre(2, 5)));
  EXPECT_THAT(csv_columns(content, stored({"b", "a"})),
              ElementsAre(ElementsAre(2, 5), ElementsAre(1, 4)));
  EXPECT_THAT(csv_columns(content, stored({"b", "a"}, {"a", "c"})),
              ElementsAre(ElementsAre(1, 4), ElementsAre(3, 6)));
}

TEST(points_csv_test, all_but_leaves_the_target_out) {
  const std::string content = "id,2,b,c,\n1,2,3,4\n5,6,7,8\n";
  const auto three = ElementsAre(ElementsAre(2, 6), ElementsAre(3, 7), ElementsAre(4, 8));
  EXPECT_THAT(csv_columns(content, chosen({}, "c", {"id"})), three);
  EXPECT_THAT(csv_columns(content, chosen({}, "c", {"id", "c"})), three);
  EXPECT_THAT(csv_columns("2,b,c\n2,3,4\n6,7,8\n", chosen({}, "", {"c"})), three)
      << "one name alone is the target";
  EXPECT_THAT(csv_columns("a,a,y\n1,2,3\n", chosen({}, "y", {"y"})),
              ElementsAre(ElementsAre(1), ElementsAre(2), ElementsAre(3)))
      << "columns of one name are told apart by their places";
  EXPECT_THAT(csv_columns("y,1\n1,2\n", chosen({}, "y", {"y"})),
              ElementsAre(ElementsAre(2), ElementsAre(1)))
      << "a column's name may be the number of another";
}

TEST(points_csv_test, contradictions_are_named) {
  const std::string content = "a,b,c\n1,2,3\n";
  const auto said = [&](const points_choice& choice, bool header = true) {
    const table_folder files;
    table_choice table;
    table.inputs = {files.write("data.csv", content)};
    table.csv.header = header;
    return said_by([&] { open_points(table, choice); });
  };
  EXPECT_THAT(said(chosen({"a"}, "c", {"b"})),
              AllOf(HasSubstr("--x a"), HasSubstr("--x-all-but b")));
  EXPECT_THAT(said(chosen({"a", "b"}, "")), HasSubstr("--y is missing"));
  EXPECT_THAT(said(chosen({}, "", {"a", "b"})), HasSubstr("which of a, b"));
  EXPECT_THAT(said(chosen({"a", "q"}, "c")), HasSubstr("'q'"));
  EXPECT_THAT(said(chosen({}, "c", {"q"})), HasSubstr("--x-all-but 'q'"));
  EXPECT_THAT(said(chosen({}, "c", {"a", "b"})), HasSubstr("none of the 3 columns is left"));
  EXPECT_THAT(said(chosen({"a", "1"}, "c")), HasSubstr("column 'a' is asked for twice"));
  EXPECT_THAT(said(chosen({"a", "c"}, "c")), HasSubstr("column 'c' is asked for twice"));
  EXPECT_THAT(said(chosen({}, "1", {"2"}), false), HasSubstr("without a header"));
  EXPECT_THAT(said(stored({"a", "x", "y"})), HasSubstr("lacks 2 of the model's 3 inputs: x, y"));
  EXPECT_THAT(said(stored({"a", "b"}, {"a"})),
              HasSubstr("--x is given 1 time (a), and the model has 2 inputs: a, b"));
  EXPECT_THAT(said(stored({"a", "b"}), false), HasSubstr("--x is missing: the model has 2 inputs"));
  EXPECT_EQ(said(stored({"a", "b"}, {"1", "3"}), false), "(no failure)");
}

TEST(points_csv_test, many_columns_are_told_apart) {
  constexpr std::size_t columns = 40;
  std::string content;
  for (std::size_t k = 0; k < columns; ++k) content += text(k > 0 ? "," : "", "c", k);
  for (int i = 0; i < 3000; ++i) {
    content += "\n";
    for (std::size_t k = 0; k < columns; ++k) {
      content += k > 0 ? "," : "";
      if (i % 40 == static_cast<int>(k)) continue;  // missing
      content += i % 41 == static_cast<int>(k) ? "text" : text(i * 100 + static_cast<int>(k));
    }
  }
  const table_folder files;
  table_choice table;
  table.inputs = {files.write("data.csv", content + "\n1,2\n")};
  const auto rows = open_points(table, chosen({}, "c5", {"c5"}));
  ASSERT_EQ(rows->num_columns(), columns);
  std::int64_t next = 0;
  row_block block;
  while (rows->next(block)) {
    for (std::int64_t i = 0; i < block.rows; ++i, ++next) {
      if (next == 3000) {
        EXPECT_EQ(block.missing[i], 0xFC) << "a short row";
        continue;
      }
      unsigned char missing = 0;
      unsigned char unparsable = 0;
      for (std::size_t k = 0; k < columns; ++k) {
        const std::size_t column = k == columns - 1 ? 5 : k < 5 ? k : k + 1;
        const double value = strided_element(block.columns[k], i);
        const bool gap = next % 40 == static_cast<int>(column);
        const bool word = !gap && next % 41 == static_cast<int>(column);
        if (gap) missing |= column_bit(k);
        if (word) unparsable |= column_bit(k);
        if (gap || word) {
          ASSERT_TRUE(std::isnan(value));
        } else {
          ASSERT_EQ(value, static_cast<double>(next * 100 + static_cast<int>(column)));
        }
      }
      ASSERT_EQ(block.missing[i], missing) << next;
      ASSERT_EQ(block.unparsable[i], unparsable) << next;
    }
  }
  EXPECT_EQ(next, 3001);
  EXPECT_THAT(rows->first_unparsable(), HasSubstr("'text'"));
}

TEST(points_csv_test, the_number_of_inputs_is_limited) {
  const auto table_of = [](std::int64_t inputs) {
    std::string header = "y";
    std::string row = "1";
    for (std::int64_t k = 0; k < inputs; ++k) {
      header += text(",c", k);
      row += text(",", k);
    }
    return header + "\n" + row + "\n";
  };
  const auto columns = csv_columns(table_of(ZCMOE_MAX_INPUTS), chosen({}, "y", {"y"}));
  ASSERT_EQ(columns.size(), static_cast<std::size_t>(ZCMOE_MAX_INPUTS) + 1);
  EXPECT_THAT(columns[1023], ElementsAre(1023));
  EXPECT_THAT(said_by([&] { csv_columns(table_of(ZCMOE_MAX_INPUTS + 1), chosen({}, "y", {"y"})); }),
              HasSubstr("1025 inputs; the limit is 1024"));
}

TEST(points_npy_test, reads_both_orders_and_odd_offsets) {
  const std::vector<double> by_row{1, 2, 3, 4, 5, 6};
  const std::vector<double> by_column{1, 3, 5, 2, 4, 6};
  const std::vector<float> y{7, 8, 9};
  for (const bool fortran : {false, true}) {
    for (const char* const blanks : {"", " ", "   ", "        "}) {
      const table_folder files;
      table_choice table;
      table.inputs = {files.write(
          "x.npy", npy_table("<f8", "(3, 2)", fortran ? by_column : by_row, fortran, blanks))};
      EXPECT_TRUE(is_npy_of_columns(table));
      const std::string target = files.write("y.npy", npy_table("<f4", "(3,)", y));
      EXPECT_THAT(columns_of(*open_points(table, chosen({}, target))),
                  ElementsAre(ElementsAre(1, 3, 5), ElementsAre(2, 4, 6), ElementsAre(7, 8, 9)));
      table.inputs.push_back(target);
      EXPECT_THAT(columns_of(*open_points(table, chosen({}, ""))),
                  ElementsAre(ElementsAre(1, 3, 5), ElementsAre(2, 4, 6), ElementsAre(7, 8, 9)))
          << "behind a file of all inputs comes the target";
    }
  }
}

TEST(points_npy_test, whole_tables_lie_where_they_are_mapped) {
  const table_folder files;
  table_choice table;
  table.inputs = {files.write("a.npy", npy_table<std::int16_t>("<i2", "(3,)", {1, 2, 3})),
                  files.write("b.npy", npy_table<float>("<f4", "(3, 1)", {4, 5, 6}))};
  EXPECT_FALSE(is_npy_of_columns(table));
  const std::string y = files.write("y.npy", npy_table<double>("<f8", "(3,)", {7, 8, 9}));
  row_block block;
  ASSERT_TRUE(open_points(table, chosen({}, y))->whole(block));
  EXPECT_EQ(block.rows, 3);
  EXPECT_EQ(block.columns[0].dtype, ZCMOE_I16);
  const auto rows = open_points(table, chosen({}, y));
  ASSERT_TRUE(rows->whole(block));
  EXPECT_EQ(strided_element(block.columns[1], 2), 6.0);
  std::filesystem::last_write_time(y, {});
  EXPECT_THAT(said_by([&] { rows->check_unchanged(); }), HasSubstr("was changed"));

  table.inputs[0] = files.write("c.npy", npy_table<std::int64_t>("<i8", "(3,)", {1, 2, 3}));
  EXPECT_FALSE(open_points(table, chosen({}, y))->whole(block)) << "64-bit integers are widened";
  table.inputs[0] = files.write("d.npy", npy_table<double>("<f8", "(3,)", {1, 2, 3}, false, " "));
  EXPECT_FALSE(open_points(table, chosen({}, y))->whole(block)) << "not aligned";
}

TEST(points_npy_test, contradictions_are_named) {
  const table_folder files;
  const std::string two = files.write("two.npy", npy_table<double>("<f8", "(2,)", {1, 2}));
  const std::string three = files.write("three.npy", npy_table<double>("<f8", "(3,)", {1, 2, 3}));
  const std::string pair =
      files.write("pair.npy", npy_table<double>("<f8", "(2, 2)", {1, 2, 3, 4}));
  const std::string none = files.write("none.npy", npy_table<double>("<f8", "(2, 0)", {}));
  const std::string huge =
      files.write("huge.npy", npy_table<double>("<f8", "(4611686018427387904, 4)", {1}));
  const std::string wide =
      files.write("wide.npy", npy_table<double>("<f8", "(1, 1025)", std::vector<double>(1025)));
  const std::string cube = files.write("cube.npy", npy_table<double>("<f8", "(1, 2, 1)", {1, 2}));
  const std::string csv = files.write("data.csv", "a,b\n1,2\n");
  const auto said = [&](std::vector<std::string> inputs, const points_choice& choice) {
    table_choice table;
    table.inputs = std::move(inputs);
    return said_by([&] { open_points(table, choice); });
  };
  EXPECT_THAT(said({two, three}, chosen({}, two)), HasSubstr("three.npy has 3 rows, but"));
  EXPECT_THAT(said({two, two}, chosen({}, "")), HasSubstr("--y is missing"));
  EXPECT_THAT(said({pair}, chosen({}, "")), HasSubstr("--y is missing"));
  EXPECT_THAT(said({pair, two}, chosen({}, two)), HasSubstr("two.npy is one too many"));
  EXPECT_THAT(said({two, pair}, chosen({}, two)), HasSubstr("shape (2, 2) is not one column"));
  EXPECT_THAT(said({two, two}, chosen({}, pair)), HasSubstr("shape (2, 2) is not one column"));
  EXPECT_THAT(said({none}, chosen({}, two)), HasSubstr("shape (2, 0) has no column"));
  EXPECT_THAT(said({huge}, chosen({}, two)), HasSubstr("is larger than any file"));
  EXPECT_THAT(said({wide}, chosen({}, two)), HasSubstr("1025 inputs; the limit is 1024"));
  EXPECT_THAT(said({cube}, chosen({}, two)), HasSubstr("shape (1, 2, 1) is not one column"));
  EXPECT_THAT(said({two, csv}, chosen({}, two)), HasSubstr("not an NPY file"));
  EXPECT_THAT(said({csv, two}, chosen({"a", "b"}, "a")), HasSubstr("comes alone"));
  EXPECT_THAT(said({two, two}, chosen({"a", "b"}, two)), HasSubstr("--x a names a column"));
  EXPECT_THAT(said({pair}, chosen({}, two, {"1"})), HasSubstr("--x-all-but 1 needs the header"));
  EXPECT_THAT(said({two, two}, stored({"a", "b", "c"})),
              HasSubstr("the model has 3 inputs (a, b, c), and 2 columns are given"));
  EXPECT_EQ(said({pair}, stored({"a", "b"})), "(no failure)");
}

TEST(kept_column_test, keeps_types_and_follows_strides) {
  const std::vector<std::int16_t> small{1, 2, 3, 4, 5, 6, 7};
  const std::vector<double> wide{0.5, 1.5, 2.5, 3.5};
  kept_column a;
  a.add({small.data(), ZCMOE_I16, 2}, {0, 2, 3});
  a.add({small.data(), ZCMOE_I16, 1}, {});
  a.add({small.data(), ZCMOE_I16, 1}, {1, 1});
  EXPECT_EQ(a.view().dtype, ZCMOE_I16);
  std::vector<double> values;
  for (std::int64_t i = 0; i < 5; ++i) values.push_back(strided_element(a.view(), i));
  EXPECT_THAT(values, ElementsAre(1, 5, 7, 2, 2));
  kept_column b;
  b.add({wide.data(), ZCMOE_F64, 1}, {3, 0});
  EXPECT_EQ(strided_element(b.view(), 0), 3.5);
}

plane_fit plane_of(const std::vector<zcmoe_array>& inputs, const zcmoe_array& y,
                   std::int64_t rows) {
  plane_fit plane(inputs.size());
  plane.add(inputs, y, no_array(), rows);
  plane.solve();
  return plane;
}

TEST(plane_test, is_the_plane_of_least_squares) {
  // y = 3 + 2 a - b, far from the origin; c is constant, d = a + b.
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> c;
  std::vector<double> d;
  std::vector<double> y;
  for (int i = 0; i < 50; ++i) {
    a.push_back(1e6 + i % 7);
    b.push_back(i % 5 * 0.25);
    c.push_back(4);
    d.push_back(a.back() + b.back());
    y.push_back(3 + 2 * a.back() - b.back());
  }
  a[10] = nan_value;
  b[20] = infinity;
  const std::vector<zcmoe_array> inputs{array(a.data()), array(b.data()), array(c.data()),
                                        array(d.data())};
  const plane_fit plane = plane_of(inputs, array(y.data()), 50);
  EXPECT_EQ(plane.rows(), 48);
  const double row[] = {1e6 + 100, -3, 4, 1e6 + 97};
  EXPECT_NEAR(plane.at(row), 3 + 2 * row[0] - row[1], 1e-6);
  const plane_fit line = plane_of({array(c.data())}, array(y.data()), 50);
  EXPECT_DOUBLE_EQ(line.at(row), line.mean_y()) << "a constant says nothing";
  EXPECT_EQ(plane_of({array(c.data())}, array(y.data()), 0).rows(), 0);
}

TEST(plane_test, leaves_residuals_orthogonal_to_the_inputs) {
  std::vector<std::vector<double>> columns(5);
  std::vector<double> y;
  for (int i = 0; i < 200; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < columns.size(); ++k) {
      columns[k].push_back(std::sin(i * (1.0 + static_cast<double>(k)) + 0.1 * i * i));
      sum += columns[k].back() * static_cast<double>(k);
    }
    y.push_back(sum + std::cos(3.0 * i));
  }
  std::vector<zcmoe_array> inputs;
  for (const auto& column : columns) inputs.push_back(array(column.data()));
  plane_fit plane(inputs.size());  // of rows in two blocks
  plane.add(inputs, array(y.data()), no_array(), 70);
  std::vector<zcmoe_array> rest;
  for (const auto& column : columns) rest.push_back(array(column.data() + 70));
  plane.add(rest, array(y.data() + 70), no_array(), 130);
  plane.solve();
  std::vector<double> row(5);
  double total = 0;
  std::vector<double> along(5);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(finite_row(inputs, i, row.data()));
    const double residual = y[static_cast<std::size_t>(i)] - plane.at(row.data());
    total += residual;
    for (std::size_t k = 0; k < 5; ++k) along[k] += residual * row[k];
  }
  EXPECT_NEAR(total, 0, 1e-10);
  for (const double product : along) EXPECT_NEAR(product, 0, 1e-10);
}

}  // namespace
}  // namespace zcmoe::cli
