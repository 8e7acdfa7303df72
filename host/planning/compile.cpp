// The smallest table of a known function. Both errors are met by one idea: a sweep from the left
// that takes each segment as far right as a bound on its own error allows.
//
//   scan    the range is halved into panels until 7 values of f tell the others; for MAX every
//           extremum between the values is looked for too
//   sweep   MAX: bound = tolerance, a provably smallest table. RMS: one bound for all segments,
//           the largest for which the whole error meets the tolerance (a search over sweeps); a
//           table of few segments is the best partition along the cuts of a fine one
//   verify  the answers of the finished table against f; what was missed is scanned again, finer
//
// RMS integrals are centred moments of panels, merged (Chan, Golub & LeVeque 1983): no difference
// of large sums. Their unit is the power of two at the tolerance, so that no square overflows.
// Sources: equal segment errors are the optimum at high rate, Panter & Dite 1951; Gauss-Kronrod
// rules, Davis & Rabinowitz 1984.
#include "host/planning/compile.hpp"

#include "host/error.hpp"
#include "host/numbers/double_double.hpp"
#include "host/segmentation/uniform.hpp"
#include "host/theory/cells.hpp"

#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/tools/minima.hpp>
#include <boost/math/tools/toms748_solve.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct compile_tuning {
  static constexpr std::size_t max_panels = std::size_t{1} << 18;  // beside those of the first cut
  static constexpr double resolution = 1e-3;   // of the tolerance: what 7 values may miss f by
  static constexpr double negligible = 1e-10;  // of the whole error: panels not worth halving
  static constexpr double density_resolution = 1e-4;  // of the panel's largest density
  static constexpr double cut_precision = 1e-9;       // of a segment's bound: where a cut is made
  static constexpr double bound_precision = 1e-12;    // of the whole error: when bounds are equal
  static constexpr int max_sweeps = 200;
  static constexpr double given_up = 1 + 1e-6;  // bounds this close, both of no use: no table
  static constexpr std::size_t most_equalised = 4096;  // segments; the gain is a share 1/m
  static constexpr std::size_t most_partitioned = 64;  // segments; beyond, equal errors are best
  static constexpr std::int64_t candidates = 768;      // cuts, about, that partitions choose from
  static constexpr double least_bound = 1e-18;         // of the whole error
  static constexpr int max_rounds = 8;                 // of scan, sweep, verify
  static constexpr std::size_t max_added = 4096;       // places scanned anew in a round
  static constexpr std::int64_t probes = 1 << 17;      // of a verification of MAX, at least
  static constexpr std::int64_t probes_of_a_segment = 16;
  static constexpr std::size_t verified_at_once = 4096;  // segments
  static constexpr std::int64_t most_listed = 128;       // uniform tables tried one by one
  static constexpr std::int64_t uniform_guesses = 8;     // then, before the search bisects
};

// ---------------------------------------------------------------- quadrature

/// Gauss-Kronrod (7, 15) points on [-1, 1], ascending: the odd ones are the Gauss points.
struct kronrod_rule {
  static constexpr std::size_t size = 15;
  static constexpr std::size_t gauss_size = 7;
  std::array<double, size> node{};
  std::array<double, size> weight{};
  std::array<double, gauss_size> gauss_node{};
  std::array<double, gauss_size> gauss_weight{};
  // Takes the values at the Gauss points to the values of their polynomial at all points.
  std::array<std::array<double, gauss_size>, size> interpolation{};

  kronrod_rule() {
    using kronrod = boost::math::quadrature::gauss_kronrod<double, size>;
    using gauss = boost::math::quadrature::gauss<double, gauss_size>;
    unfold(kronrod::abscissa(), kronrod::weights(), node, weight);
    unfold(gauss::abscissa(), gauss::weights(), gauss_node, gauss_weight);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < gauss_size; ++j) {
        double product = 1.0;  // Lagrange
        for (std::size_t k = 0; k < gauss_size; ++k) {
          if (k != j) product *= (node[i] - gauss_node[k]) / (gauss_node[j] - gauss_node[k]);
        }
        interpolation[i][j] = product;
      }
    }
  }

 private:
  /// Boost gives the non-negative half, from 0 up.
  template <class Half, std::size_t N>
  static void unfold(const Half& half, const Half& half_weight, std::array<double, N>& node,
                     std::array<double, N>& weight) {
    for (std::size_t i = 0; i < N; ++i) {
      const std::size_t k = i < N / 2 ? N / 2 - i : i - N / 2;
      node[i] = i < N / 2 ? -half[k] : half[k];
      weight[i] = half_weight[k];
    }
  }
};

const kronrod_rule& rule() {
  static const kronrod_rule r;
  return r;
}

