// A regular file that is read at any offset, and a file that replaces another one as a whole or not
// at all. Errors are ZCMOE_ERR_IO with the path and the system's reason.
#pragma once

#include "host/error.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace zcmoe::detail {

/// The path in quotes. A long one is shortened in the middle, because the text of an error has 511
/// bytes and the reason comes last.
std::string shown_path(const std::string& path);

/// A file descriptor that is closed with this object.
class descriptor {
 public:
  explicit descriptor(int value = -1) noexcept : value_(value) {}
  ~descriptor();
  descriptor(descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept;
  int get() const noexcept { return value_; }
  explicit operator bool() const noexcept { return value_ >= 0; }

 private:
  int value_;
};

class regular_file {
 public:
  /// Opens the file. Refuses whatever is not a regular file: a pipe could block for ever, and a
  /// device has no end.
  explicit regular_file(std::string path);

  std::uint64_t size() const { return size_; }
  /// Reads `bytes` bytes from `offset`. A file that has become shorter is an error.
  void read(std::uint64_t offset, void* to, std::size_t bytes) const;

 private:
  std::string path_;
  descriptor file_;
  std::uint64_t size_ = 0;
};

/// Writes to a temporary file in the folder of `path`, which has no name until it is complete.
/// commit() puts it in the place of `path`; without it `path` stays as it was. Where `path` is a
/// link it stays one: the file that it leads to is replaced, if the system lets this user follow
/// it.
class atomic_file {
 public:
  explicit atomic_file(const std::string& path);
  ~atomic_file();
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  void write(const void* bytes, std::size_t size);
  /// Flushes the file, renames it to its place, and flushes the folder.
  void commit();

 private:
  void find_place();
  void follow_link();
  void take_over(const struct stat& status);
  void enter_folder(const std::string& path);
  void make_temporary();

  std::string path_;   // as given; for the texts of errors
  descriptor folder_;  // where the file will be, whatever happens to the folder's path
  std::string name_;   // name of the file in folder_
  bool replaces_ = false;
  mode_t mode_ = 0;  // permissions of the file that is replaced
  descriptor file_;
  std::string temporary_;  // its name in folder_ so far; empty while it has none
};

}  // namespace zcmoe::detail
