// The relations that the experiments are run on: functions, densities and how to draw from them.
// tests/data/reference_cases.json has the coefficients of s1 .. s7.
#include "laboratory.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace experiments {
namespace {

const double pi = std::acos(-1.0);

void uniform_inputs(setting& s) {
  const double lo = s.problem.lo;
  const double width = s.problem.hi - lo;
  s.density_text = "uniform";
  s.problem.density = [](double) { return 1.0; };
  s.problem.density_slope = [](double) { return 0.0; };
  s.draw = [=](generator& random) { return lo + width * random.uniform(); };
}

/// A normal number, drawn until it lies in [lo, hi].
void normal_inputs(setting& s, double mean, double deviation) {
  const double lo = s.problem.lo;
  const double hi = s.problem.hi;
  const double mass = 0.5 * (std::erf((hi - mean) / (std::sqrt(2.0) * deviation)) -
                             std::erf((lo - mean) / (std::sqrt(2.0) * deviation)));
  const double height = 1 / (mass * deviation * std::sqrt(2 * pi));
  char text[128];
  std::snprintf(text, sizeof text, "normal(%g, %g²) cut to [%g, %g]", mean, deviation, lo, hi);
  s.density_text = text;
  s.problem.density = [=](double x) {
    const double z = (x - mean) / deviation;
    return height * std::exp(-0.5 * z * z);
  };
  s.problem.density_slope = [=, p = s.problem.density](double x) {
    return -p(x) * (x - mean) / (deviation * deviation);
  };
  s.draw = [=](generator& random) {
    for (;;) {
      const double x = mean + deviation * random.normal();
      if (x >= lo && x <= hi) return x;
    }
  };
}

/// A number of Beta(2, 5): the second smallest of six uniform ones.
void beta_inputs(setting& s) {
  s.density_text = "Beta(2, 5)";
  s.problem.density = [](double x) { return 30 * x * std::pow(1 - x, 4); };
  s.problem.density_slope = [](double x) { return 30 * std::pow(1 - x, 3) * (1 - 5 * x); };
  s.draw = [](generator& random) {
    double least = 1.0;
    double second = 1.0;
    for (int i = 0; i < 6; ++i) {
      const double u = random.uniform();
      second = std::min(second, std::max(least, u));
      least = std::min(least, u);
    }
    return second;
  };
}

setting with_regression(std::string id, std::uint32_t number, std::string text, theory::function b,
                        theory::function slope, theory::function curvature) {
  setting s;
  s.id = std::move(id);
  s.number = number;
  s.regression_text = std::move(text);
  s.problem.regression = std::move(b);
  s.problem.slope = std::move(slope);
  s.problem.curvature = std::move(curvature);
  return s;
}

setting exponential(std::string id, std::uint32_t number, std::string text, double scale,
                    double rate) {
  return with_regression(
      std::move(id), number, std::move(text), [=](double x) { return scale * std::exp(rate * x); },
      [=](double x) { return scale * rate * std::exp(rate * x); },
      [=](double x) { return scale * rate * rate * std::exp(rate * x); });
}

}  // namespace

const setting& setting_of(const std::vector<setting>& settings, const std::string& id) {
  for (const setting& s : settings) {
    if (s.id == id) return s;
  }
  throw std::logic_error("no setting " + id);
}

std::vector<setting> reference_settings() {
  const zero_side extremum;  // p > 0, b' changes sign
  std::vector<setting> all;

  all.push_back(with_regression(
      "s1", 1, "x", [](double x) { return x; }, [](double) { return 1.0; },
      [](double) { return 0.0; }));
  uniform_inputs(all.back());

  all.push_back(with_regression(
      "s2", 2, "x²", [](double x) { return x * x; }, [](double x) { return 2 * x; },
      [](double) { return 2.0; }));
  uniform_inputs(all.back());
  all.back().zeros = {extremum};

  all.push_back(with_regression(
      "s3", 3, "sin 2πx", [](double x) { return std::sin(2 * pi * x); },
      [](double x) { return 2 * pi * std::cos(2 * pi * x); },
      [](double x) { return -4 * pi * pi * std::sin(2 * pi * x); }));
  uniform_inputs(all.back());
  all.back().zeros.assign(4, extremum);

  all.push_back(exponential("s4", 4, "exp 3x", 1.0, 3.0));
  beta_inputs(all.back());
  all.back().zeros = {{1, 1, false}, {4, 1, false}};
  all.back().sigma = 1.5;

  const auto step = [](double x) { return 1 / (1 + std::exp(-40 * (x - 0.4))); };
  const auto step_slope = [=](double x) { return 40 * step(x) * (1 - step(x)); };
  all.push_back(with_regression(
      "s5", 5, "1/(1 + exp(−40(x − 0.4)))", step, step_slope,
      [=](double x) { return 1600 * step(x) * (1 - step(x)) * (1 - 2 * step(x)); }));
  normal_inputs(all.back(), 0.5, 0.2);
  all.back().zeros.assign(2, zero_side{0, 64, false});  // both ends: b nears a limit exponentially

  all.push_back(with_regression(
      "s6", 6, "cos 4πx", [](double x) { return std::cos(4 * pi * x); },
      [](double x) { return -4 * pi * std::sin(4 * pi * x); },
      [](double x) { return -16 * pi * pi * std::cos(4 * pi * x); }));
  normal_inputs(all.back(), 0.5, 0.15);
  all.back().zeros.assign(8, extremum);

  const auto share = [](double x) { return std::clamp((x - 0.25) / 0.45, 0.0, 1.0); };
  all.push_back(with_regression(
      "s7", 7, "0, then 3t² − 2t³ with t = (x − 0.25)/0.45, then 1",
      [=](double x) { return share(x) * share(x) * (3 - 2 * share(x)); },
      [=](double x) { return 6 * share(x) * (1 - share(x)) / 0.45; },
      [=](double x) {
        return x < 0.25 || x > 0.7 ? 0.0 : 6 * (1 - 2 * share(x)) / (0.45 * 0.45);
      }));
  uniform_inputs(all.back());
  all.back().problem.breaks = {0.25, 0.7};
  all.back().zeros.assign(2, zero_side{0, 2, true});
  return all;
}

