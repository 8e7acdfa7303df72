// Laws that must hold for any data, tried on random tables and rows: symmetries, exactness,
// policies, merging. 1,000 cases a property; more with RC_PARAMS="max_success=100000". A failure
// prints the smallest case found and how to run it again.
#include "tests/naive.hpp"
#include "tests/support.hpp"

#include <unistd.h>

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <set>

namespace zcmoe::test {
namespace {

const int number_of_cases =
    setenv("RC_PARAMS", "max_success=1000", 0);  // before RapidCheck reads it; a caller's wins

using reals = std::vector<double>;
using bytes = std::vector<unsigned char>;

std::int64_t count_of(std::size_t n) { return static_cast<std::int64_t>(n); }

const context& cpu() {
  static const context one = [] {
    zcmoe_context_options options = context_options();
    options.engine = ZCMOE_ENGINE_CPU;
    options.num_threads = 1;
    return context(options);
  }();
  return one;
}

// -------------------------------------------------------------- generators

/// Eighths in [-32, 32]: they meet often, and sums, shifts and scaled copies of them are exact.
rc::Gen<double> eighth() {
  return rc::gen::map(rc::gen::inRange(-256, 257), [](int k) { return k / 8.0; });
}

/// Any finite double, subnormals and the largest included.
rc::Gen<double> any_bits() {
  return rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), [](std::uint64_t bits) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return std::isfinite(value) ? value : 0x1p-1074;
  });
}

rc::Gen<double> finite() {
  return rc::gen::oneOf(
      eighth(), any_bits(),
      rc::gen::element(0.0, -0.0, 0x1p-1074, -0x1p-1074, 0x1p-1022, 1e308, -1e308, 0.1));
}

reals to_edges(reals values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.empty()) values.push_back(0.0);
  if (values.size() == 1)
    values.push_back(std::max(values[0] + 0.125, std::nextafter(values[0], infinity)));
  if (!std::isfinite(values.back())) values = {0.0, 1.0};
  return values;
}

rc::Gen<reals> edges_of(const rc::Gen<double>& number) {
  return rc::gen::map(rc::gen::container<reals>(number), to_edges);
}
/// Edges of any kind: spread out, or each one ulp from the next.
rc::Gen<reals> any_edges() {
  const auto adjacent =
      rc::gen::map(rc::gen::pair(eighth(), rc::gen::inRange(2, 12)), [](const auto& drawn) {
        reals edges{drawn.first};
        while (edges.size() < static_cast<std::size_t>(drawn.second)) {
          edges.push_back(std::nextafter(edges.back(), infinity));
        }
        return edges;
      });
  return rc::gen::oneOf(edges_of(eighth()), edges_of(finite()), adjacent);
}

/// Inputs that matter to a table: its edges, their neighbours, anything else.
rc::Gen<reals> inputs_for(const reals& edges) {
  const auto near = rc::gen::map(
      rc::gen::pair(rc::gen::elementOf(edges), rc::gen::inRange(-1, 2)), [](const auto& drawn) {
        return drawn.second == 0 ? drawn.first
                                 : std::nextafter(drawn.first, drawn.second * infinity);
      });
  return rc::gen::container<reals>(
      rc::gen::oneOf(near, finite(), rc::gen::element(infinity, -infinity)));
}

template <class T>
rc::Gen<std::vector<T>> rows(std::size_t n, const rc::Gen<T>& element) {
  return rc::gen::container<std::vector<T>>(n, element);
}

struct data {
  reals edges;
  reals x;
  reals y;
};
/// Rows whose sums are exact in double, so that expectations can be computed plainly.
data draw_eighths() {
  data d;
  d.edges = *edges_of(eighth());
  d.x = *rc::gen::container<reals>(eighth());
  d.y = *rows(d.x.size(), eighth());
  return d;
}
/// Anything goes, NaN and infinity too.
data draw_any() {
  const auto odd = rc::gen::oneOf(finite(), finite(), finite(),
                                  rc::gen::element(not_a_number, infinity, -infinity));
  data d;
  d.edges = *any_edges();
  d.x = *rc::gen::container<reals>(odd);
  d.y = *rows(d.x.size(), odd);
  return d;
}

rc::Gen<zcmoe_model_options> any_policies() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, 2), rc::gen::inRange(0, 2), rc::gen::inRange(0, 3),
                     rc::gen::inRange(0, 4), rc::gen::inRange(0, 5)),
      [](const auto& drawn) {
        zcmoe_model_options options = model_options();
        options.closed_side = std::get<0>(drawn);
        options.include_outer_edge = std::get<1>(drawn);
        options.nan_policy = std::get<2>(drawn);
        options.range_policy = std::get<3>(drawn);
        options.empty_policy = std::get<4>(drawn);
        options.nan_value = -1001.0;
        options.range_value = -1002.0;
        options.empty_value = -1003.0;
        return options;
      });
}

// ------------------------------------------------------------ what is asked

reals numbered_constants(const reals& edges) {
  reals constants(edges.size() - 1);
  std::iota(constants.begin(), constants.end(), 1.0);
  return constants;
}

std::vector<std::int64_t> segments_of(const model& model, zcmoe_array x, std::size_t n) {
  std::vector<std::int64_t> segments(n);
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.segments = output(segments.data());
  model.predict(x, count_of(n), outputs, nullptr);
  return segments;
}
std::vector<std::int64_t> segments_of(const model& model, const reals& x) {
  return segments_of(model, array(x.data()), x.size());
}

