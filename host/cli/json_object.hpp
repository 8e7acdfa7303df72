// A summary as a JSON object: nlohmann-json behind declarations, so that its header, which costs
// seconds wherever it is included, is read by json_object.cpp alone.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace zcmoe::cli {

class json_object {
 public:
  json_object();
  ~json_object();
  json_object(json_object&&) noexcept;

  /// Adds a key behind those that are there. T is one of those that json_object.cpp instantiates:
  /// null, numbers, texts, their vectors. A number that is not finite is null.
  template <class T>
  json_object& set(const std::string& key, const T& value);
  json_object& set(const std::string& key, const char* value);  // null for a null pointer
  json_object& set(const std::string& key, const json_object& value);
  json_object& set(const std::string& key, const std::vector<json_object>& values);
  json_object& set_null_if_empty(const std::string& key, const std::string& value);

  /// Paths and fields of a table need not be UTF-8. A byte that is not is written as U+FFFD, so
  /// that the command does not fail when its work is done. All but ASCII is written as \uHHHH, so
  /// that a terminal that shows the text acts on none of it.
  std::string text() const;

 private:
  std::unique_ptr<nlohmann::ordered_json> json_;
};

/// Whether JSON can hold the text as it is.
bool is_utf8(const std::string& text);

}  // namespace zcmoe::cli
