// The steps of a fit that do not depend on the engine: creation, merging, the report, and the
// model. Rows are added by the engine, through jobs made here.
#include "host/model/fit.hpp"

#include "host/array.hpp"
#include "host/model/lines.hpp"
#include "host/numbers/compensated_sum.hpp"
#include "host/segmentation/edges.hpp"
#include "host/segmentation/empty_segments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

state_layout layout_of(std::size_t num_segments, const model_policies& policies,
                       const zcmoe_fit_options& options) {
  return {static_cast<std::int64_t>(num_segments), options.target_dtype, options.weighted != 0,
          policies.options.experts != ZCMOE_EXPERTS_CONSTANT};
}

/// The model with the numbers of its segments as constants; what these were goes to `kept`.
points_data numbered(points_data model, std::vector<double>& kept) {
  head& h = model.tables.head;
  const std::size_t m = h.constants.size();
  ZCMOE_EXPECTS(h.has_segments(),
                "partition has no segments: its answers are sums of the "
                "constants of all its look-ups; a tree, a grid or a score has segments");
  ZCMOE_EXPECTS(static_cast<std::int64_t>(m) <= ZCMOE_MAX_CELLS, "partition has ", m,
                " segments, and a fit takes at most ", ZCMOE_MAX_CELLS);
  std::vector<double> numbers(m);
  std::iota(numbers.begin(), numbers.end(), 0.0);
  kept = std::exchange(h.constants, std::move(numbers));
  for (const double constant : kept) {
    ZCMOE_EXPECTS(!std::isinf(constant), "a constant of the partition is infinite");
  }
  h.counts.assign(m, 0);
  h.variances.assign(m, quiet_nan());
  h.standard_errors.assign(m, quiet_nan());
  model.num_rows = 0;
  model.noise_variance = quiet_nan();
  return model;
}

void check_options(const zcmoe_fit_options& options) {
  ZCMOE_EXPECTS(options.target_dtype == ZCMOE_F32 || options.target_dtype == ZCMOE_F64,
                "fit_options->target_dtype=", options.target_dtype,
                " is neither ZCMOE_F32 nor ZCMOE_F64");
  ZCMOE_EXPECTS(options.weighted == 0 || options.weighted == 1,
                "fit_options->weighted=", options.weighted, " is neither 0 nor 1");
  ZCMOE_EXPECTS(options.nan_inputs == ZCMOE_ROWS_SKIP || options.nan_inputs == ZCMOE_ROWS_ERROR,
                "fit_options->nan_inputs=", options.nan_inputs, " is not a ZCMOE_ROWS_ value");
  ZCMOE_EXPECTS(
      options.nonfinite_targets == ZCMOE_ROWS_SKIP || options.nonfinite_targets == ZCMOE_ROWS_ERROR,
      "fit_options->nonfinite_targets=", options.nonfinite_targets, " is not a ZCMOE_ROWS_ value");
  ZCMOE_EXPECTS(options.determinism >= ZCMOE_DETERMINISM_FAST &&
                    options.determinism <= ZCMOE_DETERMINISM_REPRODUCIBLE,
                "fit_options->determinism=", options.determinism,
                " is not a ZCMOE_DETERMINISM_ value");
  ZCMOE_EXPECTS(options.reserved == 0, "fit_options->reserved=", options.reserved, " is not 0");
}

/// Refuses to let a state count more than max_state_rows rows, so that no counter and no sum
/// overflows.
void check_rows_fit(std::int64_t rows, std::int64_t more, const char* what) {
  if (more > max_state_rows - rows) {
    fail(ZCMOE_ERR_NUMERIC, what, more, " rows, and the fit counts ", rows,
         " already: together more than ", max_state_rows);
  }
}

