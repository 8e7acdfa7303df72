// What signals do to a command: they end it without leaving a temporary file behind.
#pragma once

namespace zcmoe::cli {

/// Once, at the start of the program.
void install_signal_handlers();

/// While one lives, an interrupt waits: for a call of the library that has a temporary file of its
/// own, which no handler could find. Whatever arrived is delivered at the end. Not to be nested.
/// Not a signal mask: the engine's threads, made earlier, would still take the signal.
class signals_held {
 public:
  signals_held() noexcept;
  ~signals_held();
  signals_held(const signals_held&) = delete;
  signals_held& operator=(const signals_held&) = delete;
};

}  // namespace zcmoe::cli
