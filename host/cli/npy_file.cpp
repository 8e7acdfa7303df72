// The header is a Python dictionary literal of three known keys. Source: numpy.lib.format, "Format
// Version 1.0" to 3.0.
#include "npy_file.hpp"

#include "failure.hpp"
#include "file_kind.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace zcmoe::cli {
namespace {

constexpr std::size_t max_header = std::size_t{1}
                                   << 16;  // of the three keys; NumPy's own headers have 118 bytes

/// A type as descr spells it behind the byte order: "f4" in "<f4".
struct known_type {
  std::string_view kind;
  zcmoe_dtype dtype;
};
constexpr known_type known_types[] = {{"f4", ZCMOE_F32}, {"f8", ZCMOE_F64}, {"f2", ZCMOE_F16},
                                      {"i1", ZCMOE_I8},  {"u1", ZCMOE_U8},  {"b1", ZCMOE_U8},
                                      {"i2", ZCMOE_I16}, {"u2", ZCMOE_U16}, {"i4", ZCMOE_I32},
                                      {"u4", ZCMOE_U32}, {"i8", ZCMOE_I64}, {"u8", dtype_u64}};

struct foreign_type {
  std::string_view letter;
  const char* what;
  const char* advice;
};
constexpr foreign_type foreign_types[] = {
    {"O", "Python objects, which are never loaded", "convert with x.astype('<f8')"},
    {"U", "text", "convert with x.astype('<f8')"},
    {"S", "text", "convert with x.astype('<f8')"},
    {"c", "complex numbers", "save x.real or x.imag"},
    {"M", "dates", "convert with x.astype('<i8')"},
    {"m", "durations", "convert with x.astype('<i8')"}};

/// Reads {'descr': '<f8', 'fortran_order': False, 'shape': (3,), } and nothing else.
class header_parser {
 public:
  header_parser(std::string_view text, const std::string& name, npy_shape allowed)
      : text_(text), name_(name), allowed_(allowed) {}

  npy_header parse() {
    npy_header header;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        once(seen_descr_, key);
        header.dtype = dtype();
      } else if (key == "fortran_order") {
        once(seen_order_, key);
        fortran_ = boolean();
      } else if (key == "shape") {
        once(seen_shape_, key);
        shape();
      } else {
        refuse("unknown key '", key, "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) refuse("text after the dictionary");
    for (const auto& [seen, key] :
         {std::pair{seen_descr_, "descr"}, std::pair{seen_order_, "fortran_order"},
          std::pair{seen_shape_, "shape"}}) {
      if (!seen) refuse("the key '", key, "' is missing");
    }
    const bool table = allowed_ == npy_shape::table && shape_.size() == 2;
    header.rows = table ? shape_[0] : rows();
    if (table) {
      header.columns = shape_[1];
      header.by_column = fortran_;
      if (header.columns == 0) refuse("shape (", header.rows, ", 0) has no column");
    }
    if (header.rows > std::numeric_limits<std::int64_t>::max() / 16 / header.columns) {
      refuse("shape (", header.rows, ",", table ? text(" ", header.columns) : "",
             ") is larger than any file");
    }
    return header;
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    fail(name_, ": NPY header: ", args...);
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
  }

  bool accept(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) refuse("'", c, "' expected at byte ", at_);
  }

  void once(bool& seen, std::string_view key) const {
    if (seen) refuse("the key '", key, "' occurs twice");
    seen = true;
  }

  std::string_view quoted() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') refuse("a quoted text expected at byte ", at_);
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) refuse("the quote at byte ", at_, " is not closed");
    const std::string_view found = text_.substr(at_ + 1, end - at_ - 1);
    for (const char c : found) {
      if (c < ' ' || c > '~') refuse("a byte that is no printable ASCII in the text at byte ", at_);
    }
    at_ = end + 1;
    return found.substr(0, 64);
  }

  zcmoe_dtype dtype() {
    if (accept('['))
      refuse("structured arrays (records) are not supported; save one column as its own array");
    const std::string_view found = quoted();
    const char order = found.empty() ? '\0' : found[0];
    const std::string_view kind = found.substr(std::min<std::size_t>(1, found.size()));
    for (const known_type& type : known_types) {
      if (kind != type.kind) continue;
      if (order == '<' || ((order == '|' || order == '>') && element_size(type.dtype) == 1))
        return type.dtype;
      if (order == '>')
        refuse("type '", found, "' is big-endian; convert with x.astype('<", kind, "')");
    }
    for (const foreign_type& type : foreign_types) {
      if (kind.substr(0, 1) == type.letter)
        refuse("type '", found, "' holds ", type.what, "; ", type.advice);
    }
    refuse("type '", found,
           "' is neither a float of 2, 4 or 8 bytes nor an integer; convert with x.astype('<f8')");
  }

  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] :
         {std::pair{std::string_view("True"), true}, std::pair{std::string_view("False"), false}}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    refuse("fortran_order is neither True nor False");
  }

  void shape() {
    expect('(');
    while (!accept(')')) {
      if (shape_.size() == 32) refuse("shape has more than 32 dimensions");
      shape_.push_back(length());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::int64_t length() {
    skip_blanks();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      const int digit = text_[at_++] - '0';
      if (value > (std::numeric_limits<std::int64_t>::max() - digit) / 10)
        refuse("a length in shape exceeds 64 bits");
      value = value * 10 + digit;
    }
    if (at_ == begin) refuse("a length expected in shape, at byte ", at_);
    return value;
  }

  std::int64_t rows() const {
    const bool column = shape_.size() == 2 && shape_[1] == 1;
    if (shape_.size() == 1 || column) return shape_[0];
    std::string shown;
    for (const std::int64_t length : shape_) shown += text(shown.empty() ? "" : ", ", length);
    const auto longer = std::count_if(shape_.begin(), shape_.end(),
                                      [](std::int64_t length) { return length != 1; });
    refuse("shape (", shown, ")", fortran_ ? " in Fortran order" : "",
           " is not one column: (n,) or (n, 1); save ",
           longer <= 1 ? "x.ravel()" : "x[:, k] as its own array");
  }

  std::string_view text_;
  const std::string& name_;
  npy_shape allowed_;
  std::size_t at_ = 0;
  bool seen_descr_ = false;
  bool seen_order_ = false;
  bool seen_shape_ = false;
  bool fortran_ = false;  // of one column both orders are the same
  std::vector<std::int64_t> shape_;
};

