// Verifies a compiled table: compares the predictions of the finished model with the function, at
// inputs and with panels that the scan did not use.
#pragma once

#include "host/planning/sweep.hpp"

#include <vector>

namespace zcmoe::detail {

struct verdict {
  double error = 0.0;
  double gap = 0.0;  // the largest distance of neighbouring inputs that were compared
  // inputs whose prediction is wrong by more than the tolerance; only for the largest error
  std::vector<double> missed;
};

/// The largest |prediction - f| over the part of the range that the table covers.
verdict verified_maximum(const compiled_function& from, const compile_job& job,
                         const compiled_table& t, const table_predictions& predictions);

/// The root of the mean squared error. What the quadrature could not resolve counts as error.
verdict verified_rms(const compiled_function& from, const compile_job& job, const compiled_table& t,
                     const table_predictions& predictions);

}  // namespace zcmoe::detail
