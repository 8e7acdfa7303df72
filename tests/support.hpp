// What every test shares: the engines, memory they can read, seeded data. No test logic.
#pragma once

#include <zcmoe/zcmoe.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

// A sanitizer brings an allocator of its own. It cannot be replaced, its frames are larger, and a
// child that is forked while another thread allocates inherits its lock held: the child then waits
// for ever (GCC 12, Clang 14).
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ZCMOE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define ZCMOE_SANITIZED 1
#endif
#endif
#ifndef ZCMOE_SANITIZED
#define ZCMOE_SANITIZED 0
#endif

namespace zcmoe::test {

/// Memory that an engine computes in; CPU: the heap, CUDA: cudaMalloc. Copies wait.
void* engine_allocate(zcmoe_engine engine, std::size_t bytes);
void engine_free(zcmoe_engine engine, void* pointer);
void engine_upload(zcmoe_engine engine, void* to, const void* from, std::size_t bytes);
void engine_download(zcmoe_engine engine, void* to, const void* from, std::size_t bytes);

/// A copy of host values in an engine's memory.
template <class T>
class engine_array {
 public:
  engine_array(zcmoe_engine engine, const std::vector<T>& values)
      : engine_(engine), size_(values.size()) {
    data_ = static_cast<T*>(engine_allocate(engine, std::max<std::size_t>(size_ * sizeof(T), 1)));
    engine_upload(engine, data_, values.data(), size_ * sizeof(T));
  }
  engine_array(const engine_array&) = delete;
  engine_array& operator=(const engine_array&) = delete;
  ~engine_array() { engine_free(engine_, data_); }

  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    engine_download(engine_, values.data(), data_, size_ * sizeof(T));
    return values;
  }

 private:
  zcmoe_engine engine_;
  std::size_t size_;
  T* data_;
};

inline const char* name_of(zcmoe_engine engine) {
  return engine == ZCMOE_ENGINE_CPU ? "cpu" : "cuda";
}

/// A context of the engine, or null where it is absent and need not be there.
inline std::unique_ptr<context> try_context(zcmoe_engine engine) {
  try {
    return std::make_unique<context>(engine);
  } catch (const error& e) {
    if (e.status() != ZCMOE_ERR_NO_DEVICE) throw;
    const char* required = std::getenv("ZCMOE_REQUIRE_BACKEND");
    if (required != nullptr && std::string(required) == name_of(engine)) throw;
    return nullptr;
  }
}

/// Base of tests that run on both engines.
class engine_test : public testing::TestWithParam<zcmoe_engine> {
 protected:
  void SetUp() override {
    context_ = try_context(GetParam());
    if (!context_) GTEST_SKIP() << "no " << name_of(GetParam()) << " device";
  }
  zcmoe_engine engine() const { return GetParam(); }
  const context& ctx() const { return *context_; }
  template <class T>
  engine_array<T> on_engine(const std::vector<T>& values) const {
    return engine_array<T>(engine(), values);
  }

 private:
  std::unique_ptr<context> context_;
};

#define ZCMOE_INSTANTIATE_ENGINES(suite)                                    \
  INSTANTIATE_TEST_SUITE_P(                                                 \
      engines, suite, testing::Values(ZCMOE_ENGINE_CPU, ZCMOE_ENGINE_CUDA), \
      [](const auto& instance) { return std::string(::zcmoe::test::name_of(instance.param)); })

/// The status of a call that throws zcmoe::error; ZCMOE_OK if it does not throw.
template <class Call>
zcmoe_status status_of(Call&& call, std::string* text = nullptr) {
  try {
    call();
  } catch (const error& e) {
    if (text != nullptr) *text = e.what();
    return e.status();
  }
  return ZCMOE_OK;
}

/// Bit equality: NaN equals the same NaN, -0.0 differs from 0.0.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace zcmoe::test