/// A table's segments, whatever its constants.
std::vector<std::int64_t> segments_on(const reals& edges, const reals& x,
                                      const zcmoe_model_options& options = model_options()) {
  return segments_of(model(cpu(), edges, numbered_constants(edges), options), x);
}

struct summary {
  reals constants, variances, standard_errors, weights;
  std::vector<std::int64_t> counts;
  double mean;
  std::int64_t num_rows;
};
summary summary_of(const model& model) {
  const zcmoe_model_info info = model.info();
  const auto n = info.num_slots;
  return {reals(info.constants, info.constants + n),
          reals(info.variances, info.variances + n),
          reals(info.standard_errors, info.standard_errors + n),
          reals(info.weights, info.weights + n),
          std::vector<std::int64_t>(info.counts, info.counts + n),
          info.mean,
          info.num_rows};
}

fit fit_of(const data& d, const zcmoe_model_options& options = model_options()) {
  fit result(cpu(), d.edges, options);
  result.add_sync(d.x, d.y);
  return result;
}
summary fitted(const data& d, const zcmoe_model_options& options = model_options()) {
  return summary_of(fit_of(d, options).finish());
}

fit weighted_fit_of(const data& d, const reals& weights) {
  zcmoe_fit_options options = fit_options();
  options.weighted = 1;
  fit result(cpu(), d.edges, model_options(), options);
  result.add_sync(d.x, d.y, weights);
  return result;
}

data part_of(const data& d, std::size_t first, std::size_t last) {
  const auto cut = [=](const reals& v) {
    return reals(v.begin() + static_cast<std::ptrdiff_t>(first),
                 v.begin() + static_cast<std::ptrdiff_t>(last));
  };
  return {d.edges, cut(d.x), cut(d.y)};
}

std::size_t draw_cut(std::size_t n) {
  return static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(n) + 1));
}

/// n numbers in an order that the case shrinks.
std::vector<std::size_t> draw_order(std::size_t n) {
  const auto keys = *rows(n, rc::gen::arbitrary<std::uint32_t>());
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  return order;
}

reals scaled(reals values, double factor) {
  for (double& v : values) v *= factor;
  return values;
}
double draw_power_of_two() { return std::ldexp(1.0, *rc::gen::inRange(-200, 201)); }

bool close(double a, double b, double scale) { return std::abs(a - b) <= 1e-12 * (scale + 1e-300); }

// ----------------------------------------------------- predict: which segment

RC_GTEST_PROP(segment, equals_a_naive_scan, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  for (const int side : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
    zcmoe_model_options options = model_options();
    options.closed_side = side;
    const auto found = segments_on(edges, x, options);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto expected = naive::segment(
          edges, x[i],
          side == ZCMOE_CLOSED_LEFT ? naive::side::left_closed : naive::side::right_closed);
      RC_ASSERT(found[i] == count_of(expected));
    }
  }
}

RC_GTEST_PROP(segment, grows_with_the_input, ()) {
  const reals edges = *any_edges();
  reals x = *inputs_for(edges);
  std::sort(x.begin(), x.end());
  const auto found = segments_on(edges, x);
  RC_ASSERT(std::is_sorted(found.begin(), found.end()));
}

RC_GTEST_PROP(segment, is_in_range_under_every_policy, ()) {
  const reals edges = *any_edges();
  reals x = *inputs_for(edges);
  x.push_back(not_a_number);
  const auto options = *any_policies();
  const std::int64_t m = count_of(edges.size()) - 1;
  for (const std::int64_t s : segments_on(edges, x, options)) {
    RC_ASSERT(s >= -1 && s <= m + 2);
    RC_ASSERT(s != m || options.nan_policy == ZCMOE_NAN_SEGMENT);
    RC_ASSERT(s <= m || options.range_policy == ZCMOE_RANGE_SEGMENTS);
  }
}

RC_GTEST_PROP(segment, changes_within_one_ulp_of_an_edge, ()) {
  const reals edges = *any_edges();
  for (std::size_t i = 1; i + 1 < edges.size(); ++i) {
    const double below = std::nextafter(edges[i], -infinity);
    const auto left = segments_on(edges, {below, edges[i]});
    RC_ASSERT(left[1] == count_of(i) && left[0] == count_of(i) - 1);
    zcmoe_model_options options = model_options();
    options.closed_side = ZCMOE_CLOSED_RIGHT;
    const auto right = segments_on(edges, {edges[i], std::nextafter(edges[i], infinity)}, options);
    RC_ASSERT(right[0] == count_of(i) - 1 && right[1] == count_of(i));
  }
}

RC_GTEST_PROP(segment, is_kept_when_inputs_and_edges_scale, ()) {
  const reals edges = *edges_of(eighth());
  const reals x = *rc::gen::container<reals>(eighth());
  const double factor = draw_power_of_two();
  RC_ASSERT(segments_on(edges, x) == segments_on(scaled(edges, factor), scaled(x, factor)));
}

RC_GTEST_PROP(segment, is_mirrored_with_the_line, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  reals mirrored(edges.rbegin(), edges.rend());
  zcmoe_model_options options = model_options();
  options.closed_side = ZCMOE_CLOSED_RIGHT;
  const auto there = segments_on(edges, x);
  const auto back = segments_on(scaled(mirrored, -1.0), scaled(x, -1.0), options);
  for (std::size_t i = 0; i < x.size(); ++i)
    RC_ASSERT(there[i] + back[i] == count_of(edges.size()) - 2);
}

