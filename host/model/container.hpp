// Containers of this library: a safetensors container with its format, version and checksums, whose
// metadata is read by key and whose arrays are read by name. Nothing that nobody asks for is let
// through. model_io and points_io say what is in them.
#pragma once

#include "host/model/safetensors.hpp"

#include <zcmoe/zcmoe.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace zcmoe::detail {

constexpr char model_format[] = "zcmoe-model";
constexpr char fit_format[] = "zcmoe-fit";
constexpr char learner_format[] = "zcmoe-learner";

/// Major versions: models of one input and fit states, models of several inputs, and learners.
constexpr int table_major = 1;
constexpr int points_major = 2;
constexpr int learner_major = 2;
/// The latest minor version of each that this version of the library knows.
constexpr int latest_minor_of(int major) { return major == table_major ? 3 : 0; }

// ---------------------------------------------------- metadata: text forms

struct choice {
  std::int32_t value;
  const char* name;
};
using choices = std::vector<choice>;

inline std::string name_in(const choices& names, std::int32_t value) {
  for (const choice& c : names) {
    if (c.value == value) return c.name;
  }
  fail(ZCMOE_ERR_INTERNAL, "policy value ", value, " has no name in the model file");
}

/// The shortest decimal that reads back as the same double, in any locale. NaN has one spelling,
/// since its sign and payload have no meaning.
inline std::string text_of(double value) {
  if (std::isnan(value)) return "nan";
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return std::string(digits, end);
}

/// The metadata of a container. Keys that nobody has asked for can be refused in the end.
class metadata_reader {
 public:
  explicit metadata_reader(const std::map<std::string, std::string>& texts) : texts_(texts) {}

  const std::string* find(const char* key) {
    known_.insert(key);
    const auto found = texts_.find(key);
    return found == texts_.end() ? nullptr : &found->second;
  }
  const std::string& get(const char* key) {
    const std::string* value = find(key);
    if (value == nullptr) fail(ZCMOE_ERR_FORMAT, "metadata lacks ", key);
    return *value;
  }
  std::int32_t get(const char* key, const choices& names) {
    const std::string& value = get(key);
    std::string allowed;
    for (const choice& c : names) {
      if (value == c.name) return c.value;
      allowed += std::string(allowed.empty() ? "" : ", ") + c.name;
    }
    fail(ZCMOE_ERR_FORMAT, "metadata ", key, "=", escaped(value), " is none of ", allowed);
  }
  /// A number as text_of writes it, in no other spelling, so that equal models are equal files.
  double get_number(const char* key) {
    const std::string& value = get(key);
    double number = 0.0;
    const char* const end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || text_of(number) != value) {
      fail(ZCMOE_ERR_FORMAT, "metadata ", key, "=", escaped(value),
           " is not a number in its shortest form");
    }
    return number;
  }
  std::int64_t get_integer(const char* key, std::int64_t least, std::int64_t most) {
    const std::string& value = get(key);
    std::int64_t number = 0;
    const char* const end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || std::to_string(number) != value ||
        number < least || number > most) {
      fail(ZCMOE_ERR_FORMAT, "metadata ", key, "=", escaped(value), " is not an integer in ", least,
           "..", most);
    }
    return number;
  }
  void refuse_unknown() const {
    for (const auto& [key, value] : texts_) {
      if (known_.count(key) == 0)
        fail(ZCMOE_ERR_FORMAT, "metadata has an unknown key ", escaped(key));
    }
  }

 private:
  const std::map<std::string, std::string>& texts_;
  std::set<std::string> known_;
};

// ------------------------------------------------------- containers of ours

/// How a header spells the type of an array.
template <class T>
constexpr const char* dtype_of() {
  static_assert(std::is_same_v<T, double> || std::is_same_v<T, std::int64_t> ||
                std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::uint8_t>);
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
  if constexpr (std::is_same_v<T, std::int32_t>) return "I32";
  return "U8";
}

/// What a file of this format is; null if it is none of ours.
inline const char* kind_of(const std::string& format) {
  return format == model_format     ? "a model"
         : format == fit_format     ? "a fit state"
         : format == learner_format ? "a learner"
                                    : nullptr;
}

