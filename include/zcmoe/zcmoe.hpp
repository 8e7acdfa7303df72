/// @file
/// C++17 over zcmoe.h: owning handles, vectors, exceptions. Header-only; carries no ABI. zcmoe.h
/// documents each call: its ranges, edge cases, cost and what it waits for. Where the C function
/// returns another status than ZCMOE_OK, the function here throws zcmoe::error.
///
/// @code
///   zcmoe::context cpu(ZCMOE_ENGINE_CPU);
///   zcmoe::fit fit(cpu, zcmoe::uniform_edges(0, 1, 64));
///   fit.add_sync(x, y);                   // std::vector<float> or <double>; or pointer and length
///   zcmoe::model model = fit.finish();
///   std::vector<double> predictions = model.predict_sync(x);
/// @endcode
#pragma once

#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// The library in C++.
namespace zcmoe {

/// What a failed call throws: its status and the text of zcmoe_last_error().
class error : public std::runtime_error {
 public:
  /// Keeps a status and its text.
  /// @param status  what the call returned
  /// @param text    of zcmoe_last_error(); copied
  error(zcmoe_status status, const char* text) : std::runtime_error(text), status_(status) {}
  /// @return what the call returned
  zcmoe_status status() const noexcept { return status_; }

 private:
  zcmoe_status status_;
};

/// Throws error unless a call has succeeded.
/// @param status  what the call returned, just now on this thread
inline void check(zcmoe_status status) {
  if (status != ZCMOE_OK) throw error(status, zcmoe_last_error());
}

/// The zcmoe_dtype of a C++ type; half floats have none.
/// @return its number; 0 for types that the library does not read
template <class T>
constexpr zcmoe_dtype dtype_of() {
  using value = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<value, float>) return ZCMOE_F32;
  if constexpr (std::is_same_v<value, double>) return ZCMOE_F64;
  if constexpr (std::is_same_v<value, std::int8_t>) return ZCMOE_I8;
  if constexpr (std::is_same_v<value, std::uint8_t>) return ZCMOE_U8;
  if constexpr (std::is_same_v<value, std::int16_t>) return ZCMOE_I16;
  if constexpr (std::is_same_v<value, std::uint16_t>) return ZCMOE_U16;
  if constexpr (std::is_same_v<value, std::int32_t>) return ZCMOE_I32;
  if constexpr (std::is_same_v<value, std::uint32_t>) return ZCMOE_U32;
  if constexpr (std::is_same_v<value, std::int64_t>) return ZCMOE_I64;
  if constexpr (std::is_same_v<value, std::uint64_t>) return ZCMOE_U64;
  return 0;
}

/// Describes memory the library reads.
/// @param data    element 0
/// @param stride  in elements
/// @return a view that does not own the memory
template <class T>
zcmoe_array array(const T* data, std::int64_t stride = 1) {
  static_assert(dtype_of<T>() != 0, "not a type zcmoe reads");
  return {data, dtype_of<T>(), stride};
}
/// Describes memory the library writes.
/// @param data    element 0; null: not wanted
/// @param stride  in elements
/// @return a view that does not own the memory
template <class T>
zcmoe_output output(T* data, std::int64_t stride = 1) {
  static_assert(dtype_of<T>() != 0, "not a type zcmoe writes");
  return {data, dtype_of<T>(), stride};
}
/// Stands for weights that are not given.
/// @return an array without data
inline zcmoe_array no_array() { return {nullptr, ZCMOE_F64, 1}; }

/// Options to change some of.
/// @return all defaults
inline zcmoe_model_options model_options() { return ZCMOE_MODEL_OPTIONS_INIT; }
/// Options to change some of.
/// @return all defaults
inline zcmoe_fit_options fit_options() { return ZCMOE_FIT_OPTIONS_INIT; }
/// Options to change some of.
/// @return all defaults
inline zcmoe_context_options context_options() { return ZCMOE_CONTEXT_OPTIONS_INIT; }
/// Outputs to ask for some of.
/// @return none wanted
inline zcmoe_predict_outputs predict_outputs() { return ZCMOE_PREDICT_OUTPUTS_INIT; }
/// Outputs to ask for some of.
/// @return none wanted
inline zcmoe_group_outputs group_outputs() { return ZCMOE_GROUP_OUTPUTS_INIT; }

