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
  descriptor_ = owned_descriptor(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (descriptor() < 0 || ::fstat(descriptor(), &status) != 0) fail_errno(name_);
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail_errno(name_);
  }
  // A redirected file that someone has read from already is treated as a pipe: its start is not the
  // file's start.
  if (S_ISREG(status.st_mode) && ::lseek(descriptor(), 0, SEEK_CUR) == 0) size_ = status.st_size;
}

bool input_file::is_npy() { return peek().compare(0, npy_start.size(), npy_start) == 0; }

void input_file::refuse_binary() { zcmoe::cli::refuse_binary(peek(), name_); }

/// The first bytes.
const std::string& input_file::peek() {
  if (looked_) return peeked_;
  looked_ = true;
  char bytes[4096];
  // A slow pipe is waited for only as long as it may turn out to be no text.
  while (could_be_binary(peeked_)) {
    const std::size_t got = read_some(descriptor(), bytes, sizeof bytes, name_);
    if (got == 0) break;
    peeked_.append(bytes, got);
  }
  return peeked_;
}

void input_file::make_rewindable() {
  if (size_ < 0 && copy_.get() < 0) copy_ = owned_descriptor(open_unlinked_file());
}

void input_file::rewind() {
  if (copy_.get() >= 0) {
    std::vector<char> rest(std::size_t{1} << 18);
    while (read(rest.data(), rest.size()) > 0) {
    }
    descriptor_ = std::move(copy_);
    copy_.close();  // the pipe, which the assignment left here
    size_ = position_;
  }
  if (::lseek(descriptor(), 0, SEEK_SET) < 0) fail_errno(name_);
  peeked_.clear();
  position_ = 0;
}

void input_file::spool() {
  if (size_ >= 0) return;
  make_rewindable();
  rewind();
}

std::size_t input_file::read(char* data, std::size_t capacity) {
  std::size_t got = std::min(capacity, peeked_.size());
  peeked_.copy(data, got);
  peeked_.erase(0, got);
  // Behind the bytes that were looked at, a file has more at once; a pipe may not.
  if (got == 0 || size_ >= 0) got += read_some(descriptor(), data + got, capacity - got, name_);
  if (copy_.get() >= 0) write_all(copy_.get(), data, got, "the temporary copy of the input");
  position_ += static_cast<std::int64_t>(got);
  return got;
}

}  // namespace zcmoe::cli
