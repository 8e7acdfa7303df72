// One output: a file that appears under its name only when it is complete, or a stream ("-", a
// pipe, a device).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace zcmoe::cli {

class output_file {
 public:
  /// "-" is standard output. A regular file is written beside its place, under a temporary name; a
  /// path that is something else (/dev/null, a named pipe) is written directly.
  explicit output_file(const std::string& path);
  /// Removes what was written, unless commit() was called.
  ~output_file();
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;

  const std::string& name() const noexcept { return name_; }
  /// Whether the start can be written again by rewrite_start().
  bool is_file() const noexcept { return !temporary_.empty(); }

  /// Buffered. Fails with the system's reason (disk full, closed pipe).
  void write(const void* data, std::size_t size);
  void write(std::string_view data) { write(data.data(), data.size()); }
  void rewrite_start(std::string_view data);

  /// Writes what is buffered and gives the file its name.
  void commit();

 private:
  void flush();
  void write_through(const char* data, std::size_t size);

  std::string name_;    // for error texts
  std::string target_;  // final name of a regular file
  std::string temporary_;
  int descriptor_ = -1;
  std::string buffer_;
};

/// Writes the whole text to standard output; fails if it cannot be written.
void write_to_stdout(std::string_view data);

/// Fails if an output_file of this path could not be made: for commands that work long before they
/// write. Makes nothing.
void check_output(const std::string& path);

/// True if a file of this name can be made or replaced by a rename: it is regular or does not
/// exist.
bool is_file_path(const std::string& path);

/// Removes the temporary file of the output being written, if any. For signal handlers: only
/// async-signal-safe calls.
void remove_unfinished_output() noexcept;

}  // namespace zcmoe::cli
