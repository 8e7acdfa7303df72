// Experiment on kinds of experts: constants, lines, values shared at the edges and interpolated
// means, at equal numbers of stored values and at equal n.
#include "laboratory.hpp"

#include <algorithm>
#include <iterator>

namespace experiments {
namespace {

struct kind {
  const char* name;
  std::int32_t experts;  // as zcmoe_theory_expert_law() counts them
  double at_ends;        // parameters beyond those of the law, in units of a segment's
};

// Interpolated means are worth 2/3 of a parameter a segment, and one more at the ends: a line that
// continues to the end of the range has the variance (1 + 2 t + 2 t^2) of a mean at the distance t
// beyond the last centre, on average over the outer half-segment one more than inside.
constexpr kind kinds[] = {{"constants", ZCMOE_EXPERTS_CONSTANT, 0.0},
                          {"lines", ZCMOE_EXPERTS_LINEAR, 0.0},
                          {"shared values", ZCMOE_EXPERTS_INTERPOLATE, 1.0},
                          {"interpolated means", ZCMOE_THEORY_INTERPOLATED_MEANS, 1.5}};

bool interpolates_means(const kind& k) { return k.experts == ZCMOE_THEORY_INTERPOLATED_MEANS; }

zcmoe_model_options options_of(const kind& k) {
  zcmoe_model_options options = zcmoe::model_options();
  options.experts = interpolates_means(k) ? ZCMOE_EXPERTS_CONSTANT : k.experts;
  return options;
}

zcmoe::model read_as(const kind& k, zcmoe::model learned) {
  return interpolates_means(k) ? learned.interpolated() : std::move(learned);
}

/// Inputs in the middle of equal parts of each segment, and what each stands for: integrals over p.
struct grid {
  sample rows;
  std::vector<double> weights;

  grid(const theory::problem& f, const std::vector<double>& edges, std::int64_t parts) {
    for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
      const double part = (edges[i + 1] - edges[i]) / static_cast<double>(parts);
      for (std::int64_t k = 0; k < parts; ++k) {
        const double x = edges[i] + (static_cast<double>(k) + 0.5) * part;
        rows.x.push_back(x);
        rows.b.push_back(f.regression(x));
        weights.push_back(f.density(x) * part);
      }
    }
  }
  /// The integral of p (prediction - b)^2.
  double error_of(const zcmoe::model& model) const {
    const std::vector<double> errors = squared_errors(model, rows);
    double sum = 0.0;
    double weight = 0.0;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      sum += weights[i] * errors[i];
      weight += weights[i];
    }
    return sum / weight;
  }
};

/// The model of rows without noise, which is the best one of its kind for the density, and its
/// error.
struct noiseless {
  zcmoe::model model;
  double error;
};

noiseless without_noise(const engine& machine, const theory::problem& f,
                        const std::vector<double>& edges, const kind& k) {
  const std::int64_t parts = (std::int64_t{1} << 16) / static_cast<std::int64_t>(edges.size() - 1);
  const grid known(f, edges, parts);
  zcmoe_fit_options options = zcmoe::fit_options();
  options.weighted = 1;
  zcmoe::fit fit(machine.context(), edges, options_of(k), options);
  fit.add_sync(known.rows.x, known.rows.b, known.weights);
  zcmoe::model model = read_as(k, fit.finish());
  // It is asked elsewhere than where it learned.
  const double error = grid(f, edges, parts / 2 + 1).error_of(model);
  return {std::move(model), error};
}

/// The edges with the least error of a kind of experts at high rate.
std::vector<double> edges_for(const theory::problem& f, const kind& k,
                              zcmoe_theory_segmentation segmentation, std::int64_t m) {
  if (segmentation == ZCMOE_THEORY_UNIFORM) return zcmoe::uniform_edges(f.lo, f.hi, m);
  if (k.experts == ZCMOE_EXPERTS_CONSTANT) {
    return zcmoe::optimal_edges(f.density, f.slope, f.lo, f.hi, m);
  }
  const auto density = [&](double x) {
    const double p = f.density(x);
    const double bend = f.curvature(x);
    double cost = bend * bend;
    if (interpolates_means(k)) {
      const double off = bend / 24 + f.density_slope(x) * f.slope(x) / (12 * p);
      cost = cost / 120 + bend * off / 6 + off * off;
    }
    return std::pow(p * cost, 0.2);
  };
  return zcmoe::density_edges(density, f.lo, f.hi, m);
}

