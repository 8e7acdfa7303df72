// Draws one line and overwrites it, at most ten times a second.
#include "progress.hpp"

#include "number.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace zcmoe::cli {
namespace {

constexpr int bar_width = 30;

}  // namespace

progress::progress(std::string step, bool enabled)
    : step_(std::move(step)),
      enabled_(enabled && ::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      next_(start_ + std::chrono::milliseconds(500)) {}

progress::~progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void progress::update(double done, long long rows) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  shown_ = true;
  std::string line = "\r" + step_ + " ";
  if (done >= 0) {
    const int filled = std::clamp(static_cast<int>(done * bar_width), 0, bar_width);
    line += "[" + std::string(static_cast<std::size_t>(filled), '#') +
            std::string(static_cast<std::size_t>(bar_width - filled), '.') + "] " +
            std::to_string(static_cast<int>(done * 100)) + " % ";
  }
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (rows >= 0) {
    line += grouped(rows) + " rows, " + readable(static_cast<double>(rows) / seconds / 1e6) +
            " M rows/s";
  }
  line += "\x1b[K";
  std::fputs(line.c_str(), stderr);
}

}  // namespace zcmoe::cli
