// Every function of theory.h, compile.h and points.h with every status that its header documents,
// and a text that names function, argument and value. A second test reads the headers, and fails
// for a pair that the table or a header lacks. ZCMOE_ERR_DEVICE of zcmoe_compile is a matter of the
// CUDA engine's tests.
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/compile.h>
#include <zcmoe/points.h>
#include <zcmoe/theory.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

namespace zcmoe::test {
namespace {

using problem = zcmoe_theory_problem;
constexpr zcmoe_status invalid = ZCMOE_ERR_INVALID_ARGUMENT;
constexpr zcmoe_status numeric = ZCMOE_ERR_NUMERIC;
constexpr zcmoe_status data = ZCMOE_ERR_DATA;

double one(void*, double) { return 1.0; }
double zero(void*, double) { return 0.0; }
double minus_one(void*, double) { return -1.0; }
double identity(void*, double x) { return x; }
double not_a_number_at(void*, double) { return not_a_number; }
double infinite(void*, double) { return infinity; }
double pole(void*, double x) { return 1.0 / (x * x); }

/// y = x on [0, 1], everything known; change says what is wrong with it.
problem good_but(const std::function<void(problem&)>& change) {
  problem p = ZCMOE_THEORY_PROBLEM_INIT;
  p.density = one;
  p.regression = identity;
  p.slope = one;
  p.curvature = zero;
  p.density_slope = zero;
  p.point_density = one;
  p.point_density_slope = zero;
  p.noise = 0.25;
  change(p);
  return p;
}

/// b = x y on the unit square; change says what is wrong with it.
zcmoe_theory_field good_field_but(const std::function<void(zcmoe_theory_field&)>& change) {
  static const double lo[] = {0, 0};
  static const double hi[] = {1, 1};
  zcmoe_theory_field f = ZCMOE_THEORY_FIELD_INIT;
  f.num_inputs = 2;
  f.lo = lo;
  f.hi = hi;
  f.regression = [](void*, const double* x) { return x[0] * x[1]; };
  f.gradient = [](void*, const double* x, double* g) {
    g[0] = x[1];
    g[1] = x[0];
  };
  change(f);
  return f;
}
zcmoe_theory_field empty_field() {
  return good_field_but(
      [](zcmoe_theory_field& f) { f.density = [](void*, const double*) { return 0.0; }; });
}

struct status_case {
  std::string function;
  zcmoe_status status;
  std::vector<std::string> texts;  // of the argument and the value
  std::function<zcmoe_status()> call;
};

const double edges[] = {0.0, 0.5, 1.0};
const double halves[] = {0.5, 0.5};
const double zeros[] = {0.0, 0.0};
const std::int64_t counts[] = {3, 4};
const zcmoe_theory_law lines{1, 4, 1, 2, 0};
const std::int64_t no_counts[] = {0, 0};
double d = 0;
double e = 0;
std::int64_t built = 0;
double room[8];

zcmoe_theory_table table_of(const std::int64_t* of_counts) {
  return {of_counts, halves, halves, edges, 2};
}

/// Faults of a problem, for every function that takes one.
using problem_call = std::function<zcmoe_status(const problem*)>;
void add_problem_cases(std::vector<status_case>& all, const std::string& function,
                       const problem_call& call) {
  const auto with = [&](zcmoe_status status, std::vector<std::string> texts,
                        const std::function<void(problem&)>& change) {
    all.push_back({function, status, std::move(texts), [call, change] {
                     const problem p = good_but(change);
                     return call(&p);
                   }});
  };
  static const double bad_breaks[] = {0.25, 0.25};
  all.push_back({function, invalid, {"problem is null"}, [call] { return call(nullptr); }});
  with(invalid, {"problem->struct_size=3"}, [](problem& p) { p.struct_size = 3; });
  with(invalid, {"problem->lo=2", "problem->hi=1"}, [](problem& p) { p.lo = 2; });
  with(invalid, {"problem->hi=inf", "not finite"}, [](problem& p) { p.hi = infinity; });
  with(invalid, {"problem->noise=-1"}, [](problem& p) { p.noise = -1; });
  with(invalid, {"problem->density is null"}, [](problem& p) { p.density = nullptr; });
  with(invalid, {"problem->num_breaks=-1"}, [](problem& p) { p.num_breaks = -1; });
  with(invalid, {"problem->breaks is null"}, [](problem& p) { p.num_breaks = 1; });
  with(invalid, {"problem->breaks[1]=0.25"}, [](problem& p) {
    p.breaks = bad_breaks;
    p.num_breaks = 2;
  });
  with(numeric, {"density returned", "nan"}, [](problem& p) { p.density = not_a_number_at; });
  with(numeric, {"density returned", "inf"}, [](problem& p) { p.density = infinite; });
  with(numeric, {"density returned -1"}, [](problem& p) { p.density = minus_one; });
  with(numeric, {"density returned 0 everywhere"}, [](problem& p) { p.density = zero; });
}

/// A function that must be there.
void add_missing(std::vector<status_case>& all, const std::string& function, const char* member,
                 zcmoe_function problem::*place, const problem_call& call) {
  all.push_back(
      {function, invalid, {std::string("problem->") + member + " is null"}, [place, call] {
         const problem p = good_but([place](problem& q) { q.*place = nullptr; });
         return call(&p);
       }});
}

std::vector<status_case> problem_cases() {
  std::vector<status_case> all;
  const auto fine = [](problem&) {};
  const auto add = [&](const std::string& f, zcmoe_status status, std::vector<std::string> texts,
                       const std::function<zcmoe_status(const problem*)>& call) {
    all.push_back({f, status, std::move(texts), [call, fine] {
                     const problem p = good_but(fine);
                     return call(&p);
                   }});
  };

  std::string f = "zcmoe_theory_coefficient";
  problem_call call = [](const problem* p) {
    return zcmoe_theory_coefficient(p, ZCMOE_THEORY_UNIFORM, 2, &d);
  };
  add_problem_cases(all, f, call);
  add_missing(all, f, "slope", &problem::slope, call);
  add(f, invalid, {"segmentation=3"},
      [](const problem* p) { return zcmoe_theory_coefficient(p, 3, 2, &d); });
  add(f, invalid, {"power=0"},
      [](const problem* p) { return zcmoe_theory_coefficient(p, ZCMOE_THEORY_UNIFORM, 0, &d); });
  add(f, invalid, {"coefficient is null"}, [](const problem* p) {
    return zcmoe_theory_coefficient(p, ZCMOE_THEORY_UNIFORM, 2, nullptr);
  });
  all.push_back({f, numeric, {"point_density returned 0"}, [] {
                   const problem p = good_but([](problem& q) { q.point_density = zero; });
                   return zcmoe_theory_coefficient(&p, ZCMOE_THEORY_POINT_DENSITY, 2, &d);
                 }});
  all.push_back({f, numeric, {"the integral of"}, [] {
                   const problem p = good_but([](problem& q) { q.slope = pole; });
                   return zcmoe_theory_coefficient(&p, ZCMOE_THEORY_UNIFORM, 2, &d);
                 }});

  f = "zcmoe_theory_next_order";
  call = [](const problem* p) { return zcmoe_theory_next_order(p, ZCMOE_THEORY_UNIFORM, &d); };
  add_problem_cases(all, f, call);
  add_missing(all, f, "curvature", &problem::curvature, call);
  add_missing(all, f, "density_slope", &problem::density_slope, call);
  add(f, invalid, {"c4 is null"},
      [](const problem* p) { return zcmoe_theory_next_order(p, ZCMOE_THEORY_UNIFORM, nullptr); });

  f = "zcmoe_theory_breakdown";
  call = [](const problem* p) {
    return zcmoe_theory_breakdown(p, ZCMOE_THEORY_UNIFORM, 0.05, 4, &built);
  };
  add_problem_cases(all, f, call);
  add_missing(all, f, "regression", &problem::regression, call);
  add(f, invalid, {"tolerance=1"}, [](const problem* p) {
    return zcmoe_theory_breakdown(p, ZCMOE_THEORY_UNIFORM, 1, 4, &built);
  });
  add(f, invalid, {"max_segments=65537"}, [](const problem* p) {
    return zcmoe_theory_breakdown(p, ZCMOE_THEORY_UNIFORM, 0.05, 65537, &built);
  });

  f = "zcmoe_theory_robustness";
  call = [](const problem* p) { return zcmoe_theory_robustness(p, &d, &e); };
  add_problem_cases(all, f, call);
  add_missing(all, f, "point_density", &problem::point_density, call);

  f = "zcmoe_theory_approximation";
  call = [](const problem* p) {
    return zcmoe_theory_approximation(p, edges, 2, ZCMOE_CONSTANT_MEAN, nullptr, nullptr, nullptr);
  };
  add_problem_cases(all, f, call);
  add_missing(all, f, "regression", &problem::regression, call);
  add(f, invalid, {"num_segments=0"}, [](const problem* p) {
    return zcmoe_theory_approximation(p, edges, 0, 0, nullptr, nullptr, nullptr);
  });
  add(f, invalid, {"edges is null"}, [](const problem* p) {
    return zcmoe_theory_approximation(p, nullptr, 2, 0, nullptr, nullptr, nullptr);
  });
  add(f, invalid, {"edges[1]=0", "not greater"}, [](const problem* p) {
    return zcmoe_theory_approximation(p, zeros, 1, 0, nullptr, nullptr, nullptr);
  });
  add(f, invalid, {"rule=2"}, [](const problem* p) {
    return zcmoe_theory_approximation(p, edges, 2, 2, nullptr, nullptr, nullptr);
  });

  f = "zcmoe_theory_risk_curve";
  static const std::int64_t levels[] = {4};
  static const std::int64_t no_level[] = {0};
  static zcmoe_theory_risk_point point;
  call = [](const problem* p) {
    return zcmoe_theory_risk_curve(p, ZCMOE_THEORY_UNIFORM, 100, nullptr, levels, 1, &point);
  };
  add_problem_cases(all, f, call);
  add(f, invalid, {"n=0"}, [](const problem* p) {
    return zcmoe_theory_risk_curve(p, ZCMOE_THEORY_UNIFORM, 0, nullptr, levels, 1, &point);
  });
  add(f, invalid, {"num_points=-1"}, [](const problem* p) {
    return zcmoe_theory_risk_curve(p, ZCMOE_THEORY_UNIFORM, 9, nullptr, levels, -1, &point);
  });
  add(f, invalid, {"num_segments[0]=0"}, [](const problem* p) {
    return zcmoe_theory_risk_curve(p, ZCMOE_THEORY_UNIFORM, 9, nullptr, no_level, 1, &point);
  });
  add(f, invalid, {"empty_policy=ZCMOE_EMPTY_NAN"}, [](const problem* p) {
    zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
    options.empty_policy = ZCMOE_EMPTY_NAN;
    return zcmoe_theory_risk_curve(p, ZCMOE_THEORY_UNIFORM, 9, &options, levels, 1, &point);
  });

  static zcmoe_theory_law law;
  f = "zcmoe_theory_expert_law";
  call = [](const problem* p) {
    return zcmoe_theory_expert_law(p, ZCMOE_THEORY_INTERPOLATED_MEANS, ZCMOE_THEORY_UNIFORM, &law);
  };
  add_problem_cases(all, f, call);
  add_missing(all, f, "slope", &problem::slope, call);
  add_missing(all, f, "curvature", &problem::curvature, call);
  add_missing(all, f, "density_slope", &problem::density_slope, call);
  add_missing(all, f, "slope", &problem::slope, [](const problem* p) {
    return zcmoe_theory_expert_law(p, ZCMOE_EXPERTS_CONSTANT, ZCMOE_THEORY_UNIFORM, &law);
  });
  add_missing(all, f, "curvature", &problem::curvature, [](const problem* p) {
    return zcmoe_theory_expert_law(p, ZCMOE_EXPERTS_LINEAR, ZCMOE_THEORY_OPTIMAL, &law);
  });
  add_missing(all, f, "point_density", &problem::point_density, [](const problem* p) {
    return zcmoe_theory_expert_law(p, ZCMOE_EXPERTS_LINEAR, ZCMOE_THEORY_POINT_DENSITY, &law);
  });
  for (const std::int32_t experts : {-1, 3, 63, 66}) {
    add(f, invalid, {"experts=" + std::to_string(experts)}, [experts](const problem* p) {
      return zcmoe_theory_expert_law(p, experts, ZCMOE_THEORY_UNIFORM, &law);
    });
  }
  add(f, invalid, {"segmentation=3"},
      [](const problem* p) { return zcmoe_theory_expert_law(p, ZCMOE_EXPERTS_LINEAR, 3, &law); });
  add(f, invalid, {"law is null"}, [](const problem* p) {
    return zcmoe_theory_expert_law(p, ZCMOE_EXPERTS_LINEAR, ZCMOE_THEORY_UNIFORM, nullptr);
  });
  all.push_back({f, numeric, {"point_density returned 0", "|b''|"}, [] {
                   const problem p = good_but([](problem& q) {
                     q.point_density = [](void*, double x) { return x < 0.5 ? 1.0 : 0.0; };
                     q.curvature = one;
                   });
                   return zcmoe_theory_expert_law(&p, ZCMOE_EXPERTS_LINEAR,
                                                  ZCMOE_THEORY_POINT_DENSITY, &law);
                 }});
  // p'^2 / p is not integrable where p = x.
  all.push_back({f, numeric, {"the integral of", "diverges"}, [] {
                   const problem p = good_but([](problem& q) {
                     q.density = identity;
                     q.density_slope = one;
                   });
                   return zcmoe_theory_expert_law(&p, ZCMOE_THEORY_INTERPOLATED_MEANS,
                                                  ZCMOE_THEORY_UNIFORM, &law);
                 }});

  f = "zcmoe_theory_noise_adaptive";
  call = [](const problem* p) { return zcmoe_theory_noise_adaptive(p, 100, &d, &e); };
  add_problem_cases(all, f, call);
  add(f, invalid, {"n=-5"},
      [](const problem* p) { return zcmoe_theory_noise_adaptive(p, -5, &d, &e); });
  all.push_back({f, numeric, {"noise variance is 0"}, [] {
                   const problem p = good_but([](problem& q) { q.noise = 0; });
                   return zcmoe_theory_noise_adaptive(&p, 100, &d, &e);
                 }});

  f = "zcmoe_theory_noise_adaptive_edges";
  call = [](const problem* p) { return zcmoe_theory_noise_adaptive_edges(p, 4, room, &built); };
  add_problem_cases(all, f, call);
  add(f, invalid, {"num_segments=0"},
      [](const problem* p) { return zcmoe_theory_noise_adaptive_edges(p, 0, room, &built); });
  add(f, invalid, {"num_built is null"},
      [](const problem* p) { return zcmoe_theory_noise_adaptive_edges(p, 4, room, nullptr); });
  return all;
}

std::vector<status_case> number_cases() {
  static zcmoe_theory_curve* curve = nullptr;
  static zcmoe_theory_estimation_result estimation;
  static zcmoe_theory_statistics statistics;
  static zcmoe_theory_fit fitted;
  static zcmoe_theory_ratio ratio;
  static zcmoe_theory_recommendation recommendation;
  static const double bad[] = {0.5, not_a_number};
  static const std::int64_t negative[] = {3, -4};
  static const std::int64_t coarse[] = {2, 3};
  static const std::int64_t single[] = {1, 0};
  return {
      {"zcmoe_theory_curve_create",
       invalid,
       {"num_grid=1"},
       [] { return zcmoe_theory_curve_create(edges, halves, 1, &curve); }},
      {"zcmoe_theory_curve_create",
       invalid,
       {"grid[1]=0", "not greater"},
       [] { return zcmoe_theory_curve_create(zeros, halves, 2, &curve); }},
      {"zcmoe_theory_curve_create",
       invalid,
       {"values[1]=nan"},
       [] { return zcmoe_theory_curve_create(edges, bad, 2, &curve); }},
      {"zcmoe_theory_error",
       invalid,
       {"coefficient=-1"},
       [] { return zcmoe_theory_error(-1, 2, 4, &d); }},
      {"zcmoe_theory_error",
       invalid,
       {"power=65"},
       [] { return zcmoe_theory_error(1, 65, 4, &d); }},
      {"zcmoe_theory_error",
       invalid,
       {"num_segments=0"},
       [] { return zcmoe_theory_error(1, 2, 0, &d); }},
      {"zcmoe_theory_zero_gap",
       invalid,
       {"density_order=-1"},
       [] { return zcmoe_theory_zero_gap(-1, 1, &d); }},
      {"zcmoe_theory_zero_gap",
       invalid,
       {"regression_order=0"},
       [] { return zcmoe_theory_zero_gap(0, 0, &d); }},
      {"zcmoe_theory_breakdown_estimate",
       invalid,
       {"coefficient=0"},
       [] { return zcmoe_theory_breakdown_estimate(0, 1, 1, 0.1, &d); }},
      {"zcmoe_theory_breakdown_estimate",
       invalid,
       {"c4=nan"},
       [] { return zcmoe_theory_breakdown_estimate(1, not_a_number, 1, 0.1, &d); }},
      {"zcmoe_theory_breakdown_estimate",
       invalid,
       {"kappa=inf"},
       [] { return zcmoe_theory_breakdown_estimate(1, 1, infinity, 0.1, &d); }},
      {"zcmoe_theory_breakdown_estimate",
       invalid,
       {"tolerance=0"},
       [] { return zcmoe_theory_breakdown_estimate(1, 1, 1, 0, &d); }},
      {"zcmoe_theory_mean_reciprocal",
       invalid,
       {"n=-1"},
       [] { return zcmoe_theory_mean_reciprocal(-1, 0.5, &d); }},
      {"zcmoe_theory_mean_reciprocal",
       invalid,
       {"probability=1.5"},
       [] { return zcmoe_theory_mean_reciprocal(1, 1.5, &d); }},
      {"zcmoe_theory_estimation",
       invalid,
       {"n=0"},
       [] {
         return zcmoe_theory_estimation(0, edges, halves, halves, halves, 2, nullptr, nullptr,
                                        &estimation);
       }},
      {"zcmoe_theory_estimation",
       invalid,
       {"edges is null", "ZCMOE_EMPTY_NEAREST"},
       [] {
         return zcmoe_theory_estimation(9, nullptr, halves, halves, halves, 2, nullptr, nullptr,
                                        &estimation);
       }},
      {"zcmoe_theory_estimation",
       invalid,
       {"means[1]=nan"},
       [] {
         return zcmoe_theory_estimation(9, edges, halves, bad, halves, 2, nullptr, nullptr,
                                        &estimation);
       }},
      {"zcmoe_theory_estimation",
       invalid,
       {"probabilities sum to 0"},
       [] {
         return zcmoe_theory_estimation(9, edges, zeros, halves, halves, 2, nullptr, nullptr,
                                        &estimation);
       }},
      {"zcmoe_theory_bounded_tail",
       invalid,
       {"min_probability=0.75"},
       [] { return zcmoe_theory_bounded_tail(9, 2, 0.75, 1, 0.1, &d, &e); }},
      {"zcmoe_theory_bounded_tail",
       invalid,
       {"max_abs_target=-1"},
       [] { return zcmoe_theory_bounded_tail(9, 2, 0.5, -1, 0.1, &d, &e); }},
      {"zcmoe_theory_bounded_tail",
       invalid,
       {"delta=1"},
       [] { return zcmoe_theory_bounded_tail(9, 2, 0.5, 1, 1, &d, &e); }},
      {"zcmoe_theory_gaussian_tail",
       invalid,
       {"counts[0]=0"},
       [] { return zcmoe_theory_gaussian_tail(halves, halves, no_counts, 2, 0.1, &d); }},
      {"zcmoe_theory_gaussian_tail",
       invalid,
       {"variances[1]=nan"},
       [] { return zcmoe_theory_gaussian_tail(halves, bad, counts, 2, 0.1, &d); }},
      {"zcmoe_theory_optimum",
       invalid,
       {"approximation=-1"},
       [] { return zcmoe_theory_optimum(-1, 1, 1, 1, &d, &e); }},
      {"zcmoe_theory_optimum",
       invalid,
       {"variance=0"},
       [] { return zcmoe_theory_optimum(1, 0, 1, 1, &d, &e); }},
      {"zcmoe_theory_optimum",
       invalid,
       {"dimension=0"},
       [] { return zcmoe_theory_optimum(1, 1, 1, 0, &d, &e); }},
      {"zcmoe_theory_flatness",
       invalid,
       {"ratio=0"},
       [] { return zcmoe_theory_flatness(0, 1, &d); }},
      {"zcmoe_theory_flatness",
       invalid,
       {"dimension=-2"},
       [] { return zcmoe_theory_flatness(1, -2, &d); }},
      {"zcmoe_theory_law_optimum",
       invalid,
       {"law is null"},
       [] { return zcmoe_theory_law_optimum(nullptr, 9, &d, &e); }},
      {"zcmoe_theory_law_optimum",
       invalid,
       {"law->approximation=nan"},
       [] {
         const zcmoe_theory_law law{not_a_number, 4, 1, 2, 0};
         return zcmoe_theory_law_optimum(&law, 9, &d, &e);
       }},
      {"zcmoe_theory_law_optimum",
       invalid,
       {"law->order=65"},
       [] {
         const zcmoe_theory_law law{1, 65, 1, 2, 0};
         return zcmoe_theory_law_optimum(&law, 9, &d, &e);
       }},
      {"zcmoe_theory_law_optimum",
       invalid,
       {"law->estimation=0"},
       [] {
         const zcmoe_theory_law law{1, 4, 0, 2, 0};
         return zcmoe_theory_law_optimum(&law, 9, &d, &e);
       }},
      {"zcmoe_theory_law_optimum",
       invalid,
       {"n=0"},
       [] { return zcmoe_theory_law_optimum(&lines, 0, &d, &e); }},
      {"zcmoe_theory_break_even",
       invalid,
       {"other is null"},
       [] { return zcmoe_theory_break_even(&lines, nullptr, &d); }},
      {"zcmoe_theory_break_even",
       invalid,
       {"law->order=4", "that of other"},
       [] { return zcmoe_theory_break_even(&lines, &lines, &d); }},
      {"zcmoe_theory_break_even",
       invalid,
       {"other->approximation=0"},
       [] {
         const zcmoe_theory_law law{0, 2, 1, 1, 0};
         return zcmoe_theory_break_even(&lines, &law, &d);
       }},
      {"zcmoe_theory_break_even",
       invalid,
       {"law->approximation=0"},
       [] {
         const zcmoe_theory_law law{0, 2, 1, 1, 0};
         return zcmoe_theory_break_even(&law, &lines, &d);
       }},
      {"zcmoe_theory_break_even",
       invalid,
       {"other->values=inf"},
       [] {
         const zcmoe_theory_law law{1, 2, 1, infinity, 0};
         return zcmoe_theory_break_even(&lines, &law, &d);
       }},
      {"zcmoe_theory_learned_cuts",
       invalid,
       {"num_segments=0"},
       [] { return zcmoe_theory_learned_cuts(0, 9, 1, &d, &e); }},
      {"zcmoe_theory_learned_cuts",
       invalid,
       {"num_places=9", "num_segments=10"},
       [] { return zcmoe_theory_learned_cuts(10, 9, 1, &d, &e); }},
      {"zcmoe_theory_learned_cuts",
       invalid,
       {"noise=-1"},
       [] { return zcmoe_theory_learned_cuts(4, 9, -1, &d, &e); }},
      {"zcmoe_theory_table_statistics",
       invalid,
       {"table is null"},
       [] { return zcmoe_theory_table_statistics(nullptr, nullptr, 0, &statistics); }},
      {"zcmoe_theory_table_statistics",
       invalid,
       {"table->counts[1]=-4"},
       [] {
         const zcmoe_theory_table t = table_of(negative);
         return zcmoe_theory_table_statistics(&t, nullptr, 0, &statistics);
       }},
      {"zcmoe_theory_table_statistics",
       invalid,
       {"noise=nan"},
       [] {
         const zcmoe_theory_table t = table_of(counts);
         return zcmoe_theory_table_statistics(&t, nullptr, not_a_number, &statistics);
       }},
      {"zcmoe_theory_table_statistics",
       data,
       {"the table has no rows"},
       [] {
         const zcmoe_theory_table t = table_of(no_counts);
         return zcmoe_theory_table_statistics(&t, nullptr, 0, &statistics);
       }},
      {"zcmoe_theory_rice", invalid, {"n=1"}, [] { return zcmoe_theory_rice(halves, 1, &d); }},
      {"zcmoe_theory_rice",
       invalid,
       {"targets[1]=nan"},
       [] { return zcmoe_theory_rice(bad, 2, &d); }},
      {"zcmoe_theory_richardson",
       invalid,
       {"m=0"},
       [] { return zcmoe_theory_richardson(0, 1, 1, 9, &fitted); }},
      {"zcmoe_theory_richardson",
       invalid,
       {"within_2m=-1"},
       [] { return zcmoe_theory_richardson(4, 1, -1, 9, &fitted); }},
      {"zcmoe_theory_parametric_fit",
       invalid,
       {"num_levels=1"},
       [] { return zcmoe_theory_parametric_fit(coarse, halves, 1, 9, &fitted); }},
      {"zcmoe_theory_parametric_fit",
       invalid,
       {"within[1]=nan"},
       [] { return zcmoe_theory_parametric_fit(coarse, bad, 2, 9, &fitted); }},
      {"zcmoe_theory_parametric_fit",
       data,
       {"fewer than two distinct"},
       [] { return zcmoe_theory_parametric_fit(coarse, halves, 2, 9, &fitted); }},
      {"zcmoe_theory_ratio_test",
       invalid,
       {"m=0"},
       [] { return zcmoe_theory_ratio_test(0, 1, 1, 1, 9, &ratio); }},
      {"zcmoe_theory_ratio_test",
       invalid,
       {"within_4m=inf"},
       [] { return zcmoe_theory_ratio_test(4, 1, 1, infinity, 9, &ratio); }},
      {"zcmoe_theory_recommend",
       invalid,
       {"num_tables=0"},
       [] { return zcmoe_theory_recommend(nullptr, 0, nullptr, &recommendation); }},
      {"zcmoe_theory_recommend",
       invalid,
       {"tables[1].num_segments=2", "not greater"},
       [] {
         const zcmoe_theory_table two[] = {table_of(counts), table_of(counts)};
         return zcmoe_theory_recommend(two, 2, nullptr, &recommendation);
       }},
      {"zcmoe_theory_recommend",
       data,
       {"1 row", "at least 2"},
       [] {
         zcmoe_theory_table t = table_of(single);
         t.num_segments = 1;
         return zcmoe_theory_recommend(&t, 1, nullptr, &recommendation);
       }},
  };
}

// ------------------------------------------------------------------ compile.h

struct compile_call {
  zcmoe_function function = identity;
  zcmoe_function density = nullptr;
  double lo = 0, hi = 1, tolerance = 0.1;
  zcmoe_compile_options options = ZCMOE_COMPILE_OPTIONS_INIT;
  zcmoe_model_options model_options = ZCMOE_MODEL_OPTIONS_INIT;
  zcmoe_compile_result result = ZCMOE_COMPILE_RESULT_INIT;
  bool has_context = true;
  bool has_memory = true;
};

void* no_memory(void*, size_t, size_t, zcmoe_stream) { return nullptr; }
void free_nothing(void*, void*, size_t, size_t, zcmoe_stream) {}

zcmoe_status compiled(compile_call call) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  if (!call.has_memory) {
    options.alloc = no_memory;
    options.free = free_nothing;
  }
  const context cpu(options);
  zcmoe_model* model = nullptr;
  const zcmoe_status status = zcmoe_compile(
      call.has_context ? cpu.get() : nullptr, call.function, call.density, nullptr, call.lo,
      call.hi, call.tolerance, &call.options, &call.model_options, &model, &call.result);
  EXPECT_EQ(model == nullptr, status != ZCMOE_OK);
  zcmoe_model_destroy(model);
  return status;
}

std::vector<status_case> compile_cases() {
  std::vector<status_case> all;
  const auto with = [&](zcmoe_status status, std::vector<std::string> texts,
                        const std::function<void(compile_call&)>& change) {
    all.push_back({"zcmoe_compile", status, std::move(texts), [change] {
                     compile_call call;
                     change(call);
                     return compiled(call);
                   }});
  };
  with(invalid, {"context is null"}, [](compile_call& c) { c.has_context = false; });
  with(invalid, {"function is null"}, [](compile_call& c) { c.function = nullptr; });
  with(invalid, {"lo=1", "hi=1"}, [](compile_call& c) { c.lo = 1; });
  with(invalid, {"hi=inf"}, [](compile_call& c) { c.hi = infinity; });
  with(invalid, {"overflows", "-1.5e+308"}, [](compile_call& c) {
    c.lo = -1.5e308;
    c.hi = 1.5e308;
  });
  with(invalid, {"tolerance=0"}, [](compile_call& c) { c.tolerance = 0; });
  with(invalid, {"options->error=2"}, [](compile_call& c) { c.options.error = 2; });
  with(invalid, {"options->max_segments=0"}, [](compile_call& c) { c.options.max_segments = 0; });
  with(invalid, {"options->scan_parts=15"}, [](compile_call& c) { c.options.scan_parts = 15; });
  with(invalid, {"density is given"}, [](compile_call& c) {
    c.options.error = ZCMOE_COMPILE_MAX;
    c.density = one;
  });
  with(invalid, {"result->struct_size"}, [](compile_call& c) { c.result.struct_size = 1; });
  with(invalid, {"nan_policy", "7"}, [](compile_call& c) { c.model_options.nan_policy = 7; });
  with(ZCMOE_ERR_OUT_OF_MEMORY, {"memory"}, [](compile_call& c) { c.has_memory = false; });
  for (const zcmoe_compile_error kind : {ZCMOE_COMPILE_RMS, ZCMOE_COMPILE_MAX}) {
    with(numeric, {"function returned", "nan"}, [kind](compile_call& c) {
      c.options.error = kind;
      c.function = not_a_number_at;
    });
    with(numeric, {"tolerance=0.0009765625", "max_segments=3"}, [kind](compile_call& c) {
      c.options.error = kind;
      c.options.max_segments = 3;
      c.tolerance = 0x1p-10;
    });
  }
  with(numeric, {"density returned -1"}, [](compile_call& c) { c.density = minus_one; });
  with(numeric, {"density returned 0 everywhere"}, [](compile_call& c) { c.density = zero; });
  with(numeric, {"function returned", "inf"}, [](compile_call& c) { c.function = infinite; });
  with(numeric, {""}, [](compile_call& c) { c.function = pole; });
  return all;
}

std::vector<status_case> field_cases() {
  static double room4[16];
  static const double unit[] = {0, 0, 1, 1};
  static const double outside[] = {0, 0, 1, 2};
  static const double bad[] = {1, -1};
  return {
      {"zcmoe_theory_moment",
       invalid,
       {"shape=3", "num_inputs=3"},
       [] { return zcmoe_theory_moment(ZCMOE_CELL_HEXAGON, 3, &d); }},
      {"zcmoe_theory_moment",
       invalid,
       {"num_inputs=65"},
       [] { return zcmoe_theory_moment(ZCMOE_CELL_CUBE, 65, &d); }},
      {"zcmoe_theory_cells_error",
       invalid,
       {"densities[1]=-1"},
       [] { return zcmoe_theory_cells_error(1, 2, bad, halves, halves, &d, &e); }},
      {"zcmoe_theory_cells_error",
       invalid,
       {"num_cells=0"},
       [] { return zcmoe_theory_cells_error(1, 0, halves, halves, halves, &d, &e); }},
      {"zcmoe_theory_axis_coefficients",
       invalid,
       {"segmentation=2"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field&) {});
         return zcmoe_theory_axis_coefficients(&f, ZCMOE_THEORY_POINT_DENSITY, room4);
       }},
      {"zcmoe_theory_axis_coefficients",
       numeric,
       {"density", "0 everywhere"},
       [] {
         const zcmoe_theory_field f = empty_field();
         return zcmoe_theory_axis_coefficients(&f, ZCMOE_THEORY_UNIFORM, room4);
       }},
      {"zcmoe_theory_aspect",
       invalid,
       {"coefficients[1]=-1"},
       [] { return zcmoe_theory_aspect(bad, 2, 4, room4, &d); }},
      {"zcmoe_theory_allocate",
       invalid,
       {"num_cells=0"},
       [] { return zcmoe_theory_allocate(halves, 2, 0, &built); }},
      {"zcmoe_theory_axis_edges",
       invalid,
       {"axis=2"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field&) {});
         return zcmoe_theory_axis_edges(&f, 2, 4, 0, room4, &built);
       }},
      {"zcmoe_theory_axis_edges",
       numeric,
       {"gradient[0] returned inf at x=(", "inf"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field& field) {
           field.gradient = [](void*, const double*, double* g) { g[0] = g[1] = infinity; };
         });
         return zcmoe_theory_axis_edges(&f, 1, 4, 0, room4, &built);
       }},
      {"zcmoe_theory_cells_coefficient",
       invalid,
       {"family=3"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field&) {});
         return zcmoe_theory_cells_coefficient(&f, 3, &d);
       }},
      {"zcmoe_theory_cells_coefficient",
       numeric,
       {"density", "0 everywhere"},
       [] {
         const zcmoe_theory_field f = empty_field();
         return zcmoe_theory_cells_coefficient(&f, ZCMOE_CELLS_BOXES, &d);
       }},
      {"zcmoe_theory_rotated_cell",
       invalid,
       {"curvature=0"},
       [] { return zcmoe_theory_rotated_cell(2, 1, 0, 1, &d, &e); }},
      {"zcmoe_theory_box_errors",
       invalid,
       {"box 0", "axis 1"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field&) {});
         return zcmoe_theory_box_errors(&f, outside, 1, nullptr, nullptr, nullptr, nullptr, &d);
       }},
      {"zcmoe_theory_box_errors",
       numeric,
       {"density", "0 everywhere"},
       [] {
         const zcmoe_theory_field f = empty_field();
         return zcmoe_theory_box_errors(&f, unit, 1, nullptr, nullptr, nullptr, nullptr, &d);
       }},
      {"zcmoe_theory_halving_tree",
       invalid,
       {"field->regression is null"},
       [] {
         const zcmoe_theory_field f =
             good_field_but([](zcmoe_theory_field& field) { field.regression = nullptr; });
         return zcmoe_theory_halving_tree(&f, 2, room4, &built);
       }},
      {"zcmoe_theory_halving_tree",
       numeric,
       {"regression", "nan"},
       [] {
         const zcmoe_theory_field f = good_field_but([](zcmoe_theory_field& field) {
           field.regression = [](void*, const double*) { return not_a_number; };
         });
         return zcmoe_theory_halving_tree(&f, 2, room4, &built);
       }},
  };
}

