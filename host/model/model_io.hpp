// Writes and reads models and fit states as safetensors containers. The reader takes its input for
// hostile. docs/model-file.md says what the containers hold.
#pragma once

#include "host/model/fit.hpp"
#include "host/model/model.hpp"
#include "host/model/points_model.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::detail {

/// A model of one input or of several: one of the two is null.
struct any_model {
  std::unique_ptr<model> one;
  std::unique_ptr<points_model> several;
};

/// Writes to a temporary file beside `path`, flushes it, renames it, and flushes the folder, so
/// that an existing file survives every failure.
void save_model(const model& model, const std::string& path);
void save_model(const points_model& model, const std::string& path);
/// Throws IO, FORMAT, VERSION or CHECKSUM. What a model would refuse as an invalid argument is
/// FORMAT here.
any_model load_model(std::shared_ptr<backend> engine, const std::string& path);

/// The bytes that save_model writes.
std::vector<std::uint8_t> serialize_model(const model& model);
std::vector<std::uint8_t> serialize_model(const points_model& model);
any_model deserialize_model(std::shared_ptr<backend> engine, const void* bytes, std::size_t size);

std::vector<std::uint8_t> serialize_fit(const fit& fit, zcmoe_stream stream);
/// Refuses states that no samples can give, since the arithmetic of a fit relies on that.
std::unique_ptr<fit> deserialize_fit(std::shared_ptr<backend> engine, const void* bytes,
                                     std::size_t size);

}  // namespace zcmoe::detail
