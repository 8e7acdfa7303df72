// The two ways a command fails: failure ends the program with status 1, usage_error with status 2.
// Both carry the one line that is printed after "zcmoe: ".
#pragma once

#include "shown.hpp"

#include <zcmoe/zcmoe.hpp>

#include <cerrno>
#include <cstring>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace zcmoe::cli {

// The texts quote fields, which may hold null bytes. shown() spells them \x00, since what() would
// end at the first.
class failure : public std::runtime_error {
 public:
  explicit failure(const std::string& line) : std::runtime_error(shown(line)) {}
};

class usage_error : public std::runtime_error {
 public:
  explicit usage_error(const std::string& line) : std::runtime_error(shown(line)) {}
};

/// Joins its arguments into one text; doubles with 17 significant digits, so that the text names
/// the exact value.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  out.imbue(std::locale::classic());  // a global locale may group digits
  out.precision(17);
  (out << ... << args);
  return out.str();
}

template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw failure(text(args...));
}

template <class... Args>
[[noreturn]] void fail_usage(const Args&... args) {
  throw usage_error(text(args...));
}

/// Fails with the reason that errno gives.
template <class... Args>
[[noreturn]] void fail_errno(const Args&... args) {
  const int reason = errno;
  throw failure(text(args..., ": ", std::strerror(reason)));
}

/// What went wrong, of an error of the library: its text without the C function's name.
inline std::string words_of(const zcmoe::error& error) {
  std::string words = error.what();
  const std::size_t end = words.find(": ");
  const bool named =
      words.compare(0, 6, "zcmoe_") == 0 && end != std::string::npos && words.find(' ') == end + 1;
  if (named) words.erase(0, end + 2);
  const bool says_so = words.find("memory") != std::string::npos;
  return error.status() == ZCMOE_ERR_OUT_OF_MEMORY && !says_so ? "out of memory: " + words : words;
}

}  // namespace zcmoe::cli
