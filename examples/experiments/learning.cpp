// Experiments on learned constants: the risk as a function of m, which is U-shaped, with the best
// number of segments, and the estimation error.
#include "laboratory.hpp"

#include <algorithm>

namespace experiments {
namespace {

// ------------------------------------------------------------------- U-shape

/// The number of segments with the least exact risk, and that risk, among all within a factor of
/// 1.5 of `near`.
zcmoe_theory_risk_point exact_best(const theory::problem& f, zcmoe_theory_segmentation segmentation,
                                   std::int64_t n, double near) {
  std::vector<std::int64_t> candidates;
  const auto last = static_cast<std::int64_t>(near * 1.5) + 1;
  for (auto m = static_cast<std::int64_t>(near / 1.5); m <= last; ++m) {
    if (m >= 1) candidates.push_back(m);
  }
  const auto points = f.risk_curve(segmentation, n, candidates);
  return *std::min_element(points.begin(), points.end(),
                           [](const auto& p, const auto& q) { return p.risk < q.risk; });
}

struct trial {
  std::int64_t n;
  double sigma;
};

}  // namespace

void best_number(const laboratory& lab) {
  const auto settings = reference_settings();
  setting given = setting_of(settings, "s6");
  const std::vector<std::int64_t> grid = {8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512};
  table curve({"segmentation", "n", "sigma", "m", "exact", "approximation", "estimation",
               "measured", "standard_error"});
  table best({"segmentation", "n", "sigma", "predicted", "exact", "measured", "standard_error",
              "ratio_at_predicted"});
  for (const auto segmentation : both_segmentations) {
    const double coefficient = given.problem.coefficient(segmentation);
    for (const trial t : {trial{1000, 0.3}, trial{10000, 0.3}, trial{100000, 0.3},
                          trial{10000, 0.1}, trial{10000, 1.0}}) {
      theory::problem f = given.problem;
      f.noise = t.sigma * t.sigma;
      const auto n = static_cast<double>(t.n);
      char name[64];
      std::snprintf(name, sizeof name, "%s.n%lld.sigma%g", name_of(segmentation),
                    static_cast<long long>(t.n), t.sigma);
      const theory::segments_and_excess predicted = theory::optimum(coefficient / 12, f.noise, n);

      // Every m of the grid is learned from the same samples.
      std::vector<std::int64_t> sizes;
      std::vector<std::vector<double>> edges;
      std::vector<theory::cells> exact;
      for (const std::int64_t m : grid) {
        if (m * 2 > t.n) continue;
        sizes.push_back(m);
        edges.push_back(edges_of(given, segmentation, m));
        exact.push_back(f.approximation(edges.back()));
      }
      const auto points = f.risk_curve(segmentation, t.n, sizes);
      std::vector<mean_of> excess(sizes.size());
      // The power law is fitted where segments are small enough and have enough rows.
      std::vector<std::size_t> lawful;
      for (std::size_t k = 0; k < sizes.size(); ++k) {
        if (sizes[k] >= 16 && sizes[k] * 10 <= t.n) lawful.push_back(k);
      }
      const auto law_of = [&](const auto& excess_at) {
        std::vector<double> u, v, value, scale;
        for (const std::size_t k : lawful) {
          const auto m = static_cast<double>(sizes[k]);
          u.push_back(1 / (m * m));
          v.push_back(m / n);
          value.push_back(excess_at(k));
          scale.push_back(points[k].approximation + points[k].estimation);
        }
        return fit_power_law(u, v, value, scale);
      };
      mean_of approximation, variance, number;
      const std::int64_t repetitions = std::clamp<std::int64_t>(400000 / t.n, 32, 400) * lab.effort;
      for (std::int64_t r = 0; r < repetitions; ++r) {
        generator random{3, static_cast<std::uint32_t>(t.n),
                         static_cast<std::uint32_t>(std::lround(10 * t.sigma)),
                         static_cast<std::uint32_t>(r)};
        const sample rows = draw(given, t.n, true, random);
        const std::vector<double> y = rows.targets(t.sigma);
        std::vector<double> once;
        for (std::size_t k = 0; k < sizes.size(); ++k) {
          once.push_back(excess_of(exact[k], lab.machine.learn(edges[k], rows.x, y).constants));
          excess[k].add(once.back());
        }
        const power_law law = law_of([&](std::size_t k) { return once[k]; });
        approximation.add(law.approximation);
        variance.add(law.variance);
        number.add(std::cbrt(2 * law.approximation * n / law.variance));
      }
      for (std::size_t k = 0; k < sizes.size(); ++k) {
        curve.add({name_of(segmentation), n, t.sigma, static_cast<double>(sizes[k]),
                   points[k].approximation + points[k].estimation, points[k].approximation,
                   points[k].estimation, excess[k].mean(), excess[k].standard_error()});
        const double exact_excess = points[k].approximation + points[k].estimation;
        lab.findings.expect("E3.risk." + std::string(name) + ".m" + std::to_string(sizes[k]),
                            excess[k].mean() / exact_excess,
                            excess[k].standard_error() / exact_excess, 1, 0);
      }

      const auto least = exact_best(f, segmentation, t.n, predicted.num_segments);
      const auto at_predicted = f.risk_curve(
          segmentation, t.n, {std::max<std::int64_t>(1, std::lround(predicted.num_segments))})[0];
      const double ratio = (at_predicted.risk - at_predicted.noise) / (least.risk - least.noise);
      best.add({name_of(segmentation), n, t.sigma, predicted.num_segments,
                static_cast<double>(least.num_segments), number.mean(), number.standard_error(),
                ratio});
      const power_law expected =
          law_of([&](std::size_t k) { return points[k].approximation + points[k].estimation; });
      const auto expect = [&](const char* what, const mean_of& found, double unit, double right,
                              double slack, const std::vector<rival>& rivals) {
        lab.findings.expect(std::string("E3.") + what + "." + name, found.mean() / unit,
                            found.standard_error() / unit, right / unit, slack, rivals);
      };
      expect("A", approximation, coefficient / 12, expected.approximation, 0.005,
             {{"1/10 for 1/12", 1.2}});
      expect("B", variance, f.noise, expected.variance, 0.005, {});
      expect("m", number, predicted.num_segments,
             std::cbrt(2 * expected.approximation * n / expected.variance), 0.005, {});
      // Uniform segments reach the high-rate form at so small an m that the formula itself can be
      // tested.
      if (segmentation == ZCMOE_THEORY_UNIFORM) {
        expect("formula", number, predicted.num_segments, predicted.num_segments, 0.02,
               {{"1/10 for 1/12", std::cbrt(1.2)}});
      }
      lab.findings.expect("E3.excess." + std::string(name), ratio, 0, 1, 0.02);
    }
  }
  lab.findings.write("risk", curve);
  lab.findings.write("best_number", best);
}

// ---------------------------------------------------------- estimation error

namespace {

struct policy {
  const char* name;
  zcmoe_model_options options;
};

std::vector<policy> policies() {
  std::vector<policy> all;
  const auto add = [&](const char* name, std::int32_t empty, double shrinkage) {
    zcmoe_model_options options = zcmoe::model_options();
    options.empty_policy = empty;
    options.shrinkage = shrinkage;
    all.push_back({name, options});
  };
  add("nearest", ZCMOE_EMPTY_NEAREST, 0);
  add("global mean", ZCMOE_EMPTY_GLOBAL_MEAN, 0);
  add("value 0", ZCMOE_EMPTY_VALUE, 0);
  add("parent", ZCMOE_EMPTY_PARENT, 0);
  add("shrinkage 1", ZCMOE_EMPTY_GLOBAL_MEAN, 1);
  return all;
}

/// The mean over the segments of squared t-statistics, as a standard normal deviate. Segments that
/// had rows in fewer than 50 repetitions are left out.
double deviate(const std::vector<mean_of>& off, const std::vector<mean_of>& with_rows) {
  double sum = 0.0;
  double count = 0.0;
  for (std::size_t i = 0; i < off.size(); ++i) {
    if (with_rows[i].count() < 50) continue;
    const double t = off[i].mean() / off[i].standard_error();
    sum += t * t;
    ++count;
  }
  return (sum - count) / std::sqrt(2 * count);
}

/// Tests the law m / n with noise alone on segments of equal probability, and that it is clearly
/// not (m + 1) / n.
void law_of_few(const laboratory& lab) {
  const std::int64_t m = 8;
  setting given = reference_settings().front();
  given.problem.regression = [](double) { return 0.0; };
  given.problem.noise = 1.0;
  const auto edges = zcmoe::uniform_edges(0, 1, m);
  const theory::cells exact = given.problem.approximation(edges);
  for (const std::int64_t n : {80, 800}) {
    mean_of error;
    for (std::int64_t r = 0; r < 2000 * lab.effort; ++r) {
      generator random{40, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(r)};
      const sample rows = draw(given, n, true, random);
      error.add(excess_of(exact, lab.machine.learn(edges, rows.x, rows.noise).constants));
    }
    const auto rows = static_cast<double>(n);
    const double expected = theory::estimation(n, edges, exact).error;
    lab.findings.expect(
        "E4.law.n" + std::to_string(n), error.mean() * rows, error.standard_error() * rows,
        expected * rows, 0,
        {{"(m + 1) / n", expected * rows * 9 / 8}, {"(m - 1) / n", expected * rows * 7 / 8}});
  }
}

}  // namespace

void estimation_error(const laboratory& lab) {
  law_of_few(lab);

  const std::int64_t m = 32;
  const auto settings = reference_settings();
  const setting& given = setting_of(settings, "s4");
  theory::problem f = given.problem;
  const double sigma = 0.5;
  f.noise = sigma * sigma;
  const auto edges = edges_of(given, ZCMOE_THEORY_UNIFORM, m);
  const theory::cells exact = f.approximation(edges);
  const auto kinds = policies();

  table errors({"policy", "n", "exact", "variance", "fallback", "leading", "empty_share",
                "measured", "standard_error"});
  std::vector<mean_of> last;
  for (const std::int64_t n : {4, 10, 25, 63, 160, 400, 1000, 2500, 6300, 16000, 40000}) {
    std::vector<mean_of> error(kinds.size());
    std::vector<mean_of> given_rows(static_cast<std::size_t>(m));  // learned - c_i, N_i > 0
    std::vector<mean_of> with_zeros(static_cast<std::size_t>(m));  // learned - its mean, "value 0"
    const std::int64_t repetitions = std::clamp<std::int64_t>(2000000 / n, 50, 2000) * lab.effort;
    for (std::int64_t r = 0; r < repetitions; ++r) {
      generator random{4, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(r)};
      const sample rows = draw(given, n, true, random);
      const std::vector<double> y = rows.targets(sigma);
      for (std::size_t k = 0; k < kinds.size(); ++k) {
        const learned table = lab.machine.learn(edges, rows.x, y, kinds[k].options);
        error[k].add(excess_of(exact, table.constants) - exact.totals.error);
        for (std::size_t i = 0; i < table.counts.size(); ++i) {
          const double c = exact.means[i];
          if (k == 0 && table.counts[i] > 0) given_rows[i].add(table.constants[i] - c);
          if (kinds[k].options.empty_policy == ZCMOE_EMPTY_VALUE) {
            const double seen =
                -std::expm1(static_cast<double>(n) * std::log1p(-exact.probabilities[i]));
            with_zeros[i].add(table.constants[i] - seen * c);
          }
        }
      }
    }
    const std::string at = ".n" + std::to_string(n);
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      const auto expected = theory::estimation(n, edges, exact, kinds[k].options);
      errors.add({kinds[k].name, static_cast<double>(n), expected.error, expected.variance,
                  expected.fallback, expected.leading, expected.empty_share, error[k].mean(),
                  error[k].standard_error()});
      std::vector<rival> rivals;
      if (n <= 10) rivals.push_back({"the law m / n", expected.leading / expected.error});
      std::string name = kinds[k].name;
      std::replace(name.begin(), name.end(), ' ', '_');
      lab.findings.expect("E4.exact." + name + at, error[k].mean() / expected.error,
                          error[k].standard_error() / expected.error, 1, 0, rivals);
    }
    lab.findings.expect("E4.unbiased" + at, deviate(given_rows, given_rows), 1, 0, 0);
    lab.findings.expect("E4.biased_to_0" + at, deviate(with_zeros, given_rows), 1, 0, 0);
    if (n > 4000) last.push_back(error.front());
  }
  lab.findings.write("estimation", errors);
  const double span = std::log(40000 / 6300.0);
  const mean_of& few = last.front();
  const mean_of& many = last.back();
  lab.findings.expect(
      "E4.consistent", std::log(many.mean() / few.mean()) / span,
      std::hypot(many.standard_error() / many.mean(), few.standard_error() / few.mean()) / span, -1,
      0.01, {{"1 / sqrt(n)", -0.5}});
}

}  // namespace experiments
