// Fits and groupings over the segments of models of several inputs, on both engines, bit for bit:
// against fits and groupings of one input, which is the number of each row's segment. Chunks,
// threads, orders, merge trees, states; grids of one's own.
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/points.hpp>

#include <algorithm>
#include <numeric>

namespace zcmoe::test {
namespace {

using testing::HasSubstr;

/// Columns of three inputs, of which samples look at the first and the last; targets, weights.
struct rows {
  std::vector<float> a;
  std::vector<std::int32_t> b;
  std::vector<double> c;
  std::vector<float> y;
  std::vector<float> w;

  explicit rows(std::size_t n, unsigned seed = 1) : a(n), b(n, 7), c(n), y(n), w(n) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> place(-1.5, 4.0);
    std::normal_distribution<float> target(100.0f, 3.0f);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(place(random));
      c[i] = place(random) / 2;
      y[i] = target(random) * (random() % 50 == 0 ? 1e20f : 1.0f);
      w[i] = static_cast<float>(random() % 16) / 4;
      if (random() % 32 == 0) a[i] = NAN;
      if (random() % 32 == 0) c[i] = not_a_number;
      if (random() % 64 == 0) y[i] = random() % 2 == 0 ? NAN : INFINITY;
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(a.size()); }
  points view(std::size_t first, std::size_t count) const {
    const auto n = static_cast<std::int64_t>(count);
    points x;
    x.add(array(a.data() + first), n).add(array(b.data() + first), n);
    return x.add(array(c.data() + first), n);
  }
  points view() const { return view(0, a.size()); }
  void reorder(unsigned seed) {
    std::vector<std::size_t> order(a.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    const auto apply = [&](auto& column) {
      auto from = column;
      for (std::size_t i = 0; i < order.size(); ++i) column[i] = from[order[i]];
    };
    apply(a), apply(c), apply(y), apply(w);
  }
};

model loaded(const context& of, const points_file& file) {
  const std::string bytes = written(parts_of(file));
  zcmoe_model* handle = nullptr;
  check(zcmoe_model_deserialize(of.get(), bytes.data(), bytes.size(), &handle));
  return model(handle);
}

std::vector<double> even_edges(double from, double to, int count) {
  std::vector<double> edges;
  for (int i = 0; i <= count; ++i) edges.push_back(from + (to - from) * i / count);
  return edges;
}

/// A grid of three inputs with codes beside the segments of the first.
model grid_of(const context& of, int first, int last) {
  const std::vector<double> edges[3] = {
      even_edges(-1.0, 3.5, first), {0.0, 1.0}, even_edges(-0.5, 1.5, last)};
  std::vector<zcmoe_grid_axis> axes;
  for (const std::vector<double>& e : edges) axes.push_back(grid_axis(e));
  axes[0].nan_policy = ZCMOE_NAN_SEGMENT;
  axes[0].range_policy = ZCMOE_RANGE_SEGMENTS;
  axes[2].range_policy = ZCMOE_RANGE_NAN;
  return make_grid(of, axes);
}

/// A name, and a model of three inputs with segments.
std::vector<std::pair<std::string, model>> models_of(const context& of) {
  std::vector<std::pair<std::string, model>> all;
  all.emplace_back("score", loaded(of, sample_score()));
  all.emplace_back("tree", loaded(of, sample_tree()));
  all.emplace_back("grid", loaded(of, sample_grid()));
  all.emplace_back("own grid", grid_of(of, 30, 20));
  all.emplace_back("many cells", grid_of(of, 130, 120));
  return all;
}

std::vector<std::int32_t> segments_of(const model& from, const points& x) {
  std::vector<std::int32_t> segments(static_cast<std::size_t>(x.num_rows()));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.segments = output(segments.data());
  predict_points_sync(from, x, outputs);
  return segments;
}

/// What a model says of its segments.
struct said {
  std::vector<double> constants, variances, standard_errors;
  std::vector<std::int64_t> counts;

