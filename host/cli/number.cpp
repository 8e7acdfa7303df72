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
double rounded_extreme(std::string_view field) {
  return std::strtod(std::string(field).c_str(), nullptr);
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Appends the digits of a whole number without its separators; false if a group has another size
/// than the separators of 1,234,567 or 12,34,567 leave.
bool append_groups(std::string_view whole, std::string_view separator, std::string& out) {
  bool first = true;
  for (;;) {
    const std::size_t end = whole.find(separator);
    const std::string_view group = whole.substr(0, end);
    const bool last = end == std::string_view::npos;
    const std::size_t least = last ? 3 : first ? 1 : 2;
    if (group.size() < least || group.size() > 3 || !is_digits(group)) return false;
    out += group;
    if (last) return true;
    whole.remove_prefix(end + separator.size());
    first = false;
  }
}

/// Rewrites the field with a decimal point and without separators; false if a separator stands
/// where none belongs.
bool normalise(std::string_view field, const number_format& format, std::string& out) {
  const char fraction_or_exponent[] = {format.decimal, 'e', 'E'};
  const std::size_t sign = field.front() == '-' || field.front() == '+' ? 1 : 0;
  const std::size_t end = std::min(
      field.size(), field.find_first_of(fraction_or_exponent, 0, sizeof fraction_or_exponent));
  const std::string_view whole = field.substr(sign, end - sign);
  out = field.substr(0, sign);
  if (!format.thousands.empty() && whole.find(format.thousands) != std::string_view::npos) {
    if (!append_groups(whole, format.thousands, out)) return false;
  } else {
    out += whole;
  }
  out += field.substr(end);
  if (format.decimal == '.') return true;
  if (out.find('.') != std::string::npos) return false;
  const std::size_t mark = out.find(format.decimal);
  if (mark != std::string::npos) out[mark] = '.';
  return true;
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
  if (error == std::errc::result_out_of_range) read = rounded_extreme(digits);
  if (std::isnan(read)) return field_kind::missing;  // -nan, nan(1)
  value = read;
  return field_kind::number;
}

field_kind parse_number(std::string_view field, double& value, const number_format& format) {
  if (format.decimal == '.' && format.thousands.empty()) return parse_number(field, value);
  value = std::numeric_limits<double>::quiet_NaN();
  field = trim(field);
  if (is_missing(field)) return field_kind::missing;
  std::string digits;
  if (normalise(field, format, digits)) return parse_number(digits, value);
  return field_kind::unparsable;
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
    // Numbers of 7 to 15 digits are written in full: 1732579200, not 1.73258e+09.
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