RC_GTEST_PROP(segment, of_a_refined_table_lies_in_that_of_the_coarse_one, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  reals all = edges;
  const reals more = *rc::gen::container<reals>(finite());
  for (const double e : more) {
    if (e > edges.front() && e < edges.back()) all.push_back(e);
  }
  const reals fine = to_edges(all);
  const auto coarse_segments = segments_on(edges, x);
  const auto fine_segments = segments_on(fine, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto c = static_cast<std::size_t>(coarse_segments[i]);
    const auto f = static_cast<std::size_t>(fine_segments[i]);
    RC_ASSERT(fine[f] >= edges[c] && fine[f + 1] <= edges[c + 1]);
  }
}

// ------------------------------------------------------ predict: what answer

RC_GTEST_PROP(predict, answers_given_constants_at_centres, ()) {
  const reals edges = *edges_of(eighth());
  const reals constants = *rows(edges.size() - 1, finite());
  const model table(cpu(), edges, constants);
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const reals answer = table.predict_sync(reals{edges[i] / 2 + edges[i + 1] / 2});
    RC_ASSERT(same_bits(answer, {constants[i]}));
  }
}

RC_GTEST_PROP(predict, of_float_inputs_equals_that_of_their_doubles, ()) {
  const reals edges = *any_edges();
  std::vector<float> narrow;
  for (const double v : *inputs_for(edges)) narrow.push_back(static_cast<float>(v));
  const reals wide(narrow.begin(), narrow.end());
  const model table(cpu(), edges, numbered_constants(edges), *any_policies());
  RC_ASSERT(segments_of(table, array(narrow.data()), narrow.size()) == segments_of(table, wide));
  const auto floats = table.predict_sync(narrow);
  const auto doubles = table.predict_sync(wide);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    RC_ASSERT(same_bits(std::vector<float>{floats[i]}, {static_cast<float>(doubles[i])}));
  }
}

template <class T>
void integers_equal_their_doubles() {
  const reals edges = *edges_of(eighth());
  const auto x = *rc::gen::container<std::vector<T>>(rc::gen::arbitrary<T>());
  const model table(cpu(), edges, numbered_constants(edges));
  RC_ASSERT(segments_of(table, array(x.data()), x.size()) ==
            segments_of(table, reals(x.begin(), x.end())));
}
RC_GTEST_PROP(predict, of_int8_equals_that_of_doubles, ()) {
  integers_equal_their_doubles<std::int8_t>();
}
RC_GTEST_PROP(predict, of_uint16_equals_that_of_doubles, ()) {
  integers_equal_their_doubles<std::uint16_t>();
}
RC_GTEST_PROP(predict, of_int32_equals_that_of_doubles, ()) {
  integers_equal_their_doubles<std::int32_t>();
}

RC_GTEST_PROP(predict, with_strides_equals_packed, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  const auto stride = *rc::gen::inRange(1, 5);
  const bool reversed = *rc::gen::arbitrary<bool>();
  const model table(cpu(), edges, numbered_constants(edges));
  const reals packed = table.predict_sync(x);
  const auto step = static_cast<std::size_t>(stride);
  reals spread(x.size() * step + 1, not_a_number);
  reals answers(spread.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i)
    spread[(reversed ? x.size() - 1 - i : i) * step] = x[i];
  const std::size_t first = reversed && !x.empty() ? (x.size() - 1) * step : 0;
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(answers.data() + first, reversed ? -stride : stride);
  table.predict(array(spread.data() + first, reversed ? -stride : stride), count_of(x.size()),
                outputs, nullptr);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool is_answer = i % step == 0 && i / step < x.size();
    const std::size_t row = reversed ? x.size() - 1 - i / step : i / step;
    RC_ASSERT(same_bits(reals{answers[i]}, {is_answer ? packed[row] : 0.0}));
  }
}

RC_GTEST_PROP(predict, in_place_equals_out_of_place, ()) {
  const reals edges = *any_edges();
  reals x = *inputs_for(edges);
  const model table(cpu(), edges, numbered_constants(edges), *any_policies());
  const reals apart = table.predict_sync(x);
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(x.data());
  table.predict(array(x.data()), count_of(x.size()), outputs, nullptr);
  RC_ASSERT(same_bits(x, apart));
}

RC_GTEST_PROP(predict, in_chunks_equals_whole, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  const std::size_t cut = draw_cut(x.size());
  const model table(cpu(), edges, numbered_constants(edges), *any_policies());
  reals joined = table.predict_sync(reals(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(cut)));
  const reals rest =
      table.predict_sync(reals(x.begin() + static_cast<std::ptrdiff_t>(cut), x.end()));
  joined.insert(joined.end(), rest.begin(), rest.end());
  RC_ASSERT(same_bits(joined, table.predict_sync(x)));
}

RC_GTEST_PROP(predict, clamping_equals_clamped_inputs, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  reals clamped = x;
  for (double& v : clamped) v = std::min(std::max(v, edges.front()), edges.back());
  const model table(cpu(), edges, numbered_constants(edges));
  RC_ASSERT(same_bits(table.predict_sync(x), table.predict_sync(clamped)));
}

RC_GTEST_PROP(predict, follows_the_policy_outside_the_range, ()) {
  const reals edges = *any_edges();
  const reals x = *inputs_for(edges);
  zcmoe_model_options options = *any_policies();
  options.include_outer_edge = 1;
  options.empty_policy = ZCMOE_EMPTY_VALUE;
  const model table(cpu(), edges, numbered_constants(edges), options);
  const reals answers = table.predict_sync(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] >= edges.front() && x[i] <= edges.back()) {
      RC_ASSERT(answers[i] >= 1.0);
    } else if (options.range_policy == ZCMOE_RANGE_CLAMP) {
      RC_ASSERT(answers[i] == (x[i] < edges.front() ? 1.0 : static_cast<double>(edges.size() - 1)));
    } else if (options.range_policy == ZCMOE_RANGE_VALUE) {
      RC_ASSERT(answers[i] == options.range_value);
    } else if (options.range_policy == ZCMOE_RANGE_NAN) {
      RC_ASSERT(std::isnan(answers[i]));
    } else {
      RC_ASSERT(answers[i] == options.empty_value);
    }
  }
}

