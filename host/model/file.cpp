// POSIX calls behind file.hpp.
#include "host/model/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
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
  fail(ZCMOE_ERR_IO, "cannot ", what, " ", shown_path(path), ": ", reason_of(code));
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

/// The file that symbolic links end at, there or not, so that saving replaces the file and keeps
/// the link. Only the last part of a path matters; the system follows the others.
std::filesystem::path end_of_links(const std::string& path) {
  std::filesystem::path target(path);
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(target, error); ++links) {
    if (links == 40) {  // as the system itself does
      errno = ELOOP;
      fail_io("write", path);
    }
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) {
      errno = error.value();
      fail_io("follow the link", target.string());
    }
    target = target.parent_path() / next;
  }
  return target;
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

/// A byte inside a UTF-8 character, where no text may be cut.
bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string shown_path(const std::string& path) {
  constexpr std::size_t longest = 256;
  constexpr std::size_t head = 80;  // the end, with the file's name, tells more
  if (path.size() <= longest) return text("'", path, "'");
  std::size_t first = head;
  std::size_t last = path.size() - (longest - head - 3);
  // A path need not be UTF-8: no character has more than three bytes after its first.
  for (int k = 0; k < 3 && continues_character(path[first]); ++k) --first;
  for (int k = 0; k < 3 && continues_character(path[last]); ++k) ++last;
  return text("'", path.substr(0, first), "...", path.substr(last), "'");
}

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
    fail(ZCMOE_ERR_IO, "cannot read ", shown_path(path_), ": it is ", kind_of(status.st_mode),
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
      fail(ZCMOE_ERR_IO, "cannot read ", shown_path(path_), ": it was shortened while being read");
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

atomic_file::atomic_file(const std::string& path) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  // Any reason but its absence, such as a name too long, is one that the rename would meet too.
  if (!exists && errno != ENOENT) fail_io("write", path);
  // rename would put a file in the place of a device or pipe.
  if (exists && !S_ISREG(status.st_mode)) {
    fail(ZCMOE_ERR_IO, "cannot write ", shown_path(path), ": it is ", kind_of(status.st_mode),
         ", not a regular file");
  }
  target_ = end_of_links(path).string();
  const std::filesystem::path folder = folder_of(target_);
  static std::atomic<unsigned> serial{0};
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    // Not the target's name and more: it may be as long as a name can be.
    temporary_ = (folder / text(".zcmoe-", ::getpid(), "-", serial++, ".tmp")).string();
    // Not mkstemp: a new file gets the permissions that the user's umask gives any new file.
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 100))
      fail_io("create a temporary file beside", target_);
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
    if (put < 0) fail_io("write", target_);
    if (put == 0)
      fail(ZCMOE_ERR_IO, "cannot write ", shown_path(target_), ": the system took nothing");
    next += put;
    size -= static_cast<std::size_t>(put);
  }
}

void atomic_file::commit() {
  if (::fsync(descriptor_) != 0) fail_io("flush", target_);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;  // whatever close answered: the number may already be another file's
  if (closed != 0 && errno != EINTR) fail_io("close", target_);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail_io("rename the temporary file to", target_);
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
