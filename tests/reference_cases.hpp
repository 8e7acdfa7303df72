// The one-dimensional reference cases of tests/data/reference_cases.json: exact numbers, and p,
// beta, beta' as functions.
#pragma once

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace zcmoe_test {

struct reference_case {
  std::string id;
  nlohmann::json numbers;
  std::function<double(double)> density;
  std::function<double(double)> regression;
  std::function<double(double)> slope;
  std::vector<double> kinks;  // where a quadrature must be cut

  std::vector<double> texts(const char* key) const {
    std::vector<double> values;
    for (const auto& text : numbers.at(key)) values.push_back(std::stod(text.get<std::string>()));
    return values;
  }
};

inline double number(const nlohmann::json& j) {
  return j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>();
}

inline void set_regression(reference_case& c, const nlohmann::json& beta) {
  const auto kind = beta.at("kind").get<std::string>();
  const double pi = std::acos(-1.0);
  if (kind == "poly") {
    std::vector<double> a;
    for (const auto& j : beta.at("coeffs")) a.push_back(number(j));
    c.regression = [a](double x) {
      double sum = 0.0;
      for (std::size_t i = a.size(); i-- > 0;) sum = sum * x + a[i];
      return sum;
    };
    c.slope = [a](double x) {
      double sum = 0.0;
      for (std::size_t i = a.size(); i-- > 1;) sum = sum * x + static_cast<double>(i) * a[i];
      return sum;
    };
  } else if (kind == "sin") {
    const double amplitude = number(beta.at("amp"));
    const double omega = 2 * pi * number(beta.at("k"));
    const double phase = pi * number(beta.at("phase_over_pi"));
    c.regression = [=](double x) { return amplitude * std::sin(omega * x + phase); };
    c.slope = [=](double x) { return amplitude * omega * std::cos(omega * x + phase); };
  } else if (kind == "exp") {
    const double amplitude = number(beta.at("amp"));
    const double a = number(beta.at("a"));
    c.regression = [=](double x) { return amplitude * std::exp(a * x); };
    c.slope = [=](double x) { return amplitude * a * std::exp(a * x); };
  } else if (kind == "logistic_sum") {
    const auto term = beta.at("terms").at(0);
    const double height = number(term.at(0));
    const double s = number(term.at(1));
    const double x0 = number(term.at(2));
    c.regression = [=](double x) { return height / (1 + std::exp(-s * (x - x0))); };
    c.slope = [=](double x) {
      const double e = std::exp(-std::abs(s * (x - x0)));
      return height * s * e / ((1 + e) * (1 + e));
    };
  } else if (kind == "smoothstep") {
    const double x0 = number(beta.at("x0"));
    const double x1 = number(beta.at("x1"));
    const auto share = [=](double x) { return std::clamp((x - x0) / (x1 - x0), 0.0, 1.0); };
    c.regression = [=](double x) { return share(x) * share(x) * (3 - 2 * share(x)); };
    c.slope = [=](double x) { return 6 * share(x) * (1 - share(x)) / (x1 - x0); };
    c.kinks = {x0, x1};
  } else {
    throw std::runtime_error("unknown regression function " + kind);
  }
}

inline void set_density(reference_case& c, const nlohmann::json& p) {
  const auto kind = p.at("kind").get<std::string>();
  if (kind == "uniform") {
    const double height = 1 / (number(p.at("hi")) - number(p.at("lo")));
    c.density = [=](double) { return height; };
  } else if (kind == "beta") {
    const double a = number(p.at("a"));
    const double b = number(p.at("b"));
    const double height = std::tgamma(a + b) / (std::tgamma(a) * std::tgamma(b));
    c.density = [=](double x) { return height * std::pow(x, a - 1) * std::pow(1 - x, b - 1); };
  } else if (kind == "truncnorm_mix") {
    const auto term = p.at("terms").at(0);
    const double mu = number(term.at(1));
    const double s = number(term.at(2));
    const double root = std::sqrt(2.0) * s;
    const double mass = 0.5 * (std::erf((1 - mu) / root) - std::erf((0 - mu) / root));
    const double height = 1 / (mass * s * std::sqrt(2 * std::acos(-1.0)));
    c.density = [=](double x) { return height * std::exp(-0.5 * (x - mu) * (x - mu) / (s * s)); };
  } else {
    throw std::runtime_error("unknown density " + kind);
  }
}

/// ZCMOE_TEST_DATA is the folder tests/data, set by the build.
inline const std::vector<reference_case>& reference_cases() {
  static const std::vector<reference_case> cases = [] {
    std::ifstream file(std::string(ZCMOE_TEST_DATA) + "/reference_cases.json");
    if (!file) throw std::runtime_error("cannot open " ZCMOE_TEST_DATA "/reference_cases.json");
    const auto document = nlohmann::json::parse(file);
    std::vector<reference_case> read;
    for (const auto& j : document.at("cases")) {
      reference_case c;
      c.id = j.at("id").get<std::string>();
      c.numbers = j;
      set_regression(c, j.at("beta"));
      set_density(c, j.at("p"));
      read.push_back(std::move(c));
    }
    return read;
  }();
  return cases;
}

}  // namespace zcmoe_test
