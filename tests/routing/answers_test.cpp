// answer_of against long double, which holds every int64 and has a wider range of exponents than
// double: the product is exact in it, and is rounded once.
#include "host/routing/answers.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace zcmoe::detail {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64, "it holds every int64");

template <class T>
T rounded_once(std::int64_t sum, std::int32_t exponent) {
  return static_cast<T>(std::ldexp(static_cast<long double>(sum), exponent));
}

void expect_exact(std::int64_t sum, std::int32_t exponent) {
  const double wide = answer_of<double>(sum, exponent);
  const float narrow = answer_of<float>(sum, exponent);
  ASSERT_EQ(wide, rounded_once<double>(sum, exponent)) << sum << " " << exponent;
  ASSERT_EQ(narrow, rounded_once<float>(sum, exponent)) << sum << " " << exponent;
  if (sum == 0) {
    ASSERT_FALSE(std::signbit(wide)) << exponent;
    ASSERT_FALSE(std::signbit(narrow)) << exponent;
  }
}

/// Sums around every power of two, halfway between floats and doubles, and next to that.
std::vector<std::int64_t> hard_sums() {
  std::vector<std::int64_t> sums{0, 1, 2, 3, INT64_MAX, INT64_MAX - 1};
  for (int bit = 1; bit < 63; ++bit) {
    const std::int64_t power = std::int64_t{1} << bit;
    for (const int digits : {24, 53}) {
      const std::int64_t half = bit >= digits ? std::int64_t{1} << (bit - digits) : 0;
      for (const std::int64_t odd : {0, 1, 2, 3}) {
        for (const std::int64_t aside : {-1, 0, 1}) sums.push_back(power + odd * half + aside);
      }
    }
  }
  const std::size_t count = sums.size();
  for (std::size_t i = 0; i < count; ++i) sums.push_back(-sums[i]);
  sums.push_back(INT64_MIN);
  return sums;
}

TEST(answers_test, hard_sums_are_rounded_once) {
  for (const std::int64_t sum : hard_sums()) {
    for (int exponent = -1210; exponent <= 1030;
         exponent += exponent > -100 && exponent < 60 ? 7 : 1)
      expect_exact(sum, exponent);
  }
}

TEST(answers_test, random_sums_are_rounded_once) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000000; ++i) {
    const auto sum = static_cast<std::int64_t>(random()) >> random() % 64;
    // Where numbers of a type begin, end, or are no longer normal.
    const std::int32_t centers[] = {-1074, -1022, -149, -126, 0, 127, 1023};
    const auto exponent = static_cast<std::int32_t>(centers[random() % 7]) -
                          static_cast<std::int32_t>(random() % 70) + 3;
    expect_exact(sum, exponent);
  }
}

TEST(answers_test, any_exponent_is_taken) {
  for (const std::int64_t sum : {INT64_MIN, INT64_C(-1), INT64_C(0), INT64_C(1), INT64_MAX}) {
    for (const std::int32_t exponent :
         {INT32_MIN, INT32_MIN + 1, -20000, -1138, -1137, 1087, 20000, INT32_MAX}) {
      expect_exact(sum, exponent);
    }
  }
}

}  // namespace
}  // namespace zcmoe::detail
