// write and read may move fewer bytes than asked for, or be interrupted: hence the loops.
#include "descriptor.hpp"

#include "failure.hpp"

#include <unistd.h>

namespace zcmoe::cli {

int owned_descriptor::close() noexcept {
  const int descriptor = std::exchange(descriptor_, -1);
  return descriptor < 0 ? 0 : ::close(descriptor);
}

void write_all(int descriptor, const char* data, std::size_t size, const std::string& name) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno(name);
    if (written == 0) fail(name, ": the system took none of ", size, " bytes");
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

std::size_t read_some(int descriptor, char* data, std::size_t capacity, const std::string& name) {
  for (;;) {
    const ssize_t got = ::read(descriptor, data, capacity);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail_errno(name);
  }
}

}  // namespace zcmoe::cli
