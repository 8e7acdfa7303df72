// Every function of the C headers where memory or threads run out: malloc and its kin of the whole
// process fail, the k-th for every k, one of them or all from there on; or the address space or the
// number of processes is limited. A call answers OUT_OF_MEMORY or succeeds all the same, leaves
// fits as they were if it fails, leaks nothing, and succeeds when it is repeated.
#include "tests/api/every_call.hpp"
#include "tests/support.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#if defined(__GLIBC__) && !ZCMOE_SANITIZED
#define ZCMOE_OWN_MALLOC 1
#else
#define ZCMOE_OWN_MALLOC 0
#endif

namespace {

std::atomic<long> budget{-1};  // allocations until one fails; -1: none does
std::atomic<bool> all_later{false};
std::atomic<long> refused{0};
std::atomic<long> asked{0};
std::atomic<long> alive{0};

bool fails_now() {
  ++asked;
  if (budget.load() < 0) return false;
  const long left = budget--;
  if (left > 0) return false;
  if (left < 0 && !all_later) return false;
  if (!all_later) budget = -1;
  if (all_later) budget = 0;
  ++refused;
  errno = ENOMEM;
  return true;
}

}  // namespace

#if ZCMOE_OWN_MALLOC
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

static void* counted(void* pointer) {
  if (pointer != nullptr) ++alive;
  return pointer;
}
void* malloc(std::size_t bytes) { return fails_now() ? nullptr : counted(__libc_malloc(bytes)); }
void* calloc(std::size_t count, std::size_t bytes) {
  return fails_now() ? nullptr : counted(__libc_calloc(count, bytes));
}
void* realloc(void* pointer, std::size_t bytes) {
  if (fails_now()) return nullptr;
  void* const moved = __libc_realloc(pointer, bytes);
  if (pointer == nullptr) return counted(moved);
  if (bytes == 0) --alive;
  return moved;
}
void* memalign(std::size_t align, std::size_t bytes) {
  return fails_now() ? nullptr : counted(__libc_memalign(align, bytes));
}
void* aligned_alloc(std::size_t align, std::size_t bytes) { return memalign(align, bytes); }
int posix_memalign(void** pointer, std::size_t align, std::size_t bytes) {
  void* const made = memalign(align, bytes);
  if (made == nullptr) return ENOMEM;
  *pointer = made;
  return 0;
}
void free(void* pointer) {
  const int kept = errno;
  if (pointer != nullptr) --alive;
  __libc_free(pointer);
  errno = kept;
}
}
#endif

