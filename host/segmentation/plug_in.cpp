// Edges from samples alone: rows give a crude pilot estimate of p b'^2, whose cube root is the
// point density that the edges follow (zcmoe_segment_optimal_from_data of include/zcmoe/zcmoe.h).
// An error of the density enters the error of the table squared, so a few dozen bins are enough.
//
// clang-format off
//   rows sorted by (x, y, weight) -> bins of equal mass, each halved at its centre
//   -> f = p b'^2 in each bin, smoothed -> lambda = (f + delta)^(1/3), mixed with the uniform density
//   -> edges of its piecewise linear integral -> segments with too few rows merged
// clang-format on
//
// Every sum runs over sorted rows, so the edges do not depend on the order of the caller's rows.
#include "host/segmentation/plug_in.hpp"

#include "host/segmentation/samples.hpp"
#include "host/segmentation/uniform.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

struct row_range {
  std::size_t begin;
  std::size_t end;
  std::size_t size() const { return end - begin; }
};

/// Weighted means of x and y and the scatter of y about its mean, over rows in sorted order.
struct half_moments {
  double weight = 0.0;
  double mean_x = 0.0;
  double mean_y = 0.0;
  double scatter = 0.0;
  // (sum w)^2 / sum w^2. The variance of the mean is that of y divided by it.
  double effective_rows = 0.0;

  half_moments(const std::vector<sample>& rows, row_range range) {
    double squares = 0.0;
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const sample& r = rows[i];
      weight += r.weight;
      squares += r.weight * r.weight;
      // The means are updated row by row. Sums would lose digits where y has a large common offset.
      mean_x += (r.x - mean_x) * (r.weight / weight);
      mean_y += (r.y - mean_y) * (r.weight / weight);
    }
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const double d = rows[i].y - mean_y;
      scatter += rows[i].weight * d * d;
    }
    effective_rows = squares > 0 ? weight * weight / squares : 0.0;
  }
};

struct pilot_bin {
  double left;
  double right;
  row_range rows;
  std::size_t middle;  // the first row of the right half
};

std::size_t first_not_below(const std::vector<sample>& rows, row_range within, double x) {
  const auto first = rows.begin() + static_cast<std::ptrdiff_t>(within.begin);
  const auto last = rows.begin() + static_cast<std::ptrdiff_t>(within.end);
  const auto found =
      std::lower_bound(first, last, x, [](const sample& r, double v) { return r.x < v; });
  return static_cast<std::size_t>(found - rows.begin());
}

pilot_bin make_bin(const std::vector<sample>& rows, double left, double right, row_range range) {
  return {left, right, range, first_not_below(rows, range, left + 0.5 * (right - left))};
}

bool has_both_halves(const pilot_bin& b) {
  return b.middle > b.rows.begin && b.middle < b.rows.end;
}

/// Bins of about equal weight whose halves both hold rows. Where ties or gaps leave a half without
/// rows the bin is made wider, until there may be only one bin.
std::vector<pilot_bin> make_bins(const std::vector<sample>& rows, std::int64_t num_bins) {
  double total = 0.0;
  for (const sample& r : rows) total += r.weight;
  std::vector<pilot_bin> bins;
  const double lo = rows.front().x;
  const double hi = rows.back().x;
  double left = lo;
  std::size_t begin = 0;
  double cumulative = 0.0;
  std::int64_t wanted = 1;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    cumulative += rows[i - 1].weight;
    if (rows[i].x == rows[i - 1].x) continue;
    if (wanted >= num_bins ||
        cumulative < total * static_cast<double>(wanted) / static_cast<double>(num_bins))
      continue;
    const double cut = rows[i].x;
    const pilot_bin bin = make_bin(rows, left, cut, {begin, i});
    if (!has_both_halves(bin)) continue;
    bins.push_back(bin);
    left = cut;
    begin = i;
    while (wanted < num_bins &&
           static_cast<double>(wanted) / static_cast<double>(num_bins) * total <= cumulative) {
      ++wanted;
    }
  }
  pilot_bin last = make_bin(rows, left, hi, {begin, rows.size()});
  while (!has_both_halves(last) && !bins.empty()) {
    last = make_bin(rows, bins.back().left, hi, {bins.back().rows.begin, rows.size()});
    bins.pop_back();
  }
  bins.push_back(last);
  return bins;
}

