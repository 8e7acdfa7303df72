// File descriptors: who closes them, and whole reads and writes, where interrupted calls are tried
// again and a call that moves nothing is a failure instead of a loop without end. `name` begins the
// error text.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace zcmoe::cli {

/// Closes a file descriptor at its end.
class owned_descriptor {
 public:
  explicit owned_descriptor(int descriptor = -1) noexcept : descriptor_(descriptor) {}
  ~owned_descriptor() { close(); }
  owned_descriptor(owned_descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  owned_descriptor& operator=(owned_descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const noexcept { return descriptor_; }
  /// Returns what the system's close returns; 0 if nothing was open.
  int close() noexcept;

 private:
  int descriptor_;
};

void write_all(int descriptor, const char* data, std::size_t size, const std::string& name);

/// Reads up to capacity bytes and returns how many; 0 means the end.
std::size_t read_some(int descriptor, char* data, std::size_t capacity, const std::string& name);

}  // namespace zcmoe::cli