namespace zcmoe::test {
namespace {

class hardship_test : public testing::Test {
 protected:
  void SetUp() override {
    if (!ZCMOE_OWN_MALLOC) GTEST_SKIP() << "the sanitizer's malloc cannot be replaced";
  }
};

/// Runs a call with the k-th allocation failing; answers whether one was refused.
bool run_failing(const public_call& call, long k, bool later_too, zcmoe_status& status) {
  refused = 0;
  all_later = later_too;
  budget = k;
  status = call.run();
  budget = -1;
  return refused > 0;
}

/// Every k of few, then fewer and fewer of many.
long next_of(long k) { return k < 30 ? k + 1 : k + 1 + k / 5; }

void fail_every_allocation(every_call& all, const public_call& call, bool later_too) {
  SCOPED_TRACE(call.name + (later_too ? ", all from the k-th on" : ", the k-th alone"));
  for (long k = 0;; k = next_of(k)) {
    call.prepare();
    const auto before = all.state();
    const long alive_before = alive;
    zcmoe_status status = ZCMOE_OK;
    const bool failed = run_failing(call, k, later_too, status);
    if (status != ZCMOE_OK) {
      ASSERT_EQ(status, ZCMOE_ERR_OUT_OF_MEMORY) << "k=" << k << ": " << zcmoe_last_error();
      ASSERT_EQ(alive, alive_before) << "leak, k=" << k;
      ASSERT_EQ(all.state(), before) << "changed, k=" << k;
      ASSERT_EQ(call.run(), ZCMOE_OK) << "again, k=" << k << ": " << zcmoe_last_error();
    }
    call.clean();
    if (!failed) break;
    ASSERT_LT(k, 10000000) << "no end of allocations";
  }
}

TEST_F(hardship_test, every_allocation_of_every_function) {
  every_call all(2);
  for (const public_call& call : all.calls()) {  // threads started, caches of the C library filled
    call.prepare();
    EXPECT_EQ(call.run(), ZCMOE_OK) << call.name << ": " << zcmoe_last_error();
    call.clean();
  }
  for (const public_call& call : all.calls()) {
    for (const bool later_too : {false, true}) {
      fail_every_allocation(all, call, later_too);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(hardship_test, predict_allocates_nothing) {
  every_call all(2);
  for (const public_call& call : all.calls()) {
    if (call.name.rfind("zcmoe_predict", 0) != 0) continue;
    EXPECT_EQ(call.run(), ZCMOE_OK);  // threads started
    const long before = asked;
    EXPECT_EQ(call.run(), ZCMOE_OK);
    EXPECT_EQ(asked - before, 0) << call.name;
  }
}

TEST_F(hardship_test, every_allocation_of_the_first_call_of_a_context) {
  // What starts threads: here a failure may cost the thread and no more.
  for (const char* const name :
       {"zcmoe_fit_add", "zcmoe_fit_add_sync", "zcmoe_predict", "zcmoe_predict_points",
        "zcmoe_group", "zcmoe_fit_merge", "zcmoe_fit_finish"}) {
    for (const bool later_too : {false, true}) {
      for (long k = 0; k < 40; ++k) {
        SCOPED_TRACE(std::string(name) + " k=" + std::to_string(k));
        const long alive_before = alive;
        bool failed = false;
        {
          every_call all(2);
          const auto& calls = all.calls();
          const auto call = std::find_if(calls.begin(), calls.end(),
                                         [&](const public_call& c) { return c.name == name; });
          ASSERT_NE(call, calls.end());
          const auto before = all.state();
          zcmoe_status status = ZCMOE_OK;
          failed = run_failing(*call, k, later_too, status);
          if (status != ZCMOE_OK) {
            ASSERT_EQ(status, ZCMOE_ERR_OUT_OF_MEMORY) << zcmoe_last_error();
            ASSERT_EQ(all.state(), before);
          }
          call->clean();
          ASSERT_EQ(call->run(), ZCMOE_OK) << zcmoe_last_error();
          call->clean();
        }
        // The C library keeps what belongs to threads' stacks: the same after every round.
        const long left = alive - alive_before;
        ASSERT_LE(left, k > 2 ? 0 : 64) << "leak";
        if (!failed) break;
      }
    }
  }
}

/// The worst that a child saw: a signal (negative), 100 a changed state, else a status.
int outcome_of_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Makes the pages of the stack that calls need resident: a limit must not hit the stack itself.
__attribute__((noinline)) void touch_stack() {
  volatile char room[256 << 10];
  for (std::size_t i = 0; i < sizeof room; i += 4096) room[i] = 1;
}

std::size_t address_space() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  long pages = 0;
  if (file == nullptr || std::fscanf(file, "%ld", &pages) != 1) return 0;
  std::fclose(file);
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool changes_state(const public_call& call) {
  return call.name == "zcmoe_fit_add" || call.name == "zcmoe_fit_add_sync" ||
         call.name == "zcmoe_fit_merge";
}

/// Runs what needs nothing prepared; 0, or 100 and the first status that is neither OK nor
/// OUT_OF_MEMORY.
int run_within_limits(const every_call& all) {
  for (const public_call& call : all.calls()) {
    if (call.name.find("_destroy") != std::string::npos) continue;
    const zcmoe_status status = call.run();
    call.clean();
    if (status != ZCMOE_OK && status != ZCMOE_ERR_OUT_OF_MEMORY) {
      std::fprintf(stderr, "%s: %s\n", call.name.c_str(), zcmoe_last_error());
      return 100 + static_cast<int>(status);
    }
  }
  return 0;
}

TEST_F(hardship_test, a_limited_address_space) {
  for (const bool warm : {false, true}) {
    // Limits half a megabyte apart, every other one with threads and tables there already.
    for (std::size_t more = warm ? 512 << 10 : 0; more <= std::size_t{16} << 20; more += 1 << 20) {
      const int outcome = outcome_of_child([&] {
        every_call all(2);
        if (warm && run_within_limits(all) != 0) return 99;
        touch_stack();
        rlimit limit;
        getrlimit(RLIMIT_AS, &limit);
        const rlim_t unlimited = limit.rlim_cur;
        auto before = all.state();
        for (const public_call& call : all.calls()) {
          if (!changes_state(call)) continue;
          limit.rlim_cur = address_space() + more;
          if (setrlimit(RLIMIT_AS, &limit) != 0) return 98;
          const zcmoe_status status = call.run();
          limit.rlim_cur = unlimited;
          if (setrlimit(RLIMIT_AS, &limit) != 0) return 98;
          if (status != ZCMOE_OK && status != ZCMOE_ERR_OUT_OF_MEMORY) return 100 + status;
          auto now = all.state();
          if ((status == ZCMOE_OK) == (now == before)) return 97;
          before = std::move(now);
        }
        limit.rlim_cur = address_space() + more;
        if (setrlimit(RLIMIT_AS, &limit) != 0) return 98;
        return run_within_limits(all);
      });
      EXPECT_EQ(outcome, 0) << "at " << more << " bytes more than present"
                            << (warm ? ", warm" : "");
    }
  }
}

TEST_F(hardship_test, no_thread_can_be_made) {
  const int outcome = outcome_of_child([] {
    every_call all(2);
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return 98;
    if (getuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534)))
      return 97;
    for (const public_call& call : all.calls()) {
      if (call.name == "zcmoe_model_save" || call.name == "zcmoe_model_load") continue;  // rights
      call.prepare();
      const zcmoe_status status = call.run();
      call.clean();
      if (status != ZCMOE_OK) {
        std::fprintf(stderr, "%s: %s\n", call.name.c_str(), zcmoe_last_error());
        return static_cast<int>(status);
      }
    }
    return 0;
  });
  EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace zcmoe::test
