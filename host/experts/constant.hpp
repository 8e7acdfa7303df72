// The constant of a segment and its spread, from exact sums: the planes of a state (exact_sum.hpp)
// go in, one slot_summary per slot comes out. Host and device; both engines call it. Source: the
// least-squares constant of a segment is the mean (Dar 2025); each figure is rounded once.
#pragma once

#include "host/experts/exact_sum.hpp"
#include "host/experts/wide_integer.hpp"

#include <cmath>
#include <cstdint>

namespace zcmoe::detail {

/// What the samples of a slot say. Without samples the weights are 0 and all other doubles are NaN.
struct slot_summary {
  std::int64_t count;
  double weight;
  double effective_count;  // W^2 / W2: the count where all weigh the same
  double mean;
  double variance;        // of the samples, in squared units of y; NaN for fewer than two samples
  double standard_error;  // of the mean, in units of y; NaN for fewer than two samples
  double mean_square;     // of the distances from the mean; NaN without weights or two samples
};

/// Summarizes the exact sums of a slot. With W = sum w, S = sum wy, Q = sum wy^2 and W2 = sum w^2
/// the mean is S / W, the variance (W Q - S^2) / (W^2 - W2), and the standard error
/// sqrt(variance W2 / W^2). With weights 1 these are the usual ones: (n Q - S^2) / (n (n - 1)) and
/// sqrt(variance / n). The mean square is (W Q - S^2) / W^2. Mean, weight, variance and mean square
/// are rounded once; the standard error is computed from rounded figures.
template <class T, bool Weighted>
ZCMOE_HOST_DEVICE inline slot_summary summarize(const std::int64_t* planes, std::int64_t num_slots,
                                                std::int64_t slot) {
  using at = sum_planes<T, Weighted>;
  constexpr int unit = float_format<T>::unit;
  const std::int64_t* own = planes + slot;
  slot_summary result;
  result.count = own[at::count * num_slots];
  result.weight = static_cast<double>(result.count);
  result.effective_count = result.weight;
  result.mean = quiet_nan();
  result.variance = quiet_nan();
  result.standard_error = quiet_nan();
  result.mean_square = quiet_nan();
  if (result.count <= 0) return result;

  if constexpr (Weighted) {
    constexpr int w_digits = digits_of<T>(1);
    constexpr int wy_digits = digits_of<T>(2);
    constexpr int wyy_digits = digits_of<T>(3);
    wide_integer<w_digits> w;
    wide_integer<wy_digits> wy;
    read_sum(own, num_slots, at::w, w);
    read_sum(own, num_slots, at::wy, wy);
    result.weight = quotient_of(w, wide_of(1), -unit);
    result.mean = quotient_of(wy, w, -unit);
    if (result.count < 2) return result;
    wide_integer<2 * wy_digits> spread;  // W Q - S^2
    {
      wide_integer<wyy_digits> wyy;
      wide_integer<2 * wy_digits> square;
      read_sum(own, num_slots, at::wyy, wyy);
      static_assert(2 * wy_digits >= w_digits + wyy_digits, "W Q must fit beside S^2");
      multiply(w, wyy, spread);
      multiply(wy, wy, square);
      subtract(spread, square);
    }
    wide_integer<wy_digits> ww;
    wide_integer<2 * w_digits> freedom;  // W^2, then W^2 - W2
    read_sum(own, num_slots, at::ww, ww);
    multiply(w, w, freedom);
    result.mean_square = quotient_of(spread, freedom, -2 * unit);
    result.effective_count = quotient_of(freedom, ww, 0);
    subtract(freedom, ww);
    result.variance = quotient_of(spread, freedom, -2 * unit);
    result.standard_error = sqrt(result.variance / result.effective_count);
  } else {
    constexpr int y_digits = digits_of<T>(1);
    constexpr int yy_digits = digits_of<T>(2);
    const auto count = wide_of(result.count);
    wide_integer<y_digits> y;
    read_sum(own, num_slots, at::y, y);
    result.mean = quotient_of(y, count, -unit);
    if (result.count < 2) return result;
    wide_integer<yy_digits> yy;
    wide_integer<yy_digits + 2> spread;  // n Q - S^2
    wide_integer<2 * y_digits> square;
    read_sum(own, num_slots, at::yy, yy);
    multiply(count, yy, spread);
    multiply(y, y, square);
    subtract(spread, square);
    wide_integer<4> freedom;
    multiply(count, wide_of(result.count - 1), freedom);
    result.variance = quotient_of(spread, freedom, -2 * unit);
    result.standard_error = sqrt(result.variance / static_cast<double>(result.count));
  }
  return result;
}

/// The same samples, whose weights say how precise they are: with the variance s^2 / w of a target
/// of weight w, s^2 = sum w (y - mean)^2 / (count - 1) is the variance, and the standard error is
/// sqrt(s^2 / W). Rows count alike for the freedom of s^2, whatever they weigh.
inline slot_summary with_precisions(slot_summary of) {
  of.effective_count = static_cast<double>(of.count);
  if (of.count < 2) return of;
  const double squared_error = of.mean_square / static_cast<double>(of.count - 1);
  of.standard_error = std::sqrt(squared_error);
  // A sum of weights may be infinite.
  of.variance = squared_error > 0.0 ? squared_error * of.weight : 0.0;
  return of;
}

}  // namespace zcmoe::detail