RC_GTEST_PROP(predict, follows_the_policy_for_nan, ()) {
  const reals edges = *any_edges();
  zcmoe_model_options options = *any_policies();
  options.empty_policy = ZCMOE_EMPTY_VALUE;
  const reals answer =
      model(cpu(), edges, numbered_constants(edges), options).predict_sync(reals{not_a_number});
  if (options.nan_policy == ZCMOE_NAN_PROPAGATE) RC_ASSERT(std::isnan(answer[0]));
  if (options.nan_policy == ZCMOE_NAN_VALUE) RC_ASSERT(answer[0] == options.nan_value);
  if (options.nan_policy == ZCMOE_NAN_SEGMENT) RC_ASSERT(answer[0] == options.empty_value);
}

RC_GTEST_PROP(predict, report_counts_every_row_once, ()) {
  const reals edges = *any_edges();
  reals x = *inputs_for(edges);
  const std::size_t nans = static_cast<std::size_t>(*rc::gen::inRange(0, 3));
  x.insert(x.end(), nans, not_a_number);
  zcmoe_model_options options = *any_policies();
  const model table(cpu(), edges, numbered_constants(edges), options);
  zcmoe_report report{};
  reals values(x.size());
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(values.data());
  outputs.report = &report;
  table.predict(array(x.data()), count_of(x.size()), outputs, nullptr);
  RC_ASSERT(report.rows == count_of(x.size()));
  RC_ASSERT(report.nan_inputs == count_of(nans));
  const std::int64_t outside =
      options.range_policy == ZCMOE_RANGE_CLAMP ? 0 : report.below_range + report.above_range;
  RC_ASSERT(report.rows_used + report.nan_inputs + outside == report.rows);
}

RC_GTEST_PROP(predict, survives_a_file, ()) {
  const reals edges = *any_edges();
  const reals constants = *rows(edges.size() - 1, finite());
  const model before(cpu(), edges, constants, *any_policies());
  const std::string path =
      testing::TempDir() + "zcmoe_property_test_" + std::to_string(getpid()) + ".safetensors";
  const auto content = [&path] {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  before.save(path);
  const std::string first = content();
  const model after = model::load(cpu(), path);
  after.save(path);
  const std::string second = content();
  std::remove(path.c_str());
  RC_ASSERT(first == second);
  const reals x = *inputs_for(edges);
  RC_ASSERT(same_bits(before.predict_sync(x), after.predict_sync(x)));
}

// -------------------------------------------------------------- fit: the state

RC_GTEST_PROP(fit_state, does_not_depend_on_the_order_of_rows, ()) {
  const data d = draw_any();
  data shuffled{d.edges, {}, {}};
  for (const std::size_t i : draw_order(d.x.size())) {
    shuffled.x.push_back(d.x[i]);
    shuffled.y.push_back(d.y[i]);
  }
  RC_ASSERT(fit_of(d).serialize() == fit_of(shuffled).serialize());
}

RC_GTEST_PROP(fit_state, does_not_depend_on_chunks, ()) {
  const data d = draw_any();
  const std::size_t cut = draw_cut(d.x.size());
  fit chunked(cpu(), d.edges);
  const data first = part_of(d, 0, cut);
  const data second = part_of(d, cut, d.x.size());
  chunked.add_sync(first.x, first.y);
  chunked.add_sync(second.x, second.y);
  RC_ASSERT(chunked.serialize() == fit_of(d).serialize());
}

RC_GTEST_PROP(fit_state, merges_in_any_order_to_the_whole, ()) {
  const data d = draw_any();
  const std::size_t one = draw_cut(d.x.size());
  const std::size_t two = std::max(one, draw_cut(d.x.size()));
  const auto a = [&] { return fit_of(part_of(d, 0, one)); };
  const auto b = [&] { return fit_of(part_of(d, one, two)); };
  const auto c = [&] { return fit_of(part_of(d, two, d.x.size())); };
  fit left = a();  // (a + b) + c
  left.merge(b());
  left.merge(c());
  fit right = c();  // a + (c + b), backwards
  right.merge(b());
  fit whole = a();
  whole.merge(right);
  const bytes expected = fit_of(d).serialize();
  RC_ASSERT(left.serialize() == expected);
  RC_ASSERT(whole.serialize() == expected);
}

RC_GTEST_PROP(fit_state, is_not_changed_by_an_empty_one, ()) {
  const data d = draw_any();
  fit some = fit_of(d);
  const bytes before = some.serialize();
  some.merge(fit(cpu(), d.edges));
  RC_ASSERT(some.serialize() == before);
  fit none(cpu(), d.edges);
  none.merge(some);
  RC_ASSERT(none.serialize() == before);
}

RC_GTEST_PROP(fit_state, goes_on_after_a_round_trip, ()) {
  const data d = draw_any();
  const std::size_t cut = draw_cut(d.x.size());
  const bytes half = fit_of(part_of(d, 0, cut)).serialize();
  fit back = fit::deserialize(cpu(), half);
  RC_ASSERT(back.serialize() == half);
  const data rest = part_of(d, cut, d.x.size());
  back.add_sync(rest.x, rest.y);
  RC_ASSERT(back.serialize() == fit_of(d).serialize());
}

RC_GTEST_PROP(fit_state, reports_what_the_policies_touched, ()) {
  const data d = draw_any();
  const zcmoe_report report = fit_of(d).report();
  zcmoe_report expected{};
  expected.rows = count_of(d.x.size());
  for (std::size_t i = 0; i < d.x.size(); ++i) {
    expected.nan_inputs += std::isnan(d.x[i]) ? 1 : 0;
    expected.below_range += d.x[i] < d.edges.front() ? 1 : 0;
    expected.above_range += d.x[i] > d.edges.back() ? 1 : 0;
    expected.nan_targets += std::isnan(d.y[i]) ? 1 : 0;
    expected.infinite_targets += std::isinf(d.y[i]) ? 1 : 0;
    expected.rows_used += !std::isnan(d.x[i]) && std::isfinite(d.y[i]) ? 1 : 0;
  }
  expected.first_bad_row = -1;
  RC_ASSERT(std::memcmp(&report, &expected, sizeof report) == 0);
}

// ----------------------------------------------------------- fit: the answers

RC_GTEST_PROP(fit, agrees_with_naive_sums, ()) {
  const data d = draw_eighths();
  const summary s = fitted(d);
  const auto expected = naive::fit(d.edges, d.x, d.y);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    RC_ASSERT(s.counts[i] == count_of(expected[i].count));
    if (expected[i].count == 0) continue;
    RC_ASSERT(s.constants[i] == static_cast<double>(expected[i].mean));
    RC_ASSERT(std::isnan(s.variances[i]) == (expected[i].count < 2));
    if (expected[i].count < 2) continue;
    RC_ASSERT(close(s.variances[i], static_cast<double>(expected[i].variance), 1024));
    RC_ASSERT(close(s.standard_errors[i], static_cast<double>(expected[i].standard_error), 32));
  }
}

