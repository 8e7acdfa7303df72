#include "host/learning/learn.hpp"

namespace zcmoe::detail {

points_data learn(backend&, const zcmoe_points&, const zcmoe_array&, std::int64_t,
                  const zcmoe_learn_options&, zcmoe_learn_report&) {
  fail(ZCMOE_ERR_INTERNAL, "not yet");
}

}  // namespace zcmoe::detail
