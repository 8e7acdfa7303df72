// Learners through the public interface: the same state and the same model however rows come, in
// chunks, in any order, from states that were merged and written; samples beside a naive one; and
// states that no rows give.
#include "tests/model/container_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/points.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

namespace zcmoe::test {
namespace {

using bytes = std::vector<unsigned char>;

constexpr std::size_t num_inputs = 3;
using row = std::array<double, num_inputs + 1>;  // the last number is the target
using rows = std::vector<row>;

rows sample(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  rows made(n);
  for (row& r : made) {
    for (double& number : r) number = uniform(random);
    r[num_inputs] += 3.0 * r[0] + std::sin(6.0 * r[1]);
  }
  return made;
}

/// Rows of few distinct numbers, which occur again and again.
rows repeated(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  rows made(n);
  for (row& r : made) {
    for (double& number : r) number = static_cast<double>(random() % 3);
  }
  return made;
}

context cpu(std::int32_t threads = 1) {
  zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = threads;
  return context(options);
}

zcmoe_learn_options small(std::int64_t sample_rows = 0) {
  zcmoe_learn_options options = learn_options();
  options.axis_segments = 20;
  options.sample_rows = sample_rows;
  return options;
}

/// The inputs and the target of rows [first, first + n).
struct view {
  points x;
  zcmoe_array y;
  view(const rows& from, std::size_t first, std::size_t n)
      : y(array(from.data()->data() + first * (num_inputs + 1) + num_inputs, num_inputs + 1)) {
    for (std::size_t j = 0; j < num_inputs; ++j) {
      x.add(array(from.data()->data() + first * (num_inputs + 1) + j, num_inputs + 1),
            static_cast<std::int64_t>(n));
    }
  }
};

void add(learner& to, const rows& from, std::size_t first, std::size_t n) {
  const view part(from, first, n);
  to.add_sync(part.x, part.y);
}

bytes model_of_all(const rows& from, const zcmoe_learn_options& options) {
  const view all(from, 0, from.size());
  return learn(cpu(), all.x, all.y, options).table.serialize();
}

learner learner_of(const context& engine, const rows& from, const zcmoe_learn_options& options,
                   std::size_t chunk) {
  learner made(engine, num_inputs, options);
  for (std::size_t first = 0; first < from.size(); first += chunk)
    add(made, from, first, std::min(chunk, from.size() - first));
  return made;
}

/// Every way for rows to come: chunkings, threads, order, merge trees, states written and read.
std::vector<bytes> states_of(const rows& from, const zcmoe_learn_options& options) {
  std::vector<bytes> states;
  const std::size_t n = from.size();
  for (const std::int32_t threads : {1, 2, 7}) {
    const context engine = cpu(threads);
    for (const std::size_t chunk : {n, n - 1, n / 2, n / 3 + 1, n / 7, n / 50 + 1, n / 200 + 1})
      states.push_back(learner_of(engine, from, options, chunk).serialize());
  }
  const context engine = cpu(2);
  rows shuffled = from;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(5));
  states.push_back(learner_of(engine, shuffled, options, n / 5).serialize());
  // Merge trees over eight machines: a chain, its reverse, and a balanced tree of written states.
  const auto part = [&](std::size_t k) {
    learner made(engine, num_inputs, options);
    add(made, shuffled, k * n / 8, (k + 1) * n / 8 - k * n / 8);
    return made;
  };
  learner chain = part(0);
  learner reverse = part(7);
  std::vector<learner> tree;
  for (std::size_t k = 0; k < 8; ++k) {
    if (k > 0) chain.merge(part(k));
    if (k < 7) reverse.merge(part(6 - k));
    tree.push_back(learner::deserialize(engine, part(k).serialize()));
  }
  for (std::size_t step = 1; step < 8; step *= 2) {
    for (std::size_t k = 0; k + step < 8; k += 2 * step)
      tree[k].merge(learner::deserialize(engine, tree[k + step].serialize()));
  }
  for (const learner* made : {&chain, &reverse, &tree[0]}) states.push_back(made->serialize());
  states.push_back(learner::deserialize(engine, chain.serialize()).serialize());
  return states;
}

TEST(learner, of_rows_that_fit_is_the_model_of_all_however_they_come) {
  for (const rows& given : {sample(3000, 1), repeated(3000, 2)}) {
    const zcmoe_learn_options options = small(3000);
    const std::vector<bytes> states = states_of(given, options);
    for (std::size_t k = 0; k < states.size(); ++k) EXPECT_EQ(states[k], states[0]) << k;
    const bytes model = model_of_all(given, small());
    for (const std::int32_t threads : {1, 2, 7}) {
      const learned made = learner::deserialize(cpu(threads), states[0]).finish(options);
      EXPECT_EQ(made.table.serialize(), model) << threads << " threads";
      EXPECT_EQ(made.report.rows, 3000);
      EXPECT_EQ(made.report.rows_kept, 3000);
      EXPECT_EQ(made.report.sample_share, 1.0);
    }
    // Rows that were never written, nor put in order.
    EXPECT_EQ(learner_of(cpu(2), given, options, 700).finish(options).table.serialize(), model);
  }
}

TEST(learner, of_more_rows_is_one_sample_however_they_come) {
  for (const rows& given : {sample(5000, 3), repeated(5000, 4)}) {
    for (const std::int64_t limit : {1, 50, 400}) {
      const zcmoe_learn_options options = small(limit);
      const std::vector<bytes> states = states_of(given, options);
      for (std::size_t k = 0; k < states.size(); ++k)
        EXPECT_EQ(states[k], states[0]) << k << ", limit " << limit;
      const learned made = learner_of(cpu(), given, options, 999).finish(options);
      EXPECT_EQ(made.table.serialize(), model_of_all(given, options)) << limit;
      EXPECT_EQ(made.report.rows, 5000);
      EXPECT_EQ(made.report.rows_used, 5000);
      EXPECT_EQ(made.report.rows_kept, limit);
      EXPECT_EQ(points_info(made.table).num_rows, limit);
    }
  }
}

std::uint64_t hash_of(const row& r) {
  std::uint64_t hash = 0;
  for (const double number : r) hash = XXH3_64bits_withSeed(&number, sizeof number, hash);
  return hash;
}

/// The data section of the state of a learner that keeps `limit` rows.
std::string naive_state(const rows& from, std::size_t limit) {
  std::map<std::pair<std::uint64_t, std::string>, std::int64_t> counts;
  for (const row& r : from)
    ++counts[{hash_of(r), std::string(reinterpret_cast<const char*>(&r), sizeof r)}];
  std::string inputs, targets, numbers;
  std::size_t kept = 0;
  for (const auto& [key, count] : counts) {
    if (kept++ == limit) break;
    inputs += key.second.substr(0, num_inputs * sizeof(double));
    targets += key.second.substr(num_inputs * sizeof(double));
    numbers += little_endian(count);
  }
  return inputs + targets + numbers + std::string(num_inputs, '\0');  // nan_codes
}

std::string text_of(const bytes& state) { return std::string(state.begin(), state.end()); }

TEST(learner, keeps_the_rows_of_least_hashes) {
  for (const rows& given : {sample(4000, 5), repeated(4000, 6)}) {
    for (const std::int64_t limit : {1, 7, 64, 1000, 100000}) {
      const bytes state = learner_of(cpu(2), given, small(limit), 300).serialize();
      EXPECT_EQ(split(text_of(state)).data, naive_state(given, static_cast<std::size_t>(limit)))
          << limit;
    }
  }
  const learned made = learner_of(cpu(), sample(4000, 5), small(1000), 300).finish(small(1000));
  EXPECT_NEAR(made.report.sample_share, 0.25, 0.04);  // five standard deviations
}

TEST(learner, repeats_rows_in_proportion) {
  // Of 3,000 rows 100 are learned from, and the cells of a grid tell how many of each kind: of
  // 0.03, 0.97, 1, 1.5, 3.17, 26.67, 33.33 and 33.33 the three largest remainders are rounded up.
  rows given;
  const std::vector<std::int64_t> counts = {1, 29, 30, 45, 95, 800, 1000, 1000};
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    const auto at = static_cast<double>(kind);
    given.insert(given.end(), static_cast<std::size_t>(counts[kind]), row{at, 0, 0, 10 * at});
  }
  zcmoe_learn_options grid = small(100);
  grid.partition = ZCMOE_PARTITION_GRID;
  grid.num_segments = 8;
  const learned made = learner_of(cpu(), given, grid, 1000).finish(grid);
  EXPECT_EQ(made.report.rows_kept, 100);
  const zcmoe_points_info info = points_info(made.table);
  EXPECT_EQ(std::vector<std::int64_t>(info.counts, info.counts + info.num_segments),
            (std::vector<std::int64_t>{0 + 1 + 1, 2 + 3, 27, 33, 33}));
}

