// The library replaces files by renaming; a stream or a device gets a copy instead.
#include "model_output.hpp"

#include "failure.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "output_place.hpp"
#include "signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace zcmoe::cli {
namespace {

/// Saves the model to a file without a name. Signals are held only meanwhile, so that writing to a
/// slow pipe afterwards can be interrupted.
input_file unlinked_copy(const model& model) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  std::string path =
      ((error ? std::filesystem::path("/tmp") : folder) / "zcmoe-model-XXXXXX").string();
  const signals_held held;
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0) fail_errno(path);
  ::close(descriptor);
  try {
    model.save(path);
    input_file copy(path);
    ::unlink(path.c_str());
    return copy;
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

}  // namespace

void save_model(const model& model, const std::string& path) {
  if (output_place(path).is_file()) {
    const signals_held held;
    model.save(path);
    return;
  }
  input_file copy = unlinked_copy(model);
  output_file out(path);
  std::vector<char> buffer(std::size_t{1} << 18);
  while (const std::size_t got = copy.read(buffer.data(), buffer.size()))
    out.write(buffer.data(), got);
  out.commit();
}

}  // namespace zcmoe::cli