RC_GTEST_PROP(fit, constants_lie_between_the_targets, ()) {
  const data d = draw_any();
  const summary s = fitted(d);
  for (std::size_t k = 0; k + 1 < d.edges.size(); ++k) {
    double least = infinity;
    double most = -infinity;
    for (std::size_t i = 0; i < d.x.size(); ++i) {
      if (std::isnan(d.x[i]) || !std::isfinite(d.y[i]) || naive::segment(d.edges, d.x[i]) != k)
        continue;
      least = std::min(least, d.y[i]);
      most = std::max(most, d.y[i]);
    }
    if (s.counts[k] > 0) RC_ASSERT(s.constants[k] >= least && s.constants[k] <= most);
  }
}

RC_GTEST_PROP(fit, predicts_its_constants, ()) {
  const data d = draw_any();
  const model result = fit_of(d).finish();
  const reals answers = result.predict_sync(d.x);
  const auto segments = segments_of(result, d.x);
  const summary s = summary_of(result);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (segments[i] < 0) continue;
    RC_ASSERT(same_bits(reals{answers[i]}, {s.constants[static_cast<std::size_t>(segments[i])]}));
  }
}

RC_GTEST_PROP(fit, one_sample_is_its_own_constant, ()) {
  const double y = *any_bits();
  const summary s = fitted({{0, 1}, {0.5}, {y}});
  RC_ASSERT(s.constants[0] == y && std::isnan(s.variances[0]) && s.counts[0] == 1);
}

RC_GTEST_PROP(fit, equal_targets_have_no_variance, ()) {
  const double y = *any_bits();
  const int n = *rc::gen::inRange(2, 40);
  const auto size = static_cast<std::size_t>(n);
  const summary s = fitted({{0, 1}, reals(size, 0.5), reals(size, y)});
  RC_ASSERT(s.constants[0] == y && s.variances[0] == 0.0 && s.standard_errors[0] == 0.0);
}

RC_GTEST_PROP(fit, shifting_targets_shifts_constants_exactly, ()) {
  // Targets are multiples of n, so that the mean is an integer before and after.
  const auto multiples =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(-1000, 1001)));
  const double shift = std::ldexp(*rc::gen::inRange(-1000, 1001), *rc::gen::inRange(0, 30));
  const auto n = static_cast<double>(multiples.size());
  data d{{0, 1}, reals(multiples.size(), 0.5), {}};
  for (const int k : multiples) d.y.push_back(n * k);
  data moved = d;
  for (double& y : moved.y) y += shift;
  const summary before = fitted(d);
  const summary after = fitted(moved);
  RC_ASSERT(after.constants[0] == before.constants[0] + shift);
  RC_ASSERT(same_bits(before.variances, after.variances));
}

RC_GTEST_PROP(fit, scaling_targets_scales_the_answers_exactly, ()) {
  const data d = draw_eighths();
  const double factor = draw_power_of_two();
  data larger = d;
  larger.y = scaled(d.y, factor);
  const summary before = fitted(d);
  const summary after = fitted(larger);
  RC_ASSERT(same_bits(after.constants, scaled(before.constants, factor)));
  RC_ASSERT(same_bits(after.variances, scaled(before.variances, factor * factor)));
}

RC_GTEST_PROP(fit, negating_targets_negates_constants, ()) {
  const data d = draw_any();
  data negated = d;
  negated.y = scaled(d.y, -1.0);
  const summary before = fitted(d);
  const summary after = fitted(negated);
  for (std::size_t i = 0; i < before.constants.size(); ++i) {
    const bool negated_too = std::isnan(before.constants[i])
                                 ? std::isnan(after.constants[i])
                                 : after.constants[i] == -before.constants[i];
    RC_ASSERT(negated_too);
  }
  RC_ASSERT(same_bits(before.variances, after.variances));
}

