// Compares predictions with the function, by probes and by quadrature: see verify.hpp.
#include "host/planning/verify.hpp"

#include "host/error.hpp"
#include "host/segmentation/uniform.hpp"

#include <zcmoe/model_view.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct verify_tuning {
  // A verification of the largest error evaluates f at this many inputs or more.
  static constexpr std::int64_t probes = 1 << 17;
  // At least so many of them lie in each segment.
  static constexpr std::int64_t probes_of_a_segment = 16;
  // So many segments are verified at once, which bounds the memory that their probes take.
  static constexpr std::size_t verified_at_once = 4096;
  // At most so many inputs with a wrong prediction are told.
  static constexpr std::size_t max_missed = 4096;
  // A panel of the quadrature is good if its error is at most this part of the integral that the
  // tolerance allows, or of its own.
  static constexpr double panel_tolerance = 1e-12;
  // So many panels may be added to the first ones.
  static constexpr std::size_t max_panels = std::size_t{1} << 18;
};

/// Values of f between the ends of segment i, and at the ends.
profile probes_of(const compiled_function& from, const compile_job& job, const compiled_table& t,
                  std::size_t i, double& gap) {
  const double left = std::max(t.edges[i], job.lo);
  const double right = std::min(t.edges[i + 1], job.hi);
  const double share =
      (right - left) / (job.hi - job.lo) * static_cast<double>(verify_tuning::probes);
  const auto inside =
      std::max(verify_tuning::probes_of_a_segment, static_cast<std::int64_t>(std::ceil(share)));
  // Multiples of the golden ratio shift the probes away from the points of a scan, which lie at
  // simple fractions of the range.
  double phase = 0.5 * (std::sqrt(5.0) - 1.0) * static_cast<double>(i + 1);
  phase -= std::floor(phase);
  profile probes{{left, from.f(left)}};
  for (std::int64_t j = 0; j < inside; ++j) {
    const double s = (static_cast<double>(j) + phase) / static_cast<double>(inside);
    const double x = left * (1.0 - s) + right * s;
    if (x > probes.back().x && x < right) probes.push_back({x, from.f(x)});
  }
  if (right > probes.back().x) probes.push_back({right, from.f(right)});
  for (std::size_t j = 1; j < probes.size(); ++j)
    gap = std::max(gap, probes[j].x - probes[j - 1].x);
  insert_extrema(from, t.experts[i], probes);
  return probes;
}

/// Throws unless the model answers inside each segment what the expert of the table does.
void check_experts(const compile_job& job, const compiled_table& t,
                   const table_predictions& predictions) {
  std::vector<double> inputs;
  std::vector<double> expected;
  for (std::size_t i = 0; i < t.experts.size(); ++i) {
    const double left = job.closed_right ? std::nextafter(t.edges[i], infinity) : t.edges[i];
    const double right =
        job.closed_right ? t.edges[i + 1] : std::nextafter(t.edges[i + 1], -infinity);
    for (const double x : {left, 0.5 * left + 0.5 * right, right}) {
      inputs.push_back(x);
      expected.push_back(value_of(t.experts[i], x));
    }
  }
  const std::vector<double> given = predictions(inputs);
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] == expected[i]) continue;
    fail(ZCMOE_ERR_INTERNAL, "the compiled model answers ", given[i], " at x=", inputs[i],
         ", its table ", expected[i]);
  }
}

struct squared_error_panel {
  double left;
  double right;
  std::size_t segment;
  double integral;
  double error;  // what the rules of 7 and 15 points differ by
  double mass;

  double middle() const { return 0.5 * left + 0.5 * right; }
  /// Whether no double lies between its ends.
  bool is_smallest() const { return middle() <= left || middle() >= right; }
};

