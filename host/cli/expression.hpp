// A function of x given as text, such as exp(-3*x)*sin(9*x). muParser reads it: small, kept, and
// packaged by Debian, which ExprTk is not; nothing but the command line depends on it.
#pragma once

#include <memory>
#include <string>

namespace zcmoe::cli {

class expression {
 public:
  /// Fails with a usage error that names the place of the fault if the text is no expression in x.
  /// what is the option that the text was given with.
  expression(const char* what, const std::string& text);
  ~expression();
  expression(expression&&) noexcept;

  double operator()(double x) const;

 private:
  struct parsed;
  std::unique_ptr<parsed> parsed_;
};

/// What an expression may be made of; for --help.
extern const char* const expression_help;

}  // namespace zcmoe::cli
