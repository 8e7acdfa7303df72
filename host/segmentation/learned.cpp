// Carries out learned.hpp. A group is the rows of one distinct input. Cuts are numbers of groups: a
// cut g lies between the inputs of the groups g - 1 and g.
#include "host/segmentation/learned.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

struct learned_tuning {
  // A bin is full at this part of the weight or of the distinct inputs, so that neither dense
  // inputs nor heavy rows leave the rest to a few bins. There are at most twice as many bins.
  static constexpr double full_bin = 1.0 / 2048;
  // With no more distinct inputs each of them is a bin.
  static constexpr std::size_t most_single = 4096;
  // The exact search takes this many segments, which is `bins_each` bins for each, or as many as
  // make no more work than that. Beyond, a point density is within a part in a thousand of it.
  static constexpr std::size_t bins_each = 8;
  static constexpr std::size_t most_exact = 256;
  static constexpr std::size_t exact_work = most_exact * most_single;
  // Where the pilot is flat, density is this part of the cube of its mean, so about one hundredth:
  // enough to spread cuts that nothing else asks for, too little to draw them from elsewhere.
  static constexpr double evenness = 1e-6;
  static constexpr double smallest_evenness = 1e-12;  // of the variance of the pilot's values
  static constexpr double line_evenness = 1e-9;       // likewise, for lines
  // The exact search for lines takes as many segments at least.
  static constexpr std::size_t least_lines = 32;
  // A segment costs at least this part of that variance, since a smaller gain may be rounding, and
  // at least this much.
  static constexpr double rounding = 1e-13;
  static constexpr double any_price = 1e-300;
};

/// Less than `above`, where doubles allow it, and more than `below`.
double edge_between(double below, double above) {
  // In halves, so that the sum does not overflow.
  const double middle = std::min(0.5 * below + 0.5 * above, above);
  return middle > below ? middle : above;
}

/// The bin of some rows, with inputs divided by 2^exponent.
binned_rows bin_of(const sample* begin, const sample* end, int exponent) {
  const auto scaled = [&](double x) { return std::ldexp(x, -exponent); };
  binned_rows bin{scaled(begin->x), scaled(end[-1].x), 0, 0, 0, 0, 0, 0};
  double heaviest = 0.0;
  for (const sample* r = begin; r < end; ++r) {
    bin.weight += r->weight;
    heaviest = std::max(heaviest, r->weight);
    bin.mean_x += (scaled(r->x) - bin.mean_x) * (r->weight / bin.weight);
    bin.mean_y += (r->y - bin.mean_y) * (r->weight / bin.weight);
  }
  bin.mean_x = std::min(std::max(bin.mean_x, bin.lowest), bin.highest);
  // In units of the heaviest row, whose square may be too small for a double.
  double sum = 0.0;
  double squares = 0.0;
  for (const sample* r = begin; r < end; ++r) {
    const double off = r->y - bin.mean_y;
    const double w = r->weight / heaviest;
    bin.scatter += r->weight * off * off;
    sum += w;
    squares += w * w;
  }
  bin.effective_rows = sum * sum / squares;
  bin.freedom = std::max(0.0, bin.effective_rows - 1);
  return bin;
}

/// Moves cuts apart by the least that makes them strictly increasing between 0 and `end`, of which
/// there is room for all.
void part(std::vector<std::size_t>& cuts, std::size_t end) {
  std::size_t least = 1;
  for (std::size_t& cut : cuts) {
    cut = std::max(cut, least);
    least = cut + 1;
  }
  std::size_t most = end - 1;
  for (std::size_t i = cuts.size(); i-- > 0;) {
    cuts[i] = std::min(cuts[i], most);
    most = cuts[i] - 1;
  }
}

/// As many cuts as part m segments: those given, and between neighbours of them about equally many
/// more, at equal numbers of groups.
std::vector<std::size_t> spread_between(const std::vector<std::size_t>& cuts, std::size_t m,
                                        std::size_t groups) {
  std::vector<std::size_t> all;
  const std::size_t given = cuts.size() + 1;
  for (std::size_t i = 0; i < given; ++i) {
    const std::size_t from = i > 0 ? cuts[i - 1] : 0;
    const std::size_t to = i + 1 < given ? cuts[i] : groups;
    const std::size_t parts = m * (i + 1) / given - m * i / given;
    for (std::size_t k = 1; k < parts; ++k) all.push_back(from + (to - from) * k / parts);
    if (i + 1 < given) all.push_back(to);
  }
  return all;
}

}  // namespace

