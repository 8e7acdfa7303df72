// Exact sums and the constants made of them against Boost.Multiprecision: means within 1 ulp,
// variances within 4 ulp of a result computed with 10,000 bits, without weights the nearest double,
// for offsets of 1e15 times the spread and for every exponent.
#include "tests/support.hpp"

#include "host/experts/constant.hpp"
#include "kernels/window_sums.hpp"

#include <boost/multiprecision/mpfr.hpp>

namespace zcmoe::detail {
namespace {

// A number of 3000 decimal digits.
using real = boost::multiprecision::number<boost::multiprecision::mpfr_float_backend<3000>>;

/// Distance in representable doubles.
std::int64_t ulps(double a, double b) {
  std::int64_t x;
  std::int64_t y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  if (x < 0) x = std::numeric_limits<std::int64_t>::min() - x;
  if (y < 0) y = std::numeric_limits<std::int64_t>::min() - y;
  return std::abs(x - y);
}

template <class T>
T random_value(std::mt19937_64& random, int kind) {
  std::normal_distribution<double> normal;
  if (kind == 0) return static_cast<T>(normal(random));
  if (kind == 1) return static_cast<T>(1e15 + normal(random));
  if (kind == 2) return static_cast<T>(normal(random) * 0x1p-140);
  for (;;) {
    const auto bits = static_cast<typename float_format<T>::bits>(random());
    T value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) return value;
  }
}

/// Makes the digits of all sums of the one slot canonical.
template <class T, bool Weighted>
void carry_slot(std::int64_t* planes) {
  for_each_sum<T, Weighted>(
      [planes](int first, int digits) { carry_sum(planes, 1, 0, first, digits); });
}

template <class T, bool Weighted>
void compare_with_multiprecision() {
  using planes = sum_planes<T, Weighted>;
  std::mt19937_64 random(sizeof(T) * 2 + Weighted);
  for (int round = 0; round < 3000; ++round) {
    const int kind = round % 4;
    const auto n = static_cast<std::size_t>(1 + random() % 30);
    std::vector<std::int64_t> state(planes::end, 0);
    real w_sum = 0, ww_sum = 0, wy_sum = 0, wyy_sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const T y = random_value<T>(random, kind);
      const T w =
          Weighted ? std::abs(random_value<T>(random, kind == 3 && round % 8 == 3 ? 3 : 0)) : T{1};
      if (w == 0) continue;
      add_sample<T, Weighted>(y, w, [&](int plane, std::int64_t piece) {
        state[static_cast<std::size_t>(plane)] += piece;
      });
      const real exact_w = w;
      const real exact_y = y;
      w_sum += exact_w;
      ww_sum += exact_w * exact_w;
      wy_sum += exact_w * exact_y;
      wyy_sum += exact_w * exact_y * exact_y;
    }
    const slot_summary found = summarize<T, Weighted>(state.data(), 1, 0);
    const auto mean = static_cast<double>(real(wy_sum / w_sum));
    ASSERT_LE(ulps(found.mean, mean), Weighted ? 1 : 0)
        << round << ' ' << found.mean << ' ' << mean;
    ASSERT_LE(ulps(found.weight, static_cast<double>(w_sum)), 1);
    ASSERT_LE(ulps(found.effective_count, static_cast<double>(real(w_sum * w_sum / ww_sum))), 1);
    if (found.count < 2) {
      ASSERT_TRUE(std::isnan(found.variance));
    } else {
      const real exact = (w_sum * wyy_sum - wy_sum * wy_sum) / (w_sum * w_sum - ww_sum);
      const auto variance = static_cast<double>(exact);
      ASSERT_LE(ulps(found.variance, variance), Weighted ? 4 : 0)
          << round << ' ' << found.variance << ' ' << variance;
      // sqrt and quotient of rounded figures: a few ulp, unless the variance itself over- or
      // underflowed.
      if (std::isnormal(variance)) {
        const auto error = static_cast<double>(real(sqrt(exact * ww_sum) / w_sum));
        ASSERT_LE(ulps(found.standard_error, error), 4) << round;
      }
      if (Weighted) {
        const real mean_square = (w_sum * wyy_sum - wy_sum * wy_sum) / (w_sum * w_sum);
        const auto rounded = static_cast<double>(mean_square);
        ASSERT_LE(ulps(found.mean_square, rounded), 1) << round;
        const slot_summary precise = with_precisions(found);
        ASSERT_EQ(precise.mean, found.mean);
        ASSERT_EQ(precise.effective_count, static_cast<double>(found.count));
        const real unit = mean_square * w_sum / (found.count - 1);
        if (std::isnormal(rounded) && std::isnormal(static_cast<double>(unit))) {
          ASSERT_LE(ulps(precise.variance, static_cast<double>(unit)), 4) << round;
          const auto error = static_cast<double>(real(sqrt(real(unit / w_sum))));
          ASSERT_LE(ulps(precise.standard_error, error), 4) << round;
        }
      } else {
        ASSERT_TRUE(std::isnan(found.mean_square));
      }
    }
    // The digits hold the same sums after they are made canonical.
    std::vector<std::int64_t> canonical = state;
    carry_slot<T, Weighted>(canonical.data());
    const slot_summary again = summarize<T, Weighted>(canonical.data(), 1, 0);
    ASSERT_EQ(std::memcmp(&again, &found, sizeof again), 0);
    carry_slot<T, Weighted>(canonical.data());
    for_each_sum<T, Weighted>([&](int first, int digits) {
      for (int k = first; k + 1 < first + digits; ++k) {
        ASSERT_LT(canonical[static_cast<std::size_t>(k)], std::int64_t{1} << 31);
        ASSERT_GE(canonical[static_cast<std::size_t>(k)], -(std::int64_t{1} << 31));
      }
    });
  }
}

