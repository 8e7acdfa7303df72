// Failing allocations: the k-th of every call, for every k. The call answers OUT_OF_MEMORY, the
// fit's bytes stay as they were, nothing leaks, and a retry succeeds. Both kinds are failed:
// operator new, and the engine's memory.
#include "tests/support.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <new>

namespace {

std::atomic<long> host_budget{
    -1};  // allocations of this thread left before one fails; -1: unlimited
thread_local bool counted = false;
std::atomic<bool> only_library{
    false};  // CUDA: an emulated runtime allocates with operator new too, and may not fail

bool called_from_library(const void* caller) {
  Dl_info info{};
  return dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "libzcmoe.so") != nullptr;
}

bool host_allocation_fails(const void* caller) {
  if (!counted || host_budget.load() < 0) return false;
  if (only_library && !called_from_library(caller)) return false;
  if (host_budget.load() == 0) {
    host_budget = -1;  // one failure an experiment
    return true;
  }
  --host_budget;
  return false;
}

// None is inlined: a compiler that sees a new and then a free takes them for a mismatched pair.
__attribute__((noinline)) void* allocate(std::size_t bytes, std::size_t align, const void* caller) {
  if (host_allocation_fails(caller)) throw std::bad_alloc();
  void* pointer = align <= alignof(std::max_align_t)
                      ? std::malloc(bytes == 0 ? 1 : bytes)
                      : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}
