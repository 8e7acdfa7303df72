// A model: edges, and the constant that each segment predicts. It is immutable; every invariant is
// checked when it is made.
#pragma once

#include "host/engine/backend.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::detail {

constexpr std::size_t max_name_bytes = 1024;

/// A copy of a name, empty for null. Throws unless it is UTF-8 and not too long.
/// @param field  for the message
std::string checked_name(const std::string& field, const char* name);

/// The policies and names of a model. The constructor checks them and copies the names.
struct model_policies {
  explicit model_policies(const zcmoe_model_options& options);
  zcmoe_model_options as_options() const;  // the names point into this object

  zcmoe_model_options options;  // with null names; they are below
  std::string feature_name;
  std::string target_name;
  bool has_feature_name = false;
  bool has_target_name = false;
};

/// A model in host memory. Arrays other than edges have one entry per slot: those of the segments,
/// then of NaN, of inputs below and of inputs above the range.
struct model_data {
  std::vector<double> edges;
  std::vector<double> constants;
  std::vector<double> means;      // of the rows; empty unless the constants are smooth
  std::vector<zcmoe_line> lines;  // empty unless the experts are lines
  std::vector<std::int64_t> counts;
  std::vector<double> weights;
  std::vector<double> variances;
  std::vector<double> standard_errors;
  zcmoe_dtype target_dtype = 0;  // 0 if the constants were given
  bool weighted = false;

  std::int64_t num_segments() const { return static_cast<std::int64_t>(edges.size()) - 1; }
};

/// Whether weights say how precise rows are.
inline bool has_precisions(const model_policies& policies, bool weighted) {
  return weighted && policies.options.weights_kind == ZCMOE_WEIGHTS_PRECISION;
}

/// A model of what a fit has learned, with the policies for constants, empty segments, shrinkage,
/// NaN and inputs outside the range carried out.
model_data model_data_of(const std::vector<double>& edges, const model_policies& policies,
                         const std::vector<slot_summary>& summaries, zcmoe_dtype target_dtype,
                         bool weighted);
/// The same with lines as experts, for fits that ask for them.
model_data model_data_of(const std::vector<double>& edges, const model_policies& policies,
                         const std::vector<slot_summary>& summaries,
                         const std::vector<line_summary>& lines, zcmoe_dtype target_dtype,
                         bool weighted);
/// A model of given lines, one per segment. All counts are 0.
model_data model_data_of(const double* edges, const zcmoe_line* lines, std::int64_t num_segments,
                         const model_policies& policies);
/// A model of given constants, one per segment. All counts are 0.
model_data model_data_of(const double* edges, const double* constants, std::int64_t num_segments,
                         const model_policies& policies);

/// What a grouping writes, and the columns that it moves.
void add_outputs(const zcmoe_group_outputs& outputs, group_job& job);

class model {
 public:
  /// Checks every invariant (sizes, edges, counts >= 0, no infinite constant), then puts the tables
  /// where the engine reads them. That work is ordered on `stream` and done on return.
  model(std::shared_ptr<backend> engine, model_data data, model_policies policies,
        zcmoe_stream stream);

  const model_data& data() const { return data_; }
  const model_policies& policies() const { return policies_; }
  const model_view& view() const { return view_; }
  void get_info(zcmoe_model_info& info) const;

  backend& engine() const { return *engine_; }
  const std::shared_ptr<backend>& shared_engine() const { return engine_; }
  /// The job of predicting n inputs. The caller has checked the arguments.
  predict_job job(const zcmoe_array& x, std::int64_t n, const zcmoe_predict_outputs& outputs) const;
  /// The job of grouping n rows by slot. It has no workspace yet.
  group_job job(const zcmoe_array& x, std::int64_t n, const zcmoe_group_outputs& outputs) const;

 private:
  std::shared_ptr<backend> engine_;
  model_data data_;
  model_policies policies_;
  engine_buffer tables_;
  std::unique_ptr<const router> routes_;
  model_view view_{};  // its pointers lead into tables_
  double pivot_ = 0;   // for 64-bit integers: see double_on_same_side
  const double* variances_ = nullptr;
  const float* variances_f32_ = nullptr;
  const std::int64_t* counts_ = nullptr;
};

}  // namespace zcmoe::detail