TEST(learner, one_zero_and_one_nan_stand_for_all) {
  const double nan = not_a_number;
  const double other = -std::nan("77");
  zcmoe_learn_options options = small(100);
  options.nan_policy = ZCMOE_NAN_SEGMENT;
  const rows given = {{0.0, nan, 1, 0.0}, {2, 3, 4, 5}};
  const rows same = {{-0.0, other, 1, -0.0}, {2, 3, 4, 5}};
  const bytes state = learner_of(cpu(), given, options, 2).serialize();
  EXPECT_EQ(learner_of(cpu(), same, options, 2).serialize(), state);
  // Columns of other types hold the same numbers.
  learner floats(cpu(), num_inputs, options);
  const std::vector<float> a = {0, 2};
  const std::vector<float> b = {std::nanf(""), 3};
  const std::vector<std::int64_t> c = {1, 4};
  const std::vector<std::int8_t> y = {0, 5};
  points x;
  x.add(a).add(b).add(c);
  floats.add_sync(x, y);
  EXPECT_EQ(floats.serialize(), state);
}

TEST(learner, counts_what_it_leaves_out) {
  rows given = sample(100, 7);
  given[1][0] = not_a_number;
  given[2][num_inputs] = not_a_number;
  given[3][num_inputs] = -infinity;
  given[3][0] = not_a_number;
  const learner made = learner_of(cpu(), given, small(), 9);
  const learned model = made.finish(small());
  EXPECT_EQ(model.report.rows, 100);
  EXPECT_EQ(model.report.rows_used, 97);
  EXPECT_EQ(model.report.rows_kept, 97);
  EXPECT_EQ(model.report.nan_inputs, 1);
  EXPECT_EQ(model.report.nan_targets, 1);
  EXPECT_EQ(model.report.infinite_targets, 1);
  EXPECT_EQ(model.table.serialize(), model_of_all(given, small()));
  EXPECT_EQ(learner::deserialize(cpu(), made.serialize()).finish(small()).report.nan_inputs, 1);
}

