// One output: a file that appears under its name only when it is complete, or a stream ("-", a
// pipe, a device).
#pragma once

#include "descriptor.hpp"
#include "output_place.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace zcmoe::cli {

class output_file {
 public:
  /// "-" is standard output. A regular file is written beside its place, without a name where the
  /// file system can, and has the permissions of the one it replaces or those that the umask leaves
  /// a new one; what else a path leads to (/dev/null, a named pipe, /dev/stdout) is written where
  /// it is.
  explicit output_file(const std::string& path);
  /// Removes what was written, unless commit() was called.
  ~output_file();
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;

  const std::string& name() const noexcept { return name_; }
  /// Whether the start can be written again by rewrite_start().
  bool is_file() const noexcept { return place_.is_file(); }

  /// Buffered. Fails with the system's reason (disk full, closed pipe).
  void write(const void* data, std::size_t size);
  void write(std::string_view data) { write(data.data(), data.size()); }
  void rewrite_start(std::string_view data);

  /// Writes what is buffered and gives the file its name.
  void commit();

 private:
  void make_temporary();
  void give_name();
  void flush();
  void write_through(const char* data, std::size_t size);

  std::string name_;  // for error texts
  output_place place_;
  owned_descriptor file_;
  std::string temporary_;  // in the folder of the place; empty while the file has no name
  std::string buffer_;
};

/// Writes the whole text to standard output; fails if it cannot be written.
void write_to_stdout(std::string_view data);

/// Removes the temporary file of the output being written, if any. For signal handlers: only
/// async-signal-safe calls.
void remove_unfinished_output() noexcept;

}  // namespace zcmoe::cli