learned_cuts::learned_cuts(samples read, std::int64_t most)
    : rows_(std::move(read.rows)), target_exponent_(read.target_exponent), most_(most) {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (i == 0 || rows_[i].x != rows_[i - 1].x) starts_.push_back(i);
  }
  starts_.push_back(rows_.size());
  make_bins();
  pilot_ = fit_pilot(bins_);
  place_jumps();
  follow_pilot();
}

void learned_cuts::make_bins() {
  const std::size_t groups = starts_.size() - 1;
  for (const sample& r : rows_) total_ += r.weight;
  const double full_weight = total_ * learned_tuning::full_bin;
  const double full_groups = static_cast<double>(groups) * learned_tuning::full_bin;
  const bool single = groups <= learned_tuning::most_single;
  const double largest = std::max(std::abs(rows_.front().x), std::abs(rows_.back().x));
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  double weight = 0.0;
  std::size_t first = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t i = starts_[g]; i < starts_[g + 1]; ++i) weight += rows_[i].weight;
    const bool full = single || g + 1 == groups || weight >= full_weight ||
                      static_cast<double>(g + 1 - first) >= full_groups;
    if (!full) continue;
    first_input_.push_back(first);
    bins_.push_back(bin_of(rows_.data() + starts_[first], rows_.data() + starts_[g + 1], exponent));
    weight = 0.0;
    first = g + 1;
  }
  first_input_.push_back(groups);
}

/// A cut before a bin lies at its first input, but at a jump it lies where the rows of the bins to
/// both sides change from the one level to the other.
void learned_cuts::place_jumps() {
  cut_at_ = first_input_;
  for (const pilot_jump& jump : pilot_.jumps) {
    const std::size_t begin = starts_[first_input_[jump.bin - 1]];
    const std::size_t end = starts_[first_input_[jump.bin + 1]];
    std::vector<double> x;
    std::vector<double> y;
    std::vector<double> weights;
    for (std::size_t i = begin; i < end; ++i) {
      x.push_back(rows_[i].x);
      y.push_back(rows_[i].y);
      weights.push_back(rows_[i].weight);
    }
    const std::size_t row =
        begin + placed_cut({x.data(), y.data(), weights.data()}, 0, end - begin,
                           pilot_.values[jump.bin - 1], pilot_.values[jump.bin]);
    const auto group = std::lower_bound(starts_.begin(), starts_.end(), row) - starts_.begin();
    cut_at_[jump.bin] = static_cast<std::size_t>(group);
  }
}

/// Makes the point density. In the coordinate s that counts the
/// share of the weight below, a segment of the share d adds r^2 d^3 / 12 to the error, where r is
/// the pilot's rate of change. So the density of cuts is proportional to r^(2/3), as in
/// compander.hpp, and a bin of the share u and the rise r u takes (r^2 u^3)^(1/3) of them.
void learned_cuts::follow_pilot() {
  const std::size_t num = num_bins();
  std::vector<bool> jumps(num + 1, false);  // [k] tells of a jump, or an end, before bin k
  jumps.front() = jumps.back() = true;
  for (const pilot_jump& jump : pilot_.jumps) jumps[jump.bin] = true;
  double below = 0.0;
  double mean = 0.0;
  for (std::size_t k = 0; k < num; ++k) {
    below += bins_[k].weight;
    mean += (pilot_.values[k] - mean) * (bins_[k].weight / below);
  }
  // The rise across bin k if the pilot changes there as it does from bin i - 1 to bin i.
  const auto rise = [&](std::size_t k, std::size_t i) {
    const double both = 0.5 * bins_[i - 1].weight + 0.5 * bins_[i].weight;
    return jumps[i] ? 0.0 : (pilot_.values[i] - pilot_.values[i - 1]) * (bins_[k].weight / both);
  };
  double variance = 0.0;
  double sum = 0.0;
  for (std::size_t k = 0; k < num; ++k) {
    const double share = bins_[k].weight / total_;
    const double left = k > 0 ? rise(k, k) : 0.0;
    const double right = k + 1 < num ? rise(k, k + 1) : 0.0;
    const double sides = (jumps[k] ? 0.0 : 1.0) + (jumps[k + 1] ? 0.0 : 1.0);
    demand_.push_back((left * left + right * right) / std::max(sides, 1.0) * share);
    sum += std::cbrt(demand_.back());
    const double off = pilot_.values[k] - mean;
    variance += share * off * off;
  }
  high_rate_ = sum * sum * sum / 12;
  const double flat = std::max(learned_tuning::evenness * sum * sum * sum,
                               learned_tuning::smallest_evenness * variance);
  for (std::size_t k = 0; k < num; ++k) {
    const double share = bins_[k].weight / total_;
    demand_[k] = flat > 0 ? std::cbrt(demand_[k] + flat * share * share * share) : share;
  }
  evenness_ = flat > 0 ? total_ * flat / 12 : total_;
}