/// Whether two fits agree on the segment of each row and on what becomes of it. Names and
/// determinism may differ.
bool same_policies(const fit& a, const fit& b) {
  const auto same = [](double x, double y) { return x == y || (x != x && y != y); };
  const zcmoe_model_options& p = a.policies().options;
  const zcmoe_model_options& q = b.policies().options;
  return p.closed_side == q.closed_side && p.include_outer_edge == q.include_outer_edge &&
         p.nan_policy == q.nan_policy && p.range_policy == q.range_policy &&
         p.empty_policy == q.empty_policy && p.constants == q.constants && p.experts == q.experts &&
         p.weights_kind == q.weights_kind && same(p.nan_value, q.nan_value) &&
         same(p.range_value, q.range_value) && same(p.empty_value, q.empty_value) &&
         same(p.shrinkage, q.shrinkage) && a.options().nan_inputs == b.options().nan_inputs &&
         a.options().nonfinite_targets == b.options().nonfinite_targets &&
         a.segment_options().empty_policy == b.segment_options().empty_policy &&
         same(a.segment_options().empty_value, b.segment_options().empty_value);
}

bool same_sum(const std::vector<axis_offsets>& a, const std::vector<axis_offsets>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const axis_offsets& p, const axis_offsets& q) {
                      return p.axis == q.axis && p.offsets == q.offsets;
                    });
}

bool same_axis(const input_axis& a, const input_axis& b) {
  return a.input == b.input && a.edges == b.edges && a.closed_side == b.closed_side &&
         a.include_outer_edge == b.include_outer_edge && a.nan_policy == b.nan_policy &&
         a.range_policy == b.range_policy;
}

bool same_bank(const bank& a, const bank& b) {
  const auto same_node = [](const zcmoe_tree_node& p, const zcmoe_tree_node& q) {
    return p.feature == q.feature && p.threshold == q.threshold && p.left == q.left &&
           p.right == q.right;
  };
  return a.constants == b.constants && same_sum(a.axes, b.axes) &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), b.nodes.end(), same_node) &&
         std::equal(a.oblique.begin(), a.oblique.end(), b.oblique.begin(), b.oblique.end(),
                    same_sum);
}

/// Refuses fits of several inputs whose segments differ: names may.
void check_segments(const fit& fit, const class fit& source) {
  const auto refuse = [](const auto&... what) { fail(ZCMOE_ERR_INCOMPATIBLE, what...); };
  const points_data& own = fit.numbers()->data();
  const points_data& other = source.numbers()->data();
  const auto check_count = [&](const char* name, std::size_t a, std::size_t b) {
    if (a != b) refuse("source has ", b, " ", name, ", fit has ", a);
  };
  check_count("inputs", static_cast<std::size_t>(own.tables.num_inputs),
              static_cast<std::size_t>(other.tables.num_inputs));
  check_count("segments", fit.kept_constants().size(), source.kept_constants().size());
  check_count("axes", own.tables.axes.size(), other.tables.axes.size());
  check_count("banks", own.tables.banks.size(), other.tables.banks.size());
  for (std::size_t a = 0; a < own.tables.axes.size(); ++a) {
    if (!same_axis(own.tables.axes[a], other.tables.axes[a]))
      refuse("source and fit differ in axis ", a, ": its input, edges or policies");
  }
  for (std::size_t b = 0; b < own.tables.banks.size(); ++b) {
    if (!same_bank(own.tables.banks[b], other.tables.banks[b]))
      refuse("source and fit differ in bank ", b);
  }
  if (own.tables.head.thresholds != other.tables.head.thresholds)
    refuse("source and fit differ in the thresholds of their scores");
  if (own.partition != other.partition)
    refuse("source partition=", other.partition, ", fit partition=", own.partition);
  for (std::size_t i = 0; i < fit.kept_constants().size(); ++i) {
    const double a = fit.kept_constants()[i];
    const double b = source.kept_constants()[i];
    if (!(a == b || (std::isnan(a) && std::isnan(b)))) {
      refuse("source has kept the constant ", b, " of segment ", i, ", fit has kept ", a);
    }
  }
}

}  // namespace

model_policies fit_policies_of(const zcmoe_points_fit_options& options) {
  zcmoe_model_options policies = ZCMOE_MODEL_OPTIONS_INIT;
  policies.range_policy = ZCMOE_RANGE_NAN;
  policies.weights_kind = options.weights_kind;
  return model_policies(policies);
}

