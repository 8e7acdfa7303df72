// Samples of rows as containers, the states of learners. docs/model-file.md says what is in them.
#pragma once

#include "host/learning/row_sample.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zcmoe::detail {

/// Samples of equal rows give equal bytes.
std::vector<std::uint8_t> serialize_sample(row_sample& sample);
/// Takes what it reads for hostile: throws FORMAT, VERSION or CHECKSUM.
row_sample deserialize_sample(const void* bytes, std::size_t size);

}  // namespace zcmoe::detail