std::string figure_name(const char* what, const setting& given, const kind& k) {
  std::string name = std::string("E9.") + what + "." + given.id + "." + k.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// ------------------------------------------------------ without noise

/// The error against m of one kind on one segmentation, exact and measured on test rows.
void error_of_kind(const laboratory& lab, const setting& given, const sample& test, const kind& k,
                   zcmoe_theory_segmentation segmentation, table& errors) {
  const theory::problem& f = given.problem;
  const zcmoe_theory_law law = f.expert_law(k.experts, segmentation);
  const std::string name = std::string(".") + name_of(segmentation);
  for (std::int64_t m = 4; m <= 128; m *= 2) {
    const noiseless best = without_noise(lab.machine, f, edges_for(f, k, segmentation, m), k);
    const auto segments = static_cast<double>(m);
    const double high_rate = law.approximation / std::pow(segments, law.order);
    const mean_of measured(squared_errors(best.model, test));
    errors.add({given.id, k.name, name_of(segmentation), segments, law.values * segments, high_rate,
                best.error, measured.mean(), measured.standard_error()});
    lab.findings.expect(figure_name("exact", given, k) + name + ".m" + std::to_string(m),
                        measured.mean() / best.error, measured.standard_error() / best.error, 1,
                        0.002);
    if (m == 128) {
      lab.findings.expect(figure_name("factor", given, k) + name, best.error / high_rate, 0, 1,
                          0.005,
                          {{"1/11 for 1/12", 12.0 / 11}, {"48/2880 for 49/2880", 48.0 / 49}});
    }
  }
}

/// Where a kind of experts begins to be better than constants at equal numbers of stored values:
/// what errors far beyond say of it, and where it is in fact.
void break_even_of(const laboratory& lab, const setting& given, const kind& k, table& evens) {
  const theory::problem& f = given.problem;
  const zcmoe_theory_law law = f.expert_law(k.experts, ZCMOE_THEORY_UNIFORM);
  const zcmoe_theory_law constants = f.expert_law(ZCMOE_EXPERTS_CONSTANT, ZCMOE_THEORY_UNIFORM);
  const double expected = theory::break_even(law, constants);
  const auto ratio_at = [&](std::int64_t values) {
    const auto error = [&](const kind& which, double per_segment) {
      const std::int64_t m = std::lround(static_cast<double>(values) / per_segment);
      return without_noise(lab.machine, f, zcmoe::uniform_edges(f.lo, f.hi, m), which).error;
    };
    return error(k, law.values) / error(kinds[0], 1);
  };
  const double found = 128 * std::sqrt(ratio_at(128));
  std::int64_t crossing = 2;
  for (std::int64_t values = 2; values <= 12; values += 2) {
    if (ratio_at(values) > 1 - 1e-6) crossing = values + 2;
  }
  evens.add({given.id, k.name, expected, found, static_cast<double>(crossing)});
  std::vector<rival> rivals = {{"that of an error twice as large", std::sqrt(2.0)}};
  if (law.values != 1) rivals.push_back({"that of equal segments", 1 / (law.values * law.values)});
  lab.findings.expect(figure_name("break_even", given, k), found / expected, 0, 1, 0.005, rivals);
  if (expected >= 2) {
    lab.findings.expect(figure_name("crossing", given, k),
                        std::log2(static_cast<double>(crossing) / expected), 0, 0, 1);
  }
}

/// A jump of height 1: the errors of order 1/m when it lies on an edge (of an even number of
/// segments) and in the middle of a segment. A step is projected on splines whose scalar products
/// are 2/3 and 1/6, whose inverse has the entries sqrt(3) (sqrt(3) - 2)^|i - j|.
struct at_a_jump {
  double on_edge, in_middle;
};

double spline_error_at_jump(double place) {
  const double rest = 1 - place;
  const double left = rest * rest / 2 - 1.0 / 6;
  const double right = (1 - place * place) / 2 - 1.0 / 3;
  const double root = std::sqrt(3.0);
  return (place * place * place + rest * rest * rest) / 3 -
         root * (left * left + right * right + 2 * (root - 2) * left * right);
}

at_a_jump error_at_jump(const kind& k) {
  switch (k.experts) {
    case ZCMOE_EXPERTS_CONSTANT: return {0.0, 1.0 / 4};
    case ZCMOE_EXPERTS_LINEAR: return {0.0, 1.0 / 16};
    case ZCMOE_EXPERTS_INTERPOLATE: return {spline_error_at_jump(0.0), spline_error_at_jump(0.5)};
    default: return {1.0 / 12, 1.0 / 6};
  }
}

/// The errors of a step of height 1 at 1/2, and nothing else.
void errors_at_jump(const laboratory& lab, setting given, table& jumps) {
  given.problem.regression = [](double x) { return x < 0.5 ? 0.0 : 1.0; };
  for (const kind& k : kinds) {
    for (const std::int64_t m : {128, 127}) {
      const double expected = m % 2 == 0 ? error_at_jump(k).on_edge : error_at_jump(k).in_middle;
      const auto segments = static_cast<double>(m);
      const auto edges = zcmoe::uniform_edges(0, 1, m);
      const double found = segments * without_noise(lab.machine, given.problem, edges, k).error;
      jumps.add({k.name, segments, found, expected});
      lab.findings.expect(figure_name("jump", given, k) + ".m" + std::to_string(m), found, 0,
                          expected, 0.001);
    }
  }
}

// ---------------------------------------------------------------- equal n

/// The law of a kind of experts on uniform segments, of even number. A jump on an edge is of order
/// 1/m for the kinds that cannot follow it.
zcmoe_theory_law law_of(const setting& given, const theory::problem& f, const kind& k) {
  zcmoe_theory_law law = f.expert_law(k.experts, ZCMOE_THEORY_UNIFORM);
  const double jump = given.problem.breaks.empty() ? 0.0 : error_at_jump(k).on_edge;
  if (jump > 0) {
    law.approximation = jump;
    law.order = 1;
  }
  return law;
}

/// Even numbers of segments about the best one.
std::vector<std::int64_t> numbers_about(double best) {
  std::vector<std::int64_t> all;
  for (const double share : {0.5, 0.7, 1.0, 1.4, 2.0}) {
    const std::int64_t m = std::max<std::int64_t>(4, 2 * std::lround(0.5 * share * best));
    if (all.empty() || m > all.back()) all.push_back(m);
  }
  return all;
}

constexpr std::int64_t sample_sizes[] = {1000, 10000, 100000};

/// The best number of segments and the excess risk there, and the parameters a segment, from the
/// law fitted to measured risks.
struct fitted_best {
  mean_of num_segments, excess, parameters;
};

/// A number of segments to be tried: the terms of its law, and the excess risk that theory expects.
struct candidate {
  std::int64_t num_segments;
  std::vector<double> edges;
  double u, v, expected;
};

candidate candidate_of(const laboratory& lab, const theory::problem& f, const kind& k,
                       const zcmoe_theory_law& law, std::int64_t m, double n) {
  candidate c{m, zcmoe::uniform_edges(f.lo, f.hi, m), 0.0, 0.0, 0.0};
  const auto segments = static_cast<double>(m);
  c.u = std::pow(segments, -law.order);
  c.v = (segments + k.at_ends) / n;
  // Means are learned from targets that vary with b too: with v_i, of which sigma^2 is a part.
  double spread = 1.0;
  if (options_of(k).experts == ZCMOE_EXPERTS_CONSTANT) {
    const theory::cells cells = f.approximation(c.edges);
    const auto rows = static_cast<std::int64_t>(n);
    spread = theory::estimation(rows, c.edges, cells).error * n / (segments * f.noise);
  }
  c.expected = without_noise(lab.machine, f, c.edges, k).error + law.estimation * spread * c.v;
  return c;
}

fitted_best best_of_kind(const laboratory& lab, const setting& given, const theory::problem& f,
                         const kind& k, std::int64_t n, table& risks) {
  const zcmoe_theory_law law = law_of(given, f, k);
  const auto rows = static_cast<double>(n);
  std::vector<candidate> tried;
  std::vector<double> u, v, expected;
  for (const std::int64_t m : numbers_about(theory::optimum(law, rows).num_segments)) {
    tried.push_back(candidate_of(lab, f, k, law, m, rows));
    u.push_back(tried.back().u);
    v.push_back(tried.back().v);
    expected.push_back(tried.back().expected);
  }
  const grid whole(f, zcmoe::uniform_edges(f.lo, f.hi, 2), 1 << 12);
  std::vector<mean_of> excess(tried.size());
  fitted_best best;
  const std::int64_t repetitions = std::clamp<std::int64_t>(100000 / n, 16, 100) * lab.effort;
  for (std::int64_t r = 0; r < repetitions; ++r) {
    generator random{90, given.number, static_cast<std::uint32_t>(n),
                     static_cast<std::uint32_t>(r)};
    const sample sampled = draw(given, n, true, random);
    const std::vector<double> y = sampled.targets(given.sigma);
    std::vector<double> once;
    for (std::size_t i = 0; i < tried.size(); ++i) {
      once.push_back(
          whole.error_of(read_as(k, lab.machine.fit(tried[i].edges, sampled.x, y, options_of(k)))));
      excess[i].add(once.back());
    }
    const power_law fitted = fit_power_law(u, v, once, expected);
    zcmoe_theory_law own = law;
    own.approximation = std::max(fitted.approximation, 0.0);
    own.estimation = fitted.variance;
    const auto optimum = theory::optimum(own, rows);
    best.num_segments.add(optimum.num_segments);
    best.parameters.add(own.estimation / f.noise);
    best.excess.add(optimum.excess + own.estimation * k.at_ends / rows);
  }
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const std::string at = ".n" + std::to_string(n) + ".m" + std::to_string(tried[i].num_segments);
    risks.add({given.id, k.name, rows, static_cast<double>(tried[i].num_segments), expected[i],
               excess[i].mean(), excess[i].standard_error()});
    lab.findings.expect(figure_name("risk", given, k) + at, excess[i].mean() / expected[i],
                        excess[i].standard_error() / expected[i], 1, 0.1);
  }
  return best;
}

