// The library says what is wrong with a model file. This file says what another kind of file is.
#include "model_input.hpp"

#include "failure.hpp"
#include "file_kind.hpp"
#include "input_file.hpp"
#include "say.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace zcmoe::cli {
namespace {

/// Whether the only control characters are tabs and line breaks.
bool is_text(std::string_view start) {
  return std::all_of(start.begin(), start.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r';
  });
}

/// What the file looks like by its first bytes; empty if it may be a safetensors container.
std::string look_of(const std::string& path) {
  input_file file(path);
  std::array<char, 4096> bytes;
  std::size_t size = 0;
  while (const std::size_t got = file.read(bytes.data() + size, bytes.size() - size)) size += got;
  const std::string_view start(bytes.data(), size);
  if (start.empty()) return "it is empty";
  const std::string kind = kind_in_words(start);
  if (!kind.empty()) return "it looks like " + kind;
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

std::optional<zcmoe_points_info> points_info_of(const model& model) {
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  check(zcmoe_model_get_points_info(model.get(), &info));
  if (info.partition == 0) return std::nullopt;
  return info;
}

void compare_names(const zcmoe_model_info& learned, const column_role& role,
                   const std::string& read) {
  const bool from_data =
      learned.target_dtype != 0;  // a compiled model has none, and its x is a variable
  if (!from_data || role.stored.empty() || read.empty() || read == role.stored) return;
  say(text("warning: ", role.option, " is '", read, "', but the model was learned from '",
           role.stored, "'"));
}

}  // namespace zcmoe::cli