__attribute__((noinline)) void release(void* pointer) { std::free(pointer); }

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, 1, __builtin_return_address(0)); }
void* operator new(std::size_t bytes, std::align_val_t align) {
  return allocate(bytes, static_cast<std::size_t>(align), __builtin_return_address(0));
}
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { release(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { release(pointer); }
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept { release(pointer); }

namespace zcmoe::test {
namespace {

/// An engine allocator that fails on demand and knows what is alive.
struct ledger {
  zcmoe_engine engine;
  long budget = -1;
  std::map<void*, std::size_t> alive;

  static void* alloc(void* user, std::size_t bytes, std::size_t align, zcmoe_stream) noexcept {
    auto& self = *static_cast<ledger*>(user);
    const bool was_counted = std::exchange(counted, false);
    void* pointer = nullptr;
    if (self.budget != 0) {
      if (self.budget > 0) --self.budget;
      if (self.engine == ZCMOE_ENGINE_CPU) {
        pointer = std::aligned_alloc(align, (bytes + align - 1) / align * align);
      } else {
        pointer = engine_allocate(self.engine, bytes);
      }
      self.alive[pointer] = bytes;
    } else {
      self.budget = -1;
    }
    counted = was_counted;
    return pointer;
  }
  static void free(void* user, void* pointer, std::size_t bytes, std::size_t,
                   zcmoe_stream) noexcept {
    auto& self = *static_cast<ledger*>(user);
    const bool was_counted = std::exchange(counted, false);
    EXPECT_EQ(self.alive.at(pointer), bytes);
    self.alive.erase(pointer);
    if (self.engine == ZCMOE_ENGINE_CPU) {
      std::free(pointer);
    } else {
      engine_free(self.engine, pointer);
    }
    counted = was_counted;
  }
};

class allocation_test : public engine_test {
 protected:
  /// Runs call once for each k with the k-th allocation failing, until it succeeds; after each
  /// failure unchanged() must hold. Returns the number of failures seen.
  template <class Call, class Unchanged>
  int fail_each(ledger& memory, bool host, Call&& call, Unchanged&& unchanged) {
    for (long k = 0;; ++k) {
      if (host) {
        host_budget = k;
      } else {
        memory.budget = k;
      }
      counted = true;
      const zcmoe_status status = call();
      counted = false;
      const bool spent = host ? host_budget.load() < 0 : memory.budget < 0;
      host_budget = -1;
      memory.budget = -1;
      if (!spent) {
        EXPECT_EQ(status, ZCMOE_OK) << zcmoe_last_error();
        return static_cast<int>(k);
      }
      EXPECT_EQ(status, ZCMOE_ERR_OUT_OF_MEMORY)
          << "allocation " << k << ": " << zcmoe_last_error();
      unchanged();
      if (k > 10000) {
        ADD_FAILURE() << "no end of allocations";
        return -1;
      }
    }
  }
};

TEST_P(allocation_test, every_allocation_of_every_call) {
  for (const bool host : {true, false}) {
    SCOPED_TRACE(host ? "operator new" : "engine memory");
    only_library = engine() == ZCMOE_ENGINE_CUDA;
    ledger memory{engine(), -1, {}};
    {
      zcmoe_context_options options = context_options();
      options.engine = engine();
      options.num_threads = 2;
      options.alloc = &ledger::alloc;
      options.free = &ledger::free;
      options.user = &memory;
      const context context(options);
      const std::vector<double> edges{0, 1, 2, 3};
      const std::vector<double> x(140000, 1.5);  // more than one CPU task
      const std::vector<double> y(140000, 2.5);
      const auto n = static_cast<std::int64_t>(x.size());
      const auto engine_x = on_engine(x);
      const auto engine_y = on_engine(y);
      const auto nothing = [] {};

      zcmoe_fit* fit = nullptr;
      const std::size_t at_start = memory.alive.size();
      fail_each(
          memory, host,
          [&] { return zcmoe_fit_create(context.get(), edges.data(), 3, nullptr, nullptr, &fit); },
          [&] { EXPECT_EQ(memory.alive.size(), at_start); });
      const auto bytes_of = [&] {
        std::size_t size = 0;
        check(zcmoe_fit_serialize(fit, nullptr, 0, &size, nullptr));
        std::vector<unsigned char> bytes(size);
        check(zcmoe_fit_serialize(fit, bytes.data(), size, &size, nullptr));
        return bytes;
      };
      auto before = bytes_of();
      const std::size_t with_fit = memory.alive.size();
      const auto unchanged = [&] {
        EXPECT_EQ(bytes_of(), before);
        EXPECT_EQ(memory.alive.size(), with_fit);
      };
      fail_each(
          memory, host,
          [&] {
            return zcmoe_fit_add(fit, array(engine_x.data()), array(engine_y.data()), no_array(), n,
                                 nullptr, 0, nullptr);
          },
          unchanged);
      EXPECT_NE(bytes_of(), before);
      before = bytes_of();
      fail_each(
          memory, host,
          [&] {
            return zcmoe_fit_add_sync(fit, array(x.data()), array(y.data()), no_array(), n,
                                      nullptr);
          },
          unchanged);
      before = bytes_of();
      std::vector<unsigned char> buffer(before.size());
      std::size_t size = 0;
      fail_each(
          memory, host,
          [&] { return zcmoe_fit_serialize(fit, buffer.data(), buffer.size(), &size, nullptr); },
          unchanged);
      zcmoe_fit* copy = nullptr;
      fail_each(
          memory, host,
          [&] { return zcmoe_fit_deserialize(context.get(), before.data(), before.size(), &copy); },
          unchanged);
      zcmoe_fit_destroy(copy);
      zcmoe_model* model = nullptr;
      fail_each(
          memory, host, [&] { return zcmoe_fit_finish(fit, &model, nullptr); }, unchanged);
      const auto engine_out = on_engine(std::vector<double>(x.size()));
      zcmoe_predict_outputs outputs = predict_outputs();
      outputs.values = output(engine_out.data());
      const int predict_allocations = fail_each(
          memory, false,
          [&] { return zcmoe_predict(model, array(engine_x.data()), n, &outputs, nullptr); },
          nothing);
      EXPECT_EQ(predict_allocations, 0);
      std::vector<double> out(x.size());
      outputs.values = output(out.data());
      fail_each(
          memory, host,
          [&] { return zcmoe_predict_sync(model, array(x.data()), n, &outputs, nullptr); },
          nothing);
      EXPECT_EQ(out[0], 2.5);
      std::vector<std::int64_t> rows(x.size(), -1);
      const auto engine_rows = on_engine(rows);
      zcmoe_group_outputs groups = group_outputs();
      groups.rows = output(engine_rows.data());
      const auto untouched = [&] {
        EXPECT_EQ(engine_rows.host(), std::vector<std::int64_t>(x.size(), -1));
        EXPECT_EQ(rows, std::vector<std::int64_t>(x.size(), -1));
      };
      fail_each(
          memory, host,
          [&] {
            return zcmoe_group(model, array(engine_x.data()), n, &groups, nullptr, 0, nullptr);
          },
          untouched);
      engine_upload(engine(), engine_rows.data(), rows.data(), rows.size() * sizeof(rows[0]));
      groups.rows = output(rows.data());
      fail_each(
          memory, host,
          [&] { return zcmoe_group_sync(model, array(x.data()), n, &groups, nullptr); }, untouched);
      EXPECT_EQ(rows.back(), n - 1);
      const std::string path =
          testing::TempDir() + "/zcmoe-allocation-" + name_of(engine()) + ".safetensors";
      fail_each(
          memory, host, [&] { return zcmoe_model_save(model, path.c_str()); }, nothing);
      zcmoe_model* loaded = nullptr;
      fail_each(
          memory, host, [&] { return zcmoe_model_load(context.get(), path.c_str(), &loaded); },
          nothing);
      zcmoe_model_destroy(loaded);
      std::remove(path.c_str());
      zcmoe_model_destroy(model);
      zcmoe_fit_destroy(fit);
    }
    EXPECT_TRUE(memory.alive.empty());
  }
}

ZCMOE_INSTANTIATE_ENGINES(allocation_test);

}  // namespace
}  // namespace zcmoe::test