/// Integrals over an interval: of p; mean of f under p; of p (f - mean)^2, in squared units.
struct moments {
  double mass = 0.0;
  double mean = 0.0;
  double spread = 0.0;
};

/// f and p as the sweeps see them.
class source {
 public:
  source(const compile_job& job)
      : job_(job),
        unit_exponent_(std::ilogb(job.tolerance)),
        width_(job.hi - job.lo),
        first_inside_(std::nextafter(job.lo, job.hi)),
        last_inside_(std::nextafter(job.hi, job.lo)) {}

  double f(double x) const {
    ++evaluations_;
    return answer(job_.function, x, "function", true);
  }
  double p(double x) const {
    return job_.density ? answer(job_.density, x, "density", false) : 1.0;
  }
  /// A difference of values of f in units of the tolerance's power of two.
  double in_units(double difference) const { return std::ldexp(difference, -unit_exponent_); }
  double from_units(double value) const { return std::ldexp(value, unit_exponent_); }
  double tolerance_in_units() const { return in_units(job_.tolerance); }
  std::int64_t evaluations() const { return evaluations_; }

  /// A point of [left, right], s in [-1, 1]; never an end of the range, where f or p may be
  /// infinite, unless there is nothing else.
  double point(double left, double right, double s) const {
    const double x = left * (0.5 - 0.5 * s) + right * (0.5 + 0.5 * s);
    const double inside = std::min(std::max(x, first_inside_), last_inside_);
    return std::min(std::max(inside, left), right);
  }

  template <std::size_t N>
  moments integrate(double left, double right, const std::array<double, N>& weight,
                    const std::array<double, N>& value,
                    const std::array<double, N>& density) const {
    const double half = 0.5 * right / width_ - 0.5 * left / width_;
    const double base = value[N / 2];
    moments m;
    double first = 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      m.mass += weight[j] * density[j];
      first += weight[j] * density[j] * in_units(value[j] - base);
    }
    const double shift = m.mass > 0 ? first / m.mass : 0.0;
    for (std::size_t j = 0; j < N; ++j) {
      const double d = in_units(value[j] - base) - shift;
      m.spread += weight[j] * density[j] * d * d;
    }
    m.mean = base + std::ldexp(shift, unit_exponent_);
    m.mass *= half;
    m.spread *= half;
    return m;
  }

  /// Seven fresh values: for parts of a panel, which is resolved.
  moments part(double left, double right) const {
    std::array<double, kronrod_rule::gauss_size> value{};
    std::array<double, kronrod_rule::gauss_size> density{};
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double x = point(left, right, rule().gauss_node[j]);
      value[j] = f(x);
      density[j] = p(x);
    }
    return integrate(left, right, rule().gauss_weight, value, density);
  }

  moments joined(const moments& a, const moments& b) const {
    if (!(b.mass > 0)) return a;
    if (!(a.mass > 0)) return b;
    const double mass = a.mass + b.mass;
    const double change = in_units(b.mean - a.mean);
    const double share = b.mass / mass;
    return {mass, a.mean + (b.mean - a.mean) * share,
            a.spread + b.spread + change * change * a.mass * share};
  }

 private:
  const compile_job& job_;
  int unit_exponent_;
  double width_;
  double first_inside_;
  double last_inside_;
  mutable std::int64_t evaluations_ = 0;
};

// ----------------------------------------------------------------------- scan

struct panel {
  double left;
  double right;
  moments content;
};

struct knot {
  double x;
  double value;
};

/// f is monotone between neighbours, as far as the scan saw.
using profile = std::vector<knot>;

struct scan {
  std::vector<panel> panels;  // RMS
  double mass = 0.0;
  profile knots;  // MAX
};

/// Turning points between the values of a sorted profile are looked for and put in.
void insert_extrema(const source& from, profile& knots) {
  const auto noise = [](double a, double b) {
    return std::abs(a - b) <= 8 * eps * std::max(std::abs(a), std::abs(b));
  };
  profile found;
  for (std::size_t i = 1; i + 1 < knots.size(); ++i) {
    std::size_t next = i + 1;
    if (knots[next].value == knots[i].value && next + 1 < knots.size()) ++next;
    const double before = knots[i - 1].value;
    const double here = knots[i].value;
    const double after = knots[next].value;
    const bool top = here > before && here > after;
    const bool bottom = here < before && here < after;
    if (!(top || bottom) || (noise(here, before) && noise(here, after))) continue;
    const double sign = top ? -1.0 : 1.0;
    // Boost's precision has an absolute part: places count from the bracket's left end.
    const double left = knots[i - 1].x;
    const double width = knots[next].x - left;
    const auto best = boost::math::tools::brent_find_minima(
        [&](double t) { return sign * from.f(left + width * t); }, 0.0, 1.0,
        std::numeric_limits<double>::digits / 2);
    found.push_back({left + width * best.first, sign * best.second});
  }
  knots.insert(knots.end(), found.begin(), found.end());
  std::sort(knots.begin(), knots.end(), [](const knot& a, const knot& b) { return a.x < b.x; });
  knots.erase(std::unique(knots.begin(), knots.end(),
                          [](const knot& a, const knot& b) { return a.x == b.x; }),
              knots.end());
}

