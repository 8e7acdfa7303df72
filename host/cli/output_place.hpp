// Where an output goes: to a file in a folder, made or replaced when it is whole, or to something
// that is written where it is (a pipe, a device, a stream that this process was handed).
#pragma once

#include "descriptor.hpp"

#include <sys/stat.h>

#include <string>
#include <vector>

namespace zcmoe::cli {

struct output_place {
  /// "-" is standard output. Fails with the system's reason where nothing can be written. Makes
  /// nothing.
  explicit output_place(const std::string& path);

  /// True if a file is made in a folder or replaced there.
  bool is_file() const noexcept { return folder.get() >= 0; }
  /// Whether the regular file at the path is the other one: same device and inode.
  bool is_same_file(const struct stat& other) const noexcept;

  owned_descriptor folder;  // of a file that is made or replaced
  std::string name;         // in folder
  int stream = -1;          // the open descriptor to write to, if path names one: /dev/stdout
  bool exists = false;
  struct stat status {};  // of what is at the path, if exists

 private:
  void find_in_folder(const std::string& path);
  void follow_link(const std::string& path);
};

/// An output and the option that asks for it.
struct named_output {
  std::string option;
  std::string path;
};

/// Refuses outputs that could not be written, and (as wrong usage) those that are one of the inputs
/// or one another, by whatever path or link: for commands that work long before they write. Makes
/// nothing.
///
/// The check sees the paths as they are now. If somebody exchanges a file or a link between it and
/// the writing, so that an output has become an input, the bytes that are read still do not change:
/// a file is written anew and takes the name only when it is whole. The input then loses that name,
/// and its bytes are gone when the program ends, unless it has another name. The exception is a
/// link that comes to lead to a stream which this process was handed, and which is the input: in
/// `zcmoe predict m data.csv -o link >>data.csv` the predictions would be appended to the input.
void check_outputs(const std::vector<named_output>& outputs,
                   const std::vector<std::string>& inputs = {});

}  // namespace zcmoe::cli