  template <class Info>
  said(const Info& info, std::int64_t m)
      : constants(info.constants, info.constants + m),
        variances(info.variances, info.variances + m),
        standard_errors(info.standard_errors, info.standard_errors + m),
        counts(info.counts, info.counts + m) {}
};

said said_of(const model& of) {
  const zcmoe_points_info info = points_info(of);
  return {info, info.num_segments};
}

zcmoe_fit_options rows_options(zcmoe_dtype target, bool weighted) {
  zcmoe_fit_options options = fit_options();
  options.target_dtype = target;
  options.weighted = weighted ? 1 : 0;
  return options;
}

/// Of a fit of one input, which is the number of the segment.
said expected(const context& of, const model& partition, const rows& all,
              const zcmoe_fit_options& options, std::int32_t weights_kind, zcmoe_report& report) {
  std::vector<double> numbers;
  for (const std::int32_t s : segments_of(partition, all.view()))
    numbers.push_back(s < 0 ? not_a_number : s);
  const auto m = static_cast<int>(points_info(partition).num_segments);
  zcmoe_model_options policies = model_options();
  policies.weights_kind = weights_kind;
  policies.empty_policy = ZCMOE_EMPTY_NAN;
  fit one(of, even_edges(0.0, m, m), policies, options);
  one.add_sync(array(numbers.data()), array(all.y.data()),
               options.weighted != 0 ? array(all.w.data()) : no_array(), all.size());
  report = one.report();
  const model made = one.finish();
  return {made.info(), m};
}

void expect_same(const said& found, const said& wanted, const said& before) {
  EXPECT_TRUE(found.counts == wanted.counts);
  EXPECT_TRUE(same_bits(found.variances, wanted.variances));
  EXPECT_TRUE(same_bits(found.standard_errors, wanted.standard_errors));
  std::vector<double> constants = wanted.constants;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    if (wanted.counts[i] == 0) constants[i] = before.constants[i];
  }
  EXPECT_TRUE(same_bits(found.constants, constants));
}

std::vector<double> numbers_of(const zcmoe_report& r) {
  return {double(r.rows),
          double(r.rows_used),
          double(r.nan_inputs),
          double(r.below_range),
          double(r.above_range),
          double(r.nan_targets),
          double(r.infinite_targets),
          double(r.zero_weights),
          double(r.bad_weights)};
}

class points_fit_test : public engine_test {};

// ---------------------------------------------------------------------- fit

TEST_P(points_fit_test, as_a_fit_of_the_numbers_of_segments) {
  const rows all(20000);
  for (auto& [name, partition] : models_of(ctx())) {
    SCOPED_TRACE(name);
    for (const bool weighted : {false, true}) {
      for (const zcmoe_dtype target : {ZCMOE_F32, ZCMOE_F64}) {
        const zcmoe_fit_options options = rows_options(target, weighted);
        zcmoe_points_fit_options own = points_fit_options();
        own.weights_kind = weighted ? ZCMOE_WEIGHTS_PRECISION : ZCMOE_WEIGHTS_SAMPLING;
        fit several = fit_segments_of(ctx(), partition, own, options);
        add_points_sync(several, all.view(), array(all.y.data()),
                        weighted ? array(all.w.data()) : no_array());
        zcmoe_report report{};
        const said wanted = expected(ctx(), partition, all, options, own.weights_kind, report);
        EXPECT_EQ(numbers_of(several.report()), numbers_of(report));
        EXPECT_GT(report.rows_used, 10000);
        const model made = several.finish();
        expect_same(said_of(made), wanted, said_of(partition));
        const zcmoe_points_info info = points_info(made);
        EXPECT_EQ(info.num_rows, report.rows_used);
        EXPECT_EQ(segments_of(made, all.view()), segments_of(partition, all.view()));
        if (target == ZCMOE_F64) break;  // of the first kind of weights alone: they are slow
      }
    }
  }
}

TEST_P(points_fit_test, chunks_orders_merges_and_states_give_the_same_bytes) {
  rows all(6000);
  for (auto& [name, partition] : models_of(ctx())) {
    SCOPED_TRACE(name);
    const zcmoe_fit_options options = rows_options(ZCMOE_F32, false);
    const auto begun = [&] {
      return fit_segments_of(ctx(), partition, points_fit_options(), options);
    };
    fit whole = begun();
    add_points_sync(whole, all.view(), all.y);
    const std::vector<unsigned char> bytes = whole.serialize();
    all.reorder(3);
    fit merged = begun();
    for (std::size_t first = 0; first < all.a.size();) {
      const std::size_t count = std::min<std::size_t>(1 + first / 2, all.a.size() - first);
      fit part = begun();
      add_points_sync(part, all.view(first, count), array(all.y.data() + first));
      part = fit::deserialize(ctx(), part.serialize());
      merged.merge(part);
      first += count;
    }
    EXPECT_EQ(merged.serialize(), bytes);
    EXPECT_EQ(merged.finish().serialize(), whole.finish().serialize());
    // The CPU reads what any engine has written, and goes on.
    const context cpu(ZCMOE_ENGINE_CPU);
    fit elsewhere = fit::deserialize(cpu, bytes);
    EXPECT_EQ(elsewhere.serialize(), bytes);
    EXPECT_EQ(elsewhere.finish().serialize(), whole.finish().serialize());
    add_points_sync(elsewhere, all.view(), all.y);
    add_points_sync(whole, all.view(), all.y);
    EXPECT_EQ(elsewhere.serialize(), whole.serialize());
  }
}

TEST_P(points_fit_test, memory_of_the_engine_and_workspaces) {
  const rows all(70000);
  for (auto& [name, partition] : models_of(ctx())) {
    SCOPED_TRACE(name);
    if (name == "tree") continue;
    fit host =
        fit_segments_of(ctx(), partition, points_fit_options(), rows_options(ZCMOE_F32, false));
    add_points_sync(host, all.view(), all.y);
    const auto a = on_engine(all.a);
    const auto b = on_engine(all.b);
    const auto c = on_engine(all.c);
    const auto y = on_engine(all.y);
    points x;
    x.add(array(a.data()), all.size()).add(array(b.data()), all.size());
    x.add(array(c.data()), all.size());
    fit there =
        fit_segments_of(ctx(), partition, points_fit_options(), rows_options(ZCMOE_F32, false));
    add_points(there, x, array(y.data()), no_array(), nullptr, 0, nullptr);
    EXPECT_EQ(there.serialize(), host.serialize());
    const std::size_t least = there.workspace(65536);
    const auto memory = on_engine(std::vector<unsigned char>(least + 1));
    for (const std::size_t room : {there.workspace(all.size()), least}) {
      if (room > least) continue;
      fit again =
          fit_segments_of(ctx(), partition, points_fit_options(), rows_options(ZCMOE_F32, false));
      add_points(again, x, array(y.data()), no_array(), room == 0 ? nullptr : memory.data(), room,
                 nullptr);
      EXPECT_EQ(again.serialize(), host.serialize());
    }
    if (engine() == ZCMOE_ENGINE_CPU) continue;
    EXPECT_GE(there.workspace(100000), 400000u);
    EXPECT_EQ(status_of([&] {
                add_points(there, x, array(y.data()), no_array(), memory.data(), 1024, nullptr);
              }),
              ZCMOE_ERR_WORKSPACE);
    EXPECT_EQ(there.serialize(), host.serialize());
  }
}

TEST_P(points_fit_test, segments_without_rows) {
  const rows all(40);
  const model partition = loaded(ctx(), sample_score());
  const std::int32_t policies[] = {ZCMOE_EMPTY_KEEP, ZCMOE_EMPTY_NAN, ZCMOE_EMPTY_GLOBAL_MEAN,
                                   ZCMOE_EMPTY_VALUE};
  for (const std::int32_t policy : policies) {
    SCOPED_TRACE(policy);
    zcmoe_points_fit_options options = points_fit_options();
    options.empty_policy = policy;
    options.empty_value = -7.5;
    fit none = fit_segments_of(ctx(), partition, options);
    const said empty = said_of(none.finish());
    fit some = fit_segments_of(ctx(), partition, options);
    add_points_sync(some, all.view(0, 3), array(all.y.data()));
    const said filled = said_of(some.finish());
    std::int64_t used = 0;
    for (std::size_t i = 0; i < filled.counts.size(); ++i) {
      EXPECT_EQ(empty.counts[i], 0);
      used += filled.counts[i];
      if (filled.counts[i] > 0) continue;
      const double now = filled.constants[i];
      if (policy == ZCMOE_EMPTY_KEEP) {
        EXPECT_TRUE(same_bits<double>({now}, {said_of(partition).constants[i]}));
        EXPECT_TRUE(same_bits<double>({empty.constants[i]}, {now}));
      }
      const bool right = policy == ZCMOE_EMPTY_NAN     ? std::isnan(now)
                         : policy == ZCMOE_EMPTY_VALUE ? now == -7.5
                                                       : std::abs(now - 100) < 20;
      EXPECT_TRUE(right || policy == ZCMOE_EMPTY_KEEP) << now;
    }
    EXPECT_GT(used, 0);
  }
}

TEST_P(points_fit_test, rows_that_are_refused) {
  rows all(1500);
  for (float& a : all.a) a = 1.0f;
  for (double& c : all.c) c = 0.25;
  for (float& y : all.y) y = 2.0f;
  all.c[1300] = not_a_number;  // which the sample's last axis has no code for
  zcmoe_fit_options options = fit_options();
  options.nan_inputs = ZCMOE_ROWS_ERROR;
  fit strict = fit_segments_of(ctx(), loaded(ctx(), sample_tree()), points_fit_options(), options);
  add_points_sync(strict, all.view(0, 1300), array(all.y.data()));
  const std::vector<unsigned char> before = strict.serialize();
  std::string said;
  const zcmoe_status status = status_of([&] { add_points_sync(strict, all.view(), all.y); }, &said);
  if (engine() == ZCMOE_ENGINE_CPU) {
    EXPECT_EQ(status, ZCMOE_ERR_DATA);
    EXPECT_THAT(said, HasSubstr("row 1300 is refused: x has no segment, y[1300]=2"));
    EXPECT_EQ(strict.serialize(), before);
  } else {
    EXPECT_EQ(status, ZCMOE_OK);
    EXPECT_EQ(status_of([&] { strict.finish(); }), ZCMOE_ERR_DATA);
    EXPECT_EQ(strict.report().nan_inputs, 1);
    EXPECT_EQ(strict.report().first_bad_row, 2600);
  }
}

TEST_P(points_fit_test, other_segments_do_not_merge) {
  const auto begun = [&](const points_file& file) {
    return fit_segments_of(ctx(), loaded(ctx(), file));
  };
  fit own = begun(sample_tree());
  const auto refused = [&](const fit& other, const char* why) {
    std::string said;
    EXPECT_EQ(status_of([&] { own.merge(other); }, &said), ZCMOE_ERR_INCOMPATIBLE) << why;
    EXPECT_THAT(said, HasSubstr(why));
  };
  points_file edges = sample_tree();
  edges.tables.axes[1].edges[1] = 0.125;
  refused(begun(edges), "axis 1");
  points_file policy = sample_tree();
  policy.tables.axes[0].nan_policy = ZCMOE_NAN_PROPAGATE;
  refused(begun(policy), "axis 0");
  points_file nodes = sample_tree();
  nodes.tables.banks[0].nodes[0].threshold = 1;
  refused(begun(nodes), "bank 0");
  points_file cells = sample_tree();
  cells.tables.banks[0].constants = {1, 3, 0, 2};
  refused(begun(cells), "bank 0");
  points_file kept = sample_tree();
  kept.tables.head.constants[3] = 0.5;
  refused(begun(kept), "constant 0.5 of segment 3");
  refused(begun(sample_grid()), "bank 0");
  refused(begun(sample_score()), "banks");
  refused(fit(ctx(), {0.0, 1.0, 2.0}), "one input");
  zcmoe_points_fit_options options = points_fit_options();
  options.empty_policy = ZCMOE_EMPTY_NAN;
  refused(fit_segments_of(ctx(), loaded(ctx(), sample_tree()), options), "policy");
  points_file score = sample_score();
  own = begun(score);
  score.tables.head.thresholds[1] = 1;
  refused(begun(score), "thresholds");
  points_file names = sample_score();
  names.input_names = {"x", "y", "z"};
  own.merge(begun(names));
}

TEST_P(points_fit_test, one_input_and_no_rows) {
  const std::vector<double> edges{0.0, 1.0, 2.0};
  fit one(ctx(), edges);
  const std::vector<float> x{0.5f, 1.5f, 1.5f};
  const std::vector<double> y{1.0, 2.0, 4.0};
  add_points_sync(one, points().add(x), y);
  fit same(ctx(), edges);
  same.add_sync(x, y);
  EXPECT_EQ(one.serialize(), same.serialize());
  fit none = fit_segments_of(ctx(), loaded(ctx(), sample_grid()));
  const std::vector<unsigned char> before = none.serialize();
  add_points_sync(none, rows(0).view(), std::vector<float>());
  EXPECT_EQ(none.serialize(), before);
  EXPECT_TRUE(std::isnan(points_info(none.finish()).noise_variance));
  std::string said;
  EXPECT_EQ(status_of([&] { none.add_sync(x, y); }, &said), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("fit has 3 inputs: zcmoe_fit_add_points() takes them"));
  EXPECT_EQ(status_of([&] { add_points_sync(none, points().add(x), y); }),
            ZCMOE_ERR_INVALID_ARGUMENT);
}

/// So many axes that a block of rows is smaller than a batch of a fit.
TEST_P(points_fit_test, many_axes) {
  constexpr std::int64_t axes = 120;
  constexpr std::int64_t n = 1500;
  const std::vector<double> plain{0.0, 1.0}, cut{0.0, 0.5, 1.0};
  std::vector<zcmoe_grid_axis> cuts;
  for (std::int64_t j = 0; j < axes; ++j) cuts.push_back(grid_axis(j % 20 == 0 ? cut : plain));
  const model partition = make_grid(ctx(), cuts);
  EXPECT_EQ(points_info(partition).num_segments, 64);
  rows all(n);
  std::vector<double> table;
  std::mt19937_64 random(5);
  for (std::int64_t i = 0; i < n * axes; ++i)
    table.push_back(std::uniform_real_distribution<double>(0.0, 1.0)(random));
  const points x = points::row_major(table.data(), n, axes);
  fit several = fit_segments_of(ctx(), partition);
  add_points_sync(several, x, all.y);
  const std::vector<std::int32_t> segments = segments_of(partition, x);
  fit one(ctx(), even_edges(0.0, 64.0, 64));
  one.add_sync(segments, all.y);
  const model made = one.finish();
  expect_same(said_of(several.finish()), {made.info(), 64}, said_of(partition));
}

// -------------------------------------------------------------------- group

TEST_P(points_fit_test, groups) {
  const rows all(70000);
  for (auto& [name, partition] : models_of(ctx())) {
    SCOPED_TRACE(name);
    const std::vector<std::int32_t> segments = segments_of(partition, all.view());
    const auto m = static_cast<std::int32_t>(points_info(partition).num_segments);
    std::vector<std::int64_t> order(segments.size()), offsets(static_cast<std::size_t>(m) + 4);
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const auto slot = [&](std::int64_t row) {
      const std::int32_t segment = segments[static_cast<std::size_t>(row)];
      return segment < 0 ? m : segment;
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t p, std::int64_t q) { return slot(p) < slot(q); });
    for (const std::int64_t row : order) ++offsets[static_cast<std::size_t>(slot(row)) + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    std::vector<std::int64_t> found_rows(order.size()), found_offsets(offsets.size());
    std::vector<float> moved(order.size());
    const zcmoe_group_column column{array(all.y.data()), output(moved.data())};
    zcmoe_group_outputs outputs = group_outputs();
    outputs.offsets = output(found_offsets.data());
    outputs.rows = output(found_rows.data());
    outputs.num_columns = 1;
    outputs.columns = &column;
    group_points_sync(partition, all.view(), outputs);
    EXPECT_EQ(found_offsets, offsets);
    EXPECT_EQ(found_rows, order);
    std::vector<float> wanted;
    for (const std::int64_t row : order) wanted.push_back(all.y[static_cast<std::size_t>(row)]);
    EXPECT_TRUE(same_bits(moved, wanted));

    // In the engine's memory, in two chunks.
    const auto a = on_engine(all.a);
    const auto b = on_engine(all.b);
    const auto c = on_engine(all.c);
    points x;
    x.add(array(a.data()), all.size()).add(array(b.data()), all.size());
    x.add(array(c.data()), all.size());
    const auto there_rows = on_engine(std::vector<std::int32_t>(order.size()));
    const auto there_offsets = on_engine(std::vector<std::int64_t>(offsets.size()));
    const std::size_t least = group_points_workspace(partition, 65536);
    const auto memory = on_engine(std::vector<unsigned char>(least));
    outputs = group_outputs();
    outputs.offsets = output(there_offsets.data());
    outputs.rows = output(there_rows.data());
    group_points(partition, x, outputs, least == 0 ? nullptr : memory.data(), least, nullptr);
    EXPECT_EQ(there_offsets.host(), offsets);
    EXPECT_EQ(there_rows.host(), std::vector<std::int32_t>(order.begin(), order.end()));
  }
  const model one(ctx(), {0.0, 1.0, 2.0}, {5.0, 6.0});
  const std::vector<float> x{1.5f, 0.5f, NAN};
  std::vector<std::int64_t> offsets(6);
  zcmoe_group_outputs outputs = group_outputs();
  outputs.offsets = output(offsets.data());
  group_points_sync(one, points().add(x), outputs);
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{0, 1, 2, 3, 3, 3}));
  group_points_sync(grid_of(ctx(), 1, 1), rows(0).view(), group_outputs());
}

