// A sum of doubles without the rounding of a plain loop (Neumaier 1974); the caller fixes the
// order.
#pragma once

#include <cmath>

namespace zcmoe::detail {

class compensated_sum {
 public:
  void add(double term) {
    const double total = sum_ + term;
    correction_ += std::abs(sum_) >= std::abs(term) ? (sum_ - total) + term : (term - total) + sum_;
    sum_ = total;
  }
  /// An infinite sum stays infinite: its correction is NaN.
  double value() const { return std::isfinite(sum_) ? sum_ + correction_ : sum_; }

 private:
  double sum_ = 0.0;
  double correction_ = 0.0;
};

}  // namespace zcmoe::detail
