// The handlers make only async-signal-safe calls and use only lock-free atomics.
#include "signals.hpp"

#include "output_file.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace zcmoe::cli {
namespace {

std::atomic<bool> held{false};
std::atomic<int> waiting{0};  // the signal that arrived meanwhile
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void stop_on_signal(int signal) {
  if (held) {
    waiting = signal;
    // If ~signals_held, in another thread, looked before `waiting` was set, the signal is taken
    // back and acted on here.
    if (held || waiting.exchange(0) == 0) return;
  }
  remove_unfinished_output();
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

// The system sends SIGBUS if another program cuts a mapped input short while it is read.
extern "C" void stop_on_bus_error(int) {
  static const char message[] = "zcmoe: an input file became shorter while it was read\n";
  remove_unfinished_output();
  const ssize_t ignored = ::write(STDERR_FILENO, message, sizeof message - 1);
  static_cast<void>(ignored);
  ::_exit(1);
}

}  // namespace

void install_signal_handlers() {
  // Writing to a closed pipe, or beyond the limit of a file's size, then fails with an error, which
  // is reported.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, stop_on_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
  std::signal(SIGBUS, stop_on_bus_error);
}

signals_held::signals_held() noexcept { held = true; }

signals_held::~signals_held() {
  held = false;
  if (const int signal = waiting.exchange(0)) ::raise(signal);
}

}  // namespace zcmoe::cli
