// Models of several inputs as containers, version 2 of a model file. docs/model-file.md says what
// is in them; model_io opens and closes them.
#pragma once

#include "host/model/container.hpp"
#include "host/model/points_model.hpp"

#include <memory>

namespace zcmoe::detail {

void write_points(const points_model& model, const byte_sink& sink);
/// Takes what it reads for hostile: throws FORMAT, also for what a model would refuse.
std::unique_ptr<points_model> read_points(std::shared_ptr<backend> engine,
                                          opened_container& container);

}  // namespace zcmoe::detail
