// An output is written to a temporary file, flushed to the disk (fsync), and renamed. An
// interrupted run leaves neither a partial result nor a temporary file.
#include "output_file.hpp"

#include "failure.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <ios>

namespace zcmoe::cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18;

constexpr int random_names = 100;  // so many are tried; each has 64 random bits

// The name of the file that a signal handler may have to remove. It is a fixed buffer, since a
// handler can interrupt a std::string that is being changed.
std::array<char, NAME_MAX + 1> unfinished_name;
std::atomic<int> unfinished_folder{-1};

void remember_unfinished(const output_place& place, const std::string& name) {
  std::memcpy(unfinished_name.data(), name.c_str(), name.size() + 1);
  unfinished_folder = place.folder.get();
}

/// A name that nobody can foresee, so that nobody can have made a file or link of that name.
std::string random_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) number = 0;  // O_EXCL still guards
  return text(".zcmoe-", std::hex, number, ".tmp");
}

std::string path_of(const owned_descriptor& file) { return text("/proc/self/fd/", file.get()); }

}  // namespace

output_file::output_file(const std::string& path)
    : name_(path == "-" ? "standard output" : path), place_(path) {
  if (place_.is_file()) {
    make_temporary();
    return;
  }
  file_ =
      owned_descriptor(place_.stream >= 0 ? ::fcntl(place_.stream, F_DUPFD_CLOEXEC, 3)
                                          : ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0) fail_errno(name_);
  if (place_.stream < 0 && S_ISREG(status.st_mode))
    fail(name_, ": it changed while it was looked at");
}

output_file::~output_file() {
  if (temporary_.empty()) return;
  unfinished_folder = -1;
  ::unlinkat(place_.folder.get(), temporary_.c_str(), 0);
}

/// Opens a file without a name, of which nothing is left whatever ends the process. Where the file
/// system cannot do that, the file has a name that cannot be foreseen.
void output_file::make_temporary() {
  const int folder = place_.folder.get();
  file_ = owned_descriptor(::openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  const bool nameless = file_.get() >= 0 && ::access(path_of(file_).c_str(), F_OK) == 0;
  for (int attempt = 0; !nameless && temporary_.empty(); ++attempt) {
    const std::string name = random_name();
    file_ = owned_descriptor(
        ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (file_.get() < 0 && (errno != EEXIST || attempt == random_names)) fail_errno(name_);
    if (file_.get() < 0) continue;
    remember_unfinished(place_, name);
    temporary_ = name;
  }
  // Not being allowed to keep the permissions of the file that is replaced is no reason to fail.
  if (place_.exists && ::fchmod(file_.get(), place_.status.st_mode & 0777) != 0) errno = 0;
}

/// Gives the file without a name a random one, from which it is renamed: linkat itself cannot
/// replace a file.
void output_file::give_name() {
  for (int attempt = 0; temporary_.empty(); ++attempt) {
    const std::string name = random_name();
    remember_unfinished(place_, name);
    if (::linkat(AT_FDCWD, path_of(file_).c_str(), place_.folder.get(), name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      continue;
    }
    unfinished_folder = -1;
    if (errno != EEXIST || attempt == random_names) fail_errno(name_);
  }
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
  if (::lseek(file_.get(), 0, SEEK_SET) < 0) fail_errno(name_);
  write_through(data.data(), data.size());
  if (::lseek(file_.get(), 0, SEEK_END) < 0) fail_errno(name_);
}

void output_file::commit() {
  flush();
  if (!place_.is_file()) {
    // Some file systems report a full disk only here.
    if (file_.close() != 0) fail_errno(name_);
    return;
  }
  if (::fsync(file_.get()) != 0) fail_errno(name_);
  give_name();
  const int folder = place_.folder.get();
  if (::renameat(folder, temporary_.c_str(), folder, place_.name.c_str()) != 0) fail_errno(name_);
  unfinished_folder = -1;
  temporary_.clear();
}

void output_file::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void output_file::write_through(const char* data, std::size_t size) {
  write_all(file_.get(), data, size, name_);
}

void write_to_stdout(std::string_view data) {
  output_file out("-");
  out.write(data);
  out.commit();
}

void remove_unfinished_output() noexcept {
  const int folder = unfinished_folder.exchange(-1);
  if (folder >= 0) ::unlinkat(folder, unfinished_name.data(), 0);
}

}  // namespace zcmoe::cli