namespace detail {
template <class Handle, zcmoe_status (*Destroy)(Handle*)>
struct destroyer {
  void operator()(Handle* handle) const noexcept { Destroy(handle); }
};
inline std::int64_t length_of(const std::vector<double>& edges) {
  return static_cast<std::int64_t>(edges.size()) - 1;
}

/// Runs a builder of at most num_segments segments and keeps what it built.
template <class Build>
std::vector<double> built_edges(std::int64_t num_segments, Build&& build) {
  if (num_segments < 1 || num_segments > ZCMOE_MAX_SEGMENTS) {
    throw error(ZCMOE_ERR_INVALID_ARGUMENT, ("num_segments=" + std::to_string(num_segments) +
                                             " is not in 1.." + std::to_string(ZCMOE_MAX_SEGMENTS))
                                                .c_str());
  }
  std::vector<double> edges(static_cast<std::size_t>(num_segments) + 1);
  std::int64_t built = num_segments;
  check(build(edges.data(), &built));
  edges.resize(static_cast<std::size_t>(built) + 1);
  return edges;
}

/// All bytes of a call that fills a buffer.
template <class Serialize>
std::vector<unsigned char> serialized(Serialize&& serialize) {
  std::vector<unsigned char> buffer(std::size_t{1} << 16);  // enough for most; else a second pass
  std::size_t bytes = 0;
  zcmoe_status status = serialize(buffer.data(), buffer.size(), &bytes);
  if (status == ZCMOE_ERR_WORKSPACE) {
    buffer.resize(bytes);
    status = serialize(buffer.data(), buffer.size(), &bytes);
  }
  check(status);
  buffer.resize(bytes);
  return buffer;
}

/// Lets a callable cross the C interface; an exception it throws is kept and thrown again behind
/// the call.
template <class First, class Second>
struct callbacks {
  const First& first;
  const Second& second;
  std::exception_ptr thrown = nullptr;

  static double call_first(void* user, double x) {
    return static_cast<callbacks*>(user)->call(true, x);
  }
  static double call_second(void* user, double x) {
    return static_cast<callbacks*>(user)->call(false, x);
  }
  double call(bool is_first, double x) noexcept {
    if (thrown) return 0.0;
    try {
      return is_first ? first(x) : second(x);
    } catch (...) {
      thrown = std::current_exception();
      return 0.0;
    }
  }
  void rethrow() const {
    if (thrown) std::rethrow_exception(thrown);
  }
};
}  // namespace detail

// ------------------------------------------------------------ segmentation

/// Builds segments of equal width: zcmoe_segment_uniform().
/// @param lo            lower end of the range, finite
/// @param hi            upper end, finite, lo < hi
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @return m + 1 edges
inline std::vector<double> uniform_edges(double lo, double hi, std::int64_t num_segments) {
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t*) {
    return zcmoe_segment_uniform(lo, hi, num_segments, edges);
  });
}

/// Throws unless edges are finite and strictly increasing: zcmoe_segment_check().
/// @param edges  m + 1 numbers, m >= 1
inline void check_edges(const std::vector<double>& edges) {
  check(zcmoe_segment_check(edges.data(), detail::length_of(edges)));
}

/// Builds segments of equal mass: zcmoe_segment_quantile().
/// @param x             inputs, [n], host memory
/// @param weights       [n], host memory; may be no_array()
/// @param n             number of rows
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @return one edge more than there are segments, of which there are at most m
inline std::vector<double> quantile_edges(zcmoe_array x, zcmoe_array weights, std::int64_t n,
                                          std::int64_t num_segments) {
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
    return zcmoe_segment_quantile(x, weights, n, num_segments, edges, built);
  });
}
/// Builds segments of equal mass of inputs without weights.
/// @param x             inputs
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @return one edge more than there are segments, of which there are at most m
template <class T>
std::vector<double> quantile_edges(const std::vector<T>& x, std::int64_t num_segments) {
  return quantile_edges(array(x.data()), no_array(), static_cast<std::int64_t>(x.size()),
                        num_segments);
}

