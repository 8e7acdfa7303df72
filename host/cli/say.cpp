#include "say.hpp"

#include "shown.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace zcmoe::cli {
namespace {

constexpr std::size_t summary_names = 16;  // characters that a name takes
constexpr std::size_t page_names = 17;

std::string columns(std::string_view name, std::size_t width, std::string_view value) {
  std::string line(name);
  line.resize(std::max(name.size(), width), ' ');
  return line.append(" ").append(value);
}

}  // namespace

void say(std::string_view line) {
  const std::string whole = shown(line) + "\n";
  std::fwrite(whole.data(), 1, whole.size(), stderr);
}

void say(std::string_view name, std::string_view value) {
  say(columns(name, summary_names, value));
}

void text_page::add(std::string_view line) { text_.append(shown(line)).append("\n"); }

void text_page::add(std::string_view name, std::string_view value) {
  add(columns(name, page_names, value));
}

}  // namespace zcmoe::cli
