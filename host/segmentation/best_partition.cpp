// Carries out the searches of best_partition.hpp. Both grow all open intervals item by item:
// interval (i, j) is (i, j - 1) with item j added by Welford's update.
#include "host/segmentation/best_partition.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

/// Sum of w (value - mean)^2 of the items i to j, or of that about their line, for the starts i
/// that are asked for.
class interval_scatters {
 public:
  explicit interval_scatters(const weighted_sequence& items)
      : weights_(items.weights),
        positions_(items.positions),
        weight_(items.size()),
        mean_(items.size()),
        scatter_(items.size()),
        line_(items.positions.size()) {
    double total = 0.0;
    double centre = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      total += items.weights[i];
      centre += (items.values[i] - centre) * (items.weights[i] / total);
    }
    // Less their mean, so that means of intervals are not rounded to the digits of an offset.
    for (const double v : items.values) values_.push_back(v - centre);
    evenness_ = items.evenness / (total * total * total);
    total_ = total;
  }

  void extend(const std::vector<std::size_t>& starts, std::size_t j) {
    for (const std::size_t i : starts) add(i, j);
  }
  void extend_all(std::size_t j) {
    for (std::size_t i = 0; i <= j; ++i) add(i, j);
  }
  double of(std::size_t i) const {
    const double weight = weight_[i];
    if (line_.empty()) return scatter_[i] + evenness_ * weight * weight * weight;
    const line_moments& line = line_[i];
    const double by_line = line.spread > 0 ? line.product * line.product / line.spread : 0.0;
    const double share = weight / total_;
    return std::max(0.0, scatter_[i] - by_line) +
           evenness_ * weight * weight * weight * (share * share);
  }

 private:
  /// Of the positions x of an interval: mean, sum w (x - mean)^2, and with values
  /// sum w (x - mean)(value - mean).
  struct line_moments {
    double mean = 0.0;
    double spread = 0.0;
    double product = 0.0;
  };

  void add(std::size_t i, std::size_t j) {
    const double before = weight_[i];
    const double weight = before + weights_[j];
    const double share = weights_[j] / weight;
    const double difference = values_[j] - mean_[i];
    weight_[i] = weight;
    mean_[i] += difference * share;
    scatter_[i] += difference * difference * (before * share);
    if (line_.empty()) return;
    line_moments& line = line_[i];
    const double apart = positions_[j] - line.mean;
    line.mean += apart * share;
    line.spread += apart * apart * (before * share);
    line.product += apart * difference * (before * share);
  }

  const std::vector<double>& weights_;
  const std::vector<double>& positions_;
  std::vector<double> values_;
  double evenness_;
  double total_ = 0.0;
  std::vector<double> weight_;
  std::vector<double> mean_;
  std::vector<double> scatter_;
  std::vector<line_moments> line_;  // empty where intervals have means
};

/// Adds up the costs of the intervals between cuts.
double error_of(const weighted_sequence& items, const std::vector<std::size_t>& cuts) {
  interval_scatters scatters(items);
  double error = 0.0;
  for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
    const std::vector<std::size_t> start{cuts[k]};
    for (std::size_t j = cuts[k]; j < cuts[k + 1]; ++j) scatters.extend(start, j);
    error += scatters.of(cuts[k]);
  }
  return error;
}

}  // namespace

interval_partition penalised_partition(const weighted_sequence& items, double penalty) {
  interval_scatters scatters(items);
  interval_partition result;
  result.cuts = penalised_cuts(items.size(), penalty, scatters);
  result.error = error_of(items, result.cuts);
  return result;
}

partition_curve::partition_curve(const weighted_sequence& items, std::size_t most)
    : num_items_(items.size()) {
  const std::size_t n = items.size();
  const std::size_t layers = std::min(most, n);
  // least[m][j] is the least error of m intervals over the first j items, m <= j. Each number of
  // intervals has its own open starts: start i is given up at j once least[m - 1][i] + error(i..j)
  // >= least[m - 1][j + 1], since then an interval that begins behind j serves at least as well.
  std::vector<std::vector<double>> least(layers + 1, std::vector<double>(n + 1, 0.0));
  std::vector<std::vector<std::uint32_t>> open(layers + 1);
  last_start_.resize(layers * n);
  interval_scatters scatters(items);
  for (std::size_t j = 0; j < n; ++j) {
    scatters.extend_all(j);
    for (std::size_t m = 1; m <= std::min(layers, j + 1); ++m) {
      std::vector<std::uint32_t>& starts = open[m];
      const std::vector<double>& before = least[m - 1];
      if (m > 1 || j == 0) starts.push_back(static_cast<std::uint32_t>(j));
      // With m - 1 intervals the first j + 1 items are at least as bad as what a start must beat.
      // Layer 1 has the start 0 alone.
      const double limit = m > 1 ? before[j + 1] : std::numeric_limits<double>::infinity();
      double error = std::numeric_limits<double>::infinity();
      std::uint32_t at = 0;
      std::size_t kept = 0;
      for (const std::uint32_t i : starts) {
        const double total = before[i] + scatters.of(i);
        if (total < error) {
          error = total;
          at = i;
        }
        starts[kept] = i;
        kept += total < limit ? 1 : 0;
      }
      starts.resize(kept);
      least[m][j + 1] = error;
      last_start_[(m - 1) * n + j] = at;
    }
  }
  for (std::size_t m = 1; m <= layers; ++m) errors_.push_back(least[m][n]);
}

interval_partition partition_curve::with(std::size_t m) const {
  interval_partition result;
  result.error = errors_[m - 1];
  result.cuts.assign(m + 1, num_items_);
  for (std::size_t k = m; k-- > 0;) {
    result.cuts[k] = last_start_[k * num_items_ + result.cuts[k + 1] - 1];
  }
  return result;
}

std::size_t placed_cut(const rows_in_order& rows, std::size_t lo, std::size_t hi, double left_mean,
                       double right_mean) {
  // Row i on the left instead of on the right changes the error by w ((y - left)^2 - (y - right)^2)
  // = 2 w (right - left) (y - middle). The sign of right - left is all that matters.
  const double middle = left_mean + 0.5 * (right_mean - left_mean);
  const double sign = right_mean > left_mean ? 1.0 : right_mean < left_mean ? -1.0 : 0.0;
  const auto distance = [&](std::size_t row) {
    const std::size_t twice = 2 * row;
    return twice > lo + hi ? twice - (lo + hi) : lo + hi - twice;
  };
  double change = 0.0;
  double least = 0.0;
  std::size_t best = lo;
  for (std::size_t i = lo; i < hi; ++i) {
    change += sign * (rows.weights == nullptr ? 1.0 : rows.weights[i]) * (rows.y[i] - middle);
    const std::size_t cut = i + 1;
    if (cut < hi && rows.x[cut] == rows.x[i]) continue;
    if (change < least || (change == least && distance(cut) < distance(best))) {
      least = change;
      best = cut;
    }
  }
  return best;
}

}  // namespace zcmoe::detail