/// f = p b'^2 in each bin, where p is the share of the weight per unit of x. The slope b' is the
/// difference of the mean y of the bin's halves over the difference of their mean x. Its square is
/// taken less the variance of that difference, which noise adds to it on average, and f is smoothed
/// with the weights 1/4, 1/2, 1/4.
std::vector<double> pilot_energy(const std::vector<sample>& rows,
                                 const std::vector<pilot_bin>& bins) {
  double pooled_scatter = 0.0;
  double pooled_freedom = 0.0;
  double total = 0.0;
  std::vector<std::pair<half_moments, half_moments>> halves;
  halves.reserve(bins.size());
  for (const pilot_bin& b : bins) {
    const half_moments l(rows, {b.rows.begin, b.middle});
    const half_moments r(rows, {b.middle, b.rows.end});
    for (const half_moments* h : {&l, &r}) {
      total += h->weight;
      if (h->effective_rows <= 1) continue;
      // The expected value of scatter / weight is the variance of y times 1 - 1 / effective_rows.
      pooled_scatter += h->scatter / h->weight * h->effective_rows;
      pooled_freedom += h->effective_rows - 1;
    }
    halves.emplace_back(l, r);
  }
  const double pooled_variance = pooled_freedom > 0 ? pooled_scatter / pooled_freedom : 0.0;
  std::vector<double> raw;
  raw.reserve(bins.size());
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const auto& [l, r] = halves[i];
    const double run = r.mean_x - l.mean_x;
    if (!has_both_halves(bins[i]) || !(run > 0)) {
      raw.push_back(0.0);
      continue;
    }
    const double rise = r.mean_y - l.mean_y;
    // Noise may vary along x, so the variance comes from the bin's own rows, if they have at least
    // four degrees of freedom, and else from all bins.
    const double freedom = l.effective_rows + r.effective_rows - 2;
    const double own =
        freedom >= 4
            ? (l.scatter / l.weight * l.effective_rows + r.scatter / r.weight * r.effective_rows) /
                  freedom
            : pooled_variance;
    const double noise = own * (1 / l.effective_rows + 1 / r.effective_rows);
    const double slope_squared = std::max(0.0, rise * rise - noise) / (run * run);
    const double density = (l.weight + r.weight) / total / (bins[i].right - bins[i].left);
    raw.push_back(density * slope_squared);
  }
  std::vector<double> smooth(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double before = i > 0 ? raw[i - 1] : raw[i];
    const double after = i + 1 < raw.size() ? raw[i + 1] : raw[i];
    smooth[i] = 0.25 * (before + 2 * raw[i] + after);
  }
  return smooth;
}

/// Edges of a point density that is constant on each bin: inside a bin its integral is a straight
/// line, which is inverted directly.
edge_table step_density_edges(const std::vector<pilot_bin>& bins, const std::vector<double>& lambda,
                              double lo, double hi, std::int64_t num_segments, double unit) {
  std::vector<double> cumulative{0.0};
  for (std::size_t k = 0; k < bins.size(); ++k) {
    cumulative.push_back(cumulative.back() + lambda[k] * (bins[k].right - bins[k].left));
  }
  edge_table edges{lo};
  std::size_t k = 0;
  for (std::int64_t i = 1; i < num_segments; ++i) {
    const double target =
        static_cast<double>(i) / static_cast<double>(num_segments) * cumulative.back();
    while (k + 1 < bins.size() && cumulative[k + 1] < target) ++k;
    const double mass = cumulative[k + 1] - cumulative[k];
    const double t = mass > 0 ? std::min((target - cumulative[k]) / mass, 1.0) : 1.0;
    const double edge = (bins[k].left + t * (bins[k].right - bins[k].left)) * unit;
    if (edge > edges.back() && edge < hi) edges.push_back(edge);
  }
  edges.push_back(hi);
  return edges;
}

