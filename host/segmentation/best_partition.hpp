// The best partition of a sequence of weighted values into intervals, each with its mean or with
// its line: values of bins go in, the cuts of least squared error come out. Values need not be
// monotone: for y = (0, 1, 2, 2, 1) and two intervals the least error is 1, where programmes that
// presume monotone cuts (divide and conquer, SMAWK) find 7/6. Sources: Bellman 1961 for the
// recursion; Jackson et al. 2005 for the penalised form; Killick, Fearnhead & Eckley 2012 for the
// pruning.
//
// Every comparison is of sums that Welford's update keeps without cancellation, in the order of the
// sequence, so the cuts depend on nothing but the values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

/// Items in the order of a line. Squares of the values must be finite and weights positive.
struct weighted_sequence {
  std::vector<double> values;
  std::vector<double> weights;
  /// Where the items lie, ascending: intervals have lines over these. Empty: they have means.
  std::vector<double> positions;
  /// What an interval of all items costs beside its error; one with the part p of the weight costs
  /// p^3 of that, as errors of means do where values change evenly, or p^5, as those of lines do
  /// where values curve evenly. A little of it makes intervals even where cuts are free.
  double evenness = 0.0;
  std::size_t size() const { return values.size(); }
};

/// Cuts 0 = cuts[0] < ... < cuts[m] = size: interval i has the items cuts[i] up to cuts[i + 1], the
/// latter not included. The error is the sum over the intervals of sum w (value - mean)^2, or of
/// that about the least-squares line.
struct interval_partition {
  std::vector<std::size_t> cuts;
  double error = 0.0;
};

/// The partition with the least error + penalty * (number of intervals), for a positive penalty.
/// Cost: O(K * intervals alive), which is about K times the length of an interval and at most K^2.
interval_partition penalised_partition(const weighted_sequence& items, double penalty);

/// The partitions of least error with exactly 1, 2, ..., `most` intervals. At most K intervals
/// exist. Time O(K^2 m) at worst; for values that vary everywhere pruning leaves O(K^2 log m).
/// Memory: 4 K m bytes, and 8 K m more while it is made.
class partition_curve {
 public:
  partition_curve(const weighted_sequence& items, std::size_t most);

  /// errors()[m - 1] is the least error of m intervals.
  const std::vector<double>& errors() const { return errors_; }
  /// The partition into m intervals, 1 <= m <= errors().size().
  interval_partition with(std::size_t m) const;

 private:
  std::size_t num_items_;
  std::vector<double> errors_;
  std::vector<std::uint32_t>
      last_start_;  // [m - 1][j]: where the last of m intervals of 0..j starts
};

/// The row i in lo + 1 .. hi - 1 before which rows that predict left_mean give way to rows that
/// predict right_mean with the least squared error over lo .. hi - 1; lo and hi are returned where
/// one of both means is better on every row. Rows are sorted by x, and the cut separates distinct
/// inputs. Of equally good cuts the one nearest to the middle of the range is taken. With equal
/// means there is no best cut, and `middle` is returned.
struct rows_in_order {
  const double* x;
  const double* y;
  const double* weights;  // null where every row weighs 1
};
std::size_t placed_cut(const rows_in_order& rows, std::size_t lo, std::size_t hi, double left_mean,
                       double right_mean);

/// The recursion of penalised_partition for any cost of an interval that no cut inside it can make
/// larger: costs.extend(starts, j) adds item j to the intervals that begin at `starts`, the last of
/// which is j itself, and costs.of(i) is then the cost of the items i to j.
template <class Costs>
std::vector<std::size_t> penalised_cuts(std::size_t num_items, double penalty, Costs& costs) {
  // best[j] is the least penalised cost of the first j items. A start i is given up once
  // best[i] + cost(i..j) >= best[j + 1]: from then on a cut behind j is at least as good as none.
  std::vector<double> best(num_items + 1, 0.0);
  std::vector<std::size_t> last_start(num_items + 1, 0);
  std::vector<std::size_t> starts;
  for (std::size_t j = 0; j < num_items; ++j) {
    starts.push_back(j);
    costs.extend(starts, j);
    double least = std::numeric_limits<double>::infinity();
    std::size_t at = j;
    for (const std::size_t i : starts) {
      const double total = best[i] + costs.of(i);
      if (total < least) {
        least = total;
        at = i;
      }
    }
    best[j + 1] = least + penalty;
    last_start[j + 1] = at;
    std::size_t kept = 0;
    for (const std::size_t i : starts) {
      if (best[i] + costs.of(i) < best[j + 1]) starts[kept++] = i;
    }
    starts.resize(kept);
  }
  std::vector<std::size_t> cuts{num_items};
  while (cuts.back() > 0) cuts.push_back(last_start[cuts.back()]);
  return {cuts.rbegin(), cuts.rend()};
}

}  // namespace zcmoe::detail
