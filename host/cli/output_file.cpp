// Temporary file, write, fsync, rename. An interrupted run leaves neither a partial result nor a
// temporary file.
#include "output_file.hpp"

#include "descriptor.hpp"
#include "failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18;

// What a signal handler may have to remove: a fixed buffer, since a handler must not touch a
// std::string in motion.
std::array<char, 4096> unfinished_path;
std::atomic<bool> unfinished{false};

void remember_unfinished(const std::string& path) {
  if (path.size() >= unfinished_path.size()) return;
  std::memcpy(unfinished_path.data(), path.c_str(), path.size() + 1);
  unfinished = true;
}

/// The file that symbolic links end at, there or not: a rename would replace the link itself. Only
/// the last part of a path matters; the system follows the others.
std::filesystem::path end_of_links(const std::string& path) {
  std::filesystem::path target(path);
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(target, error); ++links) {
    if (links == 40) {  // as the system itself does
      errno = ELOOP;
      fail_errno(path);
    }
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) fail(path, ": ", error.message());
    target = target.parent_path() / next;
  }
  return target;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

/// The permissions a new file gets, or those of the file that is replaced.
mode_t permissions_for(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status.st_mode & 0777;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

bool is_file_path(const std::string& path) {
  if (path == "-") return false;
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

void check_output(const std::string& path) {
  if (path == "-") return;
  if (is_file_path(path)) {
    const std::filesystem::path target = end_of_links(path);
    struct stat status {};
    // Any reason but its absence, such as a name too long, is one that the rename would meet too.
    if (::stat(target.c_str(), &status) != 0 && errno != ENOENT) fail_errno(path);
    if (::faccessat(AT_FDCWD, folder_of(target).c_str(), W_OK | X_OK, AT_EACCESS) != 0)
      fail_errno(path);
    return;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail_errno(path);
  }
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) fail_errno(path);
}

output_file::output_file(const std::string& path) : name_(path == "-" ? "standard output" : path) {
  if (path == "-") {
    descriptor_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (descriptor_ < 0) fail_errno(name_);
    return;
  }
  if (!is_file_path(path)) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_errno(name_);
    return;
  }
  const std::filesystem::path target = end_of_links(path);
  target_ = target.string();
  // Not the target's name and more: it may be as long as a name can be.
  temporary_ = (folder_of(target) / ".zcmoe-XXXXXX.tmp").string();
  descriptor_ = ::mkostemps(temporary_.data(), 4, O_CLOEXEC);
  if (descriptor_ < 0) {
    temporary_.clear();
    fail_errno(name_);
  }
  remember_unfinished(temporary_);
}

output_file::~output_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (temporary_.empty()) return;
  unfinished = false;
  ::unlink(temporary_.c_str());
}

void output_file::write(const void* data, std::size_t size) {
  if (buffer_.size() + size > buffer_size) flush();
  if (size >= buffer_size) {
    write_through(static_cast<const char*>(data), size);
  } else {
    buffer_.append(static_cast<const char*>(data), size);
  }
}

void output_file::rewrite_start(std::string_view data) {
  flush();
  if (::lseek(descriptor_, 0, SEEK_SET) < 0) fail_errno(name_);
  write_through(data.data(), data.size());
  if (::lseek(descriptor_, 0, SEEK_END) < 0) fail_errno(name_);
}

void output_file::commit() {
  flush();
  if (temporary_.empty()) {
    // Some file systems report a full disk only here.
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_errno(name_);
    return;
  }
  if (::fchmod(descriptor_, permissions_for(target_)) != 0 || ::fsync(descriptor_) != 0)
    fail_errno(name_);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_errno(name_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_errno(name_);
  unfinished = false;
  temporary_.clear();
}

void output_file::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void output_file::write_through(const char* data, std::size_t size) {
  write_all(descriptor_, data, size, name_);
}

void write_to_stdout(std::string_view data) {
  output_file out("-");
  out.write(data);
  out.commit();
}

void remove_unfinished_output() noexcept {
  if (unfinished.exchange(false)) ::unlink(unfinished_path.data());
}

}  // namespace zcmoe::cli
