// Samples of known relations, and what predictions of them are worth.
#pragma once

#include "host/segmentation/pilot.hpp"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/normal.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace zcmoe::detail {

struct sampled_row {
  double x;
  double y;
};

inline std::vector<binned_rows> bins_of(std::vector<sampled_row> rows, std::size_t most) {
  std::sort(rows.begin(), rows.end(), [](const sampled_row& a, const sampled_row& b) {
    return a.x != b.x ? a.x < b.x : a.y < b.y;
  });
  const std::size_t n = rows.size();
  const std::size_t each = (n + most - 1) / most;
  std::vector<binned_rows> bins;
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = std::min(n, begin + each);
    while (end < n && rows[end].x == rows[end - 1].x) ++end;
    const auto count = static_cast<double>(end - begin);
    binned_rows b{rows[begin].x, rows[end - 1].x, 0, 0, 0, count, count, count - 1};
    for (std::size_t i = begin; i < end; ++i) {
      b.mean_x += rows[i].x / count;
      b.mean_y += rows[i].y / count;
    }
    for (std::size_t i = begin; i < end; ++i) b.scatter += std::pow(rows[i].y - b.mean_y, 2);
    bins.push_back(b);
    begin = end;
  }
  return bins;
}

struct known_relation {
  std::string name;
  std::function<double(double)> quantile;
  std::function<double(double)> value;
  double noise;
};

inline double uniform_quantile(double u) { return u; }
inline double cauchy_quantile(double u) { return std::tan(std::acos(-1.0) * (u - 0.5)); }
inline double four_jumps(double x) {
  return x < 0.15 ? 0.0 : x < 0.37 ? 1.0 : x < 0.42 ? -0.5 : x < 0.7 ? 0.6 : 0.1;
}

inline std::vector<sampled_row> sample_of(const known_relation& r, std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<sampled_row> rows(n);
  std::normal_distribution<double> normal;
  for (sampled_row& row : rows) {
    row.x = r.quantile((static_cast<double>(random() >> 11) + 0.5) * 0x1p-53);
    row.y = r.value(row.x) + r.noise * normal(random);
  }
  return rows;
}

/// The relation at inputs of equal mass.
struct relation_grid {
  std::vector<double> x;
  std::vector<double> value;
  explicit relation_grid(const known_relation& r) {
    constexpr int points = 20000;
    for (int i = 0; i < points; ++i) {
      x.push_back(r.quantile((i + 0.5) / points));
      value.push_back(r.value(x.back()));
    }
  }
};

inline double excess_of(const relation_grid& grid, const std::vector<binned_rows>& bins,
                        const std::vector<double>& values) {
  double sum = 0.0;
  std::size_t k = 0;
  for (std::size_t i = 0; i < grid.x.size(); ++i) {
    while (k + 1 < bins.size() && grid.x[i] >= (bins[k].highest + bins[k + 1].lowest) / 2) ++k;
    sum += (values[k] - grid.value[i]) * (values[k] - grid.value[i]);
  }
  return sum / static_cast<double>(grid.x.size());
}

inline std::vector<double> table_of(const std::vector<binned_rows>& bins,
                                    const interval_partition& p,
                                    const std::function<double(std::size_t)>& value) {
  std::vector<double> table(bins.size());
  for (std::size_t i = 0; i + 1 < p.cuts.size(); ++i) {
    double weight = 0.0;
    double sum = 0.0;
    for (std::size_t k = p.cuts[i]; k < p.cuts[i + 1]; ++k) {
      weight += bins[k].weight;
      sum += bins[k].weight * value(k);
    }
    for (std::size_t k = p.cuts[i]; k < p.cuts[i + 1]; ++k) table[k] = sum / weight;
  }
  return table;
}

inline double best_of_truth(const relation_grid& grid, double price) {
  weighted_sequence truth;
  for (std::size_t i = 0; i < grid.x.size(); i += 10) {
    truth.values.push_back(grid.value[i]);
    truth.weights.push_back(10.0 / static_cast<double>(grid.x.size()));
  }
  const interval_partition p = penalised_partition(truth, price);
  return p.error + price * static_cast<double>(p.cuts.size() - 1);
}

inline known_relation smooth_relation() {
  return {"smooth", uniform_quantile, [](double x) { return 0.7 * std::sin(6.283185307 * x); },
          0.3};
}

inline known_relation setting_a() {
  return {"A", [](double u) { return quantile(boost::math::beta_distribution<>(2, 5), u); },
          [](double x) { return 0.2 * std::exp(3 * x); }, 0.3};
}
inline known_relation setting_b() {
  return {"B", uniform_quantile, [](double x) { return std::sin(12.566370614 * x); }, 0.3};
}
inline known_relation setting_c() {
  return {"C",
          [](double u) {
            const boost::math::normal_distribution<> normal(0.5, 0.2);
            const double below = cdf(normal, 0.0);
            return quantile(normal, below + u * (cdf(normal, 1.0) - below));
          },
          [](double x) { return 1 / (1 + std::exp(-40 * (x - 0.4))); }, 0.3};
}
inline known_relation setting_d() { return {"D", uniform_quantile, four_jumps, 0.3}; }
inline known_relation step_and_sine() {
  return {"step + sine", uniform_quantile,
          [](double x) { return (x > 0.37 ? 1.0 : 0.0) + 0.5 * std::sin(6.283185307 * x); }, 0.3};
}
inline known_relation cauchy_relation() {
  return {"Cauchy", cauchy_quantile, [](double x) { return std::tanh(x); }, 0.3};
}
inline known_relation lognormal_relation() {
  return {"lognormal",
          [](double u) { return std::exp(quantile(boost::math::normal_distribution<>(), u)); },
          [](double x) { return std::sin(1.5 * std::log(1 + x)); }, 0.3};
}
inline known_relation high_frequency() {
  return {"high frequency", uniform_quantile, [](double x) { return std::sin(251.32741229 * x); },
          0.3};
}

}  // namespace zcmoe::detail
