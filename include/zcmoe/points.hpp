/// @file
/// C++17 over points.h: columns, results by value, exceptions. Header-only; carries no ABI.
/// points.h documents each call. Where the C function returns another status than ZCMOE_OK, the
/// function here throws zcmoe::error.
///
/// @code
///   zcmoe::context context;
///   zcmoe::points x;
///   x.add(distance).add(delay);                    // vectors of any type, of one length
///   zcmoe::learned made = zcmoe::learn(context, x, air_time);
///   std::vector<double> y = zcmoe::predict_points_sync(made.table, x);
///   made.table.save("air_time.safetensors");       // made.report.candidates, ...
/// @endcode
#pragma once

#include <zcmoe/points.h>
#include <zcmoe/zcmoe.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace zcmoe {

/// Options to change some of.
/// @return all defaults
inline zcmoe_learn_options learn_options() { return ZCMOE_LEARN_OPTIONS_INIT; }

/// Rows of several inputs, one column after the other. It does not own what columns lead to.
class points {
 public:
  points() = default;

  /// Views a table with one row after the other.
  /// @param data        element 0 of row 0
  /// @param num_rows    n
  /// @param num_inputs  d, numbers of a row
  /// @return its columns
  template <class T>
  static points row_major(const T* data, std::int64_t num_rows, std::int64_t num_inputs) {
    points made;
    for (std::int64_t j = 0; j < num_inputs; ++j) {
      made.add(array(data + j, num_inputs), num_rows);
    }
    return made;
  }

  /// Adds a column. It throws error if the columns before it have another length.
  /// @param column    the next input of every row
  /// @param num_rows  n
  /// @return this object
  points& add(zcmoe_array column, std::int64_t num_rows) {
    if (!columns_.empty() && num_rows != num_rows_)
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "columns differ in length");
    num_rows_ = num_rows;
    columns_.push_back(column);
    return *this;
  }
  /// Adds a column. It throws error if the columns before it have another length.
  /// @param column  the next input of every row; must live as long as it is used
  /// @return this object
  template <class T>
  points& add(const std::vector<T>& column) {
    return add(array(column.data()), static_cast<std::int64_t>(column.size()));
  }

  /// @return n
  std::int64_t num_rows() const { return num_rows_; }
  /// @return d
  std::int64_t num_inputs() const { return static_cast<std::int64_t>(columns_.size()); }
  /// The columns as the C interface takes them.
  /// @return a view, valid until another column is added
  zcmoe_points view() const {
    zcmoe_points x = ZCMOE_POINTS_INIT;
    x.num_inputs = num_inputs();
    x.columns = columns_.data();
    return x;
  }

 private:
  std::vector<zcmoe_array> columns_;
  std::int64_t num_rows_ = 0;
};

// ------------------------------------------------------------------- learn

/// A model of several inputs, and what learning saw and chose.
struct learned {
  model table;                ///< the model
  zcmoe_learn_report report;  ///< what was tried, and how rows were held out
};

/// Learns a model from rows, whose arrays may lie in device memory: zcmoe_learn_sync().
/// @param context  whose engine the model lives on
/// @param x        inputs
/// @param y        targets, as many as x has rows
/// @param weights  likewise, or no_array()
/// @param options  how the model is learned
/// @return the model, and what was tried
inline learned learn(const context& context, const points& x, zcmoe_array y, zcmoe_array weights,
                     const zcmoe_learn_options& options = learn_options()) {
  const zcmoe_points rows = x.view();
  zcmoe_learn_report report{};
  report.struct_size = sizeof report;
  zcmoe_model* handle = nullptr;
  check(
      zcmoe_learn_sync(context.get(), &rows, y, weights, x.num_rows(), &options, &report, &handle));
  return {model(handle), report};
}
/// Learns a model from rows without weights: zcmoe_learn_sync().
/// @param context  whose engine the model lives on
/// @param x        inputs
/// @param y        targets, as many as x has rows
/// @param options  how the model is learned
/// @return the model, and what was tried
inline learned learn(const context& context, const points& x, zcmoe_array y,
                     const zcmoe_learn_options& options = learn_options()) {
  return learn(context, x, y, no_array(), options);
}
/// Learns a model from rows in host memory: zcmoe_learn_sync(). It also throws error if x and y
/// differ in length.
/// @param context  whose engine the model lives on
/// @param x        inputs
/// @param y        targets
/// @param options  how the model is learned
/// @return the model, and what was tried
template <class Y>
learned learn(const context& context, const points& x, const std::vector<Y>& y,
              const zcmoe_learn_options& options = learn_options()) {
  if (x.num_rows() != static_cast<std::int64_t>(y.size()))
    throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  return learn(context, x, array(y.data()), options);
}
namespace detail {
/// Runs `learn` with options that ask a callable whether to go on.
template <class Learn>
learned with_progress(zcmoe_learn_options options, const std::function<bool(double)>& progress,
                      Learn&& learn) {
  struct call {
    const std::function<bool(double)>& progress;
    std::exception_ptr thrown;
    static std::int32_t run(void* user, double done) {
      call& self = *static_cast<call*>(user);
      try {
        return self.progress(done) ? 0 : 1;
      } catch (...) {
        self.thrown = std::current_exception();
        return 1;
      }
    }
  } own{progress, nullptr};
  options.progress = &call::run;
  options.user = &own;
  try {
    return learn(options);
  } catch (const error&) {
    if (own.thrown) std::rethrow_exception(own.thrown);
    throw;
  }
}
}  // namespace detail

