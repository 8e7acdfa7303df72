// The C interface, and the peers that need no other library than Boost: the memory limits, zcmoe
// through its C ABI, std::upper_bound, a batched search, an S+-tree, Boost.Histogram.
#include "compiled_peers.h"

#include "bench/memory_limits.hpp"
#include "peer.hpp"

#include <zcmoe/zcmoe.hpp>

#include <boost/histogram.hpp>
#include <boost/version.hpp>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <tuple>

namespace zcmoe::bench {
namespace {

// ------------------------------------------------------------------ limits

/// Moves what predict must move.
template <class T>
class copy_peer : public peer {
 public:
  explicit copy_peer(const table& shape) : threads_(shape.threads) {}
  void predict(const void* x, std::int64_t n, void* y) override {
    streaming_copy(y, x, static_cast<std::size_t>(n) * sizeof(T), threads_);
  }

 private:
  int threads_;
};

/// Reads what fit must read.
template <class T>
class read_peer : public peer {
 public:
  explicit read_peer(const table& shape) : threads_(shape.threads) {}
  void fit(const void* x, const void* y, std::int64_t n) override {
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
    seen_ = seen_ + streaming_read(x, bytes, threads_) + streaming_read(y, bytes, threads_);
  }

 private:
  int threads_;
  volatile long long seen_ = 0;
};

// ------------------------------------------------------------------- zcmoe

context context_of(int threads) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = threads;
  return context(options);
}

void copy_moments(const model& fitted, double* counts, double* means) {
  const zcmoe_model_info info = fitted.info();
  std::copy_n(info.counts, info.num_segments, counts);
  std::copy_n(info.constants, info.num_segments, means);
}

template <class T>
class zcmoe_predict_peer : public peer {
 public:
  explicit zcmoe_predict_peer(const table& shape)
      : owner_(context_of(shape.threads)), model_(owner_, shape.edges, shape.constants) {}
  void predict(const void* x, std::int64_t n, void* y) override {
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(static_cast<T*>(y));
    model_.predict(array(static_cast<const T*>(x)), n, outputs, nullptr);
  }

 private:
  context owner_;
  model model_;
};

template <class T>
class zcmoe_fit_peer : public peer {
 public:
  explicit zcmoe_fit_peer(const table& shape)
      : edges_(shape.edges), owner_(context_of(shape.threads)), fit_(start()) {}
  void fit(const void* x, const void* y, std::int64_t n) override { add(fit_, x, y, n); }
  void moments(double* counts, double* means) override {
    copy_moments(fit_.finish(), counts, means);
  }

 protected:
  zcmoe::fit start() const {
    zcmoe_fit_options options = fit_options();
    options.target_dtype = sizeof(T) == 4 ? ZCMOE_F32 : ZCMOE_F64;
    return zcmoe::fit(owner_, edges_, model_options(), options);
  }
  static void add(zcmoe::fit& to, const void* x, const void* y, std::int64_t n) {
    to.add(array(static_cast<const T*>(x)), array(static_cast<const T*>(y)), no_array(), n, nullptr,
           0, nullptr);
  }

 private:
  std::vector<double> edges_;
  context owner_;
  zcmoe::fit fit_;
};

/// Each call goes from rows to constants: it makes an empty state, adds the rows, and takes the
/// means.
class zcmoe_whole_fit_peer : public zcmoe_fit_peer<float> {
 public:
  using zcmoe_fit_peer<float>::zcmoe_fit_peer;
  void fit(const void* x, const void* y, std::int64_t n) override {
    zcmoe::fit state = start();
    add(state, x, y, n);
    last_ = std::make_unique<model>(state.finish());
  }
  void moments(double* counts, double* means) override { copy_moments(*last_, counts, means); }

 private:
  std::unique_ptr<model> last_;
};

// --------------------------------------------------------------------- std

struct plain_sums {
  double count = 0;
  double y = 0;
  double yy = 0;
};

/// Predicts by std::upper_bound and a look-up, fits by std::upper_bound and sums in double.
class std_peer : public peer {
 public:
  explicit std_peer(const table& shape)
      : cuts_(shape.cuts<float>()),
        constants_(shape.narrow_constants()),
        sums_(shape.num_segments()) {}
  void predict(const void* x, std::int64_t n, void* y) override {
    for (std::int64_t i = 0; i < n; ++i)
      static_cast<float*>(y)[i] = constants_[segment_of(static_cast<const float*>(x)[i])];
  }
  void fit(const void* x, const void* y, std::int64_t n) override {
    for (std::int64_t i = 0; i < n; ++i) {
      const double target = static_cast<const float*>(y)[i];
      plain_sums& at = sums_[segment_of(static_cast<const float*>(x)[i])];
      at.count += 1;
      at.y += target;
      at.yy += target * target;
    }
  }
  void moments(double* counts, double* means) override {
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      counts[i] = sums_[i].count;
      means[i] = sums_[i].y / sums_[i].count;
    }
  }

