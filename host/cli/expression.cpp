#include "expression.hpp"

#include "failure.hpp"

#include <muParser.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace zcmoe::cli {

const char* const expression_help =
    "An expression is made of x, numbers, pi, e, + - * / ^ ( ), comparisons (1 or 0), && ||, "
    "`condition ? a : b`,\n"
    "sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh exp ln log (natural) log2 "
    "log10 sqrt cbrt pow\n"
    "abs sign floor ceil rint mod min max sum avg erf erfc gamma.";

struct expression::parsed {
  mu::Parser parser;
  double x = 0.0;
};

namespace {

/// Where the text has an assignment; npos if nowhere. muParser would read y=x as the function x.
std::size_t place_of_assignment(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') continue;
    if (i + 1 < text.size() && text[i + 1] == '=') {
      ++i;
    } else if (i == 0 || (text[i - 1] != '<' && text[i - 1] != '>' && text[i - 1] != '!')) {
      return i;
    }
  }
  return std::string::npos;
}

}  // namespace

expression::expression(const char* what, const std::string& text)
    : parsed_(std::make_unique<parsed>()) {
  const auto refuse = [&](const std::string& fault, std::size_t place) {
    fail_usage(what, " '", text, "': ", fault, ", at character ", place + 1);
  };
  if (text.find('\0') != std::string::npos) refuse("a null byte", text.find('\0'));
  if (place_of_assignment(text) != std::string::npos)
    refuse("'=' (equality is ==)", place_of_assignment(text));
  mu::Parser& parser = parsed_->parser;
  try {
    parser.DefineVar("x", &parsed_->x);
    parser.DefineConst("pi", std::acos(-1.0));
    parser.DefineConst("e", std::exp(1.0));
    parser.DefineFun("floor", [](double a) { return std::floor(a); });
    parser.DefineFun("ceil", [](double a) { return std::ceil(a); });
    parser.DefineFun("cbrt", [](double a) { return std::cbrt(a); });
    parser.DefineFun("erf", [](double a) { return std::erf(a); });
    parser.DefineFun("erfc", [](double a) { return std::erfc(a); });
    parser.DefineFun("gamma", [](double a) { return std::tgamma(a); });
    parser.DefineFun("pow", [](double a, double b) { return std::pow(a, b); });
    parser.DefineFun("mod", [](double a, double b) { return std::fmod(a, b); });
    parser.SetExpr(text);
    int results = 0;
    parser.Eval(results);
    if (results != 1) fail_usage(what, " '", text, "': ", results, " values instead of one");
  } catch (const mu::Parser::exception_type& e) {
    std::string fault = e.GetMsg();
    while (!fault.empty() && (fault.back() == '.' || fault.back() == ' ')) fault.pop_back();
    // muParser ends its message with a place that counts from 0; ours counts from 1.
    const std::size_t words = fault.rfind(" at position ");
    const std::size_t found = fault.rfind(" found at position ");
    if (words != std::string::npos) fault.resize(found != std::string::npos ? found : words);
    const auto place = static_cast<std::ptrdiff_t>(e.GetPos());
    if (place < 0) fail_usage(what, " '", text, "': ", fault);
    // For a text that ends too early muParser names a place behind its end.
    refuse(fault, std::min(static_cast<std::size_t>(place), text.size()));
  }
}

expression::~expression() = default;
expression::expression(expression&&) noexcept = default;

double expression::operator()(double x) const {
  parsed_->x = x;
  return parsed_->parser.Eval();
}

}  // namespace zcmoe::cli
