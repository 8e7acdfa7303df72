// The safetensors container: an 8-byte length, a JSON header, raw little-endian arrays. This is
// only the container, which has named arrays and metadata as text, sealed by two checksums;
// model_io knows what they mean. The reader trusts nothing that it reads.
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

/// A text of unknown origin for an error message: in quotes, with control characters and bytes
/// above ASCII as \xNN, cut after 64 characters.
std::string escaped(const std::string& untrusted);

/// Bytes of known number that are read piece by piece. `read` throws IO.
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

/// Writes the container. Keys are written in the order given, after the two checksums, so that
/// equal content gives equal bytes. The header is padded with spaces, which leaves every 8-byte
/// array aligned. Throws INVALID_ARGUMENT if a text is not UTF-8, or if the header would exceed
/// what the reader accepts.
void write_safetensors(const metadata_list& metadata, const std::vector<tensor_view>& tensors,
                       const byte_sink& sink);

// ----------------------------------------------------------------- reading

struct tensor_entry {
  std::string name;
  std::string dtype;  // as the header spells it
  std::vector<std::uint64_t> shape;
  std::uint64_t begin;  // first byte in the data section; `end` is the one behind the last
  std::uint64_t end;
};

class safetensors_reader {
 public:
  /// Reads and checks the header; throws FORMAT, saying what is wrong. No array is read, and no
  /// memory of a size that the header announces is allocated before the source is known to be that
  /// long.
  explicit safetensors_reader(byte_source source);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<tensor_entry>& tensors() const { return tensors_; }
  const tensor_entry* find(const std::string& name) const;

  /// Throws CHECKSUM if the header or the data are not what was written. Reads the data once, in
  /// pieces. The constructor does not do this, so that a caller can first refuse foreign and later
  /// formats, which may be sealed in another way.
  void verify_checksums() const;

  /// The array of an entry, whose dtype must have the size of T.
  template <class T>
  std::vector<T> read(const tensor_entry& tensor) const {
    std::vector<T> values(static_cast<std::size_t>((tensor.end - tensor.begin) / sizeof(T)));
    if (!values.empty())
      source_.read(header_.size() + tensor.begin, values.data(), values.size() * sizeof(T));
    return values;
  }

 private:
  byte_source source_;
  std::string header_;  // with its 8-byte length in front
  std::map<std::string, std::string> metadata_;
  std::vector<tensor_entry> tensors_;
};

}  // namespace zcmoe::detail
