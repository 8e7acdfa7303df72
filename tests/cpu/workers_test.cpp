// The CPU engine's threads (host/cpu/workers.hpp): every part once, from any number of callers;
// with no thread to be had, after fork, and while other threads are busy, the caller alone is
// enough.
#include "host/cpu/workers.hpp"
#include "tests/support.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>
#include <vector>

namespace zcmoe::detail {
namespace {

/// Whether each of so many parts was done once.
bool does_all(workers& crew, std::int64_t num_parts) {
  std::vector<std::atomic<int>> done(static_cast<std::size_t>(num_parts));
  crew.run(num_parts, [&](std::int64_t part) { ++done[static_cast<std::size_t>(part)]; });
  for (const std::atomic<int>& times : done) {
    if (times != 1) return false;
  }
  return true;
}

/// What a forked child answers; it is ended when it takes more than 20 seconds.
bool holds_in_a_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(workers_test, every_part_is_done_once) {
  for (const int threads : {1, 2, 3, 16}) {
    workers crew(threads);
    for (const std::int64_t parts : {0, 1, 2, 3, 15, 16, 17, 1000}) {
      EXPECT_TRUE(does_all(crew, parts)) << threads << " threads, " << parts << " parts";
    }
  }
}

TEST(workers_test, threads_are_used) {
  workers crew(4);
  std::atomic<int> inside{0};
  // Each part waits for all others: without four threads this would never end.
  crew.run(4, [&](std::int64_t) {
    ++inside;
    while (inside < 4) std::this_thread::yield();
  });
  EXPECT_EQ(inside, 4);
}

TEST(workers_test, many_callers_share_a_crew) {
  workers crew(3);
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (int k = 0; k < 16; ++k) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) right += does_all(crew, 37) ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(right, 16 * 200);
}

TEST(workers_test, a_crew_that_had_no_work_ends) {
  for (int repeat = 0; repeat < 100; ++repeat) workers crew(8);
}

TEST(workers_test, signals_are_not_for_the_threads) {
  workers crew(2);
  std::atomic<bool> blocked{false};
  std::atomic<int> inside{0};
  const std::thread::id caller = std::this_thread::get_id();
  crew.run(2, [&](std::int64_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
    if (std::this_thread::get_id() == caller) return;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
  });
  EXPECT_TRUE(blocked);
}

TEST(workers_test, where_no_thread_can_be_made_the_caller_does_all) {
  EXPECT_TRUE(holds_in_a_child([] {
    workers crew(4);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    if (geteuid() == 0 && setuid(65534) != 0) return false;  // root may exceed the limit
    bool another = true;
    try {
      std::thread([] {}).join();
    } catch (const std::system_error&) {
      another = false;
    }
    return !another && does_all(crew, 100) && does_all(crew, 100);
  }));
}

TEST(workers_test, a_child_of_a_busy_process_is_alone_and_goes_on) {
  if (ZCMOE_SANITIZED) GTEST_SKIP() << "a sanitizer's allocator does not survive fork()";
  workers crew(3);
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int k = 0; k < 2; ++k) {
    busy.emplace_back([&] {
      while (!stop) does_all(crew, 50);
    });
  }
  int right = 0;
  for (int repeat = 0; repeat < 100; ++repeat) {
    right += holds_in_a_child([&] {
      workers own(3);  // a crew made after the fork has threads
      return does_all(crew, 50) && does_all(own, 50);
    });
  }
  stop = true;
  for (std::thread& caller : busy) caller.join();
  EXPECT_EQ(right, 100);
}

}  // namespace
}  // namespace zcmoe::detail
