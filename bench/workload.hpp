// Inputs of the benchmarks: edges, x and y for each distribution. Each number is made from its
// index, so that any thread can write any part and every machine gets the same rows.
#pragma once

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace zcmoe::bench {

enum class distribution { random, sorted, clustered, hot };

constexpr const char* name_of(distribution of) {
  switch (of) {
    case distribution::random: return "random";
    case distribution::sorted: return "sorted";
    case distribution::clustered: return "clustered";
    default: return "hot";
  }
}

template <class T>
constexpr const char* type_name() {
  return sizeof(T) == 4 ? "f32" : "f64";
}

/// An array of n values on cache lines of its own, since non-temporal stores need the alignment. It
/// is zeroed, so that every page is there.
template <class T>
class aligned_array {
 public:
  aligned_array() = default;
  explicit aligned_array(std::int64_t n)
      : size_(n),
        data_(static_cast<T*>(::operator new(static_cast<std::size_t>(n) * sizeof(T), line))) {
    std::fill_n(data_.get(), n, T{});
  }
  T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  static constexpr std::align_val_t line{64};
  struct release {
    void operator()(T* pointer) const { ::operator delete(pointer, line); }
  };
  std::int64_t size_ = 0;
  std::unique_ptr<T, release> data_;
};

/// Random bits of a number (Steele, Lea & Flood 2014, SplitMix64).
inline std::uint64_t scramble(std::uint64_t number) {
  std::uint64_t z = (number + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// A number in [0, 1).
inline double unit(std::uint64_t number) {
  return static_cast<double>(scramble(number) >> 11) * 0x1p-53;
}

constexpr double cluster_lo = 0.5;
constexpr double cluster_width = 1e-3;

/// The edges of m segments of [0, 1]. Their widths grow eightfold from left to right, as those of a
/// compander may; for `clustered` all inner edges lie within a thousandth of the range.
inline std::vector<double> edges_of(distribution of, std::int64_t num_segments) {
  std::vector<double> edges(static_cast<std::size_t>(num_segments) + 1);
  const auto m = static_cast<double>(num_segments);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const double u = static_cast<double>(i) / m;
    edges[i] = of == distribution::clustered ? cluster_lo + cluster_width * u
                                             : std::expm1(u * std::log(8.0)) / 7;
  }
  edges.front() = 0;
  edges.back() = 1;
  return edges;
}

/// Input i of n. For `clustered` every other row falls among the edges, since otherwise only the
/// outer two segments would predict; for `hot` nine of ten rows fall into the middle segment.
inline double input_of(distribution of, const std::vector<double>& edges, std::int64_t i,
                       std::int64_t n) {
  const auto number = static_cast<std::uint64_t>(i);
  const double u = unit(2 * number);
  const std::uint64_t choice = scramble(2 * number + 1);
  switch (of) {
    case distribution::random: return u;
    case distribution::sorted: return (static_cast<double>(i) + u) / static_cast<double>(n);
    case distribution::clustered: return choice % 2 == 0 ? u : cluster_lo + cluster_width * u;
    default: {
      if (choice % 10 == 0) return u;
      const std::size_t middle = (edges.size() - 1) / 2;
      return edges[middle] + (edges[middle + 1] - edges[middle]) * u;
    }
  }
}

template <class Fill>
void fill_rows(std::int64_t n, const Fill& fill) {
  tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, n, 1 << 16), [&](const auto& rows) {
    for (std::int64_t i = rows.begin(); i < rows.end(); ++i) fill(i);
  });
}

template <class T>
aligned_array<T> inputs_of(distribution of, const std::vector<double>& edges, std::int64_t n) {
  aligned_array<T> x(n);
  fill_rows(n, [&](std::int64_t i) { x.data()[i] = static_cast<T>(input_of(of, edges, i, n)); });
  return x;
}

/// Multiples of 1/8 from 1/2 to 11/8, so that plain sums of them are exact.
template <class T>
aligned_array<T> weights_of(std::int64_t n) {
  aligned_array<T> weights(n);
  fill_rows(n, [&](std::int64_t i) {
    weights.data()[i] = static_cast<T>(4 + scramble(3 * static_cast<std::uint64_t>(i)) % 8) / 8;
  });
  return weights;
}

/// A smooth curve and noise.
template <class T>
aligned_array<T> targets_of(const aligned_array<T>& x) {
  aligned_array<T> y(x.size());
  fill_rows(x.size(), [&](std::int64_t i) {
    const double noise = unit(~static_cast<std::uint64_t>(i)) - 0.5;
    y.data()[i] = static_cast<T>(std::sin(6 * static_cast<double>(x.data()[i])) + 0.2 * noise);
  });
  return y;
}

}  // namespace zcmoe::bench