fit::fit(std::shared_ptr<backend> engine, std::vector<double> edges, model_policies policies,
         const zcmoe_fit_options& options)
    : engine_(std::move(engine)),
      edges_(std::move(edges)),
      policies_(std::move(policies)),
      options_(options) {
  // Adding 0.0 makes -0.0 into 0.0, so that equal tables have equal bytes.
  for (double& edge : edges_) edge += 0.0;
  layout_ = layout_of(edges_.size() - 1, policies_, options_);
  check_options(options_);
  check_edges(edges_.data(), layout_.num_segments);
  ZCMOE_EXPECTS(policies_.options.constants == ZCMOE_CONSTANTS_MEAN ||
                    layout_.num_segments <= ZCMOE_MAX_SMOOTH_SEGMENTS,
                "num_segments=", layout_.num_segments, " is more than ", ZCMOE_MAX_SMOOTH_SEGMENTS,
                ", the most of model_options->constants=ZCMOE_CONSTANTS_SMOOTH (1)");
  make_state();
  if (layout_.lines) {
    const std::vector<line_frame> frames = line_frames_of(edges_);
    frames_ = engine_buffer(engine_, frames.size() * sizeof(line_frame), nullptr);
    engine_->upload(frames_.data(), frames.data(), frames_.bytes(), nullptr);
  }
  pivot_ = pivot_of(edges_.data(), layout_.num_segments, policies_.options.closed_side);
  make_routes(edges_);
}

fit::fit(std::shared_ptr<backend> engine, fit_segments segments, const zcmoe_fit_options& options)
    : engine_(std::move(engine)),
      segment_options_(segments.options),
      policies_(fit_policies_of(segment_options_)),
      options_(options) {
  check_options(options_);
  numbers_ = std::make_unique<points_model>(
      engine_, numbered(std::move(segments.model), kept_constants_), nullptr);
  layout_ = layout_of(kept_constants_.size(), policies_, options_);
  make_state();
  // On the CPU segments are slots as they are.
  if (engine_->engine() == ZCMOE_ENGINE_CPU) return;
  std::vector<double> edges(kept_constants_.size() + 1);
  std::iota(edges.begin(), edges.end(), 0.0);
  make_routes(edges);
}

void fit::make_state() {
  state_ = engine_buffer(engine_, layout_.bytes(), nullptr);
  first_bad_ = engine_buffer(engine_, sizeof none, nullptr);
  engine_->upload(first_bad_.data(), &none, sizeof none, nullptr);
}

void fit::make_routes(const std::vector<double>& edges) {
  model_view table{};
  table.edges = edges.data();
  table.num_segments = layout_.num_segments;
  table.closed_side = policies_.options.closed_side;
  table.include_outer_edge = policies_.options.include_outer_edge;
  table.nan_policy = policies_.options.nan_policy;
  table.range_policy = policies_.options.range_policy;
  routes_ = engine_->make_router(table, {}, nullptr);
}

row_rules fit::rules() const {
  row_rules rules{};
  const zcmoe_model_options& model = policies_.options;
  rules.use_nan_inputs = model.nan_policy == ZCMOE_NAN_SEGMENT;
  rules.use_outside_inputs =
      model.range_policy == ZCMOE_RANGE_CLAMP || model.range_policy == ZCMOE_RANGE_SEGMENTS;
  rules.refuse_nan_inputs = options_.nan_inputs == ZCMOE_ROWS_ERROR;
  rules.refuse_nonfinite_targets = options_.nonfinite_targets == ZCMOE_ROWS_ERROR;
  return rules;
}

fit_job fit::job(const points& rows, const zcmoe_array& y, const zcmoe_array& weights) {
  fit_job job{};
  job.layout = layout_;
  job.rules = rules();
  job.routes = routes_.get();
  job.frames = static_cast<const line_frame*>(frames_.data());
  job.state = state();
  job.first_bad = static_cast<std::int64_t*>(first_bad_.data());
  job.rows = rows;
  job.y = y;
  job.weights = weights;
  return job;
}

