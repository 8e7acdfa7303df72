// Carries out noise_level.hpp.
#include "host/segmentation/noise_level.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zcmoe::detail {
namespace {

struct noise_tuning {
  // A window holds this many degrees of freedom or this part of all, whichever is more.
  static constexpr double window_freedom = 60;
  static constexpr double window_part = 1.0 / 25;
  // What a bin adds to the level is at most this many times the level. A square of a normal
  // deviate exceeds 6 times its mean once in seventy.
  static constexpr double cap = 6;
  static constexpr int cap_rounds = 10;
  // A bin with a variance of its own is an outlier beyond 9 times the level (3 standard
  // deviations); a row alone beyond 12 times, since its neighbours are noisy too.
  static constexpr double outlying_bin = 9;
  static constexpr double outlying_row = 12;
  // A bin holds a jump if its variance exceeds the level by this many standard errors, and by this
  // part of what the jump explains up to its inverse.
  static constexpr double beyond_chance = 3;
  // Degrees of freedom from which on a bin may be said to hold a jump. Fewer rows of a steep slope
  // too often lie at both ends of their bin.
  static constexpr double seen_inside = 7;
  static constexpr double explained_part = 0.3;
};

/// How far bin k is from the line through its neighbours, in squares of one row's noise.
variance_share variance_beside(const std::vector<binned_rows>& bins, std::size_t k) {
  const binned_rows& before = bins[k - 1];
  const binned_rows& own = bins[k];
  const binned_rows& after = bins[k + 1];
  // Halves, so that no difference of inputs overflows.
  const double run = after.mean_x / 2 - before.mean_x / 2;
  const double right = run > 0 ? (own.mean_x / 2 - before.mean_x / 2) / run : 0.5;
  const double left = 1 - right;
  const double off = left * before.mean_y + right * after.mean_y - own.mean_y;
  const double variance = 1 / own.effective_rows + left * left / before.effective_rows +
                          right * right / after.effective_rows;
  return {off * off / variance, 1.0};
}

std::vector<variance_share> noise_shares(const std::vector<binned_rows>& bins) {
  std::vector<variance_share> shares;
  double inside = 0.0;
  for (const binned_rows& b : bins) {
    shares.push_back(variance_inside(b));
    inside += shares.back().freedom;
  }
  // With a degree of freedom a bin and more, rows inside the bins are the better judges:
  // neighbours differ by jumps and high frequencies too.
  if (inside >= static_cast<double>(bins.size())) return shares;
  const auto add = [&](std::size_t k, const variance_share& s) {
    shares[k].squares += s.squares;
    shares[k].freedom += s.freedom;
  };
  for (std::size_t k = 1; k + 1 < bins.size(); ++k) add(k, variance_beside(bins, k));
  if (bins.size() == 2) {
    const double off = bins[1].mean_y - bins[0].mean_y;
    add(0, {off * off / (1 / bins[0].effective_rows + 1 / bins[1].effective_rows), 1.0});
  }
  return shares;
}

}  // namespace

variance_share variance_inside(const binned_rows& bin) {
  return {bin.scatter / bin.weight * bin.effective_rows, bin.freedom};
}

double variance_window(const std::vector<variance_share>& shares) {
  double freedom = 0.0;
  for (const variance_share& s : shares) freedom += s.freedom;
  return std::max(noise_tuning::window_freedom, freedom * noise_tuning::window_part);
}

std::vector<double> windowed_variance(const std::vector<variance_share>& shares, double freedom) {
  const std::size_t n = shares.size();
  std::vector<variance_share> below(n + 1);
  for (std::size_t k = 0; k < n; ++k) {
    below[k + 1] = {below[k].squares + shares[k].squares, below[k].freedom + shares[k].freedom};
  }
  std::vector<double> variance(n);
  std::size_t lo = 0;
  std::size_t hi = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const double middle = below[k].freedom + 0.5 * shares[k].freedom;
    while (lo < k && below[lo + 1].freedom <= middle - freedom / 2) ++lo;
    hi = std::max(hi, k + 1);
    while (hi < n && below[hi].freedom < middle + freedom / 2) ++hi;
    const double inside = below[hi].freedom - below[lo].freedom;
    const double squares = std::max(0.0, below[hi].squares - below[lo].squares);
    variance[k] = inside > 0 ? squares / inside : 0.0;
  }
  return variance;
}

std::vector<double> noise_levels(const std::vector<binned_rows>& bins) {
  const std::vector<variance_share> shares = noise_shares(bins);
  const double window = variance_window(shares);
  std::vector<double> level = windowed_variance(shares, window);
  // Outliers and bins that hold a jump are capped again and again: a window of which they are less
  // than a sixth forgets them.
  std::vector<variance_share> capped = shares;
  for (int round = 0; round < noise_tuning::cap_rounds; ++round) {
    for (std::size_t k = 0; k < bins.size(); ++k) {
      capped[k].squares =
          std::min(shares[k].squares, noise_tuning::cap * level[k] * shares[k].freedom);
    }
    level = windowed_variance(capped, window);
  }
  return level;
}

double trusted_variance(const std::vector<binned_rows>& bins, std::size_t k, double level) {
  const variance_share own = variance_inside(bins[k]);
  if (own.freedom >= 0.5) {
    const double variance = own.squares / own.freedom;
    return variance > noise_tuning::outlying_bin * level ? variance : level;
  }
  // A row alone is an outlier if it is far from the two rows to its left and from the two to its
  // right. Next to a jump a row is far from one side only.
  double nearest = std::numeric_limits<double>::infinity();
  const auto compare = [&](std::size_t first, std::size_t last) {
    if (first >= last) return;
    double mean = 0.0;
    for (std::size_t i = first; i < last; ++i)
      mean += bins[i].mean_y / static_cast<double>(last - first);
    const double off = mean - bins[k].mean_y;
    nearest = std::min(nearest, off * off / (1 + 1 / static_cast<double>(last - first)));
  };
  compare(k - std::min<std::size_t>(k, 2), k);
  compare(k + 1, std::min(k + 3, bins.size()));
  const bool outlier = std::isfinite(nearest) && nearest > noise_tuning::outlying_row * level;
  return outlier ? nearest : level;
}

bool holds_jump(const std::vector<binned_rows>& bins, std::size_t k, double level) {
  // Rows of one input lie on one side of every jump.
  if (k == 0 || k + 1 == bins.size() || !(bins[k].highest > bins[k].lowest)) return false;
  const variance_share own = variance_inside(bins[k]);
  if (own.freedom < noise_tuning::seen_inside) return false;
  const double beyond = own.squares / own.freedom - level;
  if (beyond <= noise_tuning::beyond_chance * level * std::sqrt(2 / own.freedom)) return false;
  const double step = bins[k + 1].mean_y - bins[k - 1].mean_y;
  const double part = (bins[k].mean_y - bins[k - 1].mean_y) / step;
  const double explained = part * (1 - part) * step * step;
  return explained > 0 && beyond >= noise_tuning::explained_part * explained &&
         beyond * noise_tuning::explained_part <= explained;
}

}  // namespace zcmoe::detail