/// A container whose format, version and checksums are right. Metadata is read by key, arrays by
/// name.
class opened_container {
 public:
  /// @param latest_major  the latest major version of this format that is read
  opened_container(byte_source source, const char* format, int latest_major)
      : container_(std::move(source)), metadata_(container_.metadata()) {
    const std::string* const found = metadata_.find("format");
    if (found == nullptr || *found != format) {
      const char* const what = found == nullptr ? nullptr : kind_of(*found);
      const std::string is = what == nullptr ? "a safetensors file of another program"
                                             : text(what, ", not ", kind_of(format));
      fail(ZCMOE_ERR_FORMAT, "it is ", is,
           ": metadata format=", found == nullptr ? "(none)" : escaped(*found), ", expected ",
           format);
    }
    read_version(metadata_.get("format_version"), latest_major);
    container_.verify_checksums();
    metadata_.find("header_xxh3_128");
    metadata_.find("data_xxh3_128");
  }

  int major() const { return major_; }
  int minor() const { return minor_; }
  /// Whether it may hold what this version of the library does not know.
  bool is_later() const { return minor_ > latest_minor_of(major_); }
  metadata_reader& metadata() { return metadata_; }

  const tensor_entry* find(const std::string& name, const char* dtype) {
    known_.insert(name);
    const tensor_entry* const entry = container_.find(name);
    if (entry != nullptr && entry->dtype != dtype) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name, " has dtype ", entry->dtype, ", expected ", dtype);
    }
    return entry;
  }
  const tensor_entry& get(const std::string& name, const char* dtype, std::size_t rank) {
    const tensor_entry* const entry = find(name, dtype);
    if (entry == nullptr) fail(ZCMOE_ERR_FORMAT, "tensor ", name, " is missing");
    if (entry->shape.size() != rank) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name, " has ", entry->shape.size(),
           " dimensions, expected ", rank);
    }
    return *entry;
  }
  /// A one-dimensional array, which must have `length` entries.
  template <class T>
  std::vector<T> read(const char* name, std::size_t length) {
    const tensor_entry& entry = get(name, dtype_of<T>(), 1);
    if (entry.shape[0] != length) {
      fail(ZCMOE_ERR_FORMAT, "tensor ", name, " has ", entry.shape[0], " entries, expected ",
           length);
    }
    return read<T>(entry);
  }
  /// All numbers of an array that get() has found.
  template <class T>
  std::vector<T> read(const tensor_entry& entry) {
    return container_.read<T>(entry);
  }

  /// Refuses keys and arrays that nobody has asked for. A file of a later minor version may have
  /// some: they do not change the meaning of what this version knows.
  void refuse_unknown() const {
    if (is_later()) return;
    metadata_.refuse_unknown();
    for (const tensor_entry& entry : container_.tensors()) {
      if (known_.count(entry.name) == 0)
        fail(ZCMOE_ERR_FORMAT, "unknown tensor ", escaped(entry.name));
    }
  }

 private:
  void read_version(const std::string& version, int latest_major) {
    int major = 0;
    int minor = 0;
    const char* const end = version.data() + version.size();
    const auto dot = std::from_chars(version.data(), end, major);
    const bool dotted = dot.ec == std::errc() && dot.ptr != end && *dot.ptr == '.';
    const auto last = dotted ? std::from_chars(dot.ptr + 1, end, minor) : dot;
    if (!dotted || last.ec != std::errc() || last.ptr != end || major < 1 || minor < 0 ||
        text(major, ".", minor) != version) {
      fail(ZCMOE_ERR_FORMAT, "metadata format_version=", escaped(version), " is not MAJOR.MINOR");
    }
    if (major > latest_major) {
      fail(ZCMOE_ERR_VERSION, "format version ", version, " is later than ", latest_major, ".",
           latest_minor_of(latest_major), ", the latest that this version of zcmoe (",
           zcmoe_version(), ") reads");
    }
    major_ = major;
    minor_ = minor;
  }

  safetensors_reader container_;
  metadata_reader metadata_;
  std::set<std::string> known_;
  int major_ = 0;
  int minor_ = 0;
};

/// Runs `build`, which makes an object from a file. If it refuses an argument, the fault is in the
/// file.
template <class Build>
auto built_from_file(Build&& build) {
  try {
    return build();
  } catch (const status_error& e) {
    if (e.status() == ZCMOE_ERR_INVALID_ARGUMENT) fail(ZCMOE_ERR_FORMAT, e.what());
    throw;
  }
}

/// A sink that appends to `bytes`.
inline byte_sink appending_to(std::vector<std::uint8_t>& bytes) {
  return [&bytes](const void* piece, std::size_t size) {
    const auto* const first = static_cast<const std::uint8_t*>(piece);
    bytes.insert(bytes.end(), first, first + size);
  };
}

}  // namespace zcmoe::detail
