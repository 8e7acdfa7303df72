// Uniform and equal-mass edges, and the check of edges from outside.
//
// Exactness: a uniform edge is the correctly rounded value of a rational number, decided in
// double-double arithmetic where that is certain and in integers where it is not. An equal-mass
// edge compares sums of weights kept in double-double and added in sorted order, so neither row
// order nor rounding moves it.
#include "host/segmentation/edges.hpp"

#include "host/array.hpp"
#include "host/numbers/double_double.hpp"
#include "host/error.hpp"

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

/// Decides roundings that double-double leaves open: (lo (m - i) + hi i) / m exactly, in units of
/// 2^-1074.
class exact_uniform {
 public:
  exact_uniform(double lo, double hi, std::int64_t num_segments)
      : lo_(integer(lo)), hi_(integer(hi)), num_segments_(num_segments) {}

  /// The double nearest to edge i, ties to even, found from a neighbour of it.
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
    const int shift =
        exponent - 53 + 1074;  // negative only for subnormals, whose low bits are zero
    auto digits = static_cast<std::int64_t>(std::ldexp(fraction, 53));
    if (shift < 0) return big(digits / (std::int64_t{1} << -shift));
    return big(digits) << static_cast<unsigned>(shift);
  }

  static bool even(double v) {
    int exponent = 0;
    const double fraction = std::frexp(v, &exponent);
    const int digits = std::min(53, exponent + 1074);
    return digits <= 0 || static_cast<std::int64_t>(std::ldexp(fraction, digits)) % 2 == 0;
  }

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

/// One finite input with its weight; ordered by both, so that sums of weights do not depend on the
/// order of rows.
struct weighted_input {
  double x;
  double weight;
  bool operator<(const weighted_input& other) const {
    return x != other.x ? x < other.x : weight < other.weight;
  }
};

double input_of(double x) { return x; }
double input_of(const weighted_input& r) { return r.x; }
double weight_of(double) { return 1.0; }
double weight_of(const weighted_input& r) { return r.weight; }

template <class Row>
edge_table equal_mass(std::vector<Row>& rows, std::int64_t num_segments) {
  std::sort(rows.begin(), rows.end());
  const double first = input_of(rows.front());
  const double last = input_of(rows.back());
  if (first == last) return single_value_edges(first);

  double_double total;
  for (const Row& r : rows) total = total + weight_of(r);

  edge_table edges{first};
  // Group [begin, end) holds the rows of one value; `left` and `through` are the weights below it
  // and up to it.
  std::size_t begin = 0;
  std::size_t end = 0;
  double_double left;
  double_double through;
  const auto next_group = [&] {
    begin = end;
    left = through;
    const double value = input_of(rows[begin]);
    for (; end < rows.size() && input_of(rows[end]) == value; ++end)
      through = through + weight_of(rows[end]);
  };
  next_group();
  const auto m = static_cast<double>(num_segments);
  for (std::int64_t i = 1; i < num_segments; ++i) {
    const double_double target = total * static_cast<double>(i);
    while (end < rows.size() && !(target < through * m)) next_group();
    // left <= target/m < through: cut below the group or above it, whichever leaves the mass nearer
    // to i/m.
    const bool below = !((left + through) * m < target * 2.0);
    double edge = last;
    if (below) {
      edge = input_of(rows[begin]);
    } else if (end < rows.size()) {
      edge = input_of(rows[end]);
    } else {
      break;  // above the last value there is nothing to cut off, for this i and all that follow
    }
    if (edge > edges.back()) edges.push_back(edge);
  }
  if (edges.back() < last) {
    edges.push_back(last);
  } else if (last < std::numeric_limits<double>::max()) {
    // The last value carries a segment of its own: [last, next double above).
    edges.push_back(std::nextafter(last, std::numeric_limits<double>::infinity()));
  }
  return edges;
}

/// Correctly rounded edges; neighbours may be equal.
edge_table rounded_uniform_edges(double lo, double hi, std::int64_t num_segments) {
  // Scaled so that products with m neither overflow nor lose bits that matter. Of an end that
  // underflows here nothing can show in an edge, but an edge that is subnormal itself would be
  // rounded twice: there every edge is decided exactly.
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
    // Certain if no double-double within the error bound rounds to another double.
    const double bound = 0x1p-96 * (std::abs(from.high) + std::abs(to.high)) / m;
    const bool certain =
        !tiny && quotient.high + (quotient.low - bound) == quotient.high + (quotient.low + bound);
    const double edge = std::ldexp(quotient.high + quotient.low, exponent);
    edges[static_cast<std::size_t>(i)] = (certain ? edge : exact.round(i, edge)) + 0.0;
  }
  return edges;
}

}  // namespace

void check_edges(const double* edges, std::int64_t num_segments) {
  for (std::int64_t i = 0; i <= num_segments; ++i) {
    ZCMOE_EXPECTS(std::isfinite(edges[i]), "edges[", i, "]=", edges[i], " is not finite");
    ZCMOE_EXPECTS(i == 0 || edges[i - 1] < edges[i], "edges[", i, "]=", edges[i],
                  " is not greater than edges[", i - 1, "]=", edges[i - 1]);
  }
}

edge_table single_value_edges(double value) {
  constexpr double largest = std::numeric_limits<double>::max();
  if (value == largest) return {std::nextafter(value, 0.0), value};
  return {value, std::nextafter(value, largest)};
}

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

edge_table quantile_edges(const zcmoe_array& x, const zcmoe_array& weights, std::int64_t n,
                          std::int64_t num_segments) {
  const auto require_input = [&](std::size_t left) {
    if (left == 0)
      fail(ZCMOE_ERR_DATA, "x has no finite input of positive weight among n=", n, " rows");
  };
  if (weights.data == nullptr) {
    std::vector<double> rows;
    rows.reserve(static_cast<std::size_t>(n));
    with_typed(x, [&](const auto& input) {
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = input[i];
        if (std::isfinite(v)) rows.push_back(v + 0.0);  // one zero only
      }
    });
    require_input(rows.size());
    return equal_mass(rows, num_segments);
  }
  std::vector<weighted_input> rows;
  rows.reserve(static_cast<std::size_t>(n));
  double largest = 0.0;
  with_typed(x, [&](const auto& input) {
    const any_array weight = any(weights);
    for (std::int64_t i = 0; i < n; ++i) {
      const double w = checked_weight(weight[i], i);
      const double v = input[i];
      if (!std::isfinite(v) || w == 0) continue;
      rows.push_back({v + 0.0, w});
      largest = std::max(largest, w);
    }
  });
  require_input(rows.size());
  // Only ratios count; keeps sums of huge weights finite, and tiny ones out of the subnormals.
  const int exponent = std::ilogb(largest);
  if (std::abs(exponent) > 500) {
    for (weighted_input& r : rows) r.weight = std::ldexp(r.weight, -exponent);
  }
  return equal_mass(rows, num_segments);
}

double checked_weight(double weight, std::int64_t row) {
  if (!(weight >= 0) || !std::isfinite(weight)) {
    fail(ZCMOE_ERR_DATA, "weights[", row, "]=", weight, "; expected a finite number >= 0");
  }
  return weight;
}

}  // namespace zcmoe::detail
