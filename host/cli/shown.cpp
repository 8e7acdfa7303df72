// The text is decoded as UTF-8, one character at a time; a byte that is not UTF-8 is one of its
// own.
#include "shown.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace zcmoe::cli {
namespace {

/// One character of UTF-8, or one byte that belongs to none.
struct character {
  std::size_t size = 1;
  std::uint32_t code = 0;
  bool valid = false;
};

character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const character none{1, lead, false};
  if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || size > text.size()) return none;
  std::uint32_t code = size == 1 ? lead : lead & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return none;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool longer_than_needed = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (longer_than_needed || surrogate || code > 0x10FFFF) return none;
  return {size, code, true};
}

/// Whether a terminal would act on the character instead of showing it.
bool acts(std::uint32_t code) {
  constexpr std::uint32_t ranges[][2] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},
                                         {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                                         {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const std::uint32_t(&range)[2]) {
    return code >= range[0] && code <= range[1];
  });
}

void append_code(std::string& out, const character& c) {
  const bool is_byte = !c.valid || c.code < 0x80;
  const int digits = is_byte ? 2 : c.code > 0xFFFF ? 8 : 4;
  out += is_byte ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int k = digits - 1; k >= 0; --k) out += "0123456789abcdef"[c.code >> 4 * k & 15];
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const character c = first_character(text);
    if (c.valid && !acts(c.code)) {
      out += text.substr(0, c.size);
    } else {
      append_code(out, c);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

}  // namespace zcmoe::cli
