#include <zcmoe/theory.hpp>
#include "reference_cases.hpp"
#include <gtest/gtest.h>
#include <chrono>
#include <cstdio>
TEST(t, t) {
  for (auto& c : zcmoe_test::reference_cases()) {
    zcmoe::theory::problem f;
    f.density = c.density;
    f.regression = c.regression;
    f.slope = c.slope;
    f.breaks = c.kinks;
    printf("%s U %.3g O %.3g\n", c.id.c_str(),
           f.coefficient(0) / c.numbers["coef_uniform"].get<double>() - 1,
           f.coefficient(1) / c.numbers["coef_optimal"].get<double>() - 1);
    for (int k : {0, 1}) {
      auto t0 = std::chrono::steady_clock::now();
      auto m = f.breakdown(k);
      double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
      printf("  m5 %d: %d (%.2fs)\n", k, (int)m, s);
    }
    for (auto& e : c.numbers["exact"]) {
      int m = e["m"];
      bool u = e["segmentation"] == "uniform";
      auto ed =
          u ? zcmoe::uniform_edges(0, 1, m) : zcmoe::optimal_edges(c.density, c.slope, 0, 1, m);
      printf(" %s%d:%.1e,%.1e", u ? "u" : "o", m,
             f.approximation(ed).totals.error / e["error"].get<double>() - 1,
             f.approximation(ed, ZCMOE_CONSTANT_MIDPOINT).totals.error /
                     e["midpoint_constants_error"].get<double>() -
                 1);
    }
    printf("\n");
  }
  for (double k : {1.5, 2., 2.5, 4.}) printf("kappa %g %.8f\n", k, zcmoe::theory::zero_gap(0, k));
  printf("s4 %.6f s6ends\n", zcmoe::theory::zero_gap(1, 1) + zcmoe::theory::zero_gap(4, 1));
}
