// Every function of the C headers with arguments that it takes: one table for all tests of promises
// that every function makes. A function that a header declares and the table lacks is a failure.
// Functions that have more to do where constants are smooth, experts are lines, or there are
// several inputs, stand in it once more for each.
#pragma once

#include <zcmoe/compile.h>
#include <zcmoe/plan.h>
#include <zcmoe/points.h>
#include <zcmoe/theory.h>
#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace zcmoe::test {

/// One function and its arguments.
struct public_call {
  std::string name;
  std::function<void()> prepare;      // what the call uses up, made anew; may fail the test
  std::function<zcmoe_status()> run;  // allocates nothing but what the function does
  std::function<void()> clean;        // frees what the call handed out
  /// The call with every argument zero or null. A function that returns no status gives ZCMOE_OK if
  /// it returns what the headers say.
  std::function<zcmoe_status()> zeros;
  /// The statuses of calls in which one pointer after the other is moved off its alignment.
  std::function<std::vector<zcmoe_status>()> misaligned;
};

/// What the calls read and write. Nothing in it allocates once it is made.
class every_call {
 public:
  /// num_threads of its context; the context's threads are not started yet.
  explicit every_call(int num_threads);
  ~every_call();
  every_call(const every_call&) = delete;
  every_call& operator=(const every_call&) = delete;

  const std::vector<public_call>& calls() const { return calls_; }

  /// The serialised bytes of the fit that calls change: they must be the same after a failure.
  std::vector<unsigned char> state() const;

 private:
  struct arguments;
  arguments* own_;
  std::vector<public_call> calls_;
};

/// Names of the functions that the public headers declare, sorted; include: the folder.
std::vector<std::string> declared_functions(const std::string& include);

}  // namespace zcmoe::test
