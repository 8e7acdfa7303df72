// The safetensors container: 8-byte length, JSON header, raw little-endian arrays. Only the
// container: named arrays and text metadata, sealed by two checksums; what they mean is model_io's
// business. The reader believes nothing it reads.
#pragma once

#include "host/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::detail {

constexpr std::uint64_t max_header_bytes = std::uint64_t{1} << 20;
constexpr std::size_t max_tensors = 64;
constexpr std::size_t max_tensor_rank = 8;

/// Text of unknown origin for an error message: quoted, control characters and bytes above ASCII
/// shown as \xNN, cut at 64 characters.
std::string escaped(const std::string& untrusted);

/// Bytes of known length that are read piece by piece; read throws status_error IO.
struct byte_source {
  std::uint64_t size;
  std::function<void(std::uint64_t offset, void* to, std::size_t bytes)> read;
};
byte_source memory_source(const void* bytes, std::size_t size);
using byte_sink = std::function<void(const void* bytes, std::size_t size)>;

// ----------------------------------------------------------------- writing

using metadata_list = std::vector<std::pair<std::string, std::string>>;

struct tensor_view {
  std::string name;
  const char* dtype;  // "F64" or "I64"
  std::vector<std::int64_t> shape;
  const void* data;
};

/// Writes the container: keys in the order given after the two checksums, so equal content gives
/// equal bytes. The header is padded with spaces, which leaves every 8-byte array aligned.
/// INVALID_ARGUMENT if a text is not UTF-8, or if the header would exceed what the reader accepts.
void write_safetensors(const metadata_list& metadata, const std::vector<tensor_view>& tensors,
                       const byte_sink& sink);

// ----------------------------------------------------------------- reading

struct tensor_entry {
  std::string name;
  std::string dtype;  // as the header spells it
  std::vector<std::uint64_t> shape;
  std::uint64_t begin;  // in the data section
  std::uint64_t end;
};

class safetensors_reader {
 public:
  /// Reads and checks the header; FORMAT says what is wrong. No array is read and nothing of an
  /// announced size is allocated until the source is known to be that long.
  explicit safetensors_reader(byte_source source);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<tensor_entry>& tensors() const { return tensors_; }
  const tensor_entry* find(const std::string& name) const;

  /// CHECKSUM if header or data are not what was written. Reads the data once, in pieces. Apart
  /// from the constructor so that a caller can first refuse foreign and later formats, which may be
  /// sealed in another way.
  void verify_checksums() const;

  /// The array of an entry whose dtype has the size of T.
  template <class T>
  std::vector<T> read(const tensor_entry& tensor) const {
    std::vector<T> values(static_cast<std::size_t>((tensor.end - tensor.begin) / sizeof(T)));
    if (!values.empty())
      source_.read(header_.size() + tensor.begin, values.data(), values.size() * sizeof(T));
    return values;
  }

 private:
  byte_source source_;
  std::string header_;  // with its 8-byte length
  std::map<std::string, std::string> metadata_;
  std::vector<tensor_entry> tensors_;
};

}  // namespace zcmoe::detail