/// Learns a model and tells how far it has come. What the callable throws is thrown again behind
/// the call.
/// @param context   whose engine the model lives on
/// @param x         inputs
/// @param y         targets, as many as x has rows
/// @param options   how the model is learned; its progress and user are not looked at
/// @param progress  given the share that is done, answers whether to go on; if not, error is thrown
///   with ZCMOE_ERR_CANCELLED
/// @return the model, and what was tried
inline learned learn(const context& context, const points& x, zcmoe_array y,
                     zcmoe_learn_options options, const std::function<bool(double)>& progress) {
  return detail::with_progress(
      options, progress, [&](const zcmoe_learn_options& all) { return learn(context, x, y, all); });
}

/// A zcmoe_learner, which learns from rows in chunks. Belongs to one thread at a time.
class learner {
 public:
  /// Starts a learner: zcmoe_learner_create().
  /// @param context     whose engine models will live on
  /// @param num_inputs  d
  /// @param options     whose nan_policy, sample_rows and weighted belong to it
  learner(const context& context, std::int64_t num_inputs,
          const zcmoe_learn_options& options = learn_options()) {
    zcmoe_learner* handle = nullptr;
    check(zcmoe_learner_create(context.get(), num_inputs, &options, &handle));
    handle_.reset(handle);
  }
  /// Makes a learner of a written state: zcmoe_learner_deserialize().
  /// @param context  whose engine models will live on
  /// @param bytes    what serialize() gave
  /// @return the learner
  static learner deserialize(const context& context, const std::vector<unsigned char>& bytes) {
    zcmoe_learner* handle = nullptr;
    check(zcmoe_learner_deserialize(context.get(), bytes.data(), bytes.size(), &handle));
    return learner(handle);
  }

  /// Adds rows in host memory: zcmoe_learner_add_sync().
  /// @param x        inputs
  /// @param y        targets, as many as x has rows
  /// @param weights  likewise; no_array() if the learner is not weighted
  void add_sync(const points& x, zcmoe_array y, zcmoe_array weights = no_array()) {
    const zcmoe_points rows = x.view();
    check(zcmoe_learner_add_sync(get(), &rows, y, weights, x.num_rows()));
  }
  /// Adds rows in host memory. It also throws error if x and y differ in length.
  /// @param x  inputs
  /// @param y  targets
  template <class Y>
  void add_sync(const points& x, const std::vector<Y>& y) {
    if (x.num_rows() != static_cast<std::int64_t>(y.size()))
      throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
    add_sync(x, array(y.data()));
  }
  /// Adds the rows of another learner: zcmoe_learner_merge().
  /// @param source  the other learner
  void merge(const learner& source) { check(zcmoe_learner_merge(get(), source.get())); }
  /// Makes a model of the rows so far: zcmoe_learner_finish().
  /// @param options  how it is learned
  /// @return the model, and what was tried; the learner stays usable
  learned finish(const zcmoe_learn_options& options = learn_options()) const {
    zcmoe_learn_report report{};
    report.struct_size = sizeof report;
    zcmoe_model* handle = nullptr;
    check(zcmoe_learner_finish(get(), &options, &report, &handle));
    return {model(handle), report};
  }
  /// Makes a model and tells how far it has come, as learn() does.
  /// @param options   how it is learned; its progress and user are not looked at
  /// @param progress  given the share that is done, answers whether to go on
  /// @return the model, and what was tried
  learned finish(const zcmoe_learn_options& options,
                 const std::function<bool(double)>& progress) const {
    return detail::with_progress(options, progress,
                                 [&](const zcmoe_learn_options& all) { return finish(all); });
  }
  /// Writes the state: zcmoe_learner_serialize().
  /// @return its bytes
  std::vector<unsigned char> serialize() const {
    return detail::serialized([this](void* buffer, std::size_t capacity, std::size_t* bytes) {
      return zcmoe_learner_serialize(get(), buffer, capacity, bytes);
    });
  }
  /// @return the handle, still owned
  zcmoe_learner* get() const noexcept { return handle_.get(); }