 private:
  std::size_t segment_of(float x) const {
    return static_cast<std::size_t>(std::upper_bound(cuts_.begin(), cuts_.end(), x) -
                                    cuts_.begin());
  }
  std::vector<float> cuts_;
  std::vector<float> constants_;
  std::vector<plain_sums> sums_;
};

// ----------------------------------------------------------- batched search

constexpr std::int64_t block = 256;

/// One step of the binary search without a branch, for a block of inputs, one after the other, as
/// the package of a distribution would be compiled.
__attribute__((optimize("no-tree-vectorize"), noinline)) void halve(const float* cuts,
                                                                    std::uint32_t half,
                                                                    const float* x, std::int64_t n,
                                                                    std::uint32_t* base) {
  for (std::int64_t i = 0; i < n; ++i)
    base[i] += half & (0u - static_cast<std::uint32_t>(cuts[base[i] + half - 1] <= x[i]));
}

/// The same step by vector gathers, where the processor has them.
__attribute__((noinline)) void halve_gathering(const float* __restrict cuts, std::uint32_t half,
                                               const float* __restrict x, std::int64_t n,
                                               std::uint32_t* __restrict base) {
  for (std::int64_t i = 0; i < n; ++i)
    base[i] += half & (0u - static_cast<std::uint32_t>(cuts[base[i] + half - 1] <= x[i]));
}

template <void (*Halve)(const float*, std::uint32_t, const float*, std::int64_t, std::uint32_t*)>
class batched_peer : public peer {
 public:
  explicit batched_peer(const table& shape)
      : cuts_(shape.cuts<float>()), constants_(shape.narrow_constants()) {
    std::size_t size = 1;
    while (size < cuts_.size() + 1) size *= 2;
    cuts_.resize(size - 1, std::numeric_limits<float>::infinity());
  }
  void predict(const void* x, std::int64_t n, void* y) override {
    for (std::int64_t first = 0; first < n; first += block) {
      const std::int64_t count = std::min(block, n - first);
      std::uint32_t base[block] = {};
      const auto size = static_cast<std::uint32_t>(cuts_.size() + 1);
      for (std::uint32_t half = size / 2; half > 0; half /= 2)
        Halve(cuts_.data(), half, static_cast<const float*>(x) + first, count, base);
      for (std::int64_t i = 0; i < count; ++i)
        static_cast<float*>(y)[first + i] = constants_[base[i]];
    }
  }

 private:
  std::vector<float> cuts_;
  std::vector<float> constants_;
};

// ----------------------------------------------------------------- S+-tree

/// A static B+-tree with nodes of 16 keys, one cache line each: layers of an implicit 17-ary tree
/// over the sorted cuts, searched layer by layer for a block of inputs so that their cache misses
/// overlap. (Slotin 2022, Static B-Trees.)
class s_plus_tree_peer : public peer {
 public:
  explicit s_plus_tree_peer(const table& shape) : constants_(shape.narrow_constants()) {
    const std::vector<float> cuts = shape.cuts<float>();
    std::size_t nodes = (cuts.size() + width - 1) / width;
    std::vector<node> leaves(std::max<std::size_t>(nodes, 1), full_of_infinity());
    for (std::size_t i = 0; i < cuts.size(); ++i) leaves[i / width].keys[i % width] = cuts[i];
    layers_.push_back(leaves);
    std::size_t leaves_below = 1;  // how many leaves are under one node of the layer below
    while (layers_.back().size() > 1) {
      const std::size_t below = layers_.back().size();
      std::vector<node> layer((below + width) / (width + 1), full_of_infinity());
      for (std::size_t k = 0; k < layer.size(); ++k) {
        for (std::size_t j = 0; j < width; ++j) {
          const std::size_t child = k * (width + 1) + j + 1;
          if (child < below) layer[k].keys[j] = leaves[child * leaves_below].keys[0];
        }
      }
      layers_.push_back(std::move(layer));
      leaves_below *= width + 1;
    }
  }
  void predict(const void* x, std::int64_t n, void* y) override {
    for (std::int64_t first = 0; first < n; first += queries) {
      const std::int64_t count = std::min(queries, n - first);
      const float* const inputs = static_cast<const float*>(x) + first;
      std::uint32_t at[queries] = {};
      for (std::size_t layer = layers_.size() - 1; layer > 0; --layer) {
        const node* const nodes = layers_[layer].data();
        for (std::int64_t i = 0; i < count; ++i)
          at[i] = at[i] * (width + 1) + keys_up_to(nodes[at[i]], inputs[i]);
      }
      const node* const leaves = layers_[0].data();
      for (std::int64_t i = 0; i < count; ++i)
        at[i] = at[i] * width + keys_up_to(leaves[at[i]], inputs[i]);
      for (std::int64_t i = 0; i < count; ++i)
        static_cast<float*>(y)[first + i] = constants_[at[i]];
    }
  }