// ------------------------------------------------------------------- points.h

zcmoe_model* points_model_of(const points_file& file) {
  const std::string bytes = written(parts_of(file));
  zcmoe_model* made = nullptr;
  EXPECT_EQ(zcmoe_model_deserialize(cpu_context(), bytes.data(), bytes.size(), &made), ZCMOE_OK)
      << zcmoe_last_error();
  return made;
}
/// Three inputs, of which the second is not looked at: answers are sums, or segments.
const zcmoe_model* sums_model() {
  static const zcmoe_model* const made = points_model_of(sample_tables());
  return made;
}
const zcmoe_model* score_model() {
  static const zcmoe_model* const made = points_model_of(sample_score());
  return made;
}
const zcmoe_model* one_input_model() {
  static const zcmoe_model* const made = [] {
    zcmoe_model* one = nullptr;
    EXPECT_EQ(zcmoe_model_create(cpu_context(), edges, halves, 2, nullptr, &one), ZCMOE_OK);
    return one;
  }();
  return made;
}

/// Four rows of three columns, with targets and outputs.
struct points_call {
  const zcmoe_model* model = score_model();
  double room[48] = {};
  zcmoe_array columns[3] = {
      {room, ZCMOE_F64, 1}, {room + 4, ZCMOE_F64, 1}, {room + 8, ZCMOE_F64, 1}};
  zcmoe_points x = {sizeof(zcmoe_points), 3, columns};
  std::int64_t n = 4;
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  zcmoe_array y = {room + 12, ZCMOE_F64, 1};
  zcmoe_array weights = {nullptr, ZCMOE_F64, 1};
  zcmoe_learn_options options = ZCMOE_LEARN_OPTIONS_INIT;
  zcmoe_learn_report report{};
  zcmoe_context* context = cpu_context();