/// Builds the segments of any point density: zcmoe_segment_density(). What it throws is thrown
/// again behind the call.
/// @param point_density  lambda >= 0, any callable from double to double
/// @param lo             lower end of the range, finite
/// @param hi             upper end, finite, lo < hi
/// @param num_segments   m, 1 to ZCMOE_MAX_SEGMENTS
/// @param options        null: all defaults
/// @return one edge more than there are segments, of which there are at most m
template <class Density>
std::vector<double> density_edges(const Density& point_density, double lo, double hi,
                                  std::int64_t num_segments,
                                  const zcmoe_density_options* options = nullptr) {
  using one = detail::callbacks<Density, Density>;
  one calls{point_density, point_density};
  return detail::built_edges(num_segments, [&](double* out, std::int64_t* built) {
    const zcmoe_status status =
        zcmoe_segment_density(&one::call_first, &calls, lo, hi, num_segments, options, out, built);
    calls.rethrow();
    return status;
  });
}

/// Builds the optimal segments of tables: zcmoe_segment_optimal_table(). It also throws error if
/// the three differ in length.
/// @param grid          two points or more, strictly increasing
/// @param density       p >= 0 on the grid
/// @param slope         b' on the grid
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param options       null: all defaults
/// @return one edge more than there are segments, of which there are at most m
inline std::vector<double> optimal_table_edges(const std::vector<double>& grid,
                                               const std::vector<double>& density,
                                               const std::vector<double>& slope,
                                               std::int64_t num_segments,
                                               const zcmoe_density_options* options = nullptr) {
  if (density.size() != grid.size() || slope.size() != grid.size()) {
    throw error(ZCMOE_ERR_INVALID_ARGUMENT, "grid, density and slope differ in length");
  }
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
    return zcmoe_segment_optimal_table(grid.data(), density.data(), slope.data(),
                                       static_cast<std::int64_t>(grid.size()), num_segments,
                                       options, edges, built);
  });
}

/// Builds the optimal segments of known functions: zcmoe_segment_optimal(). What they throw is
/// thrown again behind the call.
/// @param density       p >= 0, any callable from double to double
/// @param slope         b', likewise
/// @param lo            lower end of the range, finite
/// @param hi            upper end, finite, lo < hi
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param options       null: all defaults
/// @return one edge more than there are segments, of which there are at most m
template <class Density, class Slope>
std::vector<double> optimal_edges(const Density& density, const Slope& slope, double lo, double hi,
                                  std::int64_t num_segments,
                                  const zcmoe_density_options* options = nullptr) {
  using both = detail::callbacks<Density, Slope>;
  both calls{density, slope};
  auto edges = detail::built_edges(num_segments, [&](double* out, std::int64_t* built) {
    const zcmoe_status status = zcmoe_segment_optimal(&both::call_first, &both::call_second, &calls,
                                                      lo, hi, num_segments, options, out, built);
    calls.rethrow();
    return status;
  });
  return edges;
}

/// Builds the segments of least error from samples: zcmoe_segment_optimal_from_data(). It also
/// throws error if x and y differ in length.
/// @param x             inputs
/// @param y             targets
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @return one edge more than there are segments, of which there are at most m
template <class X, class Y>
std::vector<double> optimal_edges_from_data(const std::vector<X>& x, const std::vector<Y>& y,
                                            std::int64_t num_segments) {
  if (x.size() != y.size()) throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
    return zcmoe_segment_optimal_from_data(array(x.data()), array(y.data()), no_array(),
                                           static_cast<std::int64_t>(x.size()), num_segments, edges,
                                           built);
  });
}

/// Builds the segments of least error for lines from samples: zcmoe_segment_lines_from_data(). It
/// also throws error if x and y differ in length.
/// @param x             inputs
/// @param y             targets
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @return one edge more than there are segments, of which there are at most m
template <class X, class Y>
std::vector<double> line_edges_from_data(const std::vector<X>& x, const std::vector<Y>& y,
                                         std::int64_t num_segments) {
  if (x.size() != y.size()) throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
    return zcmoe_segment_lines_from_data(array(x.data()), array(y.data()), no_array(),
                                         static_cast<std::int64_t>(x.size()), num_segments, edges,
                                         built);
  });
}

