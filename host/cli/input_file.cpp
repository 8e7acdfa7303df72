// Opening, peeking and spooling of inputs.
#include "input_file.hpp"

#include "descriptor.hpp"
#include "failure.hpp"
#include "file_kind.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace zcmoe::cli {
int open_unlinked_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = text(folder != nullptr && *folder != '\0' ? folder : "/tmp", "/zcmoe-XXXXXX");
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) fail_errno("temporary file ", path);
  ::unlink(path.c_str());
  return descriptor;
}

input_file::input_file(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  descriptor_ = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                            : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail_errno(name_);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || S_ISDIR(status.st_mode)) {
    if (S_ISDIR(status.st_mode)) errno = EISDIR;
    const int reason = errno;
    ::close(std::exchange(descriptor_, -1));
    errno = reason;
    fail_errno(name_);
  }
  // A redirected file that someone has read from already is treated as a pipe: its start is not the
  // file's start.
  if (S_ISREG(status.st_mode) && ::lseek(descriptor_, 0, SEEK_CUR) == 0) size_ = status.st_size;
}

input_file::~input_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

input_file::input_file(input_file&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      position_(other.position_),
      peeked_(std::move(other.peeked_)),
      looked_(other.looked_) {}

bool input_file::is_npy() { return peek().compare(0, npy_start.size(), npy_start) == 0; }

void input_file::refuse_binary() { zcmoe::cli::refuse_binary(peek(), name_); }

/// The first bytes.
const std::string& input_file::peek() {
  if (looked_) return peeked_;
  looked_ = true;
  char bytes[4096];
  // A slow pipe is waited for only as long as it may turn out to be no text.
  while (could_be_binary(peeked_)) {
    const std::size_t got = read_some(descriptor_, bytes, sizeof bytes, name_);
    if (got == 0) break;
    peeked_.append(bytes, got);
  }
  return peeked_;
}

void input_file::spool() {
  if (can_rewind()) return;
  const int copy = open_unlinked_file();
  std::int64_t copied = 0;
  try {
    std::vector<char> buffer(std::size_t{1} << 18);
    while (const std::size_t got = read(buffer.data(), buffer.size())) {
      write_all(copy, buffer.data(), got, "the temporary copy of the input");
      copied += static_cast<std::int64_t>(got);
    }
  } catch (...) {
    ::close(copy);
    throw;
  }
  ::close(std::exchange(descriptor_, copy));
  size_ = copied;
  rewind();
}

void input_file::rewind() {
  if (::lseek(descriptor_, 0, SEEK_SET) < 0) fail_errno(name_);
  peeked_.clear();
  position_ = 0;
}

std::size_t input_file::read(char* data, std::size_t capacity) {
  std::size_t got;
  if (!peeked_.empty()) {
    got = std::min(capacity, peeked_.size());
    peeked_.copy(data, got);
    peeked_.erase(0, got);
    // A file has more at once; a pipe may not.
    if (can_rewind()) got += read_some(descriptor_, data + got, capacity - got, name_);
  } else {
    got = read_some(descriptor_, data, capacity, name_);
  }
  position_ += static_cast<std::int64_t>(got);
  return got;
}

}  // namespace zcmoe::cli