  points_call() {
    for (int i = 0; i < 16; ++i) room[i] = i % 5;
    outputs.values = {room + 16, ZCMOE_F64, 1};
    outputs.counts = {room + 20, ZCMOE_I64, 1};
    report.struct_size = sizeof report;
  }
  points_call(const points_call&) = delete;
  points_call& operator=(const points_call&) = delete;

  zcmoe_status predict(bool sync) {
    const auto function = sync ? zcmoe_predict_points_sync : zcmoe_predict_points;
    return function(model, &x, n, &outputs, nullptr);
  }
  zcmoe_status learn() {
    zcmoe_model* made = nullptr;
    const zcmoe_status status =
        zcmoe_learn_sync(context, &x, y, weights, n, &options, &report, &made);
    EXPECT_EQ(made == nullptr, status != ZCMOE_OK);
    zcmoe_model_destroy(made);
    return status;
  }
};

std::vector<status_case> predict_points_cases() {
  std::vector<status_case> all;
  const auto with = [&](std::vector<std::string> texts,
                        const std::function<void(points_call&)>& change) {
    for (const bool sync : {false, true}) {
      all.push_back({sync ? "zcmoe_predict_points_sync" : "zcmoe_predict_points", invalid, texts,
                     [change, sync] {
                       points_call call;
                       change(call);
                       return call.predict(sync);
                     }});
    }
  };
  with({"model is null"}, [](points_call& c) { c.model = nullptr; });
  with({"x->struct_size=7 is less than 8"}, [](points_call& c) { c.x.struct_size = 7; });
  with({"x->num_inputs=2, but the model has 3"}, [](points_call& c) { c.x.num_inputs = 2; });
  with({"x->num_inputs=3, but the model has 1"},
       [](points_call& c) { c.model = one_input_model(); });
  with({"x->columns is null"}, [](points_call& c) { c.x.columns = nullptr; });
  with({"n=-1"}, [](points_call& c) { c.n = -1; });
  with({"x->columns[2].data is null but n=4"}, [](points_call& c) { c.columns[2].data = nullptr; });
  with({"x->columns[1].dtype=99"}, [](points_call& c) { c.columns[1].dtype = 99; });
  with({"x->columns[0].data=", "is not aligned"},
       [](points_call& c) { c.columns[0].data = reinterpret_cast<const char*>(c.room) + 1; });
  with({"x->columns[0].stride=", "spans more than"},
       [](points_call& c) { c.columns[0].stride = std::int64_t{1} << 60; });
  with({"outputs->values.dtype=9 is not F32 or F64"},
       [](points_call& c) { c.outputs.values.dtype = 9; });
  with({"outputs->values overlaps x->columns[2]"},
       [](points_call& c) { c.outputs.values.data = c.room + 8; });
  with({"outputs->values overlaps x->columns[1]"},
       [](points_call& c) { c.outputs.values.data = c.room + 7; });
  with({"outputs->values overlaps outputs->counts"},
       [](points_call& c) { c.outputs.values.data = c.room + 20; });
  with({"outputs->counts.data is given, but the model's answers are sums"},
       [](points_call& c) { c.model = sums_model(); });
  with({"outputs->report overlaps outputs->values"},
       [](points_call& c) { c.outputs.report = reinterpret_cast<zcmoe_report*>(c.room + 10); });
  return all;
}

