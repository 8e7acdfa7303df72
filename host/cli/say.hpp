// What is said to people. Names of files and columns, fields, and what a model file says of itself
// are other people's words: all text goes out through here, so that none of it acts on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace zcmoe::cli {

/// One line on standard error, as shown() makes it.
void say(std::string_view line);

/// One line "name      value" of a summary on standard error.
void say(std::string_view name, std::string_view value);

/// A report of many lines for standard output, made in the same way.
class text_page {
 public:
  void add(std::string_view line);
  /// "name      value"
  void add(std::string_view name, std::string_view value);
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace zcmoe::cli
