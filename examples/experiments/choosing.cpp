// Experiments on what to choose: the segmentation, each with its own best number of segments; the
// number of segments from data alone.
#include "laboratory.hpp"

#include <algorithm>

namespace experiments {
namespace {

/// Numbers of segments from lowest to highest, neighbours at most a factor `step` apart.
std::vector<std::int64_t> numbers(double lowest, double highest, double step) {
  std::vector<std::int64_t> all;
  for (double m = std::max(1.0, lowest); m <= highest; m = std::max(m + 1, m * step)) {
    all.push_back(std::lround(m));
  }
  return all;
}

/// The least exact risk over numbers of segments within a factor of 6 of the high-rate optimum: the
/// curve is flat and has one valley, so first coarsely, then about the least.
zcmoe_theory_risk_point least_risk(const theory::problem& f, zcmoe_theory_segmentation segmentation,
                                   std::int64_t n) {
  const auto rows = static_cast<double>(n);
  const double near = theory::optimum(f.coefficient(segmentation) / 12, f.noise, rows).num_segments;
  const auto least = [&](const std::vector<std::int64_t>& candidates) {
    const auto points = f.risk_curve(segmentation, n, candidates);
    return *std::min_element(points.begin(), points.end(),
                             [](const auto& p, const auto& q) { return p.risk < q.risk; });
  };
  const auto coarse = static_cast<double>(
      least(numbers(near / 6, std::min(6 * near + 1, rows), 1.25)).num_segments);
  return least(numbers(coarse / 1.25, std::min(coarse * 1.25, rows), 1.04));
}

/// A segmentation of known p and b with the number of segments that is best for n rows by exact
/// risk.
struct contender {
  std::vector<double> edges;
  theory::cells exact;
  double excess;
};

contender best_of(const setting& given, const theory::problem& f,
                  zcmoe_theory_segmentation segmentation, std::int64_t n) {
  const zcmoe_theory_risk_point least = least_risk(f, segmentation, n);
  const auto edges = edges_of(given, segmentation, least.num_segments);
  return {edges, f.approximation(edges), least.approximation + least.estimation};
}

/// Excess risk of a table on cuts that were themselves learned from the rows.
double excess_on_learned_cuts(const laboratory& lab, const theory::problem& f,
                              const std::vector<double>& x, const std::vector<double>& y,
                              std::int64_t m) {
  std::vector<double> edges = zcmoe::optimal_edges_from_data(x, y, m);
  const learned table = lab.machine.learn(edges, x, y);
  edges.front() = f.lo;  // inputs beyond the samples are answered by the outer segments
  edges.back() = f.hi;
  return f.approximation(edges, table.constants).totals.error;
}

/// mean(a) / mean(b) of pairs and its standard error.
struct ratio {
  double value;
  double standard_error;
};
ratio ratio_of(const std::vector<double>& a, const std::vector<double>& b) {
  const double value = mean_of(a).mean() / mean_of(b).mean();
  std::vector<double> off(a);
  for (std::size_t i = 0; i < off.size(); ++i) off[i] -= value * b[i];
  return {value, mean_of(off).standard_error() / mean_of(b).mean()};
}

}  // namespace

void optimal_against_uniform(const laboratory& lab) {
  table ratios({"setting", "n", "sigma", "m_uniform", "m_optimal", "high_rate", "exact", "measured",
                "standard_error", "from_data", "from_data_error"});
  std::vector<setting> settings = reference_settings();
  for (setting& extra : tail_settings()) settings.push_back(std::move(extra));
  for (const setting& given : settings) {
    theory::problem f = given.problem;
    f.noise = given.sigma * given.sigma;
    for (const std::int64_t n : {1000, 10000, 100000}) {
      const contender uniform = best_of(given, f, ZCMOE_THEORY_UNIFORM, n);
      const contender optimal = best_of(given, f, ZCMOE_THEORY_OPTIMAL, n);
      const auto m = static_cast<std::int64_t>(optimal.exact.means.size());
      std::vector<double> with_uniform, with_optimal, with_data;
      const std::int64_t repetitions = std::clamp<std::int64_t>(200000 / n, 16, 200) * lab.effort;
      for (std::int64_t r = 0; r < repetitions; ++r) {
        generator random{6, given.number, static_cast<std::uint32_t>(n),
                         static_cast<std::uint32_t>(r)};
        const sample rows = draw(given, n, true, random);
        const std::vector<double> y = rows.targets(given.sigma);
        with_uniform.push_back(
            excess_of(uniform.exact, lab.machine.learn(uniform.edges, rows.x, y).constants));
        with_optimal.push_back(
            excess_of(optimal.exact, lab.machine.learn(optimal.edges, rows.x, y).constants));
        with_data.push_back(excess_on_learned_cuts(lab, f, rows.x, y, m));
      }
      const double high_rate =
          std::cbrt(f.coefficient(ZCMOE_THEORY_OPTIMAL) / f.coefficient(ZCMOE_THEORY_UNIFORM));
      const double exact = optimal.excess / uniform.excess;
      const ratio measured = ratio_of(with_optimal, with_uniform);
      const ratio from_data = ratio_of(with_data, with_uniform);
      ratios.add({given.id, static_cast<double>(n), given.sigma,
                  static_cast<double>(uniform.exact.means.size()), static_cast<double>(m),
                  high_rate, exact, measured.value, measured.standard_error, from_data.value,
                  from_data.standard_error});
      lab.findings.expect("E6.ratio." + given.id + ".n" + std::to_string(n), measured.value,
                          measured.standard_error, exact, 1e-9);
    }
  }
  lab.findings.write("ratios", ratios);
}

}  // namespace experiments
