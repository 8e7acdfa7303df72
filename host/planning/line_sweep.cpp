// Lines within a tolerance of a dense profile: see line_sweep.hpp.
#include "host/planning/line_sweep.hpp"

#include <cstddef>
#include <iterator>

namespace zcmoe::detail {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct line_sweep_tuning {
  // A table whose segments would have more values than this on average is given up. Where f is
  // smooth they have about 30.
  static constexpr std::int64_t most_values = 40;
  // Where between two values the next one is taken: not in the middle, where a cubic may meet its
  // chord.
  static constexpr double place = 0.381966011250105;
};

/// Values of f in ascending order of inputs, of which the hulls alone are kept: every value lies
/// between them.
class hulls {
 public:
  void add(const profile_point& p) {
    push(upper_, p, 1.0);
    push(lower_, p, -1.0);
  }

  /// The slope of the line with the least largest distance, and that distance.
  struct best {
    double slope = 0.0;
    double error = infinity;
  };
  best line() const {
    if (upper_.size() == 1) return {0.0, 0.0};
    best found;
    // The support of the other hull moves towards one end only, as the slope of edges changes.
    std::size_t at = lower_.size() - 1;
    for (std::size_t i = 1; i < upper_.size(); ++i)
      consider(upper_[i - 1], upper_[i], lower_, at, 1.0, found);
    at = upper_.size() - 1;
    for (std::size_t i = 1; i < lower_.size(); ++i)
      consider(lower_[i - 1], lower_[i], upper_, at, -1.0, found);
    return found;
  }

  /// The line of that slope from `from` to `to`, in the middle between the hulls.
  zcmoe_line expert(double from, double to) const {
    const double slope = line().slope;
    const auto above = [&](const profile_point& p) { return p.value - slope * (p.x - from); };
    double low = infinity;
    double high = -infinity;
    for (const profile_point& p : upper_) high = std::max(high, above(p));
    for (const profile_point& p : lower_) low = std::min(low, above(p));
    return {from, to, 0.5 * low + 0.5 * high, slope};
  }

 private:
  static double slope_of(const profile_point& a, const profile_point& b) {
    return (b.value - a.value) / (b.x - a.x);
  }
  static void push(profile& hull, const profile_point& p, double sign) {
    while (hull.size() >= 2 &&
           sign * slope_of(hull[hull.size() - 2], hull.back()) <= sign * slope_of(hull.back(), p)) {
      hull.pop_back();
    }
    hull.push_back(p);
  }
  static void consider(const profile_point& a, const profile_point& b, const profile& other,
                       std::size_t& at, double sign, best& found) {
    const double slope = slope_of(a, b);
    while (at > 0 && sign * slope_of(other[at - 1], other[at]) > sign * slope) --at;
    const double distance = (a.value - other[at].value) - slope * (a.x - other[at].x);
    const double error = 0.5 * std::abs(distance);
    if (error < found.error) found = {slope, error};
  }

  profile upper_;
  profile lower_;
};

/// Walks a dense profile, and finds the last input that fits between two of its values.
class line_sweeper {
 public:
  line_sweeper(const compiled_function& from, const profile& dense, double aim)
      : from_(from), dense_(dense), aim_(aim), next_(1), start_(dense[0]) {}

  bool done() const { return next_ >= dense_.size(); }
  const profile_point& start() const { return start_; }
  /// The last input that fitted and the first that did not, which are neighbouring doubles.
  const profile_point& reached() const { return reached_; }
  const profile_point& bad() const { return bad_; }
  void begin_at(const profile_point& p) {
    start_ = p;
    while (!done() && dense_[next_].x <= p.x) ++next_;
  }

  /// Takes values from the start as far as one line fits them.
  hulls take_free() {
    reached_ = start_;
    hulls taken;
    taken.add(start_);
    // Steps double while they fit and are halved once they do not, so that each value is added to
    // few hulls.
    std::size_t step = 1;
    bool growing = true;
    while (!done() && step > 0) {
      const std::size_t end = std::min(dense_.size(), next_ + step);
      hulls longer = taken;
      for (std::size_t i = next_; i < end; ++i) longer.add(dense_[i]);
      if (longer.line().error <= aim_) {
        taken = std::move(longer);
        reached_ = dense_[end - 1];
        next_ = end;
        if (growing) step *= 2;
      } else {
        growing = false;
      }
      if (!growing) step /= 2;
    }
    bisect([&](const profile_point& p) {
      hulls longer = taken;
      longer.add(p);
      if (!(longer.line().error <= aim_)) return false;
      taken = std::move(longer);
      return true;
    });
    return taken;
  }

  /// Takes values as far as one line through (start, value) fits them; returns the middle of the
  /// slopes that do.
  double take_from(double value) {
    reached_ = start_;
    double low = -infinity;
    double high = infinity;
    const auto fits = [&](const profile_point& p) {
      const double width = p.x - start_.x;
      const double least = std::max(low, (p.value - aim_ - value) / width);
      const double most = std::min(high, (p.value + aim_ - value) / width);
      if (!(least <= most)) return false;
      low = least;
      high = most;
      return true;
    };
    while (!done() && fits(dense_[next_])) reached_ = dense_[next_++];
    bisect(fits);
    return reached_.x > start_.x ? 0.5 * low + 0.5 * high : 0.0;
  }

 private:
  /// Narrows [reached, next value] to neighbouring doubles.
  template <class Fits>
  void bisect(const Fits& fits) {
    if (done()) return;
    bad_ = dense_[next_];
    for (;;) {
      const double middle = 0.5 * reached_.x + 0.5 * bad_.x;
      if (middle <= reached_.x || middle >= bad_.x) return;
      const profile_point p{middle, from_.f(middle)};
      (fits(p) ? reached_ : bad_) = p;
    }
  }

