// Edges from samples alone: rows give a crude pilot estimate of p b'^2, whose cube root is the
// point density that the edges follow (zcmoe_segment_optimal_from_data of include/zcmoe/zcmoe.h).
// An error of the density enters the error of the table squared, so a few dozen bins are enough.
//
// clang-format off
//   rows sorted by (x, y, weight) -> bins of equal mass, each halved
//   -> f = p b'^2 in each bin, smoothed -> lambda = (f + delta)^(1/3), mixed with the uniform density
//   -> edges of its piecewise linear integral -> segments with too few rows merged
// clang-format on
//
// All of it is done twice, with x and with the share of the rows below x as the coordinate. At high
// rate both give the same density. Over x the bins of a heavy tail are so wide that what they say
// of the slope takes nearly all segments there; over the share of rows a steep piece of a thin tail
// is met by too few. The table over x is left only where the other one errs less, each row left out
// in turn, by more than the standard error of the difference: a choice by chance would cost smooth
// relations a twentieth of their excess risk.
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

/// In which coordinate a density is estimated: x, or the share of the weight below x.
enum class coordinate { x, mass };

/// A bin is halved at its centre, or into halves of as many rows where ties allow.
pilot_bin make_bin(const std::vector<sample>& rows, double left, double right, row_range range,
                   coordinate along) {
  if (along == coordinate::x)
    return {left, right, range, first_not_below(rows, range, left + 0.5 * (right - left))};
  const std::size_t half = range.begin + range.size() / 2;
  std::size_t middle = first_not_below(rows, range, rows[half].x);
  if (middle == range.begin) {
    middle = half;
    while (middle < range.end && rows[middle].x == rows[half].x) ++middle;
  }
  return {left, right, range, middle};
}

bool has_both_halves(const pilot_bin& b) {
  return b.middle > b.rows.begin && b.middle < b.rows.end;
}

/// Bins of about equal weight whose halves both hold rows. Where ties or gaps leave a half without
/// rows the bin is made wider, until there may be only one bin.
std::vector<pilot_bin> make_bins(const std::vector<sample>& rows, std::int64_t num_bins,
                                 coordinate along) {
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
    const pilot_bin bin = make_bin(rows, left, cut, {begin, i}, along);
    if (!has_both_halves(bin)) continue;
    bins.push_back(bin);
    left = cut;
    begin = i;
    while (wanted < num_bins &&
           static_cast<double>(wanted) / static_cast<double>(num_bins) * total <= cumulative) {
      ++wanted;
    }
  }
  pilot_bin last = make_bin(rows, left, hi, {begin, rows.size()}, along);
  while (!has_both_halves(last) && !bins.empty()) {
    last = make_bin(rows, bins.back().left, hi, {bins.back().rows.begin, rows.size()}, along);
    bins.pop_back();
  }
  bins.push_back(last);
  return bins;
}

