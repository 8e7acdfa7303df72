// Numbers in text, the same in every locale: what a field of a table says, and the digits that are
// written.
#pragma once

#include <string>
#include <string_view>

namespace zcmoe::cli {

enum class field_kind { number, missing, unparsable };

/// How numbers are written in a table.
struct number_format {
  char decimal = '.';
  std::string thousands;  // one character of UTF-8 between groups of digits; empty: none
};

/// Reads one field. Blanks around it and a leading + are allowed; an empty field, NA, N/A, NaN,
/// null and None (in any case) are missing; infinities are numbers. A number too large for a double
/// is rounded to infinity, one too small to 0. value is NaN unless the answer is number.
field_kind parse_number(std::string_view field, double& value);
/// The same for another format. Thousands separators stand in the whole part only, three digits
/// behind the last, two or three between others (1,234,567 or 12,34,567).
field_kind parse_number(std::string_view field, double& value, const number_format& format);

/// The shortest digits that read back as the same value; nan for every NaN.
void append_shortest(std::string& out, double value);
void append_shortest(std::string& out, float value);

/// 17 significant digits: any reader gets the same double back.
void append_17_digits(std::string& out, double value);

/// For people: six significant digits.
std::string readable(double value);

/// For people: a number of the range lo to hi with so many digits (six at least) that the ends can
/// be told apart to a thousandth of their distance, and whole ones below 10^15 in full.
std::string readable_within(double value, double lo, double hi);
/// "lo to hi", or with another word between.
std::string readable_range(double lo, double hi, const char* between = " to ");

/// For people: a column of numbers with a fixed number of decimals.
std::string fixed(double value, int width, int decimals);

/// For people: 1234567 as 1,234,567.
std::string grouped(long long value);

}  // namespace zcmoe::cli
