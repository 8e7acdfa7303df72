// C++17 over compile.h: callables, exceptions. Header-only; carries no ABI. compile.h documents the
// call.
//
// clang-format off
//   zcmoe::context cpu(ZCMOE_ENGINE_CPU);
//   auto made = zcmoe::compile(cpu, [](double x) { return std::sin(x); }, 0.0, 3.0, 1e-3);
//   made.table.save("sine.safetensors");     // made.result.num_segments, .error, ...
// clang-format on
#pragma once

#include <zcmoe/compile.h>
#include <zcmoe/zcmoe.hpp>

namespace zcmoe {

inline zcmoe_compile_options compile_options() { return ZCMOE_COMPILE_OPTIONS_INIT; }

/// A table of a function, and what is known of it.
struct compiled {
  model table;
  zcmoe_compile_result result;
};

namespace detail {
template <class Function, class Density>
compiled compile(const context& context, const Function& function, const Density& density,
                 bool has_density, double lo, double hi, double tolerance,
                 const zcmoe_compile_options& options, const zcmoe_model_options& answers) {
  using both = callbacks<Function, Density>;
  both calls{function, density};
  zcmoe_model* handle = nullptr;
  zcmoe_compile_result result = ZCMOE_COMPILE_RESULT_INIT;
  const zcmoe_status status =
      zcmoe_compile(context.get(), &both::call_first, has_density ? &both::call_second : nullptr,
                    &calls, lo, hi, tolerance, &options, &answers, &handle, &result);
  if (calls.thrown) zcmoe_model_destroy(handle);
  calls.rethrow();
  check(status);
  return {model(handle), result};
}
}  // namespace detail

/// The smallest table of a function of uniformly distributed inputs. What the function throws is
/// thrown again behind the call.
template <class Function>
compiled compile(const context& context, const Function& function, double lo, double hi,
                 double tolerance, const zcmoe_compile_options& options = compile_options(),
                 const zcmoe_model_options& answers = model_options()) {
  return detail::compile(context, function, function, false, lo, hi, tolerance, options, answers);
}

/// The same for inputs of a density, another callable.
template <class Function, class Density>
compiled compile_for_density(const context& context, const Function& function,
                             const Density& density, double lo, double hi, double tolerance,
                             const zcmoe_compile_options& options = compile_options(),
                             const zcmoe_model_options& answers = model_options()) {
  return detail::compile(context, function, density, true, lo, hi, tolerance, options, answers);
}

}  // namespace zcmoe
