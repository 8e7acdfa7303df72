// What the experiments share: random numbers that are equal on every platform, an engine that
// learns tables and predicts, means with their standard errors, and the report.
#pragma once

#include <zcmoe/theory.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace experiments {

namespace theory = zcmoe::theory;

/// Random numbers from std::mt19937_64, seeded by the experiment that draws them. The distributions
/// of the standard library differ between implementations, so they are written out here.
class generator {
 public:
  generator(std::initializer_list<std::uint32_t> purpose) {
    std::seed_seq seed(purpose);
    bits_.seed(seed);
  }
  /// A number in (0, 1).
  double uniform() { return (static_cast<double>(bits_() >> 11) + 0.5) * 0x1p-53; }
  /// A standard normal number (Box and Muller 1958, of whose pairs both are used).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    const double angle = 2.0 * std::acos(-1.0) * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  std::mt19937_64 bits_;
  double spare_ = 0.0;
  bool has_spare_ = false;
};

/// One side of a zero of p b'^2 at x0, where p ~ |x - x0|^density_order and b - b(x0) ~ |x -
/// x0|^regression_order. Where b nears a limit exponentially, it counts as a high order. `plateau`
/// says that b is constant on the other side.
struct zero_side {
  double density_order = 0.0;
  double regression_order = 2.0;
  bool plateau = false;
};

/// A known relation: y = b(x) + noise, where x has the density p.
struct setting {
  std::string id;
  std::uint32_t number = 0;  // seeds its random numbers
  std::string regression_text;
  std::string density_text;
  theory::problem problem;
  std::function<double(generator&)> draw;
  std::vector<zero_side> zeros;
  double sigma = 0.3;  // for experiments that have one noise level
};

std::vector<setting> reference_settings();  // s1 .. s7
std::vector<setting> tail_settings();       // steep where samples are rare
std::vector<setting> fresh_settings();      // used for nothing but the automatic choice of m
std::vector<setting> cut_settings();        // j1 has jumps, h1 inputs with heavy tails
std::vector<setting> expert_settings();     // e1 bends everywhere, e2 has a jump at 1/2
const setting& setting_of(const std::vector<setting>& settings, const std::string& id);

inline const char* name_of(zcmoe_theory_segmentation segmentation) {
  return segmentation == ZCMOE_THEORY_UNIFORM ? "uniform" : "optimal";
}
inline constexpr zcmoe_theory_segmentation both_segmentations[] = {ZCMOE_THEORY_UNIFORM,
                                                                   ZCMOE_THEORY_OPTIMAL};
std::vector<double> edges_of(const setting& given, zcmoe_theory_segmentation segmentation,
                             std::int64_t num_segments);

struct sample {
  std::vector<double> x;
  std::vector<double> b;  // b(x)
  std::vector<double> noise;

  std::vector<double> targets(double sigma) const;
};
/// Draws rows. `noise` stays empty if with_noise is false.
sample draw(const setting& given, std::int64_t n, bool with_noise, generator& random);

class mean_of {
 public:
  mean_of() = default;
  void add(double value) {
    ++count_;
    const double step = value - mean_;
    mean_ += step / static_cast<double>(count_);
    squares_ += step * (value - mean_);
  }
  explicit mean_of(const std::vector<double>& values)
      : count_(static_cast<std::int64_t>(values.size())) {
    for (const double value : values) mean_ += value;
    mean_ /= static_cast<double>(count_);
    for (const double value : values) squares_ += (value - mean_) * (value - mean_);
  }
  std::int64_t count() const { return count_; }
  double mean() const { return mean_; }
  double standard_error() const {
    const auto n = static_cast<double>(count_);
    return count_ < 2 ? INFINITY : std::sqrt(squares_ / (n - 1) / n);
  }

 private:
  std::int64_t count_ = 0;
  double mean_ = 0.0;
  double squares_ = 0.0;
};

/// The ratio mean(a) / mean(b) over pairs, and its standard error.
struct ratio {
  double value;
  double standard_error;
};
ratio ratio_of(const std::vector<double>& a, const std::vector<double>& b);

