// Whole reads and writes on a file descriptor: interrupted calls are tried again, and a call that
// moves nothing is a failure instead of a loop without end. `name` begins the error text.
#pragma once

#include <cstddef>
#include <string>

namespace zcmoe::cli {

void write_all(int descriptor, const char* data, std::size_t size, const std::string& name);

/// Up to capacity bytes; 0 at the end.
std::size_t read_some(int descriptor, char* data, std::size_t capacity, const std::string& name);

}  // namespace zcmoe::cli