void fit::add(const points& rows, const zcmoe_array& y, const zcmoe_array& weights, void* workspace,
              std::size_t workspace_bytes, zcmoe_stream stream) {
  check_rows_fit(rows_added_, rows.n, "the call adds ");
  fit_job added = job(rows, y, weights);
  added.workspace = workspace;
  added.workspace_bytes = workspace_bytes;
  engine_->accumulate(added, stream);
  rows_added_ += rows.n;
}

void fit::add_sync(const points& rows, const zcmoe_array& y, const zcmoe_array& weights,
                   zcmoe_stream stream) {
  check_rows_fit(rows_added_, rows.n, "the call adds ");
  engine_->accumulate_sync(job(rows, y, weights), stream);
  rows_added_ += rows.n;
}

void fit::check_mergeable(const fit& source) const {
  if ((numbers_ == nullptr) != (source.numbers_ == nullptr)) {
    fail(ZCMOE_ERR_INCOMPATIBLE, "source is a fit of ",
         source.numbers_ == nullptr ? "one input" : "several inputs", ", fit is not");
  }
  if (numbers_ != nullptr) check_segments(*this, source);
  if (edges_ != source.edges_) {
    if (edges_.size() != source.edges_.size()) {
      fail(ZCMOE_ERR_INCOMPATIBLE, "source has ", source.layout_.num_segments,
           " segments, fit has ", layout_.num_segments);
    }
    const auto at = std::mismatch(edges_.begin(), edges_.end(), source.edges_.begin());
    fail(ZCMOE_ERR_INCOMPATIBLE, "source edges[", at.first - edges_.begin(), "]=", *at.second,
         ", fit edges[", at.first - edges_.begin(), "]=", *at.first);
  }
  if (layout_.target_dtype != source.layout_.target_dtype) {
    fail(ZCMOE_ERR_INCOMPATIBLE, "source target_dtype=", name_of(source.layout_.target_dtype),
         ", fit target_dtype=", name_of(layout_.target_dtype));
  }
  if (layout_.weighted != source.layout_.weighted) {
    fail(ZCMOE_ERR_INCOMPATIBLE, "source weighted=", source.layout_.weighted,
         ", fit weighted=", layout_.weighted);
  }
  if (!same_policies(*this, source)) {
    fail(ZCMOE_ERR_INCOMPATIBLE,
         "source and fit differ in a policy: closed_side, include_outer_edge, nan_, range_ or "
         "empty_policy or their values, constants, experts, weights_kind, shrinkage, nan_inputs or "
         "nonfinite_targets");
  }
}

void fit::merge(const fit& source, zcmoe_stream stream) {
  check_mergeable(source);
  // In each state every counter and every count of a segment is at most the number of rows, and so
  // in the sum of both. Where the rows stay within the limit nothing overflows, and the merged
  // state can be read again.
  std::int64_t own[num_row_counters];
  std::int64_t other[num_row_counters];
  read_counters(own, stream);
  source.read_counters(other, stream);
  check_rows_fit(own[counter_rows], other[counter_rows], "source has ");
  if (engine_ == source.engine_ ||
      (engine_->engine() == ZCMOE_ENGINE_CPU && source.engine_->engine() == ZCMOE_ENGINE_CPU)) {
    engine_->merge(layout_, state(), source.state(), stream);
    rows_added_ = own[counter_rows] + other[counter_rows];
    return;
  }
  // The states are in different memories, so one of them is copied through the host.
  std::vector<std::int64_t> host(layout_.bytes() / sizeof(std::int64_t));
  source.engine_->download(host.data(), source.state(), layout_.bytes(), stream);
  engine_buffer copy(engine_, layout_.bytes(), stream);
  engine_->upload(copy.data(), host.data(), layout_.bytes(), stream);
  engine_->merge(layout_, state(), static_cast<const std::int64_t*>(copy.data()), stream);
  rows_added_ = own[counter_rows] + other[counter_rows];
}

void fit::restore(const host_state& from) {
  upload(*engine_, layout_, from, state(), nullptr);
  rows_added_ = from.counters[counter_rows];
}

void fit::read_counters(std::int64_t (&counters)[num_row_counters], zcmoe_stream stream) const {
  engine_->download(counters, state(), sizeof counters, stream);
}

