// Numbers of twice the precision of double: each is the unevaluated sum of two doubles (Dekker
// 1971; Knuth 1997, 4.2.2). An operation has a relative error of about 2^-103; sums of integers and
// products by small integers are exact while they fit in 106 bits.
#pragma once

#include <cmath>

namespace zcmoe::detail {

struct double_double {
  double high = 0.0;
  double low = 0.0;

  /// a b without error: `high` is the rounded product, `low` is what rounding left, which fma finds
  /// exactly. Example: a = b = 2^27 + 1 gives high = 2^54 + 2^28 and low = 1.
  static double_double product(double a, double b) {
    const double p = a * b;
    return {p, std::fma(a, b, -p)};
  }
  /// a + b without error: `high` is the rounded sum, and `low` is the part of a and the part of b
  /// that are missing in it. Example: a = 2^53, b = 1 gives high = 2^53, from_b = 0 and low = 1.
  static double_double sum(double a, double b) {
    const double s = a + b;
    const double from_b = s - a;
    return {s, (a - (s - from_b)) + (b - from_b)};
  }

  friend double_double operator+(double_double a, double_double b) {
    const double_double upper = sum(a.high, b.high);
    const double_double lower = sum(a.low, b.low);
    const double_double first = sum(upper.high, upper.low + lower.high);
    return sum(first.high, first.low + lower.low);
  }
  friend double_double operator+(double_double a, double b) { return a + double_double{b, 0.0}; }

  friend double_double operator*(double_double a, double b) {
    const double_double p = product(a.high, b);
    return sum(p.high, p.low + a.low * b);
  }
  friend double_double operator/(double_double a, double b) {
    const double first = a.high / b;
    const double_double back = product(first, b);
    const double_double rest = a + double_double{-back.high, -back.low};
    return sum(first, rest.high / b);
  }
  friend bool operator<(double_double a, double_double b) {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
  }
};

}  // namespace zcmoe::detail