std::vector<setting> tail_settings() {
  std::vector<setting> all;
  all.push_back(exponential("t1", 21, "exp 8(x − 0.2)", std::exp(-1.6), 8.0));
  all.push_back(exponential("t2", 22, "exp 12(x − 0.2)", std::exp(-2.4), 12.0));
  for (setting& s : all) normal_inputs(s, 0.2, 0.16);
  all.back().sigma = 1.0;
  return all;
}

std::vector<setting> fresh_settings() {
  std::vector<setting> all;

  all.push_back(with_regression(
      "f1", 31, "tanh(6(x − 0.6)) + x/2",
      [](double x) { return std::tanh(6 * (x - 0.6)) + 0.5 * x; },
      [](double x) {
        const double t = std::tanh(6 * (x - 0.6));
        return 6 * (1 - t * t) + 0.5;
      },
      [](double x) {
        const double t = std::tanh(6 * (x - 0.6));
        return -72 * t * (1 - t * t);
      }));
  normal_inputs(all.back(), 0.4, 0.25);

  all.push_back(with_regression(
      "f2", 32, "√(x + 0.02)", [](double x) { return std::sqrt(x + 0.02); },
      [](double x) { return 0.5 / std::sqrt(x + 0.02); },
      [](double x) { return -0.25 * std::pow(x + 0.02, -1.5); }));
  uniform_inputs(all.back());
  all.back().sigma = 0.1;

  all.push_back(with_regression(
      "f3", 33, "x + sin(6πx)/4", [](double x) { return x + std::sin(6 * pi * x) / 4; },
      [](double x) { return 1 + 1.5 * pi * std::cos(6 * pi * x); },
      [](double x) { return -9 * pi * pi * std::sin(6 * pi * x); }));
  beta_inputs(all.back());

  all.push_back(with_regression(
      "f4", 34, "1/(1 + 25x²) on [−1, 1]", [](double x) { return 1 / (1 + 25 * x * x); },
      [](double x) { return -50 * x / std::pow(1 + 25 * x * x, 2); },
      [](double x) { return (3750 * x * x - 50) / std::pow(1 + 25 * x * x, 3); }));
  all.back().problem.lo = -1.0;
  uniform_inputs(all.back());
  all.back().sigma = 0.2;
  return all;
}

std::vector<setting> cut_settings() {
  std::vector<setting> all;

  const std::vector<double> jumps = {9 / 64.0, 23 / 64.0, 30 / 64.0, 45 / 64.0, 53 / 64.0};
  all.push_back(with_regression(
      "j1", 41, "0, 0.6, 1.2, 0.6, 0, 0.6 with jumps at 9, 23, 30, 45, 53 of 64 parts",
      [=](double x) {
        const double levels[] = {0.0, 0.6, 1.2, 0.6, 0.0, 0.6};
        return levels[std::upper_bound(jumps.begin(), jumps.end(), x) - jumps.begin()];
      },
      [](double) { return 0.0; }, [](double) { return 0.0; }));
  uniform_inputs(all.back());
  all.back().problem.breaks = jumps;

  const double end = 100.0;
  const double mass = 2 / pi * std::atan(end);
  const auto density = [=](double x) { return 1 / (pi * mass * (1 + x * x)); };
  const auto share = [=](double x) { return 0.5 + std::atan(x) / (pi * mass); };
  all.push_back(with_regression(
      "h1", 42, "sin 2πF(x), F the share of inputs below x",
      [=](double x) { return std::sin(2 * pi * share(x)); },
      [=](double x) { return 2 * pi * density(x) * std::cos(2 * pi * share(x)); }, nullptr));
  setting& heavy = all.back();
  heavy.density_text = "Cauchy cut to [−100, 100]";
  heavy.problem.lo = -end;
  heavy.problem.hi = end;
  heavy.problem.density = density;
  heavy.draw = [=](generator& random) { return std::tan(pi * mass * (random.uniform() - 0.5)); };
  return all;
}

std::vector<setting> expert_settings() {
  std::vector<setting> all;
  all.push_back(exponential("e1", 51, "exp 3x", 1.0, 3.0));
  setting& bent = all.back();
  bent.density_text = "(1 + 2x)/2";
  bent.sigma = 1.0;
  bent.problem.density = [](double x) { return 0.5 + x; };
  bent.problem.density_slope = [](double) { return 1.0; };
  bent.draw = [](generator& random) { return 0.5 * (std::sqrt(1 + 8 * random.uniform()) - 1); };

  all.push_back(with_regression(
      "e2", 52, "sin 2πx, and 1 more from x = 1/2 on",
      [](double x) { return std::sin(2 * pi * x) + (x < 0.5 ? 0.0 : 1.0); },
      [](double x) { return 2 * pi * std::cos(2 * pi * x); },
      [](double x) { return -4 * pi * pi * std::sin(2 * pi * x); }));
  uniform_inputs(all.back());
  all.back().problem.breaks = {0.5};
  return all;
}

table description_of_settings() {
  table all({"setting", "b", "p", "sigma"});
  for (const auto& settings : {reference_settings(), tail_settings(), fresh_settings(),
                               cut_settings(), expert_settings()}) {
    for (const setting& s : settings) {
      all.add({s.id, s.regression_text, s.density_text, s.sigma});
    }
  }
  return all;
}

}  // namespace experiments