// --------------------------------------------------------------------- grid

TEST_P(points_fit_test, cells_of_a_grid) {
  const std::vector<double> e0{0.0, 1.0, 2.0}, e1{0.0, 1.0, 2.0, 3.0};
  std::vector<zcmoe_grid_axis> axes{grid_axis(e0), grid_axis(e1)};
  axes[0].nan_policy = ZCMOE_NAN_SEGMENT;
  axes[1].range_policy = ZCMOE_RANGE_SEGMENTS;
  axes[1].closed_side = ZCMOE_CLOSED_RIGHT;
  axes[1].include_outer_edge = 0;
  std::vector<double> constants(3 * 5);
  std::iota(constants.begin(), constants.end(), 10.0);
  const model grid = make_grid(ctx(), axes, constants);
  const std::vector<double> a{0.5, 1.0, 2.0, -9.0, not_a_number, 0.5, 0.5, 1.5};
  const std::vector<double> b{0.5, 1.0, 2.5, 3.00, 1.5000000000, -1., 3.5, 0.0};
  const std::vector<std::int32_t> cells{0, 5, 7, 2, 11, 3, 4, 8};
  const points x = points().add(a).add(b);
  EXPECT_EQ(segments_of(grid, x), cells);
  std::vector<double> values;
  for (const std::int32_t cell : cells) values.push_back(10.0 + cell);
  EXPECT_EQ(predict_points_sync(grid, x), values);
  EXPECT_EQ(points_info(grid).partition, ZCMOE_PARTITION_GRID);
  EXPECT_EQ(model::deserialize(ctx(), grid.serialize()).serialize(), grid.serialize());
}