 private:
  explicit learner(zcmoe_learner* handle) : handle_(handle) {}
  std::unique_ptr<zcmoe_learner, detail::destroyer<zcmoe_learner, zcmoe_learner_destroy>> handle_;
};

// ----------------------------------------------------------------- predict

/// Predicts for rows in the engine's memory: zcmoe_predict_points().
/// @param from     a model of as many inputs as x has
/// @param x        inputs
/// @param outputs  what to write, and where
/// @param stream   the work is ordered on it
inline void predict_points(const model& from, const points& x, const zcmoe_predict_outputs& outputs,
                           zcmoe_stream stream = nullptr) {
  const zcmoe_points rows = x.view();
  check(zcmoe_predict_points(from.get(), &rows, x.num_rows(), &outputs, stream));
}
/// Predicts for rows in host memory: zcmoe_predict_points_sync().
/// @param from     a model of as many inputs as x has
/// @param x        inputs
/// @param outputs  what to write, and where
/// @param stream   CUDA: does the work
inline void predict_points_sync(const model& from, const points& x,
                                const zcmoe_predict_outputs& outputs,
                                zcmoe_stream stream = nullptr) {
  const zcmoe_points rows = x.view();
  check(zcmoe_predict_points_sync(from.get(), &rows, x.num_rows(), &outputs, stream));
}
/// Predicts for rows in host memory.
/// @param from  a model of as many inputs as x has
/// @param x     inputs
/// @return one answer a row
inline std::vector<double> predict_points_sync(const model& from, const points& x) {
  std::vector<double> values(static_cast<std::size_t>(x.num_rows()));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(values.data());
  predict_points_sync(from, x, outputs);
  return values;
}

// --------------------------------------------------------------------- fit

/// How a grid cuts one input: zcmoe_grid_axis, which edges must outlive.
/// @param edges  finite and strictly increasing, two or more
/// @return an axis with all defaults
inline zcmoe_grid_axis grid_axis(const std::vector<double>& edges) {
  zcmoe_grid_axis axis = ZCMOE_GRID_AXIS_INIT;
  axis.num_segments = static_cast<std::int64_t>(edges.size()) - 1;
  axis.edges = edges.data();
  return axis;
}
/// Makes a product grid: zcmoe_model_create_grid().
/// @param context    whose engine the model lives on
/// @param axes       how each input is cut
/// @param constants  of its cells; empty: none are known
/// @return the model
inline model make_grid(const context& context, const std::vector<zcmoe_grid_axis>& axes,
                       const std::vector<double>& constants = {}) {
  zcmoe_grid grid = ZCMOE_GRID_INIT;
  grid.num_inputs = static_cast<std::int64_t>(axes.size());
  grid.axes = axes.data();
  grid.constants = constants.empty() ? nullptr : constants.data();
  zcmoe_model* handle = nullptr;
  check(zcmoe_model_create_grid(context.get(), &grid, &handle));
  return model(handle);
}

/// Options to change some of.
/// @return all defaults
inline zcmoe_points_fit_options points_fit_options() { return ZCMOE_POINTS_FIT_OPTIONS_INIT; }
/// Starts a fit over the segments of a model of several inputs: zcmoe_fit_create_points().
/// @param context      whose engine the fit lives on
/// @param partition    the model
/// @param options      what becomes of segments without rows, and what weights say
/// @param fit_options  how rows are added
/// @return the fit
inline fit fit_segments_of(const context& context, const model& partition,
                           const zcmoe_points_fit_options& options = points_fit_options(),
                           const zcmoe_fit_options& fit_options = zcmoe::fit_options()) {
  zcmoe_fit* handle = nullptr;
  check(zcmoe_fit_create_points(context.get(), partition.get(), &options, &fit_options, &handle));
  return fit(handle);
}
/// Adds rows in the engine's memory, ordered on the stream: zcmoe_fit_add_points().
/// @param to               the fit
/// @param x                inputs
/// @param y                targets, as many as x has rows
/// @param weights          likewise; no_array() if the fit is not weighted
/// @param workspace        engine memory, 256-byte aligned; null: taken from the allocator
/// @param workspace_bytes  as fit::workspace() says
/// @param stream           the work is ordered on it
inline void add_points(fit& to, const points& x, zcmoe_array y, zcmoe_array weights,
                       void* workspace, std::size_t workspace_bytes, zcmoe_stream stream) {
  const zcmoe_points rows = x.view();
  check(zcmoe_fit_add_points(to.get(), &rows, y, weights, x.num_rows(), workspace, workspace_bytes,
                             stream));
}
/// Adds rows in host memory, done on return: zcmoe_fit_add_points_sync().
/// @param to       the fit
/// @param x        inputs
/// @param y        targets, as many as x has rows
/// @param weights  likewise; no_array() if the fit is not weighted
/// @param stream   CUDA: does the work
inline void add_points_sync(fit& to, const points& x, zcmoe_array y,
                            zcmoe_array weights = no_array(), zcmoe_stream stream = nullptr) {
  const zcmoe_points rows = x.view();
  check(zcmoe_fit_add_points_sync(to.get(), &rows, y, weights, x.num_rows(), stream));
}
/// Adds rows in host memory. It also throws error if x and y differ in length.
/// @param to  the fit
/// @param x   inputs
/// @param y   targets
template <class Y>
void add_points_sync(fit& to, const points& x, const std::vector<Y>& y) {
  if (x.num_rows() != static_cast<std::int64_t>(y.size()))
    throw error(ZCMOE_ERR_INVALID_ARGUMENT, "x and y differ in length");
  add_points_sync(to, x, array(y.data()));
}

