/// @file
/// C++17 over compile.h: callables, exceptions. Header-only; carries no ABI. compile.h documents
/// the call. Where it returns another status than ZCMOE_OK, the functions here throw zcmoe::error;
/// what a callable throws is thrown again behind the call.
///
/// @code
///   zcmoe::context cpu(ZCMOE_ENGINE_CPU);
///   auto made = zcmoe::compile(cpu, [](double x) { return std::sin(x); }, 0.0, 3.0, 1e-3);
///   made.table.save("sine.safetensors");     // made.result.num_segments, .error, ...
/// @endcode
#pragma once

#include <zcmoe/compile.h>
#include <zcmoe/zcmoe.hpp>

namespace zcmoe {

/// Options to change some of.
/// @return all defaults
inline zcmoe_compile_options compile_options() { return ZCMOE_COMPILE_OPTIONS_INIT; }

/// A table of a function, and what is known of it.
struct compiled {
  model table;                  ///< the table
  zcmoe_compile_result result;  ///< its size and its verified error
};

namespace detail {
template <class Function, class Density>
compiled compile(const context& context, const Function& function, const Density& density,
                 bool has_density, double lo, double hi, double tolerance,
                 const zcmoe_compile_options& options, const zcmoe_model_options& policies) {
  using both = callbacks<Function, Density>;
  both calls{function, density};
  zcmoe_model* handle = nullptr;
  zcmoe_compile_result result = ZCMOE_COMPILE_RESULT_INIT;
  const zcmoe_status status =
      zcmoe_compile(context.get(), &both::call_first, has_density ? &both::call_second : nullptr,
                    &calls, lo, hi, tolerance, &options, &policies, &handle, &result);
  if (calls.thrown) zcmoe_model_destroy(handle);
  calls.rethrow();
  check(status);
  return {model(handle), result};
}
}  // namespace detail

/// Makes the smallest table of a function of uniformly distributed inputs: zcmoe_compile().
/// @param context    whose engine the model lives on
/// @param function   f, any callable from double to double
/// @param lo         lower end of the range, finite
/// @param hi         upper end, lo < hi, finite
/// @param tolerance  the largest error, > 0, in the unit of f
/// @param options    how the table is looked for
/// @param policies   policies of the model
/// @return the table, and what is known of it
template <class Function>
compiled compile(const context& context, const Function& function, double lo, double hi,
                 double tolerance, const zcmoe_compile_options& options = compile_options(),
                 const zcmoe_model_options& policies = model_options()) {
  return detail::compile(context, function, function, false, lo, hi, tolerance, options, policies);
}

/// Makes the smallest table of a function of inputs with a density: zcmoe_compile().
/// @param context    whose engine the model lives on
/// @param function   f, any callable from double to double
/// @param density    p >= 0, likewise, of any scale
/// @param lo         lower end of the range, finite
/// @param hi         upper end, lo < hi, finite
/// @param tolerance  the largest rms error, > 0, in the unit of f
/// @param options    how the table is looked for
/// @param policies   policies of the model
/// @return the table, and what is known of it
template <class Function, class Density>
compiled compile_for_density(const context& context, const Function& function,
                             const Density& density, double lo, double hi, double tolerance,
                             const zcmoe_compile_options& options = compile_options(),
                             const zcmoe_model_options& policies = model_options()) {
  return detail::compile(context, function, density, true, lo, hi, tolerance, options, policies);
}

}  // namespace zcmoe
