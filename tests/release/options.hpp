// What the long checks of scripts/check-release share: whole numbers from the command line, and
// failing.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace zcmoe::test {

/// The value behind --name, or the default.
inline long long number_of(int argc, char** argv, const std::string& name, long long value) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == "--" + name) value = std::strtoll(argv[i + 1], nullptr, 10);
  }
  return value;
}

inline void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::_Exit(1);
}

}  // namespace zcmoe::test
