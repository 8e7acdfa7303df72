// Text of unknown origin on its way to a terminal: names of files and columns, fields of a table.
#pragma once

#include <string>
#include <string_view>

namespace zcmoe::cli {

/// The text with everything escaped that is not seen or moves what is seen: control characters (C0,
/// C1 and DEL) and bytes that are no UTF-8 as \xHH, marks of direction and zero width as \u{HHHH}.
std::string shown(std::string_view text);

/// The same for at most `bytes` bytes of the text, cut between characters, then "...".
std::string shown_start(std::string_view text, std::size_t bytes = 40);

}  // namespace zcmoe::cli