/// The curve of best partitions of the pilot's values.
const partition_curve& learned_cuts::curve() {
  if (!curve_.has_value()) {
    const std::size_t num = num_bins();
    weighted_sequence values = weighted_values(bins_, pilot_);
    values.evenness = evenness_;
    const std::size_t exact =
        std::min(num, std::max(learned_tuning::most_exact, learned_tuning::exact_work / num));
    curve_.emplace(values, std::min(exact, static_cast<std::size_t>(most_)));
  }
  return *curve_;
}

edge_table learned_cuts::edges(std::int64_t num_segments) {
  const std::size_t groups = starts_.size() - 1;
  if (groups == 1) return single_value_edges(rows_.front().x);
  const std::size_t m = std::min(static_cast<std::size_t>(num_segments), groups);
  std::vector<std::size_t> cuts =
      m <= curve().errors().size() ? best_cuts(curve(), m) : dense_cuts(m);
  part(cuts, groups);
  return edges_before(cuts);
}

edge_table learned_cuts::line_edges(std::int64_t num_segments) {
  const std::size_t groups = starts_.size() - 1;
  if (groups == 1) return single_value_edges(rows_.front().x);
  if (!line_curve_.has_value()) {
    weighted_sequence values = weighted_values(bins_, pilot_);
    for (const binned_rows& bin : bins_) values.positions.push_back(bin.mean_x);
    values.evenness = learned_tuning::line_evenness * approximation(1) * total_;
    const std::size_t exact = std::min(
        num_bins(),
        std::max<std::size_t>(num_bins() / learned_tuning::bins_each, learned_tuning::least_lines));
    line_curve_.emplace(values, std::min(exact, static_cast<std::size_t>(most_)));
  }
  const std::size_t m = std::min(static_cast<std::size_t>(num_segments), groups);
  const std::size_t exact = std::min(m, line_curve_->errors().size());
  std::vector<std::size_t> cuts = best_cuts(*line_curve_, exact);
  if (exact < m) cuts = spread_between(cuts, m, groups);
  part(cuts, groups);
  return edges_before(cuts);
}

std::vector<std::size_t> learned_cuts::best_cuts(const partition_curve& curve,
                                                 std::size_t num_segments) const {
  std::vector<std::size_t> cuts;
  const interval_partition best = curve.with(num_segments);
  for (std::size_t i = 1; i < num_segments; ++i) cuts.push_back(cut_at_[best.cuts[i]]);
  return cuts;
}

/// The mean squared error of the pilot's means over m segments.
double learned_cuts::approximation(std::size_t num_segments) {
  const auto m = static_cast<double>(num_segments);
  std::vector<std::size_t> cuts{0, num_bins()};
  if (num_segments > 1) {
    if (num_segments > curve().errors().size()) return high_rate_ / (m * m);
    cuts = curve().with(num_segments).cuts;
  }
  double error = 0.0;
  for (std::size_t i = 0; i < num_segments; ++i) {
    double weight = 0.0;
    double mean = 0.0;
    for (std::size_t k = cuts[i]; k < cuts[i + 1]; ++k) {
      const double before = weight;
      weight += bins_[k].weight;
      const double off = pilot_.values[k] - mean;
      mean += off * (bins_[k].weight / weight);
      error += off * off * (before * (bins_[k].weight / weight));
    }
  }
  return error / total_;
}

/// s^2 where the variance of a row of weight w about the pilot is s^2 / w. It is also what a
/// segment with a mean of its own adds to the sum of w (value - mean)^2.
double learned_cuts::noise_of_unit_weight() const {
  const auto rows = static_cast<double>(rows_.size());
  double squares = 0.0;
  for (std::size_t k = 0; k < num_bins(); ++k) {
    const double off = bins_[k].mean_y - pilot_.values[k];
    squares += bins_[k].scatter + bins_[k].weight * off * off;
  }
  const double freedom = rows - pilot_.parameters;
  // Where each row is fitted by itself, the pilot has asked neighbours.
  return freedom > 0.01 * rows ? squares / freedom : pilot_.noise * (total_ / rows);
}

