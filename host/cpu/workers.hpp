// Threads that help a call along: the parts of one piece of work, shared out by a counter.
//
// A pool of our own, for three promises that the general ones at hand break: where no thread can be
// made or no memory is left, a call is done by its caller alone (TBB ends the process or waits for
// ever, OpenMP ends the process); a call allocates nothing; a forked child, which has none of its
// parent's threads, goes on with one. ThreadSanitizer sees through it as well.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace zcmoe::detail {

class workers {
 public:
  /// For calls that may use num_threads >= 1 threads, the caller among them. The others are started
  /// by the first call that has work for them, and sleep between calls; those that cannot be
  /// started are tried again by the next one.
  explicit workers(int num_threads);
  ~workers();
  workers(const workers&) = delete;
  workers& operator=(const workers&) = delete;

  int num_threads() const { return num_threads_; }

  /// body(part) once for every part in [0, num_parts), in any order, by the caller and whichever
  /// threads are free; returns when all are done. Any number of threads may call at once. body must
  /// not throw: what can fail is done before.
  template <class Body>
  void run(std::int64_t num_parts, const Body& body) {
    if (num_parts <= 1 || num_threads_ == 1) {
      for (std::int64_t part = 0; part < num_parts; ++part) body(part);
      return;
    }
    shared_work work;
    work.num_parts = num_parts;
    work.body = &body;
    work.call = [](const void* given, std::int64_t part) noexcept {
      (*static_cast<const Body*>(given))(part);
    };
    run(work);
  }

 private:
  /// One call's work. It lives on the caller's stack: the caller leaves only when no helper is
  /// inside.
  struct shared_work {
    std::atomic<std::int64_t> next{0};
    std::int64_t num_parts = 0;
    const void* body = nullptr;
    void (*call)(const void*, std::int64_t) noexcept = nullptr;
    std::atomic<int> helpers{0};       // threads inside, besides the caller; grows under the mutex
    shared_work* following = nullptr;  // in the list

    void take_parts() noexcept;
  };

  void run(shared_work& work);
  void start_missing_threads();
  void help();

  const int num_threads_;
  const pid_t process_;               // that may start threads: not a child forked later
  std::mutex mutex_;                  // guards what follows
  std::condition_variable wanted_;    // there is work, or the end has come
  std::condition_variable finished_;  // the last helper of some work has left
  std::vector<pthread_t> threads_;    // room for all is reserved: starting one does not allocate
  shared_work* works_ = nullptr;      // those that may have parts left, the newest first
  bool ending_ = false;
  std::atomic<bool> look_{false};  // works_ is not empty, or ending_: for threads that look
};

}  // namespace zcmoe::detail