TEST(constant_test, float_targets) { compare_with_multiprecision<float, false>(); }
TEST(constant_test, float_targets_weighted) { compare_with_multiprecision<float, true>(); }
TEST(constant_test, double_targets) { compare_with_multiprecision<double, false>(); }
TEST(constant_test, double_targets_weighted) { compare_with_multiprecision<double, true>(); }

TEST(constant_test, ties_and_subnormal_results_round_to_even) {
  const auto mean_of = [](std::vector<double> values) {
    std::vector<std::int64_t> state(sum_planes<double, false>::end, 0);
    for (const double v : values) {
      add_sample<double, false>(v, 1.0, [&](int plane, std::int64_t piece) {
        state[static_cast<std::size_t>(plane)] += piece;
      });
    }
    return summarize<double, false>(state.data(), 1, 0);
  };
  const double one_up = std::nextafter(1.0, 2.0);
  const double two_up = std::nextafter(one_up, 2.0);
  EXPECT_EQ(mean_of({1.0, one_up}).mean, 1.0);
  EXPECT_EQ(mean_of({one_up, two_up}).mean, two_up);
  // A sum that is a tie but for one bit far below the 128 leading ones is rounded up, not to even.
  EXPECT_EQ(mean_of({4.0, 0x1p-51, 0.0, 0.0}).mean, 1.0);
  EXPECT_EQ(mean_of({4.0, 0x1p-51, 0x1p-300, 0.0}).mean, one_up);
  EXPECT_EQ(mean_of({-4.0, -0x1p-51, -0x1p-300, 0.0}).mean, -one_up);
  const double tiny = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(mean_of({tiny, 0.0}).mean, 0.0);
  EXPECT_EQ(mean_of({tiny, tiny, 0.0}).mean, tiny);
  EXPECT_EQ(mean_of({3 * tiny, 0.0}).mean, 2 * tiny);
  EXPECT_EQ(mean_of({-tiny, -tiny, -tiny, -tiny}).mean, -tiny);
  const double max = std::numeric_limits<double>::max();
  EXPECT_EQ(mean_of({max, max, max}).mean, max);
  EXPECT_EQ(mean_of({max, -max}).mean, 0.0);
  EXPECT_EQ(mean_of({max, -max}).variance, std::numeric_limits<double>::infinity());
  EXPECT_EQ(mean_of({5.0, 5.0, 5.0}).variance, 0.0);
  EXPECT_EQ(mean_of({1e15, 1e15 + 1, 1e15 + 2}).variance, 1.0);
}

