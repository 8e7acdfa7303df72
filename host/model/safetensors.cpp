// Reads and writes safetensors containers. JSON comes from nlohmann-json, when reading as a stream
// of events, so that structure, depth, duplicate keys and types of numbers are checked while
// parsing and no tree of unknown size is built. Checksums are XXH3-128.
//
// metadata.data_xxh3_128 covers the data section. metadata.header_xxh3_128 covers the length and
// the whole header, in which its own 32 digits are read as zeros. It stands at a fixed place, at
// the very start of the header, so nothing has to be searched for: every byte of the file belongs
// to a fixed prefix, is covered by a checksum, or is a digit of one.
#include "host/model/safetensors.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

namespace zcmoe::detail {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "arrays are written as they lie in memory: little-endian");

constexpr std::size_t length_bytes = 8;
constexpr std::size_t digest_digits = 32;
constexpr std::size_t io_piece = std::size_t{1} << 20;
const char header_prefix[] = R"({"__metadata__":{"header_xxh3_128":")";
constexpr std::size_t digest_at = length_bytes + sizeof header_prefix - 1;
const char data_digest_key[] = "data_xxh3_128";
const char header_digest_key[] = "header_xxh3_128";

// --------------------------------------------------------------- checksums

/// The XXH3-128 of pieces one after the other, as 32 lower-case hexadecimal digits in the order
/// that xxh128sum prints.
class digest {
 public:
  digest() : state_(XXH3_createState(), &XXH3_freeState) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void add(const void* bytes, std::size_t size) { XXH3_128bits_update(state_.get(), bytes, size); }
  std::string text() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    std::string digits;
    for (const unsigned char byte : canonical.digest) {
      digits += "0123456789abcdef"[byte >> 4];
      digits += "0123456789abcdef"[byte & 15];
    }
    return digits;
  }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

/// The checksum of the length and the header, whose own digits are read as zeros.
std::string header_digest(const std::string& header) {
  digest hash;
  hash.add(header.data(), digest_at);
  hash.add(std::string(digest_digits, '0').data(), digest_digits);
  hash.add(header.data() + digest_at + digest_digits, header.size() - digest_at - digest_digits);
  return hash.text();
}

// ------------------------------------------------------------------ header

