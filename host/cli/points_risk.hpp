// How a model of several inputs would err with other numbers of segments: those that it has,
// joined, and more of them by the theory. docs/insight.md has the definitions.
#pragma once

#include "inspect_points.hpp"
#include "json_object.hpp"
#include "say.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace zcmoe::cli {

struct risk_level {
  std::int64_t num_segments;
  double within;
  double leave_one_out;
};
/// How the model's segments would err if they were joined, and how more of them would.
struct risk_curve {
  std::vector<risk_level> levels;  // the model's own number of segments is the last
  std::int64_t rows = 0;
  double noise = 0;
  double approximation = 0;  // A of A / m^power; NaN: not known
  double power = 2;
  double best_segments = 0;
  double best_risk = 0;
};

/// Nothing where answers are sums, or where segments have too few rows to tell.
std::optional<risk_curve> risk_of(const model& model, const inspected_points& of);
json_object risk_as_json(const risk_curve& risk);
void add_risk(text_page& page, const risk_curve& risk);

}  // namespace zcmoe::cli
