// A progress bar on standard error, for people only: nothing is written unless it is a terminal and
// the work takes longer than half a second.
#pragma once

#include <chrono>
#include <string>

namespace zcmoe::cli {

class progress {
 public:
  /// step names what goes on, e.g. "fit".
  explicit progress(std::string step, bool enabled = true);
  /// Wipes the bar.
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// done: part of the work, 0 to 1, or negative if unknown; rows so far.
  void update(double done, long long rows);
  /// The same for work that does not go row by row.
  void update(double done) { update(done, -1); }

 private:
  std::string step_;
  bool enabled_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point next_;
};

/// Seconds that passed inside its scopes, added up.
class stopwatch {
 public:
  class scope {
   public:
    explicit scope(stopwatch& watch) : watch_(watch), start_(std::chrono::steady_clock::now()) {}
    ~scope() {
      watch_.seconds_ +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

   private:
    stopwatch& watch_;
    std::chrono::steady_clock::time_point start_;
  };

  double seconds() const noexcept { return seconds_; }

 private:
  double seconds_ = 0;
};

}  // namespace zcmoe::cli
