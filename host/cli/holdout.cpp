// The split by hashes, the line by centred moments, and the roots of the errors.
#include "holdout.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace zcmoe::cli {

row_split::row_split(double fraction, std::uint64_t seed)
    : seed_(seed), threshold_(static_cast<std::uint64_t>(std::ldexp(fraction, 64))) {}

bool row_split::held_out(std::int64_t row) const noexcept {
  return threshold_ != 0 && XXH3_64bits_withSeed(&row, sizeof row, seed_) < threshold_;
}

void line_fit::add(const std::vector<double>& x, const std::vector<double>& y,
                   const std::vector<double>& weights) {
  if (x.empty()) return;
  if (weight_ == 0) {
    origin_x_ = x[0];
    origin_y_ = y[0];
  }
  const auto weight_of = [&](std::size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  double weight = 0;
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    weight += weight_of(i);
    mean_x += weight_of(i) * (x[i] - origin_x_);
    mean_y += weight_of(i) * (y[i] - origin_y_);
  }
  if (!(weight > 0)) return;
  mean_x /= weight;
  mean_y /= weight;
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double from_mean_x = x[i] - origin_x_ - mean_x;
    xx += weight_of(i) * from_mean_x * from_mean_x;
    xy += weight_of(i) * from_mean_x * (y[i] - origin_y_ - mean_y);
  }
  const double total = weight_ + weight;
  const double shift_x = mean_x - mean_x_;
  const double shift_y = mean_y - mean_y_;
  xx_ += xx + shift_x * shift_x * weight_ * weight / total;
  xy_ += xy + shift_x * shift_y * weight_ * weight / total;
  mean_x_ += shift_x * weight / total;
  mean_y_ += shift_y * weight / total;
  weight_ = total;
}

double holdout_error::root(long double sum) const noexcept {
  if (!(weight_ > 0)) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(std::sqrt(sum / weight_));
}

}  // namespace zcmoe::cli
