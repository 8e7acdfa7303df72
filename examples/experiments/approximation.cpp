// Experiments on the approximation error: the optimal density, the factor 1/12, and where the
// high-rate form breaks.
#include "laboratory.hpp"

#include <algorithm>
#include <limits>

namespace experiments {
namespace {

/// The integral over the range by 2^16 midpoints, which shares nothing with the library's
/// quadrature.
double midpoint_sum(const theory::problem& f, const theory::function& integrand) {
  const int steps = 1 << 16;
  const double h = (f.hi - f.lo) / steps;
  double sum = 0.0;
  for (int i = 0; i < steps; ++i) sum += integrand(f.lo + (i + 0.5) * h);
  return sum * h;
}

/// The x at which the least-squares parabola through the points (x, log y) is least.
double lowest_point(const std::vector<double>& x, const std::vector<double>& y) {
  // With x centred and symmetric about its mean, the linear term separates from the others.
  double mean = 0.0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  double s2 = 0.0, s4 = 0.0, t0 = 0.0, t1 = 0.0, t2 = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = x[i] - mean;
    const double v = std::log(y[i]);
    s2 += u * u;
    s4 += u * u * u * u;
    t0 += v;
    t1 += u * v;
    t2 += u * u * v;
  }
  const auto n = static_cast<double>(x.size());
  const double curvature = (n * t2 - s2 * t0) / (n * s4 - s2 * s2);
  return mean - t1 / s2 / (2 * curvature);
}

/// The mean over the segments of (learned constant - c)^2 in units of its expected value v / N, as
/// a standard normal deviate: each term is close to a chi-squared number of one degree of freedom.
double deviate(const theory::cells& exact, const learned& table, const std::vector<double>& c) {
  double sum = 0.0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    const double off = table.constants[i] - c[i];
    sum += off * off * static_cast<double>(table.counts[i]) / exact.variances[i];
  }
  const auto m = static_cast<double>(c.size());
  return (sum - m) / std::sqrt(2 * m);
}

/// The error E(m) of segments with density proportional to (p b'^2)^power: the exact one, and those
/// measured on blocks of the test rows.
struct exponent_scan {
  std::vector<double> powers;
  std::vector<double> exact;
  std::vector<std::vector<double>> blocks;  // for each block of test rows, one error per power
};

exponent_scan scan_exponents(const laboratory& lab, const setting& given,
                             const theory::function& error_density, std::int64_t m) {
  const std::size_t num_blocks = 32;
  const std::int64_t rows = std::int64_t{1} << 20;
  generator random{1, given.number};
  const sample test = draw(given, rows * lab.effort, false, random);
  exponent_scan scan;
  scan.blocks.resize(num_blocks);
  for (int hundredth = 19; hundredth <= 47; hundredth += 2) {
    scan.powers.push_back(hundredth / 100.0);
    const theory::problem& f = given.problem;
    const auto edges = zcmoe::density_edges(
        [&](double x) { return std::pow(error_density(x), scan.powers.back()); }, f.lo, f.hi, m);
    const theory::cells exact = f.approximation(edges);
    scan.exact.push_back(exact.totals.error);
    const std::vector<double> errors = lab.machine.squared_errors(edges, exact.means, test);
    const std::size_t length = errors.size() / num_blocks;
    for (std::size_t b = 0; b < num_blocks; ++b) {
      double sum = 0.0;
      for (std::size_t i = b * length; i < (b + 1) * length; ++i) sum += errors[i];
      scan.blocks[b].push_back(sum / static_cast<double>(length));
    }
  }
  return scan;
}

}  // namespace