RC_GTEST_PROP(fit, repeating_all_rows_keeps_constants, ()) {
  const data d = draw_any();
  fit twice = fit_of(d);
  twice.add_sync(d.x, d.y);
  const summary once = fitted(d);
  const summary both = summary_of(twice.finish());
  RC_ASSERT(same_bits(once.constants, both.constants));
  RC_ASSERT(both.num_rows == 2 * once.num_rows);
}

RC_GTEST_PROP(fit, float_targets_equal_their_doubles, ()) {
  const reals edges = *any_edges();
  const auto x = *rc::gen::container<reals>(finite());
  std::vector<float> y;
  for (const double v : *rows(x.size(), finite())) y.push_back(static_cast<float>(v));
  zcmoe_fit_options options = fit_options();
  options.target_dtype = ZCMOE_F32;
  fit narrow(cpu(), edges, model_options(), options);
  narrow.add_sync(x, y);
  const summary of_floats = summary_of(narrow.finish());
  const summary of_doubles = fitted({edges, x, reals(y.begin(), y.end())});
  RC_ASSERT(of_floats.counts == of_doubles.counts);
  RC_ASSERT(same_bits(of_floats.constants, of_doubles.constants));
  RC_ASSERT(same_bits(of_floats.variances, of_doubles.variances));
}

RC_GTEST_PROP(fit, refining_keeps_count_and_sum, ()) {
  const data d = draw_eighths();
  data fine = d;
  for (const double e : *rc::gen::container<reals>(eighth())) fine.edges.push_back(e);
  fine.edges = to_edges(fine.edges);
  const summary a = fitted(d);
  const summary b = fitted(fine);
  RC_ASSERT(a.num_rows == b.num_rows);
  const auto sum_of = [](const summary& s) {
    double sum = 0;
    for (std::size_t i = 0; i < s.counts.size(); ++i) {
      if (s.counts[i] > 0) sum += static_cast<double>(s.counts[i]) * s.constants[i];
    }
    return sum;
  };
  RC_ASSERT(close(sum_of(a), sum_of(b), 32.0 * static_cast<double>(d.x.size())));
}

RC_GTEST_PROP(fit, obeys_the_law_of_total_variance, ()) {
  const data d = draw_eighths();
  const summary parts = fitted(d);
  const summary whole = fitted({{d.edges.front(), d.edges.back()}, d.x, d.y});
  if (whole.counts[0] < 2) return;
  double spread = 0;
  for (std::size_t i = 0; i + 1 < d.edges.size(); ++i) {
    const auto n = static_cast<double>(parts.counts[i]);
    if (n > 1) spread += parts.variances[i] * (n - 1);
    if (n > 0)
      spread +=
          n * (parts.constants[i] - whole.constants[0]) * (parts.constants[i] - whole.constants[0]);
  }
  const auto n = static_cast<double>(whole.counts[0]);
  RC_ASSERT(close(whole.variances[0] * (n - 1), spread, 1024 * n));
}

RC_GTEST_PROP(fit, standard_error_is_that_of_a_mean, ()) {
  const data d = draw_eighths();
  const summary s = fitted(d);
  for (std::size_t i = 0; i < s.counts.size(); ++i) {
    if (s.counts[i] < 2) continue;
    const double expected = std::sqrt(s.variances[i] / static_cast<double>(s.counts[i]));
    RC_ASSERT(std::abs(s.standard_errors[i] - expected) <= 4e-16 * expected);
  }
}

RC_GTEST_PROP(fit, empty_segments_follow_their_policy, ()) {
  const data d = draw_eighths();
  zcmoe_model_options options = model_options();
  options.empty_policy = *rc::gen::inRange(0, 5);
  options.empty_value = -1003.0;
  const summary s = fitted(d, options);
  const std::size_t m = d.edges.size() - 1;
  for (std::size_t i = 0; i < m; ++i) {
    if (s.counts[i] > 0) continue;
    const double answer = s.constants[i];
    if (options.empty_policy == ZCMOE_EMPTY_VALUE) {
      RC_ASSERT(answer == -1003.0);
    } else if (options.empty_policy == ZCMOE_EMPTY_NAN || s.num_rows == 0) {
      RC_ASSERT(std::isnan(answer));
    } else if (options.empty_policy == ZCMOE_EMPTY_GLOBAL_MEAN) {
      RC_ASSERT(same_bits(reals{answer}, {s.mean}));
    } else if (options.empty_policy == ZCMOE_EMPTY_NEAREST) {
      double nearest = infinity;
      bool found = false;
      const double centre = (d.edges[i] + d.edges[i + 1]) / 2;
      for (std::size_t k = 0; k < m; ++k) {
        if (s.counts[k] > 0)
          nearest = std::min(nearest, k < i ? centre - d.edges[k + 1] : d.edges[k] - centre);
      }
      for (std::size_t k = 0; k < m; ++k) {
        const double distance = k < i ? centre - d.edges[k + 1] : d.edges[k] - centre;
        found = found || (s.counts[k] > 0 && distance == nearest && s.constants[k] == answer);
      }
      RC_ASSERT(found);
    } else {
      RC_ASSERT(std::abs(answer) <= 32.0);  // a mean of some targets
    }
  }
}