TEST(constant_test, digits_hold_a_full_round_of_the_largest_terms) {
  // max_pending_rows terms of the largest magnitude leave every digit inside int64: add one term
  // 2^30 times by value.
  using planes = sum_planes<float, false>;
  std::vector<std::int64_t> state(planes::end, 0);
  add_sample<float, false>(
      -std::numeric_limits<float>::max(), 1.0f,
      [&](int plane, std::int64_t piece) { state[static_cast<std::size_t>(plane)] += piece; });
  for (std::int64_t& digit : state) {
    ASSERT_LT(std::abs(digit), std::int64_t{1} << 32);
    digit *= max_pending_rows;
  }
  const slot_summary found = summarize<float, false>(state.data(), 1, 0);
  EXPECT_EQ(found.count, max_pending_rows);
  EXPECT_EQ(found.mean, -static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(found.variance, 0.0);
}

/// The digits of both sums of one slot, made canonical.
std::vector<std::int64_t> canonical(std::vector<std::int64_t> planes) {
  carry_slot<float, false>(planes.data());
  return planes;
}

TEST(window_sums, give_the_digits_of_the_plain_sums) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 4000; ++round) {
    const int base = static_cast<int>(random() % (window_sums::most_base + 1));
    const auto rows = static_cast<std::int64_t>(1 + random() % 40);
    std::vector<std::int64_t> expected(sum_planes<float, false>::end, 0);
    std::vector<std::int64_t> got = expected;
    std::uint32_t sum[window_sums::words] = {};
    const bool extreme = round % 3 == 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      // Shifts reach from one below the window to one above it. In an extreme round every target
      // has the greatest magnitude inside it, and all have one sign.
      const int shift =
          base + (extreme ? window_sums::extra_bits : static_cast<int>(random() % 11) - 1);
      const auto exponent = static_cast<std::uint32_t>(std::min(std::max(shift + 1, 0), 254));
      const auto fraction = extreme ? 0x7fffffu : static_cast<std::uint32_t>(random()) & 0x7fffffu;
      const std::uint32_t bits = exponent << 23 | fraction |
                                 (round % 2 != 0 && (extreme || random() % 2 == 0) ? 1u << 31 : 0u);
      float y;
      std::memcpy(&y, &bits, sizeof y);
      if (random() % 8 == 0) y = random() % 2 == 0 ? 0.0f : -0.0f;
      const target_bits target = split_target(y);
      const int true_shift = decompose(y).shift;
      ASSERT_EQ(is_inside(target, base), y == 0 || (true_shift >= base && true_shift <= base + 8))
          << y;
      if (!is_inside(target, base)) continue;
      // An extreme round adds as many rows as a word is documented to take.
      const std::int64_t copies = extreme ? window_sums::most_rows / rows : 1;
      std::uint32_t pair[window_sums::pairs];
      window_pairs(target, base, pair);
      for (int k = 0; k < window_sums::words; ++k) {
        sum[k] += (pair[k / 2] >> 16 * (k % 2) & 0xffffu) * static_cast<std::uint32_t>(copies);
      }
      add_sample<float, false>(y, 1.0f, [&](int plane, std::int64_t piece) {
        expected[static_cast<std::size_t>(plane)] += piece * copies;
      });
    }
    for (int k = 0; k < window_sums::words; ++k) {
      const int even = k & ~1;
      const std::int64_t number =
          window_number(k / 2, sum[even], sum[even + 1], sum[window_sums::negatives]);
      const window_deposit deposit = deposit_of(k, number, base);
      if (deposit.plane >= 0) got[static_cast<std::size_t>(deposit.plane)] += deposit.value;
    }
    ASSERT_EQ(canonical(got), canonical(expected)) << "round " << round << ", base " << base;
  }
}

}  // namespace
}  // namespace zcmoe::detail
