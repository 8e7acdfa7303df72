// A sum of doubles that also sums what each addition rounds away (Neumaier 1974). Example: 1,
// 1e100, 1 and -1e100 add up to 2, where a plain loop gives 0. The result depends on the order of
// the terms, which the caller fixes.
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
  /// The sum. An infinite one is returned as it is, since its correction is NaN.
  double value() const { return std::isfinite(sum_) ? sum_ + correction_ : sum_; }

 private:
  double sum_ = 0.0;
  double correction_ = 0.0;
};

}  // namespace zcmoe::detail
