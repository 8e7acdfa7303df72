// Text of unknown origin on its way to a terminal: names of files and columns, fields of a table.
#pragma once

#include <string>
#include <string_view>

namespace zcmoe::cli {

/// The text as it is shown: controls (C0, DEL, C1), separators of lines, marks of writing direction
/// and other characters without a shape, and bytes that are not UTF-8, become \xHH, \uHHHH or
/// \UHHHHHHHH. A line break is shown too: the text is one line.
std::string shown(std::string_view text);

}  // namespace zcmoe::cli
