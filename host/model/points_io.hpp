// Models of several inputs as containers, version 2 of a model file. docs/model-file.md says what
// is in them; model_io opens and closes them.
#pragma once

#include "host/model/container.hpp"
#include "host/model/points_model.hpp"

#include <memory>
#include <vector>

namespace zcmoe::detail {

/// How rows of several inputs find their segments, as arrays and metadata of a container: of a
/// model, and of the state of a fit over its segments.
class partition_arrays {
 public:
  /// The data must outlive it.
  explicit partition_arrays(const points_data& data);
  ~partition_arrays();
  partition_arrays(const partition_arrays&) = delete;
  partition_arrays& operator=(const partition_arrays&) = delete;

  void add_metadata(metadata_list& metadata) const;
  void add_target_name(metadata_list& metadata) const;
  /// What stands before, and what behind, the other arrays, whose numbers have 8 bytes: so each is
  /// aligned.
  void add_first(std::vector<tensor_view>& tensors) const;
  void add_last(std::vector<tensor_view>& tensors) const;

 private:
  struct arrays;
  const points_data& data_;
  std::unique_ptr<const arrays> arrays_;
};
/// Reads what partition_arrays writes, with the constants of segments in the array `values`; such a
/// model is not checked yet. Throws FORMAT.
points_data read_partition(opened_container& container);

void write_points(const points_model& model, const byte_sink& sink);
/// Takes what it reads for hostile: throws FORMAT, also for what a model would refuse.
std::unique_ptr<points_model> read_points(std::shared_ptr<backend> engine,
                                          opened_container& container);

}  // namespace zcmoe::detail
