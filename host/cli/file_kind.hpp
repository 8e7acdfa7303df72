// What a file is by its first bytes, if it is no text: people hand over tables that are still
// compressed, or in another format.
#pragma once

#include <string>
#include <string_view>

namespace zcmoe::cli {

/// The bytes that every NPY file begins with.
constexpr std::string_view npy_start = "\x93NUMPY";

/// What a file that begins so is, if it is a known kind other than text: "gzip data". Else empty.
std::string kind_in_words(std::string_view start);

/// Whether more bytes could change the answer of refuse_binary, so that a slow pipe is not waited
/// for without need.
bool could_be_binary(std::string_view start);

/// Fails if a file of this name that begins so is a known kind of file other than text, and says
/// what helps.
void refuse_binary(std::string_view start, const std::string& name);

/// Fails if the first line of a text holds a null byte.
void refuse_null_byte(std::string_view line, const std::string& name, long long line_number);

}  // namespace zcmoe::cli