/// Halves panels level by level until each is resolved, negligible, or as small as doubles get.
/// added: ends of panels beside those of the equal parts.
scan scanned(const source& from, const compile_job& job, std::int64_t parts,
             const std::vector<double>& added) {
  const bool maximum = job.options.error == ZCMOE_COMPILE_MAX;
  edge_table ends = distinct_uniform_edges(job.lo, job.hi, parts);
  ends.insert(ends.end(), added.begin(), added.end());
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());

  scan result;
  const double tolerance = from.tolerance_in_units();
  struct open_panel {
    panel p;
    bool resolved;
    double missed;          // largest miss of f by its interpolant, in units
    double density_missed;  // mass that this may concern
  };
  const auto measure = [&](double left, double right) {
    const kronrod_rule& r = rule();
    std::array<double, kronrod_rule::size> value{};
    std::array<double, kronrod_rule::size> density{};
    double largest = 0.0;
    double densest = 0.0;
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double x = from.point(left, right, r.node[j]);
      value[j] = from.f(x);
      density[j] = from.p(x);
      largest = std::max(largest, std::abs(value[j]));
      densest = std::max(densest, density[j]);
      if (maximum) result.knots.push_back({x, value[j]});
    }
    const double base = value[kronrod_rule::size / 2];
    open_panel o{
        {left, right, from.integrate(left, right, r.weight, value, density)}, false, 0.0, 0.0};
    double density_missed = 0.0;
    for (std::size_t i = 0; i < value.size(); i += 2) {  // the points that are not Gauss points
      double f = 0.0;
      double p = 0.0;
      for (std::size_t j = 0; j < kronrod_rule::gauss_size; ++j) {
        f += r.interpolation[i][j] * from.in_units(value[2 * j + 1] - base);
        p += r.interpolation[i][j] * density[2 * j + 1];
      }
      o.missed = std::max(o.missed, std::abs(f - from.in_units(value[i] - base)));
      density_missed = std::max(density_missed, std::abs(p - density[i]));
    }
    o.missed = std::max(0.0, o.missed - from.in_units(64 * eps * largest));  // rounding of f
    const double width = (right - left) / (job.hi - job.lo);
    o.density_missed = density_missed * width;
    o.resolved = o.missed <= compile_tuning::resolution * tolerance &&
                 density_missed <= compile_tuning::density_resolution * densest;
    return o;
  };

  std::vector<open_panel> level;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    level.push_back(measure(ends[i], ends[i + 1]));
    result.mass += level.back().p.content.mass;
  }
  if (!std::isfinite(result.mass)) {
    fail(ZCMOE_ERR_NUMERIC, "the integral of the density overflows");
  }
  const std::size_t budget = level.size() + compile_tuning::max_panels;
  const double whole = tolerance * tolerance * result.mass;
  while (!level.empty()) {
    std::vector<open_panel> next;
    for (const open_panel& o : level) {
      const double middle = 0.5 * o.p.left + 0.5 * o.p.right;
      const bool small = middle <= o.p.left || middle >= o.p.right;
      const bool negligible =
          !maximum &&
          o.missed * o.missed * o.p.content.mass <= compile_tuning::negligible * whole &&
          o.density_missed <= compile_tuning::negligible * result.mass;
      if (o.resolved || small || negligible ||
          result.panels.size() + level.size() + next.size() >= budget) {
        result.panels.push_back(o.p);
        // Of [left, next double) only left exists: a jump leaves nothing inside it.
        if (small && !maximum && o.p.left > job.lo)
          result.panels.back().content = {o.p.content.mass, from.f(o.p.left), 0.0};
        continue;
      }
      next.push_back(measure(o.p.left, middle));
      next.push_back(measure(middle, o.p.right));
    }
    level = std::move(next);
  }
  std::sort(result.panels.begin(), result.panels.end(),
            [](const panel& a, const panel& b) { return a.left < b.left; });
  double_double mass;
  for (const panel& p : result.panels) mass = mass + p.content.mass;
  result.mass = mass.high;
  if (!(result.mass > 0)) fail(ZCMOE_ERR_NUMERIC, "density answered 0 everywhere in [lo, hi]");
  if (maximum) {
    for (const panel& p : result.panels) result.knots.push_back({p.left, from.f(p.left)});
    result.knots.push_back({job.hi, from.f(job.hi)});
    std::sort(result.knots.begin(), result.knots.end(),
              [](const knot& a, const knot& b) { return a.x < b.x; });
    result.knots.erase(std::unique(result.knots.begin(), result.knots.end(),
                                   [](const knot& a, const knot& b) { return a.x == b.x; }),
                       result.knots.end());
    insert_extrema(from, result.knots);
  }
  return result;
}

