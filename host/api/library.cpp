// The C functions that return texts: version, build, names of statuses, the last error.
#include "host/engine/backend.hpp"
#include "host/error.hpp"

#include <zcmoe/zcmoe.h>

#include <string>

namespace detail = zcmoe::detail;

extern "C" const char* zcmoe_version(void) {
#define ZCMOE_TEXT_OF(x) #x
#define ZCMOE_VERSION_TEXT(a, b, c) ZCMOE_TEXT_OF(a) "." ZCMOE_TEXT_OF(b) "." ZCMOE_TEXT_OF(c)
  return ZCMOE_VERSION_TEXT(ZCMOE_VERSION_MAJOR, ZCMOE_VERSION_MINOR, ZCMOE_VERSION_PATCH);
}

extern "C" const char* zcmoe_build_info(void) {
  try {
    static const std::string info = std::string("zcmoe ") + zcmoe_version() + "; compiler " +
                                    ZCMOE_BUILD_COMPILER + "; flags " + ZCMOE_BUILD_FLAGS + "; " +
                                    detail::cuda_build_info();
    return info.c_str();
  } catch (...) {
    return "zcmoe";  // there is not even memory for the text
  }
}

extern "C" const char* zcmoe_status_string(zcmoe_status status) {
  switch (status) {
    case ZCMOE_OK: return "ZCMOE_OK";
    case ZCMOE_ERR_INVALID_ARGUMENT: return "ZCMOE_ERR_INVALID_ARGUMENT";
    case ZCMOE_ERR_OUT_OF_MEMORY: return "ZCMOE_ERR_OUT_OF_MEMORY";
    case ZCMOE_ERR_NO_DEVICE: return "ZCMOE_ERR_NO_DEVICE";
    case ZCMOE_ERR_DEVICE: return "ZCMOE_ERR_DEVICE";
    case ZCMOE_ERR_IO: return "ZCMOE_ERR_IO";
    case ZCMOE_ERR_FORMAT: return "ZCMOE_ERR_FORMAT";
    case ZCMOE_ERR_VERSION: return "ZCMOE_ERR_VERSION";
    case ZCMOE_ERR_CHECKSUM: return "ZCMOE_ERR_CHECKSUM";
    case ZCMOE_ERR_DATA: return "ZCMOE_ERR_DATA";
    case ZCMOE_ERR_INCOMPATIBLE: return "ZCMOE_ERR_INCOMPATIBLE";
    case ZCMOE_ERR_NUMERIC: return "ZCMOE_ERR_NUMERIC";
    case ZCMOE_ERR_WORKSPACE: return "ZCMOE_ERR_WORKSPACE";
    case ZCMOE_ERR_INTERNAL: return "ZCMOE_ERR_INTERNAL";
    case ZCMOE_ERR_CANCELLED: return "ZCMOE_ERR_CANCELLED";
    default: return "unknown status";
  }
}

extern "C" const char* zcmoe_last_error(void) { return detail::last_error(); }
