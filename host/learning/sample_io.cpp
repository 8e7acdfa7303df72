#include "host/learning/sample_io.hpp"

#include "host/model/container.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace zcmoe::detail {
std::vector<std::uint8_t> serialize_sample(row_sample& sample) {
  const row_counts& counts = sample.counts();
  metadata_list metadata = {
      {"format", learner_format},
      {"format_version", text(learner_major, ".", latest_minor_of(learner_major))},
      {"sample_rows", std::to_string(sample.limit())},
      {"rows", std::to_string(counts.rows)},
      {"nan_inputs", std::to_string(counts.nan_inputs)},
      {"nan_targets", std::to_string(counts.nan_targets)},
      {"infinite_targets", std::to_string(counts.infinite_targets)}};
  if (sample.weighted()) metadata.emplace_back("zero_weights", std::to_string(counts.zero_weights));
  const sample_parts parts = sample.parts();
  const auto rows = static_cast<std::int64_t>(parts.targets.size());
  std::vector<tensor_view> tensors = {
      {"inputs", "F64", {rows, sample.num_inputs()}, parts.inputs.data()},
      {"targets", "F64", {rows}, parts.targets.data()},
      {"counts", "I64", {rows}, parts.counts.data()}};
  if (sample.weighted()) tensors.push_back({"weights", "F64", {rows}, parts.weights.data()});
  tensors.push_back({"nan_codes", "U8", {sample.num_inputs()}, sample.nan_codes().data()});
  std::vector<std::uint8_t> bytes;
  write_safetensors(metadata, tensors, appending_to(bytes));
  return bytes;
}

row_sample deserialize_sample(const void* bytes, std::size_t size) {
  opened_container container(memory_source(bytes, size), learner_format, learner_major);
  metadata_reader& metadata = container.metadata();
  const std::int64_t limit = metadata.get_integer("sample_rows", 1, most_sample_rows);
  row_counts counts;
  counts.rows = metadata.get_integer("rows", 0, ZCMOE_MAX_ROWS);
  // What is left for the next to count.
  const auto part = [&](const char* key) { return metadata.get_integer(key, 0, counts.used()); };
  counts.nan_inputs = part("nan_inputs");
  counts.nan_targets = part("nan_targets");
  counts.infinite_targets = part("infinite_targets");
  const bool weighted = container.find("weights", "F64") != nullptr;
  if (weighted) counts.zero_weights = part("zero_weights");
  const tensor_entry& inputs = container.get("inputs", "F64", 2);
  const std::uint64_t rows = inputs.shape[0];
  if (inputs.shape[1] < 1 || inputs.shape[1] > static_cast<std::uint64_t>(ZCMOE_MAX_INPUTS))
    fail(ZCMOE_ERR_FORMAT, "tensor inputs has ", inputs.shape[1], " columns, not 1..",
         ZCMOE_MAX_INPUTS);
  if (rows > static_cast<std::uint64_t>(limit))
    fail(ZCMOE_ERR_FORMAT, "tensor inputs has ", rows, " rows, more than sample_rows=", limit);
  const auto length = static_cast<std::size_t>(rows);
  sample_parts parts;
  parts.inputs = container.read<double>(inputs);
  parts.targets = container.read<double>("targets", length);
  if (weighted) parts.weights = container.read<double>("weights", length);
  parts.counts = container.read<std::int64_t>("counts", length);
  std::vector<std::uint8_t> nan_codes =
      container.read<std::uint8_t>("nan_codes", static_cast<std::size_t>(inputs.shape[1]));
  for (std::size_t j = 0; j < nan_codes.size(); ++j) {
    if (nan_codes[j] > 1)
      fail(ZCMOE_ERR_FORMAT, "nan_codes[", j, "]=", int{nan_codes[j]}, " is not 0 or 1");
  }
  const bool none_is_left_out = std::find(nan_codes.begin(), nan_codes.end(), 0) == nan_codes.end();
  if (none_is_left_out && counts.nan_inputs > 0)
    fail(ZCMOE_ERR_FORMAT, "metadata nan_inputs=", counts.nan_inputs,
         ", but NaN is a code in every input");
  container.refuse_unknown();
  row_sample made(std::move(nan_codes), limit, weighted);
  made.restore(counts, parts);
  return made;
}

}  // namespace zcmoe::detail