/// The best m of one kind and the excess risk there over two decades of n.
std::vector<fitted_best> best_over_n(const laboratory& lab, const setting& given, const kind& k,
                                     table& risks, table& bests) {
  theory::problem f = given.problem;
  f.noise = given.sigma * given.sigma;
  const zcmoe_theory_law law = law_of(given, f, k);
  const zcmoe_theory_law constants = law_of(given, f, kinds[0]);
  std::vector<fitted_best> found;
  for (const std::int64_t n : sample_sizes) {
    const auto rows = static_cast<double>(n);
    found.push_back(best_of_kind(lab, given, f, k, n, risks));
    const auto expected = theory::optimum(law, rows);
    const mean_of& m = found.back().num_segments;
    const mean_of& excess = found.back().excess;
    bests.add({given.id, k.name, rows, expected.num_segments, m.mean(), m.standard_error(),
               expected.excess, excess.mean(), excess.standard_error()});
    const double others = theory::optimum(constants, rows).num_segments / expected.num_segments;
    std::vector<rival> rivals;
    if (std::abs(others - 1) > 0.5) rivals.push_back({"the best m of constants", others});
    lab.findings.expect(figure_name("number", given, k) + ".n" + std::to_string(n),
                        m.mean() / expected.num_segments,
                        m.standard_error() / expected.num_segments, 1, 0.1, rivals);
  }
  const mean_of& parameters = found.back().parameters;
  const double expected_parameters = law.estimation / f.noise;
  lab.findings.expect(
      figure_name("parameters", given, k), parameters.mean(), parameters.standard_error(),
      expected_parameters, 0.05,
      {{"one more", expected_parameters + 1}, {"a third less", expected_parameters * 2 / 3}});
  const mean_of& few = found.front().num_segments;
  const mean_of& many = found.back().num_segments;
  std::vector<rival> rivals;
  for (const double order : {1.0, 2.0, 4.0}) {
    if (order != law.order) rivals.push_back({"another order", 1 / (order + 1)});
  }
  const double span = std::log(100.0);
  lab.findings.expect(
      figure_name("slope", given, k), std::log(many.mean() / few.mean()) / span,
      std::hypot(many.standard_error() / many.mean(), few.standard_error() / few.mean()) / span,
      1 / (law.order + 1), 0.02, rivals);
  return found;
}

