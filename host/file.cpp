// POSIX calls behind file.hpp.
#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>

namespace zcmoe::detail {
namespace {

/// Linux transfers less than 2 GiB a call; smaller pieces also keep a write that meets a limit from
/// losing much.
constexpr std::size_t max_transfer = std::size_t{1} << 30;

/// The system's reason, by a call that threads may share, unlike strerror.
std::string reason_of(int code) { return std::generic_category().message(code); }

[[noreturn]] void fail_io(const char* what, const std::string& path) {
  const int code = errno;
  fail(ZCMOE_ERR_IO, "cannot ", what, " '", path, "': ", reason_of(code));
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

/// The file that a chain of symbolic links ends at, so that saving replaces the file and keeps the
/// link.
std::string resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real != nullptr ? std::string(real.get()) : path;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

regular_file::regular_file(std::string path) : path_(std::move(path)), descriptor_(-1), size_(0) {
  // O_NONBLOCK: opening a pipe without a writer would wait; it means nothing to a regular file.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) fail_io("open", path_);
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    const int code = errno;
    ::close(descriptor_);
    errno = code;
    fail_io("examine", path_);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(ZCMOE_ERR_IO, "cannot read '", path_, "': it is ", kind_of(status.st_mode),
         ", not a regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

regular_file::~regular_file() { ::close(descriptor_); }

void regular_file::read(std::uint64_t offset, void* to, std::size_t bytes) const {
  auto* next = static_cast<unsigned char*>(to);
  while (bytes > 0) {
    const ssize_t got =
        ::pread(descriptor_, next, std::min(bytes, max_transfer), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io("read", path_);
    if (got == 0)
      fail(ZCMOE_ERR_IO, "cannot read '", path_, "': it was shortened while being read");
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

atomic_file::atomic_file(const std::string& path) : target_(resolved(path)) {
  struct stat status {};
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  // rename would put a file in the place of a device or pipe.
  if (exists && !S_ISREG(status.st_mode)) {
    fail(ZCMOE_ERR_IO, "cannot write '", path, "': it is ", kind_of(status.st_mode),
         ", not a regular file");
  }
  static std::atomic<unsigned> serial{0};
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = text(target_, ".", ::getpid(), "-", serial++, ".tmp");
    // Not mkstemp: a new file gets the permissions that the user's umask gives any new file.
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 100)) fail_io("create", temporary_);
  }
  // A replaced file keeps its permissions where the system lets us; not being allowed to is no
  // reason to fail.
  if (exists && ::fchmod(descriptor_, status.st_mode & 07777) != 0) errno = 0;
}

atomic_file::~atomic_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void atomic_file::write(const void* bytes, std::size_t size) {
  const auto* next = static_cast<const unsigned char*>(bytes);
  while (size > 0) {
    const ssize_t put = ::write(descriptor_, next, std::min(size, max_transfer));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_io("write", temporary_);
    next += put;
    size -= static_cast<std::size_t>(put);
  }
}

void atomic_file::commit() {
  if (::fsync(descriptor_) != 0) fail_io("flush", temporary_);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;  // whatever close answered: the number may already be another file's
  if (closed != 0 && errno != EINTR) fail_io("close", temporary_);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail_io("rename to its target", temporary_);
  temporary_.clear();
  // From here on path is complete. Without this flush a power cut may bring the old file back,
  // whole: not a failure of this call, which could no longer leave the old file in place anyway.
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    if (::fsync(folder) != 0) errno = 0;
    ::close(folder);
  }
}

}  // namespace zcmoe::detail
