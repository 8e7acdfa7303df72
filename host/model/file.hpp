// Files: a regular file that is read at any offset, and one that replaces its target whole or not
// at all. Errors are ZCMOE_ERR_IO with path and the system's reason.
#pragma once

#include "host/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace zcmoe::detail {

/// The path in quotes, long ones shortened in the middle: an error's text has 511 bytes, and the
/// reason comes last.
std::string shown_path(const std::string& path);

class regular_file {
 public:
  /// Refuses whatever is not a regular file: a pipe could block for ever, a device has no end.
  explicit regular_file(std::string path);
  ~regular_file();
  regular_file(const regular_file&) = delete;
  regular_file& operator=(const regular_file&) = delete;

  std::uint64_t size() const { return size_; }
  /// Fills `to`; a file that has become shorter is an error.
  void read(std::uint64_t offset, void* to, std::size_t bytes) const;

 private:
  std::string path_;
  int descriptor_;
  std::uint64_t size_;
};

/// Writes to a temporary file beside path. commit() puts it in the place of path; without it the
/// temporary file goes and path stays as it was.
class atomic_file {
 public:
  explicit atomic_file(const std::string& path);
  ~atomic_file();
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  void write(const void* bytes, std::size_t size);
  /// fsync, rename, fsync of the folder.
  void commit();

 private:
  std::string target_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace zcmoe::detail