 private:
  static constexpr std::uint32_t width = 16;
  static constexpr std::int64_t queries = 64;
  struct alignas(64) node {
    float keys[width];
  };
  static node full_of_infinity() {
    node full;
    std::fill_n(full.keys, width, std::numeric_limits<float>::infinity());
    return full;
  }
  /// The number of keys of the node that are <= x.
  static std::uint32_t keys_up_to(const node& at, float x) {
#if defined(__AVX512F__)
    const __mmask16 mask =
        _mm512_cmp_ps_mask(_mm512_load_ps(at.keys), _mm512_set1_ps(x), _CMP_LE_OQ);
    return static_cast<std::uint32_t>(__builtin_popcount(mask));
#elif defined(__AVX2__)
    const __m256 wanted = _mm256_set1_ps(x);
    const auto low = static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(at.keys), wanted, _CMP_LE_OQ)));
    const auto high = static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(at.keys + 8), wanted, _CMP_LE_OQ)));
    return static_cast<std::uint32_t>(__builtin_popcount(low | high << 8));
#else
    std::uint32_t count = 0;
    for (const float key : at.keys) count += key <= x ? 1 : 0;
    return count;
#endif
  }
  std::vector<std::vector<node>> layers_;  // the leaves come first
  std::vector<float> constants_;
};

// --------------------------------------------------------- Boost.Histogram

/// The range that Boost.Histogram's vectorised fill takes.
struct float_range {
  const float* first;
  std::int64_t count;
  const float* begin() const { return first; }
  const float* end() const { return first + count; }
  const float* data() const { return first; }
  std::size_t size() const { return static_cast<std::size_t>(count); }
};

/// Predicts by the index of the axis and a look-up, fits by accumulators of count, mean and
/// variance.
class boost_histogram_peer : public peer {
  using axis = boost::histogram::axis::variable<float>;
  using storage = boost::histogram::dense_storage<boost::histogram::accumulators::mean<double>>;

 public:
  explicit boost_histogram_peer(const table& shape)
      : axis_(shape.edges.begin(), shape.edges.end()),
        histogram_(std::make_tuple(axis_), storage()),
        constants_(shape.narrow_constants()) {}
  void predict(const void* x, std::int64_t n, void* y) override {
    for (std::int64_t i = 0; i < n; ++i) {
      const int segment = axis_.index(static_cast<const float*>(x)[i]);
      static_cast<float*>(y)[i] = constants_[static_cast<std::size_t>(segment)];
    }
  }
  void fit(const void* x, const void* y, std::int64_t n) override {
    histogram_.fill(float_range{static_cast<const float*>(x), n},
                    boost::histogram::sample(float_range{static_cast<const float*>(y), n}));
  }
  void moments(double* counts, double* means) override {
    for (int i = 0; i < axis_.size(); ++i) {
      counts[i] = histogram_.at(i).count();
      means[i] = histogram_.at(i).value();
    }
  }

 private:
  axis axis_;
  boost::histogram::histogram<std::tuple<axis>, storage> histogram_;
  std::vector<float> constants_;
};

// ----------------------------------------------------------------- by name