squared_error_panel measured(const compiled_function& from, const compiled_table& t, double left,
                             double right, std::size_t segment) {
  const kronrod_rule& rule = kronrod_rule::instance();
  squared_error_panel p{left, right, segment, 0.0, 0.0, 0.0};
  if (p.is_smallest()) {  // it holds no input but `left`
    const double off = from.in_units(from.f(left) - value_of(t.experts[segment], left));
    p.mass = (from.place(right) - from.place(left)) * from.p(left);
    p.integral = p.mass * off * off;
    return p;
  }
  double gauss = 0.0;
  for (std::size_t j = 0; j < kronrod_rule::size; ++j) {
    const double x = from.point(left, right, rule.node[j]);
    const double density = from.p(x);
    const double off = from.in_units(from.f(x) - value_of(t.experts[segment], x));
    p.integral += rule.weight[j] * density * off * off;
    p.mass += rule.weight[j] * density;
    if (j % 2 == 1) gauss += rule.gauss_weight[j / 2] * density * off * off;
  }
  const double half = 0.5 * (from.place(right) - from.place(left));
  p.error = half * std::abs(p.integral - gauss);
  p.integral *= half;
  p.mass *= half;
  return p;
}

}  // namespace

verdict verified_maximum(const compiled_function& from, const compile_job& job,
                         const compiled_table& t, const table_predictions& predictions) {
  verdict v;
  const std::size_t m = t.experts.size();
  for (std::size_t first = 0; first < m; first += verify_tuning::verified_at_once) {
    const std::size_t end = std::min(m, first + verify_tuning::verified_at_once);
    profile probes;
    for (std::size_t i = first; i < end; ++i) {
      const profile own = probes_of(from, job, t, i, v.gap);
      probes.insert(probes.end(), own.begin(), own.end());
    }
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
      if (!(error <= job.tolerance) && v.missed.size() < verify_tuning::max_missed)
        v.missed.push_back(inputs[i]);
    }
  }
  return v;
}

verdict verified_rms(const compiled_function& from, const compile_job& job, const compiled_table& t,
                     const table_predictions& predictions) {
  check_experts(job, t, predictions);
  // Three times the parts of a scan, and one more, have no ends in common with them.
  std::vector<double> ends = distinct_uniform_edges(job.lo, job.hi, 3 * job.options.scan_parts + 1);
  ends.insert(ends.end(), t.edges.begin(), t.edges.end());
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  std::vector<squared_error_panel> first;
  double mass = 0.0;
  std::size_t segment = 0;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    while (segment + 1 < t.experts.size() && t.edges[segment + 1] <= ends[i]) ++segment;
    first.push_back(measured(from, t, ends[i], ends[i + 1], segment));
    mass += first.back().mass;
  }
  const double tolerance = from.tolerance_in_units();
  const double allowed = verify_tuning::panel_tolerance * tolerance * tolerance * mass;
  const auto is_good = [&](const squared_error_panel& p) {
    return p.error <= allowed || p.error <= verify_tuning::panel_tolerance * p.integral;
  };
  const std::size_t most = first.size() + verify_tuning::max_panels;
  const std::vector<squared_error_panel> panels = halved_until_good(
      std::move(first), most,
      [](const squared_error_panel& a, const squared_error_panel& b) {
        return a.error != b.error ? a.error < b.error : a.left > b.left;
      },
      is_good,
      [&](const squared_error_panel& p, double middle) {
        return std::array<squared_error_panel, 2>{measured(from, t, p.left, middle, p.segment),
                                                  measured(from, t, middle, p.right, p.segment)};
      });
  verdict v;
  double_double integral;
  double_double whole;
  for (const squared_error_panel& p : panels) {
    integral = integral + p.integral;
    if (!is_good(p)) integral = integral + p.error;
    whole = whole + p.mass;
    v.gap = std::max(v.gap, 0.5 * (p.right - p.left) * kronrod_rule::instance().node[8]);
  }
  v.error = from.from_units(std::sqrt(integral.high / whole.high));
  if (!(v.error == v.error)) v.error = infinity;
  return v;
}

}  // namespace zcmoe::detail
