// One input: a file, a pipe, or standard input ("-"). Where a second pass or a mapping is needed, a
// pipe, which can be read only once, is copied to a temporary file without a name.
#pragma once

#include "descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace zcmoe::cli {

class input_file {
 public:
  /// Opens path; "-" is standard input. Fails if it cannot be read.
  explicit input_file(const std::string& path);

  /// The path as given; "standard input" for "-". Error texts begin with it.
  const std::string& name() const noexcept { return name_; }
  int descriptor() const noexcept { return descriptor_.get(); }
  /// Bytes in all; -1 while unknown (a pipe).
  std::int64_t size() const noexcept { return size_; }
  /// Bytes read since the start or the last rewind.
  std::int64_t position() const noexcept { return position_; }

  /// Whether the content begins as an NPY file does. Before the first read only.
  bool is_npy();
  /// Fails if the content is known to be something else than text. Before the first read only.
  void refuse_binary();

  /// Makes rewind() possible: what is read of a pipe is from now on copied to a temporary file in
  /// TMPDIR (or /tmp) that has no name. Before the first read only.
  void make_rewindable();
  /// Goes back to the start. The first time, what was not yet read of a pipe is copied too, so that
  /// its size is known from then on.
  void rewind();
  /// Makes the descriptor that of a whole file with its size, to be mapped.
  void spool();

  /// Reads up to capacity bytes; 0 at the end.
  std::size_t read(char* data, std::size_t capacity);

 private:
  const std::string& peek();

  std::string name_;
  owned_descriptor descriptor_;
  owned_descriptor copy_;  // of a pipe, until the first rewind
  std::int64_t size_ = -1;
  std::int64_t position_ = 0;
  std::string peeked_;  // bytes taken from the descriptor and not yet read
  bool looked_ = false;
};

/// An open temporary file without a name, in TMPDIR or /tmp. The caller closes it.
int open_unlinked_file();

}  // namespace zcmoe::cli