/// Builds segments from samples by a crude point density: zcmoe_segment_compander_from_data(). It
/// also throws error if x and y differ in length.
/// @param x             inputs
/// @param y             targets
/// @param num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param options       null: all defaults
/// @return one edge more than there are segments, of which there are at most m
template <class X, class Y>
std::vector<double> compander_edges_from_data(const std::vector<X>& x, const std::vector<Y>& y,
                                              std::int64_t num_segments,
                                              const zcmoe_plug_in_options* options = nullptr) {
  if (x.size() != y.size()) throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  return detail::built_edges(num_segments, [&](double* edges, std::int64_t* built) {
    return zcmoe_segment_compander_from_data(array(x.data()), array(y.data()), no_array(),
                                             static_cast<std::int64_t>(x.size()), num_segments,
                                             options, edges, built);
  });
}

/// Computes the constants of known functions: zcmoe_optimal_constants(). What they throw is thrown
/// again behind the call.
/// @param density     p >= 0, any callable from double to double
/// @param regression  b, likewise
/// @param edges       finite and strictly increasing, two or more
/// @param rule        ZCMOE_CONSTANT_MEAN or ZCMOE_CONSTANT_MIDPOINT
/// @return one constant a segment
template <class Density, class Regression>
std::vector<double> optimal_constants(const Density& density, const Regression& regression,
                                      const std::vector<double>& edges,
                                      zcmoe_constant_rule rule = ZCMOE_CONSTANT_MEAN) {
  using both = detail::callbacks<Density, Regression>;
  both calls{density, regression};
  std::vector<double> constants(edges.empty() ? 0 : edges.size() - 1);
  const zcmoe_status status =
      zcmoe_optimal_constants(&both::call_first, &both::call_second, &calls, edges.data(),
                              detail::length_of(edges), rule, constants.data());
  calls.rethrow();
  check(status);
  return constants;
}

// ----------------------------------------------------------------- context

/// A zcmoe_context. Belongs to one thread at a time; models and fits made in it may outlive it.
class context {
 public:
  /// Chooses an engine: zcmoe_context_create().
  /// @param engine  one of the ZCMOE_ENGINE_ numbers
  explicit context(zcmoe_engine engine = ZCMOE_ENGINE_AUTO) {
    zcmoe_context_options options = context_options();
    options.engine = engine;
    create(options);
  }
  /// Chooses an engine and its memory.
  /// @param options  as context_options() gives them, changed
  explicit context(const zcmoe_context_options& options) { create(options); }

  /// @return which engine it is
  zcmoe_context_info info() const {
    zcmoe_context_info info = ZCMOE_CONTEXT_INFO_INIT;
    check(zcmoe_context_get_info(get(), &info));
    return info;
  }
  /// @return the handle, still owned
  zcmoe_context* get() const noexcept { return handle_.get(); }

 private:
  void create(const zcmoe_context_options& options) {
    zcmoe_context* handle = nullptr;
    check(zcmoe_context_create(&options, &handle));
    handle_.reset(handle);
  }
  std::unique_ptr<zcmoe_context, detail::destroyer<zcmoe_context, zcmoe_context_destroy>> handle_;
};

// ------------------------------------------------------------------- model

