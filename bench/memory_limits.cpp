// Loops that only move memory. Whether there is AVX2 is asked at run time, so that one binary
// serves every x86-64 machine; elsewhere memcpy does the work.
#include "memory_limits.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace zcmoe::bench {
namespace {

constexpr std::size_t line = 64;

/// The bytes up to the last whole cache line. memcpy takes the few behind it.
std::size_t whole_lines(std::size_t bytes) { return bytes / line * line; }

#if defined(__x86_64__)
bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

__attribute__((target("avx2"))) void copy_lines(char* to, const char* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += line) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), low);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i + 32), high);
  }
  _mm_sfence();
}

__attribute__((target("avx2"))) long long read_lines(const char* from, std::size_t bytes) {
  __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (std::size_t i = 0; i < bytes; i += line) {
    sums[0] =
        _mm256_add_epi64(sums[0], _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i)));
    sums[1] = _mm256_add_epi64(sums[1],
                               _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i + 32)));
  }
  alignas(32) long long lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi64(sums[0], sums[1]));
  return (lanes[0] ^ lanes[1]) ^ (lanes[2] ^ lanes[3]);
}
#else
bool has_avx2() { return false; }
void copy_lines(char* to, const char* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
long long read_lines(const char*, std::size_t) { return 0; }
#endif

void copy_part(char* to, const char* from, std::size_t bytes) {
  const std::size_t whole = has_avx2() ? whole_lines(bytes) : 0;
  if (whole > 0) copy_lines(to, from, whole);
  std::memcpy(to + whole, from + whole, bytes - whole);
}

long long read_part(const char* from, std::size_t bytes) {
  const std::size_t whole = has_avx2() ? whole_lines(bytes) : 0;
  std::uint64_t sum = whole > 0 ? static_cast<std::uint64_t>(read_lines(from, whole)) : 0;
  for (std::size_t i = whole; i + sizeof sum <= bytes; i += sizeof sum) {
    std::uint64_t word;
    std::memcpy(&word, from + i, sizeof word);
    sum += word;
  }
  return static_cast<long long>(sum);
}

/// Gives each thread one part, cut at cache lines.
template <class Part>
void share_out(std::size_t bytes, int threads, const Part& part) {
  if (threads == 1) {
    part(std::size_t{0}, bytes);
    return;
  }
  const auto count = static_cast<std::size_t>(threads);
  const std::size_t share = (bytes / count + line) / line * line;
  static tbb::task_arena arena;  // all cores, as in the CPU engine
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t t) {
      const std::size_t first = std::min(bytes, t * share);
      part(first, std::min(bytes, first + share) - first);
    });
  });
}

}  // namespace

void streaming_copy(void* to, const void* from, std::size_t bytes, int threads) {
  share_out(bytes, threads, [&](std::size_t first, std::size_t size) {
    copy_part(static_cast<char*>(to) + first, static_cast<const char*>(from) + first, size);
  });
}

long long streaming_read(const void* from, std::size_t bytes, int threads) {
  std::atomic<long long> sum{0};
  share_out(bytes, threads, [&](std::size_t first, std::size_t size) {
    sum ^= read_part(static_cast<const char*>(from) + first, size);
  });
  return sum;
}

const char* store_kind() { return has_avx2() ? "non-temporal, 32 bytes" : "memcpy"; }

}  // namespace zcmoe::bench
