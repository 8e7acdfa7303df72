// The text that zcmoe_last_error() returns, one for each thread, and texts in printable form. It is
// a fixed buffer, since reporting an error must not allocate.
#include "error.hpp"

#include <cstdint>
#include <cstring>

namespace zcmoe::detail {
namespace {

thread_local char last_error_text[512] = "";

/// One character of UTF-8, or one byte that belongs to no character.
struct character {
  std::size_t size = 1;
  std::uint32_t code = 0;
  bool valid = false;
};

character first_character(std::string_view text) noexcept {
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

/// Whether a terminal would act on the character instead of showing it, or the order of the text
/// around it would change: controls (C0, DEL, C1), separators of lines, marks of writing direction
/// and other characters without a shape.
bool acts(std::uint32_t code) noexcept {
  constexpr std::uint32_t ranges[][2] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},
                                         {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                                         {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};
  for (const auto& range : ranges) {
    if (code >= range[0] && code <= range[1]) return true;
  }
  return false;
}

/// Writes what is shown of the character at the start of text, without a terminating 0, and says
/// its length.
std::size_t show(std::string_view text, const character& c, char (&to)[12]) noexcept {
  if (c.valid && !acts(c.code)) {
    std::memcpy(to, text.data(), c.size);
    return c.size;
  }
  const bool is_byte = !c.valid || c.code < 0x80;
  const int digits = is_byte ? 2 : c.code > 0xFFFF ? 8 : 4;
  to[0] = '\\';
  to[1] = is_byte ? 'x' : digits == 4 ? 'u' : 'U';
  for (int k = 0; k < digits; ++k)
    to[2 + k] = "0123456789abcdef"[c.code >> 4 * (digits - 1 - k) & 15];
  return 2 + static_cast<std::size_t>(digits);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  char piece[12];
  while (!text.empty()) {
    const character c = first_character(text);
    shown.append(piece, show(text, c, piece));
    text.remove_prefix(c.size);
  }
  return shown;
}

void set_last_error(const char* function, const char* message) noexcept {
  std::size_t used = 0;
  char piece[12];
  for (std::string_view text :
       {std::string_view(function), std::string_view(": "), std::string_view(message)}) {
    while (!text.empty()) {
      const character c = first_character(text);
      const std::size_t size = show(text, c, piece);
      if (used + size >= sizeof last_error_text) break;  // characters are kept whole
      std::memcpy(last_error_text + used, piece, size);
      used += size;
      text.remove_prefix(c.size);
    }
  }
  last_error_text[used] = '\0';
}

const char* last_error() noexcept { return last_error_text; }

}  // namespace zcmoe::detail
