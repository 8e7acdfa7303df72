// Interpolation of a table: grid and values are checked, scaled by powers of two, thinned where
// points are too close, and handed to Boost's pchip, the shape-preserving cubics of Fritsch &
// Butland 1984. Two or three points are too few for those and are joined by straight lines.
#include "host/numbers/interpolant.hpp"

#include "host/error.hpp"

#include <math.h>  // Boost 1.74's pchip.hpp calls isnan unqualified and includes nothing that declares it

#include <boost/math/interpolators/pchip.hpp>

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {

struct curve::cubic {
  boost::math::interpolators::pchip<std::vector<double>> through;
};

curve::curve(const double* grid, const double* values, std::int64_t num_grid, double closest) {
  ZCMOE_EXPECTS(num_grid >= 2, "num_grid=", num_grid, "; expected at least 2");
  double largest_x = 0.0;
  double largest_value = 0.0;
  for (std::int64_t i = 0; i < num_grid; ++i) {
    ZCMOE_EXPECTS(std::isfinite(grid[i]), "grid[", i, "]=", grid[i], " is not finite");
    ZCMOE_EXPECTS(i == 0 || grid[i] > grid[i - 1], "grid[", i, "]=", grid[i],
                  " is not greater than grid[", i - 1, "]=", grid[i - 1]);
    ZCMOE_EXPECTS(std::isfinite(values[i]), "values[", i, "]=", values[i], " is not finite");
    largest_x = std::max(largest_x, std::abs(grid[i]));
    largest_value = std::max(largest_value, std::abs(values[i]));
  }
  unit_ = std::ldexp(1.0, std::ilogb(largest_x));
  exponent_ = largest_value > 0 ? std::ilogb(largest_value) : 0;
  const auto apart = [&](double a, double b) { return b > a && b - a >= closest; };
  for (std::int64_t i = 0; i < num_grid; ++i) {
    const double u = grid[i] / unit_;
    const bool last = i + 1 == num_grid;
    // The last point stays, in place of the one before it.
    if (last && u_.size() > 1 && !apart(u_.back(), u)) {
      u_.pop_back();
      value_.pop_back();
    }
    if (!last && !u_.empty() && !apart(u_.back(), u)) continue;
    u_.push_back(u);
    value_.push_back(std::ldexp(values[i], -exponent_));
  }
  if (u_.size() >= 4) {
    auto u = u_;
    auto v = value_;
    cubic_ = std::make_unique<cubic>(cubic{{std::move(u), std::move(v)}});
  }
}

curve::~curve() = default;

std::size_t curve::line_of(double u) const { return u_.size() == 3 && u >= u_[1] ? 1 : 0; }

double curve::scaled_value(double at) const {
  const double u = std::min(std::max(at, u_.front()), u_.back());
  if (u == u_.back()) return value_.back();
  if (cubic_ != nullptr) return cubic_->through(u);
  const std::size_t i = line_of(u);
  const double share = (u - u_[i]) / (u_[i + 1] - u_[i]);
  return value_[i] + (value_[i + 1] - value_[i]) * share;
}

double curve::value(double x) const {
  return x != x ? x : std::ldexp(scaled_value(x / unit_), exponent_);
}

double curve::slope(double x) const {
  if (x != x) return x;
  const double u = x / unit_;
  if (u < u_.front() || u > u_.back()) return 0.0;
  double by_u = 0.0;
  if (cubic_ != nullptr) {
    by_u = cubic_->through.prime(u);
  } else {
    const std::size_t i = line_of(u);
    by_u = (value_[i + 1] - value_[i]) / (u_[i + 1] - u_[i]);
  }
  return std::ldexp(by_u / unit_, exponent_);
}

}  // namespace zcmoe::detail
