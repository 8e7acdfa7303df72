// How texts are joined, and the words of the library's errors.
#include "failure.hpp"

#include <locale>

namespace zcmoe::cli {

text_stream::text_stream() {
  out_.imbue(std::locale::classic());  // a global locale may group digits
  out_.precision(17);
}

text_stream::~text_stream() = default;

std::string text_stream::text() const { return out_.str(); }

std::string words_of(const zcmoe::error& error) {
  std::string words = error.what();
  const std::size_t end = words.find(": ");
  const bool named =
      words.compare(0, 6, "zcmoe_") == 0 && end != std::string::npos && words.find(' ') == end + 1;
  if (named) words.erase(0, end + 2);
  const bool says_so = words.find("memory") != std::string::npos;
  return error.status() == ZCMOE_ERR_OUT_OF_MEMORY && !says_so ? "out of memory: " + words : words;
}

}  // namespace zcmoe::cli
