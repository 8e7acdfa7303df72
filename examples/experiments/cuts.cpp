// Experiment on learned cuts: what a table whose cuts come from the rows loses against the best
// partition of the known relation, at equal numbers of segments.
#include "laboratory.hpp"

#include <algorithm>
#include <numeric>

namespace experiments {
namespace {

/// The best partitions of a sequence of items into 1, 2, ..., `most` intervals: those that explain
/// most, sum over the intervals of (sum of totals)^2 / (sum of shares). It shares nothing with the
/// library's own. Cost: O(K^2 most) for K items.
class best_partitions {
 public:
  best_partitions(const std::vector<double>& shares, const std::vector<double>& totals,
                  std::int64_t most)
      : share_(sums_of(shares)), total_(sums_of(totals)) {
    const std::size_t end = share_.size();
    std::vector<double> last(end, -INFINITY);
    last[0] = 0.0;
    for (std::int64_t m = 1; m <= most; ++m) {
      std::vector<double> next(end, -INFINITY);
      std::vector<std::size_t> from(end, 0);
      for (auto j = static_cast<std::size_t>(m); j < end; ++j) {
        for (auto i = static_cast<std::size_t>(m - 1); i < j; ++i) {
          const double explained = last[i] + gain(i, j);
          if (explained > next[j]) {
            next[j] = explained;
            from[j] = i;
          }
        }
      }
      last = std::move(next);
      explained_.push_back(last.back());
      from_.push_back(std::move(from));
    }
  }

  double explained(std::int64_t m) const { return explained_[static_cast<std::size_t>(m) - 1]; }
  /// The first item of each of m intervals, and the number of items.
  std::vector<std::size_t> cuts(std::int64_t m) const {
    std::vector<std::size_t> all = {share_.size() - 1};
    for (auto k = static_cast<std::size_t>(m); k > 0; --k) {
      all.push_back(from_[k - 1][all.back()]);
    }
    std::reverse(all.begin(), all.end());
    return all;
  }
  /// What the interval from item i up to j, not included, has as its mean.
  double mean(std::size_t i, std::size_t j) const {
    return (total_[j] - total_[i]) / (share_[j] - share_[i]);
  }

 private:
  static std::vector<double> sums_of(const std::vector<double>& values) {
    std::vector<double> sums(values.size() + 1, 0.0);
    std::partial_sum(values.begin(), values.end(), sums.begin() + 1);
    return sums;
  }
  double gain(std::size_t i, std::size_t j) const {
    const double total = total_[j] - total_[i];
    return total * total / (share_[j] - share_[i]);
  }

  std::vector<double> share_, total_;  // sums over the items before
  std::vector<double> explained_;
  std::vector<std::vector<std::size_t>> from_;  // [m - 1][j]: where the last of m intervals starts
};

/// The best partition of the known relation, with cuts among the edges of 1,024 segments of equal
/// mass and the breaks that are among these.
class known_cuts {
 public:
  known_cuts(const theory::problem& f, std::int64_t most)
      : problem_(f),
        grid_(zcmoe::density_edges(f.density, f.lo, f.hi, 1024)),
        cells_(f.approximation(grid_)),
        partitions_(cells_.probabilities, totals_of(cells_), most) {}

  /// The number of segments with the least sum of approximation error and sigma^2 m / n.
  std::int64_t best_number(double n, std::int64_t most) const {
    std::int64_t best = 1;
    const auto cost = [&](std::int64_t m) {
      return problem_.noise * static_cast<double>(m) / n - partitions_.explained(m);
    };
    for (std::int64_t m = 2; m <= most; ++m) {
      if (cost(m) < cost(best) - 1e-12) best = m;
    }
    return best;
  }
  std::vector<double> edges(std::int64_t m) const {
    std::vector<double> chosen;
    for (const std::size_t cut : partitions_.cuts(m)) chosen.push_back(grid_[cut]);
    return chosen;
  }

 private:
  static std::vector<double> totals_of(const theory::cells& cells) {
    std::vector<double> totals(cells.means);
    for (std::size_t i = 0; i < totals.size(); ++i) totals[i] *= cells.probabilities[i];
    return totals;
  }

  theory::problem problem_;
  std::vector<double> grid_;
  theory::cells cells_;
  best_partitions partitions_;
};

/// The best partition of noisy rows, with cuts among `num_places` bins of equally many rows.
struct raw_cuts {
  std::vector<double> lower;  // the least input of each bin
  best_partitions partitions;

  std::vector<double> edges(const theory::problem& f, std::int64_t m) const {
    std::vector<double> chosen;
    for (const std::size_t cut : partitions.cuts(m)) {
      chosen.push_back(cut < lower.size() ? lower[cut] : f.hi);
    }
    chosen.front() = f.lo;
    return chosen;
  }
};

raw_cuts cuts_of_rows(const std::vector<double>& x, const std::vector<double>& y,
                      std::size_t num_places, std::int64_t most) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return x[i] < x[j]; });
  std::vector<double> lower, counts, totals;
  for (std::size_t k = 0; k < num_places; ++k) {
    const std::size_t begin = k * x.size() / num_places;
    const std::size_t end = (k + 1) * x.size() / num_places;
    lower.push_back(x[order[begin]]);
    counts.push_back(static_cast<double>(end - begin));
    totals.push_back(0.0);
    for (std::size_t i = begin; i < end; ++i) totals.back() += y[order[i]];
  }
  return {std::move(lower), best_partitions(counts, totals, most)};
}