TEST(learner, without_rows_says_so_and_goes_on) {
  learner made(cpu(), num_inputs, small());
  const bytes empty = made.serialize();
  EXPECT_EQ(zcmoe_learner_add_sync(made.get(), nullptr, {}, {}, 0), ZCMOE_OK);
  std::string said;
  EXPECT_EQ(status_of([&] { made.finish(small()); }, &said), ZCMOE_ERR_DATA);
  EXPECT_THAT(said, testing::HasSubstr("no row is left of 0"));
  EXPECT_EQ(made.serialize(), empty);
  const rows given = sample(300, 8);
  made.merge(learner::deserialize(cpu(), empty));
  EXPECT_EQ(made.serialize(), empty);
  add(made, given, 0, 300);
  EXPECT_EQ(made.finish(small()).table.serialize(), model_of_all(given, small()));
}

TEST(learner, may_be_stopped_and_finished_again) {
  const rows given = sample(1000, 9);
  const learner made = learner_of(cpu(), given, small(), 100);
  for (const int stop : {0, 5}) {
    int calls = 0;
    EXPECT_EQ(status_of([&] { made.finish(small(), [&](double) { return calls++ < stop; }); }),
              ZCMOE_ERR_CANCELLED);
    EXPECT_EQ(calls, stop + 1);
  }
  EXPECT_EQ(made.finish(small()).table.serialize(), model_of_all(given, small()));
}