/// A zcmoe_model. Immutable: any number of threads and streams may use it at once.
class model {
 public:
  /// Takes ownership of a handle.
  /// @param handle  a model of the C interface
  explicit model(zcmoe_model* handle) : handle_(handle) {}
  /// Makes a model from known constants: zcmoe_model_create(). It also throws error if the lengths
  /// do not fit.
  /// @param context    whose engine the model lives on
  /// @param edges      one more than constants
  /// @param constants  one a segment
  /// @param options    policies
  model(const context& context, const std::vector<double>& edges,
        const std::vector<double>& constants,
        const zcmoe_model_options& options = model_options()) {
    if (edges.size() != constants.size() + 1) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "edges must have one entry more than constants");
    }
    zcmoe_model* handle = nullptr;
    check(zcmoe_model_create(context.get(), edges.data(), constants.data(),
                             detail::length_of(edges), &options, &handle));
    handle_.reset(handle);
  }
  /// Makes a model from known lines: zcmoe_model_create_lines(). It also throws error if the
  /// lengths do not fit.
  /// @param context  whose engine the model lives on
  /// @param edges    one more than lines
  /// @param lines    one a segment
  /// @param options  policies, with the kind of experts that the lines are
  /// @return the model
  static model of_lines(const context& context, const std::vector<double>& edges,
                        const std::vector<zcmoe_line>& lines, const zcmoe_model_options& options) {
    if (edges.size() != lines.size() + 1) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "edges must have one entry more than lines");
    }
    zcmoe_model* handle = nullptr;
    check(zcmoe_model_create_lines(context.get(), edges.data(), lines.data(),
                                   detail::length_of(edges), &options, &handle));
    return model(handle);
  }
  /// Reads the constants of this model by interpolation: zcmoe_model_interpolate().
  /// @return a model of one segment fewer
  model interpolated() const {
    zcmoe_model* handle = nullptr;
    check(zcmoe_model_interpolate(get(), &handle));
    return model(handle);
  }
  /// Reads a model's file: zcmoe_model_load().
  /// @param context  whose engine the model lives on
  /// @param path     where from
  /// @return the model
  static model load(const context& context, const std::string& path) {
    zcmoe_model* handle = nullptr;
    check(zcmoe_model_load(context.get(), path.c_str(), &handle));
    return model(handle);
  }
  /// Makes a model of the bytes of its file: zcmoe_model_deserialize().
  /// @param context  whose engine the model lives on
  /// @param bytes    what serialize() gave
  /// @return the model
  static model deserialize(const context& context, const std::vector<unsigned char>& bytes) {
    zcmoe_model* handle = nullptr;
    check(zcmoe_model_deserialize(context.get(), bytes.data(), bytes.size(), &handle));
    return model(handle);
  }
  /// @return the bytes of the model's file
  std::vector<unsigned char> serialize() const {
    return detail::serialized([this](void* buffer, std::size_t capacity, std::size_t* bytes) {
      return zcmoe_model_serialize(get(), buffer, capacity, bytes);
    });
  }
  /// Writes the model's file: zcmoe_model_save().
  /// @param path  where to
  void save(const std::string& path) const { check(zcmoe_model_save(get(), path.c_str())); }

  /// @return what the model holds; its pointers are valid as long as the model
  zcmoe_model_info info() const {
    zcmoe_model_info info{};
    info.struct_size = sizeof info;
    check(zcmoe_model_get_info(get(), &info));
    return info;
  }
  /// @return tables for kernels of your own; wrap it in zcmoe::model_view (model_view.hpp)
  zcmoe_model_view view() const {
    zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
    check(zcmoe_model_get_view(get(), &view));
    return view;
  }

  /// Predicts in the engine's memory, ordered on the stream: zcmoe_predict().
  /// @param x        inputs, [n]
  /// @param n        number of rows
  /// @param outputs  what to write, and where
  /// @param stream   the work is ordered on it
  void predict(zcmoe_array x, std::int64_t n, const zcmoe_predict_outputs& outputs,
               zcmoe_stream stream) const {
    check(zcmoe_predict(get(), x, n, &outputs, stream));
  }
  /// Predicts in host memory, done on return: zcmoe_predict_sync().
  /// @param x        inputs, [n]
  /// @param n        number of rows
  /// @param outputs  what to write, and where
  /// @param stream   CUDA: does the work
  void predict_sync(zcmoe_array x, std::int64_t n, const zcmoe_predict_outputs& outputs,
                    zcmoe_stream stream = nullptr) const {
    check(zcmoe_predict_sync(get(), x, n, &outputs, stream));
  }
  /// Predicts for host inputs in their own precision.
  /// @param x  inputs
  /// @return one constant a row, float for float, else double
  template <class T>
  auto predict_sync(const std::vector<T>& x) const {
    std::vector<std::conditional_t<std::is_same_v<T, float>, float, double>> values(x.size());
    zcmoe_predict_outputs outputs = predict_outputs();
    outputs.values = output(values.data());
    predict_sync(array(x.data()), static_cast<std::int64_t>(x.size()), outputs);
    return values;
  }

  /// Makes the rows of each segment contiguous, ordered on the stream: zcmoe_group().
  /// @param x                inputs, [n]
  /// @param n                number of rows
  /// @param outputs          what to write, and where
  /// @param workspace        engine memory, 256-byte aligned; null: taken from the allocator
  /// @param workspace_bytes  as group_workspace() says
  /// @param stream           the work is ordered on it
  void group(zcmoe_array x, std::int64_t n, const zcmoe_group_outputs& outputs, void* workspace,
             std::size_t workspace_bytes, zcmoe_stream stream) const {
    check(zcmoe_group(get(), x, n, &outputs, workspace, workspace_bytes, stream));
  }
  /// Groups in host memory, done on return: zcmoe_group_sync().
  /// @param x        inputs, [n]
  /// @param n        number of rows
  /// @param outputs  what to write, and where
  /// @param stream   CUDA: does the work
  void group_sync(zcmoe_array x, std::int64_t n, const zcmoe_group_outputs& outputs,
                  zcmoe_stream stream = nullptr) const {
    check(zcmoe_group_sync(get(), x, n, &outputs, stream));
  }
  /// Tells the workspace of group(): zcmoe_group_workspace().
  /// @param n  number of rows
  /// @return bytes; 0 on the CPU engine
  std::size_t group_workspace(std::int64_t n) const {
    std::size_t bytes = 0;
    check(zcmoe_group_workspace(get(), n, &bytes));
    return bytes;
  }
  /// Rows of host inputs in the order of their slots: slot s has rows[offsets[s]] to
  /// rows[offsets[s + 1] - 1].
  struct grouping {
    std::vector<std::int64_t> offsets;  ///< [num_slots + 1]
    std::vector<std::int64_t> rows;     ///< [n], ascending within a slot
  };
  /// Groups host inputs.
  /// @param x  inputs
  /// @return the rows of each slot
  template <class T>
  grouping group_sync(const std::vector<T>& x) const {
    grouping result;
    result.offsets.resize(static_cast<std::size_t>(info().num_slots) + 1);
    result.rows.resize(x.size());
    zcmoe_group_outputs outputs = group_outputs();
    outputs.offsets = output(result.offsets.data());
    if (!x.empty()) outputs.rows = output(result.rows.data());
    group_sync(array(x.data()), static_cast<std::int64_t>(x.size()), outputs);
    return result;
  }
  /// @return the handle, still owned
  zcmoe_model* get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<zcmoe_model, detail::destroyer<zcmoe_model, zcmoe_model_destroy>> handle_;
};