/// f = p b'^2 in each bin, where p is the share of the weight per unit of the coordinate. The slope
/// b' is the difference of the mean y of the bin's halves over the difference of their mean
/// coordinates. Its square is taken less the variance of that difference, which noise adds to it on
/// average, and f is smoothed with the weights 1/4, 1/2, 1/4.
std::vector<double> pilot_energy(const std::vector<sample>& rows,
                                 const std::vector<pilot_bin>& bins, coordinate along) {
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
    const double share = (l.weight + r.weight) / total;
    const double run = along == coordinate::x ? r.mean_x - l.mean_x : 0.5 * share;
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
    const double density = along == coordinate::x ? share / (bins[i].right - bins[i].left) : 1.0;
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

/// The shares of the weight below each row and, last, below none.
std::vector<double> shares_below(const std::vector<sample>& rows) {
  std::vector<double> below{0.0};
  below.reserve(rows.size() + 1);
  for (const sample& r : rows) below.push_back(below.back() + r.weight);
  const double total = below.back();
  for (double& v : below) v /= total;
  return below;
}

/// Where the bins begin and, last, where they end, in a coordinate.
std::vector<double> ends_of(const std::vector<pilot_bin>& bins, const std::vector<double>& below,
                            coordinate along) {
  std::vector<double> ends;
  ends.reserve(bins.size() + 1);
  for (const pilot_bin& b : bins)
    ends.push_back(along == coordinate::x ? b.left : below[b.rows.begin]);
  ends.push_back(along == coordinate::x ? bins.back().right : 1.0);
  return ends;
}

/// Edges, as coordinates, of a point density that is constant on each bin: inside a bin its
/// integral is a straight line, which is inverted directly.
std::vector<double> step_density_edges(const std::vector<double>& ends,
                                       const std::vector<double>& lambda,
                                       std::int64_t num_segments) {
  std::vector<double> cumulative{0.0};
  for (std::size_t k = 0; k < lambda.size(); ++k)
    cumulative.push_back(cumulative.back() + lambda[k] * (ends[k + 1] - ends[k]));
  std::vector<double> edges;
  std::size_t k = 0;
  for (std::int64_t i = 1; i < num_segments; ++i) {
    const double target =
        static_cast<double>(i) / static_cast<double>(num_segments) * cumulative.back();
    while (k + 1 < lambda.size() && cumulative[k + 1] < target) ++k;
    const double mass = cumulative[k + 1] - cumulative[k];
    const double t = mass > 0 ? std::min((target - cumulative[k]) / mass, 1.0) : 1.0;
    edges.push_back(ends[k] + t * (ends[k + 1] - ends[k]));
  }
  return edges;
}

/// The table of the inner edges, which are inputs or shares of rows; the latter are cut at the next
/// row's input.
edge_table table_of(const std::vector<double>& inner, const std::vector<sample>& rows,
                    const std::vector<double>& below, coordinate along, double unit) {
  const double lo = rows.front().x * unit;
  const double hi = rows.back().x * unit;
  edge_table edges{lo};
  for (const double at : inner) {
    double edge = at * unit;
    if (along == coordinate::mass) {
      const auto row = std::lower_bound(below.begin(), below.end() - 1, at) - below.begin();
      edge = rows[std::min(static_cast<std::size_t>(row), rows.size() - 1)].x * unit;
    }
    if (edge > edges.back() && (edge < hi || (edge == hi && along == coordinate::mass)))
      edges.push_back(edge);
  }
  // A table whose last cut is at the greatest input ends behind it.
  edges.push_back(edges.back() < hi ? hi
                                    : std::nextafter(hi, std::numeric_limits<double>::infinity()));
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

/// The weighted squared errors of predicting each row by the mean of the others of its segment, or
/// of all rows where it is alone.
std::vector<double> leave_one_out(const std::vector<sample>& rows, const edge_table& edges,
                                  double unit) {
  const half_moments all(rows, {0, rows.size()});
  std::vector<double> errors;
  errors.reserve(rows.size());
  std::size_t begin = 0;
  for (std::size_t i = 1; i < edges.size(); ++i) {
    const std::size_t end = i + 1 == edges.size()
                                ? rows.size()
                                : first_not_below(rows, {begin, rows.size()}, edges[i] / unit);
    const half_moments own(rows, {begin, end});
    for (std::size_t k = begin; k < end; ++k) {
      const sample& r = rows[k];
      const double rest = 1 - r.weight / own.weight;
      const double off = rest > 0 ? (r.y - own.mean_y) / rest : r.y - all.mean_y;
      errors.push_back(r.weight * off * off);
    }
    begin = end;
  }
  return errors;
}

/// Whether the second of two tables errs less than the first, left out row by row, by more than the
/// standard error of the difference.
bool errs_less(const std::vector<double>& first, const std::vector<double>& second) {
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double gain = first[i] - second[i];
    sum += gain;
    squares += gain * gain;
  }
  return sum > 0 && sum * sum > squares;
}

/// The table of one coordinate, before short segments are merged. Empty where no slope is seen.
edge_table edges_along(coordinate along, const std::vector<sample>& rows, std::int64_t num_segments,
                       const zcmoe_plug_in_options& options, double unit) {
  const double automatic = std::ceil(2 * std::pow(static_cast<double>(rows.size()), 0.25));
  const std::int64_t num_bins =
      options.pilot_bins > 0 ? options.pilot_bins : static_cast<std::int64_t>(automatic);
  const std::vector<pilot_bin> bins = make_bins(rows, num_bins, along);
  const std::vector<double> below = shares_below(rows);
  const std::vector<double> ends = ends_of(bins, below, along);
  const double width = ends.back() - ends.front();
  std::vector<double> lambda = pilot_energy(rows, bins, along);
  double mean = 0.0;
  for (std::size_t k = 0; k < bins.size(); ++k)
    mean += lambda[k] * ((ends[k + 1] - ends[k]) / width);
  if (!(mean > 0) || !(options.uniform_mixture < 1)) return {};
  double integral = 0.0;
  for (std::size_t k = 0; k < bins.size(); ++k) {
    // f is divided by its mean first, so that the floor is relative to it, and so that neither very
    // large nor very small slopes leave the range of double in the sums.
    lambda[k] = std::cbrt(lambda[k] / mean + options.floor);
    integral += lambda[k] * (ends[k + 1] - ends[k]);
  }
  for (double& v : lambda)
    v = (1 - options.uniform_mixture) * v + options.uniform_mixture * integral / width;
  return table_of(step_density_edges(ends, lambda, num_segments), rows, below, along, unit);
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
  const auto enough_rows = [&](const edge_table& edges) {
    return options.min_count > 0 ? merge_starved(rows, edges, options.min_count, unit) : edges;
  };
  const edge_table over_x = edges_along(coordinate::x, rows, num_segments, options, unit);
  const edge_table over_mass = edges_along(coordinate::mass, rows, num_segments, options, unit);
  if (over_x.empty() && over_mass.empty())
    return enough_rows(distinct_uniform_edges(lo, hi, num_segments));
  if (over_x.empty()) return enough_rows(over_mass);
  edge_table edges = enough_rows(over_x);
  if (over_mass.empty()) return edges;
  edge_table other = enough_rows(over_mass);
  const bool better = errs_less(leave_one_out(rows, edges, unit), leave_one_out(rows, other, unit));
  return better ? other : edges;
}

}  // namespace zcmoe::detail