edge_table merge_starved(const std::vector<sample>& rows, const edge_table& edges, double min_count,
                         double unit) {
  std::vector<std::int64_t> below{0};
  for (std::size_t i = 1; i + 1 < edges.size(); ++i) {
    const std::size_t row = first_not_below(rows, {0, rows.size()}, edges[i] / unit);
    below.push_back(static_cast<std::int64_t>(row));
  }
  below.push_back(static_cast<std::int64_t>(rows.size()));
  edge_table merged;
  for (const std::size_t i : cuts_kept(below, min_count)) merged.push_back(edges[i]);
  return merged;
}

}  // namespace

std::vector<std::size_t> cuts_kept(const std::vector<std::int64_t>& below, double min_count) {
  const auto enough = [&](std::int64_t count) { return static_cast<double>(count) >= min_count; };
  std::vector<std::size_t> kept{0};
  for (std::size_t i = 1; i < below.size(); ++i) {
    const std::int64_t pending = below[i - 1] - below[kept.back()];
    const std::int64_t own = below[i] - below[i - 1];
    if (!enough(pending + own)) continue;
    const bool joins_left = kept.size() > 1 && kept.back() != i - 1 && enough(own) &&
                            below[kept.back()] - below[kept[kept.size() - 2]] < own;
    if (joins_left) kept.back() = i - 1;
    kept.push_back(i);
  }
  if (kept.size() == 1) {
    kept.push_back(below.size() - 1);
  } else {
    kept.back() = below.size() - 1;  // rows left over at the right end join the last segment
  }
  return kept;
}

edge_table plug_in_edges(const zcmoe_array& x, const zcmoe_array& y, const zcmoe_array& weights,
                         std::int64_t n, std::int64_t num_segments,
                         const zcmoe_plug_in_options& options) {
  std::vector<sample> rows =
      read_samples(x, y, weights, n, -std::numeric_limits<double>::infinity(),
                   std::numeric_limits<double>::infinity())
          .rows;
  const double lo = rows.front().x;
  const double hi = rows.back().x;
  if (lo == hi) return single_value_edges(lo);

  // x / unit is exact and lies in [-2, 2], so that differences of inputs cannot overflow.
  const double unit = std::ldexp(1.0, std::ilogb(std::max(std::abs(lo), std::abs(hi))));
  for (sample& r : rows) r.x /= unit;
  const double width = rows.back().x - rows.front().x;

  const double automatic = std::ceil(2 * std::pow(static_cast<double>(rows.size()), 0.25));
  const std::int64_t num_bins =
      options.pilot_bins > 0 ? options.pilot_bins : static_cast<std::int64_t>(automatic);
  const std::vector<pilot_bin> bins = make_bins(rows, num_bins);
  std::vector<double> lambda = pilot_energy(rows, bins);

  double mean = 0.0;
  for (std::size_t k = 0; k < bins.size(); ++k)
    mean += lambda[k] * ((bins[k].right - bins[k].left) / width);
  edge_table edges;
  if (mean > 0 && options.uniform_mixture < 1) {
    double integral = 0.0;
    for (std::size_t k = 0; k < bins.size(); ++k) {
      // f is divided by its mean first, so that the floor is relative to it, and so that neither
      // very large nor very small slopes leave the range of double in the sums.
      lambda[k] = std::cbrt(lambda[k] / mean + options.floor);
      integral += lambda[k] * (bins[k].right - bins[k].left);
    }
    for (double& v : lambda)
      v = (1 - options.uniform_mixture) * v + options.uniform_mixture * integral / width;
    edges = step_density_edges(bins, lambda, lo, hi, num_segments, unit);
  } else {
    edges = distinct_uniform_edges(lo, hi, num_segments);
  }
  return options.min_count > 0 ? merge_starved(rows, edges, options.min_count, unit) : edges;
}

}  // namespace zcmoe::detail