  const compiled_function& from_;
  const profile& dense_;
  double aim_;
  std::size_t next_;  // the first value that is not taken yet
  profile_point start_;
  profile_point reached_{};
  profile_point bad_{};
};

/// The end of a table whose last segment begins at `left`.
double last_edge(double left, const compile_job& job) {
  return left == job.hi ? std::nextafter(job.hi, infinity) : job.hi;
}

compiled_table separate_lines(line_sweeper& sweep, const compile_job& job, std::int64_t most) {
  compiled_table t;
  t.edges.push_back(job.lo);
  for (;;) {
    const hulls taken = sweep.take_free();
    const double left = t.edges.back();
    if (sweep.done()) {
      t.edges.push_back(last_edge(left, job));
      t.experts.push_back(taken.expert(left, t.edges.back()));
      t.complete = true;
      return t;
    }
    if (t.num_segments() >= most - 1) return t;
    // Where lo needs a segment of its own, that segment begins one double outside the range.
    if (job.closed_right && sweep.reached().x == job.lo)
      t.edges[0] = std::nextafter(job.lo, -infinity);
    t.edges.push_back(job.closed_right ? sweep.reached().x : sweep.bad().x);
    t.experts.push_back(taken.expert(t.edges[t.edges.size() - 2], t.edges.back()));
    sweep.begin_at(sweep.bad());
  }
}

compiled_table continuous_lines(line_sweeper& sweep, const compile_job& job, std::int64_t most,
                                double aim) {
  compiled_table t;
  t.edges.push_back(job.lo);
  const auto close = [&](double to, double value, double slope) {
    t.experts.push_back({t.edges.back(), to, value, slope});
    t.edges.push_back(to);
  };
  bool free = true;  // the first segment, and each behind a jump
  double value = 0.0;
  for (;;) {
    const double left = sweep.start().x;
    double slope = 0.0;
    if (free) {
      const zcmoe_line line = sweep.take_free().expert(left, left);
      value = line.value;
      slope = line.slope;
    } else {
      slope = sweep.take_from(value);
    }
    if (sweep.done()) {
      close(last_edge(left, job), value, slope);
      t.complete = true;
      return t;
    }
    if (t.num_segments() >= most - 1) return t;
    const double right = sweep.reached().x;
    const double at_right = value + slope * (right - left);
    free = std::abs(sweep.bad().value - at_right) > 2 * aim;
    if (!free) {
      close(right, value, slope);
      value = at_right;
      sweep.begin_at(sweep.reached());
      continue;
    }
    if (job.closed_right) {
      if (right == job.lo) t.edges[0] = std::nextafter(job.lo, -infinity);
      close(right, value, slope);
    } else {
      close(sweep.bad().x, value, slope);
    }
    sweep.begin_at(sweep.bad());
  }
}

}  // namespace

bool make_dense(const compiled_function& from, const compile_job& job, std::int64_t most,
                profile& knots) {
  const double allowed = chord_share * job.tolerance;
  const auto most_values =
      static_cast<std::size_t>(line_sweep_tuning::most_values * most) + knots.size();
  profile dense{knots[0]};
  profile open(std::make_reverse_iterator(knots.end()),
               std::make_reverse_iterator(knots.begin() + 1));
  while (!open.empty()) {
    const profile_point left = dense.back();
    const profile_point right = open.back();
    const double x = left.x + line_sweep_tuning::place * (right.x - left.x);
    if (!(x > left.x && x < right.x)) {
      dense.push_back(right);
      open.pop_back();
      continue;
    }
    const double value = from.f(x);
    const double chord =
        left.value + (x - left.x) / (right.x - left.x) * (right.value - left.value);
    if (std::abs(value - chord) <= allowed) {
      dense.push_back({x, value});
      dense.push_back(right);
      open.pop_back();
    } else {
      open.push_back({x, value});
    }
    if (dense.size() > most_values) return false;
  }
  knots = std::move(dense);
  return true;
}

compiled_table sweep_lines(const compiled_function& from, const profile& dense,
                           const compile_job& job, std::int64_t most, double aim, bool continuous) {
  line_sweeper sweep(from, dense, aim);
  compiled_table t =
      continuous ? continuous_lines(sweep, job, most, aim) : separate_lines(sweep, job, most);
  t.error = aim;
  return t;
}

double uniform_lines_error(const compiled_function& from, const profile& dense,
                           const compile_job& job, std::int64_t m, bool continuous) {
  double error = 0.0;
  std::size_t k = 0;
  profile_point left{job.lo, from.f(job.lo)};
  for (std::int64_t i = 1; i <= m; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(m);
    const double x = i == m ? job.hi : job.lo * (1.0 - t) + job.hi * t;
    if (!(x > left.x)) continue;  // narrower than doubles get
    // The right end belongs to the next segment, except in the last one.
    const double last = i == m || continuous ? x : std::nextafter(x, job.lo);
    const profile_point right{last, from.f(last)};
    hulls values;
    double of_chord = 0.0;
    values.add(left);
    for (; k < dense.size() && dense[k].x <= right.x; ++k) {
      if (dense[k].x <= left.x) continue;
      const double chord =
          left.value + (dense[k].x - left.x) / (right.x - left.x) * (right.value - left.value);
      of_chord = std::max(of_chord, std::abs(dense[k].value - chord));
      values.add(dense[k]);
    }
    if (k == 0 || dense[k - 1].x < right.x) values.add(right);
    error = std::max(error, continuous ? of_chord : values.line().error);
    left = continuous ? right : profile_point{x, from.f(x)};
  }
  return error;
}

}  // namespace zcmoe::detail