// ------------------------------------------------------------ sweep, maximum

/// Smallest and largest value.
struct value_range {
  double low = infinity;
  double high = -infinity;

  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  double middle() const { return 0.5 * low + 0.5 * high; }
  /// What the best constant misses by, with the rounding of that constant.
  double error() const { return std::max(high - middle(), middle() - low); }
};

struct table {
  std::vector<double> edges;
  std::vector<double> constants;
  std::vector<moments> cells;  // RMS: what the segments hold
  double error = 0.0;          // as the sweep sees it
  bool complete = false;
};

/// Each segment as far right as fits(range of its values) holds, to the last double. An end that
/// belongs to the segment on its left is the last point that fits, else the first that does not.
template <class Fits>
table sweep_maximum(const source& from, const profile& knots, const compile_job& job,
                    const Fits& fits) {
  table t;
  t.edges.push_back(job.lo);
  value_range range;
  range.add(knots[0].value);
  double reached = knots[0].x;
  for (std::size_t i = 1; i < knots.size();) {
    value_range longer = range;
    longer.add(knots[i].value);
    if (fits(longer)) {
      range = longer;
      reached = knots[i++].x;
      continue;
    }
    double bad = knots[i].x;
    double bad_value = knots[i].value;
    for (;;) {
      const double middle = 0.5 * reached + 0.5 * bad;
      if (middle <= reached || middle >= bad) break;
      const double v = from.f(middle);
      longer = range;
      longer.add(v);
      if (fits(longer)) {
        range = longer;
        reached = middle;
      } else {
        bad = middle;
        bad_value = v;
      }
    }
    t.constants.push_back(range.middle());
    t.error = std::max(t.error, range.error());
    if (static_cast<std::int64_t>(t.constants.size()) >= job.options.max_segments) return t;
    // A point lo or hi that needs a segment of its own gets it, one double beyond the range.
    if (job.closed_right && reached == job.lo) t.edges[0] = std::nextafter(job.lo, -infinity);
    t.edges.push_back(job.closed_right ? reached : bad);
    range = {};
    range.add(bad_value);
    reached = bad;
  }
  t.constants.push_back(range.middle());
  t.error = std::max(t.error, range.error());
  t.edges.push_back(t.edges.back() == job.hi ? std::nextafter(job.hi, infinity) : job.hi);
  t.complete = true;
  return t;
}

// ----------------------------------------------------------------- sweep, RMS

/// Walks panels and parts of them from the left; cuts where a segment's spread passes a bound.
class rms_sweep {
 public:
  rms_sweep(const source& from, const scan& seen, const compile_job& job)
      : from_(from), panels_(seen.panels), job_(job) {}

  /// complete is false if `most` segments do not reach the end. error: integral of
  /// p (f - constant)^2, over the segments made.
  table with_bound(double bound, std::int64_t most) const {
    table t;
    t.edges.push_back(job_.lo);
    double_double error;
    moments segment;
    double width = infinity;  // of the last segment: where to look for the next cut
    for (const panel& whole : panels_) {
      double left = whole.left;
      while (left < whole.right) {
        const double reach = left + 2 * width < whole.right ? left + 2 * width : whole.right;
        const bool all = left == whole.left && reach == whole.right;
        const moments longer = from_.joined(segment, all ? whole.content : from_.part(left, reach));
        if (longer.spread <= bound) {
          segment = longer;
          left = reach;
          width *= 2;
          continue;
        }
        const double cut = cut_between(segment, left, reach, longer.spread, bound, t.edges.back());
        segment = from_.joined(segment, from_.part(left, cut));
        close(t, segment, error, cut);
        if (static_cast<std::int64_t>(t.constants.size()) >= most && cut < job_.hi) {
          t.error = error.high;
          return t;
        }
        width = cut - t.edges[t.edges.size() - 2];
        segment = {};
        left = cut;
      }
    }
    if (t.edges.back() < job_.hi) close(t, segment, error, job_.hi);
    t.error = error.high;
    t.complete = true;
    return t;
  }

  /// The whole error of m segments of equal width.
  double of_uniform(std::int64_t m) const {
    double_double error;
    std::size_t k = 0;
    double left = job_.lo;
    const auto count = static_cast<double>(m);
    for (std::int64_t i = 1; i <= m; ++i) {
      const double t = static_cast<double>(i) / count;
      const double right = i == m ? job_.hi : job_.lo * (1.0 - t) + job_.hi * t;
      moments segment;
      while (left < right) {
        while (panels_[k].right <= left) ++k;
        const double end = std::min(right, panels_[k].right);
        const bool whole = left == panels_[k].left && end == panels_[k].right;
        segment = from_.joined(segment, whole ? panels_[k].content : from_.part(left, end));
        left = end;
      }
      error = error + segment.spread;
    }
    return error.high;
  }

