// Judging a fit by rows it has not seen: which rows are held out, the two plain models a fit must
// beat (the mean of the training targets and the least-squares line through the training rows), and
// the errors of all three.
#pragma once

#include "row_source.hpp"

#include <cstdint>
#include <vector>

namespace zcmoe::cli {

/// Every row is held out or not by a hash of its number, so that every pass and every machine
/// agrees.
class row_split {
 public:
  row_split() = default;
  row_split(double fraction, std::uint64_t seed);

  bool active() const noexcept { return threshold_ != 0; }
  bool held_out(std::int64_t row) const noexcept;

 private:
  std::uint64_t seed_ = 0;
  std::uint64_t threshold_ = 0;
};

/// Weighted least squares. Numbers are measured from the first row, blocks are centred on their own
/// means and merged as variances are (Chan, Golub & LeVeque 1983), so that a large common offset
/// costs no digits.
class line_fit {
 public:
  /// Finite numbers of equal length; empty weights: all 1.
  void add(const std::vector<double>& x, const std::vector<double>& y,
           const std::vector<double>& weights);

  double mean_y() const noexcept { return origin_y_ + mean_y_; }
  /// 0 if all inputs are equal: the line is then the mean.
  double slope() const noexcept { return xx_ > 0 ? xy_ / xx_ : 0.0; }
  double intercept() const noexcept { return at(0); }
  double at(double x) const noexcept {
    return origin_y_ + (mean_y_ + slope() * (x - origin_x_ - mean_x_));
  }

 private:
  double origin_x_ = 0;
  double origin_y_ = 0;
  double weight_ = 0;
  double mean_x_ = 0;  // measured from origin_x_
  double mean_y_ = 0;
  double xx_ = 0;
  double xy_ = 0;
};

/// Root mean squared errors on the same rows.
class holdout_error {
 public:
  void add(double y, double weight, double prediction, double line, double constant) {
    ++rows_;
    weight_ += weight;
    model_ += weight * (y - prediction) * (y - prediction);
    line_ += weight * (y - line) * (y - line);
    constant_ += weight * (y - constant) * (y - constant);
  }

  std::int64_t rows() const noexcept { return rows_; }
  double model() const noexcept { return root(model_); }
  double line() const noexcept { return root(line_); }
  double constant() const noexcept { return root(constant_); }

 private:
  double root(long double sum) const noexcept;

  std::int64_t rows_ = 0;
  long double weight_ = 0;  // a sum of 10^8 long doubles keeps all digits that are shown
  long double model_ = 0;
  long double line_ = 0;
  long double constant_ = 0;
};

}  // namespace zcmoe::cli
