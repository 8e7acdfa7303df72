// Experiments on what to choose: which segmentation, each with its own best number of segments, and
// how many segments, from data alone.
#include "laboratory.hpp"

#include <zcmoe/plan.hpp>

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

/// The least exact risk over numbers of segments within a factor of 6 of the high-rate optimum. The
/// risk is flat there and has one valley, so it is searched coarsely first, then about the least
/// value.
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

/// The excess risk of a table whose cuts are those of a crude density, learned from the rows too.
double excess_of_compander(const laboratory& lab, const theory::problem& f,
                           const std::vector<double>& x, const std::vector<double>& y,
                           std::int64_t m) {
  return excess_on_learned_cuts(lab.machine, f, zcmoe::compander_edges_from_data(x, y, m), x, y);
}

}  // namespace

void optimal_against_uniform(const laboratory& lab) {
  table ratios({"setting", "n", "sigma", "m_uniform", "m_optimal", "high_rate", "exact", "measured",
                "standard_error", "from_data", "from_data_error"});
  double worst = 0.0;
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
      const std::int64_t repetitions = std::clamp<std::int64_t>(100000 / n, 32, 100) * lab.effort;
      for (std::int64_t r = 0; r < repetitions; ++r) {
        generator random{6, given.number, static_cast<std::uint32_t>(n),
                         static_cast<std::uint32_t>(r)};
        const sample rows = draw(given, n, true, random);
        const std::vector<double> y = rows.targets(given.sigma);
        with_uniform.push_back(
            excess_of(uniform.exact, lab.machine.learn(uniform.edges, rows.x, y).constants));
        with_optimal.push_back(
            excess_of(optimal.exact, lab.machine.learn(optimal.edges, rows.x, y).constants));
        if (n <= 10000) with_data.push_back(excess_of_compander(lab, f, rows.x, y, m));
      }
      const double high_rate =
          std::cbrt(f.coefficient(ZCMOE_THEORY_OPTIMAL) / f.coefficient(ZCMOE_THEORY_UNIFORM));
      const double exact = optimal.excess / uniform.excess;
      const ratio measured = ratio_of(with_optimal, with_uniform);
      const ratio from_data = n <= 10000 ? ratio_of(with_data, with_uniform) : ratio{NAN, NAN};
      ratios.add({given.id, static_cast<double>(n), given.sigma,
                  static_cast<double>(uniform.exact.means.size()), static_cast<double>(m),
                  high_rate, exact, measured.value, measured.standard_error, from_data.value,
                  from_data.standard_error});
      const std::string name = given.id + ".n" + std::to_string(n);
      lab.findings.expect("E6.ratio." + name, measured.value, measured.standard_error, exact, 1e-9);
      worst = std::max(worst, exact);
      if (given.id[0] == 't') {
        lab.findings.expect("E6.no_gain." + name, measured.value, measured.standard_error, 1, 0.005,
                            {{"the gain of high rate", high_rate}});
      } else if (n == 100000 && given.id != "s1" && given.id != "s4") {
        lab.findings.expect("E6.gain." + name, exact, 0, high_rate, 0.02, {{"no gain", 1.0}});
      }
    }
  }
  lab.findings.expect("E6.worst", worst, 0, 1, 0.005);
  lab.findings.write("ratios", ratios);
}

// ------------------------------------------------------- automatic against oracle

void automatic_number(const laboratory& lab) {
  table choices({"setting", "n", "sigma", "segmentation", "oracle", "automatic", "automatic_error",
                 "predicted", "ratio", "standard_error"});
  std::vector<setting> settings = fresh_settings();
  const std::size_t num_fresh = settings.size();
  for (setting& known : reference_settings()) settings.push_back(std::move(known));
  for (const char* const segmentation : {"uniform", "from data"}) {
    const bool uniform = segmentation[0] == 'u';
    for (const std::int64_t n : {10000, 100000}) {
      if (!uniform && n > 10000) continue;  // one oracle is enough: it costs most of the time
      mean_of of_fresh, of_all;
      for (std::size_t k = 0; k < settings.size(); ++k) {
        const setting& given = settings[k];
        theory::problem f = given.problem;
        f.noise = given.sigma * given.sigma;
        const auto excess_at = [&](const std::vector<double>& x, const std::vector<double>& y,
                                   std::int64_t m) {
          if (!uniform) return excess_of_compander(lab, f, x, y, m);
          const auto edges = zcmoe::uniform_edges(f.lo, f.hi, m);
          const learned table = lab.machine.learn(edges, x, y);
          return f.approximation(edges, table.constants).totals.error;
        };
        // The oracle takes the m that is best on average: by exact risk where cuts are fixed, else
        // by trying those about the best for known p and b on the same samples.
        const auto theirs = static_cast<double>(
            least_risk(f, uniform ? ZCMOE_THEORY_UNIFORM : ZCMOE_THEORY_OPTIMAL, n).num_segments);
        const auto tried = uniform ? std::vector<std::int64_t>{std::lround(theirs)}
                                   : numbers(theirs / 1.6, theirs * 2.6, 1.25);
        std::vector<std::vector<double>> at_tried(tried.size());
        std::vector<double> at_automatic;
        mean_of number, predicted;
        const std::int64_t repetitions = std::max<std::int64_t>(2, 40000 / n) * lab.effort;
        for (std::int64_t r = 0; r < repetitions; ++r) {
          generator random{7, given.number, static_cast<std::uint32_t>(n),
                           static_cast<std::uint32_t>(r)};
          const sample rows = draw(given, n, true, random);
          const std::vector<double> y = rows.targets(given.sigma);
          zcmoe_plan_options options = zcmoe::plan_options();
          if (uniform) {
            options.lo = f.lo;
            options.hi = f.hi;
          }
          const zcmoe_plan_result plan =
              zcmoe::make_plan(lab.machine.context(), rows.x, y, options);
          const zcmoe_plan_candidate& candidate =
              plan.candidates[uniform ? ZCMOE_PLAN_UNIFORM : ZCMOE_PLAN_COMPANDER];
          number.add(static_cast<double>(candidate.num_segments));
          predicted.add(candidate.excess);
          at_automatic.push_back(excess_at(rows.x, y, candidate.num_segments));
          for (std::size_t t = 0; t < tried.size(); ++t) {
            at_tried[t].push_back(excess_at(rows.x, y, tried[t]));
          }
        }
        std::size_t best = 0;
        for (std::size_t t = 1; t < tried.size(); ++t) {
          if (mean_of(at_tried[t]).mean() < mean_of(at_tried[best]).mean()) best = t;
        }
        const ratio measured = ratio_of(at_automatic, at_tried[best]);
        choices.add({given.id, static_cast<double>(n), given.sigma, segmentation,
                     static_cast<double>(tried[best]), number.mean(), number.standard_error(),
                     predicted.mean() / mean_of(at_automatic).mean(), measured.value,
                     measured.standard_error});
        of_all.add(measured.value);
        if (k < num_fresh) of_fresh.add(measured.value);
      }
      // The excess risk is at most a fifth more than with the best m, on average.
      const std::string name =
          std::string(uniform ? "uniform" : "from_data") + ".n" + std::to_string(n);
      const std::vector<rival> rivals = {{"half the best m", theory::flatness(0.5)},
                                         {"twice the best m", theory::flatness(2.0)}};
      lab.findings.expect("E7.fresh." + name, of_fresh.mean(), 0, 1, 0.2, rivals);
      lab.findings.expect("E7.all." + name, of_all.mean(), 0, 1, 0.2, rivals);
    }
  }
  lab.findings.write("automatic", choices);
}

}  // namespace experiments