 private:
  void close(table& t, const moments& segment, double_double& error, double edge) const {
    const double centre = 0.5 * t.edges.back() + 0.5 * edge;
    t.constants.push_back(segment.mass > 0 ? segment.mean : from_.f(centre));
    t.edges.push_back(edge);
    t.cells.push_back(segment);
    error = error + segment.spread;
  }

  /// Where the spread of what has been gathered and [left, x) reaches the bound, for a segment that
  /// begins at start; behind start by a double at least.
  double cut_between(const moments& gathered, double left, double right, double right_spread,
                     double bound, double start) const {
    // The cube root of the spread is nearly linear in the segment's width.
    const auto excess = [&](double spread) {
      const double e = std::cbrt(spread / bound) - 1.0;
      return std::abs(e) < compile_tuning::cut_precision ? 0.0 : e;
    };
    const double at_left = excess(gathered.spread);
    const double at_right = excess(right_spread);
    double cut = right;
    if (at_left >= 0) {
      cut = left;
    } else if (at_right > 0) {
      std::uintmax_t steps = 100;
      const auto root = boost::math::tools::toms748_solve(
          [&](double x) { return excess(from_.joined(gathered, from_.part(left, x)).spread); },
          left, right, at_left, at_right,
          [&](double a, double b) {
            return b - a <= compile_tuning::cut_precision * (b - start) || 0.5 * a + 0.5 * b <= a ||
                   0.5 * a + 0.5 * b >= b;
          },
          steps);
      cut = root.first;
    }
    return std::max(cut, std::nextafter(start, right));
  }

  const source& from_;
  const std::vector<panel>& panels_;
  const compile_job& job_;
};

[[noreturn]] void fail_too_many(const compile_job& job) {
  fail(ZCMOE_ERR_NUMERIC, "tolerance=", job.tolerance,
       " needs more than max_segments=", job.options.max_segments,
       " segments: too small for this function, or below the rounding of its values");
}

/// The table with the largest bound whose error is at most `limit`, and that bound.
std::pair<table, double> largest_bound(const rms_sweep& sweep, const compile_job& job,
                                       double limit) {
  const std::int64_t most = job.options.max_segments;
  constexpr double close = 1 + compile_tuning::bound_precision;
  // No segment of a table that meets the limit has a larger error than the limit itself.
  double bad_bound = limit;
  table bad = sweep.with_bound(bad_bound, most);
  if (!bad.complete) fail_too_many(job);
  if (bad.error <= limit) return {bad, bad_bound};
  double good_bound = 0.0;
  table good;
  double overflow = 0.0;  // a bound that takes too many segments
  for (int k = 0; k < compile_tuning::max_sweeps; ++k) {
    double next = 0.0;
    if (good.complete) {
      if (good.constants.size() == bad.constants.size() || bad.error <= limit * close ||
          bad_bound <= good_bound * close) {
        break;
      }
      // The error is close to a power of the bound; aimed at both sides of the limit in turn.
      const double slope = std::log(bad.error / good.error) / std::log(bad_bound / good_bound);
      next = good_bound * std::pow(limit / good.error, 1 / slope);
      if (k % 2 == 0) next *= 1 + 0.5 / static_cast<double>(good.constants.size());
    } else {
      // Error m^-2, bound m^-3; a little further, so as to come out below the limit.
      next = bad_bound * std::pow(limit / bad.error, 1.5) * 0.98;
    }
    const double lowest = std::max(good_bound, overflow);
    if (!(next > lowest && next < bad_bound) || k % 8 == 7)
      next = lowest > 0 ? std::sqrt(lowest) * std::sqrt(bad_bound) : bad_bound / 64;
    if (!(next > lowest && next < bad_bound)) break;
    table t = sweep.with_bound(next, most);
    if (t.error > limit) {
      // A smaller bound takes more segments still, a larger one has more error still.
      if (!t.complete) fail_too_many(job);
      bad = std::move(t);
      bad_bound = next;
    } else if (t.complete) {
      good = std::move(t);
      good_bound = next;
    } else {
      overflow = next;
    }
    if (!good.complete && bad_bound <= overflow * compile_tuning::given_up) break;
  }
  if (!good.complete) fail_too_many(job);
  return {good, good_bound};
}

