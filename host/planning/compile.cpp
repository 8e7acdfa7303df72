// Finds the smallest table of a known function, in rounds of three steps until the tolerance is
// met:
//
// - scan (scan.hpp) finds out what f is, from panels or from a profile of its values;
// - sweep (sweep.hpp, line_sweep.hpp, smallest_rms.hpp) makes the smallest table of what was found;
// - verify (verify.hpp) compares predictions of the finished table with f. What was missed is
//   scanned finer.
//
// For comparison, a uniform table that meets the tolerance is found too, and how many segments
// other kinds of experts would take.
#include "host/planning/compile.hpp"

#include "host/error.hpp"
#include "host/planning/line_sweep.hpp"
#include "host/planning/scan.hpp"
#include "host/planning/smallest_rms.hpp"
#include "host/planning/sweep.hpp"
#include "host/planning/verify.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

struct compile_tuning {
  // At most so many rounds of scan, sweep and verify are made.
  static constexpr int max_rounds = 8;
  // A scan for the mean squared error begins with at most so many parts.
  static constexpr std::int64_t max_parts = std::int64_t{1} << 22;
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

/// By how much more segments an error falls so far, at high rate: it falls like 1/m, that of lines
/// like 1/m^2.
double guessed_growth(double error_over_tolerance, std::int32_t experts) {
  return experts == ZCMOE_EXPERTS_CONSTANT ? error_over_tolerance : std::sqrt(error_over_tolerance);
}

struct uniform_table {
  std::int64_t num_segments = 0;  // 0 if even max_segments do not meet the tolerance
  double error = 0.0;
};

/// The smallest number m of segments of equal width that meets the tolerance. Beyond most_listed it
/// is one that meets it while m - 1 does not: it is guessed from the law that the error falls like
/// 1/m (lines: 1/m^2), then found by bisection.
template <class Error>
uniform_table smallest_uniform(const Error& error_of, double tolerance, std::int64_t first,
                               std::int64_t most, std::int32_t experts) {
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
    const double guess =
        std::ceil(static_cast<double>(m) * guessed_growth(error / tolerance, experts));
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

/// Makes the model of a finished table, and returns what predicts with it. Throws NUMERIC where
/// values of f were so large that the table is not finite.
table_predictions made(const compiled_function& from, const table_maker& make,
                       const compiled_table& t) {
  const auto finite = [](double v) { return std::isfinite(v); };
  const auto is_finite = [](const zcmoe_line& line) {
    return std::isfinite(line.value) && std::isfinite(line.slope);
  };
  if (!std::all_of(t.edges.begin(), t.edges.end(), finite) ||
      !std::all_of(t.experts.begin(), t.experts.end(), is_finite)) {
    from.fail_too_large();
  }
  return make(t.edges, t.experts);
}

[[noreturn]] void fail_too_many_segments(const compile_job& job) {
  fail(ZCMOE_ERR_NUMERIC, "tolerance=", job.tolerance,
       " needs more than max_segments=", job.options.max_segments,
       " segments: too small for this function, or below the rounding of its values");
}

[[noreturn]] void fail_unverified(const compile_job& job, const compiled_table& t, double error) {
  fail(ZCMOE_ERR_NUMERIC, "a table of ", t.num_segments(), " segments has the verified error ",
       error, ", more than tolerance=", job.tolerance,
       ", after scans ever finer: the function changes faster than the scans resolve "
       "(options->scan_parts=",
       job.options.scan_parts, "), or the tolerance is below the rounding of its values");
}

/// Tables for the largest error.
class maximum_tables {
 public:
  maximum_tables(const compiled_function& from, const compile_job& job)
      : from_(from), job_(job), aim_(job.tolerance) {
    if (job.experts != ZCMOE_EXPERTS_CONSTANT) aim_ *= 1 - chord_share;
  }

  void scan_again() {
    knots_ = scanned(from_, job_, job_.options.scan_parts, added_).knots;
    dense_ = knots_;
    is_dense_ = false;
  }
  compiled_table smallest() { return of(job_.experts, aim_, job_.options.max_segments); }
  [[noreturn]] void fail_too_many() const { fail_too_many_segments(job_); }
  verdict verified(const compiled_table& t, const table_predictions& predictions) const {
    return verified_maximum(from_, job_, t, predictions);
  }
  /// Learns from a verification that the tolerance was not met; false where nothing is left to try.
  bool learn(const compiled_table&, const verdict& found) {
    // An excess as small as rounding of f or of a constant is met by a lower aim. A larger one is
    // something that the scan missed.
    double largest = 0.0;
    for (const profile_point& k : knots_) largest = std::max(largest, std::abs(k.value));
    const double excess = found.error - job_.tolerance;
    if (excess <= std::max(1e-9 * job_.tolerance, 4 * eps * largest)) {
      aim_ -= 2 * excess + eps * largest;
    } else {
      added_.insert(added_.end(), found.missed.begin(), found.missed.end());
    }
    return true;
  }
  /// No table of these experts, or of those of which they are a case, has fewer segments: a segment
  /// ends only where no expert is within the tolerance of all values of f.
  std::int64_t least() {
    if (job_.experts != ZCMOE_EXPERTS_CONSTANT) {
      return of(ZCMOE_EXPERTS_LINEAR, job_.tolerance, job_.options.max_segments).num_segments();
    }
    const auto fits = [&](const value_range& r) { return !(r.high - r.low > 2 * job_.tolerance); };
    return sweep_maximum(from_, knots_, job_, job_.options.max_segments, fits).num_segments();
  }
  compiled_table smallest_of(std::int32_t experts, std::int64_t most) {
    const bool lines = experts != ZCMOE_EXPERTS_CONSTANT;
    return of(experts, lines ? job_.tolerance * (1 - chord_share) : job_.tolerance, most);
  }
  double of_uniform(std::int64_t m) {
    if (job_.experts == ZCMOE_EXPERTS_CONSTANT) return uniform_maximum(from_, knots_, job_, m);
    return uniform_lines_error(from_, dense_, job_, m, job_.experts == ZCMOE_EXPERTS_INTERPOLATE);
  }

 private:
  compiled_table of(std::int32_t experts, double aim, std::int64_t most) {
    if (experts == ZCMOE_EXPERTS_CONSTANT) {
      return sweep_maximum(from_, knots_, job_, most,
                           [&](const value_range& r) { return r.error() <= aim; });
    }
    if (!is_dense_ && !make_dense(from_, job_, most, dense_)) return {};
    is_dense_ = true;
    return sweep_lines(from_, dense_, job_, most, aim, experts == ZCMOE_EXPERTS_INTERPOLATE);
  }

  const compiled_function& from_;
  const compile_job& job_;
  double aim_;
  std::vector<double> added_;  // inputs that the last scan missed
  profile knots_;
  profile dense_;
  bool is_dense_ = false;
};

/// Tables for the mean squared error.
class rms_tables {
 public:
  rms_tables(const compiled_function& from, const compile_job& job)
      : from_(from), job_(job), parts_(job.options.scan_parts) {}

  void scan_again() { seen_ = scanned(from_, job_, parts_, {}); }
  compiled_table smallest() {
    return smallest_rms(from_, sweep(job_.experts), aim_ * aim_ * whole(),
                        job_.options.max_segments);
  }
  [[noreturn]] void fail_too_many() const {
    from_.refuse_divergence();
    fail_too_many_segments(job_);
  }
  verdict verified(const compiled_table& t, const table_predictions& predictions) const {
    return verified_rms(from_, job_, t, predictions);
  }
  bool learn(const compiled_table& t, const verdict& found) {
    if (found.error <= root(t.error) * (1 + 1e-3)) {
      aim_ *= (job_.tolerance / found.error) * (1 - bound_precision);
    } else {
      parts_ *= 4;  // the scan missed something, so the next one is finer
    }
    return parts_ <= compile_tuning::max_parts;
  }
  /// No segment of a table that meets the tolerance has more than the whole error.
  std::int64_t least() const {
    const bool lines = job_.experts != ZCMOE_EXPERTS_CONSTANT;
    return sweep(lines ? ZCMOE_EXPERTS_LINEAR : ZCMOE_EXPERTS_CONSTANT)
        .with_bound(whole(), job_.options.max_segments)
        .num_segments();
  }
  compiled_table smallest_of(std::int32_t experts, std::int64_t most) const {
    return smallest_rms(from_, sweep(experts), whole(), most);
  }
  double of_uniform(std::int64_t m) const { return root(sweep(job_.experts).of_uniform(m)); }

 private:
  rms_sweep sweep(std::int32_t experts) const { return {from_, seen_, job_, experts}; }
  double whole() const {
    const double unit = from_.tolerance_in_units();
    return unit * unit * seen_.mass;
  }
  double root(double integral) const { return from_.from_units(std::sqrt(integral / seen_.mass)); }

  const compiled_function& from_;
  const compile_job& job_;
  std::int64_t parts_;
  double aim_ = 1.0;  // as a part of the tolerance
  scan seen_;
};

/// How many segments of each kind the tolerance takes, 0 where more than the job compares.
template <class Tables>
void compare_experts(Tables& tables, const compile_job& job, zcmoe_compile_result& result) {
  const auto count = [&](std::int32_t experts) {
    if (experts == job.experts) return result.num_segments;
    if (job.options.compared_segments == 0) return std::int64_t{0};
    const compiled_table t = tables.smallest_of(experts, job.options.compared_segments);
    return t.complete ? t.num_segments() : 0;
  };
  result.constant_segments = count(ZCMOE_EXPERTS_CONSTANT);
  result.linear_segments = count(ZCMOE_EXPERTS_LINEAR);
  result.interpolate_segments = count(ZCMOE_EXPERTS_INTERPOLATE);
}

template <class Tables>
zcmoe_compile_result smallest_table(const compiled_function& from, const compile_job& job,
                                    const table_maker& make) {
  Tables tables(from, job);
  zcmoe_compile_result result{};
  for (int round = 0;; ++round) {
    tables.scan_again();
    const compiled_table t = tables.smallest();
    if (!t.complete) tables.fail_too_many();
    const verdict found = tables.verified(t, made(from, make, t));
    if (!(found.error <= job.tolerance)) {
      if (round + 1 == compile_tuning::max_rounds) fail_unverified(job, t, found.error);
      if (!tables.learn(t, found)) fail_unverified(job, t, found.error);
      continue;
    }
    result.error = found.error;
    result.gap = found.gap;
    result.num_segments = t.num_segments();
    result.least_segments = tables.least();
    const uniform_table uniform =
        smallest_uniform([&](std::int64_t m) { return tables.of_uniform(m); }, job.tolerance,
                         result.num_segments, job.options.max_segments, job.experts);
    result.uniform_segments = uniform.num_segments;
    result.uniform_error = uniform.error;
    compare_experts(tables, job, result);
    return result;
  }
}

}  // namespace

zcmoe_compile_result compile_table(const compile_job& job, const table_maker& make) {
  const compiled_function from(job);
  zcmoe_compile_result result = job.options.error == ZCMOE_COMPILE_MAX
                                    ? smallest_table<maximum_tables>(from, job, make)
                                    : smallest_table<rms_tables>(from, job, make);
  result.num_evaluations = from.evaluations();
  return result;
}

}  // namespace zcmoe::detail
