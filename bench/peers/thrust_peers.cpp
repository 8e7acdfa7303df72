// Thrust on its three host back ends. It predicts by upper_bound and gather, and fits by
// upper_bound, sort_by_key and reduce_by_key of counts, sums and sums of squares.
#include "peer.hpp"

#include <thrust/binary_search.h>
#include <thrust/gather.h>
#include <thrust/iterator/constant_iterator.h>
#include <thrust/iterator/discard_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <thrust/iterator/zip_iterator.h>
#include <thrust/reduce.h>
#include <thrust/sort.h>
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/system/omp/execution_policy.h>
#include <thrust/system/tbb/execution_policy.h>
#include <thrust/tuple.h>

#include <omp.h>
#include <tbb/task_arena.h>

#include <cstring>

namespace zcmoe::bench {
namespace {

using sums = thrust::tuple<double, double, double>;  // count, y, y^2

struct sums_of_row {
  sums operator()(float y) const {
    const auto wide = static_cast<double>(y);
    return sums(1.0, wide, wide * wide);
  }
};
struct add_sums {
  sums operator()(const sums& a, const sums& b) const {
    return sums(thrust::get<0>(a) + thrust::get<0>(b), thrust::get<1>(a) + thrust::get<1>(b),
                thrust::get<2>(a) + thrust::get<2>(b));
  }
};

template <class Policy>
class thrust_peer : public peer {
 public:
  thrust_peer(const Policy& policy, const table& shape)
      : policy_(policy),
        threads_(shape.threads),
        arena_(shape.threads),
        cuts_(shape.cuts<float>()),
        constants_(shape.narrow_constants()),
        totals_(shape.num_segments(), sums(0, 0, 0)),
        keys_(shape.num_segments()),
        reduced_(shape.num_segments()) {}

  void predict(const void* x, std::int64_t n, void* y) override {
    const float* const inputs = static_cast<const float*>(x);
    arena_.execute([&] {
      omp_set_num_threads(threads_);
      reserve(n);
      route(inputs, n);
      thrust::gather(policy_, segments_.begin(), segments_.begin() + n, constants_.begin(),
                     static_cast<float*>(y));
    });
  }
  void fit(const void* x, const void* y, std::int64_t n) override {
    arena_.execute([&] {
      omp_set_num_threads(threads_);
      reserve(n);
      sorted_.resize(segments_.size());
      route(static_cast<const float*>(x), n);
      thrust::copy_n(policy_, static_cast<const float*>(y), n, sorted_.begin());
      thrust::sort_by_key(policy_, segments_.begin(), segments_.begin() + n, sorted_.begin());
      const auto rows = thrust::make_transform_iterator(sorted_.begin(), sums_of_row());
      const auto ends = thrust::reduce_by_key(policy_, segments_.begin(), segments_.begin() + n,
                                              rows, keys_.begin(), reduced_.begin(),
                                              thrust::equal_to<std::int32_t>(), add_sums());
      const auto found = static_cast<std::size_t>(ends.first - keys_.begin());
      for (std::size_t i = 0; i < found; ++i) {
        sums& total = totals_[static_cast<std::size_t>(keys_[i])];
        total = add_sums()(total, reduced_[i]);
      }
    });
  }
  void moments(double* counts, double* means) override {
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      counts[i] = thrust::get<0>(totals_[i]);
      means[i] = thrust::get<1>(totals_[i]) / counts[i];
    }
  }

 private:
  /// The working memory is kept from call to call, as a careful user would keep it.
  void reserve(std::int64_t n) {
    if (segments_.size() < static_cast<std::size_t>(n))
      segments_.resize(static_cast<std::size_t>(n));
  }
  void route(const float* x, std::int64_t n) {
    thrust::upper_bound(policy_, cuts_.begin(), cuts_.end(), x, x + n, segments_.begin());
  }

  Policy policy_;
  int threads_;
  tbb::task_arena arena_;
  std::vector<float> cuts_;
  std::vector<float> constants_;
  std::vector<std::int32_t> segments_;
  std::vector<float> sorted_;
  std::vector<sums> totals_;
  std::vector<std::int32_t> keys_;
  std::vector<sums> reduced_;
};

template <class Policy>
std::unique_ptr<peer> make(const Policy& policy, const table& shape) {
  return std::make_unique<thrust_peer<Policy>>(policy, shape);
}

}  // namespace

std::unique_ptr<peer> make_thrust_peer(const char* name, const table& shape) {
  if (std::strcmp(name, "thrust_cpp") == 0) return make(thrust::cpp::par, shape);
  if (std::strcmp(name, "thrust_tbb") == 0) return make(thrust::tbb::par, shape);
  if (std::strcmp(name, "thrust_omp") == 0) return make(thrust::omp::par, shape);
  return nullptr;
}

}  // namespace zcmoe::bench