// --------------------------------------------------------------------- fit

/// A zcmoe_fit. Belongs to one thread at a time.
class fit {
 public:
  /// Starts a fit: zcmoe_fit_create().
  /// @param context  whose engine the fit lives on
  /// @param edges    finite and strictly increasing, two or more
  /// @param model    policies of the fit and of its models
  /// @param options  how rows are added
  fit(const context& context, const std::vector<double>& edges,
      const zcmoe_model_options& model = model_options(),
      const zcmoe_fit_options& options = fit_options()) {
    zcmoe_fit* handle = nullptr;
    check(zcmoe_fit_create(context.get(), edges.data(), detail::length_of(edges), &model, &options,
                           &handle));
    handle_.reset(handle);
  }
  /// Makes a fit of a written state: zcmoe_fit_deserialize().
  /// @param context  whose engine the fit lives on
  /// @param bytes    what serialize() gave
  /// @return the fit
  static fit deserialize(const context& context, const std::vector<unsigned char>& bytes) {
    zcmoe_fit* handle = nullptr;
    check(zcmoe_fit_deserialize(context.get(), bytes.data(), bytes.size(), &handle));
    return fit(handle);
  }

  /// Adds samples in the engine's memory, ordered on the stream: zcmoe_fit_add().
  /// @param x                inputs, [n]
  /// @param y                targets, [n]
  /// @param weights          [n]; no_array() if the fit is not weighted
  /// @param n                number of rows
  /// @param workspace        engine memory, 256-byte aligned; null: taken from the allocator
  /// @param workspace_bytes  as workspace() says
  /// @param stream           the work is ordered on it
  void add(zcmoe_array x, zcmoe_array y, zcmoe_array weights, std::int64_t n, void* workspace,
           std::size_t workspace_bytes, zcmoe_stream stream) {
    check(zcmoe_fit_add(get(), x, y, weights, n, workspace, workspace_bytes, stream));
  }
  /// Adds samples in host memory, done on return: zcmoe_fit_add_sync().
  /// @param x        inputs, [n]
  /// @param y        targets, [n]
  /// @param weights  [n]; no_array() if the fit is not weighted
  /// @param n        number of rows
  /// @param stream   CUDA: does the work
  void add_sync(zcmoe_array x, zcmoe_array y, zcmoe_array weights, std::int64_t n,
                zcmoe_stream stream = nullptr) {
    check(zcmoe_fit_add_sync(get(), x, y, weights, n, stream));
  }
  /// Adds samples in host memory. It also throws error if x and y differ in length.
  /// @param x  inputs
  /// @param y  targets
  template <class X, class Y>
  void add_sync(const std::vector<X>& x, const std::vector<Y>& y) {
    if (x.size() != y.size()) throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
    add_sync(array(x.data()), array(y.data()), no_array(), static_cast<std::int64_t>(x.size()));
  }
  /// Adds weighted samples in host memory. It also throws error if the three differ in length.
  /// @param x        inputs
  /// @param y        targets
  /// @param weights  >= 0
  template <class X, class Y, class W>
  void add_sync(const std::vector<X>& x, const std::vector<Y>& y, const std::vector<W>& weights) {
    if (x.size() != y.size() || x.size() != weights.size()) {
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x, y and weights differ in length");
    }
    add_sync(array(x.data()), array(y.data()), array(weights.data()),
             static_cast<std::int64_t>(x.size()));
  }