// -------------------------------------------------------------- noise alone

/// On noise alone the best partition of the raw rows finds what is not there, and pays for it as
/// theory says. Cuts that a pilot places do not.
void price_on_noise(const laboratory& lab, table& prices) {
  const std::int64_t n = 1000;
  const std::int64_t places = 500;
  setting given = setting_of(reference_settings(), "s1");
  given.problem.regression = [](double) { return 0.0; };
  const std::vector<std::int64_t> numbers = {10, 20, 50};
  std::vector<mean_of> raw(numbers.size()), pilot(numbers.size());
  for (std::int64_t r = 0; r < std::int64_t{6} * lab.effort; ++r) {
    generator random{80, static_cast<std::uint32_t>(r)};
    const sample rows = draw(given, n, true, random);
    const raw_cuts cuts = cuts_of_rows(rows.x, rows.noise, places, numbers.back());
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const double law = static_cast<double>(numbers[k]) / static_cast<double>(n);
      raw[k].add(cuts.partitions.explained(numbers[k]) / static_cast<double>(n) / law);
      pilot[k].add(
          excess_on_learned_cuts(lab.machine, given.problem,
                                 zcmoe::optimal_edges_from_data(rows.x, rows.noise, numbers[k]),
                                 rows.x, rows.noise) /
          law);
    }
  }
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const double price = theory::learned_cuts(numbers[k], places, 1).parameters;
    const std::string at = ".m" + std::to_string(numbers[k]);
    prices.add({static_cast<double>(numbers[k]), price, raw[k].mean(), raw[k].standard_error(),
                pilot[k].mean(), pilot[k].standard_error()});
    lab.findings.expect("E8.noise_raw" + at, raw[k].mean(), raw[k].standard_error(), price,
                        0.06 * price, {{"the price of known cuts", 1}});
    lab.findings.expect("E8.noise_pilot" + at, pilot[k].mean(), pilot[k].standard_error(), 1, 0.3,
                        {{"the price on raw rows", price}});
  }
}

// ------------------------------------------------------------------ signals

/// What a cut at a jump costs on average, in units of sigma^2 / n, when the levels beside it are
/// known and the rows place it by least squares: the jump's height squared times the inputs on the
/// wrong side. `height` is in units of sigma, lengths are in units of the mean distance of inputs.
double cost_of_a_jump(double height) {
  generator random{81};
  mean_of cost;
  for (int r = 0; r < 20000; ++r) {
    double least = 0.0;
    double place[2];  // the rows next to the best cut, below and above
    double nearest[2];
    for (int side = 0; side < 2; ++side) {
      double at = -std::log(random.uniform());
      nearest[side] = at;
      double squares = 0.0;
      for (int row = 0; row < 200 && squares < 60; ++row) {
        squares += height * (height + 2 * random.normal());
        const double beyond = at - std::log(random.uniform());
        if (squares < least) {
          least = squares;
          place[0] = at;
          place[1] = beyond;
        }
        at = beyond;
      }
    }
    if (least == 0.0) {
      place[0] = -nearest[0];
      place[1] = nearest[1];
    }
    cost.add(height * height * 0.5 * std::abs(place[0] + place[1]));
  }
  return cost.mean();
}

bool has_jumps(const setting& given) { return given.id == "j1"; }

/// One setting with n rows and the best partition of the truth into m segments.
struct trial {
  const setting& given;
  theory::problem problem;  // with the noise
  std::vector<double> edges;
  std::int64_t n;
  std::int64_t repetitions;  // of learned cuts, which take most of the time

  std::int64_t num_segments() const { return static_cast<std::int64_t>(edges.size()) - 1; }
  /// Among how many bins raw cuts are chosen.
  std::int64_t places() const {
    return num_segments() <= 12 ? std::min<std::int64_t>(n, 4000) : 500;
  }
};

/// The mean excess risks of tables on known cuts, on those learned from the rows, and on the best
/// partition of the raw rows.
struct excesses {
  mean_of known, learned, raw;
};

excesses measure(const laboratory& lab, const trial& t) {
  const theory::cells exact = t.problem.approximation(t.edges);
  const std::int64_t m = t.num_segments();
  excesses all;
  for (std::int64_t r = 0; r < std::int64_t{40} * lab.effort; ++r) {
    generator random{8, t.given.number, static_cast<std::uint32_t>(t.n),
                     static_cast<std::uint32_t>(r)};
    const sample rows = draw(t.given, t.n, true, random);
    const std::vector<double> y = rows.targets(t.given.sigma);
    const auto with = [&](std::vector<double> edges) {
      return excess_on_learned_cuts(lab.machine, t.problem, std::move(edges), rows.x, y);
    };
    all.known.add(excess_of(exact, lab.machine.learn(t.edges, rows.x, y).constants));
    if (r < t.repetitions) all.learned.add(with(zcmoe::optimal_edges_from_data(rows.x, y, m)));
    if (r >= std::int64_t{4} * lab.effort) continue;
    const raw_cuts cuts = cuts_of_rows(rows.x, y, static_cast<std::size_t>(t.places()), m);
    all.raw.add(with(cuts.edges(t.problem, m)));
  }
  return all;
}

