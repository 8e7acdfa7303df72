// A model of several inputs: axes, banks and a head (host/routing/banks.hpp) in the memory of an
// engine. It is immutable; every invariant is checked when it is made.
#pragma once

#include "host/engine/backend.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::detail {

// What a bank may have, so that numbers of cells and nodes are small integers on every engine.
constexpr std::int64_t max_banks = 4096;
constexpr std::int64_t max_bank_cells = std::int64_t{1} << 26;
constexpr std::int64_t max_tree_nodes = std::int64_t{1} << 22;
/// Offsets of axes in the sums of all banks; engines make tables of 256 entries of each.
constexpr std::int64_t max_addends = std::int64_t{1} << 18;
/// The greatest magnitude of the exponent of answers that are sums.
constexpr std::int32_t max_sum_exponent = 2000;

/// A model of several inputs in host memory.
struct points_data {
  bank_tables tables{};
  std::int32_t partition = ZCMOE_PARTITION_TABLES;
  std::vector<std::string> input_names;  // [num_inputs], or empty
  std::string target_name;
  bool has_target_name = false;
  std::int64_t num_rows = 0;
  double noise_variance = 0;  // NaN: not known
};

class points_batch;

class points_model {
 public:
  /// Checks every invariant, then has the engine make its tables, which is ordered on `stream` and
  /// done on return.
  points_model(std::shared_ptr<backend> engine, points_data data, zcmoe_stream stream);

  const points_data& data() const { return data_; }
  const bank_tables& tables() const { return data_.tables; }
  bool has_segments() const { return tables().head.has_segments(); }
  /// Whether it looks at this column.
  bool has_axis(std::int64_t input) const {
    return has_axis_[static_cast<std::size_t>(input)] != 0;
  }

  void get_info(zcmoe_points_info& info) const;
  /// Of an axis or a bank that there is.
  void get_axis(std::int64_t axis, zcmoe_axis_info& info) const;
  void get_bank(std::int64_t bank, zcmoe_bank_info& info) const;

  backend& engine() const { return *engine_; }
  const evaluator& prepared() const { return *prepared_; }

 private:
  friend class points_batch;

  std::shared_ptr<backend> engine_;
  points_data data_;
  std::unique_ptr<const evaluator> prepared_;
  std::vector<double> pivots_;  // of axes, for 64-bit integers: see double_on_same_side
  std::vector<char> has_axis_;  // by input
  // What is handed out in structs of the C interface, pointing into data_.
  std::vector<const char*> input_names_;
  struct told_bank {
    std::vector<zcmoe_axis_offsets> axes;
    std::vector<std::vector<zcmoe_axis_offsets>> addends;  // of each sum
    std::vector<zcmoe_axis_sum> sums;
  };
  std::vector<told_bank> told_;
};

/// The job of predicting n rows, with room for its columns: making it allocates nothing, unless the
/// model has very many axes.
class points_batch {
 public:
  /// The caller has checked the arguments. Without outputs only rows() is of use.
  points_batch(const points_model& model, const zcmoe_points& x, std::int64_t n,
               const zcmoe_predict_outputs& outputs = ZCMOE_PREDICT_OUTPUTS_INIT);
  points_batch(const points_batch&) = delete;
  points_batch& operator=(const points_batch&) = delete;

  const points_job& job() const { return job_; }
  /// The rows alone, as rows of a fit or of a grouping.
  points rows() const { return {{}, job_.n, job_.tables, job_.columns}; }

 private:
  static constexpr std::size_t few_axes = 128;

  any_array few_[few_axes];      // by axis; the job points here,
  std::vector<any_array> many_;  // or here if these are not enough
  points_job job_;
};

}  // namespace zcmoe::detail