zcmoe_report fit::report(zcmoe_stream stream) const {
  std::int64_t counters[num_row_counters];
  std::int64_t first_bad = none;
  read_counters(counters, stream);
  engine_->download(&first_bad, first_bad_.data(), sizeof first_bad, stream);
  zcmoe_report report{};
  report.rows = counters[counter_rows];
  report.rows_used = counters[counter_rows_used];
  report.nan_inputs = counters[counter_nan_inputs];
  report.below_range = counters[counter_below_range];
  report.above_range = counters[counter_above_range];
  report.nan_targets = counters[counter_nan_targets];
  report.infinite_targets = counters[counter_infinite_targets];
  report.zero_weights = counters[counter_zero_weights];
  report.bad_weights = counters[counter_bad_weights];
  report.first_bad_row = first_bad == none ? -1 : first_bad;
  return report;
}

std::vector<slot_summary> fit::summaries(zcmoe_stream stream) const {
  std::int64_t counters[num_row_counters];
  read_counters(counters, stream);
  if (counters[counter_refused] > 0) {
    const std::int64_t first = report(stream).first_bad_row;
    fail(ZCMOE_ERR_DATA, counters[counter_refused], " row",
         counters[counter_refused] == 1 ? "" : "s",
         " refused by an error policy or a weight that is negative or not finite",
         first >= 0 ? text("; the first is row ", first) : std::string());
  }
  std::vector<slot_summary> found(static_cast<std::size_t>(layout_.num_slots()));
  engine_->summarize(layout_, state(), found.data(), stream);
  if (has_precisions(policies_, layout_.weighted))
    std::transform(found.begin(), found.end(), found.begin(), with_precisions);
  return found;
}

std::unique_ptr<model> fit::finish(zcmoe_stream stream) const {
  const std::vector<slot_summary> found = summaries(stream);
  if (!layout_.lines) {
    return std::make_unique<model>(
        engine_, model_data_of(edges_, policies_, found, layout_.target_dtype, layout_.weighted),
        policies_, stream);
  }
  std::vector<line_summary> lines(found.size());
  engine_->summarize_lines(layout_, state(), lines.data(), stream);
  return std::make_unique<model>(
      engine_,
      model_data_of(edges_, policies_, found, lines, layout_.target_dtype, layout_.weighted),
      policies_, stream);
}

std::unique_ptr<points_model> fit::finish_points(zcmoe_stream stream) const {
  std::vector<slot_summary> found = summaries(stream);
  found.resize(kept_constants_.size());
  points_data made = numbers_->data();
  head& h = made.tables.head;
  std::vector<double> weights;
  compensated_sum squares;  // of the distances of rows from their means, by weight
  compensated_sum total;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const slot_summary& s = found[i];
    h.constants[i] = s.mean;
    h.counts[i] = s.count;
    h.variances[i] = s.variance;
    h.standard_errors[i] = s.standard_error;
    made.num_rows += s.count;
    weights.push_back(s.weight);
    if (s.count == 0) continue;
    total.add(s.weight);
    if (s.count == 1) continue;
    squares.add(layout_.weighted ? s.mean_square * s.weight
                                 : s.variance * static_cast<double>(s.count - 1));
  }
  const double noise = squares.value() / total.value();
  made.noise_variance = std::isfinite(noise) && noise >= 0.0 ? noise : quiet_nan();
  const double mean =
      mean_of_rows({nullptr, h.counts.data(), weights.data(), h.constants.data(), found.size()}, 0,
                   found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (h.counts[i] > 0) continue;
    switch (segment_options_.empty_policy) {
      case ZCMOE_EMPTY_NAN: h.constants[i] = quiet_nan(); break;
      case ZCMOE_EMPTY_GLOBAL_MEAN: h.constants[i] = mean; break;
      case ZCMOE_EMPTY_VALUE: h.constants[i] = segment_options_.empty_value; break;
      default: h.constants[i] = kept_constants_[i];
    }
  }
  return std::make_unique<points_model>(engine_, std::move(made), stream);
}

}  // namespace zcmoe::detail