RC_GTEST_PROP(fit, shrinkage_lies_between_the_mean_and_the_whole, ()) {
  const data d = draw_eighths();
  zcmoe_model_options options = model_options();
  options.shrinkage = *rc::gen::inRange(1, 100);
  const summary plain = fitted(d);
  const summary shrunk = fitted(d, options);
  for (std::size_t i = 0; i + 1 < d.edges.size(); ++i) {
    if (plain.counts[i] == 0) {
      RC_ASSERT(same_bits(reals{shrunk.constants[i]}, {plain.mean}));
      continue;
    }
    const double least = std::min(plain.constants[i], plain.mean);
    const double most = std::max(plain.constants[i], plain.mean);
    RC_ASSERT(shrunk.constants[i] >= least - 1e-12 * 32 &&
              shrunk.constants[i] <= most + 1e-12 * 32);
  }
}

// ------------------------------------------------------------- fit: weights

RC_GTEST_PROP(weights, of_one_equal_no_weights, ()) {
  const data d = draw_any();
  const summary plain = fitted(d);
  const summary weighted = summary_of(weighted_fit_of(d, reals(d.x.size(), 1.0)).finish());
  RC_ASSERT(plain.counts == weighted.counts);
  RC_ASSERT(same_bits(plain.constants, weighted.constants));
  RC_ASSERT(same_bits(plain.weights, weighted.weights));
  for (std::size_t i = 0; i < plain.variances.size(); ++i) {
    const double a = plain.variances[i];
    const double b = weighted.variances[i];
    RC_ASSERT((std::isnan(a) && std::isnan(b)) || a == b || std::nextafter(a, b) == b);
  }
}

RC_GTEST_PROP(weights, of_zero_leave_the_row_out, ()) {
  const data d = draw_any();
  const reals weights = *rows(d.x.size(), rc::gen::element(0.0, 0.5, 1.0, 3.0));
  data kept{d.edges, {}, {}};
  reals kept_weights;
  for (std::size_t i = 0; i < d.x.size(); ++i) {
    if (weights[i] == 0) continue;
    kept.x.push_back(d.x[i]);
    kept.y.push_back(d.y[i]);
    kept_weights.push_back(weights[i]);
  }
  const summary all = summary_of(weighted_fit_of(d, weights).finish());
  const summary some = summary_of(weighted_fit_of(kept, kept_weights).finish());
  RC_ASSERT(all.counts == some.counts);
  RC_ASSERT(same_bits(all.constants, some.constants));
  RC_ASSERT(same_bits(all.variances, some.variances));
}

RC_GTEST_PROP(weights, may_all_be_scaled, ()) {
  const data d = draw_any();
  const reals weights = *rows(d.x.size(), rc::gen::element(0.125, 0.5, 1.0, 3.0));
  const double factor = draw_power_of_two();
  const summary before = summary_of(weighted_fit_of(d, weights).finish());
  const summary after = summary_of(weighted_fit_of(d, scaled(weights, factor)).finish());
  RC_ASSERT(same_bits(before.constants, after.constants));
  RC_ASSERT(same_bits(before.variances, after.variances));
  RC_ASSERT(same_bits(before.standard_errors, after.standard_errors));
  RC_ASSERT(same_bits(scaled(before.weights, factor), after.weights));
}

RC_GTEST_PROP(weights, of_integers_repeat_rows_in_the_mean, ()) {
  const data d = draw_eighths();
  const auto copies = *rows(d.x.size(), rc::gen::inRange(1, 5));
  data repeated{d.edges, {}, {}};
  for (std::size_t i = 0; i < d.x.size(); ++i) {
    repeated.x.insert(repeated.x.end(), static_cast<std::size_t>(copies[i]), d.x[i]);
    repeated.y.insert(repeated.y.end(), static_cast<std::size_t>(copies[i]), d.y[i]);
  }
  const summary weighted =
      summary_of(weighted_fit_of(d, reals(copies.begin(), copies.end())).finish());
  RC_ASSERT(same_bits(weighted.constants, fitted(repeated).constants));
}

// ------------------------------------------------------------- segmentation

RC_GTEST_PROP(segmentation, uniform_edges_are_correctly_rounded, ()) {
  const int lo = *rc::gen::inRange(-100000, 100000);
  const int width = *rc::gen::inRange(1, 100000);
  const int m = *rc::gen::inRange(1, 200);
  const reals edges = uniform_edges(lo, lo + width, m);
  RC_ASSERT(edges.size() == static_cast<std::size_t>(m) + 1);
  for (int i = 0; i <= m; ++i) {
    const double edge = edges[static_cast<std::size_t>(i)];
    const long double exact = static_cast<long double>(static_cast<std::int64_t>(lo) * m +
                                                       static_cast<std::int64_t>(width) * i) /
                              m;
    const double ulp = std::nextafter(std::abs(edge), infinity) - std::abs(edge);
    RC_ASSERT(std::abs(static_cast<long double>(edge) - exact) <=
              0.501L * static_cast<long double>(ulp));
  }
}

RC_GTEST_PROP(segmentation, uniform_edges_scale_exactly, ()) {
  const double lo = *eighth();
  const double hi = lo + std::abs(*eighth()) + 0.125;
  const int m = *rc::gen::inRange(1, 100);
  const double factor = draw_power_of_two();
  RC_ASSERT(same_bits(scaled(uniform_edges(lo, hi, m), factor),
                      uniform_edges(lo * factor, hi * factor, m)));
}

