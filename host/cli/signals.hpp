// What signals do to a command: they end it without leaving a temporary file behind.
#pragma once

namespace zcmoe::cli {

/// To be called once, at the start of the program.
void install_signal_handlers();

/// Delays signals as long as the object lives, and delivers them at its end. It is put around calls
/// of the library that make a temporary file, which no handler could find. Two must not be nested.
/// A signal mask would not do: the engine's threads, made earlier, would still take the signal.
class signals_held {
 public:
  signals_held() noexcept;
  ~signals_held();
  signals_held(const signals_held&) = delete;
  signals_held& operator=(const signals_held&) = delete;
};

}  // namespace zcmoe::cli
