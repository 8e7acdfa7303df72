// Finds the smallest table of a known function, in rounds of three steps until the tolerance is
// met:
//
//   scan    (scan.hpp) finds out what f is, from panels or from a profile of its values
//   sweep   (sweep.hpp, smallest_rms.hpp) makes the smallest table of what was found
//   verify  compares predictions of the finished table with f; what was missed is scanned finer
//
// For comparison, a uniform table that meets the tolerance is found too.
#include "host/planning/compile.hpp"

#include "host/error.hpp"
#include "host/planning/scan.hpp"
#include "host/planning/smallest_rms.hpp"
#include "host/planning/sweep.hpp"
#include "host/segmentation/uniform.hpp"
#include "host/theory/cells.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct compile_tuning {
  // At most so many rounds of scan, sweep and verify are made.
  static constexpr int max_rounds = 8;
  // At most so many inputs with a wrong prediction are added to the scan of the next round.
  static constexpr std::size_t max_added = 4096;
  // A verification of the largest error evaluates f at this many inputs or more.
  static constexpr std::int64_t probes = 1 << 17;
  // At least so many of them lie in each segment.
  static constexpr std::int64_t probes_of_a_segment = 16;
  // So many segments are verified at once, which bounds the memory that their probes take.
  static constexpr std::size_t verified_at_once = 4096;
  // Uniform tables of up to this many segments are tried one by one.
  static constexpr std::int64_t most_listed = 128;
  // Beyond them the number of segments is guessed so often before the search bisects.
  static constexpr std::int64_t uniform_guesses = 8;
};

// -------------------------------------------------------------------- uniform

/// The largest |f - constant| over m segments of equal width, from the profile of f and from its
/// values at the ends of segments.
double uniform_maximum(const compiled_function& from, const profile& knots, const compile_job& job,
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
    // The right end belongs to the next segment, except in the last one.
    range.add(from.f(i == m ? right : std::max(left, std::nextafter(right, left))));
    for (; k < knots.size() && (knots[k].x < right || i == m); ++k) range.add(knots[k].value);
    error = std::max(error, range.error());
    left = right;
  }
  return error;
}

struct uniform_table {
  std::int64_t num_segments = 0;  // 0 if even max_segments do not meet the tolerance
  double error = 0.0;
};

/// The smallest number m of segments of equal width that meets the tolerance. Beyond most_listed it
/// is one that meets it while m - 1 does not: it is guessed from the law that the error falls like
/// 1/m, then found by bisection.
template <class Error>
uniform_table smallest_uniform(const Error& error_of, double tolerance, std::int64_t first,
                               std::int64_t most) {
  // An error that equals the tolerance but for rounding meets it.
  const double limit = tolerance * (1 + bound_precision);
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
      m = std::max(std::min(2 * bad, above), wanted);  // the law does not hold where f jumps
    }
  }
  return found.num_segments > 0 ? found : uniform_table{0, error};
}

// --------------------------------------------------------------- verification

struct verdict {
  double error = 0.0;
  // inputs whose prediction is wrong by more than the tolerance; only for the largest error
  std::vector<double> missed;
};

/// The largest |prediction - f| over the part of the range that the table covers.
verdict verified_maximum(const compiled_function& from, const compile_job& job,
                         const compiled_table& t, const table_predictions& predictions) {
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
      // Multiples of the golden ratio shift the probes away from the points of a scan, which lie at
      // simple fractions of the range.
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
    for (const profile_point& k : probes) inputs.push_back(k.x);
    const std::vector<double> given = predictions(inputs);
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

/// The root of the mean squared error, by a quadrature that shares neither points nor panels with
/// the scan.
double verified_rms(const compiled_function& from, const compile_job& job, const compiled_table& t,
                    const table_predictions& predictions) {
  std::vector<double> inside;
  for (std::size_t i = 0; i + 1 < t.edges.size(); ++i)
    inside.push_back(job.closed_right ? t.edges[i + 1] : t.edges[i]);
  std::vector<double> given = predictions(inside);
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

/// Makes the model of a finished table, and returns what predicts with it. Throws NUMERIC where
/// values of f were so large that the table is not finite.
table_predictions made(const compiled_function& from, const table_maker& make,
                       const compiled_table& t) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(t.edges.begin(), t.edges.end(), finite) ||
      !std::all_of(t.constants.begin(), t.constants.end(), finite)) {
    from.fail_too_large();
  }
  return make(t.edges, t.constants);
}

[[noreturn]] void fail_unverified(const compile_job& job, const compiled_table& t, double error) {
  fail(ZCMOE_ERR_NUMERIC, "a table of ", t.constants.size(), " segments has the verified error ",
       error, ", more than tolerance=", job.tolerance, ", after ", compile_tuning::max_rounds,
       " scans: the function changes faster than the scans resolve (options->scan_parts=",
       job.options.scan_parts, "), or the tolerance is below the rounding of its values");
}

zcmoe_compile_result maximum_table(const compiled_function& from, const compile_job& job,
                                   const table_maker& make) {
  zcmoe_compile_result result{};
  std::vector<double> added;
  double aim = job.tolerance;
  compiled_table t;
  for (int round = 0;; ++round) {
    const scan seen = scanned(from, job, job.options.scan_parts, added);
    t = sweep_maximum(from, seen.knots, job,
                      [&](const value_range& r) { return r.error() <= aim; });
    if (!t.complete) fail_too_many(job);
    const verdict found = verified_maximum(from, job, t, made(from, make, t));
    if (found.error <= job.tolerance) {
      result.error = found.error;
      // This sweep ends a segment only where no constant is within the tolerance of all its values
      // of f. So no table has fewer segments.
      const compiled_table least = sweep_maximum(from, seen.knots, job, [&](const value_range& r) {
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
    // An excess as small as rounding of f or of a constant is met by a lower aim. A larger one is
    // something that the scan missed.
    double largest = 0.0;
    for (const profile_point& k : seen.knots) largest = std::max(largest, std::abs(k.value));
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

zcmoe_compile_result rms_table(const compiled_function& from, const compile_job& job,
                               const table_maker& make) {
  zcmoe_compile_result result{};
  double aim = 1.0;  // as a part of the tolerance
  std::int64_t parts = job.options.scan_parts;
  compiled_table t;
  for (int round = 0;; ++round) {
    const scan seen = scanned(from, job, parts, {});
    const rms_sweep sweep(from, seen, job);
    const double unit = from.tolerance_in_units();
    t = smallest_rms(from, sweep, job, aim * aim * unit * unit * seen.mass);
    const double expected = from.from_units(std::sqrt(t.error / seen.mass));
    const double error = verified_rms(from, job, t, made(from, make, t));
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
      aim *= (job.tolerance / error) * (1 - bound_precision);
    } else {
      parts *= 4;  // the scan missed something, so the next one is finer
    }
  }
  result.num_segments = static_cast<std::int64_t>(t.constants.size());
  return result;
}

}  // namespace

zcmoe_compile_result compile_table(const compile_job& job, const table_maker& make) {
  const compiled_function from(job);
  zcmoe_compile_result result = job.options.error == ZCMOE_COMPILE_MAX
                                    ? maximum_table(from, job, make)
                                    : rms_table(from, job, make);
  result.num_evaluations = from.evaluations();
  return result;
}

}  // namespace zcmoe::detail
