// The thread-local text behind zcmoe_last_error(). A fixed buffer: reporting an error must not
// allocate.
#include "error.hpp"

#include <cstdio>

namespace zcmoe::detail {
namespace {
thread_local char last_error_text[512] = "";
}

void set_last_error(const char* function, const char* message) noexcept {
  std::snprintf(last_error_text, sizeof last_error_text, "%s: %s", function, message);
}

const char* last_error() noexcept { return last_error_text; }

}  // namespace zcmoe::detail
