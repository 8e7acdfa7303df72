// The line of a segment, from exact sums: what a state of linear or interpolating experts keeps
// beside the sums of exact_sum.hpp, and the summary that is made of it. Rows are added on host and
// device, by both engines; summaries are made on the host. Sources: least squares from centred sums
// (Dar 2025, open question 2; theory in include/zcmoe/theory.h); each figure is rounded once.
//
// An input enters as its *position* t in the segment, a whole number: the distance from the middle
// of the segment in units of at most 2^-30 of its half width, between -2^31 and 2^31. The unit is a
// power of two. Sums of whole numbers are exact, so that lines, as constants, do not depend on the
// order of rows. Inputs that a policy sends to the segment from outside are at its ends, as where
// it answers to them.
//
// Example: the segment [2, 4] has the middle 3 and the half width 1, its unit is 2^-30. The input
// 3.5 is at t = 2^29; 4, and 5 where it is clamped, are at 2^30.
#pragma once

#include "host/experts/exact_sum.hpp"
#include "host/experts/wide_integer.hpp"

#include <zcmoe/model_view.hpp>

#include <cmath>
#include <cstdint>

namespace zcmoe::detail {

constexpr int line_position_bits = 32;  // of |t|
constexpr double most_position = 0x1p31;

/// Turns inputs of one slot into positions.
struct line_frame {
  double centre;
  double scale;  // units per x, a power of two; 0 for slots beside the segments, where t is 0
  double first;  // the positions of the ends of the segment, whole numbers
  double last;
};

/// Of the segment from a to b.
inline line_frame line_frame_of(double a, double b) {
  const double half_width = b / 2 - a / 2;
  line_frame frame{a + half_width, 1.0, 0.0, 0.0};
  // The middle may round to an end, and does between neighbouring doubles: t reaches from one end
  // to the other then, twice as far.
  int exponent = 0;
  std::frexp(std::fmax(frame.centre - a, b - frame.centre), &exponent);  // below 2^exponent
  frame.scale = std::ldexp(1.0, exponent < 31 - 1023 ? 1023 : 31 - exponent);
  frame.first = std::rint((a - frame.centre) * frame.scale);
  frame.last = std::rint((b - frame.centre) * frame.scale);
  return frame;
}

/// The position of an input. NaN and infinity: only where the slot takes them, at 0 or at an end.
ZCMOE_HOST_DEVICE inline std::int64_t position_of(const line_frame& frame, double x) {
  const double t = (x - frame.centre) * frame.scale;
  const double inside = t > frame.first ? (t < frame.last ? t : frame.last) : frame.first;
  return static_cast<std::int64_t>(rint(inside));
}

/// One further sum over a slot's rows, of w^weights y^targets t^positions.
struct line_sum {
  const char* name;  // in files
  int weights;
  int targets;
  int positions;
};
template <bool Weighted>
struct line_sums {
  static constexpr int count = 3;
  static constexpr line_sum list[count] = {{"t", 0, 0, 1}, {"tt", 0, 0, 2}, {"ty", 0, 1, 1}};
};
template <>
struct line_sums<true> {
  static constexpr int count = 3;
  static constexpr line_sum list[count] = {{"wt", 1, 0, 1}, {"wtt", 1, 0, 2}, {"wty", 1, 1, 1}};
};

/// The number of digits of a sum whose terms are products of floats and positions.
template <class T>
ZCMOE_HOST_DEVICE constexpr int digits_of(int floats, int positions) {
  return (floats * (float_format<T>::mantissa_bits + float_format<T>::max_shift) +
          positions * line_position_bits + headroom_bits + 31) /
         32;
}
template <class T, bool Weighted>
constexpr int digits_of_line_sum(int index) {
  const line_sum& sum = line_sums<Weighted>::list[index];
  return digits_of<T>(sum.weights + sum.targets, sum.positions);
}

/// Where the further sums begin: behind the planes of the constants. Behind them are two planes
/// that no addition touches: `lowest` has 2^31 + 1 - t of the row with the least t, `highest`
/// 2^31 + 1 + t of that with the greatest, and 0 where there is no row. Merging takes the greater.
template <class T, bool Weighted>
struct line_planes {
  static constexpr int t = sum_planes<T, Weighted>::end;
  static constexpr int tt = t + digits_of_line_sum<T, Weighted>(0);
  static constexpr int ty = tt + digits_of_line_sum<T, Weighted>(1);
  static constexpr int lowest = ty + digits_of_line_sum<T, Weighted>(2);
  static constexpr int highest = lowest + 1;
  static constexpr int end = highest + 1;
};
constexpr int num_extremes = 2;

ZCMOE_HOST_DEVICE inline std::int64_t low_extreme_of(std::int64_t t) {
  return static_cast<std::int64_t>(most_position) + 1 - t;
}
ZCMOE_HOST_DEVICE inline std::int64_t high_extreme_of(std::int64_t t) {
  return static_cast<std::int64_t>(most_position) + 1 + t;
}

ZCMOE_HOST_DEVICE inline scaled_natural<1> natural_of_position(std::int64_t t) {
  scaled_natural<1> result;
  result.word[0] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(t < 0 ? -t : t));
  result.shift = 0;
  result.negative = t < 0;
  return result;
}