/// The table made more even: the least bound that needs no more segments.
table equalised(const rms_sweep& sweep, table best, double high, double limit) {
  const auto m = static_cast<std::int64_t>(best.constants.size());
  double low = 0.0;
  const double close = 1 + 1e-3 / static_cast<double>(m);
  while (high > limit * compile_tuning::least_bound && high > low * close) {
    const double next = low > 0 ? std::sqrt(low) * std::sqrt(high) : high / 64;
    if (!(next > low && next < high)) break;
    table t = sweep.with_bound(next, m);
    if (!t.complete) {
      low = next;
      continue;
    }
    high = next;
    if (t.error < best.error) best = std::move(t);
  }
  return best;
}

/// The best of all tables whose cuts are among those of a fine one, with the fewest segments that
/// meet the limit, at most `most`; by dynamic programming over every partition. Not complete if
/// there is none.
table best_partition(const source& from, const table& fine, double limit, std::size_t most) {
  const std::size_t n = fine.cells.size();
  // error[j]: of the first j cells in m segments; first[m][j]: where the last of these begins.
  std::vector<double> error(n + 1, infinity);
  error[0] = 0.0;
  std::vector<std::vector<std::size_t>> first{{}};
  std::vector<double> cost((n + 1) * (n + 1));
  for (std::size_t i = 0; i < n; ++i) {
    moments segment;
    for (std::size_t j = i; j < n; ++j) {
      segment = from.joined(segment, fine.cells[j]);
      cost[(j + 1) * (n + 1) + i] = segment.spread;
    }
  }
  table t;
  while (first.size() <= most && !(error[n] <= limit)) {
    std::vector<double> next(n + 1, infinity);
    std::vector<std::size_t> begins(n + 1, 0);
    for (std::size_t j = 1; j <= n; ++j) {
      const double* const to_j = &cost[j * (n + 1)];
      for (std::size_t i = 0; i < j; ++i) {
        const double e = error[i] + to_j[i];
        if (e < next[j]) {
          next[j] = e;
          begins[j] = i;
        }
      }
    }
    error = std::move(next);
    first.push_back(std::move(begins));
  }
  if (!(error[n] <= limit)) return t;
  t.edges.push_back(fine.edges[n]);
  for (std::size_t m = first.size() - 1, j = n; m > 0; --m) {
    const std::size_t i = first[m][j];
    moments segment;
    for (std::size_t k = i; k < j; ++k) segment = from.joined(segment, fine.cells[k]);
    t.constants.push_back(segment.mass > 0 ? segment.mean : fine.constants[i]);
    t.edges.push_back(fine.edges[i]);
    j = i;
  }
  std::reverse(t.constants.begin(), t.constants.end());
  std::reverse(t.edges.begin(), t.edges.end());
  t.error = error[n];
  t.complete = true;
  return t;
}

table smallest_rms(const source& from, const rms_sweep& sweep, const compile_job& job,
                   double limit) {
  auto [best, bound] = largest_bound(sweep, job, limit);
  const std::size_t m = best.constants.size();
  if (m == 1 || m > compile_tuning::most_equalised) return best;
  best = equalised(sweep, std::move(best), bound, limit);
  if (m > compile_tuning::most_partitioned) return best;
  // Bounds fall like m^-3.
  const double fineness = static_cast<double>(compile_tuning::candidates) / static_cast<double>(m);
  const table fine =
      sweep.with_bound(bound / (fineness * fineness * fineness), 4 * compile_tuning::candidates);
  if (!fine.complete) return best;
  table t = best_partition(from, fine, limit, m);
  return t.complete && (t.constants.size() < m || t.error < best.error) ? t : best;
}

// -------------------------------------------------------------------- uniform

/// max |f - constant| of m segments of equal width, from the profile and the ends of segments.
double uniform_maximum(const source& from, const profile& knots, const compile_job& job,
                       std::int64_t m) {
  double error = 0.0;
  std::size_t k = 0;
  double left = job.lo;
  const auto count = static_cast<double>(m);
  for (std::int64_t i = 1; i <= m; ++i) {
    const double t = static_cast<double>(i) / count;
    const double right = i == m ? job.hi : job.lo * (1.0 - t) + job.hi * t;
    value_range range;
    range.add(from.f(left));
    // The end belongs to the next segment, but for the last one.
    range.add(from.f(i == m ? right : std::max(left, std::nextafter(right, left))));
    for (; k < knots.size() && (knots[k].x < right || i == m); ++k) range.add(knots[k].value);
    error = std::max(error, range.error());
    left = right;
  }
  return error;
}

struct uniform_table {
  std::int64_t num_segments = 0;  // 0: not even max_segments
  double error = 0.0;
};