/// Shared values against lines, each with its own best m: 2^(-4/5) where b is smooth, a loss where
/// it jumps.
void shared_against_lines(const laboratory& lab, const setting& given,
                          const std::vector<fitted_best>& shared,
                          const std::vector<fitted_best>& lines) {
  theory::problem f = given.problem;
  f.noise = given.sigma * given.sigma;
  for (std::size_t i = 0; i < std::size(sample_sizes); ++i) {
    const auto expected_of = [&](const kind& k) {
      return theory::optimum(law_of(given, f, k), static_cast<double>(sample_sizes[i])).excess;
    };
    const double expected = expected_of(kinds[2]) / expected_of(kinds[1]);
    const mean_of& a = shared[i].excess;
    const mean_of& b = lines[i].excess;
    const double found = a.mean() / b.mean();
    const double deviation =
        found * std::hypot(a.standard_error() / a.mean(), b.standard_error() / b.mean());
    lab.findings.expect("E9.shared_over_lines." + given.id + ".n" + std::to_string(sample_sizes[i]),
                        found, deviation, expected, 0.15 * expected, {{"no difference", 1}});
  }
}

}  // namespace

void kinds_of_experts(const laboratory& lab) {
  const auto references = reference_settings();
  const auto others = expert_settings();
  const setting& sine = setting_of(references, "s3");
  const setting& bent = setting_of(others, "e1");
  const setting& step = setting_of(others, "e2");

  table errors({"setting", "experts", "segmentation", "m", "values", "high_rate", "exact",
                "measured", "standard_error"});
  table evens({"setting", "experts", "law", "far", "crossing"});
  for (const setting* const given : {&sine, &bent}) {
    generator random{9, given->number};
    const sample test = draw(*given, (std::int64_t{1} << 16) * lab.effort, false, random);
    for (const kind& k : kinds) {
      error_of_kind(lab, *given, test, k, ZCMOE_THEORY_UNIFORM, errors);
      // Zeros of b'' make optimal segments of the sine reach their law slowly, as in E5.
      if (given == &bent) error_of_kind(lab, *given, test, k, ZCMOE_THEORY_OPTIMAL, errors);
      if (k.experts != ZCMOE_EXPERTS_CONSTANT) break_even_of(lab, *given, k, evens);
    }
  }
  table jumps({"experts", "m", "exact", "law"});
  errors_at_jump(lab, step, jumps);
  table risks({"setting", "experts", "n", "m", "predicted", "measured", "standard_error"});
  table bests({"setting", "experts", "n", "predicted", "measured", "standard_error",
               "predicted_excess", "excess", "excess_error"});
  for (const setting* const given : {&sine, &bent, &step}) {
    std::vector<std::vector<fitted_best>> found;
    for (const kind& k : kinds) found.push_back(best_over_n(lab, *given, k, risks, bests));
    shared_against_lines(lab, *given, found[2], found[1]);
  }
  lab.findings.write("kinds_errors", errors);
  lab.findings.write("break_even", evens);
  lab.findings.write("kinds_at_jump", jumps);
  lab.findings.write("kinds_risk", risks);
  lab.findings.write("kinds_best", bests);
}

}  // namespace experiments