/// Adds what one sample brings to the further sums of its slot, by add(plane, piece), and to the
/// extremes, by raise(plane, value). As add_sample, which comes beside it.
template <class T, bool Weighted, class Add, class Raise>
ZCMOE_HOST_DEVICE inline void add_position(std::int64_t t, T y, T w, Add&& add, Raise&& raise) {
  using planes = line_planes<T, Weighted>;
  const auto position = natural_of_position(t);
  if constexpr (Weighted) {
    const auto weighted = multiply(decompose(w), position);
    deposit(weighted, planes::t, add);
    deposit(multiply(weighted, position), planes::tt, add);
    deposit(multiply(weighted, decompose(y)), planes::ty, add);
  } else {
    deposit(position, planes::t, add);
    deposit(multiply(position, position), planes::tt, add);
    deposit(multiply(position, decompose(y)), planes::ty, add);
  }
  raise(planes::lowest, low_extreme_of(t));
  raise(planes::highest, high_extreme_of(t));
}

/// Calls body(name, first plane, digits) for each further sum of a state, in plane order.
template <class T, bool Weighted, class Body>
void for_each_line_sum(const Body& body) {
  int first = line_planes<T, Weighted>::t;
  for (int k = 0; k < line_sums<Weighted>::count; ++k) {
    const int digits = digits_of_line_sum<T, Weighted>(k);
    body(line_sums<Weighted>::list[k].name, first, digits);
    first += digits;
  }
}

/// What the rows of a slot say of a line, with positions as inputs. All is NaN without rows; see
/// summarize_line for the terms.
struct line_summary {
  double mean_position;      // weighted, as everything here
  double position_variance;  // mean (t - mean)^2
  double covariance;         // mean (t - mean)(y - mean)
  double target_variance;    // mean (y - mean)^2
  double slope;              // covariance / position_variance; NaN where inputs are too close
  double residual;           // mean squared distance from the least-squares line; NaN likewise
  std::int64_t lowest;       // least t
  std::int64_t highest;      // greatest t
};

/// Positions whose variance is below this are too close for a slope: they are rounded to whole
/// numbers, which adds 1/12 to their variance, so that above it a slope errs by less than 10^-7 of
/// itself.
constexpr double least_position_variance = 0x1p20;

/// Of exact sums N (or W), S = sum y, Q = sum y^2, P = sum t, R = sum t^2, C = sum t y, each with
/// the weights: A = W Q - S^2, D = W R - P^2, B = W C - P S. The slope is B / D, the residual
/// (A D - B^2) / (D W^2).
template <class Weight, class S, class Q, class P, class R, class C>
void summarize_line_sums(const Weight& weight, const S& y, const Q& yy, const P& t, const R& tt,
                         const C& ty, int unit, line_summary& result) {
  const auto square = product(weight, weight);
  result.mean_position = quotient_of(t, weight, 0);
  const auto d = difference(product(weight, tt), product(t, t));
  const auto b = difference(product(weight, ty), product(t, y));
  result.position_variance = quotient_of(d, square, 0);
  result.covariance = quotient_of(b, square, -unit);
  const auto a = difference(product(weight, yy), product(y, y));
  result.target_variance = quotient_of(a, square, -2 * unit);
  if (!(result.position_variance >= least_position_variance)) return;
  result.slope = quotient_of(b, d, -unit);
  const auto e = difference(product(a, d), product(b, b));
  result.residual = quotient_of(e, product(d, square), -2 * unit);
}

/// Summarizes the exact sums of a slot of a state with lines.
template <class T, bool Weighted>
line_summary summarize_line(const std::int64_t* planes, std::int64_t num_slots, std::int64_t slot) {
  using base = sum_planes<T, Weighted>;
  using at = line_planes<T, Weighted>;
  constexpr int unit = float_format<T>::unit;
  const std::int64_t* own = planes + slot;
  const double nan = quiet_nan();
  line_summary result{nan, nan, nan, nan, nan, nan, 0, 0};
  const std::int64_t count = own[base::count * num_slots];
  if (count <= 0) return result;
  result.lowest = low_extreme_of(own[at::lowest * num_slots]);
  result.highest = own[at::highest * num_slots] - high_extreme_of(0);
  constexpr int weights = Weighted ? 1 : 0;
  wide_integer<digits_of<T>(weights, 1)> t;
  wide_integer<digits_of<T>(weights, 2)> tt;
  wide_integer<digits_of<T>(weights + 1, 1)> ty;
  read_sum(own, num_slots, at::t, t);
  read_sum(own, num_slots, at::tt, tt);
  read_sum(own, num_slots, at::ty, ty);
  if constexpr (Weighted) {
    wide_integer<digits_of<T>(1)> w;
    wide_integer<digits_of<T>(2)> wy;
    wide_integer<digits_of<T>(3)> wyy;
    read_sum(own, num_slots, base::w, w);
    read_sum(own, num_slots, base::wy, wy);
    read_sum(own, num_slots, base::wyy, wyy);
    summarize_line_sums(w, wy, wyy, t, tt, ty, unit, result);
  } else {
    wide_integer<digits_of<T>(1)> y;
    wide_integer<digits_of<T>(2)> yy;
    read_sum(own, num_slots, base::y, y);
    read_sum(own, num_slots, base::yy, yy);
    summarize_line_sums(wide_of(count), y, yy, t, tt, ty, unit, result);
  }
  return result;
}

}  // namespace zcmoe::detail