/// Measures a trial and holds it against theory. `jumps_paid` is what the jumps cost, in units of
/// sigma^2 / n; NaN where theory does not say.
void price_of(const laboratory& lab, const trial& t, double jumps_paid, table& prices) {
  const theory::cells cells = t.problem.approximation(t.edges);
  const auto m = static_cast<double>(t.num_segments());
  const double unit = t.problem.noise / static_cast<double>(t.n);
  const double estimation = theory::estimation(t.n, t.edges, cells).error;
  const double exact = cells.totals.error + estimation;
  const double parameters = theory::learned_cuts(t.num_segments(), t.places(), 1).parameters;
  const double raw_law = (cells.totals.error + parameters * m * unit) / exact;
  const double price_law = 1 + jumps_paid * unit / exact;
  const excesses found = measure(lab, t);
  prices.add({t.given.id, static_cast<double>(t.n), m, m * unit, estimation, exact,
              found.known.mean() / exact, found.known.standard_error() / exact,
              found.learned.mean() / exact, found.learned.standard_error() / exact, price_law,
              found.raw.mean() / exact, found.raw.standard_error() / exact, raw_law});

  const std::string name =
      t.given.id + ".n" + std::to_string(t.n) + ".m" + std::to_string(t.num_segments());
  lab.findings.expect("E8.known." + name, found.known.mean() / exact,
                      found.known.standard_error() / exact, 1, 0);
  // The law counts noise alone, so it is held where that outweighs the spread of b in the segments.
  if (cells.totals.error < m * unit) {
    lab.findings.expect("E8.law." + name, estimation / (m * unit), 0, 1, 0.1, {{"2 m / n", 2}});
  }
  if (std::isnan(jumps_paid)) return;
  std::vector<rival> rivals = {{"the price on raw rows", raw_law}};
  if (has_jumps(t.given)) rivals = {{"no price", 1}};
  lab.findings.expect("E8.price." + name, found.learned.mean() / exact,
                      found.learned.standard_error() / exact, price_law, 0.2 * price_law, rivals);
}

/// All trials of one setting: the best number of segments for each n, and for the least n half and
/// twice as many too. Only longer runs have the largest n.
void prices_of(const laboratory& lab, const setting& given, double jump_cost, table& prices) {
  theory::problem f = given.problem;
  f.noise = given.sigma * given.sigma;
  const std::int64_t most = 130;
  const known_cuts cuts(f, most);
  if (given.id == "s3") {
    const auto error = [&](const std::vector<double>& edges) {
      return f.approximation(edges).totals.error;
    };
    lab.findings.expect("E8.best.s3.m16",
                        error(cuts.edges(16)) / error(edges_of(given, ZCMOE_THEORY_OPTIMAL, 16)), 0,
                        0.7967, 0.002, {{"the compander", 1}});
  }
  const bool jumps = has_jumps(given);
  for (const std::int64_t n : {1000, 4000, 16000, 64000}) {
    if (n > 16000 && lab.effort < 4) continue;
    const std::int64_t best = cuts.best_number(static_cast<double>(n), most);
    for (const std::int64_t m : {best / 2, best, 2 * best}) {
      if (m != best && n > 1000) continue;
      const std::int64_t repetitions = std::int64_t{jumps && m == best ? 16 : 5} * lab.effort;
      const double paid = !jumps ? 0.0 : m == best ? jump_cost * static_cast<double>(m - 1) : NAN;
      price_of(lab, {given, f, cuts.edges(m), n, repetitions}, paid, prices);
    }
  }
}

}  // namespace

void learned_cuts(const laboratory& lab) {
  table noise({"m", "parameters", "raw", "raw_error", "pilot", "pilot_error"});
  price_on_noise(lab, noise);
  lab.findings.write("cuts_on_noise", noise);

  table prices({"setting", "n", "m", "law", "estimation", "exact", "known", "known_error",
                "learned", "learned_error", "expected", "raw", "raw_error", "raw_law"});
  const double jump_cost = cost_of_a_jump(2.0);
  lab.findings.note("E8.cost_of_a_jump", jump_cost);
  const auto references = reference_settings();
  std::vector<setting> settings = {setting_of(references, "s3"), setting_of(references, "s7")};
  for (setting& extra : cut_settings()) settings.push_back(std::move(extra));
  for (const setting& given : settings) prices_of(lab, given, jump_cost, prices);
  lab.findings.write("cut_prices", prices);
}

}  // namespace experiments