learned_number learned_cuts::best_number(double growth, std::int64_t limit, bool precisions) {
  const auto most = static_cast<std::size_t>(std::min(limit, num_inputs()));
  const double unit = precisions ? noise_of_unit_weight() : 0.0;
  const double noise =
      precisions ? unit * (static_cast<double>(rows_.size()) / total_) : pilot_.noise;
  const double price = (precisions ? unit : pilot_.segment_price) / growth;
  const double least_price =
      std::max(learned_tuning::rounding * approximation(1) * total_, learned_tuning::any_price);
  const interval_partition own =
      penalised_partition(weighted_values(bins_, pilot_), std::max(price, least_price));
  const std::size_t priced = own.cuts.size() - 1;
  std::size_t best = priced;
  // Segments of a few bins are not well placed by these: the sum of high_rate_ / m^2 and of the
  // price is least at the m wanted, which is infinite without noise.
  if (num_bins() < starts_.size() - 1 && learned_tuning::bins_each * priced > num_bins()) {
    const double wanted = std::cbrt(2 * high_rate_ * total_ / price);
    best = wanted < static_cast<double>(most)
               ? std::max(num_bins() / learned_tuning::bins_each,
                          static_cast<std::size_t>(std::llround(wanted)))
               : most;
  }
  best = std::min(best, most);
  const double error = best == priced ? own.error / total_ : approximation(best);
  const auto scaled = [&](double squared) { return std::ldexp(squared, 2 * target_exponent_); };
  return {static_cast<std::int64_t>(best), scaled(error),
          scaled(price / total_ * static_cast<double>(best)), scaled(noise)};
}

/// Cuts at i / m of the point density's integral, the nearest to a jump moved there.
std::vector<std::size_t> learned_cuts::dense_cuts(std::size_t num_segments) const {
  double total = 0.0;
  for (const double d : demand_) total += d;
  std::vector<std::size_t> cuts;
  const auto m = static_cast<double>(num_segments);
  double below = 0.0;
  std::size_t jump = 0;
  std::vector<std::pair<std::size_t, std::size_t>> moved;  // number of a cut, and its new place
  for (std::size_t k = 0; k < num_bins(); ++k) {
    if (jump < pilot_.jumps.size() && pilot_.jumps[jump].bin == k) {
      ++jump;
      const auto nearest = static_cast<std::size_t>(std::llround(below / total * m));
      moved.emplace_back(std::min(std::max<std::size_t>(nearest, 1), num_segments - 1), cut_at_[k]);
    }
    // Within the bin the density is even in mass: a cut goes before the group whose centre is next.
    double weight = 0.0;
    std::size_t group = first_input_[k];
    while (cuts.size() + 1 < num_segments) {
      const double target = static_cast<double>(cuts.size() + 1) / m * total;
      if (target > below + demand_[k] && k + 1 < num_bins()) break;
      const double wanted = (target - below) / demand_[k] * bins_[k].weight;
      for (; group < first_input_[k + 1]; ++group) {
        double own = 0.0;
        for (std::size_t i = starts_[group]; i < starts_[group + 1]; ++i) own += rows_[i].weight;
        if (weight + 0.5 * own >= wanted) break;
        weight += own;
      }
      cuts.push_back(group);
    }
    below += demand_[k];
  }
  for (const auto& [number, place] : moved) cuts[number - 1] = place;
  return cuts;
}

edge_table learned_cuts::edges_before(const std::vector<std::size_t>& groups) const {
  edge_table edges{rows_.front().x};
  const double last = rows_.back().x;
  for (const std::size_t g : groups) edges.push_back(edge_between(input(g - 1), input(g)));
  edges.push_back(last);
  if (edges[edges.size() - 2] < last) return edges;
  // Between the last two inputs there is no double, so the edge is the last input itself.
  if (last < std::numeric_limits<double>::max()) {
    edges.back() = std::nextafter(last, std::numeric_limits<double>::infinity());
  } else {
    edges.pop_back();
  }
  return edges;
}

edge_table learned_line_edges(const zcmoe_array& x, const zcmoe_array& y,
                              const zcmoe_array& weights, std::int64_t n,
                              std::int64_t num_segments) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return learned_cuts(read_samples(x, y, weights, n, -infinity, infinity), num_segments)
      .line_edges(num_segments);
}

edge_table learned_edges(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                         std::int64_t n, std::int64_t num_segments) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return learned_cuts(read_samples(x, y, weights, n, -infinity, infinity), num_segments)
      .edges(num_segments);
}

}  // namespace zcmoe::detail