/// The smallest m that meets the tolerance; beyond `most_listed` one that does while m - 1 does
/// not: guessed by error ~ 1/m, then bisected.
template <class Error>
uniform_table smallest_uniform(const Error& error_of, double tolerance, std::int64_t first,
                               std::int64_t most) {
  // Equality but for rounding counts in favour of the uniform table.
  const double limit = tolerance * (1 + compile_tuning::bound_precision);
  std::int64_t bad = 0;
  double error = 0.0;
  while (bad < std::min(most, compile_tuning::most_listed)) {
    error = error_of(bad + 1);
    if (error <= limit) return {bad + 1, error};
    ++bad;
  }
  uniform_table found;
  std::int64_t m = std::max(first, bad + 1);
  for (std::int64_t step = 0; bad < most && found.num_segments - bad != 1; ++step) {
    error = error_of(m);
    if (error <= limit) {
      found = {m, error};
    } else {
      bad = m;
    }
    const bool guessing = step < compile_tuning::uniform_guesses;
    const std::int64_t above = found.num_segments > 0 ? found.num_segments - 1 : most;
    const double guess = std::ceil(static_cast<double>(m) * (error / tolerance));
    const auto wanted =
        guess < static_cast<double>(above) ? static_cast<std::int64_t>(guess) : above;
    if (guessing) {
      m = std::max(bad + 1, wanted);
    } else if (found.num_segments > 0) {
      m = bad + (found.num_segments - bad) / 2;
    } else {
      m = std::max(std::min(2 * bad, above), wanted);  // a jump: the law does not hold
    }
  }
  return found.num_segments > 0 ? found : uniform_table{0, error};
}

// --------------------------------------------------------------- verification

struct verdict {
  double error = 0.0;
  std::vector<double> missed;  // MAX: inputs whose answer is off by more than the tolerance
};

/// max |answer - f| over the part of the range that the table answers.
verdict verified_maximum(const source& from, const compile_job& job, const table& t,
                         const table_answers& answers) {
  verdict v;
  const std::size_t m = t.constants.size();
  for (std::size_t first = 0; first < m; first += compile_tuning::verified_at_once) {
    const std::size_t end = std::min(m, first + compile_tuning::verified_at_once);
    profile probes;
    for (std::size_t i = first; i < end; ++i) {
      const double left = std::max(t.edges[i], job.lo);
      const double right = std::min(t.edges[i + 1], job.hi);
      const double share =
          (right - left) / (job.hi - job.lo) * static_cast<double>(compile_tuning::probes);
      const auto inside = std::max(compile_tuning::probes_of_a_segment,
                                   static_cast<std::int64_t>(std::ceil(share)));
      // Nowhere near the points of a scan, which lie at even fractions of the range.
      double phase = 0.5 * (std::sqrt(5.0) - 1.0) * static_cast<double>(i + 1);
      phase -= std::floor(phase);
      probes.push_back({left, from.f(left)});
      for (std::int64_t j = 0; j < inside; ++j) {
        const double s = (static_cast<double>(j) + phase) / static_cast<double>(inside);
        const double x = left * (1.0 - s) + right * s;
        if (x > probes.back().x && x < right) probes.push_back({x, from.f(x)});
      }
    }
    const double right = std::min(t.edges[end], job.hi);
    if (right > probes.back().x) probes.push_back({right, from.f(right)});
    insert_extrema(from, probes);
    for (std::size_t i = first; i <= end; ++i) {
      for (const double beyond : {-infinity, infinity}) {
        const double x = std::nextafter(t.edges[i], beyond);
        if (x >= job.lo && x <= job.hi) probes.push_back({x, from.f(x)});
      }
    }
    std::vector<double> inputs;
    inputs.reserve(probes.size());
    for (const knot& k : probes) inputs.push_back(k.x);
    const std::vector<double> given = answers(inputs);
    for (std::size_t i = 0; i < given.size(); ++i) {
      const double open_end = job.closed_right ? job.lo : job.hi;
      if (!job.outer_edge && inputs[i] == open_end) continue;
      const double error = std::abs(given[i] - probes[i].value);
      if (!(error <= v.error)) v.error = error;
      if (!(error <= job.tolerance) && v.missed.size() < compile_tuning::max_added)
        v.missed.push_back(inputs[i]);
    }
  }
  return v;
}

/// Root of the mean squared error by quadrature of its own, on panels of its own.
double verified_rms(const source& from, const compile_job& job, const table& t,
                    const table_answers& answers) {
  std::vector<double> inside;
  for (std::size_t i = 0; i + 1 < t.edges.size(); ++i)
    inside.push_back(job.closed_right ? t.edges[i + 1] : t.edges[i]);
  std::vector<double> given = answers(inside);
  theory_problem problem{};
  problem.lo = job.lo;
  problem.hi = job.hi;
  problem.density = [&](double x) { return from.p(x); };
  problem.regression = [&](double x) { return from.in_units(from.f(x)); };
  problem.breaks = distinct_uniform_edges(job.lo, job.hi, 3 * job.options.scan_parts + 1);
  problem.breaks.erase(problem.breaks.begin());
  problem.breaks.pop_back();
  for (double& c : given) c = from.in_units(c);
  const cell_table cells =
      cells_of(problem, t.edges.data(), static_cast<std::int64_t>(given.size()),
               ZCMOE_CONSTANT_MEAN, given.data());
  return from.from_units(std::sqrt(cells.totals.error));
}