/// The bytes of one element; 0 for a dtype that the container does not define. All dtypes are
/// known, since a later minor version may have arrays that this one skips.
std::uint64_t element_size(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

/// Receives the JSON events of a header, whose only shape is
///   {"__metadata__": {text: text ...},
///    name: {"dtype": text, "shape": [n ...], "data_offsets": [begin, end]} ...}
class header_events final : public nlohmann::json_sax<nlohmann::json> {
 public:
  header_events(std::map<std::string, std::string>& metadata, std::vector<tensor_entry>& tensors)
      : metadata_(metadata), tensors_(tensors) {}

  bool start_object(std::size_t) override {
    if (at_ == place::start) {
      at_ = place::root;
    } else if (at_ == place::root && key_ == "__metadata__") {
      at_ = place::metadata;
    } else if (at_ == place::root) {
      at_ = place::tensor;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& key) override {
    check_text(key);
    key_ = key;
    if (at_ == place::root) {
      if (!names_.insert(key).second)
        fail(ZCMOE_ERR_FORMAT, "header: ", escaped(key), " appears twice");
      if (key == "__metadata__") return true;
      if (tensors_.size() == max_tensors) {
        fail(ZCMOE_ERR_FORMAT, "header: more than ", max_tensors, " tensors");
      }
      tensors_.push_back({key, "", {}, 0, 0});
      fields_.clear();
    } else if (at_ == place::metadata) {
      if (metadata_.count(key) != 0)
        fail(ZCMOE_ERR_FORMAT, "header: metadata ", escaped(key), " appears twice");
    } else {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        fail(ZCMOE_ERR_FORMAT, "header: ", tensor_name(), " has an unknown field ", escaped(key));
      }
      if (!fields_.insert(key).second) {
        fail(ZCMOE_ERR_FORMAT, "header: ", tensor_name(), " has two fields ", escaped(key));
      }
    }
    return true;
  }

  bool string(std::string& value) override {
    check_text(value);
    if (at_ == place::metadata) {
      metadata_.emplace(key_, value);
    } else if (at_ == place::tensor && key_ == "dtype") {
      tensors_.back().dtype = value;
    } else {
      unexpected("text");
    }
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (at_ == place::shape) {
      if (tensors_.back().shape.size() == max_tensor_rank) {
        fail(ZCMOE_ERR_FORMAT, "header: ", tensor_name(), " has more than ", max_tensor_rank,
             " dimensions");
      }
      tensors_.back().shape.push_back(value);
    } else if (at_ == place::offsets && num_offsets_ < 2) {
      (num_offsets_ == 0 ? tensors_.back().begin : tensors_.back().end) = value;
      ++num_offsets_;
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (at_ == place::tensor && key_ == "shape") {
      at_ = place::shape;
    } else if (at_ == place::tensor && key_ == "data_offsets") {
      at_ = place::offsets;
      num_offsets_ = 0;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    if (at_ == place::offsets && num_offsets_ != 2) {
      fail(ZCMOE_ERR_FORMAT, "header: ", tensor_name(), " data_offsets has ", num_offsets_,
           " numbers, expected 2");
    }
    at_ = place::tensor;
    return true;
  }

  bool end_object() override {
    if (at_ == place::tensor && fields_.size() != 3) {
      fail(ZCMOE_ERR_FORMAT, "header: ", tensor_name(), " lacks one of dtype, shape, data_offsets");
    }
    // This is also right at the end of the root object, where the parser stops.
    at_ = place::root;
    return true;
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(std::int64_t) override { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    return unexpected("a number that is no 64-bit integer");
  }
  bool binary(nlohmann::json::binary_t&) override { return unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    fail(ZCMOE_ERR_FORMAT, "header: not valid JSON in UTF-8 at byte ", position);
  }

 private:
  enum class place { start, root, metadata, tensor, shape, offsets };

  std::string tensor_name() const { return "tensor " + escaped(tensors_.back().name); }

  bool unexpected(const char* what) const {
    if (at_ == place::start) fail(ZCMOE_ERR_FORMAT, "header: ", what, " instead of an object");
    fail(ZCMOE_ERR_FORMAT, "header: unexpected ", what, " at ", escaped(key_));
  }

  /// Texts become C strings, in which a NUL would end them early.
  static void check_text(const std::string& value) {
    if (value.find('\0') != std::string::npos)
      fail(ZCMOE_ERR_FORMAT, "header: ", escaped(value), " holds a NUL");
  }

  std::map<std::string, std::string>& metadata_;
  std::vector<tensor_entry>& tensors_;
  place at_ = place::start;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  int num_offsets_ = 0;
};

/// Checks that each array has the size that its shape says, and that together they fill the data
/// section without gap or overlap.
void check_offsets(const std::vector<tensor_entry>& tensors, std::uint64_t data_size) {
  for (const tensor_entry& tensor : tensors) {
    std::uint64_t size = element_size(tensor.dtype);
    if (size == 0) {
      fail(ZCMOE_ERR_FORMAT, "header: tensor ", escaped(tensor.name), " has unknown dtype ",
           escaped(tensor.dtype));
    }
    for (std::size_t k = 0; k < tensor.shape.size(); ++k) {
      if (__builtin_mul_overflow(size, tensor.shape[k], &size)) {
        fail(ZCMOE_ERR_FORMAT, "header: tensor ", escaped(tensor.name), " shape[", k,
             "]=", tensor.shape[k], ": the size exceeds 64 bits");
      }
    }
    if (tensor.begin > tensor.end || tensor.end > data_size) {
      fail(ZCMOE_ERR_FORMAT, "header: tensor ", escaped(tensor.name), " data_offsets=[",
           tensor.begin, ", ", tensor.end, "] lie outside the ", data_size, " bytes of data");
    }
    if (tensor.end - tensor.begin != size) {
      fail(ZCMOE_ERR_FORMAT, "header: tensor ", escaped(tensor.name), " holds ",
           tensor.end - tensor.begin, " bytes, its shape needs ", size);
    }
  }
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::make_pair(tensors[a].begin, tensors[a].end) <
           std::make_pair(tensors[b].begin, tensors[b].end);
  });
  std::uint64_t filled = 0;
  for (const std::size_t k : order) {
    if (tensors[k].begin != filled) {
      fail(ZCMOE_ERR_FORMAT, "header: tensor ", escaped(tensors[k].name), " begins at ",
           tensors[k].begin,
           tensors[k].begin < filled ? ", inside the array before it, which ends at "
                                     : ", the array before it ends at ",
           filled);
    }
    filled = tensors[k].end;
  }
  if (filled != data_size) {
    fail(ZCMOE_ERR_FORMAT, "the arrays end at byte ", filled, " of the data, which is ", data_size,
         " bytes long");
  }
}

}  // namespace

std::string escaped(const std::string& untrusted) {
  constexpr std::size_t limit = 64;
  std::string result = "\"";
  for (std::size_t i = 0; i < untrusted.size() && i < limit; ++i) {
    const auto byte = static_cast<unsigned char>(untrusted[i]);
    if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
      result += untrusted[i];
    } else {
      result += "\\x";
      result += "0123456789abcdef"[byte >> 4];
      result += "0123456789abcdef"[byte & 15];
    }
  }
  return result + (untrusted.size() > limit ? "...\"" : "\"");
}

byte_source memory_source(const void* bytes, std::size_t size) {
  return {size, [bytes](std::uint64_t offset, void* to, std::size_t count) {
            std::memcpy(to, static_cast<const unsigned char*>(bytes) + offset, count);
          }};
}

namespace {
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }
}  // namespace

