// Text to number and back, by std::from_chars and std::to_chars.
#include "number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace zcmoe::cli {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trim(std::string_view field) {
  while (!field.empty() && is_blank(field.front())) field.remove_prefix(1);
  while (!field.empty() && is_blank(field.back())) field.remove_suffix(1);
  return field;
}

bool equal_ignoring_case(std::string_view field, std::string_view lower) {
  if (field.size() != lower.size()) return false;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != lower[i]) return false;
  }
  return true;
}

bool is_missing(std::string_view field) {
  for (const std::string_view token : {"na", "n/a", "nan", "null", "none"}) {
    if (equal_ignoring_case(field, token)) return true;
  }
  return field.empty();
}

/// from_chars says only "out of range" for what is too large and what is too small; strtod tells
/// them apart. The program never calls setlocale, so strtod reads a decimal point as well.
field_kind parse_extreme(std::string_view field, double& value) {
  const double read = std::strtod(std::string(field).c_str(), nullptr);
  if (std::isinf(read)) return field_kind::unparsable;
  value = read;
  return field_kind::number;
}

template <class T>
void append_chars(std::string& out, T value) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  std::array<char, 64> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

}  // namespace

field_kind parse_number(std::string_view field, double& value) {
  value = std::numeric_limits<double>::quiet_NaN();
  field = trim(field);
  if (is_missing(field)) return field_kind::missing;
  std::string_view digits = field;
  if (digits.front() == '+') {
    digits.remove_prefix(1);
    if (digits.empty() || digits.front() == '-') return field_kind::unparsable;
  }
  double read = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), read);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size())
    return field_kind::unparsable;
  if (error == std::errc::result_out_of_range) return parse_extreme(digits, value);
  if (std::isnan(read)) return field_kind::missing;  // -nan, nan(1)
  value = read;
  return field_kind::number;
}

void append_shortest(std::string& out, double value) { append_chars(out, value); }

void append_shortest(std::string& out, float value) { append_chars(out, value); }

void append_17_digits(std::string& out, double value) {
  std::array<char, 64> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 std::chars_format::general, 17)
                       .ptr;
  out.append(digits.data(), end);
}

std::string readable(double value) {
  std::array<char, 64> digits;
  std::snprintf(digits.data(), digits.size(), "%.6g", value);
  return digits.data();
}

std::string readable_within(double value, double lo, double hi) {
  constexpr int fewest = 6;
  constexpr int most = 17;
  const auto shown = [](double number, int precision) {
    std::array<char, 64> digits;
    std::snprintf(digits.data(), digits.size(), "%.*g", precision, number);
    return std::string(digits.data());
  };
  int precision = fewest;
  for (const double end : {lo, hi}) {
    if (!std::isfinite(end)) return readable(value);
    // No exponent where people write none.
    if (std::abs(end) >= 1e6 && std::abs(end) < 1e15)
      precision = std::max(precision, static_cast<int>(std::log10(std::abs(end))) + 1);
  }
  const double tolerance = std::abs(hi - lo) / 1000;
  for (const double number : {lo, hi, value}) {
    while (
        precision < most && tolerance > 0 &&
        !(std::abs(std::strtod(shown(number, precision).c_str(), nullptr) - number) <= tolerance)) {
      ++precision;
    }
  }
  return shown(value, precision);
}

std::string readable_range(double lo, double hi, const char* between) {
  return readable_within(lo, lo, hi) + between + readable_within(hi, lo, hi);
}

std::string fixed(double value, int width, int decimals) {
  std::array<char, 400> digits;
  std::snprintf(digits.data(), digits.size(), "%*.*f", width, decimals, value);
  return digits.data();
}

std::string grouped(long long value) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

}  // namespace zcmoe::cli
