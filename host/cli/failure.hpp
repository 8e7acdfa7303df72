// The two ways a command fails: failure ends the program with status 1, usage_error with status 2.
// Both carry the one line that is printed after "zcmoe: ".
#pragma once

#include "shown.hpp"

#include <zcmoe/zcmoe.hpp>

#include <cerrno>
#include <cstring>
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

/// The stream behind text(). It is made in a function of its own, since its code in each message
/// would take much of the time to compile.
class text_stream {
 public:
  text_stream();
  ~text_stream();
  std::ostream& out() noexcept { return out_; }
  std::string text() const;

 private:
  std::ostringstream out_;
};

/// Joins its arguments into one text; doubles with 17 significant digits, so that the text names
/// the exact value.
template <class... Args>
std::string text(const Args&... args) {
  text_stream stream;
  (stream.out() << ... << args);
  return stream.text();
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
std::string words_of(const zcmoe::error& error);

}  // namespace zcmoe::cli
