// Edges of segments of equal width, a_i = (lo (m - i) + hi i) / m, each correctly rounded. The
// quotient is computed in double-double arithmetic; where its error leaves the rounding open,
// integers of any length decide.
#include "host/segmentation/uniform.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

/// Decides the rounding of an edge that double-double leaves open: (lo (m - i) + hi i) / m is
/// compared exactly with the middle of two neighbouring doubles. lo, hi and doubles are counted in
/// units of 2^-1074, the smallest subnormal, of which every double is a multiple. Example: 1 is
/// 2^1074 units.
class exact_uniform {
 public:
  exact_uniform(double lo, double hi, std::int64_t num_segments)
      : lo_(integer(lo)), hi_(integer(hi)), num_segments_(num_segments) {}

  /// The double nearest to edge i, the even one of two that are equally near. The search begins at
  /// `guess`, which is at most a few doubles away.
  double round(std::int64_t i, double guess) const {
    const big numerator = lo_ * (num_segments_ - i) + hi_ * i;
    for (;;) {
      const double above = std::nextafter(guess, std::numeric_limits<double>::infinity());
      const double below = std::nextafter(guess, -std::numeric_limits<double>::infinity());
      if (std::isfinite(above) && prefers(numerator, guess, above) == above) {
        guess = above;
      } else if (std::isfinite(below) && prefers(numerator, below, guess) == below) {
        guess = below;
      } else {
        return guess;
      }
    }
  }

 private:
  using big = boost::multiprecision::cpp_int;

  static big integer(double v) {
    int exponent = 0;
    const double fraction = std::frexp(v, &exponent);
    // `shift` is negative for subnormals alone, whose last -shift digits are 0.
    const int shift = exponent - 53 + 1074;
    auto digits = static_cast<std::int64_t>(std::ldexp(fraction, 53));
    if (shift < 0) return big(digits / (std::int64_t{1} << -shift));
    return big(digits) << static_cast<unsigned>(shift);
  }

  /// Whether the last bit of the significand is 0. A subnormal has fewer than 53 bits.
  static bool even(double v) {
    int exponent = 0;
    const double fraction = std::frexp(v, &exponent);
    const int digits = std::min(53, exponent + 1074);
    return digits <= 0 || static_cast<std::int64_t>(std::ldexp(fraction, digits)) % 2 == 0;
  }

  /// The one of two neighbouring doubles that is nearer to numerator / m.
  double prefers(const big& numerator, double left, double right) const {
    const big twice = 2 * numerator;
    const big middle = (integer(left) + integer(right)) * num_segments_;
    if (twice != middle) return twice < middle ? left : right;
    return even(left) ? left : right;
  }

  big lo_;
  big hi_;
  std::int64_t num_segments_;
};

/// Correctly rounded edges. Neighbours are equal where the range has too few doubles.
edge_table rounded_uniform_edges(double lo, double hi, std::int64_t num_segments) {
  // The ends are divided by a power of two, so that products with m neither overflow nor underflow
  // to subnormals. An end that underflows here is too small to change any edge. But an edge that is
  // subnormal would be rounded twice, in the quotient and by ldexp, so every edge of such a range
  // is decided exactly.
  const int exponent = std::ilogb(std::max(std::abs(lo), std::abs(hi)));
  const double a = std::ldexp(lo, -exponent);
  const double b = std::ldexp(hi, -exponent);
  const bool tiny = exponent < -900;
  const auto m = static_cast<double>(num_segments);
  const exact_uniform exact(lo, hi, num_segments);

  edge_table edges(static_cast<std::size_t>(num_segments) + 1);
  edges.front() = lo + 0.0;
  edges.back() = hi + 0.0;
  for (std::int64_t i = 1; i < num_segments; ++i) {
    const double_double from = double_double::product(a, static_cast<double>(num_segments - i));
    const double_double to = double_double::product(b, static_cast<double>(i));
    const double_double quotient = (from + to) / m;
    // The rounding is certain if both ends of the error interval round to the same double. An
    // operation has a relative error of 2^-103, so 2^-96 of the summands is a safe bound.
    const double bound = 0x1p-96 * (std::abs(from.high) + std::abs(to.high)) / m;
    const bool certain =
        !tiny && quotient.high + (quotient.low - bound) == quotient.high + (quotient.low + bound);
    const double edge = std::ldexp(quotient.high + quotient.low, exponent);
    edges[static_cast<std::size_t>(i)] = (certain ? edge : exact.round(i, edge)) + 0.0;
  }
  return edges;
}

}  // namespace

edge_table uniform_edges(double lo, double hi, std::int64_t num_segments) {
  edge_table edges = rounded_uniform_edges(lo, hi, num_segments);
  for (std::size_t i = 1; i < edges.size(); ++i) {
    ZCMOE_EXPECTS(edges[i - 1] < edges[i], "num_segments=", num_segments,
                  " segments do not fit between lo=", lo, " and hi=", hi,
                  " as distinct doubles: edges ", i - 1, " and ", i, " would both be ", edges[i]);
  }
  return edges;
}

edge_table distinct_uniform_edges(double lo, double hi, std::int64_t num_segments) {
  edge_table edges = rounded_uniform_edges(lo, hi, num_segments);
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

}  // namespace zcmoe::detail