TEST(learner, of_weighted_rows_is_the_model_of_all) {
  const rows given = sample(1500, 12);
  std::vector<double> weights;
  for (std::size_t i = 0; i < given.size(); ++i)
    weights.push_back(i % 9 == 0 ? 0.0 : 0.25 * static_cast<double>(1 + i % 3));
  const auto model_of = [&](std::int64_t limit) {
    zcmoe_learn_options options = small(limit);
    options.weighted = 1;
    const view all(given, 0, given.size());
    return learn(cpu(), all.x, all.y, array(weights.data()), options).table.serialize();
  };
  for (const std::int64_t limit : {300, 2000}) {
    zcmoe_learn_options options = small(limit);
    options.weighted = 1;
    const auto of_rows = [&](std::size_t first, std::size_t last) {
      learner made(cpu(2), num_inputs, options);
      for (std::size_t at = first; at < last; at += 100) {
        const view part(given, at, 100);
        made.add_sync(part.x, part.y, array(weights.data() + at));
      }
      return made;
    };
    const learner whole = of_rows(0, 1500);
    learner merged = learner::deserialize(cpu(), of_rows(700, 1500).serialize());
    merged.merge(of_rows(0, 700));
    EXPECT_EQ(merged.serialize(), whole.serialize()) << limit;
    const learned made = learner::deserialize(cpu(), merged.serialize()).finish(small(limit));
    EXPECT_EQ(made.table.serialize(), model_of(limit)) << limit;
    EXPECT_EQ(made.report.zero_weights, 167);
    EXPECT_EQ(made.report.rows_used, 1333);
  }
}

