// Errors inside the library are exceptions. At the C ABI the guard turns them into a status and a
// text of the thread; nothing else in host/ or kernels/ sees a status code.
#pragma once

#include <zcmoe/zcmoe.h>

#include <locale>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace zcmoe::detail {

/// An error with the status that the C function returns.
class status_error : public std::runtime_error {
 public:
  status_error(zcmoe_status status, const std::string& text)
      : std::runtime_error(text), status_(status) {}
  zcmoe_status status() const noexcept { return status_; }

 private:
  zcmoe_status status_;
};

/// Joins its arguments into one text. Doubles have 17 significant digits, so that the text names
/// the exact value.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  // Without this flag, running out of memory would shorten the text and say nothing.
  out.exceptions(std::ios_base::badbit);
  out.imbue(std::locale::classic());
  out.precision(17);
  (out << ... << args);
  return out.str();
}

template <class... Args>
[[noreturn]] void fail(zcmoe_status status, const Args&... args) {
  throw status_error(status, text(args...));
}

/// The text as it may be shown on a terminal or in a log: characters that would act on a terminal
/// instead of being shown, and bytes that are not UTF-8, become \xHH, \uHHHH or \UHHHHHHHH.
std::string printable(std::string_view text);

/// Stores the text that zcmoe_last_error() returns in this thread, in printable form. It never
/// throws, and shortens what does not fit.
void set_last_error(const char* function, const char* message) noexcept;
const char* last_error() noexcept;

/// The body of every extern "C" function: runs it, and turns what it throws into a status.
template <class Body>
zcmoe_status guard(const char* function, Body&& body) noexcept {
  try {
    body();
    return ZCMOE_OK;
  } catch (const status_error& e) {
    set_last_error(function, e.what());
    return e.status();
  } catch (const std::bad_alloc&) {
    set_last_error(function, "out of host memory");
    return ZCMOE_ERR_OUT_OF_MEMORY;
  } catch (const std::length_error&) {
    set_last_error(function, "out of host memory: a size exceeds the address space");
    return ZCMOE_ERR_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    set_last_error(function, e.what());
    return ZCMOE_ERR_INTERNAL;
  } catch (...) {
    set_last_error(function, "an exception of unknown type");
    return ZCMOE_ERR_INTERNAL;
  }
}

}  // namespace zcmoe::detail

/// Refuses a wrong argument: throws INVALID_ARGUMENT unless the condition holds. The parts of the
/// message are only put together on failure.
#define ZCMOE_EXPECTS(condition, ...)                                                 \
  do {                                                                                \
    if (!(condition)) ::zcmoe::detail::fail(ZCMOE_ERR_INVALID_ARGUMENT, __VA_ARGS__); \
  } while (false)