struct learned {
  std::vector<double> constants;
  std::vector<std::int64_t> counts;
};

/// Learns and predicts for all experiments, through zcmoe_fit and zcmoe_predict.
class engine {
 public:
  explicit engine(const zcmoe_context_options& options) : context_(options) {}

  const zcmoe::context& context() const { return context_; }
  zcmoe::model fit(const std::vector<double>& edges, const std::vector<double>& x,
                   const std::vector<double>& y,
                   const zcmoe_model_options& options = zcmoe::model_options()) const;
  /// The constants learned from the rows, with the policies applied: the predictions at the
  /// segments' centres.
  learned learn(const std::vector<double>& edges, const std::vector<double>& x,
                const std::vector<double>& y,
                const zcmoe_model_options& options = zcmoe::model_options()) const;
  /// (prediction - b)^2 of each test row, for a table with these constants.
  std::vector<double> squared_errors(const std::vector<double>& edges,
                                     const std::vector<double>& constants,
                                     const sample& test) const;

 private:
  zcmoe::context context_;
};

/// (prediction - b)^2 of each test row.
std::vector<double> squared_errors(const zcmoe::model& model, const sample& test);

/// The excess risk of a table with these constants: E_app + sum P_i (constant_i - c_i)^2.
double excess_of(const theory::cells& exact, const std::vector<double>& constants);

/// The excess risk of a table whose cuts were placed by the rows too.
double excess_on_learned_cuts(const engine& machine, const theory::problem& f,
                              std::vector<double> edges, const std::vector<double>& x,
                              const std::vector<double>& y);

/// A and B of excess = A u + B v.
struct power_law {
  double approximation;  // A
  double variance;       // B
};
/// Finds A and B by least squares of relative errors. They are relative to `scale`, which is not
/// measured, so that the equations for A and B are linear in what is.
power_law fit_power_law(const std::vector<double>& u, const std::vector<double>& v,
                        const std::vector<double>& excess, const std::vector<double>& scale);

/// The rows of a CSV file.
class table {
 public:
  using value = std::variant<double, std::string>;

  explicit table(std::vector<std::string> columns) : columns_(std::move(columns)) {}
  void add(std::vector<value> row);
  std::string text() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<value>> rows_;
};

table description_of_settings();

/// A value that a check must be able to tell from the right one.
struct rival {
  std::string text;
  double value;
};

/// Checked figures and tables, which are written as figures.json and one CSV file per table.
class report {
 public:
  explicit report(std::string folder) : folder_(std::move(folder)) {}

  /// `measured` must be within 4 standard errors + slack of `expected`, and no rival may be.
  void expect(const std::string& name, double measured, double standard_error, double expected,
              double slack, const std::vector<rival>& rivals = {});
  /// Notes a number that is not checked.
  void note(const std::string& name, double value) { notes_[name] = value; }
  void write(const std::string& name, const table& rows) const;
  /// Writes figures.json and returns how many checks failed.
  int finish(const std::string& engine, int effort) const;

 private:
  std::string folder_;
  nlohmann::ordered_json figures_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json notes_ = nlohmann::ordered_json::object();
  int failed_ = 0;
};

struct laboratory {
  const engine& machine;
  report& findings;
  int effort;  // repetitions are proportional to it
};

// approximation.cpp
void optimal_density(const laboratory& lab);  // E1
void error_against_m(const laboratory& lab);  // E2
void break_condition(const laboratory& lab);  // E5
// learning.cpp
void best_number(const laboratory& lab);       // E3
void estimation_error(const laboratory& lab);  // E4
// choosing.cpp
void optimal_against_uniform(const laboratory& lab);  // E6
void automatic_number(const laboratory& lab);         // E7
// cuts.cpp
void learned_cuts(const laboratory& lab);  // E8
// kinds.cpp
void kinds_of_experts(const laboratory& lab);  // E9
// grids.cpp
void product_grids(const laboratory& lab);  // E10
// geometry.cpp
void rates_by_geometry(const laboratory& lab);  // E11
// learners.cpp
void learned_models(const laboratory& lab);  // E12

}  // namespace experiments
