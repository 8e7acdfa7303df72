// Models of several inputs on the CPU: see points.cpp.
#pragma once

#include "host/cpu/dispatch.hpp"
#include "host/cpu/workers.hpp"
#include "host/engine/backend.hpp"

#include <memory>

namespace zcmoe::detail {

std::unique_ptr<const evaluator> make_cpu_evaluator(const bank_tables& tables,
                                                    const cpu_target& target);

/// Neither allocates nor fails. Arguments have been checked.
void predict_points_on_cpu(const points_job& job, const route_kernels& kernels, workers& crew);
/// The segments of `count` rows from row `first` on, of a model that has some; -1: the row has
/// none. At most `batch` of rows.hpp. Neither allocates nor fails.
void find_segments(const points& rows, const route_kernels& kernels, std::int64_t first, int count,
                   std::int32_t* segments);
void encode_on_cpu(const codes_job& job, const route_kernels& kernels, workers& crew);

}  // namespace zcmoe::detail
