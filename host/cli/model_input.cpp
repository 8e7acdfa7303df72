// The library says what is wrong with a model file; here, what a file is that never was one.
#include "model_input.hpp"

#include "failure.hpp"
#include "input_file.hpp"
#include "say.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace zcmoe::cli {
namespace {

struct known_start {
  std::string_view bytes;
  const char* kind;
};
constexpr known_start known_starts[] = {
    {"\x93NUMPY", "an NPY file"},
    {"PK\x03\x04", "a ZIP archive, as NPZ files are"},
    {"\x1F\x8B", "compressed by gzip"},
    {"\x28\xB5\x2F\xFD", "compressed by zstd"},
    {"\xFD\x37zXZ", "compressed by xz"},
    {"BZh", "compressed by bzip2"},
    {"PAR1", "a Parquet file"},
    {"ARROW1", "an Arrow file"},
    {"\x89HDF", "an HDF5 file"},
    {"\x89PNG", "a picture"},
    {"%PDF", "a PDF file"},
    {"SQLite format 3", "an SQLite database"},
    {"\x7F"
     "ELF",
     "a program"},
    {"\xFF\xFE", "UTF-16 text"},
    {"\xFE\xFF", "UTF-16 text"},
    {"\xEF\xBB\xBF", "text"},
};

/// Whether no byte is a control character but those that text has.
bool is_text(std::string_view start) {
  return std::all_of(start.begin(), start.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r';
  });
}

/// What the file looks like by its first bytes; empty if it may be a container such as models are.
std::string look_of(const std::string& path) {
  input_file file(path);
  std::array<char, 4096> bytes;
  std::size_t size = 0;
  while (const std::size_t got = file.read(bytes.data() + size, bytes.size() - size)) size += got;
  const std::string_view start(bytes.data(), size);
  if (start.empty()) return "it is empty";
  for (const known_start& known : known_starts) {
    if (start.substr(0, known.bytes.size()) == known.bytes)
      return text("it looks like ", known.kind);
  }
  const bool container = start.size() > 8 && start[8] == '{';
  return !container && is_text(start) ? "it looks like text" : "";
}

}  // namespace

model load_model(const context& engine, const std::string& path) {
  if (path == "-") fail_usage("model -: a model is read from a file, not from standard input");
  try {
    return model::load(engine, path);
  } catch (const error& e) {
    if (e.status() != ZCMOE_ERR_FORMAT) throw;
    const std::string look = look_of(path);
    if (look.empty()) throw;
    fail(path, " is not a model file (", look, ")");
  }
}

void compare_names(const zcmoe_model_info& learned, const column_role& role,
                   const std::string& read) {
  const bool from_data = learned.target_dtype != 0;  // else x is the variable of an expression
  if (!from_data || role.stored.empty() || read.empty() || read == role.stored) return;
  say(text("warning: ", role.option, " is '", read, "', but the model was learned from '",
           role.stored, "'"));
}

}  // namespace zcmoe::cli
