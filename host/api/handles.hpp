// What the opaque handles of the C interface point to. Only host/api includes this.
#pragma once

#include "host/model/fit.hpp"
#include "host/model/model.hpp"

#include <memory>

struct zcmoe_context {
  std::shared_ptr<zcmoe::detail::backend> engine;
};
struct zcmoe_model {
  std::unique_ptr<zcmoe::detail::model> model;
};
struct zcmoe_fit {
  std::unique_ptr<zcmoe::detail::fit> fit;
};
