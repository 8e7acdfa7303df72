// A mutex guards the list of works; parts are handed out by an atomic counter, so that the mutex is
// taken twice a call and thread, not once a part.
#include "host/cpu/workers.hpp"

#include <algorithm>
#include <csignal>

namespace zcmoe::detail {
namespace {

constexpr std::size_t stack_bytes = std::size_t{1} << 20;  // the loops need less than 64 KB

/// Looks again and again for some microseconds, longer than it takes to fall asleep and be woken.
template <class Condition>
bool soon(const Condition& condition) {
  for (int look = 0; look < 1000; ++look) {
    if (condition()) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  return condition();
}

/// Signals belong to the threads of the program: while it lives, new threads have all blocked.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

workers::workers(int num_threads) : num_threads_(num_threads), process_(getpid()) {
  threads_.reserve(static_cast<std::size_t>(num_threads));
}

workers::~workers() {
  if (process_ != getpid()) return;  // a child has no threads to wait for
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    look_ = true;
  }
  wanted_.notify_all();
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void workers::shared_work::take_parts() noexcept {
  for (std::int64_t part = next++; part < num_parts; part = next++) call(body, part);
}

void workers::run(shared_work& work) {
  if (process_ != getpid()) {  // the mutex may be held by a thread that this process does not have
    work.take_parts();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    start_missing_threads();
    work.following = works_;
    works_ = &work;
    look_ = true;
  }
  for (std::int64_t k = 1; k < std::min<std::int64_t>(work.num_parts, num_threads_); ++k) {
    wanted_.notify_one();
  }
  work.take_parts();
  std::unique_lock lock(mutex_);
  shared_work** at = &works_;
  while (*at != &work) at = &(*at)->following;
  *at = work.following;
  look_ = works_ != nullptr || ending_;
  lock.unlock();  // no new helper finds the work now; those inside finish their last part
  if (soon([&] { return work.helpers == 0; })) return;
  lock.lock();
  finished_.wait(lock, [&] { return work.helpers == 0; });
}

void workers::start_missing_threads() {
  if (threads_.size() + 1 == static_cast<std::size_t>(num_threads_)) return;
  const signals_blocked scope;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread;
  const auto start = [](void* self) -> void* {
    static_cast<workers*>(self)->help();
    return nullptr;
  };
  while (threads_.size() + 1 < static_cast<std::size_t>(num_threads_) &&
         pthread_create(&thread, &attributes, start, this) == 0) {
    threads_.push_back(thread);
  }
  pthread_attr_destroy(&attributes);
}

void workers::help() {
  for (;;) {
    soon([&] { return look_.load(); });
    std::unique_lock lock(mutex_);
    shared_work* work = nullptr;
    wanted_.wait(lock, [&] {
      for (work = works_; work != nullptr && work->next >= work->num_parts;) work = work->following;
      return work != nullptr || ending_;
    });
    if (work == nullptr) return;
    ++work->helpers;
    lock.unlock();
    work->take_parts();
    // Once helpers is 0 the caller may return, and the work is gone: only the pool is touched then.
    lock.lock();
    if (--work->helpers == 0) finished_.notify_all();
  }
}

}  // namespace zcmoe::detail