std::vector<status_case> learn_cases() {
  std::vector<status_case> all;
  const auto with = [&](zcmoe_status status, std::vector<std::string> texts,
                        const std::function<void(points_call&)>& change) {
    all.push_back({"zcmoe_learn_sync", status, std::move(texts), [change] {
                     points_call call;
                     change(call);
                     return call.learn();
                   }});
  };
  with(invalid, {"context is null"}, [](points_call& c) { c.context = nullptr; });
  with(invalid, {"x->num_inputs=0"}, [](points_call& c) { c.x.num_inputs = 0; });
  with(invalid, {"x->num_inputs=1025"}, [](points_call& c) { c.x.num_inputs = 1025; });
  with(invalid, {"x->columns is null"}, [](points_call& c) { c.x.columns = nullptr; });
  with(invalid, {"n=0; expected 1 to 2147483648"}, [](points_call& c) { c.n = 0; });
  with(invalid, {"n=2147483649"}, [](points_call& c) { c.n = (std::int64_t{1} << 31) + 1; });
  with(invalid, {"x->columns[1].data is null"},
       [](points_call& c) { c.columns[1].data = nullptr; });
  with(invalid, {"y.data is null"}, [](points_call& c) { c.y.data = nullptr; });
  with(invalid, {"y.dtype", "I64"}, [](points_call& c) { c.y.dtype = ZCMOE_I64; });
  with(invalid, {"options->partition=6"}, [](points_call& c) { c.options.partition = 6; });
  with(invalid, {"options->nan_policy=2"},
       [](points_call& c) { c.options.nan_policy = ZCMOE_NAN_VALUE; });
  with(invalid, {"options->range_policy=2"},
       [](points_call& c) { c.options.range_policy = ZCMOE_RANGE_VALUE; });
  with(invalid, {"options->reserved=1"}, [](points_call& c) { c.options.reserved = 1; });
  with(invalid, {"options->num_segments=1048577"},
       [](points_call& c) { c.options.num_segments = (1 << 20) + 1; });
  with(invalid, {"options->axis_segments=254; expected 2 to 253"},
       [](points_call& c) { c.options.axis_segments = 254; });
  with(invalid, {"options->axis_segments=1"}, [](points_call& c) { c.options.axis_segments = 1; });
  with(invalid, {"options->axes[1].nan_policy=2"}, [](points_call& c) {
    static const zcmoe_axis_options axes[] = {{0, 0, 0}, {0, ZCMOE_NAN_VALUE, 0}, {0, 0, 0}};
    c.options.axes = axes;
  });
  with(invalid, {"options->axes[2].range_policy=9"}, [](points_call& c) {
    static const zcmoe_axis_options axes[] = {{0, 0, 0}, {9, 0, 0}, {0, 0, 9}};
    c.options.axes = axes;
  });
  with(invalid, {"options->axes[0].axis_segments=254; expected 2 to 253"}, [](points_call& c) {
    static const zcmoe_axis_options axes[] = {{254, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    c.options.axes = axes;
  });
  with(invalid, {"options->budget_ns=-1"}, [](points_call& c) { c.options.budget_ns = -1.0; });
  with(invalid, {"options->budget_ns=nan"},
       [](points_call& c) { c.options.budget_ns = not_a_number; });
  with(invalid, {"options->budget_bytes=-1"}, [](points_call& c) { c.options.budget_bytes = -1; });
  with(invalid, {"options->budget_ns=0.1", "the least that looks at an input takes"},
       [](points_call& c) { c.options.budget_ns = 0.1; });
  with(invalid, {"options->input_names[1] is null"}, [](points_call& c) {
    static const char* const names[] = {"a", nullptr, "c"};
    c.options.input_names = names;
  });
  with(invalid, {"options->input_names[2] is not UTF-8"}, [](points_call& c) {
    static const char* const names[] = {"a", "b", "\xff"};
    c.options.input_names = names;
  });
  with(invalid, {"options->target_name has 1025 bytes"}, [](points_call& c) {
    static const std::string name(1025, 'x');
    c.options.target_name = name.c_str();
  });
  with(invalid, {"options->sample_rows=-1"}, [](points_call& c) { c.options.sample_rows = -1; });
  with(invalid, {"options->weighted=2"}, [](points_call& c) { c.options.weighted = 2; });
  with(invalid, {"options->weights_kind=2"}, [](points_call& c) { c.options.weights_kind = 2; });
  with(invalid, {"weights.dtype", "I64"}, [](points_call& c) {
    c.weights = {c.room, ZCMOE_I64, 1};
  });
  for (const double bad : {-0.25, infinity, not_a_number}) {
    with(ZCMOE_ERR_DATA, {"weights[2]=", "is not finite and >= 0"}, [bad](points_call& c) {
      c.room[22] = bad;
      c.weights = {c.room + 20, ZCMOE_F64, 1};
    });
  }
  with(ZCMOE_ERR_DATA,
       {"no row is left of 4: 0 have a NaN input, 0 a target that is not finite, 4 "
        "the weight 0"},
       [](points_call& c) {
         c.weights = {c.room + 20, ZCMOE_F64, 1};
       });
  with(invalid, {"report->struct_size=1"}, [](points_call& c) { c.report.struct_size = 1; });
  with(data, {"row"}, [](points_call& c) {
    for (int i = 12; i < 16; ++i) c.room[i] = i % 2 == 0 ? not_a_number : infinity;
  });
  with(ZCMOE_ERR_CANCELLED, {"progress"}, [](points_call& c) {
    c.options.progress = [](void*, double) -> std::int32_t { return 1; };
  });
  return all;
}

// Of one and of several inputs.
zcmoe_fit* table_fit() {
  static zcmoe_fit* const made = [] {
    zcmoe_fit* one = nullptr;
    EXPECT_EQ(zcmoe_fit_create(cpu_context(), edges, 2, nullptr, nullptr, &one), ZCMOE_OK);
    return one;
  }();
  return made;
}

/// A grid of two inputs, and a fit over the segments of a model.
struct grid_call {
  double cuts[4] = {0.0, 1.0, 2.0, 3.0};
  zcmoe_grid_axis axes[2] = {ZCMOE_GRID_AXIS_INIT, ZCMOE_GRID_AXIS_INIT};
  zcmoe_grid grid = {sizeof(zcmoe_grid), 2, axes, nullptr, nullptr, nullptr};
  double constants[9] = {};
  zcmoe_context* context = cpu_context();
  const zcmoe_model* partition = score_model();
  zcmoe_points_fit_options options = ZCMOE_POINTS_FIT_OPTIONS_INIT;
  zcmoe_fit_options rows = ZCMOE_FIT_OPTIONS_INIT;

  grid_call() {
    for (zcmoe_grid_axis& axis : axes) axis.num_segments = 3, axis.edges = cuts;
    grid.constants = constants;
  }
  grid_call(const grid_call&) = delete;
  grid_call& operator=(const grid_call&) = delete;

  zcmoe_status make() {
    zcmoe_model* made = nullptr;
    const zcmoe_status status = zcmoe_model_create_grid(context, &grid, &made);
    EXPECT_EQ(made == nullptr, status != ZCMOE_OK);
    zcmoe_model_destroy(made);
    return status;
  }
  zcmoe_status begin() {
    zcmoe_fit* made = nullptr;
    const zcmoe_status status = zcmoe_fit_create_points(context, partition, &options, &rows, &made);
    EXPECT_EQ(made == nullptr, status != ZCMOE_OK);
    zcmoe_fit_destroy(made);
    return status;
  }
};

std::vector<status_case> grid_cases() {
  std::vector<status_case> all;
  const auto making = [&](std::vector<std::string> texts,
                          const std::function<void(grid_call&)>& change) {
    all.push_back({"zcmoe_model_create_grid", invalid, std::move(texts), [change] {
                     grid_call call;
                     change(call);
                     return call.make();
                   }});
  };
  making({"context is null"}, [](grid_call& c) { c.context = nullptr; });
  making({"grid->struct_size=3"}, [](grid_call& c) { c.grid.struct_size = 3; });
  making({"grid->num_inputs=0; expected 1 to 1024"}, [](grid_call& c) { c.grid.num_inputs = 0; });
  making({"grid->axes is null"}, [](grid_call& c) { c.grid.axes = nullptr; });
  making({"grid->axes[1].num_segments=254; expected 1 to 253"},
         [](grid_call& c) { c.axes[1].num_segments = 254; });
  making({"grid->axes[0].edges is null"}, [](grid_call& c) { c.axes[0].edges = nullptr; });
  making({"axes[0].edges[2]=1 is not greater than edges[1]=1"},
         [](grid_call& c) { c.cuts[2] = 1.0; });
  making({"axes[1].closed_side=7"}, [](grid_call& c) { c.axes[1].closed_side = 7; });
  making({"axes[1].nan_policy=2"}, [](grid_call& c) { c.axes[1].nan_policy = ZCMOE_NAN_VALUE; });
  making({"axes[0].range_policy=2"},
         [](grid_call& c) { c.axes[0].range_policy = ZCMOE_RANGE_VALUE; });
  making({"constants[4]=inf is infinite"}, [](grid_call& c) { c.constants[4] = infinity; });
  making({"grid->input_names[1] is null"}, [](grid_call& c) {
    static const char* const names[] = {"a", nullptr};
    c.grid.input_names = names;
  });
  making({"grid->target_name is not UTF-8"}, [](grid_call& c) { c.grid.target_name = "\xff"; });
  const auto beginning = [&](std::vector<std::string> texts,
                             const std::function<void(grid_call&)>& change) {
    all.push_back({"zcmoe_fit_create_points", invalid, std::move(texts), [change] {
                     grid_call call;
                     change(call);
                     return call.begin();
                   }});
  };
  beginning({"context is null"}, [](grid_call& c) { c.context = nullptr; });
  beginning({"partition is null"}, [](grid_call& c) { c.partition = nullptr; });
  beginning({"partition has 1 input: zcmoe_fit_create() takes its edges"},
            [](grid_call& c) { c.partition = one_input_model(); });
  beginning({"partition has no segments: its answers are sums"},
            [](grid_call& c) { c.partition = sums_model(); });
  for (const std::int32_t policy : {-1, 0, 4, 6}) {
    beginning({"options->empty_policy=" + std::to_string(policy) + " is none"},
              [policy](grid_call& c) { c.options.empty_policy = policy; });
  }
  beginning({"options->weights_kind=2"}, [](grid_call& c) { c.options.weights_kind = 2; });
  beginning({"options->empty_value=inf"}, [](grid_call& c) { c.options.empty_value = infinity; });
  beginning({"fit_options->target_dtype=5"}, [](grid_call& c) { c.rows.target_dtype = 5; });
  return all;
}

std::vector<status_case> points_fit_cases() {
  std::vector<status_case> all;
  static zcmoe_fit* fit = nullptr;  // made anew for each case
  const auto with = [&](zcmoe_status status, std::vector<std::string> texts,
                        const std::function<void(points_call&)>& change) {
    for (const bool sync : {false, true}) {
      all.push_back(
          {sync ? "zcmoe_fit_add_points_sync" : "zcmoe_fit_add_points", status, texts,
           [change, sync] {
             zcmoe_fit_options rows = ZCMOE_FIT_OPTIONS_INIT;
             rows.nonfinite_targets = ZCMOE_ROWS_ERROR;
             zcmoe_fit* own = nullptr;
             EXPECT_EQ(zcmoe_fit_create_points(cpu_context(), score_model(), nullptr, &rows, &own),
                       ZCMOE_OK);
             fit = own;
             points_call call;
             change(call);
             const zcmoe_array none = {nullptr, ZCMOE_F64, 1};
             const zcmoe_status found =
                 sync ? zcmoe_fit_add_points_sync(fit, &call.x, call.y, none, call.n, nullptr)
                      : zcmoe_fit_add_points(fit, &call.x, call.y, none, call.n, nullptr, 0,
                                             nullptr);
             const std::string said = zcmoe_last_error();
             zcmoe_fit_destroy(own);
             EXPECT_EQ(said, zcmoe_last_error());
             return found;
           }});
    }
  };
  with(invalid, {"fit is null"}, [](points_call&) { fit = nullptr; });
  with(invalid, {"x->num_inputs=2, but the fit has 3"}, [](points_call& c) { c.x.num_inputs = 2; });
  with(invalid, {"x->num_inputs=3, but the fit has 1"}, [](points_call&) { fit = table_fit(); });
  with(invalid, {"x->columns is null"}, [](points_call& c) { c.x.columns = nullptr; });
  with(invalid, {"x->columns[2].data is null"},
       [](points_call& c) { c.columns[2].data = nullptr; });
  with(invalid, {"y.dtype", "not a float type"}, [](points_call& c) { c.y.dtype = ZCMOE_I32; });
  with(invalid, {"n=-2"}, [](points_call& c) { c.n = -2; });
  with(data, {"row 2 is refused: x has ", "y[2]=inf"},
       [](points_call& c) { c.room[14] = infinity; });
  with(ZCMOE_ERR_NUMERIC, {"the call adds 4 rows"}, [](points_call& c) {
    EXPECT_EQ(zcmoe_fit_add_points_sync(fit, &c.x, c.y, {nullptr, ZCMOE_F64, 1}, 1, nullptr),
              ZCMOE_OK);
    for (int doubled = 0; doubled < 61; ++doubled)
      EXPECT_EQ(zcmoe_fit_merge(fit, fit, nullptr), ZCMOE_OK);
  });
  return all;
}

std::vector<status_case> group_points_cases() {
  std::vector<status_case> all;
  const auto with = [&](std::vector<std::string> texts,
                        const std::function<void(points_call&, zcmoe_group_outputs&)>& change) {
    for (const bool sync : {false, true}) {
      all.push_back(
          {sync ? "zcmoe_group_points_sync" : "zcmoe_group_points", invalid, texts, [change, sync] {
             points_call call;
             zcmoe_group_outputs outputs = ZCMOE_GROUP_OUTPUTS_INIT;
             outputs.offsets = {call.room + 16, ZCMOE_I64, 1};
             outputs.rows = {call.room + 32, ZCMOE_I64, 1};
             change(call, outputs);
             return sync ? zcmoe_group_points_sync(call.model, &call.x, call.n, &outputs, nullptr)
                         : zcmoe_group_points(call.model, &call.x, call.n, &outputs, nullptr, 0,
                                              nullptr);
           }});
    }
  };
  with({"model is null"}, [](points_call& c, auto&) { c.model = nullptr; });
  with({"the model's answers are sums: it has no segments to group by"},
       [](points_call& c, auto&) { c.model = sums_model(); });
  with({"x->num_inputs=3, but the model has 1"},
       [](points_call& c, auto&) { c.model = one_input_model(); });
  with({"x->columns[0].data is null"}, [](points_call& c, auto&) { c.columns[0].data = nullptr; });
  with({"outputs->offsets overlaps x->columns[2]"},
       [](points_call& c, zcmoe_group_outputs& o) { o.offsets.data = c.room + 11; });
  with({"outputs->rows.dtype=1"}, [](points_call&, zcmoe_group_outputs& o) { o.rows.dtype = 1; });
  const auto asking = [&](std::vector<std::string> texts, const zcmoe_model* (*model)(),
                          std::int64_t n) {
    all.push_back({"zcmoe_group_points_workspace", invalid, std::move(texts), [model, n] {
                     std::size_t bytes = 0;
                     return zcmoe_group_points_workspace(model(), n, &bytes);
                   }});
  };
  asking({"answers are sums"}, sums_model, 1);
  asking({"n=-1"}, score_model, -1);
  return all;
}

struct learner_destroyer {
  void operator()(zcmoe_learner* learner) const noexcept { zcmoe_learner_destroy(learner); }
};
using owned_learner = std::unique_ptr<zcmoe_learner, learner_destroyer>;

owned_learner new_learner(std::int64_t num_inputs, bool with_rows) {
  points_call call;
  call.x.num_inputs = num_inputs;
  zcmoe_learner* made = nullptr;
  EXPECT_EQ(zcmoe_learner_create(call.context, num_inputs, nullptr, &made), ZCMOE_OK);
  if (with_rows) {
    EXPECT_EQ(zcmoe_learner_add_sync(made, &call.x, call.y, call.weights, call.n), ZCMOE_OK);
  }
  return owned_learner(made);
}

std::string learner_state() {
  const owned_learner learner = new_learner(3, true);
  std::string bytes(4096, '\0');
  std::size_t size = 0;
  EXPECT_EQ(zcmoe_learner_serialize(learner.get(), &bytes[0], bytes.size(), &size), ZCMOE_OK);
  bytes.resize(size);
  return bytes;
}

zcmoe_status read_learner(const std::string& bytes, owned_learner* read = nullptr) {
  zcmoe_learner* made = nullptr;
  const zcmoe_status status =
      zcmoe_learner_deserialize(cpu_context(), bytes.data(), bytes.size(), &made);
  EXPECT_EQ(made == nullptr, status != ZCMOE_OK);
  owned_learner owned(made);
  if (read != nullptr) read->swap(owned);
  return status;
}

/// As many rows as there may be.
owned_learner full_learner() {
  container_parts parts = split(with_header(
      learner_state(), R"("rows":"4")", R"("rows":")" + std::to_string(ZCMOE_MAX_ROWS) + R"(")"));
  const std::int64_t count = ZCMOE_MAX_ROWS - 3;
  std::memcpy(&parts.data[4 * 4 * 8], &count, sizeof count);
  owned_learner learner;
  EXPECT_EQ(read_learner(sealed(parts), &learner), ZCMOE_OK) << zcmoe_last_error();
  return learner;
}

zcmoe_status add_to(zcmoe_learner* learner, const std::function<void(points_call&)>& change) {
  points_call call;
  change(call);
  return zcmoe_learner_add_sync(learner, &call.x, call.y, call.weights, call.n);
}

std::vector<status_case> learner_cases() {
  std::vector<status_case> all;
  const auto with = [&](const char* function, zcmoe_status status, std::vector<std::string> texts,
                        std::function<zcmoe_status()> call) {
    all.push_back({function, status, std::move(texts), std::move(call)});
  };
  const auto creating = [&](std::vector<std::string> texts, std::int64_t num_inputs,
                            std::int64_t sample_rows) {
    with("zcmoe_learner_create", invalid, std::move(texts), [=] {
      zcmoe_learn_options options = ZCMOE_LEARN_OPTIONS_INIT;
      options.sample_rows = sample_rows;
      zcmoe_learner* made = nullptr;
      return zcmoe_learner_create(cpu_context(), num_inputs, &options, &made);
    });
  };
  creating({"num_inputs=0; expected 1 to 1024"}, 0, 0);
  creating({"num_inputs=1025"}, 1025, 0);
  creating({"options->sample_rows=-1; expected 0 to 2147483648"}, 3, -1);
  creating({"options->sample_rows=2147483649"}, 3, (std::int64_t{1} << 31) + 1);

  const auto adding = [&](std::vector<std::string> texts,
                          const std::function<void(points_call&)>& change) {
    with("zcmoe_learner_add_sync", invalid, std::move(texts),
         [change] { return add_to(new_learner(3, false).get(), change); });
  };
  adding({"x->struct_size=0"}, [](points_call& c) { c.x.struct_size = 0; });
  adding({"x->num_inputs=2, but the learner has 3"}, [](points_call& c) { c.x.num_inputs = 2; });
  adding({"n=-1; expected 0 to 2147483648"}, [](points_call& c) { c.n = -1; });
  adding({"y.dtype", "I64"}, [](points_call& c) { c.y.dtype = ZCMOE_I64; });
  adding({"weights.data is given, but the learner was created with weighted = 0"},
         [](points_call& c) { c.weights = c.y; });
  adding({"x->columns[1].data is null"}, [](points_call& c) { c.columns[1].data = nullptr; });
  const auto weighing = [&](zcmoe_status status, std::vector<std::string> texts, bool weights) {
    with("zcmoe_learner_add_sync", status, std::move(texts), [weights] {
      zcmoe_learn_options options = ZCMOE_LEARN_OPTIONS_INIT;
      options.weighted = 1;
      zcmoe_learner* made = nullptr;
      EXPECT_EQ(zcmoe_learner_create(cpu_context(), 3, &options, &made), ZCMOE_OK);
      return add_to(owned_learner(made).get(), [weights](points_call& c) {
        c.room[21] = -1.0;
        if (weights) c.weights = {c.room + 20, ZCMOE_F64, 1};
      });
    });
  };
  weighing(ZCMOE_ERR_DATA, {"weights[1]=-1 is not finite and >= 0"}, true);
  weighing(invalid, {"weights.data is null, but the learner was created with weighted = 1"}, false);
  with("zcmoe_learner_add_sync", ZCMOE_ERR_NUMERIC, {std::to_string(ZCMOE_MAX_ROWS)},
       [] { return add_to(full_learner().get(), [](points_call&) {}); });

  with("zcmoe_learner_merge", invalid, {"source is learner"}, [] {
    const owned_learner learner = new_learner(3, true);
    return zcmoe_learner_merge(learner.get(), learner.get());
  });
  with("zcmoe_learner_merge", ZCMOE_ERR_INCOMPATIBLE, {"num_inputs=3 of learner, but 2 of source"},
       [] { return zcmoe_learner_merge(new_learner(3, true).get(), new_learner(2, true).get()); });
  with("zcmoe_learner_merge", ZCMOE_ERR_NUMERIC, {std::to_string(ZCMOE_MAX_ROWS)},
       [] { return zcmoe_learner_merge(full_learner().get(), new_learner(3, true).get()); });

  const auto finishing = [&](zcmoe_status status, std::vector<std::string> texts, bool with_rows,
                             const std::function<void(zcmoe_learn_options&)>& change) {
    with("zcmoe_learner_finish", status, std::move(texts), [with_rows, change] {
      zcmoe_learn_options options = ZCMOE_LEARN_OPTIONS_INIT;
      change(options);
      zcmoe_model* made = nullptr;
      const zcmoe_status found =
          zcmoe_learner_finish(new_learner(3, with_rows).get(), &options, nullptr, &made);
      EXPECT_EQ(made, nullptr);
      return found;
    });
  };
  finishing(invalid, {"options->sample_rows=5, but the learner has 4194304"}, true,
            [](zcmoe_learn_options& o) { o.sample_rows = 5; });
  finishing(invalid, {"options->nan_policy is 1 of input 0, but the learner has 0"}, true,
            [](zcmoe_learn_options& o) { o.nan_policy = ZCMOE_NAN_SEGMENT; });
  finishing(data, {"no row is left of 0"}, false, [](zcmoe_learn_options&) {});
  finishing(ZCMOE_ERR_CANCELLED, {"progress"}, true, [](zcmoe_learn_options& o) {
    o.progress = [](void*, double) -> std::int32_t { return 1; };
  });

  static std::size_t size = 0;
  with("zcmoe_learner_serialize", invalid, {"bytes is null"},
       [] { return zcmoe_learner_serialize(new_learner(3, true).get(), nullptr, 0, nullptr); });
  with("zcmoe_learner_serialize", ZCMOE_ERR_WORKSPACE, {"capacity=1 is less than"}, [] {
    char byte = 0;
    return zcmoe_learner_serialize(new_learner(3, true).get(), &byte, 1, &size);
  });
  with("zcmoe_learner_deserialize", invalid, {"buffer is null"}, [] {
    zcmoe_learner* made = nullptr;
    return zcmoe_learner_deserialize(cpu_context(), nullptr, 0, &made);
  });
  with("zcmoe_learner_deserialize", ZCMOE_ERR_FORMAT, {"level"}, [] {
    return read_learner(with_header(learner_state(), R"("rows":"4")", R"("rows":"4","level":"0")"));
  });
  with("zcmoe_learner_deserialize", ZCMOE_ERR_VERSION, {"format version 3.0"}, [] {
    return read_learner(
        with_header(learner_state(), R"("format_version":"2.0")", R"("format_version":"3.0")"));
  });
  with("zcmoe_learner_deserialize", ZCMOE_ERR_CHECKSUM, {"data"}, [] {
    std::string bytes = learner_state();
    bytes.back() ^= 1;
    return read_learner(bytes);
  });
  return all;
}

std::vector<status_case> points_info_cases() {
  std::vector<status_case> all;
  const auto add = [&](const char* function, std::vector<std::string> texts,
                       std::function<zcmoe_status()> call) {
    all.push_back({function, invalid, std::move(texts), std::move(call)});
  };
  static zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  static zcmoe_axis_info axis = ZCMOE_AXIS_INFO_INIT;
  static zcmoe_bank_info bank = ZCMOE_BANK_INFO_INIT;
  static const std::int64_t* thresholds = nullptr;
  static std::int64_t number = 0;
  add("zcmoe_model_get_points_info", {"info->struct_size=4"}, [] {
    zcmoe_points_info wrong = ZCMOE_POINTS_INFO_INIT;
    wrong.struct_size = 4;
    return zcmoe_model_get_points_info(sums_model(), &wrong);
  });
  add("zcmoe_model_get_points_info", {"model is null"},
      [] { return zcmoe_model_get_points_info(nullptr, &info); });
  for (const std::int64_t wrong : {-1, 2}) {
    add("zcmoe_model_get_axis", {"axis=" + std::to_string(wrong) + "; the model has 2"},
        [wrong] { return zcmoe_model_get_axis(sums_model(), wrong, &axis); });
  }
  for (const std::int64_t wrong : {-1, 4}) {
    add("zcmoe_model_get_bank", {"bank=" + std::to_string(wrong) + "; the model has 4"},
        [wrong] { return zcmoe_model_get_bank(sums_model(), wrong, &bank); });
  }
  add("zcmoe_model_get_axis", {"model has 1 input"},
      [] { return zcmoe_model_get_axis(one_input_model(), 0, &axis); });
  add("zcmoe_model_get_bank", {"model has 1 input"},
      [] { return zcmoe_model_get_bank(one_input_model(), 0, &bank); });
  add("zcmoe_model_get_thresholds", {"num_thresholds is null"},
      [] { return zcmoe_model_get_thresholds(sums_model(), &thresholds, nullptr); });
  add("zcmoe_model_get_thresholds", {"thresholds is null"},
      [] { return zcmoe_model_get_thresholds(sums_model(), nullptr, &number); });
  return all;
}

std::vector<status_case> all_cases() {
  std::vector<status_case> all = problem_cases();
  for (const auto& more : {number_cases(), field_cases(), compile_cases(), predict_points_cases(),
                           learn_cases(), learner_cases(), grid_cases(), points_fit_cases(),
                           group_points_cases(), points_info_cases()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

TEST(status_test, every_case_has_its_status_and_says_what_and_why) {
  const auto cases = all_cases();
  for (const status_case& c : cases) {
    SCOPED_TRACE(c.function + ": " + c.texts[0]);
    EXPECT_EQ(c.call(), c.status) << zcmoe_last_error();
    EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr(c.function));
    for (const std::string& text : c.texts) {
      EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr(text));
    }
  }
  EXPECT_GE(cases.size(), 150u);
}

/// What surrounds the faults is itself accepted.
TEST(status_test, without_a_fault_the_calls_work) {
  const problem p = good_but([](problem&) {});
  EXPECT_EQ(zcmoe_theory_coefficient(&p, ZCMOE_THEORY_UNIFORM, 2, &d), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_next_order(&p, ZCMOE_THEORY_UNIFORM, &d), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_breakdown(&p, ZCMOE_THEORY_UNIFORM, 0.05, 4, &built), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_robustness(&p, &d, &e), ZCMOE_OK);
  zcmoe_theory_law law;
  EXPECT_EQ(
      zcmoe_theory_expert_law(&p, ZCMOE_THEORY_INTERPOLATED_MEANS, ZCMOE_THEORY_OPTIMAL, &law),
      ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_law_optimum(&lines, 9, nullptr, nullptr), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_learned_cuts(4, 9, 0, nullptr, nullptr), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_noise_adaptive(&p, 100, &d, &e), ZCMOE_OK);
  EXPECT_EQ(zcmoe_theory_noise_adaptive_edges(&p, 4, room, &built), ZCMOE_OK);
  EXPECT_EQ(compiled({}), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(points_call().predict(false), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(points_call().predict(true), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(points_call().learn(), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(grid_call().make(), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(grid_call().begin(), ZCMOE_OK) << zcmoe_last_error();
}

using pairs = std::set<std::pair<std::string, zcmoe_status>>;

/// The status of a name; -1 for other words.
zcmoe_status status_named(const std::string& name) {
  for (zcmoe_status status = ZCMOE_OK; status <= ZCMOE_ERR_CANCELLED; ++status) {
    if (zcmoe_status_string(status) == name) return status;
  }
  return -1;
}

/// The pairs that a header documents: of each function the statuses that its comment lists, and
/// INVALID_ARGUMENT, which any function may return.
pairs documented(const std::string& header) {
  std::ifstream file(std::string(ZCMOE_INCLUDE) + "/zcmoe/" + header);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::regex declaration(R"(ZCMOE_API zcmoe_status (\w+)\([^;]*\);)");
  const std::regex listed(R"(@retval (\w+))");
  pairs found;
  std::size_t last = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), declaration), end; it != end; ++it) {
    const auto at = static_cast<std::size_t>(it->position());
    const std::string before = text.substr(last, at - last);
    last = at + static_cast<std::size_t>(it->length());
    const std::string name = (*it)[1];
    if (name.find("_destroy") != std::string::npos) continue;  // never fails
    found.emplace(name, invalid);
    for (std::sregex_iterator s(before.begin(), before.end(), listed); s != end; ++s) {
      const zcmoe_status status = status_named((*s)[1]);
      EXPECT_GT(status, ZCMOE_OK) << name << ": " << (*s)[1];
      if (status != ZCMOE_ERR_DEVICE) found.emplace(name, status);
    }
  }
  return found;
}

TEST(status_test, the_table_has_the_documented_pairs) {
  pairs present;
  for (const status_case& c : all_cases()) present.emplace(c.function, c.status);
  pairs wanted = documented("theory.h");
  wanted.merge(documented("compile.h"));
  wanted.merge(documented("points.h"));
  for (const auto& pair : wanted) {
    EXPECT_EQ(present.count(pair), 1u)
        << "not in the table: " << pair.first << ", " << zcmoe_status_string(pair.second);
  }
  for (const auto& pair : present) {
    EXPECT_EQ(wanted.count(pair), 1u)
        << "not documented: " << pair.first << ", " << zcmoe_status_string(pair.second);
  }
  EXPECT_GE(wanted.size(), 33u);  // the headers were read
}

}  // namespace
}  // namespace zcmoe::test