std::size_t little_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

npy_header parse_npy_header(std::string_view bytes, const std::string& name, npy_shape shape) {
  if (bytes.substr(0, npy_start.size()) != npy_start)
    fail(name, ": not an NPY file: it does not begin with \\x93NUMPY");
  if (bytes.size() < 10) fail(name, ": NPY header: the file ends after ", bytes.size(), " bytes");
  const int major = static_cast<unsigned char>(bytes[6]);
  const int minor = static_cast<unsigned char>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    fail(name, ": NPY format version ", major, ".", minor, "; known are 1.0, 2.0 and 3.0");
  }
  const std::size_t length_size = major == 1 ? 2 : 4;
  const std::size_t begin = 8 + length_size;
  if (bytes.size() < begin)
    fail(name, ": NPY header: the file ends after ", bytes.size(), " bytes");
  const std::size_t length = little_endian(bytes.substr(8, length_size));
  if (length > max_header)
    fail(name, ": NPY header of ", length, " bytes; the limit is ", max_header);
  if (length > bytes.size() - begin) {
    fail(name, ": NPY header of ", length, " bytes, but the file has only ", bytes.size() - begin,
         " after its start");
  }
  npy_header header = header_parser(bytes.substr(begin, length), name, shape).parse();
  header.data_offset = static_cast<std::int64_t>(begin + length);
  return header;
}

std::string make_npy_header(zcmoe_dtype dtype, std::int64_t rows) {
  std::string header(npy_start);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(npy_header_size - 10);
  header += '\0';
  header += text("{'descr': '<f", element_size(dtype), "', 'fortran_order': False, 'shape': (",
                 rows, ",), }");
  header.resize(npy_header_size - 1, ' ');
  return header + '\n';
}

npy_file::npy_file(input_file input, npy_shape shape) : input_(std::move(input)) {
  input_.spool();
  struct stat status {};
  if (::fstat(input_.descriptor(), &status) != 0) fail_errno(name());
  changed_ = status.st_mtim;
  const std::int64_t size = input_.size();
  if (size == 0) fail(name(), ": the file is empty");
  mapped_ = static_cast<std::size_t>(size);
  void* const mapping = ::mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE, input_.descriptor(), 0);
  if (mapping == MAP_FAILED) fail_errno(name(), ": mapping ", size, " bytes");
  mapping_ = static_cast<char*>(mapping);
  try {
    header_ = parse_npy_header({mapping_, mapped_}, name(), shape);
    const std::int64_t data = size - header_.data_offset;
    const std::int64_t row_size = header_.columns * element_size(header_.dtype);
    const std::int64_t expected = header_.rows * row_size;
    if (data != expected) {
      fail(name(), ": ", header_.rows, " rows of ", row_size, " bytes need ", expected,
           " bytes of data, the file has ", data);
    }
  } catch (...) {
    ::munmap(mapping_, mapped_);
    throw;
  }
  ::madvise(mapping_, mapped_, MADV_SEQUENTIAL);
}

npy_file::~npy_file() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
}

npy_file::npy_file(npy_file&& other) noexcept
    : input_(std::move(other.input_)),
      header_(other.header_),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(other.mapped_),
      changed_(other.changed_) {}

void npy_file::check_unchanged() const {
  struct stat status {};
  if (::fstat(input_.descriptor(), &status) != 0) fail_errno(name());
  if (status.st_size < static_cast<off_t>(mapped_))
    fail(name(), ": the file became shorter while it was read");
  if (status.st_mtim.tv_sec != changed_.tv_sec || status.st_mtim.tv_nsec != changed_.tv_nsec)
    fail(name(), ": the file was changed while it was read");
}

void npy_file::drop(std::int64_t begin, std::int64_t end) const noexcept {
  if (header_.by_column && header_.columns > 1) return;  // rows lie in as many places as columns
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto first = static_cast<std::size_t>(row(begin) - mapping_);
  const auto last = static_cast<std::size_t>(row(end) - mapping_);
  const std::size_t from = first / page * page;  // the rows before on this page are done with too
  const std::size_t to = last / page * page;
  if (from < to) ::madvise(mapping_ + from, to - from, MADV_DONTNEED);
}

}  // namespace zcmoe::cli
