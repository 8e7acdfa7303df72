// Containers as bytes: taken apart, changed, sealed again. Shares no code with the library, so that
// it also checks what docs/model-file.md says about the checksums.
#pragma once

#include <zcmoe/zcmoe.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace zcmoe::test {

inline std::string xxh3_128(const std::string& bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  std::string digits;
  for (const unsigned char byte : canonical.digest) {
    const char* const hex = "0123456789abcdef";
    digits += hex[byte / 16];
    digits += hex[byte % 16];
  }
  return digits;
}

template <class Integer>
std::string little_endian(Integer value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(&bytes[0], &value, sizeof value);
  return bytes;
}

/// Header text (with its padding) and data section.
struct container_parts {
  std::string header;
  std::string data;
};

inline bool can_split(const std::string& bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < 8) return false;
  std::memcpy(&length, bytes.data(), 8);
  return length <= bytes.size() - 8;
}

inline container_parts split(const std::string& bytes) {
  if (!can_split(bytes)) throw std::invalid_argument("not a container");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return {bytes.substr(8, length), bytes.substr(8 + length)};
}

inline std::string join(const container_parts& parts) {
  return little_endian(static_cast<std::uint64_t>(parts.header.size())) + parts.header + parts.data;
}

/// The container with right checksums. Where the header has no place for them it stays as it is.
inline std::string sealed(container_parts parts) {
  const auto put = [&](const std::string& prefix, const std::string& digits) {
    const std::size_t at = parts.header.find(prefix);
    if (at == std::string::npos || at + prefix.size() + 32 > parts.header.size()) return;
    parts.header.replace(at + prefix.size(), 32, digits);
  };
  put("\"data_xxh3_128\":\"", xxh3_128(parts.data));
  put("{\"__metadata__\":{\"header_xxh3_128\":\"", std::string(32, '0'));
  const std::string digits =
      xxh3_128(little_endian(static_cast<std::uint64_t>(parts.header.size())) + parts.header);
  put("{\"__metadata__\":{\"header_xxh3_128\":\"", digits);
  return join(parts);
}

/// The container with another text in its header, sealed and padded again.
inline std::string with_header(const std::string& bytes, const std::string& from,
                               const std::string& to) {
  container_parts parts = split(bytes);
  const std::size_t at = parts.header.find(from);
  if (at == std::string::npos) throw std::invalid_argument("the header lacks " + from);
  parts.header.replace(at, from.size(), to);
  parts.header.resize(parts.header.find_last_not_of(' ') + 1);
  while (parts.header.size() % 8 != 0) parts.header += ' ';
  return sealed(std::move(parts));
}

/// Bytes as a file that has a path but no folder.
class memory_file {
 public:
  explicit memory_file(const std::string& bytes)
      : descriptor_(::memfd_create("zcmoe-test", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("memfd_create failed");
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t put = ::write(descriptor_, bytes.data() + at, bytes.size() - at);
      if (put < 0) throw std::runtime_error("writing to a memory file failed");
      at += static_cast<std::size_t>(put);
    }
  }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Owners of handles; null after a failed call.
class scoped_model {
 public:
  scoped_model() = default;
  scoped_model(scoped_model&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  scoped_model& operator=(scoped_model&&) = delete;
  ~scoped_model() { zcmoe_model_destroy(handle); }
  zcmoe_model* handle = nullptr;
};
class scoped_fit {
 public:
  scoped_fit() = default;
  scoped_fit(scoped_fit&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  scoped_fit& operator=(scoped_fit&&) = delete;
  ~scoped_fit() { zcmoe_fit_destroy(handle); }
  zcmoe_fit* handle = nullptr;
};

inline zcmoe_context* cpu_context() {
  static zcmoe_context* const shared = [] {
    zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
    options.engine = ZCMOE_ENGINE_CPU;
    options.num_threads = 1;
    zcmoe_context* made = nullptr;
    if (zcmoe_context_create(&options, &made) != ZCMOE_OK)
      throw std::runtime_error(zcmoe_last_error());
    return made;
  }();
  return shared;
}

inline zcmoe_status load(const std::string& bytes, scoped_model& model) {
  const memory_file file(bytes);
  return zcmoe_model_load(cpu_context(), file.path().c_str(), &model.handle);
}

inline zcmoe_status load(const std::string& bytes, scoped_fit& fit) {
  return zcmoe_fit_deserialize(cpu_context(), bytes.data(), bytes.size(), &fit.handle);
}

inline std::string bytes_of(const zcmoe_fit* fit) {
  std::size_t size = 0;
  if (zcmoe_fit_serialize(fit, nullptr, 0, &size, nullptr) != ZCMOE_OK)
    throw std::runtime_error(zcmoe_last_error());
  std::string bytes(size, '\0');
  if (zcmoe_fit_serialize(fit, &bytes[0], size, &size, nullptr) != ZCMOE_OK) {
    throw std::runtime_error(zcmoe_last_error());
  }
  return bytes;
}

}  // namespace zcmoe::test