// ------------------------------------------------------------------- group

/// Makes the rows of each segment contiguous, ordered on the stream: zcmoe_group_points().
/// @param from             a model of as many inputs as x has
/// @param x                inputs
/// @param outputs          what to write, and where
/// @param workspace        engine memory, 256-byte aligned; null: taken from the allocator
/// @param workspace_bytes  as group_points_workspace() says
/// @param stream           the work is ordered on it
inline void group_points(const model& from, const points& x, const zcmoe_group_outputs& outputs,
                         void* workspace, std::size_t workspace_bytes, zcmoe_stream stream) {
  const zcmoe_points rows = x.view();
  check(zcmoe_group_points(from.get(), &rows, x.num_rows(), &outputs, workspace, workspace_bytes,
                           stream));
}
/// Groups in host memory, done on return: zcmoe_group_points_sync().
/// @param from     a model of as many inputs as x has
/// @param x        inputs
/// @param outputs  what to write, and where
/// @param stream   CUDA: does the work
inline void group_points_sync(const model& from, const points& x,
                              const zcmoe_group_outputs& outputs, zcmoe_stream stream = nullptr) {
  const zcmoe_points rows = x.view();
  check(zcmoe_group_points_sync(from.get(), &rows, x.num_rows(), &outputs, stream));
}
/// Tells the workspace of group_points(): zcmoe_group_points_workspace().
/// @param from  the model
/// @param n     number of rows
/// @return bytes; 0 on the CPU engine
inline std::size_t group_points_workspace(const model& from, std::int64_t n) {
  std::size_t bytes = 0;
  check(zcmoe_group_points_workspace(from.get(), n, &bytes));
  return bytes;
}

// -------------------------------------------------------------------- tell

/// Tells what a model is made of: zcmoe_model_get_points_info().
/// @param of  a model of one or several inputs
/// @return pointers valid as long as the model
inline zcmoe_points_info points_info(const model& of) {
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  check(zcmoe_model_get_points_info(of.get(), &info));
  return info;
}
/// Tells how a model cuts an input: zcmoe_model_get_axis().
/// @param of    a model of several inputs
/// @param axis  0 to num_axes - 1
/// @return pointers valid as long as the model
inline zcmoe_axis_info axis_info(const model& of, std::int64_t axis) {
  zcmoe_axis_info info = ZCMOE_AXIS_INFO_INIT;
  check(zcmoe_model_get_axis(of.get(), axis, &info));
  return info;
}
/// Tells what a look-up does: zcmoe_model_get_bank().
/// @param of    a model of several inputs
/// @param bank  0 to num_banks - 1
/// @return pointers valid as long as the model
inline zcmoe_bank_info bank_info(const model& of, std::int64_t bank) {
  zcmoe_bank_info info = ZCMOE_BANK_INFO_INIT;
  check(zcmoe_model_get_bank(of.get(), bank, &info));
  return info;
}
/// Tells where the segments of a model's score begin: zcmoe_model_get_thresholds().
/// @param of  a model
/// @return the thresholds; empty where there are none
inline std::vector<std::int64_t> score_thresholds(const model& of) {
  const std::int64_t* first = nullptr;
  std::int64_t count = 0;
  check(zcmoe_model_get_thresholds(of.get(), &first, &count));
  return first == nullptr ? std::vector<std::int64_t>()
                          : std::vector<std::int64_t>(first, first + count);
}

}  // namespace zcmoe