void optimal_density(const laboratory& lab) {
  const auto settings = reference_settings();
  const setting& given = setting_of(settings, "s6");
  theory::problem f = given.problem;
  const auto error_density = [&](double x) { return f.density(x) * f.slope(x) * f.slope(x); };

  // First the coefficients, and lambda* from them.
  const double uniform = f.coefficient(ZCMOE_THEORY_UNIFORM);
  const double optimal = f.coefficient(ZCMOE_THEORY_OPTIMAL);
  const double root =
      midpoint_sum(f, [&](double x) { return std::cbrt(error_density(x)); });  // O^(1/3)
  lab.findings.expect("E1.coefficient.uniform", uniform, 0, midpoint_sum(f, error_density), 1e-5,
                      {{"the optimal one", optimal}});
  lab.findings.expect("E1.coefficient.optimal", optimal, 0, root * root * root, 1e-5,
                      {{"the uniform one", uniform}});
  table curves({"x", "p", "b", "error_density", "optimal_density"});
  for (int i = 0; i <= 500; ++i) {
    const double x = i / 500.0;
    curves.add(
        {x, f.density(x), f.regression(x), error_density(x), std::cbrt(error_density(x)) / root});
  }
  lab.findings.write("density", curves);

  // Then the edges: the share of lambda* below a_i is i/m.
  const std::int64_t fine = 64;
  const auto edges = edges_of(given, ZCMOE_THEORY_OPTIMAL, fine);
  double worst = 0.0;
  double below = 0.0;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    theory::problem cell = f;
    cell.lo = edges[i];
    cell.hi = edges[i + 1];
    below += midpoint_sum(cell, [&](double x) { return std::cbrt(error_density(x)); }) / root;
    worst = std::max(worst, std::abs(below - static_cast<double>(i + 1) / fine));
  }
  lab.findings.expect("E1.boundaries", worst, 0, 0, 1e-7,
                      {{"one segment more", 1.0 / fine - 1.0 / (fine + 1)}});

  // Then the constants: noisy rows teach the conditional mean, not the value at the centre.
  f.noise = 0.25;
  generator random{1, 0};
  const sample rows = draw(given, 50000 * lab.effort, true, random);
  table cells({"segmentation", "left", "right", "constant", "learned", "count"});
  for (const auto segmentation : both_segmentations) {
    const auto cuts = edges_of(given, segmentation, 16);
    const theory::cells exact = f.approximation(cuts);
    const learned table = lab.machine.learn(cuts, rows.x, rows.targets(std::sqrt(f.noise)));
    const auto centres =
        zcmoe::optimal_constants(f.density, f.regression, cuts, ZCMOE_CONSTANT_MIDPOINT);
    lab.findings.expect(std::string("E1.constants.") + name_of(segmentation),
                        deviate(exact, table, exact.means), 1, 0, 0,
                        {{"values at the centres", deviate(exact, table, centres)}});
    for (std::size_t i = 0; i < exact.means.size(); ++i) {
      cells.add({name_of(segmentation), cuts[i], cuts[i + 1], exact.means[i], table.constants[i],
                 static_cast<double>(table.counts[i])});
    }
  }
  lab.findings.write("segments", cells);

  // Last the exponent: no power of p b'^2 other than 1/3 does as well.
  const exponent_scan scan = scan_exponents(lab, given, error_density, 256);
  const double high_rate = theory::error_of(optimal, 256);
  table exponents({"power", "exact", "measured", "standard_error"});
  std::vector<double> near;
  for (std::size_t k = 0; k < scan.powers.size(); ++k) {
    mean_of error;
    for (const auto& block : scan.blocks) error.add(block[k]);
    exponents.add({scan.powers[k], scan.exact[k] / high_rate, error.mean() / high_rate,
                   error.standard_error() / high_rate});
    if (scan.powers[k] > 0.22 && scan.powers[k] < 0.44) near.push_back(scan.powers[k]);
  }
  lab.findings.write("exponents", exponents);
  const auto first = static_cast<std::ptrdiff_t>(
      std::find(scan.powers.begin(), scan.powers.end(), near.front()) - scan.powers.begin());
  const auto lowest = [&](const std::vector<double>& errors) {
    return lowest_point(near, {errors.begin() + first,
                               errors.begin() + first + static_cast<std::ptrdiff_t>(near.size())});
  };
  mean_of found;
  for (const auto& block : scan.blocks) found.add(lowest(block));
  lab.findings.note("E1.exponent.exact", lowest(scan.exact));
  lab.findings.expect("E1.exponent", found.mean(), found.standard_error(), 1.0 / 3, 0.01,
                      {{"power 1/4", 0.25}, {"power 2/5", 0.4}});
}

void error_against_m(const laboratory& lab) {
  const std::int64_t rows = (std::int64_t{1} << 17) * lab.effort;
  table errors({"setting", "segmentation", "m", "coefficient", "high_rate", "exact", "measured",
                "standard_error"});
  for (const setting& given : reference_settings()) {
    generator random{2, given.number};
    const sample test = draw(given, rows, false, random);
    for (const auto segmentation : both_segmentations) {
      const std::string name = given.id + "." + name_of(segmentation);
      const double coefficient = given.problem.coefficient(segmentation);
      for (std::int64_t m = 4; m <= 1024; m *= 2) {
        const auto edges = edges_of(given, segmentation, m);
        const theory::cells exact = given.problem.approximation(edges);
        const mean_of measured(lab.machine.squared_errors(edges, exact.means, test));
        const double high_rate = theory::error_of(coefficient, m);
        errors.add({given.id, name_of(segmentation), static_cast<double>(m), coefficient, high_rate,
                    exact.totals.error, measured.mean(), measured.standard_error()});
        const double unit = coefficient / static_cast<double>(m * m);
        lab.findings.expect("E2.exact." + name + "." + std::to_string(m), measured.mean() / unit,
                            measured.standard_error() / unit, exact.totals.error / unit, 0);
        if (m == 1024) {
          lab.findings.expect("E2.factor." + name, measured.mean() / unit,
                              measured.standard_error() / unit, high_rate / unit, 0.0006,
                              {{"1/10", 0.1}, {"1/11", 1.0 / 11}, {"1/13", 1.0 / 13}});
        }
      }
    }
  }
  lab.findings.write("error_against_m", errors);
}