[[noreturn]] void fail_unverified(const compile_job& job, const table& t, double error) {
  fail(ZCMOE_ERR_NUMERIC, "a table of ", t.constants.size(), " segments has the verified error ",
       error, ", more than tolerance=", job.tolerance, ", after ", compile_tuning::max_rounds,
       " scans: the function changes faster than the scans resolve (options->scan_parts=",
       job.options.scan_parts, "), or the tolerance is below the rounding of its values");
}

zcmoe_compile_result maximum_table(const source& from, const compile_job& job,
                                   const table_maker& make) {
  zcmoe_compile_result result{};
  std::vector<double> added;
  double aim = job.tolerance;
  table t;
  for (int round = 0;; ++round) {
    const scan seen = scanned(from, job, job.options.scan_parts, added);
    t = sweep_maximum(from, seen.knots, job,
                      [&](const value_range& r) { return r.error() <= aim; });
    if (!t.complete) fail_too_many(job);
    const verdict found = verified_maximum(from, job, t, make(t.edges, t.constants));
    if (found.error <= job.tolerance) {
      result.error = found.error;
      // Its cuts separate values of f that no constant can answer: a bound for every table.
      const table least = sweep_maximum(from, seen.knots, job, [&](const value_range& r) {
        return !(r.high - r.low > 2 * job.tolerance);
      });
      result.least_segments = static_cast<std::int64_t>(least.constants.size());
      const uniform_table uniform = smallest_uniform(
          [&](std::int64_t m) { return uniform_maximum(from, seen.knots, job, m); }, job.tolerance,
          static_cast<std::int64_t>(t.constants.size()), job.options.max_segments);
      result.uniform_segments = uniform.num_segments;
      result.uniform_error = uniform.error;
      break;
    }
    if (round + 1 == compile_tuning::max_rounds) fail_unverified(job, t, found.error);
    // Rounding of f or of a constant is allowed for; anything larger is something a scan missed.
    double largest = 0.0;
    for (const knot& k : seen.knots) largest = std::max(largest, std::abs(k.value));
    const double excess = found.error - job.tolerance;
    if (excess <= std::max(1e-9 * job.tolerance, 4 * eps * largest)) {
      aim -= 2 * excess + eps * largest;
    } else {
      added.insert(added.end(), found.missed.begin(), found.missed.end());
    }
  }
  result.num_segments = static_cast<std::int64_t>(t.constants.size());
  return result;
}

zcmoe_compile_result rms_table(const source& from, const compile_job& job,
                               const table_maker& make) {
  zcmoe_compile_result result{};
  double aim = 1.0;  // of the tolerance
  std::int64_t parts = job.options.scan_parts;
  table t;
  for (int round = 0;; ++round) {
    const scan seen = scanned(from, job, parts, {});
    const rms_sweep sweep(from, seen, job);
    const double unit = from.tolerance_in_units();
    t = smallest_rms(from, sweep, job, aim * aim * unit * unit * seen.mass);
    const double expected = from.from_units(std::sqrt(t.error / seen.mass));
    const double error = verified_rms(from, job, t, make(t.edges, t.constants));
    if (error <= job.tolerance) {
      result.error = error;
      const double whole = unit * unit * seen.mass;
      result.least_segments = static_cast<std::int64_t>(
          sweep.with_bound(whole, job.options.max_segments).constants.size());
      const uniform_table uniform = smallest_uniform(
          [&](std::int64_t m) {
            return from.from_units(std::sqrt(sweep.of_uniform(m) / seen.mass));
          },
          job.tolerance, static_cast<std::int64_t>(t.constants.size()), job.options.max_segments);
      result.uniform_segments = uniform.num_segments;
      result.uniform_error = uniform.error;
      break;
    }
    if (round + 1 == compile_tuning::max_rounds) fail_unverified(job, t, error);
    if (error <= expected * (1 + 1e-3)) {
      aim *= (job.tolerance / error) * (1 - compile_tuning::bound_precision);
    } else {
      parts *= 4;  // the scan missed something
    }
  }
  result.num_segments = static_cast<std::int64_t>(t.constants.size());
  return result;
}

}  // namespace

zcmoe_compile_result compile_table(const compile_job& job, const table_maker& make) {
  const source from(job);
  zcmoe_compile_result result = job.options.error == ZCMOE_COMPILE_MAX
                                    ? maximum_table(from, job, make)
                                    : rms_table(from, job, make);
  result.num_evaluations = from.evaluations();
  return result;
}

}  // namespace zcmoe::detail
