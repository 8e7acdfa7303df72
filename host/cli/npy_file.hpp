// Columns of numbers in an NPY file (format versions 1 to 3, little-endian floats of 2 to 8 bytes,
// integers of 1 to 8, booleans), one of shape (n,) or (n, 1), or several of shape (n, d) where they
// are asked for: the header is checked as hostile, the data is mapped into memory and read where it
// lies.
#pragma once

#include "dtype.hpp"
#include "input_file.hpp"

#include <zcmoe/zcmoe.h>

#include <time.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zcmoe::cli {

struct npy_header {
  zcmoe_dtype dtype = 0;  // dtype_u64 for uint64; booleans are ZCMOE_U8
  std::int64_t rows = 0;
  std::int64_t columns = 1;
  bool by_column = false;  // Fortran order: a column lies together
  std::int64_t data_offset = 0;
};

/// Which shapes a file may have.
enum class npy_shape { column, table };

/// Reads the header at the start of bytes, which must hold it whole; name begins the error text.
npy_header parse_npy_header(std::string_view bytes, const std::string& name,
                            npy_shape shape = npy_shape::column);

/// The 128 bytes that begin an NPY file of `rows` floats; the same size for every number of rows.
constexpr std::size_t npy_header_size = 128;
std::string make_npy_header(zcmoe_dtype dtype, std::int64_t rows);

class npy_file {
 public:
  /// Maps the file; fails unless it is exactly header and data. A pipe is spooled first.
  explicit npy_file(input_file input, npy_shape shape = npy_shape::column);
  ~npy_file();
  npy_file(npy_file&& other) noexcept;
  npy_file& operator=(npy_file&&) = delete;
  npy_file(const npy_file&) = delete;
  npy_file& operator=(const npy_file&) = delete;

  const std::string& name() const noexcept { return input_.name(); }
  zcmoe_dtype dtype() const noexcept { return header_.dtype; }
  std::int64_t rows() const noexcept { return header_.rows; }
  std::int64_t columns() const noexcept { return header_.columns; }
  /// From row to row of a column, in elements.
  std::int64_t stride() const noexcept { return header_.by_column ? 1 : header_.columns; }
  /// The bytes of row i of a column; those of the next row are stride() elements behind. Aligned to
  /// the type only if aligned() says so.
  const char* row(std::int64_t i, std::int64_t column = 0) const noexcept {
    const std::int64_t element =
        header_.by_column ? column * header_.rows + i : i * header_.columns + column;
    return mapping_ + header_.data_offset + element * element_size(header_.dtype);
  }
  bool aligned() const noexcept { return header_.data_offset % element_size(header_.dtype) == 0; }

  /// Fails if the file was changed since it was opened: behind the end of a file cut short, the
  /// last page reads as zeros, and the others raise SIGBUS. To be asked after rows were used.
  void check_unchanged() const;

  /// Takes the pages of rows begin to end, but for the last, out of the process's resident memory;
  /// they can be read again. For readers that go from front to back.
  void drop(std::int64_t begin, std::int64_t end) const noexcept;

 private:
  input_file input_;
  npy_header header_;
  char* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  struct timespec changed_ {};
};

}  // namespace zcmoe::cli
