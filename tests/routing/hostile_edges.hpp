// Edges and inputs that are hard on a bucketed search, for the tests of both routing tables.
#pragma once

#include "tests/support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace zcmoe::test {

/// Edges that are hard on a bucketed search.
inline std::vector<double> edges_of(const std::string& kind, std::int64_t m,
                                    std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  std::vector<double> edges;
  const auto count = static_cast<std::size_t>(m) + 1;
  for (std::size_t i = 0; edges.size() < count; ++i) {
    const double u = static_cast<double>(i) / static_cast<double>(m);
    if (kind == "uniform") {
      edges.push_back(u);
    } else if (kind == "random") {
      edges.push_back(unit(random));
    } else if (kind == "one ulp apart") {
      edges.push_back(i == 0 ? 1.0 : std::nextafter(edges.back(), infinity));
    } else if (kind == "one float apart") {
      edges.push_back(i == 0 ? 1.0 : std::nextafterf(static_cast<float>(edges.back()), 2.0f));
    } else if (kind == "geometric") {
      edges.push_back(std::exp2(60.0 * u - 30.0));
    } else if (kind == "huge offset") {
      edges.push_back(1e15 + 8.0 * static_cast<double>(i));
    } else if (kind == "one giant") {
      edges.push_back(i == 0 ? -1e30 : 1e-9 * static_cast<double>(i));
    } else if (kind == "clustered") {
      edges.push_back(i == 0 ? 0.0 : i + 1 == count ? 1.0 : 0.5 + 1e-3 * u);
    } else if (kind == "float limits") {
      const double most = static_cast<double>(std::numeric_limits<float>::max());
      edges.push_back(u < 0.5 ? -most * (1.0 + (0.5 - u)) : most * (0.5 + u));
    } else if (kind == "double limits") {
      const double most = std::numeric_limits<double>::max();
      edges.push_back(u < 0.5 ? -most * (1.0 - u) : most * (0.5 + u / 2));
    } else {  // beyond float
      edges.push_back(-1e300 + 2e300 * u);
    }
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  if (edges.size() == 1) edges.push_back(edges[0] + 1.0);
  return edges;
}

inline const std::vector<std::string> kinds = {
    "uniform",   "random",    "one ulp apart", "one float apart", "geometric",    "huge offset",
    "one giant", "clustered", "float limits",  "beyond float",    "double limits"};

template <class T>
std::vector<T> inputs_for(const std::vector<double>& edges, std::mt19937_64& random) {
  std::vector<T> inputs = {T{0},
                           -T{0},
                           std::numeric_limits<T>::infinity(),
                           -std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::max(),
                           std::numeric_limits<T>::lowest(),
                           std::numeric_limits<T>::denorm_min()};
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int k = 0; k < 400; ++k) {
    const double edge = edges[random() % edges.size()];
    const T near = static_cast<T>(edge);
    inputs.push_back(near);
    inputs.push_back(std::nextafter(near, std::numeric_limits<T>::infinity()));
    inputs.push_back(std::nextafter(near, -std::numeric_limits<T>::infinity()));
    const double u = unit(random);
    inputs.push_back(static_cast<T>(edges.front() * u + edges.back() * (1 - u)));
  }
  return inputs;
}

inline zcmoe::model_view view_of(const std::vector<double>& edges, int closed_side, int outer,
                                 int range_policy) {
  zcmoe::model_view view{};
  view.edges = edges.data();
  view.num_segments = static_cast<std::int64_t>(edges.size()) - 1;
  view.closed_side = closed_side;
  view.include_outer_edge = outer;
  view.range_policy = range_policy;
  return view;
}

}  // namespace zcmoe::test