ZCMOE_INSTANTIATE_ENGINES(points_fit_test);

TEST(points_grid, more_cells_than_memory_holds_are_named) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const std::vector<double> edges = even_edges(0.0, 1.0, 8);
  const std::vector<zcmoe_grid_axis> axes(9, grid_axis(edges));
  std::string said;
  EXPECT_EQ(status_of([&] { make_grid(cpu, axes); }, &said), ZCMOE_ERR_INVALID_ARGUMENT);
  for (const char* part : {"9 axes", "134217728 cells", "12.88", "34.35", "limit is 16777216",
                           "ZCMOE_PARTITION_TREE", "ZCMOE_PARTITION_TABLES"})
    EXPECT_THAT(said, HasSubstr(part));
  const std::vector<double> fine = even_edges(0.0, 1.0, 253);
  EXPECT_EQ(status_of([&] { make_grid(cpu, std::vector<zcmoe_grid_axis>(1024, grid_axis(fine))); },
                      &said),
            ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(said, HasSubstr("e+2460 cells"));
}

/// The place of the numbers of an array in the data.
std::size_t place_of(const container_parts& parts, const std::string& array_name) {
  const std::size_t at = parts.header.find('"' + array_name + "\":{\"dtype\"");
  const std::string offsets = "\"data_offsets\":[";
  return std::stoul(parts.header.substr(parts.header.find(offsets, at) + offsets.size()));
}

