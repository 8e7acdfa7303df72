// Reads regular files and replaces files atomically by POSIX calls: see file.hpp.
#include "host/model/file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ios>
#include <system_error>
#include <utility>

namespace zcmoe::detail {
namespace {

/// Linux transfers less than 2 GiB per call. Smaller pieces also lose less where a write meets a
/// limit of the file's size.
constexpr std::size_t max_transfer = std::size_t{1} << 30;

/// The system's words for an error, by a call that threads may share, which strerror is not.
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

// So many random names are tried before the error is told.
constexpr int random_names = 100;

/// The path of an open descriptor, for linkat and readlink.
std::string path_of(int descriptor) { return text("/proc/self/fd/", descriptor); }

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Whether a standard stream of the process is open on the file. A link to such a file may be
/// /dev/stdout, which names the stream and not a place in a folder.
bool is_standard_stream(const struct stat& file) {
  for (int stream = 0; stream <= 2; ++stream) {
    struct stat status {};
    if (::fstat(stream, &status) == 0 && same_file(status, file)) return true;
  }
  return false;
}

/// A name that nobody can foresee, and so nobody can have taken.
std::string random_name() {
  std::uint64_t number = 0;
  // Where there are no random bits, O_EXCL still refuses a name that is taken.
  if (::getrandom(&number, sizeof number, 0) != sizeof number) number = 0;
  return text(".zcmoe-", std::hex, number, ".tmp");
}

/// Whether the byte continues a UTF-8 character, before which no text may be cut: it is 10xxxxxx.
bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

descriptor::~descriptor() {
  // What was written has been flushed before, so no error of close matters.
  if (value_ >= 0) ::close(value_);
}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

std::string shown_path(const std::string& path) {
  constexpr std::size_t longest = 256;
  constexpr std::size_t head = 80;  // bytes; more are kept of the end, which has the file's name
  const std::string shown = printable(path);
  if (shown.size() <= longest) return text("'", shown, "'");
  std::size_t first = head;
  std::size_t last = shown.size() - (longest - head - 3);
  while (continues_character(shown[first])) --first;
  while (continues_character(shown[last])) ++last;
  return text("'", shown.substr(0, first), "...", shown.substr(last), "'");
}

regular_file::regular_file(std::string path)
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait. For a regular file the
    // flag has no meaning.
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  if (!file_) fail_io("open", path_);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail_io("examine", path_);
  if (!S_ISREG(status.st_mode)) {
    fail(ZCMOE_ERR_IO, "cannot read ", shown_path(path_), ": it is ", kind_of(status.st_mode),
         ", not a regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

void regular_file::read(std::uint64_t offset, void* to, std::size_t bytes) const {
  auto* next = static_cast<unsigned char*>(to);
  while (bytes > 0) {
    const ssize_t got =
        ::pread(file_.get(), next, std::min(bytes, max_transfer), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io("read", path_);
    if (got == 0)
      fail(ZCMOE_ERR_IO, "cannot read ", shown_path(path_), ": it was shortened while being read");
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

atomic_file::atomic_file(const std::string& path) : path_(path) {
  find_place();
  make_temporary();
  // A replaced file keeps its permissions where the system allows to set them; where it does not,
  // the file is written all the same.
  if (replaces_ && ::fchmod(file_.get(), mode_ & 07777) != 0) errno = 0;
}

atomic_file::~atomic_file() {
  if (!temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

/// Finds the folder and the name that the file will have. Only the kernel follows links, so that
/// its rules hold (fs.protected_symlinks), and the place is then taken from the descriptor that it
/// returned, so that no path is looked up twice.
void atomic_file::find_place() {
  const descriptor found(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found && errno != ENOENT) fail_io("write", path_);
  struct stat status {};
  if (found && ::fstat(found.get(), &status) != 0) fail_io("examine", path_);
  if (found && S_ISLNK(status.st_mode)) {
    follow_link();
    return;
  }
  if (found) take_over(status);
  enter_folder(path_);
}

void atomic_file::follow_link() {
  descriptor end(::open(path_.c_str(), O_PATH | O_CLOEXEC));
  // Where a link leads to no file, only the kernel can say to which place it leads: it creates the
  // file, which is removed as soon as its place is known.
  const bool missing = !end && errno == ENOENT;
  if (missing) {
    end = descriptor(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666));
  }
  struct stat status {};
  if (!end || ::fstat(end.get(), &status) != 0) fail_io("follow the link", path_);
  if (!missing) take_over(status);
  if (is_standard_stream(status)) {
    fail(ZCMOE_ERR_IO, "cannot write ", shown_path(path_),
         ": it is a standard stream of this process, not a place in a folder");
  }
  std::string place(PATH_MAX, '\0');
  const ssize_t size = ::readlink(path_of(end.get()).c_str(), &place[0], place.size());
  if (size < 0) fail_io("follow the link", path_);
  place.resize(static_cast<std::size_t>(size));
  enter_folder(place);
  struct stat there {};
  if (::fstatat(folder_.get(), name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
    fail_io("follow the link", path_);
  if (!same_file(there, status))
    fail(ZCMOE_ERR_IO, "cannot write ", shown_path(path_), ": it changed while it was looked at");
  if (missing && there.st_size == 0) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

/// Notes that a file will be replaced, and its permissions. It must be a regular one, because
/// rename would put a file in the place of a device or a pipe too.
void atomic_file::take_over(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    fail(ZCMOE_ERR_IO, "cannot write ", shown_path(path_), ": it is ", kind_of(status.st_mode),
         ", not a regular file");
  }
  replaces_ = true;
  mode_ = status.st_mode;
}

void atomic_file::enter_folder(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;  // npos + 1 is 0: a path without '/' is all name
  name_ = path.substr(name);
  const std::string folder = name == 0 ? "." : path.substr(0, name);
  folder_ = descriptor(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder_ && name_.empty()) errno = path.empty() ? ENOENT : EISDIR;
  if (!folder_ || name_.empty()) fail_io("create a file beside", path_);
}

/// Opens a file without a name, so that nothing is left of it whatever ends the process. Where the
/// file system has no such files, the file gets a name that cannot be foreseen.
void atomic_file::make_temporary() {
  file_ = descriptor(::openat(folder_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (file_ && ::access(path_of(file_.get()).c_str(), F_OK) == 0) return;
  for (int attempt = 0; temporary_.empty(); ++attempt) {
    const std::string name = random_name();
    // mkstemp would give the file permissions of its own; open gives it those that the user's umask
    // gives any new file.
    file_ = descriptor(::openat(folder_.get(), name.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (file_) temporary_ = name;
    if (!file_ && (errno != EEXIST || attempt == random_names))
      fail_io("create a temporary file beside", path_);
  }
}

void atomic_file::write(const void* bytes, std::size_t size) {
  const auto* next = static_cast<const unsigned char*>(bytes);
  while (size > 0) {
    const ssize_t put = ::write(file_.get(), next, std::min(size, max_transfer));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_io("write", path_);
    if (put == 0)
      fail(ZCMOE_ERR_IO, "cannot write ", shown_path(path_), ": the system took nothing");
    next += put;
    size -= static_cast<std::size_t>(put);
  }
}

void atomic_file::commit() {
  if (::fsync(file_.get()) != 0) fail_io("flush", path_);
  // linkat cannot replace a file, so the new file first gets a name from which it can be renamed.
  for (int attempt = 0; temporary_.empty(); ++attempt) {
    const std::string name = random_name();
    if (::linkat(AT_FDCWD, path_of(file_.get()).c_str(), folder_.get(), name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
    } else if (errno != EEXIST || attempt == random_names) {
      fail_io("name the temporary file beside", path_);
    }
  }
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0)
    fail_io("rename the temporary file to", path_);
  temporary_.clear();
  // From here on the path leads to the complete new file. Without this flush a power cut may bring
  // the old file back, which is complete too. So an error here is no failure of this call, which
  // could not bring the old file back anyway.
  const descriptor folder(::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.get()) != 0) errno = 0;
}

}  // namespace zcmoe::detail
