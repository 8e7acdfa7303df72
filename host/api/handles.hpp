// What the opaque handles of the C interface point to. Only host/api includes this.
#pragma once

#include "host/error.hpp"
#include "host/learning/row_sample.hpp"
#include "host/model/fit.hpp"
#include "host/model/model.hpp"
#include "host/model/points_model.hpp"

#include <cstdint>
#include <memory>
#include <utility>

struct zcmoe_context {
  std::shared_ptr<zcmoe::detail::backend> engine;
};
/// A model of one input or of several: one of the two is null.
struct zcmoe_model {
  explicit zcmoe_model(std::unique_ptr<zcmoe::detail::model> one) : model(std::move(one)) {
    if (model->policies().has_feature_name) input_name = model->policies().feature_name.c_str();
  }
  explicit zcmoe_model(std::unique_ptr<zcmoe::detail::points_model> several)
      : points(std::move(several)) {}

  std::unique_ptr<zcmoe::detail::model> model;
  std::unique_ptr<zcmoe::detail::points_model> points;
  const char* input_name = nullptr;  // of a model of one input that has one
};
struct zcmoe_fit {
  std::unique_ptr<zcmoe::detail::fit> fit;
};
struct zcmoe_learner {
  zcmoe_learner(std::shared_ptr<zcmoe::detail::backend> models, zcmoe::detail::row_sample rows)
      : engine(std::move(models)),
        host(zcmoe::detail::host_of(engine)),
        sample(std::make_unique<zcmoe::detail::row_sample>(std::move(rows))) {}

  std::shared_ptr<zcmoe::detail::backend> engine;  // of the models, and of passes over coded rows
  std::shared_ptr<zcmoe::detail::backend> host;    // whose threads look at rows
  std::unique_ptr<zcmoe::detail::row_sample> sample;
};

namespace zcmoe::detail {

/// Hands a model out as a handle. If there is no memory for the handle, the model is freed.
template <class Model>
void hand_out(std::unique_ptr<Model> made, zcmoe_model** to) {
  *to = std::make_unique<zcmoe_model>(std::move(made)).release();
}

inline std::int64_t num_inputs_of(const zcmoe_model& model) {
  return model.points != nullptr ? model.points->tables().num_inputs : 1;
}

/// The model of one input that a handle is.
inline const model& table_of(const zcmoe_model* handle) {
  ZCMOE_EXPECTS(handle != nullptr, "model is null");
  ZCMOE_EXPECTS(handle->model != nullptr, "model has ", handle->points->tables().num_inputs,
                " inputs: zcmoe_predict_points() takes them");
  return *handle->model;
}

}  // namespace zcmoe::detail