// ------------------------------------------------------------ break condition

namespace {

/// The sum of kappa over all sides of zeros. A plateau beside a zero adds the square of the mean of
/// b - b(x0) over the first segment at the zero, because the plateau decides its constant.
double zero_gap_of(const setting& given) {
  double kappa = 0.0;
  for (const zero_side& side : given.zeros) {
    const double k = side.regression_order;
    kappa += theory::zero_gap(side.density_order, k);
    if (side.plateau) {
      kappa += 12 * std::pow(2 * k + 1, 3) / (27 * k * k * (k + 1) * (k + 1));
    }
  }
  return kappa;
}

/// The estimate of m_5% from the next order or from the zeros of lambda*; NaN where there is
/// neither.
double a_priori(const setting& given, zcmoe_theory_segmentation segmentation) {
  const double coefficient = given.problem.coefficient(segmentation);
  const double kappa = segmentation == ZCMOE_THEORY_OPTIMAL ? zero_gap_of(given) : 0.0;
  double value = std::numeric_limits<double>::quiet_NaN();
  double c4 = 0.0;
  if (kappa == 0.0) {
    const zcmoe_theory_segmentation s = segmentation;
    try {
      c4 = given.problem.next_order(s);
    } catch (const zcmoe::error& e) {
      if (e.status() != ZCMOE_ERR_NUMERIC) throw;
      return value;  // the term of order m^-4 does not exist
    }
  }
  zcmoe::check(zcmoe_theory_breakdown_estimate(coefficient, c4, kappa, 0.05, &value));
  return value;
}

}  // namespace

void break_condition(const laboratory& lab) {
  const std::int64_t largest = 112;
  const std::int64_t rows = (std::int64_t{1} << 17) * lab.effort;
  table gaps({"setting", "segmentation", "m", "exact", "measured", "standard_error"});
  table breaks({"setting", "segmentation", "exact", "estimate", "measured"});
  for (const setting& given : reference_settings()) {
    generator random{5, given.number};
    const sample test = draw(given, rows, false, random);
    for (const auto segmentation : both_segmentations) {
      const std::string name = given.id + "." + name_of(segmentation);
      const double coefficient = given.problem.coefficient(segmentation);
      std::int64_t found = 1;
      double worst = 0.0;
      for (std::int64_t m = 1; m <= largest; m += m < 40 ? 1 : 3) {
        const auto edges = edges_of(given, segmentation, m);
        const theory::cells exact = given.problem.approximation(edges);
        const double unit = theory::error_of(coefficient, m);
        const mean_of error(lab.machine.squared_errors(edges, exact.means, test));
        const double measured = error.mean() / unit - 1;
        const double gap = exact.totals.error / unit - 1;
        const double deviation = error.standard_error() / unit;
        gaps.add(
            {given.id, name_of(segmentation), static_cast<double>(m), gap, measured, deviation});
        worst = std::max(worst, std::abs(measured - gap) / deviation);
        if (std::abs(measured) >= 0.05) found = m + 1;
      }
      lab.findings.expect("E5.gaps." + name, worst, 1, 0, 0.5);
      const auto exact = static_cast<double>(given.problem.breakdown(segmentation));
      const double estimate = a_priori(given, segmentation);
      breaks.add({given.id, name_of(segmentation), exact, estimate, static_cast<double>(found)});
      lab.findings.expect("E5.break." + name, static_cast<double>(found), 0, exact,
                          std::max(1.0, 0.15 * exact));
      if (!std::isnan(estimate)) {
        lab.findings.expect("E5.estimate." + name, std::log2(estimate / exact), 0, 0, 1);
      }
    }
  }
  // This shows why the estimate for the steep setting comes from its tails: its next order exists,
  // but the estimate from it is far off.
  const auto settings = reference_settings();
  setting steep = setting_of(settings, "s5");
  steep.zeros.clear();
  lab.findings.note("E5.s5.optimal.from_next_order", a_priori(steep, ZCMOE_THEORY_OPTIMAL));
  lab.findings.write("gaps", gaps);
  lab.findings.write("breaks", breaks);
}

}  // namespace experiments