RC_GTEST_PROP(segmentation, quantile_segments_hold_equal_shares, ()) {
  reals x = *rc::gen::nonEmpty(rc::gen::container<reals>(eighth()));
  std::sort(x.begin(), x.end());
  x.erase(std::unique(x.begin(), x.end()), x.end());
  const auto n = static_cast<int>(x.size());
  const int m = *rc::gen::inRange(1, n + 1);
  const reals edges = quantile_edges(x, m);
  const summary s = fitted({edges, x, x});
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const double share = static_cast<double>(n) / m;
    RC_ASSERT(std::abs(static_cast<double>(s.counts[i]) - share) <= 1.0);
  }
}

RC_GTEST_PROP(segmentation, quantile_edges_are_valid_and_ignore_order, ()) {
  const reals x = *rc::gen::nonEmpty(rc::gen::container<reals>(finite()));
  const int m = *rc::gen::inRange(1, 60);
  const reals edges = quantile_edges(x, m);
  RC_ASSERT(edges.size() >= 2 && edges.size() <= static_cast<std::size_t>(m) + 1);
  check(zcmoe_segment_check(edges.data(), count_of(edges.size()) - 1));
  RC_ASSERT(edges.front() == *std::min_element(x.begin(), x.end()));
  RC_ASSERT(edges.back() >= *std::max_element(x.begin(), x.end()));
  reals shuffled;
  for (const std::size_t i : draw_order(x.size())) shuffled.push_back(x[i]);
  RC_ASSERT(same_bits(edges, quantile_edges(shuffled, m)));
}

RC_GTEST_PROP(segmentation, point_density_may_have_any_scale, ()) {
  const double tilt = *rc::gen::inRange(0, 50);
  const double scale = std::ldexp(1.0, *rc::gen::inRange(-300, 301));
  const int m = *rc::gen::inRange(1, 20);
  const auto edges_for = [&](double factor) {
    reals grid{0.0, 1.0};
    reals density{factor, factor * (1 + tilt)};
    reals edges(static_cast<std::size_t>(m) + 1);
    std::int64_t built = 0;
    check(zcmoe_segment_density_table(grid.data(), density.data(), 2, m, nullptr, edges.data(),
                                      &built));
    RC_ASSERT(built == m);
    return edges;
  };
  const reals edges = edges_for(1.0);
  const reals others = edges_for(scale);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const double u = static_cast<double>(i) / m;  // G(x) = (x + tilt x^2 / 2) / (1 + tilt / 2)
    const double exact = tilt == 0 ? u : (std::sqrt(1 + 2 * tilt * u * (1 + tilt / 2)) - 1) / tilt;
    RC_ASSERT(std::abs(edges[i] - exact) <= 1e-9);
    RC_ASSERT(std::abs(edges[i] - others[i]) <= 1e-12);
  }
}

template <class Edges>
void assert_edges_ignore_order(const Edges& edges_of) {
  const reals x = *rc::gen::nonEmpty(rc::gen::container<reals>(eighth()));
  const reals y = *rows(x.size(), eighth());
  const int m = *rc::gen::inRange(1, 30);
  const reals edges = edges_of(x, y, m);
  RC_ASSERT(edges.size() >= 2 && edges.size() <= static_cast<std::size_t>(m) + 1);
  check(zcmoe_segment_check(edges.data(), count_of(edges.size()) - 1));
  reals x2;
  reals y2;
  for (const std::size_t i : draw_order(x.size())) {
    x2.push_back(x[i]);
    y2.push_back(y[i]);
  }
  RC_ASSERT(same_bits(edges, edges_of(x2, y2, m)));
}

RC_GTEST_PROP(segmentation, compander_edges_from_data_are_valid_and_ignore_order, ()) {
  assert_edges_ignore_order(
      [](const reals& x, const reals& y, int m) { return compander_edges_from_data(x, y, m); });
}

RC_GTEST_PROP(segmentation, learned_edges_are_valid_and_ignore_order, ()) {
  assert_edges_ignore_order([](const reals& x, const reals& y, int m) {
    const reals edges = optimal_edges_from_data(x, y, m);
    RC_ASSERT(edges.size() - 1 ==
              std::min<std::size_t>(m, std::set<double>(x.begin(), x.end()).size()));
    return edges;
  });
}

RC_GTEST_PROP(segmentation, learned_edges_follow_units_and_count_weights, ()) {
  const reals x = *rc::gen::nonEmpty(rc::gen::container<reals>(eighth()));
  const reals y = *rows(x.size(), eighth());
  const int m = *rc::gen::inRange(1, 30);
  const int x_power = *rc::gen::inRange(-900, 900);
  const int y_power = *rc::gen::inRange(-900, 900);
  const int w_power = *rc::gen::inRange(-900, 900);
  const reals edges = optimal_edges_from_data(x, y, m);
  reals far;
  reals large;
  for (const double v : x) far.push_back(std::ldexp(v, x_power));
  for (const double v : y) large.push_back(std::ldexp(v, y_power));
  // Rows without weight are none.
  reals weights(x.size(), std::ldexp(1.0, w_power));
  far.push_back(0.0);
  large.push_back(1e300);
  weights.push_back(0.0);
  reals other(static_cast<std::size_t>(m) + 1);
  std::int64_t built = 0;
  check(zcmoe_segment_optimal_from_data(array(far.data()), array(large.data()),
                                        array(weights.data()), count_of(far.size()), m,
                                        other.data(), &built));
  other.resize(static_cast<std::size_t>(built) + 1);
  RC_ASSERT(other.size() == edges.size());
  for (std::size_t i = 0; i < edges.size(); ++i)
    RC_ASSERT(other[i] == std::ldexp(edges[i], x_power) || edges.size() == 2);
}

}  // namespace
}  // namespace zcmoe::test