  /// Adds the samples of another fit: zcmoe_fit_merge().
  /// @param source  the other fit
  /// @param stream  the work is ordered on it
  void merge(const fit& source, zcmoe_stream stream = nullptr) {
    check(zcmoe_fit_merge(get(), source.get(), stream));
  }
  /// Tells the workspace of add(): zcmoe_fit_workspace().
  /// @param n  number of rows
  /// @return bytes; 0 on the CPU engine
  std::size_t workspace(std::int64_t n) const {
    std::size_t bytes = 0;
    check(zcmoe_fit_workspace(get(), n, &bytes));
    return bytes;
  }
  /// Tells which rows policies touched: zcmoe_fit_get_report().
  /// @param stream  the stream that rows were added on
  /// @return counts of all rows added
  zcmoe_report report(zcmoe_stream stream = nullptr) const {
    zcmoe_report report{};
    check(zcmoe_fit_get_report(get(), &report, stream));
    return report;
  }
  /// Makes the model of the samples so far: zcmoe_fit_finish().
  /// @param stream  the stream that rows were added on
  /// @return the model; the fit stays usable
  model finish(zcmoe_stream stream = nullptr) const {
    zcmoe_model* handle = nullptr;
    check(zcmoe_fit_finish(get(), &handle, stream));
    return model(handle);
  }
  /// Writes the state: zcmoe_fit_serialize().
  /// @param stream  the stream that rows were added on
  /// @return its bytes
  std::vector<unsigned char> serialize(zcmoe_stream stream = nullptr) const {
    return detail::serialized([&](void* buffer, std::size_t capacity, std::size_t* bytes) {
      return zcmoe_fit_serialize(get(), buffer, capacity, bytes, stream);
    });
  }
  /// Takes over a handle.
  /// @param handle  of the C interface
  explicit fit(zcmoe_fit* handle) : handle_(handle) {}
  /// @return the handle, still owned
  zcmoe_fit* get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<zcmoe_fit, detail::destroyer<zcmoe_fit, zcmoe_fit_destroy>> handle_;
};

}  // namespace zcmoe
