// What a model of several inputs holds, for people, as JSON, or as a CSV table of its segments.
#pragma once

#include <zcmoe/points.h>
#include <zcmoe/zcmoe.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::cli {

class text_page;
struct points_insight;
struct risk_curve;

/// What a look-up adds to the answers, or to the score. Codes count alike, since a model does not
/// keep how many rows had each.
struct contribution {
  std::vector<std::int64_t> inputs;  // columns, ascending
  const char* kind;                  // "table", "pair", "grid" or "tree"
  std::int64_t cells;
  double range;  // greatest less least
  double variance;
};

struct inspected_points {
  std::string path;
  zcmoe_points_info info;
  std::vector<zcmoe_axis_info> axes;
  std::vector<contribution> banks;
  /// Of a tree, how many branches compare each axis; of a grid, into how many parts it is cut; else
  /// none.
  std::vector<std::int64_t> uses;

  inspected_points(const std::string& path, const model& model, const zcmoe_points_info& info);

  /// Whether answers or scores are sums, so that look-ups contribute to them.
  bool adds_up() const;
  std::string name_of(std::int64_t input) const;
  /// With what rows tell, if there are any, and how other numbers of segments would err.
  std::string as_text(const points_insight* insight, const std::optional<risk_curve>& risk) const;
  std::string as_json(const points_insight* insight, const std::optional<risk_curve>& risk) const;
  /// Fails if there are no segments.
  std::string as_csv() const;

 private:
  void add_model(text_page& page) const;
};

}  // namespace zcmoe::cli
