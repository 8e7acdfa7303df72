// Rows of a table, a block at a time and as often as needed, whatever the table is: one CSV file
// with named columns, or one NPY file per column. Blocks of NPY files point into the mapped file.
#pragma once

#include "csv_reader.hpp"
#include "dtype.hpp"
#include "npy_file.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::cli {

/// A column that a command can use. Column k of every block is role k.
struct column_role {
  std::string option;  // "--x": a name or number in a CSV file, or an NPY file
  std::string value;   // as given by the user; empty: not given
  bool required = false;
  std::string stored{};  // the name that a model keeps: the column of a CSV file if value is empty
};

struct table_choice {
  std::vector<std::string>
      inputs;  // one CSV file, or NPY files in the order of the roles; "-": standard input
  csv_options csv;
};

class row_source;

struct row_block {
  std::vector<zcmoe_array> columns;  // data is null where the table has no such column
  std::int64_t first_row = 0;        // 0-based number of the first row in the table
  std::int64_t rows = 0;
  const unsigned char* missing =
      nullptr;  // CSV, of each row: column_bit(k) if column k has no value (and is NaN)
  const unsigned char* unparsable =
      nullptr;  // CSV, of each row: column_bit(k) if column k is no number (and is NaN)
  const std::int64_t* lines = nullptr;  // CSV, of each row: the line of the file
  const row_source* source = nullptr;

  /// Where the value of a row stands, for error texts: "data.csv, line 8, column 'w'".
  std::string place(std::int64_t i, std::size_t role) const;
};

class row_source {
 public:
  virtual ~row_source() = default;

  /// The next rows, valid until the next call; false at the end.
  virtual bool next(row_block& block) = 0;
  /// Makes rewind() possible; before the first row is read. Rows of text are kept in memory if they
  /// are not more than kept_rows. Meanwhile a pipe is copied to a temporary file, for more rows.
  virtual void make_rewindable(std::int64_t kept_rows) = 0;
  virtual void rewind() = 0;
  /// How often the input was read from the start.
  virtual std::int64_t times_read() const = 0;

  /// The paths of what is read, as given.
  const std::vector<std::string>& files() const noexcept { return paths_; }

  virtual std::size_t num_columns() const = 0;
  virtual bool has(std::size_t role) const = 0;
  /// The type of this column in blocks: ZCMOE_F32 or ZCMOE_F64. Only the first role can have
  /// another, the type of its NPY file.
  virtual zcmoe_dtype dtype(std::size_t role) const = 0;
  /// Header text of a CSV column; empty for an NPY file.
  virtual std::string column_name(std::size_t role) = 0;
  /// "csv" or "npy".
  virtual const char* format() const = 0;
  /// The place of a value for error texts, of `row` in words: "data.csv, line 8, column 'w'" (CSV)
  /// or "w.npy, row 8".
  virtual std::string place(const std::string& row, std::size_t role) const = 0;
  /// The first unparsable field met; empty if none.
  virtual std::string first_unparsable() const = 0;
  /// How fields that are no numbers could be read; empty if unknown.
  virtual std::string number_hint() const = 0;
  /// What was odd about the rows read so far, one sentence each.
  virtual std::vector<std::string> warnings() const = 0;
  /// Part of this pass that is done, 0 to 1; negative if unknown.
  virtual double done() const = 0;
  /// Rows in all; -1 if not known beforehand.
  virtual std::int64_t rows() const = 0;
  /// Bytes of the input read in this pass.
  virtual std::int64_t bytes() const = 0;
  /// All rows at once, where they lie in memory already in types that the library reads; false if
  /// they do not. Columns need not have the stride 1.
  virtual bool whole(row_block&) { return false; }
  /// Fails if what whole() gave was changed since.
  virtual void check_unchanged() const {}

 protected:
  explicit row_source(std::vector<std::string> paths) : paths_(std::move(paths)) {}

 private:
  std::vector<std::string> paths_;
};

/// Opens the table; fails if files do not fit each other. Missing or contradictory arguments are
/// usage errors.
std::unique_ptr<row_source> open_rows(const table_choice& table,
                                      const std::vector<column_role>& roles);

/// A CSV file whose columns are chosen by its header, which is read at once: column k of every
/// block is what the chooser asks for k-th. Two requests for one column fail.
std::unique_ptr<row_source> open_csv_columns(input_file input, const std::string& path,
                                             const csv_options& options,
                                             const column_chooser& choose);

/// A column of an NPY file.
struct npy_column {
  std::shared_ptr<const npy_file> file;
  std::int64_t column = 0;
  /// What it is for takes every type but 64-bit integers; the others take floats only.
  bool any_type = false;
};
/// Columns of NPY files; null files for columns that are not there. Fails unless all have the same
/// number of rows.
std::unique_ptr<row_source> open_npy_columns(std::vector<npy_column> columns,
                                             std::vector<std::string> paths);

/// Opens the first input of a table, which says what kind of table it is. Fails with a usage error
/// if there is none, or if options contradict each other.
input_file open_first(const table_choice& table);
/// Opens a further NPY file, of a table whose first input is one.
input_file open_further_npy(const std::string& path, const table_choice& table);
/// Fails with a usage error unless the CSV file, the first input, is the only one.
void check_comes_alone(const table_choice& table, const input_file& first);

/// Says on standard error what was odd about the rows read so far: rows that would otherwise be
/// lost without a word.
void print_warnings(const row_source& rows);

}  // namespace zcmoe::cli
