// Links are followed by the kernel alone, so that its rules hold (fs.protected_symlinks). Where one
// ends is then read from the open descriptor, and the folder is opened: no path is looked at twice,
// and what is exchanged meanwhile does not move the output.
#include "output_place.hpp"

#include "failure.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace zcmoe::cli {
namespace {

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// The least descriptor of this process, open for writing, that is the file; -1 if there is none.
/// Whoever opened it, such as a shell that redirects standard output, goes on writing there, so its
/// content and its place in the file are kept.
int stream_on(const struct stat& file) {
  int least = -1;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::string number = entry.path().filename().string();
    int descriptor = -1;
    std::from_chars(number.data(), number.data() + number.size(), descriptor);
    const int flags = ::fcntl(descriptor, F_GETFL);
    struct stat status {};
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || ::fstat(descriptor, &status) != 0) continue;
    if (same_file(status, file) && (least < 0 || descriptor < least)) least = descriptor;
  }
  return least;
}

}  // namespace

output_place::output_place(const std::string& path) {
  if (path == "-") {
    stream = STDOUT_FILENO;
    if (::fstat(stream, &status) != 0) fail_errno("standard output");
    exists = true;
    return;
  }
  const owned_descriptor found(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (found.get() < 0 && errno != ENOENT) fail_errno(path);
  exists = found.get() >= 0;
  if (exists && ::fstat(found.get(), &status) != 0) fail_errno(path);
  if (exists && S_ISLNK(status.st_mode)) {
    follow_link(path);
  } else if (!exists || S_ISREG(status.st_mode)) {
    find_in_folder(path);
  }
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail_errno(path);
  }
}

void output_place::follow_link(const std::string& path) {
  owned_descriptor end(::open(path.c_str(), O_PATH | O_CLOEXEC));
  exists = end.get() >= 0;
  // Where a link leads that ends at nothing, only the kernel can say: it is asked to make the file,
  // which is removed again as soon as its place is known.
  if (!exists && errno == ENOENT) {
    end = owned_descriptor(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666));
  }
  if (end.get() < 0 || ::fstat(end.get(), &status) != 0) fail_errno(path);
  if (exists) stream = stream_on(status);
  if (stream >= 0 || !S_ISREG(status.st_mode)) return;
  std::string place(PATH_MAX, '\0');
  const ssize_t size =
      ::readlink(text("/proc/self/fd/", end.get()).c_str(), place.data(), place.size());
  if (size < 0) fail_errno(path, ": following the link");
  place.resize(static_cast<std::size_t>(size));
  find_in_folder(place);
  struct stat there {};
  if (::fstatat(folder.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) fail_errno(path);
  if (!same_file(there, status)) fail(path, ": it changed while it was looked at");
  if (!exists && there.st_size == 0) ::unlinkat(folder.get(), name.c_str(), 0);
}

void output_place::find_in_folder(const std::string& path) {
  const std::size_t begin = path.rfind('/') + 1;  // npos + 1 is 0
  name = path.substr(begin);
  const std::string in = begin == 0 ? "." : path.substr(0, begin);
  folder = owned_descriptor(::open(in.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0 && name.empty()) errno = EISDIR;
  if (folder.get() < 0 || name.empty()) fail_errno(path);
}

bool output_place::is_same_file(const struct stat& other) const noexcept {
  return exists && S_ISREG(status.st_mode) && same_file(status, other);
}

void check_outputs(const std::vector<named_output>& outputs,
                   const std::vector<std::string>& inputs) {
  std::vector<output_place> places;
  for (const auto& [option, path] : outputs) {
    const output_place& place = places.emplace_back(path);
    for (const std::string& input : inputs) {
      struct stat status {};
      const bool known =
          input == "-" ? ::fstat(STDIN_FILENO, &status) == 0 : ::stat(input.c_str(), &status) == 0;
      if (!known || !place.is_same_file(status)) continue;
      const std::string what = input == "-" ? "standard input" : input;
      fail_usage(option, " ", path == "-" ? "(standard output)" : path, " is the input",
                 what == path ? "" : text(" ", what));
    }
    for (std::size_t k = 0; k + 1 < places.size(); ++k) {
      const bool both_stream = place.stream >= 0 && place.stream == places[k].stream;
      if (both_stream || (place.exists && places[k].is_same_file(place.status)))
        fail_usage(outputs[k].option, " ", outputs[k].path, " and ", option, " ", path,
                   " are the same file");
    }
    if (place.is_file()
            ? ::faccessat(place.folder.get(), ".", W_OK | X_OK, AT_EACCESS) != 0
            : place.stream < 0 && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
      fail_errno(path);
    }
  }
}

}  // namespace zcmoe::cli
