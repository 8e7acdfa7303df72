// The only file of the command line that includes all of nlohmann-json.
#include "json_object.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace zcmoe::cli {

using nlohmann::ordered_json;

json_object::json_object() : json_(std::make_unique<ordered_json>(ordered_json::object())) {}
json_object::~json_object() = default;
json_object::json_object(json_object&&) noexcept = default;

template <class T>
json_object& json_object::set(const std::string& key, const T& value) {
  (*json_)[key] = value;
  return *this;
}
template json_object& json_object::set(const std::string&, const std::nullptr_t&);
template json_object& json_object::set(const std::string&, const bool&);
template json_object& json_object::set(const std::string&, const std::int64_t&);
template json_object& json_object::set(const std::string&, const std::uint64_t&);
template json_object& json_object::set(const std::string&, const double&);
template json_object& json_object::set(const std::string&, const std::string&);
template json_object& json_object::set(const std::string&, const std::vector<std::int64_t>&);
template json_object& json_object::set(const std::string&, const std::vector<std::uint64_t>&);
template json_object& json_object::set(const std::string&, const std::vector<double>&);
template json_object& json_object::set(const std::string&, const std::vector<std::string>&);

json_object& json_object::set(const std::string& key, const char* value) {
  return value == nullptr ? set(key, nullptr) : set(key, std::string(value));
}

json_object& json_object::set(const std::string& key, const json_object& value) {
  return set(key, *value.json_);
}

json_object& json_object::set(const std::string& key, const std::vector<json_object>& values) {
  ordered_json list = ordered_json::array();
  for (const json_object& value : values) list.push_back(*value.json_);
  return set(key, list);
}

json_object& json_object::set_null_if_empty(const std::string& key, const std::string& value) {
  return value.empty() ? set(key, nullptr) : set(key, value);
}

std::string json_object::text() const {
  return json_->dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(ordered_json(text).dump());
  } catch (const ordered_json::type_error&) {
    return false;
  }
  return true;
}

}  // namespace zcmoe::cli
