// Decodes UTF-8 one character at a time.
#include "shown.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

namespace zcmoe::cli {
namespace {

struct character {
  std::uint32_t code = 0;
  std::size_t size = 0;  // bytes; 0: the text does not go on with a character of UTF-8
};

character next_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  std::uint32_t code = first & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, size};
}

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

/// Marks that are not seen themselves: soft hyphen, zero width, line and paragraph separators,
/// directions, byte order mark, tags.
bool is_invisible(std::uint32_t code) {
  return code == 0xAD || code == 0x61C || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
         code == 0xFEFF || (code >= 0xE0000 && code <= 0xE0FFF);
}

void append_byte(std::string& out, char c) {
  std::array<char, 8> hex;
  std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned char>(c));
  out += hex.data();
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const character next = next_character(text);
    const std::size_t size = next.size == 0 ? 1 : next.size;
    if (next.size == 0 || is_control(next.code)) {
      for (const char c : text.substr(0, size)) append_byte(out, c);
    } else if (is_invisible(next.code)) {
      std::array<char, 16> hex;
      std::snprintf(hex.data(), hex.size(), "\\u{%04x}", static_cast<unsigned>(next.code));
      out += hex.data();
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string shown_start(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return shown(text);
  std::size_t size = bytes;
  for (int k = 0; k < 3 && size > 0; ++k) {
    if ((static_cast<unsigned char>(text[size]) & 0xC0) != 0x80) break;
    --size;
  }
  return shown(text.substr(0, size)) + "...";
}

}  // namespace zcmoe::cli