void write_safetensors(const metadata_list& metadata, const std::vector<tensor_view>& tensors,
                       const byte_sink& sink) {
  digest data_hash;
  std::vector<std::size_t> sizes;
  for (const tensor_view& tensor : tensors) {
    std::size_t size = static_cast<std::size_t>(element_size(tensor.dtype));
    for (const std::int64_t extent : tensor.shape) size *= static_cast<std::size_t>(extent);
    data_hash.add(tensor.data, size);
    sizes.push_back(size);
  }

  // The header is put together as text. The library's JSON objects allocate in their destructors,
  // which ends the program when memory runs out; its strings do not.
  std::string header(length_bytes, '\0');
  try {
    header += "{\"__metadata__\":{" + quoted(header_digest_key) + ":\"" +
              std::string(digest_digits, '0') + "\"," + quoted(data_digest_key) + ":" +
              quoted(data_hash.text());
    for (const auto& [key, value] : metadata) header += "," + quoted(key) + ":" + quoted(value);
    header += "}";
    std::size_t offset = 0;
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      std::string shape;
      for (const std::int64_t extent : tensors[k].shape)
        shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      header += "," + quoted(tensors[k].name) + ":{\"dtype\":" + quoted(tensors[k].dtype) +
                ",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(offset) + "," +
                std::to_string(offset + sizes[k]) + "]}";
      offset += sizes[k];
    }
    header += "}";
  } catch (const nlohmann::json::type_error&) {
    fail(ZCMOE_ERR_INVALID_ARGUMENT, "a name is not valid UTF-8: it cannot be written");
  }
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size() - length_bytes;
  if (length > max_header_bytes) {
    fail(ZCMOE_ERR_INVALID_ARGUMENT, "the names make a header of ", length, " bytes, the limit is ",
         max_header_bytes);
  }
  std::memcpy(&header[0], &length, length_bytes);
  header.replace(digest_at, digest_digits, header_digest(header));

  sink(header.data(), header.size());
  for (std::size_t k = 0; k < tensors.size(); ++k) sink(tensors[k].data, sizes[k]);
}

safetensors_reader::safetensors_reader(byte_source source) : source_(std::move(source)) {
  if (source_.size < length_bytes) {
    fail(ZCMOE_ERR_FORMAT, source_.size, " bytes are too few: the header length alone takes ",
         length_bytes);
  }
  std::uint64_t length = 0;
  source_.read(0, &length, length_bytes);
  if (length > max_header_bytes) {
    fail(ZCMOE_ERR_FORMAT, "header of ", length, " bytes announced, the limit is ",
         max_header_bytes);
  }
  if (length > source_.size - length_bytes) {
    fail(ZCMOE_ERR_FORMAT, "header of ", length, " bytes announced, ", source_.size - length_bytes,
         " are there");
  }
  header_.resize(length_bytes + static_cast<std::size_t>(length));
  source_.read(0, &header_[0], header_.size());
  // The length is the one that was read first: a file that changes meanwhile must not be half one
  // and half the other.
  std::memcpy(&header_[0], &length, length_bytes);

  // The container allows no space before the object and only spaces after it, where JSON would
  // allow more.
  const std::size_t last = header_.find_last_not_of(' ');
  if (length == 0 || header_[length_bytes] != '{' || last == std::string::npos ||
      header_[last] != '}') {
    fail(ZCMOE_ERR_FORMAT, "header: not one JSON object, padded with spaces");
  }
  header_events events(metadata_, tensors_);
  nlohmann::json::sax_parse(header_.begin() + length_bytes, header_.end(), &events);
  check_offsets(tensors_, source_.size - header_.size());
}

const tensor_entry* safetensors_reader::find(const std::string& name) const {
  for (const tensor_entry& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

void safetensors_reader::verify_checksums() const {
  if (header_.size() < digest_at + digest_digits ||
      header_.compare(length_bytes, sizeof header_prefix - 1, header_prefix) != 0) {
    fail(ZCMOE_ERR_FORMAT, "header: does not begin with its checksum ", header_digest_key);
  }
  if (header_.compare(digest_at, digest_digits, header_digest(header_)) != 0) {
    fail(ZCMOE_ERR_CHECKSUM, "the header does not match its checksum ", header_digest_key);
  }
  const auto announced = metadata_.find(data_digest_key);
  if (announced == metadata_.end())
    fail(ZCMOE_ERR_FORMAT, "header: metadata lacks ", data_digest_key);
  digest data_hash;
  std::vector<unsigned char> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(io_piece, source_.size - header_.size())));
  for (std::uint64_t at = header_.size(); at < source_.size;) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), source_.size - at));
    source_.read(at, piece.data(), count);
    data_hash.add(piece.data(), count);
    at += count;
  }
  if (announced->second != data_hash.text()) {
    fail(ZCMOE_ERR_CHECKSUM, "the data does not match its checksum ", data_digest_key);
  }
}

}  // namespace zcmoe::detail