TEST(learner, refuses_what_does_not_go_together) {
  learner made(cpu(), num_inputs, small(100));
  const rows given = sample(10, 10);
  add(made, given, 0, 10);
  const bytes before = made.serialize();
  std::string said;
  const auto refused = [&](const learner& other, const char* text) {
    EXPECT_EQ(status_of([&] { made.merge(other); }, &said), ZCMOE_ERR_INCOMPATIBLE);
    EXPECT_THAT(said, testing::HasSubstr(text));
  };
  refused(learner(cpu(), 2, small(100)), "num_inputs=3 of learner, but 2 of source");
  refused(learner(cpu(), num_inputs, small(101)), "sample_rows=100 of learner, but 101");
  zcmoe_learn_options with_nan = small(100);
  with_nan.nan_policy = ZCMOE_NAN_SEGMENT;
  refused(learner(cpu(), num_inputs, with_nan),
          "nan_policy of input 0=0 of learner, but 1 of source");
  zcmoe_learn_options weighted = small(100);
  weighted.weighted = 1;
  refused(learner(cpu(), num_inputs, weighted), "weighted=0 of learner, but 1 of source");
  EXPECT_EQ(status_of([&] { made.merge(made); }, &said), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([&] { made.finish(with_nan); }, &said), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(said,
              testing::HasSubstr("options->nan_policy is 1 of input 0, but the learner has 0"));
  EXPECT_EQ(status_of([&] { made.finish(small(99)); }, &said), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(said, testing::HasSubstr("options->sample_rows=99, but the learner has 100"));
  EXPECT_EQ(made.serialize(), before);
}

// ------------------------------------------------------------ hostile bytes

template <class T>
std::string with_data(const std::string& state, std::size_t at, T value) {
  container_parts parts = split(state);
  std::memcpy(&parts.data[at * sizeof(T)], &value, sizeof value);
  return sealed(parts);
}

TEST(learner, refuses_states_that_no_rows_give) {
  const context engine = cpu();
  const rows given = sample(40, 11);
  const std::string state = text_of(learner_of(engine, given, small(20), 40).serialize());
  const auto read = [&](const std::string& from) {
    std::string said;
    const zcmoe_status status =
        status_of([&] { learner::deserialize(engine, bytes(from.begin(), from.end())); }, &said);
    return std::to_string(status) + ": " + said;
  };
  ASSERT_THAT(read(state), testing::StartsWith("0: "));
  const auto refused = [&](const std::string& from, const char* text) {
    EXPECT_THAT(read(from),
                testing::AllOf(testing::StartsWith(std::to_string(ZCMOE_ERR_FORMAT) + ": "),
                               testing::HasSubstr(text)));
  };
  constexpr std::size_t target = 20 * num_inputs;
  constexpr std::size_t count = 20 * (num_inputs + 1);
  refused(with_data(state, 0, -0.0), "inputs: row 0 holds");
  refused(with_data(state, 1, not_a_number), "inputs: row 0 holds");
  refused(with_data(state, target, infinity), "targets: row 0 holds inf");
  refused(with_data(state, 0, 0.25), "order");
  refused(with_data(state, count, std::int64_t{0}), "counts[0]=0");
  refused(with_data(state, count, std::int64_t{22}), "counts[19]=1, where 0 of the rows are left");
  refused(with_data(state, count, std::int64_t{41}), "counts[0]=41");
  refused(with_header(state, "\"sample_rows\":\"20\"", "\"sample_rows\":\"21\""), "sample_rows=21");
  refused(with_header(state, "\"sample_rows\":\"20\"", "\"sample_rows\":\"19\""), "sample_rows=19");
  refused(with_header(state, "\"sample_rows\":\"20\"", "\"sample_rows\":\"00\""), "sample_rows");
  refused(with_header(state, "\"rows\":\"40\"", "\"rows\":\"19\""), "counts[19]=1");
  refused(with_header(state, "\"rows\":\"40\"", "\"rows\":\"-1\""), "rows");
  refused(with_header(state, "\"nan_inputs\":\"0\"", "\"nan_inputs\":\"x\""), "nan_inputs");
  refused(with_header(state, "\"shape\":[20,3]", "\"shape\":[10,6]"), "targets");
  refused(with_header(state, "\"nan_codes\"", "\"nan_kodes\""), "nan_codes is missing");
  refused(with_data(state, (count + 20) * 8, std::uint8_t{2}), "nan_codes[0]=2 is not 0 or 1");
  // Two equal rows, one behind the other.
  container_parts twice = split(state);
  for (const std::size_t each : {std::size_t{0}, target * 8})
    twice.data.replace(each + (each == 0 ? 24 : 8), each == 0 ? 24 : 8,
                       twice.data.substr(each, each == 0 ? 24 : 8));
  refused(sealed(twice), "row 1 is not behind row 0");
  EXPECT_THAT(read(state.substr(0, state.size() - 8)),
              testing::StartsWith(std::to_string(ZCMOE_ERR_FORMAT)));
  std::string damaged = state;
  damaged.back() ^= 1;
  EXPECT_THAT(read(damaged), testing::StartsWith(std::to_string(ZCMOE_ERR_CHECKSUM)));
  EXPECT_THAT(read(with_header(state, "\"format_version\":\"2.0\"", "\"format_version\":\"3.0\"")),
              testing::StartsWith(std::to_string(ZCMOE_ERR_VERSION)));
  const bytes model = model_of_all(given, small());
  refused(text_of(model), "it is a model, not a learner");
}

TEST(learner, refuses_weights_that_no_row_has) {
  zcmoe_learn_options options = small(20);
  options.weighted = 1;
  learner made(cpu(), num_inputs, options);
  const rows given = sample(3, 13);
  const view all(given, 0, 3);
  const std::vector<double> weights = {1.0, 2.0, 3.0};
  made.add_sync(all.x, all.y, array(weights.data()));
  const std::string state = text_of(made.serialize());
  const auto read = [&](const std::string& from) {
    std::string said;
    const zcmoe_status status =
        status_of([&] { learner::deserialize(cpu(), bytes(from.begin(), from.end())); }, &said);
    return std::to_string(status) + ": " + said;
  };
  ASSERT_THAT(read(state), testing::StartsWith("0: "));
  constexpr std::size_t first = 3 * (num_inputs + 2);  // behind inputs, targets and counts
  for (const double bad : {0.0, -1.0, infinity, not_a_number})
    EXPECT_THAT(read(with_data(state, first, bad)), testing::HasSubstr("weights: row 0 holds"));
  EXPECT_THAT(read(with_header(state, R"("zero_weights":"0")", R"("zero_weights":"9")")),
              testing::HasSubstr("zero_weights"));
}

TEST(learner, counts_no_more_rows_than_there_may_be) {
  const context engine = cpu();
  const std::string few =
      text_of(learner_of(engine, rows(9, row{1, 2, 3, 4}), small(20), 9).serialize());
  const std::string most = std::to_string(ZCMOE_MAX_ROWS);
  const std::string state =
      with_data(with_header(few, R"("rows":"9")", R"("rows":")" + most + R"(")"), num_inputs + 1,
                ZCMOE_MAX_ROWS);
  learner full = learner::deserialize(engine, bytes(state.begin(), state.end()));
  const bytes before = full.serialize();
  const rows more(1, row{1, 2, 3, 4});
  std::string said;
  EXPECT_EQ(status_of([&] { add(full, more, 0, 1); }, &said), ZCMOE_ERR_NUMERIC);
  EXPECT_THAT(said, testing::HasSubstr(most));
  EXPECT_EQ(status_of([&] { full.merge(learner_of(engine, more, small(20), 1)); }),
            ZCMOE_ERR_NUMERIC);
  EXPECT_EQ(full.serialize(), before);
  EXPECT_EQ(full.finish(small(20)).report.rows_kept, 20);
}

}  // namespace
}  // namespace zcmoe::test
