// One input: a file, a pipe, or standard input ("-"). What can be read once only is spooled to an
// unlinked temporary file when a second pass, or a mapping, is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace zcmoe::cli {

class input_file {
 public:
  /// Opens path; "-" is standard input. Fails if it cannot be read.
  explicit input_file(const std::string& path);
  ~input_file();
  input_file(input_file&& other) noexcept;
  input_file& operator=(input_file&&) = delete;
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  /// The path as given; "standard input" for "-". Error texts begin with it.
  const std::string& name() const noexcept { return name_; }
  int descriptor() const noexcept { return descriptor_; }
  /// Bytes in all; -1 while unknown (a pipe).
  std::int64_t size() const noexcept { return size_; }
  /// Bytes read since the start or the last rewind.
  std::int64_t position() const noexcept { return position_; }
  bool can_rewind() const noexcept { return size_ >= 0; }

  /// Whether the content begins as an NPY file does. Before the first read only.
  bool is_npy();
  /// Fails if the content is known to be something else than text. Before the first read only.
  void refuse_binary();

  /// Makes can_rewind() true: copies a pipe to a temporary file in TMPDIR (or /tmp) that has no
  /// name.
  void spool();
  void rewind();

  /// Reads up to capacity bytes; 0 at the end.
  std::size_t read(char* data, std::size_t capacity);

 private:
  const std::string& peek();

  std::string name_;
  int descriptor_ = -1;
  std::int64_t size_ = -1;
  std::int64_t position_ = 0;
  std::string peeked_;  // bytes taken from the descriptor and not yet read
  bool looked_ = false;
};

/// An open temporary file without a name, in TMPDIR or /tmp. The caller closes it.
int open_unlinked_file();

}  // namespace zcmoe::cli