TEST(points_grid, hostile_states_are_refused) {
  const context cpu(ZCMOE_ENGINE_CPU);
  fit several = fit_segments_of(cpu, loaded(cpu, sample_score()));
  const rows all(200);
  add_points_sync(several, all.view(), all.y);
  const std::vector<unsigned char> bytes = several.serialize();
  const std::string good(bytes.begin(), bytes.end());
  const auto status = [&](const std::string& state, std::string* said) {
    return status_of(
        [&] { fit::deserialize(cpu, std::vector<unsigned char>(state.begin(), state.end())); },
        said);
  };
  std::string said;
  EXPECT_EQ(status(good, &said), ZCMOE_OK) << said;
  const auto refused = [&](const container_parts& parts, const char* why,
                           zcmoe_status wanted = ZCMOE_ERR_FORMAT) {
    EXPECT_EQ(status(sealed(parts), &said), wanted) << why;
    EXPECT_THAT(said, HasSubstr(why));
  };
  const auto with_text = [&](const std::string& from, const std::string& to) {
    container_parts parts = split(good);
    parts.header.resize(parts.header.find_last_not_of(' ') + 1);
    const std::size_t at = parts.header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    parts.header.replace(at, from.size(), to);
    parts.header.resize((parts.header.size() + 7) / 8 * 8, ' ');
    return parts;
  };
  refused(with_text("\"partition\":\"score\"", "\"partition\":\"tables\""), "partition");
  refused(with_text("\"partition\":\"score\"", "\"partition\":\"auto\""), "partition");
  refused(with_text("\"empty_policy\":\"keep\"", "\"empty_policy\":\"nearest\""), "empty_policy");
  refused(with_text("\"empty_value\":\"0\"", "\"empty_value\":\"inf\""), "empty_value");
  refused(with_text("\"weights_kind\":\"sampling\"", "\"weights_kind\":\"none\""), "weights_kind");
  refused(with_text("\"num_inputs\":\"3\"", "\"num_inputs\":\"2\""), "is no input of the model");
  refused(with_text("\"format_version\":\"2.0\"", "\"format_version\":\"3.0\""), "3.0",
          ZCMOE_ERR_VERSION);
  refused(with_text("\"format_version\":\"2.0\"", "\"format_version\":\"1.3\""), "closed_side");
  const auto with_number = [&](const char* array_name, std::size_t index, std::int64_t more) {
    container_parts parts = split(good);
    const std::size_t at = place_of(parts, array_name) + 8 * index;
    std::int64_t number = 0;
    std::memcpy(&number, parts.data.data() + at, 8);
    number += more;
    std::memcpy(&parts.data[at], &number, 8);
    return parts;
  };
  refused(with_number("counters", 3, 1), "out of range");
  refused(with_number("counters", 1, 1), "counts");
  refused(with_number("counts", 4, 1), "counts[4]");
  refused(with_number("counts", 5, 1), "counts[5]");
  refused(with_number("y", 0, std::int64_t{1} << 40), "y[0, 0]");
  refused(with_number("thresholds", 0, 5000), "thresholds");
  container_parts infinite = split(good);
  std::memcpy(&infinite.data[place_of(infinite, "values")], &infinity, 8);
  refused(infinite, "infinite");
  for (std::size_t i = 0; i < good.size(); i += 37) {
    std::string bent = good;
    bent[i] = static_cast<char>(bent[i] ^ 4);
    EXPECT_NE(status(bent, nullptr), ZCMOE_OK) << i;
  }
}

TEST(points_grid, threads_share_a_fit) {
  const rows all(300000);
  const auto state_of = [&](std::int32_t threads) {
    zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
    options.engine = ZCMOE_ENGINE_CPU;
    options.num_threads = threads;
    const context cpu(options);
    fit several = fit_segments_of(cpu, grid_of(cpu, 30, 20), points_fit_options(),
                                  rows_options(ZCMOE_F32, false));
    add_points_sync(several, all.view(), all.y);
    return several.serialize();
  };
  const std::vector<unsigned char> one = state_of(1);
  EXPECT_EQ(state_of(2), one);
  EXPECT_EQ(state_of(7), one);
}

}  // namespace
}  // namespace zcmoe::test