std::unique_ptr<peer> make_peer(const std::string& name, const table& shape,
                                std::int64_t item_size) {
  if (item_size == 8) {
    if (name == "copy") return std::make_unique<copy_peer<double>>(shape);
    if (name == "read") return std::make_unique<read_peer<double>>(shape);
    if (name == "zcmoe_predict") return std::make_unique<zcmoe_predict_peer<double>>(shape);
    if (name == "zcmoe_fit") return std::make_unique<zcmoe_fit_peer<double>>(shape);
  }
  if (item_size != 4) throw std::invalid_argument(name + " takes no such item size");
  if (name == "copy") return std::make_unique<copy_peer<float>>(shape);
  if (name == "read") return std::make_unique<read_peer<float>>(shape);
  if (name == "zcmoe_predict") return std::make_unique<zcmoe_predict_peer<float>>(shape);
  if (name == "zcmoe_fit") return std::make_unique<zcmoe_fit_peer<float>>(shape);
  if (name == "zcmoe_whole_fit") return std::make_unique<zcmoe_whole_fit_peer>(shape);
  if (name == "std") return std::make_unique<std_peer>(shape);
  if (name == "batched") return std::make_unique<batched_peer<halve>>(shape);
  if (name == "batched_gather") return std::make_unique<batched_peer<halve_gathering>>(shape);
  if (name == "s_plus_tree") return std::make_unique<s_plus_tree_peer>(shape);
  if (name == "boost_histogram") return std::make_unique<boost_histogram_peer>(shape);
#if defined(ZCMOE_HAS_THRUST)
  if (auto made = make_thrust_peer(name.c_str(), shape)) return made;
#endif
  throw std::invalid_argument("no peer is called " + name);
}

thread_local std::string last_error;

/// Returns what body returns, or if it throws the given value, with the text of the error.
template <class Value, class Body>
Value guard(Value failed, const Body& body) {
  try {
    return body();
  } catch (const std::exception& failure) {
    last_error = failure.what();
    return failed;
  }
}

/// Calls work(first row) num_calls times on consecutive slices that begin on cache lines.
template <class Work>
double seconds_of_calls(std::int64_t num_rows, std::int64_t n, std::int64_t num_calls,
                        const Work& work) {
  if (n < 0 || n > num_rows) throw std::invalid_argument("n is not within the rows");
  constexpr std::int64_t rows_a_line = 16;
  const std::int64_t stride = (n + rows_a_line - 1) / rows_a_line * rows_a_line;
  std::int64_t first = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t call = 0; call < num_calls; ++call) {
    if (first + n > num_rows) first = 0;
    work(first);
    first += stride;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace
}  // namespace zcmoe::bench

struct peers_handle {
  std::unique_ptr<zcmoe::bench::peer> peer;
  std::int64_t item_size;
};

using zcmoe::bench::guard;

const char* peers_names(void) {
  return "copy read zcmoe_predict zcmoe_fit zcmoe_whole_fit std batched batched_gather s_plus_tree "
         "boost_histogram"
#if defined(ZCMOE_HAS_THRUST)
         " thrust_cpp thrust_tbb thrust_omp"
#endif
      ;
}

const char* peers_build_info(void) {
  static const std::string info =
      std::string("g++ " __VERSION__ "; " ZCMOE_PEERS_FLAGS "; Boost ") +
      std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) +
      "; Thrust " ZCMOE_PEERS_THRUST_VERSION "; " + zcmoe_build_info();
  return info.c_str();
}

const char* peers_error(void) { return zcmoe::bench::last_error.c_str(); }

peers_handle* peers_create(const char* name, const double* edges, const double* constants,
                           int64_t num_segments, int64_t item_size, int64_t threads) {
  return guard<peers_handle*>(nullptr, [&] {
    const zcmoe::bench::table shape{{edges, edges + num_segments + 1},
                                    {constants, constants + num_segments},
                                    static_cast<int>(threads)};
    return new peers_handle{zcmoe::bench::make_peer(name, shape, item_size), item_size};
  });
}

void peers_destroy(peers_handle* handle) { delete handle; }

double peers_predict(peers_handle* handle, const void* x, void* y, int64_t num_rows, int64_t n,
                     int64_t num_calls) {
  return guard(-1.0, [&] {
    return zcmoe::bench::seconds_of_calls(num_rows, n, num_calls, [&](std::int64_t first) {
      const std::int64_t bytes = first * handle->item_size;
      handle->peer->predict(static_cast<const char*>(x) + bytes, n, static_cast<char*>(y) + bytes);
    });
  });
}

double peers_fit(peers_handle* handle, const void* x, const void* y, int64_t num_rows, int64_t n,
                 int64_t num_calls) {
  return guard(-1.0, [&] {
    return zcmoe::bench::seconds_of_calls(num_rows, n, num_calls, [&](std::int64_t first) {
      const std::int64_t bytes = first * handle->item_size;
      handle->peer->fit(static_cast<const char*>(x) + bytes, static_cast<const char*>(y) + bytes,
                        n);
    });
  });
}

int peers_moments(peers_handle* handle, double* counts, double* means) {
  return guard(1, [&] {
    handle->peer->moments(counts, means);
    return 0;
  });
}
