// The parser of the command line: CLI11 behind declarations, so that its header, which costs
// seconds wherever it is included, is read by parser.cpp alone. Names are CLI11's, and mean the
// same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace zcmoe::cli {

/// Looks at the text that an option was given, and keeps what it needs. Returns why the text is
/// refused, or an empty text.
using option_reader = std::function<std::string(const std::string& given)>;

/// A handle of an option, which its parser owns.
class option {
 public:
  explicit option(CLI::Option* added) : added_(added) {}

  option type_name(const std::string& words) const;
  option group(const std::string& heading) const;
  option required() const;
  /// The default that --help shows: the target's value, or a text.
  option capture_default_str() const;
  option default_str(const std::string& words) const;
  option check(const option_reader& reader) const;
  option check_range(std::int64_t least, std::int64_t most) const;
  option check_range(double least, double most) const;
  option excludes(const std::string& other) const;

 private:
  CLI::Option* added_;
};

/// A handle of the parser of one subcommand, which the command_line owns.
class parser {
 public:
  explicit parser(CLI::App* app) : app_(app) {}  // copies are handles of the same parser

  /// T is one of those that parser.cpp instantiates: texts, their vector, numbers, optional ones.
  template <class T>
  option add_option(const std::string& names, T& target, const std::string& help);
  option add_option_function(const std::string& name, const option_reader& reader,
                             const std::string& help);
  /// An option that may be given several times, with one value each; read for each of them.
  option add_repeatable(const std::string& name, const option_reader& reader,
                        const std::string& help);
  option add_flag(const std::string& names, bool& target, const std::string& help);
  option add_flag_callback(const std::string& name, const std::function<void()>& callback,
                           const std::string& help);
  void footer(const std::string& words);

  /// Whether the command line gives an option of this subcommand.
  bool given(const std::string& name) const;
  /// Whether the command line names this subcommand.
  bool parsed() const;

 private:
  CLI::App* app_;
};

/// The parser of the whole command line.
class command_line {
 public:
  command_line(const std::string& name, const std::string& description, const std::string& footer);
  ~command_line();

  void set_version_flag(const std::string& name, const std::function<std::string()>& version,
                        const std::string& help);
  parser add_subcommand(const std::string& name, const std::string& description);

  /// Returns the text that was asked for in place of a run: of --help or of the version flag. A
  /// fault is a usage error. A missing subcommand is none.
  std::optional<std::string> parse(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace zcmoe::cli
